// Selecting words offers a link to exactly these words.
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { runPath } from '../router';
import { toBytes } from '../text';
import { copy } from './say';

interface Selected {
    message: number;
    part: string;
    from: number;
    to: number;
    x: number;
    y: number;
}

/** The place in the text of a point of the page: pieces of text carry their offset. */
function offsetOf(node: Node, offset: number): { part: HTMLElement; at: number } | null {
    const element =
        node.nodeType === Node.TEXT_NODE
            ? node.parentElement
            : ((node.childNodes[offset] as HTMLElement | undefined) ?? (node as HTMLElement));
    const piece = element?.closest<HTMLElement>('[data-o]');
    const part = element?.closest<HTMLElement>('[data-part]');
    if (!piece || !part || piece.closest('.tree, .rows, .one-arg')) return null;
    return { part, at: Number(piece.dataset.o) + (node.nodeType === Node.TEXT_NODE ? offset : 0) };
}

export function SpanLink({
    run,
    transcript,
    text,
}: {
    run: string;
    transcript: number;
    text: (message: number, part: string) => string | undefined;
}): JSX.Element | null {
    const [selected, set] = useState<Selected | null>(null);
    const box = useRef<HTMLDivElement>(null);
    useEffect(() => {
        const look = () => {
            const selection = getSelection();
            if (!selection || selection.isCollapsed || !selection.rangeCount) return set(null);
            const range = selection.getRangeAt(0);
            const a = offsetOf(range.startContainer, range.startOffset);
            const b = offsetOf(range.endContainer, range.endOffset);
            if (!a || !b || a.part !== b.part || b.at <= a.at) return set(null);
            const rect = range.getBoundingClientRect();
            set({
                message: Number(a.part.dataset.m),
                part: a.part.dataset.part!,
                from: a.at,
                to: b.at,
                x: Math.max(8, rect.left),
                y: Math.max(60, rect.top),
            });
        };
        document.addEventListener('selectionchange', look);
        return () => document.removeEventListener('selectionchange', look);
    }, []);
    useEffect(() => {
        box.current?.style.setProperty('left', `${selected?.x ?? 0}px`);
        box.current?.style.setProperty('top', `${(selected?.y ?? 0) - 40}px`);
    }, [selected]);
    if (!selected) return null;
    const copyLink = () => {
        const whole = text(selected.message, selected.part);
        if (whole === undefined) return;
        const span = `:${encodeURIComponent(selected.part)}:${toBytes(whole, selected.from)}-${toBytes(whole, selected.to)}`;
        void copy(location.origin + runPath(run, { message: selected.message, transcript }) + span, 'Link to these words');
    };
    return (
        <div class="span-link" ref={box}>
            <button class="btn" type="button" onMouseDown={event => event.preventDefault()} onClick={copyLink}>
                Copy link to these words
            </button>
        </div>
    );
}
