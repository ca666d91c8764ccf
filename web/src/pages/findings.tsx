// Triage: an inbox of findings, the evidence in its place, and how good each detector has been.
import type { JSX } from 'preact';
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { api, type Detector, type Finding, type Message, type Status, type Summary } from '../api';
import { askedOf, fieldsOf, FINDING_KEYS } from '../filter';
import { addresses, count, num, outcome, OUTCOME_NAME, percent, runLabel, wilson } from '../format';
import { useKeys } from '../keys';
import { EvidenceInPlace } from '../parts/context';
import { KindMark, OutcomeMark, SeverityMark } from '../parts/marks';
import { QueryBox } from '../parts/query';
import { CopyButton, Dialog, DialogHead, FailedPage, Failure, toast } from '../parts/say';
import { Shell } from '../parts/shell';
import { FoldedText } from '../parts/textpart';
import { review, undo } from '../review';
import { useRows } from '../rows';
import { collectionPath, go, runPath, usePlace, withQuery } from '../router';
import { quoteLine, visible } from '../text';
import { useAsk, useInView, useMedia, useNarrow, useTitle } from '../use';

type Grouping = 'detector' | 'task';
const SORT: Record<Grouping, string> = { detector: '-severity,detector', task: 'task,-severity' };

export function FindingsPage({ name }: { name: string }): JSX.Element {
    useTitle(`Findings of ${name}`);
    const { query } = usePlace();
    const narrow = useNarrow();
    const noSide = useMedia('(max-width: 1240px)');
    const summary = useAsk('summary ' + name, signal => api.summary(name, signal));
    const detectors = useAsk('detectors', signal => api.detectors(signal));
    const grouping: Grouping = query.get('group') === 'task' ? 'task' : 'detector';
    const side = query.get('side') === 'precision';

    // Without a status in the address the inbox holds what is open.
    const status = query.get('status') ?? 'open';
    const asked = askedOf(query, FINDING_KEYS);
    if (status === 'any') asked.delete('status');
    else asked.set('status', status);
    asked.set('sort', SORT[grouping]);
    const rows = useRows<Finding>(`findings ${name} ${asked}`, ({ limit, after, count: wantCount }, signal) => {
        const params = new URLSearchParams(asked);
        params.set('limit', String(limit));
        if (after) params.set('after', after);
        if (wantCount) params.set('count', '1');
        return api.findings(name, params, signal);
    });

    /* Reviews made here, over what the server said: a finding that was dealt with stays in the list until it is asked for anew. */
    const [reviews, setReviews] = useState<ReadonlyMap<string, Partial<Finding>>>(new Map());
    const items = useMemo(() => rows.items.map(f => (reviews.has(f.id) ? { ...f, ...reviews.get(f.id) } : f)), [rows.items, reviews]);
    const again = useRef(summary.again);
    again.current = summary.again;
    const apply = useCallback((ids: string[], what: Partial<Pick<Finding, 'status' | 'note'>>) => {
        setReviews(before => {
            const next = new Map(before);
            for (const id of ids) next.set(id, { ...next.get(id), ...what });
            return next;
        });
    }, []);
    const counted = useRef(0);
    useEffect(() => {
        clearTimeout(counted.current);
        if (reviews.size) counted.current = setTimeout(() => again.current(), 400);
    }, [reviews]);

    const chosenId = query.get('f');
    const at = items.findIndex(f => f.id === chosenId);
    const finding = at >= 0 ? items[at] : !narrow && !chosenId ? items[0] : undefined;
    const loose = useAsk(chosenId && at < 0 && !rows.loading ? 'finding ' + chosenId : null, signal => api.finding(chosenId!, signal));
    const shown = finding ?? loose.data;
    const position = shown ? items.indexOf(shown) : -1;

    const choose = (id: string | null, replace = true) => go(withQuery({ f: id }), replace);
    const move = (step: number) => {
        const next = items[Math.max(0, Math.min(items.length - 1, position + step))];
        if (next) choose(next.id, !(narrow && !chosenId));
    };
    const [ask, setAsk] = useState<{ like: Finding[] } | null>(null);
    const [noting, setNoting] = useState(false);
    const [evidence, setEvidence] = useState(0);
    const [raw, setRaw] = useState<Message | null>(null);
    useEffect(() => {
        setAsk(null);
        setNoting(false);
        setEvidence(0);
    }, [shown?.id]);

    /** On to the next one that is open. */
    const goOn = (from: number, done: string[]) => {
        const open = (f: Finding) => f.status === 'open' && !done.includes(f.id);
        const next = items.slice(from + 1).find(open) ?? items.slice(0, Math.max(0, from)).find(open);
        if (next) choose(next.id);
    };
    const act = async (targets: Finding[], next: Status) => {
        setAsk(null);
        const from = position;
        goOn(from, targets.map(t => t.id));
        await review(targets, { status: next }, apply);
    };
    const dismiss = async () => {
        if (!shown) return;
        if (ask) return;
        const like = items.filter(f => f.detector === shown.detector && f.title === shown.title && f.status === 'open' && f.id !== shown.id);
        setAsk({ like: [shown, ...like] });
    };
    const takeBack = async () => {
        const ids = await undo();
        if (!ids) toast('There is nothing to undo');
        else if (items.some(f => f.id === ids[0])) choose(ids[0]!);
    };
    const place = shown && shown.evidence[evidence];
    const runOf = shown && (place?.run ?? shown.run?.id);
    const open = () => shown && runOf && go(runPath(runOf, { finding: shown.id, message: place?.message, transcript: place?.position }));
    const stepEvidence = (by: number) => {
        if (!shown?.evidence.length) return;
        setEvidence(i => (i + by + shown.evidence.length) % shown.evidence.length);
    };
    useEffect(() => {
        document.querySelector('.ctx mark.now')?.scrollIntoView({ block: 'center' });
    }, [evidence]);

    useKeys('Findings', [
        { key: 'j', does: 'next finding', run: () => move(1) },
        { key: 'k', does: 'previous finding', run: () => move(-1) },
        { key: 'c', does: 'confirm', run: () => shown && void act([shown], 'confirmed') },
        { key: 'x', does: 'dismiss', run: () => void dismiss() },
        { key: 'n', does: 'write a note', run: () => shown && setNoting(true) },
        { key: 'u', does: 'undo the last review', run: () => void takeBack() },
        { key: 'o', does: 'open the run', run: open },
        { key: ']', does: 'next evidence', run: () => stepEvidence(1) },
        { key: '[', does: 'previous evidence', run: () => stepEvidence(-1) },
        ...(ask ? [
            { key: '1', does: '', run: () => void act([ask.like[0]!], 'dismissed') },
            { key: '2', does: '', run: () => void act(ask.like, 'dismissed') },
            { key: 'Escape', does: '', run: () => setAsk(null) },
        ] : []),
    ]);

    if (rows.error?.status === 404) return <Shell><FailedPage error={rows.error} again={rows.again} /></Shell>;
    const listScreen = !narrow || !chosenId;
    const paneScreen = !narrow || !!chosenId;
    const total = rows.total ?? items.length;
    const rule = shown && detectors.data?.items.find(d => d.id === shown.detector);
    return (
        <Shell collection={summary.data?.collection} name={name} tab="findings">
            <main class="triage" id="main">
                {listScreen && (
                    <section class="inbox" aria-label="Findings">
                        {!paneScreen && <h1 class="sr">Findings of {name}</h1>}
                        <div class="bar">
                            <QueryBox fields={fieldsOf(summary.data, FINDING_KEYS, 'findings')} query={withStatus(query, status)} label="Filter findings" unit="findings" refused={rows.error?.message} keep={['f']} />
                            <div class="row">
                                <button class="btn" type="button" onClick={() => go(withQuery({ group: grouping === 'detector' ? 'task' : null, f: null }), true)} title="Group by">By {grouping}</button>
                                {noSide && <button class="btn" type="button" aria-pressed={side} onClick={() => go(withQuery({ side: side ? null : 'precision' }), true)}>Precision</button>}
                                <button class="btn btn-bare" type="button" onClick={() => go(withQuery({ status: status === 'any' ? null : 'any', f: null }), true)}>{status === 'any' ? 'Only open' : 'Reviewed too'}</button>
                                <span class="dim end" aria-live="polite">{num(total)}{status === 'open' ? ' open' : ''}{summary.data ? ` of ${num(summary.data.collection.findings)}` : ''}</span>
                            </div>
                        </div>
                        {noSide && side
                            ? <Side summary={summary.data} finding={undefined} />
                            : <Inbox items={items} total={total} want={rows.want} grouping={grouping} summary={summary.data} current={shown?.id} choose={id => choose(id, !narrow)} />}
                        {!rows.loading && !items.length && !rows.error && (
                            <p class="none-yet">{status === 'open' ? 'Nothing is open here.' : 'No finding is like that.'} <a href={withQuery({ status: 'any', f: null })}>Show the reviewed ones too</a></p>
                        )}
                    </section>
                )}
                {paneScreen && (
                    <section class="pane" aria-label="Finding">
                        {loose.error && <div class="in"><Failure error={loose.error} again={loose.again} /></div>}
                        {shown ? (
                            <>
                                <div class="bar">
                                    {narrow && <button class="btn btn-bare back" type="button" onClick={() => choose(null)}>← list</button>}
                                    <span class="dim">{position >= 0 ? `${num(position + 1)} of ${num(total)}` : ''}</span>
                                    {shown.task_id != null && <a href={collectionPath(summary.data?.collection ?? { id: name, name }, 'runs') + '?' + new URLSearchParams({ task: shown.task_id })}>task {shown.task_id}</a>}
                                    {shown.run && <a href={runPath(shown.run.id, { finding: shown.id, message: shown.evidence[0]?.message, transcript: shown.evidence[0]?.position })}>run {runLabel(shown.run)}</a>}
                                    {shown.run && <span class="sub"><OutcomeMark success={shown.run.success} /> {OUTCOME_NAME[outcome(shown.run.success)]}{shown.run.model ? `, ${shown.run.model}` : ''}</span>}
                                    <span class="end dim">{shown.status === 'open' ? '' : shown.status + (shown.reviewer ? ` by ${shown.reviewer}` : '')}</span>
                                </div>
                                <div class="in">
                                    <Detail finding={shown} rule={rule} />
                                    <EvidenceInPlace key={shown.id} finding={shown} now={evidence} onGo={setEvidence} onRaw={setRaw} />
                                </div>
                                <Actions finding={shown} ask={ask?.like ?? null} noting={noting} onConfirm={() => void act([shown], 'confirmed')} onDismiss={() => void dismiss()}
                                    onChoice={all => void act(all ? ask!.like : [shown], 'dismissed')} onCancel={() => { setAsk(null); setNoting(false); }} onNote={() => setNoting(true)}
                                    onSaveNote={note => { setNoting(false); void review([shown], { note }, apply); }} onUndo={() => void takeBack()} onOpen={open} canOpen={!!runOf} />
                            </>
                        ) : !rows.loading && !loose.error && <p class="none-yet">{items.length ? 'Choose a finding.' : ''}</p>}
                    </section>
                )}
                {!noSide && <Side summary={summary.data} finding={shown} />}
                {raw && (
                    <Dialog title={`M${raw.index}`} wide onClose={() => setRaw(null)}>
                        <DialogHead title={`M${raw.index}, ${raw.role}`} onClose={() => setRaw(null)} />
                        <div class="pad raw"><p><CopyButton text={JSON.stringify(raw, null, 2)} what="the JSON" /></p><FoldedText id="raw" text={JSON.stringify(raw, null, 2)} look="raw" /></div>
                    </Dialog>
                )}
            </main>
        </Shell>
    );
}

