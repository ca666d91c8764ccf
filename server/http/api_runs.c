#include "http/api.h"
#include "view/beside.h"

#include "base/clock.h"
#include "base/hash.h"
#include "ingest/append.h"

#include <ctype.h>

bool api_runs(struct request *r, struct answer *a, struct err *e)
{
    struct collection_row row;
    struct page page = api_page(r);
    struct run_rows rows;
    if (!api_path_collection(r, &row, e))
        return false;
    struct filter filter;
    if (!api_filter(&r->args, row.id, &filter, e) || !store_runs(r->store, &filter, &page, &r->arena, &rows, e))
        return false;
    struct jsonw j = api_list(a);
    for (size_t i = 0; i < rows.n; i++)
        view_run(&j, &rows.items[i]);
    api_list_end(&j, &rows.end);
    return true;
}

/* ---- one run ---------------------------------------------------------------------------------------------------------- */

enum { FINDINGS_OF_RUN = 1000, SIBLINGS = 500, INCOMPLETE = 1000 };

/* The run's own findings, and what was found about its task as a whole. */
static bool findings_about(struct request *r, const struct run_row *row, struct finding_rows own[2], struct err *e)
{
    const struct page page = {.limit = FINDINGS_OF_RUN};
    struct filter of_run = FILTER_ANY, of_task = FILTER_ANY;
    of_run.collection = of_task.collection = row->collection;
    of_run.run = row->run.id;
    of_run.scope = slice_str("run");
    of_task.task = row->run.task_id;
    of_task.scope = slice_str("task");
    own[1] = (struct finding_rows){0};
    return store_findings(r->store, &of_run, &page, &r->arena, &own[0], e) &&
           (!row->run.task_id.ptr || store_findings(r->store, &of_task, &page, &r->arena, &own[1], e));
}

/* When each message was said: milliseconds since the earliest of them; null throughout where the source has no times. */
static void times(struct jsonw *j, const struct message_mark *list, size_t n)
{
    int64_t start = INT64_MAX;
    char text[CLOCK_TEXT];
    for (size_t i = 0; i < n; i++)
        if (list[i].at != MARK_NO_TIME && list[i].at < start)
            start = list[i].at;
    jsonw_key(j, "start");
    if (start == INT64_MAX) {
        jsonw_null(j);
        jsonw_key(j, "at");
        jsonw_null(j);
        return;
    }
    clock_text(start, text);
    jsonw_strz(j, text);
    jsonw_key(j, "at");
    jsonw_array(j);
    for (size_t i = 0; i < n; i++) {
        if (list[i].at == MARK_NO_TIME)
            jsonw_null(j);
        else
            jsonw_int(j, (list[i].at - start) / 1000);
    }
    jsonw_end(j);
}

static bool marks(struct request *r, struct jsonw *j, const struct run_row *row, struct err *e)
{
    jsonw_key(j, "marks");
    jsonw_array(j);
    for (size_t t = 0; t < row->run.ntranscripts; t++) {
        struct message_mark *list;
        size_t n;
        if (!store_marks(r->store, row->run.id, (int32_t)t, &r->arena, &list, &n, e))
            return false;
        jsonw_object(j);
        jsonw_kint(j, "transcript", (int64_t)t);
        jsonw_key(j, "marks");
        jsonw_array(j);
        for (size_t i = 0; i < n; i++) {
            jsonw_array(j);
            jsonw_int(j, list[i].role);
            jsonw_int(j, list[i].bytes);
            jsonw_int(j, list[i].calls);
            jsonw_int(j, list[i].error);
            jsonw_end(j);
        }
        jsonw_end(j);
        times(j, list, n);
        jsonw_end(j);
    }
    jsonw_end(j);
    return true;
}

static bool flagged(const struct run_row *row)
{
    for (int kind = 0; kind < KIND_COUNT; kind++)
        if (row->findings[kind])
            return true;
    return false;
}

static bool siblings(struct request *r, struct jsonw *j, const struct run_row *row, struct err *e)
{
    const struct page page = {.limit = SIBLINGS};
    struct filter filter = FILTER_ANY;
    struct run_rows rows = {0};
    filter.collection = row->collection;
    filter.task = row->run.task_id;
    if (filter.task.ptr && !store_runs(r->store, &filter, &page, &r->arena, &rows, e))
        return false;
    jsonw_key(j, "siblings");
    jsonw_array(j);
    for (size_t i = 0; i < rows.n; i++)
        view_sibling(j, &rows.items[i], flagged(&rows.items[i]));
    jsonw_end(j);
    return true;
}

