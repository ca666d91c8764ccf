#include "ingest/fmt.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/jsonw.h"

#include <sodium.h>

/* ---- the members of a message ------------------------------------------------------------------------------------------ */

enum field {
    F_ROLE, F_TYPE, F_CONTENT, F_TEXT, F_REASONING, F_REFUSAL, F_CALLS, F_CALL, F_CALL_ID, F_FUNCTION, F_NAME, F_TOOL_NAME,
    F_ARGUMENTS, F_OUTPUT, F_ERROR, F_TIME, F_DURATION, F_USAGE, F_TOKENS_IN, F_TOKENS_OUT, F_MODEL, F_FINISH, F_BLOBS, F_SUMMARY,
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
    {SLICE_LIT("summary"), F_SUMMARY}, {SLICE_LIT("index"), F_INDEX},
};

/* A message on its way: texts that are joined at the end, and what has no field. */
struct building {
    struct arena *a;
    struct messages *list;
    struct message *m;      /* moves when messages are added to the list */
    const struct jvalue *f[FIELD_COUNT];
    struct slice *texts, *reasonings;
    size_t ntexts, texts_cap, nreasonings, reasonings_cap;
    size_t calls_cap, blobs_cap;
    struct meta meta;
    struct str parts;       /* what is left of content parts: "[{…},…" */
};

struct message *messages_add(struct arena *a, struct messages *list)
{
    list->items = arena_grow(a, list->items, list->n, &list->cap, sizeof *list->items);
    struct message *m = &list->items[list->n++];
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

static void add_slice(struct arena *a, struct slice **list, size_t *n, size_t *cap, struct slice s)
{
    *list = arena_grow(a, *list, *n, cap, sizeof s);
    (*list)[(*n)++] = s;
}

static void add_text(struct building *b, struct slice text)
{
    if (text.ptr)
        add_slice(b->a, &b->texts, &b->ntexts, &b->texts_cap, text);
}

static void add_reasoning(struct building *b, struct slice text)
{
    if (text.ptr && text.len)
        add_slice(b->a, &b->reasonings, &b->nreasonings, &b->reasonings_cap, text);
}

/* One text as it is; several with a line break between. */
static struct slice join(struct arena *a, const struct slice *list, size_t n)
{
    if (n <= 1)
        return n ? list[0] : SLICE_NONE;
    size_t length = n - 1;
    for (size_t i = 0; i < n; i++)
        length += list[i].len;
    char *joined = arena_alloc(a, length + 1), *p = joined;
    for (size_t i = 0; i < n; i++) {
        if (i)
            *p++ = '\n';
        if (list[i].len)
            memcpy(p, list[i].ptr, list[i].len);
        p += list[i].len;
    }
    *p = '\0';
    return slice_of(joined, length);
}

/* ---- calls ------------------------------------------------------------------------------------------------------------- */

void chat_arguments(struct arena *a, struct tool_call *call, const struct jvalue *v, struct meta *rest)
{
    if (!v || v->type == J_NULL)
        return;
    if (v->type != J_STRING) {
        call->arguments = jraw(a, v);
        return;
    }
    if (!slice_trim(v->text).len) { /* a call without arguments, as streaming clients write it */
        call->arguments = slice_str("{}");
        return;
    }
    struct arena scratch = {0};
    struct jvalue *parsed;
    struct err e = {0};
    if (jread(&scratch, v->text, NULL, NULL, &parsed, &e)) {
        struct slice json = jraw(&scratch, parsed);
        bool same = json.ptr == parsed->raw.ptr;
        call->arguments = same ? parsed->raw : arena_dup(a, json);
        if (parsed->repaired && rest)
            meta_text(rest, "raw_arguments", v->text);
    } else {
        call->arguments = v->text;
        call->parse_error = arena_dup(a, slice_str(e.text));
    }
    arena_free(&scratch);
}

static struct tool_call *add_call(struct building *b)
{
    b->m->calls = arena_grow(b->a, b->m->calls, b->m->ncalls, &b->calls_cap, sizeof *b->m->calls);
    return &b->m->calls[b->m->ncalls++];
}

/* {"id", "function": {"name", "arguments"}}, {"id", "function": NAME, "arguments"}, {"id", "name", "input"}. `item`: it is the
 * message itself, which keeps what is left. */
static void read_call(struct building *b, const struct jvalue *v, bool item)
{
    static const char *const id_keys[] = {"call_id", "tool_call_id", "id", NULL}, *const argument_keys[] = {"arguments", "args", "input", NULL};
    static const char *const known[] = {"id", "call_id", "tool_call_id", "type", "function", "name", "arguments", "args", "input",
                                        "arguments_text", "parse_error", "metadata", "position", NULL};
    static const char *const known_in_function[] = {"name", "arguments", NULL};
    if (!jis(v, J_OBJECT)) {
        meta_value(&b->meta, "tool_call", v);
        return;
    }
    struct tool_call *call = add_call(b);
    const struct jvalue *function = jget(v, "function"), *inner = jis(function, J_OBJECT) ? function : NULL, *type = jget(v, "type");
    struct meta meta = META_INIT;
    call->call_id = jtext(fmt_first(v, id_keys));
    call->name = inner ? jstr(jget(inner, "name")) : jis(function, J_STRING) ? function->text : jstr(jget(v, "name"));
    if (!item)
        meta_own(&meta, jget(v, "metadata"));
    const struct jvalue *arguments = inner ? jget(inner, "arguments") : fmt_first(v, argument_keys), *text = jget(v, "arguments_text");
    if (jis(text, J_STRING))
        call->arguments = text->text;
    else if (jis(jget(v, "parse_error"), J_STRING) && jis(arguments, J_STRING))
        call->arguments = arguments->text;
    else
        chat_arguments(b->a, call, arguments, &meta);
    if (jis(jget(v, "parse_error"), J_STRING))
        call->parse_error = jget(v, "parse_error")->text;
    meta_rest(&meta, inner, known_in_function);
    if (!item) {
        if (jis(type, J_STRING) && !slice_is(type->text, "function") && !slice_is(type->text, "tool_use"))
            meta_value(&meta, "type", type);
        meta_rest(&meta, v, known);
        meta_repaired(&meta, v, NULL);
    }
    call->metadata = meta_end(&meta, b->a);
}

/* ---- images and other binary parts ------------------------------------------------------------------------------------- */

/* Bytes of base64 text, in the arena; absent where it is none. */
static struct slice decode(struct arena *a, struct slice text)
{
    static const int variants[] = {sodium_base64_VARIANT_ORIGINAL, sodium_base64_VARIANT_ORIGINAL_NO_PADDING, sodium_base64_VARIANT_URLSAFE,
                                   sodium_base64_VARIANT_URLSAFE_NO_PADDING};
    size_t room = text.len / 4 * 3 + 3, n;
    unsigned char *bytes = arena_alloc(a, room);
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++)
        if (sodium_base642bin(bytes, room, text.ptr, text.len, "\r\n ", &n, NULL, variants[i]) == 0)
            return slice_of((const char *)bytes, n);
    return SLICE_NONE;
}

