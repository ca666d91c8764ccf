// Filters of runs at the side: how many of those that the other filters leave have each value, and ranges of what is counted.
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { Kind } from '../api';
import { listText, listValues } from '../filter';
import { KINDS, KIND_NAME, num } from '../format';
import { lists, type FacetOf, type FieldInfo } from '../lists';
import { currentPlace, go, withNone, withQuery } from '../router';
import { visible } from '../text';
import { useAsk, useKept, useNarrow } from '../use';
import { KindMark, OutcomeMark } from './marks';

const TITLES: Record<string, string> = {
    success: 'Outcome',
    kind: 'Kind',
    behavior: 'Behaviour',
    detector: 'Detector',
    severity: 'Severity',
    status: 'Review',
    model: 'Model',
    agent: 'Agent',
    task: 'Task',
    attempt: 'Attempt',
    exit_status: 'Exit status',
    stopped_by: 'Limit',
    limit: 'Limit',
    tag: 'Tag',
    format: 'Format',
    messages: 'Messages',
    calls: 'Calls',
    tokens: 'Tokens',
    cost: 'Cost, USD',
    duration: 'Duration, s',
    started_at: 'Started',
};
export const fieldTitle = (field: string) => TITLES[field] ?? field.replace(/^(meta|score)\./s, '');

/* Shown without being asked for, where runs have them. */
const USUAL = ['success', 'kind', 'behavior', 'model', 'agent', 'exit_status', 'stopped_by', 'tag', 'format'];
const RANGES = ['messages', 'calls', 'tokens', 'cost', 'duration'];
const MOST_OFFERED = 300;
const ORDER: Record<string, string[]> = { success: ['true', 'false', 'unknown'], kind: KINDS };

export function Facets({
    name,
    filter,
    query,
    fields,
    set,
}: {
    name: string;
    filter: URLSearchParams;
    query: URLSearchParams;
    fields: FieldInfo[];
    /** How many filters are set. */
    set: number;
}): JSX.Element {
    const narrow = useNarrow();
    const [open, setOpen] = useState(false);
    const added = query.get('facets')?.split(',').filter(Boolean) ?? [];
    const has = (field: string) => fields.find(info => info.field === field);
    const counted = [...USUAL, ...[...query.keys(), ...added].filter(key => !USUAL.includes(key))].filter(
        (field, i, all) => all.indexOf(field) === i && has(field)?.facet && (has(field)!.values > 1 || USUAL.indexOf(field) < 3 || query.has(field)),
    );
    const ranges = [
        ...RANGES.filter(field => has(field)?.runs),
        ...added.filter(field => has(field) && !has(field)!.facet && !RANGES.includes(field)),
    ];
    for (const key of query.keys()) {
        const field = key.startsWith('range.') ? key.slice(6) : '';
        if (field && !ranges.includes(field)) ranges.push(field);
    }
    const asked = new URLSearchParams(filter);
    asked.set('fields', counted.join(','));
    const answer = useAsk(counted.length ? `facets ${name} ${asked}` : null, signal => lists.facets(name, asked, signal));
    const facets = useKept(answer.data)?.facets ?? [];
    const further = fields
        .filter(info => info.runs > 0 && !counted.includes(info.field) && !ranges.includes(info.field))
        .sort((a, b) => b.runs - a.runs)
        .slice(0, MOST_OFFERED);
    return (
        <details class="facets" open={!narrow || open} onToggle={event => narrow && setOpen(event.currentTarget.open)}>
            <summary>
                Filters <span class="dim">{set ? `${set} set` : 'none set'}</span>
            </summary>
            {answer.error && <p class="facet dim">The counts could not be loaded: {answer.error.message}</p>}
            {counted.map(field => {
                const facet = facets.find(f => f.field === field);
                return facet && <Facet key={field} facet={facet} query={query} added={added.includes(field)} />;
            })}
            {ranges.length > 0 && (
                <section class="facet ranges" aria-label="Ranges">
                    <h2>Ranges</h2>
                    {ranges.map(field => (
                        <Range key={field + (query.get('range.' + field) ?? '')} field={field} value={query.get('range.' + field) ?? ''} />
                    ))}
                </section>
            )}
            {further.length > 0 && (
                <section class="facet" aria-label="More filters">
                    <select
                        aria-label="Filter by another field"
                        value=""
                        onChange={event => {
                            const field = event.currentTarget.value;
                            if (field) go(withQuery({ facets: [...added, field].join(',') }), true);
                        }}
                    >
                        <option value="">Filter by…</option>
                        {further.map(info => (
                            <option key={info.field} value={info.field}>
                                {visible(fieldTitle(info.field)).slice(0, 60)} ({num(info.runs)})
                            </option>
                        ))}
                    </select>
                </section>
            )}
        </details>
    );
}

