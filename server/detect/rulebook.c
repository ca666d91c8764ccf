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

struct rulebook {
    struct arena arena;
    struct pack_files files;
    struct settings settings;
    struct secrets *secrets;    /* NULL: nothing is redacted */
    pthread_mutex_t lock;       /* of what follows */
    struct made made[SETS_KEPT];
    size_t n;
    struct arena own_arena;
    struct slices own;
    int64_t stamp;
};

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
static void try_block(struct rulebook *b, uint64_t blocks, struct arena *a, struct problems *problems)
{
    struct problems found = {0};
    ruleset_unref(ruleset_make(&b->files, &b->settings, blocks, a, &found));
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

static bool read_all(struct rulebook *b, const struct rulebook_options *o, struct arena *a, struct problems *problems, struct err *e)
{
    const char *config = rulebook_config(o);
    if (config && !settings_read(config, &b->arena, a, problems, &b->settings, e))
        return false;
    pack_add_shipped(&b->arena, &b->files, false);
    for (size_t i = 0; i < b->settings.npacks; i++) {
        const struct settings_pack *p = &b->settings.packs[i];
        if (!pack_add_path(&b->arena, &b->files, p->path, e))
            return err_prefix(e, "%.*s:%d:%d: rules", SLICE_ARG(b->settings.file), p->node->line, p->node->column);
    }
    for (size_t i = 0; i < o->npaths; i++)
        if (!pack_add_path(&b->arena, &b->files, o->paths[i], e))
            return false;
    return !(o->redact || b->settings.redact) || secrets_compile(b->settings.own, b->settings.nown, &b->secrets, e);
}

bool rulebook_load(const struct rulebook_options *o, struct arena *a, struct problems *problems, struct rulebook **out, struct err *e)
{
    struct rulebook *b = calloc(1, sizeof *b);
    if (!b)
        abort(); /* out of memory */
    pthread_mutex_init(&b->lock, NULL);
    if (!read_all(b, o, a, problems, e)) {
        rulebook_free(b);
        return false;
    }
    uint64_t all = settings_blocks(&b->settings, SLICE_NONE);
    settings_check(&b->settings, keep(b, all, ruleset_make(&b->files, &b->settings, all, a, problems)), a, problems);
    for (size_t i = 0; i < b->settings.n; i++)
        if (!(all >> i & 1))
            try_block(b, all | UINT64_C(1) << i, a, problems);
    *out = b;
    return true;
}

static void forget_sets(struct rulebook *b)
{
    for (size_t i = 0; i < b->n; i++)
        ruleset_unref(b->made[i].set);
    b->n = 0;
}

void rulebook_free(struct rulebook *b)
{
    if (!b)
        return;
    forget_sets(b);
    secrets_unref(b->secrets);
    pthread_mutex_destroy(&b->lock);
    arena_free(&b->own_arena);
    arena_free(&b->arena);
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

struct secrets *rulebook_secrets(struct rulebook *b) { return secrets_ref(b->secrets); }

/* The files and, behind them, what is kept elsewhere, in `a`. Under the lock. */
static struct pack_files all_files(const struct rulebook *b, struct arena *a)
{
    struct pack_files all = {.packs = b->files.packs};
    all.items = arena_array(a, struct pack_file, b->files.n + b->own.n);
    all.cap = b->files.n + b->own.n;
    for (size_t i = 0; i < b->files.n; i++)
        all.items[all.n++] = b->files.items[i];
    for (size_t i = 0; i < b->own.n; i++) {
        pack_add_text(a, &all, slice_str("own rule"), arena_dup(a, b->own.items[i]));
        all.items[all.n - 1].passing = true;
    }
    return all;
}

struct ruleset *rulebook_for(struct rulebook *b, struct slice collection)
{
    uint64_t blocks = settings_blocks(&b->settings, collection);
    struct arena a = {0};
    struct pack_files files = {0};
    pthread_mutex_lock(&b->lock);
    int64_t stamp = b->stamp;
    struct ruleset *set = find(b, blocks);
    if (set)
        ruleset_ref(set);
    else
        files = all_files(b, &a);
    pthread_mutex_unlock(&b->lock);
    if (set)
        return set;
    /* Outside the lock, on which every import waits. Problems were told when the book was read. */
    struct problems problems = {0};
    set = ruleset_make(&files, &b->settings, blocks, &a, &problems);
    arena_free(&a);
    pthread_mutex_lock(&b->lock);
    if (b->stamp == stamp && b->n < SETS_KEPT && !find(b, blocks))
        keep(b, blocks, ruleset_ref(set));
    pthread_mutex_unlock(&b->lock);
    return set;
}
