#include "storage/blocks.h"
#include "storage/grams.h"
#include "storage/sql.h"

#include "base/clock.h"
#include "text/literal.h"
#include "text/regex.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Runs are gone through in the order of the answer, the newest import first. Of each, the blocks that the index does not rule out are
 * looked at once and remembered, since runs share them; where a block holds a match, the messages that may say it are read. */
enum {
    LIMIT_DEFAULT = 50,
    LIMIT_MAX = 1000,
    DEADLINE_US = 10 * 1000 * 1000,
    TEXT_US = 100 * 1000,        /* for one text */
    FEW_BLOCKS = 2000,           /* so few candidates, and the runs that use them are asked for, instead of all runs for theirs */
    MESSAGES_AT_ONCE = 4096,
    REMEMBERED_BYTES = 64 << 20, /* of what was found in blocks; past it all is forgotten and found again */
    LINE_BYTES = 400,
    LINE_BEFORE = 100,           /* of a longer line: so much before the match */
};

/* The place of a hit in the order of hits. */
struct place {
    int64_t imported;    /* newest first; the rest ascends */
    int64_t run;         /* run.n */
    int64_t message;     /* its place among those of the run; -1: before all */
    int part, call;
};

/* A text with a match. */
struct spot {
    uint16_t text;       /* its place in the block */
    uint32_t start, end;
};

struct looked_at {
    int64_t block;       /* 0: free */
    uint32_t n;
    const struct spot *spots;
};

struct search {
    struct store *s;
    const struct search_query *q;
    struct err *e;
    struct regex *re;
    struct regex_scratch *scratch;
    int64_t deadline_us;
    unsigned roles;      /* bits; 0: any */
    bool all_blocks;     /* the index says nothing about the pattern */
    int64_t *blocks;     /* else: the candidates, descending */
    size_t nblocks;
    uint32_t limit;
    bool resumed;
    struct place after;

    struct looked_at *memory;
    size_t nmemory, memory_size; /* a power of two */
    struct arena spots;

    struct place run;    /* at which the search is, before its first message */
    struct arena of_run;
    bool described;      /* `about` is of this run */
    struct search_hit about;

    struct arena *a;
    struct search_hits *out;
    size_t cap;
    int64_t total;
    struct place last;   /* hit on the page */
    bool more;           /* there is one behind the page */
    bool late;
    uint64_t cut;        /* texts on which the pattern did not come to its end */
};

/* ---- order and cursors -------------------------------------------------------------------------------------------------- */

static int compare(int64_t a, int64_t b)
{
    return a < b ? -1 : a > b;
}

static int place_compare(const struct place *a, const struct place *b)
{
    int c = compare(b->imported, a->imported);
    c = c ? c : compare(a->run, b->run);
    c = c ? c : compare(a->message, b->message);
    c = c ? c : compare(a->part, b->part);
    return c ? c : compare(a->call, b->call);
}

static struct slice place_text(struct arena *a, const struct place *p)
{
    return arena_printf(a, "%" PRId64 ".%" PRId64 ".%" PRId64 ".%d.%d", p->imported, p->run, p->message, p->part, p->call);
}

static bool place_parse(struct slice text, struct place *out, struct err *e)
{
    char z[128];
    int end = 0;
    if (text.len < sizeof z) {
        memcpy(z, text.ptr, text.len);
        z[text.len] = '\0';
        if (sscanf(z, "%" SCNd64 ".%" SCNd64 ".%" SCNd64 ".%d.%d%n", &out->imported, &out->run, &out->message, &out->part, &out->call, &end) == 5 &&
            (size_t)end == text.len)
            return true;
    }
    return err_set(e, ERR_USAGE, "\"%.*s\" is no cursor of a search", SLICE_ARG(slice_cut(text, 100)));
}

/* ---- blocks ------------------------------------------------------------------------------------------------------------- */

static bool out_of_time(struct search *x)
{
    x->late = x->late || clock_monotonic_us() >= x->deadline_us;
    return x->late;
}

