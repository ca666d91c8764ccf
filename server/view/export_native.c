#include "view/export.h"

#include "base/base64.h"
#include "base/hash.h"
#include "base/jsonw.h"
#include "storage/exceptions.h"
#include "storage/judging.h"
#include "storage/own_rules.h"
#include "view/export_in.h"
#include "view/view.h"

#include <stdlib.h>

static void present_str(struct jsonw *j, const char *key, struct slice s)
{
    if (s.ptr)
        jsonw_kstr(j, key, s);
}

static void present_count(struct jsonw *j, const char *key, int64_t n)
{
    if (n != COUNT_UNKNOWN)
        jsonw_kint(j, key, n);
}

/* JSON text that may be spread over lines (a line break in valid JSON is white space between tokens) set on one. */
static void one_line(struct jsonw *j, struct slice text, struct arena *a)
{
    struct slice copy = text;
    if (text.len && (memchr(text.ptr, '\n', text.len) || memchr(text.ptr, '\r', text.len))) {
        char *p = arena_alloc(a, text.len);
        for (size_t i = 0; i < text.len; i++)
            p[i] = text.ptr[i] == '\n' || text.ptr[i] == '\r' ? ' ' : text.ptr[i];
        copy.ptr = p;
    }
    jsonw_raw(j, copy);
}

static void present_object(struct jsonw *j, const char *key, struct slice text, struct arena *a)
{
    if (text.ptr) {
        jsonw_key(j, key);
        one_line(j, text, a);
    }
}

/* Evidence counts bytes in the stored text, so it has to come back exactly: as it is where one line of JSON can hold it,
 * else as a string. */
static void native_arguments(struct jsonw *j, const struct tool_call *call)
{
    struct slice text = call->arguments;
    bool tree = text.len && (text.ptr[0] == '{' || text.ptr[0] == '[') && !call->parse_error.ptr && !memchr(text.ptr, '\n', text.len) &&
                !memchr(text.ptr, '\r', text.len);
    if (!text.ptr)
        return;
    jsonw_key(j, "arguments");
    if (tree)
        jsonw_raw(j, text);
    else
        jsonw_str(j, text);
}

static void native_content(struct jsonw *j, const struct message *message)
{
    jsonw_key(j, "content");
    if (!message->reasoning.ptr) {
        jsonw_str(j, message->text);
        return;
    }
    jsonw_array(j);
    jsonw_object(j);
    jsonw_kstrz(j, "type", "reasoning");
    jsonw_kstr(j, "reasoning", message->reasoning);
    jsonw_end(j);
    if (message->text.ptr) {
        jsonw_object(j);
        jsonw_kstrz(j, "type", "text");
        jsonw_kstr(j, "text", message->text);
        jsonw_end(j);
    }
    jsonw_end(j);
}

static void native_message(struct jsonw *j, const struct message *message, struct arena *a)
{
    jsonw_object(j);
    jsonw_kstrz(j, "role", role_name(message->role));
    native_content(j, message);
    present_str(j, "model", message->model);
    present_str(j, "timestamp", message->timestamp);
    present_count(j, "duration_ms", message->duration_ms);
    if (message->tokens_in != COUNT_UNKNOWN || message->tokens_out != COUNT_UNKNOWN) {
        jsonw_key(j, "usage");
        jsonw_object(j);
        present_count(j, "input_tokens", message->tokens_in);
        present_count(j, "output_tokens", message->tokens_out);
        jsonw_end(j);
    }
    present_str(j, "finish_reason", message->finish_reason);
    present_str(j, "tool_call_id", message->tool_call_id);
    present_str(j, "function", message->tool_name);
    if (message->error.ptr) {
        jsonw_key(j, "error");
        jsonw_object(j);
        jsonw_kstr(j, "message", message->error);
        jsonw_end(j);
    }
    present_object(j, "metadata", message->metadata, a);
    if (message->ncalls) {
        jsonw_key(j, "tool_calls");
        jsonw_array(j);
        for (size_t i = 0; i < message->ncalls; i++) {
            const struct tool_call *call = &message->calls[i];
            jsonw_object(j);
            present_str(j, "id", call->call_id);
            present_str(j, "function", call->name);
            native_arguments(j, call);
            present_str(j, "parse_error", call->parse_error);
            present_object(j, "metadata", call->metadata, a);
            jsonw_end(j);
        }
        jsonw_end(j);
    }
    if (message->nblobs) {
        jsonw_key(j, "blobs");
        jsonw_array(j);
        for (size_t i = 0; i < message->nblobs; i++)
            view_blob(j, &message->blobs[i]);
        jsonw_end(j);
    }
    jsonw_end(j);
}

