// Deleting runs, after a question.
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { api, MOST_IDS } from '../api';
import { count } from '../format';
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
    const [going, setGoing] = useState(false);
    const run = async () => {
        let gone = 0;
        setGoing(true);
        try {
            if ('filter' in which) {
                gone = (await api.deleteRuns({ collection, filter: Object.fromEntries(which.filter) })).deleted;
            } else {
                for (let i = 0; i < which.ids.length; i += MOST_IDS)
                    gone += (await api.deleteRuns({ ids: which.ids.slice(i, i + MOST_IDS) })).deleted;
            }
            toast(`${count(gone, 'run')} deleted`);
            onClose(gone > 0);
        } catch (e) {
            toastError('Not all of the runs were deleted.', asApiError(e));
            onClose(true);
        }
    };
    const what = n == null ? 'all runs of the filter' : count(n, 'run');
    return (
        <Dialog title="Delete runs" onClose={() => onClose(false)}>
            <DialogHead title={`Delete ${what}?`} onClose={() => onClose(false)} />
            <div class="pad">
                <p>
                    Their transcripts, findings, reviews and labels go with them. The files they came from stay where they are, and can
                    be imported again.
                </p>
                <p class="acts-row">
                    <button class="btn btn-danger" type="button" disabled={going} onClick={() => void run()}>
                        {going ? 'Deleting…' : `Delete ${what}`}
                    </button>
                </p>
            </div>
        </Dialog>
    );
}
