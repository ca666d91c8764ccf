/* Private: the counters that lists and summaries read instead of counting, and who keeps them up. All in the write transaction. */
#ifndef STORAGE_COUNTS_H
#define STORAGE_COUNTS_H

#include "storage/inside.h"

/* What findings are about: a run (and its task), else a task, else the collection. 0: none. */
struct subject {
    int64_t collection, run, task;
};
/* The key of what it is. */
static inline int64_t subject_key(const struct subject *s) { return s->run ? s->run : s->task ? s->task : s->collection; }

/* What a run adds to its task, its task's models and its collection. */
struct run_counts {
    int64_t collection, task;   /* keys; task 0: none */
    struct slice model;
    enum verdict success;
    int64_t kinds[KIND_COUNT];  /* findings that are not dismissed */
    int64_t bytes;              /* of its texts and images */
};
/* A run comes (+1) or goes (-1); its own row is the caller's. */
bool counts_run(struct store *s, const struct run_counts *run, int sign, struct err *e);
/* As a row of table run says it. */
bool counts_load(struct store *s, int64_t run, struct arena *a, struct run_counts *out, struct err *e);
/* A task that has no run left goes, with its findings; any other stays. */
bool counts_drop_task(struct store *s, int64_t collection, int64_t task, struct err *e);

/* Findings of a subject that are not dismissed, by kind. */
bool counts_findings(struct store *s, const struct subject *subject, int64_t kinds[KIND_COUNT], struct err *e);
/* Findings of a subject changed; `before` is what counts_findings said. Brings the counters and the task's verdict up to date. */
bool counts_findings_changed(struct store *s, const struct subject *subject, const int64_t before[KIND_COUNT], struct err *e);

#endif
