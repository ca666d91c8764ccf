/* HTTP itself, on the library: connections, heads, bodies, answers and their limits. Everything else about a request lies behind route.h. */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include "base/err.h"
#include "http/gate.h"
#include "http/lanes.h"
#include "http/peer.h"
#include "http/watch.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct MHD_Daemon;

/* What it works with, which outlives it; from `daemon` on, its own. */
struct http {
    struct server *server;
    struct lanes *lanes;
    struct watch *watch;
    struct gate gate;
    struct proxies proxies;
    bool tls;
    struct MHD_Daemon *daemon;
    atomic_size_t exchanges;   /* requests whose head has begun and whose answer is not sent */
    atomic_size_t body_bytes;
};

/* Raises the process's limit of descriptors as far as it goes; the connections that it allows beside databases and files. */
unsigned http_connections(void);
/* Was the library built with TLS? */
bool http_has_tls(void);
/* Answers who connects to a listening socket, which stays the caller's. */
bool http_start(struct http *http, int listener, bool ipv6, struct err *e);
/* Accepts no more connections. */
void http_quiesce(struct http *http);
/* Until every request is answered, or the deadline (clock_monotonic_us). */
void http_wait(struct http *http, int64_t deadline_us);
/* Closes what connections there are; no lane may be at work any more. */
void http_stop(struct http *http);

#endif
