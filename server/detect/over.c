/* Rules of scope collection: what many runs and tasks have in common. */
#include "base/map.h"
#include "base/stats.h"
#include "detect/det.h"
#include "detect/report.h"
#include "detect/ruleset.h"

#include <stdlib.h>

enum { SHOWN = 100, FINDINGS_MAX = 50, GROUPS_MAX = 10000, VALUES_MAX = 64 };

/* ---- one pass after the other, for all rules --------------------------------------------------------------------------- */

struct looking {
    const struct rule *rule;
    const struct over *over;
    void *state;
    bool done;
};

struct detect_over {
    struct arena arena;
    struct looking *items;
    size_t n;
    struct slice *asks;
    size_t nasks, asks_cap;
    int pass;
};

struct detect_over *detect_over_new(const struct ruleset *rs)
{
    struct detect_over *o = calloc(1, sizeof *o);
    if (!o)
        abort();
    o->items = arena_array(&o->arena, struct looking, rs->n);
    for (size_t i = 0; i < rs->n; i++) {
        const struct rule *rule = rs->rules[i];
        if (rule->scope != SCOPE_COLLECTION || !ruleset_asks(rs, rule))
            continue;
        struct looking *l = &o->items[o->n++];
        *l = (struct looking){.rule = rule, .over = rule->code ? rule->code->over : &over_find};
        l->state = l->over->begin(rule);
        for (size_t k = 0; k < rule->nasks; k++) {
            o->asks = arena_grow(&o->arena, o->asks, o->nasks, &o->asks_cap, sizeof *o->asks);
            o->asks[o->nasks++] = rule->asks[k];
        }
    }
    if (o->n)
        return o;
    detect_over_free(o);
    return NULL;
}

void detect_over_free(struct detect_over *o)
{
    if (!o)
        return;
    for (size_t i = 0; i < o->n; i++)
        o->items[i].over->free(o->items[i].state);
    arena_free(&o->arena);
    free(o);
}

const struct slice *detect_over_asks(const struct detect_over *o, size_t *n)
{
    *n = o->nasks;
    return o->asks;
}

void detect_over_feed(struct detect_over *o, const struct task_summary *piece)
{
    for (size_t i = 0; i < o->n; i++)
        if (!o->items[i].done)
            o->items[i].over->feed(o->items[i].state, o->pass, piece);
}

bool detect_over_turn(struct detect_over *o, const atomic_bool *cancel)
{
    bool more = false;
    for (size_t i = 0; i < o->n; i++) {
        struct looking *l = &o->items[i];
        l->done = l->done || !l->over->turn || !l->over->turn(l->state, o->pass, cancel);
        more |= !l->done;
    }
    o->pass++;
    return more;
}

void detect_over_end(struct detect_over *o, const struct quotes *quotes, struct arena *a, struct detect_result *out)
{
    *out = (struct detect_result){0};
    for (size_t i = 0; i < o->n; i++) {
        struct det_over d = {.rule = o->items[i].rule, .quotes = quotes, .arena = a, .findings = &out->findings};
        o->items[i].over->end(o->items[i].state, &d);
    }
}

/* ---- a condition: findings that are counted by a capture, in all runs or by model ---------------------------------------- */

struct cell {                 /* of a value of the capture and a value of the field */
    int64_t count;
    size_t last;              /* number of the run or task that was counted last: each counts once */
    struct slice *shown;      /* ids of findings, one of each run */
    size_t nshown, cap;
};
struct group {
    struct slice value;
    struct cell *cells;       /* VALUES_MAX of them; one where there is no field */
};
struct total {                /* of a value of the field */
    struct slice name;
    int64_t runs, passed, known, tasks;
};
struct counting {
    const struct over_cond *cond;
    struct arena arena, scratch;
    struct map places, names;
    struct group *groups;
    size_t ngroups, groups_cap;
    struct total totals[VALUES_MAX];
    size_t ntotals;
    size_t number;            /* of the run or task */
    int64_t task;             /* of the piece before */
    bool any;
};

static void *counting_begin(const struct rule *rule)
{
    struct counting *c = calloc(1, sizeof *c);
    if (!c)
        abort();
    c->cond = rule->over;
    if (rule->over->field == OVER_ALL)
        c->ntotals = 1;
    return c;
}

static void counting_free(void *state)
{
    struct counting *c = state;
    arena_free(&c->arena);
    arena_free(&c->scratch);
    free(c);
}

static struct slice value_of(struct counting *c, const struct finding *f, struct slice by)
{
    struct jvalue *root;
    if (!by.ptr)
        return slice_str("");
    return f->captures.len && jread(&c->scratch, f->captures, NULL, NULL, &root, NULL) ? jstr(jget_slice(root, by)) : SLICE_NONE;
}

