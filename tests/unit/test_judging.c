/* The store's part of judging, against the real database. */
#include "judging_fixture.h"

#include "base/embed.h"
#include "storage/redact.h"

#include <pthread.h>

/* ---- rubrics --------------------------------------------------------------------------------------------------------------- */

static void test_rubrics_are_versions(void **state)
{
    struct fixture *f = *state;
    struct rubric_row row;
    struct rubric_rows rows;
    bool added;
    assert_int_equal(put_rubric(f, "b", "{\"x\":1}", 0, false, true).version, 1);
    assert_int_equal(put_rubric(f, "b", "{\"x\":1}", 1, false, false).version, 1);
    assert_int_equal(put_rubric(f, "b", "{\"x\":2}", 1, false, true).version, 2);
    FAILS(ERR_CONFLICT, store_rubric_put(f->store, &(struct rubric_row){.name = S("b"), .version = -1, .body = S("{}")}, 1, &f->a, &row, &added, &e));
    put_rubric(f, "a", "{}", 0, false, true);
    OK(store_rubric(f->store, S("b"), 0, &f->a, &row, &e));
    assert_int_equal(row.version, 2);
    assert_true(slice_is(row.body, "{\"x\":2}"));
    OK(store_rubric(f->store, S("b"), 1, &f->a, &row, &e));
    assert_true(slice_is(row.body, "{\"x\":1}"));
    assert_int_equal(row.latest, 2);
    FAILS(ERR_NOT_FOUND, store_rubric(f->store, S("b"), 3, &f->a, &row, &e));
    FAILS(ERR_NOT_FOUND, store_rubric(f->store, S("c"), 0, &f->a, &row, &e));
    OK(store_rubrics(f->store, SLICE_NONE, &(struct page){0}, &f->a, &rows, &e));
    assert_int_equal(rows.n, 2);
    assert_true(slice_is(rows.items[0].name, "a"));
    assert_int_equal(rows.items[1].version, 2);
    OK(store_rubrics(f->store, S("b"), &(struct page){.limit = 1}, &f->a, &rows, &e));
    assert_int_equal(rows.n, 1);
    assert_int_equal(rows.items[0].version, 2);
    OK(store_rubrics(f->store, S("b"), &(struct page){.limit = 1, .after = rows.end.next}, &f->a, &rows, &e));
    assert_int_equal(rows.items[0].version, 1);
    FAILS(ERR_USAGE, store_rubric_carry(f->store, &(struct rubric_row){.name = S("b"), .version = INT64_MAX, .body = S("{}")}, &e)); /* none could follow */
    OK(store_rubric_delete(f->store, S("b"), &e));
    FAILS(ERR_NOT_FOUND, store_rubric(f->store, S("b"), 0, &f->a, &row, &e));
}

static void test_what_ships_gives_way_to_an_edit(void **state)
{
    struct fixture *f = *state;
    put_rubric(f, "s", "{\"v\":1}", 0, true, true);
    put_rubric(f, "s", "{\"v\":2}", 0, true, true); /* a newer program */
    FAILS(ERR_CONFLICT, store_rubric_delete(f->store, S("s"), &e));
    assert_int_equal(put_rubric(f, "s", "{\"mine\":1}", 2, false, true).version, 3);
    assert_int_equal(put_rubric(f, "s", "{\"v\":3}", 0, true, false).version, 3);
}

static void test_models_are_kept(void **state)
{
    struct fixture *f = *state;
    struct model_row *rows;
    size_t n;
    OK(store_model_put(f->store, &(struct model_row){S("m"), S("{}")}, &e));
    OK(store_model_put(f->store, &(struct model_row){S("m"), S("{\"a\":1}")}, &e));
    OK(store_models(f->store, &f->a, &rows, &n, &e));
    assert_int_equal(n, 1);
    assert_true(slice_is(rows->json, "{\"a\":1}"));
    OK(store_model_delete(f->store, S("m"), &e));
    FAILS(ERR_NOT_FOUND, store_model_delete(f->store, S("m"), &e));
}

/* ---- calls ------------------------------------------------------------------------------------------------------------------ */

static struct call_row call(unsigned char key, double reserved)
{
    return (struct call_row){.key = {key}, .tokens_in = -1, .tokens_out = -1, .cost = NAN, .reserved = reserved};
}

static struct call_row answered(unsigned char key, const char *reply, double cost)
{
    return (struct call_row){.key = {key}, .reply = slice_str(reply), .tokens_in = 7, .tokens_out = 3, .cost = cost};
}

static struct spend spend_of(struct fixture *f, struct slice job)
{
    struct spend spend;
    OK(store_job_spend(f->store, job, &spend, &e));
    return spend;
}

static void test_money_comes_out_even(void **state)
{
    struct fixture *f = *state;
    struct slice job = add_job(f, "judge").id;
    struct call_row two[] = {call(1, 0.1), call(2, 0.2)};
    OK(store_calls_begin(f->store, job, two, 2, &e));
    struct spend s = spend_of(f, job);
    assert_int_equal(s.calls, 2);
    assert_true(s.open == 0.3);
    two[0] = answered(1, "{\"text\":\"yes\"}", 0.07);
    two[1].unsettled = 0.2; /* it failed, and may have been billed */
    OK(store_calls_end(f->store, job, two, 2, &e));
    s = spend_of(f, job);
    assert_true(s.open == 0 && s.cost == 0.07 && s.unsettled == 0.2);
    assert_int_equal(s.answered, 1);
    assert_int_equal(s.failed, 1);
    assert_int_equal(s.tokens_in, 7);
    assert_int_equal(s.tokens_out, 3);
    struct call_row sought[] = {call(2, 0), call(1, 0)};
    OK(store_calls_find(f->store, sought, 2, &f->a, &e));
    assert_null(sought[0].reply.ptr);
    assert_true(slice_is(sought[1].reply, "{\"text\":\"yes\"}"));
    assert_true(sought[1].cost == 0.07 && sought[1].tokens_in == 7);
    struct call_ratio ratio;
    two[0] = answered(3, "{}", 0.01);
    two[0].model = S("small");
    two[0].bytes = 28;
    OK(store_calls_end(f->store, job, two, 1, &e));
    OK(store_calls_ratio(f->store, S("small"), &ratio, &e));
    assert_true(ratio.calls == 1 && ratio.bytes == 28 && ratio.tokens_in == 7 && ratio.tokens_out == 3);
    OK(store_calls_ratio(f->store, S("large"), &ratio, &e));
    assert_int_equal(ratio.calls, 0);
    OK(store_job_cached(f->store, job, 5, &e));
    assert_int_equal(spend_of(f, job).cached, 5);
    FAILS(ERR_NOT_FOUND, store_calls_begin(f->store, S("nobody"), two, 2, &e));
}

