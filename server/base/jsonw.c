#include "base/jsonw.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

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

void jsonw_key(struct jsonw *j, const char *key) { jsonw_key_slice(j, slice_str(key)); }

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
    separate(j);
    str_printf(j->out, "%" PRId64, n);
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

void jsonw_escape(struct str *out, struct slice s)
{
    const unsigned char *p = (const unsigned char *)s.ptr;
    size_t plain = 0, i = 0; /* [plain, i) needs no escape and is not written yet */
    while (i < s.len) {
        unsigned char c = p[i];
        if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
            i++;
            continue;
        }
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
