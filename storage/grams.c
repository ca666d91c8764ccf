#include "storage/grams.h"

#include "storage/segment.h"

#include <endian.h>
#include <stdlib.h>

/* Each commit adds a segment. As blocks are numbered in the order of their writing, and segments are merged with their neighbours
 * only, the segments cover ranges of blocks that follow each other. */
enum {
    BITMAP_WORDS = SEGMENT_BLOCKS / 64,
    MERGE_FANOUT = 4,          /* so many segments of like size become one */
    FEW_CANDIDATES = 2,        /* cheaper to read than to look up more grams for */
};

/* ---- building ----------------------------------------------------------------------------------------------------------- */

struct waiting {              /* a block */
    uint32_t place;
    size_t first, n;          /* of its hashes */
};

struct grams {
    uint8_t bits[GRAM_BUCKETS / 8];
    uint16_t *hashes;         /* of one block after the other, ascending in each */
    size_t nhashes, hashes_cap;
    struct waiting *blocks;   /* by place */
    size_t nblocks, blocks_cap;
};

struct grams *grams_new(void)
{
    struct grams *g = calloc(1, sizeof *g);
    if (!g)
        abort();
    return g;
}

void grams_free(struct grams *g)
{
    if (!g)
        return;
    free(g->hashes);
    free(g->blocks);
    free(g);
}

void grams_reset(struct grams *g)
{
    g->nhashes = g->nblocks = 0;
}

size_t grams_bytes(const struct grams *g)
{
    return g->nhashes * sizeof *g->hashes + g->nblocks * sizeof *g->blocks;
}

static void *grow(void *items, size_t n, size_t *cap, size_t size)
{
    if (n <= *cap)
        return items;
    *cap = 2 * n;
    items = realloc(items, *cap * size);
    if (!items)
        abort();
    return items;
}

void grams_add(struct grams *g, uint32_t place, const struct slice *texts, size_t n)
{
    memset(g->bits, 0, sizeof g->bits);
    for (size_t i = 0; i < n; i++)
        grams_mark(texts[i], g->bits);
    size_t first = g->nhashes;
    g->hashes = grow(g->hashes, first + GRAM_BUCKETS, &g->hashes_cap, sizeof *g->hashes);
    for (size_t i = 0; i < sizeof g->bits; i += sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, g->bits + i, sizeof word);
        for (word = le64toh(word); word; word &= word - 1)
            g->hashes[g->nhashes++] = (uint16_t)(i * 8 + (unsigned)__builtin_ctzll(word));
    }
    g->blocks = grow(g->blocks, g->nblocks + 1, &g->blocks_cap, sizeof *g->blocks);
    size_t at = g->nblocks++; /* a large text is done before the block that is being filled */
    for (; at > 0 && g->blocks[at - 1].place > place; at--)
        g->blocks[at] = g->blocks[at - 1];
    g->blocks[at] = (struct waiting){.place = place, .first = first, .n = g->nhashes - first};
}

/* The segment of the blocks [from, from + n) that wait: their hashes, turned over. */
static struct segment *segment_make(const struct grams *g, size_t from, uint32_t n, int64_t first_block)
{
    struct segment *seg = segment_new(n);
    const struct waiting *blocks = g->blocks + from;
    size_t total = 0;
    uint32_t *begin = seg->at; /* until the places are written: where those of a hash begin */
    for (uint32_t i = 0; i < n; i++) {
        seg->blocks[i] = first_block + blocks[i].place;
        total += blocks[i].n;
        for (size_t k = 0; k < blocks[i].n; k++)
            begin[g->hashes[blocks[i].first + k] + 1u]++;
    }
    for (uint32_t h = 0; h < GRAM_BUCKETS; h++)
        begin[h + 1] += begin[h];
    uint16_t *places = malloc((total + 1) * sizeof *places);
    uint32_t *end = malloc(GRAM_BUCKETS * sizeof *end);
    if (!places || !end)
        abort();
    memcpy(end, begin, GRAM_BUCKETS * sizeof *end);
    for (uint32_t i = 0; i < n; i++)
        for (size_t k = 0; k < blocks[i].n; k++)
            places[end[g->hashes[blocks[i].first + k]]++] = (uint16_t)i;
    for (uint32_t h = 0; h < GRAM_BUCKETS; h++) {
        uint32_t here = begin[h]; /* before it is told where the entry begins */
        segment_put(seg, h, places + here, end[h] - here);
    }
    segment_put(seg, GRAM_BUCKETS, NULL, 0);
    free(places);
    free(end);
    return seg;
}

