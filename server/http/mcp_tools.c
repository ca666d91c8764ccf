#include "http/access.h"
#include "http/mcp.h"

#include <stdio.h>

enum { ANSWER_BYTES = 48000 /* unless max_bytes says otherwise */, ANSWER_MOST = 1000000, BODY_MOST = 64 << 20, NODES_MOST = 1 << 20 };

#define API "/api/v1"
#define RUN_FILTERS "kind behavior detector severity status task model agent success exit_status tag q has_findings meta.* score.* range.*"

static const struct param label_fields[] = {
    {"run", ARG_TEXT, 1, 1000, .required = true, .about = "id of the run"},
    {"set", ARG_TEXT, 1, 200, .required = true, .about = "name of the label set, of list_label_sets; a new one is made"},
    {"value", ARG_ANY, .required = true, .about = "what you say of the run; a set with a schema says what a value must look like"},
    {"who", ARG_TEXT, 0, 200, .about = "who says so: your name, so that people can tell your labels from theirs"},
    {"split", ARG_WORD, .words = "dev|test", .about = "what the label is for; without it the set decides"},
    {0},
};
static const struct param own_params[] = {
    {"max_bytes", ARG_INT, 1000, ANSWER_MOST, .about = "bytes of the answer, about (default 48000): what is longer is cut, and says so"},
    {0},
};

static const struct mcp_tool tools[] = {
    {"list_collections", "Collections", "All collections of runs, with counts: where to begin.",
     "GET", API "/collections", .arguments = "limit after", .rows = 50, .most = 200, .link = LINK_COLLECTION},
    {"get_summary", "Summary of a collection",
     "What happened in a collection: pass rates, broken tasks, findings by behaviour and detector with the best example of each, by model.",
     "GET", API "/collections/{c}/summary", .places = {"collection"}, .link = LINK_COLLECTION, .without = "facets"},
    {"list_findings", "Findings",
     "Findings of a collection, each with the words of the transcript that prove it (evidence: run, position of the transcript, message, part, "
     "byte range, quote).",
     "GET", API "/collections/{c}/findings", .places = {"collection"},
     .arguments = "kind behavior detector severity status scope task model agent success tag run q sort limit after", .rows = 20, .most = 100,
     .link = LINK_FINDING},
    {"get_finding", "One finding", "One finding by its id, with all its evidence.", "GET", API "/findings/{id}", .places = {"finding"}, .link = LINK_FINDING},
    {"list_runs", "Runs", "Runs of a collection: task, model, outcome, cost, how many findings of each kind.",
     "GET", API "/collections/{c}/runs", .places = {"collection"}, .arguments = RUN_FILTERS " sort limit after count", .rows = 20, .most = 100,
     .link = LINK_RUN, .without = "content_hash transcripts"},
    {"get_run", "One run", "One run without its messages: outcome, scores, error, metadata, transcripts, all findings.",
     "GET", API "/runs/{id}", .places = {"run"}, .link = LINK_RUN, .without = "marks siblings"},
    {"read_messages", "Messages of a run",
     "Messages of a transcript from an index on, with tool calls, and the evidence that stands in them. To read around evidence begin a few "
     "messages before it.",
     "GET", API "/runs/{id}/messages", .places = {"run"}, .arguments = "transcript from limit", .rows = 20, .most = 200, .link = LINK_MESSAGE},
    {"list_tasks", "Tasks", "Tasks of a collection, broken ones first: attempts, pass rate, verdict with its reasons.",
     "GET", API "/collections/{c}/tasks", .places = {"collection"}, .arguments = RUN_FILTERS " sort limit after", .rows = 20, .most = 100, .link = LINK_TASK},
    {"get_task", "One task", "One task: verdict, what its runs answered beside the target, the errors that they share.",
     "GET", API "/collections/{c}/tasks/{task}", .places = {"collection", "task"}, .link = LINK_TASK},
    {"search", "Search messages",
     "Messages that hold words (all of them in one text; \"in quotes\" a phrase) or match a PCRE2 pattern, over all transcripts.",
     "GET", API "/search", .arguments = "q regex case collection role tool model task agent success tag limit after", .rows = 20, .most = 200,
     .link = LINK_HIT},
    {"compare_runs", "Two runs side by side", "Two runs step by step, aligned by what they do, and where they part first.",
     "GET", API "/runs/{a}/compare/{b}", .places = {"run", "other_run"}},
    {"query", "SQL",
     "One read-only SELECT over the documented views (query_schema lists them): counts, groups, and whatever the other tools do not ask. "
     "Long texts are read in pieces with substr().",
     "POST", API "/sql", .arguments = "query params limit timeout_ms", .rows = 100, .most = 1000},
    {"query_schema", "SQL views", "The views that query may read, with their columns and functions.", "GET", API "/sql/schema", .link = LINK_NONE},
    {"list_detectors", "Detectors", "What is looked for: every detector with its behaviour, what it means and what it cannot tell.",
     "GET", API "/detectors", .arguments = "collection", .without = "text tests parameters"},
    {"list_label_sets", "Label sets", "Label sets: what people say of runs, and what a value of each looks like.",
     "GET", API "/labels/sets", .arguments = "collection"},
    {"list_labels", "Labels", "Labels that people and agents gave to runs.", "GET", API "/labels", .arguments = "collection set run who limit after",
     .rows = 50, .most = 500, .link = LINK_LABEL},
    {"label_run", "Label a run", "Say something of a run, in a label set. The same person's earlier label of the run is replaced.",
     "POST", API "/labels", .fields = label_fields},
    {"review_finding", "Review a finding",
     "Confirm or dismiss a finding, or open it again, with a note on why. Read its evidence in the transcript first.",
     "PATCH", API "/findings/{id}", .places = {"finding"}, .arguments = "status note reviewer", .link = LINK_FINDING},
    {"tag_runs", "Tag runs", "Put a tag on runs by their ids, or take it off.", "POST", API "/runs/tags", .arguments = "tag remove ids"},
};
enum { TOOLS = sizeof tools / sizeof *tools };

