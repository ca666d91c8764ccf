// Before the page of a closed server: one card. The address stays, so that a link that was sent leads on to where it points.
import type { ComponentChildren, JSX } from 'preact';
import { useState } from 'preact/hooks';
import { importCommand, type ApiError } from '../api';
import { usePlace } from '../router';
import { askSession, signIn, signOut, useSession, type Session } from '../session';
import { visible } from '../text';
import { asApiError, useAsk, useTitle } from '../use';
import { Field } from './field';
import { Logo } from './shell';

/** Its children, or the card where the server wants to know who asks. They are drawn before that is known: on most servers nobody is asked. */
export function Gate({ children }: { children: ComponentChildren }): JSX.Element {
    const session = useSession();
    const { path } = usePlace();
    useAsk('session', askSession);
    const open = !session || path === '/docs' || path.startsWith('/docs/');
    if (open || session.scopes.includes('read')) return <>{children}</>;
    return session.signed_in ? <SendsOnly session={session} /> : <SignIn />;
}

/** A token that puts runs in is not one to look at them with. */
function SendsOnly({ session }: { session: Session }): JSX.Element {
    useTitle('This token sends runs');
    const [error, setError] = useState<ApiError | null>(null);
    const leave = () => void signOut().catch((e: unknown) => setError(asApiError(e)));
    return (
        <main id="main" class="sign-in">
            <section class="panel sends-only">
                <Logo />
                <h1>This token only sends runs</h1>
                <p>
                    <b>{visible(session.name ?? '')}</b> puts runs into {session.collections ? 'its collections' : 'every collection'}, and shows
                    nothing of them. A script sends with it:
                </p>
                <pre class="cmd" tabIndex={0}>
                    {importCommand('COLLECTION')}
                </pre>
                <p>To look at runs, sign in with a token that has the scope read.</p>
                {error && (
                    <p class="bad" role="alert">
                        {error.message}
                    </p>
                )}
                <button class="btn btn-main" type="button" onClick={leave}>
                    Sign in with another token
                </button>
                <p class="dim">
                    <a href="/docs/access">About access</a>
                </p>
            </section>
        </main>
    );
}

function SignIn(): JSX.Element {
    useTitle('Sign in');
    const [token, setToken] = useState('');
    const [error, setError] = useState<ApiError | null>(null);
    const [busy, setBusy] = useState(false);
    const submit = async (event: Event) => {
        event.preventDefault();
        if (busy) return;
        setBusy(true);
        setError(null);
        try {
            await signIn(token.trim());
        } catch (e) {
            setError(asApiError(e));
        }
        setBusy(false);
    };
    return (
        <main id="main" class="sign-in">
            <form class="panel pad" onSubmit={event => void submit(event)}>
                <Logo />
                <h1>Sign in</h1>
                <Field label="Token" help="It begins with tt_. Whoever runs this server makes one.">
                    <input
                        type="password"
                        name="token"
                        autoComplete="current-password"
                        spellcheck={false}
                        required
                        autoFocus
                        value={token}
                        aria-invalid={!!error}
                        onInput={event => setToken(event.currentTarget.value)}
                    />
                </Field>
                {error && (
                    <p class="bad" role="alert">
                        {error.message}
                    </p>
                )}
                <button class="btn btn-main" type="submit" disabled={busy || !token.trim()}>
                    Sign in
                </button>
                <p class="dim">
                    <a href="/docs/access">About access</a>. On the server: <code>telltale token create NAME --scope review</code>
                </p>
            </form>
        </main>
    );
}
