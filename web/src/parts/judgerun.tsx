// Putting a rubric to runs: a try on five that stores nothing, what a whole selection would cost, and the job that does it.
import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { api, type ApiError, type Job } from '../api';
import { RUN_KEYS, readTerms } from '../filter';
import { cost, count, duration, num, time } from '../format';
import { judging, type Estimate, type JudgeAsk, type JudgeProgress, type JudgeResult, type Judgment, type Models, type RubricRow } from '../judging';
import { currentPlace, go, withQuery } from '../router';
import { visible } from '../text';
import { asApiError, useAsk } from '../use';
import { Failure, toastError } from './say';

/** One sentence, wherever something needs a model and there is none. */
export function NoModel(): JSX.Element {
    return (
        <p class="limits">
            <b>No model is connected:</b> name one in telltale.yaml, set TELLTALE_MODEL_URL and TELLTALE_MODEL, or{' '}
            <a href="/settings">add a public one in the settings</a>. Without one rubrics are read and written, labels given, and people compared.
        </p>
    );
}

export const live = (job: Job | undefined) => job?.state === 'queued' || job?.state === 'running';

/** A job, asked for again while it goes on. */
export function useJob(id: string | null) {
    const answer = useAsk(id == null ? null : 'job ' + id, signal => api.job(id!, signal));
    const going = id != null && (!answer.data || live(answer.data)) && !answer.error;
    useEffect(() => {
        if (!going) return;
        const timer = setInterval(answer.again, 1000);
        return () => clearInterval(timer);
    }, [going, id]);
    return answer;
}

export function JudgePanels({
    rubric,
    version,
    latest,
    collection,
    models,
    rubrics,
    onTried,
    onDone,
}: {
    rubric: string;
    version: number;
    latest: boolean;
    collection: string | null;
    models: Models;
    /** For the second stage of a cascade. */
    rubrics: RubricRow[];
    onTried: (judgments: Judgment[]) => void;
    onDone: () => void;
}): JSX.Element {
    const [model, setModel] = useState(models.default ?? models.items[0]?.name ?? '');
    const chosen = models.items.find(m => m.name === model);
    return (
        <>
            <section class="panel" aria-label="Try">
                <header>
                    <h2>Try on five runs</h2>
                    <span class="dim">nothing is stored</span>
                </header>
                <div class="form">
                    <div class="row">
                        <label class="grow">
                            Model
                            <select value={model} onChange={event => setModel(event.currentTarget.value)}>
                                {models.items.map(m => (
                                    <option key={m.name} value={m.name}>
                                        {visible(m.name)}
                                        {m.name !== m.model && ` (${visible(m.model)})`}
                                    </option>
                                ))}
                            </select>
                        </label>
                        <CollectionChoice collection={collection} />
                    </div>
                    <TryForm rubric={rubric} version={version} collection={collection} model={model} onTried={onTried} />
                </div>
            </section>
            <section class="panel" aria-label="Judge runs">
                <header>
                    <h2>Judge runs</h2>
                    <span class="dim">{latest ? '' : `version ${version}, not the latest; `}an estimate first</span>
                </header>
                <RunForm
                    rubric={rubric}
                    version={version}
                    collection={collection}
                    model={model}
                    models={models}
                    rubrics={rubrics}
                    priced={chosen?.price != null}
                />
                <Watch onDone={onDone} />
            </section>
        </>
    );
}

function CollectionChoice({ collection }: { collection: string | null }): JSX.Element {
    const all = useAsk('collections to judge', signal => api.collections({ limit: 1000 }, signal));
    useEffect(() => {
        // One collection is no choice.
        if (collection == null && all.data?.items.length === 1) go(withQuery({ collection: all.data.items[0]!.name }), true);
    }, [all.data]);
    const names = all.data?.items.map(c => c.name) ?? [];
    return (
        <label class="grow">
            Collection
            <select value={collection ?? ''} onChange={event => go(withQuery({ collection: event.currentTarget.value, ids: null }), true)}>
                <option value="">choose one</option>
                {collection != null && !names.includes(collection) && <option value={collection}>{visible(collection)}</option>}
                {all.data?.items.map(c => (
                    <option key={c.id} value={c.name}>
                        {visible(c.name)} ({num(c.runs)})
                    </option>
                ))}
            </select>
        </label>
    );
}

