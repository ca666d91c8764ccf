#include "storage/care.h"

#include "base/hash.h"
#include "storage/run_write.h"

enum {
    PRUNE_RUNS = 100,     /* in one transaction */
    KEEP_LEAST = 4 << 20, /* bytes: tables and indexes alone take over half of it */
};

static bool sizes(struct store *s, struct store_sizes *out, struct err *e)
{
    struct stmt *q = db_prepare(s->db,
        "SELECT p.page_count * z.page_size, f.freelist_count * z.page_size, (SELECT count(*) FROM collection),"
        " (SELECT coalesce(sum(runs), 0) FROM collection), v.auto_vacuum = 0"
        " FROM pragma_page_count p, pragma_page_size z, pragma_freelist_count f, pragma_auto_vacuum v", e);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        out->bytes = take_int(q);
        out->free_bytes = take_int(q);
        out->collections = take_int(q);
        out->runs = take_int(q);
        out->fixed = take_int(q);
    }
    return step == STEP_DONE;
}

bool store_sizes(struct store *s, struct store_sizes *out, struct err *e)
{
    *out = (struct store_sizes){0};
    return db_read(s->db, e) && db_end(s->db, sizes(s, out, e), e);
}

static bool queue(struct store *s, struct arena *a, struct queue_rows *out, struct err *e)
{
    struct stmt *q = db_prepare(s->db,
        "SELECT kind, sum(state = 0), sum(state = 1), min(CASE WHEN state = 0 AND begin_at <= $1 THEN created_at END)"
        " FROM job WHERE state IN (0, 1) GROUP BY kind", e);
    int64_t now = clock_now_us(), oldest;
    size_t cap = 0;
    bind_int(q, now);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        out->items = arena_grow(a, out->items, out->n, &cap, sizeof *out->items);
        struct queue_row *row = &out->items[out->n++];
        *row = (struct queue_row){.kind = take_text(q, a), .queued = take_int(q), .running = take_int(q)};
        if (clock_parse(take_bytes(q), &oldest) && oldest < now)
            row->oldest_us = now - oldest;
    }
    return step == STEP_DONE;
}

bool store_queue(struct store *s, struct arena *a, struct queue_rows *out, struct err *e)
{
    *out = (struct queue_rows){0};
    return db_read(s->db, e) && db_end(s->db, queue(s, a, out, e), e);
}

/* ---- how long ---------------------------------------------------------------------------------------------------------- */

enum unit_of { UNIT_AGE, UNIT_RUNS, UNIT_BYTES };
static const struct { const char *unit; int64_t one; enum unit_of of; } units[] = {
    {"d", INT64_C(86400) * 1000000, UNIT_AGE}, {"h", INT64_C(3600) * 1000000, UNIT_AGE}, {"runs", 1, UNIT_RUNS},
    {"MB", INT64_C(1) << 20, UNIT_BYTES},      {"GB", INT64_C(1) << 30, UNIT_BYTES},     {"TB", INT64_C(1) << 40, UNIT_BYTES},
};

/* A number over 0 with its unit. */
static bool measure(struct slice text, enum unit_of *of, int64_t *out)
{
    int64_t n = 0;
    size_t digits = 0;
    for (; digits < text.len && digits < 9 && text.ptr[digits] >= '0' && text.ptr[digits] <= '9'; digits++)
        n = n * 10 + (text.ptr[digits] - '0');
    for (size_t i = 0; n && i < sizeof units / sizeof *units; i++)
        if (slice_is(slice_sub(text, digits, text.len), units[i].unit) && n <= INT64_MAX / units[i].one) {
            *of = units[i].of;
            *out = n * units[i].one;
            return true;
        }
    return false;
}

