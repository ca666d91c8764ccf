// A result as bars, lines or a heat map, in SVG; the same as a picture to take along.
import type { JSX } from 'preact';
import { useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { count, DASH } from '../format';
import type { ChartSpec, SqlAnswer, SqlValue } from '../querying';
import { visible } from '../text';
import { isNumber, numberText } from './sqltable';

const MOST_BARS = 200;
const MOST_CELLS = 80; /* a side of a heat map */
const MOST_SERIES = 8; /* as many as there are colours to tell apart */
const MOST_POINTS = 20_000;
const NAME = 28; /* characters of a name at an axis */

const label = (value: SqlValue): string => (value == null ? DASH : visible(typeof value === 'string' ? value : isNumber(value) ? String(value) : JSON.stringify(value)));
const short = (text: string) => (text.length > NAME ? text.slice(0, NAME - 1) + '…' : text);

/** Beside a bar or in a cell: whole numbers as they are, others to three digits. */
const brief = (n: number) => numberText(Number.isInteger(n) ? n : Number(n.toPrecision(3)));

function isNumeric(answer: SqlAnswer, i: number): boolean {
    let some = false;
    for (const row of answer.rows.slice(0, 500)) {
        if (row[i] != null && !isNumber(row[i])) return false;
        some ||= row[i] != null;
    }
    return some;
}

/** The columns that can be drawn as what. */
export function chartColumns(answer: SqlAnswer): { words: string[]; numbers: string[] } {
    const words: string[] = [];
    const numbers: string[] = [];
    answer.columns.forEach((name, i) => (isNumeric(answer, i) ? numbers : words).push(name));
    return { words, numbers };
}

/** A chart that the result lends itself to; null where it holds no numbers. */
export function guessChart(answer: SqlAnswer, type: ChartSpec['type']): ChartSpec | null {
    const { words, numbers } = chartColumns(answer);
    if (!numbers.length || !answer.columns.length) return null;
    if (type === 'heat') {
        const [x, y] = [...words, ...numbers];
        const by = [...numbers].reverse().find(name => name !== x && name !== y);
        return x && y && by ? { type, x, y, by } : null;
    }
    const x = words[0] ?? answer.columns[0]!;
    const y = numbers.find(name => name !== x) ?? numbers[0]!;
    return { type, x, y, by: words.length > 1 ? words[1]! : null };
}

/** Why the chart cannot be drawn of this result; null: it can. */
export function chartProblem(answer: SqlAnswer, spec: ChartSpec): string | null {
    const wanted = [spec.x, spec.y, ...(spec.by == null ? [] : [spec.by])];
    const missing = wanted.find(name => !answer.columns.includes(name));
    if (missing != null) return `The result has no column “${missing}”.`;
    const value = spec.type === 'heat' ? spec.by : spec.y;
    if (value == null) return 'Choose a column of numbers for the cells.';
    if (!isNumeric(answer, answer.columns.indexOf(value))) return `The column “${value}” holds no numbers.`;
    return null;
}

interface Point {
    x: SqlValue;
    y: number;
    series: string;
    row: number;
}

/** Round numbers from `low` to `high`, about `n` of them. */
export function ticks(low: number, high: number, n: number): number[] {
    if (!(high > low)) return [low];
    const rough = (high - low) / Math.max(1, n);
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 2.5, 5, 10].map(f => f * power).find(s => s >= rough) ?? 10 * power;
    const list: number[] = [];
    for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) list.push(Number((i * step).toPrecision(12)));
    return list;
}

function useWidth(): [{ current: HTMLDivElement | null }, number] {
    const ref = useRef<HTMLDivElement>(null);
    const [width, set] = useState(0);
    useLayoutEffect(() => {
        const watch = new ResizeObserver(entries => set(Math.floor(entries[0]!.contentRect.width)));
        watch.observe(ref.current!);
        return () => watch.disconnect();
    }, []);
    return [ref, width];
}

export function Chart({ answer, spec }: { answer: SqlAnswer; spec: ChartSpec }): JSX.Element {
    const [ref, width] = useWidth();
    return (
        <div class="chart" ref={ref}>
            {width > 0 && <Drawn answer={answer} spec={spec} width={Math.max(width, 300)} />}
        </div>
    );
}

