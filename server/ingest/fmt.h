/* What the formats share: reading a chat message, scores and verdicts, and gathering what has no place of its own. */
#ifndef INGEST_FMT_H
#define INGEST_FMT_H

#include "base/str.h"
#include "ingest/format.h"

#define FORMAT(row) extern const struct format row;
#include "ingest/formats.inc"
#undef FORMAT

/* ---- metadata: the JSON object that holds what has no place of its own ------------------------------------------------ */

struct meta {
    struct str out;           /* "{…" without the closing brace; empty when nothing was added */
    const struct jvalue *own; /* the source's own object, whose keys keep their names when others collide with them */
};
#define META_INIT ((struct meta){.out = STR_INIT((size_t)16 << 30)}) /* what is added comes from values that have a limit of their own */

/* The key, and whatever the caller then appends to the returned buffer as one JSON value. */
struct str *meta_key(struct meta *m, struct slice key);
void meta_value(struct meta *m, const char *key, const struct jvalue *v); /* NULL and J_NULL: nothing is added */
void meta_text(struct meta *m, const char *key, struct slice text);       /* absent: nothing is added */
void meta_json(struct meta *m, const char *key, struct slice json);       /* JSON text; absent: nothing is added */
/* Every member of `object` that is not in `known` (NULL-terminated; NULL: every member), and not null. */
void meta_rest(struct meta *m, const struct jvalue *object, const char *const known[]);
/* The source's own `metadata`: its members when it is an object, else under its own name. */
void meta_own(struct meta *m, const struct jvalue *v);
/* The raw bytes of scalars that lost something when they were repaired, in `v` and below it, as "repaired": {"where": "bytes"}. The
 * member named `except` (may be NULL) is left out. */
void meta_repaired(struct meta *m, const struct jvalue *v, const char *except);
/* Goes on with an object that was ended before. */
struct meta meta_resume(struct slice object);
/* The object in the arena; absent when nothing was added. Frees the buffer. */
struct slice meta_end(struct meta *m, struct arena *a);

/* ---- chat messages ------------------------------------------------------------------------------------------------------ */

/* Messages being gathered; zero-initialise. */
struct messages {
    struct message *items;
    size_t n, cap;
};
/* With message_init() done. One that is beyond what a run may have takes the place of the one before it. */
struct message *messages_add(struct arena *a, struct messages *list);
/* Room for `n` messages in all: a list whose length is known about beforehand leaves no shorter copies of itself in the arena. */
void messages_expect(struct arena *a, struct messages *list, size_t n);

/* Reads one chat message in any of the shapes that are about: OpenAI (tool_calls, function_call, content parts, the items of
 * its Responses API), Anthropic (parts tool_use, tool_result, thinking), Inspect, Docent and our own export. Appends it; a
 * message of several tool results becomes several. What has no field goes to the message's metadata. `v` is an object. */
void chat_message(struct arena *a, struct messages *list, const struct jvalue *v);
/* All objects of an array; what is no object is put into `other` (may be NULL) as "other_messages". */
void chat_messages(struct arena *a, struct messages *list, const struct jvalue *array, struct meta *other);
/* Does it look like a message: an object with a role, or an item of the Responses API? */
bool chat_is_message(const struct jvalue *v);
/* An array of which one of the first objects has a role and says something. */
bool chat_is_list(const struct jvalue *v);
/* The role that a word means; an unknown word is some agent's name (`known` false), and "user2" a user. */
enum role chat_role(struct slice word, bool *known);
/* The provider's answer that a message was made of, {model, usage, choices[{message, finish_reason}]} or one choice of it: the message
 * gets the model, usage, finish reason and reasoning that it lacks; what it says already is left out; the rest is put into `meta` under `key`,
 * the whole answer where it says something else than the message. */
void chat_response(struct arena *a, struct message *m, const struct jvalue *response, struct meta *meta, const char *key);
/* Arguments of a call: JSON text, or the raw text with parse_error. */
void chat_arguments(struct arena *a, struct tool_call *call, const struct jvalue *v, struct meta *rest);

/* What a call cost in tokens, under the names that APIs have for it; the details go to the metadata as "usage". NULL: nothing. */
void chat_usage(struct arena *a, struct message *m, struct meta *meta, const struct jvalue *usage);

/* Are most records of a sample of this kind? A file with a few strange ones in it is still what it is: they are refused by name. */
bool fmt_most(const struct sample *sample, bool (*is_kind)(const struct jvalue *v));
/* close() of a format that keeps nothing between records. */
bool fmt_close(void **state, const struct sink *sink, struct err *e);

/* ---- runs --------------------------------------------------------------------------------------------------------------- */

/* A new arena with a copy of the value's bytes and their tree: for a run that is a part of a record. */
struct arena *fmt_part(const struct jvalue *v, struct jvalue **copy);
/* The same into an arena that there is. */
void fmt_copy(struct arena *a, const struct jvalue *v, struct jvalue **copy);
/* A malloc'd, empty arena. */
struct arena *fmt_arena(void);
void fmt_discard(struct arena *a); /* NULL is fine */
/* Takes the record's arena for a run. */
struct arena *fmt_take(const struct record *record);

/* The object without some of its members: a shallow copy, for a reader that would put them into the metadata. */
struct jvalue fmt_without(struct arena *a, const struct jvalue *object, const char *const keys[]);
/* ISO text or a number of seconds, milliseconds, …; false where it is neither. */
bool fmt_time(struct arena *a, const struct jvalue *v, struct slice *out);
bool fmt_is_one_of(struct slice key, const char *const keys[]); /* NULL-terminated; NULL: none */
/* The first of the keys (NULL-terminated) that is there and not null. */
const struct jvalue *fmt_first(const struct jvalue *object, const char *const keys[]);
int64_t fmt_count(const struct jvalue *v);  /* a whole number ≥ 0, or COUNT_UNKNOWN */
/* The same; what is something else goes to the metadata under `key`. */
int64_t fmt_count_or(struct meta *m, const char *key, const struct jvalue *v);
struct slice fmt_string(struct arena *a, const struct jvalue *v); /* text as it is, other values as JSON text; null is absent */
/* true, 1, "C", "correct" … passed; false, 0, "I", "N" … failed; else unknown. */
enum verdict fmt_verdict(const struct jvalue *v);
/* Does a score or field of this name say whether a run passed ("reward", "is_correct", …)? */
bool fmt_is_verdict(struct slice name);
/* Adds up two counts of which either may be unknown. */
int64_t fmt_sum(int64_t a, int64_t b);

struct score *fmt_score(struct arena *a, struct run *run, struct slice name);
/* A score as Inspect and we write it: {value, answer, target, explanation, metadata, …}, or the bare value. */
struct score *fmt_score_of(struct arena *a, struct run *run, struct slice name, const struct jvalue *v);
struct transcript *fmt_transcript(struct arena *a, struct run *run, const struct messages *messages);

#endif
