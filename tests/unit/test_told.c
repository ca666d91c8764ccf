/* What a change leaves beside itself, in its own transaction: the row that says who made it, and what webhooks are to be told. */
#include "store_fixture.h"

#include "storage/access.h"
#include "storage/webhooks.h"

/* ---- the log of changes ---------------------------------------------------------------------------------------------- */

static void describe(struct fixture *f, const char *text)
{
    OK(store_collection_change(f->store, f->collection, &(struct collection_row){.description = slice_str(text)}, &e));
}

/* Its commit fails, after all of its statements went well. */
static void change_in_vain(struct fixture *f)
{
    OK(db_write(f->store->db, &e));
    OK(db_script(f->store->db, "PRAGMA defer_foreign_keys = ON; INSERT INTO session VALUES (x'00', 99, '', 0, 0)", &e));
    struct err e = {0};
    assert_false(db_end(f->store->db, true, &e));
}

static void a_change_that_is_undone_takes_its_row_with_it(void **state)
{
    struct fixture *f = *state;
    const struct actor ann = {.name = S("ann"), .action = S("PATCH")}, cli = {.name = S("cli:ann"), .action = S("import")};
    store_act_as(f->store, &ann);
    change_in_vain(f);
    assert_int_equal(number(f, "SELECT count(*) FROM audit"), 0);
    describe(f, "a");
    describe(f, "b");
    assert_int_equal(number(f, "SELECT count(*) FROM audit WHERE actor = 'ann'"), 1); /* one for the action */
    change_in_vain(f);
    describe(f, "c");
    assert_int_equal(number(f, "SELECT count(*) FROM audit"), 1);
    store_act_as(f->store, NULL);
    store_act_everywhere_as(&cli);
    change_in_vain(f);
    describe(f, "d");
    describe(f, "e");
    store_act_everywhere_as(NULL);
    assert_int_equal(number(f, "SELECT count(*) FROM audit WHERE actor = 'cli:ann'"), 1);
}

/* ---- webhooks -------------------------------------------------------------------------------------------------------- */

static void add_webhook(struct fixture *f)
{
    struct webhook_row row;
    struct slice secret;
    OK(store_webhook_add(f->store, &(struct webhook_row){.url = S("http://x.example/")}, &f->a, &row, &secret, &e));
}

static void put_flagged(struct fixture *f, const char *id)
{
    struct findings findings = {0};
    add_finding(f, &findings, "d", KIND_ODD_BEHAVIOR, SEVERITY_LOW, 2, 0, "yes");
    put_run(f, simple_run(f, slice_str(id), S("yes")), "runs.jsonl", (uint32_t)id[0], false, &findings);
}

static struct job_row claim(struct fixture *f, const char *kind)
{
    struct job_row job;
    bool got;
    OK(db_script(f->store->db, "UPDATE job SET begin_at = 0", &e));
    OK(store_job_claim(f->store, LANE_GENERAL, 60, &f->a, &job, &got, &e));
    assert_true(got && slice_is(job.kind, kind));
    return job;
}

static void look(struct fixture *f)
{
    OK(store_look_queue(f->store, f->collection, 0, &e));
    const struct job_row job = claim(f, "look");
    OK(store_job_finish(f->store, &job, JOB_DONE, S("{}"), SLICE_NONE, &e));
}

#define FINDINGS_TOLD "SELECT coalesce(sum(payload ->> '$.data.total'), 0) FROM delivery WHERE event = 'findings.new'"

/* The job that looks is used again and again, and may go back to the queue at its end. */
static void each_finding_is_told_once(void **state)
{
    struct fixture *f = *state;
    put_flagged(f, "old");
    add_webhook(f);
    put_flagged(f, "a");
    OK(db_script(f->store->db, "UPDATE collection SET changes = looked + 1", &e)); /* there will be more to do */
    look(f);
    assert_int_equal(number(f, "SELECT state FROM job"), JOB_QUEUED);
    assert_int_equal(number(f, FINDINGS_TOLD), 1); /* not that of before there was a webhook */
    OK(db_script(f->store->db, "UPDATE collection SET looked = changes", &e));
    look(f);
    assert_int_equal(number(f, "SELECT state FROM job"), JOB_DONE);
    assert_int_equal(number(f, FINDINGS_TOLD), 1);
    put_flagged(f, "b");
    put_flagged(f, "c");
    add_webhook(f);
    OK(db_script(f->store->db, "UPDATE collection SET looked = changes", &e));
    look(f);
    assert_int_equal(number(f, FINDINGS_TOLD " AND webhook = 1"), 3);
    assert_int_equal(number(f, FINDINGS_TOLD " AND webhook = 2"), 2);
}

