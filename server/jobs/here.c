#include "jobs/here.h"

#include "base/clock.h"
#include "jobs/end.h"

#include <pthread.h>
#include <time.h>

enum {
    RENEW_US = 500000,
    SHOW_MS = 200,
};
#define PROGRESS_MAX ((size_t)64 << 10)

struct doing {
    struct job job;        /* first: what the kind sees is this */
    const struct job_kind *kind;
    struct arena arena;
    atomic_bool stop;
    pthread_mutex_t lock;  /* of what follows */
    struct str progress;
    bool ended;
    /* when it has ended: */
    struct str result;
    struct err error;
    bool good;
};

static void nap(void)
{
    const struct timespec pause = {.tv_nsec = SHOW_MS * 1000000L};
    nanosleep(&pause, NULL);
}

static void take_progress(const struct job *job, struct slice json)
{
    struct doing *d = (struct doing *)(uintptr_t)job;
    pthread_mutex_lock(&d->lock);
    str_reset(&d->progress);
    str_add_slice(&d->progress, json);
    pthread_mutex_unlock(&d->lock);
}

static void *work(void *arg)
{
    struct doing *d = arg;
    bool good = job_read(&d->job, d->kind, &d->error) && d->kind->run(&d->job, &d->result, &d->error);
    pthread_mutex_lock(&d->lock);
    d->good = good;
    d->ended = true;
    pthread_mutex_unlock(&d->lock);
    return NULL;
}

/* Shows and stores how far it is, and hears of a cancellation, until it has ended. */
static void watch(const struct here *here, struct store *s, struct doing *d)
{
    struct str text = STR_INIT(PROGRESS_MAX);
    int64_t renewed = 0;
    for (bool ended = false; !ended; nap()) {
        pthread_mutex_lock(&d->lock);
        str_reset(&text);
        str_add_slice(&text, str_slice(&d->progress));
        ended = d->ended;
        pthread_mutex_unlock(&d->lock);
        here->show(here->ctx, text.len ? str_slice(&text) : SLICE_NONE);
        bool cancelled = false;
        if (!ended && clock_monotonic_us() - renewed > RENEW_US) {
            store_job_progress(s, d->job.row, text.len ? str_slice(&text) : SLICE_NONE, JOB_LEASE_S, &cancelled, NULL);
            renewed = clock_monotonic_us();
        }
        if (cancelled || atomic_load(here->stop))
            atomic_store(&d->stop, true);
    }
    str_free(&text);
}

/* Until then, or until it is told to stop. */
static void pause_until(const struct here *here, int64_t us)
{
    while (!atomic_load(here->stop) && clock_monotonic_us() < us)
        nap();
}

static bool note(const struct here *here, struct store *s, const struct job_row *row, struct job_end *end, struct err *e)
{
    bool ok;
    while (!(ok = job_end_note(s, row, end, e)) && job_passes(e) && !atomic_load(here->stop))
        pause_until(here, clock_monotonic_us() + JOB_AGAIN_US);
    return ok;
}

/* *waits: it went back to the queue. */
static bool do_it(const struct here *here, struct store *s, const struct job_row *row, bool *waits, struct err *e)
{
    struct doing d = {.kind = job_kind_find(row->kind), .progress = STR_INIT(PROGRESS_MAX), .result = STR_INIT(JOB_RESULT_MAX)};
    struct job_end end;
    pthread_t thread;
    d.job = (struct job){.options = here->options, .row = row, .arena = &d.arena, .stop = &d.stop, .progress = take_progress};
    pthread_mutex_init(&d.lock, NULL);
    bool ok = pthread_create(&thread, NULL, work, &d) == 0 || err_set(e, ERR_IO, "cannot start a thread");
    if (ok) {
        watch(here, s, &d);
        pthread_join(thread, NULL);
        job_end(&d.job, d.good, true, &d.result, &d.error, &end);
        ok = note(here, s, row, &end, e);
        *waits = ok && end.state == JOB_QUEUED;
    }
    pthread_mutex_destroy(&d.lock);
    str_free(&d.progress);
    str_free(&d.result);
    arena_free(&d.arena);
    return ok;
}

/* A server does it. */
static bool wait_for(const struct here *here, struct store *s, struct slice id, struct err *e)
{
    struct arena a = {0};
    struct job_row row;
    bool ok, ended = false;
    for (ok = true; ok && !ended; nap()) {
        arena_reset(&a);
        ok = !atomic_load(here->stop) || err_set(e, ERR_CANCELLED, "a server goes on with job %.*s; telltale judge cancel %.*s ends it",
                                                 SLICE_ARG(id), SLICE_ARG(id));
        ok = ok && store_job(s, id, &a, &row, e);
        if (ok)
            here->show(here->ctx, row.progress);
        ended = ok && row.state != JOB_QUEUED && row.state != JOB_RUNNING;
    }
    arena_free(&a);
    return ok;
}

bool job_here(const struct here *here, struct store *s, struct slice id, struct arena *a, struct job_row *out, bool *ours, struct err *e)
{
    struct job_row row;
    for (bool waits = true; waits;) {
        waits = false;
        if (!store_job_claim_id(s, id, JOB_LEASE_S, a, &row, ours, e) || !(*ours ? do_it(here, s, &row, &waits, e) : wait_for(here, s, id, e)))
            return false;
        if (waits)
            pause_until(here, clock_monotonic_us() + JOB_AGAIN_US);
        if (waits && atomic_load(here->stop) && store_job_cancel(s, id, NULL))
            break;
    }
    return store_job(s, id, a, out, e);
}