bool keep_parse(struct slice text, enum keep_of whose, struct keep *out, struct err *e)
{
    enum unit_of of;
    int64_t n;
    *out = (struct keep){0};
    if (slice_is(text, "forever"))
        return true;
    bool known = measure(text, &of, &n);
    if (known && of == UNIT_BYTES && n < KEEP_LEAST && whose == KEEP_SERVER)
        return err_set(e, ERR_USAGE, "\"%.*s\" is too little: an empty database takes over 2 MB, so that no run would be kept; give it 4MB or more",
                       SLICE_ARG(text));
    if (known && of == UNIT_AGE)
        out->age_us = n;
    else if (known && of == UNIT_RUNS && whose == KEEP_COLLECTION)
        out->runs = n;
    else if (known && of == UNIT_BYTES && whose == KEEP_SERVER)
        out->bytes = n;
    else
        return err_set(e, ERR_USAGE, "what is kept is %s or forever, not \"%.*s\"", whose == KEEP_SERVER ? "90d, 12h, 500MB, 100GB" : "90d, 12h, 5000runs",
                       SLICE_ARG(slice_cut(text, 40)));
    return true;
}

bool max_db_parse(struct slice text, int64_t *bytes, struct err *e)
{
    struct keep room;
    if (!keep_parse(text, KEEP_SERVER, &room, e))
        return err_prefix(e, "--max-db");
    *bytes = room.bytes;
    return !room.age_us || err_set(e, ERR_USAGE, "--max-db is a size (500MB, 100GB), not \"%.*s\"", SLICE_ARG(slice_cut(text, 40)));
}

bool store_has_room(struct store *s, int64_t bytes, struct err *e)
{
    struct store_sizes now;
    return !bytes || (store_sizes(s, &now, e) &&
                      (now.bytes - now.free_bytes < bytes ||
                       err_set(e, ERR_FULL, "the database has reached the size that --max-db allows; delete runs or give it more room")));
}

bool quota_parse(struct slice text, struct quota *out, struct err *e)
{
    *out = (struct quota){0};
    if (slice_is(text, "none"))
        return true;
    for (struct slice rest = text;;) {
        const char *comma = rest.len ? memchr(rest.ptr, ',', rest.len) : NULL;
        size_t len = comma ? (size_t)(comma - rest.ptr) : rest.len;
        enum unit_of of = UNIT_AGE;
        int64_t n = 0;
        bool known = measure(slice_trim(slice_sub(rest, 0, len)), &of, &n);
        int64_t *to = of == UNIT_RUNS ? &out->runs : &out->bytes;
        if (!known || of == UNIT_AGE || *to)
            return err_set(e, ERR_USAGE, "a quota is a number of runs (5000runs), a size (500MB, 10GB), both (5000runs,10GB) or none, not \"%.*s\"",
                           SLICE_ARG(slice_cut(text, 40)));
        *to = n;
        if (!comma)
            return true;
        rest = slice_sub(rest, len + 1, rest.len);
    }
}

bool limits_parse(struct slice keep, struct slice quota, struct err *e)
{
    struct keep time;
    struct quota most;
    return (!keep.len || keep_parse(keep, KEEP_COLLECTION, &time, e)) && (!quota.ptr || quota_parse(quota, &most, e));
}

bool quota_reached(const struct quota *quota, struct err *e)
{
    if (quota->runs && quota->room <= 0)
        return err_set(e, ERR_QUOTA, "the collection has as many runs as its quota allows, %lld; delete runs or raise the quota", (long long)quota->runs);
    return err_set(e, ERR_QUOTA, "the collection has %.1f MB of the %.1f MB that its quota allows, and there is no room for more; delete runs or raise the quota",
                   (double)(quota->bytes - quota->bytes_room) / (1 << 20), (double)quota->bytes / (1 << 20));
}

