/* One page without script, network or anything beside it, to keep with the build: what was found, by kind and behaviour, with the words in
 * their context, and the runs. */
#include "base/base64.h"
#include "base/embed.h"
#include "base/hash.h"
#include "base/markup.h"
#include "cli/report.h"

#include <stdlib.h>

enum {
    CONTEXT_BYTES = 240,   /* before and after the words */
    QUOTE_BYTES = 4000,
    FINDINGS_SHOWN = 200,  /* of one behaviour */
    RUNS_SHOWN = 1000,
    PAGE = 200,
};

static const struct { const char *title, *about; } kinds[KIND_COUNT] = {
    [KIND_BROKEN_TASK] = {"Broken tasks", "the task, not the agent, is at fault"},
    [KIND_ODD_BEHAVIOR] = {"Odd behaviour", "what the agent did that nobody would want"},
    [KIND_NEAR_MISS] = {"Near misses", "failed, but close"},
    [KIND_HARNESS] = {"Harness", "the scaffold is at fault"},
    [KIND_DATA] = {"Data", "the transcript itself is malformed"},
};

struct group {
    struct slice behavior;
    enum kind kind;
    size_t n, severe[3];
};

struct page_writer {
    const struct report *r;
    struct str text;
    struct arena a;        /* of one finding or page of runs */
};

static void put(struct page_writer *w, const char *markup) { str_addz(&w->text, markup); }
static void put_text(struct page_writer *w, struct slice s) { markup_text(&w->text, s); }

/* ---- head ------------------------------------------------------------------------------------------------------------ */

static void write_head(struct page_writer *w)
{
    struct slice style = embedded_find("report/report.css")->bytes;
    unsigned char hash[SHA256_SIZE];
    sha256_of(style, hash);
    put(w, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
           "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'sha256-");
    base64_add(&w->text, slice_of((const char *)hash, sizeof hash));
    put(w, "'\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"referrer\" content=\"no-referrer\">\n<title>");
    put_text(w, w->r->collection.name);
    put(w, " · Telltale</title>\n<style>");
    str_add_slice(&w->text, style);
    put(w, "</style>\n</head>\n<body>\n<main>\n<header>\n<p>Telltale</p>\n<h1>");
    put_text(w, w->r->collection.name);
    put(w, "</h1>\n");
}

static void write_fact(struct page_writer *w, const char *name, int64_t n)
{
    str_printf(&w->text, "<div><dt>%s</dt><dd>%lld</dd></div>\n", name, (long long)n);
}

static void write_summary(struct page_writer *w, const char *fail_on)
{
    const struct report *r = w->r;
    size_t known = 0, severe[3] = {0};
    for (size_t i = 0; i < r->n; i++) {
        known += r->items[i].known;
        severe[r->items[i].severity]++;
    }
    str_printf(&w->text, "<p>%zu %s%s</p>\n", r->n, r->n == 1 ? "finding" : "findings", r->since ? " of the newer runs" : "");
    if (fail_on)
        str_printf(&w->text, "<p class=\"gate %s\">%s%zu %s%s of severity %s%s</p>\n", r->failing ? "bad" : "good", r->failing ? "✗ Fails: " : "✓ Passes: ",
                   r->failing, r->has_baseline ? "new " : "", r->failing == 1 ? "finding" : "findings", fail_on, strcmp(fail_on, "high") == 0 ? "" : " or over");
    put(w, "</header>\n<dl class=\"facts\">\n");
    write_fact(w, "runs", r->since ? (int64_t)r->newer.n : r->collection.runs);
    if (!r->since) {
        write_fact(w, "passed", r->collection.passed);
        write_fact(w, "failed", r->collection.failed);
        write_fact(w, "tasks", r->collection.tasks);
        write_fact(w, "broken tasks", r->collection.broken_tasks);
    }
    for (int i = 3; i-- > 0;)
        write_fact(w, severity_name((enum severity)i), (int64_t)severe[i]);
    if (r->has_baseline)
        write_fact(w, "in the baseline", (int64_t)known);
    put(w, "</dl>\n");
}

