#include "client/client.h"

#include "base/str.h"

#include <curl/curl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    ANSWER_MAX = 64 << 20,
    TOKEN_MAX = 4096,
    TRIES = 7,             /* 0.5 + 1 + 2 + … s between them: about half a minute */
    CONNECT_SECONDS = 15,
    IDLE_SECONDS = 120,    /* without a byte either way */
};

struct client {
    CURL *curl;
    struct str url, authorization; /* a header line; empty: none */
    struct str cacert;             /* empty: the system's */
    bool plain, answered;          /* http, not https; something has answered */
    const atomic_bool *cancel;
    void (*waiting)(void *ctx, const char *why);
    void *ctx;
};

bool client_open(const char *url, const char *token, const char *cacert, const atomic_bool *cancel, void (*waiting)(void *ctx, const char *why),
                 void *ctx, struct client **out, struct err *e)
{
    size_t length = strlen(url);
    if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
        return err_set(e, ERR_USAGE, "%s is no address of a server: it begins with http:// or https://", url);
    if (token && (strlen(token) > TOKEN_MAX || token[strcspn(token, " \r\n\t")]))
        return err_set(e, ERR_USAGE, "the token for %s is none: it is one word, as it was printed when it was made", url);
    while (length && url[length - 1] == '/')
        length--;
    struct client *c = calloc(1, sizeof *c);
    if (!c || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || !(c->curl = curl_easy_init()))
        abort();
    c->url = STR_INIT(1 << 16);
    c->cancel = cancel;
    c->waiting = waiting;
    c->ctx = ctx;
    str_add(&c->url, url, length);
    c->authorization = STR_INIT(2 * TOKEN_MAX);
    c->cacert = STR_INIT(1 << 16);
    if (cacert)
        str_printf(&c->cacert, "%s", cacert);
    c->plain = strncmp(url, "http://", 7) == 0;
    if (token)
        str_printf(&c->authorization, "Authorization: Bearer %s", token);
    *out = c;
    return true;
}

void client_close(struct client *c)
{
    if (!c)
        return;
    curl_easy_cleanup(c->curl);
    str_free(&c->url);
    str_free(&c->authorization);
    str_free(&c->cacert);
    free(c);
}

const char *client_escape(struct client *c, struct arena *a, struct slice text)
{
    char *escaped = curl_easy_escape(c->curl, text.ptr, (int)text.len);
    if (!escaped)
        abort();
    const char *copy = arena_strdup(a, slice_str(escaped));
    curl_free(escaped);
    return copy;
}

/* ---- one try ----------------------------------------------------------------------------------------------------------- */

static size_t take(char *bytes, size_t size, size_t n, void *ctx)
{
    struct str *answer = ctx;
    if (answer->len + size * n > ANSWER_MAX)
        return 0;
    str_add(answer, bytes, size * n);
    return size * n;
}

struct sending {
    const struct client_body *body;
    uint64_t at;
    bool cut;              /* the file ended, or could not be read, before its size */
};

static size_t give(char *into, size_t size, size_t n, void *ctx)
{
    struct sending *s = ctx;
    uint64_t left = s->body->size - s->at;
    size_t room = size * n < left ? size * n : (size_t)left;
    ssize_t got = pread(s->body->fd, into, room, (off_t)s->at);
    s->cut = got < 0 || (got == 0 && left);
    if (s->cut)
        return CURL_READFUNC_ABORT;
    s->at += (uint64_t)got;
    return (size_t)got;
}

static int rewind_body(void *ctx, curl_off_t offset, int origin)
{
    struct sending *s = ctx;
    if (origin != SEEK_SET)
        return CURL_SEEKFUNC_CANTSEEK;
    s->at = (uint64_t)offset;
    return CURL_SEEKFUNC_OK;
}

static int watch_cancel(void *ctx, curl_off_t a, curl_off_t b, curl_off_t x, curl_off_t y)
{
    (void)a, (void)b, (void)x, (void)y;
    const struct client *c = ctx;
    return c->cancel && atomic_load(c->cancel);
}

static struct curl_slist *headers_of(const struct client *c, const char *idempotency_key, const struct client_body *body)
{
    struct curl_slist *list = NULL;
    struct str line = STR_INIT(1 << 12);
    if (body) {
        str_printf(&line, "Content-Type: %s", body->type);
        list = curl_slist_append(list, line.ptr);
    }
    line.len = 0;
    if (idempotency_key) {
        str_printf(&line, "Idempotency-Key: %s", idempotency_key);
        list = curl_slist_append(list, line.ptr);
    }
    str_free(&line);
    if (c->authorization.len)
        list = curl_slist_append(list, c->authorization.ptr);
    return list;
}

