/* What there is to filter by, how many runs each value has, and what groups of runs took. */
#include "storage/columns.h"

#include "base/stats.h"

#include <math.h>
#include <stdlib.h>

enum { VALUES_DEFAULT = 50, GROUPS_DEFAULT = 100 };

const char *field_type_name(enum field_type type)
{
    static const char *const names[] = {[TYPE_TEXT] = "text", [TYPE_NUMBER] = "number", [TYPE_BOOL] = "bool", [TYPE_TIME] = "time"};
    return names[type];
}

/* ---- fields ----------------------------------------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int64_t distinct(const struct columns *c, const struct column *column, double *scratch)
{
    size_t n = 0, k = 0;
    if (!column->x)
        return column->nwords;
    for (size_t i = 0; i < columns_runs(c); i++)
        if (!isnan(column->x[i]))
            scratch[n++] = column->x[i];
    qsort(scratch, n, sizeof *scratch, by_number);
    for (size_t i = 0; i < n; i++)
        k += !i || scratch[i] != scratch[i - 1];
    return (int64_t)k;
}

static int by_field(const void *a, const void *b) { return slice_cmp(((const struct field_row *)a)->field, ((const struct field_row *)b)->field); }

static bool list_fields(struct columns *c, struct store *s, struct arena *a, struct field_rows *out, struct err *e)
{
    const struct column **all;
    struct arena scratch = {0};
    size_t n;
    if (!columns_all(c, s, &all, &n, e))
        return false;
    double *numbers = arena_alloc(&scratch, (columns_runs(c) + 1) * sizeof *numbers);
    out->items = arena_array(a, struct field_row, n);
    for (size_t i = 0; i < n; i++) {
        if (!all[i]->runs || slice_is(all[i]->name, "place") || slice_is(all[i]->name, "imported") ||
            slice_is(all[i]->name, "name") || slice_is(all[i]->name, "id"))
            continue;
        out->items[out->n++] = (struct field_row){arena_dup(a, all[i]->name), all[i]->type, !all[i]->x, distinct(c, all[i], numbers),
                                                  (int64_t)all[i]->runs};
    }
    qsort(out->items, out->n, sizeof *out->items, by_field);
    arena_free(&scratch);
    return true;
}

static bool fields_of(struct store *s, struct slice collection, struct arena *a, struct field_rows *out, struct err *e)
{
    struct columns *c;
    int64_t n;
    *out = (struct field_rows){0};
    if (!collection_find(s, collection, &n, e) || !columns_of(s, n, &c, e))
        return false;
    bool ok = list_fields(c, s, a, out, e);
    columns_done(c);
    return ok;
}

bool store_fields(struct store *s, struct slice collection, struct arena *a, struct field_rows *out, struct err *e)
{
    return db_read(s->db, e) && db_end(s->db, fields_of(s, collection, a, out, e), e);
}

/* ---- counting ----------------------------------------------------------------------------------------------------------- */

struct count { uint32_t code, last; int64_t runs, passed, failed; };

/* A column of words as a facet of a filter sees it. */
struct group {
    const struct column *column;
    const uint8_t *entries;   /* of what was found: those that pass the rest of the filter; NULL: all */
    bool success;
};

static bool is_found(struct slice field) { return slice_is(field, "kind") || slice_is(field, "behavior") || slice_is(field, "detector"); }

static bool group_of(struct columns *c, struct store *s, const struct filter *f, struct slice field, bool others, struct arena *a,
                     struct group *out, struct err *e)
{
    struct filter copy = *f;
    uint8_t *entries = NULL;
    *out = (struct group){.success = slice_is(field, "success")};
    if (!columns_get(c, s, field, &out->column, e))
        return false;
    if (out->column->x)
        return err_set(e, ERR_USAGE, "%.*s is a number with a value for nearly each run: ask for a range of it", SLICE_ARG(field));
    if (is_found(field)) {
        if (others)
            *(slice_is(field, "kind") ? &copy.kind : slice_is(field, "behavior") ? &copy.behavior : &copy.detector) = SLICE_NONE;
        if (!columns_findings(c, s, &copy, a, &entries, e))
            return false;
        out->entries = entries;
    }
    return true;
}

