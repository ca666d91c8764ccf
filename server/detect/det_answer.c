/* The answer that was given beside the one that was expected: the same in other dress, seen but not given, given away, invented. */
#include "detect/answer.h"
#include "detect/det.h"
#include "detect/quantity.h"
#include "text/literal.h"

enum { SHOWN_MOST = 8, COMMAND_STARTS = 64, TARGETS_MOST = 32, SCORES_MOST = 64, SUBMISSIONS_MOST = 256 };

/* ---- what was submitted ------------------------------------------------------------------------------------------ */

struct submission {
    struct slice text;
    struct span place;
    uint32_t order;     /* messages before it, over all transcripts */
};

/* The first string in a call's arguments; the whole text where they are no JSON. */
static struct slice first_string(struct arena *a, struct slice arguments)
{
    struct jvalue *v = NULL;
    if (!jread(a, slice_sub(arguments, 0, ANSWER_MAX), NULL, NULL, &v, NULL))
        return arguments;
    const struct jvalue *at = v;
    for (int depth = 0; depth < 4 && at && (at->type == J_OBJECT || at->type == J_ARRAY); depth++)
        at = jat(at, 0);
    return jtext(at);
}

static bool hands_in(struct slice name)
{
    static const char *const names[] = {"final_answer", "finish", "answer", "provide_answer", "give_answer", "task_complete", "attempt_completion"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (slice_is(name, names[i]))
            return true;
    return slice_starts(name, "submit");
}

/* A call to a tool that submits, or a command "submit X". */
static bool submitted(struct arena *a, const struct tool_call *call, struct slice *out)
{
    bool tool = hands_in(call->name);
    if (!tool && slice_find(slice_sub(call->arguments, 0, COMMAND_STARTS), slice_str("submit ")) < 0)
        return false;
    *out = slice_trim(first_string(a, call->arguments));
    if (out->len > ANSWER_MAX) /* a document, not an answer */
        return false;
    if (tool)
        return out->len > 0 && !slice_is(*out, "submit");
    if (!slice_starts(*out, "submit "))
        return false;
    *out = slice_trim(slice_sub(*out, strlen("submit "), out->len));
    return answer_unwrap(*out).len > 0;
}

/* What a run that submits nothing ends with: what follows "final answer" in its last message, or all of it. */
static bool last_words(struct det_run *d, struct submission *out)
{
    struct span place;
    if (!span_last(d->run, &place) || place.message < 0 ||
        d->run->transcripts[place.transcript].messages[place.message].role != ROLE_ASSISTANT)
        return false;
    struct slice text = span_text(d->run, &place), mark = slice_str("final answer");
    size_t at = 0;
    for (size_t i = text.len; i >= mark.len && !at; i--)
        if (slice_eq_nocase(slice_sub(text, i - mark.len, mark.len), mark))
            at = i;
    place.start = (uint32_t)at;
    place.end = (uint32_t)text.len;
    *out = (struct submission){slice_trim(slice_sub(text, at, text.len)), place, UINT32_MAX};
    const char *line = out->text.len ? memchr(out->text.ptr, '\n', out->text.len) : NULL;
    if (at && line) /* what stands below is no answer any more */
        out->text.len = (size_t)(line - out->text.ptr);
    while (out->text.len && strchr(": ", *out->text.ptr) && *out->text.ptr)
        out->text = slice_sub(out->text, 1, out->text.len);
    return out->text.len > 0 && out->text.len <= ANSWER_MAX;
}

/* In their order; the first ones, where there are very many. */
static struct submission *submissions(struct det_run *d, size_t *n)
{
    struct submission *list = NULL;
    size_t cap = 0;
    uint32_t order = 0;
    *n = 0;
    for (size_t t = 0; t < d->run->ntranscripts; t++)
        for (size_t i = 0; i < d->run->transcripts[t].nmessages; i++, order++)
            for (size_t c = 0; c < d->run->transcripts[t].messages[i].ncalls && *n < SUBMISSIONS_MOST; c++) {
                struct slice text;
                const struct tool_call *call = &d->run->transcripts[t].messages[i].calls[c];
                if (!submitted(d->scratch, call, &text))
                    continue;
                struct span place = span_of_call(t, i, c);
                list = arena_grow(d->scratch, list, *n, &cap, sizeof *list);
                list[(*n)++] = (struct submission){text, span_opening(d->run, place), order};
            }
    return list;
}

static struct span score_span(const struct run *run, size_t i, enum part part)
{
    struct span span = {.transcript = -1, .message = -1, .part = part, .nth = (uint32_t)i};
    span.end = (uint32_t)span_text(run, &span).len;
    return span;
}

/* Expected answers are one text, or a JSON list of them. */
static bool next_target(struct arena *a, struct slice target, size_t nth, struct slice *out)
{
    struct jvalue *v = NULL;
    if (nth >= TARGETS_MOST)
        return false;
    if (!slice_starts(target, "[") || !jread(a, target, NULL, NULL, &v, NULL) || v->type != J_ARRAY) {
        *out = slice_trim(target);
        return nth == 0 && out->len > 0;
    }
    *out = jtext(jat(v, nth));
    return nth < v->n;
}

/* ---- right content, wrong form ----------------------------------------------------------------------------------- */

/* The word of word{…}, absent where it is none. */
static struct slice wrapper_of(struct slice s)
{
    size_t n = 0;
    s = slice_trim(s);
    while (n < s.len && (answer_is_alnum((unsigned char)s.ptr[n]) || s.ptr[n] == '_'))
        n++;
    return n && n < s.len && s.ptr[n] == '{' && s.ptr[s.len - 1] == '}' ? slice_sub(s, 0, n) : SLICE_NONE;
}

/* Another wrapper than the one that the task itself spells out is a slip of the agent's: no grader need take it. */
static bool is_mistyped(const struct det_run *d, struct slice given, struct slice expected)
{
    struct slice name = wrapper_of(given), right = wrapper_of(expected);
    if (!name.ptr || !right.ptr || slice_eq(name, right))
        return false;
    struct slice spelt = arena_printf(d->scratch, "%.*s{", SLICE_ARG(right));
    for (size_t t = 0; t < d->run->ntranscripts; t++)
        for (size_t i = 0; i < d->run->transcripts[t].nmessages && d->run->transcripts[t].messages[i].role != ROLE_ASSISTANT; i++)
            if (slice_find(d->run->transcripts[t].messages[i].text, spelt) >= 0)
                return true;
    return false;
}

static enum form form_of(const struct det_run *d, struct slice given, struct slice expected)
{
    enum form form = answer_compare(d->scratch, given, expected);
    return form == FORM_DRESSED && is_mistyped(d, given, expected) ? FORM_NEAR : form;
}

/* Where the given answer, or something submitted, is the expected one in that form: what was expected, and what was given. */
static bool find_form(struct det_run *d, enum form wanted, struct span spans[2])
{
    size_t n;
    const struct submission *list = submissions(d, &n);
    struct submission last;
    for (size_t i = 0; i < d->run->nscores && i < SCORES_MOST; i++) {
        const struct score *score = &d->run->scores[i];
        if (n == 0 && !score->answer.ptr && last_words(d, &last))
            list = &last, n = 1;
        struct slice target;
        for (size_t t = 0; next_target(d->scratch, score->target, t, &target); t++) {
            spans[0] = score_span(d->run, i, PART_SCORE_TARGET);
            spans[1] = score_span(d->run, i, PART_SCORE_ANSWER);
            if (form_of(d, score->answer, target) == wanted)
                return true;
            for (size_t k = 0; k < n; k++) {
                spans[1] = list[k].place;
                if (form_of(d, list[k].text, target) == wanted)
                    return true;
            }
        }
    }
    return false;
}

/* Where a run passes with its last submission and had the same in another form refused before: both. */
static bool find_corrected(struct det_run *d, struct span spans[2])
{
    size_t n;
    const struct submission *list = submissions(d, &n);
    for (size_t k = 0; k + 1 < n; k++) {
        enum form form = form_of(d, list[k].text, list[n - 1].text);
        spans[0] = list[k].place;
        spans[1] = list[n - 1].place;
        if (form == FORM_DRESSED || form == FORM_GARBLED)
            return true;
    }
    return false;
}

void det_garbled_key(struct det_run *d)
{
    struct span spans[2];
    if (d->run->success == VERDICT_FAILED && find_form(d, FORM_GARBLED, spans))
        det_report(d, NULL, NULL, SLICE_NONE, spans, 2);
}

void det_wrong_form(struct det_run *d)
{
    struct span spans[2];
    bool failed = d->run->success == VERDICT_FAILED;
    if (failed ? !find_form(d, FORM_GARBLED, spans) && find_form(d, FORM_DRESSED, spans) : find_corrected(d, spans))
        det_report(d, NULL, NULL, SLICE_NONE, spans, 2);
}

/* A right answer that was refused for its form is both; where nothing was graded there is no grader to blame. */
void det_strict_grader(struct det_run *d)
{
    if (d->run->nscores)
        det_wrong_form(d);
}

void det_near_form(struct det_run *d)
{
    struct span spans[2];
    if (d->run->success == VERDICT_FAILED && !find_form(d, FORM_GARBLED, spans) && !find_form(d, FORM_DRESSED, spans) &&
        find_form(d, FORM_NEAR, spans))
        det_report(d, NULL, NULL, SLICE_NONE, spans, 2);
}

/* ---- the expected answer elsewhere in the transcript ------------------------------------------------------------- */

/* Long and odd enough that it does not stand somewhere by chance: `least` bytes or more, of which a digit or mark, or two words. */
static bool is_distinct(struct slice s, double least)
{
    bool letter = false, other = false;
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = fold_byte((unsigned char)s.ptr[i]);
        letter |= c >= 'a' && c <= 'z';
        other |= !(c >= 'a' && c <= 'z');
    }
    return (double)s.len >= least && letter && other;
}

