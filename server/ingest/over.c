#include "ingest/over.h"

enum {
    SMALL_RUNS = 500,        /* a look at so many takes less than a tenth of a second */
    LARGE_PART = 10,         /* what came is a tenth of all: the look takes no longer than the import did */
    DELAY_US = 2000000,      /* before a job looks: others may come, */
    DELAY_RUN_US = 200,      /* and a look at a large collection is not to be all that the server does */
};

struct feeding {
    struct detect_over *over;
    const atomic_bool *cancel;
};

static bool goes_on(const atomic_bool *cancel, struct err *e)
{
    return !cancel || !atomic_load(cancel) ||
           err_set(e, ERR_CANCELLED, "the look at the collection was cut short; the next import or scan does it");
}

static bool feed(void *ctx, const struct task_summary *piece, struct err *e)
{
    const struct feeding *f = ctx;
    if (!goes_on(f->cancel, e))
        return false;
    detect_over_feed(f->over, piece);
    return true;
}

bool over_run(struct store *s, const struct over_wish *wish, uint64_t *findings, bool *changed, struct err *e)
{
    struct arena a = {0};
    struct look look;
    struct detect_result found = {0};
    struct feeding feeding = {.over = detect_over_new(wish->rules), .cancel = wish->cancel};
    const struct quotes quotes = store_quotes(s);
    struct feed_wish fed = {.quotes = &quotes, .each = feed, .ctx = &feeding};
    bool ok = store_look(s, wish->collection, &look, e);
    if (ok && feeding.over) {
        fed.detectors = detect_over_asks(feeding.over, &fed.ndetectors);
        do
            ok = store_collection_feed(s, wish->collection, &fed, e);
        while (ok && detect_over_turn(feeding.over, wish->cancel));
        ok = ok && goes_on(wish->cancel, e);
        if (ok)
            detect_over_end(feeding.over, &quotes, &a, &found);
    }
    ok = ok && store_collection_findings(s, wish->collection, &found.findings, wish->only, wish->nonly, look.changes, changed, e);
    for (size_t i = 0; i < found.findings.n && ok; i++)
        findings[found.findings.items[i].kind]++;
    detect_over_free(feeding.over);
    arena_free(&a);
    return ok;
}

bool over_after(struct store *s, const struct over_wish *wish, enum over_when when, uint64_t runs, uint64_t *findings, struct err *e)
{
    struct look look;
    bool changed;
    if (!store_look(s, wish->collection, &look, e))
        return false;
    if (!look.due)
        return true;
    bool large = look.runs > SMALL_RUNS && runs * LARGE_PART < (uint64_t)look.runs;
    if (when == OVER_LATER || (when == OVER_SOON && (look.busy || large)))
        return look.waits || store_look_queue(s, wish->collection, DELAY_US + DELAY_RUN_US * look.runs, e);
    return over_run(s, wish, findings, &changed, e);
}

bool ingest_look(const struct look_options *o, uint64_t *findings, struct err *e)
{
    struct store *s;
    bool changed;
    const struct over_wish wish = {.collection = o->collection, .rules = o->rules, .cancel = o->cancel};
    if (!store_open(o->db, STORE_WRITE, &s, e))
        return false;
    bool ok = over_run(s, &wish, findings, &changed, e);
    store_close(s);
    return ok;
}
