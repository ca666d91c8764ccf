// What can be done with runs: choose what is shown, take them along, tag them.
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { api, exportUrl, type Run } from '../api';
import { bytes, count, num } from '../format';
import { go, withQuery } from '../router';
import { asApiError } from '../use';
import { COLUMNS, STANDARD, type Column } from './columns';
import { Popover } from './popover';
import { toast, toastError } from './say';

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
            <button class="btn" type="button" onClick={() => save('runs.csv', 'text/csv', csv(chosen(), columns))}>
                Export CSV
            </button>
            <button
                class="btn"
                type="button"
                onClick={() =>
                    save(
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

/** A cell that a spreadsheet would take for a formula is kept as text. */
function csv(runs: Run[], columns: Column[]): string {
    const cell = (value: string | number | null) => {
        const text = value == null ? '' : String(value);
        const safe = typeof value === 'string' && /^[=+\-@\t\r]/.test(text) ? "'" + text : text;
        return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
    };
    const lines = [['id', ...columns.map(column => column.id)].join(',')];
    for (const run of runs) lines.push([cell(run.id), ...columns.map(column => cell(column.text(run)))].join(','));
    return lines.join('\r\n') + '\r\n';
}

function save(name: string, type: string, text: string): void {
    const blob = new Blob([text], { type });
    const link = document.createElement('a');
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    toast(`${name}, ${bytes(blob.size)}`);
}
