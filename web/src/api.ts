// Every shape the server speaks, and the only place that asks it.

export type Kind = 'broken_task' | 'odd_behavior' | 'near_miss' | 'harness' | 'data';
export type Severity = 'low' | 'medium' | 'high';
export type Status = 'open' | 'confirmed' | 'dismissed';
export type Role = 'system' | 'user' | 'assistant' | 'tool';
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

export interface List<T> {
    items: T[];
    next: string | null;
    total: number | null;
}

/** The pages of a list, one after the other: `ask` is given the cursor of each, '' for the first. */
export async function* pagesOf<P extends { next: string | null }>(ask: (after: string) => Promise<P>): AsyncGenerator<P> {
    for (let after: string | null = ''; after != null;) {
        const page: P = await ask(after);
        yield page;
        after = page.next;
    }
}

/** The first `n` of them as one. */
export async function firstPages<T>(n: number, ask: (after: string) => Promise<List<T>>): Promise<List<T>> {
    const all: List<T> = { items: [], next: null, total: null };
    for await (const page of pagesOf(ask)) {
        all.items.push(...page.items);
        [all.next, all.total] = [page.next, page.total];
        if (!--n) break;
    }
    return all;
}

export interface Collection {
    id: string;
    name: string;
    description: string | null;
    created_at: string;
    imported_at: string | null;
    runs: number;
    passed: number;
    failed: number;
    flagged: number;
    tasks: number;
    broken_tasks: number;
    findings: number;
    /** What its runs say and show, unpacked. */
    bytes: number;
    keep: string | null;
    quota: string | null;
}

export interface Source {
    file: string | null;
    location: string | null;
    format: string | null;
}

/** `part` is text, reasoning, error, call:N.name or call:N.arguments; with message null a field of the run.
 *  start and end count bytes of that part's UTF-8. */
export interface Evidence {
    run: string | null;
    transcript: string | null;
    position: number | null;
    message: number | null;
    part: string;
    start: number;
    end: number;
    quote: string;
    /** Of a judge's: the share of its samples that cite it. */
    weight?: number | null;
}

export interface RunRef {
    id: string;
    external_id: string | null;
    name: string | null;
    task_id: string | null;
    model: string | null;
    success: boolean | null;
    source: Source;
}

export interface Finding {
    id: string;
    detector: string;
    detector_version: string;
    behavior: string;
    kind: Kind;
    severity: Severity;
    confidence: number | null;
    title: string;
    message: string | null;
    scope: 'run' | 'task' | 'collection';
    status: Status;
    note: string | null;
    reviewer: string | null;
    /** Of the exception that set it aside. */
    exception: string | null;
    created_at: string;
    task_id: string | null;
    captures?: Record<string, string>;
    run: RunRef | null;
    evidence: Evidence[];
}

export type FindingBrief = Pick<Finding, 'id' | 'detector' | 'behavior' | 'kind' | 'severity' | 'title' | 'evidence'>;

export interface Score {
    name: string | null;
    value: Json;
    answer: string | null;
    target: string | null;
    explanation: string | null;
}

/** What a person or another tool said of a run, perhaps of words in it. */
export interface Label {
    set: string;
    value: Json;
    who: string | null;
    when: string | null;
}

export interface TranscriptRef {
    id: string;
    parent: string | null;
    name: string | null;
    position: number;
    messages: number;
}

export interface Run extends RunRef {
    collection: string;
    agent: string | null;
    attempt: number | null;
    started_at: string | null;
    ended_at: string | null;
    duration_ms: number | null;
    exit_status: string | null;
    error: string | null;
    limit: string | null;
    tokens_in: number | null;
    tokens_out: number | null;
    cost_usd: number | null;
    tags: string[];
    metadata: Record<string, Json>;
    gist: string | null;
    messages: number;
    tool_calls: number;
    scores: Score[];
    labels: Label[];
    transcripts: TranscriptRef[];
    findings: Record<Kind, number>;
    first_finding: FindingBrief | null;
}

