// The editor of a rule: checked while one types, with what it would flag beside it, and kept in this browser until it is saved.
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { ApiError, Collection, Detector, Finding } from '../api';
import { dropDraft, keepDraft, readDraft } from '../draft';
import { count, num, runLabel, time } from '../format';
import { keyLabel, useKeys } from '../keys';
import { whoami } from '../labelling';
import { Editor, type EditorHandle } from '../parts/editor';
import { KindMark, SeverityMark } from '../parts/marks';
import { Dialog, DialogHead, Failure, toast, toastError } from '../parts/say';
import { Who } from '../parts/who';
import { collectionPath, go, runPath } from '../router';
import { blanksIn, completeRule, idOf, ruleCalls, triedText, type OwnRule, type RulesTest } from '../rules';
import { quoteLine, visible } from '../text';
import { asApiError, useAsk } from '../use';

interface Looked {
    of: string;
    answer?: RulesTest;
    error?: ApiError;
}

/** Asks a moment after `key` last changed; null asks nothing. */
function useLook(key: string | null, after: number, ask: (signal: AbortSignal) => Promise<RulesTest>): { looked: Looked; busy: boolean } {
    const [looked, set] = useState<Looked>({ of: '' });
    const asking = useRef(ask);
    asking.current = ask;
    useEffect(() => {
        if (key == null) return;
        const stop = new AbortController();
        const timer = setTimeout(() => {
            asking.current(stop.signal).then(
                answer => set({ of: key, answer }),
                e => stop.signal.aborted || set({ of: key, error: asApiError(e) }),
            );
        }, after);
        return () => {
            clearTimeout(timer);
            stop.abort();
        };
    }, [key]);
    return { looked, busy: key != null && looked.of !== key };
}

