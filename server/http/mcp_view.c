#include "http/mcp.h"

enum {
    LEAST_CUT = 64,     /* bytes that a member keeps, however little room there is */
    ANSWER_SPARE = 4096,
    DEPTH_MOST = 24,    /* deeper values are shown as text */
};

/* ---- where the page shows things ---------------------------------------------------------------------------------------- */

static struct slice member(const struct jvalue *v, const char *name) { return jtext(jget(v, name)); }

static int64_t number(const struct jvalue *v, const char *name, int64_t otherwise)
{
    int64_t n;
    return jint(jget(v, name), &n) ? n : otherwise;
}

/* The run, at a message where `message` is not negative and at words of it where `at` says which. */
static void run_url(struct str *out, struct slice run, struct slice finding, int64_t transcript, int64_t message, const struct jvalue *at)
{
    str_addz(out, "/runs/");
    str_add_escaped(out, run);
    if (transcript > 0)
        str_printf(out, "?t=%lld", (long long)transcript);
    if (finding.ptr) {
        str_printf(out, "%sfinding=", transcript > 0 ? "&" : "?");
        str_add_escaped(out, finding);
    }
    if (message < 0)
        return;
    str_printf(out, "#m%lld", (long long)message);
    if (!member(at, "part").len)
        return;
    str_addc(out, ':');
    str_add_escaped(out, member(at, "part"));
    str_printf(out, ":%lld-%lld", (long long)number(at, "start", 0), (long long)number(at, "end", 0));
}

static void task_url(const struct mcp_view *view, const struct jvalue *v, struct str *out)
{
    struct slice task = member(v, "task_id");
    str_addz(out, "/c/");
    str_add_escaped(out, view->places[0]);
    /* no browser leaves a path with these alone */
    str_addz(out, slice_is(task, ".") || slice_is(task, "..") ? "/runs?task=" : "/tasks/");
    str_add_escaped(out, task);
}

static void finding_url(const struct jvalue *v, struct str *out)
{
    const struct jvalue *first = jat(jget(v, "evidence"), 0);
    struct slice run = member(jget(v, "run"), "id"), id = member(v, "id");
    if (run.ptr) {
        run_url(out, run, id, number(first, "position", 0), number(first, "message", -1), NULL);
    } else if (member(v, "collection").ptr) {
        str_addz(out, "/c/");
        str_add_escaped(out, member(v, "collection"));
        str_addz(out, "/findings?f=");
        str_add_escaped(out, id);
    }
}

/* Adds nothing where the page has no place for it. */
static void add_url(const struct mcp_view *view, const struct jvalue *v, struct str *out)
{
    switch (view->tool->link) {
    case LINK_NONE:
        break;
    case LINK_COLLECTION: /* an item of the list, or what is said of one */
        str_addz(out, "/c/");
        str_add_escaped(out, member(v, "id").ptr ? member(v, "id") : view->places[0]);
        break;
    case LINK_RUN:
        run_url(out, member(v, "id").ptr ? member(v, "id") : view->places[0], SLICE_NONE, 0, -1, NULL);
        break;
    case LINK_FINDING:
        finding_url(v, out);
        break;
    case LINK_TASK:
        task_url(view, jget(v, "task") && jget(v, "task")->type == J_OBJECT ? jget(v, "task") : v, out);
        break;
    case LINK_MESSAGE:
        run_url(out, view->places[0], SLICE_NONE, view->transcript, number(v, "index", -1), NULL);
        break;
    case LINK_HIT:
        run_url(out, member(v, "run"), SLICE_NONE, number(v, "transcript", 0), number(v, "message", -1), v);
        break;
    case LINK_LABEL:
        run_url(out, member(v, "run"), SLICE_NONE, 0, -1, NULL);
        break;
    }
}

/* What the link is called: the first of these that the thing has. */
static struct slice name_of(const struct mcp_view *view, const struct jvalue *v)
{
    static const char *const names[] = {"title", "external_id", "name", "task_id", "id"};
    int64_t message = number(v, view->tool->link == LINK_MESSAGE ? "index" : "message", -1);
    if ((view->tool->link == LINK_MESSAGE || view->tool->link == LINK_HIT) && message >= 0)
        return arena_printf(view->arena, "message %lld", (long long)message);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (member(v, names[i]).len)
            return slice_cut(member(v, names[i]), 200);
    return view->places[1].ptr ? view->places[1] : view->places[0].ptr ? view->places[0] : slice_str(view->tool->title);
}

static void write_url(struct mcp_view *view, const struct jvalue *v, struct jsonw *j)
{
    struct str url = STR_INIT(16 << 10);
    str_add_slice(&url, view->page);
    add_url(view, v, &url);
    if (url.len > view->page.len && !url.full) {
        jsonw_kstr(j, "url", str_slice(&url));
        if (view->nlinks < MCP_LINKS) {
            view->links[view->nlinks].url = arena_dup(view->arena, str_slice(&url));
            view->links[view->nlinks++].name = name_of(view, v);
        }
    }
    str_free(&url);
}

/* Evidence names its run and place by itself. */
static void write_evidence_url(const struct mcp_view *view, const struct jvalue *v, struct jsonw *j)
{
    struct str url = STR_INIT(16 << 10);
    str_add_slice(&url, view->page);
    run_url(&url, member(v, "run"), SLICE_NONE, number(v, "position", 0), number(v, "message", -1), v);
    if (!url.full)
        jsonw_kstr(j, "url", str_slice(&url));
    str_free(&url);
}

