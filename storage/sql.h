/* Private: statements that are put together as they are needed, from filters, sort keys and cursors. */
#ifndef STORAGE_SQL_H
#define STORAGE_SQL_H

#include "storage/inside.h"

/* ---- text and parameters --------------------------------------------------------------------------------------------- */

struct value {
    enum value_type type;  /* NULL, INT, REAL or TEXT */
    int64_t n;
    double x;
    struct slice text;
};

struct sql {
    struct arena *arena;
    struct str text;
    struct value *values;  /* of $1 … */
    size_t nvalues, cap;
};

struct sql sql_new(struct arena *a);
void sql_add(struct sql *q, const char *text);
/* A parameter and its value. The text must live until the statement is given back. */
void sql_int(struct sql *q, int64_t n);
void sql_text(struct sql *q, struct slice text);
void sql_value(struct sql *q, const struct value *value);
/* The statement, ready to step. Text and values stay in the arena. */
struct stmt *sql_prepare(struct sql *q, struct db *db, struct err *e);

/* ---- filters --------------------------------------------------------------------------------------------------------- */

/* Each appends " FROM … WHERE …" that names the rows (run r, finding f, task t) which a filter lets through. False: it says something
 * that means nothing (ERR_USAGE), or the collection is unknown. */
bool filter_runs(struct store *s, struct sql *q, const struct filter *f, struct err *e);
bool filter_findings(struct store *s, struct sql *q, const struct filter *f, struct err *e);
bool filter_tasks(struct store *s, struct sql *q, const struct filter *f, struct err *e);
/* The next word of a list that is separated by commas, from *at on; false after the last. */
bool filter_word(struct slice list, size_t *at, struct slice *word);
/* The same for names, which may hold a comma: in them "\," is a comma and "\\" a backslash (such a name is made in `a`). A list without
 * either is at last one name as a whole too. */
bool filter_name(struct arena *a, struct slice list, size_t *at, struct slice *name);
/* Nothing but the collection is asked for. */
bool filter_is_open(const struct filter *f);

/* ---- pages ----------------------------------------------------------------------------------------------------------- */

struct sort_key {
    const char *name;   /* as callers write it; NULL: only part of the list's own order */
    const char *sql;    /* long texts cut, since cursors carry them */
    bool nullable;
};
struct order_term { const struct sort_key *key; bool descending; };
enum { ORDER_TERMS = 8 };
struct order {
    struct order_term terms[ORDER_TERMS];
    size_t n;
};

struct ids {
    int64_t *items;
    size_t n;
};
/* What a list is of. */
struct list {
    bool (*from)(struct store *s, struct sql *q, const struct filter *f, struct err *e); /* appends FROM and WHERE */
    const char *row;             /* the integer key of a row ("r.n"), the last term of every order */
    const struct sort_key *keys; /* what page->sort may name */
    size_t nkeys;
    const struct order *own;     /* without page->sort */
};
/* One page of it, with its end; `count`: the total too, else it is TOTAL_UNKNOWN. */
bool list_page(struct store *s, const struct list *list, const struct filter *f, const struct page *page, bool count, struct arena *a, struct ids *out,
               struct page_end *end, struct err *e);
/* A cursor: the last row's value of each term, and its key. False: it is none of that list in that order. */
struct slice cursor_write(struct arena *a, const struct list *list, const struct order *order, const struct value *values);
bool cursor_read(struct arena *a, struct slice cursor, const struct list *list, const struct order *order, struct value *values);
/* The keys of all rows that a filter lets through. */
bool list_keys(struct store *s, const struct list *list, const struct filter *f, struct arena *a, struct ids *out, struct err *e);

#endif
