// The bar at the foot of the reader by which a run is labelled, all by keys.
import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { api, type Json, type Label, type RunDetail } from '../api';
import { count, num } from '../format';
import { judging, type AnswerSchema, type LabelSet } from '../judging';
import { useKeys } from '../keys';
import { doneBy, giveLabel, nextRun, removeLabel, sameValue, setLabelling, undoLabel, useLabelling, type Picked } from '../labelling';
import { choicesOf, questionOf, type Choice, type Question } from '../question';
import { go, runPath } from '../router';
import { undo } from '../review';
import { visible } from '../text';
import { asApiError, useAsk } from '../use';
import { NewSet } from './newset';
import { Failure, toast, toastError } from './say';
import { Who } from './who';

type Fields = Record<string, Json>;
const asFields = (value: Json | undefined): Fields =>
    value && typeof value === 'object' && !Array.isArray(value) ? value : {};

export interface LabelBarProps {
    run: RunDetail;
    transcript: number;
    /** Words that were selected, or are in focus as evidence. */
    picked: Picked | null;
    onPick: (words: Picked | null) => void;
    /** The evidence in focus becomes the label's. */
    pickFocused: () => void;
    /** The labels of this run changed. */
    onLabels: (labels: Label[]) => void;
}

export function LabelBar(props: LabelBarProps): JSX.Element {
    const { run } = props;
    const { set: name, who, queue, shown } = useLabelling();
    const [making, setMaking] = useState(false);
    const sets = useAsk('label sets ' + run.collection, signal => judging.labelSets({ collection: run.collection }, signal));
    const set = sets.data?.items.find(s => s.name === name);
    const [done, setDone] = useState<ReadonlySet<string> | null>(null);
    const mine = run.labels.filter(label => label.set === name && label.who === who);
    useEffect(() => {
        let here = true;
        if (name && who)
            void doneBy(run.collection, name, who).then(
                runs => here && setDone(new Set(runs)),
                () => setDone(null),
            );
        return () => void (here = false);
    }, [run.collection, name, who, mine.length]);

    const next = async () => {
        if (!name || !who) return;
        try {
            const id = await nextRun(run, name, who);
            if (id) go(runPath(id));
            else toast(queue ? `All ${num(queue.length)} runs of the selection are labelled` : 'Every run here is labelled');
        } catch (e) {
            toastError('The next run was not found.', asApiError(e));
        }
    };
    const back = async () => {
        try {
            const step = await undoLabel();
            if (!step) return void undo();
            if (step.run !== run.id) return go(runPath(step.run));
            const others = run.labels.filter(
                label =>
                    label.set !== step.set ||
                    label.who !== step.who ||
                    (step.all && !sameValue(label.value, step.value)),
            );
            props.onLabels(step.before === undefined ? others : [...others, ours(step.set, step.who, step.before)]);
        } catch (e) {
            toastError('The label was not taken back.', asApiError(e));
        }
    };
    useKeys('Labels', [
        { key: 'J', does: 'next run without a label', run: () => void next() },
        { key: 'u', does: 'take the last label back', run: () => void back() },
        { key: 'e', does: 'the evidence in focus is the label’s', run: props.pickFocused },
        { key: 'o', does: 'show or hide what others said', run: () => setLabelling({ shown: !shown }) },
        { key: 'Escape', does: 'close the label bar', run: () => setLabelling({ open: false }) },
    ]);
    const inQueue = queue && done && queue.filter(id => done.has(id)).length;
    return (
        <section class="label-bar" aria-label="Label">
            <div class="lb-row">
                <label class="lb-set">
                    <span class="hd">Label set</span>
                    <select
                        value={name ?? ''}
                        onChange={event => setLabelling({ set: event.currentTarget.value || null })}
                        aria-label="Label set"
                    >
                        {!set && <option value="">{sets.data && !sets.data.items.length ? 'none yet' : 'choose'}</option>}
                        {sets.data?.items.map(s => (
                            <option key={s.name} value={s.name}>
                                {visible(s.title || s.name)}
                            </option>
                        ))}
                    </select>
                </label>
                <button class="btn btn-bare" type="button" onClick={() => setMaking(true)}>
                    New set
                </button>
                <Who />
                <span class="end" aria-live="polite">
                    {inQueue != null
                        ? `${num(inQueue)} of ${num(queue!.length)} labelled`
                        : done && name && who
                          ? `${count(done.size, 'run')} labelled`
                          : ''}
                </span>
                <button class="btn btn-bare" type="button" aria-pressed={shown} onClick={() => setLabelling({ shown: !shown })}>
                    Show others <kbd aria-hidden="true">o</kbd>
                </button>
                <button class="btn" type="button" disabled={!set || !who} onClick={() => void next()}>
                    Next <kbd aria-hidden="true">⇧J</kbd>
                </button>
                <button class="btn btn-bare" type="button" onClick={() => setLabelling({ open: false })}>
                    Close <kbd aria-hidden="true">Esc</kbd>
                </button>
            </div>
            {sets.error && <Failure error={sets.error} again={sets.again} />}
            {set && who && set.reading === 'one' && <OneValue key={set.name} {...props} set={set} who={who} mine={mine[0]} />}
            {set && who && set.reading === 'all' && <Behaviours key={set.name} {...props} set={set} who={who} mine={mine} />}
            {!set && sets.data && (
                <p class="dim">
                    {sets.data.items.length
                        ? 'Choose the set that your labels go into.'
                        : 'Make a set first: it says what is asked of a run.'}
                </p>
            )}
            {set && !who && <p class="dim">Say who you are: labels carry a name, so that people can be compared.</p>}
            {making && (
                <NewSet
                    onMade={made => {
                        sets.again();
                        setLabelling({ set: made.name });
                        setMaking(false);
                    }}
                    onClose={() => setMaking(false)}
                />
            )}
        </section>
    );
}