export function RuleEdit({
    id,
    draft,
    text: given,
    own,
    collection,
    collections,
    onCollection,
    onSaved,
    onLeave,
}: {
    /** null: a new rule, whose id stands in its text. */
    id: string | null;
    /** What is written here, so that each goes on where it was left: a rule, or what a new one begins with. */
    draft: string;
    text: string;
    /** The version of one's own that it begins with; absent: a shipped or a new one. */
    own: OwnRule | undefined;
    /** On whose runs it is tried. */
    collection: Collection | undefined;
    collections: Collection[];
    onCollection: (name: string) => void;
    onSaved: (saved: OwnRule) => void;
    onLeave: () => void;
}): JSX.Element {
    const key = 'rule.' + draft;
    const [restored] = useState(() => readDraft(key));
    const [text, setText] = useState(restored?.text ?? given);
    const [note, setNote] = useState(restored?.note ?? '');
    const [saving, setSaving] = useState(false);
    const [refused, setRefused] = useState<ApiError | null>(null);
    const [history, setHistory] = useState(false);
    const editor = useRef<EditorHandle | null>(null);
    const latest = useRef(text);
    latest.current = text;
    const schema = useAsk('rule schema', signal => ruleCalls.schema(signal));
    const changed = text !== given;

    const write = (next: string, words = note) => {
        setText(next);
        setNote(words);
        setRefused(null);
        if (next === given && !words) dropDraft(key);
        else keepDraft(key, { text: next, base: own?.version ?? 0, note: words, when: new Date().toISOString() });
    };
    const check = useLook(text, 250, signal => ruleCalls.test(triedText(text), undefined, signal));
    const problems = check.looked.answer?.problems ?? [];
    const tests = check.looked.answer?.tests;
    const rule = check.looked.answer?.rules[0];
    const sound = !check.busy && !!check.looked.answer && !problems.length && check.looked.answer.rules.length > 0;
    const tried = useLook(sound && collection ? `${collection.id} ${text}` : null, 300, signal =>
        ruleCalls.test(triedText(text), collection!.id, signal),
    );

    const [isScanning, setScanning] = useState(false);
    const scan = async (of: string) => {
        if (!collection || isScanning) return;
        setScanning(true);
        try {
            await ruleCalls.scan(collection.id, of);
            toast(`${collection.name} is being scanned for ${of}`, {
                label: 'its findings',
                run: () => go(collectionPath(collection, 'findings') + '?' + new URLSearchParams({ detector: of, status: 'any' })),
            });
        } catch (e) {
            toastError('The scan was not started.', asApiError(e));
        }
        setScanning(false);
    };
    const blanks = blanksIn(text);
    const canSave = sound && !blanks.length && !saving && tests?.failed === 0 && (changed || id == null);
    const save = async () => {
        const name = idOf(text);
        if (!canSave || !name) return;
        setSaving(true);
        try {
            const saved = await ruleCalls.save(name, text, whoami(), note.trim());
            dropDraft(key);
            // What was written while it was saved goes on from the version that it became.
            if (latest.current !== text)
                keepDraft('rule.' + saved.id, { text: latest.current, base: saved.version, note: '', when: new Date().toISOString() });
            toast(`${saved.id} version ${saved.version} saved: every later import and scan uses it`, {
                label: 'scan now',
                run: () => void scan(saved.id),
            });
            onSaved(saved);
        } catch (e) {
            setRefused(asApiError(e));
        }
        setSaving(false);
    };
    useKeys('Rule editor', [{ key: 'mod+s', does: 'save the rule', typing: true, need: 'admin', run: () => void save() }]);

    return (
        <div class="edit-grid rule-edit">
            <section class="panel" aria-label="Rule text">
                <header>
                    <h1>{id == null ? 'New rule' : `Edit ${visible(id)}`}</h1>
                    {restored && changed && <span class="dim">unsaved, of {time(restored.when)}</span>}
                    <span class="acts">
                        {own && (
                            <button class="btn btn-bare" type="button" onClick={() => setHistory(true)}>
                                Version {own.version}
                            </button>
                        )}
                        {changed && (
                            <button class="btn" type="button" onClick={() => write(given, '')}>
                                Discard changes
                            </button>
                        )}
                        <button class="btn" type="button" onClick={onLeave}>
                            Leave
                        </button>
                    </span>
                </header>
                {id != null && !own && (
                    <p class="callout plain">
                        This rule came with the program or from a file. What you save is yours, and takes its place until you remove
                        it; under another id it stands beside it.
                    </p>
                )}
                <Editor
                    value={text}
                    onChange={next => write(next)}
                    language="yaml"
                    label="The rule as YAML"
                    rows={26}
                    problems={problems}
                    {...(schema.data && { complete: (whole: string, at: number) => completeRule(schema.data!, whole, at) })}
                    onRun={() => void save()}
                    handle={handle => (editor.current = handle)}
                />
                <ul class="problems" aria-live="polite">
                    {check.looked.error ? (
                        <li class="state-failed">The text could not be checked: {check.looked.error.message}</li>
                    ) : !check.looked.answer ? (
                        <li class="ok">Checking.</li>
                    ) : problems.length ? (
                        problems.slice(0, 50).map((problem, i) => (
                            <li key={i}>
                                <button class="more" type="button" onClick={() => editor.current?.goTo(problem.line, problem.column)}>
                                    line {problem.line}, column {problem.column}
                                </button>
                                <span>{visible(problem.message)}</span>
                            </li>
                        ))
                    ) : (
                        <Tests tests={tests!} />
                    )}
                </ul>
                <p class="pad sub">
                    {blanks.length > 0 && (
                        <>
                            <b>Still to be written: {blanks.join(', ')}.</b>{' '}
                        </>
                    )}
                    Once saved, every later import and scan looks for it; runs that are here already are scanned when you ask for
                    it, right after saving.
                </p>
                {refused && (
                    <div class="pad">
                        <Failure error={refused} what="It was not saved; your text is kept." />
                    </div>
                )}
                <div class="save-bar">
                    <div class="input">
                        <input
                            aria-label="What this version is for"
                            placeholder="what this version is for"
                            value={note}
                            onInput={event => write(text, event.currentTarget.value)}
                        />
                    </div>
                    <Who shy />
                    <button data-need="admin"
                        class="btn btn-main"
                        type="button"
                        disabled={!canSave}
                        title={
                            problems.length
                                ? `${count(problems.length, 'problem')} in the text`
                                : tests?.failed
                                  ? `${count(tests.failed, 'test')} of the rule ${tests.failed === 1 ? 'does' : 'do'} not hold`
                                  : blanks.length
                                    ? `Still to be written: ${blanks.join(', ')}`
                                    : id != null && !changed
                                    ? 'Nothing has changed'
                                    : undefined
                        }
                        onClick={() => void save()}
                    >
                        {own ? `Save as version ${own.version + 1}` : 'Save'} <kbd aria-hidden="true">{keyLabel('mod+s')}</kbd>
                    </button>
                </div>
            </section>
            <Would
                rule={blanks.includes('behavior') ? undefined : rule}
                sound={sound}
                tried={tried}
                collection={collection}
                collections={collections}
                onCollection={onCollection}
            />
            {history && own && (
                <History
                    id={own.id}
                    onChoose={chosen => {
                        write(chosen);
                        setHistory(false);
                    }}
                    onClose={() => setHistory(false)}
                />
            )}
        </div>
    );
}

function Tests({ tests }: { tests: RulesTest['tests'] }): JSX.Element {
    if (!tests.run) return <li class="ok">The text is a rule. It has no tests: runs that it must flag, and runs that it must not.</li>;
    if (!tests.failed) return <li class="ok">The text is a rule, and its {count(tests.run, 'test')} hold.</li>;
    return (
        <li class="state-failed">
            <b>
                {num(tests.failed)} of {count(tests.run, 'test')} {tests.failed === 1 ? 'does' : 'do'} not hold
            </b>
            <pre>{visible(tests.output.trim())}</pre>
        </li>
    );
}

