// Runs as a table, and what can be done with those selected or with all that the filter names.
import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { api, type Run } from '../api';
import { count, num } from '../format';
import { useKeys } from '../keys';
import { setLabelling } from '../labelling';
import { go, runPath } from '../router';
import type { Rows } from '../rows';
import { asApiError } from '../use';
import type { Column } from './columns';
import { DeleteDialog } from './deleteruns';
import { lazy } from './lazy';
import { RunTable } from './runtable';
import { toast, toastError } from './say';
import { SelectionBar } from './selection';

/** Runs by their ids, or all of a collection that a filter names. */
export type Which = { ids: string[] } | { filter: URLSearchParams };

/** What the head of a list offers for all that the filter names. */
export interface ForAll {
    judge: () => void;
    label: () => void;
    select: () => void;
}

const JudgeDialog = lazy(() => import('../later').then(m => m.JudgeDialog), true);

const NONE: ReadonlySet<string> = new Set();

export function RunList({
    collection,
    filter,
    filtered,
    rows,
    columns,
    sort,
    head,
    changed,
}: {
    collection: string;
    /** What the server was asked, without order and page. */
    filter: URLSearchParams;
    /** It leaves some runs of the collection out. */
    filtered: boolean;
    rows: Rows<Run>;
    columns: Column[];
    sort: string;
    head?: (all: ForAll) => ComponentChildren;
    /** Runs were deleted or tagged. */
    changed?: () => void;
}): JSX.Element {
    const [selected, setSelected] = useState(NONE);
    const [all, setAll] = useState(false);
    const [cursor, setCursor] = useState(0);
    const [dialog, setDialog] = useState<{ does: 'judge' | 'delete'; which: Which; n: number | null; filtered: boolean } | null>(null);
    const total = rows.total ?? rows.items.length;
    const asked = filter.toString();
    useEffect(() => {
        setCursor(0);
        setAll(false);
    }, [asked, sort]);

    const clear = () => {
        setSelected(NONE);
        setAll(false);
    };
    const select = (ids: ReadonlySet<string>) => {
        setSelected(ids);
        setAll(false);
    };
    const toggle = (id: string) => {
        // One taken out of all: what is left is what the page has loaded of them.
        const next = new Set(all ? rows.items.flatMap(run => run.id) : selected);
        if (!next.delete(id)) next.add(id);
        select(next);
    };
    const move = (step: number) => setCursor(at => Math.max(0, Math.min((total ?? rows.items.length) - 1, at + step)));
    const ask = (does: 'judge' | 'delete', of: Which, n: number) => setDialog({ does, which: of, n, filtered });
    const again = () => {
        rows.again();
        changed?.();
    };
    const pickAll = () => rows.items.length && !rows.stale && setAll(true);
    const some = all || selected.size > 0;
    useKeys('Runs', [
        { key: 'j', does: 'next run', run: () => move(1) },
        { key: 'k', does: 'previous run', run: () => move(-1) },
        { key: 'x', does: 'select the run', run: () => !rows.stale && rows.items[cursor] && toggle(rows.items[cursor].id) },
        { key: 'a', does: 'select all that the filter names', run: pickAll },
        { key: 'o', does: 'open the run', run: () => !rows.stale && rows.items[cursor] && go(runPath(rows.items[cursor].id)) },
        ...(some ? [{ key: 'Escape', does: 'clear the selection', run: clear }] : []),
    ]);

    /** In the order of the list, as far as it is loaded. */
    const chosen = () => {
        const listed = rows.items.filter(run => selected.has(run.id)).map(run => run.id);
        return listed.length === selected.size ? listed : [...selected];
    };
    const which = (): Which => (all ? { filter } : { ids: chosen() });
    const label = async (of: Which) => {
        try {
            const queue = 'ids' in of ? of.ids : await idsOf(collection, of.filter, sort);
            if (!queue.length) return toast('No run to label');
            setLabelling({ open: true, queue });
            go(runPath(queue[0]!));
        } catch (e) {
            toastError('The runs could not be listed.', asApiError(e));
        }
    };
    const every: Which = { filter };
    return (
        <div class="list">
            {head?.({
                judge: () => ask('judge', every, total),
                label: () => void label(every),
                select: pickAll,
            })}
            <RunTable
                rows={rows}
                columns={columns}
                sort={sort}
                cursor={cursor}
                selected={selected}
                all={all}
                toggle={toggle}
                select={select}
                selectAll={pickAll}
                clear={clear}
            />
            {some && (
                <SelectionBar
                    collection={collection}
                    which={which()}
                    n={all ? total : selected.size}
                    more={!all && selected.size > 1 && total !== selected.size ? { total, take: pickAll } : null}
                    runs={rows.items}
                    columns={columns}
                    clear={clear}
                    again={again}
                    judge={() => ask('judge', which(), all ? total : selected.size)}
                    label={() => void label(which())}
                    remove={() => ask('delete', which(), all ? total : selected.size)}
                    off={rows.stale}
                />
            )}
            {dialog?.does === 'judge' && (
                <JudgeDialog
                    runs={{
                        collection,
                        ...('ids' in dialog.which ? { ids: dialog.which.ids } : { filter: Object.fromEntries(dialog.which.filter) }),
                    }}
                    what={
                        'ids' in dialog.which
                            ? count(dialog.which.ids.length, 'run')
                            : `all ${num(dialog.n)} runs${dialog.filtered ? ' of the filter' : ''}`
                    }
                    onClose={() => setDialog(null)}
                />
            )}
            {dialog?.does === 'delete' && (
                <DeleteDialog
                    collection={collection}
                    which={dialog.which}
                    n={dialog.n}
                    onClose={gone => {
                        setDialog(null);
                        if (gone) {
                            clear();
                            again();
                        }
                    }}
                />
            )}
        </div>
    );
}

const MOST_QUEUED = 2000;

/** The runs that a filter names, as far as somebody may label them in one go. */
async function idsOf(collection: string, filter: URLSearchParams, sort: string): Promise<string[]> {
    const params = new URLSearchParams(filter);
    if (sort) params.set('sort', sort);
    params.set('limit', '1000');
    const ids: string[] = [];
    for (;;) {
        const page = await api.runs(collection, params);
        ids.push(...page.items.map(run => run.id));
        if (!page.next || ids.length >= MOST_QUEUED) return ids.slice(0, MOST_QUEUED);
        params.set('after', page.next);
    }
}
