/* The list commands: the filters and pages of the REST calls, all rows unless --limit. */
#include "cli/report.h"
#include "view/access.h"
#include "view/view.h"

#include <stdio.h>

enum { PAGE = 500 };

static const struct column collection_columns[] = {
    {"name", "name", 40, false}, {"runs", "runs", 0, true}, {"bytes", "bytes", 0, true}, {"quota", "quota", 0, false}, {"keep", "keep", 0, false},
    {"passed", "passed", 0, true}, {"failed", "failed", 0, true}, {"flagged", "flagged", 0, true},
    {"tasks", "tasks", 0, true}, {"broken", "broken_tasks", 0, true}, {"findings", "findings", 0, true},
    {"imported", "imported_at", 20, false}, {"id", "id", 0, false}, {0},
};
static const struct column run_columns[] = {
    {"run", "external_id", 28, false}, {"task", "task_id", 24, false}, {"model", "model", 28, false}, {"success", "success", 0, false},
    {"messages", "messages", 0, true}, {"calls", "tool_calls", 0, true}, {"broken", "findings.broken_task", 0, true},
    {"odd", "findings.odd_behavior", 0, true}, {"near", "findings.near_miss", 0, true}, {"first finding", "first_finding.title", 60, false},
    {"id", "id", 0, false}, {0},
};
static const struct column task_columns[] = {
    {"task", "task_id", 28, false}, {"verdict", "verdict", 0, false}, {"runs", "runs", 0, true}, {"passed", "passed", 0, true},
    {"failed", "failed", 0, true}, {"broken", "findings.broken_task", 0, true}, {"odd", "findings.odd_behavior", 0, true},
    {"near", "findings.near_miss", 0, true}, {"why", "best.title", 60, false}, {"words", "best.evidence.0.quote", 60, false},
    {"reasons", "reasons", CSV_ONLY, false}, {0},
};
const struct column finding_columns[] = {
    {"severity", "severity", 0, false}, {"kind", "kind", 0, false}, {"behavior", "behavior", 0, false}, {"task", "task_id", 24, false},
    {"run", "run.external_id", 24, false}, {"title", "title", 56, false}, {"at", "evidence.0.message", 0, true},
    {"words", "evidence.0.quote", 72, false}, {"status", "status", 0, false}, {"detector", "detector", CSV_ONLY, false},
    {"scope", "scope", CSV_ONLY, false}, {"model", "run.model", CSV_ONLY, false}, {"file", "run.source.file", CSV_ONLY, false},
    {"location", "run.source.location", CSV_ONLY, false}, {"part", "evidence.0.part", CSV_ONLY, false}, {"start", "evidence.0.start", CSV_ONLY, false},
    {"end", "evidence.0.end", CSV_ONLY, false}, {"run id", "run.id", CSV_ONLY, false}, {"id", "id", CSV_ONLY, false}, {0},
};

static const struct column incomplete_columns[] = {
    {"run", "external_id", 28, false}, {"detector", "detector", 28, false}, {"reason", "reason", 0, false}, {"id", "run", 0, false}, {0},
};

/* One list: how to get a page of it, and each row as JSON. */
struct list {
    const struct column *columns;
    bool (*page)(struct store *s, const struct filter *f, const struct page *page, struct arena *a, void *rows, struct err *e);
    size_t (*count)(const void *rows);
    void (*view)(struct jsonw *j, const void *rows, size_t i);
    const struct page_end *(*end)(const void *rows);
};

#define LIST(name, rows_type, fetch, draw, table)                                                                              \
    static bool name##_page(struct store *s, const struct filter *f, const struct page *page, struct arena *a, void *rows, struct err *e) \
    {                                                                                                                          \
        return fetch;                                                                                                          \
    }                                                                                                                          \
    static size_t name##_count(const void *rows) { return ((const struct rows_type *)rows)->n; }                              \
    static void name##_view(struct jsonw *j, const void *rows, size_t i) { draw(j, &((const struct rows_type *)rows)->items[i]); } \
    static const struct page_end *name##_end(const void *rows) { return &((const struct rows_type *)rows)->end; }             \
    static const struct list name##_list = {table, name##_page, name##_count, name##_view, name##_end};

LIST(collection, collection_rows, ((void)f, store_collections(s, page, a, rows, e)), view_collection, collection_columns)
LIST(run, run_rows, store_runs(s, f, page, a, rows, e), view_run, run_columns)
LIST(task, task_rows, store_tasks(s, f, page, a, rows, e), view_task, task_columns)
LIST(finding, finding_rows, store_findings(s, f, page, a, rows, e), view_finding, finding_columns)
LIST(incomplete, incomplete_rows, store_incomplete(s, f, page, a, rows, e), view_incomplete, incomplete_columns)

