#include "ingest/fmt_items.h"
#include "ingest/fmt_part.h"

/* ---- the members of a message ------------------------------------------------------------------------------------------ */

enum field {
    F_ROLE, F_TYPE, F_CONTENT, F_TEXT, F_REASONING, F_REFUSAL, F_CALLS, F_CALL, F_CALL_ID, F_FUNCTION, F_NAME, F_TOOL_NAME,
    F_ARGUMENTS, F_OUTPUT, F_ERROR, F_TIME, F_DURATION, F_USAGE, F_TOKENS_IN, F_TOKENS_OUT, F_MODEL, F_FINISH, F_BLOBS, F_SUMMARY, F_WRONG, F_THINKING,
    FIELD_COUNT, F_METADATA, F_INDEX, F_OTHER,
};

static const struct {
    struct slice key;
    enum field field;
} fields[] = {
    {SLICE_LIT("role"), F_ROLE}, {SLICE_LIT("content"), F_CONTENT}, {SLICE_LIT("tool_calls"), F_CALLS},
    {SLICE_LIT("tool_call_id"), F_CALL_ID}, {SLICE_LIT("name"), F_NAME}, {SLICE_LIT("function"), F_FUNCTION},
    {SLICE_LIT("timestamp"), F_TIME}, {SLICE_LIT("type"), F_TYPE}, {SLICE_LIT("text"), F_TEXT},
    {SLICE_LIT("reasoning"), F_REASONING}, {SLICE_LIT("reasoning_content"), F_REASONING}, {SLICE_LIT("refusal"), F_REFUSAL},
    {SLICE_LIT("function_call"), F_CALL}, {SLICE_LIT("call_id"), F_CALL_ID}, {SLICE_LIT("tool_name"), F_TOOL_NAME},
    {SLICE_LIT("arguments"), F_ARGUMENTS}, {SLICE_LIT("output"), F_OUTPUT}, {SLICE_LIT("result"), F_OUTPUT},
    {SLICE_LIT("error"), F_ERROR}, {SLICE_LIT("created_at"), F_TIME}, {SLICE_LIT("ts"), F_TIME},
    {SLICE_LIT("duration_ms"), F_DURATION}, {SLICE_LIT("usage"), F_USAGE}, {SLICE_LIT("tokens_in"), F_TOKENS_IN},
    {SLICE_LIT("tokens_out"), F_TOKENS_OUT}, {SLICE_LIT("model"), F_MODEL}, {SLICE_LIT("finish_reason"), F_FINISH},
    {SLICE_LIT("stop_reason"), F_FINISH}, {SLICE_LIT("metadata"), F_METADATA}, {SLICE_LIT("blobs"), F_BLOBS},
    {SLICE_LIT("summary"), F_SUMMARY}, {SLICE_LIT("thinking_blocks"), F_THINKING}, {SLICE_LIT("index"), F_INDEX}, {SLICE_LIT("stopReason"), F_FINISH},
    {SLICE_LIT("toolCallId"), F_CALL_ID}, {SLICE_LIT("toolName"), F_TOOL_NAME}, {SLICE_LIT("errorMessage"), F_ERROR},
    {SLICE_LIT("isError"), F_WRONG}, {SLICE_LIT("is_error"), F_WRONG}, {SLICE_LIT("parts"), F_CONTENT},
};

void messages_expect(struct arena *a, struct messages *list, size_t n)
{
    if (n <= list->cap)
        return;
    if (n > RUN_ITEMS + 1)
        n = RUN_ITEMS + 1;
    struct message *items = arena_array(a, struct message, n);
    if (list->n)
        memcpy(items, list->items, list->n * sizeof *items);
    list->items = items;
    list->cap = n;
}

struct message *messages_add(struct arena *a, struct messages *list)
{
    if (list->n <= RUN_ITEMS) {
        list->items = arena_grow(a, list->items, list->n, &list->cap, sizeof *list->items);
        list->n++;
    }
    struct message *m = &list->items[list->n - 1];
    message_init(m);
    return m;
}

