#include "storage/blocks.h"
#include "storage/finding_write.h"
#include "storage/labels.h"
#include "storage/rows.h"
#include "storage/run_write.h"
#include "storage/runs_sorted.h"
#include "storage/sql.h"

#include "base/hash.h"

bool run_find(struct store *s, struct slice id, int64_t *n, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT n FROM run WHERE id = $1 AND mine(collection)", e);
    bind_text(q, id);
    enum step step = stmt_int(q, n, e);
    return step == STEP_ROW || (step == STEP_DONE && err_set(e, ERR_NOT_FOUND, "there is no run \"%.*s\"", SLICE_ARG(id)));
}

/* ---- one row --------------------------------------------------------------------------------------------------------- */

static bool load_columns(struct store *s, int64_t n, struct arena *a, struct run_row *out, struct err *e)
{
    struct run *run = &out->run;
    struct stmt *q = db_prepare(s->db,
        "SELECT r.id, c.id, r.external_id, r.name, t.task_id, r.model, r.agent, r.attempt, r.started_at, r.ended_at, coalesce(r.success, 2),"
        " r.exit_status, d.error, r.stopped_by, r.tokens_in, r.tokens_out, r.cost_usd, d.metadata, d.file, d.location, r.format,"
        " lower(hex(r.content_hash)), d.gist, r.imported, r.messages, r.calls, r.broken, r.odd, r.near, r.harness, r.data"
        " FROM run r JOIN collection c ON c.n = r.collection JOIN run_detail d ON d.run = r.n LEFT JOIN task t ON t.n = r.task"
        " WHERE r.n = $1", e);
    bind_int(q, n);
    enum step step = stmt_step(q, e);
    if (step != STEP_ROW)
        return step == STEP_DONE && err_set(e, ERR_NOT_FOUND, "the run was deleted");
    run->id = take_text(q, a);
    out->collection = take_text(q, a);
    run->external_id = take_text(q, a);
    run->name = take_text(q, a);
    run->task_id = take_text(q, a);
    run->model = take_text(q, a);
    run->agent = take_text(q, a);
    run->attempt = take_count(q);
    run->started_at = take_text(q, a);
    run->ended_at = take_text(q, a);
    run->success = (enum verdict)take_int(q);
    run->exit_status = take_text(q, a);
    run->error = take_text(q, a);
    run->limit = take_text(q, a);
    run->tokens_in = take_count(q);
    run->tokens_out = take_count(q);
    run->cost_usd = take_real(q);
    run->metadata = take_text(q, a);
    run->source.file = take_text(q, a);
    run->source.location = take_text(q, a);
    run->source.format = take_text(q, a);
    out->content_hash = take_text(q, a);
    out->gist = take_text(q, a);
    out->imported = take_int(q);
    out->messages = (uint32_t)take_int(q);
    out->calls = (uint32_t)take_int(q);
    for (int i = 0; i < KIND_COUNT; i++)
        out->findings[i] = (uint32_t)take_int(q);
    stmt_reset(q);
    return true;
}

static bool load_tags(struct store *s, int64_t n, struct arena *a, struct run *run, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT tag FROM run_tag WHERE run = $1 ORDER BY by_hand, position, tag", e);
    bind_int(q, n);
    size_t cap = 0;
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        run->tags = arena_grow(a, run->tags, run->ntags, &cap, sizeof *run->tags);
        run->tags[run->ntags++] = take_text(q, a);
    }
    return step == STEP_DONE;
}

bool scores_load(struct store *s, int64_t run, struct arena *a, struct run *out, struct err *e)
{
    struct stmt *q = db_prepare(s->db,
        "SELECT name, value, answer, target, explanation, metadata FROM score WHERE id BETWEEN $1 AND $2 ORDER BY id", e);
    bind_int(q, child_first(run));
    bind_int(q, child_last(run));
    size_t cap = 0;
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        out->scores = arena_grow(a, out->scores, out->nscores, &cap, sizeof *out->scores);
        struct score *score = &out->scores[out->nscores++];
        score->name = take_text(q, a);
        score->value = take_text(q, a);
        if (!text_read(s, take_count(q), a, &score->answer, e) || !text_read(s, take_count(q), a, &score->target, e) ||
            !text_read(s, take_count(q), a, &score->explanation, e) || !text_read(s, take_count(q), a, &score->metadata, e))
            return false;
    }
    return step == STEP_DONE;
}

