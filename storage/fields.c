#include "storage/fields.h"

#include "base/clock.h"

#include <math.h>
#include <stdlib.h>

/* The fields that are numbers or times of themselves. */
static const struct {
    const char *name, *sql;
    bool time;
} numbers[] = {
    {"messages", "r.messages", false},
    {"calls", "r.calls", false},
    {"tokens", "coalesce(r.tokens_in + r.tokens_out, r.tokens_in, r.tokens_out)", false},
    {"cost", "r.cost_usd", false},
    {"duration", "round((julianday(r.ended_at) - julianday(r.started_at)) * 86400, 3)", false},
    {"findings", "r.broken + r.odd + r.near + r.harness + r.data", false},
    {"attempt", "r.attempt", false},
    {"started_at", "round((julianday(r.started_at) - 2440587.5) * 86400000)", true},
    {"ended_at", "round((julianday(r.ended_at) - 2440587.5) * 86400000)", true},
};
enum { NUMBERS = sizeof numbers / sizeof *numbers };

/* ---- ranges ---------------------------------------------------------------------------------------------------------- */

static bool read_number(struct slice text, double *out)
{
    char copy[64], *end;
    if (!text.len || text.len >= sizeof copy)
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = 0;
    *out = strtod(copy, &end);
    return end == copy + text.len && isfinite(*out);
}

/* `last`: of a date without a time its last millisecond. */
static bool read_time(struct slice text, bool last, double *out)
{
    enum { DATE = 10, DAY_MS = 86400000 };
    struct arena a = {0};
    bool date = text.len == DATE;
    struct slice normal;
    int64_t us;
    bool ok = clock_normalize(&a, date ? arena_printf(&a, "%.*sT00:00:00Z", SLICE_ARG(text)) : text, &normal) && clock_parse(normal, &us);
    if (ok)
        *out = (double)us / 1000 + (date && last ? DAY_MS - 1 : 0);
    arena_free(&a);
    return ok;
}

/* A score or a key of metadata: what there is stands in the runs. */
static bool named_by_runs(struct slice field)
{
    return slice_is(field, "score") || slice_is(field, "meta") || slice_starts(field, "score.") || slice_starts(field, "meta.");
}

bool field_range(struct slice field, struct slice range, double *low, double *high, struct err *e)
{
    size_t i = 0;
    while (i < NUMBERS && !slice_is(field, numbers[i].name))
        i++;
    if (i == NUMBERS && !named_by_runs(field))
        return err_set(e, ERR_USAGE, "\"%.*s\" has no range; there are messages, calls, tokens, cost, duration, findings, attempt, started_at,"
                                     " ended_at, score.NAME and meta.KEY", SLICE_ARG(slice_cut(field, 100)));
    bool time = i < NUMBERS && numbers[i].time;
    ptrdiff_t dots = slice_find(range, slice_str(".."));
    struct slice from = slice_sub(range, 0, dots < 0 ? 0 : (size_t)dots), to = slice_sub(range, dots < 0 ? 0 : (size_t)dots + 2, range.len);
    *low = -INFINITY;
    *high = INFINITY;
    if (dots < 0 || (from.len && !(time ? read_time(from, false, low) : read_number(from, low))) ||
        (to.len && !(time ? read_time(to, true, high) : read_number(to, high))))
        return err_set(e, ERR_USAGE, "a range of %.*s is LOW..HIGH in %s, either end may be missing; not \"%.*s\"", SLICE_ARG(slice_cut(field, 100)),
                       time ? "times such as 2026-01-31 or 2026-01-31T12:00:00Z" : "numbers", SLICE_ARG(slice_cut(range, 100)));
    return true;
}

bool field_key(struct slice key, struct err *e)
{
    return (key.len && !memchr(key.ptr, '"', key.len) && !memchr(key.ptr, '\0', key.len)) ||
           err_set(e, ERR_USAGE, "\"%.*s\" cannot be asked for as the name of a score or a key of metadata", SLICE_ARG(slice_cut(key, 100)));
}

/* ---- SQL ------------------------------------------------------------------------------------------------------------- */