/** The address with the status that is meant where it names none, so that the box shows it. */
function withStatus(query: URLSearchParams, status: string): URLSearchParams {
    const all = new URLSearchParams();
    if (status !== 'any') all.set('status', status);
    for (const [key, value] of query) if (key !== 'status') all.append(key, value);
    return all;
}

/* ---- the list ------------------------------------------------------------------------------------------------------- */

type Line = { head: string; at: number } | { finding: Finding };

function Inbox({ items, total, want, grouping, summary, current, choose }: {
    items: Finding[]; total: number; want: (n: number) => void; grouping: Grouping; summary?: Summary; current?: string; choose: (id: string) => void;
}): JSX.Element {
    const narrow = useNarrow();
    const [headHeight, itemHeight] = narrow ? [38, 62] : [33, 53];
    const lines = useMemo(() => {
        const all: Line[] = [];
        let last: string | null = null;
        items.forEach((finding, at) => {
            const head = grouping === 'detector' ? finding.detector : finding.task_id ?? 'no task';
            if (head !== last) all.push({ head: (last = head), at });
            all.push({ finding });
        });
        return all;
    }, [items, grouping]);
    const offsets = useMemo(() => {
        const edges = new Float64Array(lines.length + 1);
        lines.forEach((line, i) => (edges[i + 1] = edges[i]! + ('head' in line ? headHeight : itemHeight)));
        return edges;
    }, [lines, headHeight, itemHeight]);
    const list = useRef<HTMLDivElement>(null);
    const [from, to] = useInView(list, offsets, 300);
    useEffect(() => want(to), [to, items.length]);
    useEffect(() => {
        const i = lines.findIndex(line => 'finding' in line && line.finding.id === current);
        const scroller = list.current?.closest<HTMLElement>('.inbox');
        if (i < 0 || !scroller || narrow) return;
        const bar = scroller.querySelector<HTMLElement>('.bar')!.offsetHeight;
        const top = list.current!.offsetTop + offsets[i]! - bar - headHeight;
        if (top < scroller.scrollTop) scroller.scrollTop = top;
        else if (list.current!.offsetTop + offsets[i + 1]! > scroller.scrollTop + scroller.clientHeight) scroller.scrollTop = list.current!.offsetTop + offsets[i + 1]! - scroller.clientHeight + 40;
    }, [current]);
    return (
        <div ref={list} class="inbox-list">
            <div style={{ height: `${offsets[from]}px` }} />
            {lines.slice(from, to).map(line => {
                if ('head' in line) return <GroupHead key={'head ' + line.head + line.at} name={line.head} grouping={grouping} summary={summary} />;
                const f = line.finding;
                const quote = f.evidence[0] ? quoteLine(f.evidence[0].quote, 120) : '';
                const done = f.status === 'open' ? '' : f.status === 'dismissed' ? ' done dis' : ' done';
                return (
                    <div key={f.id}>
                        <a class={`item${done}`} href={withQuery({ f: f.id })} aria-current={f.id === current ? 'true' : undefined}
                            onClick={event => { if (!event.metaKey && !event.ctrlKey && !event.shiftKey) { event.preventDefault(); choose(f.id); } }}>
                            <KindMark kind={f.kind} />
                            <span class="one t" title={f.title}>{visible(f.title)}</span>
                            <span class="place">{f.status !== 'open' ? f.status : grouping === 'detector' ? (f.task_id ?? (f.run && runLabel(f.run)) ?? '') : addresses(f.evidence, 1)}</span>
                            <samp class="q one">{quote ? done ? quote : <mark class={`ev ev-${f.kind}`}>{quote}</mark> : <span class="dim">{grouping === 'task' ? f.detector : 'nothing stands there'}</span>}</samp>
                        </a>
                    </div>
                );
            })}
            <div style={{ height: `${offsets[lines.length]! - offsets[Math.max(from, to)]! + Math.max(0, total - items.length) * itemHeight}px` }} />
        </div>
    );
}

