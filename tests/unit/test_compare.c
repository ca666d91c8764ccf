/* Two groups of runs: the statistics against published figures, the comparison against runs of which each number is known. */
#include "base/pairs.h"
#include "base/stats.h"
#include "detect/compare.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void close_to(double a, double b, double by)
{
    if (!(fabs(a - b) <= by))
        fail_msg("%g is not %g", a, b);
}

static void tests_as_published(void **state)
{
    const double p[] = {0.04, 0.01, 0.9, 0.005, 0.03};
    double low, high, adjusted[5];
    (void)state;
    close_to(stats_mcnemar(1, 7), 0.0703125, 1e-12); /* airway reactivity: Fagerland, Lydersen and Laake, Stat. Med. 33, 2014 */
    close_to(stats_mcnemar(7, 1), 0.0703125, 1e-12);
    close_to(stats_mcnemar(0, 0), 1, 0);
    close_to(stats_mcnemar(5, 5), 1, 0);
    close_to(stats_mcnemar(0, 2000), 0, 1e-300);
    stats_newcombe_paired(1, 1, 7, 12, &low, &high);
    close_to(low, -0.507, 0.0005);
    close_to(high, -0.026, 0.0005);
    stats_newcombe_paired(36, 12, 2, 0, &low, &high); /* Newcombe, 1998, p. 2635, table II */
    close_to(low, 0.0569, 0.00005);
    close_to(high, 0.3404, 0.00005);
    stats_newcombe_paired(20, 12, 2, 16, &low, &high);
    close_to(low, 0.0562, 0.00005);
    close_to(high, 0.3292, 0.00005);
    stats_newcombe(56, 70, 48, 80, &low, &high); /* Newcombe, 1998, p. 873, table II (a) */
    close_to(low, 0.0524, 0.00005);
    close_to(high, 0.3339, 0.00005);
    stats_newcombe(0, 0, 1, 2, &low, &high);
    close_to(high - low, 2, 0);
    stats_adjust(p, 5, adjusted); /* 0.005·5/1, 0.01·5/2, 0.03·5/3, 0.04·5/4, 0.9 and none above the next */
    close_to(adjusted[3], 0.025, 1e-12);
    close_to(adjusted[1], 0.025, 1e-12);
    close_to(adjusted[4], 0.05, 1e-12);
    close_to(adjusted[0], 0.05, 1e-12);
    close_to(adjusted[2], 0.9, 1e-12);
}

/* Darwin's maize, in eighths of an inch: of all 2^15 ways to flip, 1,726 give as much (Fisher, The Design of Experiments, §21). */
static void darwins_maize(void **state)
{
    static const double maize[] = {49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48};
    enum { PLANTS = 15, UNITS = 18 };
    double difference[UNITS], many[4 * PLANTS];
    struct pairs_measure m[2] = {{.difference = difference}, {0}};
    (void)state;
    for (size_t i = 0; i < UNITS; i++)
        difference[i] = i < PLANTS ? maize[i] : NAN; /* where one side is not known it says nothing */
    pairs_test(m, 1, UNITS);
    assert_int_equal(m[0].n, PLANTS);
    close_to(m[0].p, 1726.0 / 32768, 1e-9);
    close_to(m[0].mean, 314.0 / 15, 1e-9);
    close_to(m[0].weight, 2.148, 0.0005); /* Student's t of the same, ibid. §17 */
    assert_true(m[0].low > 0 && m[0].low < 8 && m[0].high > 34 && m[0].high < 42); /* Student's: 0.03 to 41.84; the bootstrap's is narrower */
    double before = m[0].low;
    for (size_t i = 0; i < 4 * (size_t)PLANTS; i++)
        many[i] = maize[i % PLANTS];
    m[1].difference = many;
    pairs_test(m + 1, 1, 4 * PLANTS); /* too many for all flips: t of 4.4 in the normal approximation, and drawn often enough to see it small */
    assert_true(m[1].p < 0.002 && m[1].p >= 1.0 / 10000);
    pairs_test(m, 1, UNITS);
    close_to(m[0].low, before, 0); /* the same every time */
}

/* Of two sides that are alike few are called different: at 5 %, of 400 some 20. */
static void alike_is_not_different(void **state)
{
    enum { WORLDS = 400, UNITS = 30 };
    uint64_t seed = 88172645463325252u;
    size_t sure = 0, covered = 0;
    (void)state;
    for (size_t w = 0; w < WORLDS; w++) {
        double d[UNITS];
        for (size_t i = 0; i < UNITS; i++) {
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
            d[i] = i % 5 == 0 ? (double)(seed >> 60) - 7.5 : (double)(seed >> 62) - 1.5;
        }
        struct pairs_measure m = {.difference = d};
        pairs_test(&m, 1, UNITS);
        sure += m.p <= 0.05;
        covered += m.low <= 0 && m.high >= 0;
    }
    assert_in_range(sure, 8, 34);
    assert_in_range(covered, WORLDS * 88 / 100, WORLDS * 98 / 100);
}

