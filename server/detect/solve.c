#include "detect/solve.h"

#include "base/clock.h"

#include <stdlib.h>

enum { SOLUTIONS_MAX = 4096 };

struct solver {
    struct detect_scratch *s;
    const struct rule *rule;
    size_t shown;       /* how much of what took part is kept: all of it, for `except` */
    uint64_t work;
    bool over;          /* the work was too much: what is found so far stands */
};

/* One step of work; false once there was too much of it. */
static bool work(struct solver *x, uint64_t steps)
{
    x->work += steps;
    x->s->work += steps;
    if (x->over || x->work <= (x->s->work <= RUN_WORK ? WORK_MAX : WORK_LITTLE))
        return !x->over;
    x->over = true;
    match_incomplete(x->s, x->rule->id, "the condition needed too many comparisons; later matches may be missing");
    return false;
}

/* ---- captures ---------------------------------------------------------------------------------------------------- */

static bool agree(const struct solver *x, const struct slice *a, const struct slice *b)
{
    for (int i = 0; a && b && i < x->rule->ncaptures; i++)
        if (a[i].ptr && b[i].ptr && !slice_eq(a[i], b[i]))
            return false;
    return true;
}

static struct slice *merge(struct solver *x, const struct slice *a, const struct slice *b)
{
    struct slice *out = arena_array(&x->s->arena, struct slice, (size_t)x->rule->ncaptures + 1);
    for (int i = 0; i < x->rule->ncaptures; i++)
        out[i] = a && a[i].ptr ? a[i] : b ? b[i] : SLICE_NONE;
    return out;
}

/* ---- solutions --------------------------------------------------------------------------------------------------- */

static struct solution *add_solution(struct solver *x, struct solutions *list, const struct slice *a, const struct slice *b)
{
    if (list->n == SOLUTIONS_MAX) {
        match_incomplete(x->s, x->rule->id, "the condition holds in more than 4096 ways; the rest is left out");
        return NULL;
    }
    list->items = arena_grow(&x->s->arena, list->items, list->n, &list->cap, sizeof *list->items);
    list->items[list->n] = (struct solution){.captures = merge(x, a, b)};
    return &list->items[list->n++];
}

static void keep_solution(struct solver *x, struct solutions *list, const struct solution *s)
{
    struct solution *kept = add_solution(x, list, NULL, NULL);
    if (kept)
        *kept = *s;
}

static void show(struct solver *x, struct solution *s, const struct occurrence *o)
{
    s->count++;
    if (s->nshows >= x->shown)
        return;
    for (size_t i = 0; x->shown == SHOWN && i < s->nshows; i++)
        if (s->shows[i] == o)
            return;
    s->shows = arena_grow(&x->s->arena, s->shows, s->nshows, &s->cap, sizeof(const struct occurrence *));
    s->shows[s->nshows++] = o;
}

/* ---- the occurrences a condition is about ------------------------------------------------------------------------ */

struct hit {
    const struct occurrence *o;
    const unsigned char *key;
};
struct hits {
    struct hit *items;
    size_t n;
};

static int by_order(const void *a, const void *b)
{
    uint32_t p = ((const struct hit *)a)->o->order, q = ((const struct hit *)b)->o->order;
    return p < q ? -1 : p > q;
}

static const unsigned char no_key[HASH_SIZE];

/* In order; those that contradict `given` or were set aside are left out. */
static struct hits gather(struct solver *x, const struct of *of, const struct slice *given, bool keyed)
{
    struct hits out = {0};
    size_t most = 0;
    for (size_t i = 0; i < of->n; i++)
        most += x->s->occurrences[of->defs[i]->index].n;
    if (!work(x, most))
        return out;
    out.items = arena_alloc(&x->s->arena, (most + 1) * sizeof *out.items);
    for (size_t i = 0; i < of->n; i++) {
        const struct occurrences *list = &x->s->occurrences[of->defs[i]->index];
        for (size_t k = 0; k < list->n; k++) {
            const struct occurrence *o = &list->items[k];
            const unsigned char *key = keyed ? o->keys[of->keys[i]] : no_key;
            if (!o->set_aside && agree(x, o->captures, given) && (!keyed || memcmp(key, no_key, HASH_SIZE) != 0))
                out.items[out.n++] = (struct hit){o, key};
        }
    }
    if (of->n > 1)
        qsort(out.items, out.n, sizeof *out.items, by_order);
    return out;
}

