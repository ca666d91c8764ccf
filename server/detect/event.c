#include "detect/event.h"

#include "base/clock.h"

#include <stdlib.h>

/* ---- calls and results ------------------------------------------------------------------------------------------- */

enum { NONE = UINT32_MAX, NEARBY = 64 };

struct pairing { /* of one transcript */
    const struct transcript *t;
    struct pairs *pairs;
    int32_t *message_of;    /* per call */
    uint32_t *older;        /* per call: the one before it with the same id, NONE at the end */
    uint32_t *slots;        /* id → newest call, but for answered ones */
    size_t mask;
    int32_t latest;         /* the newest message with calls, -1 before the first */
    uint32_t next;          /* of its calls: all before this one are answered */
};

static struct tool_call *call_at(const struct pairing *p, uint32_t flat)
{
    int32_t m = p->message_of[flat];
    return &p->t->messages[m].calls[flat - p->pairs->first[m]];
}

static size_t slot_of(const struct pairing *p, struct slice id)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < id.len; i++)
        h = (h ^ (unsigned char)id.ptr[i]) * UINT64_C(0x100000001b3);
    size_t slot = (h ^ h >> 29) & p->mask;
    while (p->slots[slot] != NONE && !slice_eq(call_at(p, p->slots[slot])->call_id, id))
        slot = (slot + 1) & p->mask;
    return slot;
}

/* The newest call with an id that waits for its result. Answered ones leave their list, so that no walk meets them twice; the oldest
 * stays, as its slot must not become free. */
static uint32_t newest_open(struct pairing *p, struct slice id)
{
    uint32_t *call = &p->slots[slot_of(p, id)];
    while (*call != NONE && p->pairs->results[*call] >= 0 && p->older[*call] != NONE)
        *call = p->older[*call];
    return *call != NONE && p->pairs->results[*call] < 0 ? *call : NONE;
}

static uint32_t find_call(struct pairing *p, const struct message *m)
{
    uint32_t end = p->latest < 0 ? 0 : p->pairs->first[p->latest] + (uint32_t)p->t->messages[p->latest].ncalls;
    uint32_t from = p->latest < 0 ? 0 : p->next;
    /* First the newest message's own calls, in order: ids may repeat from message to message. */
    uint32_t open = NONE;
    for (uint32_t i = from; i < end && i - from < NEARBY; i++) {
        const struct tool_call *c = call_at(p, i);
        if (p->pairs->results[i] >= 0)
            continue;
        if (m->tool_call_id.len ? slice_eq(c->call_id, m->tool_call_id) : !m->tool_name.len || slice_eq(c->name, m->tool_name))
            return i;
        if (open == NONE && !m->tool_call_id.len)
            open = i;
    }
    if (!m->tool_call_id.len)
        return open;
    return newest_open(p, m->tool_call_id);
}

static void pair_transcript(struct arena *a, const struct transcript *t, struct pairs *out)
{
    size_t ncalls = 0, slots = 16;
    for (size_t i = 0; i < t->nmessages; i++)
        ncalls += t->messages[i].ncalls;
    while (slots < 2 * ncalls)
        slots *= 2;
    out->answers = arena_array(a, struct call_ref, t->nmessages + 1);
    out->first = arena_array(a, uint32_t, t->nmessages + 1);
    out->results = arena_array(a, int32_t, ncalls + 1);
    struct pairing p = {.t = t, .pairs = out, .mask = slots - 1, .latest = -1};
    p.message_of = arena_array(a, int32_t, ncalls + 1);
    p.older = arena_array(a, uint32_t, ncalls + 1);
    p.slots = arena_array(a, uint32_t, slots);
    memset(p.slots, 0xff, slots * sizeof *p.slots);
    uint32_t flat = 0;
    for (size_t i = 0; i < t->nmessages; i++) {
        const struct message *m = &t->messages[i];
        out->answers[i] = (struct call_ref){-1, 0};
        out->first[i] = flat;
        for (size_t k = 0; k < m->ncalls; k++, flat++) {
            p.message_of[flat] = (int32_t)i;
            out->results[flat] = -1;
            p.older[flat] = NONE;
            if (!m->calls[k].call_id.len)
                continue;
            size_t slot = slot_of(&p, m->calls[k].call_id);
            p.older[flat] = p.slots[slot];
            p.slots[slot] = flat;
        }
        if (m->ncalls) {
            p.latest = (int32_t)i;
            p.next = out->first[i];
        }
        if (m->role != ROLE_TOOL)
            continue;
        uint32_t call = find_call(&p, m);
        if (call == NONE)
            continue;
        out->results[call] = (int32_t)i;
        out->answers[i] = (struct call_ref){p.message_of[call], call - out->first[p.message_of[call]]};
        while (p.latest >= 0 && p.next < flat && out->results[p.next] >= 0)
            p.next++;
    }
}

