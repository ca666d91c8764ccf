#include "storage/care.h"
#include "storage/run_write.h"
#include "storage/sql.h"
#include "storage/tokens.h"

#include "base/clock.h"
#include "base/hash.h"

enum { NAME_BYTES = 200 };

/* Runs deleted in one transaction: others may write in between. */
enum { DELETE_RUNS = 1000 };

bool collection_find(struct store *s, struct slice id_or_name, int64_t *n, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT n FROM collection WHERE id = $1 OR name = $1 ORDER BY id = $1 DESC LIMIT 1", e);
    bind_text(q, id_or_name);
    enum step step = stmt_int(q, n, e);
    if (step == STEP_ERROR)
        return false;
    return (step == STEP_ROW && store_sees(s, *n)) || err_set(e, ERR_NOT_FOUND, "there is no collection \"%.*s\"", SLICE_ARG(id_or_name));
}

bool collection_load(struct store *s, int64_t n, struct arena *a, struct collection_row *out, struct err *e)
{
    struct stmt *q = db_prepare(s->db,
        "SELECT id, name, description, metadata, created_at, runs, passed, failed, flagged, findings, bytes, keep, quota, coalesce(imported, 0),"
        " (SELECT count(*) FROM task WHERE collection = $1), (SELECT count(*) FROM task WHERE collection = $1 AND verdict = 2)"
        " FROM collection WHERE n = $1", e);
    bind_int(q, n);
    enum step step = stmt_step(q, e);
    if (step != STEP_ROW)
        return step == STEP_DONE && err_set(e, ERR_NOT_FOUND, "the collection was deleted");
    *out = (struct collection_row){0};
    out->id = take_text(q, a);
    out->name = take_text(q, a);
    out->description = take_text(q, a);
    out->metadata = take_text(q, a);
    out->created_at = take_text(q, a);
    out->runs = take_int(q);
    out->passed = take_int(q);
    out->failed = take_int(q);
    out->flagged = take_int(q);
    out->findings = take_int(q);
    out->bytes = take_int(q);
    out->keep = take_text(q, a);
    out->quota = take_text(q, a);
    int64_t imported = take_int(q);
    if (imported) {
        char text[CLOCK_TEXT];
        clock_text(imported, text);
        out->imported_at = arena_dup(a, slice_str(text));
    }
    out->tasks = take_int(q);
    out->broken_tasks = take_int(q);
    stmt_reset(q);
    return true;
}

static bool find_and_load(struct store *s, struct slice id_or_name, struct arena *a, struct collection_row *out, struct err *e)
{
    int64_t n;
    return collection_find(s, id_or_name, &n, e) && collection_load(s, n, a, out, e);
}

bool store_collection(struct store *s, struct slice id_or_name, struct arena *a, struct collection_row *out, struct err *e)
{
    return db_read(s->db, e) && db_end(s->db, find_and_load(s, id_or_name, a, out, e), e);
}

/* ERR_CONFLICT where another collection than `n` (0: any) has the id or the name. */
static bool is_free(struct store *s, const char *column, struct slice value, int64_t n, struct err *e)
{
    if (!value.ptr)
        return true;
    struct stmt *q = *column == 'i' ? db_prepare(s->db, "SELECT 1 FROM collection WHERE id = $1 AND n <> $2", e)
                                    : db_prepare(s->db, "SELECT 1 FROM collection WHERE name = $1 AND n <> $2", e);
    bind_text(q, value);
    bind_int(q, n);
    enum step step = stmt_step(q, e);
    if (step != STEP_ROW)
        return step == STEP_DONE;
    stmt_reset(q);
    return err_set(e, ERR_CONFLICT, "there is a collection with the %s \"%.*s\" already", column, SLICE_ARG(value));
}