const struct mcp_tool *mcp_tool_find(struct slice name)
{
    for (size_t i = 0; i < TOOLS; i++)
        if (slice_is(name, tools[i].name))
            return &tools[i];
    return NULL;
}

static const struct route *route_of(const struct mcp_tool *tool)
{
    for (size_t i = 0; i < route_count; i++)
        if (strcmp(routes[i].path, tool->path) == 0 && strcmp(routes[i].method, tool->method) == 0)
            return &routes[i];
    return NULL;
}

bool mcp_tool_writes(const struct mcp_tool *tool) { return route_of(tool)->lane == LANE_WRITE; }
enum lane mcp_tool_lane(const struct mcp_tool *tool) { return route_of(tool)->lane; }

/* ---- what each takes ---------------------------------------------------------------------------------------------------- */

static bool told_of(const struct mcp_tool *tool, const char *param)
{
    struct slice rest = slice_str(tool->arguments ? tool->arguments : "");
    while (rest.len)
        if (slice_is(slice_take(&rest, ' '), param))
            return true;
    return false;
}

/* The lists that a tool's parameters are in, its own last; ends with NULL. */
enum { LISTS = 6 };
static void lists_of(const struct mcp_tool *tool, const struct param *out[LISTS])
{
    const struct route *route = route_of(tool);
    size_t n = 0;
    for (size_t i = 0; route->query[i]; i++)
        out[n++] = route->query[i];
    if (route->body == BODY_JSON)
        out[n++] = route->fields;
    if (tool->fields)
        out[n++] = tool->fields;
    out[n] = NULL;
}

static bool offered(const struct mcp_tool *tool, const struct param *list, const struct param *p)
{
    return list == tool->fields || told_of(tool, p->name);
}

static void property(struct jsonw *j, const struct mcp_tool *tool, const struct param *p)
{
    struct param shown = *p;
    if (tool->most && strcmp(p->name, "limit") == 0) {
        shown.max = tool->most;
        shown.about = "rows at most";
    }
    jsonw_key(j, p->name);
    openapi_param(j, &shown, true);
}

static void input_schema(struct jsonw *j, const struct mcp_tool *tool)
{
    const struct param *lists[LISTS];
    lists_of(tool, lists);
    jsonw_object(j);
    jsonw_kstrz(j, "type", "object");
    jsonw_key(j, "properties");
    jsonw_object(j);
    for (size_t i = 0; i < 2 && tool->places[i]; i++) {
        const bool collection = strcmp(tool->places[i], "collection") == 0;
        const struct param place = {tool->places[i], ARG_TEXT, 1, 4096, .about = collection ? "id or name of the collection" : "id"};
        property(j, tool, &place);
    }
    for (size_t i = 0; lists[i]; i++)
        for (const struct param *p = lists[i]; p->name; p++)
            if (offered(tool, lists[i], p) && !strchr(p->name, '*'))
                property(j, tool, p);
    property(j, tool, own_params);
    jsonw_end(j);
    jsonw_key(j, "patternProperties"); /* "meta.*" */
    jsonw_object(j);
    for (size_t i = 0; lists[i]; i++)
        for (const struct param *p = lists[i]; p->name; p++)
            if (offered(tool, lists[i], p) && strchr(p->name, '*')) {
                char pattern[40];
                snprintf(pattern, sizeof pattern, "^%.*s[.]", (int)strcspn(p->name, "."), p->name);
                jsonw_key(j, pattern);
                openapi_param(j, p, true);
            }
    jsonw_end(j);
    jsonw_key(j, "required");
    jsonw_array(j);
    for (size_t i = 0; i < 2 && tool->places[i]; i++)
        jsonw_strz(j, tool->places[i]);
    for (size_t i = 0; lists[i]; i++)
        for (const struct param *p = lists[i]; p->name; p++)
            if (offered(tool, lists[i], p) && p->required)
                jsonw_strz(j, p->name);
    jsonw_end(j);
    jsonw_kbool(j, "additionalProperties", false);
    jsonw_end(j);
}

