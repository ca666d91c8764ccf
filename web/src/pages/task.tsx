// One task: what it asks and expects, what its runs answered, why they fail, and every attempt.
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { Evidence, Finding } from '../api';
import { KIND_NAME, address, count, interval, num, percent, shortModel, wilson } from '../format';
import { lists, type Member, type TaskDetail, type TaskGroup } from '../lists';
import { Attempts } from '../parts/attempts';
import { KindMark, Meter, OutcomeMark, SeverityMark } from '../parts/marks';
import { FailedPage, Failure } from '../parts/say';
import { Shell, useCollection } from '../parts/shell';
import { listItem } from '../filter';
import { collectionPath, runPath } from '../router';
import { quoteLine, visible } from '../text';
import { useAsk, useTitle } from '../use';

const FORM: Record<NonNullable<TaskGroup['form']>, { name: string; about: string }> = {
    same: { name: 'as expected', about: 'Byte for byte what the target says' },
    garbled: { name: 'as expected but for escapes', about: 'The same but for what one round of escaping adds or eats' },
    dressed: {
        name: 'as expected, in another form',
        about: 'The same in another wrapper, case, punctuation, unit, format or in a sentence',
    },
    near: { name: 'nearly as expected', about: 'The same but for a word or two, their order, or digits rounded off' },
    other: { name: 'not as expected', about: 'Something else than the target' },
};

export function TaskPage({ name, task }: { name: string; task: string }): JSX.Element {
    useTitle(task.slice(0, 80));
    const collection = useCollection(name);
    const { data, error, again } = useAsk(`task ${name} ${task}`, signal => lists.task(name, task, signal));
    if (error && !data)
        return (
            <Shell>
                <FailedPage error={error} again={again} />
            </Shell>
        );
    const c = collection ?? { id: name, name };
    return (
        <Shell collection={collection} name={name} tab="tasks">
            <main id="main" class="task">
                {error && <Failure error={error} again={again} />}
                <Head task={task} detail={data} c={c} />
                {data && (
                    <>
                        <Verdict detail={data} />
                        <Answers detail={data} />
                        <Errors detail={data} />
                        <div class="task-pair">
                            <Models detail={data} to={collectionPath(c, 'runs')} />
                            <Behaviours detail={data} to={collectionPath(c, 'findings')} />
                        </div>
                    </>
                )}
                <Attempts name={name} task={task} />
            </main>
        </Shell>
    );
}

/* ---- head ----------------------------------------------------------------------------------------------------------- */

function Head({ task, detail, c }: { task: string; detail?: TaskDetail; c: { id: string; name: string } }): JSX.Element {
    const t = detail?.task;
    const rate = t && wilson(t.passed, t.passed + t.failed);
    const gist = t?.gist && t.gist.trim() !== task.trim() ? t.gist : null;
    return (
        <header class="task-head">
            <p class="crumb">
                <a href={collectionPath(c, 'tasks')}>Tasks</a> <span aria-hidden="true">/</span>
                {t && (
                    <span class={`verdict v-${t.verdict}`}>
                        {t.verdict === 'broken' && <KindMark kind="broken_task" />}
                        {t.verdict}
                    </span>
                )}
            </p>
            <h1>
                <Long text={task} lines={3} />
            </h1>
            {gist && (
                <p class="gist">
                    <Long text={gist} lines={2} />
                </p>
            )}
            {t && (
                <p class="facts">
                    <span>
                        <a href={collectionPath(c, 'runs') + '?' + new URLSearchParams({ task: listItem(task) })}>{count(t.runs, 'run')}</a> by{' '}
                        {count(t.models.length, 'model')}
                    </span>
                    <span>
                        {rate ? (
                            <>
                                <b>{percent(rate.value, 0)} %</b> passed ({num(t.passed)} of {num(t.passed + t.failed)}, 95 %{' '}
                                {interval(rate)})
                            </>
                        ) : (
                            'no run says whether it passed'
                        )}
                    </span>
                    <span>
                        <a
                            href={
                                collectionPath(c, 'findings') + '?' + new URLSearchParams({ task: listItem(task), status: 'any' })
                            }
                        >
                            findings in the inbox
                        </a>
                    </span>
                </p>
            )}
        </header>
    );
}

