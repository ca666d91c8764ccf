#include "storage/blocks.h"

#include <endian.h>
#include <stdlib.h>
#include <zstd.h>

/* A block unpacked is: the bytes of its texts one after the other, the length of each, their number; numbers are 32-bit
 * little-endian. */

enum {
    UNPACKED_SLOTS = 32,
    UNPACKED_BYTES = 16 << 20,  /* kept; the newest stays whatever its size */
    TEXTS_MAX = 1 << TEXT_BITS,
};
#define BLOCK_BYTES_MAX (UINT64_C(5) << 30) /* one text of less than 4 GB */

struct unpacked {
    struct block block;         /* id 0: free */
    unsigned char *raw;
    size_t size;                /* of raw */
    struct slice *texts;        /* into raw */
    uint64_t used;              /* when, by blocks.clock */
};

struct blocks {
    ZSTD_DCtx *zstd;
    struct unpacked slots[UNPACKED_SLOTS];
    size_t bytes;
    uint64_t clock;
    /* Blocks that runs used which went. After a transaction that failed some may stand here that are in use: the sweep looks. */
    struct arena arena;
    int64_t *released;
    size_t nreleased, released_cap;
};

struct blocks *blocks_new(void)
{
    struct blocks *b = calloc(1, sizeof *b);
    if (!b || !(b->zstd = ZSTD_createDCtx()))
        abort();
    return b;
}

static void forget(struct blocks *b, struct unpacked *u)
{
    b->bytes -= u->size;
    free(u->raw);
    free(u->texts);
    *u = (struct unpacked){0};
}

void blocks_forget(struct blocks *b)
{
    for (size_t i = 0; i < UNPACKED_SLOTS; i++)
        forget(b, &b->slots[i]);
}

void blocks_free(struct blocks *b)
{
    if (!b)
        return;
    blocks_forget(b);
    ZSTD_freeDCtx(b->zstd);
    arena_free(&b->arena);
    free(b);
}

static struct unpacked *least_recent(struct blocks *b)
{
    struct unpacked *oldest = NULL;
    for (size_t i = 0; i < UNPACKED_SLOTS; i++)
        if (b->slots[i].block.id && (!oldest || b->slots[i].used < oldest->used))
            oldest = &b->slots[i];
    return oldest;
}

/* A free slot, with room for `size` more bytes as far as letting go of others makes it. */
static struct unpacked *make_room(struct blocks *b, size_t size)
{
    struct unpacked *slot = NULL, *oldest;
    for (size_t i = 0; i < UNPACKED_SLOTS; i++)
        if (!b->slots[i].block.id)
            slot = &b->slots[i];
    while ((!slot || b->bytes + size > UNPACKED_BYTES) && (oldest = least_recent(b))) {
        forget(b, oldest);
        slot = oldest;
    }
    return slot;
}

static bool damaged(int64_t id, struct err *e)
{
    return err_set(e, ERR_IO, "block %lld of the database is damaged; restore a backup", (long long)id);
}

/* Checks the lengths at the end and lays out the slices. */
static bool lay_out(struct unpacked *u)
{
    uint32_t n, len;
    if (u->size < sizeof n)
        return false;
    memcpy(&n, u->raw + u->size - sizeof n, sizeof n);
    n = le32toh(n);
    if (n > TEXTS_MAX || u->size / sizeof len < (size_t)n + 1)
        return false;
    u->texts = malloc((n + 1) * sizeof *u->texts);
    if (!u->texts)
        abort();
    size_t at = 0, stop = u->size - ((size_t)n + 1) * sizeof len;
    for (uint32_t i = 0; i < n; i++) {
        memcpy(&len, u->raw + stop + i * sizeof len, sizeof len);
        len = le32toh(len);
        if (len > stop - at)
            return false;
        u->texts[i] = slice_of((const char *)u->raw + at, len);
        at += len;
    }
    u->block.n = n;
    u->block.bytes = at;
    u->block.texts = u->texts;
    return at == stop;
}

static bool unpack(struct blocks *b, int64_t id, struct slice data, const struct block **out, struct err *e)
{
    unsigned long long size = ZSTD_getFrameContentSize(data.ptr, data.len);
    if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN || size > BLOCK_BYTES_MAX)
        return damaged(id, e);
    struct unpacked *u = make_room(b, size);
    *u = (struct unpacked){.block = {.id = id}, .raw = malloc(size + 1), .size = size, .used = ++b->clock};
    if (!u->raw)
        abort();
    b->bytes += size;
    if (ZSTD_decompressDCtx(b->zstd, u->raw, size, data.ptr, data.len) != size || !lay_out(u)) {
        forget(b, u);
        return damaged(id, e);
    }
    *out = &u->block;
    return true;
}

