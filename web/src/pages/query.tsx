// SQL over the documented views: written with completion, kept under a name, shown as table or chart, taken along.
import type { JSX } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { ApiError } from '../api';
import { saveFile } from '../file';
import { bytes, count, num } from '../format';
import { keyLabel, useKeys } from '../keys';
import { Chart, chartColumns, chartPng, chartProblem, guessChart } from '../parts/chart';
import { Editor, type EditorHandle } from '../parts/editor';
import { QuerySide } from '../parts/queryside';
import { Dialog, DialogHead, Failure, toast, toastError } from '../parts/say';
import { Shell } from '../parts/shell';
import { SqlTable } from '../parts/sqltable';
import {
    completeSql,
    EXAMPLES,
    parameterValue,
    parametersOf,
    problemOf,
    querying,
    readHistory,
    remember,
    toCsv,
    toJson,
    type ChartSpec,
    type SavedQuery,
    type SqlAnswer,
} from '../querying';
import { go, usePlace } from '../router';
import { useMay, useSession } from '../session';
import { asApiError, useAsk, useTitle } from '../use';

/** What is asked, as the address has it. */
interface Ask {
    text: string;
    /** As they were typed, in the order of parametersOf. */
    params: string[];
    limit: number;
}

interface Result {
    of: Ask;
    answer?: SqlAnswer;
    error?: ApiError;
    ms: number;
}

const LIMITS = [1000, 10_000, 100_000];
const MOST_IN_ADDRESS = 6000; /* characters of a query that is part of the link */

function readAsk(query: URLSearchParams): Ask | null {
    const text = query.get('q');
    if (!text) return null;
    const limit = Number(query.get('limit'));
    return { text, params: query.getAll('p'), limit: LIMITS.includes(limit) ? limit : LIMITS[0]! };
}

function readChart(query: URLSearchParams): ChartSpec | null {
    const type = query.get('chart');
    const [x, y] = [query.get('x'), query.get('y')];
    return (type === 'bar' || type === 'line' || type === 'heat') && x != null && y != null ? { type, x, y, by: query.get('by') } : null;
}

function addressOf(ask: Ask, chart: ChartSpec | null, saved: string | null): string {
    const query = new URLSearchParams();
    if (saved) query.set('saved', saved);
    if (ask.text.length <= MOST_IN_ADDRESS) query.set('q', ask.text);
    for (const value of ask.params) query.append('p', value);
    if (ask.limit !== LIMITS[0]) query.set('limit', String(ask.limit));
    if (chart) {
        query.set('chart', chart.type);
        query.set('x', chart.x);
        query.set('y', chart.y);
        if (chart.by != null) query.set('by', chart.by);
    }
    return '/query?' + query;
}

