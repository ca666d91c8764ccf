// What judges said of a run: a row each, opened to the reasons; and the words that a judge cites, in their place.
import type { ComponentChildren, JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { Evidence, Finding, Json, RunDetail } from '../api';
import { DASH, address, cost, count, num, percent, time } from '../format';
import { judging, type Agreement, type Bin, type Judgment } from '../judging';
import { quoteLine, visible } from '../text';
import { saidId } from '../transcript';
import { useAsk } from '../use';
import { KindMark, Meter } from './marks';
import { Failure } from './say';
import { FoldedText } from './textpart';

export const ofJudge = (finding: Pick<Finding, 'detector'>) => finding.detector.startsWith('judge:');
export const rubricTitle = (judgment: Judgment) => visible(judgment.title || judgment.rubric);
export const decisionOf = (judgment: Judgment) =>
    judgment.state === 'failed' ? 'failed' : visible(judgment.decision ?? JSON.stringify(judgment.answer));

/** The finding that a judgment became, if it is one that stands. */
export function findingOf(judgment: Judgment, findings: Finding[]): Finding | undefined {
    const detector = `judge:${judgment.rubric}@${judgment.version}`;
    const key = judgment.judge_key.slice(0, 8);
    return findings.find(f => f.detector === detector && f.detector_version.endsWith(key));
}

/** A judgment whose quotes no finding shows, in the shape that the transcript marks: never stored, never reviewed. */
export function saidBy(judgment: Judgment): Finding {
    return {
        id: saidId(judgment.id),
        detector: `judge:${judgment.rubric}@${judgment.version}`,
        detector_version: judgment.judge,
        behavior: rubricTitle(judgment),
        kind: 'data',
        severity: 'low',
        confidence: null,
        title: decisionOf(judgment),
        message: judgment.explanation,
        scope: 'run',
        status: 'open',
        note: null,
        reviewer: null,
        exception: null,
        created_at: judgment.created_at,
        task_id: null,
        run: null,
        evidence: judgment.evidence ?? [],
    };
}

export function Judgments({
    run,
    judgments,
    opened,
    now,
    toggle,
    onGo,
}: {
    run: RunDetail;
    judgments: Judgment[];
    opened: ReadonlySet<string>;
    now: { finding: string; index: number } | null;
    toggle: (id: string) => void;
    onGo: (finding: string, index: number) => void;
}): JSX.Element | null {
    const [earlier, setEarlier] = useState(false);
    if (!judgments.length) return null;
    const newest = new Map<string, number>();
    for (const j of judgments) newest.set(j.rubric, Math.max(newest.get(j.rubric) ?? 0, j.version));
    const counts = (j: Judgment) => j.current && j.version === newest.get(j.rubric);
    const shown = judgments
        .filter(j => earlier || counts(j) || opened.has(j.id))
        .sort((a, b) => Number(b.flagged) - Number(a.flagged) || a.rubric.localeCompare(b.rubric) || b.version - a.version);
    const hidden = judgments.length - shown.length;
    return (
        <section class="judgments" aria-label="Judgments">
            <ul>
                {shown.map(j => (
                    <JudgmentRow
                        key={j.id}
                        judgment={j}
                        finding={findingOf(j, run.all_findings)}
                        open={opened.has(j.id)}
                        superseded={!counts(j)}
                        now={now}
                        toggle={() => toggle(j.id)}
                        onGo={onGo}
                    />
                ))}
            </ul>
            {hidden > 0 && (
                <button class="more" type="button" onClick={() => setEarlier(true)}>
                    {count(hidden, 'earlier judgment')}
                </button>
            )}
        </section>
    );
}

function JudgmentRow({
    judgment: j,
    finding,
    open,
    superseded,
    now,
    toggle,
    onGo,
}: {
    judgment: Judgment;
    finding: Finding | undefined;
    open: boolean;
    superseded: boolean;
    now: { finding: string; index: number } | null;
    toggle: () => void;
    onGo: (finding: string, index: number) => void;
}): JSX.Element {
    const calibration = useCalibration(open && j.epistemic_confidence != null ? j : null);
    const samples = j.distribution?.reduce((n, d) => n + d.n, 0) ?? 0;
    const marks = [
        j.state === 'unsupported' && 'unsupported: no quote of it stands in the run',
        j.stale && 'stale: the run has changed since',
        superseded && !j.stale && 'earlier',
    ].filter(mark => typeof mark === 'string');
    return (
        <li class={superseded || j.stale ? 'old' : undefined}>
            <button class="jrow" type="button" aria-expanded={open} onClick={toggle}>
                <i class="fold" aria-hidden="true" />
                {j.flagged && finding && <KindMark kind={finding.kind} label />}
                <span class="jsaid">
                    <span class="rubric">
                        {rubricTitle(j)} <span class="dim">v{j.version}</span>
                    </span>
                    {j.state === 'failed' ? <b class="bad">failed</b> : <b>{decisionOf(j)}</b>}
                    {j.share != null && samples > 1 && (
                        <span class="dim">
                            {num(Math.round(j.share * samples))} of {num(samples)} samples
                        </span>
                    )}
                    {j.epistemic_confidence != null && (
                        <span class="dim" title="epistemic confidence, by the paired question">
                            confidence {j.epistemic_confidence.toFixed(2)}
                            {!binOf(j, calibration) && ', measured, not calibrated'}
                        </span>
                    )}
                    {marks.map(mark => (
                        <span key={mark} class="warn">
                            {mark}
                        </span>
                    ))}
                    {j.dropped > 0 && <span class="dim">{count(j.dropped, 'false quote')} dropped</span>}
                    <span class="dim judge">{visible(j.judge)}</span>
                </span>
            </button>
            {open && (
                <Opened judgment={j} calibration={calibration} source={finding?.id ?? saidId(j.id)} now={now} onGo={onGo} />
            )}
        </li>
    );
}

function Opened({
    judgment: j,
    calibration,
    source,
    now,
    onGo,
}: {
    judgment: Judgment;
    calibration: Calibration;
    source: string;
    now: { finding: string; index: number } | null;
    onGo: (finding: string, index: number) => void;
}): JSX.Element {
    // Lists leave the raw reply out.
    const whole = useAsk(j.state === 'failed' && j.raw == null ? 'judgment ' + j.id : null, signal =>
        judging.judgment(j.id, signal),
    );
    const raw = j.raw ?? whole.data?.raw;
    const others = Object.entries(j.answer ?? {}).filter(([, value]) => said(value) !== j.decision);
    const samples = j.distribution?.reduce((n, d) => n + d.n, 0) ?? 0;
    const facts: [string, ComponentChildren][] = [
        ...others.map(([name, value]): [string, ComponentChildren] => [name, said(value)]),
        ['calls', num(j.calls) + (j.cached ? `, ${num(j.cached)} from the cache` : '')],
        ['tokens', j.tokens_in == null ? DASH : num(j.tokens_in + (j.tokens_out ?? 0))],
        ['cost', cost(j.cost_usd)],
        ['segments', j.segments > 1 ? num(j.segments) : null],
        ['judged', time(j.created_at)],
    ];
    return (
        <div class="opened">
            {j.error && (
                <p>
                    <b>No answer:</b> {visible(j.error).replace(/\.$/, '')}. This is no “no”: the run counts as not judged.
                </p>
            )}
            {j.explanation && <FoldedText id={`judgment ${j.id}`} text={j.explanation} look="brief" />}
            {j.left_out && <p class="dim">Not read by the judge: {visible(j.left_out)}</p>}
            {samples > 1 && (
                <dl class="dist">
                    {j.distribution!.map(d => (
                        <div key={JSON.stringify(d.value)}>
                            <dt>{said(d.value)}</dt>
                            <dd>
                                <Meter value={d.n / samples} /> {num(d.n)}
                            </dd>
                        </div>
                    ))}
                </dl>
            )}
            {j.epistemic_confidence != null && <Confidence judgment={j} calibration={calibration} />}
            {!!j.evidence?.length && (
                <ol class="quotes" aria-label="Quotes">
                    {j.evidence.map((evidence, i) => (
                        <li key={i}>
                            <button
                                type="button"
                                aria-current={now?.finding === source && now.index === i ? 'true' : undefined}
                                onClick={() => onGo(source, i)}
                            >
                                <span class="place">{address(evidence)}</span>
                                <q class="one">{quoteLine(evidence)}</q>
                                <Weight evidence={evidence} />
                            </button>
                        </li>
                    ))}
                </ol>
            )}
            {whole.error && <Failure error={whole.error} again={whole.again} />}
            {raw && (
                <details>
                    <summary>What came instead of an answer</summary>
                    <div class="raw">
                        <FoldedText id={`raw ${j.id}`} text={raw} look="output" />
                    </div>
                </details>
            )}
            <p class="facts">
                {facts
                    .filter(([, value]) => value != null && value !== '')
                    .map(([name, value]) => (
                        <span key={name}>
                            {visible(name)} <b>{value}</b>
                        </span>
                    ))}
                <a href={`/judges/${encodeURIComponent(j.rubric)}?version=${j.version}`}>rubric</a>
            </p>
        </div>
    );
}

const said = (value: Json) => visible(typeof value === 'string' ? value : JSON.stringify(value));

function Weight({ evidence }: { evidence: Evidence }): JSX.Element | null {
    if (!evidence.weight || evidence.weight >= 1) return null;
    return <span class="dim">{percent(evidence.weight, 0)} % of samples</span>;
}

type Calibration = Agreement['calibration'] | undefined;

/** How often answers of each confidence agreed with people, where this judge's rubric has labels here. */
function useCalibration(j: Judgment | null): Calibration {
    const { data } = useAsk(j && `calibration ${j.collection} ${j.rubric}@${j.version}/${j.judge_key}`, async signal => {
        const { collection, rubric, version, judge_key } = j!;
        const sets = await judging.labelSets({ collection }, signal);
        const set = sets.items.find(s => s.rubric === rubric && s.labels > 0);
        if (!set) return null;
        const measured = `judge:${rubric}@${version}/${judge_key.slice(0, 8)}`;
        return (await judging.agreement({ collection, reference: `people:${set.name}`, measured }, signal)).calibration;
    });
    return data;
}

function binOf(j: Judgment, calibration: Calibration): Bin | undefined {
    const c = j.epistemic_confidence!;
    return calibration?.bins.find(b => b.n > 0 && c >= b.low && (c < b.high || b.high >= 1));
}

function Confidence({ judgment: j, calibration }: { judgment: Judgment; calibration: Calibration }): JSX.Element {
    const bin = binOf(j, calibration);
    const range =
        j.paired?.low != null && j.paired.high != null && ` (${j.paired.low.toFixed(2)} to ${j.paired.high.toFixed(2)})`;
    return (
        <p class="sub">
            Confidence {j.epistemic_confidence!.toFixed(2)}
            {range}: how little the judge gained from being told another expert’s answer.{' '}
            {bin
                ? `Of ${count(bin.n, 'labelled run')} judged with ${bin.low.toFixed(2)} to ${bin.high.toFixed(2)}, people agreed with ` +
                  `${percent(bin.agreed.value, 0)} % (95 %: ${percent(bin.agreed.low, 0)}–${percent(bin.agreed.high, 0)}).`
                : 'Measured, not calibrated: no labels say yet how often such an answer is right.'}
        </p>
    );
}
