#include "text/jread.h"

#include "text/scan.h"

#include <stdlib.h>

const char *const jrepair_names[JREPAIR_COUNT] = {
    [JREPAIR_SURROGATE] = "lone_surrogate",
    [JREPAIR_UTF8] = "invalid_utf8",
    [JREPAIR_NAN] = "nan",
    [JREPAIR_CONTROL] = "control_character",
    [JREPAIR_ESCAPE] = "unknown_escape",
    [JREPAIR_DUPLICATE_KEY] = "duplicate_key",
    [JREPAIR_NUMBER] = "malformed_number",
    [JREPAIR_BOM] = "byte_order_mark",
};

const struct jlimits jlimits_default = {.depth = 512, .nodes = UINT64_C(4) << 20};

/* An array or object whose end was not seen yet. */
struct frame {
    const char *start;
    size_t newlines;     /* seen before it */
    size_t values, keys; /* where its own begin on the stacks */
    bool object, repaired;
};

/* Children wait on two stacks until their container ends and its arrays can be made in their exact size: depth costs
 * no C stack. */
struct reader {
    const char *bytes, *p, *end;
    const struct scan *scan;
    const struct jlimits *limits;
    struct arena *arena;
    struct err *e;
    struct jrepairs repairs;
    bool mended; /* since it was last set to false */
    uint64_t nodes;
    size_t newlines; /* between values; inside a string one is a repaired control character */

    struct jvalue *values;
    struct slice *keys;
    struct frame *frames;
    size_t nvalues, nkeys, nframes;
    size_t values_cap, keys_cap, frames_cap;
};

static bool fail(const struct reader *r, const char *at, const char *expected)
{
    return err_set(r->e, ERR_FORMAT, "not valid JSON at byte %zu: expected %s%s", (size_t)(at - r->bytes), expected,
                   at == r->end ? ", but the text ends" : "");
}

static void mend(struct reader *r, enum jrepair kind)
{
    r->repairs.count[kind]++;
    r->mended = true;
}

/* Makes room for one more item. */
static void *grow(void *items, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return items;
    *cap = *cap ? *cap * 2 : 32;
    items = realloc(items, *cap * size);
    if (!items)
        abort();
    return items;
}

static void skip_space(struct reader *r)
{
    const char *p = r->p;
    while (p < r->end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')) {
        r->newlines += *p++ == '\n';
        while (r->end - p >= 8 && memcmp(p, "        ", 8) == 0) /* indentation */
            p += 8;
    }
    r->p = p;
}

/* ---- strings ------------------------------------------------------------------------------------------------------------ */

/* The length of the UTF-8 sequence that begins at p with a byte >= 0x80; where it is invalid, minus the number of bytes
 * that one U+FFFD replaces (Unicode 15, 3.9: the longest part that begins a valid sequence, else one byte). */
static int utf8_length(const char *p, const char *end)
{
    unsigned char c = (unsigned char)p[0], low = 0x80, high = 0xbf;
    int n;
    if (c >= 0xc2 && c < 0xe0) {
        n = 2;
    } else if (c >= 0xe0 && c < 0xf0) {
        n = 3;
        low = c == 0xe0 ? 0xa0 : 0x80;
        high = c == 0xed ? 0x9f : 0xbf;
    } else if (c >= 0xf0 && c < 0xf5) {
        n = 4;
        low = c == 0xf0 ? 0x90 : 0x80;
        high = c == 0xf4 ? 0x8f : 0xbf;
    } else {
        return -1;
    }
    for (int i = 1; i < n; i++) {
        if (p + i >= end || (unsigned char)p[i] < low || (unsigned char)p[i] > high)
            return -i;
        low = 0x80;
        high = 0xbf;
    }
    return n;
}

