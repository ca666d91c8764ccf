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
    LINE_LEAST = 40,
    ROW = 4,        /* lines of prose that are judged together … */
    ROW_WORDS = 40, /* … where they hold so many words */
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

struct wording {
    size_t words, small, large;
};

static double surplus_of(const struct wording *w) { return ((double)w->large - (double)w->small) / (double)w->words; }

/* A line of prose: neither an item of a list nor a heading, and no code, data or menu. Counts its words. */
static bool is_prose(struct slice line, struct wording *w)
{
    size_t marks = 0;
    *w = (struct wording){0};
    if (line.len < LINE_LEAST || memchr("\"-*#|>", line.ptr[0], 6))
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
        w->words++;
        w->small += is_small(word);
        w->large += word.len >= LONG_WORD;
    }
    return 100 * marks <= MARKS_MOST * line.len;
}

struct salad {
    struct span spans[8];
    size_t n, total;        /* shown, and paragraphs of noise */
    bool dense;             /* one after another in one message */
    double surplus, dense_surplus;
};

static void show_salad(struct salad *s, size_t t, size_t message, struct slice text, struct slice line)
{
    struct span span = span_of_text(t, message, (size_t)(line.ptr - text.ptr), line.len);
    bool shown = s->n && s->spans[s->n - 1].message == span.message && s->spans[s->n - 1].start == span.start;
    if (!shown && s->n < sizeof s->spans / sizeof *s->spans)
        s->spans[s->n++] = span;
}

static void read_salad(struct salad *s, size_t t, size_t message, struct slice text)
{
    struct wording row[ROW] = {{0}};    /* of the newest lines of prose that follow each other */
    struct slice last = SLICE_NONE;
    size_t nrow = 0;
    bool fenced = false;
    for (struct slice rest = text; rest.len;) {
        struct slice line = slice_trim(slice_take(&rest, '\n'));
        struct wording w;
        fenced ^= slice_starts(line, "```");
        if (fenced || !is_prose(line, &w) || slice_eq(line, last)) { /* the same words again are another finding */
            nrow = line.len ? 0 : nrow;
            continue;
        }
        last = line;
        if (w.words >= WORDS_LEAST && surplus_of(&w) >= s->surplus) {
            show_salad(s, t, message, text, line);
            s->total++;
        }
        bool sentence = slice_ends(line, ".") || slice_ends(line, "!");
        memmove(row + 1, row, sizeof row - sizeof *row);
        row[0] = w;
        nrow = sentence ? nrow + 1 : 0;
        struct wording sum = {0};
        for (size_t i = 0; i < nrow && i < ROW; i++) {
            sum = (struct wording){sum.words + row[i].words, sum.small + row[i].small, sum.large + row[i].large};
            if (i == 0 || sum.words < ROW_WORDS || surplus_of(&sum) < s->dense_surplus)
                continue;
            show_salad(s, t, message, text, line);
            s->dense = true;
        }
    }
}

void det_word_salad(struct det_run *d)
{
    double paragraphs = det_number(d->rule, "paragraphs");
    struct salad s = {.surplus = det_number(d->rule, "surplus"), .dense_surplus = det_number(d->rule, "dense")};
    for (size_t t = 0; t < d->run->ntranscripts; t++)
        for (size_t i = 0; i < d->run->transcripts[t].nmessages; i++)
            if (d->run->transcripts[t].messages[i].role == ROLE_ASSISTANT)
                read_salad(&s, t, i, d->run->transcripts[t].messages[i].text);
    if (s.dense || (double)s.total >= paragraphs)
        det_report(d, NULL, NULL, SLICE_NONE, s.spans, s.n);
}

/* ---- another language -------------------------------------------------------------------------------------------- */

/* Letters of scripts other than Latin and Greek, which people use as signs: by the first byte of their UTF-8. */
static size_t count_foreign(struct slice text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint64_t word; /* most text is ASCII: eight bytes of it at a time */
        for (; i + sizeof word < text.len && (memcpy(&word, text.ptr + i, sizeof word), !(word & UINT64_C(0x8080808080808080)));)
            i += sizeof word;
        unsigned char c = (unsigned char)text.ptr[i];
        n += (c >= 0xD0 && c <= 0xDF) || c == 0xE0 || (c >= 0xE3 && c <= 0xED);
    }
    return n;
}

static size_t count_small(struct slice text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.len;) {
        size_t start = i;
        while (i < text.len && is_letter(text.ptr[i]))
            i++;
        n += i > start && is_small(slice_sub(text, start, i - start));
        i += i == start;
    }
    return n;
}

void det_language_shift(struct det_run *d)
{
    double least = det_number(d->rule, "letters"), words = det_number(d->rule, "words");
    for (size_t t = 0; t < d->run->ntranscripts; t++) {
        const struct transcript *transcript = &d->run->transcripts[t];
        for (size_t i = 0; i < transcript->nmessages && count_foreign(transcript->messages[i].text) == 0; i++) {
            const struct message *next = i + 1 < transcript->nmessages ? &transcript->messages[i + 1] : NULL;
            if (!next || next->role != ROLE_ASSISTANT)
                continue;
            for (struct slice rest = next->text; rest.len;) {
                struct slice line = slice_take(&rest, '\n');
                if ((double)count_foreign(line) < least || (double)count_small(line) < words)
                    continue;
                struct span span = span_of_text(t, i + 1, (size_t)(line.ptr - next->text.ptr), line.len);
                det_report(d, NULL, NULL, SLICE_NONE, &span, 1);
                return;
            }
        }
    }
}
