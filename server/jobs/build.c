#include "jobs/build.h"

#include "base/log.h"
#include "ingest/fmt.h"
#include "ingest/langfuse.h"
#include "ingest/ownrules.h"

#include <errno.h>
#include <unistd.h>

enum {
    GROUPS = 256,              /* built by one job at most, */
    GROUPS_BYTES = 64 << 20,   /* and after the first so many bytes of them */
    TEXT_MAX_BYTES = 1 << 30,  /* of one group, written out */
    AGAIN_US = 200000,
};

static struct slice *bodies_of(struct arena *a, const struct piece_group *group)
{
    struct slice *bodies = arena_array(a, struct slice, group->nitems + 1);
    for (size_t i = 0; i < group->nitems; i++)
        bodies[i] = group->items[i].body;
    return bodies;
}

/* What is written out. */
struct writing {
    struct store *store;
    struct slice collection;
    const struct piece_group *group;
    struct slice trace;              /* what follows the prefix of the group's path */
    struct arena *arena;             /* of the job */
    struct piece_groups *read;       /* all that were loaded */
    struct str *out;
};

static bool load(const struct writing *w, struct piece_group *group, struct arena *a, struct err *e)
{
    if (!store_piece_group_load(w->store, group, a, e))
        return false;
    w->read->items = arena_grow(w->arena, w->read->items, w->read->n, &w->read->cap, sizeof *group);
    w->read->items[w->read->n++] = (struct piece_group){.n = group->n, .redacted = group->redacted};
    return true;
}

/* A span a line, as a collector writes them; and the scores that Langfuse's SDK sent for the same trace. */
static bool write_otlp(const struct writing *w, struct err *e)
{
    struct arena a = {0};
    struct piece_group scores;
    for (size_t i = 0; i < w->group->nitems; i++) {
        str_add_slice(w->out, w->group->items[i].body);
        str_addc(w->out, '\n');
    }
    bool ok = store_piece_group_find(w->store, w->collection, arena_printf(&a, "langfuse:%.*s", SLICE_ARG(w->trace)), &scores, e);
    if (ok && scores.n && (ok = load(w, &scores, &a, e)))
        langfuse_scores(w->trace, bodies_of(&a, &scores), scores.nitems, w->out);
    arena_free(&a);
    return ok;
}

/* A trace as Langfuse saves it. Nothing where there are only scores, which belong to a trace that comes over OpenTelemetry. */
static bool write_langfuse(const struct writing *w, struct err *e)
{
    struct arena a = {0};
    (void)e;
    langfuse_merge(w->trace, bodies_of(&a, w->group), w->group->nitems, w->out);
    arena_free(&a);
    return true;
}

/* How a group is written as the file that its format reads. */
struct piece_kind {
    const char *prefix;             /* of its path */
    const struct format *format;
    bool (*write)(const struct writing *w, struct err *e);
};
static const struct piece_kind kinds[] = {
    {"otlp:", &fmt_otlp, write_otlp},
    {"langfuse:", &fmt_langfuse, write_langfuse},
};

static const struct piece_kind *kind_of(struct slice path)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (slice_starts(path, kinds[i].prefix))
            return &kinds[i];
    return NULL;
}

static bool write_text(int fd, struct slice text, struct err *e)
{
    for (size_t done = 0; done < text.len;) {
        ssize_t n = write(fd, text.ptr + done, text.len - done);
        if (n < 0 && errno != EINTR)
            return err_errno(e, "cannot write a temporary file");
        done += n > 0 ? (size_t)n : 0;
    }
    return true;
}

/* The group's pieces stay in the job's arena, for the end. `text`: nothing where it makes no file of its own. */
static bool read_group(struct store *s, const struct job *job, struct piece_group *group, struct piece_groups *read, struct str *text, struct err *e)
{
    struct writing w = {.store = s, .collection = job->row->collection, .group = group, .arena = job->arena, .read = read, .out = text};
    if (!load(&w, group, job->arena, e))
        return false;
    const struct piece_kind *kind = kind_of(group->path);
    if (!kind)
        return true;
    w.trace = slice_sub(group->path, strlen(kind->prefix), group->path.len);
    return kind->write(&w, e) &&
           (!text->full || err_set(e, ERR_TOO_LARGE, "%.*s is over %d bytes", SLICE_ARG(group->path), TEXT_MAX_BYTES));
}

/* ---- building ----------------------------------------------------------------------------------------------------------- */

/* What a job builds: the groups that make a file, and those that only add to another. */
struct building {
    struct piece_group *groups, *others;
    struct piece_groups read;            /* these, and what was read with them */
    size_t ngroups, nothers;
    struct source_files files;
    struct ingest_error *errors;         /* groups that were not built */
    size_t nerrors, errors_cap;
};

static void not_built(const struct job *job, struct building *b, struct slice path, enum err_code code, struct slice why)
{
    b->errors = arena_grow(job->arena, b->errors, b->nerrors, &b->errors_cap, sizeof *b->errors);
    b->errors[b->nerrors++] = (struct ingest_error){.source = path, .message = why, .code = code};
}

static bool tell_given_up(struct store *s, const struct job *job, struct building *b, struct err *e)
{
    struct slices paths;
    if (!store_piece_groups_given_up(s, job->row->collection, GROUPS, job->arena, &paths, e))
        return false;
    for (size_t i = 0; i < paths.n; i++)
        not_built(job, b, paths.items[i], ERR_LIMIT, slice_str("given up: it was begun too often and never came to an end; it is tried again when more of it comes"));
    return true;
}

