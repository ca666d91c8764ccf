/* Pieces of runs that arrive bit by bit: what is kept of them, when they are due, and how they come back. */
#include "store_fixture.h"

#include "base/clock.h"
#include "storage/redact_in.h"

static struct piece piece_of(const char *path, const char *id, int64_t rank, const char *body)
{
    return (struct piece){.path = slice_str(path), .id = slice_str(id), .rank = rank, .body = slice_str(body)};
}

static void add(struct fixture *f, const char *path, const char *id, int64_t rank, const char *body)
{
    struct piece p = piece_of(path, id, rank, body);
    OK(store_pieces_add(f->store, f->collection, &p, 1, &e));
    assert_false(p.refused);
}

static void make_due(struct fixture *f) { OK(db_script(f->store->db, "UPDATE piece_group SET due = 1 WHERE due IS NOT NULL", &e)); }

static size_t begin(struct fixture *f, size_t limit, uint64_t bytes, struct piece_group **out)
{
    size_t n;
    OK(store_piece_groups_begin(f->store, f->collection, limit, bytes, &f->a, out, &n, &e));
    return n;
}

/* The bodies of a group, one after the other. */
static const char *bodies(struct fixture *f, struct piece_group *group)
{
    struct str text = STR_INIT(1 << 20);
    OK(store_piece_group_load(f->store, group, &f->a, &e));
    for (size_t i = 0; i < group->nitems; i++)
        str_printf(&text, "%.*s ", SLICE_ARG(group->items[i].body));
    const char *copy = arena_strdup(&f->a, str_slice(&text));
    str_free(&text);
    return copy;
}

static void test_each_id_comes_back_once(void **state)
{
    struct fixture *f = *state;
    struct piece_group *groups;
    struct piece many[] = {piece_of("p:1", "a", 5, "a5"), piece_of("p:2", "x", 0, "x0"), piece_of("p:1", "b", 0, "b0"), piece_of("p:1", "a", 4, "a4")};
    OK(store_pieces_add(f->store, f->collection, many, 4, &e));
    add(f, "p:1", "c", 0, "c0");
    add(f, "p:1", "b", 0, "b1"); /* the same rank: the last */
    assert_int_equal(begin(f, 9, 1 << 20, &groups), 0); /* not quiet yet */
    make_due(f);
    assert_int_equal(begin(f, 9, 1 << 20, &groups), 2);
    assert_string_equal(bodies(f, &groups[0]), "a5 b1 c0 ");
    assert_string_equal(bodies(f, &groups[1]), "x0 ");
    assert_true(slice_is(groups[0].path, "p:1"));
    /* Packed together, they are what they were. */
    OK(store_piece_groups_end(f->store, groups, 2, true, &e));
    assert_int_equal(number(f, "SELECT count(*) FROM piece"), 2);
    assert_int_equal(number(f, "SELECT count(*) FROM piece_group WHERE due IS NOT NULL OR attempts > 0"), 0);
    assert_string_equal(bodies(f, &groups[0]), "a5 b1 c0 ");
    add(f, "p:1", "a", 6, "a6");
    assert_string_equal(bodies(f, &groups[0]), "a6 b1 c0 ");
    assert_int_equal(number(f, "SELECT bytes FROM piece_group WHERE path = 'p:1'"), 3 * 19 + 19);
}

static void test_what_comes_during_a_build_is_built_after_it(void **state)
{
    struct fixture *f = *state;
    struct piece_group *groups;
    add(f, "p:1", "a", 0, "a");
    make_due(f);
    assert_int_equal(begin(f, 9, 1 << 20, &groups), 1);
    assert_string_equal(bodies(f, &groups[0]), "a ");
    add(f, "p:1", "b", 0, "b");
    OK(store_piece_groups_end(f->store, groups, 1, true, &e));
    make_due(f);
    assert_int_equal(begin(f, 9, 1 << 20, &groups), 1);
    assert_string_equal(bodies(f, &groups[0]), "a b ");
}

static void test_a_group_that_never_ends_is_left_alone(void **state)
{
    struct fixture *f = *state;
    struct piece_group *groups;
    add(f, "p:1", "a", 0, "a");
    make_due(f);
    assert_int_equal(begin(f, 9, 1 << 20, &groups), 1);
    OK(store_piece_groups_end(f->store, groups, 1, false, &e)); /* stopped: that does not count */
    for (int i = 0; i < 3; i++)
        assert_int_equal(begin(f, 9, 1 << 20, &groups), 1);
    assert_int_equal(begin(f, 9, 1 << 20, &groups), 0);
}

