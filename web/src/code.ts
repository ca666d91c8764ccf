// Colours for code: comments, strings, numbers and keywords, found by one pass of one expression. Enough to read by, no parser.
import type { Layer } from './text';

interface Family {
    /** In order: comment, string, number, word. */
    pattern: RegExp;
    keywords: Set<string>;
}

const NUMBER = String.raw`\b(?:0[xX][\da-fA-F_]+|\d[\d_]*(?:\.\d+)?(?:[eE][+-]?\d+)?)\b`;
const WORD = String.raw`[A-Za-z_$][\w$]*`;
/* One that its line does not end goes on to the end of the line: every place is read once, whatever the text. */
const QUOTED = String.raw`"(?:[^"\\\n]|\\.)*"?|'(?:[^'\\\n]|\\.)*'?`;
const SLASHES = String.raw`\/\/[^\n]*|\/\*(?:(?!\*\/)[^])*(?:\*\/)?`;
const HASH = String.raw`(?<![\w$&])#[^\n]*`;

const family = (comment: string, string: string, keywords: string): Family => ({
    pattern: new RegExp(`(${comment})|(${string})|(${NUMBER})|(${WORD})`, 'g'),
    keywords: new Set(keywords.split(' ')),
});

const C = family(
    SLASHES,
    QUOTED + String.raw`|\x60(?:[^\x60\\]|\\.){0,2000}\x60`,
    'abstract as async await bool boolean break case catch char class const constexpr continue crate default defer delete do double dyn ' +
        'else enum export extends extern false final finally float fn for foreach from func function go goto if impl implements import in ' +
        'include inline instanceof int interface internal is let long loop match mod move mut namespace new nil null operator override ' +
        'package private protected pub public readonly ref return self short signed sizeof static string struct super switch template ' +
        'this throw throws trait true try type typedef typename typeof undefined union unsafe unsigned use using val var virtual void ' +
        'volatile where while yield',
);
const PYTHON = family(
    HASH,
    String.raw`"""(?:(?!""")[^])*(?:""")?|'''(?:(?!''')[^])*(?:''')?|` + QUOTED,
    'False None True and as assert async await begin break case class continue def defined del do elif else elsif end ensure except ' +
        'finally for from global if import in is lambda match module next nil nonlocal not or pass raise require rescue return self then ' +
        'true false try unless until when while with yield',
);
const SHELL = family(
    HASH,
    String.raw`"(?:[^"\\]|\\[^]){0,2000}"|'[^']{0,2000}'`,
    'alias awk case cat cd chmod chown cp curl declare do docker done echo elif else env esac eval exec exit export fi find for function ' +
        'git grep head if in kill local ls make mkdir mv npm pip printf python python3 read readonly return rm sed set shift sort source ' +
        'sudo tail tar test then touch trap unset until wget while xargs',
);
const SQL = family(
    String.raw`--[^\n]*|\/\*(?:(?!\*\/)[^])*(?:\*\/)?`,
    QUOTED,
    'all alter and as asc between by case cast create cross delete desc distinct drop else end exists from full group having if in index ' +
        'inner insert intersect into is join left like limit not null offset on or order outer over partition primary key references right ' +
        'select set table then union unique update using values view when where with',
);
const MARKUP = family(String.raw`<!--(?:(?!-->)[^])*(?:-->)?`, QUOTED, '');
const CONFIG = family(HASH, QUOTED, 'true false null yes no on off');

const FAMILIES: Record<string, Family> = {};
const known = (of: Family, names: string) => names.split(' ').forEach(name => (FAMILIES[name] = of));
known(C, 'c h cc cpp cxx hpp cs css dart go groovy java javascript js jsx json jsonc kotlin kt less mjs php rs rust scala scss swift ts tsx typescript zig');
known(PYTHON, 'py python python3 ipython pyi rb ruby jl julia');
known(SHELL, 'bash console sh shell zsh dockerfile');
known(SQL, 'sql sqlite mysql postgresql lua hs');
known(MARKUP, 'html xml svg vue');
known(CONFIG, 'yaml yml toml ini conf cfg mk makefile cmake');

const CLASS = ['', 'k-c', 'k-s', 'k-n', 'k-k'];
const MOST = 60_000; /* characters in one go; what is longer is left plain */

/** Layers of text[from, to) in a language; none where the language is not known. */
export function codeLayers(text: string, from: number, to: number, language: string): Layer[] {
    const of = FAMILIES[language];
    if (!of || to - from > MOST) return [];
    const layers: Layer[] = [];
    const part = text.slice(from, to);
    for (const match of part.matchAll(of.pattern)) {
        const kind = match[1] != null ? 1 : match[2] != null ? 2 : match[3] != null ? 3 : 4;
        if (kind === 4 && !of.keywords.has(of === SQL ? match[0].toLowerCase() : match[0])) continue;
        layers.push({ from: from + match.index, to: from + match.index + match[0].length, cls: CLASS[kind] });
    }
    return layers;
}

/** Of the first line of fenced code: the language that it names. */
export function fenceLanguage(text: string, from: number): string | undefined {
    return /^ {0,3}(?:```+|~~~+)\s*\{?\.?([\w+#-]{1,20})/.exec(text.slice(from, from + 60))?.[1]?.toLowerCase();
}

/** What the one argument of a call is written in, by the names of tool and argument. */
export function argumentLanguage(tool: string, key: string): string | undefined {
    const name = tool.slice(0, 100).toLowerCase();
    if (/sql/.test(name) || key === 'sql') return 'sql';
    if (/python|jupyter|notebook/.test(name)) return 'python';
    if (/bash|shell|terminal|exec|command|cmd/.test(name) || /^(cmd|command|bash|shell|keystrokes)$/.test(key)) return 'bash';
    return key === 'code' ? 'python' : undefined;
}

/** What a result shows, where its call read one file: by the name of the file. */
export function resultLanguage(tool: string, args: string): string | undefined {
    const head = args.slice(0, 400);
    if (!/read|view|open|cat|show/i.test(tool.slice(0, 100)) && !/"\s*(?:cat|sed -n|head|tail|less|nl)\b/.test(head)) return undefined;
    const language = /[\w-]\.([A-Za-z]{1,6})["'\s\\]/.exec(head)?.[1]?.toLowerCase();
    return language && FAMILIES[language] ? language : undefined;
}
