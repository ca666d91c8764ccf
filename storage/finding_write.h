/* Private: how findings come, change and go. All in the write transaction but where it says otherwise. */
#ifndef STORAGE_FINDING_WRITE_H
#define STORAGE_FINDING_WRITE_H

#include "storage/counts.h"

/* The findings of a subject, with their evidence; finding.id … created_at filled. In any transaction. */
struct stored_findings {
    struct finding *items;
    int64_t *keys;
    size_t n;
};
bool findings_load(struct store *s, const struct subject *subject, struct arena *a, struct stored_findings *out, struct err *e);
/* One by its key. */
bool finding_load(struct store *s, int64_t key, struct arena *a, struct finding *out, struct err *e);
/* What it is about. */
bool finding_subject_load(struct store *s, int64_t key, struct subject *out, struct err *e);

/* Makes `now` the findings of a subject by detectors (all, or those in only[n]), but never those of judges; with `judges` those of all
 * judges alone, with `judge` those of that one in that version. What says the same as before stays untouched; a review goes on to the finding of the same place and words, else of the same detector and
 * words. `look`: writes nothing, and may be called in a read transaction. *changed: something differs, or would. */
struct findings_change {
    const struct finding *now;
    size_t n;
    const struct slice *only;
    size_t nonly;
    bool look;
    bool judges;
    struct slice judge, version;
};
bool findings_change(struct store *s, const struct subject *subject, const struct findings_change *change, bool *changed, struct err *e);

/* All findings of a subject that has none yet; counters and exceptions are the caller's. */
bool findings_insert(struct store *s, const struct subject *subject, const struct finding *findings, size_t n, struct err *e);

/* One more that an export carries, or that one again: then it takes the place of the one with its id. */
bool finding_add(struct store *s, const struct subject *subject, const struct finding *finding, struct err *e);

/* After the words of a run have changed and are written: what judges found stays where all its quotes stand, word for word; the rest goes. */
bool findings_of_judges_keep(struct store *s, const struct subject *subject, struct err *e);

/* Of the findings that an export carries, those of judges, each as finding_add does it. */
bool findings_of_judges_add(struct store *s, const struct subject *subject, const struct findings *findings, struct err *e);

/* All findings of a subject go; counters are the caller's. */
bool findings_drop(struct store *s, const struct subject *subject, struct err *e);

/* That a change is about a detector: it is in only[n], or n is 0. */
bool is_among(struct slice detector, const struct slice *only, size_t n);

/* Likewise what detectors could not finish on a run. */
bool incomplete_change(struct store *s, int64_t run, const struct incomplete *now, size_t n, const struct slice *only, size_t nonly, bool look,
                       bool *changed, struct err *e);

/* Evidence of task findings that speaks of a run which goes; a finding left without any goes too. */
bool findings_forget_run(struct store *s, int64_t run, struct err *e);

#endif
