// The map: every run a point, those that do and say alike near one another; coloured by anything, and a line drawn round some selects them.
import type { JSX } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { api, type Job, type Run } from '../api';
import { fieldName, valueNames } from '../compare';
import { RUN_KEYS, askedOf, listItem } from '../filter';
import { OUTCOME_NAME, count, num, outcome, percent, runLabel, time } from '../format';
import { useKeys } from '../keys';
import { lists, type FieldInfo } from '../lists';
import { OutcomeMark } from '../parts/marks';
import { Plane, type Tool } from '../parts/plane';
import { FailedPage, Failure, toast, toastError } from '../parts/say';
import { Shell, useCollection } from '../parts/shell';
import { collectionPath, go, runPath, usePlace, withQuery } from '../router';
import { cellsOf, fit, groupsOf, mapping, type Group, type MapAxis, type RunMap, type View } from '../runmap';
import { visible } from '../text';
import { useRows } from '../rows';
import { may } from '../session';
import { asApiError, useAsk, useKept, useTitle } from '../use';

export function MapPage({ name }: { name: string }): JSX.Element {
    useTitle(`Map of ${name}`);
    const { query } = usePlace();
    const collection = useCollection(name);
    const field = query.get('field') ?? 'model';
    const params = askedOf(query, RUN_KEYS);
    params.set('field', field);
    const fields = useAsk('fields ' + name, signal => lists.fields(name, signal));
    const map = useAsk(`map ${name} ${params}`, signal => mapping.map(name, params, signal));
    // Coloured by something else it is the same map: place and selection stay while the colours come.
    const shown = useKept(map.data);
    const none = shown?.made_at === null;
    const empty = collection?.runs === 0;
    const drawing = useDrawing(name, shown?.stale === true && !empty && may('review'), map.again);
    if (map.error && !map.data)
        return (
            <Shell>
                <FailedPage error={map.error} again={map.again} />
            </Shell>
        );
    return (
        <Shell collection={collection} name={name} tab="map">
            <main id="main" class="mapp">
                <h1 class="sr">Map of the runs of {name}</h1>
                {drawing.failed && (
                    <Failure error={drawing.failed} again={drawing.again} what="The map could not be drawn." />
                )}
                {none && !drawing.failed && (
                    <section class="panel pad">
                        <p>
                            <b>{empty ? 'There are no runs to draw.' : may('review') ? 'The map is being drawn.' : 'The map is not drawn yet.'}</b>{' '}
                            <span class="sub">
                                {empty
                                    ? 'Import some, then come back.'
                                    : may('review')
                                      ? 'Runs are compared by what they do and what their agents write; this is kept until the collection changes.'
                                      : 'Somebody whose token has the scope review has it drawn by opening this page.'}
                            </span>
                        </p>
                        {drawing.job && <Progress job={drawing.job} />}
                    </section>
                )}
                {shown?.made_at && (
                    <Drawn
                        key={shown.made_at}
                        map={shown}
                        field={field}
                        fields={fields.data?.items ?? []}
                        name={name}
                        collection={collection ?? { id: name, name }}
                        redrawing={drawing.job}
                        filters={askedOf(query, RUN_KEYS)}
                    />
                )}
            </main>
        </Shell>
    );
}

/** Has the map drawn where there is none or an old one, once a visit, and looks again when it is done. */
function useDrawing(name: string, wanted: boolean, done: () => void) {
    const [job, setJob] = useState<Job | null>(null);
    const [failed, setFailed] = useState<ReturnType<typeof asApiError> | null>(null);
    const [turn, setTurn] = useState(0);
    const begun = useRef(-1);
    useEffect(() => {
        if (!wanted || begun.current === turn) return;
        begun.current = turn;
        const stop = new AbortController();
        void (async () => {
            try {
                setFailed(null);
                let now = await mapping.draw(name);
                while (now.state === 'queued' || now.state === 'running') {
                    setJob(now);
                    now = await mapping.job(now.id, stop.signal);
                }
                setJob(null);
                if (now.state !== 'done') throw new Error(now.error ?? 'It was cancelled.');
                done();
            } catch (e) {
                if (!stop.signal.aborted) setFailed(asApiError(e));
            }
        })();
        return () => stop.abort();
    }, [wanted, turn]);
    return { job, failed, again: () => setTurn(n => n + 1) };
}

