/* NYU CTF bench transcripts: {args, messages[[time, message]], challenge{name, category, description, flag, …}, solved, rounds,
 * cost, start_time, end_time, runtime…, exception_info, finish_reason}; some files hold bare messages.
 *
 * The logger writes down what it hands on and what the backend made of it. Where both say the same, in the same words and by the
 * same role, this is one message, and when it was said again stays in its metadata. {text, type} is the model's answer as it
 * came: it is left out where the message made of it holds it too. */
#include "ingest/fmt.h"

static const struct jvalue *message_of(const struct jvalue *entry)
{
    return jis(entry, J_ARRAY) && entry->n == 2 ? jat(entry, 1) : jis(entry, J_OBJECT) ? entry : NULL;
}

static bool is_transcript(const struct jvalue *v)
{
    const struct jvalue *messages = jget(v, "messages"), *first = jat(messages, 0);
    bool paired = jis(first, J_ARRAY) && first->n == 2 && jis(jat(first, 1), J_OBJECT);
    return jis(messages, J_ARRAY) && jis(jget(v, "challenge"), J_OBJECT) && jget(v, "solved") &&
           (!messages->n || paired || jis(first, J_OBJECT));
}

static int probe(const struct sample *sample) { return fmt_most(sample, is_transcript) ? 96 : 0; }

/* The answer as the provider's client gave it: {"type": "dict", "data": {…}}. */
static const struct jvalue *answer_of(const struct jvalue *message) { return jpath(message, "extra", "response", "data", NULL); }

static bool holds_text(const struct jvalue *answer, struct slice text)
{
    const struct jvalue *content = jget(answer, "content");
    return slice_eq(jstr(content), text) || slice_eq(jstr(jget(jat(content, 0), "text")), text);
}

/* An answer as it came, which the next message says again? */
static bool is_draft(const struct jvalue *message, const struct jvalue *next)
{
    struct slice text = jstr(jget(message, "text"));
    return text.ptr && !jget(message, "role") && slice_is(jstr(jget(next, "role")), "assistant") &&
           (slice_eq(jstr(jget(next, "content")), text) || holds_text(answer_of(next), text));
}

static void read_answer(struct arena *a, struct message *m, const struct jvalue *extra, struct meta *meta)
{
    static const char *const known[] = {"response", NULL}, *const known_answer[] = {"model", "role", "stop_reason", "usage", NULL};
    static const char *const known_usage[] = {"input_tokens", "output_tokens", NULL};
    const struct jvalue *response = jget(extra, "response"), *answer = jget(response, "data"), *usage = jget(answer, "usage");
    struct meta all = META_INIT, rest = META_INIT, rest_of_usage = META_INIT;
    if (jget(answer, "choices")) {
        chat_response(a, m, answer, &all, "response");
    } else if (jis(answer, J_OBJECT)) {
        m->model = jstr(jget(answer, "model"));
        m->finish_reason = jstr(jget(answer, "stop_reason"));
        m->tokens_in = fmt_count(jget(usage, "input_tokens"));
        m->tokens_out = fmt_count(jget(usage, "output_tokens"));
        meta_rest(&rest, answer, known_answer);
        meta_rest(&rest_of_usage, usage, known_usage);
        meta_json(&rest, "usage", meta_end(&rest_of_usage, a));
        meta_json(&all, "response", meta_end(&rest, a));
    } else if (answer && answer->type != J_NULL) {
        meta_value(&all, "response", response);
    }
    meta_rest(&all, extra, known);
    meta_json(meta, "extra", meta_end(&all, a));
}

static void read_time(struct arena *a, struct message *m, const struct jvalue *time, struct meta *meta)
{
    if (time && !m->timestamp.ptr && !fmt_time(a, time, &m->timestamp))
        meta_value(meta, "timestamp", time);
}

static bool is_again(const struct message *before, const struct message *m)
{
    return before->role == m->role && before->text.ptr && m->text.ptr && slice_eq(before->text, m->text) && !m->ncalls &&
           !m->tool_call_id.ptr && !before->tool_call_id.ptr;
}

