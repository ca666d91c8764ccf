#include "http/listen.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static bool is_any(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return ((const struct sockaddr_in *)address)->sin_addr.s_addr == htonl(INADDR_ANY);
    return IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)address)->sin6_addr);
}

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24 == 127;
    return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)address)->sin6_addr);
}

static int bound_port(int fd)
{
    struct sockaddr_storage bound;
    socklen_t size = sizeof bound;
    if (getsockname(fd, (struct sockaddr *)&bound, &size) < 0)
        return 0;
    return ntohs(bound.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&bound)->sin6_port : ((struct sockaddr_in *)&bound)->sin_port);
}

static bool bind_to(const struct addrinfo *address, struct listener *out)
{
    int on = 1;
    out->fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (out->fd < 0)
        return false;
    setsockopt(out->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(out->fd, address->ai_addr, address->ai_addrlen) < 0 || listen(out->fd, 1024) < 0)
        return false;
    out->ipv6 = address->ai_family == AF_INET6;
    out->loopback = is_loopback(address->ai_addr);
    out->any = is_any(address->ai_addr);
    out->port = bound_port(out->fd);
    return true;
}

bool listener_open(const char *text, struct arena *a, struct listener *out, struct err *e)
{
    const char *colon = strrchr(text, ':');
    if (!colon || colon == text || !colon[1] || strlen(colon + 1) > 5 || colon[1 + strspn(colon + 1, "0123456789")] ||
        strtol(colon + 1, NULL, 10) > 65535)
        return err_set(e, ERR_USAGE, "\"%s\" is no ADDRESS:PORT, such as 127.0.0.1:8787", text);
    struct slice host = slice_of(text, (size_t)(colon - text));
    bool bracketed = host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | AI_PASSIVE}, *found;
    int code = getaddrinfo(arena_strdup(a, bracketed ? slice_sub(host, 1, host.len - 2) : host), colon + 1, &hints, &found);
    if (code != 0)
        return err_set(e, ERR_USAGE, "cannot listen on %s: %s", text, gai_strerror(code));
    *out = (struct listener){.fd = -1, .host = arena_dup(a, host)};
    bool ok = bind_to(found, out) || err_errno(e, "cannot listen on %s", text);
    freeaddrinfo(found);
    if (!ok && out->fd >= 0)
        close(out->fd);
    return ok;
}
