#include "base/log.h"
#include "base/notify.h"
#include "cli/cli.h"
#include "http/serve.h"
#include "ingest/ingest.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
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

/* ---- settings that are read again ------------------------------------------------------------------------------------------- */

/* Options that a reload takes over; the others are those of the start. */
static const char *const live[] = {"log", "log-level", "redact", "rules", "keep", "max-db"};

struct serving {
    struct cli *cli;
    struct serve *serve;
    pthread_mutex_t lock; /* of both, while they are read again */
    struct arena arena;
    struct slice first[CLI_OPTIONS]; /* the values of the options at the start, in their order */
};

static atomic_bool wants_reload;

static void on_hangup(int number)
{
    (void)number;
    atomic_store(&wants_reload, true);
}

static bool is_live(const char *name)
{
    for (size_t i = 0; i < sizeof live / sizeof *live; i++)
        if (strcmp(name, live[i]) == 0)
            return true;
    return false;
}

/* The values of an option, one a line. */
static struct slice values_of(struct cli *cli, const struct option_row *row, struct arena *a)
{
    struct slice text = slice_of("", 0);
    for (size_t i = 0; i < cli->noptions; i++)
        if (cli->options[i].row == row)
            text = arena_printf(a, "%.*s%s\n", SLICE_ARG(text), row->value ? cli->options[i].value : "");
    return text;
}

/* Those that are not what the server was started with: in the log, and into `e`, for the answer. */
static void tell_what_waits(const struct serving *s, struct arena *a, struct err *e)
{
    struct slice names = slice_str("");
    const struct slice *first = s->first;
    for (const struct option_row *row = s->cli->command->options; row->name; row++, first++)
        if (!is_live(row->name) && !slice_eq(*first, values_of(s->cli, row, a))) {
            log_warn("--%s has changed: that holds when the server starts again", row->name);
            names = arena_printf(a, "%.*s%s%s", SLICE_ARG(names), names.len ? ", " : "", row->name);
        }
    if (names.len)
        snprintf(e->text, sizeof e->text, "changed, and holds when the server starts again: %.*s", SLICE_ARG(names));
}

/* What a reload takes over. */
static bool live_options(struct cli *cli, struct serve_options *out, struct err *e)
{
    const char *keep = cli_option(cli, "keep"), *most = cli_option(cli, "max-db");
    out->rules = cli_rulebook_options(cli);
    if (keep && !keep_parse(slice_str(keep), KEEP_SERVER, &out->keep, e))
        return err_prefix(e, "--keep");
    return !most || max_db_parse(slice_str(most), &out->database_max, e);
}

static bool read_again(struct serving *s, struct err *e)
{
    struct arena a = {0};
    struct serve_options options = {0};
    const char *config = s->cli->config;
    bool ok = cli_settings(s->cli, e) && set_log(s->cli, e) && live_options(s->cli, &options, e);
    ok = ok && serve_reload(s->serve, &options, e);
    if (ok)
        tell_what_waits(s, &a, e);
    else
        s->cli->config = config; /* one that was never taken over may go again */
    arena_free(&a);
    return ok;
}

static bool reload(void *ctx, struct err *e)
{
    struct serving *s = ctx;
    pthread_mutex_lock(&s->lock);
    bool ok = read_again(s, e);
    pthread_mutex_unlock(&s->lock);
    if (ok)
        log_info("rules and settings were read again");
    else
        log_error("not everything could be read again, and that stays as it was: %s", e->text);
    return ok;
}

/* ---- serve ---------------------------------------------------------------------------------------------------------------- */

static void serve_until_stopped(struct serving *s)
{
    while (!atomic_load(&cli_stop)) {
        struct err e = {0};
        if (atomic_exchange(&wants_reload, false))
            reload(s, &e);
        usleep(LOOK_FOR_SIGNAL_US);
    }
}

int cmd_serve(struct cli *cli)
{
    struct err e = {0};
    if (!cli_settings(cli, &e) || !set_log(cli, &e))
        return cli_fail(&e);
    const char *listen = cli_option(cli, "listen");
    const struct slices hosts = cli_options(cli, "host"), proxies = cli_options(cli, "behind-proxy");
    struct serve_options options = {
        .db = cli->db,
        .listen = listen ? listen : "127.0.0.1:8787",
        .hosts = hosts.items,
        .nhosts = hosts.n,
        .proxies = proxies.items,
        .nproxies = proxies.n,
        .require_token = cli_flag(cli, "require-token"),
        .insecure = cli_flag(cli, "insecure"),
        .tls_cert = cli_option(cli, "tls-cert"),
        .tls_key = cli_option(cli, "tls-key"),
        .private_webhooks = cli_flag(cli, "private-webhooks"),
        .web_dir = cli_option(cli, "web-dir"),
        .upload_max = (uint64_t)cli_number(cli, "max-upload", 0) << 20,
        .workers = (int)cli_number(cli, "workers", 0),
    };
    struct store *store;
    if (!live_options(cli, &options, &e) || (cli_flag(cli, "sample") && !load_sample(cli, &e)))
        return cli_fail(&e);
    if (!cli_open(cli, STORE_WRITE, &store, &e)) /* makes its folder, and says early what is wrong with it */
        return cli_fail(&e);
    store_close(store);
    struct serving serving = {.cli = cli, .lock = PTHREAD_MUTEX_INITIALIZER};
    size_t n = 0;
    for (const struct option_row *row = cli->command->options; row->name && n < CLI_OPTIONS; row++)
        serving.first[n++] = values_of(cli, row, &serving.arena);
    options.reload = reload;
    options.reload_ctx = &serving;
    sigaction(SIGHUP, &(struct sigaction){.sa_handler = on_hangup}, NULL);
    pthread_mutex_lock(&serving.lock); /* a request may come before serve_start has returned */
    bool started = serve_start(&options, &serving.serve, &e);
    pthread_mutex_unlock(&serving.lock);
    if (!started) {
        arena_free(&serving.arena);
        return cli_fail(&e);
    }
    fprintf(stderr, "listening on %s\n", serve_url(serving.serve));
    notify_manager("READY=1");
    serve_until_stopped(&serving);
    notify_manager("STOPPING=1");
    log_info("stopping");
    if (!serve_stop(serving.serve))
        _exit(0); /* work that would not end in time: its job is in the queue, and the database is made for this */
    arena_free(&serving.arena);
    return 0;
}
