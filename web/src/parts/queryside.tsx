// Beside the query: what is kept, what was asked before, and what there is to ask about.
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { count, num, time } from '../format';
import { EXAMPLES, querying, type Asked, type ChartSpec, type SavedQuery, type SqlSchema } from '../querying';
import type { List } from '../api';
import { useMay } from '../session';
import { visible } from '../text';
import { asApiError, type Answer } from '../use';
import { Failure, toast, toastError } from './say';

type Show = (query: { text: string; chart?: ChartSpec | null; id?: string }) => void;

export function QuerySide({
    schema,
    saved,
    current,
    history,
    show,
    insert,
    removed,
}: {
    schema: Answer<SqlSchema>;
    saved: Answer<List<SavedQuery>>;
    current: string | undefined;
    history: Asked[];
    show: Show;
    insert: (name: string) => void;
    removed: (id: string) => void;
}): JSX.Element {
    const kept = saved.data?.items ?? [];
    const mayKeep = useMay('review', 'all');
    const remove = async (query: SavedQuery) => {
        try {
            await querying.remove(query.id);
            saved.again();
            removed(query.id);
            toast(`“${query.name}” is deleted`, {
                label: 'Undo',
                run: () =>
                    querying.save(null, { name: query.name, text: query.text, ...(query.chart && { chart: query.chart }) }).then(saved.again, e =>
                        toastError('It was not put back.', asApiError(e)),
                    ),
            });
        } catch (e) {
            toastError('It was not deleted.', asApiError(e));
        }
    };
    return (
        <aside class="query-side panel" aria-label="Queries and views">
            <details open>
                <summary>Saved</summary>
                {saved.error && <Failure error={saved.error} again={saved.again} />}
                {!kept.length && saved.data && <p class="dim">None yet.{mayKeep !== false && ' Save a query to find it here.'}</p>}
                <ul>
                    {kept.map(query => (
                        <li key={query.id} aria-current={query.id === current || undefined}>
                            <button class="as-text one" type="button" title={visible(query.text)} onClick={() => show({ text: query.text, chart: query.chart, id: query.id })}>
                                {visible(query.name)}
                            </button>
                            <button data-need="review" data-need-all class="as-text dim" type="button" aria-label={`Delete ${visible(query.name)}`} onClick={() => remove(query)}>
                                ×
                            </button>
                        </li>
                    ))}
                </ul>
            </details>
            <details open>
                <summary>To begin with</summary>
                <ul>
                    {EXAMPLES.map(example => (
                        <li key={example.name}>
                            <button class="as-text one" type="button" title={example.text} onClick={() => show(example)}>
                                {example.name}
                            </button>
                        </li>
                    ))}
                </ul>
            </details>
            {history.length > 0 && (
                <details>
                    <summary>
                        Asked before <small>{num(history.length)}</small>
                    </summary>
                    <ul>
                        {history.map(asked => (
                            <li key={asked.text}>
                                <button class="as-text one mono" type="button" title={`${asked.text}\n\n${time(asked.when)}, ${count(asked.rows, 'row')}`} onClick={() => show({ text: asked.text })}>
                                    {visible(asked.text).replace(/\s+/g, ' ')}
                                </button>
                            </li>
                        ))}
                    </ul>
                </details>
            )}
            <details open>
                <summary>Views</summary>
                {schema.error && <Failure error={schema.error} again={schema.again} />}
                {schema.data?.views.map(view => <ViewColumns key={view.name} view={view} insert={insert} />)}
            </details>
        </aside>
    );
}

function ViewColumns({ view, insert }: { view: SqlSchema['views'][number]; insert: (name: string) => void }): JSX.Element {
    const [open, setOpen] = useState(false);
    return (
        <details class="view" onToggle={event => setOpen(event.currentTarget.open)}>
            <summary title={view.about}>
                <code>{view.name}</code>
            </summary>
            {open && (
                <>
                    <p class="dim">{view.about}</p>
                    <ul>
                        {view.columns.map(column => (
                            <li key={column.name}>
                                <button class="as-text mono" type="button" title="Put it into the query" onClick={() => insert(/^(limit|index|end|when)$/.test(column.name) ? `"${column.name}"` : column.name)}>
                                    {column.name}
                                </button>
                                <span class="dim one" title={column.about}>
                                    {column.type} · {column.about}
                                </span>
                            </li>
                        ))}
                    </ul>
                </>
            )}
        </details>
    );
}
