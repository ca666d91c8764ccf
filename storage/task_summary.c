/* What detectors over many runs are given: tasks one by one, as plain summaries, and the words that those do not hold. */
#include "storage/digest.h"
#include "storage/finding_write.h"
#include "storage/rows.h"

#include <stdlib.h>

enum {
    CHUNK_RUNS = 1000,  /* of a task that are in memory at once, where a whole collection is looked at */
    COMMON_TASKS = 500, /* of those whose errors are common knowledge: so many, */
    COMMON_RUNS = 4,    /* and so many runs of each */
};

bool store_task_ids(struct store *s, struct slice collection, struct arena *a, struct slices *out, struct err *e)
{
    int64_t n;
    *out = (struct slices){0};
    if (!collection_find(s, collection, &n, e))
        return false;
    struct stmt *q = db_prepare(s->db, "SELECT task_id FROM task WHERE collection = $1 ORDER BY task_id", e);
    bind_int(q, n);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        out->items = arena_grow(a, out->items, out->n, &out->cap, sizeof *out->items);
        out->items[out->n++] = take_text(q, a);
    }
    return step == STEP_DONE;
}

/* ---- runs of a task -------------------------------------------------------------------------------------------------- */

struct loaded {
    struct run_summary *runs;
    int64_t *keys;
    size_t n, cap, keys_cap;
};

#define SUMMARY_COLUMNS                                                                                                               \
    "r.n, r.id, r.external_id, r.model, r.agent, r.attempt, coalesce(r.success, 2), r.started_at, r.ended_at, r.tokens_in, r.tokens_out," \
    " r.exit_status, rd.error, r.stopped_by, r.messages, r.calls, d.actions, d.errors, d.results, d.failed, d.answer"                 \
    " FROM run r JOIN run_detail rd ON rd.run = r.n LEFT JOIN run_digest d ON d.run = r.n"

static void take_summary(struct stmt *q, struct arena *a, struct loaded *to)
{
    to->runs = arena_grow(a, to->runs, to->n, &to->cap, sizeof *to->runs);
    to->keys = arena_grow(a, to->keys, to->n, &to->keys_cap, sizeof *to->keys);
    struct run_summary *run = &to->runs[to->n];
    *run = (struct run_summary){.tokens = COUNT_UNKNOWN};
    to->keys[to->n++] = take_int(q);
    run->run = take_text(q, a);
    run->external_id = take_text(q, a);
    run->model = take_text(q, a);
    run->agent = take_text(q, a);
    run->attempt = take_count(q);
    run->success = (enum verdict)take_int(q);
    run->started_at = take_text(q, a);
    run->ended_at = take_text(q, a);
    int64_t in = take_count(q), out = take_count(q);
    if (in >= 0 || out >= 0)
        run->tokens = (in > 0 ? in : 0) + (out > 0 ? out : 0);
    run->exit_status = take_text(q, a);
    run->error = take_text(q, a);
    run->limit = take_text(q, a);
    run->messages = (uint32_t)take_int(q);
    run->calls = (uint32_t)take_int(q);
    struct slice actions = take_bytes(q), errors = take_bytes(q);
    digest_unpack(a, actions, errors, run);
    run->results = (uint32_t)take_int(q);
    run->failed = (uint32_t)take_int(q);
    int64_t answer = take_int(q);
    memcpy(&run->answer, &answer, sizeof run->answer);
}

/* Scores and findings of a run; those dismissed do not count. */
static bool load_said(struct store *s, int64_t n, struct arena *a, struct run_summary *out, struct err *e)
{
    struct run run;
    struct stored_findings stored;
    run_init(&run);
    if (!scores_load(s, n, a, &run, e) || !findings_load(s, &(struct subject){.run = n}, a, &stored, e))
        return false;
    out->scores = run.scores;
    out->nscores = run.nscores;
    out->findings = stored.items;
    for (size_t i = 0; i < stored.n; i++) {
        if (stored.items[i].status == STATUS_DISMISSED)
            continue;
        struct finding *f = &out->findings[out->nfindings++];
        *f = stored.items[i];
        for (size_t k = 0; k < f->nevidence; k++)
            if (!f->evidence[k].run.ptr)
                f->evidence[k].run = out->run;
    }
    return true;
}

