/* Whole collections: how they are fed, what is remembered of having looked, and when a server puts it off. */
#include "ingest/over.h"

#include "store_fixture.h"

#include <time.h>

static const char rules_text[] =
    "- {id: slip, title: a slip, behavior: error-ignored, events: {a: {on: assistant, text: slip}}, find: a,"
    " tests: {hit: [[{assistant: slip}]], clean: [[{assistant: ok}]]}}\n"
    "- {id: many-slips, title: '{count} of {runs} runs of {model} slip', behavior: error-ignored, scope: collection,"
    " find: {runs: {having: slip, at_least: 2, share_at_least: 0.5, field: model}},"
    " tests: {hit: [[{times: 2, run: [{assistant: slip}, {end: {model: a}}]}]], clean: [[[{assistant: slip}, {end: {model: a}}]]]}}\n";

static struct ruleset *rules(struct fixture *f)
{
    struct problems problems = {0};
    struct ruleset *rs;
    struct str said = STR_INIT(1000);
    size_t tests, failures;
    ruleset_parse(S(rules_text), S("r.yaml"), &f->a, &problems, &rs);
    if (problems.n)
        fail_msg("%.*s", SLICE_ARG(problems.items[0].message));
    ruleset_test(rs, &said, &tests, &failures);
    assert_int_equal(tests, 4);
    assert_int_equal(failures, 0);
    str_free(&said);
    return rs;
}

/* n runs of a task, by two models in turn; those of model a slip. */
static void put_runs(struct fixture *f, const struct ruleset *rs, const char *task, int n)
{
    struct detect_scratch *scratch = detect_scratch_new();
    struct put *put = store_put_new(f->store, &(struct put_target){.collection = f->collection});
    uint64_t counts[PUT_OUTCOMES] = {0};
    for (int i = 0; i < n; i++) {
        struct run *run = simple_run(f, arena_printf(&f->a, "%s-%d", task, i), arena_printf(&f->a, i % 2 ? "fine %d" : "a slip %d", i));
        struct detect_result found;
        run->task_id = *task ? slice_str(task) : SLICE_NONE;
        run->model = slice_str(i % 2 ? "b" : "a");
        detect_run(rs, scratch, run, &f->a, &found);
        struct put_name name = name_of(run, "/x/over", 0);
        OK(store_put_add(put, &name, run, &found.findings, NULL, 0, &e));
    }
    OK(store_put_commit(put, counts, &f->a, NULL, &e));
    assert_int_equal(counts[PUT_NEW], n);
    store_put_free(put);
    detect_scratch_free(scratch);
}

static struct look look_of(struct fixture *f)
{
    struct look look;
    OK(store_look(f->store, f->collection, &look, &e));
    return look;
}

struct fed {
    struct arena a;
    struct str said;
    size_t runs, findings;
};

static bool note(void *ctx, const struct task_summary *piece, struct err *e)
{
    struct fed *fed = ctx;
    (void)e;
    str_printf(&fed->said, "%.*s:%zu ", SLICE_ARG(piece->task_id), piece->nruns);
    fed->runs += piece->nruns;
    for (size_t i = 0; i < piece->nruns; i++)
        for (size_t k = 0; k < piece->runs[i].nfindings; k++, fed->findings++) {
            struct evidence shown;
            assert_true(slice_is(piece->runs[i].findings[k].detector, "slip"));
            assert_true(piece->quotes->finding(piece->quotes->ctx, piece->runs[i].findings[k].id, &fed->a, &shown));
            assert_true(slice_is(shown.quote, "slip") && slice_eq(shown.run, piece->runs[i].run));
        }
    return true;
}

