// Triage: an inbox of findings, the evidence in its place, and how good each detector has been.
import type { JSX } from 'preact';
import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { api, type Finding, type Message, type Status } from '../api';
import { askedOf, fieldsOf, listItem, FINDING_KEYS } from '../filter';
import { count, num, outcome, OUTCOME_NAME, runLabel } from '../format';
import { exceptions, isLike } from '../exceptions';
import { useKeys } from '../keys';
import { EvidenceInPlace } from '../parts/context';
import { ExceptDialog, ExceptionsDialog, takeBack as takeExceptionBack } from '../parts/exceptions';
import { Actions, Detail } from '../parts/finding';
import { Inbox, type Grouping } from '../parts/inbox';
import { OutcomeMark } from '../parts/marks';
import { Side } from '../parts/precision';
import { QueryBox } from '../parts/query';
import { RawDialog } from '../parts/raw';
import { FailedPage, Failure, toast } from '../parts/say';
import { ReviewAll } from '../parts/reviewall';
import { Shell } from '../parts/shell';
import { remember, review, undo } from '../review';
import { useRows } from '../rows';
import { collectionPath, go, runPath, usePlace, withQuery } from '../router';
import { useAsk, useMedia, useNarrow, useTitle } from '../use';

const SORT: Record<Grouping, string> = { detector: '-severity,detector', task: 'task,-severity' };

