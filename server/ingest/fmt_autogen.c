/* Microsoft's AutoGen.
 *
 * * Replays of a model client, [{mode, messages[{type: "SystemMessage" …}], response{finish_reason, content, usage, …}}]: each is
 * a call that says the conversation so far. Results and states of its agents: a TaskResult {messages[{type: "TextMessage",
 * source, content, models_usage, …}], stop_reason}, a team's saved state {agent_states{NAME: {agent_state{llm_context{messages}},
 * message_thread}}}, and messages of either kind a line. */
#include "ingest/fmt_calllog.h"
#include "ingest/fmt_tree.h"

/* The kinds of messages, and what they are. */
static const struct message_kind {
    const char *type;
    enum role role;
    bool by_source;                /* the source says whose it is: "user" or an agent */
} kinds[] = {
    {"SystemMessage", ROLE_SYSTEM, false},
    {"UserMessage", ROLE_USER, false},
    {"AssistantMessage", ROLE_ASSISTANT, false},
    {"FunctionExecutionResultMessage", ROLE_TOOL, false},
    {"ToolCallExecutionEvent", ROLE_TOOL, false},
    {"ToolCallRequestEvent", ROLE_ASSISTANT, false},
    {"ToolCallSummaryMessage", ROLE_ASSISTANT, false},
    {"ThoughtEvent", ROLE_ASSISTANT, false},
    {"HandoffMessage", ROLE_ASSISTANT, false},
    {"TextMessage", ROLE_ASSISTANT, true},
    {"MultiModalMessage", ROLE_ASSISTANT, true},
    {"StructuredMessage", ROLE_ASSISTANT, true},
    {"StopMessage", ROLE_ASSISTANT, true},
    {"ResetMessage", ROLE_ASSISTANT, true},
    {"MemoryQueryEvent", ROLE_ASSISTANT, false},
    {"ModelClientStreamingChunkEvent", ROLE_ASSISTANT, false},
    {"UserInputRequestedEvent", ROLE_ASSISTANT, false},
    {"CodeGenerationEvent", ROLE_ASSISTANT, false},
    {"CodeExecutionEvent", ROLE_TOOL, false},
    {"SelectSpeakerEvent", ROLE_ASSISTANT, false},
    {"SelectorEvent", ROLE_ASSISTANT, false},
};

static const struct message_kind *kind_of(const struct jvalue *v)
{
    struct slice type = jstr(jget(v, "type"));
    for (size_t i = 0; type.ptr && i < sizeof kinds / sizeof *kinds; i++)
        if (slice_is(type, kinds[i].type))
            return &kinds[i];
    return NULL;
}

static bool is_message(const struct jvalue *v) { return kind_of(v) && jget(v, "content"); }

static bool is_list(const struct jvalue *v)
{
    enum { LOOKED_AT = 16 };
    bool any = false;
    for (size_t i = 0; jis(v, J_ARRAY) && i < v->n && i < LOOKED_AT && !any; i++)
        any = is_message(&v->items[i]);
    return any;
}

static bool is_replay(const struct jvalue *v)
{
    return jis(jget(v, "mode"), J_STRING) && jget(v, "response") &&
        (is_list(jget(v, "messages")) || jis(jget(v, "messages"), J_ARRAY));
}
static bool is_result(const struct jvalue *v) { return is_list(jget(v, "messages")) && !jget(v, "mode"); }
static bool is_team(const struct jvalue *v) { return jis(jget(v, "agent_states"), J_OBJECT); }
static const struct jvalue *context_of(const struct jvalue *v) { return jpath(v, "llm_context", "messages", NULL); }

static bool is_mine(const struct jvalue *v)
{
    return is_replay(v) || is_result(v) || is_team(v) || is_list(context_of(v)) || is_message(v) || is_list(v);
}
static int probe(const struct sample *sample) { return fmt_most(sample, is_mine) ? 92 : 0; }

/* ---- messages ----------------------------------------------------------------------------------------------------------- */

/* [{content, name, call_id, is_error}]: a message each */
static void read_results(struct arena *a, struct messages *list, const struct jvalue *v, const struct jvalue *results,
                         const char *const known[])
{
    for (size_t i = 0; i < results->n; i++) {
        static const char *const known_result[] = {"content", "call_id", "is_error", NULL};
        struct object o = {0};
        object_add_text(a, &o, "role", slice_str("tool"));
        object_add(a, &o, slice_str("tool_call_id"), jget(&results->items[i], "call_id"));
        object_add(a, &o, slice_str("content"), jget(&results->items[i], "content"));
        object_add(a, &o, slice_str("is_error"), jget(&results->items[i], "is_error"));
        object_add(a, &o, slice_str("timestamp"), jget(v, "created_at"));
        object_add_rest(a, &o, &results->items[i], known_result, NULL);
        object_add_rest(a, &o, i == 0 ? v : NULL, known, NULL);
        struct jvalue made = object_end(&o);
        chat_message(a, list, &made);
    }
}

