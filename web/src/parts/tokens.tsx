// Tokens: which there are, what each may, when it was last used; make one, revoke one.
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { access, type Token } from '../access';
import { api, type ApiError, type Collection } from '../api';
import { DASH, count, num, time } from '../format';
import { useMay, useSession, type Scope } from '../session';
import { visible } from '../text';
import { asApiError, useAsk } from '../use';
import { ActionsHead, AskedTable } from './asked';
import { Field } from './field';
import { CopyButton, Dialog, DialogHead, Failure, Sure, toast, toastError } from './say';

const SCOPES: [Scope, string][] = [
    ['ingest', 'put runs in; it reads nothing but how its own uploads do'],
    ['read', 'see everything of its collections'],
    ['review', 'read, and say what findings and runs are: reviews, tags, labels, exceptions'],
    ['admin', 'everything: delete, rules, models, judging, tokens'],
];
const DAY_MS = 86_400_000;
const LASTS: [string, number | null][] = [
    ['30 days', 30],
    ['90 days', 90],
    ['a year', 365],
    ['until it is revoked', null],
];

export function TokensPanel({ onReady }: { onReady: () => void }): JSX.Element | null {
    const session = useSession();
    const may = useMay('admin', 'all');
    const tokens = useAsk(may ? 'tokens' : null, signal => access.tokens(signal));
    const collections = useAsk(may ? 'collections of tokens' : null, signal => api.collections({ limit: 1000 }, signal));
    const [making, setMaking] = useState(false);
    const [revoking, setRevoking] = useState<Token | null>(null);
    useEffect(() => void ((tokens.data || may === false) && onReady()), [!tokens.data, may]);
    if (may === false)
        return (
            <section class="panel" aria-label="Tokens" id="tokens">
                <header>
                    <h2>Tokens</h2>
                </header>
                <p class="none-yet">Only a token with the scope admin, for all collections, sees and makes tokens.</p>
            </section>
        );
    const names = new Map(collections.data?.items.map(c => [c.id, c.name]));
    const revoke = async (token: Token) => {
        setRevoking(null);
        try {
            await access.revokeToken(token.id);
            toast(`Token ${visible(token.name)} revoked`);
            tokens.again();
        } catch (e) {
            toastError('The token was not revoked.', asApiError(e));
        }
    };
    return (
        <section class="panel" aria-label="Tokens" id="tokens">
            <header>
                <h2>Tokens</h2>
                <span class="dim">
                    {session?.mode === 'open'
                        ? 'this server is open and asks nobody; they count where it listens for others'
                        : 'by which the server knows who asks'}
                </span>
                {tokens.data && (
                    <button class="btn end" type="button" onClick={() => setMaking(true)}>
                        New token
                    </button>
                )}
            </header>
            <AskedTable
                asked={tokens}
                failed="The tokens could not be loaded."
                none={
                    <p class="none-yet">
                        There is none. <a href="/docs/access">What tokens are for</a>
                    </p>
                }
                kind="models tokens"
                heads={['Name', 'May', 'Collections', 'Last used', 'Ends', 'Made by', <ActionsHead key="actions" />]}
            >
                {token => <Row key={token.id} token={token} names={names} revoke={() => setRevoking(token)} />}
            </AskedTable>
            {making && (
                <NewToken
                    collections={collections.data?.items ?? []}
                    onMade={tokens.again}
                    onClose={() => setMaking(false)}
                />
            )}
            {revoking && (
                <Sure
                    title="Revoke a token"
                    question={`Revoke ${visible(revoking.name)}?`}
                    act="Revoke"
                    run={() => void revoke(revoking)}
                    onClose={() => setRevoking(null)}
                >
                    What uses it is refused from then on, and whoever signed in with it is signed out. What it did stays, and so does its
                    name in the <a href={'/audit?' + new URLSearchParams({ actor: revoking.name })}>log of changes</a>.
                </Sure>
            )}
        </section>
    );
}

const isOver = (token: Token) => token.expires_at != null && Date.parse(token.expires_at) < Date.now();

function Row({ token, names, revoke }: { token: Token; names: Map<string, string>; revoke: () => void }): JSX.Element {
    const usable = !token.revoked_at && !isOver(token);
    const limits = [
        ...(token.rate == null ? [] : [`${count(token.rate, 'request')} a second`]),
        ...(token.max_upload_mb == null ? [] : [`${num(token.max_upload_mb)} MB an upload`]),
    ];
    const bound = token.collections?.map(id => names.get(id) ?? id.slice(0, 8));
    return (
        <tr class={usable ? undefined : 'over'}>
            <td>
                <b class="name">{visible(token.name)}</b> <span class="mono dim">tt_{token.id}</span>
            </td>
            <td data-l="may">
                {token.scopes.join(', ')}
                {limits.length > 0 && <span class="dim">, at most {limits.join(', ')}</span>}
            </td>
            <td data-l="collections" title={bound?.join(', ')}>
                {!bound ? 'all' : !bound.length ? 'none (deleted)' : bound.length > 2 ? count(bound.length, 'collection') : visible(bound.join(', '))}
            </td>
            <td data-l="last used">{token.used_at ? time(token.used_at) : DASH}</td>
            <td data-l="ends">
                {token.revoked_at ? `revoked ${time(token.revoked_at)}` : token.expires_at ? (isOver(token) ? 'ended ' : '') + time(token.expires_at) : 'never'}
            </td>
            <td data-l="made by">{visible(token.made_by ?? DASH)}</td>
            <td class="row-acts">
                {usable && (
                    <button class="btn btn-bare" type="button" aria-label={`Revoke ${token.name}`} onClick={revoke}>
                        Revoke
                    </button>
                )}
            </td>
        </tr>
    );
}

