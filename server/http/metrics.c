#include "http/metrics.h"

#include "base/process.h"
#include "base/version.h"
#include "jobs/jobs.h"
#include "llm/llm.h"
#include "storage/care.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

/* Statuses that the server gives; the last one stands for any other. */
static const int known[] = {200, 201, 202, 204, 304, 400, 401, 403, 404, 405, 406, 409, 413, 415, 421, 422, 429, 500, 502, 503, 507, 0};
enum { STATUSES = sizeof known / sizeof *known };

struct route_figures {
    atomic_ullong statuses[STATUSES];
    struct histogram took;
};
struct metrics {
    struct route_figures *routes; /* by row of routes[], and behind them what no route took */
    atomic_int connections;
};

struct metrics *metrics_new(void)
{
    struct metrics *m = calloc(1, sizeof *m);
    if (m)
        m->routes = calloc(route_count + 1, sizeof *m->routes);
    if (!m || !m->routes) {
        fprintf(stderr, "telltale: out of memory\n");
        abort();
    }
    return m;
}

void metrics_free(struct metrics *m)
{
    if (m)
        free(m->routes);
    free(m);
}

void metrics_request(struct metrics *m, const struct route *route, int status, int64_t microseconds)
{
    struct route_figures *f = &m->routes[route ? (size_t)(route - routes) : route_count];
    int column = 0;
    while (column < STATUSES - 1 && known[column] != status)
        column++;
    atomic_fetch_add_explicit(&f->statuses[column], 1, memory_order_relaxed);
    histogram_add(&f->took, microseconds);
}

void metrics_connections(struct metrics *m, int change) { atomic_fetch_add_explicit(&m->connections, change, memory_order_relaxed); }

/* ---- what is told ------------------------------------------------------------------------------------------------------- */

struct sum { uint64_t bytes, files; };
struct figures {
    const struct server *server;
    const struct metrics *m;
    const struct job_figures *jobs;
    bool has_sizes;
    struct store_sizes sizes;
    struct queue_rows queue;
    struct sum spool;
    int64_t log_bytes, disk_free; /* -1: not known */
    struct process_use process;
};

static void add_file(void *ctx, const char *id, uint64_t bytes)
{
    struct sum *sum = ctx;
    (void)id;
    sum->bytes += bytes;
    sum->files++;
}

static void find_out(const struct server *server, struct store *store, struct arena *a, struct figures *f)
{
    struct stat st;
    struct statvfs disk;
    *f = (struct figures){.server = server, .m = server->metrics, .jobs = jobs_figures(server->jobs), .log_bytes = -1, .disk_free = -1};
    f->has_sizes = store_sizes(store, &f->sizes, NULL);
    store_queue(store, a, &f->queue, NULL);
    spool_each(&server->spool, add_file, &f->spool, NULL);
    if (stat(arena_printf(a, "%s-wal", store_path(store)).ptr, &st) == 0)
        f->log_bytes = (int64_t)st.st_size;
    if (statvfs(server->spool.dir, &disk) == 0)
        f->disk_free = (int64_t)(disk.f_bavail * disk.f_frsize);
    process_use(&f->process);
}

static void value(const struct metric *metric, int64_t n, struct str *out)
{
    if (n >= 0)
        str_printf(out, "%s %" PRId64 "\n", metric->name, n);
}

static void label_route(size_t row, char *out, size_t size)
{
    snprintf(out, size, "method=\"%s\",route=\"%s\"", row < route_count ? routes[row].method : "", row < route_count ? routes[row].path : "");
}

static void write_requests(const struct metric *metric, const struct figures *f, struct str *out)
{
    char labels[300];
    for (size_t row = 0; row <= route_count; row++)
        for (int column = 0; column < STATUSES; column++) {
            unsigned long long n = atomic_load_explicit(&f->m->routes[row].statuses[column], memory_order_relaxed);
            label_route(row, labels, sizeof labels);
            if (n)
                str_printf(out, "%s{%s,status=\"%d\"} %llu\n", metric->name, labels, known[column], n);
        }
}

