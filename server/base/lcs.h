/* The longest common subsequence of two rows of symbols: what two runs, or two texts, have in common in the same order. */
#ifndef BASE_LCS_H
#define BASE_LCS_H

#include "base/arena.h"

#include <stddef.h>
#include <stdint.h>

enum { LCS_NONE = -1 };

/* Pairs a[0 … n) with b[0 … m): partner[i] gets the place in b of what a[i] is paired with, or LCS_NONE; pairs are of equal symbols, rise on both
 * sides, and are as many as there can be. Symbols are below `symbols`. Space O(n + m + symbols), time O(n m / 64): Hirschberg's division (1975)
 * over the bit vectors of Hyyro (2004). */
void lcs_pairs(struct arena *scratch, const uint32_t *a, size_t n, const uint32_t *b, size_t m, uint32_t symbols, int32_t *partner);

#endif