static bool load_transcripts(struct store *s, int64_t n, struct arena *a, struct run *run, struct err *e)
{
    struct stmt *q = db_prepare(s->db,
        "SELECT messages, source_id, parent, name, metadata FROM transcript WHERE id BETWEEN $1 AND $2 ORDER BY id", e);
    bind_int(q, child_first(n));
    bind_int(q, child_last(n));
    size_t cap = 0;
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        run->transcripts = arena_grow(a, run->transcripts, run->ntranscripts, &cap, sizeof *run->transcripts);
        struct transcript *t = &run->transcripts[run->ntranscripts++];
        t->nmessages = (size_t)take_int(q);
        t->id = take_text(q, a);
        t->parent = take_text(q, a);
        t->name = take_text(q, a);
        if (!text_read(s, take_count(q), a, &t->metadata, e))
            return false;
    }
    return step == STEP_DONE;
}

static bool load_run(struct store *s, int64_t n, struct arena *a, struct run_row *out, struct err *e)
{
    *out = (struct run_row){0};
    run_init(&out->run);
    return load_columns(s, n, a, out, e) && load_tags(s, n, a, &out->run, e) && scores_load(s, n, a, &out->run, e) &&
           labels_load(s, n, a, &out->run, e) && load_transcripts(s, n, a, &out->run, e);
}

/* The most severe finding, and of its evidence the first. */
static bool load_first_finding(struct store *s, int64_t n, struct arena *a, struct run_row *out, struct err *e)
{
    struct stmt *q = db_prepare(s->db,
        "SELECT n FROM finding WHERE run = $1 AND status <> 2 ORDER BY severity DESC, confidence DESC, n LIMIT 1", e);
    bind_int(q, n);
    int64_t finding;
    enum step step = stmt_int(q, &finding, e);
    if (step != STEP_ROW)
        return step == STEP_DONE;
    if (!finding_load(s, finding, a, &out->first, e))
        return false;
    out->has_first = true;
    if (out->first.nevidence > 1)
        out->first.nevidence = 1;
    for (size_t i = 0; i < out->first.nevidence; i++)
        if (!out->first.evidence[i].run.ptr)
            out->first.evidence[i].run = out->run.id;
    return true;
}

bool run_row_load(struct store *s, int64_t n, struct arena *a, struct run_row *out, struct err *e)
{
    return load_run(s, n, a, out, e) && load_first_finding(s, n, a, out, e);
}

static bool find_and_load(struct store *s, struct slice id, struct arena *a, struct run_row *out, struct err *e)
{
    int64_t n;
    return run_find(s, id, &n, e) && run_row_load(s, n, a, out, e);
}

bool store_run(struct store *s, struct slice id, struct arena *a, struct run_row *out, struct err *e)
{
    return db_read(s->db, e) && db_end(s->db, find_and_load(s, id, a, out, e), e);
}

static bool load_whole(struct store *s, struct slice id, struct arena *a, struct run *out, struct err *e)
{
    struct run_row row;
    struct message *messages;
    int64_t n;
    if (!run_find(s, id, &n, e) || !load_run(s, n, a, &row, e) || !messages_load(s, n, 0, row.messages, a, &messages, e))
        return false;
    *out = row.run;
    for (size_t i = 0; i < out->ntranscripts; i++) {
        out->transcripts[i].messages = messages;
        messages += out->transcripts[i].nmessages;
    }
    return true;
}

bool store_run_load(struct store *s, struct slice id, struct arena *a, struct run *out, struct err *e)
{
    return db_read(s->db, e) && db_end(s->db, load_whole(s, id, a, out, e), e);
}

