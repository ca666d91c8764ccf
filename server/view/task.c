#include "view/view.h"

#include "detect/answer.h"

/* How an answer stands to what was expected, in words of the API. */
static const char *form_name(enum form form)
{
    switch (form) {
    case FORM_OTHER:
        return "other";
    case FORM_SAME:
        return "same";
    case FORM_GARBLED:
        return "garbled";
    case FORM_DRESSED:
        return "dressed";
    case FORM_NEAR:
        return "near";
    }
    return NULL;
}

static void view_group(struct jsonw *j, const struct task_group *group, struct arena *a)
{
    jsonw_object(j);
    jsonw_kstr(j, "text", group->text);
    jsonw_kstrz(j, "form", group->target.ptr ? form_name(answer_compare(a, group->text, group->target)) : NULL);
    jsonw_kbool(j, "last_words", group->last_words);
    jsonw_kint(j, "runs", group->runs);
    jsonw_kint(j, "passed", group->passed);
    jsonw_kint(j, "failed", group->failed);
    jsonw_key(j, "members");
    jsonw_array(j);
    for (size_t i = 0; i < group->nmembers; i++) {
        const struct task_member *member = &group->members[i];
        jsonw_object(j);
        jsonw_kstr(j, "run", member->run);
        jsonw_kstr(j, "external_id", member->external_id);
        jsonw_kstr(j, "model", member->model);
        view_success(j, member->success);
        view_index(j, "position", member->transcript);
        view_index(j, "message", member->message);
        jsonw_end(j);
    }
    jsonw_end(j);
    jsonw_end(j);
}

static void view_groups(struct jsonw *j, const char *key, const char *more, const struct task_groups *groups, struct arena *a)
{
    jsonw_key(j, key);
    jsonw_array(j);
    for (size_t i = 0; i < groups->n; i++)
        view_group(j, &groups->items[i], a);
    jsonw_end(j);
    jsonw_kint(j, more, groups->more);
}

void view_task_detail(struct jsonw *j, const struct task_detail *detail, const struct finding_rows *about, struct arena *a)
{
    jsonw_object(j);
    jsonw_key(j, "task");
    view_task(j, &detail->row);
    jsonw_key(j, "findings");
    jsonw_array(j);
    for (size_t i = 0; i < about->n; i++)
        if (slice_eq(about->items[i].finding.task_id, detail->row.task_id)) /* a filter by an id with a comma names others too */
            view_finding(j, &about->items[i]);
    jsonw_end(j);
    jsonw_kint(j, "looked", detail->looked);
    view_groups(j, "answers", "answers_more", &detail->answers, a);
    jsonw_key(j, "targets");
    jsonw_array(j);
    for (size_t i = 0; i < detail->targets.n; i++) {
        jsonw_object(j);
        jsonw_kstr(j, "text", detail->targets.items[i].text);
        jsonw_kint(j, "runs", detail->targets.items[i].runs);
        jsonw_end(j);
    }
    jsonw_end(j);
    jsonw_kint(j, "targets_more", detail->targets.more);
    view_groups(j, "errors", "errors_more", &detail->errors, a);
    jsonw_key(j, "behaviors");
    jsonw_array(j);
    for (size_t i = 0; i < detail->nbehaviors; i++) {
        jsonw_object(j);
        jsonw_kstr(j, "behavior", detail->behaviors[i].behavior);
        jsonw_kstrz(j, "kind", kind_name(detail->behaviors[i].kind));
        jsonw_kint(j, "runs", detail->behaviors[i].runs);
        jsonw_end(j);
    }
    jsonw_end(j);
    jsonw_end(j);
}
