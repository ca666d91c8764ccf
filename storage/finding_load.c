#include "storage/finding_write.h"

static bool load_evidence(struct store *s, int64_t key, struct arena *a, struct finding *f, struct err *e)
{
    struct stmt *q = db_prepare(s->db,
        "SELECT (SELECT id FROM run WHERE n = s.run), coalesce(transcript, -1), coalesce(message, -1), part, start, stop, quote,"
        " coalesce(weight, 0),"
        " (SELECT source_id FROM transcript t WHERE t.id = coalesce(s.run, (SELECT run FROM finding WHERE n = s.id >> 26)) << 26 | s.transcript)"
        " FROM span s WHERE id BETWEEN $1 AND $2 ORDER BY id", e);
    bind_int(q, child_first(key));
    bind_int(q, child_last(key));
    size_t cap = 0;
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        f->evidence = arena_grow(a, f->evidence, f->nevidence, &cap, sizeof *f->evidence);
        struct evidence *ev = &f->evidence[f->nevidence++];
        ev->run = take_text(q, a);
        ev->transcript = (int32_t)take_int(q);
        ev->message = (int32_t)take_int(q);
        ev->part = take_text(q, a);
        ev->start = (uint32_t)take_int(q);
        ev->end = (uint32_t)take_int(q);
        ev->quote = take_text(q, a);
        ev->weight = take_real(q);
        ev->transcript_id = take_text(q, a);
    }
    return step == STEP_DONE;
}

#define FINDING_COLUMNS                                                                                                      \
    "f.n, f.id, f.detector, f.version, f.behavior, f.kind, f.severity, f.confidence, f.title, f.message, f.scope, f.captures," \
    " f.status, f.reviewer, f.note, f.created_at, CASE WHEN f.scope = 1 THEN (SELECT task_id FROM task WHERE n = f.task) END,"   \
    " (SELECT id FROM exception WHERE n = f.exception)"

static void take_finding(struct stmt *q, struct arena *a, int64_t *key, struct finding *f)
{
    *key = take_int(q);
    *f = (struct finding){0};
    f->id = take_text(q, a);
    f->detector = take_text(q, a);
    f->version = take_text(q, a);
    f->behavior = take_text(q, a);
    f->kind = (enum kind)take_int(q);
    f->severity = (enum severity)take_int(q);
    f->confidence = take_real(q);
    f->title = take_text(q, a);
    f->message = take_text(q, a);
    f->scope = (enum scope)take_int(q);
    f->captures = take_text(q, a);
    f->status = (enum finding_status)take_int(q);
    f->reviewer = take_text(q, a);
    f->note = take_text(q, a);
    f->created_at = take_text(q, a);
    f->task_id = take_text(q, a);
    f->exception = take_text(q, a);
}

bool finding_load(struct store *s, int64_t key, struct arena *a, struct finding *out, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT " FINDING_COLUMNS " FROM finding f WHERE f.n = $1", e);
    bind_int(q, key);
    enum step step = stmt_step(q, e);
    if (step != STEP_ROW)
        return step == STEP_DONE && err_set(e, ERR_NOT_FOUND, "there is no such finding");
    take_finding(q, a, &key, out);
    stmt_reset(q);
    return load_evidence(s, key, a, out, e);
}

bool finding_subject_load(struct store *s, int64_t key, struct subject *out, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT collection, run, task FROM finding WHERE n = $1", e);
    bind_int(q, key);
    if (stmt_step(q, e) != STEP_ROW)
        return false;
    out->collection = take_int(q);
    out->run = take_int(q);
    out->task = take_int(q);
    stmt_reset(q);
    return true;
}

/* The findings of a subject; $1 is the first of its keys that is not 0. */
static const char *subject_condition(const struct subject *subject)
{
    return subject->run ? "run = $1" : subject->task ? "task = $1 AND scope = 1" : "collection = $1 AND scope = 2";
}

bool findings_load(struct store *s, const struct subject *subject, struct arena *a, struct stored_findings *out, struct err *e)
{
    const char *sql = arena_printf(a, "SELECT " FINDING_COLUMNS " FROM finding f WHERE %s ORDER BY f.n", subject_condition(subject)).ptr;
    struct stmt *q = db_prepare(s->db, sql, e);
    bind_int(q, subject_key(subject));
    *out = (struct stored_findings){0};
    size_t cap = 0, keys_cap = 0;
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        out->items = arena_grow(a, out->items, out->n, &cap, sizeof *out->items);
        out->keys = arena_grow(a, out->keys, out->n, &keys_cap, sizeof *out->keys);
        take_finding(q, a, &out->keys[out->n], &out->items[out->n]);
        out->n++;
    }
    for (size_t i = 0; i < out->n && step == STEP_DONE; i++)
        if (!load_evidence(s, out->keys[i], a, &out->items[i], e))
            return false;
    return step == STEP_DONE;
}
