#include "cli/report.h"
#include "ingest/ingest.h"
#include "view/view.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static bool only_list(struct cli *cli, struct slices *out)
{
    const char *only = cli_option(cli, "only");
    while (only && *only) {
        size_t n = strcspn(only, ",");
        if (n) {
            out->items = arena_grow(&cli->arena, out->items, out->n, &out->cap, sizeof *out->items);
            out->items[out->n++] = slice_of(only, n);
        }
        only += n + (only[n] == ',');
    }
    return out->n > 0;
}

/* What the reports call a scan of files: what -c says, or the one file or folder. */
static struct slice scan_name(const struct cli *cli)
{
    if (cli_option(cli, "collection"))
        return slice_str(cli_option(cli, "collection"));
    struct slice path = slice_str(cli->nargs == 1 ? cli->args[0] : "");
    while (slice_ends(path, "/"))
        path.len--;
    size_t at = path.len;
    while (at && path.ptr[at - 1] != '/')
        at--;
    struct slice name = slice_sub(path, at, path.len);
    return !name.len || slice_is(name, ".") || slice_is(name, "..") || slice_is(name, "-") ? slice_str("scan") : name;
}

/* How much was read; files without a run are no ground to say that nothing was found. */
static bool tell_read(const struct cli *cli, const struct ingest_report *report, struct err *e)
{
    uint64_t runs = 0;
    for (size_t i = 0; i < PUT_OUTCOMES; i++)
        runs += report->runs[i];
    bool refused = report->rejected || report->files_failed;
    if (!runs && !refused)
        return err_set(e, ERR_NOT_FOUND, "0 runs read: there is no transcript in these %llu files", (unsigned long long)report->files_total);
    if (!cli->quiet || !runs)
        fprintf(stderr, "%llu runs of %llu files read\n", (unsigned long long)runs, (unsigned long long)report->files_total);
    return true;
}

/* Files with no database kept: a database in a temporary folder that goes when the findings are printed. */
static bool import_paths(struct cli *cli, const char *db, const struct ruleset *rules, int jobs, struct collection_row *collection, bool *refused,
                         struct err *e)
{
    struct source_files files = {0};
    for (size_t i = 0; i < cli->nargs; i++)
        if (!source_walk(&cli->arena, cli->args[i], &files, e))
            return false;
    struct store *store;
    if (!store_open(db, STORE_WRITE, &store, e))
        return false;
    struct secrets *secrets = NULL;
    bool ok = store_collection_want(store, collection->name, &cli->arena, collection, e) && cli_secrets(cli, &secrets, e);
    store_close(store);
    const struct ingest_options o = {.db = db, .collection = collection->id, .rules = rules, .secrets = secrets, .replace = true, .jobs = jobs, .cancel = &cli_stop};
    struct ingest_report report;
    ok = ok && ingest_files(&o, &files, &cli->arena, &report, e);
    secrets_unref(secrets);
    *refused = ok && (report.rejected || report.files_failed);
    for (size_t i = 0; ok && i < report.nerrors; i++) {
        const struct ingest_error *x = &report.errors[i];
        fprintf(stderr, "%.*s%s%.*s: %.*s\n", SLICE_ARG(x->source), x->location.len ? ", " : "", SLICE_ARG(x->location), SLICE_ARG(x->message));
    }
    return ok && tell_read(cli, &report, e);
}

static bool rescan(struct cli *cli, const char *db, const struct ruleset *rules, const struct slices *only, int jobs,
                   const struct collection_row *collection, struct err *e)
{
    const struct scan_options o = {.db = db, .collection = collection->id, .rules = rules, .only = only->items, .nonly = only->n, .jobs = jobs,
                                   .cancel = &cli_stop};
    struct scan_report report;
    if (!ingest_scan(&o, &report, e))
        return false;
    if (!cli->quiet)
        fprintf(stderr, "%llu runs and %llu tasks looked at in %.2f s, %llu changed\n", (unsigned long long)report.runs,
                (unsigned long long)report.tasks, report.seconds, (unsigned long long)report.changed);
    return true;
}

/* What detectors could not finish: as a member of the JSON object (*more), and the first ones on stderr. */
static bool tell_incomplete(struct cli *cli, struct store *store, const struct filter *filter, struct slice *more, struct err *e)
{
    enum { SHOWN = 10, TEXT_BYTES = 64 << 20 };
    struct incomplete_rows rows;
    struct page page = {.limit = 1000};
    struct str text = STR_INIT(TEXT_BYTES);
    struct jsonw j = jsonw_to(&text);
    bool ok = true, first = true;
    str_addz(&text, "\"incomplete\":");
    jsonw_array(&j);
    do {
        ok = store_incomplete(store, filter, &page, &cli->arena, &rows, e);
        for (size_t i = 0; ok && i < rows.n; i++)
            view_incomplete(&j, &rows.items[i]);
        for (size_t i = 0; ok && first && i < rows.n && i < SHOWN; i++)
            fprintf(stderr, "incomplete: run %.*s, detector %.*s: %.*s\n",
                    SLICE_ARG(rows.items[i].external_id.ptr ? rows.items[i].external_id : rows.items[i].run), SLICE_ARG(rows.items[i].detector),
                    SLICE_ARG(rows.items[i].reason));
        if (ok && first && rows.end.total > SHOWN)
            fprintf(stderr, "incomplete: %lld more\n", (long long)rows.end.total - SHOWN);
        first = false;
        page.after = rows.end.next;
    } while (ok && page.after.ptr && cli->output == OUTPUT_JSON);
    jsonw_end(&j);
    if (ok && text.full)
        ok = err_set(e, ERR_TOO_LARGE, "what detectors could not finish takes more than %d MB of JSON", TEXT_BYTES >> 20);
    *more = arena_dup(&cli->arena, str_slice(&text));
    str_free(&text);
    return ok;
}

