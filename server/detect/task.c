/* Rules of scope task: what many runs of one task have in common, from their summaries. */
#include "base/jsonw.h"
#include "base/stats.h"
#include "detect/answer.h"
#include "detect/det.h"
#include "detect/match.h"
#include "detect/report.h"

#include <stdlib.h>

enum { PIECES = 100, PIECES_OF_A_RUN = 2, FINDINGS_MAX = 50 };

static bool counts(const struct run_summary *run, enum of_runs of)
{
    return of == RUNS_ALL || run->success == (of == RUNS_PASSED ? VERDICT_PASSED : VERDICT_FAILED);
}

static size_t count_runs(const struct task_summary *task, enum of_runs of)
{
    size_t n = 0;
    for (size_t i = 0; i < task->nruns; i++)
        n += counts(&task->runs[i], of);
    return n;
}

/* ---- what makes a finding: values that runs share, and the words that show it in each ---------------------------- */

struct shared {                     /* of one run */
    struct slice value;
    size_t run;
    const struct evidence *evidence; /* `nevidence` of the finding; without it, the one made here */
    size_t nevidence;
    struct evidence made;
};
struct shares {
    struct shared *items;
    size_t n, cap;
};

static void add_shared(struct arena *a, struct shares *list, struct shared one)
{
    list->items = arena_grow(a, list->items, list->n, &list->cap, sizeof *list->items);
    list->items[list->n++] = one;
}

static int by_value(const void *a, const void *b)
{
    const struct shared *p = a, *q = b;
    int c = slice_cmp(p->value, q->value);
    return c ? c : p->run < q->run ? -1 : p->run > q->run;
}

/* Sorted by value, one for each run: groups lie side by side. */
static void settle(struct shares *list)
{
    if (list->n)
        qsort(list->items, list->n, sizeof *list->items, by_value);
    size_t kept = 0;
    for (size_t i = 0; i < list->n; i++)
        if (kept == 0 || by_value(&list->items[kept - 1], &list->items[i]) != 0)
            list->items[kept++] = list->items[i];
    list->n = kept;
}

static size_t group_end(const struct shares *list, size_t from)
{
    size_t end = from;
    while (end < list->n && slice_eq(list->items[end].value, list->items[from].value))
        end++;
    return end;
}

static struct slice capture_of(struct arena *a, const struct finding *f, struct slice name)
{
    struct jvalue *root;
    return f->captures.len && jread(a, f->captures, NULL, NULL, &root, NULL) ? jstr(jget_slice(root, name)) : SLICE_NONE;
}

static void find_having(struct arena *a, const struct task_cond *t, const struct task_summary *task, struct shares *out)
{
    for (size_t i = 0; i < task->nruns; i++) {
        const struct run_summary *run = &task->runs[i];
        for (size_t k = 0; counts(run, t->of) && k < run->nfindings; k++) {
            const struct finding *f = &run->findings[k];
            bool asked = false;
            for (size_t h = 0; h < t->nhaving && !asked; h++)
                asked = slice_eq(f->detector, t->having[h]);
            struct slice value = asked && t->by.ptr ? capture_of(a, f, t->by) : slice_str("");
            if (asked && value.ptr && f->nevidence)
                add_shared(a, out, (struct shared){.value = value, .run = i, .evidence = f->evidence, .nevidence = f->nevidence});
        }
    }
    settle(out);
}

static struct evidence score_evidence(struct arena *a, const struct run_summary *run, const struct score *score,
                                      const char *field, struct slice text)
{
    struct slice quote = slice_cut(text, QUOTE_MAX);
    return (struct evidence){.run = run->run,
                             .transcript = -1,
                             .message = -1,
                             .part = arena_printf(a, "score:%.*s.%s", SLICE_ARG(score->name), field),
                             .end = (uint32_t)quote.len,
                             .quote = quote};
}

/* Answers that are the same in another dress go by the first of them. */
enum {
    SCORES_MOST = 64,        /* of a run that are looked at */
    DRESSED_MAX = 64,        /* of more different answers, those that come late stand for themselves, … */
    COMPARED_MAX = 50000,    /* … as they do once all comparisons have cost so much (answer_cost) */
};
struct dressed {
    struct arena *step;      /* emptied before each comparison */
    size_t compared;
    struct slice first[DRESSED_MAX];
    size_t n;
};

static enum form compare(struct dressed *d, struct slice given, struct slice expected)
{
    arena_reset(d->step);
    d->compared += answer_cost(given, expected);
    return answer_compare(d->step, given, expected);
}

static struct slice undress(struct dressed *d, struct slice answer)
{
    for (size_t i = 0; i < d->n; i++)
        if (slice_eq(answer, d->first[i]))
            return d->first[i];
    for (size_t i = 0; i < d->n && d->compared < COMPARED_MAX; i++) {
        enum form form = compare(d, answer, d->first[i]);
        if (form == FORM_SAME || form == FORM_DRESSED)
            return d->first[i];
    }
    if (d->n < DRESSED_MAX)
        d->first[d->n++] = answer;
    return answer;
}

