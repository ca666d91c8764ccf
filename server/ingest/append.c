#include "ingest/append.h"
#include "ingest/over.h"
#include "ingest/ownrules.h"

#include "ingest/fmt.h"

#include <unistd.h>

enum { TRIES = 100, PAUSE_US = 2000 };

struct wish { /* the body */
    const struct jvalue *messages;  /* a list, or one message */
    const struct jvalue *fields;    /* the object around it; NULL: there is none */
};

static bool read_body(const struct jvalue *v, struct wish *out, struct err *e)
{
    static const char *const known[] = {
        "messages", "transcript", "parent", "finished", "success", "exit_status", "error", "limit", "ended_at", "scores", NULL};
    *out = (struct wish){0};
    if (v->type == J_ARRAY || chat_is_message(v)) {
        out->messages = v;
        return true;
    }
    if (v->type != J_OBJECT)
        return err_set(e, ERR_USAGE, "the body must be a message, a list of messages, or {\"messages\": […]}");
    for (size_t i = 0; i < v->n; i++) {
        if (!fmt_is_one_of(v->keys[i], known))
            return err_set(e, ERR_USAGE, "there is no member \"%.*s\" here (a message needs a role)", SLICE_ARG(slice_cut(v->keys[i], 100)));
    }
    out->fields = v;
    out->messages = jget(v, "messages");
    return true;
}

/* ---- messages ----------------------------------------------------------------------------------------------------------- */

static bool read_message(struct arena *a, struct messages *list, const struct jvalue *v, size_t i, struct err *e)
{
    if (!chat_is_message(v))
        return err_set(e, ERR_USAGE, "messages[%zu] is no chat message: it needs a \"role\"", i);
    chat_message(a, list, v);
    return true;
}

static bool read_messages(struct arena *a, const struct jvalue *v, struct messages *list, struct err *e)
{
    if (!v || v->type == J_NULL)
        return true;
    if (v->type == J_OBJECT)
        return read_message(a, list, v, 0, e);
    if (v->type != J_ARRAY)
        return err_set(e, ERR_USAGE, "\"messages\" must be a list");
    for (size_t i = 0; i < v->n; i++)
        if (!read_message(a, list, &v->items[i], i, e))
            return false;
    return true;
}

/* The transcript that the body names: by position, by id or by name; without one the first. A new id begins a transcript. */
static bool find_transcript(struct arena *a, struct run *run, const struct jvalue *fields, int32_t *position, struct err *e)
{
    const struct jvalue *v = jget(fields, "transcript");
    struct slice id = jstr(v);
    int64_t n = 0;
    if (v && v->type != J_NULL && !id.len && (!jint(v, &n) || n < 0 || (size_t)n >= run->ntranscripts))
        return err_set(e, ERR_USAGE, "\"transcript\" must be an id, a name, or a position below %zu", run->ntranscripts);
    for (size_t i = 0; i < run->ntranscripts && id.len; i++)
        if (slice_eq(run->transcripts[i].id, id) || slice_eq(run->transcripts[i].name, id)) {
            *position = (int32_t)i;
            return true;
        }
    if (!id.len && run->ntranscripts) {
        *position = (int32_t)n;
        return true;
    }
    struct transcript *t = fmt_transcript(a, run, &(struct messages){0});
    t->id = id;
    t->parent = fmt_string(a, jget(fields, "parent"));
    *position = (int32_t)run->ntranscripts - 1;
    return true;
}

static void add_messages(struct arena *a, struct run *run, struct transcript *t, const struct messages *list)
{
    struct message *all = arena_array(a, struct message, t->nmessages + list->n);
    if (t->nmessages)
        memcpy(all, t->messages, t->nmessages * sizeof *all);
    for (size_t i = 0; i < list->n; i++) {
        all[t->nmessages++] = list->items[i];
        run->tokens_in = fmt_sum(run->tokens_in, list->items[i].tokens_in);
        run->tokens_out = fmt_sum(run->tokens_out, list->items[i].tokens_out);
    }
    t->messages = all;
}

/* ---- what the run is now ------------------------------------------------------------------------------------------------ */

static bool set_fields(struct arena *a, struct run *run, const struct jvalue *fields, bool *finished, struct err *e)
{
    const struct jvalue *success = jget(fields, "success"), *ended = jget(fields, "ended_at"), *end = jget(fields, "finished");
    const struct jvalue *scores = jget(fields, "scores");
    const struct {
        const char *key;
        struct slice *to;
    } texts[] = {{"exit_status", &run->exit_status}, {"error", &run->error}, {"limit", &run->limit}};
    bool passed;
    if (end && end->type != J_NULL && !jbool(end, finished))
        return err_set(e, ERR_USAGE, "\"finished\" must be true or false");
    if (success && success->type != J_NULL) {
        if (!jbool(success, &passed))
            return err_set(e, ERR_USAGE, "\"success\" must be true, false or null");
        run->success = passed ? VERDICT_PASSED : VERDICT_FAILED;
    }
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct slice text = fmt_string(a, jget(fields, texts[i].key));
        if (text.ptr)
            *texts[i].to = text;
    }
    if (ended && ended->type != J_NULL && !fmt_time(a, ended, &run->ended_at))
        return err_set(e, ERR_USAGE, "\"ended_at\" is no time");
    if (scores && scores->type != J_NULL && scores->type != J_OBJECT && scores->type != J_ARRAY)
        return err_set(e, ERR_USAGE, "\"scores\" must be a list of {\"name\", \"value\"}, or an object");
    for (size_t i = 0; scores && i < scores->n; i++)
        fmt_score_of(a, run, jis(scores, J_OBJECT) ? scores->keys[i] : jstr(jget(&scores->items[i], "name")), &scores->items[i]);
    return true;
}

