// A history router: the page and its state are the URL, so every view can be copied as a link and Back works.
import { useEffect, useState } from 'preact/hooks';
import { listItem } from './filter';

export interface Place {
    path: string;
    query: URLSearchParams;
    hash: string;
}

function read(): Place {
    return { path: location.pathname, query: new URLSearchParams(location.search), hash: location.hash.slice(1) };
}

let here = read();
const listeners = new Set<() => void>();
history.scrollRestoration = 'manual';

function tell(): void {
    here = read();
    for (const listener of [...listeners]) listener();
}

/* Where each entry of the history was scrolled to, so that Back returns to the same line. */
function keepScroll(): void {
    history.replaceState({ ...(history.state as object | null), y: scrollY }, '');
}

let restoring = 0;
function restore(y: number): void {
    const token = ++restoring;
    const until = performance.now() + 1500;
    const tryAgain = () => {
        if (token !== restoring) return;
        scrollTo(0, y);
        if (Math.abs(scrollY - y) > 1 && performance.now() < until) requestAnimationFrame(tryAgain);
    };
    requestAnimationFrame(tryAgain);
}

addEventListener('popstate', () => {
    const y = (history.state as { y?: number } | null)?.y ?? 0;
    const samePage = here.path === location.pathname;
    tell();
    if (!(samePage && location.hash)) restore(y);
});
addEventListener('pagehide', keepScroll);
for (const gesture of ['wheel', 'touchstart', 'keydown', 'pointerdown'])
    addEventListener(gesture, () => void restoring++, { passive: true });

/** Goes to an address of this site. `replace` changes the address without a new entry in the history. */
export function go(to: string, replace = false): void {
    const target = new URL(to, location.href);
    const next = target.pathname + target.search + target.hash;
    const fresh = target.pathname !== location.pathname;
    if (replace) {
        history.replaceState(history.state, '', next);
    } else {
        if (next === location.pathname + location.search + location.hash) return;
        keepScroll();
        history.pushState(null, '', next);
    }
    tell();
    if (fresh && !target.hash && !replace) scrollTo(0, 0);
}

/** The address of the present page with some of its query changed; null takes a key out. */
export function withQuery(changes: Record<string, string | null>, keepHash = false): string {
    const query = new URLSearchParams(here.query);
    for (const [key, value] of Object.entries(changes)) {
        if (value == null || value === '') query.delete(key);
        else query.set(key, value);
    }
    const text = query.toString();
    return here.path + (text ? '?' + text : '') + (keepHash && here.hash ? '#' + here.hash : '');
}

/** An address that asks for what has no such value: the key stands there, with nothing after it. */
export function withNone(key: string): string {
    const query = new URLSearchParams(here.query);
    query.set(key, '');
    return here.path + '?' + query;
}

export function usePlace(): Place {
    const [place, set] = useState(here);
    useEffect(() => {
        const listener = () => set(here);
        listeners.add(listener);
        listener();
        return () => void listeners.delete(listener);
    }, []);
    return place;
}

export const currentPlace = () => here;

/* Plain clicks on links of this site stay in the page; everything else is the browser's. */
addEventListener('click', event => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = (event.target as Element).closest?.('a');
    if (!link || link.target || link.hasAttribute('download') || link.origin !== location.origin || !isPage(link.pathname))
        return;
    if (link.getAttribute('href')?.startsWith('#main')) return;
    event.preventDefault();
    go(link.href);
});

export type Page =
    | { name: 'collections' }
    | { name: 'story' | 'runs' | 'findings' | 'tasks'; collection: string }
    | { name: 'groups' | 'map'; collection: string }
    | { name: 'task'; collection: string; task: string }
    | { name: 'run'; run: string }
    | { name: 'rules' | 'rubrics' | 'settings' | 'query' | 'beside' | 'jobs' }
    | { name: 'rubric' | 'agreement'; rubric: string }
    | { name: 'search' | 'audit' }
    | { name: 'docs'; page?: string }
    | { name: 'unknown' };

