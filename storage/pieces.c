#include "storage/pieces.h"

#include "base/clock.h"
#include "text/secrets.h"

#include <endian.h>
#include <stdlib.h>
#include <zstd.h>

/* What is stored in a row is one zstd frame of pieces, each: length of its id, length of its body (32-bit little-endian), rank (64-bit),
 * id, body. A request makes a row of each group that it touches; a build makes one of them all, in which the conversation so far, that
 * every model call of a trace repeats, takes room once. */

enum {
    QUIET_US = 1000000,   /* a group is built when nothing came for so long, */
    LONGEST_US = 5000000, /* or when the first that is not built has waited for so long; */
    QUIET_SHARE = 8,      /* both longer for a large one, by a microsecond a byte (of the first, by an eighth of that) */
    ATTEMPTS_MAX = 3,
    AGAIN_US = 30000000,  /* before another try after a build that failed */
    ZSTD_LEVEL = 3,
    WINDOW_MOST = 27,     /* 128 MB: how far back a repetition is seen */
};

struct head {
    uint32_t id, body;
    uint64_t rank;
};

/* ---- packing --------------------------------------------------------------------------------------------------------- */

static void add_raw(struct str *out, const struct piece *p)
{
    struct head head = {htole32((uint32_t)p->id.len), htole32((uint32_t)p->body.len), htole64((uint64_t)p->rank)};
    str_add(out, (const char *)&head, sizeof head);
    str_add_slice(out, p->id);
    str_add_slice(out, p->body);
}

static ZSTD_CCtx *packer(void)
{
    ZSTD_CCtx *zstd = ZSTD_createCCtx();
    if (!zstd)
        abort();
    return zstd;
}

static struct slice pack(ZSTD_CCtx *zstd, struct arena *a, struct slice raw)
{
    int window = 20;
    while (window < WINDOW_MOST && (size_t)1 << window < raw.len)
        window++;
    ZSTD_CCtx_reset(zstd, ZSTD_reset_session_and_parameters);
    ZSTD_CCtx_setParameter(zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL);
    ZSTD_CCtx_setParameter(zstd, ZSTD_c_checksumFlag, 1);
    if ((size_t)1 << 20 < raw.len) {
        ZSTD_CCtx_setParameter(zstd, ZSTD_c_windowLog, window);
        ZSTD_CCtx_setParameter(zstd, ZSTD_c_enableLongDistanceMatching, 1);
    }
    size_t bound = ZSTD_compressBound(raw.len);
    char *room = malloc(bound);
    if (!room)
        abort();
    size_t n = ZSTD_compress2(zstd, room, bound, raw.ptr, raw.len);
    if (ZSTD_isError(n)) /* there is room, so it can only be out of memory */
        abort();
    struct slice data = arena_dup(a, slice_of(room, n));
    free(room);
    return data;
}

static bool damaged(struct err *e) { return err_set(e, ERR_IO, "pieces of a trace are damaged in the database; restore a backup"); }

static bool unpack(struct arena *a, struct slice data, struct slice *out, struct err *e)
{
    unsigned long long size = ZSTD_getFrameContentSize(data.ptr, data.len);
    if (size > 2 * (unsigned long long)PIECES_OF_GROUP) /* unknown and error are larger than any */
        return damaged(e);
    char *raw = arena_alloc(a, size + 1);
    size_t n = ZSTD_decompress(raw, size, data.ptr, data.len);
    *out = slice_of(raw, (size_t)size);
    return n == size || damaged(e);
}

/* The next of a row's pieces, which is taken off. */
static bool take_raw(struct slice *raw, struct piece *out, struct err *e)
{
    struct head head;
    if (raw->len < sizeof head)
        return damaged(e);
    memcpy(&head, raw->ptr, sizeof head);
    size_t id = le32toh(head.id), body = le32toh(head.body);
    *raw = slice_sub(*raw, sizeof head, raw->len);
    if (raw->len < id + body)
        return damaged(e);
    *out = (struct piece){.id = slice_sub(*raw, 0, id), .body = slice_sub(*raw, id, body), .rank = (int64_t)le64toh(head.rank)};
    *raw = slice_sub(*raw, id + body, raw->len);
    return true;
}

/* ---- adding ---------------------------------------------------------------------------------------------------------- */

/* The pieces of one group in a call: [first, first + n) of the sorted list. */
struct bundle {
    struct piece **items;
    size_t n;
    uint64_t bytes;
    struct slice data;
};

