/* One task in whole: what its runs answered, what was expected of them, the errors that they share. Texts are cut to TASK_TEXT bytes, and
 * what begins alike that far is taken for alike. Of a task of many runs the first TASK_LOOKED are looked at. */
#ifndef STORAGE_TASK_DETAIL_H
#define STORAGE_TASK_DETAIL_H

#include "storage/store.h"

enum {
    TASK_TEXT = 4096,
    TASK_LOOKED = 1000,
    TASK_GROUPS = 30,  /* answers, targets, errors that are told: those of most runs */
    TASK_MEMBERS = 60, /* runs that are named of each */
};

/* A run of a group, and the message where it says so; -1: a score or the run itself does. */
struct task_member {
    struct slice run, external_id, model;
    enum verdict success;
    int32_t transcript, message;
};
struct task_group {
    struct slice text;
    struct slice target;          /* of an answer: what its first run was expected to give; absent: nothing is known */
    bool last_words;              /* an answer: no score tells it, it is what the agent said last */
    int64_t runs, passed, failed;
    struct task_member *members;
    size_t nmembers;
};
struct task_groups {
    struct task_group *items;     /* those of most runs first */
    size_t n;
    int64_t more;                 /* further ones that are not told */
};
struct task_behavior { struct slice behavior; enum kind kind; int64_t runs; };

struct task_detail {
    struct task_row row;
    int64_t looked;               /* runs that the groups are of */
    struct task_groups answers;   /* of the first score that tells one; where no run's score does, what the agents said last */
    struct task_groups targets;   /* without members */
    struct task_groups errors;    /* lines that at least two runs have, without what differs from run to run; of a lone run all its lines */
    struct task_behavior *behaviors; /* of its runs, those of most runs first; dismissed findings do not count */
    size_t nbehaviors;
};

/* ERR_NOT_FOUND: no run of the collection names such a task. Everything lives in `a`. */
bool store_task_detail(struct store *s, struct slice collection, struct slice task_id, struct arena *a, struct task_detail *out, struct err *e);

#endif