/* ---- findings -------------------------------------------------------------------------------------------------------- */

/* The text of the part that evidence stands in; absent where it cannot be had any more. */
static bool part_text(struct page_writer *w, const struct evidence *ev, struct slice *out, struct err *e)
{
    struct message *messages;
    size_t n;
    uint32_t total;
    struct err why = {0};
    *out = SLICE_NONE;
    if (ev->message < 0 || ev->transcript < 0)
        return true;
    if (!store_messages(w->r->store, ev->run, ev->transcript, (uint32_t)ev->message, 1, &w->a, &messages, &n, &total, &why))
        return why.code == ERR_NOT_FOUND || err_set(e, why.code, "%s", why.text);
    if (n) {
        struct run none;
        run_init(&none);
        *out = run_part(&none, &messages[0], ev->part);
    }
    return true;
}

/* The words, and a little of what stands around them. */
static void write_quote(struct page_writer *w, const struct evidence *ev, struct slice part)
{
    struct slice quote = slice_cut(ev->quote, QUOTE_BYTES);
    bool stands = ev->end <= part.len && ev->start <= ev->end && slice_eq(slice_sub(part, ev->start, ev->end - ev->start), ev->quote);
    put(w, "<pre tabindex=\"0\">"); /* it scrolls: the keyboard must reach it */
    if (stands) {
        size_t from = ev->start > CONTEXT_BYTES ? ev->start - CONTEXT_BYTES : 0;
        while (from < ev->start && ((unsigned char)part.ptr[from] & 0xc0) == 0x80)
            from++;
        put(w, from ? "…" : "");
        put_text(w, slice_sub(part, from, ev->start - from));
    }
    put(w, "<mark>");
    put_text(w, quote);
    put(w, quote.len < ev->quote.len ? "…</mark>" : "</mark>");
    if (stands && quote.len == ev->quote.len) {
        struct slice rest = slice_sub(part, ev->end, part.len), after = slice_cut(rest, CONTEXT_BYTES);
        put_text(w, after);
        put(w, after.len < rest.len ? "…" : "");
    }
    put(w, "</pre>\n");
}

static void write_run_line(struct page_writer *w, const struct run *run)
{
    static const char *const outcome[] = {[VERDICT_FAILED] = "failed", [VERDICT_PASSED] = "passed", [VERDICT_UNKNOWN] = NULL};
    put(w, "<p class=\"where\">run ");
    put_text(w, run->external_id.len ? run->external_id : run->id);
    if (run->task_id.len && !slice_eq(run->task_id, run->external_id)) {
        put(w, " · task ");
        put_text(w, run->task_id);
    }
    if (run->model.len) {
        put(w, " · ");
        put_text(w, run->model);
    }
    if (outcome[run->success])
        str_printf(&w->text, " · %s", outcome[run->success]);
    if (run->source.file.len) {
        put(w, " · ");
        put_text(w, run->source.file);
    }
    if (run->source.location.len && !slice_eq(run->source.location, run->external_id)) {
        put(w, " ");
        put_text(w, run->source.location);
    }
    put(w, "</p>\n");
}

