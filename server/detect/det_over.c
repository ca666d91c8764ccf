/* Over a whole collection: failures in a row, one answer for everything. */
#include "base/clock.h"
#include "base/map.h"
#include "detect/det.h"
#include "detect/report.h"

#include <stdlib.h>

enum { SHOWN = 100 };

static void *zeros(size_t n, size_t size)
{
    void *p = calloc(n, size);
    if (!p)
        abort();
    return p;
}

/* ---- streak: runs that began one after the other and have such a finding ------------------------------------------------- */

/* Of runs that began at the same time (many sources know the second alone) none is after the other: they stand in a row if all
 * of them have it, and end one if not. */

struct moment {
    int64_t started;
    bool struck;
    unsigned char finding[UUID_TEXT]; /* of one that is */
};
struct streak {
    const struct rule *rule;
    struct moment *items;       /* malloc'd */
    size_t n, cap, struck;
};
enum { MOMENTS_MAX = 1 << 21 };

static void *streak_begin(const struct rule *rule)
{
    struct streak *s = zeros(1, sizeof *s);
    s->rule = rule;
    return s;
}

static void streak_free(void *state)
{
    struct streak *s = state;
    free(s->items);
    free(s);
}

static bool has_one(const struct rule *rule, const struct run_summary *run, struct slice *id)
{
    for (size_t i = 0; i < run->nfindings; i++)
        for (size_t k = 0; k < rule->nasks; k++)
            if (slice_eq(run->findings[i].detector, rule->asks[k])) {
                *id = run->findings[i].id;
                return true;
            }
    return false;
}

static void streak_feed(void *state, int pass, const struct task_summary *piece)
{
    struct streak *s = state;
    (void)pass;
    for (size_t i = 0; i < piece->nruns && s->n < MOMENTS_MAX; i++) {
        struct moment m = {0};
        struct slice id;
        if (!clock_parse(piece->runs[i].started_at, &m.started))
            continue;
        m.struck = has_one(s->rule, &piece->runs[i], &id);
        if (m.struck)
            memcpy(m.finding, id.ptr, id.len < UUID_TEXT ? id.len : UUID_TEXT);
        if (s->n == s->cap) {
            s->cap = s->cap ? 2 * s->cap : 256;
            s->items = realloc(s->items, s->cap * sizeof *s->items);
            if (!s->items)
                abort();
        }
        s->items[s->n++] = m;
        s->struck += m.struck;
    }
}

/* By finding only so that always the same ones are shown. */
static int by_start(const void *a, const void *b)
{
    const struct moment *x = a, *y = b;
    if (x->started != y->started)
        return x->started < y->started ? -1 : 1;
    return memcmp(x->finding, y->finding, UUID_TEXT);
}

/* How likely it is that chance alone makes a row of so many somewhere among n, where a share p is struck: at most n (1 - p) p^length, the
 * expected number of such rows (W. Feller, An Introduction to Probability Theory I, XIII.7), and p^length for one at the very start. */
static double chance(size_t n, double p, size_t length)
{
    return ((double)(n - length) * (1 - p) + 1) * pow(p, (double)length);
}

static struct slice id_of(const struct moment *m)
{
    return slice_of((const char *)m->finding, strnlen((const char *)m->finding, UUID_TEXT));
}

static void streak_end(void *state, struct det_over *d)
{
    struct streak *s = state;
    size_t best = 0, end = 0, row = 0;
    if (!s->n || s->struck == s->n) /* all of them: there is no row in that */
        return;
    qsort(s->items, s->n, sizeof *s->items, by_start);
    for (size_t from = 0, to; from < s->n; from = to) {
        size_t struck = 0;
        for (to = from; to < s->n && s->items[to].started == s->items[from].started; to++)
            struck += s->items[to].struck;
        row = struck == to - from ? row + struck : 0;
        if (row > best)
            best = row, end = to;
    }
    double p = (double)s->struck / (double)s->n;
    if (best < det_count_of(d->rule, "at_least") || !best || !(chance(s->n, p, best) <= det_number(d->rule, "chance")))
        return;
    struct evidence *evidence = arena_array(d->arena, struct evidence, SHOWN);
    char from[CLOCK_TEXT], to[CLOCK_TEXT];
    size_t n = 0;
    for (size_t i = end - best; i < end && n < SHOWN; i++)
        n += d->quotes->finding(d->quotes->ctx, id_of(&s->items[i]), d->arena, &evidence[n]);
    clock_text(s->items[end - best].started, from);
    clock_text(s->items[end - 1].started, to);
    const struct report_value values[] = {
        {slice_str("count"), arena_printf(d->arena, "%zu", best)},
        {slice_str("from"), slice_of(from, strlen("2026-01-02T03:04"))},
        {slice_str("to"), slice_of(to, strlen("2026-01-02T03:04"))},
    };
    det_conclude(d->arena, d->rule, d->findings, values, sizeof values / sizeof *values, evidence, n);
}

const struct over over_streak = {.begin = streak_begin, .feed = streak_feed, .end = streak_end, .free = streak_free};

/* ---- same-answer: one answer in many tasks, mostly wrong ------------------------------------------------------------------ */

/* ANSWERS_MAX answers are counted. Past that, those of one task are forgotten, and their count begins anew if they come again; where
 * nearly all are of several tasks, answers that come for the first time are no longer counted. */

