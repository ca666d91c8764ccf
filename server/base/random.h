/* Random numbers that come again: the same start gives the same numbers on every machine. Not for secrets. */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stdint.h>

/* SplitMix64 (G. Steele, D. Lea, C. Flood, Fast Splittable Pseudorandom Number Generators, OOPSLA 2014). Any start is a seed. */
struct random { uint64_t state; };
uint64_t random_next(struct random *r);
double random_share(struct random *r); /* 0 <= x < 1 */

#endif