static void add_blob(struct building *b, struct slice media_type, struct slice url, struct slice base64)
{
    struct blob blob = {.media_type = media_type, .url = url};
    if (slice_starts(url, "data:")) {
        ptrdiff_t comma = slice_find(url, slice_str(","));
        struct slice head = slice_sub(url, 5, comma < 0 ? 0 : (size_t)comma - 5);
        if (slice_ends(head, ";base64")) {
            ptrdiff_t semicolon = slice_find(head, slice_str(";"));
            base64 = slice_sub(url, (size_t)comma + 1, url.len);
            if (semicolon > 0)
                blob.media_type = slice_sub(head, 0, (size_t)semicolon);
        }
    }
    if (base64.ptr && (blob.bytes = decode(b->a, base64)).ptr) {
        blob.url = SLICE_NONE;
        blob.size = blob.bytes.len;
        sha256_of(blob.bytes, blob.sha256);
    } else if (!url.ptr) {
        blob.url = base64;
    }
    if (!blob.url.ptr && !blob.bytes.ptr)
        return;
    b->m->blobs = arena_grow(b->a, b->m->blobs, b->m->nblobs, &b->blobs_cap, sizeof *b->m->blobs);
    b->m->blobs[b->m->nblobs++] = blob;
}

/* Of our own export: {"sha256", "media_type", "size", "url"}; the bytes stand on a line of their own. */
static void read_blob_reference(struct building *b, const struct jvalue *v)
{
    struct blob blob = {.media_type = jstr(jget(v, "media_type"))};
    struct slice hex = jstr(jget(v, "sha256"));
    int64_t size;
    size_t n;
    if (hex.len == 2 * SHA256_SIZE && sodium_hex2bin(blob.sha256, SHA256_SIZE, hex.ptr, hex.len, NULL, &n, NULL) == 0 && n == SHA256_SIZE)
        blob.size = jint(jget(v, "size"), &size) && size > 0 ? (uint64_t)size : 0;
    else
        blob.url = jstr(jget(v, "url"));
    b->m->blobs = arena_grow(b->a, b->m->blobs, b->m->nblobs, &b->blobs_cap, sizeof *b->m->blobs);
    b->m->blobs[b->m->nblobs++] = blob;
}