/* ---- merging ------------------------------------------------------------------------------------------------------------ */

enum { GONE = UINT16_MAX };

/* Where the blocks of a segment stand in the merged one, behind `n` others; GONE for those that are in the database no more. */
static bool map_places(struct store *s, const struct segment *seg, int64_t *blocks, uint32_t *n, uint16_t *map, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT id FROM block WHERE id BETWEEN $1 AND $2 ORDER BY id", e);
    bind_int(q, seg->blocks[0]);
    bind_int(q, seg->blocks[seg->n - 1]);
    uint32_t i = 0;
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        int64_t id = take_int(q);
        for (; i < seg->n && seg->blocks[i] < id; i++)
            map[i] = GONE;
        if (i < seg->n && seg->blocks[i] == id) {
            map[i++] = (uint16_t)*n;
            blocks[(*n)++] = id;
        }
    }
    for (; i < seg->n; i++)
        map[i] = GONE;
    return step == STEP_DONE;
}

/* Segments in the order of their blocks, at most SEGMENT_BLOCKS in all, as one; *out is NULL where nothing is left of them. */
static bool segments_merge(struct store *s, struct segment *const *segments, size_t nsegments, struct segment **out,
                           struct err *e)
{
    *out = NULL;
    struct segment *all = segment_new(SEGMENT_BLOCKS);
    uint16_t *maps = malloc(nsegments * SEGMENT_BLOCKS * sizeof *maps), from[SEGMENT_BLOCKS], places[SEGMENT_BLOCKS];
    if (!maps)
        abort();
    bool ok = true;
    all->n = 0;
    for (size_t i = 0; ok && i < nsegments; i++)
        ok = map_places(s, segments[i], all->blocks, &all->n, maps + i * SEGMENT_BLOCKS, e);
    for (uint32_t h = 0; ok && h < GRAM_BUCKETS; h++) {
        size_t n = 0, nfrom;
        for (size_t i = 0; ok && i < nsegments; i++) {
            ok = segment_get(segments[i], h, from, &nfrom, e);
            for (size_t k = 0; ok && k < nfrom; k++) {
                uint16_t place = maps[i * SEGMENT_BLOCKS + from[k]];
                if (place != GONE)
                    places[n++] = place;
            }
        }
        segment_put(all, h, places, n);
    }
    segment_put(all, GRAM_BUCKETS, NULL, 0);
    free(maps);
    if (!ok || all->n == 0) {
        segment_free(all);
        return ok;
    }
    *out = all;
    return true;
}

struct known_segment { int64_t id; uint32_t n; };

static bool list_segments(struct store *s, struct arena *a, struct known_segment **out, size_t *n, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT id, n FROM gram_segment ORDER BY id DESC", e);
    size_t cap = 0;
    *out = NULL;
    *n = 0;
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        *out = arena_grow(a, *out, *n, &cap, sizeof **out);
        (*out)[*n].id = take_int(q);
        (*out)[(*n)++].n = (uint32_t)take_int(q);
    }
    return step == STEP_DONE;
}

/* Segments of like size have the same: it grows by one with each factor of MERGE_FANOUT. */
static int size_class(uint32_t blocks)
{
    int class = 0;
    for (; blocks >= MERGE_FANOUT; blocks /= MERGE_FANOUT)
        class++;
    return class;
}