static bool is_candidate(const struct search *x, int64_t block)
{
    size_t low = 0, high = x->nblocks;
    while (low < high && !x->all_blocks) {
        size_t middle = (low + high) / 2;
        if (x->blocks[middle] == block)
            return true;
        if (x->blocks[middle] > block)
            low = middle + 1;
        else
            high = middle;
    }
    return x->all_blocks;
}

/* Where the block stands in memory, or where it would. */
static struct looked_at *memory_slot(const struct search *x, int64_t block)
{
    size_t i = (size_t)((uint64_t)block * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (x->memory_size - 1);
    while (x->memory[i].block && x->memory[i].block != block)
        i = (i + 1) & (x->memory_size - 1);
    return &x->memory[i];
}

/* Doubles the table when it is half full, or empties it when it has got too large. */
static void memory_grow(struct search *x)
{
    if (x->nmemory * 2 < x->memory_size)
        return;
    bool forget = x->spots.total + x->memory_size * sizeof *x->memory > REMEMBERED_BYTES;
    size_t old_size = x->memory_size;
    struct looked_at *old = x->memory;
    x->memory_size = forget || !old_size ? 1024 : 2 * old_size;
    x->memory = calloc(x->memory_size, sizeof *x->memory);
    if (!x->memory)
        abort();
    for (size_t i = 0; i < old_size && !forget; i++)
        if (old[i].block)
            *memory_slot(x, old[i].block) = old[i];
    free(old);
    if (forget) {
        arena_reset(&x->spots);
        x->nmemory = 0;
    }
}

/* The texts of a block that match. Good until the next call. */
static bool look_at(struct search *x, int64_t id, const struct looked_at **out)
{
    memory_grow(x);
    struct looked_at *seen = memory_slot(x, id);
    *out = seen;
    if (seen->block)
        return true;
    struct err e = {0};
    const struct block *block = NULL;
    if (!block_read(x->s, id, &block, &e) && e.code != ERR_NOT_FOUND)
        return err_set(x->e, e.code, "%s", e.text);
    int64_t until = clock_monotonic_us() + TEXT_US;
    struct spot *spots = NULL;
    size_t n = 0, cap = 0;
    for (size_t i = 0; block && i < block->n; i++) {
        struct regex_match m;
        switch (regex_find(x->re, x->scratch, block->texts[i], 0, until < x->deadline_us ? until : x->deadline_us, &m)) {
        case REGEX_NO:
            break;
        case REGEX_YES:
            spots = arena_grow(&x->spots, spots, n, &cap, sizeof *spots);
            spots[n++] = (struct spot){.text = (uint16_t)i, .start = (uint32_t)m.start, .end = (uint32_t)m.end};
            break;
        case REGEX_INCOMPLETE:
            x->cut++;
            until = clock_monotonic_us() + TEXT_US;
            break;
        }
    }
    *seen = (struct looked_at){.block = id, .n = (uint32_t)n, .spots = spots};
    x->nmemory++;
    return true;
}

/* Where a text matches; *spot is NULL where it does not. */
static bool find_spot(struct search *x, int64_t text, const struct spot **spot)
{
    const struct looked_at *seen;
    *spot = NULL;
    if (text <= TEXT_EMPTY || !is_candidate(x, text_block(text)))
        return true;
    if (!look_at(x, text_block(text), &seen))
        return false;
    size_t low = 0, high = seen->n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (seen->spots[middle].text < text_place(text))
            low = middle + 1;
        else
            high = middle;
    }
    if (low < seen->n && seen->spots[low].text == text_place(text))
        *spot = &seen->spots[low];
    return true;
}

/* ---- hits --------------------------------------------------------------------------------------------------------------- */

enum part { PART_TEXT, PART_REASONING, PART_ERROR, PART_ARGUMENTS };
static const char *const part_names[] = {"text", "reasoning", "error"};

/* A text that a message says, and that matches. */
struct use {
    struct place place;
    int64_t text;
    struct spot spot;
    int32_t transcript, message;
    enum role role;
    struct slice tool;
};

static bool in_list(struct slice list, struct slice word)
{
    for (size_t at = 0; at <= list.len;) {
        const char *comma = at < list.len ? memchr(list.ptr + at, ',', list.len - at) : NULL;
        size_t stop = comma ? (size_t)(comma - list.ptr) : list.len;
        if (slice_eq(slice_sub(list, at, stop - at), word))
            return true;
        at = stop + 1;
    }
    return false;
}