function NewToken({
    collections,
    onMade,
    onClose,
}: {
    collections: Collection[];
    onMade: () => void;
    onClose: () => void;
}): JSX.Element {
    const [name, setName] = useState('');
    const [scopes, setScopes] = useState<Scope[]>(['read']);
    const [bound, setBound] = useState(false);
    const [chosen, setChosen] = useState<string[]>([]);
    const [days, setDays] = useState<number | null>(90);
    const [rate, setRate] = useState('');
    const [upload, setUpload] = useState('');
    const [made, setMade] = useState<string | null>(null);
    const [error, setError] = useState<ApiError | null>(null);
    const toggle = <T,>(list: T[], item: T) => (list.includes(item) ? list.filter(x => x !== item) : [...list, item]);
    const ready = name.trim() && scopes.length && (!bound || chosen.length);
    const make = async (event: Event) => {
        event.preventDefault();
        try {
            const token = await access.addToken({
                name: name.trim(),
                scopes,
                ...(bound && { collections: chosen }),
                ...(days != null && { expires_at: new Date(Date.now() + days * DAY_MS).toISOString() }),
                ...(rate && { rate: Number(rate) }),
                ...(upload && { max_upload_mb: Number(upload) }),
            });
            setMade(token.token);
            onMade();
        } catch (e) {
            setError(asApiError(e));
        }
    };
    if (made)
        return (
            <Dialog title="The new token" onClose={onClose}>
                <DialogHead title={`Token ${visible(name.trim())}`} onClose={onClose} />
                <div class="pad sheet">
                    <p role="status">
                        <b>Copy it now.</b> It is shown this once: only a hash of it is kept.
                    </p>
                    <pre class="cmd secret" tabIndex={0}>
                        {made}
                        <CopyButton text={made} what="the token" />
                    </pre>
                    <p class="dim">
                        Programs send it as <code>Authorization: Bearer …</code>, <code>telltale import --to</code> takes it from{' '}
                        <code>$TELLTALE_TOKEN</code>, people sign in with it.
                    </p>
                </div>
            </Dialog>
        );
    return (
        <Dialog title="New token" onClose={onClose}>
            <DialogHead title="New token" onClose={onClose} />
            <form class="pad sheet token-form" onSubmit={event => void make(event)}>
                <Field label="Name" help="Whose it is, or what uses it. The log of changes has it.">
                    <input value={name} maxLength={200} required autoFocus onInput={event => setName(event.currentTarget.value)} />
                </Field>
                <fieldset>
                    <legend>It may</legend>
                    {SCOPES.map(([scope, about]) => (
                        <label key={scope} class="check">
                            <input type="checkbox" checked={scopes.includes(scope)} onChange={() => setScopes(toggle(scopes, scope))} />
                            <span>
                                <b>{scope}</b> <small>{about}</small>
                            </span>
                        </label>
                    ))}
                </fieldset>
                <fieldset>
                    <legend>Collections</legend>
                    <label class="check">
                        <input type="radio" name="bound" checked={!bound} onChange={() => setBound(false)} />
                        <span>all, those to come too</span>
                    </label>
                    <label class="check">
                        <input type="radio" name="bound" checked={bound} disabled={!collections.length} onChange={() => setBound(true)} />
                        <span>these alone</span>
                    </label>
                    {bound && (
                        <div class="choose">
                            {collections.map(c => (
                                <label key={c.id} class="check">
                                    <input type="checkbox" checked={chosen.includes(c.id)} onChange={() => setChosen(toggle(chosen, c.id))} />
                                    <span class="one">{visible(c.name)}</span>
                                </label>
                            ))}
                        </div>
                    )}
                </fieldset>
                <fieldset>
                    <legend>It lasts</legend>
                    <div class="seg" role="group" aria-label="It lasts">
                        {LASTS.map(([word, value]) => (
                            <button key={word} class="btn" type="button" aria-pressed={days === value} onClick={() => setDays(value)}>
                                {word}
                            </button>
                        ))}
                    </div>
                </fieldset>
                <div class="pair">
                    <Field label="Requests a second" help="At most; ten seconds’ worth may come at once.">
                        <input type="number" min={1} max={1e6} placeholder="any" value={rate} onInput={event => setRate(event.currentTarget.value)} />
                    </Field>
                    <Field label="MB an upload" help="At most; the server’s own limit holds too.">
                        <input type="number" min={1} max={1e6} placeholder="any" value={upload} onInput={event => setUpload(event.currentTarget.value)} />
                    </Field>
                </div>
                {error && <Failure error={error} what="The token was not made." />}
                <div class="dialog-acts">
                    <button class="btn btn-main" type="submit" disabled={!ready}>
                        Make the token
                    </button>
                </div>
            </form>
        </Dialog>
    );
}
