#include "storage/access.h"
#include "storage/append.h"

/* The run and what stands against adding to it. */
static bool look(struct store *s, struct append *append, int64_t *run, struct arena *a, struct err *e)
{
    if (!run_find(s, append->run, run, e))
        return false;
    struct stmt *q = db_prepare(s->db,
        "SELECT r.content_hash, d.path, EXISTS (SELECT 1 FROM append WHERE run = r.n AND finished),"
        " EXISTS (SELECT 1 FROM piece_group WHERE collection = r.collection AND path = d.path)"
        " FROM run r JOIN run_detail d ON d.run = r.n WHERE r.n = $1", e);
    bind_int(q, *run);
    if (stmt_step(q, e) != STEP_ROW)
        return false;
    struct slice hash = take_bytes(q);
    memcpy(append->base, hash.ptr, hash.len < HASH_SIZE ? hash.len : HASH_SIZE);
    append->path = take_text(q, a);
    append->was_finished = take_int(q);
    bool built = take_int(q);
    stmt_reset(q);
    return !built || err_set(e, ERR_CONFLICT, "this run is made of the pieces of a trace: send more of its spans or events instead");
}

/* The answer that the same key got before. */
static bool find_key(struct store *s, struct append *append, int64_t run, struct arena *a, struct err *e)
{
    append->known = false;
    if (!append->key.ptr)
        return true;
    struct stmt *q = db_prepare(s->db, "SELECT body, transcript, first_message, messages FROM append WHERE run = $1 AND key = $2", e);
    bind_int(q, run);
    bind_text(q, store_own_key(s, a, append->key));
    enum step step = stmt_step(q, e);
    if (step != STEP_ROW)
        return step == STEP_DONE;
    bool same = slice_eq(take_bytes(q), slice_of((const char *)append->body, HASH_SIZE));
    append->known = true;
    append->transcript = (int32_t)take_int(q);
    append->first = (uint32_t)take_int(q);
    append->messages = (uint32_t)take_int(q);
    stmt_reset(q);
    return same || err_set(e, ERR_REUSED, "this Idempotency-Key came with another body before; use a new key");
}

static bool begin(struct store *s, struct append *append, struct arena *a, struct err *e)
{
    int64_t run;
    if (!look(s, append, &run, a, e) || !find_key(s, append, run, a, e))
        return false;
    if (append->known || !append->was_finished)
        return true;
    return err_set(e, ERR_CONFLICT, "the run is finished: an earlier call said so, and nothing can be added to it any more");
}

bool store_append_begin(struct store *s, struct append *append, struct arena *a, struct err *e)
{
    return db_read(s->db, e) && db_end(s->db, begin(s, append, a, e), e);
}

bool append_check(struct store *s, struct append *append, struct err *e)
{
    struct arena a = {0};
    struct append now = *append;
    bool ok = begin(s, &now, &a, e);
    append->stale = ok && (now.known || memcmp(now.base, append->base, HASH_SIZE) != 0);
    arena_free(&a);
    return ok && (!append->stale || err_set(e, ERR_BUSY, "the run changes too often to add to it; try again"));
}

bool append_write(struct store *s, const struct append *append, struct err *e)
{
    int64_t run;
    struct arena a = {0};
    if (!append->key.ptr && !append->finished)
        return true;
    if (!run_find(s, append->run, &run, e))
        return false;
    struct stmt *q = db_prepare(s->db,
        "INSERT INTO append (run, key, body, transcript, first_message, messages, finished) VALUES ($1, $2, $3, $4, $5, $6, $7)", e);
    bind_int(q, run);
    bind_text(q, store_own_key(s, &a, append->key));
    bind_blob(q, slice_of((const char *)append->body, HASH_SIZE));
    bind_int(q, append->transcript);
    bind_int(q, append->first);
    bind_int(q, append->messages);
    bind_int(q, append->finished);
    bool ok = stmt_run(q, e);
    arena_free(&a);
    return ok;
}
