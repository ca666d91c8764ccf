// Light, dark, or what the system says. Kept in this browser.
export type Theme = 'system' | 'light' | 'dark';

const KEY = 'telltale.theme';

export function theme(): Theme {
    const kept = localStorage.getItem(KEY);
    return kept === 'light' || kept === 'dark' ? kept : 'system';
}

export function setTheme(next: Theme): void {
    if (next === 'system') {
        localStorage.removeItem(KEY);
        delete document.documentElement.dataset.theme;
    } else {
        localStorage.setItem(KEY, next);
        document.documentElement.dataset.theme = next;
    }
}

/** The order in which the button in the top bar goes round. */
export function nextTheme(now: Theme): Theme {
    return now === 'system' ? 'light' : now === 'light' ? 'dark' : 'system';
}
