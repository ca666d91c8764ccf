#include "base/clock.h"
#include "base/temp.h"
#include "cli/import.h"
#include "ingest/companions.h"
#include "ingest/fmt_csv.h"
#include "storage/care.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* ---- what to read ---------------------------------------------------------------------------------------------------- */

/* stdin goes to a temporary file: a format is recognised, and a zip unpacked, by looking at more than once. */
static bool spool_stdin(struct cli *cli, struct source_files *files, struct err *e)
{
    static char buffer[1 << 16];
    uint64_t size = 0;
    ssize_t n = 0;
    const int fd = temp_file(e); /* open until the program ends */
    bool ok = fd >= 0;
    while (ok && ((n = read(STDIN_FILENO, buffer, sizeof buffer)) > 0 || (n < 0 && errno == EINTR))) {
        ok = n < 0 || temp_write(fd, buffer, (size_t)n, e);
        size += n > 0 ? (uint64_t)n : 0;
        if (atomic_load(&cli_stop))
            ok = err_set(e, ERR_CANCELLED, "cancelled while reading stdin");
    }
    if (!ok || (n < 0 && !err_errno(e, "cannot read stdin")))
        return false;
    files->items = arena_grow(&cli->arena, files->items, files->n, &files->cap, sizeof *files->items);
    files->items[files->n++] = (struct source_file){
        .path = arena_printf(&cli->arena, "/proc/self/fd/%d", fd).ptr, .name = slice_str("-"), .identity = slice_str("stdin"), .size = size};
    return true;
}

static bool list_files(struct cli *cli, struct source_files *files, bool *from_stdin, struct err *e)
{
    for (size_t i = 0; i < cli->nargs; i++) {
        bool is_stdin = strcmp(cli->args[i], "-") == 0;
        if (is_stdin ? !*from_stdin && !spool_stdin(cli, files, e) : !source_walk(&cli->arena, cli->args[i], files, e))
            return false;
        *from_stdin |= is_stdin;
    }
    return true;
}

/* The name of a collection that nobody named: that of the one file or folder, without its ending. */
static bool name_collection(struct cli *cli, struct slice *name, struct err *e)
{
    const char *given = cli_option(cli, "collection");
    if (given) {
        *name = slice_trim(slice_str(given));
        return name->len || err_set(e, ERR_USAGE, "the name of a collection cannot be empty");
    }
    if (cli->nargs != 1 || strcmp(cli->args[0], "-") == 0)
        return err_set(e, ERR_USAGE, "%s: name the collection with -c", cli->nargs == 1 ? "stdin has no name" : "several paths");
    char *real = realpath(cli->args[0], NULL);
    if (!real)
        return err_errno(e, "cannot open %s", cli->args[0]);
    struct stat st;
    const char *base = strrchr(real, '/') + 1;
    *name = arena_dup(&cli->arena, slice_str(base));
    if (stat(real, &st) == 0 && S_ISREG(st.st_mode)) {
        static const char *const endings[] = {".gz", ".zst", ".tar", ".zip", ".tgz", ".jsonl", ".json", ".eval", ".traj", ".ndjson"};
        for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
            if (slice_ends(*name, endings[i]) && name->len > strlen(endings[i]))
                name->len -= strlen(endings[i]);
    }
    free(real);
    return name->len || err_set(e, ERR_USAGE, "%s gives no name for a collection; name it with -c", cli->args[0]);
}

/* Finds or makes the collection. `row` is absent (false in *exists) in a dry run of one that there is not. */
static bool get_collection(struct cli *cli, bool dry_run, struct collection_row *row, bool *exists, bool *is_new, struct err *e)
{
    struct slice name;
    struct store *store;
    *exists = *is_new = false;
    if (!name_collection(cli, &name, e))
        return false;
    if (dry_run)
        return true;
    if (!cli_open(cli, STORE_WRITE, &store, e))
        return false;
    struct err why = {0};
    bool ok = store_collection(store, name, &cli->arena, row, &why);
    if (!ok && why.code == ERR_NOT_FOUND) {
        const struct collection_row wanted = {.name = name};
        ok = store_collection_add(store, &wanted, &cli->arena, row, e);
        *is_new = ok;
    } else if (!ok) {
        *e = why;
    }
    *exists = ok;
    store_close(store);
    return ok;
}

