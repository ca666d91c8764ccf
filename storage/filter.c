#include "storage/fields.h"

/* The conditions that a filter puts on a row of a table, each " AND …". A list separated by commas means any of its words (in names
 * "\," is a comma and "\\" a backslash); an empty word means rows that have none. */

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

/* Does a backslash stand there for the byte that follows? */
static bool escapes(struct slice list, size_t at)
{
    return at + 1 < list.len && list.ptr[at] == '\\' && (list.ptr[at + 1] == ',' || list.ptr[at + 1] == '\\');
}

static struct slice without_escapes(struct arena *a, struct slice text)
{
    char *copy = arena_alloc(a, text.len);
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        i += escapes(text, i);
        copy[n++] = text.ptr[i];
    }
    return slice_of(copy, n);
}

bool filter_name(struct arena *a, struct slice list, size_t *at, struct slice *name)
{
    bool escaped = false;
    size_t stop = *at;
    if (*at > list.len) {
        for (size_t i = 0; i < list.len; i++)
            escaped |= escapes(list, i);
        *name = list;
        return (*at)++ == list.len + 1 && !escaped && list.len && memchr(list.ptr, ',', list.len);
    }
    while (stop < list.len && list.ptr[stop] != ',') {
        bool two = escapes(list, stop);
        escaped |= two;
        stop += 1 + two;
    }
    *name = slice_sub(list, *at, stop - *at);
    if (escaped)
        *name = without_escapes(a, *name);
    *at = stop + 1;
    return true;
}

static void add_texts(struct sql *q, const char *column, struct slice list)
{
    struct slice word;
    bool none = false;
    if (!list.ptr)
        return;
    sql_add(q, " AND (");
    sql_add(q, column);
    const char *between = " IN ("; /* a chain of ORs would be deeper than SQL may be */
    for (size_t at = 0; filter_name(q->arena, list, &at, &word); between = ", ") {
        none |= !word.len;
        sql_add(q, between);
        sql_text(q, word);
    }
    sql_add(q, ")");
    if (none) {
        sql_add(q, " OR ");
        sql_add(q, column);
        sql_add(q, " IS NULL");
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

bool filter_kind(struct slice word, int *out)
{
    enum kind kind;
    return kind_parse(word, &kind) && (*out = (int)kind, true);
}

bool filter_severity(struct slice word, int *out)
{
    enum severity severity;
    return severity_parse(word, &severity) && (*out = (int)severity, true);
}

bool filter_scope(struct slice word, int *out)
{
    enum scope scope;
    return scope_parse(word, &scope) && (*out = (int)scope, true);
}

bool filter_status(struct slice word, int *out)
{
    enum finding_status status;
    return status_parse(word, &status) && (*out = (int)status, true);
}

/* A run's success as coalesce(success, 2), so that unknown is a number too. */
bool filter_success(struct slice word, int *out)
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
        if (store_is_bound(s)) {
            sql_add(q, " AND mine(");
            sql_add(q, column);
            sql_add(q, ")");
        }
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
    return f->model.ptr || f->agent.ptr || f->tag.ptr || f->success.ptr || f->exit_status.ptr || f->format.ptr ||
           f->attempt.ptr || f->stopped_by.ptr || f->nmeta || f->nscores || f->nranges;
}

static bool asks_of_finding(const struct filter *f)
{
    return f->kind.ptr || f->behavior.ptr || f->detector.ptr || f->severity.ptr || f->status.ptr || f->scope.ptr || f->exception.ptr;
}

bool filter_is_open(const struct filter *f)
{
    return !asks_of_run(f) && !asks_of_finding(f) && !f->task.ptr && !f->run.ptr && !f->q.ptr && !f->ids && f->has_findings < 0;
}

static bool add_range(struct store *s, struct sql *q, int64_t collection, const struct filter_pair *range, struct err *e)
{
    double low, high;
    if (!field_range(range->key, range->value, &low, &high, e) || !field_known(s, collection, range->key, e))
        return false;
    sql_add(q, " AND ");
    field_number(q, range->key);
    sql_add(q, " BETWEEN ");
    sql_value(q, &(struct value){.type = VALUE_REAL, .x = low});
    sql_add(q, " AND ");
    sql_value(q, &(struct value){.type = VALUE_REAL, .x = high});
    return true;
}

/* Of run r, without its task. */
static bool add_run(struct store *s, struct sql *q, int64_t collection, const struct filter *f, struct err *e)
{
    add_texts(q, "r.model", f->model);
    add_texts(q, "r.agent", f->agent);
    add_texts(q, "r.exit_status", f->exit_status);
    add_texts(q, "r.format", f->format);
    add_texts(q, "r.stopped_by", f->stopped_by);
    add_texts(q, "CAST(r.attempt AS TEXT)", f->attempt);
    if (f->tag.ptr) {
        sql_add(q, " AND EXISTS (SELECT 1 FROM run_tag g WHERE g.run = r.n");
        add_texts(q, "g.tag", f->tag);
        sql_add(q, ")");
    }
    if (!add_names(q, "coalesce(r.success, 2)", f->success, filter_success, e))
        return false;
    for (size_t i = 0; i < f->nmeta; i++) {
        if (!field_key(f->meta[i].key, e))
            return false;
        field_meta_is(q, f->meta[i].key, f->meta[i].value);
    }
    for (size_t i = 0; i < f->nscores; i++) {
        if (!field_key(f->scores[i].key, e) ||
            !field_known(s, collection, arena_printf(q->arena, "score.%.*s", SLICE_ARG(f->scores[i].key)), e))
            return false;
        field_score_is(q, f->scores[i].key, f->scores[i].value);
    }
    for (size_t i = 0; i < f->nranges; i++)
        if (!add_range(s, q, collection, &f->ranges[i], e))
            return false;
    return true;
}

/* Of finding f. */
static bool add_finding(struct sql *q, const struct filter *f, struct err *e)
{
    add_texts(q, "f.behavior", f->behavior);
    add_texts(q, "f.detector", f->detector);
    add_texts(q, "(SELECT id FROM exception WHERE n = f.exception)", f->exception);
    return add_names(q, "f.kind", f->kind, filter_kind, e) && add_names(q, "f.severity", f->severity, filter_severity, e) &&
           add_names(q, "f.status", f->status, filter_status, e) && add_names(q, "f.scope", f->scope, filter_scope, e);
}

/* That the task of a row is one of those named; an empty name means rows without a task. */
static void add_task(struct sql *q, const char *column, int64_t collection, const struct filter *f)
{
    struct slice word;
    if (!f->task.ptr)
        return;
    const char *between = " AND (";
    for (size_t at = 0; filter_name(q->arena, f->task, &at, &word); between = " OR ") {
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
    if (!add_collection(s, q, "r.collection", f, &collection, e) || !add_run(s, q, collection, f, e))
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
    if (!add_collection(s, q, "f.collection", f, &collection, e) || !add_finding(q, f, e) || (run && !add_run(s, q, collection, f, e)))
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
        if (!add_run(s, q, collection, f, e))
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
