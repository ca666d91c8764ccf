// What a collection says: one sentence, three ranked columns, tasks by models, detectors.
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { api, exportUrl, type Finding, type Kind, type Summary, type Task } from '../api';
import { KIND_NAME, addresses, count, interval, num, percent, quotaUse, time, wilson } from '../format';
import { lists } from '../lists';
import { Heat } from '../parts/heat';
import { KindMark, Meter, Quote } from '../parts/marks';
import { FailedPage, Failure, toast, toastError } from '../parts/say';
import { Shell } from '../parts/shell';
import { Stats } from '../parts/stats';
import { Trends } from '../parts/trends';
import { listItem } from '../filter';
import { collectionPath, runPath, taskPath } from '../router';
import { visible } from '../text';
import { asApiError, useAsk, useTitle } from '../use';

const SHOWN = 7;

export function StoryPage({ name }: { name: string }): JSX.Element {
    useTitle(name);
    const { data: summary, error, again } = useAsk('summary ' + name, signal => api.summary(name, signal));
    const fields = useAsk('fields ' + name, signal => lists.fields(name, signal)).data?.items ?? [];
    const tasks = useAsk('tasks ' + name, signal => api.tasks(name, { limit: 1000 }, signal));
    if (error && !summary)
        return (
            <Shell>
                <FailedPage error={error} again={again} />
            </Shell>
        );
    if (!summary)
        return (
            <Shell name={name} tab="story">
                <main id="main" />
            </Shell>
        );
    const c = summary.collection;
    const to = (tab: string, query: Record<string, string> = {}) =>
        collectionPath(c, tab) + (Object.keys(query).length ? '?' + new URLSearchParams(Object.entries(query).map(([key, value]) => [key, listItem(value)])) : '');
    return (
        <Shell collection={c} tab="story">
            <main id="main">
                {error && <Failure error={error} again={again} />}
                <div class="say">
                    <div>
                        <Sentence summary={summary} to={to} />
                        <Facts summary={summary} to={to} again={again} />
                        <p class="sub">
                            <a download href={exportUrl(c.id, 'html')} title="The story and the runs that it cites; it opens without this server">
                                Send as one file
                            </a>
                        </p>
                    </div>
                    {summary.by_model.length > 0 && <ByModel summary={summary} to={to} />}
                </div>
                <div class="cols">
                    <BrokenTasks summary={summary} tasks={tasks.data?.items ?? []} to={to} />
                    <Behaviours summary={summary} kind="odd_behavior" title="Odd behaviours" to={to} />
                    <Behaviours summary={summary} kind="near_miss" title="Near misses" to={to} />
                </div>
                {tasks.error && <Failure error={tasks.error} again={tasks.again} what="The tasks could not be loaded." />}
                {!!tasks.data?.items.length && (
                    <Heat
                        tasks={tasks.data.items}
                        total={summary.tasks}
                        models={summary.by_model.map(row => row.model)}
                        href={task => to('runs', { task: task.task_id })}
                        taskHref={task => taskPath(c, task.task_id)}
                    />
                )}
                <Stats
                    name={name}
                    fields={fields}
                    href={(field, value) => (field === 'task' ? taskPath(c, value) : to('runs', { [field]: value }))}
                />
                {c.findings > 0 && <Trends collection={c.id} models={summary.models} href={query => to('runs', query)} />}
                <Detectors summary={summary} to={to} />
            </main>
        </Shell>
    );
}

type To = (tab: string, query?: Record<string, string>) => string;