/* Without the names of actions: those of a whole collection, which no rule about a task reads. */
static bool load_summary(struct store *s, struct slice collection, struct slice task_id, struct arena *a, struct task_summary *out,
                         struct err *e)
{
    int64_t key;
    struct loaded list = {0};
    struct quotes *quotes = arena_new(a, struct quotes);
    *quotes = store_quotes(s);
    *out = (struct task_summary){.task_id = arena_dup(a, task_id), .quotes = quotes};
    if (!collection_find(s, collection, &key, e) || !task_find(s, key, task_id, &out->task, e))
        return false;
    if (!out->task)
        return err_set(e, ERR_NOT_FOUND, "there is no task \"%.*s\"", SLICE_ARG(task_id));
    struct stmt *q = db_prepare(s->db, "SELECT " SUMMARY_COLUMNS " WHERE r.task = $1 ORDER BY r.n", e);
    bind_int(q, out->task);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW)
        take_summary(q, a, &list);
    out->runs = list.runs;
    out->nruns = list.n;
    for (size_t i = 0; i < list.n && step == STEP_DONE; i++)
        if (!load_said(s, list.keys[i], a, &list.runs[i], e))
            return false;
    return step == STEP_DONE;
}

bool store_task_summary(struct store *s, struct slice collection, struct slice task_id, struct arena *a, struct task_summary *out,
                        struct err *e)
{
    return db_read(s->db, e) && db_end(s->db, load_summary(s, collection, task_id, a, out, e), e);
}

/* ---- what is common -------------------------------------------------------------------------------------------------- */

static int by_hash(const void *a, const void *b)
{
    const struct common_error *x = a, *y = b;
    return x->hash != y->hash ? (x->hash < y->hash ? -1 : 1) : (x->task > y->task) - (x->task < y->task);
}

static bool add_common(struct store *s, int64_t task, struct arena *a, struct common_errors *out, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT d.errors FROM run r JOIN run_digest d ON d.run = r.n WHERE r.task = $1 ORDER BY r.n LIMIT $2", e);
    bind_int(q, task);
    bind_int(q, COMMON_RUNS);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        struct run_summary run = {0};
        digest_unpack(a, SLICE_NONE, take_bytes(q), &run);
        for (size_t i = 0; i < run.nerrors; i++) {
            out->items = arena_grow(a, out->items, out->n, &out->cap, sizeof *out->items);
            out->items[out->n++] = (struct common_error){run.errors[i].hash, task};
        }
    }
    out->tasks++;
    return step == STEP_DONE;
}

/* The collection's tasks by id. */
static bool tasks_of(struct store *s, int64_t collection, struct arena *a, int64_t **tasks, size_t *n, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT n FROM task WHERE collection = $1 ORDER BY task_id", e);
    size_t cap = 0;
    *tasks = NULL, *n = 0;
    bind_int(q, collection);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        *tasks = arena_grow(a, *tasks, *n, &cap, sizeof **tasks);
        (*tasks)[(*n)++] = take_int(q);
    }
    return step == STEP_DONE;
}

static bool load_common(struct store *s, struct slice collection, struct arena *a, struct common_errors *out, struct err *e)
{
    int64_t key, *tasks;
    size_t n, kept = 0;
    *out = (struct common_errors){0};
    if (!collection_find(s, collection, &key, e))
        return false;
    if (!tasks_of(s, key, a, &tasks, &n, e))
        return false;
    for (size_t i = 0; i < n && i < COMMON_TASKS; i++)
        if (!add_common(s, tasks[n <= COMMON_TASKS ? i : i * n / COMMON_TASKS], a, out, e))
            return false;
    if (out->n)
        qsort(out->items, out->n, sizeof *out->items, by_hash);
    for (size_t i = 0; i < out->n; i++)
        if (!kept || by_hash(&out->items[kept - 1], &out->items[i]) != 0)
            out->items[kept++] = out->items[i];
    out->n = kept;
    return true;
}

bool store_common_errors(struct store *s, struct slice collection, struct arena *a, struct common_errors *out, struct err *e)
{
    return db_read(s->db, e) && db_end(s->db, load_common(s, collection, a, out, e), e);
}

/* ---- a whole collection, task by task -------------------------------------------------------------------------------- */

struct feed {
    struct store *store;
    const struct feed_wish *wish;
    struct action_names names;
    struct arena a;             /* of a chunk */
};