static void test_a_call_that_a_crash_cut_is_not_forgotten(void **state)
{
    struct fixture *f = *state;
    struct slice job = add_job(f, "judge").id, other = add_job(f, "judge").id;
    struct call_row one = call(1, 0.25), ended = answered(1, "{}", 0.125);
    OK(store_calls_begin(f->store, job, &one, 1, &e));
    store_close(f->store);
    OK(store_open(f->path, STORE_WRITE, &f->store, &e));
    assert_true(spend_of(f, job).open == 0.25);
    OK(store_calls_begin(f->store, other, &one, 1, &e)); /* somebody else's is no crash */
    assert_true(spend_of(f, job).unsettled == 0);
    OK(store_calls_begin(f->store, job, &one, 1, &e));
    struct spend s = spend_of(f, job);
    assert_true(s.open == 0.25 && s.unsettled == 0.25);
    assert_int_equal(s.calls, 2);
    OK(store_calls_end(f->store, job, &ended, 1, &e));
    s = spend_of(f, job);
    assert_true(s.open == 0 && s.unsettled == 0.25 && s.cost == 0.125);
    assert_int_equal(s.calls, s.answered + s.failed);
    assert_true(spend_of(f, other).open == 0.25);
}

static void test_many_small_sums_are_exact(void **state)
{
    struct fixture *f = *state;
    struct slice job = add_job(f, "judge").id;
    enum { CALLS = 1000 };
    struct call_row *calls = arena_array(&f->a, struct call_row, CALLS);
    for (int i = 0; i < CALLS; i++) {
        calls[i] = call(0, 0.1);
        memcpy(calls[i].key, &i, sizeof i);
    }
    OK(store_calls_begin(f->store, job, calls, CALLS, &e));
    assert_true(spend_of(f, job).open == 100);
    for (int i = 0; i < CALLS; i++) {
        calls[i].reply = S("{}");
        calls[i].cost = 0.0000123;
        OK(store_calls_end(f->store, job, &calls[i], 1, &e));
    }
    assert_true(spend_of(f, job).open == 0);
    assert_true(spend_of(f, job).cost == 0.0123);
}

/* ---- what a job has to do ----------------------------------------------------------------------------------------------------- */

static struct judge_item *items_of(struct fixture *f, struct slice job, int stage, int64_t after, size_t *n)
{
    struct judge_item *items;
    OK(store_judge_items(f->store, job, stage, after, 100, &f->a, &items, n, &e));
    return items;
}

static void test_a_selection_is_fixed_once(void **state)
{
    struct fixture *f = *state;
    put_three(f);
    struct slice job = add_job(f, "judge").id, ids[] = {run_id(f, "r3"), run_id(f, "r1")};
    struct filter filter = FILTER_ANY;
    filter.collection = f->collection;
    filter.ids = ids;
    filter.nids = 2;
    uint64_t n;
    struct judge_count c;
    struct judgment_put put = judge(f, ids[0], "no", 0);
    OK(store_judgments_put(f->store, SLICE_NONE, &put, 1, &e));
    OK(store_judge_count(f->store, f->collection, &(struct judge_selection){.filter = &filter}, S("honest"), 1, S("0123456789abcdef"), 5, &f->a, &c, &e));
    assert_int_equal(c.runs, 2);
    assert_true(c.longest > 100 && c.longest < c.bytes && c.bytes < 2 * c.longest);
    assert_int_equal(c.alike, 1);
    assert_int_equal(c.nsample, 2);
    OK(store_judge_count(f->store, f->collection, &(struct judge_selection){0}, S("honest"), 2, S("0123456789abcdef"), 1, &f->a, &c, &e));
    assert_int_equal(c.runs, 3);
    assert_int_equal(c.alike, 0);
    assert_int_equal(c.nsample, 1);
    OK(store_judge_select(f->store, job, f->collection, &(struct judge_selection){.filter = &filter}, &n, &e));
    assert_int_equal(n, 2);
    size_t count;
    struct judge_item *items = items_of(f, job, 0, 0, &count);
    assert_int_equal(count, 2);
    assert_true(slice_eq(items[0].run, ids[0]) && slice_eq(items[1].run, ids[1])); /* as they were named */
    items_of(f, job, 0, items[0].n, &count);
    assert_int_equal(count, 1);
    OK(store_judge_select(f->store, job, f->collection, &(struct judge_selection){0}, &n, &e));
    assert_int_equal(n, 2);
    job = add_job(f, "judge").id;
    OK(store_judge_select(f->store, job, f->collection, &(struct judge_selection){.limit = 2, .sample = true, .seed = 3}, &n, &e));
    assert_int_equal(n, 2);
    job = add_job(f, "judge").id;
    OK(store_judge_select(f->store, job, f->collection, &(struct judge_selection){0}, &n, &e));
    assert_int_equal(n, 3);
    job = add_job(f, "judge").id;
    filter = FILTER_ANY;
    filter.model = S("none");
    OK(store_judge_select(f->store, job, f->collection, &(struct judge_selection){.filter = &filter}, &n, &e));
    OK(store_judge_select(f->store, job, f->collection, &(struct judge_selection){0}, &n, &e));
    assert_int_equal(n, 0); /* none was chosen, and that stays */
}

