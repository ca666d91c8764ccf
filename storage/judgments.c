#include "storage/finding_write.h"
#include "storage/judge_job.h"
#include "storage/judging.h"
#include "storage/judgment_write.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/jsonw.h"
#include "text/jread.h"

#define EVIDENCE_MAX ((size_t)64 << 20)

/* ---- evidence ---------------------------------------------------------------------------------------------------------- */

struct slice evidence_write(struct arena *a, const struct evidence *evidence, size_t n)
{
    struct str out = STR_INIT(EVIDENCE_MAX);
    struct jsonw j = jsonw_to(&out);
    jsonw_array(&j);
    for (size_t i = 0; i < n; i++) {
        const struct evidence *ev = &evidence[i];
        jsonw_object(&j);
        jsonw_kint(&j, "transcript", ev->transcript);
        jsonw_kint(&j, "message", ev->message);
        jsonw_kstr(&j, "part", not_null(ev->part));
        jsonw_kint(&j, "start", ev->start);
        jsonw_kint(&j, "end", ev->end);
        jsonw_kstr(&j, "quote", ev->quote);
        jsonw_knum(&j, "weight", ev->weight);
        jsonw_end(&j);
    }
    jsonw_end(&j);
    struct slice copy = arena_dup(a, str_slice(&out));
    str_free(&out);
    return copy;
}

static int64_t number_in(const struct jvalue *v, const char *key)
{
    int64_t n = 0;
    jint(jget(v, key), &n);
    return n;
}

bool evidence_read(struct arena *a, struct slice json, struct evidence **out, size_t *n, struct err *e)
{
    struct jvalue *list = NULL;
    *out = NULL;
    *n = 0;
    if (!json.ptr)
        return true;
    if (!jread(a, json, NULL, NULL, &list, e))
        return err_prefix(e, "the evidence of a judgment");
    *n = jis(list, J_ARRAY) ? list->n : 0;
    *out = arena_array(a, struct evidence, *n);
    for (size_t i = 0; i < *n; i++) {
        const struct jvalue *v = &list->items[i];
        struct evidence *ev = &(*out)[i];
        ev->transcript = (int32_t)number_in(v, "transcript");
        ev->message = (int32_t)number_in(v, "message");
        ev->part = jstr(jget(v, "part"));
        ev->start = (uint32_t)number_in(v, "start");
        ev->end = (uint32_t)number_in(v, "end");
        ev->quote = jstr(jget(v, "quote"));
        jnum(jget(v, "weight"), &ev->weight);
    }
    return true;
}

/* ---- writing ----------------------------------------------------------------------------------------------------------- */

static bool judge_find_or_add(struct store *s, const struct judgment *judgment, int64_t *n, struct err *e)
{
    struct stmt *q = db_prepare(s->db,
        "SELECT n FROM judge WHERE rubric = $1 AND version = $2 AND judge_key = $3 AND name = $4 AND settings IS $5", e);
    bind_text(q, not_null(judgment->rubric));
    bind_int(q, judgment->version);
    bind_text(q, not_null(judgment->judge_key));
    bind_text(q, not_null(judgment->judge));
    bind_text(q, judgment->settings);
    enum step step;
    *n = 0;
    while ((step = stmt_step(q, e)) == STEP_ROW)
        *n = take_int(q);
    if (step != STEP_DONE || *n)
        return step == STEP_DONE;
    q = db_prepare(s->db, "INSERT INTO judge (rubric, version, judge_key, name, settings) VALUES ($1, $2, $3, $4, $5)", e);
    bind_text(q, not_null(judgment->rubric));
    bind_int(q, judgment->version);
    bind_text(q, not_null(judgment->judge_key));
    bind_text(q, not_null(judgment->judge));
    bind_text(q, judgment->settings);
    if (!stmt_run(q, e))
        return false;
    *n = db_last_id(s->db);
    return true;
}

