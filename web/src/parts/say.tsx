// How the page speaks up: errors, toasts, questions, and the bar that shows that an answer is awaited.
import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { onWaiting, type ApiError } from '../api';
import { useKeys } from '../keys';

const ADVICE: Record<string, string> = {
    network: 'Start it with “telltale serve”, and this page goes on by itself.',
    forbidden: 'Sign in with a token that may do this, or ask whoever runs this server for one.',
    not_found: 'It may have been deleted. Go back to the list and choose another.',
    page: 'Reload the page. If it comes back, the transcript that does it would help whoever mends it.',
};

/** What went wrong, where, what to do, and the code to search for. */
export function Failure({ error, again, what }: { error: ApiError; again?: () => void; what?: string }): JSX.Element {
    const advice =
        ADVICE[error.code] ??
        (error.status >= 500
            ? 'Try again; the server’s log says more.'
            : error.status === 404
              ? ADVICE.not_found
              : 'Change the request and try again.');
    return (
        <div class="failure" role="alert">
            <p>
                <b>{what ?? 'This could not be loaded.'}</b> {error.message}
            </p>
            <p class="sub">{advice}</p>
            <p class="dim">
                <code>{error.code}</code> {error.where}
            </p>
            {again && (
                <button class="btn" type="button" onClick={again}>
                    Try again
                </button>
            )}
        </div>
    );
}

/** The whole page cannot be shown. */
export function FailedPage({ error, again }: { error: ApiError; again: () => void }): JSX.Element {
    return (
        <main id="main" class="lone">
            <section class="panel pad">
                <Failure error={error} again={again} />
                <p class="back">
                    <a href="/">All collections</a>
                </p>
            </section>
        </main>
    );
}

export function WaitBar(): JSX.Element {
    const [shown, set] = useState(false);
    useEffect(() => {
        let timer = 0;
        return onWaiting(n => {
            clearTimeout(timer);
            if (n === 0) set(false);
            else timer = setTimeout(() => set(true), 200);
        });
    }, []);
    return <div class={`waitbar${shown ? ' on' : ''}`} role="progressbar" aria-label="Loading" aria-hidden={!shown} />;
}

/* ---- toasts --------------------------------------------------------------------------------------------------------- */

interface Toast {
    id: number;
    text: ComponentChildren;
    /** The same words: a second one takes the place of the first. */
    words: string;
    action?: { label: string; run: () => void };
    bad: boolean;
}

let toasts: Toast[] = [];
let ids = 0;
const watchers = new Set<(list: Toast[]) => void>();
function show(list: Toast[]): void {
    toasts = list;
    for (const watcher of watchers) watcher(list);
}
function drop(id: number): void {
    show(toasts.filter(toast => toast.id !== id));
}

export function toast(text: string, action?: Toast['action']): void {
    put(text, text, action, false);
}

function put(text: ComponentChildren, words: string, action: Toast['action'], bad: boolean): void {
    const id = ++ids;
    show([...toasts.filter(other => other.words !== words).slice(-2), { id, text, words, action, bad }]);
    setTimeout(() => drop(id), bad ? 15_000 : 8_000);
}

export function toastError(what: string, error: ApiError): void {
    put(
        <>
            {what} {error.message} <code class="dim">{error.code}</code>
        </>,
        `${what} ${error.message} ${error.code}`,
        undefined,
        true,
    );
}

export function Toasts(): JSX.Element {
    const [list, set] = useState(toasts);
    useEffect(() => {
        watchers.add(set);
        return () => void watchers.delete(set);
    }, []);
    return (
        <div class="toasts" role="status" aria-live="polite">
            {list.map(item => (
                <div class={`toast${item.bad ? ' bad' : ''}`} key={item.id}>
                    <span>{item.text}</span>
                    {item.action && (
                        <button
                            class="more"
                            type="button"
                            onClick={() => {
                                item.action!.run();
                                drop(item.id);
                            }}
                        >
                            {item.action.label}
                        </button>
                    )}
                    <button class="more" type="button" aria-label="Close this message" onClick={() => drop(item.id)}>
                        ×
                    </button>
                </div>
            ))}
        </div>
    );
}

/* ---- dialogs -------------------------------------------------------------------------------------------------------- */

/** A modal of the browser's own: the focus stays inside and returns, Esc closes. */
export function Dialog({
    title,
    onClose,
    children,
    wide,
}: {
    title: string;
    onClose: () => void;
    children: ComponentChildren;
    wide?: boolean;
}): JSX.Element {
    const ref = useRef<HTMLDialogElement>(null);
    useLayoutEffect(() => {
        const before = document.activeElement as HTMLElement | null;
        ref.current!.showModal();
        return () => before?.focus?.();
    }, []);
    useKeys('', [{ key: 'Escape', does: '', typing: true, run: onClose }]);
    return (
        <dialog
            ref={ref}
            class={wide ? 'wide' : undefined}
            aria-label={title}
            onCancel={event => {
                event.preventDefault();
                onClose();
            }}
            onClick={event => event.target === ref.current && onClose()}
        >
            {children}
        </dialog>
    );
}

export function DialogHead({ title, onClose }: { title: string; onClose: () => void }): JSX.Element {
    return (
        <header>
            <h2>{title}</h2>
            <button class="btn btn-bare end" type="button" onClick={onClose}>
                Close <kbd aria-hidden="true">Esc</kbd>
            </button>
        </header>
    );
}

/** Asks once more before something is gone. */
export function Sure({
    title,
    question,
    act,
    run,
    onClose,
    children,
}: {
    title: string;
    question: string;
    act: string;
    run: () => void;
    onClose: () => void;
    children: ComponentChildren;
}): JSX.Element {
    return (
        <Dialog title={title} onClose={onClose}>
            <DialogHead title={question} onClose={onClose} />
            <div class="pad sheet">
                <p>{children}</p>
                <div class="dialog-acts">
                    <button class="btn btn-danger" type="button" onClick={run}>
                        {act}
                    </button>
                    <button class="btn" type="button" onClick={onClose}>
                        Keep
                    </button>
                </div>
            </div>
        </Dialog>
    );
}

/* ---- copying -------------------------------------------------------------------------------------------------------- */

export async function copy(text: string, what: string): Promise<void> {
    try {
        await navigator.clipboard.writeText(text);
    } catch {
        // Without a secure origin there is no clipboard API; a selected field still copies.
        const field = document.createElement('textarea');
        field.value = text;
        document.body.append(field);
        field.select();
        document.execCommand('copy');
        field.remove();
    }
    toast(`${what} copied`);
}

export function CopyButton({ text, what }: { text: string; what: string }): JSX.Element {
    return (
        <button class="btn" type="button" aria-label={`Copy ${what}`} onClick={() => copy(text, what)}>
            Copy
        </button>
    );
}
