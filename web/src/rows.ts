// Rows of a list that come page by page, as far as they are looked at.
import { useEffect, useRef, useState } from 'preact/hooks';
import { api, type ApiError, type Json, type List, type Run } from './api';
import { asApiError, useRetry } from './use';

export interface Rows<T> {
    /** What these rows answer; the old one until the first new rows are there. */
    key: string;
    items: T[];
    next: string | null;
    total: number | null;
    loading: boolean;
    error: ApiError | undefined;
    ms: number;
    /** They answer another key than the one that is asked for: it is not answered yet, or was refused. */
    stale: boolean;
    /** Loads on until `n` rows are there; of runs the rows from `from` to `n`, and what lies before may stay unloaded. */
    want: (n: number, from?: number) => void;
    again: () => void;
}

const FIRST = 100;
const PAGE = 1000;

/* The last lists, so that Back shows its rows at once. */
const kept = new Map<string, { items: unknown[]; next: string | null; total: number | null }>();

/** Pages of `key`; when it changes, the old rows stay until the first new ones are there, and for good where it is refused. */
export function useRows<T>(
    key: string,
    ask: (page: { limit: number; after: string | null; count: boolean }, signal: AbortSignal) => Promise<List<T>>,
    sizes: { first: number; page: number } = { first: FIRST, page: PAGE },
): Rows<T> {
    type State = Omit<Rows<T>, 'want' | 'again' | 'stale'>;
    const [state, set] = useState<State>(() => {
        const before = kept.get(key) as { items: T[]; next: string | null; total: number | null } | undefined;
        return {
            key,
            items: before?.items ?? [],
            next: before?.next ?? null,
            total: before?.total ?? null,
            loading: true,
            error: undefined,
            ms: 0,
        };
    });
    const [turn, setTurn] = useState(0);
    const wanted = useRef(0);
    const loop = useRef<() => void>(() => {});
    const asking = useRef(ask);
    asking.current = ask;

    useEffect(() => {
        const stop = new AbortController();
        const started = performance.now();
        let items: T[] = [];
        let next: string | null = null;
        let total: number | null = null;
        let busy = true;
        wanted.current = 0;
        const put = (loading: boolean, ms?: number) => {
            kept.delete(key);
            kept.set(key, { items, next, total });
            if (kept.size > 6) kept.delete(kept.keys().next().value!);
            set(before => ({ key, items, next, total, loading, error: undefined, ms: ms ?? before.ms }));
        };
        const fail = (e: unknown) => {
            busy = false;
            if (!stop.signal.aborted) set(before => ({ ...before, loading: false, error: asApiError(e) }));
        };
        set(before => ({ ...before, loading: true, error: undefined }));
        asking.current({ limit: sizes.first, after: null, count: true }, stop.signal).then(page => {
            ({ items, next, total } = page);
            busy = false;
            put(false, performance.now() - started);
            loop.current();
        }, fail);
        loop.current = async () => {
            if (busy || !next || items.length >= wanted.current) return;
            busy = true;
            set(before => ({ ...before, loading: true }));
            let drawn = 0;
            try {
                while (next && items.length < wanted.current) {
                    const page: List<T> = await asking.current({ limit: sizes.page, after: next, count: false }, stop.signal);
                    items = items.concat(page.items);
                    next = page.next;
                    const more = next != null && items.length < wanted.current;
                    // A long way down the list: what passes by need not be drawn each time.
                    if (more && performance.now() - drawn < 250) continue;
                    put(more);
                    drawn = performance.now();
                }
                busy = false;
            } catch (e) {
                fail(e);
            }
        };
        return () => stop.abort();
    }, [key, turn]);
    const again = () => setTurn(n => n + 1);
    useRetry(state.error, again);

    return {
        ...state,
        stale: state.key !== key,
        want: n => {
            // Some way ahead, so that scrolling meets rows, not gaps.
            wanted.current = Math.max(wanted.current, n + 100);
            loop.current();
        },
        again,
    };
}