static bool wanted(const struct search *x, const struct use *u)
{
    return (!x->roles || x->roles >> u->role & 1) && (!x->q->tool.ptr || in_list(x->q->tool, u->tool));
}

/* What all hits of a run say alike. */
static bool describe_run(struct search *x)
{
    if (x->described)
        return true;
    struct stmt *q = db_prepare(x->s->db,
        "SELECT r.id, r.external_id, c.id, t.task_id, r.model FROM run r JOIN collection c ON c.n = r.collection LEFT JOIN task t ON t.n = r.task"
        " WHERE r.n = $1", x->e);
    bind_int(q, x->run.run);
    enum step step = stmt_step(q, x->e);
    if (step != STEP_ROW)
        return step == STEP_DONE && err_set(x->e, ERR_NOT_FOUND, "a run was deleted meanwhile");
    x->about = (struct search_hit){0};
    x->about.run = take_text(q, x->a);
    x->about.external_id = take_text(q, x->a);
    x->about.collection = take_text(q, x->a);
    x->about.task_id = take_text(q, x->a);
    x->about.model = take_text(q, x->a);
    stmt_reset(q);
    x->described = true;
    return true;
}

/* The line in which the match begins, cut to LINE_BYTES around it. */
static struct slice line_of(struct slice text, struct spot spot, uint32_t *line_start)
{
    const char *before = spot.start ? memrchr(text.ptr, '\n', spot.start) : NULL;
    const char *after = memchr(text.ptr + spot.start, '\n', text.len - spot.start);
    size_t first = before ? (size_t)(before - text.ptr) + 1 : 0, last = after ? (size_t)(after - text.ptr) : text.len;
    if (last - first > LINE_BYTES && spot.start - first > LINE_BEFORE) {
        first = spot.start - LINE_BEFORE;
        if (last - first < LINE_BYTES)
            first = last - LINE_BYTES;
        while (first < spot.start && ((unsigned char)text.ptr[first] & 0xc0) == 0x80)
            first++;
    }
    *line_start = (uint32_t)first;
    return slice_cut(slice_sub(text, first, last - first), LINE_BYTES);
}

static bool add_hit(struct search *x, const struct use *u)
{
    const struct block *block;
    if (!describe_run(x) || !block_read(x->s, text_block(u->text), &block, x->e))
        return false;
    x->out->items = arena_grow(x->a, x->out->items, x->out->n, &x->cap, sizeof *x->out->items);
    struct search_hit *hit = &x->out->items[x->out->n++];
    *hit = x->about;
    hit->transcript = u->transcript;
    hit->message = u->message;
    hit->role = u->role;
    hit->tool = arena_dup(x->a, u->tool);
    hit->part = u->place.part == PART_ARGUMENTS ? arena_printf(x->a, "call:%d.arguments", u->place.call) : slice_str(part_names[u->place.part]);
    hit->start = u->spot.start;
    hit->end = u->spot.end;
    hit->line = arena_dup(x->a, line_of(block->texts[text_place(u->text)], u->spot, &hit->line_start));
    x->last = u->place;
    return true;
}

static bool take_use(struct search *x, const struct use *u)
{
    x->total++;
    if (x->resumed && place_compare(&u->place, &x->after) <= 0)
        return true;
    if (x->out->n < x->limit)
        return add_hit(x, u);
    x->more = true;
    return true;
}

/* The page is full (and nobody wants to know how many more there are), or the time is over. */
static bool done(const struct search *x)
{
    return x->late || (x->more && !x->q->count);
}

/* ---- runs --------------------------------------------------------------------------------------------------------------- */

struct uses {
    struct use *items;
    size_t n, cap;
};

static bool add_use(struct search *x, struct uses *uses, struct use use, int64_t text)
{
    const struct spot *spot;
    if (!find_spot(x, text, &spot))
        return false;
    if (!spot || !wanted(x, &use))
        return true;
    use.text = text;
    use.spot = *spot;
    uses->items = arena_grow(&x->of_run, uses->items, uses->n, &uses->cap, sizeof *uses->items);
    uses->items[uses->n++] = use;
    return true;
}

