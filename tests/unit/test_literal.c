/* The literals that a pattern needs: what is found, and above all that none is claimed that need not be there. */
#include "text/gramscan.h"

#include "base/str.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>

#include <cmocka.h>

static struct arena arena;
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
    arena_free(&arena);
    return 0;
}

/* "one|other & third": clauses and their alternatives. */
static struct slice needs_text(const char *pattern, int flags)
{
    struct needs needs;
    needs_of_pattern(&arena, slice_str(pattern), flags, &needs);
    struct str out = STR_INIT(1 << 16);
    for (size_t i = 0; i < needs.n; i++) {
        str_addz(&out, i ? " & " : "");
        for (size_t k = 0; k < needs.all[i].n; k++) {
            str_addz(&out, k ? "|" : "");
            str_add_slice(&out, needs.all[i].any[k]);
        }
    }
    struct slice text = arena_dup(&arena, str_slice(&out));
    str_free(&out);
    return text;
}

static void finds_what_must_be_there(void **state)
{
    (void)state;
    static const struct { const char *pattern; int flags; const char *needs; } rows[] = {
        {"Traceback", 0, "traceback"},
        {"abc", 0, ""},
        {"abcd", 0, "abcd"},
        {"abc\\d{20}", 0, "abc0|abc1|abc2|abc3|abc4|abc5|abc6|abc7|abc8|abc9"},
        {"hf_[a-d0-5]+x", 0, "hf_a|hf_b|hf_c|hf_d|hf_0|hf_1|hf_2|hf_3|hf_4|hf_5"},
        {"abc\\d*", 0, ""},
        {"abc[^x]", 0, ""},
        {"ab[a-z]", 0, ""},
        {"xyzzy_needle_\\d{5}", 0, "xyzzy_needle_"},
        {"AttributeError: '[^']+' object", 0, "attributeerror: ' & ' object"},
        {"FAILED.{1,200}AssertionError", 0, "failed & assertionerror"},
        {"(?P<prog>[\\w.+-]+): (?:command )?not found", 0, ": not found|: command not found"},
        {"\\bneedle\\b", 0, "needle"},
        {"foo(?=bar)baz", 0, "foobaz"},
        {"foo(?!bar)quux", 0, "fooquux"},
        {"(?<=left)right", 0, "right"},
        {"one|three|fifty", 0, ""},
        {"three|fifty", 0, "three|fifty"},
        {"(foo|bar)\\.txt", 0, "foo.txt|bar.txt"},
        {"(?:alpha.*|beta\\d)gamma", 0, "alpha|beta & gamma"},
        {"[Ee]rror: [0-3]x", 0, "error: 0x|error: 1x|error: 2x|error: 3x"},
        {"[a-z]error", 0, "error"},
        {"colou?rs", 0, "colors|colours"},
        {"(?:abcd)*efgh", 0, "efgh"},
        {"(?:abcd)+efgh", 0, "abcd & abcdefgh"},
        {"a{4}b", 0, "aaaab"},
        {"a{2,3}bcd", 0, "abcd"},
        {"a{4,}bcd", 0, "aaaa & abcd"},
        {"ab{0}cdef", 0, "cdef"},
        {"x{a}yz", 0, "x{a}yz"},
        {"\\Qa.b*c\\Ed", 0, "a.b*cd"},
        {"\\Qabcd\\E+x", 0, "abcd"},
        {"tab\\there\\x41\\x{e9}", 0, "tab\there" "a\xc3\xa9"},
        {"\\w+@example\\.com", 0, "@example.com"},
        {"(abcd)\\1efgh", 0, "abcd & efgh"},
        {"caf\xc3\xa9s", 0, "caf\xc3\xa9s"},
        {"caf\xc3\xa9 chair", REGEX_NOCASE, " chair"},
        {"(?i)error", 0, "error"},
        {"(?i:mi)nimum", 0, "minimum"},
        {"Disk", REGEX_NOCASE, "disk|dis\xe2\x84\xaa|di\xc5\xbfk|di\xc5\xbf\xe2\x84\xaa"},
        {"\xe6\x96\x87\xe4\xbb\xb6", REGEX_NOCASE, "\xe6\x96\x87\xe4\xbb\xb6"},
        {"a.b|c", REGEX_LITERAL, "a.b|c"},
        {"", 0, ""},
        /* not understood, so nothing is claimed */
        {"(?x) abcd efgh", 0, ""},
        {"(?(1)abcd|efgh)ijkl", 0, ""},
        {"(*UCP)abcdef", 0, ""},
        {"abcd(?#comment)*efgh", 0, ""},
        {"abcd{2}{0}", 0, ""},
        {"abcde\\E*", 0, ""},
        {"abcd)efgh", 0, ""},
        {"(abcd", 0, ""},
        {"[[:<:]]abcd", 0, ""},
        {"abcd\\", 0, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct slice text = needs_text(rows[i].pattern, rows[i].flags);
        if (!slice_is(text, rows[i].needs))
            fail_msg("%s needs \"%.*s\", not \"%s\"", rows[i].pattern, SLICE_ARG(text), rows[i].needs);
    }
}

/* ---- never too much: random patterns on random texts -------------------------------------------------------------------- */

static uint64_t seed = 88172645463325252u;
static uint32_t below(uint32_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 33) % n;
}

