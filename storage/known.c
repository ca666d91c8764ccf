#include "storage/known.h"

#include "storage/blocks.h"

#include <endian.h>
#include <stdlib.h>

enum { FIRST_CAP = 1024 };

struct entry {
    unsigned char hash[HASH_SIZE];
    int64_t text; /* 0: free */
};

/* Open addressing; the size is a power of two and at most three quarters are taken. */
struct generation {
    struct entry *entries;
    size_t n, cap;
};

/* Two generations: what is met goes to the young one; when that is full it becomes the old one, and the old one is forgotten. */
struct known {
    struct generation young, old;
    int64_t first, last; /* the blocks that were read; last 0: none yet */
};

static struct entry *place_of(const struct generation *g, const unsigned char hash[HASH_SIZE])
{
    size_t at;
    memcpy(&at, hash, sizeof at);
    for (;; at++) {
        struct entry *entry = &g->entries[at & (g->cap - 1)];
        if (!entry->text || memcmp(entry->hash, hash, HASH_SIZE) == 0)
            return entry;
    }
}

static struct entry *allocate(size_t cap)
{
    struct entry *entries = calloc(cap, sizeof *entries);
    if (!entries)
        abort();
    return entries;
}

static void grow(struct generation *g)
{
    struct generation bigger = {.n = g->n, .cap = g->cap ? 2 * g->cap : FIRST_CAP};
    bigger.entries = allocate(bigger.cap);
    for (size_t i = 0; i < g->cap; i++)
        if (g->entries[i].text)
            *place_of(&bigger, g->entries[i].hash) = g->entries[i];
    free(g->entries);
    *g = bigger;
}

struct known *known_new(void)
{
    struct known *k = calloc(1, sizeof *k);
    if (!k)
        abort();
    return k;
}

void known_clear(struct known *k)
{
    free(k->young.entries);
    free(k->old.entries);
    *k = (struct known){0};
}

void known_free(struct known *k)
{
    if (!k)
        return;
    known_clear(k);
    free(k);
}

void known_add(struct known *k, const unsigned char hash[HASH_SIZE], int64_t text)
{
    if (k->young.n == KNOWN_TEXTS) {
        free(k->old.entries);
        k->old = k->young;
        k->young = (struct generation){0};
    }
    if (4 * k->young.n >= 3 * k->young.cap)
        grow(&k->young);
    struct entry *entry = place_of(&k->young, hash);
    if (!entry->text)
        k->young.n++;
    memcpy(entry->hash, hash, HASH_SIZE);
    entry->text = text;
}

int64_t known_find(struct known *k, const unsigned char hash[HASH_SIZE])
{
    if (k->young.n) {
        int64_t text = place_of(&k->young, hash)->text;
        if (text)
            return text;
    }
    int64_t text = k->old.n ? place_of(&k->old, hash)->text : 0;
    if (text)
        known_add(k, hash, text);
    return text;
}

/* Blocks [first, last]. */
static bool read_hashes(struct known *k, struct store *s, int64_t first, int64_t last, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT block, hashes FROM block_hash WHERE block BETWEEN $1 AND $2", e);
    bind_int(q, first);
    bind_int(q, last);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        int64_t block = take_int(q);
        struct slice hashes = take_bytes(q);
        uint16_t place;
        for (; hashes.len >= sizeof place + HASH_SIZE; hashes = slice_sub(hashes, sizeof place + HASH_SIZE, hashes.len)) {
            memcpy(&place, hashes.ptr, sizeof place);
            known_add(k, (const unsigned char *)hashes.ptr + sizeof place, block << TEXT_BITS | le16toh(place));
        }
    }
    return step == STEP_DONE;
}

bool known_catch_up(struct known *k, struct store *s, int64_t back, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT coalesce(max(block), 0) FROM block_hash", e);
    if (stmt_step(q, e) != STEP_ROW)
        return false;
    int64_t newest = take_int(q), oldest = newest > back ? newest - back : 1;
    stmt_reset(q);
    if (!k->last)
        k->first = newest + 1;
    if ((oldest < k->first && !read_hashes(k, s, oldest, k->first - 1, e)) || (k->last && newest > k->last && !read_hashes(k, s, k->last + 1, newest, e)))
        return false;
    if (oldest < k->first)
        k->first = oldest;
    if (newest > k->last)
        k->last = newest;
    return true;
}
