/* The commands that change what is stored: tag and delete. */
#include "cli/cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

int cmd_tag(struct cli *cli)
{
    struct err e = {0};
    struct store *store = NULL;
    struct collection_row collection;
    struct filter filter;
    uint64_t changed = 0;
    bool remove = cli_flag(cli, "remove");
    bool ok = cli_open(cli, STORE_WRITE, &store, &e) && cli_collection(cli, store, &collection, &e) &&
              cli_filter(cli, collection.id, &filter, &e) && store_tag(store, &filter, slice_str(cli->args[0]), !remove, &changed, &e);
    store_close(store);
    if (!ok)
        return cli_fail(&e);
    if (cli->output == OUTPUT_JSON)
        printf("{\"changed\":%" PRIu64 "}\n", changed);
    else
        printf("%" PRIu64 " run%s %s\n", changed, changed == 1 ? "" : "s", remove ? "no longer tagged" : "tagged");
    return 0;
}

static bool confirm(struct cli *cli, struct slice what, struct err *e)
{
    if (cli_flag(cli, "yes"))
        return true;
    if (!isatty(STDIN_FILENO))
        return err_set(e, ERR_USAGE, "this deletes %.*s for good; say --yes", SLICE_ARG(what));
    fprintf(stderr, "delete %.*s for good? [y/N] ", SLICE_ARG(what));
    int answer = getchar();
    return answer == 'y' || answer == 'Y' || err_set(e, ERR_CANCELLED, "nothing was deleted");
}

static bool delete_collection(struct cli *cli, struct store *store, struct err *e)
{
    struct collection_row row;
    if (!store_collection(store, slice_str(cli->args[1]), &cli->arena, &row, e))
        return false;
    cli->actor.target = row.name;
    cli->actor.detail = arena_printf(&cli->arena, "{\"id\":\"%.*s\",\"runs\":%" PRId64 "}", SLICE_ARG(row.id), row.runs);
    return confirm(cli, arena_printf(&cli->arena, "collection %.*s with its %" PRId64 " runs", SLICE_ARG(row.name), row.runs), e) &&
           store_collection_delete(store, row.id, e);
}

static bool delete_run(struct cli *cli, struct store *store, struct err *e)
{
    struct run_row row;
    cli->actor.target = slice_str(cli->args[1]);
    return store_run(store, slice_str(cli->args[1]), &cli->arena, &row, e) &&
           confirm(cli, arena_printf(&cli->arena, "run %.*s of task %.*s", SLICE_ARG(row.run.external_id), SLICE_ARG(row.run.task_id)), e) &&
           store_run_delete(store, row.run.id, e);
}

/* All that the filters name. */
static bool delete_runs(struct cli *cli, struct store *store, uint64_t *deleted, struct err *e)
{
    struct collection_row collection;
    struct filter filter;
    uint64_t named;
    return cli_collection(cli, store, &collection, e) && cli_filter(cli, collection.id, &filter, e) &&
           store_runs_delete(store, &filter, true, &named, e) &&
           confirm(cli, arena_printf(&cli->arena, "%" PRIu64 " of the %" PRId64 " runs of collection %.*s", named, collection.runs, SLICE_ARG(collection.name)), e) &&
           store_runs_delete(store, &filter, false, deleted, e);
}

int cmd_delete(struct cli *cli)
{
    struct err e = {0};
    struct store *store = NULL;
    uint64_t deleted = 1;
    const char *what = cli->args[0];
    bool runs = strcmp(what, "runs") == 0, run = strcmp(what, "run") == 0, ok = runs || run || strcmp(what, "collection") == 0;
    if (!ok)
        err_set(&e, ERR_USAGE, "delete what? run, runs or collection, not '%s'", what);
    else if (cli->nargs != (runs ? 1 : 2))
        ok = err_set(&e, ERR_USAGE, runs ? "delete runs takes filters, no ids" : "delete %s takes one id", what);
    ok = ok && cli_open(cli, STORE_WRITE, &store, &e) &&
         (runs ? delete_runs(cli, store, &deleted, &e) : run ? delete_run(cli, store, &e) : delete_collection(cli, store, &e));
    store_close(store);
    if (ok && cli->output == OUTPUT_JSON)
        printf("{\"deleted\":%" PRIu64 "}\n", deleted);
    else if (ok && runs)
        printf("%" PRIu64 " run%s deleted\n", deleted, deleted == 1 ? "" : "s");
    return ok ? 0 : cli_fail(&e);
}
