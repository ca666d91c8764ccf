#include "http/api.h"

#include "base/clock.h"
#include "http/access.h"
#include "ingest/fmt_csv.h"
#include "ingest/ownrules.h"
#include "jobs/jobs.h"
#include "text/jread.h"

bool api_ended(enum job_state state)
{
    switch (state) {
    case JOB_QUEUED:
    case JOB_RUNNING:
        return false;
    case JOB_DONE:
    case JOB_FAILED:
    case JOB_CANCELLED:
        return true;
    }
    return true;
}

bool api_look(struct request *r, struct answer *a, int64_t wait_s, struct job_row *out, bool *later, struct err *e)
{
    int64_t now = clock_monotonic_us();
    if (!r->wait_until)
        r->wait_until = now + wait_s * 1000000;
    if (!store_job(r->store, r->job, &r->arena, out, e) || !access_job(r, out, e))
        return false;
    *later = a->park = !api_ended(out->state) && now < r->wait_until;
    return true;
}

/* ---- uploads ---------------------------------------------------------------------------------------------------------- */

static void view_upload(struct jsonw *j, const struct job_row *row, struct arena *a)
{
    struct jvalue *payload = NULL;
    jread(a, row->payload, NULL, NULL, &payload, NULL);
    jsonw_object(j);
    jsonw_kstr(j, "id", row->id);
    jsonw_kstrz(j, "state", job_state_name(row->state));
    jsonw_kstr(j, "job", row->id);
    jsonw_kstr(j, "collection", row->collection);
    jsonw_kstr(j, "filename", jstr(jget(payload, "filename")));
    jsonw_kraw(j, "progress", row->progress);
    jsonw_kraw(j, "result", row->result);
    jsonw_kstr(j, "error", row->error);
    jsonw_end(j);
}

static bool answer_upload(struct request *r, struct answer *a, int pending, struct err *e)
{
    struct job_row row;
    bool later;
    if (!api_look(r, a, arg_int(&r->args, "wait", 0), &row, &later, e))
        return false;
    if (later)
        return true;
    if (!slice_is(row.kind, "import"))
        return err_set(e, ERR_NOT_FOUND, "there is no upload %.*s", SLICE_ARG(r->job));
    a->status = api_ended(row.state) ? 200 : pending;
    struct jsonw j = jsonw_to(&a->body);
    view_upload(&j, &row, &r->arena);
    return true;
}

/* An upload under a key that was seen is the same upload only if it has the same bytes. */
static bool same_body(struct arena *a, const struct job_row *before, const char *hash, struct err *e)
{
    struct jvalue *payload = NULL;
    jread(a, before->payload, NULL, NULL, &payload, NULL);
    struct slice was = jstr(jget(payload, "hash"));
    return !was.ptr || slice_is(was, hash) ||
           err_set(e, ERR_REUSED, "this Idempotency-Key came with another body before (upload %.*s); use a new key", SLICE_ARG(before->id));
}

bool api_take_upload(struct request *r, struct slice collection, struct import_wish *wish, struct err *e)
{
    char hash[2 * HASH_SIZE + 1];
    if (!r->upload.bytes)
        return err_set(e, ERR_USAGE, "the body is empty: send the file's bytes, as curl --data-binary @FILE does");
    if (!upload_sync(&r->server->spool, &r->upload, e))
        return false;
    upload_hash(&r->upload, hash);
    wish->hash = hash;
    wish->bytes = r->upload.bytes;
    wish->runs_only = !access_everywhere(r);
    wish->unreviewed = !(r->who.scopes & MAY_REVIEW);
    const struct job_row job = {
        .id = slice_str(r->upload.id),
        .kind = slice_str("import"),
        .collection = collection,
        .payload = job_import_payload(&r->arena, wish),
    };
    struct slice key = r->header[HEADER_IDEMPOTENCY_KEY];
    struct job_row out;
    bool existing = false;
    if (!store_job_add(r->store, &job, key.len ? key : SLICE_NONE, &r->arena, &out, &existing, e))
        return false;
    if (existing && !same_body(&r->arena, &out, hash, e))
        return false;
    r->upload.kept = !existing;
    r->job = out.id;
    jobs_wake(r->server->jobs);
    return true;
}

static bool add_upload(struct request *r, struct err *e)
{
    struct collection_row collection;
    struct import_wish wish = {
        .filename = arg_text(&r->args, "filename").ptr ? arg_text(&r->args, "filename") : slice_str("upload"),
        .format = arg_text(&r->args, "format"),
        .map = arg_text(&r->args, "map"),
        .replace = arg_bool(&r->args, "replace", false),
    };
    if (!api_path_collection(r, &collection, e) || !api_redact(r, &wish.filename, e))
        return false;
    if (wish.format.ptr && !format_find(wish.format))
        return err_set(e, ERR_USAGE, "there is no format \"%.*s\"; `telltale formats` lists them", SLICE_ARG(wish.format));
    if (wish.map.ptr && !csv_check_map(wish.map, e))
        return false;
    return api_take_upload(r, collection.id, &wish, e);
}

