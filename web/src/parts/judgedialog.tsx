// Judging chosen runs: with which rubric and model, what it will cost, then the job.
import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { ApiError } from '../api';
import { DASH, cost, count, num } from '../format';
import { judging, type Estimate, type JudgeAsk } from '../judging';
import { go } from '../router';
import { visible } from '../text';
import { asApiError, useAsk } from '../use';
import { Field } from './field';
import { ConnectOne } from './models';
import { Dialog, DialogHead, Failure, toast } from './say';

const PAIRED = 4; /* questions, where the model gives no log-probabilities */

/** Asks for an estimate a moment after the last change; the old one stays until the new one is there. */
function useEstimate(ask: JudgeAsk | null): { estimate?: Estimate; error?: ApiError; fresh: boolean } {
    const [state, set] = useState<{ key: string; estimate?: Estimate; error?: ApiError }>({ key: '' });
    const key = ask ? JSON.stringify(ask) : '';
    useEffect(() => {
        if (!key) return;
        const stop = new AbortController();
        const timer = setTimeout(() => {
            judging.estimate(JSON.parse(key) as JudgeAsk, stop.signal).then(
                estimate => set({ key, estimate }),
                (e: unknown) => stop.signal.aborted || set({ key, error: asApiError(e) }),
            );
        }, 250);
        return () => {
            clearTimeout(timer);
            stop.abort();
        };
    }, [key]);
    return { estimate: state.estimate, error: state.error, fresh: state.key === key };
}

