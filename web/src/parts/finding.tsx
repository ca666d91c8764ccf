// One finding: what it says, what its rule cannot tell, and what can be done with it.
import type { JSX } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { Detector, Finding } from '../api';
import { whenText, type Exception } from '../exceptions';
import { num } from '../format';
import { visible } from '../text';
import { KindMark, SeverityMark } from './marks';
import { Who } from './who';

export function Detail({
    finding: f,
    rule,
    exception,
    onTakeBack,
}: {
    finding: Finding;
    rule?: Detector;
    /** What set it aside. */
    exception?: Exception;
    onTakeBack: () => void;
}): JSX.Element {
    const runs = new Set(f.evidence.map(e => e.run)).size;
    return (
        <>
            <h1>
                <KindMark kind={f.kind} label />
                {visible(f.title)}
            </h1>
            <p class="facts">
                <span>
                    <SeverityMark severity={f.severity} /> <b>{f.severity}</b>
                </span>
                <span>
                    behaviour <b>{f.behavior}</b>
                </span>
                <span title={`version ${f.detector_version}`}>
                    detector <b>{f.detector}</b>
                </span>
                <span>
                    scope <b>{f.scope}</b>
                    {f.scope !== 'run' && runs > 1 ? `, ${num(runs)} runs` : ''}
                </span>
                <span>
                    evidence <b>{num(f.evidence.length)}</b>
                </span>
                {f.confidence != null && f.confidence < 1 && (
                    <span>
                        confidence <b>{f.confidence.toFixed(2)}</b>
                    </span>
                )}
            </p>
            {f.message && f.message !== f.title && <p class="why">{f.message}</p>}
            {rule?.why && rule.why !== f.message && <p class="why sub">{rule.why}</p>}
            {rule?.unsure && (
                <p class="limits">
                    <b>What this rule cannot tell:</b> {rule.unsure}
                </p>
            )}
            {exception && (
                <p class="limits">
                    <b>Set aside by an exception of the rule:</b> {visible(whenText(exception.when))}
                    {exception.note ? `. ${visible(exception.note)}` : ''}
                    {exception.reviewer ? `, ${visible(exception.reviewer)}` : ''}{' '}
                    <button data-need="review" class="more" type="button" onClick={onTakeBack}>
                        take it back
                    </button>
                </p>
            )}
            {f.note && (
                <p class="limits">
                    <b>Note{f.reviewer ? ` by ${f.reviewer}` : ''}:</b> {f.note}
                </p>
            )}
        </>
    );
}

export function Actions({
    finding,
    ask,
    noting,
    onConfirm,
    onDismiss,
    onChoice,
    onExcept,
    onCancel,
    onNote,
    onSaveNote,
    onUndo,
    onOpen,
    canOpen,
}: {
    finding: Finding;
    ask: Finding[] | null;
    noting: boolean;
    canOpen: boolean;
    onConfirm: () => void;
    onDismiss: () => void;
    onChoice: (all: boolean) => void;
    onExcept: () => void;
    onCancel: () => void;
    onNote: () => void;
    onSaveNote: (note: string) => void;
    onUndo: () => void;
    onOpen: () => void;
}): JSX.Element {
    const note = useRef<HTMLTextAreaElement>(null);
    useLayoutEffect(() => {
        if (noting) note.current?.focus();
    }, [noting]);
    return (
        <div class="acts-bar" role="group" aria-label="Review">
            {ask && (
                <div class="ask" role="group" aria-label="Dismiss">
                    <b>Dismiss</b>
                    <button class="btn" type="button" ref={button => button?.focus()} onClick={() => onChoice(false)}>
                        Only this <Key k="1" />
                    </button>
                    <button
                        class="btn"
                        type="button"
                        disabled={ask.length < 2}
                        title={
                            ask.length < 2
                                ? 'No other open finding in the list is like it'
                                : `${finding.detector}: ${finding.title}`
                        }
                        onClick={() => onChoice(true)}
                    >
                        {ask.length < 2 ? 'No other is like it' : `All ${num(ask.length)} like it in ${finding.detector}`}{' '}
                        <Key k="2" />
                    </button>
                    <button
                        class="btn"
                        type="button"
                        title="An exception of the rule: what is like this is set aside in every later import and scan too"
                        onClick={onExcept}
                    >
                        Never again… <Key k="3" />
                    </button>
                    <button class="btn btn-bare" type="button" onClick={onCancel}>
                        Cancel <Key k="Esc" />
                    </button>
                </div>
            )}
            {noting && (
                <form
                    class="ask"
                    aria-label="Note"
                    onSubmit={event => {
                        event.preventDefault();
                        onSaveNote(note.current!.value.trim());
                    }}
                >
                    <textarea
                        ref={note}
                        rows={2}
                        aria-label="Note"
                        placeholder="why it is so"
                        defaultValue={finding.note ?? ''}
                        onKeyDown={event => {
                            if (event.key === 'Escape') onCancel();
                            if (event.key === 'Enter' && !event.shiftKey) {
                                event.preventDefault();
                                onSaveNote(event.currentTarget.value.trim());
                            }
                        }}
                    />
                    <button class="btn" type="submit">
                        Save <Key k="Enter" />
                    </button>
                    <button class="btn btn-bare" type="button" onClick={onCancel}>
                        Cancel <Key k="Esc" />
                    </button>
                </form>
            )}
            <button data-need="review" class="btn btn-main" type="button" onClick={onConfirm}>
                Confirm <Key k="c" />
            </button>
            <button data-need="review" class="btn" type="button" onClick={onDismiss}>
                Dismiss <Key k="x" />
            </button>
            <button data-need="review" class="btn" type="button" onClick={onNote}>
                Note <Key k="n" />
            </button>
            <button data-need="review" class="btn" type="button" onClick={onUndo}>
                Undo <Key k="u" />
            </button>
            <button
                class="btn"
                type="button"
                disabled={!canOpen}
                title={canOpen ? undefined : 'It speaks of no single run'}
                onClick={onOpen}
            >
                Open run <Key k="o" />
            </button>
            <Who shy />
            <span class="keys dim" aria-hidden="true">
                <kbd>j</kbd> <kbd>k</kbd> next, previous &ensp; <kbd>]</kbd> <kbd>[</kbd> evidence &ensp; <kbd>?</kbd> all keys
            </span>
        </div>
    );
}

const Key = ({ k }: { k: string }) => <kbd aria-hidden="true">{k}</kbd>;