function Progress({ job }: { job: Job }): JSX.Element {
    const { runs, total } = (job.progress ?? {}) as { runs?: number; total?: number };
    return (
        <p class="dim" role="status">
            {runs != null && total ? `${num(runs)} of ${num(total)} runs placed` : 'Looking for what tells the runs apart …'}
        </p>
    );
}

/* ---- the map -------------------------------------------------------------------------------------------------------------- */

function Drawn({
    map,
    field,
    fields,
    name,
    collection,
    redrawing,
    filters,
}: {
    map: RunMap;
    field: string;
    fields: FieldInfo[];
    name: string;
    collection: { id: string; name: string };
    redrawing: Job | null;
    filters: URLSearchParams;
}): JSX.Element {
    const grouped = useMemo(() => groupsOf(map), [map]);
    const [view, setView] = useState<View>(() => fit(map, grouped.of));
    const [tool, setTool] = useState<Tool>('select');
    const [hidden, setHidden] = useState<ReadonlySet<number>>(new Set());
    const [selected, setSelected] = useState<ReadonlySet<number> | null>(null);
    const [over, setOver] = useState<{ point: number; x: number; y: number } | null>(null);
    useEffect(() => setHidden(new Set()), [map.field]);
    const select = (points: number[], add: boolean) => {
        const next = new Set([...(add ? (selected ?? []) : []), ...points]);
        setSelected(next.size ? next : null);
    };
    const zoom = (by: number) => {
        const width = Math.min(6, Math.max(1e-3, view.width * by));
        const height = view.height * (width / view.width);
        setView({ left: view.left + (view.width - width) / 2, top: view.top - (view.height - height) / 2, width, height });
    };
    const pan = (x: number, y: number) =>
        setView({ ...view, left: view.left + x * view.width * 0.15, top: view.top + y * view.height * 0.15 });
    useKeys('Map', [
        { key: 's', does: 'draw round runs to select them', run: () => setTool('select') },
        { key: 'm', does: 'move the map', run: () => setTool('move') },
        { key: '+', does: 'closer', run: () => zoom(0.7) },
        { key: '-', does: 'farther', run: () => zoom(1 / 0.7) },
        { key: '0', does: 'the whole map', run: () => setView(fit(map, grouped.of)) },
        { key: 'ArrowLeft', does: 'left, right, up, down', run: () => pan(-1, 0) },
        { key: 'ArrowRight', does: '', run: () => pan(1, 0) },
        { key: 'ArrowUp', does: '', run: () => pan(0, 1) },
        { key: 'ArrowDown', does: '', run: () => pan(0, -1) },
        ...(selected ? [{ key: 'Escape', does: 'clear the selection', run: () => setSelected(null) }] : []),
    ]);
    const shown = useMemo(() => map.shown.reduce<number>((sum, s) => sum + s, 0), [map]);
    // Not once for every move of the pointer: there may be a hundred thousand points.
    const cells = useMemo(
        () => cellsOf(map, grouped.of, hidden, view).map(cell => ({ ...cell, mostly: mostly(cell.points, grouped.of, grouped.groups) })),
        [map, grouped, hidden, view],
    );
    return (
        <div class="map-grid">
            <section class="panel map-panel" aria-label="Map">
                <header>
                    <label>
                        Colour by{' '}
                        <select value={field} onChange={e => go(withQuery({ field: e.currentTarget.value }))}>
                            <FieldOptions fields={fields} field={field} />
                        </select>
                    </label>
                    <span class="dim">
                        {count(shown, 'run')}
                        {redrawing ? ', being drawn anew' : map.stale ? `, as of ${time(map.made_at)}` : ''}
                    </span>
                    {[...filters].map(([key, value]) => (
                        <a key={key} class="chip" href={withQuery({ [key]: null })} aria-label={`Without ${key}: ${visible(value)}`}>
                            {fieldName(key)}: {visible(valueNames(key, value))} <small aria-hidden="true">×</small>
                        </a>
                    ))}
                    <span class="end tools" role="group" aria-label="Tools">
                        {(['select', 'move'] as const).map(t => (
                            <button key={t} class="btn" type="button" aria-pressed={tool === t} onClick={() => setTool(t)}>
                                {t === 'select' ? 'Select' : 'Move'}
                            </button>
                        ))}
                        <button class="btn" type="button" aria-label="Farther" title="Farther (-)" onClick={() => zoom(1 / 0.7)}>
                            −
                        </button>
                        <button class="btn" type="button" aria-label="Closer" title="Closer (+)" onClick={() => zoom(0.7)}>
                            +
                        </button>
                        <button class="btn" type="button" title="All but the farthest hundredth (0)" onClick={() => setView(fit(map, grouped.of))}>
                            Fit
                        </button>
                        <button class="btn" type="button" title="Every point" onClick={() => setView(fit(map, grouped.of, true))}>
                            All
                        </button>
                    </span>
                </header>
                <div class="plane-box">
                    <Plane
                        map={map}
                        grouped={grouped}
                        hidden={hidden}
                        selected={selected}
                        view={view}
                        setView={setView}
                        tool={tool}
                        select={select}
                        hover={(point, x, y) => setOver(point == null ? null : { point, x, y })}
                        label={`${count(shown, 'run')} as points, coloured by ${fieldName(map.field)}. The parts with most runs are listed beside it.`}
                    />
                    <Axes axes={map.about?.axes ?? []} />
                    {over && <HoverCard run={map.runs[over.point]!} group={grouped.groups[grouped.of[over.point]!]} x={over.x} y={over.y} name={name} />}
                </div>
                <footer>
                    Near: alike in the actions they take in a row and the words their agents write
                    {map.about?.contrastive
                        ? `, as far as attempts at one task agree on them (${percent(map.about?.axes[0]?.agreement, 0)} % across, ${percent(map.about?.axes[1]?.agreement, 0)} % up)`
                        : '; no task has several attempts, so it is the plain spread of the runs'}
                    . Directions have no unit, and two runs that touch may still differ in what two directions cannot show.
                </footer>
            </section>
            <aside class="map-side">
                <Legend groups={grouped.groups} field={map.field} hidden={hidden} setHidden={setHidden} pick={g => select(pointsOf(grouped.of, g), false)} />
                <SelectionPanel
                    map={map}
                    points={selected}
                    groups={grouped.groups}
                    of={grouped.of}
                    name={name}
                    collection={collection}
                    clear={() => setSelected(null)}
                />
                <section class="panel" aria-label="Parts with most runs">
                    <header>
                        <h2>Parts with most runs</h2>
                        <span class="dim">in view</span>
                    </header>
                    <ul class="cells">
                        {cells.map(cell => (
                            <li key={cell.name}>
                                <button type="button" onClick={() => select(cell.points, false)}>
                                    <span>{cell.name}</span>
                                    <span class="dim one">{cell.mostly}</span>
                                    <span class="num">{num(cell.points.length)}</span>
                                </button>
                            </li>
                        ))}
                    </ul>
                </section>
            </aside>
        </div>
    );
}

