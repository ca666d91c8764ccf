/* The events of an Inspect sample: what was called when, and how it went.
 *
 * Most of what they hold is the conversation again: each call of the model lists all messages before it. So an event is kept
 * without what is said elsewhere, and nothing that only it says is lost. One that made a message of the conversation is kept in
 * that message's metadata as "event"; the others in the run's as "events".
 *   model   its answer is a message: the time, duration, tokens and reason of its end go there. "input" becomes "input_refs",
 *           ranges [start, end) in the conversation followed by the run's "event_messages": messages that stand in no
 *           conversation (a grader's prompt, what was compacted away). The provider's copy ("call") keeps its scalars; tool
 *           definitions that are the same as in the call before are left out.
 *   tool    its result is a message: the time and duration go there. Arguments, result and error are left out where the messages
 *           have them. Its inner events stay.
 *   state   changes to the messages and the output are left out, and the event where nothing else changed.
 *   sample_init, score: what the sample says itself is left out.
 * All others are kept whole. */
#include "ingest/fmt_inspect.h"

#include "base/clock.h"
#include "base/hash.h"

#include <math.h>
#include <stdlib.h>

/* What is known by a hash: a message by what it says, a tool's result by the id of its call. */
struct known {
    unsigned char hash[HASH_SIZE];
    uint32_t index;     /* the first message; NOWHERE: a free slot */
    uint32_t unmet;     /* the first that no event was matched with */
};
#define NOWHERE UINT32_MAX

struct indexing {
    struct inspect_sample *s;
    struct known *slots;          /* open addressing, a power of two */
    size_t nslots, filled;
    unsigned char (*hashes)[HASH_SIZE]; /* of the conversation's messages */
    uint32_t *next_same;          /* for each of them, and for each result: the next of the same hash */
    uint32_t *pooled;             /* pool position → index */
    struct str others;            /* JSON text of "event_messages": "[{…},…" */
    uint32_t nothers;
    const struct jvalue *tools;   /* of the last call */
    struct slice first_time, last_time;
};

/* What a message says: its id where it has one, else its role, text and calls. */
static void hash_message(const struct jvalue *m, unsigned char out[HASH_SIZE])
{
    static const char *const parts[] = {"role", "content", "tool_calls", "tool_call_id"};
    struct hash h;
    struct slice id = jstr(jget(m, "id"));
    hash_start(&h);
    hash_add_framed(&h, id);
    for (size_t i = 0; i < sizeof parts / sizeof *parts && !id.len; i++) {
        const struct jvalue *part = jget(m, parts[i]);
        struct arena scratch = {0};
        if (part && part->type != J_NULL)
            hash_add_framed(&h, part->type == J_STRING ? part->text : jraw(&scratch, part));
        arena_free(&scratch);
    }
    hash_end(&h, out);
}

static void hash_call(struct slice id, unsigned char out[HASH_SIZE])
{
    struct hash h;
    hash_start(&h);
    hash_add_framed(&h, slice_str("call"));
    hash_add_framed(&h, id);
    hash_end(&h, out);
}

static struct known *find_known(const struct indexing *x, const unsigned char hash[HASH_SIZE])
{
    size_t at;
    memcpy(&at, hash, sizeof at);
    while (x->slots[at & (x->nslots - 1)].index != NOWHERE && memcmp(x->slots[at & (x->nslots - 1)].hash, hash, HASH_SIZE) != 0)
        at++;
    return &x->slots[at & (x->nslots - 1)];
}

static void make_slots(struct indexing *x, size_t n)
{
    struct indexing old = *x;
    x->nslots = n;
    x->slots = malloc(n * sizeof *x->slots);
    if (!x->slots)
        abort();
    for (size_t i = 0; i < n; i++)
        x->slots[i].index = NOWHERE;
    for (size_t i = 0; i < old.nslots; i++)
        if (old.slots[i].index != NOWHERE)
            *find_known(x, old.slots[i].hash) = old.slots[i];
    free(old.slots);
}

/* Puts an index in front of those of the same hash; gives the one that was first before. */
static uint32_t add_known(struct indexing *x, const unsigned char hash[HASH_SIZE], uint32_t index)
{
    if (2 * (x->filled + 1) > x->nslots)
        make_slots(x, 2 * x->nslots);
    struct known *slot = find_known(x, hash);
    uint32_t before = slot->index;
    x->filled += before == NOWHERE;
    memcpy(slot->hash, hash, HASH_SIZE);
    slot->index = slot->unmet = index;
    return before;
}