static char *utf8_put(char *out, uint32_t c)
{
    if (c < 0x80) {
        *out++ = (char)c;
    } else if (c < 0x800) {
        *out++ = (char)(0xc0 | c >> 6);
        *out++ = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *out++ = (char)(0xe0 | c >> 12);
        *out++ = (char)(0x80 | (c >> 6 & 0x3f));
        *out++ = (char)(0x80 | (c & 0x3f));
    } else {
        *out++ = (char)(0xf0 | c >> 18);
        *out++ = (char)(0x80 | (c >> 12 & 0x3f));
        *out++ = (char)(0x80 | (c >> 6 & 0x3f));
        *out++ = (char)(0x80 | (c & 0x3f));
    }
    return out;
}

enum { REPLACEMENT = 0xfffd };

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four hexadecimal digits of \uXXXX at p (the backslash), or -1. */
static int32_t hex4(const char *p, const char *end)
{
    if (end - p < 6 || p[0] != '\\' || p[1] != 'u')
        return -1;
    int32_t c = 0;
    for (int i = 2; i < 6; i++) {
        int d = hex_digit(p[i]);
        if (d < 0)
            return -1;
        c = c << 4 | d;
    }
    return c;
}

/* One escape at p, of a string that ends at `close`. Never longer in `*out` than it was. Returns what comes after it. */
static const char *unescape(struct reader *r, const char *p, const char *close, char **out)
{
    char c;
    switch (p[1]) {
    case '"': case '\\': case '/': c = p[1]; break;
    case 'b': c = '\b'; break;
    case 'f': c = '\f'; break;
    case 'n': c = '\n'; break;
    case 'r': c = '\r'; break;
    case 't': c = '\t'; break;
    case 'u': {
        int32_t unit = hex4(p, close);
        if (unit < 0) {
            mend(r, JREPAIR_ESCAPE);
            *(*out)++ = '\\';
            return p + 1;
        }
        uint32_t code = (uint32_t)unit;
        p += 6;
        if (code >= 0xd800 && code < 0xe000) {
            int32_t low = code < 0xdc00 ? hex4(p, close) : -1;
            if (low >= 0xdc00 && low < 0xe000) {
                code = 0x10000 + ((code - 0xd800) << 10) + ((uint32_t)low - 0xdc00);
                p += 6;
            } else {
                code = REPLACEMENT;
                mend(r, JREPAIR_SURROGATE);
            }
        }
        *out = utf8_put(*out, code);
        return p;
    }
    default: /* the backslash stays; what follows it is read as any byte is */
        mend(r, JREPAIR_ESCAPE);
        *(*out)++ = '\\';
        return p + 1;
    }
    *(*out)++ = c;
    return p + 2;
}

struct jvalue *jstring(struct arena *a, struct slice bytes, struct jrepairs *repairs)
{
    const char *end = bytes.ptr + bytes.len;
    struct jvalue *v = arena_new(a, struct jvalue);
    uint64_t bad = 0;
    for (const char *p = bytes.ptr; p < end;) {
        int n = (unsigned char)*p < 0x80 ? 1 : utf8_length(p, end);
        bad += n < 0;
        p += n < 0 ? -n : n;
    }
    *v = (struct jvalue){.type = J_STRING, .text = bytes, .raw = bytes, .repaired = bad > 0};
    if (!bad)
        return v;
    repairs->count[JREPAIR_UTF8] += bad;
    char *text = arena_alloc(a, bytes.len + 2 * bad + 1), *out = text;
    for (const char *p = bytes.ptr; p < end;) {
        int n = (unsigned char)*p < 0x80 ? 1 : utf8_length(p, end);
        if (n < 0) {
            out = utf8_put(out, REPLACEMENT);
            p -= n;
        } else {
            memcpy(out, p, (size_t)n);
            out += n;
            p += n;
        }
    }
    v->text = slice_of(text, (size_t)(out - text));
    return v;
}

