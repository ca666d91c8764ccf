// A model's help with a rubric: a first draft from a sentence, and an edit from where judge and people disagree, with what it did to the figures.
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { api, type ApiError, type Job } from '../api';
import { DASH, cost, num } from '../format';
import { judging, type DraftAsk, type Drafted, type Figures, type LabelSet, type Models, type Rubric } from '../judging';
import { whoami } from '../labelling';
import { runPath } from '../router';
import { visible } from '../text';
import { asApiError } from '../use';
import { TextDiff } from './diff';
import { live, useJob } from './judgerun';
import { figure } from './plots';
import { Failure, toast, toastError } from './say';

function useDraft() {
    const [id, setId] = useState<string | null>(null);
    const [refused, setRefused] = useState<ApiError | null>(null);
    const { data: job, error } = useJob(id);
    const busy = id != null && !error && (!job || live(job));
    const start = async (ask: DraftAsk) => {
        setRefused(null);
        try {
            setId((await judging.draftRubric(ask)).id);
        } catch (e) {
            setRefused(asApiError(e));
        }
    };
    const drafted = job?.state === 'done' ? (job.result as unknown as Drafted | null) : null;
    return { start, busy, job, drafted, error: refused ?? error ?? null, forget: () => setId(null) };
}

function Waiting({ busy, job, error }: { busy: boolean; job: Job | undefined; error: ApiError | null }): JSX.Element | null {
    if (error) return <Failure error={error} what="The model could not be asked." />;
    if (busy)
        return (
            <p class="hint" role="status">
                Asking the model.{' '}
                {job && (
                    <button class="more" type="button" onClick={() => void api.cancelJob(job.id)}>
                        cancel
                    </button>
                )}
            </p>
        );
    if (job?.state === 'failed' || job?.state === 'cancelled')
        return (
            <p class="state-failed" role="alert">
                {job.error ? visible(job.error) : 'It was cancelled.'}
            </p>
        );
    return null;
}

/** A draft of a new rubric from a sentence and, where there are some, labelled runs. */
export function DraftForm({
    models,
    sets,
    collection,
    onDrafted,
}: {
    models: Models;
    sets: LabelSet[];
    collection: string | null;
    onDrafted: (text: string, questions: string[]) => void;
}): JSX.Element {
    const [sentence, setSentence] = useState('');
    const [set, setSet] = useState('');
    const [model, setModel] = useState(models.default ?? models.items[0]?.name ?? '');
    const { start, busy, job, drafted, error } = useDraft();
    useEffect(() => {
        if (drafted?.parsed) onDrafted(drafted.text, drafted.questions ?? []);
    }, [drafted]);
    return (
        <form
            class="stacked"
            onSubmit={event => {
                event.preventDefault();
                void start({ sentence, model, ...(set ? { set } : {}), ...(collection ? { collection } : {}) });
            }}
        >
            <textarea
                class="plain"
                rows={2}
                aria-label="What should be found, in a sentence"
                placeholder="what should be found, in a sentence"
                value={sentence}
                onInput={event => setSentence(event.currentTarget.value)}
            />
            {sets.length > 0 && (
                <select aria-label="Labelled runs to learn from" value={set} onChange={event => setSet(event.currentTarget.value)}>
                    <option value="">no labelled runs</option>
                    {sets.map(s => (
                        <option key={s.name} value={s.name}>
                            labels of {visible(s.title ?? s.name)}
                        </option>
                    ))}
                </select>
            )}
            {models.items.length > 1 && (
                <select aria-label="Model" value={model} onChange={event => setModel(event.currentTarget.value)}>
                    {models.items.map(m => (
                        <option key={m.name} value={m.name}>
                            {visible(m.name)}
                        </option>
                    ))}
                </select>
            )}
            <button data-need="admin" class="btn" type="submit" disabled={busy || !sentence.trim()}>
                Draft it
            </button>
            <Waiting busy={busy} job={job} error={error} />
            {drafted && !drafted.parsed && (
                <div role="alert">
                    <p class="state-failed">What the model sent is no rubric: {visible(drafted.error ?? 'it cannot be read')}</p>
                    <pre class="text-diff" tabIndex={0} aria-label="What the model sent">
                        {visible(drafted.text)}
                    </pre>
                </div>
            )}
        </form>
    );
}

