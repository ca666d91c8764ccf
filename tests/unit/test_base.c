#include "base/arena.h"
#include "base/clock.h"
#include "base/csv.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/jsonw.h"
#include "base/markup.h"
#include "base/map.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void str_keeps_to_its_maximum(void **state)
{
    (void)state;
    struct str s = STR_INIT(5);
    str_addz(&s, "abc");
    assert_false(s.full);
    str_addz(&s, "defg");
    assert_true(s.full);
    assert_int_equal(s.len, 5);
    assert_string_equal(s.ptr, "abcde");
    str_reset(&s);
    str_printf(&s, "%d", 42);
    assert_string_equal(s.ptr, "42");
    str_free(&s);
}

static void json_writes_what_json_allows(void **state)
{
    (void)state;
    struct str s = STR_INIT(4096);
    struct jsonw j = jsonw_to(&s);
    jsonw_object(&j);
    jsonw_kint(&j, "n", -3);
    jsonw_key(&j, "list");
    jsonw_array(&j);
    jsonw_num(&j, 0.1);
    jsonw_num(&j, NAN);
    jsonw_str(&j, slice_of("a\0\"\n\xff\xe2\x82\xac", 8));
    jsonw_str(&j, SLICE_NONE);
    jsonw_end(&j);
    jsonw_kbool(&j, "b", true);
    jsonw_end(&j);
    assert_string_equal(s.ptr, "{\"n\":-3,\"list\":[0.1,null,\"a\\u0000\\\"\\n\xef\xbf\xbd\xe2\x82\xac\",null],\"b\":true}");
    str_free(&s);
}

