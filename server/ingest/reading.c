/* One file: is it known, does it wait for its twin, and its records on their way to the queue. */
#include "ingest/carry.h"
#include "ingest/pipeline.h"
#include "storage/care.h"
#include "transcript/judgment.h"
#include "transcript/redact.h"

#include <limits.h>
#include <stdlib.h>

struct reading {
    struct worker *worker;
    struct open_file *file;
    struct slice shown;     /* source.file */
    int64_t place;          /* of the next run, by file and then in it */
    struct fields *fields;  /* of a dry run; else NULL */
    struct hash_counts ids; /* external_ids of this file, for files in which they are not unique */
};

static struct hash_count *find_hash(struct hash_count *items, size_t cap, const unsigned char hash[HASH_SIZE])
{
    size_t at;
    memcpy(&at, hash, sizeof at);
    while (items[at & (cap - 1)].seen && memcmp(items[at & (cap - 1)].hash, hash, HASH_SIZE) != 0)
        at++;
    return &items[at & (cap - 1)];
}

/* How often it was counted before. */
static uint32_t count_hash(struct hash_counts *c, const unsigned char hash[HASH_SIZE])
{
    if (2 * c->n >= c->cap) {
        size_t cap = c->cap ? 2 * c->cap : 64;
        struct hash_count *items = calloc(cap, sizeof *items);
        if (!items)
            abort();
        for (size_t i = 0; i < c->cap; i++)
            if (c->items[i].seen)
                *find_hash(items, cap, c->items[i].hash) = c->items[i];
        free(c->items);
        c->items = items;
        c->cap = cap;
    }
    struct hash_count *found = find_hash(c->items, c->cap, hash);
    if (!found->seen) {
        memcpy(found->hash, hash, HASH_SIZE);
        c->n++;
    }
    return found->seen++;
}

static uint32_t next_ordinal(struct reading *r, struct slice member, struct slice id)
{
    unsigned char hash[HASH_SIZE];
    struct hash h;
    hash_start(&h);
    hash_add_framed(&h, member);
    hash_add_framed(&h, id);
    hash_end(&h, hash);
    return count_hash(&r->ids, hash);
}

static void refuse_record(void *ctx, struct slice location, enum err_code code, const char *message)
{
    struct reading *r = ctx;
    r->file->row.refused++;
    pipe_error(r->worker->p, r->shown, location, code, message);
    pthread_mutex_lock(&r->worker->p->lock);
    r->worker->p->report->rejected++;
    pthread_mutex_unlock(&r->worker->p->lock);
}

/* Before anything else knows what it says. False: it was refused. */
static bool redact_run(struct reading *r, struct arena *arena, struct run *run)
{
    struct pipeline *p = r->worker->p;
    struct redaction redaction = pipe_redaction(r->worker, arena);
    struct err why = {0};
    if (!p->options->secrets)
        return true;
    bool ok = run_redact(&redaction, run, &why);
    if (!ok)
        refuse_record(r, run->source.location, why.code, why.text);
    pthread_mutex_lock(&p->lock);
    p->report->redacted += redaction.replaced;
    pthread_mutex_unlock(&p->lock);
    return ok;
}

/* False: it was refused. */
static bool fits(struct reading *r, const struct run *run)
{
    struct err why = {0};
    bool ok = run_fits(run, &why);
    if (!ok)
        refuse_record(r, run->source.location, why.code, why.text);
    return ok;
}

static const char not_yours_to_say[] = "labels, findings and judgments of an import are taken over only with the scope review; the runs are taken in and looked at here";

/* What is found in a run, and what people and judges say of it, is not for everybody to say. The run is then one like any other: detectors look at it. */
static void forget_said(struct reading *r, struct run *run)
{
    if (!r->worker->p->options->unreviewed)
        return;
    if (run->nlabels || (run->carried && run->carried->n) || (run->judged && run->judged->n))
        refuse_record(r, run->source.location, ERR_FORBIDDEN, not_yours_to_say);
    run->nlabels = 0;
    run->carried = NULL;
    run->judged = NULL;
}

