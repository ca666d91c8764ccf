#include "storage/access.h"
#include "storage/look.h"
#include "storage/sql.h"
#include "storage/pieces.h"
#include "storage/webhooks.h"

#include "base/clock.h"
#include "base/hash.h"

enum {
    ATTEMPTS_MAX = 3,
    WAIT_US = 60000000, /* at most, of what waits for its time after the clock was set back */
};

static const char *const names[] = {"queued", "running", "done", "failed", "cancelled"};
const char *job_state_name(enum job_state state) { return names[state]; }

/* A lease is held until a moment of the machine's monotonic clock, so that a clock that is set neither ends nor lengthens it. What lies further ahead than
 * any lease is of before the machine was started again, and nobody's. */
#define LEASE_MAX_US INT64_C(3600000000)
static int64_t lease_end(int lease_s) { return clock_monotonic_us() + (int64_t)lease_s * 1000000; }
static bool lease_holds(int64_t until)
{
    int64_t now = clock_monotonic_us();
    return until >= now && until <= now + LEASE_MAX_US;
}
/* Of a row of table job; the parameter is clock_monotonic_us(). */
#define HELD(now) "(coalesce(lease_until, 0) BETWEEN " now " AND " now " + 3600000000)"

#define JOB_COLUMNS "id, kind, collection, state, payload, progress, result, error, attempts, created_at, started_at, ended_at, token, claims, lease_until"

static void take_job(struct stmt *q, struct arena *a, struct job_row *out)
{
    *out = (struct job_row){0};
    out->id = take_text(q, a);
    out->kind = take_text(q, a);
    out->collection = take_text(q, a);
    out->state = (enum job_state)take_int(q);
    out->payload = take_text(q, a);
    out->progress = take_text(q, a);
    out->result = take_text(q, a);
    out->error = take_text(q, a);
    out->attempts = take_int(q);
    out->created_at = take_text(q, a);
    out->started_at = take_text(q, a);
    out->ended_at = take_text(q, a);
    out->token = take_text(q, a);
    out->claim = take_int(q);
    if (!lease_holds(take_int(q)) && out->state == JOB_RUNNING) /* whoever ran it is gone: it waits for somebody to go on with it */
        out->state = JOB_QUEUED;
}

static bool load(struct store *s, int64_t n, struct arena *a, struct job_row *out, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT " JOB_COLUMNS " FROM job WHERE n = $1", e);
    bind_int(q, n);
    if (stmt_step(q, e) != STEP_ROW)
        return false;
    take_job(q, a, out);
    stmt_reset(q);
    return true;
}

static bool find(struct store *s, struct slice id, int64_t *n, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT n FROM job WHERE id = $1 AND ($2 OR mine((SELECT n FROM collection WHERE id = job.collection)))", e);
    bind_text(q, id);
    bind_int(q, !store_is_bound(s));
    enum step step = stmt_int(q, n, e);
    return step == STEP_ROW || (step == STEP_DONE && err_set(e, ERR_NOT_FOUND, "there is no job \"%.*s\"", SLICE_ARG(id)));
}

static bool find_and_load(struct store *s, struct slice id, struct arena *a, struct job_row *out, struct err *e)
{
    int64_t n;
    return find(s, id, &n, e) && load(s, n, a, out, e);
}

bool store_job(struct store *s, struct slice id, struct arena *a, struct job_row *out, struct err *e)
{
    return db_read(s->db, e) && db_end(s->db, find_and_load(s, id, a, out, e), e);
}

/* ---- adding ---------------------------------------------------------------------------------------------------------- */

/* The job that the same key named before; *n 0: there is none. */
static bool find_by_key(struct store *s, const struct job_row *job, struct slice key, int64_t *n, struct err *e)
{
    *n = 0;
    if (!key.ptr)
        return true;
    struct stmt *q = db_prepare(s->db, "SELECT n FROM job WHERE kind = $1 AND coalesce(collection, '') = $2 AND key = $3", e);
    bind_text(q, job->kind);
    bind_text(q, not_null(job->collection));
    bind_text(q, key);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW)
        *n = take_int(q);
    return step == STEP_DONE;
}

