/* terminal-bench and its successor Harbor, by trial. terminal-bench: results.json {trial_name, task_id, instruction,
 * is_resolved, failure_mode, parser_results, total_input_tokens, …} with sessions/agent.cast, panes/ and agent-logs/episode-N/
 * beside it; a run's own results.json {results[], accuracy, …} has the same of every trial, whose folders TASK/TRIAL/ are beside
 * it. Harbor: result.json {trial_name, task_name, agent_info, agent_result, verifier_result, exception_info, …} with
 * agent/trajectory.json (ATIF) and verifier/ beside it.
 *
 * The first transcript is what the agent was asked, said and did: the instruction, then the prompts and responses of its
 * episodes. Recordings, trajectories and other texts are transcripts of their own. A resolved trial, or a reward of 1, passes;
 * each test is a score. */
#include "base/map.h"
#include "ingest/fmt_atif.h"
#include "ingest/fmt_cast.h"

#include <stdlib.h>

static bool is_trial(const struct jvalue *v)
{
    bool judged = jget(v, "is_resolved") || jget(v, "parser_results") || jget(v, "failure_mode");
    return jis(jget(v, "trial_name"), J_STRING) && ((jget(v, "task_id") && judged) || (jget(v, "task_name") && jget(v, "agent_info")));
}

static bool is_summary(const struct jvalue *v)
{
    return jis(jget(v, "results"), J_ARRAY) && (is_trial(jat(jget(v, "results"), 0)) || (jget(v, "n_resolved") && jget(v, "accuracy")));
}

static bool is_either(const struct jvalue *v) { return is_trial(v) || is_summary(v); }
static int probe(const struct sample *sample) { return fmt_most(sample, is_either) ? 96 : 0; }

struct trial {
    struct arena *a;
    struct run *run;
    const struct companions *files; /* NULL: none */
    bool *loaded;
    const struct sink *sink;
    struct meta meta;
    struct jrepairs repairs;  /* of the texts beside */
};

/* ---- what stands beside ------------------------------------------------------------------------------------------------ */

static bool load(struct trial *t, size_t i, struct slice *bytes)
{
    struct err e = {0};
    t->loaded[i] = true;
    if (t->files->load(t->files->ctx, i, t->a, bytes, &e))
        return true;
    t->sink->refuse(t->sink->ctx, t->files->paths[i], e.code, e.text);
    return false;
}

static struct transcript *add_transcript(struct trial *t, struct messages *list, struct slice name)
{
    struct transcript *transcript = fmt_transcript(t->a, t->run, list);
    transcript->name = name;
    return transcript;
}

static void read_cast(struct trial *t, size_t i)
{
    struct slice bytes;
    struct cast cast;
    struct meta rest = META_INIT;
    struct err e = {0};
    if (!load(t, i, &bytes))
        return;
    if (!cast_read(&cast, t->a, bytes, &rest, &e)) {
        t->sink->refuse(t->sink->ctx, t->files->paths[i], e.code, e.text);
        return;
    }
    add_transcript(t, &cast.list, t->files->paths[i])->metadata = meta_end(&rest, t->a);
}

static void read_trajectory(struct trial *t, size_t i)
{
    struct slice bytes;
    struct jvalue *v;
    struct err e = {0};
    if (!load(t, i, &bytes))
        return;
    if (!jread(t->a, bytes, NULL, NULL, &v, &e) || !atif_is_trajectory(v)) {
        t->sink->refuse(t->sink->ctx, t->files->paths[i], e.code ? e.code : ERR_NOT_TRANSCRIPT, e.code ? e.text : "no ATIF trajectory");
        return;
    }
    size_t first = t->run->ntranscripts;
    struct atif_input in = {.a = t->a, .run = t->run, .beside = t->files, .loaded = t->loaded, .sink = t->sink};
    struct slice rest = atif_read(&in, v);
    t->run->transcripts[first].metadata = rest;
    t->run->transcripts[first].name = t->files->paths[i];
}

/* A text as one message of a transcript that gathers them: what somebody looked at, not what the agent was given. */
static void read_text(struct trial *t, struct messages *list, size_t i)
{
    struct slice bytes;
    struct meta meta = META_INIT;
    if (!load(t, i, &bytes) || !bytes.len)
        return;
    struct message *m = messages_add(t->a, list);
    m->role = ROLE_SYSTEM;
    meta_text(&meta, "file", t->files->paths[i]);
    m->metadata = meta_end(&meta, t->a);
    m->text = jstring(t->a, bytes, &t->repairs)->text;
}

/* Which file of an episode it is: "agent-logs/episode-12/prompt.txt" → 12, "prompt". */
struct episode_file {
    size_t place, number;
    bool response;
};

