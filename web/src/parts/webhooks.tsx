// Webhooks: who is told when jobs end; add one, try it, pause it, and see what came of what it was told.
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { api, type ApiError, type Collection } from '../api';
import { DASH, count, num, time } from '../format';
import { useMay } from '../session';
import { visible } from '../text';
import { asApiError, useAsk } from '../use';
import { EVENTS, webhooks, type Delivery, type Webhook, type WebhookEvent } from '../webhooks';
import { ActionsHead, AskedTable } from './asked';
import { Field } from './field';
import { RawDialog } from './raw';
import { CopyButton, Dialog, DialogHead, Failure, Sure, toast, toastError } from './say';

const ABOUT: Record<WebhookEvent, string> = {
    'import.done': 'an upload was read to its end',
    'findings.new': 'an import or a scan came upon findings that were not there before',
    'judge.done': 'a judge is through',
    'job.failed': 'any job failed',
};
/** While something is on its way. */
const LOOK_AGAIN_MS = 700;

export function WebhooksPanel({ onReady }: { onReady: () => void }): JSX.Element {
    const may = useMay('admin', 'all');
    const asked = useAsk(may ? 'webhooks' : null, signal => webhooks.list(signal));
    const { data, again } = asked;
    const collections = useAsk(may ? 'collections of webhooks' : null, signal => api.collections({ limit: 1000 }, signal));
    const [adding, setAdding] = useState(false);
    const [open, setOpen] = useState<string | null>(null);
    const [changing, setChanging] = useState<Webhook | null>(null);
    const [deleting, setDeleting] = useState<Webhook | null>(null);
    useEffect(() => void ((data || may === false) && onReady()), [!data, may]);
    const change = async (does: Promise<unknown>, refused: string) => {
        try {
            await does;
            again();
        } catch (e) {
            toastError(refused, asApiError(e));
        }
    };
    const test = async (hook: Webhook) => {
        await change(webhooks.test(hook.id), 'The webhook was not tested.');
        setOpen(hook.id);
    };
    const remove = async (hook: Webhook) => {
        setDeleting(null);
        await change(
            webhooks.remove(hook.id).then(() => toast('Webhook deleted')),
            'The webhook was not deleted.',
        );
    };
    return (
        <section class="panel" aria-label="Webhooks" id="webhooks">
            <header>
                <h2>Webhooks</h2>
                <span class="dim">addresses that are told when an import, a scan or a judge ends</span>
                {data && (
                    <button class="btn end" type="button" onClick={() => setAdding(true)}>
                        Add a webhook
                    </button>
                )}
            </header>
            {may === false && <p class="none-yet">Only a token with the scope admin, for all collections, sees and adds webhooks.</p>}
            <AskedTable
                asked={asked}
                failed="The webhooks could not be loaded."
                none={
                    <p class="none-yet">
                        Nobody is told. <a href="/docs/webhooks">What webhooks send, and how it is signed</a>
                    </p>
                }
                kind="models webhooks"
                heads={['Address', 'Events', 'Collection', 'Deliveries', 'Last', <ActionsHead key="actions" />]}
            >
                {hook => (
                    <Row
                        key={hook.id}
                        hook={hook}
                        open={open === hook.id}
                        onOpen={() => setOpen(open === hook.id ? null : hook.id)}
                        onEvents={() => setChanging(hook)}
                        onTest={() => void test(hook)}
                        onPause={() => void change(webhooks.pause(hook.id, !hook.paused), 'The webhook was not changed.')}
                        onDelete={() => setDeleting(hook)}
                        onTold={again}
                    />
                )}
            </AskedTable>
            {adding && <NewWebhook collections={collections.data?.items ?? []} onAdded={again} onClose={() => setAdding(false)} />}
            {changing && <ChangeEvents hook={changing} onChanged={again} onClose={() => setChanging(null)} />}
            {deleting && (
                <Sure
                    title="Delete a webhook"
                    question="Delete the webhook?"
                    act="Delete"
                    run={() => void remove(deleting)}
                    onClose={() => setDeleting(null)}
                >
                    <span class="mono">{visible(deleting.url)}</span> is told nothing more
                    {deleting.waiting ? `, and not the ${count(deleting.waiting, 'delivery', 'deliveries')} that still wait` : ''}. Its secret is
                    gone with it.
                </Sure>
            )}
        </section>
    );
}

/** "3 delivered, 1 given up, 2 waiting" */
function counts(hook: Webhook): string {
    const parts: [number, string][] = [
        [hook.delivered, 'delivered'],
        [hook.failed, 'given up'],
        [hook.waiting, 'waiting'],
    ];
    return (
        parts
            .filter(([n]) => n)
            .map(([n, word]) => `${num(n)} ${word}`)
            .join(', ') || 'none yet'
    );
}

