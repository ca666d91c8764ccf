#include "jobs/end.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/threads.h"
#include "storage/access.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

enum {
    PROGRESS_MAX = 1000, /* bytes of JSON */
    GENERAL_WORKERS = 3, /* each import and scan has threads of its own */
    WORKERS = GENERAL_WORKERS + 2, /* the rest wait for models */
    LOOK_US = 500000,   /* how often to look for jobs that somebody else added, or whose time has come */
    KEEP_NS = 500000000, /* a job that another process cancels hears of it within a second */
    CLOCK_SET_US = 1000000, /* less is no more than a clock being kept right */
    CALM_US = 2000000,  /* before jobs begin where some were begun before: a server that is killed as often as it starts uses up no job's attempts */
};

struct slot { /* a job that runs here, or none: id is "" */
    char id[UUID_TEXT + 1];
    int64_t claim;                 /* of the row */
    struct slice kind, collection; /* as long as the job runs */
    int64_t bytes;                 /* of the upload; 0: none; -1: not known yet, as is `rubric` */
    struct slice rubric;
    uint64_t turn;                 /* jobs begin in this order */
    atomic_bool stop;
    bool cancelled;        /* stop means that, not that the server stops */
    struct str progress;
    bool progressed;       /* since it was last stored */
};

struct worker {
    struct jobs *jobs;
    enum job_lane lane;
    struct slot slot;
    struct store *store;
    pthread_t thread;
    bool started;
};

struct jobs {
    const struct jobs_options *o;
    pthread_mutex_t lock; /* the slots, counts and flags */
    pthread_cond_t changed;
    bool wake, ending;
    int64_t begin_at;     /* clock_monotonic_us() */
    uint64_t turns;
    struct job_figures *figures; /* by row of job_kinds[] */
    struct worker workers[WORKERS];
    struct store *keeper_store;
    pthread_t keeper;
    bool keeper_started;
    struct log_trouble unrenewed, unclaimed;
    int server_lock; /* held while this is the only server on the database; else -1 */
};

/* Waits until something changes, with the lock held. */
static void wait_us(struct jobs *jobs, int64_t us)
{
    cond_wait_until(&jobs->changed, &jobs->lock, clock_monotonic_us() + us);
}

/* ---- running one job -------------------------------------------------------------------------------------------------- */

/* What the kinds see is a struct job; behind it stands the worker that has the slot. */
struct running {
    struct job job;
    struct worker *worker;
};

static void progress(const struct job *job, struct slice json)
{
    struct worker *w = ((const struct running *)job)->worker;
    pthread_mutex_lock(&w->jobs->lock);
    str_reset(&w->slot.progress);
    str_add_slice(&w->slot.progress, json);
    w->slot.progressed = true;
    pthread_mutex_unlock(&w->jobs->lock);
}

static bool must_wait(const struct worker *w)
{
    for (int i = 0; i < WORKERS; i++) {
        const struct slot *other = &w->jobs->workers[i].slot;
        if (!other->id[0] || other->turn >= w->slot.turn) /* what stands in an empty slot is gone */
            continue;
        bool alike = other->bytes < 0 || (other->bytes == w->slot.bytes && slice_eq(other->rubric, w->slot.rubric));
        if (alike && slice_eq(other->kind, w->slot.kind) &&
            slice_eq(other->collection, w->slot.collection))
            return true;
    }
    return false;
}

/* Two scans of one collection, two judges of it by one rubric (the second finds what the first paid for), or two uploads of the same size (they may be the same bytes, of which the second is a duplicate once
 * the first is in), take turns. */
static void take_turns(struct worker *w, const struct jvalue *payload)
{
    int64_t bytes = 0;
    jint(jget(payload, "bytes"), &bytes);
    pthread_mutex_lock(&w->jobs->lock);
    w->slot.bytes = bytes;
    w->slot.rubric = jstr(jget(payload, "rubric"));
    pthread_cond_broadcast(&w->jobs->changed);
    while (must_wait(w) && !atomic_load(&w->slot.stop))
        wait_us(w->jobs, LOOK_US);
    pthread_mutex_unlock(&w->jobs->lock);
}

