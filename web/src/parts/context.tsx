// Evidence in its place: the messages that hold it, with their calls or results, and what lies between on demand.
import type { JSX } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { api, type ApiError, type Finding, type Message } from '../api';
import { address, count } from '../format';
import { runPath } from '../router';
import { byMessage, stopsOf, type EvItem } from '../transcript';
import { asApiError } from '../use';
import { Block, ReadingContext, type Reading } from './message';
import { Failure, copy } from './say';
import { FindingContext, Folds, FoldsContext } from './textpart';

const MOST_PLACES = 12; /* pieces of evidence shown in their place at once */
const MOST_RUNS = 3;

interface Group {
    run: string;
    transcript: number;
    items: EvItem[];
}

/** The evidence of a finding by run and transcript, in order. */
function groupsOf(finding: Finding): Group[] {
    const runs = [...new Set(finding.evidence.map(e => e.run ?? finding.run?.id ?? ''))].filter(Boolean);
    const groups: Group[] = [];
    for (const run of runs) {
        for (const item of stopsOf([finding], run)) {
            if (item.evidence.message == null) continue;
            const transcript = item.evidence.position ?? 0;
            const group = groups.find(g => g.run === run && g.transcript === transcript);
            if (group) group.items.push(item);
            else groups.push({ run, transcript, items: [item] });
        }
    }
    return groups;
}

export function EvidenceInPlace({
    finding,
    now,
    onGo,
    onRaw,
}: {
    finding: Finding;
    now: number;
    onGo: (index: number) => void;
    onRaw: (message: Message) => void;
}): JSX.Element {
    const groups = useMemo(() => groupsOf(finding), [finding]);
    const fields = finding.evidence.filter(e => e.message == null);
    const [all, setAll] = useState(false);
    const [folds] = useState(() => new Folds());
    const shown = all ? groups : groups.slice(0, MOST_RUNS);
    const many = new Set(groups.map(g => g.run)).size > 1;
    return (
        <FoldsContext.Provider value={folds}>
            <FindingContext.Provider value={(_, index) => onGo(index)}>
                {fields.length > 0 && (
                    <dl class="field-evidence">
                        {fields.map((e, i) => (
                            <div key={i}>
                                <dt>{address(e)}</dt>
                                <dd>
                                    <samp>
                                        <mark class={`ev ev-${finding.kind}`}>{e.quote}</mark>
                                    </samp>
                                </dd>
                            </div>
                        ))}
                    </dl>
                )}
                {shown.map(group => (
                    <Context
                        key={group.run + group.transcript}
                        group={group}
                        finding={finding}
                        now={now}
                        named={many}
                        onRaw={onRaw}
                    />
                ))}
                {groups.length > shown.length && (
                    <p>
                        <button class="more" type="button" onClick={() => setAll(true)}>
                            show the evidence in {count(groups.length - shown.length, 'more run')}
                        </button>
                    </p>
                )}
            </FindingContext.Provider>
        </FoldsContext.Provider>
    );
}

