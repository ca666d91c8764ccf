// The map of a collection's runs: its shapes, the calls, and colours of points by what runs have of a field.
import { call, get, pathOf, type Job, type Params } from './api';
import { DASH, num } from './format';
import { valueName } from './compare';

export interface MapAxis {
    /** How far attempts at one task agree on it. */
    agreement: number;
    low: string[];
    high: string[];
}
export interface RunMap {
    /** The collection has changed since it was drawn. */
    stale: boolean;
    /** null: there is none yet */
    made_at: string | null;
    about: null | { contrastive: boolean; sampled_runs: number; sampled_tasks: number; pairs: number; features: number; axes: MapAxis[] };
    scale: number;
    runs: string[];
    x: number[];
    y: number[];
    field: string;
    words: string[];
    /** A place in words + 1, 0 for none; or numbers, null for none. */
    values: (number | null)[];
    numbers: boolean;
    shown: (0 | 1)[];
}

export const mapping = {
    map: (c: string, params: Params, signal?: AbortSignal) => get<RunMap>(`/collections${pathOf(c)}/map`, params, signal),
    draw: (c: string) => call<Job>('POST', `/collections${pathOf(c)}/map`, { body: {} }),
    job: (id: string, signal: AbortSignal) => get<Job>('/jobs' + pathOf(id), { wait: 2 }, signal),
};

/** What a colour stands for. */
export interface Group {
    label: string;
    /** Of the field, as filters take it; null: several values, or a range */
    value: string | null;
    n: number;
    /** The name of a colour of the style sheet, or how far along the ramp from --line-2 to --accent. */
    colour: string | number;
}
export interface Grouped {
    groups: Group[];
    /** of each point: its group; GONE: left out by a filter */
    of: Uint8Array;
}
export const GONE = 255;
const MOST = 8;
const BINS = 5;
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 });

/** The commonest values, each a group, then all others and those that have none; numbers in fifths. */
export function groupsOf(map: RunMap): Grouped {
    const of = new Uint8Array(map.runs.length).fill(GONE);
    return map.numbers ? byNumber(map, of) : byWord(map, of);
}

function byWord(map: RunMap, of: Uint8Array): Grouped {
    const counts = new Float64Array(map.words.length + 1);
    map.values.forEach((v, i) => map.shown[i] && counts[v ?? 0]!++);
    const ranked = [...counts.keys()].filter(code => code && counts[code]).sort((a, b) => counts[b]! - counts[a]! || a - b);
    const own = ranked.slice(0, ranked.length === MOST + 1 ? MOST + 1 : MOST);
    const groups: Group[] = own.map((code, i) => ({
        label: valueName(map.field, map.words[code - 1]!),
        value: map.words[code - 1]!,
        n: counts[code]!,
        colour: colourOf(map.field, map.words[code - 1]!) ?? (i < MOST ? `--set-${i + 1}` : '--set-other'),
    }));
    const place = new Uint8Array(counts.length).fill(GONE);
    own.forEach((code, i) => (place[code] = i));
    const rest = ranked.slice(own.length);
    if (rest.length) {
        rest.forEach(code => (place[code] = groups.length));
        groups.push({
            label: `${num(rest.length)} others`,
            value: null,
            n: rest.reduce((sum, code) => sum + counts[code]!, 0),
            colour: '--text-2',
        });
    }
    if (counts[0]) {
        place[0] = groups.length;
        groups.push({ label: 'not said', value: '', n: counts[0], colour: '--set-other' });
    }
    map.values.forEach((v, i) => map.shown[i] && (of[i] = place[v ?? 0]!));
    return { groups, of };
}

const colourOf = (field: string, value: string): string | undefined =>
    field === 'success'
        ? { true: '--pass', false: '--set-2', unknown: '--set-other' }[value]
        : field === 'kind'
          ? `--${value}`
          : undefined;

