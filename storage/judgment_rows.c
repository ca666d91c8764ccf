#include "storage/judge_job.h"
#include "storage/judging.h"
#include "storage/judgment_write.h"
#include "storage/rows.h"
#include "storage/sql.h"

/* ---- one row ----------------------------------------------------------------------------------------------------------- */

static bool name_transcripts(struct store *s, int64_t run, struct arena *a, struct judgment *out, struct err *e)
{
    for (size_t i = 0; i < out->nevidence; i++) {
        struct evidence *ev = &out->evidence[i];
        ev->run = out->run;
        struct stmt *q = db_prepare(s->db, "SELECT source_id FROM transcript WHERE id = $1", e);
        bind_int(q, child_id(run, ev->transcript < 0 ? CHILD_MAX : ev->transcript));
        enum step step;
        while ((step = stmt_step(q, e)) == STEP_ROW)
            ev->transcript_id = take_text(q, a);
        if (step != STEP_DONE)
            return false;
    }
    return true;
}

enum { WITH_RAW = 1, WITH_EVIDENCE = 2 };

static bool load(struct store *s, int64_t n, int what, struct arena *a, struct judgment *out, struct err *e)
{
    struct slice evidence;
    struct stmt *q = db_prepare(s->db,
        "SELECT j.run, j.id, g.rubric, g.version, g.name, g.judge_key, g.settings, j.state, d.answer, j.decision, d.explanation, d.distribution,"
        " j.share, j.epistemic_confidence, d.paired, j.quotes, j.dropped, j.flagged, j.segments, d.left_out, d.error, j.calls, j.cached,"
        " coalesce(j.tokens_in, -1), coalesce(j.tokens_out, -1), j.cost_usd, lower(hex(j.content_hash)), j.created_at, j.job, j.stage,"
        " j.content_hash <> r.content_hash, j.superseded = 0, c.id,"
        " (SELECT lower(hex(hash)) FROM rubric v WHERE v.name = g.rubric AND v.version = g.version), CASE WHEN $1 THEN d.raw END,"
        " CASE WHEN $2 THEN d.evidence END"
        " FROM judgment j JOIN judge g ON g.n = j.judge JOIN judgment_detail d ON d.judgment = j.n JOIN run r ON r.n = j.run"
        " JOIN collection c ON c.n = j.collection WHERE j.n = $3", e);
    bind_int(q, what & WITH_RAW);
    bind_int(q, what & WITH_EVIDENCE);
    bind_int(q, n);
    *out = (struct judgment){0};
    if (stmt_step(q, e) != STEP_ROW)
        return false;
    int64_t run = take_int(q);
    out->id = take_text(q, a);
    out->rubric = take_text(q, a);
    out->version = take_int(q);
    out->judge = take_text(q, a);
    out->judge_key = take_text(q, a);
    out->settings = take_text(q, a);
    out->state = (enum judgment_state)take_int(q);
    out->answer = take_text(q, a);
    out->decision = take_text(q, a);
    out->explanation = take_text(q, a);
    out->distribution = take_text(q, a);
    out->share = take_real(q);
    out->epistemic_confidence = take_real(q);
    out->paired = take_text(q, a);
    out->quotes = take_int(q);
    out->dropped = take_int(q);
    out->flagged = take_int(q) != 0;
    out->segments = take_int(q);
    out->left_out = take_text(q, a);
    out->error = take_text(q, a);
    out->calls = take_int(q);
    out->cached = take_int(q);
    out->tokens_in = take_int(q);
    out->tokens_out = take_int(q);
    out->cost = take_real(q);
    out->content_hash = take_text(q, a);
    out->created_at = take_text(q, a);
    out->job = take_text(q, a);
    out->stage = (int)take_int(q);
    out->stale = take_int(q) != 0;
    out->current = take_int(q) != 0;
    out->collection = take_text(q, a);
    out->rubric_hash = take_text(q, a);
    out->raw = take_text(q, a);
    evidence = take_text(q, a);
    stmt_reset(q);
    run_init(&out->ref);
    if (!run_brief_load(s, run, a, &out->ref, e) || !evidence_read(a, evidence, &out->evidence, &out->nevidence, e))
        return false;
    out->run = out->ref.id;
    return name_transcripts(s, run, a, out, e);
}

