#include "ingest/source.h"

#include "base/temp.h"
#include "ingest/archive.h"
#include "ingest/companions.h"
#include "ingest/feed.h"
#include "ingest/fmt.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

const struct source_limits source_limits_default = {
    .value_bytes = UINT64_C(1) << 29,
    .unpacked_bytes = UINT64_C(64) << 30,
    .unpacked_ratio = 1000,
    .members = 1000000,
};

bool source_goes_on(const struct source_limits *limits, struct err *e)
{
    return !limits->cancel || !atomic_load(limits->cancel) || err_set(e, ERR_CANCELLED, "the import was cancelled");
}

/* ---- what the user names → files -------------------------------------------------------------------------------------- */

static void add_file(struct arena *a, struct source_files *out, const char *path, const struct stat *st)
{
    out->items = arena_grow(a, out->items, out->n, &out->cap, sizeof *out->items);
    out->items[out->n++] = (struct source_file){
        .path = path,
        .name = slice_str(path),
        .size = (uint64_t)st->st_size,
        .modified = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec,
    };
}

/* Hidden files are somebody's own affairs, but for those that an agent leaves in the folder it works in. */
static bool is_hidden(struct slice name)
{
    return name.len && *name.ptr == '.' && !slice_is(name, ".aider.chat.history.md") && !slice_is(name, ".aider.results.json");
}

static int visible(const struct dirent *entry) { return !is_hidden(slice_str(entry->d_name)); }
static int by_name(const struct dirent **a, const struct dirent **b) { return strcmp((*a)->d_name, (*b)->d_name); }

static void add_error(struct arena *a, struct source_files *out, const char *path, const struct err *why)
{
    out->errors = arena_grow(a, out->errors, out->nerrors, &out->errors_cap, sizeof *out->errors);
    out->errors[out->nerrors++] = (struct source_error){
        .name = slice_str(path), .message = arena_dup(a, slice_str(why->text)), .code = why->code};
}

/* A link is left out: what it points to inside the folder is met there, and what lies outside is not ours. */
static bool walk_folder(struct arena *a, const char *folder, struct source_files *out, struct err *e)
{
    struct dirent **entries;
    int n = scandir(folder, &entries, visible, by_name);
    if (n < 0)
        return err_errno(e, "cannot read the folder %s", folder);
    size_t length = strlen(folder);
    const char *slash = length && folder[length - 1] == '/' ? "" : "/";
    for (int i = 0; i < n; i++) {
        const char *path = arena_printf(a, "%s%s%s", folder, slash, entries[i]->d_name).ptr;
        struct stat st;
        struct err why = {0};
        free(entries[i]);
        bool ok = lstat(path, &st) == 0 || err_errno(&why, "cannot be looked at");
        if (ok && S_ISDIR(st.st_mode))
            ok = walk_folder(a, path, out, &why);
        else if (ok && S_ISREG(st.st_mode))
            add_file(a, out, path, &st);
        else if (ok)
            ok = err_set(&why, ERR_NOT_TRANSCRIPT, S_ISLNK(st.st_mode) ? "a link, which is not followed inside a folder" : "no file that can be read to an end");
        if (!ok)
            add_error(a, out, path, &why);
    }
    free(entries);
    return true;
}

bool source_walk(struct arena *a, const char *path, struct source_files *out, struct err *e)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return err_errno(e, "cannot open %s", path);
    if (S_ISDIR(st.st_mode))
        return walk_folder(a, path, out, e);
    if (!S_ISREG(st.st_mode))
        return err_set(e, ERR_USAGE, "%s is neither a file nor a folder", path);
    add_file(a, out, arena_strdup(a, slice_str(path)), &st);
    return true;
}

void source_count_errors(const struct source_files *files, uint64_t *skipped, uint64_t *failed)
{
    *skipped = *failed = 0;
    for (size_t i = 0; i < files->nerrors; i++)
        *(files->errors[i].code == ERR_NOT_TRANSCRIPT ? skipped : failed) += 1;
}

/* ---- archives --------------------------------------------------------------------------------------------------------- */

static struct slice base_name(struct slice path)
{
    size_t from = path.len;
    while (from && path.ptr[from - 1] != '/')
        from--;
    return slice_sub(path, from, path.len);
}

