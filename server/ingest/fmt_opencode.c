/* Sessions of opencode. Its storage has a file each for a session, a message and a part of a message, joined by their ids:
 *
 *     session/PROJECT/SESSION.json    {"id", "projectID", "directory", "parentID", "title", "time": {"created", "updated"}}
 *     message/SESSION/MESSAGE.json    {"id", "sessionID", "role", "time", "modelID", "tokens", "cost", "finish", "error"}
 *     part/MESSAGE/PART.json          {"id", "type": text | reasoning | tool | file | step-start | step-finish | patch | …}
 *
 * before that session/info/SESSION.json, session/message/SESSION/MESSAGE.json and session/part/SESSION/MESSAGE/PART.json, at first
 * with the parts inside the message, as Vercel's AI SDK has them. `opencode export` writes {"info": session, "messages": [{"info": message, "parts": […]}]}.
 *
 * The result of a call is in its part; it becomes a tool's message. Where a message holds several steps (calls to the model), each
 * is a message. A sub-agent's session has a file of its own, and is a run of its own with its parentID in the metadata. */
#include "base/map.h"
#include "ingest/fmt_part.h"
#include "ingest/fmt_session.h"

#include <stdlib.h>

static bool is_session(const struct jvalue *v)
{
    const struct jvalue *time = jget(v, "time");
    return jis(jget(v, "id"), J_STRING) && jis(jget(v, "title"), J_STRING) && jget(time, "created") && jget(time, "updated") && !jget(v, "role") &&
           (jget(v, "projectID") || jget(v, "directory") || jget(v, "version"));
}

static bool is_export(const struct jvalue *v)
{
    const struct jvalue *messages = jget(v, "messages"), *first = jat(messages, 0);
    return is_session(jget(v, "info")) && jis(messages, J_ARRAY) && (!first || jis(jget(first, "info"), J_OBJECT));
}

static int probe(const struct sample *sample)
{
    const struct jvalue *v = sample->n ? sample->records[0].value : NULL;
    return !sample->document ? 0 : is_export(v) ? 95 : is_session(v) ? 90 : 0;
}

/* ---- parts -------------------------------------------------------------------------------------------------------------- */

/* A message of the source, which is one of ours for each of its steps. */
struct reading_message {
    struct session *s;
    struct building b;
    struct str rest;                /* "[{…},…": parts that are no words and no calls */
    const struct jvalue **tools;    /* of this step, whose results come after it */
    size_t ntools, tools_cap;
};

static void keep_part(struct reading_message *r, const struct jvalue *part)
{
    str_addc(&r->rest, r->rest.len ? ',' : '[');
    jwrite(&r->rest, part);
}

/* What a part holds beside what was read. */
static void keep_rest(struct reading_message *r, const struct jvalue *part, const char *const known[])
{
    static const char *const silent[] = {"id", "messageID", "sessionID", "type", NULL};
    const char *all[16] = {NULL};
    size_t n = 0;
    for (size_t i = 0; silent[i]; i++)
        all[n++] = silent[i];
    for (size_t i = 0; known[i]; i++)
        all[n++] = known[i];
    struct arena scratch = {0};
    if (jrest(&scratch, part, all).ptr) {
        struct jvalue left = fmt_without(&scratch, part, known);
        keep_part(r, &left);
    }
    arena_free(&scratch);
}

static void read_file(struct building *b, const struct jvalue *part)
{
    static const char *const types[] = {"mime", "mediaType", "mimeType", NULL};
    building_blob(b, jstr(fmt_first(part, types)), jstr(jget(part, "url")));
}

