#include "storage/exceptions.h"

#include "base/clock.h"
#include "base/hash.h"
#include "storage/exception_match.h"
#include "storage/finding_write.h"
#include "storage/sql.h"

#include <stdlib.h>

enum { LOOK_US = 8000000, BATCH = 500 };

/* ---- all of them, compiled ------------------------------------------------------------------------------------------- */

struct compiled {
    int64_t n, collection;  /* collection 0: everywhere */
    struct slice id, detector;
    struct except *except;  /* NULL: a later program wrote it, and this one cannot read it */
};
/* Rows are never changed and keys never used again, so that their number and the highest key tell one state from all later ones. */
struct exceptions {
    struct arena arena;
    struct regex_scratch *scratch;
    struct compiled *items;
    size_t n, cap;
    int64_t count, highest;
};

static void drop_all(struct exceptions *all)
{
    for (size_t i = 0; i < all->n; i++)
        except_free(all->items[i].except);
    arena_reset(&all->arena);
    all->items = NULL;
    all->n = all->cap = 0;
}

void exceptions_free(struct exceptions *all)
{
    if (!all)
        return;
    drop_all(all);
    arena_free(&all->arena);
    regex_scratch_free(all->scratch);
    free(all);
}

static bool read_all(struct store *s, struct exceptions *all, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT n, coalesce(collection, 0), id, detector, condition FROM exception WHERE NOT going ORDER BY n", e);
    enum step step;
    struct err none = {0};
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        all->items = arena_grow(&all->arena, all->items, all->n, &all->cap, sizeof *all->items);
        struct compiled *c = &all->items[all->n++];
        c->n = take_int(q);
        c->collection = take_int(q);
        c->id = take_text(q, &all->arena);
        c->detector = take_text(q, &all->arena);
        if (!except_compile(take_bytes(q), &c->except, &none))
            c->except = NULL;
    }
    return step == STEP_DONE;
}

/* Those that stand in the transaction. */
static bool current(struct store *s, struct exceptions **out, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT count(*), coalesce(max(n), 0) FROM exception WHERE NOT going", e);
    if (stmt_step(q, e) != STEP_ROW)
        return false;
    int64_t count = take_int(q), highest = take_int(q);
    stmt_reset(q);
    if (!s->exceptions) {
        s->exceptions = calloc(1, sizeof *s->exceptions);
        if (!s->exceptions)
            abort(); /* out of memory */
        s->exceptions->scratch = regex_scratch_new();
    }
    struct exceptions *all = *out = s->exceptions;
    if (all->count == count && all->highest == highest)
        return true;
    drop_all(all);
    all->count = all->highest = -1;
    if (!read_all(s, all, e))
        return false;
    all->count = count;
    all->highest = highest;
    return true;
}

static void apply(const struct exceptions *all, int64_t collection, const struct except_about *about, struct finding *f)
{
    if (f->exception.ptr)
        f->status = STATUS_OPEN;
    f->exception = SLICE_NONE;
    for (size_t i = 0; i < all->n && f->status == STATUS_OPEN; i++) {
        const struct compiled *c = &all->items[i];
        if (!c->except || (c->collection && c->collection != collection) || !slice_eq(c->detector, f->detector) ||
            !except_holds(c->except, all->scratch, f, about))
            continue;
        f->exception = c->id;
        f->status = STATUS_DISMISSED;
    }
}

bool exceptions_apply(struct store *s, int64_t collection, const struct except_about *about, struct finding *f, struct err *e)
{
    struct exceptions *all;
    if (!current(s, &all, e))
        return false;
    apply(all, collection, about, f);
    return true;
}

static bool ask_about(struct store *s, const struct subject *subject, struct subject_about *about, struct arena *a, struct err *e)
{
    about->known = true;
    about->about = (struct except_about){0};
    if (!subject->run && !subject->task)
        return true;
    struct stmt *q = subject->run ? db_prepare(s->db, "SELECT t.task_id, r.model, r.agent FROM run r LEFT JOIN task t ON t.n = r.task WHERE r.n = $1", e)
                                  : db_prepare(s->db, "SELECT task_id, NULL, NULL FROM task WHERE n = $1", e);
    bind_int(q, subject_key(subject));
    enum step step = stmt_step(q, e);
    if (step != STEP_ROW)
        return step == STEP_DONE;
    about->about.task_id = take_text(q, a);
    about->about.model = take_text(q, a);
    about->about.agent = take_text(q, a);
    stmt_reset(q);
    return true;
}

