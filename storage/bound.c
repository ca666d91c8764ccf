#include "storage/bound.h"

#include "base/str.h"

#include <sqlite3.h>
#include <stdlib.h>

/* Of a view: what names its row for good (the key of the row that it is made of), whose the row is (the key of a collection; where the
 * first is NULL the second), the columns by which it is found without reading all of it, and how many rows there are, about, by which is
 * decided in what order to join. */
static const struct origin {
    const char *view, *row, *owner, *or_owner, *keys;
    int64_t rows;
} origins[] = {
    {"collections", "n", "n", NULL, "id", 10},
    {"runs", "r.n", "r.collection", NULL, "id", 10000},
    {"scores", "s.id", "r.collection", NULL, "run", 10000},
    {"transcripts", "t.id", "r.collection", NULL, "run", 10000},
    {"messages", "m.id", "r.collection", NULL, "run", 1000000},
    {"tool_calls", "c.id", "r.collection", NULL, "run", 300000},
    {"findings", "f.n", "f.collection", NULL, "id run", 10000},
    {"evidence", "s.id", "f.collection", NULL, "finding", 30000},
    {"labels", "l.n", "r.collection", "f.collection", "run finding", 10000},
    {"tasks", "t.n", "t.collection", NULL, NULL, 1000},
    {"judgments", "j.n", "j.collection", NULL, "id run", 10000},
};
enum {
    ORIGINS = sizeof origins / sizeof *origins,
    COLUMNS_MAX = 30,         /* a bit each in an int */
    WANTED_MAX = 8,           /* columns that are looked up at one time */
    ASKED_OFTEN = 3,          /* from then on rows are kept; */
    KEPT_BYTES = 64 << 20,    /* no more than that of a view */
    STATEMENT_BYTES = 64 << 10,
};

/* What a value of a column can be: only what is of the same kind is looked up, as another is converted before it is compared. */
enum values { VALUES_MIXED, VALUES_TEXT, VALUES_NUMBER };
struct column { const char *name; enum values values; bool key; };

struct table {
    struct bound *bound;
    const struct origin *origin;
    struct slice declaration; /* as CREATE TABLE has it */
    struct slice body;        /* the view's SELECT, with row and owners before its columns */
    struct column columns[COLUMNS_MAX];
    int ncolumns;
};

struct statement {
    struct statement *next;
    sqlite3_stmt *raw;
    bool busy;
};

/* How rows of a view are read for a query: all of them; those that a key gives; or, by columns that are no key, all of them for the first
 * few times, and from then on (a join asks again and again) those that the columns give, of rows that were kept with an index. */
struct plan {
    struct plan *next;
    const struct table *table;
    int used;                 /* columns, a bit each */
    char wanted[WANTED_MAX + 1]; /* columns that have a value, 'a' + place each */
    bool by_key;
    int asked;
    bool too_large;           /* to be kept */
    struct db *kept;          /* NULL: not yet */
    struct slice read, find;  /* from the view, and of what is kept */
    struct statement *reading, *finding;
};

struct bound {
    struct store *store;
    struct db *here;          /* where queries run */
    struct arena arena, query;
    struct table tables[ORIGINS];
    struct plan *plans;
};

struct vtab { sqlite3_vtab base; const struct table *table; };
struct cursor { sqlite3_vtab_cursor base; struct statement *at; bool end; };

static const struct table *table_of(const struct cursor *c) { return ((const struct vtab *)c->base.pVtab)->table; }

/* ---- statements -------------------------------------------------------------------------------------------------------- */

/* One of a list that is idle, or another one: a query may read the same rows at several places at once. */
static int take_statement(struct bound *b, sqlite3 *db, struct slice sql, struct statement **list, struct statement **out)
{
    struct statement *s = *list;
    while (s && s->busy)
        s = s->next;
    if (!s) {
        sqlite3_stmt *raw;
        int rc = sqlite3_prepare_v2(db, sql.ptr, (int)sql.len, &raw, NULL);
        if (rc != SQLITE_OK)
            return rc;
        s = arena_new(&b->query, struct statement);
        *s = (struct statement){.next = *list, .raw = raw};
        *list = s;
    }
    s->busy = true;
    *out = s;
    return SQLITE_OK;
}

static void give_back(struct statement *s)
{
    if (!s)
        return;
    sqlite3_reset(s->raw);
    s->busy = false;
}

