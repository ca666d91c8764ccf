/* Private: the words. Texts lie in blocks of at most 32 KB of neighbours, each block one zstd frame; a larger text has a block of its
 * own. Rows name a text by a number: block << TEXT_BITS | place in the block; 0 is the empty text, NULL (read as -1) none. A text
 * of at least KNOWN_MIN bytes is stored once, however many rows name it. */
#ifndef STORAGE_BLOCKS_H
#define STORAGE_BLOCKS_H

#include "storage/inside.h"

enum { TEXT_BITS = 16, BLOCK_BYTES = 32 << 10, KNOWN_MIN = 64 };
#define TEXT_MAX UINT32_C(0xfff00000) /* evidence counts bytes in 32 bits */
#define TEXT_NONE INT64_C(-1)
#define TEXT_EMPTY INT64_C(0)
static inline int64_t text_block(int64_t text) { return text >> TEXT_BITS; }
static inline size_t text_place(int64_t text) { return (size_t)(text & ((1 << TEXT_BITS) - 1)); }

/* ---- reading --------------------------------------------------------------------------------------------------------- */

/* A block, unpacked. */
struct block {
    int64_t id;
    size_t n;
    const struct slice *texts;  /* text number id << TEXT_BITS | i */
    size_t bytes;               /* of all texts */
};

/* Unpacks a block, or finds it among those unpacked last. *out lives until the next call that reads a text of this store.
 * ERR_NOT_FOUND: it was deleted with the last run that used it. */
bool block_read(struct store *s, int64_t id, const struct block **out, struct err *e);
/* A copy of a text; TEXT_NONE gives an absent slice. */
bool text_read(struct store *s, int64_t text, struct arena *a, struct slice *out, struct err *e);

/* In a write transaction: another row of the same texts in the block's place. By no hash is one of them known any more, so that no text that is
 * written later is taken for one that was there. */
bool block_replace(struct store *s, int64_t id, const struct slice *texts, size_t n, struct err *e);

/* ---- life ------------------------------------------------------------------------------------------------------------ */

struct blocks *blocks_new(void);
void blocks_free(struct blocks *b);
/* After a transaction that wrote blocks and failed: what was unpacked may be of blocks that never came to be. */
void blocks_forget(struct blocks *b);
/* What the SQL function text() does; `store` is the struct store. The words are borrowed, as those of block_read. */
bool blocks_text_function(void *store, int64_t text, struct slice *out, struct err *e);
/* In a write transaction: the run (run.n) uses no block any more. */
bool blocks_release(struct store *s, int64_t run, struct err *e);
/* At its end, when runs that come have said which they use: of the blocks that were released, those that no run uses go. */
bool blocks_sweep(struct store *s, struct err *e);

#endif
