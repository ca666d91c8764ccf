// How often each behaviour is found, by model or by day: the share of the runs there.
import type { JSX } from 'preact';
import type { Kind } from '../api';
import { KIND_NAME, count, num, percent } from '../format';
import { querying } from '../querying';
import { go, usePlace, withQuery } from '../router';
import { visible } from '../text';
import { useAsk, useKept } from '../use';
import { KindMark } from './marks';

const MOST_ROWS = 12;
const MOST_MODELS = 10;
const MOST_DAYS = 60;
const MOST_CELLS = 20_000; /* of an answer */

type By = 'model' | 'day';
const GROUP: Record<By, string> = { model: 'r.model', day: 'substr(r.started_at, 1, 10)' };

interface Trend {
    behavior: string;
    kind: Kind;
    runs: number;
    by: Map<string, number>;
}
interface Trends {
    /** How many runs there are of each model, or day. */
    groups: Map<string, number>;
    /** Runs that say none. */
    unsaid: number;
    rows: Trend[];
}

async function ask(collection: string, by: By, signal: AbortSignal): Promise<Trends> {
    const [all, found] = await Promise.all([
        querying.run(`SELECT ${GROUP[by]}, count(*) FROM runs r WHERE r.collection = ? GROUP BY 1`, [collection], MOST_CELLS, signal),
        querying.run(
            `SELECT f.behavior, f.kind, ${GROUP[by]}, count(DISTINCT f.run) FROM findings f JOIN runs r ON r.id = f.run
             WHERE f.collection = ? AND f.status <> 'dismissed' GROUP BY 1, 2, 3`,
            [collection],
            MOST_CELLS,
            signal,
        ),
    ]);
    const groups = new Map<string, number>();
    let unsaid = 0;
    for (const [name, n] of all.rows)
        if (typeof name === 'string' && name) groups.set(name, Number(n));
        else unsaid += Number(n);
    const rows = new Map<string, Trend>();
    for (const [behavior, kind, name, n] of found.rows) {
        const key = `${kind} ${behavior}`;
        const row = rows.get(key) ?? { behavior: String(behavior), kind: kind as Kind, runs: 0, by: new Map<string, number>() };
        rows.set(key, row);
        row.runs += Number(n);
        if (typeof name === 'string' && name) row.by.set(name, Number(n));
    }
    return { groups, unsaid, rows: [...rows.values()].sort((a, b) => b.runs - a.runs) };
}

export function Trends({
    collection,
    models,
    href,
}: {
    /** Its id. */
    collection: string;
    /** How many models there are. */
    models: number;
    href: (query: Record<string, string>) => string;
}): JSX.Element | null {
    const chosen = usePlace().query.get('found');
    const by: By = chosen === 'day' || (chosen !== 'model' && models < 2) ? 'day' : 'model';
    const { data } = useAsk(`trends ${collection} ${by}`, signal => ask(collection, by, signal));
    const kept = useKept(data && { by, ...data });
    if (!kept || !kept.rows.length) return null;
    const rows = kept.rows.slice(0, MOST_ROWS);
    const Table = kept.by === 'model' ? ByModel : ByDay;
    return (
        <section class="panel trends" aria-label="Findings by model or day">
            <header>
                <h2>How often</h2>
                <span class="dim">
                    share of the runs of each {kept.by} in which it was found
                    {kept.rows.length > rows.length ? `; the first ${rows.length} of ${kept.rows.length} behaviours` : ''}
                </span>
                <div class="seg end" role="group" aria-label="Findings by">
                    {(['model', 'day'] as const).map(b => (
                        <button key={b} class="btn" type="button" aria-pressed={by === b} onClick={() => go(withQuery({ found: b }), true)}>
                            {b === 'day' ? 'Over time' : 'Model'}
                        </button>
                    ))}
                </div>
            </header>
            {kept.rows.some(row => row.by.size) && <Table groups={kept.groups} rows={rows} href={href} />}
            <Unsaid {...kept} />
        </section>
    );
}

const WORD: Record<By, string> = { model: 'model', day: 'date' };

/** Of how many runs all this tells nothing. */
function Unsaid({ by, groups, unsaid, rows }: Trends & { by: By }): JSX.Element | null {
    if (!groups.size) return <p class="none-yet">No run has a {WORD[by]}.</p>;
    const said = [...groups.values()].reduce((sum, n) => sum + n, 0);
    const none = !rows.some(row => row.by.size);
    if (!none && !unsaid) return null;
    return (
        <p class="none-yet">
            {none && `Nothing was found in the ${count(said, 'run')} with a ${WORD[by]}. `}
            {unsaid > 0 && `${num(unsaid)} of ${count(said + unsaid, 'run')} ${unsaid === 1 ? 'has' : 'have'} no ${WORD[by]}.`}
        </p>
    );
}

