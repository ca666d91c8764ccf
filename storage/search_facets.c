#include "storage/hunt.h"

#include "base/clock.h"
#include "base/map.h"

#include <stdlib.h>

/* A field counts the hits that pass the filters of all other fields. So a hit that passes all counts in every field, one that fails
 * one filter in the field of that filter, and any other in none. What fields of runs say is looked up when the hits of each run are
 * counted: there are fewer runs than hits. */
enum { DEADLINE_US = 10 * 1000 * 1000, WAITING_MAX = 1 << 16 };

static const char *const field_names[SEARCH_FIELDS] = {"collection", "role", "tool", "model", "task", "success"};

const char *search_field_name(enum search_field field) { return field_names[field]; }

struct run_count {
    int64_t hits;                /* whose role and tool pass */
    uint8_t failed;              /* bits of fields of runs whose filters it does not pass */
    bool left_out;               /* by a filter that is no field */
};

struct tally {                   /* of the values of a field, in the order in which they came up */
    struct search_value *items;
    size_t n, cap;
    struct map numbers;          /* value → its place + 1 */
    size_t last;                 /* the place of the one that came last: mostly it comes again */
};

struct facets {
    struct hunt h;
    struct arena *a, scratch;    /* scratch: of one hit or run */
    struct tally tallies[SEARCH_FIELDS];
    struct run_count *runs;      /* by run.n */
    int64_t nruns, total;
    struct hit *waiting;         /* for their tools to be looked up, in one go */
    size_t nwaiting;
};

static void count_value(struct facets *x, enum search_field field, struct slice value, int64_t hits)
{
    struct tally *t = &x->tallies[field];
    if (!t->n || !slice_eq(t->items[t->last].value, value) || !t->items[t->last].value.ptr != !value.ptr) {
        struct slice key = value.ptr ? value : slice_of("\xff", 1); /* no UTF-8: no value is that */
        size_t place = map_get(&t->numbers, key);
        if (!place) {
            t->items = arena_grow(x->a, t->items, t->n, &t->cap, sizeof *t->items);
            t->items[t->n++] = (struct search_value){.value = value.ptr ? arena_dup(x->a, value) : SLICE_NONE};
            place = map_put(x->a, &t->numbers, value.ptr ? t->items[t->n - 1].value : key, t->n);
        }
        t->last = place - 1;
    }
    t->items[t->last].hits += hits;
}

/* ---- the runs ----------------------------------------------------------------------------------------------------------- */

/* Marks the runs that pass a filter: takes `bit` off, or (0) is what leaves none out. */
static bool mark_runs(struct facets *x, const struct filter *f, uint8_t bit)
{
    struct arena a = {0};
    struct sql sql = sql_new(&a);
    sql_add(&sql, "SELECT r.n");
    bool ok = hunt_filter(&x->h, &sql, f);
    if (ok) {
        struct stmt *q = sql_prepare(&sql, x->h.s->db, x->h.e);
        enum step step;
        while ((step = stmt_step(q, x->h.e)) == STEP_ROW) {
            struct run_count *run = &x->runs[take_int(q)];
            run->failed &= (uint8_t)~bit;
            run->left_out = run->left_out && bit;
        }
        ok = step == STEP_DONE;
    }
    arena_free(&a);
    return ok;
}

/* What a filter asks of a field of runs; NULL of what is none. */
static struct slice *filter_of(struct filter *f, enum search_field field)
{
    switch (field) {
    case SEARCH_COLLECTION: return &f->collection;
    case SEARCH_MODEL: return &f->model;
    case SEARCH_TASK: return &f->task;
    case SEARCH_SUCCESS: return &f->success;
    case SEARCH_ROLE:
    case SEARCH_TOOL: break;
    }
    return NULL;
}

/* What each filter says of each run. */
static bool load_runs(struct facets *x)
{
    struct filter rest = x->h.q->runs;
    uint8_t asked = 0;
    struct stmt *max = db_prepare(x->h.s->db, "SELECT coalesce(max(n), 0) FROM run", x->h.e);
    if (stmt_step(max, x->h.e) != STEP_ROW)
        return false;
    x->nruns = take_int(max) + 1;
    stmt_reset(max);
    x->runs = calloc((size_t)x->nruns, sizeof *x->runs); /* memory of runs without hits is never touched */
    if (!x->runs)
        abort();
    for (enum search_field f = 0; f < SEARCH_FIELDS; f++)
        asked |= (uint8_t)((filter_of(&rest, f) && filter_of(&rest, f)->ptr) << f);
    for (int64_t n = 0; asked && n < x->nruns; n++)
        x->runs[n].failed = asked;
    for (enum search_field f = 0; f < SEARCH_FIELDS; f++) {
        struct filter one = FILTER_ANY;
        if (!(asked >> f & 1))
            continue;
        *filter_of(&one, f) = *filter_of(&rest, f);
        *filter_of(&rest, f) = SLICE_NONE;
        if (!mark_runs(x, &one, (uint8_t)(1u << f)))
            return false;
    }
    rest.has_findings = -1;
    if (filter_is_open(&rest) && !store_is_bound(x->h.s))
        return true;
    for (int64_t n = 0; n < x->nruns; n++)
        x->runs[n].left_out = true;
    return mark_runs(x, &rest, 0);
}

/* ---- the hits ----------------------------------------------------------------------------------------------------------- */

/* A hit, and the tool that its text belongs to. */
static void count_hit(struct facets *x, const struct hit *hit, struct slice tool)
{
    struct run_count *run = &x->runs[hit->place.run];
    bool role_passes = hunt_role_passes(&x->h, hit->role), tool_passes = hunt_tool_passes(&x->h, tool);
    if (!run->failed && tool_passes)
        count_value(x, SEARCH_ROLE, slice_str(role_name(hit->role)), 1);
    if (!run->failed && role_passes && tool.ptr)
        count_value(x, SEARCH_TOOL, tool, 1);
    run->hits += role_passes && tool_passes;
    x->total += role_passes && tool_passes && !run->failed;
}

