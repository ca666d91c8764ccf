#include "text/literal.h"

#include "text/pattern.h"

#include <ctype.h>
#include <endian.h>
#include <stdint.h>

/* A walk over the pattern. An expression is either exact, and then known by all the strings that it can match, or it
 * is known by clauses that hold of whatever it matches, perhaps none. Zero-width assertions match the empty string only, as far
 * as neighbours are concerned. Where a sequence goes on after something inexact, its string begins anew. */
enum {
    STRINGS_MAX = 32,   /* of an exact expression */
    STRINGS_GOOD = 8,   /* no more than this where the strings are long enough already */
    STRING_MAX = 32,    /* bytes; a longer one is cut in two */
    HEADS_MAX = 64,     /* members of a class that are listed to make a short string long enough */
    CLAUSE_MAX = 256,   /* alternatives of a clause */
    NESTING_MAX = 250,  /* PCRE2's own */
    UTF8_MAX = 4,       /* bytes of a character */
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
    size_t longest;         /* bytes that it can match at most; BEFORE_ANY: any number */
    bool lines;             /* a newline may be among them */
    bool exact;
    struct strings strings; /* exact: at least one */
    struct strings heads;   /* not exact, but one character, which is one of these; or none */
    struct clauses needs;   /* not exact */
};

struct walk {
    struct pattern in;
    struct arena *arena;
    int nesting;
    bool dotall;            /* (?s) stands somewhere: a dot may be a newline */
    bool moves;             /* holds \G or \K: where a match starts is not where it is looked for */
};

/* ---- lengths, of which any is the largest ------------------------------------------------------------------------------- */

static size_t length_add(size_t a, size_t b)
{
    return a > BEFORE_ANY - b ? BEFORE_ANY : a + b;
}

static size_t length_times(size_t a, uint32_t times)
{
    return a == 0 || times == 0 ? 0 : times == UINT32_MAX || a > UINT32_MAX ? BEFORE_ANY : a * times;
}

static size_t length_most(size_t a, size_t b)
{
    return a > b ? a : b;
}

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

static void strings_add_joined(struct arena *arena, struct strings *set, struct slice a, struct slice b)
{
    char *joined = arena_alloc(arena, a.len + b.len + 1);
    memcpy(joined, a.ptr, a.len);
    memcpy(joined + a.len, b.ptr, b.len);
    strings_add(arena, set, slice_of(joined, a.len + b.len));
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
        for (size_t j = 0; j < b->n; j++)
            strings_add_joined(arena, &out, a->items[i], b->items[j]);
    *a = out;
    return true;
}

/* ---- clauses ------------------------------------------------------------------------------------------------------------ */

static void clauses_add(struct arena *a, struct clauses *list, struct clause clause)
{
    list->items = arena_grow(a, list->items, list->n, &list->cap, sizeof *list->items);
    list->items[list->n++] = clause;
}

/* "One of these strings occurs, behind so many bytes (and newlines)" is a clause if none is too short. A string that holds another of them says
 * nothing more; the other may stand as far behind as the one is long. */
