#include "storage/pack.h"

#include "storage/grams.h"
#include "storage/known.h"

#include <endian.h>
#include <stdlib.h>
#include <zstd.h>

enum { LARGE_PUT = 16 << 20 }; /* bytes of text after which it pays to know more of what is stored */
enum { ZSTD_LEVEL = 1 }; /* level 3 saves 4 % of the room and costs a third more time */

/* A number that waits: place of the block << TEXT_BITS | place in it, one block up so that it is never 0; or, with this bit, the index
 * of a text that is stored already. */
#define STORED (INT64_C(1) << 60)

struct stored_text {
    unsigned char hash[HASH_SIZE];
    struct slice words;     /* in case its block goes before we commit */
    bool searchable;
    int64_t text;
};

/* A block that is being filled. */
struct filling {
    bool open;
    uint32_t place;
    struct str words;
    struct slice *texts;    /* lengths, and at last slices of words */
    size_t n, cap;
    struct str hashes;
};

struct waiting_block {
    bool searchable, used;
    struct slice data, hashes;
};

struct pack {
    struct store *store;
    struct known *known;    /* of what is in the database */
    struct known *waiting;  /* of what is in here: hash → number that waits */
    struct grams *grams;
    ZSTD_CCtx *zstd;
    struct str lengths;     /* of the block that is finished */
    struct filling filling[2]; /* by searchable */
    struct arena arena;     /* of all below */
    struct waiting_block *blocks;
    size_t nblocks, blocks_cap;
    struct stored_text *stored;
    size_t nstored, stored_cap;
    int64_t first_block;    /* once settled */
    uint64_t taken;         /* bytes of text since the beginning */
};

struct pack *pack_new(struct store *s)
{
    struct pack *p = calloc(1, sizeof *p);
    if (!p || !(p->zstd = ZSTD_createCCtx()))
        abort();
    ZSTD_CCtx_setParameter(p->zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL);
    ZSTD_CCtx_setParameter(p->zstd, ZSTD_c_checksumFlag, 1);
    p->store = s;
    p->known = known_new();
    p->waiting = known_new();
    p->grams = grams_new();
    p->lengths = STR_INIT((BLOCK_BYTES + 1) * sizeof(uint32_t));
    for (int i = 0; i < 2; i++) {
        p->filling[i].words = STR_INIT(BLOCK_BYTES);
        p->filling[i].hashes = STR_INIT(BLOCK_BYTES);
    }
    return p;
}

void pack_free(struct pack *p)
{
    if (!p)
        return;
    for (int i = 0; i < 2; i++) {
        str_free(&p->filling[i].words);
        str_free(&p->filling[i].hashes);
        free(p->filling[i].texts);
    }
    str_free(&p->lengths);
    known_free(p->known);
    known_free(p->waiting);
    grams_free(p->grams);
    ZSTD_freeCCtx(p->zstd);
    arena_free(&p->arena);
    free(p);
}

bool pack_catch_up(struct pack *p, struct err *e)
{
    return known_catch_up(p->known, p->store, p->taken > LARGE_PUT ? KNOWN_BACK_MANY : KNOWN_BACK_FEW, e);
}

uint64_t pack_taken(const struct pack *p) { return p->taken; }

size_t pack_bytes(const struct pack *p)
{
    return p->arena.total + p->filling[0].words.len + p->filling[1].words.len + grams_bytes(p->grams);
}

/* ---- filling --------------------------------------------------------------------------------------------------------- */

static void add_number(struct str *s, size_t n)
{
    uint32_t little = htole32((uint32_t)n);
    str_add(s, (const char *)&little, sizeof little);
}

/* Both pieces, as one frame. */
static struct slice compress(struct pack *p, struct slice words, struct slice lengths)
{
    size_t bound = ZSTD_compressBound(words.len + lengths.len);
    ZSTD_outBuffer out = {malloc(bound), bound, 0};
    ZSTD_inBuffer pieces[] = {{words.ptr, words.len, 0}, {lengths.ptr, lengths.len, 0}};
    if (!out.dst)
        abort();
    ZSTD_CCtx_setPledgedSrcSize(p->zstd, words.len + lengths.len);
    /* There is room for all that can come, so the only error is out of memory. */
    while (pieces[0].pos < pieces[0].size)
        if (ZSTD_isError(ZSTD_compressStream2(p->zstd, &out, &pieces[0], ZSTD_e_continue)))
            abort();
    if (ZSTD_compressStream2(p->zstd, &out, &pieces[1], ZSTD_e_end) != 0)
        abort();
    struct slice data = arena_dup(&p->arena, slice_of(out.dst, out.pos));
    free(out.dst);
    return data;
}