/* Counts the hits that wait, in the order in which their messages lie in the database. */
static bool count_waiting(struct facets *x)
{
    bool ok = true;
    if (x->nwaiting > 1)
        qsort(x->waiting, x->nwaiting, sizeof *x->waiting, hit_compare);
    for (size_t i = 0; ok && i < x->nwaiting; i++) {
        struct slice tool;
        arena_reset(&x->scratch);
        ok = hit_tool(x->h.s, &x->waiting[i], &x->scratch, &tool, x->h.e);
        if (ok)
            count_hit(x, &x->waiting[i], tool);
    }
    x->nwaiting = 0;
    return ok;
}

static bool take(void *facets, struct hit *hit)
{
    struct facets *x = facets;
    if (hit->place.run >= x->nruns || x->runs[hit->place.run].left_out)
        return true;
    uint8_t failed = x->runs[hit->place.run].failed;
    if (failed & (failed - 1) || (failed && !hunt_role_passes(&x->h, hit->role))) /* two filters or more */
        return true;
    bool needs_tool = hit->role == ROLE_TOOL || hit->place.part == TEXT_ARGUMENTS;
    if (!needs_tool || (failed && !x->h.q->tool.ptr)) {
        count_hit(x, hit, SLICE_NONE);
        return true;
    }
    x->waiting[x->nwaiting++] = *hit;
    return x->nwaiting < WAITING_MAX || count_waiting(x);
}

/* Counts the hits of the runs from `first` to `last` for what these say. */
static bool describe_runs(struct facets *x, int64_t first, int64_t last)
{
    static const char *const outcomes[] = {"false", "true", "unknown"};
    struct stmt *q = db_prepare(x->h.s->db,
        "SELECT r.n, coalesce(r.success, 2), c.name, r.model, t.task_id FROM run r JOIN collection c ON c.n = r.collection"
        " LEFT JOIN task t ON t.n = r.task WHERE r.n BETWEEN $1 AND $2", x->h.e);
    bind_int(q, first);
    bind_int(q, last);
    enum step step;
    while ((step = stmt_step(q, x->h.e)) == STEP_ROW) {
        const struct run_count *run = &x->runs[take_int(q)];
        if (!run->hits)
            continue;
        arena_reset(&x->scratch);
        int64_t success = take_int(q);
        struct slice values[SEARCH_FIELDS] = {[SEARCH_SUCCESS] = slice_str(outcomes[success >= 0 && success < 2 ? success : 2])};
        values[SEARCH_COLLECTION] = take_text(q, &x->scratch);
        values[SEARCH_MODEL] = take_text(q, &x->scratch);
        values[SEARCH_TASK] = take_text(q, &x->scratch);
        for (enum search_field f = 0; f < SEARCH_FIELDS; f++)
            if (f != SEARCH_ROLE && f != SEARCH_TOOL && (!run->failed || run->failed == 1u << f))
                count_value(x, f, values[f], run->hits);
    }
    return step == STEP_DONE;
}

enum { NEIGHBOURS = 16 }; /* runs that stand no further apart are read in one go */

static bool describe(struct facets *x)
{
    bool ok = true;
    for (int64_t n = 0; ok && n < x->nruns; n++) {
        if (!x->runs[n].hits)
            continue;
        int64_t last = n;
        for (int64_t next = n + 1; next < x->nruns && next <= last + NEIGHBOURS; next++)
            if (x->runs[next].hits)
                last = next;
        ok = describe_runs(x, n, last);
        n = last;
    }
    return ok;
}

/* ---- the whole ---------------------------------------------------------------------------------------------------------- */

static int by_hits(const void *a, const void *b)
{
    const struct search_value *x = a, *y = b;
    return x->hits != y->hits ? (x->hits < y->hits ? 1 : -1) : slice_cmp(x->value, y->value);
}

static bool count(struct facets *x, struct search_facets *out)
{
    bool in_time = true;
    x->waiting = arena_alloc(x->a, WAITING_MAX * sizeof *x->waiting);
    if (!load_runs(x) || !hunt_candidates(&x->h) || !hunt_blocks(&x->h, x->h.deadline_us, take, x, &in_time) ||
        !count_waiting(x) || !describe(x))
        return false;
    for (enum search_field f = 0; f < SEARCH_FIELDS; f++) {
        struct tally *t = &x->tallies[f];
        if (t->n > 1)
            qsort(t->items, t->n, sizeof *t->items, by_hits);
        out->fields[f].values = t->items;
        out->fields[f].n = t->n < SEARCH_VALUES ? t->n : SEARCH_VALUES;
        out->fields[f].more = (int64_t)(t->n - out->fields[f].n);
    }
    struct slice cut = hunt_cut(&x->h);
    out->total = x->total;
    out->complete = in_time && !cut.ptr;
    out->reason = in_time ? cut : slice_str("the time allowed was over before everything was counted");
    return true;
}

bool store_search_facets(struct store *s, const struct search_query *q, struct arena *a, struct search_facets *out, struct err *e)
{
    struct facets x = {.a = a};
    *out = (struct search_facets){0};
    bool ok = hunt_start(&x.h, s, q, q->deadline_us ? q->deadline_us : clock_monotonic_us() + DEADLINE_US, a, e) && db_read(s->db, e);
    if (ok)
        ok = db_end(s->db, count(&x, out), e);
    free(x.runs);
    arena_free(&x.scratch);
    hunt_end(&x.h);
    return ok;
}
