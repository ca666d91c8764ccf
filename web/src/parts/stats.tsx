// What runs took: cost, tokens, duration and steps by model, task, outcome or any other field, where the source says so.
import type { JSX } from 'preact';
import { useMemo } from 'preact/hooks';
import { DASH, OUTCOME_NAME, cost, count, duration, num, percent } from '../format';
import { lists, type FieldInfo, type Spread, type StatRow } from '../lists';
import { go, usePlace, withQuery } from '../router';
import { visible } from '../text';
import { useAsk, useKept } from '../use';
import { fieldTitle } from './facets';
import { OutcomeMark } from './marks';
import { Failure } from './say';

type Measure = 'cost_usd' | 'tokens' | 'duration_ms' | 'messages' | 'calls';

const short = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 });
const amount = (n: number) => (n < 10_000 ? num(Math.round(n)) : short.format(n));

const MEASURES: { key: Measure; title: string; say: (n: number) => string; total: boolean }[] = [
    { key: 'cost_usd', title: 'Cost', say: cost, total: true },
    { key: 'tokens', title: 'Tokens', say: amount, total: true },
    { key: 'duration_ms', title: 'Duration', say: duration, total: true },
    { key: 'messages', title: 'Messages', say: amount, total: false },
    { key: 'calls', title: 'Tool calls', say: amount, total: false },
];

const FIRST_SHOWN = 8;
const MOST_SHOWN = 200;

export function Stats({
    name,
    fields,
    href,
}: {
    name: string;
    fields: FieldInfo[];
    /** Where the runs are that have this value of a field. */
    href: (field: string, value: string) => string;
}): JSX.Element | null {
    const { query } = usePlace();
    const groups = fields.filter(
        info => info.facet && info.values > 0 && !['kind', 'behavior', 'detector', 'severity', 'status'].includes(info.field),
    );
    const usual = ['model', 'agent', 'task', 'success'].filter(field => groups.some(g => g.field === field));
    const parts = (field: string) => (groups.find(g => g.field === field)?.values ?? 0) > 1; // a field of one value tells nothing apart
    const first = ['model', 'agent', 'success'].find(parts) ?? usual[0] ?? 'success';
    const by = query.get('by') ?? first;
    const others = groups.filter(g => !usual.includes(g.field) && (parts(g.field) || g.field === by));
    const all = query.get('rows') === 'all';
    const answer = useAsk(`stats ${name} ${by}`, signal => lists.stats(name, { by }, signal));
    const kept = useKept(answer.data ? { by, ...answer.data } : undefined);
    const rows = kept?.items ?? [];
    const told = MEASURES.filter(measure => rows.some(row => row[measure.key]));
    const sort = query.get('most') ?? '';
    const order = told.find(measure => measure.key === sort) ?? told[0];
    const sorted = useMemo(
        () =>
            kept?.by === 'success' || !order
                ? rows
                : [...rows].sort((a, b) => (sort ? (b[order.key]?.median ?? -1) - (a[order.key]?.median ?? -1) : b.runs - a.runs)),
        [kept, order, sort],
    );
    if (answer.error && !kept) return <Failure error={answer.error} again={answer.again} what="What runs took could not be loaded." />;
    if (!kept || !told.length) return null;
    const shown = sorted.slice(0, all ? MOST_SHOWN : FIRST_SHOWN);
    const most = new Map(told.map(m => [m.key, Math.max(...shown.map(row => row[m.key]?.p90 ?? 0))]));
    return (
        <section class="panel stats" aria-label="What runs took">
            <header>
                <h2>What runs took</h2>
                <span class="dim">median of a run; the thin line goes to the 90th percentile</span>
                {usual.length + others.length > 1 && (
                    <div class="seg end" role="group" aria-label="By">
                        {usual.map(field => (
                            <button
                                key={field}
                                class="btn"
                                type="button"
                                aria-pressed={by === field}
                                onClick={() => go(withQuery({ by: field === first ? null : field, rows: null }), true)}
                            >
                                {fieldTitle(field)}
                            </button>
                        ))}
                        {others.length > 0 && (
                            <select
                                aria-label="By another field"
                                value={others.some(g => g.field === by) ? by : ''}
                                onChange={event => go(withQuery({ by: event.currentTarget.value || null, rows: null }), true)}
                            >
                                <option value="">by…</option>
                                {others.map(info => (
                                    <option key={info.field} value={info.field}>
                                        {visible(fieldTitle(info.field)).slice(0, 60)}
                                    </option>
                                ))}
                            </select>
                        )}
                    </div>
                )}
            </header>
            <div class="scroll" tabIndex={0} role="region" aria-label="What runs took, as a table">
                <table class="grid-t" aria-busy={kept.by !== by}>
                    <thead>
                        <tr>
                            <th>{fieldTitle(kept.by)}</th>
                            <th class="num">Runs</th>
                            <th class="num">Passed %</th>
                            {told.map(measure => (
                                <th key={measure.key} class="num" aria-sort={sort === measure.key ? 'descending' : undefined}>
                                    <button
                                        class="as-text"
                                        type="button"
                                        title="Sort by this"
                                        onClick={() => go(withQuery({ most: sort === measure.key ? null : measure.key }), true)}
                                    >
                                        {measure.title}
                                        {sort === measure.key ? ' ↓' : ''}
                                    </button>
                                </th>
                            ))}
                        </tr>
                    </thead>
                    <tbody>
                        {shown.map(row => (
                            <tr key={row.value}>
                                <td class="of">{valueCell(kept.by, row, href)}</td>
                                <td class="num">{num(row.runs)}</td>
                                <td class="num">
                                    {percent(row.passed + row.failed ? row.passed / (row.passed + row.failed) : null)}
                                </td>
                                {told.map(measure => (
                                    <td key={measure.key} class="num spread" title={titleOf(row[measure.key], row.runs, measure.say, measure.total)}>
                                        <SpreadCell of={row[measure.key]} most={most.get(measure.key)!} say={measure.say} />
                                    </td>
                                ))}
                            </tr>
                        ))}
                    </tbody>
                </table>
            </div>
            {rows.length > FIRST_SHOWN && (
                <footer>
                    <button class="more" type="button" onClick={() => go(withQuery({ rows: all ? null : 'all' }), true)}>
                        {all ? `only the first ${FIRST_SHOWN}` : `all ${num(Math.min(rows.length, MOST_SHOWN))}`}
                    </button>
                    {all && rows.length + kept.more > MOST_SHOWN && (
                        <span> of {num(rows.length + kept.more)}; a query over the view runs has them all</span>
                    )}
                </footer>
            )}
        </section>
    );
}

