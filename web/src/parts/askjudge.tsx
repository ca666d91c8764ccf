// A question to a judge about words of a run: put once as a rubric of its own, which is kept only where it is wanted.
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { ApiError, Run } from '../api';
import { judging, type JudgeResult } from '../judging';
import { whoami, type Picked } from '../labelling';
import { rubricPath } from '../router';
import { visible } from '../text';
import { asApiError, useAsk } from '../use';
import { Answer, JudgmentWhole } from './answers';
import { Field } from './field';
import { live, useJob } from './judgerun';
import { ConnectOne } from './models';
import { Dialog, DialogHead, Failure, toastError } from './say';

const MOST_QUOTED = 4000; /* characters: the judge reads the run anyway, this says where to look */

/** YAML takes JSON strings as they are. */
const rubricOf = (name: string, question: string, words: Picked) =>
    [
        `name: ${name}`,
        `title: ${JSON.stringify(question.slice(0, 80))}`,
        `question: ${JSON.stringify(`${question}\n\nThe question is about these words of M${words.message}:\n${words.quote.slice(0, MOST_QUOTED)}`)}`,
        'answer:',
        '  type: object',
        '  properties:',
        '    answer: { enum: ["yes", "no", "unclear"] }',
        '  required: [answer]',
        '',
    ].join('\n');

export function AskJudge({ run, words, onClose }: { run: Pick<Run, 'id' | 'collection'>; words: Picked; onClose: () => void }): JSX.Element {
    const models = useAsk('models', signal => judging.models(signal));
    const [question, setQuestion] = useState('');
    const [model, setModel] = useState('');
    const [refused, setRefused] = useState<ApiError | null>(null);
    const [starting, setStarting] = useState(false);
    const [asked, setAsked] = useState<{ rubric: string; job: string } | null>(null);
    const keep = useRef(false);
    const { data: job, error } = useJob(asked?.job ?? null);
    const busy = starting || (asked != null && !error && (!job || live(job)));
    const judgment = (job?.result as unknown as JudgeResult | null)?.judgments?.[0];
    // The rubric is only there to be asked once: it goes when it was, and when nobody waits for the answer.
    const throwAway = useRef<string | null>(null);
    const drop = () => {
        const name = throwAway.current;
        throwAway.current = null;
        if (name && !keep.current) judging.deleteRubric(name).catch(e => toastError('The question was not thrown away.', asApiError(e)));
    };
    const gone = useRef(false);
    useEffect(
        () => () => {
            gone.current = true;
            drop();
        },
        [],
    );
    const ask = async (event: Event) => {
        event.preventDefault();
        drop();
        setRefused(null);
        setAsked(null);
        setStarting(true);
        const name = `asked-${Date.now().toString(36)}`;
        try {
            await judging.addRubric(rubricOf(name, question.trim(), words), undefined, whoami());
            throwAway.current = name;
            if (gone.current) return drop();
            const started = await judging.judge({ rubric: name, collection: run.collection, ids: [run.id], try: true, model: model || models.data!.default || undefined });
            setAsked({ rubric: name, job: started.id });
        } catch (e) {
            setRefused(asApiError(e));
        }
        setStarting(false);
    };
    const failure = refused ?? models.error ?? error;
    return (
        <Dialog title="Ask a judge" onClose={onClose}>
            <DialogHead title={`Ask a judge about M${words.message}`} onClose={onClose} />
            {models.data && !models.data.items.length ? (
                <div class="pad">
                    <ConnectOne />
                </div>
            ) : (
                <form class="pad sheet" onSubmit={ask}>
                    <blockquote class="asked-about">{visible(words.quote.slice(0, 400))}</blockquote>
                    <Field label="Question" help="One that yes or no answers; the judge says why, and quotes the run.">
                        <textarea
                            required
                            autofocus
                            rows={3}
                            maxLength={2000}
                            value={question}
                            placeholder="Did the agent …?"
                            onInput={event => setQuestion(event.currentTarget.value)}
                        />
                    </Field>
                    <Field label="Model">
                        <select value={model || models.data?.default || ''} onChange={event => setModel(event.currentTarget.value)}>
                            {models.data?.items.map(m => (
                                <option key={m.name} value={m.name}>
                                    {visible(m.name)}: {visible(m.model)}
                                </option>
                            ))}
                        </select>
                    </Field>
                    {failure && <Failure error={failure} what="The judge could not be asked." />}
                    {job?.state === 'failed' && (
                        <p class="state-failed" role="alert">
                            {visible(job.error ?? 'The judge gave no answer.')}
                        </p>
                    )}
                    {judgment && (
                        <div class="asked-said" role="status">
                            <Answer judgment={judgment} />
                            <JudgmentWhole judgment={judgment} />
                        </div>
                    )}
                    <p class="asked-acts">
                        <button class="btn btn-main" type="submit" disabled={busy || !question.trim() || !models.data}>
                            {busy ? 'Asking' : judgment ? 'Ask again' : 'Ask'}
                        </button>
                        {judgment && asked && (
                            <a class="btn" href={rubricPath(asked.rubric)} onClick={() => (keep.current = true)}>
                                Keep the question as a rubric
                            </a>
                        )}
                    </p>
                </form>
            )}
        </Dialog>
    );
}
