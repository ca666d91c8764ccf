#include "http/params.h"

/* ---- asked, in the query --------------------------------------------------------------------------------------------- */

const struct param page_params[] = {
    {"limit", ARG_INT, 1, 1000, .about = "rows at most (default 50)"},
    {"after", ARG_TEXT, 0, 4096, .about = "the cursor of the page before (its \"next\")"},
    {"sort", ARG_TEXT, 0, 200, .about = "field,-field"},
    {"count", ARG_BOOL, .about = "fill \"total\" even where it costs a scan"},
    {0},
};
const struct param runs_params[] = {
    {"offset", ARG_INT, 0, INT32_MAX, .about = "leave out so many rows first: a page from anywhere"},
    {0},
};
const struct param run_filter_params[] = {
    {"kind", ARG_TEXT, 0, 200, .about = "broken_task, odd_behavior, near_miss, harness, data; several with commas, here and below; "
     "\\, is a comma of a value, \\\\ a backslash"},
    {"behavior", ARG_TEXT, 0, 1000, .about = "of the vocabulary, such as missing-program"},
    {"detector", ARG_TEXT, 0, 1000, .about = "id of a detector"},
    {"severity", ARG_TEXT, 0, 200, .about = "low, medium, high"},
    {"status", ARG_TEXT, 0, 200, .about = "open, confirmed, dismissed"},
    {"scope", ARG_TEXT, 0, 200, .about = "run, task, collection"},
    {"task", ARG_TEXT, 0, 4096, .about = "task id"},
    {"model", ARG_TEXT, 0, 1000, .about = "model"},
    {"agent", ARG_TEXT, 0, 1000, .about = "agent"},
    {"success", ARG_TEXT, 0, 200, .about = "true, false, unknown"},
    {"tag", ARG_TEXT, 0, 1000, .about = "tag"},
    {"exit_status", ARG_TEXT, 0, 1000, .about = "exit status"},
    {"format", ARG_TEXT, 0, 200, .about = "format that the run was read from"},
    {"run", ARG_TEXT, 0, 4000, .about = "ids of runs, a hundred at most: these, or their findings"},
    {"exception", ARG_TEXT, 0, 1000, .about = "id of an exception that set findings aside; empty: what none did"},
    {"q", ARG_TEXT, 0, 1000, .about = "words in name, task, external id, exit status, error or title"},
    {"has_findings", ARG_BOOL, .about = "with or without findings that are not dismissed"},
    {"attempt", ARG_TEXT, 0, 1000, .about = "number of the attempt"},
    {"stopped_by", ARG_TEXT, 0, 1000, .about = "the limit that ended the run"},
    {"meta.*", ARG_TEXT, 0, 1000, .about = "meta.KEY=VALUE: a field of the metadata"},
    {"score.*", ARG_TEXT, 0, 1000, .about = "score.NAME=VALUE: a score"},
    {"range.*", ARG_TEXT, 2, 200, .about = "range.FIELD=LOW..HIGH, either end may be missing: messages, calls, tokens, cost, duration (seconds), "
     "findings, attempt, started_at, ended_at, score.NAME, meta.KEY"},
    {0},
};
const struct param upload_params[] = {
    {"filename", ARG_TEXT, 1, 1024, .about = "what people see as the source; runs are known by it"},
    {"format", ARG_TEXT, 1, 100, .about = "read as this format instead of the one recognised"},
    {"map", ARG_TEXT, 1, 4000, .about = "which column of a table is what: content=col,role=col,…"},
    {"replace", ARG_BOOL, .may = MAY_REVIEW,
     .about = "changed content under a known name replaces the run (which needs the scope review too); else it is another run"},
    {"wait", ARG_INT, 0, 3600, .about = "seconds to wait for the end"},
    {0},
};
const struct param wait_params[] = {
    {"wait", ARG_INT, 0, 3600, .about = "seconds to wait for the end"},
    {0},
};
const struct param messages_params[] = {
    {"transcript", ARG_INT, 0, INT32_MAX, .about = "position of the transcript in the run (default 0)"},
    {"from", ARG_INT, 0, INT32_MAX, .about = "index of the first message (default 0)"},
    {"limit", ARG_INT, 1, 500, .about = "messages at most (default 100); fewer come where they are large"},
    {0},
};
const struct param jobs_params[] = {
    {"state", ARG_WORD, .words = "queued|running|done|failed|cancelled", .about = "only jobs in that state"},
    {0},
};
const struct param incomplete_params[] = {
    {"limit", ARG_INT, 1, 1000, .about = "rows at most (default 50)"},
    {"after", ARG_TEXT, 0, 4096, .about = "the cursor of the page before (its \"next\")"},
    {"run", ARG_TEXT, 0, 4096, .about = "id of a run: only what was not finished on it"},
    {0},
};
const struct param export_params[] = {
    {"as", ARG_WORD, .words = "native|csv|html",
     .about = "native: JSON Lines that import reads back (the default); csv: a row a run; html: the story as one file to send to somebody"},
    {0},
};
const struct param facets_params[] = {
    {"fields", ARG_TEXT, 0, 4096, .about = "names of fields, separated by commas: those of /fields that have words"},
    {"top", ARG_INT, 1, 10000, .about = "values of each at most, those with most runs (default 50)"},
    {0},
};
const struct param stats_params[] = {
    {"by", ARG_TEXT, 1, 300, .about = "a field that has words; without it one row for all runs"},
    {"top", ARG_INT, 1, 10000, .about = "groups at most, those with most runs (default 100)"},
    {0},
};
const struct param compare_params[] = {
    {"by", ARG_TEXT, 1, 1000, .required = true, .about = "what tells the groups apart: a filter of the runs, such as model, agent, tag, meta.KEY, "
                                                         "score.NAME or range.FIELD"},
    {"a", ARG_TEXT, 0, 4096, .required = true, .about = "its value in the first group; several with commas (\\, is one of the value), "
                                                        "empty: runs that have none"},
    {"b", ARG_TEXT, 0, 4096, .about = "in the second group; without it all other runs"},
    {0},
};
const struct param map_params[] = {
    {"field", ARG_TEXT, 1, 1000, .about = "what to colour by: any field of the runs (default model)"},
    {0},
};
const struct param search_params[] = {
    {"q", ARG_TEXT, 1, 4096, .required = true,
     .about = "words, all of them in one text of a message, \"in quotes\" as a phrase; or with regex=1 a pattern"},
    {"regex", ARG_BOOL, .about = "q is a PCRE2 pattern"},
    {"case", ARG_BOOL, .about = "upper and lower case differ"},
    {"collection", ARG_TEXT, 1, 1000, .about = "id or name"},
    {"role", ARG_TEXT, 1, 100, .about = "role of the message: system, user, assistant, tool, or several with commas"},
    {"tool", ARG_TEXT, 1, 1000, .about = "name of the tool called or answering"},
    {0},
};
const struct param search_run_params[] = {
    {"model", ARG_TEXT, 0, 1000, .about = "model of the run; several with commas (\\, is one of the value, \\\\ a backslash), here and below; empty for none"},
    {"task", ARG_TEXT, 0, 4096, .about = "task of the run"},
    {"agent", ARG_TEXT, 0, 1000, .about = "agent of the run"},
    {"success", ARG_TEXT, 1, 100, .about = "outcome of the run: true, false, unknown"},
    {"exit_status", ARG_TEXT, 0, 1000, .about = "exit status of the run"},
    {"tag", ARG_TEXT, 0, 1000, .about = "tag of the run"},
    {"meta.*", ARG_TEXT, 0, 1000, .about = "meta.KEY=VALUE: a field of the run's metadata"},
    {"score.*", ARG_TEXT, 0, 1000, .about = "score.NAME=VALUE: a score of the run"},
    {"range.*", ARG_TEXT, 2, 200, .about = "range.FIELD=LOW..HIGH, as runs are filtered"},
    {0},
};
const struct param search_page_params[] = {
    {"limit", ARG_INT, 1, 1000, .about = "hits at most (default 50)"},
    {"after", ARG_TEXT, 0, 4096, .about = "the cursor of the page before"},
    {"count", ARG_BOOL, .about = "count all hits"},
    {0},
};
const struct param docs_params[] = {
    {"q", ARG_TEXT, 1, 200, .about = "only pages that have a line with all these words, and those lines"},
    {0},
};
const struct param detectors_query[] = {
    {"collection", ARG_TEXT, 1, 200, .about = "id or name: the detectors as the settings have them for it"},
    {0},
};
const struct param exceptions_query[] = {
    {"collection", ARG_TEXT, 1, 200, .about = "id or name: those that hold in it"},
    {"detector", ARG_TEXT, 1, 1000, .about = "id of a detector"},
    {0},
};
const struct param rubric_query[] = {
    {"version", ARG_INT, 1, INT32_MAX, .about = "default: the latest"},
    {0},
};
const struct param judgments_query[] = {
    {"collection", ARG_TEXT, 1, 200, .about = "id or name"},
    {"run", ARG_TEXT, 1, 100, .about = "id of a run: its judgments, with evidence"},
    {"rubric", ARG_TEXT, 1, 200, .about = "name of a rubric"},
    {"version", ARG_INT, 1, INT32_MAX, .about = "of it"},
    {"judge", ARG_TEXT, 1, 500, .about = "model that judged"},
    {"judge_key", ARG_TEXT, 1, 64, .about = "model and settings that judged"},
    {"state", ARG_WORD, .words = "answered|unsupported|failed", .about = "what became of it"},
    {"decision", ARG_TEXT, 1, 1000, .about = "what it decided, such as yes"},
    {"flagged", ARG_BOOL, .about = "with or without a finding"},
    {"task", ARG_TEXT, 1, 4096, .about = "task of the run"},
    {"model", ARG_TEXT, 1, 1000, .about = "model of the run"},
    {"job", ARG_TEXT, 1, 100, .about = "id of the job that made it"},
    {"all", ARG_BOOL, .about = "those too that a newer one replaced, or whose run changed since"},
    {0},
};
const struct param judges_query[] = {
    {"collection", ARG_TEXT, 1, 200, .about = "id or name"},
    {"rubric", ARG_TEXT, 1, 200, .about = "name of a rubric"},
    {0},
};
const struct param audit_query[] = {
    {"actor", ARG_TEXT, 1, 200, .about = "name of a token, local, or cli:USER"},
    {0},
};
const struct param labels_query[] = {
    {"collection", ARG_TEXT, 1, 200, .about = "id or name"},
    {"set", ARG_TEXT, 1, 200, .about = "name of a label set"},
    {"run", ARG_TEXT, 1, 100, .about = "id of a run"},
    {"who", ARG_TEXT, 0, 200, .about = "who gave them; empty: nobody is named"},
    {0},
};
const struct param label_sets_query[] = {
    {"collection", ARG_TEXT, 1, 200, .about = "id or name: counts labels of its runs alone"},
    {0},
};
const struct param labels_import_query[] = {
    {"collection", ARG_TEXT, 1, 200, .required = true, .about = "id or name: whose runs the rows name"},
    {"format", ARG_WORD, .words = "csv|jsonl|behaviors|who-and-when", .required = true, .about = "what the body is"},
    {"set", ARG_TEXT, 1, 200, .about = "label set of rows that name none"},
    {"who", ARG_TEXT, 1, 200, .about = "who gave the labels, where a row does not say"},
    {0},
};
const struct param labels_export_query[] = {
    {"set", ARG_TEXT, 1, 200, .required = true, .about = "name of a label set"},
    {"collection", ARG_TEXT, 1, 200, .about = "id or name: labels of its runs alone"},
    {"as", ARG_WORD, .words = "csv|jsonl|native", .about = "jsonl: a label a line (the default); native: the set's declaration in front; csv"},
    {0},
};
const struct param agreement_query[] = {
    {"collection", ARG_TEXT, 1, 200, .about = "id or name (default: all)"},
    {"reference", ARG_TEXT, 1, 1000, .required = true, .about = "people:SET, person:SET/WHO, judge:RUBRIC@VERSION/KEY, detector:ID, behavior:NAME (what rules found of it) or findings:NAME (judges too)"},
    {"measured", ARG_TEXT, 1, 1000, .required = true, .about = "likewise"},
    {"field", ARG_TEXT, 1, 200, .about = "of the answers (default: the one that decides); of sets of behaviours, the behaviour"},
    {"split", ARG_WORD, .words = "dev|test|all", .about = "which runs (default: all)"},
    {"reference_value", ARG_TEXT, 0, 1000, .about = "with measured_value: list the runs of this cell of the matrix instead of all that differ"},
    {"measured_value", ARG_TEXT, 0, 1000, .about = "likewise"},
    {"limit", ARG_INT, 0, 1000, .about = "runs listed at most (default 200)"},
    {0},
};
const struct param raters_query[] = {
    {"collection", ARG_TEXT, 1, 200, .about = "id or name; without one no behaviours and detectors are listed"},
    {0},
};
const struct param docent_permission_params[] = {
    {"permission", ARG_WORD, .words = "read|write|admin", .about = "nobody is refused"},
    {0},
};
const struct param docent_ids_params[] = {
    {"sort_field", ARG_TEXT, 0, 200, .about = "not looked at: runs come in the order in which they were put in"},
    {"sort_direction", ARG_WORD, .words = "asc|desc", .about = "desc: the other way round"},
    {0},
};
const struct param docent_tags_params[] = {
    {"value", ARG_TEXT, 1, 200, .about = "the tag; without it all"},
    {0},
};
const struct param docent_run_params[] = {
    {"agent_run_id", ARG_TEXT, 1, 4096, .required = true, .about = "what the client called the run, or our id"},
    {"apply_base_where_clause", ARG_BOOL, .about = "not looked at: there is none"},
    {0},
};

