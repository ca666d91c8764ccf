#include "http/api.h"
#include "storage/exceptions.h"

bool api_exceptions(struct request *r, struct answer *a, struct err *e)
{
    struct exception_rows rows;
    if (!store_exceptions(r->store, arg_text(&r->args, "collection"), arg_text(&r->args, "detector"), &r->arena, &rows, e))
        return false;
    const struct page_end end = {.total = (int64_t)rows.n};
    struct jsonw j = api_list(a);
    for (size_t i = 0; i < rows.n; i++)
        view_exception(&j, &rows.items[i]);
    api_list_end(&j, &end);
    return true;
}

static struct exception_row wish_of(const struct request *r)
{
    return (struct exception_row){
        .collection = arg_text(&r->args, "collection"),
        .detector = arg_text(&r->args, "detector"),
        .condition = arg_text(&r->args, "when"),
        .reviewer = arg_text(&r->args, "reviewer"),
        .note = arg_text(&r->args, "note"),
    };
}

bool api_exception_add(struct request *r, struct answer *a, struct err *e)
{
    const struct exception_row wish = wish_of(r);
    struct exception_row row;
    if (!store_exception_add(r->store, &wish, &r->arena, &row, e))
        return false;
    struct jsonw j = jsonw_to(&a->body);
    view_exception(&j, &row);
    return true;
}

bool api_exception_test(struct request *r, struct answer *a, struct err *e)
{
    const struct exception_row wish = wish_of(r);
    uint64_t findings;
    if (!store_exception_try(r->store, &wish, &findings, e))
        return false;
    struct jsonw j = jsonw_to(&a->body);
    jsonw_object(&j);
    jsonw_kint(&j, "findings", (int64_t)findings);
    jsonw_end(&j);
    return true;
}

bool api_exception_delete(struct request *r, struct answer *a, struct err *e)
{
    uint64_t reopened;
    if (!store_exception_delete(r->store, r->path[0], &reopened, e))
        return false;
    struct jsonw j = jsonw_to(&a->body);
    jsonw_object(&j);
    jsonw_kint(&j, "reopened", (int64_t)reopened);
    jsonw_end(&j);
    return true;
}
