#include "http/record.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "http/route.h"

#include <stdatomic.h>

struct slice request_id_new(struct arena *a)
{
    static _Atomic uint64_t last;
    uint64_t none = 0;
    atomic_compare_exchange_strong(&last, &none, (uint64_t)clock_now_us()); /* servers that start after one another count on from other numbers */
    struct random mix = {atomic_fetch_add(&last, 1)};
    return arena_printf(a, "%016llx", (unsigned long long)random_next(&mix));
}

bool request_id_is_good(struct slice id)
{
    for (size_t i = 0; i < id.len; i++) {
        char c = id.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && c != '.' && c != '_' && c != '-')
            return false;
    }
    return id.len && id.len <= 64;
}

static bool is_routine(const struct route *route)
{
    return route && (!route->summary || route->handle == api_health || route->handle == api_ready || route->handle == api_metrics);
}

void record_request(const struct request *r, const struct outcome *o)
{
    enum log_level level = is_routine(r->route) && o->status < 400 ? LOG_DEBUG : LOG_INFO;
    if (!log_is_on(level))
        return;
    struct log_field fields[] = {
        log_str("id", r->id),
        log_str("method", r->method),
        log_str("route", r->route ? slice_str(r->route->path) : SLICE_NONE),
        log_str("client", r->client.address),
        log_str("token", r->who.token.n ? r->who.name : SLICE_NONE), /* that a session of the page came of, too */
        log_ms("ms", o->took_us),
        log_str("cut", o->cut ? slice_str("true") : SLICE_NONE),
        log_num("status", o->status),
        log_num("bytes", (int64_t)o->bytes),
    };
    log_event(level, "request", fields, sizeof fields / sizeof *fields - (o->status ? 0 : 2));
}