const TRY_MOST = 20; /* as the server has it */

/** The ids of runs that were named by their ids or by the names that their source gave them. */
async function idsOf(names: string[], collection: string | null): Promise<string[]> {
    const ids: string[] = [];
    for (const name of names.slice(0, TRY_MOST)) {
        if (/^[0-9a-f]{8}-[0-9a-f-]{27}$/i.test(name)) {
            ids.push(name);
            continue;
        }
        const found = collection ? (await api.runs(collection, { q: name, limit: 100 })).items.find(r => r.external_id === name) : undefined;
        if (!found) throw new Error(`There is no run ${name}${collection ? ` in ${collection}` : ': choose its collection first'}.`);
        ids.push(found.id);
    }
    return ids;
}

type Which = 'first' | 'chance' | 'these';

function TryForm({
    rubric,
    version,
    collection,
    model,
    onTried,
}: {
    rubric: string;
    version: number;
    collection: string | null;
    model: string;
    onTried: (judgments: Judgment[]) => void;
}): JSX.Element {
    const given = currentPlace().query.get('ids') ?? '';
    const [which, setWhich] = useState<Which>(given ? 'these' : 'first');
    const [names, setNames] = useState(given.split(',').filter(Boolean).slice(0, 5).join('\n'));
    const [job, setJob] = useState<string | null>(null);
    const [refused, setRefused] = useState<ApiError | null>(null);
    const { data, error } = useJob(job);
    const busy = job != null && !error && (!data || live(data));
    const start = async (event: Event) => {
        event.preventDefault();
        setRefused(null);
        const ask: JudgeAsk = { rubric, version, model, try: true, ...(collection ? { collection } : {}) };
        try {
            if (which === 'these') ask.ids = await idsOf(names.split(/[\s,]+/).filter(Boolean), collection);
            else Object.assign(ask, { filter: {}, limit: 5 });
            if (which === 'chance') Object.assign(ask, { sample: true, seed: Math.floor(Math.random() * 1e9) });
            setJob((await judging.judge(ask)).id);
        } catch (e) {
            setRefused(asApiError(e));
        }
    };
    const judgments = (data?.result as unknown as JudgeResult | null)?.judgments;
    useEffect(() => {
        if (judgments) onTried(judgments);
    }, [job, data?.state]);
    const ways: [Which, string][] = [
        ['first', 'the first five'],
        ['chance', 'five by chance'],
        ['these', 'these'],
    ];
    return (
        <>
            <form onSubmit={start} class="row">
                <fieldset class="grow">
                    <legend>Runs</legend>
                    <div class="seg">
                        {ways.map(([way, label]) => (
                            <button class="btn" type="button" key={way} aria-pressed={which === way} onClick={() => setWhich(way)}>
                                {label}
                            </button>
                        ))}
                    </div>
                </fieldset>
                <button data-need="admin"
                    class="btn btn-main"
                    type="submit"
                    disabled={busy || (which !== 'these' && !collection) || (which === 'these' && !names.trim())}
                    title={which !== 'these' && !collection ? 'Choose a collection first' : undefined}
                >
                    {busy ? 'Trying' : 'Try'}
                </button>
            </form>
            {which === 'these' && (
                <label>
                    Ids or names of runs, one a line
                    <textarea class="plain" rows={3} value={names} onInput={event => setNames(event.currentTarget.value)} />
                </label>
            )}
            {(refused ?? error) && <Failure error={(refused ?? error)!} what="The try did not start." />}
            {busy && <p class="hint" role="status">Asking the model.</p>}
            {data?.state === 'failed' && <p class="state-failed" role="alert">{visible(data.error ?? 'The try failed.')}</p>}
        </>
    );
}

