#include "view/view.h"

#include "base/stats.h"

static void rate(struct jsonw *j, const char *key, int64_t passed, int64_t failed)
{
    jsonw_key(j, key);
    double n = (double)(passed + failed);
    if (n <= 0) {
        jsonw_null(j);
        return;
    }
    double low, high;
    stats_wilson((size_t)passed, (size_t)(passed + failed), &low, &high);
    jsonw_object(j);
    jsonw_knum(j, "value", (double)passed / n);
    jsonw_knum(j, "low", low);
    jsonw_knum(j, "high", high);
    jsonw_end(j);
}

/* The counts that groups by detector and by behaviour share. */
static void group_members(struct jsonw *j, const struct group_count *group)
{
    jsonw_kstrz(j, "kind", kind_name(group->kind));
    jsonw_kint(j, "findings", group->findings);
    jsonw_kint(j, "runs", group->runs);
    jsonw_kint(j, "tasks", group->tasks);
    jsonw_kint(j, "open", group->open);
    jsonw_kint(j, "confirmed", group->confirmed);
    jsonw_kint(j, "dismissed", group->dismissed);
    jsonw_kint(j, "excepted", group->excepted);
}

static void summary_groups(struct jsonw *j, const struct summary *summary)
{
    jsonw_key(j, "kinds");
    jsonw_object(j);
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        jsonw_key(j, kind_name(kind));
        jsonw_object(j);
        jsonw_kint(j, "findings", summary->kind_findings[kind]);
        jsonw_kint(j, "runs", summary->kind_runs[kind]);
        jsonw_kint(j, "tasks", summary->kind_tasks[kind]);
        jsonw_end(j);
    }
    jsonw_end(j);
    jsonw_key(j, "detectors");
    jsonw_array(j);
    for (size_t i = 0; i < summary->ndetectors; i++) {
        const struct group_count *group = &summary->detectors[i];
        jsonw_object(j);
        jsonw_kstr(j, "detector", group->name);
        jsonw_kstr(j, "behavior", group->behavior);
        jsonw_kstrz(j, "severity", severity_name(group->severity));
        group_members(j, group);
        jsonw_end(j);
    }
    jsonw_end(j);
    jsonw_key(j, "behaviors");
    jsonw_array(j);
    for (size_t i = 0; i < summary->nbehaviors; i++) {
        const struct group_count *group = &summary->behaviors[i];
        jsonw_object(j);
        jsonw_kstr(j, "behavior", group->name);
        group_members(j, group);
        view_best(j, group->has_best, &group->best);
        jsonw_end(j);
    }
    jsonw_end(j);
}

void view_summary(struct jsonw *j, const struct summary *summary)
{
    jsonw_object(j);
    jsonw_key(j, "collection");
    view_collection(j, &summary->collection);
    jsonw_kint(j, "runs", summary->runs);
    jsonw_kint(j, "passed", summary->passed);
    jsonw_kint(j, "failed", summary->failed);
    jsonw_kint(j, "unknown", summary->unknown);
    jsonw_kint(j, "tasks", summary->tasks);
    jsonw_kint(j, "models", summary->models);
    jsonw_kint(j, "messages", summary->messages);
    jsonw_kint(j, "tool_calls", summary->calls);
    view_count(j, "tokens_in", summary->tokens_in);
    view_count(j, "tokens_out", summary->tokens_out);
    jsonw_knum(j, "cost_usd", summary->cost_usd);
    jsonw_kint(j, "files", summary->files);
    jsonw_kint(j, "refused", summary->refused);
    jsonw_kint(j, "incomplete", summary->incomplete);
    rate(j, "pass_rate", summary->passed, summary->failed);
    rate(j, "pass_rate_sound", summary->sound_passed, summary->sound_failed);
    jsonw_kint(j, "broken_tasks", summary->broken_tasks);
    jsonw_kint(j, "suspect_tasks", summary->suspect_tasks);
    summary_groups(j, summary);

    jsonw_key(j, "by_model");
    jsonw_array(j);
    for (size_t i = 0; i < summary->nby_model; i++) {
        jsonw_object(j);
        jsonw_kstr(j, "model", summary->by_model[i].model);
        jsonw_kint(j, "runs", summary->by_model[i].runs);
        jsonw_kint(j, "passed", summary->by_model[i].passed);
        jsonw_kint(j, "failed", summary->by_model[i].failed);
        jsonw_kint(j, "flagged", summary->by_model[i].flagged);
        rate(j, "pass_rate", summary->by_model[i].passed, summary->by_model[i].failed);
        rate(j, "pass_rate_sound", summary->by_model[i].sound_passed, summary->by_model[i].sound_failed);
        jsonw_end(j);
    }
    jsonw_end(j);
    jsonw_key(j, "facets");
    jsonw_array(j);
    for (size_t i = 0; i < summary->nfacets; i++) {
        const struct facet *facet = &summary->facets[i];
        jsonw_object(j);
        jsonw_kstr(j, "field", facet->field);
        jsonw_key(j, "values");
        jsonw_array(j);
        for (size_t k = 0; k < facet->n; k++) {
            jsonw_object(j);
            jsonw_kstr(j, "value", facet->values[k].value);
            jsonw_kint(j, "runs", facet->values[k].runs);
            jsonw_end(j);
        }
        jsonw_end(j);
        jsonw_end(j);
    }
    jsonw_end(j);
    jsonw_end(j);
}
