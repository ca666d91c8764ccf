// A run along its time: one lane a transcript, each stretch in the colour of the message that ended it. Pure functions.
import type { RunDetail } from './api';

export interface Lane {
    transcript: number;
    name: string;
    /** How deep among the sub-agents; 0 for the main transcript. */
    depth: number;
    messages: number;
    /** Stretches of the lane, from left to right, in units of WIDTH. */
    bars: { role: number; x: number; w: number }[];
    /** Where each message ends, in units of WIDTH, ascending. */
    ends: Float64Array;
}

export interface Lanes {
    lanes: Lane[];
    /** Of all lanes, in milliseconds; null where the source has no times, and lanes are as long as they have messages. */
    span: number | null;
    start: number | null;
    /** Pauses that are drawn shorter than they were, and where. */
    cuts: number[];
}

export const WIDTH = 1000;
const PAUSE = 3_600_000; /* ms: a longer one says nothing of the run, and would hide the rest of it */
const PAUSE_SHOWN = 120_000;
const DEEPEST = 8;

type Of = Pick<RunDetail, 'transcripts' | 'marks'>;

export function lanesOf(run: Of): Lanes {
    const times = run.marks.map(timesOf);
    const known = times.filter(list => list !== null);
    let span: number | null = null;
    let start: number | null = null;
    let place: (at: number) => number = at => at;
    const cuts: number[] = [];
    if (known.length) {
        const all = Float64Array.from(known.flatMap(list => [...list])).sort();
        start = all[0]!;
        span = all[all.length - 1]! - start;
        const edges = new Float64Array(all.length);
        const long: number[] = [];
        for (let i = 1; i < all.length; i++) {
            const gap = all[i]! - all[i - 1]!;
            if (gap > PAUSE) long.push(i);
            edges[i] = edges[i - 1]! + (gap > PAUSE ? PAUSE_SHOWN : gap);
        }
        const length = edges[edges.length - 1]!;
        if (length > 0) {
            place = at => (edges[indexOf(all, at)]! / length) * WIDTH;
            for (const i of long) cuts.push(((edges[i - 1]! + PAUSE_SHOWN / 2) / length) * WIDTH);
        } else {
            span = null; /* all at one moment: no time to show */
        }
    }
    const most = Math.max(1, ...run.marks.map(m => m.marks.length));
    const lanes = run.transcripts.flatMap((t): Lane[] => {
        const k = run.marks.findIndex(m => m.transcript === t.position);
        if (k < 0) return [];
        const { marks } = run.marks[k]!;
        const ends = new Float64Array(marks.length);
        const own = span == null ? null : times[k]!;
        const unknown = span != null && !own; /* without times among those that have them: a lane with nothing in it */
        if (!unknown) for (let i = 0; i < marks.length; i++) ends[i] = own ? place(own[i]!) : ((i + 1) / most) * WIDTH;
        return [
            {
                transcript: t.position,
                name: t.name ?? (t.position === 0 ? 'main' : `transcript ${t.position}`),
                depth: depthOf(run, t.parent),
                messages: marks.length,
                bars: unknown ? [] : barsOf(marks.map(m => m[0]), ends, own ? (ends[0] ?? 0) : 0),
                ends,
            },
        ];
    });
    return { lanes, span, start: span == null ? null : start, cuts };
}

/** When each message was said, in milliseconds since 1970, ascending: one without a time has that of the one before it. */
function timesOf(mark: RunDetail['marks'][number]): Float64Array | null {
    if (!mark.start || !mark.at) return null;
    const start = Date.parse(mark.start);
    const list = new Float64Array(mark.at.length);
    let last = start + (mark.at.find(at => at != null) ?? 0);
    for (let i = 0; i < list.length; i++) {
        const at = mark.at[i];
        if (at != null) last = Math.max(last, start + at);
        list[i] = last;
    }
    return list;
}

function indexOf(sorted: Float64Array, value: number): number {
    let low = 0;
    let high = sorted.length - 1;
    while (low < high) {
        const middle = (low + high) >> 1;
        if (sorted[middle]! < value) low = middle + 1;
        else high = middle;
    }
    return low;
}

/** Stretches of like colour; what is too narrow to be seen goes to the role that has most of its place. */
function barsOf(roles: number[], ends: Float64Array, from: number): Lane['bars'] {
    const share = new Float64Array(WIDTH * 4);
    let left = from;
    for (let i = 0; i < ends.length; i++) {
        const right = Math.max(left, ends[i]!);
        const last = Math.min(WIDTH - 1, Math.floor(right));
        for (let bin = Math.min(WIDTH - 1, Math.floor(left)); bin <= last; bin++)
            share[bin * 4 + roles[i]!]! += Math.max(1e-6, Math.min(right, bin + 1) - Math.max(left, bin));
        left = right;
    }
    const bars: Lane['bars'] = [];
    for (let bin = 0; bin < WIDTH; bin++) {
        const of = share.subarray(bin * 4, bin * 4 + 4);
        const most = Math.max(...of);
        if (!most) continue;
        const role = of.indexOf(most);
        const before = bars[bars.length - 1];
        if (before && before.role === role && before.x + before.w === bin) before.w++;
        else bars.push({ role, x: bin, w: 1 });
    }
    return bars;
}

function depthOf(run: Of, parent: string | null): number {
    let depth = 0;
    for (let id = parent; id != null && depth < DEEPEST; depth++) id = run.transcripts.find(t => t.id === id)?.parent ?? null;
    return depth;
}

/** The message whose stretch holds `x`. */
export function messageAt(lane: Lane, x: number): number {
    return Math.min(lane.messages - 1, indexOf(lane.ends, x));
}
