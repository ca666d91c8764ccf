// The whole transcript at the side: one mark a message, findings and hits beside them, a frame for what is in view.
import type { JSX } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { Kind, Mark } from '../api';
import { count } from '../format';

const ROLE = ['rs', 'ru', 'ra', 'rt'];
const WIDTH = [22, 13, 22, 17];
const GAP = 3;
const MOST = 2000; /* messages with a mark of their own; above, marks are merged, findings never */

interface Bar {
    role: number;
    y: number;
    h: number;
    from: number; /* the first message in it */
}

function layOut(marks: Mark[], room: number): { bars: Bar[]; edges: Float64Array; height: number } {
    const size = (mark: Mark) => Math.min(16, Math.max(4, Math.log2(1 + mark[1] / 16) * 1.6 + Math.min(mark[2], 4)));
    let natural = 0;
    for (const mark of marks) natural += size(mark) + GAP;
    const scale = Math.min(1, room / Math.max(1, natural));
    const edges = new Float64Array(marks.length + 1);
    for (let i = 0; i < marks.length; i++) edges[i + 1] = edges[i]! + (size(marks[i]!) + GAP) * scale;
    const bars: Bar[] = [];
    const own = marks.length <= MOST && scale > 0.34;
    for (let i = 0; i < marks.length;) {
        let to = i + 1;
        if (!own) while (to < marks.length && edges[to + 1]! - edges[i]! < 3) to++;
        // A merged mark wears the role with the most text in it.
        const weight = [0, 0, 0, 0];
        for (let k = i; k < to; k++) weight[marks[k]![0]]! += marks[k]![1] + 1;
        const role = weight.indexOf(Math.max(...weight));
        bars.push({ role, y: edges[i]!, h: Math.max(1, edges[to]! - edges[i]! - (own ? GAP * scale : 0.6)), from: i });
        i = to;
    }
    return { bars, edges, height: edges[marks.length]! };
}

export function Minimap({
    marks,
    findings,
    hits,
    view,
    onGo,
    findOpen,
}: {
    marks: Mark[];
    findings: { message: number; kind: Kind; now: boolean; dismissed: boolean }[];
    hits: ReadonlySet<number>;
    /** Calls back whenever other messages come into view. */
    view: (watcher: (first: number, last: number) => void) => () => void;
    onGo: (message: number) => void;
    findOpen: boolean;
}): JSX.Element {
    const box = useRef<HTMLElement>(null);
    const frame = useRef<SVGRectElement>(null);
    const [room, setRoom] = useState(600);
    useEffect(() => {
        const look = () => box.current && setRoom(Math.max(100, box.current.clientHeight - 20));
        look();
        const watch = new ResizeObserver(look);
        watch.observe(box.current!);
        return () => watch.disconnect();
    }, []);
    const { bars, edges, height } = useMemo(() => layOut(marks, room), [marks, room]);
    useEffect(
        () =>
            view((first, last) => {
                const top = edges[Math.min(first, marks.length)] ?? 0;
                const bottom = edges[Math.min(last + 1, marks.length)] ?? height;
                frame.current?.setAttribute('y', String(top));
                frame.current?.setAttribute('height', String(Math.max(5, bottom - top)));
            }),
        [edges, view],
    );

    const at = (event: PointerEvent) => {
        const svg = event.currentTarget as SVGSVGElement;
        const y = ((event.clientY - svg.getBoundingClientRect().top) / svg.getBoundingClientRect().height) * height;
        let low = 0;
        let high = marks.length - 1;
        while (low < high) {
            const middle = (low + high + 1) >> 1;
            if (edges[middle]! <= y) low = middle;
            else high = middle - 1;
        }
        onGo(low);
    };
    const mid = (message: number) => (edges[message]! + (edges[message + 1] ?? height)) / 2;
    const hitBars = bars.filter((bar, i) => {
        const to = bars[i + 1]?.from ?? marks.length;
        for (let k = bar.from; k < to; k++) if (hits.has(k)) return true;
        return false;
    });
    return (
        <nav
            class={`mini${findOpen ? ' below-find' : ''}`}
            ref={box}
            aria-label={`Minimap: ${count(marks.length, 'message')}, ${count(findings.length, 'piece')} of evidence; the keys [ and ] go from one to the next`}
        >
            <svg
                viewBox={`0 0 52 ${Math.max(1, height)}`}
                height={height}
                preserveAspectRatio="none"
                aria-hidden="true"
                onPointerDown={event => {
                    event.currentTarget.setPointerCapture(event.pointerId);
                    at(event);
                }}
                onPointerMove={event => event.buttons && at(event)}
            >
                <rect class="catch" width="52" height={height} />
                {bars.map(bar => (
                    <rect
                        key={bar.from}
                        class={ROLE[bar.role]}
                        x="12"
                        y={bar.y}
                        width={WIDTH[bar.role]}
                        height={bar.h}
                        rx={bar.h > 3 ? 1 : 0}
                    />
                ))}
                {hitBars.map(bar => (
                    <rect key={bar.from} class="hit" x="2" y={bar.y} width="6" height={Math.max(2, Math.min(4, bar.h))} rx="1" />
                ))}
                {findings.map((f, i) => (
                    <path
                        key={i}
                        class={`f f-${f.kind}${f.now ? ' now' : ''}${f.dismissed ? ' dis' : ''}`}
                        d={`M42 ${mid(f.message) - 4}l4 4l-4 4l-4 -4z`}
                    />
                ))}
                <rect class="view" ref={frame} x="9" width="40" y="0" height="5" rx="2" />
            </svg>
        </nav>
    );
}