/* How many of the newest segments the new one of n blocks should be merged with. */
static size_t choose_merge(const struct known_segment *newest, size_t nsegments, uint32_t n)
{
    size_t taken = 0;
    for (;;) {
        size_t like = taken, before = taken;
        while (like < nsegments && size_class(newest[like].n) <= size_class(n))
            like++;
        if (like - taken < MERGE_FANOUT - 1)
            return taken;
        for (; taken < like && n + newest[taken].n <= SEGMENT_BLOCKS; taken++)
            n += newest[taken].n;
        if (taken == before)
            return taken;
    }
}

/* Writes a new segment, and its older neighbours with it where it is time. */
static bool add_segment(struct store *s, struct segment *fresh, struct err *e)
{
    struct arena a = {0};
    struct known_segment *newest;
    size_t n, taken, read = 0;
    bool ok = list_segments(s, &a, &newest, &n, e);
    taken = ok ? choose_merge(newest, n, fresh->n) : 0;
    struct segment **parts = arena_array(&a, struct segment *, taken + 1), *merged = NULL;
    for (; ok && read < taken; read++) /* the oldest first */
        ok = segment_read(s, newest[taken - 1 - read].id, &parts[read], e) && segment_delete(s, newest[taken - 1 - read].id, e);
    parts[taken] = fresh;
    ok = ok && segments_merge(s, parts, taken + 1, &merged, e) && (!merged || segment_write(s, merged, 0, e));
    for (size_t i = 0; i < read; i++)
        segment_free(parts[i]);
    segment_free(merged);
    arena_free(&a);
    return ok;
}

/* Segments all of whose blocks were deleted. */
static bool drop_empty(struct store *s, struct err *e)
{
    struct arena a = {0};
    struct stmt *q = db_prepare(s->db,
        "SELECT id FROM gram_segment g WHERE NOT EXISTS (SELECT 1 FROM block WHERE id BETWEEN g.first AND g.last)", e);
    int64_t *ids = NULL;
    size_t n = 0, cap = 0;
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        ids = arena_grow(&a, ids, n, &cap, sizeof *ids);
        ids[n++] = take_int(q);
    }
    bool ok = step == STEP_DONE;
    for (size_t i = 0; ok && i < n; i++)
        ok = segment_delete(s, ids[i], e);
    arena_free(&a);
    return ok;
}

bool grams_write(struct store *s, const struct grams *g, int64_t first_block, struct err *e)
{
    bool ok = drop_empty(s, e);
    for (size_t from = 0; ok && from < g->nblocks; from += SEGMENT_BLOCKS) {
        size_t n = g->nblocks - from < SEGMENT_BLOCKS ? g->nblocks - from : SEGMENT_BLOCKS;
        struct segment *fresh = segment_make(g, from, (uint32_t)n, first_block);
        ok = add_segment(s, fresh, e);
        segment_free(fresh);
    }
    return ok;
}

/* The segment with another row of grams for the block at `place`. */
static bool reword_place(const struct segment *seg, uint32_t place, const uint8_t *bits, struct segment *out, struct err *e)
{
    uint16_t was[SEGMENT_BLOCKS], now[SEGMENT_BLOCKS];
    memcpy(out->blocks, seg->blocks, seg->n * sizeof *seg->blocks);
    for (uint32_t h = 0; h < GRAM_BUCKETS; h++) {
        size_t nwas, n = 0;
        bool in = bits[h / 8] >> h % 8 & 1;
        if (!segment_get(seg, h, was, &nwas, e))
            return false;
        for (size_t i = 0; i < nwas; i++) {
            if (in && was[i] >= place)
                now[n++] = (uint16_t)place, in = false;
            if (was[i] != place)
                now[n++] = was[i];
        }
        if (in)
            now[n++] = (uint16_t)place;
        segment_put(out, h, now, n);
    }
    segment_put(out, GRAM_BUCKETS, NULL, 0);
    return true;
}

static bool reword_segment(struct store *s, int64_t id, int64_t block, const uint8_t *bits, struct err *e)
{
    struct segment *seg;
    if (!segment_read(s, id, &seg, e))
        return false;
    struct segment *out = segment_new(seg->n);
    uint32_t place = 0;
    while (place < seg->n && seg->blocks[place] != block)
        place++;
    bool ok = place == seg->n ||
              (reword_place(seg, place, bits, out, e) && segment_delete(s, id, e) && segment_write(s, out, id, e));
    segment_free(seg);
    segment_free(out);
    return ok;
}