/* ---- groups -------------------------------------------------------------------------------------------------------------------- */

enum { TASKS = 40 };

struct made {
    struct run_fact runs[1000];
    struct slice tasks[TASKS + 1], exits[2];
    struct behavior_fact behaviors[2];
    uint32_t zero, one;
    struct run_facts facts;
};

static void add(struct made *m, uint32_t side, uint32_t task, enum verdict success, double calls, bool odd)
{
    struct run_fact *run = &m->runs[m->facts.n++];
    *run = (struct run_fact){.side = side, .task = task, .success = success, .exit_status = success == VERDICT_FAILED ? 2 : 1};
    for (size_t i = 0; i < RUN_MEASURES; i++)
        run->measure[i] = NAN;
    run->measure[MEASURE_CALLS] = calls;
    if (odd) {
        run->behaviors = &m->one;
        run->nbehaviors = 1;
    }
}

static struct made *make(void)
{
    struct made *m = calloc(1, sizeof *m);
    for (size_t i = 0; i <= TASKS; i++)
        m->tasks[i] = slice_str("t");
    m->exits[0] = slice_str("done");
    m->exits[1] = slice_str("gave up");
    m->behaviors[0] = (struct behavior_fact){slice_str("never"), KIND_NEAR_MISS};
    m->behaviors[1] = (struct behavior_fact){slice_str("guessing"), KIND_ODD_BEHAVIOR};
    m->one = 1;
    m->facts = (struct run_facts){.items = m->runs, .tasks = {m->tasks, TASKS + 1, 0}, .exits = {m->exits, 2, 0}, .behaviors = m->behaviors,
                                  .nbehaviors = 2};
    return m;
}

static const struct compare_row *row_of(const struct comparison *c, enum compare_what what, const char *name)
{
    for (size_t i = 0; i < c->nrows; i++)
        if (c->rows[i].what == what && (what == COMPARE_MEASURE ? c->rows[i].measure == MEASURE_CALLS : slice_is(c->rows[i].name, name)))
            return &c->rows[i];
    return NULL;
}

static void one_verdict_a_task_is_mcnemars(void **state)
{
    struct made *m = make();
    struct arena a = {0};
    struct comparison c;
    (void)state;
    for (uint32_t t = 1; t <= 21; t++) { /* 1 both, 1 the second alone, 7 the first alone, 12 neither */
        add(m, 0, t, t == 1 || (t > 2 && t <= 9) ? VERDICT_PASSED : VERDICT_FAILED, 3, false);
        add(m, 1, t, t <= 2 ? VERDICT_PASSED : VERDICT_FAILED, 3, false);
    }
    add(m, 0, 30, VERDICT_PASSED, 99, false); /* a task of one side alone, and a run of no task */
    add(m, 1, 0, VERDICT_PASSED, 99, false);
    compare_groups(&m->facts, &a, &c);
    assert_int_equal(c.test, COMPARE_MCNEMAR);
    assert_int_equal(c.shared, 21);
    assert_int_equal(c.without_task, 1);
    assert_true(c.wins == 1 && c.losses == 7 && c.ties == 13);
    close_to(c.p, 0.0703125, 1e-12);
    close_to(c.difference, -6.0 / 21, 1e-12);
    close_to(c.low, -0.507, 0.0005);
    close_to(c.high, -0.026, 0.0005);
    assert_int_equal(c.side[0].runs, 22);
    assert_int_equal(c.side[0].passed, 9);
    const struct compare_row *calls = row_of(&c, COMPARE_MEASURE, "calls");
    assert_non_null(calls);
    close_to(calls->difference, 0, 0);
    close_to(calls->p, 1, 0);
    assert_true(fabs((double)c.tasks[0].passed[1] - (double)c.tasks[0].passed[0]) == 1); /* what differs comes first */
    arena_free(&a);
    free(m);
}

