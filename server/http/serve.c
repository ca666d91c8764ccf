#include "http/serve.h"

#include "base/clock.h"
#include "base/log.h"
#include "detect/detect.h"
#include "http/access.h"
#include "http/http.h"
#include "http/listen.h"
#include "http/metrics.h"
#include "http/tls.h"
#include "jobs/hooks.h"
#include "jobs/jobs.h"
#include "jobs/rubrics.h"
#include "text/secrets.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
    TICK_MS = 50,
    STOP_US = 9000000,
};
#define UPLOAD_MAX (UINT64_C(8) << 30)

struct serve {
    struct server server;
    struct http http;
    struct arena arena;
    struct jobs_options jobs_options;
    struct limits limits;
    int listener;
    const char *url;
    pthread_t ticker;
    bool ticking;
    atomic_bool ending;
};

/* ---- start ------------------------------------------------------------------------------------------------------------- */

static void *tick(void *arg)
{
    struct serve *serve = arg;
    const struct timespec pause = {.tv_nsec = TICK_MS * 1000000L};
    while (!atomic_load(&serve->ending)) {
        watch_tick(serve->http.watch);
        lanes_wake(serve->http.lanes, SLICE_NONE);
        nanosleep(&pause, NULL);
    }
    return NULL;
}

static void job_ended(void *ctx, struct slice job)
{
    struct serve *serve = ctx;
    lanes_wake(serve->http.lanes, job);
    hooks_wake(serve->server.hooks);
}

static bool load_rules(struct serve *serve, const struct serve_options *o, struct err *e)
{
    struct problems problems = {0};
    const char *config = rulebook_config(&o->rules);
    serve->server.config = config ? arena_strdup(&serve->arena, slice_str(config)) : NULL;
    if (!rulebook_load(&o->rules, &serve->arena, &problems, &serve->server.rules, e))
        return false;
    for (size_t i = 0; i < problems.n; i++)
        log_warn("%.*s:%d:%d: %.*s", SLICE_ARG(problems.items[i].file), problems.items[i].line, problems.items[i].column,
                 SLICE_ARG(problems.items[i].message));
    return true;
}

/* What the database must hold before the first request: where uploads wait, and the shipped rubrics. */
static bool open_database(struct serve *serve, const struct serve_options *o, struct err *e)
{
    struct store *s;
    if (!store_open(o->db, STORE_WRITE, &s, e))
        return false;
    const char *dir = store_spool_dir(s, e);
    serve->server.spool = (struct spool){.dir = dir ? arena_strdup(&serve->arena, slice_str(dir)) : NULL,
                                          .max = o->upload_max ? o->upload_max : UPLOAD_MAX};
    bool ok = dir && rubrics_install(s, e);
    store_close(s);
    return ok;
}

static const struct slice *keep_texts(struct arena *a, const struct slice *texts, size_t n)
{
    struct slice *kept = arena_array(a, struct slice, n + 1);
    for (size_t i = 0; i < n; i++)
        kept[i] = arena_dup(a, texts[i]);
    return kept;
}

static bool load_certificate(struct serve *serve, const struct serve_options *o, struct err *e)
{
    if (!o->tls_cert != !o->tls_key)
        return err_set(e, ERR_USAGE, "TLS needs both, the certificate and its key");
    serve->http.tls = o->tls_cert;
    if (serve->http.tls && !http_has_tls())
        return err_set(e, ERR_USAGE, "the HTTP library was built without TLS; put a reverse proxy in front");
    return !serve->http.tls || tls_load(o->tls_cert, o->tls_key, e);
}

static void set_limits(struct serve *serve, const struct serve_options *o)
{
    atomic_store(&serve->limits.keep_age_us, o->keep.age_us);
    atomic_store(&serve->limits.keep_bytes, o->keep.bytes);
    atomic_store(&serve->limits.database_bytes, o->database_max);
}

/* The socket, the names by which clients may call it, and whose word is taken for where they are. */
static bool open_listener(struct serve *serve, const struct serve_options *o, struct listener *at, struct err *e)
{
    if (!listener_open(o->listen, &serve->arena, at, e))
        return false;
    serve->listener = at->fd;
    serve->url = arena_printf(&serve->arena, "%s://%.*s:%d", serve->http.tls ? "https" : "http", SLICE_ARG(at->host), at->port).ptr;
    struct gate *gate = &serve->http.gate;
    gate_init(gate, &serve->arena, at->host, at->any, (uint16_t)at->port, serve->http.tls);
    gate->names = keep_texts(&serve->arena, o->hosts, o->nhosts);
    gate->nnames = o->nhosts;
    return proxies_init(&serve->http.proxies, &serve->arena, o->proxies, o->nproxies, e);
}

