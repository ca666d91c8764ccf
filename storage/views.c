/* The views that SQL may read, column by column: what the page offers and a person reads about them. query.c lets through these views
 * and no other; a test holds the columns to those that the views have. */
#include "storage/store.h"

#define COLUMNS(...) (const struct sql_column[]){__VA_ARGS__, {0}}
#define RUN_ID {"run", "text", "id of the run"}
#define METADATA {"metadata", "json", "what the source says beside, as JSON"}

const struct sql_view sql_views[] = {
    {"collections", "one row a collection", COLUMNS(
        {"id", "text", "uuid"}, {"name", "text", "unique name"}, {"description", "text", "for people"},
        METADATA, {"created_at", "time", "when it was made"})},
    {"runs", "one row a run: one attempt at one task", COLUMNS(
        {"id", "text", "uuid"}, {"collection", "text", "id of its collection"}, {"external_id", "text", "what the source calls it"},
        {"name", "text", "name, where the source has one"}, {"task_id", "text", "what was tried"}, {"model", "text", "model"},
        {"agent", "text", "agent or scaffold, with its version"}, {"attempt", "integer", "which attempt at the task"},
        {"started_at", "time", "begin"}, {"ended_at", "time", "end"}, {"success", "bool", "1 passed, 0 failed, NULL unknown"},
        {"exit_status", "text", "how it ended, in the source's words"}, {"error", "text", "what broke the run"},
        {"limit", "text", "the limit that stopped it"}, {"tokens_in", "integer", "tokens read"}, {"tokens_out", "integer", "tokens written"},
        {"cost_usd", "number", "cost in US dollars"}, {"tags", "json", "tags, as a JSON list"}, METADATA,
        {"source", "json", "file, location and format, as JSON"}, {"file", "text", "the file it was read from"},
        {"location", "text", "its place in that file"}, {"format", "text", "format it was read from"},
        {"content_hash", "text", "hash of what was read"}, {"messages", "integer", "number of messages"},
        {"tool_calls", "integer", "number of tool calls"})},
    {"scores", "one row a score of a run", COLUMNS(
        RUN_ID, {"name", "text", "name of the score"}, {"value", "any", "number, bool or text"}, {"answer", "text", "what the run answered"},
        {"target", "text", "what was expected"}, {"explanation", "text", "why, as the grader says"}, METADATA)},
    {"transcripts", "one row a transcript: the run's own, and one for each sub-agent", COLUMNS(
        {"id", "text", "id within the run"}, RUN_ID, {"parent", "text", "transcript that it belongs to"}, {"name", "text", "name"},
        {"position", "integer", "place among the run's, from 0"}, METADATA, {"messages", "integer", "number of messages"})},
    {"messages", "one row a message", COLUMNS(
        RUN_ID, {"transcript", "text", "id of the transcript"}, {"index", "integer", "place in the transcript, from 0"},
        {"role", "text", "system, user, assistant or tool"}, {"text", "text", "what was said"}, {"reasoning", "text", "thinking, told apart"},
        {"model", "text", "model that wrote it"}, {"timestamp", "time", "when"}, {"duration_ms", "integer", "how long it took"},
        {"tokens_in", "integer", "tokens read for it"}, {"tokens_out", "integer", "tokens written"},
        {"finish_reason", "text", "why the model stopped"}, {"tool_call_id", "text", "call that it answers"},
        {"tool_name", "text", "tool that it answers for"}, {"error", "text", "error of the tool"}, METADATA)},
    {"tool_calls", "one row a tool call", COLUMNS(
        RUN_ID, {"transcript", "text", "id of the transcript"}, {"message", "integer", "index of the message that makes it"},
        {"position", "integer", "place in the message, from 0"}, {"call_id", "text", "what its result refers to"}, {"name", "text", "tool"},
        {"arguments", "json", "arguments; the raw text where they are no JSON"}, {"parse_error", "text", "why they are no JSON"}, METADATA)},
    {"findings", "one row a finding of a detector or judge", COLUMNS(
        {"id", "text", "uuid"}, {"collection", "text", "id of the collection"}, {"detector", "text", "what found it"},
        {"detector_version", "text", "its version"}, {"behavior", "text", "what it is, in the shared vocabulary"},
        {"kind", "text", "broken_task, odd_behavior, near_miss, harness or data"}, {"severity", "text", "low, medium or high"},
        {"confidence", "number", "0 to 1"}, {"title", "text", "what was found, in a line"}, {"message", "text", "in more words"},
        {"scope", "text", "run, task or collection"}, {"run", "text", "id of the run; NULL beyond one run"},
        {"task_id", "text", "task"}, {"status", "text", "open, confirmed or dismissed"}, {"reviewer", "text", "who reviewed it"},
        {"note", "text", "what they noted"}, {"created_at", "time", "when it was found"},
        {"exception", "text", "id of the exception that set it aside; NULL: none did"})},
    {"evidence", "one row a span of words that shows a finding", COLUMNS(
        {"finding", "text", "id of the finding"}, RUN_ID, {"transcript", "text", "id of the transcript"},
        {"message", "integer", "index of the message; NULL: a field of the run"}, {"part", "text", "text, reasoning, error, call:N.arguments …"},
        {"start", "integer", "first byte in the part"}, {"end", "integer", "after the last byte"}, {"quote", "text", "the words"})},
    {"labels", "one row a label that a person or a source gave", COLUMNS(
        RUN_ID, {"finding", "text", "id of the finding, where it is one's"}, {"label_set", "text", "set that it belongs to"},
        {"value", "json", "what was said, as JSON"}, {"who", "text", "who said it"}, {"when", "time", "when"})},
    {"tasks", "one row a task of a collection", COLUMNS(
        {"collection", "text", "id of the collection"}, {"task_id", "text", "task"}, {"attempts", "integer", "runs of it"},
        {"successes", "integer", "passed"}, {"failures", "integer", "failed"}, {"pass_rate", "number", "0 to 1; NULL where nothing is known"},
        {"models", "json", "models that tried, as a JSON list"}, {"findings", "integer", "findings in its runs and of itself"},
        {"verdict", "text", "sound, suspect or broken"}, {"reasons", "json", "why, as a JSON list"})},
    {"judgments", "one row an answer of an LLM judge", COLUMNS(
        RUN_ID, {"rubric", "text", "name of the rubric"}, {"version", "integer", "of the rubric"}, {"judge", "text", "model that judged"},
        {"state", "text", "answered, unsupported or failed"}, {"answer", "json", "the answer, as JSON"}, {"explanation", "text", "why"},
        {"epistemic_confidence", "number", "0 to 1"}, {"cost_usd", "number", "cost in US dollars"}, {"created_at", "time", "when"},
        {"id", "text", "uuid"}, {"judge_key", "text", "model and settings"}, {"decision", "text", "what the answer comes to"},
        {"flagged", "bool", "1 where it makes a finding"}, {"share", "number", "of its samples that agree"},
        {"superseded", "bool", "1 where a newer one replaced it"}, {"stale", "bool", "1 where the run changed since"},
        {"error", "text", "why it failed"}, {"job", "text", "id of the job that made it"}, {"calls", "integer", "calls to the model"},
        {"tokens_in", "integer", "tokens read"}, {"tokens_out", "integer", "tokens written"})},
    {0},
};
