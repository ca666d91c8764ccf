/* Who asks: the address a request comes from and whether it came encrypted, also where a reverse proxy stands in between. */
#ifndef HTTP_PEER_H
#define HTTP_PEER_H

#include "http/gate.h"

#include <sys/socket.h>

struct net { /* addresses that begin with the same bits */
    unsigned char bytes[16]; /* of IPv6; an IPv4 address as ::ffff:a.b.c.d */
    unsigned bits;
};

/* The proxies whose X-Forwarded-For and X-Forwarded-Proto are believed; of anybody else these headers are nothing. */
struct proxies {
    struct net *nets;
    size_t n;
};

struct client {
    struct slice address; /* "192.0.2.7", "2001:db8::1" */
    bool secure;          /* it came by https, here or at the proxy */
};

/* `texts`: "loopback", "10.0.0.3", "10.0.0.0/8", "fd00::/8". */
bool proxies_init(struct proxies *p, struct arena *a, const struct slice *texts, size_t n, struct err *e);
/* From the address at the other end of the connection, `tls` when it is encrypted up to here. Of a chain in X-Forwarded-For the client is the
 * last address that is no proxy of ours: what stands before it is that client's own claim. The https of X-Forwarded-Proto is the last one. */
struct client peer_client(const struct proxies *p, const struct sockaddr *peer, bool tls, const struct header *headers, size_t n, struct arena *a);

#endif
