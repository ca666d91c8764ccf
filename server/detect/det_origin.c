/* Where a wrong final answer came from: the first place in the run that shows it. Runs that fail are read, and answers that are announced
 * as such ("FINAL ANSWER: …"), which is how the agents of GAIA and its like end. */
#include "detect/det.h"

#include <ctype.h>

enum { PART_LEAST = 3, PARTS_MOST = 8 };

static bool is_wordy(char c) { return isalnum((unsigned char)c) || (unsigned char)c >= 0x80; }

ptrdiff_t det_find_words(struct slice text, struct slice words, size_t from)
{
    unsigned char first = words.len ? fold_byte((unsigned char)words.ptr[0]) : 0;
    for (size_t i = from; words.len && i + words.len <= text.len; i++) {
        if (fold_byte((unsigned char)text.ptr[i]) != first || !slice_eq_nocase(slice_sub(text, i, words.len), words))
            continue;
        bool inside = i > 0 && is_wordy(text.ptr[i - 1]) && is_wordy(words.ptr[0]);
        bool goes_on = i + words.len < text.len && is_wordy(text.ptr[i + words.len]) && is_wordy(words.ptr[words.len - 1]);
        if (!inside && !goes_on)
            return (ptrdiff_t)i;
    }
    return -1;
}

static struct slice strip(struct slice s)
{
    while (s.len && strchr(" \t\r*\"'`.,:;", s.ptr[0]) && s.ptr[0])
        s = slice_sub(s, 1, s.len);
    while (s.len && strchr(" \t\r*\"'`.,:;", s.ptr[s.len - 1]) && s.ptr[s.len - 1])
        s.len--;
    return s;
}

/* Does it stand nowhere by chance? A plain small word may ("but"), and so may what is short ("50"). */
static bool is_telling(struct slice s, double shortest)
{
    bool plain = true;
    for (size_t i = 0; i < s.len; i++)
        plain &= s.ptr[i] >= 'a' && s.ptr[i] <= 'z';
    return (double)s.len >= shortest && !plain;
}

/* What stands behind the last "final answer:" of the last messages, and where. */
static bool find_final(const struct det_run *d, size_t index, struct slice *answer, struct span *place)
{
    static const char announced[] = "final answer:";
    const struct transcript *t = &d->run->transcripts[index];
    double messages = det_number(d->rule, "messages"), longest = det_number(d->rule, "longest");
    for (size_t back = 1; back <= t->nmessages && (double)back <= messages; back++) {
        size_t i = t->nmessages - back, end = 0;
        const struct slice text = t->messages[i].text;
        for (ptrdiff_t at = 0; (at = det_find_words(text, slice_str(announced), end)) >= 0;)
            end = (size_t)at + strlen(announced);
        if (!end)
            continue;
        struct slice rest = slice_sub(text, end, text.len);
        const char *line = rest.len ? memchr(rest.ptr, '\n', rest.len) : NULL;
        *answer = strip(line ? slice_sub(rest, 0, (size_t)(line - rest.ptr)) : rest);
        if (!is_telling(*answer, det_number(d->rule, "shortest")) || !((double)answer->len <= longest))
            return false;
        *place = span_of_text(index, i, (size_t)(answer->ptr - text.ptr), answer->len);
        return true;
    }
    return false;
}

/* The next of "a, b and c"; false: there is none. */
static bool next_part(struct slice *rest, struct slice *part)
{
    static const char *const stops[] = {", ", "; ", " and "};
    size_t end = rest->len, skip = 0;
    if (!rest->len)
        return false;
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++) {
        ptrdiff_t at = slice_find(slice_sub(*rest, 0, end), slice_str(stops[i]));
        if (at >= 0)
            end = (size_t)at, skip = strlen(stops[i]);
    }
    *part = strip(slice_sub(*rest, 0, end));
    *rest = slice_sub(*rest, end + skip, rest->len);
    return true;
}

/* The first message from `from` to `to` that has the words. */
static bool find_first(const struct transcript *t, size_t index, size_t from, size_t to, struct slice words, struct span *out)
{
    for (size_t i = from; i < to; i++) {
        ptrdiff_t at = det_find_words(t->messages[i].text, words, 0);
        if (at >= 0) {
            *out = span_of_text(index, i, (size_t)at, words.len);
            return true;
        }
    }
    return false;
}

/* The prompt: all before somebody other than system and user speaks. */
static size_t prompt_end(const struct transcript *t)
{
    size_t i = 0;
    while (i < t->nmessages && (t->messages[i].role == ROLE_USER || t->messages[i].role == ROLE_SYSTEM))
        i++;
    return i;
}

/* The message by which all of the answer had been said: its whole, or the last of its parts to turn up. */
static bool find_origin(const struct transcript *t, size_t index, struct slice answer, size_t to, struct span *out)
{
    size_t from = prompt_end(t), n = 0;
    struct span ignored, latest = {0};
    struct slice rest = answer, part;
    bool whole = find_first(t, index, from, to, answer, out), parts = true;
    while (parts && n < PARTS_MOST && next_part(&rest, &part)) {
        if (part.len < PART_LEAST || find_first(t, index, 0, from, part, &ignored)) /* too short to be told, or words of the question */
            continue;
        struct span here;
        parts = find_first(t, index, from, to, part, &here);
        if (parts && (n++ == 0 || here.message > latest.message))
            latest = here;
    }
    if (parts && n > 1 && (!whole || latest.message < out->message))
        *out = latest, whole = true;
    return whole;
}

void det_answer_origin(struct det_run *d)
{
    if (d->run->success != VERDICT_FAILED)
        return;
    for (size_t t = 0; t < d->run->ntranscripts; t++) {
        struct slice answer;
        struct span spans[2], ignored;
        const struct transcript *transcript = &d->run->transcripts[t];
        if (find_final(d, t, &answer, &spans[1]) && !find_first(transcript, t, 0, prompt_end(transcript), answer, &ignored) &&
            find_origin(transcript, t, answer, (size_t)spans[1].message, &spans[0]))
            det_report(d, NULL, "answer", answer, spans, 2);
    }
}
