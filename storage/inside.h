/* Private: what the files of storage/ share. */
#ifndef STORAGE_INSIDE_H
#define STORAGE_INSIDE_H

#include "storage/db.h"
#include "storage/store.h"

struct blocks;

struct store {
    struct db *db;
    struct blocks *blocks;  /* blocks.h */
    char *spool;
};

/* Rows that belong to a run (or a finding) and come in an order have the key parent << CHILD_BITS | place. */
enum { CHILD_BITS = 26, CHILD_MAX = (1 << CHILD_BITS) - 1 };
static inline int64_t child_id(int64_t parent, int64_t place) { return parent << CHILD_BITS | place; }
static inline int64_t child_first(int64_t parent) { return child_id(parent, 0); }
static inline int64_t child_last(int64_t parent) { return child_id(parent, CHILD_MAX); }
static inline int64_t child_place(int64_t id) { return id & CHILD_MAX; }
static inline int64_t child_parent(int64_t id) { return id >> CHILD_BITS; }

#endif
