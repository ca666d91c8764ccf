// One block of a transcript: a message, or an assistant's calls with their results.
import { createContext, type ComponentChildren, type JSX } from 'preact';
import { useContext, useMemo, useState } from 'preact/hooks';
import { blobUrl, type Json, type Message, type ToolCall } from '../api';
import { bytes, clock, duration, num } from '../format';
import { argumentLanguage, resultLanguage } from '../code';
import { decodeString, parseJson } from '../json';
import { clip, toUtf16 } from '../text';
import type { Pages } from '../messages';
import { usePaper } from '../print';
import { MOST_CALLS, isSaid, type EvItem, type Hit, type Row } from '../transcript';
import { TextDiff } from './diff';
import { Markdown } from './markdown';
import { copy } from './say';
import { FindingContext, FoldedText, FoldsContext, MachineText, isTree } from './textpart';
import { NO_MARKS, Words, type EvSpan, type Marks } from './words';

/** What every message of the reader is drawn with. */
export interface Reading {
    model: string | null;
    evidence: (message: number) => EvItem[];
    hits: (message: number) => Hit[];
    nowHit: Hit | null;
    now: { finding: string; index: number } | null;
    /** The address of a message, for its number. */
    href: (message: number) => string;
    raw: (message: Message) => void;
    link: (message: number) => void;
    /** Prose is shown as the markdown it may be, not as it was sent. */
    markdown?: boolean;
    pages?: Pages;
}
export const ReadingContext = createContext<Reading>(null as never);

/** The marks of one part of a message: byte offsets become places in the text. */
function useMarks(message: number, part: string, text: string): Marks {
    const reading = useContext(ReadingContext);
    const items = reading.evidence(message);
    const hits = reading.hits(message);
    const now = reading.now;
    return useMemo(() => {
        const mine = items.filter(item => item.evidence.part === part);
        const found = hits.filter(hit => hit.part === part);
        if (!mine.length && !found.length) return NO_MARKS;
        return {
            evidence: evSpans(text, mine, now),
            hits: found.map(hit => ({ from: hit.from, to: hit.to, now: hit === reading.nowHit })),
        };
    }, [items, hits, now, reading.nowHit, part, text]);
}

export function evSpans(text: string, items: EvItem[], now: { finding: string; index: number } | null): EvSpan[] {
    const offsets = toUtf16(
        text,
        items.flatMap(item => [item.evidence.start, item.evidence.end]),
    );
    return items.map((item, i) => ({
        from: offsets[2 * i]!,
        to: offsets[2 * i + 1]!,
        finding: item.finding.id,
        index: item.index,
        kind: isSaid(item.finding.id) ? 'said' : item.finding.kind,
        severity: item.finding.severity,
        title: `${item.finding.behavior}: ${item.finding.title}`,
        dismissed: item.finding.status === 'dismissed',
        weight: item.evidence.weight,
        now: !!now && now.finding === item.finding.id && now.index === item.index,
    }));
}

/** A part with its address, so that a selection in it can be linked to. */
function Part({
    message,
    part,
    children,
    cls,
}: {
    message: number;
    part: string;
    children: ComponentChildren;
    cls?: string;
}): JSX.Element {
    return (
        <div class={cls} data-m={message} data-part={part}>
            {children}
        </div>
    );
}

export function Block({
    row,
    get,
    notes,
    current,
}: {
    row: Row;
    get: (i: number) => Message | undefined;
    notes?: ComponentChildren;
    current?: boolean;
}): JSX.Element {
    const head = get(row.from)!;
    const results: Message[] = [];
    for (let i = row.from + 1; i < row.to; i++) results.push(get(i)!);
    return <MessageView message={head} results={results} notes={notes} current={current} />;
}