function Facet({ facet, query, added }: { facet: FacetOf; query: URLSearchParams; added: boolean }): JSX.Element | null {
    const [all, setAll] = useState(false);
    const { field, more } = facet;
    const chosen = listValues(query.get(field) ?? '');
    const none = query.get(field) === '';
    const order = ORDER[field];
    const listed = order ? order.flatMap(v => facet.values.filter(x => x.value === v)) : facet.values;
    // What is chosen stays in sight, though no run that the other filters leave has it.
    const values = [
        ...listed,
        ...chosen.filter(v => !listed.some(x => x.value === v)).map(value => ({ value, runs: 0, passed: 0, failed: 0 })),
    ];
    if (!values.some(v => v.value != null) && !added) return null;
    const shown = all ? values : values.filter((v, i) => i < 6 || (v.value != null && chosen.includes(v.value)));
    const title = fieldTitle(field);
    const toggle = (value: string) =>
        go(withQuery({ [field]: listText(chosen.includes(value) ? chosen.filter(v => v !== value) : [...chosen, value]) }));
    return (
        <section class="facet" aria-label={title}>
            <h2>
                <span class="one" title={field}>
                    {visible(title)}
                </span>
                {query.has(field) && (
                    <a href={withQuery({ [field]: null })} aria-label={`Any ${title.toLowerCase()}`}>
                        any
                    </a>
                )}
            </h2>
            {shown.map(({ value, runs }) =>
                value == null ? (
                    <label key="" class="dim">
                        <input
                            type="checkbox"
                            checked={none}
                            onChange={() => go(none ? withQuery({ [field]: null }) : withNone(field))}
                        />
                        not said<span class="n">{num(runs)}</span>
                    </label>
                ) : (
                    <label key={value}>
                        <input type="checkbox" checked={chosen.includes(value)} onChange={() => toggle(value)} />
                        {field === 'success' && <OutcomeMark success={value === 'unknown' ? null : value === 'true'} />}
                        {field === 'kind' && <KindMark kind={value as Kind} />}
                        <span class="one" title={value}>
                            {nameOf(field, value)}
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
            {all && more > 0 && <p class="dim">and {num(more)} that fewer runs have: type them into the query</p>}
        </section>
    );
}

function nameOf(field: string, value: string): string {
    if (field === 'success') return value === 'true' ? 'passed' : value === 'false' ? 'failed' : 'unknown';
    return field === 'kind' ? (KIND_NAME[value as Kind] ?? value) : visible(value.slice(0, 200));
}

/** From and to of a number, either of which may be missing. Made anew when the address changes. */
function Range({ field, value }: { field: string; value: string }): JSX.Element {
    const [low, high] = value.includes('..') ? (value.split('..', 2) as [string, string]) : ['', ''];
    const title = fieldTitle(field);
    const put = (form: HTMLFormElement) => {
        const data = new FormData(form);
        const [from, to] = ['from', 'to'].map(end => String(data.get(end) ?? '').trim()) as [string, string];
        const next = from || to ? `${from}..${to}` : null;
        if ((next ?? '') !== (currentPlace().query.get('range.' + field) ?? '')) go(withQuery({ ['range.' + field]: next }));
    };
    const end = (which: 'from' | 'to', text: string) => (
        <input
            name={which}
            type="text"
            inputMode="decimal"
            autocomplete="off"
            aria-label={`${title} ${which}`}
            placeholder={which}
            defaultValue={text}
            onBlur={event => put(event.currentTarget.form!)}
        />
    );
    return (
        <form
            class="range"
            onSubmit={event => {
                event.preventDefault();
                put(event.currentTarget);
            }}
        >
            <span class="one" title={field}>
                {visible(title)}
            </span>
            <div class="input">{end('from', low)}</div>
            <div class="input">{end('to', high)}</div>
            <button class="sr" type="submit" tabIndex={-1}>
                Set the range of {title}
            </button>
        </form>
    );
}