static uint32_t new_block(struct pack *p, bool searchable)
{
    p->blocks = arena_grow(&p->arena, p->blocks, p->nblocks, &p->blocks_cap, sizeof *p->blocks);
    p->blocks[p->nblocks] = (struct waiting_block){.searchable = searchable};
    return (uint32_t)p->nblocks++;
}

/* `words`: the texts one after the other, as blocks.c reads them. */
static void finish_block(struct pack *p, uint32_t place, struct slice words, const struct slice *texts, size_t n, struct slice hashes)
{
    struct waiting_block *block = &p->blocks[place];
    str_reset(&p->lengths);
    for (size_t i = 0; i < n; i++)
        add_number(&p->lengths, texts[i].len);
    add_number(&p->lengths, n);
    block->data = compress(p, words, str_slice(&p->lengths));
    block->hashes = hashes.len ? arena_dup(&p->arena, hashes) : SLICE_NONE;
    if (block->searchable)
        grams_add(p->grams, place, texts, n);
}

static void close_block(struct pack *p, struct filling *f)
{
    if (!f->open)
        return;
    const char *at = f->words.ptr;
    for (size_t i = 0; i < f->n; at += f->texts[i++].len)
        f->texts[i].ptr = at;
    finish_block(p, f->place, str_slice(&f->words), f->texts, f->n, str_slice(&f->hashes));
    str_reset(&f->words);
    str_reset(&f->hashes);
    f->n = 0;
    f->open = false;
}

static void add_hash(struct str *hashes, size_t place, const unsigned char hash[HASH_SIZE])
{
    uint16_t little = htole16((uint16_t)place);
    str_add(hashes, (const char *)&little, sizeof little);
    str_add(hashes, (const char *)hash, HASH_SIZE);
}

static int64_t waiting_number(uint32_t block, size_t place) { return ((int64_t)block + 1) << TEXT_BITS | (int64_t)place; }

/* A block of its own. */
static int64_t add_large(struct pack *p, bool searchable, struct slice text, const unsigned char hash[HASH_SIZE])
{
    struct str hashes = STR_INIT(64);
    uint32_t place = new_block(p, searchable);
    add_hash(&hashes, 0, hash);
    finish_block(p, place, text, &text, 1, str_slice(&hashes));
    str_free(&hashes);
    return waiting_number(place, 0);
}

/* `hash` NULL: too short to be known again. */
static int64_t add_new(struct pack *p, bool searchable, struct slice text, const unsigned char *hash)
{
    struct filling *f = &p->filling[searchable];
    if (text.len > BLOCK_BYTES)
        return add_large(p, searchable, text, hash);
    if (f->open && f->words.len + text.len > BLOCK_BYTES)
        close_block(p, f);
    if (!f->open) {
        f->place = new_block(p, searchable);
        f->open = true;
    }
    if (f->n == f->cap) {
        f->cap = f->cap ? 2 * f->cap : 256;
        f->texts = realloc(f->texts, f->cap * sizeof *f->texts);
        if (!f->texts)
            abort();
    }
    if (hash)
        add_hash(&f->hashes, f->n, hash);
    str_add_slice(&f->words, text);
    f->texts[f->n].len = text.len;
    return waiting_number(f->place, f->n++);
}

static int64_t add_stored(struct pack *p, bool searchable, struct slice text, const unsigned char hash[HASH_SIZE], int64_t number)
{
    p->stored = arena_grow(&p->arena, p->stored, p->nstored, &p->stored_cap, sizeof *p->stored);
    struct stored_text *stored = &p->stored[p->nstored];
    *stored = (struct stored_text){.words = arena_dup(&p->arena, text), .searchable = searchable, .text = number};
    memcpy(stored->hash, hash, HASH_SIZE);
    return STORED | (int64_t)p->nstored++;
}

static const unsigned char no_digest[HASH_SIZE];

