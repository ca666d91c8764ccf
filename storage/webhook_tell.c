/* What the end of a job tells: a row for each webhook that asked for it. */
#include "base/hash.h"
#include "base/jsonw.h"
#include "storage/inside.h"
#include "storage/webhooks.h"
#include "text/jread.h"

enum { PAYLOAD_MAX = 1 << 20, RESULT_ENOUGH = 64 << 10, MEMBER_MAX = 4000, TITLE_MAX = 500, FINDINGS_SHOWN = 10 };

enum event { EVENT_IMPORT, EVENT_FINDINGS, EVENT_JUDGE, EVENT_FAILED };

struct ended {
    struct store *s;
    struct arena arena;
    int64_t collection;         /* its key; 0: of none */
    struct slice id, kind, collection_id, collection_name, result, error;
    enum job_state state;
    int64_t told;               /* the last finding of the collection that was told before */
    int64_t found, by_kind[KIND_COUNT];
};

static bool any_webhook(struct store *s, bool *any, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT 1 FROM webhook LIMIT 1", e);
    *any = false;
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW)
        *any = true;
    return step == STEP_DONE;
}

static bool load(struct ended *job, int64_t n, struct err *e)
{
    struct stmt *q = db_prepare(job->s->db,
        "SELECT j.id, j.kind, j.state, j.result, j.error, c.n, c.id, c.name, c.told FROM job j LEFT JOIN collection c ON c.id = j.collection WHERE j.n = $1", e);
    bind_int(q, n);
    if (stmt_step(q, e) != STEP_ROW)
        return false;
    job->id = take_text(q, &job->arena);
    job->kind = take_text(q, &job->arena);
    job->state = (enum job_state)take_int(q);
    job->result = take_text(q, &job->arena);
    job->error = take_text(q, &job->arena);
    job->collection = take_int(q);
    job->collection_id = take_text(q, &job->arena);
    job->collection_name = take_text(q, &job->arena);
    job->told = take_int(q);
    stmt_reset(q);
    return true;
}

/* The sample makes its collection itself: its job names none, its result does. */
static bool name_collection(struct ended *job, struct err *e)
{
    struct jvalue *result = NULL;
    if (job->collection || !job->result.len || !jread(&job->arena, job->result, NULL, NULL, &result, NULL))
        return true;
    struct stmt *q = db_prepare(job->s->db, "SELECT n, id, name, told FROM collection WHERE id = $1", e);
    bind_text(q, jstr(jpath(result, "collection", "id", NULL)));
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        job->collection = take_int(q);
        job->collection_id = take_text(q, &job->arena);
        job->collection_name = take_text(q, &job->arena);
        job->told = take_int(q);
    }
    return step == STEP_DONE;
}

/* By their number, as jobs that build and look are used again and again, and several may find at a time: each finding is told once. The plus keeps SQLite from
 * going through all that the collection ever had. */
#define NEW_FINDINGS " FROM finding f LEFT JOIN run r ON r.n = f.run WHERE +f.collection = $1 AND f.n > $2 AND f.status <> 2"

static bool count_findings(struct ended *job, struct err *e)
{
    struct stmt *q = db_prepare(job->s->db, "SELECT f.kind, count(*)" NEW_FINDINGS " GROUP BY f.kind", e);
    bind_int(q, job->collection);
    bind_int(q, job->told);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        int64_t kind = take_int(q), n = take_int(q);
        if (kind >= 0 && kind < KIND_COUNT)
            job->by_kind[kind] = n;
        job->found += n;
    }
    return step == STEP_DONE;
}

static bool told_by_now(struct ended *job, struct err *e)
{
    struct stmt *q = db_prepare(job->s->db, "UPDATE collection SET told = coalesce((SELECT max(n) FROM finding), told) WHERE n = $1", e);
    bind_int(q, job->collection);
    return stmt_run(q, e);
}

/* ---- the payload -------------------------------------------------------------------------------------------------------- */

static void url(struct jsonw *j, struct slice page, const char *path, struct slice name, const char *rest)
{
    struct str text = STR_INIT(16 << 10);
    str_add_slice(&text, page);
    str_addz(&text, path);
    str_add_escaped(&text, name);
    str_addz(&text, rest);
    jsonw_kstr(j, "url", str_slice(&text));
    str_free(&text);
}

