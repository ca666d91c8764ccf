/* The secrets in what is stored already. */
#ifndef STORAGE_REDACT_H
#define STORAGE_REDACT_H

#include "base/jsonw.h"
#include "storage/store.h"
#include "text/secrets.h"

struct redact_wish {
    struct slice collection;       /* id; absent: all */
    const struct secrets *secrets;
    bool dry_run;                  /* only counts */
    const atomic_bool *stop;       /* looked at between runs; may be NULL */
    void (*progress)(void *ctx, uint64_t done, uint64_t of); /* runs; may be NULL */
    void (*refused)(void *ctx, struct slice what, const struct err *why); /* a run or a value that could not be looked through, or set, stays as it was */
    void *ctx;
};
struct redacted {
    uint64_t runs, runs_changed;   /* that were looked at; that held secrets */
    uint64_t secrets;              /* that were replaced, in runs and elsewhere */
    uint64_t *kinds;               /* the same by form (secrets_count), in the arena */
    uint64_t texts;                /* that nobody says any more, and that were taken out from among others */
    uint64_t uploads, waiting;     /* failed uploads whose bytes were deleted; uploads that are to be read yet, or were being read, and are as they came */
    uint64_t rules;                /* rules, rubrics, Idempotency-Keys, ids of traces and names of tokens that hold one, which are never changed */
    uint64_t refused;
};
/* Each secret in the runs of a collection, and in what was found, judged, labelled and noted of them, becomes what redaction at import makes of it: ids,
 * reviews, labels and tags stay, and evidence stands where its words now are. Pieces of which runs are built, jobs and names of files too; and what is
 * of no collection (replies of models, saved queries, deliveries, the log of changes), whichever is named. A transaction a run, so that others write in
 * between: cut short, what is done is done, and the same again does the rest. Its row in the log of changes has the counts. Secrets in `out` count each place where one stood. What was overwritten is
 * in the file until store_rewrite(). ERR_CANCELLED. */
bool store_redact(struct store *s, const struct redact_wish *wish, struct arena *a, struct redacted *out, struct err *e);
/* How many of the kind that a form is of, whatever its forms; 0 but for the first of them. And all of them, as the member "kinds". */
uint64_t redacted_of_kind(const struct secrets *secrets, const struct redacted *done, size_t form);
void redacted_kinds(struct jsonw *j, const struct secrets *secrets, const struct redacted *done);
/* Writes the file anew, so that no byte of what was deleted is left in it or in its WAL. Nobody else writes meanwhile: a minute takes some gigabytes.
 * ERR_BUSY: somebody kept reading the WAL. */
bool store_rewrite(struct store *s, struct err *e);

#endif
