#include "storage/sql.h"

#include "base/hash.h"

#include <stdio.h>

enum { SQL_MAX = 1 << 20 };

struct sql sql_new(struct arena *a) { return (struct sql){.arena = a, .text = STR_IN(a, SQL_MAX)}; }
void sql_add(struct sql *q, const char *text) { str_addz(&q->text, text); }

void sql_value(struct sql *q, const struct value *value)
{
    q->values = arena_grow(q->arena, q->values, q->nvalues, &q->cap, sizeof *q->values);
    q->values[q->nvalues++] = *value;
    str_printf(&q->text, "$%zu", q->nvalues);
}

void sql_int(struct sql *q, int64_t n) { sql_value(q, &(struct value){.type = VALUE_INT, .n = n}); }
void sql_text(struct sql *q, struct slice text) { sql_value(q, &(struct value){.type = VALUE_TEXT, .text = text}); }

struct stmt *sql_prepare(struct sql *q, struct db *db, struct err *e)
{
    struct stmt *statement = NULL;
    if (q->text.full)
        err_set(e, ERR_TOO_LARGE, "the filter is over %d bytes as SQL", SQL_MAX);
    else
        statement = db_prepare(db, q->text.ptr, e);
    for (size_t i = 0; i < q->nvalues; i++) {
        const struct value *v = &q->values[i];
        switch (v->type) {
        case VALUE_NULL:
            bind_null(statement);
            break;
        case VALUE_INT:
            bind_int(statement, v->n);
            break;
        case VALUE_REAL:
            bind_real(statement, v->x);
            break;
        case VALUE_TEXT:
        case VALUE_BLOB:
            bind_text(statement, v->text);
            break;
        }
    }
    return statement;
}

/* ---- order ----------------------------------------------------------------------------------------------------------- */

/* What page->sort says, by the keys of the list. */
static bool parse_order(const struct list *list, struct slice sort, struct order *out, struct err *e)
{
    *out = *list->own;
    if (!sort.len)
        return true;
    out->n = 0;
    for (size_t at = 0; at <= sort.len;) {
        const char *comma = memchr(sort.ptr + at, ',', sort.len - at);
        size_t stop = comma ? (size_t)(comma - sort.ptr) : sort.len;
        struct slice word = slice_sub(sort, at, stop - at);
        bool descending = slice_starts(word, "-");
        struct slice name = slice_sub(word, descending, word.len);
        const struct sort_key *key = NULL;
        for (size_t i = 0; i < list->nkeys && !key; i++)
            if (list->keys[i].name && slice_is(name, list->keys[i].name))
                key = &list->keys[i];
        if (!key)
            return err_set(e, ERR_USAGE, "this list has no sort key \"%.*s\"", SLICE_ARG(name));
        if (out->n == ORDER_TERMS)
            return err_set(e, ERR_USAGE, "a list is sorted by at most %d keys", ORDER_TERMS);
        out->terms[out->n++] = (struct order_term){key, descending};
        at = stop + 1;
    }
    return true;
}

/* ---- cursors --------------------------------------------------------------------------------------------------------- */

/* A cursor is, in hexadecimal: a hash of the order that it belongs to, then the last row's value of each term and its key. */
enum { ORDER_HASH = 4, CURSOR_MAX = 1 << 16 };

static void hash_order(const struct list *list, const struct order *order, unsigned char out[HASH_SIZE])
{
    struct hash h;
    hash_start(&h);
    hash_add_framed(&h, slice_str(list->row));
    for (size_t i = 0; i < order->n; i++) {
        hash_add_framed(&h, slice_str(order->terms[i].key->sql));
        hash_add(&h, slice_of(order->terms[i].descending ? "-" : "+", 1));
    }
    hash_end(&h, out);
}

static void write_value(struct str *out, const struct value *v)
{
    str_addc(out, (char)v->type);
    if (v->type == VALUE_INT)
        str_add(out, (const char *)&v->n, sizeof v->n);
    if (v->type == VALUE_REAL)
        str_add(out, (const char *)&v->x, sizeof v->x);
    if (v->type == VALUE_TEXT) {
        uint32_t len = (uint32_t)v->text.len;
        str_add(out, (const char *)&len, sizeof len);
        str_add_slice(out, v->text);
    }
}

