// Two groups of runs: their shapes, the calls, and how the page says what they mean.
import { get, pathOf, type Kind, type Params, type Rate } from './api';
import type { FieldInfo } from './lists';
import { RUN_KEYS, askedOf, listValues } from './filter';
import { DASH, cost, duration } from './format';
import { collectionPath } from './router';

export type Side = 'a' | 'b';
export const SIDES: Side[] = ['a', 'b'];

export interface ComparedSide {
    /** null: all other runs */
    value: string | null;
    runs: number;
    passed: number;
    failed: number;
    tasks: number;
    pass_rate: Rate | null;
}

export interface ComparedTask {
    task_id: string;
    a: { runs: number; passed: number; failed: number };
    b: { runs: number; passed: number; failed: number };
}

export interface Changed {
    what: 'measure' | 'exit_status' | 'behavior';
    name: string;
    kind: Kind | null;
    a: number | null;
    b: number | null;
    difference: number | null;
    low: number | null;
    high: number | null;
    p: number;
    /** for the number of rows */
    adjusted: number;
    weight: number;
    tasks: number;
    runs_a: number;
    runs_b: number;
}

/** Runs by size; edges[i] to edges[i + 1] is what a[i] and b[i] count. */
export interface Sizes {
    measure: string;
    edges: number[];
    a: number[];
    b: number[];
}

export interface Comparison {
    by: string;
    a: ComparedSide;
    b: ComparedSide;
    both: number;
    without_task: number;
    shared_tasks: number;
    outcome: {
        /** fisher: no task was run by both; runs are compared, unpaired */
        test: 'mcnemar' | 'bootstrap' | 'fisher' | null;
        tasks: number;
        a: number | null;
        b: number | null;
        difference: number | null;
        low: number | null;
        high: number | null;
        p: number | null;
        wins: number;
        losses: number;
        ties: number;
    };
    tasks: ComparedTask[];
    more_tasks: number;
    changed: Changed[];
    sizes: Sizes[];
}

export interface Contrasted {
    actions: string;
    a: number;
    b: number;
    p: number;
    shown: { run: string; transcript: number; message: number; quote: string }[];
}
export interface Contrast {
    runs_a: number;
    runs_b: number;
    items: Contrasted[];
}

export const comparing = {
    compare: (c: string, params: Params, signal?: AbortSignal) =>
        get<Comparison>(`/collections${pathOf(c)}/compare`, params, signal),
    contrast: (c: string, params: Params, signal?: AbortSignal) => get<Contrast>(`/collections${pathOf(c)}/contrast`, params, signal),
};

/* ---- what is asked ---------------------------------------------------------------------------------------------------- */

/** A field by which runs can be told apart, with its commonest values once they are known. */
export interface GroupField {
    field: string;
    values: { value: string; runs: number }[];
}

const SEVERAL = ['tag', 'behavior', 'kind', 'detector'];
const FIRST = ['model', 'agent', 'success', 'exit_status', 'tag', 'attempt', 'behavior', 'kind', 'format'];

/** Fields of few words, those that people compare by first. Two values it takes, but where a run may have several. */
export function groupFields(fields: FieldInfo[]): GroupField[] {
    const rank = (field: string) => (FIRST.includes(field) ? FIRST.indexOf(field) : FIRST.length);
    return fields
        .filter(f => f.facet && f.field !== 'task' && f.values > (SEVERAL.includes(f.field) ? 0 : 1))
        .sort((a, b) => rank(a.field) - rank(b.field) || b.runs - a.runs)
        .map(f => ({ field: f.field, values: [] }));
}

export interface Asked {
    by: string;
    a: string;
    /** null: all other runs */
    b: string | null;
}

/** What the address says, completed by the two commonest values of the field. */
export function askedFor(query: URLSearchParams, by: string, known: GroupField['values']): Asked | null {
    const values = known.map(v => v.value);
    const a = query.get('a') ?? values.find(v => v !== query.get('b'));
    if (a == null) return null;
    const rest = query.get('a') != null && query.get('b') == null;
    return { by, a, b: query.get('b') ?? (rest ? null : (values.find(v => v !== a) ?? null)) };
}

/** Filters of both groups: those of the runs, but for what the groups differ by. */
export function within(query: URLSearchParams, by: string): URLSearchParams {
    const filters = askedOf(query, RUN_KEYS);
    filters.delete(by);
    return filters;
}

export function paramsOf(asked: Asked, filters: URLSearchParams): URLSearchParams {
    const params = new URLSearchParams(filters);
    params.set('by', asked.by);
    params.set('a', asked.a);
    if (asked.b != null) params.set('b', asked.b);
    return params;
}

