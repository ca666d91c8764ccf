#include "storage/grams.h"

#include "storage/varint.h"

#include <endian.h>
#include <stdlib.h>

/* A segment is an inverted list: for each hash of a 4-gram, the blocks that have one, by their place in the segment's list of blocks. As
 * blocks are numbered in the order of their writing and segments are merged with their neighbours only, merging puts
 * one list behind the other.
 *
 * The hashes are divided into 1 << part_bits parts of equal width. A part holds a bit for each of its hashes, telling
 * which have an entry, and then the entries. An entry is the shorter of a bitmap of places and a list of varints (the first place, then the
 * distances less one). Which one is told by a varint before it, the length of the list, 0 for a bitmap; a segment of at most
 * BITMAP_ONLY blocks has nothing but bitmaps. */
enum {
    SEGMENT_BLOCKS = 4096,
    PART_BYTES = 3072,         /* aimed at: several rows to a page of 16 KB */
    PART_BITS_MAX = 13,        /* a part has at least the eight hashes of one byte of bits */
    PART_ID_BITS = 16,
    BITMAP_ONLY = 16,
    BITMAP_WORDS = SEGMENT_BLOCKS / 64,
    MERGE_FANOUT = 4,          /* so many segments of like size become one */
    FEW_CANDIDATES = 2,        /* cheaper to read than to look up more grams for */
};

struct buffer {
    unsigned char *bytes;
    size_t len, cap;
};

/* Room for `more` bytes at the end. */
static unsigned char *room(struct buffer *b, size_t more)
{
    if (b->cap - b->len < more) {
        b->cap = 2 * b->cap + more;
        b->bytes = realloc(b->bytes, b->cap);
        if (!b->bytes)
            abort();
    }
    return b->bytes + b->len;
}

static void put_varint(struct buffer *b, uint64_t n)
{
    b->len += varint_put(room(b, VARINT_MAX), n);
}

static bool damaged(struct err *e)
{
    return err_set(e, ERR_IO, "the search index is damaged; restore a backup");
}

/* ---- entries ------------------------------------------------------------------------------------------------------------ */

static size_t bitmap_bytes(uint32_t blocks)
{
    return (blocks + 7) / 8;
}

static size_t varint_bytes(uint32_t n)
{
    return n < 0x80 ? 1 : n < 0x4000 ? 2 : 3;
}

/* `places` ascend; there is at least one. */
static void put_entry(struct buffer *b, uint32_t blocks, const uint16_t *places, size_t n)
{
    size_t bitmap = bitmap_bytes(blocks), list = 0;
    for (size_t i = 0; i < n && list < bitmap; i++)
        list += varint_bytes(i ? places[i] - places[i - 1] - 1u : places[i]);
    if (blocks > BITMAP_ONLY && list < bitmap) {
        put_varint(b, list);
        for (size_t i = 0; i < n; i++)
            put_varint(b, i ? places[i] - places[i - 1] - 1u : places[i]);
        return;
    }
    if (blocks > BITMAP_ONLY)
        put_varint(b, 0);
    unsigned char *bits = memset(room(b, bitmap), 0, bitmap);
    for (size_t i = 0; i < n; i++)
        bits[places[i] / 8] |= (unsigned char)(1 << places[i] % 8);
    b->len += bitmap;
}

/* Reads one entry, or steps over it where `places` is NULL. Returns what follows it, or NULL: damaged. */
static const unsigned char *get_entry(const unsigned char *p, const unsigned char *end, uint32_t blocks, uint16_t *places, size_t *n)
{
    size_t bitmap = bitmap_bytes(blocks);
    uint64_t list = 0;
    if (blocks > BITMAP_ONLY && !(p = varint_get(p, end, &list)))
        return NULL;
    size_t size = list ? list : bitmap;
    if (size > (size_t)(end - p))
        return NULL;
    const unsigned char *after = p + size;
    if (!places)
        return after;
    *n = 0;
    if (!list) {
        for (size_t i = 0; i < bitmap; i++)
            for (unsigned bits = p[i]; bits; bits &= bits - 1) {
                size_t place = i * 8 + (unsigned)__builtin_ctz(bits);
                if (place >= blocks)
                    return NULL;
                places[(*n)++] = (uint16_t)place;
            }
        return after;
    }
    for (uint64_t place = 0, step; p < after; place++) {
        if (!(p = varint_get(p, after, &step)) || (place += step) >= blocks)
            return NULL;
        places[(*n)++] = (uint16_t)place;
    }
    return after;
}

