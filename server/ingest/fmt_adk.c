/* Google's Agent Development Kit.
 *
 * * Sessions {id, app_name, user_id, state, events[{author, content{role, parts}, actions, timestamp, …}], last_update_time}, in
 * snake or camel case, as the CLI saves them and the web UI exports them; evaluation sets {eval_set_id, eval_cases[{eval_id,
 * conversation[ {user_content, intermediate_data, final_response}]}]}: the conversation that is expected; results of evaluations
 * {eval_set_result_id, eval_case_results[{eval_id, final_eval_status, eval_metric_results, …}]}, which some versions write as a
 * JSON string; and the older test files [{query, expected_tool_use, reference}]. */
#include "ingest/fmt_tree.h"

static const struct jvalue *either(const struct jvalue *v, const char *snake, const char *camel)
{
    return fmt_first(v, (const char *const[]){snake, camel, NULL});
}

static bool is_event(const struct jvalue *v)
{
    return jis(jget(v, "author"), J_STRING) && (jget(v, "content") || either(v, "invocation_id", "invocationId"));
}

static bool is_session(const struct jvalue *v)
{
    const struct jvalue *events = jget(v, "events");
    if (!jis(events, J_ARRAY))
        return false;
    return events->n ? is_event(&events->items[0]) : either(v, "app_name", "appName") && either(v, "user_id", "userId");
}

static bool is_set(const struct jvalue *v) { return jis(either(v, "eval_cases", "evalCases"), J_ARRAY); }
static bool is_results(const struct jvalue *v) { return jis(either(v, "eval_case_results", "evalCaseResults"), J_ARRAY); }
static bool is_query(const struct jvalue *v)
{
    return jis(jget(v, "query"), J_STRING) && (jget(v, "expected_tool_use") || jget(v, "expected_intermediate_agent_responses"));
}
static bool is_case(const struct jvalue *v)
{
    return either(v, "eval_id", "evalId") &&
           (jis(jget(v, "conversation"), J_ARRAY) || either(v, "conversation_scenario", "conversationScenario"));
}

static bool is_mine(const struct jvalue *v) { return is_session(v) || is_set(v) || is_results(v) || is_query(v) || is_case(v); }

/* A result that was written as JSON twice is text to those who look for objects. */
static bool is_quoted(const struct jvalue *v) { return slice_starts(slice_trim(jstr(v)), "\"{\\\"eval_set_result_id"); }

static int probe(const struct sample *sample) { return fmt_most(sample, sample->text ? is_quoted : is_mine) ? 93 : 0; }

/* ---- what is said ------------------------------------------------------------------------------------------------------- */

/* A content {role, parts}: its role is not to be relied on (results of tools come from the "user"), its author is. */
static void read_content(struct arena *a, struct messages *list, const struct jvalue *content, bool user, const struct jvalue *about)
{
    static const char *const known_content[] = {"role", "parts", NULL};
    static const char *const known[] = {"content", "author", "timestamp", "usage_metadata", "usageMetadata", "finish_reason",
                                        "finishReason", "model_version", "modelVersion", "error_code", "errorCode",
                                        "error_message", "errorMessage", NULL};
    struct object o = {0};
    object_add_rest(a, &o, about, known, NULL);
    const struct jvalue *error = either(about, "error_message", "errorMessage");
    object_add_text(a, &o, "role", slice_str(user ? "user" : "assistant"));
    object_add(a, &o, slice_str("parts"), jget(content, "parts"));
    object_add(a, &o, slice_str("author"), jget(about, "author"));
    object_add(a, &o, slice_str("timestamp"), jget(about, "timestamp"));
    object_add(a, &o, slice_str("usage"), either(about, "usage_metadata", "usageMetadata"));
    object_add(a, &o, slice_str("finish_reason"), either(about, "finish_reason", "finishReason"));
    object_add(a, &o, slice_str("model"), either(about, "model_version", "modelVersion"));
    object_add(a, &o, slice_str("error"), error ? error : either(about, "error_code", "errorCode"));
    object_add(a, &o, slice_str("error_code"), error ? either(about, "error_code", "errorCode") : NULL);
    if (jis(content, J_OBJECT)) {
        struct jvalue rest = fmt_without(a, content, known_content);
        object_add(a, &o, slice_str("content_fields"), rest.n ? &rest : NULL);
    }
    struct jvalue made = object_end(&o);
    chat_message(a, list, &made);
}

static void read_events(struct arena *a, struct messages *list, const struct jvalue *events)
{
    for (size_t i = 0; jis(events, J_ARRAY) && i < events->n; i++)
        read_content(a, list, jget(&events->items[i], "content"), slice_is(jstr(jget(&events->items[i], "author")), "user"),
                     &events->items[i]);
}