export function FindingsPage({ name }: { name: string }): JSX.Element {
    useTitle(`Findings of ${name}`);
    const { query } = usePlace();
    const narrow = useNarrow();
    const noSide = useMedia('(max-width: 1240px)');
    const summary = useAsk('summary ' + name, signal => api.summary(name, signal));
    const detectors = useAsk('detectors', signal => api.detectors(signal));
    const grouping: Grouping = query.get('group') === 'task' ? 'task' : 'detector';
    const side = query.get('side') === 'precision';

    // Without a status in the address the inbox holds what is open.
    const status = query.get('status') ?? 'open';
    const asked = askedOf(query, FINDING_KEYS);
    if (status === 'any') asked.delete('status');
    else asked.set('status', status);
    asked.set('sort', SORT[grouping]);
    const rows = useRows<Finding>(`findings ${name} ${asked}`, ({ limit, after, count: wantCount }, signal) => {
        const params = new URLSearchParams(asked);
        params.set('limit', String(limit));
        if (after) params.set('after', after);
        if (wantCount) params.set('count', '1');
        return api.findings(name, params, signal);
    });

    /* Reviews made here, over what the server said: a finding that was dealt with stays in the list until it is asked for anew. */
    const [reviews, setReviews] = useState<ReadonlyMap<string, Partial<Finding>>>(new Map());
    const items = useMemo(
        () => rows.items.map(f => (reviews.has(f.id) ? { ...f, ...reviews.get(f.id) } : f)),
        [rows.items, reviews],
    );
    const latest = useRef({ summary, items });
    latest.current = { summary, items };
    const apply = useCallback((ids: string[], what: Partial<Pick<Finding, 'status' | 'note'>>) => {
        setReviews(before => {
            const next = new Map(before);
            for (const id of ids) next.set(id, { ...next.get(id), ...what });
            return next;
        });
        const { status: now } = what;
        if (!now) return;
        // The counts go along at once; what the server counts comes when it has the review.
        const moved = latest.current.items.filter(f => ids.includes(f.id) && f.status !== now);
        latest.current.summary.change(told => ({
            ...told,
            detectors: told.detectors.map(row => {
                const counts = { ...row };
                for (const f of moved)
                    if (f.detector === row.detector) {
                        counts[f.status]--;
                        counts[now]++;
                    }
                return counts;
            }),
        }));
    }, []);
    const counted = useRef(0);
    const countAnew = () => {
        clearTimeout(counted.current);
        counted.current = setTimeout(() => latest.current.summary.again(), 400);
    };

    const chosenId = query.get('f');
    const at = items.findIndex(f => f.id === chosenId);
    const finding = at >= 0 ? items[at] : !narrow && !chosenId ? items[0] : undefined;
    const loose = useAsk(chosenId && at < 0 && !rows.loading ? 'finding ' + chosenId : null, signal =>
        api.finding(chosenId!, signal),
    );
    const shown = finding ?? loose.data;
    const position = shown ? items.indexOf(shown) : -1;

    const choose = (id: string | null, replace = true) => go(withQuery({ f: id }), replace);
    const move = (step: number) => {
        const next = items[Math.max(0, Math.min(items.length - 1, position + step))];
        if (next) choose(next.id, !(narrow && !chosenId));
    };
    const [ask, setAsk] = useState<{ like: Finding[] } | null>(null);
    const [noting, setNoting] = useState(false);
    const [dialog, setDialog] = useState<'except' | 'exceptions' | 'all' | null>(null);
    const [evidence, setEvidence] = useState(0);
    const [raw, setRaw] = useState<Message | null>(null);
    useEffect(() => {
        setAsk(null);
        setNoting(false);
        setEvidence(0);
    }, [shown?.id]);

    /** On to the next one that is open. */
    const goOn = (from: number, done: string[]) => {
        const open = (f: Finding) => f.status === 'open' && !done.includes(f.id);
        const next = items.slice(from + 1).find(open) ?? items.slice(0, Math.max(0, from)).find(open);
        if (next) choose(next.id);
    };
    const act = async (targets: Finding[], next: Status) => {
        setAsk(null);
        const from = position;
        goOn(
            from,
            targets.map(t => t.id),
        );
        await review(targets, { status: next }, apply);
        countAnew();
    };
    const dismiss = async () => {
        if (!shown) return;
        if (ask) return;
        const like = items.filter(
            f => f.detector === shown.detector && f.title === shown.title && f.status === 'open' && f.id !== shown.id,
        );
        setAsk({ like: [shown, ...like] });
    };
    const kept = useAsk(summary.data ? 'exceptions ' + summary.data.collection.id : null, signal =>
        exceptions.list({ collection: summary.data!.collection.id }, signal),
    );
    const anew = () => {
        setReviews(new Map());
        rows.again();
        loose.again();
        summary.again();
        kept.again();
    };
    const except = () => {
        setAsk(null);
        setDialog('except');
    };
    const takeBack = async () => {
        const ids = await undo();
        if (ids) countAnew();
        if (!ids) toast('There is nothing to undo');
        else if (items.some(f => f.id === ids[0])) choose(ids[0]!);
    };
    const place = shown && shown.evidence[evidence];
    const runOf = shown && (place?.run ?? shown.run?.id);
    const open = () =>
        shown && runOf && go(runPath(runOf, { finding: shown.id, message: place?.message, transcript: place?.position }));
    const stepEvidence = (by: number) => {
        if (!shown?.evidence.length) return;
        setEvidence(i => (i + by + shown.evidence.length) % shown.evidence.length);
    };
    useEffect(() => {
        document.querySelector('.ctx mark.now')?.scrollIntoView({ block: 'center' });
    }, [evidence]);

    useKeys('Findings', [
        { key: 'j', does: 'next finding', run: () => move(1) },
        { key: 'k', does: 'previous finding', run: () => move(-1) },
        { key: 'c', does: 'confirm', need: 'review', run: () => shown && void act([shown], 'confirmed') },
        { key: 'x', does: 'dismiss', need: 'review', run: () => void dismiss() },
        { key: 'n', does: 'write a note', need: 'review', run: () => shown && setNoting(true) },
        { key: 'u', does: 'undo the last review', need: 'review', run: () => void takeBack() },
        { key: 'o', does: 'open the run', run: open },
        { key: ']', does: 'next evidence', run: () => stepEvidence(1) },
        { key: '[', does: 'previous evidence', run: () => stepEvidence(-1) },
        ...(ask
            ? [
                  { key: '1', does: '', run: () => void act([ask.like[0]!], 'dismissed') },
                  { key: '2', does: '', run: () => void act(ask.like, 'dismissed') },
                  { key: '3', does: '', run: () => except() },
                  { key: 'Escape', does: '', run: () => setAsk(null) },
              ]
            : []),
    ]);

    if (rows.error && (rows.error.status === 404 || (!items.length && rows.error.status !== 400)))
        return (
            <Shell>
                <FailedPage error={rows.error} again={rows.again} />
            </Shell>
        );
    const listScreen = !narrow || !chosenId;
    const paneScreen = !narrow || !!chosenId;
    const total = rows.total ?? items.length;
    const left = status === 'open' ? total - items.filter(f => f.status !== 'open').length : total;
    const setAside = shown?.exception ? kept.data?.items.find(x => x.id === shown.exception) : undefined;
    const rule = shown && detectors.data?.items.find(d => d.id === shown.detector);
    return (
        <Shell collection={summary.data?.collection} name={name} tab="findings">
            <main class="triage" id="main">
                {listScreen && (
                    <section class="inbox" aria-label="Findings">
                        {!paneScreen && <h1 class="sr">Findings of {name}</h1>}
                        <div class="bar">
                            <QueryBox
                                fields={fieldsOf(summary.data, FINDING_KEYS, 'findings')}
                                query={withStatus(query, status)}
                                label="Filter findings"
                                unit="findings"
                                refused={rows.error?.message}
                                keep={['f']}
                            />
                            <div class="row">
                                <button
                                    class="btn"
                                    type="button"
                                    onClick={() =>
                                        go(withQuery({ group: grouping === 'detector' ? 'task' : null, f: null }), true)
                                    }
                                    title="Group by"
                                >
                                    By {grouping}
                                </button>
                                {noSide && (
                                    <button
                                        class="btn"
                                        type="button"
                                        aria-pressed={side}
                                        onClick={() => go(withQuery({ side: side ? null : 'precision' }), true)}
                                    >
                                        Precision
                                    </button>
                                )}
                                <button
                                    class="btn btn-bare"
                                    type="button"
                                    onClick={() => go(withQuery({ status: status === 'any' ? null : 'any', f: null }), true)}
                                >
                                    {status === 'any' ? 'Only open' : 'Reviewed too'}
                                </button>
                                {!!kept.data?.items.length && (
                                    <button class="btn btn-bare" type="button" onClick={() => setDialog('exceptions')}>
                                        Exceptions {num(kept.data.items.length)}
                                    </button>
                                )}
                                {!!total && (
                                    <button
                                        class="btn btn-bare"
                                        type="button"
                                        title="Review all that the filter names, or save them as a file"
                                        onClick={() => setDialog('all')}
                                    >
                                        All…
                                    </button>
                                )}
                                <span class="dim end" aria-live="polite">
                                    {num(left)}
                                    {status === 'open' ? ' open' : ''}
                                    {summary.data && left < summary.data.collection.findings
                                        ? ` of ${num(summary.data.collection.findings)}`
                                        : ''}
                                </span>
                            </div>
                        </div>
                        {noSide && side ? (
                            <Side summary={summary.data} finding={undefined} />
                        ) : (
                            <Inbox
                                items={items}
                                total={total}
                                want={rows.want}
                                grouping={grouping}
                                summary={summary.data}
                                current={shown?.id}
                                choose={id => choose(id, !narrow)}
                            />
                        )}
                        {!rows.loading && !items.length && !rows.error && (
                            <p class="none-yet">
                                {status === 'open' ? 'Nothing is open here.' : 'No finding is like that.'}{' '}
                                <a href={withQuery({ status: 'any', f: null })}>Show the reviewed ones too</a>
                            </p>
                        )}
                    </section>
                )}
                {paneScreen && (
                    <section class="pane" aria-label="Finding">
                        {loose.error && (
                            <div class="in">
                                <Failure error={loose.error} again={loose.again} />
                            </div>
                        )}
                        {shown ? (
                            <>
                                <div class="bar">
                                    {narrow && (
                                        <button class="btn btn-bare" type="button" onClick={() => choose(null)}>
                                            ← list
                                        </button>
                                    )}
                                    <span class="dim">{position >= 0 ? `${num(position + 1)} of ${num(total)}` : ''}</span>
                                    {shown.task_id != null && (
                                        <a
                                            href={
                                                collectionPath(summary.data?.collection ?? { id: name, name }, 'runs') +
                                                '?' +
                                                new URLSearchParams({ task: listItem(shown.task_id) })
                                            }
                                        >
                                            task {shown.task_id}
                                        </a>
                                    )}
                                    {shown.run && (
                                        <a
                                            href={runPath(shown.run.id, {
                                                finding: shown.id,
                                                message: shown.evidence[0]?.message,
                                                transcript: shown.evidence[0]?.position,
                                            })}
                                        >
                                            run {runLabel(shown.run)}
                                        </a>
                                    )}
                                    {shown.run && (
                                        <span class="sub">
                                            <OutcomeMark success={shown.run.success} /> {OUTCOME_NAME[outcome(shown.run.success)]}
                                            {shown.run.model ? `, ${shown.run.model}` : ''}
                                        </span>
                                    )}
                                    <span class="end dim">
                                        {shown.status === 'open'
                                            ? ''
                                            : setAside
                                              ? 'set aside by an exception'
                                              : shown.status + (shown.reviewer ? ` by ${shown.reviewer}` : '')}
                                    </span>
                                </div>
                                <div class="in">
                                    <Detail
                                        finding={shown}
                                        rule={rule}
                                        exception={setAside}
                                        onTakeBack={() => void takeExceptionBack(setAside!, anew)}
                                    />
                                    <EvidenceInPlace
                                        key={shown.id}
                                        finding={shown}
                                        now={evidence}
                                        onGo={setEvidence}
                                        onRaw={setRaw}
                                    />
                                </div>
                                <Actions
                                    finding={shown}
                                    ask={ask?.like ?? null}
                                    noting={noting}
                                    onConfirm={() => void act([shown], 'confirmed')}
                                    onDismiss={() => void dismiss()}
                                    onChoice={all => void act(all ? ask!.like : [shown], 'dismissed')}
                                    onExcept={except}
                                    onCancel={() => {
                                        setAsk(null);
                                        setNoting(false);
                                    }}
                                    onNote={() => setNoting(true)}
                                    onSaveNote={note => {
                                        setNoting(false);
                                        void review([shown], { note }, apply);
                                    }}
                                    onUndo={() => void takeBack()}
                                    onOpen={open}
                                    canOpen={!!runOf}
                                />
                            </>
                        ) : (
                            !rows.loading && !loose.error && <p class="none-yet">{items.length ? 'Choose a finding.' : ''}</p>
                        )}
                    </section>
                )}
                {!noSide && <Side summary={summary.data} finding={shown} />}
                {dialog === 'except' && shown && summary.data && (
                    <ExceptDialog
                        finding={shown}
                        collection={summary.data.collection}
                        onClose={() => setDialog(null)}
                        onMade={made => {
                            setDialog(null);
                            goOn(
                                position,
                                items.filter(f => isLike(f, made)).map(f => f.id),
                            );
                            remember(
                                async () => {
                                    await exceptions.remove(made.id);
                                    anew();
                                    return [shown.id];
                                },
                                `An exception of ${made.detector}: ${count(made.findings, 'finding')} set aside`,
                            );
                            anew();
                        }}
                    />
                )}
                {dialog === 'exceptions' && summary.data && (
                    <ExceptionsDialog collection={summary.data.collection} onChange={anew} onClose={() => setDialog(null)} />
                )}
                {dialog === 'all' && summary.data && (
                    <ReviewAll
                        collection={summary.data.collection}
                        asked={asked}
                        total={total}
                        onClose={() => setDialog(null)}
                        onDone={() => {
                            setDialog(null);
                            anew();
                        }}
                    />
                )}
                {raw && <RawDialog title={`M${raw.index}, ${raw.role}`} value={raw} onClose={() => setRaw(null)} />}
            </main>
        </Shell>
    );
}

/** The address with the status that is meant where it names none, so that the box shows it. */
function withStatus(query: URLSearchParams, status: string): URLSearchParams {
    const all = new URLSearchParams();
    if (status !== 'any') all.set('status', status);
    for (const [key, value] of query) if (key !== 'status') all.append(key, value);
    return all;
}