/* An Inspect log is a zip: the first two say what was evaluated, in the order of what they know; the samples stand in a folder. */
static const char *const log_heads[] = {"_journal/start.json", "header.json", "reductions.json"};
enum { LOG_HEADS = sizeof log_heads / sizeof *log_heads };

static bool is_sample(struct slice name)
{
    return slice_starts(name, "samples/") && slice_ends(name, ".json") && slice_find(name, slice_str("_epoch_")) > 0;
}

struct log {
    bool is_log;                  /* one of the heads tells of an evaluation, or there is a sample */
    struct step heads[LOG_HEADS]; /* result SPLIT_VALUE where it was read; err where it is there and cannot be */
};

/* A first look: the names inside, and is it a log? Then its heads are read, which may stand at its end. */
static bool look_through(struct reading *r, struct arena *a, struct source_files *inside, struct log *log, struct err *e)
{
    struct unpack *u;
    struct slice name;
    bool more = true, ok = unpack_open(r->file->path, r->file->size, r->options->limits, &u, e);
    if (!ok)
        return false;
    while ((ok = unpack_next(u, &name, &more, e)) && more && !unpack_single(u)) {
        inside->items = arena_grow(a, inside->items, inside->n, &inside->cap, sizeof *inside->items);
        inside->items[inside->n++] = (struct source_file){.name = arena_dup(a, name), .fd = -1};
        if (!unpack_zip(u))
            continue;
        log->is_log |= is_sample(name);
        for (size_t i = 0; i < LOG_HEADS; i++) {
            if (!slice_is(name, log_heads[i]))
                continue;
            fmt_discard(log->heads[i].arena);
            log->is_log |= feed_load(r, (struct split_input){unpack_read, u}, name, i, &log->heads[i]) &&
                           jis(jget(log->heads[i].record.value, "eval"), J_OBJECT);
        }
    }
    unpack_close(u);
    return ok;
}

/* The samples, in the order of the archive. */
static enum outcome read_samples(struct reading *r, struct unpack *u, struct err *e)
{
    char last[256] = "its beginning";
    struct slice name;
    bool more;
    for (size_t index = LOG_HEADS;; index++) {
        if (!unpack_next(u, &name, &more, e)) {
            err_prefix(e, "after %s", last);
            return OUTCOME_FAILED;
        }
        if (!more)
            return OUTCOME_READ;
        snprintf(last, sizeof last, "%.*s", SLICE_ARG(name));
        struct step step;
        if (!is_sample(name))
            continue;
        if (!feed_load(r, (struct split_input){unpack_read, u}, name, index, &step)) {
            feed_refuse(r, name, &step.err);
            fmt_discard(step.arena);
        } else if (!feed_step(r, &step, e)) {
            return OUTCOME_STOPPED;
        }
    }
}

static enum outcome read_log(struct reading *r, struct log *log, struct err *e)
{
    struct record records[LOG_HEADS];
    struct sample sample = {.file = r->file->name, .records = records, .archive = true};
    for (size_t i = 0; i < LOG_HEADS; i++) {
        if (log->heads[i].result == SPLIT_VALUE)
            records[sample.n++] = log->heads[i].record;
        else if (log->heads[i].err.code != ERR_NONE)
            feed_refuse(r, slice_str(log_heads[i]), &log->heads[i].err);
    }
    if (!feed_recognize(r, &sample, e))
        return OUTCOME_SKIPPED;
    struct unpack *u;
    if (!unpack_open(r->file->path, r->file->size, r->options->limits, &u, e))
        return OUTCOME_FAILED;
    enum outcome outcome = OUTCOME_READ;
    for (size_t i = 0; i < LOG_HEADS && outcome == OUTCOME_READ; i++)
        if (log->heads[i].result == SPLIT_VALUE && !feed_step(r, &log->heads[i], e))
            outcome = OUTCOME_STOPPED;
    if (outcome == OUTCOME_READ)
        outcome = read_samples(r, u, e);
    unpack_close(u);
    struct err ending = {0};
    if (!feed_end(r, &ending) && outcome != OUTCOME_STOPPED) {
        *e = ending;
        outcome = OUTCOME_STOPPED;
    }
    return outcome;
}

struct peeked { /* an input whose first bytes were looked at already */
    struct split_input in;
    char head[512];
    size_t used, n;
};

