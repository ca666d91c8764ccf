/* The runs that findings cite, to be read in the file: short ones whole, of long ones the beginning, the end and what stands around
 * the evidence; the evidence marked in the words. */
#include "view/story_in.h"

#include "base/markup.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    WHOLE = 60,            /* messages of a transcript that is shown whole */
    ENDS = 4,              /* messages at the beginning and at the end of a longer one */
    AROUND = 2,            /* messages before and after one that is cited */
    TEXT_BYTES = 2400,     /* of a message; where it has more, its beginning, its end and what is cited */
    TAIL_BYTES = 600,
    BRIEF_BYTES = 200,     /* of a message, once the transcripts take STORY_TRANSCRIPTS */
    CONTEXT_BYTES = 240,   /* around what is cited */
    MARK_BYTES = 4000,     /* of what is cited */
    CALLS = 20,            /* of a message */
    STEP = 8,              /* messages in memory */
    FIELD_BYTES = 2000,    /* of a field of the run */
};

/* ---- a text with marks --------------------------------------------------------------------------------------------------- */

struct window { size_t from, to; };

static int by_from(const void *a, const void *b)
{
    const struct window *x = a, *y = b;
    return (x->from > y->from) - (x->from < y->from);
}

static size_t whole_character(struct slice text, size_t at)
{
    while (at < text.len && ((unsigned char)text.ptr[at] & 0xc0) == 0x80)
        at++;
    return at < text.len ? at : text.len;
}

static int by_start(const void *a, const void *b)
{
    const struct cite *x = *(const struct cite *const *)a, *y = *(const struct cite *const *)b;
    return (x->start > y->start) - (x->start < y->start);
}

/* text[from, to) with its marks; of marks that overlap, each begins where the one before it ends. */
static void write_marked(struct story_writer *w, struct slice text, size_t from, size_t to, const struct cite *const *marks, size_t n)
{
    size_t at = from;
    for (size_t i = 0; i < n; i++) {
        size_t start = marks[i]->start > at ? marks[i]->start : at, end = marks[i]->end < to ? marks[i]->end : to;
        if (start >= end)
            continue;
        story_text(w, slice_sub(text, at, start - at));
        str_printf(&w->text, "<mark class=\"%s\" title=\"", kind_name(marks[i]->kind));
        markup_attribute(&w->text, marks[i]->title);
        story_put(w, "\">");
        story_text(w, slice_sub(text, start, end - start));
        story_put(w, "</mark>");
        at = end;
    }
    story_text(w, slice_sub(text, at, to - at));
}

static void write_text(struct story_writer *w, struct slice text, size_t most, const struct cite *const *marks, size_t n)
{
    struct window windows[STORY_CITES + 2];
    size_t nw = 0, at = 0;
    if (text.len <= most) {
        write_marked(w, text, 0, text.len, marks, n);
        return;
    }
    size_t tail = most > 2 * TAIL_BYTES ? TAIL_BYTES : 0;
    windows[nw++] = (struct window){0, most - tail};
    if (tail)
        windows[nw++] = (struct window){text.len - tail, text.len};
    for (size_t i = 0; i < n; i++) {
        size_t end = marks[i]->end - marks[i]->start > MARK_BYTES ? marks[i]->start + MARK_BYTES : marks[i]->end;
        windows[nw++] = (struct window){marks[i]->start > CONTEXT_BYTES ? marks[i]->start - CONTEXT_BYTES : 0, end + CONTEXT_BYTES};
    }
    qsort(windows, nw, sizeof *windows, by_from);
    for (size_t i = 0; i < nw; i++) {
        size_t from = whole_character(text, windows[i].from > at ? windows[i].from : at), to = whole_character(text, windows[i].to);
        if (to <= from)
            continue;
        if (from > at)
            str_printf(&w->text, "<i>… %zu bytes left out …</i>", from - at);
        write_marked(w, text, from, to, marks, n);
        at = to;
    }
    if (at < text.len)
        str_printf(&w->text, "<i>… %zu bytes left out</i>", text.len - at);
}

/* ---- messages ------------------------------------------------------------------------------------------------------------- */

struct place { size_t run; int32_t transcript, message; }; /* run: index in w->runs */