bool block_read(struct store *s, int64_t id, const struct block **out, struct err *e)
{
    struct blocks *b = s->blocks;
    for (size_t i = 0; i < UNPACKED_SLOTS; i++)
        if (b->slots[i].block.id == id) {
            b->slots[i].used = ++b->clock;
            *out = &b->slots[i].block;
            return true;
        }
    struct stmt *q = db_prepare(s->db, "SELECT data FROM block WHERE id = $1", e);
    bind_int(q, id);
    enum step step = stmt_step(q, e);
    if (step != STEP_ROW)
        return step == STEP_DONE && err_set(e, ERR_NOT_FOUND, "block %lld is not in the database any more", (long long)id);
    bool ok = unpack(b, id, take_bytes(q), out, e);
    stmt_reset(q);
    return ok;
}

/* Borrowed from the unpacked block. */
static bool find_text(struct store *s, int64_t text, struct slice *out, struct err *e)
{
    const struct block *block;
    *out = text == TEXT_NONE ? SLICE_NONE : slice_of("", 0);
    if (text == TEXT_NONE || text == TEXT_EMPTY)
        return true;
    if (!block_read(s, text_block(text), &block, e))
        return false;
    if (text_place(text) >= block->n)
        return damaged(block->id, e);
    *out = block->texts[text_place(text)];
    return true;
}

bool text_read(struct store *s, int64_t text, struct arena *a, struct slice *out, struct err *e)
{
    if (!find_text(s, text, out, e))
        return false;
    *out = arena_dup(a, *out);
    return true;
}

bool blocks_text_function(void *store, int64_t text, struct slice *out, struct err *e) { return find_text(store, text, out, e); }

static void add_number(struct str *s, size_t n)
{
    uint32_t little = htole32((uint32_t)n);
    str_add(s, (const char *)&little, sizeof little);
}

bool block_replace(struct store *s, int64_t id, const struct slice *texts, size_t n, struct err *e)
{
    struct str raw = STR_INIT(SIZE_MAX);
    for (size_t i = 0; i < n; i++)
        str_add_slice(&raw, texts[i]);
    for (size_t i = 0; i < n; i++)
        add_number(&raw, texts[i].len);
    add_number(&raw, n);
    blocks_forget(s->blocks); /* the texts may be of there */
    size_t bound = ZSTD_compressBound(raw.len);
    char *packed = malloc(bound);
    if (!packed)
        abort();
    size_t len = ZSTD_compress(packed, bound, raw.ptr, raw.len, 1);
    struct stmt *q = db_prepare(s->db, "UPDATE block SET data = $1 WHERE id = $2", e);
    bind_blob(q, slice_of(packed, ZSTD_isError(len) ? 0 : len));
    bind_int(q, id);
    bool ok = ZSTD_isError(len) ? err_set(e, ERR_INTERNAL, "a block could not be packed: %s", ZSTD_getErrorName(len)) : stmt_run(q, e);
    free(packed);
    str_free(&raw);
    q = db_prepare(s->db, "DELETE FROM block_hash WHERE block = $1", e);
    bind_int(q, id);
    return ok && stmt_run(q, e);
}

/* ---- life ------------------------------------------------------------------------------------------------------------ */

bool blocks_release(struct store *s, int64_t run, struct err *e)
{
    struct blocks *b = s->blocks;
    struct stmt *q = db_prepare(s->db, "DELETE FROM block_run WHERE run = $1 RETURNING block", e);
    bind_int(q, run);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        b->released = arena_grow(&b->arena, b->released, b->nreleased, &b->released_cap, sizeof *b->released);
        b->released[b->nreleased++] = take_int(q);
    }
    return step == STEP_DONE;
}

bool blocks_sweep(struct store *s, struct err *e)
{
    struct blocks *b = s->blocks;
    bool ok = true;
    for (size_t i = 0; i < b->nreleased && ok; i++) {
        struct stmt *q = db_prepare(s->db, "DELETE FROM block WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM block_run WHERE block = $1)", e);
        bind_int(q, b->released[i]);
        ok = stmt_run(q, e);
    }
    b->released = NULL;
    b->nreleased = b->released_cap = 0;
    arena_free(&b->arena);
    return ok;
}