static struct slice value_of(const struct group *g, uint32_t code, struct arena *a)
{
    return code ? arena_dup(a, g->column->words[code]) : g->success ? slice_str("unknown") : SLICE_NONE;
}

/* The codes of a run: the first is at *from, of `codes`. */
static const uint32_t *codes_of(const struct group *g, size_t run, uint32_t *from, uint32_t *to)
{
    *from = g->column->starts ? g->column->starts[run] : (uint32_t)run;
    *to = g->column->starts ? g->column->starts[run + 1] : (uint32_t)run + 1;
    return g->column->codes;
}

static void count_one(struct count *count, size_t run, uint8_t outcome)
{
    if (count->last == run + 1) /* a run with two such findings is one run */
        return;
    count->last = (uint32_t)run + 1;
    count->runs++;
    count->passed += outcome == 2;
    count->failed += outcome == 1;
}

/* counts[code], of the runs in the mask. outcome[run]: 0 unknown, 1 failed, 2 passed. */
static struct count *count_group(const struct group *g, const uint8_t *mask, const uint8_t *outcome, size_t n, struct arena *a)
{
    struct count *counts = arena_array(a, struct count, (size_t)g->column->nwords + 1);
    for (uint32_t k = 0; k <= g->column->nwords; k++)
        counts[k].code = k;
    for (size_t i = 0; i < n; i++) {
        uint32_t from, to;
        const uint32_t *codes = codes_of(g, i, &from, &to);
        bool any = false;
        if (!mask[i])
            continue;
        for (uint32_t k = from; k < to; k++)
            if (!g->entries || g->entries[k]) {
                any = true;
                count_one(&counts[codes[k]], i, outcome[i]);
            }
        if (!any && !g->entries)
            count_one(&counts[0], i, outcome[i]);
    }
    return counts;
}

static int by_runs(const void *a, const void *b)
{
    const struct count *x = a, *y = b;
    return x->runs != y->runs     ? (x->runs < y->runs ? 1 : -1)
           : !x->code || !y->code ? (!x->code) - (!y->code) /* none comes last */
                                  : (x->code > y->code) - (x->code < y->code);
}

/* Those with runs come to the front, most runs first. */
static size_t sort_counts(struct count *counts, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (counts[i].runs)
            counts[kept++] = counts[i];
    qsort(counts, kept, sizeof *counts, by_runs);
    return kept;
}

static bool outcomes_of(struct columns *c, struct store *s, struct arena *a, uint8_t **out, struct err *e)
{
    const struct column *success;
    if (!columns_get(c, s, slice_str("success"), &success, e))
        return false;
    uint8_t of_code[3] = {0};
    for (uint32_t k = 1; k <= success->nwords && k < 3; k++)
        of_code[k] = slice_is(success->words[k], "true") ? 2 : 1;
    *out = arena_alloc(a, columns_runs(c) + 1);
    for (size_t i = 0; i < columns_runs(c); i++)
        (*out)[i] = of_code[success->codes[i]];
    return true;
}

/* ---- facets ------------------------------------------------------------------------------------------------------------- */

struct asking {
    struct columns *c;
    struct store *s;
    const struct filter *f;
    struct arena *a, *scratch;
    uint8_t *outcome;
    uint8_t *named;           /* by what only SQL knows, which is no facet: asked once for all of them */
    size_t limit;
};

/* What a filter asks of runs by words in texts and by ids, apart from the rest. */
static bool ask_named(struct asking *q, struct filter *rest, struct err *e)
{
    struct filter named = FILTER_ANY;
    *rest = *q->f;
    named.collection = rest->collection;
    named.run = rest->run;
    named.q = rest->q;
    named.ids = rest->ids;
    named.nids = rest->nids;
    rest->run = rest->q = SLICE_NONE;
    rest->ids = NULL;
    return columns_select(q->c, q->s, &named, q->scratch, &q->named, e);
}

static void only_named(const struct asking *q, uint8_t *mask)
{
    for (size_t i = 0; i < columns_runs(q->c); i++)
        mask[i] &= q->named[i];
}

