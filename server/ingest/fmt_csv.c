/* Tables: CSV (RFC 4180), Excel's with semicolons, TSV; with a row of names. A row is a message, where columns say who speaks and what is said;
 * else a run, where columns hold what was asked and answered, or messages as JSON (fmt_csv_header.c: which column is what).
 *
 * Rows of messages belong to the run that their run column names, else their task's, else all to one; they need not stand together: runs stay
 * open until the end of the file, or until the open ones take HELD_BYTES, when all but the last are ended. What a run's rows say of the
 * run (its task, its score) is taken from the first row that says it; another that says something else keeps it in its message. */
#include "ingest/fmt_csv.h"

#include "base/map.h"

#include <math.h>
#include <stdlib.h>

#define ROW_BYTES ((size_t)512 << 20)
enum {
    HELD_BYTES = 256 << 20,
    RUN_BYTES = 512 << 20, /* of one run: rows of a few bytes make messages of a kilobyte */
};

/* ---- probe -------------------------------------------------------------------------------------------------------------- */

/* A column of that name may count messages as well as hold them: the first row tells. */
static bool holds_messages(struct csv_reader *r, const struct csv_table *table, struct slice rows)
{
    size_t used, column = 0;
    bool open;
    while (column < table->n && table->fields[column] != CSV_MESSAGES)
        column++;
    csv_drop_row(r);
    if (column == table->n || !(csv_read(r, rows, &used) || csv_read_end(r, &open)))
        return true;
    struct slice cell = slice_trim(csv_at(r, column));
    return !cell.len || cell.ptr[0] == '[';
}

static int probe(const struct sample *sample)
{
    struct slice text = sample->text && sample->n ? jstr(sample->records[0].value) : SLICE_NONE, map = sample->n ? sample->records[0].map : SLICE_NONE;
    size_t begin, used = 0;
    struct arena a = {0};
    struct csv_table table;
    char delimiter = text.len ? csv_delimiter(text, &begin) : 0;
    if (!text.len || (!delimiter && !map.len))
        return 0;
    struct csv_reader r = csv_reader(delimiter ? delimiter : ',', text.len + 1);
    struct slice rows = slice_sub(text, begin, text.len);
    bool open, ok = (csv_read(&r, rows, &used) || csv_read_end(&r, &open)) && csv_read_header(&a, &r, map, &table, NULL) &&
              (map.len || holds_messages(&r, &table, slice_sub(rows, used, rows.len)));
    csv_reader_free(&r);
    arena_free(&a);
    /* Where --map names a column that a table does not have, that is better said than that it is no transcript. */
    return ok || (map.len && csv_is_table(text)) ? 90 : 0;
}

/* ---- cells -------------------------------------------------------------------------------------------------------------- */

static struct jvalue text_value(struct slice text)
{
    return (struct jvalue){.type = J_STRING, .text = text, .repaired = true}; /* it has no JSON of its own */
}

/* A number, true or false (as Python writes them too), else the text. */
static struct jvalue cell_value(struct arena *a, struct slice text)
{
    struct jvalue *v;
    struct slice word = slice_trim(text);
    if (slice_eq_nocase(word, slice_str("true")) || slice_eq_nocase(word, slice_str("false")))
        word = slice_str(word.len == 4 ? "true" : "false");
    if (word.len && word.len < 40 && jread(a, word, NULL, NULL, &v, NULL) && !v->repaired &&
        (v->type == J_NUMBER || v->type == J_TRUE || v->type == J_FALSE))
        return *v;
    return text_value(text);
}

/* ---- runs --------------------------------------------------------------------------------------------------------------- */

struct open_run {
    unsigned char hash[HASH_SIZE]; /* of what names it, where rows are messages */
    struct arena *a;
    struct run *run;
    struct messages list;
    struct slice *said;        /* by column of of_run: what its rows said of the run */
    bool full;                 /* RUN_BYTES are reached, and it was said */
};