static void finalize(struct statement *s)
{
    for (; s; s = s->next)
        sqlite3_finalize(s->raw);
}

/* The rows of one owner's column; the second has those that the first says nothing of. Where all are read, SQLite is told that few are
 * theirs and that none is without an owner: so it begins with their collections, and passes over no row of others. What that takes would
 * tell how many there are. */
static void add_select(struct str *sql, const struct plan *p, bool second)
{
    const struct table *t = p->table;
    const char *owner = second ? "\"whose else\"" : "\"whose\"";
    str_addz(sql, "SELECT \"which\"");
    for (int i = 0; i < t->ncolumns; i++)
        if (p->used & 1 << i)
            str_printf(sql, ", \"%s\"", t->columns[i].name);
        else
            str_addz(sql, ", NULL");
    str_addz(sql, " FROM (");
    str_add_slice(sql, t->body);
    str_printf(sql, ") WHERE %s", second ? "\"whose\" IS NULL AND " : "");
    if (p->by_key)
        str_printf(sql, "mine(%s)", owner);
    else
        str_printf(sql, "likelihood(mine(%s), 0.0001) AND %s > 0 AND %s IN (SELECT n FROM collection WHERE mine(n))", owner, owner, owner);
    for (int i = 0; p->by_key && p->wanted[i]; i++)
        str_printf(sql, " AND \"%s\" = ?%d", t->columns[p->wanted[i] - 'a'].name, i + 1);
}

static struct slice read_of(struct bound *b, const struct plan *p)
{
    struct str sql = STR_INIT(STATEMENT_BYTES);
    add_select(&sql, p, false);
    if (p->table->origin->or_owner) {
        str_addz(&sql, " UNION ALL ");
        add_select(&sql, p, true);
    }
    struct slice copy = arena_dup(&b->query, str_slice(&sql));
    str_free(&sql);
    return copy;
}

static struct plan *plan_of(const struct table *t, int used, const char *wanted, bool by_key)
{
    struct bound *b = t->bound;
    for (struct plan *p = b->plans; p; p = p->next)
        if (p->table == t && p->used == used && strcmp(p->wanted, wanted) == 0)
            return p;
    struct plan *p = arena_new(&b->query, struct plan);
    *p = (struct plan){.next = b->plans, .table = t, .used = used, .by_key = by_key};
    memcpy(p->wanted, wanted, strlen(wanted) + 1);
    p->read = read_of(b, p);
    return b->plans = p;
}

/* ---- rows that are kept ------------------------------------------------------------------------------------------------ */

/* SQLITE_FULL: there is more than may be kept. */
static int copy_rows(sqlite3 *db, sqlite3_stmt *from, const char *insert, int columns)
{
    sqlite3_stmt *to = NULL;
    int64_t bytes = 0;
    int rc = sqlite3_prepare_v2(db, insert, -1, &to, NULL);
    while (rc == SQLITE_OK && (rc = sqlite3_step(from)) == SQLITE_ROW) {
        rc = SQLITE_OK;
        for (int i = 0; i < columns && rc == SQLITE_OK; i++) {
            rc = sqlite3_bind_value(to, i + 1, sqlite3_column_value(from, i));
            bytes += 10 + (sqlite3_column_type(from, i) == SQLITE_TEXT ? sqlite3_column_bytes(from, i) : 0);
        }
        if (rc == SQLITE_OK && bytes > KEPT_BYTES) {
            rc = SQLITE_FULL;
        } else if (rc == SQLITE_OK) {
            sqlite3_step(to);
            rc = sqlite3_reset(to);
        }
    }
    sqlite3_finalize(to);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* Into a database of their own, which goes where there are too many. */
static int keep_rows(struct bound *b, struct plan *p)
{
    struct str make = STR_INIT(STATEMENT_BYTES), insert = STR_INIT(STATEMENT_BYTES), find = STR_INIT(STATEMENT_BYTES);
    const int columns = p->table->ncolumns;
    struct statement *from = NULL;
    str_addz(&make, "CREATE TABLE kept (which");
    str_addz(&insert, "INSERT INTO kept VALUES (?");
    str_addz(&find, "SELECT * FROM kept WHERE ");
    for (int i = 0; i < columns; i++) {
        str_printf(&make, ", c%d", i);
        str_addz(&insert, ", ?");
    }
    str_addz(&make, "); CREATE INDEX by ON kept (");
    str_addz(&insert, ")");
    for (int i = 0; p->wanted[i]; i++) {
        str_printf(&make, "%sc%d", i ? ", " : "", p->wanted[i] - 'a');
        str_printf(&find, "%sc%d = ?%d", i ? " AND " : "", p->wanted[i] - 'a', i + 1);
    }
    str_addz(&make, "); BEGIN");
    int rc = db_open(":memory:", true, &p->kept, NULL) ? SQLITE_OK : SQLITE_NOMEM;
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db_raw(p->kept), make.ptr, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = take_statement(b, db_raw(b->store->db), p->read, &p->reading, &from);
    if (rc == SQLITE_OK)
        rc = copy_rows(db_raw(p->kept), from->raw, insert.ptr, columns + 1);
    give_back(from);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db_raw(p->kept), "COMMIT", NULL, NULL, NULL);
    p->find = arena_dup(&b->query, str_slice(&find));
    if (rc == SQLITE_FULL) {
        db_close(p->kept);
        p->kept = NULL;
        p->too_large = true;
        rc = SQLITE_OK;
    }
    str_free(&make);
    str_free(&insert);
    str_free(&find);
    return rc;
}

