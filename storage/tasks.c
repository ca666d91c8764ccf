#include "storage/blocks.h"
#include "storage/finding_write.h"
#include "storage/rows.h"
#include "storage/sql.h"

bool task_find(struct store *s, int64_t collection, struct slice task_id, int64_t *n, struct err *e)
{
    *n = 0;
    struct stmt *q = db_prepare(s->db, "SELECT n FROM task WHERE collection = $1 AND task_id = $2", e);
    bind_int(q, collection);
    bind_text(q, task_id);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW)
        *n = take_int(q);
    return step == STEP_DONE;
}

bool task_find_or_add(struct store *s, int64_t collection, struct slice task_id, int64_t *n, struct err *e)
{
    *n = 0;
    if (!task_id.len)
        return true;
    if (!task_find(s, collection, task_id, n, e))
        return false;
    if (*n)
        return true;
    struct stmt *q = db_prepare(s->db, "INSERT INTO task (collection, task_id) VALUES ($1, $2)", e);
    bind_int(q, collection);
    bind_text(q, task_id);
    if (!stmt_run(q, e))
        return false;
    *n = db_last_id(s->db);
    return true;
}

/* ---- list ------------------------------------------------------------------------------------------------------------ */

static const struct sort_key keys[] = {
    {"verdict", "t.verdict", false},
    {NULL, "t.failed", false},
    {"task", "substr(t.task_id, 1, 120)", false},
    {"runs", "t.runs", false},
    {"pass_rate", "CAST(t.passed AS REAL) / nullif(t.passed + t.failed, 0)", true},
    {"findings", "t.broken + t.odd + t.near + t.harness + t.data", false},
};
static const struct order own_order = {.terms = {{&keys[0], true}, {&keys[1], true}, {&keys[2], false}}, .n = 3};
static const struct list list = {filter_tasks, "t.n", keys, sizeof keys / sizeof *keys, &own_order};

/* The collection's models, those with most runs first; '' where a run has none. */
static bool load_model_names(struct store *s, int64_t collection, struct arena *a, struct slices *out, struct err *e)
{
    struct stmt *q = db_prepare(s->db,
        "SELECT m.model FROM task t JOIN task_model m ON m.task = t.n WHERE t.collection = $1 GROUP BY m.model ORDER BY sum(m.runs) DESC, m.model", e);
    bind_int(q, collection);
    *out = (struct slices){0};
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        out->items = arena_grow(a, out->items, out->n, &out->cap, sizeof *out->items);
        out->items[out->n++] = take_text(q, a);
    }
    return step == STEP_DONE;
}

static bool load_models(struct store *s, int64_t n, const struct slices *models, struct arena *a, struct task_row *out, struct err *e)
{
    struct model_count *counts = arena_array(a, struct model_count, models->n);
    struct stmt *q = db_prepare(s->db, "SELECT model, runs, passed, failed FROM task_model WHERE task = $1", e);
    bind_int(q, n);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        struct slice model = take_bytes(q);
        size_t i = 0;
        while (i < models->n && !slice_eq(models->items[i], model))
            i++;
        if (i == models->n)
            continue;
        counts[i].model = model.len ? models->items[i] : SLICE_NONE;
        counts[i].runs = take_int(q);
        counts[i].passed = take_int(q);
        counts[i].failed = take_int(q);
    }
    out->models = counts;
    for (size_t i = 0; i < models->n; i++)
        if (counts[i].runs)
            out->models[out->nmodels++] = counts[i];
    out->models_n = (int64_t)out->nmodels;
    return step == STEP_DONE;
}

/* What the task's first run asks and expects. */
static bool load_question(struct store *s, int64_t n, struct arena *a, struct task_row *out, struct err *e)
{
    struct stmt *q = db_prepare(s->db,
        "SELECT d.gist, (SELECT target FROM score WHERE id = d.run << 26) FROM run_detail d"
        " WHERE d.run = (SELECT min(n) FROM run WHERE task = $1)", e);
    bind_int(q, n);
    enum step step = stmt_step(q, e);
    if (step != STEP_ROW)
        return step == STEP_DONE;
    out->gist = take_text(q, a);
    int64_t target = take_count(q);
    stmt_reset(q);
    return text_read(s, target, a, &out->target, e);
}

static bool load_best(struct store *s, int64_t n, struct arena *a, struct task_row *out, struct err *e)
{
    struct stmt *q = db_prepare(s->db,
        "SELECT n FROM finding WHERE task = $1 AND status <> 2 ORDER BY scope DESC, severity DESC, status DESC, confidence DESC, n LIMIT 1", e);
    bind_int(q, n);
    int64_t finding;
    enum step step = stmt_int(q, &finding, e);
    if (step != STEP_ROW)
        return step == STEP_DONE;
    out->has_best = true;
    return finding_row_load(s, finding, a, &out->best, e);
}

/* The findings that its verdict comes from (summary.h). */
static bool load_reasons(struct store *s, int64_t n, struct arena *a, struct task_row *out, struct err *e)
{
    enum { REASONS_MAX = 20 };
    struct stmt *q = db_prepare(s->db,
        "SELECT id, detector, severity, status, title FROM finding WHERE task = $1 AND scope = 1 AND kind = 0 AND status <> 2"
        " ORDER BY status = 1 DESC, severity DESC, confidence DESC, n LIMIT $2", e);
    bind_int(q, n);
    bind_int(q, REASONS_MAX);
    out->reasons = arena_array(a, struct finding, REASONS_MAX);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        struct finding *f = &out->reasons[out->nreasons++];
        f->id = take_text(q, a);
        f->detector = take_text(q, a);
        f->severity = (enum severity)take_int(q);
        f->status = (enum finding_status)take_int(q);
        f->title = take_text(q, a);
    }
    return step == STEP_DONE;
}

static bool load_row(struct store *s, int64_t n, const struct slices *models, struct arena *a, struct task_row *out, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT task_id, runs, passed, failed, broken, odd, near, harness, data, verdict FROM task WHERE n = $1", e);
    bind_int(q, n);
    if (stmt_step(q, e) != STEP_ROW)
        return false;
    *out = (struct task_row){0};
    out->task_id = take_text(q, a);
    out->runs = take_int(q);
    out->passed = take_int(q);
    out->failed = take_int(q);
    for (int i = 0; i < KIND_COUNT; i++)
        out->findings[i] = take_int(q);
    out->verdict = (enum task_verdict)take_int(q);
    stmt_reset(q);
    return load_models(s, n, models, a, out, e) && load_question(s, n, a, out, e) && load_best(s, n, a, out, e) &&
           (out->verdict == TASK_SOUND || load_reasons(s, n, a, out, e));
}

static bool load_page(struct store *s, const struct filter *f, const struct page *page, struct arena *a, struct task_rows *out, struct err *e)
{
    struct ids ids;
    struct slices models;
    int64_t collection;
    *out = (struct task_rows){0};
    if (!collection_find(s, f->collection, &collection, e) || !load_model_names(s, collection, a, &models, e) ||
        !list_page(s, &list, f, page, page->count || filter_is_open(f), a, &ids, &out->end, e))
        return false;
    out->items = arena_array(a, struct task_row, ids.n);
    for (; out->n < ids.n; out->n++)
        if (!load_row(s, ids.items[out->n], &models, a, &out->items[out->n], e))
            return false;
    return true;
}

bool store_tasks(struct store *s, const struct filter *f, const struct page *page, struct arena *a, struct task_rows *out, struct err *e)
{
    return db_read(s->db, e) && db_end(s->db, load_page(s, f, page, a, out, e), e);
}
