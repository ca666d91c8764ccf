// All collections; the first page, and how transcripts come in.
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { api, importCommand, uploadCommand, type Collection } from '../api';
import { bytes, count, num, passRate, percent, time } from '../format';
import { useImports } from '../imports';
import { Field } from '../parts/field';
import { Meter } from '../parts/marks';
import { CopyButton, Dialog, DialogHead, FailedPage, toast, toastError } from '../parts/say';
import { Shell } from '../parts/shell';
import { ChooseFiles, ImportPanel, OtherWork } from '../parts/upload';
import { collectionPath, go } from '../router';
import { useSession } from '../session';
import { asApiError, useAsk, useTitle } from '../use';

const FORMATS = [
    'Inspect logs',
    'Docent AgentRun',
    'chat-completions messages',
    'SWE-agent trajectories',
    'tau-bench results',
    'InterCode logs',
    'OpenTelemetry gen_ai spans',
    'AutoGen chats',
    'coding agents’ sessions',
];

export function CollectionsPage(): JSX.Element {
    useTitle('');
    const { data, error, again } = useAsk('collections', signal => api.collections({ limit: 1000 }, signal));
    const imports = useImports();
    const ended = imports.filter(batch => batch.ended != null).length;
    useEffect(() => {
        if (ended) again();
    }, [ended]);
    if (error && !data)
        return (
            <Shell>
                <FailedPage error={error} again={again} />
            </Shell>
        );
    if (!data)
        return (
            <Shell>
                <main id="main" />
            </Shell>
        );
    const panels = imports.map(batch => <ImportPanel key={batch.id} batch={batch} />);
    if (!data.items.length)
        return (
            <Shell>
                <Empty panels={panels} />
            </Shell>
        );
    return (
        <Shell>
            <main id="main">
                <h1 class="page-title">
                    Collections <span class="dim">{num(data.items.length)}</span>
                </h1>
                {panels}
                <OtherWork onEnd={again} />
                <List items={data.items} again={again} />
                <section data-need="ingest" class="ways more-in" aria-label="Import">
                    <DropZone />
                    <Commands name={data.items[0]!.name} />
                </section>
            </main>
        </Shell>
    );
}

/* From so many on they are found by typing. */
const MANY = 10;

function List({ items, again }: { items: Collection[]; again: () => void }): JSX.Element {
    const [deleting, setDeleting] = useState<Collection | null>(null);
    const [changing, setChanging] = useState<Collection | null>(null);
    const [find, setFind] = useState('');
    const shown = items.filter(c => c.name.toLowerCase().includes(find));
    return (
        <section class="panel" aria-label="Collections">
            {items.length >= MANY && (
                <header>
                    <div class="input">
                        <input
                            aria-label="Find a collection"
                            placeholder="find a collection"
                            autocomplete="off"
                            value={find}
                            onInput={event => setFind(event.currentTarget.value.toLowerCase())}
                        />
                    </div>
                </header>
            )}
            <div class="scroll">
                <table class="grid-t cards">
                    <thead>
                        <tr>
                            <th>Collection</th>
                            <th class="num">Runs</th>
                            <th class="num">Size</th>
                            <th class="num">Tasks</th>
                            <th class="num">Passed %</th>
                            <th>
                                <span class="sr">bar</span>
                            </th>
                            <th class="num">Broken tasks</th>
                            <th class="num">Flagged runs</th>
                            <th class="num">Findings</th>
                            <th>Last import</th>
                            <th>
                                <span class="sr">Change</span>
                            </th>
                        </tr>
                    </thead>
                    <tbody>
                        {shown.map(c => {
                            const rate = passRate(c);
                            return (
                                <tr key={c.id}>
                                    <td class="wide">
                                        <a class="name" href={collectionPath(c)}>
                                            {c.name}
                                        </a>
                                        {c.description && <span class="sub one">{c.description}</span>}
                                        {limits(c) && <span class="sub one">{limits(c)}</span>}
                                    </td>
                                    <td class="num" data-l="runs">
                                        {num(c.runs)}
                                    </td>
                                    <td class="num" data-l="size">
                                        {bytes(c.bytes)}
                                    </td>
                                    <td class="num" data-l="tasks">
                                        {num(c.tasks)}
                                    </td>
                                    <td class="num" data-l="% passed">
                                        {percent(rate)}
                                    </td>
                                    <td class="bar">
                                        <Meter value={rate} />
                                    </td>
                                    <td class="num" data-l="broken tasks">
                                        {c.broken_tasks ? (
                                            <a class="count-b" href={collectionPath(c, 'tasks') + '?verdict=broken'}>
                                                {num(c.broken_tasks)}
                                            </a>
                                        ) : (
                                            '0'
                                        )}
                                    </td>
                                    <td class="num" data-l="flagged runs">
                                        {c.flagged ? (
                                            <a href={collectionPath(c, 'runs') + '?has_findings=true'}>{num(c.flagged)}</a>
                                        ) : (
                                            '0'
                                        )}
                                    </td>
                                    <td class="num" data-l="findings">
                                        <a href={collectionPath(c, 'findings')}>{num(c.findings)}</a>
                                    </td>
                                    <td class="dim" data-l="last import">
                                        {time(c.imported_at)}
                                    </td>
                                    <td class="del">
                                        <button data-need="admin"
                                            class="more"
                                            type="button"
                                            aria-label={`Change ${c.name}`}
                                            onClick={() => setChanging(c)}
                                        >
                                            change
                                        </button>
                                        <button data-need="admin"
                                            class="more"
                                            type="button"
                                            aria-label={`Delete ${c.name}`}
                                            onClick={() => setDeleting(c)}
                                        >
                                            delete
                                        </button>
                                    </td>
                                </tr>
                            );
                        })}
                    </tbody>
                </table>
            </div>
            {!shown.length && <p class="none-yet">No collection is called that.</p>}
            {changing && <Change collection={changing} onClose={() => setChanging(null)} again={again} />}
            {deleting && <Delete collection={deleting} onClose={() => setDeleting(null)} again={again} />}
        </section>
    );
}