struct given {
    uint64_t hash;
    size_t tasks, runs, passed;
    int64_t task;               /* the one that was counted last */
    struct slice shown[SHOWN / 4];
    size_t nshown;
};
struct answers {
    const struct rule *rule;
    struct arena arena;
    struct given *items;        /* open addressing, by hash; hash 0: free */
    size_t n, tasks;            /* tasks: in which anything was answered */
    int64_t task;
    bool any, counted;
    bool full;                  /* no room can be made */
};
enum { ANSWERS_TABLE = 1 << 14, ANSWERS_MAX = ANSWERS_TABLE / 2 };

static void *answers_begin(const struct rule *rule)
{
    struct answers *s = zeros(1, sizeof *s);
    s->rule = rule;
    s->items = zeros(ANSWERS_TABLE, sizeof *s->items);
    return s;
}

static void answers_free(void *state)
{
    struct answers *s = state;
    arena_free(&s->arena);
    free(s->items);
    free(s);
}

/* Where the table is full, answers that one task alone has seen so far make room: an answer of many tasks comes again. Where that is less
 * than a quarter, making room would soon cost more than all the counting. */
static void make_room(struct answers *s)
{
    struct given *old = s->items;
    s->items = zeros(ANSWERS_TABLE, sizeof *s->items);
    s->n = 0;
    for (size_t i = 0; i < ANSWERS_TABLE; i++) {
        size_t at = old[i].hash % ANSWERS_TABLE;
        if (old[i].tasks < 2)
            continue;
        while (s->items[at].hash)
            at = (at + 1) % ANSWERS_TABLE;
        s->items[at] = old[i];
        s->n++;
    }
    free(old);
    s->full = s->n > ANSWERS_MAX - ANSWERS_MAX / 4;
}

static struct given *given_of(struct answers *s, uint64_t hash)
{
    size_t at = hash % ANSWERS_TABLE;
    while (s->items[at].hash && s->items[at].hash != hash)
        at = (at + 1) % ANSWERS_TABLE;
    if (s->items[at].hash)
        return &s->items[at];
    if (s->full)
        return NULL;
    if (s->n == ANSWERS_MAX) {
        make_room(s);
        return given_of(s, hash);
    }
    s->n++;
    s->items[at] = (struct given){.hash = hash, .task = -1};
    return &s->items[at];
}

static void answers_feed(void *state, int pass, const struct task_summary *piece)
{
    struct answers *s = state;
    (void)pass;
    if (!piece->task_id.ptr)
        return;
    if (!s->any || piece->task != s->task)
        s->counted = false;
    s->any = true;
    s->task = piece->task;
    for (size_t i = 0; i < piece->nruns; i++) {
        const struct run_summary *run = &piece->runs[i];
        struct given *g = run->answer && run->success != VERDICT_UNKNOWN ? given_of(s, run->answer) : NULL;
        if (!g)
            continue;
        s->tasks += !s->counted;
        s->counted = true;
        bool fresh = g->task != piece->task;
        g->tasks += fresh;
        g->task = piece->task;
        g->runs++;
        g->passed += run->success == VERDICT_PASSED;
        if (fresh && run->success == VERDICT_FAILED && g->nshown < sizeof g->shown / sizeof *g->shown)
            g->shown[g->nshown++] = arena_dup(&s->arena, run->run);
    }
}

static int most_tasks(const void *a, const void *b)
{
    const struct given *x = a, *y = b;
    if (x->tasks != y->tasks)
        return x->tasks < y->tasks ? 1 : -1;
    return x->hash < y->hash ? -1 : x->hash > y->hash;
}

static void answers_end(void *state, struct det_over *d)
{
    struct answers *s = state;
    struct arena *a = d->arena;
    size_t made = 0, least = det_count_of(d->rule, "tasks"), most = det_count_of(d->rule, "at_most");
    double share = det_number(d->rule, "share"), passes = det_number(d->rule, "pass_rate");
    qsort(s->items, ANSWERS_TABLE, sizeof *s->items, most_tasks);
    for (size_t i = 0; i < ANSWERS_TABLE && made < most && s->items[i].tasks >= least && s->items[i].tasks > 1; i++) {
        const struct given *g = &s->items[i];
        if ((double)g->tasks < share * (double)s->tasks || (double)g->passed > passes * (double)g->runs)
            continue;
        struct evidence *evidence = arena_array(a, struct evidence, g->nshown);
        size_t n = 0;
        for (size_t k = 0; k < g->nshown; k++)
            n += d->quotes->answer(d->quotes->ctx, g->shown[k], a, &evidence[n]);
        const struct report_value values[] = {
            {slice_str("answer"), n ? slice_cut(slice_trim(evidence[0].quote), 80) : SLICE_NONE},
            {slice_str("count"), arena_printf(a, "%zu", g->tasks)},
            {slice_str("tasks"), arena_printf(a, "%zu", s->tasks)},
            {slice_str("runs"), arena_printf(a, "%zu", g->runs)},
        };
        struct finding *f = det_conclude(a, d->rule, d->findings, values, sizeof values / sizeof *values, evidence, n);
        if (f)
            f->captures = report_captures(a, values, 1);
        made += f != NULL;
    }
}

const struct over over_same_answer = {.begin = answers_begin, .feed = answers_feed, .end = answers_end, .free = answers_free};
