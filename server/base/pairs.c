#include "base/pairs.h"

#include "base/random.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { DRAWS = 2000, DRAWS_LEAST = 200, FLIPS = 9999, FLIPS_LEAST = 999, WORK = 100000000, EXACT = 15 };
static const double ROUNDING = 1 - 1e-10; /* sums that differ by rounding alone count as equal */

/* A measure's units that say something. */
struct known {
    uint32_t *unit;        /* those that differ; all that are known, where some are not */
    double *difference;
    size_t n;
    bool all;              /* known everywhere: the others are 0 */
    double sum;
    size_t beyond;         /* flips that gave as much */
    double *means;         /* of the draws */
};

static void *room(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size);
    if (!p)
        abort();
    return p;
}

static void know(struct pairs_measure *m, size_t units, struct known *k)
{
    double squares = 0;
    m->n = 0;
    for (size_t i = 0; i < units; i++)
        m->n += !isnan(m->difference[i]);
    k->all = m->n == units;
    k->unit = room(m->n, sizeof *k->unit);
    k->difference = room(m->n, sizeof *k->difference);
    for (size_t i = 0; i < units; i++) {
        double d = m->difference[i];
        if (isnan(d) || (k->all && d == 0))
            continue;
        k->unit[k->n] = (uint32_t)i;
        k->difference[k->n++] = d;
        k->sum += d;
        squares += d * d;
    }
    double n = (double)m->n;
    m->mean = m->n ? k->sum / n : NAN;
    double variance = m->n > 1 ? (squares - n * m->mean * m->mean) / (n - 1) : 0;
    m->weight = m->n == 0 || k->sum == 0 ? 0 : variance > 1e-12 * squares ? fabs(m->mean) / sqrt(variance / n) : sqrt(n) * 1e3;
}

/* ---- the bootstrap ---------------------------------------------------------------------------------------------------------- */

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(const double *v, size_t n, double q)
{
    double at = q * (double)(n - 1), whole = floor(at);
    size_t i = (size_t)whole;
    return i + 1 < n ? v[i] + (at - whole) * (v[i + 1] - v[i]) : v[n - 1];
}

static double mean_of(const struct known *k, const uint32_t *times, size_t units)
{
    double sum = 0;
    size_t n = 0;
    for (size_t i = 0; i < k->n; i++) {
        sum += times[k->unit[i]] * k->difference[i];
        n += times[k->unit[i]];
    }
    n = k->all ? units : n;
    return n ? sum / (double)n : NAN;
}

static void draw(struct pairs_measure *measures, struct known *known, size_t n, size_t units, size_t draws)
{
    struct random random = {.state = 1};
    uint32_t *times = room(units, sizeof *times);
    for (size_t d = 0; d < draws; d++) {
        memset(times, 0, units * sizeof *times);
        for (size_t i = 0; i < units; i++)
            times[random_next(&random) % units]++;
        for (size_t i = 0; i < n; i++)
            known[i].means[d] = mean_of(&known[i], times, units);
    }
    free(times);
    for (size_t i = 0; i < n; i++) {
        double *v = known[i].means;
        size_t defined = 0;
        for (size_t d = 0; d < draws; d++)
            if (!isnan(v[d]))
                v[defined++] = v[d];
        qsort(v, defined, sizeof *v, ascending);
        measures[i].low = defined ? quantile(v, defined, 0.025) : NAN;
        measures[i].high = defined ? quantile(v, defined, 0.975) : NAN;
    }
}

/* ---- the sign-flip test ------------------------------------------------------------------------------------------------------ */

static double flipped(const struct known *k, const uint64_t *bits)
{
    double sum = 0;
    for (size_t i = 0; i < k->n; i++)
        sum += bits[k->unit[i] / 64] >> (k->unit[i] % 64) & 1 ? k->difference[i] : -k->difference[i];
    return sum;
}

/* All ways to flip, each one sign from the one before (Gray's code). */
static double exact(const struct known *k)
{
    double d[EXACT], sum = k->sum;
    size_t n = 0, beyond = 0;
    for (size_t i = 0; i < k->n; i++)
        if (k->difference[i] != 0)
            d[n++] = k->difference[i];
    for (size_t i = 0; i < (size_t)1 << n; i++) {
        beyond += fabs(sum) >= fabs(k->sum) * ROUNDING;
        size_t at = (size_t)__builtin_ctzll((i + 1) | (uint64_t)1 << n);
        if (at < n) {
            sum -= 2 * d[at];
            d[at] = -d[at];
        }
    }
    return (double)beyond / (double)((size_t)1 << n);
}

static size_t differing(const struct known *k)
{
    size_t n = 0;
    for (size_t i = 0; i < k->n; i++)
        n += k->difference[i] != 0;
    return n;
}

static void flip(struct pairs_measure *measures, struct known *known, size_t n, size_t units, size_t flips)
{
    struct random random = {.state = 2};
    size_t words = units / 64 + 1;
    uint64_t *bits = room(words, sizeof *bits);
    bool *few = room(n, sizeof *few);
    for (size_t i = 0; i < n; i++) {
        few[i] = differing(&known[i]) <= EXACT;
        if (few[i])
            measures[i].p = exact(&known[i]);
    }
    for (size_t f = 0; f < flips; f++) {
        for (size_t w = 0; w < words; w++)
            bits[w] = random_next(&random);
        for (size_t i = 0; i < n; i++)
            known[i].beyond += !few[i] && fabs(flipped(&known[i], bits)) >= fabs(known[i].sum) * ROUNDING;
    }
    for (size_t i = 0; i < n; i++)
        if (!few[i])
            measures[i].p = (double)(known[i].beyond + 1) / (double)(flips + 1);
    free(bits);
    free(few);
}

static size_t times_of(size_t work, size_t most, size_t least)
{
    size_t times = WORK / (work ? work : 1);
    return times > most ? most : times < least ? least : times;
}

void pairs_test(struct pairs_measure *measures, size_t n, size_t units)
{
    struct known *known = room(n, sizeof *known);
    size_t work = units;
    for (size_t i = 0; i < n; i++) {
        know(&measures[i], units, &known[i]);
        work += known[i].n;
    }
    size_t draws = times_of(work, DRAWS, DRAWS_LEAST);
    for (size_t i = 0; i < n; i++)
        known[i].means = room(draws, sizeof *known[i].means);
    draw(measures, known, n, units, draws);
    flip(measures, known, n, units, times_of(work, FLIPS, FLIPS_LEAST));
    for (size_t i = 0; i < n; i++) {
        free(known[i].unit);
        free(known[i].difference);
        free(known[i].means);
    }
    free(known);
}
