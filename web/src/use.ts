// Hooks that pages share.
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { ApiError } from './api';
import { usePrinted } from './print';

export interface Answer<T> {
    data: T | undefined;
    error: ApiError | undefined;
    again: () => void;
    /** Changes the data in place (after a review) without asking the server. */
    change: (f: (data: T) => T) => void;
}

/* The last answers, so that Back shows its page at once; a fresh answer replaces them. */
const kept = new Map<string, unknown>();
const KEEP = 24;
function keep(key: string, value: unknown): void {
    kept.delete(key);
    kept.set(key, value);
    if (kept.size > KEEP) kept.delete(kept.keys().next().value!);
}

/** Asks when `key` changes; null asks nothing. The old answer of the same `key` stays while a new one is on its way. */
export function useAsk<T>(key: string | null, ask: (signal: AbortSignal) => Promise<T>): Answer<T> {
    const [state, set] = useState<{ key: string | null; data?: T; error?: ApiError }>({ key: null });
    const [turn, setTurn] = useState(0);
    const asking = useRef(ask);
    asking.current = ask;
    useEffect(() => {
        if (key == null) return;
        const stop = new AbortController();
        asking.current(stop.signal).then(
            data => {
                keep(key, data);
                set({ key, data });
            },
            (error: unknown) => {
                if (stop.signal.aborted) return;
                set(before => ({ key, data: before.key === key ? before.data : undefined, error: asApiError(error) }));
            },
        );
        return () => stop.abort();
    }, [key, turn]);
    const mine = state.key === key;
    const again = () => setTurn(n => n + 1);
    useRetry(key != null && mine ? state.error : undefined, again);
    return {
        data: key == null ? undefined : mine && (state.data || state.error) ? state.data : (kept.get(key) as T | undefined),
        error: mine ? state.error : undefined,
        again,
        change: f =>
            set(before => {
                const data = before.key === key && before.data !== undefined ? before.data : (kept.get(key!) as T | undefined);
                if (data === undefined) return before;
                const next = f(data);
                keep(key!, next);
                return { key, data: next };
            }),
    };
}

const RETRY_MS = 3000;

/** Asks again while the server is away: every few seconds, and when somebody comes back to the page or the network does. */
export function useRetry(error: ApiError | undefined, again: () => void): void {
    useEffect(() => {
        if (!error || !(error.code === 'network' || error.status === 502 || error.status === 504)) return;
        const timer = setTimeout(again, RETRY_MS);
        addEventListener('focus', again);
        addEventListener('online', again);
        return () => {
            clearTimeout(timer);
            removeEventListener('focus', again);
            removeEventListener('online', again);
        };
    }, [error]);
}

/** The last value that was there: what is on screen stays until its successor comes. */
export function useKept<T>(value: T | undefined): T | undefined {
    const last = useRef(value);
    if (value !== undefined) last.current = value;
    return value ?? last.current;
}

export function asApiError(error: unknown): ApiError {
    if (error instanceof ApiError) return error;
    return new ApiError(0, 'page', error instanceof Error ? error.message : String(error), 'in the page');
}

export function useMedia(query: string): boolean {
    const [matches, set] = useState(() => matchMedia(query).matches);
    useEffect(() => {
        const list = matchMedia(query);
        const listener = () => set(list.matches);
        listener();
        list.addEventListener('change', listener);
        return () => list.removeEventListener('change', listener);
    }, [query]);
    return matches;
}
export const useNarrow = () => useMedia('(max-width: 720px)');

export function useTitle(title: string): void {
    useEffect(() => {
        document.title = title ? `${title} - Telltale` : 'Telltale';
    }, [title]);
}

/** Which of `offsets.length - 1` rows, stacked in `list` (their edges in pixels), are in view, wherever the scrolling happens. */
export function useInView(list: { current: HTMLElement | null }, offsets: ArrayLike<number>, more = 600): [number, number] {
    const count = offsets.length - 1;
    const [range, set] = useState<[number, number]>(() => [0, Math.min(count, rowAt(offsets, innerHeight) + 1)]);
    const latest = useRef(offsets);
    latest.current = offsets;
    const look = useRef(() => {});
    look.current = () => {
        const box = list.current?.getBoundingClientRect();
        if (!box) return;
        const edges = latest.current;
        const first = Math.max(0, rowAt(edges, -box.top - more));
        const last = Math.min(edges.length - 1, rowAt(edges, innerHeight - box.top + more) + 1);
        set(before => (before[0] === first && before[1] === last ? before : [first, Math.max(first, last)]));
    };
    useLayoutEffect(() => {
        let frame = 0;
        const soon = () => (frame ||= requestAnimationFrame(() => ((frame = 0), look.current())));
        look.current();
        // Scroll events do not bubble, so listen while they go down: whichever element scrolls, this hears it.
        document.addEventListener('scroll', soon, { capture: true, passive: true });
        addEventListener('resize', soon);
        return () => {
            cancelAnimationFrame(frame);
            document.removeEventListener('scroll', soon, { capture: true });
            removeEventListener('resize', soon);
        };
    }, []);
    useLayoutEffect(() => look.current(), [offsets]);
    const printed = usePrinted(count);
    return printed == null ? [Math.min(range[0], count), Math.min(range[1], count)] : [0, printed];
}

/** The row whose edges hold `y`; binary search in ascending edges. */
export function rowAt(edges: ArrayLike<number>, y: number): number {
    let low = 0;
    let high = edges.length - 2;
    while (low < high) {
        const middle = (low + high + 1) >> 1;
        if (edges[middle]! <= y) low = middle;
        else high = middle - 1;
    }
    return Math.max(0, low);
}
