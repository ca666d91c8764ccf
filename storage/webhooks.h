/* Webhooks: whom to tell of what, and what is still to be told. What a job's end tells is written in the transaction that ends it. */
#ifndef STORAGE_WEBHOOKS_H
#define STORAGE_WEBHOOKS_H

#include "storage/store.h"

enum { WEBHOOK_EVENTS = 4, WEBHOOK_ALL = (1 << WEBHOOK_EVENTS) - 1, WEBHOOKS_MOST = 100 };
/* "import.done", "findings.new", "judge.done", "job.failed", by the place of their bit. */
extern const char *const webhook_event_names[WEBHOOK_EVENTS];
/* ERR_USAGE: there is no such event. */
bool webhook_event_parse(struct slice name, unsigned *bits, struct err *e);

struct webhook_row {
    int64_t n;
    struct slice id, url, page;
    unsigned events;
    struct slice collection, collection_name; /* id and name; absent: all */
    bool paused;
    struct slice created_at;
    int64_t waiting, delivered, failed;       /* deliveries */
    struct slice last_at;                     /* the last attempt that ended: when, with what */
    int64_t last_status;                      /* -1: none */
    struct slice last_error;
};
struct webhook_rows { struct webhook_row *items; size_t n; };

/* Of `wish` count url (http or https), page (no slash at its end: paths are put behind it), events (0: all) and collection (an id or a
 * name). `secret`: "whsec_…" as Standard Webhooks has it, for whoever is to check signatures. ERR_USAGE, ERR_NOT_FOUND; ERR_LIMIT: there
 * are WEBHOOKS_MOST. */
bool store_webhook_add(struct store *s, const struct webhook_row *wish, struct arena *a, struct webhook_row *out, struct slice *secret,
                       struct err *e);
/* All, the newest first. */
bool store_webhooks(struct store *s, struct arena *a, struct webhook_rows *out, struct err *e);
/* `events` 0 and `paused` -1 change nothing. What waited when it was paused is told when it no longer is, within a week; what
 * happens in between is not. */
bool store_webhook_change(struct store *s, struct slice id, unsigned events, int paused, struct arena *a, struct webhook_row *out, struct err *e);
bool store_webhook_delete(struct store *s, struct slice id, struct err *e);

enum delivery_state { DELIVERY_WAITING, DELIVERY_DELIVERED, DELIVERY_FAILED };
const char *delivery_state_name(enum delivery_state state);
enum { DELIVERY_ATTEMPTS = 8, DELIVERIES_SHOWN = 100 };
#define DELIVERY_KEEP_US INT64_C(604800000000) /* what waited so long is given up, what ended so long ago goes */
struct delivery_row {
    int64_t n;
    struct slice id, event, payload;
    enum delivery_state state;
    int64_t attempts, status /* -1: none */, next /* microseconds since 1970 */;
    struct slice error, created_at, ended_at;
    struct slice webhook, url;
    unsigned char secret[32];
};
struct delivery_rows { struct delivery_row *items; size_t n; };

/* The newest DELIVERIES_SHOWN of a webhook. Without url and secret. */
bool store_deliveries(struct store *s, struct slice webhook, struct arena *a, struct delivery_rows *out, struct err *e);
/* One of event "test", to be told at once. */
bool store_delivery_test(struct store *s, struct slice webhook, struct arena *a, struct delivery_row *out, struct err *e);
/* Takes the one whose time came first: the attempt counts, and nobody else takes it for `lease_us`. None of the webhooks whose ids are in `busy`,
 * with blanks between; may be absent. *got false: there is none. */
bool store_delivery_claim(struct store *s, struct slice busy, int64_t lease_us, struct arena *a, struct delivery_row *out, bool *got, struct err *e);
/* An attempt ended: with an answer of `status` (0: none came), or with `error`. What did not arrive is tried again after 5 s, 5 min, 30 min,
 * and 2, 5, 8 and 12 h, or given up when that is over or `gone`. What ended a week ago goes. */
bool store_delivery_end(struct store *s, const struct delivery_row *row, int status, struct slice error, bool gone, struct err *e);

/* ---- for jobs.c, in its transactions; the first in that which ends job n ------------------------------------------------------------------- */

/* Before the job goes back to the queue, if it does. */
bool webhooks_tell(struct store *s, int64_t job, struct err *e);
/* The clock was set back: nothing waits longer than the longest pause between two tries. */
bool webhooks_rewind(struct store *s, struct err *e);

#endif