static int use_compare(const void *a, const void *b)
{
    return place_compare(&((const struct use *)a)->place, &((const struct use *)b)->place);
}

/* What the calls [from, to) of the run say; `messages` are the n messages from `first` on that make them. */
static bool read_calls(struct search *x, int64_t from, int64_t to, int64_t first, const struct use *messages, size_t n, struct uses *uses)
{
    struct stmt *q = db_prepare(x->s->db, "SELECT message, position, arguments, name FROM tool_call WHERE id BETWEEN $1 AND $2", x->e);
    bind_int(q, child_id(x->run.run, from));
    bind_int(q, child_id(x->run.run, to - 1));
    enum step step;
    while ((step = stmt_step(q, x->e)) == STEP_ROW) {
        int64_t place = take_int(q) - first;
        if (place < 0 || (size_t)place >= n)
            continue;
        struct use use = messages[place];
        use.place.part = PART_ARGUMENTS;
        use.place.call = (int)take_int(q);
        int64_t text = take_count(q);
        use.tool = take_text(q, &x->of_run);
        if (!add_use(x, uses, use, text))
            return false;
    }
    return step == STEP_DONE;
}

/* What the messages [first, last] of the run say, at most MESSAGES_AT_ONCE. */
static bool read_messages(struct search *x, int64_t first, int64_t last)
{
    struct uses uses = {0};
    struct use *messages = arena_array(&x->of_run, struct use, (size_t)(last - first + 1));
    size_t n = 0;
    int64_t calls_from = -1, calls_to = -1;
    struct stmt *q = db_prepare(x->s->db,
        "SELECT m.id, m.transcript, t.first, m.role, m.calls, m.first_call, m.tool_name, m.text, m.reasoning, m.error"
        " FROM message m JOIN transcript t ON t.id = $1 | m.transcript WHERE m.id BETWEEN $2 AND $3 ORDER BY m.id", x->e);
    bind_int(q, child_first(x->run.run));
    bind_int(q, child_id(x->run.run, first));
    bind_int(q, child_id(x->run.run, last));
    enum step step;
    while ((step = stmt_step(q, x->e)) == STEP_ROW) {
        struct use *use = &messages[n++];
        use->place = x->run;
        use->place.message = child_place(take_int(q));
        use->transcript = (int32_t)take_int(q);
        use->message = (int32_t)(use->place.message - take_int(q));
        use->role = (enum role)take_int(q);
        int64_t calls = take_int(q), first_call = take_int(q);
        if (calls && calls_from < 0)
            calls_from = first_call;
        if (calls)
            calls_to = first_call + calls;
        use->tool = take_text(q, &x->of_run);
        for (enum part part = PART_TEXT; part <= PART_ERROR; part++) {
            use->place.part = (int)part;
            if (!add_use(x, &uses, *use, take_count(q)))
                return false;
        }
    }
    if (step != STEP_DONE || (calls_to > 0 && !read_calls(x, calls_from, calls_to, first, messages, n, &uses)))
        return false;
    if (uses.n > 1)
        qsort(uses.items, uses.n, sizeof *uses.items, use_compare);
    for (size_t i = 0; i < uses.n && !done(x); i++)
        if (!take_use(x, &uses.items[i]))
            return false;
    return true;
}

static bool read_range(struct search *x, int64_t first, int64_t last)
{
    for (; first <= last && !done(x) && !out_of_time(x); first += MESSAGES_AT_ONCE)
        if (!read_messages(x, first, last - first < MESSAGES_AT_ONCE ? last : first + MESSAGES_AT_ONCE - 1))
            return false;
    return true;
}

struct used_block { int64_t id, first, last; };

