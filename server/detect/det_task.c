/* What the runs of one task show beside each other: one that is far off, an error that ends all, answers that agree or do not. */
#include "base/clock.h"
#include "base/stats.h"
#include "detect/answer.h"
#include "detect/det.h"
#include "detect/quantity.h"
#include "detect/report.h"

#include <math.h>
#include <stdlib.h>

enum { SHOWN = 100, ANSWERS_MAX = 64, LINE_SHOWN = 120 };

static void conclude(struct det_task *d, const struct report_value *values, size_t n, size_t captured, struct evidence *evidence, size_t nevidence)
{
    struct finding *f = det_conclude(d->arena, d->rule, d->findings, values, n, evidence, nevidence);
    if (!f)
        return;
    f->task_id = d->task->task_id;
    f->captures = report_captures(d->arena, values, captured);
}

static struct evidence of_score(struct arena *a, const struct run_summary *run, const struct score *score, const char *field, struct slice text)
{
    return (struct evidence){.run = run->run, .transcript = -1, .message = -1, .quote = text, .end = (uint32_t)text.len,
                             .part = arena_printf(a, "score:%.*s.%s", SLICE_ARG(score->name), field)};
}

/* ---- outlier: far off the task's other attempts ---------------------------------------------------------------------- */

/* Sizes are told apart on a logarithmic scale, by their distance from the median in median absolute deviations (B. Iglewicz, D. Hoaglin,
 * How to Detect and Handle Outliers, 1993: 0.6745 makes that a z score). */
struct measure {
    const char *name, *one, *unit; /* one: the unit of 1 */
    double (*of)(const struct run_summary *run); /* NAN: not known */
    double little;                               /* so much makes no difference: 0 and 1 are not far apart */
};

static double calls_of(const struct run_summary *run) { return run->calls; }
static double tokens_of(const struct run_summary *run) { return run->tokens > 0 ? (double)run->tokens : NAN; }

static double seconds_of(const struct run_summary *run)
{
    int64_t from, to;
    return clock_parse(run->started_at, &from) && clock_parse(run->ended_at, &to) && to > from ? (double)(to - from) / 1e6 : NAN;
}

/* Of so few results one error is a large share. */
static double failed_of(const struct run_summary *run)
{
    enum { RESULTS_LEAST = 5 };
    return run->results < RESULTS_LEAST ? NAN : 100.0 * run->failed / run->results;
}

static const struct measure measures[] = {
    {"calls", "call", "calls", calls_of, 3},
    {"tokens", "token", "tokens", tokens_of, 100},
    {"seconds", "s", "s", seconds_of, 10},
    {"failed", "% of the results are errors", "% of the results are errors", failed_of, 20},
};
enum { MEASURES = sizeof measures / sizeof *measures };

struct off {
    size_t run;
    const struct measure *measure;
    double value, median, z;
};

static void measure_all(struct det_task *d, const struct measure *m, struct off *worst)
{
    static const double normal = 0.6745, narrowest = 0.05; /* of logarithms: five percent */
    double *all = arena_array(d->scratch, double, d->task->nruns + 1);
    size_t n = 0;
    for (size_t i = 0; i < d->task->nruns; i++) {
        double x = m->of(&d->task->runs[i]);
        if (!isnan(x))
            all[n++] = log(m->little + x);
    }
    if (n < det_count_of(d->rule, "attempts") || !n)
        return;
    double median = stats_median(all, n);
    for (size_t i = 0; i < n; i++)
        all[i] = fabs(all[i] - median);
    double spread = fmax(stats_median(all, n), narrowest);
    for (size_t i = 0; i < d->task->nruns; i++) {
        double x = m->of(&d->task->runs[i]), z = isnan(x) ? 0 : normal * (log(m->little + x) - median) / spread;
        bool far = fabs(z) >= det_number(d->rule, "z") && fabs(log(m->little + x) - median) >= log(det_number(d->rule, "factor"));
        if (far && fabs(z) > fabs(worst[i].z))
            worst[i] = (struct off){.run = i, .measure = m, .value = x, .median = fmax(exp(median) - m->little, 0), .z = z};
    }
}

static struct slice value_text(struct arena *a, const struct off *off)
{
    double shown = round(off->value);
    return arena_printf(a, "%.0f %s", shown, shown == 1 ? off->measure->one : off->measure->unit);
}

void det_outlier(struct det_task *d)
{
    struct off *worst = arena_array(d->scratch, struct off, d->task->nruns + 1);
    for (size_t k = 0; k < MEASURES; k++)
        measure_all(d, &measures[k], worst);
    for (size_t i = 0, made = 0; i < d->task->nruns && made < det_count_of(d->rule, "at_most"); i++) {
        const struct run_summary *run = &d->task->runs[i];
        struct evidence *evidence = arena_array(d->arena, struct evidence, 1);
        if (!worst[i].measure || !run->calls || !d->task->quotes->call(d->task->quotes->ctx, run->run, run->calls - 1, d->arena, evidence))
            continue;
        const struct report_value values[] = {
            {slice_str("measure"), slice_str(worst[i].measure->name)},
            {slice_str("value"), value_text(d->arena, &worst[i])},
            {slice_str("median"), arena_printf(d->arena, "%.0f", worst[i].median)},
            {slice_str("runs"), arena_printf(d->arena, "%zu", d->task->nruns)},
            {slice_str("run"), run->external_id.len ? run->external_id : run->run},
        };
        conclude(d, values, sizeof values / sizeof *values, 1, evidence, 1);
        made++;
    }
}

/* ---- shared-error: what all runs of a task end with ------------------------------------------------------------------- */

struct died {
    uint64_t hash;
    size_t run;
    const struct error_line *line;
};

