/* Places in a run → evidence: the part's name, the byte range, the quoted words. */
#include "detect/event.h"

#include <ctype.h>

static const struct message *message_at(const struct run *run, const struct span *span)
{
    return span->transcript < 0 || span->message < 0 ? NULL : &run->transcripts[span->transcript].messages[span->message];
}

struct slice span_text(const struct run *run, const struct span *span)
{
    const struct message *m = message_at(run, span);
    const struct tool_call *c = m && span->nth < m->ncalls ? &m->calls[span->nth] : NULL;
    const struct score *s = span->nth < run->nscores ? &run->scores[span->nth] : NULL;
    switch (span->part) {
    case PART_TEXT: return m ? m->text : SLICE_NONE;
    case PART_REASONING: return m ? m->reasoning : SLICE_NONE;
    case PART_ERROR: return m ? m->error : SLICE_NONE;
    case PART_CALL_NAME: return c ? c->name : SLICE_NONE;
    case PART_CALL_ARGUMENTS: return c ? c->arguments : SLICE_NONE;
    case PART_RUN_EXIT_STATUS: return run->exit_status;
    case PART_RUN_ERROR: return run->error;
    case PART_RUN_LIMIT: return run->limit;
    case PART_SCORE_VALUE: return s ? s->value : SLICE_NONE;
    case PART_SCORE_ANSWER: return s ? s->answer : SLICE_NONE;
    case PART_SCORE_TARGET: return s ? s->target : SLICE_NONE;
    case PART_SCORE_EXPLANATION: return s ? s->explanation : SLICE_NONE;
    case PART_NONE: return SLICE_NONE;
    }
    return SLICE_NONE;
}

static struct slice part_name(struct arena *a, const struct run *run, const struct span *span)
{
    struct slice score = span->nth < run->nscores ? run->scores[span->nth].name : SLICE_NONE;
    switch (span->part) {
    case PART_TEXT: return slice_str("text");
    case PART_REASONING: return slice_str("reasoning");
    case PART_ERROR: return slice_str("error");
    case PART_CALL_NAME: return arena_printf(a, "call:%u.name", span->nth);
    case PART_CALL_ARGUMENTS: return arena_printf(a, "call:%u.arguments", span->nth);
    case PART_RUN_EXIT_STATUS: return slice_str("run.exit_status");
    case PART_RUN_ERROR: return slice_str("run.error");
    case PART_RUN_LIMIT: return slice_str("run.limit");
    case PART_SCORE_VALUE: return arena_printf(a, "score:%.*s.value", SLICE_ARG(score));
    case PART_SCORE_ANSWER: return arena_printf(a, "score:%.*s.answer", SLICE_ARG(score));
    case PART_SCORE_TARGET: return arena_printf(a, "score:%.*s.target", SLICE_ARG(score));
    case PART_SCORE_EXPLANATION: return arena_printf(a, "score:%.*s.explanation", SLICE_ARG(score));
    case PART_NONE: return SLICE_NONE;
    }
    return SLICE_NONE;
}

static bool continues(struct slice text, size_t at) { return at < text.len && ((unsigned char)text.ptr[at] & 0xC0) == 0x80; }

bool span_evidence(struct arena *a, const struct run *run, struct span span, struct evidence *out)
{
    struct slice text = span_text(run, &span);
    size_t start = span.start, end = span.end < text.len ? span.end : text.len;
    if (!text.ptr || start >= end)
        return false;
    while (start > 0 && continues(text, start))
        start--;
    while (continues(text, end))
        end++;
    if (end - start > QUOTE_MAX)
        end = start + slice_cut(slice_sub(text, start, end - start), QUOTE_MAX).len;
    *out = (struct evidence){
        .transcript = span.transcript,
        .message = span.message,
        .part = part_name(a, run, &span),
        .start = (uint32_t)start,
        .end = (uint32_t)end,
        .quote = slice_sub(text, start, end - start),
    };
    /* Of two scores of one name, a part's name can only mean the first. */
    return run_part(run, message_at(run, &span), out->part).ptr == text.ptr;
}