static bool has_objects(const struct jvalue *v) { return jis(v, J_ARRAY) && v->n && jis(&v->items[0], J_OBJECT); }

/* A content of texts and images, these as {"data": BASE64} or {"url"}. */
static void add_parts(struct arena *a, struct object *o, const struct jvalue *content)
{
    struct jvalue *parts = arena_array(a, struct jvalue, content->n);
    for (size_t i = 0; i < content->n; i++) {
        const struct jvalue *data = jget(&content->items[i], "data");
        struct object image = {0};
        parts[i] = content->items[i];
        if (!jis(data, J_STRING))
            continue;
        object_add_text(a, &image, "type", slice_str("image"));
        object_add(a, &image, slice_str("data"), data);
        parts[i] = object_end(&image);
    }
    object_add(a, o, slice_str("content"), array_of(a, parts, content->n));
}

static void read_message(struct arena *a, struct messages *list, const struct jvalue *v)
{
    static const char *const known[] = {"content", "models_usage", "created_at", "thought", NULL};
    const struct message_kind *kind = kind_of(v);
    const struct jvalue *content = jget(v, "content"), *thought = jget(v, "thought");
    struct slice source = jstr(jget(v, "source")), type = jstr(jget(v, "type"));
    enum role role = kind ? kind->role : ROLE_ASSISTANT;
    bool result = role == ROLE_TOOL && has_objects(content);
    if (!v || v->type != J_OBJECT)
        return;
    if (result) {
        read_results(a, list, v, content, known);
        return;
    }
    if (kind && kind->by_source && source.len >= 4 && slice_eq_nocase(slice_sub(source, 0, 4), slice_str("user")))
        role = ROLE_USER;
    struct object o = {0};
    object_add_text(a, &o, "role", slice_str(role_name(role)));
    object_add(a, &o, slice_str("usage"), jget(v, "models_usage"));
    object_add(a, &o, slice_str("timestamp"), jget(v, "created_at"));
    if (slice_is(type, "ThoughtEvent"))
        object_add(a, &o, slice_str("reasoning"), content);
    else if (role == ROLE_ASSISTANT && has_objects(content) && jget(&content->items[0], "arguments"))
        object_add(a, &o, slice_str("tool_calls"), content);
    else if (jis(content, J_ARRAY))
        add_parts(a, &o, content);
    else
        object_add(a, &o, slice_str("content"), content);
    object_add(a, &o, slice_str("reasoning"), slice_is(type, "ThoughtEvent") ? NULL : thought);
    object_add_rest(a, &o, v, known, NULL);
    struct jvalue made = object_end(&o);
    chat_message(a, list, &made);
}

static void read_messages(struct arena *a, struct messages *list, const struct jvalue *array)
{
    for (size_t i = 0; jis(array, J_ARRAY) && i < array->n; i++)
        read_message(a, list, &array->items[i]);
}

/* ---- replays ------------------------------------------------------------------------------------------------------------ */

/* {finish_reason, content: text or [{id, arguments, name}], usage, cached, logprobs, thought} */
static void read_response(struct arena *a, struct messages *list, const struct jvalue *response)
{
    static const char *const known[] = {"content", "usage", "thought", NULL};
    const struct jvalue *content = jget(response, "content");
    struct object o = {0};
    if (jis(response, J_STRING)) { /* of a stream: a text */
        struct message *m = messages_add(a, list);
        m->role = ROLE_ASSISTANT;
        m->text = response->text;
        return;
    }
    object_add_text(a, &o, "role", slice_str("assistant"));
    object_add(a, &o, slice_str(has_objects(content) ? "tool_calls" : "content"), content);
    object_add(a, &o, slice_str("usage"), jget(response, "usage"));
    object_add(a, &o, slice_str("reasoning"), jget(response, "thought"));
    object_add_rest(a, &o, response, known, NULL);
    struct jvalue made = object_end(&o);
    chat_message(a, list, &made);
}

static void feed_replay(void **state, const struct record *record)
{
    static const char *const known[] = {"messages", "response", "stream", NULL};
    struct call_group *group = calllog_group(state, SLICE_NONE);
    struct arena *a = calllog_arena(group);
    struct jvalue *v;
    struct meta about = META_INIT;
    struct logged_call call = {.location = arena_dup(a, record->location), .tokens_in = COUNT_UNKNOWN,
                               .tokens_out = COUNT_UNKNOWN, .cost = NAN};
    fmt_copy(a, record->value, &v);
    const struct jvalue *response = jget(v, "response"), *stream = jget(v, "stream");
    read_messages(a, &call.call.sent, jget(v, "messages"));
    if (jis(stream, J_ARRAY) && stream->n && !jis(response, J_OBJECT)) /* pieces of the text, and at the end the whole */
        response = &stream->items[stream->n - 1];
    if (jis(response, J_OBJECT) || jis(response, J_STRING))
        read_response(a, &call.call.answer, response);
    else
        meta_value(&about, "response", response);
    if (call.call.answer.n) {
        call.tokens_in = call.call.answer.items[0].tokens_in;
        call.tokens_out = call.call.answer.items[0].tokens_out;
    }
    meta_rest(&about, v, known);
    call.about = meta_end(&about, a);
    calllog_add(group, &call);
}