enum role chat_role(struct slice word, bool *known)
{
    enum role role;
    *known = role_parse(word, &role);
    if (*known)
        return role;
    return word.len >= 4 && slice_eq_nocase(slice_sub(word, 0, 4), slice_str("user")) ? ROLE_USER : ROLE_ASSISTANT;
}

static void add(struct arena *a, struct texts *list, struct slice text)
{
    list->items = arena_grow(a, list->items, list->n, &list->cap, sizeof text);
    list->items[list->n++] = text;
}

struct building building_begin(struct arena *a, struct messages *list, enum role role)
{
    struct building b = {.a = a, .list = list, .m = messages_add(a, list), .role = role, .meta = META_INIT, .parts = STR_INIT(META_INIT.out.max)};
    b.m->role = role;
    return b;
}

void building_text(struct building *b, struct slice text)
{
    if (text.ptr)
        add(b->a, &b->text, text);
}

void building_reasoning(struct building *b, struct slice text)
{
    if (text.len)
        add(b->a, &b->reasoning, text);
}

void building_fail(struct building *b)
{
    b->m->error = b->text.n ? b->text.items[0] : slice_str("is_error");
}

/* One text as it is; several with a line break between. */
static struct slice join(struct arena *a, const struct texts *list)
{
    if (list->n <= 1)
        return list->n ? list->items[0] : SLICE_NONE;
    size_t length = list->n - 1;
    for (size_t i = 0; i < list->n; i++)
        length += list->items[i].len;
    char *joined = arena_alloc(a, length + 1), *p = joined;
    for (size_t i = 0; i < list->n; i++) {
        if (i)
            *p++ = '\n';
        if (list->items[i].len)
            memcpy(p, list->items[i].ptr, list->items[i].len);
        p += list->items[i].len;
    }
    *p = '\0';
    return slice_of(joined, length);
}

void building_finish(struct building *b)
{
    b->m->text = join(b->a, &b->text);
    b->m->reasoning = join(b->a, &b->reasoning);
    if (b->parts.len) {
        str_addc(&b->parts, ']');
        meta_json(&b->meta, "parts", str_slice(&b->parts));
    }
    str_free(&b->parts);
    b->m->metadata = meta_end(&b->meta, b->a);
    b->meta.own = NULL;
}

/* ---- the message ------------------------------------------------------------------------------------------------------- */

static void read_error(struct building *b, const struct jvalue *v)
{
    static const char *const known[] = {"message", NULL};
    if (!v || v->type == J_NULL)
        return;
    const struct jvalue *message = jget(v, "message");
    if (!jis(message, J_STRING)) {
        b->m->error = fmt_string(b->a, v);
        return;
    }
    b->m->error = message->text;
    struct meta rest = META_INIT;
    meta_rest(&rest, v, known);
    meta_json(&b->meta, "error", meta_end(&rest, b->a));
}

void chat_usage(struct arena *a, struct message *m, struct meta *meta, const struct jvalue *usage)
{
    static const char *const in[] = {"input_tokens", "prompt_tokens", "inputTokens", "promptTokens", "promptTokenCount", "prompt_token_count",
                                     "input", NULL};
    static const char *const out[] = {"output_tokens", "completion_tokens", "outputTokens", "completionTokens", "candidatesTokenCount",
                                      "candidates_token_count", "output", NULL};
    static const char *const known[] = {"input_tokens", "prompt_tokens", "inputTokens", "promptTokens", "promptTokenCount", "prompt_token_count",
                                        "input", "output_tokens", "completion_tokens", "outputTokens", "completionTokens", "candidatesTokenCount",
                                        "candidates_token_count", "output", "total_tokens", "totalTokens", NULL};
    static const char *const totals[] = {"total_tokens", "totalTokens", NULL};
    if (!jis(usage, J_OBJECT)) {
        meta_value(meta, "usage", usage);
        return;
    }
    m->tokens_in = fmt_count_or(meta, "tokens_in", fmt_first(usage, in));
    m->tokens_out = fmt_count_or(meta, "tokens_out", fmt_first(usage, out));
    struct meta rest = META_INIT;
    int64_t total;
    if (jint(fmt_first(usage, totals), &total) && total != fmt_sum(m->tokens_in, m->tokens_out))
        meta_value(&rest, "total_tokens", fmt_first(usage, totals));
    meta_rest(&rest, usage, known);
    meta_json(meta, "usage", meta_end(&rest, a));
}

