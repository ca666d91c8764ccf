/* Tokens, and the log of changes. */
#include "cli/cli.h"
#include "storage/access.h"
#include "view/access.h"

#include "base/clock.h"
#include "base/jsonw.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>


/* ---- tokens ------------------------------------------------------------------------------------------------------------ */

static const struct column token_columns[] = {
    {"id", "id", 0, false}, {"name", "name", 32, false}, {"state", "state", 0, false}, {"scopes", "scopes", 28, false}, {"collections", "collections", 40, false},
    {"made", "created_at", CSV_ONLY, false}, {"by", "made_by", 20, false}, {"expires", "expires_at", 20, false}, {"used", "used_at", 20, false},
    {"revoked", "revoked_at", 20, false}, {"rate", "rate", 0, true}, {"max upload (MB)", "max_upload_mb", 0, true}, {0},
};

static void number(struct jsonw *j, const char *name, int64_t n)
{
    jsonw_key(j, name);
    if (n)
        jsonw_int(j, n);
    else
        jsonw_null(j);
}

static struct slice words(struct arena *a, struct slices list)
{
    struct slice out = slice_str("");
    for (size_t i = 0; i < list.n; i++)
        out = arena_printf(a, "%.*s%s%.*s", SLICE_ARG(out), i ? "," : "", SLICE_ARG(list.items[i]));
    return out;
}

static struct slice scope_list(struct arena *a, unsigned scopes)
{
    struct slice names[SCOPES];
    struct slices list = {.items = names};
    for (int i = 0; i < SCOPES; i++)
        if (scopes >> i & 1)
            names[list.n++] = slice_str(scope_names[i]);
    return words(a, list);
}

/* People know collections by their names, programs by their ids. Absent: it is for all of them; empty: those that it was for are gone. */
static struct slice collection_names(struct cli *cli, struct store *store, const struct token_row *token)
{
    if (token->bound && !token->collections.n)
        return slice_str(cli->output == OUTPUT_TABLE ? "none (deleted)" : "");
    struct slices names = {.items = arena_array(&cli->arena, struct slice, token->collections.n + 1)};
    for (size_t i = 0; i < token->collections.n; i++) {
        struct collection_row row;
        bool found = cli->output == OUTPUT_TABLE && store_collection(store, token->collections.items[i], &cli->arena, &row, NULL);
        names.items[names.n++] = found ? row.name : token->collections.items[i];
    }
    return token->bound ? words(&cli->arena, names) : SLICE_NONE;
}

static const char *state_of(const struct token_row *token)
{
    return token->revoked ? "revoked" : token->expires && token->expires <= clock_now_us() ? "ended" : "usable";
}

/* `text`: what its owner sends, or NULL. */
static void add_row(struct cli *cli, struct store *store, struct rows *rows, const struct token_row *token, const char *text)
{
    struct jsonw *j = rows_next(rows);
    jsonw_object(j);
    jsonw_kstr(j, "id", token->id);
    jsonw_kstr(j, "name", token->name);
    jsonw_kstr(j, "scopes", scope_list(&cli->arena, token->scopes));
    jsonw_kstr(j, "collections", collection_names(cli, store, token));
    jsonw_kstrz(j, "state", state_of(token));
    number(j, "rate", token->rate);
    number(j, "max_upload_mb", token->upload_max >> 20);
    jsonw_kstr(j, "made_by", token->made_by);
    view_time(j, "created_at", token->created);
    view_time(j, "expires_at", token->expires);
    view_time(j, "used_at", token->used);
    view_time(j, "revoked_at", token->revoked);
    if (text)
        jsonw_kstrz(j, "token", text);
    jsonw_end(j);
    rows_add(rows);
}

/* "90d", "12h", "30m", or a time. */
static bool expiry(struct cli *cli, int64_t *out, struct err *e)
{
    static const struct { char letter; int64_t seconds; } units[] = {{'d', 86400}, {'h', 3600}, {'m', 60}};
    const char *text = cli_option(cli, "expires");
    char *end;
    struct slice time;
    *out = 0;
    if (!text)
        return true;
    long n = strtol(text, &end, 10);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (n > 0 && n < 100000 && end[0] == units[i].letter && !end[1]) {
            *out = clock_now_us() + n * units[i].seconds * 1000000;
            return true;
        }
    return (clock_normalize(&cli->arena, slice_str(text), &time) && clock_parse(time, out)) ||
           err_set(e, ERR_USAGE, "--expires is 90d, 12h, 30m or a time such as 2027-01-31T00:00:00Z, not '%s'", text);
}

