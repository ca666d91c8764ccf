/* Private to the statistics: the bootstrap over units. Units that look alike are one cell with a count, so that a resample is one draw from a
 * multinomial distribution and costs the same for a thousand units as for a million. */
#ifndef JUDGE_RESAMPLE_H
#define JUDGE_RESAMPLE_H

#include "base/random.h"
#include "judge/agree.h"

/* One resample of n units, n the sum of count[m]: out[i] of them are of cell i. */
void resample_draw(struct random *r, const size_t *count, size_t m, size_t n, size_t *out);
/* How many resamples m cells get: BOOTSTRAP, less where that would take seconds, but 200 at least. */
size_t resample_times(size_t m);
/* The percentile interval: the 2.5 and 97.5 percent points of v[n], those that are NAN left out; NAN where none is left. Sorts v. */
void resample_interval(double *v, size_t n, struct estimate *out);

#endif
