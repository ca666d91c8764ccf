/* Chat histories of Aider (.aider.chat.history.md): Markdown, several chats a file, each a run.
 *
 *     # aider chat started at 2024-08-12 15:03:27
 *     > Aider v0.49.2             what aider says, and what commands print
 *     #### what the user says     a line each of what was typed
 *     what the model says
 *     > Tokens: 26,200 sent, 680 received. Cost: $0.09 request, $0.12 session.
 *
 * The lines are told apart by their beginnings alone, as aider itself does when it reads them back: inside a code block of the model too.
 * What aider says before the model has spoken is a system's message, afterwards a tool's. Transcripts on its website are the same in
 * <div class="chat-transcript">, without a date, with prose around them.
 *
 * Its benchmark writes .aider.results.json beside a history: {"testcase", "model", "tests_outcomes": [bool of each try], "cost", "duration", …}. */
#include "ingest/fmt.h"

#include "base/clock.h"

#include <stdlib.h>

static const char chat_mark[] = "# aider chat started at ", site_mark[] = "<div class=\"chat-transcript\"", site_end[] = "</div>";

/* Does a line of the text begin so? */
static bool has_line(struct slice text, const char *beginning)
{
    if (slice_starts(text, beginning))
        return true;
    struct arena scratch = {0};
    bool found = slice_find(text, arena_printf(&scratch, "\n%s", beginning)) >= 0;
    arena_free(&scratch);
    return found;
}

static bool is_results(const struct jvalue *v)
{
    return jis(jget(v, "tests_outcomes"), J_ARRAY) && jis(jget(v, "testcase"), J_STRING) && jget(v, "model");
}

static int probe(const struct sample *sample)
{
    if (!sample->n)
        return 0;
    if (!sample->text)
        return sample->document && is_results(sample->records[0].value) ? 95 : 0;
    struct slice text = jstr(sample->records[0].value);
    if (has_line(text, chat_mark))
        return 96;
    if (has_line(text, site_mark) && has_line(text, "#### "))
        return 92;
    return has_line(text, "> Aider v") || (has_line(text, "> Tokens: ") && slice_find(text, slice_str(" received")) >= 0) ? 85 : 0;
}

/* A line belongs to one of these; a message is a block of lines of one kind. */
enum block { BLOCK_NONE, BLOCK_USER, BLOCK_NOTICE, BLOCK_MODEL };

struct chat {
    struct arena *a;            /* of the run; NULL before the first line */
    struct run *run;
    struct messages list;
    struct meta meta;
    enum block block;
    struct str text;            /* of the block */
    struct str around;          /* of a website's page: what stands outside of the transcript */
    bool site, inside;          /* a page with transcripts; in one of them */
    bool spoken;                /* the model has said something */
    size_t answer;              /* the last message of the model */
    uint64_t line;              /* where the run begins */
    size_t delivered;           /* runs before it */
    const struct jvalue *results;
};

/* A part of a text may be as long as the largest of values. */
#define BLOCK_BYTES ((size_t)1 << 30)

/* ---- what aider says ----------------------------------------------------------------------------------------------------- */

/* "26,200 ", and as aider rounds what is more than a thousand or a million: "1.5k ", "12k ", "2.1M ". */
static int64_t read_count(struct slice text)
{
    enum { DIGITS = 12 };
    int64_t n = 0, parts = 1; /* of a unit: 1.5 is 15 of 10 parts */
    bool point = false;
    size_t i = 0;
    for (; i < text.len && i < DIGITS; i++) {
        if (text.ptr[i] >= '0' && text.ptr[i] <= '9') {
            n = 10 * n + (text.ptr[i] - '0');
            parts *= point ? 10 : 1;
        } else if (text.ptr[i] == '.' && i && !point) {
            point = true;
        } else if (text.ptr[i] != ',') {
            break;
        }
    }
    char letter = i && i < text.len ? text.ptr[i] : '\0';
    int64_t unit = letter == 'k' ? 1000 : letter == 'M' ? 1000000 : 1;
    i += unit > 1;
    return i && i < text.len && text.ptr[i] == ' ' && n * unit % parts == 0 ? n * unit / parts : COUNT_UNKNOWN;
}

/* "Tokens: 26,200 sent, 1.5k cache hit, 680 received. Cost: $0.09 request, $0.12 session." */
static void read_tokens(struct chat *c, struct slice line)
{
    struct slice sent = slice_sub(line, strlen("Tokens: "), line.len);
    ptrdiff_t received = slice_find(sent, slice_str(" received")), session = slice_find(line, slice_str(" session"));
    if (c->spoken && received >= 0) {
        struct message *m = &c->list.items[c->answer];
        size_t begin = (size_t)received;
        while (begin && sent.ptr[begin - 1] != ' ')
            begin--;
        m->tokens_in = read_count(sent);
        m->tokens_out = read_count(slice_sub(sent, begin, sent.len));
    }
    size_t from = session < 0 ? 0 : (size_t)session;
    while (from && line.ptr[from - 1] != '$')
        from--;
    if (from) {
        char *number = arena_strdup(c->a, slice_sub(line, from, (size_t)session - from)), *end;
        double cost = strtod(number, &end);
        if (!*end && end != number && cost >= 0 && cost < 1e9)
            c->run->cost_usd = cost;
    }
}