/* A random pattern, and beside it a text that it will often match. */
struct made {
    struct str pattern, text;
};

static const char *const characters[] = {"a", "b", "s", "k", "S", "K", "E", "x", "-", " ", "\xc3\xa9", "\xe6\x96\x87", "1", ":",
                                         "}", ",", "t", "r", "\n"};
static const char *const likes[] = {"A", "B", "\xc5\xbf", "\xe2\x84\xaa", "s", "k", "e", "X", "-", " ", "\xc3\x89",
                                    "\xe6\x96\x87", "1", ":", "}", ",", "T", "r", "\n"};

static void make_sequence(struct made *m, int depth);

/* The other form of a character is said now and then: it matches where case does not count. */
static void say(struct made *m, uint32_t c)
{
    str_addz(&m->text, below(3) ? characters[c] : likes[c]);
}

static void make_group(struct made *m, const char *open, int depth)
{
    uint32_t n = 1 + below(3), chosen = below(n);
    struct str text = m->text;
    str_addz(&m->pattern, open);
    for (uint32_t i = 0; i < n; i++) {
        m->text = STR_INIT(1 << 20);
        if (i)
            str_addc(&m->pattern, '|');
        make_sequence(m, depth + 1);
        if (i == chosen)
            str_add_slice(&text, str_slice(&m->text));
        str_free(&m->text);
    }
    m->text = text;
    str_addc(&m->pattern, ')');
}

static void make_class(struct made *m)
{
    static const char *const classes[] = {"[^q]", "[a-c]", "[sk]", "[[:alpha:]x]", "[]a]", "[\\d-]", "[a\\-c]", "[\\x41-\\x43]",
                                          "[^]]", "[a-z]", "[A-Z0-9_]", "\\d", "\\w", "\\S", ".", "[a-]",
                                          "[\xc3\xa9" "a]", "[[a]", "[a-b-e]", "\\p{L}", "\\pL", "\\N", "\\X", "[^\n]", "[^a]", "\\s", "[\\sb]", "[^\\s]",
                                          "\\W", "\\D", "\\V", "\\H", "\\R", "\\v", "\\h", "[[:space:]a]", "[\t-\r]", "\\P{L}", "[\\Wa]"};
    str_addz(&m->pattern, classes[below(sizeof classes / sizeof *classes)]);
    str_addz(&m->text, below(4) ? "a" : below(2) ? "B" : "\n");
}

static void make_atom(struct made *m, int depth)
{
    static const char *const opens[] = {"(", "(?:", "(?>", "(?i:", "(?-i:", "(?<n>", "(?|", "(?s:", "(?^:"};
    static const char *const looks[] = {"(?!", "(?<!", "(?=", "(?<="};
    static const char *const escapes[] = {"\\x61", "\\x{e9}", "\\Qa.b\\E", "\\Qa\\E", "\\.", "\\-", "\\t", "\\x{4B}"};
    static const char *const says[] = {"a", "\xc3\xa9", "a.b", "a", ".", "-", "\t", "K"};
    uint32_t kind = below(20), c = below(sizeof characters / sizeof *characters);
    if (kind < 11 || depth > 3) {
        str_addz(&m->pattern, characters[c]);
        say(m, c);
    } else if (kind < 14) {
        make_group(m, opens[below(sizeof opens / sizeof *opens)], depth);
    } else if (kind < 16) {
        make_class(m);
    } else if (kind < 17) {
        struct str text = m->text;
        m->text = STR_INIT(1 << 20);
        make_group(m, looks[below(4)], depth);
        str_free(&m->text);
        m->text = text;
    } else if (kind < 18) {
        str_addz(&m->pattern, below(2) ? "(?i)" : "(?-i)");
    } else if (kind < 19) {
        uint32_t i = below(sizeof escapes / sizeof *escapes);
        str_addz(&m->pattern, escapes[i]);
        str_addz(&m->text, says[i]);
    } else {
        static const char *const zero[] = {"^", "$", "\\b", "\\B", "\\K", "\\1", "\\g{1}", "(?1)", "(?R)?", "\\z"};
        str_addz(&m->pattern, zero[below(sizeof zero / sizeof *zero)]);
    }
}