static bool list_blocks(struct search *x, struct used_block **out, size_t *n)
{
    struct stmt *q = db_prepare(x->s->db, x->all_blocks
        ? "SELECT u.block, u.first, u.last FROM block_run u JOIN block b ON b.id = u.block WHERE u.run = $1 AND u.last >= 0 AND b.searchable ORDER BY u.first"
        : "SELECT block, first, last FROM block_run WHERE run = $1 AND last >= 0 ORDER BY first", x->e);
    bind_int(q, x->run.run);
    size_t cap = 0;
    *out = NULL;
    *n = 0;
    enum step step;
    while ((step = stmt_step(q, x->e)) == STEP_ROW) {
        *out = arena_grow(&x->of_run, *out, *n, &cap, sizeof **out);
        struct used_block *b = &(*out)[*n];
        b->id = take_int(q);
        b->first = take_int(q);
        b->last = take_int(q);
        *n += is_candidate(x, b->id);
    }
    return step == STEP_DONE;
}

/* The blocks come in the order of their first message. Messages are read when the blocks that they lie in are known. */
static bool search_run(struct search *x)
{
    struct used_block *blocks;
    size_t n;
    int64_t first = 0, last = -1; /* messages to read */
    int64_t begin = x->resumed && !x->q->count && x->run.run == x->after.run ? x->after.message : 0;
    arena_reset(&x->of_run);
    x->described = false;
    if (!list_blocks(x, &blocks, &n))
        return false;
    for (size_t i = 0; i < n && !out_of_time(x); i++) {
        const struct looked_at *seen;
        if (blocks[i].first > last && last >= first) {
            if (!read_range(x, first, last))
                return false;
            if (done(x))
                return true;
            last = -1;
        }
        if (blocks[i].last < begin)
            continue;
        if (!look_at(x, blocks[i].id, &seen))
            return false;
        if (seen->n == 0)
            continue;
        if (last < 0)
            first = blocks[i].first > begin ? blocks[i].first : begin;
        if (blocks[i].last > last)
            last = blocks[i].last;
    }
    return last < first || read_range(x, first, last);
}

/* The runs that the query's filters let through, as far as the answer may hold hits of them. `phase` 0: those of the import in which the
 * cursor is; 1: of older ones. */
static struct stmt *list_runs(struct search *x, int phase, struct arena *a)
{
    struct filter f = FILTER_ANY;
    f.collection = x->q->collection;
    f.anywhere = !f.collection.ptr;
    f.model = x->q->model;
    f.task = x->q->task;
    f.success = x->q->success;
    struct sql q = sql_new(a);
    sql_add(&q, "SELECT r.imported, r.n");
    if (!filter_runs(x->s, &q, &f, x->e)) {
        str_free(&q.text);
        return NULL;
    }
    if (!x->all_blocks && x->nblocks <= FEW_BLOCKS) {
        struct str ids = STR_INIT(FEW_BLOCKS * 24);
        str_addc(&ids, '[');
        for (size_t i = 0; i < x->nblocks; i++)
            str_printf(&ids, "%s%" PRId64, i ? "," : "", x->blocks[i]);
        str_addc(&ids, ']');
        sql_add(&q, " AND r.n IN (SELECT run FROM block_run WHERE block IN (SELECT value FROM json_each(");
        sql_text(&q, arena_dup(a, str_slice(&ids)));
        sql_add(&q, ")))");
        str_free(&ids);
    }
    if (x->resumed && !x->q->count) {
        sql_add(&q, phase == 0 ? " AND r.imported = " : " AND r.imported < ");
        sql_int(&q, x->after.imported);
        if (phase == 0) {
            sql_add(&q, " AND r.n >= ");
            sql_int(&q, x->after.run);
        }
    }
    sql_add(&q, " ORDER BY r.imported DESC, r.n");
    return sql_prepare(&q, x->s->db, x->e);
}

static bool search_runs(struct search *x)
{
    struct arena a = {0};
    bool ok = true;
    int phases = x->resumed && !x->q->count ? 2 : 1;
    for (int phase = 0; ok && phase < phases && !done(x); phase++) {
        struct stmt *q = list_runs(x, phase, &a);
        enum step step;
        while ((step = stmt_step(q, x->e)) == STEP_ROW) {
            x->run.imported = take_int(q);
            x->run.run = take_int(q);
            if (out_of_time(x) || !(ok = search_run(x)) || done(x))
                break;
        }
        if (step == STEP_ROW)
            stmt_reset(q);
        ok = ok && step != STEP_ERROR;
    }
    arena_free(&a);
    return ok;
}

