#include "storage/blocks.h"
#include "storage/rows.h"

#include "base/clock.h"
#include "base/hash.h"

static bool damaged(struct err *e)
{
    return err_set(e, ERR_IO, "a run of the database lacks some of its messages or calls; restore a backup");
}

/* The calls of messages [first, first + n), which lie together as their messages do. */
static bool load_calls(struct store *s, int64_t run, int64_t first, int64_t n, int64_t first_call, int64_t ncalls, struct arena *a,
                       struct message *messages, struct err *e)
{
    struct stmt *q = db_prepare(s->db,
        "SELECT message, position, arguments, metadata, name, call_id, parse_error FROM tool_call WHERE id BETWEEN $1 AND $2 ORDER BY id", e);
    bind_int(q, child_id(run, first_call));
    bind_int(q, child_id(run, first_call + ncalls - 1));
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        int64_t message = take_int(q) - first, position = take_int(q);
        if (message < 0 || message >= n || position < 0 || (size_t)position >= messages[message].ncalls)
            return damaged(e);
        struct tool_call *call = &messages[message].calls[position];
        if (!text_read(s, take_count(q), a, &call->arguments, e) || !text_read(s, take_count(q), a, &call->metadata, e))
            return false;
        call->name = take_text(q, a);
        call->call_id = take_text(q, a);
        call->parse_error = take_text(q, a);
    }
    return step == STEP_DONE;
}

static bool load_blobs(struct store *s, int64_t run, int64_t first, int64_t n, struct arena *a, struct message *messages, struct err *e)
{
    struct stmt *q = db_prepare(s->db,
        "SELECT message, sha256, media_type, url, size FROM message_blob WHERE id BETWEEN $1 AND $2 AND message BETWEEN $3 AND $4 ORDER BY id", e);
    bind_int(q, child_first(run));
    bind_int(q, child_last(run));
    bind_int(q, first);
    bind_int(q, first + n - 1);
    size_t cap = 0;
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        struct message *m = &messages[take_int(q) - first];
        if (!m->nblobs) /* another message's array */
            cap = 0;
        m->blobs = arena_grow(a, m->blobs, m->nblobs, &cap, sizeof *m->blobs);
        struct blob *blob = &m->blobs[m->nblobs++];
        struct slice sha256 = take_bytes(q);
        if (sha256.len == SHA256_SIZE)
            memcpy(blob->sha256, sha256.ptr, SHA256_SIZE);
        blob->media_type = take_text(q, a);
        blob->url = take_text(q, a);
        blob->size = (uint64_t)take_int(q);
    }
    return step == STEP_DONE;
}

bool messages_load(struct store *s, int64_t run, int64_t first, int64_t n, struct arena *a, struct message **out, struct err *e)
{
    struct message *messages = *out = arena_array(a, struct message, (size_t)n);
    struct stmt *q = db_prepare(s->db,
        "SELECT role, calls, first_call, text, reasoning, error, metadata, duration_ms, tokens_in, tokens_out, model, timestamp,"
        " finish_reason, tool_call_id, tool_name FROM message WHERE id BETWEEN $1 AND $2 ORDER BY id", e);
    bind_int(q, child_id(run, first));
    bind_int(q, child_id(run, first + n - 1));
    int64_t i = 0, first_call = 0, ncalls = 0;
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW && i < n) {
        struct message *m = &messages[i++];
        m->role = (enum role)take_int(q);
        m->ncalls = (size_t)take_int(q);
        m->calls = arena_array(a, struct tool_call, m->ncalls);
        int64_t call = take_int(q);
        if (i == 1)
            first_call = call;
        ncalls += (int64_t)m->ncalls;
        if (!text_read(s, take_count(q), a, &m->text, e) || !text_read(s, take_count(q), a, &m->reasoning, e) ||
            !text_read(s, take_count(q), a, &m->error, e) || !text_read(s, take_count(q), a, &m->metadata, e))
            return false;
        m->duration_ms = take_count(q);
        m->tokens_in = take_count(q);
        m->tokens_out = take_count(q);
        m->model = take_text(q, a);
        m->timestamp = take_text(q, a);
        m->finish_reason = take_text(q, a);
        m->tool_call_id = take_text(q, a);
        m->tool_name = take_text(q, a);
    }
    if (step != STEP_DONE || i != n)
        return step == STEP_DONE && damaged(e);
    return (!ncalls || load_calls(s, run, first, n, first_call, ncalls, a, messages, e)) && load_blobs(s, run, first, n, a, messages, e);
}

/* Where a transcript's messages begin among those of its run, and how many they are. */
static bool find_transcript(struct store *s, struct slice id, int32_t transcript, int64_t *run, int64_t *first, int64_t *messages, struct err *e)
{
    if (!run_find(s, id, run, e))
        return false;
    struct stmt *q = db_prepare(s->db, "SELECT first, messages FROM transcript WHERE id = $1", e);
    bind_int(q, child_id(*run, transcript));
    enum step step = transcript >= 0 && transcript <= CHILD_MAX ? stmt_step(q, e) : STEP_DONE;
    if (step != STEP_ROW)
        return step == STEP_DONE && err_set(e, ERR_NOT_FOUND, "the run has no transcript %d", transcript);
    *first = take_int(q);
    *messages = take_int(q);
    stmt_reset(q);
    return true;
}