function byNumber(map: RunMap, of: Uint8Array): Grouped {
    const known = map.values.filter((v, i): v is number => v != null && !!map.shown[i]).sort((a, b) => a - b);
    const edges: number[] = [];
    for (let b = 1; b < BINS; b++) {
        const edge = known[Math.floor((b * known.length) / BINS)]!;
        if (known.length && edge > (edges.at(-1) ?? known[0]!)) edges.push(edge);
    }
    const groups: Group[] = [];
    const ends = known.length ? [known[0]!, ...edges, known.at(-1)!] : [];
    for (let b = 0; b + 1 < ends.length; b++)
        groups.push({
            label:
                ends[b] === ends[b + 1]
                    ? compact.format(ends[b]!)
                    : `${compact.format(ends[b]!)} to ${b + 2 < ends.length ? 'under ' : ''}${compact.format(ends[b + 1]!)}`,
            value: null,
            n: 0,
            colour: (b + 1) / Math.max(1, ends.length - 1),
        });
    const unknown: Group = { label: DASH, value: null, n: 0, colour: '--set-other' };
    groups.push({ ...unknown, label: 'not known' });
    map.values.forEach((v, i) => {
        if (!map.shown[i]) return;
        let at = groups.length - 1;
        if (v != null) {
            at = 0;
            while (at < edges.length && v >= edges[at]!) at++;
        }
        of[i] = at;
        groups[at]!.n++;
    });
    return { groups, of };
}

/* ---- places -------------------------------------------------------------------------------------------------------------- */

/** What is in view: `left` and `top` are the place of the upper left corner, of a map from -1 to 1, y upwards. */
export interface View {
    left: number;
    top: number;
    width: number;
    height: number;
}

/** All but the farthest hundredth on each side, so that a few strays do not make the rest a dot. */
export function fit(map: RunMap, of: Uint8Array, all = false): View {
    const ends = (values: number[]): [number, number] => {
        const kept = values.filter((_, i) => of[i] !== GONE).sort((a, b) => a - b);
        const cut = all ? 0 : Math.floor(kept.length / 100);
        const [low, high] = [kept[cut] ?? -map.scale, kept[kept.length - 1 - cut] ?? map.scale];
        const room = Math.max((high - low) * 0.06, map.scale / 200);
        return [(low - room) / map.scale, (high + room) / map.scale];
    };
    const [left, right] = ends(map.x);
    const [bottom, top] = ends(map.y);
    return { left, top, width: right - left, height: top - bottom };
}

export interface Cell {
    /** Of the points in it, by place in the map. */
    points: number[];
    name: string;
}

const ROWS = ['top', 'upper middle', 'lower middle', 'bottom'];
const COLUMNS = ['far left', 'left', 'centre left', 'centre right', 'right', 'far right'];

/** The fullest parts of what is in view, for those who do not draw with a pointer. */
export function cellsOf(map: RunMap, of: Uint8Array, hidden: ReadonlySet<number>, view: View, most = 8): Cell[] {
    const cells = new Map<number, number[]>();
    for (let i = 0; i < map.runs.length; i++) {
        if (of[i] === GONE || hidden.has(of[i]!)) continue;
        const column = Math.floor(((map.x[i]! / map.scale - view.left) / view.width) * COLUMNS.length);
        const row = Math.floor(((view.top - map.y[i]! / map.scale) / view.height) * ROWS.length);
        if (column < 0 || row < 0 || column >= COLUMNS.length || row >= ROWS.length) continue;
        const key = row * COLUMNS.length + column;
        const cell = cells.get(key);
        if (cell) cell.push(i);
        else cells.set(key, [i]);
    }
    return [...cells]
        .sort((a, b) => b[1].length - a[1].length || a[0] - b[0])
        .slice(0, most)
        .map(([key, points]) => ({
            points,
            name: `${ROWS[Math.floor(key / COLUMNS.length)]}, ${COLUMNS[key % COLUMNS.length]}`,
        }));
}

/** Is the point in the outline (x, y by turns)? By the even-odd rule. */
export function inside(outline: number[], x: number, y: number): boolean {
    let odd = false;
    for (let i = 0, k = outline.length - 2; i < outline.length; k = i, i += 2) {
        const [ax, ay, bx, by] = [outline[i]!, outline[i + 1]!, outline[k]!, outline[k + 1]!];
        if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) odd = !odd;
    }
    return odd;
}