struct slice cursor_write(struct arena *a, const struct list *list, const struct order *order, const struct value *values)
{
    unsigned char hash[HASH_SIZE];
    struct str bytes = STR_INIT(CURSOR_MAX);
    hash_order(list, order, hash);
    str_add(&bytes, (const char *)hash, ORDER_HASH);
    for (size_t i = 0; i <= order->n; i++)
        write_value(&bytes, &values[i]);
    char *hex = arena_alloc(a, 2 * bytes.len + 1);
    hash_hex((const unsigned char *)bytes.ptr, bytes.len, hex);
    struct slice cursor = slice_of(hex, 2 * bytes.len);
    str_free(&bytes);
    return cursor;
}

/* Takes `n` bytes off the front; false when there are fewer. */
static bool take(struct slice *from, void *to, size_t n)
{
    if (from->len < n)
        return false;
    memcpy(to, from->ptr, n);
    *from = slice_sub(*from, n, from->len);
    return true;
}

static bool read_value(struct slice *from, struct value *v)
{
    uint8_t type;
    uint32_t len;
    *v = (struct value){0};
    if (!take(from, &type, 1) || type > VALUE_TEXT)
        return false;
    v->type = (enum value_type)type;
    switch (v->type) {
    case VALUE_NULL:
        return true;
    case VALUE_INT:
        return take(from, &v->n, sizeof v->n);
    case VALUE_REAL:
        return take(from, &v->x, sizeof v->x) && !isnan(v->x);
    case VALUE_TEXT:
        if (!take(from, &len, sizeof len) || len > from->len)
            return false;
        v->text = slice_sub(*from, 0, len);
        *from = slice_sub(*from, len, from->len);
        return true;
    case VALUE_BLOB:
        return false;
    }
    return false;
}

bool cursor_read(struct arena *a, struct slice cursor, const struct list *list, const struct order *order, struct value *values)
{
    if (cursor.len % 2 || cursor.len > 2 * CURSOR_MAX)
        return false;
    unsigned char *raw = arena_alloc(a, cursor.len / 2 + 1);
    if (!hash_unhex(cursor, raw, cursor.len / 2))
        return false;
    struct slice bytes = slice_of((const char *)raw, cursor.len / 2);
    unsigned char wanted[HASH_SIZE], found[ORDER_HASH];
    hash_order(list, order, wanted);
    if (!take(&bytes, found, ORDER_HASH) || memcmp(wanted, found, ORDER_HASH) != 0)
        return false;
    for (size_t i = 0; i <= order->n; i++)
        if (!read_value(&bytes, &values[i]))
            return false;
    return !bytes.len && values[order->n].type == VALUE_INT;
}

/* ---- pages ----------------------------------------------------------------------------------------------------------- */

/* That a row comes after the cursor's: t1 > v1 OR (t1 = v1 AND (t2 > v2 OR …)), with NULL first in rising and last in falling order,
 * as SQLite sorts. The bound on t1 alone comes first, since an index can use it. */
static void add_after(struct sql *q, const struct list *list, const struct order *order, const struct value *values)
{
    const struct order_term *first = &order->terms[0];
    if (order->n && values[0].type != VALUE_NULL && !(first->descending && first->key->nullable)) {
        sql_add(q, " AND ");
        sql_add(q, first->key->sql);
        sql_add(q, first->descending ? " <= " : " >= ");
        sql_value(q, &values[0]);
    }
    sql_add(q, " AND (");
    for (size_t i = 0; i < order->n; i++) {
        const struct order_term *term = &order->terms[i];
        const char *column = term->key->sql;
        if (values[i].type == VALUE_NULL) {
            sql_add(q, term->descending ? "0" : column);
            sql_add(q, term->descending ? "" : " IS NOT NULL");
        } else {
            sql_add(q, column);
            sql_add(q, term->descending ? " < " : " > ");
            sql_value(q, &values[i]);
            if (term->descending && term->key->nullable) {
                sql_add(q, " OR ");
                sql_add(q, column);
                sql_add(q, " IS NULL");
            }
        }
        sql_add(q, " OR (");
        sql_add(q, column);
        sql_add(q, " IS ");
        sql_value(q, &values[i]);
        sql_add(q, " AND (");
    }
    sql_add(q, list->row);
    sql_add(q, " > ");
    sql_int(q, values[order->n].n);
    for (size_t i = 0; i < order->n; i++)
        sql_add(q, "))");
    sql_add(q, ")");
}