bool exceptions_apply_to(struct store *s, const struct subject *subject, struct subject_about *about, struct arena *a, struct finding *f, struct err *e)
{
    struct exceptions *all;
    if (!current(s, &all, e) || (all->n && !about->known && !ask_about(s, subject, about, a, e)))
        return false;
    apply(all, subject->collection, &about->about, f);
    return true;
}

/* ---- findings that are stored ---------------------------------------------------------------------------------------- */

static bool set_aside(struct store *s, int64_t key, struct slice exception, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "UPDATE finding SET status = 2, exception = (SELECT n FROM exception WHERE id = $1) WHERE n = $2", e);
    bind_text(q, exception);
    bind_int(q, key);
    return stmt_run(q, e);
}

bool exceptions_set_aside(struct store *s, int64_t key, uint64_t *changed, struct err *e)
{
    struct arena a = {0};
    struct finding f;
    struct subject subject = {0};
    struct subject_about about = {0};
    int64_t kinds[KIND_COUNT];
    bool ok = finding_load(s, key, &a, &f, e) && finding_subject_load(s, key, &subject, e);
    ok = ok && exceptions_apply_to(s, &subject, &about, &a, &f, e);
    if (ok && f.exception.ptr) {
        ++*changed;
        ok = counts_findings(s, &subject, kinds, e) && set_aside(s, key, f.exception, e) && counts_findings_changed(s, &subject, kinds, e);
    }
    arena_free(&a);
    return ok;
}

static bool keys_of(struct stmt *q, struct arena *a, struct ids *out, struct err *e)
{
    size_t cap = 0;
    enum step step;
    *out = (struct ids){0};
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        out->items = arena_grow(a, out->items, out->n, &cap, sizeof *out->items);
        out->items[out->n++] = take_int(q);
    }
    return step == STEP_DONE;
}

/* Open findings of a detector, in a collection or (0) everywhere, whose key is above `after`. */
static bool candidates(struct store *s, struct slice detector, int64_t collection, int64_t after, struct arena *a, struct ids *out, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT f.n FROM collection c JOIN finding f ON f.collection = c.n AND f.severity IN (0, 1, 2) AND f.detector = $1"
                                       " AND f.status = 0 AND f.n > $2 WHERE ($3 = 0 OR c.n = $3)", e);
    bind_text(q, detector);
    bind_int(q, after);
    bind_int(q, collection);
    return keys_of(q, a, out, e);
}

static bool update_all(struct store *s, const struct ids *keys, uint64_t *changed, struct err *e)
{
    for (size_t i = 0; i < keys->n; i++)
        if (!exceptions_set_aside(s, keys->items[i], changed, e))
            return false;
    return true;
}

/* ---- rows ------------------------------------------------------------------------------------------------------------ */

#define ROW_COLUMNS "x.id, c.id, c.name, x.detector, x.condition, x.reviewer, x.note, x.created_at"

static void take_row(struct stmt *q, struct arena *a, struct exception_row *out)
{
    out->id = take_text(q, a);
    out->collection = take_text(q, a);
    out->collection_name = take_text(q, a);
    out->detector = take_text(q, a);
    out->condition = take_text(q, a);
    out->reviewer = take_text(q, a);
    out->note = take_text(q, a);
    out->created_at = take_text(q, a);
    out->findings = take_int(q);
}