static bool incomplete(struct request *r, struct jsonw *j, const struct run_row *row, struct err *e)
{
    const struct filter filter = {.collection = row->collection, .run = row->run.id, .has_findings = -1};
    const struct page page = {.limit = INCOMPLETE};
    struct incomplete_rows rows;
    if (!store_incomplete(r->store, &filter, &page, &r->arena, &rows, e))
        return false;
    jsonw_key(j, "incomplete");
    jsonw_array(j);
    for (size_t i = 0; i < rows.n; i++)
        view_incomplete(j, &rows.items[i]);
    jsonw_end(j);
    return true;
}

bool api_run(struct request *r, struct answer *a, struct err *e)
{
    struct run_row row;
    struct finding_rows found[2];
    if (!store_run(r->store, r->path[0], &r->arena, &row, e) || !findings_about(r, &row, found, e))
        return false;
    struct jsonw j = jsonw_to(&a->body);
    jsonw_object(&j);
    view_run_members(&j, &row);
    jsonw_key(&j, "all_findings");
    jsonw_array(&j);
    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; i < found[k].n; i++)
            view_finding(&j, &found[k].items[i]);
    jsonw_end(&j);
    if (!incomplete(r, &j, &row, e) || !marks(r, &j, &row, e) || !siblings(r, &j, &row, e))
        return false;
    jsonw_end(&j);
    return true;
}

bool api_run_compare(struct request *r, struct answer *a, struct err *e)
{
    struct jsonw j = jsonw_to(&a->body);
    return view_beside(&j, r->store, r->path[0], r->path[1], e);
}

bool api_run_delete(struct request *r, struct answer *a, struct err *e)
{
    (void)a;
    return store_run_delete(r->store, r->path[0], e);
}

/* ---- messages --------------------------------------------------------------------------------------------------------- */

/* Messages are read in growing batches until there are enough of them or enough bytes: one may be as large as a book. */
enum { FIRST_BATCH = 4, ENOUGH_BYTES = 8 << 20 };

static void evidence_in(struct jsonw *j, const struct finding_rows *rows, struct slice run, int32_t transcript, int64_t from, int64_t to)
{
    for (size_t i = 0; i < rows->n; i++) {
        const struct finding *finding = &rows->items[i].finding;
        for (size_t k = 0; k < finding->nevidence; k++) {
            const struct evidence *ev = &finding->evidence[k];
            if (ev->transcript == transcript && ev->message >= from && ev->message < to && (!ev->run.ptr || slice_eq(ev->run, run)))
                view_mark(j, finding, ev);
        }
    }
}

bool api_messages(struct request *r, struct answer *a, struct err *e)
{
    int32_t transcript = (int32_t)arg_int(&r->args, "transcript", 0);
    int64_t from = arg_int(&r->args, "from", 0), limit = arg_int(&r->args, "limit", 100), at = from;
    uint32_t total = 0;
    struct run_row row;
    struct finding_rows found[2];
    if (!store_run(r->store, r->path[0], &r->arena, &row, e) || !findings_about(r, &row, found, e))
        return false;
    struct jsonw j = api_list(a);
    struct arena batch = {0};
    int64_t size = FIRST_BATCH;
    bool ok = true, more = true;
    while (ok && more) {
        struct message *messages;
        size_t n = 0, before = a->body.len;
        int64_t left = from + limit - at;
        arena_reset(&batch);
        ok = store_messages(r->store, row.run.id, transcript, (uint32_t)at, (uint32_t)(left < size ? left : size), &batch, &messages, &n,
                            &total, e);
        for (size_t i = 0; ok && i < n; i++, at++)
            view_message(&j, &messages[i], (uint32_t)at);
        more = n > 0 && at < from + limit && at < total && a->body.len < ENOUGH_BYTES;
        if (a->body.len - before < ENOUGH_BYTES / 16)
            size *= 2;
    }
    arena_free(&batch);
    jsonw_end(&j);
    jsonw_kint(&j, "from", from);
    jsonw_key(&j, "next");
    if (at < total)
        jsonw_int(&j, at);
    else
        jsonw_null(&j);
    jsonw_kint(&j, "total", total);
    jsonw_key(&j, "evidence");
    jsonw_array(&j);
    for (size_t k = 0; k < 2; k++)
        evidence_in(&j, &found[k], row.run.id, transcript, from, at);
    jsonw_end(&j);
    jsonw_end(&j);
    return ok;
}

