#include "http/api.h"

#include "base/clock.h"
#include "ingest/ownrules.h"
#include "view/judging.h"

bool api_findings(struct request *r, struct answer *a, struct err *e)
{
    struct collection_row row;
    struct page page = api_page(r);
    struct finding_rows rows;
    if (!api_path_collection(r, &row, e))
        return false;
    struct filter filter;
    if (!api_filter(&r->args, row.id, &filter, e) || !store_findings(r->store, &filter, &page, &r->arena, &rows, e))
        return false;
    struct jsonw j = api_list(a);
    for (size_t i = 0; i < rows.n; i++)
        view_finding(&j, &rows.items[i]);
    api_list_end(&j, &rows.end);
    return true;
}

bool api_finding(struct request *r, struct answer *a, struct err *e)
{
    struct finding_row row;
    if (!store_finding(r->store, r->path[0], &r->arena, &row, e))
        return false;
    struct jsonw j = jsonw_to(&a->body);
    view_finding(&j, &row);
    return true;
}

/* What the detectors could not finish: never silence. */
bool api_incomplete(struct request *r, struct answer *a, struct err *e)
{
    struct collection_row row;
    const struct page page = api_page(r);
    struct incomplete_rows rows;
    if (!api_path_collection(r, &row, e))
        return false;
    const struct filter filter = {.collection = row.id, .run = arg_text(&r->args, "run"), .has_findings = -1};
    if (!store_incomplete(r->store, &filter, &page, &r->arena, &rows, e))
        return false;
    struct jsonw j = api_list(a);
    for (size_t i = 0; i < rows.n; i++)
        view_incomplete(&j, &rows.items[i]);
    api_list_end(&j, &rows.end);
    return true;
}

/* ---- reviews ---------------------------------------------------------------------------------------------------------- */

static bool review_args(const struct request *r, struct review *out, struct err *e)
{
    struct slice status = arg_text(&r->args, "status");
    *out = (struct review){.has_status = status.ptr != NULL, .note = arg_text(&r->args, "note"), .reviewer = arg_text(&r->args, "reviewer")};
    if (out->has_status && !status_parse(status, &out->status))
        return err_set(e, ERR_USAGE, "\"status\" must be one of open, confirmed, dismissed");
    if (!out->has_status && !out->note.ptr && !out->reviewer.ptr)
        return err_set(e, ERR_USAGE, "give a \"status\", a \"note\" or a \"reviewer\"");
    return true;
}

bool api_finding_review(struct request *r, struct answer *a, struct err *e)
{
    struct review review;
    struct filter filter = FILTER_ANY;
    uint64_t changed;
    filter.ids = &r->path[0];
    filter.nids = 1;
    return review_args(r, &review, e) && store_review(r->store, &filter, &review, &changed, e) && api_finding(r, a, e);
}

bool api_findings_review(struct request *r, struct answer *a, struct err *e)
{
    struct review review;
    struct filter filter;
    uint64_t changed = 0;
    if (!review_args(r, &review, e) || !api_body_filter(r, &filter, e) || !store_review(r->store, &filter, &review, &changed, e))
        return false;
    struct jsonw j = jsonw_to(&a->body);
    jsonw_object(&j);
    jsonw_kint(&j, "changed", (int64_t)changed);
    jsonw_end(&j);
    return true;
}

/* ---- detectors -------------------------------------------------------------------------------------------------------- */

static void detector_list(struct jsonw *j, const struct ruleset *rules)
{
    for (size_t i = 0; i < ruleset_count(rules); i++) {
        struct detector_info info;
        ruleset_info(rules, i, &info);
        view_detector(j, &info);
    }
}

bool api_detectors(struct request *r, struct answer *a, struct err *e)
{
    struct collection_row collection = {0};
    struct slice name = arg_text(&r->args, "collection");
    if (name.ptr && !store_collection(r->store, name, &r->arena, &collection, e))
        return false;
    struct ruleset *rules;
    struct detector_info *judges;
    size_t n;
    if (!rules_for(r->store, r->server->rules, collection.name, &rules, e))
        return false;
    bool ok = judge_detectors(r->store, collection.id, &r->arena, &judges, &n, e);
    const struct page_end end = {.total = (int64_t)(ruleset_count(rules) + n)};
    struct jsonw j = api_list(a);
    detector_list(&j, rules);
    for (size_t i = 0; i < n; i++)
        view_detector(&j, &judges[i]);
    api_list_end(&j, &end);
    ruleset_unref(rules);
    return ok;
}

