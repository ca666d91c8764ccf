// One text of a message: folded where long, prose or machine output, diffs in colour, JSON as a tree.
import { createContext, type JSX } from 'preact';
import { useContext, useMemo, useState } from 'preact/hooks';
import { num } from '../format';
import { fenceLanguage } from '../code';
import { parseJson } from '../json';
import { usePaper } from '../print';
import { blocks, fold, looksLikeDiff, opening, type FoldRule, type Range } from '../text';
import { SourceTree } from './tree';
import { NO_MARKS, Words, type Marks } from './words';

/** What is unfolded, and which view was chosen, outlives a row that scrolls out of sight. */
export class Folds {
    private readonly opened = new Map<string, Range[]>();
    private readonly choices = new Map<string, string>();
    ranges(key: string): Range[] {
        return this.opened.get(key) ?? [];
    }
    open(key: string, range: Range): void {
        this.opened.set(key, [...this.ranges(key), range]);
    }
    choice(key: string): string | undefined {
        return this.choices.get(key);
    }
    choose(key: string, value: string): void {
        this.choices.set(key, value);
    }
}
export const FoldsContext = createContext(new Folds());
export const FindingContext = createContext<((finding: string, index: number) => void) | undefined>(undefined);

const PROSE: FoldRule = { lines: 60, chars: 6000, head: 30 };
const SYSTEM: FoldRule = { lines: 12, chars: 1400, head: 6 };
const OUTPUT: FoldRule = { lines: 20, chars: 6000, head: 6 };
const LEAF: FoldRule = { lines: 20, chars: 1200, head: 6 };
const BRIEF: FoldRule = { lines: 4, chars: 400, head: 3 };
const RAW: FoldRule = { lines: 400, chars: 60_000, head: 300 };

const ON_PAPER: Range[] = [[0, 20_000]];

export type Look = 'prose' | 'system' | 'brief' | 'leaf' | 'output' | 'raw';
const RULES: Record<Look, FoldRule> = { prose: PROSE, system: SYSTEM, brief: BRIEF, leaf: LEAF, output: OUTPUT, raw: RAW };

/** A text with its folds. `id` names it among the folds. */
export function FoldedText({
    id,
    text,
    look,
    language,
    marks = NO_MARKS,
}: {
    id: string;
    text: string;
    look: Look;
    /** Of output: what code it is. */
    language?: string;
    marks?: Marks;
}): JSX.Element {
    const folds = useContext(FoldsContext);
    const onFinding = useContext(FindingContext);
    const [, redraw] = useState(0);
    const paper = usePaper();
    const opened = paper ? ON_PAPER : folds.ranges(id);
    const now = marks.hits.find(hit => hit.now);
    const pieces = useMemo(() => {
        const keep: Range[] = marks.evidence.map(e => [e.from, e.to]);
        if (now) keep.push([now.from, now.to]);
        return fold(text, keep, opened, RULES[look]);
    }, [text, marks.evidence, now, opened, look]);
    const diff = (look === 'output' || look === 'leaf') && looksLikeDiff(text);
    return (
        <>
            {pieces.map(piece => {
                if (piece.hidden) {
                    const range = opening(text, piece);
                    const hits = marks.hits.filter(hit => hit.from >= piece.from && hit.to <= piece.to).length;
                    if (paper)
                        return (
                            <p key={piece.from} class="left-out">
                                {num(piece.hidden.chars)} characters of this text are left out here.
                            </p>
                        );
                    return (
                        <button
                            key={piece.from}
                            class="more"
                            type="button"
                            onClick={() => {
                                folds.open(id, range);
                                redraw(n => n + 1);
                            }}
                        >
                            show {range[1] < piece.to ? 'some of ' : ''}
                            {piece.hidden.lines
                                ? `${num(piece.hidden.lines)} more ${piece.hidden.lines === 1 ? 'line' : 'lines'}, `
                                : ''}
                            {num(piece.hidden.chars)}
                            {piece.hidden.lines ? '' : ' more'} characters
                            {hits ? `, ${num(hits)} ${hits === 1 ? 'hit' : 'hits'}` : ''}
                        </button>
                    );
                }
                // A newline that ends a piece would be an empty line before the button.
                const to = text[piece.to - 1] === '\n' && piece.to > piece.from ? piece.to - 1 : piece.to;
                if (diff) return <DiffLines key={piece.from} text={text} from={piece.from} to={to} marks={marks} />;
                if (look === 'output' || look === 'leaf' || look === 'raw')
                    return (
                        <pre key={piece.from}>
                            <Words text={text} from={piece.from} to={to} marks={marks} language={language} onFinding={onFinding} />
                        </pre>
                    );
                return blocks(text, piece.from, to).map(block =>
                    block.code ? (
                        <pre key={block.from} class="code">
                            <Words
                                text={text}
                                from={block.from}
                                to={block.to}
                                marks={marks}
                                language={fenceLanguage(text, block.from)}
                                onFinding={onFinding}
                            />
                        </pre>
                    ) : (
                        <p key={block.from}>
                            <Words text={text} from={block.from} to={block.to} marks={marks} prose onFinding={onFinding} />
                        </p>
                    ),
                );
            })}
        </>
    );
}

function DiffLines({ text, from, to, marks }: { text: string; from: number; to: number; marks: Marks }): JSX.Element {
    const onFinding = useContext(FindingContext);
    const lines: JSX.Element[] = [];
    let inHunk = false;
    for (let at = from; at <= to;) {
        const newline = text.indexOf('\n', at);
        const end = newline < 0 || newline > to ? to : newline;
        const c = text[at];
        const head = /^(diff --git|index |--- |\+\+\+ |new file|deleted file|similarity|rename)/.test(text.slice(at, at + 20));
        const hunk = text.startsWith('@@ ', at);
        if (hunk) inHunk = true;
        else if (text.startsWith('diff --git', at)) inHunk = false;
        const cls = hunk ? 'h' : head && !inHunk ? 'f' : c === '+' ? 'a' : c === '-' ? 'd' : 'x';
        lines.push(
            <span key={at} class={`dl ${cls}`}>
                <Words text={text} from={at} to={end} marks={marks} onFinding={onFinding} />
                {'\n'}
            </span>,
        );
        if (end >= to) break;
        at = end + 1;
    }
    return <pre class="diff-lines">{lines}</pre>;
}

/** A text of a tool or of arguments: as a tree where it is JSON, else as lines. The choice is kept by the caller's button. */
export function MachineText({
    id,
    text,
    marks = NO_MARKS,
    raw,
    language,
}: {
    id: string;
    text: string;
    marks?: Marks;
    raw: boolean;
    language?: string;
}): JSX.Element {
    const root = useMemo(() => (raw ? null : parseJson(text)), [text, raw]);
    if (root?.kids.length) return <SourceTree id={id} text={text} root={root} marks={marks} />;
    return <FoldedText id={id} text={text} look="output" language={language} marks={marks} />;
}

export const isTree = (text: string) => /^\s*[[{]/.test(text) && !!parseJson(text)?.kids.length;