static bool native_transcripts(struct out *o, struct jsonw *j, const struct run *run, struct arena *a, struct err *e)
{
    jsonw_key(j, "transcripts");
    jsonw_array(j);
    for (size_t i = 0; i < run->ntranscripts; i++) {
        const struct transcript *transcript = &run->transcripts[i];
        jsonw_object(j);
        present_str(j, "id", transcript->id);
        present_str(j, "parent", transcript->parent);
        present_str(j, "name", transcript->name);
        present_object(j, "metadata", transcript->metadata, a);
        jsonw_key(j, "messages");
        jsonw_array(j);
        for (size_t k = 0; k < transcript->nmessages; k++) {
            native_message(j, &transcript->messages[k], a);
            if (!export_flush(o, FLUSH_AT, e))
                return false;
        }
        jsonw_end(j);
        jsonw_end(j);
    }
    jsonw_end(j);
    return true;
}

static void native_head(struct jsonw *j, const struct run *run, struct arena *a)
{
    jsonw_kstr(j, "id", run->id);
    jsonw_kstr(j, "external_id", run->external_id);
    jsonw_kstr(j, "name", run->name);
    jsonw_kstr(j, "task_id", run->task_id);
    jsonw_kstr(j, "model", run->model);
    jsonw_kstr(j, "agent", run->agent);
    view_count(j, "attempt", run->attempt);
    jsonw_kstr(j, "started_at", run->started_at);
    jsonw_kstr(j, "ended_at", run->ended_at);
    jsonw_kraw(j, "success", run->success == VERDICT_UNKNOWN ? SLICE_NONE : slice_str(run->success == VERDICT_PASSED ? "true" : "false"));
    jsonw_kstr(j, "exit_status", run->exit_status);
    jsonw_kstr(j, "error", run->error);
    jsonw_kstr(j, "limit", run->limit);
    view_count(j, "tokens_in", run->tokens_in);
    view_count(j, "tokens_out", run->tokens_out);
    jsonw_knum(j, "cost_usd", run->cost_usd);
    jsonw_key(j, "tags");
    jsonw_array(j);
    for (size_t i = 0; i < run->ntags; i++)
        jsonw_str(j, run->tags[i]);
    jsonw_end(j);
    jsonw_key(j, "metadata");
    one_line(j, run->metadata, a);
    jsonw_key(j, "source");
    jsonw_object(j);
    jsonw_kstr(j, "file", run->source.file);
    jsonw_kstr(j, "location", run->source.location);
    jsonw_kstr(j, "format", run->source.format);
    jsonw_end(j);
    jsonw_key(j, "scores");
    jsonw_array(j);
    for (size_t i = 0; i < run->nscores; i++) {
        const struct score *score = &run->scores[i];
        jsonw_object(j);
        jsonw_kstr(j, "name", score->name);
        jsonw_key(j, "value");
        one_line(j, score->value, a);
        present_str(j, "answer", score->answer);
        present_str(j, "target", score->target);
        present_str(j, "explanation", score->explanation);
        present_object(j, "metadata", score->metadata, a);
        jsonw_end(j);
    }
    jsonw_end(j);
}

static void native_labels(struct jsonw *j, const struct run *run, struct arena *a)
{
    jsonw_key(j, "labels");
    jsonw_array(j);
    for (size_t i = 0; i < run->nlabels; i++) {
        const struct label *label = &run->labels[i];
        jsonw_object(j);
        jsonw_kstr(j, "set", label->set);
        jsonw_key(j, "value");
        one_line(j, label->value, a);
        present_str(j, "who", label->who);
        present_str(j, "when", label->when);
        present_str(j, "split", label->split);
        jsonw_end(j);
    }
    jsonw_end(j);
}

