/* Conditions over what occurred: from occurrences to solutions, each one way in which a rule's `find` holds. */
#ifndef DETECT_SOLVE_H
#define DETECT_SOLVE_H

#include "detect/match.h"

struct solution {
    struct slice *captures;             /* one for each of the rule's; absent where unbound */
    const struct occurrence **shows;    /* what took part, the most telling first; at most SHOWN of them */
    size_t nshows, cap;
    uint64_t count;                     /* of all that took part */
};
struct solutions {
    struct solution *items;
    size_t n, cap;
};
enum { SHOWN = 8 };

/* All ways in which the rule holds after a scan, `except` taken off; in the scratch's arena. */
void solve_rule(struct detect_scratch *s, const struct rule *rule, struct solutions *out);

#endif