const pointsOf = (of: Uint8Array, group: number) => [...of.keys()].filter(i => of[i] === group);

function mostly(points: number[], of: Uint8Array, groups: Group[]): string {
    const counts = new Map<number, number>();
    for (const i of points) counts.set(of[i]!, (counts.get(of[i]!) ?? 0) + 1);
    const [most] = [...counts].sort((a, b) => b[1] - a[1]);
    return most ? `${Math.round((100 * most[1]) / points.length)} % ${visible(groups[most[0]]!.label)}` : '';
}

const FIRST = ['model', 'success', 'task', 'agent', 'exit_status', 'format', 'kind', 'behavior', 'messages', 'calls', 'tokens', 'cost', 'duration'];

function FieldOptions({ fields, field }: { fields: FieldInfo[]; field: string }): JSX.Element {
    const usable = fields.filter(f => f.type !== 'time' && f.values > 1);
    const rank = (f: FieldInfo) => (FIRST.includes(f.field) ? FIRST.indexOf(f.field) : FIRST.length);
    const sorted = [...usable].sort((a, b) => rank(a) - rank(b) || b.runs - a.runs);
    return (
        <>
            {!sorted.some(f => f.field === field) && <option value={field}>{fieldName(field)}</option>}
            {sorted.map(f => (
                <option key={f.field} value={f.field}>
                    {fieldName(f.field)}
                </option>
            ))}
        </>
    );
}

