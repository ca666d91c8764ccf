/* Reads the columns that a run's own row, its tags and its findings give. */
#include "storage/columns_in.h"

#include "storage/words.h"

#include "base/clock.h"

#include <math.h>
#include <stdlib.h>

enum how { NUMBER, TEXT, ATTEMPT, SUCCESS, TASK, TIME };

/* In the order of the statement in read_rows(). */
static const struct {
    const char *name;
    enum how how;
} fields[] = {
    {"imported", NUMBER}, {"place", NUMBER},  {"messages", NUMBER}, {"calls", NUMBER},      {"tokens", NUMBER},    {"cost", NUMBER},
    {"started_at", TIME}, {"ended_at", TIME},  {"attempt", ATTEMPT}, {"success", SUCCESS},   {"model", TEXT},       {"agent", TEXT},
    {"exit_status", TEXT}, {"stopped_by", TEXT}, {"format", TEXT},  {"task", TASK},
};
enum { FIELDS = sizeof fields / sizeof *fields };

static int by_key(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static bool read_keys(struct columns *c, struct store *s, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT count(*) FROM run WHERE collection = $1", e);
    bind_int(q, c->collection);
    if (stmt_step(q, e) != STEP_ROW)
        return false;
    size_t n = (size_t)take_int(q);
    stmt_reset(q);
    if (n >= UINT32_MAX)
        return err_set(e, ERR_TOO_LARGE, "the collection has %zu runs, which is more than can be listed", n);
    struct part *p = c->parts[PART_RUNS];
    p->keys = arena_alloc(&p->a, (n + 1) * sizeof *p->keys);
    q = db_prepare(s->db, "SELECT n FROM run WHERE collection = $1", e);
    bind_int(q, c->collection);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW)
        if (p->n < n)
            p->keys[p->n++] = take_int(q);
    if (p->n)
        qsort(p->keys, p->n, sizeof *p->keys, by_key);
    c->keys = p->keys; /* for columns_place() */
    c->n = p->n;
    return step == STEP_DONE;
}

/* The tasks of the collection: their keys in ascending order and the codes of their names. */
struct tasks {
    int64_t *keys;
    uint32_t *codes;
    size_t n;
};

static bool read_tasks(struct columns *c, struct store *s, struct arena *a, struct words *words, struct tasks *out, struct err *e)
{
    size_t cap = 0, codes_cap = 0;
    struct stmt *q = db_prepare(s->db, "SELECT n, task_id FROM task WHERE collection = $1 ORDER BY n", e);
    bind_int(q, c->collection);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        out->keys = arena_grow(a, out->keys, out->n, &cap, sizeof *out->keys);
        out->codes = arena_grow(a, out->codes, out->n, &codes_cap, sizeof *out->codes);
        out->keys[out->n] = take_int(q);
        out->codes[out->n++] = words_text(words, take_bytes(q));
    }
    return step == STEP_DONE;
}

static uint32_t task_code(const struct tasks *t, int64_t key)
{
    const int64_t *at = t->n ? bsearch(&key, t->keys, t->n, sizeof *t->keys, by_key) : NULL;
    return at ? t->codes[at - t->keys] : 0;
}

static double time_ms(struct slice text)
{
    int64_t us;
    return text.ptr && clock_parse(text, &us) ? (double)us / 1000 : NAN;
}

static bool read_rows(struct columns *c, struct store *s, struct column *columns[FIELDS], struct words words[FIELDS], const struct tasks *tasks,
                      struct err *e)
{
    static const char *const outcome[] = {"false", "true"};
    size_t hint = 0;
    struct stmt *q = db_prepare(s->db,
        "SELECT n, imported, place, messages, calls, coalesce(tokens_in + tokens_out, tokens_in, tokens_out),"
        " cost_usd, started_at, ended_at, attempt, success, model, agent, exit_status, stopped_by, format, coalesce(task, 0)"
        " FROM run WHERE collection = $1", e);
    bind_int(q, c->collection);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        size_t run = columns_place(c, take_int(q), &hint);
        if (run == SIZE_MAX)
            continue;
        for (size_t i = 0; i < FIELDS; i++) {
            int64_t n;
            switch (fields[i].how) {
            case NUMBER:
                columns[i]->x[run] = take_real(q);
                break;
            case TIME:
                columns[i]->x[run] = time_ms(take_bytes(q));
                break;
            case ATTEMPT:
                columns[i]->codes[run] = words_number(&words[i], take_real(q));
                break;
            case SUCCESS:
                n = take_count(q);
                columns[i]->codes[run] = words_text(&words[i], n == 0 || n == 1 ? slice_str(outcome[n]) : SLICE_NONE);
                break;
            case TEXT:
                columns[i]->codes[run] = words_text(&words[i], take_bytes(q));
                break;
            case TASK:
                columns[i]->codes[run] = task_code(tasks, take_int(q));
                break;
            }
        }
    }
    return step == STEP_DONE;
}

