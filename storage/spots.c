#include "storage/spots.h"

#include "base/clock.h"

#include <stdlib.h>

enum {
    TEXT_US = 200 * 1000,        /* for the pattern on one text … */
    TEXT_BYTES_US = 20,          /* … and one more for so many bytes of it: slower than any pattern that is not endless */
    REMEMBERED_BYTES = 64 << 20, /* past it all is forgotten, and found again when it is asked for */
    TABLE_FIRST = 1024,
    PLACES_MAX = 100000,         /* matches in one text that are weighed against each other */
};

/* ---- what is sought ----------------------------------------------------------------------------------------------------- */

static bool add_term(struct terms *out, struct slice pattern, struct err *e)
{
    if (out->n == TERMS_MAX)
        return err_set(e, ERR_USAGE, "at most %d words at a time; put \"double quotes\" around a phrase", TERMS_MAX);
    size_t at = out->n++; /* the longest first: most texts do not have it, and it is what is shown */
    for (; at > 0 && out->patterns[at - 1].len < pattern.len; at--)
        out->patterns[at] = out->patterns[at - 1];
    out->patterns[at] = pattern;
    return true;
}

/* Where a phrase ends that begins behind the quote at `from`; 0: it does not end. */
static size_t phrase_end(struct slice words, size_t from)
{
    for (size_t i = from + 1; i < words.len; i++)
        if (words.ptr[i] == '"' && (i + 1 == words.len || words.ptr[i + 1] == ' '))
            return i;
    return 0;
}

static bool parse_words(struct slice words, struct terms *out, struct err *e)
{
    for (size_t at = 0; at < words.len;) {
        size_t end = words.ptr[at] == '"' ? phrase_end(words, at) : 0, begin = at;
        if (end) {
            begin = at + 1;
            at = end + 1;
        } else {
            const char *blank = memchr(words.ptr + at, ' ', words.len - at);
            end = at = blank ? (size_t)(blank - words.ptr) : words.len;
        }
        if (end > begin && !add_term(out, slice_sub(words, begin, end - begin), e))
            return false;
        at += at < words.len;
    }
    return true;
}

bool terms_parse(const struct search_query *q, struct terms *out, struct err *e)
{
    *out = (struct terms){.flags = q->regex ? 0 : REGEX_LITERAL | (q->match_case ? 0 : REGEX_NOCASE)};
    bool ok = !q->regex ? parse_words(q->pattern, out, e) : !q->pattern.len || add_term(out, q->pattern, e);
    return ok && (out->n || err_set(e, ERR_USAGE, "there is nothing to search for"));
}

/* ---- looking for it ----------------------------------------------------------------------------------------------------- */

bool spots_start(struct spots *x, struct store *s, const struct terms *terms, int64_t deadline_us, struct err *e)
{
    *x = (struct spots){.store = s, .deadline_us = deadline_us};
    for (; x->nres < terms->n; x->nres++)
        if (!regex_compile(terms->patterns[x->nres], terms->flags, &x->res[x->nres], e)) {
            if (e)
                e->code = ERR_USAGE;
            return false;
        }
    x->scratch = regex_scratch_new();
    return true;
}

void spots_end(struct spots *x)
{
    free(x->table);
    arena_free(&x->arena);
    regex_scratch_free(x->scratch);
    for (size_t i = 0; i < x->nres; i++)
        regex_free(x->res[i]);
}