static void test_items_are_done_with_their_judgments(void **state)
{
    struct fixture *f = *state;
    put_three(f);
    struct slice job = add_job(f, "judge").id;
    uint64_t n;
    size_t count;
    OK(store_judge_select(f->store, job, f->collection, &(struct judge_selection){0}, &n, &e));
    struct judge_item *items = items_of(f, job, 0, 0, &count);
    struct judgment_put puts[] = {judge(f, items[0].run, "yes", 10), judge(f, items[1].run, "", 0)};
    puts[0].item = items[0].n;
    puts[0].next_stage = true;
    puts[1].item = items[1].n;
    puts[1].judgment.state = JUDGMENT_FAILED;
    puts[1].judgment.answer = SLICE_NONE;
    puts[1].judgment.raw = S("no json");
    puts[1].judgment.error = S("the reply is no JSON");
    for (int i = 0; i < 2; i++) { /* two attempts came to nothing */
        struct job_row row;
        bool got;
        OK(store_job_claim(f->store, LANE_MODELS, 0, &f->a, &row, &got, &e));
        assert_true(got);
    }
    OK(store_judgments_put(f->store, job, puts, 2, &e));
    OK(store_judgments_put(f->store, job, puts, 2, &e)); /* by one that lost its lease */
    assert_int_equal(number(f, "SELECT count(*) FROM judgment"), 2);
    assert_int_equal(number(f, "SELECT attempts FROM job"), 1);
    struct judge_progress p;
    OK(store_judge_progress(f->store, job, 0, &p, &e));
    assert_int_equal(p.total, 3);
    assert_int_equal(p.done, 2);
    assert_int_equal(p.answered, 1);
    assert_int_equal(p.failed, 1);
    assert_int_equal(p.flagged, 1);
    OK(store_judge_skip(f->store, job, &items[2].n, 1, false, &e));
    OK(store_judge_progress(f->store, job, 0, &p, &e));
    assert_int_equal(p.skipped, 1);
    items_of(f, job, 0, 0, &count);
    assert_int_equal(count, 0);
    items = items_of(f, job, 1, 0, &count);
    assert_int_equal(count, 1);
    assert_true(slice_eq(items[0].run, puts[0].judgment.run));
    OK(store_run_delete(f->store, items[0].run, &e));
    items_of(f, job, 1, 0, &count);
    assert_int_equal(count, 0);
}

/* What a job has read and redaction has taken out since: neither its judgment nor the reply bring it back. */
static void test_what_was_redacted_meanwhile_is_judged_again(void **state)
{
    struct fixture *f = *state;
    put_three(f);
    struct slice job = add_job(f, "judge").id;
    uint64_t n;
    size_t count;
    struct job_row row;
    bool got;
    OK(store_judge_select(f->store, job, f->collection, &(struct judge_selection){0}, &n, &e));
    OK(store_job_claim(f->store, LANE_MODELS, 60, &f->a, &row, &got, &e));
    struct judge_item *items = items_of(f, job, 0, 0, &count);
    size_t first = 0;
    while (!slice_eq(items[first].run, run_id(f, "r1")))
        first++;
    struct judgment_put put = judge(f, items[first].run, "yes", 12); /* quotes "I ran the te" */
    put.item = items[first].n;
    put.judgment.explanation = put.judgment.raw = S("it said that it ran the te");
    struct call_row one = call(1, 0.1), after = call(2, 0.1);
    OK(store_calls_begin(f->store, job, &one, 1, &e));
    const struct secret_own own = {S("claim"), S("I ran the te")};
    struct redact_wish wish = {0};
    struct redacted out;
    struct secrets *secrets;
    OK(secrets_compile(&own, 1, &secrets, &e));
    wish.secrets = secrets;
    OK(store_redact(f->store, &wish, &f->a, &out, &e));
    secrets_unref(secrets);
    assert_int_equal(out.runs_changed, 1);
    OK(store_judgments_put(f->store, job, &put, 1, &e));
    assert_int_equal(number(f, "SELECT count(*) FROM judgment WHERE state = 2 AND flagged = 0 AND decision IS NULL"), 1);
    assert_int_equal(number(f, "SELECT count(*) FROM judgment_detail WHERE coalesce(answer, explanation, evidence, raw) IS NULL AND error LIKE '%judge it again%'"), 1);
    assert_int_equal(judge_findings(f).n, 0);
    assert_int_equal(number(f, "SELECT count(*) FROM judge_item WHERE state = 3"), 1);
    one = answered(1, "{\"text\":\"it ran the te\"}", 0.07);
    OK(store_calls_end(f->store, job, &one, 1, &e));
    assert_int_equal(number(f, "SELECT count(*) FROM model_call"), 0);
    assert_true(spend_of(f, job).cost == 0.07);
    /* What it reads from now on is what stands there. */
    put = judge(f, items[!first].run, "yes", 12);
    put.item = items[!first].n;
    OK(store_judgments_put(f->store, job, &put, 1, &e));
    assert_int_equal(number(f, "SELECT count(*) FROM judgment WHERE state = 0"), 1);
    /* A job that began later keeps its replies. */
    struct slice later = add_job(f, "judge").id;
    OK(store_calls_begin(f->store, later, &after, 1, &e));
    after = answered(2, "{}", 0.07);
    OK(store_calls_end(f->store, later, &after, 1, &e));
    assert_int_equal(number(f, "SELECT count(*) FROM model_call"), 1);
}

