// Connections to models: which there are, where each comes from, and whether it works.
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { ApiError } from '../api';
import { DASH, duration, num } from '../format';
import {
    judging,
    type KeyName,
    type Model,
    type ModelApi,
    type ModelConfig,
    type ModelOrigin,
    type Models,
    type Probe,
} from '../judging';
import { useMay } from '../session';
import { visible } from '../text';
import { asApiError, useAsk } from '../use';
import { ActionsHead, AskedTable } from './asked';
import { Field } from './field';
import { CopyButton, Dialog, DialogHead, Failure, toast, toastError } from './say';

const ORIGIN: Record<ModelOrigin, string> = { file: 'file', env: 'environment', page: 'this page' };
const API: Record<ModelApi, string> = { openai: 'OpenAI-compatible', anthropic: 'Anthropic' };
const ENVIRONMENT = 'export TELLTALE_MODEL_URL=http://127.0.0.1:8080/v1\nexport TELLTALE_MODEL=my-model';

/** How to get the first model. */
export function ConnectOne({ here }: { here?: boolean }): JSX.Element {
    return (
        <>
            <p>
                No model is connected: start Telltale with these two lines in its environment, or add one of a public address{' '}
                {here ? 'here' : <a href="/settings">in the settings</a>}. Everything but judging works without.
            </p>
            <pre class="cmd">
                {ENVIRONMENT}
                <CopyButton text={ENVIRONMENT} what="the two lines" />
            </pre>
        </>
    );
}

export function ModelsPanel({ onReady }: { onReady: () => void }): JSX.Element {
    const may = useMay('read', 'all');
    const asked = useAsk(may === false ? null : 'models', signal => judging.models(signal));
    const { data, again } = asked;
    const [form, setForm] = useState<Model | 'new' | null>(null);
    const [probes, setProbes] = useState<Record<string, Probe | ApiError | 'asking'>>({});
    useEffect(() => void ((data || may === false) && onReady()), [!data, may]);
    const test = (name: string) => {
        const put = (probe: Probe | ApiError | 'asking') => setProbes(before => ({ ...before, [name]: probe }));
        put('asking');
        judging.testModel(name).then(put, (e: unknown) => put(asApiError(e)));
    };
    const remove = async (name: string) => {
        try {
            await judging.deleteModel(name);
            toast(`Connection ${name} deleted`);
            again();
        } catch (e) {
            toastError('The connection was not deleted.', asApiError(e));
        }
    };
    return (
        <section class="panel" aria-label="Models" id="models">
            <header>
                <h2>Models</h2>
                <span class="dim">connections that judges ask; keys are only named here</span>
                {data && (
                    <button data-need="admin" class="btn end" type="button" onClick={() => setForm('new')}>
                        Add a connection
                    </button>
                )}
            </header>
            {may === false && <p class="none-yet">Only a token with the scope read, for all collections, sees the connections.</p>}
            <AskedTable
                asked={asked}
                none={
                    <div class="pad">
                        <ConnectOne here />
                    </div>
                }
                kind="models"
                heads={['Name', 'From', 'Model', 'Asks', 'Key', <th key="num" class="num">USD a million tokens</th>, <ActionsHead key="actions" />]}
            >
                {model => (
                    <ModelRow
                        key={model.name}
                        model={model}
                        models={data!}
                        probe={probes[model.name]}
                        test={() => test(model.name)}
                        edit={() => setForm(model)}
                        remove={() => void remove(model.name)}
                    />
                )}
            </AskedTable>
            {!!data?.problems.length && (
                <div class="pad model-problems" role="alert">
                    <p>
                        <b>Not usable as written:</b>
                    </p>
                    <ul>
                        {data.problems.map(problem => (
                            <li key={problem}>{visible(problem)}</li>
                        ))}
                    </ul>
                </div>
            )}
            {form && data && (
                <ModelForm
                    model={form === 'new' ? null : form}
                    models={data}
                    onClose={() => setForm(null)}
                    onSaved={name => {
                        setForm(null);
                        setProbes(({ [name]: _, ...rest }) => rest);
                        again();
                    }}
                />
            )}
        </section>
    );
}