/* ---- segments ----------------------------------------------------------------------------------------------------------- */

/* A segment in memory: the entries of all hashes one after the other, entry h from at[h] to at[h + 1]. */
struct segment {
    int64_t id;               /* 0: not in the database */
    uint32_t n;
    int64_t *blocks;
    struct buffer entries;
    uint32_t at[GRAM_BUCKETS + 1];
};

static struct segment *segment_new(uint32_t n)
{
    struct segment *seg = calloc(1, sizeof *seg);
    if (!seg || !(seg->blocks = calloc(n + 1, sizeof *seg->blocks)))
        abort();
    seg->n = n;
    return seg;
}

static void segment_free(struct segment *seg)
{
    if (!seg)
        return;
    free(seg->blocks);
    free(seg->entries.bytes);
    free(seg);
}

static bool segment_write(struct store *s, const struct segment *seg, struct err *e)
{
    unsigned bits = 0;
    while (bits < PART_BITS_MAX && seg->entries.len >> bits > PART_BYTES)
        bits++;
    struct buffer bytes = {0};
    for (uint32_t i = 0; i < seg->n; i++)
        put_varint(&bytes, (uint64_t)(seg->blocks[i] - (i ? seg->blocks[i - 1] : 0)));
    struct stmt *q = db_prepare(s->db, "INSERT INTO gram_segment (first, last, n, part_bits, blocks) VALUES ($1, $2, $3, $4, $5)", e);
    bind_int(q, seg->blocks[0]);
    bind_int(q, seg->blocks[seg->n - 1]);
    bind_int(q, seg->n);
    bind_int(q, bits);
    bind_blob(q, slice_of((const char *)bytes.bytes, bytes.len));
    bool ok = stmt_run(q, e);
    int64_t id = ok ? db_last_id(s->db) : 0;
    uint32_t width = GRAM_BUCKETS >> bits;
    for (uint32_t part = 0; ok && part < 1u << bits; part++) {
        uint32_t first = part * width;
        const uint32_t *at = seg->at + first;
        size_t size = at[width] - at[0];
        bytes.len = 0;
        unsigned char *present = memset(room(&bytes, width / 8 + size), 0, width / 8);
        for (uint32_t h = 0; h < width; h++)
            present[h / 8] |= (unsigned char)((at[h + 1] > at[h]) << h % 8);
        if (size)
            memcpy(present + width / 8, seg->entries.bytes + at[0], size);
        q = db_prepare(s->db, "INSERT INTO gram_part (id, data) VALUES ($1, $2)", e);
        bind_int(q, id << PART_ID_BITS | part);
        bind_blob(q, slice_of((const char *)present, width / 8 + size));
        ok = stmt_run(q, e);
    }
    free(bytes.bytes);
    return ok;
}

static bool segment_delete(struct store *s, int64_t id, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "DELETE FROM gram_part WHERE id BETWEEN $1 AND $2", e);
    bind_int(q, id << PART_ID_BITS);
    bind_int(q, id << PART_ID_BITS | ((1 << PART_ID_BITS) - 1));
    if (!stmt_run(q, e))
        return false;
    q = db_prepare(s->db, "DELETE FROM gram_segment WHERE id = $1", e);
    bind_int(q, id);
    return stmt_run(q, e);
}

static bool get_blocks(struct slice bytes, uint32_t n, int64_t *blocks)
{
    const unsigned char *p = (const unsigned char *)bytes.ptr, *end = p + bytes.len;
    uint64_t block = 0, step;
    for (uint32_t i = 0; i < n; i++) {
        if (!(p = varint_get(p, end, &step)))
            return false;
        blocks[i] = (int64_t)(block += step);
    }
    return p == end;
}

