/* telltale judge: rubrics, models and judging jobs. */
#include "base/clock.h"
#include "cli/judge.h"
#include "jobs/here.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>
#include <wctype.h>

enum { TEXT_BYTES = 64 << 20 };

/* ---- what the words share ---------------------------------------------------------------------------------------------- */

bool judge_open(struct cli *cli, struct store **out, struct err *e)
{
    *out = NULL;
    return cli_open(cli, STORE_WRITE, out, e) && rubrics_install(*out, e);
}

const char *judge_config(struct cli *cli)
{
    const struct rulebook_options o = cli_rulebook_options(cli);
    return rulebook_config(&o);
}

void judge_caps(struct cli *cli, struct jsonw *j)
{
    const char *usd = cli_option(cli, "max-usd");
    int64_t calls = cli_number(cli, "max-calls", 0);
    if (usd)
        jsonw_knum(j, "max_usd", strtod(usd, NULL));
    if (calls)
        jsonw_kint(j, "max_calls", calls);
}

void judge_print(FILE *to, struct slice words)
{
    mbstate_t state = {0};
    for (size_t i = 0, n; i < words.len; i += n) {
        wchar_t c;
        n = mbrtowc(&c, words.ptr + i, words.len - i, &state);
        bool whole = n && n <= words.len - i;
        bool turns = whole && ((c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069));
        if (!whole) {
            state = (mbstate_t){0};
            n = 1;
        }
        if (!whole || turns || !iswprint((wint_t)c))
            fputc(' ', to);
        else
            fwrite(words.ptr + i, 1, n, to);
    }
}

/* ---- the live bar ------------------------------------------------------------------------------------------------------ */

enum { LINE_EVERY_US = 5000000, LINE_LATEST_US = 10000000, CELLS = 20 };

struct bar {
    bool quiet, terminal, shown;
    int64_t began, last;
    int64_t told;              /* what was counted in the last line */
};

static int64_t count_of(const struct jvalue *v, const char *name)
{
    int64_t n = 0;
    jint(jget(v, name), &n);
    return n;
}

/* [####................] 120/500  14 flagged  2 failed  130 calls, 8 waiting  $0.12  0:40  2:13 left  paused: … */
static void show(void *ctx, struct slice json)
{
    struct bar *bar = ctx;
    struct arena a = {0};
    struct jvalue *p = NULL;
    int64_t now = clock_monotonic_us(), left;
    if (bar->quiet || !json.len || (!bar->terminal && now - bar->last < LINE_EVERY_US) || !jread(&a, json, NULL, NULL, &p, NULL)) {
        arena_free(&a);
        return;
    }
    int64_t done = count_of(p, "done"), total = count_of(p, "total");
    int64_t told = done + count_of(p, "calls") + count_of(p, "waiting") + count_of(p, "failed");
    if (!bar->terminal && bar->shown && told == bar->told && now - bar->last < LINE_LATEST_US) {
        arena_free(&a);
        return;
    }
    bar->last = now;
    bar->told = told;
    double usd;
    char cells[CELLS + 1];
    for (int i = 0; i < CELLS; i++)
        cells[i] = total && i < done * CELLS / total ? '#' : '.';
    cells[CELLS] = '\0';
    fprintf(stderr, "%s[%s] %" PRId64 "/%" PRId64, bar->terminal ? "\r" : "", cells, done, total);
    if (count_of(p, "stages") > 1)
        fprintf(stderr, " of stage %" PRId64 "/%" PRId64, count_of(p, "stage"), count_of(p, "stages"));
    fprintf(stderr, "  %" PRId64 " flagged", count_of(p, "flagged"));
    if (count_of(p, "failed"))
        fprintf(stderr, "  %" PRId64 " failed", count_of(p, "failed"));
    fprintf(stderr, "  %" PRId64 " calls", count_of(p, "calls"));
    if (count_of(p, "waiting"))
        fprintf(stderr, ", %" PRId64 " waiting", count_of(p, "waiting"));
    if (jnum(jget(p, "usd"), &usd))
        fprintf(stderr, "  $%.4f", usd);
    int64_t seconds = (now - bar->began) / 1000000;
    fprintf(stderr, "  %" PRId64 ":%02" PRId64, seconds / 60, seconds % 60);
    if (jint(jget(p, "eta_s"), &left) && done < total)
        fprintf(stderr, "  %" PRId64 ":%02" PRId64 " left", left / 60, left % 60);
    struct slice paused = jstr(jget(p, "paused"));
    if (paused.len) {
        fputs("  paused: ", stderr);
        judge_print(stderr, slice_cut(paused, 200));
    }
    fputs(bar->terminal ? "\x1b[K" : "\n", stderr);
    bar->shown = true;
    arena_free(&a);
}

