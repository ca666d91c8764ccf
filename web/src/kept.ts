// Whose is what this browser keeps from page to page: queries asked, drafts, who labels and which runs are next. All of it holds words of
// collections, and is gone when its owner signs out or another token signs in. The theme stays: it is the browser's.

const WHOSE = 'telltale.whose';
const isTheirs = (key: string) => key.startsWith('telltale.') && key !== 'telltale.theme';
const stores = [() => localStorage, () => sessionStorage];

/** From now on it is of the token with this id, or of nobody (null). True where something of another was there, which is gone. */
export function keepFor(token: string | null): boolean {
    let others = false;
    for (const store of stores) {
        try {
            const kept = store();
            if (kept.getItem(WHOSE) === token) continue;
            for (const key of Object.keys(kept).filter(isTheirs)) {
                kept.removeItem(key);
                others = true;
            }
            if (token != null) kept.setItem(WHOSE, token);
        } catch {
            /* forbidden: then nothing is kept */
        }
    }
    return others;
}

/** `listener` hears of it when somebody signs in or out in another tab. */
export function onOwner(listener: () => void): void {
    addEventListener('storage', event => event.key === WHOSE && listener());
}
