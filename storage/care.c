#include "storage/care.h"

#include "storage/inside.h"

static bool sizes(struct store *s, struct store_sizes *out, struct err *e)
{
    struct stmt *q = db_prepare(s->db,
        "SELECT p.page_count * z.page_size, f.freelist_count * z.page_size, (SELECT count(*) FROM collection),"
        " (SELECT coalesce(sum(runs), 0) FROM collection)"
        " FROM pragma_page_count p, pragma_page_size z, pragma_freelist_count f", e);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        out->bytes = take_int(q);
        out->free_bytes = take_int(q);
        out->collections = take_int(q);
        out->runs = take_int(q);
    }
    return step == STEP_DONE;
}

bool store_sizes(struct store *s, struct store_sizes *out, struct err *e)
{
    *out = (struct store_sizes){0};
    return db_read(s->db, e) && db_end(s->db, sizes(s, out, e), e);
}

static bool queue(struct store *s, struct arena *a, struct queue_rows *out, struct err *e)
{
    struct stmt *q = db_prepare(s->db,
        "SELECT kind, sum(state = 0), sum(state = 1), min(CASE WHEN state = 0 AND begin_at <= $1 THEN created_at END)"
        " FROM job WHERE state IN (0, 1) GROUP BY kind", e);
    int64_t now = clock_now_us(), oldest;
    size_t cap = 0;
    bind_int(q, now);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        out->items = arena_grow(a, out->items, out->n, &cap, sizeof *out->items);
        struct queue_row *row = &out->items[out->n++];
        *row = (struct queue_row){.kind = take_text(q, a), .queued = take_int(q), .running = take_int(q)};
        if (clock_parse(take_bytes(q), &oldest) && oldest < now)
            row->oldest_us = now - oldest;
    }
    return step == STEP_DONE;
}

bool store_queue(struct store *s, struct arena *a, struct queue_rows *out, struct err *e)
{
    *out = (struct queue_rows){0};
    return db_read(s->db, e) && db_end(s->db, queue(s, a, out, e), e);
}
