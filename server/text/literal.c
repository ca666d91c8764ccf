#include "text/literal.h"

#include <endian.h>
#include <stdint.h>

/* A walk over the pattern. An expression is either exact, and then known by all the strings that it can match, or it
 * is known by clauses that hold of whatever it matches, perhaps none. Zero-width assertions match the empty string only, as far
 * as neighbours are concerned. Where a sequence goes on after something inexact, its string begins anew. */
enum {
    STRINGS_MAX = 32,   /* of an exact expression */
    STRINGS_GOOD = 8,   /* no more than this where the strings are long enough already */
    STRING_MAX = 32,    /* bytes; a longer one is cut in two */
    CLAUSE_MAX = 256,   /* alternatives of a clause */
    NESTING_MAX = 250,  /* PCRE2's own */
};

struct strings {
    struct slice *items;
    size_t n, cap;
};

struct clauses {
    struct clause *items;
    size_t n, cap;
};

struct expr {
    bool exact;
    struct strings strings; /* exact: at least one */
    struct clauses needs;   /* not exact */
};

struct walk {
    struct arena *arena;
    const char *p, *end;
    bool quoting;       /* between \Q and \E */
    bool lost;          /* met something that it does not understand: nothing is known of the whole pattern */
    int nesting;
};

struct repeat {
    uint32_t min, max;
};

/* ---- sets of strings ---------------------------------------------------------------------------------------------------- */

static void strings_add(struct arena *a, struct strings *set, struct slice s)
{
    for (size_t i = 0; i < set->n; i++)
        if (slice_eq(set->items[i], s))
            return;
    set->items = arena_grow(a, set->items, set->n, &set->cap, sizeof *set->items);
    set->items[set->n++] = s;
}

static struct strings strings_of(struct arena *a, struct slice s)
{
    struct strings set = {0};
    strings_add(a, &set, s);
    return set;
}

static struct strings strings_empty(struct arena *a)
{
    return strings_of(a, slice_of("", 0));
}

static size_t strings_shortest(const struct strings *set)
{
    size_t shortest = SIZE_MAX;
    for (size_t i = 0; i < set->n; i++)
        if (set->items[i].len < shortest)
            shortest = set->items[i].len;
    return shortest;
}

static size_t strings_longest(const struct strings *set)
{
    size_t longest = 0;
    for (size_t i = 0; i < set->n; i++)
        if (set->items[i].len > longest)
            longest = set->items[i].len;
    return longest;
}

/* Every string of `a` followed by every string of `b`. False where that would be too many, or too long. */
static bool strings_join(struct arena *arena, struct strings *a, const struct strings *b)
{
    if (b->n == 1 && b->items[0].len == 0)
        return true;
    size_t most = strings_shortest(a) >= LITERAL_MIN && b->n > 1 ? STRINGS_GOOD : STRINGS_MAX;
    if (a->n * b->n > most || strings_longest(a) + strings_longest(b) > STRING_MAX)
        return false;
    struct strings out = {0};
    for (size_t i = 0; i < a->n; i++)
        for (size_t j = 0; j < b->n; j++) {
            size_t len = a->items[i].len;
            char *joined = arena_alloc(arena, len + b->items[j].len + 1);
            memcpy(joined, a->items[i].ptr, len);
            memcpy(joined + len, b->items[j].ptr, b->items[j].len);
            strings_add(arena, &out, slice_of(joined, len + b->items[j].len));
        }
    *a = out;
    return true;
}

/* ---- clauses ------------------------------------------------------------------------------------------------------------ */

static void clauses_add(struct arena *a, struct clauses *list, struct clause clause)
{
    list->items = arena_grow(a, list->items, list->n, &list->cap, sizeof *list->items);
    list->items[list->n++] = clause;
}

/* "One of these strings occurs" is a clause if none is too short. A string that holds another of them says nothing more. */
static bool clause_of(struct arena *a, const struct strings *set, struct clause *out)
{
    if (set->n == 0 || set->n > CLAUSE_MAX || strings_shortest(set) < LITERAL_MIN)
        return false;
    *out = (struct clause){.any = arena_array(a, struct slice, set->n)};
    for (size_t i = 0; i < set->n; i++) {
        size_t j = 0;
        while (j < set->n && (j == i || slice_find(set->items[i], set->items[j]) < 0))
            j++;
        if (j == set->n)
            out->any[out->n++] = set->items[i];
    }
    return true;
}