/* What every message has, whatever its role. */
static void read_common(struct building *b, const struct jvalue *const f[])
{
    struct message *m = b->m;
    if (f[F_TIME] && !fmt_time(b->a, f[F_TIME], &m->timestamp))
        meta_value(&b->meta, "timestamp", f[F_TIME]);
    m->model = fmt_string(b->a, f[F_MODEL]);
    m->finish_reason = fmt_string(b->a, f[F_FINISH]);
    m->duration_ms = fmt_count_or(&b->meta, "duration_ms", f[F_DURATION]);
    if (f[F_USAGE])
        chat_usage(b->a, m, &b->meta, f[F_USAGE]);
    if (f[F_TOKENS_IN])
        m->tokens_in = fmt_count_or(&b->meta, "tokens_in", f[F_TOKENS_IN]);
    if (f[F_TOKENS_OUT])
        m->tokens_out = fmt_count_or(&b->meta, "tokens_out", f[F_TOKENS_OUT]);
    read_error(b, f[F_ERROR]);
    for (size_t i = 0; jis(f[F_BLOBS], J_ARRAY) && i < f[F_BLOBS]->n; i++)
        part_blob_reference(b, &f[F_BLOBS]->items[i]);
    if (!jis(f[F_BLOBS], J_ARRAY))
        meta_value(&b->meta, "blobs", f[F_BLOBS]);
}

/* The items of the Responses API, and of loggers that write one line a call: {"type": "function_call", "name", "arguments"} … */
enum item { ITEM_MESSAGE, ITEM_CALL, ITEM_RESULT, ITEM_REASONING, ITEM_ERROR };

static bool item_of(struct slice type, enum item *item)
{
    static const struct { const char *type; enum item item; } items[] = {
        {"message", ITEM_MESSAGE}, {"function_call", ITEM_CALL}, {"tool_call", ITEM_CALL}, {"custom_tool_call", ITEM_CALL},
        {"function_call_output", ITEM_RESULT}, {"function_call_result", ITEM_RESULT}, {"tool_result", ITEM_RESULT}, {"custom_tool_call_output", ITEM_RESULT},
        {"reasoning", ITEM_REASONING}, {"error", ITEM_ERROR},
    };
    for (size_t i = 0; i < sizeof items / sizeof *items; i++)
        if (slice_is(type, items[i].type)) {
            *item = items[i].item;
            return true;
        }
    return false;
}

bool chat_is_message(const struct jvalue *v)
{
    enum item item;
    if (!jis(v, J_OBJECT))
        return false;
    if (jis(jget(v, "role"), J_STRING))
        return true;
    if (!item_of(jstr(jget(v, "type")), &item))
        return false;
    switch (item) {
    case ITEM_CALL: return jget(v, "name") || jget(v, "function");
    case ITEM_RESULT: return jget(v, "output") || jget(v, "result");
    case ITEM_MESSAGE:
    case ITEM_REASONING:
    case ITEM_ERROR: return false;
    }
    return false;
}

bool chat_is_list(const struct jvalue *v)
{
    enum { LOOKED_AT = 16 };
    static const char *const said[] = {"content", "tool_calls", "text", "reasoning", "reasoning_content", "function_call", "refusal", "parts", NULL};
    bool any = false;
    for (size_t i = 0; jis(v, J_ARRAY) && i < v->n && i < LOOKED_AT; i++) {
        const struct jvalue *m = &v->items[i];
        bool says = false;
        for (size_t k = 0; said[k] && !says; k++)
            says = jget(m, said[k]) != NULL;
        any |= says && jis(jget(m, "role"), J_STRING);
    }
    return any;
}