/* From the last message to the first, so that each hash leads to its first. */
static void index_messages(struct indexing *x)
{
    struct inspect_sample *s = x->s;
    size_t n = s->messages.n;
    make_slots(x, 64);
    x->hashes = malloc((n + 1) * sizeof *x->hashes);
    x->next_same = malloc((2 * n + 1) * sizeof *x->next_same);
    x->pooled = malloc((s->pool.n + 1) * sizeof *x->pooled);
    if (!x->hashes || !x->next_same || !x->pooled)
        abort();
    for (size_t i = n; i-- > 0;) {
        struct slice call = jstr(jget(s->messages.items[i], "tool_call_id"));
        hash_message(s->messages.items[i], x->hashes[i]);
        x->next_same[i] = add_known(x, x->hashes[i], (uint32_t)i);
        if (!call.len)
            continue;
        unsigned char hash[HASH_SIZE];
        hash_call(call, hash);
        x->next_same[n + i] = add_known(x, hash, (uint32_t)i);
    }
    for (size_t i = 0; i < s->pool.n; i++)
        x->pooled[i] = NOWHERE;
}

/* The message of the conversation that an event made, met in the order of the events; NULL: of none. */
static struct message *meet(struct indexing *x, const unsigned char hash[HASH_SIZE], bool result, uint32_t *index)
{
    struct inspect_sample *s = x->s;
    struct known *slot = find_known(x, hash);
    *index = slot->index == NOWHERE ? NOWHERE : slot->unmet;
    if (*index == NOWHERE || *index >= s->messages.n)
        return NULL;
    slot->unmet = x->next_same[*index + (result ? s->messages.n : 0)];
    return s->list.n == s->messages.n ? &s->list.items[*index] : NULL;
}

/* Where a message stands; one that stands nowhere is added to the others. `likely` is where it should stand. */
static uint32_t place_of(struct indexing *x, const struct jvalue *m, size_t likely)
{
    unsigned char hash[HASH_SIZE];
    hash_message(m, hash);
    if (likely < x->s->messages.n && memcmp(x->hashes[likely], hash, HASH_SIZE) == 0)
        return (uint32_t)likely;
    struct known *slot = find_known(x, hash);
    if (slot->index != NOWHERE)
        return slot->index;
    uint32_t index = (uint32_t)x->s->messages.n + x->nothers++;
    add_known(x, hash, index);
    str_addc(&x->others, x->others.len ? ',' : '[');
    jwrite(&x->others, m);
    return index;
}

/* ---- ranges of messages ------------------------------------------------------------------------------------------------- */

struct ranges {
    struct str *out;    /* "[[0,4],[7,8" while it is written */
    uint32_t start, end;
    bool any;
};

static void end_range(struct ranges *r)
{
    if (r->end > r->start)
        str_printf(r->out, "%s[%u,%u]", r->any ? "," : "", r->start, r->end);
    r->any |= r->end > r->start;
}

static void add_to_ranges(struct ranges *r, uint32_t index)
{
    if (r->end > r->start && index == r->end) {
        r->end++;
        return;
    }
    end_range(r);
    r->start = index;
    r->end = index + 1;
}

static void write_input(struct indexing *x, struct meta *meta, const struct jvalue *event)
{
    const struct jvalue *input = jget(event, "input"), *refs = jget(event, "input_refs");
    struct ranges r = {.out = meta_key(meta, slice_str("input_refs"))};
    str_addc(r.out, '[');
    for (size_t i = 0; jis(input, J_ARRAY) && i < input->n; i++)
        add_to_ranges(&r, place_of(x, &input->items[i], r.end));
    for (size_t i = 0; jis(refs, J_ARRAY) && i < refs->n; i++) {
        int64_t from, to;
        if (!jint(jat(&refs->items[i], 0), &from) || !jint(jat(&refs->items[i], 1), &to) || from < 0)
            continue;
        for (; from < to && (uint64_t)from < x->s->pool.n; from++) {
            if (x->pooled[from] == NOWHERE)
                x->pooled[from] = place_of(x, x->s->pool.items[from], r.end);
            add_to_ranges(&r, x->pooled[from]);
        }
    }
    end_range(&r);
    str_addc(r.out, ']');
}

/* ---- times -------------------------------------------------------------------------------------------------------------- */

static void set_time(struct indexing *x, struct message *m, const struct jvalue *event)
{
    struct slice began = SLICE_NONE, ended = SLICE_NONE;
    int64_t from, to;
    double seconds;
    fmt_time(x->s->a, jget(event, "timestamp"), &began);
    fmt_time(x->s->a, jget(event, "completed"), &ended);
    if (!x->first_time.ptr)
        x->first_time = began;
    if (began.ptr || ended.ptr)
        x->last_time = ended.ptr ? ended : began;
    if (!m)
        return;
    if (!m->timestamp.ptr)
        m->timestamp = ended.ptr ? ended : began;
    if (began.ptr && ended.ptr && clock_parse(began, &from) && clock_parse(ended, &to) && to >= from)
        m->duration_ms = (to - from) / 1000;
    else if ((jnum(jget(event, "working_time"), &seconds) || jnum(jpath(event, "output", "time", NULL), &seconds)) && seconds >= 0 && seconds < 1e12)
        m->duration_ms = llround(seconds * 1000);
}

