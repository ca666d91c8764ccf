/* Private: which run says which text where, a row of block_run for each block that a run uses. It is what search counts in, and
 * what keeps a block alive. */
#ifndef STORAGE_USES_H
#define STORAGE_USES_H

#include "storage/blocks.h"

enum text_part { TEXT_TEXT, TEXT_REASONING, TEXT_ERROR, TEXT_ARGUMENTS };

struct text_use {
    int64_t text;
    int64_t message;     /* its place among those of the run; -1: it is not a message that says the text */
    enum text_part part;
    int call;            /* position in the message, of TEXT_ARGUMENTS */
    enum role role;      /* of the message */
};

/* ---- writing: zero-initialise, add what a run uses in any order, write ----------------------------------------------------- */

struct uses {
    struct text_use *items;
    size_t n, cap;
};

/* TEXT_NONE and TEXT_EMPTY are in no block, and passed over. */
void uses_add(struct uses *u, const struct text_use *use);
/* The rows that they make, by block; `uses` is gone after the call. Sorts them. */
bool uses_rows(struct uses *u, bool (*row)(void *ctx, int64_t block, struct slice uses, struct err *e), void *ctx, struct err *e);
/* In a write transaction. */
bool uses_write(struct store *s, struct uses *u, int64_t run, struct err *e);
void uses_free(struct uses *u);

/* ---- reading -------------------------------------------------------------------------------------------------------------- */

struct uses_reader {
    const unsigned char *p, *end;
    struct text_use use; /* read last */
};

/* `bytes`: the column block_run.uses, which must stay while it is read. */
struct uses_reader uses_open(int64_t block, struct slice bytes);
/* The next use by a message, in the order of texts and messages; false after the last. */
bool uses_next(struct uses_reader *r, struct text_use *out);

#endif
