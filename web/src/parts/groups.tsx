// Two groups drawn beside each other: marks, intervals, what changed, what one does that the other does not, sizes.
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { Rate } from '../api';
import {
    MEASURE_NAME,
    SIDES,
    SURE,
    chance,
    change,
    level,
    points,
    size,
    type Changed,
    type ComparedTask,
    type Comparison,
    type Contrasted,
    type Had,
    type Side,
    type Sizes,
} from '../compare';
import { DASH, count, num, percent } from '../format';
import { runPath } from '../router';
import { visible } from '../text';
import { KindMark } from './marks';

/** The first group is an open square, the second a full disc: told apart without colour. */
export function SideMark({ side }: { side: Side }): JSX.Element {
    return (
        <svg class={`gs gs-${side}`} viewBox="0 0 10 10" aria-hidden="true">
            {side === 'a' ? <rect x="1" y="1" width="8" height="8" /> : <circle cx="5" cy="5" r="4.5" />}
        </svg>
    );
}

const Dot = ({ side, x, y }: { side: Side; x: number; y: number }) =>
    side === 'a' ? <rect class="gs-a" x={x - 3.5} y={y - 3.5} width="7" height="7" /> : <circle class="gs-b" cx={x} cy={y} r="4" />;

/* ---- the outcome -------------------------------------------------------------------------------------------------------- */

/** A rate with its interval, from 0 to 100. */
export function RatePlot({ rate, side }: { rate: Rate | null; side: Side }): JSX.Element {
    const x = (v: number) => 5 + v * 190;
    return (
        <svg class="ratep" viewBox="0 0 200 14" aria-hidden="true">
            <path class="trk" d="M5 7H195" />
            {rate && (
                <>
                    <path class="rng" d={`M${x(rate.low)} 7H${x(rate.high)}`} />
                    <Dot side={side} x={x(rate.value)} y={7} />
                </>
            )}
        </svg>
    );
}

export type Which = 'wins' | 'losses' | 'ties';
const WHICH: Which[] = ['wins', 'ties', 'losses'];

/** The tasks where the second is better, the same, worse; each part a button that lists them. */
export function WinBar({
    outcome,
    names,
    current,
    choose,
}: {
    outcome: Comparison['outcome'];
    names: Record<Which, string>;
    current: Which | null;
    choose: (which: Which | null) => void;
}): JSX.Element {
    return (
        <div class="winbar" role="group" aria-label="Tasks by who is better">
            {WHICH.map(which => (
                <button
                    key={which}
                    type="button"
                    class={which}
                    style={{ flexGrow: outcome[which] }}
                    disabled={!outcome[which]}
                    aria-pressed={current === which}
                    onClick={() => choose(current === which ? null : which)}
                >
                    <i aria-hidden="true" />
                    <b>{num(outcome[which])}</b> <span>{names[which]}</span>
                </button>
            ))}
        </div>
    );
}

export const whichOf = (t: ComparedTask): Which | null => {
    const [known, other] = [t.a.passed + t.a.failed, t.b.passed + t.b.failed];
    if (!known || !other) return null;
    const gain = t.b.passed * known - t.a.passed * other;
    return gain > 0 ? 'wins' : gain < 0 ? 'losses' : 'ties';
};

export function TaskRows({
    tasks,
    href,
    labels,
}: {
    tasks: ComparedTask[];
    href: (task: string, side: Side) => string | null;
    labels: Record<Side, string>;
}): JSX.Element {
    return (
        <table class="grid-t cmp-tasks">
            <thead>
                <tr>
                    <th>Task</th>
                    {SIDES.map(side => (
                        <th class="num" key={side}>
                            <SideMark side={side} /> <span class="sr">{labels[side]} </span>passed
                        </th>
                    ))}
                    <th class="num">Points</th>
                </tr>
            </thead>
            <tbody>
                {tasks.map(task => (
                    <tr key={task.task_id}>
                        <td class="one" title={visible(task.task_id)}>
                            {visible(task.task_id)}
                        </td>
                        {SIDES.map(side => {
                            const { passed, failed, runs } = task[side];
                            const to = href(task.task_id, side);
                            const said = passed + failed ? `${passed} of ${passed + failed}` : DASH;
                            const label = `${labels[side]} on ${visible(task.task_id)}: ${said} passed, ${count(runs, 'run')}`;
                            return (
                                <td class="num" key={side}>
                                    {to ? (
                                        <a class="ink" href={to} aria-label={label}>
                                            {said}
                                        </a>
                                    ) : (
                                        said
                                    )}
                                </td>
                            );
                        })}
                        <td class="num">
                            {whichOf(task) == null
                                ? DASH
                                : points(
                                      task.b.passed / (task.b.passed + task.b.failed) -
                                          task.a.passed / (task.a.passed + task.a.failed),
                                  ).replace('.0', '')}
                        </td>
                    </tr>
                ))}
            </tbody>
        </table>
    );
}

