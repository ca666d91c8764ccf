// Labels given by key: who gives them, of which set, and which runs are next. Kept in this browser, so that the next run goes on.
import { useEffect, useState } from 'preact/hooks';
import { api, pagesOf, type Json, type RunDetail } from './api';
import { judging } from './judging';
import { may, signedInAs, useSession } from './session';

/* ---- what is kept ---------------------------------------------------------------------------------------------------- */

export interface Labelling {
    open: boolean;
    set: string | null;
    who: string;
    /** The runs to go through, in order; null: those of the collection. */
    queue: string[] | null;
    /** What others say is shown before one's own label stands. */
    shown: boolean;
}

/* Reading a storage throws where the browser forbids it: then all lasts as long as the page. */
const stores: [() => Storage, (keyof Labelling)[]][] = [
    [() => localStorage, ['set', 'who']],
    [() => sessionStorage, ['open', 'queue', 'shown']],
];

function read(): Labelling {
    const kept: Labelling = { open: false, set: null, who: '', queue: null, shown: false };
    for (const [store] of stores) {
        try {
            Object.assign(kept, JSON.parse(store().getItem('telltale.labelling') ?? '{}'));
        } catch {
            /* forbidden, or written by nobody we know: begin anew */
        }
    }
    return kept;
}

let state = read();
const watchers = new Set<() => void>();

export function setLabelling(change: Partial<Labelling>): void {
    state = { ...state, ...change };
    for (const [store, keys] of stores) {
        try {
            store().setItem('telltale.labelling', JSON.stringify(Object.fromEntries(keys.map(key => [key, state[key]]))));
        } catch {
            /* forbidden, or no room for it */
        }
    }
    for (const watcher of watchers) watcher();
}

/** `who` is whoever signed in where nobody else was named; the bar is open for whoever may label. */
export function useLabelling(): Labelling {
    useSession();
    const [now, set] = useState(state);
    useEffect(() => {
        const watcher = () => set(state);
        watchers.add(watcher);
        watcher();
        return () => void watchers.delete(watcher);
    }, []);
    return { ...now, who: now.who || (signedInAs() ?? ''), open: now.open && may('review') };
}

/** Who reviews and labels in this browser: as they said, else as they signed in; undefined where neither is known. */
export const whoami = (): string | undefined => state.who || signedInAs();

/** Words of a transcript, by bytes of a part. */
export interface Picked {
    message: number;
    part: string;
    start: number;
    end: number;
    quote: string;
}

/* ---- which runs are done --------------------------------------------------------------------------------------------- */

const finished = new Map<string, Promise<Set<string>>>();
const keyOf = (collection: string, set: string, who: string) => [collection, set, who].join('\0');

/** The runs of a collection that somebody labelled in a set. */
export function doneBy(collection: string, set: string, who: string): Promise<Set<string>> {
    const key = keyOf(collection, set, who);
    let asked = finished.get(key);
    if (!asked) {
        asked = load(collection, set, who);
        asked.catch(() => finished.delete(key));
        finished.set(key, asked);
    }
    return asked;
}

async function load(collection: string, set: string, who: string): Promise<Set<string>> {
    const runs = new Set<string>();
    for await (const page of pagesOf(after => judging.labels({ collection, set, who, limit: 1000, after })))
        for (const row of page.items) runs.add(row.run);
    return runs;
}

/** The next run of the queue, or of the collection, that has no label of this person in this set; null: none is left. */
export async function nextRun(run: RunDetail, set: string, who: string): Promise<string | null> {
    const done = await doneBy(run.collection, set, who);
    const open = (id: string) => id !== run.id && !done.has(id);
    if (state.queue) {
        const at = state.queue.indexOf(run.id) + 1;
        return [...state.queue.slice(at), ...state.queue.slice(0, at)].find(open) ?? null;
    }
    for await (const page of pagesOf(after => api.runs(run.collection, { limit: 200, after }))) {
        const found = page.items.find(item => open(item.id));
        if (found) return found.id;
    }
    return null;
}

/** The runs that a judge ("judge:NAME@V/KEY8") judged and nobody labelled in a set, as the judge's list has them. */
export async function judgedUnlabelled(judge: string, set: string, collection: string | null): Promise<string[]> {
    const [, rubric, version, key] = /^judge:([^@]*)@(\d+)\/(.*)$/s.exec(judge) ?? [];
    if (!rubric || !key) return [];
    const labelled = new Set<string>();
    for await (const page of pagesOf(after => judging.labels({ collection, set, limit: 1000, after })))
        for (const row of page.items) labelled.add(row.run);
    const runs = new Set<string>();
    for await (const page of pagesOf(after => judging.judgments({ collection, rubric, version, limit: 1000, after })))
        for (const j of page.items)
            if (j.judge_key.startsWith(key) && j.state !== 'failed' && !labelled.has(j.run.id)) runs.add(j.run.id);
    return [...runs];
}

/* ---- giving and taking back ------------------------------------------------------------------------------------------ */

/** One value, however its keys are ordered: the server stores a label's keys in an order of its own. */
export const sameValue = (a: Json | undefined, b: Json | undefined) => inOrder(a) === inOrder(b);
const inOrder = (value: Json | undefined) =>
    JSON.stringify(value, (_, part: Json) =>
        part && typeof part === 'object' && !Array.isArray(part)
            ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
            : part,
    );

interface Step {
    run: string;
    collection: string;
    set: string;
    who: string;
    /** What stood before, of a set of one value a run; undefined: nothing did. */
    before: Json | undefined;
    value: Json;
    all: boolean;
}
const steps: Step[] = [];
export const canUndo = () => steps.length > 0;

export async function giveLabel(step: Step): Promise<void> {
    await judging.label({ run: step.run, set: step.set, who: step.who, value: step.value });
    steps.push(step);
    (await finished.get(keyOf(step.collection, step.set, step.who)))?.add(step.run);
}

export async function removeLabel(step: Omit<Step, 'before'>): Promise<void> {
    const rows = await judging.labels({ run: step.run, set: step.set, who: step.who, limit: 1000 });
    const mine = rows.items.filter(row => row.who === step.who && (!step.all || sameValue(row.value, step.value)));
    for (const row of mine) await judging.deleteLabel(row.id);
    if (mine.length === rows.items.length) (await finished.get(keyOf(step.collection, step.set, step.who)))?.delete(step.run);
}

/** Takes the last label back; gives the run that it was of. */
export async function undoLabel(): Promise<Step | null> {
    const step = steps.pop();
    if (!step) return null;
    if (step.before === undefined) await removeLabel(step);
    else await judging.label({ run: step.run, set: step.set, who: step.who, value: step.before });
    return step;
}