static bool read_peeked(void *ctx, char *into, size_t room, size_t *n, struct err *e)
{
    struct peeked *p = ctx;
    if (p->used == p->n)
        return p->in.read(p->in.ctx, into, room, n, e);
    *n = p->n - p->used < room ? p->n - p->used : room;
    memcpy(into, p->head + p->used, *n);
    p->used += *n;
    return true;
}

static bool peek(struct peeked *p, struct err *e)
{
    size_t n = 1;
    while (p->n < sizeof p->head && n) {
        if (!p->in.read(p->in.ctx, p->head + p->n, sizeof p->head - p->n, &n, e))
            return false;
        p->n += n;
    }
    return true;
}

static bool hidden(struct slice name)
{
    return name.len == 0 || base_name(name).len == 0 || is_hidden(base_name(name)) || slice_starts(name, "__MACOSX/");
}

/* An archive of files on its way. */
struct unpacking {
    struct reading *r;
    struct source_files *inside;  /* the names that the first look found */
    size_t next;                  /* of them */
    int spool;                    /* what belongs together: entries one after the other in a temporary file; -1: none yet */
    uint64_t spooled;
    size_t read, failed;
    struct err failure, skipped;  /* of the last file that failed, of the first that was skipped */
};

/* The entry's name in the list; NULL: the archive changed while it was read. */
static struct source_file *listed(struct unpacking *x, struct slice name)
{
    struct source_file *file = x->next < x->inside->n ? &x->inside->items[x->next++] : NULL;
    return file && slice_eq(file->name, name) ? file : NULL;
}

/* Puts what is left of an input at the end of a temporary file. False: it cannot be read or written (e). */
static bool spool_rest(int fd, struct split_input in, uint64_t *size, struct err *e)
{
    char piece[1 << 16];
    size_t n = 1;
    for (*size = 0; n; *size += n)
        if (!in.read(in.ctx, piece, sizeof piece, &n, e) || !temp_write(fd, piece, n, e))
            return false;
    return true;
}

static enum outcome read_packed(struct reading *r, struct err *e);

/* An archive or compressed file inside an archive: once, so that a bomb of bombs has an end. */
static enum outcome read_nested(struct reading *r, struct split_input in, const struct magic *magic, struct err *e)
{
    if (r->outer.ptr)
        return err_set(e, ERR_TOO_LARGE, "%s inside an archive that is inside an archive is not unpacked: unpack it first", magic->name),
               OUTCOME_FAILED;
    struct source_limits limits = *r->options->limits;
    limits.seen = NULL;
    struct source_options options = *r->options;
    struct source_file file = {.name = r->file->name, .fd = temp_file(e)};
    if (file.fd < 0)
        return OUTCOME_FAILED;
    char path[40];
    snprintf(path, sizeof path, "/proc/self/fd/%d", file.fd);
    file.path = path;
    options.limits = &limits;
    struct source_report report = {0};
    struct reading inner = {.file = &file, .options = &options, .sink = r->sink, .report = &report, .base = r->base, .outer = r->member};
    enum outcome outcome = OUTCOME_FAILED;
    if (spool_rest(file.fd, in, &file.size, e)) {
        limits.unpacked_bytes -= r->nested_bytes < limits.unpacked_bytes ? r->nested_bytes : limits.unpacked_bytes;
        outcome = read_packed(&inner, e);
        r->nested_bytes += report.bytes;
    }
    close(file.fd);
    r->report->bytes += report.bytes;
    for (int i = 0; i < JREPAIR_COUNT; i++)
        r->report->repairs.count[i] += report.repairs.count[i];
    return outcome;
}

/* A file of an archive of files, recognised by itself. */
static enum outcome read_member(struct reading *r, struct split_input in, struct err *e)
{
    struct peeked p = {.in = in};
    if (!peek(&p, e))
        return OUTCOME_FAILED;
    const struct magic *magic = magic_find(slice_of(p.head, p.n));
    const struct split_input all = {read_peeked, &p};
    return magic && magic->packed ? read_nested(r, all, magic, e) : feed_stream(r, all, e);
}