static int by_path(const void *a, const void *b)
{
    const struct piece *x = *(struct piece *const *)a, *y = *(struct piece *const *)b;
    int order = slice_cmp(x->path, y->path);
    return order ? order : (x > y) - (x < y); /* in the order in which they came */
}

static size_t bundle_all(struct arena *a, struct piece *items, size_t n, struct bundle **out)
{
    struct piece **sorted = arena_array(a, struct piece *, n);
    struct bundle *bundles = *out = arena_array(a, struct bundle, n);
    ZSTD_CCtx *zstd = packer();
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        sorted[i] = &items[i];
    qsort(sorted, n, sizeof *sorted, by_path);
    for (size_t i = 0; i < n; count++) {
        struct bundle *b = &bundles[count];
        struct str raw = STR_INIT(SIZE_MAX);
        b->items = &sorted[i];
        for (; i < n && slice_eq(sorted[i]->path, b->items[0]->path); i++, b->n++)
            add_raw(&raw, sorted[i]);
        b->bytes = raw.len;
        b->data = pack(zstd, a, str_slice(&raw));
        str_free(&raw);
    }
    ZSTD_freeCCtx(zstd);
    return count;
}

static bool find_group(struct store *s, int64_t collection, struct slice path, int64_t *n, uint64_t *bytes, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT n, bytes FROM piece_group WHERE collection = $1 AND path = $2", e);
    bind_int(q, collection);
    bind_text(q, path);
    *n = 0;
    *bytes = 0;
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        *n = take_int(q);
        *bytes = (uint64_t)take_int(q);
    }
    return step == STEP_DONE;
}

static bool add_group(struct store *s, int64_t collection, struct slice path, int64_t *n, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "INSERT INTO piece_group (collection, path) VALUES ($1, $2)", e);
    bind_int(q, collection);
    bind_text(q, path);
    bool ok = stmt_run(q, e);
    *n = db_last_id(s->db);
    return ok;
}

/* What comes new deserves new attempts: they are counted from nothing. */
static bool add_bundle(struct store *s, int64_t collection, struct bundle *b, int64_t now, struct err *e)
{
    int64_t group;
    uint64_t bytes;
    struct slice path = b->items[0]->path;
    if (!find_group(s, collection, path, &group, &bytes, e))
        return false;
    if (bytes + b->bytes > PIECES_OF_GROUP) {
        for (size_t i = 0; i < b->n; i++)
            b->items[i]->refused = true;
        return true;
    }
    if (!group && !add_group(s, collection, path, &group, e))
        return false;
    struct stmt *q = db_prepare(s->db, "INSERT INTO piece (piece_group, data) VALUES ($1, $2)", e);
    bind_int(q, group);
    bind_blob(q, b->data);
    if (!stmt_run(q, e))
        return false;
    bytes += b->bytes;
    q = db_prepare(s->db,
        "UPDATE piece_group SET bytes = $1, since = coalesce(since, $2), due = min($3, coalesce(since, $2) + $4), attempts = 0 WHERE n = $5", e);
    bind_int(q, (int64_t)bytes);
    bind_int(q, now);
    bind_int(q, now + QUIET_US + (int64_t)bytes / QUIET_SHARE);
    bind_int(q, LONGEST_US + (int64_t)bytes);
    bind_int(q, group);
    return stmt_run(q, e);
}

/* When the next of a collection's groups is due; 0: none is. */
static bool next_due(struct store *s, int64_t collection, int64_t *due, struct err *e)
{
    struct stmt *q = db_prepare(s->db,
        "SELECT coalesce(min(due), 0) FROM piece_group WHERE collection = $1 AND due IS NOT NULL AND attempts < $2", e);
    bind_int(q, collection);
    bind_int(q, ATTEMPTS_MAX);
    return stmt_int(q, due, e) == STEP_ROW;
}

/* Each collection has one job that builds; it goes back to the queue when there is something to do, to begin `earliest` then. One that
 * runs will look again when it is done. One that waits after a failure (it has an error) is not begun sooner for what comes meanwhile. */
static bool wake_job(struct store *s, int64_t collection, int64_t earliest, struct err *e)
{
    char id[UUID_TEXT + 1], text[CLOCK_TEXT];
    int64_t due;
    if (!next_due(s, collection, &due, e))
        return false;
    if (!due)
        return true;
    uuid_random(id);
    clock_text(clock_now_us(), text);
    struct stmt *q = db_prepare(s->db,
        "INSERT INTO job (id, kind, collection, key, state, created_at, payload, begin_at)"
        " SELECT $1, 'build', id, '', 0, $2, '{}', $3 FROM collection WHERE n = $4"
        " ON CONFLICT (kind, coalesce(collection, ''), key) WHERE key IS NOT NULL DO UPDATE SET state = 0, cancel = 0, attempts = 0,"
        " begin_at = CASE WHEN state = 0 AND error IS NOT NULL THEN max(begin_at, excluded.begin_at) ELSE excluded.begin_at END,"
        " started_at = NULL, ended_at = NULL, progress = NULL, result = NULL WHERE state <> 1", e);
    bind_text(q, slice_str(id));
    bind_text(q, slice_str(text));
    bind_int(q, due > earliest ? due : earliest);
    bind_int(q, collection);
    return stmt_run(q, e);
}

