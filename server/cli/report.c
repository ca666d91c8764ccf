#include "cli/report.h"

#include "base/clock.h"

#include <inttypes.h>

enum { PAGE = 500 };

/* ---- --changed-since ------------------------------------------------------------------------------------------------- */

/* A point in time that runs are later than, or not. */
struct since {
    struct slice run;       /* id; absent: a time was given */
    bool by_import;         /* when a run came in counts; among those of one import, and in files, when it started */
    int64_t imported;
    bool has_start;
    int64_t started;
};

static bool is_newer(const struct since *since, const struct run_row *row)
{
    int64_t started;
    if (since->by_import && (row->imported != since->imported || !since->run.ptr))
        return row->imported > since->imported;
    if (slice_eq(row->run.id, since->run))
        return false;
    return !since->has_start || !clock_parse(row->run.started_at, &started) || started > since->started;
}

static bool since_run(struct report *r, const char *name, struct slice *id, struct err *e)
{
    struct arena *a = &r->cli->arena;
    struct run_names names;
    if (uuid_valid(slice_str(name)))
        return *id = slice_str(name), true;
    if (!store_run_names(r->store, r->collection.id, slice_str(name), a, &names, e))
        return false;
    if (!names.n)
        return err_set(e, ERR_NOT_FOUND, "--changed-since: there is no run '%s'", name);
    if (names.n > 1)
        return err_set(e, ERR_USAGE, "--changed-since: %zu runs are called '%s'; name one by its id", names.n, name);
    *id = names.items[0].id;
    return true;
}

/* A time, or a run by its id or by what the source calls it. */
static bool since_parse(struct report *r, const char *text, bool of_files, struct since *out, struct err *e)
{
    struct arena *a = &r->cli->arena;
    struct slice time;
    struct run_row row;
    bool date_only = strlen(text) == 10;
    *out = (struct since){.by_import = !of_files};
    if (clock_normalize(a, date_only ? arena_printf(a, "%sT00:00:00Z", text) : slice_str(text), &time) && clock_parse(time, &out->started)) {
        out->has_start = true;
        out->imported = out->started -= 1; /* at that very time is since then */
        return true;
    }
    if (!since_run(r, text, &out->run, e) || !store_run(r->store, out->run, a, &row, e))
        return false;
    if (!slice_eq(row.collection, r->collection.id))
        return err_set(e, ERR_NOT_FOUND, "the run '%s' is in another collection", text);
    out->imported = row.imported;
    out->has_start = clock_parse(row.run.started_at, &out->started);
    return true;
}

static bool find_newer(struct report *r, const struct since *since, struct err *e)
{
    struct arena arenas[2] = {{0}, {0}}; /* a page's cursor must outlive it by one page */
    struct filter filter = FILTER_ANY;
    struct page page = {.limit = PAGE};
    struct run_rows rows;
    bool ok = true;
    filter.collection = r->collection.id;
    for (int turn = 0; ok; turn ^= 1) {
        arena_reset(&arenas[turn]);
        if (!(ok = store_runs(r->store, &filter, &page, &arenas[turn], &rows, e)))
            break;
        for (size_t i = 0; i < rows.n; i++)
            if (is_newer(since, &rows.items[i]))
                map_put(&r->cli->arena, &r->newer, arena_dup(&r->cli->arena, rows.items[i].run.id), 1);
        page.after = rows.end.next;
        /* Newest import first: the rest is older. */
        if (!page.after.ptr || (since->by_import && rows.items[rows.n - 1].imported < since->imported))
            break;
    }
    arena_free(&arenas[0]);
    arena_free(&arenas[1]);
    return ok;
}

/* A finding about a task or the collection counts when one of the runs that it speaks of does. */
static bool counts(const struct report *r, const struct finding_row *row)
{
    if (!r->since || (row->has_run && map_get(&r->newer, row->run.id)))
        return true;
    bool found = false;
    for (size_t i = 0; i < row->finding.nevidence && !row->has_run && !found; i++)
        found = row->finding.evidence[i].run.ptr && map_get(&r->newer, row->finding.evidence[i].run);
    return found;
}

