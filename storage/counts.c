#include "storage/counts.h"

#include "storage/finding_write.h"

static bool add_to_task(struct store *s, int64_t task, int64_t runs, int64_t passed, int64_t failed, const int64_t kinds[KIND_COUNT],
                        struct err *e)
{
    struct stmt *q = db_prepare(s->db,
        "UPDATE task SET runs = runs + $1, passed = passed + $2, failed = failed + $3, broken = broken + $4, odd = odd + $5,"
        " near = near + $6, harness = harness + $7, data = data + $8 WHERE n = $9", e);
    bind_int(q, runs);
    bind_int(q, passed);
    bind_int(q, failed);
    for (int i = 0; i < KIND_COUNT; i++)
        bind_int(q, kinds[i]);
    bind_int(q, task);
    return stmt_run(q, e);
}

static bool add_to_model(struct store *s, int64_t task, struct slice model, int64_t runs, int64_t passed, int64_t failed, struct err *e)
{
    struct stmt *q = db_prepare(s->db,
        "INSERT INTO task_model (task, model, runs, passed, failed) VALUES ($1, $2, $3, $4, $5)"
        " ON CONFLICT DO UPDATE SET runs = runs + excluded.runs, passed = passed + excluded.passed, failed = failed + excluded.failed", e);
    bind_int(q, task);
    bind_text(q, not_null(model));
    bind_int(q, runs);
    bind_int(q, passed);
    bind_int(q, failed);
    if (!stmt_run(q, e))
        return false;
    if (runs > 0)
        return true;
    q = db_prepare(s->db, "DELETE FROM task_model WHERE task = $1 AND runs = 0", e);
    bind_int(q, task);
    return stmt_run(q, e);
}

static bool add_to_collection(struct store *s, int64_t collection, int64_t runs, int64_t passed, int64_t failed, int64_t flagged,
                              int64_t findings, int64_t bytes, struct err *e)
{
    struct stmt *q = db_prepare(s->db,
        "UPDATE collection SET runs = runs + $1, passed = passed + $2, failed = failed + $3, flagged = flagged + $4,"
        " findings = findings + $5, bytes = bytes + $6 WHERE n = $7", e);
    bind_int(q, runs);
    bind_int(q, passed);
    bind_int(q, failed);
    bind_int(q, flagged);
    bind_int(q, findings);
    bind_int(q, bytes);
    bind_int(q, collection);
    return stmt_run(q, e);
}

bool counts_load(struct store *s, int64_t run, struct arena *a, struct run_counts *out, struct err *e)
{
    struct stmt *q = db_prepare(s->db,
        "SELECT collection, task, coalesce(success, 2), broken, odd, near, harness, data, bytes, model FROM run WHERE n = $1", e);
    bind_int(q, run);
    if (stmt_step(q, e) != STEP_ROW)
        return false;
    out->collection = take_int(q);
    out->task = take_int(q);
    out->success = (enum verdict)take_int(q);
    for (int i = 0; i < KIND_COUNT; i++)
        out->kinds[i] = take_int(q);
    out->bytes = take_int(q);
    out->model = take_text(q, a);
    stmt_reset(q);
    return true;
}

bool counts_run(struct store *s, const struct run_counts *run, int sign, struct err *e)
{
    int64_t passed = sign * (run->success == VERDICT_PASSED), failed = sign * (run->success == VERDICT_FAILED);
    int64_t findings = 0, kinds[KIND_COUNT];
    for (int i = 0; i < KIND_COUNT; i++)
        findings += kinds[i] = sign * run->kinds[i];
    return add_to_collection(s, run->collection, sign, passed, failed, findings ? sign : 0, findings, sign * run->bytes, e) &&
           (!run->task || (add_to_task(s, run->task, sign, passed, failed, kinds, e) &&
                           add_to_model(s, run->task, run->model, sign, passed, failed, e)));
}

bool counts_findings(struct store *s, const struct subject *subject, int64_t kinds[KIND_COUNT], struct err *e)
{
    struct stmt *q = subject->run
        ? db_prepare(s->db, "SELECT kind, count(*) FROM finding WHERE run = $1 AND status <> 2 GROUP BY kind", e)
        : subject->task
        ? db_prepare(s->db, "SELECT kind, count(*) FROM finding WHERE task = $1 AND scope = 1 AND status <> 2 GROUP BY kind", e)
        : db_prepare(s->db, "SELECT kind, count(*) FROM finding WHERE collection = $1 AND scope = 2 AND status <> 2 GROUP BY kind", e);
    bind_int(q, subject_key(subject));
    memset(kinds, 0, KIND_COUNT * sizeof *kinds);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        int64_t kind = take_int(q);
        kinds[kind] = take_int(q);
    }
    return step == STEP_DONE;
}

static bool add_to_run(struct store *s, int64_t run, const int64_t kinds[KIND_COUNT], struct err *e)
{
    struct stmt *q = db_prepare(s->db,
        "UPDATE run SET broken = broken + $1, odd = odd + $2, near = near + $3, harness = harness + $4, data = data + $5 WHERE n = $6", e);
    for (int i = 0; i < KIND_COUNT; i++)
        bind_int(q, kinds[i]);
    bind_int(q, run);
    return stmt_run(q, e);
}

/* summary.h says what the verdicts mean. */
static bool judge_task(struct store *s, int64_t task, struct err *e)
{
    struct stmt *q = db_prepare(s->db,
        "UPDATE task SET verdict = coalesce((SELECT max(CASE WHEN severity = 2 OR status = 1 THEN 2 ELSE 1 END) FROM finding"
        " WHERE task = $1 AND scope = 1 AND kind = 0 AND status <> 2), 0) WHERE n = $1", e);
    bind_int(q, task);
    return stmt_run(q, e);
}

bool counts_findings_changed(struct store *s, const struct subject *subject, const int64_t before[KIND_COUNT], struct err *e)
{
    int64_t kinds[KIND_COUNT], all_before = 0, all_after = 0;
    if (!counts_findings(s, subject, kinds, e) || (!subject->run && subject->task && !judge_task(s, subject->task, e)))
        return false;
    bool same = true;
    for (int i = 0; i < KIND_COUNT; i++) {
        all_before += before[i];
        all_after += kinds[i];
        kinds[i] -= before[i];
        same &= !kinds[i];
    }
    if (same)
        return true;
    int64_t flagged = subject->run ? (all_after > 0) - (all_before > 0) : 0;
    return (!subject->run || add_to_run(s, subject->run, kinds, e)) &&
           (!subject->task || add_to_task(s, subject->task, 0, 0, 0, kinds, e)) &&
           add_to_collection(s, subject->collection, 0, 0, 0, flagged, all_after - all_before, 0, e);
}

bool counts_drop_task(struct store *s, int64_t collection, int64_t task, struct err *e)
{
    const struct subject subject = {.collection = collection, .task = task};
    int64_t before[KIND_COUNT];
    struct stmt *q = db_prepare(s->db, "SELECT 1 FROM task WHERE n = $1 AND runs = 0", e);
    bind_int(q, task);
    enum step step = stmt_step(q, e);
    if (step != STEP_ROW)
        return step == STEP_DONE;
    stmt_reset(q);
    if (!counts_findings(s, &subject, before, e) || !findings_drop(s, &subject, e) || !counts_findings_changed(s, &subject, before, e))
        return false;
    q = db_prepare(s->db, "DELETE FROM task WHERE n = $1", e);
    bind_int(q, task);
    return stmt_run(q, e);
}
