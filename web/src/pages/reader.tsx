// One run, message by message: what everything else leads to.
import type { JSX } from 'preact';
import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { api, type Evidence, type Finding, type Message, type Messages, type RunDetail, type Status } from '../api';
import { useKeys } from '../keys';
import { FindBar, NOTHING, useFind } from '../parts/find';
import { Flow, type FlowHandle } from '../parts/flow';
import { Judgments, findingOf, ofJudge, saidBy } from '../parts/judgments';
import { lazy } from '../parts/lazy';
import { Block, ReadingContext, type Reading } from '../parts/message';
import { Minimap } from '../parts/minimap';
import { Notes } from '../parts/notes';
import { RunHead, SameTask } from '../parts/runhead';
import { RawDialog } from '../parts/raw';
import { FailedPage, copy, toast } from '../parts/say';
import { Shell, useCollection } from '../parts/shell';
import { SpanLink } from '../parts/spanlink';
import { Timeline } from '../parts/timeline';
import { FindingContext, Folds, FoldsContext } from '../parts/textpart';
import { judging } from '../judging';
import { setLabelling, useLabelling, type Picked } from '../labelling';
import { Pages } from '../messages';
import { review, undo } from '../review';
import { collectionPath, currentPlace, decode, go, runPath, usePlace, withQuery } from '../router';
import { runLabel } from '../format';
import { clip, toUtf16 } from '../text';
import { byMessage, isSaid, partsOf, saidId, rowOf, rowsOf, stopsOf, type EvItem, type Hit, type Row } from '../transcript';
import { useAsk, useNarrow, useTitle } from '../use';

const EARLY = 16; /* messages: enough for the first screen */
const EARLY_BYTES = 400_000;

interface Early {
    transcript: number;
    from: number;
    page: Promise<Messages | null>;
    stop: AbortController;
}

/** What the address points at is asked for beside the run itself; what fails here is asked for again, and then said. */
function useEarly(run: string): Early {
    return useMemo(() => {
        const { query, hash } = currentPlace();
        const transcript = Number(query.get('t') ?? 0);
        const from = Math.max(0, (readHash(hash)?.message ?? 0) - 4);
        const stop = new AbortController();
        return { transcript, from, stop, page: api.messages(run, transcript, from, EARLY, stop.signal).catch(() => null) };
    }, [run]);
}

export function ReaderPage({ id }: { id: string }): JSX.Element {
    const early = useEarly(id);
    const { data: run, error, again, change } = useAsk('run ' + id, signal => api.run(id, signal));
    const collection = useCollection(run?.collection ?? null);
    useTitle(run ? clip(runLabel(run), 80) : 'Run');
    if (error && !run)
        return (
            <Shell>
                <FailedPage error={error} again={again} />
            </Shell>
        );
    return (
        <Shell collection={collection} tab="runs">
            {run ? (
                <Reader run={run} early={early} collection={collection ?? { id: run.collection, name: run.collection }} change={change} />
            ) : (
                <main id="main" />
            )}
        </Shell>
    );
}

const LabelBar = lazy(() => import('../later').then(m => m.LabelBar), true);
const AskJudge = lazy(() => import('../later').then(m => m.AskJudge), true);

const NO_ITEMS: EvItem[] = [];
const NO_HITS: Hit[] = [];

/** "m27" or "m27:text:12-40": a message, or bytes 12 to 40 of one of its parts. */
function readHash(hash: string): { message: number; span: { part: string; start: number; end: number } | null } | null {
    const match = /^m(\d+)(?::(.+):(\d+)-(\d+))?$/.exec(decode(hash));
    if (!match) return null;
    return {
        message: Number(match[1]),
        span: match[2] ? { part: match[2], start: Number(match[3]), end: Number(match[4]) } : null,
    };
}

