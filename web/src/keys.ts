// Every key of the page is declared here by the part that answers it, so that "?" can list them.
import { useLayoutEffect, useRef } from 'preact/hooks';
import { may, type Scope } from './session';

export interface Key {
    /** As KeyboardEvent.key has it; "mod+k" is Ctrl or Command with k. */
    key: string;
    does: string;
    run: (event: KeyboardEvent) => void;
    /** Works while a field has the focus, too. */
    typing?: boolean;
    /** Not there for a token without it, as the buttons with the same [data-need]. */
    need?: Scope;
}

interface Group {
    title: string;
    keys: () => Key[];
}

const groups: Group[] = [];

function isTyping(target: EventTarget | null): boolean {
    const element = target as HTMLElement | null;
    return !!element?.closest?.('input:not([type=checkbox]), textarea, select, [contenteditable]');
}

function nameOf(event: KeyboardEvent): string {
    return (event.ctrlKey || event.metaKey ? 'mod+' : '') + event.key;
}

addEventListener('keydown', event => {
    if (event.defaultPrevented || event.altKey || event.isComposing) return;
    const name = nameOf(event);
    const typing = isTyping(event.composedPath()[0] ?? null); // the code editor's field is in a shadow root
    const pressed = event.key === 'Enter' && !!(event.target as HTMLElement | null)?.closest?.('a, button, summary');
    const open = document.querySelector('dialog[open]');
    for (const group of [...groups].reverse()) {
        for (const key of group.keys()) {
            if (key.key !== name || ((typing || pressed) && !key.typing) || (open && !key.typing)) continue;
            event.preventDefault();
            key.run(event);
            return;
        }
    }
});

/** Answers keys while the calling component stands; the newest group is asked first. */
export function useKeys(title: string, keys: Key[]): void {
    const latest = useRef(keys);
    latest.current = keys;
    useLayoutEffect(() => {
        const group: Group = { title, keys: () => latest.current.filter(key => !key.need || may(key.need)) };
        groups.push(group);
        return () => void groups.splice(groups.indexOf(group), 1);
    }, [title]);
}

export function listKeys(): { title: string; keys: Key[] }[] {
    return groups
        .map(group => ({ title: group.title, keys: group.keys().filter(key => key.does) }))
        .filter(group => group.keys.length);
}

const NAMES: Record<string, string> = {
    Escape: 'Esc',
    ArrowUp: '↑',
    ArrowDown: '↓',
    ArrowLeft: '←',
    ArrowRight: '→',
    ' ': 'Space',
};
export function keyLabel(key: string): string {
    const mac = navigator.platform.startsWith('Mac');
    if (key.startsWith('mod+')) return (mac ? '⌘ ' : 'Ctrl ') + key.slice(4).toUpperCase();
    return NAMES[key] ?? key;
}
