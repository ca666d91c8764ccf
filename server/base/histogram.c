#include "base/histogram.h"

static const int64_t bounds[HISTOGRAM_BOUNDS] = {1000, 5000, 25000, 100000, 500000, 2500000, 10000000, 60000000, 600000000};

void histogram_add(struct histogram *h, int64_t microseconds)
{
    int bucket = 0;
    while (bucket < HISTOGRAM_BOUNDS && microseconds > bounds[bucket])
        bucket++;
    atomic_fetch_add_explicit(&h->buckets[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&h->micros, (unsigned long long)(microseconds > 0 ? microseconds : 0), memory_order_relaxed);
}

uint64_t histogram_count(const struct histogram *h)
{
    uint64_t sum = 0;
    for (int i = 0; i <= HISTOGRAM_BOUNDS; i++)
        sum += atomic_load_explicit(&h->buckets[i], memory_order_relaxed);
    return sum;
}

void histogram_write(struct str *out, const char *name, const char *labels, const struct histogram *h)
{
    unsigned long long sum = 0;
    const char *comma = *labels ? "," : "", *open = *labels ? "{" : "", *close = *labels ? "}" : "";
    for (int i = 0; i <= HISTOGRAM_BOUNDS; i++) {
        sum += atomic_load_explicit(&h->buckets[i], memory_order_relaxed);
        if (i < HISTOGRAM_BOUNDS)
            str_printf(out, "%s_bucket{%s%sle=\"%g\"} %llu\n", name, labels, comma, (double)bounds[i] / 1e6, sum);
        else
            str_printf(out, "%s_bucket{%s%sle=\"+Inf\"} %llu\n", name, labels, comma, sum);
    }
    str_printf(out, "%s_sum%s%s%s %.6f\n%s_count%s%s%s %llu\n", name, open, labels, close,
               (double)atomic_load_explicit(&h->micros, memory_order_relaxed) / 1e6, name, open, labels, close, sum);
}