static void a_collection_comes_task_by_task(void **state)
{
    struct fixture *f = *state;
    struct ruleset *rs = rules(f);
    struct fed fed = {.said = STR_INIT(1000)};
    const struct slice slip = S("slip");
    const struct quotes quotes = store_quotes(f->store);
    put_runs(f, rs, "", 3);
    put_runs(f, rs, "t2", 1005);
    put_runs(f, rs, "t1", 4);
    const struct feed_wish wish = {.detectors = &slip, .ndetectors = 1, .quotes = &quotes, .each = note, .ctx = &fed};
    OK(store_collection_feed(f->store, f->collection, &wish, &e));
    assert_string_equal(fed.said.ptr, "t1:4 t2:1000 t2:5 :3 ");
    assert_int_equal(fed.runs, 1012);
    assert_int_equal(fed.findings, 2 + 503 + 2);
    arena_free(&fed.a);
    str_free(&fed.said);
    ruleset_unref(rs);
}

static void what_was_seen_is_not_looked_at_again(void **state)
{
    struct fixture *f = *state;
    struct ruleset *rs = rules(f);
    const struct over_wish wish = {.collection = f->collection, .rules = rs};
    uint64_t findings[KIND_COUNT] = {0};
    assert_false(look_of(f).due);
    put_runs(f, rs, "t", 6);
    assert_true(look_of(f).due);
    OK(over_after(f->store, &wish, OVER_NOW, 6, findings, &e));
    assert_false(look_of(f).due);
    assert_int_equal(findings[KIND_ODD_BEHAVIOR], 1);
    assert_int_equal(number(f, "SELECT count(*) FROM finding WHERE scope = 2 AND run IS NULL AND task IS NULL"), 1);
    struct finding_rows rows;
    OK(store_findings(f->store, &(struct filter){.collection = f->collection, .scope = S("collection"), .has_findings = -1}, &(struct page){0}, &f->a, &rows, &e));
    assert_int_equal(rows.n, 1);
    assert_true(slice_is(rows.items[0].finding.title, "3 of 3 runs of a slip"));
    assert_int_equal(rows.items[0].finding.nevidence, 3);
    OK(over_after(f->store, &wish, OVER_NOW, 0, findings, &e));
    assert_int_equal(findings[KIND_ODD_BEHAVIOR], 1); /* nothing was due */

    struct run_rows runs; /* less of them: it is due, and no longer so */
    OK(store_runs(f->store, &(struct filter){.collection = f->collection, .model = S("a"), .has_findings = -1}, &(struct page){0}, &f->a, &runs, &e));
    OK(store_run_delete(f->store, runs.items[0].run.id, &e));
    OK(store_run_delete(f->store, runs.items[1].run.id, &e));
    assert_true(look_of(f).due);
    OK(over_after(f->store, &wish, OVER_SOON, 0, findings, &e));
    assert_int_equal(number(f, "SELECT count(*) FROM finding WHERE scope = 2"), 0);
    ruleset_unref(rs);
}

static int64_t jobs(struct fixture *f) { return number(f, "SELECT count(*) FROM job WHERE kind = 'look' AND state = 0"); }

