/* Who is let in, in memory: the key, the tokens and the sessions, so that a request's token is known without a look at the disk. */
#include "storage/access.h"
#include "storage/inside.h"
#include "storage/tokens.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

struct passes {
    struct arena arena;
    unsigned char key[SECRET_SIZE];
    bool has_key;
    struct token_rows tokens;     /* by id */
    struct session_row *sessions; /* by hash; of their tokens only the row's key */
    size_t nsessions;
};

/* ---- when they change ------------------------------------------------------------------------------------------------ */

/* The time of the key's file says it to every process that has the database open: one look at an inode, which is in memory. */
uint64_t store_passes_stamp(struct store *s)
{
    struct stat st;
    struct str all = STR_INIT(200);
    char *path = token_key_path(s, "");
    if (stat(path, &st) == 0)
        str_printf(&all, "%ju %jd %jd %ld", (uintmax_t)st.st_ino, (intmax_t)st.st_size, (intmax_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
    uint64_t stamp = hash_short(str_slice(&all));
    str_free(&all);
    free(path);
    return stamp;
}

void passes_changed(struct store *s)
{
    struct timespec now[2];
    char *path = token_key_path(s, "");
    clock_gettime(CLOCK_REALTIME, &now[0]); /* finer than what the kernel would put there */
    now[1] = now[0];
    utimensat(AT_FDCWD, path, now, 0); /* where that fails, servers see it by store_commits */
    free(path);
}

bool store_commits(struct store *s, int64_t *out, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "PRAGMA data_version", e);
    return stmt_int(q, out, e) == STEP_ROW;
}

/* ---- reading them ---------------------------------------------------------------------------------------------------- */

static int by_id(const void *a, const void *b)
{
    const struct token_row *x = a, *y = b;
    return slice_cmp(x->id, y->id);
}

static int by_hash(const void *a, const void *b)
{
    const struct session_row *x = a, *y = b;
    return memcmp(x->hash, y->hash, SECRET_SIZE);
}

static bool load_sessions(struct store *s, struct passes *p, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT s.hash, s.csrf, s.created_at, s.used_at, t.id FROM session s JOIN token t ON t.n = s.token ORDER BY s.hash", e);
    size_t cap = 0;
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        p->sessions = arena_grow(&p->arena, p->sessions, p->nsessions, &cap, sizeof *p->sessions);
        struct session_row *row = &p->sessions[p->nsessions++];
        *row = (struct session_row){0};
        struct slice hash = take_bytes(q);
        if (hash.len == SECRET_SIZE)
            memcpy(row->hash, hash.ptr, SECRET_SIZE);
        row->csrf = take_text(q, &p->arena);
        row->created = take_int(q);
        row->used = take_int(q);
        row->token.id = take_text(q, &p->arena);
    }
    return step == STEP_DONE;
}

static bool load_all(struct store *s, struct passes *p, struct err *e)
{
    if (!store_tokens(s, &p->arena, &p->tokens, e) || !load_sessions(s, p, e))
        return false;
    if (p->tokens.n)
        qsort(p->tokens.items, p->tokens.n, sizeof *p->tokens.items, by_id);
    return true;
}

bool store_passes(struct store *s, struct passes **out, struct err *e)
{
    struct passes *p = calloc(1, sizeof *p);
    if (!p)
        abort();
    *out = NULL;
    if (!token_key_read(s, p->key, &p->has_key, e) || !db_read(s->db, e) || !db_end(s->db, load_all(s, p, e), e)) {
        passes_free(p);
        return false;
    }
    *out = p;
    return true;
}

void passes_free(struct passes *p)
{
    if (!p)
        return;
    explicit_bzero(p->key, sizeof p->key);
    arena_free(&p->arena);
    free(p);
}

/* ---- asking them ----------------------------------------------------------------------------------------------------- */

static bool is_usable(const struct token_row *token) { return !token->revoked && (!token->expires || token->expires > clock_now_us()); }

/* A clock that was set back makes no session older than it is, nor younger than now. */
static bool is_fresh(const struct session_row *row)
{
    int64_t now = clock_now_us();
    return now - row->used < SESSION_IDLE_S * INT64_C(1000000) && now - row->created < SESSION_LIFE_S * INT64_C(1000000);
}

static const struct token_row *find_token(const struct passes *p, struct slice id)
{
    const struct token_row wanted = {.id = id};
    return p->tokens.n ? bsearch(&wanted, p->tokens.items, p->tokens.n, sizeof wanted, by_id) : NULL;
}

static void copy_token(struct arena *a, const struct token_row *from, struct token_row *out)
{
    *out = *from;
    out->id = arena_dup(a, from->id);
    out->name = arena_dup(a, from->name);
    out->made_by = arena_dup(a, from->made_by);
    out->keys = arena_array(a, int64_t, from->collections.n);
    out->collections = (struct slices){.items = arena_array(a, struct slice, from->collections.n), .n = from->collections.n, .cap = from->collections.n};
    for (size_t i = 0; i < from->collections.n; i++) {
        out->keys[i] = from->keys[i];
        out->collections.items[i] = arena_dup(a, from->collections.items[i]);
    }
}

bool passes_token(const struct passes *p, struct slice text, struct arena *a, struct token_row *out, bool *found, struct err *e)
{
    unsigned char hash[SECRET_SIZE];
    *found = false;
    if (text.len != TOKEN_TEXT || !slice_starts(text, "tt_") || text.ptr[3 + TOKEN_ID] != '_')
        return true;
    const struct token_row *token = find_token(p, slice_sub(text, 3, TOKEN_ID));
    if (!token || !is_usable(token))
        return true;
    if (!p->has_key)
        return token_key_lost(e);
    secret_hash(p->key, text, hash);
    *found = secret_same(hash, token->hash);
    if (*found)
        copy_token(a, token, out);
    return true;
}

bool passes_session(const struct passes *p, struct slice text, struct arena *a, struct session_row *out)
{
    struct session_row wanted = {0};
    if (text.len != SESSION_TEXT || !p->has_key || !p->nsessions)
        return false;
    secret_hash(p->key, text, wanted.hash);
    const struct session_row *row = bsearch(&wanted, p->sessions, p->nsessions, sizeof wanted, by_hash);
    const struct token_row *token = row ? find_token(p, row->token.id) : NULL;
    if (!token || !is_fresh(row) || !is_usable(token))
        return false;
    *out = *row;
    out->csrf = arena_dup(a, row->csrf);
    copy_token(a, token, &out->token);
    return true;
}
