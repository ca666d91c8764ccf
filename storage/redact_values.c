/* Where else than in runs words stand that came from outside. */
#include "storage/judge_job.h"
#include "storage/pieces.h"
#include "storage/redact_in.h"

#include <stdio.h>

enum { BATCH = 200, BATCH_BYTES = 8 << 20, NAMES_MOST = 1000 };

/* One column. `of` holds for the rows of collection $2 (0: of none, which is looked through whichever collection is named); `key` is a whole number that
 * names a row, or a few of them. */
struct column {
    const char *table, *key, *name;
    bool (*redact)(struct redaction *r, struct slice *value, struct err *e);
    const char *of;
    bool packed;   /* a blob */
    bool kept;     /* only counted: other words would be another rule, or what somebody sends again under it would be taken twice */
};
#define OF_COLLECTION "collection = $2 AND $2"
#define OF_RUN "run IN (SELECT n FROM run WHERE collection = $2)"
#define OF_JUDGMENT "judgment IN (SELECT n FROM judgment WHERE collection = $2)"
#define OF_JOB "coalesce(collection = (SELECT id FROM collection WHERE n = $2), $2 = 0 AND collection IS NULL)"
#define OF_NOBODY "$2 = 0"
static const struct column columns[] = {
    {"collection", "n", "name", redact_text, "n = $2", 0, 0},
    {"collection", "n", "description", redact_text, "n = $2", 0, 0},
    {"collection", "n", "metadata", redact_json, "n = $2", 0, 0},
    {"task", "n", "task_id", redact_text, OF_COLLECTION, 0, 0},
    {"file", "collection", "path", redact_text, OF_COLLECTION, 0, 0},
    {"file", "collection", "name", redact_text, OF_COLLECTION, 0, 0},
    {"action", "collection", "name", redact_text, OF_COLLECTION, 0, 0},
    {"atlas", "collection", "about", redact_json, OF_COLLECTION, 0, 0},
    {"run_tag", "run", "tag", redact_text, OF_RUN, 0, 0},
    {"incomplete", "run", "reason", redact_text, OF_RUN, 0, 0},
    {"label", "n", "value", redact_json, OF_RUN " OR finding IN (SELECT n FROM finding WHERE collection = $2)", 0, 0},
    {"label", "n", "who", redact_text, OF_RUN " OR finding IN (SELECT n FROM finding WHERE collection = $2)", 0, 0},
    {"finding", "n", "title", redact_text, OF_COLLECTION, 0, 0},
    {"finding", "n", "message", redact_text, OF_COLLECTION, 0, 0},
    {"finding", "n", "captures", redact_json, OF_COLLECTION, 0, 0},
    {"finding", "n", "reviewer", redact_text, OF_COLLECTION, 0, 0},
    {"finding", "n", "note", redact_text, OF_COLLECTION, 0, 0},
    {"kept_review", "rowid", "reviewer", redact_text, OF_COLLECTION, 0, 0},
    {"kept_review", "rowid", "note", redact_text, OF_COLLECTION, 0, 0},
    {"exception", "n", "condition", redact_json, "coalesce(collection, 0) = $2", 0, 0},
    {"exception", "n", "reviewer", redact_text, "coalesce(collection, 0) = $2", 0, 0},
    {"exception", "n", "note", redact_text, "coalesce(collection, 0) = $2", 0, 0},
    {"judgment", "n", "decision", redact_text, OF_COLLECTION, 0, 0},
    {"judgment_detail", "judgment", "answer", redact_json, OF_JUDGMENT, 0, 0},
    {"judgment_detail", "judgment", "explanation", redact_text, OF_JUDGMENT, 0, 0},
    {"judgment_detail", "judgment", "distribution", redact_json, OF_JUDGMENT, 0, 0},
    {"judgment_detail", "judgment", "paired", redact_json, OF_JUDGMENT, 0, 0},
    {"judgment_detail", "judgment", "raw", redact_text, OF_JUDGMENT, 0, 0},
    {"judgment_detail", "judgment", "error", redact_text, OF_JUDGMENT, 0, 0},
    {"job", "n", "payload", redact_json, OF_JOB, 0, 0},
    {"job", "n", "progress", redact_json, OF_JOB, 0, 0},
    {"job", "n", "result", redact_json, OF_JOB, 0, 0},
    {"job", "n", "error", redact_text, OF_JOB, 0, 0},
    {"label_set", "rowid", "title", redact_text, OF_NOBODY, 0, 0},
    {"label_set", "rowid", "description", redact_text, OF_NOBODY, 0, 0},
    {"label_set", "rowid", "schema", redact_json, OF_NOBODY, 0, 0},
    {"model_call", "n", "reply", reply_redact, OF_NOBODY, 1, 0},
    {"saved_query", "n", "name", redact_text, OF_NOBODY, 0, 0},
    {"saved_query", "n", "text", redact_text, OF_NOBODY, 0, 0},
    {"saved_query", "n", "chart", redact_json, OF_NOBODY, 0, 0},
    {"delivery", "n", "payload", redact_json, OF_NOBODY, 0, 0},
    {"delivery", "n", "error", redact_text, OF_NOBODY, 0, 0},
    {"audit", "n", "target", redact_text, OF_NOBODY, 0, 0},
    {"audit", "n", "detail", redact_json, OF_NOBODY, 0, 0},
    {"rubric", "n", "body", redact_json, OF_NOBODY, 0, 1},
    {"own_rule", "n", "text", redact_text, OF_NOBODY, 0, 1},
    {"job", "n", "key", redact_text, OF_JOB, 0, 1},
    {"append", "n", "key", redact_text, OF_RUN, 0, 1},
    {"piece_group", "n", "path", redact_text, OF_COLLECTION, 0, 1},
    {"token", "n", "name", redact_text, OF_NOBODY, 0, 1},
};

