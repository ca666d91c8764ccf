#include "storage/finding_write.h"

/* Which detectors hit a limit on which run. */

static bool incomplete_differs(struct store *s, int64_t run, const struct incomplete *now, size_t n, const struct slice *only, size_t nonly,
                               bool *differs, struct err *e)
{
    struct arena a = {0};
    size_t found = 0, wanted = 0;
    for (size_t i = 0; i < n; i++) {
        bool repeated = !is_among(now[i].detector, only, nonly);
        for (size_t k = 0; k < i && !repeated; k++)
            repeated = slice_eq(now[k].detector, now[i].detector);
        wanted += !repeated;
    }
    struct stmt *q = db_prepare(s->db, "SELECT detector, reason FROM incomplete WHERE run = $1", e);
    bind_int(q, run);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        struct slice detector = take_text(q, &a), reason = take_text(q, &a);
        if (!is_among(detector, only, nonly))
            continue;
        bool same = false;
        for (size_t i = 0; i < n && !same; i++)
            same = slice_eq(now[i].detector, detector) && slice_eq(now[i].reason, reason);
        found += same;
        *differs |= !same;
    }
    *differs |= found != wanted;
    arena_free(&a);
    return step == STEP_DONE;
}

static bool incomplete_drop(struct store *s, int64_t run, const struct slice *only, size_t nonly, struct err *e)
{
    if (!nonly) {
        struct stmt *q = db_prepare(s->db, "DELETE FROM incomplete WHERE run = $1", e);
        bind_int(q, run);
        return stmt_run(q, e);
    }
    for (size_t i = 0; i < nonly; i++) {
        struct stmt *q = db_prepare(s->db, "DELETE FROM incomplete WHERE run = $1 AND detector = $2", e);
        bind_int(q, run);
        bind_text(q, only[i]);
        if (!stmt_run(q, e))
            return false;
    }
    return true;
}

bool incomplete_change(struct store *s, int64_t run, const struct incomplete *now, size_t n, const struct slice *only, size_t nonly, bool look,
                       bool *changed, struct err *e)
{
    bool differs = false;
    if (!incomplete_differs(s, run, now, n, only, nonly, &differs, e))
        return false;
    *changed |= differs;
    if (!differs || look)
        return true;
    if (!incomplete_drop(s, run, only, nonly, e))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!is_among(now[i].detector, only, nonly))
            continue;
        struct stmt *q = db_prepare(s->db, "INSERT INTO incomplete (run, detector, reason) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", e);
        bind_int(q, run);
        bind_text(q, not_null(now[i].detector));
        bind_text(q, now[i].reason);
        if (!stmt_run(q, e))
            return false;
    }
    return true;
}

/* ---- the list: by run, newest first, then detector; a cursor is "RUN/DETECTOR" ------------------------------------------ */

struct range {
    int64_t collection, first, last; /* keys of runs */
    struct slice after;              /* in the last run only detectors behind this one */
};

static bool range_of(struct store *s, const struct filter *f, struct range *out, struct err *e)
{
    *out = (struct range){.last = INT64_MAX, .after = slice_str("")};
    if (!collection_find(s, f->collection, &out->collection, e) || (f->run.ptr && !run_find(s, f->run, &out->first, e)))
        return false;
    if (f->run.ptr)
        out->last = out->first;
    return true;
}

static bool go_on(struct slice cursor, struct range *range, struct err *e)
{
    int64_t run = 0;
    size_t at = 0;
    for (; at < cursor.len && at < 18 && cursor.ptr[at] >= '0' && cursor.ptr[at] <= '9'; at++)
        run = 10 * run + cursor.ptr[at] - '0';
    if (!at || at == cursor.len || cursor.ptr[at] != '/' || run < range->first || run > range->last)
        return err_set(e, ERR_USAGE, "this is no cursor of this list; take the \"next\" of the page before");
    range->last = run;
    range->after = slice_sub(cursor, at + 1, cursor.len);
    return true;
}

#define WHERE \
    " FROM incomplete i JOIN run r ON r.n = i.run WHERE i.run >= $1 AND i.run <= $2 AND (i.run < $2 OR i.detector > $3) AND r.collection = $4"

static void bind_range(struct stmt *q, const struct range *range)
{
    bind_int(q, range->first);
    bind_int(q, range->last);
    bind_text(q, range->after);
    bind_int(q, range->collection);
}

static bool read_page(struct store *s, const struct range *range, uint32_t limit, struct arena *a, struct incomplete_rows *out, struct err *e)
{
    int64_t last = 0;
    struct stmt *q = db_prepare(s->db, "SELECT i.run, r.id, r.external_id, i.detector, i.reason" WHERE " ORDER BY i.run DESC, i.detector LIMIT $5", e);
    bind_range(q, range);
    bind_int(q, (int64_t)limit + 1);
    out->items = arena_array(a, struct incomplete_row, limit);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        if (out->n == limit) { /* one more than the page holds */
            out->end.next = arena_printf(a, "%lld/%.*s", (long long)last, SLICE_ARG(out->items[limit - 1].detector));
            stmt_reset(q);
            return true;
        }
        struct incomplete_row *row = &out->items[out->n++];
        last = take_int(q);
        row->run = take_text(q, a);
        row->external_id = take_text(q, a);
        row->detector = take_text(q, a);
        row->reason = take_text(q, a);
    }
    return step == STEP_DONE;
}

static bool read_total(struct store *s, const struct range *range, int64_t *total, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT count(*)" WHERE, e);
    bind_range(q, range);
    return stmt_int(q, total, e) == STEP_ROW;
}

static bool load_page(struct store *s, const struct filter *f, const struct page *page, struct arena *a, struct incomplete_rows *out,
                      struct err *e)
{
    struct range range;
    *out = (struct incomplete_rows){0};
    if (page->limit > PAGE_MAX)
        return err_set(e, ERR_USAGE, "a page holds at most %d rows", PAGE_MAX);
    return range_of(s, f, &range, e) && read_total(s, &range, &out->end.total, e) && (!page->after.len || go_on(page->after, &range, e)) &&
           read_page(s, &range, page->limit ? page->limit : PAGE_DEFAULT, a, out, e);
}

bool store_incomplete(struct store *s, const struct filter *f, const struct page *page, struct arena *a, struct incomplete_rows *out,
                      struct err *e)
{
    return db_read(s->db, e) && db_end(s->db, load_page(s, f, page, a, out, e), e);
}
