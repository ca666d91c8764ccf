#include "storage/hits.h"

#include "storage/spots.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    LINE_BEFORE = 100,           /* of a longer line: so much before the match */
    LINE_BYTES = LINE_BEFORE + SHOWN_BYTES,
};

/* ---- order and cursors -------------------------------------------------------------------------------------------------- */

static int compare(int64_t a, int64_t b)
{
    return a < b ? -1 : a > b;
}

int place_compare(const struct place *a, const struct place *b)
{
    int c = compare(b->imported, a->imported);
    c = c ? c : compare(a->order, b->order);
    c = c ? c : compare(a->run, b->run);
    c = c ? c : compare(a->message, b->message);
    c = c ? c : compare(a->part, b->part);
    return c ? c : compare(a->call, b->call);
}

int hit_compare(const void *a, const void *b)
{
    return place_compare(&((const struct hit *)a)->place, &((const struct hit *)b)->place);
}

struct slice place_text(struct arena *a, const struct place *p)
{
    return arena_printf(a, "%" PRId64 ".%" PRId64 ".%" PRId64 ".%" PRId64 ".%d.%d", p->imported, p->order, p->run, p->message,
                        p->part, p->call);
}

bool place_parse(struct slice text, struct place *out, struct err *e)
{
    char z[160];
    int end = 0;
    if (text.len < sizeof z) {
        memcpy(z, text.ptr, text.len);
        z[text.len] = '\0';
        if (sscanf(z, "%" SCNd64 ".%" SCNd64 ".%" SCNd64 ".%" SCNd64 ".%d.%d%n", &out->imported, &out->order, &out->run,
                   &out->message, &out->part,
                   &out->call, &end) == 6 && (size_t)end == text.len)
            return true;
    }
    return err_set(e, ERR_USAGE, "\"%.*s\" is no cursor of a search", SLICE_ARG(slice_cut(text, 100)));
}

/* ---- what a page shows -------------------------------------------------------------------------------------------------- */

static bool not_there(enum step step, const char *what, struct err *e)
{
    return step == STEP_DONE && err_set(e, ERR_INTERNAL, "a %s that is named in the index is not there", what);
}

bool hit_tool(struct store *s, const struct hit *hit, struct arena *a, struct slice *tool, struct err *e)
{
    bool of_call = hit->place.part == TEXT_ARGUMENTS;
    *tool = SLICE_NONE;
    if (!of_call && hit->role != ROLE_TOOL)
        return true;
    struct stmt *q = db_prepare(s->db, of_call ? "SELECT c.name FROM message m JOIN tool_call c ON c.id = (m.id >> 26 << 26) + m.first_call + $1"
                                                 " WHERE m.id = $2"
                                               : "SELECT tool_name FROM message WHERE id = $1", e);
    if (of_call)
        bind_int(q, hit->place.call);
    bind_int(q, child_id(hit->place.run, hit->place.message));
    enum step step = stmt_step(q, e);
    if (step != STEP_ROW)
        return not_there(step, "message", e);
    *tool = take_text(q, a);
    stmt_reset(q);
    return true;
}

/* The line in which the match begins, cut to LINE_BYTES around it. */
static struct slice line_of(struct slice text, const struct hit *hit, uint32_t *line_start)
{
    const char *before = hit->start ? memrchr(text.ptr, '\n', hit->start) : NULL;
    const char *after = memchr(text.ptr + hit->start, '\n', text.len - hit->start);
    size_t first = before ? (size_t)(before - text.ptr) + 1 : 0, last = after ? (size_t)(after - text.ptr) : text.len;
    if (last - first > LINE_BYTES && hit->start - first > LINE_BEFORE) {
        first = hit->start - LINE_BEFORE;
        if (last - first < LINE_BYTES)
            first = last - LINE_BYTES;
        while (first < hit->start && ((unsigned char)text.ptr[first] & 0xc0) == 0x80)
            first++;
    }
    *line_start = (uint32_t)first;
    return slice_cut(slice_sub(text, first, last - first), LINE_BYTES);
}

/* What all hits of a run say alike. */
static bool describe_run(struct store *s, int64_t run, struct arena *a, struct search_hit *out, struct err *e)
{
    struct stmt *q = db_prepare(s->db,
        "SELECT r.id, r.external_id, c.id, t.task_id, r.model, coalesce(r.success, 2) FROM run r JOIN collection c ON c.n = r.collection"
        " LEFT JOIN task t ON t.n = r.task WHERE r.n = $1", e);
    bind_int(q, run);
    enum step step = stmt_step(q, e);
    if (step != STEP_ROW)
        return not_there(step, "run", e);
    out->run = take_text(q, a);
    out->external_id = take_text(q, a);
    out->collection = take_text(q, a);
    out->task_id = take_text(q, a);
    out->model = take_text(q, a);
    int64_t success = take_int(q);
    out->success = success == 1 ? VERDICT_PASSED : success == 0 ? VERDICT_FAILED : VERDICT_UNKNOWN;
    stmt_reset(q);
    return true;
}

/* Where the message of a hit stands. */
static bool describe_message(struct store *s, const struct place *p, struct search_hit *out, struct err *e)
{
    struct stmt *q = db_prepare(s->db,
        "SELECT m.transcript, (m.id & 67108863) - t.first FROM message m"
        " JOIN transcript t ON t.id = (m.id >> 26 << 26) | m.transcript WHERE m.id = $1", e);
    bind_int(q, child_id(p->run, p->message));
    enum step step = stmt_step(q, e);
    if (step != STEP_ROW)
        return not_there(step, "message", e);
    out->transcript = (int32_t)take_int(q);
    out->message = (int32_t)take_int(q);
    stmt_reset(q);
    return true;
}

static bool write_hit(struct store *s, const struct hit *hit, struct arena *a, struct search_hit *out, struct err *e)
{
    static const char *const parts[] = {"text", "reasoning", "error"};
    const struct block *block;
    if (!describe_message(s, &hit->place, out, e) || !hit_tool(s, hit, a, &out->tool, e) ||
        !block_read(s, text_block(hit->text), &block, e))
        return false;
    out->role = hit->role;
    out->part = hit->place.part == TEXT_ARGUMENTS ? arena_printf(a, "call:%d.arguments", hit->place.call)
        : slice_str(parts[hit->place.part]);
    out->start = hit->start;
    out->end = hit->end;
    out->line = arena_dup(a, line_of(block->texts[text_place(hit->text)], hit, &out->line_start));
    return true;
}

bool hits_write(struct store *s, const struct hit *hits, size_t n, struct arena *a, struct search_hit *out, struct err *e)
{
    struct search_hit of_run = {0};
    for (size_t i = 0; i < n; i++) {
        if ((i == 0 || hits[i].place.run != hits[i - 1].place.run) && !describe_run(s, hits[i].place.run, a, &of_run, e))
            return false;
        out[i] = of_run;
        if (!write_hit(s, &hits[i], a, &out[i], e))
            return false;
    }
    return true;
}
