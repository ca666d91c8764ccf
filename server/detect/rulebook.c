#include "detect/rulebook.h"

#include "detect/pack.h"
#include "detect/ruleset.h"
#include "detect/settings.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

struct made {                   /* for collections to which the same blocks of settings apply */
    uint64_t blocks;
    struct ruleset *set;
};

struct rulebook {
    struct arena arena;
    struct pack_files files;
    struct settings settings;
    pthread_mutex_t lock;       /* of what follows */
    struct made *made;
    size_t n, cap;
};

static struct ruleset *make(struct rulebook *b, uint64_t blocks, struct arena *a, struct rule_problems *problems)
{
    b->made = arena_grow(&b->arena, b->made, b->n, &b->cap, sizeof *b->made);
    b->made[b->n] = (struct made){blocks, ruleset_make(&b->files, &b->settings, blocks, a, problems)};
    return b->made[b->n++].set;
}

static const char *config_path(const struct rulebook_options *o)
{
    const char *named = o->config ? o->config : getenv("TELLTALE_CONFIG");
    return named && *named ? named : access("telltale.yaml", R_OK) == 0 ? "telltale.yaml" : NULL;
}

static bool read_all(struct rulebook *b, const struct rulebook_options *o, struct arena *a, struct rule_problems *problems, struct err *e)
{
    const char *config = config_path(o);
    if (config && !settings_read(config, &b->arena, a, problems, &b->settings, e))
        return false;
    pack_add_shipped(&b->arena, &b->files, false);
    for (size_t i = 0; i < b->settings.rules.n; i++)
        if (!pack_add_path(&b->arena, &b->files, arena_strdup(a, b->settings.rules.items[i]), e))
            return false;
    for (size_t i = 0; i < o->npaths; i++)
        if (!pack_add_path(&b->arena, &b->files, o->paths[i], e))
            return false;
    return true;
}

bool rulebook_load(const struct rulebook_options *o, struct arena *a, struct rule_problems *problems, struct rulebook **out, struct err *e)
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
    settings_check(&b->settings, make(b, all, a, problems), a, problems);
    for (size_t i = 0; i < b->settings.n; i++) { /* what a collection's parameters break is told now, not when it is scanned */
        struct rule_problems more = {0};
        if (all >> i & 1)
            continue;
        struct ruleset *set = ruleset_make(&b->files, &b->settings, all | UINT64_C(1) << i, a, &more);
        for (size_t k = problems->n; k < more.n; k++) {
            problems->items = arena_grow(a, problems->items, problems->n, &problems->cap, sizeof *problems->items);
            problems->items[problems->n++] = more.items[k];
        }
        ruleset_unref(set);
    }
    *out = b;
    return true;
}

void rulebook_free(struct rulebook *b)
{
    if (!b)
        return;
    for (size_t i = 0; i < b->n; i++)
        ruleset_unref(b->made[i].set);
    pthread_mutex_destroy(&b->lock);
    arena_free(&b->arena);
    free(b);
}

struct ruleset *rulebook_for(struct rulebook *b, struct slice collection)
{
    uint64_t blocks = settings_blocks(&b->settings, collection);
    struct ruleset *set = NULL;
    pthread_mutex_lock(&b->lock);
    for (size_t i = 0; i < b->n && !set; i++)
        set = b->made[i].blocks == blocks ? b->made[i].set : NULL;
    if (!set) {
        struct arena unused = {0}; /* problems were told when the book was read */
        struct rule_problems problems = {0};
        set = make(b, blocks, &unused, &problems);
        arena_free(&unused);
    }
    ruleset_ref(set);
    pthread_mutex_unlock(&b->lock);
    return set;
}
