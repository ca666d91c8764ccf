/* The same work on several threads, and waiting by a clock that nobody sets. */
#ifndef BASE_THREADS_H
#define BASE_THREADS_H

#include "base/err.h"

#include <pthread.h>
#include <stdint.h>

/* Calls run(ctx, i, …) for each i in [0, n) at the same time, i = 0 on the calling thread, and waits for all. Where the system
 * refuses a thread the others go without it: `run` must take its work from a shared list. False with the error of
 * the lowest i that failed. */
bool threads_run(int n, bool (*run)(void *ctx, int i, struct err *e), void *ctx, struct err *e);

/* `wanted`, or for 0 one a processor; between 1 and 16. */
int threads_count(int wanted);

/* Waits for the end of a thread until clock_monotonic_us() is `deadline_us` (INT64_MAX: as long as it takes); false: it still runs. */
bool thread_join_until(pthread_t thread, int64_t deadline_us);

/* A condition for cond_wait_until; pthread_cond_destroy() ends it. */
void cond_init(pthread_cond_t *cond);
/* With the lock held, as pthread_cond_wait; false: clock_monotonic_us() is `until_us`. */
bool cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t until_us);

#endif