static void test_the_guilty_group_alone_is_given_up(void **state)
{
    struct fixture *f = *state;
    struct piece_group *groups;
    struct slices given_up;
    add(f, "p:1", "a", 0, "a");
    add(f, "p:2", "a", 0, "a");
    make_due(f);
    assert_int_equal(begin(f, 9, 1 << 20, &groups), 2); /* the server dies */
    for (int i = 0; i < 2; i++) { /* and twice more, of the first */
        assert_int_equal(begin(f, 9, 1 << 20, &groups), 1);
        assert_string_equal(bodies(f, &groups[0]), "a ");
        assert_true(slice_is(groups[0].path, "p:1"));
    }
    OK(store_piece_groups_given_up(f->store, f->collection, 9, &f->a, &given_up, &e));
    assert_int_equal(given_up.n, 1);
    assert_true(slice_is(given_up.items[0], "p:1"));
    assert_int_equal(begin(f, 9, 1 << 20, &groups), 1);
    bodies(f, &groups[0]);
    assert_true(slice_is(groups[0].path, "p:2"));
    OK(store_piece_groups_end(f->store, groups, 1, true, &e));
    assert_int_equal(begin(f, 9, 1 << 20, &groups), 0);
    add(f, "p:1", "b", 0, "b"); /* what is new is tried again */
    make_due(f);
    assert_int_equal(begin(f, 9, 1 << 20, &groups), 1);
    OK(store_piece_groups_given_up(f->store, f->collection, 9, &f->a, &given_up, &e));
    assert_int_equal(given_up.n, 0);
}

static void test_a_job_builds_no_more_than_it_may(void **state)
{
    struct fixture *f = *state;
    struct piece_group *groups;
    char path[16], *body = arena_alloc(&f->a, 1001);
    memset(body, 'x', 1000);
    body[1000] = '\0';
    for (int i = 0; i < 5; i++) {
        snprintf(path, sizeof path, "p:%d", i);
        add(f, path, "a", 0, body);
    }
    make_due(f);
    assert_int_equal(begin(f, 9, 2500, &groups), 2);
    OK(store_piece_groups_end(f->store, groups, 2, false, &e));
    assert_int_equal(begin(f, 4, 1 << 20, &groups), 4);
    OK(store_piece_groups_end(f->store, groups, 4, false, &e));
    assert_int_equal(begin(f, 9, 10, &groups), 1);
}

static void test_a_group_has_a_measure(void **state)
{
    struct fixture *f = *state;
    add(f, "p:1", "a", 0, "a");
    OK(db_script(f->store->db, "UPDATE piece_group SET bytes = 268435400", &e));
    struct piece more[] = {piece_of("p:1", "b", 0, "much too much for what is left of the measure of a group"), piece_of("p:2", "b", 0, "b")};
    OK(store_pieces_add(f->store, f->collection, more, 2, &e));
    assert_true(more[0].refused);
    assert_false(more[1].refused);
}

static void test_a_group_of_nothing_is_not_built_for_ever(void **state)
{
    struct fixture *f = *state;
    struct piece_group *groups;
    char *body = malloc((1 << 28) + 1);
    struct piece large = {.path = S("p:1"), .id = S("a"), .body = slice_of(memset(body, 'x', (1 << 28) + 1), (1 << 28) + 1)};
    OK(store_pieces_add(f->store, f->collection, &large, 1, &e));
    free(body);
    assert_true(large.refused);
    assert_int_equal(number(f, "SELECT count(*) FROM piece_group"), 0);
    add(f, "p:2", "a", 0, "a");
    OK(db_script(f->store->db, "DELETE FROM piece", &e)); /* one that an older program left */
    make_due(f);
    assert_int_equal(begin(f, 9, 1 << 20, &groups), 1);
    assert_string_equal(bodies(f, &groups[0]), "");
    OK(store_piece_groups_end(f->store, groups, 1, true, &e));
    assert_int_equal(number(f, "SELECT count(*) FROM piece_group WHERE due IS NOT NULL"), 0);
}