static bool clause_of(struct arena *a, const struct strings *set, size_t before, bool lines, struct clause *out)
{
    if (set->n == 0 || set->n > CLAUSE_MAX || strings_shortest(set) < LITERAL_MIN)
        return false;
    *out = (struct clause){.any = arena_array(a, struct slice, set->n), .before = length_add(before, strings_longest(set)), .lines = lines};
    for (size_t i = 0; i < set->n; i++)
        out->lines |= memchr(set->items[i].ptr, '\n', set->items[i].len) != NULL;
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
    {0x0590, 0x0fff}, {0x2000, 0x206f}, {0x2190, 0x23ff}, {0x2500, 0x27bf}, {0x2e80, 0xa63f}, {0xac00, 0xd7ff}, {0xf900, 0xfaff},
    {0x1f000, 0x1faff},
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

/* ---- the walk --------------------------------------------------------------------------------------------------------- */

static bool range_add(struct arena *a, struct strings *set, uint32_t low, uint32_t high, bool nocase)
{
    for (uint32_t c = low; c <= high; c++)
        if (set->n > HEADS_MAX || !character_add(a, set, c, nocase))
            return false;
    return true;
}

/* What \d or \w match. */
static bool escape_add(struct arena *a, struct strings *set, char letter, bool nocase)
{
    return (letter == 'd' || letter == 'w') && range_add(a, set, '0', '9', nocase) &&
           (letter == 'd' || (range_add(a, set, 'a', 'z', nocase) && range_add(a, set, '_', '_', nocase)));
}

/* Letters of escapes that never match a newline. */
#define WITHOUT_NEWLINE "dwShVN"

/* A class, behind its [. Exact if it has few members. */
static void walk_class(struct walk *w, bool nocase, struct expr *out)
{
    struct pattern *in = &w->in;
    bool negated = pattern_take(in, "^"), known = !negated, first = true;
    bool newline = false, maybe = false; /* a newline is, or may be, a member */
    struct strings set = {0};
    for (; !in->lost; first = false) {
        if (in->p == in->end) {
            in->lost = true;
            return;
        }
        if (*in->p == ']' && !first) {
            in->p++;
            break;
        }
        uint32_t low, high;
        if (pattern_at(in, "[:")) {
            const char *q = in->p + 2;
            while (q < in->end && (*q == '^' || (*q >= 'a' && *q <= 'z')))
                q++;
            in->p = q;
            in->lost |= !pattern_take(in, ":]");
            known = false;
            maybe = true;
            continue;
        }
        if (pattern_at(in, "[.") || pattern_at(in, "[=") || pattern_at(in, "\\Q") || pattern_at(in, "\\E")) {
            in->lost = true;
            return;
        }
        if (pattern_take(in, "\\")) {
            char letter = in->p < in->end ? *in->p : 0;
            enum escape kind = pattern_escape(in, &low);
            if (kind != ESCAPE_CHARACTER) {
                known = known && escape_add(w->arena, &set, letter, nocase);
                newline |= letter == 's';
                maybe |= !strchr(WITHOUT_NEWLINE, letter);
                continue;
            }
        } else {
            low = pattern_character(in);
        }
        high = low;
        /* a range; where it is none after all, the class has got too many members */
        if (pattern_at(in, "-") && !pattern_at(in, "-]")) {
            in->p++;
            known &= !pattern_at(in, "[") && in->p < in->end;
            if (pattern_take(in, "\\"))
                known &= pattern_escape(in, &high) == ESCAPE_CHARACTER;
            else if (in->p < in->end && !pattern_at(in, "["))
                high = pattern_character(in);
        }
        newline |= low <= '\n' && high >= '\n';
        known = known && high >= low && high - low < HEADS_MAX && range_add(w->arena, &set, low, high, nocase);
    }
    bool exact = known && set.n <= STRINGS_GOOD;
    *out = (struct expr){.longest = UTF8_MAX, .lines = negated ? !newline : newline || maybe, .exact = exact};
    *(exact ? &out->strings : &out->heads) = known ? set : (struct strings){0};
}

static void walk_alternatives(struct walk *w, bool nocase, struct expr *out);

/* A group, behind its (. A setting changes *nocase for what follows it. */
static void walk_group(struct walk *w, bool *nocase, struct expr *out)
{
    bool inner = *nocase;
    enum group kind = pattern_group(&w->in, &inner);
    *out = (struct expr){.longest = kind == GROUP_REFERENCE ? BEFORE_ANY : 0, .lines = kind == GROUP_REFERENCE, .exact = kind != GROUP_REFERENCE, .strings = strings_empty(w->arena)};
    if (kind == GROUP_SETTING)
        *nocase = inner;
    if (kind == GROUP_SETTING || kind == GROUP_REFERENCE)
        return;
    w->in.lost |= ++w->nesting > NESTING_MAX;
    if (w->in.lost)
        return;
    struct expr body;
    walk_alternatives(w, inner, &body);
    w->in.lost |= !pattern_take(&w->in, ")");
    w->nesting--;
    if (kind == GROUP_PLAIN)
        *out = body;
}

/* One atom, without its quantifier. */
static void walk_atom(struct walk *w, bool *nocase, struct expr *out)
{
    struct pattern *in = &w->in;
    *out = (struct expr){.longest = UTF8_MAX, .exact = true};
    uint32_t c;
    if (in->quoting) {
        c = pattern_character(in);
    } else if (pattern_take(in, "(")) {
        walk_group(w, nocase, out);
        return;
    } else if (pattern_take(in, "[")) {
        walk_class(w, *nocase, out);
        return;
    } else if (pattern_take(in, ".")) {
        out->exact = false;
        out->lines = w->dotall;
        return;
    } else if (pattern_take(in, "^") || pattern_take(in, "$")) {
        out->longest = 0;
        out->strings = strings_empty(w->arena);
        return;
    } else if (pattern_take(in, "\\")) {
        char letter = in->p < in->end ? *in->p : 0;
        enum escape kind = pattern_escape(in, &c);
        w->moves |= kind == ESCAPE_NOTHING && (letter == 'G' || letter == 'K');
        if (kind != ESCAPE_CHARACTER) {
            out->longest = kind == ESCAPE_NOTHING ? 0 : strchr("dDwWsShHvVRNpP", letter) ? UTF8_MAX : BEFORE_ANY;
            out->lines = kind != ESCAPE_NOTHING && !strchr(WITHOUT_NEWLINE, letter);
            out->exact = kind == ESCAPE_NOTHING;
            out->strings = strings_empty(w->arena);
            if (!escape_add(w->arena, &out->heads, letter, *nocase))
                out->heads = (struct strings){0};
            return;
        }
    } else {
        c = pattern_character(in);
    }
    out->lines = c == '\n';
    out->exact = character_add(w->arena, &out->strings, c, *nocase);
}

/* What stands one behind the other. */
struct sequence {
    struct arena *arena;
    struct strings tail; /* what the text holds just before the place where the walk is */
    size_t before;       /* bytes before that at most */
    bool before_lines;   /* with a newline among them, perhaps */
    size_t longest;      /* the same of all that was walked over */
    bool lines;
    bool broken;         /* something inexact was met */
    struct clauses needs;
};

static void sequence_break(struct sequence *s, struct strings tail)
{
    struct clause clause;
    if (clause_of(s->arena, &s->tail, s->before, s->before_lines, &clause))
        clauses_add(s->arena, &s->needs, clause);
    s->broken = true;
    s->tail = tail;
    s->before = s->longest;
    s->before_lines = s->lines;
}

/* What the text holds just before a class is too short by one byte: with each of the class's members behind it, it is not. */
static void lengthen_tail(struct sequence *s, const struct strings *heads)
{
    size_t least = strings_shortest(&s->tail);
    if (least + 1 != LITERAL_MIN || heads->n == 0 || s->tail.n * heads->n > CLAUSE_MAX)
        return;
    struct strings out = {0};
    for (size_t i = 0; i < s->tail.n; i++)
        for (size_t k = 0; k < heads->n; k++)
            strings_add_joined(s->arena, &out, s->tail.items[i], heads->items[k]);
    s->tail = out;
}

static void sequence_add(struct sequence *s, const struct expr *expr, struct repeat r)
{
    size_t before = s->longest;
    bool lines = s->lines;
    s->longest = length_add(before, length_times(expr->longest, r.max));
    s->lines |= expr->lines && r.max > 0;
    if (!expr->exact) {
        if (r.min > 0)
            lengthen_tail(s, &expr->heads);
        sequence_break(s, strings_empty(s->arena));
        for (size_t i = 0; r.min > 0 && i < expr->needs.n; i++) {
            struct clause clause = expr->needs.items[i]; /* holds of the first of them */
            clause.before = length_add(before, clause.before);
            clause.lines |= lines;
            clauses_add(s->arena, &s->needs, clause);
        }
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
    struct pattern *in = &w->in;
    struct sequence s = {.arena = w->arena, .tail = strings_empty(w->arena)};
    while (!in->lost && in->p < in->end && (in->quoting || (*in->p != '|' && *in->p != ')'))) {
        if (pattern_at(in, "\\E")) { /* nothing is quoted: what a quantifier behind it belongs to is not obvious */
            in->lost = true;
            break;
        }
        if (!in->quoting && pattern_take(in, "\\Q")) {
            in->quoting = true;
            continue;
        }
        struct expr atom;
        walk_atom(w, nocase, &atom);
        if (in->lost)
            break;
        sequence_add(&s, &atom, pattern_repeat(in));
    }
    *out = (struct expr){.longest = s.longest, .lines = s.lines, .exact = !s.broken, .strings = s.tail};
    if (s.broken) {
        sequence_break(&s, strings_empty(w->arena));
        out->needs = s.needs;
    }
}

/* Alternatives. Where all are exact and few, so is the whole; else one clause is made of the best of each. */
static void walk_alternatives(struct walk *w, bool nocase, struct expr *out)
{
    struct strings exact = {0}, any = {0};
    bool all_exact = true, all_need = true, before_lines = false, lines = false;
    size_t n = 0, before = 0, longest = 0;
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
        else if (clause_of(w->arena, &one.strings, 0, false, &clause))
            best = &clause;
        all_need = all_need && best && any.n + best->n <= CLAUSE_MAX;
        before = best ? length_most(before, best->before) : before;
        longest = length_most(longest, one.longest);
        before_lines |= best && best->lines;
        lines |= one.lines;
        for (size_t i = 0; all_need && i < best->n; i++)
            strings_add(w->arena, &any, best->any[i]);
    } while (!w->in.lost && pattern_take(&w->in, "|"));
    if (n == 1) {
        *out = one;
        return;
    }
    *out = (struct expr){.longest = longest, .lines = lines, .exact = all_exact && exact.n <= STRINGS_MAX, .strings = exact};
    struct clause clause;
    if (!out->exact && all_need && clause_of(w->arena, &any, before, before_lines, &clause))
        clauses_add(w->arena, &out->needs, clause);
}

/* A literal pattern, or text without any syntax. */
static void walk_text(struct walk *w, bool nocase, struct expr *out)
{
    struct pattern *in = &w->in;
    struct sequence s = {.arena = w->arena, .tail = strings_empty(w->arena)};
    while (in->p < in->end) {
        struct expr c = {.longest = UTF8_MAX};
        c.exact = character_add(w->arena, &c.strings, pattern_character(in), nocase);
        sequence_add(&s, &c, (struct repeat){1, 1});
    }
    sequence_break(&s, strings_empty(w->arena));
    *out = (struct expr){.needs = s.needs};
}

/* Somewhere in the pattern a setting, or what looks like one, holds an s. */
static bool says_dotall(struct slice pattern)
{
    for (size_t i = 0; i + 1 < pattern.len; i++) {
        if (pattern.ptr[i] != '(' || pattern.ptr[i + 1] != '?')
            continue;
        for (size_t k = i + 2; k < pattern.len && (pattern.ptr[k] == '-' || pattern.ptr[k] == '^' || isalpha((unsigned char)pattern.ptr[k])); k++)
            if (pattern.ptr[k] == 's')
                return true;
    }
    return false;
}

void needs_of_pattern(struct arena *a, struct slice pattern, int flags, struct needs *out)
{
    *out = (struct needs){0};
    if (pattern.len == 0)
        return;
    struct arena scratch = {0};
    struct walk w = {.in = {.p = pattern.ptr, .end = pattern.ptr + pattern.len}, .arena = &scratch};
    w.dotall = says_dotall(pattern);
    struct expr whole;
    if (flags & REGEX_LITERAL)
        walk_text(&w, flags & REGEX_NOCASE, &whole);
    else
        walk_alternatives(&w, flags & REGEX_NOCASE, &whole);
    struct clause clause;
    if (whole.exact && clause_of(&scratch, &whole.strings, 0, false, &clause))
        clauses_add(&scratch, &whole.needs, clause);
    if (!w.in.lost && w.in.p == w.in.end) {
        out->n = whole.needs.n;
        out->all = arena_array(a, struct clause, out->n);
        for (size_t i = 0; i < out->n; i++) {
            out->all[i].n = whole.needs.items[i].n;
            out->all[i].lines = w.moves || whole.needs.items[i].lines;
            out->all[i].before = w.moves ? BEFORE_ANY : whole.needs.items[i].before;
            out->all[i].any = arena_array(a, struct slice, out->all[i].n);
            for (size_t k = 0; k < out->all[i].n; k++)
                out->all[i].any[k] = arena_dup(a, whole.needs.items[i].any[k]);
        }
    }
    arena_free(&scratch);
}

static void mark(uint8_t bits[GRAM_BUCKETS / 8], uint32_t hash)
{
    bits[hash >> 3] |= (uint8_t)(1 << (hash & 7));
}

void grams_mark(struct slice text, uint8_t bits[GRAM_BUCKETS / 8])
{
    size_t i = 0;
    for (; i + 8 <= text.len; i += GRAMS_A_WORD) {
        uint64_t w;
        memcpy(&w, text.ptr + i, sizeof w);
        w = fold_word(le64toh(w));
        for (int k = 0; k < GRAMS_A_WORD; k++)
            mark(bits, gram_of((uint32_t)(w >> 8 * k)));
    }
    for (; i + 4 <= text.len; i++) {
        unsigned char folded[4];
        for (int k = 0; k < 4; k++)
            folded[k] = fold_byte((unsigned char)text.ptr[i + k]);
        mark(bits, gram_hash(folded));
    }
}
