// Rows of a list that come page by page, as far as they are looked at.
import { useEffect, useRef, useState } from 'preact/hooks';
import { api, type ApiError, type Json, type List, type Run } from './api';
import { asApiError } from './use';

export interface Rows<T> {
    /** What these rows answer; the old one until the first new rows are there. */
    key: string;
    items: T[];
    next: string | null;
    total: number | null;
    loading: boolean;
    error: ApiError | undefined;
    ms: number;
    /** Loads on until `n` rows are there. */
    want: (n: number) => void;
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
    type State = Omit<Rows<T>, 'want' | 'again'>;
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

    return {
        ...state,
        want: n => {
            // Some way ahead, so that scrolling meets rows, not gaps.
            wanted.current = Math.max(wanted.current, n + 100);
            loop.current();
        },
        again: () => setTurn(n => n + 1),
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

export function useRunRows(collection: string, asked: string): Rows<Run> {
    return useRows(`runs ${collection} ${asked}`, async ({ limit, after, count }, signal) => {
        const params = new URLSearchParams(asked);
        params.set('limit', String(limit));
        if (after) params.set('after', after);
        if (count) params.set('count', '1');
        const page = await api.runs(collection, params, signal);
        return { ...page, items: page.items.map(slim) };
    });
}