export function pageOf(path: string): Page {
    const parts = path.split('/').slice(1).map(decode);
    if (path === '/') return { name: 'collections' };
    if (path === '/rules' || path === '/rules/new') return { name: 'rules' };
    if (path === '/judges') return { name: 'rubrics' };
    if (path === '/search') return { name: 'search' };
    if (path === '/query') return { name: 'query' };
    if (path === '/compare') return { name: 'beside' };
    if (path === '/settings') return { name: 'settings' };
    if (path === '/jobs') return { name: 'jobs' };
    if (path === '/audit') return { name: 'audit' };
    if (path === '/docs') return { name: 'docs' };
    if (parts[0] === 'docs' && parts.length === 2 && parts[1]) return { name: 'docs', page: parts[1] };
    if (parts[0] === 'runs' && parts.length === 2 && parts[1]) return { name: 'run', run: parts[1] };
    if (parts[0] === 'judges' && parts[1]) {
        if (parts.length === 2) return { name: 'rubric', rubric: parts[1] };
        if (parts.length === 3 && parts[2] === 'agreement') return { name: 'agreement', rubric: parts[1] };
    }
    if (parts[0] === 'c' && parts[1]) {
        const collection = parts[1];
        if (parts.length === 2) return { name: 'story', collection };
        const tab = parts[2];
        if (parts.length === 3 && tab === 'map') return { name: 'map', collection };
        if (parts.length === 3 && tab === 'compare') return { name: 'groups', collection };
        if (parts.length === 3 && (tab === 'runs' || tab === 'findings' || tab === 'tasks')) return { name: tab, collection };
        if (parts.length === 4 && tab === 'tasks' && parts[3]) return { name: 'task', collection, task: parts[3] };
    }
    return { name: 'unknown' };
}
const isPage = (path: string) => pageOf(path).name !== 'unknown';

/** The words of a piece of an address; one that is cut short stays as it is. */
export function decode(part: string): string {
    try {
        return decodeURIComponent(part);
    } catch {
        return part;
    }
}

/** A collection is addressed by its name, or by its id where the name would not survive in a path. */
export function collectionPath(c: { id: string; name: string }, tab = ''): string {
    const plain = /^[^/\\?#%\x00-\x1f]+$/.test(c.name) && c.name !== '.' && c.name !== '..';
    return '/c/' + (plain ? encodeURIComponent(c.name) : c.id) + (tab ? '/' + tab : '');
}

/** One task; in the list of runs where its name would not survive in a path. */
export function taskPath(c: { id: string; name: string }, task: string): string {
    return task === '.' || task === '..'
        ? collectionPath(c, 'runs') + '?' + new URLSearchParams({ task: listItem(task) })
        : collectionPath(c, 'tasks') + '/' + encodeURIComponent(task);
}

/** The rubrics, one of them, or its agreement with people; the collection that one looks at stays in the address. */
export function rubricPath(rubric?: string, options: { tab?: 'agreement'; collection?: string | null } = {}): string {
    const path = '/judges' + (rubric == null ? '' : '/' + encodeURIComponent(rubric)) + (options.tab ? '/' + options.tab : '');
    return path + (options.collection ? '?' + new URLSearchParams({ collection: options.collection }) : '');
}

export function runPath(
    run: string,
    options: {
        finding?: string;
        message?: number | null;
        transcript?: number | null;
        /** Words in that message. */
        span?: { part: string; start: number; end: number };
    } = {},
): string {
    const query = new URLSearchParams();
    if (options.transcript) query.set('t', String(options.transcript));
    if (options.finding) query.set('finding', options.finding);
    const text = query.toString();
    const span = options.span && `:${encodeURIComponent(options.span.part)}:${options.span.start}-${options.span.end}`;
    const hash = options.message != null ? `#m${options.message}${span ?? ''}` : '';
    return '/runs/' + encodeURIComponent(run) + (text ? '?' + text : '') + hash;
}
