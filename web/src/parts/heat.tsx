// Tasks × models: one column a task, one cell a model, colour = how many passed.
import type { JSX } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Kind, Task } from '../api';
import { KINDS, KIND_NAME, count, num, shortModel } from '../format';
import { visible } from '../text';
import { KindMark } from './marks';

const MOST_MODELS = 16;
const FIRST_DRAWN = 160; /* columns; more when they are scrolled to */

type Group = 'broken' | 'never' | 'sometimes' | 'always' | 'ungraded';
const GROUPS: Group[] = ['broken', 'never', 'sometimes', 'always', 'ungraded'];

function groupOf(task: Task): Group {
    if (task.verdict === 'broken') return 'broken';
    if (task.passed + task.failed === 0) return 'ungraded';
    return task.passed === 0 ? 'never' : task.failed === 0 ? 'always' : 'sometimes';
}

function step(passed: number, failed: number): string {
    if (passed + failed === 0) return 'hx';
    const rate = passed / (passed + failed);
    return rate === 0 ? 'h0' : rate < 0.4 ? 'h1' : rate < 0.6 ? 'h2' : rate < 1 ? 'h3' : 'h4';
}

const worst = (task: Task): Kind | undefined =>
    task.verdict === 'broken' ? 'broken_task' : KINDS.find(kind => task.findings[kind] > 0);

/** A finding about the task is a word against it; that it is broken is the verdict over all of them. */
const doubted = (task: Task, kind: Kind) => kind === 'broken_task' && task.verdict !== 'broken';
const kindName = (task: Task, kind: Kind) =>
    doubted(task, kind) ? `${count(task.findings.broken_task, 'finding')} of a broken task, but not its verdict` : KIND_NAME[kind];

