// The detectors: what each flags, what it cannot tell, its rule, and how often it speaks in the open collection.
import type { JSX } from 'preact';
import type { ComponentChildren } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { api, type Detector, type Summary } from '../api';
import { exceptions } from '../exceptions';
import { KINDS, KIND_NAME, count, num, percent, wilson } from '../format';
import { KindMark, SeverityMark } from '../parts/marks';
import { ExceptionItem } from '../parts/exceptions';
import { CopyButton, Dialog, DialogHead, Failure, toast, toastError } from '../parts/say';
import { Shell, useCollection } from '../parts/shell';
import { collectionPath, currentPlace, go, usePlace, withQuery } from '../router';
import { ruleCalls, type OwnRule } from '../rules';
import { visible } from '../text';
import { asApiError, useAsk, useTitle } from '../use';
import { RuleOpen } from './ruleopen';

export function RulesPage(): JSX.Element {
    const { path, query } = usePlace();
    const name = query.get('c');
    const id = query.get('rule');
    const words = (query.get('q') ?? '').toLowerCase();
    const collection = useCollection(name);
    const detectors = useAsk('detectors ' + (name ?? ''), signal => api.detectors(signal, name));
    const summary = useAsk(name == null ? null : 'summary ' + name, signal => api.summary(name!, signal));
    const own = useAsk('own rules', signal => ruleCalls.own(signal));
    const editing = path === '/rules/new' || (id != null && query.has('edit'));
    const rule = id == null ? undefined : detectors.data?.items.find(d => d.id === id);
    useTitle(rule ? rule.id : 'Detectors');
    const shown = useMemo(
        () => (detectors.data?.items ?? []).filter(d => `${d.id} ${d.title} ${d.behavior}`.toLowerCase().includes(words)),
        [detectors.data, words],
    );
    return (
        <Shell collection={collection} name={name ?? undefined} tab="detectors">
            <main id="main" class="rules">
                {!editing && detectors.error && <Failure error={detectors.error} again={detectors.again} />}
                {editing ? (
                    <RuleOpen id={path === '/rules/new' ? null : id} />
                ) : id != null && detectors.data ? (
                    <OneRule
                        id={id}
                        rule={rule}
                        own={own.data?.items.find(r => r.id === id)}
                        summary={summary.data}
                        onRemoved={() => {
                            own.again();
                            detectors.again();
                        }}
                    />
                ) : (
                    <Catalogue shown={shown} own={own.data?.items ?? []} total={detectors.data?.items.length} summary={summary.data} />
                )}
            </main>
        </Shell>
    );
}

/** What the open collection holds of a detector. */
function Here({ rule, summary }: { rule: Detector; summary: Summary }): JSX.Element {
    const row = summary.detectors.find(d => d.detector === rule.id);
    if (!row) return <span class="dim">0</span>;
    const to = collectionPath(summary.collection, 'findings') + '?' + new URLSearchParams({ detector: rule.id, status: 'any' });
    return (
        <a href={to} aria-label={`${count(row.findings, 'finding')} of ${rule.id}`}>
            {num(row.findings)}
        </a>
    );
}

/** Confirmed of reviewed, with the interval in the title. */
function Precision({ rule, summary }: { rule: Detector; summary: Summary }): JSX.Element {
    const row = summary.detectors.find(d => d.detector === rule.id);
    const n = row ? row.confirmed + row.dismissed : 0;
    const rate = row && wilson(row.confirmed, n);
    if (!rate) return <span class="dim">{row ? 'no reviews' : '—'}</span>;
    return (
        <span title={`95 % interval ${percent(rate.low, 0)} to ${percent(rate.high, 0)} %`}>
            {percent(rate.value, 0)} % <span class="dim">of {num(n)}</span>
        </span>
    );
}

/** Where a new rule is written; what it is like, and the collection that one looks at, go with it. */
function newRule(like?: string): string {
    const c = currentPlace().query.get('c');
    const query = new URLSearchParams({ ...(like && { like }), ...(c && { c }) }).toString();
    return '/rules/new' + (query && '?' + query);
}

const written = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value));

