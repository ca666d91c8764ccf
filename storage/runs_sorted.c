/* A page of runs in any order, from anywhere in it, by the columns. */
#include "storage/columns.h"
#include "storage/runs_sorted.h"

#include <math.h>
#include <stdlib.h>

struct item {
    double key;    /* what the first term sorts by */
    uint32_t run;
};

struct sorting {
    struct columns *c;
    const struct order *order;
    const struct column *columns[ORDER_TERMS];
    double after[ORDER_TERMS]; /* the cursor's row */
    int64_t after_key;
    uint64_t random;
};

static double raw(const struct column *column, size_t run)
{
    double x = column->x ? column->x[run] : column->codes[run];
    return isnan(x) ? -INFINITY : x; /* what has none comes first, as it does in SQL */
}

static double sort_value(const struct sorting *s, size_t term, size_t run)
{
    double x = raw(s->columns[term], run);
    return s->order->terms[term].descending ? -x : x;
}

/* No two are alike: at last the keys decide, in whose order the runs are. */
static bool before(const struct sorting *s, const struct item *a, const struct item *b)
{
    if (a->key != b->key)
        return a->key < b->key;
    for (size_t t = 1; t < s->order->n; t++) {
        double x = sort_value(s, t, a->run), y = sort_value(s, t, b->run);
        if (x != y)
            return x < y;
    }
    return a->run < b->run;
}

static bool is_after(const struct sorting *s, size_t run)
{
    for (size_t t = 0; t < s->order->n; t++) {
        double x = sort_value(s, t, run);
        if (x != s->after[t])
            return x > s->after[t];
    }
    return columns_key(s->c, run) > s->after_key;
}

static void swap(struct item *a, struct item *b)
{
    struct item t = *a;
    *a = *b;
    *b = t;
}

/* The k smallest of v[n] come to the front, in any order (C. A. R. Hoare's FIND; pivots by chance, so that no input is slow). */
static void smallest_first(struct sorting *s, struct item *v, size_t n, size_t k)
{
    while (n > 1 && k && k < n) {
        s->random = s->random * UINT64_C(6364136223846793005) + 1442695040888963407u;
        swap(&v[0], &v[(s->random >> 33) % n]);
        size_t small = 0;
        for (size_t i = 1; i < n; i++)
            if (before(s, &v[i], &v[0]))
                swap(&v[i], &v[++small]);
        swap(&v[0], &v[small]);
        if (k <= small) {
            n = small;
        } else {
            v += small + 1;
            n -= small + 1;
            k -= small + 1;
        }
    }
}

static int by_order(const void *a, const void *b, void *sorting)
{
    return before(sorting, a, b) ? -1 : before(sorting, b, a) ? 1 : 0;
}

static struct value value_of(const struct column *column, size_t run)
{
    if (column->x)
        return isnan(column->x[run]) ? (struct value){.type = VALUE_NULL} : (struct value){.type = VALUE_REAL, .x = column->x[run]};
    uint32_t code = column->codes[run];
    if (!code)
        return (struct value){.type = VALUE_NULL};
    return isnan(column->numbers[code]) ? (struct value){.type = VALUE_TEXT, .text = column->words[code]}
                                        : (struct value){.type = VALUE_REAL, .x = column->numbers[code]};
}

/* Where a value of a cursor stands among the words: between two, if it is none of them any more. */
static double place_of(const struct column *column, const struct value *v)
{
    if (v->type == VALUE_NULL)
        return column->x ? -INFINITY : 0;
    double number = v->type == VALUE_INT ? (double)v->n : v->type == VALUE_REAL ? v->x : NAN;
    if (column->x)
        return isnan(number) ? -INFINITY : number;
    return column_place(column, v->text, number);
}

static bool parse(struct sorting *s, struct store *store, struct slice sort, struct arena *a, struct order *order, struct err *e)
{
    struct slice word;
    order->n = 0;
    for (size_t at = 0; filter_word(sort, &at, &word);) {
        bool descending = slice_starts(word, "-");
        struct slice name = slice_sub(word, descending, word.len);
        if (order->n == ORDER_TERMS)
            return err_set(e, ERR_USAGE, "a list is sorted by at most %d keys", ORDER_TERMS);
        if (!columns_get(s->c, store, name, &s->columns[order->n], e))
            return err_set(e, ERR_USAGE, "this list has no sort key \"%.*s\"", SLICE_ARG(slice_cut(name, 100)));
        if (s->columns[order->n]->starts)
            return err_set(e, ERR_USAGE, "a run has several of \"%.*s\", so that they cannot be sorted by it", SLICE_ARG(name));
        struct sort_key *key = arena_new(a, struct sort_key);
        key->sql = arena_strdup(a, name);
        order->terms[order->n++] = (struct order_term){key, descending};
    }
    return true;
}

