// Theme and jobs.
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { api, type JobState } from '../api';
import { time } from '../format';
import { Failure, toastError } from '../parts/say';
import { Shell } from '../parts/shell';
import { setTheme, theme, type Theme } from '../theme';
import { asApiError, useAsk, useTitle } from '../use';

export function SettingsPage(): JSX.Element {
    useTitle('Settings');
    return (
        <Shell>
            <main id="main">
                <h1 class="page-title">Settings and jobs</h1>
                <Look />
                <Jobs />
            </main>
        </Shell>
    );
}

function Look(): JSX.Element {
    const [now, set] = useState(theme());
    const choose = (next: Theme) => {
        setTheme(next);
        set(next);
    };
    return (
        <section class="panel" aria-label="Theme">
            <header>
                <h2>Theme</h2>
            </header>
            <div class="pad seg" role="group" aria-label="Theme">
                {(['system', 'light', 'dark'] as Theme[]).map(t => (
                    <button key={t} class="btn" type="button" aria-pressed={now === t} onClick={() => choose(t)}>
                        {t === 'system' ? 'as the system' : t}
                    </button>
                ))}
            </div>
        </section>
    );
}

const live = (state: JobState) => state === 'queued' || state === 'running';

function Jobs(): JSX.Element {
    const { data, error, again } = useAsk('jobs', signal => api.jobs(signal));
    const busy = data?.items.some(job => live(job.state));
    useEffect(() => {
        if (!busy) return;
        const timer = setInterval(again, 1000);
        return () => clearInterval(timer);
    }, [busy]);
    const cancel = async (id: string) => {
        try {
            await api.cancelJob(id);
            again();
        } catch (e) {
            toastError('The job could not be cancelled.', asApiError(e));
        }
    };
    return (
        <section class="panel" aria-label="Jobs">
            <header>
                <h2>Jobs</h2>
                <span class="dim">imports, scans; the newest first</span>
            </header>
            {error && (
                <div class="pad">
                    <Failure error={error} again={again} />
                </div>
            )}
            {data && !data.items.length && <p class="none-yet">Nothing has run yet.</p>}
            {!!data?.items.length && (
                <div class="scroll">
                    <table class="grid-t">
                        <thead>
                            <tr>
                                <th>Job</th>
                                <th>State</th>
                                <th>Started</th>
                                <th>Ended</th>
                                <th>Said</th>
                                <th>
                                    <span class="sr">Cancel</span>
                                </th>
                            </tr>
                        </thead>
                        <tbody>
                            {data.items.map(job => (
                                <tr key={job.id}>
                                    <td>
                                        {job.kind} {job.filename} <span class="mono dim">{job.id.slice(0, 8)}</span>
                                    </td>
                                    <td>{job.state}</td>
                                    <td>{time(job.started_at)}</td>
                                    <td>{time(job.ended_at)}</td>
                                    <td>{job.error ?? ''}</td>
                                    <td>
                                        {live(job.state) && (
                                            <button class="more" type="button" onClick={() => cancel(job.id)}>
                                                cancel
                                            </button>
                                        )}
                                    </td>
                                </tr>
                            ))}
                        </tbody>
                    </table>
                </div>
            )}
        </section>
    );
}