/* ---- sent, as members of a JSON body --------------------------------------------------------------------------------- */

const struct param export_fields[] = {
    {"as", ARG_WORD, .words = "native|csv|html",
     .about = "native: JSON Lines that import reads back (the default); html: the story as one file to send to somebody"},
    {"ids", ARG_LIST, 0, 10000, .about = "only the runs of these ids"},
    {"filter", ARG_FILTER, .about = "only the runs that it names"},
    {0},
};
const struct param no_fields[] = {{0}};
const struct param collection_fields[] = {
    {"name", ARG_TEXT, 1, 200, .required = true, .about = "unique"},
    {"description", ARG_TEXT, 0, 65536, .about = "for people"},
    {"metadata", ARG_OBJECT, .about = "anything"},
    {0},
};
const struct param collection_change_fields[] = {
    {"name", ARG_TEXT, 1, 200, .about = "unique"},
    {"description", ARG_TEXT, 0, 65536, .about = "for people"},
    {"metadata", ARG_OBJECT, .about = "replaces what there is"},
    {"keep", ARG_TEXT, 0, 40, .about = "how long its runs stay: 90d, 12h, 5000runs (the newest), forever; empty: as the server's --keep says. "
     "Runs with labels, notes, tags given here or confirmed findings stay in any case"},
    {"quota", ARG_TEXT, 1, 40, .about = "how much it may have: 5000runs, 10GB of what they say and show, 5000runs,10GB, none. What is over it is refused with 507"},
    {0},
};
const struct param prune_fields[] = {
    {"dry_run", ARG_BOOL, .about = "only count"},
    {0},
};
const struct param tag_fields[] = {
    {"tag", ARG_TEXT, 1, 200, .required = true, .about = "the tag"},
    {"remove", ARG_BOOL, .about = "take it off instead"},
    {"ids", ARG_LIST, 0, 10000, .about = "ids of runs"},
    {"collection", ARG_TEXT, 1, 200, .about = "id or name, for a filter"},
    {"filter", ARG_FILTER, .about = "all runs of the collection that it names"},
    {0},
};
const struct param runs_delete_fields[] = {
    {"ids", ARG_LIST, 0, 10000, .about = "ids of runs"},
    {"collection", ARG_TEXT, 1, 200, .about = "id or name, for a filter"},
    {"filter", ARG_FILTER, .about = "all runs of the collection that it names"},
    {"dry_run", ARG_BOOL, .about = "delete nothing; say how many it would be"},
    {0},
};
const struct param review_fields[] = {
    {"status", ARG_WORD, .words = "open|confirmed|dismissed", .about = "what a person found"},
    {"note", ARG_TEXT, 0, 65536, .about = "why"},
    {"reviewer", ARG_TEXT, 0, 200, .about = "who"},
    {0},
};
const struct param review_many_fields[] = {
    {"status", ARG_WORD, .words = "open|confirmed|dismissed", .about = "what a person found"},
    {"note", ARG_TEXT, 0, 65536, .about = "why"},
    {"reviewer", ARG_TEXT, 0, 200, .about = "who"},
    {"ids", ARG_LIST, 0, 10000, .about = "ids of findings"},
    {"collection", ARG_TEXT, 1, 200, .about = "id or name, for a filter"},
    {"filter", ARG_FILTER, .about = "all findings of the collection that it names"},
    {0},
};
const struct param scan_fields[] = {
    {"only", ARG_LIST, 0, 1000, .about = "ids of detectors; without it all"},
    {0},
};
const struct param own_rule_fields[] = {
    {"text", ARG_TEXT, 1, 262144, .required = true, .about = "YAML or JSON of one rule, whose id is that of the address"},
    {"author", ARG_TEXT, 0, 200, .about = "who wrote it"},
    {"note", ARG_TEXT, 0, 65536, .about = "what this version is for"},
    {0},
};
const struct param exception_fields[] = {
    {"detector", ARG_TEXT, 1, 1000, .required = true, .about = "id of the detector that it is of"},
    {"when", ARG_OBJECT, .about = "which of its findings: {FIELD: MATCHER} as in the rule language; FIELD is title, message, behavior, severity, capture.NAME,"
                                  " quote, part, task_id, model or agent. Without it, all"},
    {"collection", ARG_TEXT, 1, 200, .about = "id or name: only there; without it everywhere"},
    {"reviewer", ARG_TEXT, 0, 200, .about = "who says so"},
    {"note", ARG_TEXT, 0, 65536, .about = "why"},
    {0},
};
const struct param webhook_fields[] = {
    {"url", ARG_TEXT, 1, 2000, .required = true, .about = "where to POST to: http or https"},
    {"events", ARG_LIST, 1, 10, .about = "import.done, findings.new, judge.done, job.failed (default: all)"},
    {"collection", ARG_TEXT, 1, 200, .about = "id or name: only of that collection"},
    {"page", ARG_TEXT, 1, 2000, .about = "where people open the page, which is what links begin with (default: the address of this call)"},
    {0},
};
const struct param webhook_change_fields[] = {
    {"events", ARG_LIST, 1, 10, .about = "in place of those there are"},
    {"paused", ARG_BOOL, .about = "tell nothing until it is false again"},
    {0},
};
const struct param rules_test_fields[] = {
    {"rules", ARG_TEXT, 1, 900000, .required = true, .about = "YAML or JSON with one or more rules"},
    {"collection", ARG_TEXT, 1, 200, .about = "id or name of the collection to try them on; without it they are only checked"},
    {0},
};
const struct param rubric_fields[] = {
    {"text", ARG_TEXT, 1, 900000, .required = true, .about = "the rubric as YAML or JSON"},
    {"base", ARG_INT, 1, INT32_MAX, .about = "the version that the editor began with: 409 where it is no longer the latest"},
    {"author", ARG_TEXT, 0, 200, .about = "who"},
    {"note", ARG_TEXT, 0, 65536, .about = "what this version changes"},
    {0},
};
const struct param rubric_check_fields[] = {
    {"text", ARG_TEXT, 0, 900000, .required = true, .about = "the rubric as YAML or JSON"},
    {0},
};
const struct param draft_fields[] = {
    {"sentence", ARG_TEXT, 1, 20000, .about = "what the new rubric is to ask, in plain words"},
    {"rubric", ARG_TEXT, 1, 200, .about = "or: the rubric to improve, by where it disagrees with people"},
    {"version", ARG_INT, 1, INT32_MAX, .about = "of that rubric (default: the latest)"},
    {"collection", ARG_TEXT, 1, 200, .about = "id or name: whose runs to look at"},
    {"set", ARG_TEXT, 1, 200, .about = "label set that says what people found"},
    {"model", ARG_TEXT, 1, 200, .about = "name of a model connection (default: the default one)"},
    {"max_usd", ARG_NUMBER, 0, 1000000, .about = "cap in USD"},
    {"max_calls", ARG_INT, 1, 1000000, .about = "cap in calls"},
    {0},
};
const struct param model_fields[] = {
    {"name", ARG_TEXT, 1, 200, .required = true, .about = "what people call it"},
    {"api", ARG_WORD, .words = "openai|anthropic", .about = "openai: chat completions, as most servers have them (the default)"},
    {"url", ARG_TEXT, 1, 2000, .required = true, .about = "base of the API, such as https://api.openai.com/v1"},
    {"model", ARG_TEXT, 1, 500, .required = true, .about = "as the API calls it"},
    {"key", ARG_TEXT, 1, 200, .about = "name of a key of telltale.yaml or the environment; never a key"},
    {"concurrency", ARG_INT, 1, 256, .about = "calls in flight at a time"},
    {"timeout", ARG_NUMBER, 0, 3600, .about = "seconds of one try"},
    {"window", ARG_INT, 1, 100000000, .about = "tokens that fit in, prompt and answer together"},
    {"price", ARG_OBJECT, .about = "{\"in\", \"out\"}: USD for a million tokens"},
    {"structure", ARG_WORD, .words = "schema|prompt", .about = "who holds the answer to its schema: the server, or the words of the prompt"},
    {"logprobs", ARG_BOOL, .about = "the server gives log-probabilities"},
    {0},
};
const struct param judge_fields[] = {
    {"rubric", ARG_TEXT, 1, 200, .required = true, .about = "name of the rubric"},
    {"version", ARG_INT, 1, INT32_MAX, .about = "of it (default: the latest)"},
    {"model", ARG_TEXT, 1, 200, .about = "name of a model connection (default: the default one)"},
    {"collection", ARG_TEXT, 1, 200, .about = "id or name; needed but with ids"},
    {"ids", ARG_LIST, 1, 25000, .about = "ids of runs"},
    {"filter", ARG_FILTER, .about = "or: all runs of the collection that it names ({} for all)"},
    {"findings", ARG_FILTER, .about = "or: the runs of all findings that it names"},
    {"limit", ARG_INT, 1, INT32_MAX, .about = "at most so many runs"},
    {"sample", ARG_BOOL, .about = "with a limit: a random choice instead of the first ones"},
    {"seed", ARG_INT, 0, INT64_MAX, .about = "makes the choice repeatable"},
    {"samples", ARG_INT, 1, 64, .about = "answers asked for each run, of which the majority counts (default 1)"},
    {"temperature", ARG_NUMBER, 0, 2, .about = "default: the provider's own"},
    {"max_tokens", ARG_INT, 1, 1000000, .about = "of an answer (default 1024)"},
    {"paired", ARG_INT, 0, 64, .about = "paired questions for epistemic confidence (default 0: not asked for)"},
    {"again", ARG_BOOL, .about = "judge also what was judged alike before"},
    {"max_usd", ARG_NUMBER, 0, 1000000, .about = "cap in USD, which is never passed (default 5 where prices are known)"},
    {"max_calls", ARG_INT, 1, INT64_MAX, .about = "cap in calls (default 1000 where a price is not known)"},
    {"stages", ARG_ARRAY, .about = "further judges {\"rubric\", \"model\", \"samples\", …, \"when\": [answers]} that look at what the one before flagged"},
    {"try", ARG_BOOL, .about = "store nothing: the judgments come in the job's result; at most 20 runs"},
    {0},
};
const struct param sql_fields[] = {
    {"query", ARG_TEXT, 1, 100000, .required = true, .about = "one SELECT over the documented views"},
    {"params", ARG_ARRAY, .about = "values for ? in the query"},
    {"limit", ARG_INT, 1, 1000000, .about = "rows at most (default 1000)"},
    {"timeout_ms", ARG_INT, 1, 8000, .about = "milliseconds at most (default 8000)"},
    {0},
};
const struct param query_fields[] = {
    {"name", ARG_TEXT, 1, 200, .required = true, .about = "unique"},
    {"text", ARG_TEXT, 1, 65536, .required = true, .about = "the SQL"},
    {"chart", ARG_OBJECT, .about = "how the page draws the result; without it as a table"},
    {0},
};
const struct param session_fields[] = {
    {"token", ARG_TEXT, 0, 200, .required = true, .about = "as it was given when it was made"},
    {0},
};
const struct param token_fields[] = {
    {"name", ARG_TEXT, 1, 200, .required = true, .about = "whose it is, or what uses it"},
    {"scopes", ARG_LIST, 1, 4, .required = true,
     .about = "ingest: put runs in; read; review: say what findings and runs are (reads too); admin: everything"},
    {"collections", ARG_LIST, 1, 1000, .about = "ids or names: it is for these alone; without it for all"},
    {"expires_at", ARG_TEXT, 1, 100, .about = "a time such as 2027-01-31T00:00:00Z; without it never"},
    {"rate", ARG_INT, 1, 1000000, .about = "requests a second, of which ten seconds' worth may come at once; without it any"},
    {"max_upload_mb", ARG_INT, 1, 1000000, .about = "megabytes of one body; without it the server's own limit"},
    {0},
};
#define LABEL_SET_FIELDS \
    {"title", ARG_TEXT, 0, 200, .about = "for people"}, \
    {"description", ARG_TEXT, 0, 65536, .about = "for people"}, \
    {"rubric", ARG_TEXT, 1, 200, .about = "name of a rubric: a label answers it"}, \
    {"schema", ARG_OBJECT, .about = "JSON Schema of a value, where there is no rubric"}, \
    {"reading", ARG_WORD, .words = "one|all", .about = "one: a value a run and person (the default); all: a row for each behaviour that is there"}, \
    {"test_share", ARG_NUMBER, 0, 1, .about = "share of the runs in the test split (default 0.5)"}, \
    {0}
