#include "view/view.h"

#include "base/clock.h"
#include "base/hash.h"
#include "text/jread.h"

#include <math.h>
#include <stdio.h>

void view_count(struct jsonw *j, const char *key, int64_t n)
{
    jsonw_key(j, key);
    if (n == COUNT_UNKNOWN)
        jsonw_null(j);
    else
        jsonw_int(j, n);
}

void view_time(struct jsonw *j, const char *key, int64_t us)
{
    char text[CLOCK_TEXT];
    clock_text(us, text);
    jsonw_kstr(j, key, us ? slice_str(text) : SLICE_NONE);
}

/* JSON text of an object; what is absent is an empty one, so that clients need not ask. */
static void kobject(struct jsonw *j, const char *key, struct slice text)
{
    jsonw_kraw(j, key, text.ptr ? text : slice_str("{}"));
}

void view_success(struct jsonw *j, enum verdict success)
{
    jsonw_key(j, "success");
    if (success == VERDICT_UNKNOWN)
        jsonw_null(j);
    else
        jsonw_bool(j, success == VERDICT_PASSED);
}

static void ksource(struct jsonw *j, const struct source *source)
{
    jsonw_key(j, "source");
    jsonw_object(j);
    jsonw_kstr(j, "file", source->file);
    jsonw_kstr(j, "location", source->location);
    jsonw_kstr(j, "format", source->format);
    jsonw_end(j);
}

/* {"broken_task": n, …} of an array indexed by kind. */
#define KIND_COUNTS(j, key, counts)                          \
    do {                                                     \
        jsonw_key((j), (key));                                \
        jsonw_object(j);                                      \
        for (int kind_ = 0; kind_ < KIND_COUNT; kind_++)     \
            jsonw_kint((j), kind_name(kind_), (counts)[kind_]); \
        jsonw_end(j);                                         \
    } while (0)

/* The source's id of a transcript; where it has none, its position as text. */
static void ktranscript(struct jsonw *j, const char *key, struct slice id, int32_t position)
{
    char number[12];
    snprintf(number, sizeof number, "%d", position);
    jsonw_kstr(j, key, position < 0 ? SLICE_NONE : id.ptr ? id : slice_str(number));
}

void view_index(struct jsonw *j, const char *key, int32_t n)
{
    jsonw_key(j, key);
    if (n < 0)
        jsonw_null(j);
    else
        jsonw_int(j, n);
}

void view_evidence_item(struct jsonw *j, const struct evidence *ev, const struct run *run)
{
    jsonw_object(j);
    jsonw_kstr(j, "run", ev->run.ptr || !run ? ev->run : run->id);
    ktranscript(j, "transcript", ev->transcript_id, ev->transcript);
    view_index(j, "position", ev->transcript);
    view_index(j, "message", ev->message);
    jsonw_kstr(j, "part", ev->part);
    jsonw_kint(j, "start", ev->start);
    jsonw_kint(j, "end", ev->end);
    jsonw_kstr(j, "quote", ev->quote);
    jsonw_knum(j, "weight", ev->weight > 0 ? ev->weight : NAN);
    jsonw_end(j);
}

void view_evidence(struct jsonw *j, const char *key, const struct evidence *evidence, size_t n, const struct run *run)
{
    jsonw_key(j, key);
    jsonw_array(j);
    for (size_t i = 0; i < n; i++)
        view_evidence_item(j, &evidence[i], run);
    jsonw_end(j);
}

void view_collection(struct jsonw *j, const struct collection_row *row)
{
    jsonw_object(j);
    jsonw_kstr(j, "id", row->id);
    jsonw_kstr(j, "name", row->name);
    jsonw_kstr(j, "description", row->description);
    kobject(j, "metadata", row->metadata);
    jsonw_kstr(j, "created_at", row->created_at);
    jsonw_kstr(j, "imported_at", row->imported_at);
    jsonw_kint(j, "runs", row->runs);
    jsonw_kint(j, "passed", row->passed);
    jsonw_kint(j, "failed", row->failed);
    jsonw_kint(j, "flagged", row->flagged);
    jsonw_kint(j, "tasks", row->tasks);
    jsonw_kint(j, "broken_tasks", row->broken_tasks);
    jsonw_kint(j, "findings", row->findings);
    jsonw_kint(j, "bytes", row->bytes);
    jsonw_kstr(j, "keep", row->keep);
    jsonw_kstr(j, "quota", row->quota);
    jsonw_end(j);
}