static bool find_and_load(struct store *s, struct slice id, struct arena *a, struct judgment *out, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT n FROM judgment WHERE id = $1 AND mine(collection)", e);
    bind_text(q, id);
    int64_t n;
    enum step step = stmt_int(q, &n, e);
    if (step != STEP_ROW)
        return step == STEP_DONE && err_set(e, ERR_NOT_FOUND, "there is no judgment \"%.*s\"", SLICE_ARG(id));
    return load(s, n, WITH_RAW | WITH_EVIDENCE, a, out, e);
}

bool store_judgment(struct store *s, struct slice id, struct arena *a, struct judgment *out, struct err *e)
{
    return db_read(s->db, e) && db_end(s->db, find_and_load(s, id, a, out, e), e);
}

static bool load_of_run(struct store *s, struct slice id, struct arena *a, struct judgments *out, struct err *e)
{
    struct ids ids = {0};
    size_t cap = 0;
    int64_t run;
    *out = (struct judgments){0};
    if (!run_find(s, id, &run, e))
        return false;
    struct stmt *q = db_prepare(s->db, "SELECT n FROM judgment WHERE run = $1 ORDER BY created_at, id", e);
    bind_int(q, run);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        ids.items = arena_grow(a, ids.items, ids.n, &cap, sizeof *ids.items);
        ids.items[ids.n++] = take_int(q);
    }
    out->items = arena_array(a, struct judgment, ids.n);
    for (; out->n < ids.n && step == STEP_DONE; out->n++)
        if (!load(s, ids.items[out->n], WITH_RAW | WITH_EVIDENCE, a, &out->items[out->n], e))
            return false;
    return step == STEP_DONE;
}

bool store_run_judgments(struct store *s, struct slice run, struct arena *a, struct judgments *out, struct err *e)
{
    return db_read(s->db, e) && db_end(s->db, load_of_run(s, run, a, out, e), e);
}

static bool find_current(struct store *s, struct slice run, struct slice rubric, int64_t version, struct slice judge_key, struct arena *a,
                         struct judgment *out, bool *found, struct err *e)
{
    struct stmt *q = db_prepare(s->db,
        "SELECT j.n FROM run r JOIN judgment j ON j.run = r.n WHERE r.id = $1 AND j.superseded = 0 AND j.state <> 2"
        " AND j.content_hash = r.content_hash AND j.judge IN (SELECT n FROM judge WHERE rubric = $2 AND version = $3 AND judge_key = $4)", e);
    bind_text(q, run);
    bind_text(q, rubric);
    bind_int(q, version);
    bind_text(q, judge_key);
    int64_t n = 0;
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW)
        n = take_int(q);
    *found = n != 0;
    return step == STEP_DONE && (!n || load(s, n, WITH_RAW | WITH_EVIDENCE, a, out, e));
}

bool store_judgment_find(struct store *s, struct slice run, struct slice rubric, int64_t version, struct slice judge_key, struct arena *a,
                         struct judgment *out, bool *found, struct err *e)
{
    *found = false;
    return db_read(s->db, e) && db_end(s->db, find_current(s, run, rubric, version, judge_key, a, out, found, e), e);
}

/* ---- lists --------------------------------------------------------------------------------------------------------------- */

/* What from_judgments reads: the lists know struct filter alone. */
struct wanted {
    struct filter none;
    const struct judgment_filter *f;
};

static void add_text(struct sql *q, const char *condition, struct slice value)
{
    if (!value.ptr)
        return;
    sql_add(q, condition);
    sql_text(q, value);
}

static bool add_state(struct sql *q, struct slice word, struct err *e)
{
    enum judgment_state state;
    if (!word.ptr)
        return true;
    if (!judgment_state_parse(word, &state))
        return err_set(e, ERR_USAGE, "\"%.*s\" is no state of a judgment; it is answered, unsupported or failed", SLICE_ARG(word));
    sql_add(q, " AND j.state = ");
    sql_int(q, state);
    return true;
}