/* By its role, by its type where it has no role, else by what it holds. */
static enum item read_role(struct building *b, const struct jvalue *const f[])
{
    struct slice role = jstr(f[F_ROLE]), type = jstr(f[F_TYPE]);
    enum item item = ITEM_MESSAGE;
    bool known;
    if (role.ptr) {
        b->m->role = chat_role(role, &known);
        if (!known)
            meta_text(&b->meta, "role", role);
    } else if (item_of(type, &item)) {
        b->m->role = item == ITEM_RESULT ? ROLE_TOOL : ROLE_ASSISTANT;
    } else if (type.ptr && role_parse(type, &b->m->role)) {
        return item;
    } else {
        b->m->role = f[F_CALL_ID] ? ROLE_TOOL : f[F_CALLS] || f[F_CALL] ? ROLE_ASSISTANT : ROLE_USER;
        meta_text(&b->meta, "type", type);
        return item;
    }
    if (type.ptr && !slice_is(type, "message") && !slice_eq(type, role) && item == ITEM_MESSAGE)
        meta_text(&b->meta, "type", type);
    return item;
}

/* A result names its tool and its call; in a call the same fields are the call's own. */
static void read_tool_fields(struct building *b, const struct jvalue *const f[], enum item item, const struct jvalue *v)
{
    struct message *m = b->m;
    if (item == ITEM_CALL) {
        part_call(b, v, true);
        return;
    }
    m->tool_name = fmt_string(b->a, f[F_TOOL_NAME]);
    if (m->role == ROLE_TOOL && !m->tool_name.ptr)
        m->tool_name = jis(f[F_FUNCTION], J_STRING) ? f[F_FUNCTION]->text : jstr(f[F_NAME]);
    else
        meta_value(&b->meta, "name", f[F_NAME]);
    if (jis(f[F_CALL_ID], J_STRING) || jis(f[F_CALL_ID], J_NUMBER))
        m->tool_call_id = jtext(f[F_CALL_ID]);
    else
        meta_value(&b->meta, "tool_call_id", f[F_CALL_ID]);
    if (m->role != ROLE_TOOL || !jis(f[F_FUNCTION], J_STRING))
        meta_value(&b->meta, "function", f[F_FUNCTION]);
    meta_value(&b->meta, "arguments", f[F_ARGUMENTS]);
}

static void read_calls(struct building *b, const struct jvalue *const f[])
{
    if (jis(f[F_CALLS], J_ARRAY)) {
        for (size_t i = 0; i < f[F_CALLS]->n; i++)
            part_call(b, &f[F_CALLS]->items[i], false);
    } else {
        meta_value(&b->meta, "tool_calls", f[F_CALLS]);
    }
    if (f[F_CALL])
        part_call(b, f[F_CALL], false);
}

/* [{"type": "thinking", "thinking", "signature"}], as clients put Anthropic's thoughts beside a message, often besides one text of them. */
static void read_thinking(struct building *b, const struct jvalue *blocks, struct slice told)
{
    static const char *const known[] = {"type", "thinking", NULL};
    struct str rests = STR_INIT(META_INIT.out.max);
    for (size_t i = 0; i < blocks->n; i++) {
        const struct jvalue *block = &blocks->items[i];
        struct slice thought = jstr(jget(block, "thinking"));
        bool again = told.ptr && slice_find(told, thought) >= 0;
        struct meta rest = META_INIT;
        if (!told.ptr)
            building_reasoning(b, thought);
        meta_rest(&rest, block, !told.ptr || again ? known : NULL);
        if (rest.out.len) {
            struct slice left = meta_end(&rest, b->a);
            str_addc(&rests, rests.len ? ',' : '[');
            str_add_slice(&rests, left);
        }
    }
    if (rests.len) {
        str_addc(&rests, ']');
        meta_json(&b->meta, "thinking_blocks", str_slice(&rests));
    }
    str_free(&rests);
}

