#include "view/view.h"

#include "base/clock.h"
#include "base/hash.h"

#include <math.h>
#include <stdio.h>

static void kcount(struct json *j, const char *key, int64_t n)
{
    json_key(j, key);
    if (n == COUNT_UNKNOWN)
        json_null(j);
    else
        json_int(j, n);
}

/* JSON text of an object; what is absent is an empty one, so that clients need not ask. */
static void kobject(struct json *j, const char *key, struct slice text)
{
    json_kraw(j, key, text.ptr ? text : slice_str("{}"));
}

static void ksuccess(struct json *j, enum verdict success)
{
    json_key(j, "success");
    if (success == VERDICT_UNKNOWN)
        json_null(j);
    else
        json_bool(j, success == VERDICT_PASSED);
}

static void ksource(struct json *j, const struct source *source)
{
    json_key(j, "source");
    json_object(j);
    json_kstr(j, "file", source->file);
    json_kstr(j, "location", source->location);
    json_kstr(j, "format", source->format);
    json_end(j);
}

/* {"broken_task": n, …} of an array indexed by kind. */
#define KIND_COUNTS(j, key, counts)                          \
    do {                                                     \
        json_key((j), (key));                                \
        json_object(j);                                      \
        for (int kind_ = 0; kind_ < KIND_COUNT; kind_++)     \
            json_kint((j), kind_name(kind_), (counts)[kind_]); \
        json_end(j);                                         \
    } while (0)

/* The source's id of a transcript; where it has none, its position as text. */
static void transcript_id(struct json *j, const struct run *run, int32_t position)
{
    char number[12];
    if (position < 0) {
        json_null(j);
    } else if (run && (size_t)position < run->ntranscripts && run->transcripts[position].id.ptr) {
        json_str(j, run->transcripts[position].id);
    } else {
        snprintf(number, sizeof number, "%d", position);
        json_strz(j, number);
    }
}

static void kindex(struct json *j, const char *key, int32_t n)
{
    json_key(j, key);
    if (n < 0)
        json_null(j);
    else
        json_int(j, n);
}

static void evidence_list(struct json *j, const struct finding *finding, const struct run *run)
{
    json_key(j, "evidence");
    json_array(j);
    for (size_t i = 0; i < finding->nevidence; i++) {
        const struct evidence *ev = &finding->evidence[i];
        json_object(j);
        json_kstr(j, "run", ev->run.ptr || !run ? ev->run : run->id);
        json_key(j, "transcript");
        transcript_id(j, run, ev->transcript);
        kindex(j, "position", ev->transcript);
        kindex(j, "message", ev->message);
        json_kstr(j, "part", ev->part);
        json_kint(j, "start", ev->start);
        json_kint(j, "end", ev->end);
        json_kstr(j, "quote", ev->quote);
        json_end(j);
    }
    json_end(j);
}

void view_collection(struct json *j, const struct collection_row *row)
{
    json_object(j);
    json_kstr(j, "id", row->id);
    json_kstr(j, "name", row->name);
    json_kstr(j, "description", row->description);
    kobject(j, "metadata", row->metadata);
    json_kstr(j, "created_at", row->created_at);
    json_kstr(j, "imported_at", row->imported_at);
    json_kint(j, "runs", row->runs);
    json_kint(j, "passed", row->passed);
    json_kint(j, "failed", row->failed);
    json_kint(j, "flagged", row->flagged);
    json_kint(j, "tasks", row->tasks);
    json_kint(j, "broken_tasks", row->broken_tasks);
    json_kint(j, "findings", row->findings);
    json_end(j);
}

static void score_list(struct json *j, const struct run *run)
{
    json_key(j, "scores");
    json_array(j);
    for (size_t i = 0; i < run->nscores; i++) {
        const struct score *score = &run->scores[i];
        json_object(j);
        json_kstr(j, "name", score->name);
        json_kraw(j, "value", score->value);
        json_kstr(j, "answer", score->answer);
        json_kstr(j, "target", score->target);
        json_kstr(j, "explanation", score->explanation);
        kobject(j, "metadata", score->metadata);
        json_end(j);
    }
    json_end(j);
}

