// What changed between two texts, line by line.

export interface DiffLine {
    sign: '+' | '-' | ' ';
    text: string;
}

const MOST = 4_000_000; /* cells of the table; beyond that the middle is shown as replaced */

/** The longest common subsequence of lines decides what stayed. */
export const lineDiff = (before: string, after: string): DiffLine[] => sequenceDiff(linesOf(before), linesOf(after));

/** The same of any pieces of text: lines, words. */
export function sequenceDiff(a: string[], b: string[]): DiffLine[] {
    let head = 0;
    while (head < a.length && head < b.length && a[head] === b[head]) head++;
    let tail = 0;
    while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
    const same = (text: string): DiffLine => ({ sign: ' ', text });
    return [
        ...a.slice(0, head).map(same),
        ...middle(a.slice(head, a.length - tail), b.slice(head, b.length - tail)),
        ...a.slice(a.length - tail).map(same),
    ];
}

const linesOf = (text: string) => (text === '' ? [] : text.replace(/\n$/, '').split('\n'));

function middle(a: string[], b: string[]): DiffLine[] {
    const gone = (text: string): DiffLine => ({ sign: '-', text });
    const come = (text: string): DiffLine => ({ sign: '+', text });
    if (!a.length || !b.length || a.length * b.length > MOST) return [...a.map(gone), ...b.map(come)];
    const width = b.length + 1;
    const common = new Uint16Array((a.length + 1) * width); /* of what is left from (i, j) on */
    for (let i = a.length - 1; i >= 0; i--)
        for (let j = b.length - 1; j >= 0; j--)
            common[i * width + j] =
                a[i] === b[j]
                    ? common[(i + 1) * width + j + 1]! + 1
                    : Math.max(common[(i + 1) * width + j]!, common[i * width + j + 1]!);
    const out: DiffLine[] = [];
    let i = 0;
    let j = 0;
    while (i < a.length && j < b.length) {
        if (a[i] === b[j]) {
            out.push({ sign: ' ', text: a[i]! });
            i++;
            j++;
        } else if (common[(i + 1) * width + j]! >= common[i * width + j + 1]!) {
            out.push(gone(a[i++]!));
        } else {
            out.push(come(b[j++]!));
        }
    }
    return [...out, ...a.slice(i).map(gone), ...b.slice(j).map(come)];
}

/** The changed lines with `around` lines of what stayed beside them; a gap is the number of lines left out. */
export function hunks(lines: DiffLine[], around = 2): (DiffLine | number)[] {
    const near = new Uint8Array(lines.length);
    lines.forEach((line, i) => {
        if (line.sign !== ' ') near.fill(1, Math.max(0, i - around), i + around + 1);
    });
    const out: (DiffLine | number)[] = [];
    let skipped = 0;
    lines.forEach((line, i) => {
        if (!near[i]) return void skipped++;
        if (skipped) out.push(skipped);
        skipped = 0;
        out.push(line);
    });
    if (skipped) out.push(skipped);
    return out;
}
