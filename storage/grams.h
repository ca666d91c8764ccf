/* Private: the index of 4-grams that search reads. Built in two steps, so that the work is done before the lock is taken. */
#ifndef STORAGE_GRAMS_H
#define STORAGE_GRAMS_H

#include "storage/inside.h"
#include "text/literal.h"

/* The grams of blocks that wait for their transaction. */
struct grams;

struct grams *grams_new(void);
void grams_free(struct grams *g);
/* Takes in the texts of a searchable block, outside the lock. `place`: its number among the blocks that wait. The texts are gone
 * after the call. */
void grams_add(struct grams *g, uint32_t place, const struct slice *texts, size_t n);
/* Bytes that g holds. */
size_t grams_bytes(const struct grams *g);
/* In the transaction that writes the blocks: place p has become block first_block + p. A block that turned out to be of use to
 * nobody is not written, and others go when their last run is deleted: what is not there is left out, here and whenever segments
 * are merged, and search passes over the rest. */
bool grams_write(struct store *s, const struct grams *g, int64_t first_block, struct err *e);
/* In a write transaction: the block, where the index has it, now says these texts. */
bool grams_reword(struct store *s, int64_t block, const struct slice *texts, size_t n, struct err *e);
/* Empties g: after the commit. */
void grams_reset(struct grams *g);

/* The blocks that may hold what a pattern needs, the newest first; some may be gone. `needs` has at least one clause. In a read
 * transaction. */
bool grams_candidates(struct store *s, const struct needs *needs, struct arena *a, int64_t **blocks, size_t *n, struct err *e);

#endif
