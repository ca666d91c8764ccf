// Two runs step by step: what the server says of them, and what differs between two texts, word by word.
import { get, pathOf, type Role, type RunRef } from './api';
import { sequenceDiff, type DiffLine } from './linediff';

export interface BesideStep {
    transcript: number;
    message: number;
    /** Position of the tool call in its message; null: the message's words. */
    call: number | null;
    /** Index of the message that answers the call. */
    result: number | null;
    role: Role;
    name: string | null;
    /** Some of the words, the arguments or, where only it differs, the result. */
    gist: string;
    cut: boolean;
}

export type Part = 'words' | 'arguments' | 'result';

export interface BesideRow {
    what: 'same' | 'changed' | 'only_a' | 'only_b';
    differs: Part[];
    a: BesideStep | null;
    b: BesideStep | null;
}

export interface Beside {
    a: RunRef;
    b: RunRef;
    counts: Record<BesideRow['what'], number>;
    /** The first row at which they do something else. */
    divergence: number | null;
    rows: BesideRow[];
}

export const beside = (a: string, b: string, signal?: AbortSignal) =>
    get<Beside>(`/runs${pathOf(a)}/compare${pathOf(b)}`, undefined, signal);

/** Another call or other arguments; other words and results are the way there. */
export const actsOtherwise = (row: BesideRow) =>
    (row.a ?? row.b)!.call != null && (row.what === 'only_a' || row.what === 'only_b' || row.differs.includes('arguments'));

const MOST_WORDS = 2_000_000; /* pairs of words; texts that have more are compared line by line */

/** What went and what came, in runs of words. */
export function wordDiff(a: string, b: string): DiffLine[] {
    const words = (text: string) => text.match(/[\p{L}\p{N}_]+|\s+|[^\p{L}\p{N}_\s]/gu) ?? [];
    let [from, to] = [words(a), words(b)];
    if (from.length * to.length > MOST_WORDS) {
        const lines = (text: string) => text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
        [from, to] = [lines(a), lines(b)];
    }
    const merged: DiffLine[] = [];
    for (const piece of sequenceDiff(from, to)) {
        const last = merged[merged.length - 1];
        if (last?.sign === piece.sign) last.text += piece.text;
        else merged.push({ ...piece });
    }
    return merged;
}

/** The middle of a text that another does not share with it: what stands between the start and the end that both have. */
export function differingMiddle(text: string, other: string): [from: number, to: number] {
    let from = 0;
    while (from < text.length && from < other.length && text[from] === other[from]) from++;
    let end = 0;
    while (end < text.length - from && end < other.length - from && text[text.length - 1 - end] === other[other.length - 1 - end]) end++;
    // No half of a pair of surrogates.
    if (from > 0 && /[\ud800-\udbff]/.test(text[from - 1]!)) from--;
    if (end > 0 && /[\udc00-\udfff]/.test(text[text.length - end]!)) end--;
    return [from, text.length - end];
}