interface Wish {
    filter: string;
    found: string;
    limit: string;
    chance: boolean;
    again: boolean;
    samples: string;
    paired: string;
    usd: string;
    calls: string;
    then: string;
    thenModel: string;
}

const EMPTY: Wish = {
    filter: '',
    found: '',
    limit: '',
    chance: false,
    again: false,
    samples: '1',
    paired: '0',
    usd: '',
    calls: '',
    then: '',
    thenModel: '',
};

/** The body of the question, or why it cannot be asked. */
function askOf(wish: Wish, base: { rubric: string; version: number; model: string; collection: string | null; ids: string[] }): JudgeAsk | string {
    const { collection, ids, ...rest } = base;
    const ask: JudgeAsk = { ...rest };
    const number = (text: string, name: string, least: number, most: number, whole = true): number | undefined => {
        if (!text.trim()) return undefined;
        const n = Number(text);
        if (!isFinite(n) || n < least || n > most || (whole && !Number.isInteger(n)))
            throw new Error(`${name} is a ${whole ? 'whole ' : ''}number from ${least} to ${num(most)}.`);
        return n;
    };
    try {
        if (collection) ask.collection = collection;
        if (ids.length) ask.ids = ids;
        else if (!collection) return 'Choose a collection first.';
        const { terms, words, unknown } = readTerms(wish.filter + ' ', RUN_KEYS, true);
        if (unknown) return `“${unknown}” is no field. Fields are ${RUN_KEYS.join(', ')} and meta.KEY.`;
        const filter = Object.fromEntries(terms.map(t => [t.key, t.value]));
        if (words.trim()) filter.q = words.trim();
        if (wish.found) ask.findings = { ...filter, detector: wish.found };
        else if (!ids.length) ask.filter = filter;
        const set = <K extends keyof JudgeAsk>(key: K, value: JudgeAsk[K] | undefined) => {
            if (value !== undefined) ask[key] = value;
        };
        set('limit', number(wish.limit, 'The number of runs', 1, 10_000_000));
        set('samples', number(wish.samples, 'The number of samples', 1, 64));
        set('paired', number(wish.paired, 'The number of paired questions', 0, 64) || undefined);
        set('max_usd', number(wish.usd, 'The most to spend', 0, 1e6, false));
        set('max_calls', number(wish.calls, 'The most calls', 1, 100_000_000));
        if (wish.chance && !ask.limit) return 'Say how many runs are to be chosen by chance.';
        if (wish.chance) Object.assign(ask, { sample: true, seed: 1 });
        if (wish.again) ask.again = true;
        if (wish.then) ask.stages = [{ rubric: wish.then, ...(wish.thenModel ? { model: wish.thenModel } : {}) }];
    } catch (e) {
        return (e as Error).message;
    }
    return ask;
}