/** The one sentence. It says nothing that the numbers do not. */
function Sentence({ summary: s, to }: { summary: Summary; to: To }): JSX.Element {
    const graded = s.passed + s.failed;
    const odd = s.kinds.odd_behavior.runs;
    const near = s.kinds.near_miss.runs;
    return (
        <h1>
            {count(s.runs, 'run')}
            {s.tasks > 0 && <> of {count(s.tasks, 'task')}</>}
            {s.models > 0 && <> by {count(s.models, 'model')}</>};{' '}
            {graded === 0 ? 'none says whether it passed' : <>{percent(s.pass_rate?.value ?? s.passed / graded, 0)} % passed</>}.{' '}
            {s.broken_tasks > 0 ? (
                <a class="to-b" href={to('tasks', { verdict: 'broken' })}>
                    {s.broken_tasks === 1 ? '1 task looks broken' : `${num(s.broken_tasks)} tasks look broken`}
                </a>
            ) : (
                <>
                    No task looks broken
                    {s.kinds.broken_task.findings > 0 && (
                        <>
                            ;{' '}
                            <a class="to-b" href={to('findings', { kind: 'broken_task' })}>
                                {count(s.kinds.broken_task.findings, 'finding')} in {count(s.kinds.broken_task.runs, 'run')}
                            </a>{' '}
                            {s.kinds.broken_task.findings === 1 ? 'speaks' : 'speak'} of one
                        </>
                    )}
                </>
            )}
            ,{' '}
            {odd > 0 ? (
                <a class="to-o" href={to('findings', { kind: 'odd_behavior' })}>
                    {count(odd, 'run')} did something odd
                </a>
            ) : (
                'no run did anything odd'
            )}
            , and{' '}
            {near > 0 ? (
                <a class="to-n" href={to('findings', { kind: 'near_miss' })}>
                    {near === 1 ? '1 was a near miss' : `${num(near)} were near misses`}
                </a>
            ) : (
                'none was a near miss'
            )}
            .
        </h1>
    );
}

function Facts({ summary: s, to, again }: { summary: Summary; to: To; again: () => void }): JSX.Element {
    const [scanning, setScanning] = useState(false);
    const [listing, setListing] = useState(false);
    const scan = async () => {
        setScanning(true);
        try {
            let job = await api.scan(s.collection.id);
            while (job.state === 'queued' || job.state === 'running') {
                await new Promise(done => setTimeout(done, 300));
                job = await api.job(job.id);
            }
            if (job.state !== 'done') throw new Error(job.error ?? 'The scan did not end well.');
            toast('Scanned again');
            again();
        } catch (e) {
            toastError('The scan failed.', asApiError(e));
        }
        setScanning(false);
    };
    const other = (['harness', 'data'] as Kind[]).filter(kind => s.kinds[kind].runs > 0);
    return (
        <p class="facts">
            <span>
                imported <b>{time(s.collection.imported_at)}</b>
            </span>
            {s.files > 0 && (
                <span>
                    from <b>{count(s.files, 'file')}</b>, {num(s.refused)} records refused
                </span>
            )}
            <span>
                <b>{num(s.messages)}</b> messages
            </span>
            {s.collection.quota && (
                <span title="What is over it is refused">
                    <b>{quotaUse(s.collection)}</b> of its quota
                </span>
            )}
            {s.unknown > 0 && s.passed + s.failed > 0 && (
                <span>
                    <b>{num(s.unknown)}</b> of unknown outcome
                </span>
            )}
            {s.suspect_tasks > 0 && (
                <span>
                    <a href={to('tasks', { verdict: 'suspect' })}>{count(s.suspect_tasks, 'task is', 'tasks are')} suspect</a>
                </span>
            )}
            {other.map(kind => (
                <span key={kind}>
                    <KindMark kind={kind} />{' '}
                    <a href={to('findings', { kind })}>
                        {KIND_NAME[kind]} faults in {count(s.kinds[kind].runs, 'run')}
                    </a>
                </span>
            ))}
            {s.incomplete > 0 && (
                <span title="A detector met a limit on these runs and may have missed something">
                    <button class="more" type="button" aria-expanded={listing} onClick={() => setListing(!listing)}>
                        {count(s.incomplete, 'detector pass', 'detector passes')} cut short
                    </button>
                </span>
            )}
            <span>
                <button data-need="review" class="more" type="button" disabled={scanning} onClick={scan}>
                    {scanning ? 'scanning …' : 'scan again'}
                </button>
            </span>
            {listing && <Incomplete collection={s.collection.id} />}
        </p>
    );
}

/** The detector passes that met a limit: which run, which detector, why. */
function Incomplete({ collection }: { collection: string }): JSX.Element | null {
    const { data } = useAsk('incomplete ' + collection, signal => api.incomplete(collection, { limit: 100 }, signal));
    if (!data) return null;
    return (
        <>
            {data.items.map(row => (
                <span key={row.run + row.detector} class="wide">
                    <a href={runPath(row.run)}>{visible(row.external_id ?? row.run)}</a> <b>{row.detector}</b> {visible(row.reason ?? '')}
                </span>
            ))}
            {data.next && <span class="wide">and more: telltale incomplete -c {collection}</span>}
        </>
    );
}

