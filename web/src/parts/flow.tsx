// The messages: only those near the view are loaded and drawn; what is looked at stays put while heights become known.
import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useLayoutEffect, useMemo, useReducer, useRef } from 'preact/hooks';
import type { Message } from '../api';
import type { Pages } from '../messages';
import { guessHeight, rowOf, type Row } from '../transcript';
import { rowAt, useInView } from '../use';
import { Failure } from './say';

/** Where the reader should stand. `find` names an element in the message that should be well in view. */
export interface Jump {
    message: number;
    find: string | null;
}

export interface FlowHandle {
    jump: (to: Jump) => void;
    /** The first and last message in view. */
    inView: () => [number, number];
}

const PLACE = 0.33; /* of the window's height: where evidence is put */

export function Flow({
    rows,
    pages,
    handle,
    top,
    draw,
    onView,
}: {
    rows: Row[];
    pages: Pages;
    handle: { current: FlowHandle | null };
    /** How much of the window's top is covered, in pixels. */
    top: number;
    /** Called once a row for as long as it stays the same function. */
    draw: (row: Row, get: (i: number) => Message | undefined) => ComponentChildren;
    onView: (first: number, last: number) => void;
}): JSX.Element {
    const box = useRef<HTMLDivElement>(null);
    const [version, bump] = useReducer((n: number, _: void) => n + 1, 0);
    const heights = useMemo(() => Float64Array.from(rows, row => guessHeight(row, pages.marks)), [rows, pages]);
    const offsets = useMemo(() => {
        const edges = new Float64Array(rows.length + 1);
        for (let i = 0; i < rows.length; i++) edges[i + 1] = edges[i]! + heights[i]!;
        return edges;
    }, [heights, version]);
    const [from, to] = useInView(box, offsets, 800);
    const state = useRef({ offsets, rows, top });
    state.current = { offsets, rows, top };

    /* The row that must not move, and where its top stands in the window. `held`: it was jumped to, and nobody scrolled since. */
    const anchor = useRef({ row: 0, y: NaN, held: false, find: null as string | null });

    const rowElement = (row: number) => box.current?.querySelector<HTMLElement>(`:scope > [data-row="${row}"]`) ?? null;
    const settle = useRef(() => {});
    settle.current = () => {
        const a = anchor.current;
        if (isNaN(a.y) || !box.current) return;
        const element = rowElement(a.row);
        const now = element
            ? element.getBoundingClientRect().top
            : box.current.getBoundingClientRect().top + state.current.offsets[a.row]!;
        if (Math.abs(now - a.y) > 1) scrollBy(0, now - a.y);
        if (!a.find || !element) return;
        const target = box.current.querySelector<HTMLElement>(a.find);
        if (!target) return;
        const box2 = target.getBoundingClientRect();
        const place = state.current.top + (innerHeight - state.current.top) * PLACE;
        if (box2.top < state.current.top + 30 || box2.top > innerHeight * 0.7) scrollBy(0, box2.top - place);
        // From here on the block that holds the words is what must not move.
        const row = Number(target.closest<HTMLElement>('[data-row]')?.dataset.row ?? a.row);
        a.find = null;
        a.row = row;
        a.y = rowElement(row)!.getBoundingClientRect().top;
        target.scrollIntoView({ block: 'nearest', inline: 'nearest' });
    };

    const tell = useRef(() => {});
    tell.current = () => {
        if (!box.current) return;
        const y = box.current.getBoundingClientRect().top;
        const edges = state.current.offsets;
        const first = rowAt(edges, state.current.top - y + 1);
        const last = rowAt(edges, innerHeight - y - 1);
        if (!anchor.current.held && y > state.current.top) {
            anchor.current.y = NaN; /* the head of the page is in view: nothing needs holding */
        } else if (!anchor.current.held) {
            const element = rowElement(first);
            anchor.current = {
                row: first,
                y: element ? element.getBoundingClientRect().top : edges[first]! + y,
                held: false,
                find: null,
            };
        }
        onView(state.current.rows[first]?.from ?? 0, (state.current.rows[last]?.to ?? 1) - 1);
    };

    handle.current = {
        jump: ({ message, find }) => {
            const row = rowOf(rows, message);
            anchor.current = { row, y: top + 8, held: true, find };
            settle.current();
            pages.want(rows[row]!.from, rows[row]!.to);
            bump();
        },
        inView: () => {
            const y = box.current?.getBoundingClientRect().top ?? 0;
            return [
                state.current.rows[rowAt(offsets, top + 12 - y)]?.from ?? 0,
                (state.current.rows[rowAt(offsets, innerHeight - y)]?.to ?? 1) - 1,
            ];
        },
    };

    useEffect(() => pages.watch(() => bump()), [pages]);
    useEffect(() => {
        if (to > from) pages.want(rows[from]!.from, rows[Math.min(to, rows.length) - 1]!.to);
    }, [from, to, pages, version]);

    useEffect(() => {
        const letGo = () => {
            anchor.current.held = false;
            anchor.current.find = null;
        };
        const onScroll = () => tell.current();
        const gestures = ['wheel', 'touchstart', 'pointerdown', 'keydown'] as const;
        for (const gesture of gestures) addEventListener(gesture, letGo, { passive: true, capture: true });
        addEventListener('scroll', onScroll, { passive: true });
        addEventListener('resize', onScroll);
        tell.current();
        return () => {
            for (const gesture of gestures) removeEventListener(gesture, letGo, { capture: true });
            removeEventListener('scroll', onScroll);
            removeEventListener('resize', onScroll);
        };
    }, []);

    /* Heights become known when rows are drawn, and change when parts are unfolded. */
    const watch = useRef<ResizeObserver | null>(null);
    const watched = useRef(new Set<Element>());
    useLayoutEffect(() => {
        const measure = () => {
            let changed = false;
            for (const element of box.current?.children ?? []) {
                const row = Number((element as HTMLElement).dataset.row ?? -1);
                if (row < 0) continue;
                const height = (element as HTMLElement).offsetHeight;
                if (height !== heights[row]) {
                    heights[row] = height;
                    changed = true;
                }
            }
            settle.current();
            if (changed) bump();
        };
        watch.current = new ResizeObserver(measure);
        watched.current.clear();
        return () => watch.current?.disconnect();
    }, [heights]);
    useLayoutEffect(() => {
        for (const element of watched.current) {
            if (element.isConnected) continue;
            watch.current!.unobserve(element);
            watched.current.delete(element);
        }
        for (const element of box.current!.children) {
            if (!(element as HTMLElement).dataset.row || watched.current.has(element)) continue;
            watch.current!.observe(element);
            watched.current.add(element);
        }
        settle.current();
        tell.current();
    });

    const get = (i: number) => pages.get(i);
    /* A row that was drawn already is the same element again, which costs nothing: scrolling draws only what comes into view. */
    const before = useRef({ draw, pages, rows: new Map<number, JSX.Element>() });
    const made = new Map<number, JSX.Element>();
    const drawn: JSX.Element[] = [];
    for (let i = from; i < to; i++) {
        const row = rows[i]!;
        let ready = true;
        for (let m = row.from; m < row.to; m++) if (!pages.get(m)) ready = false;
        const kept = before.current.draw === draw && before.current.pages === pages ? before.current.rows.get(i) : undefined;
        if (ready) {
            const element = kept ?? (
                <div key={i} data-row={i}>
                    {draw(row, get)}
                </div>
            );
            made.set(i, element);
            drawn.push(element);
            continue;
        }
        const error = pages.failure(row.from);
        drawn.push(
            <div key={i} data-row={i}>
                {error ? (
                    <Failure
                        error={error}
                        what={`M${row.from} could not be loaded.`}
                        again={() => {
                            pages.again(row.from);
                            bump();
                        }}
                    />
                ) : (
                    <article class="msg waiting" aria-busy="true" style={{ height: `${Math.round(heights[i]!)}px` }}>
                        <span class="no">M{row.from}</span>
                        <div class="body">
                            <span class="dim">…</span>
                        </div>
                    </article>
                )}
            </div>,
        );
    }
    before.current = { draw, pages, rows: made };
    return (
        <div class="rows-in-view" ref={box}>
            <div key="above" style={{ height: `${offsets[from]}px` }} />
            {drawn}
            <div key="below" style={{ height: `${offsets[rows.length]! - offsets[Math.max(from, to)]!}px` }} />
        </div>
    );
}
