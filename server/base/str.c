#include "base/str.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Makes room for `more` bytes and the NUL; false past the maximum. */
static bool make_room(struct str *s, size_t more)
{
    if (more > s->max - s->len) {
        s->full = true;
        return false;
    }
    size_t want = s->len + more + 1;
    if (want <= s->cap)
        return true;
    size_t cap = s->cap ? s->cap : 64;
    while (cap < want)
        cap *= 2;
    char *p = s->arena ? arena_alloc(s->arena, cap) : realloc(s->ptr, cap);
    if (!p) {
        fprintf(stderr, "telltale: out of memory (%zu bytes wanted)\n", cap);
        abort();
    }
    if (s->arena && s->len)
        memcpy(p, s->ptr, s->len);
    s->ptr = p;
    s->cap = cap;
    return true;
}

void str_add_growing(struct str *s, const char *ptr, size_t len)
{
    if (!make_room(s, len)) {
        len = s->max - s->len;
        if (!make_room(s, len))
            return;
    }
    if (len)
        memcpy(s->ptr + s->len, ptr, len);
    s->len += len;
    s->ptr[s->len] = '\0';
}

void str_printf(struct str *s, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n > 0 && make_room(s, (size_t)n)) {
        vsnprintf(s->ptr + s->len, (size_t)n + 1, format, again);
        s->len += (size_t)n;
    }
    va_end(again);
}

char *str_reserve(struct str *s, size_t len) { return make_room(s, len) ? s->ptr + s->len : NULL; }

void str_reset(struct str *s)
{
    s->len = 0;
    s->full = false;
}

void str_free(struct str *s)
{
    if (!s->arena)
        free(s->ptr);
    *s = STR_IN(s->arena, s->max);
}

void str_add_escaped(struct str *s, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c && strchr("-._~", c)))
            str_addc(s, (char)c);
        else
            str_printf(s, "%%%02X", c);
    }
}
