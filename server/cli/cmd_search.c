#include "base/clock.h"
#include "cli/cli.h"
#include "view/view.h"

#include <stdio.h>
#include <unistd.h>

enum { PAGE = 500, SEARCH_SECONDS = 600 };

static const struct column columns[] = {
    {"run", "external_id", 28, false}, {"task", "task_id", 20, false}, {"message", "message", 0, true}, {"role", "role", 0, false},
    {"part", "part", 20, false}, {"line", "line", 160, false}, {0},
};

static const struct column facet_columns[] = {{"field", "field", 0, false}, {"value", "value", 60, false}, {"hits", "hits", 0, true}, {0}};

static bool search(struct cli *cli, struct store *store, struct search_query *q, struct err *e)
{
    int64_t left = cli_number(cli, "limit", INT64_MAX);
    struct rows rows = rows_start(cli, columns);
    struct arena arenas[2] = {{0}, {0}};
    struct search_hits hits;
    bool ok = true;
    for (int turn = 0; ok && left > 0 && !atomic_load(&cli_stop); turn ^= 1) {
        q->limit = left < PAGE ? (uint32_t)left : PAGE;
        arena_reset(&arenas[turn]);
        if (!(ok = store_search(store, q, &arenas[turn], &hits, e)))
            break;
        for (size_t i = 0; i < hits.n; i++) {
            view_search_hit(rows_next(&rows), &hits.items[i]);
            rows_add(&rows);
        }
        left -= (int64_t)hits.n;
        q->after = hits.end.next;
        if (hits.incomplete) {
            fprintf(stderr, "telltale: the search is incomplete: %.*s\n", SLICE_ARG(hits.reason));
            break;
        }
        if (!q->after.ptr)
            break;
    }
    if (ok && atomic_load(&cli_stop))
        ok = err_set(e, ERR_CANCELLED, "stopped before the end of the list");
    if (ok)
        rows_end(&rows, SLICE_NONE);
    else
        rows_drop(&rows);
    arena_free(&arenas[0]);
    arena_free(&arenas[1]);
    return ok;
}

/* A row for each value of each field. */
static bool count(struct cli *cli, struct store *store, const struct search_query *q, struct err *e)
{
    struct search_facets facets;
    if (!store_search_facets(store, q, &cli->arena, &facets, e))
        return false;
    struct rows rows = rows_start(cli, facet_columns);
    for (enum search_field f = 0; f < SEARCH_FIELDS; f++)
        for (size_t i = 0; i < facets.fields[f].n; i++) {
            struct jsonw *j = rows_next(&rows);
            jsonw_object(j);
            jsonw_kstrz(j, "field", search_field_name(f));
            jsonw_kstr(j, "value", facets.fields[f].values[i].value);
            jsonw_kint(j, "hits", facets.fields[f].values[i].hits);
            jsonw_end(j);
            rows_add(&rows);
        }
    rows_end(&rows, arena_printf(&cli->arena, "\"total\":%lld,\"complete\":%s", (long long)facets.total, facets.complete ? "true" : "false"));
    if (!facets.complete)
        fprintf(stderr, "telltale: the count is incomplete: %.*s\n", SLICE_ARG(facets.reason));
    return true;
}

int cmd_search(struct cli *cli)
{
    struct err e = {0};
    struct store *store = NULL;
    atomic_store(&cli_stop_at_once, true);
    struct collection_row collection;
    struct search_query q = {
        .pattern = slice_str(cli->args[0]),
        .regex = cli_flag(cli, "regex"),
        .match_case = cli_flag(cli, "case"),
        .role = slice_str(cli_option(cli, "role")),
        .tool = slice_str(cli_option(cli, "tool")),
        .deadline_us = clock_monotonic_us() + INT64_C(1000000) * SEARCH_SECONDS,
    };
    bool ok = cli_open(cli, STORE_READ, &store, &e);
    struct slice id = SLICE_NONE;
    if (ok && cli_option(cli, "collection")) {
        ok = cli_collection(cli, store, &collection, &e);
        id = ok ? collection.id : SLICE_NONE;
    }
    ok = ok && cli_filter(cli, id, &q.runs, &e) && (cli_flag(cli, "facets") ? count(cli, store, &q, &e) : search(cli, store, &q, &e));
    store_close(store);
    return ok ? 0 : cli_fail(&e);
}
