/* The documentation: complete (every option, route, view, format and detector is in it), and its links lead somewhere. */
#include "docs/docs.h"

#include "base/embed.h"
#include "cli/cli.h"
#include "http/metrics.h"
#include "http/route.h"
#include "ingest/format.h"
#include "jobs/jobs.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static struct slice page(const char *name)
{
    struct slice text;
    struct err e = {0};
    if (!docs_text(slice_str(name), &text, &e))
        fail_msg("%s", e.text);
    return text;
}

static bool has(const char *name, const char *words) { return slice_find(page(name), slice_str(words)) >= 0; }

#define assert_in(name, ...)                                     \
    do {                                                         \
        char wanted[600];                                        \
        snprintf(wanted, sizeof wanted, __VA_ARGS__);            \
        if (!has(name, wanted))                                  \
            fail_msg("docs/%s.md has no \"%s\"", name, wanted); \
    } while (0)

static void every_page_has_its_file_a_title_and_a_summary(void **state)
{
    (void)state;
    struct arena a = {0};
    size_t pages = 0, files = 0;
    for (const struct docs_page *p = docs_pages; p->name; p++, pages++) {
        assert_true(slice_starts(page(p->name), "# "));
        assert_true(docs_title(page(p->name)).len > 2);
        assert_true(docs_summary(page(p->name), &a).len > 20);
        assert_true(slice_find(page(p->name), slice_str("(there is no part")) < 0);
        assert_true(slice_find(page(p->name), slice_str("<!--")) < 0);
    }
    for (size_t i = 0; i < embedded_file_count; i++)
        files += strncmp(embedded_files[i].name, "docs/", 5) == 0;
    assert_int_equal(files, pages);
    arena_free(&a);
    struct slice text;
    struct err e = {0};
    assert_false(docs_text(slice_str("../start"), &text, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
}

static void every_part_is_on_a_page(void **state)
{
    (void)state;
    for (const struct docs_part *part = docs_parts; part->name; part++) {
        char place[100];
        size_t n = 0;
        snprintf(place, sizeof place, "<!-- generated: %s -->\n", part->name);
        for (size_t i = 0; i < embedded_file_count; i++)
            n += strncmp(embedded_files[i].name, "docs/", 5) == 0 && slice_find(embedded_files[i].bytes, slice_str(place)) >= 0;
        if (n != 1)
            fail_msg("the part %s is on %zu pages", part->name, n);
    }
}

static void what_the_tables_hold_is_in_the_pages(void **state)
{
    (void)state;
    for (const struct command *c = commands; c->name; c++) {
        assert_in("commands", "## telltale %s\n", c->name);
        for (const struct option_row *o = c->options; o->name; o++)
            assert_in("commands", "--%s", o->name);
        for (const char *at = c->arguments; at; at = strchr(at, '|')) { /* each alternative, for they begin with a word to type */
            at += strspn(at, "|[ ");
            if (*at >= 'a' && *at <= 'z')
                assert_in("commands", "| `%.*s", (int)strspn(at, "abcdefghijklmnopqrstuvwxyz"), at);
        }
    }
    for (const struct option_row *o = global_options; o->name; o++)
        assert_in("commands", "--%s", o->name);
    for (size_t i = 0; i < route_count; i++)
        if (routes[i].summary)
            assert_in("rest", "\n### %s %s\n\n%s\n", routes[i].method, routes[i].path, routes[i].summary);
    for (const struct sql_view *view = sql_views; view->name; view++) {
        assert_in("sql", "\n## %s\n", view->name);
        for (const struct sql_column *column = view->columns; column->name; column++)
            assert_in("sql", "| `%s` | %s |", column->name, column->type);
    }
    for (size_t i = 0; i < format_count; i++)
        assert_in("formats", "| `%s` |", formats[i]->name);
    for (size_t i = 0; i < metric_count; i++)
        assert_in("operations", "| `%s` | %s |", metric_rows[i].name, metric_rows[i].type);
    for (size_t i = 0; i < job_kind_count; i++)
        assert_in("operations", "`%s`", job_kinds[i].name);
    size_t rules = 0;
    for (struct slice rest = page("catalogue"); rest.len;)
        rules += slice_starts(slice_take(&rest, '\n'), "#### ");
    assert_in("catalogue", "%zu rules see ", rules);
}

/* "#### Names for *values*" → "names-for-values", as the page makes it. */
static void slug(struct slice heading, char out[200])
{
    size_t n = 0;
    for (size_t i = 0; i < heading.len && n < 198; i++) {
        char c = (char)tolower((unsigned char)heading.ptr[i]);
        if (isalnum((unsigned char)c) || (unsigned char)c > 127)
            out[n++] = c;
        else if (n && out[n - 1] != '-')
            out[n++] = '-';
    }
    while (n && out[n - 1] == '-')
        n--;
    out[n] = '\0';
}

static bool has_heading(struct slice text, struct slice anchor)
{
    while (text.len) {
        struct slice line = slice_take(&text, '\n');
        char name[200];
        if (!slice_starts(line, "#"))
            continue;
        slug(line, name);
        if (slice_is(anchor, name))
            return true;
    }
    return false;
}

static void check_link(const char *from, struct slice target)
{
    struct slice rest = target, file = slice_take(&rest, '#');
    if (slice_starts(target, "https://") || slice_starts(target, "http://") || slice_is(target, "/openapi.json"))
        return;
    if (file.len && !slice_ends(file, ".md"))
        fail_msg("docs/%s.md: (%.*s) is no page", from, SLICE_ARG(target));
    struct slice text = page(from);
    if (file.len && !docs_text(slice_sub(file, 0, file.len - 3), &text, NULL))
        fail_msg("docs/%s.md: there is no page %.*s", from, SLICE_ARG(target));
    if (rest.len && !has_heading(text, rest))
        fail_msg("docs/%s.md: there is no heading %.*s", from, SLICE_ARG(target));
}

static void links_lead_somewhere(void **state)
{
    (void)state;
    size_t links = 0;
    for (const struct docs_page *p = docs_pages; p->name; p++) {
        bool code = false;
        for (struct slice rest = page(p->name); rest.len;) {
            struct slice line = slice_take(&rest, '\n');
            code ^= slice_starts(line, "```");
            for (ptrdiff_t at; !code && !slice_starts(line, "    ") && (at = slice_find(line, slice_str("]("))) >= 0; links++) {
                line = slice_sub(line, (size_t)at + 2, line.len);
                struct slice tail = line;
                check_link(p->name, slice_take(&tail, ')'));
            }
        }
    }
    assert_true(links > 20);
}

static void words_are_found(void **state)
{
    (void)state;
    static const char text[] = "# Title\n\nSome WORDS here.\n\n```text\n# no heading\n```\n\n## Words of a head\n\nwords, more words\n";
    struct docs_hit hits[DOCS_HITS];
    size_t n;
    docs_find(slice_str(text), slice_str("words"), hits, &n);
    assert_int_equal(n, 3);
    assert_true(slice_is(hits[0].line, "Words of a head")); /* headings first */
    assert_true(slice_is(hits[1].heading, "Title"));
    assert_true(slice_is(hits[2].heading, "Words of a head"));
    docs_find(slice_str(text), slice_str(" more  words "), hits, &n);
    assert_int_equal(n, 1);
    docs_find(slice_str(text), slice_str("heading"), hits, &n);
    assert_true(n == 1 && slice_is(hits[0].heading, "Title") && slice_is(hits[0].line, "# no heading"));
    docs_find(slice_str(text), slice_str("  "), hits, &n);
    assert_int_equal(n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_page_has_its_file_a_title_and_a_summary),
        cmocka_unit_test(every_part_is_on_a_page),
        cmocka_unit_test(what_the_tables_hold_is_in_the_pages),
        cmocka_unit_test(links_lead_somewhere),
        cmocka_unit_test(words_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