/* A string from `start` that cannot stay as it is: what stands before p is plain, at p is an escape or invalid UTF-8. */
static bool rewrite_string(struct reader *r, const char *start, const char *p, struct slice *text)
{
    const char *close = p;
    while ((close = r->scan->quote(close, r->end)) < r->end && *close == '\\')
        close = r->end - close > 2 ? close + 2 : r->end;
    if (close == r->end)
        return fail(r, r->end, "the end of a string");

    /* Only a replaced byte grows, to the three of U+FFFD; then the buffer is changed for one that takes the worst. */
    size_t size = (size_t)(close - start);
    bool wide = false;
    char *buffer = arena_alloc(r->arena, size), *out = buffer + (p - start);
    memcpy(buffer, start, (size_t)(p - start));
    while (p < close) {
        const char *stop = r->scan->copy(p, close, out);
        out += stop - p;
        p = stop;
        if (p == close)
            break;
        unsigned char c = (unsigned char)*p;
        if (c == '\\') {
            p = unescape(r, p, close, &out);
        } else if (c < 0x20) {
            mend(r, JREPAIR_CONTROL);
            *out++ = *p++;
        } else {
            int n = utf8_length(p, close);
            if (n > 0) {
                memcpy(out, p, (size_t)n);
                out += n;
                p += n;
                continue;
            }
            if (!wide) {
                char *wider = arena_alloc(r->arena, 3 * size);
                memcpy(wider, buffer, (size_t)(out - buffer));
                out = wider + (out - buffer);
                buffer = wider;
                wide = true;
            }
            mend(r, JREPAIR_UTF8);
            out = utf8_put(out, REPLACEMENT);
            p += -n;
        }
    }
    *text = slice_of(buffer, (size_t)(out - buffer));
    r->p = close + 1;
    return true;
}

/* r->p stands on the opening quote. */
static bool read_string(struct reader *r, struct slice *text)
{
    const char *start = r->p + 1, *p = start;
    for (;;) {
        p = r->scan->special(p, r->end);
        if (p == r->end)
            return fail(r, r->end, "the end of a string");
        unsigned char c = (unsigned char)*p;
        if (c == '"') {
            *text = slice_of(start, (size_t)(p - start));
            r->p = p + 1;
            return true;
        }
        if (c == '\\')
            return rewrite_string(r, start, p, text);
        if (c < 0x20) {
            mend(r, JREPAIR_CONTROL);
            p++;
            continue;
        }
        do {
            int n = utf8_length(p, r->end);
            if (n < 0)
                return rewrite_string(r, start, p, text);
            p += n;
        } while (p < r->end && (unsigned char)*p >= 0x80);
    }
}

/* ---- numbers and words -------------------------------------------------------------------------------------------------- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static const char *skip_digits(const char *p, const char *end)
{
    while (p < end && is_digit(*p))
        p++;
    return p;
}

/* The end of the number at p as RFC 8259 has it, or NULL. */
static const char *strict_number(const char *p, const char *end)
{
    const char *q = p < end && *p == '-' ? p + 1 : p;
    p = skip_digits(q, end);
    if (p == q || (*q == '0' && p - q > 1))
        return NULL;
    if (p < end && *p == '.') {
        q = p + 1;
        p = skip_digits(q, end);
        if (p == q)
            return NULL;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        q = p + 1;
        if (q < end && (*q == '+' || *q == '-'))
            q++;
        p = skip_digits(q, end);
        if (p == q)
            return NULL;
    }
    return p;
}

static bool number_byte(char c)
{
    return is_digit(c) || c == '.' || c == '+' || c == '-' || c == 'e' || c == 'E';
}

static bool read_number(struct reader *r, struct jvalue *v)
{
    const char *start = r->p, *p = strict_number(start, r->end);
    if (p && (p == r->end || !number_byte(*p))) {
        v->type = J_NUMBER;
    } else {
        bool digit = false;
        for (p = start; p < r->end && number_byte(*p); p++)
            digit |= is_digit(*p);
        if (!digit || (*start | 0x20) == 'e')
            return fail(r, start, "a value");
        mend(r, JREPAIR_NUMBER);
        v->type = J_STRING;
    }
    v->text = slice_of(start, (size_t)(p - start));
    r->p = p;
    return true;
}

