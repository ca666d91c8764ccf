// What can be done with runs: choose what is shown, take them along, tag them.
import type { JSX } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { api, exportUrl, MOST_IDS, type Run } from '../api';
import { csvCell, saveFile } from '../file';
import { count, num } from '../format';
import { exportRuns, type FieldInfo } from '../lists';
import { collectionPath, go, withQuery } from '../router';
import { asApiError } from '../use';
import { COLUMNS, STANDARD, type Column } from './columns';
import { Popover } from './popover';
import type { ForAll, Which } from './runlist';
import { toast, toastError } from './say';

export function Columns({ chosen, fields }: { chosen: string[]; fields: FieldInfo[] }): JSX.Element {
    const [find, setFind] = useState('');
    const toggle = (id: string) => {
        const next = chosen.includes(id) ? chosen.filter(c => c !== id) : [...chosen, id];
        go(withQuery({ cols: next.join() === STANDARD.join() ? null : next.join(',') }), true);
    };
    const item = (id: string, title: string) => (
        <label key={id}>
            <input type="checkbox" checked={chosen.includes(id)} onChange={() => toggle(id)} /> <span class="one">{title}</span>
        </label>
    );
    const group = (prefix: string, title: string) => {
        const all = fields.filter(
            info => info.field.startsWith(prefix) && info.field.toLowerCase().includes(find) && !info.field.includes(','),
        );
        return (
            all.length > 0 && (
                <>
                    <p class="hd">{title}</p>
                    {all.slice(0, 60).map(info => item(info.field, info.field.slice(prefix.length)))}
                    {all.length > 60 && <p class="dim">{num(all.length - 60)} more: find them by name</p>}
                </>
            )
        );
    };
    return (
        <Popover label="Columns">
            {() => (
                <>
                    {fields.length > 20 && (
                        <div class="input">
                            <input
                                aria-label="Find a column"
                                placeholder="find a column"
                                autocomplete="off"
                                value={find}
                                onInput={event => setFind(event.currentTarget.value.toLowerCase())}
                            />
                        </div>
                    )}
                    {COLUMNS.filter(column => column.title.toLowerCase().includes(find)).map(column => item(column.id, column.title))}
                    {group('score.', 'scores')}
                    {group('meta.', 'metadata')}
                </>
            )}
        </Popover>
    );
}

/** Everything of the collection, or what the filter leaves of it. */
export function Export({
    collection,
    filter,
    total,
    off,
}: {
    collection: string;
    filter: URLSearchParams;
    total: number | null;
    /** The filter is not answered: nothing can be done with it. */
    off: boolean;
}): JSX.Element {
    const link = (as: 'native' | 'csv' | 'html') => exportUrl(collection, as, filter);
    return (
        <Popover label="Export" off={off}>
            {close => (
                <>
                    <p class="hd">{filter.size ? `the ${total == null ? '' : num(total) + ' '}runs of the filter` : 'the whole collection'}</p>
                    <a href={link('native')} download onClick={close}>
                        JSON Lines, everything
                    </a>
                    <a href={link('csv')} download onClick={close}>
                        CSV, a run a row
                    </a>
                    <a href={link('html')} download onClick={close}>
                        HTML, a report to send
                    </a>
                </>
            )}
        </Popover>
    );
}

/** What can be done with all that the filter names. */
export function Actions({
    all,
    total,
    collection,
    filter,
    off,
}: {
    all: ForAll;
    total: number | null;
    collection: { id: string; name: string };
    filter: URLSearchParams;
    off: boolean;
}): JSX.Element {
    const to = (tab: string) => collectionPath(collection, tab) + (filter.size ? '?' + filter : '');
    return (
        <Popover label="All of these" off={off}>
            {close => {
                const item = (name: string, run: () => void) => (
                    <button class="pop-item" type="button" onClick={() => (close(), run())}>
                        {name}
                    </button>
                );
                return (
                    <>
                        {item('Judge…', all.judge)}
                        {item('Label, one after another', all.label)}
                        <a href={to('compare')} onClick={close}>
                            Compare groups of them
                        </a>
                        <a href={to('map')} onClick={close}>
                            Show them on the map
                        </a>
                        {item(`Select ${total == null ? 'them' : 'all ' + num(total)}`, all.select)}
                    </>
                );
            }}
        </Popover>
    );
}

