#include "detect/det.h"

const struct det dets[] = {
    {"orphan-result", "a tool result answers no call", "orphan-result", SEVERITY_LOW, 0.9,
     "A result whose call is not in the transcript: the log is cut, or calls and results were mixed up, and what is counted from it may be wrong.",
     "Some loggers leave out the calls of another agent.", "det_structure.c", 1, det_orphan_result},
    {"missing-result", "a tool call has no result", "missing-result", SEVERITY_LOW, 0.8,
     "A call before the last one was never answered: the result was lost, or the agent went on without it.",
     "Calls that end a run by design, and calls that the scaffold refused, have no result in some formats.", "det_structure.c", 1, det_missing_result},
    {"duplicate-call-id", "two calls share one id", "duplicate-call-id", SEVERITY_LOW, 0.9,
     "Results are tied to calls by id; where ids repeat, tools that read this log may show a result under the wrong call.",
     "Telltale ties such results by their order, which is right for loggers that number anew in each message.", "det_structure.c", 1, det_duplicate_call_id},
    {"role-order", "a tool result comes before anything was said", "role-order", SEVERITY_LOW, 0.8,
     "No API gives a result before the assistant has spoken: the start of the transcript is missing.", "Few-shot examples may be written so.", "det_structure.c", 1,
     det_role_order},
    {"empty-message", "a message says nothing and calls nothing", "empty-message", SEVERITY_LOW, 0.8,
     "A reply with neither text nor call: the model gave nothing, the content was filtered, or the logger lost it.", "Some scaffolds use an empty reply as a signal.",
     "det_structure.c", 1, det_empty_message},
};
const size_t det_count = sizeof dets / sizeof *dets;
