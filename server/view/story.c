#include "view/story_in.h"

#include "base/base64.h"
#include "base/clock.h"
#include "base/embed.h"
#include "base/hash.h"
#include "base/markup.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    CONTEXT_BYTES = 240,   /* before and after the words */
    QUOTE_BYTES = 4000,
    EVIDENCE_SHOWN = 20,   /* of one finding */
};

static const struct { const char *title, *about; } kinds[KIND_COUNT] = {
    [KIND_BROKEN_TASK] = {"Broken tasks", "the task, not the agent, is at fault"},
    [KIND_ODD_BEHAVIOR] = {"Odd behaviour", "what the agent did that nobody would want"},
    [KIND_NEAR_MISS] = {"Near misses", "failed, but close"},
    [KIND_HARNESS] = {"Harness", "the scaffold is at fault"},
    [KIND_DATA] = {"Data", "the transcript itself is malformed"},
};

void story_put(struct story_writer *w, const char *markup) { str_addz(&w->text, markup); }
void story_text(struct story_writer *w, struct slice s) { markup_text(&w->text, s); }

void story_number(struct story_writer *w, int64_t n)
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%lld", (long long)n);
    for (int i = 0; i < len; i++) {
        str_addc(&w->text, digits[i]);
        if ((len - i) % 3 == 1 && i + 1 < len && digits[i] != '-')
            str_addc(&w->text, ',');
    }
}

void story_count(struct story_writer *w, int64_t n, const char *one, const char *many)
{
    story_number(w, n);
    str_printf(&w->text, " %s", n == 1 ? one : many);
}

bool story_flush(struct story_writer *w, struct err *e)
{
    if (w->st->stop && atomic_load(w->st->stop))
        return err_set(e, ERR_CANCELLED, "stopped before the end of the report");
    if (w->text.full)
        return err_set(e, ERR_TOO_LARGE, "a part of the report would be over %d MB", STORY_PIECE >> 20);
    bool ok = !w->text.len || w->sink->write(w->sink->ctx, str_slice(&w->text), e);
    w->written += w->text.len;
    str_reset(&w->text);
    return ok;
}

/* ---- head ------------------------------------------------------------------------------------------------------------ */

static void write_head(struct story_writer *w)
{
    struct slice style = embedded_find("report/story.css")->bytes;
    unsigned char hash[SHA256_SIZE];
    sha256_of(style, hash);
    story_put(w, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                 "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'sha256-");
    base64_add(&w->text, slice_of((const char *)hash, sizeof hash));
    story_put(w, "'\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"referrer\" content=\"no-referrer\">\n<title>");
    story_text(w, w->collection.name);
    story_put(w, " · Telltale</title>\n<style>");
    str_add_slice(&w->text, style);
    story_put(w, "</style>\n</head>\n<body>\n<main>\n<header>\n<p>Telltale</p>\n<h1>");
    story_text(w, w->collection.name);
    story_put(w, "</h1>\n");
    if (w->collection.description.len) {
        story_put(w, "<p>");
        story_text(w, slice_cut(w->collection.description, QUOTE_BYTES));
        story_put(w, "</p>\n");
    }
}

static void write_fact(struct story_writer *w, const char *name, int64_t n)
{
    str_printf(&w->text, "<div><dt>%s</dt><dd>", name);
    story_number(w, n);
    story_put(w, "</dd></div>\n");
}

static void write_facts(struct story_writer *w)
{
    const struct story *st = w->st;
    const struct collection_row *c = &w->collection;
    size_t known = 0, severe[3] = {0};
    for (size_t i = 0; i < st->n; i++) {
        known += st->items[i].known;
        severe[st->items[i].severity]++;
    }
    story_put(w, "<p>");
    story_count(w, (int64_t)st->n, "finding", "findings");
    story_put(w, "</p>\n");
    if (st->gate.ptr) {
        str_printf(&w->text, "<p class=\"gate %s\">", st->fails ? "bad" : "good");
        story_text(w, st->gate);
        story_put(w, "</p>\n");
    }
    story_put(w, "</header>\n<dl class=\"facts\">\n");
    write_fact(w, "runs", st->is_part ? st->runs : c->runs);
    if (!st->is_part) {
        write_fact(w, "passed", c->passed);
        write_fact(w, "failed", c->failed);
        write_fact(w, "tasks", c->tasks);
        write_fact(w, "broken tasks", c->broken_tasks);
    }
    for (int i = 3; i-- > 0;)
        write_fact(w, severity_name((enum severity)i), (int64_t)severe[i]);
    if (st->has_baseline)
        write_fact(w, "in the baseline", (int64_t)known);
    story_put(w, "</dl>\n");
}

