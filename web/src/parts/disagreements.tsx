// The runs two raters differ on, as an inbox: walked by key, each with the words that were cited, the label kept or changed on the spot.
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { Json } from '../api';
import { DASH, address, count, num, runLabel } from '../format';
import { judging, type Agreement, type Disagreement, type LabelSet } from '../judging';
import { useKeys } from '../keys';
import { go, runPath, withQuery } from '../router';
import { quoteLine, visible } from '../text';
import { asApiError } from '../use';
import { figure } from './plots';
import { toast, toastError } from './say';

/** The label set and person behind a reference; a detector's or judge's word is no label to change. */
function setOfRater(rater: string): { set: string; who: string | null } | null {
    if (rater.startsWith('people:')) return { set: rater.slice(7), who: null };
    const person = /^person:([^/]*)\/(.*)$/s.exec(rater);
    return person ? { set: person[1]!, who: person[2]! } : null;
}

const isObject = (value: Json): value is Record<string, Json> => value != null && typeof value === 'object' && !Array.isArray(value);
/** Of an answer the field that is compared; of a plain value the value. */
const member = (value: Json, field: string | null): Json => (isObject(value) && field != null ? (value[field] ?? null) : value);
const withMember = (value: Json, field: string | null, to: Json): Json => {
    if (field == null || (value != null && !isObject(value))) return to;
    return { ...(isObject(value) ? value : {}), [field]: to };
};

type Word = 'kept' | 'changed';

const keptNote = (measured: string) => `kept against ${measured}`;