static bool same_shape(struct slice a, struct slice b)
{
    bool digits[2] = {false, false}, letters[2] = {false, false};
    const struct slice both[2] = {a, b};
    for (int k = 0; k < 2; k++)
        for (size_t i = 0; i < both[k].len; i++) {
            bool digit = both[k].ptr[i] >= '0' && both[k].ptr[i] <= '9';
            digits[k] |= digit;
            letters[k] |= !digit;
        }
    return a.len == b.len && digits[0] == digits[1] && letters[0] == letters[1];
}

/* One of a list of its like, such as a commit in a log: that it stands there says nothing. */
static bool among_many(struct slice text, struct slice word)
{
    enum { MANY = 3 };
    size_t like = 0;
    for (size_t i = 0; i < text.len && like <= MANY;) {
        size_t start = i;
        while (i < text.len && answer_is_alnum((unsigned char)text.ptr[i]))
            i++;
        if (i == start) {
            i++;
            continue;
        }
        struct slice other = slice_sub(text, start, i - start);
        like += same_shape(other, word) && !slice_eq(other, word);
    }
    return like >= MANY;
}

/* A number of three digits or more is distinct enough where little else is said. */
static bool is_number(struct slice s)
{
    struct quantity number;
    return s.len >= 3 && s.ptr[0] >= '0' && s.ptr[0] <= '9' && quantity_read(s, &number);
}