function Would({
    rule,
    sound,
    tried,
    collection,
    collections,
    onCollection,
}: {
    rule: Detector | undefined;
    sound: boolean;
    tried: { looked: Looked; busy: boolean };
    collection: Collection | undefined;
    collections: Collection[];
    onCollection: (name: string) => void;
}): JSX.Element {
    const { answer, error } = tried.looked;
    const more = answer && !answer.complete ? 'at least ' : '';
    return (
        <section class="panel would" aria-label="What it would flag" aria-busy={tried.busy}>
            <header>
                <h2 aria-live="polite">
                    {!answer
                        ? 'What it would flag'
                        : answer.findings.length && !answer.flagged
                          ? `Would make ${more}${count(answer.findings.length, 'finding')}`
                          : `Would flag ${more}${count(answer.flagged, 'run')}`}
                </h2>
                <label class="end">
                    <span class="sr">Collection</span>
                    <select
                        class="btn"
                        value={collection?.name ?? ''}
                        onChange={event => onCollection(event.currentTarget.value)}
                    >
                        <option value="">choose a collection</option>
                        {collections.map(c => (
                            <option key={c.id} value={c.name}>
                                {visible(c.name)}
                            </option>
                        ))}
                    </select>
                </label>
            </header>
            {error && <Failure error={error} what="It could not be tried." />}
            {!collection && <p class="pad sub">Choose a collection: its runs are looked at while you write, and nothing is stored.</p>}
            {collection && !answer && !error && <p class="pad sub">{sound ? 'Looking at the runs.' : 'When the text is a rule, its runs are looked at.'}</p>}
            {answer && (
                <p class="pad sub">
                    {num(answer.runs)} of {count(collection?.runs ?? answer.runs, 'run')} looked at
                    {answer.complete ? '' : ', as far as the time for a trial goes; a scan looks at all'}.
                    {answer.incomplete.length > 0 && ` ${count(answer.incomplete.length, 'run')} met a limit of time or work.`}
                    {rule && (
                        <>
                            {' '}
                            <KindMark kind={rule.kind} label /> <SeverityMark severity={rule.severity} /> {rule.severity}
                        </>
                    )}
                </p>
            )}
            {answer && !answer.findings.length && <p class="none-yet">It finds nothing there.</p>}
            <ul class="would-list">
                {answer?.findings.slice(0, SHOWN).map((finding, i) => (
                    <li key={i}>
                        <WouldItem finding={finding} />
                    </li>
                ))}
            </ul>
            {answer && answer.findings.length > SHOWN && (
                <p class="pad dim">and {num(answer.findings.length - SHOWN)} more that are not shown here</p>
            )}
        </section>
    );
}

const SHOWN = 100;

function WouldItem({ finding: f }: { finding: Finding }): JSX.Element {
    const place = f.evidence[0];
    const run = f.run?.id ?? place?.run;
    const quote = place && quoteLine(place, 160);
    const body = (
        <>
            <KindMark kind={f.kind} />
            <span class="one t" title={f.title}>
                {visible(f.title)}
            </span>
            <span class="place">{f.run ? runLabel(f.run) : (f.task_id ?? '')}</span>
            <samp class="q one">{quote ? <mark class={`ev ev-${f.kind}`}>{quote}</mark> : ''}</samp>
        </>
    );
    return run ? (
        <a class="item" href={runPath(run, { message: place?.message, transcript: place?.position })}>
            {body}
        </a>
    ) : (
        <div class="item">{body}</div>
    );
}

function History({ id, onChoose, onClose }: { id: string; onChoose: (text: string) => void; onClose: () => void }): JSX.Element {
    const versions = useAsk('rule versions ' + id, signal => ruleCalls.versions(id, signal));
    return (
        <Dialog title={`Versions of ${id}`} onClose={onClose}>
            <DialogHead title={`Versions of ${visible(id)}`} onClose={onClose} />
            <div class="pad">
                {versions.error && <Failure error={versions.error} again={versions.again} />}
                <ul class="exceptions">
                    {versions.data?.items.map(v => (
                        <li class="exception" key={v.version}>
                            <p>
                                <b>Version {v.version}</b>
                                {v.text == null ? ': removed' : ''}
                                <span class="dim">
                                    {' '}
                                    {time(v.created_at)}
                                    {v.author ? `, by ${visible(v.author)}` : ''}
                                </span>
                            </p>
                            {v.note && <p class="sub">{visible(v.note)}</p>}
                            {v.text != null && (
                                <p class="acts">
                                    <button class="btn" type="button" onClick={() => onChoose(v.text!)}>
                                        Write on from this
                                    </button>
                                </p>
                            )}
                        </li>
                    ))}
                </ul>
            </div>
        </Dialog>
    );
}
