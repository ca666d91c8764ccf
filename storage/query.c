#include "storage/bound.h"
#include "storage/inside.h"
#include "storage/ration.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/jsonw.h"
#include "text/jread.h"

#include <math.h>
#include <sqlite3.h>
#include <stdlib.h>

/* SQL that a user wrote runs on our own connection, or, of somebody who sees some collections only, on one that has nothing but what is theirs
 * (bound.h); within walls:
 *
 * what it may name    the authorizer lets it read the views, call harmless functions, and nothing else
 * what it may do      one statement that only reads
 * how long            a look at the clock every few operations, at every few allocations, and inside LIKE
 * how much            a ration of memory (ration.h), the size of a value, of the statement, of the answer
 *
 * A single operation cannot be interrupted, so the functions whose time grows faster than their arguments are done anew here
 * (like, instr, replace) or refused (glob, json_patch, printf, trim with two arguments). */
enum {
    DEADLINE_US = 10 * 1000 * 1000,
    OPERATIONS_PER_CLOCK = 20,
    STEPS_PER_CLOCK = 1 << 20,
    PLACES_PER_CLOCK = 1 << 12,
};

/* What the views read. */
static const char *const beneath[] = {
    "collection", "run", "run_detail", "run_tag", "score", "transcript", "message", "tool_call", "finding", "span", "label",
    "task", "task_model", "judgment", "judgment_detail", "judge", "exception", NULL,
};

static const char *const lists[] = {"json_each", "json_tree", NULL};

const char *const sql_functions[] = {
    /* text */
    "char", "hex", "instr", "length", "like", "lower", "ltrim", "quote", "replace", "rtrim", "substr", "substring", "trim",
    "unicode", "upper",
    /* any value */
    "coalesce", "ifnull", "iif", "likelihood", "likely", "max", "min", "nullif", "typeof", "unlikely",
    /* numbers */
    "abs", "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "ceil", "ceiling", "cos", "cosh", "degrees", "exp",
    "floor", "ln", "log", "log10", "log2", "mod", "pi", "pow", "power", "radians", "random", "round", "sign", "sin", "sinh",
    "sqrt", "tan", "tanh", "trunc",
    /* time */
    "date", "datetime", "julianday", "strftime", "time", "unixepoch",
    /* JSON */
    "->", "->>", "json", "json_array", "json_array_length", "json_extract", "json_object", "json_quote", "json_type",
    "json_valid",
    /* of many rows */
    "avg", "count", "group_concat", "json_group_array", "json_group_object", "sum", "total", "cume_dist", "dense_rank",
    "first_value", "lag", "last_value", "lead", "nth_value", "ntile", "percent_rank", "rank", "row_number",
    NULL,
};

/* What runs now; the connection's functions refer to it. */
struct query {
    const struct store *store;
    struct bound *bound;  /* NULL until somebody asked who sees some collections only */
    struct sqlite3 *raw;  /* where it runs */
    int64_t deadline_us;
    bool late, denied;
    const char **tables;  /* all there are; ended by NULL */
};

static bool is_one_of(const char *const *names, const char *name)
{
    while (*names && (!name || sqlite3_stricmp(*names, name) != 0))
        names++;
    return *names != NULL;
}

static bool is_view(const char *name)
{
    const struct sql_view *view = sql_views;
    while (view->name && (!name || sqlite3_stricmp(view->name, name) != 0))
        view++;
    return view->name != NULL;
}

/* The number of a row tells how many others there are. */
static bool is_row_number(const struct query *query, const char *table, const char *column)
{
    return query->bound && query->raw == bound_raw(query->bound) && is_view(table) && sqlite3_stricmp(column, "rowid") == 0;
}

/* `view`: the view within which something is named; NULL where the statement itself names it. A common table may be named as a
 * view is, and then passes for one: what it reads in that disguise is what the view reads. */
