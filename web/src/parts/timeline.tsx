// The run along its time, one lane a transcript: where the time went, what its sub-agents did meanwhile. A press goes there.
import type { JSX } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { RunDetail } from '../api';
import { count, duration, num, time } from '../format';
import { WIDTH, lanesOf, messageAt, type Lane } from '../lanes';
import { runPath } from '../router';
import { clip } from '../text';
import { isSaid, type EvItem } from '../transcript';

const HIGH = 14;
const MOST = 8; /* lanes before the rest is folded */
const ROLES = ['system', 'user', 'assistant', 'tool'];

export function Timeline({
    run,
    at,
    stops,
    view,
    onGo,
}: {
    run: RunDetail;
    /** The transcript that is read. */
    at: number;
    stops: EvItem[];
    /** Calls back whenever other messages come into view. */
    view: (watcher: (first: number, last: number) => void) => () => void;
    onGo: (transcript: number, message: number) => void;
}): JSX.Element | null {
    const { lanes, span, start, cuts } = useMemo(() => lanesOf(run), [run.transcripts, run.marks]);
    const [all, setAll] = useState(false);
    if (lanes.length < 2 && span == null) return null;
    const shown = all || lanes.length <= MOST + 1 ? lanes : lanes.filter((lane, i) => i < MOST || lane.transcript === at);
    return (
        <nav class="lanes" aria-label={run.transcripts.length > 1 ? 'Transcripts' : 'Timeline'}>
            {shown.map(lane => (
                <LaneRow
                    key={lane.transcript}
                    run={run.id}
                    lane={lane}
                    alone={lanes.length < 2}
                    current={lane.transcript === at}
                    cuts={cuts}
                    stops={stops.filter(s => s.evidence.message != null && (s.evidence.position ?? 0) === lane.transcript && !isSaid(s.finding.id))}
                    view={view}
                    onGo={onGo}
                />
            ))}
            <p class="axis">
                <span>
                    {shown.length < lanes.length && (
                        <button class="more" type="button" onClick={() => setAll(true)}>
                            {num(lanes.length - shown.length)} more
                        </button>
                    )}
                </span>
                <span class="ends">
                    <span>{start != null ? time(new Date(start).toISOString()) : 'by messages: the source has no times'}</span>
                    {cuts.length > 0 && <span>{count(cuts.length, 'pause')} of over an hour drawn short</span>}
                    {span != null && <span>{duration(span)}</span>}
                </span>
            </p>
        </nav>
    );
}

function LaneRow({
    run,
    lane,
    alone,
    current,
    cuts,
    stops,
    view,
    onGo,
}: {
    run: string;
    lane: Lane;
    alone: boolean;
    current: boolean;
    cuts: number[];
    stops: EvItem[];
    view: (watcher: (first: number, last: number) => void) => () => void;
    onGo: (transcript: number, message: number) => void;
}): JSX.Element {
    const frame = useRef<SVGRectElement>(null);
    useEffect(() => {
        if (!current) return;
        return view((first, last) => {
            const left = first > 0 ? (lane.ends[first - 1] ?? 0) : 0;
            const right = lane.ends[Math.min(last, lane.messages - 1)] ?? left;
            frame.current?.setAttribute('x', String(Math.max(0, left - 1)));
            frame.current?.setAttribute('width', String(Math.max(3, right - left + 2)));
        });
    }, [current, lane, view]);
    const go = (event: PointerEvent) => {
        const box = (event.currentTarget as SVGSVGElement).getBoundingClientRect();
        if (lane.messages) onGo(lane.transcript, messageAt(lane, ((event.clientX - box.left) / box.width) * WIDTH));
    };
    return (
        <div class="lane">
            <a
                class={`one d${lane.depth}`}
                href={runPath(run, { transcript: lane.transcript })}
                aria-current={current ? 'true' : undefined}
                title={`${clip(lane.name)}, ${count(lane.messages, 'message')}`}
            >
                {alone ? 'Timeline' : clip(lane.name)} {!alone && <small>{num(lane.messages)}</small>}
            </a>
            <svg
                viewBox={`0 0 ${WIDTH} ${HIGH}`}
                preserveAspectRatio="none"
                aria-hidden="true"
                onPointerDown={event => {
                    event.currentTarget.setPointerCapture(event.pointerId);
                    go(event);
                }}
                onPointerMove={event => event.buttons && current && go(event)}
            >
                <rect class="catch" width={WIDTH} height={HIGH} />
                {ROLES.map((role, i) => (
                    <path
                        key={role}
                        class={`r-${role}`}
                        d={lane.bars
                            .filter(bar => bar.role === i)
                            .map(bar => `M${bar.x} 2h${bar.w}v${HIGH - 4}h-${bar.w}z`)
                            .join('')}
                    />
                ))}
                {cuts.map(x => (
                    <path key={x} class="cut" d={`M${x} 0v${HIGH}`} />
                ))}
                {stops.map((s, i) => (
                    <path
                        key={i}
                        class={`f f-${s.finding.kind}${s.finding.status === 'dismissed' ? ' dis' : ''}`}
                        d={`M${lane.ends[Math.min(s.evidence.message!, lane.messages - 1)] ?? 0} 0v${HIGH}`}
                    />
                ))}
                {current && <rect class="view" ref={frame} y="0.5" height={HIGH - 1} rx="1" />}
            </svg>
        </div>
    );
}
