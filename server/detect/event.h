/* A run as a row of events, and what can be read of each: its fields, and where in the transcript their bytes stand. */
#ifndef DETECT_EVENT_H
#define DETECT_EVENT_H

#include "detect/rule.h"
#include "text/jread.h"
#include "transcript/finding.h"

/* ---- places and evidence ----------------------------------------------------------------------------------------- */

enum part {
    PART_NONE, PART_TEXT, PART_REASONING, PART_ERROR, PART_CALL_NAME, PART_CALL_ARGUMENTS,
    PART_RUN_EXIT_STATUS, PART_RUN_ERROR, PART_RUN_LIMIT,
    PART_SCORE_VALUE, PART_SCORE_ANSWER, PART_SCORE_TARGET, PART_SCORE_EXPLANATION,
};
struct span {
    int32_t transcript, message;    /* -1: a field of the run */
    enum part part;
    uint32_t nth;                   /* the call or score */
    uint32_t start, end;
};
enum { QUOTE_MAX = 800 };           /* bytes shown of what is longer */

struct slice span_text(const struct run *run, const struct span *span); /* the whole part */
/* Makes evidence of a span: names the part, cuts it to whole UTF-8 sequences and QUOTE_MAX bytes. False where it shows nothing. */
bool span_evidence(struct arena *a, const struct run *run, struct span span, struct evidence *out);
/* A span that begins or ends inside a word or a number, widened to all of it; one of more than 64 bytes a side stays cut. */
struct span span_whole_words(const struct run *run, struct span span);
/* The first line of a part, where no place in it says more than another. */
struct span span_opening(const struct run *run, struct span whole);
/* The last message of the run that has words in it: what shows that something never came. */
bool span_last(const struct run *run, struct span *out);
bool span_of_message(const struct run *run, int32_t transcript, int32_t message, struct span *out);

static inline struct span span_of_text(size_t transcript, size_t message, size_t start, size_t len)
{
    return (struct span){(int32_t)transcript, (int32_t)message, PART_TEXT, 0, (uint32_t)start, (uint32_t)(start + len)};
}

/* A call's arguments, from their start; the caller says how far. */
static inline struct span span_of_call(size_t transcript, size_t message, size_t call)
{
    return (struct span){(int32_t)transcript, (int32_t)message, PART_CALL_ARGUMENTS, (uint32_t)call, 0, 0};
}

/* ---- which result answers which call ----------------------------------------------------------------------------- */

struct call_ref { int32_t message; uint32_t call; };    /* message -1: none */
struct pairs {
    struct call_ref *answers;   /* per message: the call that it answers */
    uint32_t *first;            /* per message: where its calls begin in results[] */
    int32_t *results;           /* per call: the message that answers it, or -1 */
};
/* One for each transcript. By id where there is one; ids that occur twice, and results without, go by order. */
struct pairs *pairs_make(struct arena *a, const struct run *run);

/* ---- events ------------------------------------------------------------------------------------------------------ */

struct event {
    enum event_kind kind;
    uint32_t order;             /* in the run, from 1; events of one message follow each other */
    int32_t transcript, message;
    const struct message *m;    /* NULL: a score or the end */
    uint32_t nth;               /* the call or score */
    const struct finding *finding;  /* of EVENT_FINDING, else NULL */
};

struct value {
    struct slice text;          /* ptr NULL: absent */
    double number;              /* NAN: none */
    struct span place;          /* part PART_NONE: not a part of the transcript; else where `text` starts */
    struct slice escaped;       /* the JSON string, with its quotes, that `text` was unescaped from; else absent */
};

struct view {                   /* what reading fields needs; lives as long as one run */
    const struct run *run;
    const struct pairs *pairs;
    struct arena *arena;        /* emptied after each event */
    const struct tool_call *parsed[2];      /* arguments that were parsed for this event … */
    const struct jvalue *arguments[2];      /* … NULL: not JSON */
    struct slice metadata;                  /* the same for what is said about the event */
    const struct jvalue *metadata_json;
};
void view_reset(struct view *v); /* before each event */

/* The nth value of a field (several tags, scores of one name, strings in arguments); false: there are no more. */
bool view_value(struct view *v, const struct event *e, enum field field, struct slice key, size_t nth, struct value *out);
/* The span of bytes [start, end) of a value's text. */
struct span value_span(const struct value *value, size_t start, size_t end);
/* What stands for an event that no pattern looked into: its words, or its arguments. */
bool event_span(const struct run *run, const struct event *e, struct span *out);
/* No arguments, or an empty object of them. */
bool call_is_bare(const struct tool_call *call);
/* Texts of a call's arguments that are not as written in its JSON: the strings with escapes. Returns how many; at most `max`. */
size_t view_unescaped(struct view *v, const struct tool_call *call, struct slice *out, size_t max);

#endif
