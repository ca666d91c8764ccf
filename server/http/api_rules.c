/* Rules of one's own: kept in the database in all their versions, used by every import and scan. */
#include "http/api.h"
#include "ingest/ownrules.h"

static void view_rows(struct answer *a, const struct own_rule_rows *rows)
{
    const struct page_end end = {.total = (int64_t)rows->n};
    struct jsonw j = api_list(a);
    for (size_t i = 0; i < rows->n; i++)
        view_own_rule(&j, &rows->items[i]);
    api_list_end(&j, &end);
}

bool api_own_rules(struct request *r, struct answer *a, struct err *e)
{
    struct own_rule_rows rows;
    if (!store_own_rules(r->store, &r->arena, &rows, NULL, e))
        return false;
    view_rows(a, &rows);
    return true;
}

bool api_own_rule_versions(struct request *r, struct answer *a, struct err *e)
{
    struct own_rule_rows rows;
    if (!store_own_rule_versions(r->store, r->path[0], &r->arena, &rows, e))
        return false;
    view_rows(a, &rows);
    return true;
}

bool api_own_rule_put(struct request *r, struct answer *a, struct err *e)
{
    struct own_rule_row row = {.text = arg_text(&r->args, "text"), .author = arg_text(&r->args, "author"), .note = arg_text(&r->args, "note")}, out;
    if (!own_rule_check(row.text, r->path[0], &r->arena, &row.id, e) || !store_own_rule_put(r->store, &row, &r->arena, &out, e))
        return false;
    struct jsonw j = jsonw_to(&a->body);
    view_own_rule(&j, &out);
    return true;
}

bool api_own_rule_delete(struct request *r, struct answer *a, struct err *e)
{
    (void)a;
    return store_own_rule_remove(r->store, r->path[0], SLICE_NONE, e);
}

bool api_rule_schema(struct request *r, struct answer *a, struct err *e)
{
    (void)r;
    (void)e;
    str_add_slice(&a->body, rule_schema());
    return true;
}
