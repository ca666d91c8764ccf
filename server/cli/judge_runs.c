/* telltale judge try and run: which runs, what it will take, doing it, and what came of it. */
#include "base/hash.h"
#include "cli/judge.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

enum { TEXT_BYTES = 64 << 20, TRY_RUNS = 5 };

/* ---- the wish: as JSON, so that it is read as the API reads one -------------------------------------------------------------- */

static void filter_members(struct cli *cli, struct jsonw *j, struct err *e, bool *ok)
{
    static const struct {
        const char *member, *option;
    } texts[] = {{"kind", "kind"},   {"behavior", "behavior"}, {"detector", "detector"}, {"severity", "severity"}, {"status", "status"}, {"task", "task"},
                 {"model", "of-model"}, {"agent", "agent"},       {"success", "success"},   {"tag", "tag"},           {"q", "q"}};
    struct filter checked; /* --meta and --has-findings are read as everywhere */
    *ok = cli_filter(cli, SLICE_NONE, &checked, e);
    jsonw_object(j);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (cli_option(cli, texts[i].option))
            jsonw_kstrz(j, texts[i].member, cli_option(cli, texts[i].option));
    if (*ok && checked.has_findings >= 0)
        jsonw_kbool(j, "has_findings", checked.has_findings);
    for (size_t i = 0; *ok && i < checked.nmeta; i++) {
        jsonw_key_slice(j, arena_printf(&cli->arena, "meta.%.*s", SLICE_ARG(checked.meta[i].key)));
        jsonw_str(j, checked.meta[i].value);
    }
    jsonw_end(j);
}

/* A run by its id, or by the one name that its source gave it. */
static bool run_id(struct cli *cli, struct store *store, struct slice collection, const char *name, struct slice *out, struct err *e)
{
    struct run_names names;
    *out = slice_str(name);
    if (uuid_valid(*out))
        return true;
    if (!store_run_names(store, collection, *out, &cli->arena, &names, e))
        return false;
    if (!names.n)
        return err_set(e, ERR_NOT_FOUND, "there is no run %s in the collection", name);
    if (names.n > 1)
        return err_set(e, ERR_USAGE, "%zu runs are called %s; name one by its id (telltale runs)", names.n, name);
    *out = names.items[0].id;
    return true;
}

static bool run_ids(struct cli *cli, struct store *store, struct slice collection, struct jsonw *j, struct err *e)
{
    bool ok = true;
    jsonw_key(j, "ids");
    jsonw_array(j);
    for (size_t i = 2; ok && i < cli->nargs; i++) {
        struct slice id;
        ok = run_id(cli, store, collection, cli->args[i], &id, e);
        if (ok)
            jsonw_str(j, id);
    }
    jsonw_end(j);
    return ok;
}

/* "NAME", "NAME@3", either with ":MODEL". */
static void stage_name(struct jsonw *j, struct slice text, struct slice model)
{
    struct slice rest = text, rubric = slice_take(&rest, ':');
    jsonw_kstr(j, "rubric", rubric);
    if (rest.len || model.ptr)
        jsonw_kstr(j, "model", rest.len ? rest : model);
}

static void stage_members(struct cli *cli, struct jsonw *j)
{
    static const struct {
        const char *member, *option;
    } numbers[] = {{"samples", "samples"}, {"max_tokens", "max-tokens"}, {"paired", "paired"}};
    const char *temperature = cli_option(cli, "temperature");
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        int64_t n = cli_number(cli, numbers[i].option, -1);
        if (n >= 0)
            jsonw_kint(j, numbers[i].member, n);
    }
    if (temperature)
        jsonw_knum(j, "temperature", strtod(temperature, NULL));
}

static void stages(struct cli *cli, struct jsonw *j)
{
    struct slices then = cli_options(cli, "then");
    if (!then.n)
        return;
    jsonw_key(j, "stages");
    jsonw_array(j);
    for (size_t i = 0; i < then.n; i++) {
        jsonw_object(j);
        stage_name(j, then.items[i], SLICE_NONE);
        stage_members(cli, j);
        jsonw_end(j);
    }
    jsonw_end(j);
}

