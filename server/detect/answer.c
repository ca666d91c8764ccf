#include "detect/answer.h"

#include "detect/encoding.h"
#include "detect/quantity.h"
#include "text/literal.h"

#include <math.h>
#include <stdlib.h>

#define ESCAPES "\\\"'`" /* what one round of escaping adds or eats */
enum { TOKENS_MOST = 64, SENTENCE_LEAST = 3, SENTENCE_MOST = 300, DECODED_LEAST = 4 };

static unsigned char fold(char c)
{
    return fold_byte((unsigned char)c);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool answer_is_alnum(unsigned char c)
{
    return is_digit((char)c) || (fold_byte(c) >= 'a' && fold_byte(c) <= 'z') || c >= 0x80;
}

static bool among(char c, const char *set)
{
    return c && strchr(set, c);
}

static bool one_of(struct slice word, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (slice_eq_nocase(word, slice_str(words[i])))
            return true;
    return false;
}
#define ONE_OF(word, words) one_of((word), (words), sizeof(words) / sizeof *(words))

/* ---- wrappers ---------------------------------------------------------------------------------------------------- */

static bool starts_nocase(struct slice s, const char *z)
{
    return slice_eq_nocase(slice_sub(s, 0, strlen(z)), slice_str(z));
}

/* Without "The final answer is", "Answer:", "flag =". */
static struct slice without_lead(struct slice s)
{
    static const char *const leads[] = {"so ", "therefore ", "thus ", "the ", "my ", "final ", "correct ", "answer", "result", "solution", "flag"};
    struct slice rest = s;
    bool named = false;
    for (size_t i = 0; i < sizeof leads / sizeof *leads; i++)
        if (starts_nocase(rest, leads[i])) {
            named = !strchr(leads[i], ' ');
            rest = slice_sub(rest, strlen(leads[i]), rest.len);
        }
    if (!named)
        return s;
    rest = slice_trim(rest);
    if (rest.len && among(*rest.ptr, ":="))
        return slice_sub(rest, 1, rest.len);
    if (starts_nocase(rest, "is ") || starts_nocase(rest, "is:"))
        return slice_sub(rest, 3, rest.len);
    return s;
}

static bool inside(struct slice *s, const char *open, const char *close)
{
    size_t m = strlen(open), n = strlen(close);
    if (s->len < m + n || !slice_starts(*s, open) || !slice_ends(*s, close))
        return false;
    struct slice body = slice_sub(*s, m, s->len - m - n);
    if (slice_find(body, slice_str(close)) >= 0) /* "(a) or (b)" is not one pair */
        return false;
    *s = body;
    return true;
}

/* <name>…</name> */
static bool inside_tag(struct slice *s)
{
    const char *end = s->len && s->ptr[0] == '<' ? memchr(s->ptr, '>', s->len) : NULL;
    size_t name = end ? (size_t)(end - s->ptr) - 1 : 0;
    if (!name || name > 16 || s->len < 2 * name + 5 || s->ptr[s->len - 1] != '>' || s->ptr[s->len - name - 2] != '/' ||
        s->ptr[s->len - name - 3] != '<' || memcmp(s->ptr + 1, s->ptr + s->len - name - 1, name) != 0)
        return false;
    *s = slice_sub(*s, name + 2, s->len - 2 * name - 5);
    return true;
}

/* name{…}, as in flag{…} and \boxed{…} */
static bool inside_braces(struct slice *s)
{
    const char *open = s->len ? memchr(s->ptr, '{', s->len) : NULL;
    size_t name = open ? (size_t)(open - s->ptr) : 0;
    if (!open || s->ptr[s->len - 1] != '}' || name > 16)
        return false;
    for (size_t i = 0; i < name; i++)
        if (!answer_is_alnum((unsigned char)s->ptr[i]) && s->ptr[i] != '\\' && s->ptr[i] != '_')
            return false;
    *s = slice_sub(*s, name + 1, s->len - name - 2);
    return true;
}

/* ```lang … ``` */
static bool inside_fence(struct slice *s)
{
    if (s->len < 6 || !slice_starts(*s, "```") || !slice_ends(*s, "```"))
        return false;
    *s = slice_sub(*s, 3, s->len - 6);
    const char *line = s->len ? memchr(s->ptr, '\n', s->len) : NULL;
    if (line && !memchr(s->ptr, ' ', (size_t)(line - s->ptr)))
        *s = slice_sub(*s, (size_t)(line - s->ptr), s->len);
    return true;
}

struct slice answer_unwrap(struct slice s)
{
    static const char *const pairs[][2] = {{"**", "**"}, {"$$", "$$"}, {"\\(", "\\)"}, {"\\[", "\\]"}, {"(", ")"}, {"[", "]"},
                                           {"“", "”"},   {"‘", "’"},   {"«", "»"}};
    for (;;) {
        size_t before = s.len;
        s = without_lead(slice_trim(s));
        s = slice_trim(s);
        if (s.len && among(s.ptr[s.len - 1], ".!;,"))
            s.len--;
        bool off = inside_fence(&s) || inside_tag(&s) || inside_braces(&s);
        for (size_t i = 0; !off && i < sizeof pairs / sizeof *pairs; i++)
            off = inside(&s, pairs[i][0], pairs[i][1]);
        if (!off && s.len >= 2 && s.ptr[0] == s.ptr[s.len - 1] && among(s.ptr[0], "\"'`*$"))
            s = slice_sub(s, 1, s.len - 2);
        if (s.len == before)
            return s;
    }
}

/* ---- words ------------------------------------------------------------------------------------------------------- */

/* The ASCII letter under an accent of Latin-1 and Latin Extended-A (UTF-8 C3 xx, C4 xx, C5 xx); 0: none. */
static char unaccented(unsigned char lead, unsigned char next)
{
    static const char c3[] = "aaaaaaaceeeeiiiidnooooo\0ouuuuy\0\0"; /* U+00C0 to U+00DF, and their small forms 0x20 behind */
    static const char c4[] = "aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiiiiijjkkklllllll";
    static const char c5[] = "lllnnnnnnnnnoooooooorrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs";
    if (next < 0x80 || next > 0xbf)
        return 0;
    return lead == 0xc3 ? c3[next & 0x1f] : lead == 0xc4 ? c4[next & 0x3f] : lead == 0xc5 ? c5[next & 0x3f] : 0;
}

/* Letters and digits, folded and without accents; typographic marks and spaces (U+00A0 to U+00BF, U+2000 to U+206F) are left out like all marks. */
static struct slice bare(struct arena *a, struct slice s)
{
    char *out = arena_alloc(a, s.len + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i], next = i + 1 < s.len ? (unsigned char)s.ptr[i + 1] : 0;
        char plain = unaccented(c, next);
        if (plain)
            out[n++] = plain, i++;
        else if (c == 0xc2 && next >= 0xa0 && next <= 0xbf)
            i++;
        else if (c == 0xe2 && (next == 0x80 || next == 0x81) && i + 2 < s.len)
            i += 2;
        else if (answer_is_alnum(c))
            out[n++] = (char)fold_byte(c);
    }
    return slice_of(out, n);
}

