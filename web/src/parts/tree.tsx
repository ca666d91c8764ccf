// JSON as a tree. Every value knows where it stands in the text, so evidence and hits are marked in it.
import type { JSX } from 'preact';
import { useContext, useState } from 'preact/hooks';
import { num } from '../format';
import { decodeString, keyText, type JsonNode } from '../json';
import { visible } from '../text';
import { FindingContext, FoldedText, FoldsContext } from './textpart';
import { Words, type Marks } from './words';

const OPEN_DEPTH = 2;
const MOST_ROWS = 10; /* of a list before the rest is folded */
const MOST_KEYS = 24;
const LONG = 240;

interface Common {
    id: string;
    text: string;
    marks: Marks;
}

export function Tree({ id, text, root, marks }: Common & { root: JsonNode }): JSX.Element {
    const table = tableOf(text, root);
    if (table) return <Rows id={id} text={text} marks={marks} node={root} keys={table} />;
    return (
        <ul class="tree">
            <Kids id={id} text={text} marks={marks} node={root} depth={0} />
        </ul>
    );
}

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

function Kids({ id, text, marks, node, depth }: Common & { node: JsonNode; depth: number }): JSX.Element {
    const most = node.type === 'array' ? MOST_ROWS : MOST_KEYS;
    const [all, setAll] = useChoice(`${id}:${node.from}:all`);
    const cut = !all && node.kids.length > most + 2;
    const shown = node.kids
        .map((kid, i) => ({ ...kid, i }))
        .filter(kid => !cut || kid.i < most || touches(marks, { from: kid.key?.[0] ?? kid.node.from, to: kid.node.to }));
    return (
        <>
            {shown.map(kid => (
                <Branch
                    key={kid.i}
                    id={id}
                    text={text}
                    marks={marks}
                    name={kid.key}
                    index={kid.i}
                    node={kid.node}
                    depth={depth}
                />
            ))}
            {shown.length < node.kids.length && (
                <li>
                    <button class="more" type="button" onClick={() => setAll('1')}>
                        show {num(node.kids.length - shown.length)} more of {num(node.kids.length)}
                    </button>
                </li>
            )}
        </>
    );
}

function Branch({
    id,
    text,
    marks,
    name,
    index,
    node,
    depth,
}: Common & { name: [number, number] | null; index: number; node: JsonNode; depth: number }): JSX.Element {
    const inside = touches(marks, node);
    const [choice, choose] = useChoice(`${id}:${node.from}`);
    const open = choice ? choice === 'open' : depth < OPEN_DEPTH - 1 || inside;
    const label = name ? (
        <span class="jk">
            <Key text={text} range={name} marks={marks} />:{' '}
        </span>
    ) : (
        <span class="jk">{index}: </span>
    );
    if (node.type === 'object' || node.type === 'array') {
        const size = node.type === 'array' ? `[${num(node.kids.length)}]` : `{${num(node.kids.length)}}`;
        if (!node.kids.length)
            return (
                <li>
                    <span>
                        {label}
                        <span class="c">{node.type === 'array' ? '[]' : '{}'}</span>
                    </span>
                </li>
            );
        const table = open ? tableOf(text, node) : null;
        return (
            <li>
                <details
                    open={open}
                    onToggle={event => event.currentTarget.open !== open && choose(event.currentTarget.open ? 'open' : 'shut')}
                >
                    <summary>
                        {label}
                        <span class="c">{size}</span>
                        {!open && <span class="c one">{preview(text, node)}</span>}
                    </summary>
                    {open &&
                        (table ? (
                            <Rows id={id} text={text} marks={marks} node={node} keys={table} />
                        ) : (
                            <ul>
                                <Kids id={id} text={text} marks={marks} node={node} depth={depth + 1} />
                            </ul>
                        ))}
                </details>
            </li>
        );
    }
    if (node.type === 'string') {
        const said = decodeString(text, node.from, node.to);
        if (said.text.length > LONG || said.text.includes('\n')) {
            const inner: Marks = {
                evidence: marks.evidence
                    .filter(e => e.from < node.to && e.to > node.from)
                    .map(e => ({ ...e, from: said.where(e.from), to: said.where(e.to) })),
                hits: marks.hits
                    .filter(h => h.from < node.to && h.to > node.from)
                    .map(h => ({ ...h, from: said.where(h.from), to: said.where(h.to) })),
            };
            return (
                <li>
                    <span>{label}</span>
                    <div class="long js" data-string={`${node.from}-${node.to}`}>
                        <FoldedText id={`${id}:${node.from}`} text={said.text} look="output" marks={inner} />
                    </div>
                </li>
            );
        }
    }
    return (
        <li>
            <span>
                {label}
                <Scalar text={text} node={node} marks={marks} />
            </span>
        </li>
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

/** A key without its quotes, unless it needs them. */
function Key({ text, range, marks }: { text: string; range: [number, number]; marks: Marks }): JSX.Element {
    return <Words text={text} from={range[0] + 1} to={Math.max(range[0] + 1, range[1] - 1)} marks={marks} />;
}

function preview(text: string, node: JsonNode): string {
    let line = '';
    for (const kid of node.kids) {
        if (line.length > 100) return line.slice(0, 110) + ', …';
        const value =
            kid.node.type === 'object'
                ? '{…}'
                : kid.node.type === 'array'
                  ? '[…]'
                  : text.slice(kid.node.from, Math.min(kid.node.to, kid.node.from + 60));
        line += (line ? ', ' : '') + (kid.key ? keyText(text, kid.key) + ': ' : '') + value;
    }
    return visible(line);
}

/** The keys of a list of like objects with short values: such a list is shown as a small table. */
function tableOf(text: string, node: JsonNode): string[] | null {
    if (node.type !== 'array' || node.kids.length < 2 || node.kids.length > 2000) return null;
    let keys: string[] | null = null;
    for (const kid of node.kids) {
        if (kid.node.type !== 'object' || kid.node.kids.length > 8 || kid.node.kids.length === 0) return null;
        const names = kid.node.kids.map(k => keyText(text, k.key!));
        if (kid.node.kids.some(k => k.node.kids.length || k.node.to - k.node.from > 44)) return null;
        if (!keys) keys = names;
        else if (keys.length !== names.length || keys.some((key, i) => key !== names[i])) return null;
    }
    return keys;
}

function Rows({ id, text, marks, node, keys }: Common & { node: JsonNode; keys: string[] }): JSX.Element {
    const [all, setAll] = useChoice(`${id}:${node.from}:all`);
    const shown = node.kids
        .map((kid, i) => ({ node: kid.node, i }))
        .filter(kid => all || node.kids.length <= MOST_ROWS + 2 || kid.i < MOST_ROWS || touches(marks, kid.node));
    return (
        <>
            <table class="rows">
                <thead>
                    <tr>
                        <th>
                            <span class="sr">index</span>
                        </th>
                        {keys.map(key => (
                            <th key={key}>{key}</th>
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
            {shown.length < node.kids.length && (
                <button class="more" type="button" onClick={() => setAll('1')}>
                    show {num(node.kids.length - shown.length)} more of {num(node.kids.length)}
                </button>
            )}
        </>
    );
}