function ByModel({ summary: s, to }: { summary: Summary; to: To }): JSX.Element {
    const [all, setAll] = useState(false);
    const shown = all ? s.by_model : s.by_model.slice(0, 6);
    return (
        <section class="panel" aria-label="Pass rate by model">
            <div class="scroll">
                <table class="grid-t fit">
                    <thead>
                        <tr>
                            <th>Model</th>
                            <th class="num hide-s">Runs</th>
                            <th class="num">Passed %</th>
                            <th class="num">without broken</th>
                            <th class="num hide-s">95 %</th>
                            <th class="hide-s">
                                <span class="sr">bar</span>
                            </th>
                        </tr>
                    </thead>
                    <tbody>
                        {shown.map(row => (
                            <tr key={row.model}>
                                <td class="model" title={row.model == null ? undefined : visible(row.model.slice(0, 400))}>
                                    {row.model == null ? (
                                        <span class="dim">unknown</span>
                                    ) : (
                                        <a class="ink" href={to('runs', { model: row.model })}>
                                            {visible(row.model.slice(0, 200))}
                                        </a>
                                    )}
                                </td>
                                <td class="num hide-s">{num(row.runs)}</td>
                                <td class="num">{percent(row.pass_rate?.value)}</td>
                                <td class="num">
                                    <b>{percent(row.pass_rate_sound?.value)}</b>
                                </td>
                                <td class="num dim hide-s">{interval(row.pass_rate_sound)}</td>
                                <td class="hide-s">
                                    <Meter value={row.pass_rate?.value ?? null} behind={row.pass_rate_sound?.value} />
                                </td>
                            </tr>
                        ))}
                    </tbody>
                </table>
            </div>
            {s.by_model.length > shown.length && (
                <footer>
                    <button class="more" type="button" onClick={() => setAll(true)}>
                        all {num(s.by_model.length)} models
                    </button>
                </footer>
            )}
        </section>
    );
}

/** A finding in its place: the run it cites first. */
export function placeOf(finding: Pick<Finding, 'id' | 'run' | 'evidence'>): string | null {
    const first = finding.evidence[0];
    const run = first?.run ?? finding.run?.id;
    return run ? runPath(run, { finding: finding.id, message: first?.message, transcript: first?.position }) : null;
}

export const failsOf = (task: Task) =>
    task.failed + task.passed === 0 ? count(task.runs, 'run') : `${num(task.failed)} of ${num(task.failed + task.passed)} fail`;

function BrokenTasks({ summary: s, tasks, to }: { summary: Summary; tasks: Task[]; to: To }): JSX.Element {
    const broken = tasks.filter(task => task.verdict === 'broken').sort((a, b) => b.failed - a.failed);
    const lost = broken.reduce((sum, task) => sum + task.failed, 0);
    return (
        <section class="panel" aria-label="Broken tasks">
            <header>
                <h2>
                    <KindMark kind="broken_task" />
                    Broken tasks
                </h2>
                <span class="dim">
                    {num(s.broken_tasks)} of {num(s.tasks)}
                </span>
                <a class="end" href={to('findings', { kind: 'broken_task' })} aria-label="Triage broken tasks">
                    Triage
                </a>
            </header>
            <ol class="rank">
                {broken.slice(0, SHOWN).map(task => (
                    <li key={task.task_id}>
                        <a href={(task.best && placeOf(task.best)) ?? to('runs', { task: task.task_id })}>
                            <span class="l1">
                                <b class="id" title={visible(task.task_id.slice(0, 400))}>
                                    {visible(task.task_id.slice(0, 400))}
                                </b>
                                <span class="one sub" title={task.best?.title}>
                                    {visible(task.best?.title ?? task.gist ?? '')}
                                </span>
                                <span class="n">{failsOf(task)}</span>
                            </span>
                            {task.best && (
                                <Quote
                                    evidence={task.best.evidence[0]}
                                    kind={task.best.kind}
                                    place={addresses(
                                        task.best.evidence.filter(e => e.run === task.best!.evidence[0]!.run),
                                        2,
                                    )}
                                />
                            )}
                        </a>
                    </li>
                ))}
            </ol>
            {!broken.length && (
                <p class="none-yet">
                    {s.broken_tasks
                        ? 'Loading the tasks …'
                        : s.tasks
                          ? 'Every task was solved by someone, or fails for no reason that the detectors know.'
                          : 'No run names a task.'}
                </p>
            )}
            <footer>
                {broken.length > SHOWN ? <a href={to('tasks', { verdict: 'broken' })}>all {num(broken.length)}</a> : null}
                {broken.length > 0 && (
                    <span>
                        {broken.length > SHOWN ? ', ranked' : 'Ranked'} by runs lost. {count(lost, 'run')} of theirs failed.
                    </span>
                )}
                {!broken.length && s.suspect_tasks > 0 && (
                    <a href={to('tasks', { verdict: 'suspect' })}>{count(s.suspect_tasks, 'task is', 'tasks are')} suspect</a>
                )}
            </footer>
        </section>
    );
}

