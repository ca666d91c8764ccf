/* Did the run work on what was asked? Some sources keep the question beside the transcript, in the metadata; a transcript in which hardly a
 * word of it occurs is about something else. */
#include "detect/det.h"

#include <ctype.h>

enum { WORD_LEAST = 5, WORDS_MOST = 40, QUESTION_MOST = 8192 };

/* The next word of letters only; the rest stands behind it. */
static bool next_word(struct slice *rest, struct slice *word)
{
    size_t start = 0, end;
    while (start < rest->len && !isalpha((unsigned char)rest->ptr[start]))
        start++;
    for (end = start; end < rest->len && isalpha((unsigned char)rest->ptr[end]);)
        end++;
    *word = slice_sub(*rest, start, end - start);
    *rest = slice_sub(*rest, end, rest->len);
    return word->len > 0;
}

static bool is_said(const struct run *run, struct slice word)
{
    for (size_t t = 0; t < run->ntranscripts; t++)
        for (size_t i = 0; i < run->transcripts[t].nmessages; i++)
            if (det_find_words(run->transcripts[t].messages[i].text, word, 0) >= 0)
                return true;
    return false;
}

void det_question_absent(struct det_run *d)
{
    struct jvalue *metadata = NULL;
    if (!d->run->ntranscripts || !d->run->transcripts[0].nmessages || !d->run->metadata.len ||
        !jread(d->scratch, d->run->metadata, NULL, NULL, &metadata, NULL))
        return;
    struct slice rest = slice_sub(jstr(jget(metadata, "question")), 0, QUESTION_MOST), word;
    size_t words = 0, said = 0;
    while (words < WORDS_MOST && next_word(&rest, &word)) {
        if (word.len < WORD_LEAST)
            continue;
        words++;
        said += is_said(d->run, word);
    }
    if (!((double)words >= det_number(d->rule, "words")) || !((double)said <= det_number(d->rule, "share") * (double)words))
        return;
    struct span whole = span_of_text(0, 0, 0, d->run->transcripts[0].messages[0].text.len), opening = span_opening(d->run, whole);
    det_report(d, NULL, NULL, SLICE_NONE, &opening, 1);
}