/* ---- one event ---------------------------------------------------------------------------------------------------------- */

static void write_object(struct meta *meta, const char *key, struct meta *inner)
{
    if (!inner->out.len)
        return;
    str_addc(&inner->out, '}');
    meta_json(meta, key, str_slice(&inner->out));
    str_free(&inner->out);
}

/* The provider's copy of the call: what it was sent and what it sent, but for the messages and the tools. */
static void write_call(struct meta *meta, const struct jvalue *call)
{
    static const char *const known[] = {"request", "response", "call_refs", "call_key", NULL};
    static const char *const again[] = {"messages", "tools", "input", "contents", "system", "instructions", "system_instruction", "choices",
                                        "content", "output", "candidates", NULL};
    struct meta inner = META_INIT, request = META_INIT, response = META_INIT;
    meta_rest(&inner, call, known);
    meta_rest(&request, jget(call, "request"), again);
    meta_rest(&response, jget(call, "response"), again);
    write_object(&inner, "request", &request);
    write_object(&inner, "response", &response);
    write_object(meta, "call", &inner);
}

/* The message that the event made; NULL: none of the conversation. */
static struct message *write_model(struct indexing *x, struct meta *meta, const struct jvalue *event)
{
    static const char *const known[] = {"input", "input_refs", "output", "call", "tools", NULL}, *const known_output[] = {"choices", "completion", NULL};
    static const char *const known_choice[] = {"message", NULL};
    const struct jvalue *output = jget(event, "output"), *choices = jget(output, "choices"), *choice = jat(choices, 0), *tools = jget(event, "tools");
    unsigned char hash[HASH_SIZE];
    uint32_t index = NOWHERE;
    struct message *m = NULL;
    struct meta inner = META_INIT;
    if (jis(jget(choice, "message"), J_OBJECT)) {
        hash_message(jget(choice, "message"), hash);
        m = meet(x, hash, false, &index);
    }
    set_time(x, m, event);
    if (m) {
        const struct jvalue *usage = jget(output, "usage");
        m->tokens_in = fmt_count(jget(usage, "input_tokens"));
        m->tokens_out = fmt_count(jget(usage, "output_tokens"));
        m->finish_reason = jstr(jget(choice, "stop_reason"));
    }
    meta_rest(meta, event, known);
    write_input(x, meta, event);
    meta_rest(&inner, output, known_output);
    if (index != NOWHERE && choices->n == 1)
        meta_rest(&inner, choice, known_choice);
    else
        meta_value(&inner, "choices", choices);
    write_object(meta, "output", &inner);
    if (index != NOWHERE && !m)
        str_printf(meta_key(meta, slice_str("message")), "%u", index);
    write_call(meta, jget(event, "call"));
    if (jis(tools, J_ARRAY) && tools->n && !(x->tools && slice_eq(x->tools->raw, tools->raw))) {
        meta_value(meta, "tools", tools);
        x->tools = tools;
    }
    return m;
}

static void write_events(struct indexing *x, struct str *out, struct jvalue *const *events, size_t n);

static struct message *write_tool(struct indexing *x, struct meta *meta, const struct jvalue *event)
{
    static const char *const in_messages[] = {"arguments", "view", "events", "result", "error", NULL}, *const apart[] = {"events", NULL};
    struct slice id = jstr(jget(event, "id")), result = jstr(jget(event, "result"));
    unsigned char hash[HASH_SIZE];
    uint32_t index;
    hash_call(id, hash);
    struct message *m = meet(x, hash, true, &index);
    set_time(x, m, event);
    meta_rest(meta, event, m ? in_messages : apart);
    if (!m)
        return NULL;
    if (!slice_eq(result, m->text))
        meta_value(meta, "result", jget(event, "result"));
    if (!m->error.ptr)
        meta_value(meta, "error", jget(event, "error"));
    return m;
}

/* False: nothing but the conversation and the output changed. */
static bool write_state(struct meta *meta, const struct jvalue *event)
{
    static const char *const known[] = {"changes", NULL};
    const struct jvalue *changes = jget(event, "changes");
    bool any = false;
    for (size_t i = 0; jis(changes, J_ARRAY) && i < changes->n; i++) {
        struct slice path = jstr(jget(&changes->items[i], "path"));
        if (slice_starts(path, "/messages") || slice_starts(path, "/output"))
            continue;
        struct str *out = any ? &meta->out : meta_key(meta, slice_str("changes"));
        str_addc(out, any ? ',' : '[');
        jwrite(out, &changes->items[i]);
        any = true;
    }
    if (any) {
        str_addc(&meta->out, ']');
        meta_rest(meta, event, known);
    }
    return any;
}