static bool take_run(void *ctx, struct arena *arena, struct run *run, struct err *e)
{
    struct reading *r = ctx;
    struct pipeline *p = r->worker->p;
    struct waiting_run item = {.file = r->file, .arena = arena, .run = run};
    if (pipe_stopped(p)) {
        arena_discard(arena);
        return err_set(e, ERR_CANCELLED, "the import was cancelled");
    }
    if (r->fields)
        fields_run(r->fields, run);
    forget_said(r, run);
    if (!fits(r, run) || !redact_run(r, arena, run)) {
        arena_discard(arena);
        return true;
    }
    struct slice path = r->file->row.path, member = run->source.member;
    item.name.path = member.len ? arena_printf(arena, "%.*s/%.*s", SLICE_ARG(path), SLICE_ARG(member)) : path;
    item.name.place = r->place++;
    item.name.ordinal = next_ordinal(r, run->id.ptr ? SLICE_NONE : member, run->id.ptr ? run->id : run->external_id);
    run_content_hash(run, item.name.content_hash);
    r->file->row.runs++;
    if (!r->file->row.format.ptr)
        r->file->row.format = arena_dup(&r->file->arena, run->source.format);
    atomic_fetch_add(&r->file->holders, 1);
    return pipe_offer(p, &item) || run_handle(r->worker, &item, e);
}

static void look_at_record(void *ctx, const struct jvalue *value) { fields_record(((struct reading *)ctx)->fields, value); }

/* A text of a line that is no run; absent where it could not be looked through. */
static struct slice without_secrets(const struct worker *w, struct arena *a, struct slice text)
{
    struct redaction redaction = pipe_redaction(w, a);
    struct err e;
    return !w->p->options->secrets || redact_json(&redaction, &text, &e) ? text : SLICE_NONE;
}

/* A quota that is smaller than the collection was when it was set must not keep back its runs. What means nothing to this version is left out. */
static void keep_limits(struct pipeline *p, const struct jvalue *header)
{
    struct slice keep = jstr(jget(header, "keep")), quota = jstr(jget(header, "quota"));
    pthread_mutex_lock(&p->lock);
    if (keep.len && limits_parse(keep, SLICE_NONE, NULL))
        p->limits.keep = arena_dup(p->arena, keep);
    if (quota.len && limits_parse(SLICE_NONE, quota, NULL))
        p->limits.quota = arena_dup(p->arena, quota);
    pthread_mutex_unlock(&p->lock);
}

static bool restore_collection(const struct worker *w, const struct jvalue *header, struct err *e)
{
    if (!w->p->options->collection_is_new)
        return true;
    keep_limits(w->p, header);
    struct arena a = {0};
    struct collection_row row = {
        .id = jstr(jget(header, "id")),
        .description = without_secrets(w, &a, jstr(jget(header, "description"))),
        .metadata = jis(jget(header, "metadata"), J_OBJECT) ? without_secrets(w, &a, jraw(&a, jget(header, "metadata"))) : SLICE_NONE,
        .created_at = jstr(jget(header, "created_at")),
    };
    /* The header comes before any run of its file; another file of the same import may have been quicker, and then
     * the collection is a mixture that keeps the id it has. */
    struct err why = {0};
    bool ok = store_collection_change(w->store, w->p->options->collection, &row, &why) || why.code == ERR_CONFLICT;
    if (!ok)
        *e = why;
    arena_free(&a);
    return ok;
}

/* A finding about a task speaks of runs that may not be stored yet: it waits until all are. */
static void keep_finding(struct reading *r, struct slice location, const struct finding *from)
{
    struct pipeline *p = r->worker->p;
    struct arena a = {0};
    struct finding copy;
    struct redaction redaction = pipe_redaction(r->worker, &a);
    struct err why = {0};
    finding_copy(&a, from, &copy);
    if (p->options->secrets && !finding_redact(&redaction, &copy, &why)) {
        refuse_record(r, location, why.code, why.text);
    } else {
        pthread_mutex_lock(&p->lock);
        finding_copy(p->arena, &copy, findings_add(p->arena, &p->carried));
        pthread_mutex_unlock(&p->lock);
    }
    arena_free(&a);
}

