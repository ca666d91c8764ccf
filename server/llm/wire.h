/* HTTP requests to one URL, many in flight from one thread: libcurl's multi interface, and the only file of llm that knows it. No redirects,
 * no proxy, no other scheme, no cookie, no netrc; the address that is connected to is checked. Each start is one request on the wire:
 * where libcurl would repeat it on a fresh connection by itself, it ends as WIRE_BROKEN, so that whoever counts tries counts all. */
#ifndef LLM_WIRE_H
#define LLM_WIRE_H

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum wire_end {
    WIRE_REPLY,                /* a whole reply, of whatever status */
    WIRE_TOO_LARGE,            /* more than reply_max, dropped there */
    WIRE_TIMED_OUT,
    WIRE_BROKEN,               /* the connection ended before the reply did */
    WIRE_NO_NAME,              /* the host's name is not known */
    WIRE_NO_SERVER,            /* nobody listens there, or no way leads there */
    WIRE_FORBIDDEN,            /* an address that may not be connected to; words: what lies there */
    WIRE_NO_TLS,               /* no secure connection came about */
    WIRE_CERTIFICATE,          /* its certificate is not to be trusted */
    WIRE_NO_HTTP,              /* something else answered */
};
struct wire_done {
    void *call;
    enum wire_end end;
    int status;                /* 0: none came */
    bool sent;                 /* the whole request left: the server may have worked for it */
    struct slice body;         /* valid until the next wire_next */
    char type[64], retry_after[64], location[256];
    char words[256];           /* libcurl's own, or of WIRE_FORBIDDEN */
};

struct wire_options {
    const char *url;
    struct slice key_header;   /* "Authorization: Bearer sk-…", copied; absent: none */
    const char *const *headers; /* others, up to a NULL; copied; NULL: none */
    bool private_ok;
    int concurrency;
    int64_t timeout_ms;
    size_t reply_max;
};
struct wire;
struct wire *wire_open(const struct wire_options *options);
void wire_close(struct wire *w);
/* A POST of `body` (which stays the caller's until the end), or a GET where it is absent. At most `concurrency` at a time. */
void wire_start(struct wire *w, void *call, struct slice body, const char *idempotency);
/* Works for at most wait_ms, less when something happens. */
void wire_work(struct wire *w, int wait_ms);
bool wire_next(struct wire *w, struct wire_done *out);
/* Ends one in flight; true: it may have been sent whole. */
bool wire_drop(struct wire *w, const void *call);

#endif