static bool read_word(struct reader *r, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(r->end - r->p) < n || memcmp(r->p, word, n) != 0)
        return fail(r, r->p, "a value");
    r->p += n;
    return true;
}

static bool read_scalar(struct reader *r, struct jvalue *v)
{
    *v = (struct jvalue){.type = J_NULL};
    r->mended = false;
    const char *start = r->p;
    bool ok = true;
    switch (*start) {
    case '"':
        v->type = J_STRING;
        ok = read_string(r, &v->text);
        break;
    case 't':
        v->type = J_TRUE;
        ok = read_word(r, "true");
        break;
    case 'f':
        v->type = J_FALSE;
        ok = read_word(r, "false");
        break;
    case 'n':
        ok = read_word(r, "null");
        break;
    case 'N':
        mend(r, JREPAIR_NAN);
        ok = read_word(r, "NaN");
        break;
    case 'I':
        mend(r, JREPAIR_NAN);
        ok = read_word(r, "Infinity");
        break;
    default:
        if (r->end - start > 1 && memcmp(start, "-I", 2) == 0) {
            mend(r, JREPAIR_NAN);
            ok = read_word(r, "-Infinity");
        } else {
            ok = read_number(r, v);
        }
    }
    v->repaired = r->mended;
    v->raw = slice_of(start, (size_t)(r->p - start));
    return ok;
}

/* ---- containers --------------------------------------------------------------------------------------------------------- */

