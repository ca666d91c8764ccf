// Deleting runs, after a question; while it goes on it says how far it is and can be stopped.
import type { JSX } from 'preact';
import { useRef, useState } from 'preact/hooks';
import { api } from '../api';
import { count, num } from '../format';
import { asApiError } from '../use';
import type { Which } from './runlist';
import { Dialog, DialogHead, toast, toastError } from './say';

export function DeleteDialog({
    collection,
    which,
    n,
    onClose,
}: {
    collection: string;
    which: Which;
    n: number | null;
    onClose: (changed: boolean) => void;
}): JSX.Element {
    const [done, setDone] = useState<number | null>(null);
    const stopped = useRef(false);
    const close = () => {
        stopped.current = true;
        if (done == null) onClose(false);
    };
    const run = async () => {
        let gone = 0;
        setDone(0);
        try {
            for (let ids = await next(); ids.length && !stopped.current; ids = await next()) {
                for (const id of ids) {
                    if (stopped.current) break;
                    await api.deleteRun(id);
                    setDone(++gone);
                }
            }
            toast(`${count(gone, 'run')} deleted`);
        } catch (e) {
            toastError(`${count(gone, 'run')} deleted, then it was refused.`, asApiError(e));
        }
        onClose(gone > 0);
    };
    // What a filter names becomes less as they go, so that the first page is always the next.
    let rest = 'ids' in which ? which.ids : [];
    const next = async (): Promise<string[]> => {
        if ('ids' in which) {
            const ids = rest;
            rest = [];
            return ids;
        }
        const params = new URLSearchParams(which.filter);
        params.set('limit', '200');
        return (await api.runs(collection, params)).items.map(item => item.id);
    };
    const what = n == null ? 'all runs of the filter' : count(n, 'run');
    return (
        <Dialog title="Delete runs" onClose={close}>
            <DialogHead title={`Delete ${what}?`} onClose={close} />
            <div class="pad">
                <p>
                    Their transcripts, findings, reviews and labels go with them. The files they came from stay where they are, and can
                    be imported again.
                </p>
                <p class="acts-row">
                    {done == null ? (
                        <button class="btn btn-danger" type="button" onClick={() => void run()}>
                            Delete {what}
                        </button>
                    ) : (
                        <>
                            <span aria-live="polite">
                                {num(done)} of {num(n)} deleted
                            </span>
                            <button class="btn" type="button" onClick={() => (stopped.current = true)}>
                                Stop
                            </button>
                        </>
                    )}
                </p>
            </div>
        </Dialog>
    );
}
