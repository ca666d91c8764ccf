// A code editor with completion and problems in place. Until its code is there, and where it cannot be loaded, it is a plain field.
import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { CodeEditor } from './codemirror';

export type Language = 'sql' | 'yaml';

/** Line and column count from 1. Without a column the whole line is meant. */
export interface Problem {
    line: number;
    column?: number;
    message: string;
}

export interface Completions {
    /** Where the word begins that an option takes the place of, in UTF-16 units. */
    from: number;
    options: { label: string; detail?: string }[];
}

/** What may stand at `at` of `text`; null where nothing is known. */
export type Complete = (text: string, at: number) => Completions | null;

/** What a page may do with the editor beside changing its text. */
export interface EditorHandle {
    /** In place of the selection. */
    insert: (text: string) => void;
    /** Puts the cursor there, as a problem's line and column say. */
    goTo: (line: number, column: number) => void;
    focus: () => void;
}

export function Editor({
    value,
    onChange,
    language,
    complete,
    problems,
    onRun,
    label,
    rows = 8,
    handle,
}: {
    value: string;
    onChange: (text: string) => void;
    language: Language;
    complete?: Complete;
    problems?: Problem[];
    /** Ctrl-Enter, or Command-Enter. */
    onRun?: () => void;
    label: string;
    /** Lines that it is high at least. */
    rows?: number;
    handle?: (editor: EditorHandle | null) => void;
}): JSX.Element {
    const host = useRef<HTMLDivElement>(null);
    const field = useRef<HTMLTextAreaElement>(null);
    const editor = useRef<CodeEditor | null>(null);
    const [loaded, setLoaded] = useState(false);
    const latest = useRef({ value, onChange, complete, onRun, problems });
    latest.current = { value, onChange, complete, onRun, problems };

    useEffect(() => {
        let gone = false;
        import('./codemirror').then(
            ({ createEditor }) => {
                if (gone || !host.current) return;
                const hadFocus = document.activeElement === field.current;
                editor.current = createEditor(host.current, {
                    text: latest.current.value,
                    language,
                    label,
                    rows,
                    wishes: {
                        change: text => latest.current.onChange(text),
                        complete: () => latest.current.complete,
                        run: () => latest.current.onRun,
                    },
                });
                editor.current.setProblems(latest.current.problems ?? []);
                setLoaded(true);
                if (hadFocus) editor.current.focus();
            },
            () => {}, // the plain field stays
        );
        return () => {
            gone = true;
            editor.current?.destroy();
            editor.current = null;
        };
    }, [language]);
    useLayoutEffect(() => editor.current?.setText(value), [value]);
    useEffect(() => editor.current?.setProblems(problems ?? []), [problems]);
    useEffect(() => {
        handle?.({
            insert: text => {
                if (editor.current) editor.current.insert(text);
                else latest.current.onChange(latest.current.value + text);
            },
            goTo: (line, column) => editor.current?.goTo(line, column),
            focus: () => (editor.current ?? field.current)?.focus(),
        });
        return () => handle?.(null);
    }, []);

    return (
        <div class="editor">
            <div ref={host} hidden={!loaded} />
            {!loaded && (
                <textarea
                    ref={field}
                    aria-label={label}
                    rows={rows}
                    spellcheck={false}
                    value={value}
                    onInput={event => onChange(event.currentTarget.value)}
                    onKeyDown={event => {
                        if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey) || !onRun) return;
                        event.preventDefault();
                        onRun();
                    }}
                />
            )}
        </div>
    );
}
