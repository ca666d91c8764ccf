/* Regular expressions: the same answers as PCRE2 gives, and an end in time on whatever pattern and text. */
#include "text/regex.h"

#include "base/clock.h"
#include "cpu.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

static struct regex_scratch *scratch;

static int setup(void **state)
{
    (void)state;
    scratch = regex_scratch_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    regex_scratch_free(scratch);
    return 0;
}

static struct regex *compiled(const char *pattern, int flags)
{
    struct regex *re = NULL;
    struct err e = {0};
    if (!regex_compile(slice_str(pattern), flags, &re, &e))
        fail_msg("%s: %s", pattern, e.text);
    return re;
}

/* "start-end" of the first match, "no", or "incomplete". */
static const char *find(const char *pattern, int flags, struct slice text, size_t from)
{
    static char answer[64];
    struct regex *re = compiled(pattern, flags);
    struct regex_match m;
    enum regex_result result = regex_find(re, scratch, text, from, 0, &m);
    regex_free(re);
    switch (result) {
    case REGEX_YES: snprintf(answer, sizeof answer, "%zu-%zu", m.start, m.end); break;
    case REGEX_NO: snprintf(answer, sizeof answer, "no"); break;
    case REGEX_INCOMPLETE: snprintf(answer, sizeof answer, "incomplete"); break;
    }
    return answer;
}

