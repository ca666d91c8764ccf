#include "storage/webhooks.h"

#include "base/base64.h"
#include "base/hash.h"
#include "storage/access.h"
#include "storage/inside.h"

#define SECOND INT64_C(1000000)

const char *const webhook_event_names[WEBHOOK_EVENTS] = {"import.done", "findings.new", "judge.done", "job.failed"};

static const char *const state_names[] = {"waiting", "delivered", "failed"};
const char *delivery_state_name(enum delivery_state state) { return state_names[state]; }

bool webhook_event_parse(struct slice name, unsigned *bits, struct err *e)
{
    for (int i = 0; i < WEBHOOK_EVENTS; i++)
        if (slice_is(name, webhook_event_names[i])) {
            *bits |= 1u << i;
            return true;
        }
    return err_set(e, ERR_USAGE, "there is no event \"%.*s\": they are import.done, findings.new, judge.done and job.failed",
                   SLICE_ARG(slice_cut(name, 100)));
}

/* ---- webhooks ----------------------------------------------------------------------------------------------------------- */

#define COLUMNS \
    "w.n, w.id, w.url, w.page, w.events, c.id, c.name, w.paused, w.created_at," \
    " (SELECT count(*) FROM delivery d WHERE d.webhook = w.n AND d.state = 0), (SELECT count(*) FROM delivery d WHERE d.webhook = w.n AND d.state = 1)," \
    " (SELECT count(*) FROM delivery d WHERE d.webhook = w.n AND d.state = 2), l.ended_at, l.status, l.error" \
    " FROM webhook w LEFT JOIN collection c ON c.n = w.collection" \
    " LEFT JOIN delivery l ON l.n = (SELECT max(d.n) FROM delivery d WHERE d.webhook = w.n AND d.attempts > 0)"

static void take_webhook(struct stmt *q, struct arena *a, struct webhook_row *out)
{
    *out = (struct webhook_row){.n = take_int(q)};
    out->id = take_text(q, a);
    out->url = take_text(q, a);
    out->page = take_text(q, a);
    out->events = (unsigned)take_int(q);
    out->collection = take_text(q, a);
    out->collection_name = take_text(q, a);
    out->paused = take_int(q);
    out->created_at = take_text(q, a);
    out->waiting = take_int(q);
    out->delivered = take_int(q);
    out->failed = take_int(q);
    out->last_at = take_text(q, a);
    out->last_status = take_count(q);
    out->last_error = take_text(q, a);
}

static bool find(struct store *s, struct slice id, struct arena *a, struct webhook_row *out, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT " COLUMNS " WHERE w.id = $1", e);
    bind_text(q, id);
    bool found = false;
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        take_webhook(q, a, out);
        found = true;
    }
    if (step == STEP_ERROR)
        return false;
    return found || err_set(e, ERR_NOT_FOUND, "there is no webhook \"%.*s\"", SLICE_ARG(slice_cut(id, 100)));
}

static bool list(struct store *s, struct arena *a, struct webhook_rows *out, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT " COLUMNS " ORDER BY w.n DESC", e);
    size_t cap = 0;
    enum step step;
    *out = (struct webhook_rows){0};
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        out->items = arena_grow(a, out->items, out->n, &cap, sizeof *out->items);
        take_webhook(q, a, &out->items[out->n++]);
    }
    return step == STEP_DONE;
}

bool store_webhooks(struct store *s, struct arena *a, struct webhook_rows *out, struct err *e)
{
    return db_read(s->db, e) && db_end(s->db, list(s, a, out, e), e);
}

static bool secret_of(struct store *s, struct slice id, unsigned char out[SECRET_SIZE], struct err *e)
{
    struct str what = STR_INIT(200);
    str_addz(&what, "webhook ");
    str_add_slice(&what, id);
    bool ok = store_secret(s, str_slice(&what), out, e);
    str_free(&what);
    return ok;
}

static bool has_room(struct store *s, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT count(*) FROM webhook", e);
    int64_t n = 0;
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW)
        n = take_int(q);
    if (step == STEP_ERROR)
        return false;
    return n < WEBHOOKS_MOST || err_set(e, ERR_LIMIT, "there are %d webhooks already; delete one first", WEBHOOKS_MOST);
}

/* While there was no webhook nobody noted what is new. */
static bool forget_old_findings(struct store *s, struct err *e)
{
    return db_script(s->db, "UPDATE collection SET told = coalesce((SELECT max(n) FROM finding), told) WHERE (SELECT count(*) FROM webhook) = 1", e);
}

static bool add(struct store *s, const struct webhook_row *wish, struct slice id, struct arena *a, struct webhook_row *out, struct err *e)
{
    int64_t collection = 0;
    char now[CLOCK_TEXT];
    clock_text(clock_now_us(), now);
    if (!has_room(s, e) || (wish->collection.ptr && !collection_find(s, wish->collection, &collection, e)))
        return false;
    struct stmt *q = db_prepare(s->db, "INSERT INTO webhook (id, url, page, events, collection, created_at) VALUES ($1, $2, $3, $4, nullif($5, 0), $6)", e);
    bind_text(q, id);
    bind_text(q, wish->url);
    bind_text(q, not_null(wish->page));
    bind_int(q, wish->events ? wish->events : WEBHOOK_ALL);
    bind_int(q, collection);
    bind_text(q, slice_str(now));
    return stmt_run(q, e) && forget_old_findings(s, e) && find(s, id, a, out, e);
}

