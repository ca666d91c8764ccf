#include "http/peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};

static void from_ipv4(const void *four, unsigned char bytes[16])
{
    memcpy(bytes, mapped, sizeof mapped);
    memcpy(bytes + 12, four, 4);
}

/* "1.2.3.4" or "::1", nothing around it. */
static bool read_address(struct slice text, unsigned char bytes[16], unsigned *bits)
{
    char z[INET6_ADDRSTRLEN];
    unsigned char four[4];
    if (text.len >= sizeof z)
        return false;
    memcpy(z, text.ptr, text.len);
    z[text.len] = '\0';
    *bits = 128;
    if (inet_pton(AF_INET6, z, bytes) == 1)
        return true;
    *bits = 32;
    if (inet_pton(AF_INET, z, four) != 1)
        return false;
    from_ipv4(four, bytes);
    return true;
}

static struct slice show_address(const unsigned char bytes[16], struct arena *a)
{
    char z[INET6_ADDRSTRLEN];
    bool four = memcmp(bytes, mapped, sizeof mapped) == 0;
    return arena_dup(a, slice_str(inet_ntop(four ? AF_INET : AF_INET6, four ? bytes + 12 : bytes, z, sizeof z)));
}

static bool read_net(struct slice text, struct net *out)
{
    struct slice rest = text, address = slice_take(&rest, '/');
    unsigned wide;
    if (!read_address(address, out->bytes, &wide))
        return false;
    out->bits = 128;
    if (!rest.ptr || address.len == text.len)
        return true;
    unsigned bits = 0;
    for (size_t i = 0; i < rest.len; i++) {
        if (rest.ptr[i] < '0' || rest.ptr[i] > '9' || i == 3)
            return false;
        bits = bits * 10 + (unsigned)(rest.ptr[i] - '0');
    }
    out->bits = 128 - wide + bits;
    return rest.len && bits <= wide;
}

bool proxies_init(struct proxies *p, struct arena *a, const struct slice *texts, size_t n, struct err *e)
{
    *p = (struct proxies){.nets = arena_array(a, struct net, n * 2 + 1)};
    for (size_t i = 0; i < n; i++) {
        bool loopback = slice_is(texts[i], "loopback");
        if (!read_net(loopback ? slice_str("127.0.0.0/8") : texts[i], &p->nets[p->n++]) ||
            (loopback && !read_net(slice_str("::1"), &p->nets[p->n++])))
            return err_set(e, ERR_USAGE, "\"%.*s\" is no proxy: give loopback, an address such as 10.0.0.3, or a network such as 10.0.0.0/8",
                           SLICE_ARG(texts[i]));
    }
    return true;
}

static bool in_net(const struct net *net, const unsigned char bytes[16])
{
    unsigned whole = net->bits / 8, rest = net->bits % 8;
    return memcmp(net->bytes, bytes, whole) == 0 && (!rest || (net->bytes[whole] ^ bytes[whole]) >> (8 - rest) == 0);
}

static bool is_proxy(const struct proxies *p, const unsigned char bytes[16])
{
    for (size_t i = 0; i < p->n; i++)
        if (in_net(&p->nets[i], bytes))
            return true;
    return false;
}

/* The last item of a list with commas, which is taken off. */
static struct slice take_last(struct slice *list)
{
    size_t at = list->len;
    while (at > 0 && list->ptr[at - 1] != ',')
        at--;
    struct slice item = slice_trim(slice_sub(*list, at, list->len));
    list->len = at ? at - 1 : 0;
    return item;
}

/* An item of X-Forwarded-For: some proxies write a port after the address, and then brackets around one of IPv6. */
static bool read_forwarded(struct slice text, unsigned char bytes[16])
{
    unsigned bits;
    if (read_address(text, bytes, &bits))
        return true;
    if (slice_starts(text, "[")) {
        text = slice_sub(text, 1, text.len);
        return read_address(slice_take(&text, ']'), bytes, &bits);
    }
    return read_address(slice_take(&text, ':'), bytes, &bits);
}

struct client peer_client(const struct proxies *p, const struct sockaddr *peer, bool tls, const struct header *headers, size_t n, struct arena *a)
{
    unsigned char bytes[16] = {0}, said[16];
    struct client client = {.secure = tls};
    if (peer && peer->sa_family == AF_INET)
        from_ipv4(&((const struct sockaddr_in *)peer)->sin_addr, bytes);
    else if (peer && peer->sa_family == AF_INET6)
        memcpy(bytes, &((const struct sockaddr_in6 *)peer)->sin6_addr, sizeof bytes);
    bool believed = is_proxy(p, bytes), more = believed, scheme = false;
    for (size_t i = n; i-- > 0 && believed;) {
        struct slice value = headers[i].value;
        if (slice_eq_nocase(headers[i].name, slice_str("X-Forwarded-For"))) {
            while (value.len && more) {
                more = read_forwarded(take_last(&value), said);
                if (more)
                    memcpy(bytes, said, sizeof bytes);
                more = more && is_proxy(p, bytes);
            }
        } else if (slice_eq_nocase(headers[i].name, slice_str("X-Forwarded-Proto")) && !scheme) {
            scheme = true;
            client.secure = slice_eq_nocase(take_last(&value), slice_str("https"));
        }
    }
    client.address = show_address(bytes, a);
    return client;
}