static bool add_all(struct store *s, struct slice collection, struct bundle *bundles, size_t n, struct err *e)
{
    int64_t key, now = clock_now_us();
    if (!collection_find(s, collection, &key, e))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!add_bundle(s, key, &bundles[i], now, e))
            return false;
    return wake_job(s, key, 0, e);
}

bool store_pieces_add(struct store *s, struct slice collection, struct piece *items, size_t n, struct err *e)
{
    struct arena a = {0};
    struct bundle *bundles;
    size_t count = bundle_all(&a, items, n, &bundles);
    bool ok = db_write(s->db, e) && db_end(s->db, add_all(s, collection, bundles, count, e), e);
    arena_free(&a);
    return ok;
}

bool pieces_go_on(struct store *s, int64_t job, bool failed, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT c.n FROM job j JOIN collection c ON c.id = j.collection WHERE j.n = $1 AND j.kind = 'build'", e);
    bind_int(q, job);
    int64_t collection = 0;
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW)
        collection = take_int(q);
    return step == STEP_DONE && (!collection || wake_job(s, collection, failed ? clock_now_us() + AGAIN_US : 0, e));
}

/* The next collection after `last` that has something to build; 0: none. */
static bool next_collection(struct store *s, int64_t last, int64_t *next, struct err *e)
{
    struct stmt *q = db_prepare(s->db,
        "SELECT coalesce(min(collection), 0) FROM piece_group WHERE collection > $1 AND due IS NOT NULL AND attempts < $2", e);
    bind_int(q, last);
    bind_int(q, ATTEMPTS_MAX);
    return stmt_int(q, next, e) == STEP_ROW;
}

bool pieces_wake_all(struct store *s, struct err *e)
{
    int64_t collection = 0;
    do {
        if (!next_collection(s, collection, &collection, e) || (collection && !wake_job(s, collection, 0, e)))
            return false;
    } while (collection);
    return true;
}

/* ---- building -------------------------------------------------------------------------------------------------------- */

/* A group that was being built when a server died is built alone: should it be the one that kills, no other counts attempts with it. */
static bool begin(struct store *s, struct slice collection, size_t limit, uint64_t bytes, struct arena *a, struct piece_group **out, size_t *n,
                  struct err *e)
{
    int64_t key;
    uint64_t total = 0;
    if (!collection_find(s, collection, &key, e))
        return false;
    struct piece_group *groups = *out = arena_array(a, struct piece_group, limit);
    struct stmt *q = db_prepare(s->db,
        "SELECT n, bytes, attempts FROM piece_group WHERE collection = $1 AND due <= $2 AND attempts < $3 ORDER BY due LIMIT $4", e);
    bind_int(q, key);
    bind_int(q, clock_now_us());
    bind_int(q, ATTEMPTS_MAX);
    bind_int(q, (int64_t)limit);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        struct piece_group group = {.n = take_int(q), .bytes = (uint64_t)take_int(q)};
        bool alone = take_int(q) > 0;
        if (*n && alone)
            continue;
        total += group.bytes;
        if (!*n || total <= bytes)
            groups[(*n)++] = group;
        if (alone || total > bytes) {
            stmt_reset(q);
            step = STEP_DONE;
            break;
        }
    }
    for (size_t i = 0; i < *n && step == STEP_DONE; i++) {
        q = db_prepare(s->db, "UPDATE piece_group SET attempts = attempts + 1 WHERE n = $1", e);
        bind_int(q, groups[i].n);
        if (!stmt_run(q, e))
            return false;
    }
    return step == STEP_DONE;
}

bool store_piece_groups_begin(struct store *s, struct slice collection, size_t limit, uint64_t bytes, struct arena *a, struct piece_group **out,
                              size_t *n, struct err *e)
{
    *n = 0;
    return db_write(s->db, e) && db_end(s->db, begin(s, collection, limit, bytes, a, out, n, e), e);
}

