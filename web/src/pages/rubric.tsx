// One rubric: what it asks, its versions, trying it, judging with it, and what was answered.
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { keepDraft, readDraft } from '../draft';
import { KIND_NAME, count, num, time } from '../format';
import { judging, setOf, type JudgeRow, type Judgment, type LabelSet, type Models, type Rubric, type RubricRow } from '../judging';
import { useKeys } from '../keys';
import { Answers, Tries, sumOf } from '../parts/answers';
import { TextDiff } from '../parts/diff';
import { JudgePanels, NoModel } from '../parts/judgerun';
import { KindMark } from '../parts/marks';
import { figure } from '../parts/plots';
import { Improve } from '../parts/rubrichelp';
import { RubricDoc, valuesOf } from '../parts/rubricdoc';
import { RubricEdit } from '../parts/rubricedit';
import { Failure, toast, toastError } from '../parts/say';
import { Shell, useCollection } from '../parts/shell';
import { go, rubricPath, usePlace, withQuery } from '../router';
import { visible } from '../text';
import { asApiError, useAsk, useTitle } from '../use';

export function RubricPage({ name }: { name: string }): JSX.Element {
    const { query } = usePlace();
    const collectionName = query.get('collection');
    const wanted = Number(query.get('version')) || null;
    const editing = query.get('edit') != null;
    const collection = useCollection(collectionName);
    const rubric = useAsk(`rubric ${name} ${wanted ?? ''}`, signal => judging.rubric(name, wanted, signal));
    const latest = useAsk(wanted == null ? null : `rubric ${name} `, signal => judging.rubric(name, null, signal));
    const versions = useAsk('versions ' + name, signal => judging.rubricVersions(name, signal));
    const judges = useAsk(`judges ${name} ${collectionName ?? ''}`, signal =>
        judging.judges({ rubric: name, collection: collectionName }, signal),
    );
    const models = useAsk('models', signal => judging.models(signal));
    const sets = useAsk('label sets ' + (collectionName ?? ''), signal => judging.labelSets({ collection: collectionName }, signal));
    const detectors = useAsk('rubrics as detectors', signal => judging.rubrics({ limit: 1000 }, signal));
    useTitle(rubric.data?.title ?? name);
    const [done, setDone] = useState(0);
    const [tried, setTried] = useState<Judgment[] | null>(null);
    const r = rubric.data;
    const current = wanted == null ? r : latest.data;
    const edit = () => go(withQuery({ edit: '1', version: null }));
    useKeys('Rubric', [
        { key: 'e', does: 'edit', need: 'admin', run: edit },
        { key: 'g', does: 'agreement with people', run: () => go(rubricPath(name, { tab: 'agreement', collection: collectionName })) },
    ]);
    const refresh = () => {
        rubric.again();
        versions.again();
    };
    const row = detectors.data?.items.find(d => d.name === name);
    return (
        <Shell collection={collection} name={collectionName ?? undefined} tab="rubrics">
            <main id="main" class="judges">
                <p class="back">
                    <a href={rubricPath(undefined, { collection: collectionName })}>All rubrics</a>
                </p>
                {rubric.error && <Failure error={rubric.error} again={rubric.again} />}
                {r && (
                    <div class="title">
                        <h1>
                            {row?.kind && <KindMark kind={row.kind} label={KIND_NAME[row.kind]} />}
                            {visible(r.title)}
                            <span class="tag">
                                version {r.version}
                                {r.version !== r.latest && ` of ${r.latest}`}
                            </span>
                            <span class="tag">{r.shipped ? 'shipped' : 'own'}</span>
                        </h1>
                        {editing && <p class="ask-q">{visible(r.rubric?.question ?? '')}</p>}
                        <p class="facts">
                            <span>
                                name <b>{visible(r.name)}</b>
                            </span>
                            {r.behavior && (
                                <span>
                                    behaviour <b>{visible(r.behavior)}</b>
                                </span>
                            )}
                            <span>
                                judged <b>{num(judges.data && sumOf(judges.data.items, 'judgments'))}</b>
                            </span>
                            <span>
                                flagged <b>{num(judges.data && sumOf(judges.data.items, 'flagged'))}</b>
                            </span>
                            <span>
                                {collectionName == null ? 'in all collections' : <>in <b>{visible(collectionName)}</b></>}
                            </span>
                            <a href={rubricPath(name, { tab: 'agreement', collection: collectionName })}>Agreement with people</a>
                            {!editing && <a data-need="admin" href={withQuery({ edit: '1', version: null })}>Edit</a>}
                            {r.version !== r.latest && <a href={withQuery({ version: null })}>Latest version</a>}
                            {!r.shipped && versions.data?.items.every(v => !v.judgments) && <Delete name={name} />}
                        </p>
                    </div>
                )}
                {r && !!r.problems?.length && (
                    <p class="callout" role="alert">
                        This program cannot read the rubric: line {r.problems[0]!.line}: {visible(r.problems[0]!.message)}
                    </p>
                )}
                {editing && current && (
                    <RubricEdit
                        key={current.version}
                        name={name}
                        text={current.text}
                        base={current.version}
                        onSaved={() => {
                            refresh();
                            latest.again();
                            go(withQuery({ edit: null, version: null }), true);
                        }}
                        onLeave={() => go(withQuery({ edit: null }), true)}
                    />
                )}
                {r && !editing && (
                    <div class="rubric-grid">
                        <div>
                            {readDraft(name) && (
                                <p class="callout plain">
                                    You have unsaved changes of this rubric. <a href={withQuery({ edit: '1', version: null })}>Go on with them</a>
                                </p>
                            )}
                            {tried && <Tries judgments={tried} onClose={() => setTried(null)} />}
                            <section class="panel" aria-label="The rubric">
                                <RubricDoc body={r.rubric} />
                            </section>
                            <Versions
                                name={name}
                                rows={versions.data?.items ?? []}
                                shown={r.version}
                                judges={judges.data?.items ?? []}
                                set={setOf(sets.data?.items, name)}
                                collection={collectionName}
                            />
                        </div>
                        <div>
                            {models.error && <Failure error={models.error} again={models.again} what="The models are not known." />}
                            {models.data && !models.data.items.length && (
                                <section class="panel pad" aria-label="Models">
                                    <NoModel />
                                </section>
                            )}
                            {!!models.data?.items.length && (
                                <>
                                    <JudgePanels
                                        key={`${r.version} ${collectionName}`}
                                        rubric={name}
                                        version={r.version}
                                        latest={r.version === r.latest}
                                        collection={collectionName}
                                        models={models.data}
                                        rubrics={detectors.data?.items ?? []}
                                        onTried={setTried}
                                        onDone={() => {
                                            setDone(n => n + 1);
                                            judges.again();
                                            refresh();
                                        }}
                                    />
                                    <ImproveOf
                                        rubric={r}
                                        sets={sets.data?.items ?? []}
                                        collection={collectionName}
                                        models={models.data}
                                        onSaved={refresh}
                                    />
                                </>
                            )}
                        </div>
                    </div>
                )}
                {r && !editing && (
                    <Answers
                        rubric={name}
                        version={r.version}
                        collection={collectionName}
                        judges={judges.data?.items ?? []}
                        values={valuesOf(r.rubric)}
                        turn={String(done)}
                    />
                )}
            </main>
        </Shell>
    );
}