/* Appends the entries of one part. */
static bool segment_take_part(struct segment *seg, uint32_t part, uint32_t width, struct slice data)
{
    const unsigned char *present = (const unsigned char *)data.ptr, *p = present + width / 8, *end = present + data.len;
    if (data.len < width / 8)
        return false;
    size_t before = seg->entries.len;
    memcpy(room(&seg->entries, data.len), p, (size_t)(end - p));
    seg->entries.len += (size_t)(end - p);
    for (uint32_t h = 0; h < width; h++) {
        seg->at[part * width + h] = (uint32_t)(before + (size_t)(p - present) - width / 8);
        if (present[h / 8] >> h % 8 & 1 && !(p = get_entry(p, end, seg->n, NULL, NULL)))
            return false;
    }
    seg->at[(part + 1) * width] = (uint32_t)seg->entries.len;
    return p == end;
}

static bool segment_read(struct store *s, int64_t id, struct segment **out, struct err *e)
{
    *out = NULL;
    struct stmt *q = db_prepare(s->db, "SELECT n, part_bits, blocks FROM gram_segment WHERE id = $1", e);
    bind_int(q, id);
    enum step step = stmt_step(q, e);
    if (step != STEP_ROW)
        return step == STEP_DONE && damaged(e);
    int64_t n = take_int(q), bits = take_int(q);
    bool ok = n > 0 && n <= SEGMENT_BLOCKS && bits >= 0 && bits <= PART_BITS_MAX;
    struct segment *seg = segment_new(ok ? (uint32_t)n : 0);
    seg->id = id;
    ok = ok && get_blocks(take_bytes(q), seg->n, seg->blocks);
    stmt_reset(q);
    q = db_prepare(s->db, "SELECT data FROM gram_part WHERE id BETWEEN $1 AND $2 ORDER BY id", e);
    bind_int(q, id << PART_ID_BITS);
    bind_int(q, id << PART_ID_BITS | ((1 << PART_ID_BITS) - 1));
    uint32_t part = 0;
    while (ok && (step = stmt_step(q, e)) == STEP_ROW)
        ok = part < 1u << bits && segment_take_part(seg, part++, GRAM_BUCKETS >> bits, take_bytes(q));
    if (step == STEP_ERROR || ((!ok || part != 1u << bits) && !damaged(e))) {
        segment_free(seg);
        return false;
    }
    *out = seg;
    return true;
}

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
    uint32_t *begin = seg->at; /* for now: where the places of a hash begin */
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
    for (uint32_t h = 0, at = 0; h < GRAM_BUCKETS; h++) {
        uint32_t here = begin[h];
        seg->at[h] = at;
        if (end[h] > here)
            put_entry(&seg->entries, n, places + here, end[h] - here);
        at = (uint32_t)seg->entries.len;
    }
    seg->at[GRAM_BUCKETS] = (uint32_t)seg->entries.len;
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
static bool segments_merge(struct store *s, struct segment *const *segments, size_t nsegments, struct segment **out, struct err *e)
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
        size_t n = 0;
        all->at[h] = (uint32_t)all->entries.len;
        for (size_t i = 0; ok && i < nsegments; i++) {
            const struct segment *seg = segments[i];
            const unsigned char *p = seg->entries.bytes + seg->at[h], *end = seg->entries.bytes + seg->at[h + 1];
            size_t nfrom = 0;
            if (p == end)
                continue;
            ok = get_entry(p, end, seg->n, from, &nfrom) == end || damaged(e);
            for (size_t k = 0; ok && k < nfrom; k++) {
                uint16_t place = maps[i * SEGMENT_BLOCKS + from[k]];
                if (place != GONE)
                    places[n++] = place;
            }
        }
        if (n > 0)
            put_entry(&all->entries, all->n, places, n);
    }
    all->at[GRAM_BUCKETS] = (uint32_t)all->entries.len;
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
    ok = ok && segments_merge(s, parts, taken + 1, &merged, e) && (!merged || segment_write(s, merged, e));
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
    struct stmt *q = db_prepare(s->db, "SELECT id FROM gram_segment g WHERE NOT EXISTS (SELECT 1 FROM block WHERE id BETWEEN g.first AND g.last)", e);
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

/* ---- asking ------------------------------------------------------------------------------------------------------------- */

struct places {
    uint64_t words[BITMAP_WORDS];
};