/* The clause that says most: long literals, few of them. */
static const struct clause *clauses_best(const struct clauses *list)
{
    const struct clause *best = NULL;
    size_t best_worth = 0;
    for (size_t i = 0; i < list->n; i++) {
        size_t shortest = STRING_MAX;
        for (size_t k = 0; k < list->items[i].n; k++)
            if (list->items[i].any[k].len < shortest)
                shortest = list->items[i].any[k].len;
        size_t worth = 1 + shortest * CLAUSE_MAX / (list->items[i].n + 4);
        if (worth > best_worth) {
            best = &list->items[i];
            best_worth = worth;
        }
    }
    return best;
}

/* ---- characters --------------------------------------------------------------------------------------------------------- */

/* Blocks of Unicode without upper and lower case, from Hebrew to Tibetan, punctuation and symbols, CJK, Hangul, emoji. */
static const struct { uint32_t first, last; } without_case[] = {
    {0x0590, 0x0fff}, {0x2000, 0x206f}, {0x2190, 0x23ff}, {0x2500, 0x27bf}, {0x2e80, 0xa63f}, {0xac00, 0xd7ff}, {0xf900, 0xfaff}, {0x1f000, 0x1faff},
};

static bool has_no_case(uint32_t c)
{
    for (size_t i = 0; i < sizeof without_case / sizeof *without_case; i++)
        if (c >= without_case[i].first && c <= without_case[i].last)
            return true;
    return false;
}