/* ---- tags, blobs ------------------------------------------------------------------------------------------------------ */

bool api_tag(struct request *r, struct answer *a, struct err *e)
{
    struct filter filter;
    uint64_t changed = 0;
    if (!api_body_filter(r, &filter, e) ||
        !store_tag(r->store, &filter, arg_text(&r->args, "tag"), !arg_bool(&r->args, "remove", false), &changed, e))
        return false;
    struct jsonw j = jsonw_to(&a->body);
    jsonw_object(&j);
    jsonw_kint(&j, "changed", (int64_t)changed);
    jsonw_end(&j);
    return true;
}

bool api_runs_delete(struct request *r, struct answer *a, struct err *e)
{
    struct filter filter;
    uint64_t deleted;
    if (!api_body_filter(r, &filter, e) || !store_runs_delete(r->store, &filter, arg_bool(&r->args, "dry_run", false), &deleted, e))
        return false;
    struct jsonw j = jsonw_to(&a->body);
    jsonw_object(&j);
    jsonw_kint(&j, "deleted", (int64_t)deleted);
    jsonw_end(&j);
    return true;
}

static bool is_sha256(struct slice text)
{
    bool ok = text.len == 2 * (size_t)SHA256_SIZE;
    for (size_t i = 0; ok && i < text.len; i++)
        ok = isxdigit((unsigned char)text.ptr[i]) && !isupper((unsigned char)text.ptr[i]);
    return ok;
}

/* A media type that came with a transcript goes into a header only if it looks like one. */
static const char *safe_type(struct request *r, struct slice type)
{
    size_t slashes = 0;
    for (size_t i = 0; i < type.len; i++) {
        slashes += type.ptr[i] == '/';
        if (!isalnum((unsigned char)type.ptr[i]) && !strchr("/+-.", type.ptr[i]))
            slashes = 9;
    }
    return slashes == 1 && type.len < 100 && slice_starts(type, "image/") ? arena_strdup(&r->arena, type) : "application/octet-stream";
}

bool api_blob(struct request *r, struct answer *a, struct err *e)
{
    struct blob blob;
    if (!is_sha256(r->path[0]))
        return err_set(e, ERR_NOT_FOUND, "there is no such blob: its name is 64 hexadecimal digits");
    if (!store_blob(r->store, r->path[0], &r->arena, &blob, e))
        return false;
    a->type = safe_type(r, blob.media_type);
    str_add_slice(&a->body, blob.bytes);
    answer_header(a, "Content-Disposition", slice_str("attachment"));
    answer_header(a, "Content-Security-Policy", slice_str("default-src 'none'; sandbox"));
    answer_header(a, "Cache-Control", slice_str("private, max-age=31536000, immutable"));
    return true;
}

/* ---- adding to a run ---------------------------------------------------------------------------------------------------- */

bool api_messages_add(struct request *r, struct answer *a, struct err *e)
{
    struct slice key = r->header[HEADER_IDEMPOTENCY_KEY];
    struct append_answer answer;
    struct jvalue *body;
    if (!slice_trim(str_slice(&r->body)).len)
        return err_set(e, ERR_USAGE, "the body is empty: send a message, a list of messages, or {\"messages\": […]}");
    if (!api_json(r, str_slice(&r->body), &body, e) ||
        !ingest_append(r->store, r->server->rules, r->path[0], key.len ? key : SLICE_NONE, body, &answer, e))
        return false;
    struct jsonw j = jsonw_to(&a->body);
    jsonw_object(&j);
    jsonw_kstr(&j, "run", answer.run);
    jsonw_kint(&j, "transcript", answer.transcript);
    jsonw_kint(&j, "messages", answer.messages);
    jsonw_kint(&j, "first_index", answer.first);
    jsonw_end(&j);
    return true;
}
