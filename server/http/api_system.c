#include "http/api.h"
#include "http/metrics.h"

#include <unistd.h>

static bool state(struct answer *a, const char *word)
{
    struct jsonw j = jsonw_to(&a->body);
    jsonw_object(&j);
    jsonw_kstrz(&j, "status", word);
    jsonw_end(&j);
    return true;
}

bool api_health(struct request *r, struct answer *a, struct err *e)
{
    (void)r;
    (void)e;
    return state(a, "ok");
}

bool api_ready(struct request *r, struct answer *a, struct err *e)
{
    const struct page page = {.limit = 1};
    struct collection_rows rows;
    if (atomic_load(&r->server->stopping))
        return err_set(e, ERR_BUSY, "the server stops");
    if (!store_collections(r->store, &page, &r->arena, &rows, e) ||
        (access(r->server->spool.dir, W_OK | X_OK) < 0 && !err_errno(e, "cannot write to %s", r->server->spool.dir))) {
        e->code = ERR_BUSY; /* whatever it is, it is no reason to give up on the server */
        return false;
    }
    return state(a, "ready");
}

bool api_metrics(struct request *r, struct answer *a, struct err *e)
{
    (void)e;
    a->type = r->route->type;
    metrics_write(r->server, &a->body);
    return true;
}

bool api_openapi(struct request *r, struct answer *a, struct err *e)
{
    (void)r;
    (void)e;
    openapi_write(&a->body);
    return true;
}
