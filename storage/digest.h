/* Private: what is kept of what a run did (transcript/actions.h). */
#ifndef STORAGE_DIGEST_H
#define STORAGE_DIGEST_H

#include "storage/inside.h"
#include "transcript/actions.h"
#include "transcript/summary.h"

/* Writes a run's digest in place of the one that it has. In a write transaction. */
bool digest_write(struct store *s, int64_t collection, int64_t run, const struct run_digest *digest, struct err *e);
/* The parts of a summary that a digest fills, from the two blobs of a row. What is damaged ends the row there. */
void digest_unpack(struct arena *a, struct slice actions, struct slice errors, struct run_summary *out);
/* The names of a collection's actions, by number. */
bool action_names_load(struct store *s, int64_t collection, struct arena *a, struct action_names *out, struct err *e);

#endif
