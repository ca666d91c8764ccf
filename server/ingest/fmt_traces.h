/* Spans of many traces, in any order → a run a trace.
 *
 * What is gathered is kept up to a limit. Past it the traces that were added to longest ago go: those that look whole (they have a
 * root, and every parent that is named) as runs, the others to a temporary file, from which they are read back at the end, joined
 * with what came later. Where very many wait (131,072 with the limit of 32 MB), the first of them goes as it is. A span that comes after
 * its trace went is a run of its own, of the same name. A trace of more than RUN_ITEMS spans, or that takes more than 32 times the limit when it is made a run of, is refused. */
#ifndef INGEST_FMT_TRACES_H
#define INGEST_FMT_TRACES_H

#include "ingest/fmt_trace.h"

/* A span as its exporter writes it, and where that stood. */
struct raw_span {
    struct slice trace, id, parent;
    const struct jvalue *span, *scope, *resource; /* the last two may be NULL */
};

struct traces;

/* `read` adds one span to a trace: called when the trace is whole, for each span in the order in which they came; all of it is in
 * the arena of the trace. `end` (may be NULL) is called after the last. Zero `limit`: 32 MB. */
struct traces *traces_new(void (*read)(struct trace *t, const struct raw_span *raw), size_t limit);

/* The spans are copied, their trees too, whether they were read from text or made. Fails when the temporary file does. `arena`
 * (may be NULL; then nothing is taken) holds all of them: where they are all the spans of one trace it is taken over and set to NULL.
 * `location` is that of the runs that begin here. */
bool traces_add(struct traces *all, struct arena **arena, struct slice location, const struct raw_span *spans, size_t n,
                const struct sink *sink, struct err *e);

/* The runs of all traces, in the order in which they began; frees everything, also when the sink fails. NULL is fine. */
bool traces_end(struct traces *all, const struct sink *sink, struct err *e);

#endif
