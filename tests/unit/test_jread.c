/* The ingest JSON reader: what it reads, mends, refuses and bounds, and that every byte scan gives the same results. */
#include "text/jread.h"
#include "text/scan.h"

#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct arena arena;

static int reset(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

/* Parses a copy that ends where its memory ends, so that a byte read behind it is seen by the sanitizers. */
static struct jvalue *parse(struct slice text, struct jrepairs *repairs, struct err *e)
{
    char *copy = malloc(text.len ? text.len : 1);
    memcpy(copy, text.ptr, text.len);
    struct slice kept = text.len ? arena_dup(&arena, text) : text;
    struct jvalue *v = NULL, *again = NULL;
    bool ok = jread(&arena, slice_of(copy, text.len), NULL, NULL, &v, NULL);
    assert_int_equal(ok, jread(&arena, slice_of(kept.ptr, text.len), NULL, repairs, &again, e));
    free(copy);
    return ok ? again : NULL;
}

static struct jvalue *good(const char *z)
{
    struct err e = {0};
    struct jvalue *v = parse(slice_str(z), NULL, &e);
    if (!v)
        fail_msg("%s: %s", z, e.text);
    return v;
}

#define assert_slice(s, z)                                                   \
    do {                                                                     \
        struct slice s_ = (s);                                               \
        if (!slice_is(s_, z))                                                \
            fail_msg("\"%.*s\" is not \"%s\"", SLICE_ARG(s_), z);        \
    } while (0)

static void reads_every_kind(void **state)
{
    (void)state;
    struct jvalue *v = good(" { \"a\" : [ 1 , -2.5e3 , \"x\\u00e9\\n\\\"\" ] ,\n\t\"b\":{},\"c\":[],\"d\":true,\"e\":false,\"f\":null,\"\":\"\"} ");
    assert_int_equal(v->type, J_OBJECT);
    assert_int_equal(v->n, 7);
    assert_false(v->repaired);
    assert_slice(v->keys[1], "b");
    const struct jvalue *a = jget(v, "a");
    assert_int_equal(a->n, 3);
    assert_slice(a->raw, "[ 1 , -2.5e3 , \"x\\u00e9\\n\\\"\" ]");
    assert_slice(jstr(jat(a, 2)), "x\xc3\xa9\n\"");
    assert_slice(jtext(jat(a, 1)), "-2.5e3");
    assert_null(jstr(jat(a, 1)).ptr);
    assert_null(jat(a, 3));
    assert_int_equal(jget(v, "b")->type, J_OBJECT);
    assert_int_equal(jget(v, "c")->n, 0);
    bool b;
    assert_true(jbool(jget(v, "d"), &b) && b);
    assert_true(jbool(jget(v, "e"), &b) && !b);
    assert_false(jbool(jget(v, "f"), &b));
    assert_true(jis(jget(v, "f"), J_NULL));
    assert_non_null(jget(v, "")->text.ptr);
    assert_null(jget(v, "z"));
    assert_null(jget(NULL, "z"));
    assert_null(jget(a, "z"));
    struct jvalue *deep = good("{\"x\":{\"y\":{\"z\":7}}}");
    int64_t n;
    assert_true(jint(jpath(deep, "x", "y", "z", NULL), &n));
    assert_int_equal(n, 7);
    assert_null(jpath(deep, "x", "q", "z", NULL));
}

static void strings_without_escapes_are_not_copied(void **state)
{
    (void)state;
    static const char text[] = "[\"plain \xc3\xa9\", \"es\\tcaped\"]";
    struct jvalue *v;
    assert_true(jread(&arena, slice_str(text), NULL, NULL, &v, NULL));
    assert_ptr_equal(v->items[0].text.ptr, text + 2);
    assert_slice(v->items[1].text, "es\tcaped");
}

static void escapes(void **state)
{
    (void)state;
    static const struct { const char *json, *text; size_t len; } rows[] = {
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", 8},
        {"\"\\u0000\"", "\0", 1},
        {"\"\\u007f\\u0080\\u07FF\\u0800\\uffff\"", "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf", 11},
        {"\"\\ud83d\\ude00\\uDBFF\\uDFFF\"", "\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf", 8},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct jrepairs repairs = {0};
        struct jvalue *v = parse(slice_str(rows[i].json), &repairs, NULL);
        assert_non_null(v);
        assert_int_equal(v->text.len, rows[i].len);
        assert_memory_equal(v->text.ptr, rows[i].text, rows[i].len);
        assert_false(v->repaired);
        for (int k = 0; k < JREPAIR_COUNT; k++)
            assert_int_equal(repairs.count[k], 0);
    }
}

/* What is mended, how often it is counted, and the valid JSON that comes out. */
static void repairs(void **state)
{
    (void)state;
    static const struct { const char *json; enum jrepair kind; uint64_t count; const char *written; } rows[] = {
        {"\"a\\ud800b\"", JREPAIR_SURROGATE, 1, "\"a\xef\xbf\xbd" "b\""},
        {"\"\\udc00\\ud800\\ud800\\udc00\"", JREPAIR_SURROGATE, 2, "\"\xef\xbf\xbd\xef\xbf\xbd\xf0\x90\x80\x80\""},
        {"\"\\ud800\\u0041\"", JREPAIR_SURROGATE, 1, "\"\xef\xbf\xbd" "A\""},
        {"\"\xff\"", JREPAIR_UTF8, 1, "\"\xef\xbf\xbd\""},
        {"\"\xc3\"", JREPAIR_UTF8, 1, "\"\xef\xbf\xbd\""},
        {"\"\xe2\x82\"", JREPAIR_UTF8, 1, "\"\xef\xbf\xbd\""},
        {"\"\xe2\x82x\xc0\xaf\"", JREPAIR_UTF8, 3, "\"\xef\xbf\xbdx\xef\xbf\xbd\xef\xbf\xbd\""},
        {"\"\xed\xa0\x80\"", JREPAIR_UTF8, 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {"\"\xf4\x90\x80\x80\"", JREPAIR_UTF8, 4, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {"[NaN,Infinity,-Infinity]", JREPAIR_NAN, 3, "[null,null,null]"},
        {"\"a\nb\tc\"", JREPAIR_CONTROL, 2, "\"a\\nb\\tc\""},
        {"\"\\x41\"", JREPAIR_ESCAPE, 1, "\"\\\\x41\""},
        {"\"\\u12G4\\\xc3\xa9\"", JREPAIR_ESCAPE, 2, "\"\\\\u12G4\\\\\xc3\xa9\""},
        {"\"\\u12\"", JREPAIR_ESCAPE, 1, "\"\\\\u12\""},
        {"{\"a\":1,\"b\":2,\"a\":3}", JREPAIR_DUPLICATE_KEY, 1, "{\"a\":1,\"b\":2,\"a\":3}"},
        {"[01]", JREPAIR_NUMBER, 1, "[\"01\"]"},
        {"[1.,+1,.5,-01,1e,1.2.3,1e+]", JREPAIR_NUMBER, 7, "[\"1.\",\"+1\",\".5\",\"-01\",\"1e\",\"1.2.3\",\"1e+\"]"},
        {"\xef\xbb\xbf[1]", JREPAIR_BOM, 1, "[1]"},
        {"{\"\\ud800\": [1, 2]}", JREPAIR_SURROGATE, 1, "{\"\xef\xbf\xbd\":[1, 2]}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct jrepairs counted = {0};
        struct err e = {0};
        struct jvalue *v = parse(slice_str(rows[i].json), &counted, &e);
        if (!v)
            fail_msg("%s: %s", rows[i].json, e.text);
        for (int k = 0; k < JREPAIR_COUNT; k++)
            assert_int_equal(counted.count[k], k == (int)rows[i].kind ? rows[i].count : 0);
        assert_int_equal(v->repaired, rows[i].kind != JREPAIR_BOM); /* the mark stands outside of the value */
        assert_slice(jraw(&arena, v), rows[i].written);
        json_error_t why;
        json_t *valid = json_loads(rows[i].written, JSON_DECODE_ANY, &why);
        assert_non_null(valid);
        json_decref(valid);
    }
    assert_slice(jget(good("{\"a\":1,\"a\":2}"), "a")->text, "2");
    assert_null(jraw(&arena, NULL).ptr);
    for (int k = 0; k < JREPAIR_COUNT; k++)
        assert_non_null(jrepair_names[k]);
}

static void a_repair_marks_all_around_it_and_nothing_else(void **state)
{
    (void)state;
    struct jvalue *v = good("{\"a\": [ {\"b\":NaN}, {\"c\" : 1} ], \"d\": { }}");
    assert_true(v->repaired);
    assert_true(jget(v, "a")->repaired);
    assert_true(jat(jget(v, "a"), 0)->repaired);
    assert_false(jat(jget(v, "a"), 1)->repaired);
    assert_false(jget(v, "d")->repaired);
    assert_slice(jraw(&arena, v), "{\"a\":[{\"b\":null},{\"c\" : 1}],\"d\":{ }}");
}

static void what_goes_over_lines_is_written_on_one(void **state)
{
    (void)state;
    struct jvalue *v = good("{\n \"a\\n\": [1, 2],\r\n \"b\": [\n ]\n}\n");
    assert_true(v->lines);
    assert_false(jget(v, "a\n")->lines);
    assert_true(jget(v, "b")->lines);
    assert_slice(jraw(&arena, v), "{\"a\\n\":[1, 2],\"b\":[]}");
}

static void many_keys_twice(void **state)
{
    (void)state;
    struct str text = STR_INIT(1 << 20);
    str_addc(&text, '{');
    for (int i = 0; i < 1000; i++)
        str_printf(&text, "%s\"k%d\":%d", i ? "," : "", i % 900, i);
    str_addc(&text, '}');
    struct jrepairs counted = {0};
    struct jvalue *v = parse(str_slice(&text), &counted, NULL);
    assert_int_equal(counted.count[JREPAIR_DUPLICATE_KEY], 100);
    assert_int_equal(v->n, 1000);
    assert_slice(jget(v, "k50")->text, "950");
    str_free(&text);
}

static void syntax_errors_name_the_byte(void **state)
{
    (void)state;
    static const struct { const char *json; size_t at; } rows[] = {
        {"", 0}, {"  ", 2}, {"[", 1}, {"{", 1}, {"[1", 2}, {"[1,", 3}, {"[1,]", 3}, {"{\"a\"", 4}, {"{\"a\":", 5},
        {"{\"a\":1,}", 7},
        {"{a:1}", 1}, {"{\"a\" 1}", 5}, {"[1 2]", 3}, {"]", 0}, {"}", 0}, {"[}", 1}, {"{]", 1}, {"[1}", 2}, {"tru", 0},
        {"nul", 0},
        {"True", 0}, {"Nan", 0}, {"-Inf", 0}, {"'a'", 0}, {"\"a", 2}, {"\"a\\", 3}, {"\"a\\\"", 4}, {"\"\\u12", 5}, {"1x", 1},
        {"nullx", 4},
        {"[1] [2]", 4}, {"{} ,", 3}, {"-", 0}, {"+", 0}, {".", 0}, {"e5", 0}, {"[1]\xff", 3}, {"\xef\xbb\xbf", 3}, {"[1]]", 3},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err e = {0};
        if (parse(slice_str(rows[i].json), NULL, &e))
            fail_msg("%s was read", rows[i].json);
        assert_int_equal(e.code, ERR_FORMAT);
        char place[32];
        snprintf(place, sizeof place, "at byte %zu:", rows[i].at);
        if (!strstr(e.text, place))
            fail_msg("%s: \"%s\" does not say %s", rows[i].json, e.text, place);
    }
}

static void limits(void **state)
{
    (void)state;
    struct jvalue *v;
    struct err e = {0};
    struct jlimits few = {.depth = 3, .nodes = 5};
    assert_true(jread(&arena, slice_str("[[[1]],2]"), &few, NULL, &v, &e));
    assert_false(jread(&arena, slice_str("[[[[]]]]"), &few, NULL, &v, &e));
    assert_int_equal(e.code, ERR_TOO_LARGE);
    assert_true(jread(&arena, slice_str("[1,2,3,4]"), &few, NULL, &v, &e));
    assert_false(jread(&arena, slice_str("[1,2,3,4,5]"), &few, NULL, &v, &e));
    assert_int_equal(e.code, ERR_TOO_LARGE);

    size_t n = 10 * 1000 * 1000; /* deep nesting neither overflows a stack nor takes long */
    char *deep = malloc(n);
    memset(deep, '[', n);
    assert_false(jread(&arena, slice_of(deep, n), NULL, NULL, &v, &e));
    assert_int_equal(e.code, ERR_TOO_LARGE);
    struct jlimits bottomless = {.depth = UINT32_MAX, .nodes = UINT32_MAX};
    assert_false(jread(&arena, slice_of(deep, n), &bottomless, NULL, &v, &e));
    assert_int_equal(e.code, ERR_FORMAT);
    free(deep);
}

static void numbers(void **state)
{
    (void)state;
    static const struct { const char *json; bool is_int; int64_t n; double x; } rows[] = {
        {"0", true, 0, 0}, {"-0", true, 0, 0}, {"12", true, 12, 12}, {"-9223372036854775808", true, INT64_MIN, -0x1p63},
        {"9223372036854775807", true, INT64_MAX, 0x1p63}, {"9223372036854775808", false, 0, 0x1p63}, {"1.0", true, 1, 1},
        {"1e3", true, 1000, 1000},
        {"-2.50", false, 0, -2.5}, {"1e-1", false, 0, 0.1},
        {"123456789012345678901234567890", false, 0, 123456789012345678901234567890.0},
        {"0.1e1", true, 1, 1}, {"1E+2", true, 100, 100}, {"1e18", true, 1000000000000000000, 1e18}, {"1e19", false, 0, 1e19},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct jvalue *v = good(rows[i].json);
        int64_t n = 0;
        double x = 0;
        assert_int_equal(jint(v, &n), rows[i].is_int);
        assert_true(n == rows[i].n);
        assert_true(jnum(v, &x));
        assert_true(x == rows[i].x);
    }
    int64_t n;
    double x;
    assert_false(jnum(good("1e400"), &x)); /* a number, but none that a double holds */
    assert_false(jint(good("1e400"), &n));
    assert_false(jint(good("\"5\""), &n));
    assert_false(jnum(NULL, &x));
    struct str longest = STR_INIT(4096);
    str_addc(&longest, '1');
    for (int i = 0; i < 200; i++)
        str_addc(&longest, '0');
    str_addz(&longest, ".5");
    assert_true(jnum(parse(str_slice(&longest), NULL, NULL), &x));
    assert_true(x == 1e200);
    str_free(&longest);
}

static void rest_keeps_what_has_no_place(void **state)
{
    (void)state;
    static const char *const known[] = {"role", "content", NULL};
    assert_slice(jrest(&arena, good("{\"role\":\"user\",\"x\":{ \"y\":1},\"content\":2,\"\\u0000q\":NaN}"), known),
                 "{\"x\":{ \"y\":1},\"\\u0000q\":null}");
    assert_null(jrest(&arena, good("{\"role\":1}"), known).ptr);
    assert_null(jrest(&arena, good("[1]"), known).ptr);
    assert_null(jrest(&arena, NULL, known).ptr);
}

/* ---- against jansson, on JSON made at random ---------------------------------------------------------------------------- */

static uint64_t seed = 88172645463325252u;
static uint32_t below(uint32_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 33) % n;
}

/* With `prefix`, so that the names in one object differ. */
static void random_string(struct str *out, const char *prefix)
{
    static const char *const pieces[] = {"a", "the quick brown fox jumps over it ", "\\n", "\\\"", "\\\\", "\\u00e9",
                                         "\\ud83d\\ude00", "\xc3\xa9",
                                         "\xe2\x82\xac", "\xf0\x9f\x98\x80", "/", "0123456789abcdef", "\\u0001", "{[:,]}"};
    str_addc(out, '"');
    str_addz(out, prefix);
    for (uint32_t n = below(12); n > 0; n--)
        str_addz(out, pieces[below(sizeof pieces / sizeof *pieces)]);
    str_addc(out, '"');
}

static void random_space(struct str *out)
{
    static const char *const spaces[] = {"", "", "", " ", "\n", "\t", "\r\n                   "};
    str_addz(out, spaces[below(7)]);
}

static void random_json(struct str *out, int depth)
{
    static const char *const numbers_[] = {"0", "-1", "3.25", "1e10", "123456", "-0.5E-3"};
    static const char *const words[] = {"true", "false", "null"};
    random_space(out);
    uint32_t kind = below(depth > 5 ? 3 : 5);
    if (kind == 0) {
        str_addz(out, words[below(3)]);
    } else if (kind == 1) {
        str_addz(out, numbers_[below(6)]);
    } else if (kind == 2) {
        random_string(out, "");
    } else {
        str_addc(out, kind == 3 ? '[' : '{');
        for (uint32_t i = 0, n = below(6); i < n; i++) {
            if (i)
                str_addc(out, ',');
            if (kind == 4) {
                char prefix[16];
                snprintf(prefix, sizeof prefix, "%u-", i);
                random_string(out, prefix);
                random_space(out);
                str_addc(out, ':');
            }
            random_json(out, depth + 1);
        }
        random_space(out);
        str_addc(out, kind == 3 ? ']' : '}');
    }
    random_space(out);
}

static bool same(const struct jvalue *v, const json_t *j)
{
    switch (v->type) {
    case J_NULL: return json_is_null(j);
    case J_FALSE: return json_is_false(j);
    case J_TRUE: return json_is_true(j);
    case J_NUMBER: {
        double x;
        return json_is_number(j) && jnum(v, &x) && x == json_number_value(j);
    }
    case J_STRING:
        return json_is_string(j) && slice_eq(v->text, slice_of(json_string_value(j), json_string_length(j)));
    case J_ARRAY:
        if (json_array_size(j) != v->n)
            return false;
        for (uint32_t i = 0; i < v->n; i++)
            if (!same(&v->items[i], json_array_get(j, i)))
                return false;
        return true;
    case J_OBJECT:
        if (json_object_size(j) != v->n)
            return false;
        for (uint32_t i = 0; i < v->n; i++) {
            const char *key = arena_strdup(&arena, v->keys[i]);
            if (!same(&v->items[i], json_object_get(j, key)))
                return false;
        }
        return true;
    }
    return false;
}

static void reads_as_jansson_does(void **state)
{
    (void)state;
    struct str text = STR_INIT(1 << 24);
    for (int i = 0; i < 3000; i++) {
        str_reset(&text);
        random_json(&text, 0);
        struct err e = {0};
        struct jvalue *v = parse(str_slice(&text), NULL, &e);
        json_t *j = json_loadb(text.ptr, text.len, JSON_DECODE_ANY, NULL);
        if (!v || !j || v->repaired || !same(v, j))
            fail_msg("%.*s: %s", (int)text.len, text.ptr, e.text);
        struct slice raw = jraw(&arena, v);
        if (v->lines) {
            json_t *again = json_loadb(raw.ptr, raw.len, JSON_DECODE_ANY, NULL);
            assert_null(memchr(raw.ptr, '\n', raw.len));
            assert_true(json_equal(j, again));
            json_decref(again);
        } else {
            assert_true(slice_eq(raw, slice_trim(str_slice(&text))));
        }
        json_decref(j);
        arena_reset(&arena);
    }
    str_free(&text);
}

/* Bytes changed at random: whatever is read comes out as JSON that jansson takes too. */
static void damaged_text_ends_in_a_tree_or_an_error(void **state)
{
    (void)state;
    static const char odd[] = "\"\\[]{}:,\x01\n\x80\xc3\xe2\xff\xed\xf0uN-+.e0 ";
    struct str text = STR_INIT(1 << 24);
    int read = 0, refused = 0;
    for (int i = 0; i < 20000; i++) {
        str_reset(&text);
        random_json(&text, 2);
        for (uint32_t n = below(4) + 1; n > 0; n--)
            text.ptr[below((uint32_t)text.len)] = odd[below(sizeof odd - 1)];
        struct err e = {0};
        struct jrepairs counted = {0};
        struct jvalue *v = parse(str_slice(&text), &counted, &e);
        if (!v) {
            assert_int_equal(e.code, ERR_FORMAT);
            refused++;
        } else {
            struct slice raw = jraw(&arena, v);
            json_error_t why;
            json_t *j = json_loadb(raw.ptr, raw.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);
            /* Numbers that no double or int64 holds and NUL in names are JSON, but not jansson's. */
            if (!j && !strstr(why.text, "NUL byte in object key") && !strstr(why.text, "overflow") &&
                !strstr(why.text, "too big"))
                fail_msg("%.*s: %s", SLICE_ARG(raw), why.text);
            json_decref(j);
            read++;
        }
        arena_reset(&arena);
    }
    str_free(&text);
    assert_true(read > 1000);
    assert_true(refused > 1000);
}

/* ---- byte scans --------------------------------------------------------------------------------------------------------- */

static void every_scan_gives_the_same(void **state)
{
    (void)state;
    static const char rare[] = "\"\\[]{}\n\x1f\x7f\x80\xff\0;|";
    for (int i = 0; i < 20000; i++) {
        size_t n = below(200);
        char *text = malloc(n + 1), *want = malloc(n + 1), *got = malloc(n + 1); /* ends where its memory does */
        for (size_t k = 0; k < n; k++)
            text[k] = below(60) ? (char)(' ' + 2 + below(50)) : rare[below(sizeof rare - 1)];
        const char *end = text + n;
        for (size_t row = 0; row < scan_count; row++) {
            const struct scan *s = &scans[row];
            if (!s->usable())
                continue;
            assert_ptr_equal(s->special(text, end), scans[0].special(text, end));
            assert_ptr_equal(s->quote(text, end), scans[0].quote(text, end));
            assert_ptr_equal(s->bracket(text, end), scans[0].bracket(text, end));
            const char *stop = scans[0].copy(text, end, want);
            assert_ptr_equal(stop, scans[0].special(text, end));
            assert_ptr_equal(s->copy(text, end, got), stop);
            assert_memory_equal(got, text, (size_t)(stop - text));
            assert_memory_equal(want, text, (size_t)(stop - text));
        }
        free(text);
        free(want);
        free(got);
    }
    for (int c = 0; c < 256; c++) { /* each byte alone, at each place of a word */
        char text[40];
        for (size_t at = 0; at < sizeof text; at++) {
            memset(text, 'a', sizeof text);
            text[at] = (char)c;
            const char *end = text + sizeof text, *here = text + at;
            bool quote = c == '"' || c == '\\', special = quote || c < 0x20 || c >= 0x80;
            bool bracket = c == '"' || (c && strchr("[]{}", c));
            for (size_t row = 0; row < scan_count; row++) {
                if (!scans[row].usable())
                    continue;
                assert_ptr_equal(scans[row].special(text, end), special ? here : end);
                assert_ptr_equal(scans[row].quote(text, end), quote ? here : end);
                assert_ptr_equal(scans[row].bracket(text, end), bracket ? here : end);
            }
        }
    }
    assert_true(scan_best()->usable());
}

/* ---- cutting a stream --------------------------------------------------------------------------------------------------- */

/* The lengths of the values in `text`, as jscan_feed cuts it in pieces of `step` bytes. */
static struct slice cut(const char *text, size_t len, size_t step)
{
    struct str out = STR_INIT(1 << 16);
    struct jscan s = {0};
    size_t begun = 0;
    for (size_t at = 0; at < len;) {
        size_t n = step < len - at ? step : len - at;
        ptrdiff_t end = jscan_feed(&s, text + at, n);
        if (end < 0) {
            at += n;
            continue;
        }
        at += (size_t)end;
        str_printf(&out, "%zu ", at - begun);
        begun = at;
        s = (struct jscan){0};
    }
    str_printf(&out, "+%zu", len - begun);
    struct slice kept = arena_dup(&arena, str_slice(&out));
    str_free(&out);
    return kept;
}

static void a_stream_is_cut_wherever_it_is_broken(void **state)
{
    (void)state;
    static const struct { const char *text, *lengths; } rows[] = {
        {"{\"a\":[1,2]}{\"b\":\"}\"}", "11 9 +0"},
        {" {} \n[]", "3 4 +0"},
        {"\"a\\\"b\" \"\\\\\"[\"]\\\\\"]", "6 5 7 +0"},
        {"12 true,null", "2 5 1 +4"},
        {"\xef\xbb\xbf[1]x", "6 +1"},
        {"1[2]\"3\"", "1 3 3 +0"},
        {"]}[", "1 1 +1"},
        {"{\"a\":\"", "+6"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t step = 1; step <= strlen(rows[i].text); step++)
            assert_slice(cut(rows[i].text, strlen(rows[i].text), step), rows[i].lengths);

    struct str text = STR_INIT(1 << 24);
    for (int i = 0; i < 500; i++) {
        struct str want = STR_INIT(1 << 16);
        str_reset(&text);
        size_t begun = 0;
        for (uint32_t n = 1 + below(5); n > 0; n--) {
            str_addc(&text, '[');
            random_json(&text, 3);
            str_addc(&text, ']');
            str_printf(&want, "%zu ", text.len - begun);
            begun = text.len;
        }
        str_addz(&want, "+0");
        for (int k = 0; k < 4; k++)
            assert_true(slice_eq(cut(text.ptr, text.len, 1 + below(k == 0 ? 3 : 100)), str_slice(&want)));
        str_free(&want);
        arena_reset(&arena);
    }
    str_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(reads_every_kind, reset),
        cmocka_unit_test_teardown(strings_without_escapes_are_not_copied, reset),
        cmocka_unit_test_teardown(escapes, reset),
        cmocka_unit_test_teardown(repairs, reset),
        cmocka_unit_test_teardown(a_repair_marks_all_around_it_and_nothing_else, reset),
        cmocka_unit_test_teardown(what_goes_over_lines_is_written_on_one, reset),
        cmocka_unit_test_teardown(many_keys_twice, reset),
        cmocka_unit_test_teardown(syntax_errors_name_the_byte, reset),
        cmocka_unit_test_teardown(limits, reset),
        cmocka_unit_test_teardown(numbers, reset),
        cmocka_unit_test_teardown(rest_keeps_what_has_no_place, reset),
        cmocka_unit_test_teardown(reads_as_jansson_does, reset),
        cmocka_unit_test_teardown(damaged_text_ends_in_a_tree_or_an_error, reset),
        cmocka_unit_test(every_scan_gives_the_same),
        cmocka_unit_test_teardown(a_stream_is_cut_wherever_it_is_broken, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