/** role 0..3 as system, user, assistant, tool; bytes of text; tool calls; 1 where it carries an error */
export type Mark = [role: number, bytes: number, calls: number, error: number];

/** A detector that met a limit on a run, and so may have missed something there. */
export interface Incomplete {
    run: string;
    external_id: string | null;
    detector: string;
    reason: string | null;
}

export interface RunDetail extends Run {
    all_findings: Finding[];
    incomplete: Incomplete[];
    /** `start` and `at` (milliseconds since it, a message): null where the source has no times. */
    marks: { transcript: number; marks: Mark[]; start: string | null; at: (number | null)[] | null }[];
    siblings: {
        id: string;
        external_id: string | null;
        model: string | null;
        attempt: number | null;
        success: boolean | null;
        flagged: boolean;
    }[];
}

export interface ToolCall {
    position: number;
    call_id: string | null;
    name: string | null;
    arguments: string | null;
    parse_error: string | null;
    metadata: Json;
}

export interface Message {
    index: number;
    role: Role;
    text: string | null;
    reasoning: string | null;
    model: string | null;
    timestamp: string | null;
    duration_ms: number | null;
    tokens_in: number | null;
    tokens_out: number | null;
    finish_reason: string | null;
    tool_call_id: string | null;
    tool_name: string | null;
    error: string | null;
    metadata: Json;
    tool_calls: ToolCall[];
    /** sha256 is null where the source only refers to it */
    blobs: { sha256: string | null; media_type: string | null; size: number; url: string | null }[];
}

export interface Messages {
    items: Message[];
    from: number;
    /** the index to go on from where the answer was cut short of `limit` for its size */
    next: number | null;
    total: number;
}

export interface Rate {
    value: number;
    low: number;
    high: number;
}

export interface ModelCount {
    model: string | null;
    runs: number;
    passed: number;
    failed: number;
}

export interface Task {
    task_id: string;
    gist: string | null;
    target: string | null;
    runs: number;
    passed: number;
    failed: number;
    pass_rate: number | null;
    verdict: 'sound' | 'suspect' | 'broken';
    reasons: { finding: string; detector: string; severity: string; status: string; title: string | null }[];
    findings: Record<Kind, number>;
    models: ModelCount[];
    best: Finding | null;
}

export interface GroupCount {
    kind: Kind;
    findings: number;
    runs: number;
    tasks: number;
    open: number;
    confirmed: number;
    /** By people. */
    dismissed: number;
    /** Set aside by exceptions. */
    excepted: number;
}

export interface Summary {
    collection: Collection;
    runs: number;
    passed: number;
    failed: number;
    unknown: number;
    tasks: number;
    models: number;
    messages: number;
    tool_calls: number;
    tokens_in: number | null;
    tokens_out: number | null;
    cost_usd: number | null;
    files: number;
    refused: number;
    incomplete: number;
    pass_rate: Rate | null;
    pass_rate_sound: Rate | null;
    broken_tasks: number;
    suspect_tasks: number;
    kinds: Record<Kind, { findings: number; runs: number; tasks: number }>;
    detectors: (GroupCount & { detector: string; behavior: string; severity: Severity })[];
    behaviors: (GroupCount & { behavior: string; best: Finding | null })[];
    by_model: (ModelCount & { flagged: number; pass_rate: Rate | null; pass_rate_sound: Rate | null })[];
    /** value null: the runs that do not say */
    facets: { field: string; values: { value: string | null; runs: number }[] }[];
}

export interface Detector {
    id: string;
    version: string;
    title: string;
    behavior: string;
    kind: Kind;
    severity: Severity;
    scope: string;
    why: string | null;
    unsure: string | null;
    code: boolean;
    enabled: boolean;
    source: string | null;
    parameters: Record<string, unknown> | null;
    text: string | null;
}