static bool own_order(struct sorting *s, struct store *store, const struct order *own, struct order *order, struct err *e)
{
    *order = *own;
    return columns_get(s->c, store, slice_str("imported"), &s->columns[0], e) && columns_get(s->c, store, slice_str("place"), &s->columns[1], e);
}

/* Its items, those after the cursor alone; *total counts all. */
static struct item *gather(struct sorting *s, const uint8_t *mask, bool after, struct arena *a, size_t *n, int64_t *total)
{
    struct item *items = arena_alloc(a, (columns_runs(s->c) + 1) * sizeof *items);
    *n = 0;
    *total = 0;
    for (size_t i = 0; i < columns_runs(s->c); i++) {
        *total += mask[i];
        if (mask[i] && (!after || is_after(s, i)))
            items[(*n)++] = (struct item){sort_value(s, 0, i), (uint32_t)i};
    }
    return items;
}

static bool find_page(struct sorting *s, struct store *store, const struct filter *f, const struct order *order, const struct list *list,
                      const struct page *page, struct arena *a, struct arena *scratch, struct ids *out, struct page_end *end, struct err *e)
{
    struct value values[ORDER_TERMS + 1];
    size_t limit = page->limit ? page->limit : PAGE_DEFAULT, from = page->offset, n;
    uint8_t *mask;
    if (limit > PAGE_MAX)
        return err_set(e, ERR_USAGE, "a page holds at most %d rows", PAGE_MAX);
    if (page->after.len && !cursor_read(scratch, page->after, list, order, values))
        return err_set(e, ERR_USAGE, "this is no cursor of this list in this order; take the \"next\" of the page before");
    for (size_t t = 0; page->after.len && t < order->n; t++)
        s->after[t] = (order->terms[t].descending ? -1 : 1) * place_of(s->columns[t], &values[t]);
    s->after_key = page->after.len ? values[order->n].n : 0;
    if (!columns_select(s->c, store, f, scratch, &mask, e))
        return false;
    struct item *items = gather(s, mask, page->after.len, scratch, &n, &end->total);
    from = from < n ? from : n;
    size_t to = n - from > limit ? from + limit : n;
    bool more = to < n;
    smallest_first(s, items, n, to);
    smallest_first(s, items, to, from);
    if (to > from)
        qsort_r(items + from, to - from, sizeof *items, by_order, s);
    out->items = arena_array(a, int64_t, limit);
    for (size_t i = from; i < to; i++)
        out->items[out->n++] = columns_key(s->c, items[i].run);
    if (more && to > from) {
        for (size_t t = 0; t < order->n; t++)
            values[t] = value_of(s->columns[t], items[to - 1].run);
        values[order->n] = (struct value){.type = VALUE_INT, .n = columns_key(s->c, items[to - 1].run)};
        end->next = cursor_write(a, list, order, values);
    }
    return true;
}

bool runs_sorted(struct store *store, const struct list *list, const struct filter *f, const struct page *page, struct arena *a, struct ids *out,
                 struct page_end *end, struct err *e)
{
    struct sorting s = {.random = 1};
    struct order order;
    struct arena scratch = {0};
    int64_t n;
    *out = (struct ids){0};
    end->next = SLICE_NONE;
    if (!f->collection.ptr)
        return err_set(e, ERR_USAGE, "name a collection to sort its runs");
    if (!collection_find(store, f->collection, &n, e) || !columns_of(store, n, &s.c, e))
        return false;
    s.order = &order;
    bool ok = (page->sort.len ? parse(&s, store, page->sort, &scratch, &order, e) : own_order(&s, store, list->own, &order, e)) &&
              find_page(&s, store, f, &order, list, page, a, &scratch, out, end, e);
    columns_done(s.c);
    arena_free(&scratch);
    return ok;
}