static void test_one_job_waits_until_it_is_quiet(void **state)
{
    struct fixture *f = *state;
    struct job_row job;
    bool got;
    int64_t now = clock_now_us();
    add(f, "p:1", "a", 0, "a");
    add(f, "p:2", "a", 0, "a");
    assert_int_equal(number(f, "SELECT count(*) FROM job WHERE kind = 'build' AND state = 0"), 1);
    int64_t wait = number(f, "SELECT begin_at FROM job") - now;
    assert_in_range(wait, 900000, 60000000);
    OK(store_job_claim(f->store, LANE_GENERAL, 60, &f->a, &job, &got, &e));
    assert_false(got);
    OK(db_script(f->store->db, "UPDATE job SET begin_at = 1", &e));
    OK(store_job_claim(f->store, LANE_GENERAL, 60, &f->a, &job, &got, &e));
    assert_true(got && slice_is(job.kind, "build") && slice_eq(job.collection, f->collection));
    /* What is still to be built sends it back to the queue; when all is built, it is done; a new piece wakes it. */
    OK(store_job_finish(f->store, &job, JOB_DONE, S("{}"), SLICE_NONE, &e));
    assert_int_equal(number(f, "SELECT state FROM job"), JOB_QUEUED);
    OK(db_script(f->store->db, "UPDATE job SET begin_at = 1; UPDATE piece_group SET since = NULL, due = NULL", &e));
    OK(store_job_claim(f->store, LANE_GENERAL, 60, &f->a, &job, &got, &e));
    assert_true(got);
    OK(store_job_finish(f->store, &job, JOB_DONE, S("{}"), SLICE_NONE, &e));
    assert_int_equal(number(f, "SELECT state FROM job"), JOB_DONE);
    add(f, "p:2", "b", 0, "b");
    assert_int_equal(number(f, "SELECT count(*) FROM job"), 1);
    assert_int_equal(number(f, "SELECT state FROM job"), JOB_QUEUED);
}

static void claim_build(struct fixture *f, struct job_row *job)
{
    bool got;
    OK(db_script(f->store->db, "UPDATE job SET begin_at = 1", &e));
    OK(store_job_claim(f->store, LANE_GENERAL, 60, &f->a, job, &got, &e));
    assert_true(got && slice_is(job->kind, "build"));
}

static void test_what_waits_always_has_a_job(void **state)
{
    struct fixture *f = *state;
    struct job_row job;
    uint64_t released;
    int64_t now = clock_now_us();
    add(f, "p:1", "a", 0, "a");
    claim_build(f, &job);
    /* One that failed is tried again after a while, and no sooner for what comes then. */
    OK(store_job_finish(f->store, &job, JOB_FAILED, SLICE_NONE, S("a reason"), &e));
    assert_int_equal(number(f, "SELECT count(*) FROM job WHERE state = 0 AND error = 'a reason'"), 1);
    assert_true(number(f, "SELECT begin_at FROM job") - now >= 30000000);
    add(f, "p:2", "a", 0, "a");
    assert_true(number(f, "SELECT begin_at FROM job") - now >= 30000000);
    FAILS(ERR_CONFLICT, store_job_cancel(f->store, job.id, &e));
    /* It is the groups that count attempts. */
    for (int i = 0; i < 5; i++) {
        claim_build(f, &job);
        OK(store_jobs_release(f->store, &released, &e));
    }
    OK(db_script(f->store->db, "UPDATE job SET state = 3", &e)); /* as an older program left it */
    OK(store_jobs_release(f->store, &released, &e));
    assert_int_equal(number(f, "SELECT state FROM job"), JOB_QUEUED);
    OK(db_script(f->store->db, "UPDATE piece_group SET due = NULL; UPDATE job SET state = 2", &e));
    OK(store_jobs_release(f->store, &released, &e));
    assert_int_equal(number(f, "SELECT state FROM job"), JOB_DONE);
}

static void test_a_busy_group_is_built_all_the_same(void **state)
{
    struct fixture *f = *state;
    add(f, "p:1", "a", 0, "a");
    OK(db_script(f->store->db, "UPDATE piece_group SET since = since - 4900000", &e));
    int64_t now = clock_now_us();
    add(f, "p:1", "b", 0, "b");
    assert_true(number(f, "SELECT due FROM piece_group") - now < 500000);
    /* A large one less often. */
    OK(db_script(f->store->db, "UPDATE piece_group SET bytes = 80000000, since = NULL", &e));
    now = clock_now_us();
    add(f, "p:1", "c", 0, "c");
    assert_in_range(number(f, "SELECT due FROM piece_group") - now, 10900000, 20000000);
}

#define SECRET "glpat-q7Kr2Xm9Dw4Hj8TbLs6V"

