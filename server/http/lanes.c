#include "http/lanes.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/threads.h"
#include "http/access.h"

#include <pthread.h>
#include <stdlib.h>

/* Threads of a lane, all but one of which an actor may have, and how many errands may wait for them, half of them of one actor. */
static const struct {
    int threads;
    size_t queue;
} lane_sizes[LANES] = {[LANE_READ] = {5, 512}, [LANE_WRITE] = {3, 256}, [LANE_LONG] = {3, 256}, [LANE_CALL] = {3, 16}};
enum { MOST_THREADS = 14, PARKED_MOST = 512, LOOK_US = 2000000 };

struct queue { /* by rounds: in each of them an actor has one errand */
    struct errand *first;
    size_t n;
    uint64_t round; /* that goes on */
    pthread_cond_t filled;
};

struct worker {
    struct lanes *lanes;
    enum lane lane;
    struct store *store;
    pthread_t thread;
    uint64_t actor; /* whom it serves; 0: nobody */
};

struct lanes {
    pthread_mutex_t lock; /* all below */
    struct queue queues[LANES];
    struct errand *parked;
    size_t nparked;
    uint64_t wakes; /* how often lanes_wake was called for a job: an errand that missed one is asked again, not parked */
    bool draining, ending;
    struct worker workers[MOST_THREADS];
    int nworkers;
};

void errand_run(struct errand *errand)
{
    struct request *r = &errand->request;
    struct answer *a = &errand->answer;
    struct err e = {0};
    bool ok = request_read_body(r, &e);
    if (ok && r->store)
        access_act(r);
    ok = ok && r->route->handle(r, a, &e);
    if (r->store)
        access_acted(r);
    if (ok && a->body.full)
        ok = err_set(&e, ERR_TOO_LARGE, "the answer is over %zu bytes; ask for less at a time", ANSWER_MAX);
    if (!ok) {
        answer_problem(a, r, 0, &e);
        if (a->status >= 500)
            log_fields(LOG_ERROR, "request failed", log_str("id", r->id), log_str("method", r->method), log_str("route", slice_str(r->route->path)),
                       log_str("error", slice_str(e.text)));
    } else if (!a->status) {
        a->status = r->route->status;
    }
}

/* How many threads of the lane work for that actor. */
static int working(const struct lanes *lanes, int lane, uint64_t actor)
{
    int n = 0;
    for (int i = 0; i < lanes->nworkers; i++)
        n += (int)lanes->workers[i].lane == lane && lanes->workers[i].actor == actor;
    return n;
}

/* Who has much running or waiting comes behind who has little. */
static void push(struct lanes *lanes, struct errand *errand)
{
    struct queue *q = &lanes->queues[errand->request.lane];
    struct errand **link = &q->first;
    errand->round = q->round + (uint64_t)working(lanes, errand->request.lane, errand->actor);
    for (const struct errand *other = q->first; other; other = other->next)
        if (other->actor == errand->actor && other->round >= errand->round)
            errand->round = other->round + 1;
    while (*link && (*link)->round <= errand->round)
        link = &(*link)->next;
    errand->next = *link;
    *link = errand;
    q->n++;
    pthread_cond_signal(&q->filled);
}

/* No actor has all threads of a lane, even while nobody else is there: who comes next finds one. */
static bool may_run(const struct lanes *lanes, enum lane lane, const struct errand *errand)
{
    return working(lanes, lane, errand->actor) < lane_sizes[lane].threads - 1 || lanes->ending;
}

/* NULL: there is none that may run. */
static struct errand *take(struct lanes *lanes, enum lane lane)
{
    struct queue *q = &lanes->queues[lane];
    struct errand **link = &q->first, *errand;
    while ((errand = *link) && !may_run(lanes, lane, errand))
        link = &errand->next;
    if (!errand)
        return NULL;
    *link = errand->next;
    q->n--;
    if (errand->round > q->round)
        q->round = errand->round;
    return errand;
}

static uint64_t wakes_now(struct lanes *lanes)
{
    pthread_mutex_lock(&lanes->lock);
    uint64_t wakes = lanes->wakes;
    pthread_mutex_unlock(&lanes->lock);
    return wakes;
}

/* False: there is no room or no time to wait. */
static bool park(struct lanes *lanes, struct errand *errand, uint64_t wakes)
{
    pthread_mutex_lock(&lanes->lock);
    bool may = !lanes->draining && lanes->nparked < PARKED_MOST;
    if (may && wakes != lanes->wakes) {
        push(lanes, errand);
    } else if (may) {
        errand->parked_at = clock_monotonic_us();
        errand->next = lanes->parked;
        lanes->parked = errand;
        lanes->nparked++;
    }
    pthread_mutex_unlock(&lanes->lock);
    return may;
}

