// A nested value as a tree: folded at first to fit, opened in place, the path of any part one click or key away.
// Every value knows where it stands in the text, so evidence and hits are marked in it.
import type { ComponentChildren, JSX } from 'preact';
import { useContext, useMemo, useState } from 'preact/hooks';
import type { Json } from '../api';
import { num } from '../format';
import { decodeString, keyText, parseJson, type JsonNode } from '../json';
import { isBranch, isLong, jsonText, openAtFirst, preview, shownAtFirst, sizeOf, step, tableOf } from '../nested';
import { useNarrow } from '../use';
import { copy } from './say';
import { FindingContext, FoldedText, Folds, FoldsContext } from './textpart';
import { NO_MARKS, Words, type Marks } from './words';

const LINES = 24; /* of a tree before somebody opens more */
const PREVIEW = 140;

interface Common {
    id: string;
    text: string;
    marks: Marks;
    /** The branches that are open at first. */
    open: Set<number>;
}

/** Any value. `lines`: as many rows as it may take at first; 1: one line, to be opened. */
export function Tree({ value, label = 'Value', lines = LINES }: { value: Json; label?: string; lines?: number }): JSX.Element {
    const text = useMemo(() => jsonText(value), [value]);
    const root = useMemo(() => (text == null ? null : parseJson(text)), [text]);
    const folds = useMemo(() => new Folds(), [value]);
    if (text == null) return <span class="dim">nested too deeply to be shown</span>;
    return (
        <FoldsContext.Provider value={folds}>
            {root?.kids.length ? (
                <SourceTree id="value" text={text} root={root} label={label} lines={lines} />
            ) : typeof value === 'string' ? (
                <FoldedText id="value" text={value} look="output" />
            ) : (
                <FoldedText id="value" text={text} look="output" />
            )}
        </FoldsContext.Provider>
    );
}

/** JSON as it stands in a transcript, with what is marked in it. `id` names it among the folds. */
export function SourceTree({
    id,
    text,
    root,
    marks = NO_MARKS,
    label = 'Value',
    lines = LINES,
}: {
    id: string;
    text: string;
    root: JsonNode;
    marks?: Marks;
    label?: string;
    lines?: number;
}): JSX.Element {
    const columns = useNarrow() ? 36 : 80;
    const open = useMemo(() => openAtFirst(text, root, lines, columns), [text, root, lines, columns]);
    const common = { id, text, marks, open };
    const table = lines > 1 && tableOf(text, root);
    if (table) return <Rows {...common} node={root} keys={table} path="$" />;
    return (
        <ul class="tree" role="tree" aria-label={label} onKeyDown={onTreeKey} onFocusIn={onTreeFocus}>
            {lines > 1 ? (
                <Kids {...common} node={root} path="$" first />
            ) : (
                <Branch {...common} name={null} node={root} path="$" shut first />
            )}
        </ul>
    );
}

/* ---- keys: one stop of Tab for a tree, arrows inside it ---------------------------------------------------------------- */

const itemOf = (target: EventTarget | null) => (target as Element | null)?.closest?.<HTMLElement>('[role=treeitem]') ?? null;

/** The row that had the focus last is the one that Tab comes back to. */
function onTreeFocus(event: FocusEvent & { currentTarget: HTMLElement }): void {
    const item = itemOf(event.target);
    if (!item) return;
    for (const other of event.currentTarget.querySelectorAll<HTMLElement>('[role=treeitem][tabindex="0"]')) other.tabIndex = -1;
    item.tabIndex = 0;
}

export function onTreeKey(event: KeyboardEvent & { currentTarget: HTMLElement }): void {
    const item = itemOf(event.target);
    if (!item || item !== event.target || event.ctrlKey || event.metaKey || event.altKey) return;
    const items = [...event.currentTarget.querySelectorAll<HTMLElement>('[role=treeitem]')];
    const at = items.indexOf(item);
    const row = item.querySelector<HTMLElement>(':scope > .row');
    const open = item.getAttribute('aria-expanded');
    const does: Record<string, () => void> = {
        ArrowDown: () => items[at + 1]?.focus(),
        ArrowUp: () => items[at - 1]?.focus(),
        Home: () => items[0]?.focus(),
        End: () => items[items.length - 1]?.focus(),
        ArrowRight: () => (open === 'false' ? row?.click() : items[at + 1]?.focus()),
        ArrowLeft: () => (open === 'true' ? row?.click() : itemOf(item.parentElement)?.focus()),
        Enter: () => row?.click(),
        ' ': () => row?.click(),
        c: () => item.dataset.path && void copy(item.dataset.path, 'Path'),
    };
    const run = does[event.key];
    if (!run) return;
    event.preventDefault();
    event.stopPropagation();
    run();
}

