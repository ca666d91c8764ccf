// What a tree of a nested value shows at first, and how it says the rest in a line: counts, previews, paths.
import type { Json } from './api';
import { count, num } from './format';
import { keyText, type JsonNode } from './json';
import { visible } from './text';

export const MOST_ROWS = 10; /* of a list before the rest is folded */
export const MOST_KEYS = 24;
export const LONG = 240; /* characters of a string that stands in its row */

export const isBranch = (node: JsonNode) => node.kids.length > 0;

/** A string that is shown below its name, as lines of its own. */
export const isLong = (text: string, node: JsonNode) =>
    node.type === 'string' && (node.to - node.from > LONG || text.slice(node.from, node.to).includes('\\n'));

/** How many of the members are shown before "show more"; one or two more than the rule are not worth a button. */
export function shownAtFirst(node: JsonNode): number {
    const most = node.type === 'array' ? MOST_ROWS : MOST_KEYS;
    return node.kids.length > most + 2 ? most : node.kids.length;
}

/** The keys of a list of like objects with short values: such a list is shown as a small table. */
export function tableOf(text: string, node: JsonNode): string[] | null {
    if (node.type !== 'array' || node.kids.length < 2 || node.kids.length > 2000) return null;
    let keys: string[] | null = null;
    for (const kid of node.kids) {
        if (kid.node.type !== 'object' || kid.node.kids.length > 8 || kid.node.kids.length === 0) return null;
        const names = kid.node.kids.map(k => keyText(text, k.key!));
        if (kid.node.kids.some(k => k.node.kids.length || k.node.to - k.node.from > 44)) return null;
        if (!keys) keys = names;
        else if (keys.length !== names.length || keys.some((key, i) => key !== names[i])) return null;
    }
    return keys;
}

const FOLDED_LINES = 7; /* of a long string: its head and the button */

function rowsOf(text: string, node: JsonNode, columns: number): number {
    if (!isLong(text, node)) return 1;
    const raw = text.slice(node.from, node.to);
    const lines = Math.max(raw.split('\\n', 21).length, Math.ceil(raw.length / columns));
    return 1 + Math.min(lines, FOLDED_LINES);
}

/** Which branches (by where they stand) are open at first: level by level, as many as `lines` rows hold. A branch that its
 *  preview shows whole within `columns` stays folded: nothing is hidden there. The root is open whatever it takes. */
export function openAtFirst(text: string, root: JsonNode, lines: number, columns: number): Set<number> {
    const open = new Set<number>();
    const queue = [root];
    let left = lines;
    for (let i = 0; i < queue.length && left > 0; i++) {
        const node = queue[i]!;
        if (node !== root && preview(text, node, columns).whole) continue;
        const kids = node.kids.slice(0, shownAtFirst(node)).map(kid => kid.node);
        const table = tableOf(text, node);
        const rows = table ? kids.length + 1 : kids.reduce((sum, kid) => sum + rowsOf(text, kid, columns), 0);
        if (node !== root && rows > left) continue;
        left -= rows;
        open.add(node.from);
        if (!table) queue.push(...kids.filter(isBranch));
    }
    return open;
}

/** A value in one line of about `room` characters; `whole` where nothing of it was left out. */
export function preview(text: string, node: JsonNode, room: number): { line: string; whole: boolean } {
    if (node.type !== 'object' && node.type !== 'array') {
        if (node.to - node.from <= Math.max(room, 12)) return { line: visible(text.slice(node.from, node.to)), whole: true };
        return { line: visible(text.slice(node.from, node.from + Math.max(room, 12) - 2)) + '…"', whole: false };
    }
    const [first, last] = node.type === 'array' ? '[]' : '{}';
    let line = '';
    let whole = true;
    for (const [i, { key, node: kid }] of node.kids.entries()) {
        const left = room - line.length - 4;
        if (left < 8) {
            line += `${i ? ', ' : ''}… ${i ? num(node.kids.length - i) + ' more' : ''}`.trimEnd();
            whole = false;
            break;
        }
        const name = key ? visible(keyText(text, key)).slice(0, 40) + ': ' : '';
        const value = preview(text, kid, Math.max(8, left - name.length));
        line += (i ? ', ' : '') + name + value.line;
        whole &&= value.whole;
    }
    return { line: `${first}${line}${last}`, whole: whole && line.length <= room };
}

const sizes = new WeakMap<JsonNode, string>();

/** "12 keys", "1,024 numbers, 0.1 to 9.8", "40 items" */
export function sizeOf(text: string, node: JsonNode): string {
    const known = sizes.get(node);
    if (known != null) return known;
    const n = node.kids.length;
    let said = node.type === 'object' ? count(n, 'key') : count(n, 'item');
    const all = (type: JsonNode['type']) => node.type === 'array' && n > 3 && node.kids.every(kid => kid.node.type === type);
    if (all('number')) {
        let low = Infinity;
        let high = -Infinity;
        for (const { node: kid } of node.kids) {
            const value = Number(text.slice(kid.from, kid.to));
            low = Math.min(low, value);
            high = Math.max(high, value);
        }
        said = `${num(n)} numbers, ${low} to ${high}`;
    } else if (all('string')) said = `${num(n)} strings`;
    else if (all('object')) said = `${num(n)} objects`;
    sizes.set(node, said);
    return said;
}

/** A step of a path as SQLite's JSON functions take it: $.plain."any other"[3] */
export const step = (key: string | number): string =>
    typeof key === 'number' ? `[${key}]` : /^[A-Za-z_]\w*$/.test(key) ? `.${key}` : `."${key.replace(/["\\]/g, '\\$&')}"`;

/** JSON text of a value; null where it is nested too deeply to be written. */
export function jsonText(value: Json): string | null {
    try {
        return JSON.stringify(value);
    } catch {
        return null;
    }
}
