// The code editor itself, loaded when a page first shows one. It lives in a shadow root: there CodeMirror puts its styles into
// constructed style sheets, where our CSP would refuse the <style> that it makes in a document.
import {
    acceptCompletion,
    autocompletion,
    closeBrackets,
    closeBracketsKeymap,
    completionKeymap,
    type CompletionContext,
    type CompletionResult,
} from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands';
import { sql, SQLite } from '@codemirror/lang-sql';
import { yaml } from '@codemirror/lang-yaml';
import { bracketMatching, HighlightStyle, indentOnInput, indentUnit, syntaxHighlighting } from '@codemirror/language';
import { lintGutter, lintKeymap, setDiagnostics, type Diagnostic } from '@codemirror/lint';
import { EditorState, Prec, type Extension } from '@codemirror/state';
import { drawSelection, EditorView, highlightActiveLine, keymap, lineNumbers } from '@codemirror/view';
import { tags } from '@lezer/highlight';
import type { Complete, Language, Problem } from './editor';

/** Each is asked anew when it is needed, so that what the component was last given counts. */
export interface Wishes {
    change: (text: string) => void;
    complete: () => Complete | undefined;
    run: () => (() => void) | undefined;
}

export interface CodeEditor {
    /** The whole text anew, unless it is the same. */
    setText: (text: string) => void;
    setProblems: (problems: Problem[]) => void;
    insert: (text: string) => void;
    goTo: (line: number, column: number) => void;
    focus: () => void;
    destroy: () => void;
}

const languages: Record<Language, () => Extension> = {
    // Our own completion knows the views; the dialect's would offer every keyword of every statement that is refused.
    sql: () => sql({ dialect: SQLite }).language,
    yaml: () => yaml(),
};

const colours = HighlightStyle.define([
    { tag: [tags.keyword, tags.operatorKeyword, tags.bool, tags.null, tags.atom], color: 'var(--j-lit)' },
    { tag: [tags.string, tags.special(tags.string)], color: 'var(--j-str)' },
    { tag: [tags.number], color: 'var(--j-num)' },
    { tag: [tags.definition(tags.propertyName), tags.propertyName], color: 'var(--j-key)', fontWeight: '600' },
    { tag: [tags.comment], color: 'var(--text-3)', fontStyle: 'italic' },
    { tag: [tags.typeName, tags.standard(tags.name)], color: 'var(--role-tool)' },
]);

/* Every colour is a token, so that the theme follows the page's. */
const look = EditorView.theme({
    '&': { color: 'var(--text)', backgroundColor: 'var(--surface)', font: 'var(--m-12)' },
    '&.cm-focused': { outline: 'none' },
    '.cm-scroller': { font: 'var(--m-12)', lineHeight: '20px' },
    '.cm-content': { padding: '8px 0', caretColor: 'var(--text)' },
    '.cm-line': { padding: '0 10px' },
    '.cm-gutters': { color: 'var(--text-3)', backgroundColor: 'var(--sunken)', borderRight: '1px solid var(--line)' },
    '.cm-gutter-lint': { width: '14px' },
    '.cm-gutter-lint .cm-gutterElement': { padding: '0' },
    '.cm-activeLine': { backgroundColor: 'color-mix(in srgb, var(--hover) 60%, transparent)' },
    '.cm-cursor': { borderLeftColor: 'var(--text)' },
    '& .cm-selectionBackground, &.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground': {
        backgroundColor: 'var(--selected)',
    },
    '&.cm-focused .cm-matchingBracket': { backgroundColor: 'var(--selected)', outline: '1px solid var(--line-2)' },
    '&.cm-focused .cm-nonmatchingBracket': { backgroundColor: 'var(--broken_task-bg)' },
    '.cm-tooltip': {
        color: 'var(--text)',
        backgroundColor: 'var(--raised)',
        border: '0',
        borderRadius: 'var(--r-2)',
        boxShadow: 'var(--pop)',
        overflow: 'hidden',
    },
    '.cm-tooltip.cm-tooltip-autocomplete > ul': { font: 'var(--m-12)', maxHeight: '280px', maxWidth: 'min(560px, 90vw)' },
    '.cm-tooltip.cm-tooltip-autocomplete > ul > li': { display: 'flex', gap: '16px', padding: '4px 10px', lineHeight: '18px' },
    '.cm-tooltip.cm-tooltip-autocomplete > ul > li[aria-selected]': { color: 'var(--text)', backgroundColor: 'var(--selected)' },
    '.cm-completionMatchedText': { textDecoration: 'none', fontWeight: '600' },
    '.cm-completionDetail': {
        marginLeft: 'auto',
        font: 'var(--t-12)',
        fontStyle: 'normal',
        color: 'var(--text-3)',
        overflow: 'hidden',
        textOverflow: 'ellipsis',
    },
    '.cm-diagnostic': { padding: '6px 10px', font: 'var(--t-12)', borderLeft: '3px solid var(--broken_task)', maxWidth: '70ch' },
    '.cm-lint-marker': { width: '8px', height: '8px', margin: '6px 3px' },
    '.cm-lint-marker-error': { content: 'none', background: 'var(--broken_task)', borderRadius: '1px' },
    '.cm-lintRange-error': {
        backgroundImage: 'none',
        textDecoration: 'underline wavy var(--broken_task)',
        textDecorationSkipInk: 'none',
        textUnderlineOffset: '3px',
    },
});