function GroupHead({ name, grouping, summary }: { name: string; grouping: Grouping; summary?: Summary }): JSX.Element {
    const row = grouping === 'detector' ? summary?.detectors.find(d => d.detector === name) : undefined;
    const reviewed = row ? row.confirmed + row.dismissed : 0;
    return (
        <h2 class="group">
            <span class="one">{grouping === 'task' && name !== 'no task' ? `task ${name}` : name}</span>
            {row && <span class="dim">{num(row.open)} open of {num(row.findings)}</span>}
            {row && <span class="end">{reviewed ? `${num(row.confirmed)} of ${num(reviewed)} confirmed` : 'no reviews'}</span>}
        </h2>
    );
}

/* ---- the finding ---------------------------------------------------------------------------------------------------- */

function Detail({ finding: f, rule }: { finding: Finding; rule?: Detector }): JSX.Element {
    const runs = new Set(f.evidence.map(e => e.run)).size;
    return (
        <>
            <h1><KindMark kind={f.kind} label />{visible(f.title)}</h1>
            <p class="facts">
                <span><SeverityMark severity={f.severity} /> <b>{f.severity}</b></span>
                <span>behaviour <b>{f.behavior}</b></span>
                <span title={`version ${f.detector_version}`}>detector <b>{f.detector}</b></span>
                <span>scope <b>{f.scope}</b>{f.scope !== 'run' && runs > 1 ? `, ${num(runs)} runs` : ''}</span>
                <span>evidence <b>{num(f.evidence.length)}</b></span>
                {f.confidence != null && f.confidence < 1 && <span>confidence <b>{f.confidence.toFixed(2)}</b></span>}
            </p>
            {f.message && f.message !== f.title && <p class="why">{f.message}</p>}
            {rule?.why && rule.why !== f.message && <p class="why sub">{rule.why}</p>}
            {rule?.unsure && <p class="limits"><b>What this rule cannot tell:</b> {rule.unsure}</p>}
            {f.note && <p class="limits"><b>Note{f.reviewer ? ` by ${f.reviewer}` : ''}:</b> {f.note}</p>}
        </>
    );
}

