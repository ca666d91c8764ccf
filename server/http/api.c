#include "http/api.h"

#include "http/params.h"
#include "text/secrets.h"

bool api_path_collection(struct request *r, struct collection_row *out, struct err *e)
{
    return store_collection(r->store, r->path[0], &r->arena, out, e);
}

bool api_collection_id(struct request *r, struct slice name, struct slice *out, struct err *e)
{
    struct collection_row row = {0};
    bool ok = !name.ptr || store_collection(r->store, name, &r->arena, &row, e);
    *out = row.id;
    return ok;
}

struct slice api_page_address(struct request *r)
{
    return arena_printf(&r->arena, "http%s://%.*s", r->client.secure ? "s" : "", SLICE_ARG(r->header[HEADER_HOST]));
}

struct page api_page(const struct request *r)
{
    return (struct page){.limit = (uint32_t)arg_int(&r->args, "limit", 0),
                         .after = arg_text(&r->args, "after"),
                         .sort = arg_text(&r->args, "sort"),
                         .count = arg_bool(&r->args, "count", false),
                         .offset = (uint64_t)arg_int(&r->args, "offset", 0)};
}

static bool param_in(const struct param *list, const struct param *param)
{
    while (list->name && list != param)
        list++;
    return list->name;
}

bool api_filter(const struct args *args, struct slice collection, struct filter *out, struct err *e)
{
    return api_filter_by(run_filter_params, args, collection, out, e);
}

bool api_filter_by(const struct param *list, const struct args *args, struct slice collection, struct filter *out, struct err *e)
{
    *out = FILTER_ANY;
    out->collection = collection;
    for (size_t i = 0; i < args->n; i++)
        if (param_in(list, args->items[i].param) && !filter_set(out, args->items[i].name, args->items[i].text, e))
            return false;
    return true;
}

bool api_body_filter(struct request *r, struct filter *out, struct err *e)
{
    const struct arg *ids = arg_find(&r->args, "ids");
    struct slice name = arg_text(&r->args, "collection");
    struct collection_row collection;
    if (ids) {
        if (name.ptr || arg_find(&r->args, "filter"))
            return err_set(e, ERR_USAGE, "give \"ids\", or \"collection\" with \"filter\", not both");
        *out = FILTER_ANY;
        out->ids = ids->items;
        out->nids = ids->n;
        return true;
    }
    if (!name.ptr || !arg_find(&r->args, "filter"))
        return err_set(e, ERR_USAGE, "give \"ids\", or \"collection\" with \"filter\" ({} for all)");
    if (!store_collection(r->store, name, &r->arena, &collection, e))
        return false;
    return api_filter(&r->filter, collection.id, out, e);
}

enum { NODES_MAX = 1 << 22 }; /* of a body: 300 MB of tree */

bool api_redact(struct request *r, struct slice *text, struct err *e)
{
    struct secrets *secrets = rulebook_secrets(r->server->rules);
    bool ok = redact_once(secrets, &r->arena, text, e);
    secrets_unref(secrets);
    return ok;
}

bool api_json(struct request *r, struct slice text, struct jvalue **out, struct err *e)
{
    const struct jlimits limits = {.depth = jlimits_default.depth, .nodes = NODES_MAX};
    if (!api_redact(r, &text, e))
        return false;
    if (jread(&r->arena, text, &limits, NULL, out, e))
        return true;
    if (e->code != ERR_FORMAT)
        return false;
    e->code = ERR_USAGE;
    return err_prefix(e, "the body is no JSON");
}

struct jsonw api_list(struct answer *a)
{
    struct jsonw j = jsonw_to(&a->body);
    jsonw_object(&j);
    jsonw_key(&j, "items");
    jsonw_array(&j);
    return j;
}

void api_list_end(struct jsonw *j, const struct page_end *end)
{
    jsonw_end(j);
    view_end(j, end);
    jsonw_end(j);
}
