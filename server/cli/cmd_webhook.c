#include "cli/cli.h"
#include "jobs/hooks.h"
#include "llm/address.h"
#include "view/webhooks.h"

#include <stdio.h>

static const struct column columns[] = {
    {"id", "id", 0, false}, {"url", "url", 60, false}, {"events", "events", 60, false}, {"collection", "collection.name", 24, false},
    {"links to", "page", 40, false}, {"paused", "paused", 0, false}, {"waiting", "waiting", 0, true}, {"told", "delivered", 0, true}, {"given up", "failed", 0, true},
    {"last", "last_at", 27, false}, {"status", "last_status", 0, true}, {"error", "last_error", 60, false}, {0},
};
static const struct column delivery_columns[] = {
    {"id", "id", 0, false}, {"event", "event", 0, false}, {"state", "state", 0, false}, {"tries", "attempts", 0, true}, {"status", "status", 0, true},
    {"error", "error", 60, false}, {"made", "created_at", 27, false}, {"next", "next_at", 27, false}, {0},
};

static void print_webhooks(struct cli *cli, const struct webhook_row *items, size_t n, struct slice secret)
{
    struct rows rows = rows_start(cli, columns);
    for (size_t i = 0; i < n; i++) {
        view_webhook(rows_next(&rows), &items[i], secret);
        rows_add(&rows);
    }
    rows_end(&rows, SLICE_NONE);
}

static void print_deliveries(struct cli *cli, const struct delivery_row *items, size_t n)
{
    struct rows rows = rows_start(cli, delivery_columns);
    for (size_t i = 0; i < n; i++) {
        view_delivery(rows_next(&rows), &items[i]);
        rows_add(&rows);
    }
    rows_end(&rows, SLICE_NONE);
}

static bool list(struct cli *cli, struct store *store, struct err *e)
{
    struct webhook_rows rows;
    if (!store_webhooks(store, &cli->arena, &rows, e))
        return false;
    print_webhooks(cli, rows.items, rows.n, SLICE_NONE);
    return true;
}

static bool add(struct cli *cli, struct store *store, struct err *e)
{
    const char *page = cli_option(cli, "page");
    const struct slices events = cli_options(cli, "event");
    struct webhook_row row, wish = {.url = slice_str(cli->args[1]), .collection = slice_str(cli_option(cli, "collection")),
                                    .page = slice_str(page ? page : "http://127.0.0.1:8787")};
    struct slice secret;
    struct address where;
    const char *inside;
    for (size_t i = 0; i < events.n; i++)
        if (!webhook_event_parse(events.items[i], &wish.events, e))
            return false;
    if (!address_parse(wish.page, &cli->arena, &where, e))
        return err_prefix(e, "--page");
    wish.page = where.base;
    if (!hooks_url(wish.url, &cli->arena, &inside, e))
        return false;
    struct slice rest = wish.url, scheme = slice_take(&rest, '/');
    slice_take(&rest, '/');
    struct slice place = slice_take(&rest, '/'), host = slice_take(&place, '?');
    cli->actor.target = arena_printf(&cli->arena, "%.*s//%.*s", SLICE_ARG(scheme), SLICE_ARG(host)); /* the path of many is a secret */
    if (!store_webhook_add(store, &wish, &cli->arena, &row, &secret, e))
        return false;
    print_webhooks(cli, &row, 1, secret);
    if (inside && !cli->quiet)
        fprintf(stderr, "telltale: that is %s: a server tells nothing there unless it is started with --private-webhooks\n", inside);
    if (!page && !cli->quiet)
        fprintf(stderr, "telltale: its links begin with %.*s: where people open the page at another address, that is said with --page URL\n", SLICE_ARG(row.page));
    if (cli->output != OUTPUT_JSON && cli->output != OUTPUT_JSONL)
        printf("\nsecret: %.*s\nIt is shown this once: whoever answers at the URL checks signatures with it.\n", SLICE_ARG(secret));
    return true;
}

static bool each(struct cli *cli, struct store *store, int paused, struct err *e)
{
    struct webhook_row row;
    cli->actor.target = cli_arguments(cli, 1);
    for (size_t i = 1; i < cli->nargs; i++) {
        struct slice id = slice_str(cli->args[i]);
        if (!(paused < 0 ? store_webhook_delete(store, id, e) : store_webhook_change(store, id, 0, paused, &cli->arena, &row, e)))
            return false;
    }
    return true;
}

static bool take_away(struct cli *cli, struct store *store, struct err *e) { return each(cli, store, -1, e); }
static bool pause_them(struct cli *cli, struct store *store, struct err *e) { return each(cli, store, 1, e); }
static bool resume(struct cli *cli, struct store *store, struct err *e) { return each(cli, store, 0, e); }

static bool test(struct cli *cli, struct store *store, struct err *e)
{
    struct delivery_row row;
    if (!store_delivery_test(store, slice_str(cli->args[1]), &cli->arena, &row, e))
        return false;
    print_deliveries(cli, &row, 1);
    if (!cli->quiet)
        fprintf(stderr, "a running server tells it now; telltale webhook deliveries %s shows what came of it\n", cli->args[1]);
    return true;
}

static bool deliveries(struct cli *cli, struct store *store, struct err *e)
{
    struct delivery_rows rows;
    if (!store_deliveries(store, slice_str(cli->args[1]), &cli->arena, &rows, e))
        return false;
    print_deliveries(cli, rows.items, rows.n);
    return true;
}

int cmd_webhook(struct cli *cli)
{
    static const struct verb verbs[] = {
        {"list", list, STORE_READ, 1, 1, NULL},
        {"add", add, STORE_WRITE, 2, 2, "a URL"},
        {"delete", take_away, STORE_WRITE, 2, SIZE_MAX, "an id"},
        {"pause", pause_them, STORE_WRITE, 2, SIZE_MAX, "an id"},
        {"resume", resume, STORE_WRITE, 2, SIZE_MAX, "an id"},
        {"test", test, STORE_WRITE, 2, 2, "an id"},
        {"deliveries", deliveries, STORE_READ, 2, 2, "an id"},
        {0},
    };
    return cli_verb(cli, verbs);
}