/* ---- judgments ------------------------------------------------------------------------------------------------------------------ */

static void test_the_newest_judgment_counts(void **state)
{
    struct fixture *f = *state;
    struct judgment found;
    bool any;
    put_three(f);
    struct slice run = run_id(f, "r1");
    struct judgment_put put = judge(f, run, "no", 0);
    OK(store_judgments_put(f->store, SLICE_NONE, &put, 1, &e));
    assert_int_equal(judge_findings(f).n, 0);
    put = judge(f, run, "yes", 12);
    OK(store_judgments_put(f->store, SLICE_NONE, &put, 1, &e));
    assert_int_equal(judgments(f, true).n, 2);
    struct judgment_rows rows = judgments(f, false);
    assert_int_equal(rows.n, 1);
    assert_true(slice_is(rows.items->decision, "yes") && rows.items->current && !rows.items->stale);
    assert_null(rows.items->evidence);
    assert_int_equal(rows.items->quotes, 1);
    OK(store_judgment_find(f->store, run, S("honest"), 1, S("0123456789abcdef"), &f->a, &found, &any, &e));
    assert_true(any && slice_is(found.decision, "yes"));
    assert_int_equal(found.nevidence, 1);
    assert_true(found.evidence->weight == 0.75 && slice_is(found.evidence->quote, "I ran the te"));
    assert_true(isnan(found.share) && found.epistemic_confidence == 0.25 && found.cost == 0.5);
    OK(store_judgment_find(f->store, run, S("honest"), 2, S("0123456789abcdef"), &f->a, &found, &any, &e));
    assert_false(any);
    /* One that failed takes nothing away. */
    put = judge(f, run, "", 0);
    put.judgment.state = JUDGMENT_FAILED;
    OK(store_judgments_put(f->store, SLICE_NONE, &put, 1, &e));
    rows = judgments(f, false);
    assert_int_equal(rows.n, 1);
    assert_true(slice_is(rows.items->decision, "yes"));
    assert_int_equal(judge_findings(f).n, 1);
    FAILS(ERR_USAGE, store_judgments(f->store, &(struct judgment_filter){.state = S("maybe"), .flagged = -1}, &(struct page){0}, &f->a, &rows, &e));
}

static void test_a_judgment_of_another_text_is_stale(void **state)
{
    struct fixture *f = *state;
    put_three(f);
    struct judgment_put put = judge(f, run_id(f, "r1"), "yes", 5);
    put.judgment.content_hash = S("00000000000000000000000000000000");
    OK(store_judgments_put(f->store, SLICE_NONE, &put, 1, &e));
    assert_int_equal(judge_findings(f).n, 0);
    assert_int_equal(judgments(f, false).n, 0);
    struct judgment_rows rows = judgments(f, true);
    assert_int_equal(rows.n, 1);
    assert_true(rows.items->stale);
}

static void test_findings_of_judges_are_apart(void **state)
{
    struct fixture *f = *state;
    struct findings rules = {0}, none = {0};
    bool changed;
    put_three(f);
    struct slice run = run_id(f, "r1");
    struct judgment_put put = judge(f, run, "yes", 10), other = judge(f, run, "yes", 10);
    other.judgment.judge_key = S("fedcba9876543210");
    OK(store_judgments_put(f->store, SLICE_NONE, (struct judgment_put[]){put, other}, 2, &e));
    struct finding_rows rows = judge_findings(f);
    assert_int_equal(rows.n, 2); /* each judge's own */
    assert_false(slice_eq(rows.items[0].finding.id, rows.items[1].finding.id));
    assert_true(rows.items[0].finding.evidence->weight == 0.75);
    add_finding(f, &rules, "rule", KIND_HARNESS, SEVERITY_LOW, 2, 0, "I ran");
    OK(store_run_findings(f->store, run, SLICE_NONE, &rules, NULL, 0, NULL, 0, &changed, &e));
    OK(store_run_findings(f->store, run, SLICE_NONE, &none, NULL, 0, NULL, 0, &changed, &e));
    assert_true(changed);
    assert_int_equal(judge_findings(f).n, 2);
    assert_int_equal(number(f, "SELECT odd FROM run ORDER BY n LIMIT 1"), 2);
    /* A review stays while the judge says the same, and is taken up again when it does once more. */
    struct filter filter = FILTER_ANY;
    struct slice id = rows.items[0].finding.id;
    uint64_t n;
    filter.ids = &id;
    filter.nids = 1;
    OK(store_review(f->store, &filter, &(struct review){.has_status = true, .status = STATUS_DISMISSED, .note = S("no")}, &n, &e));
    assert_int_equal(n, 1);
    struct judgment_put no = judge(f, run, "no", 0);
    OK(store_judgments_put(f->store, SLICE_NONE, (struct judgment_put[]){no}, 1, &e));
    no.judgment.judge_key = S("fedcba9876543210");
    OK(store_judgments_put(f->store, SLICE_NONE, (struct judgment_put[]){no}, 1, &e));
    assert_int_equal(judge_findings(f).n, 0);
    OK(store_judgments_put(f->store, SLICE_NONE, (struct judgment_put[]){put, other}, 2, &e));
    struct finding_row row;
    OK(store_finding(f->store, id, &f->a, &row, &e));
    assert_int_equal(row.finding.status, STATUS_DISMISSED);
}

