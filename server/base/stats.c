#include "base/stats.h"

#include <math.h>
#include <stdlib.h>

static double log_factorial(size_t n)
{
    int sign; /* lgamma() sets a global */
    return lgamma_r((double)n + 1, &sign);
}

static size_t least(size_t n1, size_t m1, size_t n) { return n1 + m1 > n ? n1 + m1 - n : 0; }
static size_t most(size_t n1, size_t m1) { return n1 < m1 ? n1 : m1; }

struct margins {
    size_t n1, m1, n;
};

/* What of a table's log probability depends on x; the rest is the same for all tables of these margins. */
static double log_weight(const struct margins *t, size_t x)
{
    return -log_factorial(x) - log_factorial(t->n1 - x) - log_factorial(t->m1 - x) - log_factorial(t->n - t->n1 - (t->m1 - x));
}

/* The x nearest to the mode, from there to the end, that is no likelier than `limit` says; false: none is. */
static bool nearest(const struct margins *t, size_t mode, size_t end, double limit, size_t *x)
{
    size_t likelier = mode;
    *x = end;
    if (log_weight(t, end) > limit)
        return false;
    for (;;) {
        size_t middle = *x > likelier ? likelier + (*x - likelier) / 2 : likelier - (likelier - *x) / 2;
        if (middle == likelier)
            return true;
        if (log_weight(t, middle) > limit)
            likelier = middle;
        else
            *x = middle;
    }
}

/* The sum of the probabilities from x on to the end, of tables that become less likely: each follows from the one before. */
static double tail(const struct margins *t, size_t x, bool up, double log_p)
{
    static const double nothing = 1e-18;
    size_t low = least(t->n1, t->m1, t->n), high = most(t->n1, t->m1);
    double sum = 1, term = 1;
    while (x != (up ? high : low) && term > nothing * sum) {
        size_t k = up ? x : x - 1; /* of k and k + 1 */
        double ratio = (double)(t->n1 - k) * (double)(t->m1 - k) / ((double)(k + 1) * (double)(t->n - t->n1 - (t->m1 - k) + 1));
        term *= up ? ratio : 1 / ratio;
        sum += term;
        x = up ? x + 1 : x - 1;
    }
    return exp(log_p) * sum;
}

double stats_fisher(size_t x, size_t n1, size_t m1, size_t n)
{
    static const double alike = 1e-7; /* probabilities that differ by rounding alone count as equal */
    const struct margins t = {n1, m1, n};
    size_t low = least(n1, m1, n), high = most(n1, m1);
    size_t mode = (size_t)(((double)n1 + 1) * ((double)m1 + 1) / ((double)n + 2));
    double own = log_weight(&t, x), limit = own + alike;
    if (log_weight(&t, mode) <= limit)
        return 1;
    double all = log_factorial(n) - log_factorial(n1) - log_factorial(n - n1) - log_factorial(m1) - log_factorial(n - m1);
    bool up = x > mode;
    double sum = tail(&t, x, up, own - all);
    size_t other;
    if (nearest(&t, mode, up ? low : high, limit, &other))
        sum += tail(&t, other, !up, log_weight(&t, other) - all);
    return sum < 1 ? sum : 1;
}

