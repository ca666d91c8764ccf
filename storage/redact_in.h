/* Private to redaction in place. */
#ifndef STORAGE_REDACT_IN_H
#define STORAGE_REDACT_IN_H

#include "storage/inside.h"
#include "storage/redact.h"

struct redacting {
    struct store *store;
    const struct redact_wish *wish;
    struct redaction look, done;   /* what is only looked at; what is counted */
    struct arena arena;            /* of one run, or of a few values */
    struct redacted *out;
    char began[CLOCK_TEXT];
};

static inline bool redact_stopped(const struct redacting *x, struct err *e)
{
    return x->wish->stop && atomic_load(x->wish->stop) &&
           !err_set(e, ERR_CANCELLED, "stopped; what was redacted until now stays so, and the same again does the rest");
}

/* What could not be looked through (ERR_LIMIT) is counted and told of, and stays; anything else ends it all: false. `what` names it. */
bool redact_refused(const struct redacting *x, struct slice what, const struct err *why, struct err *e);
/* The pieces of which a collection's runs are built: before the runs, so that what is built of them as they were is among those. */
bool redact_pieces(struct redacting *x, int64_t collection, struct err *e);
/* The columns of other tables than those of runs, of a collection (key), or of no collection (0). */
bool redact_values(struct redacting *x, int64_t collection, struct err *e);
/* Texts with secrets that nobody says any more, in blocks that are there for others. */
bool redact_blocks(struct redacting *x, struct err *e);

#endif