bool judge_job(struct cli *cli, struct store *s, const struct job_row *job, struct job_row *out, struct err *e)
{
    if (!cli_book(cli, e))
        return false;
    const struct jobs_options options = {.db = cli->db, .rules = cli->book, .config = judge_config(cli)};
    struct bar bar = {.quiet = cli->quiet, .terminal = isatty(STDERR_FILENO), .began = clock_monotonic_us(), .last = clock_monotonic_us()};
    const struct here here = {.options = &options, .stop = &cli_stop, .show = show, .ctx = &bar};
    struct job_row row;
    bool existing, ours = true;
    if (!store_job_add(s, job, SLICE_NONE, &cli->arena, &row, &existing, e))
        return false;
    bool ok = job_here(&here, s, row.id, &cli->arena, out, &ours, e);
    if (bar.terminal && bar.shown)
        fprintf(stderr, "\r\x1b[K");
    return ok;
}

/* ---- list, show -------------------------------------------------------------------------------------------------------- */

static int list(struct cli *cli)
{
    static const struct column columns[] = {
        {"rubric", "name", 0, false}, {"version", "version", 0, true}, {"behavior", "behavior", 28, false}, {"judgments", "judgments", 0, true},
        {"flagged", "flagged", 0, true}, {"shipped", "shipped", 0, false}, {"title", "title", 72, false}, {"author", "author", CSV_ONLY, false},
        {"created", "created_at", CSV_ONLY, false}, {"note", "note", CSV_ONLY, false}, {0},
    };
    struct err e = {0};
    struct store *store;
    struct rubric_rows page_rows;
    struct page page = {.limit = 500};
    bool ok = judge_open(cli, &store, &e);
    struct rows rows = {0};
    if (ok)
        rows = rows_start(cli, columns);
    for (bool more = ok; more; more = ok && page.after.ptr) {
        ok = store_rubrics(store, cli->nargs > 1 ? slice_str(cli->args[1]) : SLICE_NONE, &page, &cli->arena, &page_rows, &e);
        for (size_t i = 0; ok && i < page_rows.n; i++) {
            view_rubric_row(rows_next(&rows), &page_rows.items[i]);
            rows_add(&rows);
        }
        page.after = ok ? page_rows.end.next : SLICE_NONE;
    }
    if (ok)
        rows_end(&rows, SLICE_NONE);
    else
        rows_drop(&rows);
    store_close(store);
    return ok ? 0 : cli_fail(&e);
}

static int show_rubric(struct cli *cli)
{
    struct err e = {0};
    struct store *store = NULL;
    struct slice name;
    int64_t version;
    struct rubric_row row;
    struct rubric rubric;
    struct str text = STR_INIT(TEXT_BYTES);
    bool ok = rubrics_name(slice_str(cli->args[1]), &name, &version, &e) && judge_open(cli, &store, &e) &&
              rubrics_find(store, name, version, &cli->arena, &row, &rubric, &e);
    if (ok && cli->output == OUTPUT_JSON) {
        struct jsonw j = jsonw_to(&text);
        view_rubric(&j, &row);
        str_addc(&text, '\n');
    } else if (ok) {
        str_printf(&text, "# version %" PRId64 " of %" PRId64 "%s%s%.*s; %" PRId64 " judgments, %" PRId64 " flagged\n", row.version, row.latest,
                   row.shipped ? ", shipped" : "", row.author.len ? ", by " : "", SLICE_ARG(row.author), row.judgments, row.flagged);
        rubric_write_yaml(&text, &rubric);
    }
    if (ok)
        rubric_free(&rubric);
    fwrite(text.ptr ? text.ptr : "", 1, text.len, stdout);
    str_free(&text);
    store_close(store);
    return ok ? 0 : cli_fail(&e);
}

/* ---- models, test ------------------------------------------------------------------------------------------------------ */

static void add_model(struct cli *cli, struct rows *rows, const struct models *models, size_t i)
{
    rows_next(rows);
    struct str *text = &rows->text;
    model_write(text, &models->items[i].model, models->items[i].origin);
    if (text->len && text->ptr[text->len - 1] == '}') {
        text->len--;
        str_printf(text, ",\"key_there\":%s,\"default\":%s}",
                   !models->items[i].model.key.ptr ? "null" : models_key_is_there(models, &models->items[i].model, &cli->arena) ? "true" : "false",
                   slice_eq(models->items[i].model.name, models->fallback) ? "true" : "false");
    }
    rows_add(rows);
}

