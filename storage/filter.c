#include "storage/sql.h"

/* The conditions that a filter puts on a row of a table, each " AND …". A list separated by commas means any of its words; an empty
 * word means rows that have none. */

bool filter_word(struct slice list, size_t *at, struct slice *word)
{
    if (*at > list.len)
        return false;
    const char *comma = list.len > *at ? memchr(list.ptr + *at, ',', list.len - *at) : NULL;
    size_t stop = comma ? (size_t)(comma - list.ptr) : list.len;
    *word = slice_sub(list, *at, stop - *at);
    *at = stop + 1;
    return true;
}

/* The same for names, which may hold a comma: at last the whole list, as one name. */
static bool next_name(struct slice list, size_t *at, struct slice *name)
{
    if (filter_word(list, at, name))
        return true;
    *name = list;
    return (*at)++ == list.len + 1 && list.len && memchr(list.ptr, ',', list.len);
}

static void add_texts(struct sql *q, const char *column, struct slice list)
{
    struct slice word;
    if (!list.ptr)
        return;
    const char *between = " AND (";
    for (size_t at = 0; next_name(list, &at, &word); between = " OR ") {
        sql_add(q, between);
        sql_add(q, column);
        if (word.len) {
            sql_add(q, " = ");
            sql_text(q, word);
        } else {
            sql_add(q, " IS NULL OR ");
            sql_add(q, column);
            sql_add(q, " = ''");
        }
    }
    sql_add(q, ")");
}

/* Words of an enumeration, read by `number`. */
static bool add_names(struct sql *q, const char *column, struct slice list, bool (*number)(struct slice word, int *out), struct err *e)
{
    struct slice word;
    int n;
    if (!list.ptr)
        return true;
    sql_add(q, " AND ");
    sql_add(q, column);
    const char *between = " IN (";
    for (size_t at = 0; filter_word(list, &at, &word); between = ", ") {
        if (!number(word, &n))
            return err_set(e, ERR_USAGE, "\"%.*s\" is no value of this filter", SLICE_ARG(word));
        sql_add(q, between);
        sql_int(q, n);
    }
    sql_add(q, ")");
    return true;
}

static bool kind_number(struct slice word, int *out)
{
    enum kind kind;
    return kind_parse(word, &kind) && (*out = (int)kind, true);
}

static bool severity_number(struct slice word, int *out)
{
    enum severity severity;
    return severity_parse(word, &severity) && (*out = (int)severity, true);
}

static bool scope_number(struct slice word, int *out)
{
    enum scope scope;
    return scope_parse(word, &scope) && (*out = (int)scope, true);
}

static bool status_number(struct slice word, int *out)
{
    enum finding_status status;
    return status_parse(word, &status) && (*out = (int)status, true);
}

/* A run's success as coalesce(success, 2), so that unknown is a number too. */
static bool success_number(struct slice word, int *out)
{
    *out = slice_is(word, "true") || slice_is(word, "1") ? 1 : slice_is(word, "false") || slice_is(word, "0") ? 0 : slice_is(word, "unknown") ? 2 : -1;
    return *out >= 0;
}

/* Each word stands somewhere in `text`, an SQL expression; ASCII case does not count. */
static void add_words(struct sql *q, const char *text, struct slice words)
{
    for (size_t at = 0; at < words.len;) {
        size_t stop = at;
        while (stop < words.len && words.ptr[stop] != ' ')
            stop++;
        if (stop > at) {
            sql_add(q, " AND instr(lower(");
            sql_add(q, text);
            sql_add(q, "), lower(");
            sql_text(q, slice_sub(words, at, stop - at));
            sql_add(q, "))");
        }
        at = stop + 1;
    }
}

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