/* ---- groups: hits that have a key, or some captures, alike ------------------------------------------------------- */

struct grouping {
    const struct solver *x;
    const int *by;      /* NULL: all captures */
    size_t nby;
    bool keyed;
};

static int compare_hits(const struct grouping *g, const struct hit *a, const struct hit *b)
{
    if (g->keyed)
        return memcmp(a->key, b->key, HASH_SIZE);
    size_t n = g->by ? g->nby : (size_t)g->x->rule->ncaptures;
    for (size_t i = 0; i < n && a->o->captures && b->o->captures; i++) {
        size_t capture = g->by ? (size_t)g->by[i] : i;
        int c = slice_cmp(a->o->captures[capture], b->o->captures[capture]);
        if (c)
            return c;
    }
    return 0;
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
    if (hits.n)
        qsort_r(hits.items, hits.n, sizeof *hits.items, by_group, g);
    size_t count = hits.n > 0;
    for (size_t i = 1; i < hits.n; i++)
        count += compare_hits(g, &hits.items[i - 1], &hits.items[i]) != 0;
    struct hits *groups = arena_array(&x->s->arena, struct hits, count + 1);
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
    struct solution *s = add_solution(x, out, captures, given);
    for (size_t i = 0; s && i < group.n; i++)
        show(x, s, group.items[i].o);
}

/* ---- distances --------------------------------------------------------------------------------------------------- */

static int32_t message_count(const struct solver *x, int32_t transcript)
{
    return transcript < 0 ? 0 : (int32_t)x->s->view.run->transcripts[transcript].nmessages;
}

/* The end, and scores, come one step after the last message of any transcript. */
static bool same_transcript(const struct occurrence *a, const struct occurrence *b)
{
    return a->transcript == b->transcript || a->transcript < 0 || b->transcript < 0;
}

static struct slice time_of(const struct solver *x, const struct occurrence *o)
{
    return o->transcript < 0 ? x->s->view.run->ended_at
                             : x->s->view.run->transcripts[o->transcript].messages[o->message].timestamp;
}

static bool is_within(const struct solver *x, const struct occurrence *a, const struct occurrence *b, const struct window *w)
{
    if (w->steps >= 0) {
        int32_t from = a->transcript < 0 ? message_count(x, b->transcript) : a->message;
        int32_t to = b->transcript < 0 ? message_count(x, a->transcript) : b->message;
        if (to - from > w->steps)
            return false;
    }
    if (w->us >= 0) {
        int64_t from, to;
        if (!clock_parse(time_of(x, a), &from) || !clock_parse(time_of(x, b), &to) || to - from > w->us)
            return false; /* without times nothing can be said */
    }
    return true;
}

/* ---- one function for each word of the language ------------------------------------------------------------------ */

static void solve(struct solver *x, const struct cond *cond, const struct slice *given, struct solutions *out);

static void solve_any(struct solver *x, const struct cond *cond, const struct slice *given, struct solutions *out)
{
    struct grouping g = {0};
    size_t n;
    struct hits *groups = make_groups(x, gather(x, &cond->of, given, false), &g, &n);
    for (size_t i = 0; i < n; i++)
        add_group(x, out, groups[i].items[0].o->captures, given, groups[i]);
}

static bool in_bounds(const struct cond *cond, size_t n)
{
    return (cond->at_least < 0 || n >= (size_t)cond->at_least) && (cond->at_most < 0 || n <= (size_t)cond->at_most);
}

/* The captures that a group of `by` is about, and no others. */
static struct slice *only_by(struct solver *x, const struct cond *cond, const struct slice *captures)
{
    struct slice *out = arena_array(&x->s->arena, struct slice, (size_t)x->rule->ncaptures + 1);
    for (size_t i = 0; captures && i < cond->nby; i++)
        out[cond->by[i]] = captures[cond->by[i]];
    return out;
}

