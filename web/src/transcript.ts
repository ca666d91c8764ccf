// A transcript as the reader needs it: rows known before a message is loaded, evidence by message, hits. Pure functions.
import type { Evidence, Finding, Mark, Message } from './api';

/* ---- rows ----------------------------------------------------------------------------------------------------------- */

/** Messages [from, to) that read as one block: an assistant's calls with the results that follow them. */
export interface Row {
    from: number;
    to: number;
}

const ASSISTANT = 2;
const TOOL = 3;
export const MOST_CALLS = 40; /* of one message, drawn before somebody asks for more */
const MOST_RESULTS = 40; /* in one block; a longer chain goes on in blocks of its own */

export function rowsOf(marks: Mark[]): Row[] {
    const rows: Row[] = [];
    for (let i = 0; i < marks.length;) {
        let to = i + 1;
        if (marks[i]![0] === ASSISTANT && marks[i]![2] > 0) {
            while (to < marks.length && marks[to]![0] === TOOL && to - i <= MOST_RESULTS) to++;
        }
        rows.push({ from: i, to });
        i = to;
    }
    return rows;
}

/** A guess in pixels, good enough for the length of the scroll bar; the row is measured when it is drawn. */
export function guessHeight(row: Row, marks: Mark[]): number {
    let height = 36;
    for (let i = row.from; i < row.to; i++) {
        const [role, bytes, calls] = marks[i]!;
        const lines = Math.max(bytes ? 1 : 0, Math.min(Math.ceil(bytes / 105), role === TOOL ? 8 : 16));
        height += lines * 19 + Math.min(calls, MOST_CALLS) * 42 + (role === TOOL ? 34 : 0);
    }
    return height;
}

export function rowOf(rows: Row[], message: number): number {
    let low = 0;
    let high = rows.length - 1;
    while (low < high) {
        const middle = (low + high + 1) >> 1;
        if (rows[middle]!.from <= message) low = middle;
        else high = middle - 1;
    }
    return low;
}

/* ---- evidence by message -------------------------------------------------------------------------------------------- */

export interface EvItem {
    finding: Finding;
    index: number;
    evidence: Evidence;
}

/** What a judge said without a finding coming of it is marked as findings are, but is none: nobody reviews it. */
const SAID = 'judgment:';
export const saidId = (judgment: string) => SAID + judgment;
export const isSaid = (finding: string) => finding.startsWith(SAID);

/** All evidence of a run in the order of the transcript: fields of the run first. */
export function stopsOf(findings: Finding[], run: string): EvItem[] {
    const items: EvItem[] = [];
    for (const finding of findings) {
        finding.evidence.forEach((evidence, index) => {
            if (evidence.run == null || evidence.run === run) items.push({ finding, index, evidence });
        });
    }
    return items.sort(
        (a, b) =>
            (a.evidence.message == null ? -1 : (a.evidence.position ?? 0)) -
                (b.evidence.message == null ? -1 : (b.evidence.position ?? 0)) ||
            (a.evidence.message ?? -1) - (b.evidence.message ?? -1) ||
            a.evidence.part.localeCompare(b.evidence.part) ||
            a.evidence.start - b.evidence.start,
    );
}

export function byMessage(stops: EvItem[], transcript: number): Map<number, EvItem[]> {
    const map = new Map<number, EvItem[]>();
    for (const stop of stops) {
        const { message, position } = stop.evidence;
        if (message == null || (position ?? 0) !== transcript) continue;
        const list = map.get(message);
        if (list) list.push(stop);
        else map.set(message, [stop]);
    }
    return map;
}

/* ---- find ----------------------------------------------------------------------------------------------------------- */

export interface Hit {
    message: number;
    part: string;
    from: number;
    to: number;
}

/** The texts of a message that can be searched and marked, in the order in which they are read. */
export function partsOf(message: Message): [part: string, text: string][] {
    const parts: [string, string][] = [];
    if (message.reasoning) parts.push(['reasoning', message.reasoning]);
    if (message.text) parts.push(['text', message.text]);
    for (const call of message.tool_calls) {
        if (call.name) parts.push([`call:${call.position}.name`, call.name]);
        if (call.arguments) parts.push([`call:${call.position}.arguments`, call.arguments]);
    }
    if (message.error) parts.push(['error', message.error]);
    return parts;
}

const MOST_HITS = 20_000;

export function hitsIn(message: Message, pattern: RegExp, hits: Hit[]): void {
    for (const [part, text] of partsOf(message)) {
        pattern.lastIndex = 0;
        for (let match = pattern.exec(text); match && hits.length < MOST_HITS; match = pattern.exec(text)) {
            if (!match[0]) pattern.lastIndex++;
            else hits.push({ message: message.index, part, from: match.index, to: match.index + match[0].length });
        }
    }
}
export const tooMany = (hits: Hit[]) => hits.length >= MOST_HITS;