function Drawn({ answer, spec, width }: { answer: SqlAnswer; spec: ChartSpec; width: number }): JSX.Element {
    const at = (name: string) => answer.columns.indexOf(name);
    if (spec.type === 'heat') return <Heat answer={answer} columns={[at(spec.x), at(spec.y), at(spec.by!)]} spec={spec} width={width} />;
    const [x, y, by] = [at(spec.x), at(spec.y), spec.by == null ? -1 : at(spec.by)];
    const points: Point[] = [];
    answer.rows.forEach((row, i) => {
        const value = row[y];
        if (isNumber(value)) points.push({ x: row[x] ?? null, y: Number(value), series: by < 0 ? '' : label(row[by] ?? null), row: i });
    });
    const named = [...new Set(points.map(p => p.series))];
    const series = named.slice(0, MOST_SERIES);
    const shown = points.filter(p => series.includes(p.series));
    const notes: string[] = [];
    if (named.length > series.length) notes.push(`the first ${MOST_SERIES} of ${count(named.length, 'value')} of ${spec.by}`);
    if (points.length < answer.rows.length) notes.push(`${count(answer.rows.length - points.length, 'row')} without a number`);
    return spec.type === 'bar' ? (
        <Bars points={shown} series={series} spec={spec} width={width} notes={notes} />
    ) : (
        <Lines points={shown} series={series} spec={spec} width={width} notes={notes} numeric={isNumeric(answer, x)} />
    );
}

function Legend({ series }: { series: string[] }): JSX.Element | null {
    if (series.length < 2) return null;
    return (
        <ul class="legend">
            {series.map((name, i) => (
                <li key={name}>
                    <i class={`sw c-${i}`} aria-hidden="true" /> {short(name)}
                </li>
            ))}
        </ul>
    );
}

function Notes({ notes }: { notes: string[] }): JSX.Element | null {
    return notes.length ? <p class="dim note-line">Not all is drawn: {notes.join('; ')}.</p> : null;
}

/* Lying bars: names of models and tasks are long. */
function Bars({ points, series, spec, width, notes }: { points: Point[]; series: string[]; spec: ChartSpec; width: number; notes: string[] }): JSX.Element {
    const groups = useMemo(() => {
        const map = new Map<string, (Point | undefined)[]>();
        for (const p of points) {
            const key = label(p.x);
            const list = map.get(key) ?? map.set(key, []).get(key)!;
            list[series.indexOf(p.series)] ??= p;
        }
        return [...map];
    }, [points, series]);
    const most = Math.max(1, Math.floor(MOST_BARS / series.length));
    const shown = groups.slice(0, most);
    const all = notes.concat(groups.length > most ? [`the first ${most} of ${count(groups.length, 'bar')}`] : []);
    const bar = series.length > 1 ? 11 : 16;
    const group = bar * series.length + 8;
    const left = Math.min(Math.max(...shown.map(([name]) => short(name).length), 4) * 6.7 + 14, width * 0.42);
    const right = 64;
    const top = 22;
    const height = top + shown.length * group + 8;
    const values = shown.flatMap(([, list]) => list.flatMap(p => (p ? [p.y] : [])));
    const low = Math.min(0, ...values);
    const high = Math.max(0, ...values) || (low < 0 ? 0 : 1);
    const scale = (v: number) => left + ((v - low) / (high - low)) * (width - left - right);
    return (
        <>
            <Legend series={series} />
            <svg class="plot" width={width} height={height} role="img" aria-label={`${spec.y} by ${spec.x}, ${count(shown.length, 'bar')}; the table has the numbers`}>
                {ticks(low, high, Math.max(2, Math.floor((width - left - right) / 90))).map(v => (
                    <g key={v}>
                        <line class={v === 0 ? 'axis' : 'grid'} x1={scale(v)} x2={scale(v)} y1={top - 4} y2={height - 6} />
                        <text class="tick" x={scale(v)} y={12} text-anchor="middle">
                            {numberText(v)}
                        </text>
                    </g>
                ))}
                {shown.map(([name, list], i) => {
                    const y = top + i * group;
                    return (
                        <g key={name}>
                            <text class="name" x={left - 8} y={y + (group - 8) / 2 + 4} text-anchor="end">
                                {short(name)}
                                <title>{name}</title>
                            </text>
                            {series.map((one, k) => {
                                const p = list[k];
                                if (!p) return null;
                                const [a, b] = [scale(Math.min(0, p.y)), scale(Math.max(0, p.y))];
                                return (
                                    <g key={one}>
                                        <rect class={`c-${k}`} x={a} y={y + k * bar} width={Math.max(1, b - a)} height={bar - 2}>
                                            <title>{`${name}${one && ', ' + one}: ${numberText(p.y)}`}</title>
                                        </rect>
                                        <text class="tick" x={b + 6} y={y + k * bar + bar / 2 + 3}>
                                            {brief(p.y)}
                                        </text>
                                    </g>
                                );
                            })}
                        </g>
                    );
                })}
            </svg>
            <Notes notes={all} />
        </>
    );
}

