// Rules of one's own: how they are asked for and saved, how one begins, and what may stand where in their text.
import { call, get, pathOf, type Detector, type Finding, type Incomplete, type Job, type Json, type List } from './api';
import type { Completions, Problem } from './parts/editor';

export interface OwnRule {
    id: string;
    version: number;
    /** null: this version took it away. */
    text: string | null;
    author: string | null;
    note: string | null;
    created_at: string;
}

/** What rules would find. Without a collection only what is wrong with them, and whether their tests hold. */
export interface RulesTest {
    problems: (Problem & { column: number; rule: string | null })[];
    rules: Detector[];
    tests: { run: number; failed: number; output: string };
    runs: number;
    flagged: number;
    findings: Finding[];
    incomplete: Incomplete[];
    /** false: it ended early, for its time or for the number of findings. */
    complete: boolean;
}

export const ruleCalls = {
    own: (signal?: AbortSignal) => get<List<OwnRule>>('/rules', undefined, signal),
    versions: (id: string, signal?: AbortSignal) => get<List<OwnRule>>(`/rules${pathOf(id)}/versions`, undefined, signal),
    schema: (signal?: AbortSignal) => get<Schema>('/rules/schema', undefined, signal),
    save: (id: string, text: string, author?: string, note?: string) =>
        call<OwnRule>('PUT', '/rules' + pathOf(id), { body: { text, ...(author && { author }), ...(note && { note }) } }),
    remove: (id: string) => call<null>('DELETE', '/rules' + pathOf(id)),
    test: (rules: string, collection: string | undefined, signal: AbortSignal) =>
        call<RulesTest>('POST', '/rules/test', { body: { rules, ...(collection && { collection }) }, signal }),
    scan: (collection: string, id: string) =>
        call<Job>('POST', `/collections${pathOf(collection)}/scans`, { body: { only: [id] } }),
};

/* ---- how one begins -------------------------------------------------------------------------------------------------- */

/** The id that a rule's text gives it, as far as one can tell while it is written. */
export const idOf = (text: string) => /^id:[ \t]*["']?([A-Za-z0-9_][\w.-]*)/m.exec(text)?.[1];

export const likeText = (rule: Detector) => (rule.text ?? '').replace(/^id:.*$/m, `id: my-${rule.id}`);

/* JSON's text is YAML's too. */
const yaml = (value: Json) => JSON.stringify(value);

/** Which event has the part of a message that words were taken from, how the rule asks for it, and how a test says it. */
function askFor(part: string, quote: string): { event: string; test: string } {
    const said = yaml(quote);
    // A name in it would be looked up: ${name} anywhere, $name as the whole.
    const words = yaml(quote.replaceAll('${', () => '$${').replace(/^\$[\w-]+$/, name => '$' + name));
    const is = `{ literal: ${words} }`;
    if (part === 'reasoning') return { event: `{ on: reasoning, text: ${is} }`, test: `{ reasoning: ${said} }` };
    if (part === 'error') return { event: `{ on: error, text: ${is} }`, test: `{ tool_result: "", error: ${said} }` };
    if (/^call:\d+\.name$/.test(part)) return { event: `{ on: tool_call, name: { is: ${words} } }`, test: `{ tool_call: ${said} }` };
    if (/^call:\d+\./.test(part))
        return { event: `{ on: tool_call, args: ${is} }`, test: `{ tool_call: tool, args: ${said} }` };
    if (part === 'run.exit_status') return { event: `{ on: end, exit_status: ${is} }`, test: `{ end: { exit_status: ${said} } }` };
    if (part === 'run.limit') return { event: `{ on: end, limit: ${is} }`, test: `{ end: { limit: ${said} } }` };
    if (part === 'run.error') return { event: `{ on: end, error: ${is} }`, test: `{ end: { error: ${said} } }` };
    return { event: `{ on: message, text: ${is} }`, test: `{ assistant: ${said} }` };
}

/* What stands in a new rule until somebody writes it. */
const BLANKS = {
    id: 'my-rule',
    title: 'what was seen, in one line',
    behavior: 'choose-one',
    why: 'What it means when this is seen, for somebody who has not read the run.',
    unsure: 'What else could look like this.',
};

/** Which fields of a rule still say what a new one begins with. */
export const blanksIn = (text: string) =>
    Object.entries(BLANKS).flatMap(([key, blank]) => {
        const said = new RegExp(`^${key}:[ \\t]*(.*)$`, 'm').exec(text)?.[1] ?? '';
        const value = said.replace(/[ \t]+#.*$/, '').trim().replace(/^["'](.*)["']$/, '$1');
        return value === blank ? [key] : [];
    });

/** A rule's text as it is tried: before a behavior is chosen, with any one, which changes nothing about what is found. */
export const triedText = (text: string) => text.replace(/^behavior:[ \t]*choose-one\b/m, 'behavior: error-ignored');

/** A rule that finds those words; without any, one that is to be filled in. */
export function startText(part: string | null, quote: string | null): string {
    const words = quote?.trim() || 'command not found';
    const { event, test } = askFor(part ?? 'text', words);
    return `id: ${BLANKS.id}
title: "${BLANKS.title}"
behavior: ${BLANKS.behavior}             # a word of the vocabulary; the kind of the finding follows from it
severity: low                    # low, medium or high; low until it was held against runs that people have read
why: ${BLANKS.why}
unsure: ${BLANKS.unsure}

events:                          # what is looked at: a kind of event, and what must hold of its fields
  seen: ${event}

find: seen                       # what must have happened

tests:                           # runs, each a list of events in order
  hit:
    - [${test}]
  clean:
    - [{ assistant: "nothing of the kind" }]
`;
}

/* ---- what may stand where -------------------------------------------------------------------------------------------- */

/** JSON Schema, as far as the rule language's has it. */
export interface Schema {
    $ref?: string;
    $defs?: Record<string, Schema>;
    title?: string;
    description?: string;
    properties?: Record<string, Schema | boolean>;
    patternProperties?: Record<string, Schema | boolean>;
    additionalProperties?: boolean | Schema;
    items?: boolean | Schema;
    anyOf?: Schema[];
    oneOf?: Schema[];
    allOf?: Schema[];
    then?: Schema;
    enum?: Json[];
    const?: Json;
}

/** A schema with all that it refers to and consists of; the items of a list count as the list. */
function partsOf(root: Schema, schemas: Schema[]): Set<Schema> {
    const all = new Set<Schema>();
    const add = (schema: Schema | boolean | undefined) => {
        if (typeof schema !== 'object' || all.has(schema)) return;
        all.add(schema);
        const name = schema.$ref?.replace('#/$defs/', '');
        if (name) add(root.$defs?.[name]);
        for (const part of [...(schema.anyOf ?? []), ...(schema.oneOf ?? []), ...(schema.allOf ?? [])]) add(part);
        add(schema.then);
        add(schema.items);
    };
    schemas.forEach(add);
    return all;
}

function child(parts: Set<Schema>, key: string): Schema[] {
    const found: Schema[] = [];
    for (const part of parts) {
        const named = part.properties?.[key];
        const like = Object.entries(part.patternProperties ?? {}).find(([pattern]) => new RegExp(pattern).test(key))?.[1];
        const any = typeof part.additionalProperties === 'object' ? part.additionalProperties : undefined;
        const one = named ?? like ?? any;
        if (typeof one === 'object') found.push(one);
    }
    return found;
}

/* Of a line: a quoted text, a key, a bracket, a comma, a word, white space, a quote that is not closed yet. */
const TOKEN = /^(?:"[^"]*"|'[^']*'|([\w.*$-]+):(?:\s+|$)|[{}[\],]|[^\s{}[\],"']+|\s+|["'])/;