/* ---- content parts ----------------------------------------------------------------------------------------------------- */

enum part_kind { PART_OTHER, PART_TEXT, PART_REASONING, PART_REFUSAL, PART_BLOB, PART_CALL, PART_RESULT };

static enum part_kind part_kind(const struct jvalue *part)
{
    static const struct { const char *type; enum part_kind kind; } kinds[] = {
        {"text", PART_TEXT}, {"input_text", PART_TEXT}, {"output_text", PART_TEXT}, {"summary_text", PART_TEXT},
        {"reasoning", PART_REASONING}, {"thinking", PART_REASONING}, {"reasoning_text", PART_REASONING}, {"refusal", PART_REFUSAL},
        {"image_url", PART_BLOB}, {"image", PART_BLOB}, {"input_image", PART_BLOB}, {"input_audio", PART_BLOB}, {"audio", PART_BLOB},
        {"video", PART_BLOB}, {"file", PART_BLOB}, {"input_file", PART_BLOB}, {"document", PART_BLOB},
        {"tool_call", PART_CALL}, {"tool_result", PART_RESULT},
    };
    struct slice type = jstr(jget(part, "type"));
    if (!type.ptr)
        return jis(jget(part, "text"), J_STRING) ? PART_TEXT : PART_OTHER;
    if (slice_is(type, "tool_use")) /* Inspect has a part of that name for what the provider's side did */
        return jget(part, "tool_type") ? PART_OTHER : PART_CALL;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (slice_is(type, kinds[i].type))
            return kinds[i].kind;
    return PART_OTHER;
}

/* {"image_url": {"url"}}, {"image": URL}, {"source": {"media_type", "data"}}, {"input_audio": {"data", "format"}}, {"file": {…}} */
static bool read_blob(struct building *b, const struct jvalue *part)
{
    static const char *const holders[] = {"image_url", "image", "input_audio", "audio", "video", "file", "document", "source", NULL};
    static const char *const urls[] = {"url", "file_data", NULL}, *const types[] = {"media_type", "mime_type", "format", NULL};
    const struct jvalue *holder = fmt_first(part, holders);
    size_t before = b->m->nblobs;
    if (jis(holder, J_STRING)) {
        struct slice format = jstr(fmt_first(part, types));
        if (slice_starts(holder->text, "data:") || slice_find(holder->text, slice_str("://")) >= 0 || holder->text.len < 256)
            add_blob(b, format, holder->text, SLICE_NONE);
        else
            add_blob(b, format, SLICE_NONE, holder->text);
    } else if (jis(holder, J_OBJECT)) {
        struct slice type = jstr(fmt_first(holder, types));
        if (jget(part, "input_audio") && type.ptr)
            type = arena_printf(b->a, "audio/%.*s", SLICE_ARG(type));
        add_blob(b, type, jstr(fmt_first(holder, urls)), jstr(jget(holder, "data")));
    }
    return b->m->nblobs > before;
}

/* What a part holds beside what was read. */
static void keep_part(struct building *b, const struct jvalue *part, const char *const known[])
{
    struct meta rest = META_INIT;
    meta_rest(&rest, part, known);
    if (!rest.out.len)
        return;
    meta_value(&rest, "type", jget(part, "type"));
    str_addc(&b->parts, b->parts.len ? ',' : '[');
    str_add_slice(&b->parts, str_slice(&rest.out));
    str_addc(&b->parts, '}');
    str_free(&rest.out);
}

static void read_result(struct building *b, const struct jvalue *part);

