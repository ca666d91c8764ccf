#include "http/api.h"

#include "base/clock.h"
#include "http/params.h"

/* Short enough for a server that is told to stop within ten seconds. Counts are asked for beside every search that is typed, and one that
 * nobody waits for any more is not broken off: they get less. */
enum { DEADLINE_US = 8000000, COUNT_US = 3000000 };

static bool read_query(struct request *r, struct search_query *q, struct err *e)
{
    struct slice collection;
    if (!api_collection_id(r, arg_text(&r->args, "collection"), &collection, e))
        return false;
    *q = (struct search_query){
        .pattern = arg_text(&r->args, "q"),
        .regex = arg_bool(&r->args, "regex", false),
        .match_case = arg_bool(&r->args, "case", false),
        .role = arg_text(&r->args, "role"),
        .tool = arg_text(&r->args, "tool"),
        .limit = (uint32_t)arg_int(&r->args, "limit", 0),
        .after = arg_text(&r->args, "after"),
        .count = arg_bool(&r->args, "count", false),
        .deadline_us = clock_monotonic_us() + DEADLINE_US,
    };
    return api_filter_by(search_run_params, &r->args, collection, &q->runs, e);
}

bool api_search(struct request *r, struct answer *a, struct err *e)
{
    struct search_query query;
    struct search_hits hits;
    if (!read_query(r, &query, e) || !store_search(r->store, &query, &r->arena, &hits, e))
        return false;
    struct jsonw j = api_list(a);
    for (size_t i = 0; i < hits.n; i++)
        view_search_hit(&j, &hits.items[i]);
    jsonw_end(&j);
    view_end(&j, &hits.end);
    jsonw_kbool(&j, "incomplete", hits.incomplete);
    jsonw_kstr(&j, "reason", hits.reason);
    jsonw_end(&j);
    return true;
}

bool api_search_facets(struct request *r, struct answer *a, struct err *e)
{
    struct search_query query;
    struct search_facets facets;
    if (!read_query(r, &query, e))
        return false;
    query.deadline_us = clock_monotonic_us() + COUNT_US;
    if (!store_search_facets(r->store, &query, &r->arena, &facets, e))
        return false;
    struct jsonw j = jsonw_to(&a->body);
    view_search_facets(&j, &facets);
    return true;
}

bool api_sql(struct request *r, struct answer *a, struct err *e)
{
    uint64_t limit = (uint64_t)arg_int(&r->args, "limit", 1000);
    int64_t deadline = clock_monotonic_us() + arg_int(&r->args, "timeout_ms", DEADLINE_US / 1000) * 1000;
    return store_sql(r->store, arg_text(&r->args, "query"), arg_text(&r->args, "params"), limit, deadline, &a->body, e);
}

bool api_sql_schema(struct request *r, struct answer *a, struct err *e)
{
    struct jsonw j = jsonw_to(&a->body);
    (void)r;
    (void)e;
    jsonw_object(&j);
    jsonw_key(&j, "views");
    jsonw_array(&j);
    for (const struct sql_view *view = sql_views; view->name; view++) {
        jsonw_object(&j);
        jsonw_kstrz(&j, "name", view->name);
        jsonw_kstrz(&j, "about", view->about);
        jsonw_key(&j, "columns");
        jsonw_array(&j);
        for (const struct sql_column *column = view->columns; column->name; column++) {
            jsonw_object(&j);
            jsonw_kstrz(&j, "name", column->name);
            jsonw_kstrz(&j, "type", column->type);
            jsonw_kstrz(&j, "about", column->about);
            jsonw_end(&j);
        }
        jsonw_end(&j);
        jsonw_end(&j);
    }
    jsonw_end(&j);
    jsonw_key(&j, "functions");
    jsonw_array(&j);
    for (const char *const *function = sql_functions; *function; function++)
        jsonw_strz(&j, *function);
    jsonw_end(&j);
    jsonw_key(&j, "limits");
    jsonw_object(&j);
    jsonw_knum(&j, "seconds", DEADLINE_US / 1e6);
    jsonw_kint(&j, "memory_bytes", SQL_MEMORY_BYTES);
    jsonw_kint(&j, "value_bytes", SQL_VALUE_BYTES);
    jsonw_kint(&j, "query_bytes", SQL_TEXT_BYTES);
    jsonw_kint(&j, "answer_bytes", (int64_t)a->body.max);
    jsonw_kint(&j, "rows", 1000000);
    jsonw_end(&j);
    jsonw_end(&j);
    return true;
}

/* ---- kept queries ------------------------------------------------------------------------------------------------------- */

static void view_query(struct jsonw *j, const struct saved_query *query)
{
    jsonw_object(j);
    jsonw_kstr(j, "id", query->id);
    jsonw_kstr(j, "name", query->name);
    jsonw_kstr(j, "text", query->text);
    jsonw_kraw(j, "chart", query->chart);
    jsonw_kstr(j, "created_at", query->created_at);
    jsonw_kstr(j, "updated_at", query->updated_at);
    jsonw_end(j);
}

bool api_queries(struct request *r, struct answer *a, struct err *e)
{
    struct saved_queries list;
    if (!store_queries(r->store, &r->arena, &list, e))
        return false;
    struct jsonw j = api_list(a);
    for (size_t i = 0; i < list.n; i++)
        view_query(&j, &list.items[i]);
    api_list_end(&j, &(struct page_end){.total = (int64_t)list.n});
    return true;
}

static bool put_query(struct request *r, struct answer *a, struct slice id, struct err *e)
{
    const struct saved_query query = {
        .id = id,
        .name = arg_text(&r->args, "name"),
        .text = arg_text(&r->args, "text"),
        .chart = arg_text(&r->args, "chart"),
    };
    struct saved_query stands;
    if (!store_query_put(r->store, &query, &r->arena, &stands, e))
        return false;
    struct jsonw j = jsonw_to(&a->body);
    view_query(&j, &stands);
    return true;
}

bool api_query_add(struct request *r, struct answer *a, struct err *e) { return put_query(r, a, SLICE_NONE, e); }
bool api_query_change(struct request *r, struct answer *a, struct err *e) { return put_query(r, a, r->path[0], e); }

bool api_query_delete(struct request *r, struct answer *a, struct err *e)
{
    (void)a;
    return store_query_delete(r->store, r->path[0], e);
}