static bool attempt(struct running *running, const struct job_kind *kind, struct str *result, struct err *e)
{
    if (!job_read(&running->job, kind, e))
        return false;
    take_turns(running->worker, running->job.payload);
    return kind->run(&running->job, result, e);
}

static void slot_take(struct worker *w, const struct job_row *row)
{
    pthread_mutex_lock(&w->jobs->lock);
    snprintf(w->slot.id, sizeof w->slot.id, "%.*s", SLICE_ARG(row->id));
    w->slot.claim = row->claim;
    w->slot.kind = row->kind;
    w->slot.collection = row->collection;
    w->slot.bytes = -1;
    w->slot.turn = w->jobs->turns++;
    atomic_store(&w->slot.stop, w->jobs->ending);
    w->slot.cancelled = w->slot.progressed = false;
    str_reset(&w->slot.progress);
    pthread_mutex_unlock(&w->jobs->lock);
}

static void slot_leave(struct worker *w)
{
    pthread_mutex_lock(&w->jobs->lock);
    w->slot.id[0] = '\0';
    pthread_cond_broadcast(&w->jobs->changed);
    pthread_mutex_unlock(&w->jobs->lock);
}

/* The last word on a job is worth waiting for; should the server stop meanwhile, the job is done again, which is harmless. */
static bool note(struct worker *w, const struct job_row *row, struct job_end *end)
{
    struct err e = {0};
    while (!job_end_note(w->store, row, end, &e)) {
        log_error("cannot note the end of job %.*s: %s", SLICE_ARG(row->id), e.text);
        pthread_mutex_lock(&w->jobs->lock);
        bool ending = w->jobs->ending;
        if (!ending && job_passes(&e))
            wait_us(w->jobs, JOB_AGAIN_US);
        pthread_mutex_unlock(&w->jobs->lock);
        if (ending || !job_passes(&e))
            return false;
    }
    return true;
}

static void count(struct job_figures *figures, int change)
{
    if (figures)
        atomic_fetch_add(&figures->running, change);
}

/* Nobody but the job itself: whoever asked for it has a row of their own, and its token tells who that was. */
static struct actor actor_of(const struct job_row *row, const struct job_kind *kind, struct arena *a)
{
    struct slice name = arena_printf(a, "job:%.*s", SLICE_ARG(row->kind));
    return (struct actor){.name = name, .token = row->token, .action = name, .target = row->collection,
                          .detail = arena_printf(a, "{\"job\":\"%.*s\"}", SLICE_ARG(row->id)), .streams = kind && kind->streams};
}

static void run_job(struct worker *w, const struct job_row *row, struct arena *a)
{
    struct str result = STR_INIT(JOB_RESULT_MAX);
    struct err e = {0};
    struct job_end end;
    const struct job_kind *kind = job_kind_find(row->kind);
    struct job_figures *figures = kind ? &w->jobs->figures[kind - job_kinds] : NULL;
    int64_t began = clock_monotonic_us();
    slot_take(w, row);
    count(figures, 1);
    const struct actor actor = actor_of(row, kind, a);
    struct running running = {
        .job = {.options = w->jobs->o, .row = row, .arena = a, .stop = &w->slot.stop, .progress = progress, .actor = &actor},
        .worker = w,
    };
    bool ok = attempt(&running, kind, &result, &e);
    pthread_mutex_lock(&w->jobs->lock);
    bool cancelled = w->slot.cancelled;
    pthread_mutex_unlock(&w->jobs->lock);
    job_end(&running.job, ok, cancelled, &result, &e, &end);
    if (kind && kind->logged && end.state != JOB_QUEUED)
        store_act_as(w->store, &actor);
    if (end.begin_at)
        log_warn("job %.*s waits: %s", SLICE_ARG(row->id), end.why.text);
    bool noted = note(w, row, &end);
    store_act_as(w->store, NULL);
    if (noted) {
        if (end.state == JOB_DONE || end.state == JOB_CANCELLED) /* an upload that failed is kept: it was accepted */
            spool_remove(w->jobs->o->spool, w->slot.id);
        if (end.state != JOB_QUEUED)
            log_fields(end.state == JOB_FAILED ? LOG_WARN : LOG_INFO, "job", log_str("id", row->id), log_str("kind", row->kind),
                       log_str("state", slice_str(job_state_name(end.state))), log_ms("ms", clock_monotonic_us() - began),
                       log_str("collection", row->collection), log_str("error", end.state == JOB_FAILED ? slice_str(end.why.text) : SLICE_NONE));
    }
    count(figures, -1);
    if (figures && end.state != JOB_QUEUED) {
        atomic_fetch_add(&figures->ended[end.state], 1);
        histogram_add(&figures->took, clock_monotonic_us() - began);
    }
    slot_leave(w);
    if (end.state != JOB_QUEUED)
        w->jobs->o->ended(w->jobs->o->ctx, row->id);
    str_free(&result);
}

