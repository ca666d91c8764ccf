#include "storage/exception_match.h"
#include "storage/finding_write.h"
#include "storage/look.h"
#include "storage/rows.h"
#include "storage/sql.h"

/* ---- one row --------------------------------------------------------------------------------------------------------- */

bool run_brief_load(struct store *s, int64_t run, struct arena *a, struct run *out, struct err *e)
{
    struct stmt *q = db_prepare(s->db,
        "SELECT r.id, r.external_id, r.name, t.task_id, r.model, coalesce(r.success, 2), d.file, d.location, r.format"
        " FROM run r JOIN run_detail d ON d.run = r.n LEFT JOIN task t ON t.n = r.task WHERE r.n = $1", e);
    bind_int(q, run);
    if (stmt_step(q, e) != STEP_ROW)
        return false;
    out->id = take_text(q, a);
    out->external_id = take_text(q, a);
    out->name = take_text(q, a);
    out->task_id = take_text(q, a);
    out->model = take_text(q, a);
    out->success = (enum verdict)take_int(q);
    out->source.file = take_text(q, a);
    out->source.location = take_text(q, a);
    out->source.format = take_text(q, a);
    stmt_reset(q);
    return true;
}

bool finding_row_load(struct store *s, int64_t n, struct arena *a, struct finding_row *out, struct err *e)
{
    *out = (struct finding_row){0};
    run_init(&out->run);
    if (!finding_load(s, n, a, &out->finding, e))
        return false;
    struct stmt *q = db_prepare(s->db, "SELECT c.id, coalesce(f.run, 0) FROM finding f JOIN collection c ON c.n = f.collection WHERE f.n = $1", e);
    bind_int(q, n);
    if (stmt_step(q, e) != STEP_ROW)
        return false;
    out->collection = take_text(q, a);
    int64_t run = take_int(q);
    stmt_reset(q);
    if (!run)
        return true;
    out->has_run = true;
    if (!run_brief_load(s, run, a, &out->run, e))
        return false;
    for (size_t i = 0; i < out->finding.nevidence; i++)
        if (!out->finding.evidence[i].run.ptr)
            out->finding.evidence[i].run = out->run.id;
    return true;
}

static bool find_and_load(struct store *s, struct slice id, struct arena *a, struct finding_row *out, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT n FROM finding WHERE id = $1 AND mine(collection)", e);
    bind_text(q, id);
    int64_t n;
    enum step step = stmt_int(q, &n, e);
    if (step != STEP_ROW)
        return step == STEP_DONE && err_set(e, ERR_NOT_FOUND, "there is no finding \"%.*s\"", SLICE_ARG(id));
    return finding_row_load(s, n, a, out, e);
}

bool store_finding(struct store *s, struct slice id, struct arena *a, struct finding_row *out, struct err *e)
{
    return db_read(s->db, e) && db_end(s->db, find_and_load(s, id, a, out, e), e);
}

/* ---- list ------------------------------------------------------------------------------------------------------------ */

enum { KEY_SEVERITY, KEY_DETECTOR, KEY_BEHAVIOR, KEY_STATUS, KEY_TASK, KEY_CREATED, KEY_KIND, KEY_RUN, KEY_TASK_NUMBER, KEY_ID, KEYS };
static const struct sort_key keys[KEYS] = {
    [KEY_SEVERITY] = {"severity", "f.severity", false},
    [KEY_DETECTOR] = {"detector", "f.detector", false},
    [KEY_BEHAVIOR] = {"behavior", "f.behavior", false},
    [KEY_STATUS] = {"status", "f.status", false},
    [KEY_TASK] = {"task", "(SELECT substr(task_id, 1, 120) FROM task WHERE n = f.task)", true},
    [KEY_CREATED] = {"created_at", "f.created_at", false},
    [KEY_KIND] = {NULL, "f.kind", false},
    [KEY_RUN] = {NULL, "f.run", true},
    [KEY_TASK_NUMBER] = {NULL, "f.task", true},
    [KEY_ID] = {"id", "f.id", false},
};
/* Term by term that of the index finding_list. */
static const struct order own_order = {
    .terms = {{&keys[KEY_SEVERITY], true}, {&keys[KEY_DETECTOR], false}, {&keys[KEY_BEHAVIOR], false}, {&keys[KEY_KIND], false},
              {&keys[KEY_RUN], false}, {&keys[KEY_TASK_NUMBER], false}, {&keys[KEY_STATUS], false}},
    .n = 7,
};
static const struct list list = {filter_findings, "f.n", keys, KEYS, &own_order};

