// Who uses the page: on an open server anybody, on a closed one whoever signed in with a token.
import { useEffect, useState } from 'preact/hooks';
import { call, get, onRefused, setCsrf } from './api';

export type Scope = 'ingest' | 'read' | 'review' | 'admin';

export interface Session {
    mode: 'open' | 'closed';
    signed_in: boolean;
    name: string | null;
    scopes: Scope[];
    /** Ids; null: all collections. */
    collections: string[] | null;
    csrf: string | null;
    expires_at: string | null;
}

let session: Session | undefined;
const listeners = new Set<() => void>();

function set(next: Session): Session {
    session = next;
    setCsrf(next.csrf);
    // What the token may not do is not offered: [data-need] in the style sheet.
    document.documentElement.dataset.may = [...next.scopes, ...(next.collections ? [] : ['all'])].join(' ');
    for (const listener of [...listeners]) listener();
    return next;
}

export const askSession = () => get<Session>('/session').then(set);
export const signIn = (token: string) => call<Session>('POST', '/session', { body: { token } }).then(set);
export async function signOut(): Promise<void> {
    await call<null>('DELETE', '/session');
    await askSession();
}

/* A session that ended (its token was revoked, its time is over, somebody signed out in another tab), or a server that was started anew and
 * asks for tokens now, is noticed at the next refusal. */
let asking = false;
onRefused(() => {
    if (asking) return;
    asking = true;
    askSession().then(
        () => (asking = false),
        () => (asking = false),
    );
});

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
