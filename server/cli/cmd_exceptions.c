/* Reviews and exceptions: what people say of findings. */
#include "cli/cli.h"
#include "storage/exceptions.h"
#include "view/view.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Who reviews: --reviewer, else $USER; absent: nobody is named. */
static struct slice reviewer(const struct cli *cli)
{
    const char *named = cli_option(cli, "reviewer"), *user = getenv("USER");
    return slice_str(named ? named : user && *user ? user : NULL);
}

/* ---- review ------------------------------------------------------------------------------------------------------------ */

int cmd_review(struct cli *cli)
{
    struct err e = {0};
    struct store *store = NULL;
    struct collection_row collection;
    struct filter filter;
    struct review review = {.has_status = true, .note = slice_str(cli_option(cli, "note")), .reviewer = reviewer(cli)};
    uint64_t changed = 0;
    struct slice *ids = arena_array(&cli->arena, struct slice, cli->nargs);
    for (size_t i = 1; i < cli->nargs; i++)
        ids[i - 1] = slice_str(cli->args[i]);
    bool ok = status_parse(slice_str(cli->args[0]), &review.status) ||
              err_set(&e, ERR_USAGE, "a finding is open, confirmed or dismissed, not '%s'", cli->args[0]);
    ok = ok && cli_open(cli, STORE_WRITE, &store, &e);
    if (ok && cli->nargs > 1) {
        filter = FILTER_ANY;
        filter.ids = ids;
        filter.nids = cli->nargs - 1;
    } else if (ok) {
        ok = cli_collection(cli, store, &collection, &e) && cli_filter(cli, collection.id, &filter, &e);
    }
    ok = ok && store_review(store, &filter, &review, &changed, &e);
    store_close(store);
    if (!ok)
        return cli_fail(&e);
    if (cli->output == OUTPUT_JSON)
        printf("{\"changed\":%" PRIu64 "}\n", changed);
    else
        printf("%" PRIu64 " finding%s changed\n", changed, changed == 1 ? "" : "s");
    return 0;
}

/* ---- exceptions -------------------------------------------------------------------------------------------------------- */

static const struct column columns[] = {
    {"id", "id", 0, false}, {"detector", "detector", 32, false}, {"when", "when", 60, false}, {"collection", "collection_name", 24, false},
    {"findings", "findings", 0, true}, {"by", "reviewer", 20, false}, {"note", "note", 40, false}, {"made", "created_at", CSV_ONLY, false}, {0},
};

static bool collection_of(struct cli *cli, struct store *store, struct slice *id, struct err *e)
{
    struct collection_row row;
    *id = SLICE_NONE;
    if (cli_flag(cli, "everywhere"))
        return !cli_option(cli, "collection") || err_set(e, ERR_USAGE, "give -c or --everywhere, not both");
    bool ok = cli_collection(cli, store, &row, e);
    *id = ok ? row.id : SLICE_NONE;
    return ok;
}

static void print_rows(struct cli *cli, const struct exception_row *items, size_t n)
{
    struct rows rows = rows_start(cli, columns);
    for (size_t i = 0; i < n; i++) {
        view_exception(rows_next(&rows), &items[i]);
        rows_add(&rows);
    }
    rows_end(&rows, SLICE_NONE);
}

static bool list(struct cli *cli, struct store *store, struct err *e)
{
    struct exception_rows rows;
    struct slice collection = SLICE_NONE;
    if (cli_option(cli, "collection") && !collection_of(cli, store, &collection, e))
        return false;
    if (!store_exceptions(store, collection, SLICE_NONE, &cli->arena, &rows, e))
        return false;
    print_rows(cli, rows.items, rows.n);
    return true;
}

/* FIELD=VALUE … → {"FIELD": {"is": VALUE}}, FIELD~PATTERN → {"FIELD": {"regex": PATTERN}}; a field once. */
static bool condition_of(struct cli *cli, struct slice *out, struct err *e)
{
    struct str text = STR_INIT(1 << 20);
    struct jsonw j = jsonw_to(&text);
    jsonw_object(&j);
    for (size_t i = 2; i < cli->nargs; i++) {
        const char *term = cli->args[i], *sign = strpbrk(term, "=~");
        if (!sign || sign == term) {
            str_free(&text);
            return err_set(e, ERR_USAGE, "'%s' is no condition: say FIELD=VALUE or FIELD~PATTERN", term);
        }
        jsonw_key_slice(&j, slice_of(term, (size_t)(sign - term)));
        jsonw_object(&j);
        jsonw_kstrz(&j, *sign == '=' ? "is" : "regex", sign + 1);
        jsonw_end(&j);
    }
    jsonw_end(&j);
    *out = arena_dup(&cli->arena, str_slice(&text));
    str_free(&text);
    return true;
}

static bool add(struct cli *cli, struct store *store, struct err *e)
{
    struct exception_row row, wish = {.detector = slice_str(cli->args[1]), .note = slice_str(cli_option(cli, "note")), .reviewer = reviewer(cli)};
    uint64_t findings;
    if (!condition_of(cli, &wish.condition, e) || !collection_of(cli, store, &wish.collection, e))
        return false;
    if (cli_flag(cli, "dry-run")) {
        if (!store_exception_try(store, &wish, &findings, e))
            return false;
        printf(cli->output == OUTPUT_JSON ? "{\"findings\":%" PRIu64 "}\n" : "it would set aside %" PRIu64 " findings\n", findings);
        return true;
    }
    if (!store_exception_add(store, &wish, &cli->arena, &row, e))
        return false;
    print_rows(cli, &row, 1);
    return true;
}

static bool take_back(struct cli *cli, struct store *store, struct err *e)
{
    uint64_t reopened, all = 0;
    for (size_t i = 1; i < cli->nargs; i++, all += reopened)
        if (!store_exception_delete(store, slice_str(cli->args[i]), &reopened, e))
            return false;
    printf(cli->output == OUTPUT_JSON ? "{\"reopened\":%" PRIu64 "}\n" : "%" PRIu64 " findings are open again\n", all);
    return true;
}

int cmd_exceptions(struct cli *cli)
{
    static const struct verb verbs[] = {
        {"list", list, STORE_READ, 1, 1, NULL},
        {"add", add, STORE_WRITE, 2, SIZE_MAX, "the id of a detector"},
        {"delete", take_back, STORE_WRITE, 1, SIZE_MAX, NULL},
        {0},
    };
    return cli_verb(cli, verbs);
}
