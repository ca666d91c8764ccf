/* Text gone to noise: one bit of it over and over, or sentences made of long words and little grammar. */
#include "detect/det.h"

#include <stdlib.h>

/* ---- one bit over and over --------------------------------------------------------------------------------------- */

enum {
    PERIOD_MAX = 32,    /* bytes in what is repeated */
    PROBE = 8,          /* bytes that must come again within a period */
};

/* Rulers, padding and zeroes are repetition that people write too. */
static bool says_something(struct slice unit)
{
    bool letter = false, differs = false;
    for (size_t i = 0; i < unit.len; i++) {
        unsigned char c = fold_byte((unsigned char)unit.ptr[i]);
        letter |= (c >= 'a' && c <= 'z') || (c >= '1' && c <= '9') || c >= 0x80;
        differs |= unit.ptr[i] != unit.ptr[0];
    }
    return letter && differs;
}

/* A stretch inside which every probe comes again one period on; probes lie so close that none can hide between two. */
static bool find_runaway(struct slice text, size_t stretch, double times, size_t *start, size_t *end)
{
    for (size_t i = PERIOD_MAX; i + PROBE <= text.len; i += stretch / 2) {
        for (size_t p = 1; p <= PERIOD_MAX; p++) {
            if (memcmp(text.ptr + i, text.ptr + i - p, PROBE) != 0)
                continue;
            *start = i - p, *end = i + PROBE;
            while (*start > 0 && text.ptr[*start - 1] == text.ptr[*start - 1 + p])
                --*start;
            while (*end < text.len && text.ptr[*end] == text.ptr[*end - p])
                ++*end;
            if (*end - *start >= stretch && (double)(*end - *start) >= times * (double)p && says_something(slice_sub(text, *start, p)))
                return true;
            /* What says nothing is passed over whole: else ten million dashes would be walked from every probe in them. */
            if (*end > i + stretch)
                i = *end - stretch / 2;
            break;
        }
    }
    return false;
}

void det_runaway_text(struct det_run *d)
{
    double bytes = det_number(d->rule, "bytes"), times = det_number(d->rule, "times");
    size_t stretch = bytes >= 2 * PERIOD_MAX && bytes < 1e9 ? (size_t)bytes : 2 * PERIOD_MAX; /* below, probes would lie inside one period */
    for (size_t t = 0; t < d->run->ntranscripts; t++)
        for (size_t i = 0; i < d->run->transcripts[t].nmessages; i++) {
            const struct message *m = &d->run->transcripts[t].messages[i];
            for (size_t c = 0; m->role == ROLE_ASSISTANT && c < m->ncalls + 2; c++) {
                struct span span = {.transcript = (int32_t)t, .message = (int32_t)i, .part = PART_TEXT};
                if (c >= 1)
                    span.part = c == 1 ? PART_REASONING : PART_CALL_ARGUMENTS, span.nth = c == 1 ? 0 : (uint32_t)c - 2;
                size_t start, end;
                if (!find_runaway(span_text(d->run, &span), stretch, times, &start, &end))
                    continue;
                span.start = (uint32_t)start, span.end = (uint32_t)end;
                det_report(d, NULL, NULL, SLICE_NONE, &span, 1);
                return;
            }
        }
}

/* ---- word salad -------------------------------------------------------------------------------------------------- */

/* English prose holds a third or more of small words that carry its grammar, and fewer long ones. A model that has lost the
 * thread strings long words together: their share passes that of the small ones. Measured on 6,500 paragraphs of agents. */
enum {
    WORDS_LEAST = 18,
    LONG_WORD = 9,
    MARKS_MOST = 6, /* percent of bytes that are neither letter, space nor common punctuation: else it is code, data or a list */
};

static const char small_words[][8] = { /* by length; eight bytes each, so that one comparison of numbers does */
    "a", "i", "s",
    "an", "as", "at", "be", "by", "do", "he", "if", "in", "is", "it", "me", "my", "of", "on", "or", "so", "to", "us", "we",
    "and", "are", "but", "can", "did", "for", "had", "has", "its", "let", "not", "our", "she", "the", "was", "you",
    "does", "from", "have", "that", "they", "this", "were", "what", "will", "with", "your",
    "there", "which", "would",
};
enum { SMALL_LONGEST = 5 };
static const uint8_t small_ends[SMALL_LONGEST + 1] = {0, 3, 23, 39, 50, 53};

static bool is_small(struct slice word)
{
    char folded[8] = "";
    if (word.len > SMALL_LONGEST)
        return false;
    for (size_t i = 0; i < word.len; i++)
        folded[i] = (char)fold_byte((unsigned char)word.ptr[i]);
    for (size_t i = small_ends[word.len - 1]; i < small_ends[word.len]; i++)
        if (memcmp(small_words[i], folded, sizeof folded) == 0)
            return true;
    return false;
}

static bool is_letter(char c)
{
    unsigned char f = fold_byte((unsigned char)c);
    return f >= 'a' && f <= 'z';
}

/* Neither space nor the punctuation of prose. Letters of other scripts count too: nothing is known of their grammar. */
static bool is_mark(unsigned char c)
{
    bool common = c == ' ' || c == ',' || c == '.' || c == '-' || c == '*' || c == '\'' || c == '\t';
    return !common && (c < 0x80 || c >= 0xC4);
}

static bool is_salad(struct slice line, double surplus)
{
    size_t words = 0, small = 0, large = 0, marks = 0;
    if (line.len < WORDS_LEAST * 4 || line.ptr[0] == '"')
        return false;
    for (size_t i = 0; i < line.len && 100 * marks <= MARKS_MOST * line.len;) {
        size_t start = i;
        while (i < line.len && is_letter(line.ptr[i]))
            i++;
        if (i == start) {
            marks += is_mark((unsigned char)line.ptr[i++]);
            continue;
        }
        struct slice word = slice_sub(line, start, i - start);
        words++;
        small += is_small(word);
        large += word.len >= LONG_WORD;
    }
    return words >= WORDS_LEAST && 100 * marks <= MARKS_MOST * line.len && (double)large >= (double)small + surplus * (double)words;
}

void det_word_salad(struct det_run *d)
{
    double surplus = det_number(d->rule, "surplus"), paragraphs = det_number(d->rule, "paragraphs");
    struct span spans[8];
    size_t n = 0, total = 0;
    unsigned char last[HASH_SIZE] = {0};
    for (size_t t = 0; t < d->run->ntranscripts; t++)
        for (size_t i = 0; i < d->run->transcripts[t].nmessages; i++) {
            const struct message *m = &d->run->transcripts[t].messages[i];
            bool fenced = false;
            for (size_t at = 0; m->role == ROLE_ASSISTANT && at < m->text.len;) {
                const char *newline = memchr(m->text.ptr + at, '\n', m->text.len - at);
                size_t end = newline ? (size_t)(newline - m->text.ptr) : m->text.len;
                struct slice line = slice_trim(slice_sub(m->text, at, end - at));
                fenced ^= slice_starts(line, "```");
                at = end + 1;
                unsigned char h[HASH_SIZE];
                if (fenced || !is_salad(line, surplus))
                    continue;
                hash_of(line, h);
                if (memcmp(h, last, HASH_SIZE) == 0) /* the same words again are another finding */
                    continue;
                memcpy(last, h, HASH_SIZE);
                size_t start = (size_t)(line.ptr - m->text.ptr);
                if (n < sizeof spans / sizeof *spans)
                    spans[n++] = span_of_text(t, i, start, line.len);
                total++;
            }
        }
    if ((double)total >= paragraphs)
        det_report(d, NULL, NULL, SLICE_NONE, spans, n);
}