type Href = (query: Record<string, string>) => string;

function Name({ row, href }: { row: Trend; href: Href }): JSX.Element {
    return (
        <td class="of">
            <span class="mk">
                <KindMark kind={row.kind} label={KIND_NAME[row.kind]} />
                <a class="ink" href={href({ behavior: row.behavior })}>
                    {row.behavior}
                </a>
            </span>
        </td>
    );
}

function ByModel({ groups, rows, href }: { groups: Map<string, number>; rows: Trend[]; href: Href }): JSX.Element {
    const models = [...groups].sort((a, b) => b[1] - a[1]).slice(0, MOST_MODELS);
    const most = Math.max(...rows.flatMap(row => models.map(([model, n]) => (row.by.get(model) ?? 0) / n)));
    return (
        <div class="scroll" tabIndex={0} role="region" aria-label="Findings by model, as a table">
            <table class="grid-t">
                <thead>
                    <tr>
                        <th>Behaviour</th>
                        {models.map(([model, n]) => (
                            <th key={model} class="num" title={`${visible(model.slice(0, 300))}, ${count(n, 'run')}`}>
                                <span class="one head">{visible(model.slice(model.lastIndexOf('/') + 1).slice(0, 100))}</span>
                            </th>
                        ))}
                        <th class="num">Runs</th>
                    </tr>
                </thead>
                <tbody>
                    {rows.map(row => (
                        <tr key={row.kind + row.behavior}>
                            <Name row={row} href={href} />
                            {models.map(([model, n]) => {
                                const found = row.by.get(model) ?? 0;
                                return (
                                    <td key={model} class="num spread" title={`${num(found)} of ${count(n, 'run')}`}>
                                        {found ? (
                                            <a class="ink" href={href({ behavior: row.behavior, model })}>
                                                {percent(found / n)}
                                            </a>
                                        ) : (
                                            <span class="dim">0</span>
                                        )}
                                        <svg viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">
                                            <rect class="v" width={(found / n / (most || 1)) * 100} height="6" />
                                        </svg>
                                    </td>
                                );
                            })}
                            <td class="num">{num(row.runs)}</td>
                        </tr>
                    ))}
                </tbody>
            </table>
            {groups.size > models.length && <p class="none-yet">The {models.length} models of {groups.size} with most runs.</p>}
        </div>
    );
}

function ByDay({ groups, rows, href }: { groups: Map<string, number>; rows: Trend[]; href: Href }): JSX.Element {
    const days = [...groups].sort((a, b) => (a[0] < b[0] ? -1 : 1)).slice(-MOST_DAYS);
    const first = days[0]![0];
    const last = days[days.length - 1]![0];
    const width = 100 / days.length;
    return (
        <div class="scroll" tabIndex={0} role="region" aria-label="Findings by day, as a table">
            <table class="grid-t">
                <thead>
                    <tr>
                        <th>Behaviour</th>
                        <th class="days">
                            <span>{first}</span>
                            <span>{last === first ? '' : last}</span>
                        </th>
                        <th class="num">Most</th>
                        <th class="num">Last</th>
                        <th class="num">Runs</th>
                    </tr>
                </thead>
                <tbody>
                    {rows.map(row => {
                        const shares = days.map(([day, n]) => (row.by.get(day) ?? 0) / n);
                        const most = Math.max(...shares);
                        const height = (share: number) => (share / (most || 1)) * 21;
                        return (
                            <tr key={row.kind + row.behavior}>
                                <Name row={row} href={href} />
                                <td class="days">
                                    <svg
                                        viewBox="0 0 100 22"
                                        preserveAspectRatio="none"
                                        role="img"
                                        aria-label={`${row.behavior}: ${percent(shares[0])} % of the runs of ${first}, ${percent(shares[shares.length - 1])} % of ${last}, at most ${percent(most)} %`}
                                    >
                                        {shares.map((share, i) => (
                                            <rect key={i} x={i * width + width * 0.1} width={width * 0.8} y={22 - height(share)} height={height(share)}>
                                                <title>{`${days[i]![0]}: ${percent(share)} %, ${num(row.by.get(days[i]![0]) ?? 0)} of ${count(days[i]![1], 'run')}`}</title>
                                            </rect>
                                        ))}
                                    </svg>
                                </td>
                                <td class="num">{percent(most)} %</td>
                                <td class="num">{percent(shares[shares.length - 1])} %</td>
                                <td class="num">{num(row.runs)}</td>
                            </tr>
                        );
                    })}
                </tbody>
            </table>
        </div>
    );
}
