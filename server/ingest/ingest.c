/* Threads: each takes the next thing that there is to do. A run that waits comes first (detect it, prepare it); else a file to read,
 * whose runs then wait for whoever is free, the reader itself when too many wait. So one large file uses every core, and so do
 * ten thousand small ones, in bounded memory. Each thread prepares its own transaction; the store's lock orders the commits. */
#include "ingest/ingest.h"

#include "base/clock.h"
#include "base/threads.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    QUEUE_RUNS = 256,
    QUEUE_BYTES = 48 << 20, /* of run arenas that wait: the bound on memory beside the largest run */
    COMMIT_BYTES = 4 << 20,
    PROGRESS_US = 200000,
    SHOWN_BYTES = 1024,      /* of a name or place in the report, which may be as long as a stranger likes */
};

/* One file on its way: done when it was read to its end and none of its runs waits any more. */
struct open_file {
    struct file_row row;
    struct arena arena;     /* of row's slices */
    atomic_int holders;     /* the reader, and each run in the queue */
    atomic_bool complete;   /* read to its end, every run stored: may be remembered */
};

struct waiting_run {
    struct open_file *file;
    struct arena *arena;    /* malloc'd; the receiver owns it */
    struct run *run;
    struct put_name name;
};

/* How often each hash was seen. */
struct hash_count {
    unsigned char hash[HASH_SIZE];
    uint32_t seen;
};

struct hash_counts {
    struct hash_count *items; /* open addressing, a power of two */
    size_t n, cap;
};

struct file_list {
    const struct source_file **items;
    size_t n, cap;
};

struct pipeline {
    const struct ingest_options *options;
    const struct source_files *files;
    struct ingest_report *report;
    struct arena *arena;         /* the report's, under the lock */
    struct slices tasks;         /* touched, under the lock */
    struct findings carried;     /* of an export, about tasks; under the lock */
    int64_t started, last_progress;
    int64_t imported;            /* the time that all runs of this import bear */

    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct waiting_run queue[QUEUE_RUNS]; /* a ring */
    size_t first, waiting, waiting_bytes;
    struct file_list todo, later; /* later: of the same bytes as one of todo */
    struct hash_counts hashes;   /* of the files of todo */
    size_t next_file, readers;   /* readers: files being read */
    bool second_pass;            /* over what was put off */
    size_t next_task;
    struct worker *workers;
    atomic_bool stop;            /* a thread failed */
};

struct worker {
    struct pipeline *p;
    struct store *store;
    struct put *put;
    struct detect_scratch *scratch;
    struct arena arena;          /* of one run's findings, then reset */
    struct open_file **held;     /* files with runs in `put`: finished at its commit */
    size_t nheld, held_cap;
};

static bool stopped(const struct pipeline *p)
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

/* Under the lock. */
static void add_file(struct arena *a, struct file_list *list, const struct source_file *file)
{
    list->items = arena_grow(a, list->items, list->n, &list->cap, sizeof(const struct source_file *));
    list->items[list->n++] = file;
}

/* Under the lock. */
static void report_progress(struct pipeline *p)
{
    int64_t now = clock_monotonic_us();
    if (!p->options->progress || now - p->last_progress < PROGRESS_US)
        return;
    p->last_progress = now;
    p->report->seconds = (double)(now - p->started) / 1e6;
    p->options->progress(p->options->ctx, p->report);
}

static void list_error(struct pipeline *p, struct slice source, struct slice location, enum err_code code, const char *message)
{
    struct ingest_report *r = p->report;
    pthread_mutex_lock(&p->lock);
    if (r->nerrors == INGEST_ERRORS) {
        r->errors_more++;
    } else {
        r->errors = arena_grow(p->arena, r->errors, r->nerrors, &r->errors_cap, sizeof *r->errors);
        r->errors[r->nerrors++] = (struct ingest_error){
            .source = arena_dup(p->arena, slice_cut(source, SHOWN_BYTES)),
            .location = arena_dup(p->arena, slice_cut(location, SHOWN_BYTES)),
            .message = arena_dup(p->arena, slice_str(message)),
            .code = code,
        };
    }
    pthread_mutex_unlock(&p->lock);
}

static void arena_discard(struct arena *a)
{
    arena_free(a);
    free(a);
}

/* Lets go of a file; the last holder remembers it at its next commit, when all its runs are in the store. */
static void release_file(struct worker *w, struct open_file *file)
{
    if (atomic_fetch_sub(&file->holders, 1) != 1)
        return;
    if (w->put && atomic_load(&file->complete))
        store_put_file(w->put, &file->row);
    arena_free(&file->arena);
    free(file);
}