static bool create(struct cli *cli, struct store *store, struct err *e)
{
    const char *scopes = cli_option(cli, "scope");
    char text[TOKEN_TEXT + 1];
    struct token_row row, wish = {.collections = cli_options(cli, "collection")};
    wish.name = slice_str(cli->args[1]);
    wish.made_by = cli->actor.name;
    wish.bound = wish.collections.n > 0;
    if (!scopes_parse(slice_str(scopes ? scopes : "read"), &wish.scopes, e) || !expiry(cli, &wish.expires, e))
        return false;
    wish.rate = cli_number(cli, "rate", 0);
    wish.upload_max = cli_number(cli, "max-upload", 0) << 20;
    cli->actor.target = wish.name;
    cli->actor.detail = view_token_detail(&cli->arena, &wish);
    if (!store_token_add(store, &wish, &cli->arena, text, &row, e))
        return false;
    if (cli->output == OUTPUT_TABLE) { /* alone, so that a script can take it */
        printf("%s\n", text);
        if (!cli->quiet)
            fprintf(stderr, "keep it: it is not shown again\n");
        return true;
    }
    struct rows rows = rows_start(cli, token_columns);
    add_row(cli, store, &rows, &row, text);
    rows_end(&rows, SLICE_NONE);
    return true;
}

static bool list(struct cli *cli, struct store *store, struct err *e)
{
    struct token_rows tokens;
    if (!store_tokens(store, &cli->arena, &tokens, e))
        return false;
    struct rows rows = rows_start(cli, token_columns);
    for (size_t i = 0; i < tokens.n; i++)
        add_row(cli, store, &rows, &tokens.items[i], NULL);
    rows_end(&rows, SLICE_NONE);
    return true;
}

/* The id of the one token of a name that is not revoked; what is no name is taken as an id. */
static bool id_of(struct cli *cli, struct store *store, struct slice named, struct slice *id, struct err *e)
{
    struct token_rows tokens;
    size_t n = 0;
    *id = named;
    if (!store_tokens(store, &cli->arena, &tokens, e))
        return false;
    for (size_t i = 0; i < tokens.n; i++) {
        if (slice_eq(tokens.items[i].id, named)) {
            *id = named;
            return true;
        }
        if (slice_eq(tokens.items[i].name, named) && !tokens.items[i].revoked && ++n)
            *id = tokens.items[i].id;
    }
    return n < 2 || err_set(e, ERR_CONFLICT, "%zu tokens are named \"%.*s\"; say which by its id (telltale token list)", n, SLICE_ARG(named));
}

static bool revoke(struct cli *cli, struct store *store, struct err *e)
{
    cli->actor.target = cli_arguments(cli, 1);
    for (size_t i = 1; i < cli->nargs; i++) {
        struct slice id;
        if (!id_of(cli, store, slice_str(cli->args[i]), &id, e) || !store_token_revoke(store, id, e))
            return false;
    }
    return true;
}

int cmd_token(struct cli *cli)
{
    static const struct verb verbs[] = {
        {"create", create, STORE_WRITE, 2, 2, "one name: whose the token is, or what uses it"},
        {"list", list, STORE_READ, 1, SIZE_MAX, NULL},
        {"revoke", revoke, STORE_WRITE, 2, SIZE_MAX, "the id or the name of a token; telltale token list has them"},
        {0},
    };
    return cli_verb(cli, verbs);
}

/* ---- the log of changes ------------------------------------------------------------------------------------------------ */

static const struct column audit_columns[] = {
    {"at", "at", 0, false}, {"who", "actor", 32, false}, {"token", "token", CSV_ONLY, false}, {"from", "address", 40, false},
    {"what", "action", 60, false}, {"of", "target", 40, false}, {"detail", "detail", 60, false}, {0},
};

static void add_change(struct rows *rows, const struct audit_row *row)
{
    struct jsonw *j = rows_next(rows);
    jsonw_object(j);
    view_change_members(j, row);
    jsonw_end(j);
    rows_add(rows);
}

int cmd_audit(struct cli *cli)
{
    struct err e = {0};
    struct store *store = NULL;
    int64_t limit = cli_number(cli, "limit", INT64_MAX), shown = 0;
    if (!cli_open(cli, STORE_READ, &store, &e))
        return cli_fail(&e);
    struct rows rows = rows_start(cli, audit_columns);
    struct page page = {.limit = 1000};
    bool ok = true;
    do {
        struct audit_rows some;
        page.limit = limit - shown < 1000 ? (uint32_t)(limit - shown) : 1000;
        if (!page.limit || !(ok = store_audit(store, slice_str(cli_option(cli, "actor")), &page, &cli->arena, &some, &e)))
            break;
        for (size_t i = 0; i < some.n; i++)
            add_change(&rows, &some.items[i]);
        shown += (int64_t)some.n;
        page.after = some.end.next;
    } while (page.after.ptr);
    store_close(store);
    if (!ok)
        return cli_fail(&e);
    rows_end(&rows, SLICE_NONE);
    return 0;
}