function Context({
    group,
    finding,
    now,
    named,
    onRaw,
}: {
    group: Group;
    finding: Finding;
    now: number;
    named: boolean;
    onRaw: (message: Message) => void;
}): JSX.Element {
    const [held, setHeld] = useState<ReadonlyMap<number, Message>>(new Map());
    const [total, setTotal] = useState(0);
    const [error, setError] = useState<ApiError | null>(null);
    const [turn, setTurn] = useState(0);
    const [loaded, setLoaded] = useState(false);
    useEffect(() => {
        if (loaded) document.querySelector('.ctx mark.now')?.scrollIntoView({ block: 'center' });
    }, [loaded]);
    const places = useMemo(
        () => [...new Set(group.items.map(item => item.evidence.message!))].sort((a, b) => a - b).slice(0, MOST_PLACES),
        [group],
    );

    const load = async (from: number, to: number, signal?: AbortSignal) => {
        for (let at = from; at < to;) {
            const page = await api.messages(group.run, group.transcript, at, to - at, signal);
            setTotal(page.total);
            setHeld(before => {
                const next = new Map(before);
                for (const message of page.items) next.set(message.index, message);
                return next;
            });
            if (page.next == null) return; /* the end, or all of it */
            at = page.next;
        }
    };
    useEffect(() => {
        const stop = new AbortController();
        setError(null);
        // The task, then each place with what stands before and after it; neighbours are asked for together.
        const ranges: [number, number][] = [[0, 2]];
        for (const m of places) {
            const range: [number, number] = [Math.max(0, m - 1), m + 2];
            const last = ranges[ranges.length - 1]!;
            if (range[0] <= last[1] + 1) last[1] = Math.max(last[1], range[1]);
            else ranges.push(range);
        }
        Promise.all(ranges.map(([from, to]) => load(from, to, stop.signal))).then(
            () => setLoaded(true),
            e => !stop.signal.aborted && setError(asApiError(e)),
        );
        return () => stop.abort();
    }, [group, turn]);

    const evidence = useMemo(() => byMessage(group.items, group.transcript), [group]);
    const reading = useMemo(
        (): Reading => ({
            model: finding.run?.model ?? null,
            evidence: m => evidence.get(m) ?? [],
            hits: () => [],
            nowHit: null,
            now: { finding: finding.id, index: now },
            href: m => runPath(group.run, { finding: finding.id, message: m, transcript: group.transcript }),
            raw: onRaw,
            link: m =>
                void copy(location.origin + runPath(group.run, { message: m, transcript: group.transcript }), `Link to M${m}`),
        }),
        [evidence, finding, now, group],
    );

    const [opened, setOpened] = useState<ReadonlySet<number>>(new Set());
    const first = [0, 1].find(i => held.get(i)?.role === 'user');
    const wanted = new Set<number>([...opened, ...(first != null ? [first] : [])]);
    for (const m of places) {
        wanted.add(m);
        const role = held.get(m)?.role;
        if (role === 'tool' && held.get(m - 1)?.role === 'assistant') wanted.add(m - 1);
        if (held.get(m)?.tool_calls.length && held.get(m + 1)?.role === 'tool') wanted.add(m + 1);
        if (role === 'user' && m > 0 && places.length === 1) wanted.add(m - 1);
    }
    const shown = [...wanted].filter(m => held.has(m)).sort((a, b) => a - b);
    const parts: JSX.Element[] = [];
    const gap = (from: number, to: number) => {
        if (to <= from) return;
        const until = Math.min(to, from + 20);
        parts.push(
            <p class="skip-n" key={`gap ${from}`}>
                <button
                    class="more"
                    type="button"
                    onClick={() => {
                        void load(from, until)
                            .then(() =>
                                setOpened(
                                    before => new Set([...before, ...Array.from({ length: until - from }, (_, i) => from + i)]),
                                ),
                            )
                            .catch(e => setError(asApiError(e)));
                    }}
                >
                    show M{from}
                    {until > from + 1 ? `–M${until - 1}` : ''}
                    {until < to ? ` of ${to - from} between` : ''}
                </button>
            </p>,
        );
    };
    let at = 0;
    for (let i = 0; i < shown.length;) {
        const m = shown[i]!;
        gap(at, m);
        let to = m + 1;
        if (held.get(m)!.role === 'assistant' && held.get(m)!.tool_calls.length)
            while (wanted.has(to) && held.get(to)?.role === 'tool') to++;
        parts.push(<Block key={m} row={{ from: m, to }} get={k => held.get(k)} />);
        while (i < shown.length && shown[i]! < to) i++;
        at = to;
    }
    if (shown.length) gap(at, total);
    return (
        <>
            {named && (
                <h3 class="ctx-run">
                    <a href={runPath(group.run, { finding: finding.id, message: places[0], transcript: group.transcript })}>
                        run {group.run.slice(0, 8)}
                    </a>{' '}
                    <span class="dim">{count(group.items.length, 'piece')} of evidence</span>
                </h3>
            )}
            {error && <Failure error={error} what="The messages could not be loaded." again={() => setTurn(n => n + 1)} />}
            <ReadingContext.Provider value={reading}>
                {(shown.length > 0 || !error) && (
                    <div class="ctx" aria-busy={!shown.length}>
                        {parts}
                    </div>
                )}
            </ReadingContext.Provider>
        </>
    );
}