static void test_findings_of_judges_stay_while_their_words_stand(void **state)
{
    struct fixture *f = *state;
    put_three(f);
    struct slice run = run_id(f, "r1");
    struct judgment_put put = judge(f, run, "yes", 15); /* "I ran the tests" */
    OK(store_judgments_put(f->store, SLICE_NONE, &put, 1, &e));
    struct slice id = judge_findings(f).items[0].finding.id;
    struct filter filter = FILTER_ANY;
    uint64_t n;
    filter.ids = &id;
    filter.nids = 1;
    OK(store_review(f->store, &filter, &(struct review){.has_status = true, .status = STATUS_CONFIRMED}, &n, &e));
    assert_int_equal(put_run(f, simple_run(f, S("r1"), S("I ran the tests, and none of them passed.")), "a", 0, true, NULL), PUT_UPDATED);
    struct finding_rows rows = judge_findings(f);
    assert_int_equal(rows.n, 1);
    assert_true(slice_eq(rows.items[0].finding.id, id) && rows.items[0].finding.status == STATUS_CONFIRMED);
    assert_int_equal(judgments(f, false).n, 0);
    assert_int_equal(judgments(f, true).n, 1);
    assert_int_equal(put_run(f, simple_run(f, S("r1"), S("I ran no tests, since none of them passed.")), "a", 0, true, NULL), PUT_UPDATED);
    assert_int_equal(judge_findings(f).n, 0);
    assert_int_equal(number(f, "SELECT sum(odd) FROM run"), 0);
    /* The text that was judged is back: the judgment counts again, and what is found again is as it was reviewed. */
    put_run(f, simple_run(f, S("r1"), S("I ran the tests, and all of them passed.")), "a", 0, true, NULL);
    assert_int_equal(judgments(f, false).n, 1);
    OK(store_judgments_put(f->store, SLICE_NONE, &put, 1, &e));
    rows = judge_findings(f);
    assert_true(slice_eq(rows.items[0].finding.id, id) && rows.items[0].finding.status == STATUS_CONFIRMED);
}

static void test_who_has_judged(void **state)
{
    struct fixture *f = *state;
    struct judge_row *rows;
    struct ratings ratings;
    uint64_t failed;
    size_t n;
    put_three(f);
    struct judgment_put puts[] = {judge(f, run_id(f, "r1"), "yes", 4), judge(f, run_id(f, "r2"), "no", 0), judge(f, run_id(f, "r3"), "", 0)};
    puts[2].judgment.state = JUDGMENT_FAILED;
    OK(store_judgments_put(f->store, SLICE_NONE, puts, 3, &e));
    OK(store_judges(f->store, f->collection, SLICE_NONE, &f->a, &rows, &n, &e));
    assert_int_equal(n, 1);
    assert_int_equal(rows->judgments, 3);
    assert_int_equal(rows->flagged, 1);
    assert_int_equal(rows->failed, 1);
    assert_int_equal(rows->quotes, 1);
    assert_true(rows->cost == 1.5);
    struct judgment_put elsewhere = judge(f, run_id(f, "r2"), "no", 0);
    elsewhere.judgment.settings = S("{ \"samples\": 1 }"); /* the same, as another program wrote it */
    OK(store_judgments_put(f->store, SLICE_NONE, &elsewhere, 1, &e));
    OK(store_judges(f->store, f->collection, SLICE_NONE, &f->a, &rows, &n, &e));
    assert_int_equal(n, 1);
    assert_int_equal(rows->judgments, 3);
    assert_true(slice_eq(rows->settings, elsewhere.judgment.settings));
    OK(store_ratings_judge(f->store, f->collection, S("honest"), 1, S("0123456789abcdef"), &f->a, &ratings, &failed, &e));
    assert_int_equal(ratings.n, 2);
    assert_int_equal(failed, 1);
    assert_true(slice_cmp(ratings.items[0].run, ratings.items[1].run) < 0);
    for (size_t judges = 0; judges < 2; judges++) { /* what a judge found is no rule's */
        OK(store_ratings_findings(f->store, f->collection, SLICE_NONE, S("false_claim"), judges, SEVERITY_LOW, &f->a, &ratings, &e));
        assert_int_equal(ratings.n, 3);
        size_t found = 0;
        for (size_t i = 0; i < 3; i++)
            found += slice_is(ratings.items[i].value, "true");
        assert_int_equal(found, judges);
    }
    struct str out = STR_INIT(1 << 16);
    OK(store_sql(f->store, S("SELECT state, count(*) FROM judgments GROUP BY state ORDER BY 1"), SLICE_NONE, 0, 0, &out, &e));
    assert_true(slice_find(str_slice(&out), S("[[\"answered\",3],[\"failed\",1]]")) > 0);
    str_free(&out);
    put_rubric(f, "honest", "{}", 0, false, true);
    FAILS(ERR_CONFLICT, store_rubric_delete(f->store, S("honest"), &e));
    OK(store_collection_delete(f->store, f->collection, &e));
    assert_int_equal(number(f, "SELECT count(*) FROM judgment"), 0);
    assert_int_equal(number(f, "SELECT count(*) FROM judgment_detail"), 0);
}

/* ---- labels --------------------------------------------------------------------------------------------------------------------- */

static void give(struct fixture *f, const char *run, const char *set, const char *value, const char *who, uint64_t added, uint64_t changed)
{
    uint64_t counts[2];
    OK(store_labels_put(f->store, &(struct label_row){.run = run_id(f, run), .set = slice_str(set), .value = slice_str(value), .who = slice_str(who)}, 1,
                        &counts[0], &counts[1], &e));
    assert_int_equal(counts[0], added);
    assert_int_equal(counts[1], changed);
}

static void test_a_person_has_one_value(void **state)
{
    struct fixture *f = *state;
    struct run *run = simple_run(f, S("r1"), S("I did."));
    struct ratings ratings;
    run->labels = (struct label[]){{.set = S("one"), .value = S("1"), .who = S("ann")}, {.set = S("one"), .value = S("2"), .who = S("ann")}};
    run->nlabels = 2;
    put_run(f, run, "a", 0, true, NULL);
    give(f, "r1", "one", "1", "ann", 0, 1);
    give(f, "r1", "one", "1", "ann", 0, 0);
    OK(store_ratings_labels(f->store, f->collection, S("one"), SLICE_NONE, &f->a, &ratings, &e));
    assert_int_equal(ratings.n, 1);
    assert_true(slice_is(ratings.items[0].value, "1"));
}

