#include "transcript/redact.h"

#include "transcript/judgment.h"

/* ---- evidence that an export carries ------------------------------------------------------------------------------------ */

/* A part that evidence speaks of, as it was and as it is; kept for the next piece of evidence, which is mostly of the same. */
struct moved {
    struct slice was, now;
    struct secret_spans spans;   /* of `was` */
    ptrdiff_t *shift;            /* how far what follows span i moved; NULL: `now` is `was` with more changed than its spans */
};

enum { LOOK_AROUND = 256 << 10 };

/* Where `quote` stands nearest to `at`, not further than LOOK_AROUND from it; -1: nowhere. */
static ptrdiff_t nearest(struct slice text, struct slice quote, size_t at)
{
    ptrdiff_t found = -1, step;
    size_t from = at > LOOK_AROUND ? at - LOOK_AROUND : 0;
    for (text = slice_sub(text, 0, at + LOOK_AROUND + quote.len); (step = slice_find(slice_sub(text, from, text.len), quote)) >= 0; from = (size_t)found + quote.len) {
        size_t here = from + (size_t)step;
        if (found >= 0 && here > at && here - at > at - (size_t)found)
            break;
        found = (ptrdiff_t)here;
        if (here >= at)
            break;
    }
    return found;
}

/* The shifts, where `now` is what redact_text() makes of `was`; JSON is written anew as a whole. */
static void measure(struct redaction *r, struct moved *m)
{
    size_t at = 0, to = 0;
    m->shift = arena_array(r->arena, ptrdiff_t, m->spans.n + 1);
    for (size_t i = 0; i <= m->spans.n; i++) {
        size_t same = (i < m->spans.n ? m->spans.items[i].start : m->was.len) - at;
        if (!slice_eq(slice_sub(m->was, at, same), slice_sub(m->now, to, same))) {
            m->shift = NULL;
            return;
        }
        if (i == m->spans.n)
            break;
        at = m->spans.items[i].end;
        to += same + redact_mark_len(&m->spans.items[i]);
        m->shift[i] = (ptrdiff_t)to - (ptrdiff_t)at;
    }
    if (to + (m->was.len - at) != m->now.len)
        m->shift = NULL;
}

/* The first span that ends after `at`; n: none does. */
static size_t span_after(const struct secret_spans *spans, size_t at)
{
    size_t low = 0, high = spans->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (spans->items[mid].end > at)
            high = mid;
        else
            low = mid + 1;
    }
    return low;
}

static bool look_into(struct redaction *r, struct moved *m, struct slice was, struct slice now, struct err *e)
{
    if (m->was.ptr == was.ptr && m->was.len == was.len && m->now.ptr == now.ptr && m->now.len == now.len)
        return true;
    *m = (struct moved){0};
    struct secret_spans spans;
    if (!secrets_find(r, was, &spans, e))
        return false;
    *m = (struct moved){.was = was, .now = now, .spans = spans};
    measure(r, m);
    return true;
}

/* The words of evidence in a part that says `now` instead of `was`. A quote that ends inside of a secret takes all of it, so that no part of it
 * is left. */
static bool move_evidence(struct redaction *r, struct moved *m, struct slice was, struct slice now, struct evidence *ev, struct err *e)
{
    if (ev->start > ev->end || ev->end > was.len || !slice_eq(slice_sub(was, ev->start, ev->end - ev->start), ev->quote))
        return redact_text(r, &ev->quote, e);
    if (!look_into(r, m, was, now, e))
        return false;
    const struct secret_span *spans = m->spans.items;
    size_t start = ev->start, end = ev->end, first = span_after(&m->spans, start), last = span_after(&m->spans, end);
    if (first < m->spans.n && spans[first].start < start)
        start = spans[first].start;
    if (last < m->spans.n && spans[last].start < end)
        end = spans[last++].end;
    ptrdiff_t at;
    struct slice quote;
    if (m->shift) {
        at = (ptrdiff_t)start + (first ? m->shift[first - 1] : 0);
        quote = slice_sub(now, (size_t)at, end + (size_t)(last ? m->shift[last - 1] : 0) - (size_t)at);
    } else {
        quote = slice_sub(was, start, end - start);
        if (!redact_text(r, &quote, e))
            return false;
        at = quote.len ? nearest(now, quote, (size_t)((double)start / (double)was.len * (double)now.len)) : -1;
    }
    if (at < 0 || !quote.len || (size_t)at + quote.len > UINT32_MAX)
        ev->start = ev->end = 0, ev->quote = slice_str("");
    else
        ev->start = (uint32_t)at, ev->end = (uint32_t)((size_t)at + quote.len), ev->quote = quote;
    return true;
}