/* ---- list ------------------------------------------------------------------------------------------------------------ */

/* An index has the runs in this order, and one in that of their ids; any other is the columns' affair. */
static const struct sort_key keys[] = {{NULL, "r.imported", false}, {NULL, "r.place", false}, {"id", "r.id", false}};
static const struct order own_order = {.terms = {{&keys[0], true}, {&keys[1], false}}, .n = 2};
static const struct list list = {filter_runs, "r.n", keys, sizeof keys / sizeof *keys, &own_order};

/* An index counts the runs of a task. */
static bool counting_is_cheap(const struct filter *f)
{
    struct filter rest = *f;
    rest.task = SLICE_NONE;
    return filter_is_open(&rest);
}

/* Few runs, or all in an order that an index has. */
static bool index_serves(const struct filter *f, const struct page *page)
{
    bool plain = !page->sort.len || slice_is(page->sort, "id") || slice_is(page->sort, "-id");
    return plain && !page->offset && (counting_is_cheap(f) || f->ids || f->run.ptr || !f->collection.ptr);
}

/* The collection knows how many runs it has. */
static bool list_by_index(struct store *s, const struct filter *f, const struct page *page, struct arena *a, struct ids *ids, struct page_end *end,
                          struct err *e)
{
    bool open = filter_is_open(f);
    struct collection_row collection;
    int64_t n;
    if (!list_page(s, &list, f, page, !open && (page->count || counting_is_cheap(f)), a, ids, end, e))
        return false;
    if (!open)
        return true;
    if (!collection_find(s, f->collection, &n, e) || !collection_load(s, n, a, &collection, e))
        return false;
    end->total = collection.runs;
    return true;
}

static bool load_page(struct store *s, const struct filter *f, const struct page *page, struct arena *a, struct run_rows *out, struct err *e)
{
    struct ids ids;
    *out = (struct run_rows){0};
    if (!(index_serves(f, page) ? list_by_index(s, f, page, a, &ids, &out->end, e) : runs_sorted(s, &list, f, page, a, &ids, &out->end, e)))
        return false;
    out->items = arena_array(a, struct run_row, ids.n);
    for (; out->n < ids.n; out->n++)
        if (!run_row_load(s, ids.items[out->n], a, &out->items[out->n], e))
            return false;
    return true;
}

bool store_runs(struct store *s, const struct filter *f, const struct page *page, struct arena *a, struct run_rows *out, struct err *e)
{
    return db_read(s->db, e) && db_end(s->db, load_page(s, f, page, a, out, e), e);
}

static bool load_ids(struct store *s, const struct filter *f, struct arena *a, struct slices *out, struct err *e)
{
    struct sql q = sql_new(a);
    *out = (struct slices){0};
    sql_add(&q, "SELECT r.id");
    if (!filter_runs(s, &q, f, e))
        return false;
    sql_add(&q, " ORDER BY r.id");
    struct stmt *rows = sql_prepare(&q, s->db, e);
    enum step step;
    while ((step = stmt_step(rows, e)) == STEP_ROW) {
        out->items = arena_grow(a, out->items, out->n, &out->cap, sizeof *out->items);
        out->items[out->n++] = take_text(rows, a);
    }
    return step == STEP_DONE;
}

bool store_run_ids(struct store *s, const struct filter *f, struct arena *a, struct slices *out, struct err *e)
{
    return db_read(s->db, e) && db_end(s->db, load_ids(s, f, a, out, e), e);
}

