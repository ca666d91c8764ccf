/* The words that summaries leave out, looked up when a finding is made of them. */
#include "storage/blocks.h"

/* The place of a run's message: its transcript and index there. */
static bool find_message(struct store *s, int64_t run, int64_t message, struct evidence *out, int64_t *text, int64_t *error, struct err *e)
{
    struct stmt *q = db_prepare(s->db,
        "SELECT m.transcript, $1 - t.first, coalesce(m.text, -1), coalesce(m.error, -1) FROM message m"
        " JOIN transcript t ON t.id = (m.id >> 26 << 26) | m.transcript WHERE m.id = $2", e);
    bind_int(q, message);
    bind_int(q, child_id(run, message));
    if (stmt_step(q, e) != STEP_ROW)
        return false;
    out->transcript = (int32_t)take_int(q);
    out->message = (int32_t)take_int(q);
    *text = take_int(q);
    *error = take_int(q);
    stmt_reset(q);
    return true;
}

static void quote(struct evidence *out, struct slice run, struct slice text, struct arena *a)
{
    out->run = arena_dup(a, run);
    out->quote = text;
    out->end = (uint32_t)text.len;
}

static bool quote_call(void *ctx, struct slice id, uint32_t call, struct arena *a, struct evidence *out)
{
    struct store *s = ctx;
    int64_t run, text, error;
    struct slice arguments;
    *out = (struct evidence){0};
    if (!run_find(s, id, &run, NULL))
        return false;
    struct stmt *q = db_prepare(s->db, "SELECT message, position, coalesce(arguments, -1) FROM tool_call WHERE id = $1", NULL);
    bind_int(q, child_id(run, call));
    if (stmt_step(q, NULL) != STEP_ROW)
        return false;
    int64_t message = take_int(q), position = take_int(q), number = take_int(q);
    stmt_reset(q);
    if (!find_message(s, run, message, out, &text, &error, NULL) || !text_read(s, number, a, &arguments, NULL) || !arguments.len)
        return false;
    out->part = arena_printf(a, "call:%d.arguments", (int)position);
    quote(out, id, arguments, a);
    return true;
}

static bool quote_error(void *ctx, struct slice id, const struct error_line *line, struct arena *a, struct evidence *out)
{
    struct store *s = ctx;
    int64_t run, text, error;
    struct slice words;
    *out = (struct evidence){.transcript = -1, .message = -1, .part = slice_str("run.error")};
    if (!run_find(s, id, &run, NULL))
        return false;
    if (line->message == UINT32_MAX) {
        struct stmt *q = db_prepare(s->db, "SELECT error FROM run_detail WHERE run = $1", NULL);
        bind_int(q, run);
        if (stmt_step(q, NULL) != STEP_ROW)
            return false;
        words = take_text(q, a);
        stmt_reset(q);
    } else {
        out->part = slice_str(line->in_error ? "error" : "text");
        if (!find_message(s, run, line->message, out, &text, &error, NULL) || !text_read(s, line->in_error ? error : text, a, &words, NULL))
            return false;
    }
    if ((uint64_t)line->start + line->len > words.len || !line->len)
        return false;
    quote(out, id, slice_sub(words, line->start, line->len), a);
    out->start = line->start;
    out->end = line->start + line->len;
    return true;
}

static bool quote_finding(void *ctx, struct slice id, struct arena *a, struct evidence *out)
{
    struct finding_row row;
    if (!store_finding(ctx, id, a, &row, NULL) || !row.finding.nevidence)
        return false;
    *out = row.finding.evidence[0];
    return true;
}

static bool quote_answer(void *ctx, struct slice id, struct arena *a, struct evidence *out)
{
    struct store *s = ctx;
    int64_t run;
    *out = (struct evidence){.transcript = -1, .message = -1};
    if (!run_find(s, id, &run, NULL))
        return false;
    struct stmt *q = db_prepare(s->db, "SELECT name, coalesce(answer, -1) FROM score WHERE id BETWEEN $1 AND $2 ORDER BY id", NULL);
    bind_int(q, child_first(run));
    bind_int(q, child_last(run));
    while (stmt_step(q, NULL) == STEP_ROW) {
        struct slice name = take_text(q, a), answer = SLICE_NONE;
        if (!text_read(s, take_int(q), a, &answer, NULL) || !slice_trim(answer).len)
            continue;
        stmt_reset(q);
        out->part = arena_printf(a, "score:%.*s.answer", SLICE_ARG(name));
        quote(out, id, answer, a);
        return true;
    }
    return false;
}

struct quotes store_quotes(struct store *s)
{
    return (struct quotes){.call = quote_call, .error = quote_error, .finding = quote_finding, .answer = quote_answer, .ctx = s};
}
