/* Private to text/: the pieces of a PCRE2 pattern, for those who want to know what it says without compiling it. Where a pattern
 * holds what is not understood, `lost` is set, and nothing that was or will be read of it counts. */
#ifndef TEXT_PATTERN_H
#define TEXT_PATTERN_H

#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

struct pattern {
    const char *p, *end;
    bool quoting;       /* between \Q and \E */
    bool lost;
};

/* Does z come next? pattern_take steps behind it. */
bool pattern_at(const struct pattern *in, const char *z);
bool pattern_take(struct pattern *in, const char *z);
/* Steps behind the next `c`. */
void pattern_skip_past(struct pattern *in, char c);
/* One character of the pattern as it stands; the pattern is valid UTF-8, or does not compile. */
uint32_t pattern_character(struct pattern *in);

enum escape { ESCAPE_CHARACTER, ESCAPE_NOTHING /* zero width */, ESCAPE_ANYTHING };
/* What stands behind a backslash; *c: the character. Inside a class \b is one, and some others do not exist. */
enum escape pattern_escape(struct pattern *in, uint32_t *c);

struct repeat {
    uint32_t min, max;
};
/* The quantifier that may stand behind an atom. */
struct repeat pattern_repeat(struct pattern *in);

enum group {
    GROUP_PLAIN,        /* captures or not; its alternatives come next */
    GROUP_ASSERTION,    /* the same, of what is looked for ahead or behind */
    GROUP_REFERENCE,    /* to another group's text or pattern; it was read to its end */
    GROUP_SETTING,      /* for what follows, such as (?i); it was read to its end */
};
/* What stands behind an opening parenthesis. A setting changes *nocase: of GROUP_PLAIN and GROUP_ASSERTION, within the group. */
enum group pattern_group(struct pattern *in, bool *nocase);

#endif