static void score_list(struct jsonw *j, const struct run *run)
{
    jsonw_key(j, "scores");
    jsonw_array(j);
    for (size_t i = 0; i < run->nscores; i++) {
        const struct score *score = &run->scores[i];
        jsonw_object(j);
        jsonw_kstr(j, "name", score->name);
        jsonw_kraw(j, "value", score->value);
        jsonw_kstr(j, "answer", score->answer);
        jsonw_kstr(j, "target", score->target);
        jsonw_kstr(j, "explanation", score->explanation);
        kobject(j, "metadata", score->metadata);
        jsonw_end(j);
    }
    jsonw_end(j);
}

static void label_list(struct jsonw *j, const struct run *run)
{
    jsonw_key(j, "labels");
    jsonw_array(j);
    for (size_t i = 0; i < run->nlabels; i++) {
        const struct label *label = &run->labels[i];
        jsonw_object(j);
        jsonw_kstr(j, "set", label->set);
        jsonw_kraw(j, "value", label->value);
        jsonw_kstr(j, "who", label->who);
        jsonw_kstr(j, "when", label->when);
        jsonw_end(j);
    }
    jsonw_end(j);
}

static void duration(struct jsonw *j, const struct run *run)
{
    int64_t from, to;
    bool known = clock_parse(run->started_at, &from) && clock_parse(run->ended_at, &to);
    view_count(j, "duration_ms", known && to >= from ? (to - from) / 1000 : COUNT_UNKNOWN);
}

void view_run_members(struct jsonw *j, const struct run_row *row)
{
    const struct run *run = &row->run;
    jsonw_kstr(j, "id", run->id);
    jsonw_kstr(j, "external_id", run->external_id);
    jsonw_kstr(j, "collection", row->collection);
    jsonw_kstr(j, "name", run->name);
    jsonw_kstr(j, "task_id", run->task_id);
    jsonw_kstr(j, "model", run->model);
    jsonw_kstr(j, "agent", run->agent);
    view_count(j, "attempt", run->attempt);
    jsonw_kstr(j, "started_at", run->started_at);
    jsonw_kstr(j, "ended_at", run->ended_at);
    duration(j, run);
    view_success(j, run->success);
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
    kobject(j, "metadata", run->metadata);
    ksource(j, &run->source);
    jsonw_kstr(j, "content_hash", row->content_hash);
    jsonw_kstr(j, "gist", row->gist);
    jsonw_kint(j, "messages", row->messages);
    jsonw_kint(j, "tool_calls", row->calls);
    score_list(j, run);
    label_list(j, run);

    jsonw_key(j, "transcripts");
    jsonw_array(j);
    for (size_t i = 0; i < run->ntranscripts; i++) {
        const struct transcript *transcript = &run->transcripts[i];
        jsonw_object(j);
        ktranscript(j, "id", transcript->id, (int32_t)i);
        jsonw_kstr(j, "parent", transcript->parent);
        jsonw_kstr(j, "name", transcript->name);
        jsonw_kint(j, "position", (int64_t)i);
        jsonw_kint(j, "messages", (int64_t)transcript->nmessages);
        kobject(j, "metadata", transcript->metadata);
        jsonw_end(j);
    }
    jsonw_end(j);

    KIND_COUNTS(j, "findings", row->findings);
    jsonw_key(j, "first_finding");
    if (row->has_first) {
        jsonw_object(j);
        jsonw_kstr(j, "id", row->first.id);
        jsonw_kstr(j, "detector", row->first.detector);
        jsonw_kstr(j, "behavior", row->first.behavior);
        jsonw_kstrz(j, "kind", kind_name(row->first.kind));
        jsonw_kstrz(j, "severity", severity_name(row->first.severity));
        jsonw_kstr(j, "title", row->first.title);
        view_evidence(j, "evidence", row->first.evidence, row->first.nevidence, run);
        jsonw_end(j);
    } else {
        jsonw_null(j);
    }
}

