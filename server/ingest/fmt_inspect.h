/* Between the two halves of the Inspect reader: a sample's parts, wherever they stand, and what its events add. */
#ifndef INGEST_FMT_INSPECT_H
#define INGEST_FMT_INSPECT_H

#include "ingest/fmt.h"

/* Values that stand one after the other, perhaps in several arrays. */
struct values {
    struct jvalue **items;
    size_t n, cap;
};

struct inspect_sample {
    struct arena *a;
    const struct jvalue *v;            /* the sample; of a chunked one its shell */
    const struct jvalue *metadata;
    struct values messages;            /* the conversation */
    struct values events;
    struct values pool;                /* messages that the events' input_refs count in */
    struct messages list;              /* the conversation as it was read, one for each of `messages` */
    struct slice location;             /* in the file; absent: the record's */
    struct run *run;
};

/* What only the events know goes to the messages (when, how long, how many tokens, why it ended), to the run (start, end)
 * and, without what is said elsewhere, to the metadata: see fmt_inspect_events.c. */
void inspect_events(struct inspect_sample *s, struct meta *meta);

#endif
