// Filters of runs and findings as words in a box, and as the query of the address.
import { KINDS, num } from './format';
import type { FacetOf, FieldInfo } from './lists';
import type { Summary } from './api';

export interface Field {
    key: string;
    about: string;
    /** Known values with how many runs or findings have them. */
    values: { value: string; n: number | null }[];
}

/** A finished term. Its key is the query parameter, its value a list. */
export interface Term {
    key: string;
    value: string;
}

export const RUN_KEYS = [
    'kind',
    'behavior',
    'detector',
    'severity',
    'status',
    'model',
    'task',
    'agent',
    'success',
    'exit_status',
    'stopped_by',
    'attempt',
    'format',
    'tag',
    'has_findings',
];
export const FINDING_KEYS = ['status', 'kind', 'behavior', 'detector', 'severity', 'model', 'task', 'success', 'agent', 'tag', 'exception'];

/** A value as a list of values has it: \, is a comma of the value, \\ a backslash. */
export const listItem = (value: string) => value.replace(/[\\,]/g, '\\$&');
export const listText = (values: string[]) => values.map(listItem).join(',');
/** The values of a list. */
export function listValues(text: string): string[] {
    const values = [''];
    for (const [piece] of text.matchAll(/\\[\\,]|[^]/g)) {
        if (piece === ',') values.push('');
        else values[values.length - 1] += piece.length === 2 ? piece[1] : piece;
    }
    return values.filter(Boolean);
}

/* Keys whose end names anything: a key of metadata, a score, a field that is to lie between two numbers. */
const isOpen = (key: string) => /^(meta|score|range)\../s.test(key);

/** The terms in an address, in its order. A value of no letters asks for what has none. */
export function termsOf(query: URLSearchParams, keys: string[]): Term[] {
    return [...query]
        .filter(([key]) => keys.includes(key) || isOpen(key))
        .map(([key, value]) => ({ key, value }));
}

/** What goes to the server: the terms, the words and nothing else of the address. */
export function askedOf(query: URLSearchParams, keys: string[]): URLSearchParams {
    const asked = new URLSearchParams();
    for (const { key, value } of termsOf(query, keys)) asked.set(key, value);
    const words = query.get('q');
    if (words) asked.set('q', words);
    return asked;
}

/** Finished terms at the front or end of what was typed, and the words that remain. A term needs a blank after it, or `all`. What stands
    in quotes is one value, whatever commas it has. */
export function readTerms(typed: string, keys: string[], all: boolean): { terms: Term[]; words: string; unknown: string | null } {
    const terms: Term[] = [];
    let unknown: string | null = null;
    const words = typed.replace(
        /(?<=^|\s)(?:"[^"]*(?:"|$)|([A-Za-z_][\w.]*):("[^"]*"|[^\s"]+)(\s+|$))/g,
        (whole, key: string | undefined, value: string, after: string) => {
            if (key === undefined || (!after && !all)) return whole; /* "in quotes" all is words */
            if (!keys.includes(key) && !isOpen(key)) {
                if (/^https?$/.test(key)) return whole;
                unknown = key;
                return whole;
            }
            terms.push({ key, value: value.startsWith('"') ? listItem(value.slice(1, -1)) : value });
            return '';
        },
    );
    return { terms, words: terms.length ? words.trimStart() : words, unknown };
}

/** Adds a term to an address: values of one key are alternatives. */
export function addTerm(query: URLSearchParams, term: Term): void {
    const old = query.get(term.key);
    const values = term.key.startsWith('range.') || !old ? [] : listValues(old);
    query.set(term.key, listText([...new Set([...values, ...listValues(term.value)])]));
}

/** What the box completes: the fields that the summary counts, and with `more` those of the runs' metadata and scores. */
export function fieldsOf(
    summary: Summary | undefined,
    keys: string[],
    of: 'runs' | 'findings',
    more: { fields: FieldInfo[]; facets: FacetOf[] } = { fields: [], facets: [] },
): Field[] {
    const facet = (field: string) =>
        summary?.facets
            .find(f => f.field === field)
            ?.values.flatMap(v => (v.value == null ? [] : { value: v.value, n: of === 'runs' ? v.runs : null })) ?? [];
    const about: Record<string, Field> = {
        kind: {
            key: 'kind',
            about: 'kind of finding',
            values:
                of === 'runs' && facet('kind').length
                    ? facet('kind')
                    : KINDS.map(value => ({ value, n: summary?.kinds[value][of] ?? null })),
        },
        behavior: {
            key: 'behavior',
            about: 'what was seen',
            values: summary?.behaviors.map(b => ({ value: b.behavior, n: b[of] })) ?? [],
        },
        detector: {
            key: 'detector',
            about: 'what saw it',
            values: summary?.detectors.map(d => ({ value: d.detector, n: d[of] })) ?? [],
        },
        severity: { key: 'severity', about: '', values: ['high', 'medium', 'low'].map(value => ({ value, n: null })) },
        status: {
            key: 'status',
            about: 'of the review',
            values: ['open', 'confirmed', 'dismissed'].map(value => ({ value, n: null })),
        },
        success: {
            key: 'success',
            about: 'outcome',
            values: facet('success').length ? facet('success') : ['true', 'false', 'unknown'].map(value => ({ value, n: null })),
        },
        has_findings: { key: 'has_findings', about: '', values: ['true', 'false'].map(value => ({ value, n: null })) },
    };
    const told = (key: string) =>
        more.facets.find(f => f.field === key)?.values.flatMap(v => (v.value == null ? [] : { value: v.value, n: v.runs }));
    const further = more.fields
        .filter(info => isOpen(info.field))
        .map(info => ({ key: info.field, about: `${num(info.runs)} runs`, values: told(info.field) ?? [] }));
    return [...keys.map(key => about[key] ?? { key, about: '', values: told(key) ?? facet(key) }), ...further];
}
