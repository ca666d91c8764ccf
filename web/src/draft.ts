// A rubric or a rule that is being written, kept in this browser until it is saved or thrown away.

export interface Draft {
    text: string;
    /** The version that the writing began with; 0: a new rubric. */
    base: number;
    note: string;
    when: string;
}

const key = (name: string | null) => 'telltale.rubric.' + (name ?? '');

export function readDraft(name: string | null): Draft | null {
    try {
        const draft = JSON.parse(localStorage.getItem(key(name)) ?? 'null') as Draft | null;
        return draft && typeof draft.text === 'string' && typeof draft.base === 'number' ? draft : null;
    } catch {
        return null;
    }
}

/** False where this browser keeps nothing: then leaving the page has to be asked about. */
export function keepDraft(name: string | null, draft: Draft): boolean {
    try {
        localStorage.setItem(key(name), JSON.stringify(draft));
        return true;
    } catch {
        return false;
    }
}

export function dropDraft(name: string | null): void {
    try {
        localStorage.removeItem(key(name));
    } catch {
        /* nothing was kept */
    }
}