function Reader({
    run,
    early,
    collection,
    change,
}: {
    run: RunDetail;
    early: Early;
    collection: { id: string; name: string };
    change: (f: (run: RunDetail) => RunDetail) => void;
}): JSX.Element {
    const place = usePlace();
    const narrow = useNarrow();
    const labelling = useLabelling();
    const judgments = useAsk('judgments ' + run.id, async signal => {
        const found = await judging.judgments({ run: run.id, all: true, limit: 200 }, signal);
        if (!found.items.length) return found;
        const titles = new Map((await judging.rubrics({ limit: 1000 }, signal)).items.map(r => [r.name, r.title]));
        return { ...found, items: found.items.map(j => ({ ...j, title: titles.get(j.rubric) ?? null })) };
    });
    const [opened, setOpened] = useState<ReadonlySet<string>>(() => new Set([place.query.get('judgment') ?? '']));
    useEffect(() => {
        // A link may open the bar with its set.
        const set = place.query.get('label');
        if (set) setLabelling({ open: true, set });
    }, []);
    const [picked, setPicked] = useState<Picked | null>(null);
    const [asking, setAsking] = useState<Picked | null>(null);
    // Whoever labels says it first: what others and judges say would lead them.
    const blind =
        labelling.open && !labelling.shown && !run.labels.some(l => l.set === labelling.set && l.who === labelling.who);
    const findings = useMemo(() => {
        if (blind) return run.all_findings.filter(f => !ofJudge(f));
        const all = judgments.data?.items.filter(j => opened.has(j.id) && !findingOf(j, run.all_findings)) ?? [];
        return [...run.all_findings, ...all.map(saidBy)];
    }, [run.all_findings, judgments.data, opened, blind]);
    const stops = useMemo(() => stopsOf(findings, run.id), [findings, run.id]);
    const wanted = place.query.get('finding');
    const hash = readHash(place.hash);
    const cited = stops.filter(s => s.finding.id === wanted);
    const stop =
        cited.find(s => s.evidence.message != null && s.evidence.message === hash?.message) ??
        cited.find(s => s.evidence.message != null) ??
        cited[0];
    const transcript = Number(place.query.get('t') ?? stop?.evidence.position ?? 0);
    const marks = useMemo(() => run.marks.find(m => m.transcript === transcript)?.marks ?? [], [run.marks, transcript]);
    const rows = useMemo(() => rowsOf(marks), [marks]);
    const pages = useMemo(() => new Pages(run.id, transcript, marks), [run.id, transcript, marks]);
    useEffect(() => () => pages.close(), [pages]);
    useEffect(() => {
        if (transcript !== early.transcript) return;
        // Of huge messages each is waited for by itself.
        const size = marks.slice(early.from, early.from + EARLY).reduce((sum, mark) => sum + mark[1], 0);
        if (size > EARLY_BYTES) early.stop.abort();
        else void early.page.then(page => page && pages.offer(page));
    }, [pages, early]);
    const here = useMemo(() => byMessage(stops, transcript), [stops, transcript]);
    const fields = useMemo(() => stops.filter(s => s.evidence.message == null), [stops]);

    const [now, setNow] = useState<{ finding: string; index: number } | null>(
        stop ? { finding: stop.finding.id, index: stop.index } : wanted ? { finding: wanted, index: 0 } : null,
    );
    const [current, setCurrent] = useState<number | null>(hash?.message ?? null);
    const [markdown, setMarkdown] = useState(false);
    const [raw, setRaw] = useState<{ title: string; value: object } | null>(null);
    const [finding, setFinding] = useState({ open: false, text: '', regex: false });
    const found = useFind(finding.open ? pages : null, finding.text, finding.regex);
    const [hitAt, setHitAt] = useState(-1); /* -1: none chosen yet */
    const findFrom = useRef(0);
    const [linked, setLinked] = useState<Hit | null>(null);
    const [folds] = useState(() => new Folds());
    const flow = useRef<FlowHandle | null>(null);
    const find = useRef<HTMLDivElement>(null);
    const top = (narrow ? 0 : 44) + (finding.open ? (find.current?.offsetHeight ?? 41) : 0);

    /* ---- going places ---- */
    const jump = useCallback(
        (message: number, target: string | null = null) => {
            if (!marks.length) return;
            flow.current?.jump({ message: Math.max(0, Math.min(message, marks.length - 1)), find: target });
        },
        [marks],
    );
    const toMessage = (message: number) => {
        setCurrent(message);
        go(withQuery({ finding: null }) + `#m${message}`, true);
        jump(message);
    };
    const toEvidence = useCallback(
        (id: string, index: number) => {
            const target = findings.find(f => f.id === id);
            const evidence = target?.evidence[index];
            if (!target || !evidence) return;
            if (evidence.run != null && evidence.run !== run.id) {
                // The task's finding goes on in another run.
                go(runPath(evidence.run, { finding: id, message: evidence.message, transcript: evidence.position }));
                return;
            }
            setNow({ finding: id, index });
            go(placeIn(run.id, id, evidence), true);
            if (evidence.message == null) scrollTo(0, 0);
            else {
                setCurrent(evidence.message);
                if ((evidence.position ?? 0) === transcript) jump(evidence.message, `[data-f~="${id}.${index}"]`);
            }
        },
        [run.id, findings, transcript, jump],
    );
    const step = (by: number) => {
        const at = stops.findIndex(s => s.finding.id === now?.finding && s.index === now.index);
        let next = at < 0 ? (by > 0 ? 0 : stops.length - 1) : at + by;
        if (at < 0 && flow.current) {
            // Nothing chosen yet: start from what is in view.
            const [first] = flow.current.inView();
            const ahead = stops.findIndex(s => (s.evidence.position ?? 0) === transcript && (s.evidence.message ?? -1) >= first);
            if (ahead >= 0) next = by > 0 ? ahead : ahead - 1;
        }
        const target = stops[(next + stops.length) % stops.length];
        if (target) toEvidence(target.finding.id, target.index);
        else toast('Nothing was found in this run');
    };
    const stepMessage = (by: number) => {
        if (!rows.length || !flow.current) return;
        const [first, last] = flow.current.inView();
        const from =
            current != null && current >= first && current <= last
                ? rowOf(rows, current)
                : rowOf(rows, first) - (by > 0 && scrollY < 40 ? 1 : 0);
        toMessage(rows[Math.max(0, Math.min(rows.length - 1, from + by))]!.from);
    };

    // The address says where to stand, at first and when it is changed by a link or Back.
    const arrived = useRef('');
    useEffect(() => {
        const address = place.path + '?' + (wanted ?? '') + '#' + place.hash + ' ' + transcript;
        if (arrived.current === address) return;
        const first = arrived.current === '';
        arrived.current = address;
        if (stop && (first || stop.finding.id !== now?.finding)) setNow({ finding: stop.finding.id, index: stop.index });
        if (hash?.span) {
            setCurrent(hash.message);
            jump(hash.message, 'mark.now');
        } else if (stop?.evidence.message != null && (!hash || hash.message === stop.evidence.message)) {
            setCurrent(stop.evidence.message);
            jump(stop.evidence.message, `[data-f~="${stop.finding.id}.${stop.index}"]`);
        } else if (hash) {
            setCurrent(hash.message);
            jump(hash.message);
        }
    }, [place, transcript, jump]);

    // A link to a span counts bytes; what to mark is known when its message is there.
    const spanKey = hash?.span ? `${hash.message} ${hash.span.part} ${hash.span.start}` : '';
    useEffect(() => {
        setLinked(null);
        if (!hash?.span) return;
        const { message, span } = hash;
        const look = () => {
            const text = pages.get(message) && partsOf(pages.get(message)!).find(([part]) => part === span.part)?.[1];
            if (text === undefined) return false;
            const [from, to] = toUtf16(text, [span.start, span.end]);
            setLinked({ message, part: span.part, from: from!, to: to! });
            return true;
        };
        if (look()) return;
        return pages.watch(look);
    }, [spanKey, pages]);

    /* ---- hits ---- */
    const shownFound = finding.open ? found : NOTHING;
    const hit = shownFound.hits[hitAt] ?? null;
    useEffect(() => {
        setHitAt(-1);
        findFrom.current = flow.current?.inView()[0] ?? 0;
    }, [finding.text, finding.regex, finding.open]);
    // The first hit from where the reader stands; from the top when there is none below.
    useEffect(() => {
        if (hitAt >= 0 || !shownFound.hits.length) return;
        const below = shownFound.hits.findIndex(h => h.message >= findFrom.current);
        if (below >= 0) setHitAt(below);
        else if (shownFound.share === 1) setHitAt(0);
    }, [shownFound, hitAt]);
    useEffect(() => {
        if (hit) jump(hit.message, 'mark.now');
    }, [hit?.message, hit?.part, hit?.from]);
    const stepHit = (by: number) => {
        const n = shownFound.hits.length;
        if (n) setHitAt(at => (Math.max(0, at) + by + n) % n);
    };
    const hitMessages = useMemo(() => new Set(shownFound.byMessage.keys()), [shownFound]);

    /* ---- reviews ---- */
    const apply = useCallback(
        (ids: string[], what: Partial<Pick<Finding, 'status' | 'note'>>) =>
            change(before => ({
                ...before,
                all_findings: before.all_findings.map(f => (ids.includes(f.id) ? { ...f, ...what } : f)),
            })),
        [change],
    );
    const onReview = useCallback((target: Finding, status: Status) => void review([target], { status }, apply), [apply]);
    const chosen = findings.find(f => f.id === now?.finding && !isSaid(f.id));
    const pickFocused = () => {
        const evidence = findings.find(f => f.id === now?.finding)?.evidence[now!.index];
        if (evidence?.message == null) return toast('Choose a finding in the transcript first: ] goes to the next');
        const { message, part, start, end, quote } = evidence;
        setPicked({ message, part, start, end, quote });
    };
    const reviewNow = (status: Status) =>
        chosen ? onReview(chosen, status) : toast('Choose a finding first: ] goes to the next');

    const toggleJudgment = (id: string) =>
        setOpened(before => {
            const next = new Set(before);
            if (!next.delete(id)) next.add(id);
            else if (now?.finding === saidId(id)) setNow(null);
            return next;
        });

    /* ---- drawing ---- */
    const showRaw = useCallback(
        (message: Message) => setRaw({ title: `M${message.index}, ${message.role}`, value: message }),
        [],
    );
    const link = useCallback(
        (message: number) => void copy(location.origin + runPath(run.id, { message, transcript }), `Link to M${message}`),
        [run.id, transcript],
    );
    const reading = useMemo(
        (): Reading => ({
            model: run.model,
            evidence: m => here.get(m) ?? NO_ITEMS,
            hits: m => {
                const list = shownFound.byMessage.get(m);
                return linked?.message === m ? [...(list ?? []), linked] : (list ?? NO_HITS);
            },
            nowHit: hit ?? linked,
            now,
            href: m => runPath(run.id, { message: m, transcript }),
            raw: showRaw,
            link,
            markdown,
            pages,
        }),
        [markdown, run.id, run.model, here, shownFound, linked, hit, now, transcript, pages],
    );

    const watchers = useRef(new Set<(first: number, last: number) => void>());
    const lastView = useRef<[number, number]>([0, 0]);
    const onView = useCallback((first: number, last: number) => {
        lastView.current = [first, last];
        for (const watcher of watchers.current) watcher(first, last);
    }, []);
    const view = useCallback((watcher: (first: number, last: number) => void) => {
        watchers.current.add(watcher);
        watcher(...lastView.current);
        return () => void watchers.current.delete(watcher);
    }, []);

    const draw = useCallback(
        (row: Row, get: (i: number) => Message | undefined) => {
            const items: EvItem[] = [];
            for (let m = row.from; m < row.to; m++) items.push(...(here.get(m) ?? NO_ITEMS));
            return (
                <Block
                    row={row}
                    get={get}
                    current={current != null && current >= row.from && current < row.to}
                    notes={items.length ? <Notes items={items} now={now} onGo={toEvidence} onReview={onReview} /> : undefined}
                />
            );
        },
        [here, current, now, toEvidence, onReview],
    );

    useKeys('Run', [
        { key: ']', does: 'next finding', run: () => step(1) },
        { key: '[', does: 'previous finding', run: () => step(-1) },
        { key: 'j', does: 'next message', run: () => stepMessage(1) },
        { key: 'k', does: 'previous message', run: () => stepMessage(-1) },
        {
            key: 'g',
            does: 'first message',
            run: () => {
                toMessage(0);
                scrollTo(0, 0);
            },
        },
        { key: 'G', does: 'last message', run: () => toMessage(marks.length - 1) },
        {
            key: '/',
            does: 'find in transcript',
            run: () => {
                setFinding(f => ({ ...f, open: true }));
                document.querySelector<HTMLInputElement>('.find input')?.select();
            },
        },
        { key: 'n', does: 'next hit', run: () => stepHit(1) },
        { key: 'N', does: 'previous hit', run: () => stepHit(-1) },
        { key: 'l', does: 'label the run', need: 'review', run: () => setLabelling({ open: true }) },
        { key: 'c', does: 'confirm the finding', need: 'review', run: () => reviewNow('confirmed') },
        { key: 'x', does: 'dismiss the finding', need: 'review', run: () => reviewNow('dismissed') },
        // The label bar has it, too, and falls back to reviews.
        ...(labelling.open ? [] : [{ key: 'u', does: 'undo the last review', need: 'review' as const, run: () => void undo() }]),
        {
            key: 'r',
            does: 'raw JSON of the message',
            run: () => {
                const m = pages.get(current ?? lastView.current[0]);
                if (m) showRaw(m);
            },
        },
        {
            key: 'm',
            does: 'messages as markdown, or as sent',
            run: () => {
                setMarkdown(!markdown);
                toast(markdown ? 'Messages are shown as they were sent' : 'Messages are shown as markdown; m shows them as sent');
            },
        },
        { key: 'y', does: 'copy a link to the message', run: () => link(current ?? lastView.current[0]) },
        ...(finding.open ? [{ key: 'Escape', does: 'close find', run: () => setFinding(f => ({ ...f, open: false })) }] : []),
    ]);

    const minimap = useMemo(
        () =>
            stops
                .filter(s => s.evidence.message != null && !isSaid(s.finding.id) && (s.evidence.position ?? 0) === transcript)
                .map(s => ({
                    message: Math.min(s.evidence.message!, marks.length - 1),
                    kind: s.finding.kind,
                    dismissed: s.finding.status === 'dismissed',
                    now: s.finding.id === now?.finding,
                })),
        [stops, transcript, now, marks],
    );

    return (
        <FoldsContext.Provider value={folds}>
            <FindingContext.Provider value={toEvidence}>
                <RunHead
                    run={run}
                    runs={collectionPath(collection, 'runs')}
                    findings={findings.filter(f => !isSaid(f.id))}
                    labels={blind ? run.labels.filter(l => l.who === labelling.who) : run.labels}
                    judgments={
                        !blind && (
                            <Judgments
                                run={run}
                                judgments={judgments.data?.items ?? []}
                                opened={opened}
                                now={now}
                                toggle={toggleJudgment}
                                onGo={toEvidence}
                            />
                        )
                    }
                    fields={fields}
                    now={now}
                    onGo={toEvidence}
                    markdown={markdown}
                    onMarkdown={() => setMarkdown(!markdown)}
                    onRaw={() =>
                        setRaw({
                            title: 'Run',
                            value: { ...run, all_findings: undefined, marks: undefined, siblings: undefined },
                        })
                    }
                />
                <Timeline
                    run={run}
                    at={transcript}
                    stops={stops}
                    view={view}
                    onGo={(to, message) => {
                        if (to !== transcript) return go(runPath(run.id, { transcript: to, message }));
                        setCurrent(message);
                        jump(message);
                    }}
                />
                <SameTask run={run} runs={collectionPath(collection, 'runs')} />
                {finding.open && (
                    <div class="find-box" ref={find}>
                        <FindBar
                            text={finding.text}
                            regex={finding.regex}
                            found={found}
                            at={hitAt}
                            messages={marks.length}
                            onText={text => setFinding(f => ({ ...f, text }))}
                            onRegex={regex => setFinding(f => ({ ...f, regex }))}
                            onStep={stepHit}
                            onClose={() => setFinding(f => ({ ...f, open: false }))}
                        />
                    </div>
                )}
                <main id="main" class="reader">
                    <Minimap
                        marks={marks}
                        findings={minimap}
                        hits={hitMessages}
                        view={view}
                        findOpen={finding.open}
                        onGo={message => {
                            setCurrent(message);
                            jump(message);
                        }}
                    />
                    <div class="flow">
                        {!marks.length && <p class="none-yet">This transcript holds no message.</p>}
                        <ReadingContext.Provider value={reading}>
                            {marks.length > 0 && (
                                <Flow
                                    key={transcript}
                                    rows={rows}
                                    pages={pages}
                                    handle={flow}
                                    top={top}
                                    onView={onView}
                                    draw={draw}
                                />
                            )}
                        </ReadingContext.Provider>
                    </div>
                </main>
                <SpanLink
                    run={run.id}
                    transcript={transcript}
                    text={(message, part) => pages.get(message) && partsOf(pages.get(message)!).find(([p]) => p === part)?.[1]}
                    onPick={labelling.open ? setPicked : undefined}
                    onLabel={words => {
                        setPicked(words);
                        setLabelling({ open: true });
                    }}
                    onAsk={setAsking}
                />
                {asking && <AskJudge run={run} words={asking} onClose={() => setAsking(null)} />}
                {labelling.open && (
                    <LabelBar
                        run={run}
                        transcript={transcript}
                        picked={picked}
                        onPick={setPicked}
                        pickFocused={pickFocused}
                        onLabels={labels => change(before => ({ ...before, labels }))}
                    />
                )}
                {raw && <RawDialog {...raw} onClose={() => setRaw(null)} />}
            </FindingContext.Provider>
        </FoldsContext.Provider>
    );
}

function placeIn(run: string, finding: string, evidence: Evidence): string {
    return runPath(run, { finding, message: evidence.message, transcript: evidence.position });
}
