/* The care of a database: check and backup. */
#include "base/clock.h"
#include "base/jsonw.h"
#include "cli/cli.h"
#include "storage/backup.h"
#include "storage/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum {
    SHOWN_OF_EACH = 20,        /* problems of one check that are written out, */
    LISTED_OF_EACH = 1000,     /* and with --json */
    SHOW_US = 200000,          /* on a terminal, */
    SHOW_ELSEWHERE_US = 5000000,
    REPORT_BYTES = 64 << 20,
};

/* A line on stderr that says how far it is. */
struct line {
    bool quiet, terminal;
    int64_t last;
};

static struct line line_start(const struct cli *cli)
{
    return (struct line){.quiet = cli->quiet, .terminal = isatty(STDERR_FILENO), .last = clock_monotonic_us()};
}

static bool line_is_due(struct line *l)
{
    int64_t now = clock_monotonic_us();
    if (l->quiet || now - l->last < (l->terminal ? SHOW_US : SHOW_ELSEWHERE_US))
        return false;
    l->last = now;
    return true;
}

static const char *line_end(const struct line *l) { return l->terminal ? "\033[K\r" : "\n"; }
static void line_clear(const struct line *l)
{
    if (l->terminal && !l->quiet)
        fprintf(stderr, "\033[K");
}

/* ---- check ----------------------------------------------------------------------------------------------------------- */

struct looking {
    struct line line;
    bool json;
    const char *check;  /* whose problems are counted in `n` */
    int64_t n;
    struct jsonw out;
};

static void check_progress(void *ctx, const char *check, int64_t done)
{
    struct looking *l = ctx;
    if (line_is_due(&l->line))
        fprintf(stderr, "%s: %" PRId64 "%s", check, done, line_end(&l->line));
}

static void check_problem(void *ctx, const char *check, const char *sentence)
{
    struct looking *l = ctx;
    if (l->check != check) {
        l->check = check;
        l->n = 0;
    }
    if (l->n++ >= (l->json ? LISTED_OF_EACH : SHOWN_OF_EACH))
        return;
    if (l->json) {
        jsonw_object(&l->out);
        jsonw_kstrz(&l->out, "check", check);
        jsonw_kstrz(&l->out, "problem", sentence);
        jsonw_end(&l->out);
    } else {
        line_clear(&l->line);
        printf("%s: %s\n", check, sentence);
    }
}

static void check_json(struct jsonw *j, const struct check_rows *rows)
{
    jsonw_end(j);
    jsonw_key(j, "checks");
    jsonw_array(j);
    for (size_t i = 0; i < rows->n; i++) {
        const struct check_row *row = &rows->items[i];
        jsonw_object(j);
        jsonw_kstrz(j, "check", row->name);
        jsonw_kstrz(j, "about", row->about);
        jsonw_kint(j, "looked_at", row->looked);
        jsonw_kint(j, "problems", row->problems);
        jsonw_kint(j, "repaired", row->repaired);
        jsonw_knum(j, "seconds", row->seconds);
        jsonw_end(j);
    }
    jsonw_end(j);
    jsonw_kbool(j, "ok", rows->problems == 0);
    jsonw_end(j);
}

static void check_text(const struct check_rows *rows)
{
    for (size_t i = 0; i < rows->n; i++) {
        const struct check_row *row = &rows->items[i];
        printf("%-14s%12" PRId64 " looked at%8.1f s   ", row->name, row->looked, row->seconds);
        if (row->repaired)
            printf("%" PRId64 " repaired%s", row->repaired, row->problems ? ", " : "\n");
        if (row->problems)
            printf("%" PRId64 " problem%s\n", row->problems, row->problems == 1 ? "" : "s");
        else if (!row->repaired)
            printf("good\n");
    }
}

int cmd_check(struct cli *cli)
{
    struct err e = {0};
    struct store *store = NULL;
    struct str text = STR_INIT(REPORT_BYTES);
    struct looking l = {.line = line_start(cli), .json = cli->output == OUTPUT_JSON, .out = jsonw_to(&text)};
    const struct check_sink sink = {check_progress, check_problem, &l};
    struct check_rows rows = {0};
    bool repair = cli_flag(cli, "repair");
    bool alone = !repair && !store_has_log(cli->db), ok = cli_open(cli, repair ? STORE_WRITE : STORE_READ, &store, &e);
    if (ok && repair && !cli->quiet)
        fprintf(stderr, "what is found wrong is repaired in one go: others can read meanwhile, and not write\n");
    if (l.json) {
        jsonw_object(&l.out);
        jsonw_key(&l.out, "problems");
        jsonw_array(&l.out);
    }
    if (ok) {
        store_break_off(store, &cli_stop);
        ok = store_check(store, repair, &sink, &cli->arena, &rows, &e);
        store_break_off(store, NULL);
        line_clear(&l.line);
    }
    store_close(store);
    if (alone)
        store_leave(cli->db);
    if (ok && l.json) {
        check_json(&l.out, &rows);
        printf("%.*s\n", SLICE_ARG(str_slice(&text)));
    } else if (ok) {
        check_text(&rows);
    }
    str_free(&text);
    return !ok ? cli_fail(&e) : rows.problems ? 1 : 0;
}

/* ---- backup ---------------------------------------------------------------------------------------------------------- */

static void backup_progress(void *ctx, int64_t done, int64_t of)
{
    struct line *l = ctx;
    if (line_is_due(l))
        fprintf(stderr, "%" PRId64 " of %" PRId64 " pages%s", done, of, line_end(l));
}

int cmd_backup(struct cli *cli)
{
    struct err e = {0};
    struct store *store = NULL;
    struct backup_report report;
    struct line line = line_start(cli);
    int64_t began = clock_monotonic_us();
    bool ok = cli_open(cli, STORE_READ, &store, &e);
    if (ok) {
        store_break_off(store, &cli_stop);
        ok = store_backup(store, cli->args[0], backup_progress, &line, &report, &e);
        line_clear(&line);
    }
    store_close(store);
    if (!ok)
        return cli_fail(&e);
    double seconds = (double)(clock_monotonic_us() - began) / 1e6;
    if (cli->output == OUTPUT_JSON) {
        struct str text = STR_INIT(REPORT_BYTES);
        struct jsonw j = jsonw_to(&text);
        jsonw_object(&j);
        jsonw_kstrz(&j, "file", cli->args[0]);
        jsonw_kint(&j, "bytes", (int64_t)report.bytes);
        jsonw_kint(&j, "uploads", (int64_t)report.uploads);
        jsonw_kbool(&j, "replaced", report.replaced);
        jsonw_knum(&j, "seconds", seconds);
        jsonw_end(&j);
        printf("%.*s\n", SLICE_ARG(str_slice(&text)));
        str_free(&text);
    } else {
        printf("%s: %.1f MB in %.1f s%s", cli->args[0], (double)report.bytes / (1 << 20), seconds, report.replaced ? ", in place of an earlier backup" : "");
        if (report.uploads)
            printf(", and %" PRIu64 " upload%s that wait%s in %s.spool", report.uploads, report.uploads == 1 ? "" : "s", report.uploads == 1 ? "s" : "",
                   cli->args[0]);
        printf("\n");
    }
    return 0;
}
