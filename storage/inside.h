/* Private: what the files of storage/ share. */
#ifndef STORAGE_INSIDE_H
#define STORAGE_INSIDE_H

#include "base/clock.h"
#include "base/hash.h"
#include "storage/db.h"
#include "storage/store.h"

struct blocks;
struct query;
struct exceptions;
struct actor;

struct store {
    struct db *db;
    struct blocks *blocks;  /* blocks.h */
    struct query *query;    /* query.c; NULL until SQL was asked for */
    struct exceptions *exceptions; /* exceptions.c; NULL until a finding was written */
    char *spool;
    const atomic_bool *stop; /* store_break_off() */
    const struct actor *actor; /* store_act_as(); NULL: nobody in particular */
    bool logged;            /* what the actor does, in this action */
    bool logging;           /* the row is of the transaction that goes on */
    int64_t log_row;        /* its key; 0: none, or somebody else's */
};

/* Nobody wants any more what is read. */
static inline bool store_unwanted(const struct store *s) { return s->stop && atomic_load_explicit(s->stop, memory_order_relaxed); }
/* Is it time to end a search? */
static inline bool store_late(const struct store *s, int64_t deadline_us)
{
    return store_unwanted(s) || clock_monotonic_us() >= deadline_us;
}

/* Rows that belong to a run (or a finding) and come in an order have the key parent << CHILD_BITS | place. */
enum { CHILD_BITS = 26, CHILD_MAX = (1 << CHILD_BITS) - 1 };
static inline int64_t child_id(int64_t parent, int64_t place) { return parent << CHILD_BITS | place; }
static inline int64_t child_first(int64_t parent) { return child_id(parent, 0); }
static inline int64_t child_last(int64_t parent) { return child_id(parent, CHILD_MAX); }
static inline int64_t child_place(int64_t id) { return id & CHILD_MAX; }

/* Rows of a page where it does not say, and at most. */
enum { PAGE_DEFAULT = 50, PAGE_MAX = 1000 };

/* For columns that are never NULL. */
static inline struct slice not_null(struct slice s) { return s.ptr ? s : slice_of("", 0); }

/* Whoever acts on the store sees some collections only; and this one (by key). In SQL it is mine(KEY), NULL for others. What is not theirs is
 * "not found" in the words for what is not there: every function that finds a row by what users call it asks here. */
bool store_is_bound(const struct store *s);
bool store_sees(const struct store *s, int64_t collection);
/* A row of the log for this part of the change that goes on, in place of that for all of it: where somebody acts on the store (store_act_as). *row
 * (its key) 0: a new one; else that one is given another detail. */
bool store_log(struct store *s, struct slice target, struct slice detail, int64_t *row, struct err *e);
/* In a write transaction: the row that the changes of this store have left says what came of them. Where they have left none, nothing. */
bool store_log_outcome(struct store *s, struct slice detail, struct err *e);
/* Called where the store is opened: the function, and the log. */
bool access_install(struct store *s, struct err *e);

/* What SQL that users write needs (query.c). NULL: nothing. */
void query_free(struct query *query);

/* The key of a collection, by id or name. ERR_NOT_FOUND. */
bool collection_find(struct store *s, struct slice id_or_name, int64_t *n, struct err *e);
/* A collection's row, by key. */
bool collection_load(struct store *s, int64_t n, struct arena *a, struct collection_row *out, struct err *e);
/* What a collection's quota allows (0: any number) and leaves room for (INT64_MAX), in a transaction. */
struct quota { int64_t runs, room, bytes, bytes_room; };
static inline bool quota_has_room(const struct quota *q) { return q->room > 0 && q->bytes_room > 0; }
bool quota_look(struct store *s, int64_t collection, struct quota *out, struct err *e);
/* ERR_QUOTA in words. Returns false. */
bool quota_reached(const struct quota *quota, struct err *e);
/* The key of a run, by id. ERR_NOT_FOUND. */
bool run_find(struct store *s, struct slice id, int64_t *n, struct err *e);
/* The bytes of an image that were put into a collection, in the write transaction: what shows it to who sees that collection. */
bool blob_write(struct store *s, int64_t collection, const unsigned char sha256[SHA256_SIZE], struct slice media_type, struct slice bytes, struct err *e);
/* The key of a task of a collection; 0: there is none. */
bool task_find(struct store *s, int64_t collection, struct slice task_id, int64_t *n, struct err *e);
/* The same in the write transaction: made where it is missing. 0 for an absent or empty id. */
bool task_find_or_add(struct store *s, int64_t collection, struct slice task_id, int64_t *n, struct err *e);

#endif
