// The list of findings: groups, each item with its best line of proof; only what is in view is drawn.
import type { JSX } from 'preact';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import type { Finding, Summary } from '../api';
import { addresses, num, runLabel } from '../format';
import { withQuery } from '../router';
import { quoteLine, visible } from '../text';
import { useInView, useNarrow } from '../use';
import { KindMark } from './marks';

export type Grouping = 'detector' | 'task';
type Line = { head: string; at: number } | { finding: Finding };

export function Inbox({
    items,
    total,
    want,
    grouping,
    summary,
    current,
    choose,
}: {
    items: Finding[];
    total: number;
    want: (n: number) => void;
    grouping: Grouping;
    summary?: Summary;
    current?: string;
    choose: (id: string) => void;
}): JSX.Element {
    const narrow = useNarrow();
    const [headHeight, itemHeight] = narrow ? [38, 62] : [33, 53];
    const lines = useMemo(() => {
        const all: Line[] = [];
        let last: string | null = null;
        items.forEach((finding, at) => {
            const head = grouping === 'detector' ? finding.detector : (finding.task_id ?? 'no task');
            if (head !== last) all.push({ head: (last = head), at });
            all.push({ finding });
        });
        return all;
    }, [items, grouping]);
    const offsets = useMemo(() => {
        const edges = new Float64Array(lines.length + 1);
        lines.forEach((line, i) => (edges[i + 1] = edges[i]! + ('head' in line ? headHeight : itemHeight)));
        return edges;
    }, [lines, headHeight, itemHeight]);
    const list = useRef<HTMLDivElement>(null);
    const [from, to] = useInView(list, offsets, 300);
    useEffect(() => want(to), [to, items.length]);
    useEffect(() => {
        const i = lines.findIndex(line => 'finding' in line && line.finding.id === current);
        const scroller = list.current?.closest<HTMLElement>('.inbox');
        if (i < 0 || !scroller || narrow) return;
        const bar = scroller.querySelector<HTMLElement>('.bar')!.offsetHeight;
        const top = list.current!.offsetTop + offsets[i]! - bar - headHeight;
        if (top < scroller.scrollTop) scroller.scrollTop = top;
        else if (list.current!.offsetTop + offsets[i + 1]! > scroller.scrollTop + scroller.clientHeight)
            scroller.scrollTop = list.current!.offsetTop + offsets[i + 1]! - scroller.clientHeight + 40;
    }, [current]);
    return (
        <div ref={list} class="inbox-list">
            <div style={{ height: `${offsets[from]}px` }} />
            {lines.slice(from, to).map(line => {
                if ('head' in line)
                    return (
                        <GroupHead key={'head ' + line.head + line.at} name={line.head} grouping={grouping} summary={summary} />
                    );
                const f = line.finding;
                const quote = f.evidence[0] ? quoteLine(f.evidence[0], 120) : '';
                const done = f.status === 'open' ? '' : f.status === 'dismissed' ? ' done dis' : ' done';
                return (
                    <div key={f.id}>
                        <a
                            class={`item${done}`}
                            href={withQuery({ f: f.id })}
                            aria-current={f.id === current ? 'true' : undefined}
                            onClick={event => {
                                if (!event.metaKey && !event.ctrlKey && !event.shiftKey) {
                                    event.preventDefault();
                                    choose(f.id);
                                }
                            }}
                        >
                            <KindMark kind={f.kind} />
                            <span class="one t" title={f.title}>
                                {visible(f.title)}
                            </span>
                            <span class="place">
                                {f.status !== 'open'
                                    ? f.status
                                    : grouping === 'detector'
                                      ? (f.task_id ?? (f.run && runLabel(f.run)) ?? '')
                                      : addresses(f.evidence, 1)}
                            </span>
                            <samp class="q one">
                                {quote ? (
                                    done ? (
                                        quote
                                    ) : (
                                        <mark class={`ev ev-${f.kind}`}>{quote}</mark>
                                    )
                                ) : (
                                    <span class="dim">{grouping === 'task' ? f.detector : 'nothing stands there'}</span>
                                )}
                            </samp>
                        </a>
                    </div>
                );
            })}
            <div
                style={{
                    height: `${offsets[lines.length]! - offsets[Math.max(from, to)]! + Math.max(0, total - items.length) * itemHeight}px`,
                }}
            />
        </div>
    );
}

function GroupHead({ name, grouping, summary }: { name: string; grouping: Grouping; summary?: Summary }): JSX.Element {
    const row = grouping === 'detector' ? summary?.detectors.find(d => d.detector === name) : undefined;
    const reviewed = row ? row.confirmed + row.dismissed : 0;
    return (
        <h2 class="group">
            <span class="one">{grouping === 'task' && name !== 'no task' ? `task ${name}` : name}</span>
            {row && (
                <span class="dim">
                    {num(row.open)} open of {num(row.findings)}
                </span>
            )}
            {row && <span class="end">{row.excepted ? `${num(row.excepted)} excepted, ` : ''}{reviewed ? `${num(row.confirmed)} of ${num(reviewed)} confirmed` : 'no reviews'}</span>}
        </h2>
    );
}
