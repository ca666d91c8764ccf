/* The page: index.html for its routes, and the files it loads, from inside the program or from a folder. */
#include "http/route.h"

#include "base/embed.h"
#include "base/hash.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX = 64 << 20 };

static const char *media_type(struct slice name)
{
    static const struct {
        const char *end, *type;
    } types[] = {
        {".html", "text/html; charset=utf-8"}, {".js", "text/javascript; charset=utf-8"}, {".css", "text/css; charset=utf-8"},
        {".svg", "image/svg+xml"},             {".json", "application/json"},            {".map", "application/json"},
        {".png", "image/png"},                 {".woff2", "font/woff2"},                 {".txt", "text/plain; charset=utf-8"},
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (slice_ends(name, types[i].end))
            return types[i].type;
    return "application/octet-stream";
}

/* `name` has been checked: it leads nowhere but into the folder. */
static bool from_folder(const struct request *r, struct slice name, struct answer *a)
{
    char path[4096];
    struct stat st;
    snprintf(path, sizeof path, "%s/%.*s", r->server->web_dir, SLICE_ARG(name));
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    bool ok = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= FILE_MAX;
    char *to = ok ? str_reserve(&a->body, (size_t)st.st_size) : NULL;
    ssize_t n = to ? read(fd, to, (size_t)st.st_size) : -1;
    if (fd >= 0)
        close(fd);
    if (n < 0)
        return false;
    a->body.len = (size_t)n;
    return true;
}

static bool load(struct request *r, struct slice name, struct answer *a)
{
    if (r->server->web_dir)
        return from_folder(r, name, a);
    const struct embedded *file = embedded_find(arena_printf(&r->arena, "web/%.*s", SLICE_ARG(name)).ptr);
    if (!file)
        return false;
    a->fixed = file->bytes;
    return true;
}

/* A name with a hash in it never changes its content, and may be kept for ever. */
static bool send_file(struct request *r, struct answer *a, struct slice name, bool hashed, struct err *e)
{
    struct slice packed = arena_printf(&r->arena, "%.*s.gz", SLICE_ARG(name));
    bool gzip = slice_find(r->header[HEADER_ACCEPT_ENCODING], slice_str("gzip")) >= 0 && load(r, packed, a);
    if (!gzip && !load(r, name, a))
        return err_set(e, ERR_NOT_FOUND, "there is nothing at %.*s", SLICE_ARG(slice_cut(r->target, 200)));
    unsigned char hash[HASH_SIZE];
    char hex[2 * HASH_SIZE + 1];
    hash_of(a->fixed.ptr ? a->fixed : str_slice(&a->body), hash);
    hash_hex(hash, HASH_SIZE, hex);
    struct slice tag = arena_printf(&r->arena, "\"%s\"", hex);
    a->type = media_type(name);
    if (gzip)
        answer_header(a, "Content-Encoding", slice_str("gzip"));
    answer_header(a, "Vary", slice_str("Accept-Encoding"));
    answer_header(a, "ETag", tag);
    answer_header(a, "Cache-Control", slice_str(hashed ? "public, max-age=31536000, immutable" : "no-cache"));
    if (r->header[HEADER_IF_NONE_MATCH].ptr && slice_find(r->header[HEADER_IF_NONE_MATCH], tag) >= 0) {
        a->status = 304;
        a->fixed = slice_str("");
        str_reset(&a->body);
    }
    return true;
}

bool page_index(struct request *r, struct answer *a, struct err *e)
{
    a->page = true;
    return send_file(r, a, slice_str("index.html"), false, e);
}

/* Does what programs ask stand below the path's first part? */
static bool is_of_programs(const struct request *r)
{
    for (size_t i = 0; i < route_count; i++) {
        struct slice rest = slice_str(routes[i].path + 1);
        if (routes[i].summary && slice_eq(r->segment[0], slice_take(&rest, '/')))
            return true;
    }
    return false;
}

static bool wants_html(struct slice accept)
{
    while (accept.len)
        if (media_is(slice_take(&accept, ','), slice_str("text/html")))
            return true;
    return false;
}

bool page_nowhere(const struct request *r, struct answer *a)
{
    static const char text[] =
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
        "<meta name=\"color-scheme\" content=\"light dark\">\n<title>Nothing here · Telltale</title>\n<main>\n<h1>There is nothing here</h1>\n"
        "<p>No page has this address. It may be cut short or mistyped.</p>\n<p><a href=\"/\">All collections</a></p>\n</main>\n</html>\n";
    bool reads = slice_is(r->method, "GET") || slice_is(r->method, "HEAD");
    if (!reads || !r->nsegments || is_of_programs(r) || !wants_html(r->header[HEADER_ACCEPT]))
        return false;
    a->fixed = slice_of(text, sizeof text - 1);
    a->type = "text/html; charset=utf-8";
    a->status = 404;
    return true;
}

bool page_icon(struct request *r, struct answer *a, struct err *e) { return send_file(r, a, slice_str("favicon.svg"), false, e); }

bool page_asset(struct request *r, struct answer *a, struct err *e)
{
    struct slice name = r->path[0];
    if (name.ptr[0] == '.' || memchr(name.ptr, '/', name.len))
        return err_set(e, ERR_NOT_FOUND, "there is no such file");
    return send_file(r, a, arena_printf(&r->arena, "assets/%.*s", SLICE_ARG(name)), !r->server->web_dir, e);
}
