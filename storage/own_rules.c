#include "storage/own_rules.h"

#include "base/clock.h"
#include "storage/inside.h"

/* The latest of each id; `version` counts those of its id. */
#define COLUMNS "(SELECT count(*) FROM own_rule v WHERE v.id = r.id AND v.n <= r.n), r.id, r.text, r.author, r.note, r.created_at"
#define STANDS "r.text IS NOT NULL AND r.n = (SELECT max(n) FROM own_rule l WHERE l.id = r.id)"

static void take_row(struct stmt *q, struct arena *a, struct own_rule_row *out)
{
    out->version = take_int(q);
    out->id = take_text(q, a);
    out->text = take_text(q, a);
    out->author = take_text(q, a);
    out->note = take_text(q, a);
    out->created_at = take_text(q, a);
}

static bool take_rows(struct stmt *q, struct arena *a, struct own_rule_rows *out, struct err *e)
{
    size_t cap = 0;
    enum step step;
    *out = (struct own_rule_rows){0};
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        out->items = arena_grow(a, out->items, out->n, &cap, sizeof *out->items);
        take_row(q, a, &out->items[out->n++]);
    }
    return step == STEP_DONE;
}

static bool read_stamp(struct store *s, int64_t *stamp, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT coalesce(max(n), 0) FROM own_rule", e);
    return stmt_int(q, stamp, e) == STEP_ROW;
}

bool store_own_rules_stamp(struct store *s, int64_t *stamp, struct err *e)
{
    return db_read(s->db, e) && db_end(s->db, read_stamp(s, stamp, e), e);
}

static bool list(struct store *s, struct arena *a, struct own_rule_rows *out, int64_t *stamp, struct err *e)
{
    if (stamp && !read_stamp(s, stamp, e))
        return false;
    return take_rows(db_prepare(s->db, "SELECT " COLUMNS " FROM own_rule r WHERE " STANDS " ORDER BY r.id", e), a, out, e);
}

bool store_own_rules(struct store *s, struct arena *a, struct own_rule_rows *out, int64_t *stamp, struct err *e)
{
    return db_read(s->db, e) && db_end(s->db, list(s, a, out, stamp, e), e);
}

static bool used(struct store *s, struct slice collection, struct arena *a, struct own_rule_rows *out, struct err *e)
{
    int64_t key;
    if (!collection_find(s, collection, &key, e))
        return false;
    struct stmt *q = db_prepare(s->db, "SELECT " COLUMNS " FROM own_rule r WHERE " STANDS
                                       " AND r.id IN (SELECT detector FROM finding WHERE collection = $1) ORDER BY r.id", e);
    bind_int(q, key);
    return take_rows(q, a, out, e);
}

bool store_own_rules_used(struct store *s, struct slice collection, struct arena *a, struct own_rule_rows *out, struct err *e)
{
    return db_read(s->db, e) && db_end(s->db, used(s, collection, a, out, e), e);
}

static bool versions(struct store *s, struct slice id, struct arena *a, struct own_rule_rows *out, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT " COLUMNS " FROM own_rule r WHERE r.id = $1 ORDER BY r.n DESC", e);
    bind_text(q, id);
    return take_rows(q, a, out, e) && (out->n || err_set(e, ERR_NOT_FOUND, "there is no rule of one's own \"%.*s\"", SLICE_ARG(slice_cut(id, 100))));
}

bool store_own_rule_versions(struct store *s, struct slice id, struct arena *a, struct own_rule_rows *out, struct err *e)
{
    return db_read(s->db, e) && db_end(s->db, versions(s, id, a, out, e), e);
}

/* *got false: there is none, or it was taken away. */
static bool latest(struct store *s, struct slice id, struct arena *a, struct own_rule_row *out, bool *got, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT " COLUMNS " FROM own_rule r WHERE r.id = $1 ORDER BY r.n DESC LIMIT 1", e);
    bind_text(q, id);
    enum step step = stmt_step(q, e);
    *got = false;
    if (step != STEP_ROW)
        return step == STEP_DONE;
    take_row(q, a, out);
    *got = out->text.ptr != NULL;
    stmt_reset(q);
    return true;
}