static void read_part(struct building *b, const struct jvalue *part)
{
    static const char *const text_known[] = {"type", "text", NULL}, *const reasoning_known[] = {"type", "reasoning", "thinking", "text", NULL};
    static const char *const refusal_known[] = {"type", "refusal", NULL};
    static const char *const blob_known[] = {"type", "image_url", "image", "input_audio", "audio", "video", "file", "document", "source", "format",
                                             "mime_type", NULL};
    static const char *const reasonings[] = {"reasoning", "thinking", "text", NULL};
    if (jis(part, J_STRING)) {
        add_text(b, part->text);
        return;
    }
    switch (jis(part, J_OBJECT) ? part_kind(part) : PART_OTHER) {
    case PART_TEXT:
        add_text(b, fmt_string(b->a, jget(part, "text")));
        keep_part(b, part, text_known);
        return;
    case PART_REASONING:
        add_reasoning(b, fmt_string(b->a, fmt_first(part, reasonings)));
        keep_part(b, part, reasoning_known);
        return;
    case PART_REFUSAL:
        add_text(b, fmt_string(b->a, jget(part, "refusal")));
        keep_part(b, part, refusal_known);
        return;
    case PART_BLOB:
        if (read_blob(b, part)) {
            keep_part(b, part, blob_known);
            return;
        }
        break;
    case PART_CALL: read_call(b, part, false); return;
    case PART_RESULT: read_result(b, part); return;
    case PART_OTHER: break;
    }
    if (part->type == J_NULL)
        return;
    str_addc(&b->parts, b->parts.len ? ',' : '[');
    jwrite(&b->parts, part);
}

