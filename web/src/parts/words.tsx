// Words of a transcript, with what is marked in them: evidence, hits of a search, terminal colours.
import type { ComponentChildren, JSX } from 'preact';
import type { Kind, Severity } from '../api';
import { codeLayers } from '../code';
import { proseLayers, specialLayers, type Layer } from '../text';

/** Evidence in a text, in UTF-16 units. */
export interface EvSpan {
    from: number;
    to: number;
    finding: string;
    /** Which piece of the finding's evidence. */
    index: number;
    kind: Kind | 'said';
    severity: Severity;
    title: string;
    now: boolean;
    dismissed: boolean;
    /** Of a judge's evidence: the share of its samples that cite it. */
    weight?: number | null;
}

export interface HitSpan {
    from: number;
    to: number;
    now: boolean;
}

export interface Marks {
    evidence: EvSpan[];
    hits: HitSpan[];
}
export const NO_MARKS: Marks = { evidence: [], hits: [] };

const RANK: Record<Severity, number> = { high: 2, medium: 1, low: 0 };

/** text[from, to) with its marks. `o` on every piece says where it stands in the text. */
export function Words({
    text,
    from = 0,
    to = text.length,
    marks = NO_MARKS,
    prose = false,
    language,
    onFinding,
}: {
    text: string;
    from?: number;
    to?: number;
    marks?: Marks;
    prose?: boolean;
    /** What code it is, by a common name of its language or the ending of its files. */
    language?: string;
    onFinding?: (finding: string, index: number) => void;
}): JSX.Element {
    const layers: Layer[] = specialLayers(text, from, to);
    if (prose) layers.push(...proseLayers(text, from, to));
    if (language) layers.push(...codeLayers(text, from, to, language));
    const evidence = marks.evidence.filter(e => e.from < to && (e.to > from || (e.from === e.to && e.from >= from)));
    const hits = marks.hits.filter(h => h.from < to && h.to > from);
    if (!layers.length && !evidence.length && !hits.length) return <span data-o={from}>{text.slice(from, to)}</span>;

    const edges = new Set([from, to]);
    for (const range of [...layers, ...evidence, ...hits]) {
        if (range.from > from && range.from < to) edges.add(range.from);
        if (range.to > from && range.to < to) edges.add(range.to);
    }
    const cuts = [...edges].sort((a, b) => a - b);
    const layersAt = sweep(layers);
    const evidenceAt = sweep(evidence);
    const hitsAt = sweep(hits);
    const out: ComponentChildren[] = [];
    let open: { spans: EvSpan[]; kids: ComponentChildren[] } | null = null;
    const close = () => {
        if (open) out.push(evidenceMark(open.spans, open.kids, onFinding));
        open = null;
    };
    for (let i = 0; i + 1 < cuts.length; i++) {
        const a = cuts[i]!;
        const b = cuts[i + 1]!;
        const here = evidenceAt(a);
        const piece = plain(text, a, b, layersAt(a), hitsAt(a)[0]);
        if (!here.length) {
            close();
            out.push(piece);
        } else if (open && same((open as { spans: EvSpan[] }).spans, here)) {
            (open as { kids: ComponentChildren[] }).kids.push(piece);
        } else {
            close();
            open = { spans: here, kids: [piece] };
        }
    }
    close();
    return <>{out}</>;
}

/** Gives the ranges that hold a place, asked for places in ascending order: linear in ranges and places, however many there are. */
function sweep<T extends { from: number; to: number }>(ranges: T[]): (at: number) => T[] {
    const byStart = [...ranges].sort((a, b) => a.from - b.from);
    let next = 0;
    let open: T[] = [];
    return at => {
        open = open.filter(range => range.to > at);
        for (; next < byStart.length && byStart[next]!.from <= at; next++) if (byStart[next]!.to > at) open.push(byStart[next]!);
        return open;
    };
}

const same = (a: EvSpan[], b: EvSpan[]) => a.length === b.length && a.every((span, i) => span === b[i]);

function plain(text: string, a: number, b: number, layers: Layer[], hit: HitSpan | undefined): ComponentChildren {
    let shown = text.slice(a, b);
    let cls = '';
    let title: string | undefined;
    for (const layer of layers) {
        if (layer.show !== undefined) shown = layer.show;
        if (layer.cls) cls += (cls ? ' ' : '') + layer.cls;
        title ??= layer.title;
    }
    if (!shown) return null;
    const words = (
        <span data-o={a} class={cls || undefined} title={title}>
            {shown}
        </span>
    );
    return hit ? <mark class={hit.now ? 'now' : undefined}>{words}</mark> : words;
}

function evidenceMark(
    spans: EvSpan[],
    kids: ComponentChildren[],
    onFinding?: (finding: string, index: number) => void,
): JSX.Element {
    // Overlaps: underlines stack, the tint is that of the most severe.
    const first = [...spans].sort(
        (a, b) =>
            Number(b.now) - Number(a.now) || Number(a.dismissed) - Number(b.dismissed) || RANK[b.severity] - RANK[a.severity],
    )[0]!;
    const other = spans.find(span => span.kind !== first.kind && !span.dismissed);
    const cls = `ev ev-${first.kind}${first.now ? ' now' : ''}${first.dismissed ? ' dis' : ''}${other ? ` over over-${other.kind}` : ''}`;
    return (
        <mark
            class={cls}
            style={first.weight ? { '--tint': `${Math.round(40 + 60 * first.weight)}%` } : undefined}
            title={spans.map(span => span.title).join('\n')}
            data-f={spans.map(span => `${span.finding}.${span.index}`).join(' ')}
            onClick={onFinding && (() => getSelection()?.isCollapsed !== false && onFinding(first.finding, first.index))}
        >
            {kids}
        </mark>
    );
}