/* metadata.KEY = value: the value as text, or as JSON (true, "x", 1.0). */
static bool add_metadata(struct sql *q, struct slice key, struct slice value, struct err *e)
{
    if (!key.len || memchr(key.ptr, '"', key.len) || memchr(key.ptr, '\0', key.len))
        return err_set(e, ERR_USAGE, "\"%.*s\" cannot be asked for as a key of metadata", SLICE_ARG(key));
    sql_add(q, " AND EXISTS (SELECT 1 FROM run_detail d WHERE d.run = r.n AND CASE WHEN json_valid(d.metadata) THEN ");
    sql_text(q, value);
    sql_add(q, " IN (CAST(d.metadata ->> ");
    sql_text(q, json_path(q->arena, key, false));
    sql_add(q, " AS TEXT)");
    if (memchr(key.ptr, '.', key.len)) { /* a path, if it is no key as it stands */
        sql_add(q, ", CAST(d.metadata ->> ");
        sql_text(q, json_path(q->arena, key, true));
        sql_add(q, " AS TEXT)");
    }
    if (value.len && strchr("tfn[{", value.ptr[0])) { /* perhaps true, null or a list, which ->> gives another face */
        sql_add(q, ", d.metadata -> ");
        sql_text(q, json_path(q->arena, key, false));
    }
    sql_add(q, ") END)");
    return true;
}

static void add_ids(struct sql *q, const char *column, const struct filter *f)
{
    if (!f->ids)
        return;
    sql_add(q, " AND ");
    sql_add(q, column);
    sql_add(q, " IN (''");
    for (size_t i = 0; i < f->nids; i++) {
        sql_add(q, ", ");
        sql_text(q, f->ids[i]);
    }
    sql_add(q, ")");
}

/* *n: the collection's key, or 0. */
static bool add_collection(struct store *s, struct sql *q, const char *column, const struct filter *f, int64_t *n, struct err *e)
{
    sql_add(q, " WHERE ");
    *n = 0;
    if (!f->collection.ptr) {
        sql_add(q, "1");
        return f->ids || f->run.ptr || f->anywhere || err_set(e, ERR_USAGE, "name a collection, or the ids of rows");
    }
    if (!collection_find(s, f->collection, n, e))
        return false;
    sql_add(q, column);
    sql_add(q, " = ");
    sql_int(q, *n);
    return true;
}

static bool asks_of_run(const struct filter *f)
{
    return f->model.ptr || f->agent.ptr || f->tag.ptr || f->success.ptr || f->exit_status.ptr || f->format.ptr || f->nmeta;
}

static bool asks_of_finding(const struct filter *f)
{
    return f->kind.ptr || f->behavior.ptr || f->detector.ptr || f->severity.ptr || f->status.ptr || f->scope.ptr || f->exception.ptr;
}

bool filter_is_open(const struct filter *f)
{
    return !asks_of_run(f) && !asks_of_finding(f) && !f->task.ptr && !f->run.ptr && !f->q.ptr && !f->ids && f->has_findings < 0;
}

/* Of run r, without its task. */
static bool add_run(struct sql *q, const struct filter *f, struct err *e)
{
    add_texts(q, "r.model", f->model);
    add_texts(q, "r.agent", f->agent);
    add_texts(q, "r.exit_status", f->exit_status);
    add_texts(q, "r.format", f->format);
    if (f->tag.ptr) {
        sql_add(q, " AND EXISTS (SELECT 1 FROM run_tag g WHERE g.run = r.n");
        add_texts(q, "g.tag", f->tag);
        sql_add(q, ")");
    }
    if (!add_names(q, "coalesce(r.success, 2)", f->success, success_number, e))
        return false;
    for (size_t i = 0; i < f->nmeta; i++)
        if (!add_metadata(q, f->meta[i].key, f->meta[i].value, e))
            return false;
    return true;
}

/* Of finding f. */
static bool add_finding(struct sql *q, const struct filter *f, struct err *e)
{
    add_texts(q, "f.behavior", f->behavior);
    add_texts(q, "f.detector", f->detector);
    add_texts(q, "(SELECT id FROM exception WHERE n = f.exception)", f->exception);
    return add_names(q, "f.kind", f->kind, kind_number, e) && add_names(q, "f.severity", f->severity, severity_number, e) &&
           add_names(q, "f.status", f->status, status_number, e) && add_names(q, "f.scope", f->scope, scope_number, e);
}