function valueCell(by: string, row: StatRow, href: (field: string, value: string) => string): JSX.Element {
    if (row.value == null) return <span class="dim">{DASH}</span>;
    const name =
        by === 'success' ? OUTCOME_NAME[row.value === 'true' ? 'pass' : row.value === 'false' ? 'fail' : 'unknown'] : row.value;
    return (
        <a class="ink one" href={href(by, row.value)} title={visible(name.slice(0, 400))}>
            {by === 'success' && <OutcomeMark success={row.value === 'unknown' ? null : row.value === 'true'} />}{' '}
            {visible(name.slice(0, 200))}
        </a>
    );
}

function titleOf(spread: Spread | null, runs: number, say: (n: number) => string, total: boolean): string | undefined {
    if (!spread) return undefined;
    return [
        `median ${say(spread.median)}`,
        `mean ${say(spread.mean)}`,
        `90th percentile ${say(spread.p90)}`,
        ...(total ? [`in all ${say(spread.sum)}`] : []),
        ...(spread.n < runs ? [`${count(spread.n, 'run says', 'runs say')} it`] : []),
    ].join(', ');
}

function SpreadCell({ of, most, say }: { of: Spread | null; most: number; say: (n: number) => string }): JSX.Element {
    if (!of) return <span class="dim">{DASH}</span>;
    const x = (n: number) => (most > 0 ? Math.min(100, (n / most) * 100) : 0);
    return (
        <>
            {say(of.median)}
            <svg viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">
                <path class="p90" d={`M0 3H${x(of.p90)}`} />
                <rect class="v" width={x(of.median)} height="6" />
            </svg>
        </>
    );
}
