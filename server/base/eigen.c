#include "base/eigen.h"

#include "base/random.h"

#include <math.h>
#include <stdlib.h>

enum { ROUNDS = 300, SPARE = 12, SWEEPS = 60 };

static double *room(size_t n)
{
    double *p = calloc(n ? n : 1, sizeof *p);
    if (!p)
        abort();
    return p;
}

static double dot(const double *a, const double *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

/* C becomes L of L Lᵀ, in its lower half. */
static bool cholesky(double *c, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < i; j++)
            c[i * n + j] = (c[i * n + j] - dot(&c[i * n], &c[j * n], j)) / c[j * n + j];
        double left = c[i * n + i] - dot(&c[i * n], &c[i * n], i);
        if (!(left > 0))
            return false;
        c[i * n + i] = sqrt(left);
    }
    return true;
}

static void solve_lower(const double *l, size_t n, double *x)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (x[i] - dot(&l[i * n], x, i)) / l[i * n + i];
}

static void solve_upper(const double *l, size_t n, double *x) /* Lᵀ */
{
    for (size_t i = n; i-- > 0;) {
        x[i] /= l[i * n + i];
        for (size_t j = 0; j < i; j++)
            x[j] -= l[i * n + j] * x[i];
    }
}

/* L⁻¹ B L⁻ᵀ: rows first, and as what is left is symmetric, rows again. */
static double *reduce(const double *b, const double *l, size_t n)
{
    double *half = room(n * n), *m = room(n * n);
    for (size_t i = 0; i < n * n; i++)
        half[i] = b[i];
    for (size_t i = 0; i < n; i++)
        solve_lower(l, n, &half[i * n]); /* B L⁻ᵀ, by rows */
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            m[j * n + i] = half[i * n + j];
    for (size_t j = 0; j < n; j++)
        solve_lower(l, n, &m[j * n]);
    free(half);
    return m;
}

static void orthonormal(double *v, size_t p, size_t n, struct random *random)
{
    for (size_t i = 0; i < p; i++) {
        double *x = &v[i * n];
        for (int turn = 0; turn < 2; turn++) /* twice is enough */
            for (size_t j = 0; j < i; j++) {
                double along = dot(x, &v[j * n], n);
                for (size_t k = 0; k < n; k++)
                    x[k] -= along * v[j * n + k];
            }
        double length = sqrt(dot(x, x, n));
        if (length < 1e-12) { /* nothing is left of it: another direction, next time */
            for (size_t k = 0; k < n; k++)
                x[k] = random_share(random) - 0.5;
            length = sqrt(dot(x, x, n));
        }
        for (size_t k = 0; k < n; k++)
            x[k] /= length;
    }
}

/* w = (M + 1) v for each of p vectors. */
static void apply(const double *m, size_t n, size_t p, const double *v, double *w)
{
    for (size_t i = 0; i < p; i++)
        for (size_t r = 0; r < n; r++)
            w[i * n + r] = dot(&m[r * n], &v[i * n], n) + v[i * n + r];
}

/* Jacobi's rotations: s becomes diagonal, u its eigenvectors by rows. */
static void jacobi(double *s, double *u, size_t p)
{
    for (size_t i = 0; i < p * p; i++)
        u[i] = i % (p + 1) == 0;
    for (int sweep = 0; sweep < SWEEPS; sweep++) {
        double off = 0;
        for (size_t i = 0; i < p; i++)
            for (size_t j = i + 1; j < p; j++) {
                double x = s[i * p + j];
                off += x * x;
                if (fabs(x) < 1e-300)
                    continue;
                double theta = (s[j * p + j] - s[i * p + i]) / (2 * x);
                double t = (theta >= 0 ? 1 : -1) / (fabs(theta) + sqrt(theta * theta + 1)), cos = 1 / sqrt(t * t + 1), sin = t * cos;
                for (size_t k = 0; k < p; k++) {
                    double a = s[i * p + k], b = s[j * p + k];
                    s[i * p + k] = cos * a - sin * b;
                    s[j * p + k] = sin * a + cos * b;
                }
                for (size_t k = 0; k < p; k++) {
                    double a = s[k * p + i], b = s[k * p + j];
                    s[k * p + i] = cos * a - sin * b;
                    s[k * p + j] = sin * a + cos * b;
                    a = u[i * p + k], b = u[j * p + k];
                    u[i * p + k] = cos * a - sin * b;
                    u[j * p + k] = sin * a + cos * b;
                }
            }
        if (off < 1e-24)
            break;
    }
}

/* The best of the space that v spans: Rayleigh and Ritz. */
static void choose(const double *m, size_t n, size_t p, size_t k, const double *v, double *values, double *vectors)
{
    double *w = room(p * n), *s = room(p * p), *u = room(p * p);
    apply(m, n, p, v, w);
    for (size_t i = 0; i < p; i++)
        for (size_t j = 0; j < p; j++)
            s[i * p + j] = dot(&v[i * n], &w[j * n], n);
    jacobi(s, u, p);
    for (size_t out = 0; out < k; out++) {
        size_t best = p;
        for (size_t i = 0; i < p; i++)
            if (!isnan(s[i * p + i]) && (best == p || s[i * p + i] > s[best * p + best]))
                best = i;
        values[out] = best < p ? s[best * p + best] - 1 : 0;
        for (size_t r = 0; r < n; r++) {
            double sum = 0;
            for (size_t i = 0; best < p && i < p; i++)
                sum += u[best * p + i] * v[i * n + r];
            vectors[out * n + r] = sum;
        }
        if (best < p)
            s[best * p + best] = NAN; /* taken */
    }
    free(w);
    free(s);
    free(u);
}

static void turn_positive(double *v, size_t n)
{
    size_t most = 0;
    for (size_t i = 0; i < n; i++)
        if (fabs(v[i]) > fabs(v[most]))
            most = i;
    if (n && v[most] < 0)
        for (size_t i = 0; i < n; i++)
            v[i] = -v[i];
}

bool eigen_top(const double *b, double *c, size_t n, size_t k, double *values, double *vectors)
{
    struct random random = {.state = 3};
    size_t p = k + SPARE < n ? k + SPARE : n;
    if (!cholesky(c, n))
        return false;
    double *m = reduce(b, c, n), *v = room(p * n), *w = room(p * n);
    for (size_t i = 0; i < p * n; i++)
        v[i] = random_share(&random) - 0.5;
    orthonormal(v, p, n, &random);
    for (int round = 0; round < ROUNDS; round++) {
        double *before = v;
        apply(m, n, p, v, w);
        v = w;
        w = before;
        orthonormal(v, p, n, &random);
    }
    choose(m, n, p, k, v, values, vectors);
    for (size_t i = 0; i < k; i++) {
        solve_upper(c, n, &vectors[i * n]);
        turn_positive(&vectors[i * n], n);
    }
    free(m);
    free(v);
    free(w);
    return true;
}