/* No answer is looked at any more once the comparisons with what was expected have cost twice that. */
static void find_answers(struct arena *a, struct arena *step, const struct task_cond *t, const struct task_summary *task, struct shares *out)
{
    struct dressed dressed = {.step = step};
    for (size_t i = 0; i < task->nruns; i++) {
        const struct run_summary *run = &task->runs[i];
        for (size_t k = 0; counts(run, t->agree_of) && k < run->nscores && k < SCORES_MOST && dressed.compared < 2 * COMPARED_MAX; k++) {
            const struct score *score = &run->scores[k];
            struct slice answer = slice_trim(score->answer);
            if (answer.len && compare(&dressed, answer, score->target) == FORM_OTHER)
                add_shared(
                    a, out,
                    (struct shared){.value = undress(&dressed, answer), .run = i, .made = score_evidence(a, run, score, "answer", score->answer)});
        }
    }
    settle(out);
}

/* ---- one finding ------------------------------------------------------------------------------------------------- */

/* What a finding says often takes two pieces, such as what was expected and what was given. */
static void show(struct arena *a, const struct task_summary *task, struct finding *f, const struct shared *one)
{
    const struct evidence *pieces = one->evidence ? one->evidence : &one->made;
    size_t n = one->evidence ? one->nevidence : 1;
    if (!f->evidence)
        f->evidence = arena_array(a, struct evidence, PIECES);
    for (size_t i = 0; i < n && i < PIECES_OF_A_RUN && f->nevidence < PIECES; i++) {
        struct evidence *e = &f->evidence[f->nevidence++];
        *e = pieces[i];
        e->run = task->runs[one->run].run;
    }
}

static void finish(struct arena *a, const struct rule *rule, const struct task_summary *task, struct finding f,
                   struct report_value *values, size_t n, size_t runs, struct findings *out)
{
    if (!f.nevidence)
        return;
    f.captures = report_captures(a, values, n);
    values[n++] = (struct report_value){slice_str("count"), arena_printf(a, "%zu", runs)};
    values[n++] = (struct report_value){slice_str("runs"), arena_printf(a, "%zu", task->nruns)};
    f.title = report_fill(a, rule->title, values, n);
    f.message = report_fill(a, rule->message.ptr ? rule->message : rule->why, values, n);
    *findings_add(a, out) = f;
}

/* ---- the parts of a condition ------------------------------------------------------------------------------------ */

static bool rates_hold(const struct task_cond *t, const struct task_summary *task)
{
    size_t passed = count_runs(task, RUNS_PASSED), known = passed + count_runs(task, RUNS_FAILED);
    double rate = known ? (double)passed / (double)known
                        : NAN; /* of unknown outcomes nothing can be said: NAN holds for nothing */
    return (isnan(t->pass_rate_at_least) || rate >= t->pass_rate_at_least) &&
           (isnan(t->pass_rate_at_most) || rate <= t->pass_rate_at_most) &&
           (t->runs_at_least < 0 || task->nruns >= (size_t)t->runs_at_least) &&
           (t->runs_at_most < 0 || task->nruns <= (size_t)t->runs_at_most);
}

static bool share_holds(const struct task_cond *t, size_t n, size_t of)
{
    double share = of ? (double)n / (double)of : NAN;
    return n >= (size_t)t->at_least && (isnan(t->share_at_least) || share >= t->share_at_least) &&
           (isnan(t->share_at_most) || share <= t->share_at_most);
}

/* How many different models gave these answers; as many as are asked for is enough. */
static bool models_hold(const struct task_cond *t, const struct task_summary *task, const struct shared *items, size_t n)
{
    int64_t models = 0;
    for (size_t i = 0; i < n && models < t->agree_models; i++) {
        struct slice model = task->runs[items[i].run].model;
        bool known = model.len == 0;
        for (size_t k = 0; k < i && !known; k++)
            known = slice_eq(task->runs[items[k].run].model, model);
        models += !known;
    }
    return models >= t->agree_models;
}

/* The answer that most runs agree on, if enough do. */
static bool agreement(const struct task_cond *t, const struct task_summary *task, const struct shares *answers, size_t *from,
                      size_t *end)
{
    *from = *end = 0;
    for (size_t i = 0; i < answers->n;) {
        size_t stop = group_end(answers, i);
        if (stop - i > *end - *from)
            *from = i, *end = stop;
        i = stop;
    }
    size_t n = *end - *from, of = count_runs(task, t->agree_of);
    return n > 0 && n >= (size_t)t->agree_at_least && (double)n >= t->agree_share * (double)of &&
           models_hold(t, task, answers->items + *from, n);
}