/* ---- cutting ------------------------------------------------------------------------------------------------------------ */

static bool in_words(const char *words, struct slice name)
{
    struct slice rest = slice_str(words ? words : "");
    while (rest.len)
        if (slice_eq(slice_take(&rest, ' '), name))
            return true;
    return false;
}

/* One value of which about `room` bytes may be shown. */
static void write_value(struct mcp_view *view, const struct jvalue *v, size_t room, int depth, struct jsonw *j);

static void write_text(struct slice text, size_t room, struct jsonw *j)
{
    struct slice head = slice_cut(text, room);
    if (head.len == text.len) {
        jsonw_str(j, text);
        return;
    }
    struct str cut = STR_INIT(head.len + 100);
    str_add_slice(&cut, head);
    str_printf(&cut, "… [%zu of %zu bytes; more with max_bytes]", head.len, text.len);
    jsonw_str(j, str_slice(&cut));
    str_free(&cut);
}

static void write_list(struct mcp_view *view, const struct jvalue *v, size_t room, int depth, struct jsonw *j)
{
    size_t began = j->out->len;
    jsonw_array(j);
    for (uint32_t i = 0; i < v->n; i++) {
        size_t used = j->out->len - began;
        if (i && used >= room) {
            struct slice note = arena_printf(view->arena, "… [%u of %u; more with max_bytes]", i, v->n);
            jsonw_str(j, note);
            break;
        }
        write_value(view, &v->items[i], room > used ? room - used : LEAST_CUT, depth + 1, j);
    }
    jsonw_end(j);
}

static void write_object(struct mcp_view *view, const struct jvalue *v, size_t room, int depth, struct jsonw *j)
{
    size_t began = j->out->len;
    bool evidence = jget(v, "quote") && jget(v, "part") && jget(v, "run");
    jsonw_object(j);
    for (uint32_t i = 0; i < v->n; i++) {
        size_t used = j->out->len - began;
        if (i && used >= room) {
            jsonw_kstr(j, "…", arena_printf(view->arena, "%u of %u members; more with max_bytes", i, v->n));
            break;
        }
        if (v->items[i].type == J_NULL) /* not there, or not known: an agent need not read that it is so */
            continue;
        jsonw_key_slice(j, v->keys[i]);
        write_value(view, &v->items[i], room > used ? room - used : LEAST_CUT, depth + 1, j);
    }
    if (evidence)
        write_evidence_url(view, v, j);
    jsonw_end(j);
}

static void write_value(struct mcp_view *view, const struct jvalue *v, size_t room, int depth, struct jsonw *j)
{
    switch (v->type) {
    case J_NULL:
    case J_FALSE:
    case J_TRUE:
    case J_NUMBER:
        jsonw_raw(j, jraw(view->arena, v));
        break;
    case J_STRING:
        write_text(v->text, room, j);
        break;
    case J_ARRAY:
    case J_OBJECT:
        if (depth > DEPTH_MOST)
            write_text(jraw(view->arena, v), room, j);
        else if (v->type == J_ARRAY)
            write_list(view, v, room, depth, j);
        else
            write_object(view, v, room, depth, j);
        break;
    }
}

/* A thing that the answer is about: all its members are there, each with `room`. */
static void write_thing(struct mcp_view *view, const struct jvalue *v, size_t room, struct jsonw *j)
{
    jsonw_object(j);
    for (uint32_t i = 0; i < v->n; i++)
        if (v->items[i].type != J_NULL && !in_words(view->tool->without, v->keys[i])) {
            jsonw_key_slice(j, v->keys[i]);
            write_value(view, &v->items[i], room, 2, j);
        }
    write_url(view, v, j);
    jsonw_end(j);
}

static void write_answer(struct mcp_view *view, const struct jvalue *answer, size_t room, struct str *out)
{
    struct jsonw j = jsonw_to(out);
    const struct jvalue *items = jget(answer, "items");
    view->nlinks = 0;
    if (!jis(items, J_ARRAY)) {
        write_thing(view, answer, room, &j);
        return;
    }
    jsonw_object(&j);
    for (uint32_t i = 0; i < answer->n; i++) {
        jsonw_key_slice(&j, answer->keys[i]);
        if (&answer->items[i] != items) {
            write_value(view, &answer->items[i], room, 1, &j);
            continue;
        }
        jsonw_array(&j); /* every item: "next" goes on after the last one */
        for (uint32_t k = 0; k < items->n; k++)
            if (items->items[k].type == J_OBJECT)
                write_thing(view, &items->items[k], room, &j);
            else
                write_value(view, &items->items[k], room, 2, &j);
        jsonw_end(&j);
    }
    jsonw_end(&j);
}

void mcp_view_write(struct mcp_view *view, const struct jvalue *answer, struct str *out)
{
    size_t room = view->max;
    for (;;) {
        str_reset(out);
        write_answer(view, answer, room, out);
        if (out->len <= view->max + ANSWER_SPARE || room <= LEAST_CUT)
            return;
        room = room / 2 > LEAST_CUT ? room / 2 : LEAST_CUT;
    }
}