static bool get_rules(struct cli *cli, bool dry_run, struct slice collection, struct ruleset **out, struct err *e)
{
    struct store *store = NULL;
    bool ok = (dry_run || cli_open(cli, STORE_READ, &store, e)) && cli_rules(cli, store, collection, out, e);
    store_close(store);
    return ok;
}

/* ---- one import, or one after the other -------------------------------------------------------------------------------- */

struct importing {
    struct cli *cli;
    struct ingest_options options;
    struct collection_row collection;
    bool exists;               /* false: a dry run without a collection */
    struct progress progress;
};

static bool import_files(struct importing *x, struct source_files *files, struct arena *a, struct ingest_report *report, struct err *e)
{
    progress_begin(&x->progress, x->cli->quiet);
    bool ok = ingest_files(&x->options, files, a, report, e);
    progress_end(&x->progress);
    struct store *store;
    if (!ok || !x->options.collection_is_new)
        return ok;
    x->options.collection_is_new = false; /* an export's header may have given it another id */
    if (!cli_open(x->cli, STORE_READ, &store, e))
        return false;
    ok = store_collection(store, x->collection.name, &x->cli->arena, &x->collection, e);
    store_close(store);
    return ok;
}

static void show_report(const struct importing *x, const struct ingest_report *report)
{
    if (x->cli->output != OUTPUT_JSON && x->cli->output != OUTPUT_JSONL) {
        import_print(report, x->exists ? x->collection.name : slice_str("dry run, nothing stored"));
        return;
    }
    struct str text = STR_INIT(64 << 20);
    struct jsonw j = jsonw_to(&text);
    ingest_report_json(&j, x->exists ? &x->collection : NULL, report);
    fwrite(text.ptr, 1, text.len, stdout);
    putchar('\n');
    str_free(&text);
}

enum { LOOK_EVERY_MS = 1000, STEP_MS = 100 };

/* What is new or changed since the last look. A file that was written to within the last second is left to the next look, unless it was
 * left out so `PATIENCE` times: a log that never rests. */
static bool find_changed(struct source_files *now, const struct source_files *before, int64_t clock_ns)
{
    enum { SECOND = 1000000000, PATIENCE = 10 };
    bool any = false;
    for (size_t i = 0, k = 0; i < now->n; i++) {
        struct source_file *file = now->sorted[i];
        while (k < before->n && slice_cmp(before->sorted[k]->name, file->name) < 0)
            k++;
        const struct source_file *old = k < before->n && slice_eq(before->sorted[k]->name, file->name) ? before->sorted[k] : NULL;
        if (old && old->size == file->size && old->modified == file->modified) {
            file->unchanged = true;
        } else if (clock_ns - file->modified < SECOND && (!old || old->put_off < PATIENCE)) {
            file->unchanged = true;
            file->put_off = old ? old->put_off + 1 : 1;
        }
        any |= !file->unchanged;
    }
    return any;
}

/* One look at everything. False: what is new was not imported, and is still new in the next look. A path that is not there keeps none of the
 * others back (e->code says so): a log that is rotated comes back. */
static bool look(struct importing *x, struct arena *a, const struct source_files *before, struct source_files *now, struct err *e)
{
    struct ingest_report report;
    for (size_t i = 0; i < x->cli->nargs; i++)
        if (!source_walk(a, x->cli->args[i], now, e) && e->code == ERR_USAGE)
            return false;
    companions_mark(a, now);
    if (find_changed(now, before, clock_now_us() * 1000)) {
        if (!import_files(x, now, a, &report, e))
            return false;
        if (report.runs[PUT_NEW] + report.runs[PUT_UPDATED] + report.rejected + report.files_failed)
            show_report(x, &report);
        fflush(stdout);
    }
    for (size_t i = 0; i < now->n; i++)
        if (now->items[i].put_off)
            now->items[i].modified = -1; /* not read yet */
    return true;
}

/* Until a signal ends it: looks once a second, and imports what is new or has changed. What goes wrong is said when it begins, and may pass. */
static bool watch(struct importing *x, struct err *e)
{
    struct arena arenas[2] = {0};
    struct source_files before = {0};
    struct err said = {0};
    int round = 0;
    while (!atomic_load(&cli_stop)) {
        struct source_files now = {0};
        *e = (struct err){0};
        arena_reset(&arenas[round]);
        if (look(x, &arenas[round], &before, &now, e)) {
            before = now;
            round ^= 1;
        } else if (e->code == ERR_USAGE || e->code == ERR_CANCELLED) {
            break;
        }
        if (e->code != ERR_NONE && strcmp(e->text, said.text) != 0)
            fprintf(stderr, "telltale: %s; looking again\n", e->text);
        said = *e;
        for (int waited = 0; waited < LOOK_EVERY_MS && !atomic_load(&cli_stop); waited += STEP_MS)
            nanosleep(&(struct timespec){.tv_nsec = STEP_MS * 1000000L}, NULL);
    }
    for (int i = 0; i < 2; i++)
        arena_free(&arenas[i]);
    return e->code != ERR_USAGE;
}

