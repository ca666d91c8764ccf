/* Cline, in its three ways of keeping a session.
 *
 * 1. {"version", "sessionId", "agent", "updated_at", "system_prompt", "messages": [{"id", "role", "content", "ts", "modelInfo", "metrics"}]}, the
 *    content as Anthropic's API has it. Beside NAME.messages.json stands NAME.json, which says how the session went: {"session_id",
 *    "started_at", "ended_at", "status", "exit_code", "model", …}.
 * 2. A task's folder of the editor's extension, Roo Code's too: api_conversation_history.json (the messages that were sent), ui_messages.json
 *    (what was shown, and in it what each request cost), task_metadata.json or history_item.json.
 * 3. ui_messages.json alone: [{"ts", "type": say | ask, "say" or "ask": KIND, "text", "images"}], in fmt_cline_ui.c. */
#include "ingest/fmt_cline.h"

static bool is_session(const struct jvalue *v)
{
    return jis(jget(v, "messages"), J_ARRAY) && jis(jget(v, "sessionId"), J_STRING) && !jget(v, "projectHash") &&
           (jget(v, "system_prompt") || jget(v, "systemPrompt") || jget(v, "agent") || jget(v, "updated_at"));
}

static bool is_manifest(const struct jvalue *v)
{
    return jis(jget(v, "session_id"), J_STRING) && jget(v, "started_at") && jget(v, "status") && (jget(v, "messages_path") || jget(v, "enable_tools"));
}

/* What the extension puts around the words of its user. */
static bool is_from_extension(const struct jvalue *v)
{
    static const char *const marks[] = {"<environment_details>", "<task>", "<user_message>"};
    const struct jvalue *content = jget(v, "content");
    for (size_t i = 0; jis(content, J_ARRAY) && i < content->n; i++)
        for (size_t k = 0; k < sizeof marks / sizeof *marks; k++)
            if (slice_starts(slice_trim(jstr(jget(&content->items[i], "text"))), marks[k]))
                return true;
    return false;
}

static int probe(const struct sample *sample)
{
    size_t shown = 0;
    if (!sample->n)
        return 0;
    const struct jvalue *first = sample->records[0].value;
    if (sample->document && (is_session(first) || is_manifest(first)))
        return 92;
    if (!sample->array)
        return 0;
    for (size_t i = 0; i < sample->n; i++)
        shown += cline_is_shown(sample->records[i].value);
    return shown == sample->n ? 92 : slice_is(jstr(jget(first, "role")), "user") && is_from_extension(first) ? 85 : 0;
}

/* ---- messages ----------------------------------------------------------------------------------------------------------- */

/* A file that the user named is put before the model as text: {"type": "file", "path", "content"}. */
static struct jvalue file_as_text(struct arena *a, const struct jvalue *part)
{
    struct jvalue text = *part;
    text.keys = arena_array(a, struct slice, part->n);
    text.items = arena_array(a, struct jvalue, part->n);
    for (size_t i = 0; i < part->n; i++) {
        bool content = slice_is(part->keys[i], "content"), type = slice_is(part->keys[i], "type");
        text.keys[i] = content ? slice_str("text") : part->keys[i];
        text.items[i] = type ? (struct jvalue){.type = J_STRING, .text = slice_str("text"), .raw = slice_str("\"text\"")} : part->items[i];
    }
    text.repaired = true; /* it has no bytes of its own */
    return text;
}

/* What a tool gives may be a list of anything, which is then its text as JSON. */
static struct jvalue list_as_text(struct arena *a, const struct jvalue *result)
{
    struct jvalue text = *result;
    text.items = arena_array(a, struct jvalue, result->n);
    for (size_t i = 0; i < result->n; i++)
        text.items[i] = slice_is(result->keys[i], "content") ? (struct jvalue){.type = J_STRING, .text = jraw(a, &result->items[i]), .repaired = true} : result->items[i];
    text.repaired = true;
    return text;
}

static bool is_plain_list(const struct jvalue *v)
{
    if (!jis(v, J_ARRAY) || !v->n)
        return false;
    for (size_t i = 0; i < v->n; i++)
        if (v->items[i].type == J_STRING || jget(&v->items[i], "type"))
            return false;
    return true;
}

/* Parts as the API would have them, in a copy of the content. */
static void read_parts(struct arena *a, struct jvalue *message)
{
    for (size_t i = 0; i < message->n; i++) {
        struct jvalue *content = &message->items[i];
        if (!slice_is(message->keys[i], "content") || content->type != J_ARRAY)
            continue;
        struct jvalue *parts = arena_array(a, struct jvalue, content->n);
        for (size_t k = 0; k < content->n; k++) {
            const struct jvalue *part = &content->items[k];
            struct slice type = jstr(jget(part, "type"));
            const struct jvalue *inner = jget(part, "content");
            if (slice_is(type, "file") && jis(inner, J_STRING) && !jget(part, "text"))
                parts[k] = file_as_text(a, part);
            else
                parts[k] = slice_is(type, "tool_result") && is_plain_list(inner) ? list_as_text(a, part) : *part;
        }
        content->items = parts;
    }
}

