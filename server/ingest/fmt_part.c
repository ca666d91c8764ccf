#include "ingest/fmt_part.h"

#include "base/base64.h"
#include "base/hash.h"

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
    if (b->m->ncalls <= RUN_ITEMS) {
        b->m->calls = arena_grow(b->a, b->m->calls, b->m->ncalls, &b->calls_cap, sizeof *b->m->calls);
        b->m->ncalls++;
    }
    return &b->m->calls[b->m->ncalls - 1];
}

void part_call(struct building *b, const struct jvalue *v, bool item)
{
    static const char *const id_keys[] = {"call_id", "tool_call_id", "id", "toolUseId", NULL};
    static const char *const argument_keys[] = {"arguments", "args", "input", NULL};
    static const char *const known[] = {"id", "call_id", "tool_call_id", "toolUseId", "type", "function", "name", "arguments", "args", "input",
                                        "parse_error", "metadata", "position", NULL};
    static const char *const known_in_function[] = {"name", "arguments", NULL};
    if (!jis(v, J_OBJECT)) {
        meta_value(&b->meta, "tool_call", v);
        return;
    }
    struct tool_call *call = add_call(b);
    const struct jvalue *function = jget(v, "function"), *inner = jis(function, J_OBJECT) ? function : NULL, *type = jget(v, "type");
    struct meta meta = META_INIT;
    const struct jvalue *id = fmt_first(v, id_keys), *name = inner ? jget(inner, "name") : jis(function, J_STRING) ? function : jget(v, "name");
    const struct jvalue *arguments = jget(inner, "arguments") ? jget(inner, "arguments") : fmt_first(v, argument_keys), *wrong = jget(v, "parse_error");
    call->call_id = jtext(id);
    call->name = fmt_string(b->a, name);
    if (!item)
        meta_own(&meta, jget(v, "metadata"));
    if (jis(wrong, J_STRING) && jis(arguments, J_STRING))
        call->arguments = arguments->text;
    else
        chat_arguments(b->a, call, arguments, &meta);
    if (wrong && wrong->type != J_NULL)
        call->parse_error = fmt_string(b->a, wrong);
    meta_rest(&meta, inner, known_in_function);
    if (!item) {
        if (jis(type, J_STRING) && !slice_is(type->text, "function") && !slice_is(type->text, "tool_use") && !slice_is(type->text, "toolCall"))
            meta_value(&meta, "type", type);
        meta_value(&meta, "id", id == jget(v, "id") && call->call_id.ptr ? NULL : jget(v, "id"));
        meta_rest(&meta, v, known);
        meta_repaired(&meta, v, NULL);
    }
    call->metadata = meta_end(&meta, b->a);
}

/* ---- images and other binary parts ------------------------------------------------------------------------------------- */

static struct blob *add_one_blob(struct building *b)
{
    if (b->m->nblobs <= RUN_ITEMS) {
        b->m->blobs = arena_grow(b->a, b->m->blobs, b->m->nblobs, &b->blobs_cap, sizeof *b->m->blobs);
        b->m->nblobs++;
    }
    return &b->m->blobs[b->m->nblobs - 1];
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
    if (base64.ptr && (blob.bytes = base64_read(b->a, base64)).ptr) {
        blob.url = SLICE_NONE;
        blob.size = blob.bytes.len;
        sha256_of(blob.bytes, blob.sha256);
    } else if (!url.ptr) {
        blob.url = base64;
    }
    if (!blob.url.ptr && !blob.bytes.ptr)
        return;
    *add_one_blob(b) = blob;
}

void building_image(struct building *b, struct slice url) { add_blob(b, SLICE_NONE, url, SLICE_NONE); }

void building_blob(struct building *b, struct slice media_type, struct slice url) { add_blob(b, media_type, url, SLICE_NONE); }

void part_blob_reference(struct building *b, const struct jvalue *v)
{
    struct blob blob = {.media_type = jstr(jget(v, "media_type")), .url = jstr(jget(v, "url"))};
    int64_t size;
    if (hash_unhex(jstr(jget(v, "sha256")), blob.sha256, SHA256_SIZE) && jint(jget(v, "size"), &size) && size > 0)
        blob.size = (uint64_t)size;
    *add_one_blob(b) = blob;
}