static void count_group(struct solver *x, const struct cond *cond, const struct slice *given, struct hits group,
                        struct solutions *out)
{
    const struct slice *captures = !group.n      ? NULL
                                   : cond->keyed ? group.items[0].o->captures
                                                 : only_by(x, cond, group.items[0].o->captures);
    if (cond->within.steps < 0 && cond->within.us < 0) {
        if (in_bounds(cond, group.n))
            add_group(x, out, captures, given, group);
        return;
    }
    size_t need = cond->at_least > 0 ? (size_t)cond->at_least : 1;
    for (size_t i = 0; need <= group.n && i <= group.n - need; i++) { /* the first place where so many stand close together */
        const struct occurrence *a = group.items[i].o, *b = group.items[i + need - 1].o;
        if (!same_transcript(a, b) || !is_within(x, a, b, &cond->within))
            continue;
        size_t end = i + need;
        while (end < group.n && same_transcript(a, group.items[end].o) && is_within(x, a, group.items[end].o, &cond->within))
            end++;
        if (in_bounds(cond, end - i))
            add_group(x, out, captures, given, (struct hits){&group.items[i], end - i});
        return;
    }
}

static void solve_count(struct solver *x, const struct cond *cond, const struct slice *given, struct solutions *out)
{
    struct grouping g = {.by = cond->by, .nby = cond->nby, .keyed = cond->keyed};
    struct hits hits = gather(x, &cond->of, given, cond->keyed);
    size_t n;
    struct hits *groups = make_groups(x, hits, &g, &n);
    for (size_t i = 0; i < n; i++)
        count_group(x, cond, given, groups[i], out);
    if (n == 0 && !cond->keyed && !cond->nby)
        count_group(x, cond, given, (struct hits){0}, out);
}

static void solve_distinct(struct solver *x, const struct cond *cond, const struct slice *given, struct solutions *out)
{
    struct grouping g = {.keyed = true};
    size_t n;
    struct hits *groups = make_groups(x, gather(x, &cond->of, given, true), &g, &n);
    struct solution *s = in_bounds(cond, n) ? add_solution(x, out, given, NULL) : NULL;
    for (size_t i = 0; s && i < n; i++)
        show(x, s, groups[i].items[0].o);
}

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

static void solve_repeat(struct solver *x, const struct cond *cond, const struct slice *given, struct solutions *out)
{
    struct hits hits = gather(x, &cond->of, given, true);
    struct hits *streaks = arena_array(&x->s->arena, struct hits, hits.n + 1);
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

static void solve_edge(struct solver *x, const struct cond *cond, const struct slice *given, struct solutions *out)
{
    struct hits hits = gather(x, &cond->of, given, false);
    size_t kept = 0;
    for (size_t i = 0; i < hits.n; i++) {
        const struct occurrence *o = hits.items[i].o;
        bool edge = cond->first ? o->transcript >= 0 && o->message < cond->at_most
                                : o->transcript < 0 || o->message >= message_count(x, o->transcript) - cond->at_most;
        if (edge)
            hits.items[kept++] = hits.items[i];
    }
    hits.n = kept;
    struct grouping g = {0};
    size_t n;
    struct hits *groups = make_groups(x, hits, &g, &n);
    for (size_t i = 0; i < n; i++)
        add_group(x, out, groups[i].items[0].o->captures, given, groups[i]);
}

static void solve_ratio(struct solver *x, const struct cond *cond, const struct slice *given, struct solutions *out)
{
    struct hits of = gather(x, &cond->of, given, false), to = gather(x, &cond->other, given, false);
    double share = to.n ? (double)of.n / (double)to.n : NAN;
    bool holds = to.n && to.n >= (size_t)cond->at_least && (isnan(cond->over) || share > cond->over) &&
                 (isnan(cond->under) || share < cond->under);
    if (holds)
        add_group(x, out, given, NULL, of.n ? of : to);
}

/* The first hit after `order`. */
static size_t after(const struct hits *hits, uint32_t order)
{
    size_t low = 0, high = hits->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (hits->items[mid].o->order > order)
            high = mid;
        else
            low = mid + 1;
    }
    return low;
}

