/* Which findings the condition of an exception holds of. */
#include "transcript/except.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#define S(literal) slice_str(literal)

static struct evidence evidence[] = {
    {.part = {"text", 4}, .quote = {"bash: xxd: command not found", 28}},
    {.part = {"call:0.arguments", 16}, .quote = {"{\"cmd\":\"xxd a\"}", 15}},
};

static bool holds(const char *condition)
{
    const struct finding f = {.title = S("xxd is not installed"), .behavior = S("missing-program"), .severity = SEVERITY_HIGH,
                              .captures = S("{\"prog\":\"xxd\"}"), .evidence = evidence, .nevidence = 2};
    const struct except_about about = {.task_id = S("ctf 7"), .model = S("gpt-4o")};
    struct regex_scratch *scratch = regex_scratch_new();
    struct except *x;
    struct err e = {0};
    if (!except_compile(S(condition), &x, &e))
        fail_msg("%s: %s", condition, e.text);
    bool is = except_holds(x, scratch, &f, &about);
    except_free(x);
    regex_scratch_free(scratch);
    return is;
}

static void test_matchers_hold_as_in_rules(void **state)
{
    (void)state;
    assert_true(holds("{}"));
    assert_true(holds("{\"title\": \"^xx?d is\"}"));
    assert_false(holds("{\"title\": \"^d is\"}"));
    assert_true(holds("{\"title\": [\"a.b\", \"is not\"]}"));
    assert_false(holds("{\"title\": [\"xxd.is\"]}"));
    assert_true(holds("{\"capture.prog\": {\"is\": \"xxd\"}}"));
    assert_false(holds("{\"capture.prog\": {\"is\": \"xx\"}}"));
    assert_false(holds("{\"capture.file\": {\"regex\": \"\"}}"));
    assert_true(holds("{\"capture.prog\": {\"is\": [\"a\", \"XXD\"], \"nocase\": true}}"));
    assert_false(holds("{\"capture.prog\": {\"is\": [\"a\", \"XXD\"]}}"));
    assert_true(holds("{\"quote\": \"command not found$\", \"part\": {\"is\": \"text\"}}"));
    assert_true(holds("{\"quote\": {\"literal\": \"xxd a\", \"word\": true}}"));
    assert_false(holds("{\"quote\": {\"literal\": \"omman\", \"word\": true}}"));
    assert_true(holds("{\"task_id\": {\"is\": \"ctf 7\"}, \"model\": {\"is\": \"gpt-4o\"}, \"severity\": {\"is\": \"high\"}}"));
    assert_false(holds("{\"task_id\": {\"is\": \"ctf 7\"}, \"model\": {\"is\": \"gpt-5\"}}"));
}

static void test_not_holds_where_nothing_fits_and_where_nothing_is(void **state)
{
    (void)state;
    assert_true(holds("{\"title\": {\"not\": \"vim\"}}"));
    assert_false(holds("{\"title\": {\"not\": [\"vim\", \"xxd\"]}}"));
    assert_true(holds("{\"agent\": {\"not\": {\"is\": \"a\"}}}"));
    assert_false(holds("{\"agent\": {\"is\": \"a\"}}"));
    assert_false(holds("{\"quote\": {\"not\": \"not found\"}}"));
}

static void test_what_means_nothing_is_refused_with_a_reason(void **state)
{
    static const struct { const char *condition, *reason; } bad[] = {
        {"[]", "object"}, {"{\"titel\": \"x\"}", "titel"}, {"{\"capture.\": \"x\"}", "capture."}, {"{\"title\": \"(\"}", "pattern"},
        {"{\"title\": 7}", "pattern, a list"}, {"{\"title\": {\"like\": \"x\"}}", "like"}, {"{\"title\": {\"is\": [[]]}}", "texts"},
        {"{\"title\": {}}", "regex, literal"}, {"{\"title\": {\"not\": {\"not\": \"x\"}}}", "not"}, {"{\"title\": {\"is\": \"x\", \"nocase\": 1}}", "nocase"},
        {"{\"title\": {\"not\": {\"is\": \"x\", \"regex\": \"y\"}}}", "one matcher"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct except *x;
        struct err e = {0};
        assert_false(except_compile(S(bad[i].condition), &x, &e));
        assert_null(x);
        assert_int_equal(e.code, ERR_USAGE);
        if (!strstr(e.text, bad[i].reason))
            fail_msg("%s: %s", bad[i].condition, e.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matchers_hold_as_in_rules),
        cmocka_unit_test(test_not_holds_where_nothing_fits_and_where_nothing_is),
        cmocka_unit_test(test_what_means_nothing_is_refused_with_a_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
