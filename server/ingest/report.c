#include "ingest/ingest.h"

static void findings_json(struct json *j, const uint64_t by_kind[KIND_COUNT])
{
    uint64_t total = 0;
    for (int k = 0; k < KIND_COUNT; k++)
        total += by_kind[k];
    json_key(j, "findings");
    json_object(j);
    json_kint(j, "total", (int64_t)total);
    json_key(j, "by_kind");
    json_object(j);
    for (int k = 0; k < KIND_COUNT; k++)
        json_kint(j, kind_name((enum kind)k), (int64_t)by_kind[k]);
    json_end(j);
    json_end(j);
}

void ingest_report_json(struct json *j, const struct collection_row *collection, const struct ingest_report *r)
{
    json_object(j);
    json_key(j, "collection");
    if (collection) {
        json_object(j);
        json_kstr(j, "id", collection->id);
        json_kstr(j, "name", collection->name);
        json_end(j);
    } else {
        json_null(j);
    }
    json_key(j, "files");
    json_object(j);
    json_kint(j, "read", (int64_t)r->files_read);
    json_kint(j, "skipped", (int64_t)r->files_skipped);
    json_kint(j, "failed", (int64_t)r->files_failed);
    json_end(j);
    json_key(j, "runs");
    json_object(j);
    json_kint(j, "new", (int64_t)r->runs[PUT_NEW]);
    json_kint(j, "updated", (int64_t)r->runs[PUT_UPDATED]);
    json_kint(j, "duplicate", (int64_t)r->runs[PUT_DUPLICATE]);
    json_kint(j, "rejected", (int64_t)r->rejected);
    json_end(j);
    json_kint(j, "messages", (int64_t)r->messages);
    json_kint(j, "bytes", (int64_t)r->bytes);
    json_knum(j, "seconds", r->seconds);
    json_key(j, "formats");
    json_object(j);
    for (size_t i = 0; i < format_count; i++)
        if (r->format_runs[i])
            json_kint(j, formats[i]->name, (int64_t)r->format_runs[i]);
    json_end(j);
    json_key(j, "repairs");
    json_object(j);
    for (int i = 0; i < JREPAIR_COUNT; i++)
        if (r->repairs.count[i])
            json_kint(j, jrepair_names[i], (int64_t)r->repairs.count[i]);
    json_end(j);
    findings_json(j, r->findings);
    json_key(j, "errors");
    json_array(j);
    for (size_t i = 0; i < r->nerrors; i++) {
        json_object(j);
        json_kstr(j, "source", r->errors[i].source);
        json_kstr(j, "location", r->errors[i].location);
        json_kstrz(j, "code", err_name(r->errors[i].code));
        json_kstr(j, "message", r->errors[i].message);
        json_end(j);
    }
    json_end(j);
    if (r->errors_more)
        json_kint(j, "errors_not_listed", (int64_t)r->errors_more);
    json_end(j);
}

void scan_report_json(struct json *j, const struct scan_report *r)
{
    json_object(j);
    json_kint(j, "runs", (int64_t)r->runs);
    json_kint(j, "runs_total", (int64_t)r->runs_total);
    json_kint(j, "tasks", (int64_t)r->tasks);
    json_kint(j, "changed", (int64_t)r->changed);
    json_kint(j, "incomplete", (int64_t)r->incomplete);
    json_knum(j, "seconds", r->seconds);
    findings_json(j, r->findings);
    json_end(j);
}
