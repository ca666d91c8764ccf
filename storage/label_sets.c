#include "storage/judging.h"
#include "storage/sql.h"

#include "base/clock.h"

/* ---- sets -------------------------------------------------------------------------------------------------------------- */

/* Those that are declared, and those that only labels know. $1: a name, or NULL; $2: the key of a collection, or 0. */
static const char set_rows[] =
    "WITH counted AS (SELECT l.label_set AS name, count(*) AS labels, count(DISTINCT l.run) AS runs, count(DISTINCT coalesce(l.who, '')) AS people"
    " FROM label l WHERE l.run IS NOT NULL AND l.label_set BETWEEN coalesce($1, '') AND coalesce($1, x'')" /* a blob is above all texts */
    " AND ($2 = 0 AND mine((SELECT collection FROM run WHERE n = l.run)) OR l.run IN (SELECT n FROM run WHERE collection = $2)) GROUP BY l.label_set)"
    " SELECT s.name, s.title, s.description, s.rubric, s.schema, s.created_at, s.reading, s.test_share, coalesce(c.labels, 0), coalesce(c.runs, 0),"
    " coalesce(c.people, 0), 1 FROM label_set s LEFT JOIN counted c ON c.name = s.name WHERE $1 IS NULL OR s.name = $1"
    " UNION ALL SELECT c.name, NULL, NULL, NULL, NULL, NULL, 0, 0.5, c.labels, c.runs, c.people, 0 FROM counted c"
    " WHERE c.name NOT IN (SELECT name FROM label_set) ORDER BY 1";

static void take_set(struct stmt *q, struct arena *a, struct label_set *out)
{
    *out = (struct label_set){0};
    struct slice *const texts[] = {&out->name, &out->title, &out->description, &out->rubric, &out->schema, &out->created_at};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        *texts[i] = take_text(q, a);
    out->reading = (enum label_reading)take_int(q);
    out->test_share = take_real(q);
    out->labels = take_int(q);
    out->runs = take_int(q);
    out->people = take_int(q);
    out->declared = take_int(q) != 0;
}

static bool list_sets(struct store *s, struct slice collection, struct slice name, struct arena *a, struct label_sets *out, struct err *e)
{
    int64_t c = 0;
    *out = (struct label_sets){0};
    if (collection.ptr && !collection_find(s, collection, &c, e))
        return false;
    struct stmt *q = db_prepare(s->db, set_rows, e);
    bind_text(q, name);
    bind_int(q, c);
    size_t cap = 0;
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        out->items = arena_grow(a, out->items, out->n, &cap, sizeof *out->items);
        take_set(q, a, &out->items[out->n++]);
    }
    return step == STEP_DONE;
}

bool store_label_sets(struct store *s, struct slice collection, struct arena *a, struct label_sets *out, struct err *e)
{
    return db_read(s->db, e) && db_end(s->db, list_sets(s, collection, SLICE_NONE, a, out, e), e);
}

static bool find_set(struct store *s, struct slice name, struct arena *a, struct label_set *out, struct err *e)
{
    struct label_sets sets;
    if (!list_sets(s, SLICE_NONE, name, a, &sets, e))
        return false;
    if (!sets.n)
        return err_set(e, ERR_NOT_FOUND, "there is no label set \"%.*s\"", SLICE_ARG(name));
    *out = sets.items[0];
    return true;
}

bool store_label_set(struct store *s, struct slice name, struct arena *a, struct label_set *out, struct err *e)
{
    return db_read(s->db, e) && db_end(s->db, find_set(s, name, a, out, e), e);
}

static bool write_set(struct store *s, const struct label_set *set, struct err *e)
{
    char now[CLOCK_TEXT];
    clock_text(clock_now_us(), now);
    struct stmt *q = db_prepare(s->db,
        "INSERT INTO label_set (name, title, description, rubric, schema, created_at, reading, test_share) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
        " ON CONFLICT DO UPDATE SET title = excluded.title, description = excluded.description, rubric = excluded.rubric,"
        " schema = excluded.schema, reading = excluded.reading, test_share = excluded.test_share", e);
    const struct slice texts[] = {set->name, set->title, set->description, set->rubric, set->schema};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        bind_text(q, texts[i]);
    bind_text(q, set->created_at.ptr ? set->created_at : slice_str(now));
    bind_int(q, set->reading);
    bind_real(q, set->test_share >= 0 && set->test_share <= 1 ? set->test_share : 0.5);
    return stmt_run(q, e);
}

