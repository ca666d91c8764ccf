#include "ingest/fmt_payload.h"

enum {
    DEEPEST = 6, /* of JSON in strings, lists in lists, and objects around messages */
    SURE = 16,   /* so many of a list say what the rest of it is */
};

/* ---- values made here --------------------------------------------------------------------------------------------------- */

struct jvalue payload_text(struct slice text)
{
    return (struct jvalue){.type = J_STRING, .repaired = true, .text = text, .raw = text};
}

struct making making_object(struct arena *a, const struct jvalue *like)
{
    return (struct making){.a = a, .v = {.type = J_OBJECT, .repaired = true, .raw = like->raw}};
}

struct making making_list(struct arena *a, const struct jvalue *like)
{
    return (struct making){.a = a, .v = {.type = J_ARRAY, .repaired = true, .raw = like->raw}};
}

void making_put(struct making *m, struct slice key, struct jvalue v)
{
    m->v.items = arena_grow(m->a, m->v.items, m->v.n, &m->cap, sizeof *m->v.items);
    if (m->v.type == J_OBJECT) {
        m->v.keys = arena_grow(m->a, m->v.keys, m->v.n, &m->keys_cap, sizeof *m->v.keys);
        m->v.keys[m->v.n] = key;
    }
    m->v.items[m->v.n++] = v;
}

const struct jvalue *payload_parsed(struct arena *a, const struct jvalue *v)
{
    struct slice text = slice_trim(jstr(v));
    struct jvalue *parsed;
    struct err e = {0};
    if (!text.len || !strchr("[{\"", text.ptr[0]) || !jread(a, text, NULL, NULL, &parsed, &e))
        return v;
    if (parsed->type == J_STRING) { /* encoded twice */
        const struct jvalue *inner = payload_parsed(a, parsed);
        return inner == parsed ? v : inner;
    }
    return parsed;
}

/* ---- parts -------------------------------------------------------------------------------------------------------------- */

/* Parts of the GenAI conventions, Pydantic AI and the Vercel AI SDK, under the names that the reader of messages knows. */
static const struct part_shape {
    const char *type, *as;
    struct { const char *from, *to; } keys[6];
} part_shapes[] = {
    {"text", "text", {{"content", "text"}}},
    {"reasoning", "reasoning", {{"content", "text"}}},
    {"thinking", "reasoning", {{"content", "text"}}},
    {"tool_call", "tool_use", {{NULL, NULL}}},
    {"tool_call_response", "tool_result", {{"response", "content"}, {"result", "content"}}},
    {"server_tool_call", "tool_use", {{"server_tool_call", "arguments"}}},
    {"server_tool_call_response", "tool_result", {{"server_tool_call_response", "content"}}},
    {"tool-call", "tool_use", {{"toolCallId", "id"}, {"toolName", "name"}, {"args", "arguments"}, {"input", "arguments"}}},
    {"tool-result", "tool_result", {{"toolCallId", "id"}, {"toolName", "name"}, {"result", "content"}, {"output", "content"},
                                    {"isError", "is_error"}}},
    {"blob", "image", {{"content", "data"}}},
    {"binary", "image", {{"content", "data"}}},
    {"uri", "image", {{"uri", "image"}}},
    {"image-url", "image", {{"url", "image"}}},
    {"audio-url", "image", {{"url", "image"}}},
    {"video-url", "image", {{"url", "image"}}},
    {"document-url", "image", {{"url", "image"}}},
    {"image", "image", {{"mediaType", "mime_type"}, {"mimeType", "mime_type"}}},
    {"file", "file", {{"file_id", "file"}, {"url", "file"}, {"mediaType", "mime_type"}, {"mimeType", "mime_type"}}},
};

bool payload_has_parts(const struct jvalue *v)
{
    for (size_t i = 0; jis(v, J_ARRAY) && i < v->n; i++)
        if (!jis(jget(&v->items[i], "type"), J_STRING) && !jis(jget(&v->items[i], "text"), J_STRING))
            return false;
    return jis(v, J_ARRAY) && v->n;
}