/* A path of JSON names for json_extract: the whole key as one name, or each of its dotted parts. */
static struct slice json_path(struct arena *a, struct slice key, bool dotted)
{
    struct str path = STR_INIT(1 << 16);
    str_addz(&path, "$.\"");
    for (size_t i = 0; i < key.len; i++)
        if (dotted && key.ptr[i] == '.')
            str_addz(&path, "\".\"");
        else
            str_addc(&path, key.ptr[i]);
    str_addz(&path, "\"");
    struct slice copy = arena_dup(a, str_slice(&path));
    str_free(&path);
    return copy;
}

/* The number in the JSON text `value` (an SQL expression) at `path`, bools as 0 and 1. */
static void add_json_number(struct sql *q, const char *value, struct slice path)
{
    sql_add(q, "CASE WHEN json_valid(");
    sql_add(q, value);
    sql_add(q, ") AND json_type(");
    sql_add(q, value);
    sql_add(q, ", ");
    sql_text(q, path);
    sql_add(q, ") IN ('integer', 'real', 'true', 'false') THEN ");
    sql_add(q, value);
    sql_add(q, " ->> ");
    sql_text(q, path);
    sql_add(q, " END");
}

#define FIRST_SCORE "FROM score s WHERE s.id BETWEEN r.n << 26 AND r.n << 26 | 67108863 AND s.name = "

void field_number(struct sql *q, struct slice field)
{
    for (size_t i = 0; i < NUMBERS; i++)
        if (slice_is(field, numbers[i].name)) {
            sql_add(q, numbers[i].sql);
            return;
        }
    if (slice_starts(field, "score.")) {
        sql_add(q, "(SELECT ");
        add_json_number(q, "s.value", slice_str("$"));
        sql_add(q, " " FIRST_SCORE);
        sql_text(q, slice_sub(field, strlen("score."), field.len));
        sql_add(q, " ORDER BY s.id LIMIT 1)");
        return;
    }
    struct slice key = slice_sub(field, strlen("meta."), field.len);
    sql_add(q, "(SELECT coalesce(");
    add_json_number(q, "d.metadata", json_path(q->arena, key, false));
    sql_add(q, ", ");
    add_json_number(q, "d.metadata", json_path(q->arena, key, true));
    sql_add(q, ") FROM run_detail d WHERE d.run = r.n)");
}

static void add_at(struct sql *q, const char *before, const char *value, const char *arrow, struct slice path)
{
    sql_add(q, before);
    sql_add(q, value);
    sql_add(q, arrow);
    sql_text(q, path);
}

/* The value at a path is the word: as text, as JSON (true, null, a list), or as the number that both are. */
static void add_json_word(struct sql *q, const char *value, struct slice path, struct slice word)
{
    double number;
    add_at(q, "CASE json_type(", value, ", ", path);
    add_at(q, ") WHEN 'text' THEN ", value, " ->> ", path);
    sql_add(q, " = ");
    sql_text(q, word);
    if (read_number(word, &number))
        for (int real = 0; real < 2; real++) {
            add_at(q, real ? " WHEN 'real' THEN " : " WHEN 'integer' THEN ", value, " ->> ", path);
            sql_add(q, " = ");
            sql_value(q, &(struct value){.type = VALUE_REAL, .x = number});
        }
    add_at(q, " ELSE ", value, " -> ", path);
    sql_add(q, " = ");
    sql_text(q, word);
    sql_add(q, " END");
}

/* The value at a path is one of the words. An empty word: there is none, or it is empty, or an object, whose members have names of their own. */
static void add_json_is(struct sql *q, const char *value, struct slice path, struct slice words)
{
    struct slice word;
    const char *between = "(";
    for (size_t at = 0; filter_name(q->arena, words, &at, &word); between = " OR ") {
        sql_add(q, between);
        if (word.len) {
            add_json_word(q, value, path, word);
            continue;
        }
        add_at(q, "coalesce(", value, " ->> ", path);
        add_at(q, ", '') = '' OR json_type(", value, ", ", path);
        sql_add(q, ") = 'object'");
    }
    sql_add(q, ")");
}

void field_meta_is(struct sql *q, struct slice key, struct slice words)
{
    sql_add(q, " AND EXISTS (SELECT 1 FROM run_detail d WHERE d.run = r.n AND CASE WHEN json_valid(coalesce(d.metadata, '{}')) THEN ");
    add_json_is(q, "coalesce(d.metadata, '{}')", json_path(q->arena, key, false), words);
    if (memchr(key.ptr, '.', key.len)) { /* a path, if it is no key as it stands */
        sql_add(q, " OR ");
        add_json_is(q, "coalesce(d.metadata, '{}')", json_path(q->arena, key, true), words);
    }
    sql_add(q, " END)");
}