struct file_state {
    struct arena a;            /* of the table */
    struct csv_table table;
    struct csv_reader rows;
    bool begun, given_up;      /* given_up: the columns are not what --map says */
    uint64_t line;             /* of the header, less one */
    struct open_run *runs;     /* in the order of their first rows */
    size_t n, cap;
    size_t held;               /* bytes of their arenas */
    struct map index;          /* by hash: place in runs + 1 */
    struct arena keys;         /* of the index */
};

/* What the k-th of the columns that speak of the run is. */
static enum csv_field field_of(const struct csv_table *t, size_t k) { return t->fields[t->of_run[k]]; }

static struct slice said(const struct file_state *s, const struct open_run *r, enum csv_field field)
{
    for (size_t k = 0; k < s->table.nof_run; k++)
        if (field_of(&s->table, k) == field && r->said[k].len)
            return r->said[k];
    return SLICE_NONE;
}

/* The name of the column; absent: there is none. */
static struct slice column_of(const struct file_state *s, enum csv_field field)
{
    for (size_t k = 0; k < s->table.nof_run; k++)
        if (field_of(&s->table, k) == field)
            return s->table.names[s->table.of_run[k]];
    return SLICE_NONE;
}

static struct slice row_place(const struct file_state *s, struct arena *a)
{
    uint64_t line = s->rows.first + s->line;
    return arena_printf(a, "line %llu", (unsigned long long)line);
}

static struct open_run *open_run(struct file_state *s)
{
    if (s->n == s->cap) {
        size_t cap = s->cap ? 2 * s->cap : 16;
        struct open_run *runs = realloc(s->runs, cap * sizeof *runs);
        if (!runs)
            abort();
        s->runs = runs;
        s->cap = cap;
    }
    struct open_run *r = &s->runs[s->n++];
    struct arena *a = fmt_arena();
    *r = (struct open_run){.a = a, .run = arena_new(a, struct run), .said = arena_array(a, struct slice, s->table.nof_run)};
    run_init(r->run);
    r->run->source.location = row_place(s, a);
    return r;
}

static void index_run(struct file_state *s, const struct open_run *r)
{
    map_put(&s->keys, &s->index, arena_dup(&s->keys, slice_of((const char *)r->hash, HASH_SIZE)), (size_t)(r - s->runs) + 1);
}

/* The run that the row belongs to. */
static struct open_run *run_of_row(struct file_state *s)
{
    static const enum csv_field fields[] = {CSV_RUN, CSV_TASK, CSV_ATTEMPT};
    bool by_run = column_of(s, CSV_RUN).ptr;
    unsigned char hash[HASH_SIZE];
    struct hash h;
    hash_start(&h);
    for (size_t k = 0; k < 3; k++)
        for (size_t i = 0; i < s->table.nof_run; i++)
            if (field_of(&s->table, i) == fields[k] && !(by_run && fields[k] == CSV_TASK))
                hash_add_framed(&h, csv_at(&s->rows, s->table.of_run[i]));
    hash_end(&h, hash);
    size_t at = map_get(&s->index, slice_of((const char *)hash, HASH_SIZE));
    if (at)
        return &s->runs[at - 1];
    struct open_run *r = open_run(s);
    memcpy(r->hash, hash, HASH_SIZE);
    index_run(s, r);
    return r;
}

/* ---- the end of a run --------------------------------------------------------------------------------------------------- */

