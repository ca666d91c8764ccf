/* What the views write, for full rows and for rows in which everything is absent. */
#include "text/jread.h"
#include "view/view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define S(literal) ((struct slice)SLICE_LIT(literal))

struct seen {
    struct arena arena;
    struct str text;
    struct jvalue *root;
};

/* Reads back what a view wrote: it must be JSON that needs no mending. */
#define SEE(to, view, ...)                                                                        \
    do {                                                                                            \
        *(to) = (struct seen){.text = STR_INIT(1 << 20)};                                         \
        struct jsonw j_ = jsonw_to(&(to)->text);                                                  \
        view(&j_, __VA_ARGS__);                                                                     \
        assert_int_equal(j_.depth, 0);                                                              \
        struct err e_ = {0};                                                                        \
        if (!jread(&(to)->arena, str_slice(&(to)->text), NULL, NULL, &(to)->root, &e_))       \
            fail_msg("%s\n%s", e_.text, (to)->text.ptr);                                          \
        assert_false((to)->root->repaired);                                                       \
    } while (0)

static void forget(struct seen *seen)
{
    str_free(&seen->text);
    arena_free(&seen->arena);
}

static bool is_null(const struct jvalue *v, const char *key) { return jis(jget(v, key), J_NULL); }
static bool text_is(const struct jvalue *v, const char *key, const char *text) { return slice_is(jstr(jget(v, key)), text); }
static bool raw_is(const struct jvalue *v, const char *key, const char *raw)
{
    const struct jvalue *member = jget(v, key);
    return member && slice_is(member->raw, raw);
}

static struct transcript transcripts[] = {{.id = SLICE_LIT("main"), .nmessages = 7}, {.parent = SLICE_LIT("main"), .nmessages = 2}};
static struct evidence in_second = {.transcript = 1, .transcript_id = SLICE_LIT("sub"), .message = 3, .part = SLICE_LIT("call:0.arguments"), .start = 5, .end = 9, .quote = SLICE_LIT("q\"\n")};
static struct evidence of_run = {.transcript = -1, .message = -1, .part = SLICE_LIT("run.exit_status"), .end = 3, .quote = SLICE_LIT("bad")};

static struct run_row full_run(void)
{
    static struct score score = {.name = SLICE_LIT("correct"), .value = SLICE_LIT("false"), .answer = SLICE_LIT("5"), .target = SLICE_LIT("6")};
    static struct slice tags[] = {SLICE_LIT("night")};
    struct run_row row = {.collection = S("c1"), .messages = 9, .calls = 4, .findings = {[KIND_HARNESS] = 2}, .has_first = true};
    run_init(&row.run);
    row.run.id = S("r1");
    row.run.success = VERDICT_FAILED;
    row.run.started_at = S("2026-01-02T03:04:05Z");
    row.run.ended_at = S("2026-01-02T03:04:06.250Z");
    row.run.tags = tags;
    row.run.ntags = 1;
    row.run.metadata = S("{\"seed\":1}");
    row.run.scores = &score;
    row.run.nscores = 1;
    row.run.transcripts = transcripts;
    row.run.ntranscripts = 2;
    row.first = (struct finding){.id = S("f1"), .detector = S("d"), .behavior = S("crash"), .kind = KIND_HARNESS, .severity = SEVERITY_HIGH,
                                 .title = S("t"), .evidence = &in_second, .nevidence = 1};
    return row;
}

static void a_run_shows_every_field(void **state)
{
    (void)state;
    struct run_row row = full_run();
    struct seen seen;
    SEE(&seen, view_run, &row);
    const struct jvalue *run = seen.root;
    assert_true(raw_is(run, "success", "false"));
    assert_true(raw_is(run, "duration_ms", "1250"));
    assert_true(raw_is(run, "tags", "[\"night\"]"));
    assert_true(raw_is(run, "metadata", "{\"seed\":1}"));
    assert_true(raw_is(jget(run, "findings"), "harness", "2"));
    assert_true(raw_is(jget(run, "findings"), "data", "0"));
    assert_true(raw_is(jat(jget(run, "scores"), 0), "value", "false"));
    assert_true(text_is(jat(jget(run, "transcripts"), 0), "id", "main"));
    assert_true(text_is(jat(jget(run, "transcripts"), 1), "id", "1")); /* it has none of its own: its position */
    assert_true(text_is(jat(jget(run, "transcripts"), 1), "parent", "main"));
    const struct jvalue *evidence = jat(jpath(run, "first_finding", "evidence", NULL), 0);
    assert_true(text_is(evidence, "run", "r1"));
    assert_true(text_is(evidence, "transcript", "sub"));
    assert_true(raw_is(evidence, "position", "1"));
    assert_true(text_is(evidence, "quote", "q\"\n"));
    forget(&seen);
}