/* Of a job's result what is short: counts, not lists of errors. */
static void result(struct jsonw *j, struct ended *job)
{
    struct jvalue *all = NULL;
    if (!job->result.len || !jread(&job->arena, job->result, NULL, NULL, &all, NULL) || all->type != J_OBJECT)
        return;
    jsonw_key(j, "result");
    jsonw_object(j);
    for (uint32_t i = 0; i < all->n && j->out->len < RESULT_ENOUGH; i++) {
        struct slice text = jraw(&job->arena, &all->items[i]);
        if (text.len > MEMBER_MAX)
            continue;
        jsonw_key_slice(j, all->keys[i]);
        jsonw_raw(j, text);
    }
    jsonw_end(j);
}

static bool findings(struct jsonw *j, struct ended *job, struct slice page, struct err *e)
{
    static const char *const severities[] = {"low", "medium", "high"};
    jsonw_kint(j, "total", job->found);
    jsonw_key(j, "by_kind");
    jsonw_object(j);
    for (int i = 0; i < KIND_COUNT; i++)
        jsonw_kint(j, kind_name((enum kind)i), job->by_kind[i]);
    jsonw_end(j);
    jsonw_key(j, "findings");
    jsonw_array(j);
    struct stmt *q = db_prepare(job->s->db, "SELECT f.id, f.title, f.kind, f.severity, f.detector, r.id" NEW_FINDINGS " ORDER BY f.severity DESC, f.n LIMIT $3", e);
    bind_int(q, job->collection);
    bind_int(q, job->told);
    bind_int(q, FINDINGS_SHOWN);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        struct slice id = take_text(q, &job->arena), title = take_text(q, &job->arena);
        int64_t kind = take_int(q), severity = take_int(q);
        struct slice detector = take_text(q, &job->arena), run = take_text(q, &job->arena);
        jsonw_object(j);
        jsonw_kstr(j, "id", id);
        jsonw_kstr(j, "title", slice_cut(title, TITLE_MAX));
        jsonw_kstrz(j, "kind", kind_name((enum kind)kind));
        jsonw_kstrz(j, "severity", severities[severity < 0 || severity > 2 ? 0 : severity]);
        jsonw_kstr(j, "detector", detector);
        jsonw_kstr(j, "run", run);
        struct slice tail = arena_printf(&job->arena, run.ptr ? "?finding=%.*s" : "/findings?f=%.*s", SLICE_ARG(id));
        url(j, page, run.ptr ? "/runs/" : "/c/", run.ptr ? run : job->collection_id, tail.ptr);
        jsonw_end(j);
    }
    jsonw_end(j);
    return step == STEP_DONE;
}

static bool payload(struct ended *job, enum event event, struct slice page, const char *now, struct str *out, struct err *e)
{
    struct jsonw writer = jsonw_to(out), *j = &writer;
    bool ok = true;
    jsonw_object(j);
    jsonw_kstrz(j, "type", webhook_event_names[event]);
    jsonw_kstrz(j, "timestamp", now);
    jsonw_key(j, "data");
    jsonw_object(j);
    jsonw_key(j, "job");
    jsonw_object(j);
    jsonw_kstr(j, "id", job->id);
    jsonw_kstr(j, "kind", job->kind);
    jsonw_kstrz(j, "state", job_state_name(job->state));
    jsonw_kstr(j, "error", slice_cut(job->error, MEMBER_MAX));
    jsonw_end(j);
    jsonw_key(j, "collection");
    if (job->collection) {
        jsonw_object(j);
        jsonw_kstr(j, "id", job->collection_id);
        jsonw_kstr(j, "name", job->collection_name);
        jsonw_end(j);
    } else {
        jsonw_null(j);
    }
    if (event == EVENT_FINDINGS)
        ok = findings(j, job, page, e);
    else
        result(j, job);
    if (event == EVENT_FAILED || !job->collection)
        url(j, page, "/jobs", SLICE_NONE, "");
    else
        url(j, page, "/c/", job->collection_id, event == EVENT_FINDINGS ? "/findings" : "");
    jsonw_end(j);
    jsonw_end(j);
    return ok;
}