/** What is set of how much it may have and how long it keeps that. */
function limits(c: Collection): string {
    const kept = c.keep === 'forever' ? 'kept for good' : c.keep && `keeps ${c.keep}`;
    return [c.quota && `at most ${c.quota}`, kept].filter(Boolean).join(', ');
}

function Change({ collection, onClose, again }: { collection: Collection; onClose: () => void; again: () => void }): JSX.Element {
    const [name, setName] = useState(collection.name);
    const [description, setDescription] = useState(collection.description ?? '');
    const [keep, setKeep] = useState(collection.keep ?? '');
    const [quota, setQuota] = useState(collection.quota ?? '');
    const [refused, setRefused] = useState('');
    const save = async (event: Event) => {
        event.preventDefault();
        try {
            await api.changeCollection(collection.id, {
                ...(name.trim() !== collection.name && { name: name.trim() }),
                description,
                ...(keep.trim() !== (collection.keep ?? '') && { keep: keep.trim() }),
                ...(quota.trim() !== (collection.quota ?? '') && { quota: quota.trim() || 'none' }),
            });
            toast(`${name.trim()} saved`);
            again();
            onClose();
        } catch (e) {
            setRefused(asApiError(e).message);
        }
    };
    return (
        <Dialog title="Change" onClose={onClose}>
            <DialogHead title={`Change ${collection.name}`} onClose={onClose} />
            <form class="pad sheet" onSubmit={event => void save(event)}>
                <Field label="Name" help="Links and scripts that use the old name no longer find it; its id stays.">
                    <input
                        required
                        maxLength={200}
                        autocomplete="off"
                        value={name}
                        onInput={event => setName(event.currentTarget.value)}
                    />
                </Field>
                <Field label="Description">
                    <input autocomplete="off" value={description} onInput={event => setDescription(event.currentTarget.value)} />
                </Field>
                <Field
                    label="Keeps its runs"
                    help="90d, 12h, 5000runs for the newest, or forever; empty: as the server says. Runs that somebody labelled, tagged, noted or confirmed stay."
                >
                    <input
                        maxLength={40}
                        autocomplete="off"
                        placeholder="as the server says"
                        value={keep}
                        onInput={event => setKeep(event.currentTarget.value)}
                    />
                </Field>
                <Field
                    label="May have at most"
                    help={`5000runs, 10GB of what they say and show, or both: 5000runs,10GB; empty: any amount. It has ${count(collection.runs, 'run')} of ${bytes(collection.bytes)}.`}
                >
                    <input
                        maxLength={40}
                        autocomplete="off"
                        placeholder="any amount"
                        value={quota}
                        onInput={event => setQuota(event.currentTarget.value)}
                    />
                </Field>
                {refused && (
                    <p class="query-error" role="alert">
                        {refused}
                    </p>
                )}
                <p class="acts-row">
                    <button class="btn btn-main" type="submit" disabled={!name.trim()}>
                        Save
                    </button>
                </p>
            </form>
        </Dialog>
    );
}