struct asked {
    struct store *s;
    int64_t id;
    uint32_t n;
    unsigned part_bits;
};

/* The places that have a 4-gram. */
static bool places_of(const struct asked *seg, uint32_t hash, struct places *out, struct err *e)
{
    uint32_t width = GRAM_BUCKETS >> seg->part_bits, h = hash % width;
    memset(out, 0, sizeof *out);
    struct stmt *q = db_prepare(seg->s->db, "SELECT data FROM gram_part WHERE id = $1", e);
    bind_int(q, seg->id << PART_ID_BITS | hash / width);
    enum step step = stmt_step(q, e);
    if (step != STEP_ROW)
        return step == STEP_DONE && damaged(e);
    struct slice data = take_bytes(q);
    const unsigned char *present = (const unsigned char *)data.ptr, *p = present + width / 8, *end = present + data.len;
    bool ok = data.len >= width / 8;
    if (ok && present[h / 8] >> h % 8 & 1) {
        uint16_t places[SEGMENT_BLOCKS];
        size_t n = 0;
        for (uint32_t i = 0; p && i < h; i++)
            if (present[i / 8] >> i % 8 & 1)
                p = get_entry(p, end, seg->n, NULL, NULL);
        ok = p && get_entry(p, end, seg->n, places, &n);
        for (size_t i = 0; i < n; i++)
            out->words[places[i] / 64] |= UINT64_C(1) << places[i] % 64;
    }
    stmt_reset(q);
    return ok || damaged(e);
}

static size_t count_places(const struct places *p)
{
    size_t n = 0;
    for (size_t i = 0; i < BITMAP_WORDS; i++)
        n += (size_t)__builtin_popcountll(p->words[i]);
    return n;
}

/* Narrows `in` to the places that have every 4-gram of a literal. Neighbouring grams say nearly the same, so first come those that
 * share no byte, and the others only where much is left. */
static bool narrow(const struct asked *seg, struct slice literal, struct places *in, struct err *e)
{
    for (size_t offset = 0; offset < 4; offset++)
        for (size_t i = offset; i + 4 <= literal.len; i += 4) {
            struct places has;
            if (count_places(in) <= (offset ? FEW_CANDIDATES : 0))
                return true;
            if (!places_of(seg, gram_hash((const unsigned char *)literal.ptr + i), &has, e))
                return false;
            for (size_t k = 0; k < BITMAP_WORDS; k++)
                in->words[k] &= has.words[k];
        }
    return true;
}

static bool candidates_in(const struct asked *seg, const struct needs *needs, struct places *out, struct err *e)
{
    memset(out, 0, sizeof *out);
    for (uint32_t i = 0; i < seg->n; i++)
        out->words[i / 64] |= UINT64_C(1) << i % 64;
    for (size_t c = 0; c < needs->n; c++) {
        struct places any = {0};
        for (size_t k = 0; k < needs->all[c].n; k++) {
            struct places one = *out;
            if (!narrow(seg, needs->all[c].any[k], &one, e))
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
    struct stmt *q = db_prepare(s->db, "SELECT id, n, part_bits, blocks FROM gram_segment ORDER BY id DESC", e);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        struct asked seg = {.s = s, .id = take_int(q)};
        int64_t count = take_int(q), bits = take_int(q), all[SEGMENT_BLOCKS];
        if (count <= 0 || count > SEGMENT_BLOCKS || bits < 0 || bits > PART_BITS_MAX || !get_blocks(take_bytes(q), (uint32_t)count, all))
            return damaged(e);
        seg.n = (uint32_t)count;
        seg.part_bits = (unsigned)bits;
        struct places found;
        if (!candidates_in(&seg, needs, &found, e))
            return false;
        for (size_t w = BITMAP_WORDS; w-- > 0;)
            for (uint64_t word = found.words[w]; word;) {
                unsigned bit = 63 - (unsigned)__builtin_clzll(word);
                word &= ~(UINT64_C(1) << bit);
                *blocks = arena_grow(a, *blocks, *n, &cap, sizeof **blocks);
                (*blocks)[(*n)++] = all[w * 64 + bit];
            }
    }
    return step == STEP_DONE;
}