/** Text of a transcript, cut to some lines until a click shows it all. */
function Long({ text, lines }: { text: string; lines: 2 | 3 | 6 }): JSX.Element {
    const [open, setOpen] = useState(false);
    const long = text.length > 70 * lines || text.split('\n', lines + 1).length > lines;
    return (
        <>
            <span class={open || !long ? 'long' : `long cut-${lines}`}>{visible(text.slice(0, 20_000))}</span>
            {long && (
                <button class="more" type="button" aria-expanded={open} onClick={() => setOpen(!open)}>
                    {open ? 'less' : 'show all'}
                </button>
            )}
        </>
    );
}

/* ---- verdict -------------------------------------------------------------------------------------------------------- */

const MOST_WORDS = 4;

function Verdict({ detail }: { detail: TaskDetail }): JSX.Element {
    const { task, findings } = detail;
    const said = {
        broken: 'It looks broken: no run could have solved it fairly.',
        suspect: 'It is suspect: something speaks against it, not enough to call it broken.',
        sound: 'Nothing that was found blames the task itself.',
    }[task.verdict];
    return (
        <section class="panel" aria-label="Verdict">
            <header>
                <h2>Verdict and why</h2>
                <span class="dim">{said}</span>
            </header>
            {findings.length > 0 ? (
                <ol class="reasons">
                    {findings.map(finding => (
                        <Reason key={finding.id} finding={finding} />
                    ))}
                </ol>
            ) : (
                <p class="none-yet">
                    {detail.behaviors.length
                        ? 'What was found is about single runs; it stands below.'
                        : 'No detector found anything in its runs.'}
                </p>
            )}
        </section>
    );
}

/** Each words once, however many runs have them. */
function onceEach(evidence: Evidence[]): { e: Evidence; n: number }[] {
    const seen = new Map<string, { e: Evidence; n: number }>();
    for (const e of evidence) {
        const key = JSON.stringify([quoteLine(e), e.message == null ? e.part : '']);
        const before = seen.get(key);
        if (before) before.n++;
        else seen.set(key, { e, n: 1 });
    }
    return [...seen.values()];
}

function Reason({ finding: f }: { finding: Finding }): JSX.Element {
    const words = onceEach(f.evidence);
    return (
        <li class={f.status === 'dismissed' ? 'dismissed' : undefined}>
            <p class="l1">
                <KindMark kind={f.kind} label={KIND_NAME[f.kind]} />
                <b>{visible(f.title)}</b>
                <SeverityMark severity={f.severity} />
                <span class="place">{f.detector}</span>
                {f.status !== 'open' && <span class="tag">{f.status}</span>}
            </p>
            {f.message && <p class="sub">{visible(f.message)}</p>}
            {f.note && <p class="sub">Note: {visible(f.note)}</p>}
            <ul class="words">
                {words.slice(0, MOST_WORDS).map(({ e, n }, i) => {
                    const run = e.run ?? f.run?.id;
                    const line = (
                        <>
                            <samp class="one">
                                <mark class={`ev ev-${f.kind}`}>{quoteLine(e)}</mark>
                            </samp>
                            <span class="place">
                                {address(e)}
                                {n > 1 && ` in ${num(n)} runs`}
                            </span>
                        </>
                    );
                    return (
                        <li key={i}>
                            {run ? (
                                <a class="l2 ink" href={runPath(run, { finding: f.id, message: e.message, transcript: e.position })}>
                                    {line}
                                </a>
                            ) : (
                                <span class="l2">{line}</span>
                            )}
                        </li>
                    );
                })}
            </ul>
            {words.length > MOST_WORDS && <p class="dim">and {num(words.length - MOST_WORDS)} more places</p>}
        </li>
    );
}

/* ---- answers beside the target --------------------------------------------------------------------------------------- */

const FIRST_SHOWN = 6;

