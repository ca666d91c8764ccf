// Text of transcripts: byte offsets, folding, terminal colours. Pure functions; nothing here makes HTML of a text.

/** A stretch of a text, in UTF-16 units, half open. */
export type Range = [from: number, to: number];

/** Byte offsets into the UTF-8 of `text` as offsets into its UTF-16, in the order given. An offset inside a character goes to
 *  its start, one past the end to the end. */
export function toUtf16(text: string, offsets: number[]): number[] {
    const order = offsets.map((_, i) => i).sort((a, b) => offsets[a]! - offsets[b]!);
    const result = new Array<number>(offsets.length).fill(text.length);
    let at = 0;
    let bytes = 0;
    for (const i of order) {
        const wanted = offsets[i]!;
        while (at < text.length) {
            const unit = text.charCodeAt(at);
            const pair = unit >= 0xd800 && unit < 0xdc00 && at + 1 < text.length && (text.charCodeAt(at + 1) & 0xfc00) === 0xdc00;
            const size = unit < 0x80 ? 1 : unit < 0x800 ? 2 : pair ? 4 : 3;
            if (bytes + size > wanted) break;
            bytes += size;
            at += pair ? 2 : 1;
        }
        result[i] = at;
    }
    return result;
}

/** How many bytes the first `to` UTF-16 units of `text` are in UTF-8. */
export function toBytes(text: string, to: number): number {
    return new TextEncoder().encode(text.slice(0, to)).length;
}

/* ---- folding -------------------------------------------------------------------------------------------------------- */

export interface FoldRule {
    /** A text of no more lines and characters than this is shown whole. */
    lines: number;
    chars: number;
    /** What remains of a longer one. */
    head: number;
}

export interface Piece {
    from: number;
    to: number;
    /** Not shown: how much is in it. `lines` 0 means a cut within one line. */
    hidden: { lines: number; chars: number } | null;
}

const AROUND = 160; /* characters left standing on both sides of evidence in a very long line */
const LONG_LINE = 1200;
const LONG_KEEP = 1500; /* of a very long piece of evidence, so much stays in view */
const OPEN_LINES = 500;
const OPEN_CHARS = 40_000;

/** Cuts a long text into what is shown and what is folded away. `keep`: ranges that must stay in view. `opened`: ranges that
 *  somebody unfolded. */
export function fold(text: string, keep: Range[], opened: Range[], rule: FoldRule): Piece[] {
    if (text.length <= rule.chars && countLines(text, 0, text.length, rule.lines + 1) <= rule.lines)
        return [{ from: 0, to: text.length, hidden: null }];
    const shown: Range[] = [[0, headOf(text, rule)]];
    for (const [from, to] of keep) shown.push(aroundLine(text, from, Math.min(Math.max(to, from + 1), from + LONG_KEEP)));
    shown.push(...opened);
    shown.sort((a, b) => a[0] - b[0]);
    const merged: Range[] = [];
    for (const range of shown) {
        const last = merged[merged.length - 1];
        const from = safeCut(text, Math.max(0, range[0]));
        const to = safeCut(text, Math.min(text.length, range[1]));
        // A gap of next to nothing is better shown than folded.
        if (last && (from <= last[1] || (from - last[1] < 200 && countLines(text, last[1], from, 3) < 3)))
            last[1] = Math.max(last[1], to);
        else merged.push([from, to]);
    }
    const pieces: Piece[] = [];
    let at = 0;
    for (const [from, to] of merged) {
        if (from > at) pieces.push(gap(text, at, from));
        pieces.push({ from, to, hidden: null });
        at = to;
    }
    if (text.length - at > 200 || countLines(text, at, text.length, 3) >= 3) pieces.push(gap(text, at, text.length));
    else if (at < text.length) pieces[pieces.length - 1]!.to = text.length;
    return pieces;
}

/** The first lines; of a very long one only its start. */
function headOf(text: string, rule: FoldRule): number {
    let at = 0;
    for (let i = 0; i < rule.head && at < text.length && at < rule.chars; i++) {
        const end = lineEnd(text, 1, at);
        if (end - at > LONG_LINE) return at + LONG_LINE / 2;
        at = end;
    }
    return at;
}

function gap(text: string, from: number, to: number): Piece {
    const whole = (from === 0 || text[from - 1] === '\n') && (to === text.length || text[to - 1] === '\n' || text[to] === '\n');
    const touched = countLines(text, from, to, Infinity);
    return { from, to, hidden: { lines: whole ? touched : touched - 1, chars: to - from } };
}

/** What one click on a folded piece opens. */
export function opening(text: string, piece: Piece): Range {
    let end = Math.min(piece.to, piece.from + OPEN_CHARS);
    const lines = lineEnd(text, OPEN_LINES, piece.from);
    end = Math.min(end, lines);
    return [piece.from, safeCut(text, end)];
}