static bool ending(struct jobs *jobs)
{
    pthread_mutex_lock(&jobs->lock);
    bool yes = jobs->ending;
    pthread_mutex_unlock(&jobs->lock);
    return yes;
}

static void calm_down(struct jobs *jobs)
{
    pthread_mutex_lock(&jobs->lock);
    for (int64_t left; !jobs->ending && (left = jobs->begin_at - clock_monotonic_us()) > 0;)
        wait_us(jobs, left);
    pthread_mutex_unlock(&jobs->lock);
}

static void *work(void *arg)
{
    struct worker *w = arg;
    struct arena arena = {0};
    calm_down(w->jobs);
    while (!ending(w->jobs)) {
        struct job_row row;
        struct err e = {0};
        bool got = false;
        arena_reset(&arena);
        bool looked = store_job_claim(w->store, w->lane, JOB_LEASE_S, &arena, &row, &got, &e);
        if (!looked && log_trouble_due(&w->jobs->unclaimed))
            log_error("cannot look for jobs: %s", e.text);
        if (looked && log_trouble_over(&w->jobs->unclaimed))
            log_info("jobs are looked for again");
        if (got) {
            run_job(w, &row, &arena);
            continue;
        }
        pthread_mutex_lock(&w->jobs->lock);
        if (!w->jobs->wake && !w->jobs->ending)
            wait_us(w->jobs, LOOK_US);
        w->jobs->wake = false;
        pthread_mutex_unlock(&w->jobs->lock);
    }
    arena_free(&arena);
    return NULL;
}

/* ---- the keeper: renews leases, stores progress, hears of cancellations ------------------------------------------------ */

static void renew(struct jobs *jobs, struct worker *w)
{
    char id[UUID_TEXT + 1];
    char text[PROGRESS_MAX] = "";
    size_t n = 0;
    bool cancelled = false;
    struct err e = {0};
    pthread_mutex_lock(&jobs->lock);
    memcpy(id, w->slot.id, sizeof id);
    const struct job_row row = {.id = slice_str(id), .claim = w->slot.claim};
    if (w->slot.progressed && w->slot.progress.len < sizeof text) {
        n = w->slot.progress.len;
        memcpy(text, w->slot.progress.ptr, n);
    }
    w->slot.progressed = false;
    pthread_mutex_unlock(&jobs->lock);
    if (!id[0])
        return;
    if (!store_job_progress(jobs->keeper_store, &row, n ? slice_of(text, n) : SLICE_NONE, JOB_LEASE_S, &cancelled, &e)) {
        if (log_trouble_due(&jobs->unrenewed))
            log_warn("cannot renew the lease of job %s: %s; this is said once a minute, for all jobs", id, e.text);
        return;
    }
    if (log_trouble_over(&jobs->unrenewed))
        log_info("leases of jobs can be renewed again");
    pthread_mutex_lock(&jobs->lock);
    if (cancelled && strcmp(id, w->slot.id) == 0 && row.claim == w->slot.claim) {
        w->slot.cancelled = true;
        atomic_store(&w->slot.stop, true);
    }
    pthread_mutex_unlock(&jobs->lock);
}

/* What waits for its time would wait for as long as the clock was set back. */
static void mind_the_clock(struct jobs *jobs, int64_t *ahead)
{
    struct err e = {0};
    int64_t now = clock_now_us() - clock_monotonic_us();
    if (now < *ahead - CLOCK_SET_US && !store_jobs_rewind(jobs->keeper_store, &e)) {
        log_warn("cannot look at the jobs that wait after the clock was set back: %s", e.text);
        return;
    }
    *ahead = now;
}