struct pairs *pairs_make(struct arena *a, const struct run *run)
{
    struct pairs *pairs = arena_array(a, struct pairs, run->ntranscripts + 1);
    for (size_t i = 0; i < run->ntranscripts; i++)
        pair_transcript(a, &run->transcripts[i], &pairs[i]);
    return pairs;
}

/* ---- values ------------------------------------------------------------------------------------------------------ */

void view_reset(struct view *v)
{
    arena_reset(v->arena);
    v->parsed[0] = v->parsed[1] = NULL;
    v->metadata = SLICE_NONE, v->metadata_json = NULL;
}

static const struct jvalue *parse(struct view *v, struct slice text)
{
    static const struct jlimits limits = {.depth = 64, .nodes = 200000};
    struct jvalue *root = NULL;
    return text.len && jread(v->arena, text, &limits, NULL, &root, NULL) ? root : NULL;
}

static const struct jvalue *arguments(struct view *v, const struct tool_call *call)
{
    for (int i = 0; i < 2; i++)
        if (v->parsed[i] == call)
            return v->arguments[i];
    int i = v->parsed[0] ? 1 : 0;
    v->parsed[i] = call;
    v->arguments[i] = parse(v, call->arguments);
    return v->arguments[i];
}

static bool give_text(struct value *out, struct slice text, struct span place)
{
    *out = (struct value){.text = text, .number = NAN, .place = place};
    return text.ptr != NULL;
}

static bool give_number(struct value *out, double number)
{
    *out = (struct value){.number = number};
    return !isnan(number);
}

static bool give_count(struct value *out, int64_t n) { return give_number(out, n == COUNT_UNKNOWN ? NAN : (double)n); }

/* A JSON value as a rule sees it: a string's text, anything else as it is written. `whole` is the part it stands in. */
static bool give_json(struct value *out, const struct jvalue *json, struct slice part, struct span place)
{
    if (!json)
        return false;
    struct slice text = json->type == J_STRING ? json->text : json->raw;
    bool inside = text.ptr >= part.ptr && text.ptr + text.len <= part.ptr + part.len;
    if (inside) {
        place.start = (uint32_t)(text.ptr - part.ptr);
        return give_text(out, text, place);
    }
    place.start = (uint32_t)(json->raw.ptr - part.ptr);
    give_text(out, text, place);
    out->escaped = json->repaired ? SLICE_NONE : json->raw;
    if (json->repaired) /* its escapes cannot be counted: the whole value stands for what is in it */
        out->place.end = (uint32_t)(place.start + json->raw.len);
    return text.ptr != NULL;
}

/* A key, or a path of keys with dots where no key is spelt so. */
static const struct jvalue *find_path(const struct jvalue *object, struct slice path)
{
    const struct jvalue *v = jget_slice(object, path);
    for (size_t i = 0; !v && i < path.len; i++)
        if (path.ptr[i] == '.') {
            const struct jvalue *inner = jget_slice(object, slice_sub(path, 0, i));
            v = inner ? find_path(inner, slice_sub(path, i + 1, path.len)) : NULL;
        }
    return v;
}

/* The nth scalar in a tree, in the order of the text. */
static const struct jvalue *nth_scalar(const struct jvalue *json, size_t *nth)
{
    if (json->type != J_ARRAY && json->type != J_OBJECT)
        return (*nth)-- == 0 ? json : NULL;
    const struct jvalue *found = NULL;
    for (uint32_t i = 0; i < json->n && !found; i++)
        found = nth_scalar(&json->items[i], nth);
    return found;
}