static void make_sequence(struct made *m, int depth)
{
    static const struct { const char *text; uint32_t least, most; } quantifiers[] = {
        {"?", 0, 1}, {"*", 0, 3}, {"+", 1, 3}, {"{2}", 2, 2}, {"{1,2}", 1, 2}, {"{2,}", 2, 4}, {"{0}", 0, 0}, {"{3}?", 3, 3},
        {"*?", 0, 2}, {"++", 1, 2},
        {"{,2}", 1, 1}, {"{x}", 1, 1}, {"{2}{2}", 4, 4}, {"{0,1}+", 0, 1},
    };
    for (uint32_t n = below(depth ? 5 : 9); n > 0; n--) {
        size_t before = m->text.len;
        make_atom(m, depth);
        if (below(4) || m->pattern.ptr == NULL)
            continue;
        uint32_t q = below(sizeof quantifiers / sizeof *quantifiers);
        uint32_t times = quantifiers[q].least + below(quantifiers[q].most - quantifiers[q].least + 1);
        str_addz(&m->pattern, quantifiers[q].text);
        if (m->text.len < before)
            continue;
        struct slice said = arena_dup(&arena, slice_of(m->text.ptr ? m->text.ptr + before : "", m->text.len - before));
        m->text.len = before;
        for (uint32_t i = 0; i < times; i++)
            str_add_slice(&m->text, said);
    }
}

static struct slice folded(struct slice s)
{
    struct slice copy = arena_dup(&arena, s);
    for (size_t i = 0; i < copy.len; i++)
        ((char *)copy.ptr)[i] = (char)fold_byte((unsigned char)copy.ptr[i]);
    return copy;
}

static bool holds(const struct clause *clause, struct slice text)
{
    for (size_t i = 0; i < clause->n; i++)
        if (slice_find(text, clause->any[i]) >= 0)
            return true;
    return false;
}

/* One of the literals stands in the match, no further from its start than is said. */
static bool is_near(const struct clause *clause, struct slice text, size_t start)
{
    for (size_t i = 0; i < clause->n; i++)
        for (size_t at = start; at + clause->any[i].len <= text.len && at - start <= clause->before; at++) {
            bool same_line = !memchr(text.ptr + start, '\n', at - start);
            if (memcmp(text.ptr + at, clause->any[i].ptr, clause->any[i].len) == 0 && (clause->lines || same_line))
                return true;
        }
    return false;
}

static void never_claims_what_need_not_be_there(void **state)
{
    (void)state;
    int matched = 0, told = 0, near = 0, same_line = 0;
    struct made m = {STR_INIT(1 << 20), STR_INIT(1 << 20)};
    for (int i = 0; i < 150000; i++) {
        str_reset(&m.pattern);
        str_reset(&m.text);
        for (uint32_t n = below(3); n > 0; n--)
            str_addz(&m.text, characters[below(sizeof characters / sizeof *characters)]);
        make_sequence(&m, 0);
        for (uint32_t n = below(3); n > 0; n--)
            str_addz(&m.text, characters[below(sizeof characters / sizeof *characters)]);
        struct slice pattern = str_slice(&m.pattern), text = str_slice(&m.text);
        int flags = (below(2) ? REGEX_NOCASE : 0) | (below(8) == 0 ? REGEX_WORD : 0);
        struct regex *re;
        if (!regex_compile(pattern, flags, &re, NULL))
            continue;
        struct regex_match match;
        bool yes = regex_find(re, scratch, text, 0, 0, &match) == REGEX_YES;
        regex_free(re);
        struct needs needs;
        needs_of_pattern(&arena, pattern, flags, &needs);
        told += needs.n > 0;
        for (size_t k = 0; k < needs.n; k++) {
            assert_true(needs.all[k].n > 0);
            for (size_t a = 0; a < needs.all[k].n; a++)
                assert_true(needs.all[k].any[a].len >= LITERAL_MIN);
            if (yes && !holds(&needs.all[k], folded(text)))
                fail_msg("%.*s (flags %d) matches \"%.*s\" and need not hold \"%.*s\"", SLICE_ARG(pattern), flags,
                         SLICE_ARG(text),
                         SLICE_ARG(needs.all[k].any[0]));
            if (yes && needs.all[k].before != BEFORE_ANY && !is_near(&needs.all[k], folded(text), match.start))
                fail_msg("%.*s (flags %d) matches \"%.*s\" at %zu, %zu bytes (lines: %d) before \"%.*s\"", SLICE_ARG(pattern), flags,
                         SLICE_ARG(text), match.start, needs.all[k].before, needs.all[k].lines, SLICE_ARG(needs.all[k].any[0]));
            if (yes && needs.all[k].before == BEFORE_ANY && !needs.all[k].lines && !is_near(&needs.all[k], folded(text), match.start))
                fail_msg("%.*s (flags %d) matches \"%.*s\" at %zu, in a line before \"%.*s\"", SLICE_ARG(pattern), flags, SLICE_ARG(text),
                         match.start, SLICE_ARG(needs.all[k].any[0]));
            near += yes && needs.all[k].before != BEFORE_ANY;
            same_line += yes && !needs.all[k].lines;
        }
        matched += yes && needs.n > 0;
        if (i % 1000 == 0)
            arena_reset(&arena);
    }
    str_free(&m.pattern);
    str_free(&m.text);
    assert_true(matched > 5000); /* else this tests little */
    assert_true(told > 10000);
    assert_true(near > 2000 && same_line > 2000);
}

