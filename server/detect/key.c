/* Keys: a hash of fields, without what does not make a difference. Equal keys are what "the same" means in a condition. */
#include "detect/match.h"

/* What a byte can begin or belong to. */
enum { BYTE_SPACE = 1, BYTE_DIGIT = 2, BYTE_HEX = 4, BYTE_PATH = 8, BYTE_QUOTE = 16, BYTE_SLASH = 32, BYTE_UPPER = 64, BYTE_MARK = 128 };
static const uint8_t byte_kinds[256] = {
    [' '] = BYTE_SPACE,
    ['\t'] = BYTE_SPACE,
    ['\r'] = BYTE_SPACE,
    ['\n'] = BYTE_SPACE,
    ['\f'] = BYTE_SPACE,
    ['\v'] = BYTE_SPACE,
    ['0' ... '9'] = BYTE_DIGIT | BYTE_HEX | BYTE_PATH,
    ['a' ... 'f'] = BYTE_HEX | BYTE_PATH,
    ['g' ... 'z'] = BYTE_PATH,
    ['A' ... 'F'] = BYTE_HEX | BYTE_PATH | BYTE_UPPER,
    ['G' ... 'Z'] = BYTE_PATH | BYTE_UPPER,
    ['/'] = BYTE_PATH | BYTE_SLASH | BYTE_MARK,
    ['.'] = BYTE_PATH | BYTE_MARK,
    ['_'] = BYTE_PATH | BYTE_MARK,
    ['-'] = BYTE_PATH | BYTE_MARK,
    ['+'] = BYTE_PATH | BYTE_MARK,
    ['@'] = BYTE_PATH | BYTE_MARK,
    ['~'] = BYTE_PATH | BYTE_MARK,
    ['%'] = BYTE_PATH | BYTE_MARK,
    ['*'] = BYTE_PATH | BYTE_MARK,
    ['?'] = BYTE_PATH | BYTE_MARK,
    ['#'] = BYTE_PATH | BYTE_MARK,
    ['!'] = BYTE_PATH | BYTE_MARK,
    ['$'] = BYTE_PATH | BYTE_MARK,
    ['^'] = BYTE_PATH | BYTE_MARK,
    [0x7f] = BYTE_PATH,
    ['"'] = BYTE_QUOTE | BYTE_MARK,
    ['\''] = BYTE_QUOTE | BYTE_MARK,
    ['&'] = BYTE_MARK,
    ['('] = BYTE_MARK,
    [')'] = BYTE_MARK,
    [','] = BYTE_MARK,
    [':' ... '>'] = BYTE_MARK,
    ['[' ... ']'] = BYTE_MARK,
    ['`'] = BYTE_MARK,
    ['{' ... '}'] = BYTE_MARK,
    [0x80 ... 0xff] = BYTE_PATH,
};

static size_t run_of(struct slice s, size_t at, unsigned kind)
{
    size_t n = 0;
    while (at + n < s.len && byte_kinds[(unsigned char)s.ptr[at + n]] & kind)
        n++;
    return n;
}

/* The kinds of byte at which something may have to be done. */
static unsigned kinds_of(unsigned how)
{
    return ((how & NORMALIZE_STRINGS) ? BYTE_QUOTE : 0) | ((how & NORMALIZE_PATHS) ? BYTE_SLASH : 0) |
           ((how & NORMALIZE_HEX) ? BYTE_HEX : 0) | ((how & NORMALIZE_NUMBERS) ? BYTE_DIGIT : 0) |
           ((how & NORMALIZE_SPACE) ? BYTE_SPACE : 0) | ((how & NORMALIZE_CASE) ? BYTE_UPPER : 0) |
           ((how & NORMALIZE_MARKS) ? BYTE_MARK | BYTE_SPACE : 0);
}

/* One unit of text at `at`: the byte it becomes goes to *out, whether there is one to *len; returns the bytes taken. */
static size_t normal_unit(struct slice s, size_t at, unsigned how, char *out, size_t *len)
{
    enum { HEX_LEAST = 6 };
    unsigned kind = byte_kinds[(unsigned char)s.ptr[at]];
    size_t n;
    *len = 1;
    if ((how & NORMALIZE_STRINGS) && (kind & BYTE_QUOTE)) {
        const char *end = memchr(s.ptr + at + 1, s.ptr[at], s.len - at - 1);
        *out = '"';
        return end ? (size_t)(end - s.ptr) + 1 - at : 1;
    }
    if ((how & NORMALIZE_PATHS) && (kind & BYTE_SLASH) && (n = run_of(s, at, BYTE_PATH)) > 1) {
        *out = '/';
        return n;
    }
    if ((how & NORMALIZE_HEX) && (kind & BYTE_HEX) && (n = run_of(s, at, BYTE_HEX)) >= HEX_LEAST) {
        *out = '0';
        return n;
    }
    if ((how & NORMALIZE_NUMBERS) && (kind & BYTE_DIGIT)) {
        *out = '0';
        return run_of(s, at, BYTE_DIGIT);
    }
    if ((how & NORMALIZE_MARKS) && (kind & (BYTE_MARK | BYTE_SPACE))) {
        *len = 0;
        return 1;
    }
    if ((how & NORMALIZE_SPACE) && (kind & BYTE_SPACE)) {
        n = run_of(s, at, BYTE_SPACE);
        *out = ' ';
        *len = at > 0 && at + n < s.len; /* none at the ends */
        return n;
    }
    *out = (char)((how & NORMALIZE_CASE) ? fold_byte((unsigned char)s.ptr[at]) : (unsigned char)s.ptr[at]);
    return 1;
}

static void hash_normal(struct hash *h, struct slice s, unsigned how)
{
    char buffer[1024];
    size_t n = 0;
    unsigned kinds = kinds_of(how);
    for (size_t at = 0; at < s.len;) {
        size_t len;
        for (; at < s.len && n < sizeof buffer && !(byte_kinds[(unsigned char)s.ptr[at]] & kinds); at++)
            buffer[n++] = s.ptr[at];
        if (n < sizeof buffer && at < s.len) {
            at += normal_unit(s, at, how, buffer + n, &len);
            n += len;
        }
        if (n == sizeof buffer) {
            hash_add(h, slice_of(buffer, n));
            n = 0;
        }
    }
    hash_add(h, slice_of(buffer, n));
    hash_add(h, slice_of("", 1)); /* ends the field */
}

void key_make(struct view *v, const struct event *e, const struct key *key, unsigned char out[HASH_SIZE])
{
    struct hash h;
    hash_start(&h);
    for (size_t i = 0; i < key->n; i++) {
        struct value value;
        bool there = view_value(v, e, key->fields[i].field, key->fields[i].key, 0, &value);
        if (there && !value.text.ptr)
            value.text = arena_printf(v->arena, "%.17g", value.number);
        if (!there && key->needs_value) {
            memset(out, 0, HASH_SIZE);
            return;
        }
        if (!there)
            hash_add(&h, slice_of("\1", 2));
        else if (key->normalize)
            hash_normal(&h, value.text, key->normalize);
        else
            hash_add_framed(&h, value.text);
    }
    hash_end(&h, out);
}
