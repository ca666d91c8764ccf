// Points on a plane: a hundred thousand drawn at once into one picture; a wheel to zoom, a drag to move or to draw round some of them.
import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { GONE, inside, type Group, type Grouped, type RunMap, type View } from '../runmap';

export type Tool = 'select' | 'move';

/** A colour of the style sheet as the bytes of a picture. */
function readColours(element: HTMLElement, groups: Group[]): { ink: Uint32Array; pale: Uint32Array } {
    const probe = document.createElement('canvas').getContext('2d', { willReadFrequently: true })!;
    const style = getComputedStyle(element);
    const bytes = (colour: string): [number, number, number] => {
        probe.fillStyle = colour;
        probe.fillRect(0, 0, 1, 1);
        const [r, g, b] = probe.getImageData(0, 0, 1, 1).data;
        return [r!, g!, b!];
    };
    // light-dark() is resolved where it is used, not where the token is read: so a colour is asked of an element.
    const resolve = (token: string) => {
        element.style.setProperty('outline-color', `var(${token})`);
        const colour = style.outlineColor;
        element.style.removeProperty('outline-color');
        return bytes(colour);
    };
    const [surface, line, accent] = [resolve('--surface'), resolve('--line-2'), resolve('--accent')];
    const mix = (a: number[], b: number[], t: number) => a.map((v, i) => Math.round(v + (b[i]! - v) * t));
    const word = ([r, g, b]: number[]) => ((255 << 24) | (b! << 16) | (g! << 8) | r!) >>> 0;
    const own = groups.map(g => (typeof g.colour === 'string' ? resolve(g.colour) : mix(line, accent, 0.2 + 0.8 * g.colour)));
    return {
        ink: Uint32Array.from(own, word),
        pale: Uint32Array.from(own, colour => word(mix(surface, colour, 0.22))),
    };
}

/** The pixels of a disc around its middle. */
function disc(radius: number): [number, number][] {
    const out: [number, number][] = [];
    const r = Math.ceil(radius);
    for (let y = -r; y <= r; y++) for (let x = -r; x <= r; x++) if (x * x + y * y <= radius * radius + 0.5) out.push([x, y]);
    return out;
}

