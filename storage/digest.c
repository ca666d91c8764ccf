#include "storage/digest.h"

#include "base/map.h"
#include "storage/varint.h"

/* actions: a varint for each, number << 1 | 1 where it is the first action of the next call. errors: for each line eight bytes of hash and
 * three varints: message + 1 (0: of run.error), start << 2 | in_error << 1 | late, len. */

/* ---- writing --------------------------------------------------------------------------------------------------------- */

/* Names are the word of whoever wrote the transcript: past so many of a collection, new ones are one. */
enum { NAMES_MOST = 1 << 14 };
#define OTHER_NAME "other"

/* The number of a name, given to it now where it has none. */
static bool action_number(struct store *s, int64_t collection, struct slice name, uint64_t *out, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT number FROM action WHERE collection = $1 AND name = $2", e);
    bind_int(q, collection);
    bind_text(q, name);
    enum step step = stmt_step(q, e);
    if (step == STEP_ROW) {
        *out = (uint64_t)take_int(q);
        stmt_reset(q);
        return true;
    }
    if (step == STEP_ERROR)
        return false;
    q = db_prepare(s->db,
        "INSERT INTO action (collection, number, name)"
        " SELECT $1, next, CASE WHEN next < $2 THEN $3 ELSE '" OTHER_NAME "' END"
        " FROM (SELECT coalesce((SELECT number + 1 FROM action WHERE collection = $1 ORDER BY number DESC LIMIT 1), 0) AS next)"
        " WHERE true"
        " ON CONFLICT (collection, name) DO UPDATE SET number = number RETURNING number", e);
    bind_int(q, collection);
    bind_int(q, NAMES_MOST);
    bind_text(q, name);
    while ((step = stmt_step(q, e)) == STEP_ROW)
        *out = (uint64_t)take_int(q);
    return step == STEP_DONE;
}

static bool pack_actions(struct store *s, int64_t collection, const struct actions *actions, struct arena *a, struct slice *out,
                         struct err *e)
{
    unsigned char *bytes = arena_alloc(a, actions->n * VARINT_MAX + 1);
    uint64_t *numbers = arena_array(a, uint64_t, actions->n + 1);
    struct map names = {0};
    size_t len = 0, known = 0;
    for (size_t i = 0; i < actions->n; i++) {
        const struct action *action = &actions->items[i];
        size_t at = map_put(a, &names, action->name, known + 1);
        if (at == known + 1 && !action_number(s, collection, action->name, &numbers[known++], e))
            return false;
        bool next = i == 0 || action->call != actions->items[i - 1].call;
        len += varint_put(bytes + len, numbers[at - 1] << 1 | next);
    }
    *out = slice_of((const char *)bytes, len);
    return true;
}

static struct slice pack_errors(const struct run_digest *digest, struct arena *a)
{
    unsigned char *bytes = arena_alloc(a, digest->nerrors * (sizeof(uint64_t) + 3 * VARINT_MAX) + 1);
    size_t len = 0;
    for (size_t i = 0; i < digest->nerrors; i++) {
        const struct error_line *line = &digest->errors[i];
        memcpy(bytes + len, &line->hash, sizeof line->hash);
        len += sizeof line->hash;
        len += varint_put(bytes + len, line->message == UINT32_MAX ? 0 : (uint64_t)line->message + 1);
        len += varint_put(bytes + len, (uint64_t)line->start << 2 | (uint64_t)line->in_error << 1 | line->late);
        len += varint_put(bytes + len, line->len);
    }
    return slice_of((const char *)bytes, len);
}

bool digest_write(struct store *s, int64_t collection, int64_t run, const struct run_digest *digest, struct err *e)
{
    struct arena a = {0};
    struct slice actions;
    bool ok = pack_actions(s, collection, &digest->actions, &a, &actions, e);
    if (ok) {
        struct stmt *q = db_prepare(s->db,
            "INSERT OR REPLACE INTO run_digest (run, revision, results, failed, answer, actions, errors)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7)", e);
        int64_t answer;
        memcpy(&answer, &digest->answer, sizeof answer);
        bind_int(q, run);
        bind_int(q, DIGEST_REVISION);
        bind_int(q, digest->results);
        bind_int(q, digest->failed);
        bind_int(q, answer);
        bind_blob(q, actions);
        bind_blob(q, pack_errors(digest, &a));
        ok = stmt_run(q, e);
    }
    arena_free(&a);
    return ok;
}

static bool is_digested(struct store *s, int64_t run, bool *yes, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT 1 FROM run_digest WHERE run = $1 AND revision = $2", e);
    bind_int(q, run);
    bind_int(q, DIGEST_REVISION);
    *yes = false;
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW)
        *yes = true;
    return step == STEP_DONE;
}

static bool redigest(struct store *s, struct slice id, const struct run *run, struct arena *a, struct err *e)
{
    struct run_digest digest;
    int64_t n, collection = 0;
    if (!run_find(s, id, &n, e))
        return false;
    struct stmt *q = db_prepare(s->db, "SELECT collection FROM run WHERE n = $1", e);
    bind_int(q, n);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW)
        collection = take_int(q);
    if (step != STEP_DONE)
        return false;
    bool done;
    if (!is_digested(s, n, &done, e))
        return false;
    if (done) /* it came anew meanwhile, with its own */
        return true;
    run_digest_make(a, run, &digest);
    return digest_write(s, collection, n, &digest, e);
}