static void read_texts(struct building *b, const struct jvalue *const f[], enum item item)
{
    if (jis(f[F_REASONING], J_STRING))
        building_reasoning(b, f[F_REASONING]->text);
    else
        meta_value(&b->meta, "reasoning", f[F_REASONING]);
    if (jis(f[F_THINKING], J_ARRAY))
        read_thinking(b, f[F_THINKING], jstr(f[F_REASONING]));
    else
        meta_value(&b->meta, "thinking_blocks", f[F_THINKING]);
    if (item == ITEM_REASONING && jis(f[F_SUMMARY], J_ARRAY)) {
        for (size_t i = 0; i < f[F_SUMMARY]->n; i++)
            building_reasoning(b, jstr(jget(&f[F_SUMMARY]->items[i], "text")));
    } else {
        meta_value(&b->meta, "summary", f[F_SUMMARY]);
    }
    part_content(b, f[F_CONTENT]);
    building_text(b, fmt_string(b->a, f[F_TEXT]));
    if (item == ITEM_RESULT || b->m->role == ROLE_TOOL)
        part_output(b, f[F_OUTPUT]);
    else
        meta_value(&b->meta, "output", f[F_OUTPUT]);
    struct slice refusal = jstr(f[F_REFUSAL]);
    if (refusal.ptr && refusal.len) {
        building_text(b, refusal);
        meta_json(&b->meta, "refusal", slice_str("true"));
    }
}

/* Our own export numbers its messages; a number that says something else is kept. */
static bool is_position(const struct jvalue *v, size_t position)
{
    int64_t n;
    return jint(v, &n) && n >= 0 && (uint64_t)n == position;
}

void chat_message(struct arena *a, struct messages *list, const struct jvalue *v)
{
    if (item_of_own_tool(a, list, v))
        return;
    struct building b = building_begin(a, list, ROLE_USER);
    const struct jvalue *f[FIELD_COUNT] = {0};
    size_t position = list->n - 1;
    meta_own(&b.meta, jget(v, "metadata"));
    for (size_t i = 0; i < v->n; i++) {
        const struct jvalue *item = &v->items[i];
        size_t k = 0;
        while (k < sizeof fields / sizeof *fields && !slice_eq(v->keys[i], fields[k].key))
            k++;
        enum field field = k < sizeof fields / sizeof *fields ? fields[k].field : F_OTHER;
        if (item->type == J_NULL || field == F_METADATA || (field == F_INDEX && is_position(item, position)))
            continue;
        if (field < FIELD_COUNT && !f[field])
            f[field] = item;
        else /* a key of its own, or a second name for the same thing */
            jwrite(meta_key(&b.meta, v->keys[i]), item);
    }
    enum item item = read_role(&b, f);
    b.role = b.m->role;
    read_common(&b, f);
    read_tool_fields(&b, f, item, v);
    read_calls(&b, f);
    read_texts(&b, f, item);
    bool failed;
    if (!jbool(f[F_WRONG], &failed))
        meta_value(&b.meta, "is_error", f[F_WRONG]);
    else if (failed && !b.m->error.ptr)
        building_fail(&b);
    if (v->repaired)
        meta_repaired(&b.meta, v, "tool_calls");
    building_finish(&b);
}

void chat_messages(struct arena *a, struct messages *list, const struct jvalue *array, struct meta *other)
{
    size_t others = 0;
    if (jis(array, J_ARRAY) && !list->n)
        messages_expect(a, list, array->n);
    for (size_t i = 0; jis(array, J_ARRAY) && i < array->n && list->n <= RUN_ITEMS; i++) {
        const struct jvalue *v = &array->items[i];
        if (v->type == J_OBJECT)
            chat_message(a, list, v);
        else if (v->type == J_STRING)
            messages_add(a, list)->text = v->text;
        else if (other && v->type != J_NULL) {
            struct str *out = others ? &other->out : meta_key(other, slice_str("other_messages"));
            str_addc(out, others++ ? ',' : '[');
            jwrite(out, v);
        }
    }
    if (others)
        str_addc(&other->out, ']');
}