export function Heat({
    tasks,
    total,
    models,
    href,
    taskHref,
}: {
    tasks: Task[];
    total: number;
    models: (string | null)[];
    /** To its runs, and to itself. */
    href: (task: Task) => string;
    taskHref: (task: Task) => string;
}): JSX.Element {
    // A model without a graded run has nothing to show here.
    const graded = new Set(tasks.flatMap(task => task.models.filter(m => m.passed + m.failed).map(m => m.model)));
    const useful = models.filter(model => graded.has(model));
    const rows = (useful.length ? useful : models).slice(0, MOST_MODELS);
    const ordered = GROUPS.flatMap(group =>
        tasks
            .filter(task => groupOf(task) === group)
            .sort((a, b) => (a.pass_rate ?? 0) - (b.pass_rate ?? 0))
            .map(task => ({ task, group })),
    );
    const sizes = Object.fromEntries(GROUPS.map(group => [group, ordered.filter(o => o.group === group).length])) as Record<Group, number>;
    const [at, setAt] = useState(0);
    const [drawn, setDrawn] = useState(FIRST_DRAWN);
    const until = Math.min(ordered.length, Math.max(drawn, at + FIRST_DRAWN));
    const box = useRef<HTMLDivElement>(null);
    const now = ordered[Math.min(at, ordered.length - 1)];

    // The number of rows comes from the data; sizes go through the CSSOM (the policy allows no style attributes).
    useLayoutEffect(() => box.current?.style.setProperty('--rows', String(rows.length)), [rows.length]);

    const onKeyDown = (event: KeyboardEvent) => {
        const to = {
            ArrowRight: at + 1,
            ArrowDown: at + 1,
            ArrowLeft: at - 1,
            ArrowUp: at - 1,
            Home: 0,
            End: ordered.length - 1,
        }[event.key];
        if (to === undefined) return;
        event.preventDefault();
        const next = Math.max(0, Math.min(ordered.length - 1, to));
        setAt(next);
        focusing.current = true;
    };
    // What the keys go to may have to be drawn first.
    const focusing = useRef(false);
    useLayoutEffect(() => {
        if (focusing.current) box.current?.querySelectorAll<HTMLElement>('.t')[at]?.focus();
        focusing.current = false;
    }, [at]);
    const onScroll = (event: Event) => {
        const { scrollLeft, clientWidth, scrollWidth } = event.currentTarget as HTMLElement;
        if (until < ordered.length && scrollLeft + clientWidth * 2 > scrollWidth) setDrawn(until + FIRST_DRAWN);
    };

    const mark = now && worst(now.task);
    const labels = rows.map(model => shortModel(model));
    return (
        <section class="panel" aria-label="Tasks by models">
            <header>
                <h2>Tasks × models</h2>
                <span class="dim">
                    {total > tasks.length ? `the first ${num(tasks.length)} of ${num(total)} tasks` : count(total, 'column')},
                    easiest last{models.length > rows.length ? `; ${rows.length} of ${models.length} models${useful.length <= rows.length ? ', those with a graded run' : ''}` : ''}
                </span>
                <span class="legend end" aria-hidden="true">
                    <span>
                        <u class="h0" />
                        none
                    </span>
                    <span>
                        <u class="h1" />
                        few
                    </span>
                    <span>
                        <u class="h2" />
                        half
                    </span>
                    <span>
                        <u class="h3" />
                        most
                    </span>
                    <span>
                        <u class="h4" />
                        all passed
                    </span>
                    <span>
                        <u class="hx" />
                        not run or not graded
                    </span>
                </span>
            </header>
            <div
                class="heat"
                role="group"
                aria-label="Pass rate of each task by model; arrow keys move, Enter opens the runs"
                ref={box}
                onKeyDown={onKeyDown}
                onScroll={onScroll}
            >
                <div class="lab" aria-hidden="true">
                    <i />
                    {labels.map((label, i) => (
                        <span key={i} class="one" title={rows[i] ?? undefined}>
                            {label}
                        </span>
                    ))}
                    <i />
                </div>
                {ordered.slice(0, until).map(({ task, group }, i) => {
                    const first = i === 0 || ordered[i - 1]!.group !== group;
                    const kind = worst(task);
                    // The label of a narrow group before it needs room.
                    const before = first && i ? sizes[ordered[i - 1]!.group] : 4;
                    const room = before < 5 ? `${9 + (5 - before) * 15}px` : undefined;
                    const cells = rows.map(model => task.models.find(m => m.model === model));
                    const said = cells
                        .map(
                            (cell, k) =>
                                `${labels[k]} ${cell && cell.passed + cell.failed ? `${cell.passed}/${cell.passed + cell.failed}` : 'not run or not graded'}`,
                        )
                        .join(', ');
                    return (
                        <a
                            key={task.task_id}
                            class={`t${first && i ? ' gap' : ''}${i === at ? ' on' : ''}`}
                            href={href(task)}
                            tabIndex={i === at ? 0 : -1}
                            style={first && i && room ? { marginLeft: room } : undefined}
                            aria-label={`${task.task_id}: ${said}${kind ? `, ${kindName(task, kind)}` : ''}`}
                            onFocus={() => setAt(i)}
                            onMouseEnter={() => setAt(i)}
                        >
                            {kind ? <KindMark kind={kind} hollow={doubted(task, kind)} title={kindName(task, kind)} /> : <i />}
                            {cells.map((cell, k) => (
                                <u key={k} class={cell ? step(cell.passed, cell.failed) : 'hx'} />
                            ))}
                            {first && <s data-group={`${group} ${num(sizes[group])}`} />}
                        </a>
                    );
                })}
            </div>
            {now && (
                <div class="readout" aria-live="polite">
                    <span>
                        {mark && <KindMark kind={mark} hollow={doubted(now.task, mark)} label={kindName(now.task, mark)} />} <b>{now.task.task_id}</b>
                    </span>
                    <span class="one gist">{visible(now.task.gist ?? '')}</span>
                    {rows.map((model, k) => {
                        const cell = now.task.models.find(m => m.model === model);
                        return (
                            cell && (
                                <span class="dim" key={k}>
                                    {labels[k]} {cell.passed + cell.failed ? `${cell.passed}/${cell.passed + cell.failed}` : '—'}
                                </span>
                            )
                        );
                    })}
                    <a href={href(now.task)}>{count(now.task.runs, 'run')}</a>
                    <a href={taskHref(now.task)}>the task</a>
                </div>
            )}
        </section>
    );
}