/* Of the findings of a run, or those of scope task, the ones that are asked for. */
static bool load_wanted(struct feed *f, int64_t run, int64_t task, struct finding **out, size_t *n, struct err *e)
{
    if (!f->wish->ndetectors)
        return true;
    static const char of_run[] = "SELECT id, detector, captures FROM finding WHERE run = $1 AND status <> 2 ORDER BY n";
    static const char of_task[] = "SELECT id, detector, captures FROM finding WHERE task = $1 AND scope = 1 AND status <> 2 ORDER BY n";
    struct stmt *q = db_prepare(f->store->db, run ? of_run : of_task, e);
    bind_int(q, run ? run : task);
    size_t cap = 0;
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        struct slice id = take_bytes(q), detector = take_bytes(q), captures = take_bytes(q);
        if (!is_among(detector, f->wish->detectors, f->wish->ndetectors))
            continue;
        *out = arena_grow(&f->a, *out, *n, &cap, sizeof **out);
        (*out)[(*n)++] = (struct finding){
            .id = arena_dup(&f->a, id), .detector = arena_dup(&f->a, detector), .captures = arena_dup(&f->a, captures)};
    }
    return step == STEP_DONE;
}

/* Runs of a task (0: of none) after `*last`, at most CHUNK_RUNS. */
static bool load_chunk(struct feed *f, int64_t collection, struct task_summary *task, int64_t *last, struct err *e)
{
    struct loaded list = {0};
    static const char of_task[] = "SELECT " SUMMARY_COLUMNS " WHERE r.task = $1 AND r.n > $2 ORDER BY r.n LIMIT $3";
    static const char of_none[] =
        "SELECT " SUMMARY_COLUMNS " WHERE r.collection = $1 AND r.n > $2 AND r.task IS NULL ORDER BY r.n LIMIT $3";
    struct stmt *q = db_prepare(f->store->db, task->task ? of_task : of_none, e);
    bind_int(q, task->task ? task->task : collection);
    bind_int(q, *last);
    bind_int(q, CHUNK_RUNS);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW)
        take_summary(q, &f->a, &list);
    for (size_t i = 0; i < list.n && step == STEP_DONE; i++)
        if (!load_wanted(f, list.keys[i], 0, &list.runs[i].findings, &list.runs[i].nfindings, e))
            return false;
    task->runs = list.runs;
    task->nruns = list.n;
    *last = list.n ? list.keys[list.n - 1] : *last;
    return step == STEP_DONE;
}

static bool feed_task(struct feed *f, int64_t collection, int64_t n, struct err *e)
{
    int64_t last = 0;
    for (bool more = true, first = true; more; first = false) {
        struct task_summary task = {.task = n, .actions = &f->names, .quotes = f->wish->quotes};
        arena_reset(&f->a);
        if (n) {
            struct stmt *q = db_prepare(f->store->db, "SELECT task_id, verdict FROM task WHERE n = $1", e);
            bind_int(q, n);
            enum step step;
            while ((step = stmt_step(q, e)) == STEP_ROW) {
                task.task_id = take_text(q, &f->a);
                task.verdict = (enum task_verdict)take_int(q);
            }
            if (step != STEP_DONE || (first && !load_wanted(f, 0, n, &task.findings, &task.nfindings, e)))
                return false;
        }
        if (!load_chunk(f, collection, &task, &last, e))
            return false;
        more = task.nruns == CHUNK_RUNS;
        if (task.nruns && !f->wish->each(f->wish->ctx, &task, e))
            return false;
    }
    return true;
}

static bool feed_all(struct feed *f, struct slice collection, struct arena *a, struct err *e)
{
    int64_t key, *tasks;
    size_t n;
    if (!collection_find(f->store, collection, &key, e) || !action_names_load(f->store, key, a, &f->names, e))
        return false;
    if (!tasks_of(f->store, key, a, &tasks, &n, e))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!feed_task(f, key, tasks[i], e))
            return false;
    return feed_task(f, key, 0, e);
}

bool store_collection_feed(struct store *s, struct slice collection, const struct feed_wish *wish, struct err *e)
{
    struct feed f = {.store = s, .wish = wish};
    struct arena a = {0};
    bool ok = db_read(s->db, e) && db_end(s->db, feed_all(&f, collection, &a, e), e);
    arena_free(&f.a);
    arena_free(&a);
    return ok;
}
