/* Private: where a pattern matches in the texts of blocks. Looked for once, then remembered, since many runs share a block. */
#ifndef STORAGE_SPOTS_H
#define STORAGE_SPOTS_H

#include "storage/blocks.h"
#include "text/regex.h"

/* The first match in a text. */
struct spot {
    uint16_t text;               /* its place in the block */
    uint32_t start, end;
};

struct block_spots {
    int64_t block;
    uint32_t n;
    const struct spot *items;    /* by text */
};

struct spots {
    struct store *store;
    struct regex *re;
    struct regex_scratch *scratch;
    int64_t deadline_us;
    uint64_t cut;                /* texts on which the pattern did not come to its end */

    struct block_spots *table;   /* open addressing; block 0: free */
    size_t n, size;              /* a power of two */
    struct arena arena;
};

/* `flags` as regex_compile has them. No look at a text goes far past `deadline_us`. ERR_USAGE: the pattern has an error. */
bool spots_start(struct spots *x, struct store *s, struct slice pattern, int flags, int64_t deadline_us, struct err *e);
void spots_end(struct spots *x);
/* In a read transaction. None for a block that is gone. *out lives until the next call. */
bool spots_in(struct spots *x, int64_t block, const struct block_spots **out, struct err *e);
/* NULL: the text does not match. */
const struct spot *spots_find(const struct block_spots *in, int64_t text);

#endif