export function Disagreements({
    agreement: a,
    rows,
    total,
    reference,
    measured,
    set,
    collection,
    cell,
    again,
}: {
    agreement: Agreement;
    rows: Disagreement[];
    /** How many there are, of which the first are listed. */
    total: number | null;
    reference: string;
    measured: string;
    /** That the reference's labels are of. */
    set: LabelSet | undefined;
    collection: string | null;
    /** The rows are those of this cell of the matrix; null: all that differ. */
    cell: [reference: string, measured: string] | null;
    again: () => void;
}): JSX.Element {
    const [at, setAt] = useState(0);
    const [words, setWords] = useState<Record<string, Word>>({});
    const [busy, setBusy] = useState(false);
    const chosen = Math.min(at, rows.length - 1);
    // Only a label of a person, by a word of the same schema: rows of behaviours and what detectors say are something else.
    const differ = !cell || cell[0] !== cell[1];
    const labels =
        differ && /^(judge|person|people):/.test(a.measured) && set?.reading === 'one' ? setOfRater(a.reference) : null;
    useEffect(() => setAt(0), [rows]);
    useEffect(() => {
        document.querySelector('.dis-table tr[aria-current]')?.scrollIntoView({ block: 'nearest' });
    }, [chosen]);

    const link = (d: Disagreement) => runPath(d.run.id, { message: d.evidence?.message, transcript: d.evidence?.position });
    /** Gives the labels behind a row anew; undo puts them back. */
    const rewrite = async (d: Disagreement | undefined, word: Word, said: string, to: (value: Json) => Json | undefined) => {
        if (!d || !labels || busy) return;
        setBusy(true);
        const give = (label: { who: string | null }, value: Json) =>
            judging.label({ run: d.run.id, set: labels.set, value, ...(label.who ? { who: label.who } : {}) });
        try {
            const all = (await judging.labels({ set: labels.set, run: d.run.id, collection })).items.filter(
                l => labels.who == null || (l.who ?? '') === labels.who,
            );
            const old = all.filter(label => to(label.value) !== undefined);
            for (const label of old) await give(label, to(label.value)!);
            setWords(now => ({ ...now, [d.run.id]: word }));
            setAt(rows.indexOf(d) + 1);
            toast(`${runLabel(d.run)}: ${said}`, {
                label: 'undo',
                run: async () => {
                    try {
                        for (const label of old) await give(label, label.value);
                        setWords(({ [d.run.id]: _, ...now }) => now);
                    } catch (e) {
                        toastError('The label was not put back.', asApiError(e));
                    }
                },
            });
        } catch (e) {
            toastError('The label was not changed.', asApiError(e));
        } finally {
            setBusy(false);
        }
    };
    const change = (d: Disagreement | undefined) =>
        rewrite(d, 'changed', `now ${d?.measured_value}`, value => withMember(value, a.field, member(d!.measured, a.field)));
    /* That somebody looked again stands in the label's note, for everybody to see. */
    const kept = keptNote(a.measured);
    const keep = (d: Disagreement | undefined) =>
        rewrite(d, 'kept', `kept ${d?.reference_value}`, value => {
            const fields = isObject(value) ? value : a.field != null ? { [a.field]: value } : null;
            const note = typeof fields?.note === 'string' ? fields.note : '';
            return !fields ? undefined : note.includes(kept) ? value : { ...fields, note: note ? `${note}; ${kept}` : kept };
        });
    const wordOf = (d: Disagreement): Word | undefined => words[d.run.id] ?? (d.note?.includes(kept) ? 'kept' : undefined);
    const row = rows[chosen];
    useKeys('Disagreements', [
        { key: 'j', does: 'next', run: () => setAt(Math.min(rows.length - 1, chosen + 1)) },
        { key: 'k', does: 'previous', run: () => setAt(Math.max(0, chosen - 1)) },
        { key: 'o', does: 'open the run', run: () => row && go(link(row)) },
        { key: 'l', does: 'keep the label', need: 'review', run: () => void keep(row) },
        { key: 'c', does: 'change the label', need: 'review', run: () => void change(row) },
    ]);
    const changed = Object.values(words).filter(word => word === 'changed').length;
    return (
        <section class="panel" id="runs" aria-label="Disagreements">
            <header>
                <h2>{cell ? `Runs: ${reference} ${visible(cell[0])}, ${measured} ${visible(cell[1])}` : 'Disagreements'}</h2>
                <span class="dim">
                    {num(total)} of {num(a.n)}
                    {total != null && total > rows.length && rows.length > 0 && `, the first ${num(rows.length)}`}
                </span>
                {cell && <a href={withQuery({ cell: null })}>all that differ</a>}
                <span class="end keys-line hide-s">
                    <kbd>j</kbd> <kbd>k</kbd> next, previous &ensp; <kbd>o</kbd> open &ensp; <kbd>l</kbd> keep &ensp; <kbd>c</kbd> change
                </span>
            </header>
            {changed > 0 && (
                <p class="callout plain" role="status">
                    {count(changed, 'label')} changed.{' '}
                    <button
                        class="btn"
                        type="button"
                        onClick={() => {
                            setWords({});
                            again();
                        }}
                    >
                        Count anew
                    </button>
                </p>
            )}
            {!rows.length && total != null && <p class="none-yet">{cell ? 'No run is in this cell.' : 'They agree on every run.'}</p>}
            {rows.length > 0 && (
                <table class="grid-t dis-table stack">
                    <thead>
                        <tr>
                            <th class="w-run">Run</th>
                            <th class="w-val">{reference}</th>
                            <th class="w-val">{measured}</th>
                            <th>What was said</th>
                            {labels && <th class="w-do">Label</th>}
                        </tr>
                    </thead>
                    <tbody>
                        {rows.map((d, i) => (
                            <tr
                                key={d.run.id}
                                aria-current={i === chosen ? 'true' : undefined}
                                class={wordOf(d) ? 'done' : undefined}
                                onClick={() => setAt(i)}
                            >
                                <td>
                                    <a href={link(d)}>{visible(runLabel(d.run))}</a>{' '}
                                    {d.evidence && <span class="place">{address(d.evidence)}</span>}
                                </td>
                                <td data-l={reference}>
                                    <b>{visible(d.reference_value ?? DASH)}</b> {d.who && <span class="dim">{visible(d.who)}</span>}
                                </td>
                                <td data-l={measured}>
                                    <b>{visible(d.measured_value ?? DASH)}</b>{' '}
                                    {d.confidence != null && <span class="dim">{figure(d.confidence)}</span>}
                                </td>
                                <td>
                                    {d.evidence && (
                                        <q>
                                            <mark class="ev ev-odd_behavior">{quoteLine(d.evidence)}</mark>
                                        </q>
                                    )}
                                    {d.explanation && <span class="sub">{visible(d.explanation)}</span>}
                                    {d.note && (
                                        <span class="sub">
                                            {visible(d.who ?? reference)}: {visible(d.note)}
                                        </span>
                                    )}
                                    {!d.evidence && !d.explanation && !d.note && <span class="dim">nothing was cited</span>}
                                </td>
                                {labels && (
                                    <td class="do">
                                        {wordOf(d) ? (
                                            <span class="dim">label {wordOf(d)}</span>
                                        ) : (
                                            <>
                                                <button data-need="review"
                                                    class="btn"
                                                    type="button"
                                                    disabled={busy}
                                                    title="and note so beside it"
                                                    onClick={event => (event.stopPropagation(), void keep(d))}
                                                >
                                                    Keep label
                                                </button>{' '}
                                                <button data-need="review"
                                                    class="btn"
                                                    type="button"
                                                    disabled={busy}
                                                    title={`to ${d.measured_value}`}
                                                    onClick={event => (event.stopPropagation(), void change(d))}
                                                >
                                                    Change label
                                                </button>
                                            </>
                                        )}
                                    </td>
                                )}
                            </tr>
                        ))}
                    </tbody>
                </table>
            )}
        </section>
    );
}
