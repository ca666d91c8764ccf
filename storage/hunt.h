/* Private: a search before it is known what for: which blocks may hold what is sought, and the hits in each. */
#ifndef STORAGE_HUNT_H
#define STORAGE_HUNT_H

#include "storage/hits.h"
#include "storage/spots.h"
#include "storage/sql.h"

struct hunt {
    struct store *s;
    const struct search_query *q;
    struct arena *a;
    struct err *e;
    int64_t deadline_us;
    struct terms terms;
    struct spots spots;
    unsigned roles;              /* bits; 0: any */
    struct slice *tools;         /* of the query's list */
    size_t ntools;
    bool all_blocks;             /* the index says nothing about the pattern; `blocks` are all, once they are listed */
    int64_t *blocks;             /* the candidates, descending */
    size_t nblocks;
};

/* ERR_USAGE: what is asked for means nothing. hunt_end() in any case. */
bool hunt_start(struct hunt *h, struct store *s, const struct search_query *q, int64_t deadline_us, struct arena *a, struct err *e);
void hunt_end(struct hunt *h);

/* The rest, in a read transaction. */
bool hunt_candidates(struct hunt *h);
bool hunt_is_candidate(const struct hunt *h, int64_t block);
/* Where all blocks are candidates: lists them. */
bool hunt_list_all(struct hunt *h);

static inline struct hit hit_of(const struct text_use *use, const struct spot *spot, struct place run)
{
    run.message = use->message;
    run.part = (int)use->part;
    run.call = use->call;
    return (struct hit){.place = run, .text = use->text, .start = spot->start, .end = spot->end, .role = use->role};
}
/* Hands every hit in a block to `take`; of its place only run, message, part and call are known. Filters are the caller's. */
bool hunt_block(struct hunt *h, int64_t block, bool (*take)(void *ctx, struct hit *hit), void *ctx);
/* The same for all candidates, the newest first, until `until` has come: then *in_time is false. */
bool hunt_blocks(struct hunt *h, int64_t until, bool (*take)(void *ctx, struct hit *hit), void *ctx, bool *in_time);

bool hunt_role_passes(const struct hunt *h, enum role role);
bool hunt_tool_passes(const struct hunt *h, struct slice tool);
/* Asks of runs what the query does, or only the parts in `f`: appends " FROM run r WHERE …". */
bool hunt_filter(struct hunt *h, struct sql *q, const struct filter *f);

/* The patterns that take too long on a text, in words; absent: none does. */
struct slice hunt_cut(const struct hunt *h);

#endif
