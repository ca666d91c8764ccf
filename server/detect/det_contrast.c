/* What one model does and the others do not; what runs that pass do and those that fail do not (contrast.h). */
#include "detect/contrast.h"
#include "detect/det.h"
#include "detect/report.h"

#include <stdlib.h>

struct contrasting {
    struct contrast *contrast;
    struct arena arena;
    struct slice *names;        /* of actions, as far as they were seen */
    size_t nnames, cap;
};

static void *begin(const struct rule *rule)
{
    struct contrasting *c = calloc(1, sizeof *c);
    if (!c)
        abort();
    const struct contrast_wish wish = {
        .by = slice_is(det_text(rule, "by"), "outcome") ? CONTRAST_OUTCOME : CONTRAST_MODEL,
        .q = det_number(rule, "q"),
        .gap = det_number(rule, "gap"),
        .at_least = det_count_of(rule, "at_least"),
        .longest = det_count_of(rule, "longest"),
        .at_most = det_count_of(rule, "at_most"),
    };
    c->contrast = contrast_new(&wish);
    return c;
}

static void done(void *state)
{
    struct contrasting *c = state;
    contrast_free(c->contrast);
    arena_free(&c->arena);
    free(c);
}

static void feed(void *state, int pass, const struct task_summary *piece)
{
    struct contrasting *c = state;
    for (; pass == CONTRAST_PASSES - 1 && c->nnames < piece->actions->n; c->nnames++) {
        c->names = arena_grow(&c->arena, c->names, c->nnames, &c->cap, sizeof *c->names);
        c->names[c->nnames] = arena_dup(&c->arena, piece->actions->items[c->nnames]);
    }
    contrast_feed(c->contrast, pass, piece);
}

static bool turn(void *state, int pass, const atomic_bool *cancel)
{
    struct contrasting *c = state;
    return contrast_turn(c->contrast, pass, cancel) && pass + 1 < CONTRAST_PASSES;
}

static void tell(const struct contrasting *c, struct det_over *d, const struct contrast_found *f)
{
    struct arena *a = d->arena;
    struct evidence *evidence = arena_array(a, struct evidence, f->nshown * f->length);
    size_t n = 0;
    for (size_t i = 0; i < f->nshown; i++)
        for (size_t k = 0; k < f->length; k++) {
            if (k && f->shown[i].calls[k] == f->shown[i].calls[k - 1])
                continue; /* several programs of one command */
            n += d->quotes->call(d->quotes->ctx, f->shown[i].run, f->shown[i].calls[k], a, &evidence[n]);
        }
    const struct report_value about[] = {
        {slice_str("group"), f->group},
        {slice_str("actions"), contrast_words(a, c->names, c->nnames, f)},
        {slice_str("share"), det_percent(a, f->share)},
        {slice_str("others"), det_percent(a, f->others)},
        {slice_str("rarely"), f->more ? slice_str("") : slice_str("seldom ")},
        {slice_str("p"), arena_printf(a, "%.1g", f->p)},
        {slice_str("runs"), arena_printf(a, "%zu", f->runs)},
    };
    struct finding *made = det_conclude(a, d->rule, d->findings, about, sizeof about / sizeof *about, evidence, n);
    if (made) /* what it is about, not how much: so that a review stays when there are more runs */
        made->captures = report_captures(a, about, 2);
}

static void end(void *state, struct det_over *d)
{
    const struct contrasting *c = state;
    size_t n;
    const struct contrast_found *found = contrast_results(c->contrast, &n);
    for (size_t i = 0; i < n; i++)
        tell(c, d, &found[i]);
}

const struct over over_contrast = {.begin = begin, .feed = feed, .turn = turn, .end = end, .free = done};
