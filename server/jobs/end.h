/* How a job begins and ends, whoever does it: a server's workers or a command line. */
#ifndef JOBS_END_H
#define JOBS_END_H

#include "jobs/jobs.h"

enum {
    JOB_LEASE_S = 60,       /* renewed twice a second; long enough for a renewal that has to wait for the lock */
    JOB_AGAIN_US = 5000000, /* before another try at what a full disk or a held lock stopped */
};
#define JOB_RESULT_MAX ((size_t)16 << 20)

/* A full disk and a lock that is held pass; what was accepted is not thrown away for them. */
bool job_passes(const struct err *e);

/* Reads what the job, of which the row and the arena are set, is to do. */
bool job_read(struct job *job, const struct job_kind *kind, struct err *e);

struct job_end {
    enum job_state state;   /* JOB_QUEUED: it goes back to the queue, */
    int64_t begin_at;       /* and waits until then (clock_now_us()); 0: whoever runs jobs next takes it */
    struct slice report;    /* absent unless it is done */
    struct err why;         /* that it is not; without a code where it is */
};
/* What becomes of a job that ran: `ok` and `why` as its kind said, `report` as it wrote it, which is to stay until the end is noted; `cancelled`: that
 * is what its `stop` means. Nothing in *out is worth a secret: what the job read may have been redacted since, and why it failed may be told in its words;
 * nor does it say where a server's files are. */
void job_end(const struct job *job, bool ok, bool cancelled, const struct str *report, const struct err *why, struct job_end *out);
/* Durable when it returns. Of one that was to go back and that somebody cancelled meanwhile, *end says so then. False, job_passes(e): to be tried again. */
bool job_end_note(struct store *s, const struct job_row *row, struct job_end *end, struct err *e);

#endif
