/* What a server may use of the disk, and what it does about it now and then. */
#ifndef JOBS_ROOM_H
#define JOBS_ROOM_H

#include "jobs/spool.h"
#include "storage/store.h"

#include <stdatomic.h>

/* When runs that are past their time are looked for: some time after the start, then every hour. */
#define PRUNE_FIRST_US INT64_C(60000000)
#define PRUNE_EVERY_US INT64_C(3600000000)

/* What may change while a server runs; any thread. 0: no limit. */
struct limits {
    atomic_llong keep_age_us, keep_bytes; /* of struct keep */
    atomic_llong database_bytes;          /* that the database and what waits for it may use */
    atomic_bool full;                     /* they use as much: room_look says so, and whoever takes runs in looks at it */
};

/* Adds a job that prunes, where anything says how long runs are kept. What goes wrong is logged. */
void room_prune(struct store *s, const struct limits *limits);
/* Deletes some of what a server gathers in years (store_tidy), with the bytes of uploads that failed; *more: there are more. */
bool room_tidy(struct store *s, const struct spool *spool, bool *more, struct err *e);
/* Is there room for more? */
void room_look(struct store *s, const struct spool *spool, struct limits *limits);

#endif