static bool is_episode(struct slice path, struct episode_file *file)
{
    static const char mark[] = "episode-";
    ptrdiff_t at = slice_find(path, slice_str(mark));
    size_t i = at < 0 ? path.len : (size_t)at + sizeof mark - 1;
    if (at < 0 || !(slice_ends(path, "/prompt.txt") || slice_ends(path, "/response.txt")))
        return false;
    file->number = 0;
    for (; i < path.len && path.ptr[i] >= '0' && path.ptr[i] <= '9' && file->number < 100000000; i++)
        file->number = file->number * 10 + (size_t)(path.ptr[i] - '0');
    file->response = slice_ends(path, "/response.txt");
    return true;
}

static int by_episode(const void *a, const void *b)
{
    const struct episode_file *x = a, *y = b;
    if (x->number != y->number)
        return x->number < y->number ? -1 : 1;
    return x->response != y->response ? (x->response ? 1 : -1) : (x->place > y->place) - (x->place < y->place);
}

static void read_episodes(struct trial *t, struct messages *list)
{
    struct episode_file *files = arena_array(t->a, struct episode_file, t->files->n);
    size_t n = 0;
    for (size_t i = 0; i < t->files->n; i++)
        if (is_episode(t->files->paths[i], &files[n]))
            files[n++].place = i;
    qsort(files, n, sizeof *files, by_episode);
    for (size_t i = 0; i < n; i++) {
        struct slice bytes;
        struct meta meta = META_INIT;
        if (!load(t, files[i].place, &bytes))
            continue;
        struct message *m = messages_add(t->a, list);
        m->role = files[i].response ? ROLE_ASSISTANT : ROLE_USER;
        m->text = jstring(t->a, bytes, &t->repairs)->text;
        meta_text(&meta, "file", t->files->paths[i]);
        m->metadata = meta_end(&meta, t->a);
    }
}

static void read_beside(struct trial *t)
{
    struct messages texts = {0};
    for (size_t i = 0; i < t->files->n; i++)
        if (!t->loaded[i] && slice_ends(t->files->paths[i], "/trajectory.json"))
            read_trajectory(t, i);
    for (size_t i = 0; i < t->files->n; i++)
        if (!t->loaded[i] && slice_ends(t->files->paths[i], ".cast"))
            read_cast(t, i);
    for (size_t i = 0; i < t->files->n; i++)
        if (!t->loaded[i] && slice_ends(t->files->paths[i], ".txt"))
            read_text(t, &texts, i);
    if (texts.n)
        add_transcript(t, &texts, slice_str("files"));
}

/* ---- verdicts ---------------------------------------------------------------------------------------------------------- */

static void read_tests(struct trial *t, const struct jvalue *tests)
{
    if (!jis(tests, J_OBJECT))
        meta_value(&t->meta, "parser_results", tests);
    for (size_t i = 0; jis(tests, J_OBJECT) && i < tests->n; i++)
        fmt_score(t->a, t->run, tests->keys[i])->value = jraw(t->a, &tests->items[i]);
}

/* {"reward": 1.0} of the first versions, {"rewards": {NAME: 1.0}} since. */
static void read_rewards(struct trial *t, const struct jvalue *result)
{
    const struct jvalue *rewards = jis(jget(result, "rewards"), J_OBJECT) ? jget(result, "rewards") : result;
    for (size_t i = 0; jis(rewards, J_OBJECT) && i < rewards->n; i++) {
        if (!jis(&rewards->items[i], J_NUMBER))
            continue;
        fmt_score(t->a, t->run, rewards->keys[i])->value = jraw(t->a, &rewards->items[i]);
        if (slice_is(rewards->keys[i], "reward"))
            t->run->success = fmt_verdict(&rewards->items[i]);
    }
}

static bool is_limit(struct slice word)
{
    return slice_find(word, slice_str("imeout")) >= 0 || slice_find(word, slice_str("context_length")) >= 0 ||
           slice_find(word, slice_str("ContextLength")) >= 0;
}

/* "hello-world.2-of-5.2025-…": the second attempt. */
static int64_t attempt_of(struct slice name)
{
    ptrdiff_t of = slice_find(name, slice_str("-of-"));
    int64_t n = 0;
    size_t i = of < 0 ? 0 : (size_t)of;
    while (i > 0 && name.ptr[i - 1] >= '0' && name.ptr[i - 1] <= '9')
        i--;
    if (of <= 0 || i == (size_t)of || (size_t)of - i > 6 || i == 0 || name.ptr[i - 1] != '.')
        return COUNT_UNKNOWN;
    for (; i < (size_t)of; i++)
        n = n * 10 + (name.ptr[i] - '0');
    return n;
}

