// Webhooks: who is told when jobs end, and what came of it.
import { call, get, pathOf, type Json, type List } from './api';

export const EVENTS = ['import.done', 'findings.new', 'judge.done', 'job.failed'] as const;
export type WebhookEvent = (typeof EVENTS)[number];

export interface Webhook {
    id: string;
    url: string;
    /** What links in what is told begin with. */
    page: string;
    events: WebhookEvent[];
    /** null: of all. */
    collection: { id: string; name: string } | null;
    paused: boolean;
    created_at: string;
    /** How many deliveries are in which state. */
    waiting: number;
    delivered: number;
    failed: number;
    last_at: string | null;
    last_status: number | null;
    last_error: string | null;
}

export interface Delivery {
    id: string;
    event: string;
    state: 'waiting' | 'delivered' | 'failed';
    attempts: number;
    /** Of the last answer. */
    status: number | null;
    error: string | null;
    created_at: string;
    next_at: string | null;
    ended_at: string | null;
    payload: { [key: string]: Json };
}

export interface WebhookWish {
    url: string;
    events: WebhookEvent[];
    collection?: string;
}

const pathTo = (id: string, rest = '') => '/webhooks' + pathOf(id) + rest;

export const webhooks = {
    list: (signal?: AbortSignal) => get<List<Webhook>>('/webhooks', undefined, signal),
    /** What signs its deliveries is in the answer, this once. */
    add: (wish: WebhookWish) => call<Webhook & { secret: string }>('POST', '/webhooks', { body: wish }),
    pause: (id: string, paused: boolean) => call<Webhook>('PATCH', pathTo(id), { body: { paused } }),
    /** Of these events, from now on. */
    tell: (id: string, events: WebhookEvent[]) => call<Webhook>('PATCH', pathTo(id), { body: { events } }),
    remove: (id: string) => call<null>('DELETE', pathTo(id)),
    test: (id: string) => call<Delivery>('POST', pathTo(id, '/test'), { body: {} }),
    /** The last ones, the newest first. */
    deliveries: (id: string, signal?: AbortSignal) => get<List<Delivery>>(pathTo(id, '/deliveries'), undefined, signal),
};
