#include "storage/rows.h"

#include <stdlib.h>

/* The story of a collection in three passes: its tasks, its runs, its findings. What is counted by name or by distinct runs is counted
 * here and not in SQL, which would make a pass for each question. */

enum { FACET_VALUES = 50 };

/* ---- keys → places --------------------------------------------------------------------------------------------------- */

/* Keys of rows, ascending; a key's place is its index. */
struct keys {
    int64_t *items;
    size_t n, cap, last; /* last: the place asked for before */
};

static void key_add(struct keys *k, struct arena *a, int64_t key)
{
    k->items = arena_grow(a, k->items, k->n, &k->cap, sizeof *k->items);
    k->items[k->n++] = key;
}

static int by_key(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* SIZE_MAX: not there. Questions mostly ascend too, so it looks ahead of the last answer in growing steps before it halves. */
static size_t key_place(struct keys *k, int64_t key)
{
    if (!k->n)
        return SIZE_MAX;
    size_t low = k->items[k->last] <= key ? k->last : 0, high = k->items[k->last] <= key ? low + 1 : k->last;
    for (size_t step = 1; high < k->n && k->items[high] <= key; step *= 2) {
        low = high;
        high += step;
    }
    if (high > k->n)
        high = k->n;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (k->items[middle] <= key)
            low = middle;
        else
            high = middle;
    }
    k->last = low;
    return k->items[low] == key ? low : SIZE_MAX;
}

/* A set of places. */
static bool mark(uint64_t *bits, size_t place)
{
    uint64_t bit = UINT64_C(1) << (place % 64);
    bool fresh = !(bits[place / 64] & bit);
    bits[place / 64] |= bit;
    return fresh;
}

/* ---- names → tallies ------------------------------------------------------------------------------------------------- */

struct tally {
    struct slice name;    /* absent: runs that have none */
    int64_t runs, passed, failed, sound_runs, sound_passed, sound_failed, flagged;
};
struct tallies {
    struct tally *items;
    size_t n, cap;
    uint32_t *table;      /* place + 1; open addressing, a power of two */
    size_t table_cap;
};

static size_t hash_name(struct slice name)
{
    uint64_t hash = name.ptr ? name.len + 1 : 0;
    for (size_t i = 0; i < name.len; i++)
        hash = (hash ^ (unsigned char)name.ptr[i]) * UINT64_C(0x100000001b3);
    return (size_t)(hash ^ hash >> 29);
}

static uint32_t *tally_slot(const struct tallies *t, struct slice name)
{
    for (size_t at = hash_name(name);; at++) {
        uint32_t *slot = &t->table[at & (t->table_cap - 1)];
        if (!*slot || (slice_eq(t->items[*slot - 1].name, name) && !t->items[*slot - 1].name.ptr == !name.ptr))
            return slot;
    }
}

/* The tally of a name; the name is copied when it is new. */
static struct tally *tally_of(struct tallies *t, struct arena *a, struct slice name)
{
    if (2 * t->n >= t->table_cap) {
        t->table_cap = t->table_cap ? 2 * t->table_cap : 64;
        t->table = arena_zalloc(a, t->table_cap, sizeof *t->table);
        for (size_t i = 0; i < t->n; i++)
            *tally_slot(t, t->items[i].name) = (uint32_t)i + 1;
    }
    uint32_t *slot = tally_slot(t, name);
    if (!*slot) {
        t->items = arena_grow(a, t->items, t->n, &t->cap, sizeof *t->items);
        t->items[t->n++] = (struct tally){.name = arena_dup(a, name)};
        *slot = (uint32_t)t->n;
    }
    return &t->items[*slot - 1];
}

static int by_runs(const void *a, const void *b)
{
    const struct tally *x = a, *y = b;
    return x->runs != y->runs ? (x->runs < y->runs ? 1 : -1) : slice_cmp(x->name, y->name);
}

/* ---- the passes ------------------------------------------------------------------------------------------------------ */

/* A detector or a behaviour. */
struct group {
    struct group_count count;
    uint64_t *runs, *tasks;  /* those seen */
    int64_t best, best_rank; /* key of a finding; 0: none */
};
struct groups {
    struct group *items;
    size_t n, cap, last;     /* last: the one asked for before, mostly asked for again */
};

struct story {
    struct store *store;
    int64_t collection;
    struct arena *out, *scratch;
    struct summary *summary;
    struct keys runs, tasks;
    uint64_t *broken;        /* tasks, by place */
    struct tallies models, exits, formats, tags, task_runs;
    struct groups detectors, behaviors;
};