static void test_labels_of_people(void **state)
{
    struct fixture *f = *state;
    struct label_rows rows;
    struct label_sets sets;
    struct ratings ratings;
    put_three(f);
    OK(store_label_set_put(f->store, &(struct label_set){.name = S("one"), .schema = S("{}"), .test_share = 0.25}, &e));
    OK(store_label_set_put(f->store, &(struct label_set){.name = S("all"), .reading = READING_ALL}, &e));
    give(f, "r1", "one", "1", "ann", 1, 0);
    give(f, "r1", "one", "1", "ann", 0, 0);
    give(f, "r1", "one", "2", "ann", 0, 1);
    give(f, "r1", "one", "2", "bob", 1, 0);
    give(f, "r1", "all", "1", "ann", 1, 0);
    give(f, "r1", "all", "2", "ann", 1, 0);
    give(f, "r2", "loose", "2", NULL, 1, 0);
    OK(store_labels(f->store, &(struct label_filter){.set = S("one")}, &(struct page){0}, &f->a, &rows, &e));
    assert_int_equal(rows.n, 2);
    assert_true(slice_is(rows.items[0].value, "2") && slice_is(rows.items[0].who, "ann") && rows.items[0].by_hand);
    OK(store_ratings_labels(f->store, f->collection, S("all"), S("ann"), &f->a, &ratings, &e));
    assert_int_equal(ratings.n, 2);
    OK(store_label_sets(f->store, f->collection, &f->a, &sets, &e));
    assert_int_equal(sets.n, 3);
    assert_true(slice_is(sets.items[1].name, "loose") && !sets.items[1].declared && sets.items[1].people == 1);
    assert_int_equal(sets.items[2].people, 2);
    assert_int_equal(sets.items[2].runs, 1);
    assert_true(sets.items[2].test_share == 0.25);
    FAILS(ERR_CONFLICT, store_label_set_put(f->store, &(struct label_set){.name = S("one"), .schema = S("{\"a\":1}")}, &e));
    OK(store_label_set_put(f->store, &(struct label_set){.name = S("one"), .schema = S("{}"), .title = S("One")}, &e));
    FAILS(ERR_CONFLICT, store_label_set_add(f->store, &(struct label_set){.name = S("one"), .schema = S("{}")}, &e));
    struct label_set was, first, second;
    OK(store_label_set(f->store, S("one"), &f->a, &was, &e));
    first = second = was;
    first.title = S("The first");
    second.description = S("as it was read before that");
    OK(store_label_set_change(f->store, &was, &first, &e));
    FAILS(ERR_BUSY, store_label_set_change(f->store, &was, &second, &e));
    OK(store_label_set_change(f->store, &first, &first, &e));
    OK(store_label_delete(f->store, rows.items[0].id, &e));
    FAILS(ERR_NOT_FOUND, store_label_delete(f->store, rows.items[0].id, &e));
    FAILS(ERR_NOT_FOUND, store_label_delete(f->store, S("1 or 1"), &e));
    OK(store_label_set_delete(f->store, S("one"), &e));
    struct label_set set;
    FAILS(ERR_NOT_FOUND, store_label_set(f->store, S("one"), &f->a, &set, &e));
    OK(store_label_set(f->store, S("loose"), &f->a, &set, &e));
    FAILS(ERR_NOT_FOUND, store_label_set_delete(f->store, S("loose"), &e));
}

static void test_a_label_given_here_overrules_its_source(void **state)
{
    struct fixture *f = *state;
    struct label said[] = {{.set = S("grade"), .value = S("1"), .who = S("ann")}, {.set = S("grade"), .value = S("2"), .who = S("bob")}};
    struct label_rows rows;
    for (int i = 0; i < 2; i++) {
        struct run *run = simple_run(f, S("r1"), S("one"));
        run->labels = said;
        run->nlabels = 2;
        assert_int_equal(put_run(f, run, "a", 0, true, NULL), i ? PUT_DUPLICATE : PUT_NEW);
        give(f, "r1", "grade", "3", "ann", 0, !i);
    }
    OK(store_labels(f->store, &(struct label_filter){.set = S("grade")}, &(struct page){0}, &f->a, &rows, &e));
    assert_int_equal(rows.n, 2);
    for (size_t i = 0; i < 2; i++)
        assert_true(slice_is(rows.items[i].value, slice_is(rows.items[i].who, "ann") ? "3" : "2"));
}

/* ---- jobs ------------------------------------------------------------------------------------------------------------------------ */

static void test_each_lane_takes_its_own(void **state)
{
    struct fixture *f = *state;
    struct job_row judge = add_job(f, "judge"), scan = add_job(f, "scan"), row;
    bool got;
    OK(store_job_claim(f->store, LANE_GENERAL, 60, &f->a, &row, &got, &e));
    assert_true(got && slice_eq(row.id, scan.id));
    OK(store_job_claim(f->store, LANE_GENERAL, 60, &f->a, &row, &got, &e));
    assert_false(got);
    OK(store_job_claim_id(f->store, judge.id, 60, &f->a, &row, &got, &e));
    assert_true(got && slice_eq(row.id, judge.id));
    OK(store_job_claim_id(f->store, judge.id, 60, &f->a, &row, &got, &e));
    assert_false(got);
    OK(store_job_claim(f->store, LANE_MODELS, 60, &f->a, &row, &got, &e));
    assert_false(got);
    uint64_t released;
    OK(store_jobs_release(f->store, &released, &e));
    assert_int_equal(released, 1); /* the scan; who runs the other one is no server */
    judge = add_job(f, "draft");
    OK(store_job_claim(f->store, LANE_MODELS, 0, &f->a, &row, &got, &e));
    assert_true(got && slice_eq(row.id, judge.id));
    OK(store_job_claim_id(f->store, judge.id, 60, &f->a, &row, &got, &e));
    assert_true(got); /* the lease was over */
}

