/* Which runs a filter names, by the columns; what they do not hold (words in texts, lists of ids) by SQL. */
#include "storage/columns_in.h"

#include "storage/fields.h"
#include "storage/words.h"

#include <math.h>
#include <stdlib.h>

struct pick {
    struct columns *c;
    struct store *s;
    struct arena *a;
    uint8_t *mask;
    size_t n;
};

double column_place(const struct column *column, struct slice text, double number)
{
    uint32_t low = 1, high = column->nwords + 1;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (words_compare(column->words[middle], column->numbers[middle], text, number) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    bool there = low <= column->nwords && words_compare(column->words[low], column->numbers[low], text, number) == 0;
    return there ? low : low - 0.5;
}

static void allow_word(const struct column *column, struct slice word, uint8_t *allowed)
{
    double place = column_place(column, word, NAN);
    if (place == floor(place))
        allowed[(uint32_t)place] = 1;
}

/* "5" is the number too, in any way of writing it that means the same. */
static void allow_number(const struct column *column, struct slice word, uint8_t *allowed)
{
    char text[64], *end;
    if (!word.len || word.len >= sizeof text)
        return;
    memcpy(text, word.ptr, word.len);
    text[word.len] = 0;
    double number = strtod(text, &end), place = column_place(column, SLICE_NONE, number);
    if (end == text + word.len && isfinite(number) && place == floor(place))
        allowed[(uint32_t)place] = 1;
}

/* allowed[code] of a list of words; an empty one is code 0, and an empty text. */
static uint8_t *allow(struct arena *a, const struct column *column, struct slice list, bool success)
{
    uint8_t *allowed = arena_array(a, uint8_t, (size_t)column->nwords + 1);
    struct slice word;
    for (size_t at = 0; filter_name(a, list, &at, &word);) {
        if (success)
            word = slice_is(word, "1") ? slice_str("true") : slice_is(word, "0") ? slice_str("false") : word;
        allowed[0] |= !word.len || (success && slice_is(word, "unknown"));
        allow_word(column, word, allowed);
        allow_number(column, word, allowed);
    }
    return allowed;
}

static void pick_words(struct pick *p, const struct column *column, const uint8_t *allowed)
{
    if (!column->starts) {
        for (size_t i = 0; i < p->n; i++)
            p->mask[i] &= allowed[column->codes[i]];
        return;
    }
    for (size_t i = 0; i < p->n; i++) {
        bool any = column->starts[i] == column->starts[i + 1] && allowed[0];
        for (uint32_t k = column->starts[i]; k < column->starts[i + 1]; k++)
            any |= allowed[column->codes[k]];
        p->mask[i] &= any;
    }
}

static bool pick_list(struct pick *p, struct slice name, struct slice list, struct err *e)
{
    const struct column *column;
    if (!list.ptr)
        return true;
    if (!columns_get(p->c, p->s, name, &column, e))
        return false;
    pick_words(p, column, allow(p->a, column, list, slice_is(name, "success")));
    return true;
}

static bool pick_range(struct pick *p, const struct filter_pair *range, struct err *e)
{
    const struct column *column;
    double low, high;
    bool named = memchr(range->key.ptr, '.', range->key.len) != NULL;
    if (!field_range(range->key, range->value, &low, &high, e) || (!named && !field_known(p->s, p->c->collection, range->key, e)) ||
        !columns_get(p->c, p->s, range->key, &column, e))
        return false;
    if (!column->runs && !field_known(p->s, p->c->collection, range->key, e))
        return false;
    if (column->x) {
        for (size_t i = 0; i < p->n; i++)
            p->mask[i] &= column->x[i] >= low && column->x[i] <= high; /* never, of NAN */
        return true;
    }
    uint8_t *allowed = arena_array(p->a, uint8_t, (size_t)column->nwords + 1);
    for (uint32_t k = 1; k <= column->nwords; k++) {
        double x = column->numbers[k];
        if (isnan(x) && (slice_is(column->words[k], "true") || slice_is(column->words[k], "false")))
            x = slice_is(column->words[k], "true");
        allowed[k] = x >= low && x <= high;
    }
    pick_words(p, column, allowed);
    return true;
}

/* ---- findings ----------------------------------------------------------------------------------------------------------- */

/* bits of the numbers that a list of names means. */
static bool name_bits(struct slice list, bool (*number)(struct slice word, int *out), unsigned *bits, struct err *e)
{
    struct slice word;
    int n;
    *bits = ~0u;
    if (!list.ptr)
        return true;
    *bits = 0;
    for (size_t at = 0; filter_word(list, &at, &word);) {
        if (!number(word, &n))
            return err_set(e, ERR_USAGE, "\"%.*s\" is no value of this filter", SLICE_ARG(word));
        *bits |= 1u << n;
    }
    return true;
}

bool columns_findings(struct columns *c, struct store *s, const struct filter *f, struct arena *a, uint8_t **out, struct err *e)
{
    const struct found *found;
    const struct column *behavior, *detector;
    unsigned kinds, severities, statuses, scopes;
    if (!columns_found(c, s, &found, e) || !columns_get(c, s, slice_str("behavior"), &behavior, e) ||
        !columns_get(c, s, slice_str("detector"), &detector, e) || !name_bits(f->kind, filter_kind, &kinds, e) ||
        !name_bits(f->severity, filter_severity, &severities, e) || !name_bits(f->status, filter_status, &statuses, e) ||
        !name_bits(f->scope, filter_scope, &scopes, e))
        return false;
    const uint8_t *of_behavior = f->behavior.ptr ? allow(a, behavior, f->behavior, false) : NULL;
    const uint8_t *of_detector = f->detector.ptr ? allow(a, detector, f->detector, false) : NULL;
    uint32_t n = found->starts[columns_runs(c)];
    *out = arena_array(a, uint8_t, (size_t)n + 1);
    for (uint32_t i = 0; i < n && scopes >> SCOPE_RUN & 1; i++) /* those of runs alone stand here */
        (*out)[i] = (kinds >> found->kind[i] & 1) && (severities >> found->severity[i] & 1) && (statuses >> found->status[i] & 1) &&
                    (!of_behavior || of_behavior[found->behavior[i]]) && (!of_detector || of_detector[found->detector[i]]);
    return true;
}

static bool pick_findings(struct pick *p, const struct filter *f, struct err *e)
{
    const struct found *found;
    uint8_t *passes;
    if (!f->kind.ptr && !f->behavior.ptr && !f->detector.ptr && !f->severity.ptr && !f->status.ptr && !f->scope.ptr)
        return true;
    if (!columns_findings(p->c, p->s, f, p->a, &passes, e) || !columns_found(p->c, p->s, &found, e))
        return false;
    for (size_t i = 0; i < p->n; i++) {
        uint8_t any = 0;
        for (uint32_t k = found->starts[i]; k < found->starts[i + 1]; k++)
            any |= passes[k];
        p->mask[i] &= any;
    }
    return true;
}

/* ---- what only SQL knows ------------------------------------------------------------------------------------------------ */

static bool pick_rest(struct pick *p, const struct filter *rest, struct err *e)
{
    static const struct list runs = {.from = filter_runs, .row = "r.n"};
    struct arena a = {0};
    struct ids ids;
    size_t hint = 0;
    uint8_t *named = arena_array(&a, uint8_t, p->n + 1);
    bool ok = list_keys(p->s, &runs, rest, &a, &ids, e);
    for (size_t i = 0; ok && i < ids.n; i++) {
        size_t run = columns_place(p->c, ids.items[i], &hint);
        if (run != SIZE_MAX)
            named[run] = 1;
    }
    for (size_t i = 0; ok && i < p->n; i++)
        p->mask[i] &= named[i];
    arena_free(&a);
    return ok;
}

/* A word that a column holds cut, or in another form, is left to SQL. */
static bool held(struct slice list)
{
    return list.len < WORD_MAX && !memchr(list.ptr, '[', list.len) && !memchr(list.ptr, '{', list.len);
}

/* Nor is a name that none of them has. */
static bool held_name(struct slice key)
{
    size_t dots = 0;
    for (size_t i = 0; i < key.len; i++)
        dots += key.ptr[i] == '.';
    return dots < METADATA_DEPTH && key.len < FIELD_NAME_MAX - strlen("score.");
}

static bool pick_pairs(struct pick *p, const char *prefix, const struct filter_pair *pairs, size_t n, struct filter_pair *rest, size_t *nrest,
                       struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        const struct column *column;
        struct slice name = arena_printf(p->a, "%s%.*s", prefix, SLICE_ARG(pairs[i].key));
        if (!field_key(pairs[i].key, e))
            return false;
        if (!held(pairs[i].value) || !held_name(pairs[i].key)) {
            rest[(*nrest)++] = pairs[i];
            continue;
        }
        if (!columns_get(p->c, p->s, name, &column, e) ||
            (!column->runs && slice_starts(name, "score.") && !field_known(p->s, p->c->collection, name, e)) ||
            !pick_list(p, name, pairs[i].value, e))
            return false;
    }
    return true;
}

