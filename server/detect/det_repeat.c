/* Near-duplicates: the agent varies its call a little and gets the same result, again and again. What is equal to the letter is a
 * rule (repeated-call); this is for what a hash cannot see. */
#include "detect/det.h"

#include <stdlib.h>

enum {
    SKETCH = 128,     /* hashes kept of an action's words and pairs of words: the smallest */
    OPEN = 64,        /* groups that an action is compared with: the newest */
    SHORT_RESULT = 20, /* bytes: what says next to nothing, as most commands that only do something */
    TEXT_MAX = 1 << 16,
};

struct group {
    struct slice name;
    const uint32_t *sketch;
    size_t nsketch;
    unsigned char result[HASH_SIZE];
    size_t count, equal;      /* calls; of them equal to the first to the letter … */
    size_t swept;             /* … and equal but for one word: trying one thing after another is no repetition */
    struct slice arguments;   /* of the first */
    struct span spans[8];
    size_t nspans;
};

static bool is_word(unsigned char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '_' || c >= 0x80; }

static int by_number(const void *a, const void *b)
{
    uint32_t p = *(const uint32_t *)a, q = *(const uint32_t *)b;
    return p < q ? -1 : p > q;
}

static uint32_t mix(uint32_t h)
{
    h ^= h >> 16;
    h *= UINT32_C(0x85ebca6b);
    h ^= h >> 13;
    h *= UINT32_C(0xc2b2ae35);
    return h ^ h >> 16;
}

/* The smallest hashes of all words and pairs of neighbouring words: two texts have as large a part of these in common as of the
 * words themselves. */
static size_t make_sketch(struct arena *a, struct slice text, const uint32_t **out)
{
    text = slice_sub(text, 0, TEXT_MAX);
    uint32_t *hashes = arena_alloc(a, (text.len + 2) * sizeof *hashes), before = 0;
    size_t n = 0, kept = 0;
    for (size_t i = 0; i < text.len;) {
        uint32_t h = 2166136261u;
        size_t start = i;
        for (; i < text.len && is_word(fold_byte((unsigned char)text.ptr[i])); i++)
            h = (h ^ fold_byte((unsigned char)text.ptr[i])) * 16777619u;
        if (i == start) {
            i++;
            continue;
        }
        hashes[n++] = mix(h);
        if (before)
            hashes[n++] = mix(before * 31 + h);
        before = h;
    }
    if (n)
        qsort(hashes, n, sizeof *hashes, by_number);
    for (size_t i = 0; i < n && kept < SKETCH; i++)
        if (kept == 0 || hashes[kept - 1] != hashes[i])
            hashes[kept++] = hashes[i];
    *out = hashes;
    return kept;
}

/* The share of what either has that both have, judged from the smallest hashes of the two together. */
static double likeness(const struct group *g, const uint32_t *sketch, size_t n)
{
    size_t i = 0, k = 0, common = 0, all = 0;
    while ((i < g->nsketch || k < n) && all < SKETCH) {
        bool left = i < g->nsketch && (k == n || g->sketch[i] <= sketch[k]),
             right = k < n && (i == g->nsketch || sketch[k] <= g->sketch[i]);
        common += left && right;
        i += left;
        k += right;
        all++;
    }
    return all ? (double)common / (double)all : 0;
}

/* What a result says, without numbers and white space; its length without them. */
static size_t hash_result(const struct message *m, unsigned char out[HASH_SIZE])
{
    struct hash h;
    hash_start(&h);
    size_t n = 0;
    const struct slice parts[] = {m ? m->text : SLICE_NONE, m ? m->error : SLICE_NONE};
    for (size_t p = 0; p < 2; p++) {
        char buffer[512];
        size_t used = 0;
        for (size_t i = 0; i < parts[p].len; i++) {
            unsigned char c = fold_byte((unsigned char)parts[p].ptr[i]);
            if (c <= ' ' || (c >= '0' && c <= '9'))
                continue;
            buffer[used++] = (char)c;
            n++;
            if (used == sizeof buffer) {
                hash_add(&h, slice_of(buffer, used));
                used = 0;
            }
        }
        hash_add_framed(&h, slice_of(buffer, used));
    }
    hash_end(&h, out);
    return n;
}

