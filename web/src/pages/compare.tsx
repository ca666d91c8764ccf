// Two groups of runs over the tasks that both ran: who passes more, what changed, what one does that the other does not.
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { api } from '../api';
import {
    SIDES,
    SURE,
    askedFor,
    chance,
    comparing,
    fieldName,
    groupFields,
    hadBy,
    paramsOf,
    points,
    runsOf,
    valueNames,
    within,
    type Asked,
    type Changed,
    type Comparison,
    type GroupField,
    type Side,
} from '../compare';
import { count, num, percent } from '../format';
import { useKeys } from '../keys';
import { lists } from '../lists';
import { ChangedTable, ContrastChart, RatePlot, SideMark, SizePlot, TaskRows, WinBar, whichOf, type Which } from '../parts/groups';
import { FailedPage, Failure } from '../parts/say';
import { Shell } from '../parts/shell';
import { listItem } from '../filter';
import { collectionPath, go, usePlace, withQuery } from '../router';
import { visible } from '../text';
import { useAsk, useTitle } from '../use';

export function ComparePage({ name }: { name: string }): JSX.Element {
    useTitle(`Groups of ${name}`);
    const { query } = usePlace();
    const collection = useAsk('collection ' + name, signal => api.collection(name, signal));
    const known = useAsk('fields ' + name, signal => lists.fields(name, signal));
    const fields = groupFields(known.data?.items ?? []);
    const by = query.get('by') ?? fields[0]?.field ?? null;
    const filters = within(query, by ?? '');
    const facet = new URLSearchParams(filters);
    if (by != null) facet.set('fields', by);
    const values = useAsk(by == null ? null : `facets ${name} ${facet}`, signal => lists.facets(name, facet, signal));
    const found = (values.data?.facets[0]?.values ?? []).flatMap(v => (v.value == null ? [] : [{ value: listItem(v.value), runs: v.runs }]));
    const asked = by != null && (values.data || (query.has('a') && query.has('b'))) ? askedFor(query, by, found) : null;
    const nothing = known.data && (by == null || (values.data && !asked));
    const params = asked && paramsOf(asked, filters);
    const key = params?.toString();
    const compared = useAsk(key == null ? null : `compare ${name} ${key}`, signal => comparing.compare(name, params!, signal));
    const contrast = useAsk(key == null ? null : `contrast ${name} ${key}`, signal => comparing.contrast(name, params!, signal));
    const swap = () => asked?.b != null && go(withQuery({ by: asked.by, a: asked.b, b: asked.a }));
    useKeys('Two groups', [{ key: 's', does: 'swap the groups', run: swap }]);
    if (collection.error && !collection.data)
        return (
            <Shell>
                <FailedPage error={collection.error} again={collection.again} />
            </Shell>
        );
    const where = collection.data ?? { id: name, name };
    const labels = asked && { a: visible(valueNames(asked.by, asked.a)), b: visible(valueNames(asked.by, asked.b)) };
    const had = compared.data ? hadBy(compared.data) : [];
    const to = (side: Side, more?: Record<string, string>) => asked && runsOf(where, asked, side, filters, more);
    return (
        <Shell collection={collection.data} name={name} tab="compare">
            <main id="main" class="cmp">
                <h1 class="sr">Two groups of runs</h1>
                {asked && <Chooser fields={fields} values={found} asked={asked} swap={swap} filters={filters} />}
                {nothing && (
                    <section class="panel pad">
                        <p>
                            <b>There is nothing to compare yet.</b>{' '}
                            <span class="sub">
                                All runs have the same model, outcome, exit status and format. Tag some of them on{' '}
                                <a href={collectionPath(where, 'runs')}>Runs</a>, then compare that tag with the others.
                            </span>
                        </p>
                    </section>
                )}
                {known.error && <Failure error={known.error} again={known.again} />}
                {values.error && <Failure error={values.error} again={values.again} />}
                {compared.error && <Failure error={compared.error} again={compared.again} what="The groups could not be compared." />}
                {asked && labels && compared.data && (
                    <>
                        <Sentence c={compared.data} labels={labels} by={asked.by} />
                        <div class="cmp-grid">
                            <Outcome c={compared.data} labels={labels} to={to} judged={asked.by !== 'success'} />
                            <div class="cmp-side">
                                <section class="panel" aria-label="What changed">
                                    <header>
                                        <h2>What changed</h2>
                                        <span class="dim">surest first</span>
                                        <Legend labels={labels} />
                                    </header>
                                    {compared.data.shared_tasks ? (
                                        <ChangedTable
                                            rows={compared.data.changed}
                                            labels={labels}
                                            href={(row, side) => to(side, partOf(row))}
                                        />
                                    ) : (
                                        <p class="none-yet">No task was run by both, so there are no pairs to take differences of.</p>
                                    )}
                                </section>
                                <section class="panel" aria-label="What one does and the other does not">
                                    <header>
                                        <h2>What one does and the other does not</h2>
                                        <span class="dim">% of runs that have it</span>
                                        <Legend labels={labels} />
                                    </header>
                                    {contrast.error && <Failure error={contrast.error} again={contrast.again} />}
                                    {(had.length > 0 || !!contrast.data?.items.length) && (
                                        <ContrastChart had={had} items={contrast.data?.items ?? []} labels={labels} href={to} />
                                    )}
                                    {!contrast.data?.items.length && (
                                        <p class="none-yet">
                                            {contrast.data
                                                ? 'On the same tasks both take the same actions, as far as these runs can show.'
                                                : !contrast.error && 'Their actions are being compared …'}
                                        </p>
                                    )}
                                </section>
                            </div>
                        </div>
                        {!!compared.data.sizes.length && (
                            <section class="panel" aria-label="Sizes">
                                <header>
                                    <h2>Sizes</h2>
                                    <span class="dim">share of runs on the tasks that both ran; steps of equal ratio</span>
                                    <Legend labels={labels} />
                                </header>
                                <div class="sizes">
                                    {compared.data.sizes.map(sizes => (
                                        <SizePlot key={sizes.measure} sizes={sizes} labels={labels} />
                                    ))}
                                </div>
                            </section>
                        )}
                        <p class="note-line">
                            A task is the unit: runs are averaged within it. A difference stands with its 95 % interval from resampled
                            tasks, its P from flipped signs, adjusted for the number of rows. That two groups differ does not say why.
                        </p>
                    </>
                )}
            </main>
        </Shell>
    );
}