/* ---- the virtual tables ------------------------------------------------------------------------------------------------ */

static int connect_table(sqlite3 *raw, void *ctx, int argc, const char *const *argv, sqlite3_vtab **out, char **why)
{
    const struct table *table = ctx;
    (void)argc;
    (void)argv;
    (void)why;
    int rc = sqlite3_declare_vtab(raw, table->declaration.ptr);
    if (rc != SQLITE_OK)
        return rc;
    struct vtab *v = sqlite3_malloc(sizeof *v);
    if (!v)
        return SQLITE_NOMEM;
    *v = (struct vtab){.table = table};
    *out = &v->base;
    return SQLITE_OK;
}

static int disconnect_table(sqlite3_vtab *v)
{
    sqlite3_free(v);
    return SQLITE_OK;
}

/* What is looked up: "this column is that value", of columns whose values are of one kind. For a list of values of what is no key one look
 * at all rows is better than one for each. */
static int best_index(sqlite3_vtab *v, sqlite3_index_info *info)
{
    const struct table *t = ((const struct vtab *)v)->table;
    char wanted[WANTED_MAX + 1];
    int n = 0;
    bool by_key = false;
    for (int i = 0; i < info->nConstraint && n < WANTED_MAX; i++) {
        const struct sqlite3_index_constraint *c = &info->aConstraint[i];
        if (!c->usable || c->op != SQLITE_INDEX_CONSTRAINT_EQ || c->iColumn < 0 || t->columns[c->iColumn].values == VALUES_MIXED ||
            sqlite3_stricmp(sqlite3_vtab_collation(info, i), "BINARY") != 0 || (!t->columns[c->iColumn].key && sqlite3_vtab_in(info, i, -1)))
            continue;
        wanted[n++] = (char)('a' + c->iColumn);
        info->aConstraintUsage[i].argvIndex = n; /* SQLite looks at the values again */
        by_key |= t->columns[c->iColumn].key;
    }
    wanted[n] = '\0';
    info->idxStr = sqlite3_mprintf("%s", wanted);
    if (!info->idxStr)
        return SQLITE_NOMEM;
    info->needToFreeIdxStr = 1;
    info->idxNum = (int)(info->colUsed & ((1U << COLUMNS_MAX) - 1));
    info->estimatedRows = by_key ? 20 : n ? t->origin->rows / 20 + 1 : t->origin->rows;
    info->estimatedCost = by_key ? 30 : (double)(n ? t->origin->rows / 10 + 1 : t->origin->rows);
    return SQLITE_OK;
}

static int open_cursor(sqlite3_vtab *v, sqlite3_vtab_cursor **out)
{
    (void)v;
    struct cursor *c = sqlite3_malloc(sizeof *c);
    if (!c)
        return SQLITE_NOMEM;
    *c = (struct cursor){.end = true};
    *out = &c->base;
    return SQLITE_OK;
}

static int close_cursor(sqlite3_vtab_cursor *base)
{
    struct cursor *c = (struct cursor *)base;
    give_back(c->at);
    sqlite3_free(c);
    return SQLITE_OK;
}

/* In words of ours: SQLite's would be about a statement that nobody has seen. */
static int failed(sqlite3_vtab_cursor *base, int rc)
{
    if (rc == SQLITE_ERROR && !base->pVtab->zErrMsg)
        base->pVtab->zErrMsg = sqlite3_mprintf("the view %s could not be read; `telltale check` says whether the database is damaged",
                                               table_of((struct cursor *)base)->origin->view);
    return rc;
}