static void read_messages(struct arena *a, struct messages *list, const struct jvalue *messages, struct meta *rest)
{
    static const char *const own[] = {"extra", NULL};
    bool again = false; /* the last message was said twice: what says it a third time is another */
    for (size_t i = 0; i < messages->n; i++) {
        const struct jvalue *entry = &messages->items[i], *v = message_of(entry), *time = jis(entry, J_ARRAY) ? jat(entry, 0) : NULL;
        if (!jis(v, J_OBJECT)) {
            meta_value(rest, arena_printf(a, "messages[%zu]", i).ptr, entry);
            continue;
        }
        if (is_draft(v, message_of(jat(messages, i + 1))))
            continue;
        struct jvalue without = fmt_without(a, v, own);
        chat_message(a, list, &without);
        struct message *m = &list->items[list->n - 1], *before = list->n > 1 ? m - 1 : NULL;
        if (!jget(v, "role") && jget(v, "text"))
            m->role = ROLE_ASSISTANT;
        again = !again && before && is_again(before, m) && !jget(v, "extra");
        if (again) {
            struct meta meta = meta_resume(before->metadata);
            meta_value(&meta, "said_again", time);
            before->metadata = meta_end(&meta, a);
            list->n--;
            continue;
        }
        struct meta meta = meta_resume(m->metadata);
        read_time(a, m, time, &meta);
        if (jis(jget(v, "extra"), J_OBJECT))
            read_answer(a, m, jget(v, "extra"), &meta);
        m->metadata = meta_end(&meta, a);
    }
}

static void read_end(struct arena *a, struct run *run, const struct jvalue *v)
{
    static const char *const limits[] = {"max_rounds", "max_cost", "context_length"};
    static const char *const words[] = {"exception_message", "message", "error", NULL};
    const struct jvalue *exception = jget(v, "exception_info");
    run->exit_status = fmt_string(a, jget(v, "finish_reason"));
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        if (slice_is(run->exit_status, limits[i]))
            run->limit = run->exit_status;
    run->error = fmt_string(a, jis(fmt_first(exception, words), J_STRING) ? fmt_first(exception, words) : exception);
    fmt_time(a, jget(v, "start_time"), &run->started_at);
    fmt_time(a, jget(v, "end_time"), &run->ended_at);
    if (!jnum(jget(v, "cost"), &run->cost_usd))
        run->cost_usd = NAN;
}

static bool feed(void **state, const struct record *record, const struct sink *sink, struct err *e)
{
    static const char *const known[] = {"messages", "solved", "finish_reason", "start_time", "end_time", "cost", NULL};
    (void)state;
    const struct jvalue *v = record->value, *challenge = jget(v, "challenge"), *args = jget(v, "args");
    if (!is_transcript(v)) {
        sink->refuse(sink->ctx, record->location, ERR_NOT_TRANSCRIPT, "no NYU CTF transcript: messages, challenge or solved are missing");
        return true;
    }
    struct arena *a = fmt_take(record);
    struct run *run = arena_new(a, struct run);
    struct messages list = {0};
    struct meta meta = META_INIT;
    run_init(run);
    run->task_id = jstr(jget(args, "challenge")).ptr ? jstr(jget(args, "challenge")) : jstr(jget(challenge, "name"));
    run->model = jstr(jget(args, "model"));
    read_end(a, run, v);
    run->success = fmt_verdict(jget(v, "solved"));
    struct score *score = fmt_score(a, run, slice_str("solved"));
    score->value = jis(jget(v, "solved"), J_NULL) ? SLICE_NONE : jraw(a, jget(v, "solved"));
    score->target = fmt_string(a, jget(challenge, "flag"));
    read_messages(a, &list, jget(v, "messages"), &meta);
    fmt_transcript(a, run, &list);
    meta_rest(&meta, v, known); /* args, challenge, rounds, debug_log, runtime, times, exception_info */
    run->metadata = meta_end(&meta, a);
    return sink->run(sink->ctx, a, run, e);
}

const struct format fmt_nyuctf = {
    .name = "nyu-ctf",
    .about = "NYU CTF bench transcripts: args, challenge, solved and messages with their times",
    .probe = probe,
    .feed = feed,
    .close = fmt_close,
};
