/* What a collection came to: the sentence, models, tasks by model, runs with findings. */
#include "view/story_in.h"

#include "base/stats.h"

#include <math.h>

enum { PAGE = 200 };

/* ---- the sentence ------------------------------------------------------------------------------------------------------ */

static void rate(struct story_writer *w, int64_t passed, int64_t failed)
{
    int64_t n = passed + failed;
    if (n)
        str_printf(&w->text, "%.0f %%", 100.0 * (double)passed / (double)n);
    else
        story_put(w, "—");
}

void story_sentence(struct story_writer *w, const struct summary *s)
{
    int64_t odd = s->kind_runs[KIND_ODD_BEHAVIOR], near = s->kind_runs[KIND_NEAR_MISS];
    story_put(w, "<p class=\"say\">");
    story_count(w, s->runs, "run", "runs");
    if (s->tasks) {
        story_put(w, " of ");
        story_count(w, s->tasks, "task", "tasks");
    }
    if (s->models) {
        story_put(w, " by ");
        story_count(w, s->models, "model", "models");
    }
    story_put(w, "; ");
    if (s->passed + s->failed) {
        rate(w, s->passed, s->failed);
        story_put(w, " passed. ");
    } else {
        story_put(w, "none says whether it passed. ");
    }
    if (s->broken_tasks) {
        story_put(w, "<b class=\"broken_task\">");
        story_count(w, s->broken_tasks, "task looks", "tasks look");
        story_put(w, " broken</b>, ");
    } else {
        story_put(w, "No task looks broken, ");
    }
    if (odd) {
        story_put(w, "<b class=\"odd_behavior\">");
        story_count(w, odd, "run", "runs");
        story_put(w, " did something odd</b>, and ");
    } else {
        story_put(w, "no run did anything odd, and ");
    }
    if (near) {
        story_put(w, "<b class=\"near_miss\">");
        story_count(w, near, "was a near miss", "were near misses");
        story_put(w, "</b>.");
    } else {
        story_put(w, "none was a near miss.");
    }
    story_put(w, "</p>\n");
}

/* ---- models ------------------------------------------------------------------------------------------------------------ */

static void cell(struct story_writer *w, const char *tag, struct slice s)
{
    str_printf(&w->text, "<%s>", tag);
    story_text(w, s);
    str_printf(&w->text, "</%.2s>", tag);
}

static void count_cell(struct story_writer *w, int64_t n)
{
    story_put(w, "<td class=\"number\">");
    story_number(w, n);
    story_put(w, "</td>");
}

static void open_table(struct story_writer *w, const char *name, const char *about)
{
    str_printf(&w->text, "<h2>%s <small>%s</small></h2>\n<div class=\"table\" tabindex=\"0\" role=\"region\" aria-label=\"%s\"><table>\n", name, about, name);
}

static void close_table(struct story_writer *w) { story_put(w, "</tbody>\n</table></div>\n"); }

void story_models(struct story_writer *w, const struct summary *s)
{
    if (!s->nby_model || !(s->passed + s->failed))
        return;
    open_table(w, "Pass rate by model", "with 95 % intervals (Wilson); the last column leaves the runs of broken tasks out");
    story_put(w, "<thead><tr><th>model</th><th class=\"number\">runs</th><th class=\"number\">passed</th><th class=\"number\">interval</th>"
                 "<th class=\"number\">flagged</th><th class=\"number\">without broken tasks</th></tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < s->nby_model && i < STORY_MODELS; i++) {
        int64_t passed = s->by_model[i].passed, failed = s->by_model[i].failed;
        double low, high;
        story_put(w, "<tr>");
        cell(w, "th scope=\"row\"", s->by_model[i].model.len ? s->by_model[i].model : slice_str("unknown model"));
        count_cell(w, s->by_model[i].runs);
        story_put(w, "<td class=\"number\">");
        rate(w, passed, failed);
        story_put(w, "</td><td class=\"number\">");
        stats_wilson((size_t)passed, (size_t)(passed + failed), &low, &high);
        if (passed + failed)
            str_printf(&w->text, "%.0f–%.0f", 100 * low, 100 * high);
        else
            story_put(w, "—");
        story_put(w, "</td>");
        count_cell(w, s->by_model[i].flagged);
        story_put(w, "<td class=\"number\">");
        rate(w, s->by_model[i].sound_passed, s->by_model[i].sound_failed);
        story_put(w, "</td></tr>\n");
    }
    close_table(w);
    if (s->nby_model > STORY_MODELS)
        str_printf(&w->text, "<p class=\"none\">%zu more models are not in this file.</p>\n", s->nby_model - STORY_MODELS);
}

/* ---- tasks by model ------------------------------------------------------------------------------------------------------ */

static const struct model_count *of_model(const struct task_row *task, struct slice model)
{
    for (size_t i = 0; i < task->nmodels; i++)
        if (slice_eq(task->models[i].model, model))
            return &task->models[i];
    return NULL;
}

/* Five steps of the ramp, as on the page: none passed, up to all. */
static int step(const struct model_count *m)
{
    double share = (double)m->passed / (double)(m->passed + m->failed);
    return share == 0 ? 0 : share < 0.34 ? 1 : share < 0.67 ? 2 : share < 1 ? 3 : 4;
}

/* The models whose runs say how they ended, most runs first: index of s->by_model. */
static size_t columns(const struct summary *s, size_t out[STORY_COLUMNS])
{
    size_t n = 0;
    for (size_t i = 0; i < s->nby_model && n < STORY_COLUMNS; i++)
        if (s->by_model[i].passed + s->by_model[i].failed)
            out[n++] = i;
    return n;
}

