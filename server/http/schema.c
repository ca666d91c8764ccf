#include "http/schema.h"

#include <ctype.h>
#include <string.h>

#define SOURCE "{file: string?, location: string?, format: string?}"
#define RUN \
    "id: uuid, external_id: string?, collection: uuid?, name: string?, task_id: string?, model: string?, agent: string?, attempt: integer?, " \
    "started_at: time?, ended_at: time?, duration_ms: integer?, success: boolean?, exit_status: string?, error: string?, limit: string?, " \
    "tokens_in: integer?, tokens_out: integer?, cost_usd: number?, tags: [string], metadata: object, source: " SOURCE ", " \
    "content_hash: string?, gist: string?, messages: integer, tool_calls: integer, " \
    "scores: [{name: string?, value: any, answer: string?, target: string?, explanation: string?, metadata: object}], " \
    "labels: [{set: string, value: any, who: string?, when: time}], " \
    "transcripts: [{id: string, parent: string?, name: string?, position: integer, messages: integer, metadata: object}], " \
    "findings: KindCounts, first_finding: {id: uuid, detector: string, behavior: string, kind: string, severity: string, title: string, " \
    "evidence: [Evidence]}?"

#define TOKEN \
    "id: string, name: string, scopes: [string], collections: [uuid]?, rate: integer?, max_upload_mb: integer?, made_by: string, created_at: time, " \
    "expires_at: time?, used_at: time?, revoked_at: time?"

#define RUBRIC_ROW \
    "name: string, title: string, behavior: string?, question: string?, kind: string?, version: integer, latest: integer, author: string?, " \
    "note: string?, created_at: time?, shipped: boolean, judgments: integer, flagged: integer"

#define WEBHOOK_MEMBERS \
    "id: uuid, url: string, page: string, events: [string], collection: {id: uuid, name: string}?, paused: boolean, created_at: time, waiting: integer, " \
    "delivered: integer, failed: integer, last_at: time?, last_status: integer?, last_error: string?"
