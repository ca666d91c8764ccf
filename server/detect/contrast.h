/* Group contrast: which action n-grams (1 to 3 actions in a row) one group of runs has and the others lack, or the other way round.
 *
 * What is counted is presence in a run, once. The groups are the runs of each model against those of all others, or the passed runs
 * against the failed ones, or any two sides. Runs are compared within their task only: each task is a stratum of a Cochran-Mantel-Haenszel test (stats.h),
 * so that a model which ran other tasks, not in another way, is not told apart by that. Runs without a task take no part. Where a
 * single stratum says something of the n-gram (some of its runs have it, some do not) the test is Fisher's, exact, on that stratum; where
 * several do and are too thin for the asymptotic test (Mantel and Fleiss), the n-gram is not tested. Of all that were tested, those are
 * kept that Benjamini and Hochberg keep at false discovery rate q and whose Mantel-Haenszel risk difference is `gap` or more. Of a kept
 * n-gram and one that it contains or is contained in, the one with the smaller P stays.
 *
 * Runs are fed three times, task by task (store_collection_feed): first which n-grams are frequent (their counts by hash, after Park, Chen
 * and Yu, SIGMOD 1995), then how they stand in each task, at last where they can be shown. Memory is bounded whatever the number of runs:
 * where more than 32,768 n-grams stand in `at_least` runs, the rarer ones are left out, whatever tasks they are of. */
#ifndef DETECT_CONTRAST_H
#define DETECT_CONTRAST_H

#include "transcript/summary.h"

#include <stdatomic.h>

enum { GRAM_LONGEST = 3, CONTRAST_RUNS_SHOWN = 8, CONTRAST_PASSES = 3 };
enum contrast_by { CONTRAST_MODEL, CONTRAST_OUTCOME, CONTRAST_SIDES };

struct contrast_wish {
    enum contrast_by by;
    double q, gap;
    size_t at_least;            /* runs of a group, and runs with the n-gram */
    size_t longest;             /* actions of an n-gram: 1 to GRAM_LONGEST */
    size_t at_most;             /* findings of a group */
    /* CONTRAST_SIDES: which of two groups a run is of, 0 or 1; less: of none. Those groups have no names. */
    int (*side)(void *ctx, struct slice run);
    void *ctx;
};

struct contrast_found {
    struct slice group;         /* the model; of outcomes "pass" or "fail" */
    size_t place;               /* of the group: of sides 0 or 1 */
    bool more;                  /* the group has it more often than the others; else less */
    uint32_t gram[GRAM_LONGEST]; /* numbers of actions */
    size_t length;
    double share, others;       /* of runs with it, where the two can be compared, standardised: each task weighs as in the difference */
    size_t runs;                /* of the group, in that place */
    double p;
    struct {
        struct slice run;
        uint32_t calls[GRAM_LONGEST];
    } shown[CONTRAST_RUNS_SHOWN];
    size_t nshown;
};

struct contrast;
struct contrast *contrast_new(const struct contrast_wish *wish);
void contrast_free(struct contrast *c);
/* A piece of a task, in pass 0, 1, 2; contrast_turn after each pass. */
void contrast_feed(struct contrast *c, int pass, const struct task_summary *piece);
/* What the pass gave; false: the passes that follow have nothing to look for, or `cancel` (may be NULL) says that none is wanted. */
bool contrast_turn(struct contrast *c, int pass, const atomic_bool *cancel);
/* After the last pass, by group, strongest first; lives as long as `c`. */
const struct contrast_found *contrast_results(const struct contrast *c, size_t *n);
/* Its actions in words, of the names of actions by number: "bash: sed → submit". */
struct slice contrast_words(struct arena *a, const struct slice *names, size_t n, const struct contrast_found *f);

#endif
