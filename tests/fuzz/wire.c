/* What libFuzzer feeds: any bytes as a request (its head in lines, an empty line, its body), which go the way a request goes before its handler: the
 * client behind proxies, the gate, the target, the route, the arguments of query and body. */
#include "http/gate.h"
#include "http/peer.h"
#include "http/route.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { HEADERS = 100 };

static struct arena forever;
static struct gate gate;
static struct proxies proxies;

/* A broken promise ends the program, so that the fuzzer keeps the input. */
static void hold(bool promise, const char *what)
{
    if (promise)
        return;
    fprintf(stderr, "broken: %s\n", what);
    abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const struct slice names[] = {SLICE_LIT("telltale.example.org"), SLICE_LIT("other.example.org:8443")};
    static const struct slice peers[] = {SLICE_LIT("loopback"), SLICE_LIT("10.0.0.0/8"), SLICE_LIT("fd00::/7")};
    struct err e;
    (void)argc, (void)argv;
    gate_init(&gate, &forever, slice_str("127.0.0.1"), false, 8787, false);
    gate.names = names;
    gate.nnames = sizeof names / sizeof *names;
    hold(proxies_init(&proxies, &forever, peers, sizeof peers / sizeof *peers, &e), "proxies");
    return 0;
}

static size_t count(const struct header *headers, size_t n, const char *name)
{
    size_t found = 0;
    for (size_t i = 0; i < n; i++)
        found += slice_eq_nocase(headers[i].name, slice_str(name));
    return found;
}

/* What the gate lets in has one meaning, and knows where it ends. */
static void hold_framing(const struct header *headers, size_t n, const struct framing *f)
{
    size_t lengths = count(headers, n, "Content-Length"), codings = count(headers, n, "Transfer-Encoding");
    hold(count(headers, n, "Host") == 1 && f->host.len, "one Host");
    hold(lengths + codings <= 1, "the length is told once");
    hold(f->chunked == (codings == 1) && f->has_body == (f->chunked || f->length > 0), "the framing is what the headers say");
    for (size_t i = 0; i < n; i++)
        hold(!memchr(headers[i].value.ptr, '\r', headers[i].value.len) && !memchr(headers[i].value.ptr, '\0', headers[i].value.len), "no line within a line");
}

static void hold_client(const struct header *headers, size_t n)
{
    struct arena a = {0};
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    unsigned char bytes[16];
    struct client c = peer_client(&proxies, (struct sockaddr *)&peer, false, headers, n, &a);
    hold(inet_pton(AF_INET, c.address.ptr, bytes) == 1 || inet_pton(AF_INET6, c.address.ptr, bytes) == 1, "the client is an address");
    peer.sin_addr.s_addr = htonl(0xc0000207);
    c = peer_client(&proxies, (struct sockaddr *)&peer, false, headers, n, &a);
    hold(slice_is(c.address, "192.0.2.7") && !c.secure, "a stranger's headers say nothing");
    arena_free(&a);
}

static void hold_error(bool ok, const struct err *e) { hold(ok || (e->code != ERR_NONE && *e->text), "what is refused has its reason"); }

static void read_request(struct request *r, struct slice body)
{
    struct slice query, allow = SLICE_NONE;
    struct err e = {0};
    bool ok = request_target(r, &query, &e);
    hold_error(ok, &e);
    if (!ok)
        return;
    for (size_t i = 0; i < r->nsegments; i++)
        hold(!r->segment[i].len || !memchr(r->segment[i].ptr, '\0', r->segment[i].len), "no NUL in a path");
    if (route_find(r, &allow) != ROUTE_FOUND || !r->route->summary)
        return;
    ok = args_from_query(&r->arena, &r->args, r->route->query, query, &e) && args_complete(&r->args, r->route->query, &e);
    hold_error(ok, &e);
    if (r->route->body != BODY_JSON || !r->route->fields)
        return;
    e = (struct err){0};
    hold_error(args_from_body(&r->arena, &r->args, &r->filter, r->route->fields, body, &e), &e);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct request r = {0};
    struct header headers[HEADERS];
    struct framing framing;
    struct err e = {0};
    size_t nheaders = 0;
    struct slice rest = arena_dup(&r.arena, slice_of((const char *)bytes, n)), line = slice_take(&rest, '\n');
    r.method = slice_take(&line, ' ');
    r.target = slice_take(&line, ' ');
    while (rest.len && nheaders < HEADERS) {
        struct slice header = slice_take(&rest, '\n');
        if (!header.len)
            break;
        headers[nheaders].name = slice_take(&header, ':');
        headers[nheaders].value = header.len ? slice_trim(header) : slice_str("");
        nheaders++;
    }
    int status = gate_check(&gate, false, r.method, slice_str("HTTP/1.1"), headers, nheaders, &framing, &e);
    hold(status == 0 || status == 400 || status == 403 || status == 421, "a status of the gate");
    hold_error(!status, &e);
    if (!status)
        hold_framing(headers, nheaders, &framing);
    hold_client(headers, nheaders);
    read_request(&r, rest);
    arena_free(&r.arena);
    return 0;
}
