#include "storage/task_detail.h"

#include "storage/blocks.h"
#include "storage/digest.h"

#include <stdlib.h>

struct looked { /* a run that is looked at */
    int64_t n;
    struct task_member who;
    struct error_line *errors;
    size_t nerrors;
};
struct detail {
    struct store *store;
    struct arena *a;
    struct looked *runs;
    size_t nruns;
};

/* ---- groups ---------------------------------------------------------------------------------------------------------- */

/* That a run says something: runs that say the same are a group. */
struct said {
    struct slice key;
    struct task_member who;
    struct slice target;           /* of an answer */
    const struct error_line *line; /* of an error */
    size_t order;
};
struct sayings {
    struct said *items;
    size_t n, cap;
};

static struct said *saying_add(struct arena *a, struct sayings *all, struct slice key, const struct task_member *who)
{
    all->items = arena_grow(a, all->items, all->n, &all->cap, sizeof *all->items);
    all->items[all->n] = (struct said){.key = key, .who = *who, .order = all->n};
    return &all->items[all->n++];
}

static int by_key(const void *a, const void *b)
{
    const struct said *x = a, *y = b;
    int keys = slice_cmp(x->key, y->key);
    return keys ? keys : (x->order > y->order) - (x->order < y->order);
}

struct range { const struct said *first; size_t n; };

static int by_size(const void *a, const void *b)
{
    const struct range *x = a, *y = b;
    return x->n != y->n ? (x->n < y->n ? 1 : -1) : (x->first->order > y->first->order) - (x->first->order < y->first->order);
}

static struct task_group group_of(struct arena *a, const struct range *range)
{
    struct task_group group = {.text = range->first->key, .target = range->first->target, .runs = (int64_t)range->n};
    group.nmembers = range->n < TASK_MEMBERS ? range->n : TASK_MEMBERS;
    group.members = arena_array(a, struct task_member, group.nmembers);
    for (size_t i = 0; i < range->n; i++) {
        const struct task_member *who = &range->first[i].who;
        group.passed += who->success == VERDICT_PASSED;
        group.failed += who->success == VERDICT_FAILED;
        if (i < group.nmembers)
            group.members[i] = *who;
    }
    return group;
}

/* Groups of at least `least` runs, and the ranges of `all` that the told ones are. */
static struct range *group_up(struct arena *a, struct sayings *all, size_t least, struct task_groups *out)
{
    struct range *ranges = arena_array(a, struct range, all->n + 1);
    size_t n = 0;
    if (all->n)
        qsort(all->items, all->n, sizeof *all->items, by_key);
    for (size_t from = 0, end; from < all->n; from = end) {
        for (end = from + 1; end < all->n && slice_eq(all->items[end].key, all->items[from].key);)
            end++;
        if (end - from >= least)
            ranges[n++] = (struct range){&all->items[from], end - from};
    }
    qsort(ranges, n, sizeof *ranges, by_size);
    out->n = n < TASK_GROUPS ? n : TASK_GROUPS;
    out->more = (int64_t)(n - out->n);
    out->items = arena_array(a, struct task_group, out->n + 1);
    for (size_t i = 0; i < out->n; i++)
        out->items[i] = group_of(a, &ranges[i]);
    return ranges;
}

/* ---- texts ----------------------------------------------------------------------------------------------------------- */

/* The text without space at its ends, cut; empty: there is none. */
static bool read_cut(struct detail *d, int64_t text, struct slice *out, struct err *e)
{
    const struct block *block;
    *out = slice_of("", 0);
    if (text <= TEXT_EMPTY)
        return true;
    if (!block_read(d->store, text_block(text), &block, e))
        return false;
    if (text_place(text) < block->n)
        *out = arena_dup(d->a, slice_cut(slice_trim(block->texts[text_place(text)]), TASK_TEXT));
    return true;
}