/* ---- what changed ---------------------------------------------------------------------------------------------------------- */

/* Shares are drawn in points, measures as a part of what the first group has: each kind on one axis for all its rows. */
const scaled = (row: Changed, value: number | null) =>
    value == null ? null : row.what === 'measure' ? (row.a ? value / row.a : null) : value;

function reach(rows: Changed[], measure: boolean): number {
    const ends = rows
        .filter(row => (row.what === 'measure') === measure && row.adjusted < 1)
        .flatMap(row => [scaled(row, row.low), scaled(row, row.high)])
        .map(v => Math.abs(v ?? 0));
    return Math.min(measure ? 3 : 1, Math.max(0.02, ...ends));
}

function Shift({ row, most }: { row: Changed; most: number }): JSX.Element {
    const x = (v: number) => 100 + Math.max(-1, Math.min(1, v / most)) * 92;
    const [low, at, high] = [row.low, row.difference, row.high].map(v => scaled(row, v));
    return (
        <svg class="shift" viewBox="0 0 200 16" aria-hidden="true">
            <path class="trk" d="M8 8H192" />
            <path class="zero" d="M100 1V15" />
            {low != null && high != null && at != null && (
                <>
                    <path class="rng" d={`M${x(low)} 8H${x(high)}`} />
                    <circle class="gs-b" cx={x(at)} cy="8" r="3.5" />
                </>
            )}
        </svg>
    );
}

export function ChangedTable({
    rows,
    labels,
    href,
}: {
    rows: Changed[];
    labels: Record<Side, string>;
    href: (row: Changed, side: Side) => string | null;
}): JSX.Element {
    const sure = rows.filter(row => row.adjusted < SURE);
    const [all, setAll] = useState(false);
    const shown = all ? rows : sure;
    const most = { shares: reach(rows, false), measures: reach(rows, true) };
    return (
        <>
            {!!shown.length && (
                <table class="grid-t changed-t">
                    <thead>
                        <tr>
                            <th>What</th>
                            {SIDES.map(side => (
                                <th class="num w-s" key={side}>
                                    <SideMark side={side} /> <span class="sr">{labels[side]}</span>
                                </th>
                            ))}
                            <th class="num w-d">Change</th>
                            <th class="w-p">
                                <span class="axis" aria-hidden="true">
                                    <span>less</span>
                                    <span>more</span>
                                </span>
                                <span class="sr">Change with its interval</span>
                            </th>
                            <th class="num w-i">95 % interval</th>
                            <th class="num w-q" title="Adjusted for the number of rows (Benjamini and Hochberg)">
                                P
                            </th>
                        </tr>
                    </thead>
                    <tbody>
                        {shown.map(row => (
                            <tr key={row.what + row.name} class={row.adjusted < SURE ? undefined : 'dim'}>
                                <td>
                                    <span class="mk">
                                        {row.kind && <KindMark kind={row.kind} label />}
                                        <span class="one" title={visible(row.name)}>
                                            {row.what === 'measure' ? MEASURE_NAME[row.name] : visible(row.name)}
                                        </span>
                                        <small class="dim">
                                            {row.what === 'behavior' ? '% of runs' : row.what === 'exit_status' ? 'exit, % of runs' : ''}
                                        </small>
                                    </span>
                                </td>
                                {SIDES.map(side => {
                                    const to = row.what === 'measure' ? null : href(row, side);
                                    const value = level(row, row[side]);
                                    const runs = side === 'a' ? row.runs_a : row.runs_b;
                                    return (
                                        <td class="num" key={side} data-l={side === 'a' ? 'first' : 'second'}>
                                            {to && runs ? (
                                                <a
                                                    class="ink"
                                                    href={to}
                                                    title={count(runs, 'run')}
                                                    aria-label={`${visible(row.name)}, ${labels[side]}: ${value} %, ${count(runs, 'run')}`}
                                                >
                                                    {value}
                                                </a>
                                            ) : (
                                                value
                                            )}
                                        </td>
                                    );
                                })}
                                <td class="num strong">{change(row)}</td>
                                <td class="plotc">
                                    <Shift row={row} most={row.what === 'measure' ? most.measures : most.shares} />
                                </td>
                                <td class="num sub">
                                    {row.low == null || row.high == null
                                        ? DASH
                                        : `${change({ ...row, difference: row.low })} to ${change({ ...row, difference: row.high })}`}
                                </td>
                                <td class="num" data-l="P">
                                    {chance(row.adjusted)}
                                </td>
                            </tr>
                        ))}
                    </tbody>
                </table>
            )}
            {!shown.length && <p class="none-yet">Nothing changed that could not be chance.</p>}
            {rows.length > sure.length && (
                <footer>
                    <button class="more" type="button" aria-expanded={all} onClick={() => setAll(!all)}>
                        {all ? 'Hide' : 'Show'} {count(rows.length - sure.length, 'row')} that could be chance
                    </button>
                </footer>
            )}
        </>
    );
}