static void a_server_puts_it_off(void **state)
{
    struct fixture *f = *state;
    struct ruleset *rs = rules(f);
    const struct over_wish wish = {.collection = f->collection, .rules = rs};
    uint64_t findings[KIND_COUNT] = {0};
    struct job_row job;
    bool got;
    put_runs(f, rs, "t", 6);
    for (int i = 0; i < 3; i++) /* many appends, one job */
        OK(over_after(f->store, &wish, OVER_LATER, 0, findings, &e));
    assert_int_equal(jobs(f), 1);
    OK(store_job_claim(f->store, LANE_GENERAL, 60, &f->a, &job, &got, &e));
    assert_false(got); /* not at once */
    OK(store_look_queue(f->store, f->collection, -1, &e));
    assert_int_equal(number(f, "SELECT begin_at > 0 FROM job WHERE kind = 'look'"), 1);
    assert_int_equal(jobs(f), 1); /* it keeps its time */
    OK(db_script(f->store->db, "UPDATE job SET begin_at = 0", &e));
    OK(store_job_claim(f->store, LANE_GENERAL, 60, &f->a, &job, &got, &e));
    assert_true(got && slice_is(job.kind, "look"));
    OK(over_after(f->store, &wish, OVER_NOW, 0, findings, &e));
    put_runs(f, rs, "u", 2); /* while it runs */
    OK(over_after(f->store, &wish, OVER_LATER, 0, findings, &e));
    OK(store_job_finish(f->store, &job, JOB_DONE, S("{}"), SLICE_NONE, &e));
    assert_int_equal(jobs(f), 1); /* and so it comes again */
    OK(db_script(f->store->db, "UPDATE job SET begin_at = 0", &e));
    OK(store_job_claim(f->store, LANE_GENERAL, 60, &f->a, &job, &got, &e));
    OK(over_after(f->store, &wish, OVER_NOW, 0, findings, &e));
    OK(store_job_finish(f->store, &job, JOB_DONE, S("{}"), SLICE_NONE, &e));
    assert_int_equal(jobs(f), 0);

    /* What an upload brings is looked at when it ends, unless others wait. */
    put_runs(f, rs, "v", 2);
    bool existing;
    OK(store_job_add(f->store, &(struct job_row){.kind = S("import"), .collection = f->collection, .payload = S("{}")}, SLICE_NONE, &f->a, &job, &existing, &e));
    assert_true(look_of(f).busy);
    OK(over_after(f->store, &wish, OVER_SOON, 2, findings, &e));
    assert_true(look_of(f).due && jobs(f) == 1);
    OK(store_job_cancel(f->store, job.id, &e));
    OK(over_after(f->store, &wish, OVER_SOON, 2, findings, &e));
    assert_false(look_of(f).due);
    ruleset_unref(rs);
}

static void a_look_is_cut_short(void **state)
{
    struct fixture *f = *state;
    struct ruleset *rs = rules(f);
    atomic_bool cancel = true;
    const struct over_wish wish = {.collection = f->collection, .rules = rs, .cancel = &cancel};
    uint64_t findings[KIND_COUNT] = {0};
    put_runs(f, rs, "t", 6);
    FAILS(ERR_CANCELLED, over_after(f->store, &wish, OVER_NOW, 6, findings, &e));
    assert_true(look_of(f).due);
    ruleset_unref(rs);
}

/* Answers that each two tasks gave fill the table: what comes then is not worth making room for it again and again. */
static void many_answers_cost_little(void **state)
{
    enum { ANSWERS = 30000 };
    static const char text[] = "- {id: same, title: '{answer}', behavior: guessing, scope: collection, code: same-answer,"
                               " parameters: {tasks: 2, share: 0.5, pass_rate: 0, at_most: 5},"
                               " tests: {hit: [[[{assistant: x}]]], clean: [[[{assistant: ok}]]]}}\n";
    struct fixture *f = *state;
    struct problems problems = {0};
    struct ruleset *rs;
    struct run_summary *runs = arena_array(&f->a, struct run_summary, ANSWERS);
    ruleset_parse(S(text), S("r.yaml"), &f->a, &problems, &rs);
    if (problems.n)
        fail_msg("%.*s", SLICE_ARG(problems.items[0].message));
    struct detect_over *over = detect_over_new(rs);
    clock_t before = clock();
    for (uint64_t i = 0; i < ANSWERS; i++) /* the same in both tasks, by twos: so that neither is of one task for long */
        runs[i] = (struct run_summary){.run = S("r"), .success = VERDICT_FAILED, .answer = (i + 1) * UINT64_C(0x9e3779b97f4a7c15)};
    for (size_t i = 0; i < ANSWERS; i++)
        for (int64_t task = 1; task <= 2; task++) {
            const struct task_summary piece = {.task_id = task == 1 ? S("a") : S("b"), .task = task, .runs = &runs[i], .nruns = 1};
            detect_over_feed(over, &piece);
        }
    assert_true(clock() - before < 2 * CLOCKS_PER_SEC);
    detect_over_free(over);
    ruleset_unref(rs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_collection_comes_task_by_task, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_seen_is_not_looked_at_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_server_puts_it_off, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_look_is_cut_short, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_answers_cost_little, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