const partOf = (row: Changed): Record<string, string> =>
    row.what === 'behavior' ? { behavior: row.name } : { exit_status: listItem(row.name) };

/* ---- what is compared ----------------------------------------------------------------------------------------------------- */

function Chooser({
    fields,
    values,
    asked,
    swap,
    filters,
}: {
    fields: GroupField[];
    values: GroupField['values'];
    asked: Asked;
    swap: () => void;
    filters: URLSearchParams;
}): JSX.Element {
    const known = fields.some(f => f.field === asked.by);
    return (
        <div class="chooser">
            <label>
                <span>Compare by</span>
                <select value={asked.by} onChange={e => go(withQuery({ by: e.currentTarget.value, a: null, b: null }))}>
                    {!known && <option value={asked.by}>{fieldName(asked.by)}</option>}
                    {fields.map(f => (
                        <option key={f.field} value={f.field}>
                            {fieldName(f.field)}
                        </option>
                    ))}
                </select>
            </label>
            <Value side="a" asked={asked} values={values} />
            <button
                class="btn btn-bare swap"
                type="button"
                title="Swap the groups (s)"
                aria-label="Swap the groups"
                disabled={asked.b == null}
                onClick={swap}
            >
                ⇄
            </button>
            <Value side="b" asked={asked} values={values} />
            {[...filters].map(([field, value]) => (
                <a key={field} class="chip" href={withQuery({ [field]: null })} aria-label={`Without ${field}: ${visible(value)}`}>
                    {fieldName(field)}: {visible(valueNames(field, value))} <small aria-hidden="true">×</small>
                </a>
            ))}
        </div>
    );
}

function Value({ side, asked, values }: { side: Side; asked: Asked; values: GroupField['values'] }): JSX.Element {
    const value = side === 'a' ? asked.a : asked.b;
    const other = side === 'a' ? asked.b : asked.a;
    const choose = (next: string) => {
        const changes: Record<string, string | null> = { by: asked.by, a: asked.a, b: asked.b };
        changes[side] = next === REST ? null : next;
        go(withQuery(changes));
    };
    return (
        <label>
            <span>
                <SideMark side={side} /> {side === 'a' ? 'First' : 'Second'}
            </span>
            <select value={value ?? REST} onChange={e => choose(e.currentTarget.value)}>
                {value != null && !values.some(v => v.value === value) && (
                    <option value={value}>{visible(valueNames(asked.by, value))}</option>
                )}
                {values.map(v => (
                    <option key={v.value} value={v.value} disabled={v.value === other}>
                        {visible(valueNames(asked.by, v.value))} ({num(v.runs)})
                    </option>
                ))}
                {side === 'b' && <option value={REST}>all other runs</option>}
            </select>
        </label>
    );
}
const REST = '\0rest';

/* ---- what came of it -------------------------------------------------------------------------------------------------------- */