/** What stands at the ends of the axes: the few features whose runs lie farthest out. */
function Axes({ axes }: { axes: MapAxis[] }): JSX.Element {
    const few = (words: string[]) =>
        words
            .filter((w, i) => !words.slice(0, i).some(before => w.includes(before)))
            .slice(0, 3)
            .map(visible)
            .join(', ');
    const [across, up] = axes;
    return (
        <>
            {across && (
                <>
                    <span class="axis-end left one">← {few(across.low)}</span>
                    <span class="axis-end right one">→ {few(across.high)}</span>
                </>
            )}
            {up && (
                <>
                    <span class="axis-end upper one">↑ {few(up.high)}</span>
                    <span class="axis-end lower one">↓ {few(up.low)}</span>
                </>
            )}
        </>
    );
}

function HoverCard({ run, group, x, y, name }: { run: string; group: Group | undefined; x: number; y: number; name: string }): JSX.Element {
    const [asked, setAsked] = useState<string | null>(null);
    useEffect(() => {
        const timer = setTimeout(() => setAsked(run), 60);
        return () => clearTimeout(timer);
    }, [run]);
    const { data } = useAsk(asked === run ? `run in brief ${run}` : null, signal => api.runs(name, { run, limit: 1 }, signal));
    const row = data?.items[0];
    const card = useRef<HTMLDivElement>(null);
    useEffect(() => {
        const parent = card.current!.parentElement!;
        const left = x + 16 + 280 > parent.clientWidth ? x - 16 - 280 : x + 16;
        card.current!.style.left = `${Math.max(4, left)}px`;
        card.current!.style.top = `${Math.min(Math.max(4, y - 20), parent.clientHeight - 110)}px`;
    }, [x, y]);
    return (
        <div class="hover-card" ref={card} aria-hidden="true">
            {row ? (
                <>
                    <b class="one">{visible(runLabel(row))}</b>
                    <span class="one">
                        <OutcomeMark success={row.success} /> {OUTCOME_NAME[outcome(row.success)]}
                        {row.task_id && <> · {visible(row.task_id)}</>}
                    </span>
                    {group && <span class="one sub">{visible(group.label)}</span>}
                    {row.gist && <span class="gist sub">{visible(row.gist)}</span>}
                </>
            ) : (
                <span class="sub">{group ? visible(group.label) : '…'}</span>
            )}
        </div>
    );
}

/* ---- beside it ------------------------------------------------------------------------------------------------------------- */

function Legend({
    groups,
    field,
    hidden,
    setHidden,
    pick,
}: {
    groups: Group[];
    field: string;
    hidden: ReadonlySet<number>;
    setHidden: (hidden: ReadonlySet<number>) => void;
    pick: (group: number) => void;
}): JSX.Element {
    const toggle = (g: number) => {
        const next = new Set(hidden);
        if (!next.delete(g)) next.add(g);
        setHidden(next);
    };
    return (
        <section class="panel" aria-label="Colours">
            <header>
                <h2>{fieldName(field)[0]!.toUpperCase() + fieldName(field).slice(1)}</h2>
                {hidden.size > 0 && (
                    <button class="more end" type="button" onClick={() => setHidden(new Set())}>
                        Show all
                    </button>
                )}
            </header>
            <ul class="legend-list">
                {groups.map((group, g) =>
                    group.n ? (
                        <li key={g}>
                            <label class={hidden.has(g) ? 'off' : undefined}>
                                <input type="checkbox" checked={!hidden.has(g)} onChange={() => toggle(g)} />
                                <Swatch colour={group.colour} />
                                <span class="one" title={visible(group.label)}>
                                    {visible(group.label)}
                                </span>
                            </label>
                            <button
                                class="more num"
                                type="button"
                                title="Select these"
                                aria-label={`Select ${count(group.n, 'run')}: ${visible(group.label)}`}
                                onClick={() => pick(g)}
                            >
                                {num(group.n)}
                            </button>
                        </li>
                    ) : null,
                )}
            </ul>
        </section>
    );
}

function Swatch({ colour }: { colour: string | number }): JSX.Element {
    const fill =
        typeof colour === 'string' ? `var(${colour})` : `color-mix(in srgb, var(--accent) ${Math.round(20 + 80 * colour)}%, var(--line-2))`;
    return (
        <svg class="swatch" viewBox="0 0 10 10" aria-hidden="true">
            <circle cx="5" cy="5" r="4.5" style={{ fill }} />
        </svg>
    );
}

