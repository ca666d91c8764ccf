/* Counters of the server, as Prometheus reads them. */
#ifndef HTTP_METRICS_H
#define HTTP_METRICS_H

#include "base/str.h"
#include "http/route.h"

struct metrics;

struct metrics *metrics_new(void);
void metrics_free(struct metrics *m);
/* A request was answered; `route` NULL: none matched. Any thread. */
void metrics_request(struct metrics *m, const struct route *route, int status, int64_t microseconds);
void metrics_connections(struct metrics *m, int change);
/* Prometheus text format 0.0.4. */
void metrics_write(const struct server *server, struct str *out);

#endif