static bool insert_row(struct store *s, int64_t run, int64_t collection, int64_t judge, const struct judgment *judgment,
                       const unsigned char hash[HASH_SIZE], struct err *e)
{
    char id[UUID_TEXT + 1], now[CLOCK_TEXT];
    uuid_random(id);
    clock_text(clock_now_us(), now);
    struct stmt *q = db_prepare(s->db,
        "INSERT INTO judgment (collection, run, judge, state, flagged, superseded, stage, dropped, quotes, segments, calls, cached, tokens_in,"
        " tokens_out, cost_usd, share, epistemic_confidence, decision, created_at, id, job, content_hash)"
        " VALUES ($1, $2, $3, $4, $5, 0, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)", e);
    bind_int(q, collection);
    bind_int(q, run);
    bind_int(q, judge);
    bind_int(q, judgment->state);
    bind_int(q, judgment->flagged);
    bind_int(q, judgment->stage);
    bind_int(q, judgment->dropped);
    bind_int(q, (int64_t)judgment->nevidence);
    bind_int(q, judgment->segments);
    bind_int(q, judgment->calls);
    bind_int(q, judgment->cached);
    bind_count(q, judgment->tokens_in);
    bind_count(q, judgment->tokens_out);
    bind_real(q, judgment->cost);
    bind_real(q, judgment->share);
    bind_real(q, judgment->epistemic_confidence);
    bind_text(q, judgment->decision);
    bind_text(q, judgment->created_at.ptr ? judgment->created_at : slice_str(now));
    bind_text(q, judgment->id.ptr ? judgment->id : slice_str(id));
    bind_text(q, judgment->job);
    bind_blob(q, slice_of((const char *)hash, HASH_SIZE));
    return stmt_run(q, e);
}

static bool insert_detail(struct store *s, int64_t n, const struct judgment *judgment, struct err *e)
{
    struct arena a = {0};
    struct stmt *q = db_prepare(s->db,
        "INSERT INTO judgment_detail (judgment, answer, explanation, distribution, paired, left_out, raw, error, evidence)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)", e);
    const struct slice texts[] = {judgment->answer, judgment->explanation, judgment->distribution, judgment->paired, judgment->left_out,
                                  judgment->raw, judgment->error};
    bind_int(q, n);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        bind_text(q, texts[i]);
    bind_text(q, judgment->nevidence ? evidence_write(&a, judgment->evidence, judgment->nevidence) : SLICE_NONE);
    bool ok = stmt_run(q, e);
    arena_free(&a);
    return ok;
}

/* Of the judgments by one judge of one text, the newest counts; one that failed only where no other is. */
static bool settle(struct store *s, int64_t run, const struct judgment *judgment, const unsigned char hash[HASH_SIZE], struct err *e)
{
    struct stmt *q = db_prepare(s->db,
        "WITH alike AS (SELECT n, state, created_at, id FROM judgment WHERE run = $1 AND content_hash = $2 AND judge IN"
        " (SELECT n FROM judge WHERE rubric = $3 AND version = $4 AND judge_key = $5)),"
        " first AS (SELECT n FROM alike ORDER BY state = 2, created_at DESC, id DESC LIMIT 1)"
        " UPDATE judgment SET superseded = 1 - superseded WHERE n IN (SELECT n FROM alike) AND superseded = (n = (SELECT n FROM first))", e);
    bind_int(q, run);
    bind_blob(q, slice_of((const char *)hash, HASH_SIZE));
    bind_text(q, not_null(judgment->rubric));
    bind_int(q, judgment->version);
    bind_text(q, not_null(judgment->judge_key));
    return stmt_run(q, e);
}

static bool hash_of_run(struct store *s, int64_t run, unsigned char out[HASH_SIZE], struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT content_hash FROM run WHERE n = $1", e);
    bind_int(q, run);
    if (stmt_step(q, e) != STEP_ROW)
        return false;
    struct slice hash = take_bytes(q);
    if (hash.len == HASH_SIZE)
        memcpy(out, hash.ptr, HASH_SIZE);
    stmt_reset(q);
    return true;
}

bool judgment_insert(struct store *s, int64_t run, int64_t collection, const struct judgment *judgment, struct err *e)
{
    unsigned char hash[HASH_SIZE] = {0};
    int64_t judge;
    if (!hash_unhex(judgment->content_hash, hash, HASH_SIZE) && !hash_of_run(s, run, hash, e))
        return false;
    return judge_find_or_add(s, judgment, &judge, e) && insert_row(s, run, collection, judge, judgment, hash, e) &&
           insert_detail(s, db_last_id(s->db), judgment, e) && settle(s, run, judgment, hash, e);
}

/* ---- what a job judged --------------------------------------------------------------------------------------------------- */