static void duration(struct json *j, const struct run *run)
{
    int64_t from, to;
    bool known = clock_parse(run->started_at, &from) && clock_parse(run->ended_at, &to);
    kcount(j, "duration_ms", known && to >= from ? (to - from) / 1000 : COUNT_UNKNOWN);
}

void view_run_members(struct json *j, const struct run_row *row)
{
    const struct run *run = &row->run;
    json_kstr(j, "id", run->id);
    json_kstr(j, "external_id", run->external_id);
    json_kstr(j, "collection", row->collection);
    json_kstr(j, "name", run->name);
    json_kstr(j, "task_id", run->task_id);
    json_kstr(j, "model", run->model);
    json_kstr(j, "agent", run->agent);
    kcount(j, "attempt", run->attempt);
    json_kstr(j, "started_at", run->started_at);
    json_kstr(j, "ended_at", run->ended_at);
    duration(j, run);
    ksuccess(j, run->success);
    json_kstr(j, "exit_status", run->exit_status);
    json_kstr(j, "error", run->error);
    json_kstr(j, "limit", run->limit);
    kcount(j, "tokens_in", run->tokens_in);
    kcount(j, "tokens_out", run->tokens_out);
    json_knum(j, "cost_usd", run->cost_usd);
    json_key(j, "tags");
    json_array(j);
    for (size_t i = 0; i < run->ntags; i++)
        json_str(j, run->tags[i]);
    json_end(j);
    kobject(j, "metadata", run->metadata);
    ksource(j, &run->source);
    json_kstr(j, "content_hash", row->content_hash);
    json_kstr(j, "gist", row->gist);
    json_kint(j, "messages", row->messages);
    json_kint(j, "tool_calls", row->calls);
    score_list(j, run);

    json_key(j, "transcripts");
    json_array(j);
    for (size_t i = 0; i < run->ntranscripts; i++) {
        const struct transcript *transcript = &run->transcripts[i];
        json_object(j);
        json_key(j, "id");
        transcript_id(j, run, (int32_t)i);
        json_kstr(j, "parent", transcript->parent);
        json_kstr(j, "name", transcript->name);
        json_kint(j, "position", (int64_t)i);
        json_kint(j, "messages", (int64_t)transcript->nmessages);
        kobject(j, "metadata", transcript->metadata);
        json_end(j);
    }
    json_end(j);

    KIND_COUNTS(j, "findings", row->findings);
    json_key(j, "first_finding");
    if (row->has_first) {
        json_object(j);
        json_kstr(j, "id", row->first.id);
        json_kstr(j, "detector", row->first.detector);
        json_kstr(j, "behavior", row->first.behavior);
        json_kstrz(j, "kind", kind_name(row->first.kind));
        json_kstrz(j, "severity", severity_name(row->first.severity));
        json_kstr(j, "title", row->first.title);
        evidence_list(j, &row->first, run);
        json_end(j);
    } else {
        json_null(j);
    }
}

void view_run(struct json *j, const struct run_row *row)
{
    json_object(j);
    view_run_members(j, row);
    json_end(j);
}

