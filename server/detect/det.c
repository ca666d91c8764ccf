#include "detect/det.h"

const struct det dets[] = {
    {
        .id = "orphan-result", .behavior = "orphan-result", .title = "a tool result answers no call", .severity = SEVERITY_LOW, .confidence = 0.9,
        .why = "A result whose call is not in the transcript: the log is cut, or calls and results were mixed up, and what is counted from it may be wrong.",
        .unsure = "Some loggers leave out the calls of another agent.",
        .file = "det_structure.c", .revision = 1, .look = det_orphan_result,
    },
    {
        .id = "missing-result", .behavior = "missing-result", .title = "a tool call has no result", .severity = SEVERITY_LOW, .confidence = 0.8,
        .why = "A call before the last one was never answered: the result was lost, or the agent went on without it.",
        .unsure = "Calls that end a run by design, and calls that the scaffold refused, have no result in some formats.",
        .file = "det_structure.c", .revision = 1, .look = det_missing_result,
    },
    {
        .id = "duplicate-call-id", .behavior = "duplicate-call-id", .title = "two calls share one id", .severity = SEVERITY_LOW, .confidence = 0.9,
        .why = "Results are tied to calls by id; where ids repeat, tools that read this log may show a result under the wrong call.",
        .unsure = "Telltale ties such results by their order, which is right for loggers that number anew in each message.",
        .file = "det_structure.c", .revision = 1, .look = det_duplicate_call_id,
    },
    {
        .id = "role-order", .behavior = "role-order", .title = "a tool result comes before anything was said", .severity = SEVERITY_LOW, .confidence = 0.8,
        .why = "No API gives a result before the assistant has spoken: the start of the transcript is missing.",
        .unsure = "Few-shot examples may be written so.",
        .file = "det_structure.c", .revision = 1, .look = det_role_order,
    },
    {
        .id = "empty-message", .behavior = "empty-message", .title = "a message says nothing and calls nothing", .severity = SEVERITY_LOW, .confidence = 0.8,
        .why = "A message with neither text nor call: the model gave nothing, the content was filtered, or the logger lost it.",
        .unsure = "Some scaffolds use an empty reply as a signal.",
        .file = "det_structure.c", .revision = 1, .look = det_empty_message,
    },
    {
        .id = "wrong-form", .behavior = "wrong-form", .title = "the right answer in the wrong form", .severity = SEVERITY_MEDIUM, .confidence = 0.8,
        .why = "What was given and what was expected differ only in wrapper, case, punctuation, unit or encoding: the work was done.",
        .unsure = "The form may be the very thing that is asked for.",
        .file = "det_answer.c", .revision = 1, .look = det_wrong_form,
    },
    {
        .id = "strict-grader", .behavior = "strict-grader", .title = "a right answer was refused for its form", .severity = SEVERITY_MEDIUM, .confidence = 0.7,
        .why = "The expected answer was given in another wrapper, case, unit or sentence, and graded wrong: the grader measures form.",
        .unsure = "The form may be the very thing that is asked for.",
        .file = "det_answer.c", .revision = 1, .look = det_wrong_form,
    },
    {
        .id = "garbled-key", .behavior = "wrong-key", .title = "the expected answer lost or won a backslash or quote", .severity = SEVERITY_HIGH, .confidence = 0.9,
        .why = "What was given and what was expected differ only in backslashes and quotes: the key went through one round of escaping too many, and no "
               "right answer can match it.",
        .unsure = "The agent may be the one that escaped its answer.",
        .file = "det_answer.c", .revision = 1, .look = det_garbled_key,
    },
    {
        .id = "almost-passed", .behavior = "almost-passed", .title = "{passed}", .severity = SEVERITY_MEDIUM, .confidence = 0.7,
        .why = "Nearly all of what is scored was right; one more step, or one detail, and the run passes.",
        .unsure = "A score near 1 need not mean that little is missing, and the checks that fail may be the ones that matter.",
        .file = "det_score.c", .revision = 1, .look = det_almost_passed,
    },
    {
        .id = "answer-seen", .behavior = "answer-seen", .title = "the right answer stands in the transcript and was not given", .severity = SEVERITY_MEDIUM,
        .confidence = 0.7,
        .why = "The expected answer came up, in a result or in the agent's own words, and something else was submitted: a near miss.",
        .unsure = "It may stand there by chance, among many others.",
        .file = "det_answer.c", .revision = 1, .look = det_answer_seen,
    },
    {
        .id = "leaked-answer", .behavior = "leaked-answer", .title = "the expected answer can be read without solving anything",
        .severity = SEVERITY_HIGH, .confidence = 0.8,
        .why = "The key stands in the prompt, or in a file of the grader's that a tool's result shows; a pass then shows nothing.",
        .unsure = "It may be an example of the format that happens to be the key.",
        .file = "det_answer.c", .revision = 1, .look = det_leaked_answer,
    },
    {
        .id = "unseen-answer", .behavior = "guessing", .title = "an answer that nothing in the run shows was submitted", .severity = SEVERITY_MEDIUM, .confidence = 0.7,
        .why = "The answer is wrong, and neither a tool's result nor the task ever showed it: it was made up, or worked out in the head and not checked.",
        .unsure = "An answer may be worked out without a tool, and be wrong by a slip.",
        .file = "det_answer.c", .revision = 1, .look = det_unseen_answer,
    },
    {
        .id = "similar-action", .behavior = "repeated-action", .title = "nearly equal calls to {tool}, all with the same result", .severity = SEVERITY_MEDIUM,
        .confidence = 0.7,
        .why = "The agent changes little in what it does and gets the same result each time: it does not learn from what it sees.",
        .unsure = "A series of commands that only differ in a name, and print nothing, looks alike.",
        .file = "det_repeat.c", .revision = 1, .look = det_similar_action,
    },
    {
        .id = "runaway-text", .behavior = "gibberish", .title = "one bit of text over and over", .severity = SEVERITY_MEDIUM, .confidence = 0.8,
        .why = "The model fell into a loop while writing; the reply is noise from there on, and was probably cut.",
        .unsure = "Test data and exploits are repetitive on purpose.",
        .file = "det_text.c", .revision = 1, .look = det_runaway_text,
    },
    {
        .id = "word-salad", .behavior = "gibberish", .title = "long words without grammar", .severity = SEVERITY_MEDIUM, .confidence = 0.6,
        .why = "Paragraphs of long words with hardly an article or a verb between them: the model has lost the thread and goes on talking.",
        .unsure = "Terse technical English, lists of names and other languages come near it.",
        .file = "det_text.c", .revision = 1, .look = det_word_salad,
    },
};
const size_t det_count = sizeof dets / sizeof *dets;
