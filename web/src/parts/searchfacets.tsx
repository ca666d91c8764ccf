// What a search can be narrowed to, with how many hits each value has.
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { num } from '../format';
import { listText, listValues } from '../filter';
import { go, withNone, withQuery } from '../router';
import type { SearchFacets, SearchField } from '../searching';
import { useNarrow } from '../use';
import { OutcomeMark } from './marks';

const TITLE: Record<SearchField, string> = {
    collection: 'Collection',
    role: 'Role',
    tool: 'Tool',
    model: 'Model',
    task: 'Task',
    success: 'Outcome',
};
const ORDER: SearchField[] = ['collection', 'role', 'success', 'tool', 'model', 'task'];
const OUTCOME: Record<string, string> = { true: 'passed', false: 'failed', unknown: 'unknown' };

export function SearchFacetList({ facets, query, set }: { facets?: SearchFacets; query: URLSearchParams; set: number }): JSX.Element {
    const narrow = useNarrow();
    const [open, setOpen] = useState(false);
    return (
        <details class="facets" open={!narrow || open} onToggle={event => narrow && setOpen(event.currentTarget.open)}>
            <summary>
                Filters <span class="dim">{set ? `${set} set` : 'none set'}</span>
            </summary>
            {ORDER.map(field => {
                const facet = facets?.facets.find(f => f.field === field);
                const values = facet?.values ?? [];
                const chosen = query.get(field);
                // One value leaves nothing to choose.
                if (!chosen && values.length < 2) return null;
                return <Facet key={field} field={field} values={values} more={facet?.more ?? 0} chosen={chosen} />;
            })}
        </details>
    );
}

function Facet({
    field,
    values,
    more,
    chosen: asked,
}: {
    field: SearchField;
    values: { value: string | null; hits: number }[];
    more: number;
    chosen: string | null;
}): JSX.Element {
    const [all, setAll] = useState(false);
    // A collection is one; of the others several can be chosen.
    const one = field === 'collection';
    const chosen = !asked ? [] : one ? [asked] : listValues(asked);
    const listed = [
        ...chosen.filter(value => !values.some(v => v.value === value)).map(value => ({ value, hits: 0 })),
        ...values,
    ];
    const shown = all ? listed : listed.slice(0, 6);
    const toggle = (value: string) => {
        const next = chosen.includes(value) ? chosen.filter(v => v !== value) : one ? [value] : [...chosen, value];
        go(withQuery({ [field]: one ? (next[0] ?? null) : listText(next) }));
    };
    return (
        <section class="facet" aria-label={TITLE[field]}>
            <h2>
                {TITLE[field]}
                {asked != null && (
                    <a href={withQuery({ [field]: null })} aria-label={`Any ${TITLE[field].toLowerCase()}`}>
                        any
                    </a>
                )}
            </h2>
            {shown.map(({ value, hits }) =>
                value == null ? (
                    <label key="" class="dim">
                        <input
                            type="checkbox"
                            checked={asked === ''}
                            onChange={() => go(asked === '' ? withQuery({ [field]: null }) : withNone(field))}
                        />
                        not said<span class="n">{num(hits)}</span>
                    </label>
                ) : (
                    <label key={value}>
                        <input type="checkbox" checked={chosen.includes(value)} onChange={() => toggle(value)} />
                        {field === 'success' && <OutcomeMark success={value === 'unknown' ? null : value === 'true'} />}
                        <span class="one" title={value}>
                            {field === 'success' ? (OUTCOME[value] ?? value) : value}
                        </span>
                        <span class="n">{num(hits)}</span>
                    </label>
                ),
            )}
            {listed.length > shown.length && (
                <button class="more" type="button" onClick={() => setAll(true)}>
                    {num(listed.length - shown.length)} more
                </button>
            )}
            {all && more > 0 && <p class="dim">and {num(more)} with fewer hits</p>}
        </section>
    );
}
