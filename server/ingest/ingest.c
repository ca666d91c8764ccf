/* Threads: each takes the next thing that there is to do. A run that waits comes first (detect it, prepare it); else a file to read,
 * whose runs then wait for whoever is free, the reader itself when too many wait. So one large file uses every core, and so do
 * ten thousand small ones, in bounded memory. Each thread prepares its own transaction; the store's lock orders the commits. */
#include "ingest/pipeline.h"

#include "base/clock.h"
#include "base/threads.h"
#include "ingest/companions.h"
#include "ingest/over.h"
#include "storage/care.h"

#include <stdlib.h>
#include <unistd.h>

enum {
    QUEUE_BYTES = 48 << 20, /* of run arenas that wait: the bound on memory beside the largest run */
    COMMIT_BYTES = 4 << 20,
    PROGRESS_US = 200000,
    SHOWN_BYTES = 1024,      /* of a name or place in the report, which may be as long as a stranger likes */
};

bool pipe_stopped(const struct pipeline *p)
{
    return atomic_load(&p->stop) || (p->options->cancel && atomic_load(p->options->cancel));
}

/* Tells the other threads that there is no point in going on. Returns false. */
static bool stop_all(struct pipeline *p)
{
    pthread_mutex_lock(&p->lock);
    atomic_store(&p->stop, true);
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    return false;
}

void file_list_add(struct arena *a, struct file_list *list, const struct source_file *file)
{
    list->items = arena_grow(a, list->items, list->n, &list->cap, sizeof(const struct source_file *));
    list->items[list->n++] = file;
}

void pipe_progress(struct pipeline *p)
{
    int64_t now = clock_monotonic_us();
    if (!p->options->progress || now - p->last_progress < PROGRESS_US)
        return;
    p->last_progress = now;
    struct ingest_report *r = p->report;
    uint64_t seen = atomic_load(&p->seen);
    r->bytes_seen = seen < r->bytes ? r->bytes : seen < r->bytes_total ? seen : r->bytes_total;
    r->seconds = (double)(now - p->started) / 1e6;
    p->options->progress(p->options->ctx, p->report);
}

struct redaction pipe_redaction(const struct worker *w, struct arena *a)
{
    return (struct redaction){.secrets = w->p->options->secrets, .scratch = w->regex, .arena = a};
}

void pipe_error(struct pipeline *p, struct slice source, struct slice location, enum err_code code, const char *message)
{
    struct ingest_report *r = p->report;
    struct arena a = {0};
    struct slice text = slice_str(message);
    struct err why;
    const struct secrets *secrets = p->options->secrets;
    if (!redact_once(secrets, &a, &source, &why) || !redact_once(secrets, &a, &location, &why) || !redact_once(secrets, &a, &text, &why))
        source = location = SLICE_NONE, text = slice_str("what is wrong cannot be told: its words may hold a secret");
    pthread_mutex_lock(&p->lock);
    if (r->nerrors == INGEST_ERRORS) {
        r->errors_more++;
    } else {
        r->errors = arena_grow(p->arena, r->errors, r->nerrors, &r->errors_cap, sizeof *r->errors);
        r->errors[r->nerrors++] = (struct ingest_error){
            .source = arena_dup(p->arena, slice_cut(source, SHOWN_BYTES)),
            .location = arena_dup(p->arena, slice_cut(location, SHOWN_BYTES)),
            .message = arena_dup(p->arena, text),
            .code = code,
        };
    }
    pthread_mutex_unlock(&p->lock);
    arena_free(&a);
}

void file_release(struct worker *w, struct open_file *file)
{
    if (atomic_fetch_sub(&file->holders, 1) != 1)
        return;
    if (w->put && atomic_load(&file->complete))
        store_put_file(w->put, &file->row);
    arena_free(&file->arena);
    free(file);
}

static void refuse_run(struct pipeline *p, const struct run *run, const struct err *why)
{
    pipe_error(p, run->source.file, run->source.location, why->code, why->text);
    pthread_mutex_lock(&p->lock);
    p->report->rejected++;
    pthread_mutex_unlock(&p->lock);
}

