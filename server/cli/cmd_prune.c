/* What keeps a database small: prune and vacuum. */
#include "cli/cli.h"
#include "storage/care.h"

#include <inttypes.h>
#include <stdio.h>

enum { VACUUM_PAGES = 256 }; /* 4 MB in one step: a server writes in between */

static void print_pruned(const struct cli *cli, const struct pruned *p, bool dry_run)
{
    if (cli->output == OUTPUT_JSON) {
        printf("{\"deleted\":%" PRIu64 ",\"spared\":%" PRIu64 ",\"over_bytes\":%" PRId64 "}\n", p->deleted, p->spared, p->over_bytes);
        return;
    }
    printf("%" PRIu64 " run%s %s; %" PRIu64 " past their time stay, as somebody works with them\n", p->deleted, p->deleted == 1 ? "" : "s",
           dry_run ? "would be deleted" : "deleted", p->spared);
    if (p->over_bytes)
        printf("the database uses %.1f MB more than it is to%s\n", (double)p->over_bytes / (1 << 20), dry_run ? ", and the oldest runs would go too" : "");
}

int cmd_prune(struct cli *cli)
{
    struct err e = {0};
    struct store *store = NULL;
    struct collection_row collection = {0};
    struct pruned pruned;
    const char *keep = cli_option(cli, "keep"), *name = cli_option(cli, "collection");
    struct prune_wish wish = {.dry_run = cli_flag(cli, "dry-run"), .stop = &cli_stop};
    bool ok = (!keep || keep_parse(slice_str(keep), KEEP_SERVER, &wish.keep, &e)) && cli_open(cli, STORE_WRITE, &store, &e) &&
              (!name || store_collection(store, slice_str(name), &cli->arena, &collection, &e));
    wish.collection = collection.id;
    ok = ok && store_prune(store, &wish, &pruned, &e);
    store_close(store);
    if (!ok)
        return cli_fail(&e);
    print_pruned(cli, &pruned, wish.dry_run);
    return 0;
}

int cmd_vacuum(struct cli *cli)
{
    struct err e = {0};
    struct store *store = NULL;
    struct store_sizes before, after;
    bool more = true, ok = cli_open(cli, STORE_WRITE, &store, &e) && store_sizes(store, &before, &e);
    if (ok && before.fixed && !cli->quiet)
        fprintf(stderr, "writing the database anew, %.1f MB, once: others can read meanwhile, and not write\n", (double)before.bytes / (1 << 20));
    while (ok && more && !atomic_load(&cli_stop))
        ok = store_vacuum(store, VACUUM_PAGES, &more, &e);
    ok = ok && store_sizes(store, &after, &e);
    store_close(store);
    if (!ok)
        return cli_fail(&e);
    if (cli->output == OUTPUT_JSON)
        printf("{\"bytes\":%" PRId64 ",\"given_back\":%" PRId64 "}\n", after.bytes, before.bytes - after.bytes);
    else
        printf("%.1f MB given back; the database has %.1f MB\n", (double)(before.bytes - after.bytes) / (1 << 20), (double)after.bytes / (1 << 20));
    return 0;
}