/* ---- whole words ------------------------------------------------------------------------------------------------------ */

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_wordy(struct slice text, size_t at)
{
    unsigned char c = (unsigned char)text.ptr[at], before = at ? (unsigned char)text.ptr[at - 1] : 0;
    bool letters = c >= 0xC3 && c <= 0xDF; /* the sequences of two bytes from U+00C0 on, nearly all of them letters */
    return isalnum(c) || c == '_' || letters || ((c & 0xC0) == 0x80 && before >= 0xC3 && before <= 0xDF);
}

/* Do the bytes on both sides of `at` belong to one word or number? */
static bool is_inside_word(struct slice text, size_t at)
{
    if (!at || at >= text.len)
        return false;
    char left = text.ptr[at - 1], right = text.ptr[at];
    return (is_wordy(text, at - 1) && is_wordy(text, at)) ||
           (right == '.' && is_digit(left) && at + 1 < text.len && is_digit(text.ptr[at + 1])) ||
           (left == '.' && is_digit(right) && at > 1 && is_digit(text.ptr[at - 2]));
}

/* The letters of an escape (\n, \u00e9) in front of a word are none of it. */
static size_t after_escape(struct slice text, size_t start)
{
    size_t slashes = 0;
    while (slashes < start && text.ptr[start - 1 - slashes] == '\\')
        slashes++;
    return slashes % 2 == 0 || start == text.len ? start : start + (text.ptr[start] == 'u' ? 5 : 1);
}

struct span span_whole_words(const struct run *run, struct span span)
{
    enum { WORD = 64 }; /* bytes a side: what is longer is no word */
    struct slice text = span_text(run, &span);
    size_t start = span.start, end = span.end;
    if (start >= end || end > text.len)
        return span;
    while (is_inside_word(text, start) && span.start - start <= WORD)
        start--;
    start = after_escape(text, start);
    while (is_inside_word(text, end) && end - span.end <= WORD)
        end++;
    if (start < span.start && span.start - start <= WORD)
        span.start = (uint32_t)start;
    if (end - span.end <= WORD)
        span.end = (uint32_t)end;
    return span;
}

struct span span_opening(const struct run *run, struct span whole)
{
    enum { LINE = 200 };
    size_t most = whole.part == PART_CALL_ARGUMENTS ? QUOTE_MAX : LINE; /* of a command, its end is as telling as its start */
    struct slice text = span_text(run, &whole);
    size_t start = 0;
    while (start < text.len && strchr(" \t\r\n", text.ptr[start]) && text.ptr[start])
        start++;
    struct slice rest = slice_cut(slice_sub(text, start, text.len), most);
    const char *end = memchr(rest.ptr ? rest.ptr : "", '\n', rest.len);
    whole.start = (uint32_t)start;
    whole.end = (uint32_t)(start + (end ? (size_t)(end - rest.ptr) : rest.len));
    return whole;
}

bool span_of_message(const struct run *run, int32_t transcript, int32_t message, struct span *out)
{
    const struct message *m = &run->transcripts[transcript].messages[message];
    *out = (struct span){.transcript = transcript, .message = message, .part = PART_TEXT};
    if (slice_trim(m->text).len == 0)
        out->part = m->error.len                 ? PART_ERROR
                    : !m->ncalls                 ? PART_REASONING
                    : call_is_bare(&m->calls[0]) ? PART_CALL_NAME
                                                 : PART_CALL_ARGUMENTS;
    *out = span_opening(run, *out);
    return out->end > out->start;
}

bool span_last(const struct run *run, struct span *out)
{
    /* The main transcript is the first; what a sub-agent said last may be long before the end. */
    for (size_t t = 0; t < run->ntranscripts; t++)
        for (size_t m = run->transcripts[t].nmessages; m-- > 0;)
            if (span_of_message(run, (int32_t)t, (int32_t)m, out))
                return true;
    static const enum part parts[] = {PART_RUN_ERROR,         PART_RUN_EXIT_STATUS, PART_RUN_LIMIT,
                                      PART_SCORE_EXPLANATION, PART_SCORE_ANSWER,    PART_SCORE_VALUE};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        *out = span_opening(run, (struct span){.transcript = -1, .message = -1, .part = parts[i]});
        if (out->end > out->start)
            return true;
    }
    return false;
}
