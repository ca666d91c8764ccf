#include "storage/segment.h"

#include "storage/varint.h"

#include <stdlib.h>

/* In the database the hashes are divided into 1 << part_bits parts of equal width, each a row. A part holds a bit for each of its
 * hashes, telling which have an entry, and then the entries. An entry is the shorter of a bitmap of places and a list of
 * varints (the first place, then the distances less one). Which one is told by a varint before it, the length of the list, 0
 * for a bitmap; a segment of at most BITMAP_ONLY blocks has nothing but bitmaps. */
enum {
    PART_BYTES = 3072,         /* aimed at: several rows to a page of 16 KB */
    PART_BITS_MAX = 13,        /* a part has at least the eight hashes of one byte of bits */
    PART_ID_BITS = 16,
    BITMAP_ONLY = 16,
};

static bool damaged(struct err *e)
{
    return err_set(e, ERR_IO, "the search index is damaged; restore a backup");
}

/* ---- entries ------------------------------------------------------------------------------------------------------------ */

/* Room for `more` bytes at the end. */
static unsigned char *room(struct segment *seg, size_t more)
{
    if (seg->cap - seg->len < more) {
        seg->cap = 2 * seg->cap + more;
        seg->bytes = realloc(seg->bytes, seg->cap);
        if (!seg->bytes)
            abort();
    }
    return seg->bytes + seg->len;
}

static void put_varint(struct segment *seg, uint64_t n)
{
    seg->len += varint_put(room(seg, VARINT_MAX), n);
}

static size_t bitmap_bytes(uint32_t blocks)
{
    return (blocks + 7) / 8;
}

static size_t varint_bytes(uint32_t n)
{
    return n < 0x80 ? 1 : n < 0x4000 ? 2 : 3;
}

static void put_entry(struct segment *seg, const uint16_t *places, size_t n)
{
    size_t bitmap = bitmap_bytes(seg->n), list = 0;
    for (size_t i = 0; i < n && list < bitmap; i++)
        list += varint_bytes(i ? places[i] - places[i - 1] - 1u : places[i]);
    if (seg->n > BITMAP_ONLY && list < bitmap) {
        put_varint(seg, list);
        for (size_t i = 0; i < n; i++)
            put_varint(seg, i ? places[i] - places[i - 1] - 1u : places[i]);
        return;
    }
    if (seg->n > BITMAP_ONLY)
        put_varint(seg, 0);
    unsigned char *bits = memset(room(seg, bitmap), 0, bitmap);
    for (size_t i = 0; i < n; i++)
        bits[places[i] / 8] |= (unsigned char)(1 << places[i] % 8);
    seg->len += bitmap;
}

/* Reads one entry, or steps over it where `places` is NULL. Returns what follows it, or NULL: damaged. */
static const unsigned char *get_entry(const unsigned char *p, const unsigned char *end, uint32_t blocks, uint16_t *places,
                                      size_t *n)
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

/* ---- in memory ---------------------------------------------------------------------------------------------------------- */

struct segment *segment_new(uint32_t n)
{
    struct segment *seg = calloc(1, sizeof *seg);
    if (!seg || !(seg->blocks = calloc(n + 1, sizeof *seg->blocks)))
        abort();
    seg->n = n;
    return seg;
}

void segment_free(struct segment *seg)
{
    if (!seg)
        return;
    free(seg->blocks);
    free(seg->bytes);
    free(seg);
}

void segment_put(struct segment *seg, uint32_t hash, const uint16_t *places, size_t n)
{
    seg->at[hash] = (uint32_t)seg->len;
    if (n > 0)
        put_entry(seg, places, n);
}

bool segment_get(const struct segment *seg, uint32_t hash, uint16_t *places, size_t *n, struct err *e)
{
    const unsigned char *p = seg->bytes + seg->at[hash], *end = seg->bytes + seg->at[hash + 1];
    *n = 0;
    return p == end || get_entry(p, end, seg->n, places, n) == end || damaged(e);
}

/* ---- in the database ---------------------------------------------------------------------------------------------------- */

static bool write_head(struct store *s, const struct segment *seg, unsigned part_bits, int64_t *id, struct err *e)
{
    unsigned char *bytes = malloc(seg->n * VARINT_MAX);
    size_t len = 0;
    if (!bytes)
        abort();
    for (uint32_t i = 0; i < seg->n; i++)
        len += varint_put(bytes + len, (uint64_t)(seg->blocks[i] - (i ? seg->blocks[i - 1] : 0)));
    struct stmt *q = db_prepare(s->db,
        "INSERT INTO gram_segment (id, first, last, n, part_bits, blocks) VALUES ($1, $2, $3, $4, $5, $6)", e);
    bind_count(q, *id ? *id : -1);
    bind_int(q, seg->blocks[0]);
    bind_int(q, seg->blocks[seg->n - 1]);
    bind_int(q, seg->n);
    bind_int(q, part_bits);
    bind_blob(q, slice_of((const char *)bytes, len));
    bool ok = stmt_run(q, e);
    *id = db_last_id(s->db);
    free(bytes);
    return ok;
}

