#include "view/compare.h"

#include "base/map.h"
#include "detect/compare.h"
#include "detect/contrast.h"
#include "view/view.h"

#include <math.h>

static const char *const measure_names[RUN_MEASURES] = {"messages", "calls", "tokens_in", "tokens_out", "cost_usd", "duration_ms"};
static const char *const what_names[] = {"measure", "exit_status", "behavior"};
static const char *const test_names[] = {NULL, "mcnemar", "bootstrap", "fisher"};
static const char *const side_names[SIDES] = {"a", "b"};

static bool load(struct store *s, const struct compare_wish *wish, struct arena *a, struct run_facts *out, struct err *e)
{
    struct filter side[SIDES] = {wish->filter, wish->filter};
    if (!wish->by.len || !wish->a.ptr)
        return err_set(e, ERR_USAGE, "say by which field runs are told apart, and one or two of its values");
    if (!filter_set(&side[0], wish->by, wish->a, e) || (wish->b.ptr && !filter_set(&side[1], wish->by, wish->b, e)))
        return false;
    return store_run_facts(s, side, !wish->b.ptr, a, out, e);
}

/* ---- the comparison ---------------------------------------------------------------------------------------------------------- */

static void write_side(struct jsonw *j, const struct compare_side *side, struct slice value)
{
    size_t known = side->passed + side->failed;
    jsonw_object(j);
    jsonw_kstr(j, "value", value);
    jsonw_kint(j, "runs", (int64_t)side->runs);
    jsonw_kint(j, "passed", (int64_t)side->passed);
    jsonw_kint(j, "failed", (int64_t)side->failed);
    jsonw_kint(j, "tasks", (int64_t)side->tasks);
    jsonw_key(j, "pass_rate");
    if (known) {
        jsonw_object(j);
        jsonw_knum(j, "value", (double)side->passed / (double)known);
        jsonw_knum(j, "low", side->pass_low);
        jsonw_knum(j, "high", side->pass_high);
        jsonw_end(j);
    } else {
        jsonw_null(j);
    }
    jsonw_end(j);
}

static void write_outcome(struct jsonw *j, const struct comparison *c)
{
    jsonw_key(j, "outcome");
    jsonw_object(j);
    jsonw_kstrz(j, "test", test_names[c->test]);
    jsonw_kint(j, "tasks", (int64_t)c->judged);
    jsonw_knum(j, "a", c->rate[0]);
    jsonw_knum(j, "b", c->rate[1]);
    jsonw_knum(j, "difference", c->difference);
    jsonw_knum(j, "low", c->low);
    jsonw_knum(j, "high", c->high);
    jsonw_knum(j, "p", c->p);
    jsonw_kint(j, "wins", (int64_t)c->wins);
    jsonw_kint(j, "losses", (int64_t)c->losses);
    jsonw_kint(j, "ties", (int64_t)c->ties);
    jsonw_end(j);
}

static void write_tasks(struct jsonw *j, const struct run_facts *facts, const struct comparison *c)
{
    jsonw_key(j, "tasks");
    jsonw_array(j);
    for (size_t i = 0; i < c->ntasks; i++) {
        const struct compare_task *t = &c->tasks[i];
        jsonw_object(j);
        jsonw_kstr(j, "task_id", facts->tasks.items[t->task]);
        for (size_t s = 0; s < SIDES; s++) {
            jsonw_key(j, side_names[s]);
            jsonw_object(j);
            jsonw_kint(j, "runs", t->runs[s]);
            jsonw_kint(j, "passed", t->passed[s]);
            jsonw_kint(j, "failed", t->known[s] - t->passed[s]);
            jsonw_end(j);
        }
        jsonw_end(j);
    }
    jsonw_end(j);
    jsonw_kint(j, "more_tasks", (int64_t)(c->shared - c->ntasks));
}