bool store_webhook_add(struct store *s, const struct webhook_row *wish, struct arena *a, struct webhook_row *out, struct slice *secret,
                       struct err *e)
{
    char id[UUID_TEXT + 1];
    unsigned char bytes[SECRET_SIZE];
    struct str text = STR_INIT(100);
    uuid_random(id);
    if (!secret_of(s, slice_str(id), bytes, e) || !db_write(s->db, e) || !db_end(s->db, add(s, wish, slice_str(id), a, out, e), e))
        return false;
    str_addz(&text, "whsec_");
    base64_add(&text, slice_of((const char *)bytes, sizeof bytes));
    *secret = arena_dup(a, str_slice(&text));
    str_free(&text);
    return true;
}

static bool change(struct store *s, struct slice id, unsigned events, int paused, struct arena *a, struct webhook_row *out, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "UPDATE webhook SET events = coalesce(nullif($1, 0), events), paused = coalesce($2, paused) WHERE id = $3", e);
    bind_int(q, events);
    bind_count(q, paused);
    bind_text(q, id);
    return stmt_run(q, e) && find(s, id, a, out, e);
}

bool store_webhook_change(struct store *s, struct slice id, unsigned events, int paused, struct arena *a, struct webhook_row *out, struct err *e)
{
    return db_write(s->db, e) && db_end(s->db, change(s, id, events, paused, a, out, e), e);
}

static bool remove_one(struct store *s, struct slice id, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "DELETE FROM webhook WHERE id = $1", e);
    bind_text(q, id);
    return stmt_run(q, e) && (db_changes(s->db) || err_set(e, ERR_NOT_FOUND, "there is no webhook \"%.*s\"", SLICE_ARG(slice_cut(id, 100))));
}

bool store_webhook_delete(struct store *s, struct slice id, struct err *e)
{
    return db_write(s->db, e) && db_end(s->db, remove_one(s, id, e), e);
}

/* ---- deliveries --------------------------------------------------------------------------------------------------------- */

#define DELIVERY_COLUMNS "d.n, d.id, d.event, d.payload, d.state, d.attempts, d.status, d.next_at, d.error, d.created_at, d.ended_at"

static void take_delivery(struct stmt *q, struct arena *a, struct delivery_row *out)
{
    *out = (struct delivery_row){.n = take_int(q)};
    out->id = take_text(q, a);
    out->event = take_text(q, a);
    out->payload = take_text(q, a);
    out->state = (enum delivery_state)take_int(q);
    out->attempts = take_int(q);
    out->status = take_count(q);
    out->next = take_int(q);
    out->error = take_text(q, a);
    out->created_at = take_text(q, a);
    out->ended_at = take_text(q, a);
}

static bool deliveries(struct store *s, struct slice webhook, struct arena *a, struct delivery_rows *out, struct err *e)
{
    struct webhook_row hook;
    if (!find(s, webhook, a, &hook, e))
        return false;
    struct stmt *q = db_prepare(s->db, "SELECT " DELIVERY_COLUMNS " FROM delivery d WHERE d.webhook = $1 ORDER BY d.n DESC LIMIT $2", e);
    bind_int(q, hook.n);
    bind_int(q, DELIVERIES_SHOWN);
    enum step step;
    *out = (struct delivery_rows){.items = arena_array(a, struct delivery_row, DELIVERIES_SHOWN)};
    while ((step = stmt_step(q, e)) == STEP_ROW)
        take_delivery(q, a, &out->items[out->n++]);
    return step == STEP_DONE;
}

bool store_deliveries(struct store *s, struct slice webhook, struct arena *a, struct delivery_rows *out, struct err *e)
{
    return db_read(s->db, e) && db_end(s->db, deliveries(s, webhook, a, out, e), e);
}

static bool test(struct store *s, struct slice webhook, struct arena *a, struct delivery_row *out, struct err *e)
{
    struct webhook_row hook;
    char id[UUID_TEXT + 1], now[CLOCK_TEXT];
    uuid_random(id);
    clock_text(clock_now_us(), now);
    if (!find(s, webhook, a, &hook, e))
        return false;
    struct stmt *q = db_prepare(s->db,
        "INSERT INTO delivery AS d (id, webhook, event, payload, next_at, created_at) VALUES ($1, $2, 'test', $3, 0, $4) RETURNING n, id, event, payload,"
        " state, attempts, status, next_at, error, created_at, ended_at", e);
    bind_text(q, slice_str(id));
    bind_int(q, hook.n);
    bind_text(q, arena_printf(a, "{\"type\":\"test\",\"timestamp\":\"%s\",\"data\":{\"webhook\":\"%.*s\"}}", now, SLICE_ARG(hook.id)));
    bind_text(q, slice_str(now));
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW)
        take_delivery(q, a, out);
    return step == STEP_DONE;
}

