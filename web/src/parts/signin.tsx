// Before the page of a closed server: one card. The address stays, so that a link that was sent leads on to where it points.
import type { ComponentChildren, JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { ApiError } from '../api';
import { usePlace } from '../router';
import { askSession, signIn, useSession } from '../session';
import { asApiError, useAsk, useTitle } from '../use';
import { Field } from './field';
import { Logo } from './shell';

/** Its children, or the card where the server wants to know who asks. They are drawn before that is known: on most servers nobody is asked. */
export function Gate({ children }: { children: ComponentChildren }): JSX.Element {
    const session = useSession();
    const { path } = usePlace();
    useAsk('session', askSession);
    const open = !session || session.signed_in || path === '/docs' || path.startsWith('/docs/');
    return open ? <>{children}</> : <SignIn />;
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
                    On the server: <code>telltale token create NAME --scope review</code>. <a href="/docs/access">About access</a>
                </p>
            </form>
        </main>
    );
}