static void read_scores(const struct file_state *s, struct open_run *r)
{
    struct run *run = r->run;
    struct slice answer = said(s, r, CSV_ANSWER), target = said(s, r, CSV_TARGET);
    bool any = false;
    for (int pass = 0; pass < 2; pass++)
        for (size_t k = 0; k < s->table.nof_run; k++) {
            if (field_of(&s->table, k) != (pass ? CSV_SCORE : CSV_SUCCESS) || !r->said[k].len)
                continue;
            struct slice name = s->table.names[s->table.of_run[k]];
            struct jvalue v = cell_value(r->a, r->said[k]);
            struct score *score = fmt_score(r->a, run, arena_dup(r->a, name));
            score->value = jraw(r->a, &v);
            score->answer = answer;
            score->target = target;
            any = true;
            if (run->success == VERDICT_UNKNOWN && (!pass || fmt_is_verdict(name)))
                run->success = fmt_verdict(&v);
        }
    if (!any && (answer.ptr || target.ptr)) {
        struct score *score = fmt_score(r->a, run, slice_str("answer"));
        score->answer = answer;
        score->target = target;
    }
}

static void read_identity(const struct file_state *s, struct open_run *r, struct meta *meta)
{
    struct run *run = r->run;
    struct slice attempt = said(s, r, CSV_ATTEMPT), column = column_of(s, CSV_ATTEMPT);
    char letter = slice_eq_nocase(column, slice_str("trial")) ? 't' : slice_eq_nocase(column, slice_str("epoch")) ? 'e' : 0;
    run->task_id = said(s, r, CSV_TASK);
    run->external_id = said(s, r, CSV_RUN).ptr ? said(s, r, CSV_RUN) : run->task_id;
    if (attempt.ptr) {
        struct jvalue v = cell_value(r->a, attempt);
        run->attempt = fmt_count_or(meta, "attempt", &v);
        if (run->attempt != COUNT_UNKNOWN && letter && run->external_id.ptr)
            run->external_id = arena_printf(r->a, "%.*s#%c%lld", SLICE_ARG(run->external_id), letter, (long long)run->attempt);
    }
}

static bool end_run(struct file_state *s, struct open_run *r, const struct sink *sink, struct err *e)
{
    struct run *run = r->run;
    struct meta meta = meta_resume(run->metadata);
    read_identity(s, r, &meta);
    if (!s->table.conversation)
        run->name = said(s, r, CSV_NAME);
    run->agent = said(s, r, CSV_AGENT);
    run->exit_status = said(s, r, CSV_EXIT);
    struct jvalue cost = cell_value(r->a, said(s, r, CSV_COST));
    if (!jnum(&cost, &run->cost_usd)) {
        run->cost_usd = NAN;
        if (cost.text.len)
            meta_value(&meta, "cost", &cost);
    }
    read_scores(s, r);
    for (size_t i = 0; i < r->list.n; i++) {
        const struct message *m = &r->list.items[i];
        if (!run->model.ptr)
            run->model = m->model;
        run->tokens_in = fmt_sum(run->tokens_in, m->tokens_in);
        run->tokens_out = fmt_sum(run->tokens_out, m->tokens_out);
    }
    fmt_transcript(r->a, run, &r->list);
    run->metadata = meta_end(&meta, r->a);
    struct arena *a = r->a;
    r->a = NULL;
    return sink->run(sink->ctx, a, run, e);
}

/* Ends all runs but one (NULL: all), which stays open. */
static bool end_runs(struct file_state *s, const struct open_run *but, const struct sink *sink, struct err *e)
{
    struct open_run kept = {0};
    bool ok = true;
    for (size_t i = 0; i < s->n; i++) {
        if (&s->runs[i] == but)
            kept = *but;
        else if (ok)
            ok = end_run(s, &s->runs[i], sink, e);
        else
            fmt_discard(s->runs[i].a);
    }
    s->n = s->held = 0;
    arena_free(&s->keys);
    s->index = (struct map){0};
    if (kept.a) {
        s->runs[s->n++] = kept;
        s->held = kept.a->total;
        index_run(s, s->runs);
    }
    return ok;
}

/* ---- rows --------------------------------------------------------------------------------------------------------------- */

/* A JSON object being put together, as the reader of messages wants it. */
struct object {
    struct jvalue v;
};