static bool give_argument(struct view *v, const struct tool_call *call, struct span place, struct slice key, size_t nth,
                          struct value *out)
{
    enum { SCALARS = 256 };
    const struct jvalue *root = arguments(v, call);
    place.part = PART_CALL_ARGUMENTS;
    if (!root) /* not JSON: the raw text is its one value */
        return nth == 0 && slice_is(key, "*") && give_text(out, call->arguments, place);
    if (!slice_is(key, "*"))
        return nth == 0 && give_json(out, find_path(root, key), call->arguments, place);
    size_t n = nth;
    return nth < SCALARS && give_json(out, nth_scalar(root, &n), call->arguments, place);
}

static void collect_unescaped(const struct jvalue *json, struct slice part, struct slice *out, size_t max, size_t *n)
{
    if (json->type == J_STRING && json->text.len && (json->text.ptr < part.ptr || json->text.ptr >= part.ptr + part.len) &&
        *n < max)
        out[(*n)++] = json->text;
    for (uint32_t i = 0; (json->type == J_ARRAY || json->type == J_OBJECT) && i < json->n; i++)
        collect_unescaped(&json->items[i], part, out, max, n);
}

size_t view_unescaped(struct view *v, const struct tool_call *call, struct slice *out, size_t max)
{
    size_t n = 0;
    if (!call->arguments.len || !memchr(call->arguments.ptr, '\\', call->arguments.len))
        return 0;
    const struct jvalue *root = arguments(v, call);
    if (root)
        collect_unescaped(root, call->arguments, out, max, &n);
    return n;
}

static const struct message *message_at(const struct view *v, int32_t transcript, int32_t message)
{
    return &v->run->transcripts[transcript].messages[message];
}

/* Of the call that a result answers. */
static bool give_of_call(struct view *v, const struct event *e, enum field field, struct slice key, size_t nth, struct value *out)
{
    struct call_ref ref = e->m ? v->pairs[e->transcript].answers[e->message] : (struct call_ref){-1, 0};
    if (ref.message < 0)
        return false;
    const struct tool_call *call = &message_at(v, e->transcript, ref.message)->calls[ref.call];
    struct span place = {.transcript = e->transcript, .message = ref.message, .part = PART_CALL_NAME, .nth = ref.call};
    if (field == FIELD_CALL_ARG)
        return give_argument(v, call, place, key, nth, out);
    if (nth)
        return false;
    if (field == FIELD_CALL_NAME)
        return give_text(out, call->name, place);
    place.part = PART_CALL_ARGUMENTS;
    return give_text(out, call->arguments, place);
}

static bool give_of_result(struct view *v, const struct event *e, enum field field, size_t nth, struct value *out)
{
    int32_t at = v->pairs[e->transcript].results[v->pairs[e->transcript].first[e->message] + e->nth];
    if (nth || at < 0)
        return false;
    const struct message *m = message_at(v, e->transcript, at);
    struct span place = {.transcript = e->transcript, .message = at, .part = field == FIELD_RESULT_TEXT ? PART_TEXT : PART_ERROR};
    return give_text(out, field == FIELD_RESULT_TEXT ? m->text : m->error, place);
}

static bool give_score(struct view *v, size_t i, enum part part, struct value *out)
{
    struct span place = {.transcript = -1, .message = -1, .part = part, .nth = (uint32_t)i};
    struct slice text = span_text(v->run, &place);
    if (part != PART_SCORE_VALUE || !slice_starts(text, "\""))
        return give_text(out, text, place);
    return give_json(out, parse(v, text), text, place) || give_text(out, text, place);
}