struct model {
    struct slice name;
    size_t passed, known;
    size_t run; /* one of its runs with a score to show */
    bool shown;
};

static double rate(const struct model *m) { return (double)m->passed / (double)m->known; }

/* The models that did best and worst, each with runs enough to tell. */
static bool difference(struct arena *a, const struct task_cond *t, const struct task_summary *task, struct model *best,
                       struct model *worst)
{
    enum { MODELS = 200 };
    struct model *models = arena_array(a, struct model, MODELS);
    size_t n = 0;
    for (size_t i = 0; i < task->nruns; i++) {
        const struct run_summary *run = &task->runs[i];
        size_t k = 0;
        while (k < n && !slice_eq(models[k].name, run->model))
            k++;
        if (k == MODELS || !run->model.len || run->success == VERDICT_UNKNOWN)
            continue;
        if (k == n)
            models[n++].name = run->model;
        models[k].known++;
        models[k].passed += run->success == VERDICT_PASSED;
        if (!models[k].shown && run->nscores && run->scores[0].value.len)
            models[k].shown = true, models[k].run = i;
    }
    size_t seen = 0;
    for (size_t k = 0; k < n; k++) {
        if (models[k].known < (size_t)t->differs_at_least || !models[k].shown)
            continue;
        if (seen == 0 || rate(&models[k]) > rate(best))
            *best = models[k];
        if (seen++ == 0 || rate(&models[k]) < rate(worst))
            *worst = models[k];
    }
    return seen > 1 && rate(best) - rate(worst) >= t->differs_gap && rate(best) > rate(worst) &&
           stats_extremes(best->passed, best->known, worst->passed, worst->known, seen) <= t->differs_p;
}

static void detect_rule(struct detect_scratch *s, const struct rule *rule, const struct task_summary *task, struct arena *a,
                        struct findings *out)
{
    const struct task_cond *t = rule->task;
    if (!rates_hold(t, task))
        return;
    struct shares having = {0}, answers = {0};
    size_t agreed_from = 0, agreed_end = 0;
    struct model best = {0}, worst = {0};
    if (t->agree) {
        find_answers(&s->arena, &s->event_arena, t, task, &answers);
        if (!agreement(t, task, &answers, &agreed_from, &agreed_end))
            return;
    }
    if (t->differs && !difference(&s->arena, t, task, &best, &worst))
        return;
    if (t->nhaving)
        find_having(&s->arena, t, task, &having);
    size_t of = count_runs(task, t->of), made = 0;
    for (size_t from = 0; from < having.n || (!t->nhaving && from == 0);) {
        size_t end = t->nhaving ? group_end(&having, from) : 1;
        struct finding f = finding_of(a, rule);
        f.task_id = task->task_id;
        struct report_value values[CAPTURES_MAX + 2];
        size_t n = 0, runs = t->nhaving ? end - from : agreed_end - agreed_from;
        if (t->by.ptr)
            values[n++] = (struct report_value){t->by, having.items[from].value};
        if (t->agree)
            values[n++] = (struct report_value){slice_str("answer"), answers.items[agreed_from].value};
        if (t->differs) {
            values[n++] = (struct report_value){slice_str("better"), best.name};
            values[n++] = (struct report_value){slice_str("worse"), worst.name};
        }
        for (size_t i = from; t->nhaving && i < end; i++)
            show(a, task, &f, &having.items[i]);
        for (size_t i = agreed_from; i < agreed_end; i++)
            show(a, task, &f, &answers.items[i]);
        for (int i = 0; t->differs && i < 2; i++) {
            size_t at = i ? worst.run : best.run;
            const struct score *score = &task->runs[at].scores[0];
            show(a, task, &f,
                 &(struct shared){.run = at, .made = score_evidence(a, &task->runs[at], score, "value", score->value)});
        }
        if ((!t->nhaving || share_holds(t, end - from, of)) && made < FINDINGS_MAX) {
            finish(a, rule, task, f, values, n, runs, out);
            made++;
        }
        from = end;
    }
}

void detect_task(const struct ruleset *rs, struct detect_scratch *s, const struct task_summary *task, struct arena *a,
                 struct detect_result *out)
{
    *out = (struct detect_result){0};
    arena_reset(&s->arena);
    for (size_t i = 0; i < rs->n; i++) {
        const struct rule *rule = rs->rules[i];
        if (!ruleset_asks(rs, rule) || rule->scope != SCOPE_TASK)
            continue;
        struct det_task d = {.task = task, .scratch = &s->event_arena, .arena = a, .findings = &out->findings, .rule = rule};
        arena_reset(&s->event_arena);
        if (rule->code)
            rule->code->task(&d);
        else
            detect_rule(s, rule, task, a, &out->findings);
    }
}