static void solve_absent(struct solver *x, const struct cond *cond, const struct slice *given, struct solutions *out)
{
    struct hits hits = gather(x, &cond->other, given, false), answers = gather(x, &cond->of, given, false);
    size_t kept = 0;
    for (size_t i = 0; i < hits.n; i++) {
        const struct occurrence *o = hits.items[i].o;
        bool answered = false;
        for (size_t k = after(&answers, o->order); k < answers.n && !answered && work(x, 1); k++) {
            const struct occurrence *b = answers.items[k].o;
            answered = same_transcript(o, b) && agree(x, o->captures, b->captures) && is_within(x, o, b, &cond->within);
        }
        if (!answered)
            hits.items[kept++] = hits.items[i];
    }
    hits.n = x->over ? 0 : kept;
    struct grouping g = {0};
    size_t n;
    struct hits *groups = make_groups(x, hits, &g, &n);
    for (size_t i = 0; i < n; i++)
        add_group(x, out, groups[i].items[0].o->captures, given, groups[i]);
}

/* ---- sequences --------------------------------------------------------------------------------------------------- */

struct search {
    struct solver *x;
    const struct cond *cond;
    struct hits *steps;             /* one list a step */
    struct hits until;
    const struct occurrence **chosen;
    size_t nchosen;
};

/* Does any of `hits` lie after `from` and before `to` (NULL: to the end, as far as the window goes), agreeing with `captures`? */
static bool between(struct search *q, const struct hits *hits, const struct occurrence *from, const struct occurrence *to,
                    const struct slice *captures)
{
    for (size_t i = after(hits, from->order); i < hits->n && work(q->x, 1); i++) {
        const struct occurrence *o = hits->items[i].o;
        if (to && o->order >= to->order)
            return false;
        if (same_transcript(from, o) && agree(q->x, o->captures, captures) &&
            (to || is_within(q->x, q->chosen[0], o, &q->cond->within)))
            return true;
    }
    return false;
}

static bool forbidden(struct search *q, size_t from_step, size_t to_step, const struct occurrence *from,
                      const struct occurrence *to, const struct slice *captures)
{
    for (size_t i = from_step; i < to_step; i++)
        if (between(q, &q->steps[i], from, to, captures))
            return true;
    return false;
}

static bool search_from(struct search *q, size_t step, const struct slice *captures, struct slice **bound)
{
    const struct cond *cond = q->cond;
    size_t next = step;
    while (next < cond->nsteps && cond->steps[next].negate)
        next++;
    const struct occurrence *last = q->chosen[q->nchosen - 1];
    if (next == cond->nsteps) { /* only {not: …} is left: it must not follow before `until`, the window's or the run's end */
        *bound = merge(q->x, captures, NULL);
        size_t until = after(&q->until, last->order);
        return !forbidden(q, step, next, last, until < q->until.n ? q->until.items[until].o : NULL, captures);
    }
    for (size_t i = after(&q->steps[next], last->order); i < q->steps[next].n && work(q->x, 1); i++) {
        const struct occurrence *o = q->steps[next].items[i].o;
        if (!same_transcript(last, o) || !agree(q->x, o->captures, captures))
            continue;
        if (!is_within(q->x, q->chosen[0], o, &cond->within) || between(q, &q->until, q->chosen[0], o, captures) ||
            forbidden(q, step, next, last, o, captures))
            return false; /* what is too far or has something forbidden before it stays so for all later ones */
        q->chosen[q->nchosen++] = o;
        if (search_from(q, next + 1, merge(q->x, captures, o->captures), bound))
            return true;
        q->nchosen--;
    }
    return false;
}

