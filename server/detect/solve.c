/* Conditions joined: captures, and, or, not, except. */
#include "detect/solve_in.h"

#include "base/clock.h"

#include <stdlib.h>

enum { SOLUTIONS_MAX = 4096 };

bool solve_work(struct solver *x, uint64_t steps)
{
    x->work += steps;
    x->s->work += steps;
    if (x->over || x->work <= (x->s->work <= RUN_WORK ? WORK_MAX : WORK_LITTLE))
        return !x->over;
    x->over = true;
    match_incomplete(x->s, x->rule->id, "the condition needed too many comparisons; later matches may be missing");
    return false;
}

bool solve_sort_work(struct solver *x, size_t n)
{
    uint64_t rounds = 0;
    for (size_t most = 1; most < n; most *= 2)
        rounds++;
    return solve_work(x, n * rounds);
}

/* ---- captures ---------------------------------------------------------------------------------------------------- */

bool solve_agree(const struct solver *x, const struct slice *a, const struct slice *b)
{
    for (int i = 0; a && b && i < x->rule->ncaptures; i++)
        if (a[i].ptr && b[i].ptr && !slice_eq(a[i], b[i]))
            return false;
    return true;
}

struct slice *solve_merge(struct solver *x, const struct slice *a, const struct slice *b)
{
    struct slice *out = arena_array(x->arena, struct slice, (size_t)x->rule->ncaptures + 1);
    for (int i = 0; i < x->rule->ncaptures; i++)
        out[i] = a && a[i].ptr ? a[i] : b ? b[i] : SLICE_NONE;
    return out;
}

/* ---- solutions --------------------------------------------------------------------------------------------------- */

struct solution *solve_add(struct solver *x, struct solutions *list, const struct slice *a, const struct slice *b)
{
    if (list->n == SOLUTIONS_MAX) {
        match_incomplete(x->s, x->rule->id, "the condition holds in more than 4096 ways; the rest is left out");
        return NULL;
    }
    list->items = arena_grow(x->arena, list->items, list->n, &list->cap, sizeof *list->items);
    list->items[list->n] = (struct solution){.captures = solve_merge(x, a, b)};
    return &list->items[list->n++];
}

static void keep_solution(struct solver *x, struct solutions *list, const struct solution *s)
{
    struct solution *kept = solve_add(x, list, NULL, NULL);
    if (kept)
        *kept = *s;
}

void solve_show(struct solver *x, struct solution *s, const struct occurrence *o)
{
    s->count++;
    if (s->nshows >= x->shown)
        return;
    for (size_t i = 0; x->shown == SHOWN && i < s->nshows; i++)
        if (s->shows[i] == o)
            return;
    s->shows = arena_grow(x->arena, s->shows, s->nshows, &s->cap, sizeof(const struct occurrence *));
    s->shows[s->nshows++] = o;
}

/* ---- the occurrences a condition is about ------------------------------------------------------------------------ */

static int by_order(const void *a, const void *b)
{
    const struct hit *p = a, *q = b;
    return p->o->order != q->o->order ? (p->o->order < q->o->order ? -1 : 1) : p->nth < q->nth ? -1 : p->nth > q->nth;
}

static const unsigned char no_key[HASH_SIZE];

/* In order; those that contradict `given` or were set aside are left out. */
struct hits solve_gather(struct solver *x, const struct of *of, const struct slice *given, bool keyed)
{
    struct hits out = {0};
    size_t most = 0;
    for (size_t i = 0; i < of->n; i++)
        most += x->s->occurrences[of->defs[i]->index].n;
    if (!solve_work(x, most))
        return out;
    out.items = arena_alloc(x->arena, (most + 1) * sizeof *out.items);
    for (size_t i = 0; i < of->n; i++) {
        const struct occurrences *list = &x->s->occurrences[of->defs[i]->index];
        for (size_t k = 0; k < list->n; k++) {
            const struct occurrence *o = &list->items[k];
            const unsigned char *key = keyed ? o->keys[of->keys[i]] : no_key;
            if (!o->set_aside && solve_agree(x, o->captures, given) && (!keyed || memcmp(key, no_key, HASH_SIZE) != 0))
                out.items[out.n] = (struct hit){o, key, out.n}, out.n++;
        }
    }
    if (of->n > 1) {
        out.n = solve_sort_work(x, out.n) ? out.n : 0;
        qsort(out.items, out.n, sizeof *out.items, by_order);
    }
    return out;
}

/* ---- distances --------------------------------------------------------------------------------------------------- */

int32_t solve_message_count(const struct solver *x, int32_t transcript)
{
    return transcript < 0 ? 0 : (int32_t)x->s->view.run->transcripts[transcript].nmessages;
}

bool solve_same_transcript(const struct occurrence *a, const struct occurrence *b)
{
    return a->transcript == b->transcript || a->transcript < 0 || b->transcript < 0;
}

/* The end, and scores, come one step after the last message of any transcript. */
static struct slice time_of(const struct solver *x, const struct occurrence *o)
{
    return o->transcript < 0 ? x->s->view.run->ended_at
                             : x->s->view.run->transcripts[o->transcript].messages[o->message].timestamp;
}