/* What a tool said, as text: only lists of parts are read as such. */
static struct jvalue result_content(struct arena *a, const struct jvalue *v)
{
    const struct jvalue *value = jis(v, J_OBJECT) && v->n == 2 && jis(jget(v, "type"), J_STRING) ? jget(v, "value") : NULL;
    if (value) /* {"type": "json", "value": …} of the Vercel AI SDK */
        return result_content(a, value);
    if (v->type == J_STRING || payload_has_parts(v))
        return *v;
    return payload_text(jraw(a, v));
}

static struct jvalue shape_part(struct arena *a, const struct jvalue *part)
{
    struct slice type = jstr(jget(part, "type"));
    const struct part_shape *shape = NULL;
    for (size_t i = 0; type.ptr && i < sizeof part_shapes / sizeof *part_shapes; i++)
        if (slice_is(type, part_shapes[i].type))
            shape = &part_shapes[i];
    if (!shape || !jis(part, J_OBJECT))
        return *part;
    struct making m = making_object(a, part);
    for (size_t i = 0; i < part->n; i++) {
        struct slice key = part->keys[i];
        struct jvalue v = part->items[i];
        for (size_t k = 0; k < sizeof shape->keys / sizeof *shape->keys && shape->keys[k].from; k++)
            if (slice_is(part->keys[i], shape->keys[k].from) && v.type != J_NULL)
                key = slice_str(shape->keys[k].to);
        if (slice_is(key, "type"))
            v = payload_text(slice_str(shape->as));
        else if (slice_is(key, "content") && slice_is(slice_str(shape->as), "tool_result"))
            v = result_content(a, &v);
        making_put(&m, key, v);
    }
    return m.v;
}

static struct jvalue shape_content(struct arena *a, const struct jvalue *v)
{
    if (!jis(v, J_ARRAY))
        return *v;
    struct making m = making_list(a, v);
    for (size_t i = 0; i < v->n; i++)
        making_put(&m, SLICE_NONE, shape_part(a, &v->items[i]));
    return m.v;
}

/* ---- messages ----------------------------------------------------------------------------------------------------------- */

/* LangChain's classes: "human", "AIMessageChunk", … */
static bool class_role(struct slice name, struct slice *role)
{
    enum role known;
    if (slice_ends(name, "Chunk"))
        name = slice_sub(name, 0, name.len - 5);
    if (slice_ends(name, "Message"))
        name = slice_sub(name, 0, name.len - 7);
    if (!name.len || !role_parse(name, &known))
        return false;
    *role = name;
    return true;
}

/* [{"function": {"name", "arguments"}, "id"}] in the place of a text */
static const struct jvalue *calls_in_text(struct arena *a, const struct jvalue *content)
{
    if (!slice_starts(slice_trim(jstr(content)), "[{\"function\""))
        return NULL;
    const struct jvalue *list = payload_parsed(a, content);
    for (size_t i = 0; jis(list, J_ARRAY) && i < list->n; i++)
        if (!jis(jpath(&list->items[i], "function", "name", NULL), J_STRING))
            return NULL;
    return jis(list, J_ARRAY) && list->n ? list : NULL;
}

/* LangChain has the calls in two places; the better one is `tool_calls`. */
static void put_langchain(struct making *m, const struct jvalue *v)
{
    static const char *const calls[] = {"tool_calls", NULL};
    const struct jvalue *more = jget(v, "additional_kwargs"), *response = jget(v, "response_metadata"), *own = jget(v, "tool_calls");
    const struct jvalue *second = jget(more, "tool_calls"), *finish = jget(response, "finish_reason");
    if (jis(second, J_ARRAY) && second->n && !(jis(own, J_ARRAY) && own->n))
        making_put(m, slice_str("tool_calls"), *second);
    if (jis(more, J_OBJECT) && (more->n > 1 || !second))
        making_put(m, slice_str("additional_kwargs"), second ? fmt_without(m->a, more, calls) : *more);
    if (jis(finish, J_STRING))
        making_put(m, slice_str("finish_reason"), *finish);
    if (jis(jget(response, "model_name"), J_STRING))
        making_put(m, slice_str("model"), *jget(response, "model_name"));
    if (jis(jget(v, "usage_metadata"), J_OBJECT))
        making_put(m, slice_str("usage"), *jget(v, "usage_metadata"));
}