export function Plane({
    map,
    grouped,
    hidden,
    selected,
    view,
    setView,
    tool,
    select,
    hover,
    label,
}: {
    map: RunMap;
    grouped: Grouped;
    hidden: ReadonlySet<number>;
    /** of points; null: nothing is selected */
    selected: ReadonlySet<number> | null;
    view: View;
    setView: (view: View) => void;
    tool: Tool;
    select: (points: number[], add: boolean) => void;
    hover: (point: number | null, x: number, y: number) => void;
    label: string;
}): JSX.Element {
    const box = useRef<HTMLDivElement>(null);
    const canvas = useRef<HTMLCanvasElement>(null);
    const lasso = useRef<SVGPathElement>(null);
    const [size, setSize] = useState({ width: 0, height: 0 });
    const [theme, setTheme] = useState(0);
    const drag = useRef<{ x: number; y: number; view: View; outline: number[] | null; moved: boolean; add: boolean } | null>(null);
    const seen = (i: number) => grouped.of[i] !== GONE && !hidden.has(grouped.of[i]!);
    const toX = (i: number) => ((map.x[i]! / map.scale - view.left) / view.width) * size.width;
    const toY = (i: number) => ((view.top - map.y[i]! / map.scale) / view.height) * size.height;

    useLayoutEffect(() => {
        const look = () => {
            const { clientWidth: width, clientHeight: height } = box.current!;
            setSize(before => (before.width === width && before.height === height ? before : { width, height }));
        };
        look();
        const observer = new ResizeObserver(look);
        observer.observe(box.current!);
        // A theme that changes changes the colours that were read.
        const again = () => setTheme(n => n + 1);
        const dark = matchMedia('(prefers-color-scheme: dark)');
        dark.addEventListener('change', again);
        const root = new MutationObserver(again);
        root.observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme'] });
        return () => {
            observer.disconnect();
            root.disconnect();
            dark.removeEventListener('change', again);
        };
    }, []);

    useLayoutEffect(() => {
        const { width, height } = size;
        if (!width || !height) return;
        const dpr = Math.min(devicePixelRatio || 1, 2);
        const picture = canvas.current!;
        const [w, h] = [Math.round(width * dpr), Math.round(height * dpr)];
        if (picture.width !== w || picture.height !== h) [picture.width, picture.height] = [w, h];
        const context = picture.getContext('2d')!;
        const image = context.createImageData(w, h);
        const pixels = new Uint32Array(image.data.buffer);
        const { ink, pale } = readColours(box.current!, grouped.groups);
        const n = map.runs.length;
        const stamp = disc((n > 40_000 ? 1 : n > 4_000 ? 1.6 : 3) * dpr);
        const put = (i: number, colour: number) => {
            const cx = Math.round(toX(i) * dpr);
            const cy = Math.round(toY(i) * dpr);
            if (cx < -8 || cy < -8 || cx > w + 8 || cy > h + 8) return;
            for (const [dx, dy] of stamp) {
                const x = cx + dx;
                const y = cy + dy;
                if (x >= 0 && y >= 0 && x < w && y < h) pixels[y * w + x] = colour;
            }
        };
        // Small groups last, so that the large ones do not cover them; what is selected over all.
        const small = grouped.groups.map(g => g.n * 10 < n);
        for (const last of [false, true])
            for (let i = 0; i < n; i++)
                if (seen(i) && small[grouped.of[i]!] === last && !selected?.has(i)) put(i, (selected ? pale : ink)[grouped.of[i]!]!);
        if (selected) for (const i of selected) if (seen(i)) put(i, ink[grouped.of[i]!]!);
        context.putImageData(image, 0, 0);
    }, [map, grouped, hidden, selected, view, size, theme]);

    const zoom = (factor: number, x: number, y: number) => {
        const width = Math.min(6, Math.max(1e-3, view.width * factor));
        const height = view.height * (width / view.width);
        const [fx, fy] = [x / size.width, y / size.height];
        setView({
            left: view.left + (view.width - width) * fx,
            top: view.top - (view.height - height) * fy,
            width,
            height,
        });
    };
    const wheel = useRef((_: WheelEvent) => {});
    wheel.current = event => {
        event.preventDefault();
        const { left, top } = box.current!.getBoundingClientRect();
        zoom(Math.exp(Math.max(-1, Math.min(1, event.deltaY / 300))), event.clientX - left, event.clientY - top);
    };
    useEffect(() => {
        const element = box.current!;
        const listener = (event: WheelEvent) => wheel.current(event);
        element.addEventListener('wheel', listener, { passive: false });
        return () => element.removeEventListener('wheel', listener);
    }, []);

    const at = (event: PointerEvent): [number, number] => {
        const { left, top } = box.current!.getBoundingClientRect();
        return [event.clientX - left, event.clientY - top];
    };
    const nearest = (x: number, y: number): number | null => {
        let best = 100;
        let found: number | null = null;
        for (let i = 0; i < map.runs.length; i++) {
            const dx = toX(i) - x;
            const dy = toY(i) - y;
            const far = dx * dx + dy * dy;
            if (far < best && seen(i)) [best, found] = [far, i];
        }
        return found;
    };
    const down = (event: PointerEvent) => {
        if (event.button > 1) return;
        const [x, y] = at(event);
        box.current!.setPointerCapture(event.pointerId);
        const outline = tool === 'select' && event.button === 0 ? [x, y] : null;
        drag.current = { x, y, view, outline, moved: false, add: event.shiftKey };
        hover(null, 0, 0);
    };
    const move = (event: PointerEvent) => {
        const [x, y] = at(event);
        const from = drag.current;
        if (!from) {
            const found = event.pointerType === 'touch' ? null : nearest(x, y);
            return hover(found, x, y);
        }
        from.moved ||= Math.abs(x - from.x) + Math.abs(y - from.y) > 4;
        if (!from.moved) return;
        if (!from.outline) {
            return setView({
                ...from.view,
                left: from.view.left - ((x - from.x) / size.width) * from.view.width,
                top: from.view.top + ((y - from.y) / size.height) * from.view.height,
            });
        }
        const [lx, ly] = from.outline.slice(-2);
        if (Math.abs(x - lx!) + Math.abs(y - ly!) < 4) return;
        from.outline.push(x, y);
        lasso.current!.setAttribute('d', 'M' + from.outline.map(v => v.toFixed(1)).join(' ') + 'Z');
    };
    const up = (event: PointerEvent) => {
        const from = drag.current;
        drag.current = null;
        lasso.current!.setAttribute('d', '');
        if (!from) return;
        if (!from.moved) {
            const found = nearest(...at(event));
            return select(found == null ? [] : [found], from.add);
        }
        if (!from.outline || from.outline.length < 6) return;
        const points: number[] = [];
        for (let i = 0; i < map.runs.length; i++) if (seen(i) && inside(from.outline, toX(i), toY(i))) points.push(i);
        select(points, from.add);
    };
    return (
        <div
            ref={box}
            class={`plane ${tool}`}
            role="img"
            aria-label={label}
            onPointerDown={down}
            onPointerMove={move}
            onPointerUp={up}
            onPointerCancel={() => {
                drag.current = null;
                lasso.current!.setAttribute('d', '');
            }}
            onPointerLeave={() => !drag.current && hover(null, 0, 0)}
        >
            <canvas ref={canvas} />
            <svg aria-hidden="true">
                <path class="lasso" ref={lasso} />
            </svg>
        </div>
    );
}
