// The head of a run: what it was, how it ended, what was found; the other attempts at its task.
import type { ComponentChildren, JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { Finding, Json, Label, RunDetail, Score } from '../api';
import { DASH, addresses, cost, count, duration, num, runLabel, time } from '../format';
import { setLabelling } from '../labelling';
import { listItem } from '../filter';
import { runPath } from '../router';
import type { EvItem } from '../transcript';
import { KindMark, OutcomeMark, SeverityMark } from './marks';
import { evSpans } from './message';
import { FoldedText } from './textpart';
import { Tree } from './tree';
import { clip, visible } from '../text';
import { NO_MARKS, Words } from './words';

const LABELS_SHOWN = 20;
const MOST_OF_FIELD = 4000; /* characters */

type Now = { finding: string; index: number } | null;

const WORD = { pass: 'Passed', fail: 'Failed', unknown: 'Outcome unknown' };
const scoreValue = (score: Score) =>
    score.value == null
        ? DASH
        : typeof score.value === 'string'
          ? score.value
          : typeof score.value === 'number'
            ? String(score.value)
            : JSON.stringify(score.value);

const asObject = (value: Json | undefined) => (value && typeof value === 'object' && !Array.isArray(value) ? value : null);

/** Its fields, without names where one stands alone, then its note. */
function inWords(value: Record<string, Json>): string {
    const { note, evidence: _, ...fields } = value;
    if (fields.strength === 'clear') delete fields.strength;
    const all = Object.entries(fields).map(([name, field]) => [name, typeof field === 'string' ? field : JSON.stringify(field)]);
    const said = all.length === 1 ? all[0]![1]! : all.map(pair => pair.join(' ')).join(', ');
    return [said, typeof note === 'string' ? note : ''].filter(Boolean).join('; ');
}

/** A label in words: its note, or its value as it stands; and the words that it is about, one click away. */
function LabelLine({ run, label }: { run: RunDetail; label: Label }): JSX.Element {
    const value = asObject(label.value);
    const about = asObject(value?.evidence);
    const said = value ? inWords(value) : label.value;
    const transcript = run.transcripts.find(t => t.id === String(about?.transcript ?? ''))?.position ?? 0;
    const span = `:${encodeURIComponent(String(about?.part))}:${about?.start}-${about?.end}`;
    return (
        <div class="run-error">
            <b>{label.set}</b>{' '}
            <span class="sub">
                {visible(typeof said === 'string' ? said : JSON.stringify(said))}
                {label.who && ` (${label.who})`}{' '}
                {about && typeof about.message === 'number' && (
                    <a href={runPath(run.id, { message: about.message, transcript }) + span}>
                        M{about.message}
                        {typeof about.quote === 'string' && about.quote && ` “${visible(about.quote.slice(0, 80))}”`}
                    </a>
                )}
            </span>
        </div>
    );
}

export function RunHead({
    run,
    runs,
    findings,
    fields,
    now,
    onGo,
    onRaw,
    markdown,
    onMarkdown,
    labels,
    judgments,
}: {
    run: RunDetail;
    /** Where the list of runs is. */
    runs: string;
    findings: Finding[];
    /** Evidence that stands in fields of the run. */
    fields: EvItem[];
    now: Now;
    onGo: (finding: string, index: number) => void;
    onRaw: () => void;
    markdown: boolean;
    onMarkdown: () => void;
    /** Those that may be seen. */
    labels: Label[];
    judgments: ComponentChildren;
}): JSX.Element {
    const [more, setMore] = useState(false);
    const [whole, setWhole] = useState(false);
    /** A field of the run with the evidence that stands in it. */
    const field = (part: string, text: string | null | undefined): ComponentChildren => {
        if (text == null || text === '') return null;
        const mine = fields.filter(item => item.evidence.part === part);
        if (!mine.length) return clip(text, whole ? MOST_OF_FIELD : 160);
        const marks = { evidence: evSpans(text, mine, now), hits: [] };
        if (text.length > MOST_OF_FIELD) return <FoldedText id={part} text={text} look="brief" marks={marks} />;
        return <Words text={text} marks={marks} onFinding={onGo} />;
    };
    const [first, ...others] = run.scores;
    const long = run.scores.filter(score => score.explanation);
    const outcome = run.success == null ? 'unknown' : run.success ? 'pass' : 'fail';
    const attempt = run.attempt != null ? `, attempt ${run.attempt}` : '';
    const label = (score: Score, word: string) => (run.scores.length > 1 ? `${clip(score.name ?? 'score', 80)} ${word}` : word);
    const facts: [string, ComponentChildren][] = [
        ['model', run.model == null ? DASH : clip(run.model)],
        ['agent', run.agent && clip(run.agent)],
        ['messages', num(run.messages)],
        ['tool calls', num(run.tool_calls)],
        ...run.scores.flatMap((score): [string, ComponentChildren][] => [
            [label(score, 'expected'), field(`score:${score.name}.target`, score.target)],
            [label(score, 'answered'), field(`score:${score.name}.answer`, score.answer)],
        ]),
        ...others.map((score): [string, ComponentChildren] => [
            clip(score.name ?? 'score', 80),
            field(`score:${score.name}.value`, scoreValue(score)),
        ]),
        ['exit', field('run.exit_status', run.exit_status)],
        ['limit', field('run.limit', run.limit)],
        ['tokens', run.tokens_in == null && run.tokens_out == null ? DASH : num((run.tokens_in ?? 0) + (run.tokens_out ?? 0))],
        ['cost', cost(run.cost_usd)],
        ['duration', duration(run.duration_ms)],
        ['started', run.started_at && time(run.started_at)],
        ['source', clip([run.source.file, run.source.location].filter(Boolean).join(', ')) || DASH],
    ];
    return (
        <section class="rhead" aria-label="Run">
            <h1>
                <OutcomeMark success={run.success} />
                {WORD[outcome]}
                {first && (
                    <span class="dim">
                        {clip(first.name ?? '', 80)} {field(`score:${first.name}.value`, scoreValue(first))}
                    </span>
                )}
                {run.task_id != null && (
                    <small>
                        task{' '}
                        <a class="ink" href={runs + '?' + new URLSearchParams({ task: listItem(run.task_id) })}>
                            {clip(run.task_id, 120)}
                        </a>
                        {attempt}
                    </small>
                )}
                <small class="mono">{clip(runLabel(run), 120)}</small>
            </h1>
            {run.gist && (
                <p class={`task${whole ? '' : ' one'}`}>
                    <button
                        class="as-text"
                        type="button"
                        aria-expanded={whole}
                        title={whole ? 'show less' : 'show all'}
                        onClick={() => setWhole(!whole)}
                    >
                        {visible(run.gist)}
                    </button>
                </p>
            )}
            <p class="facts">
                {facts
                    .filter(([, value]) => value != null && value !== '')
                    .map(([name, value], i) => (
                        <span key={i}>
                            {name} <b>{value}</b>
                        </span>
                    ))}
            </p>
            {run.error && (
                <div class="run-error">
                    <b>error</b>{' '}
                    <span class="err-text">
                        <FoldedText
                            id="run.error"
                            text={run.error}
                            look="output"
                            marks={{
                                ...NO_MARKS,
                                evidence: evSpans(
                                    run.error,
                                    fields.filter(item => item.evidence.part === 'run.error'),
                                    now,
                                ),
                            }}
                        />
                    </span>
                </div>
            )}
            {long.map(score => (
                <div class="run-error" key={score.name}>
                    <b>{clip(score.name ?? 'score', 80)}</b>{' '}
                    <span class="sub">
                        <FoldedText
                            id={`score:${score.name}`}
                            text={score.explanation!}
                            look="brief"
                            marks={{
                                ...NO_MARKS,
                                evidence: evSpans(
                                    score.explanation!,
                                    fields.filter(item => item.evidence.part === `score:${score.name}.explanation`),
                                    now,
                                ),
                            }}
                        />
                    </span>
                </div>
            ))}
            {run.incomplete.map(row => (
                <div class="run-error" key={row.detector}>
                    <b>not finished</b>{' '}
                    <span class="sub">
                        {row.detector}: {visible(row.reason ?? '')}
                    </span>
                </div>
            ))}
            {labels.slice(0, LABELS_SHOWN).map((label, i) => (
                <LabelLine key={i} run={run} label={label} />
            ))}
            {labels.length > LABELS_SHOWN && <p class="dim">and {count(labels.length - LABELS_SHOWN, 'more label')}</p>}
            {judgments}
            <Chips run={run.id} findings={findings} now={now} onGo={onGo}>
                {Object.keys(run.metadata ?? {}).length > 0 && (
                    <button class="btn btn-bare" type="button" aria-expanded={more} onClick={() => setMore(!more)}>
                        Metadata
                    </button>
                )}
                <button data-need="review" class="btn btn-bare" type="button" title="key l" onClick={() => setLabelling({ open: true })}>
                    Label
                </button>
                <button class="btn btn-bare" type="button" title="key m" aria-pressed={markdown} onClick={onMarkdown}>
                    Markdown
                </button>
                <button class="btn btn-bare" type="button" onClick={onRaw}>
                    Raw JSON
                </button>
            </Chips>
            {run.tags.length > 0 && (
                <p class="tags">
                    {run.tags.map(tag => (
                        <span class="tag" key={tag}>
                            {clip(tag, 80)}
                        </span>
                    ))}
                </p>
            )}
            {more && (
                <div class="meta-tree">
                    <Tree value={run.metadata} label="Metadata" />
                </div>
            )}
        </section>
    );
}

const MOST_CHIPS = 14;

function Chips({
    run,
    findings,
    now,
    onGo,
    children,
}: {
    run: string;
    findings: Finding[];
    now: Now;
    onGo: (finding: string, index: number) => void;
    children: ComponentChildren;
}): JSX.Element {
    const [all, setAll] = useState(false);
    // What was seen several times is one chip; each press goes on to the next.
    const groups: Finding[][] = [];
    for (const finding of findings) {
        const group = groups.find(
            ([first]) => first!.behavior === finding.behavior && first!.kind === finding.kind && first!.scope === finding.scope,
        );
        if (group) group.push(finding);
        else groups.push([finding]);
    }
    const shown = all
        ? groups
        : groups.filter((group, i) => i < MOST_CHIPS || group.some(finding => finding.id === now?.finding));
    return (
        <div class="chips" role="group" aria-label="Findings">
            {shown.map(group => {
                const at = group.findIndex(finding => finding.id === now?.finding);
                const finding = group[Math.max(0, at)]!;
                return (
                    <button
                        key={group[0]!.id}
                        type="button"
                        class={`chip${group.every(f => f.status === 'dismissed') ? ' dis' : ''}`}
                        aria-current={at >= 0 ? 'true' : undefined}
                        title={`${visible(finding.title)}${finding.status === 'open' ? '' : `, ${finding.status}`}`}
                        onClick={() => onGo(group[(at + 1) % group.length]!.id, 0)}
                    >
                        <KindMark kind={finding.kind} label />
                        {finding.behavior}
                        {group.length > 1 && <span class="dim">{num(group.length)}</span>}
                        {finding.scope !== 'run' && <span class="dim">{finding.scope}</span>} <SeverityMark severity={finding.severity} />
                        <small>{addresses(group.flatMap(f => f.evidence.filter(e => e.run == null || e.run === run)))}</small>
                    </button>
                );
            })}
            {shown.length < groups.length && (
                <button class="more" type="button" onClick={() => setAll(true)}>
                    {num(groups.length - shown.length)} more
                </button>
            )}
            {!findings.length && <span class="dim">nothing was found in this run</span>}
            {children}
        </div>
    );
}

const MOST_DOTS = 40; /* attempts of one model before the rest becomes a link */

export function SameTask({ run, runs }: { run: RunDetail; runs: string }): JSX.Element | null {
    const all = run.siblings;
    if (all.length < 2) return null;
    const models = [...new Set(all.map(s => s.model))];
    const passed = all.filter(s => s.success === true).length;
    const graded = all.filter(s => s.success != null).length;
    // Side by side says most where the outcome differs and the model does not.
    const others = all.filter(s => s.id !== run.id);
    const differs = others.filter(s => s.success != null && run.success != null && s.success !== run.success);
    const other = differs.find(s => s.model === run.model) ?? differs[0] ?? others.find(s => s.model === run.model) ?? others[0];
    const list = (model: string | null) =>
        runs + '?' + new URLSearchParams({ task: listItem(run.task_id ?? ''), ...(model ? { model: listItem(model) } : {}) });
    return (
        <nav class="strip" aria-label="Same task">
            <b>Same task</b>
            {models.map(model => {
                const attempts = all.filter(s => s.model === model).sort((a, b) => (a.attempt ?? 0) - (b.attempt ?? 0));
                const shown = attempts.slice(0, MOST_DOTS);
                return (
                    <span class="att" key={model}>
                        {model == null ? 'unknown model' : clip(model, 80)}{' '}
                        <span class="dots">
                            {shown.map((s, i) => (
                                <a
                                    key={s.id}
                                    href={runPath(s.id)}
                                    aria-current={s.id === run.id ? 'true' : undefined}
                                    title={`${clip(s.external_id ?? s.id)}${s.flagged ? ', flagged' : ''}`}
                                    aria-label={`attempt ${s.attempt ?? i + 1}: ${s.success == null ? 'unknown' : s.success ? 'passed' : 'failed'}${s.flagged ? ', flagged' : ''}`}
                                >
                                    <OutcomeMark success={s.success} />
                                </a>
                            ))}
                        </span>
                        {attempts.length > shown.length && <a href={list(model)}>{num(attempts.length - shown.length)} more</a>}
                    </span>
                );
            })}
            {other && (
                <a class="btn btn-bare" href={'/compare?' + new URLSearchParams({ a: run.id, b: other.id })}>
                    Compare with {other.success == null || other.success === run.success ? 'another attempt' : other.success ? 'one that passed' : 'one that failed'}
                </a>
            )}
            <span>{graded ? `${num(passed)} of ${num(graded)} passed` : count(all.length, 'attempt')}</span>
        </nav>
    );
}