function ModelRow({
    model: m,
    models,
    probe,
    test,
    edit,
    remove,
}: {
    model: Model;
    models: Models;
    probe: Probe | ApiError | 'asking' | undefined;
    test: () => void;
    edit: () => void;
    remove: () => void;
}): JSX.Element {
    const [sure, setSure] = useState(false);
    return (
        <>
            <tr class={probe ? 'with-said' : undefined}>
                <td>
                    <b class="name">{visible(m.name)}</b> {m.name === models.default && <span class="tag">default</span>}
                </td>
                <td data-l="from">{ORIGIN[m.origin]}</td>
                <td data-l="model" class="mono">
                    {visible(m.model)}
                </td>
                <td>
                    {API[m.api]} <span class="mono dim">{visible(m.url)}</span>
                </td>
                <td data-l="key">
                    <KeyState name={m.key} keys={models.keys} />
                </td>
                <td data-l="USD a million tokens" class="num">
                    {m.price ? `${m.price.in} in, ${m.price.out} out` : DASH}
                </td>
                <td class="row-acts">
                    <button data-need="admin"
                        class="btn"
                        type="button"
                        aria-label={`Test ${m.name}`}
                        disabled={probe === 'asking'}
                        onClick={test}
                    >
                        Test
                    </button>
                    {m.origin === 'page' &&
                        (sure ? (
                            <>
                                <button class="btn btn-danger" type="button" onClick={remove}>
                                    Delete {visible(m.name)}
                                </button>
                                <button class="btn btn-bare" type="button" onClick={() => setSure(false)}>
                                    Keep
                                </button>
                            </>
                        ) : (
                            <>
                                <button data-need="admin" class="btn btn-bare" type="button" aria-label={`Edit ${m.name}`} onClick={edit}>
                                    Edit
                                </button>
                                <button data-need="admin"
                                    class="btn btn-bare"
                                    type="button"
                                    aria-label={`Delete ${m.name}`}
                                    onClick={() => setSure(true)}
                                >
                                    Delete
                                </button>
                            </>
                        ))}
                </td>
            </tr>
            {probe && (
                <tr class="said-row">
                    <td colSpan={7}>
                        <Said probe={probe} />
                    </td>
                </tr>
            )}
        </>
    );
}

function KeyState({ name, keys }: { name: string | null | undefined; keys: KeyName[] }): JSX.Element {
    if (!name) return <span class="dim">none is sent</span>;
    if (keys.some(k => k.name === name)) return <span class="mono">{visible(name)}</span>;
    return (
        <>
            <span class="mono">{visible(name)}</span> <span class="warn">missing</span>
        </>
    );
}

/** What the test button learned. */
function Said({ probe }: { probe: Probe | ApiError | 'asking' }): JSX.Element {
    if (probe === 'asking')
        return (
            <p class="dim" role="status">
                asking one small question …
            </p>
        );
    if ('where' in probe) return <Failure error={probe} what="The test could not be made." />;
    const has = (what: boolean, name: string) => (
        <span>
            {name} <b>{what ? 'yes' : 'no'}</b>
        </span>
    );
    return (
        <div role="status">
            <p class={probe.works ? 'good' : 'bad'}>{visible(probe.said)}</p>
            {probe.works && (
                <p class="facts">
                    <span>
                        took <b>{duration(probe.took_ms)}</b>
                    </span>
                    {has(probe.schema, 'holds answers to a schema')}
                    {has(probe.logprobs, 'log-probabilities')}
                    {has(probe.usage, 'tells its usage')}
                </p>
            )}
            {!!probe.models?.length && (
                <p class="dim">
                    it lists {num(probe.models.length)}: {visible(probe.models.slice(0, 12).join(', '))}
                    {probe.models.length > 12 && ' …'}
                </p>
            )}
        </div>
    );
}

/* ---- addresses that only the operator names ---------------------------------------------------------------------------- */

const PRIVATE =
    /^(localhost|.*\.(localhost|local|internal|lan|home\.arpa)|[^.:]+|0\..*|10\..*|127\..*|169\.254\..*|172\.(1[6-9]|2\d|3[01])\..*|192\.168\..*|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\..*|\[(::|::1|::ffff:.*|f[cd].*|fe[89ab].*)\])$/i;

/** Whether an address looks like one of this machine or network. The server decides; this only says it sooner. */
function isPrivate(url: string): boolean {
    try {
        return PRIVATE.test(new URL(url).hostname);
    } catch {
        return false;
    }
}