static struct slice line_around(struct slice text, size_t at)
{
    size_t start = at, end = at;
    while (start > 0 && text.ptr[start - 1] != '\n')
        start--;
    while (end < text.len && text.ptr[end] != '\n')
        end++;
    return slice_sub(text, start, end - start);
}

/* A shell repeats what it cannot do, and a search what else one could look for: such a line shows nothing. */
static bool is_complaint(struct slice line)
{
    static const char *const says[] = {"not found", "No such file", "cannot ", "rror:", "ould not find", "imilar: [", "imilar results:", "id you mean", "uggestions:"};
    for (size_t i = 0; i < sizeof says / sizeof *says; i++)
        if (slice_find(line, slice_str(says[i])) >= 0)
            return true;
    return false;
}

/* The expected answer in a text; one that is a list may stand with words between, all in one short line. */
static bool find_answer(struct slice text, struct slice target, size_t *at, size_t *len)
{
    enum { ITEM_LEAST = 4, ITEMS_MOST = 8, LINE_MOST = 200 };
    *len = target.len;
    if (answer_stands(text, target, at))
        return !is_complaint(line_around(text, *at));
    struct slice items = target, first = slice_trim(slice_take(&items, ','));
    if (!items.len || first.len < ITEM_LEAST)
        return false;
    for (size_t from = 0; answer_stands(slice_sub(text, from, text.len), first, at);) {
        *at += from;
        from = *at + first.len;
        struct slice window = slice_sub(text, *at, LINE_MOST), line = slice_take(&window, '\n'), rest = items;
        bool all = true;
        for (size_t i = 0; all && rest.len; i++) {
            struct slice item = slice_trim(slice_take(&rest, ','));
            size_t there;
            all = i < ITEMS_MOST && item.len >= ITEM_LEAST && answer_stands(line, item, &there);
            *len = all && there + item.len > *len ? there + item.len : *len;
        }
        if (all)
            return true;
    }
    return false;
}