/** Where the runs of a side are listed; null for those that are all the others. */
export function runsOf(
    collection: { id: string; name: string },
    asked: Asked,
    side: Side,
    filters: URLSearchParams,
    more: Record<string, string> = {},
): string | null {
    const value = side === 'a' ? asked.a : asked.b;
    if (value == null) return null;
    const query = new URLSearchParams(filters);
    query.set(asked.by, value);
    for (const [key, text] of Object.entries(more)) query.set(key, text);
    return collectionPath(collection, 'runs') + '?' + query;
}

/** A finding or a length that one group has more often than the other, as shares of runs; `more` filters its runs. */
export interface Had {
    what: 'behavior' | 'length';
    name: string;
    kind: Kind | null;
    a: number;
    b: number;
    p: number;
    more: Record<string, string>;
}

const LENGTHS = ['messages', 'calls'];

/** Of a length the size from which on the shares of the two groups lie farthest apart. */
function lengthOf(row: Changed, sizes: Sizes): Had | null {
    const total = { a: sizes.a.reduce((s, n) => s + n, 0), b: sizes.b.reduce((s, n) => s + n, 0) };
    if (!total.a || !total.b) return null;
    let best: Had | null = null;
    const left = { ...total };
    for (let i = 1; i < sizes.a.length; i++) {
        left.a -= sizes.a[i - 1]!;
        left.b -= sizes.b[i - 1]!;
        const [a, b] = [left.a / total.a, left.b / total.b];
        const from = Math.ceil(sizes.edges[i]!);
        if (!best || Math.abs(a - b) > Math.abs(best.a - best.b))
            best = {
                what: 'length',
                name: `${from} or more ${MEASURE_NAME[row.name]}`,
                kind: null,
                a,
                b,
                p: row.adjusted,
                more: { ['range.' + row.name]: `${from}..` },
            };
    }
    return best;
}

/** The findings and lengths by which two groups differ surely, over the tasks that both ran; surest first. */
export function hadBy(c: Comparison): Had[] {
    return c.changed.flatMap((row): Had[] => {
        if (row.adjusted >= SURE || row.a == null || row.b == null) return [];
        if (row.what === 'behavior')
            return [{ what: 'behavior', name: row.name, kind: row.kind, a: row.a, b: row.b, p: row.adjusted, more: { behavior: row.name } }];
        const sizes = row.what === 'measure' && LENGTHS.includes(row.name) && c.sizes.find(s => s.measure === row.name);
        const length = sizes && lengthOf(row, sizes);
        return length ? [length] : [];
    });
}

/* ---- words ------------------------------------------------------------------------------------------------------------- */

const FIELD_NAME: Record<string, string> = {
    model: 'model',
    agent: 'agent',
    task: 'task',
    success: 'outcome',
    exit_status: 'exit status',
    format: 'format',
    tag: 'tag',
    kind: 'kind of finding',
    behavior: 'behaviour',
    detector: 'detector',
    attempt: 'attempt',
    limit: 'limit',
};
export const fieldName = (field: string) => FIELD_NAME[field] ?? field;
export function valueName(field: string, value: string | null): string {
    if (value == null) return 'all others';
    if (value === '') return `no ${fieldName(field)}`;
    if (field === 'success') return value === 'true' ? 'passed' : value === 'false' ? 'failed' : value;
    return value;
}

/** The same of a filter's list of values. */
export const valueNames = (field: string, list: string | null) =>
    list ? listValues(list).map(value => valueName(field, value)).join(' or ') : valueName(field, list);

export const MEASURE_NAME: Record<string, string> = {
    messages: 'messages',
    calls: 'tool calls',
    tokens_in: 'tokens in',
    tokens_out: 'tokens out',
    cost_usd: 'cost',
    duration_ms: 'duration',
};
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 });

/** A size in its unit. */
export function size(measure: string, value: number | null): string {
    if (value == null) return DASH;
    if (measure === 'cost_usd') return cost(value);
    if (measure === 'duration_ms') return duration(value);
    return value < 100 ? String(Math.round(value * 10) / 10) : compact.format(value);
}

const signed = (text: string, value: number) => (value < 0 ? '−' : value > 0 ? '+' : '') + text;
/** Points of a hundred: "+12.5". */
export const points = (value: number | null) => (value == null ? DASH : signed(Math.abs(value * 100).toFixed(1), round1(value)));
const round1 = (value: number) => Math.round(value * 1000);

/** How much a row changed, in its own unit. */
export function change(row: Changed): string {
    const d = row.difference;
    if (d == null) return DASH;
    return row.what === 'measure' ? signed(size(row.name, Math.abs(d)), d) : points(d);
}
export const level = (row: Changed, value: number | null) =>
    value == null ? DASH : row.what === 'measure' ? size(row.name, value) : (value * 100).toFixed(1);

/** "0.03", "< 0.001" */
export const chance = (p: number | null) => (p == null ? DASH : p < 0.001 ? '< 0.001' : p < 0.1 ? p.toFixed(3) : p.toFixed(2));
/** The level at which a difference is told from chance, everywhere on the page. */
export const SURE = 0.05;
