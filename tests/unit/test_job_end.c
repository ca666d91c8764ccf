/* How a job ends, whoever did it. */
#include "base/clock.h"
#include "jobs/end.h"
#include "jobs/here.h"

#include "store_fixture.h"

#define TOKEN "ghp_a1B2a1B2a1B2a1B2a1B2a1B2a1B2a1B2a1B2"

struct ending {
    struct arena a;
    struct rulebook *rules;
    struct jobs_options options;
    struct job_row row;
    atomic_bool stop;
    struct job job;
    struct str report;
};

static void begin(struct ending *n)
{
    struct problems problems = {0};
    *n = (struct ending){.report = STR_INIT(JOB_RESULT_MAX)};
    OK(rulebook_load(&(struct rulebook_options){.redact = true, .config = "/dev/null"}, &n->a, &problems, &n->rules, &e));
    n->options.rules = n->rules;
    n->job = (struct job){.options = &n->options, .row = &n->row, .arena = &n->a, .stop = &n->stop};
}

static void end(struct ending *n)
{
    rulebook_free(n->rules);
    str_free(&n->report);
    arena_free(&n->a);
}

static struct job_end failed(struct ending *n, enum err_code code, bool stop, bool cancelled)
{
    struct job_end out;
    struct err why = {.code = code, .text = "for " TOKEN};
    atomic_store(&n->stop, stop);
    job_end(&n->job, false, cancelled, &n->report, &why, &out);
    assert_string_equal(out.why.text, "for [redacted:github-token]");
    return out;
}

static void a_failure_says_what_becomes_of_the_job(void **state)
{
    struct ending n;
    (void)state;
    begin(&n);
    int64_t now = clock_now_us();
    assert_int_equal(failed(&n, ERR_IO, false, false).state, JOB_FAILED);
    const enum err_code passing[] = {ERR_FULL, ERR_BUSY};
    for (size_t i = 0; i < 2; i++) {
        struct job_end waits = failed(&n, passing[i], false, false);
        assert_true(waits.state == JOB_QUEUED && waits.begin_at >= now + JOB_AGAIN_US);
        struct job_end stopped = failed(&n, passing[i], true, false); /* for the next server, at once */
        assert_true(stopped.state == JOB_QUEUED && stopped.begin_at == 0);
    }
    assert_int_equal(failed(&n, ERR_CANCELLED, true, false).state, JOB_QUEUED);
    assert_int_equal(failed(&n, ERR_CANCELLED, true, true).state, JOB_CANCELLED);
    assert_int_equal(failed(&n, ERR_CANCELLED, false, false).state, JOB_FAILED);
    end(&n);
}

static void a_report_is_whole_and_without_secrets(void **state)
{
    struct ending n;
    struct job_end out;
    (void)state;
    begin(&n);
    str_addz(&n.report, "{\"said\":\"" TOKEN "\"}");
    job_end(&n.job, true, false, &n.report, &(struct err){0}, &out);
    assert_int_equal(out.state, JOB_DONE);
    assert_true(slice_is(out.report, "{\"said\":\"[redacted:github-token]\"}"));
    for (size_t i = 0; i <= JOB_RESULT_MAX; i += 1 << 16) { /* cut JSON is none */
        static const char some[1 << 16];
        str_add(&n.report, some, sizeof some);
    }
    job_end(&n.job, true, false, &n.report, &(struct err){0}, &out);
    assert_true(out.state == JOB_FAILED && out.why.code == ERR_TOO_LARGE && !out.report.ptr);
    end(&n);
}

static void ignore(void *ctx, struct slice progress)
{
    (void)ctx;
    (void)progress;
}

/* A command line ends what it cannot do, as a server does, and does not leave it to run until its lease is over. */
static void a_kind_that_nobody_knows(void **state)
{
    struct fixture *f = *state;
    struct ending n;
    struct job_row out;
    bool existing, ours;
    begin(&n);
    const struct here here = {.options = &n.options, .stop = &n.stop, .show = ignore};
    OK(store_job_add(f->store, &(struct job_row){.kind = S("tomorrow"), .payload = S("{}")}, SLICE_NONE, &f->a, &out, &existing, &e));
    OK(job_here(&here, f->store, out.id, &f->a, &out, &ours, &e));
    assert_true(ours && out.state == JOB_FAILED && slice_starts(out.error, "this program knows no jobs"));
    end(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failure_says_what_becomes_of_the_job),
        cmocka_unit_test(a_report_is_whole_and_without_secrets),
        cmocka_unit_test_setup_teardown(a_kind_that_nobody_knows, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