static int list_models(struct cli *cli)
{
    static const struct column columns[] = {
        {"model", "name", 0, false}, {"default", "default", 0, false}, {"set by", "origin", 0, false}, {"api", "api", 0, false},
        {"url", "url", 48, false}, {"calls it", "model", 40, false}, {"$/M in", "price.in", 0, true}, {"$/M out", "price.out", 0, true},
        {"window", "window", 0, true}, {"at a time", "concurrency", 0, true}, {"key", "key", 0, false}, {"key there", "key_there", 0, false}, {0},
    };
    struct err e = {0}, how = {0};
    struct store *store;
    struct models models;
    const struct llm_model *fallback;
    bool ok = judge_open(cli, &store, &e) && models_all(store, judge_config(cli), &cli->arena, &models, &e);
    store_close(store);
    if (!ok)
        return cli_fail(&e);
    if (models.problems.len)
        fprintf(stderr, "%.*s\n", SLICE_ARG(models.problems));
    struct rows rows = rows_start(cli, columns);
    for (size_t i = 0; i < models.n; i++)
        add_model(cli, &rows, &models, i);
    rows_end(&rows, SLICE_NONE);
    if (!models_find(&models, SLICE_NONE, &fallback, &how))
        fprintf(stderr, "%s\n", how.text);
    return 0;
}

static int test_model(struct cli *cli)
{
    struct err e = {0};
    struct store *store;
    struct models models;
    const struct llm_model *model = NULL;
    struct slice secret = SLICE_NONE;
    struct llm_probe probe = {0};
    bool ok = judge_open(cli, &store, &e) && models_all(store, judge_config(cli), &cli->arena, &models, &e) &&
              models_find(&models, cli->nargs > 1 ? slice_str(cli->args[1]) : SLICE_NONE, &model, &e) &&
              models_secret(&models, model, &cli->arena, &secret, &e);
    store_close(store);
    if (!ok)
        return cli_fail(&e);
    atomic_store(&cli_stop_at_once, true);
    llm_probe(model, secret, NULL, &cli->arena, &probe);
    secret_forget(secret);
    if (cli->output == OUTPUT_JSON) {
        struct str text = STR_INIT(TEXT_BYTES);
        struct jsonw j = jsonw_to(&text);
        view_probe(&j, &probe);
        printf("%.*s\n", SLICE_ARG(str_slice(&text)));
        str_free(&text);
    } else {
        printf("%.*s: ", SLICE_ARG(model->name));
        judge_print(stdout, probe.said);
        printf("\n");
    }
    return probe.works ? 0 : 1;
}

/* ---- status, cancel ---------------------------------------------------------------------------------------------------- */

static bool is_judging(const struct job_row *row) { return slice_is(row->kind, "judge") || slice_is(row->kind, "draft"); }

/* How far a job is, in one place: progress says it of the stage that it is at, the result of each. */
static void add_now(struct str *out, const struct job_row *row)
{
    static const char *const counts[] = {"done", "total", "skipped", "flagged", "failed"};
    struct arena a = {0};
    struct jvalue *v = NULL;
    double usd = NAN;
    jread(&a, row->result.ptr ? row->result : row->progress, NULL, NULL, &v, NULL);
    const struct jvalue *stages = jget(v, "stages"), *stage = jis(stages, J_ARRAY) ? jat(stages, 0) : v;
    str_addz(out, ",\"now\":");
    struct jsonw j = jsonw_to(out);
    jsonw_object(&j);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        jsonw_kint(&j, counts[i], count_of(stage, counts[i]));
    jsonw_kint(&j, "calls", count_of(v, "calls"));
    jnum(jget(v, "usd"), &usd);
    jsonw_knum(&j, "usd", usd);
    jsonw_kstr(&j, "stopped", jstr(jget(v, "stopped")));
    jsonw_end(&j);
    str_addc(out, '}');
    arena_free(&a);
}

