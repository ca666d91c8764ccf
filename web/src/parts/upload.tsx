// Files dropped anywhere, the question where they go, and how far they have come.
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { api } from '../api';
import { KINDS, KIND_NAME, bytes, count, num } from '../format';
import { cancelImport, chosenFolder, dismissImport, droppedFiles, fileIn, nameFor, startImport, useImports, type Batch, type FileIn } from '../imports';
import { collectionPath, go, usePlace } from '../router';
import { useAsk } from '../use';
import { KindMark } from './marks';
import { Dialog, DialogHead, toast } from './say';

/* The question is asked by one dialog, whoever has the files. */
let askFor: ((files: FileIn[]) => void) | null = null;
export const offerFiles = (files: FileIn[]) => files.length && askFor?.(files);

/** As the style sheet hides what a token may not do. */
const mayImport = () => document.documentElement.dataset.may?.split(' ').includes('ingest') ?? true;

export function DropAnywhere({ collection }: { collection?: string }): JSX.Element {
    const [over, setOver] = useState(false);
    const [files, setFiles] = useState<FileIn[] | null>(null);
    useEffect(() => {
        askFor = setFiles;
        let depth = 0;
        const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes('Files') ?? false;
        const enter = (event: DragEvent) => {
            if (!hasFiles(event) || !mayImport()) return;
            depth++;
            setOver(true);
        };
        const leave = () => {
            depth = Math.max(0, depth - 1);
            if (!depth) setOver(false);
        };
        const move = (event: DragEvent) => hasFiles(event) && event.preventDefault();
        const dropped = (event: DragEvent) => {
            depth = 0;
            setOver(false);
            if (!event.dataTransfer || !hasFiles(event)) return;
            event.preventDefault();
            if (!mayImport()) return toast('This token may not import: it needs the scope ingest.');
            void droppedFiles(event.dataTransfer).then(offerFiles);
        };
        addEventListener('dragenter', enter);
        addEventListener('dragleave', leave);
        addEventListener('dragover', move);
        addEventListener('drop', dropped);
        return () => {
            askFor = null;
            removeEventListener('dragenter', enter);
            removeEventListener('dragleave', leave);
            removeEventListener('dragover', move);
            removeEventListener('drop', dropped);
        };
    }, []);
    return (
        <>
            {over && (
                <div class="dropping" aria-hidden="true">
                    <p>Drop to import{collection ? ` into ${collection}` : ''}</p>
                </div>
            )}
            {files && <Ask files={files} collection={collection} onClose={() => setFiles(null)} />}
            <Dock />
        </>
    );
}

/** "logs (213 files)", "a.eval", "5 files" */
function called(files: { name: string; holds: number }[]): string {
    const holds = files.reduce((sum, file) => sum + file.holds, 0);
    if (files.length > 1) return count(holds, 'file');
    return files[0]!.name + (holds > 1 ? ` (${count(holds, 'file')})` : '');
}

function Ask({ files, collection, onClose }: { files: FileIn[]; collection?: string; onClose: () => void }): JSX.Element {
    const [name, setName] = useState(collection ?? nameFor(files));
    const known = useAsk('palette', signal => api.collections({ limit: 200 }, signal));
    const there = known.data?.items.some(c => c.name === name.trim());
    const size = files.reduce((sum, { file }) => sum + file.size, 0);
    const start = (event: Event) => {
        event.preventDefault();
        if (!name.trim()) return;
        void startImport(name.trim(), files);
        onClose();
        go('/');
    };
    return (
        <Dialog title="Import" onClose={onClose}>
            <DialogHead title={`Import ${called(files)}`} onClose={onClose} />
            <form class="pad ask-import" onSubmit={start}>
                <label for="import-into">Into the collection</label>
                <div class="input">
                    <input
                        id="import-into"
                        autofocus
                        required
                        value={name}
                        list="import-names"
                        autocomplete="off"
                        onInput={event => setName(event.currentTarget.value)}
                    />
                </div>
                <datalist id="import-names">
                    {known.data?.items.map(c => (
                        <option key={c.id} value={c.name} />
                    ))}
                </datalist>
                <p class="dim">
                    {there ? 'Adds to it; what it holds already is not taken twice.' : 'A new collection of this name is made.'}{' '}
                    {bytes(size)}.
                </p>
                <p>
                    <button class="btn btn-main" type="submit">
                        Import
                    </button>
                </p>
            </form>
        </Dialog>
    );
}

