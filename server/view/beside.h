/* Two runs side by side: what each did, step by step, aligned by its actions. */
#ifndef VIEW_BESIDE_H
#define VIEW_BESIDE_H

#include "base/jsonw.h"
#include "storage/store.h"

/* A step is a message with words, or a tool call with the result that answers it. Steps are paired in three passes, each between the pairs of the
 * one before: the same words, or the same call with the same arguments; then the same actions (transcript/actions.h); then the same tool or role.
 * Each pass is the longest common subsequence (base/lcs.h). */
enum beside_what { BESIDE_SAME, BESIDE_CHANGED, BESIDE_ONLY_A, BESIDE_ONLY_B };
enum beside_part { BESIDE_WORDS = 1, BESIDE_ARGUMENTS = 2, BESIDE_RESULT = 4 };

struct beside_step {
    int32_t transcript, message; /* position, index */
    int32_t call;                /* position in the message; -1: the message's words */
    int32_t result;              /* index of the message that answers the call; -1: none */
    enum role role;
    struct slice name;           /* of the tool */
    struct slice text;           /* the words, or the arguments without the white space between their values */
    struct slice answer;         /* the result's text, or its error */
};
struct beside_row {
    enum beside_what what;
    unsigned differs;            /* of a changed one: parts */
    const struct beside_step *a, *b; /* NULL: that side has none */
};
struct beside {
    struct beside_row *rows;
    size_t n;
    size_t counts[4];            /* per enum beside_what */
    size_t divergence;           /* the first row in which they do something else: another call, or other arguments; where they do the same
                                    throughout, the first that differs at all; SIZE_MAX: none does */
};

/* Everything lives in `a` and in the runs. Time grows with the product of their steps over 64: 20,000 by 20,000 take a tenth of a second. */
void beside_align(struct arena *a, const struct run *run_a, const struct run *run_b, struct beside *out);

/* Loads both runs and writes "Beside" of the API. */
bool view_beside(struct jsonw *j, struct store *s, struct slice id_a, struct slice id_b, struct err *e);

#endif