/* ---- what is told: groups of findings, and the runs that they cite ---------------------------------------------------- */

struct group {
    struct slice behavior;
    enum kind kind;
    size_t n, severe[3];
    size_t shown[STORY_FINDINGS]; /* index of items, most severe first */
};

static int by_kind(const void *a, const void *b)
{
    const struct group *x = a, *y = b;
    int order = (x->kind > y->kind) - (x->kind < y->kind);
    order = order ? order : (x->n < y->n) - (x->n > y->n);
    return order ? order : slice_cmp(x->behavior, y->behavior);
}

static struct group *make_groups(struct story_writer *w, size_t *out)
{
    struct map seen = {0};
    struct group *groups = NULL;
    size_t n = 0, cap = 0;
    for (size_t i = 0; i < w->st->n; i++) {
        const struct story_item *item = &w->st->items[i];
        struct slice key = arena_printf(&w->keep, "%d %.*s", (int)item->kind, SLICE_ARG(item->behavior));
        size_t at = map_put(&w->keep, &seen, key, n + 1) - 1;
        if (at == n) {
            groups = arena_grow(&w->keep, groups, n, &cap, sizeof *groups);
            groups[n++] = (struct group){.behavior = item->behavior, .kind = item->kind};
        }
        if (groups[at].n < STORY_FINDINGS)
            groups[at].shown[groups[at].n] = i;
        groups[at].n++;
        groups[at].severe[item->severity]++;
    }
    if (n)
        qsort(groups, n, sizeof *groups, by_kind);
    *out = n;
    return groups;
}

static size_t group_shown(const struct group *g) { return g->n < STORY_FINDINGS ? g->n : STORY_FINDINGS; }

/* The run that evidence stands in; absent where it names none. */
static struct slice evidence_run(const struct finding_row *row, const struct evidence *ev)
{
    return ev->run.ptr ? ev->run : row->has_run ? row->run.id : SLICE_NONE;
}

static void cite(struct story_writer *w, const struct finding_row *row, const struct evidence *ev, size_t *fresh)
{
    struct slice id = evidence_run(row, ev);
    if (!id.ptr)
        return;
    size_t at = map_get(&w->by_run, id);
    if (!at) {
        bool taken = w->nruns < STORY_RUNS && *fresh < STORY_RUNS_OF_FINDING;
        id = arena_dup(&w->keep, id);
        at = map_put(&w->keep, &w->by_run, id, taken ? w->nruns + 1 : SIZE_MAX);
        w->left_out += !taken;
        *fresh += taken;
        if (taken) {
            w->runs = arena_grow(&w->keep, w->runs, w->nruns, &w->cap, sizeof *w->runs);
            w->runs[w->nruns++] = (struct cited_run){.id = id};
        }
    }
    if (at == SIZE_MAX || ev->message < 0 || ev->transcript < 0 || w->runs[at - 1].n == STORY_CITES)
        return;
    struct cited_run *run = &w->runs[at - 1];
    run->at[run->n++] = (struct cite){.transcript = ev->transcript, .message = ev->message, .part = arena_dup(&w->keep, ev->part),
                                      .start = ev->start, .end = ev->end, .kind = row->finding.kind,
                                      .title = arena_dup(&w->keep, row->finding.title)};
}

/* The first finding of every behaviour before the second of any: whatever is left out, each behaviour has a run to read. */
static bool choose_runs(struct story_writer *w, const struct group *groups, size_t n, struct err *e)
{
    bool more = true;
    for (size_t rank = 0; more; rank++) {
        more = false;
        for (size_t g = 0; g < n; g++) {
            struct finding_row row;
            size_t fresh = 0;
            if (rank >= group_shown(&groups[g]))
                continue;
            more = true;
            arena_reset(&w->a);
            if (!store_finding(w->st->store, w->st->items[groups[g].shown[rank]].id, &w->a, &row, e))
                return false;
            for (size_t i = 0; i < row.finding.nevidence && i < EVIDENCE_SHOWN; i++)
                cite(w, &row, &row.finding.evidence[i], &fresh);
        }
        if (!story_flush(w, e))
            return false;
    }
    return true;
}

/* ---- findings -------------------------------------------------------------------------------------------------------- */