static bool list(struct store *s, struct slice collection, struct slice detector, struct arena *a, struct exception_rows *out, struct err *e)
{
    int64_t n = 0;
    size_t cap = 0;
    *out = (struct exception_rows){0};
    if (collection.ptr && !collection_find(s, collection, &n, e))
        return false;
    struct stmt *q = db_prepare(s->db,
        "SELECT " ROW_COLUMNS ", (SELECT count(*) FROM finding f WHERE f.exception = x.n AND ($1 = 0 OR f.collection = $1))"
        " FROM exception x LEFT JOIN collection c ON c.n = x.collection"
        " WHERE ($1 = 0 OR x.collection IS NULL OR x.collection = $1) AND ($2 IS NULL OR x.detector = $2) AND ($3 OR mine(x.collection)) ORDER BY x.n", e);
    bind_int(q, n);
    bind_text(q, detector);
    bind_int(q, !store_is_bound(s));
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        out->items = arena_grow(a, out->items, out->n, &cap, sizeof *out->items);
        take_row(q, a, &out->items[out->n++]);
    }
    return step == STEP_DONE;
}

bool store_exceptions(struct store *s, struct slice collection, struct slice detector, struct arena *a, struct exception_rows *out, struct err *e)
{
    return db_read(s->db, e) && db_end(s->db, list(s, collection, detector, a, out, e), e);
}

/* ---- coming ---------------------------------------------------------------------------------------------------------- */

static bool check(const struct exception_row *row, struct except **out, struct err *e)
{
    *out = NULL;
    if (!row->detector.len)
        return err_set(e, ERR_USAGE, "an exception names the detector that it is of");
    return except_compile(row->condition.ptr ? row->condition : slice_str("{}"), out, e);
}

static bool has_room(struct store *s, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT count(*) FROM exception", e);
    int64_t n;
    if (stmt_int(q, &n, e) != STEP_ROW)
        return false;
    return n < EXCEPTIONS_MAX || err_set(e, ERR_LIMIT, "there are %d exceptions, as many as are kept; take some back, or change the rule", EXCEPTIONS_MAX);
}

/* Whoever sees some collections only makes no exception for all. */
static bool names_collection(struct store *s, const struct exception_row *row, struct err *e)
{
    return row->collection.ptr || !store_is_bound(s) ||
           err_set(e, ERR_FORBIDDEN, "an exception that holds everywhere needs a token for all collections; name a \"collection\"");
}

/* 0: there is none. */
static bool find(struct store *s, struct slice id, int64_t *n, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT n FROM exception WHERE id = $1 AND ($2 OR mine(collection))", e);
    bind_text(q, id);
    bind_int(q, !store_is_bound(s)); /* one that holds everywhere is nobody's in particular */
    *n = 0;
    return stmt_int(q, n, e) != STEP_ERROR;
}

static bool insert(struct store *s, const struct exception_row *row, int64_t collection, struct slice id, struct err *e)
{
    char now[CLOCK_TEXT];
    clock_text(clock_now_us(), now);
    struct stmt *q = db_prepare(s->db,
        "INSERT INTO exception (id, collection, detector, condition, reviewer, note, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)", e);
    bind_text(q, id);
    bind_count(q, collection ? collection : -1);
    bind_text(q, row->detector);
    bind_text(q, row->condition.ptr ? row->condition : slice_str("{}"));
    bind_text(q, row->reviewer);
    bind_text(q, row->note);
    bind_text(q, row->created_at.ptr ? row->created_at : slice_str(now));
    return stmt_run(q, e);
}

/* Sets aside what it holds of among findings whose keys are above `after`. */
static bool add(struct store *s, const struct exception_row *row, struct slice id, int64_t after, struct err *e)
{
    struct arena a = {0};
    struct ids keys;
    int64_t collection = 0;
    uint64_t changed = 0;
    bool ok = has_room(s, e) && (!row->collection.ptr || collection_find(s, row->collection, &collection, e)) &&
              insert(s, row, collection, id, e) && candidates(s, row->detector, collection, after, &a, &keys, e) && update_all(s, &keys, &changed, e);
    arena_free(&a);
    return ok;
}

static bool add_new(struct store *s, const struct exception_row *row, struct slice id, int64_t after, struct err *e)
{
    int64_t n;
    if (!find(s, id, &n, e))
        return false;
    return n ? err_set(e, ERR_CONFLICT, "there is an exception %.*s already", SLICE_ARG(id)) : add(s, row, id, after, e);
}

