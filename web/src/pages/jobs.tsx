// What the server works at and has worked at: imports, scans, judging; the newest first.
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { api, firstPages, type Job, type JobState } from '../api';
import { count, duration, num, time } from '../format';
import { ActionsHead, AskedTable } from '../parts/asked';
import { isLive, JobSaid } from '../parts/jobs';
import { toast, toastError } from '../parts/say';
import { Shell } from '../parts/shell';
import { go, usePlace, withQuery } from '../router';
import { visible } from '../text';
import { asApiError, useAsk, useKept, useTitle } from '../use';

const PAGE = 50;
const STATES: [JobState | '', string][] = [
    ['', 'all'],
    ['running', 'running'],
    ['queued', 'queued'],
    ['failed', 'failed'],
    ['cancelled', 'cancelled'],
];

export function JobsPage(): JSX.Element {
    useTitle('Jobs');
    const { query } = usePlace();
    const state = query.get('state') ?? '';
    const [pages, setPages] = useState(1);
    const { data: fresh, error, again } = useAsk(`jobs ${state} ${pages}`, signal =>
        firstPages(pages, after => api.jobs(signal, { state, limit: PAGE, after })),
    );
    const data = useKept(fresh);
    const collections = useAsk('collections of jobs', signal => api.collections({ limit: 1000 }, signal));
    const busy = data?.items.some(job => isLive(job.state));
    useEffect(() => {
        if (!busy) return;
        const timer = setTimeout(again, 1000);
        return () => clearTimeout(timer);
    }, [busy, data]);
    const change = async (what: () => Promise<unknown>, said: string, failed: string) => {
        try {
            await what();
            toast(said);
            again();
        } catch (e) {
            toastError(failed, asApiError(e));
        }
    };
    const nameOf = (id: string) => collections.data?.items.find(c => c.id === id)?.name;
    return (
        <Shell tab="jobs">
            <main id="main">
                <div class="title-row">
                    <h1 class="page-title">Jobs</h1>
                    <span class="dim">imports, scans, judging; the newest first</span>
                    <span class="seg jobs-filter" role="group" aria-label="State">
                        {STATES.map(([value, word]) => (
                            <button
                                key={value}
                                class="btn"
                                type="button"
                                aria-pressed={state === value}
                                onClick={() => {
                                    setPages(1);
                                    go(withQuery({ state: value || null }), true);
                                }}
                            >
                                {word}
                            </button>
                        ))}
                    </span>
                </div>
                <section class="panel" aria-label="Jobs" id="jobs">
                    <AskedTable
                        asked={{ data, error, again }}
                        failed="The jobs could not be loaded."
                        none={
                            <p class="none-yet">
                                {state ? (
                                    `No job is ${state}.`
                                ) : (
                                    <>
                                        Nothing has run yet. <a href="/">Import transcripts</a>, and their jobs stand here.
                                    </>
                                )}
                            </p>
                        }
                        kind="jobs"
                        heads={['Job', 'State', 'Started', 'Took', 'What it did', <ActionsHead key="actions" />]}
                    >
                        {job => (
                            <Row
                                key={job.id}
                                job={job}
                                collection={job.collection ? (nameOf(job.collection) ?? null) : null}
                                cancel={() =>
                                    change(() => api.cancelJob(job.id), 'The job is being cancelled', 'The job could not be cancelled.')
                                }
                                retry={() =>
                                    change(() => api.retryJob(job.id), 'The job waits its turn again', 'The job could not be tried again.')
                                }
                            />
                        )}
                    </AskedTable>
                    {data?.next && (
                        <p class="pad">
                            <button class="btn" type="button" onClick={() => setPages(pages + 1)}>
                                Show more
                            </button>{' '}
                            <span class="dim">
                                {num(data.items.length)} of {count(data.total ?? data.items.length, 'job')}
                            </span>
                        </p>
                    )}
                </section>
            </main>
        </Shell>
    );
}

function took(job: Job): string {
    if (!job.started_at) return duration(null);
    const end = job.ended_at ? new Date(job.ended_at).getTime() : Date.now();
    return duration(Math.max(0, end - new Date(job.started_at).getTime()));
}

function Row({
    job,
    collection,
    cancel,
    retry,
}: {
    job: Job;
    /** Its name; null where there is none, or none any more. */
    collection: string | null;
    cancel: () => void;
    retry: () => void;
}): JSX.Element {
    // The bytes of an upload that was cancelled are gone; a build begins again by itself.
    const again = job.kind !== 'build' && (job.state === 'failed' || (job.state === 'cancelled' && job.kind !== 'import'));
    const named = job.filename ? `${job.kind} ${visible(job.filename)}` : job.kind;
    return (
        <tr>
            <td>
                <span class="name">{job.kind}</span> {job.filename && visible(job.filename)}{' '}
                {job.collection && collection != null && (
                    <a class="under" href={`/c/${job.collection}`}>
                        {visible(collection)}
                    </a>
                )}{' '}
                <span class="mono dim" title={job.id}>
                    {job.id.slice(0, 8)}
                </span>
            </td>
            <td data-l="state" class={`job-state job-${job.state}`}>
                {job.state}
                {job.attempts > 1 && <span class="dim">, attempt {job.attempts}</span>}
            </td>
            <td data-l="started">{time(job.started_at ?? job.created_at)}</td>
            <td data-l="took" class="num-l">
                {took(job)}
            </td>
            <td class="job-said">
                <JobSaid job={job} />
            </td>
            <td class="row-acts">
                {isLive(job.state) && (
                    <button data-need="review" class="more" type="button" aria-label={`Cancel the job ${named}`} onClick={cancel}>
                        cancel
                    </button>
                )}
                {again && (
                    <button data-need="review" class="more" type="button" aria-label={`Try again the job ${named}`} onClick={retry}>
                        try again
                    </button>
                )}
            </td>
        </tr>
    );
}