const struct schema schemas[] = {
    {"Object", "object"},
    {"RunRef", "{id: uuid, external_id: string?, name: string?, task_id: string?, model: string?, success: boolean?, source: " SOURCE "}"},
    {"Pruned", "{deleted: integer?, spared: integer?, over_bytes: integer?}"},
    {"State", "{status: string}"},
    {"Reloaded", "{status: string, redact: boolean, waits: string?}"},
    {"DocsPage", "{name: string, title: string, group: string, summary: string, lines: integer?, hits: [{heading: string, line: string}]}"},
    {"DocsText", "{name: string, title: string, group: string, text: string}"},
    {"Changed", "{changed: integer}"},
    {"Deleted", "{deleted: integer}"},
    {"System", "{version: string, database: string, database_bytes: integer, log_bytes: integer, waiting: integer, waiting_bytes: integer, "
               "free_bytes: integer?}"},
    {"Session", "{mode: string, signed_in: boolean, name: string?, token: string?, scopes: [string], collections: [uuid]?, csrf: string?, expires_at: time?}"},
    {"Token", "{" TOKEN "}"},
    {"NewToken", "{" TOKEN ", token: string}"},
    {"Change", "{id: integer, at: time, actor: string, token: string?, address: string?, action: string, target: string?, detail: object?}"},
    {"Problem", "{type: string, title: string, status: integer, detail: string, code: string, instance: string?}"},
    {"KindCounts", "{broken_task: integer, odd_behavior: integer, near_miss: integer, harness: integer, data: integer}"},
    {"Rate", "{value: number, low: number, high: number}"},
    {"Evidence", "{run: uuid?, transcript: string?, position: integer?, message: integer?, part: string, start: integer, end: integer, "
                 "quote: string?, weight: number?}"},
    {"Collection", "{id: uuid, name: string, description: string?, metadata: object, created_at: time?, imported_at: time?, runs: integer, "
                   "passed: integer, failed: integer, flagged: integer, tasks: integer, broken_tasks: integer, findings: integer, bytes: integer, "
                   "keep: string?, quota: string?}"},
    {"Run", "{" RUN "}"},
    {"RunDetail", "{" RUN ", all_findings: [Finding], incomplete: [Incomplete], marks: [{transcript: integer, marks: [[integer]], start: time?, at: [integer?]?}], "
                  "siblings: [{id: uuid, external_id: string?, model: string?, attempt: integer?, success: boolean?, flagged: boolean}]}"},
    {"Message", "{index: integer, role: string, text: string?, reasoning: string?, model: string?, timestamp: time?, duration_ms: integer?, "
                "tokens_in: integer?, tokens_out: integer?, finish_reason: string?, tool_call_id: string?, tool_name: string?, error: string?, "
                "metadata: object, tool_calls: [{position: integer, call_id: string?, name: string?, arguments: string?, parse_error: string?, "
                "metadata: object}], blobs: [{sha256: string?, media_type: string?, size: integer, url: string?}]}"},
    {"Messages", "{items: [Message], from: integer, next: integer?, total: integer, evidence: [{finding: uuid?, detector: string, "
                 "behavior: string, kind: string, severity: string, title: string, status: string, message: integer, part: string, "
                 "start: integer, end: integer, quote: string?}]}"},
    {"Finding", "{id: uuid?, detector: string, detector_version: string?, behavior: string, kind: string, severity: string, "
                "confidence: number, title: string, message: string?, scope: string, status: string, note: string?, reviewer: string?, "
                "exception: uuid?, created_at: time?, task_id: string?, captures: object, evidence: [Evidence], collection: uuid?, "
                "run: RunRef?}"},
    {"Task", "{task_id: string, gist: string?, target: string?, runs: integer, passed: integer, failed: integer, pass_rate: number?, "
             "verdict: string, reasons: [{finding: uuid, detector: string, severity: string, status: string, title: string?}], "
             "findings: KindCounts, models: [{model: string?, runs: integer, passed: integer, failed: integer}], "
             "best: Finding?}"},
    {"TaskGroup", "{text: string?, form: string?, last_words: boolean, runs: integer, passed: integer, failed: integer, members: [{run: uuid, "
                  "external_id: string?, model: string?, success: boolean?, position: integer?, message: integer?}]}"},
    {"TaskDetail",
     "{task: Task, findings: [Finding], looked: integer, answers: [TaskGroup], answers_more: integer, "
     "targets: [{text: string, runs: integer}], targets_more: integer, errors: [TaskGroup], errors_more: integer, "
     "behaviors: [{behavior: string, kind: string, runs: integer}]}"},
    {"Summary",
     "{collection: Collection, runs: integer, passed: integer, failed: integer, unknown: integer, tasks: integer, models: integer, "
     "messages: integer, tool_calls: integer, tokens_in: integer?, tokens_out: integer?, cost_usd: number?, files: integer, "
     "refused: integer, incomplete: integer, pass_rate: Rate?, pass_rate_sound: Rate?, broken_tasks: integer, suspect_tasks: integer, "
     "kinds: <{findings: integer, runs: integer, tasks: integer}>, "
     "detectors: [{detector: string, behavior: string?, kind: string, severity: string, findings: integer, runs: integer, "
     "tasks: integer, open: integer, confirmed: integer, dismissed: integer, excepted: integer}], "
     "behaviors: [{behavior: string, kind: string, findings: integer, runs: integer, tasks: integer, open: integer, "
     "confirmed: integer, dismissed: integer, excepted: integer, best: Finding?}], "
     "by_model: [{model: string?, runs: integer, passed: integer, failed: integer, flagged: integer, pass_rate: Rate?, "
     "pass_rate_sound: Rate?}], facets: [{field: string, values: [{value: string?, runs: integer}]}]}"},
    {"Fields", "{items: [{field: string, type: string, facet: boolean, values: integer, runs: integer}]}"},
    {"Facets", "{total: integer, facets: [{field: string, values: [{value: string?, runs: integer, passed: integer, failed: integer}], more: integer}]}"},
    {"Amount", "{n: integer, sum: number, mean: number, median: number, p90: number}"},
    {"Stats", "{items: [{value: string?, runs: integer, passed: integer, failed: integer, cost_usd: Amount?, tokens: Amount?, duration_ms: Amount?, "
              "messages: Amount?, calls: Amount?}], more: integer}"},
    {"ComparedSide", "{value: string?, runs: integer, passed: integer, failed: integer, tasks: integer, pass_rate: Rate?}"},
    {"ComparedTask", "{runs: integer, passed: integer, failed: integer}"},
    {"Comparison",
     "{by: string, a: ComparedSide, b: ComparedSide, both: integer, without_task: integer, shared_tasks: integer, "
     "outcome: {test: string?, tasks: integer, a: number?, b: number?, difference: number?, low: number?, high: number?, p: number?, "
     "wins: integer, losses: integer, ties: integer}, tasks: [{task_id: string, a: ComparedTask, b: ComparedTask}], more_tasks: integer, "
     "changed: [{what: string, name: string, kind: string?, a: number?, b: number?, difference: number?, low: number?, high: number?, p: number, "
     "adjusted: number, weight: number, tasks: integer, runs_a: integer, runs_b: integer}], "
     "sizes: [{measure: string, edges: [number], a: [integer], b: [integer]}]}"},
    {"RunMap", "{stale: boolean, made_at: time?, about: {contrastive: boolean, sampled_runs: integer, sampled_tasks: integer, pairs: integer, "
               "features: integer, axes: [{agreement: number, low: [string], high: [string]}]}?, scale: integer, runs: [uuid], x: [integer], "
               "y: [integer], field: string, words: [string], values: [number?], numbers: boolean, shown: [integer]}"},
    {"Contrast", "{by: string, a: string, b: string?, runs_a: integer, runs_b: integer, items: [{actions: string, a: number, b: number, p: number, "
                 "shown: [{run: uuid, transcript: integer, message: integer, quote: string}]}]}"},
    {"Incomplete", "{run: uuid, external_id: string?, detector: string, reason: string?}"},
    {"Job", "{id: uuid, kind: string, collection: uuid?, state: string, filename: string?, wish: object?, progress: any, result: any, error: string?, "
            "attempts: integer, created_at: time?, started_at: time?, ended_at: time?}"},
    {"File", "{name: string?, format: string?, bytes: integer, runs: integer, refused: integer}"},
    {"Upload", "{id: uuid, state: string, job: uuid, collection: uuid?, filename: string?, progress: any, result: any, error: string?}"},
    {"Appended", "{run: uuid, transcript: integer, messages: integer, first_index: integer}"},
    {"OtlpAnswer", "object"},
    {"Status", "{code: integer, message: string}"},
    {"LangfuseBatch", "{successes: [{id: string, status: integer}], errors: [{id: string, status: integer, message: string, error: string}]}"},
    {"LangfuseHealth", "{status: string, version: string}"},
    {"LangfuseProjects", "{data: [{id: string, name: string, metadata: object}]}"},
    {"Detector", "{id: string, version: string, title: string, behavior: string, kind: string, severity: string, scope: string, "
                 "why: string?, unsure: string?, code: boolean, enabled: boolean, source: string?, parameters: object?, text: string?, tests: {hit: integer, clean: integer}, "
                 "rubric: string?}"},
    {"OwnRule", "{id: string, version: integer, text: string?, author: string?, note: string?, created_at: time}"},
    {"Webhook", "{" WEBHOOK_MEMBERS "}"},
    {"NewWebhook", "{" WEBHOOK_MEMBERS ", secret: string}"},
    {"Delivery", "{id: uuid, event: string, state: string, attempts: integer, status: integer?, error: string?, created_at: time, next_at: time?, "
                 "ended_at: time?, payload: object}"},
    {"Exception", "{id: uuid, detector: string, when: object, collection: uuid?, collection_name: string?, reviewer: string?, note: string?, "
                  "created_at: time, findings: integer}"},
    {"ExceptionTest", "{findings: integer}"},
    {"ExceptionDeleted", "{reopened: integer}"},
    {"RulesTest", "{problems: [{file: string?, line: integer, column: integer, rule: string?, message: string}], rules: [Detector], "
                  "tests: {run: integer, failed: integer, output: string}, runs: integer, flagged: integer, findings: [Finding], "
                  "incomplete: [Incomplete], complete: boolean}"},
    {"Search", "{items: [{run: uuid, external_id: string?, collection: uuid, task_id: string?, model: string?, success: boolean?, transcript: integer, "
               "message: integer, role: string, tool: string?, part: string, start: integer, end: integer, line: string, "
               "line_start: integer}], next: string?, total: integer?, incomplete: boolean, reason: string?}"},
    {"SearchFacets", "{total: integer, complete: boolean, reason: string?, facets: [{field: string, values: [{value: string?, hits: integer}], "
                     "more: integer}]}"},
    {"RubricRow", "{" RUBRIC_ROW "}"},
    {"Rubric", "{" RUBRIC_ROW ", text: string, rubric: object, fields: [{name: string, type: string, words: [string], low: number?, high: number?, "
               "required: boolean}], decides: string?, positive: [string], problems: [RubricProblem]}"},
    {"RubricProblem", "{line: integer, column: integer, message: string}"},
    {"RubricCheck", "{ok: boolean, problems: [RubricProblem], rubric: object?}"},
    {"Model", "{name: string, origin: string, api: string, url: string, model: string, key: string?, concurrency: integer, timeout: number, "
              "window: integer, price: {in: number, out: number}?, structure: string, logprobs: boolean}"},
    {"Models", "{items: [Model], next: string?, total: integer, default: string?, how: string?, keys: [{name: string, for: string?, present: boolean}], "
               "problems: [string]}"},
    {"Probe", "{works: boolean, said: string, schema: boolean, logprobs: boolean, usage: boolean, took_ms: integer, models: [string]?}"},
    {"Estimate", "{runs: integer, skipped: integer, calls: integer, calls_most: integer, tokens_in: integer, tokens_out: integer, usd: number?, "
                 "usd_most: number?, basis: string, cap: string, max_usd: number?, max_calls: integer?, model: string}"},
    {"Judgment", "{id: uuid?, run: RunRef, collection: uuid?, rubric: string, version: integer, detector: string, judge: string, judge_key: string, "
                 "settings: object?, state: string, answer: object?, decision: string?, explanation: string?, "
                 "distribution: [{value: any, n: integer}]?, share: number?, epistemic_confidence: number?, paired: object?, "
                 "evidence: [Evidence]?, dropped: integer, flagged: boolean, segments: integer, left_out: string?, raw: string?, error: string?, "
                 "calls: integer, cached: integer, tokens_in: integer?, tokens_out: integer?, cost_usd: number?, content_hash: string?, "
                 "created_at: time?, job: string?, stage: integer, stale: boolean, current: boolean}"},
    {"Judge", "{rubric: string, version: integer, judge: string, judge_key: string, settings: object?, judgments: integer, answered: integer, "
              "flagged: integer, failed: integer, unsupported: integer, quotes: integer, dropped: integer, cost_usd: number?, last: time?}"},
    {"DocentCollection", "{id: uuid, name: string, description: string?, metadata: object, created_at: time?, created_by: string}"},
    {"DocentCollections", "[DocentCollection]"},
    {"DocentIds", "[string]"},
    {"DocentJob", "{job_id: uuid, status: string, type: string, created_at: time?, result: any, error: string?}"},
    {"DocentRun", "{id: string, name: string?, description: string?, transcripts: [{id: string, name: string?, description: string?, "
                  "transcript_group_id: string?, created_at: string?, messages: [object], metadata: object}], transcript_groups: [object], "
                  "metadata: object}"},
    {"Label", "{id: string, run: uuid, external_id: string?, task_id: string?, collection: uuid, set: string, value: any, who: string?, when: time?, "
              "split: string?, by_hand: boolean}"},
    {"LabelsPut", "{added: integer, changed: integer, labels: [Label]}"},
    {"LabelSet", "{name: string, title: string?, description: string?, rubric: string?, schema: object?, reading: string, test_share: number, "
                 "created_at: time?, labels: integer, runs: integer, people: integer, declared: boolean}"},
    {"LabelsImported", "{added: integer, changed: integer, same: integer, refused: integer, placed: integer, unplaced: integer, "
                       "errors: [{line: integer, message: string}]}"},
    {"Estimated", "{value: number?, low: number?, high: number?}"},
    {"Agreement",
     "{reference: string, measured: string, field: string?, fields: [string], split: string, test_share: number, n: integer, only_reference: integer, "
     "only_measured: integer, undecided: integer, failed: integer, beyond: integer, confusion: {values: [string], counts: [[integer]]}, "
     "classes: [{value: string, precision: Estimated, recall: Estimated, f1: Estimated, reference: integer, measured: integer, both: integer, "
     "always: {precision: number?, recall: number?, f1: number?}}], accuracy: Estimated, balanced_accuracy: Estimated, macro_f1: Estimated, "
     "kappa: Estimated, weighted_kappa: Estimated?, positive: string?, constant: string?, constant_accuracy: number?, note: string?, "
     "alpha: {value: number?, low: number?, high: number?, level: string, raters: integer, units: integer}?, "
     "calibration: {by: string, bins: [{low: number, high: number, mean_confidence: number?, agreed: Estimated, n: integer}], ece: number?, "
     "brier: number?, n: integer}?, disagreements: [{run: RunRef, reference: any, measured: any, reference_value: string, measured_value: string, "
     "who: string?, confidence: number?, id: string?, explanation: string?, note: string?, evidence: Evidence?}], disagreements_total: integer, "
     "versions: [{version: integer, judge_key: string, note: string?, created_at: time?, n: integer, accuracy: number?, f1: number?, kappa: number?, "
     "cost_usd: number?}]}"},
    {"Rater", "{rater: string, title: string?, n: integer, fields: [string]}"},
    {"DocentTags", "[{id: string, collection_id: uuid, agent_run_id: string, value: string, created_by: string}]"},
    {"BesideStep", "{transcript: integer, message: integer, call: integer?, result: integer?, role: string, name: string?, gist: string, cut: boolean}"},
    {"Beside", "{a: RunRef, b: RunRef, counts: {same: integer, changed: integer, only_a: integer, only_b: integer}, divergence: integer?, "
               "rows: [{what: string, differs: [string], a: BesideStep?, b: BesideStep?}]}"},
    {"Rows", "{columns: [string], rows: [[any]], truncated: boolean}"},
    {"SqlSchema", "{views: [{name: string, about: string, columns: [{name: string, type: string, about: string}]}], functions: [string], "
                  "limits: {seconds: number, memory_bytes: integer, value_bytes: integer, query_bytes: integer, answer_bytes: integer, rows: integer}}"},
    {"SavedQuery", "{id: uuid, name: string, text: string, chart: object?, created_at: time?, updated_at: time?}"},
};
const size_t schema_count = sizeof schemas / sizeof *schemas;

