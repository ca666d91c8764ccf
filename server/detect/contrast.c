#include "detect/contrast.h"

#include "base/map.h"
#include "base/stats.h"

#include <math.h>
#include <stdlib.h>

enum {
    GROUPS_MAX = 16,         /* the models with most runs */
    MODELS_MAX = 4096,
    CANDIDATES_MAX = 1 << 15,
    TABLE = 1 << 17,         /* of candidates, open addressing */
    SKETCH = 1 << 22,
    ACTIONS_LOOKED_AT = 2000, /* of a run */
    ACTION_BITS = 21,        /* of its number in a key: three fit into 64 bits */
};

struct cell {                /* an n-gram in a group */
    struct strata strata;
    size_t with;             /* runs with it, of either side, where the group and others ran the same task */
    size_t told;             /* strata that say something: some runs have it, some do not */
    struct {
        uint32_t x, n1, m1, n;
    } last;                  /* of these, as strata_add has it */
};

struct candidate {
    uint64_t key;
    uint32_t now[GROUPS_MAX + 1]; /* runs with it in this stratum, by group; last: the others */
    bool touched;
    struct cell *cells;      /* one a group */
};

struct group {
    struct slice name;
    size_t runs, now;        /* in all, in this stratum */
    size_t in, out;          /* in strata where it can be compared: its runs, the others' */
    double weight;           /* Σ w of those (struct strata) */
};

struct model_runs {
    struct slice name;
    size_t runs;
};

struct contrast {
    struct contrast_wish wish;
    struct arena arena;
    /* pass 0 */
    struct map models;
    struct model_runs counts[MODELS_MAX];
    size_t nmodels, runs;
    uint32_t *sketch;
    uint32_t threshold;
    /* pass 1 */
    struct group groups[GROUPS_MAX];
    size_t ngroups, others;  /* others: runs of no group, in this stratum */
    bool mirrored;           /* two groups: what one has more, the other has less */
    uint32_t *table;         /* place + 1 */
    struct candidate *candidates;
    size_t n;
    uint32_t *touched;
    size_t ntouched;
    int64_t task;            /* of this stratum; -1: none yet */
    /* pass 2 */
    struct contrast_found *found;
    size_t nfound, found_cap;
    size_t unshown;
};

static void *zeros(size_t n, size_t size)
{
    void *p = calloc(n, size);
    if (!p)
        abort();
    return p;
}