static bool says_something(const struct jvalue *fields)
{
    static const char *const about_messages[] = {"messages", "transcript", "parent", NULL};
    for (size_t i = 0; fields && i < fields->n; i++)
        if (fields->items[i].type != J_NULL && !fmt_is_one_of(fields->keys[i], about_messages))
            return true;
    return false;
}

/* Only then is it asked what is common elsewhere, which takes longer than all the rest. */
static bool is_lost(const struct task_summary *task)
{
    size_t failed = 0;
    for (size_t i = 0; i < task->nruns; i++)
        failed += task->runs[i].success == VERDICT_FAILED;
    return failed > 1;
}

/* What is said of a task depends on all its runs. */
static bool detect_tasks(struct store *s, const struct ruleset *rules, struct detect_scratch *scratch, struct slice collection,
                         const struct slices *tasks, struct err *e)
{
    struct arena a = {0}, known = {0};
    struct common_errors common = {0};
    bool ok = true;
    for (size_t i = 0; i < tasks->n && ok; i++) {
        struct task_summary task;
        struct detect_result found = {0};
        bool changed;
        if (i && slice_eq(tasks->items[i], tasks->items[i - 1])) /* its own before and after */
            continue;
        ok = store_task_summary(s, collection, tasks->items[i], &a, &task, e) &&
             (common.tasks || !is_lost(&task) || store_common_errors(s, collection, &known, &common, e));
        if (ok) {
            task.common = &common;
            detect_task(rules, scratch, &task, &a, &found);
            ok = store_task_findings(s, collection, tasks->items[i], &found.findings, NULL, 0, &changed, e);
        }
        arena_reset(&a);
    }
    arena_free(&a);
    arena_free(&known);
    return ok;
}

struct appending {
    struct store *store;
    struct rulebook *book;
    struct detect_scratch *scratch;
    const struct wish *wish;
    struct append append;
};

static bool put(struct appending *p, struct run *run, struct slice collection, struct arena *a, struct err *e)
{
    struct append *append = &p->append;
    struct collection_row of;
    struct ruleset *rules;
    if (!store_collection(p->store, collection, a, &of, e) || !rules_for(p->store, p->book, of.name, &rules, e))
        return false;
    struct detect_result found = {0};
    struct slices tasks = {0};
    uint64_t counts[PUT_OUTCOMES] = {0};
    struct put_name name = {.path = append->path};
    detect_run(rules, p->scratch, run, a, &found);
    run_content_hash(run, name.content_hash);
    struct put *put = store_put_new(p->store, &(struct put_target){.collection = collection, .replace = true});
    store_put_append(put, append);
    bool ok = store_put_add(put, &name, run, &found.findings, found.incomplete, found.nincomplete, e) &&
              store_put_commit(put, counts, a, &tasks, e);
    store_put_free(put);
    const struct over_wish over = {.collection = collection, .rules = rules};
    uint64_t findings[KIND_COUNT] = {0};
    ok = ok && detect_tasks(p->store, rules, p->scratch, collection, &tasks, e) && over_after(p->store, &over, OVER_LATER, 0, findings, e);
    ruleset_unref(rules);
    return ok;
}

/* Once through: reads the run, adds to it, puts it back. */
static bool try(struct appending *p, struct arena *a, struct err *e)
{
    struct append *append = &p->append;
    struct messages list = {0};
    struct run_row row;
    struct run run;
    append->stale = append->finished = false;
    if (!store_append_begin(p->store, append, a, e))
        return false;
    if (append->known)
        return true;
    if (!store_run(p->store, append->run, a, &row, e) || !store_run_load(p->store, append->run, a, &run, e) ||
        !read_messages(a, p->wish->messages, &list, e))
        return false;
    size_t before = run.ntranscripts;
    if (!find_transcript(a, &run, p->wish->fields, &append->transcript, e) ||
        !set_fields(a, &run, p->wish->fields, &append->finished, e))
        return false;
    if (!list.n && run.ntranscripts == before && !says_something(p->wish->fields))
        return err_set(e, ERR_USAGE, "there is nothing to add: no message, and nothing that the run is to be from now on");
    struct transcript *t = &run.transcripts[append->transcript];
    append->first = (uint32_t)t->nmessages;
    add_messages(a, &run, t, &list);
    append->messages = (uint32_t)run_count_messages(&run);
    return run_fits(&run, e) && put(p, &run, row.collection, a, e);
}

bool ingest_append(struct store *s, struct rulebook *rules, struct slice run, struct slice key, const struct jvalue *body,
                   struct append_answer *out, struct err *e)
{
    struct wish wish;
    struct appending p = {.store = s, .book = rules, .wish = &wish, .append = {.run = run, .key = key}};
    struct arena one = {0};
    bool ok = false;
    if (!read_body(body, &wish, e))
        return false;
    hash_of(body->raw, p.append.body);
    p.scratch = detect_scratch_new();
    /* Whoever was quicker has added something: on top of that, then. */
    for (int i = 0; i < TRIES; i++) {
        arena_reset(&one);
        *e = (struct err){0};
        ok = try(&p, &one, e);
        if (ok || !p.append.stale)
            break;
        usleep(PAUSE_US);
    }
    *out = (struct append_answer){run, p.append.transcript, p.append.first, p.append.messages};
    detect_scratch_free(p.scratch);
    arena_free(&one);
    return ok;
}
