#include "detect/encoding.h"

#include "base/base64.h"
#include "base/hash.h"
#include "text/literal.h"

static unsigned char fold(char c)
{
    return fold_byte((unsigned char)c);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int hex_value(char c)
{
    return is_digit(c) ? c - '0' : fold(c) >= 'a' && fold(c) <= 'f' ? fold(c) - 'a' + 10 : -1;
}

/* Bytes written as %41, \x41, &#65; or &amp;, which may stand anywhere in it. */
static struct slice decode_marks(struct arena *a, struct slice s)
{
    static const struct { const char *name; char c; } entities[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&#39;", '\''}, {"&apos;", '\''}};
    char *out = arena_alloc(a, s.len + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.len; n++) {
        struct slice rest = slice_sub(s, i, s.len);
        size_t mark = *rest.ptr == '%' ? 1 : slice_starts(rest, "\\x") ? 2 : 0, e = 0;
        while (e < sizeof entities / sizeof *entities && !slice_starts(rest, entities[e].name))
            e++;
        if (mark && rest.len >= mark + 2 && hex_value(rest.ptr[mark]) >= 0 && hex_value(rest.ptr[mark + 1]) >= 0) {
            out[n] = (char)(16 * hex_value(rest.ptr[mark]) + hex_value(rest.ptr[mark + 1]));
            i += mark + 2;
        } else if (e < sizeof entities / sizeof *entities) {
            out[n] = entities[e].c;
            i += strlen(entities[e].name);
        } else {
            out[n] = s.ptr[i++];
        }
    }
    return slice_of(out, n);
}

static struct slice decode_hex(struct arena *a, struct slice s)
{
    if (slice_eq_nocase(slice_sub(s, 0, 2), slice_str("0x")))
        s = slice_sub(s, 2, s.len);
    unsigned char *out = arena_alloc(a, s.len / 2 + 1);
    return s.len % 2 == 0 && hash_unhex(s, out, s.len / 2) ? slice_of((char *)out, s.len / 2) : SLICE_NONE;
}

static struct slice decode_rot13(struct arena *a, struct slice s)
{
    struct slice out = arena_dup(a, s);
    char *p = (char *)out.ptr;
    for (size_t i = 0; i < s.len; i++)
        if (fold(p[i]) >= 'a' && fold(p[i]) <= 'z')
            p[i] = (char)((fold(p[i]) - 'a' + 13) % 26 + 'a');
    return out;
}

static struct slice backwards(struct arena *a, struct slice s)
{
    struct slice out = arena_dup(a, s);
    for (size_t i = 0; i < s.len; i++)
        ((char *)out.ptr)[i] = s.ptr[s.len - 1 - i];
    return out;
}

struct slice encoding_read(struct arena *a, enum encoding e, struct slice text)
{
    switch (e) {
    case ENCODING_HEX: return decode_hex(a, text);
    case ENCODING_BASE64: return base64_read(a, text);
    case ENCODING_MARKS: return decode_marks(a, text);
    case ENCODING_ROT13: return decode_rot13(a, text);
    case ENCODING_BACKWARDS: return backwards(a, text);
    case ENCODINGS: break;
    }
    return SLICE_NONE;
}
