#include "http/watch.h"

#include "base/clock.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { HEAD_US = 5000000, IDLE_US = 30000000, WINDOW_US = 10000000, WINDOW_BYTES = 10 * 1024, CROWDED_HASTE = 4 };
enum { TCP_CLOSE_WAIT = 8 }; /* <netinet/tcp.h> has it, and an older struct tcp_info */

struct watched {
    int fd;
    atomic_int phase;
    atomic_llong since;       /* of the phase, or of the window within it */
    atomic_ullong bytes;      /* of bodies, ever */
    uint64_t bytes_then;      /* at the window's start; the tick's own */
    long long window;         /* `since` that bytes_then belongs to; the tick's own */
    long long gone_since;     /* `since` when the client was first seen to have left; the tick's own */
    atomic_bool gone;         /* while we worked for it */
    struct watched *prev, *next;
};

struct watch {
    pthread_mutex_t lock; /* the list, and with it that no fd in it is closed while it is looked at */
    struct watched *all;
    unsigned n, crowded;
    bool tls;
};

static void *must(void *p)
{
    if (!p) {
        fprintf(stderr, "telltale: out of memory\n");
        abort();
    }
    return p;
}

struct watch *watch_new(unsigned crowded, bool tls)
{
    struct watch *w = must(calloc(1, sizeof *w));
    w->crowded = crowded;
    w->tls = tls;
    pthread_mutex_init(&w->lock, NULL);
    return w;
}

void watch_free(struct watch *w)
{
    pthread_mutex_destroy(&w->lock);
    free(w);
}

struct watched *watch_add(struct watch *w, int fd)
{
    struct watched *c = must(calloc(1, sizeof *c));
    c->fd = fd;
    watch_phase(c, WATCH_HEAD);
    pthread_mutex_lock(&w->lock);
    c->next = w->all;
    if (c->next)
        c->next->prev = c;
    w->all = c;
    w->n++;
    pthread_mutex_unlock(&w->lock);
    return c;
}

void watch_remove(struct watch *w, struct watched *c)
{
    pthread_mutex_lock(&w->lock);
    if (c->prev)
        c->prev->next = c->next;
    else
        w->all = c->next;
    if (c->next)
        c->next->prev = c->prev;
    w->n--;
    pthread_mutex_unlock(&w->lock);
    free(c);
}

void watch_phase(struct watched *c, enum watch_phase phase)
{
    atomic_store(&c->since, clock_monotonic_us());
    atomic_store(&c->phase, phase);
}

const atomic_bool *watch_gone(const struct watched *c) { return &c->gone; }

void watch_progress(struct watched *c, uint64_t bytes) { atomic_fetch_add_explicit(&c->bytes, bytes, memory_order_relaxed); }

static struct tcp_info connection_of(int fd)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof info;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
        return (struct tcp_info){0};
    return info;
}

/* What the client has acknowledged of all that was sent to it. */
static uint64_t acknowledged(int fd) { return connection_of(fd).tcpi_bytes_acked; }

/* Did too little move in a whole window? Opens the next window otherwise. */
static bool stalls(struct watched *c, long long since, int64_t now, uint64_t bytes, int haste)
{
    if (c->window != since) {
        c->window = since;
        c->bytes_then = bytes;
        return false;
    }
    if (now - since < WINDOW_US / haste)
        return false;
    bool slow = bytes - c->bytes_then < WINDOW_BYTES / (unsigned)haste;
    /* A new phase that began meanwhile has its own time, which must stay. */
    long long expected = since;
    if (atomic_compare_exchange_strong(&c->since, &expected, now))
        c->window = now;
    c->bytes_then = bytes;
    return slow && expected == since;
}

/* The client has closed its side before the request was whole or answered, and nothing happened since the last look. The library may
 * not hear of it: where the end comes together with the last bytes, its edge-triggered poll sees one event and reads once. */
static bool has_left(struct watched *c, long long since)
{
    char byte;
    bool gone = recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0, twice = gone && c->gone_since == since;
    c->gone_since = gone ? since : 0;
    return twice;
}

/* Did the client of a request that is being answered go away? Under TLS its last word, which nobody reads meanwhile, stands before the end. */
static bool has_hung_up(struct watched *c, long long since, bool tls)
{
    return tls ? connection_of(c->fd).tcpi_state == TCP_CLOSE_WAIT : has_left(c, since);
}

static bool too_slow(struct watched *c, int64_t now, int haste, bool tls)
{
    enum watch_phase phase = (enum watch_phase)atomic_load(&c->phase);
    long long since = atomic_load(&c->since);
    switch (phase) {
    case WATCH_HEAD:
        return now - since > HEAD_US / haste || has_left(c, since);
    case WATCH_IDLE:
        return now - since > IDLE_US / haste;
    case WATCH_BODY:
        return stalls(c, since, now, atomic_load(&c->bytes), haste) || has_left(c, since);
    case WATCH_WORK:
        if (has_hung_up(c, since, tls))
            atomic_store(&c->gone, true);
        return false;
    case WATCH_SEND:
        return stalls(c, since, now, acknowledged(c->fd), haste);
    }
    return false;
}

void watch_tick(struct watch *w)
{
    int64_t now = clock_monotonic_us();
    pthread_mutex_lock(&w->lock);
    int haste = w->n > w->crowded ? CROWDED_HASTE : 1;
    for (struct watched *c = w->all; c; c = c->next)
        if (too_slow(c, now, haste, w->tls))
            shutdown(c->fd, SHUT_RDWR);
    pthread_mutex_unlock(&w->lock);
}
