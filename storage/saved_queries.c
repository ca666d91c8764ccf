#include "storage/inside.h"

#include "base/clock.h"
#include "base/hash.h"

#define COLUMNS "id, name, text, chart, created_at, updated_at"

static void take_query(struct stmt *q, struct arena *a, struct saved_query *out)
{
    struct slice *const texts[] = {&out->id, &out->name, &out->text, &out->chart, &out->created_at, &out->updated_at};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        *texts[i] = take_text(q, a);
}

static bool list_queries(struct store *s, struct arena *a, struct saved_queries *out, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT " COLUMNS " FROM saved_query ORDER BY name", e);
    size_t cap = 0;
    enum step step;
    *out = (struct saved_queries){0};
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        out->items = arena_grow(a, out->items, out->n, &cap, sizeof *out->items);
        take_query(q, a, &out->items[out->n++]);
    }
    return step == STEP_DONE;
}

bool store_queries(struct store *s, struct arena *a, struct saved_queries *out, struct err *e)
{
    return db_read(s->db, e) && db_end(s->db, list_queries(s, a, out, e), e);
}

/* Whether a query of this name has another id than `id`. */
static bool name_is_free(struct store *s, struct slice name, struct slice id, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT 1 FROM saved_query WHERE name = $1 AND id IS NOT $2", e);
    bind_text(q, name);
    bind_text(q, id);
    bool taken = false;
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW)
        taken = true;
    if (step == STEP_ERROR)
        return false;
    return !taken || err_set(e, ERR_CONFLICT, "there is a query \"%.*s\" already; choose another name, or change that one", SLICE_ARG(name));
}

static bool load_query(struct store *s, struct slice id, struct arena *a, struct saved_query *out, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT " COLUMNS " FROM saved_query WHERE id = $1", e);
    bind_text(q, id);
    bool found = false;
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        take_query(q, a, out);
        found = true;
    }
    if (step == STEP_ERROR)
        return false;
    return found || err_set(e, ERR_NOT_FOUND, "there is no query with the id %.*s", SLICE_ARG(slice_cut(id, 100)));
}

static bool put_query(struct store *s, const struct saved_query *query, struct arena *a, struct saved_query *out, struct err *e)
{
    char now[CLOCK_TEXT], fresh[UUID_TEXT + 1];
    struct slice id = query->id;
    clock_text(clock_now_us(), now);
    if (!name_is_free(s, query->name, id, e))
        return false;
    if (!id.ptr) {
        uuid_random(fresh);
        id = slice_str(fresh);
        struct stmt *q = db_prepare(s->db, "INSERT INTO saved_query (id, name, text, chart, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $5)", e);
        const struct slice texts[] = {id, query->name, query->text, query->chart, slice_str(now)};
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
            bind_text(q, texts[i]);
        return stmt_run(q, e) && load_query(s, id, a, out, e);
    }
    struct stmt *q = db_prepare(s->db, "UPDATE saved_query SET name = $1, text = $2, chart = $3, updated_at = $4 WHERE id = $5", e);
    const struct slice texts[] = {query->name, query->text, query->chart, slice_str(now), id};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        bind_text(q, texts[i]);
    return stmt_run(q, e) && load_query(s, id, a, out, e);
}

bool store_query_put(struct store *s, const struct saved_query *query, struct arena *a, struct saved_query *out, struct err *e)
{
    return db_write(s->db, e) && db_end(s->db, put_query(s, query, a, out, e), e);
}

static bool delete_query(struct store *s, struct slice id, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "DELETE FROM saved_query WHERE id = $1", e);
    bind_text(q, id);
    return stmt_run(q, e) && (db_changes(s->db) || err_set(e, ERR_NOT_FOUND, "there is no query with the id %.*s", SLICE_ARG(slice_cut(id, 100))));
}

bool store_query_delete(struct store *s, struct slice id, struct err *e)
{
    return db_write(s->db, e) && db_end(s->db, delete_query(s, id, e), e);
}