static bool add(struct store *s, const struct collection_row *row, struct arena *a, struct collection_row *out, struct err *e)
{
    char id[UUID_TEXT + 1], now[CLOCK_TEXT];
    if (store_is_bound(s)) /* theirs are there already; whether this name is free is not for them to know */
        return err_set(e, ERR_NOT_FOUND, "there is no collection \"%.*s\"", SLICE_ARG(row->name));
    uuid_random(id);
    clock_text(clock_now_us(), now);
    if (!row->name.len)
        return err_set(e, ERR_USAGE, "a collection needs a name");
    if (row->name.len > NAME_BYTES)
        return err_set(e, ERR_USAGE, "the name of a collection has at most %d bytes", NAME_BYTES);
    for (size_t i = 0; i < row->name.len; i++)
        if ((unsigned char)row->name.ptr[i] < ' ' || row->name.ptr[i] == 0x7f)
            return err_set(e, ERR_USAGE, "the name of a collection cannot hold control characters");
    if (!is_free(s, "name", row->name, 0, e) || !is_free(s, "id", row->id, 0, e))
        return false;
    struct stmt *q = db_prepare(s->db, "INSERT INTO collection (id, name, description, metadata, created_at) VALUES ($1, $2, $3, $4, $5)", e);
    bind_text(q, row->id.ptr ? row->id : slice_str(id));
    bind_text(q, row->name);
    bind_text(q, row->description);
    bind_text(q, row->metadata);
    bind_text(q, row->created_at.ptr ? row->created_at : slice_str(now));
    return stmt_run(q, e) && collection_load(s, db_last_id(s->db), a, out, e);
}

bool store_collection_add(struct store *s, const struct collection_row *row, struct arena *a, struct collection_row *out, struct err *e)
{
    return db_write(s->db, e) && db_end(s->db, add(s, row, a, out, e), e);
}

static struct slice fit_name(struct arena *a, struct slice name)
{
    struct slice fit = arena_dup(a, slice_cut(name, NAME_BYTES));
    char *p = (char *)(uintptr_t)fit.ptr;
    for (size_t i = 0; i < fit.len; i++)
        if ((unsigned char)p[i] < ' ' || p[i] == 0x7f)
            p[i] = '_';
    return fit;
}

static bool find_or_add(struct store *s, struct slice name, struct arena *a, struct collection_row *out, struct err *e)
{
    struct err why = {0};
    if (find_and_load(s, name, a, out, &why))
        return true;
    if (why.code != ERR_NOT_FOUND)
        return err_set(e, why.code, "%s", why.text);
    return add(s, &(struct collection_row){.name = name}, a, out, e);
}

bool store_collection_want(struct store *s, struct slice id_or_name, struct arena *a, struct collection_row *out, struct err *e)
{
    struct slice name = fit_name(a, id_or_name);
    struct err why = {0};
    if (store_collection(s, name, a, out, &why)) /* a look without the lock */
        return true;
    return db_write(s->db, e) && db_end(s->db, find_or_add(s, name, a, out, e), e);
}

static bool change(struct store *s, struct slice id_or_name, const struct collection_row *row, struct err *e)
{
    struct arena a = {0};
    struct collection_row old;
    int64_t n;
    bool ok = collection_find(s, id_or_name, &n, e) && collection_load(s, n, &a, &old, e);
    ok = ok && limits_parse(row->keep, row->quota, e);
    bool renames = row->id.ptr || row->created_at.ptr;
    if (ok && renames && old.runs)
        ok = err_set(e, ERR_CONFLICT, "the collection has runs: its id and date stay as they are");
    if (ok && row->name.ptr && store_is_bound(s) && !slice_eq(row->name, old.name)) /* whether a name is free is not for them to know */
        ok = err_set(e, ERR_FORBIDDEN, "a collection is renamed with a token for all collections");
    if (ok && (row->keep.ptr || row->quota.ptr) && store_is_bound(s))
        ok = err_set(e, ERR_FORBIDDEN, "how much a collection may have and keep is set with a token for all collections");
    if (ok && row->name.ptr && !row->name.len)
        ok = err_set(e, ERR_USAGE, "a collection needs a name");
    if (ok && (ok = is_free(s, "name", row->name, n, e) && is_free(s, "id", row->id, n, e))) {
        struct stmt *q = db_prepare(s->db,
            "UPDATE collection SET id = coalesce($1, id), name = coalesce($2, name), description = coalesce($3, description),"
            " metadata = coalesce($4, metadata), created_at = coalesce($5, created_at), keep = nullif(coalesce($6, keep), ''),"
            " quota = nullif(coalesce($7, quota), 'none') WHERE n = $8", e);
        bind_text(q, row->id);
        bind_text(q, row->name);
        bind_text(q, row->description);
        bind_text(q, row->metadata);
        bind_text(q, row->created_at);
        bind_text(q, row->keep);
        bind_text(q, row->quota);
        bind_int(q, n);
        ok = stmt_run(q, e);
    }
    arena_free(&a);
    return ok;
}