export function SelectionBar({
    collection,
    which,
    n,
    more,
    runs,
    columns,
    clear,
    again,
    judge,
    label,
    remove,
    off,
}: {
    collection: string;
    which: Which;
    n: number | null;
    /** Some are selected, and all that the filter names can be. */
    more: { total: number | null; take: () => void } | null;
    runs: Run[];
    columns: Column[];
    clear: () => void;
    again: () => void;
    judge: () => void;
    label: () => void;
    remove: () => void;
    /** The list shows other runs than those of its filter. */
    off: boolean;
}): JSX.Element {
    const [tagging, setTagging] = useState(false);
    const field = useRef<HTMLInputElement>(null);
    useLayoutEffect(() => field.current?.focus(), [tagging]);
    const ids = 'ids' in which ? which.ids : null;
    const tag = async (event: SubmitEvent) => {
        event.preventDefault();
        const word = new FormData(event.currentTarget as HTMLFormElement).get('tag')?.toString().trim();
        const off = (event.submitter as HTMLButtonElement | null)?.value === 'off';
        if (!word) return;
        try {
            let changed = 0;
            if ('filter' in which) {
                changed = (await api.tag({ collection, filter: Object.fromEntries(which.filter) }, word, off)).changed;
            } else {
                for (let i = 0; i < which.ids.length; i += MOST_IDS)
                    changed += (await api.tag({ ids: which.ids.slice(i, i + MOST_IDS) }, word, off)).changed;
            }
            toast(off ? `${word} taken off ${count(changed, 'run')}` : `${count(changed, 'run')} tagged ${word}`);
            setTagging(false);
            again();
        } catch (e) {
            toastError('The tag was not changed.', asApiError(e));
        }
    };
    // As the table shows them; what was selected in another list, and is not in this one, the server writes.
    const csvOf = async (ids: string[]): Promise<Blob> => {
        const wanted = new Set(ids);
        const chosen = runs.filter(run => wanted.has(run.id));
        if (chosen.length < ids.length) return exportRuns(collection, 'csv', ids);
        return new Blob([csv(chosen, columns)], { type: 'text/csv' });
    };
    const bring = async (as: 'csv' | 'native') => {
        try {
            if (as === 'csv') saveFile('runs.csv', await csvOf(ids ?? []));
            else saveFile('runs.jsonl', await exportRuns(collection, 'native', ids ?? []));
        } catch (e) {
            toastError('The runs were not exported.', asApiError(e));
        }
    };
    const tags = [...new Set(runs.slice(0, 1000).flatMap(run => run.tags))].slice(0, 50);
    return (
        <div class="selbar" role="group" aria-label="Selection" inert={off}>
            <b aria-live="polite">
                {ids ? `${num(n)} selected` : `all ${n == null ? 'runs of the list' : num(n)} selected`}
            </b>
            {more && (
                <button class="more" type="button" onClick={more.take}>
                    select all {more.total == null ? '' : num(more.total)}
                </button>
            )}
            <button data-need="admin" class="btn" type="button" onClick={judge}>
                Judge…
            </button>
            <button data-need="review" class="btn" type="button" onClick={label}>
                Label…
            </button>
            {tagging ? (
                <form class="tagging" onSubmit={event => void tag(event as unknown as SubmitEvent)}>
                    <div class="input">
                        <input
                            name="tag"
                            aria-label="Tag"
                            placeholder="tag"
                            autocomplete="off"
                            list="known-tags"
                            required
                            ref={field}
                        />
                        <datalist id="known-tags">
                            {tags.map(known => (
                                <option key={known} value={known} />
                            ))}
                        </datalist>
                    </div>
                    <button class="btn btn-main" type="submit" value="on">
                        Set
                    </button>
                    <button class="btn" type="submit" value="off">
                        Take off
                    </button>
                    <button class="btn btn-bare" type="button" onClick={() => setTagging(false)}>
                        Cancel
                    </button>
                </form>
            ) : (
                <button data-need="review" class="btn" type="button" onClick={() => setTagging(true)}>
                    Tag
                </button>
            )}
            {ids?.length === 2 && (
                <a class="btn" href={'/compare?' + new URLSearchParams({ a: ids[0]!, b: ids[1]! })}>
                    Compare
                </a>
            )}
            {ids ? (
                <>
                    <button class="btn" type="button" onClick={() => void bring('csv')}>
                        Export CSV
                    </button>
                    <button class="btn" type="button" onClick={() => void bring('native')}>
                        Export JSONL
                    </button>
                </>
            ) : (
                <>
                    <a class="btn" download href={exportUrl(collection, 'csv', 'filter' in which ? which.filter : undefined)}>
                        Export CSV
                    </a>
                    <a class="btn" download href={exportUrl(collection, 'native', 'filter' in which ? which.filter : undefined)}>
                        Export JSONL
                    </a>
                </>
            )}
            <button data-need="admin" class="btn" type="button" onClick={remove}>
                Delete…
            </button>
            <button class="btn btn-bare" type="button" onClick={clear}>
                Clear <kbd aria-hidden="true">Esc</kbd>
            </button>
        </div>
    );
}

function csv(runs: Run[], columns: Column[]): string {
    const lines = [['id', ...columns.map(column => column.id)].join(',')];
    for (const run of runs) lines.push([csvCell(run.id), ...columns.map(column => csvCell(column.text(run)))].join(','));
    return lines.join('\r\n') + '\r\n';
}
