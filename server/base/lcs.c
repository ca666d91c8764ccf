#include "base/lcs.h"

#include <stdbool.h>
#include <string.h>

/* What one division needs, made once: the rows only ever become shorter. */
struct lcs {
    const uint32_t *a, *b;
    int32_t *partner;
    uint32_t *count, *start;   /* per symbol: how often it stands in this part of a, where its places begin in `places`; 0 between divisions */
    uint32_t *places;          /* of the symbols of a, symbol by symbol */
    uint64_t *v, *row;         /* bits of a's places: the state, and where the present symbol stands */
    uint64_t *dense;           /* the rows of symbols that are so frequent that setting their bits each time would cost more than reading them */
    uint32_t *dense_at;        /* per symbol: where its row begins in `dense`, in words, from 1; 0: it has none */
    uint32_t *forward, *backward;
};

enum { BITS = 64 };
static inline size_t words_of(size_t n) { return (n + BITS - 1) / BITS; }

/* Where each symbol of a[from, from + n) stands, from the side that is read first. A symbol that stands there more than n / 64 times has its row
 * of bits made ready: there are fewer than 64 of them, so that they take no more space than a. */
static void index_places(struct lcs *l, size_t from, size_t n, bool reversed)
{
    uint32_t at = 0, dense = 0;
    size_t words = words_of(n);
    for (size_t i = 0; i < n; i++)
        l->count[l->a[from + i]]++;
    for (size_t i = 0; i < n; i++) { /* a symbol's places begin where it is met first */
        uint32_t symbol = l->a[from + i];
        if (!l->count[symbol])
            continue;
        if (l->count[symbol] > words) {
            memset(l->dense + dense, 0, words * sizeof *l->dense);
            l->dense_at[symbol] = dense + 1;
            dense += (uint32_t)words;
        }
        l->start[symbol] = at;
        at += l->count[symbol];
        l->count[symbol] = 0;
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t symbol = l->a[reversed ? from + n - 1 - i : from + i];
        if (l->dense_at[symbol])
            l->dense[l->dense_at[symbol] - 1 + i / BITS] |= (uint64_t)1 << i % BITS;
        l->places[l->start[symbol] + l->count[symbol]++] = (uint32_t)i;
    }
}

static void forget_places(struct lcs *l, size_t from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        l->count[l->a[from + i]] = l->dense_at[l->a[from + i]] = 0;
}

/* Hyyro's step: a bit of v is 0 where the common subsequence becomes longer by one. */
static void advance(struct lcs *l, const uint64_t *row, size_t words)
{
    bool carry = false;
    for (size_t w = 0; w < words; w++) {
        uint64_t v = l->v[w], sum;
        bool first = __builtin_add_overflow(v, v & row[w], &sum), second = __builtin_add_overflow(sum, (uint64_t)carry, &sum);
        carry = first || second;
        l->v[w] = sum | (v & ~row[w]);
    }
}

static void advance_rare(struct lcs *l, uint32_t symbol, size_t words)
{
    const uint32_t *places = l->places + l->start[symbol];
    for (uint32_t k = 0; k < l->count[symbol]; k++)
        l->row[places[k] / BITS] |= (uint64_t)1 << places[k] % BITS;
    advance(l, l->row, words);
    for (uint32_t k = 0; k < l->count[symbol]; k++)
        l->row[places[k] / BITS] = 0;
}

/* out[i]: the length of the longest common subsequence of the first (reversed: the last) i of a's part and all of b's. */
static void lengths(struct lcs *l, size_t a, size_t n, size_t b, size_t m, bool reversed, uint32_t *out)
{
    size_t words = words_of(n);
    index_places(l, a, n, reversed);
    memset(l->v, 0xff, words * sizeof *l->v);
    for (size_t j = 0; j < m; j++) {
        uint32_t symbol = l->b[reversed ? b + m - 1 - j : b + j];
        if (l->dense_at[symbol])
            advance(l, l->dense + l->dense_at[symbol] - 1, words);
        else if (l->count[symbol])
            advance_rare(l, symbol, words);
    }
    forget_places(l, a, n);
    out[0] = 0;
    for (size_t i = 0; i < n; i++)
        out[i + 1] = out[i] + !(l->v[i / BITS] >> i % BITS & 1);
}

static void divide(struct lcs *l, size_t a, size_t n, size_t b, size_t m)
{
    while (n && m && l->a[a] == l->b[b]) {
        l->partner[a++] = (int32_t)b++;
        n--;
        m--;
    }
    while (n && m && l->a[a + n - 1] == l->b[b + m - 1]) {
        l->partner[a + n - 1] = (int32_t)(b + m - 1);
        n--;
        m--;
    }
    if (!n || !m)
        return;
    if (m == 1) {
        for (size_t i = 0; i < n; i++)
            if (l->a[a + i] == l->b[b]) {
                l->partner[a + i] = (int32_t)b;
                return;
            }
        return;
    }
    size_t half = m / 2, best = 0;
    lengths(l, a, n, b, half, false, l->forward);
    lengths(l, a, n, b + half, m - half, true, l->backward);
    for (size_t i = 1; i <= n; i++)
        if (l->forward[i] + l->backward[n - i] > l->forward[best] + l->backward[n - best])
            best = i;
    divide(l, a, best, b, half); /* as deep as m can be halved */
    divide(l, a + best, n - best, b + half, m - half);
}

void lcs_pairs(struct arena *scratch, const uint32_t *a, size_t n, const uint32_t *b, size_t m, uint32_t symbols, int32_t *partner)
{
    for (size_t i = 0; i < n; i++)
        partner[i] = LCS_NONE;
    if (!n || !m)
        return;
    size_t words = words_of(n);
    struct lcs l = {
        .a = a,
        .b = b,
        .partner = partner,
        .count = arena_array(scratch, uint32_t, symbols),
        .start = arena_array(scratch, uint32_t, symbols),
        .places = arena_array(scratch, uint32_t, n),
        .v = arena_array(scratch, uint64_t, words),
        .row = arena_array(scratch, uint64_t, words),
        .dense = arena_array(scratch, uint64_t, BITS * words),
        .dense_at = arena_array(scratch, uint32_t, symbols),
        .forward = arena_array(scratch, uint32_t, n + 1),
        .backward = arena_array(scratch, uint32_t, n + 1),
    };
    divide(&l, 0, n, 0, m);
}
