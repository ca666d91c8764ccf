#include "storage/columns_in.h"

#include <stdlib.h>

/* ---- what is kept, for all threads ------------------------------------------------------------------------------------ */

enum { KEPT_MAX = 1 << 30 }; /* bytes, of all collections together */

static struct {
    pthread_mutex_t lock;
    struct part *first;
    uint64_t clock;
} kept = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void part_free(struct part *p)
{
    pthread_mutex_destroy(&p->lock);
    arena_free(&p->a);
    free(p);
}

/* Takes it out of the list; it goes now, or with its last user. */
static void drop(struct part *p)
{
    struct part **at = &kept.first;
    while (*at && *at != p)
        at = &(*at)->next;
    if (*at)
        *at = p->next;
    p->dropped = true;
    if (!p->users)
        part_free(p);
}

/* The one used longest ago goes first. What is being used may be over the maximum until it is given back. */
static void make_room(void)
{
    for (;;) {
        size_t total = 0;
        struct part *oldest = NULL;
        for (struct part *p = kept.first; p; p = p->next) {
            total += p->users ? 0 : p->a.total;
            if (!p->users && (!oldest || p->used < oldest->used))
                oldest = p;
        }
        if (total <= KEPT_MAX || !oldest)
            return;
        drop(oldest);
    }
}

static struct part *part_new(const struct part *like)
{
    struct part *p = calloc(1, sizeof *p);
    if (!p)
        abort();
    *p = (struct part){.kind = like->kind, .runs_version = like->runs_version, .version = like->version};
    p->path = arena_dup(&p->a, like->path);
    p->id = arena_dup(&p->a, like->id);
    pthread_mutex_init(&p->lock, NULL);
    return p;
}

/* The part that is like this one: kept, or new and empty. An older one is of no more use; where a newer one is kept, what is new here goes
 * with its user. */
static struct part *take(const struct part *like)
{
    struct part *found = NULL;
    bool newer = slice_is(like->path, ":memory:");
    pthread_mutex_lock(&kept.lock);
    for (struct part *p = kept.first, *next; p; p = next) {
        next = p->next;
        if (p->kind != like->kind || !slice_eq(p->path, like->path) || !slice_eq(p->id, like->id))
            continue;
        if (p->version == like->version && p->runs_version == like->runs_version)
            found = p;
        else if (p->version <= like->version && p->runs_version <= like->runs_version)
            drop(p);
        else
            newer = true;
    }
    if (!found) {
        found = part_new(like);
        found->dropped = newer;
        if (!newer) {
            found->next = kept.first;
            kept.first = found;
        }
    }
    found->users++;
    found->used = ++kept.clock;
    pthread_mutex_unlock(&kept.lock);
    return found;
}

void columns_done(struct columns *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&kept.lock);
    for (int k = 0; k < PART_COUNT; k++)
        if (!--c->parts[k]->users && c->parts[k]->dropped)
            part_free(c->parts[k]);
    make_room();
    pthread_mutex_unlock(&kept.lock);
    arena_free(&c->a);
    free(c);
}

/* What a load that failed has left goes: nobody was shown it. */
static void empty(struct part *p)
{
    struct arena names = {0};
    p->path = arena_dup(&names, p->path);
    p->id = arena_dup(&names, p->id);
    arena_free(&p->a);
    p->a = names;
    p->items = NULL;
    p->keys = NULL;
    p->nitems = p->cap = p->n = 0;
}

/* Under the lock of the part. */
static bool load_part(struct columns *c, struct store *s, enum part_kind kind, struct err *e)
{
    static bool (*const loads[PART_COUNT])(struct columns *, struct store *, struct err *) = {
        [PART_RUNS] = columns_load_runs, [PART_TAGS] = columns_load_tags, [PART_FOUND] = columns_load_found,
    };
    struct part *p = c->parts[kind];
    if (!p->loaded && !(p->loaded = loads[kind](c, s, e)))
        empty(p);
    return p->loaded;
}

bool columns_of(struct store *s, int64_t collection, struct columns **out, struct err *e)
{
    struct part like = {.path = slice_str(db_path(s->db))};
    *out = NULL;
    struct stmt *q = db_prepare(s->db, "SELECT id, runs_version, tags_version, findings_version FROM collection WHERE n = $1", e);
    bind_int(q, collection);
    if (stmt_step(q, e) != STEP_ROW)
        return false;
    struct columns *c = calloc(1, sizeof *c);
    if (!c)
        abort();
    c->collection = collection;
    like.id = take_bytes(q);
    like.runs_version = take_int(q);
    for (int k = 0; k < PART_COUNT; k++) {
        like.kind = (enum part_kind)k;
        like.version = k == PART_RUNS ? like.runs_version : take_int(q);
        c->parts[k] = take(&like);
    }
    stmt_reset(q);
    struct part *runs = c->parts[PART_RUNS];
    pthread_mutex_lock(&runs->lock);
    bool ok = load_part(c, s, PART_RUNS, e);
    c->n = runs->n;
    c->keys = runs->keys;
    pthread_mutex_unlock(&runs->lock);
    if (!ok) {
        columns_done(c);
        return false;
    }
    *out = c;
    return true;
}

