/* Tests and intervals, in the forms in which they are exact or known to hold for few observations. Pure functions. */
#ifndef BASE_STATS_H
#define BASE_STATS_H

#include <stdbool.h>
#include <stddef.h>

/* The two-sided P of Fisher's exact test that x or a less likely number of the n1 in a group are among the m1 of all N that have a mark:
 * the sum of all hypergeometric probabilities that are not greater than that of x (R. A. Fisher, 1935; A. Agresti, Categorical Data
 * Analysis, 3.5). Takes a number of steps of the order of the square root of n: tails are summed until they add nothing. */
double stats_fisher(size_t x, size_t n1, size_t m1, size_t n);

/* Of k groups, the two that lie farthest apart: Fisher's P of x1 of n1 against x0 of n0, times the k (k - 1) / 2 pairs there are to choose
 * from (Bonferroni). 1 or more: such a difference is what chance makes. */
double stats_extremes(size_t x1, size_t n1, size_t x0, size_t n0, size_t k);

/* The Cochran-Mantel-Haenszel test of one mark in two groups over strata, with continuity correction: X² = (|A - E| - 1/2)² / V, of one
 * degree of freedom (N. Mantel, W. Haenszel, J. Natl. Cancer Inst. 22, 1959). */
struct strata {
    double a;               /* in the group, with the mark */
    double e, v;            /* what a would be, and its variance, were the mark blind to the group */
    double low, high;       /* the least and most that a could be */
    double share, others;   /* with the mark, of the group and of the others: Σ w p, where w = n1 n0 / N. Divided by `weight` they are */
    double weight;          /* standardised shares, and their difference the Mantel-Haenszel risk difference: Σ w */
    size_t n;               /* strata that say something */
};
/* A stratum of N with n1 in the group and m1 with the mark, x of them in the group. */
void strata_add(struct strata *s, size_t x, size_t n1, size_t m1, size_t n);
/* Mantel and Fleiss: |E - low| and |high - E| are 5 or more, else the distribution is no chi-square (Am. J. Epidemiol. 112, 1980). */
bool strata_hold(const struct strata *s);
double strata_p(const struct strata *s);

/* Benjamini and Hochberg (J. R. Stat. Soc. B 57, 1995): the greatest P that is still rejected at false discovery rate q, of p[n] in any
 * order; negative: none is. Sorts p. */
double stats_bh(double *p, size_t n, double q);

/* The same the other way round: out[i] is the smallest false discovery rate at which p[i] would still be rejected, the adjusted P. p stays as it
 * is. */
void stats_adjust(const double *p, size_t n, double *out);

/* The exact two-sided P of McNemar's test: of pairs that differ, b do so one way and c the other, which is a fair coin if the sides are alike
 * (Q. McNemar, Psychometrika 12, 1947; exact: A. Agresti, Categorical Data Analysis, 11.1). */
double stats_mcnemar(size_t b, size_t c);

/* The 95 % interval of the difference of two shares x1/n1 - x2/n2 of different units, from Wilson's (R. Newcombe, Stat. Med. 17, 1998, p. 873,
 * method 10). A side of nothing gives -1 to 1. */
void stats_newcombe(size_t x1, size_t n1, size_t x2, size_t n2, double *low, double *high);
/* The same of the same units, each seen on both sides: both, first and second alone, neither (Newcombe, ibid., p. 2635, method 10). */
void stats_newcombe_paired(size_t both, size_t first, size_t second, size_t neither, double *low, double *high);

/* Wilson's interval of a share (J. Am. Stat. Assoc. 22, 1927), at 95 %; n 0 gives 0 to 1. */
void stats_wilson(size_t x, size_t n, double *low, double *high);

/* The k-th smallest (from 0) of v[n], k < n, in linear time on most orders and n log n on any. It comes to stand at v[k], with nothing that is
 * larger before it and nothing that is smaller behind it. No NAN among them. */
double stats_select(double *v, size_t n, size_t k);
/* The median of v[n], n > 0. Puts them into the order of stats_select(v, n, n / 2). */
double stats_median(double *v, size_t n);

#endif