static void read_call(struct reading_message *r, const struct jvalue *part)
{
    static const char *const known[] = {"type", "tool", "callID", "state", "messageID", "sessionID", NULL};
    const struct jvalue *state = jget(part, "state");
    struct jvalue *items = arena_array(r->s->a, struct jvalue, 3);
    struct slice *keys = arena_array(r->s->a, struct slice, 3);
    const struct { const char *key; const struct jvalue *v; } members[] = {
        {"id", jget(part, "callID")}, {"name", jget(part, "tool")}, {"input", jget(state, "input")}};
    struct jvalue call = {.type = J_OBJECT, .items = items, .keys = keys, .repaired = true};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        if (members[i].v) {
            keys[call.n] = slice_str(members[i].key);
            items[call.n++] = *members[i].v;
        }
    part_call(&r->b, &call, false);
    struct tool_call *last = &r->b.m->calls[r->b.m->ncalls - 1];
    struct meta meta = meta_resume(last->metadata);
    meta_rest(&meta, part, known);
    if (slice_is(jstr(jget(state, "status")), "pending") || slice_is(jstr(jget(state, "status")), "running"))
        meta_value(&meta, "status", jget(state, "status"));
    last->metadata = meta_end(&meta, r->s->a);
    r->tools = arena_grow(r->s->a, r->tools, r->ntools, &r->tools_cap, sizeof *r->tools);
    r->tools[r->ntools++] = part;
}

static void read_result(struct session *s, const struct jvalue *part)
{
    static const char *const known[] = {"status", "input", "output", "error", "time", "attachments", NULL};
    static const char *const outputs[] = {"output", "stdout", NULL}, *const errors[] = {"error", "stderr", NULL};
    const struct jvalue *state = jget(part, "state"), *time = jget(state, "time"), *attachments = jget(state, "attachments");
    const struct jvalue *output = fmt_first(state, outputs), *error = fmt_first(state, errors);
    int64_t from, to;
    if (!output && !error)
        return;
    struct building b = building_begin(s->a, &s->list, ROLE_TOOL);
    b.m->tool_call_id = jtext(jget(part, "callID"));
    b.m->tool_name = jstr(jget(part, "tool"));
    building_text(&b, fmt_string(s->a, output ? output : error));
    b.m->error = fmt_string(s->a, error);
    if (slice_is(jstr(jget(state, "status")), "error") && !b.m->error.ptr)
        building_fail(&b);
    if (!fmt_time(s->a, jget(time, "end"), &b.m->timestamp))
        fmt_time(s->a, jget(time, "start"), &b.m->timestamp);
    if (jint(jget(time, "start"), &from) && jint(jget(time, "end"), &to) && from >= 0 && to >= from)
        b.m->duration_ms = to - from;
    for (size_t i = 0; jis(attachments, J_ARRAY) && i < attachments->n; i++)
        read_file(&b, &attachments->items[i]);
    if (!jis(attachments, J_ARRAY))
        meta_value(&b.meta, "attachments", attachments);
    meta_rest(&b.meta, state, known);
    building_finish(&b);
}

/* {"type": "tool-invocation", "toolInvocation": {"state", "toolCallId", "toolName", "args", "result"}}: as a part of today. */
static const struct jvalue *modern(struct arena *a, const struct jvalue *part)
{
    static const struct { const char *from, *to; bool in_state; } names[] = {
        {"toolCallId", "callID", false}, {"toolName", "tool", false}, {"args", "input", true}, {"result", "output", true}};
    const struct jvalue *old = jget(part, "toolInvocation");
    struct jvalue *v = arena_new(a, struct jvalue), *state = arena_new(a, struct jvalue);
    *v = (struct jvalue){.type = J_OBJECT, .items = arena_array(a, struct jvalue, 3), .keys = arena_array(a, struct slice, 3), .repaired = true};
    *state = (struct jvalue){.type = J_OBJECT, .items = arena_array(a, struct jvalue, 2), .keys = arena_array(a, struct slice, 2), .repaired = true};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct jvalue *member = jget(old, names[i].from);
        struct jvalue *to = names[i].in_state ? state : v;
        if (!member)
            continue;
        to->keys[to->n] = slice_str(names[i].to);
        to->items[to->n++] = *member;
    }
    v->keys[v->n] = slice_str("state");
    v->items[v->n++] = *state;
    return v;
}

/* Ends the step, with the results of its calls. */
static void end_step(struct reading_message *r)
{
    if (r->rest.len) {
        str_addc(&r->rest, ']');
        meta_json(&r->b.meta, "parts", str_slice(&r->rest));
        str_reset(&r->rest);
    }
    building_finish(&r->b);
    for (size_t i = 0; i < r->ntools; i++)
        read_result(r->s, r->tools[i]);
    r->ntools = 0;
}