/* What it would only be refused is not offered to an agent. */
static bool may_call(const struct request *r, const struct mcp_tool *tool)
{
    struct err e;
    struct request as = *r;
    as.route = route_of(tool);
    return !access_may(&as, &e);
}

void mcp_tools_write(struct jsonw *j, const struct request *r, bool writes)
{
    jsonw_array(j);
    for (size_t i = 0; i < TOOLS; i++) {
        const bool changes = mcp_tool_writes(&tools[i]);
        if ((changes && !writes) || !may_call(r, &tools[i]))
            continue;
        jsonw_object(j);
        jsonw_kstrz(j, "name", tools[i].name);
        jsonw_kstrz(j, "title", tools[i].title);
        jsonw_kstrz(j, "description", tools[i].about);
        jsonw_key(j, "inputSchema");
        input_schema(j, &tools[i]);
        jsonw_key(j, "annotations");
        jsonw_object(j);
        jsonw_kbool(j, "readOnlyHint", !changes);
        jsonw_kbool(j, "destructiveHint", false);
        jsonw_kbool(j, "idempotentHint", true);
        jsonw_kbool(j, "openWorldHint", false);
        jsonw_end(j);
        jsonw_end(j);
    }
    jsonw_end(j);
}

/* ---- from arguments to a request ---------------------------------------------------------------------------------------- */

/* A value as a query string would have it: a list becomes its items with commas between them. */
static bool as_text(struct arena *a, const struct jvalue *v, struct slice name, struct slice *out, struct err *e)
{
    if (v->type == J_OBJECT)
        return err_set(e, ERR_USAGE, "\"%.*s\" must be a string, a number or true or false", SLICE_ARG(slice_cut(name, 100)));
    if (v->type != J_ARRAY) {
        *out = v->type == J_STRING ? v->text : jraw(a, v);
        return true;
    }
    struct str list = STR_INIT(MCP_MESSAGE_MAX);
    for (uint32_t i = 0; i < v->n; i++) {
        struct slice item = jtext(&v->items[i]);
        if (i)
            str_addc(&list, ',');
        for (size_t k = 0; k < item.len; k++) {
            if (strchr(",\\", item.ptr[k]))
                str_addc(&list, '\\');
            str_addc(&list, item.ptr[k]);
        }
    }
    *out = arena_dup(a, str_slice(&list));
    str_free(&list);
    return true;
}

static bool takes(const struct mcp_tool *tool, struct slice name)
{
    const struct param *lists[LISTS];
    lists_of(tool, lists);
    for (size_t i = 0; lists[i]; i++)
        for (const struct param *p = lists[i]; p->name; p++) {
            size_t stem = strcspn(p->name, "*");
            bool same = p->name[stem] ? name.len > stem && memcmp(name.ptr, p->name, stem) == 0 : slice_is(name, p->name);
            if (same && offered(tool, lists[i], p))
                return true;
        }
    return false;
}

/* What a call takes of its own, and where in the path it puts the rest. */
static bool take_place(const struct mcp_tool *tool, struct request *sub, struct slice name, const struct jvalue *v)
{
    for (size_t i = 0; i < 2 && tool->places[i]; i++)
        if (slice_is(name, tool->places[i])) {
            sub->path[i] = jtext(v);
            return true;
        }
    return false;
}

