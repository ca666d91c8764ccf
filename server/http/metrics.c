#include "http/metrics.h"

#include "jobs/jobs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Statuses that the server gives; the last one stands for any other. */
static const int known[] = {200, 201, 202, 204, 304, 400, 403, 404, 405, 409, 413, 415, 421, 422, 500, 503, 507, 0};
enum { STATUSES = sizeof known / sizeof *known, MOST_ROUTES = 64 };
/* Upper bounds of the histogram, in microseconds. */
static const int64_t bounds[] = {1000, 5000, 25000, 100000, 500000, 2500000, 10000000};
enum { BOUNDS = sizeof bounds / sizeof *bounds };

struct metrics {
    atomic_ullong requests[MOST_ROUTES + 1][STATUSES]; /* by row of routes[]; the last one: no route */
    atomic_ullong buckets[BOUNDS + 1], micros;
    atomic_int connections;
};

struct metrics *metrics_new(void)
{
    struct metrics *m = calloc(1, sizeof *m);
    if (!m) {
        fprintf(stderr, "telltale: out of memory\n");
        abort();
    }
    return m;
}

void metrics_free(struct metrics *m) { free(m); }

void metrics_request(struct metrics *m, const struct route *route, int status, int64_t microseconds)
{
    size_t row = route && (size_t)(route - routes) < MOST_ROUTES ? (size_t)(route - routes) : MOST_ROUTES;
    int column = 0, bucket = 0;
    while (column < STATUSES - 1 && known[column] != status)
        column++;
    while (bucket < BOUNDS && microseconds > bounds[bucket])
        bucket++;
    atomic_fetch_add_explicit(&m->requests[row][column], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&m->buckets[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&m->micros, (unsigned long long)microseconds, memory_order_relaxed);
}

void metrics_connections(struct metrics *m, int change) { atomic_fetch_add_explicit(&m->connections, change, memory_order_relaxed); }

static void head(struct str *out, const char *name, const char *type, const char *help)
{
    str_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void write_requests(const struct metrics *m, struct str *out)
{
    head(out, "telltale_http_requests_total", "counter", "Requests answered, by route and status.");
    for (size_t row = 0; row <= MOST_ROUTES; row++)
        for (int column = 0; column < STATUSES; column++) {
            unsigned long long n = atomic_load_explicit(&m->requests[row][column], memory_order_relaxed);
            if (n)
                str_printf(out, "telltale_http_requests_total{method=\"%s\",route=\"%s\",status=\"%d\"} %llu\n",
                           row < MOST_ROUTES ? routes[row].method : "", row < MOST_ROUTES ? routes[row].path : "", known[column], n);
        }
    unsigned long long sum = 0;
    head(out, "telltale_http_request_duration_seconds", "histogram", "From a request's head to its answer.");
    for (int i = 0; i <= BOUNDS; i++) {
        sum += atomic_load_explicit(&m->buckets[i], memory_order_relaxed);
        if (i < BOUNDS)
            str_printf(out, "telltale_http_request_duration_seconds_bucket{le=\"%g\"} %llu\n", (double)bounds[i] / 1e6, sum);
        else
            str_printf(out, "telltale_http_request_duration_seconds_bucket{le=\"+Inf\"} %llu\n", sum);
    }
    str_printf(out, "telltale_http_request_duration_seconds_sum %.6f\ntelltale_http_request_duration_seconds_count %llu\n",
               (double)atomic_load_explicit(&m->micros, memory_order_relaxed) / 1e6, sum);
}

struct spool_sum {
    uint64_t bytes, files;
};
static void add_file(void *ctx, const char *id, uint64_t bytes)
{
    struct spool_sum *sum = ctx;
    (void)id;
    sum->bytes += bytes;
    sum->files++;
}

void metrics_write(const struct server *server, struct str *out)
{
    const struct metrics *m = server->metrics;
    struct jobs_counts jobs;
    struct spool_sum spool = {0};
    write_requests(m, out);
    head(out, "telltale_http_connections", "gauge", "Open connections.");
    str_printf(out, "telltale_http_connections %d\n", atomic_load_explicit(&m->connections, memory_order_relaxed));
    jobs_count(server->jobs, &jobs);
    head(out, "telltale_jobs_running", "gauge", "Jobs that run in this server.");
    str_printf(out, "telltale_jobs_running %" PRIu64 "\n", jobs.running);
    head(out, "telltale_jobs_ended_total", "counter", "Jobs that ended in this server, by state.");
    for (enum job_state state = JOB_DONE; state <= JOB_CANCELLED; state++)
        str_printf(out, "telltale_jobs_ended_total{state=\"%s\"} %" PRIu64 "\n", job_state_name(state), jobs.ended[state]);
    spool_each(&server->spool, add_file, &spool, NULL);
    head(out, "telltale_spool_bytes", "gauge", "Bytes of uploads that wait to be read.");
    str_printf(out, "telltale_spool_bytes %" PRIu64 "\n", spool.bytes);
    head(out, "telltale_spool_files", "gauge", "Uploads that wait to be read.");
    str_printf(out, "telltale_spool_files %" PRIu64 "\n", spool.files);
}