static bool load_row(struct store *s, struct slice id, struct arena *a, struct exception_row *out, struct err *e)
{
    struct stmt *q = db_prepare(s->db,
        "SELECT " ROW_COLUMNS ", (SELECT count(*) FROM finding f WHERE f.exception = x.n)"
        " FROM exception x LEFT JOIN collection c ON c.n = x.collection WHERE x.id = $1", e);
    bind_text(q, id);
    if (stmt_step(q, e) != STEP_ROW)
        return false;
    take_row(q, a, out);
    stmt_reset(q);
    return true;
}

static bool look_at_one(struct store *s, const struct except *x, int64_t key, struct arena *a, bool *holds, struct err *e)
{
    struct finding f;
    struct subject subject = {0};
    struct subject_about about = {0};
    struct exceptions *all;
    if (!current(s, &all, e) || !finding_load(s, key, a, &f, e) || !finding_subject_load(s, key, &subject, e) || !ask_about(s, &subject, &about, a, e))
        return false;
    *holds = except_holds(x, all->scratch, &f, &about.about);
    return true;
}

/* What an exception would hold of. */
struct holding {
    struct ids keys;
    size_t cap;
    int64_t highest;        /* of the keys that were looked at */
};

static bool look_at_all(struct store *s, const struct exception_row *row, const struct except *x, struct arena *a, struct holding *out, struct err *e)
{
    struct arena one = {0};
    struct ids keys = {0};
    int64_t collection = 0, deadline_us = clock_monotonic_us() + LOOK_US;
    *out = (struct holding){0};
    bool ok = (!row->collection.ptr || collection_find(s, row->collection, &collection, e)) && candidates(s, row->detector, collection, 0, a, &keys, e);
    for (size_t i = 0; i < keys.n && ok; i++) {
        bool holds = false;
        arena_reset(&one);
        ok = store_late(s, deadline_us)
                 ? err_set(e, ERR_LIMIT, "it took too long to look at all %zu open findings of %.*s; name a \"collection\", or change the rule", keys.n,
                           SLICE_ARG(slice_cut(row->detector, 100)))
                 : look_at_one(s, x, keys.items[i], &one, &holds, e);
        if (holds) {
            out->keys.items = arena_grow(a, out->keys.items, out->keys.n, &out->cap, sizeof *out->keys.items);
            out->keys.items[out->keys.n++] = keys.items[i];
        }
        out->highest = keys.items[i] > out->highest ? keys.items[i] : out->highest;
    }
    arena_free(&one);
    return ok;
}

/* Nobody else can write while findings are set aside: a few hundred at a time. */
static bool set_all_aside(struct store *s, const struct ids *keys, struct err *e)
{
    bool ok = true;
    for (size_t i = 0; i < keys->n && ok; i += BATCH) {
        uint64_t changed = 0;
        const struct ids some = {keys->items + i, keys->n - i < BATCH ? keys->n - i : BATCH};
        ok = db_write(s->db, e) && db_end(s->db, update_all(s, &some, &changed, e), e);
    }
    return ok;
}

/* It is looked at first, beside everybody else, and then written. What was found in between is looked at as the exception is written, and what is
 * found later meets it. */
bool store_exception_add(struct store *s, const struct exception_row *row, struct arena *a, struct exception_row *out, struct err *e)
{
    char made[UUID_TEXT + 1];
    struct except *x;
    struct holding holding;
    uuid_random(made);
    const struct slice id = row->id.ptr ? row->id : slice_of(made, UUID_TEXT);
    bool ok = check(row, &x, e) && names_collection(s, row, e) && db_read(s->db, e) && db_end(s->db, look_at_all(s, row, x, a, &holding, e), e) &&
              db_write(s->db, e) && db_end(s->db, add_new(s, row, id, holding.highest, e), e) && set_all_aside(s, &holding.keys, e) &&
              db_read(s->db, e) && db_end(s->db, load_row(s, id, a, out, e), e);
    except_free(x);
    return ok;
}

/* Is it there, and does it hold in that collection? */
static bool find_in(struct store *s, struct slice id, int64_t collection, bool *there, bool *holds, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT collection IS NULL OR collection = $1 FROM exception WHERE id = $2", e);
    bind_int(q, collection);
    bind_text(q, id);
    enum step step = stmt_step(q, e);
    *there = step == STEP_ROW;
    *holds = *there && take_int(q);
    stmt_reset(q);
    return step != STEP_ERROR;
}

