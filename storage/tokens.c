/* Tokens and sessions. What their owners send is random bytes, so one fast hash under a key is enough: there is nothing to guess. The key
 * lies beside the database, so that a copy of the database alone (a backup, a leak) lets nobody in. */
#include "storage/access.h"
#include "storage/inside.h"
#include "storage/tokens.h"

#include "base/base64.h"
#include "base/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_BYTES = 200, ID_BYTES = 8 };

const char *const scope_names[SCOPES] = {"ingest", "read", "review", "admin"};

bool scopes_parse(struct slice text, unsigned *out, struct err *e)
{
    *out = 0;
    while (text.len) {
        struct slice word = slice_trim(slice_take(&text, ','));
        int scope = 0;
        while (scope < SCOPES && !slice_is(word, scope_names[scope]))
            scope++;
        if (scope == SCOPES)
            return err_set(e, ERR_USAGE, "there is no scope \"%.*s\": they are ingest, read, review and admin", SLICE_ARG(slice_cut(word, 100)));
        *out |= 1u << scope;
    }
    return *out || err_set(e, ERR_USAGE, "a token needs a scope: ingest, read, review or admin");
}

unsigned scopes_implied(unsigned scopes) { return scopes & MAY_ADMIN ? MAY_ALL : scopes & MAY_REVIEW ? scopes | MAY_READ : scopes; }

/* ---- the key ---------------------------------------------------------------------------------------------------------- */

char *token_key_path(struct store *s, const char *end)
{
    char *path;
    if (asprintf(&path, "%s.key%s", db_path(s->db), end) < 0)
        abort();
    return path;
}

bool token_key_read(struct store *s, unsigned char out[SECRET_SIZE], bool *there, struct err *e)
{
    char *path = token_key_path(s, "");
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    bool ok = true;
    *there = fd >= 0;
    if (fd < 0)
        ok = errno == ENOENT || err_errno(e, "cannot read the key of the tokens, %s", path);
    else if (read(fd, out, SECRET_SIZE) != SECRET_SIZE)
        ok = err_set(e, ERR_IO, "the key of the tokens, %s, is damaged; restore it from a backup, or delete it and make new tokens", path);
    if (fd >= 0)
        close(fd);
    free(path);
    return ok;
}

bool store_key_is_private(struct store *s)
{
    struct stat st;
    char *path = token_key_path(s, "");
    bool is = stat(path, &st) != 0 || !(st.st_mode & (S_IRWXG | S_IRWXO));
    free(path);
    return is;
}

/* Under its name only when it is whole, and never in the place of another. */
static bool key_make(struct store *s, struct err *e)
{
    char *path = token_key_path(s, ""), *made = token_key_path(s, ".XXXXXX");
    unsigned char key[SECRET_SIZE];
    secret_random(key);
    int fd = mkostemp(made, O_CLOEXEC); /* 0600 */
    bool ok = fd >= 0 && write(fd, key, sizeof key) == sizeof key && fsync(fd) == 0 && (link(made, path) == 0 || errno == EEXIST);
    explicit_bzero(key, sizeof key);
    if (!ok)
        err_errno(e, "cannot make the key of the tokens, %s", path);
    if (fd >= 0) {
        close(fd);
        unlink(made);
    }
    ok = ok && folder_sync(path, e); /* before a row is kept that is worth nothing without it */
    free(path);
    free(made);
    return ok;
}

bool token_key_lost(struct err *e)
{
    return err_set(e, ERR_IO, "the key of the tokens, the file beside the database that ends in .key, is not there, so that no token can be known again;"
                              " restore it from a backup, or revoke the tokens (telltale token revoke) and make new ones");
}

static bool count_usable(struct store *s, int64_t *n, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT count(*) FROM token WHERE revoked_at IS NULL AND coalesce(expires_at, $1 + 1) > $1", e);
    bind_int(q, clock_now_us());
    return stmt_int(q, n, e) == STEP_ROW;
}

