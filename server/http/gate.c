#include "http/gate.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

void gate_init(struct gate *gate, struct arena *a, struct slice host, bool any_address, uint16_t port, bool tls)
{
    const struct slice names[] = {slice_str("127.0.0.1"), slice_str("localhost"), slice_str("[::1]"), host};
    *gate = (struct gate){.any_address = any_address};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        gate->hosts[gate->nhosts++] = arena_printf(a, "%.*s:%u", SLICE_ARG(names[i]), port);
        if (port == (tls ? 443 : 80)) /* clients leave it out */
            gate->hosts[gate->nhosts++] = names[i];
    }
}

/* "1.2.3.4", "[::1]:8787": an address, which no name server can point elsewhere. */
static bool is_address(struct slice host)
{
    char text[64], *end;
    unsigned char bytes[16];
    if (host.len >= sizeof text)
        return false;
    memcpy(text, host.ptr, host.len);
    text[host.len] = '\0';
    if (text[0] == '[') {
        end = strchr(text, ']');
        if (!end || (end[1] && end[1] != ':'))
            return false;
        *end = '\0';
        return inet_pton(AF_INET6, text + 1, bytes) == 1;
    }
    end = strchr(text, ':');
    if (end)
        *end = '\0';
    return inet_pton(AF_INET, text, bytes) == 1 || strcasecmp(text, "localhost") == 0;
}

struct slice gate_port(struct slice host)
{
    for (size_t i = host.len; i-- > 0 && host.ptr[i] >= '0' && host.ptr[i] <= '9';)
        if (i > 0 && host.ptr[i - 1] == ':')
            return slice_sub(host, i, host.len);
    return SLICE_NONE;
}

/* "name:8443" without its port */
static struct slice without_port(struct slice host)
{
    struct slice port = gate_port(host);
    return port.ptr ? slice_sub(host, 0, host.len - port.len - 1) : host;
}

static bool host_is_ours(const struct gate *gate, struct slice host)
{
    for (size_t i = 0; i < gate->nnames; i++)
        if (slice_eq_nocase(host, gate->names[i]) || slice_eq_nocase(without_port(host), gate->names[i]))
            return true;
    for (size_t i = 0; i < gate->nhosts; i++)
        if (slice_eq_nocase(host, gate->hosts[i]))
            return true;
    return gate->any_address && is_address(host);
}

static bool origin_is_ours(struct slice origin, struct slice host, bool secure)
{
    size_t scheme = slice_starts(origin, "https://") ? 8 : !secure && slice_starts(origin, "http://") ? 7 : 0;
    return scheme && slice_eq_nocase(slice_sub(origin, scheme, origin.len), host);
}

static bool read_length(struct slice text, uint64_t *out)
{
    uint64_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9' || i == 18)
            return false;
        n = n * 10 + (uint64_t)(text.ptr[i] - '0');
    }
    *out = n;
    return text.len > 0;
}

static int refuse(int status, struct err *e, const char *why)
{
    err_set(e, status == 400 ? ERR_USAGE : ERR_FORBIDDEN, "%s", why);
    return status;
}

/* RFC 9110's token. The library takes "Content-Length :" for another header and would read the body as the next request. */
static bool is_token(struct slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if ((unsigned char)name.ptr[i] <= ' ' || (unsigned char)name.ptr[i] >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", name.ptr[i]))
            return false;
    return name.len > 0;
}

/* A carriage return within a value ends the line for some proxies: what stands behind it is then a header of its own. */
static bool is_value(struct slice value)
{
    for (size_t i = 0; i < value.len; i++)
        if (((unsigned char)value.ptr[i] < ' ' && value.ptr[i] != '\t') || value.ptr[i] == 0x7f)
            return false;
    return true;
}

int gate_check(const struct gate *gate, bool secure, struct slice method, struct slice version, const struct header *headers, size_t n,
               struct framing *out, struct err *e)
{
    int hosts = 0, lengths = 0, codings = 0;
    struct slice origin = SLICE_NONE;
    *out = (struct framing){.host = SLICE_NONE};
    for (size_t i = 0; i < n; i++) {
        struct slice value = headers[i].value;
        if (!is_token(headers[i].name))
            return refuse(400, e, "the name of a header has a character that no name may have");
        if (!is_value(value))
            return refuse(400, e, "the value of a header has a control character");
        if (slice_eq_nocase(headers[i].name, slice_str("Host"))) {
            hosts++;
            out->host = value;
        } else if (slice_eq_nocase(headers[i].name, slice_str("Content-Length"))) {
            lengths++;
            if (!read_length(value, &out->length))
                return refuse(400, e, "Content-Length is no number");
        } else if (slice_eq_nocase(headers[i].name, slice_str("Transfer-Encoding"))) {
            codings++;
            out->chunked = slice_eq_nocase(value, slice_str("chunked"));
            if (!out->chunked)
                return refuse(400, e, "no Transfer-Encoding but chunked is understood");
        } else if (slice_eq_nocase(headers[i].name, slice_str("Origin"))) {
            origin = value;
        } else if (slice_eq_nocase(headers[i].name, slice_str("Expect"))) {
            out->waits = slice_eq_nocase(value, slice_str("100-continue"));
        }
    }
    out->has_body = out->chunked || out->length > 0;
    if (!slice_is(version, "HTTP/1.1") && !slice_is(version, "HTTP/1.0"))
        return refuse(400, e, "only HTTP/1.1 and HTTP/1.0 are understood");
    if (codings && !slice_is(version, "HTTP/1.1")) /* RFC 9112, 6.1: a proxy of that version has passed on what it did not understand */
        return refuse(400, e, "HTTP/1.0 has no Transfer-Encoding");
    if (hosts != 1)
        return refuse(400, e, "a request must have exactly one Host");
    if (lengths > 1 || codings > 1 || (lengths && codings))
        return refuse(400, e, "the length of the body is told in two ways");
    if (!host_is_ours(gate, out->host))
        return err_set(e, ERR_FORBIDDEN, "this server does not answer for the Host \"%.*s\"; telltale serve --host NAME adds a name",
                       SLICE_ARG(slice_cut(out->host, 100))), 421;
    bool reads = slice_is(method, "GET") || slice_is(method, "HEAD");
    if (!reads && origin.ptr && !origin_is_ours(origin, out->host, secure))
        return refuse(403, e, "a page of another site may not change anything here");
    return 0;
}
