// Small signs: kind, outcome, severity, addresses, and a quote in one line.
import type { JSX } from 'preact';
import type { Evidence, Kind, Severity } from '../api';
import { KIND_NAME, OUTCOME_NAME, address, outcome } from '../format';
import { quoteLine } from '../text';

/** Beside its word a mark is hidden from readers; alone it says its name. Hollow: not sure. */
export function KindMark({ kind, label, title, hollow }: { kind: Kind; label?: string | boolean; title?: string; hollow?: boolean }): JSX.Element {
    const said = label === true ? KIND_NAME[kind] : label;
    const look = `k k-${kind}${hollow ? ' hollow' : ''}`;
    return said ? <i class={look} role="img" aria-label={said} title={said} /> : <i class={look} aria-hidden="true" title={title} />;
}

export function OutcomeMark({ success, label }: { success: boolean | null; label?: boolean }): JSX.Element {
    const o = outcome(success);
    return label ? <i class={`o o-${o}`} role="img" aria-label={OUTCOME_NAME[o]} /> : <i class={`o o-${o}`} aria-hidden="true" />;
}

export function SeverityMark({ severity }: { severity: Severity }): JSX.Element {
    return (
        <span class={`sev sev-${severity}`} role="img" aria-label={`severity ${severity}`} title={`severity ${severity}`}>
            <i />
            <i />
            <i />
        </span>
    );
}

/** The best line of proof, its words underlined, and where it stands. */
export function Quote({
    evidence,
    kind,
    place,
}: {
    evidence: Evidence | undefined;
    kind: Kind;
    place?: string;
}): JSX.Element | null {
    if (!evidence) return null;
    const line = quoteLine(evidence);
    return (
        <span class="l2">
            <samp class="one">
                {line ? <mark class={`ev ev-${kind}`}>{line}</mark> : <span class="dim">nothing stands there</span>}
            </samp>
            <span class="place">{place ?? address(evidence)}</span>
        </span>
    );
}

/** A share of a whole as a bar; `behind` a second, paler one. */
export function Meter({ value, behind }: { value: number | null; behind?: number | null }): JSX.Element {
    return (
        <svg class="meter" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">
            <rect width="100" height="6" />
            {behind != null && <rect class="v" width={behind * 100} height="6" fill-opacity=".45" />}
            {value != null && <rect class="v" width={value * 100} height="6" />}
        </svg>
    );
}