static void read_message(struct session *s, const struct jvalue *v)
{
    static const char *const apart[] = {"modelInfo", "metrics", NULL}, *const known_model[] = {"id", NULL};
    static const char *const known_metrics[] = {"inputTokens", "outputTokens", NULL};
    const struct jvalue *model = jget(v, "modelInfo"), *metrics = jget(v, "metrics");
    struct jvalue plain = fmt_without(s->a, v, apart);
    size_t first = s->list.n;
    read_parts(s->a, &plain);
    chat_message(s->a, &s->list, &plain);
    struct message *m = &s->list.items[first];
    struct meta meta = meta_resume(m->metadata), rest = META_INIT;
    if (jis(jget(model, "id"), J_STRING))
        m->model = jget(model, "id")->text;
    if (jis(model, J_OBJECT)) {
        meta_rest(&rest, model, m->model.ptr ? known_model : NULL);
        meta_json(&meta, "modelInfo", meta_end(&rest, s->a));
    } else {
        meta_value(&meta, "modelInfo", model);
    }
    if (jis(metrics, J_OBJECT)) {
        m->tokens_in = fmt_count_or(&rest, "inputTokens", jget(metrics, "inputTokens"));
        m->tokens_out = fmt_count_or(&rest, "outputTokens", jget(metrics, "outputTokens"));
        meta_rest(&rest, metrics, known_metrics);
        meta_json(&meta, "metrics", meta_end(&rest, s->a));
        session_cost(s, jget(metrics, "cost"));
    } else {
        meta_value(&meta, "metrics", metrics);
    }
    m->metadata = meta_end(&meta, s->a);
}

static void read_messages(struct session *s, const struct jvalue *list)
{
    for (size_t i = 0; jis(list, J_ARRAY) && i < list->n; i++) {
        if (list->items[i].type == J_OBJECT)
            read_message(s, &list->items[i]);
        else
            session_event(s, &list->items[i]);
    }
}

/* ---- 1. a session ------------------------------------------------------------------------------------------------------- */

static void read_session(struct session *s, const struct jvalue *v)
{
    static const char *const prompts[] = {"system_prompt", "systemPrompt", NULL};
    static const char *const known[] = {"sessionId", "messages", "agent", "updated_at", "system_prompt", "systemPrompt", NULL};
    const struct jvalue *prompt = fmt_first(v, prompts);
    s->run->external_id = jtext(jget(v, "sessionId"));
    s->run->agent = fmt_string(s->a, jget(v, "agent"));
    if (!s->run->ended_at.ptr && !fmt_time(s->a, jget(v, "updated_at"), &s->run->ended_at))
        meta_value(&s->meta, "updated_at", jget(v, "updated_at"));
    if (prompt) {
        struct message *m = messages_add(s->a, &s->list);
        m->role = ROLE_SYSTEM;
        m->text = fmt_string(s->a, prompt);
    }
    read_messages(s, jget(v, "messages"));
    meta_rest(&s->meta, v, known);
}

static void read_manifest(struct session *s, const struct jvalue *v)
{
    static const char *const known[] = {"session_id", "started_at", "ended_at", "status", "model", NULL};
    s->run->external_id = jtext(jget(v, "session_id"));
    s->run->name = jstr(jpath(v, "metadata", "title", NULL));
    if (!fmt_time(s->a, jget(v, "started_at"), &s->run->started_at))
        meta_value(&s->meta, "started_at", jget(v, "started_at"));
    if (!fmt_time(s->a, jget(v, "ended_at"), &s->run->ended_at))
        meta_value(&s->meta, "ended_at", jget(v, "ended_at"));
    s->run->exit_status = fmt_string(s->a, jget(v, "status"));
    s->chosen = fmt_string(s->a, jget(v, "model"));
    struct meta rest = META_INIT; /* its members are named as those of the messages' file: version, agent */
    meta_rest(&rest, v, known);
    meta_json(&s->meta, "session", meta_end(&rest, s->a));
}

/* ---- 2. a task's folder ------------------------------------------------------------------------------------------------- */