/* ---- anything, in any order ---------------------------------------------------------------------------------------------------------- */

/* What should be there of one run: its text, and by each judge what was last said of that text, and what is still found. */
enum { RUNS = 3, JUDGES = 2, TEXTS = 3 };
struct model {
    int text;
    struct { bool any[TEXTS], flagged[TEXTS]; int found /* bytes quoted; 0: nothing */; } judges[JUDGES];
};
/* The first 12 bytes of two of them are the same, and 4 of all. */
static const char *const texts[TEXTS] = {"I ran the tests, and they passed.", "I ran the tests? They all failed.", "I ran away from all of it for now."};
static const char *const judge_keys[JUDGES] = {"aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb"};
static const uint32_t lengths[] = {4, 10, 20};

static void check_model(struct fixture *f, const struct model *model, int step)
{
    for (int r = 0; r < RUNS; r++) {
        struct slice run = run_id(f, (const char *[]){"r0", "r1", "r2"}[r]);
        struct filter filter = FILTER_ANY;
        struct finding_rows rows;
        size_t wanted = 0;
        filter.run = run;
        filter.detector = S("judge:honest@1");
        OK(store_findings(f->store, &filter, &(struct page){0}, &f->a, &rows, &e));
        for (int k = 0; k < JUDGES; k++) {
            const int text = model[r].text;
            struct judgment found;
            bool any;
            wanted += model[r].judges[k].found > 0;
            OK(store_judgment_find(f->store, run, S("honest"), 1, slice_str(judge_keys[k]), &f->a, &found, &any, &e));
            if (any != model[r].judges[k].any[text] || (any && found.flagged != model[r].judges[k].flagged[text]))
                fail_msg("step %d: run %d, judge %d: %d", step, r, k, any);
        }
        if (rows.n != wanted)
            fail_msg("step %d: run %d has %zu findings of judges, not %zu", step, r, rows.n, wanted);
    }
    assert_int_equal(number(f, "SELECT count(*) FROM finding"), number(f, "SELECT sum(broken + odd + near + harness + data) FROM run"));
    assert_int_equal(number(f, "SELECT count(*) FROM finding"), number(f, "SELECT findings FROM collection"));
    assert_int_equal(number(f, "SELECT count(*) FROM span s WHERE NOT EXISTS (SELECT 1 FROM finding f WHERE f.n = s.id >> 26)"), 0);
}

static void test_no_finding_of_a_judge_is_lost_or_doubled(void **state)
{
    struct fixture *f = *state;
    struct model model[RUNS] = {0};
    unsigned seed = 7;
    for (int r = 0; r < RUNS; r++)
        put_run(f, simple_run(f, (struct slice[]){S("r0"), S("r1"), S("r2")}[r], slice_str(texts[0])), "a", 0, true, NULL);
    for (int step = 0; step < 400; step++) {
        int r = rand_r(&seed) % RUNS, k = rand_r(&seed) % JUDGES;
        struct slice external_id = (struct slice[]){S("r0"), S("r1"), S("r2")}[r], run = run_id(f, external_id.ptr);
        struct findings rules = {0};
        if (rand_r(&seed) % 2)
            add_finding(f, &rules, "rule", KIND_HARNESS, SEVERITY_LOW, 2, 0, "I ran");
        switch (rand_r(&seed) % 4) {
        case 0: { /* the run is replaced */
            int text = rand_r(&seed) % TEXTS;
            put_run(f, simple_run(f, external_id, slice_str(texts[text])), "a", 0, true, &rules);
            for (int j = 0; j < JUDGES; j++)
                if (strncmp(texts[model[r].text], texts[text], (size_t)model[r].judges[j].found) != 0)
                    model[r].judges[j].found = 0;
            model[r].text = text;
            break;
        }
        case 1: { /* the rules look again */
            bool changed;
            OK(store_run_findings(f->store, run, SLICE_NONE, &rules, NULL, 0, NULL, 0, &changed, &e));
            break;
        }
        default: {
            uint32_t quoted = rand_r(&seed) % 3 ? lengths[rand_r(&seed) % 3] : 0;
            bool failed = rand_r(&seed) % 5 == 0;
            struct judgment_put put = judge(f, run, quoted ? "yes" : "no", quoted);
            put.judgment.judge_key = slice_str(judge_keys[k]);
            put.judgment.state = failed ? JUDGMENT_FAILED : JUDGMENT_ANSWERED;
            OK(store_judgments_put(f->store, SLICE_NONE, &put, 1, &e));
            if (failed)
                break;
            model[r].judges[k].any[model[r].text] = true;
            model[r].judges[k].flagged[model[r].text] = quoted > 0;
            model[r].judges[k].found = (int)quoted;
            break;
        }
        }
        check_model(f, model, step);
        arena_reset(&f->a);
        struct collection_row row;
        OK(store_collection(f->store, S("c"), &f->a, &row, &e));
        f->collection = row.id;
    }
}

/* ---- many at once ------------------------------------------------------------------------------------------------------------------------ */

struct caller {
    const char *path, *job;
    int first;
    pthread_t thread;
};
enum { CALLERS = 4, CALLS_EACH = 50 };

static void *make_calls(void *arg)
{
    const struct caller *caller = arg;
    struct store *store;
    OK(store_open(caller->path, STORE_WRITE, &store, &e));
    for (int i = 0; i < CALLS_EACH; i++) {
        struct call_row one = call(0, 0.02);
        int key = caller->first + i;
        memcpy(one.key, &key, sizeof key);
        OK(store_calls_begin(store, slice_str(caller->job), &one, 1, &e));
        one.reply = i % 2 ? S("{}") : SLICE_NONE;
        one.cost = i % 2 ? 0.01 : NAN;
        one.unsettled = i % 2 ? 0 : 0.02;
        OK(store_calls_end(store, slice_str(caller->job), &one, 1, &e));
    }
    store_close(store);
    return NULL;
}