static void add_order(struct sql *q, const struct list *list, const struct order *order, uint32_t limit)
{
    sql_add(q, " ORDER BY ");
    for (size_t i = 0; i < order->n; i++) {
        sql_add(q, order->terms[i].key->sql);
        sql_add(q, order->terms[i].descending ? " DESC, " : ", ");
    }
    sql_add(q, list->row);
    sql_add(q, " LIMIT ");
    sql_int(q, (int64_t)limit + 1);
}

static void take_value(struct stmt *q, struct arena *a, struct value *v)
{
    *v = (struct value){.type = stmt_next_type(q)};
    switch (v->type) {
    case VALUE_NULL:
    case VALUE_INT:
        v->n = take_int(q);
        break;
    case VALUE_REAL:
        v->x = take_real(q);
        break;
    case VALUE_TEXT:
    case VALUE_BLOB:
        v->text = take_text(q, a);
        break;
    }
}

static bool count_rows(struct store *s, const struct list *list, const struct filter *f, int64_t *total, struct err *e)
{
    struct arena a = {0};
    struct sql q = sql_new(&a);
    sql_add(&q, "SELECT count(*)");
    bool ok = list->from(s, &q, f, e);
    if (ok) {
        struct stmt *rows = sql_prepare(&q, s->db, e);
        ok = stmt_step(rows, e) == STEP_ROW;
        if (ok) {
            *total = take_int(rows);
            stmt_reset(rows);
        }
    }
    arena_free(&a);
    return ok;
}

static bool fill_page(struct store *s, const struct list *list, const struct filter *f, const struct order *order, const struct page *page,
                      struct arena *a, struct ids *out, struct page_end *end, struct err *e)
{
    uint32_t limit = page->limit ? page->limit : PAGE_DEFAULT;
    struct value values[ORDER_TERMS + 1];
    if (limit > PAGE_MAX)
        return err_set(e, ERR_USAGE, "a page holds at most %d rows", PAGE_MAX);
    if (page->after.len && !cursor_read(a, page->after, list, order, values))
        return err_set(e, ERR_USAGE, "this is no cursor of this list in this order; take the \"next\" of the page before");

    struct sql q = sql_new(a);
    sql_add(&q, "SELECT ");
    for (size_t i = 0; i < order->n; i++) {
        sql_add(&q, order->terms[i].key->sql);
        sql_add(&q, ", ");
    }
    sql_add(&q, list->row);
    if (!list->from(s, &q, f, e))
        return false;
    if (page->after.len)
        add_after(&q, list, order, values);
    add_order(&q, list, order, limit);

    out->items = arena_array(a, int64_t, limit);
    struct stmt *rows = sql_prepare(&q, s->db, e);
    enum step step;
    while ((step = stmt_step(rows, e)) == STEP_ROW) {
        if (out->n == limit) { /* one more than the page holds: there is a next one, after the row before this */
            end->next = cursor_write(a, list, order, values);
            stmt_reset(rows);
            return true;
        }
        for (size_t i = 0; i <= order->n; i++)
            take_value(rows, a, &values[i]);
        out->items[out->n++] = values[order->n].n;
    }
    return step == STEP_DONE;
}

bool list_page(struct store *s, const struct list *list, const struct filter *f, const struct page *page, bool count, struct arena *a, struct ids *out,
               struct page_end *end, struct err *e)
{
    struct order order;
    *out = (struct ids){0};
    *end = (struct page_end){.total = TOTAL_UNKNOWN};
    return parse_order(list, page->sort, &order, e) && fill_page(s, list, f, &order, page, a, out, end, e) &&
           (!count || count_rows(s, list, f, &end->total, e));
}

bool list_keys(struct store *s, const struct list *list, const struct filter *f, struct arena *a, struct ids *out, struct err *e)
{
    struct sql q = sql_new(a);
    size_t cap = 0;
    *out = (struct ids){0};
    sql_add(&q, "SELECT ");
    sql_add(&q, list->row);
    if (!list->from(s, &q, f, e))
        return false;
    struct stmt *rows = sql_prepare(&q, s->db, e);
    enum step step;
    while ((step = stmt_step(rows, e)) == STEP_ROW) {
        out->items = arena_grow(a, out->items, out->n, &cap, sizeof *out->items);
        out->items[out->n++] = take_int(rows);
    }
    return step == STEP_DONE;
}