static bool print_pages(struct cli *cli, struct store *store, const struct list *list, const struct filter *filter, struct slice more,
                        struct err *e)
{
    union { struct collection_rows c; struct run_rows r; struct task_rows t; struct finding_rows f; struct incomplete_rows i; } page_rows;
    int64_t left = cli_number(cli, "limit", INT64_MAX);
    struct rows rows = rows_start(cli, list->columns);
    struct arena arenas[2] = {{0}, {0}}; /* a page's cursor must outlive it by one page */
    struct page page = {.sort = slice_str(cli_option(cli, "sort"))};
    bool ok = true;
    for (int turn = 0; ok && left > 0 && !atomic_load(&cli_stop); turn ^= 1) {
        page.limit = left < PAGE ? (uint32_t)left : PAGE;
        arena_reset(&arenas[turn]);
        if (!(ok = list->page(store, filter, &page, &arenas[turn], &page_rows, e)))
            break;
        size_t n = list->count(&page_rows);
        for (size_t i = 0; i < n; i++) {
            list->view(rows_next(&rows), &page_rows, i);
            rows_add(&rows);
        }
        left -= (int64_t)n;
        page.after = list->end(&page_rows)->next;
        if (!page.after.ptr)
            break;
    }
    if (ok && atomic_load(&cli_stop))
        ok = err_set(e, ERR_CANCELLED, "stopped before the end of the list");
    if (ok)
        rows_end(&rows, more);
    else
        rows_drop(&rows);
    arena_free(&arenas[0]);
    arena_free(&arenas[1]);
    return ok;
}

static int list_rows(struct cli *cli, const struct list *list)
{
    struct err e = {0};
    struct store *store = NULL;
    struct filter filter = FILTER_ANY;
    struct collection_row collection;
    bool ok = cli_open(cli, STORE_READ, &store, &e);
    if (ok && list != &collection_list)
        ok = cli_collection(cli, store, &collection, &e) && cli_filter(cli, collection.id, &filter, &e);
    ok = ok && print_pages(cli, store, list, &filter, SLICE_NONE, &e);
    store_close(store);
    return ok ? 0 : cli_fail(&e);
}

/* Findings in one of the forms for other programs and for reading, which show rules beside them. */
static bool report_findings(struct cli *cli, struct store *store, const struct collection_row *collection, const struct filter *filter, struct err *e)
{
    struct report report = {.cli = cli, .store = store, .collection = *collection};
    struct report_request request = {
        .filter = filter, .partial = true, .sort = slice_str(cli_option(cli, "sort")), .limit = cli_number(cli, "limit", INT64_MAX)};
    struct ruleset *rules = NULL;
    bool ok = cli_rules(cli, store, collection->name, &rules, e);
    report.rules = rules;
    ok = ok && report_gather(&report, &request, e) && report_write(&report, e);
    ruleset_unref(rules);
    return ok;
}

int cmd_findings(struct cli *cli)
{
    struct err e = {0};
    struct store *store = NULL;
    struct filter filter;
    struct collection_row collection;
    if (!cli->report)
        return list_rows(cli, &finding_list);
    bool ok = cli_open(cli, STORE_READ, &store, &e) && cli_collection(cli, store, &collection, &e) &&
              cli_filter(cli, collection.id, &filter, &e) && report_findings(cli, store, &collection, &filter, &e);
    store_close(store);
    return ok ? 0 : cli_fail(&e);
}

/* An empty one: tokens and webhooks may be bound to it before anything is in it. */
static bool add_collection(struct cli *cli, struct store *store, struct collection_row *out, struct err *e)
{
    const struct collection_row wanted = {.name = slice_trim(slice_str(cli->args[1]))};
    cli->actor.target = wanted.name;
    return store_collection_add(store, &wanted, &cli->arena, out, e);
}

static bool set_limit(struct cli *cli, struct store *store, struct collection_row *out, struct err *e)
{
    struct collection_row wanted = {0};
    if (strcmp(cli->args[0], "quota") == 0)
        wanted.quota = slice_str(cli->args[2]);
    else
        wanted.keep = slice_str(strcmp(cli->args[2], "server") == 0 ? "" : cli->args[2]);
    struct slice name = slice_str(cli->args[1]);
    cli->actor.target = name;
    cli->actor.detail = view_collection_detail(&cli->arena, &wanted);
    return store_collection_change(store, name, &wanted, e) && store_collection(store, name, &cli->arena, out, e);
}

static int change_collection(struct cli *cli, bool (*change)(struct cli *cli, struct store *store, struct collection_row *out, struct err *e))
{
    struct err e = {0};
    struct store *store = NULL;
    struct collection_row row;
    bool ok = cli_open(cli, STORE_WRITE, &store, &e) && change(cli, store, &row, &e);
    store_close(store);
    if (ok) {
        struct rows rows = rows_start(cli, collection_columns);
        view_collection(rows_next(&rows), &row);
        rows_add(&rows);
        rows_end(&rows, SLICE_NONE);
    }
    return ok ? 0 : cli_fail(&e);
}

int cmd_collections(struct cli *cli)
{
    struct err e = {0};
    if (!cli->nargs)
        return list_rows(cli, &collection_list);
    if (cli->nargs == 2 && strcmp(cli->args[0], "add") == 0)
        return change_collection(cli, add_collection);
    if (cli->nargs == 3 && (strcmp(cli->args[0], "quota") == 0 || strcmp(cli->args[0], "keep") == 0))
        return change_collection(cli, set_limit);
    err_set(&e, ERR_USAGE, "telltale collections lists them, telltale collections add NAME makes an empty one, telltale collections quota NAME "
            "5000runs,10GB says how much one may have, telltale collections keep NAME 90d how long it keeps its runs");
    return cli_fail(&e);
}
int cmd_runs(struct cli *cli) { return list_rows(cli, &run_list); }
int cmd_tasks(struct cli *cli) { return list_rows(cli, &task_list); }
int cmd_incomplete(struct cli *cli) { return list_rows(cli, &incomplete_list); }