static int authorize(void *ctx, int action, const char *first, const char *second, const char *schema, const char *view)
{
    struct query *query = ctx;
    bool ok = false;
    (void)schema;
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_RECURSIVE:
        ok = true;
        break;
    case SQLITE_READ:
        if (is_row_number(query, first, second))
            return SQLITE_IGNORE; /* NULL, as of a view */
        ok = is_view(first) || is_one_of(lists, first) || (is_one_of(beneath, first) && is_view(view));
        /* no column of it is read, as by count(*): a common table too, and one beneath a view without the view's name */
        if (!*second)
            ok = is_one_of(beneath, first) || !is_one_of((const char *const *)query->tables, first);
        break;
    case SQLITE_FUNCTION:
        ok = is_one_of(sql_functions, second) || (is_view(view) && sqlite3_stricmp(second, "text") == 0);
        break;
    default:
        break;
    }
    query->denied |= !ok;
    return ok ? SQLITE_OK : SQLITE_DENY;
}

/* The names of all tables, ended by NULL. */
static bool list_tables(struct store *s, struct arena *a, const char ***out, struct err *e)
{
    struct stmt *q = db_prepare(s->db,
        "SELECT name FROM sqlite_schema WHERE type = 'table' UNION VALUES ('sqlite_schema'), ('sqlite_master')", e);
    size_t n = 0, cap = 0;
    enum step step;
    *out = NULL;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        *out = arena_grow(a, *out, n, &cap, sizeof **out);
        (*out)[n++] = arena_strdup(a, take_bytes(q));
    }
    *out = arena_grow(a, *out, n, &cap, sizeof **out);
    (*out)[n] = NULL;
    return step == STEP_DONE;
}

/* ---- functions done anew ------------------------------------------------------------------------------------------------ */

static struct slice argument(sqlite3_value *value)
{
    const void *p = sqlite3_value_type(value) == SQLITE_BLOB ? sqlite3_value_blob(value) : sqlite3_value_text(value);
    return p ? slice_of(p, (size_t)sqlite3_value_bytes(value)) : slice_of("", 0);
}

static bool any_null(sqlite3_value **values, int n)
{
    for (int i = 0; i < n; i++)
        if (sqlite3_value_type(values[i]) == SQLITE_NULL)
            return true;
    return false;
}