/* Tokens are counted before the key is looked for: whoever makes the first one makes its key before. */
static bool key_want(struct store *s, unsigned char out[SECRET_SIZE], struct err *e)
{
    bool there;
    int64_t n;
    if (strcmp(db_path(s->db), ":memory:") == 0)
        return err_set(e, ERR_USAGE, "a database in memory keeps no tokens");
    return count_usable(s, &n, e) && token_key_read(s, out, &there, e) && (there || !n || token_key_lost(e)) &&
           (there || (key_make(s, e) && token_key_read(s, out, &there, e) && (there || err_set(e, ERR_IO, "the key of the tokens went away"))));
}

bool store_secret(struct store *s, struct slice what, unsigned char out[SECRET_SIZE], struct err *e)
{
    unsigned char key[SECRET_SIZE];
    if (!key_want(s, key, e))
        return false;
    secret_hash(key, what, out);
    explicit_bzero(key, sizeof key);
    return true;
}

/* 32 random bytes as base64url without padding: 43 characters and a NUL. */
static void random_text(char out[TOKEN_SECRET + 1])
{
    unsigned char bytes[SECRET_SIZE];
    struct str text = STR_INIT(100);
    secret_random(bytes);
    base64_add(&text, slice_of((const char *)bytes, sizeof bytes));
    for (size_t i = 0; i < TOKEN_SECRET; i++)
        out[i] = text.ptr[i] == '+' ? '-' : text.ptr[i] == '/' ? '_' : text.ptr[i];
    out[TOKEN_SECRET] = '\0';
    explicit_bzero(bytes, sizeof bytes);
    explicit_bzero(text.ptr, text.len);
    str_free(&text);
}

static void random_id(char out[TOKEN_ID + 1])
{
    static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";
    unsigned char bytes[SECRET_SIZE];
    secret_random(bytes);
    for (size_t i = 0; i < TOKEN_ID; i++)
        out[i] = digits[bytes[i] & 31];
    out[TOKEN_ID] = '\0';
}

/* ---- tokens ----------------------------------------------------------------------------------------------------------- */

#define TOKEN_COLUMNS "t.n, t.id, t.name, t.made_by, t.hash, t.scopes, t.bound, t.rate, t.upload_max, t.created_at, t.expires_at, t.used_at, t.revoked_at"

static void take_token(struct stmt *q, struct arena *a, struct token_row *out)
{
    *out = (struct token_row){.n = take_int(q)};
    out->id = take_text(q, a);
    out->name = take_text(q, a);
    out->made_by = take_text(q, a);
    struct slice hash = take_bytes(q);
    if (hash.len == SECRET_SIZE)
        memcpy(out->hash, hash.ptr, SECRET_SIZE);
    out->scopes = (unsigned)take_int(q);
    out->bound = take_int(q) != 0;
    int64_t *const numbers[] = {&out->rate, &out->upload_max, &out->created, &out->expires, &out->used, &out->revoked};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        *numbers[i] = take_int(q);
}

static bool load_collections(struct store *s, struct arena *a, struct token_row *out, struct err *e)
{
    struct stmt *q = db_prepare(s->db,
        "SELECT c.n, c.id FROM token_collection tc JOIN collection c ON c.n = tc.collection WHERE tc.token = $1 ORDER BY c.n", e);
    bind_int(q, out->n);
    size_t cap = 0;
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        out->keys = arena_grow(a, out->keys, out->collections.n, &cap, sizeof *out->keys);
        out->keys[out->collections.n] = take_int(q);
        out->collections.items = arena_grow(a, out->collections.items, out->collections.n, &out->collections.cap, sizeof *out->collections.items);
        out->collections.items[out->collections.n++] = take_text(q, a);
    }
    return step == STEP_DONE;
}

/* *found false: there is none of that id. */
static bool load_token(struct store *s, struct slice id, struct arena *a, struct token_row *out, bool *found, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT " TOKEN_COLUMNS " FROM token t WHERE t.id = $1", e);
    bind_text(q, id);
    enum step step = stmt_step(q, e);
    *found = step == STEP_ROW;
    if (!*found)
        return step == STEP_DONE;
    take_token(q, a, out);
    stmt_reset(q);
    return load_collections(s, a, out, e);
}

static bool told(struct store *s, bool ok)
{
    if (ok)
        passes_changed(s);
    return ok;
}