static bool from_judgments(struct store *s, struct sql *q, const struct filter *none, struct err *e)
{
    const struct judgment_filter *f = ((const struct wanted *)none)->f;
    sql_add(q, " FROM judgment j JOIN judge g ON g.n = j.judge JOIN run r ON r.n = j.run WHERE 1");
    if (f->collection.ptr) {
        int64_t collection;
        if (!collection_find(s, f->collection, &collection, e))
            return false;
        sql_add(q, " AND j.collection = ");
        sql_int(q, collection);
    } else {
        sql_add(q, " AND mine(j.collection)");
    }
    add_text(q, " AND r.id = ", f->run);
    add_text(q, " AND g.rubric = ", f->rubric);
    add_text(q, " AND g.judge_key = ", f->judge_key);
    add_text(q, " AND g.name = ", f->judge);
    add_text(q, " AND j.decision = ", f->decision);
    add_text(q, " AND j.job = ", f->job);
    add_text(q, " AND r.model = ", f->model);
    if (f->task.ptr) {
        sql_add(q, " AND r.task IN (SELECT n FROM task WHERE task_id = ");
        sql_text(q, f->task);
        sql_add(q, ")");
    }
    if (f->version) {
        sql_add(q, " AND g.version = ");
        sql_int(q, f->version);
    }
    if (f->flagged >= 0)
        sql_add(q, f->flagged ? " AND j.flagged = 1" : " AND j.flagged = 0");
    if (!f->all)
        sql_add(q, " AND j.superseded = 0 AND j.content_hash = r.content_hash");
    return add_state(q, f->state, e);
}

static const struct sort_key keys[] = {{"created_at", "j.created_at", false}, {NULL, "j.id", false}};
static const struct order own_order = {.terms = {{&keys[0], true}, {&keys[1], true}}, .n = 2};
static const struct list list = {from_judgments, "j.n", keys, sizeof keys / sizeof *keys, &own_order};

static bool load_page(struct store *s, const struct wanted *wanted, const struct page *page, struct arena *a, struct judgment_rows *out, struct err *e)
{
    struct ids ids;
    *out = (struct judgment_rows){0};
    if (!list_page(s, &list, &wanted->none, page, page->count, a, &ids, &out->end, e))
        return false;
    out->items = arena_array(a, struct judgment, ids.n);
    for (; out->n < ids.n; out->n++)
        if (!load(s, ids.items[out->n], wanted->f->run.ptr ? WITH_EVIDENCE : 0, a, &out->items[out->n], e))
            return false;
    return true;
}

bool store_judgments(struct store *s, const struct judgment_filter *f, const struct page *page, struct arena *a, struct judgment_rows *out, struct err *e)
{
    const struct wanted wanted = {.f = f};
    return db_read(s->db, e) && db_end(s->db, load_page(s, &wanted, page, a, out, e), e);
}

static bool list_judges(struct store *s, struct slice collection, struct slice rubric, struct arena *a, struct judge_row **out, size_t *n, struct err *e)
{
    int64_t c = 0;
    if (collection.ptr && !collection_find(s, collection, &c, e))
        return false;
    struct stmt *q = db_prepare(s->db, /* name and settings are those of the row with the newest judgment */
        "SELECT g.rubric, g.name, g.judge_key, g.settings, max(j.created_at), g.version, count(*), sum(j.state = 0), sum(j.flagged), sum(j.state = 2),"
        " sum(j.state = 1), sum(j.dropped), sum(j.quotes), sum(j.cost_usd)"
        " FROM judge g JOIN judgment j ON j.judge = g.n JOIN run r ON r.n = j.run WHERE j.superseded = 0 AND j.content_hash = r.content_hash"
        " AND ($1 = 0 AND mine(j.collection) OR j.collection = $1) AND ($2 IS NULL OR g.rubric = $2) GROUP BY g.rubric, g.version, g.judge_key ORDER BY g.rubric, g.version DESC, g.name, g.judge_key", e);
    bind_int(q, c);
    bind_text(q, rubric);
    size_t cap = 0;
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        *out = arena_grow(a, *out, *n, &cap, sizeof **out);
        struct judge_row *row = &(*out)[(*n)++];
        *row = (struct judge_row){0};
        struct slice *const texts[] = {&row->rubric, &row->judge, &row->judge_key, &row->settings, &row->last};
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
            *texts[i] = take_text(q, a);
        int64_t *const counts[] = {&row->version, &row->judgments, &row->answered, &row->flagged, &row->failed, &row->unsupported, &row->dropped,
                                   &row->quotes};
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
            *counts[i] = take_int(q);
        row->cost = take_real(q);
    }
    return step == STEP_DONE;
}

bool store_judges(struct store *s, struct slice collection, struct slice rubric, struct arena *a, struct judge_row **out, size_t *n, struct err *e)
{
    *out = NULL;
    *n = 0;
    return db_read(s->db, e) && db_end(s->db, list_judges(s, collection, rubric, a, out, n, e), e);
}
