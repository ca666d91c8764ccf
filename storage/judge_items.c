#include "storage/judge_job.h"
#include "storage/judging.h"
#include "storage/sql.h"

#include <stdlib.h>

/* ---- choosing ---------------------------------------------------------------------------------------------------------- */

/* Where each named run stands in the list of ids. */
struct named {
    struct slice id;
    size_t place;
    int64_t run;
};

static int by_id(const void *a, const void *b) { return slice_cmp(((const struct named *)a)->id, ((const struct named *)b)->id); }

static int by_place(const void *a, const void *b)
{
    size_t x = ((const struct named *)a)->place, y = ((const struct named *)b)->place;
    return (x > y) - (x < y);
}

/* Runs that were named come in the order in which they were. */
static bool order_as_named(struct store *s, const struct filter *f, struct arena *a, struct ids *runs, struct err *e)
{
    struct named *ids = arena_array(a, struct named, f->nids), *found = arena_array(a, struct named, runs->n);
    size_t n = 0;
    for (size_t i = 0; i < f->nids; i++)
        ids[i] = (struct named){.id = f->ids[i], .place = i};
    qsort(ids, f->nids, sizeof *ids, by_id);
    for (size_t i = 0; i < runs->n; i++) {
        struct stmt *q = db_prepare(s->db, "SELECT id FROM run WHERE n = $1", e);
        bind_int(q, runs->items[i]);
        if (stmt_step(q, e) != STEP_ROW)
            return false;
        const struct named wanted = {.id = take_text(q, a)};
        const struct named *at = bsearch(&wanted, ids, f->nids, sizeof *ids, by_id);
        stmt_reset(q);
        if (at)
            found[n++] = (struct named){.place = at->place, .run = runs->items[i]};
    }
    qsort(found, n, sizeof *found, by_place);
    for (size_t i = 0; i < n; i++)
        runs->items[i] = found[i].run;
    runs->n = n;
    return true;
}

static bool list_runs(struct store *s, const struct filter *f, bool findings, struct arena *a, struct ids *out, struct err *e)
{
    struct sql q = sql_new(a);
    size_t cap = 0;
    *out = (struct ids){0};
    sql_add(&q, findings ? "SELECT f.run" : "SELECT r.n");
    if (!(findings ? filter_findings : filter_runs)(s, &q, f, e))
        return false;
    /* The order of the lists of findings and of runs. */
    sql_add(&q, findings ? " AND f.run IS NOT NULL GROUP BY f.run ORDER BY max(f.severity) DESC, f.run" : " ORDER BY r.imported DESC, r.place, r.n");
    struct stmt *rows = sql_prepare(&q, s->db, e);
    enum step step;
    while ((step = stmt_step(rows, e)) == STEP_ROW) {
        out->items = arena_grow(a, out->items, out->n, &cap, sizeof *out->items);
        out->items[out->n++] = take_int(rows);
    }
    return step == STEP_DONE && (findings || !f->ids || order_as_named(s, f, a, out, e));
}

static uint64_t next_random(uint64_t *state) /* splitmix64 */
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* `wanted` of them, each as likely as any other; they stay in their order. */
static void take_sample(struct ids *runs, size_t wanted, uint64_t seed)
{
    size_t n = 0;
    for (size_t i = 0; i < runs->n && n < wanted; i++)
        if (next_random(&seed) % (runs->n - i) < wanted - n)
            runs->items[n++] = runs->items[i];
    runs->n = n;
}

static bool choose(struct store *s, struct slice collection, const struct judge_selection *selection, struct arena *a, struct ids *out, struct err *e)
{
    struct filter f = selection->filter ? *selection->filter : FILTER_ANY;
    if (!f.collection.ptr)
        f.collection = collection;
    if (!list_runs(s, &f, selection->findings, a, out, e))
        return false;
    if (selection->limit && selection->limit < out->n) {
        if (selection->sample)
            take_sample(out, selection->limit, selection->seed);
        out->n = selection->limit;
    }
    return true;
}

static bool is_selected(struct store *s, int64_t job, bool *selected, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT selected FROM judge_job WHERE job = $1", e);
    bind_int(q, job);
    enum step step;
    *selected = false;
    while ((step = stmt_step(q, e)) == STEP_ROW)
        *selected = take_int(q) != 0;
    return step == STEP_DONE;
}