function Answers({ detail }: { detail: TaskDetail }): JSX.Element | null {
    const [all, setAll] = useState(false);
    const { answers, targets } = detail;
    if (!answers.length && !targets.length) return null;
    const shown = all ? answers : answers.slice(0, FIRST_SHOWN);
    const words = answers[0]?.last_words;
    return (
        <section class="panel" aria-label="Answers">
            <header>
                <h2>{words ? 'Last words' : 'Final answers'}</h2>
                <span class="dim">{answersSaid(detail)}</span>
            </header>
            <div class={`answers${targets.length ? '' : ' no-target'}`}>
                {targets.length > 0 && (
                    <div class="target">
                        <h3 class="hd">
                            Target{targets.length > 1 ? `, ${num(targets.length + detail.targets_more)} different ones` : ''}
                        </h3>
                        {targets.slice(0, 5).map(target => (
                            <div key={target.text} class="said">
                                <Long text={target.text} lines={6} />
                                {targets.length > 1 && <span class="dim">{count(target.runs, 'run')}</span>}
                            </div>
                        ))}
                    </div>
                )}
                <ol class="groups">
                    {shown.map((group, i) => (
                        <Group key={i} group={group} form />
                    ))}
                    {answers.length > shown.length && (
                        <li>
                            <button class="more" type="button" onClick={() => setAll(true)}>
                                {num(answers.length - shown.length)} more answers
                            </button>
                        </li>
                    )}
                    {all && detail.answers_more > 0 && <li class="dim">and {num(detail.answers_more)} that fewer runs gave</li>}
                </ol>
            </div>
        </section>
    );
}

/** How far the runs agree, and how many say nothing. */
function answersSaid({ answers, answers_more, looked, task }: TaskDetail): string {
    if (!answers.length) return 'no run tells its answer';
    const told = answers.reduce((n, group) => n + group.runs, 0);
    const silent = looked - told;
    return [
        answers.length > 1
            ? `${num(answers.length + answers_more)} different ones`
            : told === 1
              ? 'one run tells it'
              : `the same in all ${num(told)} runs that tell it`,
        ...(answers[0]!.last_words ? ['no score tells the answer, so this is what the agent said last'] : []),
        ...(silent > 0 && !answers_more ? [`${count(silent, 'run')} tell none`.replace('run tell', 'run tells')] : []),
        ...(looked < task.runs ? [`of the first ${num(looked)} runs`] : []),
    ].join('; ');
}

function Group({ group, form, of }: { group: TaskGroup; form?: boolean; of?: number }): JSX.Element {
    const how = form && group.form ? FORM[group.form] : null;
    return (
        <li class="group">
            <div class="said">
                {group.text == null ? <span class="dim">the words are gone</span> : <Long text={group.text} lines={3} />}
            </div>
            <div class="by">
                {how && (
                    <span class={`answer-form f-${group.form}`} title={how.about}>
                        {how.name}
                    </span>
                )}
                <span class="n">
                    {of == null ? count(group.runs, 'run') : `${num(group.runs)} of ${num(of)} runs`}
                    {group.passed > 0 && `, ${num(group.passed)} passed`}
                </span>
                <Dots group={group} />
            </div>
        </li>
    );
}

/** Its runs, each a link to the place where it says so. */
function Dots({ group }: { group: TaskGroup }): JSX.Element {
    const said = (m: Member) =>
        `${m.external_id ?? m.run.slice(0, 8)}, ${shortModel(m.model)}, ${m.success == null ? 'unknown' : m.success ? 'passed' : 'failed'}`;
    return (
        <span class="dots">
            {group.members.map(m => (
                <a
                    key={m.run}
                    href={runPath(m.run, { message: m.message, transcript: m.position })}
                    title={said(m)}
                    aria-label={said(m)}
                >
                    <OutcomeMark success={m.success} />
                </a>
            ))}
            {group.runs > group.members.length && <span class="dim">+{num(group.runs - group.members.length)}</span>}
        </span>
    );
}

/* ---- errors, behaviours, models --------------------------------------------------------------------------------------- */

