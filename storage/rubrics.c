#include "storage/judge_job.h"
#include "storage/judging.h"
#include "storage/sql.h"

#include "base/clock.h"
#include "base/hash.h"

/* What was made here comes before what imports brought, and what the first of those brought before what came to it later: nobody's file
 * changes which question a name means. */
#define IN_ORDER " ORDER BY carried, version DESC LIMIT 1"
#define LATEST "(SELECT version FROM rubric l WHERE l.name = v.name" IN_ORDER ")"

#define RUBRIC_COLUMNS                                                                                                              \
    "name, title, behavior, body, author, note, created_at, version, " LATEST ", hash, shipped, carried"

static void take_rubric(struct stmt *q, struct arena *a, struct rubric_row *out)
{
    *out = (struct rubric_row){0};
    struct slice *const texts[] = {&out->name, &out->title, &out->behavior, &out->body, &out->author, &out->note, &out->created_at};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        *texts[i] = take_text(q, a);
    out->version = take_int(q);
    out->latest = take_int(q);
    struct slice hash = take_bytes(q);
    if (hash.len == HASH_SIZE)
        memcpy(out->hash, hash.ptr, HASH_SIZE);
    out->shipped = take_int(q) != 0;
    out->carried = take_int(q);
}

static bool count_judgments(struct store *s, struct rubric_row *row, struct err *e)
{
    struct stmt *q = db_prepare(s->db,
        "SELECT count(*), coalesce(sum(flagged), 0) FROM judgment WHERE superseded = 0"
        " AND judge IN (SELECT n FROM judge WHERE rubric = $1 AND version = $2)", e);
    bind_text(q, row->name);
    bind_int(q, row->version);
    if (stmt_step(q, e) != STEP_ROW)
        return false;
    row->judgments = take_int(q);
    row->flagged = take_int(q);
    stmt_reset(q);
    return true;
}

/* version 0: the latest; *found. */
static bool load(struct store *s, struct slice name, int64_t version, struct arena *a, struct rubric_row *out, bool *found, struct err *e)
{
    struct stmt *q = db_prepare(s->db,
        "SELECT " RUBRIC_COLUMNS " FROM rubric v WHERE name = $1 AND ($2 = 0 OR version = $2)" IN_ORDER, e);
    bind_text(q, name);
    bind_int(q, version);
    enum step step = stmt_step(q, e);
    *found = step == STEP_ROW;
    if (!*found)
        return step == STEP_DONE;
    take_rubric(q, a, out);
    stmt_reset(q);
    return count_judgments(s, out, e);
}

static bool load_or_say(struct store *s, struct slice name, int64_t version, struct arena *a, struct rubric_row *out, struct err *e)
{
    bool found;
    if (!load(s, name, version, a, out, &found, e))
        return false;
    if (!found && version)
        return err_set(e, ERR_NOT_FOUND, "there is no version %lld of the rubric \"%.*s\"", (long long)version, SLICE_ARG(name));
    return found || err_set(e, ERR_NOT_FOUND, "there is no rubric \"%.*s\"", SLICE_ARG(name));
}

bool store_rubric(struct store *s, struct slice name, int64_t version, struct arena *a, struct rubric_row *out, struct err *e)
{
    return db_read(s->db, e) && db_end(s->db, load_or_say(s, name, version, a, out, e), e);
}

/* ---- adding ---------------------------------------------------------------------------------------------------------- */

static bool insert(struct store *s, const struct rubric_row *row, int64_t version, const unsigned char hash[HASH_SIZE], struct err *e)
{
    char now[CLOCK_TEXT];
    clock_text(clock_now_us(), now);
    struct stmt *q = db_prepare(s->db,
        "INSERT INTO rubric (name, version, shipped, hash, title, behavior, author, note, created_at, body, carried)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)", e);
    bind_text(q, row->name);
    bind_int(q, version);
    bind_int(q, row->shipped);
    bind_blob(q, slice_of((const char *)hash, HASH_SIZE));
    bind_text(q, row->title);
    bind_text(q, row->behavior);
    bind_text(q, row->author);
    bind_text(q, row->note);
    bind_text(q, row->created_at.ptr ? row->created_at : slice_str(now));
    bind_text(q, not_null(row->body));
    bind_int(q, row->carried);
    return stmt_run(q, e);
}

/* The number after all that a name has. */
static bool next_version(struct store *s, struct slice name, int64_t *out, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT coalesce(max(version), 0) + 1 FROM rubric WHERE name = $1", e);
    bind_text(q, name);
    return stmt_int(q, out, e) == STEP_ROW;
}