function MessageView({
    message: m,
    results,
    notes,
    current,
}: {
    message: Message;
    results: Message[];
    notes?: ComponentChildren;
    current?: boolean;
}): JSX.Element {
    const reading = useContext(ReadingContext);
    const { ofCall, orphans } = useMemo(() => pair(m, results), [m, results.length]);
    const empty = !m.text && !m.reasoning && !m.tool_calls.length && !m.blobs.length && !m.error;
    return (
        <article class={`msg r-${m.role}${current ? ' cur' : ''}`} id={`m${m.index}`} aria-label={`M${m.index}, ${m.role}`}>
            <a class="no" href={reading.href(m.index)}>
                M{m.index}
            </a>
            <div class="body">
                <div class="who">
                    <b>{m.role}</b>
                    {m.tool_name && <span>{clip(m.tool_name)}</span>}
                    {m.model && m.model !== reading.model && <span>{clip(m.model)}</span>}
                    <Facts message={m} />
                    <Acts message={m} />
                </div>
                {m.reasoning && <Reasoning message={m} />}
                {m.text && <Text message={m} />}
                {tellsError(m, reading) && <ErrorText message={m} />}
                {m.blobs.map(blob => (
                    <BlobView key={blob.sha256 ?? blob.url} blob={blob} />
                ))}
                <Calls message={m} ofCall={ofCall} />
                {orphans.length > 0 && (
                    <div class="call">
                        {orphans.map(result => (
                            <Result
                                key={result.index}
                                message={result}
                                remark={m.tool_calls.length ? 'answers no call of this message' : undefined}
                            />
                        ))}
                    </div>
                )}
                {empty && <p class="dim">Empty message: neither text nor call.</p>}
            </div>
            {notes && <div class="notes">{notes}</div>}
        </article>
    );
}

/** Results by the call they answer: by id, or in order where there are no ids. */
function pair(m: Message, results: Message[]): { ofCall: Map<number, Message[]>; orphans: Message[] } {
    const ofCall = new Map<number, Message[]>();
    const orphans: Message[] = [];
    results.forEach((result, i) => {
        const call =
            result.tool_call_id != null
                ? m.tool_calls.find(c => c.call_id === result.tool_call_id)
                : m.tool_calls[Math.min(i, m.tool_calls.length - 1)];
        if (!call) orphans.push(result);
        else ofCall.set(call.position, [...(ofCall.get(call.position) ?? []), result]);
    });
    return { ofCall, orphans };
}

/* Ways to end that say nothing, without capitals and marks. */
const ORDINARY = ['stop', 'endturn', 'toolcall', 'toolcalls', 'tooluse', 'stopsequence', 'completed'];

function Facts({ message: m }: { message: Message }): JSX.Element {
    const finish =
        m.finish_reason && !ORDINARY.includes(m.finish_reason.toLowerCase().replace(/[^a-z]/g, '')) ? m.finish_reason : null;
    return (
        <>
            {m.timestamp && <span title={m.timestamp}>{clock(m.timestamp)}</span>}
            {m.duration_ms != null && <span>{duration(m.duration_ms)}</span>}
            {m.tokens_out != null && (
                <span>
                    {num(m.tokens_out)} tokens{m.tokens_in != null ? ` from ${num(m.tokens_in)}` : ''}
                </span>
            )}
            {finish && <span class="warn">{clip(finish)}</span>}
        </>
    );
}

function Acts({ message: m }: { message: Message }): JSX.Element {
    const reading = useContext(ReadingContext);
    return (
        <span class="acts">
            <button class="more" type="button" aria-label={`Copy a link to M${m.index}`} onClick={() => reading.link(m.index)}>
                link
            </button>
            <button class="more" type="button" aria-label={`Raw JSON of M${m.index}`} onClick={() => reading.raw(m)}>
                raw
            </button>
        </span>
    );
}

function Text({ message: m }: { message: Message }): JSX.Element {
    const reading = useContext(ReadingContext);
    const text = m.text!;
    const marks = useMarks(m.index, 'text', text);
    const folds = useContext(FoldsContext);
    const [, redraw] = useState(0);
    const machine = m.role === 'tool' || (m.role !== 'system' && isTree(text));
    if (machine) {
        const key = `${m.index}:text:view`;
        const tree = isTree(text);
        const raw = folds.choice(key) === 'raw';
        return (
            <Part message={m.index} part="text" cls="machine">
                {tree && (
                    <span class="views">
                        <button
                            class="more"
                            type="button"
                            onClick={() => {
                                folds.choose(key, raw ? 'tree' : 'raw');
                                redraw(n => n + 1);
                            }}
                        >
                            {raw ? 'as a tree' : 'as sent'}
                        </button>
                    </span>
                )}
                <MachineText id={`${m.index}:text`} text={text} marks={marks} raw={raw} />
            </Part>
        );
    }
    // What is marked is marked in the words as they were sent.
    if (reading.markdown && marks === NO_MARKS) return <Markdown text={text} />;
    return (
        <Part message={m.index} part="text">
            <FoldedText id={`${m.index}:text`} text={text} look={m.role === 'system' ? 'system' : 'prose'} marks={marks} />
        </Part>
    );
}