static void write_request_times(const struct metric *metric, const struct figures *f, struct str *out)
{
    char labels[300];
    for (size_t row = 0; row <= route_count; row++) {
        label_route(row, labels, sizeof labels);
        if (histogram_count(&f->m->routes[row].took))
            histogram_write(out, metric->name, labels, &f->m->routes[row].took);
    }
}

static void write_connections(const struct metric *metric, const struct figures *f, struct str *out)
{
    value(metric, atomic_load_explicit(&f->m->connections, memory_order_relaxed), out);
}

static void write_jobs_running(const struct metric *metric, const struct figures *f, struct str *out)
{
    for (size_t i = 0; i < job_kind_count; i++)
        str_printf(out, "%s{kind=\"%s\"} %lld\n", metric->name, job_kinds[i].name, (long long)atomic_load(&f->jobs[i].running));
}

static void write_jobs_ended(const struct metric *metric, const struct figures *f, struct str *out)
{
    for (size_t i = 0; i < job_kind_count; i++)
        for (enum job_state state = JOB_DONE; state <= JOB_CANCELLED; state++)
            str_printf(out, "%s{kind=\"%s\",state=\"%s\"} %llu\n", metric->name, job_kinds[i].name, job_state_name(state),
                       (unsigned long long)atomic_load(&f->jobs[i].ended[state]));
}

static void write_job_times(const struct metric *metric, const struct figures *f, struct str *out)
{
    char labels[100];
    for (size_t i = 0; i < job_kind_count; i++) {
        snprintf(labels, sizeof labels, "kind=\"%s\"", job_kinds[i].name);
        histogram_write(out, metric->name, labels, &f->jobs[i].took);
    }
}

static const struct queue_row *queue_of(const struct figures *f, const char *kind)
{
    for (size_t i = 0; i < f->queue.n; i++)
        if (slice_is(f->queue.items[i].kind, kind))
            return &f->queue.items[i];
    return NULL;
}

static void write_jobs_queued(const struct metric *metric, const struct figures *f, struct str *out)
{
    for (size_t i = 0; i < job_kind_count; i++) {
        const struct queue_row *row = queue_of(f, job_kinds[i].name);
        str_printf(out, "%s{kind=\"%s\"} %" PRId64 "\n", metric->name, job_kinds[i].name, row ? row->queued : 0);
    }
}

static void write_jobs_oldest(const struct metric *metric, const struct figures *f, struct str *out)
{
    for (size_t i = 0; i < job_kind_count; i++) {
        const struct queue_row *row = queue_of(f, job_kinds[i].name);
        str_printf(out, "%s{kind=\"%s\"} %.3f\n", metric->name, job_kinds[i].name, row ? (double)row->oldest_us / 1e6 : 0.0);
    }
}

static void write_model_calls(const struct metric *metric, const struct figures *f, struct str *out)
{
    (void)f;
    for (int outcome = 0; outcome < LLM_OUTCOMES; outcome++)
        str_printf(out, "%s{outcome=\"%s\"} %" PRIu64 "\n", metric->name, llm_outcome_name((enum llm_outcome)outcome),
                   llm_ended((enum llm_outcome)outcome));
}

static void write_spool_bytes(const struct metric *metric, const struct figures *f, struct str *out) { value(metric, (int64_t)f->spool.bytes, out); }
static void write_spool_files(const struct metric *metric, const struct figures *f, struct str *out) { value(metric, (int64_t)f->spool.files, out); }
static void write_database(const struct metric *metric, const struct figures *f, struct str *out) { value(metric, f->has_sizes ? f->sizes.bytes : -1, out); }
static void write_database_free(const struct metric *metric, const struct figures *f, struct str *out)
{
    value(metric, f->has_sizes ? f->sizes.free_bytes : -1, out);
}
static void write_log(const struct metric *metric, const struct figures *f, struct str *out) { value(metric, f->log_bytes, out); }
static void write_disk(const struct metric *metric, const struct figures *f, struct str *out) { value(metric, f->disk_free, out); }
static void write_collections(const struct metric *metric, const struct figures *f, struct str *out)
{
    value(metric, f->has_sizes ? f->sizes.collections : -1, out);
}
static void write_runs(const struct metric *metric, const struct figures *f, struct str *out) { value(metric, f->has_sizes ? f->sizes.runs : -1, out); }
static void write_resident(const struct metric *metric, const struct figures *f, struct str *out) { value(metric, f->process.resident_bytes, out); }
static void write_open_files(const struct metric *metric, const struct figures *f, struct str *out) { value(metric, f->process.open_files, out); }
static void write_most_files(const struct metric *metric, const struct figures *f, struct str *out) { value(metric, f->process.most_files, out); }