static bool carry(struct store *s, const struct exception_row *row, struct err *e)
{
    int64_t collection;
    bool there, holds;
    if (!collection_find(s, row->collection, &collection, e) || !find_in(s, row->id, collection, &there, &holds, e))
        return false;
    if (holds)
        return true;
    if (!there)
        return add(s, row, row->id, 0, e);
    /* The same export in another collection: an id made of both, so that it comes once there too. */
    struct hash h;
    unsigned char bytes[HASH_SIZE];
    char id[UUID_TEXT + 1];
    hash_start(&h);
    hash_add_framed(&h, row->id);
    hash_add_framed(&h, row->collection);
    hash_end(&h, bytes);
    uuid_from(bytes, id);
    return find_in(s, slice_of(id, UUID_TEXT), collection, &there, &holds, e) && (there || add(s, row, slice_of(id, UUID_TEXT), 0, e));
}

bool store_exception_carry(struct store *s, const struct exception_row *row, struct err *e)
{
    struct except *x;
    bool ok = check(row, &x, e);
    except_free(x);
    return ok && db_write(s->db, e) && db_end(s->db, carry(s, row, e), e);
}

bool store_exception_try(struct store *s, const struct exception_row *row, uint64_t *findings, struct err *e)
{
    struct except *x;
    struct arena a = {0};
    struct holding holding = {0};
    bool ok = check(row, &x, e) && names_collection(s, row, e) && db_read(s->db, e) && db_end(s->db, look_at_all(s, row, x, &a, &holding, e), e);
    *findings = holding.keys.n;
    except_free(x);
    arena_free(&a);
    return ok;
}

/* ---- going ----------------------------------------------------------------------------------------------------------- */

static bool reopen(struct store *s, int64_t key, struct err *e)
{
    struct subject subject = {0};
    int64_t kinds[KIND_COUNT];
    if (!finding_subject_load(s, key, &subject, e) || !counts_findings(s, &subject, kinds, e))
        return false;
    struct stmt *q = db_prepare(s->db, "UPDATE finding SET status = 0, exception = NULL WHERE n = $1", e);
    bind_int(q, key);
    return stmt_run(q, e) && counts_findings_changed(s, &subject, kinds, e);
}

/* It holds of nothing from now on. */
static bool begin_to_go(struct store *s, struct slice id, int64_t *n, struct err *e)
{
    if (!find(s, id, n, e))
        return false;
    if (!*n)
        return err_set(e, ERR_NOT_FOUND, "there is no exception %.*s", SLICE_ARG(slice_cut(id, 100)));
    struct stmt *q = db_prepare(s->db, "UPDATE exception SET going = 1 WHERE n = $1", e);
    bind_int(q, *n);
    return stmt_run(q, e);
}

/* A few of its findings; with the last of them it goes. */
static bool take_back(struct store *s, int64_t n, uint64_t *findings, bool *gone, struct err *e)
{
    struct arena a = {0};
    struct ids keys = {0};
    uint64_t others = 0; /* of which another exception holds as well */
    struct stmt *q = db_prepare(s->db, "SELECT n FROM finding WHERE exception = $1 LIMIT $2", e);
    bind_int(q, n);
    bind_int(q, BATCH);
    bool ok = keys_of(q, &a, &keys, e);
    for (size_t i = 0; i < keys.n && ok; i++)
        ok = reopen(s, keys.items[i], e);
    ok = ok && update_all(s, &keys, &others, e);
    *gone = keys.n < BATCH;
    if (ok && *gone) {
        q = db_prepare(s->db, "DELETE FROM exception WHERE n = $1", e);
        bind_int(q, n);
        ok = stmt_run(q, e);
    }
    *findings += keys.n - others;
    arena_free(&a);
    return ok;
}

bool store_exception_delete(struct store *s, struct slice id, uint64_t *findings, struct err *e)
{
    int64_t n;
    bool ok = db_write(s->db, e) && db_end(s->db, begin_to_go(s, id, &n, e), e);
    *findings = 0;
    for (bool gone = false; ok && !gone;)
        ok = db_write(s->db, e) && db_end(s->db, take_back(s, n, findings, &gone, e), e);
    return ok;
}