static void put_members(struct making *m, const struct jvalue *v, const char *const but[])
{
    struct jvalue left = fmt_without(m->a, v, but);
    bool tool = slice_is(jstr(jget(&m->v, "role")), "tool");
    for (size_t i = 0; i < left.n; i++) {
        bool parts = slice_is(left.keys[i], "parts"), content = slice_is(left.keys[i], "content");
        if (left.items[i].type == J_NULL)
            continue;
        if (content && tool && jis(&left.items[i], J_ARRAY) && !payload_has_parts(&left.items[i]))
            making_put(m, slice_str("content"), result_content(m->a, &left.items[i]));
        else if (parts || content)
            making_put(m, slice_str("content"), shape_content(m->a, &left.items[i]));
        else
            making_put(m, left.keys[i], left.items[i]);
    }
}

/* {"message_content": {"type", "text", "image": {"image": {"url"}}}} and {"tool_call": {…}} of OpenInference are what is in them. */
static struct jvalue unwrapped(struct arena *a, const struct jvalue *list, const char *key)
{
    struct making m = making_list(a, list);
    for (size_t i = 0; i < list->n; i++) {
        const struct jvalue *inner = jget(&list->items[i], key), *image = jpath(inner, "image", "image", NULL);
        if (jis(image, J_OBJECT)) {
            struct making part = making_object(a, inner);
            making_put(&part, slice_str("type"), payload_text(slice_str("image")));
            making_put(&part, slice_str("image"), *image);
            making_put(&m, SLICE_NONE, part.v);
        } else {
            making_put(&m, SLICE_NONE, inner ? *inner : list->items[i]);
        }
    }
    return m.v;
}

static void put_openinference(struct making *m, const struct jvalue *v)
{
    if (jis(jget(v, "contents"), J_ARRAY))
        making_put(m, slice_str("content"), unwrapped(m->a, jget(v, "contents"), "message_content"));
    if (jis(jget(v, "tool_calls"), J_ARRAY))
        making_put(m, slice_str("tool_calls"), unwrapped(m->a, jget(v, "tool_calls"), "tool_call"));
    const struct jvalue *name = jget(v, "function_call_name"), *arguments = jget(v, "function_call_arguments_json");
    if (jis(name, J_STRING) && name->text.len) {
        struct making call = making_object(m->a, v);
        making_put(&call, slice_str("name"), *name);
        if (arguments)
            making_put(&call, slice_str("arguments"), *arguments);
        making_put(m, slice_str("function_call"), call.v);
    }
}