/* The second side passes more on every task and less in all: it ran the hard one more often. Tasks are what counts. */
static void tasks_are_the_unit(void **state)
{
    struct made *m = make();
    struct arena a = {0};
    struct comparison c;
    (void)state;
    for (uint32_t t = 1; t <= TASKS; t++) {
        size_t n[SIDES] = {t <= TASKS / 2 ? 9 : 1, t <= TASKS / 2 ? 1 : 9};
        for (uint32_t s = 0; s < SIDES; s++)
            for (size_t i = 0; i < n[s]; i++) {
                bool easy = t <= TASKS / 2, passed = easy ? s == 1 || i != 0 : s == 1 && i == 0;
                add(m, s, t, passed ? VERDICT_PASSED : VERDICT_FAILED, 10 + s + (double)(t % 3), s == 1 && i == 0);
            }
    }
    compare_groups(&m->facts, &a, &c);
    assert_true(c.side[1].passed * c.side[0].runs < c.side[0].passed * c.side[1].runs);
    assert_int_equal(c.test, COMPARE_BOOTSTRAP);
    close_to(c.difference, (1.0 / 9 + 1.0 / 9) / 2, 1e-9);
    assert_int_equal(c.wins, TASKS);
    close_to(c.p, 1e-4, 1e-9);
    assert_true(c.low > 0.11 && c.high < 0.112);
    const struct compare_row *calls = row_of(&c, COMPARE_MEASURE, "calls"), *odd = row_of(&c, COMPARE_BEHAVIOR, "guessing");
    close_to(calls->difference, 1, 1e-12);
    close_to(calls->mean[1] - calls->mean[0], 1, 1e-12);
    close_to(odd->mean[0], 0, 0);
    close_to(odd->mean[1], (1 + 1.0 / 9) / 2, 1e-9);
    assert_true(odd->adjusted < 0.001 && odd->runs[0] == 0 && odd->runs[1] == TASKS);
    assert_true(odd->kind == KIND_ODD_BEHAVIOR);
    assert_null(row_of(&c, COMPARE_BEHAVIOR, "never")); /* nobody did it */
    size_t sum = 0;
    for (size_t b = 0; b < c.histograms[MEASURE_CALLS].bins; b++)
        sum += c.histograms[MEASURE_CALLS].counts[0][b] + c.histograms[MEASURE_CALLS].counts[1][b];
    assert_int_equal(sum, m->facts.n);
    assert_int_equal(c.histograms[MEASURE_COST].bins, 0);
    arena_free(&a);
    free(m);
}

static void nothing_shared_is_nothing_compared(void **state)
{
    struct made *m = make();
    struct arena a = {0};
    struct comparison c;
    (void)state;
    compare_groups(&m->facts, &a, &c);
    assert_true(c.test == COMPARE_NONE && c.nrows == 0 && isnan(c.difference));
    add(m, 0, 1, VERDICT_PASSED, 1, true);
    add(m, 1, 2, VERDICT_FAILED, 1, true);
    add(m, 1, 3, VERDICT_UNKNOWN, NAN, true);
    compare_groups(&m->facts, &a, &c);
    assert_true(c.test == COMPARE_FISHER && c.shared == 0 && c.ntasks == 0 && c.judged == 0);
    for (size_t i = 0; i < c.nrows; i++)
        assert_int_equal(c.rows[i].tasks, 0);
    add(m, 1, 1, VERDICT_UNKNOWN, NAN, true); /* shared, but one side has no verdict and no number */
    compare_groups(&m->facts, &a, &c);
    assert_true(c.test == COMPARE_NONE && c.shared == 1 && c.judged == 0);
    arena_free(&a);
    free(m);
}

/* Newcombe 1998, p. 876, example (a): 56 of 70 less 48 of 80 is .2000, by method 10 .0524 to .3339. */
static void without_shared_tasks_runs_are_compared(void **state)
{
    struct made *m = make();
    struct arena a = {0};
    struct comparison c;
    (void)state;
    for (uint32_t i = 0; i < 80; i++)
        add(m, 0, 1, i < 48 ? VERDICT_PASSED : VERDICT_FAILED, NAN, false);
    for (uint32_t i = 0; i < 70; i++)
        add(m, 1, 2, i < 56 ? VERDICT_PASSED : VERDICT_FAILED, NAN, false);
    compare_groups(&m->facts, &a, &c);
    assert_true(c.test == COMPARE_FISHER && c.shared == 0);
    assert_float_equal(c.difference, .2, 1e-9);
    assert_float_equal(c.low, .0524, 5e-5);
    assert_float_equal(c.high, .3339, 5e-5);
    assert_float_equal(c.p, stats_fisher(48, 80, 104, 150), 1e-12);
    assert_true(c.p < .02);
    arena_free(&a);
    free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tests_as_published),
        cmocka_unit_test(darwins_maize),
        cmocka_unit_test(alike_is_not_different),
        cmocka_unit_test(one_verdict_a_task_is_mcnemars),
        cmocka_unit_test(tasks_are_the_unit),
        cmocka_unit_test(without_shared_tasks_runs_are_compared),
        cmocka_unit_test(nothing_shared_is_nothing_compared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
