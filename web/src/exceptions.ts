// Exceptions of rules: what is not to be found again, and why.
import { call, get, pathOf, type Finding, type List } from './api';

/** As in the rule language: a pattern, texts of which one stands in the value, or an object. */
export type Matcher =
    | string
    | string[]
    | { is?: string | string[]; literal?: string | string[]; regex?: string | string[]; nocase?: boolean; word?: boolean; not?: Matcher };
export type When = Record<string, Matcher>;

export interface Exception {
    id: string;
    detector: string;
    when: When;
    /** null: it holds in every collection. */
    collection: string | null;
    collection_name: string | null;
    reviewer: string | null;
    note: string | null;
    created_at: string;
    /** That it sets aside now. */
    findings: number;
}

export interface ExceptionWish {
    detector: string;
    when: When;
    collection?: string;
    reviewer?: string;
    note?: string;
}

export const exceptions = {
    list: (params: { collection?: string; detector?: string }, signal?: AbortSignal) =>
        get<List<Exception>>('/exceptions', params, signal),
    add: (wish: ExceptionWish) => call<Exception>('POST', '/exceptions', { body: wish }),
    test: (wish: ExceptionWish, signal?: AbortSignal) =>
        call<{ findings: number }>('POST', '/exceptions/test', { body: wish, ...(signal && { signal }) }),
    remove: (id: string) => call<{ reopened: number }>('DELETE', '/exceptions' + pathOf(id)),
};

/** What of a finding an exception may ask for, the likeliest first. */
export interface Offer {
    field: string;
    value: string;
    /** Asked for unless one says otherwise. */
    likely: boolean;
    /** The value may be shortened: it is enough that it stands in the words. */
    part: boolean;
}

export function offersOf(finding: Finding): Offer[] {
    const captures = Object.entries(finding.captures ?? {}).map(([name, value]) => ({
        field: 'capture.' + name,
        value,
        likely: true,
        part: false,
    }));
    const offers: Offer[] = [...captures, { field: 'title', value: finding.title, likely: !captures.length, part: false }];
    const add = (field: string, value: string | null | undefined, part = false) => {
        if (value) offers.push({ field, value, likely: false, part });
    };
    add('quote', finding.evidence[0]?.quote.split('\n').find(line => line.trim())?.trim().slice(0, 200), true);
    add('task_id', finding.task_id);
    add('model', finding.run?.model);
    return offers;
}

/** Whether a finding is one of those that an exception made from an offer sets aside, as far as the page can tell. */
export function isLike(finding: Finding, exception: Exception): boolean {
    const offers = new Map(offersOf(finding).map(o => [o.field, o.value]));
    return (
        finding.detector === exception.detector &&
        Object.entries(exception.when).every(([field, matcher]) =>
            typeof matcher === 'object' && 'is' in matcher ? matcher.is === offers.get(field)?.trim() : true,
        )
    );
}

const words = (value: string | string[] | undefined) =>
    (Array.isArray(value) ? value : [value ?? '']).map(word => `“${word}”`).join(' or ');

function matcherText(matcher: Matcher): string {
    if (typeof matcher === 'string') return `matches ${words(matcher)}`;
    if (Array.isArray(matcher)) return `has ${words(matcher)} in it`;
    if (matcher.not !== undefined) return `not: ${matcherText(matcher.not)}`;
    const parts = [
        ...(matcher.is === undefined ? [] : [`is ${words(matcher.is)}`]),
        ...(matcher.literal === undefined ? [] : [`has ${words(matcher.literal)} in it`]),
        ...(matcher.regex === undefined ? [] : [`matches ${words(matcher.regex)}`]),
    ];
    return parts.join(' and ');
}

/** A condition in words. */
export function whenText(when: When): string {
    const terms = Object.entries(when).map(([field, matcher]) => `${field.replace(/^capture\./, '')} ${matcherText(matcher)}`);
    return terms.length ? terms.join(', ') : 'all that it finds';
}