static void write_row(struct jsonw *j, const struct compare_row *row)
{
    jsonw_object(j);
    jsonw_kstrz(j, "what", what_names[row->what]);
    jsonw_kstr(j, "name", row->what == COMPARE_MEASURE ? slice_str(measure_names[row->measure]) : row->name);
    jsonw_kstrz(j, "kind", row->what == COMPARE_BEHAVIOR ? kind_name(row->kind) : NULL);
    jsonw_knum(j, "a", row->mean[0]);
    jsonw_knum(j, "b", row->mean[1]);
    jsonw_knum(j, "difference", row->difference);
    jsonw_knum(j, "low", row->low);
    jsonw_knum(j, "high", row->high);
    jsonw_knum(j, "p", row->p);
    jsonw_knum(j, "adjusted", row->adjusted);
    jsonw_knum(j, "weight", row->weight);
    jsonw_kint(j, "tasks", (int64_t)row->tasks);
    jsonw_kint(j, "runs_a", (int64_t)row->runs[0]);
    jsonw_kint(j, "runs_b", (int64_t)row->runs[1]);
    jsonw_end(j);
}

static void write_sizes(struct jsonw *j, const struct comparison *c)
{
    jsonw_key(j, "sizes");
    jsonw_array(j);
    for (size_t m = 0; m < RUN_MEASURES; m++) {
        const struct compare_histogram *h = &c->histograms[m];
        if (!h->bins)
            continue;
        jsonw_object(j);
        jsonw_kstrz(j, "measure", measure_names[m]);
        jsonw_key(j, "edges");
        jsonw_array(j);
        for (size_t b = 0; b <= h->bins; b++)
            jsonw_num(j, h->edges[b]);
        jsonw_end(j);
        for (size_t s = 0; s < SIDES; s++) {
            jsonw_key(j, side_names[s]);
            jsonw_array(j);
            for (size_t b = 0; b < h->bins; b++)
                jsonw_int(j, (int64_t)h->counts[s][b]);
            jsonw_end(j);
        }
        jsonw_end(j);
    }
    jsonw_end(j);
}

bool view_compare(struct jsonw *j, struct store *s, const struct compare_wish *wish, struct arena *a, struct err *e)
{
    struct run_facts facts;
    struct comparison c;
    const struct slice value[SIDES] = {wish->a, wish->b};
    if (!load(s, wish, a, &facts, e))
        return false;
    compare_groups(&facts, a, &c);
    jsonw_object(j);
    jsonw_kstr(j, "by", wish->by);
    for (size_t i = 0; i < SIDES; i++) {
        jsonw_key(j, side_names[i]);
        write_side(j, &c.side[i], value[i]);
    }
    jsonw_kint(j, "both", (int64_t)facts.both);
    jsonw_kint(j, "without_task", (int64_t)c.without_task);
    jsonw_kint(j, "shared_tasks", (int64_t)c.shared);
    write_outcome(j, &c);
    write_tasks(j, &facts, &c);
    jsonw_key(j, "changed");
    jsonw_array(j);
    for (size_t i = 0; i < c.nrows; i++)
        if (c.rows[i].tasks)
            write_row(j, &c.rows[i]);
    jsonw_end(j);
    write_sizes(j, &c);
    jsonw_end(j);
    return true;
}

/* ---- the contrast -------------------------------------------------------------------------------------------------------------- */

enum { SHOWN_QUOTE = 200 };

struct contrasting {
    struct contrast *contrast;
    const struct run_facts *facts;
    struct map runs;             /* id → place + 1 */
    struct arena *a;
    struct slices names;         /* of actions, as far as they were seen */
    int pass;
    const atomic_bool *cancel;
};

static int side_of(void *ctx, struct slice run)
{
    const struct contrasting *c = ctx;
    size_t at = map_get(&c->runs, run);
    return at ? (int)c->facts->items[at - 1].side : -1;
}

