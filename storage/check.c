#include "storage/check_in.h"
#include "storage/access.h"

#include "base/hash.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum { PAGE_PROBLEMS = 100 };

bool check_looked(struct check *c, int64_t n, struct err *e)
{
    c->looked += n;
    c->sink->progress(c->sink->ctx, c->name, c->looked);
    return !store_unwanted(c->store) || err_set(e, ERR_CANCELLED, "the check was broken off");
}

void check_wrong(struct check *c, const char *format, ...)
{
    char sentence[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    c->problems++;
    c->sink->problem(c->sink->ctx, c->name, sentence);
}

bool check_query(struct check *c, const char *sql, struct err *e)
{
    struct stmt *q = db_prepare(c->store->db, sql, e);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        struct slice sentence = take_bytes(q);
        check_wrong(c, "%.*s", SLICE_ARG(sentence));
    }
    return step == STEP_DONE;
}

bool check_number(struct store *s, const char *sql, int64_t *out, struct err *e)
{
    struct stmt *q = db_prepare(s->db, sql, e);
    return stmt_int(q, out, e) == STEP_ROW;
}

/* ---- pages ----------------------------------------------------------------------------------------------------------- */

static bool check_pages(struct check *c, struct err *e)
{
    char sql[64];
    int64_t pages;
    if (!check_number(c->store, "PRAGMA page_count", &pages, e) || !check_looked(c, pages, e))
        return false;
    snprintf(sql, sizeof sql, "PRAGMA integrity_check(%d)", PAGE_PROBLEMS);
    struct stmt *q = db_prepare(c->store->db, sql, e);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        struct slice line = take_bytes(q);
        if (!slice_is(line, "ok"))
            check_wrong(c, "%.*s", SLICE_ARG(line));
    }
    return step == STEP_DONE;
}

/* ---- references ------------------------------------------------------------------------------------------------------ */

/* Rows that are of a row by the high bits of their key, which SQLite's own foreign keys cannot say. */
static const struct { const char *table, *parent; } children[] = {
    {"message", "run"}, {"tool_call", "run"}, {"score", "run"}, {"transcript", "run"}, {"message_blob", "run"}, {"span", "finding"},
};
enum { CHILDREN = sizeof children / sizeof *children };

static bool check_children(struct check *c, const char *table, const char *parent, struct err *e)
{
    char sql[512];
    int64_t rows;
    snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", table);
    if (!check_number(c->store, sql, &rows, e) || !check_looked(c, rows, e))
        return false;
    snprintf(sql, sizeof sql,
             "SELECT count(*) || ' rows of table %s are of %s ' || (id >> 26) || ', which is not there' FROM %s"
             " WHERE NOT EXISTS (SELECT 1 FROM %s p WHERE p.n = %s.id >> 26) GROUP BY id >> 26", table, parent, table, parent, table);
    return check_query(c, sql, e);
}

static bool check_references(struct check *c, struct err *e)
{
    for (int i = 0; i < CHILDREN; i++)
        if (!check_children(c, children[i].table, children[i].parent, e))
            return false;
    struct stmt *q = db_prepare(c->store->db, "PRAGMA foreign_key_check", e);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        struct slice table = take_bytes(q);
        int64_t row = take_int(q);
        struct slice parent = take_bytes(q);
        check_wrong(c, "row %lld of table %.*s names a row of table %.*s that is not there", (long long)row, SLICE_ARG(table), SLICE_ARG(parent));
    }
    return step == STEP_DONE &&
           check_query(c, "SELECT 'run ' || id || ' lacks its details' FROM run r WHERE NOT EXISTS (SELECT 1 FROM run_detail d WHERE d.run = r.n)", e) &&
           check_query(c, "SELECT 'block ' || block || ' of the texts is used by run ' || run || ', which is not there' FROM block_run u"
                          " WHERE NOT EXISTS (SELECT 1 FROM run WHERE n = u.run)", e) &&
           check_query(c, "SELECT 'block ' || block || ' of the texts, which run ' || run || ' uses, is not there' FROM block_run u"
                          " WHERE NOT EXISTS (SELECT 1 FROM block WHERE id = u.block)", e);
}

/* What is of nothing goes. A run without its details, or a block that is gone, cannot be made again. */
static bool mend_references(struct store *s, struct err *e)
{
    char sql[256];
    for (int i = 0; i < CHILDREN; i++) {
        snprintf(sql, sizeof sql, "DELETE FROM %s WHERE NOT EXISTS (SELECT 1 FROM %s p WHERE p.n = %s.id >> 26)", children[i].table, children[i].parent,
                 children[i].table);
        if (!db_script(s->db, sql, e))
            return false;
    }
    return db_script(s->db, "DELETE FROM block_run WHERE NOT EXISTS (SELECT 1 FROM run WHERE n = block_run.run)", e);
}

/* ---- images ---------------------------------------------------------------------------------------------------------- */

static bool check_images(struct check *c, struct err *e)
{
    struct stmt *q = db_prepare(c->store->db, "SELECT lower(hex(sha256)), sha256, bytes FROM blob", e);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        struct slice name = take_bytes(q), known = take_bytes(q);
        unsigned char sha256[SHA256_SIZE];
        sha256_of(take_bytes(q), sha256);
        if (!slice_eq(known, slice_of((const char *)sha256, SHA256_SIZE)))
            check_wrong(c, "the bytes of image %.*s have another SHA-256", SLICE_ARG(name));
        if (!check_looked(c, 1, e))
            return false;
    }
    return step == STEP_DONE;
}

