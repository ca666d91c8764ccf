/* What the files of the solver share: solve.c joins conditions, solve_count.c and solve_sequence.c answer single ones. */
#ifndef DETECT_SOLVE_IN_H
#define DETECT_SOLVE_IN_H

#include "detect/solve.h"

struct solver {
    struct detect_scratch *s;
    const struct rule *rule;
    struct arena *arena; /* for what is made on the way */
    size_t shown;       /* how much of what took part is kept: all of it, for `except` */
    uint64_t work;
    bool over;          /* the work was too much: what is found so far stands */
};

/* So many steps of work; false once there was too much of it. */
bool solve_work(struct solver *x, uint64_t steps);
/* The same for sorting n things. */
bool solve_sort_work(struct solver *x, size_t n);

/* ---- captures: NULL binds none ----------------------------------------------------------------------------------- */

/* No capture is bound in both to different texts. */
bool solve_agree(const struct solver *x, const struct slice *a, const struct slice *b);
/* What either binds; `a` first. */
struct slice *solve_merge(struct solver *x, const struct slice *a, const struct slice *b);

/* ---- solutions --------------------------------------------------------------------------------------------------- */

/* NULL: there are too many. */
struct solution *solve_add(struct solver *x, struct solutions *list, const struct slice *a, const struct slice *b);
void solve_show(struct solver *x, struct solution *s, const struct occurrence *o);

/* ---- the occurrences a condition is about ------------------------------------------------------------------------ */

struct hit {
    const struct occurrence *o;
    const unsigned char *key;
    size_t nth;         /* apart from others of the same event */
};
struct hits {
    struct hit *items;
    size_t n;
};
/* In order; those that contradict `given` or were set aside are left out, and with `keyed` those without a key. */
struct hits solve_gather(struct solver *x, const struct of *of, const struct slice *given, bool keyed);

/* Scores and the end are of every transcript. */
bool solve_same_transcript(const struct occurrence *a, const struct occurrence *b);
int32_t solve_message_count(const struct solver *x, int32_t transcript);
/* Are two occurrences, the first of them first, as close together as a window says? Without times nothing can be said of a time. */
enum near { NEAR_NO, NEAR_UNKNOWN, NEAR_YES };
enum near solve_near(const struct solver *x, const struct occurrence *a, const struct occurrence *b, const struct window *w);

/* ---- a function for each condition ------------------------------------------------------------------------------- */

void solve_any(struct solver *x, const struct cond *cond, const struct slice *given, struct solutions *out);
void solve_count(struct solver *x, const struct cond *cond, const struct slice *given, struct solutions *out);
void solve_distinct(struct solver *x, const struct cond *cond, const struct slice *given, struct solutions *out);
void solve_repeat(struct solver *x, const struct cond *cond, const struct slice *given, struct solutions *out);
void solve_edge(struct solver *x, const struct cond *cond, const struct slice *given, struct solutions *out);
void solve_ratio(struct solver *x, const struct cond *cond, const struct slice *given, struct solutions *out);
void solve_absent(struct solver *x, const struct cond *cond, const struct slice *given, struct solutions *out);
void solve_sequence(struct solver *x, const struct cond *cond, const struct slice *given, struct solutions *out);

#endif
