#include "detect/atlas.h"

#include "base/eigen.h"

#include <ctype.h>
#include <stdlib.h>

enum {
    FEATURES = 320,           /* of the vocabulary; half of them words at the most, so that neither crowds out the other */
    CANDIDATES = 1 << 18,     /* features of the sample that are counted; later ones are not looked at */
    TABLE = 1 << 19,
    ACTIONS_LOOKED_AT = 400,
    GRAM = 3,
    ACTION_BITS = 21,
    WORDS_OF_RUN = 1000,
    WORD_SHORTEST = 3, WORD_LONGEST = 24,
    RUN_FEATURES = ACTIONS_LOOKED_AT * GRAM + WORDS_OF_RUN,
};
#define A_WORD (UINT64_C(1) << 63)
static const double REGULARITY = 1; /* ε, as a part of the mean variance of a feature */

struct candidate {
    uint64_t key;
    uint32_t runs, tasks, in_vocabulary; /* in_vocabulary: place + 1 */
    int64_t last;             /* task */
    struct slice word;
};

struct sampled {
    int64_t task;
    uint32_t *features;       /* places of candidates */
    size_t n;
};

struct atlas {
    struct arena arena;
    uint32_t *table;          /* place + 1; open addressing */
    struct candidate *candidates;
    size_t n;
    struct sampled *runs;
    size_t nruns, runs_cap;
    uint64_t *keys;           /* of a run: RUN_FEATURES */
    struct slice *words;      /* beside them */
    size_t nkeys;
    /* fitted */
    uint32_t vocabulary[FEATURES];
    double weight[FEATURES], mean[FEATURES], axes[ATLAS_AXES * FEATURES];
    size_t features;
    struct atlas_about about;
};

static void *room(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size);
    if (!p)
        abort();
    return p;
}

