// Files on their way into a collection. They go on while pages change, so this lives outside of any page.
import { api, sendFile, type ApiError, type ImportReport } from './api';
import { useEffect, useState } from 'preact/hooks';
import { asApiError } from './use';

export interface Sending {
    name: string;
    size: number;
    state: 'waiting' | 'sending' | 'reading' | 'done' | 'failed';
    sent: number;
    read: number; /* bytes that the server has read of it */
    runs: number;
    messages: number;
    job: string | null;
    report: ImportReport | null;
    error: ApiError | null;
}

export interface Batch {
    id: number;
    collection: string;
    files: Sending[];
    started: number;
    ended: number | null;
    cancelled: boolean;
}

export interface FileIn {
    name: string;
    file: File;
}

const AT_ONCE = 2;
let batches: Batch[] = [];
let ids = 0;
const stops = new Map<number, AbortController>();
const watchers = new Set<() => void>();
function tell(): void {
    batches = [...batches];
    for (const watcher of watchers) watcher();
}

export function useImports(): Batch[] {
    const [, set] = useState({});
    useEffect(() => {
        const watcher = () => set({});
        watchers.add(watcher);
        return () => void watchers.delete(watcher);
    }, []);
    return batches;
}

export function dismissImport(id: number): void {
    batches = batches.filter(batch => batch.id !== id);
    tell();
}

export function cancelImport(id: number): void {
    const batch = batches.find(b => b.id === id);
    if (batch) batch.cancelled = true;
    stops.get(id)?.abort();
    tell();
}

/** Sends files, each as an upload of its own, into a collection that is made when it is missing. */
export async function startImport(collection: string, files: FileIn[]): Promise<void> {
    const stop = new AbortController();
    const batch: Batch = {
        id: ++ids,
        collection,
        started: Date.now(),
        ended: null,
        cancelled: false,
        files: files.map(({ name, file }) => ({
            name,
            size: file.size,
            state: 'waiting',
            sent: 0,
            read: 0,
            runs: 0,
            messages: 0,
            job: null,
            report: null,
            error: null,
        })),
    };
    stops.set(batch.id, stop);
    batches = [batch, ...batches];
    tell();
    try {
        const there = await api.collections({ limit: 1000 });
        if (!there.items.some(c => c.name === collection)) await api.addCollection(collection);
    } catch (e) {
        const error = asApiError(e);
        if (error.status !== 409) {
            /* 409: somebody else made it just now */
            for (const file of batch.files) Object.assign(file, { state: 'failed', error });
            batch.ended = Date.now();
            tell();
            return;
        }
    }
    let next = 0;
    const worker = async () => {
        while (next < files.length && !stop.signal.aborted) {
            const i = next++;
            await sendOne(collection, files[i]!, batch.files[i]!, stop.signal);
        }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    batch.ended = Date.now();
    stops.delete(batch.id);
    tell();
}

const pause = (ms: number) => new Promise(done => setTimeout(done, ms));

async function sendOne(collection: string, from: FileIn, file: Sending, stop: AbortSignal): Promise<void> {
    try {
        file.state = 'sending';
        tell();
        let upload = await sendFile(collection, from.file, from.name, sent => ((file.sent = sent), tell()), stop);
        file.job = upload.job;
        file.state = 'reading';
        file.sent = file.size;
        for (let wait = 150; upload.state === 'queued' || upload.state === 'running'; wait = Math.min(1000, wait * 1.3)) {
            await pause(wait);
            if (stop.aborted) {
                await api.cancelJob(upload.job).catch(() => null); /* it may have ended just now */
                throw new Error('The import was cancelled.');
            }
            upload = await api.uploadState(upload.id);
            Object.assign(file, {
                read: upload.progress?.bytes ?? 0,
                runs: upload.progress?.runs ?? 0,
                messages: upload.progress?.messages ?? 0,
            });
            tell();
        }
        file.report = upload.result;
        if (upload.state === 'done') file.state = 'done';
        else throw new Error(upload.error ?? 'The import ended without a result.');
    } catch (e) {
        file.state = 'failed';
        file.error = asApiError(e);
    }
    tell();
}

/* ---- what was dropped ----------------------------------------------------------------------------------------------- */

/** Files of a drop, folders walked through. Must be called in the drop's own event: the list is gone afterwards. */
export async function droppedFiles(data: DataTransfer): Promise<FileIn[]> {
    const entries = [...data.items].filter(item => item.kind === 'file').map(item => item.webkitGetAsEntry?.() ?? null);
    if (!entries.some(entry => entry?.isDirectory)) return [...data.files].map(file => ({ name: file.name, file }));
    const found: FileIn[] = [];
    const walk = async (entry: FileSystemEntry, above: string): Promise<void> => {
        if (entry.name.startsWith('.')) return;
        if (entry.isFile) {
            const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
            found.push({ name: above + entry.name, file });
            return;
        }
        const reader = (entry as FileSystemDirectoryEntry).createReader();
        for (;;) {
            const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
            if (!some.length) return;
            for (const inner of some) await walk(inner, above + entry.name + '/');
        }
    };
    for (const entry of entries) if (entry) await walk(entry, '');
    return found;
}

/** A name for a collection of these files: the folder they share, or the file's own without its endings. */
export function nameFor(files: FileIn[]): string {
    const first = files[0]!.name;
    const folder = first.includes('/') ? first.slice(0, first.indexOf('/')) : '';
    if (folder && files.every(file => file.name.startsWith(folder + '/'))) return folder;
    return files.length === 1
        ? first.replace(/(\.(jsonl?|ndjson|log|eval|zip|tar|tgz|gz|zst|csv|txt|md|traj|json))+$/i, '') || first
        : 'imported';
}
