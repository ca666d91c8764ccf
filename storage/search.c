#include "storage/hunt.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* The index names the blocks that may hold a match. What a look at a block finds is remembered, and who says it stands in
 * block_run. There are two ways through that:
 *
 * run by run, in the order of the answer: soon done where matches are many, and can be broken off and gone on with anywhere;
 * block by block: soon done where they are few, and the way to count, but it has an answer only when it has seen all.
 *
 * A page is looked for in a few runs first, then by blocks, and if that takes long, by runs again. */
enum {
    LIMIT_DEFAULT = 50,
    LIMIT_MAX = 1000,
    DEADLINE_US = 10 * 1000 * 1000,
    FEW_BLOCKS = 32,             /* with so few candidates the runs are not tried first */
    RUNS_FIRST = 64,             /* tried first, and if they give a part of the page, RUNS_MORE */
    RUNS_MORE = 448,
    PAGE_PART = 8,
    WAITING_MAX = 4096,          /* hits whose runs are asked for by name, instead of all that the filters let through */
};

/* When a run was imported, and as which; by run.n. */
struct run_order {
    int64_t imported, order;
    bool wanted;                 /* the filters let it through */
};

struct search {
    struct hunt h;
    struct store *s;
    const struct search_query *q;
    struct err *e;
    int64_t deadline_us;
    uint32_t limit;

    struct place after;          /* hits behind this place are wanted */
    struct hit *hits;            /* the first limit + 1 of them that are known */
    size_t nhits, hits_cap;
    struct place at;             /* where the way run by run was broken off */
    bool late;

    struct hit *waiting;
    size_t nwaiting, waiting_cap;
    struct run_order *runs;
    int64_t nruns;
    int64_t total;
    bool counted;                /* total is of all hits */

    struct arena *a;
    struct search_hits *out;
};

/* ---- filters ------------------------------------------------------------------------------------------------------------ */

/* The runs that the query's filters let through: " SELECT imported, place, n FROM run …". */
static bool runs_start(struct search *x, struct sql *q)
{
    sql_add(q, "SELECT r.imported, r.place, r.n");
    return hunt_filter(&x->h, q, &x->q->runs);
}

/* ---- hits --------------------------------------------------------------------------------------------------------------- */

/* Does the tool of a hit pass the filter? */
static bool tool_passes(struct search *x, const struct hit *hit, bool *passes)
{
    struct arena a = {0};
    struct slice tool;
    bool ok = hit_tool(x->s, hit, &a, &tool, x->e);
    *passes = ok && hunt_tool_passes(&x->h, tool);
    arena_free(&a);
    return ok;
}

/* Keeps the first limit + 1 hits; more come in than that, so now and then the last are dropped. */
static void keep(struct search *x, const struct hit *hit)
{
    if (x->nhits == x->hits_cap && x->nhits > 2 * (size_t)x->limit) {
        qsort(x->hits, x->nhits, sizeof *x->hits, hit_compare);
        x->nhits = x->limit + 1;
    }
    x->hits = arena_grow(x->a, x->hits, x->nhits, &x->hits_cap, sizeof *x->hits);
    x->hits[x->nhits++] = *hit;
}

/* A hit of a run that passes. */
static bool take_hit(struct search *x, const struct hit *hit)
{
    bool passes = hunt_role_passes(&x->h, hit->role);
    if (passes && x->q->tool.ptr && !tool_passes(x, hit, &passes))
        return false;
    if (!passes)
        return true;
    x->total++;
    if (place_compare(&hit->place, &x->after) > 0)
        keep(x, hit);
    return true;
}

/* ---- run by run --------------------------------------------------------------------------------------------------------- */

static int by_message(const void *a, const void *b)
{
    const struct text_use *x = a, *y = b;
    if (x->message != y->message)
        return x->message < y->message ? -1 : 1;
    return x->part != y->part ? (int)x->part - (int)y->part : x->call - y->call;
}

/* What the messages of a run say that may match, in order. */
static bool list_uses(struct search *x, struct arena *a, struct text_use **out, size_t *n)
{
    struct stmt *q = db_prepare(x->s->db, "SELECT block, uses FROM block_run WHERE run = $1", x->e);
    bind_int(q, x->at.run);
    size_t cap = 0;
    *out = NULL;
    *n = 0;
    enum step step;
    while ((step = stmt_step(q, x->e)) == STEP_ROW) {
        int64_t block = take_int(q);
        if (!hunt_is_candidate(&x->h, block))
            continue;
        struct uses_reader r = uses_open(block, take_bytes(q));
        for (struct text_use use; uses_next(&r, &use);) {
            *out = arena_grow(a, *out, *n, &cap, sizeof **out);
            (*out)[(*n)++] = use;
        }
    }
    if (*n > 1)
        qsort(*out, *n, sizeof **out, by_message);
    return step == STEP_DONE;
}

