#include "http/http.h"

#include "base/clock.h"
#include "base/inflate.h"
#include "base/log.h"
#include "http/access.h"
#include "http/held.h"
#include "http/metrics.h"
#include "http/record.h"
#include "http/tls.h"
#include "jobs/room.h"

#include <malloc.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum {
    POOL_THREADS = 2,
    CONNECTIONS = 12288,
    CONNECTION_MEMORY = 16 * 1024,  /* also what a request's head may take */
    SILENCE_S = 60,                 /* the library's own timeout; watch.h is stricter */
    HEADERS_MOST = 100,
    JSON_MAX = 1 << 20,             /* a JSON body */
    BYTES_MAX = 32 << 20,           /* a body of BODY_BYTES */
    STRANGER_MAX = 8 << 10,         /* a body for which nobody is asked who they are: times all connections it is less than BODIES_MAX */
    BODIES_MAX = 256 << 20,         /* all JSON bodies in memory at one time, and what unpacks bodies */
    SHORT_ANSWER = 64 << 10,        /* is cleared when it was sent: it may hold a token */
    DRAIN_MAX = 64 << 20,           /* what is read of a body whose request is refused already, so that the client hears why */
};

/* ---- one request and its answer ---------------------------------------------------------------------------------------- */

enum stage {
    STAGE_HEAD,   /* the first call: the head is read */
    STAGE_BODY,   /* the body comes in pieces, then a call without one */
    STAGE_ANSWER, /* the answer is ready (the connection was suspended until then) */
};

struct exchange {
    struct errand errand;      /* first: what a lane hands back is this */
    struct http *http;
    struct MHD_Connection *connection;
    struct watched *watched;
    enum stage stage;
    int64_t began;
    struct framing framing;
    struct err refusal;        /* decided while the body still comes */
    int refused;               /* its status; 0: not */
    uint64_t drained;
    size_t counted;            /* of http.body_bytes … */
    size_t unpacking;          /* … for what unpacks the body */
    bool sent;                 /* an answer was given to the library … */
    uint64_t bytes;            /* … whose body has these */
};

static struct watched *watched_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

/* The library calls this as soon as it has a request line, with the target as it was sent. */
static void *exchange_begin(void *cls, const char *target, struct MHD_Connection *connection)
{
    struct http *http = cls;
    struct exchange *x = calloc(1, sizeof *x);
    if (!x)
        return NULL;
    x->http = http;
    x->connection = connection;
    x->watched = watched_of(connection);
    x->began = clock_monotonic_us();
    struct request *r = &x->errand.request;
    r->server = http->server;
    r->gone = watch_gone(x->watched);
    r->upload.fd = -1;
    r->body = STR_INIT(JSON_MAX);
    r->target = arena_dup(&r->arena, slice_str(target));
    r->id = request_id_new(&r->arena);
    answer_init(&x->errand.answer);
    atomic_fetch_add(&http->exchanges, 1);
    watch_phase(x->watched, WATCH_HEAD);
    return x;
}

enum { SMALL = 1 << 20 }; /* what may hold a token and is no larger is cleared whole; of what is, as uploads of spans are, the head */

static void drop_unpacker(struct exchange *x)
{
    inflate_free(x->errand.request.inflate);
    x->errand.request.inflate = NULL;
    atomic_fetch_sub(&x->http->body_bytes, x->unpacking);
    x->counted -= x->unpacking;
    x->unpacking = 0;
}

static void drop_body(struct exchange *x)
{
    struct request *r = &x->errand.request;
    drop_unpacker(x);
    if (r->body.len && r->body.len <= SMALL)
        explicit_bzero(r->body.ptr, r->body.len);
    str_free(&r->body);
    atomic_fetch_sub(&x->http->body_bytes, x->counted);
    x->counted = 0;
}