double stats_extremes(size_t x1, size_t n1, size_t x0, size_t n0, size_t k)
{
    return stats_fisher(x1, n1, x1 + x0, n1 + n0) * (double)k * (double)(k - 1) / 2;
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
    s->share += (double)x * out / total;
    s->others += (double)(m1 - x) * in / total;
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

struct ranked {
    double p;
    size_t place;
};

static int by_p(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    return x->p != y->p ? (x->p < y->p ? -1 : 1) : (x->place > y->place) - (x->place < y->place);
}

void stats_adjust(const double *p, size_t n, double *out)
{
    struct ranked *ranked = malloc((n ? n : 1) * sizeof *ranked);
    double least = 1;
    if (!ranked)
        abort();
    for (size_t i = 0; i < n; i++)
        ranked[i] = (struct ranked){p[i], i};
    qsort(ranked, n, sizeof *ranked, by_p);
    for (size_t i = n; i-- > 0;) {
        least = fmin(least, ranked[i].p * (double)n / (double)(i + 1));
        out[ranked[i].place] = least;
    }
    free(ranked);
}

double stats_mcnemar(size_t b, size_t c)
{
    static const double nothing = 1e-18;
    size_t n = b + c, k = b < c ? b : c;
    double term = exp(log_factorial(n) - log_factorial(k) - log_factorial(n - k) - (double)n * log(2)), sum = term;
    for (; k > 0 && term > nothing * sum; k--) {
        term *= (double)k / (double)(n - k + 1);
        sum += term;
    }
    return b == c ? 1 : fmin(1, 2 * sum);
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

void stats_newcombe(size_t x1, size_t n1, size_t x2, size_t n2, double *low, double *high)
{
    double l1, u1, l2, u2;
    *low = -1;
    *high = 1;
    if (!n1 || !n2)
        return;
    double p1 = (double)x1 / (double)n1, p2 = (double)x2 / (double)n2;
    stats_wilson(x1, n1, &l1, &u1);
    stats_wilson(x2, n2, &l2, &u2);
    *low = p1 - p2 - hypot(p1 - l1, u2 - p2);
    *high = p1 - p2 + hypot(u1 - p1, p2 - l2);
}

/* How far the sides go together, with Newcombe's correction for continuity where they do. */
static double phi(double a, double b, double c, double d)
{
    double margins = (a + b) * (c + d) * (a + c) * (b + d), product = a * d - b * c, half = (a + b + c + d) / 2;
    if (margins <= 0)
        return 0;
    return (product > half ? product - half : product > 0 ? 0 : product) / sqrt(margins);
}

void stats_newcombe_paired(size_t both, size_t first, size_t second, size_t neither, double *low, double *high)
{
    double l1, u1, l2, u2;
    size_t n = both + first + second + neither;
    *low = -1;
    *high = 1;
    if (!n)
        return;
    double p1 = (double)(both + first) / (double)n, p2 = (double)(both + second) / (double)n;
    double together = phi((double)both, (double)first, (double)second, (double)neither);
    stats_wilson(both + first, n, &l1, &u1);
    stats_wilson(both + second, n, &l2, &u2);
    *low = p1 - p2 - sqrt(fmax(0, (p1 - l1) * (p1 - l1) - 2 * together * (p1 - l1) * (u2 - p2) + (u2 - p2) * (u2 - p2)));
    *high = p1 - p2 + sqrt(fmax(0, (u1 - p1) * (u1 - p1) - 2 * together * (u1 - p1) * (p2 - l2) + (p2 - l2) * (p2 - l2)));
}

static void swap(double *x, double *y)
{
    double z = *x;
    *x = *y;
    *y = z;
}

/* Hoare's selection with the median of three as the pivot, so that orders which are sorted already are good ones; what still is no half of it
 * after so many turns is sorted. */
double stats_select(double *v, size_t n, size_t k)
{
    size_t low = 0, high = n - 1;
    for (int turns = 64; low < high; turns--) {
        double *middle = &v[low + (high - low) / 2];
        if (!turns) {
            qsort(v + low, high - low + 1, sizeof *v, ascending);
            break;
        }
        if (*middle < v[low])
            swap(middle, &v[low]);
        if (v[high] < v[low])
            swap(&v[high], &v[low]);
        if (v[high] < *middle)
            swap(&v[high], middle);
        double pivot = *middle;
        size_t i = low, j = high;
        for (;;) {
            while (v[i] < pivot)
                i++;
            while (pivot < v[j])
                j--;
            if (i >= j)
                break;
            swap(&v[i++], &v[j--]);
        }
        if (k <= j)
            high = j;
        else
            low = j + 1;
    }
    return v[k];
}

double stats_median(double *v, size_t n)
{
    double upper = stats_select(v, n, n / 2), lower = v[0];
    for (size_t i = 1; i < n / 2; i++)
        lower = v[i] > lower ? v[i] : lower;
    return n % 2 ? upper : (lower + upper) / 2;
}