static void read_terminalbench(struct trial *t, const struct jvalue *v)
{
    static const char *const known[] = {"trial_name", "task_id", "instruction", "is_resolved", "failure_mode", "parser_results",
                                        "total_input_tokens", "total_output_tokens", "trial_started_at", "trial_ended_at", NULL};
    struct run *run = t->run;
    run->task_id = jtext(jget(v, "task_id"));
    run->attempt = attempt_of(run->external_id);
    run->success = fmt_verdict(jget(v, "is_resolved"));
    run->exit_status = fmt_string(t->a, jget(v, "failure_mode"));
    run->limit = is_limit(run->exit_status) ? run->exit_status : SLICE_NONE;
    run->tokens_in = fmt_count_or(&t->meta, "total_input_tokens", jget(v, "total_input_tokens"));
    run->tokens_out = fmt_count_or(&t->meta, "total_output_tokens", jget(v, "total_output_tokens"));
    fmt_time(t->a, jget(v, "trial_started_at"), &run->started_at);
    fmt_time(t->a, jget(v, "trial_ended_at"), &run->ended_at);
    const struct jvalue *resolved = jget(v, "is_resolved");
    if (resolved)
        fmt_score(t->a, run, slice_str("is_resolved"))->value = jis(resolved, J_NULL) ? SLICE_NONE : jraw(t->a, resolved);
    read_tests(t, jget(v, "parser_results"));
    meta_rest(&t->meta, v, known); /* id, recording_path, the other times */
}

static void read_harbor(struct trial *t, const struct jvalue *v)
{
    static const char *const known[] = {"trial_name", "task_name", "started_at", "finished_at", NULL};
    const struct jvalue *agent = jget(v, "agent_info"), *result = jget(v, "agent_result"), *exception = jget(v, "exception_info");
    struct run *run = t->run;
    double cost;
    run->task_id = jtext(jget(v, "task_name"));
    run->agent = jstr(jget(agent, "name"));
    if (jstr(jpath(agent, "model_info", "name", NULL)).ptr)
        run->model = jstr(jpath(agent, "model_info", "name", NULL));
    run->error = fmt_string(t->a, jget(exception, "exception_message"));
    run->exit_status = fmt_string(t->a, jget(exception, "exception_type"));
    run->limit = is_limit(run->exit_status) ? run->exit_status : SLICE_NONE;
    fmt_time(t->a, jget(v, "started_at"), &run->started_at);
    fmt_time(t->a, jget(v, "finished_at"), &run->ended_at);
    read_rewards(t, jget(v, "verifier_result"));
    meta_rest(&t->meta, v, known); /* config, agent_info, agent_result, verifier_result, exception_info, … */
    /* what the trial says of the agent's cost goes before what its trajectory says, which is read by now */
    if (fmt_count(jget(result, "n_input_tokens")) != COUNT_UNKNOWN) {
        run->tokens_in = fmt_count(jget(result, "n_input_tokens"));
        run->tokens_out = fmt_count(jget(result, "n_output_tokens"));
    }
    if (jnum(jget(result, "cost_usd"), &cost))
        run->cost_usd = cost;
}

/* `v` lives in `a`. */
static bool read_trial(struct arena *a, const struct jvalue *v, const struct companions *files, struct slice location,
                       const struct sink *sink, struct err *e)
{
    struct run *run = arena_new(a, struct run);
    struct trial t = {.a = a, .run = run, .files = files, .sink = sink, .meta = META_INIT};
    struct messages list = {0};
    struct slice instruction = jstr(jget(v, "instruction"));
    t.loaded = files ? arena_array(a, bool, files->n) : NULL;
    run_init(run);
    run->external_id = jstr(jget(v, "trial_name"));
    run->source.location = location;
    if (instruction.ptr) {
        struct message *m = messages_add(a, &list);
        m->role = ROLE_USER;
        m->text = instruction;
    }
    if (files)
        read_episodes(&t, &list);
    if (list.n || !files)
        fmt_transcript(a, run, &list);
    if (files)
        read_beside(&t);
    for (size_t i = 0; run->ntranscripts > 1 && i < run->ntranscripts; i++) /* some have a number already */
        if (!run->transcripts[i].id.ptr)
            run->transcripts[i].id = arena_printf(a, "%zu", i + 1);
    if (jget(v, "agent_info"))
        read_harbor(&t, v);
    else
        read_terminalbench(&t, v);
    run->metadata = meta_end(&t.meta, a);
    return sink->run(sink->ctx, a, run, e);
}

/* ---- files ------------------------------------------------------------------------------------------------------------- */