static bool add_item(struct store *s, int64_t job, int stage, int64_t run, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "INSERT INTO judge_item (job, stage, run) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", e);
    bind_int(q, job);
    bind_int(q, stage);
    bind_int(q, run);
    return stmt_run(q, e);
}

static bool count_items(struct store *s, int64_t job, uint64_t *n, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT count(*) FROM judge_item WHERE job = $1 AND stage = 0", e);
    bind_int(q, job);
    if (stmt_step(q, e) != STEP_ROW)
        return false;
    *n = (uint64_t)take_int(q);
    stmt_reset(q);
    return true;
}

static bool select_once(struct store *s, struct slice id, struct slice collection, const struct judge_selection *selection, uint64_t *n, struct err *e)
{
    struct arena a = {0};
    struct ids runs = {0};
    int64_t job;
    bool selected;
    bool ok = judge_job_open(s, id, &job, e) && is_selected(s, job, &selected, e);
    if (ok && !selected) {
        ok = choose(s, collection, selection, &a, &runs, e);
        for (size_t i = 0; i < runs.n && ok; i++)
            ok = add_item(s, job, 0, runs.items[i], e);
        struct stmt *q = ok ? db_prepare(s->db, "UPDATE judge_job SET selected = 1 WHERE job = $1", e) : NULL;
        if (ok) {
            bind_int(q, job);
            ok = stmt_run(q, e);
        }
    }
    arena_free(&a);
    return ok && count_items(s, job, n, e);
}

bool store_judge_select(struct store *s, struct slice job, struct slice collection, const struct judge_selection *selection, uint64_t *n,
                        struct err *e)
{
    *n = 0;
    return db_write(s->db, e) && db_end(s->db, select_once(s, job, collection, selection, n, e), e);
}

/* What selections are counted for. */
struct asked {
    struct slice rubric, judge_key;
    int64_t version;
    size_t most;
};

static bool count_one(struct store *s, int64_t run, const struct asked *asked, struct judge_count *out, struct err *e)
{
    struct stmt *q = db_prepare(s->db,
        "SELECT (SELECT coalesce(sum(bytes), 0) FROM message WHERE id BETWEEN $1 AND $2), EXISTS (SELECT 1 FROM judgment j WHERE j.run = $3"
        " AND j.superseded = 0 AND j.state <> 2 AND j.content_hash = (SELECT content_hash FROM run WHERE n = $3)"
        " AND j.judge IN (SELECT n FROM judge WHERE rubric = $4 AND version = $5 AND judge_key = $6))", e);
    bind_int(q, child_first(run));
    bind_int(q, child_last(run));
    bind_int(q, run);
    bind_text(q, asked->rubric);
    bind_int(q, asked->version);
    bind_text(q, asked->judge_key);
    if (stmt_step(q, e) != STEP_ROW)
        return false;
    uint64_t bytes = (uint64_t)take_int(q);
    out->bytes += bytes;
    out->longest = bytes > out->longest ? bytes : out->longest;
    out->alike += take_int(q) != 0;
    stmt_reset(q);
    return true;
}

static bool add_sample(struct store *s, int64_t run, struct arena *a, struct judge_count *out, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT id FROM run WHERE n = $1", e);
    bind_int(q, run);
    if (stmt_step(q, e) != STEP_ROW)
        return false;
    out->sample[out->nsample++] = take_text(q, a);
    stmt_reset(q);
    return true;
}

static bool count_runs(struct store *s, struct slice collection, const struct judge_selection *selection, const struct asked *asked, struct arena *a,
                       struct judge_count *out, struct err *e)
{
    struct arena mine = {0};
    struct ids runs = {0};
    bool ok = choose(s, collection, selection, &mine, &runs, e);
    size_t wanted = runs.n < asked->most ? runs.n : asked->most;
    out->sample = arena_array(a, struct slice, wanted);
    for (size_t i = 0; i < runs.n && ok; i++) {
        ok = count_one(s, runs.items[i], asked, out, e);
        if (ok && i * wanted / runs.n >= out->nsample && out->nsample < wanted)
            ok = add_sample(s, runs.items[i], a, out, e);
    }
    out->runs = runs.n;
    arena_free(&mine);
    return ok;
}