static void write_part(struct story_writer *w, const struct place *p, struct slice text, struct slice part, const char *class)
{
    const struct cited_run *run = &w->runs[p->run];
    const struct cite *marks[STORY_CITES];
    size_t n = 0;
    for (size_t i = 0; i < run->n; i++) {
        const struct cite *c = &run->at[i];
        if (c->transcript == p->transcript && c->message == p->message && slice_eq(c->part, part) && c->start < c->end && c->end <= text.len)
            marks[n++] = c;
    }
    if (!text.len)
        return;
    if (n > 1)
        qsort(marks, n, sizeof *marks, by_start);
    str_printf(&w->text, "<pre%s>", class);
    write_text(w, text, w->written > STORY_TRANSCRIPTS ? BRIEF_BYTES : TEXT_BYTES, marks, n);
    story_put(w, "</pre>\n");
}

static void write_message(struct story_writer *w, const struct place *p, const struct message *m)
{
    char part[48];
    str_printf(&w->text, "<div class=\"msg %s\" id=\"r%zu-%d-%d\">\n<p class=\"who\"><span>%d</span> %s ", role_name(m->role), p->run + 1, p->transcript,
               p->message, p->message, role_name(m->role));
    story_text(w, m->tool_name);
    story_put(w, "</p>\n");
    write_part(w, p, m->reasoning, slice_str("reasoning"), " class=\"reasoning\"");
    write_part(w, p, m->text, slice_str("text"), "");
    for (size_t i = 0; i < m->ncalls && i < CALLS; i++) {
        story_put(w, "<p class=\"call\">");
        story_text(w, m->calls[i].name);
        story_put(w, "</p>\n");
        snprintf(part, sizeof part, "call:%zu.arguments", i);
        write_part(w, p, m->calls[i].arguments, slice_str(part), " class=\"args\"");
    }
    if (m->ncalls > CALLS)
        str_printf(&w->text, "<p class=\"gap\">%zu more calls left out</p>\n", m->ncalls - CALLS);
    write_part(w, p, m->error, slice_str("error"), " class=\"error\"");
    if (m->nblobs)
        str_printf(&w->text, "<p class=\"gap\">%zu %s left out</p>\n", m->nblobs, m->nblobs == 1 ? "image or file" : "images or files");
    story_put(w, "</div>\n");
}

/* Which messages are shown: all of a short transcript, else the ends and what stands around those that are cited. */
static size_t choose(const struct cited_run *run, int32_t transcript, size_t total, struct window *out)
{
    size_t n = 0, kept = 0;
    if (total <= WHOLE)
        return out[0] = (struct window){0, total}, 1;
    out[n++] = (struct window){0, ENDS};
    out[n++] = (struct window){total - ENDS, total};
    for (size_t i = 0; i < run->n; i++) {
        size_t m = (size_t)run->at[i].message;
        if (run->at[i].transcript == transcript && m < total)
            out[n++] = (struct window){m > AROUND ? m - AROUND : 0, m + AROUND + 1 < total ? m + AROUND + 1 : total};
    }
    qsort(out, n, sizeof *out, by_from);
    for (size_t i = 1; i < n; i++) {
        if (out[i].from <= out[kept].to)
            out[kept].to = out[i].to > out[kept].to ? out[i].to : out[kept].to;
        else
            out[++kept] = out[i];
    }
    return kept + 1;
}

static void write_gap(struct story_writer *w, size_t n)
{
    if (n)
        str_printf(&w->text, "<p class=\"gap\">%zu %s left out</p>\n", n, n == 1 ? "message" : "messages");
}

static bool write_window(struct story_writer *w, struct place *p, struct window window, struct err *e)
{
    for (size_t at = window.from; at < window.to;) {
        struct message *messages;
        size_t n;
        uint32_t total;
        uint32_t limit = window.to - at < STEP ? (uint32_t)(window.to - at) : STEP;
        arena_reset(&w->a);
        if (!store_messages(w->st->store, w->runs[p->run].id, p->transcript, (uint32_t)at, limit, &w->a, &messages, &n, &total, e))
            return false;
        for (size_t i = 0; i < n; i++) {
            p->message = (int32_t)(at + i);
            write_message(w, p, &messages[i]);
        }
        if (!n)
            return true; /* the run became shorter meanwhile */
        at += n;
        if (!story_flush(w, e))
            return false;
    }
    return true;
}

