/* Two answers side by side: the same, or the same in another dress. */
#ifndef DETECT_ANSWER_H
#define DETECT_ANSWER_H

#include "base/arena.h"

enum { ANSWER_MAX = 4096 }; /* bytes that are looked at */

enum form {
    FORM_OTHER,   /* something else */
    FORM_SAME,    /* byte for byte */
    FORM_GARBLED, /* the same, but what is expected lost or won what one round of escaping adds or eats */
    FORM_DRESSED, /* the same in another wrapper, case, punctuation, unit, number or date format, encoding, order of a list, or in a sentence */
    FORM_NEAR     /* the same but for a word or two: a middle name, a plural, another order of words, digits rounded off */
};

/* How `given` stands to `expected`. Nothing is kept; `a` is for what is worked out on the way. */
enum form answer_compare(struct arena *a, struct slice given, struct slice expected);
/* What that takes beside others: 1 for short ones, 33 for the longest, which take about a millisecond. */
size_t answer_cost(struct slice given, struct slice expected);
/* What stands inside flag{…}, \boxed{…}, <answer>…</answer>, quotes, brackets, fences, or after "The final answer is". */
struct slice answer_unwrap(struct slice s);
/* Where `answer` stands in `text` with neither letter nor digit beside it. */
bool answer_stands(struct slice text, struct slice answer, size_t *at);
/* All words of one are in the other, in any order: part of it, or it with more around. */
bool answer_is_part(struct arena *a, struct slice x, struct slice y);
/* Letters, digits and bytes beyond ASCII; what words are made of here. */
bool answer_is_alnum(unsigned char c);

#endif