/* ---- content parts ----------------------------------------------------------------------------------------------------- */

enum part_kind { PART_OTHER, PART_TEXT, PART_REASONING, PART_REFUSAL, PART_BLOB, PART_CALL, PART_RESULT };

/* Parts that say by a member what they are: Gemini's (in both spellings) and Bedrock's. */
static const struct { const char *key; enum part_kind kind; } keyed[] = {
    {"functionCall", PART_CALL}, {"function_call", PART_CALL}, {"toolUse", PART_CALL}, {"toolCall", PART_CALL},
    {"executableCode", PART_CALL}, {"executable_code", PART_CALL}, {"functionResponse", PART_RESULT},
    {"function_response", PART_RESULT}, {"toolResult", PART_RESULT}, {"toolResponse", PART_RESULT},
    {"codeExecutionResult", PART_RESULT}, {"code_execution_result", PART_RESULT}, {"inlineData", PART_BLOB},
    {"inline_data", PART_BLOB}, {"fileData", PART_BLOB}, {"file_data", PART_BLOB}, {"image", PART_BLOB}, {"document", PART_BLOB},
    {"video", PART_BLOB}, {"reasoningContent", PART_REASONING}, {"guardContent", PART_TEXT}, {"json", PART_TEXT},
};

/* What a part is; `inner` is the object that holds what it says, and `key` its name, where that is a member of it. */
static enum part_kind part_kind(const struct jvalue *part, const struct jvalue **inner, const char **key)
{
    static const struct { const char *type; enum part_kind kind; } kinds[] = {
        {"text", PART_TEXT}, {"input_text", PART_TEXT}, {"output_text", PART_TEXT}, {"summary_text", PART_TEXT},
        {"reasoning", PART_REASONING}, {"thinking", PART_REASONING}, {"reasoning_text", PART_REASONING}, {"refusal", PART_REFUSAL},
        {"think", PART_REASONING},
        {"image_url", PART_BLOB}, {"image", PART_BLOB}, {"input_image", PART_BLOB}, {"input_audio", PART_BLOB}, {"audio", PART_BLOB},
        {"video", PART_BLOB}, {"video_url", PART_BLOB}, {"file", PART_BLOB}, {"input_file", PART_BLOB}, {"document", PART_BLOB},
        {"document_url", PART_BLOB}, {"computer_screenshot", PART_BLOB}, {"image_file", PART_BLOB}, {"tool_call", PART_CALL}, {"toolCall", PART_CALL},
        {"tool_result", PART_RESULT}, {"server_tool_use", PART_CALL}, {"mcp_tool_use", PART_CALL},
    };
    struct slice type = jstr(jget(part, "type"));
    *inner = part;
    *key = NULL;
    for (size_t i = 0; !type.ptr && i < sizeof keyed / sizeof *keyed; i++)
        if (jis(jget(part, keyed[i].key), J_OBJECT) && (keyed[i].kind != PART_TEXT || part->n == 1)) {
            *key = keyed[i].key;
            *inner = jget(part, *key);
            return keyed[i].kind;
        }
    if (!type.ptr) {
        bool thought;
        if (!jis(jget(part, "text"), J_STRING))
            return PART_OTHER;
        return jbool(jget(part, "thought"), &thought) && thought ? PART_REASONING : PART_TEXT;
    }
    if (slice_is(type, "tool_use")) /* Inspect has a part of that name for what the provider's side did */
        return jget(part, "tool_type") ? PART_OTHER : PART_CALL;
    if (slice_ends(type, "_tool_result")) /* of Anthropic's own tools: web_search_tool_result … */
        return PART_RESULT;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (slice_is(type, kinds[i].type))
            return kinds[i].kind;
    return PART_OTHER;
}

static const char *const blob_holders[] = {"image_url", "image_file", "imageUrl", "image", "input_audio", "audio", "video", "video_url", "file", "document",
                                          "document_url", "source", "inlineData", "inline_data", "fileData", "file_data", NULL};
static const char *const blob_urls[] = {"url", "file_data", "fileUri", "file_uri", "uri", "file_id", "path", NULL};
static const char *const blob_types[] = {"media_type", "mime_type", "mimeType", "format", NULL};