/* The quota was reached after this run was counted (run_handle). Its file is to be read again when there is room. */
static void take_back(void *ctx, const struct put_over *over, const struct err *why)
{
    struct worker *w = ctx;
    struct ingest_report *r = w->p->report;
    refuse_run(w->p, over->run, why);
    pthread_mutex_lock(&w->p->lock);
    r->messages -= over->messages;
    for (size_t i = 0; i < over->findings->n; i++)
        r->findings[over->findings->items[i].kind]--;
    for (size_t i = 0; i < format_count; i++)
        if (slice_is(over->run->source.format, formats[i]->name))
            r->format_runs[i]--;
    pthread_mutex_unlock(&w->p->lock);
    for (size_t i = 0; i < w->nheld; i++)
        atomic_store(&w->held[i]->complete, false);
}

static bool commit(struct worker *w, struct err *e)
{
    struct pipeline *p = w->p;
    uint64_t counts[PUT_OUTCOMES] = {0};
    struct arena mine = {0};
    struct slices tasks = {0};
    bool ok = !w->put || (store_has_room(w->store, p->options->database_max, e) && store_put_commit(w->put, counts, &mine, &tasks, e));
    if (ok) {
        pthread_mutex_lock(&p->lock);
        for (int i = 0; i < PUT_OUTCOMES; i++)
            p->report->runs[i] += counts[i];
        for (size_t i = 0; i < tasks.n; i++) {
            p->tasks.items = arena_grow(p->arena, p->tasks.items, p->tasks.n, &p->tasks.cap, sizeof *p->tasks.items);
            p->tasks.items[p->tasks.n++] = arena_dup(p->arena, tasks.items[i]);
        }
        pipe_progress(p);
        pthread_mutex_unlock(&p->lock);
    }
    arena_free(&mine);
    size_t n = w->nheld;
    w->nheld = 0;
    for (size_t i = 0; i < n; i++) {
        if (!ok)
            atomic_store(&w->held[i]->complete, false);
        file_release(w, w->held[i]);
    }
    return ok;
}

/* Keeps the file open until this worker's transaction with the run in it is through. */
static void hold_file(struct worker *w, struct open_file *file)
{
    if (w->nheld == w->held_cap) {
        size_t cap = w->held_cap ? 2 * w->held_cap : 64;
        struct open_file **held = realloc(w->held, cap * sizeof *held);
        if (!held)
            abort();
        w->held = held;
        w->held_cap = cap;
    }
    w->held[w->nheld++] = file;
}

bool run_handle(struct worker *w, struct waiting_run *item, struct err *e)
{
    struct pipeline *p = w->p;
    const struct ingest_options *o = p->options;
    bool known = false, ok = !w->put || store_put_known(w->put, &item->name, item->run, &known, e);
    bool over = !ok && e->code == ERR_QUOTA;
    struct detect_result found = {0};
    if (ok && !known && o->rules && !item->run->carried)
        detect_run(o->rules, w->scratch, item->run, &w->arena, &found);
    if (ok && !known && w->put)
        ok = store_put_add(w->put, &item->name, item->run, &found.findings, found.incomplete, found.nincomplete, e);
    if (ok) {
        const struct findings *made = item->run->carried ? item->run->carried : &found.findings;
        pthread_mutex_lock(&p->lock);
        struct ingest_report *r = p->report;
        if (known)
            r->runs[PUT_DUPLICATE]++;
        else if (!w->put)
            r->runs[PUT_NEW]++;
        r->messages += run_count_messages(item->run);
        for (size_t i = 0; i < made->n && !known; i++)
            r->findings[made->items[i].kind]++;
        r->incomplete += found.nincomplete;
        for (size_t i = 0; i < format_count; i++)
            if (slice_is(item->run->source.format, formats[i]->name))
                r->format_runs[i]++;
        pipe_progress(p);
        pthread_mutex_unlock(&p->lock);
    }
    if (!ok)
        atomic_store(&item->file->complete, false);
    if (over) {
        refuse_run(p, item->run, e);
        *e = (struct err){0};
    }
    hold_file(w, item->file);
    arena_discard(item->arena);
    arena_reset(&w->arena);
    if (ok && w->put && store_put_bytes(w->put) > COMMIT_BYTES)
        ok = commit(w, e);
    return ok || over;
}

