#include "http/api.h"
#include "jobs/hooks.h"
#include "llm/address.h"
#include "view/webhooks.h"

bool api_webhooks(struct request *r, struct answer *a, struct err *e)
{
    struct webhook_rows rows;
    if (!store_webhooks(r->store, &r->arena, &rows, e))
        return false;
    const struct page_end end = {.total = (int64_t)rows.n};
    struct jsonw j = api_list(a);
    for (size_t i = 0; i < rows.n; i++)
        view_webhook(&j, &rows.items[i], SLICE_NONE);
    api_list_end(&j, &end);
    return true;
}

static bool events_of(const struct request *r, unsigned *out, struct err *e)
{
    const struct arg *list = arg_find(&r->args, "events");
    *out = 0;
    for (size_t i = 0; list && i < list->n; i++)
        if (!webhook_event_parse(list->items[i], out, e))
            return false;
    return true;
}

bool api_webhook_add(struct request *r, struct answer *a, struct err *e)
{
    struct webhook_row row, wish = {.url = arg_text(&r->args, "url"), .collection = arg_text(&r->args, "collection"), .page = arg_text(&r->args, "page")};
    struct slice secret;
    struct address page;
    if (wish.page.ptr && !address_parse(wish.page, &r->arena, &page, e))
        return err_prefix(e, "\"page\"");
    wish.page = wish.page.ptr ? page.base : api_page_address(r);
    if (!events_of(r, &wish.events, e) || !hooks_may_tell(r->server->hooks, wish.url, &r->arena, e) || !store_webhook_add(r->store, &wish, &r->arena, &row, &secret, e))
        return false;
    struct jsonw j = jsonw_to(&a->body);
    view_webhook(&j, &row, secret);
    return true;
}

bool api_webhook_change(struct request *r, struct answer *a, struct err *e)
{
    struct webhook_row row;
    unsigned events;
    if (!events_of(r, &events, e) ||
        !store_webhook_change(r->store, r->path[0], events, (int)arg_int(&r->args, "paused", -1), &r->arena, &row, e))
        return false;
    hooks_wake(r->server->hooks);
    struct jsonw j = jsonw_to(&a->body);
    view_webhook(&j, &row, SLICE_NONE);
    return true;
}

bool api_webhook_delete(struct request *r, struct answer *a, struct err *e)
{
    (void)a;
    return store_webhook_delete(r->store, r->path[0], e);
}

bool api_webhook_test(struct request *r, struct answer *a, struct err *e)
{
    struct delivery_row row;
    if (!store_delivery_test(r->store, r->path[0], &r->arena, &row, e))
        return false;
    hooks_wake(r->server->hooks);
    struct jsonw j = jsonw_to(&a->body);
    view_delivery(&j, &row);
    return true;
}

bool api_deliveries(struct request *r, struct answer *a, struct err *e)
{
    struct delivery_rows rows;
    if (!store_deliveries(r->store, r->path[0], &r->arena, &rows, e))
        return false;
    const struct page_end end = {.total = (int64_t)rows.n};
    struct jsonw j = api_list(a);
    for (size_t i = 0; i < rows.n; i++)
        view_delivery(&j, &rows.items[i]);
    api_list_end(&j, &end);
    return true;
}