static bool bind_to(struct store *s, int64_t token, struct slice collection, struct err *e)
{
    int64_t n;
    if (!collection_find(s, collection, &n, e))
        return false;
    struct stmt *q = db_prepare(s->db, "INSERT INTO token_collection (token, collection) VALUES ($1, $2) ON CONFLICT DO NOTHING", e);
    bind_int(q, token);
    bind_int(q, n);
    return stmt_run(q, e);
}

static bool add(struct store *s, const struct token_row *row, struct arena *a, struct token_row *out, struct err *e)
{
    bool found;
    struct stmt *q = db_prepare(s->db,
        "INSERT INTO token (id, name, hash, scopes, bound, rate, upload_max, made_by, created_at, expires_at)"
        " VALUES ($1, $2, $3, $4, $5, nullif($6, 0), nullif($7, 0), $8, $9, nullif($10, 0))", e);
    bind_text(q, row->id);
    bind_text(q, row->name);
    bind_blob(q, slice_of((const char *)row->hash, SECRET_SIZE));
    bind_int(q, row->scopes);
    bind_int(q, row->bound);
    bind_int(q, row->rate);
    bind_int(q, row->upload_max);
    bind_text(q, not_null(row->made_by));
    bind_int(q, clock_now_us());
    bind_int(q, row->expires);
    if (!stmt_run(q, e))
        return false;
    int64_t n = db_last_id(s->db);
    for (size_t i = 0; i < row->collections.n; i++)
        if (!bind_to(s, n, row->collections.items[i], e))
            return false;
    return load_token(s, row->id, a, out, &found, e);
}

bool store_token_add(struct store *s, const struct token_row *wish, struct arena *a, char text[TOKEN_TEXT + 1], struct token_row *out,
                     struct err *e)
{
    struct token_row row = *wish;
    char id[TOKEN_ID + 1], secret[TOKEN_SECRET + 1];
    if (!row.name.len || row.name.len > NAME_BYTES)
        return err_set(e, ERR_USAGE, "a token needs a name of at most %d bytes: whose it is, or what uses it", NAME_BYTES);
    if (!row.scopes || row.scopes & ~(unsigned)MAY_ALL)
        return err_set(e, ERR_USAGE, "a token needs a scope: ingest, read, review or admin");
    if (row.bound && !row.collections.n)
        return err_set(e, ERR_USAGE, "name the collections that the token is for");
    if (row.expires && row.expires <= clock_now_us())
        return err_set(e, ERR_USAGE, "the token would have ended already");
    random_id(id);
    random_text(secret);
    snprintf(text, TOKEN_TEXT + 1, "tt_%s_%s", id, secret);
    explicit_bzero(secret, sizeof secret);
    row.id = slice_str(id);
    return store_secret(s, slice_of(text, TOKEN_TEXT), row.hash, e) && db_write(s->db, e) && told(s, db_end(s->db, add(s, &row, a, out, e), e));
}

static bool list_all(struct store *s, struct arena *a, struct token_rows *out, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT " TOKEN_COLUMNS " FROM token t ORDER BY t.n DESC", e);
    size_t cap = 0;
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        out->items = arena_grow(a, out->items, out->n, &cap, sizeof *out->items);
        take_token(q, a, &out->items[out->n++]);
    }
    for (size_t i = 0; i < out->n && step == STEP_DONE; i++)
        if (!load_collections(s, a, &out->items[i], e))
            return false;
    return step == STEP_DONE;
}

bool store_tokens(struct store *s, struct arena *a, struct token_rows *out, struct err *e)
{
    *out = (struct token_rows){0};
    return db_read(s->db, e) && db_end(s->db, list_all(s, a, out, e), e);
}

static bool revoke_one(struct store *s, struct slice id, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT n, revoked_at IS NOT NULL FROM token WHERE id = $1", e);
    bind_text(q, id);
    enum step step = stmt_step(q, e);
    if (step != STEP_ROW)
        return step == STEP_DONE && err_set(e, ERR_NOT_FOUND, "there is no token \"%.*s\"", SLICE_ARG(slice_cut(id, 100)));
    int64_t n = take_int(q), revoked = take_int(q);
    stmt_reset(q);
    if (revoked)
        return err_set(e, ERR_CONFLICT, "the token %.*s is revoked already", SLICE_ARG(id));
    q = db_prepare(s->db, "UPDATE token SET revoked_at = $1 WHERE n = $2", e);
    bind_int(q, clock_now_us());
    bind_int(q, n);
    if (!stmt_run(q, e))
        return false;
    q = db_prepare(s->db, "DELETE FROM session WHERE token = $1", e);
    bind_int(q, n);
    return stmt_run(q, e);
}