struct words {
    struct slice at[TOKENS_MOST];
    size_t n;
    bool cut; /* there were more */
};

static const char *const articles[] = {"a", "an", "the"};

/* The words of a text, folded; articles and marks are left out, a plural's s too. */
static struct words words_of(struct arena *a, struct slice s)
{
    static const char *const numerals[] = {"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"};
    struct words w = {.n = 0};
    for (size_t i = 0; i < s.len && !w.cut;) {
        size_t start = i;
        while (i < s.len && answer_is_alnum((unsigned char)s.ptr[i]))
            i++;
        struct slice word = i > start ? slice_sub(s, start, i - start) : s.ptr[i] == '&' ? slice_str("and") : SLICE_NONE;
        i += i == start;
        word = bare(a, word);
        if (!word.len || ONE_OF(word, articles))
            continue;
        for (size_t k = 0; k < sizeof numerals / sizeof *numerals; k++)
            if (slice_is(word, numerals[k]))
                word = arena_printf(a, "%zu", k);
        if (word.len > 3 && slice_ends(word, "s") && !slice_ends(word, "ss"))
            word.len--;
        w.cut = w.n == TOKENS_MOST;
        if (!w.cut)
            w.at[w.n++] = word;
    }
    return w;
}

static bool same_words(const struct words *x, const struct words *y)
{
    bool same = x->n == y->n && x->n && !x->cut && !y->cut;
    for (size_t i = 0; same && i < x->n; i++)
        same = slice_eq(x->at[i], y->at[i]);
    return same;
}