static bool read_tasks(struct story *y, struct err *e)
{
    struct summary *s = y->summary;
    size_t cap = 0, n = 0;
    bool *broken = NULL;
    struct stmt *q = db_prepare(y->store->db,
        "SELECT n, task_id, runs, verdict, broken > 0, odd > 0, near > 0, harness > 0, data > 0 FROM task WHERE collection = $1 ORDER BY n", e);
    bind_int(q, y->collection);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        key_add(&y->tasks, y->scratch, take_int(q));
        struct slice task_id = take_bytes(q);
        tally_of(&y->task_runs, y->scratch, task_id)->runs = take_int(q);
        int64_t verdict = take_int(q);
        for (int i = 0; i < KIND_COUNT; i++)
            s->kind_tasks[i] += take_int(q);
        s->tasks++;
        s->broken_tasks += verdict == TASK_BROKEN;
        s->suspect_tasks += verdict == TASK_SUSPECT;
        broken = arena_grow(y->scratch, broken, n, &cap, sizeof *broken);
        broken[n++] = verdict == TASK_BROKEN;
    }
    y->broken = arena_array(y->scratch, uint64_t, n / 64 + 1);
    for (size_t i = 0; i < n; i++)
        if (broken[i])
            mark(y->broken, i);
    return step == STEP_DONE;
}

static void add_known(int64_t *sum, int64_t n)
{
    if (n != COUNT_UNKNOWN)
        *sum = *sum == COUNT_UNKNOWN ? n : *sum + n;
}

static bool read_runs(struct story *y, struct err *e)
{
    struct summary *s = y->summary;
    struct stmt *q = db_prepare(y->store->db,
        "SELECT n, coalesce(task, 0), coalesce(success, 2), messages, calls, broken, odd, near, harness, data, tokens_in, tokens_out, cost_usd,"
        " model, exit_status, format FROM run WHERE collection = $1", e);
    bind_int(q, y->collection);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        key_add(&y->runs, y->scratch, take_int(q));
        size_t task = key_place(&y->tasks, take_int(q));
        bool sound = task == SIZE_MAX || !(y->broken[task / 64] >> (task % 64) & 1);
        int64_t success = take_int(q), findings = 0;
        bool passed = success == VERDICT_PASSED, failed = success == VERDICT_FAILED;
        s->runs++;
        s->passed += passed;
        s->failed += failed;
        s->unknown += !passed && !failed;
        s->sound_runs += sound;
        s->sound_passed += sound && passed;
        s->sound_failed += sound && failed;
        s->messages += take_int(q);
        s->calls += take_int(q);
        for (int i = 0; i < KIND_COUNT; i++) {
            int64_t n = take_int(q);
            s->kind_runs[i] += n > 0;
            findings += n;
        }
        add_known(&s->tokens_in, take_count(q));
        add_known(&s->tokens_out, take_count(q));
        double cost = take_real(q);
        if (!isnan(cost))
            s->cost_usd = isnan(s->cost_usd) ? cost : s->cost_usd + cost;
        struct tally *model = tally_of(&y->models, y->scratch, take_bytes(q));
        model->runs++;
        model->passed += passed;
        model->failed += failed;
        model->sound_runs += sound;
        model->sound_passed += sound && passed;
        model->sound_failed += sound && failed;
        model->flagged += findings > 0;
        tally_of(&y->exits, y->scratch, take_bytes(q))->runs++;
        tally_of(&y->formats, y->scratch, take_bytes(q))->runs++;
    }
    if (y->runs.n)
        qsort(y->runs.items, y->runs.n, sizeof *y->runs.items, by_key);
    return step == STEP_DONE;
}

static struct group *group_of(struct story *y, struct groups *groups, struct slice name)
{
    for (size_t k = 0; k < groups->n; k++) {
        size_t i = (groups->last + k) % groups->n;
        if (slice_eq(groups->items[i].count.name, name)) {
            groups->last = i;
            return &groups->items[i];
        }
    }
    groups->items = arena_grow(y->scratch, groups->items, groups->n, &groups->cap, sizeof *groups->items);
    groups->last = groups->n;
    struct group *group = &groups->items[groups->n++];
    *group = (struct group){
        .count.name = arena_dup(y->out, name),
        .runs = arena_array(y->scratch, uint64_t, y->runs.n / 64 + 1),
        .tasks = arena_array(y->scratch, uint64_t, y->tasks.n / 64 + 1),
    };
    return group;
}

/* One row of the index finding_list. */
struct indexed_finding {
    int64_t n;
    enum kind kind;
    enum severity severity;
    enum finding_status status;
    size_t run, task; /* places; SIZE_MAX: none */
};