function Row({
    hook,
    open,
    onOpen,
    onEvents,
    onTest,
    onPause,
    onDelete,
    onTold,
}: {
    hook: Webhook;
    open: boolean;
    onOpen: () => void;
    onEvents: () => void;
    onTest: () => void;
    onPause: () => void;
    onDelete: () => void;
    onTold: () => void;
}): JSX.Element {
    const to = `to ${hook.url}`;
    const events = hook.events.length === EVENTS.length ? 'all' : hook.events.join(', ');
    return (
        <>
            <tr class={open ? 'with-said' : undefined}>
                <td class="mono to">
                    {visible(hook.url)} {hook.paused && <span class="tag">paused</span>}
                </td>
                <td data-l="events">
                    <button class="as-text" type="button" title="Change" aria-label={`Change the events told ${to}: ${events}`} onClick={onEvents}>
                        {events}
                    </button>
                </td>
                <td data-l="collection">{hook.collection ? visible(hook.collection.name) : 'all'}</td>
                <td data-l="deliveries">
                    <button class="as-text" type="button" aria-expanded={open} aria-label={`Deliveries ${to}: ${counts(hook)}`} onClick={onOpen}>
                        {counts(hook)}
                    </button>
                </td>
                <td data-l="last">
                    {hook.last_at ? (
                        <>
                            {time(hook.last_at)}, <Answer status={hook.last_status} error={hook.last_error} />
                        </>
                    ) : (
                        DASH
                    )}
                </td>
                <td class="row-acts">
                    <button
                        class="btn"
                        type="button"
                        aria-label={`Test the webhook ${to}`}
                        disabled={hook.paused}
                        title={hook.paused ? 'It is paused: resume it first' : undefined}
                        onClick={onTest}
                    >
                        Test
                    </button>
                    <button class="btn btn-bare" type="button" aria-label={`${hook.paused ? 'Resume' : 'Pause'} the webhook ${to}`} onClick={onPause}>
                        {hook.paused ? 'Resume' : 'Pause'}
                    </button>
                    <button class="btn btn-bare" type="button" aria-label={`Delete the webhook ${to}`} onClick={onDelete}>
                        Delete
                    </button>
                </td>
            </tr>
            {open && (
                <tr class="said-row">
                    <td colSpan={6}>
                        <Deliveries hook={hook} onTold={onTold} />
                    </td>
                </tr>
            )}
        </>
    );
}

/** What the other side said, or why nothing was heard of it. */
function Answer({ status, error }: { status: number | null; error: string | null }): JSX.Element {
    const good = status != null && status >= 200 && status < 300;
    if (good) return <span class="good">answered {status}</span>;
    return <span class="bad">{visible(error ?? (status == null ? 'no answer' : `answered ${status}`))}</span>;
}

function Deliveries({ hook, onTold }: { hook: Webhook; onTold: () => void }): JSX.Element {
    const { data, error, again } = useAsk(`deliveries ${hook.id}`, signal => webhooks.deliveries(hook.id, signal));
    const [shown, setShown] = useState<Delivery | null>(null);
    // A first try ends in moments, and what comes of it is awaited here; later tries are hours apart.
    const trying = !hook.paused && !!data?.items.some(d => d.state === 'waiting' && !isTried(d));
    const sum = hook.waiting + hook.delivered + hook.failed;
    const came = data?.items.map(d => d.state + d.attempts).join();
    useEffect(() => {
        if (!trying) return;
        const timer = setTimeout(again, LOOK_AGAIN_MS);
        return () => clearTimeout(timer);
    }, [trying, data]);
    // The row above counts what is listed here.
    useEffect(() => void (data && onTold()), [came]);
    useEffect(() => void (data && again()), [sum]);
    if (error) return <Failure error={error} again={again} what="Its deliveries could not be loaded." />;
    if (!data) return <p class="dim">loading …</p>;
    if (!data.items.length) return <p class="dim">It was told nothing yet. Test sends it something at once.</p>;
    return (
        <>
            <ul class="deliveries" aria-label={`Deliveries to ${hook.url}`} aria-live="polite">
                {data.items.map(d => (
                    <li key={d.id}>
                        <span class="num-l">{time(d.created_at)}</span>
                        <span class="mono">{visible(d.event)}</span>
                        <span class="came">
                            <State delivery={d} paused={hook.paused} />
                        </span>
                        <button class="more" type="button" aria-label={`What was sent: ${d.event}, ${time(d.created_at)}`} onClick={() => setShown(d)}>
                            what was sent
                        </button>
                    </li>
                ))}
            </ul>
            {shown && <RawDialog title={shown.event} value={shown.payload} onClose={() => setShown(null)} />}
        </>
    );
}

const isTried = (d: Delivery) => d.status != null || d.error != null;
const tries = (n: number) => count(n, 'try', 'tries');

function State({ delivery: d, paused }: { delivery: Delivery; paused: boolean }): JSX.Element {
    const answer = isTried(d) && <Answer status={d.status} error={d.error} />;
    switch (d.state) {
        case 'delivered':
            return (
                <>
                    {answer}
                    {d.attempts > 1 && <span class="dim"> after {tries(d.attempts)}</span>}
                </>
            );
        case 'failed':
            return (
                <>
                    {answer} <span class="dim">given up after {tries(d.attempts)}</span>
                </>
            );
        case 'waiting':
            return (
                <>
                    {answer}{' '}
                    <span class="dim">
                        {paused ? 'waits while the webhook is paused' : answer ? `after ${tries(d.attempts)}; again ${time(d.next_at)}` : 'on its way …'}
                    </span>
                </>
            );
    }
}