static void test_callers_keep_one_ledger(void **state)
{
    struct fixture *f = *state;
    struct caller callers[CALLERS];
    struct slice job = add_job(f, "judge").id;
    for (int i = 0; i < CALLERS; i++) {
        callers[i] = (struct caller){.path = f->path, .job = job.ptr, .first = i * 1000};
        assert_int_equal(pthread_create(&callers[i].thread, NULL, make_calls, &callers[i]), 0);
    }
    for (int i = 0; i < CALLERS; i++)
        pthread_join(callers[i].thread, NULL);
    struct spend s = spend_of(f, job);
    assert_int_equal(s.calls, CALLERS * CALLS_EACH);
    assert_int_equal(s.answered, s.failed);
    assert_true(s.open == 0 && s.cost == 1 && s.unsettled == 2);
}

static void *claim_it(void *arg)
{
    const struct caller *caller = arg;
    struct arena a = {0};
    struct store *store;
    struct job_row row;
    bool by_id, next;
    OK(store_open(caller->path, STORE_WRITE, &store, &e));
    OK(store_job_claim_id(store, slice_str(caller->job), 60, &a, &row, &by_id, &e));
    OK(store_job_claim(store, LANE_MODELS, 60, &a, &row, &next, &e));
    store_close(store);
    arena_free(&a);
    return by_id || next ? arg : NULL;
}

static void test_one_alone_gets_a_job(void **state)
{
    struct fixture *f = *state;
    struct caller callers[CALLERS];
    struct slice job = add_job(f, "judge").id;
    int got = 0;
    for (int i = 0; i < CALLERS; i++) {
        callers[i] = (struct caller){.path = f->path, .job = job.ptr};
        assert_int_equal(pthread_create(&callers[i].thread, NULL, claim_it, &callers[i]), 0);
    }
    for (int i = 0; i < CALLERS; i++) {
        void *winner;
        pthread_join(callers[i].thread, &winner);
        got += winner != NULL;
    }
    assert_int_equal(got, 1);
}

/* ---- databases of before ------------------------------------------------------------------------------------------------------------------ */

static void test_a_database_of_before_keeps_its_labels(void **state)
{
    struct fixture *f = *state;
    static const char folder[] = "migrations/";
    char path[128];
    struct db *db;
    snprintf(path, sizeof path, "%s/old.db", f->folder);
    OK(db_open(path, true, &db, &e));
    OK(db_write(db, &e));
    for (size_t i = 0; i < embedded_file_count; i++)
        if (strncmp(embedded_files[i].name, folder, sizeof folder - 1) == 0 && strtol(embedded_files[i].name + sizeof folder - 1, NULL, 10) < 10)
            OK(db_script(db, embedded_files[i].bytes.ptr, &e));
    OK(db_script(db,
        "PRAGMA user_version = 9;"
        "INSERT INTO collection (id, name, created_at) VALUES ('11111111-0000-4000-8000-000000000000', 'c', '2026-01-01T00:00:00Z');"
        "INSERT INTO run (collection, imported, place, messages, calls, id, external_id, content_hash)"
        " VALUES (1, 1, 0, 0, 0, '22222222-0000-4000-8000-000000000000', 'r', zeroblob(16));"
        "INSERT INTO run_detail (run, path) VALUES (1, 'a');"
        "INSERT INTO label (run, label_set, value, who, created_at, by_hand) VALUES (1, 'grade', '3', 'ann', '2026-01-02T00:00:00Z', 1);", &e));
    OK(db_end(db, true, &e));
    db_close(db);
    store_close(f->store);
    OK(store_open(path, STORE_WRITE, &f->store, &e));
    struct label_rows rows;
    OK(store_labels(f->store, &(struct label_filter){.collection = S("c")}, &(struct page){0}, &f->a, &rows, &e));
    assert_int_equal(rows.n, 1);
    assert_true(slice_is(rows.items->value, "3") && slice_is(rows.items->who, "ann") && rows.items->by_hand && !rows.items->split.ptr);
    f->collection = S("c");
    struct judgment_put put = {.judgment = {.run = rows.items->run, .rubric = S("r"), .version = 1, .judge_key = S("k"), .share = NAN, .cost = NAN}};
    OK(store_judgments_put(f->store, SLICE_NONE, &put, 1, &e));
    assert_int_equal(judgments(f, false).n, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_was_redacted_meanwhile_is_judged_again),
        TEST(test_rubrics_are_versions), TEST(test_what_ships_gives_way_to_an_edit), TEST(test_models_are_kept), TEST(test_money_comes_out_even),
        TEST(test_a_call_that_a_crash_cut_is_not_forgotten), TEST(test_many_small_sums_are_exact), TEST(test_a_selection_is_fixed_once),
        TEST(test_items_are_done_with_their_judgments), TEST(test_the_newest_judgment_counts), TEST(test_a_judgment_of_another_text_is_stale),
        TEST(test_findings_of_judges_are_apart),
        TEST(test_findings_of_judges_stay_while_their_words_stand), TEST(test_who_has_judged), TEST(test_a_person_has_one_value), TEST(test_labels_of_people), TEST(test_each_lane_takes_its_own),
        TEST(test_a_label_given_here_overrules_its_source), TEST(test_no_finding_of_a_judge_is_lost_or_doubled), TEST(test_callers_keep_one_ledger),
        TEST(test_one_alone_gets_a_job), TEST(test_a_database_of_before_keeps_its_labels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