static const struct message *message_of(const struct run *run, const struct evidence *ev)
{
    const struct transcript *t = ev->transcript >= 0 && (size_t)ev->transcript < run->ntranscripts ? &run->transcripts[ev->transcript] : NULL;
    return t && ev->message >= 0 && (size_t)ev->message < t->nmessages ? &t->messages[ev->message] : NULL;
}

static bool redact_evidence(struct redaction *r, struct moved *m, const struct run *was, const struct run *run, struct evidence *list, size_t n, struct err *e)
{
    bool ok = true;
    for (size_t i = 0; i < n && ok; i++) {
        struct slice before = run_part(was, message_of(was, &list[i]), list[i].part), now = run_part(run, message_of(run, &list[i]), list[i].part);
        if (before.ptr != now.ptr || before.len != now.len)
            ok = move_evidence(r, m, before, now, &list[i], e);
        ok = ok && redact_text(r, &list[i].part, e);
    }
    return ok;
}

static bool redact_finding(struct redaction *r, struct finding *f, struct err *e)
{
    return redact_text(r, &f->title, e) && redact_text(r, &f->message, e) && redact_json(r, &f->captures, e) && redact_text(r, &f->note, e);
}

bool finding_redact(struct redaction *r, struct finding *f, struct err *e)
{
    bool ok = redact_finding(r, f, e) && redact_text(r, &f->task_id, e);
    for (size_t i = 0; i < f->nevidence && ok; i++) {
        struct evidence *ev = &f->evidence[i];
        uint64_t before = r->replaced;
        ok = redact_text(r, &ev->quote, e);
        if (r->replaced != before)
            ev->start = ev->end = 0, ev->quote = slice_str("");
    }
    return ok;
}

static bool redact_carried(struct redaction *r, const struct run *was, const struct run *run, struct err *e)
{
    struct moved moved = {0};
    bool ok = true;
    for (size_t i = 0; run->carried && i < run->carried->n && ok; i++) {
        struct finding *f = &run->carried->items[i];
        ok = redact_finding(r, f, e) && redact_evidence(r, &moved, was, run, f->evidence, f->nevidence, e);
    }
    for (size_t i = 0; run->judged && i < run->judged->n && ok; i++) {
        struct judgment *j = &run->judged->items[i];
        ok = redact_json(r, &j->answer, e) && redact_text(r, &j->decision, e) && redact_text(r, &j->explanation, e) &&
             redact_json(r, &j->distribution, e) && redact_text(r, &j->raw, e) && redact_text(r, &j->error, e) &&
             redact_evidence(r, &moved, was, run, j->evidence, j->nevidence, e);
    }
    return ok;
}

/* ---- the run itself ----------------------------------------------------------------------------------------------------- */

static bool redact_texts(struct redaction *r, struct slice *const texts[], size_t n, struct err *e)
{
    for (size_t i = 0; i < n; i++)
        if (!redact_text(r, texts[i], e))
            return false;
    return true;
}
#define REDACT_TEXTS(r, e, ...) \
    redact_texts((r), (struct slice *const[]){__VA_ARGS__}, sizeof((struct slice *const[]){__VA_ARGS__}) / sizeof(struct slice *), (e))

static bool is_text(struct slice type)
{
    return slice_starts(type, "text/") || slice_find(type, slice_str("json")) >= 0 || slice_find(type, slice_str("xml")) >= 0 ||
           slice_find(type, slice_str("yaml")) >= 0;
}

static bool redact_blob(struct redaction *r, struct blob *blob, struct err *e)
{
    if (!REDACT_TEXTS(r, e, &blob->media_type, &blob->url))
        return false;
    uint64_t before = r->replaced;
    if (blob->bytes.ptr && is_text(blob->media_type) && !redact_text(r, &blob->bytes, e))
        return false;
    if (r->replaced != before) {
        blob->size = blob->bytes.len;
        sha256_of(blob->bytes, blob->sha256);
    }
    return true;
}