function RunForm({
    rubric,
    version,
    collection,
    model,
    models,
    rubrics,
    priced,
}: {
    rubric: string;
    version: number;
    collection: string | null;
    model: string;
    models: Models;
    rubrics: RubricRow[];
    priced: boolean;
}): JSX.Element {
    const [wish, setWish] = useState<Wish>(EMPTY);
    const [ids, setIds] = useState(() => (currentPlace().query.get('ids') ?? '').split(',').filter(Boolean));
    const [estimate, setEstimate] = useState<{ of: string; answer?: Estimate; error?: ApiError }>({ of: '' });
    const [starting, setStarting] = useState(false);
    const summary = useAsk(collection == null ? null : 'summary ' + collection, signal => api.summary(collection!, signal));
    const ask = askOf(wish, { rubric, version, model, collection, ids });
    const wanted = typeof ask === 'string' ? '' : JSON.stringify(ask);
    useEffect(() => {
        if (!wanted) return;
        const stop = new AbortController();
        const timer = setTimeout(async () => {
            try {
                const answer = await judging.estimate(JSON.parse(wanted) as JudgeAsk, stop.signal);
                setEstimate({ of: wanted, answer });
            } catch (e) {
                if (!stop.signal.aborted) setEstimate({ of: wanted, error: asApiError(e) });
            }
        }, 400);
        return () => {
            clearTimeout(timer);
            stop.abort();
        };
    }, [wanted]);
    const start = async (event: Event) => {
        event.preventDefault();
        if (!wanted) return;
        setStarting(true);
        try {
            const job = await judging.judge(JSON.parse(wanted) as JudgeAsk);
            go(withQuery({ job: job.id }), true);
        } catch (e) {
            toastError('The judging did not start.', asApiError(e));
        } finally {
            setStarting(false);
        }
    };
    const text = (key: 'filter' | 'limit' | 'samples' | 'paired' | 'usd' | 'calls', label: string, cls: string, hint = '') => (
        <label class={cls}>
            {label}
            <input
                type="text"
                inputMode={key === 'filter' ? 'search' : key === 'usd' ? 'decimal' : 'numeric'}
                autocomplete="off"
                spellcheck={false}
                placeholder={hint}
                value={wish[key]}
                onInput={event => setWish({ ...wish, [key]: event.currentTarget.value })}
            />
        </label>
    );
    const check = (key: 'chance' | 'again', label: string) => (
        <label class="check">
            <input type="checkbox" checked={wish[key]} onChange={event => setWish({ ...wish, [key]: event.currentTarget.checked })} />
            {label}
        </label>
    );
    const now = { answer: estimate.answer, error: estimate.of === wanted ? estimate.error : undefined };
    return (
        <form class="form" onSubmit={start}>
            {ids.length > 0 ? (
                <p>
                    {count(ids.length, 'run')} chosen{' '}
                    <button
                        class="more"
                        type="button"
                        onClick={() => {
                            setIds([]);
                            go(withQuery({ ids: null }), true);
                        }}
                    >
                        choose by a filter instead
                    </button>
                </p>
            ) : (
                <div class="row">
                    {text('filter', 'Only runs like', 'grow', 'success:false  model:…  or words')}
                    <label class="grow">
                        and with findings of
                        <select value={wish.found} onChange={event => setWish({ ...wish, found: event.currentTarget.value })}>
                            <option value="">any or none</option>
                            {summary.data?.detectors.map(d => (
                                <option key={d.detector} value={d.detector}>
                                    {visible(d.detector)} ({num(d.runs)} runs)
                                </option>
                            ))}
                        </select>
                    </label>
                </div>
            )}
            <div class="nums">
                {text('limit', 'At most, runs', '', 'all')}
                {text('samples', 'Samples', '')}
                {text('paired', 'Paired', '')}
                {text('usd', 'At most, $', '', priced ? '5' : '—')}
                {text('calls', 'At most, calls', '', priced ? '—' : '1,000')}
            </div>
            <div class="row">
                {check('chance', 'by chance')}
                {check('again', 'also what was judged alike')}
            </div>
            <div class="row">
                <label class="grow">
                    Where flagged, then ask
                    <select value={wish.then} onChange={event => setWish({ ...wish, then: event.currentTarget.value })}>
                        <option value="">nothing more</option>
                        {rubrics.map(r => (
                            <option key={r.name} value={r.name}>
                                {r.name === rubric ? 'the same again' : visible(r.title)}
                            </option>
                        ))}
                    </select>
                </label>
                {wish.then && (
                    <label class="grow">
                        of model
                        <select value={wish.thenModel} onChange={event => setWish({ ...wish, thenModel: event.currentTarget.value })}>
                            <option value="">the default</option>
                            {models.items.map(m => (
                                <option key={m.name} value={m.name}>
                                    {visible(m.name)}
                                </option>
                            ))}
                        </select>
                    </label>
                )}
            </div>
            <div aria-live="polite">
                {typeof ask === 'string' ? (
                    <p class="hint">{ask}</p>
                ) : now.error ? (
                    <Failure error={now.error} what="No estimate." />
                ) : now.answer ? (
                    <Estimated estimate={now.answer} />
                ) : (
                    <p class="hint">Estimating.</p>
                )}
            </div>
            <div class="row">
                <button data-need="admin"
                    class="btn btn-main"
                    type="submit"
                    disabled={!wanted || starting || !now.answer || now.answer.runs === 0 || estimate.of !== wanted}
                    title={!wanted ? String(ask) : now.answer?.runs === 0 ? 'No run is left to judge' : undefined}
                >
                    Judge {now.answer ? count(now.answer.runs, 'run') : ''}
                </button>
            </div>
        </form>
    );
}

