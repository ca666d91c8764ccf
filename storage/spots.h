/* Private: where what is sought stands in the texts of blocks. Looked for once, then remembered, since many runs share a block. */
#ifndef STORAGE_SPOTS_H
#define STORAGE_SPOTS_H

#include "storage/blocks.h"
#include "text/regex.h"

/* What is sought: patterns all of which match in a text that is a hit. A regular expression is one; of words each is one, and so is
 * what stands between double quotes; a quote that is followed by more than a blank ends nothing. The first is the longest. */
enum { TERMS_MAX = 32 };
struct terms {
    struct slice patterns[TERMS_MAX];
    size_t n;
    int flags;                   /* as regex_compile has them */
};
/* ERR_USAGE: there is nothing to search for, or too much. */
bool terms_parse(const struct search_query *q, struct terms *out, struct err *e);

/* The first match of the first term in a text. */
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
    struct regex *res[TERMS_MAX];
    size_t nres;
    struct regex_scratch *scratch;
    int64_t deadline_us;
    uint64_t cut;                /* texts on which the pattern did not come to its end */

    struct block_spots *table;   /* open addressing; block 0: free */
    size_t n, size;              /* a power of two */
    struct arena arena;
};

/* No look at a text goes far past `deadline_us`. ERR_USAGE: a pattern has an error. spots_end() in any case. */
bool spots_start(struct spots *x, struct store *s, const struct terms *terms, int64_t deadline_us, struct err *e);
void spots_end(struct spots *x);
/* In a read transaction. None for a block that is gone. *out lives until the next call. */
bool spots_in(struct spots *x, int64_t block, const struct block_spots **out, struct err *e);
/* In a text in which all terms match: the place whose line, as far as it is shown, holds most of them; of such places the first that
 * holds the longest term, else the first. *start and *end: the first match there. */
void spots_densest(const struct spots *x, struct slice text, uint32_t *start, uint32_t *end);
/* How many bytes of a line are shown from a match on. */
enum { SHOWN_BYTES = 300 };
/* NULL: the text does not match. */
const struct spot *spots_find(const struct block_spots *in, int64_t text);

#endif