export function JudgeDialog({
    runs,
    what,
    onClose,
}: {
    /** Which runs: by ids, or a collection and its filter. */
    runs: Pick<JudgeAsk, 'collection' | 'ids' | 'filter'>;
    what: string;
    onClose: () => void;
}): JSX.Element {
    const rubrics = useAsk('rubrics', signal => judging.rubrics({ limit: 1000 }, signal));
    const models = useAsk('models', signal => judging.models(signal));
    const [rubric, setRubric] = useState('');
    const [model, setModel] = useState('');
    const [samples, setSamples] = useState('1');
    const [paired, setPaired] = useState(false);
    const [again, setAgain] = useState(false);
    const [cap, setCap] = useState('');
    const [starting, setStarting] = useState(false);
    const [refused, setRefused] = useState<ApiError>();
    const chosen = models.data?.items.find(m => m.name === (model || models.data!.default));
    const priced = chosen?.price != null;
    const bad = cap !== '' && !(Number(cap) > 0);
    const ask: JudgeAsk | null =
        rubric && chosen && !bad
            ? {
                  ...runs,
                  rubric,
                  model: chosen.name,
                  samples: Number(samples),
                  ...(paired && { paired: PAIRED }),
                  ...(again && { again }),
                  ...(cap && (priced ? { max_usd: Number(cap) } : { max_calls: Math.round(Number(cap)) })),
              }
            : null;
    const { estimate, error, fresh } = useEstimate(ask);
    const start = async (event: Event) => {
        event.preventDefault();
        if (!ask) return;
        setStarting(true);
        try {
            await judging.judge(ask);
            toast(`${count(estimate?.runs ?? 0, 'run')} are being judged`, { label: 'watch', run: () => go('/jobs') });
            onClose();
        } catch (e) {
            setRefused(asApiError(e));
            setStarting(false);
        }
    };
    const failure = rubrics.error ?? models.error;
    return (
        <Dialog title="Judge runs" onClose={onClose}>
            <DialogHead title={`Judge ${what}`} onClose={onClose} />
            {failure ? (
                <div class="pad">
                    <Failure error={failure} />
                </div>
            ) : models.data && !models.data.items.length ? (
                <div class="pad">
                    <ConnectOne />
                </div>
            ) : (
                <form class="pad sheet" onSubmit={start}>
                    <Field label="Rubric" help="The question that is put to each run.">
                        <select required value={rubric} autofocus onChange={event => setRubric(event.currentTarget.value)}>
                            <option value="">choose</option>
                            {rubrics.data?.items.map(r => (
                                <option key={r.name} value={r.name}>
                                    {visible(r.title)}, v{r.version}
                                </option>
                            ))}
                        </select>
                    </Field>
                    <Field label="Model">
                        <select value={chosen?.name ?? ''} onChange={event => setModel(event.currentTarget.value)}>
                            {models.data?.items.map(m => (
                                <option key={m.name} value={m.name}>
                                    {visible(m.name)}: {visible(m.model)}
                                </option>
                            ))}
                        </select>
                    </Field>
                    <div class="pair">
                        <Field label="Samples" help="Answers a run; the majority counts, and each quote by how many cite it.">
                            <select value={samples} onChange={event => setSamples(event.currentTarget.value)}>
                                {['1', '3', '5', '7', '9'].map(n => (
                                    <option key={n}>{n}</option>
                                ))}
                            </select>
                        </Field>
                        <Field
                            label={priced ? 'Cap, USD' : 'Cap, calls'}
                            help={
                                priced ? 'Never passed. Empty: $5.' : 'Never passed. Empty: 1,000, as the model has no price.'
                            }
                        >
                            <input
                                inputMode="decimal"
                                autocomplete="off"
                                aria-invalid={bad || undefined}
                                placeholder={priced ? '5' : '1000'}
                                value={cap}
                                onInput={event => setCap(event.currentTarget.value.trim())}
                            />
                        </Field>
                    </div>
                    <label class="check">
                        <input type="checkbox" checked={paired} onChange={event => setPaired(event.currentTarget.checked)} />
                        <span>
                            Ask whether the judge knows <small>a second question a run gives an epistemic confidence</small>
                        </span>
                    </label>
                    <label class="check">
                        <input type="checkbox" checked={again} onChange={event => setAgain(event.currentTarget.checked)} />
                        <span>
                            Judge again <small>also what was judged alike before</small>
                        </span>
                    </label>
                    <div class="estimate" aria-live="polite" aria-busy={!fresh}>
                        {refused ? (
                            <Failure error={refused} what="Judging did not start." />
                        ) : error && fresh ? (
                            <Failure error={error} what="No estimate." />
                        ) : estimate && ask ? (
                            <Estimated estimate={estimate} />
                        ) : (
                            <p class="dim">
                                {bad
                                    ? 'The cap is a number above 0.'
                                    : 'Choose a rubric: what it will cost is said before it starts.'}
                            </p>
                        )}
                    </div>
                    <p class="sheet-end">
                        <button
                            class="btn btn-main"
                            type="submit"
                            disabled={!ask || !estimate || !fresh || starting || estimate.runs === 0}
                        >
                            {estimate && fresh && ask ? `Judge ${count(estimate.runs, 'run')}` : 'Judge'}
                        </button>
                    </p>
                </form>
            )}
        </Dialog>
    );
}

function Estimated({ estimate: e }: { estimate: Estimate }): JSX.Element {
    const facts: [string, ComponentChildren][] = [
        ['runs', num(e.runs)],
        ['calls', num(e.calls)],
        ['tokens in', num(e.tokens_in)],
        ['tokens out', num(e.tokens_out)],
        ['about', e.usd == null ? DASH : cost(e.usd)],
        ['at most', e.usd_most == null ? DASH : cost(e.usd_most)],
    ];
    return (
        <>
            <p class="facts">
                {facts
                    .filter(([, value]) => value != null)
                    .map(([name, value]) => (
                        <span key={name}>
                            {name} <b>{value}</b>
                        </span>
                    ))}
            </p>
            <p class="dim">
                {e.skipped > 0 && `${count(e.skipped, 'run')} judged alike before and left out. `}
                {visible(e.basis)} {visible(e.cap)}
            </p>
        </>
    );
}
