/* Where the runs of a collection are drawn (detect/atlas.h). points: for each run in the order of their keys three varints: how much larger its key
 * is than the one before, and its two places, from -ATLAS_SCALE to ATLAS_SCALE, zigzag. */
#include "storage/columns.h"
#include "storage/varint.h"

#include "base/clock.h"

#include <stdlib.h>

static uint64_t zigzag(int64_t n) { return (uint64_t)n << 1 ^ (uint64_t)(n >> 63); }
static int64_t unzigzag(uint64_t n) { return (int64_t)(n >> 1) ^ -(int64_t)(n & 1); }

/* ---- writing ------------------------------------------------------------------------------------------------------------------ */

struct keyed {
    int64_t key;
    int32_t at[2];
};

static int by_key(const void *a, const void *b)
{
    const struct keyed *x = a, *y = b;
    return (x->key > y->key) - (x->key < y->key);
}

/* Runs that are gone by now are left out. */
static bool find_keys(struct store *s, const struct atlas_points *points, struct keyed *out, size_t *n, struct err *e)
{
    *n = 0;
    for (size_t i = 0; i < points->n; i++) {
        struct stmt *q = db_prepare(s->db, "SELECT n FROM run WHERE id = $1", e);
        bind_text(q, points->items[i].run);
        enum step step;
        while ((step = stmt_step(q, e)) == STEP_ROW) {
            out[*n].key = take_int(q);
            memcpy(out[*n].at, points->items[i].at, sizeof out[*n].at);
            (*n)++;
        }
        if (step != STEP_DONE)
            return false;
    }
    if (*n)
        qsort(out, *n, sizeof *out, by_key);
    return true;
}

static bool write_atlas(struct store *s, const struct atlas_points *points, struct slice packed, struct err *e)
{
    char now[CLOCK_TEXT];
    int64_t collection;
    if (!collection_find(s, points->collection, &collection, e))
        return false;
    clock_text(clock_now_us(), now);
    struct stmt *q = db_prepare(s->db,
        "INSERT INTO atlas (collection, revision, changes, made_at, about, points) VALUES ($1, $2, $3, $4, $5, $6)"
        " ON CONFLICT (collection) DO UPDATE SET revision = excluded.revision, changes = excluded.changes, made_at = excluded.made_at,"
        " about = excluded.about, points = excluded.points", e);
    bind_int(q, collection);
    bind_int(q, points->revision);
    bind_int(q, points->changes);
    bind_text(q, slice_str(now));
    bind_text(q, points->about);
    bind_blob(q, packed);
    return stmt_run(q, e);
}

bool store_atlas_put(struct store *s, const struct atlas_points *points, struct err *e)
{
    struct arena a = {0};
    struct keyed *keyed = arena_array(&a, struct keyed, points->n);
    unsigned char *packed = arena_alloc(&a, points->n * 3 * VARINT_MAX + 1);
    size_t n, len = 0;
    bool ok = db_read(s->db, e) && db_end(s->db, find_keys(s, points, keyed, &n, e), e);
    for (size_t i = 0; ok && i < n; i++) {
        len += varint_put(packed + len, (uint64_t)(keyed[i].key - (i ? keyed[i - 1].key : 0)));
        for (size_t axis = 0; axis < 2; axis++)
            len += varint_put(packed + len, zigzag(keyed[i].at[axis]));
    }
    ok = ok && db_write(s->db, e) && db_end(s->db, write_atlas(s, points, slice_of((const char *)packed, len), e), e);
    arena_free(&a);
    return ok;
}

/* ---- reading ------------------------------------------------------------------------------------------------------------------ */