const ours = (set: string, who: string, value: Json): Label => ({ set, who, value, when: new Date().toISOString() });

/** What a label carries beside its answer. */
function evidenceOf(picked: Picked | null, run: RunDetail, transcript: number): Fields {
    return picked
        ? { evidence: { transcript: run.transcripts.find(t => t.position === transcript)?.id ?? null, ...picked } }
        : {};
}

function Evidence({ picked, onPick }: { picked: Picked | null; onPick: (words: Picked | null) => void }): JSX.Element {
    if (!picked) return <span class="dim lb-hint">select words, or press e at a finding: they are the evidence</span>;
    return (
        <span class="tag lb-evidence">
            M{picked.message} <span class="one">“{visible(picked.quote.slice(0, 60))}”</span>
            <button class="more" type="button" aria-label="Without evidence" onClick={() => onPick(null)}>
                ×
            </button>
        </span>
    );
}

function OneValue({
    run,
    transcript,
    picked,
    onPick,
    onLabels,
    set,
    who,
    mine,
}: LabelBarProps & { set: LabelSet; who: string; mine: Label | undefined }): JSX.Element | null {
    const rubric = useAsk(set.rubric ? 'rubric ' + set.rubric : null, signal => judging.rubric(set.rubric!, null, signal));
    const question = questionOf(set, rubric.data);
    const before = asFields(mine?.value);
    const [fields, setFields] = useState<Fields>(before);
    const [saving, setSaving] = useState(false);
    const note = useRef<HTMLInputElement>(null);
    const kept = JSON.stringify(before);
    // Before the next key can come: an effect after the paint would wipe out what it chose.
    useLayoutEffect(() => setFields(before), [kept]);
    if (set.rubric && rubric.error) return <Failure error={rubric.error} again={rubric.again} />;
    if (!question) return null;
    const put = (name: string, value: Json | undefined) =>
        setFields(old => {
            const { [name]: _, ...rest } = old;
            return value === undefined ? rest : { ...rest, [name]: value };
        });
    const value = fields[question.field];
    const missing = question.others.find(([name, , required]) => required && fields[name] === undefined)?.[0];
    const save = async () => {
        if (value === undefined || saving)
            return void toast(`Choose ${question.field} first: ${question.choices.length ? 'a number key does' : 'type it'}`);
        if (missing) return void toast(`This set asks for ${missing}, too`);
        const given: Fields = { ...fields, ...evidenceOf(picked, run, transcript) };
        if (!given.note) delete given.note;
        setSaving(true);
        try {
            await giveLabel({
                run: run.id,
                collection: run.collection,
                set: set.name,
                who,
                before: mine?.value,
                value: given,
                all: false,
            });
            onLabels([...run.labels.filter(label => label !== mine), ours(set.name, who, given)]);
            onPick(null);
        } catch (e) {
            toastError('The label was not stored.', asApiError(e));
        }
        setSaving(false);
    };
    return (
        <>
            {rubric.data && (
                <p class="lb-question sub" title={rubric.data.rubric.question}>
                    {visible(rubric.data.rubric.question)}
                </p>
            )}
            <div class="lb-row">
                <KeysOf question={question} put={put} save={save} note={() => note.current?.focus()} />
                <div class="seg" role="group" aria-label={question.field}>
                    {question.choices.map((choice, i) => (
                        <button
                            key={choice.label}
                            class="btn"
                            type="button"
                            aria-pressed={sameValue(choice.value, value)}
                            onClick={() => put(question.field, choice.value)}
                        >
                            {i < 9 && <kbd aria-hidden="true">{i + 1}</kbd>} {visible(choice.label)}
                        </button>
                    ))}
                    {!question.choices.length && (
                        <Plain
                            name={question.field}
                            value={value}
                            put={put}
                            schema={set.schema?.properties?.[question.field] ?? {}}
                            save={save}
                        />
                    )}
                </div>
                {question.others.map(([name, schema]) => (
                    <Other key={name} name={name} schema={schema} value={fields[name]} put={put} save={save} />
                ))}
                <div class="input lb-note">
                    <input
                        ref={note}
                        aria-label="Note"
                        placeholder="note (t)"
                        value={typeof fields.note === 'string' ? fields.note : ''}
                        onInput={event => put('note', event.currentTarget.value || undefined)}
                        onKeyDown={event => inField(event, save)}
                    />
                </div>
                <button class="btn btn-main" type="button" disabled={value === undefined || saving} onClick={() => void save()}>
                    {mine ? 'Save again' : 'Save'} <kbd aria-hidden="true">↵</kbd>
                </button>
            </div>
            <div class="lb-row">
                <Evidence picked={picked} onPick={onPick} />
                <span class="end dim" aria-live="polite">
                    {mine ? (
                        <>
                            you said <b>{shownValue(mine.value, question.field)}</b>, <kbd aria-hidden="true">u</kbd> takes it
                            back
                        </>
                    ) : (
                        'what others said is shown after your own'
                    )}
                </span>
            </div>
        </>
    );
}

