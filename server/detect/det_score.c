/* Scores just under the line. */
#include "detect/det.h"

#include <stdlib.h>

static bool number_at(struct slice s, size_t *at, long *out)
{
    size_t start = *at;
    for (*out = 0; *at < s.len && s.ptr[*at] >= '0' && s.ptr[*at] <= '9' && *at - start < 7; ++*at)
        *out = *out * 10 + (s.ptr[*at] - '0');
    return *at > start;
}

static bool word_at(struct slice s, size_t *at, const char *word)
{
    if (!slice_starts(slice_sub(s, *at, s.len), word))
        return false;
    *at += strlen(word);
    return true;
}

/* "13 of 14 checks passed", "13/14 tests passed", "2 failed, 40 passed": how many passed, of how many, and where it says so. */
static bool find_checks(struct slice s, long *passed, long *of, size_t *start, size_t *end)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9' || (i > 0 && ((s.ptr[i - 1] >= '0' && s.ptr[i - 1] <= '9') || s.ptr[i - 1] == '.')))
            continue;
        size_t at = *start = i;
        long first, second;
        if (!number_at(s, &at, &first))
            continue;
        if ((word_at(s, &at, " of ") || word_at(s, &at, "/") || word_at(s, &at, " out of ")) && number_at(s, &at, &second)) {
            struct slice rest = slice_sub(s, at, 24);
            ptrdiff_t word = slice_find(rest, slice_str("pass"));
            if (word < 0 || memchr(rest.ptr, '\n', (size_t)word))
                continue;
            *passed = first, *of = second, *end = at + (size_t)word + 4;
            return true;
        }
        at = i;
        if (number_at(s, &at, &first) && word_at(s, &at, " failed, ") && number_at(s, &at, &second) &&
            word_at(s, &at, " passed")) {
            *passed = second, *of = first + second, *end = at;
            return true;
        }
    }
    return false;
}

void det_almost_passed(struct det_run *d)
{
    double share = det_number(d->rule, "share"), least = det_number(d->rule, "checks"); /* of fewer checks "all but one" says little */
    if (d->run->success != VERDICT_FAILED)
        return;
    for (uint32_t i = 0; i < d->run->nscores; i++) {
        struct span span = {.transcript = -1, .message = -1, .nth = i, .part = PART_SCORE_EXPLANATION};
        size_t start, end;
        long passed, of;
        if (!find_checks(d->run->scores[i].explanation, &passed, &of, &start, &end) || !((double)of >= least) || passed >= of ||
            !((double)passed >= share * (double)of))
            continue;
        span.start = (uint32_t)start, span.end = (uint32_t)end;
        struct slice title = arena_printf(d->scratch, "{passed} of %ld checks pass", of);
        det_report(d, title.ptr, "passed", arena_printf(d->scratch, "%ld", passed), &span, 1);
        return;
    }
}

void det_score_near_one(struct det_run *d)
{
    double least = det_number(d->rule, "least");
    if (d->run->success != VERDICT_FAILED)
        return;
    for (uint32_t i = 0; i < d->run->nscores; i++) {
        struct slice value = d->run->scores[i].value;
        char text[32], *stop;
        if (value.len == 0 || value.len >= sizeof text)
            continue;
        memcpy(text, value.ptr, value.len);
        text[value.len] = 0;
        double x = strtod(text, &stop);
        if (*stop || !(x >= least) || x >= 1)
            continue;
        struct span span = {.transcript = -1, .message = -1, .nth = i, .part = PART_SCORE_VALUE, .end = (uint32_t)value.len};
        det_report(d, NULL, "score", value, &span, 1);
        return;
    }
}
