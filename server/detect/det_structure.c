/* What a transcript looks like that was cut or mixed up: structure, not words. One finding a run for each. */
#include "detect/det.h"

#include <stdlib.h>

static size_t calls_in(const struct transcript *t)
{
    size_t n = 0;
    for (size_t i = 0; i < t->nmessages; i++)
        n += t->messages[i].ncalls;
    return n;
}

void det_orphan_result(struct det_run *d)
{
    struct places p = {0};
    for (size_t t = 0; t < d->run->ntranscripts; t++) {
        const struct transcript *transcript = &d->run->transcripts[t];
        bool calls = calls_in(transcript) > 0;
        for (size_t i = 0; i < transcript->nmessages; i++) {
            const struct message *m = &transcript->messages[i];
            struct span span;
            /* A log that writes no calls at all, and no ids, has no orphans. */
            if (m->role == ROLE_TOOL && d->pairs[t].answers[i].message < 0 && (calls || m->tool_call_id.len) &&
                (span_of_message(d->run, (int32_t)t, (int32_t)i, &span) ||
                 (i > 0 && span_of_message(d->run, (int32_t)t, (int32_t)i - 1, &span))))
                places_add(&p, span);
        }
    }
    places_report(d, &p, "%zu tool results answer no call");
}

void det_missing_result(struct det_run *d)
{
    struct places p = {0};
    for (size_t t = 0; t < d->run->ntranscripts; t++) {
        const struct transcript *transcript = &d->run->transcripts[t];
        size_t last = transcript->nmessages;
        bool results = false; /* of a log that keeps no results none is missing */
        for (size_t i = 0; i < transcript->nmessages; i++) {
            results |= transcript->messages[i].role == ROLE_TOOL;
            last = transcript->messages[i].ncalls ? i : last;
        }
        for (size_t i = 0; results && i < last && i < transcript->nmessages; i++)
            for (size_t c = 0; c < transcript->messages[i].ncalls; c++)
                if (d->pairs[t].results[d->pairs[t].first[i] + c] < 0) {
                    struct span span = span_of_call(t, i, c);
                    if (transcript->messages[i].calls[c].arguments.len == 0)
                        span.part = PART_CALL_NAME;
                    places_add(&p, span_opening(d->run, span));
                }
    }
    places_report(d, &p, "%zu tool calls have no result");
}

struct call_id {
    struct slice id;
    struct span place;
    uint32_t order;
};

static int by_id(const void *a, const void *b)
{
    const struct call_id *p = a, *q = b;
    int c = slice_cmp(p->id, q->id);
    return c ? c : p->order < q->order ? -1 : p->order > q->order;
}

void det_duplicate_call_id(struct det_run *d)
{
    struct places p = {0};
    for (size_t t = 0; t < d->run->ntranscripts; t++) {
        const struct transcript *transcript = &d->run->transcripts[t];
        struct call_id *ids = arena_array(d->scratch, struct call_id, calls_in(transcript) + 1);
        uint32_t n = 0;
        for (size_t i = 0; i < transcript->nmessages; i++)
            for (size_t c = 0; c < transcript->messages[i].ncalls; c++) {
                struct span span = span_of_call(t, i, c);
                if (transcript->messages[i].calls[c].arguments.len == 0)
                    span.part = PART_CALL_NAME;
                if (transcript->messages[i].calls[c].call_id.len)
                    ids[n] = (struct call_id){transcript->messages[i].calls[c].call_id, span_opening(d->run, span), n}, n++;
            }
        if (n)
            qsort(ids, n, sizeof *ids, by_id);
        for (uint32_t i = 1; i < n; i++) {
            if (!slice_eq(ids[i - 1].id, ids[i].id))
                continue;
            if (i == 1 || !slice_eq(ids[i - 2].id, ids[i].id))
                places_add(&p, ids[i - 1].place);
            places_add(&p, ids[i].place);
        }
    }
    places_report(d, &p, "%zu calls share an id with another");
}

void det_role_order(struct det_run *d)
{
    for (size_t t = 0; t < d->run->ntranscripts; t++) {
        const struct transcript *transcript = &d->run->transcripts[t];
        bool spoken = false; /* where nobody says anything, as in a recording of what a terminal showed, nothing comes before it */
        for (size_t i = 0; i < transcript->nmessages && !spoken; i++)
            spoken = transcript->messages[i].role == ROLE_ASSISTANT;
        for (size_t i = 0; spoken && transcript->messages[i].role != ROLE_ASSISTANT; i++) {
            struct span span;
            if (transcript->messages[i].role == ROLE_TOOL && span_of_message(d->run, (int32_t)t, (int32_t)i, &span)) {
                det_report(d, NULL, NULL, SLICE_NONE, &span, 1);
                return;
            }
        }
    }
}

void det_empty_message(struct det_run *d)
{
    struct places p = {0};
    for (size_t t = 0; t < d->run->ntranscripts; t++) {
        const struct transcript *transcript = &d->run->transcripts[t];
        for (size_t i = 0; i < transcript->nmessages; i++) {
            const struct message *m = &transcript->messages[i];
            struct span span;
            bool empty = m->role != ROLE_TOOL && slice_trim(m->text).len == 0 && slice_trim(m->reasoning).len == 0 &&
                         !m->ncalls && !m->nblobs && !m->error.len;
            /* Nothing can be quoted of it: its neighbour shows where it stands. */
            if (empty && ((i > 0 && span_of_message(d->run, (int32_t)t, (int32_t)i - 1, &span)) ||
                          (i + 1 < transcript->nmessages && span_of_message(d->run, (int32_t)t, (int32_t)i + 1, &span))))
                places_add(&p, span);
        }
    }
    places_report(d, &p, "%zu messages say nothing and call nothing");
}
