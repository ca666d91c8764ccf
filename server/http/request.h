/* One request and its answer, as handlers see them: parsed, typed and checked; nothing of the HTTP library. */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"
#include "base/str.h"
#include "http/peer.h"
#include "jobs/spool.h"
#include "storage/access.h"
#include "storage/store.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct route;
struct rulebook;
struct jobs;
struct limits;
struct hooks;
struct metrics;
struct access;
struct jvalue;

/* What all requests share; immutable while the server runs, but for what is atomic or has its own lock. */
struct server {
    const char *db;           /* store_open's url */
    const char *web_dir;      /* the page's files from this folder instead of those in the program; may be NULL */
    struct spool spool;
    struct rulebook *rules;
    const char *config;       /* telltale.yaml; NULL: there is none */
    struct jobs *jobs;
    struct limits *limits;
    struct hooks *hooks;
    struct metrics *metrics;
    struct access *access;
    atomic_bool stopping;
    bool (*reload)(void *ctx, struct err *e); /* reads settings and rules again */
    void *reload_ctx;
};

/* ---- arguments: what a route's table row declares, from the query string and from the JSON body -------------------- */

enum arg_type {
    ARG_TEXT,    /* min..max bytes */
    ARG_INT,     /* min..max */
    ARG_NUMBER,  /* body: any number from min to max */
    ARG_BOOL,    /* 1|0|true|false in a query, true|false in a body */
    ARG_WORD,    /* one of `words` */
    ARG_LIST,    /* body: an array of strings, min..max of them */
    ARG_OBJECT,  /* body: any object, kept as JSON text */
    ARG_ARRAY,   /* body: any array, kept as JSON text */
    ARG_ANY,     /* body: any value, kept as JSON text */
    ARG_FILTER,  /* body: an object with the names of run_filter_params; its members go to request.filter */
};
struct param {
    const char *name;         /* a name that ends in ".*" stands for every name with that beginning */
    enum arg_type type;
    int64_t min, max;
    const char *words;        /* "native|csv" */
    bool required;
    const char *about;
    enum may may;             /* of a flag in a query: the scope that it needs beyond what its call needs; 0: none */
};
/* Lists of params end with a row without a name (params.h has those of the routes). */

struct arg {
    const struct param *param;
    struct slice name;        /* as it was given */
    struct slice text;        /* of any type but a list */
    int64_t number;           /* ARG_INT, ARG_BOOL */
    struct slice *items;      /* ARG_LIST */
    size_t n;
};
struct args {
    struct arg *items;
    size_t n, cap;
};
/* Absent, or the fallback, where the argument was not given. */
const struct arg *arg_find(const struct args *args, const char *name);
struct slice arg_text(const struct args *args, const char *name);
int64_t arg_int(const struct args *args, const char *name, int64_t fallback);
bool arg_bool(const struct args *args, const char *name, bool fallback);

/* Adds name=text, checked against the first of the param lists (NULL-terminated) that knows the name. ERR_USAGE names what is
 * wrong: an unknown name, one given twice, a value of the wrong kind. */
bool args_add_text(struct arena *a, struct args *args, const struct param *const *lists, struct slice name, struct slice text, struct err *e);
/* "a=1&b=x%20y" */
bool args_from_query(struct arena *a, struct args *args, const struct param *const *lists, struct slice query, struct err *e);
/* A JSON object with the members that `fields` declares (body.c). */
bool args_from_body(struct arena *a, struct args *args, struct args *filter, const struct param *fields, struct slice body, struct err *e);
/* Names the first required param that was not given. */
bool args_complete(const struct args *args, const struct param *const *lists, struct err *e);

/* ---- the request ---------------------------------------------------------------------------------------------------- */

/* The headers that handlers ask for; the rest is the gate's affair. */
enum header_name { HEADER_IF_NONE_MATCH, HEADER_ACCEPT_ENCODING, HEADER_CONTENT_ENCODING, HEADER_CONTENT_TYPE, HEADER_IDEMPOTENCY_KEY,
                   HEADER_AUTHORIZATION, HEADER_COLLECTION, HEADER_REQUEST_ID, HEADER_HOST, HEADER_MCP_REVISION,
                   HEADER_COOKIE, HEADER_ORIGIN, HEADER_CSRF, HEADER_ACCEPT };
enum { HEADER_NAMES = 14, PATH_SEGMENTS = 8 };

/* Who asks, and by what right (access.h). */
struct who {
    struct slice name;       /* of the token, or "local"; absent: nobody */
    struct token_row token;  /* n 0: none */
    unsigned scopes;         /* with what they imply */
    bool has_session;
    struct session_row session;
    struct actor actor;
};

struct request {
    struct server *server;
    const struct route *route;           /* NULL: none matches */
    struct slice id;                     /* what logs and the answer call it: the client's X-Request-Id, else one of ours */
    struct arena arena;                  /* lives until the answer is sent */
    struct client client;                /* from where; */
    struct who who;                      /* and who asks */
    struct slice method, target;         /* target: as sent, with the query */
    struct slice segment[PATH_SEGMENTS]; /* of the path, decoded */
    size_t nsegments;
    struct slice path[2];                /* what stands for {…} in the route, in order */
    struct slice header[HEADER_NAMES];
    struct args args, filter;
    struct str body;                     /* of a route that takes JSON or bytes */
    const struct jvalue *said;           /* the tree of the body, where it told the lane; else NULL */
    struct upload upload;                /* of a route that takes anything */
    struct inflate *inflate;             /* of a body that comes packed, until it is there; else NULL */
    const atomic_bool *gone;             /* set when nobody waits for the answer any more; may be NULL */
    struct store *store;                 /* the worker's, while the handler runs; NULL on LANE_INLINE */
    int lane;                            /* enum lane: the route's, or what the body asks for */
    struct slice job;                    /* what the request waits for, once it is added */
    int64_t wait_until;                  /* clock_monotonic_us(); 0 before the first look */
};

/* Reads and checks the JSON body of a route that takes one. ERR_USAGE. */
bool request_read_body(struct request *r, struct err *e);

/* The server stops, or nobody waits for the answer: what takes long ends. */
bool request_unwanted(const struct request *r);

/* Is that the media type of a Content-Type, whatever its parameters? */
bool media_is(struct slice header, struct slice type);

/* Splits the target into decoded segments and the query. ERR_USAGE: no origin-form path, a bad %-escape, %00. */
bool request_target(struct request *r, struct slice *query, struct err *e);

/* ---- the answer ----------------------------------------------------------------------------------------------------- */

enum { ANSWER_HEADERS = 8 };
/* An answer built in memory has this maximum; what may be larger goes to a file. */
#define ANSWER_MAX ((size_t)256 << 20)

struct answer {
    int status;               /* 0: the route's own, or the error's */
    const char *type;         /* NULL: application/json */
    struct str body;
    struct slice fixed;       /* instead of body: bytes that outlive the server, as embedded files do */
    int fd;                   /* instead of body: an open file, which the answer then owns; -1 */
    uint64_t fd_size;
    struct { const char *name; struct slice value; } headers[ANSWER_HEADERS];
    size_t nheaders;
    bool page;                /* html: gets the page's Content-Security-Policy */
    bool park;                /* nothing yet: ask the handler again when request.job ends or at request.wait_until */
};
void answer_init(struct answer *a);
void answer_header(struct answer *a, const char *name, struct slice value);
/* Throws away what there is and makes it the error (application/problem+json) of this status; 0: the code's own. */
void answer_problem(struct answer *a, const struct request *r, int status, const struct err *e);
const char *status_title(int status);

#endif
