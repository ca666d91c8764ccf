/* Where the server listens. */
#ifndef HTTP_LISTEN_H
#define HTTP_LISTEN_H

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

#include <stdbool.h>

struct listener {
    int fd;
    int port;
    bool ipv6;
    bool loopback;      /* only this machine reaches it */
    bool any;           /* on all addresses of the machine */
    struct slice host;  /* as a URL has it: "127.0.0.1", "[::1]" */
};
/* `text`: "127.0.0.1:8787", "[::1]:8787", "localhost:0" (port 0 picks a free one). */
bool listener_open(const char *text, struct arena *a, struct listener *out, struct err *e);

#endif