const WORD = /[\p{L}\p{N}_]/u;

/** A range widened to the words that it begins and ends in. */
export function wholeWords(text: string, from: number, to: number): Range {
    const inWord = (at: number) => at > 0 && at < text.length && WORD.test(text[at - 1]!) && WORD.test(text[at]!);
    for (let i = 0; i < 60 && inWord(from); i++) from--;
    for (let i = 0; i < 60 && inWord(to); i++) to++;
    return [from, to];
}

/** Lines that [from, to) touches, counted no further than `most`. */
function countLines(text: string, from: number, to: number, most: number): number {
    let n = 1;
    for (let at = text.indexOf('\n', from); at >= 0 && at < to - 1 && n < most; at = text.indexOf('\n', at + 1)) n++;
    return n;
}

/** Where the `n`th line after `from` ends, newline included. */
function lineEnd(text: string, n: number, from = 0): number {
    let at = from;
    for (let i = 0; i < n; i++) {
        const next = text.indexOf('\n', at);
        if (next < 0) return text.length;
        at = next + 1;
    }
    return at;
}

/** The lines that hold [from, to); of a very long line only the surroundings. */
function aroundLine(text: string, from: number, to: number): Range {
    let start = text.lastIndexOf('\n', from - 1) + 1;
    if (from === 0) start = 0;
    let end = text.indexOf('\n', Math.max(from, to - 1));
    end = end < 0 ? text.length : end + 1;
    if (from - start > LONG_LINE) start = from - AROUND;
    if (end - to > LONG_LINE) end = to + AROUND;
    return [start, end];
}

/** Never between the halves of a surrogate pair. */
function safeCut(text: string, at: number): number {
    const unit = text.charCodeAt(at);
    return unit >= 0xdc00 && unit < 0xe000 && (text.charCodeAt(at - 1) & 0xfc00) === 0xd800 ? at - 1 : at;
}

/* ---- one line around a quote ---------------------------------------------------------------------------------------- */

/** A quote for a list: its first line that says something. Of arguments that are one text alone, that text. */
export function quoteLine({ quote: whole, part }: { quote: string; part: string }, most = 240): string {
    const quote = part.endsWith('.arguments') ? onlyText(whole) : whole;
    const line = quote.split('\n').find(part => part.trim()) ?? quote;
    return visible(line.trim()).slice(0, most);
}

function onlyText(args: string): string {
    try {
        const values = Object.values(JSON.parse(args) as object);
        return values.length === 1 && typeof values[0] === 'string' ? values[0] : args;
    } catch {
        return args; /* a part of arguments, or no JSON */
    }
}

/** Control characters and writing-direction marks as signs, so that a text cannot reorder what stands beside it. */
export function visible(text: string): string {
    return text.replace(ESCAPES, '').replace(CONTROL, sign);
}

/** A name for a head: `visible`, and of a very long one its start. */
export const clip = (name: string, most = 200) => (name.length > most ? visible(name.slice(0, most)) + '…' : visible(name));

/* ---- layers: what is not a plain character -------------------------------------------------------------------------- */

/** A range that looks different. `show` replaces the characters ('' hides them). */
export interface Layer {
    from: number;
    to: number;
    cls?: string;
    show?: string;
    title?: string;
    /** Of control characters: how many stand in it. */
    row?: number;
}

const MOST_SIGNS = 8; /* control characters in a row, each shown */

const ESCAPES = /\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-Z\\^_a-z0-9=>()]/g;
const CONTROL = /[\x00-\x08\x0b-\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const SPECIAL = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]/;

function sign(c: string): string {
    const code = c.charCodeAt(0);
    if (code < 0x20) return String.fromCharCode(0x2400 + code);
    return code === 0x7f ? '\u2421' : `U+${code.toString(16).toUpperCase().padStart(4, '0')}`;
}

const ANSI = ['', 'ar', 'ag', 'ay', 'ab', 'am', 'ac', ''];