static bool add(struct store *s, const struct job_row *job, struct slice key, struct arena *a, struct job_row *out, bool *existing, struct err *e)
{
    int64_t n;
    key = store_own_key(s, a, key);
    if (!find_by_key(s, job, key, &n, e))
        return false;
    *existing = n != 0;
    if (n)
        return load(s, n, a, out, e);
    char id[UUID_TEXT + 1], now[CLOCK_TEXT];
    uuid_random(id);
    clock_text(clock_now_us(), now);
    struct stmt *q = db_prepare(s->db,
        "INSERT INTO job (id, kind, collection, key, state, created_at, payload, token) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)", e);
    bind_text(q, job->id.ptr ? job->id : slice_str(id));
    bind_text(q, job->kind);
    bind_text(q, job->collection);
    bind_text(q, key);
    bind_int(q, JOB_QUEUED);
    bind_text(q, slice_str(now));
    bind_text(q, job->payload);
    bind_text(q, s->actor ? s->actor->token : SLICE_NONE);
    return stmt_run(q, e) && load(s, db_last_id(s->db), a, out, e);
}

bool store_job_add(struct store *s, const struct job_row *job, struct slice key, struct arena *a, struct job_row *out, bool *existing,
                   struct err *e)
{
    *existing = false;
    return db_write(s->db, e) && db_end(s->db, add(s, job, key, a, out, existing, e), e);
}

/* ---- claiming -------------------------------------------------------------------------------------------------------- */

/* What may be begun: the parameters are clock_now_us() and clock_monotonic_us(). */
#define FREE(now, monotonic) "state IN (0, 1) AND (state = 0 AND begin_at <= " now " OR state = 1 AND NOT " HELD(monotonic) ")"
#define IN_LANE "(kind IN ('judge', 'draft')) = "

/* What a claim that went through gives back. */
static bool take_claimed(struct stmt *q, struct arena *a, struct job_row *out, bool *got, struct err *e)
{
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        take_job(q, a, out);
        out->state = JOB_RUNNING;
        *got = true;
    }
    return step == STEP_DONE;
}

/* One that is free and was attempted often enough fails for good (but for builds: it is their groups that count attempts). *n 0: there is none. */
static bool give_up_one(struct store *s, const char *now, int64_t *n, struct err *e)
{
    struct stmt *q = db_prepare(s->db,
        "UPDATE job SET state = CASE WHEN cancel THEN 4 ELSE 3 END, ended_at = $1,"
        " error = CASE WHEN cancel THEN error ELSE 'it was begun ' || attempts || ' times and never came to an end' END"
        " WHERE n = (SELECT n FROM job WHERE state IN (0, 1) AND (state = 0 OR NOT " HELD("$2") ") AND (attempts >= $3 OR cancel) AND kind <> 'build' LIMIT 1)"
        " RETURNING n", e);
    bind_text(q, slice_str(now));
    bind_int(q, clock_monotonic_us());
    bind_int(q, ATTEMPTS_MAX);
    *n = 0;
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW)
        *n = take_int(q);
    return step == STEP_DONE && (!*n || webhooks_tell(s, *n, e));
}

/* The oldest that is free, once those that had their attempts are out of the way. */
static bool claim(struct store *s, enum job_lane lane, int lease_s, struct arena *a, struct job_row *out, bool *got, struct err *e)
{
    char now[CLOCK_TEXT];
    int64_t given_up;
    clock_text(clock_now_us(), now);
    do
        if (!give_up_one(s, now, &given_up, e))
            return false;
    while (given_up);
    struct stmt *q = db_prepare(s->db,
        "UPDATE job SET state = 1, attempts = attempts + 1, claims = claims + 1, lease_until = $1, apart = 0, error = NULL, started_at = coalesce(started_at, $2)"
        " WHERE n = (SELECT n FROM job WHERE " FREE("$3", "$4") " AND " IN_LANE "$5 ORDER BY n LIMIT 1) RETURNING " JOB_COLUMNS, e);
    bind_int(q, lease_end(lease_s));
    bind_text(q, slice_str(now));
    bind_int(q, clock_now_us());
    bind_int(q, clock_monotonic_us());
    bind_int(q, lane);
    return take_claimed(q, a, out, got, e);
}