/* Numbers and times keep their distances; other values stand side by side in the order in which they come. */
function Lines({ points, series, spec, width, notes, numeric }: { points: Point[]; series: string[]; spec: ChartSpec; width: number; notes: string[]; numeric: boolean }): JSX.Element {
    const all = notes.concat(points.length > MOST_POINTS ? [`the first ${MOST_POINTS} of ${count(points.length, 'point')}`] : []);
    const drawn = points.slice(0, MOST_POINTS);
    const times = !numeric && drawn.length > 0 && drawn.every(p => typeof p.x === 'string' && /^\d{4}-\d\d(-\d\d)?/.test(p.x) && !isNaN(Date.parse(p.x)));
    const names = numeric || times ? [] : [...new Set(drawn.map(p => label(p.x)))];
    const place = new Map(names.map((name, i) => [name, i]));
    const at = (p: Point): number => (numeric ? (p.x as number) : times ? Date.parse(p.x as string) : place.get(label(p.x))!);
    const usable = drawn.filter(p => p.x != null);
    const [left, right, top, bottom, height] = [64, 16, 12, 30, 340];
    let [x0, x1, y0, y1] = [Infinity, -Infinity, 0, -Infinity];
    for (const p of usable) {
        const x = at(p);
        x0 = Math.min(x0, x);
        x1 = Math.max(x1, x);
        y0 = Math.min(y0, p.y);
        y1 = Math.max(y1, p.y);
    }
    if (!usable.length) return <p class="none-yet">There is nothing to draw: no row has both {spec.x} and {spec.y}.</p>;
    if (x0 === x1) [x0, x1] = [x0 - 1, x1 + 1];
    if (y1 <= y0) y1 = y0 + 1;
    const sx = (v: number) => left + ((v - x0) / (x1 - x0)) * (width - left - right);
    const sy = (v: number) => height - bottom - ((v - y0) / (y1 - y0)) * (height - top - bottom);
    const many = Math.max(2, Math.floor((width - left - right) / 110));
    const marks: [number, string][] = numeric
        ? ticks(x0, x1, many).map(v => [v, numberText(v)])
        : times
          ? Array.from({ length: many }, (_, i) => x0 + ((x1 - x0) * i) / Math.max(1, many - 1)).map(v => [v, new Date(v).toISOString().slice(0, x1 - x0 < 3 * 86_400_000 ? 16 : 10).replace('T', ' ')])
          : names.flatMap((name, i): [number, string][] => (i % Math.ceil(names.length / many) === 0 ? [[i, name.length > 14 ? name.slice(0, 13) + '…' : name]] : []));
    return (
        <>
            <Legend series={series} />
            <svg class="plot" width={width} height={height} role="img" aria-label={`${spec.y} along ${spec.x}, ${count(usable.length, 'point')}; the table has the numbers`}>
                {ticks(y0, y1, 6).map(v => (
                    <g key={v}>
                        <line class={v === 0 ? 'axis' : 'grid'} x1={left} x2={width - right} y1={sy(v)} y2={sy(v)} />
                        <text class="tick" x={left - 8} y={sy(v) + 4} text-anchor="end">
                            {numberText(v)}
                        </text>
                    </g>
                ))}
                {marks.map(([v, text], i) => (
                    <text key={i} class="tick" x={sx(v)} y={height - 10} text-anchor={i === 0 ? 'start' : sx(v) > width - 60 ? 'end' : 'middle'}>
                        {text}
                    </text>
                ))}
                {series.map((one, k) => {
                    const line = usable.filter(p => p.series === one).sort((a, b) => at(a) - at(b));
                    return (
                        <g key={one}>
                            <path class={`line s-${k}`} d={line.map((p, i) => `${i ? 'L' : 'M'}${sx(at(p)).toFixed(1)} ${sy(p.y).toFixed(1)}`).join('')} />
                            {line.length <= 300 &&
                                line.map(p => (
                                    <circle key={p.row} class={`c-${k}`} cx={sx(at(p))} cy={sy(p.y)} r={3}>
                                        <title>{`${one && one + ', '}${label(p.x)}: ${numberText(p.y)}`}</title>
                                    </circle>
                                ))}
                        </g>
                    );
                })}
            </svg>
            <Notes notes={all} />
        </>
    );
}

