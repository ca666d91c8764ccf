// What a job does, and what came of it: progress, counts, what was refused.
import type { JSX } from 'preact';
import type { ImportReport, Job, JobState, Json } from '../api';
import { KINDS, KIND_NAME, bytes, cost, count, duration, num, time } from '../format';
import type { JudgeProgress, JudgeResult } from '../judging';
import { visible } from '../text';
import { KindMark, Meter } from './marks';
import { Tree } from './tree';

export const isLive = (state: JobState) => state === 'queued' || state === 'running';

/** How far it has come, or what it did. */
export function JobSaid({ job }: { job: Job }): JSX.Element {
    return (
        <>
            {job.kind === 'judge' ? (
                <Judging job={job} />
            ) : job.kind === 'import' && job.result ? (
                <Imported report={job.result as unknown as ImportReport} />
            ) : job.result ? (
                <Sums result={job.result} />
            ) : (
                isLive(job.state) && <Progress job={job} />
            )}
            {job.error && <p class="state-failed">{visible(job.error)}</p>}
        </>
    );
}

const number = (value: Json | undefined) => (typeof value === 'number' ? value : null);

function Progress({ job }: { job: Job }): JSX.Element | null {
    const p = job.progress;
    if (!p) return job.state === 'queued' ? <p class="dim">waits its turn</p> : null;
    const total = number(p.total);
    const done = number(p.bytes) ?? number(p.runs);
    const inBytes = typeof p.bytes === 'number';
    const spent = job.started_at ? Date.now() - new Date(job.started_at).getTime() : 0;
    const share = total && done != null ? Math.min(1, done / total) : null;
    const left = share && share > 0.05 && share < 1 && spent > 2000 ? (spent * (1 - share)) / share : null;
    return (
        <>
            {share != null && (
                <p class="job-bar">
                    <Meter value={share} />
                    <span>
                        {inBytes ? `${bytes(done!)} of ${bytes(total!)}` : `${num(done!)} of ${count(total!, 'run')}`}
                        {left != null && `, about ${duration(left)} to go`}
                    </span>
                </p>
            )}
            <p class="dim">
                {list([
                    inBytes && typeof p.runs === 'number' && count(p.runs, 'run'),
                    typeof p.messages === 'number' && count(p.messages, 'message'),
                    typeof p.tasks === 'number' && count(p.tasks, 'task'),
                ])}
            </p>
        </>
    );
}

const REFUSED = 20;

function Imported({ report: r }: { report: ImportReport }): JSX.Element {
    const repairs = Object.values(r.repairs).reduce((a, b) => a + b, 0);
    return (
        <>
            <p>
                {list([
                    `${num(r.runs.new)} new ${r.runs.new === 1 ? 'run' : 'runs'}`,
                    r.runs.updated > 0 && `${num(r.runs.updated)} updated`,
                    r.runs.duplicate > 0 && `${num(r.runs.duplicate)} seen before`,
                    count(r.messages, 'message'),
                    r.files.skipped > 0 && `${count(r.files.skipped, 'file')} no transcript`,
                    repairs > 0 && `${num(repairs)} repaired`,
                ])}{' '}
                {KINDS.filter(kind => r.findings.by_kind[kind]).map(kind => (
                    <span key={kind} class="kind-n">
                        <KindMark kind={kind} label={KIND_NAME[kind]} /> {num(r.findings.by_kind[kind])}
                    </span>
                ))}
            </p>
            {r.errors.length > 0 && (
                <details class="refused">
                    <summary>{count(Math.max(r.runs.rejected + r.files.failed, r.errors.length), 'refused', 'refused')}</summary>
                    <ul>
                        {r.errors.slice(0, REFUSED).map((error, i) => (
                            <li key={i}>
                                <span class="mono">{visible([error.source, error.location].filter(Boolean).join(', ')) || 'the upload'}</span>{' '}
                                {visible(error.message)} <code class="dim">{error.code}</code>
                            </li>
                        ))}
                        {r.errors.length > REFUSED && <li class="dim">and {num(r.errors.length - REFUSED)} more</li>}
                    </ul>
                </details>
            )}
        </>
    );
}

const NOT_SAID = new Set(['runs_total', 'seconds']); /* the same as the runs once it has ended; how long it took has a column */