/* What goes wrong with one group alone; the others' turn does not come either with what a full disk or a held lock stops. */
static bool is_its_own(const struct err *e) { return e->code != ERR_FULL && e->code != ERR_BUSY; }

/* All groups into one temporary file, each a part of it. One that cannot be read keeps its attempt, and is left to the next. */
static bool write_groups(struct store *s, const struct job *job, int fd, struct piece_group *all, size_t n, struct building *b, struct err *e)
{
    uint64_t at = 0;
    bool ok = true;
    b->groups = arena_array(job->arena, struct piece_group, n);
    b->others = arena_array(job->arena, struct piece_group, n);
    b->files.items = arena_array(job->arena, struct source_file, n);
    for (size_t i = 0; i < n && ok; i++) {
        struct str text = STR_INIT(TEXT_MAX_BYTES);
        struct err why = {0};
        if (!read_group(s, job, &all[i], &b->read, &text, &why)) {
            ok = is_its_own(&why);
            if (ok)
                not_built(job, b, all[i].path, why.code, arena_dup(job->arena, slice_str(why.text)));
            else
                *e = why;
        } else if (!text.len) {
            b->others[b->nothers++] = all[i];
        } else {
            ok = write_text(fd, str_slice(&text), e);
            b->groups[b->ngroups++] = all[i];
            b->files.items[b->files.n++] = (struct source_file){
                .name = all[i].path, .identity = all[i].path, .format = kind_of(all[i].path)->format, .fd = fd, .at = at, .size = text.len};
            at += text.len;
        }
        str_free(&text);
    }
    return ok;
}

/* In this order: what is added to must not be called built after its addition has been. */
static bool end_groups(struct store *s, const struct job *job, const struct building *b, struct err *e)
{
    if (!store_piece_groups_end(s, b->groups, b->ngroups, true, e))
        return false;
    for (size_t i = 0; i < b->nothers; i++) {
        struct slice trace = b->others[i].path;
        slice_take(&trace, ':');
        if (!store_piece_group_wake(s, job->row->collection, arena_printf(job->arena, "otlp:%.*s", SLICE_ARG(trace)), e))
            return false;
    }
    return store_piece_groups_end(s, b->others, b->nothers, true, e);
}

static void report_not_built(const struct job *job, const struct building *b, struct ingest_report *report)
{
    report->files_failed += b->nerrors;
    for (size_t i = 0; i < b->nerrors; i++) {
        report->errors = arena_grow(job->arena, report->errors, report->nerrors, &report->errors_cap, sizeof *report->errors);
        report->errors[report->nerrors++] = b->errors[i];
    }
}

/* Its scratch file may be what filled the disk: it is gone before anything else is written. */
static bool build_groups(struct job *job, struct store *s, const struct ruleset *rules, struct piece_group *all, size_t n, struct building *b,
                         struct ingest_report *report, struct err *e)
{
    const struct jobs_options *o = job->options;
    struct secrets *secrets = rulebook_secrets(o->rules);
    const struct ingest_options options = {.db = o->db, .collection = job->row->collection, .rules = rules, .secrets = secrets, .replace = true, .made_of = &b->read, .may_wait = true, .jobs = o->threads,
                                           .cancel = job->stop, .progress = import_progress, .ctx = job};
    int fd = spool_scratch(o->spool, e);
    bool ok = fd >= 0 && write_groups(s, job, fd, all, n, b, e) && ingest_files(&options, &b->files, job->arena, report, e) && import_was_readable(report, e);
    secrets_unref(secrets);
    if (fd >= 0)
        close(fd);
    return ok && end_groups(s, job, b, e);
}

/* What stopped the job was no attempt at its groups. Where that cannot be noted for want of room it would soon look as if they had been tried to the end. */
static void put_back(struct store *s, const struct job *job, const struct piece_group *groups, size_t n)
{
    struct err e = {0};
    bool ok;
    while (!(ok = store_piece_groups_end(s, groups, n, false, &e)) && !is_its_own(&e) && !atomic_load(job->stop))
        usleep(AGAIN_US);
    if (!ok)
        log_error("cannot note that traces were not built, which counts as an attempt at them: %s", e.text);
}

static bool build(struct job *job, struct store *s, const struct ruleset *rules, struct ingest_report *report, struct err *e)
{
    struct building b = {0};
    struct piece_group *all = NULL;
    size_t n = 0;
    if (!tell_given_up(s, job, &b, e) || !store_piece_groups_begin(s, job->row->collection, GROUPS, GROUPS_BYTES, job->arena, &all, &n, e))
        return false;
    bool ok = build_groups(job, s, rules, all, n, &b, report, e);
    if (ok)
        report_not_built(job, &b, report);
    else
        put_back(s, job, all, n);
    return ok;
}

bool build_run(struct job *job, struct str *result, struct err *e)
{
    struct store *s;
    struct collection_row collection;
    struct ingest_report report = {0};
    if (!store_open(job->options->db, STORE_WRITE, &s, e))
        return false;
    struct ruleset *rules;
    bool ok = store_collection(s, job->row->collection, job->arena, &collection, e) &&
              rules_for(s, job->options->rules, collection.name, &rules, e);
    if (ok) {
        ok = build(job, s, rules, &report, e);
        ruleset_unref(rules);
    }
    store_close(s);
    if (ok) {
        struct jsonw j = jsonw_to(result);
        ingest_report_json(&j, &collection, &report);
    }
    return ok;
}