void view_run(struct jsonw *j, const struct run_row *row)
{
    jsonw_object(j);
    view_run_members(j, row);
    jsonw_end(j);
}

void view_message(struct jsonw *j, const struct message *message, uint32_t index)
{
    jsonw_object(j);
    jsonw_kint(j, "index", index);
    jsonw_kstrz(j, "role", role_name(message->role));
    jsonw_kstr(j, "text", message->text);
    jsonw_kstr(j, "reasoning", message->reasoning);
    jsonw_kstr(j, "model", message->model);
    jsonw_kstr(j, "timestamp", message->timestamp);
    view_count(j, "duration_ms", message->duration_ms);
    view_count(j, "tokens_in", message->tokens_in);
    view_count(j, "tokens_out", message->tokens_out);
    jsonw_kstr(j, "finish_reason", message->finish_reason);
    jsonw_kstr(j, "tool_call_id", message->tool_call_id);
    jsonw_kstr(j, "tool_name", message->tool_name);
    jsonw_kstr(j, "error", message->error);
    kobject(j, "metadata", message->metadata);

    jsonw_key(j, "tool_calls");
    jsonw_array(j);
    for (size_t i = 0; i < message->ncalls; i++) {
        const struct tool_call *call = &message->calls[i];
        jsonw_object(j);
        jsonw_kint(j, "position", (int64_t)i);
        jsonw_kstr(j, "call_id", call->call_id);
        jsonw_kstr(j, "name", call->name);
        jsonw_kstr(j, "arguments", call->arguments);
        jsonw_kstr(j, "parse_error", call->parse_error);
        kobject(j, "metadata", call->metadata);
        jsonw_end(j);
    }
    jsonw_end(j);

    jsonw_key(j, "blobs");
    jsonw_array(j);
    for (size_t i = 0; i < message->nblobs; i++)
        view_blob(j, &message->blobs[i]);
    jsonw_end(j);
    jsonw_end(j);
}

void view_blob(struct jsonw *j, const struct blob *blob)
{
    static const unsigned char none[SHA256_SIZE];
    char hex[2 * SHA256_SIZE + 1];
    bool stored = memcmp(blob->sha256, none, sizeof none) != 0; /* else the source only refers to it */
    if (stored)
        hash_hex(blob->sha256, SHA256_SIZE, hex);
    jsonw_object(j);
    jsonw_kstrz(j, "sha256", stored ? hex : NULL);
    jsonw_kstr(j, "media_type", blob->media_type);
    jsonw_kint(j, "size", (int64_t)blob->size);
    jsonw_kstr(j, "url", blob->url);
    jsonw_end(j);
}

void view_run_ref(struct jsonw *j, const char *key, const struct run *run)
{
    jsonw_key(j, key);
    if (!run) {
        jsonw_null(j);
        return;
    }
    jsonw_object(j);
    jsonw_kstr(j, "id", run->id);
    jsonw_kstr(j, "external_id", run->external_id);
    jsonw_kstr(j, "name", run->name);
    jsonw_kstr(j, "task_id", run->task_id);
    jsonw_kstr(j, "model", run->model);
    view_success(j, run->success);
    ksource(j, &run->source);
    jsonw_end(j);
}

void view_finding_members(struct jsonw *j, const struct finding *finding, const struct run *run)
{
    jsonw_kstr(j, "id", finding->id);
    jsonw_kstr(j, "detector", finding->detector);
    jsonw_kstr(j, "detector_version", finding->version);
    jsonw_kstr(j, "behavior", finding->behavior);
    jsonw_kstrz(j, "kind", kind_name(finding->kind));
    jsonw_kstrz(j, "severity", severity_name(finding->severity));
    jsonw_knum(j, "confidence", finding->confidence);
    jsonw_kstr(j, "title", finding->title);
    jsonw_kstr(j, "message", finding->message);
    jsonw_kstrz(j, "scope", scope_name(finding->scope));
    jsonw_kstrz(j, "status", status_name(finding->status));
    jsonw_kstr(j, "note", finding->note);
    jsonw_kstr(j, "reviewer", finding->reviewer);
    jsonw_kstr(j, "exception", finding->exception);
    jsonw_kstr(j, "created_at", finding->created_at);
    jsonw_kstr(j, "task_id", finding->task_id);
    kobject(j, "captures", finding->captures);
    view_evidence(j, "evidence", finding->evidence, finding->nevidence, run);
}