static void a_job_that_never_ends_is_told_of(void **state)
{
    struct fixture *f = *state;
    struct job_row job;
    bool existing, got;
    add_webhook(f);
    for (int i = 0; i < 2; i++)
        OK(store_job_add(f->store, &(struct job_row){.kind = S("import"), .collection = f->collection, .payload = S("{}")}, SLICE_NONE, &f->a, &job, &existing, &e));
    OK(db_script(f->store->db, "UPDATE job SET state = 1, attempts = 3, lease_until = 0", &e));
    OK(store_job_claim(f->store, LANE_GENERAL, 60, &f->a, &job, &got, &e));
    assert_false(got);
    assert_int_equal(number(f, "SELECT count(*) FROM job WHERE state = 3"), 2);
    assert_int_equal(number(f, "SELECT count(*) FROM delivery WHERE event = 'job.failed'"), 2);
}

static void a_paused_webhook_gathers_nothing(void **state)
{
    struct fixture *f = *state;
    struct webhook_row hook;
    struct delivery_row row;
    struct slice secret;
    OK(store_webhook_add(f->store, &(struct webhook_row){.url = S("http://x.example/")}, &f->a, &hook, &secret, &e));
    OK(store_delivery_test(f->store, hook.id, &f->a, &row, &e));
    OK(store_webhook_change(f->store, hook.id, 0, true, &f->a, &hook, &e));
    put_flagged(f, "a");
    look(f);
    assert_int_equal(number(f, "SELECT count(*) FROM delivery"), 1);
    assert_int_equal(number(f, "SELECT state FROM delivery"), DELIVERY_WAITING);
    OK(db_script(f->store->db, "UPDATE delivery SET created_at = '2020-01-01T00:00:00.000Z'", &e));
    look(f);
    assert_int_equal(number(f, "SELECT state FROM delivery"), DELIVERY_FAILED); /* nobody waits for that any more */
}

static void one_attempt(struct fixture *f, struct delivery_row *out)
{
    bool got;
    OK(db_script(f->store->db, "UPDATE delivery SET next_at = 0", &e));
    OK(store_delivery_claim(f->store, SLICE_NONE, 60000000, &f->a, out, &got, &e));
    assert_true(got);
}

static void a_lease_that_is_over_says_nothing_any_more(void **state)
{
    struct fixture *f = *state;
    struct webhook_row hook;
    struct delivery_row row, slow, quick;
    struct slice secret;
    OK(store_webhook_add(f->store, &(struct webhook_row){.url = S("http://x.example/")}, &f->a, &hook, &secret, &e));
    OK(store_delivery_test(f->store, hook.id, &f->a, &row, &e));
    one_attempt(f, &slow);
    one_attempt(f, &quick);
    OK(store_delivery_end(f->store, &quick, 200, SLICE_NONE, false, &e));
    OK(store_delivery_end(f->store, &slow, 500, S("it answered 500"), false, &e));
    assert_int_equal(number(f, "SELECT state FROM delivery"), DELIVERY_DELIVERED);
    assert_int_equal(number(f, "SELECT status FROM delivery"), 200);
}

static void one_of_each_webhook_is_told_at_a_time(void **state)
{
    struct fixture *f = *state;
    struct webhook_row hooks[2];
    struct delivery_row row;
    struct slice secret;
    bool got;
    for (int i = 0; i < 2; i++) {
        OK(store_webhook_add(f->store, &(struct webhook_row){.url = S("http://x.example/")}, &f->a, &hooks[i], &secret, &e));
        for (int n = 0; n < 3; n++)
            OK(store_delivery_test(f->store, hooks[i].id, &f->a, &row, &e));
    }
    OK(store_delivery_claim(f->store, hooks[0].id, 60000000, &f->a, &row, &got, &e));
    assert_true(got && slice_eq(row.webhook, hooks[1].id));
    OK(store_delivery_claim(f->store, hooks[1].id, 60000000, &f->a, &row, &got, &e));
    assert_true(got && slice_eq(row.webhook, hooks[0].id) && row.attempts == 1);
    OK(store_delivery_claim(f->store, arena_printf(&f->a, "%.*s %.*s", SLICE_ARG(hooks[0].id), SLICE_ARG(hooks[1].id)), 60000000, &f->a, &row, &got, &e));
    assert_false(got);
    assert_int_equal(number(f, "SELECT count(*) FROM delivery WHERE attempts = 1"), 2);
}

static void a_clock_that_is_set_back_puts_nothing_off_for_long(void **state)
{
    struct fixture *f = *state;
    struct webhook_row hook;
    struct delivery_row row;
    struct slice secret;
    const int64_t day = INT64_C(86400000000);
    OK(store_webhook_add(f->store, &(struct webhook_row){.url = S("http://x.example/")}, &f->a, &hook, &secret, &e));
    OK(store_delivery_test(f->store, hook.id, &f->a, &row, &e));
    OK(db_script(f->store->db, "UPDATE delivery SET next_at = 9000000000000000000", &e));
    OK(store_jobs_rewind(f->store, &e));
    assert_in_range(number(f, "SELECT next_at FROM delivery"), clock_now_us(), clock_now_us() + day);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_change_that_is_undone_takes_its_row_with_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_finding_is_told_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_job_that_never_ends_is_told_of, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_lease_that_is_over_says_nothing_any_more, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_paused_webhook_gathers_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_of_each_webhook_is_told_at_a_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_clock_that_is_set_back_puts_nothing_off_for_long, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
