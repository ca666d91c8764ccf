/* The search index has, of each block of text, exactly the 4-grams that stand in it; where it does not, it is made anew. */
#include "storage/check_index.h"

#include "storage/blocks.h"
#include "storage/check_in.h"
#include "storage/grams.h"
#include "storage/segment.h"

#include <stdlib.h>

enum { ROW = GRAM_BUCKETS / 8 }; /* bytes of a block's bits */

/* What a segment says of each of its blocks: a row of bits each. */
static bool lay_out(const struct segment *seg, uint8_t *bits, struct err *e)
{
    uint16_t places[SEGMENT_BLOCKS];
    size_t n;
    memset(bits, 0, (size_t)seg->n * ROW);
    for (uint32_t h = 0; h < GRAM_BUCKETS; h++) {
        if (!segment_get(seg, h, places, &n, e))
            return false;
        for (size_t i = 0; i < n; i++)
            bits[(size_t)places[i] * ROW + h / 8] |= (uint8_t)(1 << h % 8);
    }
    return true;
}

static bool check_block(struct check *c, int64_t id, const uint8_t *said, struct err *e)
{
    uint8_t bits[ROW] = {0};
    const struct block *block;
    struct err why = {0};
    if (!block_read(c->store, id, &block, &why)) /* that is the texts' problem */
        return true;
    for (size_t i = 0; i < block->n; i++)
        grams_mark(block->texts[i], bits);
    if (memcmp(bits, said, ROW) != 0)
        check_wrong(c, "the search index does not say what stands in block %lld", (long long)id);
    return check_looked(c, 1, e);
}

/* The searchable blocks behind `after` up to the segment's last: each must be in it. A segment may name blocks that are gone. */
static bool check_segment(struct check *c, const struct segment *seg, int64_t after, uint8_t *bits, struct err *e)
{
    if (!lay_out(seg, bits, e))
        return false;
    struct stmt *q = db_prepare(c->store->db, "SELECT id FROM block WHERE searchable AND id > $1 AND id <= $2 ORDER BY id", e);
    bind_int(q, after);
    bind_int(q, seg->blocks[seg->n - 1]);
    uint32_t at = 0;
    bool ok = true;
    enum step step = STEP_ROW;
    while (ok && (step = stmt_step(q, e)) == STEP_ROW) {
        int64_t id = take_int(q);
        while (at < seg->n && seg->blocks[at] < id)
            at++;
        if (at < seg->n && seg->blocks[at] == id)
            ok = check_block(c, id, bits + (size_t)at * ROW, e);
        else
            check_wrong(c, "block %lld is not in the search index", (long long)id);
    }
    return ok && step == STEP_DONE;
}

static bool check_rest(struct check *c, int64_t after, struct err *e)
{
    struct stmt *q = db_prepare(c->store->db, "SELECT id FROM block WHERE searchable AND id > $1 ORDER BY id", e);
    bind_int(q, after);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW)
        check_wrong(c, "block %lld is not in the search index", (long long)take_int(q));
    return step == STEP_DONE;
}

bool check_index(struct check *c, struct err *e)
{
    struct stmt *q = db_prepare(c->store->db, "SELECT id FROM gram_segment ORDER BY id", e);
    uint8_t *bits = malloc((size_t)SEGMENT_BLOCKS * ROW);
    if (!bits)
        abort();
    int64_t after = 0;
    bool ok = true;
    enum step step = STEP_ROW;
    while (ok && (step = stmt_step(q, e)) == STEP_ROW) {
        struct segment *seg;
        ok = segment_read(c->store, take_int(q), &seg, e);
        if (!ok)
            break;
        ok = check_segment(c, seg, after, bits, e);
        after = seg->blocks[seg->n - 1];
        segment_free(seg);
    }
    free(bits);
    return ok && step == STEP_DONE && check_rest(c, after, e);
}

/* ---- repair ---------------------------------------------------------------------------------------------------------- */

enum { BATCH = SEGMENT_BLOCKS };

/* The grams of up to BATCH searchable blocks from `from` on; *next 0: there are no more. */
static bool add_batch(struct store *s, struct grams *g, int64_t from, int64_t *next, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT id FROM block WHERE searchable AND id >= $1 ORDER BY id LIMIT $2", e);
    bind_int(q, from);
    bind_int(q, BATCH + 1);
    int64_t n = 0;
    const struct block *block;
    bool ok = true;
    enum step step = STEP_ROW;
    *next = 0;
    while (ok && (step = stmt_step(q, e)) == STEP_ROW) {
        int64_t id = take_int(q);
        if (n++ == BATCH) {
            *next = id;
            continue;
        }
        ok = block_read(s, id, &block, e);
        if (ok)
            grams_add(g, (uint32_t)(id - from), block->texts, block->n);
    }
    return ok && step == STEP_DONE;
}

bool mend_index(struct store *s, struct err *e)
{
    if (!db_script(s->db, "DELETE FROM gram_part; DELETE FROM gram_segment", e))
        return false;
    struct grams *g = grams_new();
    int64_t next;
    bool ok = true;
    for (int64_t from = 1; ok && from; from = next) {
        grams_reset(g);
        ok = add_batch(s, g, from, &next, e) && grams_write(s, g, from, e);
    }
    grams_free(g);
    return ok;
}

/* Of a database that is older than the index, the texts are there and nothing is in it. */
static bool is_missing(struct store *s, bool *missing, struct err *e)
{
    int64_t n;
    if (!check_number(s, "SELECT NOT EXISTS (SELECT 1 FROM gram_segment) AND EXISTS (SELECT 1 FROM block WHERE searchable)", &n, e))
        return false;
    *missing = n;
    return true;
}

static bool build(struct store *s, struct err *e)
{
    bool missing;
    return is_missing(s, &missing, e) && (!missing || mend_index(s, e));
}

bool index_build_missing(struct store *s, struct err *e)
{
    bool missing;
    return is_missing(s, &missing, e) && (!missing || (db_write(s->db, e) && db_end(s->db, build(s, e), e)));
}