static const struct column pieces = {"piece", "n", "data", pieces_redact, "piece_group IN (SELECT n FROM piece_group WHERE collection = $2)", 1, 0};

struct value { int64_t key; struct slice was, now; };
struct values { struct value items[BATCH]; size_t n; };

/* How far one column is looked through. Several rows may have one key: those that could not be set come again, before what is new. */
struct walk { int64_t from; size_t unset; bool more; };

/* The next values that hold a secret; `walk` becomes where to go on. */
static bool collect(struct redacting *x, struct redaction *r, const struct column *c, int64_t collection, struct walk *walk, struct values *out, struct err *e)
{
    char sql[512];
    struct store *s = x->store;
    int64_t first = walk->from;
    size_t again = walk->unset;
    snprintf(sql, sizeof sql, "SELECT %s, %s FROM %s WHERE %s >= $1 AND %s IS NOT NULL AND (%s) ORDER BY %s", c->key, c->name, c->table, c->key, c->name, c->of,
             c->key);
    struct stmt *q = db_prepare(s->db, sql, e);
    bind_int(q, first);
    bind_int(q, collection);
    enum step step;
    struct arena words = {0};
    bool ok = true;
    walk->more = false;
    while (ok && (step = stmt_step(q, e)) == STEP_ROW) {
        int64_t key = take_int(q);
        struct value value = {.key = key, .now = take_bytes(q)};
        value.was = value.now;
        bool known = again && key == first;
        uint64_t before = r->replaced;
        arena_reset(&words);
        r->arena = &words;
        struct err why = {0};
        bool looked = c->redact(r, &value.now, &why);
        r->arena = &x->arena;
        if (!looked && !known)
            ok = redact_refused(x, arena_printf(&words, "%s.%s %lld", c->table, c->name, (long long)key), &why, e);
        if (!looked || r->replaced == before)
            continue;
        if (known) {
            again--;
            continue;
        }
        if (x->wish->dry_run || c->kept) {
            x->out->rules += c->kept;
            continue;
        }
        out->items[out->n++] = (struct value){key, arena_dup(&x->arena, value.was), arena_dup(&x->arena, value.now)};
        if (key != walk->from)
            *walk = (struct walk){.from = key};
        if (out->n == BATCH || x->arena.total > BATCH_BYTES) {
            walk->more = true;
            stmt_reset(q);
            break;
        }
    }
    arena_free(&words);
    return ok && (walk->more || step == STEP_DONE);
}