static bool write_finding(struct page_writer *w, const struct reported *item, struct err *e)
{
    struct finding_row row;
    arena_reset(&w->a);
    if (!report_load(w->r, item, &w->a, &row, e))
        return false;
    const struct finding *f = &row.finding;
    str_printf(&w->text, "<article>\n<h3><span class=\"chip %s\">%s</span>", severity_name(f->severity), severity_name(f->severity));
    if (w->r->has_baseline)
        put(w, item->known ? "<span class=\"chip\">in the baseline</span>" : "<span class=\"chip\">new</span>");
    if (f->status != STATUS_OPEN)
        str_printf(&w->text, "<span class=\"chip\">%s</span>", status_name(f->status));
    put_text(w, f->title);
    put(w, "</h3>\n");
    if (row.has_run) {
        write_run_line(w, &row.run);
    } else if (f->task_id.len) {
        put(w, "<p class=\"where\">task ");
        put_text(w, f->task_id);
        put(w, "</p>\n");
    }
    if (f->message.len) {
        put(w, "<p>");
        put_text(w, f->message);
        put(w, "</p>\n");
    }
    struct str place = STR_INIT(REPORT_TEXT);
    bool ok = true, has;
    for (size_t i = 0; ok && i < f->nevidence; i++) {
        struct slice part;
        struct run run;
        ok = report_run(w->r, &row, &f->evidence[i], &w->a, &run, &has, e) && part_text(w, &f->evidence[i], &part, e);
        if (!ok)
            break;
        str_reset(&place);
        add_place(&place, &f->evidence[i], has ? &run : NULL);
        put(w, "<figure><figcaption>");
        put_text(w, str_slice(&place));
        put(w, "</figcaption>");
        write_quote(w, &f->evidence[i], part);
        put(w, "</figure>\n");
    }
    str_free(&place);
    put(w, "</article>\n");
    return ok && report_print(&w->text, e);
}

static bool write_group(struct page_writer *w, const struct group *group, struct err *e)
{
    const struct behavior *behavior = behavior_find(group->behavior);
    put(w, "<details");
    put(w, group->n <= 5 ? " open><summary><b>" : "><summary><b>");
    put_text(w, group->behavior);
    put(w, "</b> <small>");
    put(w, behavior ? behavior->seen_when : "");
    put(w, "</small><span class=\"n\">");
    static const char *const names[] = {"low", "medium", "high"};
    const char *between = "";
    for (int i = 3; i-- > 0;)
        if (group->severe[i]) {
            str_printf(&w->text, "%s%zu %s", between, group->severe[i], names[i]);
            between = ", ";
        }
    put(w, "</span></summary>\n");
    size_t shown = 0;
    bool ok = true;
    for (size_t i = 0; ok && i < w->r->n && shown < FINDINGS_SHOWN; i++) {
        const struct reported *item = &w->r->items[i];
        if (item->kind != group->kind || !slice_eq(item->behavior, group->behavior))
            continue;
        ok = write_finding(w, item, e);
        shown++;
    }
    if (shown < group->n)
        str_printf(&w->text, "<p class=\"more\">and %zu more</p>\n", group->n - shown);
    put(w, "</details>\n");
    return ok && report_print(&w->text, e);
}

static int by_kind(const void *a, const void *b)
{
    const struct group *x = a, *y = b;
    int order = (x->kind > y->kind) - (x->kind < y->kind);
    order = order ? order : (x->n < y->n) - (x->n > y->n);
    return order ? order : slice_cmp(x->behavior, y->behavior);
}

static bool write_findings(struct page_writer *w, struct err *e)
{
    const struct report *r = w->r;
    struct arena a = {0};
    struct map seen = {0};
    struct group *groups = NULL;
    size_t n = 0, cap = 0;
    for (size_t i = 0; i < r->n; i++) {
        const struct reported *item = &r->items[i];
        struct slice key = arena_printf(&a, "%d %.*s", (int)item->kind, SLICE_ARG(item->behavior));
        size_t at = map_put(&a, &seen, key, n + 1) - 1;
        if (at == n) {
            groups = arena_grow(&a, groups, n, &cap, sizeof *groups);
            groups[n++] = (struct group){.behavior = item->behavior, .kind = item->kind};
        }
        groups[at].n++;
        groups[at].severe[item->severity]++;
    }
    if (n)
        qsort(groups, n, sizeof *groups, by_kind);
    else
        put(w, "<p class=\"none\">Nothing was found.</p>\n");
    bool ok = true;
    for (size_t i = 0; ok && i < n; i++) {
        const struct group *group = &groups[i];
        if (!i || group->kind != groups[i - 1].kind)
            str_printf(&w->text, "%s<section class=\"%s\">\n<h2 class=\"%s\"><span class=\"mark\"></span>%s <small>%s</small></h2>\n", i ? "</section>\n" : "",
                       kind_name(group->kind), kind_name(group->kind), kinds[group->kind].title, kinds[group->kind].about);
        ok = write_group(w, group, e);
    }
    if (n)
        put(w, "</section>\n");
    arena_free(&a);
    return ok;
}