/* ---- trying rules ----------------------------------------------------------------------------------------------------- */

enum { TRY_US = 6000000, TRY_FINDINGS = 200, TRY_INCOMPLETE = 50 };

struct trial {
    struct request *r;
    const struct ruleset *rules;
    struct detect_scratch *scratch;
    struct slice collection;
    struct jsonw *j;
    int64_t deadline;
    uint64_t runs, flagged, findings;
    struct incomplete_row incomplete[TRY_INCOMPLETE]; /* the first ones, in the request's arena */
    size_t nincomplete;
    bool complete;
};

static bool time_is_up(struct trial *t)
{
    if (clock_monotonic_us() > t->deadline || t->findings >= TRY_FINDINGS || request_unwanted(t->r))
        t->complete = false;
    return !t->complete;
}

static void show(struct trial *t, const struct findings *found, const struct run *run)
{
    for (size_t i = 0; i < found->n && t->findings < TRY_FINDINGS; i++, t->findings++) {
        struct finding_row row = {.finding = found->items[i], .collection = t->collection, .has_run = run != NULL};
        if (run)
            row.run = *run;
        view_finding(t->j, &row);
    }
}

static void remember_incomplete(struct trial *t, const struct detect_result *result, const struct run *run)
{
    struct arena *a = &t->r->arena;
    for (size_t i = 0; i < result->nincomplete && t->nincomplete < TRY_INCOMPLETE; i++)
        t->incomplete[t->nincomplete++] = (struct incomplete_row){
            .run = arena_dup(a, run->id),
            .external_id = arena_dup(a, run->external_id),
            .detector = arena_dup(a, result->incomplete[i].detector),
            .reason = arena_dup(a, result->incomplete[i].reason),
        };
}

static bool try_run(struct trial *t, struct slice id, struct arena *a, struct err *e)
{
    struct run run;
    struct detect_result result;
    arena_reset(a);
    if (!store_run_load(t->r->store, id, a, &run, e))
        return false;
    detect_run(t->rules, t->scratch, &run, a, &result);
    t->runs++;
    t->flagged += result.findings.n > 0;
    show(t, &result.findings, &run);
    remember_incomplete(t, &result, &run);
    return true;
}

static bool try_runs(struct trial *t, struct arena *a, struct err *e)
{
    struct filter filter = FILTER_ANY;
    struct page page = {.limit = 100};
    struct run_rows rows;
    filter.collection = t->collection;
    do {
        if (!store_runs(t->r->store, &filter, &page, &t->r->arena, &rows, e))
            return false;
        for (size_t i = 0; i < rows.n; i++)
            if (time_is_up(t))
                return true;
            else if (!try_run(t, rows.items[i].run.id, a, e))
                return false;
        page.after = rows.end.next;
    } while (page.after.ptr);
    return true;
}

static bool try_tasks(struct trial *t, struct arena *a, struct err *e)
{
    struct slices tasks;
    struct common_errors common;
    if (!store_task_ids(t->r->store, t->collection, &t->r->arena, &tasks, e) ||
        !store_common_errors(t->r->store, t->collection, &t->r->arena, &common, e))
        return false;
    for (size_t i = 0; i < tasks.n && !time_is_up(t); i++) {
        struct task_summary task;
        struct detect_result result;
        arena_reset(a);
        if (!store_task_summary(t->r->store, t->collection, tasks.items[i], a, &task, e))
            return false;
        task.common = &common;
        detect_task(t->rules, t->scratch, &task, a, &result);
        show(t, &result.findings, NULL);
    }
    return true;
}

struct trying {
    struct trial *trial;
    struct detect_over *over;
};

