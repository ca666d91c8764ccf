/* The database as a thing that fills a disk: what it takes, what may go, what still fits. */
#ifndef STORAGE_CARE_H
#define STORAGE_CARE_H

#include "storage/store.h"

struct store_sizes {
    int64_t bytes, free_bytes;   /* of the file; of them in pages that hold nothing */
    int64_t collections, runs;
    bool fixed;                  /* its pages cannot move yet: to give room back it is written anew as a whole, once */
};
bool store_sizes(struct store *s, struct store_sizes *out, struct err *e);

/* Jobs that have not ended, by kind: how many wait and run, and for how long the oldest has waited (microseconds, 0: none waits). */
struct queue_row { struct slice kind; int64_t queued, running, oldest_us; };
struct queue_rows { struct queue_row *items; size_t n; };
bool store_queue(struct store *s, struct arena *a, struct queue_rows *out, struct err *e);

/* ---- retention --------------------------------------------------------------------------------------------------------- */

/* What stays: runs that were put in at most `age_us` ago, the newest `runs` of a collection, and of all so many that the database
 * uses at most `bytes`. 0: that does not matter. */
struct keep { int64_t age_us, runs, bytes; };
enum keep_of { KEEP_SERVER, KEEP_COLLECTION };
/* "90d", "12h", "5000runs" (a collection's), "100GB", "500MB" (a server's, 4MB or more), "forever". ERR_USAGE says what it
 * can be. */
bool keep_parse(struct slice text, enum keep_of of, struct keep *out, struct err *e);

/* The size that a database may have, as --max-db says it: "500MB", "100GB"; "forever": 0. ERR_USAGE. */
bool max_db_parse(struct slice text, int64_t *bytes, struct err *e);
/* ERR_FULL when what the database uses has reached `bytes`; 0: it may use all there is. */
bool store_has_room(struct store *s, int64_t bytes, struct err *e);

/* What a collection may have: "5000runs", "10GB" (of what its runs say and show, unpacked: collection_row.bytes), or both with a comma between; "none":
 * any number. Sets runs and bytes of `out`. ERR_USAGE says what it can be. */
struct quota;
bool quota_parse(struct slice text, struct quota *out, struct err *e);
/* Is it what a collection may have as its keep, and as its quota? Absent ones are. */
bool limits_parse(struct slice keep, struct slice quota, struct err *e);
/* ERR_QUOTA when the collection (id or name) has as much as its quota allows; ERR_NOT_FOUND. */
bool store_collection_has_room(struct store *s, struct slice collection, struct err *e);

struct pruned {
    uint64_t deleted;   /* in a dry run: that would go, without those that go for the database's size */
    uint64_t spared;    /* that are past their time and stay, as somebody works with them */
    int64_t over_bytes; /* that the database uses over keep.bytes, after all; what is spared can hold it there */
};
/* Deletes what is past its time, in each collection by its own `keep`, else by that of the server; the oldest first. A run stays that has a
 * label (or a finding of it has), a note, a tag that was given here, or evidence of a confirmed finding. `collection`: an id; absent:
 * all, and only then the size counts. In slices, so that other writers get their turn; *stop ends it between two (may be NULL), with
 * ERR_CANCELLED. */
struct prune_wish {
    struct keep keep;
    struct slice collection;
    bool dry_run;
    const atomic_bool *stop;
};
bool store_prune(struct store *s, const struct prune_wish *wish, struct pruned *out, struct err *e);
/* Adds a job of kind "prune", unless one waits or runs, or (`always` false) no collection has a `keep` of its own. */
bool store_prune_queue(struct store *s, bool always, struct err *e);

/* What a server that runs for years would gather: jobs that ended (JOB_DAYS ago, those of judges JUDGE_JOB_DAYS ago; `uploads` gets the ids of those whose
 * bytes may still wait in the spool), and rows of the log of changes (AUDIT_DAYS old). A few hundred in one transaction; *more: there are more. */
enum { JOB_DAYS = 90, JUDGE_JOB_DAYS = 365, AUDIT_DAYS = 730 };
bool store_tidy(struct store *s, struct arena *a, struct slices *uploads, bool *more, struct err *e);

/* Gives the room that deleting left back to the disk, at most `pages` pages of it in one transaction; *more: there is more to give. A
 * database of an older program is written anew as a whole first, which takes its size again on the disk for a while. */
bool store_vacuum(struct store *s, int64_t pages, bool *more, struct err *e);

#endif
