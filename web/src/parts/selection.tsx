// What can be done with runs: choose what is shown, take them along, tag them.
import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { api, exportUrl, type Run } from '../api';
import { csvCell, saveFile } from '../file';
import { count, num } from '../format';
import { go, withQuery } from '../router';
import { asApiError } from '../use';
import { COLUMNS, STANDARD, type Column } from './columns';
import { toast, toastError } from './say';

function Popover({ label, children }: { label: string; children: (close: () => void) => ComponentChildren }): JSX.Element {
    const ref = useRef<HTMLDetailsElement>(null);
    const close = () => ref.current && (ref.current.open = false);
    useEffect(() => {
        const outside = (event: Event) => !ref.current?.contains(event.target as Node) && close();
        addEventListener('pointerdown', outside);
        return () => removeEventListener('pointerdown', outside);
    }, []);
    return (
        <details
            class="popover"
            ref={ref}
            onKeyDown={event => {
                if (event.key !== 'Escape') return;
                event.preventDefault();
                close();
                ref.current?.querySelector('summary')?.focus();
            }}
        >
            <summary class="btn">{label}</summary>
            <div class="pop">{children(close)}</div>
        </details>
    );
}

export function Columns({ chosen, metaKeys }: { chosen: string[]; metaKeys: string[] }): JSX.Element {
    const toggle = (id: string) => {
        const next = chosen.includes(id) ? chosen.filter(c => c !== id) : [...chosen, id];
        go(withQuery({ cols: next.join() === STANDARD.join() ? null : next.join(',') }), true);
    };
    const item = (id: string, title: string) => (
        <label key={id}>
            <input type="checkbox" checked={chosen.includes(id)} onChange={() => toggle(id)} /> <span class="one">{title}</span>
        </label>
    );
    return (
        <Popover label="Columns">
            {() => (
                <>
                    {COLUMNS.map(column => item(column.id, column.title))}
                    {metaKeys.length > 0 && <p class="hd">metadata</p>}
                    {metaKeys.slice(0, 60).map(key => item('meta.' + key, key))}
                </>
            )}
        </Popover>
    );
}

export function Export({ id }: { id: string }): JSX.Element {
    return (
        <Popover label="Export">
            {close => (
                <>
                    <p class="hd">the whole collection</p>
                    <a href={exportUrl(id, 'native')} download onClick={close}>
                        JSON Lines, everything
                    </a>
                    <a href={exportUrl(id, 'csv')} download onClick={close}>
                        CSV, a run a row
                    </a>
                </>
            )}
        </Popover>
    );
}

/** What can be done with all that the filter names. */
export function Actions({ judge, label }: { judge: () => void; label: () => void }): JSX.Element {
    const item = (name: string, run: () => void) => (
        <button
            class="pop-item"
            type="button"
            onClick={run}
        >
            {name}
        </button>
    );
    return (
        <Popover label="All of these">
            {close => (
                <>
                    {item('Judge…', () => (close(), judge()))}
                    {item('Label, one after another', () => (close(), label()))}
                </>
            )}
        </Popover>
    );
}

export function Selection({
    ids,
    runs,
    columns,
    clear,
    again,
    judge,
    label,
}: {
    ids: ReadonlySet<string>;
    runs: Run[];
    columns: Column[];
    clear: () => void;
    again: () => void;
    judge: () => void;
    label: () => void;
}): JSX.Element {
    const [tagging, setTagging] = useState(false);
    const chosen = () => runs.filter(run => ids.has(run.id));
    const tag = async (event: Event) => {
        event.preventDefault();
        const word = new FormData(event.currentTarget as HTMLFormElement).get('tag')?.toString().trim();
        if (!word) return;
        try {
            const { changed } = await api.tag([...ids], word);
            toast(`${count(changed, 'run')} tagged ${word}`);
            setTagging(false);
            again();
        } catch (e) {
            toastError('The tag was not set.', asApiError(e));
        }
    };
    return (
        <div class="selbar" role="group" aria-label="Selection">
            <b aria-live="polite">{num(ids.size)} selected</b>
            <button class="btn" type="button" onClick={judge}>
                Judge…
            </button>
            <button class="btn" type="button" onClick={label}>
                Label…
            </button>
            {tagging ? (
                <form class="tagging" onSubmit={tag}>
                    <div class="input">
                        <input
                            name="tag"
                            autofocus
                            aria-label="Tag"
                            placeholder="tag"
                            autocomplete="off"
                            required
                            ref={field => field?.focus()}
                        />
                    </div>
                    <button class="btn btn-main" type="submit">
                        Set
                    </button>
                    <button class="btn btn-bare" type="button" onClick={() => setTagging(false)}>
                        Cancel
                    </button>
                </form>
            ) : (
                <button class="btn" type="button" onClick={() => setTagging(true)}>
                    Tag
                </button>
            )}
            <button class="btn" type="button" onClick={() => saveFile('runs.csv', 'text/csv', csv(chosen(), columns))}>
                Export CSV
            </button>
            <button
                class="btn"
                type="button"
                onClick={() =>
                    saveFile(
                        'runs.jsonl',
                        'application/jsonl',
                        chosen()
                            .map(run => JSON.stringify(run) + '\n')
                            .join(''),
                    )
                }
            >
                Export JSONL
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