static bool commit(struct worker *w, struct err *e)
{
    struct pipeline *p = w->p;
    uint64_t counts[PUT_OUTCOMES] = {0};
    struct arena mine = {0};
    struct slices tasks = {0};
    bool ok = !w->put || store_put_commit(w->put, counts, &mine, &tasks, e);
    if (ok) {
        pthread_mutex_lock(&p->lock);
        for (int i = 0; i < PUT_OUTCOMES; i++)
            p->report->runs[i] += counts[i];
        for (size_t i = 0; i < tasks.n; i++) {
            p->tasks.items = arena_grow(p->arena, p->tasks.items, p->tasks.n, &p->tasks.cap, sizeof *p->tasks.items);
            p->tasks.items[p->tasks.n++] = arena_dup(p->arena, tasks.items[i]);
        }
        report_progress(p);
        pthread_mutex_unlock(&p->lock);
    }
    arena_free(&mine);
    size_t n = w->nheld;
    w->nheld = 0;
    for (size_t i = 0; i < n; i++) {
        if (!ok)
            atomic_store(&w->held[i]->complete, false);
        release_file(w, w->held[i]);
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

/* One run: known already? else detect, prepare, and commit when enough is prepared. Takes over the run's arena and its hold on
 * the file. */
static bool handle_run(struct worker *w, struct waiting_run *item, struct err *e)
{
    struct pipeline *p = w->p;
    const struct ingest_options *o = p->options;
    bool known = false, ok = !w->put || store_put_known(w->put, &item->name, item->run, &known, e);
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
        for (size_t i = 0; i < format_count; i++)
            if (slice_is(item->run->source.format, formats[i]->name))
                r->format_runs[i]++;
        report_progress(p);
        pthread_mutex_unlock(&p->lock);
    }
    if (!ok)
        atomic_store(&item->file->complete, false);
    hold_file(w, item->file);
    arena_discard(item->arena);
    arena_reset(&w->arena);
    if (ok && w->put && store_put_bytes(w->put) > COMMIT_BYTES)
        ok = commit(w, e);
    return ok;
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

/* ---- reading a file ---------------------------------------------------------------------------------------------- */

struct reading {
    struct worker *worker;
    struct open_file *file;
    struct slice shown;     /* source.file */
    int64_t place;          /* of the next run, by file and then in it */
    struct hash_counts ids; /* external_ids of this file, for files in which they are not unique */
};

static struct hash_count *find_hash(struct hash_count *items, size_t cap, const unsigned char hash[HASH_SIZE])
{
    size_t at;
    memcpy(&at, hash, sizeof at);
    while (items[at & (cap - 1)].seen && memcmp(items[at & (cap - 1)].hash, hash, HASH_SIZE) != 0)
        at++;
    return &items[at & (cap - 1)];
}

/* How often it was counted before. */
static uint32_t count_hash(struct hash_counts *c, const unsigned char hash[HASH_SIZE])
{
    if (2 * c->n >= c->cap) {
        size_t cap = c->cap ? 2 * c->cap : 64;
        struct hash_count *items = calloc(cap, sizeof *items);
        if (!items)
            abort();
        for (size_t i = 0; i < c->cap; i++)
            if (c->items[i].seen)
                *find_hash(items, cap, c->items[i].hash) = c->items[i];
        free(c->items);
        c->items = items;
        c->cap = cap;
    }
    struct hash_count *found = find_hash(c->items, c->cap, hash);
    if (!found->seen) {
        memcpy(found->hash, hash, HASH_SIZE);
        c->n++;
    }
    return found->seen++;
}

static uint32_t next_ordinal(struct reading *r, struct slice external_id)
{
    unsigned char hash[HASH_SIZE];
    hash_of(external_id, hash);
    return count_hash(&r->ids, hash);
}

static bool take_run(void *ctx, struct arena *arena, struct run *run, struct err *e)
{
    struct reading *r = ctx;
    struct pipeline *p = r->worker->p;
    struct waiting_run item = {.file = r->file, .arena = arena, .run = run};
    if (stopped(p)) {
        arena_discard(arena);
        return err_set(e, ERR_CANCELLED, "the import was cancelled");
    }
    item.name.path = r->file->row.path;
    item.name.place = r->place++;
    item.name.ordinal = next_ordinal(r, run->id.ptr ? run->id : run->external_id);
    run_content_hash(run, item.name.content_hash);
    r->file->row.runs++;
    if (!r->file->row.format.ptr)
        r->file->row.format = arena_dup(&r->file->arena, run->source.format);
    atomic_fetch_add(&r->file->holders, 1);
    pthread_mutex_lock(&p->lock);
    bool room = p->waiting < QUEUE_RUNS && p->waiting_bytes + arena->total <= QUEUE_BYTES;
    if (room) {
        p->queue[(p->first + p->waiting++) % QUEUE_RUNS] = item;
        p->waiting_bytes += arena->total;
        pthread_cond_signal(&p->changed);
    }
    pthread_mutex_unlock(&p->lock);
    return room || handle_run(r->worker, &item, e);
}

static void refuse_record(void *ctx, struct slice location, enum err_code code, const char *message)
{
    struct reading *r = ctx;
    r->file->row.refused++;
    list_error(r->worker->p, r->shown, location, code, message);
    pthread_mutex_lock(&r->worker->p->lock);
    r->worker->p->report->rejected++;
    pthread_mutex_unlock(&r->worker->p->lock);
}

static bool restore_collection(const struct worker *w, const struct jvalue *header, struct err *e)
{
    if (!w->p->options->collection_is_new)
        return true;
    struct arena a = {0};
    struct collection_row row = {
        .id = jstr(jget(header, "id")),
        .description = jstr(jget(header, "description")),
        .metadata = jis(jget(header, "metadata"), J_OBJECT) ? jraw(&a, jget(header, "metadata")) : SLICE_NONE,
        .created_at = jstr(jget(header, "created_at")),
    };
    /* The header comes before any run of its file; another file of the same import may have been quicker, and then
     * the collection is a mixture that keeps the id it has. */
    struct err why = {0};
    bool ok = store_collection_change(w->store, w->p->options->collection, &row, &why) || why.code == ERR_CONFLICT;
    if (!ok)
        *e = why;
    arena_free(&a);
    return ok;
}

static struct evidence *copy_evidence(struct arena *a, const struct evidence *from, size_t n)
{
    struct evidence *to = arena_array(a, struct evidence, n);
    for (size_t i = 0; i < n; i++) {
        to[i] = from[i];
        to[i].run = arena_dup(a, from[i].run);
        to[i].part = arena_dup(a, from[i].part);
        to[i].quote = arena_dup(a, from[i].quote);
    }
    return to;
}

/* A finding about a task speaks of runs that may not be stored yet: it waits until all are. */
static void keep_finding(struct pipeline *p, const struct finding *from)
{
    pthread_mutex_lock(&p->lock);
    struct arena *a = p->arena;
    struct finding *to = findings_add(a, &p->carried);
    *to = *from;
    struct slice *const texts[] = {&to->detector, &to->version, &to->behavior, &to->title, &to->message, &to->task_id,
                                   &to->captures, &to->id, &to->reviewer, &to->note, &to->created_at};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        *texts[i] = arena_dup(a, *texts[i]);
    to->evidence = copy_evidence(a, from->evidence, from->nevidence);
    pthread_mutex_unlock(&p->lock);
}

static bool carry_line(void *ctx, const struct carried *carried, struct err *e)
{
    struct reading *r = ctx;
    if (!r->worker->put)
        return true;
    if (carried->collection)
        return restore_collection(r->worker, carried->collection, e);
    if (carried->blob)
        return store_blob_put(r->worker->store, carried->blob->media_type, carried->blob->bytes, e);
    keep_finding(r->worker->p, carried->finding);
    return true;
}

/* ---- workers ------------------------------------------------------------------------------------------------------ */

static bool hash_file(const struct source_file *file, const struct source_limits *limits, unsigned char out[HASH_SIZE], struct err *e)
{
    int fd = open(file->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(e, "cannot open %s", file->path);
    static const size_t piece = 1 << 18;
    char *buffer = malloc(piece);
    if (!buffer)
        abort();
    struct hash h;
    hash_start(&h);
    ssize_t n = 0;
    bool ok;
    while ((ok = source_goes_on(limits, e)) && (n = read(fd, buffer, piece)) > 0)
        hash_add(&h, slice_of(buffer, (size_t)n));
    ok = ok && (n == 0 || err_errno(e, "cannot read %s", file->path));
    if (ok)
        hash_end(&h, out);
    free(buffer);
    close(fd);
    return ok;
}

static void count_file(struct pipeline *p, const struct source_report *read, uint64_t size)
{
    pthread_mutex_lock(&p->lock);
    struct ingest_report *r = p->report;
    r->files_read += read->outcome == SOURCE_READ;
    r->files_skipped += read->outcome == SOURCE_SKIPPED;
    r->files_failed += read->outcome == SOURCE_FAILED;
    r->bytes += size;
    for (int i = 0; i < JREPAIR_COUNT; i++)
        r->repairs.count[i] += read->repairs.count[i];
    report_progress(p);
    pthread_mutex_unlock(&p->lock);
}

/* Two files of the same bytes must not be read at once, as neither would find the other in the store: the second waits until all
 * that were begun are committed. */
static bool waits(struct pipeline *p, const struct source_file *source, const unsigned char hash[HASH_SIZE])
{
    pthread_mutex_lock(&p->lock);
    bool seen = !p->second_pass && count_hash(&p->hashes, hash) > 0;
    if (seen)
        add_file(p->arena, &p->later, source);
    pthread_mutex_unlock(&p->lock);
    return seen;
}

static bool read_file(struct worker *w, const struct source_file *source, struct err *e)
{
    struct pipeline *p = w->p;
    const struct ingest_options *o = p->options;
    struct open_file *file = calloc(1, sizeof *file);
    if (!file)
        abort();
    atomic_store(&file->holders, 1);
    atomic_store(&file->complete, true);
    char real[PATH_MAX];
    struct slice path = source->identity.ptr ? source->identity : slice_str(realpath(source->path, real) ? real : source->path);
    file->row.path = arena_dup(&file->arena, path);
    file->row.name = arena_dup(&file->arena, source->name);
    file->row.bytes = source->size;
    struct reading reading = {.worker = w, .file = file, .shown = source->name, .place = (int64_t)(source - p->files->items) << 32};
    struct source_report read = {0};
    bool known = false, later = false, ok = true;
    struct file_row before;
    struct err reason = {0};
    struct source_limits limits = source_limits_default;
    limits.cancel = o->cancel;
    if (!hash_file(source, &limits, file->row.hash, &reason)) {
        ok = reason.code != ERR_CANCELLED;
        read.outcome = SOURCE_FAILED;
        atomic_store(&file->complete, false);
        if (ok)
            list_error(p, source->name, SLICE_NONE, reason.code, reason.text);
        else
            *e = reason;
    } else if (w->put && waits(p, source, file->row.hash)) {
        atomic_store(&file->complete, false);
        later = true;
    } else if (w->put && !store_file_known(w->store, o->collection, file->row.hash, &file->arena, &known, &before, e)) {
        ok = false;
        atomic_store(&file->complete, false);
    } else if (known && !before.refused && !o->format) { /* what was refused is refused, and named, again */
        atomic_store(&file->complete, false); /* it is remembered already */
        pthread_mutex_lock(&p->lock);
        p->report->runs[PUT_DUPLICATE] += before.runs;
        for (size_t i = 0; i < format_count; i++)
            if (before.format.ptr && slice_is(before.format, formats[i]->name))
                p->report->format_runs[i] += before.runs;
        pthread_mutex_unlock(&p->lock);
        read.outcome = SOURCE_READ;
    } else {
        const struct sink sink = {.run = take_run, .refuse = refuse_record, .carry = carry_line, .ctx = &reading};
        ok = source_read(source, o->format, &limits, &sink, &read, &reason);
        if (!ok)
            *e = reason;
        else if (read.outcome != SOURCE_READ)
            list_error(p, source->name, SLICE_NONE, reason.code, reason.text);
        /* A run that failed on the way has said false already, and then nothing may say otherwise. */
        if (!(ok && read.outcome == SOURCE_READ))
            atomic_store(&file->complete, false);
    }
    if (ok && !later)
        count_file(p, &read, source->size);
    free(reading.ids.items);
    release_file(w, file);
    return ok;
}

/* What there is to do next: a run that waits, else a file, else nothing more will come. */
static bool work(void *ctx, int i, struct err *e)
{
    struct pipeline *p = ctx;
    struct worker *w = &p->workers[i];
    for (;;) {
        pthread_mutex_lock(&p->lock);
        while (!p->waiting && p->next_file == p->todo.n && p->readers && !stopped(p))
            pthread_cond_wait(&p->changed, &p->lock);
        if (stopped(p) || (!p->waiting && p->next_file == p->todo.n)) {
            pthread_mutex_unlock(&p->lock);
            /* The second commit remembers the files that the first completed. */
            return (commit(w, e) && commit(w, e)) || stop_all(p);
        }
        bool ok;
        if (p->waiting) {
            struct waiting_run item = dequeue(p);
            pthread_mutex_unlock(&p->lock);
            ok = handle_run(w, &item, e);
        } else {
            const struct source_file *file = p->todo.items[p->next_file++];
            p->readers++;
            pthread_mutex_unlock(&p->lock);
            ok = read_file(w, file, e);
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
    bool more = p->next_task < p->tasks.n && !stopped(p);
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
        detect_task(o->rules, w->scratch, &task, &w->arena, &found);
        if (!store_task_findings(w->store, o->collection, id, &found.findings, NULL, 0, &changed, e))
            return stop_all(p);
        pthread_mutex_lock(&p->lock);
        for (size_t k = 0; k < found.findings.n; k++)
            p->report->findings[found.findings.items[k].kind]++;
        report_progress(p);
        pthread_mutex_unlock(&p->lock);
        arena_reset(&w->arena);
    }
    return true;
}

static int by_bytes(const void *a, const void *b) { return slice_cmp(*(const struct slice *)a, *(const struct slice *)b); }

static bool open_worker(struct pipeline *p, struct worker *w, struct err *e)
{
    const struct put_target target = {.collection = p->options->collection, .replace = p->options->replace, .imported = p->imported};
    w->p = p;
    w->scratch = detect_scratch_new();
    if (p->options->dry_run)
        return true;
    if (!store_open(p->options->db, STORE_WRITE, &w->store, e))
        return false;
    w->put = store_put_new(w->store, &target);
    return true;
}

static void close_worker(struct worker *w)
{
    for (size_t i = 0; i < w->nheld; i++) {
        atomic_store(&w->held[i]->complete, false);
        release_file(w, w->held[i]);
    }
    free(w->held);
    store_put_free(w->put);
    store_close(w->store);
    detect_scratch_free(w->scratch);
    arena_free(&w->arena);
}

/* Lets go of what a failed or cancelled import left waiting. */
static void drop_waiting(struct worker *w)
{
    while (w->p->waiting) {
        struct waiting_run item = dequeue(w->p);
        atomic_store(&item.file->complete, false);
        release_file(w, item.file);
        arena_discard(item.arena);
    }
}

/* With the workers open: all files, then what an export carries, then the tasks that changed. */
static bool run_pipeline(struct pipeline *p, int n, struct err *e)
{
    const struct ingest_options *o = p->options;
    bool ok = threads_run(n, work, p, e);
    if (ok && p->later.n) {
        p->todo = p->later;
        p->next_file = 0;
        p->second_pass = true;
        ok = threads_run(n, work, p, e);
    }
    drop_waiting(&p->workers[0]);
    for (size_t i = 0; i < p->carried.n && ok && !stopped(p); i++)
        ok = store_finding_put(p->workers[0].store, o->collection, &p->carried.items[i], e);
    if (ok && o->rules && !o->dry_run && p->tasks.n) {
        qsort(p->tasks.items, p->tasks.n, sizeof *p->tasks.items, by_bytes);
        ok = threads_run(n, detect_tasks, p, e);
    }
    if (ok && stopped(p))
        ok = err_set(e, ERR_CANCELLED, "the import was cancelled; what it had stored stays, and importing again does the rest");
    return ok;
}

bool ingest_files(const struct ingest_options *o, const struct source_files *files, struct arena *a, struct ingest_report *report,
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
    for (size_t i = 0; i < files->n; i++) {
        report->bytes_total += files->items[i].size;
        add_file(a, &p.todo, &files->items[i]);
    }
    for (size_t i = 0; i < files->nerrors; i++)
        list_error(&p, files->errors[i].name, SLICE_NONE, files->errors[i].code, files->errors[i].message.ptr);
    report->files_failed = files->nerrors;
    bool ok = true;
    for (int i = 0; i < n && ok; i++)
        ok = open_worker(&p, &p.workers[i], e);
    ok = ok && run_pipeline(&p, n, e);
    for (int i = 0; i < n; i++)
        close_worker(&p.workers[i]);
    report->seconds = (double)(clock_monotonic_us() - p.started) / 1e6;
    free(p.hashes.items);
    pthread_mutex_destroy(&p.lock);
    pthread_cond_destroy(&p.changed);
    return ok;
}
