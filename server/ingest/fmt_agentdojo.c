/* AgentDojo logs: {suite_name, pipeline_name, user_task_id, injection_task_id, attack_type, injections, messages[], error,
 * utility, security, duration}, one run a file; and those of its kind that put their verdicts together, {suite_name, messages,
 * trace, evaluation{utility, security, outcome, …}}.
 *
 * A tool's message repeats the call that it answers. utility says whether the user's task was done, which is the run's success;
 * security is whether the injected task was done, and a score only. Tasks are numbered anew in every suite, so that a task's id
 * has the suite before it. */
#include "ingest/fmt.h"

static bool is_log(const struct jvalue *v)
{
    static const char *const verdicts[] = {"user_task_id", "utility", "evaluation", NULL};
    bool named = jis(jget(v, "suite_name"), J_STRING);
    for (size_t i = 0; named && verdicts[i]; i++)
        if (jget(v, verdicts[i]))
            return jis(jget(v, "messages"), J_ARRAY);
    return false;
}

static int probe(const struct sample *sample) { return fmt_most(sample, is_log) ? 96 : 0; }

static bool is_answered(const struct messages *list, struct slice id)
{
    enum { LOOKED_BACK = 64 };
    for (size_t i = list->n, looked = 0; i-- > 0 && looked < LOOKED_BACK; looked++)
        for (size_t k = 0; k < list->items[i].ncalls && k < LOOKED_BACK; k++)
            if (slice_eq(list->items[i].calls[k].call_id, id))
                return true;
    return false;
}

/* A text part has its words under "content", where others have "text". */
static struct jvalue with_texts(struct arena *a, const struct jvalue *message)
{
    static const char *const content[] = {"content", NULL};
    struct jvalue v = fmt_without(a, message, content), *parts = arena_new(a, struct jvalue);
    *parts = *jget(message, "content");
    parts->repaired = true;
    parts->items = arena_array(a, struct jvalue, parts->n);
    for (size_t i = 0; i < parts->n; i++) {
        struct jvalue *part = &parts->items[i];
        *part = jget(message, "content")->items[i];
        if (!jis(part, J_OBJECT) || jget(part, "text"))
            continue;
        struct slice *keys = arena_array(a, struct slice, part->n);
        for (size_t k = 0; k < part->n; k++)
            keys[k] = slice_is(part->keys[k], "content") ? slice_str("text") : part->keys[k];
        part->keys = keys;
        part->repaired = true;
    }
    v.keys[v.n] = slice_str("content");
    v.items[v.n++] = *parts;
    return v;
}

static void read_message(struct arena *a, struct messages *list, const struct jvalue *v)
{
    static const char *const own[] = {"tool_call", NULL};
    const struct jvalue *call = jget(v, "tool_call"), *id = jget(v, "tool_call_id") ? jget(v, "tool_call_id") : jget(call, "id");
    struct jvalue rest = fmt_without(a, v, own);
    bool known = is_answered(list, jtext(id));
    if (jis(jget(&rest, "content"), J_ARRAY))
        rest = with_texts(a, &rest);
    chat_message(a, list, &rest);
    struct message *m = &list->items[list->n - 1];
    if (!jis(call, J_OBJECT))
        return;
    if (!m->tool_call_id.ptr)
        m->tool_call_id = jtext(id);
    if (!m->tool_name.ptr)
        m->tool_name = jstr(jget(call, "function"));
    if (!known || !m->tool_call_id.ptr) {
        struct meta meta = meta_resume(m->metadata);
        meta_value(&meta, "tool_call", call);
        m->metadata = meta_end(&meta, a);
    }
}

static bool is_plain(const struct jvalue *v) { return v && v->type != J_NULL && v->type != J_OBJECT && v->type != J_ARRAY; }

static void read_scores(struct arena *a, struct run *run, const struct jvalue *verdicts, const char *const names[])
{
    for (size_t i = 0; jis(verdicts, J_OBJECT) && i < verdicts->n; i++) {
        bool wanted = !names;
        for (size_t k = 0; names && names[k]; k++)
            wanted |= slice_is(verdicts->keys[i], names[k]);
        if (!wanted || !is_plain(&verdicts->items[i]))
            continue;
        fmt_score(a, run, verdicts->keys[i])->value = jraw(a, &verdicts->items[i]);
        if (slice_is(verdicts->keys[i], "utility"))
            run->success = fmt_verdict(&verdicts->items[i]);
    }
}

/* "workspace/user_task_0" */
static struct slice joined(struct arena *a, const struct jvalue *v, const char *const keys[], char between)
{
    struct slice out = SLICE_NONE;
    for (; *keys; keys++) {
        struct slice next = jtext(jget(v, *keys));
        out = !next.ptr ? out : !out.ptr ? next : arena_printf(a, "%.*s%c%.*s", SLICE_ARG(out), between, SLICE_ARG(next));
    }
    return out;
}

static bool feed(void **state, const struct record *record, const struct sink *sink, struct err *e)
{
    static const char *const known[] = {"messages", "error", "utility", "security", NULL}, *const own[] = {"utility", "security", NULL};
    static const char *const task[] = {"suite_name", "user_task_id", NULL};
    static const char *const name[] = {"suite_name", "user_task_id", "attack_type", "injection_task_id", NULL};
    (void)state;
    const struct jvalue *v = record->value, *messages = jget(v, "messages"), *evaluation = jget(v, "evaluation");
    if (!is_log(v)) {
        sink->refuse(sink->ctx, record->location, ERR_NOT_TRANSCRIPT, "no AgentDojo log: suite_name, messages or a verdict are missing");
        return true;
    }
    struct arena *a = fmt_take(record);
    struct run *run = arena_new(a, struct run);
    struct messages list = {0};
    struct meta meta = META_INIT;
    run_init(run);
    run->task_id = jget(v, "user_task_id") ? joined(a, v, task, '/') : jtext(jget(v, "task_id"));
    run->name = joined(a, v, name, ' ');
    run->model = jstr(jget(v, "model"));
    run->agent = jstr(jget(v, "pipeline_name"));
    run->error = fmt_string(a, jget(v, "error"));
    read_scores(a, run, v, own);
    read_scores(a, run, evaluation, NULL);
    for (size_t i = 0; i < messages->n; i++)
        if (jis(&messages->items[i], J_OBJECT))
            read_message(a, &list, &messages->items[i]);
        else
            meta_value(&meta, arena_printf(a, "messages[%zu]", i).ptr, &messages->items[i]);
    fmt_transcript(a, run, &list);
    meta_rest(&meta, v, known); /* injections, duration, trace, evaluation, … */
    run->metadata = meta_end(&meta, a);
    return sink->run(sink->ctx, a, run, e);
}

const struct format fmt_agentdojo = {
    .name = "agentdojo",
    .about = "AgentDojo logs: suite_name, messages, and utility and security or an evaluation that has them",
    .probe = probe,
    .feed = feed,
    .close = fmt_close,
};
