/* One owner for everything that lives as long as a run or a request: allocate freely, free once. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/slice.h"

#include <stddef.h>
#include <stdint.h>

struct arena_chunk;

/* Zero-initialise to use. Not thread-safe: an arena belongs to one thread at a time. */
struct arena {
    struct arena_chunk *chunk; /* newest first */
    size_t used, size;         /* of the newest chunk */
    size_t total;              /* bytes in all chunks */
};

/* Bytes aligned for any type, not zeroed. Out of memory ends the program: jobs are durable and restart. */
void *arena_alloc(struct arena *a, size_t size);
/* The same, zeroed; n * size is checked for overflow. */
void *arena_zalloc(struct arena *a, size_t n, size_t size);
#define arena_new(a, type) ((type *)arena_zalloc((a), 1, sizeof(type)))
#define arena_array(a, type, n) ((type *)arena_zalloc((a), (n), sizeof(type)))
/* A copy, with a NUL after it that does not count. */
struct slice arena_dup(struct arena *a, struct slice s);
/* The copy as a C string (ends early where the slice holds a NUL). */
char *arena_strdup(struct arena *a, struct slice s);
struct slice arena_printf(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Grows an array that lives in the arena so that one more fits: doubles *cap when n == *cap, copying what there is.
 * Usage: v = arena_grow(a, v, n, &cap, sizeof *v); v[n++] = …; */
void *arena_grow(struct arena *a, void *array, size_t n, size_t *cap, size_t size);
/* Moves everything that `from` owns into `a`, where it stays as it is; `from` is empty then. */
void arena_join(struct arena *a, struct arena *from);
/* Forgets everything but keeps the largest chunk for the next use. */
void arena_reset(struct arena *a);
void arena_free(struct arena *a);
/* Overwrites everything first: it held a secret. */
void arena_wipe(struct arena *a);

#endif