static bool write_transcript(struct story_writer *w, size_t run, int32_t transcript, struct slice name, size_t total, struct err *e)
{
    struct window windows[STORY_CITES + 2];
    struct place p = {.run = run, .transcript = transcript};
    size_t n = choose(&w->runs[run], transcript, total, windows), at = 0;
    if (transcript) {
        story_put(w, "<h4>transcript ");
        if (name.len)
            story_text(w, name);
        else
            str_printf(&w->text, "%d", transcript);
        story_put(w, "</h4>\n");
    }
    for (size_t i = 0; i < n; i++) {
        write_gap(w, windows[i].from - at);
        if (!write_window(w, &p, windows[i], e))
            return false;
        at = windows[i].to;
    }
    write_gap(w, total - at);
    return true;
}

/* ---- runs ------------------------------------------------------------------------------------------------------------------ */

static void write_field(struct story_writer *w, const char *name, struct slice value)
{
    struct slice shown = slice_cut(value, FIELD_BYTES);
    if (!value.len)
        return;
    str_printf(&w->text, "<div><dt>%s</dt><dd>", name);
    story_text(w, shown);
    story_put(w, shown.len < value.len ? "…</dd></div>\n" : "</dd></div>\n");
}

static bool is_cited(const struct cited_run *run, int32_t transcript)
{
    for (size_t i = 0; i < run->n; i++)
        if (run->at[i].transcript == transcript)
            return true;
    return false;
}

static bool write_cited(struct story_writer *w, size_t at, struct err *e)
{
    struct run_row row;
    struct arena a = {0}; /* of the run, while w->a is of its messages */
    struct err why = {0};
    struct run *run = &row.run;
    size_t left_out = 0;
    if (!store_run(w->st->store, w->runs[at].id, &a, &row, &why)) {
        arena_free(&a);
        return why.code == ERR_NOT_FOUND || err_set(e, why.code, "%s", why.text); /* it was deleted since */
    }
    str_printf(&w->text, "<section class=\"run\" id=\"r%zu\">\n<h3>", at + 1);
    story_text(w, story_run_name(run));
    story_put(w, "</h3>\n");
    story_run_line(w, run);
    story_put(w, "<dl class=\"fields\">\n");
    write_field(w, "exit", run->exit_status);
    write_field(w, "limit", run->limit);
    write_field(w, "error", run->error);
    for (size_t i = 0; i < run->nscores && i < CALLS; i++) {
        write_field(w, "score", run->scores[i].name);
        write_field(w, "value", run->scores[i].value);
        write_field(w, "expected", run->scores[i].target);
        write_field(w, "answered", run->scores[i].answer);
        write_field(w, "explanation", run->scores[i].explanation);
    }
    story_put(w, "</dl>\n");
    bool ok = true;
    for (size_t t = 0; ok && t < run->ntranscripts; t++) {
        if (t && !is_cited(&w->runs[at], (int32_t)t))
            left_out++;
        else
            ok = write_transcript(w, at, (int32_t)t, run->transcripts[t].name, run->transcripts[t].nmessages, e);
    }
    if (left_out)
        str_printf(&w->text, "<p class=\"gap\">%zu more %s left out</p>\n", left_out, left_out == 1 ? "transcript" : "transcripts");
    story_put(w, "</section>\n");
    arena_free(&a);
    return ok && story_flush(w, e);
}

bool story_runs(struct story_writer *w, struct err *e)
{
    if (!w->nruns)
        return true;
    story_put(w, "<h2>Transcripts <small>of the runs that findings cite</small></h2>\n"
                 "<p class=\"on-paper\">The transcripts are in the file and are not printed.</p>\n<div class=\"transcripts\">\n");
    for (size_t i = 0; i < w->nruns; i++)
        if (!write_cited(w, i, e))
            return false;
    if (w->left_out) {
        story_put(w, "<p class=\"none\">");
        story_count(w, (int64_t)w->left_out, "cited run is", "cited runs are");
        story_put(w, " not in this file.</p>\n");
    }
    story_put(w, "</div>\n");
    return story_flush(w, e);
}
