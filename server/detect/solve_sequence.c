/* `sequence`: events in their order, with nothing forbidden between. */
#include "detect/solve_in.h"

struct match {                      /* one that was found, and may not have ended yet */
    const struct slice *captures;
    const struct occurrence *first, *last;
};

struct search {
    struct solver *x;
    const struct cond *cond;
    struct hits *steps;             /* one list a step */
    struct hits until;
    const struct occurrence **chosen;   /* one for each step that is no {not: …} … */
    size_t *step_of;                    /* … which step that is … */
    size_t nchosen;                     /* … and how many are chosen so far */
    struct match *open;             /* matches that end after the start that is looked at */
    size_t nopen, open_cap;
};

/* Occurrences that lack a capture of `by` do not count. */
static struct hits gather_by(struct search *q, const struct of *of, const struct slice *given)
{
    struct hits hits = solve_gather(q->x, of, given, false);
    size_t kept = 0;
    for (size_t i = 0; i < hits.n; i++) {
        bool has = true;
        for (size_t k = 0; k < q->cond->nby; k++)
            has &= hits.items[i].o->captures && hits.items[i].o->captures[q->cond->by[k]].ptr;
        if (has)
            hits.items[kept++] = hits.items[i];
    }
    hits.n = kept;
    return hits;
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

/* Would `o` agree with every match that binds more than `captures` does? */
static bool binds_no_more(const struct solver *x, const struct occurrence *o, const struct slice *captures)
{
    for (int i = 0; o->captures && i < x->rule->ncaptures; i++)
        if (o->captures[i].ptr && !captures[i].ptr)
            return false;
    return true;
}

/* The first of `hits` after `from` and before `to` (NULL: to the end) that agrees with `captures`; with `surely`, whatever else the
 * match comes to bind. */
static const struct occurrence *between(struct search *q, const struct hits *hits, const struct occurrence *from,
                                        const struct occurrence *to, const struct slice *captures, bool surely)
{
    for (size_t i = after(hits, from->order); i < hits->n && solve_work(q->x, 1); i++) {
        const struct occurrence *o = hits->items[i].o;
        if (to && o->order >= to->order)
            return NULL;
        if (solve_same_transcript(from, o) && solve_agree(q->x, o->captures, captures) &&
            (!surely || binds_no_more(q->x, o, captures)))
            return o;
    }
    return NULL;
}

static bool forbidden(struct search *q, size_t from_step, size_t to_step, const struct occurrence *from, const struct occurrence *to,
                      const struct slice *captures, bool surely)
{
    for (size_t i = from_step; i < to_step; i++)
        if (between(q, &q->steps[i], from, to, captures, surely))
            return true;
    return false;
}

/* {not: …} before the first step: nothing of it earlier in the transcript. */
static bool forbidden_before(struct search *q, const struct slice *captures)
{
    const struct occurrence *start = q->chosen[0];
    for (size_t k = 0; k < q->step_of[0]; k++)
        for (size_t i = 0; i < q->steps[k].n && q->steps[k].items[i].o->order < start->order && solve_work(q->x, 1); i++)
            if (solve_same_transcript(start, q->steps[k].items[i].o) && solve_agree(q->x, q->steps[k].items[i].o->captures, captures))
                return true;
    return false;
}

/* {not: …} after the last step: nothing of it before `until`, the window's end or the transcript's. */
static bool forbidden_after(struct search *q, const struct slice *captures)
{
    const struct occurrence *last = q->chosen[q->nchosen - 1];
    const struct occurrence *until = between(q, &q->until, last, NULL, captures, false);
    for (size_t k = q->step_of[q->nchosen - 1] + 1; k < q->cond->nsteps; k++)
        for (size_t i = after(&q->steps[k], last->order); i < q->steps[k].n && solve_work(q->x, 1); i++) {
            const struct occurrence *o = q->steps[k].items[i].o;
            if (until && o->order >= until->order)
                break;
            if (solve_same_transcript(last, o) && solve_agree(q->x, o->captures, captures) &&
                solve_near(q->x, q->chosen[0], o, &q->cond->within) != NEAR_NO)
                return true;
        }
    return false;
}

/* All steps are chosen: absence is judged with all that they bind. */
static bool holds(struct search *q, const struct slice *captures)
{
    const struct occurrence *first = q->chosen[0], *last = q->chosen[q->nchosen - 1];
    for (size_t i = 0; i + 1 < q->nchosen; i++)
        if (forbidden(q, q->step_of[i] + 1, q->step_of[i + 1], q->chosen[i], q->chosen[i + 1], captures, false))
            return false;
    return !forbidden_before(q, captures) && !between(q, &q->until, first, last, captures, false) && !forbidden_after(q, captures) &&
           !q->x->over;
}

/* The earliest next step that agrees, and so on; backs up where that leads nowhere. */
static bool search_on(struct search *q, const struct slice *captures, const struct slice **bound)
{
    const struct cond *cond = q->cond;
    size_t step = q->step_of[q->nchosen - 1], next = step + 1;
    const struct occurrence *first = q->chosen[0], *last = q->chosen[q->nchosen - 1];
    while (next < cond->nsteps && cond->steps[next].negate)
        next++;
    if (next == cond->nsteps) {
        *bound = captures;
        return holds(q, captures);
    }
    for (size_t i = after(&q->steps[next], last->order); i < q->steps[next].n && solve_work(q->x, 1); i++) {
        const struct occurrence *o = q->steps[next].items[i].o;
        if (!solve_same_transcript(last, o) || !solve_agree(q->x, o->captures, captures))
            continue;
        if (solve_near(q->x, first, o, &cond->within) != NEAR_YES) {
            if (cond->within.us < 0)
                return false; /* steps only grow; a message without a time may stand before one with it */
            continue;
        }
        if (between(q, &q->until, first, o, captures, true) || forbidden(q, step + 1, next, last, o, captures, true))
            return false; /* and lies before all later ones too */
        q->step_of[q->nchosen] = next;
        q->chosen[q->nchosen++] = o;
        if (search_on(q, solve_merge(q->x, captures, o->captures), bound))
            return true;
        q->nchosen--;
    }
    return false;
}

/* A start inside a match that it agrees with would tell the same story again. */
static bool is_inside(struct search *q, const struct occurrence *start, const struct slice *captures)
{
    size_t kept = 0;
    bool inside = false;
    for (size_t i = 0; i < q->nopen; i++) {
        const struct match *m = &q->open[i];
        if (m->last->order < start->order)
            continue;
        inside |= solve_same_transcript(m->first, start) && solve_agree(q->x, m->captures, captures);
        q->open[kept++] = *m;
    }
    q->nopen = kept;
    return inside || !solve_work(q->x, kept);
}

void solve_sequence(struct solver *x, const struct cond *cond, const struct slice *given, struct solutions *out)
{
    struct arena *a = x->arena;
    struct search q = {.x = x, .cond = cond, .steps = arena_array(a, struct hits, cond->nsteps)};
    for (size_t i = 0; i < cond->nsteps; i++)
        q.steps[i] = gather_by(&q, &cond->steps[i].of, given);
    if (cond->other.n)
        q.until = gather_by(&q, &cond->other, given);
    q.chosen = arena_alloc(a, cond->nsteps * sizeof(const struct occurrence *));
    q.step_of = arena_array(a, size_t, cond->nsteps);
    size_t first = 0;
    while (cond->steps[first].negate)
        first++;
    for (size_t i = 0; i < q.steps[first].n && solve_work(x, 1); i++) {
        const struct occurrence *start = q.steps[first].items[i].o;
        const struct slice *captures = solve_merge(x, start->captures, given), *bound;
        q.chosen[0] = start;
        q.step_of[0] = first;
        q.nchosen = 1;
        if (is_inside(&q, start, captures) || !search_on(&q, captures, &bound) || x->over)
            continue;
        struct solution *s = solve_add(x, out, bound, given);
        for (size_t k = 0; s && k < q.nchosen; k++)
            solve_show(x, s, q.chosen[k]);
        q.open = arena_grow(a, q.open, q.nopen, &q.open_cap, sizeof *q.open);
        q.open[q.nopen++] = (struct match){bound, start, q.chosen[q.nchosen - 1]};
    }
}
