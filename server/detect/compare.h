/* Two groups of runs over the tasks that both ran: who passes more, and what else changed.
 *
 * A task is the unit: the runs of a side are averaged within it, so that a task with many attempts counts once, and a side that ran other
 * tasks is not told apart by that. The outcome is tested by McNemar's exact test with Newcombe's interval where no side has more than one verdict
 * on any task, else, like everything else, by the mean of the differences with its bootstrap interval over tasks and the sign-flip test
 * (base/pairs.h). Runs without a task are counted but not compared. Where the sides share no task, the outcome alone is compared, unpaired, over
 * runs: Fisher's exact test with Newcombe's interval. */
#ifndef DETECT_COMPARE_H
#define DETECT_COMPARE_H

#include "base/arena.h"
#include "transcript/fact.h"

enum compare_what { COMPARE_MEASURE, COMPARE_EXIT, COMPARE_BEHAVIOR };
enum { COMPARE_ROWS = 128, COMPARE_TASKS = 500, COMPARE_BINS = 24 };

/* One thing that may have changed. Of exits and behaviours the shares of runs. */
struct compare_row {
    enum compare_what what;
    enum run_measure measure;
    struct slice name;          /* of an exit status or behaviour */
    enum kind kind;             /* of a behaviour */
    double mean[SIDES];         /* of the tasks' means */
    double difference, low, high, p, adjusted, weight; /* second side less first; adjusted: Benjamini and Hochberg, over all rows */
    size_t tasks, runs[SIDES];  /* tasks where both sides know it; runs that have it, anywhere */
};

struct compare_task {
    uint32_t task;              /* its place in run_facts.tasks */
    uint32_t runs[SIDES], passed[SIDES], known[SIDES]; /* known: passed or failed */
};

struct compare_side {
    size_t runs, passed, failed, tasks;
    double pass_low, pass_high; /* Wilson, over runs */
};

/* COMPARE_FISHER: no task was run by both, so that their runs, not tasks, are compared, as if each told of itself alone. */
enum compare_test { COMPARE_NONE, COMPARE_MCNEMAR, COMPARE_BOOTSTRAP, COMPARE_FISHER };

/* How often a measure had which size, on a scale of logarithms; runs of tasks that both sides ran. */
struct compare_histogram {
    enum run_measure measure;
    double edges[COMPARE_BINS + 1];
    size_t counts[SIDES][COMPARE_BINS];
    size_t bins;                /* 0: nobody knows it */
};

struct comparison {
    struct compare_side side[SIDES];
    size_t shared, judged;      /* tasks that both ran; where both have a verdict */
    size_t without_task;        /* runs */
    enum compare_test test;     /* of the outcome */
    double rate[SIDES];         /* mean pass rate of the tasks that both have a verdict on; COMPARE_FISHER: of all runs with a verdict */
    double difference, low, high, p; /* of these; second side less first */
    size_t wins, losses, ties;  /* tasks where the second side is better, worse, the same */
    struct compare_task *tasks; /* that differ, most first, then the others; at most COMPARE_TASKS */
    size_t ntasks;
    struct compare_row *rows;   /* by weight */
    size_t nrows;
    struct compare_histogram histograms[RUN_MEASURES];
};

void compare_groups(const struct run_facts *facts, struct arena *a, struct comparison *out);

#endif