function Estimated({ estimate: e }: { estimate: Estimate }): JSX.Element {
    return (
        <>
            <dl class="figures">
                <Figure name="runs">{num(e.runs)}</Figure>
                <Figure name="calls">{num(e.calls)}</Figure>
                <Figure name="tokens in">{num(e.tokens_in)}</Figure>
                <Figure name="tokens out">{num(e.tokens_out)}</Figure>
                <Figure name="likely">{cost(e.usd)}</Figure>
                <Figure name="at most">{cost(e.usd_most)}</Figure>
            </dl>
            <p class="hint">
                {e.skipped > 0 && `${count(e.skipped, 'run')} judged alike before, skipped. `}
                {visible(e.basis)} {visible(e.cap)}
            </p>
        </>
    );
}

const Figure = ({ name, children }: { name: string; children: ComponentChildren }): JSX.Element => (
    <div>
        <dt>{name}</dt>
        <dd>{children}</dd>
    </div>
);

/** The job that the address names: how far it is, what it has spent, why it waits. */
function Watch({ onDone }: { onDone: () => void }): JSX.Element | null {
    const id = currentPlace().query.get('job');
    const { data: job, error, again } = useJob(id);
    const [asked, setAsked] = useState(false);
    const state = job?.state;
    const now = job?.progress as unknown as JudgeProgress | null | undefined;
    const result = job?.state === 'done' ? (job.result as unknown as JudgeResult | null) : null;
    const stages = result?.stages ?? [];
    /* While it goes on, the counts are those of its stage; at the end, of all. */
    const sum = (member: 'total' | 'done' | 'answered' | 'flagged' | 'failed' | 'unsupported' | 'skipped') =>
        result ? stages.reduce((n, stage) => n + stage[member], 0) : (now?.[member] ?? null);
    const judged = sum('done') ?? 0;
    const total = sum('total');
    const spent = result ?? now;
    useEffect(() => {
        if (state && !live(job)) onDone();
    }, [id, state]);
    useEffect(onDone, [Math.floor(judged / 20)]);
    if (id == null) return null;
    if (error)
        return (
            <div class="pad">
                <Failure error={error} again={again} what="The job cannot be seen." />
            </div>
        );
    if (!job) return null;
    const share = total ? Math.min(1, judged / total) : 0;
    const cancel = async () => {
        setAsked(true);
        try {
            await api.cancelJob(job.id);
            again();
        } catch (e) {
            toastError('The job could not be cancelled.', asApiError(e));
        }
    };
    const names: Record<Job['state'], string> = {
        queued: 'Waits for its turn',
        running: now?.paused ? 'Paused' : 'Judging',
        done: result?.stopped ? 'Stopped' : 'Done',
        failed: 'Failed',
        cancelled: 'Cancelled',
    };
    return (
        <div class="pad watch" role="region" aria-label="The job">
            <p>
                <b role="status">{names[job.state]}</b>{' '}
                <span class="sub">
                    {num(judged)} of {num(total)} runs
                    {live(job) && now && now.stages > 1 && `, stage ${now.stage} of ${now.stages}`}
                    {live(job) && !now?.paused && now?.eta_s != null && `, about ${duration(now.eta_s * 1000)} to go`}
                </span>{' '}
                {live(job) && (
                    <button class="more" type="button" disabled={asked} onClick={cancel}>
                        {asked ? 'cancelling' : 'cancel'}
                    </button>
                )}
                {!live(job) && (
                    <button class="more" type="button" onClick={() => go(withQuery({ job: null }), true)}>
                        close
                    </button>
                )}
            </p>
            <div
                class="prog"
                role="progressbar"
                aria-label="Runs judged"
                aria-valuenow={Math.round(share * 100)}
                aria-valuemin={0}
                aria-valuemax={100}
            >
                <svg viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">
                    <rect class={live(job) && now?.paused ? 'half' : undefined} width={share * 100} height="6" />
                </svg>
            </div>
            <dl class="figures">
                <Figure name="answered">{num(sum('answered'))}</Figure>
                <Figure name="flagged">{num(sum('flagged'))}</Figure>
                <Figure name="unsupported">{num(sum('unsupported'))}</Figure>
                <Figure name="failed">{num(sum('failed'))}</Figure>
                <Figure name="skipped">{num(sum('skipped'))}</Figure>
                <Figure name="calls">{num(spent?.calls)}</Figure>
                <Figure name="spent">{cost(spent?.usd)}</Figure>
            </dl>
            {!!spent?.usd_unsettled && (
                <p class="hint">Up to {cost(spent.usd_unsettled)} more may have been billed for calls whose answer never came.</p>
            )}
            {stages.length > 1 && <Stages stages={stages} />}
            {!!result?.failures?.length && (
                <ul class="state-failed">
                    {result.failures.slice(0, 5).map(f => (
                        <li key={f.reason}>
                            {f.n === judged - (sum('skipped') ?? 0) ? 'all ' : ''}
                            {num(f.n)} failed: {visible(f.reason)}
                        </li>
                    ))}
                </ul>
            )}
            {live(job) && now?.paused && (
                <p class="callout">
                    {visible(now.paused)} {now.until && `It is asked again at ${time(now.until)}.`}
                </p>
            )}
            {result?.stopped && (
                <p class="callout">
                    It stopped at {result.stopped === 'max_usd' ? 'the most to spend' : 'the most calls'};{' '}
                    {result.remaining === 1 ? '1 run is' : `${num(result.remaining)} runs are`} left. Judge again with a higher cap: what was
                    answered is not paid twice.
                </p>
            )}
            {job.error && <p class="state-failed">{visible(job.error)}</p>}
        </div>
    );
}

/** A cascade: what each stage looked at, what it found, what it took. */
function Stages({ stages }: { stages: JudgeResult['stages'] }): JSX.Element {
    return (
        <div class="scroll" tabIndex={0} role="region" aria-label="Stages">
            <table class="grid-t fit">
                <thead>
                    <tr>
                        <th>Stage</th>
                        <th class="num">Runs</th>
                        <th class="num">Flagged</th>
                        <th class="num">Calls</th>
                        <th class="num">Cost</th>
                    </tr>
                </thead>
                <tbody>
                    {stages.map((stage, i) => (
                        <tr key={i}>
                            <td>
                                {i + 1}. {visible(stage.rubric)} <span class="dim">v{stage.version}, {visible(stage.model)}</span>
                            </td>
                            <td class="num">
                                {num(stage.done)} of {num(stage.total)}
                            </td>
                            <td class="num">{num(stage.flagged)}</td>
                            <td class="num">{num(stage.calls)}</td>
                            <td class="num">{cost(stage.usd)}</td>
                        </tr>
                    ))}
                </tbody>
            </table>
        </div>
    );
}
