/* Conditions that count what occurred: any, count, distinct, repeat, first and last, ratio; and absent, which counts none. */
#include "detect/solve_in.h"

#include <stdlib.h>

/* ---- groups: hits that have a key, or some captures, alike ------------------------------------------------------- */

struct grouping {
    const struct solver *x;
    const int *by;      /* NULL: all captures */
    size_t nby;
    bool keyed;         /* by key too */
};

static int compare_captures(struct slice a, struct slice b)
{
    return (a.ptr != NULL) != (b.ptr != NULL) ? (a.ptr ? 1 : -1) : slice_cmp(a, b);
}

static int compare_hits(const struct grouping *g, const struct hit *a, const struct hit *b)
{
    int c = g->keyed ? memcmp(a->key, b->key, HASH_SIZE) : 0;
    size_t n = g->by ? g->nby : (size_t)g->x->rule->ncaptures;
    for (size_t i = 0; c == 0 && i < n && a->o->captures && b->o->captures; i++) {
        size_t capture = g->by ? (size_t)g->by[i] : i;
        c = compare_captures(a->o->captures[capture], b->o->captures[capture]);
    }
    return c;
}

static int by_order(const struct hit *a, const struct hit *b)
{
    return a->o->order != b->o->order ? (a->o->order < b->o->order ? -1 : 1) : a->nth < b->nth ? -1 : a->nth > b->nth;
}

static int by_group(const void *a, const void *b, void *grouping)
{
    int c = compare_hits(grouping, a, b);
    return c ? c : by_order(a, b);
}

static int by_first(const void *a, const void *b)
{
    return by_order(((const struct hits *)a)->items, ((const struct hits *)b)->items);
}

/* Cuts hits into groups, each in order, the groups by their first hit. */
static struct hits *make_groups(struct solver *x, struct hits hits, struct grouping *g, size_t *n)
{
    g->x = x;
    *n = 0;
    hits.n = solve_sort_work(x, hits.n) ? hits.n : 0;
    if (hits.n)
        qsort_r(hits.items, hits.n, sizeof *hits.items, by_group, g);
    size_t count = hits.n > 0;
    for (size_t i = 1; i < hits.n; i++)
        count += compare_hits(g, &hits.items[i - 1], &hits.items[i]) != 0;
    struct hits *groups = arena_array(x->arena, struct hits, count + 1);
    for (size_t i = 0; i < hits.n; i++) {
        if (i == 0 || compare_hits(g, &hits.items[i - 1], &hits.items[i]) != 0)
            groups[(*n)++] = (struct hits){&hits.items[i], 0};
        groups[*n - 1].n++;
    }
    if (*n)
        qsort(groups, *n, sizeof *groups, by_first);
    return groups;
}

static void add_group(struct solver *x, struct solutions *out, const struct slice *captures, const struct slice *given,
                      struct hits group)
{
    struct solution *s = solve_add(x, out, captures, given);
    for (size_t i = 0; s && i < group.n; i++)
        solve_show(x, s, group.items[i].o);
}

/* A solution for each different set of captures. */
static void add_by_captures(struct solver *x, struct solutions *out, const struct slice *given, struct hits hits)
{
    struct grouping g = {0};
    size_t n;
    struct hits *groups = make_groups(x, hits, &g, &n);
    for (size_t i = 0; i < n; i++)
        add_group(x, out, groups[i].items[0].o->captures, given, groups[i]);
}

/* An event that several names of `of` mean counts once, but for each set of captures; with `events`, once in any case. */
static void count_once(struct solver *x, struct hits *hits, bool events)
{
    const struct grouping all = {.x = x};
    size_t kept = 0;
    for (size_t i = 0; i < hits->n; i++) {
        bool twin = false;
        for (size_t k = kept; k > 0 && !twin && hits->items[k - 1].o->order == hits->items[i].o->order; k--)
            twin = events || compare_hits(&all, &hits->items[k - 1], &hits->items[i]) == 0;
        if (!twin)
            hits->items[kept++] = hits->items[i];
    }
    hits->n = kept;
}

/* ---- any, first, last -------------------------------------------------------------------------------------------- */

