// How numbers, times and names are written. Unknown is a dash, never 0.
import type { Collection, Evidence, Kind, Rate, Run } from './api';

export const DASH = '—';
const whole = new Intl.NumberFormat('en');

export const num = (n: number | null | undefined) => (n == null ? DASH : whole.format(n));
export const count = (n: number, one: string, many = one + 's') => `${whole.format(n)} ${n === 1 ? one : many}`;

export function percent(rate: number | null | undefined, digits = 1): string {
    return rate == null ? DASH : (rate * 100).toFixed(digits);
}
export function interval(rate: Rate | null | undefined): string {
    return rate == null ? DASH : `${Math.round(rate.low * 100)}–${Math.round(rate.high * 100)}`;
}

/** Wilson's 95 % interval for k of n; null where nothing was counted. */
export function wilson(k: number, n: number): Rate | null {
    if (n === 0) return null;
    const z = 1.96;
    const p = k / n;
    const d = 1 + (z * z) / n;
    const centre = (p + (z * z) / (2 * n)) / d;
    const half = (z * Math.sqrt((p * (1 - p)) / n + (z * z) / (4 * n * n))) / d;
    return { value: p, low: Math.max(0, centre - half), high: Math.min(1, centre + half) };
}

/** A megabyte has 2^20 bytes, here as in the limits that the server is given. */
export function bytes(n: number): string {
    if (n < 1024) return count(n, 'byte');
    const units = ['KB', 'MB', 'GB', 'TB'];
    let unit = -1;
    do {
        n /= 1024;
        unit++;
    } while (n >= 1023.5 && unit < units.length - 1);
    return `${n < 9.95 ? n.toFixed(1) : Math.round(n)} ${units[unit]}`;
}

/** How much a collection has of what its quota allows: "3 of 5,000 runs, 14 KB of 10 GB". */
export function quotaUse(c: Collection): string {
    const each = (most: string) => {
        const [, n = '', unit = ''] = /^(\d+)(\D+)$/.exec(most.trim()) ?? [];
        return unit === 'runs' ? `${num(c.runs)} of ${count(Number(n), 'run')}` : `${bytes(c.bytes)} of ${num(Number(n))} ${unit}`;
    };
    return (c.quota ?? '').split(',').map(each).join(', ');
}

export function duration(ms: number | null | undefined): string {
    if (ms == null) return DASH;
    if (ms < 1000) return `${Math.round(ms)} ms`;
    const s = ms / 1000;
    if (s < 60) return `${s < 10 ? s.toFixed(1) : Math.round(s)} s`;
    const m = Math.floor(s / 60);
    if (m < 60) return `${m} min ${Math.round(s % 60)} s`;
    return `${Math.floor(m / 60)} h ${m % 60} min`;
}

export function cost(usd: number | null | undefined): string {
    return usd == null ? DASH : usd < 0.1 ? `$${usd.toFixed(4)}` : `$${usd.toFixed(2)}`;
}

/** "22 Nov, 02:14"; with the year where it is not this one. */
export function time(iso: string | null | undefined): string {
    if (!iso) return DASH;
    const date = new Date(iso);
    if (isNaN(date.getTime())) return iso;
    const sameYear = date.getFullYear() === new Date().getFullYear();
    const day = date.toLocaleDateString('en-GB', { day: 'numeric', month: 'short', ...(sameYear ? {} : { year: 'numeric' }) });
    return `${day}, ${date.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' })}`;
}

/** "02:14:09": of something whose day is said elsewhere. */
export function clock(iso: string): string {
    const date = new Date(iso);
    return isNaN(date.getTime()) ? iso.slice(0, 40) : date.toLocaleTimeString('en-GB');
}

export const KINDS: Kind[] = ['broken_task', 'odd_behavior', 'near_miss', 'harness', 'data'];
export const KIND_NAME: Record<Kind, string> = {
    broken_task: 'broken task',
    odd_behavior: 'odd behaviour',
    near_miss: 'near miss',
    harness: 'harness',
    data: 'data',
};

export type Outcome = 'pass' | 'fail' | 'unknown';
export const outcome = (success: boolean | null | undefined): Outcome =>
    success == null ? 'unknown' : success ? 'pass' : 'fail';
export const OUTCOME_NAME: Record<Outcome, string> = { pass: 'passed', fail: 'failed', unknown: 'unknown' };

/** Where a piece of evidence stands: "M27", or the run's field: "target", "exit status". */
export function address(e: Pick<Evidence, 'message' | 'part'>): string {
    if (e.message != null) return `M${e.message}`;
    const score = /^score:.*\.(\w+)$/s.exec(e.part);
    return score ? score[1]! : e.part.replace(/^run\./, '').replace('_', ' ');
}

/** Up to three different addresses of a finding. */
export function addresses(evidence: Evidence[], most = 3): string {
    const all = [...new Set(evidence.map(address))];
    return all.slice(0, most).join(' ') + (all.length > most ? ` +${all.length - most}` : '');
}

/** One line for a run in a list. */
export const runLabel = (run: Pick<Run, 'id' | 'external_id' | 'name'>) => run.external_id ?? run.name ?? run.id.slice(0, 8);

export function passRate(c: Pick<Collection, 'passed' | 'failed'>): number | null {
    return c.passed + c.failed ? c.passed / (c.passed + c.failed) : null;
}

/** "large-2024" of "north/large-2024": the part after the last slash. */
export const shortModel = (model: string | null) => (model == null ? DASH : model.slice(model.lastIndexOf('/') + 1) || model);