static bool check_options(struct importing *x, struct err *e)
{
    struct cli *cli = x->cli;
    const char *format = cli_option(cli, "format"), *most = cli_option(cli, "max-db");
    if (most && !max_db_parse(slice_str(most), &x->options.database_max, e))
        return false;
    x->options.jobs = (int)cli_number(cli, "jobs", 0);
    x->options.map = cli_option(cli, "map") ? slice_str(cli_option(cli, "map")) : SLICE_NONE;
    if (x->options.map.ptr && !csv_check_map(x->options.map, e))
        return false;
    if (format && !(x->options.format = format_find(slice_str(format))))
        return err_set(e, ERR_USAGE, "there is no format '%s'; telltale formats lists them", format);
    for (size_t i = 0; i < cli->nargs && cli_flag(cli, "watch"); i++)
        if (strcmp(cli->args[i], "-") == 0)
            return err_set(e, ERR_USAGE, "--watch looks at files and folders, not at stdin");
    static const char *const local[] = {"dry-run", "watch", "no-detect", "rules", "redact", "jobs", "max-db"};
    for (size_t i = 0; cli_option(cli, "to") && i < sizeof local / sizeof *local; i++)
        if (cli_flag(cli, local[i]))
            return err_set(e, ERR_USAGE, "--%s is for an import here; with --to the server does the work", local[i]);
    if (cli_flag(cli, "watch") && (cli->output == OUTPUT_JSON || x->options.dry_run))
        return err_set(e, ERR_USAGE, x->options.dry_run ? "--watch stores what it reads: leave out --dry-run"
                                                        : "--watch reports again and again: use --output jsonl, not --json");
    return true;
}

static bool send_files(struct importing *x, struct source_files *files, bool replace, struct ingest_report *report, struct err *e)
{
    struct slice name;
    x->exists = name_collection(x->cli, &name, e) && import_send(x->cli, cli_option(x->cli, "to"), name, files, replace, report, &x->collection, e);
    return x->exists;
}

int cmd_import(struct cli *cli)
{
    struct err e = {0};
    struct source_files files = {0};
    struct ruleset *rules = NULL;
    struct secrets *secrets = NULL;
    bool from_stdin = false;
    struct importing x = {.cli = cli, .options = {.dry_run = cli_flag(cli, "dry-run"), .cancel = &cli_stop, .progress = progress_show}};
    x.options.ctx = &x.progress;
    bool ok = check_options(&x, &e);
    ok = ok && list_files(cli, &files, &from_stdin, &e);
    struct ingest_report report = {0};
    if (cli_option(cli, "to")) {
        ok = ok && send_files(&x, &files, !from_stdin, &report, &e);
        if (ok)
            show_report(&x, &report);
        return ok ? report.rejected || report.files_failed : cli_fail(&e);
    }
    ok = ok && get_collection(cli, x.options.dry_run, &x.collection, &x.exists, &x.options.collection_is_new, &e);
    ok = ok && cli_secrets(cli, &secrets, &e);
    ok = ok && (cli_flag(cli, "no-detect") || get_rules(cli, x.options.dry_run, x.collection.name, &rules, &e));
    x.options.db = x.options.dry_run ? NULL : cli->db;
    x.options.rules = rules;
    x.options.secrets = secrets;
    x.options.replace = !from_stdin; /* stdin has no path: two streams are not one file that grew */
    x.options.collection = x.exists ? x.collection.name : SLICE_NONE; /* an export may bring another id */
    if (ok && cli_flag(cli, "watch")) {
        ok = watch(&x, &e);
    } else if (ok) {
        ok = import_files(&x, &files, &cli->arena, &report, &e);
        if (ok)
            show_report(&x, &report);
    }
    ruleset_unref(rules);
    secrets_unref(secrets);
    if (!ok)
        return cli_fail(&e);
    return report.rejected || report.files_failed ? 1 : 0;
}