static size_t word_end(struct slice s, size_t at)
{
    while (at < s.len && is_word(fold_byte((unsigned char)s.ptr[at])))
        at++;
    return at;
}

/* Equal but for one word that holds a letter: a name, a hash, a file. */
static bool is_swept(struct slice a, struct slice b)
{
    size_t i = 0, k = 0, differ = 0;
    while (i < a.len && k < b.len) {
        size_t p = word_end(a, i), q = word_end(b, k);
        if (p == i || q == k) {
            if (p != i || q != k || a.ptr[i] != b.ptr[k])
                return false;
            i++, k++;
            continue;
        }
        struct slice x = slice_sub(a, i, p - i), y = slice_sub(b, k, q - k);
        if (!slice_eq(x, y)) {
            bool letter = false;
            for (size_t n = 0; n < x.len; n++)
                letter |= fold_byte((unsigned char)x.ptr[n]) >= 'a';
            if (!letter || ++differ > 1)
                return false;
        }
        i = p, k = q;
    }
    return i == a.len && k == b.len && differ == 1;
}

struct lookout {
    struct group groups[OPEN];
    size_t n;                   /* ever opened: the newest OPEN of them are kept */
};

static void report(struct det_run *d, const struct group *g)
{
    /* Equal to the letter is what a rule finds. */
    double times = det_number(d->rule, "times");
    if (!((double)(g->count - g->swept) >= times) || (double)g->equal >= times)
        return;
    struct slice title = arena_printf(d->scratch, "%zu nearly equal calls to {tool}, all with the same result", g->count);
    det_report(d, title.ptr, "tool", g->name, g->spans, g->nspans);
}

static void add_call(struct det_run *d, struct lookout *l, const struct tool_call *call, const struct message *result,
                     struct span span)
{
    const uint32_t *sketch;
    unsigned char hash[HASH_SIZE];
    size_t n = make_sketch(d->scratch, call->arguments, &sketch);
    double best = 0, least = det_number(d->rule, hash_result(result, hash) < SHORT_RESULT ? "likeness_short" : "likeness");
    struct group *to = NULL;
    for (size_t i = 0; i < l->n && i < OPEN; i++) {
        struct group *g = &l->groups[i];
        double alike = slice_eq(g->name, call->name) && memcmp(g->result, hash, HASH_SIZE) == 0 ? likeness(g, sketch, n) : 0;
        if (alike >= least && alike > best)
            best = alike, to = g;
    }
    if (!to) {
        to = &l->groups[l->n++ % OPEN];
        if (l->n > OPEN)
            report(d, to);
        *to = (struct group){.name = call->name, .sketch = sketch, .nsketch = n, .arguments = call->arguments};
        memcpy(to->result, hash, HASH_SIZE);
    }
    to->count++;
    to->equal += slice_eq(to->arguments, call->arguments);
    to->swept += is_swept(to->arguments, call->arguments);
    if (to->nspans < sizeof to->spans / sizeof *to->spans)
        to->spans[to->nspans++] = span_opening(d->run, span);
}

void det_similar_action(struct det_run *d)
{
    for (size_t t = 0; t < d->run->ntranscripts; t++) {
        const struct transcript *transcript = &d->run->transcripts[t];
        struct lookout *l = arena_new(d->scratch, struct lookout);
        for (size_t i = 0; i < transcript->nmessages; i++)
            for (size_t c = 0; c < transcript->messages[i].ncalls; c++) {
                int32_t result = d->pairs[t].results[d->pairs[t].first[i] + c];
                struct span span = span_of_call(t, i, c);
                if (result >= 0) /* of a call without a result nothing can be said */
                    add_call(d, l, &transcript->messages[i].calls[c], &transcript->messages[result], span);
            }
        for (size_t i = 0; i < l->n && i < OPEN; i++)
            report(d, &l->groups[i]);
    }
}