/* Of the files beside a run those of one trial, which are next to one another as the paths are sorted. */
struct trial_files {
    struct companions companions;
    const struct companions *all;
    size_t first;
};

static bool load_of_trial(void *ctx, size_t i, struct arena *a, struct slice *bytes, struct err *e)
{
    const struct trial_files *files = ctx;
    return files->all->load(files->all->ctx, files->first + i, a, bytes, e);
}

/* The trial's. None where an earlier trial has the same folder: that one's they are. */
static struct trial_files *files_of(struct arena *a, const struct companions *all, const struct jvalue *trial, struct arena *scratch, struct map *read)
{
    struct slice task = jtext(jget(trial, "task_id")), name = jtext(jget(trial, "trial_name"));
    struct slice folder = arena_printf(a, "%.*s/%.*s/", SLICE_ARG(task), SLICE_ARG(name));
    struct trial_files *files = arena_new(a, struct trial_files);
    size_t low = companions_from(all, folder), n = 0;
    bool again = map_get(read, folder) != 0;
    map_put(scratch, read, folder, 1);
    while (!again && low + n < all->n && slice_eq(slice_sub(all->paths[low + n], 0, folder.len), folder))
        n++;
    struct slice *paths = arena_array(a, struct slice, n + 1);
    for (size_t i = 0; i < n; i++)
        paths[i] = slice_sub(all->paths[low + i], folder.len, all->paths[low + i].len);
    *files = (struct trial_files){.companions = {.paths = paths, .n = n, .load = load_of_trial, .ctx = files}, .all = all, .first = low};
    return files;
}

/* The trial's own results.json goes before what the run says of it. */
static const struct jvalue *own_results(struct arena *a, const struct companions *files, const struct jvalue *v)
{
    struct jvalue *own;
    struct slice bytes;
    struct err why = {0};
    for (size_t i = 0; i < files->n; i++)
        if (slice_is(files->paths[i], "results.json") && files->load(files->ctx, i, a, &bytes, &why) &&
            jread(a, bytes, NULL, NULL, &own, &why) && is_trial(own))
            return own;
    return v;
}

static bool feed(void **state, const struct record *record, const struct sink *sink, struct err *e)
{
    const struct jvalue *v = record->value, *results = jget(v, "results");
    struct arena scratch = {0};
    struct map read = {0}; /* the folders */
    bool ok = true;
    (void)state;
    if (is_trial(v)) {
        struct arena *a = fmt_take(record);
        return read_trial(a, v, record->beside, SLICE_NONE, sink, e);
    }
    if (!is_summary(v)) {
        sink->refuse(sink->ctx, record->location, ERR_NOT_TRANSCRIPT,
                     "no terminal-bench trial: trial_name, task_id or a verdict are missing");
        return true;
    }
    for (size_t i = 0; ok && i < results->n; i++) {
        struct jvalue *copy;
        struct slice place = arena_printf(&scratch, "results[%zu]", i);
        if (!is_trial(&results->items[i])) {
            sink->refuse(sink->ctx, place, ERR_NOT_TRANSCRIPT, "no terminal-bench trial: trial_name, task_id or a verdict are missing");
        } else {
            struct arena *a = fmt_part(&results->items[i], &copy);
            const struct companions *files = record->beside ? &files_of(a, record->beside, copy, &scratch, &read)->companions : NULL;
            const struct jvalue *trial = files ? own_results(a, files, copy) : copy;
            ok = read_trial(a, trial, files, arena_dup(a, place), sink, e);
        }
    }
    arena_free(&scratch);
    return ok;
}

static const struct companion_rule companions[] = {
    {"results.json", "sessions/%.cast"},
    {"results.json", "panes/%.txt"},
    {"results.json", "agent-logs/%/%.txt"},
    {"results.json", "commands.txt"},
    {"results.json", "%/%/results.json"}, /* of a run */
    {"results.json", "%/%/sessions/%.cast"},
    {"results.json", "%/%/panes/%.txt"},
    {"results.json", "%/%/agent-logs/%/%.txt"},
    {"results.json", "%/%/commands.txt"},
    {"result.json", "agent/trajectory%.json"},
    {"result.json", "steps/%/agent/trajectory%.json"},
    {"result.json", "agent/%.cast"},
    {"result.json", "agent/%/%.txt"},
    {"result.json", "verifier/%.txt"},
    {"result.json", "steps/%/verifier/%.txt"},
    {NULL, NULL},
};

const struct format fmt_terminalbench = {
    .name = "terminal-bench",
    .about = "terminal-bench and Harbor trials: results.json or result.json with trial_name, and what stands beside it",
    .probe = probe,
    .feed = feed,
    .close = fmt_close,
    .companions = companions,
};