bool grams_reword(struct store *s, int64_t block, const struct slice *texts, size_t n, struct err *e)
{
    uint8_t bits[GRAM_BUCKETS / 8] = {0};
    for (size_t i = 0; i < n; i++)
        grams_mark(texts[i], bits);
    struct stmt *q = db_prepare(s->db, "SELECT id FROM gram_segment WHERE $1 BETWEEN first AND last", e);
    bind_int(q, block);
    int64_t id;
    enum step step = stmt_int(q, &id, e);
    if (step != STEP_ROW)
        return step == STEP_DONE;
    return reword_segment(s, id, block, bits, e);
}

/* ---- asking ------------------------------------------------------------------------------------------------------------- */

struct places {
    uint64_t words[BITMAP_WORDS];
};

static size_t count_places(const struct places *p)
{
    size_t n = 0;
    for (size_t i = 0; i < BITMAP_WORDS; i++)
        n += (size_t)__builtin_popcountll(p->words[i]);
    return n;
}

static bool keep_those_with(struct store *s, const struct segment_head *seg, uint32_t hash, struct places *in, struct err *e)
{
    uint16_t found[SEGMENT_BLOCKS];
    struct places has = {0};
    size_t n;
    if (!segment_ask(s, seg, hash, found, &n, e))
        return false;
    for (size_t i = 0; i < n; i++)
        has.words[found[i] / 64] |= UINT64_C(1) << found[i] % 64;
    for (size_t w = 0; w < BITMAP_WORDS; w++)
        in->words[w] &= has.words[w];
    return true;
}

/* Narrows `in` to the places that have every 4-gram of a literal. Neighbouring grams say nearly the same, so first come those
 * that share no byte, and the others only where much is left. */
static bool narrow(struct store *s, const struct segment_head *seg, struct slice literal, struct places *in, struct err *e)
{
    for (size_t offset = 0; offset < 4; offset++)
        for (size_t i = offset; i + 4 <= literal.len; i += 4) {
            if (count_places(in) <= (offset ? FEW_CANDIDATES : 0))
                return true;
            if (!keep_those_with(s, seg, gram_hash((const unsigned char *)literal.ptr + i), in, e))
                return false;
        }
    return true;
}

static bool candidates_in(struct store *s, const struct segment_head *seg, const struct needs *needs, struct places *out,
                          struct err *e)
{
    memset(out, 0, sizeof *out);
    for (uint32_t i = 0; i < seg->n; i++)
        out->words[i / 64] |= UINT64_C(1) << i % 64;
    for (size_t c = 0; c < needs->n; c++) {
        struct places any = {0};
        for (size_t k = 0; k < needs->all[c].n; k++) {
            struct places one = *out;
            if (!narrow(s, seg, needs->all[c].any[k], &one, e))
                return false;
            for (size_t w = 0; w < BITMAP_WORDS; w++)
                any.words[w] |= one.words[w];
        }
        *out = any;
    }
    return true;
}

bool grams_candidates(struct store *s, const struct needs *needs, struct arena *a, int64_t **blocks, size_t *n, struct err *e)
{
    size_t cap = 0;
    *blocks = NULL;
    *n = 0;
    struct stmt *q = db_prepare(s->db, SEGMENT_HEAD " ORDER BY id DESC", e);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        struct segment_head seg;
        struct places found;
        if (!segment_head_take(q, &seg, e) || !candidates_in(s, &seg, needs, &found, e))
            return false;
        for (size_t w = BITMAP_WORDS; w-- > 0;)
            for (uint64_t word = found.words[w]; word;) {
                unsigned bit = 63 - (unsigned)__builtin_clzll(word);
                word &= ~(UINT64_C(1) << bit);
                *blocks = arena_grow(a, *blocks, *n, &cap, sizeof **blocks);
                (*blocks)[(*n)++] = seg.blocks[w * 64 + bit];
            }
    }
    return step == STEP_DONE;
}
