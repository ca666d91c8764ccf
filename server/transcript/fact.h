/* What two groups of runs are compared by: plain memory that storage fills and detect/ reads. */
#ifndef TRANSCRIPT_FACT_H
#define TRANSCRIPT_FACT_H

#include "transcript/finding.h"
#include "transcript/run.h"

enum run_measure { MEASURE_MESSAGES, MEASURE_CALLS, MEASURE_TOKENS_IN, MEASURE_TOKENS_OUT, MEASURE_COST, MEASURE_DURATION };
enum { RUN_MEASURES = 6, SIDES = 2 };

struct run_fact {
    int64_t key;                  /* ascending */
    struct slice id;
    uint32_t side;                /* 0 or 1 */
    uint32_t task;                /* its place in run_facts.tasks + 1; 0: none */
    enum verdict success;
    double measure[RUN_MEASURES]; /* tokens, USD, milliseconds; NAN: not known */
    uint32_t exit_status;         /* its place in run_facts.exits + 1; 0: none */
    uint32_t *behaviors;          /* places in run_facts.behaviors of what was found in it and not dismissed, each once */
    uint32_t nbehaviors;
};

struct run_facts {
    struct run_fact *items;
    size_t n, cap;
    size_t both;                  /* runs that are of both sides, and so of none */
    struct slices tasks, exits;
    struct behavior_fact { struct slice name; enum kind kind; } *behaviors;
    size_t nbehaviors, behaviors_cap;
};

#endif