export function QueryPage(): JSX.Element {
    const { query } = usePlace();
    const first = useMemo(() => readAsk(query), []);
    const [text, setText] = useState(() => first?.text ?? readHistory()[0]?.text ?? EXAMPLES[0]!.text);
    const [typed, setTyped] = useState<string[]>(first?.params ?? []);
    const [limit, setLimit] = useState(first?.limit ?? LIMITS[0]!);
    const [ask, setAsk] = useState<Ask | null>(first);
    const [turn, setTurn] = useState(0);
    const [result, setResult] = useState<Result | null>(null);
    const [running, setRunning] = useState<AbortController | null>(null);
    const [history, setHistory] = useState(readHistory);
    const [saving, setSaving] = useState(false);
    const editor = useRef<EditorHandle | null>(null);
    const schema = useAsk('sql schema', signal => querying.schema(signal));
    const kept = useAsk('queries', signal => querying.saved(signal));
    const chart = readChart(query);
    const savedId = query.get('saved');
    const saved = kept.data?.items.find(q => q.id === savedId);
    useTitle(saved ? saved.name : 'Query');

    const names = useMemo(() => parametersOf(text), [text]);
    const run = () => {
        if (!text.trim()) return;
        const next: Ask = { text, params: names.map((_, i) => typed[i] ?? ''), limit };
        setAsk(next);
        setTurn(n => n + 1);
        go(addressOf(next, chart, savedId), ask != null && ask.text === text);
    };
    const show = (next: { text: string; chart?: ChartSpec | null; id?: string }) => {
        const params = parametersOf(next.text).map(() => '');
        setText(next.text);
        setTyped(params);
        const asked: Ask = { text: next.text, params, limit };
        // With parameters to fill in there is nothing to ask yet.
        setAsk(params.length ? null : asked);
        setTurn(n => n + 1);
        go(addressOf(asked, next.chart ?? null, next.id ?? null));
    };

    // A link, or Back, brings another query.
    useEffect(() => {
        const given = readAsk(query);
        if (!given || given.text === ask?.text || given.text === text) return;
        setText(given.text);
        setTyped(given.params);
        setLimit(given.limit);
        setAsk(given);
    }, [query]);
    useEffect(() => {
        if (saved && !query.get('q')) show({ text: saved.text, chart: saved.chart, id: saved.id });
    }, [saved]);

    // Asking is a POST, and of somebody who signed in that needs what the session says.
    const known = useSession() !== undefined;
    useEffect(() => {
        if (!ask || !known) return;
        const stop = new AbortController();
        const began = performance.now();
        setRunning(stop);
        querying
            .run(ask.text, ask.params.map(parameterValue), ask.limit, stop.signal)
            .then(
                answer => {
                    const ms = performance.now() - began;
                    setResult({ of: ask, answer, ms });
                    setHistory(remember({ text: ask.text, when: new Date().toISOString(), rows: answer.rows.length, ms }));
                },
                (e: unknown) => {
                    if (!stop.signal.aborted) setResult({ of: ask, error: asApiError(e), ms: performance.now() - began });
                },
            )
            .finally(() => setRunning(now => (now === stop ? null : now)));
        return () => stop.abort();
    }, [ask, turn, known]);

    const mayKeep = useMay('review', 'all');
    useKeys('Query', [
        { key: 'mod+Enter', does: 'run the query', typing: true, run },
        // Kept queries are everybody's: a token for some collections keeps none.
        ...(mayKeep === false ? [] : [{ key: 'mod+s', does: 'keep the query under a name', typing: true, need: 'review' as const, run: () => setSaving(true) }]),
        { key: 'e', does: 'go to the editor', run: () => editor.current?.focus() },
    ]);
    const problem = result?.error && result.of.text === text ? problemOf(result.error.message) : null;
    const problems = useMemo(() => (problem ? [problem] : []), [problem?.message, problem?.line, problem?.column]);
    const limits = schema.data?.limits;

    return (
        <Shell tab="query">
            <main id="main" class="query-page">
                <div class="title-row">
                    <h1 class="page-title">Query</h1>
                    {saved && <span class="sub one">{saved.name}</span>}
                </div>
                <div class="query-grid">
                    <QuerySide
                        schema={schema}
                        saved={kept}
                        current={saved?.id}
                        history={history}
                        show={show}
                        insert={name => editor.current?.insert(name)}
                        removed={id => savedId === id && go(addressOf({ text, params: typed, limit }, chart, null), true)}
                    />
                    <div class="query-main">
                        <section class="panel" aria-label="The query">
                            <Editor
                                value={text}
                                onChange={setText}
                                language="sql"
                                label="SQL"
                                rows={6}
                                complete={(all, at) => completeSql(schema.data, all, at)}
                                problems={problems}
                                onRun={run}
                                handle={handle => void (editor.current = handle)}
                            />
                            {names.length > 0 && (
                                <div class="params">
                                    {names.map((name, i) => (
                                        <label key={name + i}>
                                            <code>{name}</code>
                                            <span class="input">
                                                <input
                                                    value={typed[i] ?? ''}
                                                    placeholder="NULL"
                                                    spellcheck={false}
                                                    onInput={event => {
                                                        const next = names.map((_, k) => typed[k] ?? '');
                                                        next[i] = event.currentTarget.value;
                                                        setTyped(next);
                                                    }}
                                                    onKeyDown={event => event.key === 'Enter' && run()}
                                                />
                                            </span>
                                        </label>
                                    ))}
                                </div>
                            )}
                            <div class="run-bar">
                                {running ? (
                                    <button class="btn" type="button" onClick={() => running.abort()}>
                                        Cancel
                                    </button>
                                ) : (
                                    <button class="btn btn-main" type="button" disabled={!text.trim()} onClick={run}>
                                        Run <kbd aria-hidden="true">{keyLabel('mod+Enter')}</kbd>
                                    </button>
                                )}
                                <label class="dim">
                                    at most{' '}
                                    <select value={limit} onChange={event => setLimit(Number(event.currentTarget.value))}>
                                        {LIMITS.map(n => (
                                            <option key={n} value={n}>
                                                {num(n)} rows
                                            </option>
                                        ))}
                                    </select>
                                </label>
                                <button data-need="review" data-need-all class="btn end" type="button" disabled={!text.trim()} onClick={() => setSaving(true)}>
                                    {saved ? 'Save' : 'Save as'} <kbd aria-hidden="true">{keyLabel('mod+s')}</kbd>
                                </button>
                            </div>
                        </section>
                        <Answer result={result} running={running != null} chart={chart} goTo={(line, column) => editor.current?.goTo(line, column)} setChart={next => go(addressOf(ask ?? { text, params: typed, limit }, next, savedId), true)} />
                        {limits && (
                            <p class="dim note-line">
                                Only SELECT on the views, for at most {limits.seconds} s, {bytes(limits.memory_bytes)} of memory and{' '}
                                {bytes(limits.value_bytes)} a value; an answer has at most {bytes(limits.answer_bytes)}.
                            </p>
                        )}
                    </div>
                </div>
                {saving && (
                    <SaveDialog
                        text={text}
                        chart={chart}
                        saved={saved}
                        onClose={() => setSaving(false)}
                        onSaved={query => {
                            setSaving(false);
                            kept.again();
                            toast(`“${query.name}” is kept`);
                            go(addressOf({ text, params: typed, limit }, chart, query.id), true);
                        }}
                    />
                )}
            </main>
        </Shell>
    );
}

