/* Claude Code: the sessions under ~/.claude/projects, a JSON object a line; the same lines in {"loglines": […]} as the web has them, or in an array;
 * and what `claude -p --output-format json` or `stream-json` prints.
 *
 * Lines of type user and assistant are messages; the API's message of several blocks comes as several lines of one message.id, and its usage on
 * each of them. All other lines (system, attachment, progress, snapshots, titles …) are events: they go, whole, to the metadata of the message
 * that they follow. What is the same on most lines (cwd, version, gitBranch …) is said of the run, and of a message where it differs.
 *
 * The lines are a tree (fmt_tree.h): prompts that were taken back are transcripts of their own; so are sub-agents, whose lines stand in the
 * session itself (isSidechain), or in files beside it: agent-ID.jsonl, SESSION/subagents/agent-ID.jsonl. */
#include "ingest/fmt_claude.h"

#include <stdlib.h>

/* ---- which lines -------------------------------------------------------------------------------------------------------- */

static bool is_type(const struct jvalue *v, const char *type) { return slice_is(jstr(jget(v, "type")), type); }

/* A line of the conversation, and no other tool's: Qwen Code writes parts where Claude Code writes content. */
static bool is_message(const struct jvalue *v)
{
    const struct jvalue *message = jget(v, "message");
    return (is_type(v, "user") || is_type(v, "assistant")) && jis(message, J_OBJECT) && !jget(message, "parts");
}

/* A call or a result that has a line of its own, without a message around it. */
static bool is_bare(const struct jvalue *v)
{
    return (is_type(v, "tool_use") && jis(jget(v, "name"), J_STRING)) || (is_type(v, "tool_result") && (jget(v, "output") || jget(v, "content")));
}

static bool has_session(const struct jvalue *v) { return jis(jget(v, "sessionId"), J_STRING) || jis(jget(v, "session_id"), J_STRING); }

static bool is_event(const struct jvalue *v)
{
    static const char *const types[] = {
        "system", "attachment", "progress", "queue-operation", "mode", "permission-mode", "custom-title", "ai-title", "agent-name", "agent-color",
        "last-prompt", "pr-link", "tag", "worktree-state", "stream_event", "rate_limit_event", NULL,
    };
    if (is_type(v, "summary"))
        return jget(v, "leafUuid") != NULL;
    if (is_type(v, "file-history-snapshot"))
        return jget(v, "snapshot") != NULL;
    if (is_type(v, "result"))
        return has_session(v) && (jget(v, "num_turns") || jget(v, "duration_api_ms"));
    if (is_type(v, "system") && jget(v, "systemPayload"))
        return false;
    for (size_t i = 0; types[i]; i++)
        if (is_type(v, types[i]))
            return has_session(v);
    return false;
}

static int probe(const struct sample *sample)
{
    size_t messages = 0, sure = 0, events = 0;
    if (sample->document && sample->n && jis(jget(sample->records[0].value, "loglines"), J_ARRAY))
        return 97;
    for (size_t i = 0; i < sample->n; i++) {
        const struct jvalue *v = sample->records[i].value;
        messages += is_message(v);
        sure += is_message(v) && (jget(v, "uuid") || has_session(v));
        events += is_event(v);
    }
    if (2 * (messages + events) < sample->n || !(messages + events))
        return 0;
    return sure ? 95 : messages ? 70 : 91;
}

/* ---- their sessions ------------------------------------------------------------------------------------------------------- */

/* Does it hold only what tools answered? Then it is no prompt. */
static bool is_result(const struct jvalue *content)
{
    for (size_t i = 0; jis(content, J_ARRAY) && i < content->n; i++)
        if (is_type(&content->items[i], "tool_result"))
            return true;
    return false;
}

static bool is_true(const struct jvalue *v) { return jis(v, J_TRUE); }

