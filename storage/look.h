/* Private: when a whole collection is to be looked at again. All in the write transaction. */
#ifndef STORAGE_LOOK_H
#define STORAGE_LOOK_H

#include "storage/inside.h"

enum { LOOK_AGAIN_US = 5000000 };

/* Runs of it have changed. */
bool look_changed(struct store *s, int64_t collection, struct err *e);
/* They were seen as they are after so many changes. */
bool look_seen(struct store *s, int64_t collection, int64_t changes, struct err *e);
/* A job has ended: one that looked is queued again where runs have changed meanwhile. */
bool look_go_on(struct store *s, int64_t job, struct err *e);

#endif