static struct object object_new(struct arena *a, size_t most)
{
    struct object o = {.v = {.type = J_OBJECT}};
    o.v.keys = arena_array(a, struct slice, most);
    o.v.items = arena_array(a, struct jvalue, most);
    return o;
}

static void object_add(struct object *o, struct slice key, struct jvalue v)
{
    o->v.keys[o->v.n] = key;
    o->v.items[o->v.n++] = v;
}

/* What a cell without a field is called; a row may have more cells than the header has names. */
static struct slice name_of(const struct file_state *s, struct arena *a, size_t i)
{
    return i < s->table.n ? s->table.names[i] : arena_printf(a, "column %zu", i + 1);
}

/* The name of a message's field in a message, and whether a cell of it may be a number. */
static const struct { const char *key; bool number; } message_fields[CSV_SYSTEM] = {
    [CSV_CONTENT] = {"content", false}, [CSV_ROLE] = {"role", false}, [CSV_REASONING] = {"reasoning", false}, [CSV_CALLS] = {"tool_calls", false},
    [CSV_TOOL] = {"tool_name", false}, [CSV_CALL_ID] = {"tool_call_id", false}, [CSV_TIME] = {"timestamp", true},
    [CSV_DURATION] = {"duration_ms", true}, [CSV_MODEL] = {"model", false}, [CSV_TOKENS_IN] = {"tokens_in", true},
    [CSV_TOKENS_OUT] = {"tokens_out", true}, [CSV_FINISH] = {"finish_reason", false}, [CSV_ERROR] = {"error", false},
};

static struct jvalue field_value(struct arena *a, enum csv_field field, struct slice cell)
{
    struct jvalue *v;
    if (field == CSV_CALLS && jread(a, cell, NULL, NULL, &v, NULL) && v->type == J_ARRAY)
        return *v;
    return message_fields[field].number ? cell_value(a, cell) : text_value(cell);
}

/* A cell that belongs to no message: to the run where it is the first to say it. False: another row said something else. */
static bool say_of_run(const struct file_state *s, struct open_run *r, size_t i, struct slice cell)
{
    for (size_t k = 0; k < s->table.nof_run; k++) {
        if (s->table.of_run[k] != i)
            continue;
        if (!r->said[k].len)
            r->said[k] = cell;
        return slice_eq(r->said[k], cell);
    }
    return false;
}

/* A row that is a message. */
static void add_message(const struct file_state *s, struct open_run *r)
{
    struct object message = object_new(r->a, s->rows.cells + 2), rest = object_new(r->a, s->rows.cells + 1);
    bool content = false;
    for (size_t i = 0; i < s->rows.cells; i++) {
        enum csv_field field = i < s->table.n ? s->table.fields[i] : CSV_OTHER;
        struct slice cell = csv_at(&s->rows, i);
        if (!cell.len && field != CSV_CONTENT)
            continue;
        cell = arena_dup(r->a, cell);
        if (field < CSV_SYSTEM) {
            object_add(&message, slice_str(message_fields[field].key), field_value(r->a, field, field == CSV_ROLE ? slice_trim(cell) : cell));
            content |= field == CSV_CONTENT;
        } else if (!say_of_run(s, r, i, cell)) {
            object_add(&rest, name_of(s, r->a, i), text_value(cell));
        }
    }
    if (!content)
        object_add(&message, slice_str("content"), text_value(slice_str("")));
    if (rest.v.n)
        object_add(&message, slice_str("metadata"), rest.v);
    chat_message(r->a, &r->list, &message.v);
}

static void add_said(struct open_run *r, enum role role, struct slice text)
{
    struct message *m = messages_add(r->a, &r->list);
    m->role = role;
    m->text = text;
}