/* The route's own body or query is made of the arguments, and then read as if it had come over the wire. */
static bool read_arguments(const struct mcp_tool *tool, struct request *sub, const struct jvalue *arguments, struct mcp_view *view, struct err *e)
{
    static const struct param *const own[] = {own_params, NULL};
    const bool has_body = sub->route->body != BODY_NONE;
    struct args mine = {0};
    struct jsonw body = jsonw_to(&sub->body);
    jsonw_object(&body);
    for (uint32_t i = 0; arguments && i < arguments->n; i++) {
        const struct jvalue *v = &arguments->items[i];
        struct slice name = arguments->keys[i], text;
        if (v->type == J_NULL || take_place(tool, sub, name, v))
            continue;
        if (slice_is(name, own_params->name)) {
            if (!as_text(&sub->arena, v, name, &text, e) || !args_add_text(&sub->arena, &mine, own, name, text, e))
                return false;
        } else if (!takes(tool, name)) {
            return err_set(e, ERR_USAGE, "%s takes no \"%.*s\"", tool->name, SLICE_ARG(slice_cut(name, 100)));
        } else if (has_body) {
            jsonw_key_slice(&body, name);
            jsonw_raw(&body, jraw(&sub->arena, v));
        } else if (!as_text(&sub->arena, v, name, &text, e) || !args_add_text(&sub->arena, &sub->args, sub->route->query, name, text, e)) {
            return false;
        }
    }
    for (size_t i = 0; i < 2 && tool->places[i]; i++)
        if (!sub->path[i].len)
            return err_set(e, ERR_USAGE, "\"%s\" is missing", tool->places[i]);
    const bool limit = tool->rows && jget(arguments, "limit") && jget(arguments, "limit")->type != J_NULL;
    if (tool->rows && !limit) {
        struct slice rows = arena_printf(&sub->arena, "%lld", (long long)tool->rows);
        if (has_body)
            jsonw_kraw(&body, "limit", rows);
        else if (!args_add_text(&sub->arena, &sub->args, sub->route->query, slice_str("limit"), rows, e))
            return false;
    }
    jsonw_end(&body);
    view->max = (size_t)arg_int(&mine, own_params->name, ANSWER_BYTES);
    return args_complete(&sub->args, sub->route->query, e);
}

static bool answer(const struct mcp_tool *tool, struct request *sub, const struct jvalue *arguments, struct mcp_view *view, struct answer *a,
                   struct str *out, struct err *e)
{
    const struct jlimits limits = {.depth = jlimits_default.depth, .nodes = NODES_MOST};
    struct jvalue *tree;
    if (!read_arguments(tool, sub, arguments, view, e) || !request_read_body(sub, e))
        return false;
    int64_t rows = arg_int(&sub->args, "limit", 0);
    if (tool->rows && rows > tool->most)
        return err_set(e, ERR_USAGE, "\"limit\" must be at most %lld", (long long)tool->most);
    if (access_may(sub, e)) /* what the route needs, and not what /mcp does */
        return false;
    access_act(sub);
    bool ok = sub->route->handle(sub, a, e);
    access_acted(sub);
    if (!ok)
        return false;
    if (a->body.full)
        return err_set(e, ERR_TOO_LARGE, "the answer is over %d MB; ask for less at a time", BODY_MOST >> 20);
    view->places[0] = sub->path[0];
    view->places[1] = sub->path[1];
    view->transcript = arg_int(&sub->args, "transcript", 0);
    if (!jread(&sub->arena, str_slice(&a->body), &limits, NULL, &tree, e))
        return e->code == ERR_TOO_LARGE ? err_set(e, ERR_TOO_LARGE, "the answer is too large; ask for less at a time") : false;
    mcp_view_write(view, tree, out);
    return true;
}

static void text_block(struct jsonw *j, struct slice text)
{
    jsonw_object(j);
    jsonw_kstrz(j, "type", "text");
    jsonw_kstr(j, "text", text);
    jsonw_end(j);
}

static void write_result(struct jsonw *j, const struct mcp_view *view, struct slice json)
{
    jsonw_key(j, "content");
    jsonw_array(j);
    text_block(j, json);
    for (size_t i = 0; i < view->nlinks; i++) {
        jsonw_object(j);
        jsonw_kstrz(j, "type", "resource_link");
        jsonw_kstr(j, "uri", view->links[i].url);
        jsonw_kstr(j, "name", view->links[i].name);
        jsonw_kstrz(j, "mimeType", "text/html");
        jsonw_end(j);
    }
    jsonw_end(j);
    jsonw_kraw(j, "structuredContent", json);
}

void mcp_tool_call(const struct mcp_tool *tool, struct request *r, const struct jvalue *arguments, struct slice page, struct jsonw *j)
{
    struct err e = {0};
    struct str json = STR_INIT(BODY_MOST);
    struct request sub = {.server = r->server, .route = route_of(tool), .gone = r->gone, .store = r->store, .who = r->who, .client = r->client, .upload = {.fd = -1},
                          .method = slice_str(tool->method), .target = slice_str(tool->path), .body = STR_INIT(2 * MCP_MESSAGE_MAX)};
    struct mcp_view view = {.tool = tool, .page = page, .arena = &sub.arena};
    struct answer a;
    answer_init(&a);
    a.body.max = BODY_MOST;
    if (answer(tool, &sub, arguments, &view, &a, &json, &e)) {
        write_result(j, &view, str_slice(&json));
    } else {
        err_hide_folder(&e, r->server->spool.dir);
        struct slice words = arena_printf(&sub.arena, "%s: %s", err_name(e.code), e.text);
        jsonw_key(j, "content");
        jsonw_array(j);
        text_block(j, words);
        jsonw_end(j);
    }
    jsonw_kbool(j, "isError", e.code != ERR_NONE);
    str_free(&json);
    str_free(&a.body);
    str_free(&sub.body);
    arena_free(&sub.arena);
}