/* ---- uploads --------------------------------------------------------------------------------------------------------- */

static bool is_open(struct store *s, struct slice id, bool *open, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT state IN (0, 1) FROM job WHERE id = $1", e);
    bind_text(q, id);
    *open = false;
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW)
        *open = take_int(q);
    return step == STEP_DONE;
}

/* Each upload that was accepted and is not read yet lies in the spool. One that is not there was read to its end meanwhile, or is lost. */
static bool check_uploads(struct check *c, struct err *e)
{
    struct store *s = c->store;
    struct arena a = {0};
    struct slices missing = {0};
    struct stmt *q = db_prepare(s->db, "SELECT id FROM job WHERE kind = 'import' AND state IN (0, 1)", e);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        struct slice id = take_text(q, &a);
        c->looked++;
        if (access(arena_printf(&a, "%s.spool/%.*s", db_path(s->db), SLICE_ARG(id)).ptr, F_OK) == 0)
            continue;
        missing.items = arena_grow(&a, missing.items, missing.n, &missing.cap, sizeof *missing.items);
        missing.items[missing.n++] = id;
    }
    bool ok = step == STEP_DONE && db_end(s->db, true, e) && db_read(s->db, e); /* what is true by now */
    for (size_t i = 0; ok && i < missing.n; i++) {
        bool open;
        ok = is_open(s, missing.items[i], &open, e);
        if (ok && open)
            check_wrong(c, "the bytes of upload %.*s, which waits to be read, are not in %s.spool", SLICE_ARG(missing.items[i]), db_path(s->db));
    }
    arena_free(&a);
    return ok;
}

/* ---- the key --------------------------------------------------------------------------------------------------------- */

static bool check_key(struct check *c, struct err *e)
{
    if (!store_key_is_private(c->store))
        check_wrong(c, "others on this machine can read the key of the tokens, %s.key: chmod 600 it", db_path(c->store->db));
    return check_looked(c, 1, e);
}

/* ---- all of it ------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *name, *about;
    bool (*run)(struct check *c, struct err *e);
    bool (*mend)(struct store *s, struct err *e); /* NULL: it cannot be derived from anything */
} checks[] = {
    {"pages", "pages of the file, and that each index has what its table has", check_pages, NULL},
    {"references", "rows that are of another row, which must be there", check_references, mend_references},
    {"texts", "texts and the messages that say them", check_texts, mend_texts},
    {"evidence", "quotes of findings and judgments, word for word at their place", check_evidence, NULL},
    {"search index", "blocks of text, and what the index says is in them", check_index, mend_index},
    {"counts", "numbers that lists and summaries show instead of counting", check_counts, mend_counts},
    {"images", "images, by their SHA-256", check_images, NULL},
    {"uploads", "uploads that were accepted and wait to be read", check_uploads, NULL},
    {"key", "the key of the access tokens, which is its owner's alone", check_key, NULL},
};
enum { CHECKS = sizeof checks / sizeof *checks };

/* What cannot be read is a problem; the next check may still go on. */
static bool run_one(struct check *c, size_t which, struct err *e)
{
    struct err why = {0};
    c->name = checks[which].name;
    if (!db_read(c->store->db, e))
        return false;
    bool ok = db_end(c->store->db, checks[which].run(c, &why), NULL);
    if (store_unwanted(c->store))
        return err_set(e, ERR_CANCELLED, "the check was broken off");
    if (!ok)
        check_wrong(c, "this check could not go on: %s", why.text);
    return true;
}

static void say_nothing(void *ctx, const char *check, const char *sentence)
{
    (void)ctx;
    (void)check;
    (void)sentence;
}

/* Puts right what one check found, and looks again. */
static bool repair_one(struct store *s, const struct check_sink *sink, size_t which, struct check_row *row, struct err *e)
{
    const struct check_sink quiet = {sink->progress, say_nothing, sink->ctx};
    struct check again = {.store = s, .sink = &quiet};
    if (!db_write(s->db, e) || !db_end(s->db, checks[which].mend(s, e), e) || !run_one(&again, which, e))
        return false;
    row->repaired = row->problems - again.problems;
    row->problems = again.problems;
    return true;
}

bool store_check(struct store *s, bool repair, const struct check_sink *sink, struct arena *a, struct check_rows *out, struct err *e)
{
    *out = (struct check_rows){.items = arena_array(a, struct check_row, CHECKS)};
    for (; out->n < CHECKS; out->n++) {
        int64_t began = clock_monotonic_us();
        struct check c = {.store = s, .sink = sink};
        struct check_row *row = &out->items[out->n];
        if (!run_one(&c, out->n, e))
            return false;
        *row = (struct check_row){.name = checks[out->n].name, .about = checks[out->n].about, .looked = c.looked, .problems = c.problems};
        if (repair && row->problems && checks[out->n].mend && !repair_one(s, sink, out->n, row, e))
            return err_prefix(e, "cannot repair the %s", row->name);
        row->seconds = (double)(clock_monotonic_us() - began) / 1e6;
        out->problems += row->problems;
    }
    return true;
}
