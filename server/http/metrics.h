/* Figures of the server, as Prometheus reads them. */
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

/* The one table of what is told. */
struct figures;
struct metric {
    const char *name, *type, *about; /* type: counter, gauge or histogram */
    void (*write)(const struct metric *metric, const struct figures *f, struct str *out);
};
extern const struct metric metric_rows[];
extern const size_t metric_count;
/* All of it, in Prometheus text format 0.0.4. What cannot be found out just now is left out. */
void metrics_write(const struct server *server, struct store *store, struct arena *a, struct str *out);

#endif
