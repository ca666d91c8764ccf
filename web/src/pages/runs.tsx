// All runs of a collection: filters, a table that draws only the rows in view, and what can be done with a selection.
import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { api, exportUrl, type Kind, type Run, type Summary } from '../api';
import { askedOf, fieldsOf, termsOf, RUN_KEYS } from '../filter';
import { DASH, KINDS, KIND_NAME, OUTCOME_NAME, bytes, cost, count, duration, num, outcome, percent, runLabel, time } from '../format';
import { useKeys } from '../keys';
import { KindMark, OutcomeMark } from '../parts/marks';
import { QueryBox } from '../parts/query';
import { FailedPage, toast, toastError } from '../parts/say';
import { Shell } from '../parts/shell';
import { useRunRows } from '../rows';
import { go, runPath, usePlace, withQuery } from '../router';
import { visible } from '../text';
import { asApiError, useAsk, useInView, useNarrow, useTitle } from '../use';
import { Gap } from './tasks';

interface Column {
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
const scoreText = (value: unknown) => (value == null ? DASH : typeof value === 'number' ? String(Math.round(value * 1000) / 1000) : typeof value === 'string' ? value : JSON.stringify(value));

const COLUMNS: Column[] = [
    { id: 'outcome', title: 'Outcome', sort: 'success', w: 'w-o', text: r => OUTCOME_NAME[outcome(r.success)],
        cell: r => <span class="mk"><OutcomeMark success={r.success} />{OUTCOME_NAME[outcome(r.success)]}</span> },
    { id: 'run', title: 'Run', sort: 'name', w: 'w-id', cls: 'mono', text: runLabel, cell: r => <a href={runPath(r.id)}>{runLabel(r)}</a> },
    { id: 'what', title: 'Task', sort: 'task', w: '', cls: 'wide', text: r => r.gist, cell: r => <a href={runPath(r.id)} tabIndex={-1}>{visible(r.gist || r.name || r.task_id || DASH)}</a> },
    { id: 'findings', title: 'Findings', sort: 'findings', w: 'w-f', cls: 'mkc', text: r => KINDS.reduce((n, kind) => n + r.findings[kind], 0), cell: findingsCell },
    { id: 'model', title: 'Model', sort: 'model', w: 'w-m', cls: 'r2', text: r => r.model, cell: r => r.model ?? <span class="dim">{DASH}</span> },
    { id: 'score', title: 'Score', w: 'w-n', cls: 'num hide opt', text: r => scoreText(firstScore(r)?.value), cell: r => scoreText(firstScore(r)?.value) },
    { id: 'messages', title: 'Msgs', sort: 'messages', w: 'w-n', cls: 'num r2b', text: r => r.messages, cell: r => num(r.messages) },
    { id: 'calls', title: 'Calls', sort: 'calls', w: 'w-n', cls: 'num hide opt', text: r => r.tool_calls, cell: r => num(r.tool_calls) },
    { id: 'exit', title: 'Exit', w: 'w-x', cls: 'hide opt', text: r => r.exit_status, cell: r => r.exit_status ?? <span class="dim">{DASH}</span> },
    { id: 'task_id', title: 'Task id', sort: 'task', w: 'w-x', cls: 'hide mono', text: r => r.task_id, cell: r => r.task_id ?? DASH },
    { id: 'attempt', title: 'Attempt', sort: 'attempt', w: 'w-n', cls: 'hide num', text: r => r.attempt, cell: r => num(r.attempt) },
    { id: 'agent', title: 'Agent', w: 'w-x', cls: 'hide', text: r => r.agent, cell: r => r.agent ?? DASH },
    { id: 'duration', title: 'Duration', sort: 'duration', w: 'w-d', cls: 'hide num', text: r => r.duration_ms, cell: r => duration(r.duration_ms) },
    { id: 'tokens', title: 'Tokens', sort: 'tokens', w: 'w-d', cls: 'hide num', text: r => sum(r.tokens_in, r.tokens_out), cell: r => num(sum(r.tokens_in, r.tokens_out)) },
    { id: 'cost', title: 'Cost', sort: 'cost', w: 'w-d', cls: 'hide num', text: r => r.cost_usd, cell: r => cost(r.cost_usd) },
    { id: 'started', title: 'Started', sort: 'started_at', w: 'w-x', cls: 'hide', text: r => r.started_at, cell: r => time(r.started_at) },
    { id: 'tags', title: 'Tags', w: 'w-x', cls: 'hide', text: r => r.tags.join(' '), cell: r => r.tags.map(tag => <span class="tag" key={tag}>{tag}</span>) },
    { id: 'source', title: 'Source', w: 'w-m', cls: 'hide mono', text: r => [r.source.file, r.source.location].filter(Boolean).join(' '), cell: r => [r.source.file, r.source.location].filter(Boolean).join(' ') || DASH },
];
const sum = (a: number | null, b: number | null) => (a == null && b == null ? null : (a ?? 0) + (b ?? 0));
const STANDARD = ['outcome', 'run', 'what', 'findings', 'model', 'score', 'messages', 'calls', 'exit'];

function findingsCell(run: Run): ComponentChildren {
    const first = run.first_finding;
    if (!first) return <span class="dim">none</span>;
    const further = KINDS.flatMap(kind => Array<Kind>(run.findings[kind] - (kind === first.kind ? 1 : 0)).fill(kind)).slice(0, 4);
    return (
        <span class="mk">
            <KindMark kind={first.kind} /><a href={runPath(run.id, { finding: first.id, message: first.evidence[0]?.message, transcript: first.evidence[0]?.position })} title={first.title} tabIndex={-1}>{first.behavior}</a>
            {further.map((kind, i) => <KindMark key={i} kind={kind} label={KIND_NAME[kind]} />)}
        </span>
    );
}

function metaColumn(key: string): Column {
    const value = (run: Run) => scoreText(run.metadata[key]);
    return { id: 'meta.' + key, title: key, w: 'w-x', cls: 'hide', text: value, cell: value };
}

export function RunsPage({ name }: { name: string }): JSX.Element {
    useTitle(`Runs of ${name}`);
    const { query } = usePlace();
    const summary = useAsk('summary ' + name, signal => api.summary(name, signal));
    const asked = askedOf(query, RUN_KEYS);
    const sort = query.get('sort') ?? '';
    if (sort) asked.set('sort', sort);
    const rows = useRunRows(name, asked.toString());
    const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
    const [cursor, setCursor] = useState(0);
    const metaKeys = useMemo(() => [...new Set(rows.items.slice(0, 200).flatMap(run => Object.keys(run.metadata)))].sort(), [rows.items]);
    const columns = (query.get('cols')?.split(',') ?? STANDARD)
        .map(id => COLUMNS.find(column => column.id === id) ?? (id.startsWith('meta.') ? metaColumn(id.slice(5)) : null)).filter(column => column != null);

    useEffect(() => setCursor(0), [asked.toString()]);
    const toggle = (id: string) => setSelected(before => {
        const next = new Set(before);
        if (!next.delete(id)) next.add(id);
        return next;
    });
    const move = (step: number) => setCursor(at => Math.max(0, Math.min(rows.items.length - 1, at + step)));
    useKeys('Runs', [
        { key: 'j', does: 'next run', run: () => move(1) },
        { key: 'k', does: 'previous run', run: () => move(-1) },
        { key: 'x', does: 'select the run', run: () => rows.items[cursor] && toggle(rows.items[cursor].id) },
        { key: 'o', does: 'open the run', run: () => rows.items[cursor] && go(runPath(rows.items[cursor].id)) },
        ...(selected.size ? [{ key: 'Escape', does: 'clear the selection', run: () => setSelected(new Set()) }] : []),
    ]);

    if (rows.error && !rows.items.length && rows.error.status === 404) return <Shell><FailedPage error={rows.error} again={rows.again} /></Shell>;
    const terms = termsOf(query, RUN_KEYS);
    return (
        <Shell collection={summary.data?.collection} name={name} tab="runs">
            <main id="main" class="runs">
                <h1 class="sr">Runs of {name}</h1>
                <Facets summary={summary.data} query={query} set={terms.length} />
                <div class="list">
                    <div class="qbar">
                        <div class="row">
                            <QueryBox fields={fieldsOf(summary.data, RUN_KEYS, 'runs')} query={query} label="Query runs" unit="runs" refused={rows.error?.message} />
                            <Columns chosen={columns.map(column => column.id)} metaKeys={metaKeys} />
                            {summary.data && <Export id={summary.data.collection.id} />}
                        </div>
                        <Count rows={rows} summary={summary.data} filtered={terms.length > 0 || query.has('q')} sort={sort} />
                    </div>
                    <Table rows={rows} columns={columns} sort={sort} cursor={cursor} selected={selected} toggle={toggle} setSelected={setSelected} />
                    {selected.size > 0 && <Selection ids={selected} runs={rows.items} columns={columns} clear={() => setSelected(new Set())} again={rows.again} />}
                </div>
            </main>
        </Shell>
    );
}

type Rows = ReturnType<typeof useRunRows>;

function Count({ rows, summary, filtered, sort }: { rows: Rows; summary?: Summary; filtered: boolean; sort: string }): JSX.Element {
    const total = rows.total ?? (rows.next ? null : rows.items.length);
    return (
        <p class="count" aria-live="polite">
            <span><b>{total == null ? `${num(rows.items.length)} or more` : num(total)}</b>{filtered && summary ? ` of ${num(summary.runs)}` : ''} runs</span>
            {!filtered && summary && summary.passed + summary.failed > 0 && <span><OutcomeMark success label /> {num(summary.passed)} passed, {percent(summary.pass_rate?.value)} %</span>}
            {!filtered && summary && KINDS.filter(kind => summary.kinds[kind].runs).map(kind => <span key={kind}><KindMark kind={kind} label={KIND_NAME[kind]} /> {num(summary.kinds[kind].runs)}</span>)}
            <span>{sort ? `sorted by ${sort.replace(/^-/, '').replace('_', ' ')}, ` : ''}{rows.loading && rows.items.length ? 'loading …' : `${Math.round(rows.ms)} ms`}</span>
        </p>
    );
}

function Table({ rows, columns, sort, cursor, selected, toggle, setSelected }: {
    rows: Rows; columns: Column[]; sort: string; cursor: number; selected: ReadonlySet<string>; toggle: (id: string) => void; setSelected: (ids: ReadonlySet<string>) => void;
}): JSX.Element {
    const narrow = useNarrow();
    const height = narrow ? 124 : 28;
    const total = Math.max(rows.total ?? 0, rows.items.length);
    const offsets = useMemo(() => Float64Array.from({ length: total + 1 }, (_, i) => i * height), [total, height]);
    const body = useRef<HTMLTableSectionElement>(null);
    const [from, until] = useInView(body, offsets);
    // Other rows begin at the top.
    const before = useRef(rows.key);
    useLayoutEffect(() => {
        const scroller = body.current?.closest<HTMLElement>('.dense-x');
        if (before.current !== rows.key && scroller) scroller.scrollTop = 0;
        before.current = rows.key;
    }, [rows.key]);
    useEffect(() => rows.want(until), [until, rows.items.length, rows.next]);
    useEffect(() => {
        const scroller = body.current?.closest<HTMLElement>('.dense-x');
        if (!scroller || narrow || !rows.items.length) return;
        const top = cursor * height;
        if (top < scroller.scrollTop) scroller.scrollTop = top;
        else if (top + height * 2 > scroller.scrollTop + scroller.clientHeight) scroller.scrollTop = top + height * 2 - scroller.clientHeight;
    }, [cursor]);
    const last = useRef(0);
    const click = (event: MouseEvent, i: number) => {
        if (event.shiftKey) {
            const [a, b] = [Math.min(i, last.current), Math.max(i, last.current)];
            setSelected(new Set([...selected, ...rows.items.slice(a, b + 1).map(run => run.id)]));
        } else {
            toggle(rows.items[i]!.id);
        }
        last.current = i;
    };
    const loaded = rows.items;
    return (
        <div class="dense-x" tabIndex={narrow ? undefined : 0} role="region" aria-label="Runs">
            <table class="dense" aria-label="Runs" aria-rowcount={total + 1} aria-busy={rows.loading}>
                <thead>
                    <tr>
                        <th class="w-c"><input type="checkbox" aria-label="Select all loaded runs" checked={selected.size > 0 && selected.size >= loaded.length} onChange={event => setSelected(event.currentTarget.checked ? new Set(loaded.map(run => run.id)) : new Set())} /></th>
                        {columns.map(column => <Head key={column.id} column={column} sort={sort} />)}
                    </tr>
                </thead>
                <tbody ref={body}>
                    {from > 0 && <Gap rows={from} height={height} />}
                    {Array.from({ length: until - from }, (_, k) => {
                        const i = from + k;
                        const run = loaded[i];
                        if (!run) return <tr key={i} class="row" aria-rowindex={i + 2}><td colSpan={columns.length + 1} class="dim">…</td></tr>;
                        return (
                            <tr key={run.id} aria-rowindex={i + 2} class={`row${selected.has(run.id) ? ' sel' : ''}${i === cursor ? ' cur' : ''}`}>
                                <td class="hide"><input type="checkbox" aria-label={`Select ${runLabel(run)}`} checked={selected.has(run.id)} onClick={event => click(event, i)} /></td>
                                {columns.map(column => <td key={column.id} class={column.cls} title={titleOf(column, run)}>{column.cell(run)}</td>)}
                            </tr>
                        );
                    })}
                    {until < total && <Gap rows={total - until} height={height} />}
                </tbody>
            </table>
            {!rows.loading && !loaded.length && !rows.error && <p class="none-yet">No run is like that. <a href={location.pathname}>Show all runs</a></p>}
        </div>
    );
}

function titleOf(column: Column, run: Run): string | undefined {
    const text = column.text(run);
    return column.id === 'outcome' || column.id === 'findings' || text == null ? undefined : String(text);
}

function Head({ column, sort }: { column: Column; sort: string }): JSX.Element {
    const num = column.cls?.includes('num') ? ' num' : '';
    const opt = column.cls?.includes('opt') ? ' opt' : '';
    if (!column.sort) return <th class={column.w + num + opt}>{column.title}</th>;
    const up = sort === column.sort;
    const down = sort === '-' + column.sort;
    // The first click on a column of counts shows the most, on a column of words the start of the alphabet.
    const most = ['success', 'name', 'task', 'model', 'attempt'].includes(column.sort) ? column.sort : '-' + column.sort;
    const next = up || down ? ((up && most === sort) || (down && most === sort) ? (up ? '-' : '') + column.sort : '') : most;
    return (
        <th class={column.w + num + opt} aria-sort={up ? 'ascending' : down ? 'descending' : undefined}>
            <a href={withQuery({ sort: next })}>{column.title}{up ? ' ↑' : down ? ' ↓' : ''}</a>
        </th>
    );
}

/* ---- facets --------------------------------------------------------------------------------------------------------- */

const FACETS: { field: string; title: string }[] = [
    { field: 'success', title: 'Outcome' }, { field: 'kind', title: 'Kind' }, { field: 'behavior', title: 'Behaviour' }, { field: 'model', title: 'Model' },
    { field: 'exit_status', title: 'Exit status' }, { field: 'tag', title: 'Tag' }, { field: 'format', title: 'Format' },
];
const ORDER: Record<string, string[]> = { success: ['true', 'false', 'unknown'], kind: KINDS };

function Facets({ summary, query, set }: { summary?: Summary; query: URLSearchParams; set: number }): JSX.Element {
    const narrow = useNarrow();
    const [open, setOpen] = useState(false);
    return (
        <details class="facets" open={!narrow || open} onToggle={event => narrow && setOpen(event.currentTarget.open)}>
            <summary>Filters <span class="dim">{set ? `${set} set` : 'none set'}</span></summary>
            {FACETS.map(({ field, title }) => {
                const values = summary?.facets.find(f => f.field === field)?.values ?? [];
                if (!values.some(v => v.value != null) || (field === 'format' && values.length < 2)) return null;
                const order = ORDER[field];
                return <Facet key={field} field={field} title={title} values={order ? order.flatMap(v => values.filter(x => x.value === v)) : values} query={query} />;
            })}
        </details>
    );
}

function Facet({ field, title, values, query }: { field: string; title: string; values: { value: string | null; runs: number }[]; query: URLSearchParams }): JSX.Element {
    const [all, setAll] = useState(false);
    const chosen = query.get(field)?.split(',').filter(Boolean) ?? [];
    const shown = all ? values : values.slice(0, 6);
    const toggle = (value: string) => go(withQuery({ [field]: (chosen.includes(value) ? chosen.filter(v => v !== value) : [...chosen, value]).join(',') }));
    return (
        <section class="facet" aria-label={title}>
            <h2>{title}{chosen.length > 0 && <a href={withQuery({ [field]: null })} aria-label={`Any ${title.toLowerCase()}`}>any</a>}</h2>
            {shown.map(({ value, runs }) => value == null ? (
                <label key="" class="dim"><input type="checkbox" disabled title="Runs that do not say cannot be asked for" />not said<span class="n">{num(runs)}</span></label>
            ) : (
                <label key={value}>
                    <input type="checkbox" checked={chosen.includes(value)} onChange={() => toggle(value)} />
                    {field === 'success' && <OutcomeMark success={value === 'unknown' ? null : value === 'true'} />}
                    {field === 'kind' && <KindMark kind={value as Kind} />}
                    <span class="one" title={value}>{field === 'success' ? (value === 'true' ? 'passed' : value === 'false' ? 'failed' : 'unknown') : field === 'kind' ? KIND_NAME[value as Kind] ?? value : value}</span>
                    <span class="n">{num(runs)}</span>
                </label>
            ))}
            {values.length > shown.length && <button class="more" type="button" onClick={() => setAll(true)}>{num(values.length - shown.length)} more</button>}
        </section>
    );
}

/* ---- columns, export, selection ------------------------------------------------------------------------------------- */

function Popover({ label, children }: { label: string; children: (close: () => void) => ComponentChildren }): JSX.Element {
    const ref = useRef<HTMLDetailsElement>(null);
    const close = () => ref.current && (ref.current.open = false);
    useEffect(() => {
        const outside = (event: Event) => !ref.current?.contains(event.target as Node) && close();
        addEventListener('pointerdown', outside);
        return () => removeEventListener('pointerdown', outside);
    }, []);
    return (
        <details class="popover" ref={ref} onKeyDown={event => {
            if (event.key !== 'Escape') return;
            event.preventDefault();
            close();
            ref.current?.querySelector('summary')?.focus();
        }}>
            <summary class="btn">{label}</summary>
            <div class="pop">{children(close)}</div>
        </details>
    );
}

function Columns({ chosen, metaKeys }: { chosen: string[]; metaKeys: string[] }): JSX.Element {
    const toggle = (id: string) => {
        const next = chosen.includes(id) ? chosen.filter(c => c !== id) : [...chosen, id];
        go(withQuery({ cols: next.join() === STANDARD.join() ? null : next.join(',') }), true);
    };
    const item = (id: string, title: string) => (
        <label key={id}><input type="checkbox" checked={chosen.includes(id)} onChange={() => toggle(id)} /> <span class="one">{title}</span></label>
    );
    return (
        <Popover label="Columns">{() => (
            <>
                {COLUMNS.map(column => item(column.id, column.title))}
                {metaKeys.length > 0 && <p class="hd">metadata</p>}
                {metaKeys.slice(0, 60).map(key => item('meta.' + key, key))}
            </>
        )}</Popover>
    );
}

function Export({ id }: { id: string }): JSX.Element {
    return (
        <Popover label="Export">{close => (
            <>
                <p class="hd">the whole collection</p>
                <a href={exportUrl(id, 'native')} download onClick={close}>JSON Lines, everything</a>
                <a href={exportUrl(id, 'csv')} download onClick={close}>CSV, a run a row</a>
            </>
        )}</Popover>
    );
}

function Selection({ ids, runs, columns, clear, again }: { ids: ReadonlySet<string>; runs: Run[]; columns: Column[]; clear: () => void; again: () => void }): JSX.Element {
    const [tagging, setTagging] = useState(false);
    const chosen = () => runs.filter(run => ids.has(run.id));
    const tag = async (event: Event) => {
        event.preventDefault();
        const word = new FormData(event.currentTarget as HTMLFormElement).get('tag')?.toString().trim();
        if (!word) return;
        try {
            const { changed } = await api.tag([...ids], word);
            toast(`${count(changed, 'run')} tagged ${word}`);
            setTagging(false);
            again();
        } catch (e) {
            toastError('The tag was not set.', asApiError(e));
        }
    };
    return (
        <div class="selbar" role="group" aria-label="Selection">
            <b aria-live="polite">{num(ids.size)} selected</b>
            {tagging ? (
                <form class="tagging" onSubmit={tag}>
                    <div class="input"><input name="tag" autofocus aria-label="Tag" placeholder="tag" autocomplete="off" required ref={field => field?.focus()} /></div>
                    <button class="btn btn-main" type="submit">Set</button>
                    <button class="btn btn-bare" type="button" onClick={() => setTagging(false)}>Cancel</button>
                </form>
            ) : <button class="btn" type="button" onClick={() => setTagging(true)}>Tag</button>}
            <button class="btn" type="button" onClick={() => save('runs.csv', 'text/csv', csv(chosen(), columns))}>Export CSV</button>
            <button class="btn" type="button" onClick={() => save('runs.jsonl', 'application/jsonl', chosen().map(run => JSON.stringify(run) + '\n').join(''))}>Export JSONL</button>
            <button class="btn btn-bare" type="button" onClick={clear}>Clear <kbd aria-hidden="true">Esc</kbd></button>
        </div>
    );
}

/** A cell that a spreadsheet would take for a formula is kept as text. */
function csv(runs: Run[], columns: Column[]): string {
    const cell = (value: string | number | null) => {
        const text = value == null ? '' : String(value);
        const safe = typeof value === 'string' && /^[=+\-@\t\r]/.test(text) ? "'" + text : text;
        return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
    };
    const lines = [['id', ...columns.map(column => column.id)].join(',')];
    for (const run of runs) lines.push([cell(run.id), ...columns.map(column => cell(column.text(run)))].join(','));
    return lines.join('\r\n') + '\r\n';
}

function save(name: string, type: string, text: string): void {
    const blob = new Blob([text], { type });
    const link = document.createElement('a');
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    toast(`${name}, ${bytes(blob.size)}`);
}
