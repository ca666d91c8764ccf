#include "jobs/atlas_run.h"

#include "base/jsonw.h"
#include "detect/atlas.h"

#include <stdio.h>

enum { MESSAGES_READ = 40, TEXTS = 4 * MESSAGES_READ, ABOUT_MAX = 1 << 16 };

struct drawing {
    struct job *job;
    struct store *store;
    struct atlas *atlas;
    int pass;                   /* 0: the sample; 1: all runs */
    size_t nth;                 /* of the tasks every so manieth is sampled, and of runs without one */
    size_t tasks, alone, attempts; /* seen in this pass: tasks, runs without one; runs of this task */
    int64_t task;
    size_t placed, runs;
    struct arena arena, texts;
    struct atlas_points points;
    double (*at)[ATLAS_AXES];
    size_t cap, at_cap;
    bool named;
};

/* What the agent wrote in its first messages. A run whose messages cannot be read is drawn by its actions. */
static void read_words(struct drawing *d, const struct run_summary *run, struct slice *texts, size_t *n)
{
    struct message *messages;
    size_t count = 0, bytes = 0;
    uint32_t total;
    *n = 0;
    arena_reset(&d->texts);
    if (!store_messages(d->store, run->run, 0, 0, MESSAGES_READ, &d->texts, &messages, &count, &total, NULL))
        return;
    for (size_t i = 0; i < count && bytes < ATLAS_TEXT && *n + 3 < TEXTS; i++) {
        const struct message *m = &messages[i];
        if (m->role != ROLE_ASSISTANT)
            continue;
        texts[(*n)++] = m->text;
        texts[(*n)++] = m->reasoning;
        for (size_t c = 0; c < m->ncalls && *n + 3 < TEXTS; c++)
            texts[(*n)++] = m->calls[c].arguments;
        bytes += m->text.len + m->reasoning.len;
    }
}

static bool sampled(struct drawing *d, int64_t task)
{
    return task ? (d->tasks - 1) % d->nth == 0 && d->attempts <= ATLAS_ATTEMPTS : d->alone % d->nth == 0;
}

static void progress(struct drawing *d)
{
    char text[80];
    int n = snprintf(text, sizeof text, "{\"runs\":%zu,\"total\":%zu}", d->placed, d->runs);
    d->job->progress(d->job, slice_of(text, (size_t)n));
}

static void look_at_run(struct drawing *d, int64_t task, const struct run_summary *run)
{
    struct slice texts[TEXTS];
    struct atlas_run at = {.actions = run->actions, .nactions = run->nactions, .texts = texts};
    d->attempts++;
    d->alone += task == 0;
    if (d->pass == 0 && !sampled(d, task))
        return;
    read_words(d, run, texts, &at.ntexts);
    if (d->pass == 0) {
        atlas_sample(d->atlas, task, &at);
        return;
    }
    d->at = arena_grow(&d->arena, d->at, d->points.n, &d->at_cap, sizeof *d->at);
    d->points.items = arena_grow(&d->arena, d->points.items, d->points.n, &d->cap, sizeof *d->points.items);
    atlas_place(d->atlas, &at, d->at[d->points.n]);
    d->points.items[d->points.n++] = (struct atlas_point){.run = arena_dup(&d->arena, run->run)};
    if (++d->placed % 500 == 0)
        progress(d);
}

static bool each(void *ctx, const struct task_summary *piece, struct err *e)
{
    struct drawing *d = ctx;
    if (piece->task != d->task) {
        d->task = piece->task;
        d->attempts = 0;
        d->tasks += piece->task != 0;
    }
    if (d->pass == 1 && !d->named) { /* the feed has all names from its first piece on */
        atlas_fit(d->atlas, piece->actions);
        d->named = true;
    }
    for (size_t i = 0; i < piece->nruns; i++) {
        if (atomic_load(d->job->stop))
            return err_set(e, ERR_CANCELLED, "stopped");
        look_at_run(d, piece->task, &piece->runs[i]);
    }
    return true;
}

/* From the sizes of the sample's axes to whole numbers: both axes by their own farthest run, since neither has a unit. */
static void scale(struct drawing *d)
{
    for (size_t axis = 0; axis < ATLAS_AXES; axis++) {
        double most = 0;
        for (size_t i = 0; i < d->points.n; i++)
            most = fmax(most, fabs(d->at[i][axis]));
        for (size_t i = 0; i < d->points.n; i++)
            d->points.items[i].at[axis] = most > 0 ? (int32_t)lrint(d->at[i][axis] / most * ATLAS_SCALE) : 0;
    }
}

static void write_end(struct jsonw *j, const char *key, const struct atlas_end *end)
{
    jsonw_key(j, key);
    jsonw_array(j);
    for (size_t i = 0; i < end->n; i++)
        jsonw_str(j, end->words[i]);
    jsonw_end(j);
}

static void write_about(struct jsonw *j, const struct atlas_about *about)
{
    jsonw_object(j);
    jsonw_kbool(j, "contrastive", about->contrastive);
    jsonw_kint(j, "sampled_runs", (int64_t)about->runs);
    jsonw_kint(j, "sampled_tasks", (int64_t)about->tasks);
    jsonw_kint(j, "pairs", (int64_t)about->pairs);
    jsonw_kint(j, "features", (int64_t)about->features);
    jsonw_key(j, "axes");
    jsonw_array(j);
    for (size_t axis = 0; axis < ATLAS_AXES; axis++) {
        jsonw_object(j);
        jsonw_knum(j, "agreement", about->axes[axis].agreement);
        write_end(j, "low", &about->axes[axis].low);
        write_end(j, "high", &about->axes[axis].high);
        jsonw_end(j);
    }
    jsonw_end(j);
    jsonw_end(j);
}

static bool draw(struct drawing *d, struct err *e)
{
    const struct feed_wish wish = {.each = each, .ctx = d};
    struct collection_row collection;
    struct look look;
    struct str about = STR_INIT(ABOUT_MAX);
    struct jsonw j = jsonw_to(&about);
    if (!store_collection(d->store, d->job->row->collection, &d->arena, &collection, e) || !store_look(d->store, collection.id, &look, e))
        return false;
    size_t most = (size_t)collection.tasks * ATLAS_ATTEMPTS;
    d->runs = (size_t)collection.runs;
    most = collection.tasks && most < d->runs ? most : d->runs;
    d->nth = (most + ATLAS_SAMPLE - 1) / ATLAS_SAMPLE;
    d->nth += d->nth == 0;
    d->points = (struct atlas_points){.collection = collection.id, .revision = ATLAS_REVISION, .changes = look.changes};
    for (d->pass = 0; d->pass < 2; d->pass++) {
        d->task = -1;
        d->tasks = d->alone = 0;
        if (!store_collection_feed(d->store, collection.id, &wish, e))
            return false;
    }
    scale(d);
    write_about(&j, atlas_about(d->atlas));
    d->points.about = arena_dup(&d->arena, str_slice(&about));
    str_free(&about);
    return store_atlas_put(d->store, &d->points, e);
}

bool atlas_run_job(struct job *job, struct str *result, struct err *e)
{
    struct drawing d = {.job = job, .atlas = atlas_new()};
    bool ok = store_open(job->options->db, STORE_WRITE, &d.store, e) && draw(&d, e);
    if (ok)
        str_add_slice(result, d.points.about);
    store_close(d.store);
    atlas_free(d.atlas);
    arena_free(&d.arena);
    arena_free(&d.texts);
    return ok;
}
