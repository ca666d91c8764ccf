/* One task in whole: answers, targets and errors that its runs share. */
#include "store_fixture.h"

#include "storage/task_detail.h"

static void put(struct fixture *f, struct run *run, const struct findings *found)
{
    const struct findings none = {0};
    assert_int_equal(put_run(f, run, "/x/tasks", 0, false, found ? found : &none), PUT_NEW);
}

static struct run *scored(struct fixture *f, int i, const char *answer, const char *target, enum verdict success)
{
    struct run *run = simple_run(f, arena_printf(&f->a, "run-%d", i), arena_printf(&f->a, "I am done, %d", i));
    run->success = success;
    run->scores = arena_array(&f->a, struct score, 2);
    run->nscores = 2;
    run->scores[0] = (struct score){.name = S("none")};
    run->scores[1] = (struct score){.name = S("match"), .answer = slice_str(answer), .target = slice_str(target)};
    return run;
}

static void answers_are_grouped_beside_the_target(void **state)
{
    struct fixture *f = *state;
    struct task_detail d;
    put(f, scored(f, 0, " 42\n", "forty-two", VERDICT_FAILED), NULL);
    put(f, scored(f, 1, "43", "forty-two", VERDICT_FAILED), NULL);
    put(f, scored(f, 2, "42", "forty-two", VERDICT_PASSED), NULL);
    put(f, scored(f, 3, "", "forty-three", VERDICT_FAILED), NULL);
    OK(store_task_detail(f->store, f->collection, S("task-1"), &f->a, &d, &e));
    assert_int_equal(d.looked, 4);
    assert_int_equal(d.row.runs, 4);
    assert_int_equal(d.answers.n, 2);
    assert_int_equal(d.answers.more, 0);
    const struct task_group *most = &d.answers.items[0];
    assert_true(slice_is(most->text, "42"));
    assert_true(slice_is(most->target, "forty-two"));
    assert_false(most->last_words);
    assert_int_equal(most->runs, 2);
    assert_int_equal(most->passed, 1);
    assert_int_equal(most->failed, 1);
    assert_int_equal(most->nmembers, 2);
    assert_true(slice_is(most->members[0].external_id, "run-0"));
    assert_true(slice_is(most->members[1].external_id, "run-2"));
    assert_int_equal(most->members[1].success, VERDICT_PASSED);
    assert_int_equal(most->members[0].message, -1);
    assert_int_equal(d.targets.n, 2);
    assert_true(slice_is(d.targets.items[0].text, "forty-two"));
    assert_int_equal(d.targets.items[0].runs, 3);
    FAILS(ERR_NOT_FOUND, store_task_detail(f->store, f->collection, S("task-9"), &f->a, &d, &e));
    FAILS(ERR_NOT_FOUND, store_task_detail(f->store, S("nobody"), S("task-1"), &f->a, &d, &e));
}

static void last_words_stand_in_where_no_score_tells(void **state)
{
    struct fixture *f = *state;
    struct task_detail d;
    for (int i = 0; i < 3; i++)
        put(f, simple_run(f, arena_printf(&f->a, "run-%d", i), i ? S("Paris") : S("Rome")), NULL);
    OK(store_task_detail(f->store, f->collection, S("task-1"), &f->a, &d, &e));
    assert_int_equal(d.answers.n, 2);
    assert_true(d.answers.items[0].last_words);
    assert_true(slice_is(d.answers.items[0].text, "Paris"));
    assert_int_equal(d.answers.items[0].runs, 2);
    assert_int_equal(d.answers.items[0].members[0].message, 2);
    assert_int_equal(d.answers.items[0].members[0].transcript, 0);
    assert_false(d.answers.items[0].target.ptr);
}

static void errors_are_shared_where_two_runs_have_them(void **state)
{
    struct fixture *f = *state;
    struct task_detail d;
    for (int i = 0; i < 3; i++) {
        struct run *run = simple_run(f, arena_printf(&f->a, "run-%d", i), S("so"));
        struct message *result = &run->transcripts->messages[1];
        message(result, ROLE_TOOL, i < 2 ? arena_printf(&f->a, "ok\nError: no such file: /tmp/%d\n", i) : S("Error: out of memory\n"));
        put(f, run, NULL);
    }
    OK(store_task_detail(f->store, f->collection, S("task-1"), &f->a, &d, &e));
    assert_int_equal(d.errors.n, 1);
    assert_int_equal(d.errors.items[0].runs, 2);
    assert_int_equal(d.errors.items[0].failed, 2);
    assert_true(slice_is(d.errors.items[0].text, "Error: no such file: /tmp/0"));
    assert_int_equal(d.errors.items[0].members[1].message, 1);
}

static void what_is_long_or_many_is_bounded(void **state)
{
    struct fixture *f = *state;
    struct task_detail d;
    char *big = arena_alloc(&f->a, 100000);
    memset(big, 'x', 99999);
    big[99999] = 0;
    put(f, scored(f, 0, big, "y", VERDICT_FAILED), NULL);
    for (int i = 1; i <= TASK_GROUPS + 4; i++)
        put(f, scored(f, i, arena_strdup(&f->a, arena_printf(&f->a, "answer %d", i)), "y", VERDICT_FAILED), NULL);
    for (int i = 0; i < TASK_MEMBERS + 5; i++)
        put(f, scored(f, 100 + i, "alike", "y", VERDICT_FAILED), NULL);
    OK(store_task_detail(f->store, f->collection, S("task-1"), &f->a, &d, &e));
    assert_int_equal(d.answers.n, TASK_GROUPS);
    assert_int_equal(d.answers.more, 6);
    assert_true(slice_is(d.answers.items[0].text, "alike"));
    assert_int_equal(d.answers.items[0].runs, TASK_MEMBERS + 5);
    assert_int_equal(d.answers.items[0].nmembers, TASK_MEMBERS);
    assert_int_equal(d.answers.items[1].text.len, TASK_TEXT);
}

static void behaviours_are_counted_by_runs(void **state)
{
    struct fixture *f = *state;
    struct task_detail d;
    for (int i = 0; i < 3; i++) {
        struct findings found = {0};
        struct run *run = simple_run(f, arena_printf(&f->a, "run-%d", i), S("answer"));
        if (i < 2)
            add_finding(f, &found, "guessing", KIND_ODD_BEHAVIOR, SEVERITY_LOW, 2, 0, "answer");
        if (i == 0)
            add_finding(f, &found, "almost-passed", KIND_NEAR_MISS, SEVERITY_LOW, 2, 0, "answer");
        put(f, run, &found);
    }
    OK(store_task_detail(f->store, f->collection, S("task-1"), &f->a, &d, &e));
    assert_int_equal(d.nbehaviors, 2);
    assert_true(slice_is(d.behaviors[0].behavior, "guessing"));
    assert_int_equal(d.behaviors[0].runs, 2);
    assert_int_equal(d.behaviors[1].kind, KIND_NEAR_MISS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers_are_grouped_beside_the_target, set_up, tear_down),
        cmocka_unit_test_setup_teardown(last_words_stand_in_where_no_score_tells, set_up, tear_down),
        cmocka_unit_test_setup_teardown(errors_are_shared_where_two_runs_have_them, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_long_or_many_is_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(behaviours_are_counted_by_runs, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