static void count_runs(const struct columns *c, struct column *column)
{
    column->runs = 0;
    for (size_t i = 0; i < c->n; i++)
        column->runs += column->x ? !isnan(column->x[i]) : column->starts ? column->starts[i + 1] > column->starts[i] : column->codes[i] != 0;
}

static void add_durations(struct columns *c)
{
    struct part *p = c->parts[PART_RUNS];
    const struct column *from = columns_find(p, slice_str("started_at")), *to = columns_find(p, slice_str("ended_at"));
    struct column *seconds = columns_add(p, slice_str("duration"));
    seconds->type = TYPE_NUMBER;
    seconds->x = arena_alloc(&p->a, (c->n + 1) * sizeof *seconds->x);
    for (size_t i = 0; i < c->n; i++)
        seconds->x[i] = round(to->x[i] - from->x[i]) / 1000;
    count_runs(c, seconds);
}

bool columns_load_runs(struct columns *c, struct store *s, struct err *e)
{
    struct part *p = c->parts[PART_RUNS];
    struct column *columns[FIELDS];
    struct words words[FIELDS] = {{0}};
    struct arena scratch = {0};
    struct tasks tasks = {0};
    if (!read_keys(c, s, e))
        return false;
    p->none.codes = arena_array(&p->a, uint32_t, c->n + 1);
    p->none.words = arena_array(&p->a, struct slice, 1);
    p->none.numbers = arena_array(&p->a, double, 1);
    size_t task = FIELDS;
    for (size_t i = 0; i < FIELDS; i++) {
        columns[i] = columns_add(p, slice_str(fields[i].name));
        words[i].a = &p->a;
        if (fields[i].how == NUMBER || fields[i].how == TIME) {
            columns[i]->type = fields[i].how == TIME ? TYPE_TIME : TYPE_NUMBER;
            columns[i]->x = arena_array(&p->a, double, c->n + 1);
        } else {
            columns[i]->codes = arena_array(&p->a, uint32_t, c->n + 1);
        }
        if (fields[i].how == TASK)
            task = i;
    }
    bool ok = read_tasks(c, s, &scratch, &words[task], &tasks, e) && read_rows(c, s, columns, words, &tasks, e);
    for (size_t i = 0; i < FIELDS; i++) {
        if (columns[i]->codes)
            words_end(&words[i], columns[i]->codes, c->n, columns[i]);
        if (fields[i].how == SUCCESS)
            columns[i]->type = TYPE_BOOL;
        else if (fields[i].how == TEXT || fields[i].how == TASK)
            columns[i]->type = TYPE_TEXT;
        count_runs(c, columns[i]);
    }
    add_durations(c);
    arena_free(&scratch);
    return ok;
}

bool columns_load_names(struct columns *c, struct store *s, struct slice name, struct err *e)
{
    struct part *p = c->parts[PART_RUNS];
    struct words words = {.a = &p->a};
    uint32_t *codes = arena_array(&p->a, uint32_t, c->n + 1);
    size_t hint = 0;
    struct stmt *q = db_prepare(s->db, slice_is(name, "id") ? "SELECT n, id FROM run WHERE collection = $1"
                                                            : "SELECT n, coalesce(name, external_id) FROM run WHERE collection = $1", e);
    bind_int(q, c->collection);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        size_t run = columns_place(c, take_int(q), &hint);
        if (run != SIZE_MAX)
            codes[run] = words_text(&words, take_bytes(q));
    }
    if (step != STEP_DONE) {
        arena_free(&words.table);
        return false;
    }
    struct column *column = columns_add(p, name);
    words_end(&words, codes, c->n, column);
    column->type = TYPE_TEXT;
    count_runs(c, column);
    return true;
}

/* ---- what a run may have several of --------------------------------------------------------------------------------------- */

/* Entries as they come, to be ordered by run. */
struct entry { uint32_t run, word, other; uint8_t kind, severity, status; };
struct entries {
    struct entry *items;
    size_t n, cap;
};

static void entry_add(struct arena *a, struct entries *list, struct entry entry)
{
    list->items = arena_grow(a, list->items, list->n, &list->cap, sizeof *list->items);
    list->items[list->n++] = entry;
}

/* Where each run's entries begin, and (order[i]) which entry comes at each place. */
static uint32_t *start_entries(const struct columns *c, struct part *p, struct arena *scratch, const struct entries *list, uint32_t **order)
{
    uint32_t *starts = arena_array(&p->a, uint32_t, c->n + 2);
    *order = arena_array(scratch, uint32_t, list->n + 1);
    for (size_t i = 0; i < list->n; i++)
        starts[list->items[i].run + 2]++;
    for (size_t i = 2; i < c->n + 2; i++)
        starts[i] += starts[i - 1];
    for (size_t i = 0; i < list->n; i++)
        (*order)[starts[list->items[i].run + 1]++] = (uint32_t)i;
    return starts;
}