static void serve(struct worker *w, struct errand *errand)
{
    struct answer *a = &errand->answer;
    uint64_t wakes = wakes_now(w->lanes);
    errand->request.store = w->store;
    a->park = false;
    store_break_off(w->store, w->lane == LANE_LONG ? errand->request.gone : NULL);
    errand_run(errand);
    store_break_off(w->store, NULL);
    if (a->park) {
        if (park(w->lanes, errand, wakes))
            return;
        a->park = false;
        errand->request.wait_until = 1; /* long past: the handler says what there is to say now */
        errand_run(errand);
    }
    errand->done(errand);
}

static void *work(void *arg)
{
    struct worker *w = arg;
    struct lanes *lanes = w->lanes;
    struct queue *q = &lanes->queues[w->lane];
    pthread_mutex_lock(&lanes->lock);
    for (;;) {
        struct errand *errand;
        while (!(errand = take(lanes, w->lane)) && !lanes->ending)
            pthread_cond_wait(&q->filled, &lanes->lock);
        if (!errand)
            break;
        w->actor = errand->actor;
        pthread_mutex_unlock(&lanes->lock);
        serve(w, errand);
        pthread_mutex_lock(&lanes->lock);
        w->actor = 0;
    }
    pthread_mutex_unlock(&lanes->lock);
    return NULL;
}

static bool add_worker(struct lanes *lanes, const char *db, enum lane lane, struct err *e)
{
    struct worker *w = &lanes->workers[lanes->nworkers];
    *w = (struct worker){.lanes = lanes, .lane = lane};
    if (!store_open(db, STORE_WRITE, &w->store, e))
        return false;
    if (pthread_create(&w->thread, NULL, work, w) != 0) {
        store_close(w->store);
        return err_set(e, ERR_IO, "cannot start a thread");
    }
    lanes->nworkers++;
    return true;
}

bool lanes_start(const char *db, struct lanes **out, struct err *e)
{
    struct lanes *lanes = calloc(1, sizeof *lanes);
    if (!lanes)
        return err_set(e, ERR_IO, "out of memory");
    pthread_mutex_init(&lanes->lock, NULL);
    for (int lane = 0; lane < LANES; lane++)
        pthread_cond_init(&lanes->queues[lane].filled, NULL);
    bool ok = true;
    for (int lane = 0; lane < LANES; lane++)
        for (int i = 0; ok && i < lane_sizes[lane].threads; i++)
            ok = add_worker(lanes, db, (enum lane)lane, e);
    if (ok) {
        *out = lanes;
    } else {
        lanes_stop(lanes, INT64_MAX);
        lanes_free(lanes);
    }
    return ok;
}

bool lanes_submit(struct lanes *lanes, struct errand *errand, struct err *e)
{
    int lane = errand->request.lane;
    const struct queue *q = &lanes->queues[lane];
    size_t own = 0;
    pthread_mutex_lock(&lanes->lock);
    bool room = q->n < lane_sizes[lane].queue && !lanes->ending;
    for (const struct errand *other = q->first; other; other = other->next)
        own += other->actor == errand->actor;
    bool share = own < lane_sizes[lane].queue / 2;
    if (room && share)
        push(lanes, errand);
    pthread_mutex_unlock(&lanes->lock);
    if (!room)
        return err_set(e, ERR_BUSY, "too many requests at one time");
    return share || err_set(e, ERR_TOO_MANY, "%zu requests of yours wait already; try again when some of them are answered", own);
}

void lanes_wake(struct lanes *lanes, struct slice job)
{
    int64_t now = clock_monotonic_us();
    pthread_mutex_lock(&lanes->lock);
    lanes->wakes += job.ptr != NULL;
    for (struct errand **link = &lanes->parked, *errand; (errand = *link);) {
        bool due = lanes->draining || now >= errand->request.wait_until || now - errand->parked_at > LOOK_US ||
                   (job.ptr && slice_eq(errand->request.job, job));
        if (!due) {
            link = &errand->next;
            continue;
        }
        *link = errand->next;
        lanes->nparked--;
        push(lanes, errand);
    }
    pthread_mutex_unlock(&lanes->lock);
}

void lanes_drain(struct lanes *lanes)
{
    pthread_mutex_lock(&lanes->lock);
    lanes->draining = true;
    pthread_mutex_unlock(&lanes->lock);
    lanes_wake(lanes, SLICE_NONE);
}

bool lanes_stop(struct lanes *lanes, int64_t deadline_us)
{
    bool all = true;
    pthread_mutex_lock(&lanes->lock);
    lanes->ending = true;
    for (int lane = 0; lane < LANES; lane++)
        pthread_cond_broadcast(&lanes->queues[lane].filled);
    pthread_mutex_unlock(&lanes->lock);
    for (int i = 0; i < lanes->nworkers; i++)
        if (!thread_join_until(lanes->workers[i].thread, deadline_us))
            all = false;
    return all;
}

void lanes_free(struct lanes *lanes)
{
    for (int i = 0; i < lanes->nworkers; i++)
        store_close(lanes->workers[i].store);
    for (int lane = 0; lane < LANES; lane++)
        pthread_cond_destroy(&lanes->queues[lane].filled);
    pthread_mutex_destroy(&lanes->lock);
    free(lanes);
}
