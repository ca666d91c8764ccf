// SQL over the views: what the server speaks of it, and what the page knows about the text of a query.
import { call, get, type Json, type List } from './api';
import { csvCell } from './file';
import type { Completions, Problem } from './parts/editor';

export interface SqlColumn {
    name: string;
    type: 'text' | 'integer' | 'number' | 'bool' | 'time' | 'json' | 'any';
    about: string;
}

export interface SqlView {
    name: string;
    about: string;
    columns: SqlColumn[];
}

export interface SqlSchema {
    views: SqlView[];
    functions: string[];
    limits: {
        seconds: number;
        memory_bytes: number;
        value_bytes: number;
        query_bytes: number;
        answer_bytes: number;
        rows: number;
    };
}

/** A whole number that a double cannot hold is a bigint. */
export type SqlValue = Json | bigint;

export interface SqlAnswer {
    columns: string[];
    rows: SqlValue[][];
    truncated: boolean;
}

/** How a result is drawn: `x` and `y` name columns; `by` one whose values are colours (of a heat map: the number in the cell). */
export interface ChartSpec {
    type: 'bar' | 'line' | 'heat';
    x: string;
    y: string;
    by: string | null;
}

export interface SavedQuery {
    id: string;
    name: string;
    text: string;
    chart: ChartSpec | null;
    created_at: string;
    updated_at: string;
}

const exact = (_key: string, value: unknown, context?: { source?: string }): unknown =>
    typeof value === 'number' && !Number.isSafeInteger(value) && /^-?\d+$/.test(context?.source ?? '') ? BigInt(context!.source!) : value;

/** The answer with all digits of its whole numbers. A browser that does not tell a number's source rounds them. */
export const readAnswer = (text: string): SqlAnswer => JSON.parse(text, /\d{16}/.test(text) ? exact : undefined) as SqlAnswer;

export const querying = {
    run: (query: string, params: Json[], limit: number, signal?: AbortSignal) =>
        call<SqlAnswer>('POST', '/sql', { body: { query, params, limit }, signal }, readAnswer),
    schema: (signal?: AbortSignal) => get<SqlSchema>('/sql/schema', undefined, signal),
    saved: (signal?: AbortSignal) => get<List<SavedQuery>>('/queries', undefined, signal),
    save: (id: string | null, query: { name: string; text: string; chart?: ChartSpec }) =>
        id == null ? call<SavedQuery>('POST', '/queries', { body: query }) : call<SavedQuery>('PUT', `/queries/${id}`, { body: query }),
    remove: (id: string) => call<null>('DELETE', `/queries/${id}`),
};

/** Queries to begin with. */
export const EXAMPLES: { name: string; text: string; chart?: ChartSpec }[] = [
    {
        name: 'Pass rate by model',
        text: `SELECT model, count(*) AS runs, avg(success) AS pass_rate, avg(cost_usd) AS cost_usd
FROM runs
GROUP BY model
ORDER BY runs DESC`,
        chart: { type: 'bar', x: 'model', y: 'pass_rate', by: null },
    },
    {
        name: 'Findings by model and kind',
        text: `SELECT r.model, f.kind, count(DISTINCT f.run) AS runs
FROM findings f JOIN runs r ON r.id = f.run
WHERE f.status <> 'dismissed'
GROUP BY r.model, f.kind`,
        chart: { type: 'heat', x: 'kind', y: 'model', by: 'runs' },
    },
    {
        name: 'Tasks that nobody passes',
        text: `SELECT task_id, attempts, verdict, reasons
FROM tasks
WHERE successes = 0 AND failures > 0
ORDER BY attempts DESC`,
    },
    {
        name: 'Tools and how often they fail',
        text: `SELECT tool_name, count(*) AS results, sum(error IS NOT NULL) AS errors
FROM messages
WHERE role = 'tool' AND tool_name IS NOT NULL
GROUP BY tool_name
ORDER BY results DESC
LIMIT 40`,
        chart: { type: 'bar', x: 'tool_name', y: 'results', by: null },
    },
    {
        name: 'Runs a day',
        text: `SELECT date(started_at) AS day, count(*) AS runs
FROM runs
WHERE started_at IS NOT NULL
GROUP BY day
ORDER BY day`,
        chart: { type: 'line', x: 'day', y: 'runs', by: null },
    },
    {
        name: 'Longest runs of a model',
        text: `SELECT id, task_id, model, success, messages, tool_calls
FROM runs
WHERE model LIKE :model
ORDER BY messages DESC
LIMIT 100`,
    },
];