static void count_in(struct group *group, const struct indexed_finding *f)
{
    struct group_count *c = &group->count;
    c->open += f->status == STATUS_OPEN;
    c->confirmed += f->status == STATUS_CONFIRMED;
    c->dismissed += f->status == STATUS_DISMISSED;
    if (!c->findings || f->severity > c->severity)
        c->severity = f->severity;
    if (!c->findings)
        c->kind = f->kind;
    if (f->status == STATUS_DISMISSED)
        return;
    c->findings++;
    c->runs += f->run != SIZE_MAX && mark(group->runs, f->run);
    c->tasks += f->task != SIZE_MAX && mark(group->tasks, f->task);
    int64_t rank = 2 * (int64_t)f->severity + (f->status == STATUS_CONFIRMED) + 1;
    if (rank > group->best_rank) {
        group->best_rank = rank;
        group->best = f->n;
    }
}

static bool read_findings(struct story *y, struct err *e)
{
    struct stmt *q = db_prepare(y->store->db,
        "SELECT n, kind, severity, status, coalesce(run, 0), coalesce(task, 0), detector, behavior FROM finding WHERE collection = $1"
        " ORDER BY severity DESC, detector, behavior, kind, run, task, status", e);
    bind_int(q, y->collection);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        struct indexed_finding f;
        f.n = take_int(q);
        f.kind = (enum kind)take_int(q);
        f.severity = (enum severity)take_int(q);
        f.status = (enum finding_status)take_int(q);
        f.run = key_place(&y->runs, take_int(q));
        f.task = key_place(&y->tasks, take_int(q));
        struct slice detector = take_bytes(q), behavior = take_bytes(q);
        struct group *group = group_of(y, &y->detectors, detector);
        count_in(group, &f);
        if (!group->count.behavior.ptr)
            group->count.behavior = arena_dup(y->out, behavior);
        count_in(group_of(y, &y->behaviors, behavior), &f);
        if (f.status != STATUS_DISMISSED)
            y->summary->kind_findings[f.kind]++;
    }
    return step == STEP_DONE;
}

static bool read_rest(struct story *y, struct err *e)
{
    struct summary *s = y->summary;
    struct stmt *q = db_prepare(y->store->db,
        "SELECT count(*), coalesce(sum(refused), 0), (SELECT count(*) FROM incomplete i JOIN run r ON r.n = i.run WHERE r.collection = $1)"
        " FROM file WHERE collection = $1", e);
    bind_int(q, y->collection);
    if (stmt_step(q, e) != STEP_ROW)
        return false;
    s->files = take_int(q);
    s->refused = take_int(q);
    s->incomplete = take_int(q);
    stmt_reset(q);
    q = db_prepare(y->store->db, "SELECT run, tag FROM run_tag", e);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW)
        if (key_place(&y->runs, take_int(q)) != SIZE_MAX)
            tally_of(&y->tags, y->scratch, take_bytes(q))->runs++;
    return step == STEP_DONE;
}

/* ---- telling --------------------------------------------------------------------------------------------------------- */

static int detector_order(const void *a, const void *b)
{
    const struct group_count *x = &((const struct group *)a)->count, *y = &((const struct group *)b)->count;
    return x->runs != y->runs ? (x->runs < y->runs ? 1 : -1) : x->findings != y->findings ? (x->findings < y->findings ? 1 : -1)
         : slice_cmp(x->name, y->name);
}

static int behavior_order(const void *a, const void *b)
{
    const struct group_count *x = &((const struct group *)a)->count, *y = &((const struct group *)b)->count;
    return x->kind != y->kind ? (int)x->kind - (int)y->kind : detector_order(a, b);
}

static struct group_count *tell_groups(struct story *y, struct groups *groups, int (*order)(const void *, const void *), size_t *n)
{
    struct group_count *counts = arena_array(y->out, struct group_count, groups->n);
    if (groups->n)
        qsort(groups->items, groups->n, sizeof *groups->items, order);
    for (size_t i = 0; i < groups->n; i++)
        counts[i] = groups->items[i].count;
    *n = groups->n;
    return counts;
}

static bool tell_findings(struct story *y, struct err *e)
{
    struct summary *s = y->summary;
    s->detectors = tell_groups(y, &y->detectors, detector_order, &s->ndetectors);
    s->behaviors = tell_groups(y, &y->behaviors, behavior_order, &s->nbehaviors);
    for (size_t i = 0; i < s->nbehaviors; i++) {
        int64_t best = y->behaviors.items[i].best;
        if (best && !finding_row_load(y->store, best, y->out, &s->behaviors[i].best, e))
            return false;
        s->behaviors[i].has_best = best != 0;
    }
    return true;
}

static void sort_tallies(struct tallies *t)
{
    if (t->n)
        qsort(t->items, t->n, sizeof *t->items, by_runs);
}