static void read_tokens(struct building *b, const struct jvalue *tokens)
{
    static const char *const known[] = {"input", "output", NULL};
    struct meta rest = META_INIT;
    if (!jis(tokens, J_OBJECT)) {
        meta_value(&b->meta, "tokens", tokens);
        return;
    }
    b->m->tokens_in = fmt_count(jget(tokens, "input"));
    b->m->tokens_out = fmt_count(jget(tokens, "output"));
    meta_rest(&rest, tokens, known);
    meta_json(&b->meta, "tokens", meta_end(&rest, b->a));
}

/* Ends a step that has said something, and begins another. */
static void begin_step(struct reading_message *r)
{
    if (!r->b.text.n && !r->b.reasoning.n && !r->b.m->ncalls)
        return;
    struct message before = *r->b.m;
    end_step(r);
    r->b = building_begin(r->s->a, &r->s->list, before.role);
    r->b.m->model = before.model;
    r->b.m->timestamp = before.timestamp;
}

static void read_step(struct reading_message *r, const struct jvalue *part, bool begins)
{
    if (begins) {
        begin_step(r);
    } else {
        int64_t in = fmt_count(jpath(part, "tokens", "input", NULL)), out = fmt_count(jpath(part, "tokens", "output", NULL));
        if (in != COUNT_UNKNOWN || out != COUNT_UNKNOWN) {
            r->b.m->tokens_in = in;
            r->b.m->tokens_out = out;
        }
        if (jis(jget(part, "reason"), J_STRING))
            r->b.m->finish_reason = jget(part, "reason")->text;
    }
    keep_part(r, part);
}

static void read_part(struct reading_message *r, const struct jvalue *part)
{
    static const char *const known_text[] = {"text", "time", NULL}, *const known_file[] = {"url", "mime", NULL}, *const known_subtask[] = {"prompt", NULL};
    struct slice type = jstr(jget(part, "type"));
    bool text = slice_is(type, "text"), reasoning = slice_is(type, "reasoning");
    if ((text || reasoning) && r->ntools) /* it knows what the tools gave */
        begin_step(r);
    if (text) {
        building_text(&r->b, fmt_string(r->s->a, jget(part, "text")));
        keep_rest(r, part, known_text);
    } else if (reasoning) {
        building_reasoning(&r->b, fmt_string(r->s->a, jget(part, "text")));
        keep_rest(r, part, known_text);
    } else if (slice_is(type, "tool")) {
        read_call(r, part);
    } else if (slice_is(type, "tool-invocation") && jis(jget(part, "toolInvocation"), J_OBJECT)) {
        read_call(r, modern(r->s->a, part));
    } else if (slice_is(type, "file") && jis(jget(part, "url"), J_STRING)) {
        read_file(&r->b, part);
        keep_rest(r, part, known_file);
    } else if (slice_is(type, "subtask") && jis(jget(part, "prompt"), J_STRING)) {
        building_text(&r->b, jget(part, "prompt")->text);
        keep_rest(r, part, known_subtask);
    } else if (slice_is(type, "step-start") || slice_is(type, "step-finish")) {
        read_step(r, part, slice_is(type, "step-start"));
    } else {
        keep_part(r, part);
    }
}

/* ---- messages ----------------------------------------------------------------------------------------------------------- */

static void read_error(struct building *b, const struct jvalue *error)
{
    const struct jvalue *message = jpath(error, "data", "message", NULL), *name = jget(error, "name");
    if (!error || error->type == J_NULL)
        return;
    b->m->error = jis(message, J_STRING) ? message->text : jis(name, J_STRING) ? name->text : fmt_string(b->a, error);
    meta_value(&b->meta, "error", error);
}