static bool redact_call(struct redaction *r, struct tool_call *c, struct err *e)
{
    return redact_json(r, &c->arguments, e) && redact_json(r, &c->metadata, e) && REDACT_TEXTS(r, e, &c->call_id, &c->name, &c->parse_error);
}

static bool redact_message(struct redaction *r, struct message *m, struct err *e)
{
    bool ok = REDACT_TEXTS(r, e, &m->text, &m->reasoning, &m->model, &m->timestamp, &m->finish_reason, &m->tool_call_id, &m->tool_name, &m->error) &&
              redact_json(r, &m->metadata, e);
    for (size_t i = 0; i < m->ncalls && ok; i++)
        ok = redact_call(r, &m->calls[i], e);
    for (size_t i = 0; i < m->nblobs && ok; i++)
        ok = redact_blob(r, &m->blobs[i], e);
    return ok;
}

static bool redact_transcript(struct redaction *r, struct transcript *t, struct err *e)
{
    bool ok = REDACT_TEXTS(r, e, &t->id, &t->parent, &t->name) && redact_json(r, &t->metadata, e);
    for (size_t i = 0; i < t->nmessages && ok; i++)
        ok = redact_message(r, &t->messages[i], e);
    return ok;
}

static bool redact_scores(struct redaction *r, struct run *run, struct err *e)
{
    bool ok = true;
    for (size_t i = 0; i < run->nscores && ok; i++) {
        struct score *s = &run->scores[i];
        ok = REDACT_TEXTS(r, e, &s->name, &s->answer, &s->explanation) && redact_json(r, &s->value, e) && redact_json(r, &s->target, e) &&
             redact_json(r, &s->metadata, e);
    }
    return ok;
}

static bool redact_labels(struct redaction *r, struct run *run, struct err *e)
{
    bool ok = true;
    for (size_t i = 0; i < run->nlabels && ok; i++)
        ok = REDACT_TEXTS(r, e, &run->labels[i].set, &run->labels[i].who) && redact_json(r, &run->labels[i].value, e);
    return ok;
}

static void *copy_of(struct arena *a, const void *items, size_t n, size_t size)
{
    void *copy = arena_zalloc(a, n, size);
    if (n)
        memcpy(copy, items, n * size);
    return copy;
}

/* What the run said, for evidence that speaks of it; texts are replaced, never written into. */
static struct run before_of(struct arena *a, const struct run *run)
{
    struct run was = *run;
    was.scores = copy_of(a, run->scores, run->nscores, sizeof *run->scores);
    was.transcripts = copy_of(a, run->transcripts, run->ntranscripts, sizeof *run->transcripts);
    for (size_t t = 0; t < run->ntranscripts; t++) {
        const struct transcript *from = &run->transcripts[t];
        struct message *messages = copy_of(a, from->messages, from->nmessages, sizeof *from->messages);
        for (size_t i = 0; i < from->nmessages; i++)
            messages[i].calls = copy_of(a, from->messages[i].calls, from->messages[i].ncalls, sizeof *from->messages[i].calls);
        was.transcripts[t].messages = messages;
    }
    return was;
}

bool run_redact(struct redaction *r, struct run *run, struct err *e)
{
    bool told = run->carried || run->judged;
    struct run was = told ? before_of(r->arena, run) : *run;
    bool ok = REDACT_TEXTS(r, e, &run->external_id, &run->name, &run->task_id, &run->model, &run->agent, &run->started_at, &run->ended_at,
                           &run->exit_status, &run->error, &run->limit, &run->source.file, &run->source.location, &run->source.member) &&
              redact_json(r, &run->metadata, e) && redact_scores(r, run, e) && redact_labels(r, run, e);
    for (size_t i = 0; i < run->ntags && ok; i++)
        ok = redact_text(r, &run->tags[i], e);
    for (size_t i = 0; i < run->ntranscripts && ok; i++)
        ok = redact_transcript(r, &run->transcripts[i], e);
    return ok && (!told || redact_carried(r, &was, run, e));
}