static void redact(struct fixture *f)
{
    struct secrets *secrets;
    struct redacted out = {0};
    OK(secrets_compile(NULL, 0, &secrets, &e));
    struct regex_scratch *scratch = regex_scratch_new();
    const struct redact_wish wish = {.secrets = secrets};
    struct redacting x = {.store = f->store, .wish = &wish, .out = &out};
    x.look = x.done = (struct redaction){.secrets = secrets, .scratch = scratch, .arena = &x.arena};
    OK(redact_pieces(&x, number(f, "SELECT n FROM collection"), &e));
    assert_int_equal(x.done.replaced, 1);
    arena_free(&x.arena);
    regex_scratch_free(scratch);
    secrets_unref(secrets);
}

/* A build that has read its pieces does not bring back what redaction has taken out of them meanwhile. */
static void test_what_is_redacted_during_a_build_is_built_after_it(void **state)
{
    struct fixture *f = *state;
    struct piece_group *groups;
    uint64_t counts[PUT_OUTCOMES] = {0};
    add(f, "p:1", "a", 0, "\"" SECRET "\"");
    add(f, "p:1", "b", 0, "\"b\"");
    add(f, "p:2", "c", 0, "\"c\"");
    make_due(f);
    assert_int_equal(begin(f, 9, 1 << 20, &groups), 2);
    assert_string_equal(bodies(f, &groups[0]), "\"" SECRET "\" \"b\" ");
    bodies(f, &groups[1]);
    redact(f);
    const struct piece_groups first = {.items = groups, .n = 1}, second = {.items = groups + 1, .n = 1};
    struct put *put = store_put_new(f->store, &(struct put_target){.collection = f->collection, .replace = true, .made_of = &first});
    store_put_file(put, &(struct file_row){.name = S("a"), .format = S("f")});
    FAILS(ERR_BUSY, store_put_commit(put, counts, NULL, NULL, &e));
    store_put_free(put);
    put = store_put_new(f->store, &(struct put_target){.collection = f->collection, .replace = true, .made_of = &second});
    store_put_file(put, &(struct file_row){.name = S("a"), .format = S("f")});
    OK(store_put_commit(put, counts, NULL, NULL, &e));
    store_put_free(put);
    OK(store_piece_groups_end(f->store, groups, 2, true, &e));
    assert_int_equal(number(f, "SELECT count(*) FROM piece_group WHERE due IS NOT NULL"), 1);
    make_due(f);
    assert_int_equal(begin(f, 9, 1 << 20, &groups), 1);
    assert_string_equal(bodies(f, &groups[0]), "\"[redacted:gitlab-token]\" \"b\" ");
    OK(store_piece_groups_end(f->store, groups, 1, true, &e));
    assert_int_equal(number(f, "SELECT count(*) FROM piece_group WHERE due IS NOT NULL OR attempts > 0"), 0);
}

static void test_pieces_go_with_their_collection(void **state)
{
    struct fixture *f = *state;
    add(f, "p:1", "a", 0, "a");
    OK(store_collection_delete(f->store, f->collection, &e));
    assert_int_equal(number(f, "SELECT count(*) FROM piece") + number(f, "SELECT count(*) FROM piece_group"), 0);
    struct piece p = piece_of("p:1", "a", 0, "a");
    FAILS(ERR_NOT_FOUND, store_pieces_add(f->store, f->collection, &p, 1, &e));
}

static void test_a_collection_is_found_or_made(void **state)
{
    struct fixture *f = *state;
    struct collection_row row;
    OK(store_collection_want(f->store, S("c"), &f->a, &row, &e));
    assert_true(slice_eq(row.id, f->collection));
    OK(store_collection_want(f->store, f->collection, &f->a, &row, &e));
    assert_true(slice_is(row.name, "c"));
    OK(store_collection_want(f->store, S("tab\there"), &f->a, &row, &e));
    assert_true(slice_is(row.name, "tab_here"));
    struct slice id = row.id;
    OK(store_collection_want(f->store, S("tab\there"), &f->a, &row, &e));
    assert_true(slice_eq(row.id, id));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_id_comes_back_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_comes_during_a_build_is_built_after_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_group_that_never_ends_is_left_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_guilty_group_alone_is_given_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_group_of_nothing_is_not_built_for_ever, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_waits_always_has_a_job, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_job_builds_no_more_than_it_may, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_group_has_a_measure, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_job_waits_until_it_is_quiet, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_busy_group_is_built_all_the_same, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_redacted_during_a_build_is_built_after_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_pieces_go_with_their_collection, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_collection_is_found_or_made, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
