/* Are two sides of the same units different, in many measures at once? Pure functions, the same result every time. */
#ifndef BASE_PAIRS_H
#define BASE_PAIRS_H

#include <stddef.h>

struct pairs_measure {
    const double *difference; /* of each unit, the one side less the other; NAN: not known there */
    /* out: */
    size_t n;                 /* units where it is known */
    double mean, low, high;   /* with the 95 % percentile interval of the bootstrap over units; NAN where n is 0 */
    double p;                 /* two-sided, of the sign-flip test of the mean: if the sides are alike, each difference could as well have the other
                                 sign (R. A. Fisher, The Design of Experiments, 1935, §21). Exact for up to 15 units that differ, else of random
                                 flips, at the least 1 in as many */
    double weight;            /* |mean| over its standard error: sorts measures of different units by how sure a difference is */
};
/* `units` differences each. Bootstrap and flips draw once for all measures, so that a measure costs what its units that differ cost: fewer draws
 * where that is millions of them (2,000 and 9,999, at the least 200 and 999). */
void pairs_test(struct pairs_measure *measures, size_t n, size_t units);

#endif