/* ---- results and states ------------------------------------------------------------------------------------------------- */

static void add_transcript(struct arena *a, struct run *run, struct slice name, const struct jvalue *messages, struct slice metadata)
{
    struct messages list = {0};
    read_messages(a, &list, messages);
    struct transcript *t = fmt_transcript(a, run, &list);
    t->name = name;
    t->metadata = metadata;
}

/* Each agent's own context, and the thread of the team, which comes first. */
static void read_team(struct arena *a, struct run *run, const struct jvalue *v, struct meta *rest)
{
    static const char *const known[] = {"message_thread", NULL}, *const known_state[] = {"agent_state", NULL};
    const struct jvalue *agents = jget(v, "agent_states");
    struct object strange = {0};
    for (size_t i = 0; i < agents->n; i++)
        object_add(a, &strange, agents->keys[i], jis(&agents->items[i], J_OBJECT) ? NULL : &agents->items[i]);
    struct jvalue others = object_end(&strange);
    meta_value(rest, "agent_states", others.n ? &others : NULL);
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < agents->n; i++) {
            const struct jvalue *state = &agents->items[i], *thread = jget(state, "message_thread");
            if (!jis(state, J_OBJECT) || jis(thread, J_ARRAY) != (pass == 0))
                continue;
            struct meta meta = META_INIT;
            meta_rest(&meta, state, pass == 0 ? known : known_state);
            const struct jvalue *own = jget(state, "agent_state");
            if (pass == 1 && jis(own, J_OBJECT)) {
                static const char *const known_own[] = {"llm_context", NULL};
                struct jvalue left = fmt_without(a, own, known_own);
                meta_value(&meta, "agent_state", left.n ? &left : NULL);
            }
            add_transcript(a, run, agents->keys[i], pass == 0 ? thread : context_of(own ? own : state), meta_end(&meta, a));
        }
}

static bool feed_run(const struct record *record, const struct sink *sink, struct err *e)
{
    static const char *const known_result[] = {"messages", "stop_reason", NULL}, *const known_team[] = {"agent_states", NULL};
    static const char *const known_state[] = {"llm_context", NULL};
    struct arena *a = fmt_take(record);
    const struct jvalue *v = record->value;
    struct run *run = arena_new(a, struct run);
    struct meta meta = META_INIT;
    run_init(run);
    if (is_team(v)) {
        read_team(a, run, v, &meta);
        meta_rest(&meta, v, known_team);
    } else if (is_list(context_of(v))) {
        add_transcript(a, run, SLICE_NONE, context_of(v), SLICE_NONE);
        meta_rest(&meta, v, known_state);
    } else if (v->type == J_ARRAY) {
        add_transcript(a, run, SLICE_NONE, v, SLICE_NONE);
    } else {
        add_transcript(a, run, SLICE_NONE, jget(v, "messages"), SLICE_NONE);
        run->external_id = jtext(jget(v, "id"));
        run->exit_status = jstr(jget(v, "stop_reason"));
        meta_rest(&meta, v, known_result);
    }
    run->metadata = meta_end(&meta, a);
    return sink->run(sink->ctx, a, run, e);
}

/* A message a line: all of them are one run. */
static void feed_line(void **state, const struct record *record)
{
    struct call_group *group = calllog_group(state, record->name);
    struct messages said = {0};
    struct jvalue *v;
    fmt_copy(calllog_arena(group), record->value, &v);
    read_message(calllog_arena(group), &said, v);
    calllog_say(group, &said);
}

static bool feed(void **state, const struct record *record, const struct sink *sink, struct err *e)
{
    const struct jvalue *v = record->value;
    if (is_replay(v)) {
        feed_replay(state, record);
        return calllog_flush(state, sink, e);
    }
    if (is_message(v)) {
        feed_line(state, record);
        return true;
    }
    if (is_result(v) || is_team(v) || is_list(v) || is_list(context_of(v)))
        return feed_run(record, sink, e);
    sink->refuse(sink->ctx, record->location, ERR_NOT_TRANSCRIPT, "no replay, result, state or message of AutoGen's");
    return true;
}

const struct format fmt_autogen = {
    .name = "autogen",
    .about = "AutoGen: replays of a model client, results of agents and teams, and their saved states",
    .probe = probe,
    .feed = feed,
    .close = calllog_close,
    .spills = true,
};
