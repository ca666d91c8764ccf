// Two nested values as one tree: what is alike folded away, what differs written in both versions.
import type { JSX } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import type { Json } from '../api';
import { count } from '../format';
import { LONG, jsonText, step } from '../nested';
import { visible } from '../text';
import { sharedEnds, valueDiff, type Change } from '../valuediff';
import { TextDiff } from './diff';
import { onTreeKey, Tree, TreeItem } from './tree';

const SHOWN = 50; /* changes of one branch, before the rest is asked for */

export function TreeDiff({ a, b, label = 'Difference' }: { a: Json; b: Json; label?: string }): JSX.Element {
    const change = useMemo(() => valueDiff(a, b), [a, b]);
    if (change.sign === 'same') return <p class="none-yet">Both say the same.</p>;
    return (
        <ul class="tree tree-diff" role="tree" aria-label={label} onKeyDown={onTreeKey}>
            {change.kids ? <Changes list={change.kids} path="$" first /> : <Item change={change} path="$" first />}
        </ul>
    );
}

/** Runs of what is alike are one row; they open in place. */
function Changes({ list, path, first }: { list: Change[]; path: string; first?: boolean }): JSX.Element {
    const [all, setAll] = useState(false);
    const [most, setMost] = useState(SHOWN);
    const differ = list.filter(change => change.sign !== 'same');
    const alike = list.length - differ.length;
    const rows = (all ? list : differ).slice(0, most);
    const total = all ? list.length : differ.length;
    return (
        <>
            {rows.map((change, i) => (
                <Item
                    key={`${change.sign} ${change.key}`}
                    change={change}
                    path={path + step(change.key ?? 0)}
                    first={first && i === 0}
                />
            ))}
            {rows.length < total && (
                <TreeItem cls="more" onToggle={() => setMost(most * 10)} row={`show more of ${count(total, 'part')}`} />
            )}
            {alike > 0 && (
                <TreeItem cls="more" onToggle={() => setAll(!all)} row={all ? 'hide what is alike' : `${count(alike, 'part')} alike`} />
            )}
        </>
    );
}

const SIGN = { same: ' ', gone: '-', new: '+', changed: '~' };
const SAID = { same: '', gone: 'only before: ', new: 'only after: ', changed: 'changed: ' };

function Item({ change, path, first }: { change: Change; path: string; first?: boolean }): JSX.Element {
    const [open, setOpen] = useState(true);
    const { key, sign, before, after, kids } = change;
    const name = (
        <>
            <span class="sg" aria-hidden="true">
                {SIGN[sign]}
            </span>
            <span class="sr">{SAID[sign]}</span>
            {key != null && <span class="jk">{visible(String(key))}:</span>}
        </>
    );
    if (kids)
        return (
            <TreeItem path={path} open={open} onToggle={() => setOpen(!open)} first={first} row={name}>
                {open && (
                    <ul role="group">
                        <Changes list={kids} path={path} />
                    </ul>
                )}
            </TreeItem>
        );
    if (sign === 'changed') return <Changed name={name} change={change} path={path} first={first} />;
    const value = (sign === 'new' ? after : before) ?? null;
    const short = shortText(value);
    return (
        <TreeItem
            path={path}
            first={first}
            cls={`d-${sign}`}
            row={
                <>
                    {name}
                    {short}
                </>
            }
        >
            {short == null && <Value value={value} />}
        </TreeItem>
    );
}

/** What fits into its row; null where it does not. */
function shortText(value: Json): string | null {
    if (value !== null && typeof value === 'object') return null;
    const text = jsonText(value)!;
    return text.length <= LONG && !text.includes('\\n') ? visible(text) : null;
}

function Value({ value }: { value: Json }): JSX.Element {
    return <div class="v">{shortText(value) ?? <Tree value={value} lines={1} />}</div>;
}

function Changed({ name, change, path, first }: { name: JSX.Element; change: Change; path: string; first?: boolean }): JSX.Element {
    const { before = null, after = null } = change;
    if (typeof before === 'string' && typeof after === 'string' && (before + after).includes('\n'))
        return (
            <TreeItem path={path} first={first} cls="d-changed" row={name}>
                <TextDiff before={before} after={after} label={`What changed at ${path}`} />
            </TreeItem>
        );
    const scalars = [before, after].every(value => value === null || typeof value !== 'object');
    const a = scalars ? jsonText(before)! : '';
    const b = scalars ? jsonText(after)! : '';
    const [head, tail] = sharedEnds(a, b);
    return (
        <TreeItem path={path} first={first} cls="d-changed" row={name}>
            {scalars ? (
                <>
                    <Version text={a} head={head} tail={tail} gone />
                    <Version text={b} head={head} tail={tail} />
                </>
            ) : (
                <>
                    <div class="d-gone">
                        <Value value={before} />
                    </div>
                    <div class="d-new">
                        <Value value={after} />
                    </div>
                </>
            )}
        </TreeItem>
    );
}

const AROUND = 60; /* characters of what both share, before and after what differs */

/** One of two versions: what only it says is marked; of what both say, only the nearest is shown. */
function Version({ text, head, tail, gone }: { text: string; head: number; tail: number; gone?: boolean }): JSX.Element {
    const start = text.slice(Math.max(0, head - AROUND), head);
    const end = text.slice(text.length - tail, text.length - Math.max(0, tail - AROUND));
    const own = visible(text.slice(head, text.length - tail));
    return (
        <div class={gone ? 'v d-gone' : 'v d-new'}>
            <span class="sg">{gone ? '- ' : '+ '}</span>
            {head > AROUND && '…'}
            {visible(start)}
            {gone ? <del>{own}</del> : <ins>{own}</ins>}
            {visible(end)}
            {tail > AROUND && '…'}
        </div>
    );
}