/* What the run's first score that tells an answer, and the first that tells a target, say. */
static bool read_scores(struct detail *d, int64_t run, struct slice *answer, struct slice *target, struct err *e)
{
    enum { SCORES_MOST = 32 };
    int64_t texts[SCORES_MOST][2];
    size_t n = 0;
    struct stmt *q = db_prepare(d->store->db,
        "SELECT coalesce(answer, -1), coalesce(target, -1) FROM score WHERE id BETWEEN $1 AND $2 ORDER BY id LIMIT $3", e);
    bind_int(q, child_first(run));
    bind_int(q, child_last(run));
    bind_int(q, SCORES_MOST);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        texts[n][0] = take_int(q);
        texts[n++][1] = take_int(q);
    }
    *answer = *target = slice_of("", 0);
    for (size_t i = 0; i < n && step == STEP_DONE; i++)
        if ((!answer->len && !read_cut(d, texts[i][0], answer, e)) || (!target->len && !read_cut(d, texts[i][1], target, e)))
            return false;
    return step == STEP_DONE;
}

/* What the agent said last, and where. */
static bool read_last_words(struct detail *d, int64_t run, struct slice *words, struct task_member *who, struct err *e)
{
    struct stmt *q = db_prepare(d->store->db,
        "SELECT m.text, m.transcript, (m.id & 67108863) - t.first FROM message m"
        " JOIN transcript t ON t.id = (m.id >> 26 << 26) | m.transcript"
        " WHERE m.id BETWEEN $1 AND $2 AND m.role = $3 AND m.bytes > 0 ORDER BY m.id DESC LIMIT 1", e);
    bind_int(q, child_first(run));
    bind_int(q, child_last(run));
    bind_int(q, ROLE_ASSISTANT);
    *words = slice_of("", 0);
    enum step step = stmt_step(q, e);
    if (step != STEP_ROW)
        return step == STEP_DONE;
    int64_t text = take_int(q);
    who->transcript = (int32_t)take_int(q);
    who->message = (int32_t)take_int(q);
    stmt_reset(q);
    return read_cut(d, text, words, e);
}

/* ---- the parts ------------------------------------------------------------------------------------------------------- */

static bool load_runs(struct detail *d, int64_t task, struct err *e)
{
    size_t cap = 0;
    struct stmt *q = db_prepare(d->store->db,
        "SELECT r.n, r.id, r.external_id, r.model, coalesce(r.success, 2), d.errors FROM run r LEFT JOIN run_digest d ON d.run = r.n"
        " WHERE r.task = $1 ORDER BY r.external_id, r.n LIMIT $2", e);
    bind_int(q, task);
    bind_int(q, TASK_LOOKED);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        d->runs = arena_grow(d->a, d->runs, d->nruns, &cap, sizeof *d->runs);
        struct looked *run = &d->runs[d->nruns++];
        struct run_summary digest = {0};
        run->n = take_int(q);
        run->who = (struct task_member){.transcript = -1, .message = -1};
        run->who.run = take_text(q, d->a);
        run->who.external_id = take_text(q, d->a);
        run->who.model = take_text(q, d->a);
        run->who.success = (enum verdict)take_int(q);
        digest_unpack(d->a, SLICE_NONE, take_bytes(q), &digest);
        run->errors = digest.errors;
        run->nerrors = digest.nerrors;
    }
    return step == STEP_DONE;
}

static bool group_scores(struct detail *d, struct task_detail *out, struct err *e)
{
    struct sayings answers = {0}, targets = {0};
    for (size_t i = 0; i < d->nruns; i++) {
        struct slice answer, target;
        if (!read_scores(d, d->runs[i].n, &answer, &target, e))
            return false;
        if (target.len)
            saying_add(d->a, &targets, target, &d->runs[i].who);
        if (answer.len)
            saying_add(d->a, &answers, answer, &d->runs[i].who)->target = target.len ? target : SLICE_NONE;
    }
    group_up(d->a, &answers, 1, &out->answers);
    group_up(d->a, &targets, 1, &out->targets);
    return true;
}

