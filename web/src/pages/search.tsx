// Search: words or a pattern over every message of every collection. The first hits at once, beside them how many there are.
import type { JSX } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { api, type List } from '../api';
import { num } from '../format';
import { addTerm, readTerms } from '../filter';
import { useKeys } from '../keys';
import { HitList, hitPath } from '../parts/hitlist';
import { FailedPage, copy } from '../parts/say';
import { SearchFacetList } from '../parts/searchfacets';
import { Shell, useCollection } from '../parts/shell';
import { listValues } from '../filter';
import { go, usePlace, withQuery } from '../router';
import { useRows, type Rows } from '../rows';
import {
    SEARCH_KEYS,
    filtersOf,
    searchOf,
    searchUrl,
    searching,
    withoutHalfTerm,
    wordsOf,
    type SearchFacets,
    type SearchHit,
    type SearchPage as Page,
} from '../searching';
import { useAsk, useTitle } from '../use';

const SIZES = { first: 50, page: 500 };
const AT_ONCE = 2000; /* hits that are loaded without being scrolled to */
const NOTHING: List<SearchHit> = { items: [], next: null, total: null };

export function SearchPage(): JSX.Element {
    const { query } = usePlace();
    const asked = searchOf(query);
    const key = asked.toString();
    const collection = useCollection(query.get('collection'));
    useTitle(asked.has('q') ? `${asked.get('q')} in all messages` : 'Search');
    const [limits, setLimits] = useState<{ of: string; reason: string | null }>({ of: '', reason: null });
    const rows = useRows<SearchHit>(
        'search ' + key,
        async ({ limit, after }, signal) => {
            if (!key) return NOTHING;
            const page: Page = await searching.page(asked, limit, after, signal);
            if (!after || page.reason) setLimits({ of: key, reason: page.reason });
            return page;
        },
        SIZES,
    );
    useEffect(() => {
        if (rows.next && rows.items.length < AT_ONCE) rows.want(AT_ONCE - 100);
    }, [rows.key, rows.items.length, rows.next]);
    const fresh = useAsk(key ? 'search facets ' + key : null, signal => searching.facets(asked, signal));
    // The old counts stay until the new ones are there.
    const kept = useRef<SearchFacets | undefined>(undefined);
    if (fresh.data || !key) kept.current = fresh.data;
    const collections = useAsk('collections', signal => api.collections({ limit: 1000 }, signal));
    const names = useMemo(
        () => new Map(collections.data && collections.data.items.length > 1 ? collections.data.items.map(c => [c.id, c.name]) : []),
        [collections.data],
    );
    const unsearched = (limits.of === key ? limits.reason : null) ?? fresh.data?.reason;
    const regex = query.get('regex') === '1';
    const words = useMemo(() => (regex ? [] : wordsOf(asked.get('q') ?? '')), [key]);

    const [cursor, setCursor] = useState(-1);
    useEffect(() => setCursor(-1), [key]);
    const input = useRef<HTMLInputElement>(null);
    const move = (step: number) => setCursor(at => Math.max(0, Math.min(rows.items.length - 1, at + step)));
    const open = () => rows.items[cursor] && go(hitPath(rows.items[cursor]));
    useKeys('Search', [
        { key: '/', does: 'search', run: () => input.current?.select() },
        { key: 'j', does: 'next hit', run: () => move(1) },
        { key: 'k', does: 'previous hit', run: () => move(-1) },
        { key: 'o', does: 'open the hit in its run', run: open },
        { key: 'Enter', does: 'open the hit in its run', run: open },
    ]);

    if (rows.error && !rows.items.length && rows.error.status !== 400)
        return (
            <Shell tab="search">
                <FailedPage error={rows.error} again={rows.again} />
            </Shell>
        );
    const filters = filtersOf(query);
    const facets = kept.current;
    return (
        <Shell tab="search">
            <main id="main" class={key ? 'runs search' : 'runs search bare'}>
                <h1 class="sr">Search</h1>
                {key && <SearchFacetList facets={facets} query={query} set={filters.length} />}
                <div class="list">
                    <div class="qbar">
                        <div class="row">
                            <Box query={query} input={input} refused={rows.error?.message} toList={() => move(0)} />
                        </div>
                        <p class="qts">
                            {filters.map(([name, value]) => (
                                <span class="qt" key={name}>
                                    <i>{name}:</i>
                                    <span class="one">{name === 'collection' ? value : listValues(value).join(' or ')}</span>
                                    <button
                                        type="button"
                                        aria-label={`Remove ${name}:${value}`}
                                        onClick={() => go(withQuery({ [name]: null }))}
                                    >
                                        ×
                                    </button>
                                </span>
                            ))}
                        </p>
                        {key && <Count rows={rows} facets={fresh.data} asked={asked} />}
                        {key && unsearched && (
                            <p class="note-line" role="status">
                                Not everything was searched: {unsearched}. What is shown is right, but there may be
                                more.
                            </p>
                        )}
                    </div>
                    {!key ? (
                        <Start collection={collection?.name} />
                    ) : !rows.items.length && !rows.loading && !rows.error ? (
                        <None asked={asked} filters={filters.length} />
                    ) : (
                        <HitList rows={rows} words={words} cursor={cursor} collections={names} />
                    )}
                </div>
            </main>
        </Shell>
    );
}

