// All findings that the filter names, at once: confirm, dismiss, or take them along as a file.
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { api, pagesOf, type ApiError, type Collection, type Finding, type Status } from '../api';
import { csvCell, saveFile } from '../file';
import { count, num } from '../format';
import { whoami } from '../labelling';
import { asApiError } from '../use';
import { Field } from './field';
import { Dialog, DialogHead, Failure, toast } from './say';
import { Who } from './who';

const COLUMNS: [string, (f: Finding) => string | number | null | undefined][] = [
    ['id', f => f.id],
    ['detector', f => f.detector],
    ['behavior', f => f.behavior],
    ['kind', f => f.kind],
    ['severity', f => f.severity],
    ['status', f => f.status],
    ['reviewer', f => f.reviewer],
    ['note', f => f.note],
    ['title', f => f.title],
    ['task_id', f => f.task_id],
    ['run', f => f.run?.id],
    ['external_id', f => f.run?.external_id],
    ['model', f => f.run?.model],
    ['message', f => f.evidence[0]?.message],
    ['quote', f => f.evidence[0]?.quote],
];

async function gather(collection: string, asked: URLSearchParams, told: (n: number) => void): Promise<Finding[]> {
    const items: Finding[] = [];
    const ask = (after: string) => {
        const params = new URLSearchParams(asked);
        params.set('limit', '1000');
        if (after) params.set('after', after);
        return api.findings(collection, params);
    };
    for await (const page of pagesOf(ask)) {
        items.push(...page.items);
        told(items.length);
    }
    return items;
}

export function ReviewAll({
    collection,
    asked,
    total,
    onDone,
    onClose,
}: {
    collection: Collection;
    /** The filter, as the server takes it. */
    asked: URLSearchParams;
    total: number;
    onDone: () => void;
    onClose: () => void;
}): JSX.Element {
    const [note, setNote] = useState('');
    const [error, setError] = useState<ApiError>();
    const [got, setGot] = useState<number | null>(null);
    const filter = Object.fromEntries([...asked].filter(([key]) => key !== 'sort'));
    const title = `All ${count(total, 'finding')} of this filter`;
    const set = async (status: Status) => {
        try {
            const { changed } = await api.reviewFilter(collection.id, filter, {
                status,
                reviewer: whoami(),
                ...(note.trim() && { note: note.trim() }),
            });
            toast(`${count(changed, 'finding')} ${status}`);
            onDone();
        } catch (e) {
            setError(asApiError(e));
        }
    };
    const take = async (as: 'csv' | 'jsonl') => {
        try {
            const items = await gather(collection.id, asked, setGot);
            const text =
                as === 'jsonl'
                    ? items.map(f => JSON.stringify(f) + '\n').join('')
                    : [COLUMNS.map(c => c[0]), ...items.map(f => COLUMNS.map(c => csvCell(c[1](f))))].map(row => row.join(',') + '\r\n').join('');
            saveFile(`${collection.name}-findings.${as}`, new Blob([text], { type: as === 'csv' ? 'text/csv' : 'application/jsonl' }));
        } catch (e) {
            setError(asApiError(e));
        }
        setGot(null);
    };
    return (
        <Dialog title={title} onClose={onClose}>
            <DialogHead title={title} onClose={onClose} />
            <div class="pad sheet">
                <p class="sub">
                    {Object.entries(filter)
                        .map(([key, value]) => `${key} ${value}`)
                        .join(', ') || 'every finding of the collection'}
                </p>
                <Field label="Why" help="A note for each of them; empty: their notes stay.">
                    <input value={note} autocomplete="off" onInput={event => setNote(event.currentTarget.value)} />
                </Field>
                <p class="acts-row">
                    <button data-need="review" class="btn btn-main" type="button" onClick={() => void set('confirmed')}>
                        Confirm all
                    </button>
                    <button data-need="review" class="btn" type="button" onClick={() => void set('dismissed')}>
                        Dismiss all
                    </button>
                    <button data-need="review" class="btn" type="button" onClick={() => void set('open')}>
                        Open all again
                    </button>
                    <span class="end">
                        <Who shy />
                    </span>
                </p>
                <p class="acts-row">
                    <button class="btn" type="button" disabled={got != null} onClick={() => void take('csv')}>
                        Save as CSV
                    </button>
                    <button class="btn" type="button" disabled={got != null} onClick={() => void take('jsonl')}>
                        Save as JSON Lines
                    </button>
                    <span class="dim" aria-live="polite">
                        {got == null ? '' : `${num(got)} of ${num(total)}`}
                    </span>
                </p>
                {error && <Failure error={error} what="That was not done." />}
            </div>
        </Dialog>
    );
}
