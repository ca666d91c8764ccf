/* A growing buffer with a maximum set at its birth. Past the maximum it keeps what fits and sets `full`. */
#ifndef BASE_STR_H
#define BASE_STR_H

#include "base/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct str {
    char *ptr; /* malloc'd, or in the arena; a NUL stands after the last byte once anything was added */
    size_t len, cap, max;
    bool full;
    struct arena *arena;
};

#define STR_INIT(maximum) ((struct str){.max = (maximum)})
/* One that goes with the arena, without str_free. */
#define STR_IN(owner, maximum) ((struct str){.max = (maximum), .arena = (owner)})

void str_add_growing(struct str *s, const char *ptr, size_t len); /* str_add, where the memory may not do */
static inline void str_add(struct str *s, const char *ptr, size_t len)
{
    if (len >= s->cap - s->len || len > s->max - s->len) {
        str_add_growing(s, ptr, len);
        return;
    }
    if (len)
        memcpy(s->ptr + s->len, ptr, len);
    s->len += len;
    s->ptr[s->len] = '\0';
}
static inline void str_add_slice(struct str *s, struct slice a) { str_add(s, a.ptr, a.len); }
static inline void str_addz(struct str *s, const char *z) { str_add(s, z, strlen(z)); }
static inline void str_addc(struct str *s, char c) { str_add(s, &c, 1); }
/* Percent-encoded: as a part of a path, a query or a fragment. */
void str_add_escaped(struct str *s, struct slice text);
void str_printf(struct str *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Room for `len` more bytes at the end, to be filled by the caller, who then adds to s->len. NULL past the maximum. */
char *str_reserve(struct str *s, size_t len);
static inline struct slice str_slice(const struct str *s) { return slice_of(s->ptr ? s->ptr : "", s->len); }
/* Empties, keeps the memory. */
void str_reset(struct str *s);
void str_free(struct str *s);

#endif