static CURLcode try_once(struct client *c, const char *method, const char *url, const char *idempotency_key, struct sending *sending,
                         struct str *answer, long *status, char *words)
{
    const struct client_body *body = sending->body;
    struct curl_slist *headers = headers_of(c, idempotency_key, body);
    curl_easy_reset(c->curl);
    curl_easy_setopt(c->curl, CURLOPT_URL, url);
    curl_easy_setopt(c->curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(c->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    if (c->cacert.len)
        curl_easy_setopt(c->curl, CURLOPT_CAINFO, c->cacert.ptr);
    curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c->curl, CURLOPT_ERRORBUFFER, words);
    curl_easy_setopt(c->curl, CURLOPT_USERAGENT, "telltale");
    curl_easy_setopt(c->curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
    curl_easy_setopt(c->curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(c->curl, CURLOPT_LOW_SPEED_TIME, (long)IDLE_SECONDS);
    curl_easy_setopt(c->curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(c->curl, CURLOPT_XFERINFOFUNCTION, watch_cancel);
    curl_easy_setopt(c->curl, CURLOPT_XFERINFODATA, c);
    curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, answer);
    curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, headers);
    if (body && body->is_file) {
        curl_easy_setopt(c->curl, CURLOPT_POST, 1L);
        curl_easy_setopt(c->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->size);
        curl_easy_setopt(c->curl, CURLOPT_READFUNCTION, give);
        curl_easy_setopt(c->curl, CURLOPT_READDATA, sending);
        curl_easy_setopt(c->curl, CURLOPT_SEEKFUNCTION, rewind_body);
        curl_easy_setopt(c->curl, CURLOPT_SEEKDATA, sending);
    } else if (body) {
        curl_easy_setopt(c->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->text.len);
        curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, body->text.ptr);
    }
    CURLcode code = curl_easy_perform(c->curl);
    curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, status);
    curl_slist_free_all(headers);
    return code;
}

/* ---- with patience ----------------------------------------------------------------------------------------------------- */

/* Who hangs up on the very first request in plain HTTP speaks TLS, most often: that does not pass. */
static bool speaks_tls(const struct client *c, CURLcode code)
{
    return (code == CURLE_GOT_NOTHING || code == CURLE_RECV_ERROR) && c->plain && !c->answered;
}

/* Does it make sense to ask again? */
static bool may_pass(CURLcode code, long status)
{
    switch (code) {
    case CURLE_OK: return status == 429 || status == 502 || status == 503 || status == 504;
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE: return true;
    default: return false;
    }
}

static bool wait_a_while(const struct client *c, int tried)
{
    for (int ms = 0; ms < 500 << tried; ms += 100) {
        if (c->cancel && atomic_load(c->cancel))
            return false;
        nanosleep(&(struct timespec){.tv_nsec = 100000000L}, NULL);
    }
    return true;
}

static void tell_waiting(const struct client *c, CURLcode code, long status, const char *words)
{
    struct err why;
    if (code == CURLE_OK)
        err_set(&why, ERR_IO, "%.*s answered %ld; trying again for half a minute", SLICE_ARG(str_slice(&c->url)), status);
    else
        err_set(&why, ERR_IO, "cannot reach %.*s: %s; trying again for half a minute", SLICE_ARG(str_slice(&c->url)),
                *words ? words : curl_easy_strerror(code));
    if (c->waiting)
        c->waiting(c->ctx, why.text);
}

/* The server's own words, and a code that fits its status. */
static bool refused(long status, const struct str *answer, struct err *e)
{
    json_t *problem = json_loadb(answer->len ? answer->ptr : "", answer->len, 0, NULL);
    const char *detail = json_string_value(json_object_get(problem, "detail"));
    enum err_code code = status == 404 ? ERR_NOT_FOUND : status == 409 ? ERR_CONFLICT : status == 401 || status == 403 ? ERR_FORBIDDEN
                       : status == 413 ? ERR_TOO_LARGE : status == 507 ? ERR_FULL : status < 500 ? ERR_USAGE : ERR_IO;
    err_set(e, code, "the server answered %ld%s%s", status, detail ? ": " : "", detail ? detail : "");
    json_decref(problem);
    return false;
}

bool client_call(struct client *c, const char *method, const char *path, const char *idempotency_key, const struct client_body *body,
                 struct arena *a, int *status, struct slice *answer, struct err *e)
{
    const char *url = arena_printf(a, "%.*s%s", SLICE_ARG(str_slice(&c->url)), path).ptr;
    struct str text = STR_INIT(ANSWER_MAX + 1);
    char words[CURL_ERROR_SIZE] = "";
    struct sending sending;
    CURLcode code = CURLE_OK;
    long got = 0;
    for (int tried = 0; tried < TRIES; tried++) {
        text.len = 0;
        got = 0;
        sending = (struct sending){.body = body};
        code = try_once(c, method, url, idempotency_key, &sending, &text, &got, words);
        c->answered = c->answered || code == CURLE_OK;
        if (!may_pass(code, got) || speaks_tls(c, code) || tried + 1 == TRIES)
            break;
        if (tried == 0)
            tell_waiting(c, code, got, words);
        if (!wait_a_while(c, tried))
            break;
    }
    *status = code == CURLE_OK ? (int)got : 0;
    *answer = arena_dup(a, str_slice(&text));
    bool ok = code == CURLE_OK && got >= 200 && got < 300;
    if (c->cancel && atomic_load(c->cancel))
        ok = err_set(e, ERR_CANCELLED, "cancelled; what the server had taken stays, and sending again does the rest");
    else if (sending.cut)
        ok = err_set(e, ERR_FORMAT, "the file became shorter, or unreadable, while it was sent");
    else if (code != CURLE_OK)
        ok = err_set(e, ERR_IO, "cannot reach %.*s: %s%s", SLICE_ARG(str_slice(&c->url)), *words ? words : curl_easy_strerror(code),
                     speaks_tls(c, code) ? "; if it speaks TLS, its address begins with https://"
                     : code == CURLE_PEER_FAILED_VERIFICATION ? "; --cacert FILE names a certificate to trust" : "");
    else if (!ok)
        refused(got, &text, e);
    str_free(&text);
    return ok;
}