static void add_line(struct tree_session *s, const struct jvalue *v, struct slice agent)
{
    const struct jvalue *message = jget(v, "message"), *parent = jget(v, "parentUuid");
    enum line_kind kind = is_bare(v) ? (is_type(v, "tool_use") ? LINE_ANSWER : LINE_RESULT) : !is_message(v) ? LINE_EVENT
                          : is_type(v, "assistant") ? LINE_ANSWER
                          : is_result(jget(message, "content")) || is_true(jget(v, "isMeta")) ? LINE_RESULT : LINE_PROMPT;
    struct tree_line *line = lines_add(s->a, &s->lines, v, kind);
    s->talks |= kind != LINE_EVENT;
    line->id = jstr(jget(v, "uuid"));
    line->parent = jstr(parent);
    if (!line->parent.len) /* where the conversation was compacted */
        line->parent = jstr(jget(v, "logicalParentUuid"));
    line->turn = kind == LINE_ANSWER ? jstr(jget(message, "id")) : SLICE_NONE;
    if (slice_eq(line->turn, line->id)) /* an id that somebody made up for the line */
        line->turn = SLICE_NONE;
    line->agent = agent.len ? agent : jstr(jget(v, "parent_tool_use_id"));
    line->side = line->agent.len || is_true(jget(v, "isSidechain"));
    if (!line->agent.len)
        line->agent = jstr(jget(v, "agentId"));
}

static void refuse_line(const struct sink *sink, const char *list, size_t i)
{
    struct arena a = {0};
    sink->refuse(sink->ctx, arena_printf(&a, "%s[%zu]", list, i), ERR_NOT_TRANSCRIPT, "no line of a session: not an object");
    arena_free(&a);
}

static bool feed(void **state, const struct record *record, const struct sink *sink, struct err *e)
{
    const struct jvalue *v = record->value, *loglines = jget(v, "loglines");
    (void)e;
    if (v->type != J_OBJECT) {
        sink->refuse(sink->ctx, record->location, ERR_NOT_TRANSCRIPT, "no line of a session: not an object");
        return true;
    }
    struct tree_sessions *all = sessions_of(state, record);
    struct tree_session *s = jis(loglines, J_ARRAY) ? NULL : session_of(all, v);
    if (s) {
        add_line(s, v, SLICE_NONE);
    } else {
        s = session_open(all);
        s->document = v;
        for (size_t i = 0; i < loglines->n; i++)
            if (loglines->items[i].type == J_OBJECT)
                add_line(s, &loglines->items[i], SLICE_NONE);
            else
                refuse_line(sink, "loglines", i);
    }
    session_own(s, record);
    return true;
}

/* ---- the files of sub-agents -------------------------------------------------------------------------------------------- */

static const struct companion_rule beside[] = {
    {"%.jsonl", "{stem}/subagents/agent-%.jsonl"},
    {"%.jsonl", "{stem}/subagents/agent-%.meta.json"},
    {"%.jsonl", "{stem}/subagents/workflows/%/agent-%.jsonl"},
    {"%.jsonl", "{stem}/subagents/workflows/%/agent-%.meta.json"},
    {"%.jsonl", "agent-%.jsonl"}, /* as it was before; of all sessions of the folder */
    {NULL, NULL},
};

/* "…/agent-ID.jsonl" → ID. Absent: the path ends otherwise. */
static struct slice agent_of(struct slice path, const char *end)
{
    size_t from = path.len, prefix = strlen("agent-");
    while (from && path.ptr[from - 1] != '/')
        from--;
    return slice_ends(path, end) ? slice_sub(path, from + prefix, path.len - from - prefix - strlen(end)) : SLICE_NONE;
}

static void refuse_value(const struct sink *sink, struct slice path, size_t line, const struct err *why)
{
    struct arena a = {0};
    sink->refuse(sink->ctx, line ? arena_printf(&a, "%.*s line %zu", SLICE_ARG(path), line) : path, why->code, why->text);
    arena_free(&a);
}

static void read_agent(struct tree_session *s, struct slice path, struct slice agent, struct slice bytes, const struct sink *sink)
{
    for (size_t at = 0, line = 1; at < bytes.len; line++) {
        const char *end = memchr(bytes.ptr + at, '\n', bytes.len - at);
        struct slice text = slice_trim(slice_sub(bytes, at, end ? (size_t)(end - bytes.ptr) - at : bytes.len));
        struct jvalue *v;
        struct err e = {0};
        at = end ? (size_t)(end - bytes.ptr) + 1 : bytes.len;
        if (!text.len)
            continue;
        if (!jread(s->a, text, NULL, NULL, &v, &e) || (v->type != J_OBJECT && !err_set(&e, ERR_NOT_TRANSCRIPT, "no line of a session: not an object")))
            refuse_value(sink, path, line, &e);
        else
            add_line(s, v, agent);
    }
}