function Heat({ answer, columns, spec, width }: { answer: SqlAnswer; columns: [number, number, number]; spec: ChartSpec; width: number }): JSX.Element {
    const [cx, cy, cv] = columns;
    const { xs, ys, cells, low, high, hidden } = useMemo(() => {
        const ranked = (i: number) => [...new Set(answer.rows.map(row => label(row[i] ?? null)))];
        const [allX, allY] = [ranked(cx), ranked(cy)];
        const [xs, ys] = [allX.slice(0, MOST_CELLS), allY.slice(0, MOST_CELLS)];
        const cells = new Map<string, number>();
        let [low, high] = [Infinity, -Infinity];
        for (const row of answer.rows) {
            const value = row[cv];
            const key = label(row[cx] ?? null) + '\n' + label(row[cy] ?? null);
            if (typeof value !== 'number' || cells.has(key)) continue;
            cells.set(key, value);
            low = Math.min(low, value);
            high = Math.max(high, value);
        }
        const hidden = [
            ...(allX.length > xs.length ? [`the first ${MOST_CELLS} of ${allX.length} values of ${spec.x}`] : []),
            ...(allY.length > ys.length ? [`the first ${MOST_CELLS} of ${allY.length} values of ${spec.y}`] : []),
        ];
        return { xs, ys, cells, low, high, hidden };
    }, [answer, cx, cy, cv]);
    const left = Math.min(Math.max(...ys.map(name => short(name).length), 4) * 6.7 + 14, width * 0.36);
    const cell = Math.min(120, Math.max(26, (width - left - 8) / Math.max(1, xs.length)));
    const row = 26;
    // Names over columns stand level where they fit, else on their side.
    const longest = Math.max(...xs.map(name => short(name).length), 1);
    const level = longest * 6.7 < cell - 6;
    const top = level ? 26 : Math.min(longest * 6.2 + 16, 170);
    const height = top + ys.length * row + 6;
    const step = (v: number) => (high > low ? Math.min(4, Math.floor(((v - low) / (high - low)) * 5)) : 2);
    return (
        <>
            <svg class="plot" width={Math.max(width, left + xs.length * cell)} height={height} role="img" aria-label={`${spec.by} by ${spec.x} and ${spec.y}; the table has the numbers`}>
                {xs.map((name, i) => {
                    const [x, y] = [left + i * cell + cell / 2, top - 8];
                    return (
                        <text key={name} class="name" x={x} y={y} text-anchor={level ? 'middle' : 'start'} transform={level ? undefined : `rotate(-60 ${x} ${y})`}>
                            {short(name)}
                            <title>{name}</title>
                        </text>
                    );
                })}
                {ys.map((name, k) => (
                    <g key={name}>
                        <text class="name" x={left - 8} y={top + k * row + 17} text-anchor="end">
                            {short(name)}
                            <title>{name}</title>
                        </text>
                        {xs.map((other, i) => {
                            const v = cells.get(other + '\n' + name);
                            const text = v == null ? DASH : brief(v);
                            return (
                                <g key={other}>
                                    <rect class={v == null ? 'h-none' : `h-${step(v)}`} x={left + i * cell + 1} y={top + k * row + 1} width={cell - 2} height={row - 2}>
                                        <title>{`${other}, ${name}: ${v == null ? 'no row' : numberText(v)}`}</title>
                                    </rect>
                                    {text.length * 6.4 < cell && (
                                        <text class={v == null ? 'tick' : `in in-${step(v)}`} x={left + i * cell + cell / 2} y={top + k * row + 17} text-anchor="middle">
                                            {text}
                                        </text>
                                    )}
                                </g>
                            );
                        })}
                    </g>
                ))}
            </svg>
            <Notes notes={hidden} />
        </>
    );
}

/* ---- a picture of it ---------------------------------------------------------------------------------------------------- */

const PAINT = ['fill', 'stroke', 'stroke-width', 'stroke-dasharray', 'font-family', 'font-size', 'font-weight', 'text-anchor'];

/** The chart as PNG, twice as dense as the screen, in the colours of the present theme. */
export async function chartPng(svg: SVGSVGElement): Promise<Blob> {
    const copy = svg.cloneNode(true) as SVGSVGElement;
    const [from, to] = [[svg, ...svg.querySelectorAll('*')], [copy, ...copy.querySelectorAll('*')]];
    // A picture has no style sheet: what the classes say goes into attributes.
    from.forEach((element, i) => {
        const style = getComputedStyle(element);
        for (const name of PAINT) to[i]!.setAttribute(name, style.getPropertyValue(name));
        to[i]!.removeAttribute('class');
    });
    const width = svg.width.baseVal.value;
    const height = svg.height.baseVal.value;
    copy.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
    const image = new Image();
    image.src = 'data:image/svg+xml;charset=utf-8,' + encodeURIComponent(new XMLSerializer().serializeToString(copy));
    await image.decode();
    const canvas = document.createElement('canvas');
    canvas.width = width * 2;
    canvas.height = height * 2;
    const context = canvas.getContext('2d')!;
    context.fillStyle = getComputedStyle(svg.closest('.panel') ?? document.body).backgroundColor;
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.scale(2, 2);
    context.drawImage(image, 0, 0);
    return new Promise((resolve, reject) =>
        canvas.toBlob(blob => (blob ? resolve(blob) : reject(new Error('the picture is too large for this browser'))), 'image/png'),
    );
}
