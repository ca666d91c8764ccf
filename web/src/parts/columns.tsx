// What a table of runs can show: a row a column.
import type { ComponentChildren } from 'preact';
import type { Json, Kind, Run } from '../api';
import { DASH, KINDS, KIND_NAME, OUTCOME_NAME, cost, duration, num, outcome, runLabel, time } from '../format';
import { runPath } from '../router';
import { visible } from '../text';
import { KindMark, OutcomeMark } from './marks';

export interface Column {
    id: string;
    title: string;
    sort?: string;
    /** Class of the head (its width), and of the cell. */
    w: string;
    cls?: string;
    cell: (run: Run) => ComponentChildren;
    /** What an export of the selection says. */
    text: (run: Run) => string | number | null;
}

const firstScore = (run: Run) => run.scores[0];
const scoreText = (value: unknown) =>
    value == null
        ? DASH
        : typeof value === 'number'
          ? String(Math.round(value * 1000) / 1000)
          : typeof value === 'string'
            ? value
            : JSON.stringify(value);

export const COLUMNS: Column[] = [
    {
        id: 'outcome',
        title: 'Outcome',
        sort: 'success',
        w: 'w-o',
        text: r => OUTCOME_NAME[outcome(r.success)],
        cell: r => (
            <span class="mk">
                <OutcomeMark success={r.success} />
                {OUTCOME_NAME[outcome(r.success)]}
            </span>
        ),
    },
    {
        id: 'run',
        title: 'Run',
        sort: 'name',
        w: 'w-id',
        cls: 'mono',
        text: runLabel,
        cell: r => <a href={runPath(r.id)}>{runLabel(r)}</a>,
    },
    {
        id: 'what',
        title: 'Task',
        sort: 'task',
        w: '',
        cls: 'wide',
        text: r => r.gist,
        cell: r => (
            <a href={runPath(r.id)} tabIndex={-1}>
                {visible(r.gist || r.name || r.task_id || DASH)}
            </a>
        ),
    },
    {
        id: 'findings',
        title: 'Findings',
        sort: 'findings',
        w: 'w-f',
        cls: 'mkc',
        text: r => KINDS.reduce((n, kind) => n + r.findings[kind], 0),
        cell: findingsCell,
    },
    {
        id: 'model',
        title: 'Model',
        sort: 'model',
        w: 'w-m',
        cls: 'r2',
        text: r => r.model,
        cell: r => r.model ?? <span class="dim">{DASH}</span>,
    },
    {
        id: 'score',
        title: 'Score',
        w: 'w-n',
        cls: 'num hide opt',
        text: r => scoreText(firstScore(r)?.value),
        cell: r => scoreText(firstScore(r)?.value),
    },
    {
        id: 'messages',
        title: 'Msgs',
        sort: 'messages',
        w: 'w-n',
        cls: 'num r2b',
        text: r => r.messages,
        cell: r => num(r.messages),
    },
    {
        id: 'calls',
        title: 'Calls',
        sort: 'calls',
        w: 'w-n',
        cls: 'num hide opt',
        text: r => r.tool_calls,
        cell: r => num(r.tool_calls),
    },
    {
        id: 'exit',
        title: 'Exit',
        sort: 'exit_status',
        w: 'w-x',
        cls: 'hide opt',
        text: r => r.exit_status,
        cell: r => r.exit_status ?? <span class="dim">{DASH}</span>,
    },
    {
        id: 'task_id',
        title: 'Task id',
        sort: 'task',
        w: 'w-x',
        cls: 'hide mono',
        text: r => r.task_id,
        cell: r => r.task_id ?? DASH,
    },
    {
        id: 'attempt',
        title: 'Attempt',
        sort: 'attempt',
        w: 'w-n',
        cls: 'hide num',
        text: r => r.attempt,
        cell: r => num(r.attempt),
    },
    { id: 'agent', title: 'Agent', sort: 'agent', w: 'w-x', cls: 'hide', text: r => r.agent, cell: r => r.agent ?? DASH },
    {
        id: 'duration',
        title: 'Duration',
        sort: 'duration',
        w: 'w-d',
        cls: 'hide num',
        text: r => r.duration_ms,
        cell: r => duration(r.duration_ms),
    },
    {
        id: 'tokens',
        title: 'Tokens',
        sort: 'tokens',
        w: 'w-d',
        cls: 'hide num',
        text: r => sum(r.tokens_in, r.tokens_out),
        cell: r => num(sum(r.tokens_in, r.tokens_out)),
    },
    { id: 'cost', title: 'Cost', sort: 'cost', w: 'w-d', cls: 'hide num', text: r => r.cost_usd, cell: r => cost(r.cost_usd) },
    {
        id: 'started',
        title: 'Started',
        sort: 'started_at',
        w: 'w-x',
        cls: 'hide',
        text: r => r.started_at,
        cell: r => time(r.started_at),
    },
    {
        id: 'tags',
        title: 'Tags',
        w: 'w-x',
        cls: 'hide',
        text: r => r.tags.join(' '),
        cell: r =>
            r.tags.map(tag => (
                <span class="tag" key={tag}>
                    {tag}
                </span>
            )),
    },
    {
        id: 'source',
        title: 'Source',
        w: 'w-m',
        cls: 'hide mono',
        text: r => [r.source.file, r.source.location].filter(Boolean).join(' '),
        cell: r => [r.source.file, r.source.location].filter(Boolean).join(' ') || DASH,
    },
];
const sum = (a: number | null, b: number | null) => (a == null && b == null ? null : (a ?? 0) + (b ?? 0));
export const STANDARD = ['outcome', 'run', 'what', 'findings', 'model', 'score', 'messages', 'calls', 'exit'];

function findingsCell(run: Run): ComponentChildren {
    const first = run.first_finding;
    if (!first) return <span class="dim">none</span>;
    const further = KINDS.flatMap(kind => Array<Kind>(run.findings[kind] - (kind === first.kind ? 1 : 0)).fill(kind)).slice(0, 4);
    return (
        <span class="mk">
            <KindMark kind={first.kind} />
            <a
                href={runPath(run.id, {
                    finding: first.id,
                    message: first.evidence[0]?.message,
                    transcript: first.evidence[0]?.position,
                })}
                title={first.title}
                tabIndex={-1}
            >
                {first.behavior}
            </a>
            {further.map((kind, i) => (
                <KindMark key={i} kind={kind} label={KIND_NAME[kind]} />
            ))}
        </span>
    );
}

/** A column of `meta.KEY` (a key as it stands, or dotted for one inside another) or `score.NAME`. */
export function fieldColumn(field: string): Column | null {
    const dot = field.indexOf('.');
    const key = field.slice(dot + 1);
    const from = field.slice(0, dot);
    if (!key || (from !== 'meta' && from !== 'score')) return null;
    const value =
        from === 'meta'
            ? (run: Run) => (key in run.metadata ? run.metadata[key] : inside(run.metadata, key.split('.')))
            : (run: Run) => run.scores.find(score => score.name === key)?.value;
    const text = (run: Run) => scoreText(value(run));
    return { id: field, title: key, sort: field, w: 'w-x', cls: 'hide', text, cell: text };
}

function inside(value: Json | undefined, keys: string[]): Json | undefined {
    for (const key of keys) value = value && typeof value === 'object' && !Array.isArray(value) ? value[key] : undefined;
    return value;
}