static int by_hash(const void *a, const void *b)
{
    const struct died *x = a, *y = b;
    return x->hash != y->hash ? (x->hash < y->hash ? -1 : 1) : (x->run > y->run) - (x->run < y->run);
}

/* In how many of the other tasks that line stands, as a share; 0 where no other task is known. */
static double common_elsewhere(const struct task_summary *task, uint64_t hash)
{
    const struct common_errors *c = task->common;
    size_t low = 0, high = c ? c->n : 0, others = 0;
    if (!c || c->tasks < 2)
        return 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (c->items[middle].hash < hash)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < c->n && c->items[low].hash == hash; low++)
        others += c->items[low].task != task->task;
    return (double)others / (double)(c->tasks - 1);
}

static struct died *collect_late(struct det_task *d, size_t *n)
{
    struct died *all = NULL;
    size_t cap = 0;
    *n = 0;
    for (size_t i = 0; i < d->task->nruns; i++)
        for (size_t k = 0; k < d->task->runs[i].nerrors; k++) {
            const struct error_line *line = &d->task->runs[i].errors[k];
            if (!line->late)
                continue;
            all = arena_grow(d->scratch, all, *n, &cap, sizeof *all);
            all[(*n)++] = (struct died){line->hash, i, line};
        }
    if (*n)
        qsort(all, *n, sizeof *all, by_hash);
    return all;
}

void det_shared_error(struct det_task *d)
{
    const struct task_summary *task = d->task;
    size_t failed = 0, n, best = 0, best_count = 0;
    for (size_t i = 0; i < task->nruns; i++) {
        if (task->runs[i].success == VERDICT_PASSED) /* then it can be done */
            return;
        failed += task->runs[i].success == VERDICT_FAILED;
    }
    struct died *all = collect_late(d, &n);
    for (size_t from = 0, end; from < n; from = end) {
        size_t count = 0;
        for (end = from; end < n && all[end].hash == all[from].hash; end++)
            count += task->runs[all[end].run].success == VERDICT_FAILED;
        if (count > best_count && common_elsewhere(task, all[from].hash) <= det_number(d->rule, "elsewhere"))
            best = from, best_count = count;
    }
    if (best_count < det_count_of(d->rule, "at_least") || !best_count || (double)best_count < det_number(d->rule, "share") * (double)failed)
        return;
    struct evidence *evidence = arena_array(d->arena, struct evidence, SHOWN);
    size_t shown = 0;
    for (size_t i = best; i < n && all[i].hash == all[best].hash && shown < SHOWN; i++)
        if (task->runs[all[i].run].success == VERDICT_FAILED)
            shown += task->quotes->error(task->quotes->ctx, task->runs[all[i].run].run, all[i].line, d->arena, &evidence[shown]);
    const struct report_value values[] = {
        {slice_str("error"), shown ? slice_cut(slice_trim(evidence[0].quote), LINE_SHOWN) : SLICE_NONE},
        {slice_str("count"), arena_printf(d->arena, "%zu", best_count)},
        {slice_str("runs"), arena_printf(d->arena, "%zu", failed)},
    };
    conclude(d, values, sizeof values / sizeof *values, 1, evidence, shown);
}

/* ---- answers ---------------------------------------------------------------------------------------------------------- */

static const struct score *answered(const struct run_summary *run)
{
    for (size_t i = 0; i < run->nscores; i++)
        if (slice_trim(run->scores[i].answer).len)
            return &run->scores[i];
    return NULL;
}

/* One more of n different answers, unless it is one of them in another dress. */
static void add_answer(struct arena *a, struct slice *list, size_t *n, struct slice text)
{
    for (size_t i = 0; i < *n; i++) {
        enum form form = answer_compare(a, text, list[i]);
        if (form == FORM_SAME || form == FORM_DRESSED)
            return;
    }
    if (*n < ANSWERS_MAX)
        list[(*n)++] = text;
}

/* Both are numbers, and not the same one. Of words nobody but the grader can tell. */
static bool contradicts(struct arena *a, struct slice answer, struct slice target)
{
    static const double apart = 0.05;
    struct quantity x, y;
    size_t at;
    return answer_compare(a, answer, target) == FORM_OTHER && quantity_read(slice_trim(answer), &x) && quantity_read(slice_trim(target), &y) &&
           slice_eq_nocase(x.unit, y.unit) && fabs(x.value - y.value) > apart * fmax(fabs(x.value), fabs(y.value)) &&
           !answer_stands(answer, target, &at);
}

void det_lenient_grader(struct det_task *d)
{
    const struct task_summary *task = d->task;
    struct slice list[ANSWERS_MAX];
    size_t n = 0, runs = 0, shown = 0;
    struct evidence *evidence = arena_array(d->arena, struct evidence, SHOWN);
    for (size_t i = 0; i < task->nruns; i++) {
        const struct run_summary *run = &task->runs[i];
        const struct score *score = answered(run);
        if (run->success != VERDICT_PASSED || !score || !contradicts(d->scratch, score->answer, score->target))
            continue;
        add_answer(d->scratch, list, &n, slice_trim(score->answer));
        runs++;
        if (shown + 2 > SHOWN)
            continue;
        evidence[shown++] = of_score(d->arena, run, score, "answer", score->answer);
        evidence[shown++] = of_score(d->arena, run, score, "target", score->target);
    }
    if (n < det_count_of(d->rule, "answers") || !n)
        return;
    const struct report_value values[] = {
        {slice_str("count"), arena_printf(d->arena, "%zu", runs)},
        {slice_str("answers"), arena_printf(d->arena, "%zu", n)},
        {slice_str("runs"), arena_printf(d->arena, "%zu", task->nruns)},
    };
    conclude(d, values, sizeof values / sizeof *values, 0, evidence, shown);
}