/* A function call or response where it stands outside of a content. */
static void read_function(struct arena *a, struct messages *list, const char *key, const struct jvalue *function)
{
    struct object part = {0}, content = {0};
    object_add(a, &part, slice_str(key), function);
    struct jvalue one = object_end(&part);
    object_add(a, &content, slice_str("parts"), array_of(a, &one, 1));
    struct jvalue made = object_end(&content);
    read_content(a, list, &made, false, NULL);
}

/* {"tool_uses": [{name, args}], "tool_responses", "intermediate_responses": [[author, parts]]} */
static void read_between(struct arena *a, struct messages *list, const struct jvalue *data, struct meta *rest)
{
    static const char *const known[] = {"tool_uses", "toolUses", "tool_responses", "toolResponses", "intermediate_responses",
                                        "intermediateResponses", NULL};
    const struct jvalue *uses = either(data, "tool_uses", "toolUses"), *responses = either(data, "tool_responses", "toolResponses");
    const struct jvalue *said = either(data, "intermediate_responses", "intermediateResponses");
    for (size_t i = 0; jis(uses, J_ARRAY) && i < uses->n; i++) {
        read_function(a, list, "functionCall", &uses->items[i]);
        if (jis(responses, J_ARRAY) && i < responses->n)
            read_function(a, list, "functionResponse", &responses->items[i]);
    }
    for (size_t i = jis(uses, J_ARRAY) ? uses->n : 0; jis(responses, J_ARRAY) && i < responses->n; i++)
        read_function(a, list, "functionResponse", &responses->items[i]);
    for (size_t i = 0; jis(said, J_ARRAY) && i < said->n; i++) {
        struct object content = {0}, about = {0};
        object_add(a, &content, slice_str("parts"), jat(&said->items[i], 1));
        object_add(a, &about, slice_str("author"), jat(&said->items[i], 0));
        struct jvalue parts = object_end(&content), author = object_end(&about);
        read_content(a, list, &parts, false, &author);
    }
    meta_rest(rest, data, known);
}

/* {user_content, intermediate_data | invocation_events, final_response, …} */
static void read_invocation(struct arena *a, struct messages *list, const struct jvalue *v)
{
    static const char *const known[] = {"user_content", "userContent", "intermediate_data", "intermediateData", "final_response",
                                        "finalResponse", "creation_timestamp", "creationTimestamp", NULL};
    const struct jvalue *between = either(v, "intermediate_data", "intermediateData");
    const struct jvalue *final = either(v, "final_response", "finalResponse");
    const struct jvalue *events = either(between, "invocation_events", "invocationEvents");
    const struct jvalue *time = either(v, "creation_timestamp", "creationTimestamp");
    static const char *const with_events[] = {"invocation_events", "invocationEvents", NULL};
    size_t first = list->n;
    struct meta rest = META_INIT;
    read_content(a, list, either(v, "user_content", "userContent"), true, NULL);
    fmt_time(a, time, &list->items[first].timestamp);
    if (events) {
        read_events(a, list, events);
        meta_rest(&rest, between, with_events);
    } else {
        read_between(a, list, between, &rest);
    }
    if (jis(final, J_OBJECT))
        read_content(a, list, final, false, NULL);
    meta_rest(&rest, v, known);
    struct slice left = meta_end(&rest, a);
    struct meta meta = meta_resume(list->items[first].metadata);
    meta_json(&meta, "invocation", left);
    list->items[first].metadata = meta_end(&meta, a);
}

/* ---- runs --------------------------------------------------------------------------------------------------------------- */

static const struct jvalue *conversation_of(const struct jvalue *v) { return jget(v, "conversation"); }

static void read_session(struct arena *a, struct run *run, const struct jvalue *v, struct meta *meta)
{
    static const char *const known[] = {"events", NULL};
    struct messages list = {0};
    read_events(a, &list, jget(v, "events"));
    if (list.n)
        fmt_transcript(a, run, &list);
    run->agent = jstr(either(v, "app_name", "appName"));
    const struct jvalue *ended = either(v, "last_update_time", "lastUpdateTime");
    fmt_time(a, ended, &run->ended_at);
    for (size_t i = 0; !run->model.ptr && i < list.n; i++)
        run->model = list.items[i].model;
    meta_rest(meta, v, known);
}

static struct run *new_run(struct arena *a)
{
    struct run *run = arena_new(a, struct run);
    run_init(run);
    return run;
}

static bool feed_session(const struct record *record, const struct jvalue *v, struct arena *a, const struct sink *sink, struct err *e)
{
    struct run *run = new_run(a);
    struct meta meta = META_INIT;
    (void)record;
    run->external_id = jtext(jget(v, "id"));
    read_session(a, run, v, &meta);
    run->metadata = meta_end(&meta, a);
    return sink->run(sink->ctx, a, run, e);
}