static int next_row(sqlite3_vtab_cursor *base)
{
    struct cursor *c = (struct cursor *)base;
    int rc = sqlite3_step(c->at->raw);
    c->end = rc != SQLITE_ROW;
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : failed(base, rc);
}

static bool fits(enum values values, sqlite3_value *value)
{
    int type = sqlite3_value_type(value);
    return values == VALUES_TEXT ? type == SQLITE_TEXT : type == SQLITE_INTEGER || type == SQLITE_FLOAT;
}

/* The statement that gives what is wanted, of that which fits: SQLite looks at all values again. */
static int choose(const struct table *t, int used, const char *wanted, sqlite3_value **values, struct statement **out)
{
    struct bound *b = t->bound;
    char fit[WANTED_MAX + 1];
    sqlite3_value *fitting[WANTED_MAX];
    int n = 0, rc = SQLITE_OK;
    bool by_key = false;
    for (int i = 0; wanted[i]; i++) {
        const struct column *column = &t->columns[wanted[i] - 'a'];
        if (!fits(column->values, values[i]))
            continue;
        fit[n] = wanted[i];
        fitting[n++] = values[i];
        by_key |= column->key;
    }
    fit[n] = '\0';
    struct plan *p = plan_of(t, used, fit, by_key);
    if (n && !by_key && !p->too_large && !p->kept && ++p->asked > ASKED_OFTEN)
        rc = keep_rows(b, p);
    const bool kept = p->kept;
    if (rc == SQLITE_OK)
        rc = kept ? take_statement(b, db_raw(p->kept), p->find, &p->finding, out)
                  : take_statement(b, db_raw(b->store->db), p->read, &p->reading, out);
    for (int i = 0; i < n && (by_key || kept) && rc == SQLITE_OK; i++)
        rc = sqlite3_bind_value((*out)->raw, i + 1, fitting[i]);
    return rc;
}

static int filter(sqlite3_vtab_cursor *base, int used, const char *wanted, int argc, sqlite3_value **values)
{
    struct cursor *c = (struct cursor *)base;
    give_back(c->at);
    c->at = NULL;
    c->end = true;
    for (int i = 0; i < argc; i++)
        if (sqlite3_value_type(values[i]) == SQLITE_NULL) /* nothing is equal to it */
            return SQLITE_OK;
    int rc = choose(table_of(c), used, wanted, values, &c->at);
    return rc == SQLITE_OK ? next_row(base) : failed(base, rc);
}

static int at_end(sqlite3_vtab_cursor *base) { return ((struct cursor *)base)->end; }

static int give_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
    sqlite3_result_value(context, sqlite3_column_value(((struct cursor *)base)->at->raw, column + 1));
    return SQLITE_OK;
}

static int give_row(sqlite3_vtab_cursor *base, sqlite3_int64 *out)
{
    *out = sqlite3_column_int64(((struct cursor *)base)->at->raw, 0);
    return SQLITE_OK;
}

/* Without xCreate: the tables are there by their names, and in no schema. */
static const sqlite3_module module = {
    .xConnect = connect_table, .xDisconnect = disconnect_table, .xDestroy = disconnect_table, .xBestIndex = best_index, .xOpen = open_cursor,
    .xClose = close_cursor, .xFilter = filter, .xNext = next_row, .xEof = at_end, .xColumn = give_column, .xRowid = give_row,
};

/* ---- start and end ----------------------------------------------------------------------------------------------------- */

static bool is_key(const struct origin *origin, const char *column)
{
    struct slice rest = slice_str(origin->keys ? origin->keys : "");
    while (rest.len)
        if (slice_is(slice_take(&rest, ' '), column))
            return true;
    return false;
}

static enum values values_of(const char *type)
{
    if (strcmp(type, "any") == 0)
        return VALUES_MIXED;
    return strcmp(type, "text") == 0 || strcmp(type, "json") == 0 || strcmp(type, "time") == 0 ? VALUES_TEXT : VALUES_NUMBER;
}