static const struct {
    const char *name, *type, *format;
} plain[] = {{"string", "string", NULL},   {"integer", "integer", NULL}, {"number", "number", NULL}, {"boolean", "boolean", NULL},
             {"object", "object", NULL},   {"any", NULL, NULL},          {"uuid", "string", "uuid"}, {"time", "string", "date-time"}};

static void write_name(struct jsonw *j, struct slice name)
{
    char path[80] = "#/components/schemas/";
    jsonw_object(j);
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        if (!slice_is(name, plain[i].name))
            continue;
        if (plain[i].type)
            jsonw_kstrz(j, "type", plain[i].type);
        if (plain[i].format)
            jsonw_kstrz(j, "format", plain[i].format);
        jsonw_end(j);
        return;
    }
    strncat(path, name.ptr, name.len < 40 ? name.len : 40);
    jsonw_kstrz(j, "$ref", path);
    jsonw_end(j);
}

/* The end of the type that begins at p, without its question mark. */
static const char *type_end(const char *p)
{
    if (isalpha((unsigned char)*p)) {
        while (isalpha((unsigned char)*p))
            p++;
        return p;
    }
    for (int depth = 0; *p; p++) {
        depth += strchr("[{<", *p) != NULL;
        depth -= strchr("]}>", *p) != NULL;
        if (!depth)
            return p + 1;
    }
    return p;
}

