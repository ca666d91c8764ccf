// Selecting words offers what can be done with exactly these words: a link, a label, a rule, a question to a judge.
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { decodeString } from '../json';
import type { Picked } from '../labelling';
import { runPath } from '../router';
import { toBytes, wholeWords } from '../text';
import { copy, toast } from './say';

interface Selected {
    message: number;
    part: string;
    from: number;
    to: number;
    x: number;
    y: number;
    /** Where it ends: the offers stand below it where there is no room above. */
    bottom: number;
}

const ROOM = 96; /* above a selection, below the bars at the top */
const MOST_QUOTED = 1000; /* characters of a quote in an address */

type Text = (message: number, part: string) => string | undefined;

/** The place in the text of an end of a range: pieces of text carry their offset; a decoded string of JSON says which one it is. */
function offsetOf(node: Node, offset: number, last: boolean, text: Text): { part: HTMLElement; at: number } | null {
    // An end may be given as a place among an element's children: then it is the edge of the text there.
    while (node.nodeType !== Node.TEXT_NODE) {
        const child = node.childNodes[last ? offset - 1 : offset];
        if (!child) return null;
        node = child;
        offset = last ? (child.nodeType === Node.TEXT_NODE ? child.nodeValue!.length : child.childNodes.length) : 0;
    }
    const piece = node.parentElement?.closest<HTMLElement>('[data-o]');
    const part = node.parentElement?.closest<HTMLElement>('[data-part]');
    if (!piece || !part) return null;
    const at = Number(piece.dataset.o) + offset;
    const string = piece.closest<HTMLElement>('[data-string]')?.dataset.string?.split('-').map(Number);
    if (!string) return { part, at };
    const whole = text(Number(part.dataset.m), part.dataset.part!);
    return whole === undefined ? null : { part, at: decodeString(whole, string[0]!, string[1]!).raw(at) };
}

export function SpanLink({
    run,
    transcript,
    text,
    onPick,
    onLabel,
    onAsk,
}: {
    run: string;
    transcript: number;
    text: Text;
    /** Told of the selected words: a label takes them as its evidence. */
    onPick?: (words: Picked) => void;
    onLabel: (words: Picked) => void;
    onAsk: (words: Picked) => void;
}): JSX.Element | null {
    const [selected, set] = useState<Selected | null>(null);
    const box = useRef<HTMLDivElement>(null);
    const texts = useRef(text);
    texts.current = text;
    useEffect(() => {
        const look = () => {
            const selection = getSelection();
            if (!selection || selection.isCollapsed || !selection.rangeCount) return set(null);
            const range = selection.getRangeAt(0);
            const a = offsetOf(range.startContainer, range.startOffset, false, texts.current);
            const b = offsetOf(range.endContainer, range.endOffset, true, texts.current);
            if (!a || !b || a.part !== b.part || b.at <= a.at) return set(null);
            const rect = range.getBoundingClientRect();
            set({
                message: Number(a.part.dataset.m),
                part: a.part.dataset.part!,
                from: a.at,
                to: b.at,
                x: rect.left,
                y: rect.top,
                bottom: rect.bottom,
            });
        };
        document.addEventListener('selectionchange', look);
        return () => document.removeEventListener('selectionchange', look);
    }, []);
    useEffect(() => {
        if (!selected || !box.current) return;
        const { offsetWidth, offsetHeight } = box.current;
        const above = selected.y > ROOM ? selected.y - offsetHeight - 6 : Math.min(innerHeight - offsetHeight - 8, selected.bottom + 6);
        box.current.style.setProperty('left', `${Math.max(8, Math.min(selected.x, innerWidth - offsetWidth - 8))}px`);
        box.current.style.setProperty('top', `${above}px`);
    }, [selected]);
    const span = (): Picked | null => {
        const whole = selected && text(selected.message, selected.part);
        if (!selected || whole === undefined || whole === null) return null;
        const { message, part, from, to } = selected;
        return { message, part, start: toBytes(whole, from), end: toBytes(whole, to), quote: whole.slice(from, to) };
    };
    // A selection counts when it has stood still for a moment.
    useEffect(() => {
        if (!selected || !onPick) return;
        const timer = setTimeout(() => {
            const words = span();
            if (words) onPick(words);
        }, 250);
        return () => clearTimeout(timer);
    }, [selected]);
    if (!selected) return null;
    const withWords = (act: (words: Picked) => void) => () => {
        const words = span();
        if (words) act(words);
        else toast('The message is no longer loaded: select the words again');
    };
    const copyLink = withWords(words => {
        const at = `:${encodeURIComponent(words.part)}:${words.start}-${words.end}`;
        void copy(location.origin + runPath(run, { message: words.message, transcript }) + at, 'Link to these words');
    });
    const whole = text(selected.message, selected.part) ?? '';
    const [from, to] = wholeWords(whole, selected.from, Math.min(selected.to, selected.from + MOST_QUOTED));
    const quote = whole.slice(from, to);
    return (
        <div class="span-link" ref={box} role="group" aria-label="The selected words" onMouseDown={event => event.preventDefault()}>
            <button class="btn" type="button" onClick={copyLink}>
                Copy link to these words
            </button>
            <button data-need="review" class="btn" type="button" onClick={withWords(onLabel)}>
                Label
            </button>
            <a class="btn" href={'/rules/new?' + new URLSearchParams({ quote, part: selected.part, run })}>
                Make a rule
            </a>
            <button data-need="admin" class="btn" type="button" onClick={withWords(onAsk)}>
                Ask a judge
            </button>
        </div>
    );
}