/** Counts in a line; whatever else a result holds, folded below. */
function Sums({ result }: { result: Record<string, Json> }): JSX.Element {
    const counts = Object.entries(result).filter(([name, value]) => typeof value === 'number' && value && !NOT_SAID.has(name));
    const rest = Object.fromEntries(
        Object.entries(result).filter(([, value]) => typeof value === 'object' && value && Object.keys(value).length),
    );
    return (
        <>
            {counts.length > 0 && <p>{counts.map(([name, value]) => `${num(value as number)} ${name.replace(/_/g, ' ')}`).join(', ')}</p>}
            {Object.keys(rest).length > 0 && <Tree value={rest} label="Result" lines={1} />}
        </>
    );
}

const list = (parts: (string | null | false | 0)[]) => parts.filter(part => typeof part === 'string').join(', ');

/** How far a judging job is and what it has spent; when it has ended, what came of it. */
function Judging({ job }: { job: Job }): JSX.Element {
    const p = job.progress as unknown as JudgeProgress | null;
    const result = job.result as unknown as JudgeResult | null;
    const failed = result?.stages?.reduce((n, stage) => n + stage.failed, 0) ?? 0;
    const asked = result?.stages?.reduce((n, stage) => n + stage.total - stage.skipped, 0) ?? 0;
    return (
        <>
            {!result && p?.total != null && (
                <>
                    <p class="job-bar">
                        <Meter value={p.total ? p.done / p.total : null} />
                        <span>
                            {num(p.done)} of {count(p.total, 'run')}
                            {p.stages > 1 && `, stage ${p.stage} of ${p.stages}`}
                        </span>
                    </p>
                    <p class="dim">
                        {said(p)}
                        {isLive(job.state) && !p.paused && p.eta_s != null && `, about ${duration(p.eta_s * 1000)} to go`}
                    </p>
                    {isLive(job.state) && p.paused && (
                        <p class="warn">
                            Paused: {visible(p.paused)} {p.until && `Next try ${time(p.until)}.`}
                        </p>
                    )}
                </>
            )}
            {result?.stages?.map((stage, i) => (
                <p key={i}>
                    <a href={`/judges/${encodeURIComponent(stage.rubric)}?version=${stage.version}`}>{visible(stage.rubric)}</a>{' '}
                    v{stage.version}: {answeredOf(stage)}
                    {', '}
                    {stage.flagged > 0 && job.collection ? (
                        <a
                            href={`/c/${job.collection}/findings?detector=judge:${encodeURIComponent(stage.rubric)}@${stage.version}`}
                        >
                            {num(stage.flagged)} flagged
                        </a>
                    ) : (
                        `${num(stage.flagged)} flagged`
                    )}
                </p>
            ))}
            {failed > 0 && (
                <p class="state-failed">
                    {failed === asked ? `all ${num(failed)} failed` : `${num(failed)} of ${num(asked)} failed`}
                    {result?.failures?.[0] && `: ${visible(result.failures[0].reason)}`}
                </p>
            )}
            {result && (
                <p class="dim">
                    {list([
                        count(result.calls, 'call'),
                        result.cached > 0 && `${num(result.cached)} from the cache`,
                        result.usd != null && `${cost(result.usd)} spent`,
                        (result.usd_unsettled ?? 0) > 0 &&
                            `at most ${cost(result.usd_unsettled)} more for calls without an answer`,
                    ])}
                </p>
            )}
            {result?.stopped && (
                <p class="warn">
                    Stopped at the cap of {result.stopped === 'max_usd' ? 'money' : 'calls'}; {count(result.remaining, 'run')}{' '}
                    left. Judge them again with a higher cap: what was answered is not paid twice.
                </p>
            )}
            {result?.failures?.slice(1, 3).map(failure => (
                <p key={failure.reason} class="sub">
                    {num(failure.n)}: {visible(failure.reason)}
                </p>
            ))}
        </>
    );
}

/** What was judged alike before was not asked, so it is not counted among what was answered. */
function answeredOf(stage: JudgeResult['stages'][number]): string {
    const asked = stage.total - stage.skipped;
    return list([
        asked > 0 && `${num(stage.answered + stage.unsupported)} of ${count(asked, 'run')} answered`,
        stage.skipped > 0 && `${num(stage.skipped)} judged alike before`,
        !stage.total && 'no run to judge',
    ]);
}

const said = (p: JudgeProgress) =>
    list([
        `${num(p.flagged)} flagged`,
        p.unsupported && `${num(p.unsupported)} unsupported`,
        p.failed && `${num(p.failed)} failed`,
        p.skipped && `${num(p.skipped)} judged alike before`,
        count(p.calls, 'call'),
        p.usd != null && `${cost(p.usd)} spent`,
    ]);
