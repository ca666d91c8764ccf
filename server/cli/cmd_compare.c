/* Two groups of runs of a collection beside each other: a sentence or two about the outcome, and a row for each thing that changed; or two runs,
 * step by step. */
#include "cli/cli.h"
#include "view/beside.h"
#include "view/compare.h"

#include <math.h>
#include <stdio.h>

enum { TEXT_MAX = 64 << 20 };

static const struct column columns[] = {
    {"what", "what", 0, false}, {"name", "name", 40, false}, {"a", "a", 0, true}, {"b", "b", 0, true}, {"b - a", "difference", 0, true},
    {"from", "low", 0, true}, {"to", "high", 0, true}, {"p adjusted", "adjusted", 0, true}, {"tasks", "tasks", 0, true},
    {"runs a", "runs_a", 0, true}, {"runs b", "runs_b", 0, true}, {"p", "p", CSV_ONLY, true}, {"weight", "weight", CSV_ONLY, true}, {0},
};

static json_int_t whole(const json_t *object, const char *key) { return json_integer_value(json_object_get(object, key)); }
static double number(const json_t *object, const char *key)
{
    const json_t *v = json_object_get(object, key);
    return json_is_number(v) ? json_number_value(v) : NAN;
}

static void say_outcome(const json_t *all)
{
    static const char *const sides[] = {"a", "b"};
    const json_t *outcome = json_object_get(all, "outcome");
    for (size_t i = 0; i < 2; i++) {
        const json_t *side = json_object_get(all, sides[i]), *rate = json_object_get(side, "pass_rate"), *value = json_object_get(side, "value");
        printf("%s  %s: %lld runs of %lld tasks", sides[i], json_is_string(value) ? json_string_value(value) : "all others", whole(side, "runs"),
               whole(side, "tasks"));
        if (json_is_object(rate))
            printf(", %.1f %% passed (%.1f to %.1f)", 100 * number(rate, "value"), 100 * number(rate, "low"), 100 * number(rate, "high"));
        printf("\n");
    }
    if (!whole(all, "shared_tasks")) {
        printf("No task was run by both: there is nothing to compare pair by pair.\n");
        if (json_is_string(json_object_get(outcome, "test")))
            printf("Unpaired, over all their runs: %+.1f points (%+.1f to %+.1f), P %.2g, by Fisher's exact test; their tasks may be why.\n",
                   100 * number(outcome, "difference"), 100 * number(outcome, "low"), 100 * number(outcome, "high"), number(outcome, "p"));
        return;
    }
    printf("%lld tasks were run by both", whole(all, "shared_tasks"));
    if (whole(outcome, "tasks")) {
        printf(": b is better on %lld, worse on %lld, the same on %lld.\n", whole(outcome, "wins"), whole(outcome, "losses"), whole(outcome, "ties"));
        printf("Pass rate of a task %.1f %% and %.1f %%: %+.1f points (%+.1f to %+.1f), P %.2g, by %s", 100 * number(outcome, "a"),
               100 * number(outcome, "b"), 100 * number(outcome, "difference"), 100 * number(outcome, "low"), 100 * number(outcome, "high"),
               number(outcome, "p"), strcmp(json_string_value(json_object_get(outcome, "test")), "mcnemar") == 0
                                         ? "McNemar's exact test" : "the bootstrap over tasks");
    }
    printf(".\n\n");
}

static bool print_rows(struct cli *cli, struct slice text, struct err *e)
{
    json_t *all = json_loadb(text.ptr, text.len, JSON_ALLOW_NUL, NULL);
    if (!all)
        return err_set(e, ERR_INTERNAL, "the comparison cannot be read back");
    if (cli->output == OUTPUT_TABLE && !cli->quiet)
        say_outcome(all);
    struct rows rows = rows_start(cli, columns);
    const json_t *changed = json_object_get(all, "changed"), *row;
    size_t i;
    json_array_foreach(changed, i, row) {
        char *one = json_dumps(row, JSON_COMPACT);
        if (!one)
            abort();
        rows_add_text(&rows, slice_str(one));
        free(one);
    }
    if (cli->output != OUTPUT_TABLE || rows.count)
        rows_end(&rows, SLICE_NONE);
    json_decref(all);
    return true;
}

