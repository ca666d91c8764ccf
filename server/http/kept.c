#include "http/kept.h"

#include <pthread.h>

enum { KEPT = 16, KEPT_BYTES = 1 << 20 };

static struct {
    pthread_mutex_t lock;
    struct item {
        const struct server *server;
        int64_t version;
        uint64_t used;
        struct slice collection, body;
        struct arena a; /* of both */
    } items[KEPT];
    uint64_t clock;
} kept = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct item *find(const struct server *server, struct slice collection)
{
    for (size_t i = 0; i < KEPT; i++)
        if (kept.items[i].server == server && slice_eq(kept.items[i].collection, collection))
            return &kept.items[i];
    return NULL;
}

bool kept_take(const struct server *server, struct slice collection, int64_t version, struct str *out)
{
    pthread_mutex_lock(&kept.lock);
    struct item *item = find(server, collection);
    bool there = item && item->version == version;
    if (there) {
        item->used = ++kept.clock;
        str_add_slice(out, item->body);
    }
    pthread_mutex_unlock(&kept.lock);
    return there;
}

void kept_put(const struct server *server, struct slice collection, int64_t version, struct slice body)
{
    if (body.len > KEPT_BYTES)
        return;
    pthread_mutex_lock(&kept.lock);
    struct item *item = find(server, collection);
    for (size_t i = 0; !item && i < KEPT; i++)
        if (!kept.items[i].server)
            item = &kept.items[i];
    if (!item) {
        item = &kept.items[0];
        for (size_t i = 1; i < KEPT; i++)
            if (kept.items[i].used < item->used)
                item = &kept.items[i];
    }
    arena_reset(&item->a);
    *item = (struct item){.server = server, .version = version, .used = ++kept.clock, .a = item->a};
    item->collection = arena_dup(&item->a, collection);
    item->body = arena_dup(&item->a, body);
    pthread_mutex_unlock(&kept.lock);
}