/* ---- gathering ------------------------------------------------------------------------------------------------------- */

struct gather {
    struct report *r;
    const char *fail_on;
    enum severity level;
    struct map alike;       /* fingerprint → how many had it */
    struct baseline *fresh; /* what --write-baseline writes; NULL: it does not */
};

struct slice finding_subject(const struct finding_row *row)
{
    const struct run *run = &row->run;
    if (!row->has_run)
        return row->finding.task_id;
    return run->external_id.len ? run->external_id : run->name.len ? run->name : run->id;
}

static void add_finding(struct gather *g, const struct finding_row *row)
{
    struct report *r = g->r;
    struct arena *a = &r->cli->arena;
    unsigned char bytes[HASH_SIZE];
    r->items = arena_grow(a, r->items, r->n, &r->cap, sizeof *r->items);
    struct reported *item = &r->items[r->n++];
    *item = (struct reported){
        .id = arena_dup(a, row->finding.id),
        .run = row->has_run ? arena_dup(a, row->run.id) : SLICE_NONE,
        .behavior = arena_dup(a, row->finding.behavior),
        .kind = row->finding.kind,
        .severity = row->finding.severity,
        .status = row->finding.status,
    };
    finding_fingerprint(row, bytes);
    hash_hex(bytes, HASH_SIZE, item->fingerprint);
    struct slice text = arena_dup(a, slice_str(item->fingerprint));
    size_t nth = map_get(&g->alike, text) + 1;
    map_set(a, &g->alike, text, nth);
    if (nth > 1)
        snprintf(item->fingerprint + text.len, sizeof item->fingerprint - text.len, ":%u", (unsigned)nth);
    size_t line = map_get(&r->baseline.by_fingerprint, slice_str(item->fingerprint));
    item->known = line > 0;
    if (line)
        r->baseline.lines[line - 1].seen = true;
    item->fails = g->fail_on && item->severity >= g->level && item->status != STATUS_DISMISSED && !item->known;
    r->failing += item->fails;
    if (g->fresh) {
        const struct baseline_line fresh = {
            .fingerprint = arena_dup(a, slice_str(item->fingerprint)),
            .severity = slice_str(severity_name(item->severity)),
            .detector = arena_dup(a, row->finding.detector),
            .subject = arena_dup(a, finding_subject(row)),
            .title = arena_dup(a, row->finding.title),
        };
        baseline_add(a, g->fresh, &fresh);
    }
}

static bool gather_pages(struct gather *g, const struct report_request *q, struct err *e)
{
    struct arena arenas[2] = {{0}, {0}}; /* a page's cursor must outlive it by one page */
    struct page page = {.sort = q->sort};
    struct finding_rows rows;
    bool ok = true;
    int64_t left = q->limit;
    for (int turn = 0; ok && left > 0; turn ^= 1) {
        page.limit = left < PAGE ? (uint32_t)left : PAGE;
        arena_reset(&arenas[turn]);
        if (!(ok = store_findings(g->r->store, q->filter, &page, &arenas[turn], &rows, e)))
            break;
        for (size_t i = 0; i < rows.n; i++)
            if (counts(g->r, &rows.items[i]))
                add_finding(g, &rows.items[i]);
        left -= (int64_t)rows.n;
        page.after = rows.end.next;
        if (!page.after.ptr)
            break;
        if (atomic_load(&cli_stop))
            ok = err_set(e, ERR_CANCELLED, "stopped before the end of the findings");
    }
    arena_free(&arenas[0]);
    arena_free(&arenas[1]);
    return ok;
}

