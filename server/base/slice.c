#include "base/slice.h"

int slice_cmp(struct slice a, struct slice b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int order = n ? memcmp(a.ptr, b.ptr, n) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

ptrdiff_t slice_find(struct slice hay, struct slice needle)
{
    if (!needle.len)
        return 0;
    const char *at = hay.len ? memmem(hay.ptr, hay.len, needle.ptr, needle.len) : NULL;
    return at ? at - hay.ptr : -1;
}

static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

struct slice slice_trim(struct slice a)
{
    while (a.len && is_space(a.ptr[0]))
        a.ptr++, a.len--;
    while (a.len && is_space(a.ptr[a.len - 1]))
        a.len--;
    return a;
}

struct slice slice_cut(struct slice a, size_t max)
{
    if (a.len <= max)
        return a;
    while (max && ((unsigned char)a.ptr[max] & 0xc0) == 0x80)
        max--;
    return (struct slice){a.ptr, max};
}

size_t slice_utf8(struct slice a)
{
    const unsigned char *p = (const unsigned char *)a.ptr;
    unsigned char c = a.len ? p[0] : 0xff;
    size_t n = c < 0x80 ? 1 : c >= 0xc2 && c <= 0xdf ? 2 : c >= 0xe0 && c <= 0xef ? 3 : c >= 0xf0 && c <= 0xf4 ? 4 : 0;
    if (!n || n > a.len)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if ((c == 0xe0 && p[1] < 0xa0) || (c == 0xed && p[1] > 0x9f) || (c == 0xf0 && p[1] < 0x90) || (c == 0xf4 && p[1] > 0x8f))
        return 0;
    return n;
}

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c; }

bool slice_eq_nocase(struct slice a, struct slice b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (lower(a.ptr[i]) != lower(b.ptr[i]))
            return false;
    return true;
}

struct slice slice_take(struct slice *rest, char stop)
{
    const char *end = rest->len ? memchr(rest->ptr, stop, rest->len) : NULL;
    struct slice head = slice_sub(*rest, 0, end ? (size_t)(end - rest->ptr) : rest->len);
    *rest = slice_sub(*rest, head.len + (end != NULL), rest->len);
    return head;
}
