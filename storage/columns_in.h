/* Private to columns*.c. */
#ifndef STORAGE_COLUMNS_IN_H
#define STORAGE_COLUMNS_IN_H

#include "storage/columns.h"

#include <pthread.h>

/* What columns hold: names of fields up to so many bytes, and of metadata objects in objects so deep. */
enum { FIELD_NAME_MAX = 800, METADATA_DEPTH = 4 };

/* What changes together is kept together, so that a tag or a review leaves all but its own part as it is. */
enum part_kind { PART_RUNS, PART_TAGS, PART_FOUND, PART_COUNT };

struct part {
    struct slice path, id;       /* of the database and the collection */
    enum part_kind kind;
    int64_t runs_version, version; /* of the collection's runs, whose places it has; of what it holds */
    int users;                   /* these three under the lock of the registry */
    uint64_t used;
    bool dropped;                /* goes with its last user */
    struct part *next;

    pthread_mutex_t lock;        /* of what follows, while it is read */
    struct arena a;
    struct column **items;
    size_t nitems, cap;
    bool loaded;                 /* all of it, but for what PART_RUNS reads when it is asked for */
    int64_t *keys;               /* PART_RUNS: n of them */
    size_t n;
    bool has_scores, has_metadata;
    struct column none;          /* of a score or a key that no run has */
    bool more_scores, more_metadata; /* there are more than were read: these are read when they are asked for */
    struct found found;          /* PART_FOUND */
};

/* The parts as they are in one read transaction. */
struct columns {
    int64_t collection;
    struct part *parts[PART_COUNT];
    size_t n;
    const int64_t *keys;
    struct arena a;              /* of columns_all() */
};

struct column *columns_add(struct part *p, struct slice name);
struct column *columns_find(const struct part *p, struct slice name);

/* Each reads what it is about into its part. */
bool columns_load_runs(struct columns *c, struct store *s, struct err *e);
bool columns_load_tags(struct columns *c, struct store *s, struct err *e);
bool columns_load_found(struct columns *c, struct store *s, struct err *e);
/* "name" or "id": a word a run. */
bool columns_load_names(struct columns *c, struct store *s, struct slice name, struct err *e);
/* One score or key of metadata, or (absent) all. */
bool columns_load_scores(struct columns *c, struct store *s, struct slice key, struct err *e);
bool columns_load_metadata(struct columns *c, struct store *s, struct slice key, struct err *e);

#endif