/* Reads one of the files and keeps count. False: the sink wants no more (e). */
static bool read_one(struct unpacking *x, const struct source_file *file, struct slice name, struct split_input in, struct err *e)
{
    struct reading *r = x->r;
    struct arena a = {0};
    struct err why = {0};
    r->member = arena_dup(&a, name);
    r->base = base_name(r->member);
    r->files = x->inside;
    r->self = file;
    enum outcome one = read_member(r, in, &why);
    x->read += one == OUTCOME_READ;
    if (one == OUTCOME_FAILED) {
        x->failed++;
        x->failure = why;
        feed_refuse(r, SLICE_NONE, &why);
    }
    if (one == OUTCOME_SKIPPED && x->skipped.code == ERR_NONE)
        err_set(&x->skipped, ERR_NOT_TRANSCRIPT, "an archive without transcripts; %.*s is %s", SLICE_ARG(name), why.text);
    r->member = SLICE_NONE;
    r->files = NULL;
    arena_free(&a);
    if (one == OUTCOME_STOPPED)
        *e = why;
    return one != OUTCOME_STOPPED;
}

/* What belongs together waits in a temporary file until all of it is there. */
static bool put_aside(struct unpacking *x, struct source_file *file, struct unpack *u, struct err *e)
{
    if (x->spool < 0 && (x->spool = temp_file(e)) < 0)
        return false;
    file->fd = x->spool;
    file->at = x->spooled;
    bool ok = spool_rest(x->spool, (struct split_input){unpack_read, u}, &file->size, e);
    x->spooled += file->size;
    return ok;
}

/* The files that were put aside: first those to which others belong, then those that nobody wanted. */
static bool read_aside(struct unpacking *x, struct err *e)
{
    for (int companions = 0; companions < 2; companions++)
        for (size_t i = 0; i < x->inside->n; i++) {
            const struct source_file *file = &x->inside->items[i];
            struct source_input in;
            if (file->fd < 0 || file->companion != companions || (file->companion && atomic_load(file->taken)))
                continue;
            if (!source_open(file, x->r->options->limits, &in, e) || !read_one(x, file, file->name, (struct split_input){source_input_read, &in}, e))
                return false;
        }
    return true;
}

static enum outcome read_entries(struct unpacking *x, struct unpack *u, struct err *e)
{
    struct slice name;
    bool more;
    for (;;) {
        if (!unpack_next(u, &name, &more, e))
            return OUTCOME_FAILED;
        if (!more)
            return OUTCOME_READ;
        if (unpack_single(u)) {
            enum outcome outcome = feed_stream(x->r, (struct split_input){unpack_read, u}, e);
            x->r->report->format = x->r->format;
            x->read = 1;
            return outcome;
        }
        struct source_file *file = listed(x, name);
        if (hidden(name))
            continue;
        if (file && (file->has_companions || file->companion)) {
            if (!put_aside(x, file, u, e))
                return OUTCOME_FAILED;
        } else if (!read_one(x, NULL, name, (struct split_input){unpack_read, u}, e)) {
            return OUTCOME_STOPPED;
        }
    }
}

/* gzip or zstd around one file, or an archive whose files are read one by one. */
static enum outcome read_files(struct reading *r, struct source_files *inside, struct err *e)
{
    struct unpack *u;
    struct unpacking x = {.r = r, .inside = inside, .spool = -1};
    if (!unpack_open(r->file->path, r->file->size, r->options->limits, &u, e))
        return OUTCOME_FAILED;
    enum outcome outcome = read_entries(&x, u, e);
    unpack_close(u);
    struct err stopped = {0};
    if (outcome != OUTCOME_STOPPED && !read_aside(&x, &stopped)) {
        *e = stopped;
        outcome = OUTCOME_STOPPED;
    }
    if (x.spool >= 0)
        close(x.spool);
    if (outcome != OUTCOME_READ || x.read)
        return outcome;
    if (x.failed)
        return *e = x.failure, OUTCOME_FAILED;
    if (x.skipped.code == ERR_NONE)
        err_set(&x.skipped, ERR_NOT_TRANSCRIPT, "an archive without files");
    *e = x.skipped;
    return OUTCOME_SKIPPED;
}

