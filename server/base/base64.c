#include "base/base64.h"

#include <sodium.h>

void base64_add(struct str *out, struct slice bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *p = (const unsigned char *)bytes.ptr;
    size_t size = (bytes.len + 2) / 3 * 4;
    char *to = str_reserve(out, size);
    if (!to)
        return;
    for (size_t i = 0; i < bytes.len; i += 3, to += 4) {
        size_t left = bytes.len - i;
        unsigned b = (unsigned)p[i] << 16 | (left > 1 ? (unsigned)p[i + 1] << 8 : 0) | (left > 2 ? p[i + 2] : 0);
        to[0] = digits[b >> 18];
        to[1] = digits[b >> 12 & 63];
        to[2] = digits[b >> 6 & 63];
        to[3] = digits[b & 63];
        if (left < 2)
            to[2] = '=';
        if (left < 3)
            to[3] = '=';
    }
    out->len += size;
}

struct slice base64_read(struct arena *a, struct slice text)
{
    static const int variants[] = {
        sodium_base64_VARIANT_ORIGINAL, sodium_base64_VARIANT_ORIGINAL_NO_PADDING,
        sodium_base64_VARIANT_URLSAFE, sodium_base64_VARIANT_URLSAFE_NO_PADDING,
    };
    if (!text.ptr)
        return SLICE_NONE;
    size_t room = text.len / 4 * 3 + 3, n;
    unsigned char *bytes = arena_alloc(a, room);
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++)
        if (sodium_base642bin(bytes, room, text.ptr, text.len, "\r\n ", &n, NULL, variants[i]) == 0)
            return slice_of((const char *)bytes, n);
    return SLICE_NONE;
}
