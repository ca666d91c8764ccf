#include "detect/compare.h"

#include "base/pairs.h"
#include "base/stats.h"

#include <math.h>
#include <stdlib.h>

enum { LEAST_RUNS = 3,          /* an exit status or behaviour of fewer runs is nothing that changed */
       CELLS_MAX = 1 << 23 };   /* differences in memory: rows are fewer where there are very many tasks */

struct sum {
    double sum;
    uint32_t n;
};

struct work {
    const struct run_facts *facts;
    struct arena *a;
    struct comparison *out;
    struct compare_task *tasks; /* all of them, by place */
    uint32_t *unit;             /* of a task: its place among those that both ran + 1 */
    size_t units;
};

/* ---- tasks ------------------------------------------------------------------------------------------------------------------- */

static void count_tasks(struct work *w)
{
    const struct run_facts *f = w->facts;
    struct comparison *out = w->out;
    w->tasks = arena_array(w->a, struct compare_task, f->tasks.n);
    w->unit = arena_array(w->a, uint32_t, f->tasks.n);
    for (size_t i = 0; i < f->n; i++) {
        const struct run_fact *run = &f->items[i];
        struct compare_side *side = &out->side[run->side];
        bool passed = run->success == VERDICT_PASSED, known = run->success != VERDICT_UNKNOWN;
        side->runs++;
        side->passed += passed;
        side->failed += known && !passed;
        out->without_task += !run->task;
        if (!run->task)
            continue;
        struct compare_task *task = &w->tasks[run->task - 1];
        side->tasks += !task->runs[run->side]++;
        task->passed[run->side] += passed;
        task->known[run->side] += known;
    }
    for (size_t i = 0; i < f->tasks.n; i++) {
        w->tasks[i].task = (uint32_t)i;
        if (w->tasks[i].runs[0] && w->tasks[i].runs[1])
            w->unit[i] = (uint32_t)++w->units;
    }
    out->shared = w->units;
    for (size_t s = 0; s < SIDES; s++)
        stats_wilson(out->side[s].passed, out->side[s].passed + out->side[s].failed, &out->side[s].pass_low, &out->side[s].pass_high);
}

/* ---- the outcome --------------------------------------------------------------------------------------------------------------- */

static double rate(const struct compare_task *t, size_t side) { return (double)t->passed[side] / (double)t->known[side]; }
static bool judged(const struct compare_task *t) { return t->known[0] && t->known[1]; }
/* Of two rates, exactly: their difference may be rounding. */
static int64_t gain(const struct compare_task *t)
{
    return (int64_t)t->passed[1] * t->known[0] - (int64_t)t->passed[0] * t->known[1];
}

static double shift(const struct compare_task *t) { return judged(t) ? rate(t, 1) - rate(t, 0) : 0; }

static int by_shift(const void *a, const void *b)
{
    const struct compare_task *x = a, *y = b;
    double sx = fabs(shift(x)), sy = fabs(shift(y));
    if (sx != sy)
        return sx > sy ? -1 : 1;
    uint32_t nx = x->runs[0] + x->runs[1], ny = y->runs[0] + y->runs[1];
    return nx != ny ? (nx > ny ? -1 : 1) : (x->task > y->task) - (x->task < y->task);
}

static void list_tasks(struct work *w)
{
    struct comparison *out = w->out;
    out->tasks = arena_array(w->a, struct compare_task, w->units);
    for (size_t i = 0; i < w->facts->tasks.n; i++)
        if (w->unit[i])
            out->tasks[out->ntasks++] = w->tasks[i];
    if (out->ntasks)
        qsort(out->tasks, out->ntasks, sizeof *out->tasks, by_shift);
    if (out->ntasks > COMPARE_TASKS)
        out->ntasks = COMPARE_TASKS;
}