/* A message in the shape that chat_message() reads; false where it is none. `role`: of one that does not say. */
static bool shape_message(struct arena *a, const struct jvalue *v, struct slice role, bool sure, struct jvalue *out)
{
    static const char *const known[] = {"role", "contents", "function_call_name", "function_call_arguments_json", NULL};
    static const char *const langchain[] = {"type", "additional_kwargs", "usage_metadata", "tool_calls", "role", "example", NULL};
    static const char *const calls_known[] = {"content", "tool_calls", "role", NULL};
    struct slice class = SLICE_NONE, name = jstr(jget(v, "role"));
    const struct jvalue *inner = v, *id = jget(v, "id"), *calls;
    if (!jis(v, J_OBJECT))
        return false;
    if (jget(v, "lc") && jis(jget(v, "kwargs"), J_OBJECT) && jis(id, J_ARRAY) && id->n &&
        class_role(jstr(&id->items[id->n - 1]), &class))
        inner = jget(v, "kwargs");
    else if (!name.ptr && class_role(jstr(jget(v, "type")), &class) && (jget(v, "content") || jis(jget(v, "data"), J_OBJECT)))
        inner = jis(jget(v, "data"), J_OBJECT) ? jget(v, "data") : v;
    else if (!name.ptr && jis(jget(v, "message"), J_OBJECT) && (jget(jget(v, "message"), "role") || sure))
        return shape_message(a, jget(v, "message"), role, true, out);
    struct making m = making_object(a, inner);
    if (class.ptr) {
        making_put(&m, slice_str("role"), payload_text(slice_is(class, "chat") && name.ptr ? name : class));
        if (jis(jget(inner, "tool_calls"), J_ARRAY) && jget(inner, "tool_calls")->n)
            making_put(&m, slice_str("tool_calls"), *jget(inner, "tool_calls"));
        put_langchain(&m, inner);
        put_members(&m, inner, langchain);
    } else if (name.ptr && (calls = calls_in_text(a, jget(v, "content")))) {
        making_put(&m, slice_str("role"), payload_text(slice_str("assistant")));
        making_put(&m, slice_str("tool_calls"), *calls);
        put_members(&m, v, calls_known);
    } else if (name.ptr || chat_is_message(v)) {
        if (name.ptr)
            making_put(&m, slice_str("role"), payload_text(name));
        bool wrapped = jis(jget(jat(jget(v, "tool_calls"), 0), "tool_call"), J_OBJECT);
        if (jis(jget(v, "additional_kwargs"), J_OBJECT))
            put_langchain(&m, v);
        put_openinference(&m, v);
        struct jvalue left = jis(jget(v, "additional_kwargs"), J_OBJECT) ?
            fmt_without(a, v, (const char *const[]){"additional_kwargs", NULL}) : *v;
        put_members(&m, &left, wrapped || jis(jget(v, "tool_calls"), J_ARRAY) ?
                    (const char *const[]){"role", "contents", "tool_calls", NULL} : known);
    } else if (sure && (jget(v, "content") || jget(v, "text") || jget(v, "tool_calls") || jget(v, "parts") || jget(v, "contents"))) {
        making_put(&m, slice_str("role"), payload_text(role));
        put_openinference(&m, v);
        put_members(&m, v, known);
    } else {
        return false;
    }
    *out = m.v;
    return true;
}

/* ---- what holds them ---------------------------------------------------------------------------------------------------- */

struct holding {
    struct arena *a;
    struct messages *list;
    enum payload_side side;
    struct meta *rest;
};

static bool read_value(struct holding *h, const struct jvalue *v, bool sure, int depth);

static struct slice default_role(const struct holding *h) { return slice_str(h->side == PAYLOAD_SENT ? "user" : "assistant"); }

static void add_text(struct holding *h, struct slice text, enum role role)
{
    struct message *m = messages_add(h->a, h->list);
    m->role = role;
    m->text = text;
}

/* A role that is the name of a tool that was just called: the answer of that tool. */
static bool is_called(const struct messages *list, struct slice name)
{
    enum { FAR = 32 };
    enum role role;
    if (!name.len || role_parse(name, &role))
        return false;
    for (size_t i = list->n, seen = 0; i-- > 0 && seen < FAR && list->items[i].role != ROLE_USER; seen++)
        for (size_t k = 0; k < list->items[i].ncalls && k < FAR; k++)
            if (slice_eq(list->items[i].calls[k].name, name))
                return true;
    return false;
}

/* Some tracers list the tools that there are among the messages. */
static bool is_tool_definition(const struct jvalue *v)
{
    const struct jvalue *content = jget(v, "content");
    return slice_is(jstr(jget(v, "role")), "tool") && slice_is(jstr(jget(content, "type")), "function") &&
           jis(jget(content, "function"), J_OBJECT);
}

