// Every run of a task.
import type { JSX } from 'preact';
import { useMemo } from 'preact/hooks';
import { listItem } from '../filter';
import { num } from '../format';
import { usePlace } from '../router';
import { useRunRows } from '../rows';
import { COLUMNS, STANDARD } from './columns';
import { RunList } from './runlist';
import { Failure } from './say';

const SHOWN = [...STANDARD.filter(id => id !== 'what'), 'attempt', 'duration', 'tokens', 'cost'];

export function Attempts({ name, task }: { name: string; task: string }): JSX.Element {
    const sort = usePlace().query.get('sort') ?? '';
    const filter = useMemo(() => new URLSearchParams({ task: listItem(task) }), [task]);
    const asked = new URLSearchParams(filter);
    if (sort) asked.set('sort', sort);
    const rows = useRunRows(name, asked.toString());
    const columns = SHOWN.map(id => COLUMNS.find(column => column.id === id)!);
    return (
        <section class="panel attempts" aria-label="Attempts">
            <header>
                <h2>Attempts</h2>
                <span class="dim">{rows.total == null ? '' : num(rows.total)}</span>
            </header>
            {rows.error && <Failure error={rows.error} again={rows.again} what="The attempts could not be loaded." />}
            <RunList collection={name} filter={filter} filtered rows={rows} columns={columns} sort={sort} />
        </section>
    );
}