/* A token came in the head, or stood in a body. */
static void clear_secrets(struct request *r)
{
    static const enum header_name secret[] = {HEADER_AUTHORIZATION, HEADER_COOKIE, HEADER_CSRF};
    for (size_t i = 0; i < sizeof secret / sizeof *secret; i++)
        if (r->header[secret[i]].len)
            explicit_bzero((char *)(uintptr_t)r->header[secret[i]].ptr, r->header[secret[i]].len);
    if (r->arena.total <= SMALL)
        arena_wipe(&r->arena);
    else
        arena_free(&r->arena);
}

/* An answer that may hold a new token. */
static void clear_answer(void *bytes)
{
    explicit_bzero(bytes, malloc_usable_size(bytes));
    free(bytes);
}

static void exchange_end(void *cls, struct MHD_Connection *connection, void **con_cls, enum MHD_RequestTerminationCode why)
{
    struct http *http = cls;
    struct exchange *x = *con_cls;
    if (!x)
        return;
    record_request(&x->errand.request, &(struct outcome){.status = x->sent ? x->errand.answer.status : 0, .bytes = x->bytes,
                                                         .took_us = clock_monotonic_us() - x->began, .cut = why != MHD_REQUEST_TERMINATED_COMPLETED_OK});
    watch_phase(watched_of(connection), WATCH_IDLE);
    upload_close(&http->server->spool, &x->errand.request.upload);
    drop_body(x);
    if (x->errand.answer.fd >= 0)
        held_close(x->errand.answer.fd, x->errand.answer.fd_size);
    str_free(&x->errand.answer.body);
    clear_secrets(&x->errand.request);
    free(x);
    *con_cls = NULL;
    atomic_fetch_sub(&http->exchanges, 1);
}

/* ---- sending ----------------------------------------------------------------------------------------------------------- */

static const char page_policy[] = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
                                  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";

static struct MHD_Response *response_of(struct answer *a)
{
    struct MHD_Response *response;
    if (a->fd >= 0) {
        int fd = dup(a->fd); /* the response's; the answer's own is closed as the exchange ends */
        response = fd < 0 ? NULL : MHD_create_response_from_fd64(a->fd_size, fd);
        if (!response && fd >= 0)
            close(fd);
    } else if (a->fixed.ptr || !a->body.len) {
        response = MHD_create_response_from_buffer(a->fixed.len, (void *)(uintptr_t)(a->fixed.ptr ? a->fixed.ptr : ""), MHD_RESPMEM_PERSISTENT);
    } else {
        response = a->body.cap <= SHORT_ANSWER ? MHD_create_response_from_buffer_with_free_callback(a->body.len, a->body.ptr, clear_answer)
                                              : MHD_create_response_from_buffer(a->body.len, a->body.ptr, MHD_RESPMEM_MUST_FREE);
        if (response)
            a->body = STR_INIT(0);
    }
    return response;
}

static bool has_header(const struct answer *a, const char *name)
{
    for (size_t i = 0; i < a->nheaders; i++)
        if (strcasecmp(a->headers[i].name, name) == 0)
            return true;
    return false;
}