function Behaviours({ summary: s, kind, title, to }: { summary: Summary; kind: Kind; title: string; to: To }): JSX.Element {
    const rows = s.behaviors.filter(row => row.kind === kind).sort((a, b) => b.runs - a.runs || b.findings - a.findings);
    const runs = s.kinds[kind].runs;
    return (
        <section class="panel" aria-label={title}>
            <header>
                <h2>
                    <KindMark kind={kind} />
                    {title}
                </h2>
                <span class="dim">{count(runs, 'run')}</span>
                <a class="end" href={to('findings', { kind })} aria-label={`Triage ${title.toLowerCase()}`}>
                    Triage
                </a>
            </header>
            <ol class="rank">
                {rows.slice(0, SHOWN).map(row => (
                    <li key={row.behavior}>
                        <a href={to('findings', { behavior: row.behavior })}>
                            <span class="l1">
                                <b>{row.behavior}</b>
                                <span class="one sub" title={row.best?.title}>
                                    {visible(row.best?.title ?? '')}
                                </span>
                                <span class="n">{row.runs || !row.tasks ? count(row.runs, 'run') : count(row.tasks, 'task')}</span>
                            </span>
                            {row.best && (
                                <Quote evidence={row.best.evidence[0]} kind={kind} place={addresses(row.best.evidence, 2)} />
                            )}
                        </a>
                    </li>
                ))}
            </ol>
            {!rows.length && <p class="none-yet">None was found.</p>}
            {rows.length > 0 && (
                <footer>
                    {rows.length > SHOWN && (
                        <>
                            <a href={to('findings', { kind })}>all {num(rows.length)}</a>, r
                        </>
                    )}
                    {rows.length > SHOWN ? '' : 'R'}anked by runs.
                </footer>
            )}
        </section>
    );
}

function Detectors({ summary: s, to }: { summary: Summary; to: To }): JSX.Element | null {
    const [all, setAll] = useState(false);
    if (!s.detectors.length) return null;
    const shown = all ? s.detectors : s.detectors.slice(0, 15);
    return (
        <section class="panel" aria-label="Findings by detector" id="det">
            <header>
                <h2>Findings by detector</h2>
                <span class="dim">precision is counted from reviews, never assumed</span>
            </header>
            <div class="scroll">
                <table class="grid-t fit">
                    <thead>
                        <tr>
                            <th>Detector</th>
                            <th class="hide-s">Behaviour</th>
                            <th class="num">Findings</th>
                            <th class="num hide-s">Runs</th>
                            <th class="num hide-s">Confirmed</th>
                            <th class="num hide-s">Dismissed</th>
                            <th class="num">Precision</th>
                            <th class="num">95 %</th>
                        </tr>
                    </thead>
                    <tbody>
                        {shown.map(row => {
                            const rate = wilson(row.confirmed, row.confirmed + row.dismissed);
                            return (
                                <tr key={row.detector}>
                                    <td>
                                        <KindMark kind={row.kind} />{' '}
                                        <a href={to('findings', { detector: row.detector, status: 'any' })}>{row.detector}</a>
                                    </td>
                                    <td class="dim hide-s">{row.behavior === row.detector ? '' : row.behavior}</td>
                                    <td class="num">{num(row.findings)}</td>
                                    <td class="num hide-s">{num(row.runs)}</td>
                                    <td class="num hide-s">{num(row.confirmed)}</td>
                                    <td class="num hide-s">{num(row.dismissed)}</td>
                                    <td class="num">{rate ? `${percent(rate.value, 0)} %` : '—'}</td>
                                    <td class="num dim">{rate ? interval(rate) : 'no reviews'}</td>
                                </tr>
                            );
                        })}
                    </tbody>
                </table>
            </div>
            {s.detectors.length > shown.length && (
                <footer>
                    <button class="more" type="button" onClick={() => setAll(true)}>
                        all {num(s.detectors.length)} detectors
                    </button>
                </footer>
            )}
        </section>
    );
}