enum near solve_near(const struct solver *x, const struct occurrence *a, const struct occurrence *b, const struct window *w)
{
    if (w->steps >= 0) {
        int32_t from = a->transcript < 0 ? solve_message_count(x, b->transcript) : a->message;
        int32_t to = b->transcript < 0 ? solve_message_count(x, a->transcript) : b->message;
        return to - from > w->steps ? NEAR_NO : NEAR_YES;
    }
    int64_t from, to;
    if (w->us < 0)
        return NEAR_YES;
    if (!clock_parse(time_of(x, a), &from) || !clock_parse(time_of(x, b), &to))
        return NEAR_UNKNOWN;
    return to - from > w->us ? NEAR_NO : NEAR_YES;
}

static void solve(struct solver *x, const struct cond *cond, const struct slice *given, struct solutions *out);

/* ---- and, or, not ------------------------------------------------------------------------------------------------ */

static void join(struct solver *x, const struct solutions *a, const struct solutions *b, struct solutions *out)
{
    for (size_t i = 0; i < a->n; i++)
        for (size_t k = 0; k < b->n && solve_work(x, 1); k++) {
            const struct solution *p = &a->items[i], *q = &b->items[k];
            if (!solve_agree(x, p->captures, q->captures))
                continue;
            struct solution *s = solve_add(x, out, p->captures, q->captures);
            if (!s)
                return;
            for (size_t n = 0; n < p->nshows || n < q->nshows; n++) { /* by turns, so that neither side pushes the other out */
                if (n < p->nshows)
                    solve_show(x, s, p->shows[n]);
                if (n < q->nshows)
                    solve_show(x, s, q->shows[n]);
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

/* Does it ask whether something is not so? */
static bool denies(const struct cond *cond)
{
    bool any = cond->type == COND_NOT;
    for (size_t i = 0; i < cond->nkids && !any; i++)
        any = denies(cond->kids[i]);
    return any;
}

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

/* A bit for each capture that an event can bind. */
static unsigned captures_bound(const struct event_def *def)
{
    unsigned out = 0;
    for (size_t i = 0; i < def->nmatchers; i++) {
        const struct matcher *m = &def->matchers[i];
        for (size_t k = 0; k < m->nbinds; k++)
            out |= 1u << m->binds[k].capture;
        if (m->op == OP_SAME)
            out |= 1u << m->capture;
    }
    return out;
}

/* Do its events bind a capture that one of these solutions has bound? */
static bool depends_on(const struct solver *x, const struct cond *cond, const struct solutions *so_far)
{
    unsigned bound = 0, binds = 0;
    for (size_t i = 0; i < so_far->n; i++)
        for (int k = 0; k < x->rule->ncaptures; k++)
            bound |= so_far->items[i].captures[k].ptr ? 1u << k : 0;
    for (size_t i = 0; i < x->rule->nevents; i++)
        if (speaks_of(cond, x->rule->events[i]))
            binds |= captures_bound(x->rule->events[i]);
    return bound & binds;
}

/* Those of the solutions for which a condition that denies something holds too: asked once, or where it depends on their captures of
 * each of them. What one asking took is freed before the next. */
static struct solutions join_denied(struct solver *x, const struct cond *cond, const struct solutions *so_far)
{
    bool depends = depends_on(x, cond, so_far);
    struct solutions ways = {0}, both = {0};
    struct arena own = {0}, *outer = x->arena;
    for (size_t i = 0; i < so_far->n && !x->over; i++) {
        const struct solutions one = {.items = &so_far->items[i], .n = 1};
        if (i == 0 || depends) {
            arena_reset(&own);
            ways = (struct solutions){0};
            x->arena = &own;
            solve(x, cond, depends ? one.items->captures : NULL, &ways);
            x->arena = outer;
        }
        join(x, &one, &ways, &both);
    }
    arena_free(&own);
    return both;
}

/* What must not be is asked last, of the solutions with their captures. */
static void solve_and(struct solver *x, const struct cond *cond, const struct slice *given, struct solutions *out)
{
    struct solutions so_far = {0};
    solve_add(x, &so_far, given, NULL);
    for (size_t i = 0; i < cond->nkids; i++) {
        if (denies(cond->kids[i]))
            continue;
        struct solutions ways = {0}, both = {0};
        solve(x, cond->kids[i], given, &ways);
        join(x, &so_far, &ways, &both);
        so_far = both;
    }
    for (size_t i = 0; i < cond->nkids; i++)
        if (denies(cond->kids[i]))
            so_far = join_denied(x, cond->kids[i], &so_far);
    for (size_t i = 0; i < so_far.n && !x->over; i++)
        keep_solution(x, out, &so_far.items[i]);
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
            solve_add(x, out, given, NULL);
        break;
    }
}

/* ---- except ------------------------------------------------------------------------------------------------------ */

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
        if (solve_agree(x, exceptions->items[i].captures, s->captures))
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
    struct solver x = {.s = s, .rule = rule, .arena = &s->arena, .shown = SIZE_MAX};
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
