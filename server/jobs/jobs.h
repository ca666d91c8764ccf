/* The background workers: imports of uploads, scans, the sample collection. Jobs are rows of the database, so what was accepted
 * survives a crash; each runs under a lease, which is renewed while its worker lives. */
#ifndef JOBS_JOBS_H
#define JOBS_JOBS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/histogram.h"
#include "base/str.h"
#include "detect/rulebook.h"
#include "jobs/room.h"
#include "jobs/spool.h"
#include "storage/store.h"
#include "text/jread.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct actor;
struct jobs;

struct jobs_options {
    const char *db;
    const struct spool *spool;
    struct rulebook *rules;
    struct limits *limits;
    const char *config;                         /* telltale.yaml, which names models and keys too; NULL: there is none */
    int threads;                                /* of one import or scan; 0: one a processor */
    void (*ended)(void *ctx, struct slice job); /* a job ended, on a worker's thread */
    void *ctx;
};

/* Starts the workers. What a crash left behind (running jobs, uploads without a job) is put right first, unless another server
 * runs on the same database. `options` and what it points to must live as long as the jobs. */
bool jobs_start(const struct jobs_options *options, struct jobs **out, struct err *e);
/* A job was added: somebody may start it. */
void jobs_wake(struct jobs *jobs);
/* After store_job_cancel: ends the job's work at once where it runs here, and removes the upload of one that never ran. */
void jobs_cancelled(struct jobs *jobs, const struct job_row *job);
/* Stops at the next batch; unfinished jobs go back to the queue. False: a worker did not stop before the deadline
 * (clock_monotonic_us). The other functions may still be called. */
bool jobs_stop(struct jobs *jobs, int64_t deadline_us);
void jobs_free(struct jobs *jobs);

/* For /metrics, of one kind since the start: how many run now, how many ended in each state, and how long those took. */
struct job_figures {
    atomic_llong running;
    atomic_ullong ended[JOB_CANCELLED + 1];
    struct histogram took;
};
/* One for each row of job_kinds[]. */
const struct job_figures *jobs_figures(const struct jobs *jobs);

/* ---- the table of job kinds (kinds.c) -------------------------------------------------------------------------------- */

struct job {
    const struct jobs_options *options;
    const struct job_row *row;
    const struct jvalue *payload;   /* an object */
    struct arena *arena;
    const atomic_bool *stop;        /* cancelled, or the server stops: end soon with ERR_CANCELLED */
    void (*progress)(const struct job *job, struct slice json); /* cheap; as often as one likes */
    const struct actor *actor;      /* who changes what it changes, for the log */
};
struct job_kind {
    const char *name;
    /* Writes the result as JSON. Doing it again after a crash must be harmless. */
    bool (*run)(struct job *job, struct str *result, struct err *e);
    bool logged;                    /* its end leaves a row in the log of changes; */
    bool streams;                   /* once an hour for a collection */
};
extern const struct job_kind job_kinds[];
extern const size_t job_kind_count;
const struct job_kind *job_kind_find(struct slice name); /* NULL: there is none */

/* The payload of an import: the upload's file is named by the job. */
struct import_wish {
    struct slice filename, format, map; /* format and map may be absent */
    bool replace;
    bool runs_only, unreviewed;         /* ingest.h */
    uint64_t bytes;
    const char *hash;                   /* of the bytes: the same key with another body is no repetition */
};
struct slice job_import_payload(struct arena *a, const struct import_wish *wish);
/* Of a scan: detectors[n], or all for n = 0. */
struct slice job_scan_payload(struct arena *a, const struct slice *only, size_t n);

#endif
