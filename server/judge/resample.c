#include "judge/resample.h"

#include <math.h>
#include <stdlib.h>

static double log_factorial(size_t n)
{
    int sign; /* lgamma() sets a global */
    return lgamma_r((double)n + 1, &sign);
}

/* By inversion, from the mode outwards: of the order of the standard deviation steps. */
static size_t binomial(struct random *r, size_t n, double p)
{
    if (p <= 0 || n == 0)
        return 0;
    if (p >= 1)
        return n;
    double q = 1 - p, left = random_share(r);
    size_t mode = (size_t)(((double)n + 1) * p);
    if (mode > n)
        mode = n;
    double at = exp(log_factorial(n) - log_factorial(mode) - log_factorial(n - mode) + (double)mode * log(p) + (double)(n - mode) * log(q));
    double above = at, below = at;
    size_t high = mode, low = mode;
    left -= at;
    while (left >= 0 && (high < n || low > 0)) {
        if (high < n) {
            above *= (double)(n - high) / (double)(high + 1) * p / q;
            high++;
            left -= above;
            if (left < 0)
                return high;
        }
        if (low > 0) {
            below *= (double)low / (double)(n - low + 1) * q / p;
            low--;
            left -= below;
            if (left < 0)
                return low;
        }
    }
    return mode;
}

void resample_draw(struct random *r, const size_t *count, size_t m, size_t n, size_t *out)
{
    size_t units = n, draws = n; /* that are left: each cell in turn takes its binomial share of them */
    for (size_t i = 0; i < m; i++) {
        out[i] = count[i] >= units ? draws : binomial(r, draws, (double)count[i] / (double)units);
        draws -= out[i];
        units -= count[i];
    }
}

size_t resample_times(size_t m)
{
    enum { DRAWS = 4000000, LEAST = 200 };
    size_t times = DRAWS / (m ? m : 1);
    return times > BOOTSTRAP ? BOOTSTRAP : times < LEAST ? LEAST : times;
}

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

void resample_interval(double *v, size_t n, struct estimate *out)
{
    size_t defined = 0;
    for (size_t i = 0; i < n; i++)
        if (!isnan(v[i]))
            v[defined++] = v[i];
    out->low = out->high = NAN;
    if (!defined)
        return;
    qsort(v, defined, sizeof *v, ascending);
    out->low = quantile(v, defined, 0.025);
    out->high = quantile(v, defined, 0.975);
}