static bool read_message(struct holding *h, const struct jvalue *v, bool sure)
{
    static const char *const role_only[] = {"role", NULL};
    struct jvalue shaped;
    if (is_tool_definition(v)) {
        if (h->rest)
            meta_value(h->rest, "tools", jget(v, "content"));
        return true;
    }
    if (!shape_message(h->a, v, default_role(h), sure, &shaped))
        return false;
    struct slice role = jstr(jget(&shaped, "role"));
    if (is_called(h->list, role)) {
        struct making m = making_object(h->a, &shaped);
        making_put(&m, slice_str("role"), payload_text(slice_str("tool")));
        making_put(&m, slice_str("tool_name"), payload_text(role));
        put_members(&m, &shaped, role_only);
        shaped = m.v;
    }
    chat_message(h->a, h->list, &shaped);
    return true;
}

static bool read_list(struct holding *h, const struct jvalue *v, bool sure, int depth)
{
    size_t before = h->list->n;
    struct str left = STR_INIT(META_INIT.out.max);
    for (size_t i = 0; i < v->n; i++) {
        const struct jvalue *item = &v->items[i];
        if (i == SURE && !before && h->list->n >= SURE)
            messages_expect(h->a, h->list, v->n);
        if (jis(item, J_ARRAY) ? read_list(h, item, sure, depth + 1) : read_message(h, item, sure))
            continue;
        if (sure && jis(item, J_STRING)) {
            add_text(h, item->text, h->side == PAYLOAD_SENT ? ROLE_USER : ROLE_ASSISTANT);
        } else if (item->type != J_NULL) {
            str_addc(&left, left.len ? ',' : '[');
            jwrite(&left, item);
        }
        if (depth > DEEPEST || (i >= SURE && h->list->n == before))
            break; /* a list of something else */
    }
    bool any = h->list->n > before;
    if (any && left.len && h->rest) {
        str_addc(&left, ']');
        meta_json(h->rest, "other_messages", str_slice(&left));
    }
    str_free(&left);
    return any;
}

void payload_system(struct arena *a, struct messages *list, const struct jvalue *v)
{
    static const char *const holders[] = {"parts", "content", "text", NULL};
    v = payload_parsed(a, v);
    const struct jvalue *content = jis(v, J_OBJECT) ? fmt_first(v, holders) : v;
    if (!content || content->type == J_NULL || (content->type == J_STRING && !content->text.len) ||
        (content->type == J_ARRAY && !content->n))
        return;
    struct holding h = {.a = a, .list = list, .side = PAYLOAD_SENT};
    if (jis(content, J_ARRAY) && jis(jget(&content->items[0], "role"), J_STRING) && read_list(&h, content, false, 0))
        return;
    struct making m = making_object(a, v);
    making_put(&m, slice_str("role"), payload_text(slice_str("system")));
    making_put(&m, slice_str("content"), shape_content(a, content));
    chat_message(a, list, &m.v);
}

/* One of several: choices, candidates, generations. What it says beside the message is said of the message. */
static bool read_choice(struct holding *h, const struct jvalue *choice, int depth)
{
    static const char *const holders[] = {"message", "content", "delta", "text", NULL},
        *const finishes[] = {"finish_reason", "finishReason", NULL};
    static const char *const known[] = {"message", "content", "delta", "text", "finish_reason", "finishReason", "index",
                                        "generation_info", "type", NULL};
    size_t before = h->list->n;
    if (jis(choice, J_ARRAY))
        return choice->n && depth < DEEPEST && read_choice(h, &choice->items[0], depth + 1);
    const struct jvalue *v = jget(choice, "role") ? choice : fmt_first(choice, holders);
    if (jis(v, J_STRING))
        add_text(h, v->text, ROLE_ASSISTANT);
    else if (!v || !read_value(h, v, true, depth + 1))
        return false;
    const struct jvalue *finish = fmt_first(choice, finishes);
    if (!finish)
        finish = fmt_first(jget(choice, "generation_info"), finishes);
    for (size_t i = before; i < h->list->n; i++)
        if (!h->list->items[i].finish_reason.ptr)
            h->list->items[i].finish_reason = jstr(finish);
    if (h->rest && v != choice)
        meta_rest(h->rest, choice, known);
    return true;
}