static bool claim_one(struct store *s, struct slice id, int lease_s, struct arena *a, struct job_row *out, bool *got, struct err *e)
{
    int64_t n;
    char now[CLOCK_TEXT];
    clock_text(clock_now_us(), now);
    if (!find(s, id, &n, e))
        return false;
    struct stmt *q = db_prepare(s->db,
        "UPDATE job SET state = 1, attempts = attempts + 1, claims = claims + 1, lease_until = $1, apart = 1, error = NULL, started_at = coalesce(started_at, $2)"
        " WHERE n = $3 AND NOT cancel AND (state = 0 OR state = 1 AND NOT " HELD("$4") ") RETURNING " JOB_COLUMNS, e);
    bind_int(q, lease_end(lease_s));
    bind_text(q, slice_str(now));
    bind_int(q, n);
    bind_int(q, clock_monotonic_us());
    return take_claimed(q, a, out, got, e);
}

/* A look without the lock: workers that wait ask several times a second. */
static bool is_any_free(struct store *s, enum job_lane lane, bool *any, struct err *e)
{
    struct stmt *q = db_prepare(s->db,
        "SELECT 1 FROM job WHERE " FREE("$1", "$2") " AND " IN_LANE "$3 LIMIT 1", e);
    bind_int(q, clock_now_us());
    bind_int(q, clock_monotonic_us());
    bind_int(q, lane);
    *any = false;
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW)
        *any = true;
    return step == STEP_DONE;
}

bool store_job_claim(struct store *s, enum job_lane lane, int lease_s, struct arena *a, struct job_row *out, bool *got, struct err *e)
{
    bool any;
    *got = false;
    if (!is_any_free(s, lane, &any, e))
        return false;
    if (!any)
        return true;
    if (db_write(s->db, e) && db_end(s->db, claim(s, lane, lease_s, a, out, got, e), e))
        return true;
    *got = false;
    return false;
}

bool store_job_claim_id(struct store *s, struct slice id, int lease_s, struct arena *a, struct job_row *out, bool *got, struct err *e)
{
    *got = false;
    if (db_write(s->db, e) && db_end(s->db, claim_one(s, id, lease_s, a, out, got, e), e))
        return true;
    *got = false;
    return false;
}

static bool progress_one(struct store *s, const struct job_row *job, struct slice progress, int lease_s, bool *cancelled, struct err *e)
{
    struct stmt *q = db_prepare(s->db,
        "UPDATE job SET progress = coalesce($1, progress), lease_until = $2 WHERE id = $3 AND claims = $4 AND state = 1 RETURNING cancel", e);
    bind_text(q, progress);
    bind_int(q, lease_end(lease_s));
    bind_text(q, job->id);
    bind_int(q, job->claim);
    enum step step;
    *cancelled = true; /* a job that does not run any more, or is somebody else's by now, has been ended here */
    while ((step = stmt_step(q, e)) == STEP_ROW)
        *cancelled = take_int(q);
    return step == STEP_DONE;
}

bool store_job_progress(struct store *s, const struct job_row *job, struct slice progress, int lease_s, bool *cancelled, struct err *e)
{
    return db_write(s->db, e) && db_end(s->db, progress_one(s, job, progress, lease_s, cancelled, e), e);
}

/* ---- ending ---------------------------------------------------------------------------------------------------------- */

static bool taken_over(struct err *e) { return err_set(e, ERR_CONFLICT, "the job is not running, or somebody else has taken it over"); }

