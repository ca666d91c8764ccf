#include "detect/answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

static const char *const names[] = {"other", "same", "garbled", "dressed", "near"};

static const struct { const char *given, *expected; enum form form; } pairs[] = {
    {"a b", "a b", FORM_SAME},
    {"", "x", FORM_OTHER},
    {"x", "", FORM_OTHER},
    /* wrappers */
    {"lamp_oil", "KEY{lamp_oil}", FORM_DRESSED},
    {"KEY{Lamp_Oil}", "KEY{lamp_oil}", FORM_DRESSED},
    {"\\boxed{\\text{Oslo}}", "oslo", FORM_DRESSED},
    {"$\\boxed{42}$", "42", FORM_DRESSED},
    {"<answer>Oslo</answer>", "Oslo", FORM_DRESSED},
    {"```text\nOslo\n```", "Oslo", FORM_DRESSED},
    {"**Oslo**", "Oslo", FORM_DRESSED},
    {"“Oslo”", "Oslo", FORM_DRESSED},
    {"FINAL ANSWER: Oslo", "Oslo", FORM_DRESSED},
    {"So the final answer is Oslo.", "oslo", FORM_DRESSED},
    {"[17]", "17", FORM_DRESSED},
    {"(a) or (b)", "(a)", FORM_OTHER},
    {"answers vary", "vary", FORM_NEAR},
    /* case, accents, punctuation */
    {"Sao Paulo", "São Paulo", FORM_DRESSED},
    {"Łódź", "lodz", FORM_DRESSED},
    {"rock and roll", "Rock & Roll", FORM_DRESSED},
    {"red–green", "red-green", FORM_DRESSED},
    {"The Beacon", "beacon", FORM_DRESSED},
    {"night lamps", "night lamp", FORM_DRESSED},
    {"Hill Brewing Co.", "Hill Brewing", FORM_DRESSED},
    {"Sir John Hill", "john hill", FORM_DRESSED},
    /* numbers */
    {"$1,000.00", "1000", FORM_DRESSED},
    {"1.5", "15", FORM_OTHER},
    {"-5", "5", FORM_OTHER},
    {"1,5", "15", FORM_DRESSED},
    {"30%", "0.3", FORM_DRESSED},
    {"30%", "30", FORM_DRESSED},
    {"1.5 million", "1500000", FORM_DRESSED},
    {"2e6", "2000000", FORM_DRESSED},
    {"3/4", "0.75", FORM_DRESSED},
    {"three", "3", FORM_DRESSED},
    {"five books", "5", FORM_DRESSED},
    {"twenty-one", "21", FORM_DRESSED},
    {"16th", "16", FORM_DRESSED},
    {"5 km", "5 kilometres", FORM_DRESSED},
    {"5 km", "5 miles", FORM_OTHER},
    {"13 years", "13 months", FORM_OTHER},
    {"12.4567", "12.46", FORM_DRESSED},
    {"12.5", "12.46", FORM_NEAR},
    {"12", "12.4", FORM_OTHER},
    {"B12", "C12", FORM_OTHER},
    {"17", "18", FORM_OTHER},
    /* dates */
    {"July 20, 1969", "20 July 1969", FORM_DRESSED},
    {"1969-07-20", "20th of July 1969", FORM_OTHER},
    {"1969-07-20", "July 20th, 1969", FORM_DRESSED},
    {"1969-07-21", "July 20, 1969", FORM_OTHER},
    /* encodings */
    {"6869686f", "hiho", FORM_DRESSED},
    {"0x6869686f", "hiho", FORM_DRESSED},
    {"bGFtcF9vaWw=", "lamp_oil", FORM_DRESSED},
    {"lamp%20oil", "lamp oil", FORM_DRESSED},
    {"ynzc_bvy", "lamp_oil", FORM_DRESSED},
    {"lio_pmal", "lamp_oil", FORM_DRESSED},
    {"lamp & oil", "lamp &amp; oil", FORM_GARBLED},
    /* escaping: who lost what */
    {"a\\/b", "a/b", FORM_GARBLED},
    {"it's", "its", FORM_GARBLED},
    {"say \"hi\"", "say \\\"hi\\\"", FORM_GARBLED},
    {"a\\{b\\}", "a{b}", FORM_DRESSED},
    {"k{ab}", "k{a\\yb}", FORM_OTHER},
    {"k{a\\b}", "k{a\\\\b}", FORM_GARBLED},
    {"k{atb}", "k{a\\tb}", FORM_DRESSED},
    /* lists, choices, verdicts */
    {"red; green, blue", "blue, red, green", FORM_DRESSED},
    {"red, green", "red, blue", FORM_OTHER},
    {"B) Oslo", "B", FORM_DRESSED},
    {"Option B", "(B)", FORM_DRESSED},
    {"Bergen", "B", FORM_OTHER},
    {"True", "yes", FORM_DRESSED},
    {"no", "true", FORM_OTHER},
    {"[('red', 3), ('blue', 4)]", "[(3, 'red'), (4, 'blue')]", FORM_DRESSED},
    {"[('red', 4), ('blue', 3)]", "[(3, 'red'), (4, 'blue')]", FORM_OTHER},
    {"9f01 a.txt\n77aa b.txt", "a.txt 9f01\nb.txt 77aa", FORM_DRESSED},
    /* sentences */
    {"The latency is 569 ms.", "569", FORM_DRESSED},
    {"It is Oslo, the capital.", "Oslo", FORM_DRESSED},
    {"It is not Oslo.", "Oslo", FORM_OTHER},
    {"Bergen and Oslo", "Oslo", FORM_OTHER},
    {"Oslo or Bergen", "Oslo", FORM_OTHER},
    {"Oslo, Norway", "Norway", FORM_OTHER},
    {"Bergen/Oslo", "Oslo", FORM_OTHER},
    {"no idea", "no", FORM_OTHER},
    {"sunny Oslo", "Oslo", FORM_NEAR},
    {"I looked at many maps of the north and Oslo came up on each", "Oslo", FORM_OTHER},
    /* a word or two */
    {"Jane Hill", "Jane Mary Hill", FORM_NEAR},
    {"Hill Jane", "Jane Hill", FORM_NEAR},
    {"Hill Town, North Isle", "North Isle", FORM_OTHER},
    {"singer, painter, poet", "singer, painter", FORM_OTHER},
    {"1982-1988", "1988", FORM_OTHER},
    {"August 1988", "1988", FORM_NEAR},
    {"Jane", "Jane Hill", FORM_OTHER},
    {"Jane Hill", "Jane Hill 2", FORM_OTHER},
    {"great hall", "not great hall", FORM_OTHER},
    {"lamp 3 2", "lamp 2 3", FORM_OTHER},
};

