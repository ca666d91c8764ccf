/* The largest eigenvalues of small dense symmetric matrices. Pure functions, the same result every time. */
#ifndef BASE_EIGEN_H
#define BASE_EIGEN_H

#include <stdbool.h>
#include <stddef.h>

/* Solves B v = λ C v for the k largest λ: values[k] descending, vectors[k * n], each with vᵀ C v = 1 and its largest part positive. B is symmetric,
 * C symmetric and positive definite, both n × n by rows; C is overwritten. For |λ| at most about 1, as correlations are: subspace iteration on
 * B + C after a Cholesky decomposition (G. Golub, C. Van Loan, Matrix Computations, 8.2.4 and 8.7.2). False: C is not positive definite. */
bool eigen_top(const double *b, double *c, size_t n, size_t k, double *values, double *vectors);

#endif
