/* Closes connections whose client is too slow. The HTTP library's timeout counts silence, so that a byte now and then holds
 * a connection for ever; here a request's head has a deadline, and bodies and answers a least rate. */
#ifndef HTTP_WATCH_H
#define HTTP_WATCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct watch;
struct watched; /* one connection */

enum watch_phase {
    WATCH_HEAD,  /* the request's head is to come: 5 s */
    WATCH_IDLE,  /* kept alive: 30 s for the next request line */
    WATCH_BODY,  /* the body comes: 10 KiB in each 10 s */
    WATCH_WORK,  /* it is our turn: no limit, but a client that has closed its side is seen to be gone */
    WATCH_SEND,  /* the answer goes out: 10 KiB acknowledged in each 10 s */
};

/* With more than `crowded` connections all limits are a quarter of their time, at the same rates. `tls`: what comes is not the client's own
 * bytes, but those of a TLS session. */
struct watch *watch_new(unsigned crowded, bool tls);
void watch_free(struct watch *w);
/* A new connection, in WATCH_HEAD. Every function but watch_tick may be called by any thread. */
struct watched *watch_add(struct watch *w, int fd);
/* Before the descriptor is closed. */
void watch_remove(struct watch *w, struct watched *c);
void watch_phase(struct watched *c, enum watch_phase phase);
/* Set soon after the client of a connection in WATCH_WORK has left; lives until watch_remove(). */
const atomic_bool *watch_gone(const struct watched *c);
/* Bytes of a body that came. */
void watch_progress(struct watched *c, uint64_t bytes);
/* Looks at all connections and shuts down the ones that are too slow: call a few times a second, from one thread. */
void watch_tick(struct watch *w);

#endif
