/* The story of what was scanned, as one HTML file (view/story.h) with the verdict of --fail-on and what is new beside the baseline. */
#include "cli/report.h"
#include "view/story.h"

static bool print(void *ctx, struct slice bytes, struct err *e)
{
    return fwrite(bytes.ptr, 1, bytes.len, ctx) == bytes.len || err_errno(e, "cannot write the report");
}

bool report_html(struct report *r, struct err *e)
{
    struct arena *a = &r->cli->arena;
    const char *fail_on = cli_option(r->cli, "fail-on");
    struct story_item *items = arena_array(a, struct story_item, r->n);
    for (size_t i = 0; i < r->n; i++)
        items[i] = (struct story_item){.id = r->items[i].id, .run = r->items[i].run, .behavior = r->items[i].behavior, .kind = r->items[i].kind,
                                       .severity = r->items[i].severity, .known = r->items[i].known};
    struct story st = {.store = r->store, .collection = r->collection.id, .items = items, .n = r->n, .has_baseline = r->has_baseline,
                       .is_part = !r->whole, .runs = r->since ? (int64_t)r->newer.n : r->collection.runs, .stop = &cli_stop};
    if (fail_on) {
        st.fails = r->failing > 0;
        st.gate = arena_printf(a, "%s%zu %s%s of severity %s%s", st.fails ? "✗ Fails: " : "✓ Passes: ", r->failing, r->has_baseline ? "new " : "",
                               r->failing == 1 ? "finding" : "findings", fail_on, strcmp(fail_on, "high") == 0 ? "" : " or over");
    }
    const struct export_sink sink = {.write = print, .ctx = stdout};
    return story_write(&st, &sink, e);
}