void solve_any(struct solver *x, const struct cond *cond, const struct slice *given, struct solutions *out)
{
    add_by_captures(x, out, given, solve_gather(x, &cond->of, given, false));
}

void solve_edge(struct solver *x, const struct cond *cond, const struct slice *given, struct solutions *out)
{
    struct hits hits = solve_gather(x, &cond->of, given, false);
    size_t kept = 0;
    for (size_t i = 0; i < hits.n; i++) {
        const struct occurrence *o = hits.items[i].o;
        bool edge = cond->first ? o->transcript >= 0 && o->message < cond->at_most
                                : o->transcript < 0 || o->message >= solve_message_count(x, o->transcript) - cond->at_most;
        if (edge)
            hits.items[kept++] = hits.items[i];
    }
    hits.n = kept;
    add_by_captures(x, out, given, hits);
}

/* ---- count ------------------------------------------------------------------------------------------------------- */

static bool in_bounds(const struct cond *cond, size_t n)
{
    return (cond->at_least < 0 || n >= (size_t)cond->at_least) && (cond->at_most < 0 || n <= (size_t)cond->at_most);
}

static bool has_window(const struct cond *cond) { return cond->within.steps >= 0 || cond->within.us >= 0; }

/* Where most of a group stand close together; the first such place. */
static struct hits densest(struct solver *x, const struct cond *cond, struct hits group)
{
    struct hits best = {0};
    size_t end = 0;
    for (size_t i = 0; i < group.n && solve_work(x, 1); i++) {
        const struct occurrence *first = group.items[i].o;
        end = end < i ? i : end;
        while (end < group.n && solve_same_transcript(first, group.items[end].o) &&
               solve_near(x, first, group.items[end].o, &cond->within) == NEAR_YES)
            end++;
        if (end - i > best.n)
            best = (struct hits){&group.items[i], end - i};
    }
    return best;
}

/* Those that `by` can group; with a window of time, those that have one. */
static void drop_ungrouped(const struct solver *x, const struct cond *cond, struct hits *hits)
{
    size_t kept = 0;
    for (size_t i = 0; i < hits->n; i++) {
        const struct occurrence *o = hits->items[i].o;
        bool good = solve_near(x, o, o, &cond->within) == NEAR_YES;
        for (size_t k = 0; k < cond->nby; k++)
            good &= o->captures && o->captures[cond->by[k]].ptr;
        if (good)
            hits->items[kept++] = hits->items[i];
    }
    hits->n = kept;
}

/* Of `by` the captures that it groups by; of `same` those of the first; else none. */
static const struct slice *captures_of(struct solver *x, const struct cond *cond, struct hits group)
{
    if (!group.n || !group.items[0].o->captures || cond->keyed)
        return group.n ? group.items[0].o->captures : NULL;
    struct slice *out = arena_array(x->arena, struct slice, (size_t)x->rule->ncaptures);
    for (size_t i = 0; i < cond->nby; i++)
        out[cond->by[i]] = group.items[0].o->captures[cond->by[i]];
    return out;
}

void solve_count(struct solver *x, const struct cond *cond, const struct slice *given, struct solutions *out)
{
    struct grouping g = {.by = cond->by, .nby = cond->nby, .keyed = cond->keyed};
    struct hits hits = solve_gather(x, &cond->of, given, cond->keyed);
    size_t n;
    count_once(x, &hits, cond->keyed && !cond->nby);
    drop_ungrouped(x, cond, &hits);
    struct hits *groups = make_groups(x, hits, &g, &n);
    if (n == 0 && !cond->keyed && !cond->nby)
        n = 1; /* make_groups leaves room for one: none of them */
    for (size_t i = 0; i < n; i++) {
        struct hits counted = has_window(cond) ? densest(x, cond, groups[i]) : groups[i];
        if (in_bounds(cond, counted.n) && !x->over)
            add_group(x, out, captures_of(x, cond, counted), given, counted);
    }
}

