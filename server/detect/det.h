/* What finds in C where events and conditions cannot say it: one row of a table each. All else about such a detector (title, behaviour,
 * severity, parameters, tests) stands in a rule with `code: NAME`, as for any other. */
#ifndef DETECT_DET_H
#define DETECT_DET_H

#include "detect/event.h"
#include "transcript/summary.h"

#include <stdatomic.h>

struct det;
struct report_value;

struct act;
struct det_shared {                 /* what several detectors make of a run is made once */
    struct arena *arena;            /* lives as long as the run is looked at */
    struct acts {                   /* by transcript; NULL: not made yet */
        struct act *items;
        size_t n;
    } *acts;
};

struct det_run {                    /* what a detector is given */
    const struct run *run;
    const struct pairs *pairs;      /* which result answers which call, by transcript */
    struct det_shared *shared;
    struct arena *scratch;          /* emptied after this detector */
    struct arena *arena;            /* findings live here */
    struct findings *findings;
    const struct rule *rule;        /* title, behaviour, severity, parameters … */
};

struct det_task {                   /* the same for a task */
    const struct task_summary *task;
    struct arena *scratch, *arena;
    struct findings *findings;
    const struct rule *rule;
};

struct det_over {                   /* for a whole collection, when it was seen */
    const struct rule *rule;
    const struct quotes *quotes;
    struct arena *arena;            /* findings live here */
    struct findings *findings;
};
/* A detector over a whole collection, which is fed to it task by task (store_collection_feed), once or several times; its memory must not
 * grow with the runs. What is fed is gone when `feed` returns. */
struct over {
    void *(*begin)(const struct rule *rule);
    void (*feed)(void *state, int pass, const struct task_summary *piece);
    /* A pass has ended: is another one needed? Returns soon where `cancel` (may be NULL) says so. NULL: none ever is. */
    bool (*turn)(void *state, int pass, const atomic_bool *cancel);
    void (*end)(void *state, struct det_over *d);
    void (*free)(void *state);
};

/* What `code:` in a rule names; one of run, task and over. */
struct det {
    const char *name;
    int revision;                   /* one more whenever it would find otherwise: part of the version of its findings */
    void (*run)(struct det_run *d);
    void (*task)(struct det_task *d);
    const struct over *over;
};
void det_outlier(struct det_task *d); /* det_task.c */
void det_shared_error(struct det_task *d);
void det_lenient_grader(struct det_task *d);
extern const struct over over_find;        /* over.c: a condition, `find:` */
extern const struct over over_contrast;    /* det_contrast.c */
extern const struct over over_streak;      /* det_over.c */
extern const struct over over_same_answer;
extern const struct det dets[];
extern const size_t det_count;

/* A parameter of the rule that is a number. A rule without it gets what its code cannot do without: NAN. */
double det_number(const struct rule *rule, const char *name);
/* The same as a count: 0 where it is none. */
size_t det_count_of(const struct rule *rule, const char *name);
/* One that is a text; absent where there is none. */
struct slice det_text(const struct rule *rule, const char *name);

/* A finding about a task or a collection: title and message of the rule filled with values[n], evidence[nevidence] cut to QUOTE_MAX. Nothing
 * without evidence. */
struct finding *det_conclude(struct arena *a, const struct rule *rule, struct findings *to, const struct report_value *values, size_t n,
                             struct evidence *evidence, size_t nevidence);
/* "12 %", from 0.12. */
struct slice det_percent(struct arena *a, double share);

/* One finding with the spans that show it; spans that show nothing are left out, and without any there is no finding. `title` NULL:
 * the rule's. `capture` and `value` say what it is about, so that findings about a task can be grouped by it; may be NULL. */
void det_report(struct det_run *d, const char *title, const char *capture, struct slice value, const struct span *spans, size_t n);

/* Places of one kind, gathered for one finding. */
enum { PLACES_SHOWN = 8 };
struct places {
    struct span items[PLACES_SHOWN];
    size_t n, total;
};
void places_add(struct places *p, struct span span);
/* One finding, if there is a place; `many`, with a %zu for how many there are, is its title where there are several. */
void places_report(struct det_run *d, const struct places *p, const char *many);

/* Where these words first stand in the text from `from` on, whatever their case, and not inside longer ones; -1: nowhere. */
ptrdiff_t det_find_words(struct slice text, struct slice words, size_t from);

/* What the rows name, by file. */
void det_orphan_result(struct det_run *d); /* det_structure.c */
void det_missing_result(struct det_run *d);
void det_duplicate_call_id(struct det_run *d);
void det_role_order(struct det_run *d);
void det_empty_message(struct det_run *d);
void det_late_system(struct det_run *d); /* det_order.c */
void det_assistant_twice(struct det_run *d);
void det_user_twice(struct det_run *d);
void det_interrupted_call(struct det_run *d);
void det_second_result(struct det_run *d); /* det_pairing.c */
void det_other_tool(struct det_run *d);
void det_nameless_call(struct det_run *d);
void det_missing_id(struct det_run *d);
void det_wrong_form(struct det_run *d); /* det_answer.c */
void det_strict_grader(struct det_run *d);
void det_near_form(struct det_run *d);
void det_garbled_key(struct det_run *d);
void det_answer_seen(struct det_run *d);
void det_leaked_answer(struct det_run *d);
void det_unseen_answer(struct det_run *d);
void det_answer_origin(struct det_run *d); /* det_origin.c */
void det_question_absent(struct det_run *d); /* det_asked.c */
void det_almost_passed(struct det_run *d); /* det_score.c */
void det_score_near_one(struct det_run *d);
void det_repeated_call(struct det_run *d); /* det_repeat.c */
void det_similar_action(struct det_run *d);
void det_rounds(struct det_run *d);
void det_ping_pong(struct det_run *d);
void det_repeated_reply(struct det_run *d);
void det_runaway_text(struct det_run *d); /* det_text.c */
void det_word_salad(struct det_run *d);
void det_language_shift(struct det_run *d);

#endif
