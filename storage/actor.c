/* Who acts on a store: what it shows them, and the row that each of their changes leaves. */
#include "storage/access.h"
#include "storage/inside.h"
#include "storage/sql.h"

#define STREAM_LOG_US INT64_C(3600000000)

static const struct actor *everywhere;
static atomic_bool everywhere_logged;

void store_act_everywhere_as(const struct actor *actor) { everywhere = actor; }

void store_act_as(struct store *s, const struct actor *actor)
{
    s->actor = actor;
    s->logged = false;
    s->log_row = 0;
}

struct slice store_own_key(const struct store *s, struct arena *a, struct slice key)
{
    return key.ptr && s->actor && s->actor->token.len ? arena_printf(a, "%.*s:%.*s", SLICE_ARG(s->actor->token), SLICE_ARG(key)) : key;
}

bool store_is_bound(const struct store *s) { return s->actor && s->actor->bound; }

bool store_sees(const struct store *s, int64_t collection)
{
    bool sees = !store_is_bound(s);
    for (size_t i = 0; !sees && i < s->actor->ncollections; i++)
        sees = s->actor->collections[i] == collection;
    return sees;
}

static bool mine(void *ctx, int64_t n, struct slice *out, struct err *e)
{
    (void)e;
    *out = store_sees(ctx, n) ? slice_str("1") : SLICE_NONE;
    return true;
}

/* ---- the log of changes ----------------------------------------------------------------------------------------------- */

/* What streams in is logged once for an hour. */
static bool is_told(struct store *s, const struct actor *actor, int64_t now, bool *told, struct err *e)
{
    *told = false;
    if (!actor->streams)
        return true;
    struct stmt *q = db_prepare(s->db, "SELECT 1 FROM audit WHERE action = $1 AND target IS $2 AND at > $3 AND actor = $4 AND token IS $5 LIMIT 1", e);
    bind_text(q, actor->action);
    bind_text(q, actor->target);
    bind_int(q, now - STREAM_LOG_US);
    bind_text(q, actor->name);
    bind_text(q, actor->token);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW)
        *told = true;
    return step == STEP_DONE;
}

static bool add_row(struct store *s, const struct actor *actor, int64_t now, struct slice target, struct slice detail, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "INSERT INTO audit (at, actor, token, address, action, target, detail) VALUES ($1, $2, $3, $4, $5, $6, $7)", e);
    bind_int(q, now);
    bind_text(q, not_null(actor->name));
    bind_text(q, actor->token);
    bind_text(q, actor->address);
    bind_text(q, actor->action);
    bind_text(q, target);
    bind_text(q, detail);
    return stmt_run(q, e);
}

static bool log_change(void *ctx, struct err *e)
{
    struct store *s = ctx;
    const struct actor *actor = s->actor ? s->actor : everywhere;
    int64_t now = clock_now_us();
    bool told;
    if (!actor || !actor->action.len || (s->actor ? s->logged : atomic_load(&everywhere_logged)))
        return true;
    if (!is_told(s, actor, now, &told, e))
        return false;
    s->logged = s->logging = true;
    if (told || (!s->actor && atomic_exchange(&everywhere_logged, true)))
        return true;
    bool ok = add_row(s, actor, now, actor->target, actor->detail, e);
    s->log_row = db_last_id(s->db);
    return ok;
}

static bool set_detail(struct store *s, int64_t row, struct slice detail, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "UPDATE audit SET detail = $1 WHERE n = $2", e);
    bind_text(q, detail);
    bind_int(q, row);
    return stmt_run(q, e);
}

bool store_log(struct store *s, struct slice target, struct slice detail, int64_t *row, struct err *e)
{
    if (!s->actor || !s->actor->action.len)
        return true;
    if (*row)
        return set_detail(s, *row, detail, e);
    s->logged = s->logging = true;
    bool ok = add_row(s, s->actor, clock_now_us(), target, detail, e);
    *row = db_last_id(s->db);
    return ok;
}

bool store_log_outcome(struct store *s, struct slice detail, struct err *e) { return !s->log_row || set_detail(s, s->log_row, detail, e); }

/* Where the change was undone, so was its row: the next one of the action has it. */
static void change_ended(void *ctx, bool committed)
{
    struct store *s = ctx;
    if (s->logging && !committed) {
        s->logged = false;
        s->log_row = 0;
        if (!s->actor)
            atomic_store(&everywhere_logged, false);
    }
    s->logging = false;
}

bool store_log_action(struct store *s, struct err *e) { return db_write(s->db, e) && db_end(s->db, log_change(s, e), e); }

bool access_install(struct store *s, struct err *e)
{
    db_before_commit(s->db, log_change, change_ended, s);
    return db_add_function(s->db, "mine", mine, s, e);
}

struct wanted {
    struct filter none; /* first: lists know nothing else */
    struct slice actor;
};

static bool from_audit(struct store *s, struct sql *q, const struct filter *none, struct err *e)
{
    struct slice actor = ((const struct wanted *)none)->actor;
    (void)s;
    (void)e;
    sql_add(q, " FROM audit a WHERE 1");
    if (actor.ptr) {
        sql_add(q, " AND a.actor = ");
        sql_text(q, actor);
    }
    return true;
}

static const struct sort_key keys[] = {{NULL, "a.n", false}, {"at", "a.at", false}};
static const struct order own_order = {.terms = {{&keys[0], true}}, .n = 1};
static const struct list list = {from_audit, "a.n", keys, sizeof keys / sizeof *keys, &own_order};

static bool load(struct store *s, int64_t n, struct arena *a, struct audit_row *out, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT n, at, actor, token, address, action, target, detail FROM audit WHERE n = $1", e);
    bind_int(q, n);
    if (stmt_step(q, e) != STEP_ROW)
        return false;
    out->n = take_int(q);
    out->at = take_int(q);
    struct slice *const texts[] = {&out->actor, &out->token, &out->address, &out->action, &out->target, &out->detail};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        *texts[i] = take_text(q, a);
    stmt_reset(q);
    return true;
}

static bool load_page(struct store *s, const struct wanted *wanted, const struct page *page, struct arena *a, struct audit_rows *out, struct err *e)
{
    struct ids ids;
    *out = (struct audit_rows){0};
    if (!list_page(s, &list, &wanted->none, page, page->count, a, &ids, &out->end, e))
        return false;
    out->items = arena_array(a, struct audit_row, ids.n);
    for (; out->n < ids.n; out->n++)
        if (!load(s, ids.items[out->n], a, &out->items[out->n], e))
            return false;
    return true;
}

bool store_audit(struct store *s, struct slice actor, const struct page *page, struct arena *a, struct audit_rows *out, struct err *e)
{
    const struct wanted wanted = {.actor = actor};
    return db_read(s->db, e) && db_end(s->db, load_page(s, &wanted, page, a, out, e), e);
}