static bool wish_json(struct cli *cli, struct store *store, bool trial, struct jsonw *j, struct err *e)
{
    struct collection_row collection;
    int64_t limit = cli_number(cli, "limit", -1), seed = cli_number(cli, "seed", -1);
    if (!cli_collection(cli, store, &collection, e))
        return false;
    bool named = cli->nargs > 2, ok = true;
    stage_name(j, slice_str(cli->args[1]), slice_str(cli_option(cli, "model")));
    jsonw_kstr(j, "collection", collection.id);
    stage_members(cli, j);
    stages(cli, j);
    judge_caps(cli, j);
    if (named) {
        ok = run_ids(cli, store, collection.id, j, e);
    } else {
        jsonw_key(j, cli_flag(cli, "findings") ? "findings" : "filter");
        filter_members(cli, j, e, &ok);
    }
    if (limit >= 0 || (trial && !named))
        jsonw_kint(j, "limit", limit >= 0 ? limit : TRY_RUNS);
    if (cli_flag(cli, "sample"))
        jsonw_kbool(j, "sample", true);
    if (seed >= 0)
        jsonw_kint(j, "seed", seed);
    jsonw_kbool(j, "again", cli_flag(cli, "again"));
    jsonw_kbool(j, "try", trial);
    return ok;
}

static bool names_are_known(struct cli *cli, struct store *store, const struct judge_wish *wish, struct err *e)
{
    struct collection_row collection;
    struct ruleset *rules;
    if (!cli_collection(cli, store, &collection, e) || !cli_rules(cli, store, collection.name, &rules, e))
        return false;
    bool ok = judge_wish_names(store, wish, rules, &cli->arena, e);
    ruleset_unref(rules);
    return ok;
}

static bool wish_of(struct cli *cli, struct store *store, bool trial, const struct models *models, struct judge_wish *out, struct err *e)
{
    struct str text = STR_INIT(TEXT_BYTES);
    struct jsonw j = jsonw_to(&text);
    struct jvalue *body = NULL;
    jsonw_object(&j);
    bool ok = wish_json(cli, store, trial, &j, e);
    jsonw_end(&j);
    struct slice json = arena_dup(&cli->arena, str_slice(&text));
    str_free(&text);
    return ok && jread(&cli->arena, json, NULL, NULL, &body, e) && judge_wish_parse(body, &cli->arena, out, e) &&
           judge_wish_complete(store, models, out, &cli->arena, e) && names_are_known(cli, store, out, e);
}

/* ---- what came of it ---------------------------------------------------------------------------------------------------------- */

static const struct column judgment_columns[] = {
    {"run", "run.external_id", 28, false}, {"task", "run.task_id", 24, false}, {"rubric", "rubric", CSV_ONLY, false}, {"version", "version", CSV_ONLY, true},
    {"state", "state", 0, false}, {"says", "decision", 16, false}, {"flagged", "flagged", 0, false}, {"share", "share", 0, true},
    {"confidence", "epistemic_confidence", 0, true}, {"dropped quotes", "dropped", CSV_ONLY, true}, {"$", "cost_usd", 0, true},
    {"why", "explanation", 72, false}, {"error", "error", 60, false}, {"judge", "judge", CSV_ONLY, false}, {"run id", "run.id", CSV_ONLY, false},
    {"id", "id", CSV_ONLY, false}, {0},
};

/* The job as a further member of the document that --json prints. */
static struct slice job_member(struct cli *cli, const struct job_row *row)
{
    static const char *const shown[] = {"judgments", NULL}; /* of a trial: the rows themselves */
    struct str text = STR_INIT(TEXT_BYTES);
    struct jsonw j = jsonw_to(&text);
    struct job_row copy = *row;
    struct jvalue *result = NULL;
    if (row->result.ptr && jread(&cli->arena, row->result, NULL, NULL, &result, NULL))
        copy.result = jrest(&cli->arena, result, shown);
    str_addz(&text, "\"job\":");
    view_job(&j, &copy);
    struct slice out = arena_dup(&cli->arena, str_slice(&text));
    str_free(&text);
    return out;
}