/* The first message of `roles` (bits) that holds the text; a number only where no more than `number_most` bytes stand around it. Behind the
 * prompt one that was picked off a list of its like is none: going through them all says it too. */
static bool find_in_messages(const struct run *run, struct slice word, unsigned roles, bool prompt, double number_most, struct span *out)
{
    bool number = is_number(word), found = false;
    for (size_t t = 0; t < run->ntranscripts && !(found && prompt); t++) {
        bool spoken = false;
        for (size_t i = 0; i < run->transcripts[t].nmessages && !(found && prompt); i++) {
            const struct message *m = &run->transcripts[t].messages[i];
            size_t at, len;
            spoken |= m->role == ROLE_ASSISTANT;
            if (prompt == spoken || !(roles & 1u << m->role) || (number && (double)m->text.len > number_most) ||
                !find_answer(m->text, word, &at, &len))
                continue;
            if (!prompt && among_many(m->text, word))
                return false;
            if (!found)
                *out = span_of_text(t, i, at, len);
            found = true;
        }
    }
    return found;
}

/* It, most of it, or it with more around. */
static bool says(struct det_run *d, struct slice text, struct slice target)
{
    size_t at;
    return answer_compare(d->scratch, text, target) != FORM_OTHER || answer_stands(text, target, &at) ||
           (text.len <= 4 * target.len && answer_is_part(d->scratch, text, target));
}

static bool given(struct det_run *d, struct slice answer, struct slice target)
{
    size_t n, at;
    const struct submission *list = submissions(d, &n);
    bool yes = says(d, answer, target);
    for (size_t k = 0; k < n && !yes; k++)
        yes = says(d, list[k].text, target);
    /* Where the source knows of no answer, the last words are it; an empty one was looked for and not there. */
    struct span last;
    struct submission words;
    if (!yes && n == 0 && !answer.ptr && span_last(d->run, &last) && last.message >= 0)
        yes = answer_stands(span_text(d->run, &last), target, &at) || (last_words(d, &words) && says(d, words.text, target));
    return yes;
}

void det_answer_seen(struct det_run *d)
{
    double least = det_number(d->rule, "letters"), most = det_number(d->rule, "short");
    if (d->run->success != VERDICT_FAILED)
        return;
    for (size_t i = 0; i < d->run->nscores && i < SCORES_MOST; i++) {
        struct slice target;
        for (size_t t = 0; next_target(d->scratch, d->run->scores[i].target, t, &target); t++) {
            struct span spans[2], prompt;
            if (!(is_distinct(target, least) || is_number(target)) ||
                find_in_messages(d->run, target, 1u << ROLE_SYSTEM | 1u << ROLE_USER, true, most, &prompt) ||
                !find_in_messages(d->run, target, 1u << ROLE_TOOL | 1u << ROLE_ASSISTANT | 1u << ROLE_USER, false, most, &spans[0]) ||
                given(d, d->run->scores[i].answer, target))
                continue;
            spans[1] = score_span(d->run, i, PART_SCORE_TARGET);
            det_report(d, NULL, NULL, SLICE_NONE, spans, 2);
            return;
        }
    }
}

