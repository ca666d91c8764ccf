/* Private: numbers in as few bytes as they need, seven bits a byte, the lowest first. */
#ifndef STORAGE_VARINT_H
#define STORAGE_VARINT_H

#include <stddef.h>
#include <stdint.h>

enum { VARINT_MAX = 10 };

/* Writes n at p; how many bytes it took. */
static inline size_t varint_put(unsigned char *p, uint64_t n)
{
    size_t len = 0;
    for (; n >= 0x80; n >>= 7)
        p[len++] = (unsigned char)(n | 0x80);
    p[len++] = (unsigned char)n;
    return len;
}

/* Reads one; what follows it, or NULL where it does not end before `end`. */
static inline const unsigned char *varint_get(const unsigned char *p, const unsigned char *end, uint64_t *out)
{
    *out = 0;
    for (int shift = 0; p < end && shift < 64; shift += 7) {
        unsigned char c = *p++;
        *out |= (uint64_t)(c & 0x7f) << shift;
        if (c < 0x80)
            return p;
    }
    return NULL;
}

#endif
