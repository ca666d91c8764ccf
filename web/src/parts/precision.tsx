// How good each detector has been, counted from reviews; and the other runs of the task.
import type { JSX } from 'preact';
import { api, type Finding, type Summary } from '../api';
import { count, num, percent, runLabel, wilson } from '../format';
import { listItem } from '../filter';
import { collectionPath, runPath, withQuery } from '../router';
import { useAsk } from '../use';
import { OutcomeMark } from './marks';

export function Side({ summary, finding }: { summary?: Summary; finding?: Finding }): JSX.Element {
    const reviewed = summary?.detectors.reduce((sum, d) => sum + d.confirmed + d.dismissed, 0) ?? 0;
    const confirmed = summary?.detectors.reduce((sum, d) => sum + d.confirmed, 0) ?? 0;
    const task = finding?.task_id;
    const siblings = useAsk(summary && task != null ? `siblings ${summary.collection.id} ${task}` : null, signal =>
        api.runs(summary!.collection.id, { task, limit: 20, count: 1 }, signal),
    );
    const graded = siblings.data?.items.filter(run => run.success != null) ?? [];
    return (
        <aside class="side" aria-label="Precision">
            <section>
                <h2>Precision, from reviews</h2>
                <p>Confirmed of reviewed, with a 95 % interval. Scale 0 to 100 %.</p>
                <ul>
                    {summary?.detectors.map(d => {
                        const n = d.confirmed + d.dismissed;
                        const rate = wilson(d.confirmed, n);
                        return (
                            <li class="prec" key={d.detector}>
                                <a class="one" href={withQuery({ detector: d.detector, f: null, side: null })}>
                                    {d.detector}
                                </a>
                                {rate ? (
                                    <span>
                                        {percent(rate.value, 0)} % <span class="dim">of {num(n)}</span>
                                    </span>
                                ) : (
                                    <span class="dim">no reviews</span>
                                )}
                                <svg
                                    viewBox="0 0 200 12"
                                    preserveAspectRatio="none"
                                    role={rate ? 'img' : undefined}
                                    aria-hidden={rate ? undefined : 'true'}
                                    aria-label={
                                        rate
                                            ? `95 % interval ${Math.round(rate.low * 100)} to ${Math.round(rate.high * 100)}`
                                            : undefined
                                    }
                                >
                                    <path class="trk" d="M0 6h200" />
                                    {rate && <path class="rng" d={`M${rate.low * 200} 6H${rate.high * 200}`} />}
                                    {rate && <path class="pt" d={`M${Math.min(197, rate.value * 200 - 1.5)} 1h3v10h-3z`} />}
                                </svg>
                            </li>
                        );
                    })}
                </ul>
            </section>
            {summary && (
                <section>
                    <h2>Reviewed</h2>
                    <p>
                        {num(reviewed)} of {count(summary.collection.findings, 'finding')}. {num(confirmed)} confirmed,{' '}
                        {num(reviewed - confirmed)} dismissed.
                    </p>
                </section>
            )}
            {siblings.data && siblings.data.items.length > 1 && (
                <section>
                    <h2>Same task</h2>
                    <p>
                        {graded.length
                            ? `${num(graded.filter(run => run.success).length)} of ${num(graded.length)} passed.`
                            : 'None was graded.'}
                    </p>
                    <ul class="same">
                        {siblings.data.items.slice(0, 12).map(run => (
                            <li key={run.id}>
                                <OutcomeMark success={run.success} label /> <a href={runPath(run.id)}>{runLabel(run)}</a>{' '}
                                <span class="dim one">{run.first_finding?.behavior ?? run.model}</span>
                            </li>
                        ))}
                        {(siblings.data.total ?? siblings.data.items.length) > 12 && (
                            <li>
                                <a
                                    href={
                                        collectionPath(summary!.collection, 'runs') + '?' + new URLSearchParams({ task: listItem(task!) })
                                    }
                                >
                                    all of them
                                </a>
                            </li>
                        )}
                    </ul>
                </section>
            )}
        </aside>
    );
}