bool store_run_redigest(struct store *s, struct slice id, const struct run *run, struct err *e)
{
    struct arena a = {0};
    int64_t n;
    bool done = false;
    bool ok = run_find(s, id, &n, e) && is_digested(s, n, &done, e) &&
              (done || (db_write(s->db, e) && db_end(s->db, redigest(s, id, run, &a, e), e)));
    arena_free(&a);
    return ok;
}

/* ---- reading --------------------------------------------------------------------------------------------------------- */

void digest_unpack(struct arena *a, struct slice actions, struct slice errors, struct run_summary *out)
{
    const unsigned char *p = (const unsigned char *)actions.ptr, *end = p + actions.len;
    uint64_t n, flags, len;
    uint32_t call = UINT32_MAX;
    out->actions = arena_alloc(a, (actions.len + 1) * sizeof *out->actions);
    out->nactions = 0;
    while (p < end && (p = varint_get(p, end, &n))) {
        call += n & 1;
        out->actions[out->nactions++] = (struct action_ref){(uint32_t)(n >> 1), call};
    }
    p = (const unsigned char *)errors.ptr;
    end = p + errors.len;
    out->errors = arena_alloc(a, (errors.len / sizeof(uint64_t) + 1) * sizeof *out->errors);
    out->nerrors = 0;
    while (p && (size_t)(end - p) > sizeof(uint64_t)) {
        struct error_line line;
        memcpy(&line.hash, p, sizeof line.hash);
        p = varint_get(p + sizeof line.hash, end, &n);
        p = p ? varint_get(p, end, &flags) : NULL;
        p = p ? varint_get(p, end, &len) : NULL;
        if (!p)
            break;
        line.message = n ? (uint32_t)(n - 1) : UINT32_MAX;
        line.start = (uint32_t)(flags >> 2);
        line.in_error = flags >> 1 & 1;
        line.late = flags & 1;
        line.len = (uint32_t)len;
        out->errors[out->nerrors++] = line;
    }
}

bool action_names_load(struct store *s, int64_t collection, struct arena *a, struct action_names *out, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT name FROM action WHERE collection = $1 ORDER BY number", e);
    bind_int(q, collection);
    *out = (struct action_names){0};
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        out->items = arena_grow(a, out->items, out->n, &out->cap, sizeof *out->items);
        out->items[out->n++] = take_text(q, a);
    }
    return step == STEP_DONE;
}

/* Where each of a run's calls stands, by its place. */
static bool place_calls(struct store *s, int64_t run, struct run_action *actions, size_t n, struct err *e)
{
    struct stmt *q = db_prepare(s->db,
        "SELECT c.id & 67108863, m.transcript, c.message - t.first, c.position"
        " FROM tool_call c JOIN message m ON m.id = (c.id >> 26 << 26) | c.message"
        " JOIN transcript t ON t.id = (c.id >> 26 << 26) | m.transcript WHERE c.id BETWEEN $1 AND $2 ORDER BY c.id", e);
    bind_int(q, child_first(run));
    bind_int(q, child_last(run));
    size_t at = 0;
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        int64_t place = take_int(q);
        int32_t transcript = (int32_t)take_int(q), message = (int32_t)take_int(q);
        uint32_t call = (uint32_t)take_int(q);
        for (; at < n && actions[at].call == place; at++) {
            actions[at].transcript = transcript;
            actions[at].message = message;
            actions[at].call = call;
        }
    }
    return step == STEP_DONE;
}

static bool load_actions(struct store *s, struct slice id, struct arena *a, struct run_action **out, size_t *n, struct err *e)
{
    int64_t run;
    struct run_summary row = {0};
    struct action_names names;
    *out = NULL;
    *n = 0;
    if (!run_find(s, id, &run, e))
        return false;
    struct stmt *q = db_prepare(s->db, "SELECT r.collection, d.actions FROM run r JOIN run_digest d ON d.run = r.n WHERE r.n = $1", e);
    bind_int(q, run);
    enum step step = stmt_step(q, e);
    if (step != STEP_ROW)
        return step == STEP_DONE;
    int64_t collection = take_int(q);
    digest_unpack(a, take_text(q, a), SLICE_NONE, &row);
    stmt_reset(q);
    if (!action_names_load(s, collection, a, &names, e))
        return false;
    *out = arena_array(a, struct run_action, row.nactions);
    *n = row.nactions;
    for (size_t i = 0; i < row.nactions; i++) {
        uint32_t action = row.actions[i].action;
        (*out)[i] = (struct run_action){.name = action < names.n ? names.items[action] : SLICE_NONE, .call = row.actions[i].call};
    }
    return place_calls(s, run, *out, *n, e);
}

bool store_run_actions(struct store *s, struct slice run, struct arena *a, struct run_action **out, size_t *n, struct err *e)
{
    return db_read(s->db, e) && db_end(s->db, load_actions(s, run, a, out, n, e), e);
}