static enum outcome read_packed(struct reading *r, struct err *e)
{
    struct log log = {0};
    struct err damage = {0};
    struct arena a = {0};
    struct source_files inside = {0};
    bool whole = look_through(r, &a, &inside, &log, &damage);
    enum outcome outcome;
    if (!whole && damage.code == ERR_TOO_LARGE) {
        *e = damage;
        outcome = OUTCOME_FAILED;
    } else if (log.is_log) {
        outcome = read_log(r, &log, e);
        r->report->format = r->format;
    } else {
        companions_mark(&a, &inside);
        outcome = read_files(r, &inside, e);
    }
    for (size_t i = 0; i < LOG_HEADS; i++)
        fmt_discard(log.heads[i].arena);
    arena_free(&a);
    return outcome;
}

/* ---- a file ----------------------------------------------------------------------------------------------------------- */

bool source_open(const struct source_file *file, const struct source_limits *limits, struct source_input *in, struct err *e)
{
    *in = (struct source_input){.fd = file->fd, .at = file->at, .left = file->size, .limits = limits};
    if (!file->path)
        return true;
    in->fd = open(file->path, O_RDONLY | O_CLOEXEC);
    in->opened = true;
    in->left = UINT64_MAX; /* it may have grown since it was listed */
    return in->fd >= 0 || err_errno(e, "cannot open %s", file->path);
}

bool source_input_read(void *ctx, char *into, size_t room, size_t *n, struct err *e)
{
    struct source_input *in = ctx;
    ssize_t got;
    if (!source_goes_on(in->limits, e))
        return false;
    do {
        got = pread(in->fd, into, room < in->left ? room : in->left, (off_t)in->at);
    } while (got < 0 && errno == EINTR);
    *n = got > 0 ? (size_t)got : 0;
    in->at += *n;
    in->left -= *n;
    if (in->limits->seen)
        atomic_fetch_add(in->limits->seen, *n);
    return got >= 0 || err_errno(e, "cannot be read");
}

void source_input_close(struct source_input *in)
{
    if (in->opened && in->fd >= 0)
        close(in->fd);
}

bool source_hash(const struct source_file *file, const struct source_limits *limits, unsigned char out[HASH_SIZE], struct err *e)
{
    enum { PIECE = 1 << 18 };
    struct source_limits quiet = *limits;
    struct source_input in;
    struct hash h;
    size_t n = 1;
    quiet.seen = NULL; /* the bytes are read again */
    if (!source_open(file, &quiet, &in, e))
        return false;
    char *buffer = malloc(PIECE);
    if (!buffer)
        abort();
    hash_start(&h);
    bool ok = true;
    while (ok && n && (ok = source_input_read(&in, buffer, PIECE, &n, e)))
        hash_add(&h, slice_of(buffer, n));
    if (ok)
        hash_end(&h, out);
    free(buffer);
    source_input_close(&in);
    return ok;
}

bool source_read(const struct source_file *file, const struct source_options *options, const struct sink *sink, struct source_report *report,
                 struct err *e)
{
    struct reading r = {.file = file, .options = options, .sink = sink, .report = report, .base = base_name(file->name),
                        .files = options->files, .self = file};
    char head[512];
    enum outcome outcome = OUTCOME_FAILED;
    *report = (struct source_report){0};
    struct source_input in;
    ssize_t n = source_open(file, options->limits, &in, e) ? pread(in.fd, head, sizeof head, (off_t)in.at) : 0;
    if (n < 0) {
        err_errno(e, "cannot open %s", file->path);
    } else if (in.fd >= 0) {
        const struct magic *magic = magic_find(slice_of(head, (size_t)n));
        if (magic && magic->packed) {
            outcome = read_packed(&r, e);
        } else {
            outcome = feed_stream(&r, (struct split_input){source_input_read, &in}, e);
            report->format = r.format;
        }
    }
    source_input_close(&in);
    if (outcome == OUTCOME_FAILED && e->code == ERR_CANCELLED)
        outcome = OUTCOME_STOPPED;
    static const enum source_outcome outcomes[] = {
        [OUTCOME_READ] = SOURCE_READ, [OUTCOME_SKIPPED] = SOURCE_SKIPPED, [OUTCOME_FAILED] = SOURCE_FAILED, [OUTCOME_STOPPED] = SOURCE_FAILED,
    };
    report->outcome = outcomes[outcome];
    return outcome != OUTCOME_STOPPED;
}