/* ---- the text of a query ---------------------------------------------------------------------------------------------- */

type Token = { type: 'word' | 'text' | 'comment' | 'sign' | 'param'; text: string; from: number };

/** Words, quoted things, comments, parameters and signs; space is left out. One pass. */
function tokens(sql: string): Token[] {
    const list: Token[] = [];
    const pattern =
        /(--[^\n]*|\/\*[\s\S]*?(?:\*\/|$))|('(?:[^']|'')*(?:'|$)|"(?:[^"]|"")*(?:"|$)|`[^`]*(?:`|$)|\[[^\]]*(?:\]|$))|([A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*)|([:@$][A-Za-z_]\w*|[?$]\d*)|(\d[\w.]*|->>?|\S)/g;
    for (const match of sql.matchAll(pattern)) {
        const [text, comment, quoted, word, param] = match;
        list.push({
            type: comment ? 'comment' : quoted ? 'text' : word ? 'word' : param ? 'param' : 'sign',
            text,
            from: match.index,
        });
    }
    return list;
}

/** The parameters of a query in the order in which it takes their values. A name that comes twice is one parameter. */
export function parametersOf(sql: string): string[] {
    const names: string[] = [];
    for (const token of tokens(sql)) {
        if (token.type !== 'param') continue;
        if (token.text === '?' || token.text === '$') names.push('?' + (names.length + 1));
        else if (!names.includes(token.text)) names.push(token.text);
    }
    return names;
}

/** As it was typed: a number where it is one, nothing is NULL. */
export function parameterValue(typed: string): Json {
    if (typed === '') return null;
    return /^-?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(typed) ? Number(typed) : typed;
}

const KEYWORDS = (
    'SELECT FROM WHERE GROUP BY ORDER HAVING LIMIT OFFSET JOIN LEFT ON USING AS AND OR NOT IN IS NULL LIKE BETWEEN CASE WHEN THEN ELSE END ' +
    'DISTINCT UNION ALL WITH RECURSIVE EXISTS CAST ASC DESC OVER PARTITION FILTER EXCEPT INTERSECT VALUES TRUE FALSE ESCAPE COLLATE NOCASE'
).split(' ');