/* The filter asks for nothing that the index finding_list does not hold. */
static bool counting_is_cheap(const struct filter *f)
{
    struct filter rest = *f;
    rest.kind = rest.behavior = rest.detector = rest.severity = rest.status = SLICE_NONE;
    return filter_is_open(&rest);
}

static bool load_page(struct store *s, const struct filter *f, const struct page *page, struct arena *a, struct finding_rows *out, struct err *e)
{
    struct ids ids;
    *out = (struct finding_rows){0};
    if (!list_page(s, &list, f, page, page->count || counting_is_cheap(f), a, &ids, &out->end, e))
        return false;
    out->items = arena_array(a, struct finding_row, ids.n);
    for (; out->n < ids.n; out->n++)
        if (!finding_row_load(s, ids.items[out->n], a, &out->items[out->n], e))
            return false;
    return true;
}

bool store_findings(struct store *s, const struct filter *f, const struct page *page, struct arena *a, struct finding_rows *out, struct err *e)
{
    return db_read(s->db, e) && db_end(s->db, load_page(s, f, page, a, out, e), e);
}

/* ---- review ---------------------------------------------------------------------------------------------------------- */

static bool review_one(struct store *s, int64_t n, const struct review *review, uint64_t *changed, struct err *e)
{
    struct subject subject = {0};
    int64_t before[KIND_COUNT];
    if (!finding_subject_load(s, n, &subject, e) || (review->has_status && !counts_findings(s, &subject, before, e)))
        return false;
    struct stmt *q = db_prepare(s->db,
        "UPDATE finding SET status = coalesce($1, status), note = coalesce($2, note), reviewer = coalesce($3, reviewer),"
        " exception = CASE WHEN $1 IS NULL THEN exception END WHERE n = $4"
        " AND (status <> coalesce($1, status) OR ($1 IS NOT NULL AND exception IS NOT NULL) OR note IS NOT coalesce($2, note) OR reviewer IS NOT coalesce($3, reviewer))", e);
    bind_count(q, review->has_status ? (int64_t)review->status : -1);
    bind_text(q, review->note);
    bind_text(q, review->reviewer);
    bind_int(q, n);
    if (!stmt_run(q, e))
        return false;
    int64_t rows = db_changes(s->db);
    *changed += (uint64_t)rows;
    if (!rows || !review->has_status)
        return true;
    uint64_t aside = 0; /* what nobody has reviewed any more is an exception's again */
    return counts_findings_changed(s, &subject, before, e) && (review->status != STATUS_OPEN || exceptions_set_aside(s, n, &aside, e));
}

static bool review_all(struct store *s, const struct filter *f, const struct review *review, uint64_t *changed, struct err *e)
{
    struct arena a = {0};
    struct ids ids;
    bool ok = list_keys(s, &list, f, &a, &ids, e);
    for (size_t i = 0; i < ids.n && ok; i++)
        ok = review_one(s, ids.items[i], review, changed, e);
    arena_free(&a);
    return ok;
}

bool store_review(struct store *s, const struct filter *f, const struct review *review, uint64_t *changed, struct err *e)
{
    *changed = 0;
    return db_write(s->db, e) && db_end(s->db, review_all(s, f, review, changed, e), e);
}

/* ---- detecting again ------------------------------------------------------------------------------------------------- */

/* What detectors found on a run or task now; `look` first, without the lock, since most of the time nothing differs. */
struct again {
    struct slice id, collection;  /* of a run; of a task in a collection */
    struct slice content_hash;    /* that the run must still have; absent: any */
    const struct findings *findings;
    const struct incomplete *incomplete;
    size_t nincomplete;
    const struct slice *only;
    size_t nonly;
    int64_t looked;
};

