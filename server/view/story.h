/* A collection's story as one HTML file: what it came to, its tasks by model, what was found with the words that prove it, and the runs
 * that these words stand in. No script, nothing beside it, nothing asked of a network: to send to somebody who has no Telltale. */
#ifndef VIEW_STORY_H
#define VIEW_STORY_H

#include "view/export.h"

#include <stdatomic.h>

/* A finding to tell of; its words are loaded when they are written. */
struct story_item {
    struct slice id, run, behavior; /* run: absent for a finding about a task or the collection */
    enum kind kind;
    enum severity severity;
    bool known;                     /* it stands in the baseline */
};

struct story {
    struct store *store;
    struct slice collection;        /* id */
    const struct story_item *items; /* most severe first */
    size_t n;
    bool has_baseline;
    bool is_part;                   /* the findings are a part of what there is: what the whole collection came to is not told */
    const struct filter *of;        /* with is_part: the runs that are told of, */
    int64_t runs;                   /* and how many they are */
    struct slice gate;              /* the verdict of a scan, in words; absent: none was asked for */
    bool fails;
    const atomic_bool *stop;        /* set: end with ERR_CANCELLED; NULL: nothing stops it */
};

/* Writes the file piece by piece. What is shown is bounded (story_in.h says by what) and what is left out is said in its place, so a file
 * has at most some tens of megabytes whatever the collection holds. */
bool story_write(const struct story *st, const struct export_sink *sink, struct err *e);

#endif