/* score.NAME, score.NAME.answer …; * for any name. */
static bool give_named_score(struct view *v, struct slice key, size_t nth, struct value *out)
{
    static const struct {
        const char *suffix;
        enum part part;
    } parts[] = {
        {".value", PART_SCORE_VALUE},
        {".answer", PART_SCORE_ANSWER},
        {".target", PART_SCORE_TARGET},
        {".explanation", PART_SCORE_EXPLANATION},
    };
    for (int pass = 0; pass < 2; pass++) { /* a score may be named "x.value" */
        enum part part = PART_SCORE_VALUE;
        struct slice name = key;
        for (size_t i = 0; pass && i < sizeof parts / sizeof *parts; i++)
            if (slice_ends(key, parts[i].suffix))
                part = parts[i].part, name = slice_sub(key, 0, key.len - strlen(parts[i].suffix));
        size_t n = nth;
        for (size_t i = 0; i < v->run->nscores; i++)
            if ((slice_is(name, "*") || slice_eq(v->run->scores[i].name, name)) && n-- == 0)
                return give_score(v, i, part, out);
    }
    return false;
}

static double seconds_between(struct slice from, struct slice to)
{
    int64_t a, b;
    return clock_parse(from, &a) && clock_parse(to, &b) ? (double)(b - a) / 1e6 : NAN;
}

static bool give_of_run(struct view *v, enum field field, struct slice key, size_t nth, struct value *out)
{
    const struct run *run = v->run;
    static const char *const verdicts[] = {"false", "true", "null"};
    const struct span none = {.transcript = -1, .message = -1};
    if (field == FIELD_SCORE)
        return give_named_score(v, key, nth, out);
    if (field == FIELD_TAGS)
        return nth < run->ntags && give_text(out, run->tags[nth], none);
    if (nth)
        return false;
    switch (field) {
    case FIELD_NAME: return give_text(out, run->name, none);
    case FIELD_MODEL: return give_text(out, run->model, none);
    case FIELD_AGENT: return give_text(out, run->agent, none);
    case FIELD_TASK_ID: return give_text(out, run->task_id, none);
    case FIELD_SUCCESS: return give_text(out, slice_str(verdicts[run->success]), none);
    case FIELD_ERROR: return give_text(out, run->error, (struct span){.transcript = -1, .message = -1, .part = PART_RUN_ERROR});
    case FIELD_EXIT_STATUS:
        return give_text(out, run->exit_status, (struct span){.transcript = -1, .message = -1, .part = PART_RUN_EXIT_STATUS});
    case FIELD_LIMIT: return give_text(out, run->limit, (struct span){.transcript = -1, .message = -1, .part = PART_RUN_LIMIT});
    case FIELD_TOKENS: return give_count(out, run->tokens_out);
    case FIELD_TOKENS_IN: return give_count(out, run->tokens_in);
    case FIELD_DURATION: return give_number(out, seconds_between(run->started_at, run->ended_at));
    case FIELD_ATTEMPT: return give_count(out, run->attempt);
    case FIELD_MESSAGES: return give_number(out, (double)run_count_messages(run));
    case FIELD_CALLS: return give_number(out, (double)run_count_calls(run));
    case FIELD_COST: return give_number(out, run->cost_usd);
    case FIELD_METADATA: return give_json(out, find_path(parse(v, run->metadata), key), run->metadata, none);
    case FIELD_SCORE: case FIELD_TAGS: case FIELD_TEXT: case FIELD_ROLE: case FIELD_ARGS: case FIELD_ARG:
    case FIELD_INDEX: case FIELD_LENGTH: case FIELD_FINISH_REASON: case FIELD_CALL_NAME: case FIELD_CALL_ARGS:
    case FIELD_CALL_ARG: case FIELD_RESULT_TEXT: case FIELD_RESULT_ERROR: case FIELD_VALUE: case FIELD_ANSWER:
    case FIELD_TARGET: case FIELD_EXPLANATION: case FIELD_DETECTOR: case FIELD_BEHAVIOR: case FIELD_KIND: case FIELD_SEVERITY:
    case FIELD_TITLE: case FIELD_CONFIDENCE: case FIELD_CAPTURE: break; /* above, or not of the end */
    }
    return false;
}