bool store_piece_groups_given_up(struct store *s, struct slice collection, size_t limit, struct arena *a, struct slices *out, struct err *e)
{
    *out = (struct slices){0};
    struct stmt *q = db_prepare(s->db,
        "SELECT g.path FROM piece_group g JOIN collection c ON c.n = g.collection WHERE c.id = $1 AND g.due IS NOT NULL AND g.attempts >= $2"
        " ORDER BY g.n LIMIT $3", e);
    bind_text(q, collection);
    bind_int(q, ATTEMPTS_MAX);
    bind_int(q, (int64_t)limit);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        out->items = arena_grow(a, out->items, out->n, &out->cap, sizeof *out->items);
        out->items[out->n++] = take_text(q, a);
    }
    return step == STEP_DONE;
}

struct loaded { /* a piece and the place where its id was first met */
    struct piece piece;
    size_t place;
};

static int by_id(const void *a, const void *b)
{
    const struct loaded *x = a, *y = b;
    int order = slice_cmp(x->piece.id, y->piece.id);
    return order ? order : (x->place > y->place) - (x->place < y->place);
}

static int by_place(const void *a, const void *b)
{
    const struct loaded *x = a, *y = b;
    return (x->place > y->place) - (x->place < y->place);
}

/* Each id once, in the place where it was first met. */
static size_t merge(struct loaded *items, size_t n)
{
    size_t kept = 0;
    qsort(items, n, sizeof *items, by_id);
    for (size_t i = 0; i < n; i++) {
        struct loaded *last = kept ? &items[kept - 1] : NULL;
        if (!last || !slice_eq(last->piece.id, items[i].piece.id))
            items[kept++] = items[i];
        else if (items[i].piece.rank >= last->piece.rank)
            last->piece = items[i].piece;
    }
    qsort(items, kept, sizeof *items, by_place);
    return kept;
}

static bool load(struct store *s, struct piece_group *group, struct arena *a, struct err *e)
{
    struct loaded *items = NULL;
    size_t n = 0, cap = 0;
    struct stmt *q = db_prepare(s->db,
        "SELECT g.path, g.bytes, g.redacted, p.n, p.data FROM piece_group g JOIN piece p ON p.piece_group = g.n WHERE g.n = $1 ORDER BY p.n", e);
    bind_int(q, group->n);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        struct slice raw;
        if (!group->path.ptr)
            group->path = take_text(q, a);
        else
            take_bytes(q);
        group->bytes = (uint64_t)take_int(q);
        group->redacted = take_int(q);
        group->last = take_int(q);
        if (!unpack(a, take_bytes(q), &raw, e))
            return false;
        while (raw.len) {
            items = arena_grow(a, items, n, &cap, sizeof *items);
            items[n].place = n;
            if (!take_raw(&raw, &items[n++].piece, e))
                return false;
        }
    }
    group->nitems = n ? merge(items, n) : 0;
    group->items = arena_array(a, struct piece, group->nitems);
    for (size_t i = 0; i < group->nitems; i++)
        group->items[i] = items[i].piece;
    return step == STEP_DONE;
}

bool store_piece_group_load(struct store *s, struct piece_group *group, struct arena *a, struct err *e)
{
    return db_read(s->db, e) && db_end(s->db, load(s, group, a, e), e);
}

static bool find(struct store *s, struct slice collection, struct slice path, struct piece_group *out, struct err *e)
{
    int64_t key;
    *out = (struct piece_group){0};
    if (!collection_find(s, collection, &key, e))
        return false;
    struct stmt *q = db_prepare(s->db, "SELECT n FROM piece_group WHERE collection = $1 AND path = $2", e);
    bind_int(q, key);
    bind_text(q, path);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW)
        out->n = take_int(q);
    return step == STEP_DONE;
}

bool store_piece_group_find(struct store *s, struct slice collection, struct slice path, struct piece_group *out, struct err *e)
{
    return db_read(s->db, e) && db_end(s->db, find(s, collection, path, out, e), e);
}

static bool wake(struct store *s, struct slice collection, struct slice path, struct err *e)
{
    struct piece_group group;
    int64_t now = clock_now_us();
    if (!find(s, collection, path, &group, e))
        return false;
    struct stmt *q = db_prepare(s->db, "UPDATE piece_group SET since = coalesce(since, $1), due = coalesce(due, $1) WHERE n = $2", e);
    bind_int(q, now);
    bind_int(q, group.n);
    return stmt_run(q, e);
}

bool store_piece_group_wake(struct store *s, struct slice collection, struct slice path, struct err *e)
{
    return db_write(s->db, e) && db_end(s->db, wake(s, collection, path, e), e);
}