function shownValue(value: Json, field: string): string {
    const said = asFields(value)[field] ?? value;
    return visible(said === true ? 'yes' : said === false ? 'no' : typeof said === 'string' ? said : JSON.stringify(said));
}

/** Enter in a field saves, Esc leaves it. */
function inField(event: KeyboardEvent, save: () => void): void {
    if (event.key !== 'Enter' && event.key !== 'Escape') return;
    event.preventDefault();
    event.stopPropagation();
    (event.target as HTMLElement).blur();
    if (event.key === 'Enter') save();
}

/** Number keys, Enter and t, declared where the question is known. */
function KeysOf({
    question,
    put,
    save,
    note,
}: {
    question: Question;
    put: (name: string, value: Json) => void;
    save: () => Promise<void>;
    note: () => void;
}): null {
    useKeys('Label', [
        ...question.choices.slice(0, 9).map((choice: Choice, i: number) => ({
            key: String(i + 1),
            does: `${question.field}: ${choice.label}`,
            run: () => put(question.field, choice.value),
        })),
        { key: 'Enter', does: 'save the label', run: () => void save() },
        { key: 't', does: 'write a note to it', run: note },
    ]);
    return null;
}

interface FieldProps {
    name: string;
    schema: AnswerSchema;
    value: Json | undefined;
    put: (name: string, value: Json | undefined) => void;
    save: () => Promise<void>;
}

/** Another field of the set's schema, behind the one that decides. */
function Other(props: FieldProps): JSX.Element {
    const { name, schema, value, put } = props;
    const choices = choicesOf(schema);
    return (
        <label class="lb-field">
            <span class="hd" title={schema.description}>
                {visible(name)}
            </span>
            {choices.length ? (
                <select
                    value={choices.findIndex(choice => sameValue(choice.value, value))}
                    onChange={event => put(name, choices[Number(event.currentTarget.value)]?.value)}
                >
                    <option value={-1}>not said</option>
                    {choices.map((choice, i) => (
                        <option key={choice.label} value={i}>
                            {choice.label}
                        </option>
                    ))}
                </select>
            ) : (
                <Plain {...props} />
            )}
        </label>
    );
}

