// The documentation: its pages on the left, one of them in the middle, what is on it to the right.
import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { docs, docsAddress, docsPath, type DocsPage as Listed } from '../docs';
import { count } from '../format';
import { useKeys } from '../keys';
import { Markdown, anchorOf } from '../parts/markdown';
import { Failure } from '../parts/say';
import { Shell } from '../parts/shell';
import { go, usePlace, withQuery } from '../router';
import { useAsk, useKept, useNarrow, useTitle } from '../use';

const FIRST = 'start';

export function DocsPage({ name = FIRST }: { name?: string }): JSX.Element {
    const { query, hash } = usePlace();
    const words = query.get('q') ?? '';
    const list = useAsk('docs', signal => docs.list(signal));
    const page = useAsk('docs ' + name, signal => docs.page(name, signal));
    const found = useAsk(words ? 'docs find ' + words : null, signal => docs.find(words, signal));
    const hits = useKept(found.data);
    useTitle(page.data ? `${page.data.title}, documentation` : 'Documentation');
    const text = page.data?.text;
    const narrow = useNarrow();
    const pages = <Pages pages={list.data?.items ?? []} current={words ? '' : name} />;
    // The place that the address names, once it is there.
    useEffect(() => {
        if (!text || words) return;
        if (hash) document.getElementById(hash)?.scrollIntoView();
        else scrollTo(0, 0);
    }, [hash, text, words]);
    return (
        <Shell tab="docs">
            <main id="main" class="docs">
                <nav class="docs-pages" aria-label="Documentation">
                    <FindBox words={words} />
                    {narrow ? (
                        <details key={name}>
                            <summary>{page.data?.title ?? 'All pages'}</summary>
                            {pages}
                        </details>
                    ) : (
                        pages
                    )}
                </nav>
                <article class="docs-text">
                    {(list.error ?? page.error) && <Failure error={(list.error ?? page.error)!} again={page.error ? page.again : list.again} />}
                    {words ? hits && <Found words={words} pages={hits.items} /> : text != null && <Markdown text={text} own={docsAddress} />}
                </article>
                {!words && text != null && <Contents text={text} />}
            </main>
        </Shell>
    );
}

function FindBox({ words }: { words: string }): JSX.Element {
    const [typed, setTyped] = useState(words);
    const input = useRef<HTMLInputElement>(null);
    useEffect(() => setTyped(words), [words]);
    const ask = (next: string) => {
        setTyped(next);
        go(withQuery({ q: next.trim() ? next : null }), true);
    };
    useKeys('Documentation', [{ key: '/', does: 'find in the documentation', run: () => input.current?.focus() }]);
    return (
        <div class="input">
            <input
                ref={input}
                type="search"
                aria-label="Find in the documentation"
                placeholder="Find"
                value={typed}
                onInput={event => ask(event.currentTarget.value)}
                onKeyDown={event => event.key === 'Escape' && ask('')}
            />
            <kbd>/</kbd>
        </div>
    );
}

function Pages({ pages, current }: { pages: Listed[]; current: string }): JSX.Element {
    const groups = [...new Set(pages.map(page => page.group))];
    return (
        <>
            {groups.map(group => (
                <section key={group}>
                    <h2>{group}</h2>
                    <ul>
                        {pages
                            .filter(page => page.group === group)
                            .map(page => (
                                <li key={page.name}>
                                    <a href={docsPath(page.name)} aria-current={page.name === current ? 'page' : undefined}>
                                        {page.title}
                                    </a>
                                </li>
                            ))}
                    </ul>
                </section>
            ))}
        </>
    );
}

/** Its second headings; which of them one reads is marked. */
function Contents({ text }: { text: string }): JSX.Element | null {
    const heads = useMemo(() => headings(text), [text]);
    const [now, set] = useState('');
    useLayoutEffect(() => {
        const look = () => {
            let last = '';
            for (const head of heads) {
                const top = document.getElementById(head.anchor)?.getBoundingClientRect().top;
                if (top != null && top < 120) last = head.anchor;
            }
            set(last);
        };
        look();
        addEventListener('scroll', look, { passive: true });
        return () => removeEventListener('scroll', look);
    }, [heads]);
    if (heads.length < 2) return null;
    return (
        <nav class="docs-contents" aria-label="On this page">
            <h2>On this page</h2>
            <ul>
                {heads.map(head => (
                    <li key={head.anchor}>
                        <a class="one" href={'#' + head.anchor} title={head.words} aria-current={head.anchor === now ? 'true' : undefined}>
                            {head.words}
                        </a>
                    </li>
                ))}
            </ul>
        </nav>
    );
}

function headings(text: string): { words: string; anchor: string }[] {
    const out: { words: string; anchor: string }[] = [];
    let code = false;
    for (const line of text.split('\n')) {
        if (line.startsWith('```')) code = !code;
        if (!code && line.startsWith('## ')) out.push({ words: plain(line.slice(3)), anchor: anchorOf(line.slice(3)) });
    }
    return out;
}

/** Without the marks of Markdown. */
const plain = (line: string) =>
    line
        .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
        .replace(/(?<!\\)(`|\*\*)/g, '')
        .replace(/\\([\\`*_<>[\]#|])/g, '$1');

/** A row of a table as words. */
const row = (line: string) => plain(line.replace(/^\| | \|$/g, '').replace(/(?<!\\) \| /g, ' · '));

function Found({ words, pages }: { words: string; pages: Listed[] }): JSX.Element {
    return (
        <div class="docs-found">
            <p class="dim" role="status">
                {pages.length ? `${count(pages.reduce((sum, page) => sum + (page.lines ?? 0), 0), 'line')} on ${count(pages.length, 'page')}` : `No line has all of “${words}”.`}
            </p>
            {pages.map(page => (
                <section key={page.name}>
                    <h2>
                        <a href={docsPath(page.name)}>{page.title}</a> <small>{count(page.lines ?? 0, 'line')}</small>
                    </h2>
                    <ul>
                        {page.hits.map((hit, i) => (
                            <li key={i}>
                                <a href={docsPath(page.name, anchorOf(hit.heading))}>
                                    <b class="one">{plain(hit.heading)}</b>
                                    {hit.line !== hit.heading && <span class="one">{row(hit.line)}</span>}
                                </a>
                            </li>
                        ))}
                    </ul>
                </section>
            ))}
        </div>
    );
}
