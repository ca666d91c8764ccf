// Markdown, for whoever asks for it: text becomes elements one by one, never markup. A link is followed only over the web, and
// nothing is loaded: an image is its words and its address.
import type { ComponentChildren, JSX } from 'preact';
import { fenceLanguage } from '../code';
import { num } from '../format';
import { visible } from '../text';
import { Words } from './words';

const MOST = 100_000; /* characters; what is longer is read as it was sent */
const DEEPEST = 6;

/** What a document of our own has beyond the text of a stranger: headings that can be linked to, and links within this site. */
export interface Own {
    /** The address on this site that a relative link leads to. */
    address: (target: string) => string;
    /** How often each anchor was given on this page. */
    anchors: Map<string, number>;
}

export function Markdown({ text, own }: { text: string; own?: (target: string) => string }): JSX.Element {
    const most = own ? Infinity : MOST;
    const lines = text.slice(0, most).split('\n');
    return (
        <div class="md">
            {blocksOf(lines, 0, own && { address: own, anchors: new Map() })}
            {text.length > most && <p class="dim">{num(text.length - most)} more characters: read them as sent.</p>}
        </div>
    );
}

const FENCE = /^ {0,3}(```+|~~~+)/;
const ITEM = /^( {0,12})(?:[-*+]|(\d{1,6})[.)]) +(.*)$/;

function blocksOf(lines: string[], depth: number, own?: Own): ComponentChildren[] {
    const out: ComponentChildren[] = [];
    let open: string[] = []; /* of the paragraph */
    const close = () => {
        if (open.length) out.push(<p key={out.length}>{inline(open.join('\n'), own)}</p>);
        open = [];
    };
    for (let i = 0; i < lines.length; i++) {
        const line = lines[i]!;
        const fence = FENCE.exec(line);
        if (fence) {
            close();
            let end = i + 1;
            while (end < lines.length && !lines[end]!.trimStart().startsWith(fence[1]!)) end++;
            const code = lines.slice(i + 1, end).join('\n');
            out.push(
                <pre key={out.length} class="code" tabIndex={own && 0}>
                    <Words text={code} language={fenceLanguage(line, 0)} />
                </pre>,
            );
            i = end;
            continue;
        }
        const heading = /^ {0,3}(#{1,6}) +(.*?)[# ]*$/.exec(line.slice(0, 1000));
        if (heading) {
            close();
            if (own) {
                out.push(headingOf(heading[1]!.length, heading[2]!, own, out.length));
                continue;
            }
            // Not a heading of the page: the page's own outline stays as it is.
            out.push(
                <p key={out.length} class={`md-h md-h${heading[1]!.length}`}>
                    {inline(heading[2]!)}
                </p>,
            );
            continue;
        }
        if (!line.trim()) {
            close();
            continue;
        }
        if (/^ {0,3}([-*_])( *\1){2,} *$/.test(line.slice(0, 200)) && line.length <= 200) {
            close();
            out.push(<hr key={out.length} />);
            continue;
        }
        if (/^ {0,3}>/.test(line) && depth < DEEPEST) {
            close();
            const inside: string[] = [];
            for (; i < lines.length && /^ {0,3}>/.test(lines[i]!); i++) inside.push(lines[i]!.replace(/^ {0,3}> ?/, ''));
            i--;
            out.push(<blockquote key={out.length}>{blocksOf(inside, depth + 1, own)}</blockquote>);
            continue;
        }
        if (/^ {4}/.test(line) && !open.length && !ITEM.test(line)) {
            let end = i + 1;
            while (end < lines.length && (/^ {4}/.test(lines[end]!) || (!lines[end]!.trim() && /^ {4}/.test(lines[end + 1] ?? '')))) end++;
            const code = lines.slice(i, end).map(l => l.slice(4));
            out.push(
                <pre key={out.length} class="code" tabIndex={own && 0}>
                    <Words text={code.join('\n')} />
                </pre>,
            );
            i = end - 1;
            continue;
        }
        const item = ITEM.exec(line);
        // Within a paragraph a number at the start of a line is one of its words, unless it begins a list.
        if (item && depth < DEEPEST && !(open.length && item[2] != null && Number(item[2]) !== 1)) {
            close();
            const end = endOfList(lines, i);
            out.push(list(lines.slice(i, end), depth, out.length, own));
            i = end - 1;
            continue;
        }
        if (line.includes('|') && /^[ |:-]*-[ |:-]*$/.test(lines[i + 1] ?? '') && lines[i + 1]!.includes('|')) {
            close();
            const rows: string[][] = [cells(line)];
            for (i += 2; i < lines.length && lines[i]!.includes('|'); i++) rows.push(cells(lines[i]!));
            i--;
            out.push(table(rows, out.length, own));
            continue;
        }
        open.push(line);
    }
    close();
    return out;
}

/** "Names for values" → "names-for-values". */
export const anchorOf = (heading: string) =>
    heading
        .toLowerCase()
        .replace(/[^a-z0-9\u0080-\uffff]+/g, '-')
        .replace(/^-|-$/g, '');

function headingOf(level: number, text: string, own: Own, key: number): JSX.Element {
    const name = anchorOf(text);
    const before = own.anchors.get(name) ?? 0;
    own.anchors.set(name, before + 1);
    const id = before ? `${name}-${before + 1}` : name;
    const Tag = `h${level}` as 'h1';
    return (
        <Tag key={key} id={id}>
            {inline(text, own)}
            {level > 1 && (
                <a class="anchor" href={'#' + id} aria-label="Link to this section">
                    #
                </a>
            )}
        </Tag>
    );
}

const indentOf = (line: string) => line.length - line.trimStart().length;

/** A list goes on over items, what is indented under them, and single blank lines between. */
function endOfList(lines: string[], from: number): number {
    const indent = indentOf(lines[from]!);
    let end = from + 1;
    for (let i = end; i < lines.length; i++) {
        const line = lines[i]!;
        if (!line.trim()) {
            if (!(lines[i + 1] ?? '').trim()) break;
            continue;
        }
        const item = ITEM.exec(line);
        if (!(item && item[1]!.length >= indent) && indentOf(line) <= indent && !lines[i - 1]!.trim()) break;
        if (!item && indentOf(line) <= indent && FENCE.test(line)) break;
        end = i + 1;
    }
    return end;
}

function list(lines: string[], depth: number, key: number, own?: Own): JSX.Element {
    const first = ITEM.exec(lines[0]!)!;
    const indent = first[1]!.length;
    const items: string[][] = [];
    for (const line of lines) {
        const item = ITEM.exec(line);
        if (item && item[1]!.length <= indent) items.push([item[3]!]);
        else items[items.length - 1]!.push(line.slice(Math.min(indentOf(line), indent + 2)));
    }
    const drawn = items.map((item, i) => <li key={i}>{item.length === 1 ? inline(item[0]!, own) : blocksOf(item, depth + 1, own)}</li>);
    return first[2] != null ? (
        <ol key={key} start={Number(first[2])}>
            {drawn}
        </ol>
    ) : (
        <ul key={key}>{drawn}</ul>
    );
}

const cells = (line: string) =>
    line
        .trim()
        .replace(/^\||(?<!\\)\|$/g, '')
        .split(/(?<!\\)\|/, 60)
        .map(cell => cell.trim().replaceAll('\\|', '|'));

function table(rows: string[][], key: number, own?: Own): JSX.Element {
    return (
        <div class="md-table" key={key}>
            <table>
                <thead>
                    <tr>
                        {rows[0]!.map((cell, i) => (
                            <th key={i}>{inline(cell, own)}</th>
                        ))}
                    </tr>
                </thead>
                <tbody>
                    {rows.slice(1).map((row, r) => (
                        <tr key={r}>
                            {/* No more cells than were written: a wide head over short rows stays as small as its text. */}
                            {row.slice(0, rows[0]!.length).map((cell, i) => (
                                <td key={i}>{inline(cell, own)}</td>
                            ))}
                        </tr>
                    ))}
                </tbody>
            </table>
        </div>
    );
}

/* Every part is bounded, so that a line of a hundred thousand stars is read once. */
const INLINE =
    /\\([\\`*_<>[\]#])|`([^`]{1,400})`|\*\*([^*]{1,400})\*\*|(?<![\w*])\*([^*\s][^*\n]{0,400})\*(?!\w)|~~([^~\n]{1,400})~~|(!?)\[([^\]]{0,400})\]\(([^)\s]{1,2000})\)|(https?:\/\/[^\s<>"'`]{1,2000})/g;

/** A long name or path breaks where one of its parts ends. */
function breakable(code: string): ComponentChildren {
    return visible(code)
        .split(/(?<=[_/])/)
        .flatMap((piece, i) => (i ? [<wbr key={i} />, piece] : [piece]));
}

function inline(text: string, own?: Own): ComponentChildren[] {
    const out: ComponentChildren[] = [];
    let at = 0;
    for (const match of text.matchAll(INLINE)) {
        if (match.index > at) out.push(visible(text.slice(at, match.index)));
        at = match.index + match[0].length;
        const [whole, escaped, code, bold, slanted, struck, image, label, target, bare] = match;
        const key = match.index;
        if (escaped != null) out.push(escaped);
        else if (code != null) out.push(<code key={key}>{breakable(code)}</code>);
        else if (bold != null) out.push(<b key={key}>{inline(bold, own)}</b>);
        else if (slanted != null) out.push(<i key={key}>{visible(slanted)}</i>);
        else if (struck != null) out.push(<s key={key}>{visible(struck)}</s>);
        else if (image) out.push(<span key={key}>{`[image: ${visible(label || 'without words')}, ${visible(target!)}]`}</span>);
        else out.push(link(whole, label ?? bare!, target ?? bare!, key, own));
    }
    if (at < text.length) out.push(visible(text.slice(at)));
    return out;
}

/** What leads elsewhere says where; what is no address of the web stays the words it was. */
function link(whole: string, label: string, target: string, key: number, own?: Own): ComponentChildren {
    if (own && !/^[a-z]+:/.test(target))
        return (
            <a key={key} href={own.address(target)}>
                {inline(label)}
            </a>
        );
    let url: URL;
    try {
        url = new URL(target);
    } catch {
        return visible(whole);
    }
    if (!['https:', 'http:', 'mailto:'].includes(url.protocol)) return visible(whole);
    return (
        <a key={key} href={url.href} target="_blank" rel="noopener noreferrer nofollow" title={url.href.slice(0, 300)}>
            {visible(label || target)}
        </a>
    );
}