static bool load_names(struct store *s, struct slice collection, struct slice external_id, struct arena *a, struct run_names *out, struct err *e)
{
    int64_t n;
    *out = (struct run_names){0};
    if (!collection_find(s, collection, &n, e))
        return false;
    struct stmt *q = db_prepare(s->db,
        "SELECT r.id, r.external_id, d.file, d.location FROM run r JOIN run_detail d ON d.run = r.n"
        " WHERE r.collection = $1 AND ($2 IS NULL OR r.external_id = $2) ORDER BY r.imported, r.place", e);
    bind_int(q, n);
    bind_text(q, external_id);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        out->items = arena_grow(a, out->items, out->n, &out->cap, sizeof *out->items);
        struct run_name *name = &out->items[out->n++];
        name->id = take_text(q, a);
        name->external_id = take_text(q, a);
        name->file = take_text(q, a);
        name->location = take_text(q, a);
    }
    return step == STEP_DONE;
}

bool store_run_names(struct store *s, struct slice collection, struct slice external_id, struct arena *a, struct run_names *out, struct err *e)
{
    return db_read(s->db, e) && db_end(s->db, load_names(s, collection, external_id, a, out, e), e);
}

/* ---- changes --------------------------------------------------------------------------------------------------------- */

static bool find_and_remove(struct store *s, struct slice id, struct err *e)
{
    int64_t n;
    return run_find(s, id, &n, e) && run_remove(s, n, e) && blocks_sweep(s, e);
}

bool store_run_delete(struct store *s, struct slice id, struct err *e)
{
    return db_write(s->db, e) && db_end(s->db, find_and_remove(s, id, e), e);
}

enum { DELETE_RUNS = 200 }; /* in one transaction */

bool runs_remove(struct store *s, const int64_t *runs, size_t n, uint64_t *deleted, struct err *e)
{
    uint64_t gone = 0;
    for (size_t i = 0; i < n; i++) {
        struct stmt *q = db_prepare(s->db, "SELECT 1 FROM run WHERE n = $1", e); /* since it was listed somebody may have deleted it */
        bind_int(q, runs[i]);
        enum step step = stmt_step(q, e);
        stmt_reset(q);
        if (step == STEP_ERROR || (step == STEP_ROW && !run_remove(s, runs[i], e)))
            return false;
        gone += step == STEP_ROW;
    }
    *deleted += gone;
    return blocks_sweep(s, e);
}

bool store_runs_delete(struct store *s, const struct filter *f, bool dry_run, uint64_t *deleted, struct err *e)
{
    struct arena a = {0};
    struct ids ids = {0};
    *deleted = 0;
    bool ok = db_read(s->db, e) && db_end(s->db, list_keys(s, &list, f, &a, &ids, e), e);
    if (dry_run)
        *deleted = ids.n;
    for (size_t i = 0; i < ids.n && ok && !dry_run; i += DELETE_RUNS) {
        size_t n = ids.n - i < DELETE_RUNS ? ids.n - i : DELETE_RUNS;
        ok = db_write(s->db, e) && db_end(s->db, runs_remove(s, ids.items + i, n, deleted, e), e);
    }
    arena_free(&a);
    return ok;
}

static bool tag_all(struct store *s, const struct filter *f, struct slice tag, bool add, uint64_t *changed, struct err *e)
{
    struct arena a = {0};
    struct ids ids;
    bool ok = list_keys(s, &list, f, &a, &ids, e);
    for (size_t i = 0; i < ids.n && ok; i++) {
        struct stmt *q = add ? db_prepare(s->db, "INSERT INTO run_tag (run, tag, position, by_hand) VALUES ($1, $2, 0, 1) ON CONFLICT DO NOTHING", e)
                             : db_prepare(s->db, "DELETE FROM run_tag WHERE run = $1 AND tag = $2", e);
        bind_int(q, ids.items[i]);
        bind_text(q, tag);
        if ((ok = stmt_run(q, e)))
            *changed += (uint64_t)db_changes(s->db);
    }
    arena_free(&a);
    return ok;
}

bool store_tag(struct store *s, const struct filter *f, struct slice tag, bool add, uint64_t *changed, struct err *e)
{
    *changed = 0;
    if (!tag.len)
        return err_set(e, ERR_USAGE, "a tag needs a name");
    return db_write(s->db, e) && db_end(s->db, tag_all(s, f, tag, add, changed, e), e);
}
