// Who uses the page: on an open server anybody, on a closed one whoever signed in with a token.
import { useEffect, useState } from 'preact/hooks';
import { call, get, onRefused, setCsrf } from './api';
import { keepFor, onOwner } from './kept';

export type Scope = 'ingest' | 'read' | 'review' | 'admin';

export interface Session {
    mode: 'open' | 'closed';
    signed_in: boolean;
    name: string | null;
    /** The id of the token; null on an open server. */
    token: string | null;
    scopes: Scope[];
    /** Ids; null: all collections. */
    collections: string[] | null;
    csrf: string | null;
    expires_at: string | null;
}

const NOBODY: Session = { mode: 'closed', signed_in: false, name: null, token: null, scopes: [], collections: null, csrf: null, expires_at: null };

/* undefined until the server said it: the page is drawn meanwhile. */
let session: Session | undefined;
const listeners = new Set<() => void>();

function set(next: Session): Session {
    session = isFresh(next) ? next : NOBODY;
    setCsrf(session.csrf);
    // What the token may not do is not offered: [data-need] in the style sheet.
    document.documentElement.dataset.may = [...session.scopes, ...(session.collections ? [] : ['all'])].join(' ');
    for (const listener of [...listeners]) listener();
    return next;
}

/** Whether the page, its address and what the browser keeps hold nothing of somebody else; else it is loaded anew, and asks again. */
function isFresh(next: Session): boolean {
    const entry = history.state as { left?: string } | null;
    if (session?.token != null && session.token !== next.token) {
        // The same person, signed in again, goes on here; whoever else does, begins anew.
        history.replaceState({ ...entry, left: session.token }, '');
        location.reload();
        return false;
    }
    if (next.token == null) return true;
    const others = keepFor(next.token);
    if (entry?.left != null && entry.left !== next.token) {
        beginAnew();
        return false;
    }
    if (others) location.reload();
    return !others;
}

function beginAnew(): void {
    history.replaceState(null, '');
    location.replace('/');
}

export const askSession = (signal?: AbortSignal) => get<Session>('/session', undefined, signal).then(set);
export const signIn = (token: string) => call<Session>('POST', '/session', { body: { token } }).then(set);
export async function signOut(): Promise<void> {
    setCsrf((await get<Session>('/session')).csrf); // the session of this browser by now: another tab may have begun it
    await call<null>('DELETE', '/session');
    keepFor(null);
    beginAnew();
}

/* Another tab is no longer theirs either. */
onOwner(() => void askSession().catch(() => undefined));

/* The first question of a page tells that nobody is signed in; a later one, that the session ended: its token was revoked, its time is over,
 * somebody signed out in another tab. A write may also be refused as the server was started anew, and then what it asks for is other. */
let asking = false;
onRefused(status => {
    if (status === 401) return void set(NOBODY);
    if (asking) return;
    asking = true;
    const end = () => void (asking = false);
    askSession().then(end, end);
});

/** Whether whoever looks may do what needs the scope; true until it is known, as the server has the last word. */
export const may = (scope: Scope): boolean => !session || session.scopes.includes(scope);

/** Who signed in, where somebody did: an open server asks nobody, and calls them all by one name. */
export const signedInAs = (): string | undefined => (session?.mode === 'closed' && session.name) || undefined;

export function useSession(): Session | undefined {
    const [now, set] = useState(session);
    useEffect(() => {
        const listener = () => set(session);
        listeners.add(listener);
        listener();
        return () => void listeners.delete(listener);
    }, []);
    return now;
}

/** Whether they may do what needs the scope, and for 'all' a token of all collections; undefined until it is known. */
export function useMay(scope: Scope, of?: 'all'): boolean | undefined {
    const now = useSession();
    return now && now.scopes.includes(scope) && !(of && now.collections);
}
