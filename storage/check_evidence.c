/* Each quote that is stored as evidence stands, word for word, where the evidence says. */
#include "storage/check_in.h"
#include "storage/judgment_write.h"
#include "storage/rows.h"

/* The message, or the run, that was read last: quotes come in the order of their places. */
struct place {
    struct store *store;
    struct arena run_arena, message_arena;
    int64_t run, message;       /* keys; 0 and -1: none */
    struct run_row row;
    struct message *loaded;
};

static bool load_run(struct place *p, int64_t run, struct err *e)
{
    if (p->run == run)
        return true;
    arena_reset(&p->run_arena);
    p->run = 0;
    p->message = -1;
    if (!run_row_load(p->store, run, &p->run_arena, &p->row, e))
        return false;
    p->run = run;
    return true;
}

/* *found false: the run has no such message. */
static bool load_message(struct place *p, int64_t run, int32_t transcript, int32_t message, bool *found, struct err *e)
{
    struct stmt *q = db_prepare(p->store->db, "SELECT first + $1 FROM transcript WHERE id = $2 AND $1 BETWEEN 0 AND messages - 1", e);
    bind_int(q, message);
    bind_int(q, child_id(run, transcript));
    int64_t at = -1;
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW)
        at = take_int(q);
    *found = at >= 0;
    if (step != STEP_DONE || at < 0 || (p->message == at && p->loaded))
        return step == STEP_DONE;
    arena_reset(&p->message_arena);
    p->message = -1;
    if (!messages_load(p->store, run, at, 1, &p->message_arena, &p->loaded, e))
        return false;
    p->message = at;
    return true;
}

static bool stands(struct place *p, int64_t run, const struct evidence *ev, bool *yes, struct err *e)
{
    bool found = true;
    if (!load_run(p, run, e) || (ev->message >= 0 && !load_message(p, run, ev->transcript, ev->message, &found, e)))
        return false;
    /* Evidence without words says where something is missing. */
    *yes = found && (ev->quote.len ? quote_stands(ev, &p->row.run, ev->message >= 0 ? p->loaded : NULL) : ev->start == ev->end);
    return true;
}

static void place_free(struct place *p)
{
    arena_free(&p->run_arena);
    arena_free(&p->message_arena);
}

/* ---- of findings ------------------------------------------------------------------------------------------------------ */

/* Of one run, in the order of its words: that of its own findings, and what findings about tasks and collections quote of it. What a judge said is of
 * the text that it read: when the run has changed since, its evidence says what stood there then. */
#define SPANS                                                                                                                            \
    "SELECT f.id, s.transcript, s.message, s.part, s.start, s.stop, s.quote FROM finding f JOIN span s ON s.id BETWEEN f.n << 26 AND f.n << 26 | 67108863" \
    " WHERE f.run = $1 AND s.run IS NULL"                                                                                                 \
    " UNION ALL SELECT f.id, s.transcript, s.message, s.part, s.start, s.stop, s.quote FROM span s JOIN finding f ON f.n = s.id >> 26"    \
    " WHERE s.run = $1 ORDER BY 2, 3"

static void take_evidence(struct stmt *q, struct arena *a, struct evidence *out)
{
    *out = (struct evidence){0};
    out->transcript = (int32_t)take_count(q);
    out->message = (int32_t)take_count(q);
    out->part = take_text(q, a);
    out->start = (uint32_t)take_int(q);
    out->end = (uint32_t)take_int(q);
    out->quote = take_text(q, a);
}

static bool check_spans(struct check *c, struct place *p, int64_t run, struct arena *a, struct err *e)
{
    struct stmt *q = db_prepare(c->store->db, SPANS, e);
    bind_int(q, run);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        struct evidence ev;
        bool yes;
        arena_reset(a);
        struct slice finding = take_text(q, a);
        take_evidence(q, a, &ev);
        if (!stands(p, run, &ev, &yes, e) || !check_looked(c, 1, e))
            return false;
        if (!yes)
            check_wrong(c, "finding %.*s: its words are not those of %.*s in message %d of run %.*s", SLICE_ARG(finding), SLICE_ARG(ev.part), ev.message,
                        SLICE_ARG(p->row.run.id));
    }
    return step == STEP_DONE;
}

/* ---- of judgments ----------------------------------------------------------------------------------------------------- */

/* Those of the text that the run has now. */
static bool check_judgments(struct check *c, struct place *p, int64_t run, struct arena *a, struct err *e)
{
    struct stmt *q = db_prepare(c->store->db,
        "SELECT j.id, d.evidence FROM judgment j JOIN judgment_detail d ON d.judgment = j.n JOIN run r ON r.n = j.run"
        " WHERE j.run = $1 AND j.content_hash = r.content_hash AND d.evidence IS NOT NULL ORDER BY j.n", e);
    bind_int(q, run);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        struct evidence *list;
        size_t n;
        arena_reset(a);
        struct slice judgment = take_text(q, a);
        if (!evidence_read(a, take_text(q, a), &list, &n, e) || !check_looked(c, (int64_t)n, e))
            return false;
        for (size_t i = 0; i < n; i++) {
            bool yes;
            if (!stands(p, run, &list[i], &yes, e))
                return false;
            if (!yes)
                check_wrong(c, "judgment %.*s: its words are not those of %.*s in message %d of run %.*s", SLICE_ARG(judgment), SLICE_ARG(list[i].part),
                            list[i].message, SLICE_ARG(p->row.run.id));
        }
    }
    return step == STEP_DONE;
}

bool check_evidence(struct check *c, struct err *e)
{
    struct place p = {.store = c->store, .message = -1};
    struct arena a = {0};
    struct stmt *q = db_prepare(c->store->db, "SELECT n FROM run ORDER BY n", e);
    enum step step = STEP_ROW;
    bool ok = true;
    while (ok && (step = stmt_step(q, e)) == STEP_ROW) {
        int64_t run = take_int(q);
        ok = check_spans(c, &p, run, &a, e) && check_judgments(c, &p, run, &a, e);
    }
    arena_free(&a);
    place_free(&p);
    return ok && step == STEP_DONE;
}
