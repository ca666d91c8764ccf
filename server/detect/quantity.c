#include "detect/quantity.h"

#include "text/literal.h"

#include <stdlib.h>

static unsigned char fold(char c)
{
    return fold_byte((unsigned char)c);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool among(char c, const char *set)
{
    return c && strchr(set, c);
}

static bool starts_nocase(struct slice s, const char *z)
{
    return slice_eq_nocase(slice_sub(s, 0, strlen(z)), slice_str(z));
}

static bool has_digit(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (is_digit(s.ptr[i]))
            return true;
    return false;
}

/* "seven", "twenty-five" */
static bool number_word(struct slice *s, double *out)
{
    static const char *const ones[] = {"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
                                       "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"};
    static const char *const tens[] = {"twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"};
    size_t n = 0, found = 0;
    *out = 0;
    for (;; found++) {
        size_t end = n;
        while (end < s->len && fold(s->ptr[end]) >= 'a' && fold(s->ptr[end]) <= 'z')
            end++;
        struct slice word = slice_sub(*s, n, end - n);
        double value = -1;
        for (size_t i = 0; i < sizeof tens / sizeof *tens && found == 0; i++)
            if (slice_eq_nocase(word, slice_str(tens[i])))
                value = 20 + 10 * (double)i;
        for (size_t i = 0; i < sizeof ones / sizeof *ones; i++)
            if (slice_eq_nocase(word, slice_str(ones[i])) && (found == 0 || (i > 0 && i < 10)))
                value = (double)i;
        if (value < 0 || found == 2)
            break;
        *out += value;
        n = end;
        if (value < 20 || n >= s->len || !among(s->ptr[n], " -")) {
            found++;
            break;
        }
        n++;
    }
    if (found)
        *s = slice_sub(*s, n, s->len);
    return found > 0;
}

/* Digits with thousands set off by commas, a decimal point, an exponent. */
static bool digits(struct slice *s, struct quantity *out)
{
    char text[48], *end;
    size_t n = 0, i = 0;
    bool point = false, any = false;
    out->decimals = 0;
    if (i < s->len && among(s->ptr[i], "+-"))
        text[n++] = s->ptr[i++];
    for (; i < s->len && n + 8 < sizeof text; i++) {
        char c = s->ptr[i];
        bool next = i + 1 < s->len && is_digit(s->ptr[i + 1]);
        if (is_digit(c)) {
            any = true;
            out->decimals += point;
        } else if (c == '.' && !point && next) {
            point = true;
        } else if (c == ',' && any && !point && next && i + 3 < s->len && is_digit(s->ptr[i + 2]) && is_digit(s->ptr[i + 3]) &&
                   !(i + 4 < s->len && is_digit(s->ptr[i + 4]))) {
            continue;
        } else {
            break;
        }
        text[n++] = c;
    }
    if (any && i + 1 < s->len && fold(s->ptr[i]) == 'e' && (is_digit(s->ptr[i + 1]) || (i + 2 < s->len && among(s->ptr[i + 1], "+-") && is_digit(s->ptr[i + 2]))))
        for (size_t k = 0; i < s->len && k < 5 && (is_digit(s->ptr[i]) || k < 2); k++)
            text[n++] = s->ptr[i++];
    text[n] = 0;
    out->value = any ? strtod(text, &end) : 0;
    if (!any || *end)
        return false;
    *s = slice_sub(*s, i, s->len);
    return true;
}

bool quantity_read(struct slice s, struct quantity *out)
{
    enum { UNIT_MOST = 24 };
    static const struct { const char *word; double times; } scale[] = {{"thousand", 1e3}, {"million", 1e6}, {"billion", 1e9}, {"trillion", 1e12}};
    static const char *const before[] = {"$", "€", "£", "¥", "~", "≈", "=", "US$", "about ", "approximately ", "around ", "roughly "};
    s = slice_trim(s);
    for (size_t i = 0; i < sizeof before / sizeof *before; i++)
        if (starts_nocase(s, before[i]))
            s = slice_trim(slice_sub(s, strlen(before[i]), s.len));
    *out = (struct quantity){.value = 0};
    if (!digits(&s, out) && !number_word(&s, &out->value))
        return false;
    struct quantity below;
    struct slice rest = slice_sub(s, 1, s.len);
    if (s.len > 1 && *s.ptr == '/' && is_digit(*rest.ptr) && digits(&rest, &below) && below.value != 0) {
        out->value /= below.value;
        out->decimals = 9;
        s = rest;
    }
    if (s.len && is_digit(*s.ptr))
        return false;
    s = slice_trim(s);
    for (size_t i = 0; i < sizeof scale / sizeof *scale; i++)
        if (starts_nocase(s, scale[i].word)) {
            out->value *= scale[i].times;
            s = slice_trim(slice_sub(s, strlen(scale[i].word), s.len));
        }
    out->unit = s;
    return s.len <= UNIT_MOST && !has_digit(s) && !memchr(s.ptr ? s.ptr : "", '\n', s.len);
}