static bool finish(struct store *s, const struct job_row *job, enum job_state state, struct slice result, struct slice error, struct err *e)
{
    int64_t n;
    char now[CLOCK_TEXT];
    clock_text(clock_now_us(), now);
    if (state == JOB_QUEUED || state == JOB_RUNNING)
        return err_set(e, ERR_INTERNAL, "a job does not end by going on");
    if (!find(s, job->id, &n, e))
        return false;
    struct stmt *q = db_prepare(s->db,
        "UPDATE job SET state = $1, ended_at = $2, result = $3, error = $4, lease_until = NULL WHERE n = $5 AND claims = $6 AND state = 1", e);
    bind_int(q, state);
    bind_text(q, slice_str(now));
    bind_text(q, result);
    bind_text(q, error);
    bind_int(q, n);
    bind_int(q, job->claim);
    if (!stmt_run(q, e))
        return false;
    return db_changes(s->db) ? webhooks_tell(s, n, e) && pieces_go_on(s, n, state != JOB_DONE, e) && look_go_on(s, n, e) : taken_over(e);
}

bool store_job_finish(struct store *s, const struct job_row *job, enum job_state state, struct slice result, struct slice error, struct err *e)
{
    return db_write(s->db, e) && db_end(s->db, finish(s, job, state, result, error, e), e);
}

static bool put_back(struct store *s, const struct job_row *job, int64_t begin_at, struct slice why, bool *cancelled, struct err *e)
{
    struct stmt *q = db_prepare(s->db,
        "UPDATE job SET state = CASE WHEN cancel THEN 1 ELSE 0 END, begin_at = $1, error = $2, attempts = attempts - 1,"
        " lease_until = CASE WHEN cancel THEN lease_until END WHERE id = $3 AND claims = $4 AND state = 1 RETURNING cancel", e);
    bind_int(q, begin_at);
    bind_text(q, why);
    bind_text(q, job->id);
    bind_int(q, job->claim);
    enum step step;
    bool found = false;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        *cancelled = take_int(q);
        found = true;
    }
    return step == STEP_DONE && (found || taken_over(e));
}

bool store_job_put_back(struct store *s, const struct job_row *job, int64_t begin_at, struct slice why, bool *cancelled, struct err *e)
{
    *cancelled = false;
    return db_write(s->db, e) && db_end(s->db, put_back(s, job, begin_at, why, cancelled, e), e);
}

static bool release(struct store *s, uint64_t *begun, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "UPDATE job SET state = 0, lease_until = NULL WHERE state = 1 AND (NOT apart OR NOT " HELD("$1") ")", e);
    bind_int(q, clock_monotonic_us());
    if (!stmt_run(q, e))
        return false;
    q = db_prepare(s->db, "SELECT count(*) FROM job WHERE state IN (0, 1) AND state = 0 AND attempts > 0", e);
    if (stmt_step(q, e) != STEP_ROW)
        return false;
    *begun = (uint64_t)take_int(q);
    stmt_reset(q);
    return pieces_wake_all(s, e);
}

bool store_jobs_release(struct store *s, uint64_t *begun, struct err *e)
{
    return db_write(s->db, e) && db_end(s->db, release(s, begun, e), e);
}

static bool rewind_waits(struct store *s, struct err *e)
{
    int64_t now = clock_now_us();
    struct stmt *q = db_prepare(s->db, "UPDATE job SET begin_at = $1 WHERE state IN (0, 1) AND state = 0 AND begin_at > $1", e);
    bind_int(q, now + WAIT_US);
    if (!stmt_run(q, e))
        return false;
    q = db_prepare(s->db, "UPDATE piece_group SET since = min(since, $1), due = min(due, $2) WHERE due > $2", e);
    bind_int(q, now);
    bind_int(q, now + WAIT_US);
    return stmt_run(q, e) && webhooks_rewind(s, e);
}

bool store_jobs_rewind(struct store *s, struct err *e)
{
    return db_write(s->db, e) && db_end(s->db, rewind_waits(s, e), e);
}

static bool is_build(struct store *s, int64_t n, bool *build, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT kind = 'build' FROM job WHERE n = $1", e);
    bind_int(q, n);
    int64_t is;
    if (stmt_int(q, &is, e) != STEP_ROW)
        return false;
    *build = is;
    return true;
}

