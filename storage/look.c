/* When a whole collection is to be looked at again. */
#include "storage/look.h"

#include "base/clock.h"
#include "base/hash.h"

bool look_changed(struct store *s, int64_t collection, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "UPDATE collection SET changes = changes + 1 WHERE n = $1", e);
    bind_int(q, collection);
    return stmt_run(q, e);
}

bool look_seen(struct store *s, int64_t collection, int64_t changes, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "UPDATE collection SET looked = max(looked, $1) WHERE n = $2", e);
    bind_int(q, changes);
    bind_int(q, collection);
    return stmt_run(q, e);
}

static bool load_look(struct store *s, struct slice collection, struct look *out, struct err *e)
{
    int64_t n;
    *out = (struct look){0};
    if (!collection_find(s, collection, &n, e))
        return false;
    struct stmt *q = db_prepare(s->db,
        "SELECT changes, changes > looked, runs, EXISTS (SELECT 1 FROM job WHERE state = 0 AND collection = c.id AND kind IN ('import', 'build', 'scan')),"
        " EXISTS (SELECT 1 FROM job WHERE state = 0 AND collection = c.id AND kind = 'look')"
        " FROM collection c WHERE n = $1", e);
    bind_int(q, n);
    if (stmt_step(q, e) != STEP_ROW)
        return false;
    out->changes = take_int(q);
    out->due = take_int(q);
    out->runs = take_int(q);
    out->busy = take_int(q);
    out->waits = take_int(q);
    stmt_reset(q);
    return true;
}

bool store_look(struct store *s, struct slice collection, struct look *out, struct err *e)
{
    return db_read(s->db, e) && db_end(s->db, load_look(s, collection, out, e), e);
}

/* One such job a collection, used again and again. One that waits keeps its time, so that what comes in a stream does not put it off for
 * ever; one that runs sees to itself at its end (look_go_on). */
static bool queue(struct store *s, struct slice collection, int64_t delay_us, struct err *e)
{
    char id[UUID_TEXT + 1], now[CLOCK_TEXT];
    int64_t n;
    if (!collection_find(s, collection, &n, e))
        return false;
    uuid_random(id);
    clock_text(clock_now_us(), now);
    struct stmt *q = db_prepare(s->db,
        "INSERT INTO job (id, kind, collection, key, state, created_at, payload, begin_at)"
        " SELECT $1, 'look', id, '', 0, $2, '{}', $3 FROM collection WHERE n = $4"
        " ON CONFLICT (kind, coalesce(collection, ''), key) WHERE key IS NOT NULL DO UPDATE SET state = 0, cancel = 0, attempts = 0,"
        " begin_at = CASE WHEN state = 0 THEN begin_at ELSE excluded.begin_at END,"
        " started_at = NULL, ended_at = NULL, progress = NULL, result = NULL, error = NULL WHERE state <> 1", e);
    bind_text(q, slice_str(id));
    bind_text(q, slice_str(now));
    bind_int(q, clock_now_us() + delay_us);
    bind_int(q, n);
    return stmt_run(q, e);
}

bool store_look_queue(struct store *s, struct slice collection, int64_t delay_us, struct err *e)
{
    return db_write(s->db, e) && db_end(s->db, queue(s, collection, delay_us, e), e);
}

bool look_go_on(struct store *s, int64_t job, struct err *e)
{
    struct stmt *q = db_prepare(s->db,
        "UPDATE job SET state = 0, attempts = 0, ended_at = NULL, begin_at = $1 WHERE n = $2 AND kind = 'look' AND state = 2"
        " AND EXISTS (SELECT 1 FROM collection c WHERE c.id = job.collection AND c.changes > c.looked)", e);
    bind_int(q, clock_now_us() + LOOK_AGAIN_US);
    bind_int(q, job);
    return stmt_run(q, e);
}