static bool insert(struct store *s, const struct own_rule_row *row, struct err *e)
{
    char now[CLOCK_TEXT];
    clock_text(clock_now_us(), now); /* for one that brings no time of its own */
    struct stmt *q = db_prepare(s->db, "INSERT INTO own_rule (id, text, author, note, created_at) VALUES ($1, $2, $3, $4, $5)", e);
    bind_text(q, row->id);
    bind_text(q, row->text);
    bind_text(q, row->author);
    bind_text(q, row->note);
    bind_text(q, row->created_at.ptr ? row->created_at : slice_str(now));
    return stmt_run(q, e);
}

static bool has_room(struct store *s, struct slice id, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT count(DISTINCT id), count(*) FILTER (WHERE id = $1) FROM own_rule", e);
    bind_text(q, id);
    if (stmt_step(q, e) != STEP_ROW)
        return false;
    int64_t rules = take_int(q), of_this = take_int(q);
    stmt_reset(q);
    if (!of_this && rules >= OWN_RULES_MAX)
        return err_set(e, ERR_LIMIT, "there are %d rules of one's own, as many as are kept; put more into files (--rules)", OWN_RULES_MAX);
    return of_this < OWN_RULE_VERSIONS || err_set(e, ERR_LIMIT, "rule %.*s has %d versions, as many as are kept; save it under another id",
                                                  SLICE_ARG(slice_cut(id, 100)), OWN_RULE_VERSIONS);
}

static bool put(struct store *s, const struct own_rule_row *row, struct arena *a, struct own_rule_row *out, struct err *e)
{
    bool got;
    if (!latest(s, row->id, a, out, &got, e))
        return false;
    if (got && slice_eq(out->text, row->text))
        return true;
    return has_room(s, row->id, e) && insert(s, row, e) && latest(s, row->id, a, out, &got, e);
}

bool store_own_rule_put(struct store *s, const struct own_rule_row *row, struct arena *a, struct own_rule_row *out, struct err *e)
{
    if (row->text.len > OWN_RULE_BYTES)
        return err_set(e, ERR_LIMIT, "a rule has at most %d KB", OWN_RULE_BYTES >> 10);
    return db_write(s->db, e) && db_end(s->db, put(s, row, a, out, e), e);
}

static bool carry(struct store *s, const struct own_rule_row *row, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT 1 FROM own_rule WHERE id = $1 LIMIT 1", e);
    bind_text(q, row->id);
    enum step step = stmt_step(q, e);
    if (step == STEP_ROW) {
        stmt_reset(q);
        return true;
    }
    return step == STEP_DONE && has_room(s, row->id, e) && insert(s, row, e);
}

bool store_own_rule_carry(struct store *s, const struct own_rule_row *row, struct err *e)
{
    if (row->text.len > OWN_RULE_BYTES)
        return err_set(e, ERR_LIMIT, "a rule has at most %d KB", OWN_RULE_BYTES >> 10);
    return db_write(s->db, e) && db_end(s->db, carry(s, row, e), e);
}

static bool remove_one(struct store *s, struct slice id, struct slice author, struct err *e)
{
    struct arena a = {0};
    struct own_rule_row row;
    bool got, ok = latest(s, id, &a, &row, &got, e);
    if (ok && !got)
        ok = err_set(e, ERR_NOT_FOUND, "there is no rule of one's own \"%.*s\"", SLICE_ARG(slice_cut(id, 100)));
    ok = ok && insert(s, &(struct own_rule_row){.id = id, .author = author}, e);
    arena_free(&a);
    return ok;
}

bool store_own_rule_remove(struct store *s, struct slice id, struct slice author, struct err *e)
{
    return db_write(s->db, e) && db_end(s->db, remove_one(s, id, author, e), e);
}