function ImproveOf({
    rubric,
    sets,
    collection,
    models,
    onSaved,
}: {
    rubric: Rubric;
    sets: LabelSet[];
    collection: string | null;
    models: Models;
    onSaved: () => void;
}): JSX.Element {
    const edit = (text: string) => {
        keepDraft(rubric.name, { text, base: rubric.version, note: 'from disagreements', when: new Date().toISOString() });
        go(withQuery({ edit: '1', version: null }));
    };
    return <Improve rubric={rubric} sets={sets} collection={collection} models={models} onEdit={edit} onSaved={onSaved} />;
}

function Delete({ name }: { name: string }): JSX.Element {
    const [sure, setSure] = useState(false);
    const really = async () => {
        try {
            await judging.deleteRubric(name);
            toast(`${name} deleted`);
            go(rubricPath(undefined, { collection: currentCollection() }));
        } catch (e) {
            toastError('The rubric was not deleted.', asApiError(e));
        }
    };
    return sure ? (
        <span role="group" aria-label="Delete it?">
            <button class="more" type="button" onClick={really}>
                delete for good
            </button>{' '}
            <button class="more" type="button" onClick={() => setSure(false)}>
                keep
            </button>
        </span>
    ) : (
        <button data-need="admin" class="more" type="button" onClick={() => setSure(true)}>
            delete
        </button>
    );
}

