#include "llm/wire.h"

#include "base/str.h"
#include "llm/address.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CONNECT_MS = 15000, HEADERS_MAX = 64 << 10, UPLOAD_BUFFER = 16 << 10, RECEIVE_BUFFER = 16 << 10 };

struct exchange {              /* one place of those in flight; its handle is used again */
    struct wire *w;
    CURL *curl;
    void *call;                /* NULL: free */
    struct curl_slist *headers;
    struct str reply;
    size_t header_bytes, body_bytes;
    int sent;                  /* requests begun: one, but where libcurl would repeat it */
    const char *forbidden;     /* what lies at the address that was refused */
    char words[CURL_ERROR_SIZE];
};
struct wire {
    CURLM *multi;
    struct exchange *exchanges;
    int n;
    char *url, *key_header;
    struct curl_slist *headers;
    bool private_ok;
    int64_t timeout_ms;
    size_t reply_max;
    struct str last;           /* the reply that wire_next gave */
};

static char *copy_of(struct slice s)
{
    char *copy = s.ptr ? strndup(s.ptr, s.len) : NULL;
    if (s.ptr && !copy)
        abort();
    return copy;
}

struct wire *wire_open(const struct wire_options *options)
{
    struct wire *w = calloc(1, sizeof *w);
    if (!w || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || !(w->multi = curl_multi_init()) ||
        !(w->exchanges = calloc((size_t)options->concurrency, sizeof *w->exchanges)))
        abort();
    w->n = options->concurrency;
    w->url = copy_of(slice_str(options->url));
    w->key_header = copy_of(options->key_header);
    for (const char *const *line = options->headers; line && *line; line++)
        if (!(w->headers = curl_slist_append(w->headers, *line)))
            abort();
    w->private_ok = options->private_ok;
    w->timeout_ms = options->timeout_ms;
    w->reply_max = options->reply_max;
    curl_multi_setopt(w->multi, CURLMOPT_MAXCONNECTS, (long)w->n);
    curl_multi_setopt(w->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
    return w;
}

/* Header lines may hold the key: their bytes are cleared before they are given back. */
static void free_headers(struct exchange *x)
{
    for (struct curl_slist *each = x->headers; each; each = each->next)
        explicit_bzero(each->data, strlen(each->data));
    curl_slist_free_all(x->headers);
    x->headers = NULL;
}

static void release(struct exchange *x)
{
    str_free(&x->reply);
    curl_multi_remove_handle(x->w->multi, x->curl);
    free_headers(x);
    x->call = NULL;
}

void wire_close(struct wire *w)
{
    if (!w)
        return;
    for (int i = 0; i < w->n; i++) {
        struct exchange *x = &w->exchanges[i];
        if (x->call)
            release(x);
        curl_easy_cleanup(x->curl);
    }
    curl_multi_cleanup(w->multi);
    if (w->key_header)
        explicit_bzero(w->key_header, strlen(w->key_header));
    str_free(&w->last);
    free(w->exchanges);
    free(w->url);
    free(w->key_header);
    curl_slist_free_all(w->headers);
    free(w);
}

/* ---- what libcurl calls ---------------------------------------------------------------------------------------------- */

/* The address that is really connected to, after names were looked up. */
static curl_socket_t open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *to)
{
    struct exchange *x = ctx;
    const char *words;
    (void)purpose;
    enum reach reach = address_reach(&to->addr, &words);
    if (reach == REACH_NEVER || (reach == REACH_PRIVATE && !x->w->private_ok)) {
        x->forbidden = words;
        return CURL_SOCKET_BAD;
    }
    return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

static int begin_request(void *ctx, char *to, char *from, int to_port, int from_port)
{
    struct exchange *x = ctx;
    (void)to, (void)from, (void)to_port, (void)from_port;
    return x->sent++ ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

static size_t take_header(char *bytes, size_t size, size_t n, void *ctx)
{
    struct exchange *x = ctx;
    (void)bytes;
    x->header_bytes += size * n;
    return x->header_bytes <= HEADERS_MAX ? size * n : 0;
}

static size_t take_body(char *bytes, size_t size, size_t n, void *ctx)
{
    struct exchange *x = ctx;
    if (size * n > x->reply.max - x->reply.len) {
        x->reply.full = true;
        return 0;
    }
    str_add(&x->reply, bytes, size * n);
    return size * n;
}

/* ---- requests ------------------------------------------------------------------------------------------------------------ */

static void add_header(struct exchange *x, const char *line)
{
    struct curl_slist *longer = curl_slist_append(x->headers, line);
    if (!longer)
        abort();
    x->headers = longer;
}

static void set_headers(struct exchange *x, bool post, const char *idempotency)
{
    char line[128];
    if (x->w->key_header)
        add_header(x, x->w->key_header);
    for (const struct curl_slist *each = x->w->headers; each; each = each->next)
        add_header(x, each->data);
    if (post) {
        add_header(x, "Content-Type: application/json");
        add_header(x, "Expect:");
    }
    if (idempotency) {
        snprintf(line, sizeof line, "Idempotency-Key: %s", idempotency);
        add_header(x, line);
    }
}

void wire_start(struct wire *w, void *call, struct slice body, const char *idempotency)
{
    int at = 0;
    while (w->exchanges[at].call)
        at++;
    struct exchange *x = &w->exchanges[at];
    if (!x->curl && !(x->curl = curl_easy_init()))
        abort();
    *x = (struct exchange){.w = w, .curl = x->curl, .call = call, .reply = STR_INIT(w->reply_max), .body_bytes = body.len};
    curl_easy_reset(x->curl);
    set_headers(x, body.ptr != NULL, idempotency);
    curl_easy_setopt(x->curl, CURLOPT_URL, w->url);
    curl_easy_setopt(x->curl, CURLOPT_PRIVATE, x);
    curl_easy_setopt(x->curl, CURLOPT_ERRORBUFFER, x->words);
    curl_easy_setopt(x->curl, CURLOPT_USERAGENT, "telltale");
    curl_easy_setopt(x->curl, CURLOPT_HTTPHEADER, x->headers);
    curl_easy_setopt(x->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(x->curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(x->curl, CURLOPT_PROXY, "");
    curl_easy_setopt(x->curl, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(x->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(x->curl, CURLOPT_QUICK_EXIT, 1L); /* who stops or times out does not wait for a name that is still looked up */
    curl_easy_setopt(x->curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(x->curl, CURLOPT_TIMEOUT_MS, (long)w->timeout_ms);
    curl_easy_setopt(x->curl, CURLOPT_CONNECTTIMEOUT_MS, (long)(w->timeout_ms < CONNECT_MS ? w->timeout_ms : CONNECT_MS));
    curl_easy_setopt(x->curl, CURLOPT_BUFFERSIZE, (long)RECEIVE_BUFFER);
    curl_easy_setopt(x->curl, CURLOPT_UPLOAD_BUFFERSIZE, (long)UPLOAD_BUFFER);
    curl_easy_setopt(x->curl, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(x->curl, CURLOPT_OPENSOCKETDATA, x);
    curl_easy_setopt(x->curl, CURLOPT_PREREQFUNCTION, begin_request);
    curl_easy_setopt(x->curl, CURLOPT_PREREQDATA, x);
    curl_easy_setopt(x->curl, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(x->curl, CURLOPT_HEADERDATA, x);
    curl_easy_setopt(x->curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(x->curl, CURLOPT_WRITEDATA, x);
    if (body.ptr) {
        curl_easy_setopt(x->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
        curl_easy_setopt(x->curl, CURLOPT_POSTFIELDS, body.ptr);
    }
    if (curl_multi_add_handle(w->multi, x->curl) != CURLM_OK)
        abort();
}

void wire_work(struct wire *w, int wait_ms)
{
    int running;
    curl_multi_perform(w->multi, &running);
    if (wait_ms > 0) {
        curl_multi_poll(w->multi, NULL, 0, wait_ms, NULL);
        curl_multi_perform(w->multi, &running);
    }
}

/* ---- what came of them --------------------------------------------------------------------------------------------------- */

static bool was_sent(const struct exchange *x)
{
    curl_off_t uploaded = 0;
    curl_easy_getinfo(x->curl, CURLINFO_SIZE_UPLOAD_T, &uploaded);
    return x->sent > 1 || (x->sent == 1 && uploaded >= (curl_off_t)x->body_bytes);
}

static enum wire_end end_of(const struct exchange *x, CURLcode code)
{
    switch ((int)code) {
    case CURLE_OK: return WIRE_REPLY;
    case CURLE_OPERATION_TIMEDOUT: return WIRE_TIMED_OUT;
    case CURLE_COULDNT_RESOLVE_HOST: return WIRE_NO_NAME;
    case CURLE_COULDNT_CONNECT: return x->forbidden ? WIRE_FORBIDDEN : WIRE_NO_SERVER;
    case CURLE_SSL_CONNECT_ERROR: return WIRE_NO_TLS;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR: return WIRE_CERTIFICATE;
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY: return WIRE_NO_HTTP;
    case CURLE_WRITE_ERROR: return WIRE_TOO_LARGE;
    default: return WIRE_BROKEN;
    }
}

static void get_header(const struct exchange *x, const char *name, char *out, size_t room)
{
    struct curl_header *found;
    if (curl_easy_header(x->curl, name, 0, CURLH_HEADER, -1, &found) == CURLHE_OK)
        snprintf(out, room, "%s", found->value);
}

bool wire_next(struct wire *w, struct wire_done *out)
{
    CURLMsg *message;
    int left;
    do
        message = curl_multi_info_read(w->multi, &left);
    while (message && message->msg != CURLMSG_DONE);
    if (!message)
        return false;
    struct exchange *x;
    long status = 0;
    CURLcode code = message->data.result;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &x);
    curl_easy_getinfo(x->curl, CURLINFO_RESPONSE_CODE, &status);
    str_free(&w->last);
    w->last = x->reply;
    x->reply = STR_INIT(0);
    *out = (struct wire_done){.call = x->call, .end = end_of(x, code), .status = (int)status, .sent = was_sent(x), .body = str_slice(&w->last)};
    get_header(x, "Content-Type", out->type, sizeof out->type);
    get_header(x, "Retry-After", out->retry_after, sizeof out->retry_after);
    get_header(x, "Location", out->location, sizeof out->location);
    snprintf(out->words, sizeof out->words, "%s", out->end == WIRE_FORBIDDEN ? x->forbidden : *x->words ? x->words : curl_easy_strerror(code));
    release(x);
    return true;
}

bool wire_drop(struct wire *w, const void *call)
{
    for (int i = 0; i < w->n; i++) {
        struct exchange *x = &w->exchanges[i];
        if (x->call != call)
            continue;
        bool sent = was_sent(x);
        release(x);
        return sent;
    }
    return false;
}
