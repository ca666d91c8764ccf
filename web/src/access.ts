// Tokens, and the log of who changed what.
import { call, get, pathOf, type Json, type List } from './api';
import type { Scope } from './session';

export interface Token {
    id: string;
    name: string;
    scopes: Scope[];
    /** Ids; null: all. */
    collections: string[] | null;
    /** Requests a second. */
    rate: number | null;
    max_upload_mb: number | null;
    made_by: string | null;
    created_at: string | null;
    expires_at: string | null;
    used_at: string | null;
    revoked_at: string | null;
}

export interface TokenWish {
    name: string;
    scopes: Scope[];
    collections?: string[];
    expires_at?: string;
    rate?: number;
    max_upload_mb?: number;
}

/** A line of the log. */
export interface Change {
    id: number;
    at: string;
    /** The name of a token, "local" on an open server, or "cli:USER". */
    actor: string;
    token: string | null;
    address: string | null;
    action: string;
    target: string | null;
    detail: Json;
}

export const access = {
    tokens: (signal?: AbortSignal) => get<List<Token>>('/tokens', undefined, signal),
    /** What its owner sends is in the answer, this once. */
    addToken: (wish: TokenWish) => call<Token & { token: string }>('POST', '/tokens', { body: wish }),
    revokeToken: (id: string) => call<null>('DELETE', '/tokens' + pathOf(id)),
    changes: (actor: string, after: string, signal?: AbortSignal) =>
        get<List<Change>>('/audit', { actor, after, limit: 100 }, signal),
};
