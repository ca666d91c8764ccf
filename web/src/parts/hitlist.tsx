// Hits of a search, in the order in which they come, under the runs that say them; only the rows in view are drawn.
import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import { num, runLabel, shortModel } from '../format';
import { runPath } from '../router';
import type { Rows } from '../rows';
import { piecesOf, type SearchHit } from '../searching';
import { visible } from '../text';
import { useInView, useNarrow } from '../use';
import { OutcomeMark } from './marks';

/** The address of a hit: the run, at these words. */
export const hitPath = (hit: SearchHit) =>
    runPath(hit.run, {
        message: hit.message,
        transcript: hit.transcript,
        span: { part: hit.part, start: hit.start, end: hit.end },
    });

type Row = { hit: SearchHit; at: number; head: boolean };

function rowsOf(hits: SearchHit[]): Row[] {
    const rows: Row[] = [];
    hits.forEach((hit, at) => {
        if (hit.run !== hits[at - 1]?.run) rows.push({ hit, at, head: true });
        rows.push({ hit, at, head: false });
    });
    return rows;
}

export function HitList({
    rows,
    words,
    cursor,
    collections,
}: {
    rows: Rows<SearchHit>;
    words: string[];
    cursor: number;
    /** Names by id; empty where all hits are of one. */
    collections: ReadonlyMap<string, string>;
}): JSX.Element {
    const narrow = useNarrow();
    const drawn = useMemo(() => rowsOf(rows.items), [rows.items]);
    const offsets = useMemo(() => {
        const edges = new Float64Array(drawn.length + 1);
        drawn.forEach((row, i) => (edges[i + 1] = edges[i]! + (row.head ? (narrow ? 44 : 34) : narrow ? 62 : 27)));
        return edges;
    }, [drawn, narrow]);
    const list = useRef<HTMLDivElement>(null);
    const [from, until] = useInView(list, offsets);
    // Hits of another search begin at the top.
    const before = useRef(rows.key);
    useLayoutEffect(() => {
        if (before.current !== rows.key && list.current) list.current.parentElement!.scrollTop = 0;
        before.current = rows.key;
    }, [rows.key]);
    useEffect(() => {
        if (until >= drawn.length - 1 && rows.next) rows.want(rows.items.length + 1);
    }, [until, drawn, rows.next]);
    useEffect(() => {
        const scroller = list.current?.parentElement;
        const at = drawn.findIndex(row => row.at === cursor && !row.head);
        if (!scroller || narrow || at < 0) return;
        const top = offsets[drawn[at - 1]?.head ? at - 1 : at]!;
        if (top < scroller.scrollTop) scroller.scrollTop = top;
        else if (offsets[at + 1]! > scroller.scrollTop + scroller.clientHeight)
            scroller.scrollTop = offsets[at + 1]! - scroller.clientHeight;
    }, [cursor]);
    return (
        <div class="hits" tabIndex={narrow ? undefined : 0} role="region" aria-label="Hits" aria-busy={rows.loading}>
            <div ref={list}>
                <div aria-hidden="true" style={{ height: `${offsets[from]}px` }} />
                {drawn.slice(from, until).map(row =>
                    row.head ? (
                        <RunRow key={`run ${row.at}`} hit={row.hit} collection={collections.get(row.hit.collection)} />
                    ) : (
                        <HitRow key={row.at} hit={row.hit} words={words} narrow={narrow} current={row.at === cursor} />
                    ),
                )}
                <div aria-hidden="true" style={{ height: `${offsets[drawn.length]! - offsets[until]!}px` }} />
                {rows.next && (
                    <p class="hit soon">{rows.loading ? 'more on the way …' : `${num(rows.items.length)} shown; scroll for more`}</p>
                )}
            </div>
        </div>
    );
}

function RunRow({ hit, collection }: { hit: SearchHit; collection?: string }): JSX.Element {
    return (
        <div class="hit-run">
            <OutcomeMark success={hit.success} label />
            <a class="one" href={runPath(hit.run)} title={runLabel({ ...hit, id: hit.run, name: null })}>
                {visible(runLabel({ ...hit, id: hit.run, name: null }))}
            </a>
            {hit.task_id != null && hit.task_id !== hit.external_id && (
                <span class="one hide-s" title={hit.task_id}>
                    {visible(hit.task_id)}
                </span>
            )}
            {hit.model != null && (
                <span class="one" title={hit.model}>
                    {visible(shortModel(hit.model))}
                </span>
            )}
            {collection != null && <span class="one end hide-s">{visible(collection)}</span>}
        </div>
    );
}

/** What kind of text of the message it is, where that is not plain. */
const partName = (hit: SearchHit) =>
    hit.part === 'text' ? hit.role : hit.part.endsWith('.arguments') ? 'call' : hit.part === 'error' ? 'error' : 'reasoning';

function HitRow({
    hit,
    words,
    narrow,
    current,
}: {
    hit: SearchHit;
    words: string[];
    narrow: boolean;
    current: boolean;
}): JSX.Element {
    return (
        <a class={`hit${current ? ' cur' : ''}`} href={hitPath(hit)} aria-current={current || undefined}>
            <span class="place">M{hit.message}</span>
            <span class={`by ${hit.role}`}>
                <i aria-hidden="true" />
                <span class="one">
                    {partName(hit)}
                    {hit.tool != null && <span class="dim"> {visible(hit.tool)}</span>}
                </span>
            </span>
            <samp class="one">
                {piecesOf(hit, words, narrow ? 14 : undefined).map((piece, i) =>
                    piece.marked ? <mark key={i}>{visible(piece.text)}</mark> : visible(piece.text),
                )}
            </samp>
        </a>
    );
}
