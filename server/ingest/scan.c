#include "base/clock.h"
#include "base/threads.h"
#include "ingest/over.h"

#include <pthread.h>

enum { PAGE_RUNS = 200, PROGRESS_US = 200000 };

struct scanner {
    const struct scan_options *options;
    struct scan_report *report;
    struct scan_worker *workers;
    int64_t started, last_progress;
    pthread_mutex_t lock;
    struct arena arena;     /* of the page and the task ids, under the lock */
    struct run_rows page;   /* runs to look at next */
    size_t next_run;
    bool last_page;
    struct slices tasks;
    struct common_errors common;
    size_t next_task;
    atomic_bool stop;
};

struct scan_worker {
    struct store *store;
    struct detect_scratch *scratch;
    struct arena arena;
};

static bool stopped(const struct scanner *s)
{
    return atomic_load(&s->stop) || (s->options->cancel && atomic_load(s->options->cancel));
}

/* Adds what one run or task gave, and tells how far it is. */
static void count(struct scanner *s, const struct detect_result *found, bool changed, bool is_run)
{
    pthread_mutex_lock(&s->lock);
    struct scan_report *r = s->report;
    r->runs += is_run;
    r->tasks += !is_run;
    r->changed += changed;
    r->incomplete += found->nincomplete;
    for (size_t i = 0; i < found->findings.n; i++)
        r->findings[found->findings.items[i].kind]++;
    int64_t now = clock_monotonic_us();
    if (s->options->progress && now - s->last_progress > PROGRESS_US) {
        s->last_progress = now;
        r->seconds = (double)(now - s->started) / 1e6;
        s->options->progress(s->options->ctx, r);
    }
    pthread_mutex_unlock(&s->lock);
}

struct listed {
    struct slice id, content_hash;
};

/* The next run, in the worker's arena; without an id when none is left. */
static bool next_run(struct scanner *s, struct scan_worker *w, struct listed *next, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    bool ok = true;
    *next = (struct listed){0};
    if (s->next_run == s->page.n && !s->last_page) {
        struct filter filter = FILTER_ANY;
        filter.collection = s->options->collection;
        struct arena fresh = {0};
        struct page page = {.limit = PAGE_RUNS, .after = s->page.end.next, .sort = slice_str("imported")};
        ok = store_runs(w->store, &filter, &page, &fresh, &s->page, e);
        arena_free(&s->arena);
        s->arena = fresh;
        s->next_run = 0;
        if (!ok)
            s->page.n = 0;
        s->last_page = !ok || !s->page.end.next.ptr;
    }
    if (ok && s->next_run < s->page.n && !stopped(s)) {
        const struct run_row *row = &s->page.items[s->next_run++];
        *next = (struct listed){arena_dup(&w->arena, row->run.id), arena_dup(&w->arena, row->content_hash)};
    }
    pthread_mutex_unlock(&s->lock);
    return ok;
}

static bool scan_runs(void *ctx, int i, struct err *e)
{
    struct scanner *s = ctx;
    struct scan_worker *w = &s->workers[i];
    const struct scan_options *o = s->options;
    struct listed next;
    while (next_run(s, w, &next, e)) {
        if (!next.id.ptr)
            return true;
        struct run run;
        struct detect_result found = {0};
        bool changed;
        struct err why = {0};
        bool ok = store_run_load(w->store, next.id, &w->arena, &run, &why);
        if (ok) {
            detect_run(o->rules, w->scratch, &run, &w->arena, &found);
            ok = store_run_findings(w->store, next.id, next.content_hash, &found.findings, found.incomplete, found.nincomplete, o->only,
                                    o->nonly, &changed, &why) &&
                 store_run_redigest(w->store, next.id, &run, &why);
        }
        if (ok) {
            count(s, &found, changed, true);
        } else if (why.code != ERR_NOT_FOUND && why.code != ERR_CONFLICT) {
            *e = why;
            break;
        } /* else it was deleted, or came anew with findings of its own, meanwhile */
        arena_reset(&w->arena);
    }
    atomic_store(&s->stop, true);
    return false;
}

static bool scan_tasks(void *ctx, int i, struct err *e)
{
    struct scanner *s = ctx;
    struct scan_worker *w = &s->workers[i];
    const struct scan_options *o = s->options;
    for (;;) {
        pthread_mutex_lock(&s->lock);
        size_t at = s->next_task++;
        pthread_mutex_unlock(&s->lock);
        if (at >= s->tasks.n || stopped(s))
            return true;
        struct task_summary task;
        struct detect_result found = {0};
        bool changed;
        if (!store_task_summary(w->store, o->collection, s->tasks.items[at], &w->arena, &task, e))
            break;
        task.common = &s->common;
        detect_task(o->rules, w->scratch, &task, &w->arena, &found);
        if (!store_task_findings(w->store, o->collection, s->tasks.items[at], &found.findings, o->only, o->nonly, &changed, e))
            break;
        count(s, &found, changed, false);
        arena_reset(&w->arena);
    }
    atomic_store(&s->stop, true);
    return false;
}

bool ingest_scan(const struct scan_options *o, struct scan_report *report, struct err *e)
{
    int n = threads_count(o->jobs);
    struct arena a = {0};
    struct scanner s = {
        .options = o,
        .report = report,
        .workers = arena_array(&a, struct scan_worker, (size_t)n),
        .started = clock_monotonic_us(),
        .lock = PTHREAD_MUTEX_INITIALIZER,
    };
    *report = (struct scan_report){0};
    bool ok = true;
    for (int i = 0; i < n && ok; i++) {
        s.workers[i].scratch = detect_scratch_new();
        ok = store_open(o->db, STORE_WRITE, &s.workers[i].store, e);
    }
    struct collection_row collection;
    if (ok && (ok = store_collection(s.workers[0].store, o->collection, &a, &collection, e)))
        report->runs_total = (uint64_t)collection.runs;
    ok = ok && threads_run(n, scan_runs, &s, e);
    ok = ok && store_task_ids(s.workers[0].store, o->collection, &a, &s.tasks, e) &&
         store_common_errors(s.workers[0].store, o->collection, &a, &s.common, e) && threads_run(n, scan_tasks, &s, e);
    if (ok && !stopped(&s)) {
        const struct over_wish wish = {o->collection, o->rules, o->only, o->nonly, o->cancel};
        bool changed;
        ok = over_run(s.workers[0].store, &wish, report->findings, &changed, e);
    }
    if (ok && stopped(&s))
        ok = err_set(e, ERR_CANCELLED, "the scan was cancelled; what it had stored stays");
    for (int i = 0; i < n; i++) {
        store_close(s.workers[i].store);
        detect_scratch_free(s.workers[i].scratch);
        arena_free(&s.workers[i].arena);
    }
    report->seconds = (double)(clock_monotonic_us() - s.started) / 1e6;
    arena_free(&s.arena);
    arena_free(&a);
    pthread_mutex_destroy(&s.lock);
    return ok;
}