/** As telltale.yaml has it; flow style takes JSON's strings. */
function yamlOf(m: ModelConfig): string {
    const name = m.name || 'local';
    const pairs = [
        m.api !== 'openai' && `api: ${m.api}`,
        `url: ${JSON.stringify(m.url)}`,
        `model: ${JSON.stringify(m.model || 'my-model')}`,
        m.key && `key: ${JSON.stringify(m.key)}`,
        m.window != null && `window: ${m.window}`,
        m.concurrency != null && `concurrency: ${m.concurrency}`,
        m.timeout != null && `timeout: ${m.timeout}`,
        m.price && `price: { in: ${m.price.in}, out: ${m.price.out} }`,
        m.structure === 'prompt' && 'structure: prompt',
        m.logprobs && 'logprobs: true',
    ].filter(Boolean);
    return `models:\n  default: ${JSON.stringify(name)}\n  ${JSON.stringify(name)}: { ${pairs.join(', ')} }`;
}

const shellWord = (text: string) => (/^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
const environmentOf = (m: ModelConfig) =>
    [
        `export TELLTALE_MODEL_URL=${shellWord(m.url)}`,
        `export TELLTALE_MODEL=${shellWord(m.model || 'my-model')}`,
        ...(m.api === 'openai' ? [] : [`export TELLTALE_MODEL_API=${m.api}`]),
    ].join('\n');

/** What whoever runs Telltale writes for what was typed: the page may not name such addresses. */
function ByOperator({ config }: { config: ModelConfig }): JSX.Element {
    const [yaml, environment] = [yamlOf(config), environmentOf(config)];
    return (
        <section class="by-operator" aria-label="For whoever runs Telltale" role="region">
            <p role="status">
                <b>This is an address of this machine or network.</b> So that no visitor can send Telltale there, only whoever runs it
                names such a model: in telltale.yaml, then start it anew,
            </p>
            <pre class="cmd">
                {visible(yaml)}
                <CopyButton text={yaml} what="the lines for telltale.yaml" />
            </pre>
            <p>or without a file, in its environment:</p>
            <pre class="cmd">
                {visible(environment)}
                <CopyButton text={environment} what="the environment" />
            </pre>
        </section>
    );
}

/* ---- adding and editing ---------------------------------------------------------------------------------------------- */

const NUMBERS = ['price_in', 'price_out', 'window', 'concurrency', 'timeout'] as const;

function ModelForm({
    model,
    models,
    onClose,
    onSaved,
}: {
    model: Model | null;
    models: Models;
    onClose: () => void;
    onSaved: (name: string) => void;
}): JSX.Element {
    const [probe, setProbe] = useState<Probe | ApiError | 'asking' | null>(null);
    const [error, setError] = useState<ApiError | null>(null);
    const [api, setApi] = useState<ModelApi>(model?.api ?? 'openai');
    const read = (form: HTMLFormElement): ModelConfig => {
        const data = new FormData(form);
        const text = (name: string) => String(data.get(name) ?? '').trim();
        const n = Object.fromEntries(NUMBERS.map(name => [name, text(name) === '' ? undefined : Number(text(name))]));
        return {
            name: model?.name ?? text('name'),
            api: text('api') as ModelApi,
            url: text('url'),
            model: text('model'),
            ...(text('key') && { key: text('key') }),
            ...(n.price_in != null && n.price_out != null && { price: { in: n.price_in, out: n.price_out } }),
            ...(n.window != null && { window: n.window }),
            ...(n.concurrency != null && { concurrency: n.concurrency }),
            ...(n.timeout != null && { timeout: n.timeout }),
            structure: text('structure') as 'schema' | 'prompt',
            logprobs: data.has('logprobs'),
        };
    };
    const test = (form: HTMLFormElement) => {
        if (!form.reportValidity()) return;
        setProbe('asking');
        judging.tryModel(read(form)).then(setProbe, (e: unknown) => setProbe(asApiError(e)));
    };
    const save = async (event: Event) => {
        event.preventDefault();
        const config = read(event.currentTarget as HTMLFormElement);
        try {
            await judging.saveModel(config);
            toast(`Connection ${config.name} saved`);
            onSaved(config.name);
        } catch (e) {
            setError(asApiError(e));
        }
    };
    const [typed, setTyped] = useState<ModelConfig | null>(null);
    const local = typed != null && isPrivate(typed.url);
    const title = model ? `Connection ${model.name}` : 'New connection';
    return (
        <Dialog title={title} wide onClose={onClose}>
            <DialogHead title={title} onClose={onClose} />
            <form class="pad sheet" onSubmit={save} onInput={event => setTyped(read(event.currentTarget))}>
                <div class="pair">
                    <Field label="Name" help="What it is called here and on the command line.">
                        <input
                            name="name"
                            required
                            autofocus={!model}
                            disabled={!!model}
                            defaultValue={model?.name}
                            pattern="[A-Za-z0-9][A-Za-z0-9._\-]*"
                            title="letters, digits, hyphens"
                            maxLength={80}
                            autocomplete="off"
                        />
                    </Field>
                    <Field
                        label="API"
                        help={
                            api === 'openai'
                                ? '/chat/completions, as OpenAI, OpenRouter and most services have it.'
                                : '/messages, as Anthropic has it.'
                        }
                    >
                        <select name="api" value={api} onChange={event => setApi(event.currentTarget.value as ModelApi)}>
                            <option value="openai">OpenAI-compatible chat completions</option>
                            <option value="anthropic">Anthropic messages</option>
                        </select>
                    </Field>
                </div>
                <Field
                    label="Base URL"
                    help={
                        <>
                            {api === 'openai' ? '/chat/completions' : '/messages'} is added to it. A public address: a server of
                            this machine or network is named by whoever runs Telltale.
                        </>
                    }
                >
                    <input
                        name="url"
                        required
                        type="url"
                        pattern="https?://.*"
                        title="begins with http:// or https://"
                        defaultValue={model?.url}
                        placeholder={api === 'openai' ? 'https://api.openai.com/v1' : 'https://api.anthropic.com/v1'}
                        autocomplete="off"
                        spellcheck={false}
                    />
                </Field>
                {local && <ByOperator config={typed!} />}
                <div class="pair">
                    <Field label="Model" help="As the API calls it.">
                        <input name="model" required defaultValue={model?.model} autocomplete="off" spellcheck={false} />
                    </Field>
                    <Field
                        label="Key"
                        help={
                            models.keys.length
                                ? 'Its name only. The key itself stays on the server and goes to its own address alone.'
                                : 'None is set up: name one under “keys” in telltale.yaml, with the variable or file that holds it.'
                        }
                    >
                        <select name="key">
                            <option value="">none</option>
                            {model?.key && !models.keys.some(k => k.name === model.key) && (
                                <option value={model.key} selected>
                                    {visible(model.key)} (missing)
                                </option>
                            )}
                            {models.keys.map(key => (
                                <option key={key.name} value={key.name} selected={key.name === model?.key}>
                                    {visible(key.name)}
                                    {key.for && ` for ${visible(key.for)}`}
                                </option>
                            ))}
                        </select>
                    </Field>
                </div>
                <div class="pair">
                    <Field label="Price in" help="USD a million tokens of prompt. Without both prices a cap counts calls.">
                        <input type="number" name="price_in" min={0} defaultValue={model?.price?.in} step="any" />
                    </Field>
                    <Field label="Price out" help="USD a million tokens of answer.">
                        <input type="number" name="price_out" min={0} defaultValue={model?.price?.out} step="any" />
                    </Field>
                </div>
                <div class="thirds">
                    <Field label="Window" help="Tokens, prompt and answer together; longer runs are judged in pieces.">
                        <input type="number" name="window" min={0} defaultValue={model?.window} placeholder="32768" />
                    </Field>
                    <Field label="At once" help="Calls in flight, 1 to 256.">
                        <input
                            type="number"
                            name="concurrency"
                            defaultValue={model?.concurrency}
                            placeholder="8"
                            min={1}
                            max={256}
                        />
                    </Field>
                    <Field label="Time-out" help="Seconds for one try.">
                        <input type="number" name="timeout" defaultValue={model?.timeout} placeholder="120" min={1} />
                    </Field>
                </div>
                <Field label="Answers are held to the schema" help="The test says what the server takes.">
                    <select name="structure">
                        <option value="schema">by the server</option>
                        <option value="prompt" selected={model?.structure === 'prompt'}>
                            by the words of the prompt only
                        </option>
                    </select>
                </Field>
                <label class="check">
                    <input type="checkbox" name="logprobs" defaultChecked={model?.logprobs} />
                    <span>
                        Gives log-probabilities <small>makes epistemic confidence cheap</small>
                    </span>
                </label>
                {probe && <Said probe={probe} />}
                {error && <Failure error={error} what="The connection was not saved." />}
                <p class="sheet-end">
                    <button
                        class="btn"
                        type="button"
                        disabled={probe === 'asking'}
                        onClick={event => test(event.currentTarget.form!)}
                    >
                        Test
                    </button>
                    <button
                        class="btn btn-main"
                        type="submit"
                        disabled={local}
                        title={local ? 'Whoever runs Telltale names an address of this machine or network' : undefined}
                    >
                        Save
                    </button>
                </p>
            </form>
        </Dialog>
    );
}