/* ---- n-grams --------------------------------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t key) /* the finalizer of splitmix64 (Steele, Lea, Flood, 2014) */
{
    key = (key ^ key >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    key = (key ^ key >> 27) * UINT64_C(0x94d049bb133111eb);
    return key ^ key >> 31;
}

static int by_key(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* The n-gram of so many actions from `at` on; 0: an action in it is none that can be told. */
static uint64_t gram_at(const struct run_summary *run, size_t at, size_t length)
{
    uint64_t key = 0;
    for (size_t i = 0; i < length; i++) {
        uint64_t action = (uint64_t)run->actions[at + i].action + 1;
        if (action >> ACTION_BITS)
            return 0;
        key |= action << (i * ACTION_BITS);
    }
    return key;
}

static size_t looked_at(const struct run_summary *run) { return run->nactions < ACTIONS_LOOKED_AT ? run->nactions : ACTIONS_LOOKED_AT; }

/* Those of a run, each once; `out` has room for ACTIONS_LOOKED_AT * GRAM_LONGEST. */
static size_t grams_of(const struct contrast *c, const struct run_summary *run, uint64_t *out)
{
    size_t n = 0, kept = 0;
    for (size_t at = 0; at < looked_at(run); at++)
        for (size_t length = 1; length <= c->wish.longest && at + length <= looked_at(run); length++) {
            uint64_t key = gram_at(run, at, length);
            if (key)
                out[n++] = key;
        }
    qsort(out, n, sizeof *out, by_key);
    for (size_t i = 0; i < n; i++)
        if (!kept || out[kept - 1] != out[i])
            out[kept++] = out[i];
    return kept;
}

/* ---- groups ---------------------------------------------------------------------------------------------------------- */

/* GROUPS_MAX: one of the others; SIZE_MAX: it does not take part. */
static size_t group_of(const struct contrast *c, const struct run_summary *run)
{
    if (c->wish.by == CONTRAST_SIDES) {
        int side = c->wish.side(c->wish.ctx, run->run);
        return side < 0 ? SIZE_MAX : (size_t)side;
    }
    if (c->wish.by == CONTRAST_OUTCOME)
        return run->success == VERDICT_UNKNOWN ? SIZE_MAX : run->success == VERDICT_PASSED ? 0 : 1;
    for (size_t i = 0; i < c->ngroups; i++)
        if (slice_eq(c->groups[i].name, run->model))
            return i;
    return run->model.len ? GROUPS_MAX : SIZE_MAX;
}

static void count_group(struct contrast *c, const struct run_summary *run)
{
    static const char *const outcomes[] = {"fail", "pass", NULL};
    if (c->wish.by == CONTRAST_SIDES) {
        size_t side = group_of(c, run);
        if (side < 2)
            c->groups[side].runs++;
        return;
    }
    struct slice name = c->wish.by == CONTRAST_MODEL ? run->model : slice_str(run->success == VERDICT_UNKNOWN ? NULL : outcomes[run->success]);
    if (!name.len)
        return;
    size_t at = map_get(&c->models, name);
    if (!at && c->nmodels < MODELS_MAX) {
        struct slice copy = arena_dup(&c->arena, name);
        c->counts[c->nmodels++] = (struct model_runs){.name = copy};
        at = map_put(&c->arena, &c->models, copy, c->nmodels);
    }
    if (at)
        c->counts[at - 1].runs++;
    c->runs++;
}

static int by_runs(const void *a, const void *b)
{
    const struct model_runs *x = a, *y = b;
    return x->runs != y->runs ? (x->runs < y->runs ? 1 : -1) : slice_cmp(x->name, y->name);
}

/* The groups that are compared, and how many runs an n-gram must stand in to be looked at. */
static bool choose_groups(struct contrast *c)
{
    enum { SMALLEST = 100 }; /* a group is a hundredth of all runs */
    c->threshold = c->wish.at_least < UINT32_MAX ? (uint32_t)c->wish.at_least : UINT32_MAX;
    if (c->wish.by == CONTRAST_SIDES) {
        c->ngroups = 2;
        c->mirrored = true;
        return c->groups[0].runs >= c->wish.at_least && c->groups[1].runs >= c->wish.at_least;
    }
    qsort(c->counts, c->nmodels, sizeof *c->counts, by_runs);
    for (size_t i = 0; i < c->nmodels && i < GROUPS_MAX; i++) {
        const struct model_runs *m = &c->counts[i];
        if (m->runs < c->wish.at_least || m->runs * SMALLEST < c->runs)
            break;
        c->groups[c->ngroups++] = (struct group){.name = m->name, .runs = m->runs};
    }
    if (c->wish.by == CONTRAST_OUTCOME && c->ngroups == 2 && slice_is(c->groups[1].name, "pass")) {
        struct group swap = c->groups[0];
        c->groups[0] = c->groups[1];
        c->groups[1] = swap;
    }
    c->mirrored = c->nmodels == 2 && c->ngroups == 2;
    return c->ngroups > 1 || (c->ngroups == 1 && c->wish.by == CONTRAST_MODEL && c->nmodels > 1);
}

/* ---- pass 1: tables of each task -------------------------------------------------------------------------------------- */

static uint32_t count_of(const struct contrast *c, uint64_t key) { return c->sketch[mix(key) % SKETCH]; }

/* Where it stands in the table, or would. */
static uint32_t *slot_of(struct contrast *c, uint64_t key)
{
    size_t at = mix(key);
    while (c->table[at % TABLE] && c->candidates[c->table[at % TABLE] - 1].key != key)
        at++;
    return &c->table[at % TABLE];
}

static int by_count(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* The table is full: the rarer half goes, and is not let in again. Of all that stay, every run was counted. */
static void raise_threshold(struct contrast *c)
{
    uint32_t *counts = zeros(c->n, sizeof *counts);
    size_t kept = 0;
    for (size_t i = 0; i < c->n; i++)
        counts[i] = count_of(c, c->candidates[i].key);
    qsort(counts, c->n, sizeof *counts, by_count);
    c->threshold = counts[c->n / 2] + 1;
    free(counts);
    for (size_t i = 0; i < c->n; i++)
        if (count_of(c, c->candidates[i].key) >= c->threshold) {
            struct candidate one = c->candidates[i];
            c->candidates[i] = c->candidates[kept]; /* whose cells are used again */
            c->candidates[kept++] = one;
        }
    c->n = kept;
    c->ntouched = 0;
    memset(c->table, 0, TABLE * sizeof *c->table);
    for (size_t i = 0; i < c->n; i++) {
        *slot_of(c, c->candidates[i].key) = (uint32_t)i + 1;
        if (c->candidates[i].touched)
            c->touched[c->ntouched++] = (uint32_t)i;
    }
}

static struct candidate *candidate_of(struct contrast *c, uint64_t key)
{
    uint32_t *slot = slot_of(c, key);
    if (*slot)
        return &c->candidates[*slot - 1];
    if (count_of(c, key) >= c->threshold && c->n == CANDIDATES_MAX) {
        raise_threshold(c);
        slot = slot_of(c, key);
    }
    if (count_of(c, key) < c->threshold)
        return NULL;
    struct candidate *one = &c->candidates[c->n];
    struct cell *cells = one->cells ? one->cells : arena_array(&c->arena, struct cell, c->ngroups);
    memset(cells, 0, c->ngroups * sizeof *cells);
    *one = (struct candidate){.key = key, .cells = cells};
    *slot = (uint32_t)++c->n;
    return one;
}

static void add_run(struct contrast *c, const struct run_summary *run, uint64_t *grams)
{
    size_t group = group_of(c, run);
    if (group == SIZE_MAX)
        return;
    if (group < c->ngroups)
        c->groups[group].now++;
    else
        c->others++;
    size_t n = grams_of(c, run, grams);
    for (size_t i = 0; i < n; i++) {
        struct candidate *one = candidate_of(c, grams[i]);
        if (!one)
            continue;
        if (!one->touched)
            c->touched[c->ntouched++] = (uint32_t)(one - c->candidates);
        one->touched = true;
        one->now[group < c->ngroups ? group : GROUPS_MAX]++;
    }
}

static void close_candidate(struct contrast *c, struct candidate *one, size_t total)
{
    size_t with = one->now[GROUPS_MAX];
    for (size_t g = 0; g < c->ngroups; g++)
        with += one->now[g];
    for (size_t g = 0; g < c->ngroups; g++) {
        size_t n1 = c->groups[g].now, x = one->now[g];
        if (!n1 || n1 == total)
            continue;
        struct cell *cell = &one->cells[g];
        strata_add(&cell->strata, x, n1, with, total);
        cell->with += with;
        if (with && with < total) {
            cell->told++;
            cell->last.x = (uint32_t)x, cell->last.n1 = (uint32_t)n1, cell->last.m1 = (uint32_t)with, cell->last.n = (uint32_t)total;
        }
    }
    memset(one->now, 0, sizeof one->now);
    one->touched = false;
}

/* The task's runs are all there. What an n-gram that nobody used adds is nothing but weight, which the groups keep. */
static void close_stratum(struct contrast *c)
{
    size_t total = c->others;
    for (size_t g = 0; g < c->ngroups; g++)
        total += c->groups[g].now;
    for (size_t i = 0; i < c->ntouched; i++)
        close_candidate(c, &c->candidates[c->touched[i]], total);
    for (size_t g = 0; g < c->ngroups; g++) {
        struct group *group = &c->groups[g];
        if (group->now && group->now < total) {
            group->in += group->now;
            group->out += total - group->now;
            group->weight += (double)group->now * (double)(total - group->now) / (double)total;
        }
        group->now = 0;
    }
    c->ntouched = 0;
    c->others = 0;
}

/* ---- what differs ----------------------------------------------------------------------------------------------------- */

static bool cancelled(const atomic_bool *cancel) { return cancel && atomic_load(cancel); }

struct tested {
    struct candidate *candidate;
    size_t group;
    double p, difference;
};

/* That it stands in too few runs for a difference of `gap` says nothing of which runs those are: it is not tested, and costs the others no
 * power. The difference is Σ x n0 / N - …, divided by the weight; no more than its runs. */
static bool test(const struct contrast *c, struct candidate *one, size_t g, struct tested *out)
{
    const struct group *group = &c->groups[g];
    const struct cell *cell = &one->cells[g];
    const struct strata *s = &cell->strata;
    if (group->in < c->wish.at_least || group->out < c->wish.at_least || cell->with < c->wish.at_least || !cell->told ||
        (double)cell->with < c->wish.gap * group->weight)
        return false;
    if (cell->told > 1 && !strata_hold(s))
        return false;
    *out = (struct tested){.candidate = one, .group = g, .difference = (s->share - s->others) / group->weight};
    out->p = cell->told == 1 ? stats_fisher(cell->last.x, cell->last.n1, cell->last.m1, cell->last.n) : strata_p(s);
    return true;
}

static int by_strength(const void *a, const void *b)
{
    const struct tested *x = a, *y = b;
    if (x->group != y->group)
        return x->group < y->group ? -1 : 1;
    if (x->p != y->p)
        return x->p < y->p ? -1 : 1;
    return x->candidate->key > y->candidate->key ? -1 : x->candidate->key < y->candidate->key; /* the longer one: it says what goes together */
}

static size_t unpack(uint64_t key, uint32_t gram[GRAM_LONGEST])
{
    size_t n = 0;
    for (; key; key >>= ACTION_BITS)
        gram[n++] = (uint32_t)(key & ((UINT64_C(1) << ACTION_BITS) - 1)) - 1;
    return n;
}

static bool contains(const struct contrast_found *longer, const struct contrast_found *shorter)
{
    for (size_t at = 0; at + shorter->length <= longer->length; at++)
        if (memcmp(longer->gram + at, shorter->gram, shorter->length * sizeof *shorter->gram) == 0)
            return true;
    return false;
}

static void keep(struct contrast *c, const struct tested *t)
{
    struct contrast_found f = {.more = t->difference > 0, .p = t->p};
    const struct group *group = &c->groups[t->group];
    const struct strata *s = &t->candidate->cells[t->group].strata;
    size_t same = 0;
    f.group = group->name;
    f.place = t->group;
    f.length = unpack(t->candidate->key, f.gram);
    f.share = s->share / group->weight;
    f.others = s->others / group->weight;
    f.runs = group->in;
    if (c->mirrored && !f.more) { /* the other one has it more often, which is the shorter thing to say */
        double share = f.share;
        f = (struct contrast_found){.group = c->groups[1].name, .place = 1, .more = true, .share = f.others, .others = share, .runs = group->out,
                                    .length = f.length, .gram = {f.gram[0], f.gram[1], f.gram[2]}, .p = f.p};
    }
    for (size_t i = 0; i < c->nfound; i++) {
        const struct contrast_found *other = &c->found[i];
        if (other->place != f.place)
            continue;
        if (other->more == f.more && (contains(other, &f) || contains(&f, other)))
            return;
        same++;
    }
    if (same == c->wish.at_most)
        return;
    c->found = arena_grow(&c->arena, c->found, c->nfound, &c->found_cap, sizeof *c->found);
    c->found[c->nfound++] = f;
}

static void find(struct contrast *c, const atomic_bool *cancel)
{
    size_t tests = c->mirrored ? 1 : c->ngroups, n = 0;
    struct arena scratch = {0};
    struct tested *all = arena_array(&scratch, struct tested, c->n * tests);
    double *p = arena_array(&scratch, double, c->n * tests);
    for (size_t i = 0; i < c->n && !cancelled(cancel); i++)
        for (size_t g = 0; g < tests; g++)
            n += test(c, &c->candidates[i], g, &all[n]);
    if (cancelled(cancel))
        n = 0;
    for (size_t i = 0; i < n; i++)
        p[i] = all[i].p;
    double limit = stats_bh(p, n, c->wish.q);
    if (n)
        qsort(all, n, sizeof *all, by_strength);
    for (size_t i = 0; i < n; i++)
        if (all[i].p <= limit && fabs(all[i].difference) >= c->wish.gap)
            keep(c, &all[i]);
    c->unshown = c->nfound;
    arena_free(&scratch);
}

/* ---- pass 2: where it stands ------------------------------------------------------------------------------------------ */

/* Shown are runs of the side that has it more often. */
static void show(struct contrast *c, const struct run_summary *run)
{
    size_t group = group_of(c, run);
    for (size_t i = 0; i < c->nfound; i++) {
        struct contrast_found *f = &c->found[i];
        if (f->nshown == CONTRAST_RUNS_SHOWN || group == SIZE_MAX || (group == f->place) != f->more)
            continue;
        for (size_t at = 0; at + f->length <= looked_at(run); at++) {
            size_t k = 0;
            while (k < f->length && run->actions[at + k].action == f->gram[k])
                k++;
            if (k < f->length)
                continue;
            f->shown[f->nshown].run = arena_dup(&c->arena, run->run);
            for (k = 0; k < f->length; k++)
                f->shown[f->nshown].calls[k] = run->actions[at + k].call;
            c->unshown -= ++f->nshown == CONTRAST_RUNS_SHOWN;
            break;
        }
    }
}

/* ---- the contract ----------------------------------------------------------------------------------------------------- */

struct contrast *contrast_new(const struct contrast_wish *wish)
{
    struct contrast *c = zeros(1, sizeof *c);
    c->wish = *wish;
    if (c->wish.longest < 1 || c->wish.longest > GRAM_LONGEST)
        c->wish.longest = GRAM_LONGEST;
    if (!c->wish.at_least)
        c->wish.at_least = 1;
    c->task = -1;
    c->sketch = zeros(SKETCH, sizeof *c->sketch);
    return c;
}

void contrast_free(struct contrast *c)
{
    if (!c)
        return;
    arena_free(&c->arena);
    free(c->sketch);
    free(c->table);
    free(c->candidates);
    free(c->touched);
    free(c);
}

void contrast_feed(struct contrast *c, int pass, const struct task_summary *piece)
{
    if (!piece->task) /* what they were asked is not known: they cannot be compared */
        return;
    uint64_t *grams = zeros((size_t)ACTIONS_LOOKED_AT * GRAM_LONGEST, sizeof *grams);
    if (pass == 1 && piece->task != c->task) {
        close_stratum(c);
        c->task = piece->task;
    }
    for (size_t i = 0; i < piece->nruns; i++) {
        const struct run_summary *run = &piece->runs[i];
        if (!run->nactions)
            continue;
        if (pass == 0) {
            size_t n = grams_of(c, run, grams);
            count_group(c, run);
            for (size_t k = 0; k < n; k++)
                c->sketch[mix(grams[k]) % SKETCH]++;
        } else if (pass == 1) {
            add_run(c, run, grams);
        } else if (c->unshown) {
            show(c, run);
        }
    }
    free(grams);
}

bool contrast_turn(struct contrast *c, int pass, const atomic_bool *cancel)
{
    if (pass == 0) {
        if (!choose_groups(c))
            return false;
        c->table = zeros(TABLE, sizeof *c->table);
        c->candidates = zeros(CANDIDATES_MAX, sizeof *c->candidates);
        c->touched = zeros(CANDIDATES_MAX, sizeof *c->touched);
        return true;
    }
    if (pass == 1) {
        close_stratum(c);
        find(c, cancel);
    }
    return c->unshown > 0;
}

const struct contrast_found *contrast_results(const struct contrast *c, size_t *n)
{
    *n = c->nfound;
    return c->found;
}

/* A tool is named once for the programs that follow each other in it. */
struct slice contrast_words(struct arena *a, const struct slice *names, size_t n, const struct contrast_found *f)
{
    struct slice words = SLICE_NONE, tool = SLICE_NONE;
    for (size_t i = 0; i < f->length; i++) {
        struct slice name = f->gram[i] < n ? names[f->gram[i]] : slice_str("?"), rest = name, own = slice_take(&rest, ':');
        struct slice shown = rest.len && slice_eq(own, tool) ? slice_trim(rest) : name;
        words = words.len ? arena_printf(a, "%.*s → %.*s", SLICE_ARG(words), SLICE_ARG(shown)) : shown;
        tool = own;
    }
    return words;
}
