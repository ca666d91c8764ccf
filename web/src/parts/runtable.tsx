// Runs as a table that draws only the rows in view; at 390 px as cards.
import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import type { Run } from '../api';
import { count, num, runLabel } from '../format';
import { withQuery } from '../router';
import type { Rows } from '../rows';
import { useInView, useNarrow } from '../use';
import type { Column } from './columns';
import { Gap } from './gap';
import { toast } from './say';

export function RunTable({
    rows,
    columns,
    sort,
    cursor,
    selected,
    all,
    toggle,
    select,
    selectAll,
    clear,
}: {
    rows: Rows<Run>;
    columns: Column[];
    sort: string;
    cursor: number;
    selected: ReadonlySet<string>;
    /** All that the filter names are selected, loaded or not. */
    all: boolean;
    toggle: (id: string) => void;
    select: (ids: ReadonlySet<string>) => void;
    selectAll: () => void;
    clear: () => void;
}): JSX.Element {
    const narrow = useNarrow();
    const height = narrow ? 124 : 28;
    const total = Math.max(rows.total ?? 0, rows.items.length);
    const offsets = useMemo(() => Float64Array.from({ length: total + 1 }, (_, i) => i * height), [total, height]);
    const body = useRef<HTMLTableSectionElement>(null);
    const [from, until] = useInView(body, offsets);
    // Other rows begin at the top.
    const before = useRef(rows.key);
    useLayoutEffect(() => {
        const scroller = body.current?.closest<HTMLElement>('.dense-x');
        if (before.current !== rows.key && scroller) scroller.scrollTop = 0;
        before.current = rows.key;
    }, [rows.key]);
    useEffect(() => rows.want(until, from), [from, until, rows.key, rows.total]);
    useEffect(() => {
        const scroller = body.current?.closest<HTMLElement>('.dense-x');
        if (!scroller || narrow || !rows.items.length) return;
        const top = cursor * height;
        if (top < scroller.scrollTop) scroller.scrollTop = top;
        else if (top + height * 2 > scroller.scrollTop + scroller.clientHeight)
            scroller.scrollTop = top + height * 2 - scroller.clientHeight;
    }, [cursor]);
    const last = useRef(0);
    const click = (event: MouseEvent, i: number) => {
        if (event.shiftKey) {
            const [a, b] = [Math.min(i, last.current), Math.max(i, last.current)];
            const between = rows.items.slice(a, b + 1).flatMap(run => run.id);
            select(new Set([...selected, ...between]));
            if (between.length <= b - a)
                toast(`${count(between.length, 'run')} of the ${num(b - a + 1)} between are selected: the others have not been looked at`);
        } else {
            toggle(rows.items[i]!.id);
        }
        last.current = i;
    };
    const loaded = rows.items;
    return (
        <div class="dense-x" tabIndex={narrow ? undefined : 0} role="region" aria-label="Runs">
            <table class="dense" aria-label="Runs" aria-rowcount={total + 1} aria-busy={rows.loading}>
                <thead>
                    <tr>
                        <th class="w-c">
                            <input
                                type="checkbox"
                                aria-label="Select all runs of this list"
                                checked={all}
                                indeterminate={!all && selected.size > 0}
                                disabled={!loaded.length || rows.stale}
                                onChange={event => (event.currentTarget.checked ? selectAll() : clear())}
                            />
                        </th>
                        {columns.map(column => (
                            <Head key={column.id} column={column} sort={sort} />
                        ))}
                    </tr>
                </thead>
                <tbody ref={body} inert={rows.stale}>
                    {from > 0 && <Gap rows={from} height={height} />}
                    {Array.from({ length: until - from }, (_, k) => {
                        const i = from + k;
                        const run = loaded[i];
                        if (!run)
                            return (
                                <tr key={i} class="row" aria-rowindex={i + 2}>
                                    <td colSpan={columns.length + 1} class="dim">
                                        …
                                    </td>
                                </tr>
                            );
                        return (
                            <tr
                                key={run.id}
                                aria-rowindex={i + 2}
                                class={`row${all || selected.has(run.id) ? ' sel' : ''}${i === cursor ? ' cur' : ''}`}
                            >
                                <td class="hide">
                                    <input
                                        type="checkbox"
                                        aria-label={`Select ${runLabel(run)}`}
                                        checked={all || selected.has(run.id)}
                                        onClick={event => click(event, i)}
                                    />
                                </td>
                                {columns.map(column => (
                                    <td key={column.id} class={column.cls} title={titleOf(column, run)}>
                                        {column.cell(run)}
                                    </td>
                                ))}
                            </tr>
                        );
                    })}
                    {until < total && <Gap rows={total - until} height={height} />}
                </tbody>
            </table>
            {!rows.loading && !loaded.length && !rows.error && (
                <p class="none-yet">
                    No run is like that. <a href={location.pathname}>Show all runs</a>
                </p>
            )}
        </div>
    );
}

function titleOf(column: Column, run: Run): string | undefined {
    const text = column.text(run);
    return column.id === 'outcome' || column.id === 'findings' || text == null ? undefined : String(text);
}

function Head({ column, sort }: { column: Column; sort: string }): JSX.Element {
    const num = column.cls?.includes('num') ? ' num' : '';
    const opt = column.cls?.includes('opt') ? ' opt' : '';
    if (!column.sort) return <th class={column.w + num + opt}>{column.title}</th>;
    const up = sort === column.sort;
    const down = sort === '-' + column.sort;
    // The first click on a column of counts shows the most, on a column of words the start of the alphabet.
    const most = ['success', 'name', 'task', 'model', 'attempt'].includes(column.sort) ? column.sort : '-' + column.sort;
    const next = up || down ? ((up && most === sort) || (down && most === sort) ? (up ? '-' : '') + column.sort : '') : most;
    return (
        <th class={column.w + num + opt} aria-sort={up ? 'ascending' : down ? 'descending' : undefined}>
            <a href={withQuery({ sort: next })}>
                {column.title}
                {up ? ' ↑' : down ? ' ↓' : ''}
            </a>
        </th>
    );
}
