#include "ingest/ownrules.h"
#include "http/api.h"
#include "jobs/judging.h"
#include "jobs/rubrics.h"
#include "view/judging.h"

bool api_judgments(struct request *r, struct answer *a, struct err *e)
{
    const struct page page = api_page(r);
    struct judgment_filter filter = {
        .run = arg_text(&r->args, "run"),
        .rubric = arg_text(&r->args, "rubric"),
        .version = arg_int(&r->args, "version", 0),
        .judge = arg_text(&r->args, "judge"),
        .judge_key = arg_text(&r->args, "judge_key"),
        .state = arg_text(&r->args, "state"),
        .decision = arg_text(&r->args, "decision"),
        .flagged = (int)arg_int(&r->args, "flagged", -1),
        .job = arg_text(&r->args, "job"),
        .task = arg_text(&r->args, "task"),
        .model = arg_text(&r->args, "model"),
        .all = arg_bool(&r->args, "all", false),
    };
    struct judgment_rows rows;
    if (!api_collection_id(r, arg_text(&r->args, "collection"), &filter.collection, e) ||
        !store_judgments(r->store, &filter, &page, &r->arena, &rows, e))
        return false;
    struct jsonw j = api_list(a);
    for (size_t i = 0; i < rows.n; i++)
        view_judgment(&j, &rows.items[i], filter.run.ptr != NULL);
    api_list_end(&j, &rows.end);
    return true;
}

bool api_judgment(struct request *r, struct answer *a, struct err *e)
{
    struct judgment row;
    if (!store_judgment(r->store, r->path[0], &r->arena, &row, e))
        return false;
    struct jsonw j = jsonw_to(&a->body);
    view_judgment(&j, &row, true);
    return true;
}

bool api_judges(struct request *r, struct answer *a, struct err *e)
{
    struct slice collection;
    struct judge_row *rows;
    size_t n;
    if (!api_collection_id(r, arg_text(&r->args, "collection"), &collection, e) ||
        !store_judges(r->store, collection, arg_text(&r->args, "rubric"), &r->arena, &rows, &n, e))
        return false;
    const struct page_end end = {.total = (int64_t)n};
    struct jsonw j = api_list(a);
    for (size_t i = 0; i < n; i++)
        view_judge(&j, &rows[i]);
    api_list_end(&j, &end);
    return true;
}

/* ---- asking for more ----------------------------------------------------------------------------------------------------------------------------- */

static bool names_are_known(struct request *r, const struct judge_wish *wish, struct err *e)
{
    struct collection_row collection;
    if (!store_collection(r->store, wish->collection, &r->arena, &collection, e))
        return false;
    struct ruleset *rules;
    if (!rules_for(r->store, r->server->rules, collection.name, &rules, e))
        return false;
    bool ok = judge_wish_names(r->store, wish, rules, &r->arena, e);
    ruleset_unref(rules);
    return ok;
}

/* What the body asks for, with all that it leaves out. */
static bool body_wish(struct request *r, struct models *models, struct judge_wish *out, struct err *e)
{
    struct jvalue *body;
    return api_json(r, str_slice(&r->body), &body, e) && judge_wish_parse(body, &r->arena, out, e) &&
           models_all(r->store, r->server->config, &r->arena, models, e) && judge_wish_complete(r->store, models, out, &r->arena, e) &&
           names_are_known(r, out, e);
}

bool api_judgments_estimate(struct request *r, struct answer *a, struct err *e)
{
    struct models models;
    struct judge_wish wish;
    struct judge_estimate estimate;
    if (!body_wish(r, &models, &wish, e) || !judge_estimate(r->store, &models, &wish, &r->arena, &estimate, e))
        return false;
    struct jsonw j = jsonw_to(&a->body);
    judge_estimate_write(&j, &estimate, &wish);
    return true;
}

bool api_judgments_add(struct request *r, struct answer *a, struct err *e)
{
    struct models models;
    struct judge_wish wish;
    if (!body_wish(r, &models, &wish, e))
        return false;
    const struct job_row job = {.kind = slice_str("judge"), .collection = wish.collection, .payload = judge_wish_write(&r->arena, &wish)};
    return api_add_job(r, a, &job, e);
}

bool api_rubric_draft(struct request *r, struct answer *a, struct err *e)
{
    struct models models;
    struct draft_wish wish;
    struct jvalue *body;
    if (!api_json(r, str_slice(&r->body), &body, e) || !draft_wish_parse(body, &r->arena, &wish, e) ||
        !models_all(r->store, r->server->config, &r->arena, &models, e) || !draft_wish_complete(r->store, &models, &wish, &r->arena, e))
        return false;
    const struct job_row job = {.kind = slice_str("draft"), .collection = wish.collection, .payload = draft_wish_write(&r->arena, &wish)};
    return api_add_job(r, a, &job, e);
}