/* The members that hold messages, the surest first. */
static const struct holder {
    const char *key;
    bool choices;              /* a list of which the first was taken */
    bool text;                 /* text is a message of its own */
} sent_holders[] = {
    {"messages", false, false}, {"contents", false, true}, {"input_messages", false, false}, {"prompt", false, true},
    {"input", false, true},
    {"body", false, false}, {"request", false, false}, {"history", false, false},
}, answer_holders[] = {
    {"choices", true, false}, {"candidates", true, false}, {"generations", true, false}, {"message", false, false},
    {"messages", false, false}, {"output", false, false}, {"response", false, false}, {"content", false, false},
    {"body", false, false}, {"result", false, false},
};

static bool read_member(struct holding *h, const struct holder *holder, const struct jvalue *held, int depth)
{
    if (holder->choices && jis(held, J_ARRAY))
        return held->n && read_choice(h, &held->items[0], depth);
    if (holder->text && jis(held, J_STRING) && payload_parsed(h->a, held) == held) {
        add_text(h, held->text, ROLE_USER);
        return true;
    }
    return held->type != J_NULL && read_value(h, held, slice_is(slice_str(holder->key), "messages"), depth + 1);
}

static bool read_holder(struct holding *h, const struct jvalue *v, int depth)
{
    static const char *const systems[] = {"system", "instructions", "system_instruction", "systemInstruction", "system_prompt", NULL};
    bool answer = h->side == PAYLOAD_ANSWER;
    size_t before = h->list->n, n = answer ? sizeof answer_holders / sizeof *answer_holders :
        sizeof sent_holders / sizeof *sent_holders;
    const struct holder *holders = answer ? answer_holders : sent_holders, *found = NULL;
    const struct jvalue *system = answer ? NULL : fmt_first(v, systems), *config = answer ? NULL :
        fmt_first(jget(v, "config"), systems);
    if (system || config)
        payload_system(h->a, h->list, system ? system : config);
    for (size_t i = 0; i < n && !found; i++) {
        const struct jvalue *held = jget(v, holders[i].key);
        if (held && read_member(h, &holders[i], held, depth))
            found = &holders[i];
    }
    if (!found) {
        h->list->n = before;
        return false;
    }
    for (size_t i = 0; h->rest && i < v->n; i++)
        if (v->items[i].type != J_NULL && &v->items[i] != system && !slice_is(v->keys[i], found->key))
            jwrite(meta_key(h->rest, v->keys[i]), &v->items[i]);
    return true;
}

static bool read_value(struct holding *h, const struct jvalue *v, bool sure, int depth)
{
    if (depth > DEEPEST)
        return false;
    v = payload_parsed(h->a, v);
    if (jis(v, J_ARRAY))
        return read_list(h, v, sure, depth);
    if (!jis(v, J_OBJECT))
        return false;
    bool list = jis(jget(v, "content"), J_ARRAY) && h->side == PAYLOAD_ANSWER && payload_has_parts(jget(v, "content"));
    bool text = jis(jget(v, "text"), J_STRING) && h->side == PAYLOAD_ANSWER && jget(v, "finish_reason");
    return (jis(jget(v, "output"), J_ARRAY) ? false : read_message(h, v, sure || list || text)) || read_holder(h, v, depth);
}

bool payload_messages(struct arena *a, struct messages *list, const struct jvalue *v, enum payload_side side, struct meta *rest)
{
    struct holding h = {.a = a, .list = list, .side = side, .rest = rest};
    return v && read_value(&h, v, false, 0);
}
