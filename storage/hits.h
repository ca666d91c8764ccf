/* Private: the hits of a search: their order, their cursors, and what a page shows of them. */
#ifndef STORAGE_HITS_H
#define STORAGE_HITS_H

#include "storage/uses.h"

/* The place of a hit in the order of hits. */
struct place {
    int64_t imported;            /* the newest first; all else ascends */
    int64_t order;               /* run.place */
    int64_t run;                 /* run.n */
    int64_t message;             /* its place among those of the run; -1: before all */
    int part, call;
};

struct hit {
    struct place place;
    int64_t text;
    uint32_t start, end;
    enum role role;
};

int place_compare(const struct place *a, const struct place *b);
/* For qsort. */
int hit_compare(const void *a, const void *b);
/* Cursors. ERR_USAGE: the text is none. */
struct slice place_text(struct arena *a, const struct place *p);
bool place_parse(struct slice text, struct place *out, struct err *e);

/* The tool that the text of a hit belongs to: the one called, or whose result it is; absent: none. */
bool hit_tool(struct store *s, const struct hit *hit, struct arena *a, struct slice *tool, struct err *e);
/* All that is shown of n hits in their order. */
bool hits_write(struct store *s, const struct hit *hits, size_t n, struct arena *a, struct search_hit *out, struct err *e);

#endif
