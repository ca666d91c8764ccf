/* WebVoyager: a folder a task, in it interact_messages.json, the chat as OpenAI's API has it, whose pictures were taken out
 * ("data:image/png;base64,{b64_img}"), and beside it screenshotN.png, accessibility_treeN.* and agent.log.
 *
 * The N-th message of the user was sent with the N-th screenshot (there is none where the action before it had failed). What the user says after an
 * action is what came of it. The action, "Action: Type [3]; words", is a call beside the text. agent.log tells the tokens of each answer. */
#include "ingest/fmt.h"

#include "base/jsonw.h"

#include <ctype.h>
#include <stdlib.h>

static const char placeholder[] = "{b64_img}";

/* The text of a message: its content, or the first part of it. */
static struct slice text_of(const struct jvalue *message)
{
    const struct jvalue *content = jget(message, "content");
    return jis(content, J_ARRAY) ? jstr(jget(jat(content, 0), "text")) : jstr(content);
}

static int probe(const struct sample *sample)
{
    if (!sample->array || sample->n < 2)
        return 0;
    const struct jvalue *system = sample->records[0].value, *user = sample->records[1].value;
    struct slice task = text_of(user);
    return slice_is(jstr(jget(system, "role")), "system") && slice_starts(task, "Now given a task:") &&
           slice_find(task, slice_str("Please interact with ")) >= 0 ? 95 : 0;
}

struct task {
    void *chat;                        /* the state of the reader of the messages */
    const struct sink *sink;
    const struct companions *beside;
    struct slice folder;               /* "taskGitHub--0"; absent: unknown */
    struct arena a;                    /* of the folder's name */
};

/* ---- actions ------------------------------------------------------------------------------------------------------------ */

/* "Type [3]; words" → type {"element": "3", "text": "words"}; "Click [3]", "Scroll [WINDOW]; down", "Wait", "ANSWER; words". */
static bool read_action(struct arena *a, struct slice text, struct tool_call *call)
{
    static const struct slice mark = SLICE_LIT("Action:");
    static const struct { const char *tool, *words; } tools[] = {
        {"click", NULL}, {"type", "text"}, {"scroll", "direction"}, {"wait", NULL}, {"goback", NULL}, {"google", NULL}, {"answer", "answer"},
    };
    ptrdiff_t at = slice_find(text, mark);
    struct slice action = at < 0 ? SLICE_NONE : slice_trim(slice_sub(text, (size_t)at + mark.len, text.len));
    size_t n = 0, k = 0;
    while (n < action.len && isalpha((unsigned char)action.ptr[n]))
        n++;
    struct slice name = slice_sub(action, 0, n), rest = slice_trim(slice_sub(action, n, action.len)), element = SLICE_NONE;
    while (k < sizeof tools / sizeof *tools && !slice_eq_nocase(name, slice_str(tools[k].tool)))
        k++;
    if (k == sizeof tools / sizeof *tools)
        return false;
    const char *end = rest.len && *rest.ptr == '[' ? memchr(rest.ptr, ']', rest.len) : NULL;
    if (end) {
        element = slice_sub(rest, 1, (size_t)(end - rest.ptr) - 1);
        rest = slice_trim(slice_sub(rest, (size_t)(end - rest.ptr) + 1, rest.len));
    }
    if (rest.len && *rest.ptr == ';')
        rest = slice_trim(slice_sub(rest, 1, rest.len));
    struct meta arguments = META_INIT;
    meta_text(&arguments, "element", element);
    if (rest.len)
        meta_text(&arguments, tools[k].words ? tools[k].words : "words", rest);
    call->name = name;
    call->arguments = arguments.out.len ? meta_end(&arguments, a) : slice_str("{}");
    return true;
}

static void read_actions(struct arena *a, struct transcript *t)
{
    struct slice tool = SLICE_NONE;
    for (size_t i = 0; i < t->nmessages; i++) {
        struct message *m = &t->messages[i];
        struct tool_call call = {0};
        if (m->role == ROLE_ASSISTANT && !m->ncalls && read_action(a, m->text, &call)) {
            m->calls = arena_new(a, struct tool_call);
            *m->calls = call;
            m->ncalls = 1;
            tool = call.name;
        } else if (m->role == ROLE_USER && tool.ptr) {
            m->role = ROLE_TOOL;
            m->tool_name = tool;
            tool = SLICE_NONE;
        }
    }
}