bool report_gather(struct report *r, const struct report_request *q, struct err *e)
{
    struct since since;
    struct baseline fresh = {0};
    struct gather g = {.r = r, .fail_on = q->fail_on, .fresh = q->write_baseline ? &fresh : NULL};
    if (q->fail_on && !severity_parse(slice_str(q->fail_on), &g.level))
        return err_set(e, ERR_USAGE, "--fail-on is low, medium or high, not '%s'", q->fail_on);
    r->has_baseline = q->baseline != NULL;
    r->since = q->changed_since != NULL;
    r->whole = !r->since && !q->partial;
    if (!store_collection(r->store, r->collection.id, &r->cli->arena, &r->collection, e)) /* with its counts as they are now */
        return false;
    if (q->baseline && !baseline_read(q->baseline, &r->cli->arena, &r->baseline, e))
        return false;
    if (r->since && (!since_parse(r, q->changed_since, q->of_files, &since, e) || !find_newer(r, &since, e)))
        return false;
    return gather_pages(&g, q, e) && (!g.fresh || baseline_write(q->write_baseline, &fresh, e));
}

/* ---- for the writers --------------------------------------------------------------------------------------------------- */

bool report_load(const struct report *r, const struct reported *item, struct arena *a, struct finding_row *out, struct err *e)
{
    if (atomic_load(&cli_stop))
        return err_set(e, ERR_CANCELLED, "stopped before the end of the report");
    return store_finding(r->store, item->id, a, out, e);
}

bool report_run(const struct report *r, const struct finding_row *row, const struct evidence *ev, struct arena *a, struct run *out, bool *has,
                struct err *e)
{
    struct run_row other;
    *has = true;
    if (row->has_run && (!ev || !ev->run.ptr || slice_eq(ev->run, row->run.id)))
        return *out = row->run, true;
    if (!ev || !ev->run.ptr)
        return *has = false, true;
    struct err why = {0};
    if (store_run(r->store, ev->run, a, &other, &why))
        return *out = other.run, true;
    *has = false; /* it was deleted since */
    return why.code == ERR_NOT_FOUND || err_set(e, why.code, "%s", why.text);
}

uint64_t source_line(const struct source *source)
{
    static const char *const packed[] = {".gz", ".zst", ".xz", ".bz2", ".zip", ".tar", ".tgz", ".eval"};
    struct slice text = source->location;
    uint64_t line = 0;
    for (size_t i = 0; i < sizeof packed / sizeof *packed; i++)
        if (slice_ends(source->file, packed[i]))
            return 0;
    if (!slice_starts(text, "line "))
        return 0;
    size_t at = strlen("line ");
    for (; at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9' && line < INT32_MAX / 10; at++)
        line = line * 10 + (uint64_t)(text.ptr[at] - '0');
    return at == text.len || text.ptr[at] == ',' ? line : 0;
}

void add_place(struct str *out, const struct evidence *ev, const struct run *run)
{
    str_printf(out, "run %.*s", SLICE_ARG(!run ? ev->run : run->external_id.len ? run->external_id : run->id));
    if (ev->transcript > 0)
        str_printf(out, ", transcript %.*s", SLICE_ARG(ev->transcript_id.len ? ev->transcript_id : slice_str("?")));
    if (ev->message >= 0)
        str_printf(out, ", message %" PRId32, ev->message);
    if (!slice_is(ev->part, "text"))
        str_printf(out, ", %.*s", SLICE_ARG(ev->part));
}

bool report_print(struct str *text, struct err *e)
{
    bool ok = !text->full || err_set(e, ERR_TOO_LARGE, "a part of the report would be over %d MB", REPORT_TEXT >> 20);
    if (ok && fwrite(text->ptr ? text->ptr : "", 1, text->len, stdout) != text->len)
        ok = err_errno(e, "cannot write the report");
    str_reset(text);
    return ok;
}

/* ---- the forms ------------------------------------------------------------------------------------------------------- */

const struct report_kind report_kinds[] = {
    {"sarif", report_sarif}, {"junit", report_junit}, {"github", report_github}, {"html", report_html}, {0},
};

const struct report_kind *report_kind_find(const char *name)
{
    for (const struct report_kind *kind = report_kinds; kind->name; kind++)
        if (strcmp(kind->name, name) == 0)
            return kind;
    return NULL;
}

bool report_write(struct report *r, struct err *e) { return (r->cli->report ? r->cli->report->write : report_rows)(r, e); }
