// The query box: finished terms become tokens, the rest are words to look for; completion while typing.
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { addTerm, listValues, readTerms, termsOf, type Field, type Term } from '../filter';
import { num } from '../format';
import { useKeys } from '../keys';
import { currentPlace, go } from '../router';

interface Offer {
    text: string;
    hint: string;
    term: Term | null; /* null: only the key, more is to be typed */
}

export function QueryBox({
    fields,
    query,
    label,
    unit,
    refused,
    keep = [],
    wants,
}: {
    fields: Field[];
    query: URLSearchParams;
    label: string;
    unit: string;
    /** What the server had to say against it. */
    refused?: string;
    /** Other keys of the address that a change of the filter takes out. */
    keep?: string[];
    /** Told of a field whose values are being typed and are not known. */
    wants?: (key: string) => void;
}): JSX.Element {
    const keys = fields.map(field => field.key);
    const terms = termsOf(query, keys);
    const words = query.get('q') ?? '';
    const [typed, setTyped] = useState(words);
    const [open, setOpen] = useState(false);
    const [at, setAt] = useState(-1);
    const input = useRef<HTMLInputElement>(null);
    const mine = useRef(words);
    useEffect(() => {
        if (words !== mine.current) setTyped((mine.current = words));
    }, [words]);
    useKeys(label, [{ key: '/', does: `filter: ${label.toLowerCase()}`, run: () => input.current?.focus() }]);

    const put = (change: (next: URLSearchParams) => void, replace: boolean) => {
        const next = new URLSearchParams(currentPlace().query);
        change(next);
        for (const key of keep) next.delete(key);
        const text = next.toString();
        go(currentPlace().path + (text ? '?' + text : ''), replace);
    };
    const say = (text: string, all: boolean) => {
        const read = readTerms(text, keys, all);
        const q = read.words.trim();
        setTyped(read.terms.length ? read.words : text);
        if (!read.terms.length && q === words) return;
        // Half a term is no word to look for yet.
        const search = all ? q : q.replace(/(^|\s)[A-Za-z_][\w.]*:\S*$/, '').trim();
        mine.current = search;
        put(next => {
            for (const term of read.terms) addTerm(next, term);
            if (search) next.set('q', search);
            else next.delete('q');
        }, !read.terms.length);
    };
    // Words are looked for when the typing pauses.
    useEffect(() => {
        if (typed === mine.current) return;
        const timer = setTimeout(() => say(typed, false), 200);
        return () => clearTimeout(timer);
    }, [typed]);
    const remove = (term: Term) => {
        put(next => next.delete(term.key), false);
        input.current?.focus();
    };

    const unfilled = /(?:^|\s)([^\s:]+):\S*$/.exec(typed)?.[1];
    useEffect(() => {
        if (unfilled && fields.some(field => field.key === unfilled && !field.values.length)) wants?.(unfilled);
    }, [unfilled, fields]);
    const offers = offersFor(typed, fields);
    const chosen = Math.min(at, offers.length - 1);
    const take = (offer: Offer) => {
        const before = typed.replace(/\S*$/, '');
        setAt(-1);
        if (offer.term) say(`${before}${offer.term.key}:"${offer.term.value.replaceAll('"', '')}" `, false);
        else setTyped(before + offer.text);
        input.current?.focus();
    };
    const onKeyDown = (event: KeyboardEvent) => {
        if ((event.key === 'ArrowDown' || event.key === 'ArrowUp') && offers.length) {
            event.preventDefault();
            setOpen(true);
            setAt((chosen + (event.key === 'ArrowDown' ? 1 : -1) + offers.length) % offers.length);
        } else if (event.key === 'Tab' && open && chosen >= 0) {
            event.preventDefault();
            take(offers[chosen]!);
        } else if (event.key === 'Enter') {
            event.preventDefault();
            if (open && chosen >= 0) take(offers[chosen]!);
            else say(typed, true);
        } else if (event.key === 'Backspace' && !typed && terms.length) {
            remove(terms[terms.length - 1]!);
        } else if (event.key === 'Escape') {
            event.preventDefault();
            if (open) setOpen(false);
            else input.current?.blur();
        }
    };
    const unknown = readTerms(typed + ' ', keys, true).unknown;
    const listId = 'query-list';
    const showing = open && offers.length > 0;
    return (
        <div class="query" role="search">
            <div class="input" onClick={event => event.target === event.currentTarget && input.current?.focus()}>
                {terms.map(term => (
                    <span class="qt" key={term.key}>
                        <i>{term.key}:</i>
                        {listValues(term.value).join(' or ')}
                        <button type="button" aria-label={`Remove ${term.key}:${term.value}`} onClick={() => remove(term)}>
                            ×
                        </button>
                    </span>
                ))}
                <input
                    ref={input}
                    role="combobox"
                    aria-label={label}
                    aria-expanded={showing}
                    aria-controls={listId}
                    aria-autocomplete="list"
                    autocomplete="off"
                    spellcheck={false}
                    aria-activedescendant={showing && chosen >= 0 ? `${listId}-${chosen}` : undefined}
                    aria-invalid={unknown || refused ? true : undefined}
                    placeholder={terms.length ? '' : 'kind:  behavior:  model:  task:  meta.KEY:  range.cost:0.1..  or words'}
                    value={typed}
                    onInput={event => {
                        setTyped(event.currentTarget.value);
                        setOpen(true);
                        setAt(-1);
                    }}
                    onFocus={() => setOpen(true)}
                    onBlur={() => setOpen(false)}
                    onKeyDown={onKeyDown}
                />
                <kbd class="hide-s" aria-hidden="true">
                    /
                </kbd>
            </div>
            <ul class="complete" id={listId} role="listbox" aria-label="Completions" hidden={!showing}>
                {offers.map((offer, i) => (
                    <li
                        key={offer.text}
                        id={`${listId}-${i}`}
                        role="option"
                        aria-selected={i === chosen}
                        onMouseDown={event => {
                            event.preventDefault();
                            take(offer);
                        }}
                    >
                        <b class="one">{offer.text}</b>
                        <span>{offer.hint}</span>
                    </li>
                ))}
            </ul>
            {(unknown || refused) && (
                <p class="query-error" role="alert">
                    {refused ?? `“${unknown}” is no field. Fields are ${keys.filter(key => !key.includes('.')).join(', ')}, meta.KEY, score.NAME and range.FIELD.`}
                </p>
            )}
        </div>
    );

    function offersFor(text: string, all: Field[]): Offer[] {
        const last = /\S*$/.exec(text)![0];
        const colon = last.indexOf(':');
        if (colon > 0) {
            const field = all.find(f => f.key === last.slice(0, colon));
            const part = last
                .slice(colon + 1)
                .replaceAll('"', '')
                .toLowerCase();
            return (field?.values ?? [])
                .filter(v => v.value.toLowerCase().includes(part))
                .slice(0, 12)
                .map(v => ({
                    text: `${field!.key}:${v.value}`,
                    hint: v.n == null ? '' : `${num(v.n)} ${unit}`,
                    term: { key: field!.key, value: v.value },
                }));
        }
        const part = last.toLowerCase();
        const byKey: Offer[] = all
            .filter(f => f.key.startsWith(part))
            .map(f => ({ text: f.key + ':', hint: f.values.length ? `${num(f.values.length)} values` : f.about, term: null }));
        const byValue: Offer[] =
            part.length < 2
                ? []
                : all.flatMap(f =>
                      f.values
                          .filter(v => v.value.toLowerCase().includes(part))
                          .map(v => ({
                              text: `${f.key}:${v.value}`,
                              hint: v.n == null ? '' : `${num(v.n)} ${unit}`,
                              term: { key: f.key, value: v.value },
                          })),
                  );
        return [...byKey, ...byValue].slice(0, 12);
    }
}