function Actions({ finding, ask, noting, onConfirm, onDismiss, onChoice, onCancel, onNote, onSaveNote, onUndo, onOpen, canOpen }: {
    finding: Finding; ask: Finding[] | null; noting: boolean; canOpen: boolean;
    onConfirm: () => void; onDismiss: () => void; onChoice: (all: boolean) => void; onCancel: () => void; onNote: () => void; onSaveNote: (note: string) => void; onUndo: () => void; onOpen: () => void;
}): JSX.Element {
    const note = useRef<HTMLTextAreaElement>(null);
    useLayoutEffect(() => {
        if (noting) note.current?.focus();
    }, [noting]);
    return (
        <div class="acts-bar" role="group" aria-label="Review">
            {ask && (
                <div class="ask" role="group" aria-label="Dismiss">
                    <b>Dismiss</b>
                    <button class="btn" type="button" ref={button => button?.focus()} onClick={() => onChoice(false)}>Only this <Key k="1" /></button>
                    <button class="btn" type="button" disabled={ask.length < 2} title={ask.length < 2 ? 'No other open finding in the list is like it' : `${finding.detector}: ${finding.title}`} onClick={() => onChoice(true)}>
                        {ask.length < 2 ? 'No other is like it' : `All ${num(ask.length)} like it in ${finding.detector}`} <Key k="2" />
                    </button>
                    <button class="btn btn-bare" type="button" onClick={onCancel}>Cancel <Key k="Esc" /></button>
                </div>
            )}
            {noting && (
                <form class="ask" aria-label="Note" onSubmit={event => { event.preventDefault(); onSaveNote(note.current!.value.trim()); }}>
                    <textarea ref={note} rows={2} aria-label="Note" placeholder="why it is so" defaultValue={finding.note ?? ''} onKeyDown={event => {
                        if (event.key === 'Escape') onCancel();
                        if (event.key === 'Enter' && !event.shiftKey) { event.preventDefault(); onSaveNote(event.currentTarget.value.trim()); }
                    }} />
                    <button class="btn" type="submit">Save <Key k="Enter" /></button>
                    <button class="btn btn-bare" type="button" onClick={onCancel}>Cancel <Key k="Esc" /></button>
                </form>
            )}
            <button class="btn btn-main" type="button" onClick={onConfirm}>Confirm <Key k="c" /></button>
            <button class="btn" type="button" onClick={onDismiss}>Dismiss <Key k="x" /></button>
            <button class="btn" type="button" onClick={onNote}>Note <Key k="n" /></button>
            <button class="btn" type="button" onClick={onUndo}>Undo <Key k="u" /></button>
            <button class="btn" type="button" disabled={!canOpen} title={canOpen ? undefined : 'It speaks of no single run'} onClick={onOpen}>Open run <Key k="o" /></button>
            <span class="keys dim" aria-hidden="true"><kbd>j</kbd> <kbd>k</kbd> next, previous &ensp; <kbd>]</kbd> <kbd>[</kbd> evidence &ensp; <kbd>?</kbd> all keys</span>
        </div>
    );
}