static bool is_as_before(const struct label_set *a, const struct label_set *b)
{
    return a->declared == b->declared && a->reading == b->reading && a->test_share == b->test_share && slice_eq(not_null(a->title), not_null(b->title)) &&
           slice_eq(not_null(a->description), not_null(b->description)) && slice_eq(not_null(a->rubric), not_null(b->rubric)) &&
           slice_eq(not_null(a->schema), not_null(b->schema));
}

/* `was`: how it has to be; NULL: as it is. */
static bool put_set(struct store *s, const struct label_set *was, const struct label_set *set, struct err *e)
{
    struct arena a = {0};
    struct label_sets sets;
    bool ok = list_sets(s, SLICE_NONE, set->name, &a, &sets, e);
    if (ok && was && !(sets.n && is_as_before(was, sets.items)))
        ok = err_set(e, ERR_BUSY, "the set \"%.*s\" was changed at the same moment; send it again", SLICE_ARG(set->name));
    if (ok && sets.n) {
        const struct label_set *old = sets.items;
        if (old->declared && old->labels && (!slice_eq(not_null(old->schema), not_null(set->schema)) || old->reading != set->reading))
            ok = err_set(e, ERR_CONFLICT, "the set \"%.*s\" has labels already; another schema needs a set of its own", SLICE_ARG(set->name));
    }
    arena_free(&a);
    return ok && write_set(s, set, e);
}

bool store_label_set_put(struct store *s, const struct label_set *set, struct err *e)
{
    if (!set->name.len)
        return err_set(e, ERR_USAGE, "a label set needs a name");
    return db_write(s->db, e) && db_end(s->db, put_set(s, NULL, set, e), e);
}

bool store_label_set_change(struct store *s, const struct label_set *was, const struct label_set *set, struct err *e)
{
    return db_write(s->db, e) && db_end(s->db, put_set(s, was, set, e), e);
}

static bool is_declared(struct store *s, struct slice name, bool *there, struct err *e)
{
    int64_t one;
    struct stmt *q = db_prepare(s->db, "SELECT 1 FROM label_set WHERE name = $1", e);
    bind_text(q, name);
    enum step step = stmt_int(q, &one, e);
    *there = step == STEP_ROW;
    return step != STEP_ERROR;
}

static bool add_set(struct store *s, const struct label_set *set, struct err *e)
{
    bool there;
    if (!is_declared(s, set->name, &there, e))
        return false;
    return there ? err_set(e, ERR_CONFLICT, "there is a label set \"%.*s\" already; PATCH changes it", SLICE_ARG(set->name)) : put_set(s, NULL, set, e);
}

bool store_label_set_add(struct store *s, const struct label_set *set, struct err *e)
{
    if (!set->name.len)
        return err_set(e, ERR_USAGE, "a label set needs a name");
    return db_write(s->db, e) && db_end(s->db, add_set(s, set, e), e);
}

static bool carry_set(struct store *s, const struct label_set *set, struct err *e)
{
    bool there;
    return is_declared(s, set->name, &there, e) && (there || write_set(s, set, e));
}

bool store_label_set_carry(struct store *s, const struct label_set *set, struct err *e)
{
    if (!set->name.len)
        return err_set(e, ERR_USAGE, "a label set of an export needs a name");
    return db_write(s->db, e) && db_end(s->db, carry_set(s, set, e), e);
}

