// All runs of a collection: filters, a table, and what can be done with a selection.
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { api, type Run, type Summary } from '../api';
import { askedOf, fieldsOf, termsOf, RUN_KEYS } from '../filter';
import { KINDS, KIND_NAME, num, percent } from '../format';
import { lists } from '../lists';
import { COLUMNS, STANDARD, fieldColumn } from '../parts/columns';
import { Facets } from '../parts/facets';
import { KindMark, OutcomeMark } from '../parts/marks';
import { QueryBox } from '../parts/query';
import { RunList } from '../parts/runlist';
import { FailedPage } from '../parts/say';
import { Actions, Columns, Export } from '../parts/selection';
import { Shell } from '../parts/shell';
import { usePlace } from '../router';
import { useRunRows, type Rows } from '../rows';
import { useAsk, useTitle } from '../use';

export function RunsPage({ name }: { name: string }): JSX.Element {
    useTitle(`Runs of ${name}`);
    const { query } = usePlace();
    const summary = useAsk('summary ' + name, signal => api.summary(name, signal));
    const filter = askedOf(query, RUN_KEYS);
    const sort = query.get('sort') ?? '';
    const asked = new URLSearchParams(filter);
    if (sort) asked.set('sort', sort);
    const rows = useRunRows(name, asked.toString());
    const known = useAsk('fields ' + name, signal => lists.fields(name, signal));
    const fields = known.data?.items ?? [];
    const [wanted, setWanted] = useState('');
    const values = useAsk(wanted ? `values ${name} ${wanted}` : null, signal => lists.facets(name, { fields: wanted }, signal));
    const [turn, setTurn] = useState(0);
    const changed = () => {
        summary.again();
        known.again();
        values.again();
        setTurn(n => n + 1);
    };
    const columns = (query.get('cols')?.split(',') ?? STANDARD)
        .map(id => COLUMNS.find(column => column.id === id) ?? fieldColumn(id))
        .filter(column => column != null);
    if (rows.error && !rows.items.length && rows.error.status !== 400)
        return (
            <Shell>
                <FailedPage error={rows.error} again={rows.again} />
            </Shell>
        );
    const terms = termsOf(query, RUN_KEYS);
    return (
        <Shell collection={summary.data?.collection} name={name} tab="runs">
            <main id="main" class="runs">
                <h1 class="sr">Runs of {name}</h1>
                <Facets name={name} filter={filter} query={query} fields={fields} set={terms.length} turn={turn} />
                <RunList
                    collection={name}
                    filter={filter}
                    filtered={terms.length > 0 || query.has('q')}
                    rows={rows}
                    columns={columns}
                    sort={sort}
                    changed={changed}
                    head={all => (
                        <div class="qbar">
                            <div class="row">
                                <QueryBox
                                    fields={fieldsOf(summary.data, RUN_KEYS, 'runs', {
                                        fields,
                                        facets: values.data?.facets ?? [],
                                    })}
                                    wants={key => fields.some(info => info.field === key && info.facet) && setWanted(key)}
                                    query={query}
                                    label="Query runs"
                                    unit="runs"
                                    refused={rows.error?.message}
                                />
                                <Columns chosen={columns.map(column => column.id)} fields={fields} />
                                {rows.items.length > 0 && (
                                    <Actions
                                        all={all}
                                        total={rows.total}
                                        collection={summary.data?.collection ?? { id: name, name }}
                                        filter={filter}
                                        off={rows.stale}
                                    />
                                )}
                                <Export collection={name} filter={filter} total={rows.stale ? null : rows.total} off={rows.stale} />
                            </div>
                            <Count
                                rows={rows}
                                summary={summary.data}
                                filtered={terms.length > 0 || query.has('q')}
                                sort={sort}
                            />
                        </div>
                    )}
                />
            </main>
        </Shell>
    );
}

function Count({
    rows,
    summary,
    filtered,
    sort,
}: {
    rows: Rows<Run>;
    summary?: Summary;
    filtered: boolean;
    sort: string;
}): JSX.Element {
    if (rows.stale)
        return (
            <p class="count" aria-live="polite">
                {rows.error
                    ? 'This filter was not answered: the rows below are those of the one before, and nothing can be done with them here.'
                    : 'loading …'}
            </p>
        );
    const total = rows.total ?? (rows.next ? null : rows.items.length);
    return (
        <p class="count" aria-live="polite">
            <span>
                <b>{total == null ? `${num(rows.items.length)} or more` : num(total)}</b>
                {filtered && summary ? ` of ${num(summary.runs)}` : ''} runs
            </span>
            {!filtered && summary && summary.passed + summary.failed > 0 && (
                <span>
                    <OutcomeMark success label /> {num(summary.passed)} passed, {percent(summary.pass_rate?.value)} %
                </span>
            )}
            {!filtered &&
                summary &&
                KINDS.filter(kind => summary.kinds[kind].runs).map(kind => (
                    <span key={kind}>
                        <KindMark kind={kind} label={KIND_NAME[kind]} /> {num(summary.kinds[kind].runs)}
                    </span>
                ))}
            <span>
                {sort ? `sorted by ${sort.replace(/^-/, '').replace('_', ' ')}, ` : ''}
                {rows.loading && rows.items.length ? 'loading …' : `${Math.round(rows.ms)} ms`}
            </span>
        </p>
    );
}