void view_message(struct json *j, const struct message *message, uint32_t index)
{
    json_object(j);
    json_kint(j, "index", index);
    json_kstrz(j, "role", role_name(message->role));
    json_kstr(j, "text", message->text);
    json_kstr(j, "reasoning", message->reasoning);
    json_kstr(j, "model", message->model);
    json_kstr(j, "timestamp", message->timestamp);
    kcount(j, "duration_ms", message->duration_ms);
    kcount(j, "tokens_in", message->tokens_in);
    kcount(j, "tokens_out", message->tokens_out);
    json_kstr(j, "finish_reason", message->finish_reason);
    json_kstr(j, "tool_call_id", message->tool_call_id);
    json_kstr(j, "tool_name", message->tool_name);
    json_kstr(j, "error", message->error);
    kobject(j, "metadata", message->metadata);

    json_key(j, "tool_calls");
    json_array(j);
    for (size_t i = 0; i < message->ncalls; i++) {
        const struct tool_call *call = &message->calls[i];
        json_object(j);
        json_kint(j, "position", (int64_t)i);
        json_kstr(j, "call_id", call->call_id);
        json_kstr(j, "name", call->name);
        json_kstr(j, "arguments", call->arguments);
        json_kstr(j, "parse_error", call->parse_error);
        kobject(j, "metadata", call->metadata);
        json_end(j);
    }
    json_end(j);

    json_key(j, "blobs");
    json_array(j);
    for (size_t i = 0; i < message->nblobs; i++)
        view_blob(j, &message->blobs[i]);
    json_end(j);
    json_end(j);
}

void view_blob(struct json *j, const struct blob *blob)
{
    static const unsigned char none[SHA256_SIZE];
    char hex[2 * SHA256_SIZE + 1];
    bool stored = memcmp(blob->sha256, none, sizeof none) != 0; /* else the source only refers to it */
    if (stored)
        hash_hex(blob->sha256, SHA256_SIZE, hex);
    json_object(j);
    json_kstrz(j, "sha256", stored ? hex : NULL);
    json_kstr(j, "media_type", blob->media_type);
    json_kint(j, "size", (int64_t)blob->size);
    json_kstr(j, "url", blob->url);
    json_end(j);
}

void view_finding_members(struct json *j, const struct finding *finding, const struct run *run)
{
    json_kstr(j, "id", finding->id);
    json_kstr(j, "detector", finding->detector);
    json_kstr(j, "detector_version", finding->version);
    json_kstr(j, "behavior", finding->behavior);
    json_kstrz(j, "kind", kind_name(finding->kind));
    json_kstrz(j, "severity", severity_name(finding->severity));
    json_knum(j, "confidence", finding->confidence);
    json_kstr(j, "title", finding->title);
    json_kstr(j, "message", finding->message);
    json_kstrz(j, "scope", scope_name(finding->scope));
    json_kstrz(j, "status", status_name(finding->status));
    json_kstr(j, "note", finding->note);
    json_kstr(j, "reviewer", finding->reviewer);
    json_kstr(j, "created_at", finding->created_at);
    json_kstr(j, "task_id", finding->task_id);
    kobject(j, "captures", finding->captures);
    evidence_list(j, finding, run);
}

void view_finding(struct json *j, const struct finding_row *row)
{
    struct finding finding = row->finding;
    const struct run *run = row->has_run ? &row->run : NULL;
    if (!finding.task_id.ptr && run)
        finding.task_id = run->task_id;
    json_object(j);
    view_finding_members(j, &finding, run);
    json_kstr(j, "collection", row->collection);
    json_key(j, "run");
    if (run) {
        json_object(j);
        json_kstr(j, "id", run->id);
        json_kstr(j, "external_id", run->external_id);
        json_kstr(j, "name", run->name);
        json_kstr(j, "task_id", run->task_id);
        json_kstr(j, "model", run->model);
        ksuccess(j, run->success);
        ksource(j, &run->source);
        json_end(j);
    } else {
        json_null(j);
    }
    json_end(j);
}

static void best_finding(struct json *j, bool has, const struct finding_row *best)
{
    json_key(j, "best");
    if (has)
        view_finding(j, best);
    else
        json_null(j);
}

void view_task(struct json *j, const struct task_row *row)
{
    int64_t known = row->passed + row->failed;
    json_object(j);
    json_kstr(j, "task_id", row->task_id);
    json_kstr(j, "gist", row->gist);
    json_kstr(j, "target", row->target);
    json_kint(j, "runs", row->runs);
    json_kint(j, "passed", row->passed);
    json_kint(j, "failed", row->failed);
    json_knum(j, "pass_rate", known ? (double)row->passed / (double)known : NAN);
    json_kstrz(j, "verdict", task_verdict_name(row->verdict));
    KIND_COUNTS(j, "findings", row->findings);
    json_key(j, "models");
    json_array(j);
    for (size_t i = 0; i < row->nmodels; i++) {
        json_object(j);
        json_kstr(j, "model", row->models[i].model);
        json_kint(j, "runs", row->models[i].runs);
        json_kint(j, "passed", row->models[i].passed);
        json_kint(j, "failed", row->models[i].failed);
        json_end(j);
    }
    json_end(j);
    best_finding(j, row->has_best, &row->best);
    json_end(j);
}

