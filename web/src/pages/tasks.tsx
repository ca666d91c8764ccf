// Tasks, ranked: broken first, then by runs lost.
import type { JSX } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { api, type List, type Task } from '../api';
import { KINDS, KIND_NAME, addresses, num, percent } from '../format';
import { Gap } from '../parts/gap';
import { KindMark, Meter, Quote } from '../parts/marks';
import { FailedPage } from '../parts/say';
import { Shell, useCollection } from '../parts/shell';
import { go, taskPath, usePlace, withQuery } from '../router';
import { visible } from '../text';
import { asApiError, useAsk, useInView, useNarrow, useTitle } from '../use';
import { failsOf, placeOf } from './story';

const VERDICTS = ['broken', 'suspect', 'sound'] as const;

export function TasksPage({ name }: { name: string }): JSX.Element {
    useTitle(`Tasks of ${name}`);
    const { query } = usePlace();
    const collection = useCollection(name);
    const words = query.get('q') ?? '';
    const verdict = query.get('verdict') ?? '';
    const first = useAsk(`tasks ${name} ${words}`, signal => api.tasks(name, { limit: 1000, q: words }, signal));
    const items = useRest(first.data, after => api.tasks(name, { limit: 1000, q: words, after }));
    const shown = useMemo(() => (verdict ? items.filter(task => task.verdict === verdict) : items), [items, verdict]);
    if (first.error && !first.data)
        return (
            <Shell>
                <FailedPage error={first.error} again={first.again} />
            </Shell>
        );
    const to = (task: Task) => taskPath(collection ?? { id: name, name }, task.task_id);
    return (
        <Shell collection={collection} name={name} tab="tasks">
            <main id="main" class="tasks">
                <div class="title-row">
                    <h1 class="page-title">
                        Tasks{' '}
                        <span class="dim">
                            {num(shown.length)}
                            {shown.length !== items.length ? ` of ${num(items.length)}` : ''}
                        </span>
                    </h1>
                    <div class="seg" role="group" aria-label="Verdict">
                        {['', ...VERDICTS].map(v => (
                            <button
                                key={v}
                                type="button"
                                class="btn"
                                aria-pressed={verdict === v}
                                onClick={() => go(withQuery({ verdict: v }), true)}
                            >
                                {v || 'all'}{' '}
                                <span class="dim">{num(v ? items.filter(task => task.verdict === v).length : items.length)}</span>
                            </button>
                        ))}
                    </div>
                    <Search value={words} />
                </div>
                <TaskTable tasks={shown} to={to} />
                {first.data && !shown.length && (
                    <p class="none-yet">{items.length ? 'No task is like that.' : 'No run of this collection names a task.'}</p>
                )}
            </main>
        </Shell>
    );
}

/** The pages after the first, one by one. */
function useRest<T>(first: List<T> | undefined, more: (after: string) => Promise<List<T>>): T[] {
    const [state, set] = useState<{ of: List<T> | undefined; rest: T[] }>({ of: undefined, rest: [] });
    const ask = useRef(more);
    ask.current = more;
    useEffect(() => {
        let stopped = false;
        set({ of: first, rest: [] });
        const run = async () => {
            for (let next = first?.next ?? null; next && !stopped;) {
                const page = await ask.current(next);
                if (!stopped) set(before => ({ of: first, rest: [...before.rest, ...page.items] }));
                next = page.next;
            }
        };
        run().catch(e => console.warn(asApiError(e).message));
        return () => void (stopped = true);
    }, [first]);
    return useMemo(() => [...(first?.items ?? []), ...(state.of === first ? state.rest : [])], [first, state]);
}

function Search({ value }: { value: string }): JSX.Element {
    const [text, setText] = useState(value);
    useEffect(() => {
        if (text === value) return;
        const timer = setTimeout(() => go(withQuery({ q: text }), true), 150);
        return () => clearTimeout(timer);
    }, [text]);
    return (
        <div class="input">
            <input
                aria-label="Find tasks"
                placeholder="find tasks"
                value={text}
                onInput={event => setText(event.currentTarget.value)}
            />
        </div>
    );
}

/** Why the verdict is what it is: what was found of the task as a whole, else the weightiest finding. */
function reasonsOf(task: Task): string[] {
    const reasons = task.reasons.map(reason => visible(reason.title ?? reason.detector));
    return reasons.length ? reasons : [visible(task.best?.title ?? '')];
}

function TaskTable({ tasks, to }: { tasks: Task[]; to: (task: Task) => string }): JSX.Element {
    const narrow = useNarrow();
    const height = narrow ? 120 : 46;
    const body = useRef<HTMLTableSectionElement>(null);
    const offsets = useMemo(() => Float64Array.from({ length: tasks.length + 1 }, (_, i) => i * height), [tasks.length, height]);
    const [from, until] = useInView(body, offsets);
    return (
        <section class="panel" aria-label="Tasks">
            <table class="grid-t task-table" aria-rowcount={tasks.length + 1}>
                <thead>
                    <tr>
                        <th class="w-v">Verdict</th>
                        <th class="w-t">Task</th>
                        <th>Why, and the words</th>
                        <th class="num w-n">Runs</th>
                        <th class="num w-p">Passed %</th>
                        <th class="w-b">
                            <span class="sr">bar</span>
                        </th>
                        <th class="w-k">Findings</th>
                    </tr>
                </thead>
                <tbody ref={body}>
                    {from > 0 && <Gap rows={from} height={height} />}
                    {tasks.slice(from, until).map((task, i) => (
                        <tr key={task.task_id} aria-rowindex={from + i + 2} class="row">
                            <td class={`verdict v-${task.verdict}`}>
                                {task.verdict === 'broken' && <KindMark kind="broken_task" />}
                                {task.verdict}
                            </td>
                            <td class="wide">
                                <a class="ink" href={to(task)}>
                                    <b class="one" title={visible(task.task_id.slice(0, 400))}>
                                        {visible(task.task_id.slice(0, 400))}
                                    </b>
                                    {task.gist?.trim() !== task.task_id.trim() && <span class="one sub">{visible(task.gist ?? '')}</span>}
                                </a>
                            </td>
                            <td class="best">
                                {task.best && task.verdict !== 'sound' ? (
                                    <a class="ink rank-line" href={placeOf(task.best) ?? to(task)} title={reasonsOf(task).join('\n')}>
                                        <span class="one sub">
                                            <KindMark kind={task.best.kind} /> {reasonsOf(task).join(' · ')}
                                        </span>
                                        <Quote
                                            evidence={task.best.evidence[0]}
                                            kind={task.best.kind}
                                            place={addresses(task.best.evidence, 1)}
                                        />
                                    </a>
                                ) : (
                                    <span class="dim">
                                        {task.best ? 'findings in runs, too few to blame the task' : 'none'}
                                    </span>
                                )}
                            </td>
                            <td class="num" title={failsOf(task)}>
                                {num(task.runs)}
                            </td>
                            <td class="num">{percent(task.pass_rate)}</td>
                            <td class="bar">
                                <Meter value={task.pass_rate} />
                            </td>
                            <td class="kinds">
                                {KINDS.filter(kind => task.findings[kind]).map(kind => (
                                    <span key={kind} class="mk">
                                        <KindMark kind={kind} label={KIND_NAME[kind]} />
                                        {num(task.findings[kind])}
                                    </span>
                                ))}
                            </td>
                        </tr>
                    ))}
                    {until < tasks.length && <Gap rows={tasks.length - until} height={height} />}
                </tbody>
            </table>
        </section>
    );
}