bool quota_look(struct store *s, int64_t collection, struct quota *out, struct err *e)
{
    *out = (struct quota){.room = INT64_MAX, .bytes_room = INT64_MAX};
    struct stmt *q = db_prepare(s->db, "SELECT runs, bytes, quota FROM collection WHERE n = $1 AND quota IS NOT NULL", e);
    bind_int(q, collection);
    enum step step = stmt_step(q, e);
    if (step != STEP_ROW)
        return step == STEP_DONE;
    int64_t runs = take_int(q), bytes = take_int(q);
    bool ok = quota_parse(take_bytes(q), out, e);
    stmt_reset(q);
    out->room = out->bytes_room = INT64_MAX;
    if (out->runs)
        out->room = out->runs > runs ? out->runs - runs : 0;
    if (out->bytes)
        out->bytes_room = out->bytes > bytes ? out->bytes - bytes : 0;
    return ok;
}

static bool has_room(struct store *s, struct slice collection, struct err *e)
{
    int64_t n;
    struct quota quota;
    return collection_find(s, collection, &n, e) && quota_look(s, n, &quota, e) && (quota_has_room(&quota) || quota_reached(&quota, e));
}

bool store_collection_has_room(struct store *s, struct slice collection, struct err *e)
{
    return db_read(s->db, e) && db_end(s->db, has_room(s, collection, e), e);
}

/* ---- pruning ------------------------------------------------------------------------------------------------------------ */

/* Somebody works with the run r. */
#define SPARED \
    "(EXISTS (SELECT 1 FROM label l WHERE l.run = r.n) OR EXISTS (SELECT 1 FROM run_tag t WHERE t.run = r.n AND t.by_hand)" \
    " OR EXISTS (SELECT 1 FROM finding f WHERE f.run = r.n AND (f.status = 1 OR coalesce(f.note, '') <> ''" \
    " OR EXISTS (SELECT 1 FROM label l WHERE l.finding = f.n)))" \
    " OR EXISTS (SELECT 1 FROM span s JOIN finding f ON f.n = s.id >> 26 WHERE s.run = r.n AND f.status = 1))"

struct keys { int64_t *items; size_t n, cap; };

/* The keys that a bound statement gives, with whether each is spared. */
static bool sort_out(struct stmt *q, struct arena *a, struct keys *keys, uint64_t *spared, struct err *e)
{
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        int64_t n = take_int(q);
        if (take_int(q)) {
            ++*spared;
            continue;
        }
        keys->items = arena_grow(a, keys->items, keys->n, &keys->cap, sizeof *keys->items);
        keys->items[keys->n++] = n;
    }
    return step == STEP_DONE;
}

/* What is past its time in one collection. */
static bool list_old(struct store *s, int64_t collection, const struct keep *keep, struct arena *a, struct keys *keys, uint64_t *spared, struct err *e)
{
    if (!keep->age_us && !keep->runs)
        return true;
    struct stmt *q = keep->runs
        ? db_prepare(s->db, "SELECT n, " SPARED " FROM (SELECT n FROM run WHERE collection = $1 ORDER BY imported DESC, place LIMIT -1 OFFSET $2) r", e)
        : db_prepare(s->db, "SELECT n, " SPARED " FROM run r WHERE collection = $1 AND imported < $2 ORDER BY imported, n", e);
    bind_int(q, collection);
    bind_int(q, keep->runs ? keep->runs : clock_now_us() - keep->age_us);
    return sort_out(q, a, keys, spared, e);
}

static bool collections_list(struct store *s, struct slice only, struct arena *a, struct keys *out, struct slices *keeps, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT n, keep FROM collection WHERE $1 IS NULL OR id = $1", e);
    bind_text(q, only);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        out->items = arena_grow(a, out->items, out->n, &out->cap, sizeof *out->items);
        out->items[out->n++] = take_int(q);
        keeps->items = arena_grow(a, keeps->items, keeps->n, &keeps->cap, sizeof *keeps->items);
        keeps->items[keeps->n++] = take_text(q, a);
    }
    return step == STEP_DONE;
}

