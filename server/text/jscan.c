#include "text/jread.h"
#include "text/scan.h"

/* before the value, in a container or a lone string, in a bare scalar */
enum scan_state { SCAN_BEFORE, SCAN_INSIDE, SCAN_SCALAR };

static bool ends_scalar(char c)
{
    return strchr(" \t\r\n,:\"[]{}", c) && c != '\0';
}

ptrdiff_t jscan_feed(struct jscan *s, const char *bytes, size_t len)
{
    const struct scan *scan = scan_best();
    const char *p = bytes, *end = bytes + len;
    /* White space, and the bytes of a byte-order mark. */
    while (s->state == SCAN_BEFORE && p < end) {
        if (strchr(" \t\r\n\xef\xbb\xbf", *p) && *p != '\0') {
            p++;
        } else if (*p == '"' || *p == '[' || *p == '{') {
            s->state = SCAN_INSIDE;
        } else if (ends_scalar(*p)) {
            return p + 1 - bytes;
        } else {
            s->state = SCAN_SCALAR;
        }
    }
    if (s->state == SCAN_SCALAR) {
        while (p < end && !ends_scalar(*p))
            p++;
        return p < end ? p - bytes : -1;
    }
    while (p < end) {
        if (s->escape) {
            s->escape = 0;
            p++;
            continue;
        }
        p = s->string ? scan->quote(p, end) : scan->bracket(p, end);
        if (p == end)
            break;
        char c = *p++;
        if (c == '\\')
            s->escape = 1;
        else if (c == '"')
            s->string = !s->string;
        else if (c == '[' || c == '{')
            s->depth++;
        else
            s->depth--;
        if (s->depth == 0 && !s->string && !s->escape)
            return p - bytes;
    }
    return -1;
}