/* {"agentType", "description", "toolUseId"}: becomes an event of the agent, before all others. */
static void read_meta(struct tree_session *s, struct slice path, struct slice agent, struct slice bytes, const struct sink *sink)
{
    struct jvalue *v, *event = arena_new(s->a, struct jvalue);
    struct err e = {0};
    struct object o = {0};
    if (!jread(s->a, bytes, NULL, NULL, &v, &e)) {
        refuse_value(sink, path, 0, &e);
        return;
    }
    object_add_text(s->a, &o, "type", slice_str("agent-meta"));
    object_add_text(s->a, &o, "agentId", agent);
    object_add_rest(s->a, &o, v, NULL, NULL);
    *event = object_end(&o);
    add_line(s, event, agent);
}

static int by_place(const void *a, const void *b)
{
    const size_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* Of the files of all sessions' sub-agents those that this session's lines speak of, in order. */
static size_t *find_agents(const struct tree_session *s, struct arena *a, const struct companions *files, size_t *n)
{
    size_t *found = NULL, cap = 0;
    struct map known = {0};
    for (size_t i = 0; files && i < s->lines.n; i++) {
        const struct jvalue *v = s->lines.items[i].v;
        const struct jvalue *const ids[] = {jpath(v, "toolUseResult", "agentId", NULL), jpath(v, "data", "agentId", NULL), jget(v, "agentId")};
        for (size_t k = 0; k < sizeof ids / sizeof *ids; k++) {
            if (!jstr(ids[k]).len || map_get(&known, ids[k]->text))
                continue;
            map_put(a, &known, ids[k]->text, 1);
            struct slice path = arena_printf(a, "agent-%.*s.jsonl", SLICE_ARG(ids[k]->text));
            size_t at = companions_from(files, path);
            if (at < files->n && slice_eq(files->paths[at], path)) {
                found = arena_grow(a, found, *n, &cap, sizeof *found);
                found[(*n)++] = at;
            }
        }
    }
    if (*n)
        qsort(found, *n, sizeof *found, by_place);
    return found;
}

static void read_file(struct tree_session *s, const struct companions *files, size_t i, bool lines, const struct sink *sink)
{
    struct slice path = files->paths[i], agent = agent_of(path, lines ? ".jsonl" : ".meta.json"), bytes;
    struct err e = {0};
    if (!agent.len)
        return;
    if (!files->load(files->ctx, i, s->a, &bytes, &e))
        refuse_value(sink, path, 0, &e);
    else if (lines)
        read_agent(s, path, arena_dup(s->a, agent), bytes, sink);
    else
        read_meta(s, path, arena_dup(s->a, agent), bytes, sink);
}

static void read_beside(struct tree_sessions *all, const struct sink *sink)
{
    struct tree_session *s = &all->items[0];
    const struct companions *own = all->beside, *shared = own->shared;
    size_t n = 0;
    for (size_t i = 0; i < all->n && !s->named; i++)
        if (all->items[i].named || (all->items[i].talks && !s->talks))
            s = &all->items[i];
    const size_t *agents = find_agents(s, &all->a, shared, &n);
    for (int lines = 0; lines < 2; lines++) {
        for (size_t i = 0; i < own->n; i++)
            read_file(s, own, i, lines, sink);
        for (size_t i = 0; i < n; i++)
            read_file(s, shared, agents[i], lines, sink);
    }
}

static struct run *make_run(struct tree_session *s) { return claude_run(s->a, &s->lines, s->id, s->document); }

static bool close_file(void **state, const struct sink *sink, struct err *e)
{
    struct tree_sessions *all = *state;
    if (all && all->n && all->beside)
        read_beside(all, sink);
    return sessions_end(state, make_run, sink, e);
}

const struct format fmt_claude = {
    .name = "claude-code",
    .about = "Claude Code sessions: lines of type user and assistant with uuid, sessionId and message; loglines; what claude -p prints",
    .probe = probe,
    .feed = feed,
    .close = close_file,
    .companions = beside,
};