static bool list_all_old(struct store *s, const struct prune_wish *wish, struct arena *a, struct keys *keys, uint64_t *spared, struct err *e)
{
    struct keys collections = {0};
    struct slices keeps = {0};
    if (!collections_list(s, wish->collection, a, &collections, &keeps, e))
        return false;
    for (size_t i = 0; i < collections.n; i++) {
        struct keep own = wish->keep;
        if (keeps.items[i].len && !keep_parse(keeps.items[i], KEEP_COLLECTION, &own, e))
            return false;
        if (!list_old(s, collections.items[i], &own, a, keys, spared, e))
            return false;
    }
    return true;
}

/* Where the walk from the oldest run on stands. */
struct oldest { int64_t imported, place; };

/* The next oldest runs of collections that have no `keep` of their own: in the order of an index, so that a slice costs no more where one import brought
 * all of them. What was listed before is gone or spared. */
#define OLDEST "SELECT r.n, r.imported, r.place FROM run r JOIN collection c ON c.n = r.collection WHERE c.keep IS NULL"
static bool list_oldest(struct store *s, struct oldest *from, struct arena *a, struct keys *keys, struct err *e)
{
    struct stmt *q = db_prepare(s->db,
        "SELECT * FROM (" OLDEST " AND r.imported = $1 AND r.place <= $2 AND NOT " SPARED " ORDER BY r.place DESC)"
        " UNION ALL SELECT * FROM (" OLDEST " AND r.imported > $1 AND NOT " SPARED " ORDER BY r.imported, r.place DESC) LIMIT $3", e);
    bind_int(q, from->imported);
    bind_int(q, from->place);
    bind_int(q, PRUNE_RUNS);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        keys->items = arena_grow(a, keys->items, keys->n, &keys->cap, sizeof *keys->items);
        keys->items[keys->n++] = take_int(q);
        from->imported = take_int(q);
        from->place = take_int(q);
    }
    return step == STEP_DONE;
}

/* How many runs of a collection have gone, and the row of the log that says so. */
struct tally { int64_t collection, runs, row; bool more; };

/* One pass. */
struct pruning {
    struct store *store;
    const struct prune_wish *wish;
    struct pruned *out;
    struct arena arena;
    struct tally *tallies;
    size_t ntallies, tallies_cap;
};

static void tally_add(struct pruning *p, int64_t collection)
{
    size_t i = 0;
    while (i < p->ntallies && p->tallies[i].collection != collection)
        i++;
    if (i == p->ntallies) {
        p->tallies = arena_grow(&p->arena, p->tallies, p->ntallies, &p->tallies_cap, sizeof *p->tallies);
        p->tallies[p->ntallies++] = (struct tally){.collection = collection};
    }
    p->tallies[i].runs++;
    p->tallies[i].more = true;
}

static bool log_removed(struct pruning *p, struct err *e)
{
    struct arena a = {0};
    bool ok = true;
    for (size_t i = 0; i < p->ntallies && ok; i++) {
        struct tally *t = &p->tallies[i];
        struct collection_row row;
        ok = !t->more || (collection_load(p->store, t->collection, &a, &row, e) &&
                          store_log(p->store, row.id, arena_printf(&a, "{\"deleted_runs\":%lld}", (long long)t->runs), &t->row, e));
        t->more = false;
    }
    arena_free(&a);
    return ok;
}

/* Those that nobody has begun to work with since they were listed. */
static bool remove_slice(struct pruning *p, const int64_t *runs, size_t n, struct err *e)
{
    struct store *s = p->store;
    int64_t free[PRUNE_RUNS];
    size_t nfree = 0;
    for (size_t i = 0; i < n; i++) {
        struct stmt *q = db_prepare(s->db, "SELECT " SPARED ", r.collection FROM run r WHERE r.n = $1", e);
        bind_int(q, runs[i]);
        enum step step = stmt_step(q, e);
        if (step == STEP_ERROR)
            return false;
        bool spared = step == STEP_ROW && take_int(q);
        p->out->spared += spared;
        if (step == STEP_ROW && !spared) {
            free[nfree++] = runs[i];
            tally_add(p, take_int(q));
        }
        stmt_reset(q);
    }
    return runs_remove(s, free, nfree, &p->out->deleted, e) && log_removed(p, e);
}