function Reasoning({ message: m }: { message: Message }): JSX.Element {
    const text = m.reasoning!;
    const marks = useMarks(m.index, 'reasoning', text);
    return (
        <div class="reasoning">
            <div class="who">
                <b>reasoning</b>
            </div>
            <Part message={m.index} part="reasoning">
                <FoldedText id={`${m.index}:reasoning`} text={text} look="prose" marks={marks} />
            </Part>
        </div>
    );
}

/** An error that only repeats the text is said once, unless evidence stands in it. */
function tellsError(m: Message, reading: Reading): boolean {
    return (
        !!m.error &&
        (!(m.text ?? '').startsWith(m.error) || reading.evidence(m.index).some(item => item.evidence.part === 'error'))
    );
}

function ErrorText({ message: m }: { message: Message }): JSX.Element {
    const marks = useMarks(m.index, 'error', m.error!);
    return (
        <Part message={m.index} part="error" cls="err-text">
            <FoldedText id={`${m.index}:error`} text={m.error!} look="output" marks={marks} />
        </Part>
    );
}

/* A message may hold a hundred thousand calls: some are drawn, and those in which something is marked; more on demand. */
function Calls({ message: m, ofCall }: { message: Message; ofCall: Map<number, Message[]> }): JSX.Element | null {
    const reading = useContext(ReadingContext);
    const folds = useContext(FoldsContext);
    const [, redraw] = useState(0);
    const key = `${m.index}:calls`;
    const most = Number(folds.choice(key) ?? MOST_CALLS);
    let shown = m.tool_calls;
    if (shown.length > most + 4) {
        const marked = new Set<number>();
        const mark = (part: string) => {
            const call = /^call:(\d+)\./.exec(part);
            if (call) marked.add(Number(call[1]));
        };
        for (const item of reading.evidence(m.index)) mark(item.evidence.part);
        if (reading.nowHit?.message === m.index) mark(reading.nowHit.part);
        for (const [call, results] of ofCall)
            if (results.some(r => reading.evidence(r.index).length || reading.nowHit?.message === r.index)) marked.add(call);
        shown = shown.filter((call, i) => i < most || marked.has(call.position));
    }
    const hidden = m.tool_calls.length - shown.length;
    const paper = usePaper();
    return (
        <>
            {shown.map(call => (
                <Call key={call.position} message={m} call={call} results={ofCall.get(call.position) ?? []} />
            ))}
            {hidden > 0 && paper && <p class="left-out">{num(hidden)} of its {num(m.tool_calls.length)} calls are left out here.</p>}
            {hidden > 0 && (
                <button
                    class="more"
                    type="button"
                    onClick={() => {
                        folds.choose(key, String(most + 10 * MOST_CALLS));
                        redraw(n => n + 1);
                    }}
                >
                    show {num(Math.min(hidden, 10 * MOST_CALLS))} more of {num(m.tool_calls.length)} calls
                </button>
            )}
        </>
    );
}

/* ---- a call and its results ----------------------------------------------------------------------------------------- */

const LONG_NAME = 200;