function EventsField({ events, onChange }: { events: WebhookEvent[]; onChange: (events: WebhookEvent[]) => void }): JSX.Element {
    return (
        <fieldset>
            <legend>It is told of</legend>
            {EVENTS.map(name => (
                <label key={name} class="check">
                    <input
                        type="checkbox"
                        checked={events.includes(name)}
                        onChange={() => onChange(EVENTS.filter(e => events.includes(e) !== (e === name)))}
                    />
                    <span>
                        <b>{name}</b> <small>{ABOUT[name]}</small>
                    </span>
                </label>
            ))}
        </fieldset>
    );
}

function ChangeEvents({ hook, onChanged, onClose }: { hook: Webhook; onChanged: () => void; onClose: () => void }): JSX.Element {
    const [events, setEvents] = useState<WebhookEvent[]>(hook.events);
    const [error, setError] = useState<ApiError | null>(null);
    const [busy, setBusy] = useState(false);
    const change = async (event: Event) => {
        event.preventDefault();
        if (busy) return;
        setBusy(true);
        try {
            await webhooks.tell(hook.id, events);
            onChanged();
            onClose();
        } catch (e) {
            setError(asApiError(e));
            setBusy(false);
        }
    };
    return (
        <Dialog title="Events of a webhook" onClose={onClose}>
            <DialogHead title="Events of a webhook" onClose={onClose} />
            <form class="pad sheet token-form" onSubmit={event => void change(event)}>
                <p class="mono to">{visible(hook.url)}</p>
                <EventsField events={events} onChange={setEvents} />
                {error && <Failure error={error} what="The webhook was not changed." />}
                <div class="dialog-acts">
                    <button class="btn btn-main" type="submit" disabled={busy || !events.length}>
                        Change
                    </button>
                </div>
            </form>
        </Dialog>
    );
}

function NewWebhook({
    collections,
    onAdded,
    onClose,
}: {
    collections: Collection[];
    onAdded: () => void;
    onClose: () => void;
}): JSX.Element {
    const [url, setUrl] = useState('');
    const [events, setEvents] = useState<WebhookEvent[]>([...EVENTS]);
    const [collection, setCollection] = useState('');
    const [secret, setSecret] = useState<string | null>(null);
    const [error, setError] = useState<ApiError | null>(null);
    const [busy, setBusy] = useState(false);
    const add = async (event: Event) => {
        event.preventDefault();
        if (busy) return;
        setBusy(true);
        setError(null);
        try {
            const added = await webhooks.add({ url: url.trim(), events, ...(collection && { collection }) });
            setSecret(added.secret);
            onAdded();
        } catch (e) {
            setError(asApiError(e));
        }
        setBusy(false);
    };
    if (secret)
        return (
            <Dialog title="The new webhook" onClose={onClose}>
                <DialogHead title="Webhook added" onClose={onClose} />
                <div class="pad sheet">
                    <p role="status">
                        <b>Copy its secret now.</b> It is shown this once, and signs all that is sent to <span class="mono">{visible(url.trim())}</span>.
                    </p>
                    <pre class="cmd secret" tabIndex={0}>
                        {secret}
                        <CopyButton text={secret} what="the secret" />
                    </pre>
                    <p class="dim">
                        Signed as Standard Webhooks has it: <a href="/docs/webhooks#signatures">how to check it</a>
                    </p>
                </div>
            </Dialog>
        );
    return (
        <Dialog title="New webhook" onClose={onClose}>
            <DialogHead title="New webhook" onClose={onClose} />
            <form class="pad sheet token-form" onSubmit={event => void add(event)}>
                <Field label="Address" help="Each event is sent there as a POST of JSON.">
                    <input
                        type="url"
                        name="url"
                        required
                        autoFocus
                        pattern="https?://.*"
                        title="begins with http:// or https://"
                        maxLength={2000}
                        placeholder="https://ci.example.org/telltale"
                        autocomplete="off"
                        spellcheck={false}
                        value={url}
                        onInput={event => setUrl(event.currentTarget.value)}
                    />
                </Field>
                <EventsField events={events} onChange={setEvents} />
                <Field label="Collection">
                    <select value={collection} onChange={event => setCollection(event.currentTarget.value)}>
                        <option value="">all, those to come too</option>
                        {collections.map(c => (
                            <option key={c.id} value={c.id}>
                                {visible(c.name)}
                            </option>
                        ))}
                    </select>
                </Field>
                {error && <Failure error={error} what="The webhook was not added." />}
                <div class="dialog-acts">
                    <button class="btn btn-main" type="submit" disabled={busy || !url.trim() || !events.length}>
                        Add the webhook
                    </button>
                </div>
            </form>
        </Dialog>
    );
}