/** The keys that lead to a place in YAML, by indentation, and by braces in its own line; and the key whose value is being written. */
export function placeIn(text: string, at: number): { path: string[]; key: string | null; word: string } {
    const lines = text.slice(0, at).split('\n');
    const line = lines.pop()!;
    const path: string[] = [];
    let indent = /^ *(?:- +)*/.exec(line)![0].length;
    for (let i = lines.length - 1; i >= 0 && indent > 0; i--) {
        const match = /^( *(?:- +)*)([\w.*$-]+):/.exec(lines[i]!);
        if (!match || match[1]!.length >= indent) continue;
        path.unshift(match[2]!);
        indent = match[1]!.length;
    }
    let rest = line.replace(/^ *(?:- +)*/, '');
    let key: string | null = null;
    const open: { bracket: string; key: string | null }[] = [];
    for (let match; rest && (match = TOKEN.exec(rest)); rest = rest.slice(match[0].length)) {
        const token = match[0];
        if (match[1]) key = match[1];
        else if (token === '{' || token === '[') {
            open.push({ bracket: token, key });
            if (token === '{') key = null;
        } else if (token === '}' || token === ']') {
            open.pop();
            key = null;
        } else if (token === ',') {
            const inside = open[open.length - 1];
            key = inside?.bracket === '[' ? inside.key : null;
        }
    }
    for (const { bracket, key: of } of open) if (bracket === '{' && of != null) path.push(of);
    const word = /[\w.*$-]*$/.exec(line)![0];
    return { path, key, word };
}

export function completeRule(root: Schema, text: string, at: number): Completions | null {
    const { path, key, word } = placeIn(text, at);
    let parts = partsOf(root, root.$defs?.rule ? [root.$defs.rule] : [root]);
    for (const step of path) parts = partsOf(root, child(parts, step));
    const options = new Map<string, string | undefined>();
    if (key == null) {
        for (const part of parts)
            for (const [name, of] of Object.entries(part.properties ?? {}))
                if (typeof of === 'object' && !options.get(name))
                    options.set(name, of.description ?? [...partsOf(root, [of])].find(p => p.title)?.title);
    } else {
        for (const part of partsOf(root, child(parts, key)))
            for (const value of [...(part.enum ?? []), ...(part.const === undefined ? [] : [part.const])])
                options.set(String(value), part.const === undefined ? undefined : (part.description ?? part.title));
    }
    const inCondition = path[0] === 'find' || path[0] === 'except' || key === 'find' || key === 'except';
    if (inCondition) for (const name of eventsOf(text)) options.set(name, 'an event of this rule');
    if (!options.size) return null;
    return {
        from: at - word.length,
        options: [...options].map(([label, detail]) => ({
            label: key == null && !(inCondition && detail === 'an event of this rule') ? label + ': ' : label,
            ...(detail && { detail }),
        })),
    };
}

/** The names under `events:`. */
export function eventsOf(text: string): string[] {
    const block = /^events:[^\n]*\n((?:[ \t]+[^\n]*\n|[ \t]*\n)*)/m.exec(text + '\n')?.[1] ?? '';
    const indent = /^ +/.exec(block)?.[0].length ?? 0;
    return block
        .split('\n')
        .map(line => /^( +)([\w-]+):/.exec(line))
        .flatMap(match => (match && match[1]!.length === indent ? [match[2]!] : []));
}
