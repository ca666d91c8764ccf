#include "jobs/hooks.h"

#include "base/base64.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/threads.h"
#include "llm/address.h"
#include "llm/wire.h"
#include "storage/webhooks.h"

#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>

enum {
    AT_ONCE = 8,
    TIMEOUT_MS = 15000,
    LEASE_US = 60 * 1000000, /* longer than any attempt: nobody else begins it */
    LOOK_US = 1000000,
    WORK_MS = 20,
    REPLY_MAX = 64 << 10,    /* of which nothing is read but that it ended */
    STATUS_GONE = 410,
};

struct hooks {
    struct store *store;
    bool private_ok;
    pthread_mutex_t lock; /* `wake` */
    pthread_cond_t changed;
    bool wake;
    atomic_bool ending;
    pthread_t thread;
};

/* An address in any of the ways to write one. */
static bool address_may_be(struct slice host, struct arena *a, const char **inside, struct err *e)
{
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    const char *words = NULL;
    *inside = slice_is(host, "localhost") ? "a loopback address" : NULL;
    if (getaddrinfo(arena_strdup(a, host), NULL, &hints, &found) != 0)
        return true;
    enum reach reach = address_reach(found->ai_addr, &words);
    freeaddrinfo(found);
    *inside = reach == REACH_PRIVATE ? words : NULL;
    return reach != REACH_NEVER || err_set(e, ERR_USAGE, "%.*s is %s: nothing is told there", SLICE_ARG(host), words);
}

bool hooks_url(struct slice url, struct arena *a, const char **inside, struct err *e)
{
    struct address where;
    struct slice query = url, base = slice_take(&query, '?');
    for (size_t i = 0; i < query.len; i++)
        if ((unsigned char)query.ptr[i] <= ' ' || (unsigned char)query.ptr[i] >= 0x7f || strchr("\\\"<>^`{|}#", query.ptr[i]))
            return err_set(e, ERR_USAGE, "the URL's query has a blank or a letter that a URL does not have");
    return address_parse(base, a, &where, e) && address_may_be(where.host, a, inside, e);
}

bool hooks_may_tell(const struct hooks *hooks, struct slice url, struct arena *a, struct err *e)
{
    const char *inside;
    return hooks_url(url, a, &inside, e) &&
           (!inside || hooks->private_ok ||
            err_set(e, ERR_USAGE, "the URL leads to %s: nothing is told there unless the server is started with --private-webhooks", inside));
}

/* ---- one attempt -------------------------------------------------------------------------------------------------------- */

/* "webhook-signature: v1,…": HMAC-SHA256 of ID.TIMESTAMP.PAYLOAD. */
static struct slice signature(const struct delivery_row *row, long long seconds, struct arena *a)
{
    unsigned char mac[SHA256_SIZE];
    struct str text = STR_INIT(200);
    hmac_sha256(row->secret, arena_printf(a, "%.*s.%lld.%.*s", SLICE_ARG(row->id), seconds, SLICE_ARG(row->payload)), mac);
    str_addz(&text, "webhook-signature: v1,");
    base64_add(&text, slice_of((const char *)mac, sizeof mac));
    struct slice line = arena_dup(a, str_slice(&text));
    str_free(&text);
    return line;
}

static struct wire *begin(const struct hooks *hooks, struct delivery_row *row, struct arena *a)
{
    long long seconds = clock_now_us() / 1000000;
    const char *const headers[] = {arena_printf(a, "webhook-id: %.*s", SLICE_ARG(row->id)).ptr, arena_printf(a, "webhook-timestamp: %lld", seconds).ptr,
                                   signature(row, seconds, a).ptr, NULL};
    struct wire *wire = wire_open(&(struct wire_options){.url = arena_strdup(a, row->url), .headers = headers, .private_ok = hooks->private_ok,
                                                         .concurrency = 1, .timeout_ms = TIMEOUT_MS, .reply_max = REPLY_MAX});
    wire_start(wire, row, row->payload, NULL);
    return wire;
}

/* What keeps it from being told, in words; absent: nothing did. */
static struct slice trouble(const struct wire_done *done, struct arena *a)
{
    bool answered = done->end == WIRE_REPLY || done->end == WIRE_TOO_LARGE;
    if (answered && done->status >= 200 && done->status < 300)
        return SLICE_NONE;
    if (answered)
        return arena_printf(a, "it answered %d", done->status);
    if (done->end == WIRE_FORBIDDEN)
        return arena_printf(a, "its URL leads to %s; telltale serve --private-webhooks allows that", done->words);
    return arena_dup(a, slice_str(done->words));
}