/* {"image_url": {"url"}}, {"image": URL}, {"source": {"media_type", "data"}}, {"input_audio": {"data", "format"}}, {"file": {…}},
 * {"inlineData": {"mimeType", "data"}}, {"image": {"format", "source": {"bytes"}}}, and as MCP has it {"data", "mimeType"} */
static bool read_blob(struct building *b, const struct jvalue *part)
{
    static const char *const datas[] = {"data", "bytes", NULL}, *const bare_urls[] = {"file_url", "file_data", "file_id", "url", NULL};
    const struct jvalue *holder = fmt_first(part, blob_holders);
    size_t before = b->m->nblobs;
    if (!holder || jis(jget(part, "file_data"), J_STRING))
        holder = fmt_first(part, bare_urls);
    if (jis(holder, J_STRING)) {
        struct slice format = jstr(fmt_first(part, blob_types));
        if (slice_starts(holder->text, "data:") || slice_find(holder->text, slice_str("://")) >= 0 || holder->text.len < 256)
            add_blob(b, format, holder->text, SLICE_NONE);
        else
            add_blob(b, format, SLICE_NONE, holder->text);
    } else if (jis(holder, J_OBJECT)) {
        struct slice type = jstr(fmt_first(holder, blob_types));
        const struct jvalue *source = jis(jget(holder, "source"), J_OBJECT) ? jget(holder, "source") : holder;
        if (slice_is(jstr(jget(source, "type")), "text")) {
            building_text(b, jstr(jget(source, "data")));
            return true;
        }
        if (jis(jget(source, "s3Location"), J_OBJECT))
            source = jget(source, "s3Location");
        if (jget(part, "input_audio") && type.ptr)
            type = arena_printf(b->a, "audio/%.*s", SLICE_ARG(type));
        else if (source != holder && type.ptr && slice_find(type, slice_str("/")) < 0)
            type = arena_printf(b->a, "%s/%.*s", jget(part, "image") ? "image" : jget(part, "video") ? "video" : "application",
                                SLICE_ARG(type));
        add_blob(b, type, jstr(fmt_first(source, blob_urls)), jstr(fmt_first(source, datas)));
    } else {
        add_blob(b, jstr(fmt_first(part, blob_types)), SLICE_NONE, jstr(jget(part, "data")));
    }
    return b->m->nblobs > before;
}

/* What a part holds beside what was read, and what `inner`, its member `key` (NULL: none), holds beside what is known of that. */
static void keep_part(struct building *b, const struct jvalue *part, const char *const known[], const char *key,
                      const struct jvalue *inner, const char *const known_inner[])
{
    struct meta rest = META_INIT, below = META_INIT;
    meta_rest(&rest, part, known);
    if (key)
        meta_rest(&below, inner, known_inner);
    struct slice left = meta_end(&below, b->a);
    meta_json(&rest, key, left);
    if (!rest.out.len)
        return;
    meta_value(&rest, "type", jget(part, "type"));
    str_addc(&b->parts, b->parts.len ? ',' : '[');
    str_add_slice(&b->parts, str_slice(&rest.out));
    str_addc(&b->parts, '}');
    str_free(&rest.out);
}

/* Ends the message and goes on with another, of the same time. */
static void next_message(struct building *b, enum role role)
{
    struct slice time = b->m->timestamp;
    building_finish(b);
    b->m = messages_add(b->a, b->list);
    b->m->role = role;
    b->m->timestamp = time;
    b->text = b->reasoning = (struct texts){0};
    b->calls_cap = b->blobs_cap = 0;
    b->answered = false;
}

/* The text of {"output": "…"}, {"result": "…"} or {"error": "…"}, as Gemini's function responses mostly are; else NULL. */
static const struct jvalue *only_text(const struct jvalue *response)
{
    static const char *const names[] = {"output", "result", "error", NULL};
    const struct jvalue *text = jis(response, J_OBJECT) && response->n == 1 ? fmt_first(response, names) : NULL;
    return jis(text, J_STRING) ? text : NULL;
}