static bool add_facet(struct asking *q, const struct filter *f, struct slice field, struct arena *scratch, struct facet_row *out, struct err *e)
{
    struct group g;
    uint8_t *mask;
    if (!group_of(q->c, q->s, f, field, true, scratch, &g, e) || !columns_select_others(q->c, q->s, f, field, scratch, &mask, e))
        return false;
    only_named(q, mask);
    struct count *counts = count_group(&g, mask, q->outcome, columns_runs(q->c), scratch);
    size_t n = sort_counts(counts, (size_t)g.column->nwords + 1);
    out->field = arena_dup(q->a, field);
    out->n = n < q->limit ? n : q->limit;
    out->more = (int64_t)(n - out->n);
    out->values = arena_array(q->a, struct facet_value, out->n);
    for (size_t i = 0; i < out->n; i++)
        out->values[i] = (struct facet_value){value_of(&g, counts[i].code, q->a), counts[i].runs, counts[i].passed, counts[i].failed};
    return true;
}

static bool facets_of(struct asking *q, struct slice fields, struct facet_rows *out, struct err *e)
{
    enum { FACETS_MAX = 32 };
    struct slice field;
    struct filter rest;
    uint8_t *mask;
    if (!outcomes_of(q->c, q->s, q->scratch, &q->outcome, e) || !ask_named(q, &rest, e) || !columns_select(q->c, q->s, &rest, q->scratch, &mask, e))
        return false;
    only_named(q, mask);
    for (size_t i = 0; i < columns_runs(q->c); i++)
        out->total += mask[i];
    out->items = arena_array(q->a, struct facet_row, FACETS_MAX);
    for (size_t at = 0; fields.len && filter_word(fields, &at, &field);) {
        if (out->n == FACETS_MAX)
            return err_set(e, ERR_USAGE, "at most %d facets are counted at a time", FACETS_MAX);
        struct arena scratch = {0}; /* a field may have as many values as there are runs */
        bool ok = add_facet(q, &rest, field, &scratch, &out->items[out->n++], e);
        arena_free(&scratch);
        if (!ok)
            return false;
    }
    return true;
}

static bool with_columns(struct asking *q, struct err *e)
{
    int64_t n;
    return (q->f->collection.ptr || err_set(e, ERR_USAGE, "name a collection")) && collection_find(q->s, q->f->collection, &n, e) &&
           columns_of(q->s, n, &q->c, e);
}

bool store_facets(struct store *s, const struct filter *f, struct slice fields, size_t limit, struct arena *a, struct facet_rows *out, struct err *e)
{
    struct arena scratch = {0};
    struct asking q = {.s = s, .f = f, .a = a, .scratch = &scratch, .limit = limit ? limit : VALUES_DEFAULT};
    *out = (struct facet_rows){0};
    bool ok = db_read(s->db, e) && db_end(s->db, with_columns(&q, e) && facets_of(&q, fields, out, e), e);
    columns_done(q.c);
    arena_free(&scratch);
    return ok;
}

/* ---- statistics --------------------------------------------------------------------------------------------------------- */

static const struct { const char *field; double scale; } measures[STAT_FIELDS] = {
    [STAT_COST] = {"cost", 1}, [STAT_TOKENS] = {"tokens", 1}, [STAT_DURATION] = {"duration", 1000}, [STAT_MESSAGES] = {"messages", 1},
    [STAT_CALLS] = {"calls", 1},
};

static struct amount amount_of(double *v, size_t n)
{
    struct amount out = {.n = (int64_t)n};
    for (size_t i = 0; i < n; i++)
        out.sum += v[i];
    if (!n)
        return out;
    out.mean = out.sum / (double)n;
    out.median = stats_median(v, n);
    out.p90 = stats_select(v, n, (9 * n + 9) / 10 - 1);
    return out;
}

