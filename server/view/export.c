#include "view/export.h"

#include "base/csv.h"
#include "base/jsonw.h"
#include "view/export_in.h"

#include <math.h>
#include <stdio.h>

bool export_flush(struct out *o, size_t at, struct err *e)
{
    if (o->buffer.full)
        return err_set(e, ERR_TOO_LARGE, "a message is over %zu bytes as JSON", LINE_MAX_BYTES);
    if (o->buffer.len < at || !o->buffer.len)
        return true;
    bool ok = o->sink->write(o->sink->ctx, str_slice(&o->buffer), e);
    str_reset(&o->buffer);
    return ok;
}

/* ---- walking a collection -------------------------------------------------------------------------------------------- */

struct walk walk_of(struct store *s, const struct filter *f, const struct export_sink *sink)
{
    return (struct walk){.out = {.sink = sink, .buffer = STR_INIT(LINE_MAX_BYTES)}, .s = s, .filter = f};
}

bool walk_start(struct walk *w, struct collection_row *row, struct err *e)
{
    struct slice name, value;
    if (!store_collection(w->s, w->filter->collection, &w->keep, row, e))
        return false;
    w->collection = row->id;
    w->whole = !w->filter->ids && !filter_get(w->filter, 0, &w->keep, &name, &value);
    return true;
}

/* Threads of an import commit in any order; by id the same runs always come in the same. */
bool walk_runs(struct walk *w, bool (*each)(struct walk *w, struct slice id, struct err *e), struct err *e)
{
    struct filter filter = *w->filter;
    struct slices ids;
    filter.collection = w->collection;
    if (!store_run_ids(w->s, &filter, &w->keep, &ids, e))
        return false;
    for (size_t i = 0; i < ids.n; i++) {
        struct err why = {0};
        arena_reset(&w->one);
        if (!each(w, ids.items[i], &why) && why.code != ERR_NOT_FOUND) /* deleted since the ids were read */
            return err_set(e, why.code, "%s", why.text);
    }
    return true;
}

bool walk_free(struct walk *w, bool ok)
{
    str_free(&w->out.buffer);
    arena_free(&w->keep);
    arena_free(&w->one);
    return ok;
}

/* ---- CSV ------------------------------------------------------------------------------------------------------------ */

static void cell(struct str *out, struct slice s)
{
    if (out->len && out->ptr[out->len - 1] != '\n')
        str_addc(out, ',');
    csv_cell(out, s);
}

static void count_cell(struct str *out, int64_t n)
{
    char text[24] = "";
    if (n != COUNT_UNKNOWN)
        snprintf(text, sizeof text, "%lld", (long long)n);
    str_addc(out, ',');
    str_addz(out, text);
}

static bool csv_row(struct walk *w, struct slice id, struct err *e)
{
    static const char *const verdicts[] = {[VERDICT_FAILED] = "false", [VERDICT_PASSED] = "true", [VERDICT_UNKNOWN] = ""};
    struct run_row row;
    const struct run *run = &row.run;
    if (!store_run(w->s, id, &w->one, &row, e))
        return false;
    struct str *out = &w->out.buffer;
    const struct slice text[] = {run->id, run->external_id, run->name, run->task_id, run->model, run->agent, run->started_at, run->ended_at,
                                 slice_str(verdicts[run->success]), run->exit_status, run->error, run->limit, run->source.file,
                                 run->source.location, run->source.format};
    for (size_t i = 0; i < sizeof text / sizeof *text; i++)
        cell(out, text[i]);
    const int64_t counts[] = {run->attempt, run->tokens_in, run->tokens_out, row.messages, row.calls};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        count_cell(out, counts[i]);
    if (isnan(run->cost_usd))
        str_addc(out, ',');
    else
        str_printf(out, ",%.10g", run->cost_usd);
    for (int kind = 0; kind < KIND_COUNT; kind++)
        count_cell(out, row.findings[kind]);
    struct str tags = STR_INIT(1 << 20), scores = STR_INIT(16 << 20);
    for (size_t i = 0; i < run->ntags; i++) {
        str_addz(&tags, i ? " " : "");
        str_add_slice(&tags, run->tags[i]);
    }
    struct jsonw j = jsonw_to(&scores);
    jsonw_object(&j);
    for (size_t i = 0; i < run->nscores; i++) {
        jsonw_key_slice(&j, run->scores[i].name);
        jsonw_raw(&j, run->scores[i].value);
    }
    jsonw_end(&j);
    cell(out, str_slice(&tags));
    cell(out, str_slice(&scores));
    cell(out, run->metadata);
    str_free(&tags);
    str_free(&scores);
    str_addz(out, "\r\n");
    return export_flush(&w->out, FLUSH_AT, e);
}

static bool csv_body(struct walk *w, struct err *e)
{
    struct collection_row row;
    if (!walk_start(w, &row, e))
        return false;
    str_addz(&w->out.buffer, "id,external_id,name,task_id,model,agent,started_at,ended_at,success,exit_status,error,limit,file,location,format,"
                             "attempt,tokens_in,tokens_out,messages,tool_calls,cost_usd");
    for (int kind = 0; kind < KIND_COUNT; kind++)
        str_printf(&w->out.buffer, ",%s", kind_name(kind));
    str_addz(&w->out.buffer, ",tags,scores,metadata\r\n");
    return walk_runs(w, csv_row, e) && export_flush(&w->out, 0, e);
}

bool export_csv(struct store *s, const struct filter *f, const struct export_sink *sink, struct err *e)
{
    struct walk w = walk_of(s, f, sink);
    return walk_free(&w, csv_body(&w, e));
}

const struct export_kind export_kinds[] = {
    {"native", "application/jsonl", "jsonl", export_native},
    {"csv", "text/csv; charset=utf-8", "csv", export_csv},
    {"html", "text/html; charset=utf-8", "html", export_html},
};
const size_t export_kind_count = sizeof export_kinds / sizeof *export_kinds;