void view_finding_row_members(struct jsonw *j, const struct finding_row *row)
{
    struct finding finding = row->finding;
    const struct run *run = row->has_run ? &row->run : NULL;
    if (!finding.task_id.ptr && run)
        finding.task_id = run->task_id;
    view_finding_members(j, &finding, run);
    jsonw_kstr(j, "collection", row->collection);
    view_run_ref(j, "run", run);
}

void view_finding(struct jsonw *j, const struct finding_row *row)
{
    jsonw_object(j);
    view_finding_row_members(j, row);
    jsonw_end(j);
}

void view_exception(struct jsonw *j, const struct exception_row *row)
{
    jsonw_object(j);
    jsonw_kstr(j, "id", row->id);
    jsonw_kstr(j, "detector", row->detector);
    kobject(j, "when", row->condition);
    jsonw_kstr(j, "collection", row->collection);
    jsonw_kstr(j, "collection_name", row->collection_name);
    jsonw_kstr(j, "reviewer", row->reviewer);
    jsonw_kstr(j, "note", row->note);
    jsonw_kstr(j, "created_at", row->created_at);
    jsonw_kint(j, "findings", row->findings);
    jsonw_end(j);
}

void view_own_rule(struct jsonw *j, const struct own_rule_row *row)
{
    jsonw_object(j);
    jsonw_kstr(j, "id", row->id);
    jsonw_kint(j, "version", row->version);
    jsonw_kstr(j, "text", row->text);
    jsonw_kstr(j, "author", row->author);
    jsonw_kstr(j, "note", row->note);
    jsonw_kstr(j, "created_at", row->created_at);
    jsonw_end(j);
}

void view_mark(struct jsonw *j, const struct finding *finding, const struct evidence *evidence)
{
    jsonw_object(j);
    jsonw_kstr(j, "finding", finding->id);
    jsonw_kstr(j, "detector", finding->detector);
    jsonw_kstr(j, "behavior", finding->behavior);
    jsonw_kstrz(j, "kind", kind_name(finding->kind));
    jsonw_kstrz(j, "severity", severity_name(finding->severity));
    jsonw_kstr(j, "title", finding->title);
    jsonw_kstrz(j, "status", status_name(finding->status));
    jsonw_kint(j, "message", evidence->message);
    jsonw_kstr(j, "part", evidence->part);
    jsonw_kint(j, "start", evidence->start);
    jsonw_kint(j, "end", evidence->end);
    jsonw_kstr(j, "quote", evidence->quote);
    jsonw_end(j);
}

void view_sibling(struct jsonw *j, const struct run_row *row, bool flagged)
{
    jsonw_object(j);
    jsonw_kstr(j, "id", row->run.id);
    jsonw_kstr(j, "external_id", row->run.external_id);
    jsonw_kstr(j, "model", row->run.model);
    view_count(j, "attempt", row->run.attempt);
    view_success(j, row->run.success);
    jsonw_kbool(j, "flagged", flagged);
    jsonw_end(j);
}

void view_best(struct jsonw *j, bool has, const struct finding_row *best)
{
    jsonw_key(j, "best");
    if (has)
        view_finding(j, best);
    else
        jsonw_null(j);
}