static bool cancel(struct store *s, struct slice id, struct err *e)
{
    int64_t n;
    bool build;
    char now[CLOCK_TEXT];
    clock_text(clock_now_us(), now);
    if (!find(s, id, &n, e) || !is_build(s, n, &build, e))
        return false;
    if (build)
        return err_set(e, ERR_CONFLICT, "this job builds runs of spans that were accepted, and is not cancelled; delete the runs or their collection");
    struct stmt *q = db_prepare(s->db,
        "UPDATE job SET cancel = 1, ended_at = CASE WHEN state = 1 THEN NULL ELSE $1 END, state = CASE WHEN state = 1 THEN 1 ELSE 4 END"
        " WHERE n = $2 AND state IN (0, 1, 3)", e);
    bind_text(q, slice_str(now));
    bind_int(q, n);
    if (!stmt_run(q, e))
        return false;
    return db_changes(s->db) || err_set(e, ERR_CONFLICT, "the job has ended");
}

bool store_job_cancel(struct store *s, struct slice id, struct err *e)
{
    return db_write(s->db, e) && db_end(s->db, cancel(s, id, e), e);
}

static bool retry(struct store *s, struct slice id, struct err *e)
{
    int64_t n;
    if (!find(s, id, &n, e))
        return false;
    struct stmt *q = db_prepare(s->db,
        "UPDATE job SET state = 0, attempts = 0, cancel = 0, begin_at = 0, started_at = NULL, ended_at = NULL, progress = NULL, result = NULL, error = NULL"
        " WHERE n = $1 AND (state = 3 OR state = 4 AND kind <> 'import') AND kind <> 'build'", e);
    bind_int(q, n);
    if (!stmt_run(q, e))
        return false;
    return db_changes(s->db) || err_set(e, ERR_CONFLICT, "only a job that failed or was cancelled can be tried again; of a cancelled import the bytes are "
                                                         "gone: send them again");
}

bool store_job_retry(struct store *s, struct slice id, struct err *e)
{
    return db_write(s->db, e) && db_end(s->db, retry(s, id, e), e);
}

/* ---- list ------------------------------------------------------------------------------------------------------------ */

static bool from_jobs(struct store *s, struct sql *q, const struct filter *f, struct err *e)
{
    sql_add(q, " FROM job j WHERE 1");
    if (store_is_bound(s))
        sql_add(q, " AND mine((SELECT n FROM collection WHERE id = j.collection))");
    for (int state = 0; f && f->status.len && state < (int)(sizeof names / sizeof *names); state++)
        if (slice_is(f->status, names[state])) { /* as take_job() has them */
            int64_t now = clock_monotonic_us();
            sql_add(q, " AND CASE WHEN j.state = 1 AND NOT coalesce(j.lease_until BETWEEN ");
            sql_int(q, now);
            sql_add(q, " AND ");
            sql_int(q, now + LEASE_MAX_US);
            sql_add(q, ", 0) THEN 0 ELSE j.state END = ");
            sql_int(q, state);
            return true;
        }
    return !f || !f->status.len || err_set(e, ERR_USAGE, "a job is not '%.*s'", SLICE_ARG(f->status));
}

static const struct sort_key keys[] = {
    {NULL, "j.n", false}, /* newest first */
    {"created_at", "j.created_at", false},
    {"state", "j.state", false},
    {"kind", "j.kind", false},
};
static const struct order own_order = {.terms = {{&keys[0], true}}, .n = 1};
static const struct list list = {from_jobs, "j.n", keys, sizeof keys / sizeof *keys, &own_order};

static bool load_page(struct store *s, const struct filter *f, const struct page *page, struct arena *a, struct job_rows *out, struct err *e)
{
    struct ids ids;
    *out = (struct job_rows){0};
    if (!list_page(s, &list, f, page, true, a, &ids, &out->end, e))
        return false;
    out->items = arena_array(a, struct job_row, ids.n);
    for (; out->n < ids.n; out->n++)
        if (!load(s, ids.items[out->n], a, &out->items[out->n], e))
            return false;
    return true;
}

bool store_jobs(struct store *s, struct slice state, const struct page *page, struct arena *a, struct job_rows *out, struct err *e)
{
    struct filter f = FILTER_ANY;
    f.status = state;
    return db_read(s->db, e) && db_end(s->db, load_page(s, &f, page, a, out, e), e);
}