/* The text of the part that evidence stands in; absent where it cannot be had any more. */
static bool part_text(struct story_writer *w, const struct evidence *ev, struct slice run, struct slice *out, struct err *e)
{
    struct message *messages;
    size_t n;
    uint32_t total;
    struct err why = {0};
    *out = SLICE_NONE;
    if (ev->message < 0 || ev->transcript < 0 || !run.ptr)
        return true;
    if (!store_messages(w->st->store, run, ev->transcript, (uint32_t)ev->message, 1, &w->a, &messages, &n, &total, &why))
        return why.code == ERR_NOT_FOUND || err_set(e, why.code, "%s", why.text);
    if (n) {
        struct run none;
        run_init(&none);
        *out = run_part(&none, &messages[0], ev->part);
    }
    return true;
}

/* The words, and a little of what stands around them. */
static void write_quote(struct story_writer *w, const struct evidence *ev, struct slice part)
{
    struct slice quote = slice_cut(ev->quote, QUOTE_BYTES);
    bool stands = ev->end <= part.len && ev->start <= ev->end && slice_eq(slice_sub(part, ev->start, ev->end - ev->start), ev->quote);
    story_put(w, "<pre tabindex=\"0\">"); /* it scrolls: the keyboard must reach it */
    if (stands) {
        size_t from = ev->start > CONTEXT_BYTES ? ev->start - CONTEXT_BYTES : 0;
        while (from < ev->start && ((unsigned char)part.ptr[from] & 0xc0) == 0x80)
            from++;
        story_put(w, from ? "…" : "");
        story_text(w, slice_sub(part, from, ev->start - from));
    }
    story_put(w, "<mark>");
    story_text(w, quote);
    story_put(w, quote.len < ev->quote.len ? "…</mark>" : "</mark>");
    if (stands && quote.len == ev->quote.len) {
        struct slice rest = slice_sub(part, ev->end, part.len), after = slice_cut(rest, CONTEXT_BYTES);
        story_text(w, after);
        story_put(w, after.len < rest.len ? "…" : "");
    }
    story_put(w, "</pre>\n");
}

struct slice story_run_name(const struct run *run) { return run->external_id.len ? run->external_id : run->name.len ? run->name : run->id; }

void story_run_line(struct story_writer *w, const struct run *run)
{
    static const char *const outcome[] = {[VERDICT_FAILED] = "failed", [VERDICT_PASSED] = "passed", [VERDICT_UNKNOWN] = NULL};
    story_put(w, "<p class=\"where\">run ");
    story_text(w, story_run_name(run));
    if (run->task_id.len && !slice_eq(run->task_id, run->external_id)) {
        story_put(w, " · task ");
        story_text(w, run->task_id);
    }
    if (run->model.len) {
        story_put(w, " · ");
        story_text(w, run->model);
    }
    if (outcome[run->success])
        str_printf(&w->text, " · %s", outcome[run->success]);
    if (run->source.file.len) {
        story_put(w, " · ");
        story_text(w, run->source.file);
    }
    if (run->source.location.len && !slice_eq(run->source.location, run->external_id)) {
        story_put(w, " ");
        story_text(w, run->source.location);
    }
    story_put(w, "</p>\n");
}

/* Where evidence stands, as a link where the run can be read in the file. */
static bool write_place(struct story_writer *w, const struct finding_row *row, const struct evidence *ev, struct err *e)
{
    struct slice id = evidence_run(row, ev);
    size_t at = id.ptr ? map_get(&w->by_run, id) : 0;
    bool inside = at && at != SIZE_MAX, found = false;
    struct run_row other;
    struct err why = {0};
    if (id.ptr && row->has_run && slice_eq(id, row->run.id))
        other.run = row->run, found = true;
    else if (id.ptr && !(found = store_run(w->st->store, id, &w->a, &other, &why)) && why.code != ERR_NOT_FOUND)
        return err_set(e, why.code, "%s", why.text);
    if (inside) {
        const struct cited_run *run = &w->runs[at - 1];
        bool anchored = false;
        for (size_t i = 0; i < run->n && !anchored; i++)
            anchored = run->at[i].transcript == ev->transcript && run->at[i].message == ev->message;
        str_printf(&w->text, anchored ? "<a href=\"#r%zu-%d-%d\">" : "<a href=\"#r%zu\">", at, ev->transcript, ev->message);
    }
    story_put(w, "run ");
    story_text(w, found ? story_run_name(&other.run) : id);
    if (ev->transcript > 0) {
        story_put(w, ", transcript ");
        story_text(w, ev->transcript_id.len ? ev->transcript_id : slice_str("?"));
    }
    if (ev->message >= 0)
        str_printf(&w->text, ", message %d", ev->message);
    if (!slice_is(ev->part, "text")) {
        story_put(w, ", ");
        story_text(w, ev->part);
    }
    story_put(w, inside ? "</a>" : "");
    return true;
}