static void write_task(struct story_writer *w, const struct task_row *task, const struct summary *s, const size_t *models, size_t n)
{
    static const char *const verdict[] = {[TASK_SOUND] = NULL, [TASK_SUSPECT] = "suspect", [TASK_BROKEN] = "broken"};
    struct slice name = slice_cut(task->task_id, 90);
    story_put(w, "<tr><th scope=\"row\">");
    story_text(w, name);
    story_put(w, name.len < task->task_id.len ? "…" : "");
    if (verdict[task->verdict])
        str_printf(&w->text, " <span class=\"verdict %s\">%s</span>", verdict[task->verdict], verdict[task->verdict]);
    story_put(w, "</th>");
    for (size_t i = 0; i < n; i++) {
        const struct model_count *m = of_model(task, s->by_model[models[i]].model);
        if (m && m->passed + m->failed)
            str_printf(&w->text, "<td class=\"heat h%d\">%lld/%lld</td>", step(m), (long long)m->passed, (long long)m->passed + m->failed);
        else if (m && m->runs)
            str_printf(&w->text, "<td class=\"heat\">%lld ?</td>", (long long)m->runs);
        else
            story_put(w, "<td class=\"heat\">—</td>");
    }
    story_put(w, "</tr>\n");
}

bool story_tasks(struct story_writer *w, const struct summary *s, struct err *e)
{
    struct filter filter = FILTER_ANY;
    const struct page page = {.limit = STORY_TASKS};
    struct task_rows rows;
    size_t models[STORY_COLUMNS], n = columns(s, models);
    filter.collection = w->collection.id;
    arena_reset(&w->a);
    if (!n)
        return true;
    if (!store_tasks(w->st->store, &filter, &page, &w->a, &rows, e))
        return false;
    if (!rows.n)
        return true;
    open_table(w, "Tasks by model", "runs that passed, of those that say; ? where they do not say");
    story_put(w, "<thead><tr><th>task</th>");
    for (size_t i = 0; i < n; i++)
        cell(w, "th class=\"heat\"", s->by_model[models[i]].model.len ? s->by_model[models[i]].model : slice_str("unknown model"));
    story_put(w, "</tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < rows.n; i++)
        write_task(w, &rows.items[i], s, models, n);
    close_table(w);
    if (s->tasks > (int64_t)rows.n || n < s->nby_model) {
        story_put(w, "<p class=\"none\">Not in this grid: ");
        story_count(w, s->tasks - (int64_t)rows.n, "task", "tasks");
        story_put(w, ", ");
        story_count(w, (int64_t)(s->nby_model - n), "model", "models");
        story_put(w, ".</p>\n");
    }
    return story_flush(w, e);
}

/* ---- runs with findings -------------------------------------------------------------------------------------------------- */

static void write_run(struct story_writer *w, const struct run_row *row, size_t findings)
{
    static const char *const outcome[] = {[VERDICT_FAILED] = "failed", [VERDICT_PASSED] = "passed", [VERDICT_UNKNOWN] = "—"};
    const struct run *run = &row->run;
    size_t at = map_get(&w->by_run, run->id);
    story_put(w, "<tr><th scope=\"row\">");
    if (at && at != SIZE_MAX)
        str_printf(&w->text, "<a href=\"#r%zu\">", at);
    story_text(w, story_run_name(run));
    story_put(w, at && at != SIZE_MAX ? "</a></th>" : "</th>");
    cell(w, "td", run->task_id);
    cell(w, "td", run->model);
    cell(w, "td", slice_str(outcome[run->success]));
    count_cell(w, row->messages);
    count_cell(w, (int64_t)findings);
    story_put(w, "</tr>\n");
}

/* The newest runs that have findings of their own. */
bool story_run_list(struct story_writer *w, struct err *e)
{
    const struct story *st = w->st;
    struct arena arenas[2] = {{0}, {0}}, a = {0}; /* a page's cursor must outlive it by one page */
    struct map counts = {0};
    struct filter filter = st->of ? *st->of : FILTER_ANY;
    struct page page = {.limit = PAGE};
    struct run_rows rows;
    bool ok = true;
    size_t shown = 0;
    for (size_t i = 0; i < st->n; i++)
        if (st->items[i].run.ptr)
            map_set(&a, &counts, st->items[i].run, map_get(&counts, st->items[i].run) + 1);
    filter.collection = w->collection.id;
    filter.has_findings = counts.n ? 1 : 0;
    if (counts.n) {
        open_table(w, "Runs with findings", "");
        story_put(w, "<thead><tr><th>run</th><th>task</th><th>model</th><th>outcome</th><th class=\"number\">messages</th>"
                     "<th class=\"number\">findings</th></tr></thead>\n<tbody>\n");
    }
    for (int turn = 0; ok && shown < counts.n && shown < STORY_LISTED; turn ^= 1) {
        arena_reset(&arenas[turn]);
        if (!(ok = store_runs(st->store, &filter, &page, &arenas[turn], &rows, e)))
            break;
        for (size_t i = 0; i < rows.n && shown < STORY_LISTED; i++) {
            size_t findings = map_get(&counts, rows.items[i].run.id);
            if (findings)
                write_run(w, &rows.items[i], findings);
            shown += findings > 0;
        }
        ok = story_flush(w, e);
        page.after = rows.end.next;
        if (!page.after.ptr)
            break;
    }
    if (counts.n)
        close_table(w);
    if (shown == STORY_LISTED && shown < counts.n)
        str_printf(&w->text, "<p class=\"none\">and %zu more</p>\n", counts.n - shown);
    arena_free(&arenas[0]);
    arena_free(&arenas[1]);
    arena_free(&a);
    return ok;
}
