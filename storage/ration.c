#include "storage/ration.h"

#include "base/clock.h"

#include <pthread.h>
#include <sqlite3.h>

enum { CALLS_PER_CLOCK = 64 };

static sqlite3_mem_methods below; /* SQLite's own */
static _Thread_local struct ration *current;

/* May `bytes` more be taken? */
static bool grant(int64_t bytes)
{
    struct ration *r = current;
    if (!r)
        return true;
    if (++r->calls % CALLS_PER_CLOCK == 0 && clock_monotonic_us() >= r->deadline_us)
        r->out_of_time = true;
    if (bytes > r->bytes)
        r->out_of_memory = true;
    return !r->out_of_time && !r->out_of_memory;
}

static void account(int64_t bytes)
{
    if (current)
        current->bytes -= bytes;
}

static void *ration_malloc(int n)
{
    void *p = grant(n) ? below.xMalloc(n) : NULL;
    if (p && current)
        account(below.xSize(p));
    return p;
}

static void ration_free(void *p)
{
    if (p && current)
        account(-below.xSize(p));
    below.xFree(p);
}

static void *ration_realloc(void *p, int n)
{
    int before = current ? below.xSize(p) : 0;
    void *q = grant(n - before) ? below.xRealloc(p, n) : NULL;
    if (q && current)
        account(below.xSize(q) - before);
    return q;
}

static void install(void)
{
    sqlite3_config(SQLITE_CONFIG_GETMALLOC, &below);
    sqlite3_mem_methods ours = below;
    ours.xMalloc = ration_malloc;
    ours.xFree = ration_free;
    ours.xRealloc = ration_realloc;
    sqlite3_config(SQLITE_CONFIG_MALLOC, &ours);
}

void ration_install(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, install);
}

void ration_begin(struct ration *r) { current = r; }
void ration_end(void) { current = NULL; }
bool ration_active(void) { return current != NULL; }