function Parameters({ rule }: { rule: Detector }): JSX.Element | null {
    const all = Object.entries(rule.parameters ?? {});
    if (!all.length) return <span class="dim">none</span>;
    return (
        <>
            {all.map(([name, value]) => (
                <span class="parameter" key={name}>
                    {name} <b>{visible(written(value).slice(0, 60))}</b>
                </span>
            ))}
        </>
    );
}

function Catalogue({
    shown,
    own,
    total,
    summary,
}: {
    shown: Detector[];
    own: OwnRule[];
    total: number | undefined;
    summary: Summary | undefined;
}): JSX.Element {
    return (
        <>
            <div class="title-row">
                <h1 class="page-title">
                    Detectors{' '}
                    <span class="dim">
                        {num(shown.length)}
                        {total != null && total !== shown.length ? ` of ${num(total)}` : ''}
                    </span>
                </h1>
                <Search />
                <a class="btn btn-main end" href={newRule()}>
                    New rule
                </a>
            </div>
            {KINDS.map(kind => {
                const rows = shown.filter(d => d.kind === kind);
                if (!rows.length) return null;
                return (
                    <section class="panel" key={kind} aria-label={KIND_NAME[kind]}>
                        <header>
                            <h2>
                                <KindMark kind={kind} /> {KIND_NAME[kind]}
                            </h2>
                            <span class="dim">{num(rows.length)}</span>
                        </header>
                        <table class="grid-t rule-table">
                            <thead>
                                <tr>
                                    <th class="w-id">Detector</th>
                                    <th>Title</th>
                                    <th class="w-s">Severity</th>
                                    <th class="w-s">Scope</th>
                                    <th class="w-o">On</th>
                                    <th class="w-pa">Parameters</th>
                                    {summary && <th class="num w-s">Found here</th>}
                                    {summary && <th class="num w-s">Precision</th>}
                                </tr>
                            </thead>
                            <tbody>
                                {rows.map(rule => (
                                    <tr key={rule.id}>
                                        <td>
                                            <a href={withQuery({ rule: rule.id, q: null })}>{visible(rule.id)}</a>
                                            {own.some(r => r.id === rule.id) && <span class="dim"> yours</span>}
                                            {rule.behavior !== rule.id && <span class="dim behaviour">{visible(rule.behavior)}</span>}
                                        </td>
                                        <td class="sub">{visible(rule.title)}</td>
                                        <td data-label="severity">
                                            <SeverityMark severity={rule.severity} /> {rule.severity}
                                        </td>
                                        <td data-label="scope">{rule.scope}</td>
                                        <td data-label="is">{rule.enabled ? 'on' : <b>off</b>}</td>
                                        <td data-label="parameters">
                                            <Parameters rule={rule} />
                                        </td>
                                        {summary && (
                                            <td class="num" data-label="found here">
                                                <Here rule={rule} summary={summary} />
                                            </td>
                                        )}
                                        {summary && (
                                            <td class="num" data-label="precision">
                                                <Precision rule={rule} summary={summary} />
                                            </td>
                                        )}
                                    </tr>
                                ))}
                            </tbody>
                        </table>
                    </section>
                );
            })}
            {total != null && !shown.length && <p class="none-yet">No detector is like that.</p>}
        </>
    );
}

function Search(): JSX.Element {
    const value = usePlace().query.get('q') ?? '';
    const [text, setText] = useState(value);
    useEffect(() => {
        if (text !== value) go(withQuery({ q: text }), true);
    }, [text]);
    return (
        <div class="input">
            <input
                aria-label="Find detectors"
                placeholder="find detectors"
                value={text}
                onInput={event => setText(event.currentTarget.value)}
            />
        </div>
    );
}

