#include "base/stats.h"

#include <math.h>
#include <stdlib.h>

static double log_choose(size_t n, size_t k)
{
    int sign; /* lgamma() sets a global */
    return lgamma_r((double)n + 1, &sign) - lgamma_r((double)k + 1, &sign) - lgamma_r((double)(n - k) + 1, &sign);
}

static double log_hypergeometric(size_t x, size_t n1, size_t m1, size_t n)
{
    return log_choose(m1, x) + log_choose(n - m1, n1 - x) - log_choose(n, n1);
}

static size_t least(size_t n1, size_t m1, size_t n) { return n1 + m1 > n ? n1 + m1 - n : 0; }
static size_t most(size_t n1, size_t m1) { return n1 < m1 ? n1 : m1; }

double stats_fisher(size_t x, size_t n1, size_t m1, size_t n)
{
    static const double alike = 1e-7; /* probabilities that differ by rounding alone count as equal */
    double own = log_hypergeometric(x, n1, m1, n), sum = 0;
    for (size_t k = least(n1, m1, n); k <= most(n1, m1); k++) {
        double p = log_hypergeometric(k, n1, m1, n);
        if (p <= own + alike)
            sum += exp(p);
    }
    return sum < 1 ? sum : 1;
}

void strata_add(struct strata *s, size_t x, size_t n1, size_t m1, size_t n)
{
    if (n < 2 || n1 == 0 || n1 == n)
        return;
    double total = (double)n, in = (double)n1, out = (double)(n - n1), with = (double)m1, without = (double)(n - m1);
    s->a += (double)x;
    s->e += in * with / total;
    s->v += in * out * with * without / (total * total * (total - 1));
    s->low += (double)least(n1, m1, n);
    s->high += (double)most(n1, m1);
    s->difference += ((double)x * out - (double)(m1 - x) * in) / total;
    s->weight += in * out / total;
    s->n++;
}

bool strata_hold(const struct strata *s)
{
    enum { MANTEL_FLEISS = 5 };
    return s->e - s->low >= MANTEL_FLEISS && s->high - s->e >= MANTEL_FLEISS;
}

double strata_p(const struct strata *s)
{
    double off = fabs(s->a - s->e) - 0.5;
    if (s->v <= 0 || off <= 0)
        return 1;
    return erfc(sqrt(off * off / s->v / 2)); /* the upper tail of chi-square with one degree of freedom */
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double stats_bh(double *p, size_t n, double q)
{
    if (!n)
        return -1;
    qsort(p, n, sizeof *p, ascending);
    for (size_t i = n; i-- > 0;)
        if (p[i] <= q * (double)(i + 1) / (double)n)
            return p[i];
    return -1;
}

void stats_wilson(size_t x, size_t n, double *low, double *high)
{
    static const double z = 1.959963984540054;
    double total = (double)n, share = n ? (double)x / total : 0, z2 = z * z;
    *low = 0;
    *high = 1;
    if (!n)
        return;
    double centre = (share + z2 / (2 * total)) / (1 + z2 / total);
    double half = z / (1 + z2 / total) * sqrt(share * (1 - share) / total + z2 / (4 * total * total));
    *low = x == 0 || centre < half ? 0 : centre - half;
    *high = x == n || centre + half > 1 ? 1 : centre + half;
}

double stats_median(double *v, size_t n)
{
    qsort(v, n, sizeof *v, ascending);
    return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}
