/* Private: the runs of a collection as typed columns in memory, for what SQL is slow at: facets, statistics, sorting by anything, a page from
 * the middle. Each column is an array with a place for each run, in the order of their keys. What columns are made of is read once and kept for
 * all threads until it changes: a tag or a review makes only the columns of tags or findings anew (columns_of). */
#ifndef STORAGE_COLUMNS_H
#define STORAGE_COLUMNS_H

#include "storage/sql.h"

/* A number, or words: texts and numbers, of which there are fewer than runs. */
struct column {
    struct slice name;       /* as filters have it: model, cost, meta.KEY, score.NAME, … */
    enum field_type type;
    double *x;               /* of a number: NAN where there is none. NULL: words */
    uint32_t *codes;         /* of words: which, 0 none */
    uint32_t *starts;        /* of a field that has several (tag): those of run i are codes[starts[i] … starts[i + 1]); else NULL */
    struct slice *words;     /* words[1 … nwords], ascending, numbers first; long ones are cut. words[0] is absent */
    double *numbers;         /* what a word is as a number, NAN: it is none */
    uint32_t nwords;
    size_t runs;             /* that have one */
};
enum { WORD_MAX = 256 };     /* bytes of a word that are kept */

/* What was found of the runs: one entry a finding, ordered by run. */
struct found {
    uint32_t *starts;        /* those of run i: starts[i] … starts[i + 1] */
    uint8_t *kind, *severity, *status;
    uint32_t *behavior, *detector; /* words of the columns of these names */
};

/* Where a word (a number, or where that is NAN a text) stands among those of a column of words: its code, or between two codes. */
double column_place(const struct column *column, struct slice text, double number);

struct columns;

/* The columns of a collection as it is in the store's read transaction, which must be open until they are given back. */
bool columns_of(struct store *s, int64_t collection, struct columns **out, struct err *e);
void columns_done(struct columns *c);

size_t columns_runs(const struct columns *c);
int64_t columns_key(const struct columns *c, size_t run);
/* The place of a run's key; SIZE_MAX: it is none of the collection's. *hint is where the last one was. */
size_t columns_place(const struct columns *c, int64_t key, size_t *hint);
/* A column, by name. A score or a key of metadata that no run has is a column of nothing; ERR_USAGE for any other name. */
bool columns_get(struct columns *c, struct store *s, struct slice name, const struct column **out, struct err *e);
/* All fields that the collection's runs have, metadata and scores too. */
bool columns_all(struct columns *c, struct store *s, const struct column ***out, size_t *n, struct err *e);
bool columns_found(struct columns *c, struct store *s, const struct found **out, struct err *e);

/* mask[i]: does run i pass? The array lives in `a`. */
bool columns_select(struct columns *c, struct store *s, const struct filter *f, struct arena *a, uint8_t **mask, struct err *e);
/* passes[i]: does found entry i pass what the filter asks of findings? */
bool columns_findings(struct columns *c, struct store *s, const struct filter *f, struct arena *a, uint8_t **passes, struct err *e);
/* The same as columns_select without what the filter asks of this field itself. */
bool columns_select_others(struct columns *c, struct store *s, const struct filter *f, struct slice field, struct arena *a, uint8_t **mask,
                           struct err *e);

#endif