/* One case of a set: the conversation that is wanted of an agent. */
static bool feed_case(const struct jvalue *of, const struct jvalue *set, size_t i, const struct sink *sink, struct err *e)
{
    static const char *const known[] = {"conversation", NULL}, *const known_set[] = {"eval_cases", "evalCases", NULL};
    struct jvalue *v;
    struct arena *a = fmt_part(of, &v);
    struct run *run = new_run(a);
    struct messages list = {0};
    struct meta meta = META_INIT;
    const struct jvalue *input = either(v, "session_input", "sessionInput"), *conversation = conversation_of(v), *scenario, *time;
    run->external_id = run->task_id = jtext(either(v, "eval_id", "evalId"));
    run->agent = arena_dup(a, jstr(either(input, "app_name", "appName")));
    if (!run->agent.len)
        run->agent = SLICE_NONE;
    time = either(v, "creation_timestamp", "creationTimestamp");
    fmt_time(a, time, &run->started_at);
    for (size_t k = 0; jis(conversation, J_ARRAY) && k < conversation->n; k++)
        read_invocation(a, &list, &conversation->items[k]);
    scenario = either(either(v, "conversation_scenario", "conversationScenario"), "starting_prompt", "startingPrompt");
    if (!list.n && jis(scenario, J_STRING)) {
        struct message *m = messages_add(a, &list);
        m->role = ROLE_USER;
        m->text = scenario->text;
    }
    if (list.n)
        fmt_transcript(a, run, &list);
    meta_rest(&meta, v, known);
    if (set) {
        struct jvalue left = fmt_without(a, set, known_set);
        meta_json(&meta, "eval_set", arena_dup(a, jraw(a, &left)));
        run->source.location = arena_printf(a, "eval_cases[%zu]", i);
    }
    run->metadata = meta_end(&meta, a);
    return sink->run(sink->ctx, a, run, e);
}

/* 1 or "PASSED", 2 or "FAILED"; 3: not evaluated. */
static enum verdict verdict_of(const struct jvalue *status)
{
    int64_t n;
    if (jint(status, &n))
        return n == 1 ? VERDICT_PASSED : n == 2 ? VERDICT_FAILED : VERDICT_UNKNOWN;
    return fmt_verdict(status);
}

/* {metric_name, threshold, score, eval_status}, or the older [{metric_name, threshold}, {score, eval_status}] */
static void read_metric(struct arena *a, struct run *run, const struct jvalue *v)
{
    static const char *const known[] = {"metric_name", "metricName", "score", NULL};
    const struct jvalue *metric = jis(v, J_ARRAY) ? jat(v, 0) : v;
    const struct jvalue *result = jis(v, J_ARRAY) ? jat(v, 1) : v;
    const struct jvalue *value = jget(result, "score");
    struct slice name = jstr(either(metric, "metric_name", "metricName"));
    struct score *score = fmt_score(a, run, name.ptr ? name : slice_str("score"));
    struct meta meta = META_INIT;
    score->value = value && value->type != J_NULL ? jraw(a, value) : SLICE_NONE;
    meta_rest(&meta, metric, known);
    if (result != metric)
        meta_rest(&meta, result, known);
    score->metadata = meta_end(&meta, a);
}

static void read_metrics(struct arena *a, struct run *run, const struct jvalue *v)
{
    static const char *const keys[] = {"overall_eval_metric_results", "overallEvalMetricResults", "eval_metric_results",
                                       "evalMetricResults", NULL};
    const struct jvalue *metrics = fmt_first(v, keys);
    for (size_t i = 0; jis(metrics, J_ARRAY) && i < metrics->n; i++)
        read_metric(a, run, &metrics->items[i]);
}

/* What was run for one case, and how it was judged. */
static bool feed_result(const struct jvalue *of, const struct jvalue *results, size_t i, const struct sink *sink, struct err *e)
{
    static const char *const known[] = {"session_details", "sessionDetails", "final_eval_status", "finalEvalStatus", NULL};
    static const char *const known_results[] = {"eval_case_results", "evalCaseResults", NULL};
    struct jvalue *v;
    struct arena *a = fmt_part(of, &v);
    struct run *run = new_run(a);
    struct meta meta = META_INIT, session_meta = META_INIT;
    const struct jvalue *session = either(v, "session_details", "sessionDetails");
    const struct jvalue *status = either(v, "final_eval_status", "finalEvalStatus");
    const struct jvalue *invocations = either(v, "eval_metric_result_per_invocation", "evalMetricResultPerInvocation");
    const struct jvalue *id = either(v, "session_id", "sessionId");
    run->task_id = jtext(either(v, "eval_id", "evalId"));
    run->external_id = id ? jtext(id) : run->task_id;
    run->success = verdict_of(status);
    read_metrics(a, run, v);
    if (jis(session, J_OBJECT))
        read_session(a, run, session, &session_meta);
    struct messages list = {0};
    for (size_t k = 0; !run->ntranscripts && jis(invocations, J_ARRAY) && k < invocations->n; k++)
        if (jis(either(&invocations->items[k], "actual_invocation", "actualInvocation"), J_OBJECT))
            read_invocation(a, &list, either(&invocations->items[k], "actual_invocation", "actualInvocation"));
    if (list.n)
        fmt_transcript(a, run, &list);
    meta_json(&meta, "session", meta_end(&session_meta, a));
    meta_value(&meta, "final_eval_status", status);
    meta_rest(&meta, v, known);
    struct jvalue left = fmt_without(a, results, known_results);
    meta_json(&meta, "eval_set_result", arena_dup(a, jraw(a, &left)));
    run->source.location = arena_printf(a, "eval_case_results[%zu]", i);
    run->metadata = meta_end(&meta, a);
    return sink->run(sink->ctx, a, run, e);
}