/* A block is looked at when its first text comes up: most pages are full before. */
static bool search_run(struct search *x, struct arena *a)
{
    struct text_use *uses;
    size_t n;
    arena_reset(a);
    if (!list_uses(x, a, &uses, &n))
        return false;
    for (size_t i = 0; i < n && x->nhits <= x->limit && !x->late; i++) {
        const struct block_spots *seen;
        const struct spot *spot;
        if (x->at.run == x->after.run && uses[i].message < x->after.message)
            continue;
        if (!spots_in(&x->h.spots, text_block(uses[i].text), &seen, x->e))
            return false;
        if ((spot = spots_find(seen, uses[i].text))) {
            struct hit hit = hit_of(&uses[i], spot, x->at);
            if (!take_hit(x, &hit))
                return false;
        }
        x->late = store_late(x->s, x->deadline_us);
    }
    return true;
}

/* From x->at on: those of the same import, or (`older`) of older ones. */
static struct stmt *list_runs(struct search *x, bool older, struct arena *a)
{
    struct sql q = sql_new(a);
    if (!runs_start(x, &q))
        return NULL;
    sql_add(&q, older ? " AND r.imported < " : " AND r.imported = ");
    sql_int(&q, x->at.imported);
    if (!older) {
        sql_add(&q, " AND r.place >= ");
        sql_int(&q, x->at.order);
    }
    sql_add(&q, " ORDER BY r.imported DESC, r.place, r.n");
    return sql_prepare(&q, x->s->db, x->e);
}

/* Up to `most` runs from x->at on, until the page is full. *done: full, or there are no more runs. */
static bool search_runs(struct search *x, uint64_t most, bool *done)
{
    struct arena a = {0}, of_run = {0};
    struct place begin = x->at;
    bool ok = true;
    *done = false;
    for (int older = 0; ok && older < 2 && !*done; older++) {
        struct stmt *q = list_runs(x, older, &a);
        enum step step;
        while ((step = stmt_step(q, x->e)) == STEP_ROW) {
            struct place run = {.message = -1};
            run.imported = take_int(q);
            run.order = take_int(q);
            run.run = take_int(q);
            if (!older && run.order == begin.order && run.run < begin.run)
                continue;
            x->at = run;
            if (most-- == 0)
                break;
            x->late = store_late(x->s, x->deadline_us);
            ok = x->late || search_run(x, &of_run);
            *done = x->nhits > x->limit;
            if (!ok || *done || x->late)
                break;
        }
        if (step == STEP_ROW) {
            stmt_reset(q);
            break;
        }
        ok = ok && step == STEP_DONE;
        *done = ok && older;
    }
    arena_free(&of_run);
    arena_free(&a);
    return ok;
}

/* ---- block by block ----------------------------------------------------------------------------------------------------- */

/* Fills x->runs with what the filters let through: of the runs that `only`, a JSON array, names, or of all where it is absent. */
static bool load_runs(struct search *x, struct slice only, struct arena *a)
{
    struct stmt *max = db_prepare(x->s->db, "SELECT coalesce(max(n), 0) FROM run", x->e);
    if (stmt_step(max, x->e) != STEP_ROW)
        return false;
    x->nruns = take_int(max) + 1;
    stmt_reset(max);
    x->runs = calloc((size_t)x->nruns, sizeof *x->runs); /* memory of runs that are not asked for is never touched */
    if (!x->runs)
        abort();
    struct sql sql = sql_new(a);
    if (!runs_start(x, &sql))
        return false;
    if (only.ptr) {
        sql_add(&sql, " AND r.n IN (SELECT value FROM json_each(");
        sql_text(&sql, only);
        sql_add(&sql, "))");
    }
    struct stmt *q = sql_prepare(&sql, x->s->db, x->e);
    enum step step;
    while ((step = stmt_step(q, x->e)) == STEP_ROW) {
        struct run_order run = {.wanted = true};
        run.imported = take_int(q);
        run.order = take_int(q);
        x->runs[take_int(q)] = run;
    }
    return step == STEP_DONE;
}

static bool take_known(struct search *x, struct hit *hit)
{
    int64_t run = hit->place.run;
    if (run >= x->nruns || !x->runs[run].wanted)
        return true;
    hit->place.imported = x->runs[run].imported;
    hit->place.order = x->runs[run].order;
    return take_hit(x, hit);
}

/* Loads runs (those in `only`, else all), and takes the hits that wait for them. */
static bool stop_waiting(struct search *x, struct slice only)
{
    struct arena a = {0};
    bool ok = load_runs(x, only, &a);
    for (size_t i = 0; ok && i < x->nwaiting; i++)
        ok = take_known(x, &x->waiting[i]);
    arena_free(&a);
    return ok;
}

/* A hit of a run of which nothing is known yet waits for it. When too many wait, all runs are loaded and none waits any more. */
static bool take_found(void *search, struct hit *hit)
{
    struct search *x = search;
    if (!x->runs && x->nwaiting < WAITING_MAX) {
        x->waiting = arena_grow(x->a, x->waiting, x->nwaiting, &x->waiting_cap, sizeof *x->waiting);
        x->waiting[x->nwaiting++] = *hit;
        return true;
    }
    return (x->runs || stop_waiting(x, SLICE_NONE)) && take_known(x, hit);
}

