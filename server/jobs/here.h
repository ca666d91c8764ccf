/* A job that this process does itself, beside or without a server: for the command line. */
#ifndef JOBS_HERE_H
#define JOBS_HERE_H

#include "jobs/jobs.h"

struct here {
    const struct jobs_options *options;             /* db, rules and config; what a kind does not use may be missing */
    const atomic_bool *stop;                        /* set: the job ends soon, as cancelled */
    void (*show)(void *ctx, struct slice progress); /* on the calling thread, some times a second; absent: nothing is known yet */
    void *ctx;
};
/* Takes the queued job, does it, notes its end and gives its row, whatever became of it. Where a server was faster (`*ours` false), waits for
 * that to end it; `stop` then only ends the waiting (ERR_CANCELLED). A full disk and a held lock are waited for. */
bool job_here(const struct here *here, struct store *s, struct slice id, struct arena *a, struct job_row *out, bool *ours, struct err *e);

#endif