static bool inside_character(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

static char fold(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

struct like {
    const char *p, *end;   /* the pattern */
    struct slice escape;   /* a character, or nothing */
    const struct query *query;
    uint64_t steps;
};

enum like_result { LIKE_NO, LIKE_YES, LIKE_LATE };

/* Goes back to the last % only: what was matched before it need not be matched otherwise. */
static enum like_result like(struct like *l, struct slice text)
{
    const char *p = l->p, *t = text.ptr, *end = text.ptr + text.len, *after_percent = NULL, *resume = NULL;
    while (t < end) {
        if (++l->steps % STEPS_PER_CLOCK == 0 && store_late(l->query->store, l->query->deadline_us))
            return LIKE_LATE;
        const char *q = p;
        bool literal = l->escape.len && (size_t)(l->end - p) >= l->escape.len && memcmp(p, l->escape.ptr, l->escape.len) == 0;
        if (literal)
            q += l->escape.len;
        if (q < l->end && !literal && *q == '%') {
            after_percent = p = q + 1;
            resume = t;
        } else if (q < l->end && !literal && *q == '_') {
            p = q + 1;
            do
                t++;
            while (t < end && inside_character(*t));
        } else if (q < l->end && fold(*q) == fold(*t)) {
            p = q + 1;
            t++;
        } else if (after_percent) {
            p = after_percent;
            do
                resume++;
            while (resume < end && inside_character(*resume));
            t = resume;
        } else {
            return LIKE_NO;
        }
    }
    while (p < l->end && *p == '%')
        p++;
    return p == l->end ? LIKE_YES : LIKE_NO;
}

static void end_late(sqlite3_context *context)
{
    struct query *query = sqlite3_user_data(context);
    query->late = true;
    sqlite3_result_error_code(context, SQLITE_INTERRUPT);
}

/* like(PATTERN, TEXT [, ESCAPE]), which is what TEXT LIKE PATTERN calls. */
static void sql_like(sqlite3_context *context, int n, sqlite3_value **values)
{
    struct query *query = sqlite3_user_data(context);
    if (any_null(values, n))
        return;
    struct slice pattern = argument(values[0]), text = argument(values[1]);
    struct like l = {.p = pattern.ptr, .end = pattern.ptr + pattern.len, .query = query};
    if (n == 3) {
        l.escape = argument(values[2]);
        size_t characters = 0;
        for (size_t i = 0; i < l.escape.len; i++)
            characters += !inside_character(l.escape.ptr[i]);
        if (characters != 1) {
            sqlite3_result_error(context, "ESCAPE expression must be a single character", -1);
            return;
        }
    }
    switch (like(&l, text)) {
    case LIKE_NO: sqlite3_result_int(context, 0); break;
    case LIKE_YES: sqlite3_result_int(context, 1); break;
    case LIKE_LATE: end_late(context); break;
    }
}

/* Where the second stands in the first, in characters from 1; of two blobs, in bytes. */
static void sql_instr(sqlite3_context *context, int n, sqlite3_value **values)
{
    if (any_null(values, n))
        return;
    bool bytes = sqlite3_value_type(values[0]) == SQLITE_BLOB && sqlite3_value_type(values[1]) == SQLITE_BLOB;
    struct slice text = argument(values[0]), sought = argument(values[1]);
    const char *found = sought.len ? memmem(text.ptr, text.len, sought.ptr, sought.len) : text.ptr;
    int64_t place = found ? 1 : 0;
    for (const char *p = text.ptr; p < found; p++)
        place += bytes || !inside_character(*p);
    sqlite3_result_int64(context, place);
}

/* The n-th of many places: is the query's time over? Then the function has ended. */
static bool late_at(sqlite3_context *context, size_t n)
{
    const struct query *query = sqlite3_user_data(context);
    bool late = n % PLACES_PER_CLOCK == 0 && store_late(query->store, query->deadline_us);
    if (late)
        end_late(context);
    return late;
}

static void sql_replace(sqlite3_context *context, int n, sqlite3_value **values)
{
    if (any_null(values, n))
        return;
    struct slice text = argument(values[0]), old = argument(values[1]), new = argument(values[2]);
    const char *end = text.ptr + text.len;
    size_t size = text.len, places = 0; /* size: of what comes out */
    for (const char *p = text.ptr; size <= SQL_VALUE_BYTES && old.len; p += old.len) {
        if (!(p = memmem(p, (size_t)(end - p), old.ptr, old.len)))
            break;
        size = size - old.len + new.len;
        if (late_at(context, ++places))
            return;
    }
    if (!places) {
        sqlite3_result_value(context, values[0]);
        return;
    }
    if (size > SQL_VALUE_BYTES) {
        sqlite3_result_error_toobig(context);
        return;
    }
    char *out = sqlite3_malloc64(size + 1), *q = out;
    if (!out) {
        sqlite3_result_error_nomem(context);
        return;
    }
    for (const char *p = text.ptr, *found;; p = found + old.len) {
        found = memmem(p, (size_t)(end - p), old.ptr, old.len);
        size_t before = (size_t)((found ? found : end) - p);
        memcpy(q, p, before);
        q += before;
        if (!found)
            break;
        memcpy(q, new.ptr, new.len);
        q += new.len;
        if (late_at(context, places--)) {
            sqlite3_free(out);
            return;
        }
    }
    sqlite3_result_text64(context, out, (sqlite3_uint64)(q - out), sqlite3_free, SQLITE_UTF8);
}

static void sql_refused(sqlite3_context *context, int n, sqlite3_value **values)
{
    (void)n;
    (void)values;
    sqlite3_result_error(context, "trim with two arguments is not allowed", -1);
}

/* ---- the walls ---------------------------------------------------------------------------------------------------------- */

static const struct { const char *name; int arguments; void (*call)(sqlite3_context *, int, sqlite3_value **); } own[] = {
    {"like", 2, sql_like}, {"like", 3, sql_like}, {"instr", 2, sql_instr}, {"replace", 3, sql_replace}, {"trim", 2, sql_refused},
    {"ltrim", 2, sql_refused}, {"rtrim", 2, sql_refused},
};

static bool add_functions(sqlite3 *raw, struct query *query, struct err *e)
{
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (sqlite3_create_function_v2(raw, own[i].name, own[i].arguments, SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, query, own[i].call,
                                       NULL, NULL, NULL) != SQLITE_OK)
            return err_set(e, ERR_INTERNAL, "the functions of SQL could not be registered");
    return true;
}

static int look_at_clock(void *ctx)
{
    struct query *query = ctx;
    query->late |= store_late(query->store, query->deadline_us);
    return query->late;
}

/* The limits of SQLite, as they are while a user's statement is there. */
static const struct { int what, value; } limits[] = {
    {SQLITE_LIMIT_LENGTH, SQL_VALUE_BYTES}, {SQLITE_LIMIT_SQL_LENGTH, SQL_TEXT_BYTES}, {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, SQL_TEXT_BYTES},
    {SQLITE_LIMIT_COLUMN, 500}, {SQLITE_LIMIT_EXPR_DEPTH, 200}, {SQLITE_LIMIT_COMPOUND_SELECT, 100},
    {SQLITE_LIMIT_VDBE_OP, 1000000}, {SQLITE_LIMIT_VARIABLE_NUMBER, 1000}, {SQLITE_LIMIT_ATTACHED, 0},
    {SQLITE_LIMIT_TRIGGER_DEPTH, 1}, {SQLITE_LIMIT_WORKER_THREADS, 0},
};
enum { LIMITS = sizeof limits / sizeof *limits };

static void set_limits(sqlite3 *raw, int before[LIMITS])
{
    for (int i = 0; i < LIMITS; i++) {
        int old = sqlite3_limit(raw, limits[i].what, limits[i].value);
        if (before)
            before[i] = old;
    }
}

/* Where whoever acts on the store asks. */
static bool choose_connection(struct store *s, struct err *e)
{
    struct query *query = s->query;
    if (!query) {
        if (!(query = calloc(1, sizeof *query)))
            abort();
        if (!add_functions(db_raw(s->db), query, e)) {
            free(query);
            return false;
        }
        s->query = query;
    }
    if (store_is_bound(s) && !query->bound) {
        struct bound *bound;
        if (!bound_open(s, &bound, e))
            return false;
        if (!add_functions(bound_raw(bound), query, e)) {
            bound_close(bound);
            return false;
        }
        set_limits(bound_raw(bound), NULL);
        query->bound = bound;
    }
    query->raw = store_is_bound(s) ? bound_raw(query->bound) : db_raw(s->db);
    return true;
}

void query_free(struct query *query)
{
    if (query)
        bound_close(query->bound);
    free(query);
}

/* SQLite's words, and where in the query it stopped, if it says. */
static bool refuse_at(sqlite3 *raw, struct slice query, struct err *e)
{
    int offset = sqlite3_error_offset(raw), line = 1, column = 1;
    if (offset < 0 || (size_t)offset > query.len)
        return err_set(e, ERR_USAGE, "%s", sqlite3_errmsg(raw));
    for (int i = 0; i < offset; i++) {
        line += query.ptr[i] == '\n';
        column = query.ptr[i] == '\n' ? 1 : column + !inside_character(query.ptr[i]);
    }
    return err_set(e, ERR_USAGE, "%s, at line %d, column %d", sqlite3_errmsg(raw), line, column);
}

/* Why a statement ended: of the walls, or SQLite's words. */
static bool refuse(struct store *s, struct slice query, const struct ration *ration, int rc, struct err *e)
{
    sqlite3 *raw = s->query->raw;
    if (s->query->late || ration->out_of_time)
        return err_set(e, ERR_LIMIT, "the query took too long and was ended; ask for less, or filter more");
    if (s->query->denied)
        return err_set(e, ERR_FORBIDDEN, "%s; only the documented views can be read, with SELECT", sqlite3_errmsg(raw));
    switch (rc & 0xff) {
    case SQLITE_NOMEM:
        return err_set(e, ERR_LIMIT, "the query needs more than %d MB of memory; ask for fewer or smaller rows", SQL_MEMORY_BYTES >> 20);
    case SQLITE_TOOBIG:
        return err_set(e, ERR_LIMIT, "the query is longer than %d KB, or makes a value larger than %d MB", SQL_TEXT_BYTES >> 10,
                       SQL_VALUE_BYTES >> 20);
    case SQLITE_CORRUPT:
        return err_set(e, ERR_IO, "the database is damaged; restore a backup");
    case SQLITE_IOERR:
        return err_set(e, ERR_IO, "%s", sqlite3_errmsg(raw));
    default:
        return refuse_at(raw, query, e);
    }
}

/* The table-valued functions of JSON declare themselves when they are first named, which the authorizer would refuse. */
static void declare_lists(sqlite3 *raw)
{
    sqlite3_stmt *q = NULL;
    sqlite3_prepare_v2(raw, "SELECT 1 FROM json_each('[]'), json_tree('[]')", -1, &q, NULL);
    sqlite3_finalize(q);
}

static bool compile(struct store *s, struct slice text, const struct ration *ration, sqlite3_stmt **out, struct err *e)
{
    sqlite3 *raw = s->query->raw;
    const char *rest = NULL;
    sqlite3_stmt *second = NULL;
    struct arena a = {0};
    declare_lists(raw);
    /* From the first thing read on, the transaction sees one state of the schema too: the statement is compiled but once. */
    if (!list_tables(s, &a, &s->query->tables, e)) {
        arena_free(&a);
        return false;
    }
    sqlite3_set_authorizer(raw, authorize, s->query);
    int rc = sqlite3_prepare_v2(raw, text.ptr, (int)text.len, out, &rest);
    bool ok = rc == SQLITE_OK || refuse(s, text, ration, rc, e);
    bool alone = ok && sqlite3_prepare_v2(raw, rest, (int)(text.ptr + text.len - rest), &second, NULL) == SQLITE_OK && !second;
    sqlite3_finalize(second);
    sqlite3_set_authorizer(raw, NULL, NULL); /* our own statements are compiled while this one runs, to read texts */
    arena_free(&a);
    if (!ok)
        return false;
    if (!*out)
        return err_set(e, ERR_USAGE, "there is no statement in the query");
    if (!sqlite3_stmt_readonly(*out) || !sqlite3_column_count(*out) || sqlite3_stmt_isexplain(*out))
        return err_set(e, ERR_FORBIDDEN, "only SELECT is allowed");
    return alone || err_set(e, ERR_USAGE, "the query holds more than one statement");
}

static bool bind_value(sqlite3_stmt *q, int i, const struct jvalue *v, struct err *e)
{
    int64_t n;
    double x;
    int rc = SQLITE_OK;
    switch (v->type) {
    case J_NULL: rc = sqlite3_bind_null(q, i); break;
    case J_FALSE:
    case J_TRUE: rc = sqlite3_bind_int(q, i, v->type == J_TRUE); break;
    case J_STRING: rc = sqlite3_bind_text64(q, i, v->text.ptr, v->text.len, SQLITE_TRANSIENT, SQLITE_UTF8); break;
    case J_NUMBER:
        if (jint(v, &n))
            rc = sqlite3_bind_int64(q, i, n);
        else if (jnum(v, &x))
            rc = sqlite3_bind_double(q, i, x);
        else
            return err_set(e, ERR_USAGE, "parameter %d is a number too large for SQL", i);
        break;
    case J_ARRAY:
    case J_OBJECT: return err_set(e, ERR_USAGE, "parameter %d is an array or an object; give it as text", i);
    }
    return rc == SQLITE_OK || err_set(e, ERR_LIMIT, "parameter %d is too large", i);
}

static bool bind_all(sqlite3_stmt *q, struct slice params, struct err *e)
{
    struct arena a = {0};
    struct jvalue *list = NULL;
    int wanted = sqlite3_bind_parameter_count(q), given = 0;
    bool ok = !params.ptr || (jread(&a, params, NULL, NULL, &list, e) &&
                              (jis(list, J_ARRAY) || err_set(e, ERR_USAGE, "params is no array")));
    if (ok && list)
        given = (int)list->n;
    if (ok && given != wanted)
        ok = err_set(e, ERR_USAGE, "the query has %d parameters, and params holds %d", wanted, given);
    for (int i = 0; ok && i < given; i++)
        ok = bind_value(q, i + 1, &list->items[i], e);
    arena_free(&a);
    return ok;
}

static void write_value(struct jsonw *j, sqlite3_stmt *q, int column)
{
    switch (sqlite3_column_type(q, column)) {
    case SQLITE_INTEGER: jsonw_int(j, sqlite3_column_int64(q, column)); break;
    case SQLITE_FLOAT: {
        double x = sqlite3_column_double(q, column); /* never NAN, which SQLite has as NULL */
        if (isinf(x))
            jsonw_strz(j, x < 0 ? "-Infinity" : "Infinity");
        else
            jsonw_num(j, x);
        break;
    }
    case SQLITE_NULL: jsonw_null(j); break;
    case SQLITE_BLOB: {
        size_t n = (size_t)sqlite3_column_bytes(q, column);
        char *hex = malloc(2 * n + 1);
        if (!hex)
            abort();
        hash_hex(sqlite3_column_blob(q, column), n, hex);
        jsonw_str(j, slice_of(hex, 2 * n));
        free(hex);
        break;
    }
    default: {
        const char *text = (const char *)sqlite3_column_text(q, column);
        jsonw_str(j, slice_of(text ? text : "", (size_t)sqlite3_column_bytes(q, column)));
    }
    }
}

static bool write_answer(struct store *s, struct slice query, sqlite3_stmt *q, const struct ration *ration, uint64_t limit, struct str *out,
                         struct err *e)
{
    struct jsonw j = jsonw_to(out);
    int columns = sqlite3_column_count(q), rc;
    jsonw_object(&j);
    jsonw_key(&j, "columns");
    jsonw_array(&j);
    for (int i = 0; i < columns; i++)
        jsonw_strz(&j, sqlite3_column_name(q, i));
    jsonw_end(&j);
    jsonw_key(&j, "rows");
    jsonw_array(&j);
    uint64_t rows = 0;
    bool truncated = false;
    while ((rc = sqlite3_step(q)) == SQLITE_ROW && !(truncated = limit && rows == limit)) {
        jsonw_array(&j);
        for (int i = 0; i < columns; i++)
            write_value(&j, q, i);
        jsonw_end(&j);
        rows++;
        if (out->full)
            return err_set(e, ERR_TOO_LARGE, "the answer is larger than %zu MB; ask for fewer rows", out->max >> 20);
    }
    jsonw_end(&j);
    jsonw_kbool(&j, "truncated", truncated);
    jsonw_end(&j);
    if (rc != SQLITE_DONE && rc != SQLITE_ROW)
        return refuse(s, query, ration, rc, e);
    return !out->full || err_set(e, ERR_TOO_LARGE, "the answer is larger than %zu MB; ask for fewer rows", out->max >> 20);
}

bool store_sql(struct store *s, struct slice query, struct slice params, uint64_t limit, int64_t deadline_us, struct str *out,
               struct err *e)
{
    if (query.len > SQL_TEXT_BYTES)
        return err_set(e, ERR_USAGE, "the query is longer than %d KB", SQL_TEXT_BYTES >> 10);
    if (query.len && memchr(query.ptr, '\0', query.len))
        return err_set(e, ERR_USAGE, "the query holds a NUL character");
    if (!db_read(s->db, e))
        return false;
    if (!choose_connection(s, e))
        return db_end(s->db, false, e);
    sqlite3 *const ours = db_raw(s->db), *const raw = s->query->raw;
    if (deadline_us == 0)
        deadline_us = clock_monotonic_us() + DEADLINE_US;
    *s->query = (struct query){.store = s, .bound = s->query->bound, .raw = raw, .deadline_us = deadline_us};
    struct ration ration = {.deadline_us = deadline_us, .bytes = SQL_MEMORY_BYTES};
    int before[LIMITS];
    set_limits(ours, before);
    sqlite3_progress_handler(ours, OPERATIONS_PER_CLOCK, look_at_clock, s->query);
    sqlite3_progress_handler(raw, OPERATIONS_PER_CLOCK, look_at_clock, s->query);
    ration_begin(&ration);

    size_t begun = out->len;
    sqlite3_stmt *q = NULL;
    bool ok = compile(s, query, &ration, &q, e) && bind_all(q, params, e) && write_answer(s, query, q, &ration, limit, out, e);
    sqlite3_finalize(q);
    if (raw != ours)
        bound_end(s->query->bound);
    if (!ok)
        out->len = begun;

    ration_end();
    db_break_off(s->db, s->stop); /* there is but one handler */
    for (int i = 0; i < LIMITS; i++)
        sqlite3_limit(ours, limits[i].what, before[i]);
    return db_end(s->db, ok, e);
}
