#include "storage/finding_write.h"
#include "storage/rows.h"

#include "transcript/judgment.h"

/* The message that evidence stands in; *out NULL: there is none of that number. */
static bool find_message(struct store *s, int64_t run, const struct evidence *ev, struct arena *a, struct message **out, struct err *e)
{
    *out = NULL;
    if (ev->transcript < 0 || ev->transcript > CHILD_MAX)
        return true;
    struct stmt *q = db_prepare(s->db, "SELECT first + $1 FROM transcript WHERE id = $2 AND $1 < messages", e);
    bind_int(q, ev->message);
    bind_int(q, child_id(run, ev->transcript));
    int64_t place;
    enum step step = stmt_int(q, &place, e);
    if (step != STEP_ROW)
        return step == STEP_DONE;
    return messages_load(s, run, place, 1, a, out, e);
}

static bool stands(struct store *s, const struct run *run, int64_t key, const struct evidence *ev, struct arena *a, bool *standing, struct err *e)
{
    struct message *m = NULL;
    *standing = false;
    if (ev->message >= 0) {
        if (!find_message(s, key, ev, a, &m, e))
            return false;
        if (!m)
            return true;
    }
    *standing = quote_stands(ev, run, m);
    return true;
}

/* One without a quote has nothing that could stand. */
static bool all_stand(struct store *s, const struct run *run, int64_t key, const struct finding *f, struct arena *a, bool *standing, struct err *e)
{
    *standing = f->nevidence > 0;
    for (size_t i = 0; i < f->nevidence && *standing; i++)
        if (!stands(s, run, key, &f->evidence[i], a, standing, e))
            return false;
    return true;
}

bool findings_of_judges_keep(struct store *s, const struct subject *subject, struct err *e)
{
    struct arena a = {0};
    struct stored_findings stored;
    struct run_row row;
    struct findings kept = {0};
    size_t judged = 0;
    bool ok = findings_load(s, subject, &a, &stored, e);
    for (size_t i = 0; i < stored.n && ok; i++) {
        bool standing = false;
        if (!is_judge(stored.items[i].detector))
            continue;
        ok = (judged++ || run_row_load(s, subject->run, &a, &row, e)) && all_stand(s, &row.run, subject->run, &stored.items[i], &a, &standing, e);
        if (standing)
            *findings_add(&a, &kept) = stored.items[i];
    }
    const struct findings_change change = {.now = kept.items, .n = kept.n, .judges = true};
    bool changed = false;
    ok = ok && (kept.n == judged || findings_change(s, subject, &change, &changed, e));
    arena_free(&a);
    return ok;
}

bool findings_of_judges_add(struct store *s, const struct subject *subject, const struct findings *findings, struct err *e)
{
    for (size_t i = 0; i < findings->n; i++)
        if (is_judge(findings->items[i].detector) && !finding_add(s, subject, &findings->items[i], e))
            return false;
    return true;
}
