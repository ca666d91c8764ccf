#include "storage/judge_job.h"
#include "storage/judging.h"

#include "base/clock.h"
#include "text/secrets.h"

#include <math.h>
#include <stdlib.h>
#include <zstd.h>

enum { ZSTD_LEVEL = 3 };
#define REPLY_MAX ((unsigned long long)64 << 20)

/* Dollars as the tables have them: whole numbers, so that sums come out even. Unknown adds nothing. */
static const double a_dollar = 1e12, most = 1e18;
static int64_t money(double usd) { return usd > 0 ? (int64_t)llround(fmin(usd * a_dollar, most)) : 0; }
static double dollars(int64_t money) { return (double)money / a_dollar; }

bool judge_job_find(struct store *s, struct slice job, int64_t *n, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT n FROM job WHERE id = $1", e);
    bind_text(q, job);
    enum step step = stmt_int(q, n, e);
    return step == STEP_ROW || (step == STEP_DONE && err_set(e, ERR_NOT_FOUND, "there is no job \"%.*s\"", SLICE_ARG(job)));
}

bool judge_job_open(struct store *s, struct slice job, int64_t *n, struct err *e)
{
    if (!judge_job_find(s, job, n, e))
        return false;
    struct stmt *q = db_prepare(s->db, "INSERT INTO judge_job (job) VALUES ($1) ON CONFLICT DO NOTHING", e);
    bind_int(q, *n);
    return stmt_run(q, e);
}

bool judge_job_redacted(struct store *s, int64_t job, bool *redacted, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT redacted FROM job WHERE n = $1", e);
    bind_int(q, job);
    *redacted = false;
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW)
        *redacted = take_int(q) != 0;
    return step == STEP_DONE;
}

/* ---- replies ----------------------------------------------------------------------------------------------------------- */

static bool pack(struct arena *a, struct slice raw, struct slice *out, struct err *e)
{
    size_t bound = ZSTD_compressBound(raw.len);
    char *room = arena_alloc(a, bound);
    size_t n = ZSTD_compress(room, bound, raw.ptr, raw.len, ZSTD_LEVEL);
    *out = slice_of(room, n);
    return !ZSTD_isError(n) || err_set(e, ERR_INTERNAL, "a reply could not be packed: %s", ZSTD_getErrorName(n));
}

static bool unpack(struct arena *a, struct slice data, struct slice *out, struct err *e)
{
    unsigned long long size = ZSTD_getFrameContentSize(data.ptr, data.len);
    if (size > REPLY_MAX) /* unknown and error are larger than any */
        return err_set(e, ERR_IO, "a model's reply is damaged in the database; restore a backup");
    char *raw = arena_alloc(a, size + 1);
    size_t n = ZSTD_decompress(raw, size, data.ptr, data.len);
    *out = slice_of(raw, (size_t)size);
    return n == size || err_set(e, ERR_IO, "a model's reply is damaged in the database; restore a backup");
}

bool reply_redact(struct redaction *r, struct slice *packed, struct err *e)
{
    struct slice raw;
    uint64_t before = r->replaced;
    return unpack(r->arena, *packed, &raw, e) && redact_json(r, &raw, e) && (r->replaced == before || pack(r->arena, raw, packed, e));
}

static struct slice key_of(const struct call_row *call) { return slice_of((const char *)call->key, sizeof call->key); }

static bool find_one(struct store *s, struct call_row *call, struct arena *a, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT reply, tokens_in, tokens_out, coalesce(cost, -1) FROM model_call WHERE key = $1", e);
    bind_blob(q, key_of(call));
    enum step step = stmt_step(q, e);
    if (step != STEP_ROW)
        return step == STEP_DONE;
    bool ok = unpack(a, take_bytes(q), &call->reply, e);
    call->tokens_in = take_count(q);
    call->tokens_out = take_count(q);
    int64_t cost = take_int(q);
    call->cost = cost < 0 ? NAN : dollars(cost);
    stmt_reset(q);
    return ok;
}

static bool find_all(struct store *s, struct call_row *calls, size_t n, struct arena *a, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        calls[i].reply = SLICE_NONE;
        if (!find_one(s, &calls[i], a, e))
            return false;
    }
    return true;
}

bool store_calls_find(struct store *s, struct call_row *calls, size_t n, struct arena *a, struct err *e)
{
    return db_read(s->db, e) && db_end(s->db, find_all(s, calls, n, a, e), e);
}

/* ---- the ledger ---------------------------------------------------------------------------------------------------------- */

