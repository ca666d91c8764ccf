/* Two runs side by side: which steps are paired, how they differ, and where the runs part. */
#include "cpu.h"
#include "view/beside.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <string.h>

/* One step a letter and its text: "u:words", "a:words", "c:tool arguments=result". */
static struct run run_of(struct arena *a, const char *const *steps)
{
    struct run run;
    size_t n = 0;
    while (steps[n])
        n++;
    run_init(&run);
    run.ntranscripts = 1;
    run.transcripts = arena_new(a, struct transcript);
    struct message *m = arena_array(a, struct message, 2 * n + 1);
    run.transcripts->messages = m;
    for (size_t i = 0; i < n; i++) {
        struct slice text = slice_str(steps[i] + 2);
        message_init(m);
        m->role = steps[i][0] == 'u' ? ROLE_USER : ROLE_ASSISTANT;
        if (steps[i][0] != 'c') {
            m++->text = text;
            continue;
        }
        size_t space = (size_t)slice_find(text, slice_str(" ")), equals = (size_t)slice_find(text, slice_str("="));
        struct slice id = arena_printf(a, "call %zu", i);
        m->calls = arena_new(a, struct tool_call);
        m->ncalls = 1;
        *m++->calls = (struct tool_call){.call_id = id, .name = slice_sub(text, 0, space), .arguments = slice_sub(text, space + 1, equals - space - 1)};
        message_init(m);
        m->role = ROLE_TOOL;
        m->tool_call_id = id;
        m++->text = slice_sub(text, equals + 1, text.len);
    }
    run.transcripts->nmessages = (size_t)(m - run.transcripts->messages);
    return run;
}

/* Rows as "=", "~" with what differs (w, a, r), "<", ">"; the divergence with a bar in front. */
static const char *drawn(struct arena *a, const char *const *left, const char *const *right)
{
    struct run run_a = run_of(a, left), run_b = run_of(a, right);
    struct beside all;
    struct str out = STR_INIT(10000);
    beside_align(a, &run_a, &run_b, &all);
    for (size_t i = 0; i < all.n; i++) {
        const struct beside_row *row = &all.rows[i];
        str_printf(&out, "%s%s", i == all.divergence ? "|" : "", row->what == BESIDE_SAME ? "=" : row->what == BESIDE_CHANGED ? "~" : row->what == BESIDE_ONLY_A ? "<" : ">");
        str_printf(&out, "%s%s%s ", row->differs & BESIDE_WORDS ? "w" : "", row->differs & BESIDE_ARGUMENTS ? "a" : "", row->differs & BESIDE_RESULT ? "r" : "");
        assert_true(!row->a == (row->what == BESIDE_ONLY_B) && !row->b == (row->what == BESIDE_ONLY_A));
    }
    assert_int_equal(all.counts[0] + all.counts[1] + all.counts[2] + all.counts[3], all.n);
    const char *text = arena_dup(a, str_slice(&out)).ptr;
    str_free(&out);
    return text;
}
#define RUN(...) (const char *const[]){__VA_ARGS__, NULL}

static void steps_are_paired_by_what_is_done(void **state)
{
    (void)state;
    struct arena a = {0};
    assert_string_equal(drawn(&a, RUN("u:do it", "c:bash {\"cmd\":\"ls\"}=x", "a:done"), RUN("u:do it", "c:bash {\"cmd\":\"ls\"}=x", "a:done")), "= = = ");
    assert_string_equal(drawn(&a, RUN("c:bash {\"cmd\": \"l \\\" s\" }=x"), RUN("c:bash {\"cmd\":\"l \\\" s\"}=x")), "= ");
    assert_string_equal(drawn(&a, RUN("c:bash {\"cmd\":\"l  s\"}=x"), RUN("c:bash {\"cmd\":\"l s\"}=x")), "|~a ");
    /* words and results differ before they do anything else: they part where the arguments do */
    assert_string_equal(drawn(&a, RUN("u:do it", "a:I look.", "c:bash {\"cmd\":\"ls\"}=x", "c:bash {\"cmd\":\"cat a\"}=1", "a:done"),
                              RUN("u:do it", "a:Let me see.", "c:bash {\"cmd\":\"ls\"}=y", "c:bash {\"cmd\":\"cat b\"}=2", "a:done")),
                        "= ~w ~r |~ar = ");
    /* the same call is found behind calls that only one side makes */
    assert_string_equal(drawn(&a, RUN("c:edit {\"a\":1}=ok", "c:bash {\"cmd\":\"make\"}=ok"),
                              RUN("c:bash {\"cmd\":\"ls\"}=x", "c:bash {\"cmd\":\"make\"}=ok", "c:read {\"a\":1}=ok")), "|< > = > ");
    /* a call is paired with one that does the same rather than with the next one of the tool */
    assert_string_equal(drawn(&a, RUN("c:bash {\"cmd\":\"ls a\"}=x", "c:bash {\"cmd\":\"cat a\"}=x"), RUN("c:bash {\"cmd\":\"cat b\"}=x")), "|< ~a ");
    /* nothing is done otherwise: the first that differs at all */
    assert_string_equal(drawn(&a, RUN("u:do it", "a:yes"), RUN("u:do it", "a:no")), "= |~w ");
    assert_string_equal(drawn(&a, RUN("u:do it"), RUN("u:do it", "c:bash {}=x")), "= |> ");
    assert_string_equal(drawn(&a, (const char *const[]){NULL}, (const char *const[]){NULL}), "");
    arena_free(&a);
}

/* 20,000 calls a side, no two of which have the same arguments. */
static void long_runs_are_aligned_in_time(void **state)
{
    (void)state;
    enum { N = 20000 };
    struct arena a = {0};
    const char **left = arena_array(&a, const char *, N + 1), **right = arena_array(&a, const char *, N + 1);
    for (int i = 0; i < N; i++) {
        left[i] = arena_printf(&a, "c:bash {\"cmd\":\"%s %d\"}=x", i % 3 ? "ls" : "cat", i).ptr;
        right[i] = arena_printf(&a, "c:bash {\"cmd\":\"%s -l %d\"}=x", i % 4 ? "ls" : "cat", i).ptr;
    }
    struct run run_a = run_of(&a, left), run_b = run_of(&a, right);
    struct beside all;
    int64_t begun = cpu_us();
    beside_align(&a, &run_a, &run_b, &all);
    int64_t took = cpu_us() - begun;
    assert_int_equal(all.divergence, 0);
    assert_true(all.counts[BESIDE_CHANGED] > N / 2);
    assert_true(took < 1000000);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_are_paired_by_what_is_done),
        cmocka_unit_test(long_runs_are_aligned_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