/* The points of runs that are still there, in the order of their keys. */
static bool take_points(struct store *s, int64_t collection, struct slice packed, struct arena *a, struct atlas_points *out, struct err *e)
{
    const unsigned char *p = (const unsigned char *)packed.ptr, *end = p + packed.len;
    uint64_t key = 0, step_by = 0, at[2] = {0};
    size_t cap = 0;
    struct stmt *q = db_prepare(s->db, "SELECT n, id FROM run WHERE collection = $1 ORDER BY n", e);
    bind_int(q, collection);
    enum step step;
    bool have = false;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        uint64_t run = (uint64_t)take_int(q);
        while (p && p < end && (!have || key < run)) {
            p = varint_get(p, end, &step_by);
            p = p ? varint_get(p, end, &at[0]) : NULL;
            p = p ? varint_get(p, end, &at[1]) : NULL;
            have = p != NULL;
            key += have ? step_by : 0;
        }
        if (!have || key != run)
            continue;
        out->items = arena_grow(a, out->items, out->n, &cap, sizeof *out->items);
        out->items[out->n++] = (struct atlas_point){.key = (int64_t)run, .run = take_text(q, a), .at = {(int32_t)unzigzag(at[0]), (int32_t)unzigzag(at[1])}};
    }
    return step == STEP_DONE;
}

static bool read_atlas(struct store *s, struct slice collection, struct arena *a, struct atlas_points *out, struct err *e)
{
    int64_t n;
    *out = (struct atlas_points){.collection = collection, .stale = true};
    if (!collection_find(s, collection, &n, e))
        return false;
    struct stmt *q = db_prepare(s->db,
        "SELECT a.revision, a.changes, c.changes, a.made_at, a.about, a.points FROM atlas a JOIN collection c ON c.n = a.collection WHERE c.n = $1", e);
    bind_int(q, n);
    enum step step = stmt_step(q, e);
    if (step != STEP_ROW)
        return step == STEP_DONE;
    out->revision = take_int(q);
    out->changes = take_int(q);
    out->stale = out->changes != take_int(q);
    out->made_at = take_text(q, a);
    out->about = take_text(q, a);
    struct slice packed = take_text(q, a);
    stmt_reset(q);
    return take_points(s, n, packed, a, out, e);
}

bool store_atlas(struct store *s, struct slice collection, struct arena *a, struct atlas_points *out, struct err *e)
{
    return db_read(s->db, e) && db_end(s->db, read_atlas(s, collection, a, out, e), e);
}

/* ---- colours ------------------------------------------------------------------------------------------------------------------ */

static void take_colours(const struct columns *c, const struct column *column, const uint8_t *mask, const struct atlas_points *points, struct arena *a,
                         struct atlas_colours *out)
{
    size_t hint = 0;
    out->n = points->n;
    if (column->x)
        out->numbers = arena_array(a, double, points->n);
    else
        out->codes = arena_array(a, uint32_t, points->n);
    out->shown = arena_array(a, bool, points->n);
    for (size_t i = 0; i < points->n; i++) {
        size_t run = columns_place(c, points->items[i].key, &hint);
        bool there = run != SIZE_MAX;
        out->shown[i] = there && mask[run];
        if (column->x)
            out->numbers[i] = there ? column->x[run] : NAN;
        else if (there && !column->starts)
            out->codes[i] = column->codes[run];
        else if (there && column->starts[run] < column->starts[run + 1])
            out->codes[i] = column->codes[column->starts[run]];
    }
    if (column->x)
        return;
    out->nwords = column->nwords;
    out->words = arena_array(a, struct slice, column->nwords + 1);
    for (uint32_t w = 1; w <= column->nwords; w++)
        out->words[w] = arena_dup(a, column->words[w]);
}

static bool read_colours(struct store *s, const struct filter *f, struct slice field, const struct atlas_points *points, struct arena *a,
                         struct atlas_colours *out, struct err *e)
{
    int64_t collection;
    struct columns *c = NULL;
    const struct column *column = NULL;
    uint8_t *mask;
    *out = (struct atlas_colours){0};
    if (!collection_find(s, f->collection, &collection, e) || !columns_of(s, collection, &c, e))
        return false;
    bool ok = columns_get(c, s, field, &column, e) && columns_select(c, s, f, a, &mask, e);
    if (ok)
        take_colours(c, column, mask, points, a, out);
    columns_done(c);
    return ok;
}

bool store_atlas_colours(struct store *s, const struct filter *f, struct slice field, const struct atlas_points *points, struct arena *a,
                         struct atlas_colours *out, struct err *e)
{
    return db_read(s->db, e) && db_end(s->db, read_colours(s, f, field, points, a, out, e), e);
}