/* An attachment is named by the hash of its bytes: with others it would be another, which no message has. */
static bool keep_blob(struct reading *r, const struct carried *carried, struct err *e)
{
    struct arena a = {0};
    struct redaction redaction = pipe_redaction(r->worker, &a);
    struct slice bytes = carried->blob->bytes;
    struct err why = {0};
    bool clean = !r->worker->p->options->secrets || (redact_text(&redaction, &bytes, &why) && !redaction.replaced);
    arena_free(&a);
    if (clean)
        return store_blob_put(r->worker->store, r->worker->p->options->collection, carried->blob->media_type, carried->blob->bytes, e);
    refuse_record(r, carried->location, ERR_FORMAT, "an attachment that holds a secret is left out: it is known by its bytes, so nothing can be replaced in it");
    return true;
}

/* What its content is to blame for is refused; the rest goes on. */
static bool take_named(struct reading *r, const struct carried *carried, struct err *e)
{
    struct err why = {0};
    struct pipeline *p = r->worker->p;
    if (carried->rubric ? carry_rubric(r->worker->store, carried->rubric, p->imported, &why)
        : carried->label_set ? carry_label_set(r->worker->store, carried->label_set, p->options->secrets, &why)
        : carried->rule ? carry_rule(r->worker->store, carried->rule, &why)
                        : carry_exception(r->worker->store, p->options->collection, carried->exception, &why))
        return true;
    if (why.code == ERR_FORMAT)
        refuse_record(r, carried->location, why.code, why.text);
    else
        *e = why;
    return why.code == ERR_FORMAT;
}

/* Whoever may only put runs in must not bring rules for everybody with them. */
static bool may_bring(struct reading *r, const struct carried *carried)
{
    bool beyond = carried->collection || carried->rubric || carried->rule || carried->exception || carried->label_set;
    if (!beyond || !r->worker->p->options->runs_only)
        return true;
    if (!carried->collection)
        refuse_record(r, carried->location, ERR_FORBIDDEN, "rules, rubrics, label sets and exceptions of an export are taken over only with the scope admin, for all "
                                                           "collections");
    return false;
}

static bool carry_line(void *ctx, const struct carried *carried, struct err *e)
{
    struct reading *r = ctx;
    if (!r->worker->put || !may_bring(r, carried))
        return true;
    if (carried->collection)
        return restore_collection(r->worker, carried->collection, e);
    if (carried->blob)
        return keep_blob(r, carried, e);
    if (carried->rubric || carried->label_set || carried->rule || carried->exception)
        return take_named(r, carried, e);
    if (r->worker->p->options->unreviewed)
        refuse_record(r, carried->location, ERR_FORBIDDEN, not_yours_to_say);
    else
        keep_finding(r, carried->location, carried->finding);
    return true;
}

static void count_file(struct pipeline *p, const struct source_report *read, uint64_t size)
{
    pthread_mutex_lock(&p->lock);
    struct ingest_report *r = p->report;
    r->files_read += read->outcome == SOURCE_READ;
    r->files_skipped += read->outcome == SOURCE_SKIPPED;
    r->files_failed += read->outcome == SOURCE_FAILED;
    r->bytes += size;
    for (int i = 0; i < JREPAIR_COUNT; i++)
        r->repairs.count[i] += read->repairs.count[i];
    pipe_progress(p);
    pthread_mutex_unlock(&p->lock);
}

void files_taken(struct pipeline *p)
{
    const struct source_report read = {.outcome = SOURCE_READ};
    for (size_t i = 0; i < p->files->n; i++) {
        const struct source_file *file = &p->files->items[i];
        if (file->companion && atomic_load(file->taken))
            count_file(p, &read, file->size);
        else if (file->companion && !file->unchanged)
            file_list_add(p->arena, &p->later, file);
    }
}

/* Two files of the same bytes must not be read at once, as neither would find the other in the store: the second waits until all
 * that were begun are committed. */
static bool waits(struct pipeline *p, const struct source_file *source, const unsigned char hash[HASH_SIZE])
{
    pthread_mutex_lock(&p->lock);
    bool seen = !p->second_pass && count_hash(&p->hashes, hash) > 0;
    if (seen)
        file_list_add(p->arena, &p->later, source);
    pthread_mutex_unlock(&p->lock);
    return seen;
}

static void count_fields(struct pipeline *p, struct fields *fields, const struct format *format)
{
    pthread_mutex_lock(&p->lock);
    for (size_t i = 0; i < format_count; i++)
        if (formats[i] == format)
            fields_add(&p->report->fields[i], fields, p->arena);
    pthread_mutex_unlock(&p->lock);
    fields_free(fields);
}

