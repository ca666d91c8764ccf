// Two runs side by side, step by step, aligned by what they do; where they part first, and every difference, one key away.
import type { JSX } from 'preact';
import { useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { api, type Json, type Message, type RunRef } from '../api';
import { actsOtherwise, beside, differingMiddle, wordDiff, type Beside, type BesideRow, type BesideStep, type Part } from '../beside';
import { count, DASH, num, runLabel } from '../format';
import { useKeys } from '../keys';
import { OutcomeMark } from '../parts/marks';
import { FailedPage, Failure } from '../parts/say';
import { Shell, useCollection } from '../parts/shell';
import { TreeDiff } from '../parts/treediff';
import { go, runPath, usePlace, withQuery } from '../router';
import { visible } from '../text';
import { useAsk, useInView, useNarrow, useTitle } from '../use';

type Stop = 'actions' | 'all';

export function BesidePage(): JSX.Element {
    const { query } = usePlace();
    const a = query.get('a');
    const b = query.get('b');
    useTitle('Two runs');
    const answer = useAsk(a && b ? `beside ${a} ${b}` : null, signal => beside(a!, b!, signal));
    const run = useAsk(a ? 'run ' + a : null, signal => api.run(a!, signal));
    const collection = useCollection(run.data?.collection ?? null);
    const shell = { collection, tab: 'compare' as const };
    if (!a || !b)
        return (
            <Shell {...shell}>
                <main id="main" class="lone">
                    <h1 class="page-title">Two runs</h1>
                    <section class="panel pad">
                        {run.data?.siblings.length ? (
                            <p>
                                Choose the run to compare it with: <Other run={run.data} b="" />
                            </p>
                        ) : (
                            <p>
                                Select two runs in a list of runs and press Compare, or use “Compare with” on the page of a run.{' '}
                                <a href="/">All collections</a>
                            </p>
                        )}
                    </section>
                </main>
            </Shell>
        );
    if (answer.error && !answer.data)
        return (
            <Shell {...shell}>
                <FailedPage error={answer.error} again={answer.again} />
            </Shell>
        );
    return (
        <Shell {...shell}>
            <main id="main" class="beside-page" aria-busy={!answer.data}>
                <div class="title-row">
                    <h1 class="page-title">Two runs</h1>
                    {run.data && <Other run={run.data} b={b} />}
                    <a class="btn" href={withQuery({ a: b, b: a, step: null })}>
                        Swap
                    </a>
                </div>
                {answer.data && <Sides key={a + b} all={answer.data} />}
            </main>
        </Shell>
    );
}

/** Which other attempt at the task stands on the right. */
function Other({ run, b }: { run: Awaited<ReturnType<typeof api.run>>; b: string }): JSX.Element | null {
    const others = run.siblings.filter(s => s.id !== run.id);
    if (!others.length) return null;
    return (
        <label class="dim">
            beside{' '}
            <select value={b} onChange={event => go(withQuery({ b: event.currentTarget.value, step: null }))}>
                {!others.some(s => s.id === b) && <option value={b}>{b ? 'a run of another task' : 'choose'}</option>}
                {others.slice(0, 300).map((s, i) => (
                    <option key={s.id} value={s.id}>
                        {visible(`${s.external_id ?? s.id.slice(0, 8)}, ${s.model ?? 'unknown model'}, attempt ${s.attempt ?? i + 1}, ${s.success == null ? 'unknown' : s.success ? 'passed' : 'failed'}`)}
                    </option>
                ))}
            </select>
        </label>
    );
}

function Sides({ all }: { all: Beside }): JSX.Element {
    const { query } = usePlace();
    const narrow = useNarrow();
    const height = narrow ? 92 : 46;
    const given = query.get('step');
    const at = given != null && /^\d+$/.test(given) && Number(given) < all.rows.length ? Number(given) : null;
    const [stop, setStop] = useState<Stop>(() => (all.rows.some(actsOtherwise) ? 'actions' : 'all'));
    const [extra, setExtra] = useState(0); // the height of what is open under the current row
    const offsets = useMemo(() => {
        const edges = new Float64Array(all.rows.length + 1);
        for (let i = 0; i < all.rows.length; i++) edges[i + 1] = edges[i]! + height + (i === at ? extra : 0);
        return edges;
    }, [all, height, at, extra]);
    const list = useRef<HTMLOListElement>(null);
    const [from, until] = useInView(list, offsets);
    const stops = useMemo(
        () => all.rows.flatMap((row, i) => ((stop === 'all' ? row.what !== 'same' : actsOtherwise(row)) ? [i] : [])),
        [all, stop],
    );
    const open = (i: number | null) => go(withQuery({ step: i == null ? null : String(i) }), true);
    const show = (i: number | undefined) => {
        if (i == null) return;
        open(i);
        const top = list.current!.getBoundingClientRect().top + scrollY + offsets[i]! - (at != null && at < i ? extra : 0);
        scrollTo(0, top - innerHeight / 3);
    };
    const step = (way: 1 | -1) => {
        const here = at ?? -1;
        show(way > 0 ? stops.find(i => i > here) : stops.findLast(i => i < here));
    };
    const first = all.divergence;
    // A link to a step, and the first look at all: where they part.
    useLayoutEffect(() => {
        if (at != null) show(at);
    }, []);
    useKeys('Two runs', [
        { key: 'n', does: 'next difference', run: () => step(1) },
        { key: 'p', does: 'previous difference', run: () => step(-1) },
        { key: 'd', does: 'where they part', run: () => show(first ?? undefined) },
        { key: 'j', does: 'next step', run: () => show(Math.min(all.rows.length - 1, (at ?? -1) + 1)) },
        { key: 'k', does: 'previous step', run: () => show(Math.max(0, (at ?? 1) - 1)) },
        { key: 'Escape', does: 'close the step', run: () => open(null) },
    ]);
    const place = at == null ? -1 : stops.indexOf(at);
    return (
        <section class="panel beside" aria-label="Steps">
            <div class="beside-top">
                <div class="beside-heads">
                    <Head side="a" run={all.a} />
                    <Head side="b" run={all.b} />
                </div>
                <div class="beside-bar">
                    <p>
                        {count(all.counts.same, 'step')} the same, {num(all.counts.changed)} differ
                        {all.counts.only_a + all.counts.only_b > 0 && `, ${num(all.counts.only_a)} only in A, ${num(all.counts.only_b)} only in B`}.{' '}
                        {first == null ? 'The two say and do the same.' : all.rows.some(actsOtherwise) ? `They part at step ${num(first + 1)}.` : 'They do the same; only words or results differ.'}
                    </p>
                    <span class="seg end">
                        {first != null && (
                            <button class="btn" type="button" onClick={() => show(first)}>
                                Where they part <kbd aria-hidden="true">d</kbd>
                            </button>
                        )}
                        <label class="dim">
                            stop at{' '}
                            <select value={stop} onChange={event => setStop(event.currentTarget.value as Stop)}>
                                <option value="actions">what they do</option>
                                <option value="all">all that differs</option>
                            </select>
                        </label>
                        <button class="btn" type="button" disabled={!stops.length} onClick={() => step(-1)}>
                            Previous <kbd aria-hidden="true">p</kbd>
                        </button>
                        <button class="btn" type="button" disabled={!stops.length} onClick={() => step(1)}>
                            Next <kbd aria-hidden="true">n</kbd>
                        </button>
                        <span class="dim num place-of" aria-live="polite">
                            {place < 0 ? DASH : num(place + 1)} of {num(stops.length)}
                        </span>
                    </span>
                </div>
            </div>
            {!all.rows.length && <p class="none-yet">Neither run has a step.</p>}
            <ol class="beside-rows" ref={list} start={from + 1}>
                {from > 0 && <li class="gap" aria-hidden="true" style={{ height: `${offsets[from]}px` }} />}
                {all.rows.slice(from, until).map((row, k) => {
                    const i = from + k;
                    return (
                        <li key={i} class={`is-${row.what}${i === first ? ' parts' : ''}${i === at ? ' open' : ''}`}>
                            <Row row={row} i={i} all={all} open={i === at} toggle={() => open(i === at ? null : i)} height={height} parts={i === first} />
                            {i === at && <Detail row={row} all={all} onHeight={setExtra} />}
                        </li>
                    );
                })}
                {until < all.rows.length && (
                    <li class="gap" aria-hidden="true" style={{ height: `${offsets[all.rows.length]! - offsets[until]!}px` }} />
                )}
            </ol>
        </section>
    );
}

function Head({ side, run }: { side: 'a' | 'b'; run: RunRef }): JSX.Element {
    return (
        <div class="beside-head">
            <b class="ab">{side.toUpperCase()}</b>
            <OutcomeMark success={run.success} label />
            <a class="one" href={runPath(run.id)} title={visible(runLabel(run))}>
                {visible(runLabel(run).slice(0, 200))}
            </a>
            <span class="dim one">{visible(`${run.model ?? 'unknown model'}${run.task_id == null ? '' : ', task ' + run.task_id}`.slice(0, 200))}</span>
        </div>
    );
}

const SAYS: Record<BesideRow['what'], string> = { same: 'the same', changed: 'differs', only_a: 'only in A', only_b: 'only in B' };
const MARKS: Record<BesideRow['what'], string> = { same: '=', changed: '≠', only_a: '−', only_b: '+' };

function Row({
    row,
    i,
    all,
    open,
    toggle,
    height,
    parts,
}: {
    row: BesideRow;
    i: number;
    all: Beside;
    open: boolean;
    toggle: () => void;
    height: number;
    parts: boolean;
}): JSX.Element {
    const says = row.what === 'changed' ? `${row.differs.join(' and ')} ${row.differs.length > 1 ? 'differ' : row.differs[0] === 'result' ? 'differs' : 'differ'}` : SAYS[row.what];
    return (
        <div class="beside-row" style={{ height: `${height}px` }} onClick={event => (event.target as Element).closest('a, button') || toggle()}>
            <Cell step={row.a} other={row.b} row={row} run={all.a} />
            <button class="beside-mark" type="button" aria-expanded={open} aria-label={`Step ${i + 1}: ${says}${parts ? ', where they part' : ''}`} title={says} onClick={toggle}>
                {MARKS[row.what]}
            </button>
            <Cell step={row.b} other={row.a} row={row} run={all.b} />
        </div>
    );
}

function Cell({ step, other, row, run }: { step: BesideStep | null; other: BesideStep | null; row: BesideRow; run: RunRef }): JSX.Element {
    if (!step) return <div class="beside-cell none" />;
    const [from, to] = row.what === 'changed' && other ? differingMiddle(step.gist, other.gist) : [0, 0];
    const line = (text: string) => visible(text).replace(/\s+/g, ' ');
    return (
        <div class="beside-cell">
            <p class="beside-what">
                <a class="place" href={runPath(run.id, { message: step.message, transcript: step.transcript })} title="Read it in its place">
                    M{step.message}
                </a>
                <b class={`one role-${step.call == null ? step.role : 'tool'}`}>{step.call == null ? step.role : visible(step.name ?? 'call')}</b>
                {row.what === 'changed' && <span class="dim one">{row.differs.join(', ')}</span>}
            </p>
            <p class="one mono">
                {line(step.gist.slice(0, from))}
                {to > from && <mark class="differs">{line(step.gist.slice(from, to))}</mark>}
                {line(step.gist.slice(to))}
                {step.cut && '…'}
            </p>
        </div>
    );
}

/* ---- what is open -------------------------------------------------------------------------------------------------------- */

const COMPARED = 20_000; /* characters of a text that are shown and compared; the rest is a click away, in its run */

interface Texts {
    words: string;
    arguments: string;
    result: string;
}

async function textsOf(run: string, step: BesideStep, signal: AbortSignal): Promise<Texts> {
    const one = async (index: number): Promise<Message | undefined> =>
        (await api.messages(run, step.transcript, index, 1, signal)).items[0];
    const [message, result] = await Promise.all([one(step.message), step.result == null ? undefined : one(step.result)]);
    const call = step.call == null ? undefined : message?.tool_calls.find(c => c.position === step.call);
    return {
        words: step.call == null ? (message?.text || message?.error || message?.reasoning || '') : '',
        arguments: pretty(call?.arguments ?? ''),
        result: result?.text || result?.error || '',
    };
}

/* One value a line, so that what differs stands out. */
function pretty(text: string): string {
    if (text.length > 10 * COMPARED) return text;
    try {
        return JSON.stringify(JSON.parse(text), null, 2);
    } catch {
        return text;
    }
}

function Detail({ row, all, onHeight }: { row: BesideRow; all: Beside; onHeight: (height: number) => void }): JSX.Element {
    const box = useRef<HTMLDivElement>(null);
    useLayoutEffect(() => {
        const watch = new ResizeObserver(() => onHeight(box.current?.offsetHeight ?? 0));
        watch.observe(box.current!);
        return () => (watch.disconnect(), onHeight(0));
    }, []);
    const key = (step: BesideStep | null, run: RunRef) => (step ? `step ${run.id} ${step.transcript} ${step.message} ${step.call}` : null);
    const a = useAsk(key(row.a, all.a), signal => textsOf(all.a.id, row.a!, signal));
    const b = useAsk(key(row.b, all.b), signal => textsOf(all.b.id, row.b!, signal));
    const error = a.error ?? b.error;
    const ready = (!row.a || a.data) && (!row.b || b.data);
    const parts: Part[] = (row.a ?? row.b)!.call == null ? ['words'] : ['arguments', 'result'];
    return (
        <div class="beside-detail" ref={box}>
            {error && <Failure error={error} again={a.error ? a.again : b.again} />}
            {ready && parts.map(part => <TwoTexts key={part} part={part} a={row.a && a.data![part]} b={row.b && b.data![part]} />)}
        </div>
    );
}

/* A nested value that a text is the JSON of. */
function nestedIn(text: string | null): Json | undefined {
    if (text == null || text.length > 10 * COMPARED || !/^\s*[[{]/.test(text)) return undefined;
    try {
        return JSON.parse(text) as Json;
    } catch {
        return undefined;
    }
}

function TwoTexts({ part, a, b }: { part: Part; a: string | null; b: string | null }): JSX.Element | null {
    const pieces = useMemo(() => (a == null || b == null || a === b ? null : wordDiff(a.slice(0, COMPARED), b.slice(0, COMPARED))), [a, b]);
    const values = useMemo(() => (a === b ? null : { a: nestedIn(a), b: nestedIn(b) }), [a, b]);
    const [asValues, setAsValues] = useState(false);
    if (!a && !b) return null;
    const left = (text: string | null) => Math.max(0, (text?.length ?? 0) - COMPARED);
    const side = (text: string | null, own: '-' | '+') => (
        <pre class={text == null ? 'none' : undefined} tabIndex={text == null ? undefined : 0} aria-label={`${part} in ${own === '-' ? 'A' : 'B'}`} role="region">
            {pieces
                ? pieces.map((piece, i) =>
                      piece.sign === ' ' ? visible(piece.text) : piece.sign === own && <mark key={i} class={own === '-' ? 'd' : 'a'}>{visible(piece.text)}</mark>,
                  )
                : text && visible(text.slice(0, COMPARED))}
            {left(text) > 0 && <span class="dim">{`\n${num(left(text))} more characters`}</span>}
        </pre>
    );
    return (
        <section>
            <h3 class="hd">
                {part[0]!.toUpperCase() + part.slice(1)}
                {a != null && a === b && ', the same in both'}
                {values?.a !== undefined && values.b !== undefined && (
                    <button class="more" type="button" aria-pressed={asValues} onClick={() => setAsValues(!asValues)}>
                        as values
                    </button>
                )}
            </h3>
            {asValues && values?.a !== undefined && values.b !== undefined ? (
                <TreeDiff a={values.a} b={values.b} label={`${part}: what differs`} />
            ) : a != null && a === b ? (
                side(a, '-')
            ) : (
                <div class="beside-two">
                    {side(a, '-')}
                    {side(b, '+')}
                </div>
            )}
        </section>
    );
}