/** What `telltale import --json` prints. */
export interface ImportReport {
    collection: { id: string; name: string };
    files: { read: number; skipped: number; failed: number };
    runs: { new: number; updated: number; duplicate: number; rejected: number };
    messages: number;
    bytes: number;
    seconds: number;
    formats: Record<string, number>;
    repairs: Record<string, number>;
    findings: { total: number; by_kind: Partial<Record<Kind, number>> };
    errors: { source: string | null; location: string | null; code: string; message: string }[];
}

export type JobState = 'queued' | 'running' | 'done' | 'failed' | 'cancelled';

export interface Upload {
    id: string;
    state: JobState;
    job: string;
    progress: { bytes?: number; total?: number; runs?: number; messages?: number } | null;
    result: ImportReport | null;
    error: string | null;
}

export interface Job {
    id: string;
    kind: string;
    state: JobState;
    collection: string | null;
    filename: string | null; /* of an upload */
    wish?: Record<string, Json> | null; /* of one that judges: what was asked */
    progress: Record<string, Json> | null;
    result: Record<string, Json> | null;
    error: string | null;
    attempts: number;
    created_at: string;
    started_at: string | null;
    ended_at: string | null;
}

/** The program, and what its files take in bytes. */
export interface System {
    version: string;
    database: string;
    database_bytes: number;
    log_bytes: number;
    /** Uploads that are not read yet. */
    waiting: number;
    waiting_bytes: number;
    free_bytes: number | null;
}

/** A refusal or a failure, with the server's stable code ("network" where no answer came). */
export class ApiError extends Error {
    constructor(
        readonly status: number,
        readonly code: string,
        message: string,
        readonly where: string,
    ) {
        super(message);
    }
}

const ROOT = '/api/v1';

export type Params = Record<string, string | number | boolean | null | undefined> | URLSearchParams;

/** Of a download, or what is linked to. */
export function address(path: string, params?: Params): string {
    let query: URLSearchParams;
    if (params instanceof URLSearchParams) {
        query = params;
    } else {
        query = new URLSearchParams();
        for (const [key, value] of Object.entries(params ?? {})) {
            if (value != null && value !== '') query.set(key, String(value));
        }
    }
    const text = query.toString();
    return ROOT + path + (text ? '?' + text : '');
}

/** A path made of pieces, each of which may hold anything. */
export function pathOf(...pieces: string[]): string {
    return pieces.map(piece => '/' + encodeURIComponent(piece)).join('');
}

/* The bar under the top bar shows while this is not 0. */
let waiting = 0;
const waiters = new Set<(n: number) => void>();
export function onWaiting(listener: (n: number) => void): () => void {
    waiters.add(listener);
    return () => void waiters.delete(listener);
}
function wait(change: number): void {
    waiting += change;
    for (const listener of waiters) listener(waiting);
}

function refusal(status: number, where: string, text: string, type: string): ApiError {
    if (type.includes('json')) {
        try {
            const problem = JSON.parse(text) as { title?: string; detail?: string; code?: string };
            return new ApiError(
                status,
                problem.code ?? String(status),
                problem.detail || problem.title || 'The server refused.',
                where,
            );
        } catch {
            /* said below */
        }
    }
    return new ApiError(status, String(status), `The server answered with status ${status} and no reason.`, where);
}

/* What a browser that signed in sends with every write, so that no other site can write in its name. */
const CSRF = 'x-telltale-csrf';
let csrf: string | null = null;
export const setCsrf = (value: string | null) => void (csrf = value);
let refused: (status: number) => void = () => {};
/** `listener` hears of it when the server asks who this is, or says that they may not. */
export const onRefused = (listener: (status: number) => void) => void (refused = listener);

const UNREACHABLE = 'The server does not answer. Is telltale still running?';

interface Options {
    params?: Params;
    body?: unknown;
    raw?: Blob;
    signal?: AbortSignal;
}