static bool put(struct store *s, const struct rubric_row *row, int64_t base, struct arena *a, struct rubric_row *out, bool *added, struct err *e)
{
    struct rubric_row latest = {0};
    unsigned char hash[HASH_SIZE];
    int64_t next;
    bool found;
    if (!row->name.len)
        return err_set(e, ERR_USAGE, "a rubric needs a name");
    hash_of(not_null(row->body), hash);
    if (!load(s, row->name, 0, a, &latest, &found, e) || !next_version(s, row->name, &next, e))
        return false;
    if (base && base != latest.version)
        return err_set(e, ERR_CONFLICT, "the rubric \"%.*s\" is at version %lld by now, and this edit began with version %lld; look at what changed",
                       SLICE_ARG(row->name), (long long)latest.version, (long long)base);
    bool same = found && memcmp(latest.hash, hash, HASH_SIZE) == 0;
    if (same || (row->shipped && found && !latest.shipped && !latest.carried)) {
        *out = latest;
        return true;
    }
    if (row->version > 0 && row->version < next)
        return err_set(e, ERR_CONFLICT, "the rubric \"%.*s\" has a version %lld already", SLICE_ARG(row->name), (long long)row->version);
    *added = true;
    return insert(s, row, row->version > 0 ? row->version : next, hash, e) && load(s, row->name, 0, a, out, &found, e);
}

bool store_rubric_put(struct store *s, const struct rubric_row *row, int64_t base, struct arena *a, struct rubric_row *out, bool *added,
                      struct err *e)
{
    *added = false;
    return db_write(s->db, e) && db_end(s->db, put(s, row, base, a, out, added, e), e);
}

/* ---- one that an export carries --------------------------------------------------------------------------------------- */

bool rubric_version_of(struct store *s, struct slice name, int64_t version, const unsigned char hash[HASH_SIZE], int64_t *out, struct err *e)
{
    *out = 0;
    struct stmt *q = db_prepare(s->db, "SELECT version FROM rubric WHERE name = $1 AND hash = $2 ORDER BY version <> $3, version LIMIT 1", e);
    bind_text(q, name);
    bind_blob(q, slice_of((const char *)hash, HASH_SIZE));
    bind_int(q, version);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW)
        *out = take_int(q);
    return step == STEP_DONE;
}

static bool carry(struct store *s, const struct rubric_row *row, struct err *e)
{
    struct arena a = {0};
    struct rubric_row taken, latest;
    struct rubric_row now = *row;
    unsigned char hash[HASH_SIZE];
    bool is_taken = false, found;
    int64_t known, next;
    hash_of(not_null(row->body), hash);
    bool ok = load(s, row->name, 0, &a, &latest, &found, e) && (!found || load(s, row->name, row->version, &a, &taken, &is_taken, e));
    if (row->shipped && !found) /* the program's own would be put here next */
        now.carried = 0;
    if (ok && !is_taken)
        ok = insert(s, &now, row->version, hash, e);
    else if (ok)
        ok = rubric_version_of(s, row->name, row->version, hash, &known, e) &&
             (known || (next_version(s, row->name, &next, e) && insert(s, &now, next, hash, e)));
    arena_free(&a);
    return ok;
}

bool store_rubric_carry(struct store *s, const struct rubric_row *row, struct err *e)
{
    if (!row->name.len || row->version < 1 || row->version > RUBRIC_VERSION_MAX)
        return err_set(e, ERR_USAGE, "a rubric of an export needs a name, and a version from 1 to %d", RUBRIC_VERSION_MAX);
    return db_write(s->db, e) && db_end(s->db, carry(s, row, e), e);
}

/* ---- lists ----------------------------------------------------------------------------------------------------------- */

/* What from_rubrics reads: the lists know struct filter alone. */
struct wanted {
    struct filter none;
    struct slice name;
};

static bool from_rubrics(struct store *s, struct sql *q, const struct filter *f, struct err *e)
{
    const struct wanted *wanted = (const struct wanted *)f;
    (void)s;
    (void)e;
    if (wanted->name.ptr) {
        sql_add(q, " FROM rubric v WHERE v.name = ");
        sql_text(q, wanted->name);
    } else {
        sql_add(q, " FROM rubric v WHERE v.version = " LATEST);
    }
    return true;
}

static const struct sort_key keys[] = {{"name", "v.name", false}, {"version", "v.version", false}};
static const struct order own_order = {.terms = {{&keys[0], false}, {&keys[1], true}}, .n = 2};
static const struct list list = {from_rubrics, "v.n", keys, sizeof keys / sizeof *keys, &own_order};

