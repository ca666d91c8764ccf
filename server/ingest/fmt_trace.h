/* A trace → a run: what its model calls say is a conversation (or several, of sub-agents too), its tools' spans give the results and
 * the times, and whatever else there is goes to the metadata. */
#ifndef INGEST_FMT_TRACE_H
#define INGEST_FMT_TRACE_H

#include "ingest/fmt_span.h"

struct trace {
    struct arena *a;            /* malloc'd: the run's */
    struct span *spans;
    size_t n, cap;
    struct run *run;            /* after run_init(); a format may fill in what the exporter says of the trace itself */
    struct meta meta;           /* of the run */
    struct source_seen {
        const struct jvalue *raw, *plain;
    } scope, resource;          /* of the span before: they are mostly shared */
    struct slice session, user; /* as the exporter says of the trace itself; absent: as the spans say */
};

/* In the arena, which it takes over. */
struct trace *trace_new(struct arena *a, struct slice id);
/* Room for `n` spans in all, where their number is known: no shorter copies of the list stay in the arena. */
void trace_expect(struct trace *t, size_t n);
/* A span, zeroed but for its order; valid until the next. */
struct span *trace_add(struct trace *t);
/* Start and end as clock.h has them, and in microseconds. Absent texts are fine. */
void trace_times(struct span *span, struct slice started_at, struct slice ended_at);

/* The run, in the arena of the trace. Spans may come in any order; one that comes again is read once. */
struct run *trace_end(struct trace *t);
void trace_discard(struct trace *t); /* NULL is fine; frees the arena */

#endif