/* Nothing pairs the sides: the share of runs that passed. */
static void test_unpaired(struct comparison *out)
{
    const struct compare_side *a = &out->side[0], *b = &out->side[1];
    size_t n[SIDES] = {a->passed + a->failed, b->passed + b->failed};
    if (!n[0] || !n[1])
        return;
    out->test = COMPARE_FISHER;
    out->rate[0] = (double)a->passed / (double)n[0];
    out->rate[1] = (double)b->passed / (double)n[1];
    out->difference = out->rate[1] - out->rate[0];
    out->p = stats_fisher(b->passed, n[1], a->passed + b->passed, n[0] + n[1]);
    stats_newcombe(b->passed, n[1], a->passed, n[0], &out->low, &out->high);
}

static void test_outcome(struct work *w)
{
    struct comparison *out = w->out;
    double *difference = arena_array(w->a, double, w->units);
    size_t cells[2][2] = {{0}};
    bool single = true;
    out->difference = out->low = out->high = out->p = out->rate[0] = out->rate[1] = NAN;
    double sum[SIDES] = {0};
    if (!w->units)
        test_unpaired(out);
    for (size_t i = 0; i < w->facts->tasks.n; i++) {
        const struct compare_task *t = &w->tasks[i];
        if (!w->unit[i])
            continue;
        difference[w->unit[i] - 1] = judged(t) ? gain(t) == 0 ? 0 : shift(t) : NAN;
        if (!judged(t))
            continue;
        out->judged++;
        out->wins += gain(t) > 0;
        out->losses += gain(t) < 0;
        out->ties += gain(t) == 0;
        sum[0] += rate(t, 0);
        sum[1] += rate(t, 1);
        single = single && t->known[0] == 1 && t->known[1] == 1;
        cells[t->passed[1] > 0][t->passed[0] > 0]++;
    }
    if (!out->judged)
        return;
    struct pairs_measure m = {.difference = difference};
    for (size_t s = 0; s < SIDES; s++)
        out->rate[s] = sum[s] / (double)out->judged;
    out->test = single ? COMPARE_MCNEMAR : COMPARE_BOOTSTRAP;
    if (single) {
        out->difference = out->rate[1] - out->rate[0];
        out->p = stats_mcnemar(out->wins, out->losses);
        stats_newcombe_paired(cells[1][1], cells[1][0], cells[0][1], cells[0][0], &out->low, &out->high);
        return;
    }
    pairs_test(&m, 1, w->units);
    out->difference = m.mean;
    out->low = m.low, out->high = m.high, out->p = m.p;
}

/* ---- what changed --------------------------------------------------------------------------------------------------------------- */

static void add_row(struct work *w, const struct compare_row *row)
{
    w->out->rows[w->out->nrows++] = *row;
}

static int by_runs(const void *a, const void *b)
{
    const struct compare_row *x = a, *y = b;
    size_t nx = x->runs[0] + x->runs[1], ny = y->runs[0] + y->runs[1];
    return nx != ny ? (nx > ny ? -1 : 1) : slice_cmp(x->name, y->name);
}