static bool write_part(struct store *s, int64_t id, struct slice data, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "INSERT INTO gram_part (id, data) VALUES ($1, $2)", e);
    bind_int(q, id);
    bind_blob(q, data);
    return stmt_run(q, e);
}

bool segment_write(struct store *s, const struct segment *seg, int64_t id, struct err *e)
{
    unsigned bits = 0;
    while (bits < PART_BITS_MAX && seg->len >> bits > PART_BYTES)
        bits++;
    bool ok = write_head(s, seg, bits, &id, e);
    uint32_t width = GRAM_BUCKETS >> bits;
    unsigned char *data = malloc(width / 8 + seg->len);
    if (!data)
        abort();
    for (uint32_t part = 0; ok && part < 1u << bits; part++) {
        const uint32_t *at = seg->at + part * width;
        size_t size = at[width] - at[0];
        memset(data, 0, width / 8);
        for (uint32_t h = 0; h < width; h++)
            data[h / 8] |= (unsigned char)((at[h + 1] > at[h]) << h % 8);
        if (size)
            memcpy(data + width / 8, seg->bytes + at[0], size);
        ok = write_part(s, id << PART_ID_BITS | part, slice_of((const char *)data, width / 8 + size), e);
    }
    free(data);
    return ok;
}

bool segment_delete(struct store *s, int64_t id, struct err *e)
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
    size_t before = seg->len;
    memcpy(room(seg, data.len), p, (size_t)(end - p));
    seg->len += (size_t)(end - p);
    for (uint32_t h = 0; h < width; h++) {
        seg->at[part * width + h] = (uint32_t)(before + (size_t)(p - present) - width / 8);
        if (present[h / 8] >> h % 8 & 1 && !(p = get_entry(p, end, seg->n, NULL, NULL)))
            return false;
    }
    seg->at[(part + 1) * width] = (uint32_t)seg->len;
    return p == end;
}

bool segment_head_take(struct stmt *q, struct segment_head *out, struct err *e)
{
    out->id = take_int(q);
    int64_t n = take_int(q), bits = take_int(q);
    if (n <= 0 || n > SEGMENT_BLOCKS || bits < 0 || bits > PART_BITS_MAX || !get_blocks(take_bytes(q), (uint32_t)n, out->blocks))
        return damaged(e);
    out->n = (uint32_t)n;
    out->part_bits = (unsigned)bits;
    return true;
}

static bool read_head(struct store *s, int64_t id, struct segment_head *out, struct err *e)
{
    struct stmt *q = db_prepare(s->db, SEGMENT_HEAD " WHERE id = $1", e);
    bind_int(q, id);
    enum step step = stmt_step(q, e);
    if (step != STEP_ROW)
        return step == STEP_DONE && damaged(e);
    bool ok = segment_head_take(q, out, e);
    stmt_reset(q);
    return ok;
}

bool segment_read(struct store *s, int64_t id, struct segment **out, struct err *e)
{
    struct segment_head head;
    if (!read_head(s, id, &head, e))
        return false;
    struct segment *seg = segment_new(head.n);
    memcpy(seg->blocks, head.blocks, head.n * sizeof *head.blocks);
    struct stmt *q = db_prepare(s->db, "SELECT data FROM gram_part WHERE id BETWEEN $1 AND $2 ORDER BY id", e);
    bind_int(q, id << PART_ID_BITS);
    bind_int(q, id << PART_ID_BITS | ((1 << PART_ID_BITS) - 1));
    uint32_t part = 0, parts = 1u << head.part_bits;
    bool whole = true;
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW && whole)
        whole = part < parts && segment_take_part(seg, part++, GRAM_BUCKETS >> head.part_bits, take_bytes(q));
    if (step == STEP_ROW)
        stmt_reset(q);
    if (step == STEP_ERROR || ((!whole || part != parts) && !damaged(e))) {
        segment_free(seg);
        return false;
    }
    *out = seg;
    return true;
}

bool segment_ask(struct store *s, const struct segment_head *head, uint32_t hash, uint16_t *places, size_t *n, struct err *e)
{
    uint32_t width = GRAM_BUCKETS >> head->part_bits, h = hash % width;
    *n = 0;
    struct stmt *q = db_prepare(s->db, "SELECT data FROM gram_part WHERE id = $1", e);
    bind_int(q, head->id << PART_ID_BITS | hash / width);
    enum step step = stmt_step(q, e);
    if (step != STEP_ROW)
        return step == STEP_DONE && damaged(e);
    struct slice data = take_bytes(q);
    const unsigned char *present = (const unsigned char *)data.ptr, *p = present + width / 8, *end = present + data.len;
    bool ok = data.len >= width / 8;
    if (ok && present[h / 8] >> h % 8 & 1) {
        for (uint32_t i = 0; p && i < h; i++)
            if (present[i / 8] >> i % 8 & 1)
                p = get_entry(p, end, head->n, NULL, NULL);
        ok = p && get_entry(p, end, head->n, places, n);
    }
    stmt_reset(q);
    return ok || damaged(e);
}