static void write_processor(const struct metric *metric, const struct figures *f, struct str *out)
{
    str_printf(out, "%s %.6f\n", metric->name, f->process.cpu_seconds);
}

static void write_started(const struct metric *metric, const struct figures *f, struct str *out)
{
    (void)f;
    str_printf(out, "%s %.3f\n", metric->name, process_started());
}

static void write_build(const struct metric *metric, const struct figures *f, struct str *out)
{
    (void)f;
    str_printf(out, "%s{version=\"%s\"} 1\n", metric->name, TELLTALE_VERSION);
}

const struct metric metric_rows[] = {
    {"telltale_build_info", "gauge", "The program's version; always 1.", write_build},
    {"telltale_http_requests_total", "counter", "Requests answered, by route and status; those refused for their rate have status 429.", write_requests},
    {"telltale_http_request_duration_seconds", "histogram", "From a request's head to its answer, by route.", write_request_times},
    {"telltale_http_connections", "gauge", "Open connections.", write_connections},
    {"telltale_jobs_queued", "gauge", "Jobs that wait, by kind.", write_jobs_queued},
    {"telltale_jobs_oldest_queued_seconds", "gauge", "For how long the oldest job that could begin has waited, by kind; 0: none waits.", write_jobs_oldest},
    {"telltale_jobs_running", "gauge", "Jobs that run in this server, by kind.", write_jobs_running},
    {"telltale_jobs_ended_total", "counter", "Jobs that ended in this server, by kind and state.", write_jobs_ended},
    {"telltale_job_duration_seconds", "histogram", "How long jobs took that ended in this server, by kind.", write_job_times},
    {"telltale_model_calls_total", "counter", "Questions put to language models, by how they ended.", write_model_calls},
    {"telltale_spool_bytes", "gauge", "Bytes of uploads that wait to be read.", write_spool_bytes},
    {"telltale_spool_files", "gauge", "Uploads that wait to be read.", write_spool_files},
    {"telltale_database_bytes", "gauge", "Size of the database's file.", write_database},
    {"telltale_database_free_bytes", "gauge", "Of it, room that deleting left and new runs will use.", write_database_free},
    {"telltale_database_log_bytes", "gauge", "Size of the database's write-ahead log.", write_log},
    {"telltale_disk_free_bytes", "gauge", "Room left on the disk of the database.", write_disk},
    {"telltale_collections", "gauge", "Collections.", write_collections},
    {"telltale_runs", "gauge", "Runs of all collections.", write_runs},
    {"process_cpu_seconds_total", "counter", "Processor time.", write_processor},
    {"process_resident_memory_bytes", "gauge", "Memory in use.", write_resident},
    {"process_open_fds", "gauge", "Open files and connections.", write_open_files},
    {"process_max_fds", "gauge", "How many may be open.", write_most_files},
    {"process_start_time_seconds", "gauge", "When the server was started, seconds since 1970.", write_started},
};
const size_t metric_count = sizeof metric_rows / sizeof *metric_rows;

void metrics_write(const struct server *server, struct store *store, struct arena *a, struct str *out)
{
    struct figures f;
    find_out(server, store, a, &f);
    for (size_t i = 0; i < metric_count; i++) {
        const struct metric *metric = &metric_rows[i];
        str_printf(out, "# HELP %s %s\n# TYPE %s %s\n", metric->name, metric->about, metric->name, metric->type);
        metric->write(metric, &f, out);
    }
}