/* That the task of a row is one of those named; an empty name means rows without a task. */
static void add_task(struct sql *q, const char *column, int64_t collection, const struct filter *f)
{
    struct slice word;
    if (!f->task.ptr)
        return;
    const char *between = " AND (";
    for (size_t at = 0; next_name(f->task, &at, &word); between = " OR ") {
        sql_add(q, between);
        sql_add(q, column);
        if (!word.len) {
            sql_add(q, " IS NULL");
            continue;
        }
        sql_add(q, " IN (SELECT n FROM task WHERE task_id = ");
        sql_text(q, word);
        if (collection) {
            sql_add(q, " AND collection = ");
            sql_int(q, collection);
        }
        sql_add(q, ")");
    }
    sql_add(q, ")");
}

static void add_has_findings(struct sql *q, const char *counters, const struct filter *f)
{
    if (f->has_findings < 0)
        return;
    sql_add(q, " AND ");
    sql_add(q, counters);
    sql_add(q, f->has_findings ? " > 0" : " = 0");
}

bool filter_runs(struct store *s, struct sql *q, const struct filter *f, struct err *e)
{
    int64_t collection;
    sql_add(q, " FROM run r");
    if (!add_collection(s, q, "r.collection", f, &collection, e) || !add_run(q, f, e))
        return false;
    add_ids(q, "r.id", f);
    add_texts(q, "r.id", f->run);
    add_task(q, "r.task", collection, f);
    add_has_findings(q, "r.broken + r.odd + r.near + r.harness + r.data", f);
    if (f->q.len) {
        add_words(q, "coalesce(r.name, '') || ' ' || coalesce(r.external_id, '') || ' ' || coalesce(r.exit_status, '') || ' ' ||"
                     " coalesce((SELECT task_id FROM task WHERE n = r.task), '') || ' ' ||"
                     " coalesce((SELECT error FROM run_detail WHERE run = r.n), '')", f->q);
    }
    if (asks_of_finding(f)) {
        sql_add(q, " AND EXISTS (SELECT 1 FROM finding f WHERE f.run = r.n");
        if (!add_finding(q, f, e))
            return false;
        sql_add(q, ")");
    }
    return true;
}

bool filter_findings(struct store *s, struct sql *q, const struct filter *f, struct err *e)
{
    int64_t collection;
    bool run = asks_of_run(f) || f->run.ptr;
    sql_add(q, run ? " FROM finding f JOIN run r ON r.n = f.run" : " FROM finding f");
    if (!add_collection(s, q, "f.collection", f, &collection, e) || !add_finding(q, f, e) || (run && !add_run(q, f, e)))
        return false;
    add_ids(q, "f.id", f);
    add_task(q, "f.task", collection, f);
    if (run)
        add_texts(q, "r.id", f->run);
    if (f->q.len) {
        add_words(q, "coalesce(f.title, '') || ' ' || coalesce((SELECT task_id FROM task WHERE n = f.task), '') || ' ' ||"
                     " coalesce((SELECT coalesce(x.name, '') || ' ' || coalesce(x.external_id, '') || ' ' || coalesce(x.exit_status, '')"
                     " || ' ' || coalesce(d.error, '') FROM run x JOIN run_detail d ON d.run = x.n WHERE x.n = f.run), '')", f->q);
    }
    return true;
}

bool filter_tasks(struct store *s, struct sql *q, const struct filter *f, struct err *e)
{
    int64_t collection;
    sql_add(q, " FROM task t");
    if (!add_collection(s, q, "t.collection", f, &collection, e))
        return false;
    add_ids(q, "t.task_id", f);
    add_texts(q, "t.task_id", f->task);
    add_has_findings(q, "t.broken + t.odd + t.near + t.harness + t.data", f);
    if (asks_of_run(f)) {
        sql_add(q, " AND EXISTS (SELECT 1 FROM run r WHERE r.task = t.n");
        if (!add_run(q, f, e))
            return false;
        sql_add(q, ")");
    }
    if (asks_of_finding(f)) {
        sql_add(q, " AND EXISTS (SELECT 1 FROM finding f WHERE f.task = t.n");
        if (!add_finding(q, f, e))
            return false;
        sql_add(q, ")");
    }
    if (f->q.len)
        add_words(q, "t.task_id || ' ' || coalesce((SELECT group_concat(title, ' ') FROM finding WHERE task = t.n), '')", f->q);
    return true;
}