function Plain({ name, schema, value, put, save }: FieldProps): JSX.Element {
    const number = schema.type === 'integer' || schema.type === 'number';
    return (
        <div class="input">
            <input
                aria-label={name}
                inputMode={number ? 'decimal' : 'text'}
                autocomplete="off"
                value={value == null ? '' : String(value)}
                onInput={event => {
                    const text = event.currentTarget.value;
                    put(name, text === '' ? undefined : number && !isNaN(Number(text)) ? Number(text) : text);
                }}
                onKeyDown={event => inField(event, () => void save())}
            />
        </div>
    );
}

/* ---- behaviours: all that there is in a run, a row each ---------------------------------------------------------------- */

function Behaviours({
    run,
    transcript,
    picked,
    onPick,
    onLabels,
    set,
    who,
    mine,
}: LabelBarProps & { set: LabelSet; who: string; mine: Label[] }): JSX.Element {
    const detectors = useAsk('detectors ', signal => api.detectors(signal));
    const known = [...new Set(detectors.data?.items.map(d => d.behavior))].sort();
    const [typed, setTyped] = useState('');
    const [strength, setStrength] = useState<'clear' | 'borderline'>('clear');
    const input = useRef<HTMLInputElement>(null);
    const add = async (behavior: string, how = strength) => {
        if (!behavior) return;
        const value: Fields = { behavior, strength: how, ...evidenceOf(picked, run, transcript) };
        try {
            await giveLabel({
                run: run.id,
                collection: run.collection,
                set: set.name,
                who,
                before: undefined,
                value,
                all: true,
            });
            if (!mine.some(label => sameValue(label.value, value))) onLabels([...run.labels, ours(set.name, who, value)]);
            setTyped('');
            onPick(null);
        } catch (e) {
            toastError('The label was not stored.', asApiError(e));
        }
    };
    const remove = async (label: Label) => {
        try {
            await removeLabel({ run: run.id, collection: run.collection, set: set.name, who, value: label.value, all: true });
            onLabels(run.labels.filter(l => l !== label));
        } catch (e) {
            toastError('The label was not removed.', asApiError(e));
        }
    };
    useKeys('Label', [
        { key: 'Enter', does: 'name a behaviour', run: () => input.current?.focus() },
        { key: 'b', does: 'clear or borderline', run: () => setStrength(s => (s === 'clear' ? 'borderline' : 'clear')) },
        { key: '0', does: 'read, nothing there', run: () => void add('none', 'clear') },
    ]);
    return (
        <>
            <div class="lb-row">
                <div class="input lb-behaviour">
                    <input
                        ref={input}
                        list="lb-behaviours"
                        aria-label="Behaviour"
                        placeholder="behaviour, ↵ adds it"
                        value={typed}
                        autocomplete="off"
                        onInput={event => setTyped(event.currentTarget.value)}
                        onKeyDown={event => {
                            if (event.key === 'Enter') {
                                event.preventDefault();
                                event.stopPropagation();
                                void add(typed.trim());
                            } else inField(event, () => {});
                        }}
                    />
                    <datalist id="lb-behaviours">
                        {known.map(behavior => (
                            <option key={behavior} value={behavior} />
                        ))}
                    </datalist>
                </div>
                <div class="seg" role="group" aria-label="Strength">
                    {(['clear', 'borderline'] as const).map(s => (
                        <button key={s} class="btn" type="button" aria-pressed={strength === s} onClick={() => setStrength(s)}>
                            {s}
                        </button>
                    ))}
                </div>
                <button class="btn btn-main" type="button" disabled={!typed.trim()} onClick={() => void add(typed.trim())}>
                    Add <kbd aria-hidden="true">↵</kbd>
                </button>
                <button class="btn" type="button" disabled={mine.length > 0} onClick={() => void add('none', 'clear')}>
                    Nothing there <kbd aria-hidden="true">0</kbd>
                </button>
                <Evidence picked={picked} onPick={onPick} />
            </div>
            <ul class="lb-row" aria-label="Your labels of this run">
                {mine.map(label => {
                    const fields = asFields(label.value);
                    return (
                        <li class="tag" key={JSON.stringify(label.value)}>
                            {visible(String(fields.behavior ?? JSON.stringify(label.value)))}{' '}
                            {fields.strength === 'borderline' && <span class="dim">borderline</span>}
                            <button
                                class="more"
                                type="button"
                                aria-label={`Remove ${String(fields.behavior)}`}
                                onClick={() => void remove(label)}
                            >
                                ×
                            </button>
                        </li>
                    );
                })}
                {!mine.length && <li class="dim">nothing said yet; what others said is shown after your own</li>}
            </ul>
        </>
    );
}
