/* A map of runs: two numbers for each, so that runs that do and say alike lie near one another.
 *
 * A run is the set of its n-grams of actions (one to three in a row) and of the words that its agent wrote, in messages, reasoning and arguments.
 * Two runs are as similar as the cosine of these sets, each feature weighing by how rare it is, n-grams and words half each. On that kernel the map
 * shows the two functions of a run that attempts at one task agree about the most: the first eigenfunctions of the positive-pair kernel, attempts
 * at one task being the positive pairs (D. Johnson, A. El Hanchi, C. Maddison, Contrastive Learning Can Find An Optimal Basis For
 * Approximately View-Invariant Functions, arXiv 2210.01883). For explicit features they solve B v = λ (C + ε) v, where C is the covariance of the
 * features and B that between two attempts at one task; λ is how far attempts agree. Without tasks of several attempts it is plain kernel PCA.
 *
 * Axes are found on a sample; every run is then placed by them. Only nearness means something: an axis has no unit, and what is far apart in
 * the map differs, while what lies together may still differ in what two axes cannot show. */
#ifndef DETECT_ATLAS_H
#define DETECT_ATLAS_H

#include "transcript/summary.h"

enum {
    ATLAS_AXES = 2,
    ATLAS_ENDS = 6,          /* features that say what an end of an axis is */
    ATLAS_SAMPLE = 6000,     /* runs that axes are found on, about */
    ATLAS_ATTEMPTS = 8,      /* of a task among them */
    ATLAS_TEXT = 24 << 10,   /* bytes of a run's words that are looked at */
    ATLAS_REVISION = 1,      /* one more whenever the same runs would be drawn elsewhere */
};

struct atlas_run {
    const struct action_ref *actions;
    size_t nactions;
    const struct slice *texts;
    size_t ntexts;
};

struct atlas;
struct atlas *atlas_new(void);
void atlas_free(struct atlas *a);
/* A run of the sample, those of a task (0: of none) one after the other. */
void atlas_sample(struct atlas *a, int64_t task, const struct atlas_run *run);
/* Finds the axes; `names` are those of actions, by number. */
void atlas_fit(struct atlas *a, const struct action_names *names);
/* Where a run is drawn; 0 and 0 for one of which nothing is known. */
void atlas_place(struct atlas *a, const struct atlas_run *run, double out[ATLAS_AXES]);

struct atlas_end {
    struct slice words[ATLAS_ENDS]; /* strongest first */
    size_t n;
};
struct atlas_axis {
    double agreement;        /* λ: 1 where attempts at a task always agree, 0 where they do as any two runs */
    struct atlas_end low, high;
};
struct atlas_about {
    size_t runs, tasks, pairs, features; /* of the sample: runs, tasks of two attempts or more, pairs of attempts */
    bool contrastive;        /* false: kernel PCA, as there are no pairs; agreement is the share of the variance then */
    struct atlas_axis axes[ATLAS_AXES];
};
const struct atlas_about *atlas_about(const struct atlas *a);

#endif