/** Asks the server, and gives what `read` makes of an answer that is no refusal. */
async function ask<T>(method: string, path: string, options: Options, read: (answer: Response) => Promise<T>): Promise<T> {
    const where = `${method} ${ROOT}${path}`;
    wait(1);
    try {
        let answer: Response;
        try {
            answer = await fetch(address(path, options.params), {
                method,
                signal: options.signal ?? null,
                headers: {
                    ...(options.body !== undefined && { 'content-type': 'application/json' }),
                    ...(method !== 'GET' && csrf && { [CSRF]: csrf }),
                },
                body: options.body === undefined ? (options.raw ?? null) : JSON.stringify(options.body),
            });
        } catch (e) {
            if (options.signal?.aborted) throw e;
            throw new ApiError(0, 'network', UNREACHABLE, where);
        }
        if (answer.status === 401 || answer.status === 403) refused(answer.status);
        if (!answer.ok) throw refusal(answer.status, where, await answer.text(), answer.headers.get('content-type') ?? '');
        return await read(answer);
    } finally {
        wait(-1);
    }
}

/** Asks the server. `raw` goes as it is, `body` as JSON; `read` makes something else of the answer's text than its JSON. */
export const call = <T>(method: string, path: string, options: Options = {}, read: (text: string) => unknown = JSON.parse) =>
    ask<T>(method, path, options, async answer => {
        const text = await answer.text();
        return (text ? read(text) : null) as T;
    });

/** The same where the answer is a file. */
export const callFile = (method: string, path: string, options: Options = {}) => ask(method, path, options, answer => answer.blob());

export const get = <T>(path: string, params?: Params, signal?: AbortSignal) => call<T>('GET', path, { params, signal });

/** A call names at most so many runs. */
export const MOST_IDS = 10_000;

export const api = {
    collections: (params?: Params, signal?: AbortSignal) => get<List<Collection>>('/collections', params, signal),
    collection: (c: string, signal?: AbortSignal) => get<Collection>('/collections' + pathOf(c), undefined, signal),
    addCollection: (name: string) => call<Collection>('POST', '/collections', { body: { name } }),
    changeCollection: (c: string, change: { name?: string; description?: string; keep?: string; quota?: string }) =>
        call<Collection>('PATCH', '/collections' + pathOf(c), { body: change }),
    deleteCollection: (c: string) => call<null>('DELETE', '/collections' + pathOf(c)),
    summary: (c: string, signal?: AbortSignal) => get<Summary>(`/collections${pathOf(c)}/summary`, undefined, signal),
    runs: (c: string, params?: Params, signal?: AbortSignal) => get<List<Run>>(`/collections${pathOf(c)}/runs`, params, signal),
    tasks: (c: string, params?: Params, signal?: AbortSignal) =>
        get<List<Task>>(`/collections${pathOf(c)}/tasks`, params, signal),
    findings: (c: string, params?: Params, signal?: AbortSignal) =>
        get<List<Finding>>(`/collections${pathOf(c)}/findings`, params, signal),
    incomplete: (c: string, params?: Params, signal?: AbortSignal) =>
        get<List<Incomplete>>(`/collections${pathOf(c)}/incomplete`, params, signal),
    scan: (c: string) => call<Job>('POST', `/collections${pathOf(c)}/scans`, { body: {} }),
    run: (id: string, signal?: AbortSignal) => get<RunDetail>('/runs' + pathOf(id), undefined, signal),
    deleteRuns: (which: { ids: string[] } | { collection: string; filter: Record<string, string> }) =>
        call<{ deleted: number }>('POST', '/runs/delete', { body: which }),
    messages: (run: string, transcript: number, from: number, limit: number, signal?: AbortSignal) =>
        get<Messages>(`/runs${pathOf(run)}/messages`, { transcript, from, limit }, signal),
    /** Of runs by their ids, or of all that a filter of a collection names. */
    tag: (which: { ids: string[] } | { collection: string; filter: Record<string, string> }, tag: string, remove = false) =>
        call<{ changed: number }>('POST', '/runs/tags', { body: { ...which, tag, remove } }),
    finding: (id: string, signal?: AbortSignal) => get<Finding>('/findings' + pathOf(id), undefined, signal),
    review: (id: string, change: { status?: Status; note?: string | null; reviewer?: string }) =>
        call<Finding>('PATCH', '/findings' + pathOf(id), { body: change }),
    reviewMany: (ids: string[], change: { status?: Status; note?: string; reviewer?: string }) =>
        call<{ changed: number }>('POST', '/findings/review', { body: { ids, ...change } }),
    reviewFilter: (
        collection: string,
        filter: Record<string, string>,
        change: { status: Status; note?: string; reviewer?: string },
    ) => call<{ changed: number }>('POST', '/findings/review', { body: { collection, filter, ...change } }),
    detectors: (signal?: AbortSignal, collection?: string | null) => get<List<Detector>>('/detectors', { collection }, signal),
    sample: () => call<Job>('POST', '/sample', { body: {} }),
    job: (id: string, signal?: AbortSignal) => get<Job>('/jobs' + pathOf(id), undefined, signal),
    jobs: (signal?: AbortSignal, params: Params = { limit: 50 }) => get<List<Job>>('/jobs', params, signal),
    system: (signal?: AbortSignal) => get<System>('/system', undefined, signal),
    cancelJob: (id: string) => call<null>('DELETE', '/jobs' + pathOf(id)),
    retryJob: (id: string) => call<Job>('POST', `/jobs${pathOf(id)}/retry`, { body: {} }),
    uploadState: (id: string, signal?: AbortSignal) => get<Upload>('/uploads' + pathOf(id), undefined, signal),
};

