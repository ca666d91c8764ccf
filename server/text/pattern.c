#include "text/pattern.h"

bool pattern_at(const struct pattern *in, const char *z)
{
    return slice_starts(slice_of(in->p, (size_t)(in->end - in->p)), z);
}

bool pattern_take(struct pattern *in, const char *z)
{
    if (!pattern_at(in, z))
        return false;
    in->p += strlen(z);
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

void pattern_skip_past(struct pattern *in, char c)
{
    const char *found = in->p < in->end ? memchr(in->p, c, (size_t)(in->end - in->p)) : NULL;
    in->lost |= !found;
    in->p = found ? found + 1 : in->end;
}

uint32_t pattern_character(struct pattern *in)
{
    unsigned char c = (unsigned char)*in->p++;
    int more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : c >= 0xc0 ? 1 : 0;
    uint32_t code = more == 3 ? c & 0x07 : more == 2 ? c & 0x0f : more == 1 ? c & 0x1f : c;
    for (; more > 0; more--) {
        if (in->p == in->end) {
            in->lost = true;
            break;
        }
        code = code << 6 | ((unsigned char)*in->p++ & 0x3f);
    }
    return code;
}

/* \xhh and \x{h…}, behind the x. */
static uint32_t take_hex(struct pattern *in)
{
    bool braced = pattern_take(in, "{");
    uint32_t code = 0;
    for (int n = 0; in->p < in->end && n < (braced ? 8 : 2); n++) {
        char c = (char)(*in->p | 0x20);
        if (is_digit(*in->p))
            code = code << 4 | (uint32_t)(*in->p - '0');
        else if (c >= 'a' && c <= 'f')
            code = code << 4 | (uint32_t)(c - 'a' + 10);
        else
            break;
        in->p++;
    }
    if ((braced && !pattern_take(in, "}")) || code > 0x10ffff)
        in->lost = true;
    return code;
}

/* What a reference names, behind \g or \k. */
static void skip_name(struct pattern *in)
{
    if (pattern_take(in, "{"))
        pattern_skip_past(in, '}');
    else if (pattern_take(in, "<"))
        pattern_skip_past(in, '>');
    else if (pattern_take(in, "'"))
        pattern_skip_past(in, '\'');
    else
        while (in->p < in->end && (is_digit(*in->p) || *in->p == '-' || *in->p == '+'))
            in->p++;
}

enum escape pattern_escape(struct pattern *in, uint32_t *c)
{
    static const char names[] = "aefnrt", values[] = "\a\033\f\n\r\t";
    if (in->p == in->end) {
        in->lost = true;
        return ESCAPE_ANYTHING;
    }
    unsigned char letter = (unsigned char)*in->p;
    bool alphanumeric = is_digit((char)letter) || ((letter | 0x20) >= 'a' && (letter | 0x20) <= 'z');
    if (!alphanumeric) {
        *c = pattern_character(in);
        return ESCAPE_CHARACTER;
    }
    in->p++;
    const char *name = strchr(names, letter);
    if (name) {
        *c = (uint32_t)values[name - names];
        return ESCAPE_CHARACTER;
    }
    switch (letter) {
    case 'x': *c = take_hex(in); return ESCAPE_CHARACTER;
    case 'b': case 'B': case 'A': case 'z': case 'Z': case 'G': case 'K': return ESCAPE_NOTHING;
    case 'd': case 'D': case 'w': case 'W': case 's': case 'S': case 'h': case 'H': case 'v': case 'V': case 'R': case 'X':
        return ESCAPE_ANYTHING;
    case 'p': case 'P':
        if (pattern_take(in, "{"))
            pattern_skip_past(in, '}');
        else if (in->p < in->end)
            in->p++;
        return ESCAPE_ANYTHING;
    case 'g': case 'k': skip_name(in); return ESCAPE_ANYTHING;
    case 'N':
        in->lost |= pattern_at(in, "{");
        return ESCAPE_ANYTHING;
    default:
        if (!is_digit((char)letter)) {
            in->lost = true; /* \c, \o, \C and what later versions may bring */
            return ESCAPE_ANYTHING;
        }
        while (in->p < in->end && is_digit(*in->p)) /* a reference, or octal */
            in->p++;
        return ESCAPE_ANYTHING;
    }
}

/* {n}, {n,} and {n,m}. Anything else in braces that some version of PCRE2 takes for one is given up. */
static bool take_braces(struct pattern *in, struct repeat *r)
{
    const char *q = in->p + 1;
    while (q < in->end && (is_digit(*q) || *q == ',' || *q == ' '))
        q++;
    if (q == in->end || *q != '}' || q == in->p + 1)
        return false; /* a brace like any other character */
    const char *p = in->p + 1;
    *r = (struct repeat){0, UINT32_MAX};
    for (; p < q && is_digit(*p) && r->min < UINT16_MAX; p++)
        r->min = r->min * 10 + (uint32_t)(*p - '0');
    in->lost |= p == in->p + 1;
    if (p == q) {
        r->max = r->min;
    } else if (*p++ == ',' && p < q) {
        r->max = 0;
        for (; p < q && is_digit(*p) && r->max < UINT16_MAX; p++)
            r->max = r->max * 10 + (uint32_t)(*p - '0');
    }
    in->lost |= p != q;
    in->p = q + 1;
    return true;
}

struct repeat pattern_repeat(struct pattern *in)
{
    struct repeat r = {1, 1};
    if (in->quoting) {
        if (!pattern_take(in, "\\E"))
            return r;
        in->quoting = false;
    }
    if (pattern_at(in, "(?#"))
        in->lost = true; /* a comment may stand between */
    if (pattern_take(in, "*"))
        r = (struct repeat){0, UINT32_MAX};
    else if (pattern_take(in, "+"))
        r = (struct repeat){1, UINT32_MAX};
    else if (pattern_take(in, "?"))
        r = (struct repeat){0, 1};
    else if (!pattern_at(in, "{") || !take_braces(in, &r))
        return r;
    if (!pattern_take(in, "?"))
        pattern_take(in, "+");
    /* a quantifier of what is quantified */
    in->lost |= pattern_at(in, "*") || pattern_at(in, "+") || pattern_at(in, "?") || pattern_at(in, "{");
    return r;
}

/* (?i) and the like, behind the question mark. True: it is a setting, and `)` or `:` comes next. */
static bool take_settings(struct pattern *in, bool *nocase)
{
    const char *p = in->p;
    bool on = true, value = *nocase;
    for (; p < in->end && strchr("imsnJU^-", *p) && *p; p++) {
        if (*p == 'i')
            value = on;
        else if (*p == '^')
            value = false;
        else if (*p == '-')
            on = false;
    }
    if (p == in->end || (*p != ')' && *p != ':'))
        return false;
    *nocase = value;
    in->p = p;
    return true;
}

/* (?1), (?+1), (?-1): a call of a group by its number. */
static bool at_call(const struct pattern *in)
{
    size_t sign = pattern_at(in, "?+") || pattern_at(in, "?-");
    return pattern_at(in, "?") && (size_t)(in->end - in->p) > 1 + sign && is_digit(in->p[1 + sign]);
}

static bool take_any(struct pattern *in, const char *const *words)
{
    while (*words && !pattern_take(in, *words))
        words++;
    return *words != NULL;
}

enum group pattern_group(struct pattern *in, bool *nocase)
{
    static const char *const references[] = {"?P=", "?P>", "?&", "?R", NULL},
        *const assertions[] = {"?=", "?!", "?<=", "?<!", "?*", "?<*", NULL},
                             *const plain[] = {"?:", "?>", "?|", NULL}, *const named[] = {"?P<", "?<", NULL};
    if (at_call(in) || take_any(in, references)) {
        pattern_skip_past(in, ')');
        return GROUP_REFERENCE;
    }
    if (take_any(in, assertions))
        return GROUP_ASSERTION;
    if (take_any(in, plain))
        return GROUP_PLAIN;
    if (take_any(in, named)) {
        pattern_skip_past(in, '>');
    } else if (pattern_take(in, "?'")) {
        pattern_skip_past(in, '\'');
    } else if (pattern_at(in, "*")) {
        in->lost = true; /* a verb, or an assertion by its name */
    } else if (pattern_take(in, "?")) {
        if (!take_settings(in, nocase))
            in->lost = true; /* a condition, a comment, a call-out, extended syntax */
        else if (pattern_take(in, ")"))
            return GROUP_SETTING;
        else
            in->p++;
    }
    return GROUP_PLAIN;
}
