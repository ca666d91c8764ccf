// Filters of runs at the side, with how many runs each value has.
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { Kind, Summary } from '../api';
import { KINDS, KIND_NAME, num } from '../format';
import { go, withQuery } from '../router';
import { useNarrow } from '../use';
import { KindMark, OutcomeMark } from './marks';

const FACETS: { field: string; title: string }[] = [
    { field: 'success', title: 'Outcome' },
    { field: 'kind', title: 'Kind' },
    { field: 'behavior', title: 'Behaviour' },
    { field: 'model', title: 'Model' },
    { field: 'exit_status', title: 'Exit status' },
    { field: 'tag', title: 'Tag' },
    { field: 'format', title: 'Format' },
];
const ORDER: Record<string, string[]> = { success: ['true', 'false', 'unknown'], kind: KINDS };

export function Facets({ summary, query, set }: { summary?: Summary; query: URLSearchParams; set: number }): JSX.Element {
    const narrow = useNarrow();
    const [open, setOpen] = useState(false);
    return (
        <details class="facets" open={!narrow || open} onToggle={event => narrow && setOpen(event.currentTarget.open)}>
            <summary>
                Filters <span class="dim">{set ? `${set} set` : 'none set'}</span>
            </summary>
            {FACETS.map(({ field, title }) => {
                const values = summary?.facets.find(f => f.field === field)?.values ?? [];
                if (!values.some(v => v.value != null) || (field === 'format' && values.length < 2)) return null;
                const order = ORDER[field];
                return (
                    <Facet
                        key={field}
                        field={field}
                        title={title}
                        values={order ? order.flatMap(v => values.filter(x => x.value === v)) : values}
                        query={query}
                    />
                );
            })}
        </details>
    );
}

function Facet({
    field,
    title,
    values,
    query,
}: {
    field: string;
    title: string;
    values: { value: string | null; runs: number }[];
    query: URLSearchParams;
}): JSX.Element {
    const [all, setAll] = useState(false);
    const chosen = query.get(field)?.split(',').filter(Boolean) ?? [];
    const shown = all ? values : values.slice(0, 6);
    const toggle = (value: string) =>
        go(withQuery({ [field]: (chosen.includes(value) ? chosen.filter(v => v !== value) : [...chosen, value]).join(',') }));
    return (
        <section class="facet" aria-label={title}>
            <h2>
                {title}
                {chosen.length > 0 && (
                    <a href={withQuery({ [field]: null })} aria-label={`Any ${title.toLowerCase()}`}>
                        any
                    </a>
                )}
            </h2>
            {shown.map(({ value, runs }) =>
                value == null ? (
                    <label key="" class="dim">
                        <input type="checkbox" disabled title="Runs that do not say cannot be asked for" />
                        not said<span class="n">{num(runs)}</span>
                    </label>
                ) : (
                    <label key={value}>
                        <input type="checkbox" checked={chosen.includes(value)} onChange={() => toggle(value)} />
                        {field === 'success' && <OutcomeMark success={value === 'unknown' ? null : value === 'true'} />}
                        {field === 'kind' && <KindMark kind={value as Kind} />}
                        <span class="one" title={value}>
                            {field === 'success'
                                ? value === 'true'
                                    ? 'passed'
                                    : value === 'false'
                                      ? 'failed'
                                      : 'unknown'
                                : field === 'kind'
                                  ? (KIND_NAME[value as Kind] ?? value)
                                  : value}
                        </span>
                        <span class="n">{num(runs)}</span>
                    </label>
                ),
            )}
            {values.length > shown.length && (
                <button class="more" type="button" onClick={() => setAll(true)}>
                    {num(values.length - shown.length)} more
                </button>
            )}
        </section>
    );
}
