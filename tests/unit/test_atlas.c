/* The map of runs against what is known: eigenvalues worked out by hand, and runs with a structure that was planted in them. */
#include "base/eigen.h"
#include "detect/atlas.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void near(double a, double b) { assert_true(fabs(a - b) < 1e-8); }

static void eigenvalues_by_hand(void **state)
{
    const double b[] = {0, 0.6, 0.6, 0}, again[] = {0.5, 0.2, 0.1, 0.2, 0.4, 0, 0.1, 0, -0.3};
    double c[] = {1, 0, 0, 4}, bad[] = {1, 2, 2, 1}, values[2], v[6];
    (void)state;
    assert_true(eigen_top(b, c, 2, 2, values, v)); /* det(B - λ C) = 4 λ² - 0.36 */
    near(values[0], 0.3);
    near(values[1], -0.3);
    near(v[0] * v[0] + 4 * v[1] * v[1], 1);
    near(v[0] * v[2] + 4 * v[1] * v[3], 0);
    near(v[0], 2 * v[1]);
    double one[9] = {1, 0, 0, 0, 1, 0, 0, 0, 1};
    assert_true(eigen_top(again, one, 3, 2, values, v));
    for (size_t k = 0; k < 2; k++) /* B v = λ v */
        for (size_t i = 0; i < 3; i++)
            near(again[3 * i] * v[3 * k] + again[3 * i + 1] * v[3 * k + 1] + again[3 * i + 2] * v[3 * k + 2], values[k] * v[3 * k + i]);
    assert_true(values[0] > values[1]);
    assert_false(eigen_top(b, bad, 2, 1, values, v));
}

/* ---- runs that are made ---------------------------------------------------------------------------------------------------------- */

enum { FAMILIES = 3, TASKS = 20, ATTEMPTS = 6, CALLS = 30, MODES = 4 };

static double chance(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (double)(*seed >> 33) / 2147483648.0;
}

struct made {
    struct action_ref actions[CALLS];
    char text[200];
    struct slice words;
    struct atlas_run run;
};

/* A family of tasks favours actions of its own. Each attempt, of whatever task, is also in one of several modes, which say and do more than the
 * family does but are nothing that attempts at a task share. */
static void make(struct made *m, int family, uint64_t *seed)
{
    static const char *const said[MODES] = {"alpha bravo charlie delta", "echo foxtrot golf hotel", "india juliet kilo lima", "mike november oscar papa"};
    int mode = (int)(chance(seed) * MODES);
    for (size_t i = 0; i < CALLS; i++) {
        double of = chance(seed);
        uint32_t action = of < 0.25 ? (uint32_t)(10 + 3 * family + (int)(chance(seed) * 3)) : of < 0.8 ? (uint32_t)(40 + 5 * mode + (int)(chance(seed) * 5))
                                                                                            : (uint32_t)(chance(seed) * 10);
        m->actions[i] = (struct action_ref){action, (uint32_t)i};
    }
    int n = snprintf(m->text, sizeof m->text, "%s the family%c works", said[mode], "abc"[family]);
    m->words = slice_of(m->text, (size_t)n);
    m->run = (struct atlas_run){.actions = m->actions, .nactions = CALLS, .texts = &m->words, .ntexts = 1};
}

struct placed {
    double at[FAMILIES][TASKS][ATTEMPTS][ATLAS_AXES];
    struct atlas_about about;
};

static struct atlas *draw(struct placed *out, bool tasks)
{
    static struct slice names[80];
    const struct action_names action_names = {.items = names, .n = 80};
    struct atlas *a = atlas_new();
    struct made m;
    for (size_t i = 0; i < 80; i++)
        names[i] = slice_str("tool");
    for (int pass = 0; pass < 2; pass++) {
        uint64_t seed = 4711;
        for (int f = 0; f < FAMILIES; f++)
            for (int t = 0; t < TASKS; t++)
                for (int k = 0; k < ATTEMPTS; k++) {
                    make(&m, f, &seed);
                    if (pass == 0)
                        atlas_sample(a, tasks ? 1 + f * TASKS + t : 0, &m.run);
                    else
                        atlas_place(a, &m.run, out->at[f][t][k]);
                }
        if (pass == 0)
            atlas_fit(a, &action_names);
    }
    out->about = *atlas_about(a);
    return a;
}