/* A part that answers a call is a tool's message of its own. */
static void read_result(struct building *b, const struct jvalue *part, const char *key, const struct jvalue *inner)
{
    static const char *const ids[] = {"tool_use_id", "tool_call_id", "call_id", "id", "toolUseId", NULL};
    static const char *const contents[] = {"content", "output", "result", "response", NULL}, *const names[] = {"name", "toolType", NULL};
    static const char *const known[] = {"type", "tool_use_id", "tool_call_id", "call_id", "id", "toolUseId", "content", "output", "result",
                                        "response", "is_error", "name", "toolType", NULL};
    const char *const holder[] = {key, NULL};
    const struct jvalue *content = fmt_first(inner, contents), *said = jget(content, "error");
    if (b->answered || b->text.n || b->reasoning.n || b->m->ncalls || b->m->nblobs || b->parts.len)
        next_message(b, ROLE_TOOL);
    b->m->role = ROLE_TOOL;
    b->m->tool_call_id = jtext(fmt_first(inner, ids));
    b->m->tool_name = jstr(fmt_first(inner, names));
    if (key && jis(content, J_OBJECT)) /* what a function returns, whatever its members are called */
        building_text(b, only_text(content) ? only_text(content)->text : jraw(b->a, content));
    else
        part_output(b, content);
    bool wrong;
    if ((jbool(jget(inner, "is_error"), &wrong) && wrong) || slice_is(jstr(jget(inner, "status")), "error"))
        building_fail(b);
    else if (key && jis(said, J_STRING))
        b->m->error = said->text;
    if (key)
        keep_part(b, part, holder, key, inner, known);
    else
        keep_part(b, part, known, NULL, NULL, NULL);
    b->answered = true;
}

/* {"functionCall": {…}, "thoughtSignature": …}: what stands beside the call is said of it. */
static void read_call(struct building *b, const struct jvalue *part, const char *key, const struct jvalue *inner)
{
    const char *const holder[] = {key, NULL};
    part_call(b, inner, false);
    if (!key)
        return;
    struct tool_call *call = &b->m->calls[b->m->ncalls - 1];
    struct meta meta = meta_resume(call->metadata);
    if (jis(jget(inner, "code"), J_STRING) && !call->name.ptr) {
        call->name = slice_str("code_execution");
        call->arguments = jraw(b->a, inner);
        str_free(&meta.out);
        meta = META_INIT;
    } else if (!call->name.ptr) {
        call->name = jstr(jget(inner, "toolType"));
    }
    meta_rest(&meta, part, holder);
    call->metadata = meta_end(&meta, b->a);
}

static void read_text(struct building *b, const struct jvalue *part, const char *key)
{
    static const char *const known[] = {"type", "text", NULL}, *const known_value[] = {"value", NULL};
    const struct jvalue *text = jget(part, "text"), *value = jget(text, "value");
    if (!key && jis(value, J_STRING)) { /* of OpenAI's threads: {"value", "annotations"} */
        building_text(b, value->text);
        keep_part(b, part, known, "text", text, known_value);
    } else if (!key) {
        building_text(b, fmt_string(b->a, text));
        keep_part(b, part, known, NULL, NULL, NULL);
    } else {
        const struct jvalue *guarded = jpath(part, "guardContent", "text", "text", NULL);
        building_text(b, fmt_string(b->a, guarded ? guarded : jget(part, key)));
        if (guarded)
            keep_part(b, part, known, NULL, NULL, NULL);
    }
}

static void read_reasoning(struct building *b, const struct jvalue *part, const char *key)
{
    static const char *const known[] = {"type", "reasoning", "thinking", "think", "text", "thought", NULL}, *const known_inner[] = {"text", NULL};
    static const char *const reasonings[] = {"reasoning", "thinking", "think", "text", NULL}, *const redacted_known[] = {"type", "summary", NULL};
    const char *const holder[] = {key, NULL};
    const struct jvalue *inner = jget(jget(part, key ? key : ""), "reasoningText"), *said = fmt_first(part, reasonings);
    if (key) {
        building_reasoning(b, jstr(jget(inner, "text")));
        keep_part(b, part, inner ? holder : known, inner ? key : NULL, inner, known_inner);
        return;
    }
    for (size_t i = 0; jis(said, J_ARRAY) && i < said->n; i++) /* Mistral's thinking is a list of text parts */
        building_reasoning(b, fmt_string(b->a, jis(jget(&said->items[i], "text"), J_STRING) ? jget(&said->items[i], "text") : &said->items[i]));
    bool redacted = false;
    if (jbool(jget(part, "redacted"), &redacted) && redacted) { /* its reasoning is only a cipher */
        building_reasoning(b, jstr(jget(part, "summary")));
        keep_part(b, part, redacted_known, NULL, NULL, NULL);
        return;
    }
    if (!jis(said, J_ARRAY))
        building_reasoning(b, fmt_string(b->a, said));
    keep_part(b, part, known, NULL, NULL, NULL);
}

