// Two nested values, member by member: what stayed, went, came and changed.
import type { Json } from './api';
import { lineDiff } from './linediff';
import { jsonText } from './nested';

export interface Change {
    /** Of an object, a key; of a list, the index in the value that has it (in the older one where both do). */
    key: string | number | null;
    sign: 'same' | 'gone' | 'new' | 'changed';
    before?: Json;
    after?: Json;
    /** Of two objects or two lists that differ. */
    kids?: Change[];
}

const DEEPEST = 60; /* below that a value counts as one */

type Branch = Json[] | { [key: string]: Json };
const isBranch = (value: Json): value is Branch => value !== null && typeof value === 'object';

export function valueDiff(before: Json, after: Json, key: Change['key'] = null, depth = 0): Change {
    if (before === after || jsonText(before) === jsonText(after)) return { key, sign: 'same', before, after };
    const change: Change = { key, sign: 'changed', before, after };
    if (depth < DEEPEST && isBranch(before) && isBranch(after) && Array.isArray(before) === Array.isArray(after)) {
        change.kids = Array.isArray(before)
            ? listDiff(before, after as Json[], depth)
            : objectDiff(before, after as { [key: string]: Json }, depth);
        if (change.kids.every(kid => kid.sign === 'same')) return { key, sign: 'same', before, after }; /* keys in another order */
    }
    return change;
}

function objectDiff(before: { [key: string]: Json }, after: { [key: string]: Json }, depth: number): Change[] {
    const has = (value: object, key: string) => Object.prototype.hasOwnProperty.call(value, key);
    return [...new Set([...Object.keys(before), ...Object.keys(after)])].map(key => {
        if (!has(after, key)) return { key, sign: 'gone', before: before[key] };
        if (!has(before, key)) return { key, sign: 'new', after: after[key] };
        return valueDiff(before[key]!, after[key]!, key, depth + 1);
    });
}

/** Like members stay beside one another; of what stands between them, the first gone and the first come are one that changed. */
function listDiff(before: Json[], after: Json[], depth: number): Change[] {
    const lines = (list: Json[]) => list.map(item => jsonText(item) ?? '?').join('\n');
    const out: Change[] = [];
    let a = 0;
    let b = 0;
    let gone: number[] = [];
    let come: number[] = [];
    const flush = () => {
        const pairs = Math.min(gone.length, come.length);
        for (let i = 0; i < pairs; i++) out.push(valueDiff(before[gone[i]!]!, after[come[i]!]!, gone[i]!, depth + 1));
        for (const i of gone.slice(pairs)) out.push({ key: i, sign: 'gone', before: before[i] });
        for (const i of come.slice(pairs)) out.push({ key: i, sign: 'new', after: after[i] });
        gone = [];
        come = [];
    };
    for (const line of lineDiff(lines(before), lines(after))) {
        if (line.sign === '-') gone.push(a++);
        else if (line.sign === '+') come.push(b++);
        else {
            flush();
            out.push({ key: a, sign: 'same', before: before[a], after: after[b] });
            a++;
            b++;
        }
    }
    flush();
    return out;
}

/** How much two texts share at their beginning and at their end, in UTF-16 units that part no pair. */
export function sharedEnds(a: string, b: string): [head: number, tail: number] {
    const most = Math.min(a.length, b.length);
    let head = 0;
    while (head < most && a[head] === b[head]) head++;
    let tail = 0;
    while (tail < most - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
    const low = (c: string | undefined) => c != null && c >= '\udc00' && c <= '\udfff';
    if (head && (low(a[head]) || low(b[head]))) head--;
    if (tail && (low(a[a.length - tail]) || low(b[b.length - tail]))) tail--;
    return [head, tail];
}