/** One row of a tree with what is below it. Branches open with a click anywhere in their row that selects nothing. */
export function TreeItem({
    path,
    open,
    onToggle,
    first,
    cls,
    row,
    children,
}: {
    path?: string;
    open?: boolean;
    onToggle?: () => void;
    /** Tab comes to this row. */
    first?: boolean;
    cls?: string;
    row: ComponentChildren;
    children?: ComponentChildren;
}): JSX.Element {
    return (
        <li role="treeitem" aria-expanded={open} tabIndex={first ? 0 : -1} data-path={path} class={cls}>
            <div
                class={open == null ? 'row' : 'row has'}
                onClick={onToggle && (() => getSelection()?.isCollapsed !== false && onToggle())}
            >
                {row}
                {path && (
                    <button
                        class="cp"
                        type="button"
                        tabIndex={-1}
                        aria-label="Copy path"
                        title={`copy the path ${path}`}
                        onClick={event => {
                            event.stopPropagation();
                            void copy(path, 'Path');
                        }}
                    />
                )}
            </div>
            {children}
        </li>
    );
}

/* ---- rows --------------------------------------------------------------------------------------------------------------- */

const touches = (marks: Marks, node: { from: number; to: number }) =>
    marks.evidence.some(e => e.from < node.to && e.to > node.from) ||
    marks.hits.some(h => h.now && h.from < node.to && h.to > node.from);

function useChoice(key: string): [string | undefined, (value: string) => void] {
    const folds = useContext(FoldsContext);
    const [, redraw] = useState(0);
    return [
        folds.choice(key),
        value => {
            folds.choose(key, value);
            redraw(n => n + 1);
        },
    ];
}

/** How many members are shown, and the way to more of them: ten times as many with each press. */
function useMore(id: string, node: JsonNode): [number, () => void] {
    const [chosen, choose] = useChoice(`${id}:${node.from}:shown`);
    const shown = chosen ? Number(chosen) : shownAtFirst(node);
    return [shown, () => choose(String(Math.min(node.kids.length, Math.max(shown * 10, 100))))];
}

const moreOf = (shown: number, node: JsonNode) =>
    `show ${num(Math.min(node.kids.length, Math.max(shown * 10, 100)) - shown)} more of ${num(node.kids.length)}`;

function Kids({ node, path, first, ...common }: Common & { node: JsonNode; path: string; first?: boolean }): JSX.Element {
    const { text, marks } = common;
    const [most, showMore] = useMore(common.id, node);
    const shown = node.kids
        .map((kid, i) => ({ ...kid, i }))
        .filter(kid => kid.i < most || touches(marks, { from: kid.key?.[0] ?? kid.node.from, to: kid.node.to }));
    return (
        <>
            {shown.map((kid, i) => (
                <Branch
                    key={kid.i}
                    {...common}
                    name={kid.key ?? kid.i}
                    node={kid.node}
                    path={path + step(kid.key ? keyText(text, kid.key) : kid.i)}
                    first={first && i === 0}
                />
            ))}
            {most < node.kids.length && <TreeItem cls="more" onToggle={showMore} row={moreOf(most, node)} />}
        </>
    );
}

