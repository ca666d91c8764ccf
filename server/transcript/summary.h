/* What detectors of scope task are asked of: a task's runs in brief, plain memory that storage fills and detect/ reads. */
#ifndef TRANSCRIPT_SUMMARY_H
#define TRANSCRIPT_SUMMARY_H

#include "transcript/actions.h"
#include "transcript/finding.h"

/* Broken: a finding of scope task and kind broken_task that is of high severity or confirmed. Suspect: any other
 * broken_task finding of scope task. Dismissed findings do not count. */
enum task_verdict { TASK_SOUND, TASK_SUSPECT, TASK_BROKEN };
const char *task_verdict_name(enum task_verdict verdict);

struct action_ref {
    uint32_t action;           /* its number in the collection's action_names */
    uint32_t call;             /* as in struct action */
};
struct action_names {
    struct slice *items;
    size_t n, cap;
};

struct run_summary {
    struct slice run;          /* UUID */
    struct slice external_id, model, agent;
    int64_t attempt;
    enum verdict success;
    struct slice started_at, ended_at;
    int64_t tokens;            /* in and out; COUNT_UNKNOWN */
    struct score *scores;
    size_t nscores;
    struct slice exit_status, error, limit;
    uint32_t messages, calls;
    struct finding *findings;  /* of scope run, not dismissed; evidence has `run` set */
    size_t nfindings;
    /* What it did (actions.h); nothing of a run that was put in before this was kept, until the next scan. */
    struct action_ref *actions;
    size_t nactions;
    struct error_line *errors;
    size_t nerrors;
    uint32_t results, failed;
    uint64_t answer;
};

/* Which error lines occur in which tasks of a collection, a few runs of each looked at. */
struct common_error {
    uint64_t hash;
    int64_t task;              /* as in task_summary */
};
struct common_errors {
    struct common_error *items; /* by hash, then task; each pair once */
    size_t n, cap;
    size_t tasks;              /* that were looked at */
};

/* How detectors get at words that a summary does not hold. Each gives the text that `part` names, whole, as evidence with run, transcript,
 * message and part set, start 0; false: there is no such text any more. */
struct quotes {
    bool (*call)(void *ctx, struct slice run, uint32_t call, struct arena *a, struct evidence *out);       /* a call's arguments */
    bool (*error)(void *ctx, struct slice run, const struct error_line *line, struct arena *a, struct evidence *out); /* that line */
    bool (*finding)(void *ctx, struct slice id, struct arena *a, struct evidence *out);                    /* the first piece of its evidence */
    bool (*answer)(void *ctx, struct slice run, struct arena *a, struct evidence *out);                    /* what the digest's answer is of */
    void *ctx;
};

struct task_summary {
    struct slice task_id;
    int64_t task;              /* what common_errors knows it by; 0: none */
    struct run_summary *runs;
    size_t nruns;
    const struct action_names *actions; /* NULL but where a whole collection is looked at */
    const struct common_errors *common; /* NULL: nothing is known of other tasks */
    const struct quotes *quotes;
    struct finding *findings;  /* of scope task, not dismissed, without evidence: where a whole collection is looked at */
    size_t nfindings;
    enum task_verdict verdict;
};

#endif
