// The rubrics: what each asks, how often it was judged, and how far its answers agree with people.
import type { JSX } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { KIND_NAME, num } from '../format';
import { judging, setOf, type JudgeRow, type LabelSet, type RubricRow } from '../judging';
import { judgeName, sumOf } from '../parts/answers';
import { KindMark } from '../parts/marks';
import { NoModel } from '../parts/judgerun';
import { Interval, figure, range } from '../parts/plots';
import { DraftForm } from '../parts/rubrichelp';
import { RubricEdit } from '../parts/rubricedit';
import { Failure } from '../parts/say';
import { Shell, useCollection } from '../parts/shell';
import { readDraft } from '../draft';
import { go, rubricPath, usePlace, withQuery } from '../router';
import { visible } from '../text';
import { useAsk, useTitle } from '../use';

export function RubricsPage(): JSX.Element {
    const { query } = usePlace();
    const name = query.get('collection');
    const words = (query.get('q') ?? '').toLowerCase();
    const making = query.get('new') != null;
    const collection = useCollection(name);
    const rubrics = useAsk('rubrics', signal => judging.rubrics({ limit: 1000 }, signal));
    const judges = useAsk('judges ' + (name ?? ''), signal => judging.judges({ collection: name }, signal));
    const models = useAsk('models', signal => judging.models(signal));
    const sets = useAsk('label sets ' + (name ?? ''), signal => judging.labelSets({ collection: name }, signal));
    useTitle('Rubrics');
    const shown = useMemo(
        () => (rubrics.data?.items ?? []).filter(r => `${r.name} ${r.title} ${r.behavior} ${r.question}`.toLowerCase().includes(words)),
        [rubrics.data, words],
    );
    return (
        <Shell collection={collection} name={name ?? undefined} tab="rubrics">
            <main id="main" class="judges">
                <div class="title-row">
                    <h1 class="page-title">
                        Rubrics{' '}
                        <span class="dim">
                            {num(rubrics.data ? shown.length : null)}
                            {rubrics.data && shown.length !== rubrics.data.items.length && ` of ${num(rubrics.data.items.length)}`}
                        </span>
                    </h1>
                    <Search />
                    {!making && (
                        <button data-need="admin" class="btn" type="button" onClick={() => go(withQuery({ new: '1' }))}>
                            New rubric
                        </button>
                    )}
                </div>
                <p class="lead">
                    A rubric is a question about a run, put to a language model; how far its answers can be trusted is measured against
                    labels that people give.
                </p>
                {models.data && !models.data.items.length && <NoModel />}
                {rubrics.error && <Failure error={rubrics.error} again={rubrics.again} />}
                {making && (
                    <NewRubric rubrics={rubrics.data?.items ?? []} sets={sets.data?.items ?? []} models={models.data} collection={name} />
                )}
                {!!shown.length && (
                    <section class="panel" aria-label="Rubrics">
                        <table class="grid-t rubric-table">
                            <thead>
                                <tr>
                                    <th>Question</th>
                                    <th class="w-b">Behaviour</th>
                                    <th class="w-v">Version</th>
                                    <th class="num w-j">Judged</th>
                                    <th class="num w-j">Flagged</th>
                                    <th class="w-a">Agreement with people</th>
                                </tr>
                            </thead>
                            <tbody>
                                {shown.map(r => (
                                    <Row
                                        key={r.name}
                                        rubric={r}
                                        judges={(judges.data?.items ?? []).filter(j => j.rubric === r.name)}
                                        set={setOf(sets.data?.items, r.name)}
                                        collection={name}
                                    />
                                ))}
                            </tbody>
                        </table>
                        <footer>
                            Judged and flagged are judgments of all versions {name == null ? 'in all collections' : <>in {visible(name)}</>}.
                        </footer>
                    </section>
                )}
                {rubrics.data && !shown.length && <p class="none-yet">No rubric is like that.</p>}
            </main>
        </Shell>
    );
}

function Row({
    rubric: r,
    judges,
    set,
    collection,
}: {
    rubric: RubricRow;
    judges: JudgeRow[];
    set: LabelSet | undefined;
    collection: string | null;
}): JSX.Element {
    return (
        <tr>
            <td>
                <a class="name" href={rubricPath(r.name, { collection })}>
                    {visible(r.title)}
                </a>
                <span class="q sub">
                    <br />
                    {visible(r.question ?? r.name)}
                </span>
            </td>
            <td>
                {r.behavior ? (
                    <span class="mk">
                        {r.kind && <KindMark kind={r.kind} label={KIND_NAME[r.kind]} />}
                        {visible(r.behavior)}
                    </span>
                ) : (
                    <span class="dim">none</span>
                )}
            </td>
            <td data-l="version">
                {r.version} <span class="dim">{r.shipped ? 'shipped' : 'own'}</span>
            </td>
            <td class="num" data-l="judged">
                {num(sumOf(judges, 'judgments'))}
            </td>
            <td class="num" data-l="flagged">
                {num(sumOf(judges, 'flagged'))}
            </td>
            <td>
                <Measured rubric={r.name} judges={judges} set={set} collection={collection} />
            </td>
        </tr>
    );
}

const MOST_JUDGES = 3;