/** An edit proposed from the disagreements of the dev split. */
export function Improve({
    rubric,
    sets,
    collection,
    models,
    onEdit,
    onSaved,
}: {
    rubric: Rubric;
    sets: LabelSet[];
    collection: string | null;
    models: Models;
    onEdit: (text: string) => void;
    onSaved: () => void;
}): JSX.Element {
    const fitting = sets.filter(s => s.rubric === rubric.name || s.rubric == null);
    const [set, setSet] = useState('');
    const [model, setModel] = useState(models.default ?? models.items[0]?.name ?? '');
    const { start, busy, job, drafted, error, forget } = useDraft();
    const chosen = fitting.find(s => s.name === set) ?? fitting.find(s => s.rubric === rubric.name) ?? fitting[0];
    const accept = async () => {
        try {
            const saved = await judging.saveRubric(rubric.name, drafted!.text, rubric.latest, 'proposed from disagreements', whoami());
            toast(`Version ${saved.version} saved`);
            forget();
            onSaved();
        } catch (e) {
            toastError('It was not saved.', asApiError(e));
        }
    };
    return (
        <section class="panel" aria-label="Improve from disagreements">
            <header>
                <h2>Improve from disagreements</h2>
                <span class="dim">of the dev split</span>
            </header>
            {!fitting.length ? (
                <p class="none-yet">Nobody has labelled runs in this rubric’s answers yet: open a run and label it by key.</p>
            ) : (
                <form
                    class="form"
                    onSubmit={event => {
                        event.preventDefault();
                        void start({ rubric: rubric.name, set: chosen!.name, model, ...(collection ? { collection } : {}) });
                    }}
                >
                    <div class="row">
                        <label class="grow">
                            Labels
                            <select value={chosen?.name} onChange={event => setSet(event.currentTarget.value)}>
                                {fitting.map(s => (
                                    <option key={s.name} value={s.name}>
                                        {visible(s.title ?? s.name)} ({s.runs} runs)
                                    </option>
                                ))}
                            </select>
                        </label>
                        {models.items.length > 1 && (
                            <label class="grow">
                                Model
                                <select value={model} onChange={event => setModel(event.currentTarget.value)}>
                                    {models.items.map(m => (
                                        <option key={m.name} value={m.name}>
                                            {visible(m.name)}
                                        </option>
                                    ))}
                                </select>
                            </label>
                        )}
                        <button class="btn" type="submit" disabled={busy}>
                            Propose an edit
                        </button>
                    </div>
                    <Waiting busy={busy} job={job} error={error} />
                </form>
            )}
            {drafted && (
                <>
                    {drafted.parsed ? (
                        <TextDiff before={rubric.text} after={drafted.text} label="The proposed edit" />
                    ) : (
                        <div class="pad">
                            <p class="state-failed">{visible(drafted.error ?? 'What the model sent is no rubric.')}</p>
                            <pre class="text-diff" tabIndex={0} aria-label="What the model sent">
                                {visible(drafted.text)}
                            </pre>
                        </div>
                    )}
                    {drafted.why && <p class="pad sub">{visible(drafted.why)}</p>}
                    <BeforeAfter drafted={drafted} />
                    {drafted.questions.length > 0 && (
                        <div class="callout plain">
                            <b>It asks:</b>
                            <ul>
                                {drafted.questions.map((question, i) => (
                                    <li key={i}>{visible(question)}</li>
                                ))}
                            </ul>
                        </div>
                    )}
                    <div class="pad seg">
                        {drafted.parsed && (
                            <button class="btn btn-main" type="button" onClick={accept}>
                                Accept as version {rubric.latest + 1}
                            </button>
                        )}
                        <button class="btn" type="button" onClick={() => onEdit(drafted.text)}>
                            Edit it first
                        </button>
                        <button class="btn" type="button" onClick={forget}>
                            Drop it
                        </button>
                    </div>
                </>
            )}
        </section>
    );
}

const positiveF1 = (f: Figures) => (f.classes.find(c => c.value === f.positive)?.f1 ?? f.macro_f1).value;
const FIGURES: [name: string, of: (figures: Figures) => string][] = [
    ['F1', f => figure(positiveF1(f))],
    ['κ', f => figure(f.kappa.value)],
    ['accuracy', f => figure(f.accuracy.value)],
    ['runs', f => num(f.n)],
];

/** What the edit did to the figures of the dev split, and to which runs. */
function BeforeAfter({ drafted: { before, after, changed = [], stopped, usd } }: { drafted: Drafted }): JSX.Element {
    return (
        <>
            {!before && !after ? (
                <p class="pad hint">What it does to the figures is not measured.</p>
            ) : (
                <table class="grid-t">
                    <thead>
                        <tr>
                            <th>Dev split</th>
                            <th class="num">Version now</th>
                            <th class="num">With the edit</th>
                        </tr>
                    </thead>
                    <tbody>
                        {FIGURES.map(([name, of]) => (
                            <tr key={name}>
                                <td>{name}</td>
                                <td class="num">{before ? of(before) : DASH}</td>
                                <td class="num">
                                    <b>{after ? of(after) : DASH}</b>
                                </td>
                            </tr>
                        ))}
                    </tbody>
                </table>
            )}
            {changed.length > 0 && (
                <ul class="pad changed" aria-label="Runs that the edit answers otherwise">
                    {changed.slice(0, 20).map(c => (
                        <li key={c.run}>
                            <a href={runPath(c.run)}>{visible(c.external_id ?? c.run.slice(0, 8))}</a>{' '}
                            {visible(c.before ?? DASH)} → <b>{visible(c.after ?? DASH)}</b>{' '}
                            <span class="dim">people: {visible(c.label ?? DASH)}</span>
                        </li>
                    ))}
                </ul>
            )}
            <p class="pad hint">
                It cost {cost(usd)}
                {stopped && ', and stopped at its cap'}.
            </p>
        </>
    );
}