static void write_init(struct meta *meta, const struct jvalue *event)
{
    static const char *const known[] = {"sample", "state", NULL}, *const in_sample[] = {"input", "target", "id", "metadata", "choices", NULL};
    struct meta inner = META_INIT;
    meta_rest(meta, event, known);
    meta_rest(&inner, jget(event, "sample"), in_sample);
    write_object(meta, "sample", &inner);
}

static bool same_value(const struct jvalue *a, const struct jvalue *b)
{
    struct arena scratch = {0};
    bool same = a && b && a->type == b->type &&
                (a->type == J_STRING ? slice_eq(a->text, b->text) : slice_eq(jraw(&scratch, a), jraw(&scratch, b)));
    arena_free(&scratch);
    return same;
}

static void write_score(const struct indexing *x, struct meta *meta, const struct jvalue *event)
{
    static const char *const both[] = {"score", "target", NULL};
    const struct jvalue *scores = jget(x->s->v, "scores"), *score = jget(event, "score"), *target = jget(event, "target");
    bool said = false;
    for (size_t i = 0; jis(scores, J_OBJECT) && i < scores->n; i++)
        said |= same_value(jget(&scores->items[i], "value"), jget(score, "value")) &&
                (!jget(score, "answer") || same_value(jget(&scores->items[i], "answer"), jget(score, "answer")));
    meta_rest(meta, event, both);
    if (!said)
        meta_value(meta, "score", score);
    if (!same_value(target, jget(x->s->v, "target")))
        meta_value(meta, "target", target);
}

static void write_event(struct indexing *x, struct str *out, const struct jvalue *event)
{
    static const char *const apart[] = {"events", NULL};
    struct slice kind = jstr(jget(event, "event"));
    const struct jvalue *inner = jget(event, "events");
    struct meta meta = META_INIT;
    struct message *m = NULL;
    bool keep = true;
    if (slice_is(kind, "model")) {
        m = write_model(x, &meta, event);
    } else if (slice_is(kind, "tool")) {
        m = write_tool(x, &meta, event);
    } else {
        set_time(x, NULL, event);
        if (slice_is(kind, "state"))
            keep = write_state(&meta, event);
        else if (slice_is(kind, "sample_init"))
            write_init(&meta, event);
        else if (slice_is(kind, "score"))
            write_score(x, &meta, event);
        else
            meta_rest(&meta, event, apart);
    }
    if (jis(inner, J_ARRAY) && inner->n) {
        struct str text = STR_INIT(META_INIT.out.max);
        struct jvalue **items = arena_array(x->s->a, struct jvalue *, inner->n);
        for (size_t i = 0; i < inner->n; i++)
            items[i] = &inner->items[i];
        write_events(x, &text, items, inner->n);
        if (text.len)
            meta_json(&meta, "events", str_slice(&text));
        str_free(&text);
    }
    if (m) {
        struct meta of_message = meta_resume(m->metadata);
        write_object(&of_message, "event", &meta);
        m->metadata = meta_end(&of_message, x->s->a);
    } else if (keep && meta.out.len) {
        str_addc(out, out->len ? ',' : '[');
        str_add_slice(out, str_slice(&meta.out));
        str_addc(out, '}');
    }
    str_free(&meta.out);
}

/* As deep as the reader lets JSON be. */
static void write_events(struct indexing *x, struct str *out, struct jvalue *const *events, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (jis(events[i], J_OBJECT))
            write_event(x, out, events[i]);
    if (out->len)
        str_addc(out, ']');
}

void inspect_events(struct inspect_sample *s, struct meta *meta)
{
    if (!s->events.n)
        return;
    struct indexing x = {.s = s, .others = STR_INIT(META_INIT.out.max)};
    struct str out = STR_INIT(META_INIT.out.max);
    index_messages(&x);
    write_events(&x, &out, s->events.items, s->events.n);
    if (!s->run->started_at.ptr)
        s->run->started_at = x.first_time;
    if (!s->run->ended_at.ptr)
        s->run->ended_at = x.last_time;
    meta_json(meta, "events", out.len ? str_slice(&out) : SLICE_NONE);
    if (x.others.len) {
        str_addc(&x.others, ']');
        meta_json(meta, "event_messages", str_slice(&x.others));
    }
    str_free(&out);
    str_free(&x.others);
    free(x.slots);
    free(x.hashes);
    free(x.next_same);
    free(x.pooled);
}