static bool try_piece(void *ctx, const struct task_summary *piece, struct err *e)
{
    const struct trying *trying = ctx;
    (void)e;
    if (time_is_up(trying->trial))
        return false;
    detect_over_feed(trying->over, piece);
    return true;
}

/* What is said of the whole needs the whole: nothing where time is up before. */
static bool try_over(struct trial *t, struct arena *a, struct err *e)
{
    struct trying trying = {t, detect_over_new(t->rules)};
    const struct quotes quotes = store_quotes(t->r->store);
    struct feed_wish wish = {.quotes = &quotes, .each = try_piece, .ctx = &trying};
    struct detect_result result;
    bool ok = true;
    if (!trying.over)
        return true;
    arena_reset(a);
    wish.detectors = detect_over_asks(trying.over, &wish.ndetectors);
    do
        ok = store_collection_feed(t->r->store, t->collection, &wish, e);
    while (ok && detect_over_turn(trying.over, NULL));
    if (ok) {
        detect_over_end(trying.over, &quotes, a, &result);
        show(t, &result.findings, NULL);
    }
    detect_over_free(trying.over);
    return ok || !t->complete;
}

static void problem_list(struct jsonw *j, const struct problems *problems)
{
    jsonw_key(j, "problems");
    jsonw_array(j);
    for (size_t i = 0; i < problems->n; i++) {
        const struct problem *p = &problems->items[i];
        jsonw_object(j);
        jsonw_kstr(j, "file", p->file);
        jsonw_kint(j, "line", p->line);
        jsonw_kint(j, "column", p->column);
        jsonw_kstr(j, "rule", p->rule);
        jsonw_kstr(j, "message", p->message);
        jsonw_end(j);
    }
    jsonw_end(j);
}

static void own_tests(struct jsonw *j, const struct ruleset *rules)
{
    struct str output = STR_INIT(1 << 20);
    size_t tests = 0, failures = 0;
    ruleset_test(rules, &output, &tests, &failures);
    jsonw_key(j, "tests");
    jsonw_object(j);
    jsonw_kint(j, "run", (int64_t)tests);
    jsonw_kint(j, "failed", (int64_t)failures);
    jsonw_kstr(j, "output", str_slice(&output));
    jsonw_end(j);
    str_free(&output);
}

static bool try_all(struct trial *t, struct err *e)
{
    struct arena one = {0};
    bool ok = !t->collection.ptr || (try_runs(t, &one, e) && try_tasks(t, &one, e) && try_over(t, &one, e));
    arena_free(&one);
    return ok;
}

bool api_rules_test(struct request *r, struct answer *a, struct err *e)
{
    struct problems problems = {0};
    struct ruleset *rules;
    struct collection_row collection = {0};
    struct slice name = arg_text(&r->args, "collection");
    if (name.ptr && !store_collection(r->store, name, &r->arena, &collection, e))
        return false;
    ruleset_parse(arg_text(&r->args, "rules"), slice_str("rules"), &r->arena, &problems, &rules);
    struct jsonw j = jsonw_to(&a->body);
    struct trial trial = {.r = r, .rules = rules, .scratch = detect_scratch_new(), .collection = collection.id, .j = &j,
                          .deadline = clock_monotonic_us() + TRY_US, .complete = true};
    jsonw_object(&j);
    problem_list(&j, &problems);
    jsonw_key(&j, "rules");
    jsonw_array(&j);
    detector_list(&j, rules);
    jsonw_end(&j);
    own_tests(&j, rules);
    jsonw_key(&j, "findings");
    jsonw_array(&j);
    bool ok = try_all(&trial, e);
    jsonw_end(&j);
    jsonw_key(&j, "incomplete");
    jsonw_array(&j);
    for (size_t i = 0; i < trial.nincomplete; i++)
        view_incomplete(&j, &trial.incomplete[i]);
    jsonw_end(&j);
    jsonw_kint(&j, "runs", (int64_t)trial.runs);
    jsonw_kint(&j, "flagged", (int64_t)trial.flagged);
    jsonw_kbool(&j, "complete", trial.complete);
    jsonw_end(&j);
    detect_scratch_free(trial.scratch);
    ruleset_unref(rules);
    return ok;
}