static bool change_run(struct store *s, const struct again *again, bool look, bool *changed, struct err *e)
{
    const struct findings_change change = {.now = again->findings->items, .n = again->findings->n, .only = again->only, .nonly = again->nonly, .look = look};
    struct subject subject = {0};
    if (!run_find(s, again->id, &subject.run, e))
        return false;
    struct stmt *q = db_prepare(s->db, "SELECT collection, task, lower(hex(content_hash)) = $1 FROM run WHERE n = $2", e);
    bind_text(q, again->content_hash);
    bind_int(q, subject.run);
    if (stmt_step(q, e) != STEP_ROW)
        return false;
    subject.collection = take_int(q);
    subject.task = take_int(q);
    bool same = take_int(q) != 0;
    stmt_reset(q);
    if (again->content_hash.ptr && !same)
        return err_set(e, ERR_CONFLICT, "the run has changed since it was looked at");
    return findings_change(s, &subject, &change, changed, e) &&
           incomplete_change(s, subject.run, again->incomplete, again->nincomplete, again->only, again->nonly, look, changed, e);
}

static bool change_task(struct store *s, const struct again *again, bool look, bool *changed, struct err *e)
{
    const struct findings_change change = {.now = again->findings->items, .n = again->findings->n, .only = again->only, .nonly = again->nonly, .look = look};
    struct subject subject = {0};
    if (!collection_find(s, again->collection, &subject.collection, e) || !task_find(s, subject.collection, again->id, &subject.task, e))
        return false;
    if (!subject.task)
        return !again->findings->n || err_set(e, ERR_NOT_FOUND, "there is no task \"%.*s\"", SLICE_ARG(again->id));
    return findings_change(s, &subject, &change, changed, e);
}

static bool change_collection(struct store *s, const struct again *again, bool look, bool *changed, struct err *e)
{
    const struct findings_change change = {.now = again->findings->items, .n = again->findings->n, .only = again->only, .nonly = again->nonly, .look = look};
    struct subject subject = {0};
    if (!collection_find(s, again->id, &subject.collection, e) || !findings_change(s, &subject, &change, changed, e))
        return false;
    *changed |= again->nonly == 0; /* that it was looked at is remembered */
    return look || again->nonly || look_seen(s, subject.collection, again->looked, e);
}

static bool change_if_different(struct store *s, bool (*change)(struct store *, const struct again *, bool, bool *, struct err *),
                                const struct again *again, bool *changed, struct err *e)
{
    *changed = false;
    if (!db_read(s->db, e) || !db_end(s->db, change(s, again, true, changed, e), e))
        return false;
    if (!*changed)
        return true;
    *changed = false;
    return db_write(s->db, e) && db_end(s->db, change(s, again, false, changed, e), e);
}

bool store_run_findings(struct store *s, struct slice run, struct slice content_hash, const struct findings *findings,
                        const struct incomplete *incomplete, size_t nincomplete, const struct slice *only, size_t nonly, bool *changed,
                        struct err *e)
{
    const struct again again = {.id = run, .content_hash = content_hash, .findings = findings, .incomplete = incomplete,
                                .nincomplete = nincomplete, .only = only, .nonly = nonly};
    return change_if_different(s, change_run, &again, changed, e);
}

bool store_task_findings(struct store *s, struct slice collection, struct slice task_id, const struct findings *findings,
                         const struct slice *only, size_t nonly, bool *changed, struct err *e)
{
    const struct again again = {.id = task_id, .collection = collection, .findings = findings, .only = only, .nonly = nonly};
    return change_if_different(s, change_task, &again, changed, e);
}

bool store_collection_findings(struct store *s, struct slice collection, const struct findings *findings, const struct slice *only, size_t nonly,
                               int64_t looked, bool *changed, struct err *e)
{
    const struct again again = {.id = collection, .findings = findings, .only = only, .nonly = nonly, .looked = looked};
    return change_if_different(s, change_collection, &again, changed, e);
}

/* ---- one that an export carries -------------------------------------------------------------------------------------- */

static bool put_one(struct store *s, struct slice collection, const struct finding *finding, struct err *e)
{
    struct subject subject = {0};
    if (finding->scope == SCOPE_RUN)
        return err_set(e, ERR_USAGE, "a finding about a run comes with its run");
    if (!collection_find(s, collection, &subject.collection, e) ||
        (finding->scope == SCOPE_TASK && !task_find_or_add(s, subject.collection, finding->task_id, &subject.task, e)))
        return false;
    if (finding->scope == SCOPE_TASK && !subject.task)
        return err_set(e, ERR_USAGE, "a finding about a task names no task");
    return finding_add(s, &subject, finding, e);
}

bool store_finding_put(struct store *s, struct slice collection, const struct finding *finding, struct err *e)
{
    return db_write(s->db, e) && db_end(s->db, put_one(s, collection, finding, e), e);
}
