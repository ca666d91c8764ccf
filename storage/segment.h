/* Private to the index of 4-grams: a segment of it, in memory and in the database.
 *
 * A segment is an inverted list: for each hash of a 4-gram, the blocks that have one, by their place in the segment's list of
 * blocks. */
#ifndef STORAGE_SEGMENT_H
#define STORAGE_SEGMENT_H

#include "storage/inside.h"
#include "text/literal.h"

enum { SEGMENT_BLOCKS = 4096 };

struct segment {
    uint32_t n;                     /* blocks; at most SEGMENT_BLOCKS */
    int64_t *blocks;                /* ascending */
    unsigned char *bytes;           /* the entries of all hashes, one after the other: entry h from at[h] to at[h + 1] */
    size_t len, cap;
    uint32_t at[GRAM_BUCKETS + 1];
};

/* With room for n blocks. */
struct segment *segment_new(uint32_t n);
void segment_free(struct segment *seg);
/* Hashes are put in ascending order, each once, and then GRAM_BUCKETS to end it. `places` ascend; there may be none. */
void segment_put(struct segment *seg, uint32_t hash, const uint16_t *places, size_t n);
/* `places` has room for SEGMENT_BLOCKS. */
bool segment_get(const struct segment *seg, uint32_t hash, uint16_t *places, size_t *n, struct err *e);

/* `id`: of one that was deleted, whose place it takes; 0: it is the newest. */
bool segment_write(struct store *s, const struct segment *seg, int64_t id, struct err *e);
bool segment_read(struct store *s, int64_t id, struct segment **out, struct err *e);
bool segment_delete(struct store *s, int64_t id, struct err *e);

/* ---- asking a segment in the database, without reading all of it ------------------------------------------------------ */

struct segment_head {
    int64_t id;
    uint32_t n;
    unsigned part_bits;
    int64_t blocks[SEGMENT_BLOCKS];
};
/* The columns of a statement that begins with SEGMENT_HEAD. */
#define SEGMENT_HEAD "SELECT id, n, part_bits, blocks FROM gram_segment"
bool segment_head_take(struct stmt *q, struct segment_head *out, struct err *e);
/* As segment_get. */
bool segment_ask(struct store *s, const struct segment_head *head, uint32_t hash, uint16_t *places, size_t *n, struct err *e);

#endif