static void read_task(struct session *s, const struct jvalue *v)
{
    static const char *const known[] = {"id", "tokensIn", "tokensOut", "totalCost", "task", NULL};
    double cost;
    s->run->external_id = jtext(jget(v, "id"));
    s->run->name = jstr(jget(v, "task"));
    s->run->tokens_in = fmt_count(jget(v, "tokensIn"));
    s->run->tokens_out = fmt_count(jget(v, "tokensOut"));
    if (jnum(jget(v, "totalCost"), &cost))
        s->run->cost_usd = cost;
    struct meta rest = META_INIT;
    meta_rest(&rest, v, known);
    meta_json(&s->meta, "history_item", meta_end(&rest, s->a));
}

/* One of the files beside a main file, by its last name. */
static void read_companion(struct session *s, struct slice path, const struct jvalue *v, struct requests *requests)
{
    if (slice_ends(path, ".messages.json") && is_session(v)) {
        read_session(s, v);
    } else if (slice_is(path, "ui_messages.json") && jis(v, J_ARRAY)) {
        cline_requests(s->a, v, requests);
        meta_value(&s->meta, "ui_messages", v);
    } else if (slice_is(path, "history_item.json") && jis(v, J_OBJECT)) {
        read_task(s, v);
    } else {
        const struct jvalue *usage = jat(jget(v, "model_usage"), 0);
        if (usage)
            s->chosen = jstr(jget(usage, "model_id"));
        struct slice key = slice_ends(path, ".json") ? slice_sub(path, 0, path.len - strlen(".json")) : path;
        jwrite(meta_key(&s->meta, key), v);
    }
}

static void read_beside(struct session *s, const struct companions *files, const struct sink *sink, struct requests *requests)
{
    for (size_t i = 0; files && i < files->n; i++) {
        struct slice bytes;
        struct jvalue *v;
        struct err why = {0};
        if (files->load(files->ctx, i, s->a, &bytes, &why) && jread(s->a, bytes, NULL, NULL, &v, &why))
            read_companion(s, files->paths[i], v, requests);
        else
            sink->refuse(sink->ctx, files->paths[i], why.code, why.text);
    }
    if (files && files->shared)
        read_beside(s, files->shared, sink, requests);
}

/* ---- the records of a file ---------------------------------------------------------------------------------------------- */

struct cline {
    struct session session;     /* of a file that is an array; begun by its first element */
    struct shown shown;         /* of what was shown, where that is all there is */
    struct requests requests;   /* what ui_messages.json says of each */
};

static bool feed_document(const struct record *record, const struct sink *sink, struct err *e)
{
    struct session s;
    struct requests none = {0};
    const struct jvalue *v = record->value;
    if (is_manifest(v) && !record->beside) {
        sink->refuse(sink->ctx, record->location, ERR_NOT_FOUND, "the messages of this session are in a .messages.json, which is not beside this file");
        return true;
    }
    session_take(&s, record);
    if (is_manifest(v)) {
        read_manifest(&s, v);
        read_beside(&s, record->beside, sink, &none);
    } else {
        read_session(&s, v);
    }
    return session_end(&s, sink, e);
}

static bool feed(void **state, const struct record *record, const struct sink *sink, struct err *e)
{
    struct cline *c = *state;
    const struct jvalue *v = record->value;
    if (is_session(v) || is_manifest(v))
        return feed_document(record, sink, e);
    if (!cline_is_shown(v) && !chat_is_message(v)) {
        sink->refuse(sink->ctx, record->location, ERR_NOT_TRANSCRIPT, "no session, no message, and nothing that was shown: neither messages nor a role nor a type");
        return true;
    }
    if (!c) {
        c = *state = calloc(1, sizeof *c);
        if (!c)
            abort();
        session_begin(&c->session);
        read_beside(&c->session, record->beside, sink, &c->requests);
    }
    v = session_keep(&c->session, v);
    if (cline_is_shown(v))
        cline_show(&c->session, &c->shown, v);
    else
        read_message(&c->session, v);
    return true;
}

static bool close_file(void **state, const struct sink *sink, struct err *e)
{
    struct cline *c = *state;
    bool ok = true;
    if (c) {
        cline_price(&c->session, &c->requests);
        ok = session_end(&c->session, sink, e);
    }
    free(c);
    *state = NULL;
    return ok;
}

static const struct companion_rule companions[] = {
    {"%.json", "{stem}.messages.json"},
    {"api_conversation_history.json", "ui_messages.json"},
    {"api_conversation_history.json", "task_metadata.json"},
    {"api_conversation_history.json", "history_item.json"},
    {"api_conversation_history.json", "context_history.json"},
    {NULL, NULL},
};

const struct format fmt_cline = {
    .name = "cline",
    .about = "Cline and Roo Code: sessionId with messages, or a task's folder of api_conversation_history.json and ui_messages.json",
    .probe = probe,
    .feed = feed,
    .close = close_file,
    .companions = companions,
};