static bool set(struct store *s, const struct column *c, const struct value *v, struct slice now, bool *done, struct err *e)
{
    char sql[256];
    snprintf(sql, sizeof sql, "UPDATE OR IGNORE %s SET %s = $1 WHERE %s = $2 AND %s = $3", c->table, c->name, c->key, c->name);
    struct stmt *q = db_prepare(s->db, sql, e);
    void (*bind)(struct stmt *, struct slice) = c->packed ? bind_blob : bind_text;
    bind(q, now);
    bind_int(q, v->key);
    bind(q, v->was);
    if (!stmt_run(q, e))
        return false;
    *done = db_changes(s->db) > 0;
    return !*done || c != &pieces || pieces_changed(s, v->key, e);
}

static bool is_there(struct store *s, const struct column *c, const struct value *v, bool *there, struct err *e)
{
    char sql[256];
    snprintf(sql, sizeof sql, "SELECT 1 FROM %s WHERE %s = $1 AND %s = $2", c->table, c->key, c->name);
    struct stmt *q = db_prepare(s->db, sql, e);
    bind_int(q, v->key);
    (c->packed ? bind_blob : bind_text)(q, v->was);
    int64_t one;
    enum step step = stmt_int(q, &one, e);
    *there = step == STEP_ROW;
    return step != STEP_ERROR;
}

static bool tell_unset(struct redacting *x, const struct column *c, const struct value *v, struct err *e)
{
    struct err why = {0};
    err_set(&why, ERR_LIMIT, "it changed meanwhile, or too many are called the same without their secrets; do it again");
    return redact_refused(x, arena_printf(&x->arena, "%s.%s %lld", c->table, c->name, (long long)v->key), &why, e);
}

/* Names that are unique and were told apart by their secrets alone are numbered. */
static bool set_all(struct redacting *x, const struct column *c, const struct values *values, struct walk *walk, bool *any, struct err *e)
{
    for (size_t i = 0; i < values->n; i++) {
        const struct value *v = &values->items[i];
        bool done = false, there = true;
        if (!set(x->store, c, v, v->now, &done, e) || (!done && !is_there(x->store, c, v, &there, e)))
            return false;
        for (int n = 2; !done && there && !c->packed && n < NAMES_MOST; n++)
            if (!set(x->store, c, v, arena_printf(&x->arena, "%.*s (%d)", SLICE_ARG(v->now), n), &done, e))
                return false;
        struct slice counted = v->was;
        if (done && !c->redact(&x->done, &counted, e))
            return false;
        *any |= done;
        walk->unset += !done && there && v->key == walk->from;
        if (!done && !tell_unset(x, c, v, e))
            return false;
    }
    return true;
}

static bool redact_column(struct redacting *x, const struct column *c, int64_t collection, bool *changed, struct err *e)
{
    struct store *s = x->store;
    struct walk walk = {.more = true};
    while (walk.more) {
        struct values values = {.n = 0};
        arena_free(&x->arena);
        if (redact_stopped(x, e) || !db_read(s->db, e) ||
            !db_end(s->db, collect(x, x->wish->dry_run && !c->kept ? &x->done : &x->look, c, collection, &walk, &values, e), e) ||
            (values.n && (!db_write(s->db, e) || !db_end(s->db, set_all(x, c, &values, &walk, changed, e), e))))
            return err_prefix(e, "%s.%s", c->table, c->name);
    }
    return true;
}

bool redact_pieces(struct redacting *x, int64_t collection, struct err *e)
{
    bool changed = false;
    return redact_column(x, &pieces, collection, &changed, e);
}

bool redact_values(struct redacting *x, int64_t collection, struct err *e)
{
    bool changed = false;
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        if (!redact_column(x, &columns[i], collection, &changed, e))
            return false;
    if (!changed || !collection)
        return true;
    /* What is kept of it in memory says the old words. */
    struct stmt *q;
    if (!db_write(x->store->db, e))
        return false;
    q = db_prepare(x->store->db, "UPDATE collection SET version = version + 1, runs_version = runs_version + 1, tags_version = tags_version + 1,"
                                 " findings_version = findings_version + 1 WHERE n = $1", e);
    bind_int(q, collection);
    return db_end(x->store->db, stmt_run(q, e), e);
}
