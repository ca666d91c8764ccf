#include "detect/sketch.h"

#include "text/literal.h"

#include <string.h>

enum {
    TEXT_MAX = 1 << 16,
    SORTED_AT = 4 * SKETCH_MAX,     /* hashes at a time */
    DEALT_TO = 256,
};

static bool is_digit(unsigned char c) { return c >= '0' && c <= '9'; }
static bool is_word(unsigned char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || c == '_' || c >= 0x80; }

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
        for (unsigned char c; i < text.len && is_word(c = fold_byte((unsigned char)text.ptr[i])); i++) {
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