/* ---- what is in them -------------------------------------------------------------------------------------------------- */

size_t columns_runs(const struct columns *c) { return c->n; }
int64_t columns_key(const struct columns *c, size_t run) { return c->keys[run]; }

size_t columns_place(const struct columns *c, int64_t key, size_t *hint)
{
    size_t low = *hint, high;
    if (low + 1 < c->n && c->keys[low + 1] == key) /* mostly the next one is asked for, or the same again */
        return *hint = low + 1;
    if (low < c->n && c->keys[low] == key)
        return low;
    for (low = 0, high = c->n; low < high;) {
        size_t middle = low + (high - low) / 2;
        if (c->keys[middle] < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low < c->n && c->keys[low] == key ? (*hint = low) : SIZE_MAX;
}

struct column *columns_add(struct part *p, struct slice name)
{
    p->items = arena_grow(&p->a, p->items, p->nitems, &p->cap, sizeof *p->items);
    struct column *column = arena_new(&p->a, struct column);
    column->name = arena_dup(&p->a, name);
    return p->items[p->nitems++] = column;
}

struct column *columns_find(const struct part *p, struct slice name)
{
    for (size_t i = 0; i < p->nitems; i++)
        if (slice_eq(p->items[i]->name, name))
            return p->items[i];
    return NULL;
}

static enum part_kind part_of(struct slice name)
{
    static const char *const found[] = {"kind", "behavior", "detector", "findings"};
    for (size_t i = 0; i < sizeof found / sizeof *found; i++)
        if (slice_is(name, found[i]))
            return PART_FOUND;
    return slice_is(name, "tag") ? PART_TAGS : PART_RUNS;
}

/* What of PART_RUNS is read only when it is asked for. */
static bool load_more(struct columns *c, struct store *s, struct slice name, struct err *e)
{
    const struct part *p = c->parts[PART_RUNS];
    if (slice_is(name, "name") || slice_is(name, "id"))
        return columns_load_names(c, s, name, e);
    if (slice_starts(name, "score.") && !p->has_scores && !columns_load_scores(c, s, SLICE_NONE, e))
        return false;
    if (slice_starts(name, "score.") && p->more_scores && !columns_find(p, name))
        return columns_load_scores(c, s, slice_sub(name, strlen("score."), name.len), e);
    if (slice_starts(name, "meta.") && (!p->has_metadata || p->more_metadata))
        return columns_load_metadata(c, s, slice_sub(name, strlen("meta."), name.len), e);
    return true;
}

bool columns_get(struct columns *c, struct store *s, struct slice name, const struct column **out, struct err *e)
{
    enum part_kind kind = part_of(name);
    struct part *p = c->parts[kind];
    pthread_mutex_lock(&p->lock);
    bool ok = load_part(c, s, kind, e);
    *out = ok ? columns_find(p, name) : NULL;
    if (ok && !*out && kind == PART_RUNS) {
        ok = load_more(c, s, name, e);
        *out = ok ? columns_find(p, name) : NULL;
    }
    pthread_mutex_unlock(&p->lock);
    if (ok && !*out && (slice_starts(name, "score.") || slice_starts(name, "meta.")))
        *out = &p->none;
    return ok && (*out || err_set(e, ERR_USAGE, "runs have no field \"%.*s\"", SLICE_ARG(slice_cut(name, 100))));
}

bool columns_all(struct columns *c, struct store *s, const struct column ***out, size_t *n, struct err *e)
{
    size_t cap = 0;
    bool ok = true;
    *out = NULL;
    *n = 0;
    for (int k = 0; ok && k < PART_COUNT; k++) {
        struct part *p = c->parts[k];
        pthread_mutex_lock(&p->lock);
        ok = load_part(c, s, (enum part_kind)k, e) &&
             (k != PART_RUNS || ((p->has_scores || columns_load_scores(c, s, SLICE_NONE, e)) && (p->has_metadata || columns_load_metadata(c, s, SLICE_NONE, e))));
        for (size_t i = 0; ok && i < p->nitems; i++) {
            *out = arena_grow(&c->a, *out, *n, &cap, sizeof **out);
            (*out)[(*n)++] = p->items[i];
        }
        pthread_mutex_unlock(&p->lock);
    }
    return ok;
}

bool columns_found(struct columns *c, struct store *s, const struct found **out, struct err *e)
{
    struct part *p = c->parts[PART_FOUND];
    pthread_mutex_lock(&p->lock);
    bool ok = load_part(c, s, PART_FOUND, e);
    *out = &p->found;
    pthread_mutex_unlock(&p->lock);
    return ok;
}