void view_task(struct jsonw *j, const struct task_row *row)
{
    int64_t known = row->passed + row->failed;
    jsonw_object(j);
    jsonw_kstr(j, "task_id", row->task_id);
    jsonw_kstr(j, "gist", row->gist);
    jsonw_kstr(j, "target", row->target);
    jsonw_kint(j, "runs", row->runs);
    jsonw_kint(j, "passed", row->passed);
    jsonw_kint(j, "failed", row->failed);
    jsonw_knum(j, "pass_rate", known ? (double)row->passed / (double)known : NAN);
    jsonw_kstrz(j, "verdict", task_verdict_name(row->verdict));
    jsonw_key(j, "reasons");
    jsonw_array(j);
    for (size_t i = 0; i < row->nreasons; i++) {
        jsonw_object(j);
        jsonw_kstr(j, "finding", row->reasons[i].id);
        jsonw_kstr(j, "detector", row->reasons[i].detector);
        jsonw_kstrz(j, "severity", severity_name(row->reasons[i].severity));
        jsonw_kstrz(j, "status", status_name(row->reasons[i].status));
        jsonw_kstr(j, "title", row->reasons[i].title);
        jsonw_end(j);
    }
    jsonw_end(j);
    KIND_COUNTS(j, "findings", row->findings);
    jsonw_key(j, "models");
    jsonw_array(j);
    for (size_t i = 0; i < row->nmodels; i++) {
        jsonw_object(j);
        jsonw_kstr(j, "model", row->models[i].model);
        jsonw_kint(j, "runs", row->models[i].runs);
        jsonw_kint(j, "passed", row->models[i].passed);
        jsonw_kint(j, "failed", row->models[i].failed);
        jsonw_end(j);
    }
    jsonw_end(j);
    view_best(j, row->has_best, &row->best);
    jsonw_end(j);
}

void view_job(struct jsonw *j, const struct job_row *row)
{
    static const char *const long_members[] = {"ids", NULL}; /* up to megabytes in one job */
    struct arena a = {0};
    struct jvalue *payload = NULL;
    jread(&a, row->payload, NULL, NULL, &payload, NULL);
    bool asks = slice_is(row->kind, "judge") || slice_is(row->kind, "draft");
    jsonw_object(j);
    jsonw_kstr(j, "id", row->id);
    jsonw_kstr(j, "kind", row->kind);
    jsonw_kstr(j, "collection", row->collection);
    jsonw_kstrz(j, "state", job_state_name(row->state));
    jsonw_kstr(j, "filename", jstr(jget(payload, "filename")));
    jsonw_kraw(j, "wish", asks ? jrest(&a, payload, long_members) : SLICE_NONE);
    jsonw_kraw(j, "progress", row->progress);
    jsonw_kraw(j, "result", row->result);
    jsonw_kstr(j, "error", row->error);
    jsonw_kint(j, "attempts", row->attempts);
    jsonw_kstr(j, "created_at", row->created_at);
    jsonw_kstr(j, "started_at", row->started_at);
    jsonw_kstr(j, "ended_at", row->ended_at);
    jsonw_end(j);
    arena_free(&a);
}

void view_incomplete(struct jsonw *j, const struct incomplete_row *row)
{
    jsonw_object(j);
    jsonw_kstr(j, "run", row->run);
    jsonw_kstr(j, "external_id", row->external_id);
    jsonw_kstr(j, "detector", row->detector);
    jsonw_kstr(j, "reason", row->reason);
    jsonw_end(j);
}

void view_detector(struct jsonw *j, const struct detector_info *info)
{
    jsonw_object(j);
    jsonw_kstr(j, "id", info->id);
    jsonw_kstr(j, "version", info->version);
    jsonw_kstr(j, "title", info->title);
    jsonw_kstr(j, "behavior", info->behavior);
    jsonw_kstrz(j, "kind", kind_name(info->kind));
    jsonw_kstrz(j, "severity", severity_name(info->severity));
    jsonw_kstrz(j, "scope", scope_name(info->scope));
    jsonw_kstr(j, "why", info->why);
    jsonw_kstr(j, "unsure", info->unsure);
    jsonw_kbool(j, "code", info->code);
    jsonw_kbool(j, "enabled", info->enabled);
    jsonw_kstr(j, "source", info->source);
    jsonw_key(j, "parameters");
    if (info->parameters.ptr)
        jsonw_raw(j, info->parameters);
    else
        jsonw_null(j);
    jsonw_kstr(j, "text", info->text);
    jsonw_key(j, "tests");
    jsonw_object(j);
    jsonw_kint(j, "hit", (int64_t)info->tests_hit);
    jsonw_kint(j, "clean", (int64_t)info->tests_clean);
    jsonw_end(j);
    jsonw_kstr(j, "rubric", info->rubric);
    jsonw_end(j);
}

void view_end(struct jsonw *j, const struct page_end *end)
{
    jsonw_kstr(j, "next", end->next);
    view_count(j, "total", end->total == TOTAL_UNKNOWN ? COUNT_UNKNOWN : end->total);
}
