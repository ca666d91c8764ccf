#include "detect/sketch.h"

#include "text/literal.h"

#include <stdlib.h>

enum { TEXT_MAX = 1 << 16 };

static bool is_digit(unsigned char c) { return c >= '0' && c <= '9'; }
static bool is_word(unsigned char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || c == '_' || c >= 0x80; }

static int by_number(const void *a, const void *b)
{
    uint32_t p = *(const uint32_t *)a, q = *(const uint32_t *)b;
    return p < q ? -1 : p > q;
}

static uint32_t mix(uint32_t h)
{
    h ^= h >> 16;
    h *= UINT32_C(0x85ebca6b);
    h ^= h >> 13;
    h *= UINT32_C(0xc2b2ae35);
    return h ^ h >> 16;
}

struct sketch sketch_make(struct arena *a, struct slice text)
{
    text = slice_sub(text, 0, TEXT_MAX);
    uint32_t *hashes = arena_alloc(a, (text.len + 2) * sizeof *hashes), before = 0;
    size_t n = 0, kept = 0;
    for (size_t i = 0; i < text.len;) {
        uint32_t h = 2166136261u;
        size_t start = i;
        bool number = true;
        for (unsigned char c; i < text.len && is_word(c = fold_byte((unsigned char)text.ptr[i])); i++) {
            number &= is_digit(c);
            h = (h ^ c) * 16777619u;
        }
        if (i == start) {
            i++;
            continue;
        }
        h = number ? '0' : h;
        hashes[n++] = mix(h);
        if (before)
            hashes[n++] = mix(before * 31 + h);
        before = h;
    }
    if (n)
        qsort(hashes, n, sizeof *hashes, by_number);
    for (size_t i = 0; i < n && kept < SKETCH_MAX; i++)
        if (kept == 0 || hashes[kept - 1] != hashes[i])
            hashes[kept++] = hashes[i];
    return (struct sketch){hashes, kept};
}

double sketch_likeness(const struct sketch *a, const struct sketch *b)
{
    size_t i = 0, k = 0, common = 0, all = 0;
    for (; i < a->n && k < b->n && all < SKETCH_MAX; all++) { /* the smallest hashes of the two together stand for all of them */
        uint32_t x = a->hashes[i], y = b->hashes[k];
        common += x == y;
        i += x <= y;
        k += y <= x;
    }
    all += a->n - i + b->n - k;
    all = all < SKETCH_MAX ? all : SKETCH_MAX;
    return all ? (double)common / (double)all : 0;
}
