/* What a test may take is said in time of its thread's processor: a busy machine must not fail it. */
#ifndef UNIT_CPU_H
#define UNIT_CPU_H

#include <stdint.h>
#include <time.h>

/* What a sanitizer costs. */
#if defined(__SANITIZE_THREAD__)
enum { COST = 10 };
#elif defined(__SANITIZE_ADDRESS__)
enum { COST = 4 };
#else
enum { COST = 1 };
#endif

/* Microseconds that this thread has had a processor, as without a sanitizer. */
static inline int64_t cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return ((int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000) / COST;
}

#endif
