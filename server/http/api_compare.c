#include "http/api.h"

#include "view/compare.h"

static bool wish_of(struct request *r, struct compare_wish *out, struct err *e)
{
    struct collection_row collection;
    *out = (struct compare_wish){.by = arg_text(&r->args, "by"), .a = arg_text(&r->args, "a"), .b = arg_text(&r->args, "b")};
    return api_path_collection(r, &collection, e) && api_filter(&r->args, collection.id, &out->filter, e);
}

bool api_compare(struct request *r, struct answer *a, struct err *e)
{
    struct compare_wish wish;
    struct jsonw j = jsonw_to(&a->body);
    return wish_of(r, &wish, e) && view_compare(&j, r->store, &wish, &r->arena, e);
}

bool api_contrast(struct request *r, struct answer *a, struct err *e)
{
    struct compare_wish wish;
    struct jsonw j = jsonw_to(&a->body);
    return wish_of(r, &wish, e) && view_contrast(&j, r->store, &wish, &r->server->stopping, &r->arena, e);
}