static void rate(struct json *j, const char *key, int64_t passed, int64_t failed)
{
    json_key(j, key);
    double n = (double)(passed + failed);
    if (n <= 0) {
        json_null(j);
        return;
    }
    /* Wilson's score interval: honest for few runs and for rates near 0 and 1, where the textbook one is not. */
    const double z = 1.959963984540054;
    double p = (double)passed / n, middle = p + z * z / (2 * n), spread = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n)), all = 1 + z * z / n;
    json_object(j);
    json_knum(j, "value", p);
    json_knum(j, "low", passed ? fmax(0, (middle - spread) / all) : 0);
    json_knum(j, "high", failed ? fmin(1, (middle + spread) / all) : 1);
    json_end(j);
}

/* The counts that groups by detector and by behaviour share. */
static void group_members(struct json *j, const struct group_count *group)
{
    json_kstrz(j, "kind", kind_name(group->kind));
    json_kint(j, "findings", group->findings);
    json_kint(j, "runs", group->runs);
    json_kint(j, "tasks", group->tasks);
    json_kint(j, "open", group->open);
    json_kint(j, "confirmed", group->confirmed);
    json_kint(j, "dismissed", group->dismissed);
}

static void summary_groups(struct json *j, const struct summary *summary)
{
    json_key(j, "kinds");
    json_object(j);
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        json_key(j, kind_name(kind));
        json_object(j);
        json_kint(j, "findings", summary->kind_findings[kind]);
        json_kint(j, "runs", summary->kind_runs[kind]);
        json_kint(j, "tasks", summary->kind_tasks[kind]);
        json_end(j);
    }
    json_end(j);
    json_key(j, "detectors");
    json_array(j);
    for (size_t i = 0; i < summary->ndetectors; i++) {
        const struct group_count *group = &summary->detectors[i];
        json_object(j);
        json_kstr(j, "detector", group->name);
        json_kstr(j, "behavior", group->behavior);
        json_kstrz(j, "severity", severity_name(group->severity));
        group_members(j, group);
        json_end(j);
    }
    json_end(j);
    json_key(j, "behaviors");
    json_array(j);
    for (size_t i = 0; i < summary->nbehaviors; i++) {
        const struct group_count *group = &summary->behaviors[i];
        json_object(j);
        json_kstr(j, "behavior", group->name);
        group_members(j, group);
        best_finding(j, group->has_best, &group->best);
        json_end(j);
    }
    json_end(j);
}