static void note(const struct hooks *hooks, const struct delivery_row *row, const struct wire_done *done, struct arena *a)
{
    struct err e = {0}, refusal = {0};
    struct slice error = trouble(done, a);
    int status = done->end == WIRE_REPLY || done->end == WIRE_TOO_LARGE ? done->status : 0;
    /* A name may lead elsewhere tomorrow; an address stays what it is. */
    bool over = status == STATUS_GONE || (done->end == WIRE_FORBIDDEN && !hooks_may_tell(hooks, row->url, a, &refusal));
    if (error.ptr)
        log_warn("webhook %.*s was not told of %.*s: %.*s", SLICE_ARG(row->webhook), SLICE_ARG(row->event), SLICE_ARG(error));
    if (!store_delivery_end(hooks->store, row, status, error, over, &e))
        log_error("cannot note what a webhook was told: %s", e.text); /* the lease runs out, and it is told once more */
}

/* ---- as many as fit at once, and of each webhook one: who does not answer keeps nobody else waiting -------------------------- */

struct slot { /* an attempt that goes on, or none: wire is NULL */
    struct wire *wire;
    struct delivery_row row;
    struct arena arena;
};

/* Begins what is due where there is room; false: nothing goes on. */
static bool fill(const struct hooks *hooks, struct slot slots[AT_ONCE])
{
    struct str busy = STR_INIT(AT_ONCE * 100);
    struct err e = {0};
    bool more = true;
    for (int i = 0; i < AT_ONCE; i++)
        if (slots[i].wire)
            str_printf(&busy, "%.*s ", SLICE_ARG(slots[i].row.webhook));
    for (int i = 0; i < AT_ONCE && more; i++) {
        struct slot *slot = &slots[i];
        if (slot->wire)
            continue;
        arena_reset(&slot->arena);
        if (!store_delivery_claim(hooks->store, str_slice(&busy), LEASE_US, &slot->arena, &slot->row, &more, &e))
            log_error("cannot look for what webhooks are to be told: %s", e.text);
        if (!more)
            break;
        slot->wire = begin(hooks, &slot->row, &slot->arena);
        str_printf(&busy, "%.*s ", SLICE_ARG(slot->row.webhook));
    }
    bool any = busy.len;
    str_free(&busy);
    return any;
}

static void go_on(const struct hooks *hooks, struct slot slots[AT_ONCE])
{
    for (int i = 0; i < AT_ONCE; i++) {
        struct slot *slot = &slots[i];
        struct wire_done done;
        if (!slot->wire)
            continue;
        wire_work(slot->wire, WORK_MS);
        if (!wire_next(slot->wire, &done))
            continue;
        note(hooks, &slot->row, &done, &slot->arena);
        wire_close(slot->wire);
        slot->wire = NULL;
    }
}

/* ---- the thread --------------------------------------------------------------------------------------------------------- */

static void wait_for_work(struct hooks *hooks)
{
    int64_t until = clock_monotonic_us() + LOOK_US;
    pthread_mutex_lock(&hooks->lock);
    if (!hooks->wake && !atomic_load(&hooks->ending))
        cond_wait_until(&hooks->changed, &hooks->lock, until);
    hooks->wake = false;
    pthread_mutex_unlock(&hooks->lock);
}

static void *work(void *arg)
{
    struct hooks *hooks = arg;
    struct slot slots[AT_ONCE] = {0};
    while (!atomic_load(&hooks->ending)) {
        if (fill(hooks, slots))
            go_on(hooks, slots);
        else
            wait_for_work(hooks);
    }
    for (int i = 0; i < AT_ONCE; i++) {
        wire_close(slots[i].wire);
        arena_free(&slots[i].arena);
    }
    return NULL;
}

bool hooks_start(const char *db, bool private_ok, struct hooks **out, struct err *e)
{
    struct hooks *hooks = calloc(1, sizeof *hooks);
    if (!hooks)
        return err_set(e, ERR_IO, "out of memory");
    hooks->private_ok = private_ok;
    pthread_mutex_init(&hooks->lock, NULL);
    cond_init(&hooks->changed);
    bool ok = store_open(db, STORE_WRITE, &hooks->store, e) &&
              (pthread_create(&hooks->thread, NULL, work, hooks) == 0 || err_set(e, ERR_IO, "cannot start a thread"));
    if (ok)
        *out = hooks;
    else
        hooks_free(hooks);
    return ok;
}

void hooks_wake(struct hooks *hooks)
{
    pthread_mutex_lock(&hooks->lock);
    hooks->wake = true;
    pthread_cond_signal(&hooks->changed);
    pthread_mutex_unlock(&hooks->lock);
}

bool hooks_stop(struct hooks *hooks, int64_t deadline_us)
{
    atomic_store(&hooks->ending, true);
    hooks_wake(hooks);
    return thread_join_until(hooks->thread, deadline_us);
}

void hooks_free(struct hooks *hooks)
{
    store_close(hooks->store);
    pthread_cond_destroy(&hooks->changed);
    pthread_mutex_destroy(&hooks->lock);
    free(hooks);
}