/* Takes the reservation of a call away; what it was, or 0. */
static bool close_one(struct store *s, int64_t job, const struct call_row *call, int64_t *reserved, bool *was_open, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "DELETE FROM call_open WHERE job = $1 AND key = $2 RETURNING reserved", e);
    bind_int(q, job);
    bind_blob(q, key_of(call));
    *reserved = 0;
    *was_open = false;
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        *reserved = take_int(q);
        *was_open = true;
    }
    return step == STEP_DONE;
}

/* What is added to a job's books. */
struct entry {
    int64_t calls, answered, failed, tokens_in, tokens_out, cost, unsettled, open;
};

static bool book(struct store *s, int64_t job, const struct entry *entry, struct err *e)
{
    struct stmt *q = db_prepare(s->db,
        "UPDATE judge_job SET calls = calls + $1, answered = answered + $2, failed = failed + $3, tokens_in = tokens_in + $4,"
        " tokens_out = tokens_out + $5, cost = cost + $6, unsettled = unsettled + $7, open = open + $8 WHERE job = $9", e);
    const int64_t numbers[] = {entry->calls, entry->answered, entry->failed, entry->tokens_in, entry->tokens_out, entry->cost, entry->unsettled,
                               entry->open, job};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        bind_int(q, numbers[i]);
    return stmt_run(q, e);
}

/* The other jobs that run now and may have calls on their way. */
struct others { int64_t *items; size_t n, cap; };
static bool find_others(struct store *s, int64_t job, struct arena *a, struct others *out, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT n FROM job WHERE state = $1 AND n <> $2 AND lease_until BETWEEN $3 AND $3 + 3600000000 AND kind IN ('judge', 'draft')", e);
    bind_int(q, JOB_RUNNING);
    bind_int(q, job);
    bind_int(q, clock_monotonic_us()); /* as jobs.c has it */
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        out->items = arena_grow(a, out->items, out->n, &out->cap, sizeof *out->items);
        out->items[out->n++] = take_int(q);
    }
    return step == STEP_DONE;
}

static bool has_row(struct stmt *q, bool *has, struct err *e)
{
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW)
        *has = true;
    return step == STEP_DONE;
}

static bool is_taken(struct store *s, const struct others *others, struct call_row *call, struct err *e)
{
    call->taken = false;
    if (!call->anew) {
        struct stmt *q = db_prepare(s->db, "SELECT 1 FROM model_call WHERE key = $1", e);
        bind_blob(q, key_of(call));
        if (!has_row(q, &call->taken, e))
            return false;
    }
    for (size_t i = 0; i < others->n && !call->taken; i++) {
        struct stmt *q = db_prepare(s->db, "SELECT 1 FROM call_open WHERE job = $1 AND key = $2", e);
        bind_int(q, others->items[i]);
        bind_blob(q, key_of(call));
        if (!has_row(q, &call->taken, e))
            return false;
    }
    return true;
}

static bool begin_one(struct store *s, int64_t job, const struct call_row *call, struct entry *entry, struct err *e)
{
    int64_t lost, reserved = money(call->reserved);
    bool was_open;
    if (!close_one(s, job, call, &lost, &was_open, e))
        return false;
    entry->calls++;
    entry->unsettled += lost;
    entry->failed += was_open;
    entry->open += reserved - lost;
    struct stmt *q = db_prepare(s->db, "INSERT INTO call_open (job, key, reserved) VALUES ($1, $2, $3)", e);
    bind_int(q, job);
    bind_blob(q, key_of(call));
    bind_int(q, reserved);
    return stmt_run(q, e);
}

static bool begin(struct store *s, struct slice id, struct call_row *calls, size_t n, struct arena *a, struct err *e)
{
    struct entry entry = {0};
    struct others others = {0};
    int64_t job;
    if (!judge_job_open(s, id, &job, e) || !find_others(s, job, a, &others, e))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!is_taken(s, &others, &calls[i], e) || (!calls[i].taken && !begin_one(s, job, &calls[i], &entry, e)))
            return false;
    return !entry.calls || book(s, job, &entry, e);
}

bool store_calls_begin(struct store *s, struct slice job, struct call_row *calls, size_t n, struct err *e)
{
    struct arena a = {0};
    bool ok = db_write(s->db, e) && db_end(s->db, begin(s, job, calls, n, &a, e), e);
    arena_free(&a);
    return ok;
}

static bool keep_reply(struct store *s, const struct call_row *call, struct slice packed, struct err *e)
{
    struct stmt *q = db_prepare(s->db,
        "INSERT INTO model_call (key, tokens_in, tokens_out, cost, bytes, ended, model, reply) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
        " ON CONFLICT (key) DO UPDATE SET tokens_in = excluded.tokens_in, tokens_out = excluded.tokens_out, cost = excluded.cost,"
        " bytes = excluded.bytes, ended = excluded.ended, model = excluded.model, reply = excluded.reply", e);
    bind_blob(q, key_of(call));
    bind_count(q, call->tokens_in);
    bind_count(q, call->tokens_out);
    bind_count(q, isnan(call->cost) ? -1 : money(call->cost));
    bind_int(q, call->bytes);
    bind_int(q, clock_now_us());
    bind_text(q, call->model);
    bind_blob(q, packed);
    return stmt_run(q, e);
}

