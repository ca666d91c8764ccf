#include "storage/columns_in.h"

#include <stdlib.h>

/* ---- what is kept, for all threads ------------------------------------------------------------------------------------ */

enum { KEPT_MAX = 1 << 30 }; /* bytes, of all collections together */

static struct {
    pthread_mutex_t lock;
    struct columns *first;
    uint64_t clock;
} kept = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void columns_free(struct columns *c)
{
    pthread_mutex_destroy(&c->lock);
    arena_free(&c->a);
    free(c);
}

/* Takes it out of the list; it goes now, or with its last user. */
static void drop(struct columns *c)
{
    struct columns **at = &kept.first;
    while (*at && *at != c)
        at = &(*at)->next;
    if (*at)
        *at = c->next;
    c->dropped = true;
    if (!c->users)
        columns_free(c);
}

/* The one used longest ago goes first. What is being filled may be over the maximum until it is given back. */
static void make_room(void)
{
    for (;;) {
        size_t total = 0;
        struct columns *oldest = NULL;
        for (struct columns *c = kept.first; c; c = c->next) {
            total += c->users ? 0 : c->a.total;
            if (!c->users && (!oldest || c->used < oldest->used))
                oldest = c;
        }
        if (total <= KEPT_MAX || !oldest)
            return;
        drop(oldest);
    }
}

static bool is_of(const struct columns *c, struct slice path, struct slice id) { return slice_eq(c->path, path) && slice_eq(c->id, id); }

/* An older version is of no more use; only this or a newer one stays. */
static struct columns *take_kept(struct slice path, struct slice id, int64_t version)
{
    struct columns *found = NULL;
    pthread_mutex_lock(&kept.lock);
    for (struct columns *c = kept.first, *next; c; c = next) {
        next = c->next;
        if (!is_of(c, path, id))
            continue;
        if (c->version == version)
            found = c;
        else if (c->version < version)
            drop(c);
    }
    if (found) {
        found->users++;
        found->used = ++kept.clock;
    }
    pthread_mutex_unlock(&kept.lock);
    return found;
}

/* Two threads may have read the same: the second one's goes with its request. */
static void keep(struct columns *c)
{
    pthread_mutex_lock(&kept.lock);
    c->dropped = slice_is(c->path, ":memory:");
    for (struct columns *k = kept.first; k; k = k->next)
        c->dropped |= is_of(k, c->path, c->id) && k->version >= c->version;
    if (!c->dropped) {
        c->next = kept.first;
        kept.first = c;
        c->used = ++kept.clock;
    }
    pthread_mutex_unlock(&kept.lock);
}

void columns_done(struct columns *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&kept.lock);
    if (!--c->users && c->dropped)
        columns_free(c);
    make_room();
    pthread_mutex_unlock(&kept.lock);
}

bool columns_of(struct store *s, int64_t collection, struct columns **out, struct err *e)
{
    struct arena a = {0};
    struct slice path = slice_str(db_path(s->db));
    *out = NULL;
    struct stmt *q = db_prepare(s->db, "SELECT id, version FROM collection WHERE n = $1", e);
    bind_int(q, collection);
    if (stmt_step(q, e) != STEP_ROW)
        return false;
    struct slice id = take_text(q, &a);
    int64_t version = take_int(q);
    stmt_reset(q);
    struct columns *c = take_kept(path, id, version);
    bool ok = true;
    if (!c) {
        c = calloc(1, sizeof *c);
        if (!c)
            abort();
        *c = (struct columns){.collection = collection, .version = version, .users = 1};
        c->path = arena_dup(&c->a, path);
        c->id = arena_dup(&c->a, id);
        pthread_mutex_init(&c->lock, NULL);
        ok = columns_load_runs(c, s, e);
        if (ok)
            keep(c);
        else
            columns_free(c);
    }
    arena_free(&a);
    *out = ok ? c : NULL;
    return ok;
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

struct column *columns_add(struct columns *c, struct slice name)
{
    c->items = arena_grow(&c->a, c->items, c->nitems, &c->cap, sizeof *c->items);
    struct column *column = arena_new(&c->a, struct column);
    column->name = arena_dup(&c->a, name);
    return c->items[c->nitems++] = column;
}

struct column *columns_find(const struct columns *c, struct slice name)
{
    for (size_t i = 0; i < c->nitems; i++)
        if (slice_eq(c->items[i]->name, name))
            return c->items[i];
    return NULL;
}

static bool load(struct columns *c, struct store *s, struct slice name, struct err *e)
{
    if (slice_is(name, "name") || slice_is(name, "id"))
        return columns_load_names(c, s, name, e);
    if (slice_is(name, "tag") && !c->has_tags)
        return columns_load_tags(c, s, e);
    if ((slice_is(name, "kind") || slice_is(name, "behavior") || slice_is(name, "detector")) && !c->has_found)
        return columns_load_found(c, s, e);
    if (slice_starts(name, "score.") && !c->has_scores)
        return columns_load_scores(c, s, e);
    if (slice_starts(name, "meta.") && !c->has_metadata)
        return columns_load_metadata(c, s, slice_sub(name, strlen("meta."), name.len), e);
    return true;
}

bool columns_get(struct columns *c, struct store *s, struct slice name, const struct column **out, struct err *e)
{
    pthread_mutex_lock(&c->lock);
    *out = columns_find(c, name);
    bool ok = *out || load(c, s, name, e);
    if (ok && !*out)
        *out = columns_find(c, name);
    pthread_mutex_unlock(&c->lock);
    if (ok && !*out && (slice_starts(name, "score.") || slice_starts(name, "meta.")))
        *out = &c->none;
    return ok && (*out || err_set(e, ERR_USAGE, "runs have no field \"%.*s\"", SLICE_ARG(slice_cut(name, 100))));
}

bool columns_all(struct columns *c, struct store *s, const struct column ***out, size_t *n, struct err *e)
{
    pthread_mutex_lock(&c->lock);
    bool ok = (c->has_tags || columns_load_tags(c, s, e)) && (c->has_found || columns_load_found(c, s, e)) &&
              (c->has_scores || columns_load_scores(c, s, e)) && (c->has_metadata || columns_load_metadata(c, s, SLICE_NONE, e));
    *out = (const struct column **)c->items;
    *n = c->nitems;
    pthread_mutex_unlock(&c->lock);
    return ok;
}

bool columns_found(struct columns *c, struct store *s, const struct found **out, struct err *e)
{
    pthread_mutex_lock(&c->lock);
    bool ok = c->has_found || columns_load_found(c, s, e);
    *out = &c->found;
    pthread_mutex_unlock(&c->lock);
    return ok;
}