static void *keep(void *arg)
{
    struct jobs *jobs = arg;
    struct err e = {0};
    bool untidy = false;
    int64_t prune_at = clock_monotonic_us() + PRUNE_FIRST_US;
    int64_t ahead = clock_now_us() - clock_monotonic_us();
    while (!ending(jobs)) {
        mind_the_clock(jobs, &ahead);
        if (clock_monotonic_us() >= prune_at) {
            room_prune(jobs->keeper_store, jobs->o->limits);
            untidy = true;
            prune_at = clock_monotonic_us() + PRUNE_EVERY_US;
        }
        if (untidy && !room_tidy(jobs->keeper_store, jobs->o->spool, &untidy, &e)) { /* some at a time: leases wait */
            log_warn("cannot delete what ended long ago: %s", e.text);
            untidy = false;
        }
        room_look(jobs->keeper_store, jobs->o->spool, jobs->o->limits);
        for (int i = 0; i < WORKERS; i++)
            renew(jobs, &jobs->workers[i]);
        const struct timespec pause = {.tv_nsec = KEEP_NS};
        nanosleep(&pause, NULL);
    }
    return NULL;
}

/* ---- what a crash left ------------------------------------------------------------------------------------------------ */

struct sweep {
    struct jobs *jobs;
    struct arena arena;
};

static void sweep_one(void *ctx, const char *id, uint64_t bytes)
{
    struct sweep *sweep = ctx;
    struct job_row row;
    struct err e = {0};
    (void)bytes;
    bool found = store_job(sweep->jobs->keeper_store, slice_str(id), &sweep->arena, &row, &e);
    /* Never acknowledged, or read to its end. */
    if ((!found && e.code == ERR_NOT_FOUND) || (found && (row.state == JOB_DONE || row.state == JOB_CANCELLED)))
        spool_remove(sweep->jobs->o->spool, id);
    arena_reset(&sweep->arena);
}

static void count_upload(void *ctx, const char *id, uint64_t bytes)
{
    (void)id;
    (void)bytes;
    ++*(uint64_t *)ctx;
}

/* A database that was begun anew knows nothing of the uploads that the one before it acknowledged: to it they are to be swept away. */
static bool owns_uploads(struct jobs *jobs, struct arena *a, struct err *e)
{
    const struct page page = {.limit = 1};
    struct collection_rows collections;
    struct job_rows rows;
    uint64_t waiting = 0;
    if (!store_collections(jobs->keeper_store, &page, a, &collections, e) || !store_jobs(jobs->keeper_store, SLICE_NONE, &page, a, &rows, e) ||
        !spool_each(jobs->o->spool, count_upload, &waiting, e))
        return false;
    return collections.n || rows.n || !waiting ||
           err_set(e, ERR_IO, "the database is empty, but uploads for the one that was here (%" PRIu64 ") wait in %s: put it back, or move that folder away",
                   waiting, jobs->o->spool->dir);
}

static bool recover(struct jobs *jobs, struct err *e)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/server.lock", jobs->o->spool->dir);
    jobs->server_lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (jobs->server_lock < 0)
        return err_errno(e, "cannot open %s", path);
    /* Every server holds the lock shared for as long as it lives; who gets it alone knows that no other does. */
    bool alone = flock(jobs->server_lock, LOCK_EX | LOCK_NB) == 0;
    if (!alone)
        return flock(jobs->server_lock, LOCK_SH) == 0 || err_errno(e, "cannot lock %s", path);
    struct sweep sweep = {.jobs = jobs};
    uint64_t begun = 0;
    bool ok = store_jobs_release(jobs->keeper_store, &begun, e) && store_jobs_rewind(jobs->keeper_store, e);
    if (!ok && job_passes(e)) { /* what is there can be read all the same, and leases end by themselves */
        log_warn("the jobs of the last server wait: %s", e->text);
        ok = true;
    }
    ok = ok && owns_uploads(jobs, &sweep.arena, e) && spool_each(jobs->o->spool, sweep_one, &sweep, e);
    arena_free(&sweep.arena);
    if (begun)
        jobs->begin_at = clock_monotonic_us() + CALM_US;
    return ok && (flock(jobs->server_lock, LOCK_SH) == 0 || err_errno(e, "cannot lock %s", path));
}