const LISTED = 100; /* runs that are asked for at once */
/** As many ids as the server takes at a time. */
const AT_ONCE = 10_000;

function SelectionPanel({
    map,
    points,
    groups,
    of,
    name,
    collection,
    clear,
}: {
    map: RunMap;
    points: ReadonlySet<number> | null;
    groups: Group[];
    of: Uint8Array;
    name: string;
    collection: { id: string; name: string };
    clear: () => void;
}): JSX.Element {
    const [tag, setTag] = useState('');
    const [tagged, setTagged] = useState<string | null>(null);
    const ids = useMemo(() => [...(points ?? [])].map(i => map.runs[i]!), [points, map]);
    const mainly = useMemo(() => mostly([...(points ?? [])], of, groups), [points, of, groups]);
    useEffect(() => setTagged(null), [points]);
    const rows = useRows<Run>(`map ${ids.join()}`, async ({ after }, signal) => {
        const from = Number(after ?? 0);
        const some = ids.slice(from, from + LISTED);
        if (!some.length) return { items: [], next: null, total: 0 };
        const { items } = await api.runs(name, { run: some.join(), limit: LISTED }, signal);
        return { items, next: from + LISTED < ids.length ? String(from + LISTED) : null, total: ids.length };
    });
    const give = async () => {
        const text = tag.trim();
        if (!text) return;
        try {
            let changed = 0;
            for (let from = 0; from < ids.length; from += AT_ONCE)
                changed += (await api.tag({ ids: ids.slice(from, from + AT_ONCE) }, text)).changed;
            setTagged(text);
            toast(`${count(changed, 'run')} tagged ${text}`);
        } catch (e) {
            toastError('The runs could not be tagged.', asApiError(e));
        }
    };
    const open = points && ids.length > 0;
    return (
        <section class="panel selection-panel" aria-label="Selection">
            <header>
                <h2 aria-live="polite">{open ? `${count(ids.length, 'run')} selected` : 'Selection'}</h2>
                {open && (
                    <button class="more end" type="button" onClick={clear}>
                        Clear
                    </button>
                )}
            </header>
            {open ? (
                <>
                    <p class="mostly dim">{mainly}</p>
                    <form
                        class="tag-form"
                        onSubmit={event => {
                            event.preventDefault();
                            void give();
                        }}
                    >
                        <div class="input">
                            <input
                                aria-label="Tag for the selected runs"
                                placeholder="tag them"
                                maxLength={200}
                                value={tag}
                                onInput={event => setTag(event.currentTarget.value)}
                            />
                        </div>
                        <button class="btn" type="submit" disabled={!tag.trim()} title={tag.trim() ? undefined : 'Write a tag first'}>
                            Tag
                        </button>
                    </form>
                    {tagged && (
                        <p class="tagged">
                            <a href={collectionPath(collection, 'runs') + '?' + new URLSearchParams({ tag: listItem(tagged) })}>List them</a>
                            <a href={collectionPath(collection, 'compare') + '?' + new URLSearchParams({ by: 'tag', a: listItem(tagged) })}>
                                Compare with the others
                            </a>
                        </p>
                    )}
                    <ul class="picked">
                        {rows.items.map(run => (
                            <PickedRun key={run.id} run={run} />
                        ))}
                    </ul>
                    {rows.next && (
                        <footer>
                            <span>
                                {num(rows.items.length)} of {num(ids.length)} listed
                            </span>
                            <button class="btn" type="button" disabled={rows.loading} onClick={() => rows.want(rows.items.length)}>
                                List more
                            </button>
                        </footer>
                    )}
                </>
            ) : (
                <p class="none-yet">Draw round some points, or choose a colour or a part of the map.</p>
            )}
        </section>
    );
}

function PickedRun({ run }: { run: Run }): JSX.Element {
    return (
        <li>
            <a href={runPath(run.id)}>
                <OutcomeMark success={run.success} label />
                <span class="one">{visible(runLabel(run))}</span>
                <span class="one dim">{visible(run.task_id ?? '')}</span>
            </a>
        </li>
    );
}