/* Where a block stands in the table, or where it would. */
static struct block_spots *slot_of(const struct spots *x, int64_t block)
{
    size_t i = (size_t)((uint64_t)block * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (x->size - 1);
    while (x->table[i].block && x->table[i].block != block)
        i = (i + 1) & (x->size - 1);
    return &x->table[i];
}

/* Doubles the table when it is half full, or empties it when too much is remembered. */
static void make_room(struct spots *x)
{
    if (x->n * 2 < x->size)
        return;
    bool forget = x->arena.total + x->size * sizeof *x->table > REMEMBERED_BYTES;
    size_t old_size = x->size;
    struct block_spots *old = x->table;
    x->size = forget || !old_size ? TABLE_FIRST : 2 * old_size;
    x->table = calloc(x->size, sizeof *x->table);
    if (!x->table)
        abort();
    for (size_t i = 0; i < old_size && !forget; i++)
        if (old[i].block)
            *slot_of(x, old[i].block) = old[i];
    free(old);
    if (forget) {
        arena_reset(&x->arena);
        x->n = 0;
    }
}

/* All terms, until one does not match; *m is of the first. */
static enum regex_result match_all(const struct spots *x, struct slice text, int64_t until, struct regex_match *m)
{
    enum regex_result result = regex_find(x->res[0], x->scratch, text, 0, until, m);
    struct regex_match other;
    for (size_t i = 1; i < x->nres && result == REGEX_YES; i++)
        result = regex_find(x->res[i], x->scratch, text, 0, until, &other);
    return result;
}

bool spots_in(struct spots *x, int64_t id, const struct block_spots **out, struct err *e)
{
    make_room(x);
    struct block_spots *slot = slot_of(x, id);
    *out = slot;
    if (slot->block)
        return true;
    struct err why = {0};
    const struct block *block = NULL;
    if (!block_read(x->store, id, &block, &why) && why.code != ERR_NOT_FOUND)
        return err_set(e, why.code, "%s", why.text);
    struct spot *spots = NULL;
    size_t n = 0, cap = 0;
    int64_t began = clock_monotonic_us();
    for (size_t i = 0; block && i < block->n; i++) {
        struct regex_match m;
        if (store_unwanted(x->store))
            x->deadline_us = 1; /* long past */
        int64_t until = began + TEXT_US + (int64_t)(block->texts[i].len / TEXT_BYTES_US);
        switch (match_all(x, block->texts[i], until < x->deadline_us ? until : x->deadline_us, &m)) {
        case REGEX_NO:
            break;
        case REGEX_YES:
            spots = arena_grow(&x->arena, spots, n, &cap, sizeof *spots);
            spots[n++] = (struct spot){.text = (uint16_t)i, .start = (uint32_t)m.start, .end = (uint32_t)m.end};
            break;
        case REGEX_INCOMPLETE:
            x->cut++;
            began = clock_monotonic_us();
            break;
        }
    }
    *slot = (struct block_spots){.block = id, .n = (uint32_t)n, .items = spots};
    x->n++;
    return true;
}

/* The places where terms match next only go forward: the text is read once for each term. */
void spots_densest(const struct spots *x, struct slice text, uint32_t *start, uint32_t *end)
{
    struct regex_match next[TERMS_MAX];
    bool there[TERMS_MAX];
    size_t best = 0;
    for (size_t i = 0; i < x->nres; i++)
        there[i] = regex_find(x->res[i], x->scratch, text, 0, x->deadline_us, &next[i]) == REGEX_YES;
    for (int step = 0; step < PLACES_MAX && best < 2 * x->nres; step++) {
        size_t first = x->nres, rank = 0;
        for (size_t i = 0; i < x->nres; i++)
            if (there[i] && (first == x->nres || next[i].start < next[first].start))
                first = i;
        if (first == x->nres)
            return;
        struct regex_match at = next[first];
        size_t stop = at.start + SHOWN_BYTES < text.len ? at.start + SHOWN_BYTES : text.len;
        const char *line_end = memchr(text.ptr + at.start, '\n', stop - at.start);
        if (line_end)
            stop = (size_t)(line_end - text.ptr);
        for (size_t i = 0; i < x->nres; i++) /* two for each, and one more for the longest */
            rank += there[i] && next[i].start < stop ? 2 : 0;
        rank += there[0] && next[0].start < stop;
        if (rank > best) {
            best = rank;
            *start = (uint32_t)at.start;
            *end = (uint32_t)at.end;
        }
        there[first] = regex_find(x->res[first], x->scratch, text, at.start + 1, x->deadline_us, &next[first]) == REGEX_YES;
    }
}

const struct spot *spots_find(const struct block_spots *in, int64_t text)
{
    size_t low = 0, high = in->n, place = text_place(text);
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (in->items[middle].text == place)
            return &in->items[middle];
        if (in->items[middle].text < place)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}