static void read_notice(struct chat *c, struct slice line)
{
    static const char *const models[] = {"Model: ", "Models: ", "Main model: "};
    if (slice_starts(line, "Aider v") && !c->run->agent.ptr)
        c->run->agent = arena_dup(c->a, slice_trim(line));
    if (slice_starts(line, "Tokens: "))
        read_tokens(c, line);
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        if (!slice_starts(line, models[i]))
            continue;
        struct slice name = slice_sub(line, strlen(models[i]), line.len);
        ptrdiff_t end = slice_find(name, slice_str(" with "));
        c->run->model = arena_dup(c->a, slice_trim(slice_sub(name, 0, end < 0 ? name.len : (size_t)end)));
    }
}

/* ---- blocks -------------------------------------------------------------------------------------------------------------- */

/* Blank lines around a block are how aider sets them apart. */
static struct slice without_blank_lines(struct slice text)
{
    while (text.len && (text.ptr[text.len - 1] == '\n' || text.ptr[text.len - 1] == '\r'))
        text.len--;
    while (text.len && (*text.ptr == '\n' || *text.ptr == '\r'))
        text = slice_sub(text, 1, text.len);
    return text;
}

static void end_block(struct chat *c)
{
    struct slice text = without_blank_lines(str_slice(&c->text));
    enum block block = c->block;
    c->block = BLOCK_NONE;
    if (block != BLOCK_NONE && slice_trim(text).len) {
        struct message *m = messages_add(c->a, &c->list);
        m->role = block == BLOCK_USER ? ROLE_USER : block == BLOCK_MODEL ? ROLE_ASSISTANT : c->spoken ? ROLE_TOOL : ROLE_SYSTEM;
        m->text = arena_dup(c->a, text);
        if (block == BLOCK_MODEL) {
            c->spoken = true;
            c->answer = c->list.n - 1;
        }
    }
    str_reset(&c->text);
}

static void begin_run(struct chat *c, uint64_t line)
{
    c->a = fmt_arena();
    c->run = arena_new(c->a, struct run);
    run_init(c->run);
    c->list = (struct messages){0};
    c->meta = META_INIT;
    c->spoken = false;
    c->line = line;
}

/* The verdict of the benchmark: the last try passed. A run of one chat has it. */
static void read_results(struct arena *a, struct run *run, struct meta *meta, const struct jvalue *v)
{
    static const char *const known[] = {"testcase", "model", "cost", "tests_outcomes", NULL};
    const struct jvalue *outcomes = jget(v, "tests_outcomes");
    double cost;
    run->task_id = jtext(jget(v, "testcase"));
    run->model = fmt_string(a, jget(v, "model"));
    if (jnum(jget(v, "cost"), &cost))
        run->cost_usd = cost;
    if (outcomes->n) {
        run->success = fmt_verdict(&outcomes->items[outcomes->n - 1]);
        fmt_score(a, run, slice_str("tests_outcomes"))->value = jraw(a, outcomes);
    }
    meta_rest(meta, v, known);
}

/* `last`: no other chat follows in this file. */
static bool end_run(struct chat *c, bool last, const struct sink *sink, struct err *e)
{
    if (!c->a)
        return true;
    end_block(c);
    if (!c->list.n && !c->run->started_at.ptr && !c->meta.out.len) { /* blank lines before the first chat */
        meta_end(&c->meta, c->a);
        fmt_discard(c->a);
        c->a = NULL;
        return true;
    }
    if (!(last && !c->delivered)) /* one of several is known by its place */
        c->run->external_id = c->run->source.location = arena_printf(c->a, "line %llu", (unsigned long long)c->line);
    if (slice_trim(str_slice(&c->around)).len)
        meta_text(&c->meta, "around", str_slice(&c->around));
    str_reset(&c->around);
    if (last && !c->delivered && c->results) {
        struct jvalue *copy;
        fmt_copy(c->a, c->results, &copy);
        read_results(c->a, c->run, &c->meta, copy);
    }
    fmt_transcript(c->a, c->run, &c->list);
    c->run->metadata = meta_end(&c->meta, c->a);
    struct arena *a = c->a;
    c->a = NULL;
    c->delivered++;
    return sink->run(sink->ctx, a, c->run, e);
}

static enum block block_of(const struct chat *c, struct slice line, size_t *prefix)
{
    *prefix = 0;
    if (slice_starts(line, "#### ")) {
        *prefix = strlen("#### ");
        return BLOCK_USER;
    }
    bool quoted = slice_starts(line, "> "), bare = slice_is(slice_trim(line), ">") || (c->site && slice_starts(line, ">") && !slice_starts(line, ">>"));
    if (!quoted && !bare)
        return BLOCK_MODEL;
    *prefix = quoted ? 2 : 1;
    return BLOCK_NOTICE;
}