static bool compare(struct cli *cli, struct store *store, struct err *e)
{
    struct collection_row collection;
    struct compare_wish wish = {.by = slice_str(cli_option(cli, "by")), .a = slice_str(cli->args[0]),
                                .b = cli->nargs > 1 ? slice_str(cli->args[1]) : SLICE_NONE};
    struct str text = STR_INIT(TEXT_MAX);
    struct jsonw j = jsonw_to(&text);
    bool ok = cli_collection(cli, store, &collection, e) && cli_filter(cli, collection.id, &wish.filter, e) &&
              view_compare(&j, store, &wish, &cli->arena, e);
    if (ok && cli->output == OUTPUT_JSON)
        printf("%.*s\n", SLICE_ARG(str_slice(&text)));
    else if (ok)
        ok = print_rows(cli, str_slice(&text), e);
    str_free(&text);
    return ok;
}

/* ---- two runs ----------------------------------------------------------------------------------------------------------- */

static const struct column step_columns[] = {
    {"", "parts", 0, false}, {"what", "what", 0, false}, {"a", "a.message", 0, true}, {"b", "b.message", 0, true}, {"step", "step", 28, false},
    {"differs", "differs", 0, false}, {"in a", "a.gist", 60, false}, {"in b", "b.gist", 60, false}, {0},
};

/* The row as it is printed: with the name of its step, and a mark where the runs part. */
static void add_step(struct rows *rows, json_t *row, bool parts)
{
    const json_t *a = json_object_get(row, "a"), *step = json_is_object(a) ? a : json_object_get(row, "b");
    const json_t *name = json_object_get(step, "name"), *call = json_object_get(step, "call");
    json_object_set(row, "step", json_is_string(name) && json_is_integer(call) ? (json_t *)name : json_object_get(step, "role"));
    json_object_set_new(row, "parts", json_string(parts ? ">" : ""));
    char *one = json_dumps(row, JSON_COMPACT);
    if (!one)
        abort();
    rows_add_text(rows, slice_str(one));
    free(one);
}

static bool print_steps(struct cli *cli, struct slice text, struct err *e)
{
    json_t *all = json_loadb(text.ptr, text.len, JSON_ALLOW_NUL, NULL), *row;
    if (!all)
        return err_set(e, ERR_INTERNAL, "the comparison cannot be read back");
    const json_t *counts = json_object_get(all, "counts"), *divergence = json_object_get(all, "divergence");
    if (cli->output == OUTPUT_TABLE && !cli->quiet)
        printf("%lld steps are the same, %lld differ, %lld are of a alone, %lld of b alone.\n", whole(counts, "same"), whole(counts, "changed"),
               whole(counts, "only_a"), whole(counts, "only_b"));
    struct rows rows = rows_start(cli, step_columns);
    size_t i;
    json_array_foreach(json_object_get(all, "rows"), i, row) {
        if (strcmp(json_string_value(json_object_get(row, "what")), "same") != 0)
            add_step(&rows, row, json_is_integer(divergence) && (size_t)json_integer_value(divergence) == i);
    }
    if (cli->output != OUTPUT_TABLE || rows.count)
        rows_end(&rows, SLICE_NONE);
    json_decref(all);
    return true;
}

static bool compare_runs(struct cli *cli, struct store *store, struct err *e)
{
    struct str text = STR_INIT(TEXT_MAX);
    struct jsonw j = jsonw_to(&text);
    bool ok = view_beside(&j, store, slice_str(cli->args[0]), slice_str(cli->args[1]), e);
    ok = ok && (!text.full || err_set(e, ERR_TOO_LARGE, "the comparison is larger than %d MB", TEXT_MAX >> 20));
    if (ok && cli->output == OUTPUT_JSON)
        printf("%.*s\n", SLICE_ARG(str_slice(&text)));
    else if (ok)
        ok = print_steps(cli, str_slice(&text), e);
    str_free(&text);
    return ok;
}

int cmd_compare(struct cli *cli)
{
    struct err e = {0};
    struct store *store = NULL;
    atomic_store(&cli_stop_at_once, true);
    bool groups = cli_option(cli, "by") != NULL;
    bool ok = groups || cli->nargs == 2 || err_set(&e, ERR_USAGE, "name two runs, or say with --by which field tells two groups apart, such as --by model");
    ok = ok && cli_open(cli, STORE_READ, &store, &e) && (groups ? compare(cli, store, &e) : compare_runs(cli, store, &e));
    store_close(store);
    return ok ? 0 : cli_fail(&e);
}