/* [{query, expected_tool_use[{tool_name, tool_input}], expected_intermediate_agent_responses, reference}]: a turn each */
static bool feed_query(const struct jvalue *of, const struct sink *sink, struct err *e)
{
    static const char *const known[] = {"query", "reference", "expected_tool_use", NULL};
    struct jvalue *v;
    struct arena *a = fmt_part(of, &v);
    struct run *run = new_run(a);
    struct messages list = {0};
    struct meta meta = META_INIT;
    const struct jvalue *uses = jget(v, "expected_tool_use");
    struct message *m = messages_add(a, &list);
    m->role = ROLE_USER;
    m->text = jget(v, "query")->text;
    for (size_t i = 0; jis(uses, J_ARRAY) && i < uses->n; i++) {
        struct object call = {0};
        object_add(a, &call, slice_str("name"), jget(&uses->items[i], "tool_name"));
        object_add(a, &call, slice_str("args"), jget(&uses->items[i], "tool_input"));
        struct jvalue made = object_end(&call);
        read_function(a, &list, "functionCall", &made);
    }
    if (jis(jget(v, "reference"), J_STRING)) {
        m = messages_add(a, &list);
        m->role = ROLE_ASSISTANT;
        m->text = jget(v, "reference")->text;
    }
    fmt_transcript(a, run, &list);
    meta_value(&meta, "expected_tool_use", uses);
    meta_rest(&meta, v, known);
    run->metadata = meta_end(&meta, a);
    return sink->run(sink->ctx, a, run, e);
}

static bool feed_value(const struct record *record, const struct jvalue *v, const struct sink *sink, struct err *e)
{
    const struct jvalue *cases = either(v, "eval_cases", "evalCases"), *results = either(v, "eval_case_results", "evalCaseResults");
    if (is_session(v)) {
        struct jvalue *copy;
        struct arena *a = fmt_part(v, &copy);
        return feed_session(record, copy, a, sink, e);
    }
    for (size_t i = 0; is_set(v) && i < cases->n; i++)
        if (!jis(&cases->items[i], J_OBJECT))
            sink->refuse(sink->ctx, record->location, ERR_FORMAT, "an evaluation case that is no object");
        else if (!feed_case(&cases->items[i], v, i, sink, e))
            return false;
    for (size_t i = 0; is_results(v) && i < results->n; i++)
        if (!jis(&results->items[i], J_OBJECT))
            sink->refuse(sink->ctx, record->location, ERR_FORMAT, "a result of a case that is no object");
        else if (!feed_result(&results->items[i], v, i, sink, e))
            return false;
    if (is_set(v) || is_results(v))
        return true;
    if (is_case(v))
        return feed_case(v, NULL, 0, sink, e);
    if (is_query(v))
        return feed_query(v, sink, e);
    sink->refuse(sink->ctx, record->location, ERR_NOT_TRANSCRIPT,
                 "neither a session with events nor an evaluation set or its results");
    return true;
}

static bool feed(void **state, const struct record *record, const struct sink *sink, struct err *e)
{
    struct arena scratch = {0};
    struct jvalue *text, *v = record->value;
    struct err ignored = {0};
    (void)state;
    if (jis(v, J_STRING) && jread(&scratch, slice_trim(v->text), NULL, NULL, &text, &ignored) && jis(text, J_STRING) &&
        jread(&scratch, text->text, NULL, NULL, &text, &ignored))
        v = text; /* a result that was written as JSON twice */
    bool ok = feed_value(record, v, sink, e);
    arena_free(&scratch);
    return ok;
}

const struct format fmt_adk = {
    .name = "adk",
    .about = "Google ADK: sessions with events, evaluation sets with eval_cases, and their results",
    .probe = probe,
    .feed = feed,
    .close = fmt_close,
};