const struct param label_set_fields[] = {{"name", ARG_TEXT, 1, 200, .required = true, .about = "unique"}, LABEL_SET_FIELDS};
const struct param label_set_change_fields[] = {LABEL_SET_FIELDS};
const struct param docent_login_fields[] = {
    {"email", ARG_TEXT, 0, 1000, .about = "not looked at"},
    {"password", ARG_TEXT, 0, 1000, .about = "not looked at"},
    {0},
};
const struct param docent_create_fields[] = {
    {"collection_id", ARG_TEXT, 1, 100, .about = "a UUID; without it one is made"},
    {"name", ARG_TEXT, 0, 200, .about = "made different where there is a collection of that name"},
    {"description", ARG_TEXT, 0, 65536, .about = "for people"},
    {"metadata", ARG_OBJECT, .about = "anything"},
    {0},
};
const struct param docent_jobs_fields[] = {
    {"job_ids", ARG_LIST, 0, 100, .required = true, .about = "of uploads"},
    {0},
};
const struct param docent_tag_fields[] = {
    {"agent_run_id", ARG_TEXT, 1, 4096, .required = true, .about = "what the client called the run, or our id"},
    {"value", ARG_TEXT, 1, 200, .required = true, .about = "the tag"},
    {0},
};
const struct param docent_runs_fields[] = {
    {"agent_run_ids", ARG_LIST, 0, 10000, .required = true, .about = "what the client called the runs, or our ids"},
    {0},
};