void view_summary(struct json *j, const struct summary *summary)
{
    json_object(j);
    json_key(j, "collection");
    view_collection(j, &summary->collection);
    json_kint(j, "runs", summary->runs);
    json_kint(j, "passed", summary->passed);
    json_kint(j, "failed", summary->failed);
    json_kint(j, "unknown", summary->unknown);
    json_kint(j, "tasks", summary->tasks);
    json_kint(j, "models", summary->models);
    json_kint(j, "messages", summary->messages);
    json_kint(j, "tool_calls", summary->calls);
    kcount(j, "tokens_in", summary->tokens_in);
    kcount(j, "tokens_out", summary->tokens_out);
    json_knum(j, "cost_usd", summary->cost_usd);
    json_kint(j, "files", summary->files);
    json_kint(j, "refused", summary->refused);
    json_kint(j, "incomplete", summary->incomplete);
    rate(j, "pass_rate", summary->passed, summary->failed);
    rate(j, "pass_rate_sound", summary->sound_passed, summary->sound_failed);
    json_kint(j, "broken_tasks", summary->broken_tasks);
    json_kint(j, "suspect_tasks", summary->suspect_tasks);
    summary_groups(j, summary);

    json_key(j, "by_model");
    json_array(j);
    for (size_t i = 0; i < summary->nby_model; i++) {
        json_object(j);
        json_kstr(j, "model", summary->by_model[i].model);
        json_kint(j, "runs", summary->by_model[i].runs);
        json_kint(j, "passed", summary->by_model[i].passed);
        json_kint(j, "failed", summary->by_model[i].failed);
        json_kint(j, "flagged", summary->by_model[i].flagged);
        rate(j, "pass_rate", summary->by_model[i].passed, summary->by_model[i].failed);
        rate(j, "pass_rate_sound", summary->by_model[i].sound_passed, summary->by_model[i].sound_failed);
        json_end(j);
    }
    json_end(j);
    json_key(j, "facets");
    json_array(j);
    for (size_t i = 0; i < summary->nfacets; i++) {
        const struct facet *facet = &summary->facets[i];
        json_object(j);
        json_kstr(j, "field", facet->field);
        json_key(j, "values");
        json_array(j);
        for (size_t k = 0; k < facet->n; k++) {
            json_object(j);
            json_kstr(j, "value", facet->values[k].value);
            json_kint(j, "runs", facet->values[k].runs);
            json_end(j);
        }
        json_end(j);
        json_end(j);
    }
    json_end(j);
    json_end(j);
}

void view_job(struct json *j, const struct job_row *row)
{
    json_object(j);
    json_kstr(j, "id", row->id);
    json_kstr(j, "kind", row->kind);
    json_kstr(j, "collection", row->collection);
    json_kstrz(j, "state", job_state_name(row->state));
    json_kraw(j, "progress", row->progress);
    json_kraw(j, "result", row->result);
    json_kstr(j, "error", row->error);
    json_kint(j, "attempts", row->attempts);
    json_kstr(j, "created_at", row->created_at);
    json_kstr(j, "started_at", row->started_at);
    json_kstr(j, "ended_at", row->ended_at);
    json_end(j);
}

void view_search_hit(struct json *j, const struct search_hit *hit)
{
    json_object(j);
    json_kstr(j, "run", hit->run);
    json_kstr(j, "external_id", hit->external_id);
    json_kstr(j, "collection", hit->collection);
    json_kstr(j, "task_id", hit->task_id);
    json_kstr(j, "model", hit->model);
    json_kint(j, "transcript", hit->transcript);
    json_kint(j, "message", hit->message);
    json_kstrz(j, "role", role_name(hit->role));
    json_kstr(j, "tool", hit->tool);
    json_kstr(j, "part", hit->part);
    json_kint(j, "start", hit->start);
    json_kint(j, "end", hit->end);
    json_kstr(j, "line", hit->line);
    json_kint(j, "line_start", hit->line_start);
    json_end(j);
}

void view_detector(struct json *j, const struct detector_info *info)
{
    json_object(j);
    json_kstr(j, "id", info->id);
    json_kstr(j, "version", info->version);
    json_kstr(j, "title", info->title);
    json_kstr(j, "behavior", info->behavior);
    json_kstrz(j, "kind", kind_name(info->kind));
    json_kstrz(j, "severity", severity_name(info->severity));
    json_kstrz(j, "scope", scope_name(info->scope));
    json_kstr(j, "why", info->why);
    json_kstr(j, "unsure", info->unsure);
    json_kbool(j, "code", info->code);
    json_kstr(j, "source", info->source);
    json_key(j, "tests");
    json_object(j);
    json_kint(j, "hit", (int64_t)info->tests_hit);
    json_kint(j, "clean", (int64_t)info->tests_clean);
    json_end(j);
    json_end(j);
}

void view_end(struct json *j, const struct page_end *end)
{
    json_kstr(j, "next", end->next);
    kcount(j, "total", end->total == TOTAL_UNKNOWN ? COUNT_UNKNOWN : end->total);
}