/* What is said of the message as a whole; of several steps the first has it. */
static void read_info(struct reading_message *r, const struct jvalue *info)
{
    static const char *const known[] = {"role", "sessionID", "time", "modelID", "tokens", "finish", "error", "parts", NULL};
    static const char *const model_places[] = {"modelID", NULL}, *const known_time[] = {"created", "completed", NULL};
    struct building *b = &r->b;
    const struct jvalue *old = jpath(info, "metadata", "assistant", NULL), *time = jget(info, "time") ? jget(info, "time") : jpath(info, "metadata", "time", NULL);
    const struct jvalue *model = fmt_first(info, model_places), *cost = jget(info, "cost") ? jget(info, "cost") : jget(old, "cost");
    struct meta rest = META_INIT;
    bool known_role;
    int64_t from, to;
    b->m->role = chat_role(jstr(jget(info, "role")), &known_role);
    if (!known_role)
        meta_value(&b->meta, "role", jget(info, "role"));
    if (!model)
        model = jpath(info, "model", "modelID", NULL) ? jpath(info, "model", "modelID", NULL) : jget(old, "modelID");
    b->m->model = b->m->role == ROLE_ASSISTANT ? fmt_string(b->a, model) : SLICE_NONE;
    if (b->m->role != ROLE_ASSISTANT)
        meta_value(&b->meta, "modelID", jget(info, "modelID"));
    if (!jis(time, J_OBJECT) || !fmt_time(b->a, jget(time, "created"), &b->m->timestamp))
        meta_value(&b->meta, "time", time);
    else
        meta_rest(&rest, time, known_time);
    meta_json(&b->meta, "time", meta_end(&rest, b->a));
    if (jint(jget(time, "created"), &from) && jint(jget(time, "completed"), &to) && from >= 0 && to >= from)
        b->m->duration_ms = to - from;
    read_tokens(b, jget(info, "tokens") ? jget(info, "tokens") : jget(old, "tokens"));
    b->m->finish_reason = fmt_string(b->a, jget(info, "finish"));
    read_error(b, jget(info, "error"));
    session_cost(r->s, cost);
    meta_rest(&b->meta, info, known);
}

/* The parts are an array. */
static void read_message(struct session *s, const struct jvalue *info, const struct jvalue *parts)
{
    struct reading_message r = {.s = s, .rest = STR_INIT(META_INIT.out.max)};
    const struct jvalue *body = jpath(info, "summary", "body", NULL);
    r.b = building_begin(s->a, &s->list, ROLE_USER);
    read_info(&r, info);
    for (size_t i = 0; jis(parts, J_ARRAY) && i < parts->n; i++)
        read_part(&r, &parts->items[i]);
    if (parts && parts->type != J_ARRAY && parts->type != J_NULL)
        keep_part(&r, parts);
    if (!(jis(parts, J_ARRAY) && parts->n) && jis(body, J_STRING) && body->text.len) /* all that is left of it */
        building_text(&r.b, body->text);
    end_step(&r);
    str_free(&r.rest);
}

/* ---- the files of a storage --------------------------------------------------------------------------------------------- */

/* The values of the files in a folder, in order of their names: an array. */
static struct jvalue read_folder(struct arena *a, const struct companions *files, struct slice folder, const struct sink *sink)
{
    struct jvalue list = {.type = J_ARRAY};
    size_t cap = 0;
    for (size_t i = companions_from(files, folder); i < files->n && slice_eq(slice_sub(files->paths[i], 0, folder.len), folder); i++) {
        struct slice bytes;
        struct jvalue *v;
        struct err why = {0};
        if (!files->load(files->ctx, i, a, &bytes, &why) || !jread(a, bytes, NULL, NULL, &v, &why)) {
            sink->refuse(sink->ctx, files->paths[i], why.code, why.text);
        } else if (v->type != J_OBJECT) {
            sink->refuse(sink->ctx, files->paths[i], ERR_NOT_TRANSCRIPT, "no message and no part: it is no object");
        } else {
            list.items = arena_grow(a, list.items, list.n, &cap, sizeof *list.items);
            list.items[list.n++] = *v;
        }
    }
    return list;
}

struct stored {
    const struct jvalue *v;
    int64_t created;
};

static int by_time(const void *a, const void *b)
{
    const struct stored *x = a, *y = b;
    if (x->created != y->created)
        return x->created < y->created ? -1 : 1;
    return x->v < y->v ? -1 : x->v > y->v; /* as their names come */
}

