#include "storage/hunt.h"

#include "storage/grams.h"

#include "base/clock.h"

static bool parse_roles(struct slice list, unsigned *roles, struct err *e)
{
    struct slice word;
    enum role role;
    *roles = 0;
    for (size_t at = 0; list.len && filter_word(list, &at, &word); *roles |= 1u << role)
        if (!role_parse(word, &role))
            return err_set(e, ERR_USAGE, "\"%.*s\" is no role; there are system, user, assistant and tool", SLICE_ARG(word));
    return true;
}

static void list_tools(struct hunt *h)
{
    struct slice tool;
    size_t cap = 0;
    for (size_t at = 0; h->q->tool.ptr && filter_name(h->a, h->q->tool, &at, &tool);) {
        h->tools = arena_grow(h->a, h->tools, h->ntools, &cap, sizeof *h->tools);
        h->tools[h->ntools++] = tool;
    }
}

bool hunt_start(struct hunt *h, struct store *s, const struct search_query *q, int64_t deadline_us, struct arena *a, struct err *e)
{
    *h = (struct hunt){.s = s, .q = q, .a = a, .e = e, .deadline_us = deadline_us};
    list_tools(h);
    return parse_roles(q->role, &h->roles, e) && terms_parse(q, &h->terms, e) &&
           spots_start(&h->spots, s, &h->terms, deadline_us, e);
}

void hunt_end(struct hunt *h)
{
    spots_end(&h->spots);
}

bool hunt_candidates(struct hunt *h)
{
    struct needs all = {0};
    size_t cap = 0;
    for (size_t i = 0; i < h->terms.n; i++) {
        struct needs needs;
        needs_of_pattern(h->a, h->terms.patterns[i], h->terms.flags, &needs);
        for (size_t k = 0; k < needs.n; k++) {
            all.all = arena_grow(h->a, all.all, all.n, &cap, sizeof *all.all);
            all.all[all.n++] = needs.all[k];
        }
    }
    h->all_blocks = all.n == 0;
    return h->all_blocks || grams_candidates(h->s, &all, h->a, &h->blocks, &h->nblocks, h->e);
}

bool hunt_is_candidate(const struct hunt *h, int64_t block)
{
    size_t low = 0, high = h->nblocks;
    while (!h->all_blocks && low < high) {
        size_t middle = (low + high) / 2;
        if (h->blocks[middle] == block)
            return true;
        if (h->blocks[middle] > block)
            low = middle + 1;
        else
            high = middle;
    }
    return h->all_blocks;
}

bool hunt_list_all(struct hunt *h)
{
    struct stmt *q = db_prepare(h->s->db, "SELECT id FROM block WHERE searchable ORDER BY id DESC", h->e);
    size_t cap = 0;
    h->nblocks = 0;
    enum step step;
    while ((step = stmt_step(q, h->e)) == STEP_ROW) {
        h->blocks = arena_grow(h->a, h->nblocks ? h->blocks : NULL, h->nblocks, &cap, sizeof *h->blocks);
        h->blocks[h->nblocks++] = take_int(q);
    }
    return step == STEP_DONE;
}

bool hunt_block(struct hunt *h, int64_t id, bool (*take)(void *ctx, struct hit *hit), void *ctx)
{
    const struct block_spots *seen;
    if (!spots_in(&h->spots, id, &seen, h->e))
        return false;
    if (seen->n == 0)
        return true;
    struct stmt *q = db_prepare(h->s->db, "SELECT run, uses FROM block_run WHERE block = $1", h->e);
    bind_int(q, id);
    enum step step;
    while ((step = stmt_step(q, h->e)) == STEP_ROW) {
        int64_t run = take_int(q);
        struct uses_reader r = uses_open(id, take_bytes(q));
        const struct spot *spot = seen->items, *end = seen->items + seen->n; /* texts ascend in both */
        for (struct text_use use; uses_next(&r, &use);) {
            while (spot < end && spot->text < text_place(use.text))
                spot++;
            if (spot == end)
                break;
            if (spot->text != text_place(use.text))
                continue;
            struct hit hit = hit_of(&use, spot, (struct place){.run = run});
            if (!take(ctx, &hit)) {
                stmt_reset(q);
                return false;
            }
        }
    }
    return step == STEP_DONE;
}

bool hunt_blocks(struct hunt *h, int64_t until, bool (*take)(void *ctx, struct hit *hit), void *ctx, bool *in_time)
{
    if (h->all_blocks && !h->nblocks && !hunt_list_all(h))
        return false;
    for (size_t i = 0; *in_time && i < h->nblocks; i++) {
        if (!hunt_block(h, h->blocks[i], take, ctx))
            return false;
        *in_time = !store_late(h->s, until);
    }
    return true;
}

bool hunt_role_passes(const struct hunt *h, enum role role)
{
    return !h->roles || h->roles >> role & 1;
}

bool hunt_tool_passes(const struct hunt *h, struct slice tool)
{
    bool passes = !h->q->tool.ptr;
    for (size_t i = 0; i < h->ntools && !passes; i++)
        passes = slice_eq(h->tools[i], tool);
    return passes;
}

bool hunt_filter(struct hunt *h, struct sql *q, const struct filter *f)
{
    struct filter runs = *f;
    runs.anywhere = !f->collection.ptr;
    runs.has_findings = -1;
    return filter_runs(h->s, q, &runs, h->e);
}

struct slice hunt_cut(const struct hunt *h)
{
    return h->spots.cut ? arena_printf(h->a, "the pattern takes too long on %llu text%s", (unsigned long long)h->spots.cut,
                                       h->spots.cut == 1 ? "" : "s") : SLICE_NONE;
}