/* A literal pattern whose letters come in any case, on a text that says it in any other. */
static void literals_in_any_case(void **state)
{
    (void)state;
    for (int i = 0; i < 20000; i++) {
        struct str pattern = STR_INIT(1 << 10), text = STR_INIT(1 << 10);
        for (uint32_t n = 1 + below(12); n > 0; n--) {
            uint32_t c = below(sizeof characters / sizeof *characters);
            str_addz(&pattern, characters[c]);
            str_addz(&text, below(2) ? characters[c] : likes[c]);
        }
        struct regex *re;
        int flags = REGEX_LITERAL | REGEX_NOCASE;
        assert_true(regex_compile(str_slice(&pattern), flags, &re, NULL));
        struct regex_match match;
        assert_int_equal(regex_find(re, scratch, str_slice(&text), 0, 0, &match), REGEX_YES);
        regex_free(re);
        struct needs needs;
        needs_of_pattern(&arena, str_slice(&pattern), flags, &needs);
        for (size_t k = 0; k < needs.n; k++)
            assert_true(holds(&needs.all[k], folded(str_slice(&text))));
        str_free(&pattern);
        str_free(&text);
    }
    arena_reset(&arena);
}

static size_t utf8(uint32_t c, char out[5])
{
    struct str s = STR_INIT(8);
    str_printf(&s, "%lc", (wint_t)c);
    size_t len = s.len;
    memcpy(out, s.ptr, len);
    out[len] = '\0';
    str_free(&s);
    return len;
}

static bool claimed(uint32_t c)
{
    char pattern[16];
    snprintf(pattern, sizeof pattern, "aa\\x{%x}aa", c);
    struct needs needs;
    needs_of_pattern(&arena, slice_str(pattern), REGEX_NOCASE, &needs);
    return needs.n > 0;
}

static size_t count(const char *pattern, struct slice text)
{
    struct regex *re;
    assert_true(regex_compile(slice_str(pattern), 0, &re, NULL));
    struct regex_match m = {.end = 0};
    size_t n = 0;
    while (regex_find(re, scratch, text, m.end, 0, &m) == REGEX_YES)
        n++;
    regex_free(re);
    return n;
}

