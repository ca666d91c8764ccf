// The editor of a rubric: checked while one types, kept in this browser until it is saved, and never saved over somebody else's version unseen.
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { ApiError } from '../api';
import { dropDraft, keepDraft, readDraft, type Draft } from '../draft';
import { judging, type Rubric, type RubricCheck } from '../judging';
import { count, time } from '../format';
import { keyLabel, useKeys } from '../keys';
import { whoami } from '../labelling';
import { visible } from '../text';
import { asApiError } from '../use';
import { TextDiff } from './diff';
import { RubricDoc } from './rubricdoc';
import { Failure, toast } from './say';

export function RubricEdit({
    name,
    text: given,
    base,
    questions = [],
    onSaved,
    onLeave,
}: {
    /** null: a new one, whose name stands in its text. */
    name: string | null;
    /** What the writing begins with where no draft is kept. */
    text: string;
    base: number;
    /** What a model that drafted it would like to know. */
    questions?: string[];
    onSaved: (rubric: Rubric) => void;
    onLeave: () => void;
}): JSX.Element {
    const [restored] = useState(() => readDraft(name));
    const [draft, setDraft] = useState<Draft>(restored ?? { text: given, base, note: '', when: '' });
    const [check, setCheck] = useState<{ of: string; answer?: RubricCheck; error?: ApiError }>({ of: '' });
    const [saving, setSaving] = useState(false);
    const [refused, setRefused] = useState<ApiError | null>(null);
    const [theirs, setTheirs] = useState<Rubric | null>(null);
    const area = useRef<HTMLTextAreaElement>(null);
    const changed = draft.text !== given;

    const write = (change: Partial<Draft>) => {
        const next = { ...draft, ...change, when: new Date().toISOString() };
        setDraft(next);
        setRefused(null);
        kept.current = next.text === given && !next.note ? (dropDraft(name), true) : keepDraft(name, next);
    };
    const kept = useRef(true);
    useEffect(() => {
        // Only where nothing could be kept: else the draft is here again when one comes back.
        const ask = (event: BeforeUnloadEvent) => {
            if (!kept.current) event.preventDefault();
        };
        addEventListener('beforeunload', ask);
        return () => removeEventListener('beforeunload', ask);
    }, []);

    useEffect(() => {
        const stop = new AbortController();
        const timer = setTimeout(async () => {
            try {
                const answer = await judging.checkRubric(draft.text, stop.signal);
                setCheck({ of: draft.text, answer });
            } catch (e) {
                if (!stop.signal.aborted) setCheck({ of: draft.text, error: asApiError(e) });
            }
        }, 300);
        return () => {
            clearTimeout(timer);
            stop.abort();
        };
    }, [draft.text]);

    const save = async (over?: number) => {
        if (saving) return;
        setSaving(true);
        setRefused(null);
        try {
            const saved = name == null
                ? await judging.addRubric(draft.text, draft.note || undefined, whoami())
                : await judging.saveRubric(name, draft.text, over ?? draft.base, draft.note || undefined, whoami());
            dropDraft(name);
            toast(saved.version === (over ?? draft.base) ? `${saved.name} says the same as before` : `${saved.name} version ${saved.version} saved`);
            onSaved(saved);
        } catch (e) {
            const error = asApiError(e);
            setRefused(error);
            if (error.status === 409 && name != null) setTheirs(await judging.rubric(name).catch(() => null));
        } finally {
            setSaving(false);
        }
    };
    const problems = check.answer?.problems ?? [];
    const lines = draft.text.split('\n');
    useKeys('Rubric editor', [{ key: 'mod+s', does: 'save as a version', typing: true, need: 'admin', run: () => !problems.length && (changed || name == null) && void save() }]);
    const goTo = (line: number, column: number) => {
        const field = area.current;
        if (!field) return;
        const at = lines.slice(0, line - 1).reduce((sum, text) => sum + text.length + 1, 0) + Math.max(0, column - 1);
        field.focus();
        field.setSelectionRange(at, at);
        const box = field.closest<HTMLElement>('.code-edit')!;
        box.scrollTop = Math.max(0, (line - 4) * 18);
    };
    return (
        <div class="edit-grid">
            <section class="panel" aria-label="Rubric text">
                <header>
                    <h2>{name == null ? 'New rubric' : `Edit ${visible(name)}`}</h2>
                    {restored && changed && <span class="dim">unsaved changes of {time(restored.when)}, kept in this browser</span>}
                    <span class="acts">
                        {changed && (
                            <button class="btn" type="button" onClick={() => (dropDraft(name), setDraft({ text: given, base, note: '', when: '' }), setTheirs(null))}>
                                Discard changes
                            </button>
                        )}
                        <button class="btn" type="button" onClick={onLeave}>
                            {changed ? 'Leave, keep the draft' : 'Leave'}
                        </button>
                    </span>
                </header>
                {questions.length > 0 && (
                    <div class="callout plain">
                        <b>The model that drafted this asks:</b>
                        <ul>
                            {questions.map((question, i) => (
                                <li key={i}>{visible(question)}</li>
                            ))}
                        </ul>
                    </div>
                )}
                {base > draft.base && !theirs && (
                    <div class="callout">
                        Your draft began with version {draft.base}; the rubric is at version {base} by now.
                        <button class="btn" type="button" onClick={async () => setTheirs(await judging.rubric(name!).catch(() => null))}>
                            Show the difference
                        </button>
                    </div>
                )}
                {theirs && (
                    <div class="callout" role="alert">
                        <b>
                            Version {theirs.version} was saved{theirs.author && ` by ${visible(theirs.author)}`} while you wrote.
                        </b>{' '}
                        Your text is kept. What differs between that version and yours:
                        <TextDiff before={theirs.text} after={draft.text} label="What differs between their version and yours" />
                        <button class="btn" type="button" onClick={() => (write({ base: theirs.version }), setTheirs(null), void save(theirs.version))}>
                            Save mine as version {theirs.version + 1}
                        </button>
                        <button
                            class="btn"
                            type="button"
                            onClick={() => (write({ base: theirs.version }), setTheirs(null), setRefused(null))}
                        >
                            Go on writing, on top of theirs
                        </button>
                        <button class="btn" type="button" onClick={() => (dropDraft(name), onSaved(theirs))}>
                            Take theirs, drop mine
                        </button>
                    </div>
                )}
                <div class="code-edit">
                    <pre class="gutter" aria-hidden="true">
                        {lines.map((_, i) => {
                            const wrong = problems.find(p => p.line === i + 1);
                            return (
                                <b key={i} class={wrong ? 'bad' : undefined} title={wrong && visible(wrong.message)}>
                                    {i + 1}
                                </b>
                            );
                        })}
                    </pre>
                    <textarea
                        ref={area}
                        aria-label="The rubric as YAML"
                        aria-describedby="rubric-problems"
                        aria-invalid={problems.length > 0 || undefined}
                        spellcheck={false}
                        autocomplete="off"
                        wrap="off"
                        rows={lines.length + 1}
                        value={draft.text}
                        onInput={event => write({ text: event.currentTarget.value })}
                    />
                </div>
                <ul class="problems" id="rubric-problems" aria-live="polite">
                    {check.error ? (
                        <li class="state-failed">The text could not be checked: {check.error.message}</li>
                    ) : check.of !== draft.text && !check.answer ? (
                        <li class="ok">Checking.</li>
                    ) : problems.length ? (
                        problems.slice(0, 50).map((problem, i) => (
                            <li key={i}>
                                <button class="more" type="button" onClick={() => goTo(problem.line, problem.column)}>
                                    line {problem.line}, column {problem.column}
                                </button>
                                <span>{visible(problem.message)}</span>
                            </li>
                        ))
                    ) : (
                        <li class="ok">The text is a rubric.</li>
                    )}
                </ul>
                {refused && !theirs && (
                    <div class="pad">
                        <Failure error={refused} what="It was not saved; your text is kept." />
                    </div>
                )}
                <div class="save-bar">
                    <div class="input">
                        <input
                            aria-label="What changed"
                            placeholder={name == null ? 'a note about it' : 'what changed, for those who read the versions'}
                            value={draft.note}
                            onInput={event => write({ note: event.currentTarget.value })}
                        />
                    </div>
                    <button data-need="admin"
                        class="btn btn-main"
                        type="button"
                        disabled={saving || (!changed && name != null) || problems.length > 0}
                        title={problems.length ? `${count(problems.length, 'problem')} in the text` : !changed && name != null ? 'Nothing has changed' : undefined}
                        onClick={() => save()}
                    >
                        {name == null ? 'Save' : `Save as version ${draft.base + 1}`} <kbd aria-hidden="true">{keyLabel('mod+s')}</kbd>
                    </button>
                </div>
            </section>
            <section class="panel hide-s" aria-label="How it reads" tabIndex={0}>
                <header>
                    <h2>How it reads</h2>
                    {problems.length > 0 && check.answer?.rubric == null && <span class="dim">when the text is a rubric again</span>}
                </header>
                <Preview check={check.answer} />
            </section>
        </div>
    );
}

/** The last text that was a rubric stays while the next one is on its way. */
function Preview({ check }: { check: RubricCheck | undefined }): JSX.Element | null {
    const last = useRef<RubricCheck['rubric']>(null);
    if (check?.rubric) last.current = check.rubric;
    return last.current && <RubricDoc body={last.current} />;
}