const Key = ({ k }: { k: string }) => <kbd aria-hidden="true">{k}</kbd>;

/* ---- how good the detectors are ------------------------------------------------------------------------------------- */

function Side({ summary, finding }: { summary?: Summary; finding?: Finding }): JSX.Element {
    const reviewed = summary?.detectors.reduce((sum, d) => sum + d.confirmed + d.dismissed, 0) ?? 0;
    const confirmed = summary?.detectors.reduce((sum, d) => sum + d.confirmed, 0) ?? 0;
    const task = finding?.task_id;
    const siblings = useAsk(summary && task != null ? `siblings ${summary.collection.id} ${task}` : null, signal => api.runs(summary!.collection.id, { task, limit: 20, count: 1 }, signal));
    const graded = siblings.data?.items.filter(run => run.success != null) ?? [];
    return (
        <aside class="side" aria-label="Precision">
            <section>
                <h2>Precision, from reviews</h2>
                <p>Confirmed of reviewed, with a 95 % interval. Scale 0 to 100 %.</p>
                <ul>
                    {summary?.detectors.map(d => {
                        const n = d.confirmed + d.dismissed;
                        const rate = wilson(d.confirmed, n);
                        return (
                            <li class="prec" key={d.detector}>
                                <a class="one" href={withQuery({ detector: d.detector, f: null, side: null })}>{d.detector}</a>
                                {rate ? <span>{percent(rate.value, 0)} % <span class="dim">of {num(n)}</span></span> : <span class="dim">no reviews</span>}
                                <svg viewBox="0 0 200 12" preserveAspectRatio="none" role={rate ? 'img' : undefined} aria-hidden={rate ? undefined : 'true'} aria-label={rate ? `95 % interval ${Math.round(rate.low * 100)} to ${Math.round(rate.high * 100)}` : undefined}>
                                    <path class="trk" d="M0 6h200" />
                                    {rate && <path class="rng" d={`M${rate.low * 200} 6H${rate.high * 200}`} />}
                                    {rate && <path class="pt" d={`M${Math.min(197, rate.value * 200 - 1.5)} 1h3v10h-3z`} />}
                                </svg>
                            </li>
                        );
                    })}
                </ul>
            </section>
            {summary && <section><h2>Reviewed</h2><p>{num(reviewed)} of {count(summary.collection.findings, 'finding')}. {num(confirmed)} confirmed, {num(reviewed - confirmed)} dismissed.</p></section>}
            {siblings.data && siblings.data.items.length > 1 && (
                <section>
                    <h2>Same task</h2>
                    <p>{graded.length ? `${num(graded.filter(run => run.success).length)} of ${num(graded.length)} passed.` : 'None was graded.'}</p>
                    <ul class="same">
                        {siblings.data.items.slice(0, 12).map(run => (
                            <li key={run.id}><OutcomeMark success={run.success} label /> <a href={runPath(run.id)}>{runLabel(run)}</a> <span class="dim one">{run.first_finding?.behavior ?? run.model}</span></li>
                        ))}
                        {(siblings.data.total ?? siblings.data.items.length) > 12 && <li><a href={collectionPath(summary!.collection, 'runs') + '?' + new URLSearchParams({ task: task! })}>all of them</a></li>}
                    </ul>
                </section>
            )}
        </aside>
    );
}
