/* What detectors of scope task are asked of: a task's runs in brief, plain memory that storage fills and detect/ reads. */
#ifndef TRANSCRIPT_SUMMARY_H
#define TRANSCRIPT_SUMMARY_H

#include "transcript/finding.h"

struct run_summary {
    struct slice run;          /* UUID */
    struct slice external_id, model;
    int64_t attempt;
    enum verdict success;
    struct score *scores;
    size_t nscores;
    struct slice exit_status, error, limit;
    uint32_t messages, calls;
    struct finding *findings;  /* of scope run, not dismissed; evidence has `run` set */
    size_t nfindings;
};

struct task_summary {
    struct slice task_id;
    struct run_summary *runs;
    size_t nruns;
};

/* Broken: a finding of scope task and kind broken_task that is of high severity or confirmed. Suspect: any other
 * broken_task finding of scope task. Dismissed findings do not count. */
enum task_verdict { TASK_SOUND, TASK_SUSPECT, TASK_BROKEN };
const char *task_verdict_name(enum task_verdict verdict);

#endif
