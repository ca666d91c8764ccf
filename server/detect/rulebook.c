#include "detect/rulebook.h"

#include "detect/pack.h"
#include "detect/ruleset.h"
#include "detect/settings.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

enum { SETS_KEPT = 64 };        /* of collections beyond, each import compiles its own */

struct made {                   /* for collections to which the same blocks of settings apply */
    uint64_t blocks;
    struct ruleset *set;
};

/* All files as they were read at one time. Rule sets that were made of them keep them. */
struct edition {
    atomic_uint refs;
    struct arena arena;
    struct pack_files files;
    struct settings settings;
    struct secrets *secrets;    /* NULL: nothing is redacted */
};

struct rulebook {
    pthread_mutex_t lock;       /* of what follows */
    struct edition *edition;
    struct made made[SETS_KEPT];
    size_t n;
    struct arena own_arena;
    struct slices own;
    int64_t stamp;
};

static struct edition *edition_ref(struct edition *d)
{
    atomic_fetch_add(&d->refs, 1);
    return d;
}

static void edition_unref(void *lender)
{
    struct edition *d = lender;
    if (!d || atomic_fetch_sub(&d->refs, 1) != 1)
        return;
    secrets_unref(d->secrets);
    arena_free(&d->arena);
    free(d);
}

static struct ruleset *make(struct edition *d, const struct pack_files *files, uint64_t blocks, struct arena *a, struct problems *problems)
{
    struct ruleset *set = ruleset_make(files, &d->settings, blocks, a, problems);
    set->let_go = edition_unref;
    set->lender = edition_ref(d);
    return set;
}

/* Takes over the set. */
static struct ruleset *keep(struct rulebook *b, uint64_t blocks, struct ruleset *set)
{
    b->made[b->n++] = (struct made){blocks, set};
    return set;
}

static struct ruleset *find(struct rulebook *b, uint64_t blocks)
{
    for (size_t i = 0; i < b->n; i++)
        if (b->made[i].blocks == blocks)
            return b->made[i].set;
    return NULL;
}

static bool is_told(const struct problems *problems, const struct problem *p)
{
    for (size_t i = 0; i < problems->n; i++) {
        const struct problem *q = &problems->items[i];
        if (q->line == p->line && q->column == p->column && slice_eq(q->file, p->file) && slice_eq(q->message, p->message))
            return true;
    }
    return false;
}

/* What the settings of a collection break is told when they are read, not when it is scanned. */
static void try_block(struct edition *d, uint64_t blocks, struct arena *a, struct problems *problems)
{
    struct problems found = {0};
    ruleset_unref(make(d, &d->files, blocks, a, &found));
    for (size_t i = 0; i < found.n; i++)
        if (!is_told(problems, &found.items[i])) {
            problems->items = arena_grow(a, problems->items, problems->n, &problems->cap, sizeof *problems->items);
            problems->items[problems->n++] = found.items[i];
        }
}

const char *rulebook_config(const struct rulebook_options *o)
{
    const char *named = o->config ? o->config : getenv("TELLTALE_CONFIG");
    return named && *named ? named : access("telltale.yaml", R_OK) == 0 ? "telltale.yaml" : NULL;
}

static bool read_all(struct edition *d, const struct rulebook_options *o, struct arena *a, struct problems *problems, struct err *e)
{
    const char *config = rulebook_config(o);
    if (config && !settings_read(config, &d->arena, a, problems, &d->settings, e))
        return false;
    pack_add_shipped(&d->arena, &d->files, false);
    for (size_t i = 0; i < d->settings.npacks; i++) {
        const struct settings_pack *p = &d->settings.packs[i];
        struct err why = {0};
        if (!pack_add_path(&d->arena, &d->files, p->path, &why)) /* whoever asked did not name it: nothing that they wanted is "not found" */
            return err_set(e, ERR_FORMAT, "%.*s:%d:%d: rules: %s", SLICE_ARG(d->settings.file), p->node->line, p->node->column, why.text);
    }
    for (size_t i = 0; i < o->npaths; i++)
        if (!pack_add_path(&d->arena, &d->files, o->paths[i], e))
            return false;
    return !(o->redact || d->settings.redact) || secrets_compile(d->settings.own, d->settings.nown, &d->secrets, e) ||
           err_prefix(e, "%.*s", SLICE_ARG(d->settings.file)); /* the shipped ones compile */
}

/* `all`: the set of collections that no block of the settings names. */
static bool edition_read(const struct rulebook_options *o, struct arena *a, struct problems *problems, struct edition **out, struct ruleset **all,
                         struct err *e)
{
    struct edition *d = calloc(1, sizeof *d);
    if (!d)
        abort(); /* out of memory */
    atomic_init(&d->refs, 1);
    if (!read_all(d, o, a, problems, e)) {
        edition_unref(d);
        return false;
    }
    uint64_t blocks = settings_blocks(&d->settings, SLICE_NONE);
    *all = make(d, &d->files, blocks, a, problems);
    settings_check(&d->settings, *all, a, problems);
    for (size_t i = 0; i < d->settings.n; i++)
        if (!(blocks >> i & 1))
            try_block(d, blocks | UINT64_C(1) << i, a, problems);
    *out = d;
    return true;
}