/* The runs of the hits that wait, as JSON; some more than once. */
static struct slice waiting_runs(const struct search *x, struct arena *a)
{
    struct str text = STR_INIT(24 * x->nwaiting + 24);
    for (size_t i = 0; i < x->nwaiting; i++)
        str_printf(&text, "%c%" PRId64, i ? ',' : '[', x->waiting[i].place.run);
    str_addc(&text, ']');
    struct slice copy = arena_dup(a, str_slice(&text));
    str_free(&text);
    return copy;
}

/* All hits, of which the first are kept and all are counted. *done: it came to its end before `until`; else no more are kept than
 * before. */
static bool search_blocks(struct search *x, int64_t until, bool *done)
{
    struct arena a = {0};
    size_t before = x->nhits;
    bool in_time = true;
    x->total = 0;
    bool ok = hunt_blocks(&x->h, until, take_found, x, &in_time);
    if (ok && in_time && !x->runs && x->nwaiting)
        ok = stop_waiting(x, waiting_runs(x, &a));
    if (!in_time)
        x->nhits = before;
    *done = in_time;
    free(x->runs);
    x->runs = NULL;
    arena_free(&a);
    return ok;
}

/* ---- the whole ---------------------------------------------------------------------------------------------------------- */

static int64_t half_time(const struct search *x)
{
    int64_t now = clock_monotonic_us();
    return now + (x->deadline_us - now) / 2;
}

static bool find(struct search *x)
{
    bool done = false;
    if (!hunt_candidates(&x->h))
        return false;
    x->at = x->after;
    bool by_runs = !x->q->count && (x->h.all_blocks || x->h.nblocks > FEW_BLOCKS);
    if (by_runs && !search_runs(x, RUNS_FIRST, &done))
        return false;
    if (by_runs && !done && !x->late && x->nhits * PAGE_PART >= x->limit && !search_runs(x, RUNS_MORE, &done))
        return false;
    if (done || x->late)
        return true;
    x->after = x->at; /* what is before it was taken */
    if (!search_blocks(x, half_time(x), &x->counted))
        return false;
    return x->counted || search_runs(x, UINT64_MAX, &done);
}

/* Of several words the first match of the longest was found; what is shown is where most of them are. */
static bool show_densest(struct search *x, struct hit *hit)
{
    const struct block *block;
    if (x->h.terms.n < 2)
        return true;
    if (!block_read(x->s, text_block(hit->text), &block, x->e))
        return false;
    spots_densest(&x->h.spots, block->texts[text_place(hit->text)], &hit->start, &hit->end);
    return true;
}

static bool write_page(struct search *x, bool resumed)
{
    struct search_hits *out = x->out;
    if (x->nhits > 1)
        qsort(x->hits, x->nhits, sizeof *x->hits, hit_compare);
    bool more = x->nhits > x->limit;
    out->n = more ? x->limit : x->nhits;
    out->items = arena_array(x->a, struct search_hit, out->n);
    for (size_t i = 0; i < out->n; i++)
        if (!show_densest(x, &x->hits[i]))
            return false;
    if (!hits_write(x->s, x->hits, out->n, x->a, out->items, x->e))
        return false;
    const struct place *last = out->n ? &x->hits[out->n - 1].place : NULL;
    if (more)
        out->end.next = place_text(x->a, last);
    else if (x->late) /* go on in the run that was not finished */
        out->end.next = place_text(x->a, last && last->run == x->at.run ? last : &x->at);
    if (x->counted)
        out->end.total = x->total;
    else if (!more && !x->late && !resumed)
        out->end.total = (int64_t)x->nhits;
    bool uncounted = x->q->count && out->end.total == TOTAL_UNKNOWN;
    struct slice cut = hunt_cut(&x->h);
    out->incomplete = x->late || cut.ptr || uncounted;
    if (x->late)
        out->reason = slice_str("the time allowed was over before everything was searched");
    else if (uncounted)
        out->reason = slice_str("the time allowed was over before everything was counted");
    else
        out->reason = cut;
    return true;
}

bool store_search(struct store *s, const struct search_query *q, struct arena *a, struct search_hits *out, struct err *e)
{
    bool resumed = q->after.ptr != NULL;
    struct search x = {.s = s, .q = q, .e = e, .a = a, .out = out, .limit = q->limit ? q->limit : LIMIT_DEFAULT,
                       .deadline_us = q->deadline_us ? q->deadline_us : clock_monotonic_us() + DEADLINE_US,
                       .after = {.imported = INT64_MAX, .message = -1}}; /* before all runs */
    *out = (struct search_hits){.end.total = TOTAL_UNKNOWN};
    if (x.limit > LIMIT_MAX)
        return err_set(e, ERR_USAGE, "a page holds at most %d hits", LIMIT_MAX);
    bool ok = hunt_start(&x.h, s, q, x.deadline_us, a, e) && (!resumed || place_parse(q->after, &x.after, e)) && db_read(s->db, e);
    if (ok)
        ok = db_end(s->db, find(&x) && write_page(&x, resumed), e);
    hunt_end(&x.h);
    return ok;
}