static void solve_sequence(struct solver *x, const struct cond *cond, const struct slice *given, struct solutions *out)
{
    struct search q = {.x = x, .cond = cond, .steps = arena_array(&x->s->arena, struct hits, cond->nsteps)};
    for (size_t i = 0; i < cond->nsteps; i++)
        q.steps[i] = gather(x, &cond->steps[i].of, given, false);
    if (cond->other.n)
        q.until = gather(x, &cond->other, given, false);
    q.chosen = arena_alloc(&x->s->arena, cond->nsteps * sizeof(const struct occurrence *));
    size_t first = 0;
    while (cond->steps[first].negate)
        first++;
    size_t from = out->n;
    for (size_t i = 0; i < q.steps[first].n && work(x, 1); i++) {
        const struct occurrence *start = q.steps[first].items[i].o;
        struct slice *captures = merge(x, start->captures, given), *bound;
        bool early = false; /* a leading {not: …}: nothing of it before the start */
        for (size_t k = 0; k < first && !early; k++)
            for (size_t h = 0; h < q.steps[k].n && q.steps[k].items[h].o->order < start->order && !early && work(x, 1); h++)
                early = same_transcript(start, q.steps[k].items[h].o) && agree(x, q.steps[k].items[h].o->captures, captures);
        /* A start inside the match before it, of the same captures, would tell the same story again. */
        bool inside = out->n > from && out->items[out->n - 1].nshows && agree(x, out->items[out->n - 1].captures, captures) &&
                      start->order <= out->items[out->n - 1].shows[out->items[out->n - 1].nshows - 1]->order &&
                      same_transcript(start, out->items[out->n - 1].shows[0]);
        q.chosen[0] = start;
        q.nchosen = 1;
        if (early || inside || !search_from(&q, first + 1, captures, &bound) || x->over)
            continue;
        struct solution *s = add_solution(x, out, bound, given);
        for (size_t k = 0; s && k < q.nchosen; k++)
            show(x, s, q.chosen[k]);
    }
}

/* ---- and, or, not ------------------------------------------------------------------------------------------------ */

static void join(struct solver *x, const struct solutions *a, const struct solutions *b, struct solutions *out)
{
    for (size_t i = 0; i < a->n; i++)
        for (size_t k = 0; k < b->n && work(x, 1); k++) {
            const struct solution *p = &a->items[i], *q = &b->items[k];
            if (!agree(x, p->captures, q->captures))
                continue;
            struct solution *s = add_solution(x, out, p->captures, q->captures);
            if (!s)
                return;
            for (size_t n = 0; n < p->nshows || n < q->nshows; n++) { /* by turns, so that neither side pushes the other out */
                if (n < p->nshows)
                    show(x, s, p->shows[n]);
                if (n < q->nshows)
                    show(x, s, q->shows[n]);
            }
            s->count = p->count > q->count ? p->count : q->count;
        }
}

static bool holds(struct solver *x, const struct cond *cond, const struct slice *captures)
{
    struct solutions ways = {0};
    solve(x, cond, captures, &ways);
    return ways.n > 0;
}

static void solve_and(struct solver *x, const struct cond *cond, const struct slice *given, struct solutions *out)
{
    struct solutions so_far = {0};
    add_solution(x, &so_far, given, NULL);
    for (size_t i = 0; i < cond->nkids; i++) {
        if (cond->kids[i]->type == COND_NOT)
            continue;
        struct solutions ways = {0}, both = {0};
        solve(x, cond->kids[i], given, &ways);
        join(x, &so_far, &ways, &both);
        so_far = both;
    }
    for (size_t i = 0; i < so_far.n; i++) { /* what must not be is asked last, of each solution with its captures */
        bool good = true;
        for (size_t k = 0; k < cond->nkids && good; k++)
            good = cond->kids[k]->type != COND_NOT || !holds(x, cond->kids[k]->kids[0], so_far.items[i].captures);
        if (good && !x->over)
            keep_solution(x, out, &so_far.items[i]);
    }
}

