#include "base/clock.h"
#include "cli/cli.h"
#include "view/view.h"

#include <stdio.h>
#include <unistd.h>

enum { PAGE = 500, ROW_BYTES = 16 << 20, SEARCH_SECONDS = 600 };

static const struct column columns[] = {
    {"run", "external_id", 28, false}, {"task", "task_id", 20, false}, {"message", "message", 0, true}, {"role", "role", 0, false},
    {"part", "part", 20, false}, {"line", "line", 160, false}, {0},
};

static bool search(struct cli *cli, struct store *store, struct search_query *q, struct err *e)
{
    int64_t left;
    if (!cli_number(cli, "limit", INT64_MAX, &left, e))
        return false;
    struct rows rows = rows_start(cli, columns);
    struct arena arenas[2] = {{0}, {0}};
    struct str text = STR_INIT(ROW_BYTES);
    struct search_hits hits;
    bool ok = true;
    for (int turn = 0; ok && left > 0 && !atomic_load(&cli_stop); turn ^= 1) {
        q->limit = left < PAGE ? (uint32_t)left : PAGE;
        arena_reset(&arenas[turn]);
        if (!(ok = store_search(store, q, &arenas[turn], &hits, e)))
            break;
        for (size_t i = 0; i < hits.n; i++) {
            str_reset(&text);
            struct jsonw j = jsonw_to(&text);
            view_search_hit(&j, &hits.items[i]);
            rows_add(&rows, str_slice(&text));
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
    str_free(&text);
    arena_free(&arenas[0]);
    arena_free(&arenas[1]);
    return ok;
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
        .model = slice_str(cli_option(cli, "model")),
        .task = slice_str(cli_option(cli, "task")),
        .success = slice_str(cli_option(cli, "success")),
        .deadline_us = clock_monotonic_us() + INT64_C(1000000) * SEARCH_SECONDS,
    };
    bool ok = cli_open(cli, STORE_READ, &store, &e);
    if (ok && cli_option(cli, "collection")) {
        ok = cli_collection(cli, store, &collection, &e);
        q.collection = ok ? collection.id : SLICE_NONE;
    }
    ok = ok && search(cli, store, &q, &e);
    store_close(store);
    return ok ? 0 : cli_fail(&e);
}