/** Terminal colours become classes, other escapes vanish, control characters become signs. */
export function specialLayers(text: string, from: number, to: number): Layer[] {
    const part = text.slice(from, to);
    if (!SPECIAL.test(part)) return [];
    const layers: Layer[] = [];
    let colour = '';
    let bold = false;
    let since = 0;
    const flush = (until: number) => {
        const cls = [colour, bold ? 'a1' : ''].filter(Boolean).join(' ');
        if (cls && until > since) layers.push({ from: from + since, to: from + until, cls });
        since = until;
    };
    const escapes: Range[] = [];
    for (const match of part.matchAll(ESCAPES)) {
        const start = match.index;
        escapes.push([from + start, from + start + match[0].length]);
        layers.push({ from: from + start, to: from + start + match[0].length, show: '' });
        const sgr = /^\x1b\[([\d;]*)m$/.exec(match[0]);
        if (!sgr) continue;
        flush(start);
        const codes = (sgr[1] || '0').split(';').map(Number);
        for (let i = 0; i < codes.length; i++) {
            const code = codes[i]!;
            if (code === 0) [colour, bold] = ['', false];
            else if (code === 1) bold = true;
            else if (code === 22) bold = false;
            else if (code === 39) colour = '';
            else if (code >= 30 && code <= 37) colour = ANSI[code - 30]!;
            else if (code >= 90 && code <= 97) colour = ANSI[code - 90]!;
            else if (code === 38 || code === 48) {
                if (codes[i + 1] === 5 && code === 38)
                    colour = ANSI[(codes[i + 2] ?? 0) & 7] && codes[i + 2]! < 16 ? ANSI[codes[i + 2]! & 7]! : '';
                i += codes[i + 1] === 5 ? 2 : codes[i + 1] === 2 ? 4 : 0;
            }
        }
    }
    flush(part.length);
    let escape = 0;
    for (const match of part.matchAll(CONTROL)) {
        let at = from + match.index;
        while (escape < escapes.length && escapes[escape]![1] <= at) escape++;
        if (escape < escapes.length && escapes[escape]![0] <= at) continue;
        // Many in a row are one sign that says how many.
        const last = layers[layers.length - 1];
        if (last?.to === at && last.row) {
            last.to = ++at;
            last.row++;
            if (last.row > MOST_SIGNS) [last.show, last.title] = [`${sign(part[last.from - from]!)} … ×${last.row}`, 'control characters'];
            else last.show += sign(match[0]);
            continue;
        }
        layers.push({ from: at, to: at + 1, cls: 'ctl', show: sign(match[0]), title: 'a control character', row: 1 });
    }
    for (let at = part.indexOf('\r'); at >= 0; at = part.indexOf('\r', at + 1)) {
        layers.push({ from: from + at, to: from + at + 1, cls: 'ctl', show: part[at + 1] === '\n' ? '' : '\u240d' });
    }
    return layers;
}

/** Bold, code and headings as people write them in messages; the signs stay, dimmed, so that the text is what was sent. */
export function proseLayers(text: string, from: number, to: number): Layer[] {
    const layers: Layer[] = [];
    const part = text.slice(from, to);
    for (const match of part.matchAll(/\*\*([^*\n]{1,400})\*\*|(?<!`)`(?!`)([^`\n]{1,400})`(?!`)|^(#{1,6} )(.{1,300})$/gm)) {
        const at = from + match.index;
        const end = at + match[0].length;
        const open = match[1] != null ? 2 : match[2] != null ? 1 : match[3]!.length;
        const close = match[3] != null ? 0 : open;
        layers.push({ from: at, to: at + open, cls: 'dim' });
        layers.push({ from: at + open, to: end - close, cls: match[2] != null ? 'mono' : 'strong' });
        if (close) layers.push({ from: end - close, to: end, cls: 'dim' });
    }
    return layers;
}

/** Paragraphs and fenced code, in order, without gaps in what they hold (blank lines between paragraphs aside). */
export function blocks(text: string, from: number, to: number): { from: number; to: number; code: boolean }[] {
    const result: { from: number; to: number; code: boolean }[] = [];
    const fence = /^ {0,3}(```+|~~~+).*$/gm;
    let at = from;
    let code = false;
    const push = (start: number, end: number) => {
        if (code) {
            if (end > start) result.push({ from: start, to: end, code: true });
            return;
        }
        const gaps = /\n[ \t]*\n\s*/g;
        let begin = start;
        while (begin < end && text[begin] === '\n') begin++;
        gaps.lastIndex = begin;
        for (let match = gaps.exec(text); match && match.index < end; match = gaps.exec(text)) {
            if (match.index > begin) result.push({ from: begin, to: match.index, code: false });
            // The spaces that begin a line stay with it.
            begin = Math.min(text.lastIndexOf('\n', match.index + match[0].length - 1) + 1, end);
        }
        if (end > begin) result.push({ from: begin, to: end, code: false });
    };
    fence.lastIndex = from;
    for (let match = fence.exec(text); match && match.index < to; match = fence.exec(text)) {
        const end = Math.min(match.index + match[0].length, to);
        if (!code) {
            push(at, match.index > at && text[match.index - 1] === '\n' ? match.index - 1 : match.index);
            at = match.index;
            code = true;
        } else {
            push(at, end);
            at = Math.min(end + 1, to);
            code = false;
        }
    }
    push(at, to);
    return result.length ? result : [{ from, to, code: false }];
}

/** A unified diff, as git and diff write it. */
export function looksLikeDiff(text: string): boolean {
    return text.length < 2_000_000 && /^(diff --git |--- .*\n\+\+\+ )/m.test(text.slice(0, 4000)) && /^@@ .*@@/m.test(text);
}