/* Bytes are looked at sixteen at a time: each of them at each place of such a step, and over its edge. */
static void every_byte_is_escaped_wherever_it_stands(void **state)
{
    (void)state;
    struct str s = STR_INIT(4096), expected = STR_INIT(4096);
    for (int c = 0; c < 256; c++)
        for (size_t at = 0; at < 35; at++) {
            char text[35];
            memset(text, 'a', sizeof text);
            text[at] = (char)c;
            str_reset(&s);
            str_reset(&expected);
            jsonw_escape(&s, slice_of(text, sizeof text));
            str_add(&expected, text, at);
            if (c == '"' || c == '\\')
                str_printf(&expected, "\\%c", c);
            else if (c == '\n' || c == '\r' || c == '\t')
                str_printf(&expected, "\\%c", c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
            else if (c < 0x20)
                str_printf(&expected, "\\u%04x", (unsigned)c);
            else if (c >= 0x80)
                str_addz(&expected, "\xef\xbf\xbd");
            else
                str_addc(&expected, (char)c);
            str_add(&expected, text + at + 1, sizeof text - at - 1);
            assert_true(slice_eq(str_slice(&s), str_slice(&expected)));
        }
    str_free(&s);
    str_free(&expected);
}

static void numbers_are_written_whole(void **state)
{
    (void)state;
    struct str s = STR_INIT(256);
    struct jsonw j = jsonw_to(&s);
    jsonw_array(&j);
    const int64_t numbers[] = {0, 7, -1, 10, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        jsonw_int(&j, numbers[i]);
    jsonw_end(&j);
    assert_string_equal(s.ptr, "[0,7,-1,10,9223372036854775807,-9223372036854775808]");
    str_free(&s);
}

static void surrogates_and_overlong_forms_are_not_utf8(void **state)
{
    (void)state;
    struct str s = STR_INIT(256);
    jsonw_escape(&s, slice_str("\xed\xa0\x80|\xc0\xaf|\xf4\x90\x80\x80|\xf0\x9f\x98\x80"));
    assert_string_equal(s.ptr, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd|\xef\xbf\xbd\xef\xbf\xbd|"
                               "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd|\xf0\x9f\x98\x80");
    str_free(&s);
}

static void markup_holds_no_markup_and_nothing_that_xml_cannot(void **state)
{
    (void)state;
    struct str s = STR_INIT(1 << 16);
    markup_text(&s, slice_str("a<b & \"c\" ]]> '\n\t\r"));
    assert_string_equal(s.ptr, "a&lt;b &amp; &quot;c&quot; ]]&gt; &#39;\n\t&#13;");
    str_reset(&s);
    markup_attribute(&s, slice_str("a\n\tb"));
    assert_string_equal(s.ptr, "a&#10;&#9;b");
    str_reset(&s);
    markup_text(&s, slice_of("\0\x1b\x7f|\xff|\xef\xbf\xbe|\xef\xbf\xbf|\xed\xa0\x80|\xc3", 19));
    assert_string_equal(s.ptr, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd|\xef\xbf\xbd|\xef\xbf\xbd|\xef\xbf\xbd|\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd|\xef\xbf\xbd");
    str_reset(&s);
    markup_text(&s, slice_str("\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"));
    assert_string_equal(s.ptr, "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
    str_free(&s);
}

static void times_of_all_shapes_become_utc(void **state)
{
    (void)state;
    static const struct { const char *in, *out; } cases[] = {
        {"2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"},
        {"2026-01-02T03:04:05.5+02:00", "2026-01-02T01:04:05.5Z"},
        {"2025-05-12T20:27:36-04:00", "2025-05-13T00:27:36Z"},
        {"2024-02-29 23:59:59.123456789", "2024-02-29T23:59:59.123456789Z"},
        {"2024-12-31T23:30:00-0130", "2025-01-01T01:00:00Z"},
        {"1969-12-31T23:59:59Z", "1969-12-31T23:59:59Z"},
        {"2026-01-02T03:04", "2026-01-02T03:04:00Z"},
    };
    struct arena a = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct slice out;
        assert_true(clock_normalize(&a, slice_str(cases[i].in), &out));
        assert_string_equal(out.ptr, cases[i].out);
    }
    static const char *const wrong[] = {"", "yesterday", "2026-01-02", "2026-13-02T03:04:05Z", "2026-01-02T03:04:05.Z", "2026-01-02T03:04:05Zz"};
    struct slice none;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(clock_normalize(&a, slice_str(wrong[i]), &none));
    static const struct { int64_t in; const char *out; } whole[] = {
        {1767323045, "2026-01-02T03:04:05Z"},
        {1767323045250, "2026-01-02T03:04:05.250Z"},
        {1767323045000, "2026-01-02T03:04:05.000Z"},
        {1767323045250001, "2026-01-02T03:04:05.250001Z"},
        {1767323045250000001, "2026-01-02T03:04:05.250000001Z"},
        {-1, "1969-12-31T23:59:59Z"},
    };
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        struct slice out;
        assert_true(clock_from_integer(&a, whole[i].in, &out));
        assert_string_equal(out.ptr, whole[i].out);
    }
    static const double numbers[] = {1767323045.25, 1767323045250.0, 1767323045250000.0, 1767323045250000000.0};
    for (size_t i = 0; i < 4; i++) {
        struct slice out;
        assert_true(clock_from_number(&a, numbers[i], &out));
        assert_string_equal(out.ptr, "2026-01-02T03:04:05.25Z");
        int64_t us;
        assert_true(clock_parse(out, &us));
        assert_true(us == INT64_C(1767323045250000));
    }
    arena_free(&a);
}

static void every_day_of_eight_centuries_has_its_date(void **state)
{
    (void)state;
    char text[CLOCK_TEXT];
    int64_t us;
    for (int64_t day = -50000; day < 250000; day++) {
        clock_text(day * INT64_C(86400000000) + 1, text);
        assert_true(clock_parse(slice_str(text), &us));
        assert_true(us == day * INT64_C(86400000000) + 1);
    }
}

static void framed_hashes_tell_borders_apart(void **state)
{
    (void)state;
    unsigned char a[HASH_SIZE], b[HASH_SIZE];
    struct hash h;
    hash_start(&h);
    hash_add_framed(&h, slice_str("ab"));
    hash_add_framed(&h, slice_str("c"));
    hash_end(&h, a);
    hash_start(&h);
    hash_add_framed(&h, slice_str("a"));
    hash_add_framed(&h, slice_str("bc"));
    hash_end(&h, b);
    assert_memory_not_equal(a, b, HASH_SIZE);
    char uuid[UUID_TEXT + 1];
    uuid_from(a, uuid);
    assert_true(uuid_valid(slice_str(uuid)));
    assert_int_equal(uuid[14], '8');
    assert_false(uuid_valid(slice_str("not-a-uuid")));
}

static void errors_name_the_reason_of_the_system(void **state)
{
    (void)state;
    struct err e;
    errno = ENOSPC;
    assert_false(err_errno(&e, "cannot write %s", "x.db"));
    assert_int_equal(e.code, ERR_FULL);
    assert_string_equal(e.text, "cannot write x.db: No space left on device");
    err_prefix(&e, "import of %s", "a.json");
    assert_string_equal(e.text, "import of a.json: cannot write x.db: No space left on device");
    assert_int_equal(err_http_status(ERR_FULL), 507);
    assert_int_equal(err_exit_status(ERR_USAGE), 2);
}

static void arena_arrays_grow_and_keep_what_they_hold(void **state)
{
    (void)state;
    struct arena a = {0};
    int *v = NULL;
    size_t n = 0, cap = 0;
    for (int i = 0; i < 10000; i++) {
        v = arena_grow(&a, v, n, &cap, sizeof *v);
        v[n++] = i;
    }
    for (int i = 0; i < 10000; i++)
        assert_int_equal(v[i], i);
    arena_reset(&a);
    assert_string_equal(arena_printf(&a, "%s-%d", "x", 7).ptr, "x-7");
    arena_free(&a);
}

static void joined_arenas_keep_what_both_hold(void **state)
{
    (void)state;
    struct arena a = {0}, b = {0}, empty = {0};
    struct slice first = arena_dup(&b, slice_str("first"));
    arena_join(&a, &b);
    assert_null(b.chunk);
    struct slice second = arena_dup(&b, slice_str("second"));
    arena_alloc(&b, 100000);
    size_t total = a.total + b.total;
    arena_join(&a, &b);
    arena_join(&a, &empty);
    assert_int_equal(a.total, total);
    struct slice third = arena_dup(&a, slice_str("third"));
    assert_true(slice_is(first, "first") && slice_is(second, "second") && slice_is(third, "third"));
    arena_free(&a);
}

static void maps_find_what_was_put(void **state)
{
    enum { MANY = 10000 };
    (void)state;
    struct arena a = {0};
    struct map m = {0};
    assert_int_equal(map_get(&m, slice_str("1")), 0);
    for (size_t i = 1; i <= MANY; i++)
        assert_int_equal(map_put(&a, &m, arena_printf(&a, "%zu", i), i), i);
    assert_int_equal(map_put(&a, &m, slice_str("77"), 5), 77);
    map_set(&a, &m, slice_str("78"), 5);
    map_set(&a, &m, slice_str(""), 9);
    for (size_t i = 1; i <= MANY; i++)
        assert_int_equal(map_get(&m, arena_printf(&a, "%zu", i)), i == 78 ? 5 : i);
    assert_int_equal(map_get(&m, slice_str("")), 9);
    assert_int_equal(map_get(&m, slice_str("x")), 0);
    assert_int_equal(m.n, MANY + 1);
    arena_free(&a);
}

static void slices_compare_trim_and_cut(void **state)
{
    (void)state;
    assert_true(slice_is(slice_trim(slice_str(" \t a b\r\n")), "a b"));
    assert_int_equal(slice_cut(slice_str("a\xe2\x82\xac"), 3).len, 1);
    assert_int_equal(slice_find(slice_str("hello"), slice_str("lo")), 3);
    assert_int_equal(slice_find(slice_str("hello"), slice_str("z")), -1);
    assert_true(slice_cmp(slice_str("a"), slice_str("ab")) < 0);
    assert_true(slice_eq_nocase(slice_str("HeLLo"), slice_str("hEllO")));
    assert_int_equal(slice_sub(slice_str("abc"), 2, 9).len, 1);
}

/* Rows as "cell|cell;", fed `step` bytes at a time. */
static struct slice rows_of(struct str *out, struct slice text, size_t step, uint64_t *lines)
{
    struct csv_reader r = csv_reader(',', 1 << 16);
    bool open = false, row;
    str_reset(out);
    while (text.len || !open) {
        size_t used = 0;
        struct slice piece = slice_sub(text, 0, step);
        if (text.len) {
            row = csv_read(&r, piece, &used);
            text = slice_sub(text, used, text.len);
        } else {
            row = csv_read_end(&r, &open);
            open = true;
        }
        for (size_t i = 0; row && i < r.cells; i++) {
            str_addz(out, i ? "|" : "");
            str_add_slice(out, csv_at(&r, i));
        }
        if (row) {
            str_addz(out, ";");
            *lines = r.first;
            csv_drop_row(&r);
        }
    }
    assert_null(csv_at(&r, 0).ptr);
    csv_reader_free(&r);
    return str_slice(out);
}

static void tables_are_read_the_same_in_any_pieces(void **state)
{
    (void)state;
    static const struct { const char *text, *rows; uint64_t last; } cases[] = {
        {"", "", 0},
        {"a,b\r\nc,d", "a|b;c|d;", 2},
        {"a,\n,\n", "a|;|;", 2},
        {"\"x, \"\"y\"\"\r\nz\",2\n3", "x, \"y\"\r\nz|2;3;", 3},
        {"a\"b\",\"c\"d,\"\"\n", "a\"b\"|cd|;", 1},
        {"\n\na", ";;a;", 3},
        {"a,\"open\nmore", "a|open\nmore;", 1},
        {"\"a\"\r\n\"b\"\r\n", "a;b;", 2},
    };
    struct str out = STR_INIT(1 << 16);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t step = 1; step <= strlen(cases[i].text) + 1; step++) {
            uint64_t last = 0;
            struct slice rows = rows_of(&out, slice_str(cases[i].text), step, &last);
            if (!slice_is(rows, cases[i].rows) || last != cases[i].last)
                fail_msg("%s in pieces of %zu gave %.*s, the last on line %llu", cases[i].text, step, SLICE_ARG(rows), (unsigned long long)last);
        }
    str_free(&out);
}

static void a_quote_that_nothing_closes_is_given_up(void **state)
{
    (void)state;
    struct csv_reader r = csv_reader(',', 1 << 16);
    struct str rest = STR_INIT(1 << 16);
    struct slice text = slice_str("a,\"x\ny\",\"open,1\nb,\"\",2\nc,\"\"\n");
    size_t used;
    bool open;
    assert_false(csv_read(&r, text, &used));
    assert_true(csv_read_end(&r, &open) && open);
    csv_give_up_quote(&r, &rest);
    assert_int_equal(r.first, 3);
    assert_true(slice_is(str_slice(&rest), "b,\"\",2\nc,\"\"\n"));
    csv_reader_free(&r);
    str_free(&rest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(str_keeps_to_its_maximum),
        cmocka_unit_test(json_writes_what_json_allows),
        cmocka_unit_test(every_byte_is_escaped_wherever_it_stands),
        cmocka_unit_test(numbers_are_written_whole),
        cmocka_unit_test(surrogates_and_overlong_forms_are_not_utf8),
        cmocka_unit_test(markup_holds_no_markup_and_nothing_that_xml_cannot),
        cmocka_unit_test(times_of_all_shapes_become_utc),
        cmocka_unit_test(every_day_of_eight_centuries_has_its_date),
        cmocka_unit_test(framed_hashes_tell_borders_apart),
        cmocka_unit_test(errors_name_the_reason_of_the_system),
        cmocka_unit_test(arena_arrays_grow_and_keep_what_they_hold),
        cmocka_unit_test(joined_arenas_keep_what_both_hold),
        cmocka_unit_test(maps_find_what_was_put),
        cmocka_unit_test(slices_compare_trim_and_cut),
        cmocka_unit_test(tables_are_read_the_same_in_any_pieces),
        cmocka_unit_test(a_quote_that_nothing_closes_is_given_up),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
