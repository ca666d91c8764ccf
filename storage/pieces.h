/* Private: what jobs.c asks of pieces.c. */
#ifndef STORAGE_PIECES_H
#define STORAGE_PIECES_H

#include "storage/inside.h"

/* In a write transaction: the job (key) has ended; one of kind "build" goes back to the queue when there is more to build, after a while
 * if it failed. */
bool pieces_go_on(struct store *s, int64_t job, bool failed, struct err *e);
/* In a write transaction: each collection that has something to build has a job that waits to do so. */
bool pieces_wake_all(struct store *s, struct err *e);

/* In a write transaction: ERR_BUSY where redaction has changed one of the groups since it was loaded. */
bool pieces_still(struct store *s, const struct piece_groups *groups, struct err *e);

/* What a row of table piece holds, packed, without its secrets; without any it stays as it is. */
struct redaction;
bool pieces_redact(struct redaction *r, struct slice *packed, struct err *e);
/* In the write transaction that stores it: the row (key) says something else now. */
bool pieces_changed(struct store *s, int64_t piece, struct err *e);

#endif