/* How far apart the middles of the families are, by how far runs are from the middle of theirs. */
static double separation(const struct placed *p)
{
    double middle[FAMILIES][ATLAS_AXES] = {{0}}, within = 0, between = 0;
    for (int f = 0; f < FAMILIES; f++)
        for (int t = 0; t < TASKS; t++)
            for (int k = 0; k < ATTEMPTS; k++)
                for (int x = 0; x < ATLAS_AXES; x++)
                    middle[f][x] += p->at[f][t][k][x] / (TASKS * ATTEMPTS);
    for (int f = 0; f < FAMILIES; f++)
        for (int t = 0; t < TASKS; t++)
            for (int k = 0; k < ATTEMPTS; k++)
                within += hypot(p->at[f][t][k][0] - middle[f][0], p->at[f][t][k][1] - middle[f][1]) / (FAMILIES * TASKS * ATTEMPTS);
    for (int f = 0; f < FAMILIES; f++)
        between += hypot(middle[f][0] - middle[(f + 1) % FAMILIES][0], middle[f][1] - middle[(f + 1) % FAMILIES][1]) / FAMILIES;
    return between / within;
}

static void what_attempts_share_is_shown(void **state)
{
    struct placed *with = calloc(1, sizeof *with), *without = calloc(1, sizeof *without), *again = calloc(1, sizeof *again);
    (void)state;
    atlas_free(draw(with, true));
    atlas_free(draw(without, false));
    atlas_free(draw(again, true));
    assert_true(with->about.contrastive && !without->about.contrastive);
    assert_int_equal(with->about.tasks, FAMILIES * TASKS);
    assert_int_equal(with->about.pairs, FAMILIES * TASKS * ATTEMPTS * (ATTEMPTS - 1) / 2);
    if (!(separation(with) > 3 && separation(without) < 1.5)) /* without tasks the modes are what differs the most */
        fail_msg("families are %g apart, without tasks %g", separation(with), separation(without));
    for (int axis = 0; axis < ATLAS_AXES; axis++)
        assert_true(with->about.axes[axis].agreement > 0.3 && with->about.axes[axis].agreement <= 1);
    assert_memory_equal(with->at, again->at, sizeof with->at); /* the same every time */
    free(with);
    free(without);
    free(again);
}

static void ends_are_named_by_what_stands_there(void **state)
{
    struct placed *p = calloc(1, sizeof *p);
    (void)state;
    struct atlas *a = draw(p, true);
    const struct atlas_about *about = atlas_about(a);
    bool family = false;
    for (int axis = 0; axis < ATLAS_AXES; axis++) {
        const struct atlas_end *ends[] = {&about->axes[axis].low, &about->axes[axis].high};
        for (size_t e = 0; e < 2; e++) {
            assert_true(ends[e]->n > 0);
            for (size_t i = 0; i < ends[e]->n; i++) {
                family |= slice_starts(ends[e]->words[i], "family");
                assert_false(slice_is(ends[e]->words[i], "the")); /* what all say tells nobody apart */
            }
        }
    }
    assert_true(family);
    atlas_free(a);
    free(p);
}

/* Nothing, next to nothing, one run, runs that are all the same, bytes of any kind: never a number that is none. */
static void little_is_enough(void **state)
{
    const struct slice texts[] = {slice_str("one two three"), slice_of("\0\xff\xfe\x80zzz\0", 8), {NULL, 0}};
    const struct action_ref action = {UINT32_MAX, 0};
    const struct atlas_run runs[] = {{0}, {.texts = texts, .ntexts = 3}, {.actions = &action, .nactions = 1}, {.texts = texts, .ntexts = 1}};
    const struct action_names none = {0};
    (void)state;
    for (size_t n = 0; n <= 40; n++) {
        struct atlas *a = atlas_new();
        double at[ATLAS_AXES];
        for (size_t i = 0; i < n; i++)
            atlas_sample(a, n % 2 ? (int64_t)(i / 3) + 1 : 0, &runs[n < 20 ? i % 4 : 1]);
        atlas_fit(a, &none);
        for (size_t i = 0; i < 4; i++) {
            atlas_place(a, &runs[i], at);
            assert_true(isfinite(at[0]) && isfinite(at[1]));
        }
        atlas_place(a, &runs[0], at);
        assert_true(at[0] == 0 && at[1] == 0);
        atlas_free(a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eigenvalues_by_hand),
        cmocka_unit_test(what_attempts_share_is_shown),
        cmocka_unit_test(ends_are_named_by_what_stands_there),
        cmocka_unit_test(little_is_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
