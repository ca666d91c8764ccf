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

/* A value that is a number. */
static bool read_value(struct slice value, double *out)
{
    char text[32], *stop;
    if (value.len == 0 || value.len >= sizeof text)
        return false;
    memcpy(text, value.ptr, value.len);
    text[value.len] = 0;
    *out = strtod(text, &stop);
    return !*stop;
}

/* Scores of that name say how well it went, and 1 is all of it. */
static bool is_grade(struct slice name)
{
    static const char *const words[] = {"reward", "score", "accuracy", "acc", "grade", "correct", "correctness", "success", "pass", "passed", "resolved", "match",
                                        "f1", "recall", "precision", "iou", "bleu", "rouge", "similarity", "quality", "result", "tests"};
    for (size_t i = 0; i < name.len;) {
        size_t end = i;
        while (end < name.len && !strchr("_-. /:", name.ptr[end]))
            end++;
        for (size_t k = 0; k < sizeof words / sizeof *words; k++)
            if (slice_eq_nocase(slice_sub(name, i, end - i), slice_str(words[k])))
                return true;
        i = end + 1;
    }
    return false;
}

void det_score_near_one(struct det_run *d)
{
    double least = det_number(d->rule, "least"), best = 0;
    struct span span = {.transcript = -1, .message = -1, .part = PART_SCORE_VALUE};
    if (d->run->success != VERDICT_FAILED)
        return;
    for (uint32_t i = 0; i < d->run->nscores; i++) {
        const struct score *score = &d->run->scores[i];
        double x;
        if (!is_grade(score->name) || !read_value(score->value, &x) || !(x >= least) || x >= 1 || x <= best)
            continue;
        best = x;
        span.nth = i, span.end = (uint32_t)score->value.len;
    }
    if (best > 0)
        det_report(d, NULL, "score", d->run->scores[span.nth].value, &span, 1);
}