bool store_delivery_test(struct store *s, struct slice webhook, struct arena *a, struct delivery_row *out, struct err *e)
{
    return db_write(s->db, e) && db_end(s->db, test(s, webhook, a, out, e), e);
}

/* A look without the lock: the thread that tells asks again and again. `busy`: ids of webhooks that are left out. */
static bool is_any_due(struct store *s, int64_t now, struct slice busy, bool *any, struct err *e)
{
    struct stmt *q = db_prepare(s->db,
        "SELECT 1 FROM webhook w WHERE NOT w.paused AND NOT instr($2, w.id) AND EXISTS"
        " (SELECT 1 FROM delivery d WHERE d.webhook = w.n AND d.state = 0 AND d.next_at <= $1) LIMIT 1", e);
    bind_int(q, now);
    bind_text(q, busy);
    *any = false;
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW)
        *any = true;
    return step == STEP_DONE;
}

static bool claim(struct store *s, int64_t now, struct slice busy, int64_t lease_us, struct arena *a, struct delivery_row *out, bool *got, struct err *e)
{
    struct stmt *q = db_prepare(s->db,
        "SELECT " DELIVERY_COLUMNS ", w.id, w.url FROM webhook w JOIN delivery d ON d.n ="
        " (SELECT x.n FROM delivery x WHERE x.webhook = w.n AND x.state = 0 AND x.next_at <= $1 ORDER BY x.next_at, x.n LIMIT 1)"
        " WHERE NOT w.paused AND NOT instr($2, w.id) ORDER BY d.next_at, d.n LIMIT 1", e);
    bind_int(q, now);
    bind_text(q, busy);
    enum step step = stmt_step(q, e);
    if (step != STEP_ROW)
        return step == STEP_DONE;
    take_delivery(q, a, out);
    out->webhook = take_text(q, a);
    out->url = take_text(q, a);
    stmt_reset(q);
    q = db_prepare(s->db, "UPDATE delivery SET attempts = attempts + 1, next_at = $1 WHERE n = $2", e);
    bind_int(q, now + lease_us);
    bind_int(q, out->n);
    out->attempts++;
    *got = stmt_run(q, e) && secret_of(s, out->webhook, out->secret, e);
    return *got;
}

bool store_delivery_claim(struct store *s, struct slice busy, int64_t lease_us, struct arena *a, struct delivery_row *out, bool *got, struct err *e)
{
    bool any;
    int64_t now = clock_now_us();
    *got = false;
    busy = not_null(busy);
    if (!is_any_due(s, now, busy, &any, e))
        return false;
    if (!any || (db_write(s->db, e) && db_end(s->db, claim(s, now, busy, lease_us, a, out, got, e), e)))
        return true;
    *got = false;
    return false;
}

/* After each attempt but the last: together a day and some hours. */
static const int64_t pauses[DELIVERY_ATTEMPTS - 1] = {5 * SECOND, 300 * SECOND, 1800 * SECOND, 7200 * SECOND, 18000 * SECOND, 28800 * SECOND, 43200 * SECOND};

static bool end(struct store *s, const struct delivery_row *row, int status, struct slice error, bool gone, struct err *e)
{
    char now[CLOCK_TEXT], week[CLOCK_TEXT];
    int64_t at = clock_now_us();
    bool told = status >= 200 && status < 300, over = gone || row->attempts >= DELIVERY_ATTEMPTS;
    clock_text(at, now);
    clock_text(at - DELIVERY_KEEP_US, week);
    struct stmt *q = db_prepare(s->db, "UPDATE delivery SET state = $1, status = $2, error = $3, next_at = $4, ended_at = $5"
                                       " WHERE n = $6 AND attempts = $7 AND state = 0", e); /* unless its lease was over and somebody else has it */
    bind_int(q, told ? DELIVERY_DELIVERED : over ? DELIVERY_FAILED : DELIVERY_WAITING);
    bind_count(q, status ? status : -1);
    bind_text(q, told ? SLICE_NONE : error);
    bind_int(q, told || over ? 0 : at + pauses[row->attempts > 0 ? row->attempts - 1 : 0]);
    bind_text(q, slice_str(now));
    bind_int(q, row->n);
    bind_int(q, row->attempts);
    if (!stmt_run(q, e))
        return false;
    q = db_prepare(s->db, "DELETE FROM delivery WHERE state <> 0 AND ended_at < $1", e);
    bind_text(q, slice_str(week));
    return stmt_run(q, e);
}

bool store_delivery_end(struct store *s, const struct delivery_row *row, int status, struct slice error, bool gone, struct err *e)
{
    return db_write(s->db, e) && db_end(s->db, end(s, row, status, error, gone, e), e);
}

bool webhooks_rewind(struct store *s, struct err *e)
{
    int64_t latest = clock_now_us() + pauses[DELIVERY_ATTEMPTS - 2];
    struct stmt *q = db_prepare(s->db, "UPDATE delivery SET next_at = $1 WHERE state = 0 AND next_at > $1", e);
    bind_int(q, latest);
    return stmt_run(q, e);
}
