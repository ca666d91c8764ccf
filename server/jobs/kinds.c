#include "base/jsonw.h"
#include "ingest/ingest.h"
#include "ingest/ownrules.h"
#include "jobs/atlas_run.h"
#include "jobs/build.h"
#include "jobs/jobs.h"
#include "jobs/judging.h"
#include "storage/access.h"
#include "storage/care.h"

#include <stdio.h>

enum { PAYLOAD_MAX = 1 << 20 };

static struct slice finish(struct arena *a, struct str *text)
{
    struct slice copy = arena_dup(a, str_slice(text));
    str_free(text);
    return copy;
}

struct slice job_import_payload(struct arena *a, const struct import_wish *wish)
{
    struct str text = STR_INIT(PAYLOAD_MAX);
    struct jsonw j = jsonw_to(&text);
    jsonw_object(&j);
    jsonw_kstr(&j, "filename", wish->filename);
    jsonw_kstr(&j, "format", wish->format);
    jsonw_kstr(&j, "map", wish->map);
    jsonw_kbool(&j, "replace", wish->replace);
    if (wish->runs_only)
        jsonw_kbool(&j, "runs_only", true);
    if (wish->unreviewed)
        jsonw_kbool(&j, "unreviewed", true);
    jsonw_kint(&j, "bytes", (int64_t)wish->bytes);
    jsonw_kstrz(&j, "hash", wish->hash);
    jsonw_end(&j);
    return finish(a, &text);
}

struct slice job_scan_payload(struct arena *a, const struct slice *only, size_t n)
{
    struct str text = STR_INIT(PAYLOAD_MAX);
    struct jsonw j = jsonw_to(&text);
    jsonw_object(&j);
    jsonw_key(&j, "only");
    jsonw_array(&j);
    for (size_t i = 0; i < n; i++)
        jsonw_str(&j, only[i]);
    jsonw_end(&j);
    jsonw_end(&j);
    return finish(a, &text);
}

/* The collection of a job, and the rules that look at it. */
static bool job_collection(const struct job *job, struct collection_row *out, struct ruleset **rules, struct err *e)
{
    struct store *s;
    if (!store_open(job->options->db, STORE_READ, &s, e))
        return false;
    bool ok = store_collection(s, job->row->collection, job->arena, out, e) && rules_for(s, job->options->rules, out->name, rules, e);
    store_close(s);
    return ok;
}

/* ---- import ---------------------------------------------------------------------------------------------------------- */

void import_progress(void *ctx, const struct ingest_report *so_far)
{
    const struct job *job = ctx;
    uint64_t runs = 0;
    for (int i = 0; i < PUT_OUTCOMES; i++)
        runs += so_far->runs[i];
    char text[160];
    int n = snprintf(text, sizeof text, "{\"bytes\":%llu,\"total\":%llu,\"runs\":%llu,\"messages\":%llu}", (unsigned long long)so_far->bytes_seen,
                     (unsigned long long)so_far->bytes_total, (unsigned long long)runs, (unsigned long long)so_far->messages);
    job->progress(job, slice_of(text, (size_t)n));
}

bool import_was_readable(const struct ingest_report *report, struct err *e)
{
    for (size_t i = 0; i < report->nerrors; i++) {
        const struct ingest_error *x = &report->errors[i];
        if (x->code == ERR_IO || x->code == ERR_FULL || (x->code == ERR_NOT_FOUND && !x->location.len))
            return err_set(e, x->code, "the upload cannot be read: %.*s", SLICE_ARG(x->message));
    }
    return true;
}

static bool import_run(struct job *job, struct str *result, struct err *e)
{
    const struct jobs_options *o = job->options;
    struct arena *a = job->arena;
    struct collection_row collection;
    int64_t bytes = 0;
    bool replace = false, runs_only = false, unreviewed = false;
    struct slice name = jstr(jget(job->payload, "filename")), format = jstr(jget(job->payload, "format"));
    jbool(jget(job->payload, "replace"), &replace);
    jbool(jget(job->payload, "runs_only"), &runs_only);
    jbool(jget(job->payload, "unreviewed"), &unreviewed);
    jint(jget(job->payload, "bytes"), &bytes);
    struct ruleset *rules;
    if (!job_collection(job, &collection, &rules, e))
        return false;

    struct source_file file = {.path = arena_printf(a, "%s/%.*s", o->spool->dir, SLICE_ARG(job->row->id)).ptr, .name = name,
                               .identity = arena_printf(a, "upload:%.*s", SLICE_ARG(name)), .size = (uint64_t)bytes};
    struct source_files files = {.items = &file, .n = 1};
    struct secrets *secrets = rulebook_secrets(o->rules);
    const struct ingest_options options = {.db = o->db, .collection = collection.id, .secrets = secrets, .format = format.ptr ? format_find(format) : NULL,
                                           .map = jstr(jget(job->payload, "map")), .rules = rules, .replace = replace, .runs_only = runs_only, .unreviewed = unreviewed,
                                           .may_wait = true, .jobs = o->threads, .cancel = job->stop,
                                           .progress = import_progress, .ctx = job};
    struct ingest_report report = {0};
    bool ok = ingest_files(&options, &files, a, &report, e) && import_was_readable(&report, e);
    ruleset_unref(rules);
    secrets_unref(secrets);
    if (!ok)
        return false;
    struct jsonw j = jsonw_to(result);
    ingest_report_json(&j, &collection, &report);
    return true;
}

/* ---- scan ------------------------------------------------------------------------------------------------------------ */