/* What goes before or behind a name and says no more. */
static struct words without_titles(struct words w)
{
    static const char *const titles[] = {"sir", "dr", "mr", "mrs", "ms", "prof", "inc", "ltd", "llc", "co", "corp", "plc", "company", "limited", "corporation"};
    struct words out = {.cut = w.cut};
    for (size_t i = 0; i < w.n; i++)
        if (!ONE_OF(w.at[i], titles))
            out.at[out.n++] = w.at[i];
    return out.n ? out : w;
}

static int by_bytes(const void *x, const void *y)
{
    return slice_cmp(*(const struct slice *)x, *(const struct slice *)y);
}

static bool has_digit(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (is_digit(s.ptr[i]))
            return true;
    return false;
}

/* The same words in another order; numbers stand where they stand for a reason. */
static bool reordered(struct words x, struct words y)
{
    for (size_t i = 0; i < x.n; i++)
        if (has_digit(x.at[i]))
            return false;
    qsort(x.at, x.n, sizeof *x.at, by_bytes);
    qsort(y.at, y.n, sizeof *y.at, by_bytes);
    return x.n > 1 && same_words(&x, &y);
}

static size_t commas(struct slice s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++)
        n += s.ptr[i] == ',' || s.ptr[i] == ';';
    return n;
}

/* One is the other with a word or two more, none of them a number, an alternative or a no. */
static bool few_more(const struct words *x, const struct words *y)
{
    enum { EXTRA_MOST = 2 };
    static const char *const telling[] = {"and", "or", "not", "no", "none", "never", "neither", "nor", "but", "non", "anti", "un"};
    const struct words *less = x->n < y->n ? x : y, *more = x->n < y->n ? y : x;
    if (less->n < 2 || less->cut || more->cut || more->n - less->n > EXTRA_MOST || more->n - less->n > (less->n + 1) / 2)
        return false;
    size_t k = 0;
    for (size_t i = 0; i < more->n; i++)
        if (k < less->n && slice_eq(more->at[i], less->at[k]))
            k++;
        else if (has_digit(more->at[i]) || ONE_OF(more->at[i], telling))
            return false;
    return k == less->n;
}

/* ---- numbers and dates ------------------------------------------------------------------------------------------- */

static bool is_percent(struct slice unit)
{
    static const char *const names[] = {"%", "percent", "per cent", "\\%"};
    return ONE_OF(unit, names);
}

/* The same unit, or one that is only left out; "th" of 16th says nothing. */
static bool units_agree(struct arena *a, struct slice x, struct slice y)
{
    static const char *const ordinal[] = {"st", "nd", "rd", "th"};
    static const char *const same[][2] = {{"km", "kilometer"}, {"m", "meter"}, {"kg", "kilogram"}, {"g", "gram"}, {"s", "second"}, {"sec", "second"}, {"min", "minute"},
                                          {"h", "hour"}, {"hr", "hour"}, {"mi", "mile"}, {"ft", "feet"}, {"lb", "pound"}, {"usd", "dollar"}, {"eur", "euro"},
                                          {"kilometre", "kilometer"}, {"metre", "meter"}, {"ce", "ad"}, {"bce", "bc"}};
    struct words w[2] = {words_of(a, x), words_of(a, y)};
    for (int k = 0; k < 2; k++)
        for (size_t i = 0; i < sizeof same / sizeof *same && w[k].n; i++)
            if (slice_is(w[k].at[0], same[i][0]))
                w[k].at[0] = slice_str(same[i][1]);
    if (!w[0].n || !w[1].n || ONE_OF(w[0].at[0], ordinal) || ONE_OF(w[1].at[0], ordinal))
        return true;
    return same_words(&w[0], &w[1]) || (is_percent(x) && is_percent(y));
}

static bool close_to(double x, double y)
{
    return fabs(x - y) <= 1e-9 * fmax(1e-9, fmax(fabs(x), fabs(y)));
}

static enum form compare_numbers(struct arena *a, const struct quantity *given, const struct quantity *expected)
{
    bool percent = is_percent(given->unit), other = is_percent(expected->unit);
    if (percent != other && close_to(percent ? given->value / 100 : given->value, other ? expected->value / 100 : expected->value))
        return FORM_DRESSED;
    if (!units_agree(a, given->unit, expected->unit))
        return FORM_OTHER;
    if (close_to(given->value, expected->value))
        return FORM_DRESSED;
    size_t less = given->decimals < expected->decimals ? given->decimals : expected->decimals;
    double step = pow(10, (double)less);
    if (less == 0 || given->decimals == expected->decimals || !close_to(round(given->value * step), round(expected->value * step)))
        return FORM_OTHER;
    return given->decimals > expected->decimals ? FORM_DRESSED : FORM_NEAR;
}