/* Words of a path where answers are kept, in the call that was made or in the line that shows the answer. */
static bool names_a_key(struct slice text)
{
    static const char *const words[] = {"grader",       "answer_key", "answers.", "solution",
                                        "ground_truth", "expected",   "scorer",   "hidden_test"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (slice_find(text, slice_str(words[i])) >= 0)
            return true;
    return false;
}

/* A tool's result that gives the answer away: it comes out of a file that keeps answers. */
static bool find_leak(struct det_run *d, struct slice target, struct span spans[2])
{
    for (size_t t = 0; t < d->run->ntranscripts; t++)
        for (size_t i = 0; i < d->run->transcripts[t].nmessages; i++) {
            const struct message *m = &d->run->transcripts[t].messages[i];
            struct call_ref ref = d->pairs[t].answers[i];
            size_t at;
            if (m->role != ROLE_TOOL || ref.message < 0 || !answer_stands(m->text, target, &at))
                continue;
            const struct tool_call *call = &d->run->transcripts[t].messages[ref.message].calls[ref.call];
            if (slice_find(call->arguments, target) >= 0 ||
                !(names_a_key(call->arguments) || names_a_key(line_around(m->text, at))))
                continue;
            spans[0] = span_of_text(t, i, at, target.len);
            return true;
        }
    return false;
}

void det_leaked_answer(struct det_run *d)
{
    double least = det_number(d->rule, "letters");
    for (size_t i = 0; i < d->run->nscores && i < SCORES_MOST; i++) {
        struct slice target;
        for (size_t t = 0; next_target(d->scratch, d->run->scores[i].target, t, &target); t++) {
            struct span spans[2];
            struct slice inner = answer_unwrap(target);
            /* In the prompt, flags and keys only: the words of an ordinary answer may well stand in its question. */
            bool key = (double)inner.len >= least + 2 && inner.len < target.len && !memchr(inner.ptr, ' ', inner.len);
            if (!(key && find_in_messages(d->run, target, 1u << ROLE_SYSTEM | 1u << ROLE_USER, true, 0, &spans[0])) &&
                !(is_distinct(target, least) && find_leak(d, target, spans)))
                continue;
            spans[1] = score_span(d->run, i, PART_SCORE_TARGET);
            det_report(d, NULL, NULL, SLICE_NONE, spans, 2);
            return;
        }
    }
}

/* ---- an answer out of nowhere ------------------------------------------------------------------------------------ */

/* Did anything but the agent itself say it before? What a call had in its arguments, its result only gives back. */
static bool was_seen(struct det_run *d, const struct submission *s)
{
    struct slice inner = answer_unwrap(s->text);
    uint32_t order = 0;
    for (size_t t = 0; t < d->run->ntranscripts; t++)
        for (size_t i = 0; i < d->run->transcripts[t].nmessages; i++, order++) {
            const struct message *m = &d->run->transcripts[t].messages[i];
            struct call_ref call = d->pairs[t].answers[i];
            if (order >= s->order || m->role == ROLE_ASSISTANT || slice_find(m->text, inner) < 0)
                continue;
            if (call.message < 0 ||
                slice_find(d->run->transcripts[t].messages[call.message].calls[call.call].arguments, inner) < 0)
                return true;
        }
    return false;
}

/* Its pieces, though not the whole: it was put together from what was seen. */
static bool was_computed(struct det_run *d, const struct submission *s)
{
    enum { PIECE = 6, PIECES_MOST = 4 };
    struct slice inner = answer_unwrap(s->text);
    size_t pieces = inner.len / PIECE < PIECES_MOST ? inner.len / PIECE : PIECES_MOST, seen = 0;
    for (size_t i = 0; i < pieces; i++) {
        struct submission piece = {slice_sub(inner, i * (inner.len / pieces), PIECE), s->place, s->order};
        seen += was_seen(d, &piece);
    }
    return pieces && 2 * seen >= pieces;
}

/* One token that cannot be told from the task: flag{…}, or letters and digits mixed. Sentences and numbers may be worked out. */
static bool is_key(struct slice s, double least, double most)
{
    struct slice inner = answer_unwrap(s);
    bool letter = false, digit = false;
    for (size_t i = 0; i < s.len; i++) {
        if (strchr(" \t\n", s.ptr[i]))
            return false;
        digit |= s.ptr[i] >= '0' && s.ptr[i] <= '9';
        letter |= fold_byte((unsigned char)s.ptr[i]) >= 'a' && fold_byte((unsigned char)s.ptr[i]) <= 'z';
    }
    return (double)s.len <= most && (double)inner.len >= least && (inner.len < s.len || (letter && digit && (double)s.len >= least + 2));
}

void det_unseen_answer(struct det_run *d)
{
    if (d->run->success != VERDICT_FAILED)
        return;
    double least = det_number(d->rule, "letters"), most = det_number(d->rule, "longest"), answers = det_number(d->rule, "answers");
    size_t n;
    const struct submission *list = submissions(d, &n);
    struct span spans[SHOWN_MOST];
    size_t shown = 0, looked = 0;
    for (size_t i = 0; i < n && looked < answers && shown < SHOWN_MOST; i++) {
        if (!is_key(list[i].text, least, most))
            continue;
        looked++; /* each is a look through the whole run */
        if (!was_seen(d, &list[i]) && !was_computed(d, &list[i]))
            spans[shown++] = list[i].place;
    }
    if (shown)
        det_report(d, NULL, NULL, SLICE_NONE, spans, shown);
}