static bool print_judgments(struct cli *cli, struct store *store, const struct job_row *row, struct err *e)
{
    const struct judgment_filter filter = {.collection = row->collection, .job = row->id, .flagged = -1, .all = true};
    struct page page = {.limit = 500};
    struct judgment_rows found;
    struct rows rows = rows_start(cli, judgment_columns);
    bool ok = true;
    for (bool more = true; more; more = ok && page.after.ptr) {
        ok = store_judgments(store, &filter, &page, &cli->arena, &found, e);
        for (size_t i = 0; ok && i < found.n; i++) {
            view_judgment(rows_next(&rows), &found.items[i], false);
            rows_add(&rows);
        }
        page.after = ok ? found.end.next : SLICE_NONE;
    }
    if (ok)
        rows_end(&rows, job_member(cli, row));
    else
        rows_drop(&rows);
    return ok;
}

static void line(const char *before, struct slice words)
{
    if (!words.len)
        return;
    fputs(before, stdout);
    judge_print(stdout, words);
    putchar('\n');
}

/* A judgment of a trial, to be read. */
static void print_trial(const struct jvalue *v)
{
    const struct jvalue *run = jget(v, "run"), *evidence = jget(v, "evidence");
    struct slice name = jstr(jget(run, "external_id")), state = jstr(jget(v, "state"));
    bool flagged = false;
    double usd;
    jbool(jget(v, "flagged"), &flagged);
    judge_print(stdout, name.ptr ? name : jstr(jget(run, "id")));
    fputs(": ", stdout);
    judge_print(stdout, slice_is(state, "answered") ? jtext(jget(v, "decision")) : state);
    fputs(flagged ? "  (flagged)" : "", stdout);
    if (jnum(jget(v, "cost_usd"), &usd))
        printf("  $%.4f", usd);
    putchar('\n');
    line("  ", jstr(jget(v, "explanation")));
    line("  error: ", jstr(jget(v, "error")));
    for (uint32_t i = 0; jis(evidence, J_ARRAY) && i < evidence->n; i++) {
        int64_t message = 0, position = 0;
        jint(jget(&evidence->items[i], "message"), &message);
        jint(jget(&evidence->items[i], "position"), &position);
        printf("  [T%" PRId64 " M%" PRId64 "] ", position, message);
        line("", jstr(jget(&evidence->items[i], "quote")));
    }
    int64_t dropped = 0;
    if (jint(jget(v, "dropped"), &dropped) && dropped)
        printf("  %" PRId64 " quotes stand nowhere in the transcript and were dropped\n", dropped);
    line("  not seen: ", jstr(jget(v, "left_out")));
    line("  what came instead: ", slice_cut(jstr(jget(v, "raw")), 500));
}

static bool print_trials(struct cli *cli, const struct job_row *row, struct err *e)
{
    struct jvalue *result = NULL;
    if (!jread(&cli->arena, row->result, NULL, NULL, &result, e))
        return false;
    const struct jvalue *judgments = jget(result, "judgments");
    uint32_t n = jis(judgments, J_ARRAY) ? judgments->n : 0;
    if (cli->output == OUTPUT_TABLE) {
        for (uint32_t i = 0; i < n; i++)
            print_trial(&judgments->items[i]);
        return true;
    }
    struct rows rows = rows_start(cli, judgment_columns);
    for (uint32_t i = 0; i < n; i++)
        rows_add_text(&rows, jraw(&cli->arena, &judgments->items[i]));
    rows_end(&rows, job_member(cli, row));
    return true;
}

static int64_t count_of(const struct jvalue *v, const char *name)
{
    int64_t n = 0;
    jint(jget(v, name), &n);
    return n;
}