static bool delete_set(struct store *s, struct slice name, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "DELETE FROM label_set WHERE name = $1", e);
    bind_text(q, name);
    if (!stmt_run(q, e))
        return false;
    if (!db_changes(s->db))
        return err_set(e, ERR_NOT_FOUND, "there is no label set \"%.*s\" that was made here", SLICE_ARG(name));
    q = db_prepare(s->db, "DELETE FROM label WHERE label_set = $1 AND by_hand", e);
    bind_text(q, name);
    return stmt_run(q, e);
}

bool store_label_set_delete(struct store *s, struct slice name, struct err *e)
{
    return db_write(s->db, e) && db_end(s->db, delete_set(s, name, e), e);
}

/* ---- labels -------------------------------------------------------------------------------------------------------------- */

static bool load_label(struct store *s, int64_t n, struct arena *a, struct label_row *out, struct err *e)
{
    struct stmt *q = db_prepare(s->db,
        "SELECT CAST(l.n AS TEXT), r.id, r.external_id, t.task_id, c.id, l.label_set, l.value, l.who, l.created_at, l.split, l.by_hand, l.n"
        " FROM label l JOIN run r ON r.n = l.run JOIN collection c ON c.n = r.collection LEFT JOIN task t ON t.n = r.task WHERE l.n = $1", e);
    bind_int(q, n);
    *out = (struct label_row){0};
    if (stmt_step(q, e) != STEP_ROW)
        return false;
    struct slice *const texts[] = {&out->id, &out->run, &out->external_id, &out->task_id, &out->collection, &out->set, &out->value, &out->who,
                                   &out->when, &out->split};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        *texts[i] = take_text(q, a);
    out->by_hand = take_int(q) != 0;
    out->n = take_int(q);
    stmt_reset(q);
    return true;
}

/* What from_labels reads: the lists know struct filter alone. */
struct wanted {
    struct filter none;
    const struct label_filter *f;
};

static bool from_labels(struct store *s, struct sql *q, const struct filter *none, struct err *e)
{
    const struct label_filter *f = ((const struct wanted *)none)->f;
    sql_add(q, " FROM label l JOIN run r ON r.n = l.run WHERE 1");
    if (f->collection.ptr) {
        int64_t collection;
        if (!collection_find(s, f->collection, &collection, e))
            return false;
        sql_add(q, " AND r.collection = ");
        sql_int(q, collection);
    } else {
        sql_add(q, " AND mine(r.collection)");
    }
    const struct { const char *condition; struct slice value; } texts[] = {
        {" AND l.label_set = ", f->set}, {" AND r.id = ", f->run}, {" AND coalesce(l.who, '') = ", f->who},
        {" AND l.value = ", f->value}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i].value.ptr) {
            sql_add(q, texts[i].condition);
            sql_text(q, texts[i].value);
        }
    return true;
}

static const struct sort_key keys[] = {{"run", "l.run", false}, {"when", "l.created_at", false}};
static const struct order own_order = {.terms = {{&keys[0], false}, {&keys[1], false}}, .n = 2};
static const struct list list = {from_labels, "l.n", keys, sizeof keys / sizeof *keys, &own_order};

static bool load_page(struct store *s, const struct wanted *wanted, const struct page *page, struct arena *a, struct label_rows *out, struct err *e)
{
    struct ids ids;
    *out = (struct label_rows){0};
    if (!list_page(s, &list, &wanted->none, page, true, a, &ids, &out->end, e))
        return false;
    out->items = arena_array(a, struct label_row, ids.n);
    for (; out->n < ids.n; out->n++)
        if (!load_label(s, ids.items[out->n], a, &out->items[out->n], e))
            return false;
    return true;
}

bool store_labels(struct store *s, const struct label_filter *f, const struct page *page, struct arena *a, struct label_rows *out, struct err *e)
{
    const struct wanted wanted = {.f = f};
    return db_read(s->db, e) && db_end(s->db, load_page(s, &wanted, page, a, out, e), e);
}

/* How a set is read; one that is not declared as READING_ONE. */
static bool reading_of(struct store *s, struct slice set, enum label_reading *out, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT reading FROM label_set WHERE name = $1", e);
    bind_text(q, set);
    *out = READING_ONE;
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW)
        *out = (enum label_reading)take_int(q);
    return step == STEP_DONE;
}

