/* Two raters and what they say of the same runs: what agreement.c compares and writes. */
#ifndef VIEW_PAIRING_H
#define VIEW_PAIRING_H

#include "view/agreement.h"
#include "view/raters.h"

enum { AGREEMENT_SEED = 1 }; /* of the intervals: the same question has the same answer */

struct pairing {
    struct rater reference, measured;
    struct reading reading;
    struct opinions all;            /* of the reference, before the majority */
    struct opinions first, second;  /* a unit each, in step */
    size_t n, only_first, only_second, undecided;
    double test_share;
};

/* `p` is zeroed; what it points at lives in the arena until pairing_free, also after an error. ERR_USAGE: no such rater, or no field that both speak of. */
bool pairing_load(struct store *s, const struct agreement_ask *ask, struct pairing *p, struct arena *a, struct err *e);
void pairing_free(struct pairing *p);
void pairing_compare(const struct pairing *p, struct arena *a, struct compared *out);
/* Does a run belong to the split that is asked for? Either opinion of it may be missing. */
bool pairing_wants(const struct agreement_ask *ask, const struct pairing *p, const struct opinion *x, const struct opinion *y);

#endif