static void solve(struct solver *x, const struct cond *cond, const struct slice *given, struct solutions *out)
{
    switch (cond->type) {
    case COND_ANY: solve_any(x, cond, given, out); break;
    case COND_COUNT: solve_count(x, cond, given, out); break;
    case COND_DISTINCT: solve_distinct(x, cond, given, out); break;
    case COND_REPEAT: solve_repeat(x, cond, given, out); break;
    case COND_SEQUENCE: solve_sequence(x, cond, given, out); break;
    case COND_ABSENT: solve_absent(x, cond, given, out); break;
    case COND_EDGE: solve_edge(x, cond, given, out); break;
    case COND_RATIO: solve_ratio(x, cond, given, out); break;
    case COND_AND: solve_and(x, cond, given, out); break;
    case COND_OR:
        for (size_t i = 0; i < cond->nkids; i++)
            solve(x, cond->kids[i], given, out);
        break;
    case COND_NOT:
        if (!holds(x, cond->kids[0], given) && !x->over)
            add_solution(x, out, given, NULL);
        break;
    }
}

/* ---- except ------------------------------------------------------------------------------------------------------ */

static bool speaks_of(const struct cond *cond, const struct event_def *def)
{
    const struct of *lists[] = {&cond->of, &cond->other};
    for (size_t i = 0; i < 2; i++)
        for (size_t k = 0; k < lists[i]->n; k++)
            if (lists[i]->defs[k] == def)
                return true;
    for (size_t i = 0; i < cond->nsteps; i++)
        for (size_t k = 0; k < cond->steps[i].of.n; k++)
            if (cond->steps[i].of.defs[k] == def)
                return true;
    for (size_t i = 0; i < cond->nkids; i++)
        if (speaks_of(cond->kids[i], def))
            return true;
    return false;
}

/* Takes those occurrences that `find` asks about out of play. False: the exception speaks of none of them. */
static bool set_aside(struct solver *x, const struct cond *except, const struct solutions *ways)
{
    bool any = false;
    for (size_t i = 0; i < x->rule->nevents; i++) {
        const struct event_def *def = x->rule->events[i];
        struct occurrences *list = &x->s->occurrences[def->index];
        if (!speaks_of(x->rule->find, def) || !speaks_of(except, def))
            continue;
        any = true;
        for (size_t k = 0; k < ways->n; k++)
            for (size_t n = 0; n < ways->items[k].nshows; n++) {
                const struct occurrence *o = ways->items[k].shows[n];
                if (o >= list->items && o < list->items + list->n)
                    list->items[o - list->items].set_aside = true;
            }
    }
    return any;
}

static bool excepted(const struct solver *x, const struct solutions *exceptions, const struct solution *s)
{
    for (size_t i = 0; i < exceptions->n; i++)
        if (agree(x, exceptions->items[i].captures, s->captures))
            return true;
    return false;
}

void solve_rule(struct detect_scratch *s, const struct rule *rule, struct solutions *out)
{
    const struct of *leads = &rule->leads;
    bool occurs = rule->always;
    for (size_t i = 0; i < leads->n && !occurs; i++)
        occurs = s->occurrences[leads->defs[i]->index].n > 0;
    for (size_t i = 0; !leads->n && i < rule->nevents && !occurs; i++)
        occurs = s->occurrences[rule->events[i]->index].n > 0;
    if (!occurs)
        return;
    struct solver x = {.s = s, .rule = rule, .shown = SIZE_MAX};
    struct solutions whole = {0}, ways = {0}; /* exceptions that take away whole findings; ways in which the rule holds */
    for (size_t i = 0; i < rule->nexcepts; i++) {
        struct solutions found = {0};
        solve(&x, rule->excepts[i], NULL, &found);
        if (x.over)
            return; /* an exception that was not found would make a false finding */
        bool part = set_aside(&x, rule->excepts[i], &found);
        for (size_t k = 0; !part && k < found.n; k++)
            keep_solution(&x, &whole, &found.items[k]);
    }
    x.shown = SHOWN;
    solve(&x, rule->find, NULL, &ways);
    for (size_t i = 0; i < ways.n; i++)
        if (!excepted(&x, &whole, &ways.items[i]))
            keep_solution(&x, out, &ways.items[i]);
}