/* ---- what stands beside ------------------------------------------------------------------------------------------------- */

/* "screenshot12.png", "accessibility_tree12.txt" → 12; 0: no number. */
static size_t number_in(struct slice name)
{
    size_t n = 0, i = 0;
    while (i < name.len && !isdigit((unsigned char)name.ptr[i]))
        i++;
    for (size_t from = i; i < name.len && i < from + 9 && isdigit((unsigned char)name.ptr[i]); i++)
        n = 10 * n + (size_t)(name.ptr[i] - '0');
    return n;
}

/* The N-th message that the user sent, which may be a tool's by now; where there are fewer, the last. NULL: none at all. */
static struct message *sent(const struct transcript *t, size_t n)
{
    struct message *last = NULL;
    for (size_t i = 0; i < t->nmessages && n; i++)
        if (t->messages[i].role == ROLE_USER || t->messages[i].role == ROLE_TOOL) {
            last = &t->messages[i];
            n--;
        }
    return last;
}

static void add_picture(struct arena *a, struct message *m, struct slice bytes)
{
    struct blob blob = {.media_type = slice_str("image/png"), .bytes = bytes, .size = bytes.len};
    sha256_of(bytes, blob.sha256);
    for (size_t i = 0; i < m->nblobs; i++) {
        if (memcmp(m->blobs[i].sha256, blob.sha256, SHA256_SIZE) == 0)
            return; /* the message has it already */
        if (slice_find(m->blobs[i].url, slice_str(placeholder)) >= 0) {
            m->blobs[i] = blob;
            return;
        }
    }
    struct blob *more = arena_array(a, struct blob, m->nblobs + 1);
    if (m->nblobs)
        memcpy(more, m->blobs, m->nblobs * sizeof *more);
    more[m->nblobs++] = blob;
    m->blobs = more;
}

static void add_text(struct arena *a, struct slice *metadata, struct slice key, struct slice text)
{
    struct meta meta = meta_resume(*metadata);
    struct str *out = meta_key(&meta, key);
    str_addc(out, '"');
    jsonw_escape(out, text);
    str_addc(out, '"');
    *metadata = meta_end(&meta, a);
}

/* The number behind a label on a line. */
static int64_t count_after(struct slice line, const char *label)
{
    ptrdiff_t at = slice_find(line, slice_str(label));
    struct slice rest = at < 0 ? SLICE_NONE : slice_sub(line, (size_t)at + strlen(label), line.len);
    int64_t n = 0;
    size_t i = 0;
    for (; i < rest.len && i < 15 && isdigit((unsigned char)rest.ptr[i]); i++)
        n = 10 * n + (rest.ptr[i] - '0');
    return i ? n : COUNT_UNKNOWN;
}

static void read_cost(struct run *run, struct slice line)
{
    static const char label[] = "Total cost: ";
    ptrdiff_t at = slice_find(line, slice_str(label));
    char number[32] = "";
    struct slice rest = at < 0 ? SLICE_NONE : slice_trim(slice_sub(line, (size_t)at + sizeof label - 1, line.len));
    if (!rest.len || rest.len >= sizeof number)
        return;
    memcpy(number, rest.ptr, rest.len);
    char *end;
    double cost = strtod(number, &end);
    if (!*end && cost >= 0)
        run->cost_usd = cost;
}

/* "INFO - Prompt Tokens: 1200; Completion Tokens: 80", a line an answer. */
static void read_log(struct run *run, struct slice log)
{
    struct transcript *t = run->transcripts;
    size_t next = 0;
    for (struct slice line; log.len; log = slice_sub(log, line.len, log.len)) {
        const char *end = memchr(log.ptr, '\n', log.len);
        line = slice_sub(log, 0, end ? (size_t)(end - log.ptr) + 1 : log.len);
        read_cost(run, line);
        int64_t in = count_after(line, " - Prompt Tokens: "), out = count_after(line, "; Completion Tokens: ");
        if (in == COUNT_UNKNOWN || out == COUNT_UNKNOWN)
            continue;
        run->tokens_in = fmt_sum(run->tokens_in, in);
        run->tokens_out = fmt_sum(run->tokens_out, out);
        while (next < t->nmessages && t->messages[next].role != ROLE_ASSISTANT)
            next++;
        if (next == t->nmessages)
            continue;
        t->messages[next].tokens_in = in;
        t->messages[next++].tokens_out = out;
    }
}

