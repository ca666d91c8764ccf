/* The pipeline: files → runs → findings → store. `telltale import`, an upload's job and the sample collection all run this. */
#ifndef INGEST_INGEST_H
#define INGEST_INGEST_H

#include "base/arena.h"
#include "base/err.h"
#include "base/jsonw.h"
#include "detect/detect.h"
#include "ingest/fields.h"
#include "ingest/source.h"
#include "storage/store.h"
#include "text/secrets.h"

#include <stdatomic.h>

enum { INGEST_ERRORS = 1000 }; /* listed one by one; the rest is counted */

struct ingest_error {
    struct slice source, location, message;
    enum err_code code;
};

struct ingest_report {
    uint64_t files_read, files_skipped, files_failed;
    uint64_t runs[PUT_OUTCOMES], rejected;
    uint64_t messages, bytes;
    uint64_t files_total, bytes_total;     /* to read, for the progress bar */
    uint64_t bytes_seen;                   /* of those, as far as they are read, files in the middle too */
    double seconds;
    uint64_t *format_runs;                 /* by row of formats[] */
    struct field_places *fields;           /* the same, of a dry run; else NULL */
    struct jrepairs repairs;
    uint64_t findings[KIND_COUNT];         /* made by this import */
    uint64_t redacted;                     /* secrets that were replaced */
    uint64_t incomplete;                   /* (run, detector) pairs that met a limit in it */
    struct ingest_error *errors;
    size_t nerrors, errors_cap;
    uint64_t errors_more;                  /* over INGEST_ERRORS */
};

struct ingest_options {
    const char *db;                 /* each worker opens its own store; NULL only with dry_run */
    struct slice collection;        /* id or name; it exists. Absent only with dry_run */
    bool collection_is_new;         /* an export's header may then restore id, dates and description */
    const struct format *format;    /* NULL: recognised from content */
    struct slice map;               /* columns of a table (fmt_csv.c); absent: none */
    const struct ruleset *rules;    /* NULL: nothing is detected */
    const struct secrets *secrets;  /* what is redacted, before anything is stored, looked at or told; NULL: nothing */
    bool dry_run;                   /* read and detect, store nothing */
    bool replace;                   /* store.h, put_target */
    const struct piece_groups *made_of; /* likewise */
    bool runs_only;                 /* of an export nothing that holds beyond its runs: its rules, rubrics, label sets and exceptions are refused */
    bool unreviewed;                /* of an import the runs alone: labels, findings and judgments that come with them are refused, and detectors look at them here */
    bool may_wait;                  /* a job of a server: rules over the whole collection may look at it later, in a job of their own */
    int64_t database_max;           /* bytes: ERR_FULL before what would be committed once the database uses as many; 0: any */
    int jobs;                       /* worker threads; 0: one a processor, at most 16 */
    const atomic_bool *cancel;      /* looked at between runs, and between pieces of a file; may be NULL */
    void (*progress)(void *ctx, const struct ingest_report *so_far); /* a few times a second, from one thread at a time; may be NULL */
    void *ctx;
};

/* Reads all files. False: the work could not be done or was cancelled (disk full, lock); what was committed until then stays, and
 * doing it again does the rest. What a file's content is to blame for is in the report, never false. The report's memory is in `a`. */
bool ingest_files(const struct ingest_options *options, struct source_files *files, struct arena *a, struct ingest_report *report,
                  struct err *e);

/* Runs the detectors again over a collection and stores what changed; `only` as in ruleset_only (the rule set is already cut). */
struct scan_report {
    uint64_t runs, runs_total, tasks, changed, findings[KIND_COUNT], incomplete;
    double seconds;
};
struct scan_options {
    const char *db;
    struct slice collection;
    const struct ruleset *rules;
    const struct slice *only;
    size_t nonly;
    int jobs;
    const atomic_bool *cancel;
    void (*progress)(void *ctx, const struct scan_report *so_far);
    void *ctx;
};
bool ingest_scan(const struct scan_options *options, struct scan_report *report, struct err *e);

/* The rules that speak of a whole collection: what a job of kind "look" does. Adds what is found now to findings[KIND_COUNT]. */
struct look_options {
    const char *db;
    struct slice collection;
    const struct ruleset *rules;
    const atomic_bool *cancel;
};
bool ingest_look(const struct look_options *options, uint64_t *findings, struct err *e);

#define INGEST_SAMPLE "sample"
/* Loads the sample collection that is inside the program, as collection "sample", and detects. Twice changes nothing. */
bool ingest_sample(const char *db, const struct ruleset *rules, struct arena *a, struct collection_row *collection, struct ingest_report *report,
                   struct err *e);

/* The shape of the contract's `import --json`. `collection` NULL in a dry run without one. */
void ingest_report_json(struct jsonw *j, const struct collection_row *collection, const struct ingest_report *report);
void scan_report_json(struct jsonw *j, const struct scan_report *report);

#endif