static void what_is_absent_is_null(void **state)
{
    (void)state;
    struct run_row row = {0};
    struct seen seen;
    run_init(&row.run);
    SEE(&seen, view_run, &row);
    static const char *const nulls[] = {"external_id", "name", "task_id", "model", "agent", "attempt", "started_at", "ended_at", "duration_ms", "success",
                                        "exit_status", "error", "limit", "tokens_in", "tokens_out", "cost_usd", "gist", "first_finding"};
    for (size_t i = 0; i < sizeof nulls / sizeof *nulls; i++)
        if (!is_null(seen.root, nulls[i]))
            fail_msg("%s is not null", nulls[i]);
    assert_true(raw_is(seen.root, "metadata", "{}"));
    assert_true(raw_is(seen.root, "tags", "[]"));
    forget(&seen);

    struct message message = {.text = S("")};
    message_init(&message);
    message.text = S("");
    SEE(&seen, view_message, &message, 12);
    assert_true(raw_is(seen.root, "index", "12"));
    assert_true(text_is(seen.root, "text", ""));
    assert_true(is_null(seen.root, "reasoning") && is_null(seen.root, "tokens_in") && is_null(seen.root, "duration_ms"));
    assert_true(raw_is(seen.root, "tool_calls", "[]"));
    forget(&seen);
}

static void arguments_are_their_stored_text(void **state)
{
    (void)state;
    struct tool_call call = {.name = S("bash"), .arguments = S("{ \"cmd\":\"ls\" }")};
    struct blob stored = {.media_type = S("image/png"), .size = 3, .sha256 = {0xab}}, referred = {.url = S("http://x/y.png")};
    struct blob blobs[] = {stored, referred};
    struct message message = {0};
    struct seen seen;
    message_init(&message);
    message.role = ROLE_ASSISTANT;
    message.calls = &call;
    message.ncalls = 1;
    message.blobs = blobs;
    message.nblobs = 2;
    SEE(&seen, view_message, &message, 0);
    assert_true(text_is(seen.root, "role", "assistant"));
    assert_true(text_is(jat(jget(seen.root, "tool_calls"), 0), "arguments", "{ \"cmd\":\"ls\" }"));
    assert_true(slice_starts(jstr(jget(jat(jget(seen.root, "blobs"), 0), "sha256")), "ab00"));
    assert_true(is_null(jat(jget(seen.root, "blobs"), 1), "sha256"));
    forget(&seen);
}

static void a_finding_carries_its_run_and_its_evidence(void **state)
{
    (void)state;
    struct evidence both[] = {in_second, of_run};
    struct finding_row row = {.finding = {.id = S("f"), .behavior = S("crash"), .confidence = 0.5, .evidence = both, .nevidence = 2, .status = STATUS_DISMISSED},
                              .has_run = true};
    struct seen seen;
    run_init(&row.run);
    row.run.id = S("r1");
    row.run.task_id = S("t1");
    row.run.success = VERDICT_PASSED;
    SEE(&seen, view_finding, &row);
    assert_true(text_is(seen.root, "task_id", "t1")); /* of its run */
    assert_true(text_is(seen.root, "status", "dismissed"));
    assert_true(raw_is(jget(seen.root, "run"), "success", "true"));
    const struct jvalue *field = jat(jget(seen.root, "evidence"), 1);
    assert_true(is_null(field, "transcript") && is_null(field, "message") && is_null(field, "position"));
    assert_true(text_is(field, "part", "run.exit_status"));
    forget(&seen);

    row.has_run = false;
    row.finding.task_id = S("t2");
    both[0].run = S("r9");
    SEE(&seen, view_finding, &row);
    assert_true(is_null(seen.root, "run"));
    assert_true(text_is(jat(jget(seen.root, "evidence"), 0), "run", "r9"));
    forget(&seen);
}

/* Wilson's interval against values worked out independently (R: prop.test(x, n, correct = FALSE)). */
static void rates_have_wilson_intervals(void **state)
{
    (void)state;
    static const struct {
        int64_t passed, failed;
        double low, high;
    } cases[] = {{1, 1, 0.0945, 0.9055}, {0, 10, 0, 0.2775}, {10, 0, 0.7225, 1}, {62, 38, 0.5221, 0.7090}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct summary summary = {.passed = cases[i].passed, .failed = cases[i].failed, .cost_usd = NAN};
        struct seen seen;
        double low, high;
        SEE(&seen, view_summary, &summary);
        assert_true(jnum(jpath(seen.root, "pass_rate", "low", NULL), &low) && jnum(jpath(seen.root, "pass_rate", "high", NULL), &high));
        if (fabs(low - cases[i].low) > 5e-4 || fabs(high - cases[i].high) > 5e-4)
            fail_msg("%d of %d: %f to %f", (int)cases[i].passed, (int)(cases[i].passed + cases[i].failed), low, high);
        assert_true(is_null(seen.root, "pass_rate_sound"));
        assert_true(is_null(seen.root, "cost_usd"));
        forget(&seen);
    }
}

static void a_task_without_known_outcomes_has_no_rate(void **state)
{
    (void)state;
    struct task_row row = {.task_id = S("t"), .runs = 3, .verdict = TASK_SUSPECT};
    struct seen seen;
    SEE(&seen, view_task, &row);
    assert_true(is_null(seen.root, "pass_rate") && is_null(seen.root, "best"));
    assert_true(text_is(seen.root, "verdict", "suspect"));
    forget(&seen);
    row.passed = 1;
    row.failed = 3;
    SEE(&seen, view_task, &row);
    assert_true(raw_is(seen.root, "pass_rate", "0.25"));
    forget(&seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_shows_every_field),
        cmocka_unit_test(what_is_absent_is_null),
        cmocka_unit_test(arguments_are_their_stored_text),
        cmocka_unit_test(a_finding_carries_its_run_and_its_evidence),
        cmocka_unit_test(rates_have_wilson_intervals),
        cmocka_unit_test(a_task_without_known_outcomes_has_no_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