function Branch({
    name,
    node,
    path,
    first,
    shut,
    ...common
}: Common & {
    /** The place of its key in the text, its index in a list, or nothing for the root. */
    name: [number, number] | number | null;
    node: JsonNode;
    path: string;
    first?: boolean;
    /** Folded, whatever the plan says: the root of a value in one line. */
    shut?: boolean;
}): JSX.Element {
    const { id, text, marks } = common;
    const [choice, choose] = useChoice(`${id}:${node.from}`);
    const open = choice ? choice === 'open' : (!shut && common.open.has(node.from)) || touches(marks, node);
    const label =
        name == null ? null : typeof name === 'number' ? (
            <span class="jk at">{name}:</span>
        ) : (
            <span class="jk">
                <Key text={text} range={name} marks={marks} />:
            </span>
        );
    if (isBranch(node)) {
        const table = open ? tableOf(text, node) : null;
        return (
            <TreeItem
                path={path}
                open={open}
                onToggle={() => choose(open ? 'shut' : 'open')}
                first={first}
                row={
                    <>
                        {label}
                        {open ? (
                            <span class="c">{sizeOf(text, node)}</span>
                        ) : (
                            <Folded text={text} node={node} />
                        )}
                    </>
                }
            >
                {open &&
                    (table ? (
                        <Rows {...common} node={node} keys={table} path={path} />
                    ) : (
                        <ul role="group">
                            <Kids {...common} node={node} path={path} />
                        </ul>
                    ))}
            </TreeItem>
        );
    }
    if (isLong(text, node)) {
        const said = decodeString(text, node.from, node.to);
        const inner: Marks = {
            evidence: marks.evidence
                .filter(e => e.from < node.to && e.to > node.from)
                .map(e => ({ ...e, from: said.where(e.from), to: said.where(e.to) })),
            hits: marks.hits
                .filter(h => h.from < node.to && h.to > node.from)
                .map(h => ({ ...h, from: said.where(h.from), to: said.where(h.to) })),
        };
        return (
            <TreeItem path={path} first={first} row={label}>
                <div class="long js" data-string={`${node.from}-${node.to}`}>
                    <FoldedText id={`${id}:${node.from}`} text={said.text} look="leaf" marks={inner} />
                </div>
            </TreeItem>
        );
    }
    return (
        <TreeItem
            path={path}
            first={first}
            row={
                <>
                    {label}
                    <Scalar text={text} node={node} marks={marks} />
                </>
            }
        />
    );
}

/** What a folded branch holds, in its row; how much that is where it does not say all. */
function Folded({ text, node }: { text: string; node: JsonNode }): JSX.Element {
    const { line, whole } = useMemo(() => preview(text, node, PREVIEW), [text, node]);
    return (
        <>
            <span class="c one">{line}</span>
            {!whole && <span class="c n">{sizeOf(text, node)}</span>}
        </>
    );
}

const CLASS = { string: 'js', number: 'jn', literal: 'jl', object: 'c', array: 'c' } as const;

function Scalar({ text, node, marks }: { text: string; node: JsonNode; marks: Marks }): JSX.Element {
    const onFinding = useContext(FindingContext);
    return (
        <span class={CLASS[node.type]}>
            <Words text={text} from={node.from} to={node.to} marks={marks} onFinding={onFinding} />
        </span>
    );
}

/** A key without its quotes. */
function Key({ text, range, marks }: { text: string; range: [number, number]; marks: Marks }): JSX.Element {
    return <Words text={text} from={range[0] + 1} to={Math.max(range[0] + 1, range[1] - 1)} marks={marks} />;
}

function Rows({ id, text, marks, node, keys, path }: Common & { node: JsonNode; keys: string[]; path: string }): JSX.Element {
    const [most, showMore] = useMore(id, node);
    const shown = node.kids
        .map((kid, i) => ({ node: kid.node, i }))
        .filter(kid => kid.i < most || touches(marks, kid.node));
    return (
        <>
            <table class="rows">
                <thead>
                    <tr>
                        <th>
                            <span class="sr">index</span>
                        </th>
                        {keys.map(key => (
                            <th key={key} title={`${path}[…]${step(key)}`}>
                                {key}
                            </th>
                        ))}
                    </tr>
                </thead>
                <tbody>
                    {shown.map(row => (
                        <tr key={row.i}>
                            <td class="dim">{row.i}</td>
                            {row.node.kids.map((kid, k) => (
                                <td key={k}>
                                    <Scalar text={text} node={kid.node} marks={marks} />
                                </td>
                            ))}
                        </tr>
                    ))}
                </tbody>
            </table>
            {most < node.kids.length && (
                <button class="more" type="button" onClick={showMore}>
                    {moreOf(most, node)}
                </button>
            )}
        </>
    );
}