bool columns_select(struct columns *c, struct store *s, const struct filter *f, struct arena *a, uint8_t **mask, struct err *e)
{
    static const char *const lists[] = {"model", "agent", "exit_status", "stopped_by", "format", "task", "tag", "attempt"};
    struct pick p = {.c = c, .s = s, .a = a, .n = columns_runs(c)};
    struct filter rest = FILTER_ANY, copy = *f;
    const struct column *findings;
    *mask = p.mask = arena_alloc(a, p.n + 1);
    memset(p.mask, 1, p.n);
    rest.collection = f->collection;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        struct slice *list = filter_text(&copy, slice_str(lists[i]));
        if (list->ptr && list->len >= WORD_MAX)
            *filter_text(&rest, slice_str(lists[i])) = *list;
        else if (!pick_list(&p, slice_str(lists[i]), *list, e))
            return false;
    }
    unsigned outcomes;
    if (!name_bits(f->success, filter_success, &outcomes, e) || !pick_list(&p, slice_str("success"), f->success, e) ||
        !pick_findings(&p, f, e) || !pick_pairs(&p, "meta.", f->meta, f->nmeta, rest.meta, &rest.nmeta, e) ||
        !pick_pairs(&p, "score.", f->scores, f->nscores, rest.scores, &rest.nscores, e))
        return false;
    for (size_t i = 0; i < f->nranges; i++)
        if (slice_starts(f->ranges[i].key, "meta.") && !held_name(slice_sub(f->ranges[i].key, strlen("meta."), SIZE_MAX)))
            rest.ranges[rest.nranges++] = f->ranges[i];
        else if (!pick_range(&p, &f->ranges[i], e))
            return false;
    if (f->has_findings >= 0) {
        if (!columns_get(c, s, slice_str("findings"), &findings, e))
            return false;
        for (size_t i = 0; i < p.n; i++)
            p.mask[i] &= (findings->x[i] > 0) == (f->has_findings != 0);
    }
    if (f->exception.ptr) { /* one finding is to be all of it */
        rest.exception = f->exception;
        rest.kind = f->kind;
        rest.behavior = f->behavior;
        rest.detector = f->detector;
        rest.severity = f->severity;
        rest.status = f->status;
        rest.scope = f->scope;
    }
    rest.run = f->run;
    rest.q = f->q;
    rest.ids = f->ids;
    rest.nids = f->nids;
    return filter_is_open(&rest) || pick_rest(&p, &rest, e);
}

bool columns_select_others(struct columns *c, struct store *s, const struct filter *f, struct slice field, struct arena *a, uint8_t **mask,
                           struct err *e)
{
    struct filter others = *f;
    struct slice *text = filter_text(&others, field);
    if (text)
        *text = SLICE_NONE;
    struct filter_pair *pairs = slice_starts(field, "meta.") ? others.meta : slice_starts(field, "score.") ? others.scores : NULL;
    size_t *n = pairs == others.meta ? &others.nmeta : &others.nscores, kept = 0;
    for (size_t i = 0; pairs && i < *n; i++)
        if (!slice_eq(pairs[i].key, slice_sub(field, field.ptr[0] == 'm' ? strlen("meta.") : strlen("score."), field.len)))
            pairs[kept++] = pairs[i];
    if (pairs)
        *n = kept;
    kept = 0;
    for (size_t i = 0; i < others.nranges; i++)
        if (!slice_eq(others.ranges[i].key, field))
            others.ranges[kept++] = others.ranges[i];
    others.nranges = kept;
    return columns_select(c, s, &others, a, mask, e);
}
