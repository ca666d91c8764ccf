#include "storage/finding_write.h"

/* Which detectors hit a limit on which run. */

static bool incomplete_differs(struct store *s, int64_t run, const struct incomplete *now, size_t n, const struct slice *only, size_t nonly,
                               bool *differs, struct err *e)
{
    struct arena a = {0};
    size_t found = 0, wanted = 0;
    for (size_t i = 0; i < n; i++) {
        bool repeated = !is_among(now[i].detector, only, nonly);
        for (size_t k = 0; k < i && !repeated; k++)
            repeated = slice_eq(now[k].detector, now[i].detector);
        wanted += !repeated;
    }
    struct stmt *q = db_prepare(s->db, "SELECT detector, reason FROM incomplete WHERE run = $1", e);
    bind_int(q, run);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        struct slice detector = take_text(q, &a), reason = take_text(q, &a);
        if (!is_among(detector, only, nonly))
            continue;
        bool same = false;
        for (size_t i = 0; i < n && !same; i++)
            same = slice_eq(now[i].detector, detector) && slice_eq(now[i].reason, reason);
        found += same;
        *differs |= !same;
    }
    *differs |= found != wanted;
    arena_free(&a);
    return step == STEP_DONE;
}

static bool incomplete_drop(struct store *s, int64_t run, const struct slice *only, size_t nonly, struct err *e)
{
    if (!nonly) {
        struct stmt *q = db_prepare(s->db, "DELETE FROM incomplete WHERE run = $1", e);
        bind_int(q, run);
        return stmt_run(q, e);
    }
    for (size_t i = 0; i < nonly; i++) {
        struct stmt *q = db_prepare(s->db, "DELETE FROM incomplete WHERE run = $1 AND detector = $2", e);
        bind_int(q, run);
        bind_text(q, only[i]);
        if (!stmt_run(q, e))
            return false;
    }
    return true;
}

bool incomplete_change(struct store *s, int64_t run, const struct incomplete *now, size_t n, const struct slice *only, size_t nonly, bool look,
                       bool *changed, struct err *e)
{
    bool differs = false;
    if (!incomplete_differs(s, run, now, n, only, nonly, &differs, e))
        return false;
    *changed |= differs;
    if (!differs || look)
        return true;
    if (!incomplete_drop(s, run, only, nonly, e))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!is_among(now[i].detector, only, nonly))
            continue;
        struct stmt *q = db_prepare(s->db, "INSERT INTO incomplete (run, detector, reason) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", e);
        bind_int(q, run);
        bind_text(q, not_null(now[i].detector));
        bind_text(q, now[i].reason);
        if (!stmt_run(q, e))
            return false;
    }
    return true;
}

bool store_incomplete(struct store *s, struct slice collection, uint32_t limit, struct arena *a, struct incomplete_row **out, size_t *n,
                      struct err *e)
{
    int64_t key;
    *out = NULL;
    *n = 0;
    if (!collection_find(s, collection, &key, e))
        return false;
    struct stmt *q = db_prepare(s->db,
        "SELECT r.id, r.external_id, i.detector, i.reason FROM incomplete i JOIN run r ON r.n = i.run WHERE r.collection = $1"
        " ORDER BY i.run DESC, i.detector LIMIT $2", e);
    bind_int(q, key);
    bind_int(q, limit);
    size_t cap = 0;
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        *out = arena_grow(a, *out, *n, &cap, sizeof **out);
        struct incomplete_row *row = &(*out)[(*n)++];
        row->run = take_text(q, a);
        row->external_id = take_text(q, a);
        row->detector = take_text(q, a);
        row->reason = take_text(q, a);
    }
    return step == STEP_DONE;
}
