// Making an exception of a rule from a finding, and the list of those that there are.
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { ApiError, Collection, Finding } from '../api';
import { exceptions, offersOf, whenText, type Exception, type ExceptionWish, type When } from '../exceptions';
import { count, num, time } from '../format';
import { whoami } from '../labelling';
import { collectionPath } from '../router';
import { visible } from '../text';
import { asApiError, useAsk } from '../use';
import { Field } from './field';
import { Dialog, DialogHead, Failure, toast, toastError } from './say';
import { Who } from './who';

/** What an exception would set aside now; asked again a moment after it was changed. */
function useWould(wish: ExceptionWish): { findings?: number; error?: ApiError } {
    const [state, set] = useState<{ findings?: number; error?: ApiError }>({});
    const key = JSON.stringify(wish);
    useEffect(() => {
        const stop = new AbortController();
        const timer = setTimeout(() => {
            exceptions.test(wish, stop.signal).then(set, e => stop.signal.aborted || set({ error: asApiError(e) }));
        }, 250);
        return () => {
            clearTimeout(timer);
            stop.abort();
        };
    }, [key]);
    return state;
}

export function ExceptDialog({
    finding,
    collection,
    onMade,
    onClose,
}: {
    finding: Finding;
    collection: Collection;
    onMade: (made: Exception) => void;
    onClose: () => void;
}): JSX.Element {
    const [offers, setOffers] = useState(() => offersOf(finding));
    const [everywhere, setEverywhere] = useState(false);
    const [note, setNote] = useState('');
    const [error, setError] = useState<ApiError>();
    const [saving, setSaving] = useState(false);
    const when: When = Object.fromEntries(
        offers.filter(o => o.likely && o.value).map(o => [o.field, o.part ? { literal: o.value } : { is: o.value.trim() }]),
    );
    const wish: ExceptionWish = { detector: finding.detector, when, ...(!everywhere && { collection: collection.id }) };
    const would = useWould(wish);
    const change = (field: string, what: Partial<(typeof offers)[number]>) =>
        setOffers(all => all.map(o => (o.field === field ? { ...o, ...what } : o)));
    const make = async (event: Event) => {
        event.preventDefault();
        if (saving) return;
        setSaving(true);
        try {
            onMade(await exceptions.add({ ...wish, note: note.trim(), reviewer: whoami() }));
        } catch (e) {
            setError(asApiError(e));
            setSaving(false);
        }
    };
    const title = `An exception of ${finding.detector}`;
    return (
        <Dialog title={title} onClose={onClose}>
            <DialogHead title={title} onClose={onClose} />
            <form class="pad sheet except" onSubmit={make}>
                <p class="sub">
                    What is like this is set aside, now and in every later import and scan. It stays in the list of exceptions, and
                    is open again when the exception is taken back.
                </p>
                <fieldset>
                    <legend>Findings of which all of this is so</legend>
                    {offers.map((o, i) => (
                        <div class="except-term" key={o.field}>
                            <label>
                                <input
                                    type="checkbox"
                                    autofocus={i === 0}
                                    checked={o.likely}
                                    onChange={event => change(o.field, { likely: event.currentTarget.checked })}
                                />{' '}
                                <b>{visible(o.field.replace(/^capture\./, ''))}</b> {o.part ? 'has in it' : 'is'}
                            </label>
                            {o.part ? (
                                <div class="input">
                                    <input
                                        aria-label={`${o.field} has in it`}
                                        value={o.value}
                                        required={o.likely}
                                        onInput={event => change(o.field, { value: event.currentTarget.value, likely: true })}
                                    />
                                </div>
                            ) : (
                                <samp title={o.value}>{visible(o.value)}</samp>
                            )}
                        </div>
                    ))}
                </fieldset>
                <fieldset class="except-where">
                    <legend>Where</legend>
                    <label>
                        <input type="radio" name="where" checked={!everywhere} onChange={() => setEverywhere(false)} /> in{' '}
                        {visible(collection.name)}
                    </label>
                    <label>
                        <input type="radio" name="where" checked={everywhere} onChange={() => setEverywhere(true)} /> in every
                        collection
                    </label>
                </fieldset>
                <Field label="Why" help="Whoever comes later reads it.">
                    <input value={note} autocomplete="off" onInput={event => setNote(event.currentTarget.value)} />
                </Field>
                <p class="estimate" aria-live="polite" aria-busy={would.findings == null && !would.error}>
                    {would.error
                        ? would.error.message
                        : would.findings == null
                          ? 'counting'
                          : `Sets aside ${count(would.findings, 'open finding')} now.`}
                    {!Object.keys(when).length && ' Nothing is asked for: the whole detector falls silent there.'}
                </p>
                {error && <Failure error={error} what="The exception was not made." />}
                <p class="sheet-end">
                    <button class="btn btn-main" type="submit" disabled={saving}>
                        Make the exception
                    </button>
                </p>
            </form>
            <div class="pad except-who">
                <Who shy />
            </div>
        </Dialog>
    );
}

/** Takes one back, and says what that did. */
export async function takeBack(exception: Exception, again: () => void): Promise<void> {
    try {
        const { reopened } = await exceptions.remove(exception.id);
        toast(`The exception of ${exception.detector} is gone: ${count(reopened, 'finding')} open again`);
    } catch (e) {
        toastError('The exception was not taken back.', asApiError(e));
    }
    again();
}

/** An exception in a few lines. */
export function ExceptionItem({
    exception: x,
    collection,
    onGone,
}: {
    exception: Exception;
    collection?: { id: string; name: string };
    onGone: () => void;
}): JSX.Element {
    const to = collection && collectionPath(collection, 'findings') + '?' + new URLSearchParams({ status: 'any', exception: x.id });
    return (
        <li class="exception">
            <p>
                <b>{visible(x.detector)}</b>: {visible(whenText(x.when))}
            </p>
            {x.note && <p class="sub">{visible(x.note)}</p>}
            <p class="dim">
                {x.collection_name == null ? 'everywhere' : `in ${visible(x.collection_name)}`}
                {x.reviewer ? `, by ${visible(x.reviewer)}` : ''}, {time(x.created_at)}
            </p>
            <p class="acts">
                {to ? <a href={to}>sets aside {count(x.findings, 'finding')}</a> : `sets aside ${num(x.findings)}`}
                <button data-need="review" class="btn btn-bare" type="button" onClick={() => void takeBack(x, onGone)}>
                    Take back
                </button>
            </p>
        </li>
    );
}

export function ExceptionsDialog({
    collection,
    onChange,
    onClose,
}: {
    collection: Collection;
    onChange: () => void;
    onClose: () => void;
}): JSX.Element {
    const list = useAsk('exceptions ' + collection.id, signal => exceptions.list({ collection: collection.id }, signal));
    const again = () => {
        list.again();
        onChange();
    };
    return (
        <Dialog title="Exceptions" onClose={onClose}>
            <DialogHead title={`Exceptions in ${collection.name}`} onClose={onClose} />
            <div class="pad">
                {list.error && <Failure error={list.error} again={list.again} />}
                {list.data && !list.data.items.length && (
                    <p class="none-yet">
                        There is none. Dismissing a finding with <kbd>x</kbd> and then <kbd>3</kbd> makes one.
                    </p>
                )}
                <ul class="exceptions">
                    {list.data?.items.map(x => (
                        <ExceptionItem key={x.id} exception={x} collection={collection} onGone={again} />
                    ))}
                </ul>
            </div>
        </Dialog>
    );
}