static void two_answers(void **state)
{
    (void)state;
    struct arena a = {0};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        enum form got = answer_compare(&a, slice_str(pairs[i].given), slice_str(pairs[i].expected));
        if (got != pairs[i].form)
            print_error("'%s' beside '%s' is %s, not %s\n", pairs[i].given, pairs[i].expected, names[got], names[pairs[i].form]);
    }
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        assert_int_equal(answer_compare(&a, slice_str(pairs[i].given), slice_str(pairs[i].expected)), pairs[i].form);
    arena_free(&a);
}

/* Any bytes are an answer: nothing is read beyond them. Each lies alone on the heap, so that a sanitizer sees a step too far. */
static void any_bytes(void **state)
{
    (void)state;
    static const char bits[] = "{}()[]<>/\"'`*$\\%&x0e19.,-+ \n\0\xc3\xa9\xe2\x80\x9c" "aB=:is three million";
    struct arena a = {0};
    unsigned seed = 7;
    for (int i = 0; i < 20000; i++) {
        struct slice s[2];
        for (int k = 0; k < 2; k++) {
            seed = seed * 1103515245 + 12345;
            size_t n = seed >> 16 & 15;
            char *text = malloc(n + !n);
            for (size_t j = 0; j < n; j++, seed = seed * 1103515245 + 12345)
                text[j] = bits[(seed >> 16) % (sizeof bits - 1)];
            s[k] = slice_of(text, n);
        }
        assert_in_range(answer_compare(&a, s[0], s[1]), FORM_OTHER, FORM_NEAR);
        if (slice_trim(s[0]).len)
            assert_int_equal(answer_compare(&a, s[0], s[0]), FORM_SAME);
        free((char *)s[0].ptr);
        free((char *)s[1].ptr);
        arena_reset(&a);
    }
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(two_answers), cmocka_unit_test(any_bytes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