bool store_collection_change(struct store *s, struct slice id_or_name, const struct collection_row *row, struct err *e)
{
    return db_write(s->db, e) && db_end(s->db, change(s, id_or_name, row, e), e);
}

/* ---- list ------------------------------------------------------------------------------------------------------------ */

static bool from_collections(struct store *s, struct sql *q, const struct filter *f, struct err *e)
{
    (void)f;
    (void)e;
    sql_add(q, " FROM collection c WHERE 1");
    if (store_is_bound(s))
        sql_add(q, " AND mine(c.n)");
    return true;
}

static const struct sort_key keys[] = {
    {"imported", "c.imported", true},
    {"name", "substr(c.name, 1, 120)", false},
    {"created_at", "c.created_at", false},
    {"runs", "c.runs", false},
    {"findings", "c.findings", false},
};
static const struct order own_order = {.terms = {{&keys[0], true}}, .n = 1};
static const struct list list = {from_collections, "c.n", keys, sizeof keys / sizeof *keys, &own_order};

static bool load_page(struct store *s, const struct page *page, struct arena *a, struct collection_rows *out, struct err *e)
{
    struct ids ids;
    *out = (struct collection_rows){0};
    if (!list_page(s, &list, NULL, page, true, a, &ids, &out->end, e))
        return false;
    out->items = arena_array(a, struct collection_row, ids.n);
    for (; out->n < ids.n; out->n++)
        if (!collection_load(s, ids.items[out->n], a, &out->items[out->n], e))
            return false;
    return true;
}

bool store_collections(struct store *s, const struct page *page, struct arena *a, struct collection_rows *out, struct err *e)
{
    return db_read(s->db, e) && db_end(s->db, load_page(s, page, a, out, e), e);
}

/* ---- delete ---------------------------------------------------------------------------------------------------------- */

static bool delete_some(struct store *s, int64_t collection, bool *more, struct err *e)
{
    int64_t runs[DELETE_RUNS];
    size_t n = 0;
    struct stmt *q = db_prepare(s->db, "SELECT n FROM run WHERE collection = $1 LIMIT $2", e);
    bind_int(q, collection);
    bind_int(q, DELETE_RUNS);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW)
        runs[n++] = take_int(q);
    for (size_t i = 0; i < n && step == STEP_DONE; i++)
        if (!run_remove(s, runs[i], e))
            return false;
    *more = n == DELETE_RUNS;
    return step == STEP_DONE && blocks_sweep(s, e);
}

/* What is left when the last runs have gone: tasks that an export named and no run has, findings about the collection, itself. */
static bool delete_rest(struct store *s, int64_t collection, struct err *e)
{
    struct arena a = {0};
    struct ids tasks = {0};
    size_t cap = 0;
    struct stmt *q = db_prepare(s->db, "SELECT n FROM task WHERE collection = $1", e);
    bind_int(q, collection);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        tasks.items = arena_grow(&a, tasks.items, tasks.n, &cap, sizeof *tasks.items);
        tasks.items[tasks.n++] = take_int(q);
    }
    bool ok = step == STEP_DONE;
    for (size_t i = 0; i < tasks.n && ok; i++)
        ok = counts_drop_task(s, collection, tasks.items[i], e);
    arena_free(&a);
    if (!ok || !findings_drop(s, &(struct subject){.collection = collection}, e))
        return false;
    q = db_prepare(s->db, "DELETE FROM collection WHERE n = $1", e);
    bind_int(q, collection);
    return stmt_run(q, e);
}

bool store_collection_delete(struct store *s, struct slice id, struct err *e)
{
    int64_t n;
    if (!collection_find(s, id, &n, e))
        return false;
    /* In slices; cut short, what is left is a smaller collection, and deleting it again does the rest. */
    for (bool more = true; more;)
        if (!db_write(s->db, e) || !db_end(s->db, delete_some(s, n, &more, e) && (more || delete_rest(s, n, e)), e))
            return false;
    passes_changed(s); /* of those that were for this collection */
    return true;
}