void field_score_is(struct sql *q, struct slice name, struct slice words)
{
    struct slice word;
    bool none = false;
    for (size_t at = 0; filter_name(q->arena, words, &at, &word);)
        none |= !word.len;
    sql_add(q, " AND coalesce((SELECT CASE WHEN json_valid(s.value) THEN ");
    add_json_is(q, "s.value", slice_str("$"), words);
    sql_add(q, " ELSE 0 END " FIRST_SCORE);
    sql_text(q, name);
    sql_add(q, none ? " ORDER BY s.id LIMIT 1), 1)" : " ORDER BY s.id LIMIT 1), 0)");
}

/* ---- names that stand in the runs -------------------------------------------------------------------------------------- */

static void add_source(struct sql *q, bool score, int64_t collection, const char *keys)
{
    sql_add(q, score ? " FROM run r CROSS JOIN score s ON s.id BETWEEN r.n << 26 AND r.n << 26 | 67108863"
                     : " FROM run r CROSS JOIN run_detail d ON d.run = r.n AND json_valid(d.metadata)");
    sql_add(q, keys);
    sql_add(q, " WHERE true");
    if (collection) {
        sql_add(q, " AND r.collection = ");
        sql_int(q, collection);
    }
}

/* Says which names there are, the first few of them. */
static bool refuse_name(struct store *s, struct arena *a, int64_t collection, bool score, struct slice name, struct err *e)
{
    enum { NAMED = 8 };
    struct sql q = sql_new(a);
    struct str names = STR_INIT(400);
    sql_add(&q, score ? "SELECT DISTINCT s.name" : "SELECT DISTINCT k.key");
    add_source(&q, score, collection, score ? "" : ", json_each(d.metadata) k");
    sql_add(&q, score ? " AND s.name IS NOT NULL ORDER BY 1" : " ORDER BY 1");
    struct stmt *rows = sql_prepare(&q, s->db, e);
    enum step step;
    size_t n = 0;
    while ((step = stmt_step(rows, e)) == STEP_ROW && n++ < NAMED) {
        str_addz(&names, n > 1 ? ", " : "");
        str_add_slice(&names, slice_cut(take_bytes(rows), 40));
    }
    if (step == STEP_ROW) {
        str_addz(&names, ", …");
        stmt_reset(rows);
    }
    if (step != STEP_ROW && step != STEP_DONE) {
        str_free(&names);
        return false;
    }
    const char *what = score ? "score" : "key of metadata";
    if (!n)
        err_set(e, ERR_USAGE, "no run here has a %s", what);
    else if (name.len)
        err_set(e, ERR_USAGE, "no run here has a %s \"%.*s\"; there are %.*s", what, SLICE_ARG(slice_cut(name, 60)), SLICE_ARG(str_slice(&names)));
    else
        err_set(e, ERR_USAGE, "a range of a %s is range.%s.NAME; there are %.*s", what, score ? "score" : "meta", SLICE_ARG(str_slice(&names)));
    str_free(&names);
    return false;
}

bool field_known(struct store *s, int64_t collection, struct slice field, struct err *e)
{
    if (!named_by_runs(field))
        return true;
    bool score = field.ptr[0] == 's';
    struct slice name = slice_sub(field, score ? strlen("score.") : strlen("meta."), field.len);
    struct arena a = {0};
    bool known = false, ok = true;
    if (name.len) {
        struct sql q = sql_new(&a);
        sql_add(&q, "SELECT 1");
        add_source(&q, score, collection, "");
        if (score) {
            sql_add(&q, " AND s.name = ");
            sql_text(&q, name);
        } else {
            add_at(&q, " AND coalesce(json_type(", "d.metadata", ", ", json_path(&a, name, false));
            add_at(&q, "), json_type(", "d.metadata", ", ", json_path(&a, name, true));
            sql_add(&q, ")) IS NOT NULL");
        }
        sql_add(&q, " LIMIT 1");
        struct stmt *rows = sql_prepare(&q, s->db, e);
        enum step step = stmt_step(rows, e);
        known = step == STEP_ROW;
        ok = known || step == STEP_DONE;
        if (known)
            stmt_reset(rows);
    }
    ok = ok && (known || refuse_name(s, &a, collection, score, name, e));
    arena_free(&a);
    return ok;
}
