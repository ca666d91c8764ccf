#include "ingest/ingest.h"

static void findings_json(struct jsonw *j, const uint64_t by_kind[KIND_COUNT])
{
    uint64_t total = 0;
    for (int k = 0; k < KIND_COUNT; k++)
        total += by_kind[k];
    jsonw_key(j, "findings");
    jsonw_object(j);
    jsonw_kint(j, "total", (int64_t)total);
    jsonw_key(j, "by_kind");
    jsonw_object(j);
    for (int k = 0; k < KIND_COUNT; k++)
        jsonw_kint(j, kind_name((enum kind)k), (int64_t)by_kind[k]);
    jsonw_end(j);
    jsonw_end(j);
}

void ingest_report_json(struct jsonw *j, const struct collection_row *collection, const struct ingest_report *r)
{
    jsonw_object(j);
    jsonw_key(j, "collection");
    if (collection) {
        jsonw_object(j);
        jsonw_kstr(j, "id", collection->id);
        jsonw_kstr(j, "name", collection->name);
        jsonw_end(j);
    } else {
        jsonw_null(j);
    }
    jsonw_key(j, "files");
    jsonw_object(j);
    jsonw_kint(j, "read", (int64_t)r->files_read);
    jsonw_kint(j, "skipped", (int64_t)r->files_skipped);
    jsonw_kint(j, "failed", (int64_t)r->files_failed);
    jsonw_end(j);
    jsonw_key(j, "runs");
    jsonw_object(j);
    jsonw_kint(j, "new", (int64_t)r->runs[PUT_NEW]);
    jsonw_kint(j, "updated", (int64_t)r->runs[PUT_UPDATED]);
    jsonw_kint(j, "duplicate", (int64_t)r->runs[PUT_DUPLICATE]);
    jsonw_kint(j, "rejected", (int64_t)r->rejected);
    jsonw_end(j);
    jsonw_kint(j, "messages", (int64_t)r->messages);
    jsonw_kint(j, "bytes", (int64_t)r->bytes);
    jsonw_knum(j, "seconds", r->seconds);
    jsonw_key(j, "formats");
    jsonw_object(j);
    for (size_t i = 0; i < format_count; i++)
        if (r->format_runs[i])
            jsonw_kint(j, formats[i]->name, (int64_t)r->format_runs[i]);
    jsonw_end(j);
    if (r->fields) {
        jsonw_key(j, "fields");
        jsonw_object(j);
        for (size_t i = 0; i < format_count; i++)
            if (r->fields[i].top) {
                jsonw_key(j, formats[i]->name);
                fields_json(j, &r->fields[i]);
            }
        jsonw_end(j);
    }
    jsonw_key(j, "repairs");
    jsonw_object(j);
    for (int i = 0; i < JREPAIR_COUNT; i++)
        if (r->repairs.count[i])
            jsonw_kint(j, jrepair_names[i], (int64_t)r->repairs.count[i]);
    jsonw_end(j);
    findings_json(j, r->findings);
    jsonw_kint(j, "incomplete", (int64_t)r->incomplete);
    jsonw_kint(j, "redacted", (int64_t)r->redacted);
    jsonw_key(j, "errors");
    jsonw_array(j);
    for (size_t i = 0; i < r->nerrors; i++) {
        jsonw_object(j);
        jsonw_kstr(j, "source", r->errors[i].source);
        jsonw_kstr(j, "location", r->errors[i].location);
        jsonw_kstrz(j, "code", err_name(r->errors[i].code));
        jsonw_kstr(j, "message", r->errors[i].message);
        jsonw_end(j);
    }
    jsonw_end(j);
    if (r->errors_more)
        jsonw_kint(j, "errors_not_listed", (int64_t)r->errors_more);
    jsonw_end(j);
}

void scan_report_json(struct jsonw *j, const struct scan_report *r)
{
    jsonw_object(j);
    jsonw_kint(j, "runs", (int64_t)r->runs);
    jsonw_kint(j, "runs_total", (int64_t)r->runs_total);
    jsonw_kint(j, "tasks", (int64_t)r->tasks);
    jsonw_kint(j, "changed", (int64_t)r->changed);
    jsonw_kint(j, "incomplete", (int64_t)r->incomplete);
    jsonw_knum(j, "seconds", r->seconds);
    findings_json(j, r->findings);
    jsonw_end(j);
}