/* Where the browser itself types over coloured words, it keeps their colour in a style attribute, which our CSP refuses aloud. */
const typeOver = EditorView.domEventHandlers({
    beforeinput: (event, view) => {
        const { from, to, empty } = view.state.selection.main;
        if (event.inputType !== 'insertText' || event.isComposing || event.data == null || empty) return false;
        const insert = () => view.state.update(view.state.replaceSelection(event.data!), { userEvent: 'input.type', scrollIntoView: true });
        if (!view.state.facet(EditorView.inputHandler).some(handle => handle(view, from, to, event.data!, insert))) view.dispatch(insert());
        event.preventDefault();
        return true;
    },
});

/** `rows`: lines that it is high at least. */
export function createEditor(
    parent: HTMLElement,
    options: { text: string; language: Language; label: string; rows: number; wishes: Wishes },
): CodeEditor {
    const { wishes } = options;
    const root = parent.shadowRoot ?? parent.attachShadow({ mode: 'open' });
    const source = (context: CompletionContext): CompletionResult | null => {
        const found = wishes.complete()?.(context.state.doc.toString(), context.pos);
        if (!found || !found.options.length) return null;
        if (!context.explicit && found.from === context.pos && !/[.:]\s?$/.test(context.state.sliceDoc(0, context.pos))) return null;
        return { from: found.from, options: found.options, validFor: /^\w*$/ };
    };
    const run = () => {
        const does = wishes.run();
        does?.();
        return does != null;
    };
    let told = options.text; // what the component knows
    const view = new EditorView({
        parent: root,
        root,
        state: EditorState.create({
            doc: options.text,
            extensions: [
                Prec.highest(keymap.of([{ key: 'Mod-Enter', run }])),
                Prec.high(keymap.of([{ key: 'Tab', run: acceptCompletion }])), // else Tab leaves the editor, as it leaves any field
                lineNumbers(),
                lintGutter(),
                history(),
                drawSelection(),
                typeOver,
                indentOnInput(),
                indentUnit.of('  '),
                bracketMatching(),
                closeBrackets(),
                highlightActiveLine(),
                autocompletion({ override: [source], icons: false, maxRenderedOptions: 60 }),
                languages[options.language](),
                syntaxHighlighting(colours),
                look,
                EditorView.theme({ '.cm-content, .cm-gutter': { minHeight: `${options.rows * 20 + 16}px` } }),
                EditorView.lineWrapping,
                EditorView.contentAttributes.of({ 'aria-label': options.label }),
                EditorView.updateListener.of(update => {
                    if (!update.docChanged) return;
                    told = update.state.doc.toString();
                    wishes.change(told);
                }),
                keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...historyKeymap, ...completionKeymap, ...lintKeymap]),
            ],
        }),
    });
    return {
        setText: text => {
            if (text === told) return;
            told = text;
            view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } });
        },
        setProblems: problems => view.dispatch(setDiagnostics(view.state, problems.map(problem => place(view.state, problem)))),
        insert: text => {
            view.dispatch(view.state.replaceSelection(text));
            view.focus();
        },
        goTo: (line, column) => {
            const { from } = place(view.state, { line, column, message: '' });
            view.dispatch({ selection: { anchor: from }, effects: EditorView.scrollIntoView(from, { y: 'center' }) });
            view.focus();
        },
        focus: () => view.focus(),
        destroy: () => view.destroy(),
    };
}

/** A problem names a line and a column, both from 1; without a column it is the whole line's, beyond the end the last one's. */
function place(state: EditorState, problem: Problem): Diagnostic {
    const line = state.doc.line(Math.min(Math.max(1, problem.line), state.doc.lines));
    const from = Math.min(line.from + Math.max(0, (problem.column ?? 1) - 1), line.to);
    const word = /^[\w.-]+/.exec(state.sliceDoc(from, line.to));
    const to = problem.column && word ? from + word[0].length : line.to;
    return { from: from === to ? line.from : from, to, severity: 'error', message: problem.message };
}