static struct group *group_of(struct counting *c, struct slice value)
{
    size_t at = map_get(&c->places, value);
    if (at)
        return &c->groups[at - 1];
    if (c->ngroups == GROUPS_MAX)
        return NULL;
    struct slice copy = arena_dup(&c->arena, value);
    c->groups = arena_grow(&c->arena, c->groups, c->ngroups, &c->groups_cap, sizeof *c->groups);
    c->groups[c->ngroups] = (struct group){copy, arena_array(&c->arena, struct cell, c->cond->field == OVER_ALL ? 1 : VALUES_MAX)};
    map_put(&c->arena, &c->places, copy, ++c->ngroups);
    return &c->groups[c->ngroups - 1];
}

/* The value of the field that a run has; SIZE_MAX: none, or one too many. */
static size_t total_of(struct counting *c, const struct run_summary *run)
{
    if (c->cond->field == OVER_ALL)
        return 0;
    struct slice name = c->cond->field == OVER_MODEL ? run->model : run->agent;
    size_t at = map_get(&c->names, name);
    if (at || !name.len || c->ntotals == VALUES_MAX)
        return at ? at - 1 : SIZE_MAX;
    c->totals[c->ntotals].name = arena_dup(&c->arena, name);
    map_put(&c->arena, &c->names, c->totals[c->ntotals].name, c->ntotals + 1);
    return c->ntotals++;
}

static void count_finding(struct counting *c, const struct over_having *having, const struct finding *f, size_t at)
{
    bool asked = false;
    for (size_t i = 0; i < having->n && !asked; i++)
        asked = slice_eq(f->detector, having->rules[i]);
    struct slice value = asked ? value_of(c, f, having->by) : SLICE_NONE;
    struct group *group = value.ptr ? group_of(c, value) : NULL;
    if (!group || group->cells[at].last == c->number)
        return;
    struct cell *cell = &group->cells[at];
    cell->last = c->number;
    cell->count++;
    if (cell->nshown < SHOWN) {
        cell->shown = arena_grow(&c->arena, cell->shown, cell->nshown, &cell->cap, sizeof *cell->shown);
        cell->shown[cell->nshown++] = arena_dup(&c->arena, f->id);
    }
}

static bool is_counted(const struct run_summary *run, enum of_runs of)
{
    return of == RUNS_ALL || run->success == (of == RUNS_PASSED ? VERDICT_PASSED : VERDICT_FAILED);
}

static void counting_feed(void *state, int pass, const struct task_summary *piece)
{
    struct counting *c = state;
    const struct over_cond *o = c->cond;
    (void)pass;
    bool fresh = !c->any || piece->task != c->task, tasks = o->tasks.n > 0;
    c->any = true;
    c->task = piece->task;
    arena_reset(&c->scratch);
    if (tasks && (!piece->task_id.ptr || (o->has_verdict && piece->verdict != o->verdict)))
        tasks = false;
    else if (o->tasks.n && fresh)
        c->number++;
    c->totals[0].tasks += o->field == OVER_ALL && fresh && piece->task_id.ptr;
    for (size_t i = 0; tasks && i < piece->nfindings; i++)
        count_finding(c, &o->tasks, &piece->findings[i], 0);
    for (size_t i = 0; i < piece->nruns; i++) {
        const struct run_summary *run = &piece->runs[i];
        size_t at = total_of(c, run);
        if (at == SIZE_MAX)
            continue;
        c->totals[at].passed += run->success == VERDICT_PASSED;
        c->totals[at].known += run->success != VERDICT_UNKNOWN;
        c->totals[at].runs += is_counted(run, o->of);
        c->number += !o->tasks.n;
        for (size_t k = 0; k < run->nfindings && is_counted(run, o->of); k++)
            if (tasks || o->runs.n)
                count_finding(c, tasks ? &o->tasks : &o->runs, &run->findings[k], at);
    }
}

/* ---- what holds ---------------------------------------------------------------------------------------------------------- */

static bool totals_hold(const struct over_cond *o, const struct total *t)
{
    double rate = t->known ? (double)t->passed / (double)t->known : NAN;
    return (isnan(o->pass_rate_at_least) || rate >= o->pass_rate_at_least) && (isnan(o->pass_rate_at_most) || rate <= o->pass_rate_at_most) &&
           t->runs >= o->runs_at_least && (o->field != OVER_ALL || t->tasks >= o->tasks_at_least);
}

static double share_of(const struct over_cond *o, const struct cell *cell, const struct total *t)
{
    int64_t all = o->tasks.n ? t->tasks : t->runs;
    return all ? (double)cell->count / (double)all : 0;
}

static bool cell_holds(const struct over_cond *o, const struct cell *cell, const struct total *t)
{
    const struct over_having *having = o->tasks.n ? &o->tasks : &o->runs;
    double share = share_of(o, cell, t);
    return cell->count >= having->at_least && cell->count > 0 && (isnan(having->share_at_least) || share >= having->share_at_least) &&
           (isnan(having->share_at_most) || share <= having->share_at_most);
}

struct telling {
    struct counting *c;
    struct det_over *d;
    size_t made;
};