/* Are tokens asked for? */
static bool is_closed(const struct serve *serve, const struct serve_options *o, const struct listener *at)
{
    bool reached = !at->loopback || o->nproxies || o->nhosts; /* who comes through a proxy comes from loopback too */
    bool closed = o->require_token || (reached && !o->insecure);
    if (reached && !closed)
        log_warn("--insecure: everybody who reaches %s may read and change everything", serve->url);
    if (closed && !at->loopback && !serve->http.tls && !o->nproxies)
        log_warn("%s has no TLS: tokens and everything else can be read on their way; give --tls-cert and --tls-key, or name the proxy that has it with"
                 " --behind-proxy", serve->url);
    return closed;
}

static bool start_all(struct serve *serve, const struct serve_options *o, struct err *e)
{
    struct server *server = &serve->server;
    struct http *http = &serve->http;
    struct listener at;
    set_limits(serve, o);
    server->db = arena_strdup(&serve->arena, slice_str(o->db));
    server->web_dir = o->web_dir ? arena_strdup(&serve->arena, slice_str(o->web_dir)) : NULL;
    server->limits = &serve->limits;
    server->metrics = metrics_new();
    server->reload = o->reload;
    server->reload_ctx = o->reload_ctx;
    http->server = server;
    http->watch = watch_new(http_connections() / 4 * 3, o->tls_cert);
    if (!load_certificate(serve, o, e) || !open_listener(serve, o, &at, e))
        return false;
    bool closed = is_closed(serve, o, &at);
    if (!open_database(serve, o, e) || !access_open(server->db, closed, &server->access, e) || !load_rules(serve, o, e) ||
        !lanes_start(server->db, &http->lanes, e))
        return false;
    serve->jobs_options = (struct jobs_options){.db = server->db, .spool = &server->spool, .rules = server->rules, .limits = &serve->limits,
                                                .config = server->config, .threads = o->workers, .ended = job_ended, .ctx = serve};
    if (!hooks_start(server->db, o->private_webhooks, &server->hooks, e) || !jobs_start(&serve->jobs_options, &server->jobs, e) ||
        !http_start(http, at.fd, at.ipv6, e))
        return false;
    serve->ticking = pthread_create(&serve->ticker, NULL, tick, serve) == 0;
    return serve->ticking || err_set(e, ERR_IO, "cannot start a thread");
}

bool serve_start(const struct serve_options *options, struct serve **out, struct err *e)
{
    struct serve *serve = calloc(1, sizeof *serve);
    sigset_t all, before;
    if (!serve)
        return err_set(e, ERR_IO, "out of memory");
    serve->listener = -1;
    signal(SIGPIPE, SIG_IGN);
    sigfillset(&all); /* the threads leave signals to whoever called us */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool ok = start_all(serve, options, e);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!ok) {
        serve_stop(serve);
        return false;
    }
    *out = serve;
    return true;
}

const char *serve_url(const struct serve *serve) { return serve->url; }

static void warn_of_redaction(const struct secrets *before, const struct secrets *now)
{
    if (!secrets_same(before, now))
        log_warn("redaction has changed: %s", !now ? "it is off, and secrets are stored from now on" :
                 before ? "other secrets than before are redacted from now on" : "secrets are redacted from now on");
}

bool serve_reload(struct serve *serve, const struct serve_options *options, struct err *e)
{
    struct rulebook *rules = serve->server.rules;
    struct secrets *before = rulebook_secrets(rules), *now;
    set_limits(serve, options);
    bool shown = tls_reload(e);
    bool read = rulebook_reload(rules, &options->rules, shown ? e : NULL);
    warn_of_redaction(before, now = rulebook_secrets(rules));
    secrets_unref(before);
    secrets_unref(now);
    return read && shown;
}

/* ---- stop -------------------------------------------------------------------------------------------------------------- */

bool serve_stop(struct serve *serve)
{
    struct server *server = &serve->server;
    struct http *http = &serve->http;
    int64_t deadline = clock_monotonic_us() + STOP_US;
    bool all = true;
    atomic_store(&server->stopping, true);
    http_quiesce(http);
    if (serve->listener >= 0)
        close(serve->listener);
    if (server->jobs)
        all = jobs_stop(server->jobs, deadline);
    if (server->hooks)
        all = hooks_stop(server->hooks, deadline) && all;
    if (http->lanes)
        lanes_drain(http->lanes);
    http_wait(http, deadline - STOP_US / 3); /* a client that is still sending has had its chance */
    atomic_store(&serve->ending, true);
    if (serve->ticking)
        pthread_join(serve->ticker, NULL);
    all = (!http->lanes || lanes_stop(http->lanes, deadline)) && all;
    if (!all) {
        log_error("some work did not end in time");
        return false;
    }
    http_stop(http);
    tls_free();
    if (http->lanes)
        lanes_free(http->lanes);
    if (server->jobs)
        jobs_free(server->jobs);
    if (server->hooks)
        hooks_free(server->hooks);
    access_close(server->access);
    rulebook_free(server->rules);
    metrics_free(server->metrics);
    watch_free(http->watch);
    arena_free(&serve->arena);
    free(serve);
    return true;
}