static bool feed(void *ctx, const struct task_summary *piece, struct err *e)
{
    struct contrasting *c = ctx;
    if (c->cancel && atomic_load(c->cancel))
        return err_set(e, ERR_CANCELLED, "stopped");
    while (c->pass == CONTRAST_PASSES - 1 && c->names.n < piece->actions->n) {
        c->names.items = arena_grow(c->a, c->names.items, c->names.n, &c->names.cap, sizeof *c->names.items);
        c->names.items[c->names.n] = arena_dup(c->a, piece->actions->items[c->names.n]);
        c->names.n++;
    }
    contrast_feed(c->contrast, c->pass, piece);
    return true;
}

static void write_shown(struct jsonw *j, const struct contrasting *c, const struct contrast_found *f, const struct quotes *quotes)
{
    jsonw_key(j, "shown");
    jsonw_array(j);
    for (size_t i = 0; i < f->nshown; i++) {
        struct evidence evidence = {0};
        if (!quotes->call(quotes->ctx, f->shown[i].run, f->shown[i].calls[0], c->a, &evidence))
            continue;
        evidence.quote = slice_cut(evidence.quote, SHOWN_QUOTE);
        jsonw_object(j);
        jsonw_kstr(j, "run", f->shown[i].run);
        jsonw_kint(j, "transcript", evidence.transcript);
        jsonw_kint(j, "message", evidence.message);
        jsonw_kstr(j, "quote", evidence.quote);
        jsonw_end(j);
    }
    jsonw_end(j);
}

static void write_contrast(struct jsonw *j, const struct contrasting *c, const struct quotes *quotes)
{
    size_t n;
    const struct contrast_found *found = contrast_results(c->contrast, &n);
    for (size_t i = 0; i < n; i++) {
        const struct contrast_found *f = &found[i];
        jsonw_object(j);
        jsonw_kstr(j, "actions", contrast_words(c->a, c->names.items, c->names.n, f));
        jsonw_knum(j, "a", f->place == 0 ? f->share : f->others);
        jsonw_knum(j, "b", f->place == 0 ? f->others : f->share);
        jsonw_knum(j, "p", f->p);
        write_shown(j, c, f, quotes);
        jsonw_end(j);
    }
}

bool view_contrast(struct jsonw *j, struct store *s, const struct compare_wish *wish, const atomic_bool *cancel, struct arena *a, struct err *e)
{
    struct run_facts facts;
    struct contrasting c = {.facts = &facts, .a = a, .cancel = cancel};
    const struct contrast_wish ask = {.by = CONTRAST_SIDES, .q = 0.05, .gap = 0.05, .at_least = 5, .longest = GRAM_LONGEST, .at_most = 20,
                                      .side = side_of, .ctx = &c};
    const struct quotes quotes = store_quotes(s);
    const struct feed_wish feed_wish = {.quotes = &quotes, .each = feed, .ctx = &c};
    size_t runs[SIDES] = {0};
    if (!load(s, wish, a, &facts, e))
        return false;
    for (size_t i = 0; i < facts.n; i++) {
        map_put(a, &c.runs, facts.items[i].id, i + 1);
        runs[facts.items[i].side] += facts.items[i].task != 0;
    }
    c.contrast = contrast_new(&ask);
    bool ok = true, more = runs[0] && runs[1];
    for (c.pass = 0; ok && more && c.pass < CONTRAST_PASSES; c.pass++) {
        ok = store_collection_feed(s, wish->filter.collection, &feed_wish, e);
        more = ok && contrast_turn(c.contrast, c.pass, cancel);
    }
    jsonw_object(j);
    jsonw_kstr(j, "by", wish->by);
    jsonw_kstr(j, "a", wish->a);
    jsonw_kstr(j, "b", wish->b);
    jsonw_kint(j, "runs_a", (int64_t)runs[0]);
    jsonw_kint(j, "runs_b", (int64_t)runs[1]);
    jsonw_key(j, "items");
    jsonw_array(j);
    if (ok)
        write_contrast(j, &c, &quotes);
    jsonw_end(j);
    jsonw_end(j);
    contrast_free(c.contrast);
    return ok;
}