function Call({ message: m, call, results }: { message: Message; call: ToolCall; results: Message[] }): JSX.Element {
    const reading = useContext(ReadingContext);
    const folds = useContext(FoldsContext);
    const onFinding = useContext(FindingContext);
    const [, redraw] = useState(0);
    const name = call.name ?? '';
    const args = call.arguments ?? '';
    const part = `call:${call.position}.arguments`;
    const nameMarks = useMarks(m.index, `call:${call.position}.name`, name);
    const marks = useMarks(m.index, part, args);
    const key = `${m.index}:${part}`;
    const choice = folds.choice(key);
    const choose = (value: string) => {
        folds.choose(key, value);
        redraw(n => n + 1);
    };
    const edit = useMemo(() => editOf(args), [args]);
    const shape = useMemo((): Shape => (edit ? { kind: 'tree' } : argsShape(args)), [args, edit]);
    const language = useMemo(() => resultLanguage(name, args), [name, args]);
    const before = args.length > 60 ? reading.pages?.firstCall(call.name, args) : undefined;
    const repeated = before !== undefined && before < m.index && !choice && !marks.evidence.length;
    const failed = results.some(result => result.error);
    const raw = choice === 'raw' || shape.kind === 'text';
    const inline = !repeated && args && (shape.kind === 'short' || (shape.kind === 'one' && !raw));
    return (
        <div class="call">
            <div class="fn">
                <b data-m={m.index} data-part={`call:${call.position}.name`}>
                    {!name ? (
                        <span class="dim">no name</span>
                    ) : name.length > LONG_NAME ? (
                        <FoldedText id={`${key}:name`} text={name} look="brief" marks={nameMarks} />
                    ) : (
                        <Words text={name} marks={nameMarks} onFinding={onFinding} />
                    )}
                </b>
                {repeated ? (
                    <span class="dim">
                        same arguments as <a href={reading.href(before)}>M{before}</a>{' '}
                        <button class="more" type="button" onClick={() => choose('tree')}>
                            show
                        </button>
                    </span>
                ) : inline ? (
                    <code data-m={m.index} data-part={part}>
                        {shape.kind === 'one' ? (
                            <OneArgument id={key} text={args} shape={shape} tool={name} marks={marks} />
                        ) : (
                            <Words text={args} marks={marks} onFinding={onFinding} />
                        )}
                    </code>
                ) : (
                    <span />
                )}
                <span class="end">
                    {failed && <span class="err">error</span>}
                    {!results.length && <span class="dim">no result</span>}
                    {args && shape.kind !== 'short' && shape.kind !== 'text' && !repeated && (
                        <button
                            class="more"
                            type="button"
                            aria-label={`${raw || (edit && !choice) ? 'tree' : 'raw'} arguments of ${clip(name)}`}
                            onClick={() => choose(raw || (edit && !choice) ? 'tree' : 'raw')}
                        >
                            {raw || (edit && !choice) ? 'tree' : 'raw'}
                        </button>
                    )}
                </span>
            </div>
            {!repeated && !inline && args && (
                <Part message={m.index} part={part} cls="args">
                    {/* What is marked is marked in the words as they were sent. */}
                    {edit && !choice && marks === NO_MARKS ? (
                        <>
                            {edit.others && <MachineText id={`${key}:others`} text={edit.others} raw={false} />}
                            <TextDiff before={edit.before} after={edit.after} label={`What M${m.index} changes`} />
                        </>
                    ) : (
                        <MachineText id={key} text={args} marks={marks} raw={raw} />
                    )}
                </Part>
            )}
            {call.parse_error && <p class="parse-error">These arguments are not JSON: {call.parse_error}</p>}
            {results.map(result => (
                <Result key={result.index} message={result} language={language} />
            ))}
        </div>
    );
}

type Shape = { kind: 'short' | 'tree' | 'text' } | { kind: 'one'; key: string; from: number; to: number };

/** How arguments read best: a short line as it is, one text alone (a command, a query), a tree, or what is no JSON. */
function argsShape(args: string): Shape {
    const root = parseJson(args);
    if (!root) return { kind: args.length <= 160 && !args.includes('\n') ? 'short' : 'text' };
    const only = root.type === 'object' && root.kids.length === 1 ? root.kids[0]! : null;
    if (only?.key && only.node.type === 'string') {
        const said = decodeString(args, only.node.from, only.node.to).text;
        if (said.length < 2000 && said.split('\n').length <= 20)
            return {
                kind: 'one',
                key: decodeString(args, only.key[0], only.key[1]).text,
                from: only.node.from,
                to: only.node.to,
            };
    }
    return { kind: args.length <= 110 ? 'short' : 'tree' };
}

/* Tools that replace one text by another name the two in one of these ways. */
const EDITS = [
    ['old_str', 'new_str'],
    ['old_string', 'new_string'],
    ['oldText', 'newText'],
    ['oldString', 'newString'],
    ['old_text', 'new_text'],
    ['search', 'replace'],
] as const;
const MOST_EDITED = 200_000; /* characters: beyond, the arguments are shown as they are */

/** The two texts of an edit, and what else is said with it as JSON. */
function editOf(args: string): { before: string; after: string; others: string | null } | null {
    if (args.length > MOST_EDITED || args[0] !== '{') return null;
    let said: Record<string, Json>;
    try {
        said = JSON.parse(args) as Record<string, Json>;
    } catch {
        return null;
    }
    for (const [old, fresh] of EDITS) {
        const { [old]: before, [fresh]: after, ...others } = said;
        if (typeof before === 'string' && typeof after === 'string' && before !== after)
            return { before, after, others: Object.keys(others).length ? JSON.stringify(others) : null };
    }
    return null;
}

