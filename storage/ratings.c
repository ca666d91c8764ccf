#include "storage/judging.h"
#include "storage/sql.h"

/* The columns of every question below: run, external_id, task_id, value, confidence, share, split, id, who. */
static bool take_ratings(struct stmt *q, struct arena *a, struct ratings *out, struct err *e)
{
    size_t cap = 0;
    enum step step;
    *out = (struct ratings){0};
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        out->items = arena_grow(a, out->items, out->n, &cap, sizeof *out->items);
        struct rating *rating = &out->items[out->n++];
        rating->run = take_text(q, a);
        rating->external_id = take_text(q, a);
        rating->task_id = take_text(q, a);
        rating->value = take_text(q, a);
        rating->confidence = take_real(q);
        rating->share = take_real(q);
        rating->split = take_text(q, a);
        rating->id = take_text(q, a);
        rating->who = take_text(q, a);
    }
    return step == STEP_DONE;
}

static bool find_collection(struct store *s, struct slice collection, int64_t *n, struct err *e)
{
    *n = 0;
    return !collection.ptr || collection_find(s, collection, n, e);
}

/* ---- judges ------------------------------------------------------------------------------------------------------------ */

static void bind_judge(struct stmt *q, int64_t collection, struct slice rubric, int64_t version, struct slice judge_key)
{
    bind_text(q, rubric);
    bind_int(q, version);
    bind_text(q, judge_key);
    bind_int(q, collection);
}

#define OF_JUDGE                                                                                                             \
    " FROM judge g JOIN judgment j ON j.judge = g.n JOIN run r ON r.n = j.run WHERE g.rubric = $1 AND g.version = $2"           \
    " AND g.judge_key = $3 AND ($4 = 0 AND mine(j.collection) OR j.collection = $4) AND j.superseded = 0 AND j.content_hash = r.content_hash"

static bool of_judge(struct store *s, struct slice collection, struct slice rubric, int64_t version, struct slice judge_key, struct arena *a,
                     struct ratings *out, uint64_t *failed, struct err *e)
{
    int64_t c;
    if (!find_collection(s, collection, &c, e))
        return false;
    struct stmt *q = db_prepare(s->db, "SELECT count(*)" OF_JUDGE " AND j.state = 2", e);
    bind_judge(q, c, rubric, version, judge_key);
    if (stmt_step(q, e) != STEP_ROW)
        return false;
    *failed = (uint64_t)take_int(q);
    stmt_reset(q);
    q = db_prepare(s->db,
        "SELECT r.id, r.external_id, (SELECT task_id FROM task WHERE n = r.task), (SELECT answer FROM judgment_detail WHERE judgment = j.n),"
        " j.epistemic_confidence, j.share, NULL, j.id, NULL" OF_JUDGE " AND j.state <> 2 ORDER BY r.id", e);
    bind_judge(q, c, rubric, version, judge_key);
    return take_ratings(q, a, out, e);
}

bool store_ratings_judge(struct store *s, struct slice collection, struct slice rubric, int64_t version, struct slice judge_key, struct arena *a,
                         struct ratings *out, uint64_t *failed, struct err *e)
{
    *failed = 0;
    return db_read(s->db, e) && db_end(s->db, of_judge(s, collection, rubric, version, judge_key, a, out, failed, e), e);
}

/* ---- people ------------------------------------------------------------------------------------------------------------ */

static bool of_people(struct store *s, struct slice collection, struct slice set, struct slice who, struct arena *a, struct ratings *out, struct err *e)
{
    int64_t c;
    if (!find_collection(s, collection, &c, e))
        return false;
    struct stmt *q = db_prepare(s->db,
        "SELECT r.id, r.external_id, (SELECT task_id FROM task WHERE n = r.task), l.value, NULL, NULL, l.split, CAST(l.n AS TEXT), l.who"
        " FROM label l JOIN run r ON r.n = l.run WHERE l.label_set = $1 AND ($2 IS NULL OR coalesce(l.who, '') = $2)"
        " AND ($3 = 0 AND mine(r.collection) OR r.collection = $3) ORDER BY r.id, l.created_at, l.n", e);
    bind_text(q, set);
    bind_text(q, who);
    bind_int(q, c);
    return take_ratings(q, a, out, e);
}

bool store_ratings_labels(struct store *s, struct slice collection, struct slice set, struct slice who, struct arena *a, struct ratings *out,
                          struct err *e)
{
    return db_read(s->db, e) && db_end(s->db, of_people(s, collection, set, who, a, out, e), e);
}

/* ---- detectors --------------------------------------------------------------------------------------------------------- */

#define WANTED " AND f.status <> 2 AND f.severity >= $1 AND f.detector = coalesce($2, f.detector) AND f.behavior = coalesce($3, f.behavior)"         \
               " AND ($4 OR substr(f.detector, 1, 6) <> 'judge:')"

/* A finding about a task or the collection speaks of each run whose words it cites. */
static bool of_findings(struct store *s, struct slice collection, struct slice detector, struct slice behavior, bool judges, enum severity least,
                        struct arena *a, struct ratings *out, struct err *e)
{
    int64_t c;
    if (!find_collection(s, collection, &c, e))
        return false;
    struct stmt *q = db_prepare(s->db,
        "SELECT r.id, r.external_id, (SELECT task_id FROM task WHERE n = r.task), CASE WHEN EXISTS (SELECT 1 FROM finding f WHERE f.run = r.n" WANTED
        ") OR EXISTS (SELECT 1 FROM span s JOIN finding f ON f.n = s.id >> 26 WHERE s.run = r.n" WANTED
        ") THEN 'true' ELSE 'false' END, NULL, NULL, NULL, NULL, NULL FROM run r WHERE $5 = 0 AND mine(r.collection) OR r.collection = $5 ORDER BY r.id", e);
    bind_int(q, least);
    bind_text(q, detector);
    bind_text(q, detector.ptr ? SLICE_NONE : behavior);
    bind_int(q, judges || detector.ptr);
    bind_int(q, c);
    return take_ratings(q, a, out, e);
}

bool store_ratings_findings(struct store *s, struct slice collection, struct slice detector, struct slice behavior, bool judges, enum severity least,
                            struct arena *a, struct ratings *out, struct err *e)
{
    return db_read(s->db, e) && db_end(s->db, of_findings(s, collection, detector, behavior, judges, least, a, out, e), e);
}