/* ---- runs ------------------------------------------------------------------------------------------------------------ */

static void cell(struct page_writer *w, const char *tag, struct slice s)
{
    str_printf(&w->text, "<%s>", tag);
    put_text(w, s);
    str_printf(&w->text, "</%.2s>", tag);
}

static void write_run(struct page_writer *w, const struct run_row *row, size_t findings)
{
    static const char *const outcome[] = {[VERDICT_FAILED] = "failed", [VERDICT_PASSED] = "passed", [VERDICT_UNKNOWN] = "unknown"};
    const struct run *run = &row->run;
    put(w, "<tr>");
    cell(w, "th scope=\"row\"", run->external_id.len ? run->external_id : run->id);
    cell(w, "td", run->task_id);
    cell(w, "td", run->model);
    cell(w, "td", slice_str(outcome[run->success]));
    str_printf(&w->text, "<td class=\"number\">%u</td><td class=\"number\">%zu</td></tr>\n", row->messages, findings);
}

/* The newest runs that have findings of their own. */
static bool write_runs(struct page_writer *w, struct err *e)
{
    const struct report *r = w->r;
    struct arena arenas[2] = {{0}, {0}}, a = {0}; /* a page's cursor must outlive it by one page */
    struct map counts = {0};
    struct filter filter = FILTER_ANY;
    struct page page = {.limit = PAGE};
    struct run_rows rows;
    bool ok = true;
    size_t shown = 0;
    for (size_t i = 0; i < r->n; i++)
        if (r->items[i].run.ptr)
            map_set(&a, &counts, r->items[i].run, map_get(&counts, r->items[i].run) + 1);
    filter.collection = r->collection.id;
    filter.has_findings = counts.n ? 1 : 0;
    if (counts.n)
        put(w, "<h2>Runs with findings</h2>\n<div class=\"table\" tabindex=\"0\" role=\"region\" aria-label=\"Runs with findings\"><table>\n<thead><tr><th>run</th><th>task</th>"
               "<th>model</th><th>outcome</th><th class=\"number\">messages</th><th class=\"number\">findings</th></tr></thead>\n<tbody>\n");
    for (int turn = 0; ok && counts.n && shown < RUNS_SHOWN; turn ^= 1) {
        arena_reset(&arenas[turn]);
        if (!(ok = store_runs(r->store, &filter, &page, &arenas[turn], &rows, e)))
            break;
        for (size_t i = 0; i < rows.n && shown < RUNS_SHOWN; i++) {
            size_t findings = map_get(&counts, rows.items[i].run.id);
            if (findings)
                write_run(w, &rows.items[i], findings);
            shown += findings > 0;
        }
        ok = report_print(&w->text, e);
        page.after = rows.end.next;
        if (!page.after.ptr)
            break;
    }
    if (counts.n)
        put(w, "</tbody>\n</table></div>\n");
    if (shown == RUNS_SHOWN && shown < counts.n)
        str_printf(&w->text, "<p class=\"none\">and %zu more</p>\n", counts.n - shown);
    arena_free(&arenas[0]);
    arena_free(&arenas[1]);
    arena_free(&a);
    return ok;
}

bool report_html(struct report *r, struct err *e)
{
    struct page_writer w = {.r = r, .text = STR_INIT(REPORT_TEXT)};
    write_head(&w);
    write_summary(&w, cli_option(r->cli, "fail-on"));
    bool ok = write_findings(&w, e) && write_runs(&w, e);
    put(&w, "<footer>Each finding rests on the words marked. What a rule cannot tell is said by <code>telltale rules show ID</code>.</footer>\n"
            "</main>\n</body>\n</html>\n");
    ok = ok && report_print(&w.text, e);
    str_free(&w.text);
    arena_free(&w.a);
    return ok;
}