/** What is typed is searched for when the typing pauses. */
function Box({
    query,
    input,
    refused,
    toList,
}: {
    query: URLSearchParams;
    input: { current: HTMLInputElement | null };
    refused?: string;
    toList: () => void;
}): JSX.Element {
    const q = query.get('q') ?? '';
    const [typed, setTyped] = useState(q);
    const mine = useRef(q);
    useEffect(() => {
        if (q !== mine.current) setTyped((mine.current = q));
    }, [q]);
    const regex = query.get('regex') === '1';
    const say = (text: string, all: boolean) => {
        const first = !mine.current;
        const { terms, words } = regex ? { terms: [], words: text } : readTerms(text, SEARCH_KEYS, all);
        const q = all ? words.trim() : withoutHalfTerm(words);
        setTyped(all ? q : terms.length ? words : text);
        if (!terms.length && q === mine.current) return;
        const next = new URLSearchParams(query);
        for (const term of terms) addTerm(next, term);
        mine.current = q;
        go(withQuery({ ...Object.fromEntries(next), q }), !first && !terms.length);
    };
    useEffect(() => {
        if (typed === mine.current) return;
        const timer = setTimeout(() => say(typed, false), 160);
        return () => clearTimeout(timer);
    }, [typed]);
    useEffect(() => {
        if (!q) input.current?.focus();
    }, []);
    const flip = (name: string) => go(withQuery({ [name]: query.get(name) === '1' ? null : '1' }), true);
    return (
        <div class="query" role="search">
            <div class="query-box">
                <div class="input">
                    <input
                        ref={input}
                        type="text"
                        aria-label="Search every message"
                        aria-invalid={refused ? true : undefined}
                        placeholder={regex ? 'a regular expression, such as FAILED.*AssertionError' : 'words, "a phrase", role:  tool:  model:  task:'}
                        autocomplete="off"
                        spellcheck={false}
                        value={typed}
                        onInput={event => setTyped(event.currentTarget.value)}
                        onKeyDown={event => {
                            if (event.key === 'Enter' && typed !== mine.current) say(typed, true);
                            else if (event.key === 'Escape' || event.key === 'ArrowDown' || event.key === 'Enter') {
                                event.preventDefault();
                                input.current?.blur();
                                if (event.key !== 'Escape') toList();
                            }
                        }}
                    />
                    <kbd class="hide-s" aria-hidden="true">
                        /
                    </kbd>
                </div>
                <button class="btn" type="button" aria-pressed={regex} title="Read it as a regular expression (PCRE2)" onClick={() => flip('regex')}>
                    .* Regex
                </button>
                <button
                    class="btn"
                    type="button"
                    aria-pressed={query.get('case') === '1' || regex}
                    disabled={regex}
                    title={regex ? 'A regular expression knows case; begin it with (?i) where it should not' : 'Tell upper from lower case'}
                    onClick={() => flip('case')}
                >
                    Aa Case
                </button>
            </div>
            {refused && (
                <p class="query-error" role="alert">
                    {refused}
                </p>
            )}
        </div>
    );
}