export function ChooseFiles(): JSX.Element {
    const files = useRef<HTMLInputElement>(null);
    const folder = useRef<HTMLInputElement>(null);
    const chosen = (input: HTMLInputElement, read: (files: File[]) => FileIn[]) => {
        offerFiles(read([...(input.files ?? [])]));
        input.value = '';
    };
    return (
        <>
            <input
                ref={files}
                type="file"
                multiple
                hidden
                aria-hidden="true"
                tabIndex={-1}
                onChange={event => chosen(event.currentTarget, list => list.map(fileIn))}
            />
            <input
                ref={folder}
                type="file"
                {...{ webkitdirectory: true }}
                hidden
                aria-hidden="true"
                tabIndex={-1}
                onChange={event => chosen(event.currentTarget, chosenFolder)}
            />
            <button class="btn btn-main" type="button" onClick={() => files.current!.click()}>
                Choose files
            </button>{' '}
            <button class="btn" type="button" onClick={() => folder.current!.click()}>
                or a folder
            </button>
        </>
    );
}

interface Sums {
    done: boolean;
    share: number;
    sent: number;
    size: number;
    runs: number;
    duplicates: number;
    messages: number;
    skipped: number;
    repairs: number;
    kinds: Record<string, number>;
    refused: { source: string; location: string; message: string }[];
}

function sums(batch: Batch): Sums {
    const s: Sums = {
        done: batch.ended != null,
        share: 0,
        sent: 0,
        size: 0,
        runs: 0,
        duplicates: 0,
        messages: 0,
        skipped: 0,
        repairs: 0,
        kinds: {},
        refused: [],
    };
    for (const file of batch.files) {
        s.size += file.size;
        s.sent += file.sent;
        const finished = file.state === 'done' || file.state === 'failed';
        // Half of the way is sending, half is reading.
        s.share += file.size * (finished ? 1 : (file.sent + Math.min(file.read, file.size)) / (2 * Math.max(1, file.size)));
        const report = file.report;
        s.runs += report ? report.runs.new + report.runs.updated : file.runs;
        s.messages += report ? report.messages : file.messages;
        if (file.error) s.refused.push({ source: file.name, location: '', message: file.error.message });
        if (!report) continue;
        s.duplicates += report.runs.duplicate;
        s.skipped += report.files.skipped;
        s.repairs += Object.values(report.repairs).reduce((a, b) => a + b, 0);
        for (const kind of KINDS) s.kinds[kind] = (s.kinds[kind] ?? 0) + (report.findings.by_kind[kind] ?? 0);
        for (const error of report.errors)
            s.refused.push({ source: error.source ?? file.name, location: error.location ?? '', message: error.message });
    }
    s.share = s.size ? s.share / s.size : s.done ? 1 : 0;
    return s;
}