void solve_distinct(struct solver *x, const struct cond *cond, const struct slice *given, struct solutions *out)
{
    static const int nothing;
    struct grouping g = {.keyed = true, .by = &nothing};
    size_t n;
    struct hits *groups = make_groups(x, solve_gather(x, &cond->of, given, true), &g, &n);
    struct solution *s = in_bounds(cond, n) && !x->over ? solve_add(x, out, given, NULL) : NULL;
    for (size_t i = 0; s && i < n; i++)
        solve_show(x, s, groups[i].items[0].o);
}

/* ---- repeat ------------------------------------------------------------------------------------------------------ */

/* All in a row, period p: what stands p places on is the same. With p > 1 they must take turns, not be all alike. */
static size_t streak(const struct hits *hits, size_t from, int period)
{
    size_t p = (size_t)period, end = from + p;
    bool alike = p > 1;
    if (end > hits->n)
        return 0;
    for (size_t i = from; i < end; i++) {
        if (hits->items[i].o->transcript != hits->items[from].o->transcript)
            return 0;
        alike &= memcmp(hits->items[i].key, hits->items[from].key, HASH_SIZE) == 0;
    }
    if (alike)
        return 0;
    while (end < hits->n && hits->items[end].o->transcript == hits->items[from].o->transcript &&
           memcmp(hits->items[end].key, hits->items[end - p].key, HASH_SIZE) == 0)
        end++;
    return end - from;
}

static int by_length(const void *a, const void *b)
{
    const struct hits *p = a, *q = b;
    return p->n != q->n ? (p->n > q->n ? -1 : 1) : by_first(a, b);
}

void solve_repeat(struct solver *x, const struct cond *cond, const struct slice *given, struct solutions *out)
{
    struct hits hits = solve_gather(x, &cond->of, given, true);
    count_once(x, &hits, true); /* no event repeats itself */
    struct hits *streaks = arena_array(x->arena, struct hits, hits.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < hits.n;) {
        size_t len = streak(&hits, i, cond->period);
        if (len < (size_t)cond->period * (size_t)cond->at_least) {
            i += len > (size_t)cond->period ? len - (size_t)cond->period + 1 : 1; /* no longer streak can begin inside this one */
            continue;
        }
        streaks[n++] = (struct hits){&hits.items[i], len};
        i += len;
    }
    if (n)
        qsort(streaks, n, sizeof *streaks, by_length); /* the longest says most */
    for (size_t i = 0; i < n; i++)
        add_group(x, out, streaks[i].items[0].o->captures, given, streaks[i]);
}

/* ---- ratio, absent ----------------------------------------------------------------------------------------------- */

void solve_ratio(struct solver *x, const struct cond *cond, const struct slice *given, struct solutions *out)
{
    struct hits of = solve_gather(x, &cond->of, given, false), to = solve_gather(x, &cond->other, given, false);
    count_once(x, &of, false);
    count_once(x, &to, false);
    double share = to.n ? (double)of.n / (double)to.n : NAN;
    bool holds = to.n && to.n >= (size_t)cond->at_least && (isnan(cond->over) || share > cond->over) &&
                 (isnan(cond->under) || share < cond->under);
    if (holds)
        add_group(x, out, given, NULL, of.n ? of : to);
}

void solve_absent(struct solver *x, const struct cond *cond, const struct slice *given, struct solutions *out)
{
    struct hits hits = solve_gather(x, &cond->other, given, false), answers = solve_gather(x, &cond->of, given, false);
    size_t kept = 0, next = 0;
    for (size_t i = 0; i < hits.n; i++) {
        const struct occurrence *o = hits.items[i].o;
        bool answered = false;
        while (next < answers.n && answers.items[next].o->order <= o->order)
            next++;
        for (size_t k = next; k < answers.n && !answered && solve_work(x, 1); k++) {
            const struct occurrence *b = answers.items[k].o;
            answered = solve_same_transcript(o, b) && solve_agree(x, o->captures, b->captures) &&
                       solve_near(x, o, b, &cond->within) != NEAR_NO; /* where nobody knows when, nothing is said to be late */
        }
        if (!answered)
            hits.items[kept++] = hits.items[i];
    }
    hits.n = x->over ? 0 : kept;
    add_by_captures(x, out, given, hits);
}