bool pack_add(struct pack *p, bool searchable, struct slice text, const unsigned char *digest, int64_t *waiting, struct err *e)
{
    *waiting = text.ptr ? TEXT_EMPTY : TEXT_NONE;
    p->taken += text.len;
    if (!text.len)
        return true;
    if (text.len > TEXT_MAX)
        return err_set(e, ERR_TOO_LARGE, "a text is over 4 GB");
    if (text.len < KNOWN_MIN) {
        *waiting = add_new(p, searchable, text, NULL);
        return true;
    }
    /* What metadata says is not found by a search, so a message that says the same has a text of its own. */
    unsigned char hash[HASH_SIZE] = {0};
    if (digest)
        memcpy(hash, digest, HASH_SIZE);
    if (!digest || memcmp(hash, no_digest, HASH_SIZE) == 0)
        hash_of(text, hash);
    hash[0] = (unsigned char)((hash[0] & 0xfe) | searchable);
    *waiting = known_find(p->waiting, hash);
    if (*waiting)
        return true;
    int64_t number = known_find(p->known, hash);
    *waiting = number ? add_stored(p, searchable, text, hash, number) : add_new(p, searchable, text, hash);
    known_add(p->waiting, hash, *waiting);
    return true;
}

/* ---- writing --------------------------------------------------------------------------------------------------------- */

static bool block_is_there(struct store *s, int64_t block, bool *there, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT 1 FROM block_hash WHERE block = $1", e);
    bind_int(q, block);
    enum step step = stmt_step(q, e);
    *there = step == STEP_ROW;
    if (*there)
        stmt_reset(q);
    return step != STEP_ERROR;
}

bool pack_settle(struct pack *p, struct err *e)
{
    int64_t last = 0;
    for (size_t i = 0; i < p->nstored; i++) {
        struct stored_text *stored = &p->stored[i];
        bool there = stored->text < 0 || text_block(stored->text) == last;
        if (!there && !block_is_there(p->store, text_block(stored->text), &there, e))
            return false;
        if (!there)
            stored->text = -add_new(p, stored->searchable, stored->words, stored->hash);
        else if (stored->text > 0)
            last = text_block(stored->text);
    }
    for (int i = 0; i < 2; i++)
        close_block(p, &p->filling[i]);
    struct stmt *q = db_prepare(p->store->db, "SELECT coalesce(max(seq), 0) + 1 FROM sqlite_sequence WHERE name = 'block'", e);
    return stmt_int(q, &p->first_block, e) == STEP_ROW;
}

int64_t pack_text(struct pack *p, int64_t waiting)
{
    if (waiting <= TEXT_EMPTY)
        return waiting;
    if (waiting & STORED) {
        int64_t text = p->stored[waiting & ~STORED].text;
        if (text > 0)
            return text;
        waiting = -text; /* packed anew */
    }
    int64_t place = text_block(waiting) - 1;
    p->blocks[place].used = true;
    return (p->first_block + place) << TEXT_BITS | (int64_t)text_place(waiting);
}

bool pack_write(struct pack *p, struct err *e)
{
    for (size_t i = 0; i < p->nblocks; i++) {
        const struct waiting_block *block = &p->blocks[i];
        if (!block->used)
            continue;
        struct stmt *q = db_prepare(p->store->db, "INSERT INTO block (id, searchable, data) VALUES ($1, $2, $3)", e);
        bind_int(q, p->first_block + (int64_t)i);
        bind_int(q, block->searchable);
        bind_blob(q, block->data);
        if (!stmt_run(q, e))
            return false;
        if (!block->hashes.ptr)
            continue;
        q = db_prepare(p->store->db, "INSERT INTO block_hash (block, hashes) VALUES ($1, $2)", e);
        bind_int(q, p->first_block + (int64_t)i);
        bind_blob(q, block->hashes);
        if (!stmt_run(q, e))
            return false;
    }
    return grams_write(p->store, p->grams, p->first_block, e);
}

void pack_reset(struct pack *p)
{
    for (int i = 0; i < 2; i++) {
        p->filling[i].open = false;
        p->filling[i].n = 0;
        str_reset(&p->filling[i].words);
        str_reset(&p->filling[i].hashes);
    }
    known_clear(p->waiting);
    grams_reset(p->grams);
    arena_free(&p->arena);
    p->blocks = NULL;
    p->stored = NULL;
    p->nblocks = p->blocks_cap = p->nstored = p->stored_cap = 0;
}