/* The numbers of a measure, group by group: rows[place of a code] gets what they amount to. */
static void measure(const struct group *g, const struct column *numbers, double scale, const uint8_t *mask, size_t n, const uint32_t *place,
                    size_t nrows, struct stat_row *rows, enum stat_field which)
{
    struct arena a = {0};
    size_t *starts = arena_array(&a, size_t, nrows + 2), total = 0; /* of row: starts[row]; filled at starts[row + 1] */
    uint32_t *seen = arena_array(&a, uint32_t, nrows + 1);
    double *values = NULL;
    for (int pass = 0; pass < 2; pass++) { /* count them, then put them there */
        memset(seen, 0, (nrows + 1) * sizeof *seen);
        for (size_t i = 0; i < n; i++) {
            uint32_t from = 0, to = 1;
            const uint32_t *codes = g ? codes_of(g, i, &from, &to) : NULL;
            static const uint32_t none = 0;
            if (!mask[i] || isnan(numbers->x[i]))
                continue;
            if (!g || (from == to && !g->entries)) {
                codes = &none;
                from = 0;
                to = 1;
            }
            for (uint32_t k = from; k < to; k++) {
                uint32_t row = codes != &none && g->entries && !g->entries[k] ? UINT32_MAX : place[codes[k]];
                if (row == UINT32_MAX || seen[row] == i + 1)
                    continue;
                seen[row] = (uint32_t)i + 1;
                if (pass)
                    values[starts[row + 1]++] = numbers->x[i] * scale;
                else
                    total++, starts[row + 2]++;
            }
        }
        if (!pass) {
            for (size_t row = 2; row <= nrows + 1; row++)
                starts[row] += starts[row - 1];
            values = arena_alloc(&a, (total + 1) * sizeof *values);
        }
    }
    for (size_t row = 0; row < nrows; row++)
        rows[row].stats[which] = amount_of(values + starts[row], starts[row + 1] - starts[row]);
    arena_free(&a);
}

static bool stats_of(struct asking *q, struct slice by, struct stat_rows *out, struct err *e)
{
    struct group g = {0};
    struct count all = {0}, *counts = &all;
    size_t n = columns_runs(q->c), nrows = 1, ncodes = 1;
    uint8_t *mask;
    if (!outcomes_of(q->c, q->s, q->scratch, &q->outcome, e) || !columns_select(q->c, q->s, q->f, q->scratch, &mask, e) ||
        (by.ptr && !group_of(q->c, q->s, q->f, by, false, q->scratch, &g, e)))
        return false;
    if (by.ptr) {
        ncodes = (size_t)g.column->nwords + 1;
        counts = count_group(&g, mask, q->outcome, n, q->scratch);
        nrows = sort_counts(counts, ncodes);
    } else {
        for (size_t i = 0; i < n; i++)
            if (mask[i])
                count_one(&all, i, q->outcome[i]);
    }
    out->n = nrows < q->limit ? nrows : q->limit;
    out->more = (int64_t)(nrows - out->n);
    out->items = arena_array(q->a, struct stat_row, out->n);
    uint32_t *place = arena_alloc(q->scratch, ncodes * sizeof *place);
    memset(place, 0xff, ncodes * sizeof *place);
    for (size_t i = 0; i < out->n; i++) {
        place[counts[i].code] = (uint32_t)i;
        out->items[i] = (struct stat_row){.runs = counts[i].runs, .passed = counts[i].passed, .failed = counts[i].failed};
        if (by.ptr)
            out->items[i].value = value_of(&g, counts[i].code, q->a);
    }
    for (size_t m = 0; m < STAT_FIELDS; m++) {
        const struct column *numbers;
        if (!columns_get(q->c, q->s, slice_str(measures[m].field), &numbers, e))
            return false;
        measure(by.ptr ? &g : NULL, numbers, measures[m].scale, mask, n, place, out->n, out->items, (enum stat_field)m);
    }
    return true;
}

bool store_stats(struct store *s, const struct filter *f, struct slice by, size_t limit, struct arena *a, struct stat_rows *out, struct err *e)
{
    struct arena scratch = {0};
    struct asking q = {.s = s, .f = f, .a = a, .scratch = &scratch, .limit = limit ? limit : GROUPS_DEFAULT};
    *out = (struct stat_rows){0};
    bool ok = db_read(s->db, e) && db_end(s->db, with_columns(&q, e) && stats_of(&q, by, out, e), e);
    columns_done(q.c);
    arena_free(&scratch);
    return ok;
}