static uint64_t mix(uint64_t key) /* the finalizer of splitmix64 (Steele, Lea, Flood, 2014) */
{
    key = (key ^ key >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    key = (key ^ key >> 27) * UINT64_C(0x94d049bb133111eb);
    return key ^ key >> 31;
}

static uint32_t *slot_of(const struct atlas *a, uint64_t key)
{
    size_t at = mix(key);
    while (a->table[at % TABLE] && a->candidates[a->table[at % TABLE] - 1].key != key)
        at++;
    return &a->table[at % TABLE];
}

/* ---- features of a run --------------------------------------------------------------------------------------------------------- */

static void add_key(struct atlas *a, uint64_t key, struct slice word)
{
    a->keys[a->nkeys] = key;
    a->words[a->nkeys++] = word;
}

static void add_grams(struct atlas *a, const struct atlas_run *run)
{
    size_t n = run->nactions < ACTIONS_LOOKED_AT ? run->nactions : ACTIONS_LOOKED_AT;
    for (size_t at = 0; at < n; at++) {
        uint64_t key = 0;
        for (size_t length = 0; length < GRAM && at + length < n; length++) {
            uint64_t action = (uint64_t)run->actions[at + length].action + 1;
            if (action >> ACTION_BITS)
                break;
            key |= action << (length * ACTION_BITS);
            add_key(a, key, SLICE_NONE);
        }
    }
}

/* Words are runs of ASCII letters and of bytes over 127, without case. */
static bool is_letter(unsigned char c) { return isalpha(c) || c >= 0x80; }

static void add_words(struct atlas *a, const struct atlas_run *run)
{
    size_t left = ATLAS_TEXT, words = 0;
    for (size_t t = 0; t < run->ntexts && left > 0; t++) {
        struct slice text = slice_sub(run->texts[t], 0, left);
        left -= text.len;
        for (size_t at = 0; at < text.len && words < WORDS_OF_RUN;) {
            size_t from = at;
            uint64_t hash = UINT64_C(0xcbf29ce484222325);
            for (; at < text.len && is_letter((unsigned char)text.ptr[at]); at++)
                hash = (hash ^ (unsigned char)tolower((unsigned char)text.ptr[at])) * UINT64_C(0x100000001b3);
            if (at - from >= WORD_SHORTEST && at - from <= WORD_LONGEST) {
                add_key(a, mix(hash) | A_WORD, slice_sub(text, from, at - from));
                words++;
            }
            at += at == from;
        }
    }
}

struct keyed {
    uint64_t key;
    struct slice word;
};

static int by_key(const void *x, const void *y)
{
    uint64_t a = ((const struct keyed *)x)->key, b = ((const struct keyed *)y)->key;
    return (a > b) - (a < b);
}

/* Each of its features once: a->keys, a->words. */
static void look_at(struct atlas *a, const struct atlas_run *run)
{
    static const size_t most = RUN_FEATURES;
    a->nkeys = 0;
    add_grams(a, run);
    add_words(a, run);
    struct keyed *sorted = room(most, sizeof *sorted);
    for (size_t i = 0; i < a->nkeys; i++)
        sorted[i] = (struct keyed){a->keys[i], a->words[i]};
    qsort(sorted, a->nkeys, sizeof *sorted, by_key);
    size_t kept = 0;
    for (size_t i = 0; i < a->nkeys; i++)
        if (!kept || a->keys[kept - 1] != sorted[i].key) {
            a->keys[kept] = sorted[i].key;
            a->words[kept++] = sorted[i].word;
        }
    a->nkeys = kept;
    free(sorted);
}

/* ---- the sample ---------------------------------------------------------------------------------------------------------------- */

static struct slice lower(struct arena *arena, struct slice word)
{
    char *copy = arena_strdup(arena, word);
    for (size_t i = 0; i < word.len; i++)
        copy[i] = (char)tolower((unsigned char)copy[i]);
    return slice_of(copy, word.len);
}

void atlas_sample(struct atlas *a, int64_t task, const struct atlas_run *run)
{
    look_at(a, run);
    a->runs = arena_grow(&a->arena, a->runs, a->nruns, &a->runs_cap, sizeof *a->runs);
    struct sampled *sampled = &a->runs[a->nruns++];
    *sampled = (struct sampled){.task = task, .features = arena_array(&a->arena, uint32_t, a->nkeys)};
    for (size_t i = 0; i < a->nkeys; i++) {
        uint32_t *slot = slot_of(a, a->keys[i]);
        if (!*slot) {
            if (a->n == CANDIDATES)
                continue;
            a->candidates[a->n] = (struct candidate){.key = a->keys[i], .last = -1, .word = lower(&a->arena, a->words[i])};
            *slot = (uint32_t)++a->n;
        }
        struct candidate *c = &a->candidates[*slot - 1];
        c->runs++;
        c->tasks += c->last != task || task == 0;
        c->last = task;
        sampled->features[sampled->n++] = *slot - 1;
    }
}

/* ---- the vocabulary ------------------------------------------------------------------------------------------------------------ */

struct ranked {
    double rank;
    uint32_t place;
};

static int by_rank(const void *x, const void *y)
{
    const struct ranked *a = x, *b = y;
    return a->rank != b->rank ? (a->rank > b->rank ? -1 : 1) : (a->place > b->place) - (a->place < b->place);
}

static double rarity(const struct atlas *a, const struct candidate *c) { return log(((double)a->nruns + 1) / (double)c->runs); }

/* Those of one sort that differ the most from run to run, and stand in more than one task. */
static void choose(struct atlas *a, bool words, size_t most)
{
    struct ranked *ranked = room(a->n, sizeof *ranked);
    size_t n = 0;
    for (size_t i = 0; i < a->n; i++) {
        const struct candidate *c = &a->candidates[i];
        double share = (double)c->runs / (double)a->nruns, weight = rarity(a, c);
        if ((c->key & A_WORD) == (words ? A_WORD : 0) && c->tasks > 1 && c->runs < a->nruns)
            ranked[n++] = (struct ranked){share * (1 - share) * weight * weight, (uint32_t)i};
    }
    if (n)
        qsort(ranked, n, sizeof *ranked, by_rank);
    for (size_t i = 0; i < n && i < most; i++) {
        struct candidate *c = &a->candidates[ranked[i].place];
        a->weight[a->features] = rarity(a, c);
        a->vocabulary[a->features++] = ranked[i].place;
        c->in_vocabulary = (uint32_t)a->features;
    }
    free(ranked);
}

/* The vector of a run, n-grams and words of length √½ each; how many of its features are in the vocabulary. */
static size_t vector(const struct atlas *a, const uint32_t *places, size_t n, double *out)
{
    double length[2] = {0};
    size_t known = 0;
    for (size_t i = 0; i < a->features; i++)
        out[i] = 0;
    for (size_t i = 0; i < n; i++) {
        const struct candidate *c = &a->candidates[places[i]];
        if (!c->in_vocabulary)
            continue;
        double weight = a->weight[c->in_vocabulary - 1];
        out[c->in_vocabulary - 1] = weight;
        length[(c->key & A_WORD) != 0] += weight * weight;
        known++;
    }
    for (size_t i = 0; i < a->features; i++) {
        double of = length[(a->candidates[a->vocabulary[i]].key & A_WORD) != 0];
        out[i] = of > 0 ? out[i] / sqrt(2 * of) : 0;
    }
    return known;
}

/* ---- the axes ------------------------------------------------------------------------------------------------------------------ */

static void add_product(double *m, const double *x, size_t n, double weight)
{
    for (size_t i = 0; i < n; i++) {
        double xi = weight * x[i];
        for (size_t j = 0; xi != 0 && j < n; j++)
            m[i * n + j] += xi * x[j];
    }
}

static size_t end_of_task(const struct atlas *a, size_t from)
{
    size_t to = from + 1;
    while (a->runs[from].task && to < a->nruns && a->runs[to].task == a->runs[from].task)
        to++;
    return to;
}

/* Axes are found on tasks of several attempts, where there are any: on others attempts cannot agree. */
static bool counts(const struct atlas *a, size_t from, size_t to) { return !a->about.contrastive || to - from > 1; }

/* Mean first: each task counts once, whatever its attempts. */
static void find_mean(struct atlas *a, double *x)
{
    size_t tasks = 0;
    for (size_t from = 0, to; from < a->nruns; from = to) {
        to = end_of_task(a, from);
        if (!counts(a, from, to))
            continue;
        tasks++;
        for (size_t i = from; i < to; i++) {
            vector(a, a->runs[i].features, a->runs[i].n, x);
            for (size_t k = 0; k < a->features; k++)
                a->mean[k] += x[k] / (double)(to - from);
        }
    }
    for (size_t k = 0; k < a->features; k++)
        a->mean[k] /= tasks ? (double)tasks : 1;
}

/* C: the covariance of features. B: between two different attempts at one task, Σ_{i≠j} x_i x_jᵀ = s sᵀ - Σ x xᵀ; without pairs C again. */
static void covariances(struct atlas *a, double *b, double *c, double *x)
{
    size_t d = a->features;
    double *sum = room(d, sizeof *sum), *own = room(d * d, sizeof *own), tasks = 0;
    find_mean(a, x);
    for (size_t from = 0, to; from < a->nruns; from = to) {
        to = end_of_task(a, from);
        double n = (double)(to - from), pairs = n > 1 ? n * (n - 1) : 1;
        if (!counts(a, from, to))
            continue;
        tasks++;
        for (size_t k = 0; k < d; k++)
            sum[k] = 0;
        for (size_t i = from; i < to; i++) {
            vector(a, a->runs[i].features, a->runs[i].n, x);
            for (size_t k = 0; k < d; k++) {
                x[k] -= a->mean[k];
                sum[k] += x[k];
            }
            add_product(c, x, d, 1 / n);
            if (a->about.contrastive)
                add_product(own, x, d, 1 / pairs);
        }
        add_product(b, sum, d, 1 / pairs);
    }
    for (size_t k = 0; k < d * d; k++) {
        c[k] /= tasks > 0 ? tasks : 1;
        b[k] = (b[k] - own[k]) / (tasks > 0 ? tasks : 1);
    }
    free(sum);
    free(own);
}

static void count_pairs(struct atlas *a)
{
    for (size_t from = 0, to; from < a->nruns; from = to) {
        to = end_of_task(a, from);
        a->about.tasks += to - from > 1;
        a->about.pairs += (to - from) * (to - from - 1) / 2;
    }
    a->about.contrastive = a->about.pairs > 0;
}

static struct slice name_of(struct atlas *a, const struct candidate *c, const struct action_names *names)
{
    struct slice said = c->word;
    if (c->key & A_WORD)
        return said;
    said = SLICE_NONE;
    for (uint64_t key = c->key; key; key >>= ACTION_BITS) {
        uint64_t action = (key & ((UINT64_C(1) << ACTION_BITS) - 1)) - 1;
        struct slice name = action < names->n ? names->items[action] : slice_str("?");
        said = said.ptr ? arena_printf(&a->arena, "%.*s → %.*s", SLICE_ARG(said), SLICE_ARG(name)) : arena_dup(&a->arena, name);
    }
    return said;
}

/* The features whose runs lie farthest towards an end, on the average of the sample. */
static void name_ends(struct atlas *a, const struct action_names *names, double *x)
{
    double *at = room(a->features * ATLAS_AXES, sizeof *at), *n = room(a->features, sizeof *n);
    for (size_t i = 0; i < a->nruns; i++) {
        double place[ATLAS_AXES] = {0};
        vector(a, a->runs[i].features, a->runs[i].n, x);
        for (size_t axis = 0; axis < ATLAS_AXES; axis++)
            for (size_t k = 0; k < a->features; k++)
                place[axis] += a->axes[axis * a->features + k] * (x[k] - a->mean[k]);
        for (size_t k = 0; k < a->features; k++) {
            n[k] += x[k] > 0;
            for (size_t axis = 0; x[k] > 0 && axis < ATLAS_AXES; axis++)
                at[axis * a->features + k] += place[axis];
        }
    }
    struct ranked *ranked = room(a->features, sizeof *ranked);
    for (size_t axis = 0; axis < ATLAS_AXES; axis++) {
        for (size_t k = 0; k < a->features; k++) /* √n: what many runs have says more than what a few have */
            ranked[k] = (struct ranked){at[axis * a->features + k] / sqrt(n[k] > 0 ? n[k] : 1), (uint32_t)k};
        qsort(ranked, a->features, sizeof *ranked, by_rank);
        struct atlas_end *ends[] = {&a->about.axes[axis].high, &a->about.axes[axis].low};
        for (size_t e = 0; e < 2; e++)
            for (size_t i = 0; i < a->features && ends[e]->n < ATLAS_ENDS; i++) {
                const struct ranked *r = &ranked[e ? a->features - 1 - i : i];
                if (e ? r->rank < 0 : r->rank > 0)
                    ends[e]->words[ends[e]->n++] = name_of(a, &a->candidates[a->vocabulary[r->place]], names);
            }
    }
    free(ranked);
    free(at);
    free(n);
}

void atlas_fit(struct atlas *a, const struct action_names *names)
{
    choose(a, false, FEATURES / 2);
    choose(a, true, FEATURES / 2);
    a->about.runs = a->nruns;
    a->about.features = a->features;
    size_t d = a->features;
    if (d < ATLAS_AXES) {
        a->features = 0;
        return;
    }
    double *b = room(d * d, sizeof *b), *c = room(d * d, sizeof *c), *x = room(d, sizeof *x), values[ATLAS_AXES], trace = 0;
    count_pairs(a);
    covariances(a, b, c, x);
    for (size_t k = 0; k < d; k++)
        trace += c[k * d + k];
    if (a->about.contrastive)
        for (size_t k = 0; k < d; k++)
            c[k * d + k] += REGULARITY * trace / (double)d + 1e-12;
    else
        for (size_t i = 0; i < d * d; i++)
            c[i] = i % (d + 1) == 0 ? trace + 1e-12 : 0;
    if (!eigen_top(b, c, d, ATLAS_AXES, values, a->axes))
        a->features = 0;
    for (size_t axis = 0; a->features && axis < ATLAS_AXES; axis++)
        a->about.axes[axis].agreement = values[axis];
    if (a->features)
        name_ends(a, names, x);
    free(b);
    free(c);
    free(x);
}

/* ---- placing --------------------------------------------------------------------------------------------------------------------- */

void atlas_place(struct atlas *a, const struct atlas_run *run, double out[ATLAS_AXES])
{
    uint32_t places[FEATURES];
    double x[FEATURES];
    size_t n = 0;
    look_at(a, run);
    for (size_t i = 0; i < a->nkeys && n < FEATURES; i++) {
        uint32_t slot = *slot_of(a, a->keys[i]);
        if (slot && a->candidates[slot - 1].in_vocabulary)
            places[n++] = slot - 1;
    }
    for (size_t axis = 0; axis < ATLAS_AXES; axis++)
        out[axis] = 0;
    if (!vector(a, places, n, x))
        return;
    for (size_t axis = 0; axis < ATLAS_AXES; axis++)
        for (size_t k = 0; k < a->features; k++)
            out[axis] += a->axes[axis * a->features + k] * (x[k] - a->mean[k]);
}

const struct atlas_about *atlas_about(const struct atlas *a) { return &a->about; }

struct atlas *atlas_new(void)
{
    struct atlas *a = room(1, sizeof *a);
    a->table = room(TABLE, sizeof *a->table);
    a->candidates = room(CANDIDATES, sizeof *a->candidates);
    a->keys = room(RUN_FEATURES, sizeof *a->keys);
    a->words = room(RUN_FEATURES, sizeof *a->words);
    return a;
}

void atlas_free(struct atlas *a)
{
    if (!a)
        return;
    arena_free(&a->arena);
    free(a->table);
    free(a->candidates);
    free(a->keys);
    free(a->words);
    free(a);
}