function Sentence({ c, labels, by }: { c: Comparison; labels: Record<Side, string>; by: string }): JSX.Element {
    const o = c.outcome;
    const empty = SIDES.find(side => !c[side].runs);
    if (empty)
        return (
            <p class="lead-22">
                <b>{labels[empty]}</b> has no runs here: choose another value, or take a filter off.
            </p>
        );
    if (!c.shared_tasks)
        return (
            <p class="lead-22">
                No task was run by both <b>{labels.a}</b> and <b>{labels.b}</b>, so their rates cannot be told from their tasks.{' '}
                {o.test === 'fisher' && by !== 'success' && (
                    <span class="sub">
                        Unpaired, over all their runs: {percent(o.a)} % and {percent(o.b)} % passed ({points(o.difference)} points,{' '}
                        {points(o.low)} to {points(o.high)}, P {chance(o.p)}).
                    </span>
                )}
            </p>
        );
    const shared = count(c.shared_tasks, 'task');
    if (o.difference == null || by === 'success')
        return (
            <p class="lead-22">
                <b>{labels.a}</b> and <b>{labels.b}</b> over the {shared} that both {c.shared_tasks === 1 ? 'has' : 'have'} runs of.
            </p>
        );
    const sure = (o.p ?? 1) < SURE;
    const [better, other]: [Side, Side] = o.difference >= 0 ? ['b', 'a'] : ['a', 'b'];
    return (
        <p class="lead-22">
            {sure ? (
                <>
                    <b>{labels[better]}</b> passes more: {percent(o[better])} % against {percent(o[other])} % of {labels[other]}
                </>
            ) : (
                <>
                    <b>No difference that {o.tasks === 1 ? 'one task' : `${num(o.tasks)} tasks`} can show:</b> {labels.a} passes{' '}
                    {percent(o.a)} %, {labels.b} {percent(o.b)} %
                </>
            )}{' '}
            <span class="sub">
                over the {count(o.tasks, 'task')} that both ran ({points(o.difference)} points, {points(o.low)} to {points(o.high)}, P{' '}
                {chance(o.p)}).
            </span>
        </p>
    );
}

const FEW = 12;
const TEST_NAME = { mcnemar: 'McNemar’s exact test', bootstrap: 'bootstrap over tasks', fisher: 'unpaired: Fisher’s exact test' };

function Outcome({
    c,
    labels,
    to,
    judged,
}: {
    c: Comparison;
    labels: Record<Side, string>;
    to: (side: Side, more?: Record<string, string>) => string | null;
    /** The groups are not the outcomes themselves. */
    judged: boolean;
}): JSX.Element {
    const [which, choose] = useState<Which | null>(null);
    const [all, setAll] = useState(false);
    const o = c.outcome;
    const listed = which ? c.tasks.filter(task => whichOf(task) === which) : c.tasks;
    const shown = all ? listed : listed.slice(0, FEW);
    return (
        <section class="panel" aria-label="Outcome">
            <header>
                <h2>{judged ? 'Outcome' : 'Groups'}</h2>
                <span class="dim">
                    {judged && o.test ? TEST_NAME[o.test] : ''}
                </span>
            </header>
            <table class="grid-t sides">
                <thead>
                    <tr>
                        <th>Group</th>
                        <th class="num">Runs</th>
                        <th class="num">Tasks</th>
                        <th class="num" title="Of all its runs">
                            Passed %
                        </th>
                        <th class="w-r">
                            <span class="sr">Pass rate of all its runs with its interval</span>
                        </th>
                    </tr>
                </thead>
                <tbody>
                    {SIDES.map(side => {
                        const link = to(side);
                        return (
                            <tr key={side}>
                                <td>
                                    <span class="mk">
                                        <SideMark side={side} />
                                        <span class="one" title={labels[side]}>
                                            {link ? (
                                                <a class="ink" href={link}>
                                                    {labels[side]}
                                                </a>
                                            ) : (
                                                labels[side]
                                            )}
                                        </span>
                                    </span>
                                </td>
                                <td class="num">{num(c[side].runs)}</td>
                                <td class="num">{num(c[side].tasks)}</td>
                                <td class="num">{percent(c[side].pass_rate?.value)}</td>
                                <td>
                                    <RatePlot rate={c[side].pass_rate} side={side} />
                                </td>
                            </tr>
                        );
                    })}
                </tbody>
            </table>
            {(c.both > 0 || c.without_task > 0) && (
                <p class="left-out">
                    {c.both > 0 && <>{count(c.both, 'run')} of both groups left out. </>}
                    {c.without_task > 0 && <>{count(c.without_task, 'run')} without a task not paired.</>}
                </p>
            )}
            {judged && o.tasks > 0 && (
                <WinBar
                    outcome={o}
                    names={{ wins: 'second better', losses: 'first better', ties: 'same' }}
                    current={which}
                    choose={choose}
                />
            )}
            {judged && !!shown.length && <TaskRows tasks={shown} labels={labels} href={(task, side) => to(side, { task: listItem(task) })} />}
            {judged && (listed.length > FEW || c.more_tasks > 0) && (
                <footer>
                    {listed.length > FEW && (
                        <button class="more" type="button" aria-expanded={all} onClick={() => setAll(!all)}>
                            {all ? 'Show fewer' : `All ${num(listed.length)}`}
                        </button>
                    )}
                    {all && c.more_tasks > 0 && <> and {count(c.more_tasks, 'task')} more, which differ less</>}
                </footer>
            )}
        </section>
    );
}

function Legend({ labels }: { labels: Record<Side, string> }): JSX.Element {
    return (
        <span class="end side-legend">
            {SIDES.map(side => (
                <span key={side} class="mk">
                    <SideMark side={side} />
                    <span class="one">{labels[side]}</span>
                </span>
            ))}
        </span>
    );
}