static bool read_binary(struct building *b, const struct jvalue *part)
{
    static const char *const known[] = {"type", "image_url", "image_file", "imageUrl", "image", "input_audio", "audio", "video", "video_url", "file", "document",
                                        "document_url", "source", "inlineData", "inline_data", "fileData", "file_data", "file_url", "file_id",
                                        "url", "format", "media_type", "mime_type", "mimeType", "data", NULL};
    static const char *const known_inner[] = {"url", "file_data", "fileUri", "file_uri", "uri", "file_id", "path", "media_type", "mime_type", "mimeType",
                                              "format", "data", "bytes", "source", "type", NULL};
    if (!read_blob(b, part))
        return false;
    for (size_t i = 0; blob_holders[i]; i++)
        if (jis(jget(part, blob_holders[i]), J_OBJECT)) {
            keep_part(b, part, known, blob_holders[i], jget(part, blob_holders[i]), known_inner);
            return true;
        }
    keep_part(b, part, known, NULL, NULL, NULL);
    return true;
}

static void read_part(struct building *b, const struct jvalue *part)
{
    static const char *const refusal_known[] = {"type", "refusal", NULL};
    const struct jvalue *inner = part;
    const char *key = NULL;
    enum part_kind kind = jis(part, J_OBJECT) ? part_kind(part, &inner, &key) : PART_OTHER;
    if (b->answered && kind != PART_RESULT && part->type != J_NULL)
        next_message(b, b->role);
    if (jis(part, J_STRING)) {
        building_text(b, part->text);
        return;
    }
    switch (kind) {
    case PART_TEXT: read_text(b, part, key); return;
    case PART_REASONING: read_reasoning(b, part, key); return;
    case PART_REFUSAL:
        building_text(b, fmt_string(b->a, jget(part, "refusal")));
        keep_part(b, part, refusal_known, NULL, NULL, NULL);
        return;
    case PART_BLOB:
        if (read_binary(b, part))
            return;
        break;
    case PART_CALL: read_call(b, part, key, inner); return;
    case PART_RESULT: read_result(b, part, key, inner); return;
    case PART_OTHER: break;
    }
    bool empty = part->type == J_NULL || part->type == J_OBJECT; /* Gemini's parts may have every member, all of them null */
    for (size_t i = 0; part->type == J_OBJECT && empty && i < part->n; i++)
        empty = part->items[i].type == J_NULL;
    if (empty)
        return;
    str_addc(&b->parts, b->parts.len ? ',' : '[');
    jwrite(&b->parts, part);
}

void part_content(struct building *b, const struct jvalue *content)
{
    if (!content || content->type == J_NULL)
        return;
    if (content->type != J_ARRAY) {
        const struct jvalue *inner;
        const char *key;
        if (jis(content, J_OBJECT) && part_kind(content, &inner, &key) != PART_OTHER && !key)
            read_part(b, content);
        else
            building_text(b, fmt_string(b->a, content));
        return;
    }
    for (size_t i = 0; i < content->n; i++)
        read_part(b, &content->items[i]);
}

void part_output(struct building *b, const struct jvalue *output)
{
    bool parts = !jis(output, J_ARRAY) || !output->n;
    const struct jvalue *inner;
    const char *key;
    for (size_t i = 0; !parts && i < output->n; i++)
        parts = jis(&output->items[i], J_STRING) || (jis(&output->items[i], J_OBJECT) && part_kind(&output->items[i], &inner, &key) != PART_OTHER);
    if (parts)
        part_content(b, output);
    else
        building_text(b, jraw(b->a, output));
}
