#include "base/jsonw.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

struct jsonw jsonw_to(struct str *out) { return (struct jsonw){.out = out}; }

/* The comma before a value that is not the first of its array, or before a key. */
static void separate(struct jsonw *j)
{
    if (j->after_key) {
        j->after_key = false;
        return;
    }
    if (j->depth && j->comma[j->depth - 1])
        str_addc(j->out, ',');
    if (j->depth)
        j->comma[j->depth - 1] = true;
}

static void open_level(struct jsonw *j, bool array)
{
    separate(j);
    str_addc(j->out, array ? '[' : '{');
    if (j->depth == JSONW_DEPTH) {
        fprintf(stderr, "telltale: JSON nested over %d levels\n", JSONW_DEPTH);
        abort();
    }
    j->array[j->depth] = array;
    j->comma[j->depth++] = false;
}

void jsonw_object(struct jsonw *j) { open_level(j, false); }
void jsonw_array(struct jsonw *j) { open_level(j, true); }

void jsonw_end(struct jsonw *j)
{
    j->depth--;
    str_addc(j->out, j->array[j->depth] ? ']' : '}');
}

void jsonw_key_slice(struct jsonw *j, struct slice key)
{
    separate(j);
    str_addc(j->out, '"');
    jsonw_escape(j->out, key);
    str_add(j->out, "\":", 2);
    j->after_key = true;
}

void jsonw_key(struct jsonw *j, const char *key)
{
    separate(j);
    str_addc(j->out, '"');
    str_addz(j->out, key);
    str_add(j->out, "\":", 2);
    j->after_key = true;
}

void jsonw_str(struct jsonw *j, struct slice s)
{
    separate(j);
    if (!s.ptr) {
        str_add(j->out, "null", 4);
        return;
    }
    str_addc(j->out, '"');
    jsonw_escape(j->out, s);
    str_addc(j->out, '"');
}

void jsonw_strz(struct jsonw *j, const char *z) { jsonw_str(j, slice_str(z)); }

void jsonw_int(struct jsonw *j, int64_t n)
{
    char text[20], *at = text + sizeof text; /* as long as INT64_MIN, from behind */
    uint64_t left = n < 0 ? -(uint64_t)n : (uint64_t)n;
    separate(j);
    do {
        *--at = (char)('0' + left % 10);
    } while (left /= 10);
    if (n < 0)
        *--at = '-';
    str_add(j->out, at, (size_t)(text + sizeof text - at));
}

void jsonw_num(struct jsonw *j, double x)
{
    separate(j);
    if (!isfinite(x)) {
        str_add(j->out, "null", 4);
        return;
    }
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, x);
        if (strtod(text, NULL) == x)
            break;
    }
    str_addz(j->out, text);
}

void jsonw_bool(struct jsonw *j, bool b)
{
    separate(j);
    str_addz(j->out, b ? "true" : "false");
}

void jsonw_null(struct jsonw *j)
{
    separate(j);
    str_add(j->out, "null", 4);
}

void jsonw_raw(struct jsonw *j, struct slice json)
{
    separate(j);
    if (json.ptr)
        str_add_slice(j->out, json);
    else
        str_add(j->out, "null", 4);
}

void jsonw_kstr(struct jsonw *j, const char *key, struct slice s) { jsonw_key(j, key); jsonw_str(j, s); }
void jsonw_kstrz(struct jsonw *j, const char *key, const char *z) { jsonw_key(j, key); jsonw_strz(j, z); }
void jsonw_kint(struct jsonw *j, const char *key, int64_t n) { jsonw_key(j, key); jsonw_int(j, n); }
void jsonw_knum(struct jsonw *j, const char *key, double x) { jsonw_key(j, key); jsonw_num(j, x); }
void jsonw_kbool(struct jsonw *j, const char *key, bool b) { jsonw_key(j, key); jsonw_bool(j, b); }
void jsonw_kraw(struct jsonw *j, const char *key, struct slice json) { jsonw_key(j, key); jsonw_raw(j, json); }

/* How many bytes at the start are ASCII that stands as it is. */
static size_t ordinary(const unsigned char *p, size_t n)
{
    size_t i = 0;
#if defined(__SSE2__)
    for (; i + 16 <= n; i += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(p + i));
        __m128i quotes = _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')), _mm_cmpeq_epi8(v, _mm_set1_epi8('\\')));
        int others = _mm_movemask_epi8(_mm_or_si128(quotes, _mm_cmplt_epi8(v, _mm_set1_epi8(0x20)))); /* from 0x80 on they are negative */
        if (others)
            return i + (size_t)__builtin_ctz((unsigned)others);
    }
#endif
    while (i < n && p[i] >= 0x20 && p[i] < 0x80 && p[i] != '"' && p[i] != '\\')
        i++;
    return i;
}

void jsonw_escape(struct str *out, struct slice s)
{
    const unsigned char *p = (const unsigned char *)s.ptr;
    size_t plain = 0, i = 0; /* [plain, i) needs no escape and is not written yet */
    while (s.len && (i += ordinary(p + i, s.len - i)) < s.len) {
        unsigned char c = p[i];
        size_t n = c < 0x80 ? 0 : slice_utf8(slice_sub(s, i, s.len));
        if (n) {
            i += n;
            continue;
        }
        str_add(out, s.ptr + plain, i - plain);
        switch (c) {
        case '"': str_add(out, "\\\"", 2); break;
        case '\\': str_add(out, "\\\\", 2); break;
        case '\n': str_add(out, "\\n", 2); break;
        case '\r': str_add(out, "\\r", 2); break;
        case '\t': str_add(out, "\\t", 2); break;
        default:
            if (c < 0x80)
                str_printf(out, "\\u%04x", c);
            else
                str_add(out, "\xef\xbf\xbd", 3);
        }
        plain = ++i;
    }
    if (i > plain)
        str_add(out, s.ptr + plain, i - plain);
}