static void add_headers(struct exchange *x, struct MHD_Response *response, bool close_after)
{
    const struct answer *a = &x->errand.answer;
    const struct {
        const char *name, *value;
    } always[] = {
        {"Content-Type", a->type ? a->type : "application/json"},
        {"X-Content-Type-Options", "nosniff"},
        {"Referrer-Policy", "no-referrer"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
        {"Cross-Origin-Opener-Policy", "same-origin"},
        {"Content-Security-Policy", a->page ? page_policy : "default-src 'none'; frame-ancestors 'none'"},
        {"Cache-Control", "no-store"},
    };
    for (size_t i = 0; i < a->nheaders; i++)
        MHD_add_response_header(response, a->headers[i].name, a->headers[i].value.ptr);
    for (size_t i = 0; i < sizeof always / sizeof *always; i++)
        if (!has_header(a, always[i].name) && (i > 0 || a->status != 204))
            MHD_add_response_header(response, always[i].name, always[i].value);
    MHD_add_response_header(response, "X-Request-Id", x->errand.request.id.ptr);
    if ((a->status == 503 || a->status == 429) && !has_header(a, "Retry-After"))
        MHD_add_response_header(response, "Retry-After", "2");
    if (close_after || atomic_load(&x->http->server->stopping))
        MHD_add_response_header(response, "Connection", "close");
}

static enum MHD_Result send_answer(struct exchange *x, bool close_after)
{
    struct answer *a = &x->errand.answer;
    x->bytes = a->fd >= 0 ? a->fd_size : a->fixed.ptr ? a->fixed.len : a->body.len;
    x->sent = true;
    struct MHD_Response *response = response_of(a);
    if (!response)
        return MHD_NO;
    add_headers(x, response, close_after);
    metrics_request(x->http->server->metrics, x->errand.request.route, a->status, clock_monotonic_us() - x->began);
    watch_phase(x->watched, WATCH_SEND);
    enum MHD_Result queued = MHD_queue_response(x->connection, (unsigned)a->status, response);
    MHD_destroy_response(response);
    return queued;
}

static enum MHD_Result send_problem(struct exchange *x, int status, const struct err *e, bool close_after)
{
    struct request *r = &x->errand.request;
    bool nowhere = status == 404 && !r->route;
    if (!nowhere || !page_nowhere(r, &x->errand.answer))
        answer_problem(&x->errand.answer, r, status, e);
    return send_answer(x, close_after);
}

/* ---- the head ---------------------------------------------------------------------------------------------------------- */

struct head {
    size_t n;
    bool more;
    struct arena *arena;
    struct header headers[HEADERS_MOST];
};

static enum MHD_Result collect(void *cls, enum MHD_ValueKind kind, const char *key, size_t key_size, const char *value, size_t value_size)
{
    struct head *head = cls;
    (void)kind;
    if (head->n == HEADERS_MOST) {
        head->more = true;
        return MHD_NO;
    }
    head->headers[head->n++] = (struct header){arena_dup(head->arena, slice_of(key, key_size)),
                                               arena_dup(head->arena, slice_of(value ? value : "", value_size))};
    return MHD_YES;
}

static void keep_headers(struct request *r, const struct head *head)
{
    static const char *const names[HEADER_NAMES] = {
        [HEADER_IF_NONE_MATCH] = "If-None-Match",       [HEADER_ACCEPT_ENCODING] = "Accept-Encoding",
        [HEADER_CONTENT_ENCODING] = "Content-Encoding", [HEADER_CONTENT_TYPE] = "Content-Type",
        [HEADER_IDEMPOTENCY_KEY] = "Idempotency-Key",   [HEADER_AUTHORIZATION] = "Authorization",
        [HEADER_COLLECTION] = "X-Telltale-Collection",  [HEADER_REQUEST_ID] = "X-Request-Id",
        [HEADER_HOST] = "Host",                         [HEADER_MCP_REVISION] = "MCP-Protocol-Version",
        [HEADER_COOKIE] = "Cookie",                     [HEADER_ORIGIN] = "Origin",
        [HEADER_CSRF] = "X-Telltale-CSRF",              [HEADER_ACCEPT] = "Accept",
    };
    for (size_t i = 0; i < head->n; i++)
        for (int name = 0; name < HEADER_NAMES; name++)
            if (slice_eq_nocase(head->headers[i].name, slice_str(names[name])))
                r->header[name] = head->headers[i].value;
    if (request_id_is_good(r->header[HEADER_REQUEST_ID]))
        r->id = r->header[HEADER_REQUEST_ID];
}

/* Most bytes of a body, as it comes and unpacked. */
static uint64_t route_max(const struct exchange *x)
{
    const struct route *route = x->errand.request.route;
    switch (route->body) {
    case BODY_NONE: break;
    case BODY_JSON: return route->need == NEED_NONE ? STRANGER_MAX : JSON_MAX;
    case BODY_BYTES: return BYTES_MAX;
    case BODY_SPOOL: return x->http->server->spool.max;
    }
    return 0;
}

static uint64_t body_max(const struct exchange *x)
{
    uint64_t most = route_max(x), may = (uint64_t)x->errand.request.who.token.upload_max;
    return may && may < most ? may : most;
}

static bool takes(const struct route *route, struct slice header)
{
    struct slice rest = slice_str(route->takes);
    while (rest.len)
        if (media_is(header, slice_take(&rest, '|')))
            return true;
    return !route->takes;
}

static bool count_body(struct exchange *x, size_t n, struct err *e)
{
    x->counted += n;
    return atomic_fetch_add(&x->http->body_bytes, n) + n <= BODIES_MAX || err_set(e, ERR_BUSY, "too many requests at one time");
}

static bool count_unpacker(struct exchange *x, struct err *e)
{
    const size_t now = inflate_size(x->errand.request.inflate), grown = now > x->unpacking ? now - x->unpacking : 0;
    x->unpacking += grown;
    return count_body(x, grown, e);
}

/* 0, or the status of a body that this route does not take. */
static int body_refused(struct exchange *x, struct err *e)
{
    struct request *r = &x->errand.request;
    struct slice coding = r->header[HEADER_CONTENT_ENCODING];
    if (r->route->body == BODY_NONE)
        return x->framing.has_body ? err_set(e, ERR_USAGE, "this call takes no body"), 400 : 0;
    bool packed = coding.len && !slice_eq_nocase(coding, slice_str("identity"));
    if (packed && (r->route->body == BODY_JSON || !(r->inflate = inflate_new(coding))))
        return err_set(e, ERR_USAGE, "Content-Encoding \"%.*s\" is not understood here", SLICE_ARG(slice_cut(coding, 100))), 415;
    if (packed && !count_unpacker(x, e))
        return err_http_status(e->code);
    if (slice_starts(r->header[HEADER_CONTENT_TYPE], "multipart/"))
        return err_set(e, ERR_USAGE, "send the bytes themselves, as curl --data-binary @FILE does, not a form"), 415;
    if (!takes(r->route, r->header[HEADER_CONTENT_TYPE]))
        return err_set(e, ERR_USAGE, "the Content-Type must be one of %s", r->route->takes), 415;
    uint64_t most = body_max(x);
    if (r->route->body != BODY_SPOOL)
        r->body.max = (size_t)most;
    if (x->framing.length > most)
        return err_set(e, ERR_TOO_LARGE, "the body may have %llu bytes at most", (unsigned long long)most), 413;
    return 0;
}

/* Everything that can be said from the head alone: 0, or the status. */
static int head_refused(struct exchange *x, struct err *e)
{
    struct request *r = &x->errand.request;
    struct slice query, allow;
    if (!request_target(r, &query, e))
        return 400;
    switch (route_find(r, &allow)) {
    case ROUTE_FOUND:
        break;
    case ROUTE_NO_PATH:
        return err_set(e, ERR_NOT_FOUND, "there is nothing at %.*s", SLICE_ARG(slice_cut(r->target, 200))), 404;
    case ROUTE_NO_METHOD:
        answer_header(&x->errand.answer, "Allow", allow);
        return err_set(e, ERR_USAGE, "this path answers %.*s", SLICE_ARG(allow)), 405;
    }
    int status = access_check(r->server->access, r, &x->errand.answer, e);
    if (status)
        return status;
    /* What stands in the query of a page is the page's own state. */
    if (r->route->summary && (!args_from_query(&r->arena, &r->args, r->route->query, query, e) || !args_complete(&r->args, r->route->query, e)))
        return 400;
    if ((status = access_check_query(r, e)))
        return status;
    if (r->route->need == NEED_INGEST && atomic_load(&r->server->limits->full))
        return err_set(e, ERR_FULL, "the database has reached the size that --max-db allows; delete runs or give it more room"), 507;
    status = body_refused(x, e);
    if (!status && r->route->body != BODY_NONE && r->route->of == OF_COLLECTION && !r->route->makes)
        status = access_has_collection(r->server->access, r, e);
    if (!status && r->route->body == BODY_SPOOL && !upload_open(&r->server->spool, body_max(x), &r->upload, e))
        return err_http_status(e->code);
    return status;
}

static void refuse(struct exchange *x, int status, const struct err *e)
{
    x->refused = status ? status : err_http_status(e->code);
    x->refusal = *e;
    drop_body(x); /* what still comes of it is not looked at */
}

static enum MHD_Result take_head(struct exchange *x, const char *method, const char *version)
{
    struct request *r = &x->errand.request;
    struct head head;
    struct err e = {0};
    head.n = 0;
    head.more = false;
    head.arena = &r->arena;
    r->method = arena_dup(&r->arena, slice_str(method));
    MHD_get_connection_values_n(x->connection, MHD_HEADER_KIND, collect, &head);
    const union MHD_ConnectionInfo *peer = MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    r->client = peer_client(&x->http->proxies, peer ? peer->client_addr : NULL, x->http->tls, head.headers, head.n, &r->arena);
    int status = head.more ? (err_set(&e, ERR_USAGE, "over %d headers", HEADERS_MOST), 400)
                           : gate_check(&x->http->gate, r->client.secure, r->method, slice_str(version), head.headers, head.n, &x->framing, &e);
    if (status)
        return send_problem(x, status, &e, true);
    keep_headers(r, &head);
    status = head_refused(x, &e);
    if (status && (x->framing.waits || x->framing.length > DRAIN_MAX))
        return send_problem(x, status, &e, true);
    if (status) /* said when the body has been read: a connection that is closed on unread bytes loses what was said */
        refuse(x, status, &e);
    x->stage = STAGE_BODY; /* also where there is none: an answer to this first call would close the connection */
    watch_phase(x->watched, WATCH_BODY);
    return MHD_YES;
}

/* ---- the body ---------------------------------------------------------------------------------------------------------- */

/* What the body says, unpacked. */
static bool keep_body(void *ctx, const char *bytes, size_t n, struct err *e)
{
    struct exchange *x = ctx;
    struct request *r = &x->errand.request;
    if (r->route->body == BODY_SPOOL)
        return upload_write(&r->server->spool, &r->upload, bytes, n, e);
    if (!count_body(x, n, e))
        return false;
    str_add(&r->body, bytes, n);
    return !r->body.full || err_set(e, ERR_TOO_LARGE, "the body may have %zu bytes at most", r->body.max);
}

static bool unpack(struct exchange *x, const char *bytes, size_t *n, struct err *e)
{
    return inflate_add(x->errand.request.inflate, bytes, n, keep_body, x, e) && count_unpacker(x, e);
}

/* *n: in, what there is; out, what was taken of it. */
static enum MHD_Result take_body(struct exchange *x, const char *bytes, size_t *n)
{
    struct request *r = &x->errand.request;
    struct err e = {0};
    if (x->refused) {
        watch_progress(x->watched, *n);
        x->drained += *n;
        return x->drained > DRAIN_MAX ? MHD_NO : MHD_YES;
    }
    if (!(r->inflate ? unpack(x, bytes, n, &e) : keep_body(x, bytes, *n, &e))) {
        refuse(x, e.code == ERR_FORMAT ? 400 : 0, &e);
        upload_close(&r->server->spool, &r->upload);
    }
    watch_progress(x->watched, *n);
    return MHD_YES;
}

static void answer_ready(struct errand *errand)
{
    struct exchange *x = (struct exchange *)errand;
    MHD_resume_connection(x->connection);
}

static enum MHD_Result hand_over(struct exchange *x)
{
    struct request *r = &x->errand.request;
    struct err e = {0};
    if (!x->refused && r->inflate && x->framing.has_body && !inflate_end(r->inflate, &e))
        refuse(x, 400, &e);
    drop_unpacker(x);
    if (x->refused)
        return send_problem(x, x->refused, &x->refusal, false);
    r->lane = (int)(r->route->lane_of ? r->route->lane_of(r) : r->route->lane);
    if (r->lane == LANE_INLINE) {
        errand_run(&x->errand);
        return send_answer(x, false);
    }
    x->stage = STAGE_ANSWER;
    x->errand.done = answer_ready;
    watch_phase(x->watched, WATCH_WORK);
    MHD_suspend_connection(x->connection);
    x->errand.actor = access_actor(r);
    if (!lanes_submit(x->http->lanes, &x->errand, &e)) {
        answer_problem(&x->errand.answer, &x->errand.request, 0, &e);
        MHD_resume_connection(x->connection);
    }
    return MHD_YES;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url, const char *method, const char *version,
                                  const char *data, size_t *size, void **con_cls)
{
    struct exchange *x = *con_cls;
    (void)cls;
    (void)url; /* decoded, and cut at a %00: request.target is what was sent */
    if (!x)
        return MHD_NO;
    switch (x->stage) {
    case STAGE_HEAD:
        return take_head(x, method, version);
    case STAGE_BODY:
        if (!*size)
            return hand_over(x);
        size_t n = *size;
        if (take_body(x, data, &n) == MHD_NO)
            return MHD_NO;
        *size -= n;
        if (*size) { /* the rest after all others: the library calls again as soon as it may go on */
            MHD_suspend_connection(connection);
            MHD_resume_connection(connection);
        }
        return MHD_YES;
    case STAGE_ANSWER:
        return send_answer(x, false);
    }
    return MHD_NO;
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **socket_context, enum MHD_ConnectionNotificationCode code)
{
    struct http *http = cls;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        *socket_context = watch_add(http->watch, info->connect_fd);
        metrics_connections(http->server->metrics, 1);
    } else {
        watch_remove(http->watch, *socket_context);
        metrics_connections(http->server->metrics, -1);
    }
}