static bool write_finding(struct story_writer *w, const struct story_item *item, struct err *e)
{
    struct finding_row row;
    arena_reset(&w->a);
    if (!store_finding(w->st->store, item->id, &w->a, &row, e))
        return false;
    const struct finding *f = &row.finding;
    str_printf(&w->text, "<article>\n<h3><span class=\"chip %s\">%s</span>", severity_name(f->severity), severity_name(f->severity));
    if (w->st->has_baseline)
        story_put(w, item->known ? "<span class=\"chip\">in the baseline</span>" : "<span class=\"chip\">new</span>");
    if (f->status != STATUS_OPEN)
        str_printf(&w->text, "<span class=\"chip\">%s</span>", status_name(f->status));
    story_text(w, f->title);
    story_put(w, "</h3>\n");
    if (row.has_run) {
        story_run_line(w, &row.run);
    } else if (f->task_id.len) {
        story_put(w, "<p class=\"where\">task ");
        story_text(w, f->task_id);
        story_put(w, "</p>\n");
    }
    if (f->message.len) {
        story_put(w, "<p>");
        story_text(w, f->message);
        story_put(w, "</p>\n");
    }
    size_t shown = 0;
    for (; shown < f->nevidence && shown < EVIDENCE_SHOWN; shown++) {
        const struct evidence *ev = &f->evidence[shown];
        struct slice part;
        story_put(w, "<figure><figcaption>");
        if (!part_text(w, ev, evidence_run(&row, ev), &part, e) || !write_place(w, &row, ev, e))
            return false;
        story_put(w, "</figcaption>");
        write_quote(w, ev, part);
        story_put(w, "</figure>\n");
    }
    if (shown < f->nevidence)
        str_printf(&w->text, "<p class=\"where\">and in %zu places more</p>\n", f->nevidence - shown);
    story_put(w, "</article>\n");
    return story_flush(w, e);
}

static bool write_group(struct story_writer *w, const struct group *group, struct err *e)
{
    static const char *const names[] = {"low", "medium", "high"};
    const struct behavior *behavior = behavior_find(group->behavior);
    const char *between = "";
    size_t shown = group_shown(group);
    story_put(w, "<details open><summary><b>");
    story_text(w, group->behavior);
    story_put(w, "</b> <small>");
    story_put(w, behavior ? behavior->seen_when : "");
    story_put(w, "</small><span class=\"n\">");
    for (int i = 3; i-- > 0;)
        if (group->severe[i]) {
            str_printf(&w->text, "%s%zu %s", between, group->severe[i], names[i]);
            between = ", ";
        }
    story_put(w, "</span></summary>\n");
    for (size_t i = 0; i < shown; i++) {
        if (i == STORY_OPEN && shown > STORY_OPEN + 1)
            str_printf(&w->text, "<details class=\"further\"><summary>%zu more</summary>\n", shown - STORY_OPEN);
        if (!write_finding(w, &w->st->items[group->shown[i]], e))
            return false;
    }
    if (shown > STORY_OPEN + 1)
        story_put(w, "</details>\n");
    if (shown < group->n) {
        story_put(w, "<p class=\"more\">and ");
        story_number(w, (int64_t)(group->n - shown));
        story_put(w, " that are not in this file</p>\n");
    }
    story_put(w, "</details>\n");
    return story_flush(w, e);
}

static bool write_findings(struct story_writer *w, const struct group *groups, size_t n, struct err *e)
{
    if (!n)
        story_put(w, "<p class=\"none\">Nothing was found.</p>\n");
    for (size_t i = 0; i < n; i++) {
        const struct group *group = &groups[i];
        if (!i || group->kind != groups[i - 1].kind)
            str_printf(&w->text, "%s<section class=\"%s\">\n<h2 class=\"%s\"><span class=\"mark\"></span>%s <small>%s</small></h2>\n", i ? "</section>\n" : "",
                       kind_name(group->kind), kind_name(group->kind), kinds[group->kind].title, kinds[group->kind].about);
        if (!write_group(w, group, e))
            return false;
    }
    story_put(w, n ? "</section>\n" : "");
    return true;
}