static size_t utf8_encode(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3f));
    out[2] = (char)(0x80 | (c >> 6 & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

/* Adds what a text that a character matches can hold, folded. False where that is not known. */
static bool character_add(struct arena *a, struct strings *set, uint32_t c, bool nocase)
{
    if (c >= 0x80 && nocase && !has_no_case(c))
        return false;
    char bytes[4];
    size_t len = utf8_encode(c < 0x80 ? fold_byte((unsigned char)c) : c, bytes);
    strings_add(a, set, arena_dup(a, slice_of(bytes, len)));
    /* Of the ASCII letters these two have a third form: the Kelvin sign and the long s. */
    if (nocase && (c | 0x20) == 'k')
        strings_add(a, set, slice_str("\xe2\x84\xaa"));
    if (nocase && (c | 0x20) == 's')
        strings_add(a, set, slice_str("\xc5\xbf"));
    return true;
}

/* ---- reading the pattern ------------------------------------------------------------------------------------------------ */

static bool at(const struct walk *w, const char *z)
{
    return slice_starts(slice_of(w->p, (size_t)(w->end - w->p)), z);
}

static bool take(struct walk *w, const char *z)
{
    if (!at(w, z))
        return false;
    w->p += strlen(z);
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Steps behind the next `c`. */
static void skip_past(struct walk *w, char c)
{
    const char *found = w->p < w->end ? memchr(w->p, c, (size_t)(w->end - w->p)) : NULL;
    w->lost |= !found;
    w->p = found ? found + 1 : w->end;
}

/* One character of the pattern as it stands; the pattern is valid UTF-8, or does not compile. */
static uint32_t take_character(struct walk *w)
{
    unsigned char c = (unsigned char)*w->p++;
    int more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : c >= 0xc0 ? 1 : 0;
    uint32_t code = more == 3 ? c & 0x07 : more == 2 ? c & 0x0f : more == 1 ? c & 0x1f : c;
    for (; more > 0; more--) {
        if (w->p == w->end) {
            w->lost = true;
            break;
        }
        code = code << 6 | ((unsigned char)*w->p++ & 0x3f);
    }
    return code;
}

/* \xhh and \x{h…}, behind the x. */
static uint32_t take_hex(struct walk *w)
{
    bool braced = take(w, "{");
    uint32_t code = 0;
    for (int n = 0; w->p < w->end && n < (braced ? 8 : 2); n++) {
        char c = (char)(*w->p | 0x20);
        if (is_digit(*w->p))
            code = code << 4 | (uint32_t)(*w->p - '0');
        else if (c >= 'a' && c <= 'f')
            code = code << 4 | (uint32_t)(c - 'a' + 10);
        else
            break;
        w->p++;
    }
    if ((braced && !take(w, "}")) || code > 0x10ffff)
        w->lost = true;
    return code;
}

enum escape { ESCAPE_CHARACTER, ESCAPE_NOTHING /* zero width */, ESCAPE_ANYTHING };

/* What a reference names, behind \g or \k. */
static void skip_name(struct walk *w)
{
    if (take(w, "{"))
        skip_past(w, '}');
    else if (take(w, "<"))
        skip_past(w, '>');
    else if (take(w, "'"))
        skip_past(w, '\'');
    else
        while (w->p < w->end && (is_digit(*w->p) || *w->p == '-' || *w->p == '+'))
            w->p++;
}

/* Behind the backslash. Inside a class \b is a character, and some others do not exist. */
static enum escape take_escape(struct walk *w, uint32_t *c)
{
    static const char names[] = "aefnrt", values[] = "\a\033\f\n\r\t";
    if (w->p == w->end) {
        w->lost = true;
        return ESCAPE_ANYTHING;
    }
    unsigned char letter = (unsigned char)*w->p;
    bool alphanumeric = is_digit((char)letter) || ((letter | 0x20) >= 'a' && (letter | 0x20) <= 'z');
    if (!alphanumeric) {
        *c = take_character(w);
        return ESCAPE_CHARACTER;
    }
    w->p++;
    const char *name = strchr(names, letter);
    if (name) {
        *c = (uint32_t)values[name - names];
        return ESCAPE_CHARACTER;
    }
    switch (letter) {
    case 'x': *c = take_hex(w); return ESCAPE_CHARACTER;
    case 'b': case 'B': case 'A': case 'z': case 'Z': case 'G': case 'K': return ESCAPE_NOTHING;
    case 'd': case 'D': case 'w': case 'W': case 's': case 'S': case 'h': case 'H': case 'v': case 'V': case 'R': case 'X':
        return ESCAPE_ANYTHING;
    case 'p': case 'P':
        if (take(w, "{"))
            skip_past(w, '}');
        else if (w->p < w->end)
            w->p++;
        return ESCAPE_ANYTHING;
    case 'g': case 'k': skip_name(w); return ESCAPE_ANYTHING;
    case 'N':
        w->lost |= at(w, "{");
        return ESCAPE_ANYTHING;
    default:
        if (!is_digit((char)letter)) {
            w->lost = true; /* \c, \o, \C and what later versions may bring */
            return ESCAPE_ANYTHING;
        }
        while (w->p < w->end && is_digit(*w->p)) /* a reference, or octal */
            w->p++;
        return ESCAPE_ANYTHING;
    }
}

/* A class, behind its [. Exact if it has few members. */
static void take_class(struct walk *w, bool nocase, struct expr *out)
{
    bool known = !take(w, "^"), first = true;
    struct strings set = {0};
    for (; !w->lost; first = false) {
        if (w->p == w->end) {
            w->lost = true;
            return;
        }
        if (*w->p == ']' && !first) {
            w->p++;
            break;
        }
        uint32_t low, high;
        if (at(w, "[:")) {
            const char *q = w->p + 2;
            while (q < w->end && (*q == '^' || (*q >= 'a' && *q <= 'z')))
                q++;
            w->p = q;
            w->lost |= !take(w, ":]");
            known = false;
            continue;
        }
        if (at(w, "[.") || at(w, "[=") || at(w, "\\Q") || at(w, "\\E")) {
            w->lost = true;
            return;
        }
        if (take(w, "\\")) {
            enum escape kind = take_escape(w, &low);
            if (kind != ESCAPE_CHARACTER) {
                known = false;
                continue;
            }
        } else {
            low = take_character(w);
        }
        high = low;
        if (at(w, "-") && !at(w, "-]")) { /* a range; where it is none after all, the class has got too many members */
            w->p++;
            known &= !at(w, "[") && w->p < w->end;
            if (take(w, "\\"))
                known &= take_escape(w, &high) == ESCAPE_CHARACTER;
            else if (w->p < w->end && !at(w, "["))
                high = take_character(w);
        }
        if (!known || high < low || high - low >= STRINGS_GOOD)
            known = false;
        for (uint32_t c = low; known && c <= high; c++)
            known = character_add(w->arena, &set, c, nocase) && set.n <= STRINGS_GOOD;
    }
    *out = (struct expr){.exact = known, .strings = set};
}

/* {n}, {n,} and {n,m}. Anything else in braces that some version of PCRE2 takes for one is given up. */
static bool take_braces(struct walk *w, struct repeat *r)
{
    const char *q = w->p + 1;
    while (q < w->end && (is_digit(*q) || *q == ',' || *q == ' '))
        q++;
    if (q == w->end || *q != '}' || q == w->p + 1)
        return false; /* a brace like any other character */
    const char *p = w->p + 1;
    *r = (struct repeat){0, UINT32_MAX};
    for (; p < q && is_digit(*p) && r->min < UINT16_MAX; p++)
        r->min = r->min * 10 + (uint32_t)(*p - '0');
    w->lost |= p == w->p + 1;
    if (p == q) {
        r->max = r->min;
    } else if (*p++ == ',' && p < q) {
        r->max = 0;
        for (; p < q && is_digit(*p) && r->max < UINT16_MAX; p++)
            r->max = r->max * 10 + (uint32_t)(*p - '0');
    }
    w->lost |= p != q;
    w->p = q + 1;
    return true;
}

static struct repeat take_repeat(struct walk *w)
{
    struct repeat r = {1, 1};
    if (w->quoting) {
        if (!take(w, "\\E"))
            return r;
        w->quoting = false;
    }
    if (at(w, "(?#"))
        w->lost = true; /* a comment may stand between */
    if (take(w, "*"))
        r = (struct repeat){0, UINT32_MAX};
    else if (take(w, "+"))
        r = (struct repeat){1, UINT32_MAX};
    else if (take(w, "?"))
        r = (struct repeat){0, 1};
    else if (!at(w, "{") || !take_braces(w, &r))
        return r;
    if (!take(w, "?"))
        take(w, "+");
    w->lost |= at(w, "*") || at(w, "+") || at(w, "?") || at(w, "{"); /* a quantifier of what is quantified */
    return r;
}

static void walk_alternatives(struct walk *w, bool nocase, struct expr *out);

/* (?i) and the like, behind the question mark. True: a setting, with `)` or `:` next. */
static bool take_settings(struct walk *w, bool *nocase)
{
    const char *p = w->p;
    bool on = true, value = *nocase;
    for (; p < w->end && strchr("imsnJU^-", *p) && *p; p++) {
        if (*p == 'i')
            value = on;
        else if (*p == '^')
            value = false;
        else if (*p == '-')
            on = false;
    }
    if (p == w->end || (*p != ')' && *p != ':'))
        return false;
    *nocase = value;
    w->p = p;
    return true;
}

/* A group, behind its (. A setting without a group of its own changes *nocase for what follows it. */
static void walk_group(struct walk *w, bool *nocase, struct expr *out)
{
    static const char *const assertions[] = {"?=", "?!", "?<=", "?<!", "?*", "?<*"};
    static const char *const plain[] = {"?:", "?>", "?|"};
    bool inner = *nocase, assertion = false;
    *out = (struct expr){.exact = true, .strings = strings_empty(w->arena)};
    if (at(w, "*") || ++w->nesting > NESTING_MAX) {
        w->lost = true;
        return;
    }
    if (take(w, "?P=") || take(w, "?P>") || take(w, "?&") || take(w, "?R") ||
        (at(w, "?") && w->end - w->p > 1 && (is_digit(w->p[1]) || w->p[1] == '+' || (w->p[1] == '-' && w->end - w->p > 2 && is_digit(w->p[2]))))) {
        skip_past(w, ')'); /* a reference or a call: anything */
        out->exact = false;
        w->nesting--;
        return;
    }
    for (size_t i = 0; i < sizeof assertions / sizeof *assertions; i++)
        assertion = assertion || take(w, assertions[i]);
    if (!assertion && at(w, "?")) {
        bool known = false;
        for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
            known = known || take(w, plain[i]);
        if (!known && (take(w, "?P<") || take(w, "?<"))) {
            skip_past(w, '>');
        } else if (!known && take(w, "?'")) {
            skip_past(w, '\'');
        } else if (!known) {
            w->p++;
            if (!take_settings(w, &inner)) { /* a condition, a comment, a call-out, extended syntax */
                w->lost = true;
                return;
            }
            if (take(w, ")")) {
                *nocase = inner;
                w->nesting--;
                return;
            }
            w->p++;
        }
    }
    struct expr body;
    walk_alternatives(w, inner, &body);
    w->lost |= !take(w, ")");
    w->nesting--;
    if (!assertion)
        *out = body;
}

/* One atom, without its quantifier. */
static void walk_atom(struct walk *w, bool *nocase, struct expr *out)
{
    *out = (struct expr){.exact = true};
    uint32_t c;
    if (w->quoting) {
        c = take_character(w);
    } else if (take(w, "(")) {
        walk_group(w, nocase, out);
        return;
    } else if (take(w, "[")) {
        take_class(w, *nocase, out);
        return;
    } else if (take(w, ".")) {
        out->exact = false;
        return;
    } else if (take(w, "^") || take(w, "$")) {
        out->strings = strings_empty(w->arena);
        return;
    } else if (take(w, "\\")) {
        enum escape kind = take_escape(w, &c);
        if (kind != ESCAPE_CHARACTER) {
            out->exact = kind == ESCAPE_NOTHING;
            out->strings = strings_empty(w->arena);
            return;
        }
    } else {
        c = take_character(w);
    }
    out->exact = character_add(w->arena, &out->strings, c, *nocase);
}

/* What stands one behind the other. */
struct sequence {
    struct arena *arena;
    struct strings tail; /* what the text holds just before the place where the walk is */
    bool broken;         /* something inexact was met */
    struct clauses needs;
};

static void sequence_break(struct sequence *s, struct strings tail)
{
    struct clause clause;
    if (clause_of(s->arena, &s->tail, &clause))
        clauses_add(s->arena, &s->needs, clause);
    s->broken = true;
    s->tail = tail;
}

static void sequence_add(struct sequence *s, const struct expr *expr, struct repeat r)
{
    if (!expr->exact) {
        sequence_break(s, strings_empty(s->arena));
        for (size_t i = 0; r.min > 0 && i < expr->needs.n; i++)
            clauses_add(s->arena, &s->needs, expr->needs.items[i]);
        return;
    }
    if (strings_longest(&expr->strings) == 0) /* however often nothing is repeated */
        return;
    if (r.min == 0 && r.max == 1) {
        struct strings optional = {0};
        strings_add(s->arena, &optional, slice_of("", 0));
        for (size_t i = 0; i < expr->strings.n; i++)
            strings_add(s->arena, &optional, expr->strings.items[i]);
        if (!strings_join(s->arena, &s->tail, &optional))
            sequence_break(s, strings_empty(s->arena));
        return;
    }
    for (uint32_t i = 0; i < r.min; i++)
        if (!strings_join(s->arena, &s->tail, &expr->strings)) {
            sequence_break(s, expr->strings);
            if (i > STRING_MAX) /* it would only go on like this */
                return;
        }
    if (r.min == 0)
        sequence_break(s, strings_empty(s->arena));
    else if (r.max > r.min)
        sequence_break(s, expr->strings);
}

static void walk_sequence(struct walk *w, bool *nocase, struct expr *out)
{
    struct sequence s = {.arena = w->arena, .tail = strings_empty(w->arena)};
    while (!w->lost && w->p < w->end && (w->quoting || (*w->p != '|' && *w->p != ')'))) {
        if (at(w, "\\E")) { /* nothing is quoted: what a quantifier behind it belongs to is not obvious */
            w->lost = true;
            break;
        }
        if (!w->quoting && take(w, "\\Q")) {
            w->quoting = true;
            continue;
        }
        struct expr atom;
        walk_atom(w, nocase, &atom);
        if (w->lost)
            break;
        sequence_add(&s, &atom, take_repeat(w));
    }
    *out = (struct expr){.exact = !s.broken, .strings = s.tail};
    if (s.broken) {
        sequence_break(&s, strings_empty(w->arena));
        out->needs = s.needs;
    }
}

/* Alternatives. Where all are exact and few, so is the whole; else one clause is made of the best of each. */
static void walk_alternatives(struct walk *w, bool nocase, struct expr *out)
{
    struct strings exact = {0}, any = {0};
    bool all_exact = true, all_need = true;
    size_t n = 0;
    struct expr one;
    do {
        walk_sequence(w, &nocase, &one);
        n++;
        all_exact = all_exact && one.exact && exact.n <= STRINGS_MAX;
        for (size_t i = 0; all_exact && i < one.strings.n; i++)
            strings_add(w->arena, &exact, one.strings.items[i]);
        struct clause clause;
        const struct clause *best = NULL;
        if (!one.exact)
            best = clauses_best(&one.needs);
        else if (clause_of(w->arena, &one.strings, &clause))
            best = &clause;
        all_need = all_need && best && any.n + best->n <= CLAUSE_MAX;
        for (size_t i = 0; all_need && i < best->n; i++)
            strings_add(w->arena, &any, best->any[i]);
    } while (!w->lost && take(w, "|"));
    if (n == 1) {
        *out = one;
        return;
    }
    *out = (struct expr){.exact = all_exact && exact.n <= STRINGS_MAX, .strings = exact};
    struct clause clause;
    if (!out->exact && all_need && clause_of(w->arena, &any, &clause))
        clauses_add(w->arena, &out->needs, clause);
}

/* A literal pattern, or text without any syntax. */
static void walk_text(struct walk *w, bool nocase, struct expr *out)
{
    struct sequence s = {.arena = w->arena, .tail = strings_empty(w->arena)};
    while (w->p < w->end) {
        struct expr c = {0};
        c.exact = character_add(w->arena, &c.strings, take_character(w), nocase);
        sequence_add(&s, &c, (struct repeat){1, 1});
    }
    sequence_break(&s, strings_empty(w->arena));
    *out = (struct expr){.needs = s.needs};
}

void needs_of_pattern(struct arena *a, struct slice pattern, int flags, struct needs *out)
{
    *out = (struct needs){0};
    if (pattern.len == 0)
        return;
    struct arena scratch = {0};
    struct walk w = {.arena = &scratch, .p = pattern.ptr, .end = pattern.ptr + pattern.len};
    struct expr whole;
    if (flags & REGEX_LITERAL)
        walk_text(&w, flags & REGEX_NOCASE, &whole);
    else
        walk_alternatives(&w, flags & REGEX_NOCASE, &whole);
    struct clause clause;
    if (whole.exact && clause_of(&scratch, &whole.strings, &clause))
        clauses_add(&scratch, &whole.needs, clause);
    if (!w.lost && w.p == w.end) {
        out->n = whole.needs.n;
        out->all = arena_array(a, struct clause, out->n);
        for (size_t i = 0; i < out->n; i++) {
            out->all[i].n = whole.needs.items[i].n;
            out->all[i].any = arena_array(a, struct slice, out->all[i].n);
            for (size_t k = 0; k < out->all[i].n; k++)
                out->all[i].any[k] = arena_dup(a, whole.needs.items[i].any[k]);
        }
    }
    arena_free(&scratch);
}

/* Lower case for the ASCII letters among eight bytes. */
static uint64_t fold_word(uint64_t w)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = UINT64_C(0x8080808080808080);
    uint64_t low = w & ~tops, from_a = low + ones * (0x80 - 'A'), past_z = low + ones * (0x80 - 'Z' - 1);
    return w | (from_a & ~past_z & ~w & tops) >> 2;
}

static void mark(uint8_t bits[GRAM_BUCKETS / 8], uint32_t hash)
{
    bits[hash >> 3] |= (uint8_t)(1 << (hash & 7));
}

/* Eight bytes hold five grams. */
void grams_mark(struct slice text, uint8_t bits[GRAM_BUCKETS / 8])
{
    size_t i = 0;
    for (; i + 8 <= text.len; i += 5) {
        uint64_t w;
        memcpy(&w, text.ptr + i, sizeof w);
        w = fold_word(le64toh(w));
        for (int k = 0; k < 5; k++)
            mark(bits, gram_of((uint32_t)(w >> 8 * k)));
    }
    for (; i + 4 <= text.len; i++) {
        unsigned char folded[4];
        for (int k = 0; k < 4; k++)
            folded[k] = fold_byte((unsigned char)text.ptr[i + k]);
        mark(bits, gram_hash(folded));
    }
}