/* Exit statuses and behaviours that enough runs have, the commonest first, as many as there is room for. */
static void choose_rows(struct work *w)
{
    const struct run_facts *f = w->facts;
    struct comparison *out = w->out;
    size_t most = w->units ? CELLS_MAX / w->units : COMPARE_ROWS, named = 0;
    struct compare_row *rows = arena_array(w->a, struct compare_row, f->exits.n + f->nbehaviors);
    for (size_t i = 0; i < f->exits.n; i++)
        rows[named++] = (struct compare_row){.what = COMPARE_EXIT, .name = f->exits.items[i], .measure = (enum run_measure)0};
    for (size_t i = 0; i < f->nbehaviors; i++)
        rows[named++] = (struct compare_row){.what = COMPARE_BEHAVIOR, .name = f->behaviors[i].name, .kind = f->behaviors[i].kind};
    struct compare_row measures[RUN_MEASURES] = {{0}};
    for (size_t i = 0; i < f->n; i++) {
        const struct run_fact *run = &f->items[i];
        for (size_t m = 0; m < RUN_MEASURES; m++)
            measures[m].runs[run->side] += !isnan(run->measure[m]);
        if (run->exit_status)
            rows[run->exit_status - 1].runs[run->side]++;
        for (uint32_t b = 0; b < run->nbehaviors; b++)
            rows[f->exits.n + run->behaviors[b]].runs[run->side]++;
    }
    if (most > COMPARE_ROWS)
        most = COMPARE_ROWS;
    if (most < 2 * RUN_MEASURES)
        most = (size_t)2 * RUN_MEASURES;
    out->rows = arena_array(w->a, struct compare_row, most);
    for (size_t m = 0; m < RUN_MEASURES; m++)
        if (measures[m].runs[0] && measures[m].runs[1]) {
            measures[m].measure = (enum run_measure)m;
            add_row(w, &measures[m]);
        }
    if (named)
        qsort(rows, named, sizeof *rows, by_runs);
    for (size_t i = 0; i < named && out->nrows < most; i++)
        if (rows[i].runs[0] + rows[i].runs[1] >= LEAST_RUNS)
            add_row(w, &rows[i]);
}

/* Rows by what they are of: place + 1. */
struct places {
    size_t measure[RUN_MEASURES], *exits, *behaviors;
};

static void find_places(struct work *w, struct places *p)
{
    const struct run_facts *f = w->facts;
    p->exits = arena_array(w->a, size_t, f->exits.n);
    p->behaviors = arena_array(w->a, size_t, f->nbehaviors);
    for (size_t r = 0; r < w->out->nrows; r++) {
        const struct compare_row *row = &w->out->rows[r];
        switch (row->what) {
        case COMPARE_MEASURE:
            p->measure[row->measure] = r + 1;
            break;
        case COMPARE_EXIT:
            for (size_t i = 0; i < f->exits.n; i++)
                if (slice_eq(f->exits.items[i], row->name))
                    p->exits[i] = r + 1;
            break;
        case COMPARE_BEHAVIOR:
            for (size_t i = 0; i < f->nbehaviors; i++)
                if (slice_eq(f->behaviors[i].name, row->name))
                    p->behaviors[i] = r + 1;
            break;
        }
    }
}

/* sums[(row * units + unit) * SIDES + side]. Of shares n is known later: all runs of the side in the task. */
static void add_run(struct work *w, const struct places *p, const struct run_fact *run, struct sum *sums)
{
    size_t unit = run->task ? w->unit[run->task - 1] : 0;
    if (!unit)
        return;
#define SUM_OF(place) (&sums[(((place) - 1) * w->units + unit - 1) * SIDES + run->side])
    for (size_t m = 0; m < RUN_MEASURES; m++)
        if (p->measure[m] && !isnan(run->measure[m])) {
            SUM_OF(p->measure[m])->sum += run->measure[m];
            SUM_OF(p->measure[m])->n++;
        }
    if (run->exit_status && p->exits[run->exit_status - 1])
        SUM_OF(p->exits[run->exit_status - 1])->sum++;
    for (uint32_t b = 0; b < run->nbehaviors; b++)
        if (p->behaviors[run->behaviors[b]])
            SUM_OF(p->behaviors[run->behaviors[b]])->sum++;
#undef SUM_OF
}

static int by_weight(const void *a, const void *b)
{
    const struct compare_row *x = a, *y = b;
    return x->weight != y->weight ? (x->weight > y->weight ? -1 : 1) : by_runs(a, b);
}

