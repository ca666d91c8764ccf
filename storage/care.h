/* The database as a thing that fills a disk: what it takes, what may go, what still fits. */
#ifndef STORAGE_CARE_H
#define STORAGE_CARE_H

#include "storage/store.h"

struct store_sizes {
    int64_t bytes, free_bytes;   /* of the file; of them in pages that hold nothing */
    int64_t collections, runs;
};
bool store_sizes(struct store *s, struct store_sizes *out, struct err *e);

/* Jobs that have not ended, by kind: how many wait and run, and for how long the oldest has waited (microseconds, 0: none waits). */
struct queue_row { struct slice kind; int64_t queued, running, oldest_us; };
struct queue_rows { struct queue_row *items; size_t n; };
bool store_queue(struct store *s, struct arena *a, struct queue_rows *out, struct err *e);

#endif
