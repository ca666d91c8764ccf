#include "http/api.h"

#include "base/clock.h"

/* Short enough for a server that is told to stop within ten seconds. */
enum { DEADLINE_US = 8000000 };

bool api_search(struct request *r, struct answer *a, struct err *e)
{
    struct collection_row collection = {0};
    struct slice name = arg_text(&r->args, "collection");
    if (name.ptr && !store_collection(r->store, name, &r->arena, &collection, e))
        return false;
    const struct search_query query = {
        .pattern = arg_text(&r->args, "q"),
        .regex = arg_bool(&r->args, "regex", false),
        .match_case = arg_bool(&r->args, "case", false),
        .collection = collection.id,
        .role = arg_text(&r->args, "role"),
        .tool = arg_text(&r->args, "tool"),
        .model = arg_text(&r->args, "model"),
        .task = arg_text(&r->args, "task"),
        .success = arg_text(&r->args, "success"),
        .limit = (uint32_t)arg_int(&r->args, "limit", 0),
        .after = arg_text(&r->args, "after"),
        .count = arg_bool(&r->args, "count", false),
        .deadline_us = clock_monotonic_us() + DEADLINE_US,
    };
    struct search_hits hits;
    if (!store_search(r->store, &query, &r->arena, &hits, e))
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

bool api_sql(struct request *r, struct answer *a, struct err *e)
{
    uint64_t limit = (uint64_t)arg_int(&r->args, "limit", 1000);
    int64_t deadline = clock_monotonic_us() + DEADLINE_US;
    return store_sql(r->store, arg_text(&r->args, "query"), arg_text(&r->args, "params"), limit, deadline, &a->body, e);
}