/* Prints the findings; *failed: some fail the scan. */
static bool print(struct cli *cli, const char *db, const struct ruleset *rules, const struct collection_row *collection, const struct filter *filter,
                  bool *failed, struct err *e)
{
    struct report report = {.cli = cli, .collection = *collection, .rules = rules};
    const struct report_request request = {
        .filter = filter,
        .fail_on = cli_option(cli, "fail-on"),
        .baseline = cli_option(cli, "baseline"),
        .write_baseline = cli_option(cli, "write-baseline"),
        .changed_since = cli_option(cli, "changed-since"),
        .of_files = cli->nargs > 0,
        .partial = filter->detector.ptr != NULL,
        .limit = INT64_MAX,
    };
    if (!store_open(db, STORE_READ, &report.store, e))
        return false;
    bool ok = tell_incomplete(cli, report.store, filter, &report.more, e) && report_gather(&report, &request, e) && report_write(&report, e);
    *failed = report.failing > 0;
    store_close(report.store);
    return ok;
}

static void remove_database(struct arena *a, const char *folder)
{
    static const char *const names[] = {"scan.db", "scan.db-wal", "scan.db-shm", "scan.db.lock"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlink(arena_printf(a, "%s/%s", folder, names[i]).ptr);
    rmdir(folder);
}

int cmd_scan(struct cli *cli)
{
    struct err e = {0};
    struct ruleset *all = NULL, *rules = NULL;
    struct slices only = {0};
    struct collection_row collection = {0};
    struct filter filter = FILTER_ANY;
    const char *fail_on = cli_option(cli, "fail-on"), *db = cli->db;
    char *folder = NULL;
    enum severity level;
    int jobs = (int)cli_number(cli, "jobs", 0);
    bool failed = false, refused = false, ok = true;
    if (cli_option(cli, "only") && !only_list(cli, &only))
        ok = err_set(&e, ERR_USAGE, "--only names no detector; telltale rules list names them");
    if (ok && fail_on && !severity_parse(slice_str(fail_on), &level))
        ok = err_set(&e, ERR_USAGE, "--fail-on is low, medium or high, not '%s'", fail_on);
    if (ok && !cli->nargs) {
        struct store *store;
        ok = cli_open(cli, STORE_WRITE, &store, &e);
        if (ok) {
            ok = cli_collection(cli, store, &collection, &e) && cli_rules(cli, store, collection.name, &all, &e);
            store_close(store);
        }
    } else if (ok) {
        collection.name = scan_name(cli);
        ok = cli_rules(cli, NULL, collection.name, &all, &e);
    }
    if (ok && cli->nproblems && (fail_on || cli_flag(cli, "strict")))
        ok = err_set(&e, ERR_USAGE, "nothing was scanned: the rules or settings have problems (%zu)", cli->nproblems);
    if (ok)
        ok = only.n ? ruleset_only(all, only.items, only.n, &rules, &e) : (rules = ruleset_ref(all), true);
    if (ok && cli->nargs) {
        const char *tmp = getenv("TMPDIR");
        folder = arena_strdup(&cli->arena, arena_printf(&cli->arena, "%s/telltale-scan-XXXXXX", tmp && *tmp ? tmp : "/tmp"));
        ok = mkdtemp(folder) || err_errno(&e, "cannot make a temporary folder %s", folder);
        db = arena_printf(&cli->arena, "%s/scan.db", folder).ptr;
        ok = ok && import_paths(cli, db, rules, jobs, &collection, &refused, &e);
    } else if (ok) {
        ok = rescan(cli, db, rules, &only, jobs, &collection, &e);
    }
    filter.collection = ok ? collection.id : SLICE_NONE;
    for (size_t i = 0; i < only.n; i++)
        filter.detector = arena_printf(&cli->arena, "%.*s%s%.*s", SLICE_ARG(filter.detector), i ? "," : "", SLICE_ARG(only.items[i]));
    ok = ok && print(cli, db, rules, &collection, &filter, &failed, &e);
    if (folder)
        remove_database(&cli->arena, folder);
    ruleset_unref(rules);
    ruleset_unref(all);
    return ok ? failed || refused : cli_fail(&e);
}
