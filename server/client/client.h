/* The other side of the wire: requests to a Telltale server elsewhere. Beside llm/wire.c the only user of libcurl. */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

#include <stdatomic.h>
#include <stdint.h>

struct client;

/* `url` is where the server answers ("http://127.0.0.1:8787", with a path in front of /api where a proxy adds one). Only http and https;
 * redirects are not followed. `token` (NULL: none) goes with each request. `cacert` is a file of certificates that are trusted instead of the
 * system's (NULL: those). Nothing is sent yet. Texts are copied. For one thread. `waiting` (may be NULL) is told why, when a request is to be
 * tried again for the first time. */
bool client_open(const char *url, const char *token, const char *cacert, const atomic_bool *cancel, void (*waiting)(void *ctx, const char *why),
                 void *ctx, struct client **out, struct err *e);
void client_close(struct client *c); /* NULL is fine */

struct client_body { /* a text, or `size` bytes of a file from its beginning */
    struct slice text;
    const char *type;   /* Content-Type; NULL: no body */
    int fd;
    uint64_t size;
    bool is_file;
};

/* One request; `path` begins with a slash. What cannot be reached, is busy (429, 503) or stumbled (5xx) is tried again for about half a
 * minute, so `body` must bear being sent twice, or bring an `idempotency_key` (else NULL). The answer's body (at most 64 MB) is in `a`. False:
 * no answer came (ERR_IO), the file of `body` has fewer bytes than it says (ERR_FORMAT), or the server refused: then with its own words, its
 * status in *status (0: no answer), and a code that fits. */
bool client_call(struct client *c, const char *method, const char *path, const char *idempotency_key, const struct client_body *body,
                 struct arena *a, int *status, struct slice *answer, struct err *e);

/* A text as a part of a path or query. */
const char *client_escape(struct client *c, struct arena *a, struct slice text);

#endif