static bool end(struct store *s, struct slice id, const struct call_row *calls, const struct slice *packed, size_t n, struct err *e)
{
    struct entry entry = {0};
    int64_t job;
    bool redacted;
    if (!judge_job_open(s, id, &job, e) || !judge_job_redacted(s, job, &redacted, e))
        return false;
    for (size_t i = 0; i < n; i++) {
        const struct call_row *call = &calls[i];
        int64_t reserved;
        bool was_open;
        if (!close_one(s, job, call, &reserved, &was_open, e) || (call->reply.ptr && !redacted && !keep_reply(s, call, packed[i], e)))
            return false;
        entry.open -= reserved;
        entry.answered += call->reply.ptr != NULL;
        entry.failed += !call->reply.ptr;
        entry.tokens_in += call->tokens_in > 0 ? call->tokens_in : 0;
        entry.tokens_out += call->tokens_out > 0 ? call->tokens_out : 0;
        entry.cost += money(call->cost);
        entry.unsettled += money(call->unsettled);
    }
    return book(s, job, &entry, e);
}

bool store_calls_end(struct store *s, struct slice job, const struct call_row *calls, size_t n, struct err *e)
{
    struct arena a = {0};
    struct slice *packed = arena_array(&a, struct slice, n); /* before the lock is taken */
    bool ok = true;
    for (size_t i = 0; i < n && ok; i++)
        ok = !calls[i].reply.ptr || pack(&a, calls[i].reply, &packed[i], e);
    ok = ok && db_write(s->db, e) && db_end(s->db, end(s, job, calls, packed, n, e), e);
    arena_free(&a);
    return ok;
}

static bool spend(struct store *s, struct slice id, struct spend *out, struct err *e)
{
    int64_t job;
    *out = (struct spend){0};
    if (!judge_job_find(s, id, &job, e))
        return false;
    struct stmt *q = db_prepare(s->db,
        "SELECT calls, cached, answered, failed, tokens_in, tokens_out, cost, unsettled, open FROM judge_job WHERE job = $1", e);
    bind_int(q, job);
    enum step step = stmt_step(q, e);
    if (step != STEP_ROW)
        return step == STEP_DONE;
    int64_t *const counts[] = {&out->calls, &out->cached, &out->answered, &out->failed, &out->tokens_in, &out->tokens_out};
    double *const usd[] = {&out->cost, &out->unsettled, &out->open};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        *counts[i] = take_int(q);
    for (size_t i = 0; i < sizeof usd / sizeof *usd; i++)
        *usd[i] = dollars(take_int(q));
    stmt_reset(q);
    return true;
}

bool store_job_spend(struct store *s, struct slice job, struct spend *out, struct err *e)
{
    return db_read(s->db, e) && db_end(s->db, spend(s, job, out, e), e);
}

static bool add_cached(struct store *s, struct slice id, int64_t calls, struct err *e)
{
    int64_t job;
    if (!judge_job_open(s, id, &job, e))
        return false;
    struct stmt *q = db_prepare(s->db, "UPDATE judge_job SET cached = cached + $1 WHERE job = $2", e);
    bind_int(q, calls);
    bind_int(q, job);
    return stmt_run(q, e);
}

bool store_job_cached(struct store *s, struct slice job, int64_t calls, struct err *e)
{
    return db_write(s->db, e) && db_end(s->db, add_cached(s, job, calls, e), e);
}

bool store_calls_ratio(struct store *s, struct slice model, struct call_ratio *out, struct err *e)
{
    struct stmt *q = db_prepare(s->db,
        "SELECT count(*), coalesce(sum(bytes), 0), coalesce(sum(tokens_in), 0), coalesce(sum(tokens_out), 0) FROM (SELECT bytes, tokens_in, tokens_out"
        " FROM model_call WHERE model = $1 AND bytes > 0 AND tokens_in > 0 AND tokens_out >= 0 ORDER BY n DESC LIMIT 1000)", e);
    bind_text(q, model);
    *out = (struct call_ratio){0};
    if (stmt_step(q, e) != STEP_ROW)
        return false;
    int64_t *const sums[] = {&out->calls, &out->bytes, &out->tokens_in, &out->tokens_out};
    for (size_t i = 0; i < sizeof sums / sizeof *sums; i++)
        *sums[i] = take_int(q);
    stmt_reset(q);
    return true;
}