bool api_upload_add(struct request *r, struct answer *a, struct err *e)
{
    return (r->job.ptr || add_upload(r, e)) && answer_upload(r, a, 202, e);
}

bool api_upload(struct request *r, struct answer *a, struct err *e)
{
    r->job = r->path[0];
    return answer_upload(r, a, 200, e);
}

/* So that a client need not send again what is there already. */
bool api_file(struct request *r, struct answer *a, struct err *e)
{
    struct collection_row collection;
    unsigned char hash[HASH_SIZE];
    struct file_row row;
    bool known;
    if (!api_path_collection(r, &collection, e))
        return false;
    if (!hash_unhex(r->path[1], hash, HASH_SIZE))
        return err_set(e, ERR_USAGE, "a file is named by %d hexadecimal digits", 2 * HASH_SIZE);
    if (!store_file_known(r->store, collection.id, hash, &r->arena, &known, &row, e))
        return false;
    if (!known)
        return err_set(e, ERR_NOT_FOUND, "no file of these bytes was imported");
    struct jsonw j = jsonw_to(&a->body);
    jsonw_object(&j);
    jsonw_kstr(&j, "name", row.name);
    jsonw_kstr(&j, "format", row.format);
    jsonw_kint(&j, "bytes", (int64_t)row.bytes);
    jsonw_kint(&j, "runs", (int64_t)row.runs);
    jsonw_kint(&j, "refused", (int64_t)row.refused);
    jsonw_end(&j);
    return true;
}

/* ---- jobs ------------------------------------------------------------------------------------------------------------- */

bool api_jobs(struct request *r, struct answer *a, struct err *e)
{
    struct page page = api_page(r);
    struct job_rows rows;
    if (!store_jobs(r->store, arg_text(&r->args, "state"), &page, &r->arena, &rows, e))
        return false;
    struct jsonw j = api_list(a);
    for (size_t i = 0; i < rows.n; i++)
        view_job(&j, &rows.items[i]);
    api_list_end(&j, &rows.end);
    return true;
}

bool api_job(struct request *r, struct answer *a, struct err *e)
{
    struct job_row row;
    bool later;
    r->job = r->path[0];
    if (!api_look(r, a, arg_int(&r->args, "wait", 0), &row, &later, e))
        return false;
    if (later)
        return true;
    struct jsonw j = jsonw_to(&a->body);
    view_job(&j, &row);
    return true;
}

bool api_job_cancel(struct request *r, struct answer *a, struct err *e)
{
    struct job_row row;
    if (!store_job_cancel(r->store, r->path[0], e) || !store_job(r->store, r->path[0], &r->arena, &row, e))
        return false;
    jobs_cancelled(r->server->jobs, &row);
    struct jsonw j = jsonw_to(&a->body);
    view_job(&j, &row);
    return true;
}

bool api_job_retry(struct request *r, struct answer *a, struct err *e)
{
    struct job_row row;
    if (!store_job_retry(r->store, r->path[0], e) || !store_job(r->store, r->path[0], &r->arena, &row, e))
        return false;
    jobs_wake(r->server->jobs);
    struct jsonw j = jsonw_to(&a->body);
    view_job(&j, &row);
    return true;
}

bool api_add_job(struct request *r, struct answer *a, const struct job_row *job, struct err *e)
{
    struct slice key = r->header[HEADER_IDEMPOTENCY_KEY];
    struct job_row out;
    bool existing;
    if (!store_job_add(r->store, job, key.len ? key : SLICE_NONE, &r->arena, &out, &existing, e))
        return false;
    if (existing && !slice_eq(out.payload, job->payload))
        return err_set(e, ERR_REUSED, "this Idempotency-Key came with another wish before (job %.*s); use a new key", SLICE_ARG(out.id));
    jobs_wake(r->server->jobs);
    struct jsonw j = jsonw_to(&a->body);
    view_job(&j, &out);
    return true;
}

bool api_scan(struct request *r, struct answer *a, struct err *e)
{
    struct collection_row collection;
    const struct arg *only = arg_find(&r->args, "only");
    if (!api_path_collection(r, &collection, e))
        return false;
    if (only && only->n) { /* an unknown detector is better refused now than in the job */
        struct ruleset *rules, *cut = NULL;
        if (!rules_for(r->store, r->server->rules, collection.name, &rules, e))
            return false;
        bool known = ruleset_only(rules, only->items, only->n, &cut, e);
        ruleset_unref(rules);
        ruleset_unref(cut);
        if (!known) {
            e->code = ERR_USAGE;
            return false;
        }
    }
    const struct job_row job = {.kind = slice_str("scan"), .collection = collection.id,
                                .payload = job_scan_payload(&r->arena, only ? only->items : NULL, only ? only->n : 0)};
    return api_add_job(r, a, &job, e);
}

bool api_sample(struct request *r, struct answer *a, struct err *e)
{
    const struct job_row job = {.kind = slice_str("sample"), .payload = slice_str("{}")};
    return api_add_job(r, a, &job, e);
}