/* A day in any of its usual forms; slashes, of which nobody knows the order, only with the year in front. */
static bool date_of(struct arena *a, struct slice s, int ymd[3])
{
    static const char *const months[] = {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"};
    struct words w = words_of(a, s);
    ymd[0] = ymd[1] = ymd[2] = 0;
    if (w.n != 3)
        return false;
    for (size_t i = 0; i < w.n; i++) {
        int number = 0;
        size_t k = 0;
        while (k < w.at[i].len && k < 4 && is_digit(w.at[i].ptr[k]))
            number = 10 * number + (w.at[i].ptr[k++] - '0');
        for (int m = 0; m < 12; m++)
            if (k == 0 && starts_nocase(w.at[i], months[m]))
                ymd[1] = m + 1;
        if (k == 4 && k == w.at[i].len)
            ymd[0] = number;
        else if (k > 0 && k <= 2 && i == 1 && ymd[0]) /* 1969-07-20 */
            ymd[1] = number;
        else if (k > 0 && k <= 2 && w.at[i].len <= k + 2)
            ymd[2] = number;
    }
    return ymd[0] && ymd[1] && ymd[2];
}

/* ---- encodings --------------------------------------------------------------------------------------------------- */

/* One is the other, encoded. */
static bool encoded(struct arena *a, struct slice x, struct slice y)
{
    if (x.len < DECODED_LEAST || y.len < DECODED_LEAST)
        return false;
    struct slice p = bare(a, x), q = bare(a, y);
    for (enum encoding e = 0; e < ENCODINGS; e++) {
        struct slice u = bare(a, encoding_read(a, e, x)), v = bare(a, encoding_read(a, e, y));
        if ((u.len && slice_eq(u, q)) || (v.len && slice_eq(v, p)))
            return true;
    }
    return false;
}

/* Without what escaping adds or eats: backslashes and quotes. */
static struct slice unescaped(struct arena *a, struct slice s)
{
    char *out = arena_alloc(a, s.len + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++)
        if (!among(s.ptr[i], ESCAPES))
            out[n++] = s.ptr[i];
    return slice_of(out, n);
}

/* The two differ in backslashes and quotes alone. What is expected is at fault if it lacks what was given, but for backslashes that an agent
 * sets before what a shell would take for itself; or if it has what writing a string into JSON adds. Else the agent lost them. */
static bool key_is_garbled(struct slice given, struct slice expected)
{
    size_t i = 0, k = 0;
    bool lacks = false, added = false, lost = false;
    while (i < given.len || k < expected.len) {
        char c = i < given.len ? given.ptr[i] : 0, e = k < expected.len ? expected.ptr[k] : 0;
        if (i < given.len && k < expected.len && c == e) {
            i++, k++;
        } else if (i < given.len && among(c, ESCAPES)) {
            char next = i + 1 < given.len ? given.ptr[i + 1] : 0;
            lacks |= c != '\\' || !among(next, "{}()[]$!&;|<>*?#~ \"'`");
            i++;
        } else {
            char next = k + 1 < expected.len ? expected.ptr[k + 1] : 0;
            bool json = e == '\\' && (among(next, "\\\"/") || (k > 0 && expected.ptr[k - 1] == '\\'));
            added |= json;
            lost |= !json;
            k++;
        }
    }
    return lacks || (added && !lost);
}

/* ---- lists and sentences ----------------------------------------------------------------------------------------- */

/* Items of a list in any order: at least two, set off by commas, semicolons or line ends in both. */
static bool same_items(struct arena *a, struct slice x, struct slice y)
{
    struct words items[2] = {{.n = 0}, {.n = 0}};
    struct slice text[2] = {x, y};
    if (slice_find(x, slice_str("(")) >= 0) /* rows of a table, whose items belong together */
        return false;
    for (int k = 0; k < 2; k++) {
        size_t start = 0;
        for (size_t i = 0; i <= text[k].len; i++) {
            if (i < text[k].len && !among(text[k].ptr[i], ",;\n"))
                continue;
            struct slice item = bare(a, slice_sub(text[k], start, i - start));
            start = i + 1;
            if (!item.len)
                continue;
            if (items[k].n == TOKENS_MOST)
                return false;
            items[k].at[items[k].n++] = item;
        }
        qsort(items[k].at, items[k].n, sizeof *items[k].at, by_bytes);
    }
    return items[0].n > 1 && same_words(&items[0], &items[1]);
}

/* The same table with its columns in another order: rows are lines, or tuples as programs print them, of which each has the same words. */
static bool same_table(struct arena *a, struct slice x, struct slice y)
{
    struct slice rest[2] = {x, y};
    size_t rows = 0;
    bool same = true, columns = false;
    for (; same && rest[0].len && rest[1].len && rows < TOKENS_MOST; rows++) {
        struct words w[2];
        for (int k = 0; k < 2; k++) {
            ptrdiff_t tuple = slice_find(rest[k], slice_str("), ("));
            struct slice row = tuple < 0 ? slice_take(&rest[k], '\n') : slice_sub(rest[k], 0, (size_t)tuple);
            if (tuple >= 0)
                rest[k] = slice_sub(rest[k], (size_t)tuple + 3, rest[k].len);
            w[k] = words_of(a, row);
            qsort(w[k].at, w[k].n, sizeof *w[k].at, by_bytes);
        }
        same = same_words(&w[0], &w[1]);
        columns |= w[0].n > 1;
    }
    return same && columns && rows > 1 && !rest[0].len && !rest[1].len;
}

bool answer_stands(struct slice text, struct slice answer, size_t *at)
{
    for (size_t from = 0; from < text.len;) {
        ptrdiff_t found = slice_find(slice_sub(text, from, text.len), answer);
        if (found < 0)
            return false;
        *at = from + (size_t)found;
        bool before = *at > 0 && answer_is_alnum((unsigned char)text.ptr[*at - 1]),
             behind = *at + answer.len < text.len && answer_is_alnum((unsigned char)text.ptr[*at + answer.len]);
        if (!before && !behind)
            return true;
        from = *at + 1;
    }
    return false;
}

static struct slice last_word(struct slice s)
{
    size_t end = s.len;
    while (end > 0 && !answer_is_alnum((unsigned char)s.ptr[end - 1]))
        end--;
    size_t start = end;
    while (start > 0 && answer_is_alnum((unsigned char)s.ptr[start - 1]))
        start--;
    return slice_sub(s, start, end - start);
}

static struct slice first_word(struct slice s)
{
    size_t start = 0, end;
    while (start < s.len && !answer_is_alnum((unsigned char)s.ptr[start]))
        start++;
    for (end = start; end < s.len && answer_is_alnum((unsigned char)s.ptr[end]);)
        end++;
    return slice_sub(s, start, end - start);
}

/* The expected answer within a sentence: said of something ("It is X."), one of several or denied, or with a few words more. */
static enum form in_sentence(struct arena *a, struct slice given, struct slice expected)
{
    static const char *const denials[] = {"not", "no", "never", "neither", "nor", "isn", "wasn", "aren", "cannot", "without", "except"};
    static const char *const says[] = {"is", "are", "was", "were", "be", "equals", "called", "named", "in", "at", "by", "to"};
    static const char *const goes_on[] = {"the", "a", "an", "which", "who", "whose", "where", "that", "located", "as", "so", "because", "since", "not", "with"};
    enum { EXTRA_MOST = 2 };
    size_t at;
    if (expected.len < SENTENCE_LEAST || given.len > SENTENCE_MOST || memchr(given.ptr, '\n', given.len) || !answer_stands(given, expected, &at))
        return FORM_OTHER;
    struct slice left = slice_trim(slice_sub(given, 0, at)), right = slice_trim(slice_sub(given, at + expected.len, given.len));
    struct words before = words_of(a, left), behind = words_of(a, right);
    for (size_t i = 0; i < before.n; i++)
        if (ONE_OF(before.at[i], denials))
            return FORM_OTHER;
    struct slice beside[2] = {last_word(left), first_word(right)};
    for (int k = 0; k < 2; k++)
        if (slice_eq_nocase(beside[k], slice_str("or")) || slice_eq_nocase(beside[k], slice_str("and")))
            return FORM_OTHER;
    bool listed = (left.len && among(left.ptr[left.len - 1], ",/&+;-")) || (right.len && among(*right.ptr, "/&+;-")) ||
                  (right.len && *right.ptr == ',' && !ONE_OF(beside[1], goes_on));
    if (listed)
        return FORM_OTHER;
    struct slice lead = ONE_OF(beside[0], articles) ? last_word(slice_sub(left, 0, left.len - beside[0].len)) : beside[0];
    if (ONE_OF(lead, says) || (left.len && among(left.ptr[left.len - 1], ":=")))
        return FORM_DRESSED;
    return before.n + behind.n <= EXTRA_MOST ? FORM_NEAR : FORM_OTHER;
}

/* The letter of a choice, with what it stands for or without. */
static bool same_choice(struct slice given, struct slice expected)
{
    if (starts_nocase(given, "option ") || starts_nocase(given, "choice "))
        given = slice_sub(given, 7, given.len);
    size_t at;
    if (answer_stands(given, slice_str("or"), &at) || answer_stands(given, slice_str("and"), &at))
        return false;
    if (given.len && *given.ptr == '(')
        given = slice_sub(given, 1, given.len);
    return expected.len == 1 && given.len > 0 && fold(*expected.ptr) >= 'a' && fold(*expected.ptr) <= 'j' && *given.ptr == *expected.ptr &&
           (given.len == 1 || among(given.ptr[1], ").:"));
}

bool answer_is_part(struct arena *a, struct slice x, struct slice y)
{
    struct words v = words_of(a, x), w = words_of(a, y);
    const struct words *less = v.n < w.n ? &v : &w, *more = v.n < w.n ? &w : &v;
    size_t found = 0;
    for (size_t i = 0; i < less->n; i++)
        for (size_t k = 0; k < more->n; k++)
            if (slice_eq(less->at[i], more->at[k])) {
                found++;
                break;
            }
    return less->n > 0 && found == less->n;
}

static bool same_verdict(struct slice x, struct slice y)
{
    static const char *const yes[] = {"yes", "true", "y"}, *const no[] = {"no", "false", "n"};
    return (ONE_OF(x, yes) && ONE_OF(y, yes)) || (ONE_OF(x, no) && ONE_OF(y, no));
}

/* ---- all together ------------------------------------------------------------------------------------------------ */

size_t answer_cost(struct slice given, struct slice expected)
{
    return 1 + (slice_sub(given, 0, ANSWER_MAX).len + slice_sub(expected, 0, ANSWER_MAX).len) / 256;
}

enum form answer_compare(struct arena *a, struct slice given, struct slice expected)
{
    given = slice_trim(slice_sub(given, 0, ANSWER_MAX));
    expected = slice_trim(slice_sub(expected, 0, ANSWER_MAX));
    if (!given.len || !expected.len)
        return FORM_OTHER;
    if (slice_eq(given, expected))
        return FORM_SAME;
    struct slice x = answer_unwrap(given), y = answer_unwrap(expected);
    struct slice p = unescaped(a, given), q = unescaped(a, expected);
    if (slice_eq(p, q) && (p.len < given.len || q.len < expected.len) && slice_eq(x, given) == slice_eq(y, expected))
        return key_is_garbled(given, expected) ? FORM_GARBLED : FORM_DRESSED;
    if (slice_eq(encoding_read(a, ENCODING_MARKS, expected), given) && expected.len > given.len)
        return FORM_GARBLED;
    struct quantity m, n;
    if (slice_eq(x, y))
        return FORM_DRESSED;
    if (quantity_read(x, &m) && quantity_read(y, &n)) /* before the digits alone are compared: 1.5 is not 15 */
        return compare_numbers(a, &m, &n);
    p = bare(a, x), q = bare(a, y);
    if (p.len && slice_eq(p, q))
        return FORM_DRESSED;
    int day[2][3];
    if (date_of(a, x, day[0]) && date_of(a, y, day[1]))
        return memcmp(day[0], day[1], sizeof day[0]) == 0 ? FORM_DRESSED : FORM_OTHER;
    if (encoded(a, x, y) || same_items(a, x, y) || same_table(a, x, y) || same_choice(x, y) || same_verdict(x, y))
        return FORM_DRESSED;
    struct words v = words_of(a, x), w = words_of(a, y), short_v = without_titles(v), short_w = without_titles(w);
    if (same_words(&short_v, &short_w))
        return FORM_DRESSED;
    enum form form = in_sentence(a, given, expected);
    return form == FORM_OTHER && commas(x) == commas(y) && (reordered(v, w) || few_more(&v, &w)) ? FORM_NEAR : form;
}