/* What was answered, with what the row says of the answer. */
static void add_response(const struct file_state *s, struct open_run *r, struct slice text)
{
    struct object message = object_new(r->a, s->rows.cells + 2);
    object_add(&message, slice_str("role"), text_value(slice_str("assistant")));
    object_add(&message, slice_str("content"), text_value(text));
    for (size_t i = 0; i < s->rows.cells && i < s->table.n; i++) {
        enum csv_field field = s->table.fields[i];
        if (field < CSV_SYSTEM && field != CSV_CONTENT && field != CSV_ROLE && csv_at(&s->rows, i).len)
            object_add(&message, slice_str(message_fields[field].key), field_value(r->a, field, arena_dup(r->a, csv_at(&s->rows, i))));
    }
    chat_message(r->a, &r->list, &message.v);
}

/* A row that is a run. False: its messages are no JSON. */
static bool add_run(const struct file_state *s, struct open_run *r, struct err *e)
{
    struct meta meta = META_INIT;
    struct slice texts[CSV_FIELDS + 1] = {{0}};
    for (size_t i = 0; i < s->rows.cells; i++) {
        enum csv_field field = i < s->table.n ? s->table.fields[i] : CSV_OTHER;
        struct slice cell = arena_dup(r->a, csv_at(&s->rows, i));
        bool of_response = field < CSV_SYSTEM && field > CSV_ROLE && s->table.responds;
        if (field >= CSV_SYSTEM && field <= CSV_MESSAGES)
            texts[field] = cell;
        else if (field == CSV_MODEL && !s->table.responds)
            r->run->model = cell;
        else if (cell.len && !of_response && !say_of_run(s, r, i, cell))
            meta_text(&meta, name_of(s, r->a, i).ptr, cell);
    }
    if (texts[CSV_SYSTEM].len)
        add_said(r, ROLE_SYSTEM, texts[CSV_SYSTEM]);
    bool ok = true;
    if (texts[CSV_MESSAGES].len) {
        struct jvalue *list = NULL;
        ok = jread(r->a, texts[CSV_MESSAGES], NULL, NULL, &list, e) && (list->type == J_ARRAY || err_set(e, ERR_FORMAT, "the messages are no JSON list"));
        if (ok)
            chat_messages(r->a, &r->list, list, &meta);
    }
    if (texts[CSV_PROMPT].ptr)
        add_said(r, ROLE_USER, texts[CSV_PROMPT]);
    if (texts[CSV_RESPONSE].ptr)
        add_response(s, r, texts[CSV_RESPONSE]);
    r->run->metadata = meta_end(&meta, r->a);
    return ok;
}

/* The row as an object, to whoever asks what there was to be read. */
static void show_row(const struct file_state *s, const struct sink *sink)
{
    struct arena a = {0};
    struct object row = object_new(&a, s->rows.cells);
    for (size_t i = 0; i < s->rows.cells; i++)
        object_add(&row, name_of(s, &a, i), text_value(csv_at(&s->rows, i)));
    sink->record(sink->ctx, &row.v);
    arena_free(&a);
}

static bool read_row(struct file_state *s, const struct sink *sink, struct err *e)
{
    struct err why = {0};
    if (s->rows.cells == 1 && !csv_at(&s->rows, 0).len) /* a blank line */
        return true;
    if (sink->record)
        show_row(s, sink);
    if (s->table.conversation) {
        struct open_run *r = run_of_row(s);
        if (r->a->total > RUN_BYTES) {
            if (!r->full)
                sink->refuse(sink->ctx, row_place(s, r->a), ERR_TOO_LARGE, "this run has more messages than fit into 512 MiB: its rows from here on are left out");
            r->full = true;
            return true;
        }
        size_t before = r->list.n ? r->a->total : 0;
        add_message(s, r);
        s->held += r->a->total - before;
        return s->held < HELD_BYTES || s->n == 1 || end_runs(s, r, sink, e);
    }
    struct open_run *r = open_run(s);
    bool ok = add_run(s, r, &why) ? end_run(s, r, sink, e) : (sink->refuse(sink->ctx, r->run->source.location, ERR_FORMAT, why.text), true);
    fmt_discard(r->a);
    s->n = 0;
    return ok;
}

