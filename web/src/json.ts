// A JSON reader that remembers where each value stands in the text, so that evidence can be shown in a tree of it.

export interface JsonNode {
    type: 'object' | 'array' | 'string' | 'number' | 'literal';
    from: number;
    to: number;
    kids: { key: [from: number, to: number] | null; node: JsonNode }[];
}

const MOST_NODES = 40_000;
const DEEPEST = 120;

/** The text as a tree; null where it is not JSON, only a scalar, or too big for a tree. */
export function parseJson(text: string): JsonNode | null {
    let at = 0;
    let nodes = 0;
    const space = () => {
        while (at < text.length && ' \t\r\n'.includes(text[at]!)) at++;
    };
    const string = (): boolean => {
        at++;
        while (at < text.length) {
            const c = text[at];
            if (c === '"') {
                at++;
                return true;
            }
            at += c === '\\' ? 2 : 1;
        }
        return false;
    };
    const value = (depth: number): JsonNode | null => {
        if (depth > DEEPEST || ++nodes > MOST_NODES) return null;
        space();
        const from = at;
        const c = text[at];
        if (c === '"') return string() ? { type: 'string', from, to: at, kids: [] } : null;
        if (c === '{' || c === '[') {
            const object = c === '{';
            const close = object ? '}' : ']';
            const kids: JsonNode['kids'] = [];
            at++;
            space();
            if (text[at] === close) {
                at++;
                return { type: object ? 'object' : 'array', from, to: at, kids };
            }
            for (;;) {
                let key: [number, number] | null = null;
                if (object) {
                    space();
                    const start = at;
                    if (text[at] !== '"' || !string()) return null;
                    key = [start, at];
                    space();
                    if (text[at++] !== ':') return null;
                }
                const node = value(depth + 1);
                if (!node) return null;
                kids.push({ key, node });
                space();
                const next = text[at++];
                if (next === close) return { type: object ? 'object' : 'array', from, to: at, kids };
                if (next !== ',') return null;
            }
        }
        const scalar = /(true|false|null|NaN|-?Infinity)|-?\d[\d.eE+-]*/y;
        scalar.lastIndex = at;
        const match = scalar.exec(text);
        if (!match) return null;
        at += match[0].length;
        return { type: match[1] ? 'literal' : 'number', from, to: at, kids: [] };
    };
    if (text.length > 2_000_000) return null;
    space();
    if (text[at] !== '{' && text[at] !== '[') return null;
    const root = value(0);
    space();
    return root && at === text.length ? root : null;
}

/** A string in quotes, decoded: the place in it of an offset of the text, and back. */
export interface Decoded {
    text: string;
    where: (raw: number) => number;
    raw: (decoded: number) => number;
}

export function decodeString(text: string, from: number, to: number): Decoded {
    const raw = text.slice(from, to);
    if (!raw.includes('\\')) {
        const said = raw.slice(1, -1);
        return {
            text: said,
            where: at => Math.min(Math.max(at - from - 1, 0), said.length),
            raw: at => Math.min(from + 1 + at, to - 1),
        };
    }
    let said = '';
    const starts: number[] = []; /* of each decoded unit, in the raw text */
    for (let i = 1; i < raw.length - 1;) {
        starts.push(from + i);
        if (raw[i] !== '\\') {
            said += raw[i++];
            continue;
        }
        const next = raw[i + 1]!;
        if (next === 'u') {
            const code = parseInt(raw.slice(i + 2, i + 6), 16);
            said += isNaN(code) ? '\ufffd' : String.fromCharCode(code);
            i += 6;
        } else {
            said += { n: '\n', t: '\t', r: '\r', b: '\b', f: '\f' }[next] ?? next;
            i += 2;
        }
    }
    return {
        text: said,
        where: at => {
            let low = 0;
            let high = starts.length;
            while (low < high) {
                const middle = (low + high) >> 1;
                if (starts[middle]! < at) low = middle + 1;
                else high = middle;
            }
            return low;
        },
        raw: at => starts[at] ?? to - 1,
    };
}

/** The key of a child as a word. */
export const keyText = (text: string, key: [number, number]) => decodeString(text, key[0], key[1]).text;
