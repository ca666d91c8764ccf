#include "view/webhooks.h"

#include "view/view.h"

void view_webhook(struct jsonw *j, const struct webhook_row *row, struct slice secret)
{
    jsonw_object(j);
    jsonw_kstr(j, "id", row->id);
    jsonw_kstr(j, "url", row->url);
    jsonw_kstr(j, "page", row->page);
    jsonw_key(j, "events");
    jsonw_array(j);
    for (int i = 0; i < WEBHOOK_EVENTS; i++)
        if (row->events & 1u << i)
            jsonw_strz(j, webhook_event_names[i]);
    jsonw_end(j);
    jsonw_key(j, "collection");
    if (row->collection.ptr) {
        jsonw_object(j);
        jsonw_kstr(j, "id", row->collection);
        jsonw_kstr(j, "name", row->collection_name);
        jsonw_end(j);
    } else {
        jsonw_null(j);
    }
    jsonw_kbool(j, "paused", row->paused);
    jsonw_kstr(j, "created_at", row->created_at);
    jsonw_kint(j, "waiting", row->waiting);
    jsonw_kint(j, "delivered", row->delivered);
    jsonw_kint(j, "failed", row->failed);
    jsonw_kstr(j, "last_at", row->last_at);
    view_count(j, "last_status", row->last_status);
    jsonw_kstr(j, "last_error", row->last_error);
    if (secret.ptr)
        jsonw_kstr(j, "secret", secret);
    jsonw_end(j);
}

void view_delivery(struct jsonw *j, const struct delivery_row *row)
{
    jsonw_object(j);
    jsonw_kstr(j, "id", row->id);
    jsonw_kstr(j, "event", row->event);
    jsonw_kstrz(j, "state", delivery_state_name(row->state));
    jsonw_kint(j, "attempts", row->attempts);
    view_count(j, "status", row->status);
    jsonw_kstr(j, "error", row->error);
    jsonw_kstr(j, "created_at", row->created_at);
    view_time(j, "next_at", row->state == DELIVERY_WAITING ? row->next : 0);
    jsonw_kstr(j, "ended_at", row->ended_at);
    jsonw_kraw(j, "payload", row->payload);
    jsonw_end(j);
}