static void tell_models(struct story *y)
{
    struct summary *s = y->summary;
    sort_tallies(&y->models);
    s->by_model = arena_zalloc(y->out, y->models.n, sizeof *s->by_model);
    for (size_t i = 0; i < y->models.n; i++) {
        const struct tally *t = &y->models.items[i];
        s->models += t->name.ptr != NULL;
        s->by_model[i].model = arena_dup(y->out, t->name);
        s->by_model[i].runs = t->runs;
        s->by_model[i].passed = t->passed;
        s->by_model[i].failed = t->failed;
        s->by_model[i].sound_runs = t->sound_runs;
        s->by_model[i].sound_passed = t->sound_passed;
        s->by_model[i].sound_failed = t->sound_failed;
        s->by_model[i].flagged = t->flagged;
    }
    s->nby_model = y->models.n;
}

static void add_facet(struct story *y, const char *field, struct tallies *t)
{
    struct facet *facet = &y->summary->facets[y->summary->nfacets++];
    sort_tallies(t);
    facet->field = slice_str(field);
    facet->values = arena_zalloc(y->out, FACET_VALUES, sizeof *facet->values);
    for (size_t i = 0; i < t->n && facet->n < FACET_VALUES; i++) {
        if (!t->items[i].runs)
            continue;
        facet->values[facet->n].value = arena_dup(y->out, t->items[i].name);
        facet->values[facet->n++].runs = t->items[i].runs;
    }
}

static void tell_facets(struct story *y)
{
    struct summary *s = y->summary;
    struct tallies success = {0}, kinds = {0}, seen = {0};
    tally_of(&success, y->scratch, slice_str("true"))->runs = s->passed;
    tally_of(&success, y->scratch, slice_str("false"))->runs = s->failed;
    tally_of(&success, y->scratch, slice_str("unknown"))->runs = s->unknown;
    for (int i = 0; i < KIND_COUNT; i++)
        tally_of(&kinds, y->scratch, slice_str(kind_name((enum kind)i)))->runs = s->kind_runs[i];
    for (size_t i = 0; i < s->nbehaviors; i++)
        tally_of(&seen, y->scratch, s->behaviors[i].name)->runs = s->behaviors[i].runs;
    s->facets = arena_array(y->out, struct facet, 8);
    add_facet(y, "model", &y->models);
    add_facet(y, "success", &success);
    add_facet(y, "task", &y->task_runs);
    add_facet(y, "kind", &kinds);
    add_facet(y, "behavior", &seen);
    add_facet(y, "exit_status", &y->exits);
    add_facet(y, "format", &y->formats);
    add_facet(y, "tag", &y->tags);
}

/* What exceptions set aside is dismissed, and nobody's review. */
static bool read_excepted(struct story *y, struct err *e)
{
    struct stmt *q = db_prepare(y->store->db, "SELECT detector, behavior FROM finding WHERE exception IS NOT NULL AND collection = $1", e);
    bind_int(q, y->collection);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        struct slice detector = take_bytes(q), behavior = take_bytes(q);
        struct group *groups[] = {group_of(y, &y->detectors, detector), group_of(y, &y->behaviors, behavior)};
        for (int i = 0; i < 2; i++) {
            groups[i]->count.dismissed--;
            groups[i]->count.excepted++;
        }
    }
    return step == STEP_DONE;
}

static bool tell(struct store *s, struct slice collection, struct arena *a, struct arena *scratch, struct summary *out, struct err *e)
{
    struct story y = {.store = s, .out = a, .scratch = scratch, .summary = out};
    *out = (struct summary){.cost_usd = NAN, .tokens_in = COUNT_UNKNOWN, .tokens_out = COUNT_UNKNOWN};
    if (!collection_find(s, collection, &y.collection, e) || !collection_load(s, y.collection, a, &out->collection, e) || !read_tasks(&y, e) ||
        !read_runs(&y, e) || !read_findings(&y, e) || !read_excepted(&y, e) || !read_rest(&y, e) || !tell_findings(&y, e))
        return false;
    tell_models(&y);
    tell_facets(&y);
    return true;
}

bool store_summary(struct store *s, struct slice collection, struct arena *a, struct summary *out, struct err *e)
{
    struct arena scratch = {0};
    bool ok = db_read(s->db, e) && db_end(s->db, tell(s, collection, a, &scratch, out, e), e);
    arena_free(&scratch);
    return ok;
}

static bool load_version(struct store *s, struct slice collection, int64_t *out, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT version FROM collection WHERE id = $1", e);
    bind_text(q, collection);
    enum step step = stmt_int(q, out, e);
    return step == STEP_ROW || (step == STEP_DONE && err_set(e, ERR_NOT_FOUND, "the collection was deleted"));
}

bool store_version(struct store *s, struct slice collection, int64_t *out, struct err *e)
{
    return db_read(s->db, e) && db_end(s->db, load_version(s, collection, out, e), e);
}