bool columns_load_tags(struct columns *c, struct store *s, struct err *e)
{
    struct part *p = c->parts[PART_TAGS];
    struct arena scratch = {0};
    struct entries list = {0};
    struct words words = {.a = &p->a};
    uint32_t *order;
    size_t hint = 0;
    /* In one sweep: what lies between the runs of the collection and is of another has no place in it. */
    struct stmt *q = db_prepare(s->db, "SELECT run, tag FROM run_tag WHERE run BETWEEN $1 AND $2", e);
    bind_int(q, c->n ? c->keys[0] : 1);
    bind_int(q, c->n ? c->keys[c->n - 1] : 0);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        size_t run = columns_place(c, take_int(q), &hint);
        if (run != SIZE_MAX)
            entry_add(&scratch, &list, (struct entry){.run = (uint32_t)run, .word = words_text(&words, take_bytes(q))});
    }
    if (step != STEP_DONE) {
        arena_free(&words.table);
        arena_free(&scratch);
        return false;
    }
    struct column *tags = columns_add(p, slice_str("tag"));
    tags->starts = start_entries(c, p, &scratch, &list, &order);
    uint32_t *codes = arena_array(&p->a, uint32_t, list.n + 1);
    for (size_t i = 0; i < list.n; i++)
        codes[i] = list.items[order[i]].word;
    words_end(&words, codes, list.n, tags);
    tags->type = TYPE_TEXT;
    count_runs(c, tags);
    arena_free(&scratch);
    return true;
}

static void add_found(const struct columns *c, struct part *p, const char *name, struct words *words, uint32_t *codes, size_t n)
{
    struct column *column = columns_add(p, slice_str(name));
    words_end(words, codes, n, column);
    column->type = TYPE_TEXT;
    column->starts = p->found.starts;
    count_runs(c, column);
}

/* How many of a run's findings are not dismissed. */
static void add_numbers(const struct columns *c, struct part *p)
{
    struct column *numbers = columns_add(p, slice_str("findings"));
    numbers->type = TYPE_NUMBER;
    numbers->x = arena_array(&p->a, double, c->n + 1);
    for (size_t i = 0; i < c->n; i++)
        for (uint32_t k = p->found.starts[i]; k < p->found.starts[i + 1]; k++)
            numbers->x[i] += p->found.status[k] != STATUS_DISMISSED;
    count_runs(c, numbers);
}

bool columns_load_found(struct columns *c, struct store *s, struct err *e)
{
    struct part *p = c->parts[PART_FOUND];
    struct arena scratch = {0};
    struct entries list = {0};
    struct words behavior_words = {.a = &p->a}, detector_words = {.a = &p->a}, kind_words = {.a = &p->a};
    struct found *found = &p->found;
    uint32_t *order;
    size_t hint = 0;
    struct stmt *q = db_prepare(s->db, "SELECT run, behavior, detector, kind, severity, status FROM finding WHERE collection = $1 AND run IS NOT NULL", e);
    bind_int(q, c->collection);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        size_t run = columns_place(c, take_int(q), &hint);
        if (run == SIZE_MAX)
            continue;
        struct entry entry = {.run = (uint32_t)run};
        entry.word = words_text(&behavior_words, take_bytes(q));
        entry.other = words_text(&detector_words, take_bytes(q));
        entry.kind = (uint8_t)take_int(q);
        entry.severity = (uint8_t)take_int(q);
        entry.status = (uint8_t)take_int(q);
        entry_add(&scratch, &list, entry);
    }
    if (step != STEP_DONE) {
        arena_free(&behavior_words.table);
        arena_free(&detector_words.table);
        arena_free(&scratch);
        return false;
    }
    found->starts = start_entries(c, p, &scratch, &list, &order);
    found->behavior = arena_array(&p->a, uint32_t, list.n + 1);
    found->detector = arena_array(&p->a, uint32_t, list.n + 1);
    found->kind = arena_array(&p->a, uint8_t, list.n + 1);
    found->severity = arena_array(&p->a, uint8_t, list.n + 1);
    found->status = arena_array(&p->a, uint8_t, list.n + 1);
    uint32_t *kind_codes = arena_array(&p->a, uint32_t, list.n + 1);
    for (size_t i = 0; i < list.n; i++) {
        const struct entry *entry = &list.items[order[i]];
        found->behavior[i] = entry->word;
        found->detector[i] = entry->other;
        found->kind[i] = entry->kind;
        found->severity[i] = entry->severity;
        found->status[i] = entry->status;
        kind_codes[i] = words_text(&kind_words, slice_str(kind_name((enum kind)entry->kind)));
    }
    add_found(c, p, "behavior", &behavior_words, found->behavior, list.n);
    add_found(c, p, "detector", &detector_words, found->detector, list.n);
    add_found(c, p, "kind", &kind_words, kind_codes, list.n);
    add_numbers(c, p);
    arena_free(&scratch);
    return true;
}
