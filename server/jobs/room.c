#include "jobs/room.h"

#include "base/log.h"
#include "storage/care.h"

void room_prune(struct store *s, const struct limits *limits)
{
    struct err e = {0};
    if (!store_prune_queue(s, atomic_load(&limits->keep_age_us) || atomic_load(&limits->keep_bytes), &e))
        log_warn("cannot look for runs that are past their time: %s", e.text);
}

bool room_tidy(struct store *s, const struct spool *spool, bool *more, struct err *e)
{
    struct arena a = {0};
    struct slices uploads = {0};
    bool ok = store_tidy(s, &a, &uploads, more, e);
    for (size_t i = 0; i < uploads.n && ok; i++)
        spool_remove(spool, arena_strdup(&a, uploads.items[i]));
    arena_free(&a);
    return ok;
}

static void add_bytes(void *ctx, const char *id, uint64_t bytes)
{
    (void)id;
    *(uint64_t *)ctx += bytes;
}

void room_look(struct store *s, const struct spool *spool, struct limits *limits)
{
    int64_t most = atomic_load(&limits->database_bytes);
    struct store_sizes sizes;
    uint64_t waiting = 0;
    if (most && (!store_sizes(s, &sizes, NULL) || !spool_each(spool, add_bytes, &waiting, NULL)))
        return;
    bool full = most && sizes.bytes - sizes.free_bytes + (int64_t)waiting >= most;
    if (full == atomic_exchange(&limits->full, full))
        return;
    if (full)
        log_warn("the database has reached --max-db: nothing more is taken in until runs go");
    else
        log_info("the database is under --max-db again");
}