/* The columns with the types that the view's have: values are compared as they are there. */
static bool declare(struct table *t, const struct sql_view *view, struct arena *a, struct err *e)
{
    struct str text = STR_INIT(STATEMENT_BYTES);
    struct stmt *q = db_prepare(t->bound->store->db, "SELECT name, type FROM pragma_table_info($1) ORDER BY cid", e);
    enum step step;
    bool same = true;
    bind_text(q, slice_str(view->name));
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        const struct sql_column *column = &view->columns[t->ncolumns];
        struct slice name = take_bytes(q), type = take_bytes(q);
        same &= t->ncolumns < COLUMNS_MAX && column->name && slice_is(name, column->name);
        if (!same)
            continue;
        str_printf(&text, "%s\"%s\" %.*s", t->ncolumns ? ", " : "CREATE TABLE x (", column->name, SLICE_ARG(type));
        t->columns[t->ncolumns++] = (struct column){column->name, values_of(column->type), is_key(t->origin, column->name)};
    }
    str_addz(&text, ")");
    t->declaration = arena_dup(a, str_slice(&text));
    str_free(&text);
    return step == STEP_DONE && (same || err_set(e, ERR_INTERNAL, "the view %s has other columns than are written down", view->name));
}

/* The view's own SELECT, from the schema. */
static bool take_body(struct table *t, struct arena *a, struct err *e)
{
    static const char word[] = "SELECT ";
    const struct origin *origin = t->origin;
    struct stmt *q = db_prepare(t->bound->store->db, "SELECT sql FROM sqlite_schema WHERE type = 'view' AND name = $1", e);
    enum step step;
    bind_text(q, slice_str(origin->view));
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        struct slice sql = take_bytes(q);
        const char *begin = memmem(sql.ptr, sql.len, word, sizeof word - 1);
        if (begin)
            t->body = arena_printf(a, "SELECT %s AS \"which\", %s AS \"whose\", %s AS \"whose else\", %.*s", origin->row, origin->owner,
                                   origin->or_owner ? origin->or_owner : "NULL", (int)(sql.ptr + sql.len - begin - (sizeof word - 1)),
                                   begin + sizeof word - 1);
    }
    return step == STEP_DONE && (t->body.len || err_set(e, ERR_INTERNAL, "there is no view %s", origin->view));
}

static const struct sql_view *view_named(const char *name)
{
    const struct sql_view *view = sql_views;
    while (view->name && strcmp(view->name, name) != 0)
        view++;
    return view;
}

static bool make_tables(struct bound *b, struct err *e)
{
    struct str all = STR_INIT(STATEMENT_BYTES);
    sqlite3 *raw = db_raw(b->here);
    sqlite3_stmt *q = NULL;
    bool ok = true;
    for (size_t i = 0; i < ORIGINS && ok; i++) {
        struct table *t = &b->tables[i];
        *t = (struct table){.bound = b, .origin = &origins[i]};
        ok = declare(t, view_named(origins[i].view), &b->arena, e) && take_body(t, &b->arena, e);
        if (ok && sqlite3_create_module_v2(raw, origins[i].view, &module, t, NULL) != SQLITE_OK)
            ok = err_set(e, ERR_INTERNAL, "the views could not be made: %s", sqlite3_errmsg(raw));
        str_printf(&all, "%s%s", i ? ", " : "SELECT 1 FROM ", origins[i].view);
    }
    /* They declare themselves when they are first named, which the authorizer of a query would refuse. */
    if (ok && sqlite3_prepare_v2(raw, all.ptr, -1, &q, NULL) != SQLITE_OK)
        ok = err_set(e, ERR_INTERNAL, "the views could not be made: %s", sqlite3_errmsg(raw));
    sqlite3_finalize(q);
    str_free(&all);
    return ok;
}

bool bound_open(struct store *s, struct bound **out, struct err *e)
{
    struct bound *b = calloc(1, sizeof *b);
    if (!b)
        abort();
    b->store = s;
    if (!db_open(":memory:", true, &b->here, e) || !make_tables(b, e)) {
        bound_close(b);
        return false;
    }
    *out = b;
    return true;
}

struct sqlite3 *bound_raw(const struct bound *b) { return db_raw(b->here); }

void bound_end(struct bound *b)
{
    for (struct plan *p = b->plans; p; p = p->next) {
        finalize(p->reading);
        finalize(p->finding);
        db_close(p->kept);
    }
    arena_free(&b->query);
    b->plans = NULL;
}

void bound_close(struct bound *b)
{
    if (!b)
        return;
    bound_end(b);
    db_close(b->here);
    arena_free(&b->arena);
    free(b);
}