static bool remove_all(struct pruning *p, const struct keys *keys, struct err *e)
{
    struct store *s = p->store;
    for (size_t i = 0; i < keys->n; i += PRUNE_RUNS) {
        size_t n = keys->n - i < PRUNE_RUNS ? keys->n - i : PRUNE_RUNS;
        if (p->wish->stop && atomic_load(p->wish->stop))
            return err_set(e, ERR_CANCELLED, "stopped; %llu runs are gone", (unsigned long long)p->out->deleted);
        if (!db_write(s->db, e) || !db_end(s->db, remove_slice(p, keys->items + i, n, e), e))
            return false;
    }
    return true;
}

static bool over(struct store *s, int64_t bytes, int64_t *by, struct err *e)
{
    struct store_sizes now;
    if (!store_sizes(s, &now, e))
        return false;
    *by = now.bytes - now.free_bytes > bytes ? now.bytes - now.free_bytes - bytes : 0;
    return true;
}

static bool prune_to_size(struct pruning *p, struct err *e)
{
    struct store *s = p->store;
    int64_t bytes = p->wish->keep.bytes;
    struct oldest from = {.imported = INT64_MIN};
    bool ok = over(s, bytes, &p->out->over_bytes, e), more = true;
    while (ok && more && p->out->over_bytes && !p->wish->dry_run) {
        struct arena a = {0};
        struct keys keys = {0};
        ok = db_read(s->db, e) && db_end(s->db, list_oldest(s, &from, &a, &keys, e), e) && remove_all(p, &keys, e) && over(s, bytes, &p->out->over_bytes, e);
        more = keys.n > 0; /* else all that is left is spared */
        arena_free(&a);
    }
    return ok;
}

bool store_prune(struct store *s, const struct prune_wish *wish, struct pruned *out, struct err *e)
{
    struct pruning p = {.store = s, .wish = wish, .out = out};
    struct keys keys = {0};
    *out = (struct pruned){0};
    bool ok = db_read(s->db, e) && db_end(s->db, list_all_old(s, wish, &p.arena, &keys, &out->spared, e), e);
    if (wish->dry_run)
        out->deleted = keys.n;
    else
        ok = ok && remove_all(&p, &keys, e);
    ok = ok && (!wish->keep.bytes || wish->collection.ptr || prune_to_size(&p, e));
    arena_free(&p.arena);
    return ok;
}

static bool prune_queue(struct store *s, bool always, struct err *e)
{
    struct stmt *q = db_prepare(s->db,
        "INSERT INTO job (id, kind, state, created_at, payload) SELECT $1, 'prune', 0, $2, '{}'"
        " WHERE ($3 OR EXISTS (SELECT 1 FROM collection WHERE keep IS NOT NULL))"
        " AND NOT EXISTS (SELECT 1 FROM job WHERE kind = 'prune' AND state IN (0, 1))", e);
    char id[UUID_TEXT + 1], now[CLOCK_TEXT];
    uuid_random(id);
    clock_text(clock_now_us(), now);
    bind_text(q, slice_str(id));
    bind_text(q, slice_str(now));
    bind_int(q, always);
    return stmt_run(q, e);
}

bool store_prune_queue(struct store *s, bool always, struct err *e)
{
    return db_write(s->db, e) && db_end(s->db, prune_queue(s, always, e), e);
}

/* ---- what ended --------------------------------------------------------------------------------------------------------- */

enum { TIDY_JOBS = 200, TIDY_ITEMS = 10000, TIDY_CHANGES = 1000 };