static void read_beside(struct arena *a, struct run *run, const struct companions *beside, const struct sink *sink)
{
    for (size_t i = 0; beside && i < beside->n; i++) {
        struct slice path = beside->paths[i], bytes;
        struct err e = {0};
        if (!beside->load(beside->ctx, i, a, &bytes, &e)) {
            sink->refuse(sink->ctx, path, e.code, e.text);
            continue;
        }
        size_t n = number_in(path);
        struct message *m = slice_is(path, "agent.log") ? NULL : sent(run->transcripts, n ? n : SIZE_MAX);
        if (m && slice_starts(path, "screenshot"))
            add_picture(a, m, bytes);
        else
            add_text(a, m ? &m->metadata : &run->metadata, path, bytes);
        if (slice_is(path, "agent.log"))
            read_log(run, bytes);
    }
}

/* ---- the run ------------------------------------------------------------------------------------------------------------ */

static bool take_run(void *ctx, struct arena *a, struct run *run, struct err *e)
{
    struct task *task = ctx;
    run->agent = slice_str("webvoyager");
    if (task->folder.ptr) {
        run->name = arena_dup(a, task->folder);
        run->task_id = slice_sub(run->name, 4, run->name.len);
    }
    if (run->ntranscripts) {
        read_actions(a, run->transcripts);
        read_beside(a, run, task->beside, task->sink);
        task->beside = NULL; /* of another run in the file nothing says which of them are its own */
    }
    return task->sink->run(task->sink->ctx, a, run, e);
}

static void refuse(void *ctx, struct slice location, enum err_code code, const char *message)
{
    const struct task *task = ctx;
    task->sink->refuse(task->sink->ctx, location, code, message);
}

/* "…/taskGitHub--0/interact_messages.json" → "taskGitHub--0" */
static struct slice folder_of(struct slice file)
{
    size_t end = file.len;
    while (end && file.ptr[end - 1] != '/')
        end--;
    size_t from = end ? end - 1 : 0, last = from;
    while (from && file.ptr[from - 1] != '/')
        from--;
    struct slice folder = slice_sub(file, from, last - from);
    return slice_starts(folder, "task") && folder.len > 4 ? folder : SLICE_NONE;
}

static bool feed(void **state, const struct record *record, const struct sink *sink, struct err *e)
{
    struct task *task = *state;
    if (!task) {
        task = *state = calloc(1, sizeof *task);
        if (!task)
            abort();
        struct slice folder = folder_of(record->file);
        task->folder = folder.ptr ? arena_dup(&task->a, folder) : SLICE_NONE;
        task->beside = record->beside;
    }
    task->sink = sink;
    return fmt_openai.feed(&task->chat, record, &(struct sink){.run = take_run, .refuse = refuse, .ctx = task}, e);
}

static bool close_file(void **state, const struct sink *sink, struct err *e)
{
    struct task *task = *state;
    if (!task)
        return true;
    task->sink = sink;
    bool ok = fmt_openai.close(&task->chat, &(struct sink){.run = take_run, .refuse = refuse, .ctx = task}, e);
    arena_free(&task->a);
    free(task);
    *state = NULL;
    return ok;
}

static const struct companion_rule beside[] = {
    {"interact_messages.json", "screenshot%.png"},
    {"interact_messages.json", "accessibility_tree%"},
    {"interact_messages.json", "agent.log"},
    {NULL, NULL},
};

const struct format fmt_webvoyager = {
    .name = "webvoyager",
    .about = "WebVoyager's interact_messages.json: the chat of a browsing agent, with the screenshots and the log beside it",
    .probe = probe,
    .feed = feed,
    .close = close_file,
    .companions = beside,
};