/* The differences of a row, task by task; its means over the tasks where both sides know it. */
static void take_differences(struct work *w, struct compare_row *row, const struct sum *sums, double *difference)
{
    size_t n = 0;
    for (size_t i = 0; i < w->facts->tasks.n; i++) {
        if (!w->unit[i])
            continue;
        const struct sum *pair = &sums[(w->unit[i] - 1) * SIDES];
        double mean[SIDES];
        for (size_t s = 0; s < SIDES; s++) {
            uint32_t of = row->what == COMPARE_MEASURE ? pair[s].n : w->tasks[i].runs[s];
            mean[s] = of ? pair[s].sum / of : NAN;
        }
        difference[w->unit[i] - 1] = mean[1] - mean[0];
        if (isnan(mean[0]) || isnan(mean[1]))
            continue;
        row->mean[0] += mean[0];
        row->mean[1] += mean[1];
        n++;
    }
    row->mean[0] = n ? row->mean[0] / (double)n : NAN;
    row->mean[1] = n ? row->mean[1] / (double)n : NAN;
}

static void test_rows(struct work *w)
{
    struct comparison *out = w->out;
    struct places places = {{0}, NULL, NULL};
    choose_rows(w);
    if (!w->units || !out->nrows)
        return;
    find_places(w, &places);
    struct arena scratch = {0};
    struct sum *sums = arena_array(&scratch, struct sum, out->nrows * w->units * SIDES);
    struct pairs_measure *measures = arena_array(&scratch, struct pairs_measure, out->nrows);
    double *p = arena_array(&scratch, double, out->nrows), *adjusted = arena_array(&scratch, double, out->nrows);
    for (size_t i = 0; i < w->facts->n; i++)
        add_run(w, &places, &w->facts->items[i], sums);
    for (size_t r = 0; r < out->nrows; r++) {
        double *difference = arena_array(&scratch, double, w->units);
        take_differences(w, &out->rows[r], &sums[r * w->units * SIDES], difference);
        measures[r].difference = difference;
    }
    pairs_test(measures, out->nrows, w->units);
    for (size_t r = 0; r < out->nrows; r++)
        p[r] = measures[r].p;
    stats_adjust(p, out->nrows, adjusted);
    for (size_t r = 0; r < out->nrows; r++) {
        struct compare_row *row = &out->rows[r];
        row->tasks = measures[r].n;
        row->difference = measures[r].mean;
        row->low = measures[r].low, row->high = measures[r].high;
        row->p = p[r], row->adjusted = adjusted[r];
        row->weight = measures[r].weight;
    }
    qsort(out->rows, out->nrows, sizeof *out->rows, by_weight);
    arena_free(&scratch);
}

/* ---- sizes ---------------------------------------------------------------------------------------------------------------------- */

static void count_sizes(struct work *w, enum run_measure measure, struct compare_histogram *out)
{
    const struct run_facts *f = w->facts;
    double low = INFINITY, high = 0;
    out->measure = measure;
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < f->n; i++) {
            const struct run_fact *run = &f->items[i];
            double x = run->measure[measure];
            if (isnan(x) || x < 0 || !run->task || !w->unit[run->task - 1])
                continue;
            if (pass == 0) {
                low = x > 0 && x < low ? x : low; /* nothing goes with the least there is */
                high = x > high ? x : high;
                continue;
            }
            double at = x <= low ? 0 : log(x / low) / log(high / low) * (double)out->bins;
            size_t bin = (size_t)at;
            out->counts[run->side][bin < out->bins ? bin : out->bins - 1]++;
        }
        if (pass == 0 && high <= 0)
            return;
        if (pass == 0) {
            out->bins = high > low ? COMPARE_BINS : 1;
            for (size_t b = 0; b <= out->bins; b++)
                out->edges[b] = low * pow(high / low, (double)b / (double)out->bins);
        }
    }
}

void compare_groups(const struct run_facts *facts, struct arena *a, struct comparison *out)
{
    struct work w = {.facts = facts, .a = a, .out = out};
    *out = (struct comparison){0};
    count_tasks(&w);
    test_outcome(&w);
    list_tasks(&w);
    test_rows(&w);
    for (size_t m = 0; m < RUN_MEASURES; m++)
        count_sizes(&w, (enum run_measure)m, &out->histograms[m]);
}