/** One import while it runs, and after: counts as they come, refused records named at once, the rest still lands. */
export function ImportPanel({ batch }: { batch: Batch }): JSX.Element {
    const s = sums(batch);
    const failed = batch.files.every(file => file.state === 'failed');
    const where = collectionPath({ id: batch.collection, name: batch.collection });
    const left = s.done || s.share < 0.05 ? null : Math.ceil(((Date.now() - batch.started) / 1000) * ((1 - s.share) / s.share));
    return (
        <section class="panel import" aria-label={`Import into ${batch.collection}`}>
            <header>
                <h2>{batch.collection}</h2>
                <span class="dim">
                    {called(batch.files)}, {s.done ? bytes(s.size) : s.sent < s.size ? `${bytes(s.sent)} of ${bytes(s.size)} sent` : `${bytes(s.size)}, being read`}
                </span>
                {s.done ? (
                    <span class="end acts">
                        {!failed && (
                            <a class="btn btn-main" href={where}>
                                Open the story
                            </a>
                        )}
                        <button class="btn btn-bare" type="button" onClick={() => dismissImport(batch.id)}>
                            Close
                        </button>
                    </span>
                ) : (
                    <button class="btn end" type="button" onClick={() => cancelImport(batch.id)}>
                        Cancel
                    </button>
                )}
            </header>
            <div class="pad">
                <div
                    class="prog"
                    role="progressbar"
                    aria-valuenow={Math.round(s.share * 100)}
                    aria-valuemin={0}
                    aria-valuemax={100}
                    aria-label="Import"
                >
                    <svg viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">
                        <rect width={s.share * 100} height="6" />
                    </svg>
                </div>
                <p class="facts" aria-live="polite">
                    <span>
                        <b>{num(s.runs)}</b> {s.done ? 'new runs' : 'runs'}
                    </span>
                    {s.done && (
                        <span>
                            <b>{num(s.duplicates)}</b> seen before
                        </span>
                    )}
                    <span>
                        <b>{num(s.messages)}</b> messages
                    </span>
                    {KINDS.filter(kind => s.kinds[kind]).map(kind => (
                        <span key={kind}>
                            <KindMark kind={kind} /> <b>{num(s.kinds[kind])}</b> {KIND_NAME[kind]}
                        </span>
                    ))}
                    {s.repairs > 0 && (
                        <span>
                            <b>{num(s.repairs)}</b> repaired
                        </span>
                    )}
                    {s.skipped > 0 && (
                        <span>
                            <b>{num(s.skipped)}</b> no transcript
                        </span>
                    )}
                    {batch.cancelled && <span>cancelled; what had landed stays</span>}
                    {left != null && <span>about {left} s left</span>}
                </p>
            </div>
            {s.refused.length > 0 && (
                <table class="grid-t stack">
                    <thead>
                        <tr>
                            <th>{count(s.refused.length, 'refused', 'refused')}</th>
                            <th>Where</th>
                            <th>Why</th>
                        </tr>
                    </thead>
                    <tbody>
                        {s.refused.slice(0, 50).map((row, i) => (
                            <tr key={i}>
                                <td class="mono">{row.source}</td>
                                <td class="mono">{row.location || '—'}</td>
                                <td>{row.message}</td>
                            </tr>
                        ))}
                        {s.refused.length > 50 && (
                            <tr>
                                <td colSpan={3} class="dim">
                                    and {num(s.refused.length - 50)} more
                                </td>
                            </tr>
                        )}
                    </tbody>
                </table>
            )}
        </section>
    );
}

/** Work that the server has in hand and that this page did not start, or forgot when it was loaded anew. */
export function OtherWork({ onEnd }: { onEnd: () => void }): JSX.Element | null {
    const mine = new Set(useImports().flatMap(batch => batch.files.map(file => file.job)));
    const { data, again } = useAsk('jobs', signal => api.jobs(signal));
    const running = data?.items.filter(job => (job.state === 'queued' || job.state === 'running') && !mine.has(job.id)) ?? [];
    const before = useRef(0);
    useEffect(() => {
        if (before.current > running.length) onEnd();
        before.current = running.length;
        if (!running.length) return;
        const timer = setTimeout(again, 1000);
        return () => clearTimeout(timer);
    }, [data]);
    if (!running.length) return null;
    return (
        <section class="panel import" aria-label="Under way">
            {running.map(job => (
                <p class="facts pad" key={job.id}>
                    <span>
                        <b>{job.kind}</b> {job.state === 'queued' ? 'waits its turn' : 'under way'}
                    </span>
                    {typeof job.progress?.runs === 'number' && (
                        <span>
                            <b>{num(job.progress.runs)}</b> runs
                        </span>
                    )}
                    {typeof job.progress?.messages === 'number' && (
                        <span>
                            <b>{num(job.progress.messages)}</b> messages
                        </span>
                    )}
                    <span>
                        <a href="/jobs">all jobs</a>
                    </span>
                </p>
            ))}
        </section>
    );
}

/** On other pages an import under way is one line at the foot. */
function Dock(): JSX.Element | null {
    const batches = useImports();
    const { path } = usePlace();
    const running = batches.filter(batch => batch.ended == null);
    if (path === '/' || !running.length) return null;
    const share = running.reduce((sum, batch) => sum + sums(batch).share, 0) / running.length;
    return (
        <a class="dock" href="/">
            Importing {running.map(batch => batch.collection).join(', ')}: {Math.floor(share * 100)} %
        </a>
    );
}