export function exportUrl(c: string, as: 'native' | 'csv' | 'html', filter?: URLSearchParams): string {
    const params = new URLSearchParams(filter);
    params.set('as', as);
    return address(`/collections${pathOf(c)}/export`, params);
}
export const blobUrl = (sha256: string) => address('/blobs' + pathOf(sha256));
/** What a script is told to send: for a new collection its name first. */
export function uploadCommand(name: string, isNew: boolean): string {
    const collections = `${location.origin}${ROOT}/collections`;
    const who = csrf ? ' -H "authorization: Bearer $TELLTALE_TOKEN"' : '';
    const add = isNew ? `curl${who} ${collections} -d '{"name":"${name}"}'\n` : '';
    return `${add}curl${who} --data-binary @runs.jsonl \\\n  ${collections}/${name}/uploads`;
}

/** What a shell is told: on a server for others they are rarely at its database. */
export function importCommand(name: string): string {
    return csrf ? `TELLTALE_TOKEN=… telltale import logs/ \\\n  --to ${location.origin} -c ${name}` : `telltale import logs/ -c ${name}`;
}

/** Sends a file's bytes. XMLHttpRequest, because fetch tells nothing of how far an upload has come. */
export function sendFile(
    c: string,
    file: Blob,
    filename: string,
    onProgress: (sent: number) => void,
    signal: AbortSignal,
): Promise<Upload> {
    const path = `/collections${pathOf(c)}/uploads`;
    const where = `POST ${ROOT}${path}`;
    return new Promise((resolve, reject) => {
        const request = new XMLHttpRequest();
        request.open('POST', address(path, { filename }));
        request.setRequestHeader('content-type', 'application/octet-stream');
        if (csrf) request.setRequestHeader(CSRF, csrf);
        request.upload.onprogress = event => onProgress(event.loaded);
        request.onload = () => {
            const text = request.responseText;
            if (request.status === 401 || request.status === 403) refused(request.status);
            if (request.status >= 200 && request.status < 300) resolve(JSON.parse(text) as Upload);
            else reject(refusal(request.status, where, text, request.getResponseHeader('content-type') ?? ''));
        };
        request.onerror = () => reject(new ApiError(0, 'network', UNREACHABLE, where));
        request.onabort = () => reject(new ApiError(0, 'cancelled', 'The upload was cancelled.', where));
        signal.addEventListener('abort', () => request.abort());
        request.send(file);
    });
}