/* Which characters have another case is PCRE2's to say: all of Unicode is tried. */
static void characters_with_another_case_end_a_literal(void **state)
{
    (void)state;
    setlocale(LC_CTYPE, "C.UTF-8");
    struct str alone = STR_INIT(1 << 24), others = STR_INIT(1 << 24), class = STR_INIT(1 << 20);
    str_addz(&class, "(?i)[");
    for (uint32_t c = 0x80, first = 0; c < 0x110000; c++) {
        char text[5];
        bool surrogate = c >= 0xd800 && c < 0xe000, now = !surrogate && c < 0x20000 && claimed(c);
        if (!surrogate) {
            size_t len = utf8(c, text);
            str_add(now ? &alone : &others, text, len);
        }
        if (now && !first)
            str_printf(&class, "\\x{%x}-", first = c);
        if (!now && first) {
            str_printf(&class, "\\x{%x}", c - 1);
            first = 0;
        }
        if (c % 4096 == 0)
            arena_reset(&arena);
    }
    str_addz(&class, "]");
    assert_true(alone.len > 100000);
    assert_int_equal(count("\\p{Lu}|\\p{Ll}|\\p{Lt}", str_slice(&alone)), 0);
    assert_true(count(class.ptr, str_slice(&alone)) > 40000);
    assert_int_equal(count(class.ptr, str_slice(&others)), 0);
    assert_int_equal(count("(?i)[\\x00-\\x7f]", str_slice(&others)), 2); /* the long s and the Kelvin sign */
    str_free(&alone);
    str_free(&others);
    str_free(&class);
}

/* ---- grams -------------------------------------------------------------------------------------------------------------- */

static void grams(void **state)
{
    (void)state;
    static uint8_t bits[GRAM_BUCKETS / 8];
    grams_mark(slice_str("abc"), bits);
    grams_mark(SLICE_NONE, bits);
    size_t set = 0;
    for (size_t i = 0; i < sizeof bits; i++)
        set += (size_t)__builtin_popcount(bits[i]);
    assert_int_equal(set, 0);
    grams_mark(slice_str("xERROr"), bits);
    static const char *const there[] = {"xerr", "erro", "rror"};
    for (size_t i = 0; i < 3; i++) {
        uint32_t h = gram_hash((const unsigned char *)there[i]);
        assert_true(h < GRAM_BUCKETS && (bits[h >> 3] >> (h & 7) & 1));
    }
    for (size_t i = 0; i < sizeof bits; i++)
        set += (size_t)__builtin_popcount(bits[i]);
    assert_int_equal(set, 3);

    for (int round = 0; round < 2000; round++) { /* every byte value, every length: the same as gram by gram */
        static uint8_t want[GRAM_BUCKETS / 8];
        char text[64];
        size_t n = below(sizeof text);
        for (size_t i = 0; i < n; i++)
            text[i] = (char)below(256);
        memset(bits, 0, sizeof bits);
        memset(want, 0, sizeof want);
        grams_mark(slice_of(text, n), bits);
        for (size_t i = 0; i + 4 <= n; i++) {
            unsigned char folded_[4];
            for (int k = 0; k < 4; k++)
                folded_[k] = fold_byte((unsigned char)text[i + (size_t)k]);
            uint32_t h = gram_hash(folded_);
            want[h >> 3] |= (uint8_t)(1 << (h & 7));
        }
        assert_memory_equal(bits, want, sizeof bits);
    }
}

/* Every row finds what looking gram by gram finds, at every length around its steps and the piece that is looked at. */
static void every_scan_finds_the_same_grams(void **state)
{
    (void)state;
    static uint16_t want[GRAMSCAN_BYTES], got[GRAMSCAN_BYTES];
    for (int round = 0; round < 3000; round++) {
        static struct gramset set;
        size_t len = round % 10 ? below(80) : GRAMSCAN_BYTES - 40 + below(80), n = 0;
        char *text = malloc(len + 1); /* what is read behind its end shows under the sanitizers */
        assert_non_null(text);
        memset(&set, 0, sizeof set);
        for (size_t i = 0; i < len; i++)
            text[i] = round % 3 ? "aAbBzZ[@{`"[below(10)] : (char)below(256);
        for (size_t i = 0; len >= LITERAL_MIN && i < 3; i++)
            gramset_add(&set, gram_at(text + below((uint32_t)(len - LITERAL_MIN + 1))));
        for (size_t i = 0; i + LITERAL_MIN <= len && i < GRAMSCAN_BYTES; i++)
            if (gramset_has(&set, gram_at(text + i)))
                want[n++] = (uint16_t)i;
        assert_true(len < LITERAL_MIN || n > 0);
        for (size_t row = 0; row < gramscan_count; row++) {
            if (!gramscans[row].usable())
                continue;
            assert_int_equal(gramscans[row].find(&set, text, len, got), n);
            assert_memory_equal(got, want, n * sizeof *want);
        }
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_must_be_there),
        cmocka_unit_test(never_claims_what_need_not_be_there),
        cmocka_unit_test(literals_in_any_case),
        cmocka_unit_test(characters_with_another_case_end_a_literal),
        cmocka_unit_test(grams),
        cmocka_unit_test(every_scan_finds_the_same_grams),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
