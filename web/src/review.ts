// Confirming and dismissing, with a way back.
import { api, type Finding, type Status } from './api';
import { whoami } from './labelling';
import { toast, toastError } from './parts/say';
import { asApiError } from './use';
import { count } from './format';

export type Change = (ids: string[], change: Partial<Pick<Finding, 'status' | 'note'>>) => void;

interface Step {
    /** Takes it back; gives the findings that it was about. Throws where the server refuses. */
    back: () => Promise<string[]>;
}
const steps: Step[] = [];

/** What was done here last, and how it is undone. */
export function remember(back: Step['back'], what: string): void {
    const step: Step = { back };
    steps.push(step);
    toast(what, { label: 'undo', run: () => void undo(step) });
}

/** Sets the status or note of findings: at once in the page, then on the server; what the server refuses goes back. */
export async function review(findings: Finding[], change: { status?: Status; note?: string }, apply: Change): Promise<boolean> {
    const before = findings.map(({ id, status, note }) => ({ id, status, note }));
    const ids = findings.map(finding => finding.id);
    apply(ids, change);
    try {
        const signed = { ...change, reviewer: whoami() };
        if (ids.length === 1) await api.review(ids[0]!, signed);
        else await api.reviewMany(ids, signed);
    } catch (e) {
        for (const { id, status, note } of before) apply([id], { status, note });
        toastError('The review was not stored.', asApiError(e));
        return false;
    }
    const what = change.status
        ? { open: 'opened again', confirmed: 'confirmed', dismissed: 'dismissed' }[change.status]
        : 'noted';
    const back = async () => {
        for (const { id, status, note } of before) {
            await api.review(id, { status, note: note ?? '' });
            apply([id], { status, note });
        }
        return ids;
    };
    remember(back, `${ids.length === 1 ? findings[0]!.title : count(ids.length, 'finding')}: ${what}`);
    return true;
}

/** Takes back a review, the last one unless told which; what was taken back, if there was anything. */
export async function undo(step: Step | undefined = steps[steps.length - 1]): Promise<string[] | null> {
    const at = step ? steps.indexOf(step) : -1;
    if (!step || at < 0) return null;
    steps.splice(at, 1);
    try {
        return await step.back();
    } catch (e) {
        toastError('That could not be undone.', asApiError(e));
        return null;
    }
}