bool pipe_offer(struct pipeline *p, const struct waiting_run *item)
{
    pthread_mutex_lock(&p->lock);
    bool room = p->waiting < QUEUE_RUNS && p->waiting_bytes + item->arena->total <= QUEUE_BYTES;
    if (room) {
        p->queue[(p->first + p->waiting++) % QUEUE_RUNS] = *item;
        p->waiting_bytes += item->arena->total;
        pthread_cond_signal(&p->changed);
    }
    pthread_mutex_unlock(&p->lock);
    return room;
}

/* Under the lock: the oldest waiting run. */
static struct waiting_run dequeue(struct pipeline *p)
{
    struct waiting_run item = p->queue[p->first];
    p->first = (p->first + 1) % QUEUE_RUNS;
    p->waiting--;
    p->waiting_bytes -= item.arena->total;
    pthread_cond_broadcast(&p->changed);
    return item;
}

/* ---- workers ------------------------------------------------------------------------------------------------------- */

/* What there is to do next: a run that waits, else a file, else nothing more will come. */
static bool work(void *ctx, int i, struct err *e)
{
    struct pipeline *p = ctx;
    struct worker *w = &p->workers[i];
    for (;;) {
        pthread_mutex_lock(&p->lock);
        while (!p->waiting && p->next_file == p->todo.n && p->readers && !pipe_stopped(p))
            pthread_cond_wait(&p->changed, &p->lock);
        if (pipe_stopped(p) || (!p->waiting && p->next_file == p->todo.n)) {
            pthread_mutex_unlock(&p->lock);
            /* The second commit remembers the files that the first completed. */
            return (commit(w, e) && commit(w, e)) || stop_all(p);
        }
        bool ok;
        if (p->waiting) {
            struct waiting_run item = dequeue(p);
            pthread_mutex_unlock(&p->lock);
            ok = run_handle(w, &item, e);
        } else {
            const struct source_file *file = p->todo.items[p->next_file++];
            p->readers++;
            pthread_mutex_unlock(&p->lock);
            ok = file_read(w, file, e);
            pthread_mutex_lock(&p->lock);
            p->readers--;
            pthread_cond_broadcast(&p->changed);
            pthread_mutex_unlock(&p->lock);
        }
        if (!ok)
            return stop_all(p);
    }
}

/* Takes the next task whose runs changed; false: none is left. */
static bool next_task(struct pipeline *p, struct slice *task)
{
    pthread_mutex_lock(&p->lock);
    while (p->next_task && p->next_task < p->tasks.n && slice_eq(p->tasks.items[p->next_task], p->tasks.items[p->next_task - 1]))
        p->next_task++;
    bool more = p->next_task < p->tasks.n && !pipe_stopped(p);
    if (more)
        *task = p->tasks.items[p->next_task++];
    pthread_mutex_unlock(&p->lock);
    return more;
}

static bool detect_tasks(void *ctx, int i, struct err *e)
{
    struct pipeline *p = ctx;
    struct worker *w = &p->workers[i];
    const struct ingest_options *o = p->options;
    struct slice id;
    while (next_task(p, &id)) {
        struct task_summary task;
        struct detect_result found = {0};
        bool changed;
        if (!store_task_summary(w->store, o->collection, id, &w->arena, &task, e))
            return stop_all(p);
        task.common = &p->common;
        detect_task(o->rules, w->scratch, &task, &w->arena, &found);
        if (!store_task_findings(w->store, o->collection, id, &found.findings, NULL, 0, &changed, e))
            return stop_all(p);
        pthread_mutex_lock(&p->lock);
        for (size_t k = 0; k < found.findings.n; k++)
            p->report->findings[found.findings.items[k].kind]++;
        pipe_progress(p);
        pthread_mutex_unlock(&p->lock);
        arena_reset(&w->arena);
    }
    return true;
}

static int by_bytes(const void *a, const void *b) { return slice_cmp(*(const struct slice *)a, *(const struct slice *)b); }

static bool open_worker(struct pipeline *p, struct worker *w, struct err *e)
{
    const struct ingest_options *o = p->options;
    const struct put_target target = {.collection = o->collection, .replace = o->replace, .imported = p->imported, .over = take_back, .ctx = w, .made_of = o->made_of};
    w->p = p;
    w->scratch = detect_scratch_new();
    w->regex = o->secrets ? regex_scratch_new() : NULL;
    if (o->dry_run)
        return true;
    if (!store_open(o->db, STORE_WRITE, &w->store, e))
        return false;
    w->put = store_put_new(w->store, &target);
    return true;
}