static bool give_of_finding(struct view *v, const struct finding *f, enum field field, struct slice key, struct value *out)
{
    const struct span none = {.transcript = -1, .message = -1};
    struct slice text = field == FIELD_DETECTOR   ? f->detector
                        : field == FIELD_BEHAVIOR ? f->behavior
                        : field == FIELD_KIND     ? slice_str(kind_name(f->kind))
                        : field == FIELD_SEVERITY ? slice_str(severity_name(f->severity))
                        : field == FIELD_TITLE    ? f->title
                        : field == FIELD_CAPTURE  ? jstr(jget_slice(parse(v, f->captures), key))
                                                  : SLICE_NONE;
    return field == FIELD_CONFIDENCE ? give_number(out, f->confidence) : give_text(out, text, none);
}

static enum part text_part(const struct event *e)
{
    if (e->kind == EVENT_REASONING)
        return PART_REASONING;
    return e->kind != EVENT_ERROR ? PART_TEXT : e->m ? PART_ERROR : PART_RUN_ERROR;
}

bool view_value(struct view *v, const struct event *e, enum field field, struct slice key, size_t nth, struct value *out)
{
    *out = (struct value){.number = NAN};
    if (!(fields[field].kinds & EVENT_BIT(e->kind)))
        return false;
    if (e->kind == EVENT_END)
        return give_of_run(v, field, key, nth, out);
    if (e->kind == EVENT_FINDING)
        return nth == 0 && give_of_finding(v, e->finding, field, key, out);
    const struct message *m = e->m;
    const struct tool_call *call = e->kind == EVENT_CALL ? &m->calls[e->nth] : NULL;
    const struct score *score = e->kind == EVENT_SCORE ? &v->run->scores[e->nth] : NULL;
    struct span place = {.transcript = e->transcript, .message = e->message, .nth = e->nth};
    if (field == FIELD_ARG)
        return give_argument(v, call, place, key, nth, out);
    if (field == FIELD_CALL_NAME || field == FIELD_CALL_ARGS || field == FIELD_CALL_ARG)
        return give_of_call(v, e, field, key, nth, out);
    if (nth)
        return false;
    switch (field) {
    case FIELD_TEXT:
        place.part = text_part(e);
        return give_text(out, span_text(v->run, &place), place);
    case FIELD_ROLE: return give_text(out, slice_str(role_name(m->role)), (struct span){0});
    case FIELD_NAME:
        if (score)
            return give_text(out, score->name, (struct span){0});
        if (!call && m->tool_name.ptr)
            return give_text(out, m->tool_name, (struct span){0});
        if (!call)
            return give_of_call(v, e, FIELD_CALL_NAME, key, nth, out);
        place.part = PART_CALL_NAME;
        return give_text(out, call->name, place);
    case FIELD_ARGS:
        place.part = PART_CALL_ARGUMENTS;
        return give_text(out, call->arguments, place);
    case FIELD_ERROR:
        if (call)
            return give_text(out, call->parse_error, (struct span){0});
        place.part = PART_ERROR;
        return give_text(out, m->error, place);
    case FIELD_MODEL: return give_text(out, m ? m->model : SLICE_NONE, (struct span){0});
    case FIELD_TOKENS: return give_count(out, m->tokens_out);
    case FIELD_TOKENS_IN: return give_count(out, m->tokens_in);
    case FIELD_DURATION: return give_number(out, m->duration_ms == COUNT_UNKNOWN ? NAN : (double)m->duration_ms / 1000);
    case FIELD_INDEX: return give_number(out, e->message);
    case FIELD_LENGTH:
        place.part = text_part(e);
        return give_number(out, (double)span_text(v->run, &place).len);
    case FIELD_CALLS: return give_number(out, (double)m->ncalls);
    case FIELD_FINISH_REASON: return give_text(out, m->finish_reason, (struct span){0});
    case FIELD_METADATA: {
        struct slice metadata = call ? call->metadata : score ? score->metadata : m ? m->metadata : SLICE_NONE;
        if (metadata.ptr != v->metadata.ptr || metadata.len != v->metadata.len)
            v->metadata = metadata, v->metadata_json = parse(v, metadata);
        return give_json(out, find_path(v->metadata_json, key), metadata, (struct span){0});
    }
    case FIELD_RESULT_TEXT:
    case FIELD_RESULT_ERROR: return give_of_result(v, e, field, nth, out);
    case FIELD_VALUE: return give_score(v, e->nth, PART_SCORE_VALUE, out);
    case FIELD_ANSWER: return give_score(v, e->nth, PART_SCORE_ANSWER, out);
    case FIELD_TARGET: return give_score(v, e->nth, PART_SCORE_TARGET, out);
    case FIELD_EXPLANATION: return give_score(v, e->nth, PART_SCORE_EXPLANATION, out);
    case FIELD_ARG: case FIELD_CALL_NAME: case FIELD_CALL_ARGS: case FIELD_CALL_ARG: case FIELD_SUCCESS: case FIELD_EXIT_STATUS:
    case FIELD_LIMIT: case FIELD_AGENT: case FIELD_TASK_ID: case FIELD_ATTEMPT: case FIELD_MESSAGES: case FIELD_COST:
    case FIELD_TAGS: case FIELD_SCORE: case FIELD_DETECTOR: case FIELD_BEHAVIOR: case FIELD_KIND: case FIELD_SEVERITY:
    case FIELD_TITLE: case FIELD_CONFIDENCE: case FIELD_CAPTURE: break; /* above, or of the end or a finding only */
    }
    return false;
}

