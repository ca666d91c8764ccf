#include "base/base64.h"

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

/* The six bits of a digit; 64 for what may stand between digits, 65 for padding, 66 for what may not be there. */
static unsigned digit(unsigned char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    if (c == '/' || c == '_')
        return 63;
    return c == '\r' || c == '\n' || c == ' ' || c == '\t' ? 64 : c == '=' ? 65 : 66;
}

struct slice base64_read(struct arena *a, struct slice text)
{
    if (!text.ptr)
        return SLICE_NONE;
    unsigned char *bytes = arena_alloc(a, text.len / 4 * 3 + 3);
    size_t n = 0, digits = 0, padding = 0;
    unsigned bits = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned d = digit((unsigned char)text.ptr[i]);
        if (d == 64)
            continue;
        padding += d == 65;
        if (d == 66 || (padding && d != 65))
            return SLICE_NONE;
        if (d == 65)
            continue;
        bits = bits << 6 | d;
        if (digits++ % 4)
            bytes[n++] = (unsigned char)(bits >> (6 - 2 * ((digits - 1) % 4)));
    }
    /* One digit alone is no byte; what padding there is fills four. */
    bool whole = digits % 4 != 1 && (!padding || (digits + padding) % 4 == 0) && padding < 3;
    return whole ? slice_of((const char *)bytes, n) : SLICE_NONE;
}