/* A line with its line break. */
static bool read_line(struct chat *c, struct slice line, uint64_t number, const struct sink *sink, struct err *e)
{
    size_t prefix;
    if (slice_starts(line, chat_mark)) {
        if (!end_run(c, false, sink, e))
            return false;
        begin_run(c, number);
        struct slice date = slice_trim(slice_sub(line, strlen(chat_mark), line.len));
        if (!clock_normalize(c->a, date, &c->run->started_at))
            meta_text(&c->meta, "started_at", date);
        return true;
    }
    if (!c->a)
        begin_run(c, number);
    if (slice_starts(line, site_mark) || (c->site && slice_starts(line, site_end))) {
        if (!c->site) { /* what came before was the page's own words */
            end_block(c);
            for (size_t i = 0; i < c->list.n; i++) {
                str_add_slice(&c->around, c->list.items[i].text);
                str_addc(&c->around, '\n');
            }
            c->list.n = 0;
            c->spoken = false;
            c->site = true;
        }
        end_block(c);
        c->inside = slice_starts(line, site_mark);
        return true;
    }
    if (c->site && !c->inside) {
        str_add_slice(&c->around, line);
        return true;
    }
    enum block block = block_of(c, line, &prefix);
    if (block == BLOCK_MODEL && c->block != BLOCK_MODEL && !slice_trim(line).len) {
        end_block(c);
        return true;
    }
    if (block != c->block)
        end_block(c);
    c->block = block;
    struct slice said = slice_sub(line, prefix, line.len);
    str_add_slice(&c->text, said);
    if (block == BLOCK_NOTICE)
        read_notice(c, said);
    return true;
}

/* ---- files --------------------------------------------------------------------------------------------------------------- */

struct aider {
    struct chat chat;
    struct arena beside;        /* of the results */
};

static void read_beside(struct aider *s, const struct record *record, const struct sink *sink)
{
    const struct companions *files = record->beside;
    for (size_t i = 0; files && i < files->n; i++) {
        struct slice bytes;
        struct jvalue *v;
        struct err why = {0};
        if (!files->load(files->ctx, i, &s->beside, &bytes, &why) || !jread(&s->beside, bytes, NULL, NULL, &v, &why))
            sink->refuse(sink->ctx, files->paths[i], why.code, why.text);
        else if (is_results(v))
            s->chat.results = v;
        else
            sink->refuse(sink->ctx, files->paths[i], ERR_NOT_TRANSCRIPT, "no results of Aider's benchmark: testcase or tests_outcomes is missing");
    }
}

static bool feed_results(const struct record *record, const struct sink *sink, struct err *e)
{
    struct arena *a = fmt_take(record);
    struct run *run = arena_new(a, struct run);
    struct meta meta = META_INIT;
    run_init(run);
    read_results(a, run, &meta, record->value);
    fmt_transcript(a, run, NULL);
    run->metadata = meta_end(&meta, a);
    return sink->run(sink->ctx, a, run, e);
}

static bool feed(void **state, const struct record *record, const struct sink *sink, struct err *e)
{
    struct aider *s = *state;
    struct slice text = jstr(record->value);
    uint64_t number = record->line;
    if (is_results(record->value))
        return feed_results(record, sink, e);
    if (!text.ptr) {
        sink->refuse(sink->ctx, record->location, ERR_NOT_TRANSCRIPT, "no chat history of Aider, and no results of its benchmark");
        return true;
    }
    if (!s) {
        s = *state = calloc(1, sizeof *s);
        if (!s)
            abort();
        s->chat.text = s->chat.around = STR_INIT(BLOCK_BYTES);
        read_beside(s, record, sink);
    }
    for (struct slice line; text.len; text = slice_sub(text, line.len, text.len)) {
        const char *end = memchr(text.ptr, '\n', text.len);
        line = slice_sub(text, 0, end ? (size_t)(end - text.ptr) + 1 : text.len);
        if (!read_line(&s->chat, line, number++, sink, e))
            return false;
    }
    return true;
}

static bool close_file(void **state, const struct sink *sink, struct err *e)
{
    struct aider *s = *state;
    bool ok = true;
    if (!s)
        return true;
    ok = end_run(&s->chat, true, sink, e);
    str_free(&s->chat.text);
    str_free(&s->chat.around);
    arena_free(&s->beside);
    free(s);
    *state = NULL;
    return ok;
}

static const struct companion_rule companions[] = {{".aider.chat.history.md", ".aider.results.json"}, {NULL, NULL}};

const struct format fmt_aider = {
    .name = "aider",
    .about = "Aider chat histories in Markdown: # aider chat started at, #### what the user says, > what aider says; its benchmark's results",
    .probe = probe,
    .feed = feed,
    .close = close_file,
    .companions = companions,
};
