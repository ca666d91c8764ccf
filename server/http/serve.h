/* The whole server: what it is made of, in the order in which it starts and stops. */
#ifndef HTTP_SERVE_H
#define HTTP_SERVE_H

#include "base/err.h"
#include "detect/rulebook.h"
#include "storage/care.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct serve;

struct serve_options {
    const char *db;            /* store_open's url, of a file; made and migrated when missing or older */
    const char *listen;        /* "127.0.0.1:8787", "[::1]:8787", "localhost:0"; port 0 picks a free one */
    const struct slice *hosts; /* further values of Host that are ours: "NAME" at any port, "NAME:PORT" */
    size_t nhosts;
    const struct slice *proxies; /* whose X-Forwarded-For and X-Forwarded-Proto are believed (peer.h) */
    size_t nproxies;
    const char *tls_cert, *tls_key; /* PEM files: https, and nothing else; both or none */
    bool private_webhooks;     /* webhooks may go to loopback and private addresses */
    int workers;               /* threads of one import or scan; 0: one a processor */
    const char *web_dir;       /* the page's files from this folder; NULL: those inside the program */
    struct rulebook_options rules;
    bool require_token;        /* tokens are asked for on loopback too; elsewhere, behind proxies and under other names they are but when */
    bool insecure;             /* everybody who reaches it may do everything */
    uint64_t upload_max;       /* bytes of one upload; 0: 8 GiB */
    struct keep keep;          /* what becomes of old runs (storage/care.h) */
    int64_t database_max;      /* bytes that the database and what waits for it may use; 0: the disk's */
    /* What POST /api/v1/reload calls, on a thread of a lane: reads the settings again, which ends in serve_reload.
     * True with words in `e`: what has changed, and waits for a restart. */
    bool (*reload)(void *ctx, struct err *e);
    void *reload_ctx;
};

/* Starts listening, answering and working on jobs. Signals are left to the calling thread, but SIGPIPE, which is ignored. */
bool serve_start(const struct serve_options *options, struct serve **out, struct err *e);
/* "http://127.0.0.1:8787", with TLS "https://…" */
const char *serve_url(const struct serve *serve);
/* Takes the rules that `options` names, and the certificate, read anew, and its limits; everything else is that of the start. What cannot be read stays as it was. */
bool serve_reload(struct serve *serve, const struct serve_options *options, struct err *e);
/* Accepts no more, lets requests in flight finish, puts jobs back in the queue: at most ten seconds. False: some work did
 * not end in time; the process should then leave with _exit(), which the database survives. */
bool serve_stop(struct serve *serve);

#endif