static bool load_range(struct store *s, struct slice id, int32_t transcript, uint32_t from, uint32_t limit, struct arena *a,
                       struct message **out, size_t *n, uint32_t *total, struct err *e)
{
    int64_t run, first, messages;
    *out = NULL;
    *n = 0;
    if (!find_transcript(s, id, transcript, &run, &first, &messages, e))
        return false;
    *total = (uint32_t)messages;
    if (from >= *total)
        return true;
    *n = limit < *total - from ? limit : *total - from;
    return messages_load(s, run, first + from, (int64_t)*n, a, out, e);
}

bool store_messages(struct store *s, struct slice run, int32_t transcript, uint32_t from, uint32_t limit, struct arena *a,
                    struct message **out, size_t *n, uint32_t *total, struct err *e)
{
    return db_read(s->db, e) && db_end(s->db, load_range(s, run, transcript, from, limit, a, out, n, total, e), e);
}

static bool load_marks(struct store *s, struct slice id, int32_t transcript, struct arena *a, struct message_mark **out, size_t *n, struct err *e)
{
    int64_t run, first, messages;
    *n = 0;
    if (!find_transcript(s, id, transcript, &run, &first, &messages, e))
        return false;
    *out = arena_array(a, struct message_mark, (size_t)messages);
    struct stmt *q = db_prepare(s->db, "SELECT role, bytes, calls, error IS NOT NULL, timestamp FROM message WHERE id BETWEEN $1 AND $2 ORDER BY id", e);
    bind_int(q, child_id(run, first));
    bind_int(q, child_id(run, first + messages - 1));
    struct arena time = {0};
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW && (int64_t)*n < messages) {
        struct message_mark *mark = &(*out)[(*n)++];
        mark->role = (enum role)take_int(q);
        mark->bytes = (uint32_t)take_int(q);
        mark->calls = (uint32_t)take_int(q);
        mark->error = take_int(q);
        arena_reset(&time);
        if (!clock_parse(take_text(q, &time), &mark->at))
            mark->at = MARK_NO_TIME;
    }
    arena_free(&time);
    return step == STEP_DONE;
}

bool store_marks(struct store *s, struct slice run, int32_t transcript, struct arena *a, struct message_mark **out, size_t *n, struct err *e)
{
    return db_read(s->db, e) && db_end(s->db, load_marks(s, run, transcript, a, out, n, e), e);
}

/* ---- images ---------------------------------------------------------------------------------------------------------- */

bool store_blob(struct store *s, struct slice sha256_hex, struct arena *a, struct blob *out, struct err *e)
{
    *out = (struct blob){0};
    if (!hash_unhex(sha256_hex, out->sha256, SHA256_SIZE))
        return err_set(e, ERR_NOT_FOUND, "\"%.*s\" is no SHA-256", SLICE_ARG(sha256_hex));
    struct stmt *q = db_prepare(s->db, "SELECT media_type, bytes FROM blob WHERE sha256 = $1 AND ($2 OR EXISTS"
        " (SELECT 1 FROM blob_collection b WHERE b.blob = blob.n AND mine(b.collection)))", e);
    bind_blob(q, slice_of((const char *)out->sha256, SHA256_SIZE));
    bind_int(q, !store_is_bound(s));
    enum step step = stmt_step(q, e);
    if (step != STEP_ROW)
        return step == STEP_DONE && err_set(e, ERR_NOT_FOUND, "there is no image %.*s", SLICE_ARG(sha256_hex));
    out->media_type = take_text(q, a);
    out->bytes = take_text(q, a);
    out->size = out->bytes.len;
    stmt_reset(q);
    return true;
}

bool blob_write(struct store *s, int64_t collection, const unsigned char sha256[SHA256_SIZE], struct slice media_type, struct slice bytes, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "INSERT INTO blob (sha256, media_type, bytes) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", e);
    bind_blob(q, slice_of((const char *)sha256, SHA256_SIZE));
    bind_text(q, media_type);
    bind_blob(q, not_null(bytes));
    if (!stmt_run(q, e))
        return false;
    q = db_prepare(s->db, "INSERT INTO blob_collection (blob, collection) SELECT n, $1 FROM blob WHERE sha256 = $2 ON CONFLICT DO NOTHING", e);
    bind_int(q, collection);
    bind_blob(q, slice_of((const char *)sha256, SHA256_SIZE));
    return stmt_run(q, e);
}

static bool put_blob(struct store *s, struct slice collection, struct slice media_type, struct slice bytes, struct err *e)
{
    unsigned char sha256[SHA256_SIZE];
    int64_t n;
    sha256_of(bytes, sha256);
    return collection_find(s, collection, &n, e) && blob_write(s, n, sha256, media_type, bytes, e);
}

bool store_blob_put(struct store *s, struct slice collection, struct slice media_type, struct slice bytes, struct err *e)
{
    return db_write(s->db, e) && db_end(s->db, put_blob(s, collection, media_type, bytes, e), e);
}
