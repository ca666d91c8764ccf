// Printing: lists draw only what is in view, so before a page goes to paper they draw all, up to a limit, and what that takes is loaded.
import { useEffect, useState } from 'preact/hooks';
import { onWaiting } from './api';

const MOST = 500; /* rows or blocks of messages of one list */
const CALM_MS = 250;
const PATIENCE_MS = 30_000;

let printing = false;
const watchers = new Set<(on: boolean) => void>();
function set(on: boolean): void {
    printing = on;
    for (const watcher of watchers) watcher(on);
}
// From the browser's own menu there is no time to load anything: what is there is drawn.
addEventListener('beforeprint', () => set(true));
addEventListener('afterprint', () => set(false));

let waiting = 0;
onWaiting(n => (waiting = n));

/** How many rows of a list go to paper; null while nothing is printed. */
export function usePrinted(count: number): number | null {
    const [on, setOn] = useState(printing);
    useEffect(() => {
        watchers.add(setOn);
        setOn(printing);
        return () => void watchers.delete(setOn);
    }, []);
    return on ? Math.min(count, MOST) : null;
}

/** Whether the page goes to paper: then what is folded is unfolded, as far as paper goes. */
export const usePaper = () => usePrinted(1) != null;

/** Draws all, waits until it is there, and opens the browser's dialog. */
export async function printPage(): Promise<void> {
    set(true);
    const until = performance.now() + PATIENCE_MS;
    for (let calm = 0; calm < CALM_MS && performance.now() < until;) {
        await new Promise(done => setTimeout(done, 50));
        calm = waiting ? 0 : calm + 50;
    }
    print();
}
