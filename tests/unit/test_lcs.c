/* The longest common subsequence: as long as the plain table says, in order, and in time. */
#include "base/lcs.h"
#include "cpu.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static uint64_t seed = 11;
static uint32_t below(uint32_t n)
{
    seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)((seed >> 33) % n);
}

static size_t plain_length(const uint32_t *a, size_t n, const uint32_t *b, size_t m)
{
    size_t *row = calloc(m + 1, sizeof *row);
    for (size_t i = 0; i < n; i++) {
        size_t corner = 0;
        for (size_t j = 0; j < m; j++) {
            size_t above = row[j + 1];
            row[j + 1] = a[i] == b[j] ? corner + 1 : above > row[j] ? above : row[j];
            corner = above;
        }
    }
    size_t length = row[m];
    free(row);
    return length;
}

static size_t pairs_of(const uint32_t *a, size_t n, const uint32_t *b, size_t m, uint32_t symbols)
{
    struct arena scratch = {0};
    int32_t *partner = malloc((n + 1) * sizeof *partner), last = -1;
    size_t pairs = 0;
    lcs_pairs(&scratch, a, n, b, m, symbols, partner);
    for (size_t i = 0; i < n; i++) {
        if (partner[i] == LCS_NONE)
            continue;
        assert_true(partner[i] > last && (size_t)partner[i] < m);
        assert_int_equal(a[i], b[partner[i]]);
        last = partner[i];
        pairs++;
    }
    free(partner);
    arena_free(&scratch);
    return pairs;
}

static void as_long_as_can_be(void **state)
{
    (void)state;
    uint32_t a[300], b[300];
    for (int round = 0; round < 1500; round++) {
        uint32_t symbols = 1 + below(round % 3 == 0 ? 3 : round % 3 == 1 ? 20 : 400);
        size_t n = below(round % 5 ? 40 : 300), m = below(round % 7 ? 40 : 300);
        for (size_t i = 0; i < n; i++)
            a[i] = below(symbols);
        for (size_t i = 0; i < m; i++)
            b[i] = i < n && below(4) ? a[i] : below(symbols); /* partly alike, as runs are */
        assert_int_equal(pairs_of(a, n, b, m, symbols), plain_length(a, n, b, m));
    }
}

static void alike_is_paired_place_by_place(void **state)
{
    (void)state;
    const uint32_t a[] = {3, 1, 4, 1, 5}, b[] = {3, 1, 4, 1, 5};
    struct arena scratch = {0};
    int32_t partner[5];
    lcs_pairs(&scratch, a, 5, b, 5, 6, partner);
    for (int i = 0; i < 5; i++)
        assert_int_equal(partner[i], i);
    lcs_pairs(&scratch, a, 5, b, 0, 6, partner);
    assert_int_equal(partner[0], LCS_NONE);
    arena_free(&scratch);
}

/* 20,000 on each side, of one symbol, of few, of many, and none in common. */
static void long_rows_take_no_second(void **state)
{
    (void)state;
    enum { N = 20000 };
    uint32_t *a = malloc(N * sizeof *a), *b = malloc(N * sizeof *b);
    static const uint32_t kinds[] = {1, 2, 30, 1000, N};
    for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++) {
        for (size_t i = 0; i < N; i++) {
            a[i] = below(kinds[kind]);
            b[i] = below(kinds[kind]);
        }
        int64_t from = cpu_us();
        size_t pairs = pairs_of(a, N, b, N, N);
        int64_t took = cpu_us() - from;
        if (took > 1000000)
            fail_msg("%u symbols: %lld us", kinds[kind], (long long)took);
        assert_true(kinds[kind] == 1 ? pairs == N : pairs < N);
    }
    free(a);
    free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_long_as_can_be),
        cmocka_unit_test(alike_is_paired_place_by_place),
        cmocka_unit_test(long_rows_take_no_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
