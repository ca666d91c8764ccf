// The margin: what a finding says about the message beside it, and who says so.
import type { JSX } from 'preact';
import type { Finding, Status } from '../api';
import { num } from '../format';
import { visible } from '../text';
import { isSaid, type EvItem } from '../transcript';
import { KindMark, SeverityMark } from './marks';

export function Notes({
    items,
    now,
    onGo,
    onReview,
}: {
    items: EvItem[];
    now: { finding: string; index: number } | null;
    onGo: (finding: string, index: number) => void;
    onReview: (finding: Finding, status: Status) => void;
}): JSX.Element {
    // One note a finding, for its first evidence here.
    const seen = new Set<string>();
    const first = items.filter(item => !seen.has(item.finding.id) && seen.add(item.finding.id));
    return (
        <>
            {first.map(item =>
                isSaid(item.finding.id) ? (
                    <SaidNote key={item.finding.id} item={item} now={now} onGo={onGo} />
                ) : (
                    <Note
                        key={item.finding.id}
                        item={item}
                        here={items.filter(i => i.finding === item.finding)}
                        now={now}
                        onGo={onGo}
                        onReview={onReview}
                    />
                ),
            )}
        </>
    );
}

/** Of a judgment that no finding came of: nothing to confirm or dismiss. */
function SaidNote({
    item: { finding, index },
    now,
    onGo,
}: {
    item: EvItem;
    now: { finding: string; index: number } | null;
    onGo: (finding: string, index: number) => void;
}): JSX.Element {
    const all = finding.evidence.length;
    const at = now?.finding === finding.id ? now.index : index;
    return (
        <div
            role="note"
            class={`note n-said${now?.finding === finding.id ? ' now' : ''}`}
            aria-label={`Judgment ${finding.behavior}`}
        >
            <p class="nh">
                <button class="as-text" type="button" onClick={() => onGo(finding.id, index)}>
                    {finding.behavior}: {finding.title}
                </button>
            </p>
            <p class="by">{finding.detector}</p>
            <p class="do">
                <span>
                    {num(at + 1)} of {num(all)}
                </span>
                {all > 1 && (
                    <button class="more" type="button" onClick={() => onGo(finding.id, (at + 1) % all)}>
                        next
                    </button>
                )}
            </p>
        </div>
    );
}

function Note({
    item,
    here,
    now,
    onGo,
    onReview,
}: {
    item: EvItem;
    here: EvItem[];
    now: { finding: string; index: number } | null;
    onGo: (finding: string, index: number) => void;
    onReview: (finding: Finding, status: Status) => void;
}): JSX.Element {
    const { finding } = item;
    const current = now?.finding === finding.id;
    const index = current && here.some(i => i.index === now.index) ? now.index : item.index;
    const all = finding.evidence.length;
    const full = item.index === 0 || current;
    return (
        <div
            role="note"
            class={`note n-${finding.kind}${current ? ' now' : ''}${finding.status === 'dismissed' ? ' dis' : ''}`}
            aria-label={`Finding ${finding.behavior}`}
        >
            <p class="nh">
                <KindMark kind={finding.kind} />
                <button class="as-text" type="button" onClick={() => onGo(finding.id, item.index)}>
                    {finding.behavior}
                </button>
                <SeverityMark severity={finding.severity} />
            </p>
            {full && <p>{visible(finding.title)}</p>}
            {current && finding.message && finding.message !== finding.title && <p class="sub">{finding.message}</p>}
            {full && (
                <p class="by" title={`version ${finding.detector_version}`}>
                    {finding.scope === 'run' ? '' : `about the whole ${finding.scope}, `}
                    {finding.detector.startsWith('judge') ? '' : 'rule '}
                    {finding.detector}
                </p>
            )}
            {full && finding.note && <p class="by">note: {finding.note}</p>}
            <p class="do">
                <span>
                    {num(index + 1)} of {num(all)}
                </span>
                {all > 1 && (
                    <button class="more" type="button" onClick={() => onGo(finding.id, (index + 1) % all)}>
                        next
                    </button>
                )}
                {finding.status === 'open' ? (
                    <>
                        <button data-need="review" class="more" type="button" onClick={() => onReview(finding, 'confirmed')}>
                            confirm
                        </button>
                        <button data-need="review" class="more" type="button" onClick={() => onReview(finding, 'dismissed')}>
                            dismiss
                        </button>
                    </>
                ) : (
                    <>
                        <span>
                            {finding.status}
                            {finding.reviewer ? ` by ${finding.reviewer}` : ''}
                        </span>
                        <button data-need="review" class="more" type="button" onClick={() => onReview(finding, 'open')}>
                            open again
                        </button>
                    </>
                )}
            </p>
        </div>
    );
}