static const char *skip(const char *p) { return p + strspn(p, " ,"); }

static const char *write_type(struct jsonw *j, const char *p);

static void write_members(struct jsonw *j, const char *first)
{
    jsonw_kstrz(j, "type", "object");
    jsonw_key(j, "properties");
    jsonw_object(j);
    for (const char *p = first; *p != '}';) {
        const char *colon = strchr(p, ':');
        jsonw_key_slice(j, slice_of(p, (size_t)(colon - p)));
        p = skip(write_type(j, skip(colon + 1)));
    }
    jsonw_end(j);
    jsonw_key(j, "required");
    jsonw_array(j);
    for (const char *p = first; *p != '}';) {
        const char *colon = strchr(p, ':');
        jsonw_str(j, slice_of(p, (size_t)(colon - p)));
        p = type_end(skip(colon + 1));
        p = skip(p + (*p == '?'));
    }
    jsonw_end(j);
}

static const char *write_type(struct jsonw *j, const char *p)
{
    const char *end = type_end(p);
    bool nullable = *end == '?';
    if (nullable) {
        jsonw_object(j);
        jsonw_key(j, "anyOf");
        jsonw_array(j);
    }
    if (isalpha((unsigned char)*p)) {
        write_name(j, slice_of(p, (size_t)(end - p)));
    } else {
        jsonw_object(j);
        if (*p == '{') {
            write_members(j, p + 1);
        } else {
            jsonw_kstrz(j, "type", *p == '[' ? "array" : "object");
            jsonw_key(j, *p == '[' ? "items" : "additionalProperties");
            write_type(j, p + 1);
        }
        jsonw_end(j);
    }
    if (nullable) {
        jsonw_object(j);
        jsonw_kstrz(j, "type", "null");
        jsonw_end(j);
        jsonw_end(j);
        jsonw_end(j);
    }
    return end + nullable;
}

void schema_write(struct jsonw *j, const char *shape) { write_type(j, shape); }
