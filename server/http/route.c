#include "http/route.h"

#include "http/params.h"

/* ---- the table -------------------------------------------------------------------------------------------------------- */

#define API "/api/v1"
#define REST "/rest"

/* The scope that is needed, and whose the thing is (route.h). */
#define NEEDS(need_, of_) .need = NEED_##need_, .of = OF_##of_
#define READ(path_) .method = "GET", .path = (path_), .lane = LANE_READ, .status = 200
#define WRITE(method_, path_) .method = (method_), .path = (path_), .lane = LANE_WRITE
#define OTLP(path_) \
    WRITE("POST", path_), .body = BODY_BYTES, .takes = "application/x-protobuf|application/json", .status = 200, .problem = otlp_problem, .makes = true, .streams = true, \
    .schema = "OtlpAnswer"
#define PAGE(path_) {.method = "GET", .path = (path_), NEEDS(NONE, NOTHING), .handle = page_index, .lane = LANE_INLINE, .status = 200}

const struct route routes[] = {
    {READ(API "/collections"), NEEDS(READ, OWN), .handle = api_collections, .query = {page_params}, .schema = "[Collection]", .summary = "All collections"},
    {WRITE("POST", API "/collections"), NEEDS(INGEST, ALL), .handle = api_collection_add, .body = BODY_JSON, .fields = collection_fields, .status = 201,
     .schema = "Collection", .summary = "A new collection"},
    {READ(API "/collections/{c}"), NEEDS(READ, COLLECTION), .handle = api_collection, .schema = "Collection", .summary = "One collection"},
    {WRITE("PATCH", API "/collections/{c}"), NEEDS(ADMIN, COLLECTION), .handle = api_collection_change, .body = BODY_JSON, .fields = collection_change_fields,
     .status = 200, .schema = "Collection", .summary = "Change name, description or metadata"},
    {WRITE("DELETE", API "/collections/{c}"), NEEDS(ADMIN, COLLECTION), .handle = api_collection_delete, .status = 204, .summary = "Delete a collection and all in it"},
    {WRITE("POST", API "/collections/{c}/uploads"), NEEDS(INGEST, COLLECTION), .handle = api_upload_add, .query = {upload_params}, .body = BODY_SPOOL, .status = 202,
     .schema = "Upload", .summary = "Put transcripts in: any format, compressed or not, as the raw body. 200 when it ends within `wait`"},
    {READ(API "/collections/{c}/files/{hash}"), NEEDS(STATE, COLLECTION), .handle = api_file, .schema = "File",
     .summary = "What a file of these bytes gave when it was imported; 404 where it was not. `hash` is its 128-bit BLAKE2b in hexadecimal"},
    {READ(API "/uploads/{id}"), NEEDS(STATE, JOB), .handle = api_upload, .query = {wait_params}, .schema = "Upload", .summary = "How an upload is doing"},
    {READ(API "/collections/{c}/summary"), NEEDS(READ, COLLECTION), .handle = api_summary, .schema = "Summary", .summary = "Counts, pass rates, findings, facets"},
    {READ(API "/collections/{c}/runs"), NEEDS(READ, COLLECTION), .handle = api_runs, .query = {page_params, runs_params, run_filter_params}, .schema = "[Run]",
     .summary = "Runs of a collection"},
    {READ(API "/collections/{c}/fields"), NEEDS(READ, COLLECTION), .handle = api_fields, .schema = "Fields",
     .summary = "What runs of a collection can be filtered, grouped and sorted by, metadata and scores too"},
    {READ(API "/collections/{c}/facets"), NEEDS(READ, COLLECTION), .handle = api_facets, .query = {facets_params, run_filter_params}, .schema = "Facets",
     .summary = "How many runs have which value of a field; what the filter asks of that field itself does not count for it"},
    {READ(API "/collections/{c}/stats"), NEEDS(READ, COLLECTION), .handle = api_stats, .query = {stats_params, run_filter_params}, .schema = "Stats",
     .summary = "Cost, tokens, time and length of runs, by the values of a field"},
    {READ(API "/collections/{c}/tasks"), NEEDS(READ, COLLECTION), .handle = api_tasks, .query = {page_params, run_filter_params}, .schema = "[Task]",
     .summary = "Tasks of a collection, broken ones first"},
    {READ(API "/collections/{c}/tasks/{task}"), NEEDS(READ, COLLECTION), .handle = api_task, .schema = "TaskDetail",
     .summary = "One task: verdict, what its runs answered beside the target, the errors they share"},
    {READ(API "/collections/{c}/findings"), NEEDS(READ, COLLECTION), .handle = api_findings, .query = {page_params, run_filter_params}, .schema = "[Finding]",
     .summary = "Findings of a collection"},
    {.method = "GET", .path = API "/collections/{c}/compare", NEEDS(READ, COLLECTION), .lane = LANE_LONG, .handle = api_compare, .query = {compare_params, run_filter_params},
     .status = 200, .schema = "Comparison",
     .summary = "Two groups of runs over the tasks that both ran: outcome, paired, and what changed, by how sure that is. Differences are b less a"},
    {.method = "GET", .path = API "/collections/{c}/contrast", NEEDS(READ, COLLECTION), .lane = LANE_LONG, .handle = api_contrast,
     .query = {compare_params, run_filter_params}, .status = 200, .schema = "Contrast",
     .summary = "Which actions in a row one group has and the other lacks, task by task, with calls where they stand"},
    {.method = "GET", .path = API "/collections/{c}/map", NEEDS(READ, COLLECTION), .lane = LANE_LONG, .handle = api_map, .query = {map_params, run_filter_params}, .status = 200,
     .schema = "RunMap", .summary = "Where each run is drawn, what it has of a field, and whether the filter lets it through; `made_at` is null where no map was made yet"},
    {WRITE("POST", API "/collections/{c}/map"), NEEDS(REVIEW, COLLECTION), .handle = api_map_make, .body = BODY_JSON, .fields = no_fields, .status = 202, .schema = "Job",
     .summary = "Draw the map of the collection's runs: those that do and say alike near one another, attempts at one task being taken as alike"},
    {READ(API "/collections/{c}/incomplete"), NEEDS(READ, COLLECTION), .handle = api_incomplete, .query = {incomplete_params}, .schema = "[Incomplete]",
     .summary = "Detectors that met a limit of time or work on a run, and so may have missed something there"},
    {.method = "GET", .path = API "/collections/{c}/export", NEEDS(READ, COLLECTION), .lane = LANE_LONG, .handle = api_export, .query = {export_params, run_filter_params},
     .status = 200, .type = "application/jsonl", .summary = "Everything of a collection, or the runs that a filter names"},
    {.method = "POST", .path = API "/collections/{c}/export", NEEDS(READ, COLLECTION), .lane = LANE_LONG, .handle = api_export_some, .body = BODY_JSON, .fields = export_fields,
     .status = 200, .type = "application/jsonl", .summary = "The runs of a selection: by ids, by filter, or both"},
    {WRITE("POST", API "/collections/{c}/scans"), NEEDS(REVIEW, COLLECTION), .handle = api_scan, .body = BODY_JSON, .fields = scan_fields, .status = 202, .schema = "Job",
     .summary = "Run the detectors again"},
    {WRITE("POST", API "/runs/delete"), NEEDS(ADMIN, OWN), .handle = api_runs_delete, .body = BODY_JSON, .fields = runs_delete_fields, .status = 200, .schema = "Deleted",
     .summary = "Delete runs by ids or by filter"},
    {WRITE("POST", API "/runs/tags"), NEEDS(REVIEW, OWN), .handle = api_tag, .body = BODY_JSON, .fields = tag_fields, .status = 200, .schema = "Changed",
     .summary = "Tag runs, by ids or by filter"},
    {READ(API "/runs/{id}"), NEEDS(READ, RUN), .handle = api_run, .schema = "RunDetail", .summary = "One run, without its messages"},
    {.method = "GET", .path = API "/runs/{a}/compare/{b}", NEEDS(READ, RUN), .lane = LANE_LONG, .handle = api_run_compare, .status = 200, .schema = "Beside",
     .summary = "Two runs step by step, aligned by what they do, and where they part first"},
    {WRITE("DELETE", API "/runs/{id}"), NEEDS(ADMIN, RUN), .handle = api_run_delete, .status = 204, .summary = "Delete a run"},
    {READ(API "/runs/{id}/messages"), NEEDS(READ, RUN), .handle = api_messages, .query = {messages_params}, .schema = "Messages",
     .summary = "Messages by index, with the evidence that touches them"},
    {WRITE("POST", API "/runs/{id}/messages"), NEEDS(INGEST, RUN), .handle = api_messages_add, .streams = true, .body = BODY_BYTES, .status = 200, .schema = "Appended",
     .summary = "Add to a run that is still going: a message, a list, or {messages, transcript?, finished?, success?, …}; "
                "Idempotency-Key honoured"},
    {READ(API "/blobs/{sha256}"), NEEDS(READ, BLOB), .handle = api_blob, .type = "application/octet-stream", .summary = "An image or another binary part"},
    {WRITE("POST", API "/findings/review"), NEEDS(REVIEW, OWN), .handle = api_findings_review, .body = BODY_JSON, .fields = review_many_fields, .status = 200,
     .schema = "Changed", .summary = "Review many findings, by ids or by filter"},
    {READ(API "/findings/{id}"), NEEDS(READ, FINDING), .handle = api_finding, .schema = "Finding", .summary = "One finding"},
    {WRITE("PATCH", API "/findings/{id}"), NEEDS(REVIEW, FINDING), .handle = api_finding_review, .body = BODY_JSON, .fields = review_fields, .status = 200,
     .schema = "Finding", .summary = "Review a finding"},
    {READ(API "/labels"), NEEDS(READ, OWN), .handle = api_labels, .query = {page_params, labels_query}, .schema = "[Label]", .summary = "What people said of runs"},
    {WRITE("POST", API "/labels"), NEEDS(REVIEW, OWN), .handle = api_label_add, .body = BODY_BYTES, .status = 200, .schema = "LabelsPut",
     .summary = "Give a label {\"run\", \"set\", \"value\", \"who\", \"split\", \"collection\"}, or {\"labels\": […]}; the same person's earlier one is replaced"},
    {WRITE("DELETE", API "/labels/{id}"), NEEDS(REVIEW, LABEL), .handle = api_label_delete, .status = 204, .summary = "Take a label back"},
    {READ(API "/labels/sets"), NEEDS(READ, OWN), .handle = api_label_sets, .query = {label_sets_query}, .schema = "[LabelSet]", .summary = "All label sets"},
    {WRITE("POST", API "/labels/sets"), NEEDS(REVIEW, ALL), .handle = api_label_set_add, .body = BODY_JSON, .fields = label_set_fields, .status = 201,
     .schema = "LabelSet", .summary = "A new label set"},
    {READ(API "/labels/sets/{id}"), NEEDS(READ, SHARED), .handle = api_label_set, .schema = "LabelSet", .summary = "One label set"},
    {WRITE("PATCH", API "/labels/sets/{id}"), NEEDS(REVIEW, ALL), .handle = api_label_set_change, .body = BODY_JSON, .fields = label_set_change_fields, .status = 200,
     .schema = "LabelSet", .summary = "Change a label set"},
    {WRITE("DELETE", API "/labels/sets/{id}"), NEEDS(REVIEW, ALL), .handle = api_label_set_delete, .status = 204,
     .summary = "Delete a label set with the labels that were given here"},
    {WRITE("POST", API "/labels/import"), NEEDS(REVIEW, OWN), .handle = api_labels_import, .query = {labels_import_query}, .body = BODY_BYTES, .status = 200,
     .schema = "LabelsImported", .summary = "Labels from a table, a list or a benchmark, as the raw body; rows that do not fit are refused by line"},
    {.method = "GET", .path = API "/labels/export", NEEDS(READ, OWN), .lane = LANE_LONG, .handle = api_labels_export, .query = {labels_export_query}, .status = 200,
     .type = "application/jsonl", .summary = "All labels of a set"},
    {.method = "GET", .path = API "/agreement", NEEDS(READ, OWN), .lane = LANE_LONG, .handle = api_agreement, .query = {agreement_query}, .status = 200,
     .schema = "Agreement", .summary = "How far two raters agree: people, judges, detectors, each against any"},
    {READ(API "/agreement/raters"), NEEDS(READ, OWN), .handle = api_raters, .query = {raters_query}, .schema = "[Rater]", .summary = "Who can be compared"},
    {READ(API "/detectors"), NEEDS(READ, OWN), .handle = api_detectors, .query = {detectors_query}, .schema = "[Detector]", .summary = "All detectors"},
    {READ(API "/rules"), NEEDS(READ, SHARED), .handle = api_own_rules, .schema = "[OwnRule]", .summary = "Rules of one's own, each in its latest version"},
    {.method = "GET", .path = API "/rules/schema", NEEDS(READ, SHARED), .lane = LANE_INLINE, .handle = api_rule_schema, .status = 200, .schema = "object",
     .summary = "JSON Schema of the rule language"},
    {READ(API "/rules/{id}/versions"), NEEDS(READ, SHARED), .handle = api_own_rule_versions, .schema = "[OwnRule]", .summary = "All versions of a rule of one's own, the latest first"},
    {WRITE("PUT", API "/rules/{id}"), NEEDS(ADMIN, ALL), .handle = api_own_rule_put, .body = BODY_JSON, .fields = own_rule_fields, .status = 200, .schema = "OwnRule",
     .summary = "Save a rule of one's own, which every later import and scan uses; it takes the place of a shipped one of its id. 400 where it has"
                " problems or its tests do not hold"},
    {WRITE("DELETE", API "/rules/{id}"), NEEDS(ADMIN, ALL), .handle = api_own_rule_delete, .status = 204, .summary = "Take a rule of one's own away"},
    {READ(API "/exceptions"), NEEDS(READ, OWN), .handle = api_exceptions, .query = {exceptions_query}, .schema = "[Exception]",
     .summary = "What detectors are not to find, and how many findings each exception sets aside"},
    {WRITE("POST", API "/exceptions"), NEEDS(REVIEW, OWN), .handle = api_exception_add, .body = BODY_JSON, .fields = exception_fields, .status = 201, .schema = "Exception",
     .summary = "Set findings of a detector aside: those that there are, and those of every later import and scan"},
    {.method = "POST", .path = API "/exceptions/test", NEEDS(REVIEW, OWN), .lane = LANE_LONG, .handle = api_exception_test, .body = BODY_JSON, .fields = exception_fields,
     .status = 200, .schema = "ExceptionTest", .summary = "How many findings an exception would set aside, without storing it"},
    {WRITE("DELETE", API "/exceptions/{id}"), NEEDS(REVIEW, EXCEPTION), .handle = api_exception_delete, .status = 200, .schema = "ExceptionDeleted",
     .summary = "Take an exception back: what it set aside is open again"},
    {.method = "POST", .path = API "/rules/test", NEEDS(READ, OWN), .lane = LANE_LONG, .handle = api_rules_test, .body = BODY_JSON, .fields = rules_test_fields,
     .status = 200, .schema = "RulesTest", .summary = "What rules would flag, without storing anything"},
    {.method = "GET", .path = API "/search", NEEDS(READ, OWN), .lane = LANE_LONG, .handle = api_search, .query = {search_params, search_run_params, search_page_params},
     .status = 200, .schema = "Search", .summary = "Messages that match words or a pattern"},
    {.method = "GET", .path = API "/search/facets", NEEDS(READ, OWN), .lane = LANE_LONG, .handle = api_search_facets, .query = {search_params, search_run_params},
     .status = 200, .schema = "SearchFacets", .summary = "How many of these there are: by collection, role, tool, model, task and outcome, each field "
     "counted as if nothing were asked of it itself"},
    {.method = "POST", .path = API "/sql", NEEDS(READ, OWN), .lane = LANE_LONG, .handle = api_sql, .body = BODY_JSON, .fields = sql_fields, .status = 200,
     .schema = "Rows", .summary = "Read-only SQL over the documented views; of a token for some collections, over their rows alone. Integers have all their digits, also beyond 2^53 (read them with a "
     "parser that keeps them); infinity, which JSON has no number for, is the text \"Infinity\" or \"-Infinity\"; a blob is hexadecimal"},
    {READ(API "/sql/schema"), NEEDS(READ, SHARED), .handle = api_sql_schema, .schema = "SqlSchema", .summary = "What SQL may read: views, columns, functions, limits"},
    {READ(API "/queries"), NEEDS(READ, SHARED), .handle = api_queries, .schema = "[SavedQuery]", .summary = "Queries that people kept"},
    {WRITE("POST", API "/queries"), NEEDS(REVIEW, ALL), .handle = api_query_add, .body = BODY_JSON, .fields = query_fields, .status = 201, .schema = "SavedQuery",
     .summary = "Keep a query"},
    {WRITE("PUT", API "/queries/{id}"), NEEDS(REVIEW, ALL), .handle = api_query_change, .body = BODY_JSON, .fields = query_fields, .status = 200,
     .schema = "SavedQuery", .summary = "Change a kept query"},
    {WRITE("DELETE", API "/queries/{id}"), NEEDS(REVIEW, ALL), .handle = api_query_delete, .status = 204, .summary = "Delete a kept query"},
    {READ(API "/rubrics"), NEEDS(READ, SHARED), .handle = api_rubrics, .query = {page_params}, .schema = "[RubricRow]", .summary = "All rubrics, each in its latest version"},
    {WRITE("POST", API "/rubrics"), NEEDS(ADMIN, ALL), .handle = api_rubric_add, .body = BODY_JSON, .fields = rubric_fields, .status = 201, .schema = "Rubric",
     .summary = "A new rubric"},
    {.method = "POST", .path = API "/rubrics/check", NEEDS(READ, SHARED), .lane = LANE_READ, .handle = api_rubric_check, .body = BODY_JSON,
     .fields = rubric_check_fields, .status = 200, .schema = "RubricCheck", .summary = "What is wrong with the text of a rubric, and where"},
    {WRITE("POST", API "/rubrics/draft"), NEEDS(ADMIN, OWN), .handle = api_rubric_draft, .body = BODY_JSON, .fields = draft_fields, .status = 202, .schema = "Job",
     .summary = "Have a model draft a rubric from a sentence, or an edit of one from where it disagrees with people"},
    {READ(API "/rubrics/{id}"), NEEDS(READ, SHARED), .handle = api_rubric, .query = {rubric_query}, .schema = "Rubric", .summary = "One rubric, by its name"},
    {WRITE("PUT", API "/rubrics/{id}"), NEEDS(ADMIN, ALL), .handle = api_rubric_change, .body = BODY_JSON, .fields = rubric_fields, .status = 200,
     .schema = "Rubric", .summary = "Add a version; nothing where the text means what the latest one does"},
    {WRITE("DELETE", API "/rubrics/{id}"), NEEDS(ADMIN, ALL), .handle = api_rubric_delete, .status = 204, .summary = "Delete a rubric that was never used"},
    {READ(API "/rubrics/{id}/versions"), NEEDS(READ, SHARED), .handle = api_rubric_versions, .query = {page_params}, .schema = "[RubricRow]",
     .summary = "All versions of a rubric, newest first"},
    {READ(API "/models"), NEEDS(READ, ALL), .handle = api_models, .schema = "Models", .summary = "Connections to models, and the names of keys"},
    {.method = "POST", .path = API "/models/test", NEEDS(ADMIN, ALL), .lane = LANE_CALL, .handle = api_model_try, .body = BODY_JSON, .fields = model_fields,
     .status = 200, .schema = "Probe", .summary = "Does a connection work? Nothing is stored"},
    {WRITE("PUT", API "/models/{id}"), NEEDS(ADMIN, ALL), .handle = api_model_put, .body = BODY_JSON, .fields = model_fields, .status = 200, .schema = "Model",
     .summary = "Store a connection under its name"},
    {WRITE("DELETE", API "/models/{id}"), NEEDS(ADMIN, ALL), .handle = api_model_delete, .status = 204, .summary = "Delete a stored connection"},
    {.method = "POST", .path = API "/models/{id}/test", NEEDS(ADMIN, ALL), .lane = LANE_CALL, .handle = api_model_test, .body = BODY_JSON, .fields = no_fields,
     .status = 200, .schema = "Probe", .summary = "Does this connection work? One small question is asked"},
    {.method = "POST", .path = API "/judgments/estimate", NEEDS(READ, OWN), .lane = LANE_LONG, .handle = api_judgments_estimate, .body = BODY_JSON,
     .fields = judge_fields, .status = 200, .schema = "Estimate", .summary = "What judging would take: calls, tokens, money"},
    {READ(API "/judgments"), NEEDS(READ, OWN), .handle = api_judgments, .query = {page_params, judgments_query}, .schema = "[Judgment]",
     .summary = "Judgments, newest first"},
    {WRITE("POST", API "/judgments"), NEEDS(ADMIN, OWN), .handle = api_judgments_add, .body = BODY_JSON, .fields = judge_fields, .status = 202, .schema = "Job",
     .summary = "Judge runs with a model; Idempotency-Key honoured"},
    {READ(API "/judgments/{id}"), NEEDS(READ, JUDGMENT), .handle = api_judgment, .schema = "Judgment", .summary = "One judgment, with its evidence"},
    {READ(API "/judges"), NEEDS(READ, OWN), .handle = api_judges, .query = {judges_query}, .schema = "[Judge]", .summary = "Who has judged what, and what it cost"},
    {READ(API "/jobs"), NEEDS(READ, OWN), .handle = api_jobs, .query = {page_params, jobs_params}, .schema = "[Job]", .summary = "All jobs, newest first"},
    {READ(API "/jobs/{id}"), NEEDS(READ, JOB), .handle = api_job, .query = {wait_params}, .schema = "Job", .summary = "How a job is doing"},
    {WRITE("DELETE", API "/jobs/{id}"), NEEDS(REVIEW, JOB), .handle = api_job_cancel, .status = 200, .schema = "Job", .summary = "Cancel a job"},
    {WRITE("POST", API "/jobs/{id}/retry"), NEEDS(REVIEW, JOB), .handle = api_job_retry, .body = BODY_JSON, .fields = no_fields, .status = 200, .schema = "Job",
     .summary = "Put a job that failed or was cancelled back in the queue"},
    {READ(API "/webhooks"), NEEDS(ADMIN, ALL), .handle = api_webhooks, .schema = "[Webhook]", .summary = "Who is told when jobs end"},
    {WRITE("POST", API "/webhooks"), NEEDS(ADMIN, ALL), .handle = api_webhook_add, .body = BODY_JSON, .fields = webhook_fields, .status = 201,
     .schema = "NewWebhook", .summary = "Tell another server when jobs end. `secret`, which signs what it is told, is shown this once"},
    {WRITE("PATCH", API "/webhooks/{id}"), NEEDS(ADMIN, ALL), .handle = api_webhook_change, .body = BODY_JSON, .fields = webhook_change_fields,
     .status = 200, .schema = "Webhook", .summary = "Change or pause a webhook"},
    {WRITE("DELETE", API "/webhooks/{id}"), NEEDS(ADMIN, ALL), .handle = api_webhook_delete, .status = 204,
     .summary = "Delete a webhook, and what it was still to be told"},
    {WRITE("POST", API "/webhooks/{id}/test"), NEEDS(ADMIN, ALL), .handle = api_webhook_test, .body = BODY_JSON, .fields = no_fields, .status = 202,
     .schema = "Delivery", .summary = "Tell it something now"},
    {READ(API "/webhooks/{id}/deliveries"), NEEDS(ADMIN, ALL), .handle = api_deliveries, .schema = "[Delivery]",
     .summary = "What it was told, or is to be told, the newest hundred"},
    {READ(API "/system"), NEEDS(READ, ALL), .handle = api_system, .schema = "System", .summary = "The program's version, and what its files take"},
    {WRITE("POST", API "/prune"), NEEDS(ADMIN, ALL), .handle = api_prune, .body = BODY_JSON, .fields = prune_fields, .status = 202, .schema = "Pruned",
     .summary = "Delete runs past their time now, as is done every hour (a job of kind prune); with dry_run only count them"},
    {WRITE("POST", API "/reload"), NEEDS(ADMIN, ALL), .handle = api_reload, .body = BODY_JSON, .fields = no_fields, .status = 200, .schema = "Reloaded",
     .summary = "Read rules, settings and certificates again, as SIGHUP does; what is wrong in them stays as it was"},
    {WRITE("POST", API "/sample"), NEEDS(ADMIN, ALL), .handle = api_sample, .body = BODY_JSON, .fields = no_fields, .status = 202, .schema = "Job",
     .summary = "Load the sample collection"},
    {READ(API "/docs"), NEEDS(NONE, NOTHING), .handle = api_docs, .query = {docs_params}, .schema = "[DocsPage]", .summary = "The pages of the documentation"},
    {READ(API "/docs/{name}"), NEEDS(NONE, SHARED), .handle = api_docs_page, .schema = "DocsText", .summary = "One page of it, as Markdown"},

    {READ(API "/session"), NEEDS(NONE, SESSION), .handle = api_session, .schema = "Session",
     .summary = "Who is signed in, and what they may do; where the server is open, everybody everything"},
    {WRITE("POST", API "/session"), NEEDS(NONE, SESSION), .handle = api_session_add, .body = BODY_JSON, .fields = session_fields, .status = 200,
     .schema = "Session", .summary = "Sign a browser in with a token: sets a cookie, and gives the value of X-Telltale-CSRF that writes need with it"},
    {WRITE("DELETE", API "/session"), NEEDS(NONE, SESSION), .handle = api_session_delete, .status = 204, .summary = "Sign out"},
    {READ(API "/tokens"), NEEDS(ADMIN, ALL), .handle = api_tokens, .schema = "[Token]", .summary = "All tokens, newest first, those that were revoked too"},
    {WRITE("POST", API "/tokens"), NEEDS(ADMIN, ALL), .handle = api_token_add, .body = BODY_JSON, .fields = token_fields, .status = 201,
     .schema = "NewToken", .summary = "Make a token. What its owner sends is shown here and never again"},
    {WRITE("DELETE", API "/tokens/{id}"), NEEDS(ADMIN, ALL), .handle = api_token_revoke, .status = 204,
     .summary = "Revoke a token, and end the sessions of those who signed in with it"},
    {READ(API "/audit"), NEEDS(ADMIN, ALL), .handle = api_audit, .query = {page_params, audit_query}, .schema = "[Change]",
     .summary = "Who changed what, newest first"},

    {OTLP("/v1/traces"), NEEDS(INGEST, OWN), .handle = api_otlp, .summary = "Spans over OTLP/HTTP: runs are made of them when their trace is quiet. Into the collection "
     "that the header X-Telltale-Collection names, else the resource's telltale.collection or service.name"},
    {OTLP(API "/collections/{c}/otlp/v1/traces"), NEEDS(INGEST, COLLECTION), .handle = api_otlp, .summary = "The same into one collection, made where it is missing"},
    {OTLP("/v1/logs"), NEEDS(INGEST, OWN), .handle = api_otlp_logs, .summary = "Log records over OTLP/HTTP: the events of traces, as the GenAI conventions have them"},
    {OTLP(API "/collections/{c}/otlp/v1/logs"), NEEDS(INGEST, COLLECTION), .handle = api_otlp_logs, .summary = "The same into one collection"},
    {OTLP("/api/public/otel/v1/traces"), NEEDS(INGEST, OWN), .handle = api_langfuse_otlp, .summary = "The same as Langfuse's SDKs send it: key pk-lf-COLLECTION"},
    {WRITE("POST", "/api/public/ingestion"), NEEDS(INGEST, OWN), .handle = api_langfuse, .streams = true, .body = BODY_BYTES, .status = 207, .schema = "LangfuseBatch",
     .summary = "Events as Langfuse's SDKs send them: key pk-lf-COLLECTION"},
    {.method = "GET", .path = "/api/public/health", NEEDS(NONE, NOTHING), .lane = LANE_INLINE, .handle = api_langfuse_health, .status = 200, .schema = "LangfuseHealth",
     .summary = "What Langfuse's SDKs ask first"},
    {.method = "GET", .path = "/api/public/projects", NEEDS(ANY, NOTHING), .lane = LANE_INLINE, .handle = api_langfuse_projects, .status = 200,
     .schema = "LangfuseProjects", .summary = "The collection that a Langfuse key names"},

    {.method = "POST", .path = "/mcp", NEEDS(ANY, OWN), .lane_of = mcp_lane, .handle = api_mcp, .body = BODY_BYTES, .takes = "application/json", .status = 200,
     .schema = "Object", .summary = "The Model Context Protocol over streamable HTTP: a message or a batch; 202 where nothing is to be answered. Without "
     "sessions and streams"},

    {.method = "GET", .path = "/healthz", NEEDS(NONE, NOTHING), .lane = LANE_INLINE, .handle = api_health, .status = 200, .schema = "State",
     .summary = "The server lives"},
    {READ("/readyz"), NEEDS(NONE, NOTHING), .handle = api_ready, .schema = "State", .summary = "The database answers and uploads can be taken"},
    {READ("/metrics"), NEEDS(READ, ALL), .handle = api_metrics, .type = "text/plain; version=0.0.4; charset=utf-8",
     .summary = "Counters, as Prometheus reads them"},
    {.method = "GET", .path = "/openapi.json", NEEDS(NONE, NOTHING), .lane = LANE_INLINE, .handle = api_openapi, .status = 200, .schema = "Object",
     .summary = "This description"},

    /* What Docent's SDK calls, so that it works with this server as it is. */
    {.method = "GET", .path = REST "/ping", NEEDS(NONE, NOTHING), .lane = LANE_INLINE, .handle = docent_ping, .status = 200, .schema = "Object", .summary = "Docent: the server lives"},
    {.method = "GET", .path = REST "/api-keys/test", NEEDS(ANY, NOTHING), .lane = LANE_INLINE, .handle = docent_key, .status = 200, .schema = "Object",
     .summary = "Docent: any key is taken"},
    {.method = "GET", .path = REST "/me", NEEDS(ANY, NOTHING), .lane = LANE_INLINE, .handle = docent_me, .status = 200, .schema = "Object", .summary = "Docent: the one user"},
    {.method = "POST", .path = REST "/login", NEEDS(NONE, NOTHING), .lane = LANE_INLINE, .handle = docent_login, .body = BODY_JSON, .fields = docent_login_fields,
     .status = 200, .schema = "Object", .summary = "Docent: anybody may"},
    {READ(REST "/collections"), NEEDS(READ, OWN), .handle = docent_collections, .schema = "DocentCollections", .summary = "Docent: all collections"},
    {WRITE("POST", REST "/create"), NEEDS(INGEST, ALL), .handle = docent_create, .body = BODY_JSON, .fields = docent_create_fields, .status = 200,
     .schema = "{collection_id: uuid}", .summary = "Docent: a new collection"},
    {READ(REST "/{c}/collection"), NEEDS(READ, COLLECTION), .handle = docent_collection, .schema = "DocentCollection", .summary = "Docent: one collection"},
    {WRITE("PUT", REST "/{c}/collection"), NEEDS(ADMIN, COLLECTION), .handle = docent_change, .body = BODY_JSON, .fields = collection_change_fields, .status = 200,
     .schema = "DocentCollection", .summary = "Docent: change a collection"},
    {WRITE("DELETE", REST "/{c}/collection"), NEEDS(ADMIN, COLLECTION), .handle = docent_delete, .status = 200, .schema = "Object",
     .summary = "Docent: delete a collection and all in it"},
    {READ(REST "/{c}/collection_details"), NEEDS(READ, COLLECTION), .handle = docent_details, .schema = "DocentCollection?", .summary = "Docent: one collection, or null"},
    {READ(REST "/{c}/exists"), NEEDS(READ, COLLECTION), .handle = docent_exists, .schema = "boolean", .summary = "Docent: is there such a collection?"},
    {READ(REST "/{c}/has_permission"), NEEDS(READ, COLLECTION), .handle = docent_permission, .query = {docent_permission_params}, .schema = "{has_permission: boolean}",
     .summary = "Docent: may I? Yes"},
    {WRITE("POST", REST "/{c}/agent_runs"), NEEDS(INGEST, COLLECTION), .handle = docent_runs_add, .body = BODY_SPOOL, .status = 202, .schema = "DocentJob",
     .summary = "Docent: put runs in, {\"agent_runs\": […]}. 200 when they have landed within ten seconds"},
    {WRITE("DELETE", REST "/{c}/agent_runs"), NEEDS(ADMIN, COLLECTION), .handle = docent_runs_delete, .body = BODY_JSON, .fields = docent_runs_fields, .status = 200,
     .schema = "{deleted_count: integer, requested_count: integer}", .summary = "Docent: delete runs"},
    {READ(REST "/{c}/agent_runs/jobs/{id}"), NEEDS(STATE, COLLECTION), .handle = docent_job, .schema = "DocentJob", .summary = "Docent: how an upload is doing"},
    {.method = "POST", .path = REST "/{c}/agent_runs/jobs/batch_status", NEEDS(STATE, COLLECTION), .lane = LANE_READ, .handle = docent_job_statuses, .body = BODY_JSON,
     .fields = docent_jobs_fields, .status = 200, .schema = "{jobs: [DocentJob]}", .summary = "Docent: how several uploads are doing"},
    {.method = "GET", .path = REST "/{c}/agent_run_ids", NEEDS(READ, COLLECTION), .lane = LANE_LONG, .handle = docent_run_ids, .query = {docent_ids_params}, .status = 200,
     .schema = "DocentIds", .summary = "Docent: the ids of all runs"},
    {READ(REST "/{c}/agent_run"), NEEDS(READ, COLLECTION), .handle = docent_run, .query = {docent_run_params}, .schema = "DocentRun?", .summary = "Docent: one run, or null"},
    {.method = "POST", .path = REST "/{c}/agent_run_metadata", NEEDS(READ, COLLECTION), .lane = LANE_LONG, .handle = docent_run_metadata, .body = BODY_JSON,
     .fields = docent_runs_fields, .status = 200, .schema = "Object", .summary = "Docent: the metadata of runs, by id"},
    {WRITE("POST", REST "/label/{c}/tag"), NEEDS(REVIEW, COLLECTION), .handle = docent_tag_add, .body = BODY_JSON, .fields = docent_tag_fields, .status = 200, .schema = "any",
     .summary = "Docent: tag a run"},
    {WRITE("DELETE", REST "/label/{c}/tag/{id}"), NEEDS(REVIEW, COLLECTION), .handle = docent_tag_delete, .status = 200, .schema = "any", .summary = "Docent: take a tag off"},
    {.method = "GET", .path = REST "/label/{c}/tags", NEEDS(READ, COLLECTION), .lane = LANE_LONG, .handle = docent_tags, .query = {docent_tags_params}, .status = 200,
     .schema = "DocentTags", .summary = "Docent: the tags of all runs"},
    {READ(REST "/label/{c}/agent_run/{id}/tags"), NEEDS(READ, COLLECTION), .handle = docent_run_tags, .schema = "DocentTags", .summary = "Docent: the tags of a run"},
    {.method = "POST", .path = REST "/{c}/compute_embeddings", NEEDS(READ, COLLECTION), .lane = LANE_READ, .handle = docent_embeddings, .body = BODY_JSON,
     .fields = no_fields, .status = 200, .schema = "any", .summary = "Docent: nothing has to be computed"},

    PAGE("/"),
    PAGE("/c/{c}"),
    PAGE("/c/{c}/runs"),
    PAGE("/c/{c}/findings"),
    PAGE("/c/{c}/tasks"),
    PAGE("/c/{c}/compare"),
    PAGE("/c/{c}/map"),
    PAGE("/c/{c}/tasks/{task}"),
    PAGE("/runs/{id}"),
    PAGE("/rules"),
    PAGE("/rules/new"),
    PAGE("/judges"),
    PAGE("/judges/{name}"),
    PAGE("/judges/{name}/agreement"),
    PAGE("/search"),
    PAGE("/query"),
    PAGE("/compare"),
    PAGE("/settings"),
    PAGE("/jobs"),
    PAGE("/audit"),
    PAGE("/docs"),
    PAGE("/docs/{name}"),
    {.method = "GET", .path = "/assets/{name}", NEEDS(NONE, NOTHING), .handle = page_asset, .lane = LANE_INLINE, .status = 200},
    {.method = "GET", .path = "/favicon.svg", NEEDS(NONE, NOTHING), .handle = page_icon, .lane = LANE_INLINE, .status = 200},
};
const size_t route_count = sizeof routes / sizeof *routes;