/* The same person's label of that value, 0 where there is none; what it says beside its value is brought up to date. */
static bool same_label(struct store *s, int64_t run, const struct label_row *row, int64_t *out, bool *changed, struct err *e)
{
    struct stmt *q = db_prepare(s->db,
        "SELECT n, $1 IS NOT NULL AND split IS NOT $1 FROM label WHERE run = $2 AND label_set = $3 AND value = $4 AND who IS $5 ORDER BY n LIMIT 1", e);
    bind_text(q, row->split);
    bind_int(q, run);
    bind_text(q, row->set);
    bind_text(q, row->value);
    bind_text(q, row->who);
    int64_t n = 0;
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        n = take_int(q);
        *changed = take_int(q) != 0;
    }
    *out = n;
    if (step != STEP_DONE || !*changed)
        return step == STEP_DONE;
    q = db_prepare(s->db, "UPDATE label SET split = $1 WHERE n = $2", e);
    bind_text(q, row->split);
    bind_int(q, n);
    return stmt_run(q, e);
}

static bool put_label(struct store *s, const struct label_row *row, uint64_t *added, uint64_t *changed, struct err *e)
{
    int64_t run, there;
    enum label_reading reading;
    bool differs = false, replaced = false;
    char now[CLOCK_TEXT];
    clock_text(clock_now_us(), now);
    if (!row->set.len || !row->value.len)
        return err_set(e, ERR_USAGE, "a label needs a set and a value");
    if (!run_find(s, row->run, &run, e) || !reading_of(s, row->set, &reading, e) || !same_label(s, run, row, &there, &differs, e))
        return false;
    if (reading == READING_ONE) { /* a source may have several of one person */
        struct stmt *q = db_prepare(s->db, "DELETE FROM label WHERE run = $1 AND label_set = $2 AND who IS $3 AND n <> $4", e);
        bind_int(q, run);
        bind_text(q, row->set);
        bind_text(q, row->who);
        bind_int(q, there);
        if (!stmt_run(q, e))
            return false;
        replaced = db_changes(s->db) > 0;
    }
    if (there) {
        *changed += differs || replaced;
        return true;
    }
    *(replaced ? changed : added) += 1;
    struct stmt *q = db_prepare(s->db,
        "INSERT INTO label (run, label_set, value, who, created_at, split, by_hand) VALUES ($1, $2, $3, $4, $5, $6, 1)", e);
    bind_int(q, run);
    bind_text(q, row->set);
    bind_text(q, row->value);
    bind_text(q, row->who);
    bind_text(q, row->when.ptr ? row->when : slice_str(now));
    bind_text(q, row->split);
    return stmt_run(q, e);
}

static bool put_labels(struct store *s, const struct label_row *rows, size_t n, uint64_t *added, uint64_t *changed, struct err *e)
{
    for (size_t i = 0; i < n; i++)
        if (!put_label(s, &rows[i], added, changed, e))
            return false;
    return true;
}

bool store_labels_put(struct store *s, const struct label_row *rows, size_t n, uint64_t *added, uint64_t *changed, struct err *e)
{
    *added = *changed = 0;
    return db_write(s->db, e) && db_end(s->db, put_labels(s, rows, n, added, changed, e), e);
}

static bool delete_label(struct store *s, struct slice id, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "DELETE FROM label WHERE CAST(n AS TEXT) = $1 AND n = CAST($1 AS INTEGER)"
        " AND mine((SELECT collection FROM run WHERE n = coalesce(label.run, (SELECT run FROM finding WHERE n = label.finding))))", e);
    bind_text(q, id);
    return stmt_run(q, e) && (db_changes(s->db) || err_set(e, ERR_NOT_FOUND, "there is no label \"%.*s\"", SLICE_ARG(id)));
}

bool store_label_delete(struct store *s, struct slice id, struct err *e)
{
    return db_write(s->db, e) && db_end(s->db, delete_label(s, id, e), e);
}
