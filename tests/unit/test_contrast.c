/* The statistics against values worked out by hand, and the contrast of groups against runs of which is known how they were made. */
#include "base/stats.h"
#include "detect/contrast.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static void near(double a, double b) { assert_true(fabs(a - b) < 1e-9); }

static void tests_by_hand(void **state)
{
    double low, high, v[] = {3, 1, 2, 10}, p[] = {0.03, 0.005, 0.04, 0.01, 0.9};
    struct strata s = {0};
    (void)state;
    near(stats_fisher(3, 4, 4, 8), 34.0 / 70);            /* Fisher's tea: 1 + 16 on both sides, of 70 */
    near(stats_fisher(4, 4, 4, 8), 2.0 / 70);
    near(stats_fisher(0, 5, 0, 9), 1);
    strata_add(&s, 10, 20, 15, 50);
    strata_add(&s, 8, 10, 12, 30);
    strata_add(&s, 0, 0, 3, 9);                           /* says nothing */
    near(s.e, 10);
    near(s.v, 4.226600985221675);                         /* 2.571428571 + 1.655172414 */
    near(strata_p(&s), 0.00026419628160208655);           /* X² = 7.5² / V = 13.3086 */
    assert_int_equal(s.n, 2);
    assert_false(strata_hold(&(struct strata){.e = 3, .high = 9}));
    assert_true(strata_hold(&s));
    near((s.share - s.others) / s.weight, ((10 * 30 - 5 * 20) / 50.0 + (8 * 20 - 4 * 10) / 30.0) / (20 * 30 / 50.0 + 10 * 20 / 30.0));
    near(stats_bh(p, 5, 0.05), 0.04);                     /* the fourth: 0.04 <= 4/5 of 0.05 */
    near(stats_bh(p, 5, 0.01), -1);                       /* 0.005 > 1/5 of 0.01, and so on */
    stats_wilson(5, 10, &low, &high);
    near(low, 0.236593090512564);
    near(high, 0.7634069094874361);
    stats_wilson(0, 10, &low, &high);
    near(low, 0);
    near(high, 0.2775327998628892);
    stats_wilson(0, 0, &low, &high);
    near(high - low, 1);
    near(stats_median(v, 4), 2.5);
    near(stats_median(v, 3), 2);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* What selection finds stands where a sort would put it: in any order, with many that are equal, at both ends. */
static void selection_agrees_with_sorting(void **state)
{
    (void)state;
    enum { MOST = 700 };
    double v[MOST], sorted[MOST];
    uint32_t dice = 5;
    for (size_t n = 1; n < MOST; n += n / 9 + 1)
        for (int shape = 0; shape < 5; shape++)
            for (int turn = 0; turn < 6; turn++) {
                for (size_t i = 0; i < n; i++) {
                    dice = dice * 1664525 + 1013904223;
                    v[i] = shape == 0 ? dice >> 8 : shape == 1 ? dice >> 8 & 3 : shape == 2 ? (double)i : shape == 3 ? -(double)i : 7;
                }
                memcpy(sorted, v, sizeof v);
                qsort(sorted, n, sizeof *sorted, ascending);
                size_t k = turn == 0 ? 0 : turn == 1 ? n - 1 : (size_t)(dice >> 8) % n;
                assert_true(stats_select(v, n, k) == sorted[k]);
                for (size_t i = 0; i < n; i++)
                    assert_true(i < k ? v[i] <= v[k] : v[i] >= v[k]);
                assert_true(stats_median(v, n) == (sorted[n / 2] + sorted[(n - 1) / 2]) / 2);
                qsort(v, n, sizeof *v, ascending);
                assert_memory_equal(v, sorted, n * sizeof *v);
            }
}

static double log_choose(size_t n, size_t k) { return lgamma((double)n + 1) - lgamma((double)k + 1) - lgamma((double)(n - k) + 1); }

/* The definition: all tables that are no likelier. */
static double fisher(size_t x, size_t n1, size_t m1, size_t n)
{
    double sum = 0, own = 0;
    for (int pass = 0; pass < 2; pass++)
        for (size_t k = n1 + m1 > n ? n1 + m1 - n : 0; k <= n1 && k <= m1; k++) {
            double p = log_choose(m1, k) + log_choose(n - m1, n1 - k) - log_choose(n, n1);
            if (!pass && k == x)
                own = p;
            if (pass && p <= own + 1e-7)
                sum += exp(p);
        }
    return sum < 1 ? sum : 1;
}

static void fisher_is_what_it_is_defined_as(void **state)
{
    static const size_t large[][4] = {{130, 300, 500, 1500}, {70, 300, 500, 1500}, {0, 40, 900, 1000}, {999, 1000, 1000, 2000}, {3, 3000, 3, 5000}};
    (void)state;
    for (size_t n = 1; n <= 14; n++)
        for (size_t n1 = 0; n1 <= n; n1++)
            for (size_t m1 = 0; m1 <= n; m1++)
                for (size_t x = n1 + m1 > n ? n1 + m1 - n : 0; x <= n1 && x <= m1; x++)
                    near(stats_fisher(x, n1, m1, n), fisher(x, n1, m1, n));
    for (size_t i = 0; i < sizeof large / sizeof *large; i++) {
        double p = fisher(large[i][0], large[i][1], large[i][2], large[i][3]);
        assert_true(fabs(stats_fisher(large[i][0], large[i][1], large[i][2], large[i][3]) - p) <= 1e-9 * p);
    }
}

static void fisher_of_a_million_runs_is_quick(void **state)
{
    enum { MILLION = 1000000, TESTS = 200 };
    clock_t before = clock();
    (void)state;
    for (size_t i = 0; i < TESTS; i++)
        assert_true(stats_fisher(MILLION / 2 + 300 + i, MILLION, MILLION, 2 * MILLION) < 0.5);
    assert_true(clock() - before < 2 * CLOCKS_PER_SEC); /* a walk over all tables takes a minute */
}

/* ---- runs that are made ---------------------------------------------------------------------------------------------- */

enum { TASKS = 20, ATTEMPTS = 6, ACTIONS = 12, LONGEST_RUN = 16 };

struct world {
    uint64_t seed;
    struct run_summary runs[3 * ATTEMPTS * TASKS];
    struct action_ref actions[3 * ATTEMPTS * TASKS][LONGEST_RUN + 2];
    size_t n;
};

static double chance(struct world *w) /* xorshift64* (Vigna, 2016) */
{
    w->seed ^= w->seed >> 12;
    w->seed ^= w->seed << 25;
    w->seed ^= w->seed >> 27;
    return (double)(w->seed * UINT64_C(2685821657736338717) >> 11) / 9007199254740992.0;
}

/* Each task has actions that it favours; a model that is `habit` besides calls 100 and 101 in a row in a third of the runs more. */
static void add_run(struct world *w, const char *model, size_t task, double habit)
{
    struct run_summary *r = &w->runs[w->n];
    size_t n = 4 + (size_t)(chance(w) * (LONGEST_RUN - 4));
    *r = (struct run_summary){.run = slice_of("00000000-0000-0000-0000-000000000000", 36), .model = slice_str(model), .actions = w->actions[w->n++]};
    r->success = chance(w) < 0.5 ? VERDICT_PASSED : VERDICT_FAILED;
    for (size_t i = 0; i < n; i++) {
        uint32_t action = (uint32_t)(chance(w) < 0.5 ? (task * 3 + (size_t)(chance(w) * 3)) % ACTIONS : (size_t)(chance(w) * ACTIONS));
        r->actions[r->nactions++] = (struct action_ref){action, (uint32_t)i};
    }
    if (chance(w) < habit) {
        r->actions[r->nactions++] = (struct action_ref){100, (uint32_t)n};
        r->actions[r->nactions++] = (struct action_ref){101, (uint32_t)n + 1};
    }
}

static struct contrast *look(struct world *w, const size_t *first, const struct contrast_wish *wish)
{
    struct contrast *c = contrast_new(wish);
    for (int pass = 0; pass < CONTRAST_PASSES; pass++) {
        for (size_t t = 0; t < TASKS; t++)
            for (size_t from = first[t]; from < first[t + 1]; from += 5) { /* in pieces */
                size_t n = first[t + 1] - from;
                const struct task_summary piece = {.task = (int64_t)t + 1, .runs = &w->runs[from], .nruns = n < 5 ? n : 5};
                contrast_feed(c, pass, &piece);
            }
        if (!contrast_turn(c, pass, NULL))
            break;
    }
    return c;
}

static const struct contrast_wish by_model = {.by = CONTRAST_MODEL, .q = 0.05, .gap = 0.2, .at_least = 8, .longest = 3, .at_most = 20};

/* Three models that do the same: how often is anything found, of 200 such collections? At most q of them, by chance a few more. No floor
 * for the effect, which would keep all out. */
static void nothing_is_found_in_nothing(void **state)
{
    enum { WORLDS = 200, ALLOWED = 20 }; /* of 200 at 5 %: 10, and with more than 20 chances of one in a thousand */
    struct world *w = calloc(1, sizeof *w);
    size_t found = 0;
    (void)state;
    for (uint64_t i = 0; i < WORLDS; i++) {
        size_t first[TASKS + 1] = {0}, n;
        *w = (struct world){.seed = 88172645463325252u + i * 7919};
        for (size_t t = 0; t < TASKS; t++) {
            for (int k = 0; k < ATTEMPTS; k++) {
                add_run(w, "a", t, 0);
                add_run(w, "b", t, 0);
                add_run(w, "c", t, 0);
            }
            first[t + 1] = w->n;
        }
        struct contrast_wish wish = by_model;
        wish.gap = 0;
        wish.by = i % 2 ? CONTRAST_OUTCOME : CONTRAST_MODEL;
        struct contrast *c = look(w, first, &wish);
        contrast_results(c, &n);
        found += n > 0;
        contrast_free(c);
    }
    assert_in_range(found, 0, ALLOWED);
    free(w);
}

/* A model that ran other tasks does other things, and yet not in another way: nothing is said. Counted without tasks it would be. */
static void tasks_are_no_models(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    size_t first[TASKS + 1] = {0}, n;
    (void)state;
    w->seed = 42;
    for (size_t t = 0; t < TASKS; t++) {
        for (int k = 0; k < ATTEMPTS; k++) {
            double habit = t < TASKS / 2 ? 0.9 : 0.1; /* of whoever runs it */
            add_run(w, t < TASKS / 2 ? "a" : "b", t, habit);
            add_run(w, (t < TASKS / 2) == (k > 0) ? "a" : "b", t, habit);
        }
        first[t + 1] = w->n;
    }
    struct contrast_wish wish = by_model;
    wish.gap = 0;
    struct contrast *c = look(w, first, &wish);
    contrast_results(c, &n);
    assert_int_equal(n, 0);
    contrast_free(c);
    free(w);
}

static void what_was_planted_is_found_once(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    size_t first[TASKS + 1] = {0}, n;
    (void)state;
    w->seed = 4711;
    for (size_t t = 0; t < TASKS; t++) {
        for (int k = 0; k < ATTEMPTS; k++) {
            add_run(w, "a", t, 0.7);
            add_run(w, "b", t, 0.1);
            add_run(w, "c", t, 0.1);
        }
        first[t + 1] = w->n;
    }
    struct contrast *c = look(w, first, &by_model);
    const struct contrast_found *f = contrast_results(c, &n);
    size_t of_a = 0;
    for (size_t i = 0; i < n; i++) {
        bool about = f[i].gram[0] == 100 || f[i].gram[0] == 101 || f[i].gram[1] == 100 || f[i].gram[1] == 101;
        assert_true(about || f[i].length == 3); /* what stands before it may be told as well, but nothing else is */
        assert_true(f[i].more == slice_is(f[i].group, "a"));
        assert_true(f[i].nshown > 0);
        if (slice_is(f[i].group, "a")) {
            of_a++;
            assert_true(f[i].share > 0.55 && f[i].others < 0.25);
            assert_int_equal(f[i].runs, TASKS * ATTEMPTS);
            assert_int_equal(f[i].nshown, CONTRAST_RUNS_SHOWN);
        }
    }
    assert_int_equal(of_a, 1); /* 100, 101 and 100 → 101 are one thing */
    contrast_free(c);
    free(w);
}

/* Two models: said once, of the one that does it more; in one task the test is exact. */
static void of_two_one_is_told(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    size_t first[TASKS + 1] = {0}, n;
    (void)state;
    w->seed = 7;
    for (int k = 0; k < 20; k++) {
        add_run(w, "a", 0, 0);
        add_run(w, "b", 0, k < 10 ? 1 : 0);
    }
    for (size_t t = 0; t < TASKS; t++)
        first[t + 1] = w->n;
    for (size_t i = 0; i < w->n; i++) /* nothing else differs */
        for (size_t k = 0; k < w->runs[i].nactions; k++)
            if (w->actions[i][k].action < 100)
                w->actions[i][k].action = (uint32_t)k % 2;
    struct contrast *c = look(w, first, &by_model);
    const struct contrast_found *f = contrast_results(c, &n);
    assert_int_equal(n, 1);
    assert_true(f->more && slice_is(f->group, "b"));
    near(f->share, 0.5);
    near(f->others, 0);
    near(f->p, stats_fisher(10, 20, 10, 40));
    contrast_free(c);
    free(w);
}

/* ---- runs of which each action is said --------------------------------------------------------------------------------- */

enum { MARK = 100, PLAIN = 7 };

/* n runs of a task, each of one action: `with` of them the mark. */
static void add_marked(struct world *w, const char *model, size_t n, size_t with)
{
    for (size_t i = 0; i < n; i++, w->n++) {
        w->actions[w->n][0] = (struct action_ref){i < with ? MARK : PLAIN, 0};
        w->runs[w->n] = (struct run_summary){.run = slice_of("00000000-0000-0000-0000-000000000000", 36), .model = slice_str(model),
                                             .actions = w->actions[w->n], .nactions = 1};
    }
}

static const struct contrast_found *of_mark(const struct contrast *c)
{
    size_t n;
    const struct contrast_found *f = contrast_results(c, &n);
    for (size_t i = 0; i < n; i++)
        if (f[i].length == 1 && f[i].gram[0] == MARK)
            return &f[i];
    return NULL;
}

/* In each of two tasks a has it more often, in both together less often, for b ran the task where it is frequent. */
static void shares_are_of_the_same_tasks(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    size_t first[TASKS + 1] = {0};
    (void)state;
    add_marked(w, "a", 10, 10);
    add_marked(w, "b", 90, 63);
    first[1] = w->n;
    add_marked(w, "a", 90, 45);
    add_marked(w, "b", 10, 1);
    for (size_t t = 2; t <= TASKS; t++)
        first[t] = w->n;
    struct contrast *c = look(w, first, &by_model);
    const struct contrast_found *f = of_mark(c);
    assert_non_null(f);
    assert_true(f->more && slice_is(f->group, "a"));
    near(f->share, (1 + 0.5) / 2);
    near(f->others, (0.7 + 0.1) / 2);
    contrast_free(c);
    free(w);
}

/* One of two tasks says something of the mark, too few runs for the asymptotic test: Fisher's is exact. */
static void one_task_that_says_something_is_tested_exactly(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    size_t first[TASKS + 1] = {0};
    (void)state;
    add_marked(w, "a", 8, 8);
    add_marked(w, "b", 8, 0);
    first[1] = w->n;
    add_marked(w, "a", 8, 0);
    add_marked(w, "b", 8, 0);
    for (size_t t = 2; t <= TASKS; t++)
        first[t] = w->n;
    struct contrast *c = look(w, first, &by_model);
    const struct contrast_found *f = of_mark(c);
    assert_non_null(f);
    near(f->p, stats_fisher(8, 8, 8, 16));
    near(f->share, 0.5);
    contrast_free(c);
    free(w);
}

/* Most runs of both have no others to be compared with: what differs in the few that have is seen. */
static void runs_of_other_tasks_hide_nothing(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    size_t first[TASKS + 1] = {0};
    (void)state;
    add_marked(w, "a", 16, 16);
    add_marked(w, "b", 16, 0);
    first[1] = w->n;
    add_marked(w, "a", 100, 0);
    first[2] = w->n;
    add_marked(w, "b", 100, 0);
    for (size_t t = 3; t <= TASKS; t++)
        first[t] = w->n;
    struct contrast *c = look(w, first, &by_model);
    assert_non_null(of_mark(c));
    contrast_free(c);
    free(w);
}

/* Forty thousand n-grams are frequent enough; that of the last task is in most runs. */
static void the_last_task_is_seen_too(void **state)
{
    enum { LONG = 1990, PAIRS = 7, OFTEN = 20 };
    struct world *w = calloc(1, sizeof *w);
    struct action_ref *actions = calloc((size_t)LONG * PAIRS, sizeof *actions);
    size_t first[TASKS + 1] = {0};
    struct contrast_wish wish = by_model;
    (void)state;
    wish.at_least = 2;
    for (uint32_t i = 0; i < LONG * PAIRS; i++)
        actions[i] = (struct action_ref){1000 + i, i % LONG};
    for (size_t t = 0; t < PAIRS; t++) {
        for (int k = 0; k < 2; k++) {
            add_marked(w, k ? "a" : "b", 1, 0);
            w->runs[w->n - 1].actions = &actions[t * LONG];
            w->runs[w->n - 1].nactions = LONG;
        }
        first[t + 1] = w->n;
    }
    add_marked(w, "a", OFTEN, OFTEN);
    add_marked(w, "b", OFTEN, 0);
    for (size_t t = PAIRS + 1; t <= TASKS; t++)
        first[t] = w->n;
    struct contrast *c = look(w, first, &wish);
    assert_non_null(of_mark(c));
    contrast_free(c);
    free(actions);
    free(w);
}

static void a_cancel_is_seen_while_it_tests(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct contrast *c = contrast_new(&by_model);
    atomic_bool cancel = true;
    size_t n;
    (void)state;
    add_marked(w, "a", 20, 20);
    add_marked(w, "b", 20, 0);
    const struct task_summary piece = {.task = 1, .runs = w->runs, .nruns = w->n};
    contrast_feed(c, 0, &piece);
    assert_true(contrast_turn(c, 0, &cancel));
    contrast_feed(c, 1, &piece);
    assert_false(contrast_turn(c, 1, &cancel));
    contrast_results(c, &n);
    assert_int_equal(n, 0);
    contrast_free(c);
    free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(selection_agrees_with_sorting),
        cmocka_unit_test(tests_by_hand),
        cmocka_unit_test(fisher_is_what_it_is_defined_as),
        cmocka_unit_test(fisher_of_a_million_runs_is_quick),
        cmocka_unit_test(nothing_is_found_in_nothing),
        cmocka_unit_test(tasks_are_no_models),
        cmocka_unit_test(what_was_planted_is_found_once),
        cmocka_unit_test(of_two_one_is_told),
        cmocka_unit_test(shares_are_of_the_same_tasks),
        cmocka_unit_test(one_task_that_says_something_is_tested_exactly),
        cmocka_unit_test(runs_of_other_tasks_hide_nothing),
        cmocka_unit_test(the_last_task_is_seen_too),
        cmocka_unit_test(a_cancel_is_seen_while_it_tests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