/* `less`: the value that has it least; NULL: not asked. */
static void tell(struct telling *t, const struct group *group, size_t at, const struct total *less, double others)
{
    const struct over_cond *o = t->c->cond;
    const struct cell *cell = &group->cells[at];
    const struct total *total = &t->c->totals[at];
    struct arena *a = t->d->arena;
    struct slice by = o->tasks.n ? o->tasks.by : o->runs.by;
    struct report_value values[8];
    struct evidence *evidence = arena_array(a, struct evidence, cell->nshown);
    size_t n = 0, shown = 0;
    if (t->made == FINDINGS_MAX)
        return;
    for (size_t i = 0; i < cell->nshown; i++)
        shown += t->d->quotes->finding(t->d->quotes->ctx, cell->shown[i], a, &evidence[shown]);
    if (by.ptr)
        values[n++] = (struct report_value){by, group->value};
    if (less) {
        values[n++] = (struct report_value){slice_str("more"), total->name};
        values[n++] = (struct report_value){slice_str("less"), less->name};
        values[n++] = (struct report_value){slice_str("others"), det_percent(a, others)};
    } else if (o->field != OVER_ALL) {
        values[n++] = (struct report_value){slice_str(o->field == OVER_MODEL ? "model" : "agent"), total->name};
    }
    struct slice captures = report_captures(a, values, n);
    values[n++] = (struct report_value){slice_str("count"), arena_printf(a, "%lld", (long long)cell->count)};
    values[n++] = (struct report_value){slice_str("runs"), arena_printf(a, "%lld", (long long)total->runs)};
    values[n++] = (struct report_value){slice_str("tasks"), arena_printf(a, "%lld", (long long)total->tasks)};
    values[n++] = (struct report_value){slice_str("share"), det_percent(a, share_of(o, cell, total))};
    struct finding *f = det_conclude(a, t->d->rule, t->d->findings, values, n, evidence, shown);
    if (f)
        f->captures = captures;
    t->made += f != NULL;
}

static void tell_difference(struct telling *t, const struct group *group)
{
    const struct over_cond *o = t->c->cond;
    size_t most = SIZE_MAX, least = SIZE_MAX, compared = 0;
    double shares[VALUES_MAX];
    for (size_t i = 0; i < t->c->ntotals; i++) {
        if (t->c->totals[i].runs < o->differs_at_least)
            continue;
        compared++;
        shares[i] = share_of(o, &group->cells[i], &t->c->totals[i]);
        if (most == SIZE_MAX || shares[i] > shares[most])
            most = i;
        if (least == SIZE_MAX || shares[i] < shares[least])
            least = i;
    }
    if (most == SIZE_MAX || most == least || shares[most] - shares[least] < o->gap)
        return;
    const struct total *all = t->c->totals;
    double p = stats_extremes((size_t)group->cells[most].count, (size_t)all[most].runs, (size_t)group->cells[least].count,
                              (size_t)all[least].runs, compared);
    if (p <= o->p && totals_hold(o, &t->c->totals[most]) &&
        cell_holds(o, &group->cells[most], &t->c->totals[most]))
        tell(t, group, most, &t->c->totals[least], shares[least]);
}

static int by_value(const void *a, const void *b) { return slice_cmp(((const struct group *)a)->value, ((const struct group *)b)->value); }

static void counting_end(void *state, struct det_over *d)
{
    struct counting *c = state;
    struct telling t = {.c = c, .d = d};
    if (c->ngroups)
        qsort(c->groups, c->ngroups, sizeof *c->groups, by_value);
    for (size_t g = 0; g < c->ngroups; g++) {
        if (c->cond->differs) {
            tell_difference(&t, &c->groups[g]);
            continue;
        }
        for (size_t i = 0; i < c->ntotals; i++)
            if (totals_hold(c->cond, &c->totals[i]) && cell_holds(c->cond, &c->groups[g].cells[i], &c->totals[i]))
                tell(&t, &c->groups[g], i, NULL, 0);
    }
}

const struct over over_find = {.begin = counting_begin, .feed = counting_feed, .end = counting_end, .free = counting_free};

/* ---- findings about many runs -------------------------------------------------------------------------------------------- */

struct slice det_percent(struct arena *a, double share)
{
    return share > 0 && share < 0.01 ? arena_printf(a, "%.1f %%", 100 * share) : arena_printf(a, "%.0f %%", 100 * share);
}

struct finding *det_conclude(struct arena *a, const struct rule *rule, struct findings *to, const struct report_value *values, size_t n,
                             struct evidence *evidence, size_t nevidence)
{
    if (!nevidence)
        return NULL;
    for (size_t i = 0; i < nevidence; i++) {
        evidence[i].quote = slice_cut(evidence[i].quote, QUOTE_MAX);
        evidence[i].end = evidence[i].start + (uint32_t)evidence[i].quote.len;
    }
    struct finding f = finding_of(a, rule);
    f.captures = report_captures(a, values, n);
    f.title = report_fill(a, rule->title, values, n);
    f.message = report_fill(a, rule->message.ptr ? rule->message : rule->why, values, n);
    f.evidence = evidence;
    f.nevidence = nevidence;
    struct finding *out = findings_add(a, to);
    *out = f;
    return out;
}