type View = 'table' | ChartSpec['type'];
const VIEWS: [View, string][] = [
    ['table', 'Table'],
    ['bar', 'Bars'],
    ['line', 'Lines'],
    ['heat', 'Heat map'],
];

function Answer({
    result,
    running,
    chart,
    setChart,
    goTo,
}: {
    result: Result | null;
    running: boolean;
    chart: ChartSpec | null;
    setChart: (chart: ChartSpec | null) => void;
    goTo: (line: number, column: number) => void;
}): JSX.Element {
    const panel = useRef<HTMLElement>(null);
    if (!result)
        return (
            <section class="panel" aria-label="The result" aria-busy={running}>
                <p class="none-yet">{running ? 'Asking.' : 'Nothing has been asked yet: write a query, or take one of those beside it.'}</p>
            </section>
        );
    const { answer, error } = result;
    if (error) {
        const problem = problemOf(error.message);
        return (
            <section class="panel pad" aria-label="The result" aria-busy={running}>
                <Failure error={error} what="The query was not answered." />
                {problem && (
                    <button class="btn" type="button" onClick={() => goTo(problem.line, problem.column ?? 1)}>
                        Go to line {problem.line}, column {problem.column}
                    </button>
                )}
            </section>
        );
    }
    if (!answer) return <></>;
    const stem = 'query';
    const saveAs = (kind: string, content: string, type: string) => saveFile(`${stem}.${kind}`, new Blob([content], { type }));
    const wrong = chart && chartProblem(answer, chart);
    return (
        <section class="panel" aria-label="The result" aria-busy={running} ref={panel}>
            <header>
                <div class="seg" role="group" aria-label="Show the result as">
                    {VIEWS.map(([view, name]) => {
                        const guess = view === 'table' ? null : chart?.type === view ? chart : guessChart(answer, view);
                        return (
                            <button
                                key={view}
                                class="btn"
                                type="button"
                                aria-pressed={(chart?.type ?? 'table') === view}
                                disabled={view !== 'table' && !guess}
                                title={view === 'table' || guess ? undefined : view === 'heat' ? 'Needs two columns and one of numbers' : 'Needs a column of numbers'}
                                onClick={() => setChart(guess)}
                            >
                                {name}
                            </button>
                        );
                    })}
                </div>
                <span class="sub" aria-live="polite">
                    {running ? 'Asking. ' : ''}
                    {answer.truncated ? `the first ${count(answer.rows.length, 'row')}; there are more` : count(answer.rows.length, 'row')} in{' '}
                    {num(Math.round(result.ms))} ms
                </span>
                <span class="end seg">
                    <button class="btn" type="button" onClick={() => saveAs('csv', toCsv(answer), 'text/csv')}>
                        CSV
                    </button>
                    <button class="btn" type="button" onClick={() => saveAs('json', toJson(answer), 'application/json')}>
                        JSON
                    </button>
                    <button
                        class="btn"
                        type="button"
                        disabled={!chart || wrong != null}
                        title={chart ? undefined : 'Draw a chart first'}
                        onClick={() => {
                            const svg = panel.current?.querySelector<SVGSVGElement>('svg.plot');
                            if (svg) chartPng(svg).then(blob => saveFile(`${stem}.png`, blob), e => toastError('No picture was made.', asApiError(e)));
                        }}
                    >
                        PNG
                    </button>
                </span>
            </header>
            {chart && <ChartChoice answer={answer} chart={chart} setChart={setChart} />}
            {chart ? (
                wrong ? (
                    <p class="none-yet">{wrong}</p>
                ) : (
                    <Chart answer={answer} spec={chart} />
                )
            ) : answer.rows.length ? (
                <SqlTable answer={answer} query={result.of.text} />
            ) : (
                <p class="none-yet">No row is like that. The columns are {answer.columns.join(', ')}.</p>
            )}
        </section>
    );
}

