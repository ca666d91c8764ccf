#include "http/api.h"

#include "base/clock.h"

/* Short enough for a server that is told to stop within ten seconds. */
enum { DEADLINE_US = 8000000 };

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
        .runs = api_filter(&r->args, collection),
        .limit = (uint32_t)arg_int(&r->args, "limit", 0),
        .after = arg_text(&r->args, "after"),
        .count = arg_bool(&r->args, "count", false),
        .deadline_us = clock_monotonic_us() + DEADLINE_US,
    };
    q->runs.q = SLICE_NONE; /* "q" is what is looked for in messages */
    return true;
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
    if (!read_query(r, &query, e) || !store_search_facets(r->store, &query, &r->arena, &facets, e))
        return false;
    struct jsonw j = jsonw_to(&a->body);
    view_search_facets(&j, &facets);
    return true;
}

bool api_sql(struct request *r, struct answer *a, struct err *e)
{
    uint64_t limit = (uint64_t)arg_int(&r->args, "limit", 1000);
    int64_t deadline = clock_monotonic_us() + DEADLINE_US;
    return store_sql(r->store, arg_text(&r->args, "query"), arg_text(&r->args, "params"), limit, deadline, &a->body, e);
}
