#include "http/api.h"

bool api_fields(struct request *r, struct answer *a, struct err *e)
{
    struct field_rows rows;
    if (!store_fields(r->store, r->path[0], &r->arena, &rows, e))
        return false;
    struct jsonw j = jsonw_to(&a->body);
    view_fields(&j, &rows);
    return true;
}

bool api_facets(struct request *r, struct answer *a, struct err *e)
{
    struct filter filter;
    struct facet_rows rows;
    if (!api_filter(&r->args, r->path[0], &filter, e) ||
        !store_facets(r->store, &filter, arg_text(&r->args, "fields"), (size_t)arg_int(&r->args, "top", 0), &r->arena, &rows, e))
        return false;
    struct jsonw j = jsonw_to(&a->body);
    view_facets(&j, &rows);
    return true;
}

bool api_stats(struct request *r, struct answer *a, struct err *e)
{
    struct filter filter;
    struct stat_rows rows;
    if (!api_filter(&r->args, r->path[0], &filter, e) ||
        !store_stats(r->store, &filter, arg_text(&r->args, "by"), (size_t)arg_int(&r->args, "top", 0), &r->arena, &rows, e))
        return false;
    struct jsonw j = jsonw_to(&a->body);
    view_stats(&j, &rows);
    return true;
}
