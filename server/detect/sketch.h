/* How alike two texts are, from a few hashes of each. */
#ifndef DETECT_SKETCH_H
#define DETECT_SKETCH_H

#include "base/arena.h"

#include <stdint.h>

struct sketch {
    const uint32_t *hashes;     /* ascending, at most SKETCH_MAX */
    size_t n;
};
enum { SKETCH_MAX = 128 };

/* The smallest hashes of all words of a text and of all pairs of neighbouring words; of 64 KB at most. Case is folded, and each number is
 * the same word. In `a`. */
struct sketch sketch_make(struct arena *a, struct slice text);

/* The share, from 0 to 1, of what either has that both have. Exact for short texts, within a few percent for long ones. Where
 * it is below `least` it may be 0: most texts are told apart by their first few hashes. */
double sketch_likeness(const struct sketch *a, const struct sketch *b, double least);

#endif