/* The run that is judged; subject.run 0: it went. */
static bool find_run(struct store *s, const struct judgment *judgment, struct subject *out, bool *stale, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT n, collection, task, lower(hex(content_hash)) <> $1 FROM run WHERE id = $2", e);
    bind_text(q, judgment->content_hash);
    bind_text(q, judgment->run);
    enum step step = stmt_step(q, e);
    *out = (struct subject){0};
    if (step != STEP_ROW)
        return step == STEP_DONE;
    out->run = take_int(q);
    out->collection = take_int(q);
    out->task = take_int(q);
    *stale = take_int(q) != 0;
    stmt_reset(q);
    return true;
}

/* What the judge found takes the place of what the same judge found before. */
static bool put_finding(struct store *s, const struct subject *subject, const struct judgment_put *put, struct err *e)
{
    struct arena a = {0};
    struct finding finding = put->finding ? *put->finding : (struct finding){0};
    finding.detector = judgment_detector(&a, &put->judgment);
    finding.version = judgment_detector_version(&a, &put->judgment);
    finding.scope = SCOPE_RUN;
    const struct findings_change change = {.now = &finding, .n = put->finding != NULL, .judge = finding.detector, .version = finding.version};
    bool changed = false, ok = findings_change(s, subject, &change, &changed, e);
    arena_free(&a);
    return ok;
}

/* A worker that lost its lease without knowing may bring what another one has brought. */
static bool is_open(struct store *s, int64_t job, int64_t item, bool *open, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT 1 FROM judge_item WHERE n = $1 AND job = $2 AND state = 0", e);
    bind_int(q, item);
    bind_int(q, job);
    enum step step;
    *open = false;
    while ((step = stmt_step(q, e)) == STEP_ROW)
        *open = true;
    return step == STEP_DONE;
}

/* What is left of one of words that are not to be seen any more: that it was asked for, and what it cost. */
static struct judgment wordless(const struct judgment *from)
{
    struct judgment to = *from;
    to.state = JUDGMENT_FAILED;
    to.flagged = false;
    to.evidence = NULL;
    to.nevidence = 0;
    to.answer = to.decision = to.explanation = to.distribution = to.paired = to.raw = to.content_hash = SLICE_NONE;
    to.error = slice_str("secrets were taken out of the run while it was judged: judge it again");
    return to;
}

static bool put_one(struct store *s, int64_t job, const struct judgment_put *put, bool redacted, struct err *e)
{
    static const enum item_state states[] = {[JUDGMENT_ANSWERED] = ITEM_ANSWERED, [JUDGMENT_UNSUPPORTED] = ITEM_UNSUPPORTED,
                                             [JUDGMENT_FAILED] = ITEM_FAILED};
    const struct judgment *judgment = &put->judgment;
    struct judgment left;
    struct subject subject;
    bool stale = false, open = true;
    if (job && put->item && !is_open(s, job, put->item, &open, e))
        return false;
    if (!open)
        return true;
    if (!find_run(s, judgment, &subject, &stale, e))
        return false;
    if (stale && redacted) {
        left = wordless(judgment);
        judgment = &left;
    }
    if (subject.run && !judgment_insert(s, subject.run, subject.collection, judgment, e))
        return false;
    if (subject.run && !stale && judgment->state != JUDGMENT_FAILED && !put_finding(s, &subject, put, e))
        return false;
    return !job || !put->item || judge_item_done(s, job, put->item, states[judgment->state], judgment->flagged, put->next_stage, e);
}

static bool put_all(struct store *s, struct slice id, const struct judgment_put *items, size_t n, struct err *e)
{
    int64_t job = 0;
    bool redacted = false;
    if (id.ptr && (!judge_job_find(s, id, &job, e) || !judge_job_redacted(s, job, &redacted, e)))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!put_one(s, job, &items[i], redacted, e))
            return false;
    struct stmt *q = db_prepare(s->db, "UPDATE job SET attempts = 1 WHERE n = $1 AND attempts > 1", e);
    bind_int(q, job);
    return stmt_run(q, e);
}

bool store_judgments_put(struct store *s, struct slice job, const struct judgment_put *items, size_t n, struct err *e)
{
    return db_write(s->db, e) && db_end(s->db, put_all(s, job, items, n, e), e);
}