/* ---- who is told -------------------------------------------------------------------------------------------------------- */

static bool queue(struct ended *job, int64_t webhook, enum event event, struct slice page, struct err *e)
{
    struct str text = STR_INIT(PAYLOAD_MAX);
    char id[UUID_TEXT + 1], now[CLOCK_TEXT];
    uuid_random(id);
    clock_text(clock_now_us(), now);
    bool ok = payload(job, event, page, now, &text, e);
    if (ok) {
        struct stmt *q = db_prepare(job->s->db, "INSERT INTO delivery (id, webhook, event, payload, next_at, created_at) VALUES ($1, $2, $3, $4, 0, $5)", e);
        bind_text(q, slice_str(id));
        bind_int(q, webhook);
        bind_text(q, slice_str(webhook_event_names[event]));
        bind_text(q, str_slice(&text));
        bind_text(q, slice_str(now));
        ok = stmt_run(q, e);
    }
    str_free(&text);
    return ok;
}

static unsigned events_of(const struct ended *job)
{
    if (job->state == JOB_FAILED)
        return 1u << EVENT_FAILED;
    if (job->state != JOB_DONE)
        return 0;
    bool imports = slice_is(job->kind, "import") || slice_is(job->kind, "sample") || slice_is(job->kind, "build");
    return (imports ? 1u << EVENT_IMPORT : 0) | (slice_is(job->kind, "judge") ? 1u << EVENT_JUDGE : 0) | (job->found ? 1u << EVENT_FINDINGS : 0);
}

struct target { int64_t webhook; unsigned events; struct slice page; };

static bool targets(struct ended *job, unsigned events, struct target *out, size_t *n, struct err *e)
{
    struct stmt *q = db_prepare(job->s->db, "SELECT n, events & $1, page FROM webhook WHERE events & $1 AND NOT paused AND (collection IS NULL OR collection = $2) LIMIT $3", e);
    bind_int(q, events);
    bind_int(q, job->collection);
    bind_int(q, WEBHOOKS_MOST);
    enum step step;
    *n = 0;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        out[*n].webhook = take_int(q);
        out[*n].events = (unsigned)take_int(q);
        out[(*n)++].page = take_text(q, &job->arena);
    }
    return step == STEP_DONE;
}

/* A webhook that stays paused would keep them for ever. */
static bool give_up_old(struct store *s, struct err *e)
{
    char now[CLOCK_TEXT], week[CLOCK_TEXT];
    int64_t at = clock_now_us();
    clock_text(at, now);
    clock_text(at - DELIVERY_KEEP_US, week);
    struct stmt *q = db_prepare(s->db, "UPDATE delivery SET state = 2, error = coalesce(error, 'it waited for over a week'), next_at = 0, ended_at = $1"
                                       " WHERE state = 0 AND created_at < $2", e);
    bind_text(q, slice_str(now));
    bind_text(q, slice_str(week));
    return stmt_run(q, e);
}

static bool tell(struct ended *job, int64_t n, struct err *e)
{
    struct target who[WEBHOOKS_MOST];
    size_t found = 0;
    if (!load(job, n, e) || !name_collection(job, e) || (job->state == JOB_DONE && job->collection && !count_findings(job, e)))
        return false;
    unsigned events = events_of(job);
    bool ok = !events || targets(job, events, who, &found, e);
    for (size_t i = 0; ok && i < found; i++)
        for (int event = 0; ok && event < WEBHOOK_EVENTS; event++)
            if (who[i].events & 1u << event)
                ok = queue(job, who[i].webhook, (enum event)event, who[i].page, e);
    return ok && (job->state != JOB_DONE || !job->collection || told_by_now(job, e));
}

bool webhooks_tell(struct store *s, int64_t job, struct err *e)
{
    struct ended ended = {.s = s};
    bool any;
    if (!any_webhook(s, &any, e))
        return false;
    if (!any)
        return true;
    bool ok = give_up_old(s, e) && tell(&ended, job, e);
    arena_free(&ended.arena);
    return ok;
}