/* What a job came to, on stderr, and whether something in it is amiss. */
static bool tell(struct cli *cli, const struct job_row *row, struct err *e)
{
    struct jvalue *result = NULL;
    double usd, unsettled = 0;
    bool amiss = false;
    if (!jread(&cli->arena, row->result, NULL, NULL, &result, e))
        return true;
    const struct jvalue *stages = jget(result, "stages"), *failures = jget(result, "failures");
    for (uint32_t i = 0; jis(stages, J_ARRAY) && i < stages->n; i++) {
        const struct jvalue *s = &stages->items[i];
        int64_t failed = count_of(s, "failed"), flagged = count_of(s, "flagged");
        amiss = amiss || failed || (flagged && cli_flag(cli, "fail-on-flagged"));
        if (cli->quiet)
            continue;
        fprintf(stderr, "%.*s@%" PRId64 " by %.*s: %" PRId64 " of %" PRId64 " runs, %" PRId64 " flagged, %" PRId64 " without a true quote, %" PRId64
                " failed, %" PRId64 " judged alike before\n", SLICE_ARG(jstr(jget(s, "rubric"))), count_of(s, "version"), SLICE_ARG(jstr(jget(s, "model"))),
                count_of(s, "done"), count_of(s, "total"), flagged, count_of(s, "unsupported"), failed, count_of(s, "skipped"));
    }
    for (uint32_t i = 0; jis(failures, J_ARRAY) && i < failures->n; i++) {
        fprintf(stderr, "failed (%" PRId64 "): ", count_of(&failures->items[i], "n"));
        judge_print(stderr, slice_cut(jstr(jget(&failures->items[i], "reason")), 400));
        fputc('\n', stderr);
    }
    if (!cli->quiet) {
        fprintf(stderr, "%" PRId64 " calls, %" PRId64 " answered from memory, %" PRId64 " tokens in, %" PRId64 " out", count_of(result, "calls"),
                count_of(result, "cached"), count_of(result, "tokens_in"), count_of(result, "tokens_out"));
        if (jnum(jget(result, "usd"), &usd))
            fprintf(stderr, ", $%.4f", usd);
        if (jnum(jget(result, "usd_unsettled"), &unsettled) && unsettled > 0)
            fprintf(stderr, " and at most $%.4f for calls that may have been billed without an answer", unsettled);
        fputc('\n', stderr);
    }
    struct slice stopped = jstr(jget(result, "stopped"));
    if (stopped.len)
        fprintf(stderr, "the cap (--%s) ended it with %" PRId64 " runs left; the same command with a higher one goes on\n",
                slice_is(stopped, "max_usd") ? "max-usd" : "max-calls", count_of(result, "remaining"));
    return amiss || stopped.len;
}

/* What became of a job that is no success. */
static bool went_well(const struct job_row *row, struct err *e)
{
    if (row->state == JOB_DONE)
        return true;
    if (row->state == JOB_CANCELLED)
        return err_set(e, ERR_CANCELLED, "stopped; what was judged is kept, and the same command goes on from there");
    return err_set(e, ERR_IO, "%.*s", SLICE_ARG(slice_cut(row->error, 480)));
}

/* ---- try ------------------------------------------------------------------------------------------------------------------------ */

static bool add_and_do(struct cli *cli, struct store *store, const struct judge_wish *wish, struct job_row *out, struct err *e)
{
    const struct job_row job = {.kind = slice_str("judge"), .collection = wish->collection, .payload = judge_wish_write(&cli->arena, wish)};
    return judge_job(cli, store, &job, out, e) && went_well(out, e);
}

int judge_try(struct cli *cli)
{
    struct err e = {0};
    struct store *store = NULL;
    struct models models;
    struct judge_wish wish;
    struct job_row row;
    bool amiss = false;
    bool ok = judge_open(cli, &store, &e) && models_all(store, judge_config(cli), &cli->arena, &models, &e) &&
              wish_of(cli, store, true, &models, &wish, &e) && add_and_do(cli, store, &wish, &row, &e) && print_trials(cli, &row, &e);
    if (ok)
        amiss = tell(cli, &row, &e);
    store_close(store);
    return ok ? amiss : cli_fail(&e);
}

/* ---- run ------------------------------------------------------------------------------------------------------------------------ */