static void forget_sets(struct rulebook *b)
{
    for (size_t i = 0; i < b->n; i++)
        ruleset_unref(b->made[i].set);
    b->n = 0;
}

bool rulebook_load(const struct rulebook_options *o, struct arena *a, struct problems *problems, struct rulebook **out, struct err *e)
{
    struct edition *d;
    struct ruleset *all;
    if (!edition_read(o, a, problems, &d, &all, e)) {
        if (e->code == ERR_FORMAT) /* of settings, not of what was to be read: nothing was done */
            e->code = ERR_USAGE;
        return false;
    }
    struct rulebook *b = calloc(1, sizeof *b);
    if (!b)
        abort(); /* out of memory */
    pthread_mutex_init(&b->lock, NULL);
    b->edition = d;
    keep(b, settings_blocks(&d->settings, SLICE_NONE), all);
    *out = b;
    return true;
}

bool rulebook_reload(struct rulebook *b, const struct rulebook_options *o, struct err *e)
{
    struct arena a = {0};
    struct problems problems = {0};
    struct edition *d;
    struct ruleset *all = NULL;
    bool ok = edition_read(o, &a, &problems, &d, &all, e);
    if (ok && problems.n) {
        const struct problem *p = &problems.items[0];
        ok = err_set(e, ERR_FORMAT, "%.*s:%d:%d: %.*s", SLICE_ARG(p->file), p->line, p->column, SLICE_ARG(slice_cut(p->message, 300)));
        edition_unref(d);
    }
    if (ok) {
        pthread_mutex_lock(&b->lock);
        struct edition *before = b->edition;
        forget_sets(b);
        b->edition = d;
        if (!b->own.n)
            keep(b, settings_blocks(&d->settings, SLICE_NONE), ruleset_ref(all));
        pthread_mutex_unlock(&b->lock);
        edition_unref(before);
    }
    ruleset_unref(all);
    arena_free(&a);
    return ok;
}

void rulebook_free(struct rulebook *b)
{
    if (!b)
        return;
    forget_sets(b);
    edition_unref(b->edition);
    pthread_mutex_destroy(&b->lock);
    arena_free(&b->own_arena);
    free(b);
}

void rulebook_own(struct rulebook *b, int64_t stamp, const struct slice *texts, size_t n)
{
    pthread_mutex_lock(&b->lock);
    forget_sets(b);
    arena_reset(&b->own_arena);
    b->own = (struct slices){arena_array(&b->own_arena, struct slice, n), n, n};
    for (size_t i = 0; i < n; i++)
        b->own.items[i] = arena_dup(&b->own_arena, texts[i]);
    b->stamp = stamp;
    pthread_mutex_unlock(&b->lock);
}

int64_t rulebook_own_stamp(struct rulebook *b)
{
    pthread_mutex_lock(&b->lock);
    int64_t stamp = b->stamp;
    pthread_mutex_unlock(&b->lock);
    return stamp;
}

struct secrets *rulebook_secrets(struct rulebook *b)
{
    pthread_mutex_lock(&b->lock);
    struct secrets *secrets = secrets_ref(b->edition->secrets);
    pthread_mutex_unlock(&b->lock);
    return secrets;
}

/* The files and, behind them, what is kept elsewhere, in `a`. Under the lock. */
static struct pack_files all_files(const struct rulebook *b, struct arena *a)
{
    const struct pack_files *files = &b->edition->files;
    struct pack_files all = {.packs = files->packs};
    all.items = arena_array(a, struct pack_file, files->n + b->own.n);
    all.cap = files->n + b->own.n;
    for (size_t i = 0; i < files->n; i++)
        all.items[all.n++] = files->items[i];
    for (size_t i = 0; i < b->own.n; i++) {
        pack_add_text(a, &all, slice_str("own rule"), arena_dup(a, b->own.items[i]));
        all.items[all.n - 1].passing = true;
    }
    return all;
}

struct ruleset *rulebook_for(struct rulebook *b, struct slice collection)
{
    struct arena a = {0};
    struct pack_files files = {0};
    pthread_mutex_lock(&b->lock);
    struct edition *d = edition_ref(b->edition);
    uint64_t blocks = settings_blocks(&d->settings, collection);
    int64_t stamp = b->stamp;
    struct ruleset *set = find(b, blocks);
    if (set)
        ruleset_ref(set);
    else
        files = all_files(b, &a);
    pthread_mutex_unlock(&b->lock);
    if (!set) {
        /* Outside the lock, on which every import waits. Problems were told when the book was read. */
        struct problems problems = {0};
        set = make(d, &files, blocks, &a, &problems);
        arena_free(&a);
        pthread_mutex_lock(&b->lock);
        if (b->edition == d && b->stamp == stamp && b->n < SETS_KEPT && !find(b, blocks))
            keep(b, blocks, ruleset_ref(set));
        pthread_mutex_unlock(&b->lock);
    }
    edition_unref(d);
    return set;
}