const currentCollection = () => new URLSearchParams(location.search).get('collection');

/** Every version, what changed in it, and how it did against people: the figures stay with the version. */
function Versions({
    name,
    rows,
    shown,
    judges,
    set,
    collection,
}: {
    name: string;
    rows: RubricRow[];
    shown: number;
    judges: JudgeRow[];
    set: LabelSet | undefined;
    collection: string | null;
}): JSX.Element | null {
    const [open, setOpen] = useState<number | null>(null);
    const judge = judges.filter(j => j.answered > 0).sort((a, b) => b.version - a.version || b.answered - a.answered)[0];
    const ask = judge && set && {
        collection,
        reference: 'people:' + set.name,
        measured: `judge:${name}@${judge.version}/${judge.judge_key.slice(0, 8)}`,
        split: 'all',
    };
    const agreement = useAsk(ask ? 'agreement ' + JSON.stringify(ask) : null, signal => judging.agreement(ask!, signal));
    if (!rows.length) return null;
    return (
        <section class="panel" aria-label="Versions">
            <header>
                <h2>Versions</h2>
                <span class="dim">
                    {judge && set && !!agreement.data?.n
                        ? `figures: ${visible(judge.judge)} against the people of ${visible(set.name)}`
                        : (!ask || agreement.data || agreement.error) && 'not measured: nobody labelled runs that it judged'}
                </span>
            </header>
            <div class="scroll" tabIndex={0} role="region" aria-label="Table of versions">
                <table class="grid-t">
                    <thead>
                        <tr>
                            <th>Version</th>
                            <th>What changed</th>
                            <th class="num">Judged</th>
                            <th class="num">F1</th>
                            <th class="num">κ</th>
                            <th>
                                <span class="sr">Difference</span>
                            </th>
                        </tr>
                    </thead>
                    <tbody>
                        {rows.map(v => {
                            const measured = agreement.data?.versions?.find(m => m.version === v.version);
                            return [
                                <tr key={v.version}>
                                    <td>
                                        <a href={withQuery({ version: v.version === rows[0]!.version ? null : String(v.version) })} aria-current={v.version === shown ? 'true' : undefined}>
                                            {v.version === shown ? <b>v{v.version}</b> : `v${v.version}`}
                                        </a>
                                    </td>
                                    <td class="sub">
                                        {visible(v.note || (v.version === 1 ? 'first' : 'no note'))}{' '}
                                        <span class="dim">
                                            {time(v.created_at)}
                                            {v.author && `, ${visible(v.author)}`}
                                            {v.shipped && ', shipped'}
                                        </span>
                                    </td>
                                    <td class="num">{num(sumOf(judges.filter(j => j.version === v.version), 'judgments'))}</td>
                                    <td class="num">{figure(measured?.f1)}</td>
                                    <td class="num">{figure(measured?.kappa)}</td>
                                    <td class="num">
                                        {v.version > 1 && (
                                            <button
                                                class="more"
                                                type="button"
                                                aria-expanded={open === v.version}
                                                onClick={() => setOpen(open === v.version ? null : v.version)}
                                            >
                                                {open === v.version ? 'close' : 'changes'}
                                                <span class="sr"> of version {v.version}</span>
                                            </button>
                                        )}
                                    </td>
                                </tr>,
                                open === v.version && (
                                    <tr key={v.version + ' changes'}>
                                        <td colSpan={6}>
                                            <Changes name={name} version={v.version} before={rows.find(o => o.version < v.version)?.version ?? null} />
                                        </td>
                                    </tr>
                                ),
                            ];
                        })}
                    </tbody>
                </table>
            </div>
            <footer>{count(rows.length, 'version')}; nothing is overwritten.</footer>
        </section>
    );
}

function Changes({ name, version, before }: { name: string; version: number; before: number | null }): JSX.Element | null {
    const { data, error, again } = useAsk(before == null ? null : `changes ${name} ${before} ${version}`, signal =>
        Promise.all([judging.rubric(name, before, signal), judging.rubric(name, version, signal)]),
    );
    if (error) return <Failure error={error} again={again} />;
    return data ? (
        <TextDiff before={data[0].text} after={data[1].text} label={`From version ${before} to version ${version}`} />
    ) : null;
}