const char *const need_names[NEEDS] = {
    [NEED_UNSAID] = "unsaid", [NEED_NONE] = "none",   [NEED_ANY] = "any",     [NEED_INGEST] = "ingest",
    [NEED_STATE] = "ingest|read", [NEED_READ] = "read", [NEED_REVIEW] = "review", [NEED_ADMIN] = "admin",
};
const char *const of_names[OFS] = {
    [OF_UNSAID] = "unsaid", [OF_NOTHING] = "nothing", [OF_SESSION] = "session",       [OF_SHARED] = "shared",   [OF_ALL] = "all",
    [OF_OWN] = "own",       [OF_COLLECTION] = "collection", [OF_RUN] = "run",         [OF_FINDING] = "finding", [OF_JOB] = "job",
    [OF_JUDGMENT] = "judgment", [OF_LABEL] = "label", [OF_EXCEPTION] = "exception",   [OF_BLOB] = "blob",
};

/* ---- finding a row ---------------------------------------------------------------------------------------------------- */

static bool path_matches(struct request *r, const char *path)
{
    size_t n = 0, captured = 0;
    struct slice rest = slice_str(path + 1);
    while (rest.len) {
        const char *slash = memchr(rest.ptr, '/', rest.len);
        struct slice want = slice_sub(rest, 0, slash ? (size_t)(slash - rest.ptr) : rest.len);
        rest = slice_sub(rest, want.len + 1, rest.len);
        if (n == r->nsegments)
            return false;
        struct slice have = r->segment[n++];
        if (want.ptr[0] != '{') {
            if (!slice_eq(have, want))
                return false;
        } else {
            if (!have.len)
                return false;
            r->path[captured++] = have;
        }
    }
    return n == r->nsegments;
}

enum route_match route_find(struct request *r, struct slice *allow)
{
    struct slice method = slice_is(r->method, "HEAD") ? slice_str("GET") : r->method;
    struct str methods = STR_INIT(200);
    for (size_t i = 0; i < route_count; i++) {
        if (!path_matches(r, routes[i].path))
            continue;
        if (slice_is(method, routes[i].method)) {
            str_free(&methods);
            r->route = &routes[i];
            return ROUTE_FOUND;
        }
        str_printf(&methods, "%s%s", methods.len ? ", " : "", strcmp(routes[i].method, "GET") == 0 ? "GET, HEAD" : routes[i].method);
    }
    *allow = arena_dup(&r->arena, str_slice(&methods));
    str_free(&methods);
    return allow->len ? ROUTE_NO_METHOD : ROUTE_NO_PATH;
}
