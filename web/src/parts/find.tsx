// Find in a transcript: words or a regular expression, over all of it, range by range.
import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { DASH, num } from '../format';
import type { Pages } from '../messages';
import { hitsIn, tooMany, type Hit } from '../transcript';
import { asApiError } from '../use';

export interface Found {
    hits: Hit[];
    byMessage: Map<number, Hit[]>;
    /** How far the reading has come; 1 when done. */
    share: number;
    error: string | null;
}
export const NOTHING: Found = { hits: [], byMessage: new Map(), share: 1, error: null };

/** Hits of `text`, growing while the transcript is read through. */
export function useFind(pages: Pages | null, text: string, regex: boolean): Found {
    const [found, set] = useState<Found>(NOTHING);
    useEffect(() => {
        if (!pages || !text) {
            set(NOTHING);
            return;
        }
        let pattern: RegExp;
        try {
            // Small letters find capitals too; a capital means itself.
            const flags = 'g' + (/[A-Z]/.test(text) ? '' : 'i') + (regex ? 'mu' : '');
            pattern = new RegExp(regex ? text : text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'), flags);
        } catch (e) {
            set({ ...NOTHING, error: (e as Error).message.replace(/^Invalid regular expression: /, '') });
            return;
        }
        set({ ...NOTHING, share: 0 });
        const stop = new AbortController();
        const timer = setTimeout(async () => {
            const hits: Hit[] = [];
            const byMessage = new Map<number, Hit[]>();
            let read = 0;
            const show = (share: number) => set({ hits: [...hits], byMessage: new Map(byMessage), share, error: null });
            try {
                let last = performance.now();
                for await (const some of pages.all(stop.signal)) {
                    for (const message of some) {
                        const before = hits.length;
                        hitsIn(message, pattern, hits);
                        if (hits.length > before) byMessage.set(message.index, hits.slice(before));
                    }
                    read += some.length;
                    if (stop.signal.aborted) return;
                    if (tooMany(hits)) break;
                    if (performance.now() - last > 80) {
                        show(Math.min(0.99, read / pages.marks.length));
                        await new Promise(done => setTimeout(done));
                        last = performance.now();
                    }
                }
                if (!stop.signal.aborted) show(1);
            } catch (e) {
                if (!stop.signal.aborted) set({ hits, byMessage, share: 1, error: asApiError(e).message });
            }
        }, 120);
        return () => {
            stop.abort();
            clearTimeout(timer);
        };
    }, [pages, text, regex]);
    return found;
}

export function FindBar({
    text,
    regex,
    found,
    at,
    messages,
    onText,
    onRegex,
    onStep,
    onClose,
}: {
    text: string;
    regex: boolean;
    found: Found;
    at: number;
    messages: number;
    onText: (text: string) => void;
    onRegex: (regex: boolean) => void;
    onStep: (step: number) => void;
    onClose: () => void;
}): JSX.Element {
    const input = useRef<HTMLInputElement>(null);
    // At once: what is typed right after the key that opened it belongs here.
    useLayoutEffect(() => {
        input.current?.focus();
        input.current?.select();
    }, []);
    const n = found.hits.length;
    return (
        <div class="find" role="search">
            <div class="input">
                <input
                    ref={input}
                    autofocus
                    aria-label="Find in transcript"
                    placeholder={regex ? 'regular expression' : 'find in transcript'}
                    value={text}
                    spellcheck={false}
                    onInput={event => onText(event.currentTarget.value)}
                    onKeyDown={event => {
                        if (event.key === 'Enter') {
                            event.preventDefault();
                            onStep(event.shiftKey ? -1 : 1);
                        } else if (event.key === 'Escape') {
                            event.preventDefault();
                            onClose();
                        }
                    }}
                />
                <button
                    class="toggle"
                    type="button"
                    aria-pressed={regex}
                    title="regular expression"
                    aria-label="Regular expression"
                    onClick={() => onRegex(!regex)}
                >
                    .*
                </button>
            </div>
            <span class="n" aria-live="polite">
                {found.error ? (
                    <span class="warn">{found.error}</span>
                ) : !text ? (
                    ''
                ) : n ? (
                    `${at < 0 ? DASH : num(at + 1)} of ${num(n)}${tooMany(found.hits) ? ' or more' : ''}`
                ) : found.share < 1 ? (
                    'reading …'
                ) : (
                    'nothing found'
                )}
            </span>
            <button
                class="btn btn-bare"
                type="button"
                aria-label="Previous hit"
                disabled={!n}
                title={n ? undefined : 'There are no hits'}
                onClick={() => onStep(-1)}
            >
                <kbd>N</kbd>
            </button>
            <button
                class="btn btn-bare"
                type="button"
                aria-label="Next hit"
                disabled={!n}
                title={n ? undefined : 'There are no hits'}
                onClick={() => onStep(1)}
            >
                <kbd>n</kbd>
            </button>
            <span class="dim hide-s">
                {n > 0 && `in ${num(found.byMessage.size)} of ${num(messages)} messages`}
                {found.share < 1 && `, ${Math.floor(found.share * 100)} % read`}
            </span>
            <button class="btn btn-bare end" type="button" onClick={onClose}>
                Close{' '}
                <kbd class="hide-s" aria-hidden="true">
                    Esc
                </kbd>
            </button>
        </div>
    );
}
