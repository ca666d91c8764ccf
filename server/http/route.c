#include "http/route.h"

/* ---- what may be asked ------------------------------------------------------------------------------------------------ */

static const struct param page_params[] = {
    {"limit", ARG_INT, 1, 1000, .about = "rows at most (default 50)"},
    {"after", ARG_TEXT, 0, 4096, .about = "the cursor of the page before (its \"next\")"},
    {"sort", ARG_TEXT, 0, 200, .about = "field,-field"},
    {"count", ARG_BOOL, .about = "fill \"total\" even where it costs a scan"},
    {0},
};
static const struct param runs_params[] = {
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
static const struct param upload_params[] = {
    {"filename", ARG_TEXT, 1, 1024, .about = "what people see as the source; runs are known by it"},
    {"format", ARG_TEXT, 1, 100, .about = "read as this format instead of the one recognised"},
    {"map", ARG_TEXT, 1, 4000, .about = "which column of a table is what: content=col,role=col,…"},
    {"replace", ARG_BOOL, .about = "changed content under a known name replaces the run; else it is another run"},
    {"wait", ARG_INT, 0, 3600, .about = "seconds to wait for the end"},
    {0},
};
static const struct param wait_params[] = {
    {"wait", ARG_INT, 0, 3600, .about = "seconds to wait for the end"},
    {0},
};
static const struct param messages_params[] = {
    {"transcript", ARG_INT, 0, INT32_MAX, .about = "position of the transcript in the run (default 0)"},
    {"from", ARG_INT, 0, INT32_MAX, .about = "index of the first message (default 0)"},
    {"limit", ARG_INT, 1, 500, .about = "messages at most (default 100); fewer come where they are large"},
    {0},
};
static const struct param jobs_params[] = {
    {"state", ARG_WORD, .words = "queued|running|done|failed|cancelled", .about = "only jobs in that state"},
    {0},
};
static const struct param incomplete_params[] = {
    {"limit", ARG_INT, 1, 1000, .about = "rows at most (default 50)"},
    {"after", ARG_TEXT, 0, 4096, .about = "the cursor of the page before (its \"next\")"},
    {"run", ARG_TEXT, 0, 4096, .about = "id of a run: only what was not finished on it"},
    {0},
};
static const struct param export_params[] = {
    {"as", ARG_WORD, .words = "native|csv|html",
     .about = "native: JSON Lines that import reads back (the default); csv: a row a run; html: the story as one file to send to somebody"},
    {0},
};
static const struct param export_fields[] = {
    {"as", ARG_WORD, .words = "native|csv|html",
     .about = "native: JSON Lines that import reads back (the default); html: the story as one file to send to somebody"},
    {"ids", ARG_LIST, 0, 10000, .about = "only the runs of these ids"},
    {"filter", ARG_FILTER, .about = "only the runs that it names"},
    {0},
};
static const struct param facets_params[] = {
    {"fields", ARG_TEXT, 0, 4096, .about = "names of fields, separated by commas: those of /fields that have words"},
    {"top", ARG_INT, 1, 10000, .about = "values of each at most, those with most runs (default 50)"},
    {0},
};
static const struct param stats_params[] = {
    {"by", ARG_TEXT, 1, 300, .about = "a field that has words; without it one row for all runs"},
    {"top", ARG_INT, 1, 10000, .about = "groups at most, those with most runs (default 100)"},
    {0},
};
static const struct param compare_params[] = {
    {"by", ARG_TEXT, 1, 1000, .required = true, .about = "what tells the groups apart: a filter of the runs, such as model, agent, tag, meta.KEY, "
                                                         "score.NAME or range.FIELD"},
    {"a", ARG_TEXT, 0, 4096, .required = true, .about = "its value in the first group; several with commas (\\, is one of the value), "
                                                        "empty: runs that have none"},
    {"b", ARG_TEXT, 0, 4096, .about = "in the second group; without it all other runs"},
    {0},
};
static const struct param map_params[] = {
    {"field", ARG_TEXT, 1, 1000, .about = "what to colour by: any field of the runs (default model)"},
    {0},
};
static const struct param search_params[] = {
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
static const struct param search_page_params[] = {
    {"limit", ARG_INT, 1, 1000, .about = "hits at most (default 50)"},
    {"after", ARG_TEXT, 0, 4096, .about = "the cursor of the page before"},
    {"count", ARG_BOOL, .about = "count all hits"},
    {0},
};

static const struct param docs_params[] = {
    {"q", ARG_TEXT, 1, 200, .about = "only pages that have a line with all these words, and those lines"},
    {0},
};
static const struct param docent_permission_params[] = {
    {"permission", ARG_WORD, .words = "read|write|admin", .about = "nobody is refused"},
    {0},
};
static const struct param docent_ids_params[] = {
    {"sort_field", ARG_TEXT, 0, 200, .about = "not looked at: runs come in the order in which they were put in"},
    {"sort_direction", ARG_WORD, .words = "asc|desc", .about = "desc: the other way round"},
    {0},
};
static const struct param docent_tags_params[] = {
    {"value", ARG_TEXT, 1, 200, .about = "the tag; without it all"},
    {0},
};
static const struct param docent_run_params[] = {
    {"agent_run_id", ARG_TEXT, 1, 4096, .required = true, .about = "what the client called the run, or our id"},
    {"apply_base_where_clause", ARG_BOOL, .about = "not looked at: there is none"},
    {0},
};

/* ---- what may be sent ------------------------------------------------------------------------------------------------- */

static const struct param no_fields[] = {{0}};
static const struct param collection_fields[] = {
    {"name", ARG_TEXT, 1, 200, .required = true, .about = "unique"},
    {"description", ARG_TEXT, 0, 65536, .about = "for people"},
    {"metadata", ARG_OBJECT, .about = "anything"},
    {0},
};
static const struct param collection_change_fields[] = {
    {"name", ARG_TEXT, 1, 200, .about = "unique"},
    {"description", ARG_TEXT, 0, 65536, .about = "for people"},
    {"metadata", ARG_OBJECT, .about = "replaces what there is"},
    {"keep", ARG_TEXT, 0, 40, .about = "how long its runs stay: 90d, 12h, 5000runs (the newest), forever; empty: as the server's --keep says. "
     "Runs with labels, notes, tags given here or confirmed findings stay in any case"},
    {"quota", ARG_TEXT, 1, 40, .about = "how many runs it may have: 5000runs, none. New ones over it are refused with 507"},
    {0},
};
static const struct param prune_fields[] = {
    {"dry_run", ARG_BOOL, .about = "only count"},
    {0},
};
static const struct param tag_fields[] = {
    {"tag", ARG_TEXT, 1, 200, .required = true, .about = "the tag"},
    {"remove", ARG_BOOL, .about = "take it off instead"},
    {"ids", ARG_LIST, 0, 10000, .about = "ids of runs"},
    {"collection", ARG_TEXT, 1, 200, .about = "id or name, for a filter"},
    {"filter", ARG_FILTER, .about = "all runs of the collection that it names"},
    {0},
};
static const struct param runs_delete_fields[] = {
    {"ids", ARG_LIST, 0, 10000, .about = "ids of runs"},
    {"collection", ARG_TEXT, 1, 200, .about = "id or name, for a filter"},
    {"filter", ARG_FILTER, .about = "all runs of the collection that it names"},
    {"dry_run", ARG_BOOL, .about = "delete nothing; say how many it would be"},
    {0},
};
static const struct param review_fields[] = {
    {"status", ARG_WORD, .words = "open|confirmed|dismissed", .about = "what a person found"},
    {"note", ARG_TEXT, 0, 65536, .about = "why"},
    {"reviewer", ARG_TEXT, 0, 200, .about = "who"},
    {0},
};
static const struct param review_many_fields[] = {
    {"status", ARG_WORD, .words = "open|confirmed|dismissed", .about = "what a person found"},
    {"note", ARG_TEXT, 0, 65536, .about = "why"},
    {"reviewer", ARG_TEXT, 0, 200, .about = "who"},
    {"ids", ARG_LIST, 0, 10000, .about = "ids of findings"},
    {"collection", ARG_TEXT, 1, 200, .about = "id or name, for a filter"},
    {"filter", ARG_FILTER, .about = "all findings of the collection that it names"},
    {0},
};
static const struct param detectors_query[] = {
    {"collection", ARG_TEXT, 1, 200, .about = "id or name: the detectors as the settings have them for it"},
    {0},
};
static const struct param scan_fields[] = {
    {"only", ARG_LIST, 0, 1000, .about = "ids of detectors; without it all"},
    {0},
};
static const struct param own_rule_fields[] = {
    {"text", ARG_TEXT, 1, 262144, .required = true, .about = "YAML or JSON of one rule, whose id is that of the address"},
    {"author", ARG_TEXT, 0, 200, .about = "who wrote it"},
    {"note", ARG_TEXT, 0, 65536, .about = "what this version is for"},
    {0},
};
static const struct param exceptions_query[] = {
    {"collection", ARG_TEXT, 1, 200, .about = "id or name: those that hold in it"},
    {"detector", ARG_TEXT, 1, 1000, .about = "id of a detector"},
    {0},
};
static const struct param exception_fields[] = {
    {"detector", ARG_TEXT, 1, 1000, .required = true, .about = "id of the detector that it is of"},
    {"when", ARG_OBJECT, .about = "which of its findings: {FIELD: MATCHER} as in the rule language; FIELD is title, message, behavior, severity, capture.NAME,"
                                  " quote, part, task_id, model or agent. Without it, all"},
    {"collection", ARG_TEXT, 1, 200, .about = "id or name: only there; without it everywhere"},
    {"reviewer", ARG_TEXT, 0, 200, .about = "who says so"},
    {"note", ARG_TEXT, 0, 65536, .about = "why"},
    {0},
};
static const struct param webhook_fields[] = {
    {"url", ARG_TEXT, 1, 2000, .required = true, .about = "where to POST to: http or https"},
    {"events", ARG_LIST, 1, 10, .about = "import.done, findings.new, judge.done, job.failed (default: all)"},
    {"collection", ARG_TEXT, 1, 200, .about = "id or name: only of that collection"},
    {0},
};
static const struct param webhook_change_fields[] = {
    {"events", ARG_LIST, 1, 10, .about = "in place of those there are"},
    {"paused", ARG_BOOL, .about = "tell nothing until it is false again"},
    {0},
};
static const struct param rules_test_fields[] = {
    {"rules", ARG_TEXT, 1, 900000, .required = true, .about = "YAML or JSON with one or more rules"},
    {"collection", ARG_TEXT, 1, 200, .about = "id or name of the collection to try them on; without it they are only checked"},
    {0},
};
static const struct param rubric_query[] = {
    {"version", ARG_INT, 1, INT32_MAX, .about = "default: the latest"},
    {0},
};
static const struct param rubric_fields[] = {
    {"text", ARG_TEXT, 1, 900000, .required = true, .about = "the rubric as YAML or JSON"},
    {"base", ARG_INT, 1, INT32_MAX, .about = "the version that the editor began with: 409 where it is no longer the latest"},
    {"author", ARG_TEXT, 0, 200, .about = "who"},
    {"note", ARG_TEXT, 0, 65536, .about = "what this version changes"},
    {0},
};
static const struct param rubric_check_fields[] = {
    {"text", ARG_TEXT, 0, 900000, .required = true, .about = "the rubric as YAML or JSON"},
    {0},
};
static const struct param draft_fields[] = {
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
static const struct param model_fields[] = {
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
static const struct param judge_fields[] = {
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
static const struct param judgments_query[] = {
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
static const struct param judges_query[] = {
    {"collection", ARG_TEXT, 1, 200, .about = "id or name"},
    {"rubric", ARG_TEXT, 1, 200, .about = "name of a rubric"},
    {0},
};
static const struct param sql_fields[] = {
    {"query", ARG_TEXT, 1, 100000, .required = true, .about = "one SELECT over the documented views"},
    {"params", ARG_ARRAY, .about = "values for ? in the query"},
    {"limit", ARG_INT, 1, 1000000, .about = "rows at most (default 1000)"},
    {"timeout_ms", ARG_INT, 1, 8000, .about = "milliseconds at most (default 8000)"},
    {0},
};
static const struct param query_fields[] = {
    {"name", ARG_TEXT, 1, 200, .required = true, .about = "unique"},
    {"text", ARG_TEXT, 1, 65536, .required = true, .about = "the SQL"},
    {"chart", ARG_OBJECT, .about = "how the page draws the result; without it as a table"},
    {0},
};

static const struct param session_fields[] = {
    {"token", ARG_TEXT, 0, 200, .required = true, .about = "as it was given when it was made"},
    {0},
};
static const struct param token_fields[] = {
    {"name", ARG_TEXT, 1, 200, .required = true, .about = "whose it is, or what uses it"},
    {"scopes", ARG_LIST, 1, 4, .required = true,
     .about = "ingest: put runs in; read; review: say what findings and runs are (reads too); admin: everything"},
    {"collections", ARG_LIST, 1, 1000, .about = "ids or names: it is for these alone; without it for all"},
    {"expires_at", ARG_TEXT, 1, 100, .about = "a time such as 2027-01-31T00:00:00Z; without it never"},
    {"rate", ARG_INT, 1, 1000000, .about = "requests a second, of which ten seconds' worth may come at once; without it any"},
    {"max_upload_mb", ARG_INT, 1, 1000000, .about = "megabytes of one body; without it the server's own limit"},
    {0},
};
static const struct param audit_query[] = {
    {"actor", ARG_TEXT, 1, 200, .about = "name of a token, local, or cli:USER"},
    {0},
};

static const struct param docent_login_fields[] = {
    {"email", ARG_TEXT, 0, 1000, .about = "not looked at"},
    {"password", ARG_TEXT, 0, 1000, .about = "not looked at"},
    {0},
};
static const struct param docent_create_fields[] = {
    {"collection_id", ARG_TEXT, 1, 100, .about = "a UUID; without it one is made"},
    {"name", ARG_TEXT, 0, 200, .about = "made different where there is a collection of that name"},
    {"description", ARG_TEXT, 0, 65536, .about = "for people"},
    {"metadata", ARG_OBJECT, .about = "anything"},
    {0},
};
static const struct param docent_jobs_fields[] = {
    {"job_ids", ARG_LIST, 0, 100, .required = true, .about = "of uploads"},
    {0},
};
static const struct param docent_tag_fields[] = {
    {"agent_run_id", ARG_TEXT, 1, 4096, .required = true, .about = "what the client called the run, or our id"},
    {"value", ARG_TEXT, 1, 200, .required = true, .about = "the tag"},
    {0},
};
static const struct param docent_runs_fields[] = {
    {"agent_run_ids", ARG_LIST, 0, 10000, .required = true, .about = "what the client called the runs, or our ids"},
    {0},
};

/* ---- the table -------------------------------------------------------------------------------------------------------- */

#define API "/api/v1"
#define REST "/rest"
static const struct param labels_query[] = {
    {"collection", ARG_TEXT, 1, 200, .about = "id or name"},
    {"set", ARG_TEXT, 1, 200, .about = "name of a label set"},
    {"run", ARG_TEXT, 1, 100, .about = "id of a run"},
    {"who", ARG_TEXT, 0, 200, .about = "who gave them; empty: nobody is named"},
    {0},
};
static const struct param label_sets_query[] = {
    {"collection", ARG_TEXT, 1, 200, .about = "id or name: counts labels of its runs alone"},
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
static const struct param label_set_fields[] = {{"name", ARG_TEXT, 1, 200, .required = true, .about = "unique"}, LABEL_SET_FIELDS};
static const struct param label_set_change_fields[] = {LABEL_SET_FIELDS};
static const struct param labels_import_query[] = {
    {"collection", ARG_TEXT, 1, 200, .required = true, .about = "id or name: whose runs the rows name"},
    {"format", ARG_WORD, .words = "csv|jsonl|behaviors|who-and-when", .required = true, .about = "what the body is"},
    {"set", ARG_TEXT, 1, 200, .about = "label set of rows that name none"},
    {"who", ARG_TEXT, 1, 200, .about = "who gave the labels, where a row does not say"},
    {0},
};
static const struct param labels_export_query[] = {
    {"set", ARG_TEXT, 1, 200, .required = true, .about = "name of a label set"},
    {"collection", ARG_TEXT, 1, 200, .about = "id or name: labels of its runs alone"},
    {"as", ARG_WORD, .words = "csv|jsonl|native", .about = "jsonl: a label a line (the default); native: the set's declaration in front; csv"},
    {0},
};
static const struct param agreement_query[] = {
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
static const struct param raters_query[] = {
    {"collection", ARG_TEXT, 1, 200, .about = "id or name; without one no behaviours and detectors are listed"},
    {0},
};

/* The scope that is needed, and whose the thing is (route.h). */
#define NEEDS(need_, of_) .need = NEED_##need_, .of = OF_##of_
#define READ(path_) .method = "GET", .path = (path_), .lane = LANE_READ, .status = 200
#define WRITE(method_, path_) .method = (method_), .path = (path_), .lane = LANE_WRITE
#define OTLP(path_) \
    WRITE("POST", path_), .body = BODY_BYTES, .takes = "application/x-protobuf|application/json", .status = 200, .problem = otlp_problem, .streams = true, \
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
    {.method = "POST", .path = API "/sql", NEEDS(READ, ALL), .lane = LANE_LONG, .handle = api_sql, .body = BODY_JSON, .fields = sql_fields, .status = 200,
     .schema = "Rows", .summary = "Read-only SQL over the documented views. Integers have all their digits, also beyond 2^53 (read them with a "
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