/* ---- start and stop ---------------------------------------------------------------------------------------------------- */

static void log_library(void *cls, const char *format, va_list args)
{
    char line[500];
    (void)cls;
    vsnprintf(line, sizeof line, format, args);
    line[strcspn(line, "\r\n")] = '\0';
    log_write(LOG_DEBUG, "http: %s", line);
}

unsigned http_connections(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) < 0)
        return 256;
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    getrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_cur >= CONNECTIONS + 512)
        return CONNECTIONS;
    return files.rlim_cur > 768 ? (unsigned)files.rlim_cur - 512 : 256;
}

bool http_has_tls(void) { return MHD_is_feature_supported(MHD_FEATURE_TLS) == MHD_YES; }

bool http_start(struct http *http, int listener, bool ipv6, struct err *e)
{
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | (ipv6 ? MHD_USE_IPv6 : 0) |
                     (http->tls ? MHD_USE_TLS : 0);
    static const struct MHD_OptionItem none = {MHD_OPTION_END, 0, NULL};
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_CERT_CALLBACK, 0, tls_callback()},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_PRIORITIES},
        none,
    };
    http->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, http,
        MHD_OPTION_EXTERNAL_LOGGER, log_library, NULL,
        MHD_OPTION_LISTEN_SOCKET, listener,
        MHD_OPTION_THREAD_POOL_SIZE, (unsigned)POOL_THREADS,
        MHD_OPTION_CONNECTION_LIMIT, http_connections(),
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)SILENCE_S,
        MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
        MHD_OPTION_URI_LOG_CALLBACK, exchange_begin, http,
        MHD_OPTION_NOTIFY_COMPLETED, exchange_end, http,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, http,
        MHD_OPTION_ARRAY, http->tls ? tls : &none,
        MHD_OPTION_END);
    return http->daemon || err_set(e, ERR_IO, "the HTTP library does not start");
}

void http_quiesce(struct http *http)
{
    if (http->daemon)
        MHD_quiesce_daemon(http->daemon);
}

void http_wait(struct http *http, int64_t deadline_us)
{
    const struct timespec pause = {.tv_nsec = 10000000};
    while (atomic_load(&http->exchanges) && clock_monotonic_us() < deadline_us)
        nanosleep(&pause, NULL);
}

void http_stop(struct http *http)
{
    if (http->daemon)
        MHD_stop_daemon(http->daemon);
}
