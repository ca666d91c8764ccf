/* Where in a text stand 4-grams of a set: plain C, and AVX2 where the processor has it, with the same results. */
#ifndef TEXT_GRAMSCAN_H
#define TEXT_GRAMSCAN_H

#include "text/literal.h"

#include <stdbool.h>

/* A set of 4-grams by their hashes: small enough for a processor's first cache, as every byte of a text is looked up in it. */
struct gramset {
    uint32_t bits[GRAM_BUCKETS / 32];
};
/* The highest bit of a word is the lowest hash, so that a shift to the left by the hash brings it to the top. */
static inline void gramset_add(struct gramset *set, uint32_t hash) { set->bits[hash >> 5] |= UINT32_C(0x80000000) >> (hash & 31); }
static inline bool gramset_has(const struct gramset *set, uint32_t hash) { return set->bits[hash >> 5] << (hash & 31) >> 31; }

enum { GRAMSCAN_BYTES = 4096 }; /* of text at a time at most */

struct gramscan {
    const char *name;
    bool (*usable)(void); /* does this processor have the instructions? */
    /* Writes the places below GRAMSCAN_BYTES in text[len] at which a 4-gram begins that may be in the set (its hash is), in order;
     * returns how many. Nothing outside the text is read. */
    size_t (*find)(const struct gramset *set, const char *text, size_t len, uint16_t places[GRAMSCAN_BYTES]);
};

extern const struct gramscan gramscans[]; /* the fastest last; the first is plain C */
extern const size_t gramscan_count;

/* The fastest usable row. Thread-safe. */
const struct gramscan *gramscan_best(void);

#endif