function Delete({ collection, onClose, again }: { collection: Collection; onClose: () => void; again: () => void }): JSX.Element {
    const run = async () => {
        try {
            await api.deleteCollection(collection.id);
            toast(`${collection.name} deleted`);
            again();
        } catch (e) {
            toastError(`${collection.name} could not be deleted.`, asApiError(e));
        }
        onClose();
    };
    return (
        <Dialog title="Delete" onClose={onClose}>
            <DialogHead title={`Delete ${collection.name}?`} onClose={onClose} />
            <div class="pad">
                <p>
                    {count(collection.runs, 'run')}, {count(collection.findings, 'finding')} and every review of them go. The
                    files they came from stay where they are.
                </p>
                <p>
                    <button class="btn btn-danger" type="button" onClick={run}>
                        Delete it
                    </button>
                </p>
            </div>
        </Dialog>
    );
}

function DropZone(): JSX.Element {
    return (
        <section class="drop" aria-label="Drop files">
            <svg viewBox="0 0 44 44" aria-hidden="true">
                <path d="M22 6v22M13 20l9 9 9-9M7 32v6h30v-6" />
            </svg>
            <h2>Drop files or folders anywhere</h2>
            <p class="sub">
                JSON, JSONL, logs, or a .zip, .tar, .gz, .zst of them.
                <br />
                The format is recognised from the content.
            </p>
            <p>
                <ChooseFiles />
            </p>
        </section>
    );
}

function Command({ title, lead, text, what }: { title: string; lead: string; text: string; what: string }): JSX.Element {
    return (
        <section class="panel" aria-label={title}>
            <header>
                <h2>{title}</h2>
            </header>
            <div class="pad">
                <p class="sub">{lead}</p>
                <pre class="cmd" tabIndex={0}>
                    {text}
                    <CopyButton text={text} what={what} />
                </pre>
            </div>
        </section>
    );
}

function Commands({ name, isNew }: { name: string; isNew?: boolean }): JSX.Element {
    const plain = /^[\w.-]+$/.test(name) ? name : 'nightly';
    useSession(); // what is to be typed names a token where one is asked for, which may be known later than this is drawn
    return (
        <>
            <Command
                title="Over HTTP"
                lead="From a script, a job, another machine."
                text={uploadCommand(plain, isNew ?? plain !== name)}
                what="the curl command"
            />
            <Command
                title="From the shell"
                lead="A folder of logs; run again, it takes only what is new."
                text={importCommand(plain)}
                what="the import command"
            />
        </>
    );
}

/** The first run: three ways in, and the sample. */
function Empty({ panels }: { panels: JSX.Element[] }): JSX.Element {
    return (
        <main id="main" class="hello">
            <h1>Put transcripts in. See what went wrong, and where.</h1>
            <p class="lead">
                Broken tasks, odd behaviours and near misses, each with the words that prove it. It runs here, offline, without a
                model key.
            </p>
            {panels}
            <div data-need="ingest" class="ways">
                <DropZone />
                <Commands name="nightly" isNew />
            </div>
            <Sample />
            <section aria-label="Formats" class="pad">
                <p class="hd">Formats read</p>
                <ul class="fmts">
                    {FORMATS.map(name => (
                        <li key={name}>{name}</li>
                    ))}
                </ul>
            </section>
        </main>
    );
}

function Sample(): JSX.Element {
    const [loading, setLoading] = useState(false);
    const load = async () => {
        setLoading(true);
        try {
            let job = await api.sample();
            while (job.state === 'queued' || job.state === 'running') {
                await new Promise(done => setTimeout(done, 200));
                job = await api.job(job.id);
            }
            if (job.state !== 'done') throw new Error(job.error ?? 'The sample could not be loaded.');
            const report = job.result as { collection?: { id: string; name: string } } | null;
            go(report?.collection ? collectionPath(report.collection) : '/');
        } catch (e) {
            toastError('The sample was not loaded.', asApiError(e));
            setLoading(false);
        }
    };
    return (
        <section class="panel sample" aria-label="Sample">
            <p>
                <b>Or look around first.</b>{' '}
                <span class="sub">
                    A small collection of agent runs with broken tasks, odd runs and near misses in it. Loads in a moment; delete
                    it with one click.
                </span>
            </p>
            <button data-need="admin"
                class="btn"
                type="button"
                disabled={loading}
                title={loading ? 'It is being loaded' : undefined}
                onClick={load}
            >
                {loading ? 'Loading …' : 'Load the sample collection'}
            </button>
        </section>
    );
}
