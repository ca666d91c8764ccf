/* What a request must look like before anybody looks at what it asks for. The HTTP library lets through what request smuggling
 * is made of (two Content-Lengths, a Content-Length beside a Transfer-Encoding, two Hosts), and pages of other sites and names
 * that are rebound to this machine (DNS rebinding) reach a loopback server through the user's own browser. */
#ifndef HTTP_GATE_H
#define HTTP_GATE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

enum { GATE_HOSTS = 8 };

struct gate {
    struct slice hosts[GATE_HOSTS]; /* values of Host that are ours, in lower case */
    size_t nhosts;
    bool any_address;               /* we listen on all addresses: any IP address is ours, and names of loopback, at any port */
    const struct slice *names;      /* further ones: "telltale.example.org" at any port, "telltale.example.org:8443" at that one */
    size_t nnames;
};
/* `host`: what was listened on, as a URL has it ("127.0.0.1", "[::1]"); `port`: 80 or, with `tls`, 443 may be left out of a Host. */
void gate_init(struct gate *gate, struct arena *a, struct slice host, bool any_address, uint16_t port, bool tls);

/* "8443" of the Host "name:8443"; absent: it has none, and the port is the scheme's own. */
struct slice gate_port(struct slice host);

struct header {
    struct slice name, value;
};
struct framing { /* what the gate read on the way */
    struct slice host;
    bool has_body;
    bool chunked;
    bool waits;      /* sends the body when it has heard "100 Continue" */
    uint64_t length; /* of the body, where it is told */
};
/* 0, or the status to refuse the request with (400, 403, 421), and why. `secure`: it came by https, so that only a page that did may write. */
int gate_check(const struct gate *gate, bool secure, struct slice method, struct slice version, const struct header *headers, size_t n,
               struct framing *out, struct err *e);

#endif
