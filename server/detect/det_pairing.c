/* Calls and results whose ids and names do not fit together: what a logger lost or mixed up. */
#include "detect/det.h"

#include <stdlib.h>

static const struct message *message_at(const struct det_run *d, size_t t, size_t i) { return &d->run->transcripts[t].messages[i]; }

static bool span_of_result(const struct det_run *d, size_t t, size_t i, struct span *out)
{
    return span_of_message(d->run, (int32_t)t, (int32_t)i, out) || (i > 0 && span_of_message(d->run, (int32_t)t, (int32_t)i - 1, out));
}

struct result_id {
    struct slice id;
    uint32_t message;
};

static int by_id(const void *a, const void *b)
{
    const struct result_id *p = a, *q = b;
    int c = slice_cmp(p->id, q->id);
    return c ? c : p->message < q->message ? -1 : p->message > q->message;
}

static size_t calls_of(const struct transcript *t, struct slice id)
{
    size_t n = 0;
    for (size_t i = 0; i < t->nmessages; i++)
        for (size_t c = 0; c < t->messages[i].ncalls; c++)
            n += slice_eq(t->messages[i].calls[c].call_id, id);
    return n;
}

/* More results of an id than calls of it. */
void det_second_result(struct det_run *d)
{
    struct places p = {0};
    for (size_t t = 0; t < d->run->ntranscripts; t++) {
        const struct transcript *transcript = &d->run->transcripts[t];
        struct result_id *ids = arena_array(d->scratch, struct result_id, transcript->nmessages + 1);
        size_t n = 0, looked = 0;
        for (size_t i = 0; i < transcript->nmessages; i++)
            if (transcript->messages[i].role == ROLE_TOOL && transcript->messages[i].tool_call_id.len)
                ids[n++] = (struct result_id){transcript->messages[i].tool_call_id, (uint32_t)i};
        if (n)
            qsort(ids, n, sizeof *ids, by_id);
        for (size_t i = 0, end; i < n; i = end) {
            for (end = i + 1; end < n && slice_eq(ids[end].id, ids[i].id); end++)
                ;
            size_t calls = end - i > 1 && looked++ < PLACES_SHOWN ? calls_of(transcript, ids[i].id) : end - i; /* each is a look through all calls */
            struct span span;
            for (size_t k = i + (calls ? calls : 1); k < end; k++)
                if (span_of_result(d, t, ids[k].message, &span))
                    places_add(&p, span);
        }
    }
    places_report(d, &p, "%zu results answer a call that has one already");
}

/* `functions.search`, `search` and `Search` are one tool. */
static bool same_tool(struct slice a, struct slice b)
{
    struct slice longer = a.len > b.len ? a : b, shorter = a.len > b.len ? b : a;
    return slice_eq_nocase(slice_sub(longer, longer.len - shorter.len, shorter.len), shorter) || slice_eq_nocase(slice_sub(longer, 0, shorter.len), shorter);
}

void det_other_tool(struct det_run *d)
{
    struct places p = {0};
    for (size_t t = 0; t < d->run->ntranscripts; t++)
        for (size_t i = 0; i < d->run->transcripts[t].nmessages; i++) {
            const struct message *m = message_at(d, t, i);
            struct call_ref ref = d->pairs[t].answers[i];
            struct span span;
            if (ref.message < 0 || !m->tool_name.len)
                continue;
            struct slice name = message_at(d, t, (size_t)ref.message)->calls[ref.call].name;
            if (name.len && !same_tool(name, m->tool_name) && span_of_result(d, t, i, &span))
                places_add(&p, span);
        }
    places_report(d, &p, "%zu results bear the name of another tool than was called");
}

void det_nameless_call(struct det_run *d)
{
    struct places p = {0};
    for (size_t t = 0; t < d->run->ntranscripts; t++)
        for (size_t i = 0; i < d->run->transcripts[t].nmessages; i++)
            for (size_t c = 0; c < message_at(d, t, i)->ncalls; c++)
                if (!slice_trim(message_at(d, t, i)->calls[c].name).len && message_at(d, t, i)->calls[c].arguments.len)
                    places_add(&p, span_opening(d->run, span_of_call(t, i, c)));
    places_report(d, &p, "%zu calls name no tool");
}

/* Some calls and results have ids, and some have none. */
void det_missing_id(struct det_run *d)
{
    struct places p = {0};
    bool any = false;
    for (size_t t = 0; t < d->run->ntranscripts; t++)
        for (size_t i = 0; i < d->run->transcripts[t].nmessages; i++) {
            const struct message *m = message_at(d, t, i);
            struct span span;
            any |= m->role == ROLE_TOOL && m->tool_call_id.len;
            if (m->role == ROLE_TOOL && !m->tool_call_id.len && span_of_result(d, t, i, &span))
                places_add(&p, span);
            for (size_t c = 0; c < m->ncalls; c++) {
                any |= m->calls[c].call_id.len > 0;
                if (!m->calls[c].call_id.len && m->calls[c].arguments.len)
                    places_add(&p, span_opening(d->run, span_of_call(t, i, c)));
            }
        }
    if (any)
        places_report(d, &p, "%zu calls and results have no id, though others have");
}