static int compare_keys(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

/* How many of the keys stood in the object before. Many keys are sorted: no choice of keys makes that slow. */
static size_t count_duplicates(const struct slice *keys, size_t n)
{
    size_t found = 0;
    if (n <= 16) {
        for (size_t i = 1; i < n; i++) {
            size_t j = 0;
            while (j < i && !slice_eq(keys[i], keys[j]))
                j++;
            found += j < i;
        }
        return found;
    }
    struct slice *sorted = malloc(n * sizeof *sorted);
    if (!sorted)
        abort();
    memcpy(sorted, keys, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, compare_keys);
    for (size_t i = 1; i < n; i++)
        found += slice_eq(sorted[i], sorted[i - 1]);
    free(sorted);
    return found;
}

static bool open_container(struct reader *r)
{
    if (r->nframes >= r->limits->depth)
        return err_set(r->e, ERR_TOO_LARGE, "the JSON is nested more than %u levels deep at byte %zu", r->limits->depth,
                       (size_t)(r->p - r->bytes));
    r->frames = grow(r->frames, r->nframes, &r->frames_cap, sizeof *r->frames);
    r->frames[r->nframes++] = (struct frame){.start = r->p, .newlines = r->newlines, .values = r->nvalues, .keys = r->nkeys,
                                             .object = *r->p == '{'};
    r->p++;
    skip_space(r);
    return true;
}

/* Takes the innermost container off the stacks; r->p stands behind its end. */
static void close_container(struct reader *r, struct jvalue *v)
{
    struct frame f = r->frames[--r->nframes];
    size_t n = r->nvalues - f.values;
    *v = (struct jvalue){.type = f.object ? J_OBJECT : J_ARRAY, .n = (uint32_t)n,
                         .raw = slice_of(f.start, (size_t)(r->p - f.start))};
    if (n > 0) {
        v->items = arena_alloc(r->arena, n * sizeof *v->items);
        memcpy(v->items, r->values + f.values, n * sizeof *v->items);
    }
    if (n > 0 && f.object) {
        v->keys = arena_alloc(r->arena, n * sizeof *v->keys);
        memcpy(v->keys, r->keys + f.keys, n * sizeof *v->keys);
        size_t duplicates = count_duplicates(v->keys, n);
        r->repairs.count[JREPAIR_DUPLICATE_KEY] += duplicates;
        f.repaired |= duplicates > 0;
    }
    v->repaired = f.repaired;
    v->lines = r->newlines > f.newlines;
    r->nvalues = f.values;
    r->nkeys = f.keys;
}

/* "key": and the space around it. */
static bool read_key(struct reader *r)
{
    if (r->p == r->end || *r->p != '"')
        return fail(r, r->p, "a member name in double quotes");
    r->keys = grow(r->keys, r->nkeys, &r->keys_cap, sizeof *r->keys);
    r->mended = false;
    if (!read_string(r, &r->keys[r->nkeys]))
        return false;
    r->nkeys++;
    r->frames[r->nframes - 1].repaired |= r->mended;
    skip_space(r);
    if (r->p == r->end || *r->p != ':')
        return fail(r, r->p, "':'");
    r->p++;
    skip_space(r);
    return true;
}

/* A scalar or an empty container is complete at once; of any other container only the opening is read (and the first
 * key), so that its first child comes next. */
static bool read_value(struct reader *r, struct jvalue *v, bool *complete)
{
    if (++r->nodes > r->limits->nodes || r->nodes > UINT32_MAX)
        return err_set(r->e, ERR_TOO_LARGE, "the JSON holds more than %llu values", (unsigned long long)r->limits->nodes);
    if (r->p == r->end)
        return fail(r, r->p, "a value");
    *complete = true;
    if (*r->p != '{' && *r->p != '[')
        return read_scalar(r, v);
    if (!open_container(r))
        return false;
    bool object = r->frames[r->nframes - 1].object;
    if (r->p < r->end && *r->p == (object ? '}' : ']')) {
        r->p++;
        close_container(r, v);
        return true;
    }
    *complete = false;
    return !object || read_key(r);
}

static bool read_tree(struct reader *r, struct jvalue *root)
{
    for (;;) {
        struct jvalue v;
        bool complete = false;
        if (!read_value(r, &v, &complete))
            return false;
        /* What is complete goes into the container around it, which may be complete with it, and so on. */
        while (complete) {
            if (r->nframes == 0) {
                *root = v;
                return true;
            }
            r->values = grow(r->values, r->nvalues, &r->values_cap, sizeof *r->values);
            r->values[r->nvalues++] = v;
            struct frame *f = &r->frames[r->nframes - 1];
            f->repaired |= v.repaired;
            skip_space(r);
            if (r->p < r->end && *r->p == ',') {
                r->p++;
                skip_space(r);
                if (f->object && !read_key(r))
                    return false;
                complete = false;
            } else if (r->p < r->end && *r->p == (f->object ? '}' : ']')) {
                r->p++;
                close_container(r, &v);
            } else {
                return fail(r, r->p, f->object ? "',' or '}'" : "',' or ']'");
            }
        }
    }
}

bool jread(struct arena *a, struct slice bytes, const struct jlimits *limits, struct jrepairs *repairs, struct jvalue **out,
           struct err *e)
{
    const char *start = bytes.ptr ? bytes.ptr : "";
    struct reader r = {
        .bytes = start, .p = start, .end = start + bytes.len,
        .scan = scan_best(), .limits = limits ? limits : &jlimits_default, .arena = a, .e = e,
    };
    if (slice_starts(bytes, "\xef\xbb\xbf")) {
        mend(&r, JREPAIR_BOM);
        r.p += 3;
    }
    struct jvalue root;
    skip_space(&r);
    bool ok = read_tree(&r, &root);
    if (ok) {
        skip_space(&r);
        ok = r.p == r.end || fail(&r, r.p, "nothing after the value");
    }
    free(r.values);
    free(r.keys);
    free(r.frames);
    if (!ok)
        return false;
    for (int i = 0; repairs && i < JREPAIR_COUNT; i++)
        repairs->count[i] += r.repairs.count[i];
    *out = arena_alloc(a, sizeof root);
    **out = root;
    return true;
}