function Count({ rows, facets, asked }: { rows: Rows<SearchHit>; facets?: SearchFacets; asked: URLSearchParams }): JSX.Element {
    const all = facets?.complete ? facets.total : !rows.next && !rows.loading ? rows.items.length : null;
    const some = Math.max(facets?.total ?? 0, rows.items.length);
    return (
        <p class="count" aria-live="polite">
            <span>
                <b>{all != null ? num(all) : `${num(some)} or more`}</b> {all === 1 ? 'hit' : 'hits'}
            </span>
            {rows.next && <span>the first {num(rows.items.length)} shown</span>}
            <span>{rows.loading && !rows.items.length ? 'searching …' : `first in ${Math.round(rows.ms)} ms`}</span>
            <button class="as-text" type="button" onClick={() => void copy(searchUrl(asked), 'Address of this search for scripts')}>
                copy as API call
            </button>
        </p>
    );
}

const EXAMPLES: { q: string; regex?: boolean; does: string }[] = [
    { q: 'permission denied', does: 'both words, anywhere in one text of a message' },
    { q: '"permission denied"', does: 'the phrase' },
    { q: 'FAILED.{1,200}AssertionError', regex: true, does: 'a regular expression, as PCRE2 reads it' },
    { q: '(?i)\\bi (?:cannot|can\u2019t)\\b', regex: true, does: 'the same without upper and lower case' },
];

function Start({ collection }: { collection?: string }): JSX.Element {
    return (
        <section class="start" aria-label="How to search">
            <h2>Find words in every message of {collection ?? 'every collection'}.</h2>
            <dl>
                {EXAMPLES.map(({ q, regex, does }) => (
                    <>
                        <dt>
                            <button class="as-text" type="button" onClick={() => go(withQuery({ q, regex: regex ? '1' : null }))}>
                                {q}
                            </button>
                        </dt>
                        <dd>
                            {does}
                            {regex && <span class="dim">, with .* Regex</span>}
                        </dd>
                    </>
                ))}
            </dl>
            <p class="dim">
                role:tool, model:NAME, task:NAME, success:false, meta.KEY:VALUE and the like narrow the search to these; in
                quotes they are words. Texts, reasoning, errors and the arguments of tool calls are searched. A hit opens its run at these very words.
            </p>
        </section>
    );
}

function None({ asked, filters }: { asked: URLSearchParams; filters: number }): JSX.Element {
    const q = asked.get('q') ?? '';
    const regex = asked.has('regex');
    return (
        <section class="start" aria-label="No hits">
            <h2>No message {regex ? 'matches' : 'says'} that.</h2>
            {filters > 0 && (
                <p>
                    <a href={'/search?' + new URLSearchParams([...asked].filter(([key]) => ['q', 'regex', 'case'].includes(key)))}>
                        Search without {filters === 1 ? 'the filter' : 'filters'}
                    </a>
                </p>
            )}
            {!regex && /\\[wdsb]|\.\*|\.\+|\[.+\]|\(.+\|.+\)/.test(q) && (
                <p>
                    It looks like a regular expression: <a href={withQuery({ regex: '1' })}>search for it as one</a>.
                </p>
            )}
            {!regex && asked.has('case') && (
                <p>
                    <a href={withQuery({ case: null })}>Search without regard to case</a>
                </p>
            )}
        </section>
    );
}