static void scan_progress(void *ctx, const struct scan_report *so_far)
{
    const struct job *job = ctx;
    char text[120];
    int n = snprintf(text, sizeof text, "{\"runs\":%llu,\"total\":%llu,\"tasks\":%llu}", (unsigned long long)so_far->runs,
                     (unsigned long long)so_far->runs_total, (unsigned long long)so_far->tasks);
    job->progress(job, slice_of(text, (size_t)n));
}

static bool scan_run(struct job *job, struct str *result, struct err *e)
{
    const struct jvalue *list = jget(job->payload, "only");
    size_t n = list ? list->n : 0;
    struct slice *only = arena_array(job->arena, struct slice, n + 1);
    for (size_t i = 0; i < n; i++)
        only[i] = jstr(jat(list, i));
    struct collection_row collection;
    struct ruleset *all, *rules = NULL;
    if (!job_collection(job, &collection, &all, e))
        return false;
    bool known = n ? ruleset_only(all, only, n, &rules, e) : (rules = ruleset_ref(all), true);
    ruleset_unref(all);
    if (!known)
        return false;
    const struct scan_options options = {.db = job->options->db, .collection = job->row->collection, .rules = rules, .only = only, .nonly = n,
                                         .jobs = job->options->threads, .cancel = job->stop, .progress = scan_progress, .ctx = job};
    struct scan_report report = {0};
    bool ok = ingest_scan(&options, &report, e);
    ruleset_unref(rules);
    if (ok) {
        struct jsonw j = jsonw_to(result);
        scan_report_json(&j, &report);
    }
    return ok;
}

/* ---- look ------------------------------------------------------------------------------------------------------------ */

static bool look_run(struct job *job, struct str *result, struct err *e)
{
    struct collection_row collection;
    uint64_t findings[KIND_COUNT] = {0};
    struct ruleset *rules;
    if (!job_collection(job, &collection, &rules, e))
        return false;
    const struct look_options options = {.db = job->options->db, .collection = collection.id, .rules = rules, .cancel = job->stop};
    bool ok = ingest_look(&options, findings, e);
    ruleset_unref(rules);
    if (!ok)
        return false;
    struct jsonw j = jsonw_to(result);
    jsonw_object(&j);
    jsonw_key(&j, "by_kind");
    jsonw_object(&j);
    for (int i = 0; i < KIND_COUNT; i++)
        jsonw_kint(&j, kind_name((enum kind)i), (int64_t)findings[i]);
    jsonw_end(&j);
    jsonw_end(&j);
    return true;
}

/* ---- sample ---------------------------------------------------------------------------------------------------------- */

static bool sample_run(struct job *job, struct str *result, struct err *e)
{
    struct collection_row collection;
    struct ingest_report report = {0};
    struct ruleset *rules = NULL;
    struct store *s;
    if (!store_open(job->options->db, STORE_READ, &s, e))
        return false;
    bool ok = rules_for(s, job->options->rules, slice_str(INGEST_SAMPLE), &rules, e);
    store_close(s);
    ok = ok && ingest_sample(job->options->db, rules, job->arena, &collection, &report, e);
    ruleset_unref(rules);
    if (!ok)
        return false;
    struct jsonw j = jsonw_to(result);
    ingest_report_json(&j, &collection, &report);
    return true;
}

/* ---- prune ----------------------------------------------------------------------------------------------------------- */

enum { VACUUM_PAGES = 256 }; /* 4 MB in one step: others write in between */

static bool give_back(struct store *s, const atomic_bool *stop, struct err *e)
{
    bool more = true;
    while (more && !atomic_load(stop))
        if (!store_vacuum(s, VACUUM_PAGES, &more, e))
            return false;
    return true;
}

static bool tidy(struct job *job, struct store *s, struct err *e)
{
    bool more = true;
    while (more && !atomic_load(job->stop))
        if (!room_tidy(s, job->options->spool, &more, e))
            return false;
    return true;
}

static bool prune_run(struct job *job, struct str *result, struct err *e)
{
    const struct limits *limits = job->options->limits;
    const struct prune_wish wish = {.keep = {.age_us = atomic_load(&limits->keep_age_us), .bytes = atomic_load(&limits->keep_bytes)}, .stop = job->stop};
    struct pruned pruned;
    struct store *s;
    if (!store_open(job->options->db, STORE_WRITE, &s, e))
        return false;
    store_act_as(s, job->actor);
    bool ok = store_prune(s, &wish, &pruned, e);
    store_act_as(s, NULL);
    ok = ok && tidy(job, s, e) && give_back(s, job->stop, e);
    store_close(s);
    if (!ok)
        return false;
    struct jsonw j = jsonw_to(result);
    jsonw_object(&j);
    jsonw_kint(&j, "deleted", (int64_t)pruned.deleted);
    jsonw_kint(&j, "spared", (int64_t)pruned.spared);
    jsonw_kint(&j, "over_bytes", pruned.over_bytes);
    jsonw_end(&j);
    return true;
}

const struct job_kind job_kinds[] = {
    {.name = "import", .run = import_run},
    {.name = "scan", .run = scan_run, .logged = true},
    {.name = "sample", .run = sample_run},
    {.name = "build", .run = build_run, .logged = true, .streams = true},
    {.name = "look", .run = look_run},
    {.name = "map", .run = atlas_run_job},
    {.name = "judge", .run = judge_run},
    {.name = "draft", .run = draft_run},
    {.name = "prune", .run = prune_run},
};
const size_t job_kind_count = sizeof job_kinds / sizeof *job_kinds;

const struct job_kind *job_kind_find(struct slice name)
{
    for (size_t i = 0; i < job_kind_count; i++)
        if (slice_is(name, job_kinds[i].name))
            return &job_kinds[i];
    return NULL;
}