static const struct format *named_format(const struct pipeline *p, const struct source_file *source)
{
    return source->format ? source->format : p->options->format;
}

/* False: the import cannot go on (e). */
static bool read_records(struct reading *r, const struct source_file *source, const struct source_limits *limits, struct source_report *read,
                         struct err *e)
{
    struct pipeline *p = r->worker->p;
    const struct source_options how = {.format = named_format(p, source), .map = p->options->map, .limits = limits, .files = p->files};
    struct sink sink = {.run = take_run, .refuse = refuse_record, .carry = carry_line, .ctx = r};
    struct err reason = {0};
    if (p->options->dry_run) {
        r->fields = fields_new(!p->options->secrets);
        sink.record = look_at_record;
    }
    bool ok = source_read(source, &how, &sink, read, &reason);
    if (r->fields)
        count_fields(p, r->fields, read->format);
    if (!ok)
        *e = reason;
    else if (read->outcome != SOURCE_READ)
        pipe_error(p, source->name, SLICE_NONE, reason.code, reason.text);
    return ok;
}

bool file_read(struct worker *w, const struct source_file *source, struct err *e)
{
    struct pipeline *p = w->p;
    const struct ingest_options *o = p->options;
    struct open_file *file = calloc(1, sizeof *file);
    if (!file)
        abort();
    atomic_store(&file->holders, 1);
    atomic_store(&file->complete, true);
    char real[PATH_MAX];
    struct slice path = source->identity.ptr ? source->identity : slice_str(realpath(source->path, real) ? real : source->path);
    file->row.path = arena_dup(&file->arena, path);
    file->row.name = arena_dup(&file->arena, source->name);
    struct redaction redaction = pipe_redaction(w, &file->arena);
    if (o->secrets && !(redact_text(&redaction, &file->row.path, e) && redact_text(&redaction, &file->row.name, e))) {
        atomic_store(&file->complete, false);
        file_release(w, file);
        return false;
    }
    file->row.bytes = source->size;
    struct reading reading = {.worker = w, .file = file, .shown = source->name, .place = (int64_t)(source - p->files->items) << 32};
    struct source_report read = {0};
    bool known = false, later = false, ok = true;
    struct file_row before;
    struct err reason = {0};
    struct source_limits limits = source_limits_default;
    limits.cancel = o->cancel;
    limits.seen = &p->seen;
    if (!source_hash(source, &limits, file->row.hash, &reason)) {
        ok = reason.code != ERR_CANCELLED;
        read.outcome = SOURCE_FAILED;
        atomic_store(&file->complete, false);
        if (ok)
            pipe_error(p, source->name, SLICE_NONE, reason.code, reason.text);
        else
            *e = reason;
    } else if (source->has_companions) { /* its bytes do not say whether theirs changed: it is read each time */
        atomic_store(&file->complete, false);
        ok = read_records(&reading, source, &limits, &read, e);
    } else if (w->put && waits(p, source, file->row.hash)) {
        atomic_store(&file->complete, false);
        later = true;
    } else if (w->put && !store_file_known(w->store, o->collection, file->row.hash, &file->arena, &known, &before, e)) {
        ok = false;
        atomic_store(&file->complete, false);
    } else if (known && !before.refused && !named_format(p, source) && !o->map.ptr) { /* what was refused is refused, and named, again */
        atomic_store(&file->complete, false); /* it is remembered already */
        pthread_mutex_lock(&p->lock);
        p->report->runs[PUT_DUPLICATE] += before.runs;
        for (size_t i = 0; i < format_count; i++)
            if (before.format.ptr && slice_is(before.format, formats[i]->name))
                p->report->format_runs[i] += before.runs;
        pthread_mutex_unlock(&p->lock);
        read.outcome = SOURCE_READ;
    } else {
        ok = read_records(&reading, source, &limits, &read, e);
        /* A run that failed on the way has said false already, and then nothing may say otherwise. */
        if (!(ok && read.outcome == SOURCE_READ))
            atomic_store(&file->complete, false);
    }
    if (ok && !later)
        count_file(p, &read, source->size);
    free(reading.ids.items);
    file_release(w, file);
    return ok;
}