static bool group_last_words(struct detail *d, struct task_detail *out, struct err *e)
{
    struct sayings answers = {0};
    for (size_t i = 0; i < d->nruns; i++) {
        struct slice words;
        struct task_member who = d->runs[i].who;
        if (!read_last_words(d, d->runs[i].n, &words, &who, e))
            return false;
        if (words.len)
            saying_add(d->a, &answers, words, &who)->target = out->targets.n == 1 ? out->targets.items->text : SLICE_NONE;
    }
    group_up(d->a, &answers, 1, &out->answers);
    for (size_t i = 0; i < out->answers.n; i++)
        out->answers.items[i].last_words = true;
    return true;
}

/* Error lines by their hash; the words of a group are those of its first run. */
static void group_errors(struct detail *d, struct task_detail *out)
{
    const struct quotes quotes = store_quotes(d->store);
    struct sayings lines = {0};
    for (size_t i = 0; i < d->nruns; i++)
        for (size_t k = 0; k < d->runs[i].nerrors; k++) {
            const struct error_line *line = &d->runs[i].errors[k];
            saying_add(d->a, &lines, slice_of((const char *)&line->hash, sizeof line->hash), &d->runs[i].who)->line = line;
        }
    const struct range *ranges = group_up(d->a, &lines, d->nruns > 1 ? 2 : 1, &out->errors);
    for (size_t i = 0; i < out->errors.n; i++) {
        struct task_group *group = &out->errors.items[i];
        group->text = SLICE_NONE;
        for (size_t k = 0; k < group->nmembers; k++) {
            struct evidence at;
            if (!quotes.error(quotes.ctx, group->members[k].run, ranges[i].first[k].line, d->a, &at))
                continue;
            group->members[k].transcript = at.transcript;
            group->members[k].message = at.message;
            if (!group->text.ptr)
                group->text = slice_cut(slice_trim(at.quote), TASK_TEXT);
        }
    }
}

static bool load_behaviors(struct detail *d, int64_t task, struct task_detail *out, struct err *e)
{
    size_t cap = 0;
    struct stmt *q = db_prepare(d->store->db,
        "SELECT behavior, kind, count(DISTINCT run) AS runs FROM finding WHERE task = $1 AND scope = 0 AND status <> 2"
        " GROUP BY behavior, kind ORDER BY runs DESC, behavior LIMIT 100", e);
    bind_int(q, task);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        out->behaviors = arena_grow(d->a, out->behaviors, out->nbehaviors, &cap, sizeof *out->behaviors);
        struct task_behavior *row = &out->behaviors[out->nbehaviors++];
        row->behavior = take_text(q, d->a);
        row->kind = (enum kind)take_int(q);
        row->runs = take_int(q);
    }
    return step == STEP_DONE;
}

static bool load_detail(struct detail *d, struct slice collection, struct slice task_id, struct task_detail *out, struct err *e)
{
    int64_t key, task;
    struct task_rows rows;
    struct filter only = FILTER_ANY;
    only.collection = collection;
    only.ids = &task_id;
    only.nids = 1;
    *out = (struct task_detail){0};
    if (!collection_find(d->store, collection, &key, e) || !task_find(d->store, key, task_id, &task, e) ||
        !store_tasks(d->store, &only, &(struct page){.limit = 1}, d->a, &rows, e))
        return false;
    if (!rows.n)
        return err_set(e, ERR_NOT_FOUND, "no run of this collection names a task \"%.*s\"", SLICE_ARG(slice_cut(task_id, 200)));
    out->row = rows.items[0];
    if (!load_runs(d, task, e) || !group_scores(d, out, e) || (!out->answers.n && !group_last_words(d, out, e)) ||
        !load_behaviors(d, task, out, e))
        return false;
    group_errors(d, out);
    out->looked = (int64_t)d->nruns;
    return true;
}

bool store_task_detail(struct store *s, struct slice collection, struct slice task_id, struct arena *a, struct task_detail *out, struct err *e)
{
    struct detail d = {.store = s, .a = a};
    return db_read(s->db, e) && db_end(s->db, load_detail(&d, collection, task_id, out, e), e);
}