/* The rows that were loaded become one. */
static bool join_rows(struct store *s, const struct piece_group *group, struct slice data, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "DELETE FROM piece WHERE piece_group = $1 AND n < $2", e);
    bind_int(q, group->n);
    bind_int(q, group->last);
    if (!stmt_run(q, e))
        return false;
    q = db_prepare(s->db, "UPDATE piece SET data = $1 WHERE n = $2", e);
    bind_blob(q, data);
    bind_int(q, group->last);
    return stmt_run(q, e);
}

struct packed { /* of a group without pieces: none */
    struct slice data;
    uint64_t bytes;
};

static bool is_still(struct store *s, const struct piece_group *group, bool *still, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT redacted <> $1 FROM piece_group WHERE n = $2", e);
    bind_int(q, group->redacted);
    bind_int(q, group->n);
    int64_t changed = 0;
    enum step step = stmt_int(q, &changed, e);
    *still = !changed;
    return step != STEP_ERROR;
}

bool pieces_still(struct store *s, const struct piece_groups *groups, struct err *e)
{
    bool still = true;
    for (size_t i = 0; i < groups->n && still; i++)
        if (!is_still(s, &groups->items[i], &still, e))
            return false;
    return still || err_set(e, ERR_BUSY, "secrets were taken out of what these runs are built of: they are built again");
}

static bool end(struct store *s, const struct piece_group *group, const struct packed *packed, struct err *e)
{
    bool still;
    if (!is_still(s, group, &still, e))
        return false;
    if (!still) /* what was loaded would bring the secrets back */
        packed = NULL;
    struct stmt *q = db_prepare(s->db, "UPDATE piece_group SET attempts = 0, bytes = bytes - $1 + $2 WHERE n = $3", e);
    bind_int(q, packed ? (int64_t)group->bytes : 0);
    bind_int(q, packed ? (int64_t)packed->bytes : 0);
    bind_int(q, group->n);
    if (!stmt_run(q, e))
        return false;
    if (!packed || !db_changes(s->db)) /* not built, or deleted meanwhile */
        return true;
    if (packed->data.ptr && !join_rows(s, group, packed->data, e))
        return false;
    q = db_prepare(s->db, "UPDATE piece_group SET since = NULL, due = NULL WHERE n = $1 AND NOT EXISTS"
                          " (SELECT 1 FROM piece WHERE piece_group = $1 AND n > $2)", e);
    bind_int(q, group->n);
    bind_int(q, group->last);
    return stmt_run(q, e);
}

static bool end_all(struct store *s, const struct piece_group *groups, const struct packed *packed, size_t n, struct err *e)
{
    for (size_t i = 0; i < n; i++)
        if (!end(s, &groups[i], packed ? &packed[i] : NULL, e))
            return false;
    return true;
}

bool store_piece_groups_end(struct store *s, const struct piece_group *groups, size_t n, bool built, struct err *e)
{
    struct arena a = {0};
    struct packed *packed = arena_array(&a, struct packed, n);
    ZSTD_CCtx *zstd = packer();
    for (size_t i = 0; i < n && built; i++) {
        struct str raw = STR_INIT(SIZE_MAX);
        for (size_t k = 0; k < groups[i].nitems; k++)
            add_raw(&raw, &groups[i].items[k]);
        if (raw.len)
            packed[i] = (struct packed){pack(zstd, &a, str_slice(&raw)), raw.len};
        str_free(&raw);
    }
    ZSTD_freeCCtx(zstd);
    bool ok = db_write(s->db, e) && db_end(s->db, end_all(s, groups, built ? packed : NULL, n, e), e);
    arena_free(&a);
    return ok;
}

bool pieces_redact(struct redaction *r, struct slice *packed, struct err *e)
{
    struct slice raw;
    struct piece piece;
    struct str out = STR_INIT(SIZE_MAX);
    uint64_t before = r->replaced;
    bool ok = unpack(r->arena, *packed, &raw, e);
    while (ok && raw.len)
        if ((ok = take_raw(&raw, &piece, e) && redact_json(r, &piece.body, e)))
            add_raw(&out, &piece);
    if (ok && r->replaced != before) {
        ZSTD_CCtx *zstd = packer();
        *packed = pack(zstd, r->arena, str_slice(&out));
        ZSTD_freeCCtx(zstd);
    }
    str_free(&out);
    return ok;
}

bool pieces_changed(struct store *s, int64_t piece, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "UPDATE piece_group SET redacted = redacted + 1 WHERE n = (SELECT piece_group FROM piece WHERE n = $1)", e);
    bind_int(q, piece);
    return stmt_run(q, e);
}
