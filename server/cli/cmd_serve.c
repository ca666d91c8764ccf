#include "base/log.h"
#include "cli/cli.h"
#include "http/http.h"
#include "ingest/ingest.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum { LOOK_FOR_SIGNAL_US = 50000 };

/* The sample, when nobody has put anything in yet. */
static bool load_sample(struct cli *cli, struct err *e)
{
    struct store *store;
    struct collection_rows rows;
    const struct page page = {.limit = 1};
    if (!cli_open(cli, STORE_WRITE, &store, e))
        return false;
    bool ok = store_collections(store, &page, &cli->arena, &rows, e);
    store_close(store);
    if (!ok || rows.n)
        return ok;
    struct ruleset *rules;
    struct collection_row collection;
    struct ingest_report report;
    if (!cli_rules(cli, NULL, slice_str(INGEST_SAMPLE), &rules, e)) /* the database is empty */
        return false;
    ok = ingest_sample(cli->db, rules, &cli->arena, &collection, &report, e);
    ruleset_unref(rules);
    if (ok)
        log_info("loaded the sample collection: %" PRIu64 " runs, read and checked in %.2f s", report.runs[PUT_NEW], report.seconds);
    return ok;
}

static bool set_log(const struct cli *cli, struct err *e)
{
    const char *form = cli_option(cli, "log"), *word = cli_option(cli, "log-level");
    enum log_level level = cli->quiet ? LOG_ERROR : LOG_INFO;
    if (form && strcmp(form, "text") != 0 && strcmp(form, "json") != 0)
        return err_set(e, ERR_USAGE, "--log is text or json, not '%s'", form);
    if (word && !log_level_parse(slice_str(word), &level))
        return err_set(e, ERR_USAGE, "--log-level is debug, info, warning or error, not '%s'", word);
    log_set_level(level);
    log_set_json(form && strcmp(form, "json") == 0);
    return true;
}

int cmd_serve(struct cli *cli)
{
    struct err e = {0};
    if (!cli_settings(cli, &e) || !set_log(cli, &e))
        return cli_fail(&e);
    const char *listen = cli_option(cli, "listen");
    const struct slices hosts = cli_options(cli, "host"), proxies = cli_options(cli, "behind-proxy");
    struct http_options options = {
        .db = cli->db,
        .listen = listen ? listen : "127.0.0.1:8787",
        .hosts = hosts.items,
        .nhosts = hosts.n,
        .proxies = proxies.items,
        .nproxies = proxies.n,
        .tls_cert = cli_option(cli, "tls-cert"),
        .tls_key = cli_option(cli, "tls-key"),
        .web_dir = cli_option(cli, "web-dir"),
        .rules = cli_rulebook_options(cli),
    };
    int64_t workers, megabytes;
    struct store *store;
    struct http *http;
    if (!cli_number(cli, "workers", 0, &workers, &e) || !cli_number(cli, "max-upload", 0, &megabytes, &e) ||
        (cli_flag(cli, "sample") && !load_sample(cli, &e)))
        return cli_fail(&e);
    if (!cli_open(cli, STORE_WRITE, &store, &e)) /* makes its folder, and says early what is wrong with it */
        return cli_fail(&e);
    store_close(store);
    options.upload_max = megabytes < INT64_C(1) << 40 ? (uint64_t)megabytes << 20 : 0;
    options.workers = workers > 16 ? 16 : (int)workers;
    if (!http_start(&options, &http, &e))
        return cli_fail(&e);
    fprintf(stderr, "listening on %s\n", http_url(http));
    while (!atomic_load(&cli_stop))
        usleep(LOOK_FOR_SIGNAL_US);
    log_info("stopping");
    if (!http_stop(http))
        _exit(0); /* work that would not end in time: its job is in the queue, and the database is made for this */
    return 0;
}