static void tell_estimate(const struct judge_estimate *x)
{
    fprintf(stderr, "%" PRIu64 " runs", x->runs);
    if (x->skipped)
        fprintf(stderr, " (%" PRIu64 " judged alike before, which cost nothing)", x->skipped);
    fprintf(stderr, ", %" PRIu64 " calls to %.*s, about %" PRId64 " tokens in and %" PRId64 " out: ", x->calls, SLICE_ARG(x->model), x->tokens_in, x->tokens_out);
    if (isnan(x->usd))
        fprintf(stderr, "the price is not known\n");
    else
        fprintf(stderr, "about $%.4f, at most $%.4f\n", x->usd, x->usd_most);
    fprintf(stderr, "%.*s\n%.*s\n", SLICE_ARG(x->basis), SLICE_ARG(x->cap));
}

/* Nobody's money is spent unasked: on a terminal one is asked, elsewhere it takes a word or a cap of one's own. */
static bool may_go(struct cli *cli, const struct judge_estimate *x, struct err *e)
{
    if (cli_flag(cli, "yes") || cli_flag(cli, "queue") || x->calls == 0)
        return true;
    if (!isatty(STDIN_FILENO))
        return cli_option(cli, "max-usd") || cli_option(cli, "max-calls") ||
               err_set(e, ERR_USAGE, "nobody is there to ask, and it takes %" PRIu64 " calls: say --yes, or set a cap with %s", x->calls,
                       isnan(x->usd) ? "--max-calls" : "--max-usd or --max-calls");
    fprintf(stderr, "go on? [y/N] ");
    int answer = getchar();
    return answer == 'y' || answer == 'Y' || err_set(e, ERR_CANCELLED, "nothing was asked");
}

static void print_estimate(const struct cli *cli, const struct judge_estimate *estimate, const struct judge_wish *wish)
{
    struct str text = STR_INIT(TEXT_BYTES);
    struct jsonw j = jsonw_to(&text);
    if (cli->output != OUTPUT_JSON)
        return;
    judge_estimate_write(&j, estimate, wish);
    printf("%.*s\n", SLICE_ARG(str_slice(&text)));
    str_free(&text);
}

static bool queue(struct cli *cli, struct store *store, const struct judge_wish *wish, struct err *e)
{
    const struct job_row job = {.kind = slice_str("judge"), .collection = wish->collection, .payload = judge_wish_write(&cli->arena, wish)};
    struct job_row row;
    bool existing;
    if (!store_job_add(store, &job, SLICE_NONE, &cli->arena, &row, &existing, e))
        return false;
    if (cli->output == OUTPUT_JSON) {
        struct str text = STR_INIT(TEXT_BYTES);
        struct jsonw j = jsonw_to(&text);
        view_job(&j, &row);
        printf("%.*s\n", SLICE_ARG(str_slice(&text)));
        str_free(&text);
    } else {
        printf("job %.*s waits for a server; telltale judge status %.*s says how it is doing\n", SLICE_ARG(row.id), SLICE_ARG(row.id));
    }
    return true;
}

int judge_run_all(struct cli *cli)
{
    struct err e = {0};
    struct store *store = NULL;
    struct models models;
    struct judge_wish wish;
    struct judge_estimate estimate;
    struct job_row row;
    bool amiss = false;
    bool ok = judge_open(cli, &store, &e) && models_all(store, judge_config(cli), &cli->arena, &models, &e) &&
              wish_of(cli, store, false, &models, &wish, &e) && judge_estimate(store, &models, &wish, &cli->arena, &estimate, &e);
    if (ok && (!cli->quiet || cli_flag(cli, "estimate")))
        tell_estimate(&estimate);
    if (ok && cli_flag(cli, "estimate")) {
        print_estimate(cli, &estimate, &wish);
    } else if (ok && (ok = may_go(cli, &estimate, &e))) {
        if (cli_flag(cli, "queue")) {
            ok = queue(cli, store, &wish, &e);
        } else if ((ok = add_and_do(cli, store, &wish, &row, &e) && print_judgments(cli, store, &row, &e))) {
            amiss = tell(cli, &row, &e);
        }
    }
    store_close(store);
    return ok ? amiss : cli_fail(&e);
}
