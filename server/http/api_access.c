/* Signing in and out, tokens, and the log of changes. */
#include "http/access.h"
#include "http/api.h"

#include "base/clock.h"
#include "view/access.h"

/* null: all of them; an empty list: all that it was for are gone. */
static void collections(struct jsonw *j, const struct token_row *token)
{
    jsonw_key(j, "collections");
    if (!token->bound) {
        jsonw_null(j);
        return;
    }
    jsonw_array(j);
    for (size_t i = 0; i < token->collections.n; i++)
        jsonw_str(j, token->collections.items[i]);
    jsonw_end(j);
}

/* ---- sessions ---------------------------------------------------------------------------------------------------------- */

static int64_t session_end(const struct session_row *session)
{
    int64_t idle = session->used + SESSION_IDLE_S * INT64_C(1000000), life = session->created + SESSION_LIFE_S * INT64_C(1000000);
    int64_t end = idle < life ? idle : life;
    return session->token.expires && session->token.expires < end ? session->token.expires : end;
}

static void view_session(struct jsonw *j, const struct request *r, const struct who *who)
{
    bool closed = access_is_closed(r->server->access);
    jsonw_object(j);
    jsonw_kstrz(j, "mode", closed ? "closed" : "open");
    jsonw_kbool(j, "signed_in", !closed || who->token.n);
    jsonw_kstr(j, "name", who->name);
    jsonw_kstr(j, "token", who->token.id);
    view_scopes(j, who->scopes);
    collections(j, &who->token);
    jsonw_kstr(j, "csrf", who->has_session ? who->session.csrf : SLICE_NONE);
    view_time(j, "expires_at", who->has_session ? session_end(&who->session) : who->token.expires);
    jsonw_end(j);
}

bool api_session(struct request *r, struct answer *a, struct err *e)
{
    struct jsonw j = jsonw_to(&a->body);
    (void)e;
    view_session(&j, r, &r->who);
    return true;
}

bool api_session_add(struct request *r, struct answer *a, struct err *e)
{
    char text[SESSION_TEXT + 1];
    struct who who = {.has_session = true};
    if (!access_is_closed(r->server->access)) /* there is nothing to sign in to */
        return api_session(r, a, e);
    if (!access_sign_in(r, arg_text(&r->args, "token"), a, &who.token, e))
        return false;
    who.name = who.token.name;
    who.scopes = scopes_implied(who.token.scopes);
    r->who.actor.name = who.name; /* now it is known who does this */
    r->who.actor.token = who.token.id;
    if (!store_session_add(r->store, &who.token, &r->arena, text, &who.session, e))
        return false;
    answer_header(a, "Set-Cookie", access_cookie(r, arena_dup(&r->arena, slice_str(text))));
    struct jsonw j = jsonw_to(&a->body);
    view_session(&j, r, &who);
    return true;
}

bool api_session_delete(struct request *r, struct answer *a, struct err *e)
{
    if (!access_from_page(r, e))
        return false;
    answer_header(a, "Set-Cookie", access_cookie(r, slice_str("")));
    return !r->who.has_session || store_session_delete(r->store, r->who.session.hash, e);
}

/* ---- tokens ------------------------------------------------------------------------------------------------------------ */

static void token_members(struct jsonw *j, const struct token_row *token)
{
    jsonw_kstr(j, "id", token->id);
    jsonw_kstr(j, "name", token->name);
    view_scopes(j, token->scopes);
    collections(j, token);
    jsonw_key(j, "rate");
    if (token->rate)
        jsonw_int(j, token->rate);
    else
        jsonw_null(j);
    jsonw_key(j, "max_upload_mb");
    if (token->upload_max)
        jsonw_int(j, token->upload_max >> 20);
    else
        jsonw_null(j);
    jsonw_kstr(j, "made_by", token->made_by);
    view_time(j, "created_at", token->created);
    view_time(j, "expires_at", token->expires);
    view_time(j, "used_at", token->used);
    view_time(j, "revoked_at", token->revoked);
}

bool api_tokens(struct request *r, struct answer *a, struct err *e)
{
    struct token_rows rows;
    if (!store_tokens(r->store, &r->arena, &rows, e))
        return false;
    struct jsonw j = api_list(a);
    for (size_t i = 0; i < rows.n; i++) {
        jsonw_object(&j);
        token_members(&j, &rows.items[i]);
        jsonw_end(&j);
    }
    api_list_end(&j, &(struct page_end){.total = (int64_t)rows.n});
    return true;
}

static bool read_wish(struct request *r, struct token_row *out, struct err *e)
{
    const struct arg *list = arg_find(&r->args, "scopes"), *bound = arg_find(&r->args, "collections");
    struct slice expires = arg_text(&r->args, "expires_at"), time;
    *out = (struct token_row){
        .name = arg_text(&r->args, "name"),
        .made_by = r->who.name,
        .rate = arg_int(&r->args, "rate", 0),
        .upload_max = arg_int(&r->args, "max_upload_mb", 0) << 20,
        .bound = bound != NULL,
    };
    for (size_t i = 0; i < list->n; i++) {
        unsigned one;
        if (!scopes_parse(list->items[i], &one, e))
            return false;
        out->scopes |= one;
    }
    if (bound)
        out->collections = (struct slices){.items = bound->items, .n = bound->n};
    return !expires.ptr || (clock_normalize(&r->arena, expires, &time) && clock_parse(time, &out->expires)) ||
           err_set(e, ERR_USAGE, "\"expires_at\" is a time such as 2027-01-31T00:00:00Z");
}

bool api_token_add(struct request *r, struct answer *a, struct err *e)
{
    struct token_row wish, row;
    char text[TOKEN_TEXT + 1];
    if (!read_wish(r, &wish, e))
        return false;
    r->who.actor.target = wish.name;
    r->who.actor.detail = view_token_detail(&r->arena, &wish);
    if (!store_token_add(r->store, &wish, &r->arena, text, &row, e))
        return false;
    struct jsonw j = jsonw_to(&a->body);
    jsonw_object(&j);
    token_members(&j, &row);
    jsonw_kstrz(&j, "token", text);
    jsonw_end(&j);
    return true;
}

bool api_token_revoke(struct request *r, struct answer *a, struct err *e)
{
    (void)a;
    return store_token_revoke(r->store, r->path[0], e);
}

/* ---- the log of changes ------------------------------------------------------------------------------------------------ */

bool api_audit(struct request *r, struct answer *a, struct err *e)
{
    const struct page page = api_page(r);
    struct audit_rows rows;
    if (!store_audit(r->store, arg_text(&r->args, "actor"), &page, &r->arena, &rows, e))
        return false;
    struct jsonw j = api_list(a);
    for (size_t i = 0; i < rows.n; i++) {
        const struct audit_row *row = &rows.items[i];
        jsonw_object(&j);
        jsonw_kint(&j, "id", row->n);
        view_change_members(&j, row);
        jsonw_end(&j);
    }
    api_list_end(&j, &rows.end);
    return true;
}