static void read_storage(struct session *s, const struct companions *files, struct slice id, const struct sink *sink)
{
    static const struct { const char *messages, *parts; bool by_session; } layouts[] = {
        {"message", "part", false}, {"session/message", "session/part", true}};
    struct map read = {0}; /* a message that bears another's id has no parts of its own */
    for (size_t l = 0; l < sizeof layouts / sizeof *layouts; l++) {
        struct slice folder = arena_printf(s->a, "%s/%.*s/", layouts[l].messages, SLICE_ARG(id));
        struct jvalue list = read_folder(s->a, files, folder, sink);
        struct stored *order = arena_array(s->a, struct stored, (size_t)list.n + 1);
        for (size_t i = 0; i < list.n; i++) {
            order[i].v = &list.items[i];
            if (!jint(jpath(&list.items[i], "time", "created", NULL), &order[i].created))
                order[i].created = INT64_MAX;
        }
        qsort(order, list.n, sizeof *order, by_time);
        for (size_t i = 0; i < list.n; i++) {
            const struct jvalue *info = order[i].v, *own = jget(info, "parts");
            struct slice message = jstr(jget(info, "id"));
            struct slice place = layouts[l].by_session ? arena_printf(s->a, "%s/%.*s/%.*s/", layouts[l].parts, SLICE_ARG(id), SLICE_ARG(message))
                                                       : arena_printf(s->a, "%s/%.*s/", layouts[l].parts, SLICE_ARG(message));
            struct jvalue parts = {.type = J_ARRAY};
            if (!map_get(&read, place)) {
                map_put(s->a, &read, place, 1);
                parts = read_folder(s->a, files, place, sink);
            }
            read_message(s, info, parts.n || !own ? &parts : own);
        }
    }
}

/* ---- the run ------------------------------------------------------------------------------------------------------------ */

static void read_session(struct session *s, const struct jvalue *v)
{
    static const char *const known[] = {"id", "title", "time", NULL}, *const known_time[] = {"created", "updated", NULL};
    const struct jvalue *time = jget(v, "time");
    struct meta rest = META_INIT;
    s->run->external_id = jtext(jget(v, "id"));
    s->run->name = jstr(jget(v, "title"));
    if (!fmt_time(s->a, jget(time, "created"), &s->run->started_at))
        meta_value(&rest, "created", jget(time, "created"));
    if (!fmt_time(s->a, jget(time, "updated"), &s->run->ended_at))
        meta_value(&rest, "updated", jget(time, "updated"));
    meta_rest(&rest, time, known_time);
    meta_json(&s->meta, "time", meta_end(&rest, s->a));
    meta_rest(&s->meta, v, known);
}

static bool feed(void **state, const struct record *record, const struct sink *sink, struct err *e)
{
    (void)state;
    struct session s;
    const struct jvalue *v = record->value, *messages = jget(v, "messages");
    if (is_session(v) && !record->beside) {
        sink->refuse(sink->ctx, record->location, ERR_NOT_FOUND, "the messages of this session are in the folders message/ and part/, which are not beside its session/");
        return true;
    }
    if (!is_session(v) && !is_export(v)) {
        sink->refuse(sink->ctx, record->location, ERR_NOT_TRANSCRIPT, "no opencode session: id, title or time is missing");
        return true;
    }
    session_take(&s, record);
    if (is_session(v)) {
        read_session(&s, v);
        read_storage(&s, record->beside, s.run->external_id, sink);
        return session_end(&s, sink, e);
    }
    static const char *const known[] = {"info", "messages", NULL};
    read_session(&s, jget(v, "info"));
    for (size_t i = 0; i < messages->n; i++) {
        if (jis(jget(&messages->items[i], "info"), J_OBJECT))
            read_message(&s, jget(&messages->items[i], "info"), jget(&messages->items[i], "parts"));
        else
            session_event(&s, &messages->items[i]);
    }
    meta_rest(&s.meta, v, known);
    return session_end(&s, sink, e);
}

static const struct companion_rule companions[] = {
    {"session/%/%.json", "message/%/%.json"},
    {"session/%/%.json", "part/%/%.json"},
    {"session/info/%.json", "session/message/%/%.json"},
    {"session/info/%.json", "session/part/%/%/%.json"},
    {NULL, NULL},
};

const struct format fmt_opencode = {
    .name = "opencode",
    .about = "opencode sessions: its storage of session/, message/ and part/ files, or an export with info and messages",
    .probe = probe,
    .feed = feed,
    .close = fmt_close,
    .companions = companions,
};