/* ---- where a value's bytes stand --------------------------------------------------------------------------------- */

/* How many bytes the escape or character at raw[at] takes, and how many the unescaped text has of it. */
static size_t json_unit(struct slice raw, size_t at, size_t *text_bytes)
{
    *text_bytes = 1;
    if (raw.ptr[at] != '\\' || at + 1 >= raw.len)
        return 1;
    if (raw.ptr[at + 1] != 'u' || at + 6 > raw.len)
        return 2;
    char digits[5] = {raw.ptr[at + 2], raw.ptr[at + 3], raw.ptr[at + 4], raw.ptr[at + 5], 0};
    unsigned long c = strtoul(digits, NULL, 16);
    *text_bytes = c < 0x80 ? 1 : c < 0x800 ? 2 : 3;
    if (c < 0xD800 || c >= 0xDC00 || at + 12 > raw.len)
        return 6;
    *text_bytes = 4;
    return 12;
}

static size_t escaped_offset(struct slice raw, size_t offset, bool end)
{
    size_t at = 1, text = 0; /* past the opening quote */
    while (at < raw.len && text < offset) {
        size_t bytes, unit = json_unit(raw, at, &bytes);
        if (text + bytes > offset && !end) /* inside a character: it is shown whole */
            break;
        at += unit;
        text += bytes;
    }
    return at < raw.len ? at : raw.len;
}

struct span value_span(const struct value *value, size_t start, size_t end)
{
    struct span span = value->place;
    if (span.part == PART_NONE)
        return span;
    if (value->escaped.ptr) {
        span.end = span.start + (uint32_t)escaped_offset(value->escaped, end, true);
        span.start += (uint32_t)escaped_offset(value->escaped, start, false);
    } else if (!span.end) {
        span.end = span.start + (uint32_t)end;
        span.start += (uint32_t)start;
    }
    return span;
}

bool call_is_bare(const struct tool_call *call) { return call->arguments.len == 0 || slice_is(call->arguments, "{}"); }

bool event_span(const struct run *run, const struct event *e, struct span *out)
{
    *out = (struct span){.transcript = e->transcript, .message = e->message, .nth = e->nth, .part = PART_TEXT};
    switch (e->kind) {
    case EVENT_SYSTEM:
    case EVENT_USER:
    case EVENT_ASSISTANT:
    case EVENT_RESULT: return span_of_message(run, e->transcript, e->message, out);
    case EVENT_REASONING: out->part = PART_REASONING; break;
    case EVENT_ERROR: out->part = e->m ? PART_ERROR : PART_RUN_ERROR; break;
    case EVENT_CALL: out->part = call_is_bare(&e->m->calls[e->nth]) ? PART_CALL_NAME : PART_CALL_ARGUMENTS; break;
    case EVENT_SCORE: out->part = PART_SCORE_VALUE; break;
    case EVENT_END:
    case EVENT_FINDING: return false;
    }
    *out = span_opening(run, *out);
    return out->end > out->start;
}