/* The first row says what the columns are. */
static void read_header(struct file_state *s, const struct record *record, const struct sink *sink)
{
    struct err e = {0};
    s->begun = true;
    if (csv_read_header(&s->a, &s->rows, record->map, &s->table, &e))
        return;
    s->given_up = true;
    sink->refuse(sink->ctx, record->location, e.code, e.text);
}

static bool take_row(struct file_state *s, const struct record *record, const struct sink *sink, struct err *e)
{
    bool ok = true;
    if (s->rows.text.full) {
        sink->refuse(sink->ctx, row_place(s, &s->a), ERR_TOO_LARGE, "this row has more than 512 MiB");
    } else if (!s->begun) {
        read_header(s, record, sink);
    } else {
        ok = read_row(s, sink, e);
    }
    csv_drop_row(&s->rows);
    return ok;
}

static bool feed(void **state, const struct record *record, const struct sink *sink, struct err *e)
{
    struct file_state *s = *state;
    struct slice text = jstr(record->value);
    if (!text.ptr) {
        sink->refuse(sink->ctx, record->location, ERR_NOT_TRANSCRIPT, "no table: this is JSON");
        return true;
    }
    if (!s) {
        size_t begin;
        s = *state = calloc(1, sizeof *s);
        if (!s)
            abort();
        char delimiter = csv_delimiter(text, &begin);
        s->rows = csv_reader(delimiter ? delimiter : ',', ROW_BYTES);
        s->line = record->line - 1 + (begin > 3);
        text = slice_sub(text, begin, text.len);
    }
    for (size_t used; !s->given_up && csv_read(&s->rows, text, &used); text = slice_sub(text, used, text.len))
        if (!take_row(s, record, sink, e))
            return false;
    return true;
}

/* The file ends inside quotes. Where the lines behind the quote are rows, it is a stray one, which costs its own row; else the last row is cut. */
static bool read_open_row(struct file_state *s, const struct sink *sink, struct err *e)
{
    struct slice place = row_place(s, &s->a);
    struct str behind = STR_INIT(2 * ROW_BYTES);
    bool cut = s->rows.text.full, open, ok = true;
    csv_give_up_quote(&s->rows, &behind);
    struct slice text = str_slice(&behind);
    if (!cut && csv_rows_fit(text, s->rows.delimiter, s->table.n)) {
        sink->refuse(sink->ctx, place, ERR_FORMAT, "a quote opens in this row that nothing closes; the rows after it are read");
        for (size_t used; ok && csv_read(&s->rows, text, &used); text = slice_sub(text, used, text.len), csv_drop_row(&s->rows))
            ok = read_row(s, sink, e);
        if (ok && csv_read_end(&s->rows, &open))
            ok = read_row(s, sink, e);
    } else {
        sink->refuse(sink->ctx, place, ERR_FORMAT, "the last row is cut short: the quotes that open in it do not close");
    }
    str_free(&behind);
    return ok;
}

static bool close_file(void **state, const struct sink *sink, struct err *e)
{
    struct file_state *s = *state;
    bool ok = true, open = false;
    if (!s)
        return true;
    if (!s->given_up && s->begun && csv_read_end(&s->rows, &open))
        ok = open ? read_open_row(s, sink, e) : read_row(s, sink, e);
    if (ok)
        ok = end_runs(s, NULL, sink, e);
    for (size_t i = 0; i < s->n; i++)
        fmt_discard(s->runs[i].a);
    csv_reader_free(&s->rows);
    arena_free(&s->a);
    free(s->runs);
    arena_free(&s->keys);
    free(s);
    *state = NULL;
    return ok;
}

const struct format fmt_csv = {
    .name = "csv",
    .about = "tables (CSV, TSV) with a row of names: a message a row (role, content, run_id) or a run a row (prompt, response); --map names others",
    .probe = probe,
    .feed = feed,
    .close = close_file,
    .rows = true,
};