/* ---- the whole ---------------------------------------------------------------------------------------------------------- */

static bool parse_roles(struct slice list, unsigned *roles, struct err *e)
{
    *roles = 0;
    for (size_t at = 0; list.len && at <= list.len;) {
        const char *comma = at < list.len ? memchr(list.ptr + at, ',', list.len - at) : NULL;
        size_t stop = comma ? (size_t)(comma - list.ptr) : list.len;
        struct slice word = slice_sub(list, at, stop - at);
        enum role role;
        if (!role_parse(word, &role))
            return err_set(e, ERR_USAGE, "\"%.*s\" is no role; there are system, user, assistant and tool", SLICE_ARG(word));
        *roles |= 1u << role;
        at = stop + 1;
    }
    return true;
}

static bool compile(struct search *x)
{
    int flags = x->q->regex ? 0 : REGEX_LITERAL | (x->q->match_case ? 0 : REGEX_NOCASE);
    if (x->q->pattern.len == 0)
        return err_set(x->e, ERR_USAGE, "there is nothing to search for");
    if (!regex_compile(x->q->pattern, flags, &x->re, x->e)) {
        if (x->e)
            x->e->code = ERR_USAGE;
        return false;
    }
    x->scratch = regex_scratch_new();
    return true;
}

static bool find_candidates(struct search *x)
{
    struct needs needs;
    int flags = x->q->regex ? 0 : REGEX_LITERAL | (x->q->match_case ? 0 : REGEX_NOCASE);
    needs_of_pattern(x->a, x->q->pattern, flags, &needs);
    x->all_blocks = needs.n == 0;
    return x->all_blocks || grams_candidates(x->s, &needs, x->a, &x->blocks, &x->nblocks, x->e);
}

static void conclude(struct search *x)
{
    struct search_hits *out = x->out;
    if (x->more)
        out->end.next = place_text(x->a, &x->last);
    else if (x->late) /* go on in the run that was not finished */
        out->end.next = place_text(x->a, out->n && x->last.run == x->run.run ? &x->last : &x->run);
    bool all = !x->late && (x->q->count || (!x->more && !x->resumed));
    out->end.total = all ? x->total : TOTAL_UNKNOWN;
    out->incomplete = x->late || x->cut > 0;
    if (x->late)
        out->reason = slice_str("the time allowed was over before everything was searched");
    else if (x->cut)
        out->reason = arena_printf(x->a, "the pattern takes too long on %llu text%s", (unsigned long long)x->cut, x->cut == 1 ? "" : "s");
}

bool store_search(struct store *s, const struct search_query *q, struct arena *a, struct search_hits *out, struct err *e)
{
    struct search x = {.s = s, .q = q, .e = e, .a = a, .out = out, .limit = q->limit ? q->limit : LIMIT_DEFAULT, .resumed = q->after.ptr != NULL};
    x.deadline_us = q->deadline_us ? q->deadline_us : clock_monotonic_us() + DEADLINE_US;
    x.run = (struct place){.imported = INT64_MAX, .message = -1}; /* before all runs */
    *out = (struct search_hits){.end.total = TOTAL_UNKNOWN};
    if (x.limit > LIMIT_MAX)
        return err_set(e, ERR_USAGE, "a page holds at most %d hits", LIMIT_MAX);
    if (!parse_roles(q->role, &x.roles, e) || (x.resumed && !place_parse(q->after, &x.after, e)) || !compile(&x) || !db_read(s->db, e)) {
        regex_free(x.re);
        regex_scratch_free(x.scratch);
        return false;
    }
    bool ok = find_candidates(&x) && ((!x.all_blocks && x.nblocks == 0) || search_runs(&x));
    ok = db_end(s->db, ok, e);
    if (ok)
        conclude(&x);
    free(x.memory);
    arena_free(&x.spots);
    arena_free(&x.of_run);
    regex_scratch_free(x.scratch);
    regex_free(x.re);
    return ok;
}
