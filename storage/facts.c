/* The runs of two groups, as they are compared. */
#include "storage/sql.h"

#include "base/clock.h"
#include "base/map.h"
#include "transcript/fact.h"

#include <math.h>

struct reading {
    struct store *store;
    struct arena *a;
    struct run_facts *out;
    struct map tasks, exits, behaviors;
    bool rest;                    /* the second side is all that the first is not */
};

static uint32_t place_of(struct reading *r, struct map *map, struct slices *names, struct slice name)
{
    size_t at = map_get(map, name);
    if (!name.ptr || at)
        return (uint32_t)at;
    names->items = arena_grow(r->a, names->items, names->n, &names->cap, sizeof *names->items);
    names->items[names->n++] = arena_dup(r->a, name);
    return (uint32_t)map_put(r->a, map, names->items[names->n - 1], names->n);
}

static double known(int64_t n) { return n == COUNT_UNKNOWN ? NAN : (double)n; }

static void take_fact(struct reading *r, struct stmt *q, uint32_t side, struct run_fact *fact)
{
    *fact = (struct run_fact){.side = side, .key = take_int(q)};
    fact->id = take_text(q, r->a);
    fact->task = place_of(r, &r->tasks, &r->out->tasks, take_bytes(q));
    fact->success = (enum verdict)take_int(q);
    fact->measure[MEASURE_MESSAGES] = (double)take_int(q);
    fact->measure[MEASURE_CALLS] = (double)take_int(q);
    fact->measure[MEASURE_TOKENS_IN] = known(take_count(q));
    fact->measure[MEASURE_TOKENS_OUT] = known(take_count(q));
    fact->measure[MEASURE_COST] = take_real(q);
    int64_t from, to;
    bool timed = clock_parse(take_bytes(q), &from);
    timed = clock_parse(take_bytes(q), &to) && timed && to >= from;
    fact->measure[MEASURE_DURATION] = timed ? (double)(to - from) / 1000 : NAN;
    fact->exit_status = place_of(r, &r->exits, &r->out->exits, take_bytes(q));
}

/* The runs of a side, in the order of their keys. */
static bool read_side(struct reading *r, const struct filter *f, uint32_t side, struct run_fact **items, size_t *n, struct err *e)
{
    struct sql q = sql_new(r->a);
    size_t cap = 0;
    *items = NULL, *n = 0;
    sql_add(&q, "SELECT r.n, r.id, (SELECT task_id FROM task WHERE n = r.task), coalesce(r.success, 2), r.messages, r.calls, r.tokens_in, r.tokens_out,"
                " r.cost_usd, r.started_at, r.ended_at, r.exit_status");
    if (!filter_runs(r->store, &q, f, e))
        return false;
    sql_add(&q, " ORDER BY r.n");
    struct stmt *stmt = sql_prepare(&q, r->store->db, e);
    enum step step;
    while ((step = stmt_step(stmt, e)) == STEP_ROW) {
        *items = arena_grow(r->a, *items, *n, &cap, sizeof **items);
        take_fact(r, stmt, side, &(*items)[(*n)++]);
    }
    return step == STEP_DONE;
}

static void add(struct reading *r, const struct run_fact *fact)
{
    struct run_facts *out = r->out;
    out->items = arena_grow(r->a, out->items, out->n, &out->cap, sizeof *out->items);
    out->items[out->n++] = *fact;
}

/* Both sides in one list; a run that is of both is of none, or, where the second is the rest, of the first. */
static void merge(struct reading *r, struct run_fact *const side[SIDES], const size_t n[SIDES])
{
    for (size_t i = 0, k = 0; i < n[0] || k < n[1];) {
        if (i < n[0] && k < n[1] && side[0][i].key == side[1][k].key) {
            if (r->rest)
                add(r, &side[0][i]);
            else
                r->out->both++;
            i++, k++;
        } else if (k == n[1] || (i < n[0] && side[0][i].key < side[1][k].key)) {
            add(r, &side[0][i++]);
        } else {
            add(r, &side[1][k++]);
        }
    }
}

static uint32_t behavior_of(struct reading *r, struct slice name, enum kind kind)
{
    struct run_facts *out = r->out;
    size_t at = map_get(&r->behaviors, name);
    if (!at) {
        out->behaviors = arena_grow(r->a, out->behaviors, out->nbehaviors, &out->behaviors_cap, sizeof *out->behaviors);
        out->behaviors[out->nbehaviors++] = (struct behavior_fact){arena_dup(r->a, name), kind};
        at = map_put(r->a, &r->behaviors, out->behaviors[out->nbehaviors - 1].name, out->nbehaviors);
    }
    return (uint32_t)at - 1;
}

/* Findings in the order of their runs, beside the runs in the same order. */
static bool read_behaviors(struct reading *r, int64_t collection, struct err *e)
{
    struct run_facts *out = r->out;
    struct stmt *q = db_prepare(r->store->db,
        "SELECT DISTINCT run, behavior, kind FROM finding WHERE collection = $1 AND run IS NOT NULL AND status <> 2 ORDER BY run", e);
    bind_int(q, collection);
    size_t at = 0, cap = 0;
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        int64_t run = take_int(q);
        struct slice name = take_bytes(q);
        enum kind kind = (enum kind)take_int(q);
        for (; at < out->n && out->items[at].key < run; at++)
            cap = 0;
        if (at == out->n || out->items[at].key != run)
            continue;
        struct run_fact *fact = &out->items[at];
        uint32_t behavior = behavior_of(r, name, kind);
        bool had = false;
        for (uint32_t i = 0; i < fact->nbehaviors; i++)
            had |= fact->behaviors[i] == behavior;
        if (had)
            continue;
        fact->behaviors = arena_grow(r->a, fact->behaviors, fact->nbehaviors, &cap, sizeof *fact->behaviors);
        fact->behaviors[fact->nbehaviors++] = behavior;
    }
    return step == STEP_DONE;
}

static bool read_facts(struct store *s, const struct filter side[SIDES], bool rest, struct arena *a, struct run_facts *out, struct err *e)
{
    struct reading r = {.store = s, .a = a, .out = out, .rest = rest};
    struct run_fact *items[SIDES];
    size_t n[SIDES];
    int64_t collection;
    *out = (struct run_facts){0};
    if (!collection_find(s, side[0].collection, &collection, e) || !read_side(&r, &side[0], 0, &items[0], &n[0], e) ||
        !read_side(&r, &side[1], 1, &items[1], &n[1], e))
        return false;
    merge(&r, items, n);
    return read_behaviors(&r, collection, e);
}

bool store_run_facts(struct store *s, const struct filter side[SIDES], bool rest, struct arena *a, struct run_facts *out, struct err *e)
{
    return db_read(s->db, e) && db_end(s->db, read_facts(s, side, rest, a, out, e), e);
}
