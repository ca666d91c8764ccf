/* Private to columns*.c. */
#ifndef STORAGE_COLUMNS_IN_H
#define STORAGE_COLUMNS_IN_H

#include "storage/columns.h"

#include <pthread.h>

struct columns {
    struct slice path, id;       /* of the database and the collection */
    int64_t collection, version;
    int users;                   /* these three under the lock of the registry */
    uint64_t used;
    bool dropped;                /* goes with its last user */
    struct columns *next;

    pthread_mutex_t lock;        /* of what follows, while columns are read */
    struct arena a;
    size_t n;
    int64_t *keys;
    struct column **items;
    size_t nitems, cap;
    struct column none;          /* of a score or a key that no run has */
    struct found found;
    bool has_tags, has_found, has_scores, has_metadata;
};

struct column *columns_add(struct columns *c, struct slice name);
struct column *columns_find(const struct columns *c, struct slice name);

/* Each reads what it is about into columns. */
bool columns_load_runs(struct columns *c, struct store *s, struct err *e);
/* "name" or "id": a word a run. */
bool columns_load_names(struct columns *c, struct store *s, struct slice name, struct err *e);
bool columns_load_tags(struct columns *c, struct store *s, struct err *e);
bool columns_load_found(struct columns *c, struct store *s, struct err *e);
bool columns_load_scores(struct columns *c, struct store *s, struct err *e);
/* One key of metadata, or (absent) all. */
bool columns_load_metadata(struct columns *c, struct store *s, struct slice key, struct err *e);

#endif