/** The one argument as it was meant: decoded, without the JSON around it. */
function OneArgument({
    id,
    text,
    shape,
    tool,
    marks,
}: {
    id: string;
    text: string;
    shape: Shape & { kind: 'one' };
    tool: string;
    marks: Marks;
}): JSX.Element {
    const onFinding = useContext(FindingContext);
    const said = decodeString(text, shape.from, shape.to);
    const inner: Marks = {
        evidence: marks.evidence.map(e => ({ ...e, from: said.where(e.from), to: said.where(e.to) })),
        hits: marks.hits.map(h => ({ ...h, from: said.where(h.from), to: said.where(h.to) })),
    };
    return (
        <span class="one-arg" title={`argument ${shape.key}`} key={id} data-string={`${shape.from}-${shape.to}`}>
            <Words text={said.text} marks={inner} language={argumentLanguage(tool, shape.key)} onFinding={onFinding} />
        </span>
    );
}

function Result({ message: m, remark, language }: { message: Message; remark?: string; language?: string }): JSX.Element {
    const reading = useContext(ReadingContext);
    const folds = useContext(FoldsContext);
    const [, redraw] = useState(0);
    const text = m.text ?? '';
    const marks = useMarks(m.index, 'text', text);
    const tree = useMemo(() => isTree(text), [text]);
    const key = `${m.index}:text:view`;
    const raw = folds.choice(key) === 'raw';
    return (
        <div class="res" id={`m${m.index}`}>
            <div class="who">
                <a class="dim" href={reading.href(m.index)}>
                    M{m.index}
                </a>
                <b>{clip(m.tool_name ?? 'tool')}</b>
                {m.duration_ms != null && <span>{duration(m.duration_ms)}</span>}
                {remark && <span class="warn">{remark}</span>}
                <span class="acts">
                    {tree && (
                        <button
                            class="more"
                            type="button"
                            aria-label={`${raw ? 'tree' : 'as sent'}: M${m.index}`}
                            onClick={() => {
                                folds.choose(key, raw ? 'tree' : 'raw');
                                redraw(n => n + 1);
                            }}
                        >
                            {raw ? 'tree' : 'as sent'}
                        </button>
                    )}
                    <button
                        class="more"
                        type="button"
                        aria-label={`Copy the text of M${m.index}`}
                        onClick={() => copy(text, `M${m.index}`)}
                    >
                        copy
                    </button>
                    <button
                        class="more"
                        type="button"
                        aria-label={`Copy a link to M${m.index}`}
                        onClick={() => reading.link(m.index)}
                    >
                        link
                    </button>
                    <button class="more" type="button" aria-label={`Raw JSON of M${m.index}`} onClick={() => reading.raw(m)}>
                        raw
                    </button>
                </span>
            </div>
            {text ? (
                <Part message={m.index} part="text">
                    <MachineText id={`${m.index}:text`} text={text} marks={marks} raw={raw} language={language} />
                </Part>
            ) : (
                !m.error && !m.blobs.length && <p class="dim">Nothing came back.</p>
            )}
            {tellsError(m, reading) && <ErrorText message={m} />}
            {m.blobs.map(blob => (
                <BlobView key={blob.sha256 ?? blob.url} blob={blob} />
            ))}
        </div>
    );
}

/* ---- images and other binary parts ---------------------------------------------------------------------------------- */

const MOST_SHOWN = 8_000_000; /* bytes: a larger image is shown when asked for */

function BlobView({ blob }: { blob: Message['blobs'][number] }): JSX.Element {
    const type = blob.media_type ?? 'unknown type';
    const image = /^image\/(png|jpeg|gif|webp|avif|bmp)$/.test(type);
    const held = blob.sha256 ? blobUrl(blob.sha256) : null;
    const [shown, setShown] = useState(image && blob.size <= MOST_SHOWN);
    const [failed, setFailed] = useState(false);
    return (
        <div class="blob">
            {shown && !failed && held ? (
                <a href={held} target="_blank" rel="noopener noreferrer" title={`${clip(type)}, ${bytes(blob.size)}`}>
                    <img src={held} loading="lazy" decoding="async" alt={`${clip(type)}, ${bytes(blob.size)}`} onError={() => setFailed(true)} />
                </a>
            ) : (
                <>
                    <span>
                        {clip(type)}, {held ? `${bytes(blob.size)}, kept by reference` : 'only referred to'}
                        {failed ? '; it could not be shown' : ''}
                    </span>
                    {image && held && !failed && (
                        <button class="btn" type="button" onClick={() => setShown(true)}>
                            Show image
                        </button>
                    )}
                    {held && (
                        <a class="btn btn-bare" href={held} download>
                            Save
                        </a>
                    )}
                    {!held && <code class="one">{clip(blob.url ?? '', 400)}</code>}
                </>
            )}
        </div>
    );
}
