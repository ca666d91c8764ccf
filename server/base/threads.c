#include "base/threads.h"

#include "base/clock.h"

#include <time.h>
#include <unistd.h>

enum { THREADS_MAX = 16 };

struct thread {
    pthread_t id;
    bool (*run)(void *ctx, int i, struct err *e);
    void *ctx;
    int i;
    bool ok;
    struct err err;
};

static void *start(void *arg)
{
    struct thread *t = arg;
    t->ok = t->run(t->ctx, t->i, &t->err);
    return NULL;
}

bool threads_run(int n, bool (*run)(void *ctx, int i, struct err *e), void *ctx, struct err *e)
{
    struct thread threads[THREADS_MAX];
    if (n > THREADS_MAX)
        n = THREADS_MAX;
    for (int i = 0; i < n; i++)
        threads[i] = (struct thread){.run = run, .ctx = ctx, .i = i};
    int started = 1;
    while (started < n && pthread_create(&threads[started].id, NULL, start, &threads[started]) == 0)
        started++;
    start(&threads[0]);
    for (int i = 1; i < started; i++)
        pthread_join(threads[i].id, NULL);
    for (int i = 0; i < started; i++)
        if (!threads[i].ok) {
            if (e)
                *e = threads[i].err;
            return false;
        }
    return true;
}

int threads_count(int wanted)
{
    long n = wanted > 0 ? wanted : sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > THREADS_MAX ? THREADS_MAX : (int)n;
}

#ifdef __SANITIZE_THREAD__
/* What the sanitizer is to say nothing of: the C library does this under a lock of its own, which is unknown to it. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void) { return "race:tzset_internal\n"; }
#endif

static struct timespec time_of(int64_t us) { return (struct timespec){.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000}; }

bool thread_join_until(pthread_t thread, int64_t deadline_us)
{
    if (deadline_us == INT64_MAX)
        return pthread_join(thread, NULL) == 0;
#ifdef __SANITIZE_THREAD__ /* which knows no pthread_clockjoin_np: to it such a thread is never joined, and races with what comes after */
    const struct timespec at = time_of(clock_now_us() + deadline_us - clock_monotonic_us());
    return pthread_timedjoin_np(thread, NULL, &at) == 0;
#else
    const struct timespec at = time_of(deadline_us);
    return pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &at) == 0;
#endif
}

void cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

bool cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t until_us)
{
    const struct timespec at = time_of(until_us);
    return pthread_cond_timedwait(cond, lock, &at) == 0;
}
