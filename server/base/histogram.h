/* Counts of durations, as Prometheus has histograms. All functions from any thread. */
#ifndef BASE_HISTOGRAM_H
#define BASE_HISTOGRAM_H

#include "base/str.h"

#include <stdatomic.h>
#include <stdint.h>

/* From what memory answers to what an import of gigabytes takes: 1, 5, 25, 100 ms, 0.5, 2.5, 10, 60, 600 s. */
enum { HISTOGRAM_BOUNDS = 9 };

struct histogram { /* zeros: empty */
    atomic_ullong buckets[HISTOGRAM_BOUNDS + 1], micros;
};
void histogram_add(struct histogram *h, int64_t microseconds);
uint64_t histogram_count(const struct histogram *h);
/* Its lines in Prometheus' text format. `labels`: 'a="b",c="d"', or "". */
void histogram_write(struct str *out, const char *name, const char *labels, const struct histogram *h);

#endif