/* What a table can show of metadata: words and numbers, two levels deep. */
function slimObject(object: Record<string, Json>, deep: boolean): Record<string, Json> {
    const kept: Record<string, Json> = {};
    for (const [key, value] of Object.entries(object).slice(0, 200)) {
        if (typeof value === 'string') kept[key] = value.slice(0, 200);
        else if (value !== null && typeof value !== 'object') kept[key] = value;
        else if (deep && value !== null && !Array.isArray(value)) kept[key] = slimObject(value, false);
    }
    return kept;
}

/** A run without what no table shows: a hundred thousand of them are held at once. */
function slim(run: Run): Run {
    const metadata = slimObject(run.metadata ?? {}, true);
    const scores = run.scores.slice(0, 20).map(score => ({ ...score, answer: null, target: null, explanation: null }));
    return {
        ...run,
        metadata,
        scores,
        transcripts: [],
        first_finding: run.first_finding && { ...run.first_finding, evidence: run.first_finding.evidence.slice(0, 1) },
    };
}

const RUNS = 200; /* a page */
const PAUSE = 60; /* ms: what passes by while the scroll bar is dragged is not asked for */

/** The runs that are looked at, from anywhere in the list: `items` has holes where nobody was yet. */
export function useRunRows(collection: string, asked: string): Rows<Run> {
    const key = `runs ${collection} ${asked}`;
    type State = Omit<Rows<Run>, 'want' | 'again' | 'stale'>;
    const [state, set] = useState<State>(() => {
        const before = kept.get(key) as { items: Run[]; total: number | null } | undefined;
        const { items, total } = before ?? { items: [], total: null };
        return { key, items, next: null, total, loading: true, error: undefined, ms: 0 };
    });
    const [turn, setTurn] = useState(0);
    const wanted = useRef<[from: number, until: number]>([0, 0]);
    const look = useRef(() => {});
    useEffect(() => {
        const stop = new AbortController();
        const started = performance.now();
        const begun = new Set<number>();
        let items: Run[] = [];
        let total: number | null = null;
        let under = 0;
        let timer = 0;
        const load = async (page: number) => {
            if (begun.has(page)) return;
            begun.add(page);
            under++;
            const params = new URLSearchParams(asked);
            params.set('limit', String(RUNS));
            if (page) params.set('offset', String(page * RUNS));
            else params.set('count', '1');
            try {
                const answer = await api.runs(collection, params, stop.signal);
                under--;
                items = items.slice();
                answer.items.forEach((run, i) => (items[page * RUNS + i] = slim(run)));
                if (!page) {
                    total = answer.total;
                    look.current();
                }
                kept.delete(key);
                kept.set(key, { items, next: null, total });
                if (kept.size > 6) kept.delete(kept.keys().next().value!);
                const ms = page ? undefined : performance.now() - started;
                set(before => ({ key, items, next: null, total, loading: under > 0, error: undefined, ms: ms ?? before.ms }));
            } catch (e) {
                under--;
                begun.delete(page);
                if (!stop.signal.aborted) set(before => ({ ...before, loading: under > 0, error: asApiError(e) }));
            }
        };
        look.current = () => {
            clearTimeout(timer);
            timer = setTimeout(() => {
                if (total == null) return;
                const [from, until] = wanted.current;
                const last = Math.ceil(Math.min(until, total) / RUNS) - 1;
                for (let page = Math.floor(from / RUNS); page <= last; page++) void load(page);
            }, PAUSE);
        };
        set(before => ({ ...before, loading: true, error: undefined }));
        void load(0);
        return () => {
            clearTimeout(timer);
            stop.abort();
        };
    }, [key, turn]);
    const again = () => {
        // What was changed may stand in the other lists that are kept, too.
        kept.clear();
        setTurn(n => n + 1);
    };
    useRetry(state.error, again);
    return {
        ...state,
        stale: state.key !== key,
        want: (until, from = 0) => {
            wanted.current = [from, until];
            look.current();
        },
        again,
    };
}