/** What may stand at `at`: columns of the views that the query names, behind a dot those of its alias, behind FROM the views. */
export function completeSql(schema: SqlSchema | undefined, sql: string, at: number): Completions | null {
    const all = tokens(sql);
    const inside = all.find(token => token.from < at && at <= token.from + token.text.length);
    if (inside && (inside.type === 'text' || inside.type === 'comment') && at < inside.from + inside.text.length) return null;
    if (inside?.type === 'comment' || !schema) return null;
    const word = /[\w$]*$/.exec(sql.slice(0, at))![0];
    const from = at - word.length;
    if (/^\d/.test(word)) return null;
    const before = all.filter(token => token.from < from && token.type !== 'comment');
    const last = before[before.length - 1];
    const views = new Map(schema.views.map(view => [view.name, view]));
    const aliases = new Map<string, SqlView>();
    const tables: string[] = []; // of WITH
    all.forEach((token, i) => {
        const next = all[i + 1];
        if (/^as$/i.test(token.text) && next?.text === '(' && all[i - 1]?.type === 'word') tables.push(all[i - 1]!.text);
        const view = token.type === 'word' ? views.get(token.text.toLowerCase()) : undefined;
        if (!view || !/^(from|join|,)$/i.test(all[i - 1]?.text ?? '')) return;
        aliases.set(token.text.toLowerCase(), view);
        const named = next && /^as$/i.test(next.text) ? all[i + 2] : next;
        if (named?.type === 'word' && !KEYWORDS.includes(named.text.toUpperCase())) aliases.set(named.text.toLowerCase(), view);
    });
    const columnOptions = (view: SqlView) => view.columns.map(c => ({ label: c.name, detail: `${c.type} · ${c.about}` }));
    if (last?.text === '.') {
        const view = aliases.get((before[before.length - 2]?.text ?? '').toLowerCase());
        return view ? { from, options: columnOptions(view) } : null;
    }
    const viewOptions = [
        ...schema.views.map(view => ({ label: view.name, detail: view.about })),
        ...tables.map(name => ({ label: name, detail: 'a table of this query' })),
    ];
    if (last && /^(from|join)$/i.test(last.text)) return { from, options: viewOptions };
    const shown = [...new Set(aliases.values())];
    const seen = new Set<string>();
    const options: { label: string; detail?: string }[] = [];
    const add = (option: { label: string; detail?: string }) => {
        if (!seen.has(option.label)) options.push(option);
        seen.add(option.label);
    };
    for (const view of shown) for (const option of columnOptions(view)) add(option);
    for (const name of aliases.keys()) if (!views.has(name)) add({ label: name, detail: aliases.get(name)!.name });
    for (const option of viewOptions) add(option);
    for (const name of schema.functions) if (/^\w+$/.test(name)) add({ label: name, detail: 'function' });
    for (const keyword of KEYWORDS) add({ label: keyword });
    return { from, options };
}

/** Where the server says that a query is wrong. */
export function problemOf(message: string): Problem | null {
    const match = /^([\s\S]*), at line (\d+), column (\d+)$/.exec(message);
    return match && { message: match[1]!, line: Number(match[2]), column: Number(match[3]) };
}

/* ---- what was asked before, in this browser ---------------------------------------------------------------------------- */

export interface Asked {
    text: string;
    when: string;
    rows: number;
    ms: number;
}

const HISTORY = 'telltale.queries';
const MOST_ASKED = 40;

export function readHistory(): Asked[] {
    try {
        const list = JSON.parse(localStorage.getItem(HISTORY) ?? '[]') as Asked[];
        return Array.isArray(list) ? list.filter(asked => typeof asked?.text === 'string') : [];
    } catch {
        return [];
    }
}

/** The newest first, each text once. */
export function remember(asked: Asked): Asked[] {
    const list = [asked, ...readHistory().filter(before => before.text !== asked.text)].slice(0, MOST_ASKED);
    try {
        localStorage.setItem(HISTORY, JSON.stringify(list));
    } catch {
        /* this browser keeps nothing: the list lasts as long as the page */
    }
    return list;
}

/* ---- taking a result along ---------------------------------------------------------------------------------------------- */

export const toCsv = (answer: SqlAnswer) =>
    [answer.columns, ...answer.rows].map(row => row.map(csvCell).join(',') + '\r\n').join('');

/** Objects, a column of a name that is there already as name_2. */
export function toJson(answer: SqlAnswer): string {
    const names: string[] = [];
    for (const column of answer.columns) {
        let name = column;
        for (let n = 2; names.includes(name); n++) name = `${column}_${n}`;
        names.push(name);
    }
    const member = (value: SqlValue, i: number) =>
        `    ${JSON.stringify(names[i])}: ${typeof value === 'bigint' ? value : JSON.stringify(value)}`;
    const rows = answer.rows.map(row => `  {\n${row.map(member).join(',\n')}\n  }`);
    return rows.length ? `[\n${rows.join(',\n')}\n]\n` : '[]\n';
}