static void read_content(struct building *b, const struct jvalue *content)
{
    if (!content || content->type == J_NULL)
        return;
    if (content->type != J_ARRAY) {
        if (jis(content, J_OBJECT) && part_kind(content) != PART_OTHER)
            read_part(b, content);
        else
            add_text(b, fmt_string(b->a, content));
        return;
    }
    for (size_t i = 0; i < content->n; i++)
        read_part(b, &content->items[i]);
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

static void read_usage(struct building *b, const struct jvalue *usage)
{
    static const char *const in[] = {"input_tokens", "prompt_tokens", NULL}, *const out[] = {"output_tokens", "completion_tokens", NULL};
    static const char *const known[] = {"input_tokens", "prompt_tokens", "output_tokens", "completion_tokens", "total_tokens", NULL};
    if (!jis(usage, J_OBJECT)) {
        meta_value(&b->meta, "usage", usage);
        return;
    }
    b->m->tokens_in = fmt_count(fmt_first(usage, in));
    b->m->tokens_out = fmt_count(fmt_first(usage, out));
    struct meta rest = META_INIT;
    meta_rest(&rest, usage, known);
    meta_json(&b->meta, "usage", meta_end(&rest, b->a));
}

/* What every message has, whatever its role. */
static void read_common(struct building *b)
{
    struct message *m = b->m;
    const struct jvalue *const *f = b->f;
    if (f[F_TIME] && !fmt_time(b->a, f[F_TIME], &m->timestamp))
        meta_value(&b->meta, "timestamp", f[F_TIME]);
    m->model = jstr(f[F_MODEL]);
    m->finish_reason = jstr(f[F_FINISH]);
    m->duration_ms = fmt_count(f[F_DURATION]);
    if (f[F_USAGE])
        read_usage(b, f[F_USAGE]);
    if (f[F_TOKENS_IN])
        m->tokens_in = fmt_count(f[F_TOKENS_IN]);
    if (f[F_TOKENS_OUT])
        m->tokens_out = fmt_count(f[F_TOKENS_OUT]);
    read_error(b, f[F_ERROR]);
    for (size_t i = 0; jis(f[F_BLOBS], J_ARRAY) && i < f[F_BLOBS]->n; i++)
        read_blob_reference(b, &f[F_BLOBS]->items[i]);
}

static void finish(struct building *b)
{
    b->m->text = join(b->a, b->texts, b->ntexts);
    b->m->reasoning = join(b->a, b->reasonings, b->nreasonings);
    if (b->parts.len) {
        str_addc(&b->parts, ']');
        meta_json(&b->meta, "parts", str_slice(&b->parts));
    }
    str_free(&b->parts);
    b->m->metadata = meta_end(&b->meta, b->a);
}

/* A part that answers a call: it is what the message says, or the message is finished as far as it goes and the answer
 * becomes one of its own. */
static void read_result(struct building *b, const struct jvalue *part)
{
    static const char *const ids[] = {"tool_use_id", "tool_call_id", "call_id", "id", NULL}, *const contents[] = {"content", "output", "result", NULL};
    static const char *const known[] = {"type", "tool_use_id", "tool_call_id", "call_id", "id", "content", "output", "result", "is_error", "name", NULL};
    bool first = !b->ntexts && !b->nreasonings && !b->m->ncalls && !b->m->nblobs && !b->parts.len && !b->m->tool_call_id.ptr;
    if (!first) {
        struct slice time = b->m->timestamp;
        finish(b);
        b->m = messages_add(b->a, b->list);
        b->m->timestamp = time;
        b->ntexts = b->nreasonings = b->calls_cap = b->blobs_cap = 0;
        b->texts = b->reasonings = NULL;
        b->texts_cap = b->reasonings_cap = 0;
        b->meta = META_INIT;
        b->parts = STR_INIT(b->parts.max);
    }
    b->m->role = ROLE_TOOL;
    b->m->tool_call_id = jtext(fmt_first(part, ids));
    b->m->tool_name = jstr(jget(part, "name"));
    read_content(b, fmt_first(part, contents));
    bool wrong;
    if (jbool(jget(part, "is_error"), &wrong) && wrong)
        b->m->error = b->ntexts ? join(b->a, b->texts, b->ntexts) : slice_str("is_error");
    keep_part(b, part, known);
}

/* The items of the Responses API, and of loggers that write one line a call: {"type": "function_call", "name", "arguments"} … */
enum item { ITEM_MESSAGE, ITEM_CALL, ITEM_RESULT, ITEM_REASONING, ITEM_ERROR };

static bool item_of(struct slice type, enum item *item)
{
    static const struct { const char *type; enum item item; } items[] = {
        {"message", ITEM_MESSAGE}, {"function_call", ITEM_CALL}, {"tool_call", ITEM_CALL}, {"custom_tool_call", ITEM_CALL},
        {"function_call_output", ITEM_RESULT}, {"tool_result", ITEM_RESULT}, {"custom_tool_call_output", ITEM_RESULT},
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
    static const char *const said[] = {"content", "tool_calls", "text", "reasoning", "reasoning_content", "function_call", "refusal", NULL};
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
static enum item read_role(struct building *b)
{
    const struct jvalue *const *f = b->f;
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
static void read_tool_fields(struct building *b, enum item item, const struct jvalue *v)
{
    const struct jvalue *const *f = b->f;
    struct message *m = b->m;
    if (item == ITEM_CALL) {
        read_call(b, v, true);
        return;
    }
    if (f[F_TOOL_NAME])
        m->tool_name = jstr(f[F_TOOL_NAME]);
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

static void read_calls(struct building *b)
{
    const struct jvalue *const *f = b->f;
    if (jis(f[F_CALLS], J_ARRAY)) {
        for (size_t i = 0; i < f[F_CALLS]->n; i++)
            read_call(b, &f[F_CALLS]->items[i], false);
    } else {
        meta_value(&b->meta, "tool_calls", f[F_CALLS]);
    }
    if (f[F_CALL])
        read_call(b, f[F_CALL], false);
}

static void read_texts(struct building *b, enum item item)
{
    const struct jvalue *const *f = b->f;
    if (jis(f[F_REASONING], J_STRING))
        add_reasoning(b, f[F_REASONING]->text);
    else
        meta_value(&b->meta, "reasoning", f[F_REASONING]);
    if (item == ITEM_REASONING && jis(f[F_SUMMARY], J_ARRAY)) {
        for (size_t i = 0; i < f[F_SUMMARY]->n; i++)
            add_reasoning(b, jstr(jget(&f[F_SUMMARY]->items[i], "text")));
    } else {
        meta_value(&b->meta, "summary", f[F_SUMMARY]);
    }
    read_content(b, f[F_CONTENT]);
    add_text(b, fmt_string(b->a, f[F_TEXT]));
    if (item == ITEM_RESULT || b->m->role == ROLE_TOOL)
        read_content(b, f[F_OUTPUT]);
    else
        meta_value(&b->meta, "output", f[F_OUTPUT]);
    struct slice refusal = jstr(f[F_REFUSAL]);
    if (refusal.ptr && refusal.len) {
        add_text(b, refusal);
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
    struct building b = {.a = a, .list = list, .m = messages_add(a, list), .meta = META_INIT, .parts = STR_INIT(META_INIT.out.max)};
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
        if (field < FIELD_COUNT && !b.f[field])
            b.f[field] = item;
        else /* a key of its own, or a second name for the same thing */
            jwrite(meta_key(&b.meta, v->keys[i]), item);
    }
    enum item item = read_role(&b);
    read_common(&b);
    read_tool_fields(&b, item, v);
    read_calls(&b);
    read_texts(&b, item);
    if (v->repaired)
        meta_repaired(&b.meta, v, "tool_calls");
    finish(&b);
}

void chat_messages(struct arena *a, struct messages *list, const struct jvalue *array, struct meta *other)
{
    size_t others = 0;
    for (size_t i = 0; jis(array, J_ARRAY) && i < array->n; i++) {
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