static void days_ago(int days, char out[CLOCK_TEXT]) { clock_text(clock_now_us() - (int64_t)days * 86400 * 1000000, out); }

/* The runs that a job judged may be a hundred thousand: they go before it. */
static bool tidy_items(struct store *s, int64_t *deleted, struct err *e)
{
    struct stmt *q = db_prepare(s->db,
        "DELETE FROM judge_item WHERE n IN (SELECT i.n FROM job j CROSS JOIN judge_item i ON i.job = j.n"
        " WHERE j.state IN (2, 3, 4) AND j.ended_at < $1 AND j.kind = 'judge' LIMIT $2)", e);
    char judges[CLOCK_TEXT];
    days_ago(JUDGE_JOB_DAYS, judges);
    bind_text(q, slice_str(judges));
    bind_int(q, TIDY_ITEMS);
    bool ok = stmt_run(q, e);
    *deleted = db_changes(s->db);
    return ok;
}

static bool tidy_jobs(struct store *s, struct arena *a, struct slices *uploads, int64_t *deleted, struct err *e)
{
    struct stmt *q = db_prepare(s->db,
        "DELETE FROM job WHERE n IN (SELECT n FROM job WHERE state IN (2, 3, 4) AND ended_at < $1"
        " AND (kind NOT IN ('judge', 'draft') OR ended_at < $2) AND NOT EXISTS (SELECT 1 FROM judge_item WHERE job = job.n)"
        " ORDER BY ended_at LIMIT $3) RETURNING kind = 'import', id", e);
    char jobs[CLOCK_TEXT], judges[CLOCK_TEXT];
    days_ago(JOB_DAYS, jobs);
    days_ago(JUDGE_JOB_DAYS, judges);
    bind_text(q, slice_str(jobs));
    bind_text(q, slice_str(judges));
    bind_int(q, TIDY_JOBS);
    enum step step;
    for (*deleted = 0; (step = stmt_step(q, e)) == STEP_ROW; ++*deleted)
        if (take_int(q)) {
            uploads->items = arena_grow(a, uploads->items, uploads->n, &uploads->cap, sizeof *uploads->items);
            uploads->items[uploads->n++] = take_text(q, a);
        }
    return step == STEP_DONE;
}

/* Its rows come in the order of time. */
static bool tidy_changes(struct store *s, int64_t *deleted, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "DELETE FROM audit WHERE n IN (SELECT n FROM (SELECT n, at FROM audit ORDER BY n LIMIT $1) WHERE at < $2)", e);
    bind_int(q, TIDY_CHANGES);
    bind_int(q, clock_now_us() - (int64_t)AUDIT_DAYS * 86400 * 1000000);
    bool ok = stmt_run(q, e);
    *deleted = db_changes(s->db);
    return ok;
}

static bool tidy(struct store *s, struct arena *a, struct slices *uploads, bool *more, struct err *e)
{
    int64_t items, jobs, changes;
    if (!tidy_items(s, &items, e) || !tidy_jobs(s, a, uploads, &jobs, e) || !tidy_changes(s, &changes, e))
        return false;
    *more = items == TIDY_ITEMS || jobs == TIDY_JOBS || changes == TIDY_CHANGES;
    return true;
}

bool store_tidy(struct store *s, struct arena *a, struct slices *uploads, bool *more, struct err *e)
{
    return db_write(s->db, e) && db_end(s->db, tidy(s, a, uploads, more, e), e);
}

/* ---- vacuum -------------------------------------------------------------------------------------------------------------- */

bool store_vacuum(struct store *s, int64_t pages, bool *more, struct err *e)
{
    struct store_sizes before, after;
    if (!store_sizes(s, &before, e) || !db_vacuum(s->db, pages, e) || !store_sizes(s, &after, e))
        return false;
    *more = after.free_bytes && after.bytes < before.bytes;
    return true;
}