static void native_judgment(struct jsonw *j, const struct judgment *row, const struct run *run, struct arena *a)
{
    jsonw_object(j);
    jsonw_kstr(j, "id", row->id);
    jsonw_kstr(j, "rubric", row->rubric);
    jsonw_kint(j, "version", row->version);
    present_str(j, "rubric_hash", row->rubric_hash);
    jsonw_kstr(j, "judge", row->judge);
    jsonw_kstr(j, "judge_key", row->judge_key);
    present_object(j, "settings", row->settings, a);
    jsonw_kstrz(j, "state", judgment_state_name(row->state));
    present_object(j, "answer", row->answer, a);
    present_str(j, "decision", row->decision);
    present_str(j, "explanation", row->explanation);
    present_object(j, "distribution", row->distribution, a);
    jsonw_knum(j, "share", row->share);
    jsonw_knum(j, "epistemic_confidence", row->epistemic_confidence);
    present_object(j, "paired", row->paired, a);
    view_evidence(j, "evidence", row->evidence, row->nevidence, run);
    jsonw_kint(j, "dropped", row->dropped);
    jsonw_kbool(j, "flagged", row->flagged);
    jsonw_kint(j, "segments", row->segments);
    present_str(j, "left_out", row->left_out);
    present_str(j, "raw", row->raw);
    present_str(j, "error", row->error);
    jsonw_kint(j, "calls", row->calls);
    jsonw_kint(j, "cached", row->cached);
    present_count(j, "tokens_in", row->tokens_in);
    present_count(j, "tokens_out", row->tokens_out);
    jsonw_knum(j, "cost_usd", row->cost);
    if (row->stale) /* else it is of the run as it stands here */
        jsonw_kstr(j, "content_hash", row->content_hash);
    jsonw_kstr(j, "created_at", row->created_at);
    present_str(j, "job", row->job);
    jsonw_kint(j, "stage", row->stage);
    jsonw_end(j);
}

static bool native_judgments(struct store *s, struct jsonw *j, const struct run *run, struct arena *a, struct err *e)
{
    struct judgments rows;
    if (!store_run_judgments(s, run->id, a, &rows, e))
        return false;
    if (!rows.n)
        return true;
    jsonw_key(j, "judgments");
    jsonw_array(j);
    for (size_t i = 0; i < rows.n; i++)
        native_judgment(j, &rows.items[i], run, a);
    jsonw_end(j);
    return true;
}

/* What came with the program has no time of its own, as it is in every database. */
static void rubric_line(struct str *out, const struct rubric_row *row, struct arena *a)
{
    struct jsonw j = jsonw_to(out);
    jsonw_object(&j);
    jsonw_key(&j, "rubric");
    jsonw_object(&j);
    jsonw_kstr(&j, "name", row->name);
    jsonw_kint(&j, "version", row->version);
    present_str(&j, "title", row->title);
    present_str(&j, "behavior", row->behavior);
    present_str(&j, "author", row->author);
    present_str(&j, "note", row->note);
    if (!row->shipped)
        jsonw_kstr(&j, "created_at", row->created_at);
    jsonw_kbool(&j, "shipped", row->shipped);
    present_object(&j, "body", row->body, a);
    jsonw_end(&j);
    jsonw_end(&j);
    str_addc(out, '\n');
}

static void label_set_line(struct str *out, const struct label_set *set, struct arena *a)
{
    struct jsonw j = jsonw_to(out);
    jsonw_object(&j);
    jsonw_key(&j, "label_set");
    jsonw_object(&j);
    jsonw_kstr(&j, "name", set->name);
    present_str(&j, "title", set->title);
    present_str(&j, "description", set->description);
    present_str(&j, "rubric", set->rubric);
    present_object(&j, "schema", set->schema, a);
    jsonw_kstrz(&j, "reading", set->reading == READING_ALL ? "all" : "one");
    jsonw_knum(&j, "test_share", set->test_share);
    jsonw_kstr(&j, "created_at", set->created_at);
    jsonw_end(&j);
    jsonw_end(&j);
    str_addc(out, '\n');
}

/* One that holds everywhere is of this collection, as far as the export knows. */
static void exception_line(struct str *out, const struct exception_row *row, struct arena *a)
{
    struct jsonw j = jsonw_to(out);
    jsonw_object(&j);
    jsonw_key(&j, "exception");
    jsonw_object(&j);
    jsonw_kstr(&j, "id", row->id);
    jsonw_kstr(&j, "detector", row->detector);
    present_object(&j, "when", row->condition, a);
    present_str(&j, "reviewer", row->reviewer);
    present_str(&j, "note", row->note);
    jsonw_kstr(&j, "created_at", row->created_at);
    jsonw_end(&j);
    jsonw_end(&j);
    str_addc(out, '\n');
}