function OneRule({
    id,
    rule,
    own,
    summary,
    onRemoved,
}: {
    id: string;
    rule: Detector | undefined;
    own: OwnRule | undefined;
    summary: Summary | undefined;
    onRemoved: () => void;
}): JSX.Element {
    const [asking, setAsking] = useState(false);
    const kept = useAsk('exceptions of ' + id + (summary?.collection.id ?? ''), signal =>
        exceptions.list({ detector: id, ...(summary && { collection: summary.collection.id }) }, signal),
    );
    const remove = async () => {
        setAsking(false);
        try {
            await ruleCalls.remove(id);
            toast(`${id} is removed; the next import or scan no longer uses it`);
            onRemoved();
        } catch (e) {
            toastError('The rule was not removed.', asApiError(e));
        }
    };
    const back = <a href={withQuery({ rule: null })}>All detectors</a>;
    if (!rule)
        return (
            <p class="none-yet">
                There is no detector {visible(id.slice(0, 80))}. {back}
            </p>
        );
    return (
        <>
            <p class="back">{back}</p>
            <section class="panel" aria-label="Detector">
                <header>
                    <h1>
                        <KindMark kind={rule.kind} label /> {visible(rule.id)}
                    </h1>
                    <span class="dim">{rule.enabled ? 'on' : 'off'}{own ? `, yours, version ${own.version}` : ''}</span>
                    {summary && (
                        <span class="end">
                            found here: <Here rule={rule} summary={summary} />, precision <Precision rule={rule} summary={summary} />
                        </span>
                    )}
                    {rule.text && (
                        <span class={summary ? 'acts' : 'acts end'}>
                            <a class="btn" href={withQuery({ edit: '1' })}>
                                Edit
                            </a>
                            <a class="btn" href={newRule(rule.id)}>
                                New like this
                            </a>
                            {own && (
                                <button data-need="admin" class="btn" type="button" onClick={() => setAsking(true)}>
                                    Remove
                                </button>
                            )}
                        </span>
                    )}
                </header>
                <dl class="pad rule-facts">
                    <Fact name="title">{visible(rule.title)}</Fact>
                    <Fact name="what it flags">{visible(rule.why ?? 'The rule does not say.')}</Fact>
                    <Fact name="what it cannot tell">{visible(rule.unsure ?? 'The rule does not say.')}</Fact>
                    <Fact name="behaviour">{visible(rule.behavior)}</Fact>
                    <Fact name="severity">{rule.severity}</Fact>
                    <Fact name="scope">{rule.scope}</Fact>
                    <Fact name="parameters">
                        <Parameters rule={rule} />
                    </Fact>
                    <Fact name="source">{visible(rule.source ?? (rule.code ? 'code of the program' : 'shipped with the program'))}</Fact>
                    <Fact name="version">{rule.version}</Fact>
                </dl>
            </section>
            {!!kept.data?.items.length && (
                <section class="panel" aria-label="Exceptions">
                    <header>
                        <h2>Exceptions</h2>
                        <span class="dim">{num(kept.data.items.length)}</span>
                    </header>
                    <ul class="exceptions pad">
                        {kept.data.items.map(x => (
                            <ExceptionItem
                                key={x.id}
                                exception={x}
                                {...(summary && { collection: summary.collection })}
                                onGone={kept.again}
                            />
                        ))}
                    </ul>
                </section>
            )}
            {asking && (
                <Dialog title="Remove the rule" onClose={() => setAsking(false)}>
                    <DialogHead title={`Remove ${visible(id)}?`} onClose={() => setAsking(false)} />
                    <div class="pad sheet">
                        <p>
                            No later import or scan uses it; a scan takes its findings away. A shipped rule of this id takes its
                            place again. Its versions stay, and saving it once more brings it back.
                        </p>
                        <p class="sheet-end">
                            <button class="btn btn-main" type="button" onClick={() => void remove()}>
                                Remove it
                            </button>
                        </p>
                    </div>
                </Dialog>
            )}
            {rule.text && (
                <section class="panel" aria-label="Rule text">
                    <header>
                        <h2>Rule</h2>
                        <span class="end">
                            <CopyButton text={rule.text} what="the rule" />
                        </span>
                    </header>
                    <pre class="pad rule-text" tabIndex={0} aria-label="The rule's text">
                        {visible(rule.text)}
                    </pre>
                </section>
            )}
        </>
    );
}

const Fact = ({ name, children }: { name: string; children: ComponentChildren }): JSX.Element => (
    <div>
        <dt>{name}</dt>
        <dd>{children}</dd>
    </div>
);
