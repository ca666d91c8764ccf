// What the lists of a collection and the page of a task ask of the server.
import { callFile, get, pathOf, type Finding, type Kind, type Params, type Task } from './api';

/** A run of a group, and the message where it says so; null: a score or the run itself does. */
export interface Member {
    run: string;
    external_id: string | null;
    model: string | null;
    success: boolean | null;
    position: number | null;
    message: number | null;
}

export interface TaskGroup {
    text: string | null;
    /** How an answer stands to the target: the same, the same in another dress, nearly, another; null where nothing is expected. */
    form: 'same' | 'garbled' | 'dressed' | 'near' | 'other' | null;
    /** An answer that no score tells: what the agent said last. */
    last_words: boolean;
    runs: number;
    passed: number;
    failed: number;
    /** The first of them. */
    members: Member[];
}

export interface TaskDetail {
    task: Task;
    /** About the task as a whole, dismissed ones too. */
    findings: Finding[];
    /** How many of its runs the groups are of. */
    looked: number;
    answers: TaskGroup[];
    answers_more: number;
    targets: { text: string; runs: number }[];
    targets_more: number;
    errors: TaskGroup[];
    errors_more: number;
    behaviors: { behavior: string; kind: Kind; runs: number }[];
}

/** A field that runs can be filtered, grouped and shown by. */
export interface FieldInfo {
    field: string;
    type: 'text' | 'number' | 'bool' | 'time';
    /** It has words that can be counted; else a range of it can be asked for. */
    facet: boolean;
    /** How many different ones, and how many runs have one. */
    values: number;
    runs: number;
}

export interface FacetValue {
    value: string | null;
    runs: number;
    passed: number;
    failed: number;
}
export interface FacetOf {
    field: string;
    values: FacetValue[];
    more: number;
}
export interface Facets {
    total: number;
    facets: FacetOf[];
}

/** Of the runs whose source has it; null: no run's has. */
export interface Spread {
    n: number;
    sum: number;
    mean: number;
    median: number;
    p90: number;
}
export interface StatRow {
    value: string | null;
    runs: number;
    passed: number;
    failed: number;
    cost_usd: Spread | null;
    tokens: Spread | null;
    duration_ms: Spread | null;
    messages: Spread | null;
    calls: Spread | null;
}

const of = (collection: string, ...rest: string[]) => '/collections' + pathOf(collection, ...rest);

export const lists = {
    task: (c: string, task: string, signal?: AbortSignal) => get<TaskDetail>(of(c, 'tasks', task), undefined, signal),
    fields: (c: string, signal?: AbortSignal) => get<{ items: FieldInfo[] }>(of(c, 'fields'), undefined, signal),
    facets: (c: string, params: Params, signal?: AbortSignal) => get<Facets>(of(c, 'facets'), params, signal),
    stats: (c: string, params: Params, signal?: AbortSignal) => get<{ items: StatRow[]; more: number }>(of(c, 'stats'), params, signal),
};

/** The chosen runs as a file; what a filter names is a link (exportUrl). */
export const exportRuns = (c: string, as: 'native' | 'csv', ids: string[]) =>
    callFile('POST', of(c, 'export'), { body: { as, ids } });