function Errors({ detail }: { detail: TaskDetail }): JSX.Element | null {
    const [all, setAll] = useState(false);
    const { errors } = detail;
    if (!errors.length) return null;
    const shown = all ? errors : errors.slice(0, FIRST_SHOWN);
    return (
        <section class="panel" aria-label="Shared errors">
            <header>
                <h2>{detail.looked > 1 ? 'Shared errors' : 'Errors'}</h2>
                <span class="dim">
                    {detail.looked > 1
                        ? 'lines that more than one run met; numbers, paths and names may differ'
                        : 'lines that speak of an error'}
                </span>
            </header>
            <ol class="groups">
                {shown.map((group, i) => (
                    <Group key={i} group={group} of={detail.looked} />
                ))}
            </ol>
            {errors.length > shown.length && (
                <footer>
                    <button class="more" type="button" onClick={() => setAll(true)}>
                        {num(errors.length - shown.length)} more
                    </button>
                </footer>
            )}
        </section>
    );
}

function Behaviours({ detail, to }: { detail: TaskDetail; to: string }): JSX.Element {
    return (
        <section class="panel" aria-label="What its runs did">
            <header>
                <h2>What its runs did</h2>
            </header>
            {detail.behaviors.length ? (
                <table class="grid-t">
                    <tbody>
                        {detail.behaviors.map(row => (
                            <tr key={row.kind + row.behavior}>
                                <td>
                                    <span class="mk">
                                        <KindMark kind={row.kind} label={KIND_NAME[row.kind]} />
                                        <a
                                            class="ink"
                                            href={
                                                to +
                                                '?' +
                                                new URLSearchParams({
                                                    behavior: row.behavior,
                                                    task: listItem(detail.task.task_id),
                                                    status: 'any',
                                                })
                                            }
                                        >
                                            {row.behavior}
                                        </a>
                                    </span>
                                </td>
                                <td class="bar">
                                    <Meter value={row.runs / Math.max(1, detail.task.runs)} />
                                </td>
                                <td class="num">{count(row.runs, 'run')}</td>
                            </tr>
                        ))}
                    </tbody>
                </table>
            ) : (
                <p class="none-yet">No detector found anything in single runs.</p>
            )}
        </section>
    );
}

const FIRST_MODELS = 12;

function Models({ detail, to }: { detail: TaskDetail; to: string }): JSX.Element {
    const [all, setAll] = useState(false);
    const { models, task_id } = detail.task;
    const shown = all ? models : models.slice(0, FIRST_MODELS);
    return (
        <section class="panel" aria-label="By model">
            <header>
                <h2>By model</h2>
            </header>
            <table class="grid-t">
                <thead>
                    <tr>
                        <th>Model</th>
                        <th class="num">Runs</th>
                        <th class="num">Passed %</th>
                        <th class="num hide-s">95 %</th>
                        <th class="bar">
                            <span class="sr">bar</span>
                        </th>
                    </tr>
                </thead>
                <tbody>
                    {shown.map(row => {
                        const rate = wilson(row.passed, row.passed + row.failed);
                        return (
                            <tr key={row.model}>
                                <td class="model">
                                    <a
                                        class="ink one"
                                        href={to + '?' + new URLSearchParams({ task: listItem(task_id), ...(row.model ? { model: listItem(row.model) } : {}) })}
                                    >
                                        {row.model == null ? <span class="dim">unknown</span> : visible(row.model.slice(0, 200))}
                                    </a>
                                </td>
                                <td class="num">{num(row.runs)}</td>
                                <td class="num">{percent(rate?.value)}</td>
                                <td class="num dim hide-s">{interval(rate)}</td>
                                <td class="bar">
                                    <Meter value={rate?.value ?? null} />
                                </td>
                            </tr>
                        );
                    })}
                </tbody>
            </table>
            {models.length > shown.length && (
                <footer>
                    <button class="more" type="button" onClick={() => setAll(true)}>
                        all {num(models.length)} models
                    </button>
                </footer>
            )}
        </section>
    );
}