static bool list_jobs(struct cli *cli, struct store *store, struct err *e)
{
    static const struct column columns[] = {
        {"job", "id", 0, false}, {"kind", "kind", 0, false}, {"state", "state", 0, false}, {"rubric", "wish.rubric", 32, false},
        {"model", "wish.model", 24, false}, {"done", "now.done", 0, true}, {"of", "now.total", 0, true}, {"alike before", "now.skipped", 0, true},
        {"flagged", "now.flagged", 0, true}, {"failed", "now.failed", 0, true}, {"calls", "now.calls", 0, true},
        {"$", "now.usd", 0, true}, {"created", "created_at", 20, false}, {"stopped by", "now.stopped", 0, false}, {"error", "error", 60, false}, {0},
    };
    struct rows rows = rows_start(cli, columns);
    struct page page = {.limit = 500};
    struct job_rows jobs;
    bool ok = true;
    for (bool more = true; more; more = ok && page.after.ptr) {
        ok = store_jobs(store, SLICE_NONE, &page, &cli->arena, &jobs, e);
        for (size_t i = 0; ok && i < jobs.n; i++) {
            if (!is_judging(&jobs.items[i]))
                continue;
            view_job(rows_next(&rows), &jobs.items[i]);
            rows.text.len--; /* one member more */
            add_now(&rows.text, &jobs.items[i]);
            rows_add(&rows);
        }
        page.after = ok ? jobs.end.next : SLICE_NONE;
    }
    if (ok)
        rows_end(&rows, SLICE_NONE);
    else
        rows_drop(&rows);
    return ok;
}

static void print_job(const struct cli *cli, const struct job_row *row)
{
    struct str text = STR_INIT(TEXT_BYTES);
    struct jsonw j = jsonw_to(&text);
    view_job(&j, row);
    if (cli->output == OUTPUT_TABLE) {
        json_t *tree = json_loadb(text.ptr, text.len, JSON_ALLOW_NUL, NULL);
        char *shown = json_dumps(tree, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
        printf("%s\n", shown ? shown : "{}");
        free(shown);
        json_decref(tree);
    } else {
        printf("%.*s\n", SLICE_ARG(str_slice(&text)));
    }
    str_free(&text);
}

static int status(struct cli *cli)
{
    struct err e = {0};
    struct store *store;
    struct job_row row;
    bool ok = cli_open(cli, STORE_READ, &store, &e);
    if (ok && cli->nargs == 1) {
        ok = list_jobs(cli, store, &e);
    } else if (ok) {
        ok = store_job(store, slice_str(cli->args[1]), &cli->arena, &row, &e);
        if (ok)
            print_job(cli, &row);
    }
    store_close(store);
    return ok ? 0 : cli_fail(&e);
}

static int cancel(struct cli *cli)
{
    struct err e = {0};
    struct store *store;
    struct job_row row;
    struct slice id = slice_str(cli->args[1]);
    bool ok = cli_open(cli, STORE_WRITE, &store, &e) && store_job(store, id, &cli->arena, &row, &e);
    if (ok && !is_judging(&row))
        ok = err_set(&e, ERR_USAGE, "job %s is no judging job", cli->args[1]);
    ok = ok && store_job_cancel(store, id, &e) && store_job(store, id, &cli->arena, &row, &e);
    if (ok && cli->output == OUTPUT_JSON)
        print_job(cli, &row);
    else if (ok)
        printf("job %s %s\n", cli->args[1], row.state == JOB_CANCELLED ? "is cancelled" : "ends as soon as what it is asking has been answered");
    store_close(store);
    return ok ? 0 : cli_fail(&e);
}

/* ---- the words --------------------------------------------------------------------------------------------------------- */

int cmd_judge(struct cli *cli)
{
    static const struct {
        const char *word, *takes;
        int (*run)(struct cli *cli);
        size_t least, most; /* of what stands after the word */
    } words[] = {
        {"list", "[NAME]", list, 0, 1},
        {"show", "NAME[@VERSION]", show_rubric, 1, 1},
        {"new", "NAME", judge_new, 1, 1},
        {"edit", "NAME", judge_edit, 1, 1},
        {"check", "FILE...", judge_check, 1, SIZE_MAX},
        {"draft", "SENTENCE, or --improve NAME", judge_draft, 0, 1},
        {"try", "NAME[@VERSION] [RUN...]", judge_try, 1, SIZE_MAX},
        {"run", "NAME[@VERSION] [RUN...]", judge_run_all, 1, SIZE_MAX},
        {"status", "[JOB]", status, 0, 1},
        {"cancel", "JOB", cancel, 1, 1},
        {"models", "", list_models, 0, 0},
        {"test", "[MODEL]", test_model, 0, 1},
    };
    struct err e = {0};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(cli->args[0], words[i].word) != 0)
            continue;
        if (cli->nargs - 1 >= words[i].least && cli->nargs - 1 <= words[i].most)
            return words[i].run(cli);
        err_set(&e, ERR_USAGE, "usage: telltale judge %s %s", words[i].word, words[i].takes);
        return cli_fail(&e);
    }
    err_set(&e, ERR_USAGE, "judge list, show, new, edit, check, draft, try, run, status, cancel, models or test, not '%s'", cli->args[0]);
    return cli_fail(&e);
}
