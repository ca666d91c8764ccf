// Search: every message of every collection, hits as they come, and how many there are by field.
import { address, get, type List, type Role } from './api';
import { toUtf16 } from './text';

export interface SearchHit {
    run: string;
    external_id: string | null;
    collection: string;
    task_id: string | null;
    model: string | null;
    success: boolean | null;
    transcript: number;
    message: number;
    role: Role;
    tool: string | null;
    /** As in evidence; start and end count bytes of its UTF-8. */
    part: string;
    start: number;
    end: number;
    line: string;
    line_start: number;
}

export interface SearchPage extends List<SearchHit> {
    incomplete: boolean;
    reason: string | null;
}

export type SearchField = 'collection' | 'role' | 'tool' | 'model' | 'task' | 'success';

export interface SearchFacets {
    total: number;
    complete: boolean;
    reason: string | null;
    /** value null: hits that have none */
    facets: { field: SearchField; values: { value: string | null; hits: number }[]; more: number }[];
}

/** Filters, as they stand in the address and go to the server. */
export const SEARCH_KEYS = ['collection', 'role', 'tool', 'model', 'task', 'success', 'agent', 'exit_status', 'tag'];
const SWITCHES = ['regex', 'case'];
const isFilter = (key: string) => SEARCH_KEYS.includes(key) || /^(meta|score|range)\../.test(key);

/** What an address asks for (a filter of no letters: what has none); empty where it asks for nothing. */
export function searchOf(query: URLSearchParams): URLSearchParams {
    const asked = new URLSearchParams();
    if (!query.get('q')?.trim()) return asked;
    for (const [key, value] of query) {
        if (isFilter(key) || (value && (key === 'q' || SWITCHES.includes(key)))) asked.set(key, value);
    }
    return asked;
}

/** The filters of an address, each with what takes it out. */
export const filtersOf = (query: URLSearchParams) => [...query].filter(([key]) => isFilter(key));

export const searching = {
    page: (asked: URLSearchParams, limit: number, after: string | null, signal?: AbortSignal) => {
        const params = new URLSearchParams(asked);
        params.set('limit', String(limit));
        if (after) params.set('after', after);
        return get<SearchPage>('/search', params, signal);
    },
    facets: (asked: URLSearchParams, signal?: AbortSignal) => get<SearchFacets>('/search/facets', asked, signal),
};

/** The same search for a script. */
export const searchUrl = (asked: URLSearchParams) => location.origin + address('/search', asked);

/** The words that a search is for, as the server splits them: at blanks, but not "in quotes". */
export function wordsOf(q: string): string[] {
    return [...q.matchAll(/"([^"]*(?:"(?! |$)[^"]*)*)"(?= |$)|[^ ]+/g)].map(m => m[1] ?? m[0]).filter(word => word);
}

/** What is typed without a term at its end that is still being typed: half a term is no word to look for yet. */
export const withoutHalfTerm = (typed: string) =>
    typed.replace(/(?:^|\s)([A-Za-z_][\w.]*):\S*$/, (whole, key: string) => (isFilter(key) ? '' : whole));

const BEFORE = 64; /* characters of a line that stay before its match */

/** A line of a hit in pieces, what matches marked; `before` characters of it stay before the match. */
export function piecesOf(hit: SearchHit, words: string[], before = BEFORE): { text: string; marked: boolean }[] {
    const offset = hit.start - hit.line_start;
    const [from = 0, to = 0] = toUtf16(hit.line, [offset, offset + hit.end - hit.start]);
    const ranges: [number, number][] = [[from, to], ...(words.length > 1 ? placesOf(hit.line, words) : [])];
    ranges.sort((a, b) => a[0] - b[0]);
    const pieces: { text: string; marked: boolean }[] = [];
    const put = (start: number, end: number, marked: boolean) => {
        if (end > start) pieces.push({ text: hit.line.slice(start, end), marked });
    };
    let at = startOf(hit.line, Math.min(from, ranges[0]![0] < from - before ? from : ranges[0]![0]), before);
    if (hit.line.slice(0, at).trim()) pieces.push({ text: '… ', marked: false });
    for (const [start, end] of ranges) {
        if (end <= at) continue;
        put(at, Math.max(at, start), false);
        put(Math.max(at, start), end, true);
        at = end;
    }
    put(at, hit.line.length, false);
    return pieces;
}

/** Where the line begins to be shown: at a word, not more than `before` characters ahead of the match. */
function startOf(line: string, match: number, before: number): number {
    const indent = /^\s*/.exec(line)![0].length;
    if (match <= before) return Math.min(indent, match);
    const blank = line.indexOf(' ', match - before);
    return blank >= 0 && blank < match ? blank + 1 : match - before;
}

function placesOf(line: string, words: string[]): [number, number][] {
    const lower = line.toLowerCase();
    if (lower.length !== line.length) return []; /* its letters do not stand where they stood */
    const places: [number, number][] = [];
    for (const word of words.map(w => w.toLowerCase()))
        for (let at = lower.indexOf(word); at >= 0 && places.length < 50; at = lower.indexOf(word, at + word.length))
            places.push([at, at + word.length]);
    return places;
}