static bool load_page(struct store *s, const struct wanted *wanted, const struct page *page, struct arena *a, struct rubric_rows *out, struct err *e)
{
    struct ids ids;
    *out = (struct rubric_rows){0};
    if (!list_page(s, &list, &wanted->none, page, true, a, &ids, &out->end, e))
        return false;
    out->items = arena_array(a, struct rubric_row, ids.n);
    for (; out->n < ids.n; out->n++) {
        struct stmt *q = db_prepare(s->db, "SELECT " RUBRIC_COLUMNS " FROM rubric v WHERE n = $1", e);
        bind_int(q, ids.items[out->n]);
        if (stmt_step(q, e) != STEP_ROW)
            return false;
        take_rubric(q, a, &out->items[out->n]);
        stmt_reset(q);
        if (!count_judgments(s, &out->items[out->n], e))
            return false;
    }
    return true;
}

bool store_rubrics(struct store *s, struct slice name, const struct page *page, struct arena *a, struct rubric_rows *out, struct err *e)
{
    const struct wanted wanted = {.name = name};
    return db_read(s->db, e) && db_end(s->db, load_page(s, &wanted, page, a, out, e), e);
}

bool store_rubrics_used(struct store *s, struct slice collection, struct arena *a, struct rubric_rows *out, struct err *e)
{
    int64_t n;
    *out = (struct rubric_rows){0};
    if (!collection_find(s, collection, &n, e))
        return false;
    struct stmt *q = db_prepare(s->db,
        "SELECT " RUBRIC_COLUMNS " FROM rubric v WHERE (name, version) IN (SELECT g.rubric, g.version FROM judge g WHERE EXISTS"
        " (SELECT 1 FROM judgment j WHERE j.judge = g.n AND j.collection = $1)) ORDER BY name, version", e);
    bind_int(q, n);
    size_t cap = 0;
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        out->items = arena_grow(a, out->items, out->n, &cap, sizeof *out->items);
        take_rubric(q, a, &out->items[out->n++]);
    }
    return step == STEP_DONE;
}

/* ---- deleting -------------------------------------------------------------------------------------------------------- */

static bool delete_one(struct store *s, struct slice name, struct err *e)
{
    struct stmt *q = db_prepare(s->db,
        "SELECT count(*), coalesce(max(shipped), 0), EXISTS (SELECT 1 FROM judgment WHERE judge IN (SELECT n FROM judge WHERE rubric = $1))"
        " FROM rubric WHERE name = $1", e);
    bind_text(q, name);
    if (stmt_step(q, e) != STEP_ROW)
        return false;
    bool any = take_int(q) != 0, shipped = take_int(q) != 0, judged = take_int(q) != 0;
    stmt_reset(q);
    if (!any)
        return err_set(e, ERR_NOT_FOUND, "there is no rubric \"%.*s\"", SLICE_ARG(name));
    if (shipped)
        return err_set(e, ERR_CONFLICT, "the rubric \"%.*s\" came with the program and stays", SLICE_ARG(name));
    if (judged)
        return err_set(e, ERR_CONFLICT, "runs were judged by the rubric \"%.*s\"; it stays with them", SLICE_ARG(name));
    q = db_prepare(s->db, "DELETE FROM rubric WHERE name = $1", e);
    bind_text(q, name);
    return stmt_run(q, e);
}

bool store_rubric_delete(struct store *s, struct slice name, struct err *e)
{
    return db_write(s->db, e) && db_end(s->db, delete_one(s, name, e), e);
}

/* ---- model connections ------------------------------------------------------------------------------------------------- */

bool store_models(struct store *s, struct arena *a, struct model_row **out, size_t *n, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT name, json FROM model_connection ORDER BY name", e);
    size_t cap = 0;
    enum step step;
    *out = NULL;
    *n = 0;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        *out = arena_grow(a, *out, *n, &cap, sizeof **out);
        (*out)[*n].name = take_text(q, a);
        (*out)[(*n)++].json = take_text(q, a);
    }
    return step == STEP_DONE;
}

static bool put_model(struct store *s, const struct model_row *row, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "INSERT INTO model_connection (name, json) VALUES ($1, $2) ON CONFLICT DO UPDATE SET json = excluded.json", e);
    bind_text(q, row->name);
    bind_text(q, row->json);
    return stmt_run(q, e);
}

bool store_model_put(struct store *s, const struct model_row *row, struct err *e)
{
    return db_write(s->db, e) && db_end(s->db, put_model(s, row, e), e);
}

static bool delete_model(struct store *s, struct slice name, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "DELETE FROM model_connection WHERE name = $1", e);
    bind_text(q, name);
    return stmt_run(q, e) && (db_changes(s->db) || err_set(e, ERR_NOT_FOUND, "no model connection \"%.*s\" is stored", SLICE_ARG(name)));
}

bool store_model_delete(struct store *s, struct slice name, struct err *e)
{
    return db_write(s->db, e) && db_end(s->db, delete_model(s, name, e), e);
}