bool store_judge_count(struct store *s, struct slice collection, const struct judge_selection *selection, struct slice rubric, int64_t version,
                       struct slice judge_key, size_t most, struct arena *a, struct judge_count *out, struct err *e)
{
    const struct asked asked = {rubric, judge_key, version, most};
    *out = (struct judge_count){0};
    return db_read(s->db, e) && db_end(s->db, count_runs(s, collection, selection, &asked, a, out, e), e);
}

/* ---- what is to do ------------------------------------------------------------------------------------------------------- */

static bool list_items(struct store *s, struct slice id, int stage, int64_t after, size_t limit, struct arena *a, struct judge_item **out, size_t *n,
                       struct err *e)
{
    int64_t job;
    if (!judge_job_find(s, id, &job, e))
        return false;
    struct stmt *q = db_prepare(s->db,
        "SELECT i.n, r.id FROM judge_item i JOIN run r ON r.n = i.run WHERE i.job = $1 AND i.stage = $2 AND i.state = 0 AND i.flagged = 0"
        " AND i.n > $3 ORDER BY i.n LIMIT $4", e);
    bind_int(q, job);
    bind_int(q, stage);
    bind_int(q, after);
    bind_int(q, (int64_t)limit);
    size_t cap = 0;
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        *out = arena_grow(a, *out, *n, &cap, sizeof **out);
        struct judge_item *item = &(*out)[(*n)++];
        item->n = take_int(q);
        item->run = take_text(q, a);
        item->stage = stage;
    }
    return step == STEP_DONE;
}

bool store_judge_items(struct store *s, struct slice job, int stage, int64_t after, size_t limit, struct arena *a, struct judge_item **out, size_t *n,
                       struct err *e)
{
    *out = NULL;
    *n = 0;
    return db_read(s->db, e) && db_end(s->db, list_items(s, job, stage, after, limit, a, out, n, e), e);
}

static bool progress(struct store *s, struct slice id, int stage, struct judge_progress *out, struct err *e)
{
    int64_t job;
    if (!judge_job_find(s, id, &job, e))
        return false;
    struct stmt *q = db_prepare(s->db, "SELECT state, count(*), sum(flagged) FROM judge_item WHERE job = $1 AND stage = $2 GROUP BY state", e);
    bind_int(q, job);
    bind_int(q, stage);
    int64_t *const states[] = {[ITEM_ANSWERED] = &out->answered, [ITEM_UNSUPPORTED] = &out->unsupported, [ITEM_FAILED] = &out->failed,
                               [ITEM_SKIPPED] = &out->skipped};
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        int64_t state = take_int(q), items = take_int(q);
        out->total += items;
        if (state == ITEM_OPEN)
            continue;
        out->done += items;
        out->flagged += take_int(q);
        *states[state] += items;
    }
    return step == STEP_DONE;
}

bool store_judge_progress(struct store *s, struct slice job, int stage, struct judge_progress *out, struct err *e)
{
    *out = (struct judge_progress){0};
    return db_read(s->db, e) && db_end(s->db, progress(s, job, stage, out, e), e);
}

/* ---- what is done ---------------------------------------------------------------------------------------------------------- */

bool judge_item_done(struct store *s, int64_t job, int64_t item, enum item_state state, bool flagged, bool next_stage, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "UPDATE judge_item SET state = $1, flagged = $2 WHERE n = $3 AND job = $4 RETURNING stage, run", e);
    bind_int(q, state);
    bind_int(q, flagged);
    bind_int(q, item);
    bind_int(q, job);
    int64_t stage = 0, run = 0;
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        stage = take_int(q);
        run = take_int(q);
    }
    return step == STEP_DONE && (!run || !next_stage || add_item(s, job, (int)stage + 1, run, e));
}

static bool skip(struct store *s, struct slice id, const int64_t *items, size_t n, bool next_stage, struct err *e)
{
    int64_t job;
    if (!judge_job_find(s, id, &job, e))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!judge_item_done(s, job, items[i], ITEM_SKIPPED, false, next_stage, e))
            return false;
    return true;
}

bool store_judge_skip(struct store *s, struct slice job, const int64_t *items, size_t n, bool next_stage, struct err *e)
{
    return db_write(s->db, e) && db_end(s->db, skip(s, job, items, n, next_stage, e), e);
}
