/* A run of bytes that somebody else owns. Text in transcripts holds NULs, so nothing here ends at one. */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct slice {
    const char *ptr; /* NULL: absent, as opposed to empty */
    size_t len;
};

#define SLICE_NONE ((struct slice){NULL, 0})
/* printf("%.*s", SLICE_ARG(s)) */
#define SLICE_ARG(s) (int)((s).len > 0x7fffffff ? 0x7fffffff : (s).len), (s).ptr ? (s).ptr : ""
/* A slice of a string literal, also in static initialisers. */
#define SLICE_LIT(literal) {(literal), sizeof(literal) - 1}

static inline struct slice slice_of(const char *ptr, size_t len) { return (struct slice){ptr, len}; }
static inline struct slice slice_str(const char *z) { return (struct slice){z, z ? strlen(z) : 0}; }
static inline bool slice_eq(struct slice a, struct slice b) { return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0); }
static inline bool slice_is(struct slice a, const char *z) { return slice_eq(a, slice_str(z)); }
static inline bool slice_starts(struct slice a, const char *z) { size_t n = strlen(z); return a.len >= n && memcmp(a.ptr, z, n) == 0; }
static inline bool slice_ends(struct slice a, const char *z) { size_t n = strlen(z); return a.len >= n && memcmp(a.ptr + a.len - n, z, n) == 0; }
/* From byte `from`, at most `len` bytes; what lies outside is left out. */
static inline struct slice slice_sub(struct slice a, size_t from, size_t len)
{
    if (from > a.len)
        from = a.len;
    return (struct slice){a.ptr ? a.ptr + from : NULL, len < a.len - from ? len : a.len - from};
}
/* Compares bytes as memcmp does; a prefix sorts first. */
int slice_cmp(struct slice a, struct slice b);
/* Offset of needle in hay, or -1. */
ptrdiff_t slice_find(struct slice hay, struct slice needle);
/* White space (space, \t, \r, \n, \f, \v) taken off both ends. */
struct slice slice_trim(struct slice a);
/* Cuts `a` to at most `max` bytes without splitting a UTF-8 sequence. */
struct slice slice_cut(struct slice a, size_t max);
/* The length of the valid UTF-8 sequence that `a` begins with (RFC 3629: no surrogates, no overlong forms, up to U+10FFFF), or 0. */
size_t slice_utf8(struct slice a);
/* What comes before the next `stop`, or all; it is taken off, and the stop too. */
struct slice slice_take(struct slice *rest, char stop);
/* ASCII letters compare alike. */
bool slice_eq_nocase(struct slice a, struct slice b);

struct slices {             /* a growing list in an arena */
    struct slice *items;
    size_t n, cap;
};

#endif