/* ---- the whole --------------------------------------------------------------------------------------------------------- */

static bool write_all(struct story_writer *w, struct err *e)
{
    size_t n;
    char now[CLOCK_TEXT];
    struct summary summary = {0};
    if (!store_collection(w->st->store, w->st->collection, &w->keep, &w->collection, e)) /* with its counts as they are now */
        return false;
    struct group *groups = make_groups(w, &n);
    if (!w->st->is_part && !store_summary(w->st->store, w->st->collection, &w->keep, &summary, e))
        return false;
    write_head(w);
    if (!choose_runs(w, groups, n, e))
        return false;
    if (!w->st->is_part)
        story_sentence(w, &summary);
    write_facts(w);
    if (!write_findings(w, groups, n, e))
        return false;
    if (!w->st->is_part) {
        story_models(w, &summary);
        if (!story_tasks(w, &summary, e))
            return false;
    }
    if (!story_run_list(w, e) || !story_runs(w, e))
        return false;
    clock_text(clock_now_us(), now);
    str_printf(&w->text, "<footer>Made by Telltale, %.10s %.5s UTC. Each finding rests on the words marked. What a rule cannot tell is said by "
                         "<code>telltale rules show ID</code>.</footer>\n</main>\n</body>\n</html>\n", now, now + 11);
    return story_flush(w, e);
}

bool story_write(const struct story *st, const struct export_sink *sink, struct err *e)
{
    struct story_writer w = {.st = st, .sink = sink, .text = STR_INIT(STORY_PIECE)};
    bool ok = write_all(&w, e);
    str_free(&w.text);
    arena_free(&w.a);
    arena_free(&w.keep);
    return ok;
}

/* ---- of a whole collection --------------------------------------------------------------------------------------------- */

/* Of runs that are named by id, their findings. */
static struct slice joined(struct arena *a, const struct slice *ids, size_t n)
{
    struct str text = STR_INIT(1 << 24);
    for (size_t i = 0; i < n; i++) {
        str_addz(&text, i ? "," : "");
        str_add_slice(&text, ids[i]);
    }
    struct slice copy = arena_dup(a, str_slice(&text));
    str_free(&text);
    return copy;
}

static bool gather(struct store *s, const struct filter *wish, struct arena *keep, struct story *st, struct err *e)
{
    struct filter filter = *wish;
    struct arena arenas[2] = {{0}, {0}}; /* a page's cursor must outlive it by one page */
    struct page page = {.limit = 500};
    struct finding_rows rows;
    struct story_item *items = NULL;
    size_t cap = 0;
    bool ok = true;
    filter.collection = st->collection;
    if (!filter.status.ptr)
        filter.status = slice_str("open,confirmed");
    if (filter.ids)
        filter.run = joined(keep, filter.ids, filter.nids);
    filter.ids = NULL;
    for (int turn = 0; ok; turn ^= 1) {
        arena_reset(&arenas[turn]);
        if (!(ok = store_findings(s, &filter, &page, &arenas[turn], &rows, e)))
            break;
        for (size_t i = 0; i < rows.n; i++) {
            const struct finding *f = &rows.items[i].finding;
            items = arena_grow(keep, items, st->n, &cap, sizeof *items);
            items[st->n++] = (struct story_item){
                .id = arena_dup(keep, f->id), .run = rows.items[i].has_run ? arena_dup(keep, rows.items[i].run.id) : SLICE_NONE,
                .behavior = arena_dup(keep, f->behavior), .kind = f->kind, .severity = f->severity};
        }
        page.after = rows.end.next;
        if (!page.after.ptr)
            break;
    }
    st->items = items;
    arena_free(&arenas[0]);
    arena_free(&arenas[1]);
    return ok;
}

bool export_html(struct store *s, const struct filter *f, const struct export_sink *sink, struct err *e)
{
    struct arena keep = {0};
    struct story st = {.store = s};
    struct slice name, value;
    struct collection_row row;
    struct run_rows runs;
    bool ok = store_collection(s, f->collection, &keep, &row, e);
    st.collection = row.id;
    st.is_part = f->ids || filter_get(f, 0, &keep, &name, &value);
    st.of = st.is_part ? f : NULL;
    if (ok && st.is_part && (ok = store_runs(s, f, &(struct page){.limit = 1, .count = true}, &keep, &runs, e)))
        st.runs = runs.end.total;
    ok = ok && gather(s, f, &keep, &st, e) && story_write(&st, sink, e);
    arena_free(&keep);
    return ok;
}