static void rule_line(struct str *out, const struct own_rule_row *row)
{
    struct jsonw j = jsonw_to(out);
    jsonw_object(&j);
    jsonw_key(&j, "rule");
    jsonw_object(&j);
    jsonw_kstr(&j, "id", row->id);
    jsonw_kstr(&j, "text", row->text);
    present_str(&j, "author", row->author);
    present_str(&j, "note", row->note);
    jsonw_kstr(&j, "created_at", row->created_at);
    jsonw_end(&j);
    jsonw_end(&j);
    str_addc(out, '\n');
}

/* What the runs were judged by and labelled in, the rules of one's own that found something in them, and which findings are set aside: it
 * stands before them, so that they find it. */
static bool native_before(struct out *o, struct store *s, struct slice collection, struct arena *a, struct err *e)
{
    struct rubric_rows rubrics;
    struct label_sets sets;
    struct exception_rows exceptions;
    struct own_rule_rows rules;
    if (!store_rubrics_used(s, collection, a, &rubrics, e) || !store_label_sets(s, collection, a, &sets, e) ||
        !store_own_rules_used(s, collection, a, &rules, e) || !store_exceptions(s, collection, SLICE_NONE, a, &exceptions, e))
        return false;
    for (size_t i = 0; i < rubrics.n; i++)
        rubric_line(&o->buffer, &rubrics.items[i], a);
    for (size_t i = 0; i < sets.n; i++)
        if (sets.items[i].declared && sets.items[i].labels)
            label_set_line(&o->buffer, &sets.items[i], a);
    for (size_t i = 0; i < rules.n; i++) {
        rule_line(&o->buffer, &rules.items[i]);
        if (!export_flush(o, FLUSH_AT, e))
            return false;
    }
    for (size_t i = 0; i < exceptions.n; i++)
        exception_line(&o->buffer, &exceptions.items[i], a);
    return export_flush(o, FLUSH_AT, e);
}

/* The findings that the filter names, each through `each`; absent `sort`: in the order of all lists of findings. */
static bool for_findings(struct store *s, const struct filter *f, struct slice sort, struct arena *a,
                         void (*each)(void *ctx, const struct finding_row *row), void *ctx, struct err *e)
{
    struct page page = {.limit = 500, .sort = sort};
    struct finding_rows rows;
    do {
        if (!store_findings(s, f, &page, a, &rows, e))
            return false;
        for (size_t i = 0; i < rows.n; i++)
            each(ctx, &rows.items[i]);
        page.after = rows.end.next;
    } while (rows.end.next.ptr);
    return true;
}

static void finding_of_run(void *ctx, const struct finding_row *row)
{
    struct jsonw *j = ctx;
    jsonw_object(j);
    view_finding_members(j, &row->finding, &row->run);
    jsonw_end(j);
}

static void finding_line(void *ctx, const struct finding_row *row)
{
    struct str *out = ctx;
    struct jsonw j = jsonw_to(out);
    jsonw_object(&j);
    jsonw_key(&j, "finding");
    jsonw_object(&j);
    view_finding_members(&j, &row->finding, NULL);
    jsonw_end(&j);
    jsonw_end(&j);
    str_addc(out, '\n');
}

static bool native_run(struct out *o, struct store *s, struct slice collection, const struct run *run, struct arena *a, struct err *e)
{
    struct jsonw j = jsonw_to(&o->buffer);
    jsonw_object(&j);
    native_head(&j, run, a);
    if (run->nlabels)
        native_labels(&j, run, a);
    if (!native_transcripts(o, &j, run, a, e))
        return false;
    struct filter filter = FILTER_ANY;
    filter.collection = collection;
    filter.run = run->id;
    filter.scope = slice_str("run");
    jsonw_key(&j, "findings");
    jsonw_array(&j);
    if (!for_findings(s, &filter, SLICE_NONE, a, finding_of_run, &j, e))
        return false;
    jsonw_end(&j);
    if (!native_judgments(s, &j, run, a, e))
        return false;
    jsonw_end(&j);
    str_addc(&o->buffer, '\n');
    return export_flush(o, FLUSH_AT, e);
}

/* The blobs seen on the way, to be written once each, in the order of their hashes. */
struct hashes {
    unsigned char (*items)[SHA256_SIZE];
    size_t n, cap;
};

static void hashes_of_run(struct arena *keep, struct hashes *h, const struct run *run)
{
    for (size_t t = 0; t < run->ntranscripts; t++)
        for (size_t m = 0; m < run->transcripts[t].nmessages; m++) {
            const struct message *message = &run->transcripts[t].messages[m];
            for (size_t b = 0; b < message->nblobs; b++) {
                h->items = arena_grow(keep, h->items, h->n, &h->cap, sizeof *h->items);
                memcpy(h->items[h->n++], message->blobs[b].sha256, SHA256_SIZE);
            }
        }
}