function ChartChoice({ answer, chart, setChart }: { answer: SqlAnswer; chart: ChartSpec; setChart: (chart: ChartSpec) => void }): JSX.Element {
    const { numbers } = chartColumns(answer);
    const all = [...new Set(answer.columns)];
    const heat = chart.type === 'heat';
    const choices: { name: string; value: string | null; options: string[]; none?: boolean; put: (value: string) => ChartSpec }[] = heat
        ? [
              { name: 'columns', value: chart.x, options: all, put: x => ({ ...chart, x }) },
              { name: 'rows', value: chart.y, options: all, put: y => ({ ...chart, y }) },
              { name: 'number', value: chart.by, options: numbers, put: by => ({ ...chart, by }) },
          ]
        : [
              { name: chart.type === 'bar' ? 'a bar for each' : 'along', value: chart.x, options: all, put: x => ({ ...chart, x }) },
              { name: 'number', value: chart.y, options: numbers, put: y => ({ ...chart, y }) },
              { name: 'colour', value: chart.by, options: all, none: true, put: by => ({ ...chart, by: by || null }) },
          ];
    return (
        <div class="chart-choice">
            {choices.map(choice => (
                <label key={choice.name} class="dim">
                    {choice.name}{' '}
                    <select value={choice.value ?? ''} onChange={event => setChart(choice.put(event.currentTarget.value))}>
                        {choice.none && <option value="">none</option>}
                        {choice.options.map(name => (
                            <option key={name} value={name}>
                                {name}
                            </option>
                        ))}
                    </select>
                </label>
            ))}
        </div>
    );
}

function SaveDialog({
    text,
    chart,
    saved,
    onClose,
    onSaved,
}: {
    text: string;
    chart: ChartSpec | null;
    saved: SavedQuery | undefined;
    onClose: () => void;
    onSaved: (query: SavedQuery) => void;
}): JSX.Element {
    const [name, setName] = useState(saved?.name ?? '');
    const [error, setError] = useState<ApiError | null>(null);
    const save = async (id: string | null) => {
        try {
            onSaved(await querying.save(id, { name: name.trim(), text, ...(chart && { chart }) }));
        } catch (e) {
            setError(asApiError(e));
        }
    };
    return (
        <Dialog title="Keep the query" onClose={onClose}>
            <DialogHead title="Keep the query" onClose={onClose} />
            <form
                class="form"
                onSubmit={event => {
                    event.preventDefault();
                    void save(saved?.id ?? null);
                }}
            >
                <label>
                    Name
                    <input type="text" required maxLength={200} value={name} autofocus onInput={event => setName(event.currentTarget.value)} />
                </label>
                <p class="dim">The text is kept, and the chart if one is drawn; everybody who uses this server sees it.</p>
                {error && <Failure error={error} what="It was not kept." />}
                <div class="row">
                    <button class="btn btn-main" type="submit" disabled={!name.trim()}>
                        {saved ? 'Save' : 'Keep'}
                    </button>
                    {saved && (
                        <button class="btn" type="button" disabled={!name.trim() || name.trim() === saved.name} title="Under another name" onClick={() => save(null)}>
                            Save as another
                        </button>
                    )}
                </div>
            </form>
        </Dialog>
    );
}