static void close_worker(struct worker *w)
{
    for (size_t i = 0; i < w->nheld; i++) {
        atomic_store(&w->held[i]->complete, false);
        file_release(w, w->held[i]);
    }
    free(w->held);
    store_put_free(w->put);
    store_close(w->store);
    detect_scratch_free(w->scratch);
    regex_scratch_free(w->regex);
    arena_free(&w->arena);
}

/* Lets go of what a failed or cancelled import left waiting. */
static void drop_waiting(struct worker *w)
{
    while (w->p->waiting) {
        struct waiting_run item = dequeue(w->p);
        atomic_store(&item.file->complete, false);
        file_release(w, item.file);
        arena_discard(item.arena);
    }
}

/* With the workers open: all files, then what an export carries, then the tasks that changed. */
static bool run_pipeline(struct pipeline *p, int n, struct err *e)
{
    const struct ingest_options *o = p->options;
    bool ok = threads_run(n, work, p, e);
    if (ok)
        files_taken(p);
    if (ok && p->later.n) {
        p->todo = p->later;
        p->next_file = 0;
        p->second_pass = true;
        ok = threads_run(n, work, p, e);
    }
    drop_waiting(&p->workers[0]);
    for (size_t i = 0; i < p->carried.n && ok && !pipe_stopped(p); i++)
        ok = store_finding_put(p->workers[0].store, o->collection, &p->carried.items[i], e);
    if (ok && (p->limits.keep.ptr || p->limits.quota.ptr))
        ok = store_collection_change(p->workers[0].store, o->collection, &p->limits, e);
    if (ok && o->rules && !o->dry_run && p->tasks.n) {
        qsort(p->tasks.items, p->tasks.n, sizeof *p->tasks.items, by_bytes);
        ok = store_common_errors(p->workers[0].store, o->collection, &p->common_arena, &p->common, e) && threads_run(n, detect_tasks, p, e);
    }
    if (ok && o->rules && !o->dry_run && !pipe_stopped(p)) {
        const struct over_wish wish = {.collection = o->collection, .rules = o->rules, .cancel = o->cancel};
        uint64_t runs = p->report->runs[PUT_NEW] + p->report->runs[PUT_UPDATED];
        ok = over_after(p->workers[0].store, &wish, o->may_wait ? OVER_SOON : OVER_NOW, runs, p->report->findings, e);
    }
    if (ok && pipe_stopped(p))
        ok = err_set(e, ERR_CANCELLED, "the import was cancelled; what it had stored stays, and importing again does the rest");
    return ok;
}

bool ingest_files(const struct ingest_options *o, struct source_files *files, struct arena *a, struct ingest_report *report,
                  struct err *e)
{
    int n = threads_count(o->jobs);
    struct pipeline p = {
        .options = o,
        .files = files,
        .report = report,
        .arena = a,
        .started = clock_monotonic_us(),
        .imported = clock_now_us(),
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .changed = PTHREAD_COND_INITIALIZER,
        .workers = arena_array(a, struct worker, (size_t)n),
    };
    *report = (struct ingest_report){.format_runs = arena_array(a, uint64_t, format_count)};
    if (o->dry_run)
        report->fields = arena_array(a, struct field_places, format_count);
    companions_mark(a, files);
    for (size_t i = 0; i < files->n; i++) {
        const struct source_file *file = &files->items[i];
        if (file->unchanged && !companions_changed(files, file))
            continue;
        report->files_total++;
        report->bytes_total += file->size;
        if (!file->companion)
            file_list_add(a, &p.todo, file);
    }
    for (size_t i = 0; i < files->nerrors; i++)
        pipe_error(&p, files->errors[i].name, SLICE_NONE, files->errors[i].code, files->errors[i].message.ptr);
    source_count_errors(files, &report->files_skipped, &report->files_failed);
    bool ok = true;
    for (int i = 0; i < n && ok; i++)
        ok = open_worker(&p, &p.workers[i], e);
    ok = ok && run_pipeline(&p, n, e);
    for (int i = 0; i < n; i++)
        close_worker(&p.workers[i]);
    report->seconds = (double)(clock_monotonic_us() - p.started) / 1e6;
    free(p.hashes.items);
    arena_free(&p.common_arena);
    pthread_mutex_destroy(&p.lock);
    pthread_cond_destroy(&p.changed);
    return ok;
}
