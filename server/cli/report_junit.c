/* JUnit's XML, as test reports of continuous integration read it: the collection is a suite, a run is a test case, which fails where it has a
 * finding that fails the scan; so is a task, or the collection, that has findings of its own. */
#include "base/clock.h"
#include "base/markup.h"
#include "cli/report.h"

#include <stdlib.h>

enum { PAGE = 200 };

struct junit {
    const struct report *r;
    struct reported **by_run;  /* findings of runs, by run; then, from `others` on, all others */
    size_t n, others;
    struct str text, failed, said;
    struct arena a;
};

static int by_run(const void *a, const void *b)
{
    const struct reported *x = *(struct reported *const *)a, *y = *(struct reported *const *)b;
    int order = (x->run.ptr == NULL) - (y->run.ptr == NULL);
    order = order ? order : slice_cmp(x->run, y->run);
    return order ? order : (x > y) - (x < y);
}

/* The first finding of a run, or where it would be. */
static size_t first_of(const struct junit *u, struct slice run)
{
    size_t low = 0, high = u->others;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (slice_cmp(u->by_run[middle]->run, run) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void attribute(struct junit *u, const char *name, struct slice value)
{
    str_printf(&u->text, " %s=\"", name);
    markup_attribute(&u->text, value);
    str_addc(&u->text, '"');
}

static bool add_finding(struct junit *u, const struct reported *item, const struct finding_row *row, struct err *e)
{
    const struct finding *f = &row->finding;
    struct str *out = item->fails ? &u->failed : &u->said;
    str_printf(out, "%s: %.*s (%.*s)%s%s\n", severity_name(f->severity), SLICE_ARG(f->title), SLICE_ARG(f->detector),
               item->known ? ", in the baseline" : "", f->status == STATUS_DISMISSED ? ", dismissed" : "");
    if (f->message.len)
        str_printf(out, "  %.*s\n", SLICE_ARG(f->message));
    for (size_t i = 0; i < f->nevidence; i++) {
        struct run run;
        bool has;
        if (!report_run(u->r, row, &f->evidence[i], &u->a, &run, &has, e))
            return false;
        str_addz(out, "  ");
        add_place(out, &f->evidence[i], has ? &run : NULL);
        str_addz(out, ": ");
        str_add_slice(out, f->evidence[i].quote);
        str_addc(out, '\n');
    }
    return true;
}

/* The end of a test case: what failed it, and what else was found. */
static void end_case(struct junit *u, const struct finding_row *worst)
{
    if (!u->failed.len && !u->said.len) {
        str_addz(&u->text, "/>\n");
        return;
    }
    str_addz(&u->text, ">\n");
    if (u->failed.len) {
        str_addz(&u->text, "      <failure");
        attribute(u, "message", worst->finding.title);
        attribute(u, "type", worst->finding.behavior);
        str_addc(&u->text, '>');
        markup_text(&u->text, str_slice(&u->failed));
        str_addz(&u->text, "</failure>\n");
    }
    if (u->said.len) {
        str_addz(&u->text, "      <system-out>");
        markup_text(&u->text, str_slice(&u->said));
        str_addz(&u->text, "</system-out>\n");
    }
    str_addz(&u->text, "    </testcase>\n");
    str_reset(&u->failed);
    str_reset(&u->said);
}

static bool write_run(struct junit *u, const struct run_row *row, struct err *e)
{
    const struct run *run = &row->run;
    struct finding_row finding, worst = {0};
    int64_t from, to;
    for (size_t i = first_of(u, run->id); i < u->others && slice_eq(u->by_run[i]->run, run->id); i++) {
        const struct reported *item = u->by_run[i];
        if (!report_load(u->r, item, &u->a, &finding, e) || !add_finding(u, item, &finding, e))
            return false;
        if (item->fails && !worst.finding.title.ptr)
            worst = finding;
    }
    str_addz(&u->text, "    <testcase");
    attribute(u, "name", run->external_id.len ? run->external_id : run->name.len ? run->name : run->id);
    attribute(u, "classname", run->task_id.len ? run->task_id : u->r->collection.name);
    if (clock_parse(run->started_at, &from) && clock_parse(run->ended_at, &to) && to >= from)
        str_printf(&u->text, " time=\"%.3f\"", (double)(to - from) / 1e6);
    if (run->source.file.len)
        attribute(u, "file", run->source.file);
    uint64_t line = source_line(&run->source);
    if (line)
        str_printf(&u->text, " line=\"%llu\"", (unsigned long long)line);
    end_case(u, &worst);
    return report_print(&u->text, e);
}

static bool write_runs(struct junit *u, struct err *e)
{
    struct arena arenas[2] = {{0}, {0}}; /* a page's cursor must outlive it by one page */
    struct filter filter = FILTER_ANY;
    struct page page = {.limit = PAGE};
    struct run_rows rows;
    bool ok = true;
    filter.collection = u->r->collection.id;
    for (int turn = 0; ok; turn ^= 1) {
        arena_reset(&arenas[turn]);
        if (!(ok = store_runs(u->r->store, &filter, &page, &arenas[turn], &rows, e)))
            break;
        for (size_t i = 0; ok && i < rows.n; i++) {
            arena_reset(&u->a);
            if (!u->r->since || map_get(&u->r->newer, rows.items[i].run.id))
                ok = write_run(u, &rows.items[i], e);
        }
        page.after = rows.end.next;
        if (!page.after.ptr)
            break;
    }
    arena_free(&arenas[0]);
    arena_free(&arenas[1]);
    return ok;
}

/* A finding about a task or the collection is a case of its own. */
static bool write_other(struct junit *u, const struct reported *item, struct err *e)
{
    struct finding_row row;
    arena_reset(&u->a);
    if (!report_load(u->r, item, &u->a, &row, e) || !add_finding(u, item, &row, e))
        return false;
    str_addz(&u->text, "    <testcase");
    attribute(u, "name", arena_printf(&u->a, "%s: %.*s", scope_name(row.finding.scope), SLICE_ARG(row.finding.detector)));
    attribute(u, "classname", row.finding.task_id.len ? row.finding.task_id : u->r->collection.name);
    end_case(u, &row);
    return report_print(&u->text, e);
}

/* How many cases there are, and how many of them fail. */
static void count(const struct junit *u, int64_t *cases, int64_t *failures)
{
    *cases = (u->r->since ? (int64_t)u->r->newer.n : u->r->collection.runs) + (int64_t)(u->n - u->others);
    *failures = 0;
    struct slice counted = SLICE_NONE;
    for (size_t i = 0; i < u->n; i++) {
        const struct reported *item = u->by_run[i];
        if (!item->fails || (item->run.ptr && slice_eq(item->run, counted)))
            continue;
        ++*failures;
        counted = item->run;
    }
}

bool report_junit(struct report *r, struct err *e)
{
    struct junit u = {.r = r, .n = r->n, .text = STR_INIT(REPORT_TEXT), .failed = STR_INIT(REPORT_TEXT), .said = STR_INIT(REPORT_TEXT)};
    int64_t cases, failures;
    u.by_run = arena_array(&r->cli->arena, struct reported *, r->n + 1);
    for (size_t i = 0; i < r->n; i++)
        u.by_run[i] = &r->items[i];
    qsort(u.by_run, u.n, sizeof *u.by_run, by_run);
    while (u.others < u.n && u.by_run[u.others]->run.ptr)
        u.others++;
    count(&u, &cases, &failures);
    str_addz(&u.text, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    str_printf(&u.text, "<testsuites name=\"Telltale\" tests=\"%lld\" failures=\"%lld\">\n  <testsuite", (long long)cases, (long long)failures);
    attribute(&u, "name", r->collection.name);
    str_printf(&u.text, " tests=\"%lld\" failures=\"%lld\" errors=\"0\" skipped=\"0\">\n", (long long)cases, (long long)failures);
    bool ok = report_print(&u.text, e) && write_runs(&u, e);
    for (size_t i = u.others; ok && i < u.n; i++)
        ok = write_other(&u, u.by_run[i], e);
    str_addz(&u.text, "  </testsuite>\n</testsuites>\n");
    ok = ok && report_print(&u.text, e);
    str_free(&u.text);
    str_free(&u.failed);
    str_free(&u.said);
    arena_free(&u.a);
    return ok;
}
