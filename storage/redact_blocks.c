/* A block stays as long as one run uses one of its texts: what the others said is in it until then. */
#include "storage/grams.h"
#include "storage/redact_in.h"
#include "storage/uses.h"

/* Is it one that redaction would change, as text or as JSON, or that it could not look through? */
static bool holds_secret(struct redacting *x, struct slice text, bool *holds, struct err *e)
{
    uint64_t before = x->look.replaced;
    arena_reset(&x->arena);
    struct err why = {0};
    bool ok = redact_json(&x->look, &text, &why) && redact_text(&x->look, &text, &why);
    *holds = !ok || x->look.replaced != before;
    return ok || why.code == ERR_LIMIT || err_set(e, why.code, "%s", why.text);
}

/* What a message says: the block's own list of uses knows. */
static bool mark_said(struct store *s, int64_t block, bool *said, size_t n, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT uses FROM block_run WHERE block = $1", e);
    bind_int(q, block);
    struct text_use use;
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        struct uses_reader r = uses_open(block, take_bytes(q));
        while (uses_next(&r, &use))
            if (text_place(use.text) < n)
                said[text_place(use.text)] = true;
    }
    return step == STEP_DONE;
}

/* What is said elsewhere in a run: its rows know. */
static bool mark_rest(struct store *s, int64_t block, bool *said, size_t n, struct err *e)
{
    struct stmt *q = db_prepare(s->db,
        "SELECT t FROM block_run b, (SELECT id, metadata AS t FROM message UNION ALL SELECT id, metadata FROM tool_call"
        " UNION ALL SELECT id, metadata FROM transcript UNION ALL SELECT id, answer FROM score UNION ALL SELECT id, target FROM score"
        " UNION ALL SELECT id, explanation FROM score UNION ALL SELECT id, metadata FROM score) o"
        " WHERE b.block = $1 AND o.id BETWEEN b.run << 26 AND b.run << 26 | 67108863 AND o.t >> 16 = $1", e);
    bind_int(q, block);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        size_t place = text_place(take_int(q));
        if (place < n)
            said[place] = true;
    }
    return step == STEP_DONE;
}

/* In the write transaction, where nobody else begins to say one of them. */
static bool blank(struct redacting *x, int64_t id, uint64_t *blanked, struct err *e)
{
    const struct block *block;
    struct arena a = {0};
    if (!block_read(x->store, id, &block, e))
        return e->code == ERR_NOT_FOUND;
    bool *said = arena_array(&a, bool, block->n), ok = mark_said(x->store, id, said, block->n, e) && mark_rest(x->store, id, said, block->n, e);
    struct slice *texts = arena_array(&a, struct slice, block->n);
    uint64_t found = 0;
    for (size_t i = 0; i < block->n && ok; i++) {
        bool holds = false;
        texts[i] = block->texts[i];
        ok = said[i] || holds_secret(x, texts[i], &holds, e);
        if (holds)
            texts[i].len = 0;
        found += holds;
    }
    ok = ok && (!found || (grams_reword(x->store, id, texts, block->n, e) && block_replace(x->store, id, texts, block->n, e)));
    arena_free(&a);
    *blanked += found;
    return ok;
}

static bool next_block(struct redacting *x, int64_t *id, bool *holds, struct err *e)
{
    const struct block *block;
    struct stmt *q = db_prepare(x->store->db, "SELECT id FROM block WHERE id > $1 ORDER BY id LIMIT 1", e);
    bind_int(q, *id);
    enum step step = stmt_step(q, e);
    *id = step == STEP_ROW ? take_int(q) : 0;
    if (step != STEP_ROW)
        return step == STEP_DONE;
    stmt_reset(q);
    bool ok = block_read(x->store, *id, &block, e);
    for (size_t i = 0; ok && i < block->n && !*holds; i++)
        ok = holds_secret(x, block->texts[i], holds, e);
    return ok;
}

bool redact_blocks(struct redacting *x, struct err *e)
{
    struct store *s = x->store;
    for (int64_t id = 0;;) {
        bool holds = false;
        uint64_t blanked = 0;
        if (redact_stopped(x, e) || !db_read(s->db, e) || !db_end(s->db, next_block(x, &id, &holds, e), e))
            return false;
        if (!id)
            return true;
        if (holds && (!db_write(s->db, e) || !db_end(s->db, blank(x, id, &blanked, e), e))) {
            blocks_forget(s->blocks);
            return false;
        }
        x->out->texts += blanked;
    }
}
