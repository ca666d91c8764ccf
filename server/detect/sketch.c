#include "detect/sketch.h"

#include "text/literal.h"

#include <string.h>

enum {
    TEXT_MAX = 1 << 16,
    SORTED_AT = 4 * SKETCH_MAX,     /* hashes at a time */
    DEALT_TO = 256,
};

static bool is_digit(unsigned char c) { return c >= '0' && c <= '9'; }

/* The byte in lower case where it is part of a word, else 0. */
static const unsigned char word_bytes[256] = {
    ['0'] = '0', '1', '2', '3', '4', '5', '6', '7', '8', '9',
    ['A'] = 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z',
    ['a'] = 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z',
    ['_'] = '_',
    [0x80] = 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8b, 0x8c, 0x8d, 0x8e, 0x8f,
    0x90, 0x91, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f,
    0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf,
    0xb0, 0xb1, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xbb, 0xbc, 0xbd, 0xbe, 0xbf,
    0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xcb, 0xcc, 0xcd, 0xce, 0xcf,
    0xd0, 0xd1, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda, 0xdb, 0xdc, 0xdd, 0xde, 0xdf,
    0xe0, 0xe1, 0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xeb, 0xec, 0xed, 0xee, 0xef,
    0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe, 0xff,
};

static uint32_t mix(uint32_t h)
{
    h ^= h >> 16;
    h *= UINT32_C(0x85ebca6b);
    h ^= h >> 13;
    h *= UINT32_C(0xc2b2ae35);
    return h ^ h >> 16;
}

/* The smallest hashes met so far, and newer ones that are not sorted in yet. */
struct smallest {
    uint32_t items[SORTED_AT];
    size_t n;
    uint32_t limit;         /* what is above is not among them */
};

/* Ascending, each once. Hashes lie evenly below the limit, so each is almost in its place once they are dealt out by their highest bits;
 * whoever makes hashes that do not pays a few hundred steps for each. */
static void sort(struct smallest *s)
{
    uint32_t dealt[SORTED_AT];
    uint16_t ends[DEALT_TO + 1] = {0};
    unsigned shift = 0;
    while (s->limit >> shift >= DEALT_TO)
        shift++;
    for (size_t i = 0; i < s->n; i++)
        ends[(s->items[i] >> shift) + 1]++;
    for (size_t i = 0; i < DEALT_TO; i++)
        ends[i + 1] = (uint16_t)(ends[i + 1] + ends[i]);
    for (size_t i = 0; i < s->n; i++)
        dealt[ends[s->items[i] >> shift]++] = s->items[i];
    size_t kept = 0;
    for (size_t i = 0; i < s->n; i++) {
        size_t at = kept;
        while (at && s->items[at - 1] > dealt[i])
            at--;
        if (at && s->items[at - 1] == dealt[i])
            continue;
        memmove(s->items + at + 1, s->items + at, (kept - at) * sizeof *s->items);
        s->items[at] = dealt[i];
        kept++;
    }
    s->n = kept < SKETCH_MAX ? kept : SKETCH_MAX;
    if (s->n == SKETCH_MAX)
        s->limit = s->items[s->n - 1];
}

static void add(struct smallest *s, uint32_t hash)
{
    if (s->n == SORTED_AT)
        sort(s);
    if (hash <= s->limit)
        s->items[s->n++] = hash;
}

struct sketch sketch_make(struct arena *a, struct slice text)
{
    struct smallest all;
    all.n = 0, all.limit = UINT32_MAX;
    text = slice_sub(text, 0, TEXT_MAX);
    uint32_t before = 0;
    for (size_t i = 0; i < text.len;) {
        uint32_t h = 2166136261u;
        size_t start = i;
        bool number = true;
        for (unsigned char c; i < text.len && (c = word_bytes[(unsigned char)text.ptr[i]]); i++) {
            number &= is_digit(c);
            h = (h ^ c) * 16777619u;
        }
        if (i == start) {
            i++;
            continue;
        }
        h = number ? '0' : h;
        add(&all, mix(h));
        if (before)
            add(&all, mix(before * 31 + h));
        before = h;
    }
    sort(&all);
    uint32_t *hashes = arena_alloc(a, (all.n + 1) * sizeof *hashes);
    memcpy(hashes, all.items, all.n * sizeof *hashes);
    return (struct sketch){hashes, all.n};
}

double sketch_likeness(const struct sketch *a, const struct sketch *b, double least)
{
    size_t i = 0, k = 0, common = 0, all = 0, most = a->n + b->n < SKETCH_MAX ? a->n + b->n : SKETCH_MAX;
    double apart = (1 - least) * (double)most + 0.5; /* more that only one of them has are too many, whatever follows */
    for (; i < a->n && k < b->n && all < SKETCH_MAX; all++) { /* the smallest hashes of the two together stand for all of them */
        uint32_t x = a->hashes[i], y = b->hashes[k];
        common += x == y;
        if ((double)(all + 1 - common) > apart)
            return 0;
        i += x <= y;
        k += y <= x;
    }
    all += a->n - i + b->n - k;
    all = all < SKETCH_MAX ? all : SKETCH_MAX;
    return all ? (double)common / (double)all : 0;
}