/* ---- start and stop --------------------------------------------------------------------------------------------------- */

bool jobs_start(const struct jobs_options *options, struct jobs **out, struct err *e)
{
    struct jobs *jobs = calloc(1, sizeof *jobs);
    if (!jobs)
        return err_set(e, ERR_IO, "out of memory");
    jobs->o = options;
    jobs->figures = calloc(job_kind_count, sizeof *jobs->figures);
    if (!jobs->figures)
        abort();
    jobs->server_lock = -1;
    pthread_mutex_init(&jobs->lock, NULL);
    cond_init(&jobs->changed);
    bool ok = store_open(options->db, STORE_WRITE, &jobs->keeper_store, e) && recover(jobs, e);
    for (int i = 0; i < WORKERS; i++) {
        jobs->workers[i] = (struct worker){.jobs = jobs, .lane = i < GENERAL_WORKERS ? LANE_GENERAL : LANE_MODELS, .slot = {.progress = STR_INIT(PROGRESS_MAX)}};
        ok = ok && store_open(options->db, STORE_WRITE, &jobs->workers[i].store, e);
    }
    for (int i = 0; i < WORKERS; i++) { /* workers look at each other's slots: all are there before the first runs */
        struct worker *w = &jobs->workers[i];
        if (ok)
            ok = w->started = pthread_create(&w->thread, NULL, work, w) == 0 || err_set(e, ERR_IO, "cannot start a thread");
    }
    if (ok)
        ok = jobs->keeper_started = pthread_create(&jobs->keeper, NULL, keep, jobs) == 0 || err_set(e, ERR_IO, "cannot start a thread");
    if (ok) {
        *out = jobs;
    } else {
        jobs_stop(jobs, INT64_MAX);
        jobs_free(jobs);
    }
    return ok;
}

void jobs_wake(struct jobs *jobs)
{
    pthread_mutex_lock(&jobs->lock);
    jobs->wake = true;
    pthread_cond_broadcast(&jobs->changed);
    pthread_mutex_unlock(&jobs->lock);
}

void jobs_cancelled(struct jobs *jobs, const struct job_row *job)
{
    char id[UUID_TEXT + 1];
    snprintf(id, sizeof id, "%.*s", SLICE_ARG(job->id));
    pthread_mutex_lock(&jobs->lock);
    for (int i = 0; i < WORKERS; i++)
        if (strcmp(jobs->workers[i].slot.id, id) == 0) {
            jobs->workers[i].slot.cancelled = true;
            atomic_store(&jobs->workers[i].slot.stop, true);
        }
    pthread_cond_broadcast(&jobs->changed);
    pthread_mutex_unlock(&jobs->lock);
    if (job->state == JOB_CANCELLED) {
        spool_remove(jobs->o->spool, id);
        jobs->o->ended(jobs->o->ctx, job->id);
    }
}

bool jobs_stop(struct jobs *jobs, int64_t deadline_us)
{
    bool all = true;
    pthread_mutex_lock(&jobs->lock);
    jobs->ending = true;
    for (int i = 0; i < WORKERS; i++)
        atomic_store(&jobs->workers[i].slot.stop, true);
    pthread_cond_broadcast(&jobs->changed);
    pthread_mutex_unlock(&jobs->lock);
    for (int i = 0; i < WORKERS; i++)
        if (jobs->workers[i].started && !thread_join_until(jobs->workers[i].thread, deadline_us))
            all = false;
    if (jobs->keeper_started && !thread_join_until(jobs->keeper, deadline_us))
        all = false;
    return all;
}

void jobs_free(struct jobs *jobs)
{
    for (int i = 0; i < WORKERS; i++) {
        if (jobs->workers[i].store)
            store_close(jobs->workers[i].store);
        str_free(&jobs->workers[i].slot.progress);
    }
    if (jobs->keeper_store)
        store_close(jobs->keeper_store);
    if (jobs->server_lock >= 0)
        close(jobs->server_lock);
    pthread_mutex_destroy(&jobs->lock);
    pthread_cond_destroy(&jobs->changed);
    free(jobs->figures);
    free(jobs);
}

const struct job_figures *jobs_figures(const struct jobs *jobs) { return jobs->figures; }