bool store_token_revoke(struct store *s, struct slice id, struct err *e)
{
    return db_write(s->db, e) && told(s, db_end(s->db, revoke_one(s, id, e), e));
}

bool store_tokens_usable(struct store *s, int64_t *n, struct err *e)
{
    unsigned char key[SECRET_SIZE];
    bool there;
    *n = 0;
    bool ok = count_usable(s, n, e) && token_key_read(s, key, &there, e) && (there || !*n || token_key_lost(e));
    explicit_bzero(key, sizeof key);
    return ok;
}

/* ---- sessions --------------------------------------------------------------------------------------------------------- */

/* Of so many sessions of a token the one that was used longest ago ends. */
static bool add_session(struct store *s, const struct session_row *row, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "DELETE FROM session WHERE token = $1 AND hash NOT IN"
                                       " (SELECT hash FROM session WHERE token = $1 ORDER BY used_at DESC, created_at DESC LIMIT $2)", e);
    bind_int(q, row->token.n);
    bind_int(q, SESSIONS_MOST - 1);
    if (!stmt_run(q, e))
        return false;
    q = db_prepare(s->db, "INSERT INTO session (hash, token, csrf, created_at, used_at) VALUES ($1, $2, $3, $4, $5)", e);
    bind_blob(q, slice_of((const char *)row->hash, SECRET_SIZE));
    bind_int(q, row->token.n);
    bind_text(q, row->csrf);
    bind_int(q, row->created);
    bind_int(q, row->used);
    return stmt_run(q, e);
}

bool store_session_add(struct store *s, const struct token_row *token, struct arena *a, char text[SESSION_TEXT + 1], struct session_row *out,
                       struct err *e)
{
    char csrf[TOKEN_SECRET + 1];
    random_text(text);
    random_text(csrf);
    *out = (struct session_row){.csrf = arena_dup(a, slice_str(csrf)), .created = clock_now_us(), .token = *token};
    out->used = out->created;
    return store_secret(s, slice_str(text), out->hash, e) && db_write(s->db, e) && told(s, db_end(s->db, add_session(s, out, e), e));
}

static bool delete_session(struct store *s, const unsigned char hash[SECRET_SIZE], struct err *e)
{
    struct stmt *q = db_prepare(s->db, "DELETE FROM session WHERE hash = $1", e);
    bind_blob(q, slice_of((const char *)hash, SECRET_SIZE));
    return stmt_run(q, e);
}

bool store_session_delete(struct store *s, const unsigned char hash[SECRET_SIZE], struct err *e)
{
    return db_write(s->db, e) && told(s, db_end(s->db, delete_session(s, hash, e), e));
}

static bool write_used(struct store *s, const struct used *items, size_t n, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        struct stmt *q = db_prepare(s->db, "UPDATE token SET used_at = max($1, coalesce(used_at, 0)) WHERE n = $2", e);
        bind_int(q, items[i].at);
        bind_int(q, items[i].token);
        if (!stmt_run(q, e))
            return false;
        if (!items[i].has_session)
            continue;
        q = db_prepare(s->db, "UPDATE session SET used_at = max($1, used_at) WHERE hash = $2", e);
        bind_int(q, items[i].at);
        bind_blob(q, slice_of((const char *)items[i].session, SECRET_SIZE));
        if (!stmt_run(q, e))
            return false;
    }
    struct stmt *q = db_prepare(s->db, "DELETE FROM session WHERE used_at < $1 OR created_at < $2", e);
    bind_int(q, clock_now_us() - SESSION_IDLE_S * INT64_C(1000000));
    bind_int(q, clock_now_us() - SESSION_LIFE_S * INT64_C(1000000));
    return stmt_run(q, e);
}

bool store_used(struct store *s, const struct used *items, size_t n, struct err *e)
{
    return db_write(s->db, e) && db_end(s->db, write_used(s, items, n, e), e);
}