/* ---- what one does that the other does not --------------------------------------------------------------------------------- */

/** Two shares of runs on one line, in figures too, and how likely chance is. */
function Shares({ of, labels }: { of: { a: number; b: number; p: number }; labels: Record<Side, string> }): JSX.Element {
    const x = (v: number) => 6 + v * 188;
    return (
        <>
            <svg class="dumb" viewBox="0 0 200 16" aria-hidden="true">
                <path class="trk" d="M6 8H194" />
                <path class="rng" d={`M${x(of.a)} 8H${x(of.b)}`} />
                <Dot side="a" x={x(of.a)} y={8} />
                <Dot side="b" x={x(of.b)} y={8} />
            </svg>
            {SIDES.map(side => (
                <span class="num" key={side}>
                    {percent(of[side], 0)}
                    <span class="sr"> % of {labels[side]}</span>
                </span>
            ))}
            <span class="num dim">{chance(of.p)}</span>
        </>
    );
}

export function ContrastChart({
    had,
    items,
    labels,
    href,
}: {
    had: Had[];
    items: Contrasted[];
    labels: Record<Side, string>;
    href: (side: Side, more: Record<string, string>) => string | null;
}): JSX.Element {
    const [open, setOpen] = useState<string | null>(null);
    return (
        <ul class="contrast">
            {had.map(row => {
                const [more, less]: [Side, Side] = row.b > row.a ? ['b', 'a'] : ['a', 'b'];
                return (
                    <li key={row.what + row.name}>
                        {/* Of all other runs there is no list: then those of the group that has a name. */}
                        <a class="had" href={href(more, row.more) ?? href(less, row.more) ?? undefined} title="Open the runs">
                            <span class="mk">
                                {row.kind && <KindMark kind={row.kind} label />}
                                <span class="one">{visible(row.name)}</span>
                            </span>
                            <Shares of={row} labels={labels} />
                        </a>
                    </li>
                );
            })}
            {items.map(item => {
                const more: Side = item.b > item.a ? 'b' : 'a';
                return (
                    <li key={item.actions}>
                        <button
                            type="button"
                            aria-expanded={open === item.actions}
                            onClick={() => setOpen(open === item.actions ? null : item.actions)}
                        >
                            <code class="one" title={visible(item.actions)}>
                                {visible(item.actions)}
                            </code>
                            <Shares of={item} labels={labels} />
                        </button>
                        {open === item.actions && (
                            <ol class="shown-runs">
                                {item.shown.map(at => (
                                    <li key={at.run}>
                                        <a
                                            href={runPath(at.run, { transcript: at.transcript, message: at.message })}
                                            title="Open the run there"
                                        >
                                            <SideMark side={more} />
                                            <samp class="one">{visible(at.quote)}</samp>
                                            <span class="place">M{at.message}</span>
                                        </a>
                                    </li>
                                ))}
                            </ol>
                        )}
                    </li>
                );
            })}
        </ul>
    );
}

/* ---- sizes ----------------------------------------------------------------------------------------------------------------- */

/** Shares of each group's runs by size, as two outlines over one another. */
export function SizePlot({ sizes, labels }: { sizes: Sizes; labels: Record<Side, string> }): JSX.Element {
    const total = { a: sizes.a.reduce((s, n) => s + n, 0), b: sizes.b.reduce((s, n) => s + n, 0) };
    const share = (side: Side) => sizes[side].map(n => (total[side] ? n / total[side] : 0));
    const most = Math.max(0.01, ...share('a'), ...share('b'));
    const bins = sizes.a.length;
    const x = (i: number) => (i / bins) * 240;
    const y = (v: number) => 64 - (v / most) * 58;
    const outline = (side: Side) =>
        'M0 64' +
        share(side)
            .map((v, i) => `V${y(v).toFixed(1)}H${x(i + 1).toFixed(1)}`)
            .join('') +
        'V64';
    const middle = (side: Side) => {
        let left = total[side] / 2;
        const at = sizes[side].findIndex(n => (left -= n) <= 0);
        return at < 0 ? null : Math.sqrt(sizes.edges[at]! * sizes.edges[at + 1]!);
    };
    const name = MEASURE_NAME[sizes.measure] ?? sizes.measure;
    const said = SIDES.map(side => `${labels[side]} about ${size(sizes.measure, middle(side))}`).join(', ');
    return (
        <figure class="sizep">
            <figcaption>{name[0]!.toUpperCase() + name.slice(1)}</figcaption>
            <svg viewBox="0 0 240 66" role="img" aria-label={`${name}: half of the runs have at most ${said}`}>
                <path class="ga" d={outline('a')} />
                <path class="gb" d={outline('b')} />
                <path class="ax" d="M0 64.5H240" />
            </svg>
            <div class="ends">
                <span>{size(sizes.measure, sizes.edges[0]!)}</span>
                <span>{size(sizes.measure, sizes.edges[bins]!)}</span>
            </div>
        </figure>
    );
}