static void matches(void **state)
{
    (void)state;
    static const struct { const char *pattern; int flags; const char *text; size_t from; const char *answer; } rows[] = {
        {"b+", 0, "abbc", 0, "1-3"},
        {"b+", 0, "abbc", 2, "2-3"},
        {"b+", 0, "abbc", 3, "no"},
        {"b", 0, "abbc", 4, "no"},
        {"b", 0, "abbc", 99, "no"},
        {"$", 0, "abbc", 4, "4-4"},
        {"^a", 0, "aa", 1, "no"},
        {"(?m)^b", 0, "a\nb", 0, "2-3"},
        {"ERROR", REGEX_NOCASE, "an Error", 0, "3-8"},
        {"STRASSE\xc3\x89", REGEX_NOCASE, "strasse\xc3\xa9", 0, "0-9"},
        {"a.c", REGEX_LITERAL, "abc a.c", 0, "4-7"},
        {"(*", REGEX_LITERAL, "x(*y", 0, "1-3"},
        {"\\C", REGEX_LITERAL, "\\C", 0, "0-2"},
        {"cat", REGEX_WORD, "concat cat", 0, "7-10"},
        {"a|b", REGEX_WORD, "ab b", 0, "3-4"},
        {"A.B", REGEX_WORD | REGEX_LITERAL | REGEX_NOCASE, "xa.b a.b", 0, "5-8"},
        {"", 0, "abc", 1, "1-1"},
        {"x*", 0, "\xc3\xa9y", 1, "2-2"}, /* not inside the e acute */
        {".", 0, "\xff" "a", 0, "1-2"},
        {"a.b", 0, "a\xff" "b a\xe2\x82\xac" "b", 0, "4-9"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *answer = find(rows[i].pattern, rows[i].flags, slice_str(rows[i].text), rows[i].from);
        if (strcmp(answer, rows[i].answer) != 0)
            fail_msg("%s in %s: %s, not %s", rows[i].pattern, rows[i].text, answer, rows[i].answer);
    }
    assert_string_equal(find("b", 0, slice_of("a\0b", 3), 0), "2-3");
    assert_string_equal(find("a?", 0, SLICE_NONE, 0), "0-0");
    assert_string_equal(find("a", 0, SLICE_NONE, 0), "no");
}

static void refuses(void **state)
{
    (void)state;
    static const struct { const char *pattern, *says; } rows[] = {
        {"a(b", "byte 3"}, {"a[b", "byte 3"}, {"ab\\C", "byte 4"}, {"*", "byte 0"}, {"(?C1)a", "call-outs"},
        {"a(?C'x')", "call-outs"},
        {"(?P<a>.)(?P<a>.)", "byte"}, {"\xff", "byte 0"}, {"(?<=a*)b", "byte"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct regex *re = NULL;
        struct err e = {0};
        assert_false(regex_compile(slice_str(rows[i].pattern), 0, &re, &e));
        assert_int_equal(e.code, ERR_FORMAT);
        if (!strstr(e.text, rows[i].says))
            fail_msg("%s: %s", rows[i].pattern, e.text);
    }
    size_t n = 64 * 1024 + 1;
    char *large = malloc(n);
    memset(large, 'a', n);
    struct regex *re = NULL;
    struct err e = {0};
    assert_false(regex_compile(slice_of(large, n), 0, &re, &e));
    assert_int_equal(e.code, ERR_TOO_LARGE);
    free(large);
}

static void groups(void **state)
{
    (void)state;
    struct regex *re = compiled("(?P<zeta>a)(x)?(?<alpha>b)", 0);
    int number;
    assert_int_equal(regex_group_count(re), 2);
    assert_string_equal(regex_group_name(re, 0, &number), "zeta");
    assert_int_equal(number, 1);
    assert_string_equal(regex_group_name(re, 1, &number), "alpha");
    assert_int_equal(number, 3);
    struct regex_match m;
    memset(&m, 0x55, sizeof m);
    assert_int_equal(regex_find(re, scratch, slice_str("-ab"), 0, 0, &m), REGEX_YES);
    assert_int_equal(m.group_start[0], 1);
    assert_int_equal(m.group_start[1], 1);
    assert_true(m.group_start[2] == SIZE_MAX && m.group_end[2] == SIZE_MAX);
    assert_int_equal(m.group_end[3], 3);
    assert_true(m.group_start[4] == SIZE_MAX && m.group_start[REGEX_GROUPS - 1] == SIZE_MAX);
    regex_free(re);

    char many[256] = ""; /* more groups than fit */
    for (int i = 0; i < 40; i++)
        strcat(many, "(a)");
    re = compiled(many, 0);
    char text[41];
    memset(text, 'a', 40);
    assert_int_equal(regex_find(re, scratch, slice_of(text, 40), 0, 0, &m), REGEX_YES);
    assert_int_equal(m.end, 40);
    assert_int_equal(m.group_start[REGEX_GROUPS - 1], REGEX_GROUPS - 2);
    regex_free(re);
}

/* The interpreter is what the JIT has to agree with. */
static void negations_take_all_of_unicode(void **state)
{
    (void)state;
    static const char *const patterns[] = {
        "\\S", "\\W", "\\D", "\\S+", "\\W{2}", "a\\D+?b", "(\\S+) (\\W*)", "^\\S+$", "(?<=\\S)b", "(?!\\S).", "(?<!\\S)\\W\\D", "(?i)A\\W", "(?:\\S|\\s)+b",
        "[\\S]", "[^\\S]", "[]\\S]", "[^\\W\\d]", "[[:alpha:]\\W]", "[\\Q]\\E\\D]", "\\Q\\S\\E\\S", "\\\\S\\S", "(?#[)\\S", "(?x) # \\S [\n \\S \\W", "(?x)\\S # [\n\\D",
        "\\pS", "\\PS\\S", "(*UCP)\\W", "(*UCP)\\W\\S", "(?s)\\S.\\W", "\\S(?(?=\\W)a|\\D)", "(?<w>\\W)\\k<w>", "(?<S>\\D)(?&S)", "(?:a?\\S){2,3}\\W?b?", "(?:\\D(\\W)?){3}", "(?<n>\\S){0}(?&n)", "\\S*+\\W",
    };
    static const char *const texts[] = {"\xc3\xa4", "\xf0\x9f\x99\x82", "a\xc3\xa4\xc3\xb6" "b", "\xe6\x97\xa5 \xe6\x9c\xac" "b", "\\S\xc3\xa4", "a \xff\xc3\xa4" "b",
                                        "+\xe2\x82\xac\xe2\x82\xac", "\xc3\xa4" "a\n\xc3\xa4", "\\\xe2\x82\xac", "[\xc2\xa0 b", "1_b"};
    for (size_t p = 0; p < sizeof patterns / sizeof *patterns; p++) {
        char interpreted[64], right[64];
        snprintf(interpreted, sizeof interpreted, "(*NO_JIT)%s", patterns[p]);
        size_t found = 0;
        for (size_t t = 0; t < sizeof texts / sizeof *texts; t++) {
            int error;
            size_t offset;
            pcre2_code *code = pcre2_compile((PCRE2_SPTR)interpreted, PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_MATCH_INVALID_UTF, &error,
                                             &offset, NULL);
            assert_non_null(code);
            pcre2_match_data *data = pcre2_match_data_create(32, NULL);
            int rc = pcre2_match(code, (PCRE2_SPTR)texts[t], strlen(texts[t]), 0, 0, data, NULL);
            const size_t *at = pcre2_get_ovector_pointer(data);
            snprintf(right, sizeof right, "no");
            if (rc >= 0)
                snprintf(right, sizeof right, "%zu-%zu", at[0], at[1]);
            found += rc >= 0;
            pcre2_match_data_free(data);
            pcre2_code_free(code);
            const char *answer = find(patterns[p], 0, slice_str(texts[t]), 0);
            if (strcmp(answer, right) != 0)
                fail_msg("%s in %s: %s, not %s", patterns[p], texts[t], answer, right);
        }
        if (!found)
            fail_msg("%s matched nothing: this tests nothing", patterns[p]);
    }
    static char large[20001]; /* too large for the JIT's spelling */
    for (size_t i = 0; i < sizeof large - 1; i += 2)
        memcpy(large + i, "\\S", 2);
    static char text[20001];
    for (size_t i = 0; i < sizeof text - 1; i += 2)
        memcpy(text + i, "\xc3\xa4", 2);
    assert_string_equal(find(large, 0, slice_str(text), 0), "0-20000");
}

/* ---- the same as PCRE2, wherever windows end ---------------------------------------------------------------------------- */

static uint64_t seed = 88172645463325252u;
static uint32_t below(uint32_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 33) % n;
}

static void answers_as_pcre2_does(void **state)
{
    (void)state;
    static const char *const patterns[] = {
        "needle", "(?i)NEEDLE", "\\bneedle\\b", "needle$", "(?m)needle$", "(?m)^needle", "(?<=x)needle", "needle(?=y)",
        "needle(?!y)",
        "nee.{0,3000}?dle", "(?s)needle.*needle", "x[^y]*y", "(?:ab)+c", "(a+)b\\1", "\xc3\xa9+n", "[\xc3\xa8-\xc3\xaa]{2,}",
        "\\d{2,}z", "x*",
        "needle\\z", "(?<!a)b+(?!c)", "\\R\\R", "(?s)\\A.*needle", "n(?:e+d|x)le",
    };
    static const char *const pieces[] = {"a", "b", "c", "x", "y", "\n", " ", "needle", "12", "z", "\xc3\xa9", "\xff",
                                         "\xe2\x82\xac", "nee", "dle", "\r\n",
                                         "\nneedle\n", "xneedley", "nedle", "ababc", "aabaa", "\xc3\xa9n", "\n\r\n", "123z"};
    for (size_t p = 0; p < sizeof patterns / sizeof *patterns; p++) {
        struct regex *re = compiled(patterns[p], 0);
        int error;
        size_t offset;
        pcre2_code *code = pcre2_compile((PCRE2_SPTR)patterns[p], PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_MATCH_INVALID_UTF,
                                         &error, &offset, NULL);
        pcre2_match_data *data = pcre2_match_data_create(32, NULL);
        int found = 0;
        for (int round = 0; round < 60; round++) {
            size_t n = below(40000), len = 0;
            uint32_t rare = 1 + below(4000); /* how seldom anything but a filler stands */
            char *text = malloc(n + 32);
            while (len < n) {
                const char *piece = round % 2 ? "-" : "\xc3\xa8";
                if (below(rare) == 0)
                    piece = pieces[below(sizeof pieces / sizeof *pieces)];
                memcpy(text + len, piece, strlen(piece));
                len += strlen(piece);
            }
            if (round % 3 == 0) {
                memcpy(text + len, "needle", 6);
                len += 6;
            }
            size_t from = 0;
            for (int k = 0; k < 20; k++) {
                struct regex_match m;
                enum regex_result result = regex_find(re, scratch, slice_of(text, len), from, 0, &m);
                int rc = pcre2_match(code, (PCRE2_SPTR)text, len, from, 0, data, NULL);
                if (result == REGEX_INCOMPLETE || (result == REGEX_YES) != (rc >= 0))
                    fail_msg("%s from %zu of %zu: %d, PCRE2 %d", patterns[p], from, len, result, rc);
                if (rc < 0)
                    break;
                const size_t *want = pcre2_get_ovector_pointer(data);
                assert_int_equal(m.start, want[0]);
                assert_int_equal(m.end, want[1]);
                found++;
                from = m.end > m.start ? m.end : m.end + 1;
                while (from < len && ((unsigned char)text[from] & 0xc0) == 0x80)
                    from++;
                if (from > len)
                    break;
            }
            free(text);
        }
        if (found == 0)
            fail_msg("%s matched nothing: this tests nothing", patterns[p]);
        pcre2_match_data_free(data);
        pcre2_code_free(code);
        regex_free(re);
    }
}

/* ---- an end in time ----------------------------------------------------------------------------------------------------- */

/* The time is that of the processor: the deadline is wall-clock, and a busy machine must not fail the test. */
static void ends_in_time(void **state)
{
    (void)state;
    enum { NO = 1, YES = 2, CUT = 4 };
    static const struct { const char *pattern, *unit; size_t n; const char *tail; int right; } rows[] = {
        {"\\s+$", " ", 50000, "x", NO}, {"\\s+$", " ", 2000000, "x", NO}, {"\\s+$", " ", 2000000, "", YES},
        {"(a+)+$", "a", 2000, "b", NO}, {"(a+)+$", "a", 50000, "b", NO}, {"(?:\\w+\\s)+\\d", "word ", 200000, "", NO},
        {"(?:\\w+\\s)+\\d", "word ", 200000, " word 1", YES}, {"(?:a|b)*[xy]", "ab", 1000000, "", NO},
        {"(?s)foo.*bar", "foo ", 1000000, "", NO},
        {"([\\w.+-]+): not found", "QUJD", 5000000, " : not foun", NO}, {"(.*)(.*)(.*)(.*)(.*)[xy]", "a", 1000000, "", NO},
        {"(?:a(?!a*+Z))*[bc]", "a", 4000, "", NO}, {"(a|aa)+$", "a", 5000000, "x", NO}, {"^(\\w+\\s?)*$", "a", 5000000, "!", NO},
        {"(?=(a*))\\1[bc]", "a", 5000000, "", NO}, {"a*a*a*a*a*a*[bc]", "a", 2000000, "", NO},
        {"(a(?1)?)+b", "a", 500000, "", NO},
        {"(*NO_JIT)\\s+$", " ", 50000, "x", NO}, {"(*NO_JIT)\\s+$", " ", 2000000, "x", NO},
        {"(*NO_JIT)(a+)+$", "a", 50000, "b", NO},
        {"(*NO_JIT)(?:\\w+\\s)+\\d", "word ", 200000, "", NO}, {"(*NO_JIT)\\s+$", " ", 2000000, "", YES},
        {"(*NO_JIT)a+b", "a", 3000, "b", YES},
        {"(*LIMIT_MATCH=1)(a+)+$", "a", 5000, "b", CUT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t unit = strlen(rows[i].unit), tail = strlen(rows[i].tail), n = rows[i].n;
        char *text = malloc(n + tail);
        for (size_t k = 0; k < n; k++)
            text[k] = rows[i].unit[k % unit];
        memcpy(text + n, rows[i].tail, tail);
        struct regex *re = compiled(rows[i].pattern, 0);
        struct regex_match m;
        int64_t begun = cpu_us();
        enum regex_result result = regex_find(re, scratch, slice_of(text, n + tail), 0, 0, &m);
        int64_t took = cpu_us() - begun;
        bool right = result == REGEX_INCOMPLETE || (result == REGEX_YES ? rows[i].right & YES : rows[i].right & NO);
        if (!right || took > 300000)
            fail_msg("%s on %zu of '%s': answer %d after %lld us", rows[i].pattern, n, rows[i].unit, result, (long long)took);
        if (rows[i].right == CUT)
            assert_int_equal(result, REGEX_INCOMPLETE);
        regex_free(re);
        free(text);
    }
}

static void a_deadline_is_kept(void **state)
{
    (void)state;
    size_t n = 1000000;
    char *text = malloc(n);
    memset(text, 'a', n);
    struct regex *re = compiled("(a+)+[bc]", 0);
    struct regex_match m;
    int64_t begun = cpu_us();
    assert_int_equal(regex_find(re, scratch, slice_of(text, n), 0, clock_monotonic_us() + 20000, &m), REGEX_INCOMPLETE);
    assert_true(cpu_us() - begun < 60000);
    regex_free(re);
    re = compiled("b", 0); /* a long text that needs no time is done before the deadline is looked at often */
    memset(text, '-', n);
    text[n - 1] = 'b';
    assert_int_equal(regex_find(re, scratch, slice_of(text, n), 0, 0, &m), REGEX_YES);
    assert_int_equal(m.start, n - 1);
    regex_free(re);
    free(text);
}

/* With a call-out at each item this one is more than PCRE2 compiles. */
static void a_large_pattern_gets_an_answer(void **state)
{
    (void)state;
    struct regex *re = compiled("I will (?:(?!\\b(?:if|once|when|after|until)\\b)[^?\n]){10,400}\\s*\\z", 0);
    struct regex_match m;
    static char text[300000];
    memset(text, 'a', sizeof text);
    memcpy(text, "I will ", 7);
    assert_int_equal(regex_find(re, scratch, slice_of(text, 300), 0, 0, &m), REGEX_YES);
    assert_int_equal(m.end, 300);
    assert_int_equal(regex_find(re, scratch, slice_of(text, 500), 0, 0, &m), REGEX_NO);
    text[250] = '?';
    assert_int_equal(regex_find(re, scratch, slice_of(text, 300), 0, 0, &m), REGEX_NO);
    regex_free(re);
    re = compiled("(?:(?:(?!\\b(?:if|once|when|after|until)\\b)[^?\n]){1,80}){1,3}\\d", 0);
    int64_t begun = cpu_us();
    assert_int_equal(regex_find(re, scratch, slice_of(text, sizeof text), 0, clock_monotonic_us() + 20000, &m), REGEX_INCOMPLETE);
    assert_true(cpu_us() - begun < 60000);
    regex_free(re);
}

static void starts_within_bounds(void **state)
{
    (void)state;
    struct regex *re = compiled("ab|b+", 0);
    struct regex_match m;
    struct slice text = slice_str("-abb-\xc3\xa9-b");
    assert_int_equal(regex_find_within(re, scratch, text, 0, 0, 0, &m), REGEX_NO);
    assert_int_equal(regex_find_within(re, scratch, text, 0, 1, 0, &m), REGEX_YES);
    assert_int_equal(m.end, 3);
    assert_int_equal(regex_find_within(re, scratch, text, 4, 6, 0, &m), REGEX_NO);
    assert_int_equal(regex_find_within(re, scratch, text, 6, 6, 0, &m), REGEX_NO); /* inside a character */
    assert_int_equal(regex_find_within(re, scratch, text, 4, 100, 0, &m), REGEX_YES);
    assert_int_equal(m.start, 8);
    static char late[40000]; /* through several windows of a scan */
    memset(late, '-', sizeof late);
    late[30000] = 'b';
    assert_int_equal(regex_find_within(re, scratch, slice_of(late, sizeof late), 5, 29999, 0, &m), REGEX_NO);
    assert_int_equal(regex_find_within(re, scratch, slice_of(late, sizeof late), 5, 30000, 0, &m), REGEX_YES);
    assert_int_equal(m.start, 30000);
    regex_free(re);
}

static void *find_in_thread(void *re)
{
    struct regex_scratch *own = regex_scratch_new();
    char text[3000];
    memset(text, 'a', sizeof text);
    struct regex_match m;
    size_t yes = 0;
    for (int i = 0; i < 20; i++)
        yes += regex_find(re, own, slice_of(text, sizeof text), 0, 0, &m) == REGEX_YES;
    regex_scratch_free(own);
    return (void *)yes;
}

/* All come to the careful way at once, which is compiled then. */
static void threads_share_a_regex(void **state)
{
    (void)state;
    struct regex *re = compiled("(?:a|ab)*$", 0);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, find_in_thread, re), 0);
    for (int i = 0; i < 4; i++) {
        void *yes;
        pthread_join(threads[i], &yes);
        assert_int_equal((size_t)yes, 20);
    }
    regex_free(re);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches),
        cmocka_unit_test(refuses),
        cmocka_unit_test(groups),
        cmocka_unit_test(negations_take_all_of_unicode),
        cmocka_unit_test(answers_as_pcre2_does),
        cmocka_unit_test(ends_in_time),
        cmocka_unit_test(a_deadline_is_kept),
        cmocka_unit_test(a_large_pattern_gets_an_answer),
        cmocka_unit_test(starts_within_bounds),
        cmocka_unit_test(threads_share_a_regex),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
