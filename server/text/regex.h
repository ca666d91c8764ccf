/* Regular expressions on untrusted text: PCRE2 with JIT, limits on matches, depth and heap, and a wall-clock deadline.
 *
 * PCRE2's match limit does not bound the time of one scan (8.4 s at 100,000 on 200 KB), so a scan runs in slices by start
 * offset (PCRE2_USE_OFFSET_LIMIT) and looks at the clock between (regex.c says how). A limit hit is an answer, never
 * "no match". Without JIT (another processor, or (*NO_JIT)) the interpreter keeps the same deadline. */
#ifndef TEXT_REGEX_H
#define TEXT_REGEX_H

#include "base/err.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum regex_flags {
    REGEX_NOCASE = 1,
    REGEX_WORD = 2,     /* only whole words: \b on both sides */
    REGEX_LITERAL = 4,  /* the pattern is the text itself */
};

struct regex;         /* compiled, immutable, shared by threads */
struct regex_scratch; /* match data, JIT stack (1 MB or more): one per thread */

/* UTF-8, invalid sequences never match; \w, \d, \s and \b know ASCII (unless (*UCP) says otherwise), case folding all of
 * Unicode. \C and call-outs are refused. ERR_FORMAT with the offset in the pattern and PCRE2's words; ERR_TOO_LARGE for
 * patterns over 64 KB. */
bool regex_compile(struct slice pattern, int flags, struct regex **out, struct err *e);
void regex_free(struct regex *re);

/* Named groups, in the order of their numbers: regex_group_name(re, 0..n-1) and the number of the group. */
size_t regex_group_count(const struct regex *re);
const char *regex_group_name(const struct regex *re, size_t i, int *number);

struct regex_scratch *regex_scratch_new(void);
void regex_scratch_free(struct regex_scratch *s);

enum regex_result { REGEX_NO, REGEX_YES, REGEX_INCOMPLETE /* a limit or the deadline ended the scan */ };

enum { REGEX_GROUPS = 32 };
struct regex_match {
    size_t start, end;                       /* bytes */
    size_t group_start[REGEX_GROUPS], group_end[REGEX_GROUPS]; /* by group number; SIZE_MAX: unset */
};

/* The first match that starts at or after `from` (none starts inside a UTF-8 sequence). `deadline_us` is clock_monotonic_us()
 * time, 0 for the default of 250 ms from now. */
enum regex_result regex_find(const struct regex *re, struct regex_scratch *s, struct slice text, size_t from, int64_t deadline_us,
                             struct regex_match *out);
/* The same of those that start at or before `last`. */
enum regex_result regex_find_within(const struct regex *re, struct regex_scratch *s, struct slice text, size_t from, size_t last,
                                    int64_t deadline_us, struct regex_match *out);

#endif