static int compare_hashes(const void *a, const void *b) { return memcmp(a, b, SHA256_SIZE); }

static bool blob_line(struct out *o, struct store *s, const unsigned char sha256[SHA256_SIZE], struct arena *a, struct err *e)
{
    char hex[2 * SHA256_SIZE + 1];
    hash_hex(sha256, SHA256_SIZE, hex);
    struct blob blob;
    struct err why = {0};
    if (!store_blob(s, slice_str(hex), a, &blob, &why)) {
        if (why.code == ERR_NOT_FOUND) /* the source only referred to it */
            return true;
        return err_set(e, why.code, "%s", why.text);
    }
    struct jsonw j = jsonw_to(&o->buffer);
    jsonw_object(&j);
    jsonw_key(&j, "blob");
    jsonw_object(&j);
    jsonw_kstrz(&j, "sha256", hex);
    jsonw_kstr(&j, "media_type", blob.media_type);
    jsonw_kint(&j, "size", (int64_t)blob.size);
    jsonw_kstrz(&j, "data", ""); /* its closing quote is written again after the bytes */
    o->buffer.len--;
    base64_add(&o->buffer, blob.bytes);
    str_addc(&o->buffer, '"');
    jsonw_end(&j);
    jsonw_end(&j);
    str_addc(&o->buffer, '\n');
    return export_flush(o, FLUSH_AT, e);
}

static bool native_blobs(struct out *o, struct store *s, struct hashes *h, struct arena *a, struct err *e)
{
    if (h->n)
        qsort(h->items, h->n, sizeof *h->items, compare_hashes);
    for (size_t i = 0; i < h->n; i++) {
        if (i && memcmp(h->items[i], h->items[i - 1], SHA256_SIZE) == 0)
            continue;
        arena_reset(a);
        if (!blob_line(o, s, h->items[i], a, e))
            return false;
    }
    return true;
}

static void header_line(struct str *out, const struct collection_row *row, struct arena *a)
{
    struct jsonw j = jsonw_to(out);
    jsonw_object(&j);
    jsonw_kint(&j, "telltale", 1);
    jsonw_key(&j, "collection");
    jsonw_object(&j);
    jsonw_kstr(&j, "id", row->id);
    jsonw_kstr(&j, "name", row->name);
    jsonw_kstr(&j, "description", row->description);
    jsonw_key(&j, "metadata");
    one_line(&j, row->metadata, a);
    jsonw_kstr(&j, "created_at", row->created_at);
    present_str(&j, "keep", row->keep);
    present_str(&j, "quota", row->quota);
    jsonw_end(&j);
    jsonw_end(&j);
    str_addc(out, '\n');
}

/* ---- the whole --------------------------------------------------------------------------------------------------------- */

struct native {
    struct walk walk; /* first: what is handed to native_row is this */
    struct hashes blobs;
};

static bool native_row(struct walk *w, struct slice id, struct err *e)
{
    struct native *native = (struct native *)w;
    struct run run;
    if (!store_run_load(w->s, id, &w->one, &run, e))
        return false;
    hashes_of_run(&w->keep, &native->blobs, &run);
    return native_run(&w->out, w->s, w->collection, &run, &w->one, e);
}

static bool native_body(struct native *native, struct err *e)
{
    struct walk *w = &native->walk;
    struct collection_row row;
    if (!walk_start(w, &row, e))
        return false;
    header_line(&w->out.buffer, &row, &w->keep);
    if (!native_before(&w->out, w->s, row.id, &w->one, e) || !walk_runs(w, native_row, e) || !native_blobs(&w->out, w->s, &native->blobs, &w->one, e))
        return false;
    if (!w->whole)
        return export_flush(&w->out, 0, e);
    struct filter filter = FILTER_ANY;
    filter.collection = row.id;
    filter.scope = slice_str("task,collection");
    arena_reset(&w->one);
    /* Tasks are numbered as they come; their names and what detectors found are the same wherever they come to. */
    return for_findings(w->s, &filter, slice_str("task,detector,id"), &w->one, finding_line, &w->out.buffer, e) && export_flush(&w->out, 0, e);
}

bool export_native(struct store *s, const struct filter *f, const struct export_sink *sink, struct err *e)
{
    struct native native = {.walk = walk_of(s, f, sink)};
    return walk_free(&native.walk, native_body(&native, e));
}