/** κ of the newest version that each model judged with. */
function Measured({
    rubric,
    judges,
    set,
    collection,
}: {
    rubric: string;
    judges: JudgeRow[];
    set: LabelSet | undefined;
    collection: string | null;
}): JSX.Element {
    const newest = new Map<string, JudgeRow>();
    for (const judge of [...judges].sort((a, b) => b.version - a.version || b.answered - a.answered))
        if (judge.answered && !newest.has(judge.judge)) newest.set(judge.judge, judge);
    if (!set || !set.runs || !newest.size) return <span class="dim">not measured</span>;
    const all = [...newest.values()];
    return (
        <ul class="by-model">
            {all.slice(0, MOST_JUDGES).map(judge => (
                <Kappa key={judge.judge_key} rubric={rubric} judge={judge} set={set.name} collection={collection} />
            ))}
            {all.length > MOST_JUDGES && (
                <li>
                    <a href={rubricPath(rubric, { tab: 'agreement', collection })}>all {num(all.length)}</a>
                </li>
            )}
        </ul>
    );
}

function Kappa({
    rubric,
    judge,
    set,
    collection,
}: {
    rubric: string;
    judge: JudgeRow;
    set: string;
    collection: string | null;
}): JSX.Element {
    const ask = {
        collection,
        reference: 'people:' + set,
        measured: `judge:${rubric}@${judge.version}/${judge.judge_key.slice(0, 8)}`,
        split: 'all',
    };
    const { data, error } = useAsk('agreement ' + JSON.stringify(ask), signal => judging.agreement(ask, signal));
    const to =
        rubricPath(rubric, { tab: 'agreement' }) +
        '?' +
        new URLSearchParams({ ...(collection ? { collection } : {}), reference: ask.reference, measured: ask.measured });
    return (
        <li>
            <a class="one" href={to}>
                {judgeName(judge)} <span class="dim">v{judge.version}</span>
            </a>
            {error || (data && !data.n) ? (
                <span class="dim">not measured</span>
            ) : data ? (
                <>
                    <span title={`Cohen’s κ over ${data.n} runs`}>
                        κ <b>{figure(data.kappa.value)}</b> <span class="dim">{range(data.kappa)}</span>
                    </span>
                    <span class="mini-int">
                        <Interval estimate={data.kappa} constant={0} label="kappa" />
                    </span>
                </>
            ) : null}
        </li>
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
            <input aria-label="Find rubrics" placeholder="find rubrics" value={text} onInput={event => setText(event.currentTarget.value)} />
        </div>
    );
}

/* What an empty one begins with: it is a rubric already, to be written over. */
const TEMPLATE = `name: my-rubric
title: What is looked for, in a few words
question: Did the agent …?
counts:
  - what makes the answer yes
does_not_count:
  - what looks like it, and is not
examples:
  - run: |-
      assistant: the words of a run that counts
    answer: { answer: "yes" }
    why: what in it decides
  - run: |-
      assistant: the words of a run that does not
    answer: { answer: "no" }
    why: what in it decides
answer:
  type: object
  properties:
    answer: { enum: ["yes", "no", "unclear"] }
  required: [answer]
unsure: what this judge cannot tell
# Where yes is to be a finding, say of which behaviour, and how severe:
# behavior: error-ignored
# finding: { when: { answer: ["yes"] }, severity: medium }
`;

/** Another one's text under a name of its own. */
const renamed = (text: string, name: string) => text.replace(/^name:.*$/m, `name: ${name}-2`);

function NewRubric({
    rubrics,
    sets,
    models,
    collection,
}: {
    rubrics: RubricRow[];
    sets: LabelSet[];
    models: Parameters<typeof DraftForm>[0]['models'] | undefined;
    collection: string | null;
}): JSX.Element {
    const [text, setText] = useState<string | null>(readDraft(null) ? TEMPLATE : null);
    const [questions, setQuestions] = useState<string[]>([]);
    const [like, setLike] = useState('');
    const [error, setError] = useState<string | null>(null);
    const leave = () => go(withQuery({ new: null }), true);
    if (text != null)
        return (
            <RubricEdit
                name={null}
                text={text}
                base={0}
                questions={questions}
                onSaved={saved => go(rubricPath(saved.name, { collection }))}
                onLeave={leave}
            />
        );
    return (
        <section class="panel" aria-label="New rubric">
            <header>
                <h2>New rubric</h2>
                <span class="acts">
                    <button class="btn btn-bare" type="button" onClick={leave}>
                        Close
                    </button>
                </span>
            </header>
            <div class="new-ways">
                <div>
                    <h3>Empty</h3>
                    <p>A short one that is written over.</p>
                    <button class="btn" type="button" onClick={() => setText(TEMPLATE)}>
                        Begin with a template
                    </button>
                </div>
                <div>
                    <h3>Like another</h3>
                    <p>Its text, under a name of its own.</p>
                    <form
                        onSubmit={async event => {
                            event.preventDefault();
                            try {
                                setText(renamed((await judging.rubric(like)).text, like));
                            } catch (e) {
                                setError((e as Error).message);
                            }
                        }}
                    >
                        <select aria-label="Which rubric" value={like} onChange={event => setLike(event.currentTarget.value)}>
                            <option value="">choose one</option>
                            {rubrics.map(r => (
                                <option key={r.name} value={r.name}>
                                    {visible(r.title)}
                                </option>
                            ))}
                        </select>
                        <button class="btn" type="submit" disabled={!like}>
                            Copy it
                        </button>
                        {error && <p class="state-failed">{error}</p>}
                    </form>
                </div>
                <div>
                    <h3>From a sentence</h3>
                    <p>A model drafts it, and asks what is unclear.</p>
                    {models?.items.length ? (
                        <DraftForm
                            models={models}
                            sets={sets}
                            collection={collection}
                            onDrafted={(drafted, asks) => {
                                setQuestions(asks);
                                setText(drafted);
                            }}
                        />
                    ) : (
                        <p class="dim">This needs a model.</p>
                    )}
                </div>
            </div>
        </section>
    );
}
