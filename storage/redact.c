#include "storage/redact_in.h"
#include "storage/judgment_write.h"
#include "storage/rows.h"
#include "storage/run_write.h"

#include "transcript/redact.h"

#include <stdio.h>
#include <unistd.h>

/* ---- a run -------------------------------------------------------------------------------------------------------------- */

/* Evidence of findings that stands in the run, and that of each of its judgments, on their way through redaction as if an export carried them. */
struct cited {
    int64_t *spans;        /* keys; of the first finding's evidence */
    int64_t *judgments;    /* keys; of the others', one each */
    struct findings findings;
};

struct rewording {
    int64_t key, imported, task;
    struct run run;
    struct slice collection, hash;   /* hash: of what it says now */
    struct put_name name;
    struct cited cited;
    unsigned char (*blobs)[SHA256_SIZE]; /* of textual attachments, as they were */
    size_t nblobs, blobs_cap;
};

#define TEXTUAL "(media_type LIKE 'text/%' OR media_type LIKE '%json%' OR media_type LIKE '%xml%' OR media_type LIKE '%yaml%')"

/* Those that were put into the run's collection: of what it only names, it has nothing to write. */
static bool load_attachments(struct store *s, struct arena *a, struct rewording *w, struct err *e)
{
    for (size_t t = 0; t < w->run.ntranscripts; t++)
        for (size_t m = 0; m < w->run.transcripts[t].nmessages; m++)
            for (size_t b = 0; b < w->run.transcripts[t].messages[m].nblobs; b++) {
                struct blob *blob = &w->run.transcripts[t].messages[m].blobs[b];
                struct stmt *q = db_prepare(s->db,
                    "SELECT b.bytes FROM blob b JOIN blob_collection c ON c.blob = b.n WHERE b.sha256 = $1 AND " TEXTUAL
                    " AND c.collection = (SELECT collection FROM run WHERE n = $2)", e);
                bind_blob(q, slice_of((const char *)blob->sha256, SHA256_SIZE));
                bind_int(q, w->key);
                enum step step;
                while ((step = stmt_step(q, e)) == STEP_ROW) {
                    blob->bytes = take_text(q, a);
                    w->blobs = arena_grow(a, w->blobs, w->nblobs, &w->blobs_cap, sizeof *w->blobs);
                    memcpy(w->blobs[w->nblobs++], blob->sha256, SHA256_SIZE);
                }
                if (step != STEP_DONE)
                    return false;
            }
    return true;
}

/* Those of the source: what was given here is not the run's. */
static bool load_tags(struct store *s, struct arena *a, struct rewording *w, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT tag FROM run_tag WHERE run = $1 AND NOT by_hand ORDER BY position, tag", e);
    bind_int(q, w->key);
    enum step step;
    size_t cap = 0;
    w->run.tags = NULL;
    w->run.ntags = 0;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        w->run.tags = arena_grow(a, w->run.tags, w->run.ntags, &cap, sizeof *w->run.tags);
        w->run.tags[w->run.ntags++] = take_text(q, a);
    }
    return step == STEP_DONE;
}

static bool load_spans(struct store *s, struct arena *a, struct rewording *w, struct err *e)
{
    struct stmt *q = db_prepare(s->db,
        "SELECT s.id, s.transcript, s.message, s.part, s.start, s.stop, s.quote FROM finding f JOIN span s ON s.id BETWEEN f.n << 26 AND f.n << 26 | 67108863"
        " WHERE f.run = $1 AND s.run IS NULL UNION ALL"
        " SELECT id, transcript, message, part, start, stop, quote FROM span WHERE run = $1 ORDER BY 2, 3", e);
    bind_int(q, w->key);
    struct finding *f = findings_add(a, &w->cited.findings);
    size_t keys_cap = 0, cap = 0;
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        w->cited.spans = arena_grow(a, w->cited.spans, f->nevidence, &keys_cap, sizeof *w->cited.spans);
        f->evidence = arena_grow(a, f->evidence, f->nevidence, &cap, sizeof *f->evidence);
        w->cited.spans[f->nevidence] = take_int(q);
        f->evidence[f->nevidence++] = (struct evidence){.transcript = (int32_t)take_count(q), .message = (int32_t)take_count(q), .part = take_text(q, a),
                                                        .start = (uint32_t)take_int(q), .end = (uint32_t)take_int(q), .quote = take_text(q, a)};
    }
    return step == STEP_DONE;
}

static bool load_judgments(struct store *s, struct arena *a, struct rewording *w, struct err *e)
{
    struct stmt *q = db_prepare(s->db,
        "SELECT j.n, d.evidence FROM judgment j JOIN judgment_detail d ON d.judgment = j.n WHERE j.run = $1 AND d.evidence IS NOT NULL", e);
    bind_int(q, w->key);
    size_t n = 0, cap = 0;
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        struct finding *f = findings_add(a, &w->cited.findings);
        w->cited.judgments = arena_grow(a, w->cited.judgments, n, &cap, sizeof *w->cited.judgments);
        w->cited.judgments[n++] = take_int(q);
        if (!evidence_read(a, take_text(q, a), &f->evidence, &f->nevidence, e))
            return false;
    }
    return step == STEP_DONE;
}

/* All that is reworded with a run. *there false: it was deleted. */
static bool load(struct store *s, int64_t key, struct arena *a, struct rewording *w, bool *there, struct err *e)
{
    *w = (struct rewording){.key = key};
    struct stmt *q = db_prepare(s->db, "SELECT r.id, c.id, r.content_hash, r.imported, r.place, coalesce(r.task, 0), d.path FROM run r"
                                       " JOIN collection c ON c.n = r.collection JOIN run_detail d ON d.run = r.n WHERE r.n = $1", e);
    bind_int(q, key);
    enum step step = stmt_step(q, e);
    *there = step == STEP_ROW;
    if (!*there)
        return step == STEP_DONE;
    struct slice id = take_text(q, a);
    w->collection = take_text(q, a);
    w->hash = take_text(q, a);
    w->imported = take_int(q);
    w->name.place = take_int(q);
    w->task = take_int(q);
    w->name.path = take_text(q, a);
    stmt_reset(q);
    if (!store_run_load(s, id, a, &w->run, e) || !load_tags(s, a, w, e) || !load_attachments(s, a, w, e) || !load_spans(s, a, w, e) ||
        !load_judgments(s, a, w, e))
        return false;
    w->run.nlabels = 0; /* redact_values has them */
    w->run.carried = &w->cited.findings;
    return true;
}

static bool reword(struct redaction *r, struct rewording *w, bool *changed, struct err *e)
{
    uint64_t before = r->replaced;
    bool ok = run_redact(r, &w->run, e) && redact_text(r, &w->name.path, e);
    *changed = r->replaced != before;
    w->run.carried = NULL;
    return ok;
}

static bool write_spans(struct store *s, const struct rewording *w, struct err *e)
{
    const struct finding *f = &w->cited.findings.items[0];
    for (size_t i = 0; i < f->nevidence; i++) {
        const struct evidence *ev = &f->evidence[i];
        struct stmt *q = db_prepare(s->db, "UPDATE span SET part = $1, start = $2, stop = $3, quote = $4 WHERE id = $5 AND"
                                           " (part <> $1 OR start <> $2 OR stop <> $3 OR quote IS NOT $4)", e);
        bind_text(q, not_null(ev->part));
        bind_int(q, ev->start);
        bind_int(q, ev->end);
        bind_text(q, ev->quote);
        bind_int(q, w->cited.spans[i]);
        if (!stmt_run(q, e))
            return false;
    }
    return true;
}

/* A judgment of the text that stood here is one of the text that stands here now. */
static bool write_judgments(struct store *s, struct arena *a, const struct rewording *w, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "UPDATE judgment SET content_hash = $1 WHERE run = $2 AND content_hash = $3", e);
    bind_blob(q, slice_of((const char *)w->name.content_hash, HASH_SIZE));
    bind_int(q, w->key);
    bind_blob(q, w->hash);
    bool ok = stmt_run(q, e);
    for (size_t i = 1; i < w->cited.findings.n && ok; i++) {
        const struct finding *f = &w->cited.findings.items[i];
        q = db_prepare(s->db, "UPDATE judgment_detail SET evidence = $1 WHERE judgment = $2", e);
        bind_text(q, evidence_write(a, f->evidence, f->nevidence));
        bind_int(q, w->cited.judgments[i - 1]);
        ok = stmt_run(q, e);
    }
    return ok;
}

/* The bytes of attachments that say something else now go with the last run that has them; one that only names them keeps none. */
static bool drop_attachments(struct store *s, const struct rewording *w, struct err *e)
{
    for (size_t i = 0; i < w->nblobs; i++) {
        struct stmt *q = db_prepare(s->db, "DELETE FROM blob AS b WHERE sha256 = $1 AND NOT EXISTS (SELECT 1 FROM message_blob m JOIN run r ON r.n = m.id >> 26"
                                           " JOIN blob_collection c ON c.blob = b.n AND c.collection = r.collection WHERE m.sha256 = $1)", e);
        bind_blob(q, slice_of((const char *)w->blobs[i], SHA256_SIZE));
        if (!stmt_run(q, e))
            return false;
    }
    return true;
}

/* So that what was found and labelled of the task stays its own. */
static bool rename_task(struct store *s, const struct rewording *w, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "UPDATE OR IGNORE task SET task_id = $1 WHERE n = $2 AND task_id <> $1", e);
    bind_text(q, not_null(w->run.task_id));
    bind_int(q, w->task);
    return stmt_run(q, e);
}

static bool look(struct redacting *x, int64_t key, struct redaction *r, bool *changed, struct err *e)
{
    struct rewording w;
    bool there;
    *changed = false;
    return load(x->store, key, &x->arena, &w, &there, e) && (!there || reword(r, &w, changed, e));
}

/* Whoever runs now may have read what the run said. */
static bool mark_jobs(struct store *s, struct err *e)
{
    return stmt_run(db_prepare(s->db, "UPDATE job SET redacted = 1 WHERE state = 1 AND redacted = 0", e), e);
}

/* Loaded and redacted again under the lock: nobody adds a message or a review in between. */
static bool change(struct redacting *x, struct put **put, int64_t key, bool *changed, struct err *e)
{
    struct store *s = x->store;
    struct rewording w;
    bool there;
    *changed = false;
    if (!load(s, key, &x->arena, &w, &there, e) || (there && !reword(&x->done, &w, changed, e)))
        return false;
    if (!*changed)
        return true;
    run_content_hash(&w.run, w.name.content_hash);
    if (!*put)
        *put = store_put_new(s, &(struct put_target){.collection = w.collection});
    return rename_task(s, &w, e) && run_reword(*put, key, w.imported, &w.name, &w.run, e) && write_spans(s, &w, e) &&
           write_judgments(s, &x->arena, &w, e) && drop_attachments(s, &w, e) && mark_jobs(s, e);
}

static bool redact_run(struct redacting *x, struct put **put, int64_t key, struct err *e)
{
    struct store *s = x->store;
    bool changed = false;
    arena_reset(&x->arena);
    struct redaction *first = x->wish->dry_run ? &x->done : &x->look;
    bool ok = db_read(s->db, e) && db_end(s->db, look(x, key, first, &changed, e), e);
    if (ok && changed && !x->wish->dry_run) {
        arena_reset(&x->arena);
        ok = db_write(s->db, e) && db_end(s->db, change(x, put, key, &changed, e), e);
        if (!ok)
            blocks_forget(s->blocks);
    }
    x->out->runs++;
    x->out->runs_changed += ok && changed;
    return ok;
}

static struct slice run_called(struct store *s, int64_t key, struct arena *a)
{
    struct stmt *q = db_prepare(s->db, "SELECT id FROM run WHERE n = $1", NULL);
    struct slice name = SLICE_NONE;
    bind_int(q, key);
    while (stmt_step(q, NULL) == STEP_ROW) {
        struct slice id = take_bytes(q);
        name = arena_printf(a, "run %.*s", SLICE_ARG(id));
    }
    return name;
}

bool redact_refused(const struct redacting *x, struct slice what, const struct err *why, struct err *e)
{
    if (why->code != ERR_LIMIT)
        return err_set(e, why->code, "%s", why->text);
    x->out->refused++;
    if (x->wish->refused)
        x->wish->refused(x->wish->ctx, what, why);
    return true;
}

static bool list_keys(struct store *s, const char *sql, int64_t parameter, struct arena *a, int64_t **out, size_t *n, struct err *e)
{
    struct stmt *q = db_prepare(s->db, sql, e);
    bind_int(q, parameter);
    size_t cap = 0;
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        *out = arena_grow(a, *out, *n, &cap, sizeof **out);
        (*out)[(*n)++] = take_int(q);
    }
    return step == STEP_DONE;
}

static bool redact_runs(struct redacting *x, int64_t collection, uint64_t of, struct err *e)
{
    struct store *s = x->store;
    struct arena a = {0};
    struct put *put = NULL;
    int64_t *keys = NULL;
    size_t n = 0;
    bool ok = db_read(s->db, e) && db_end(s->db, list_keys(s, "SELECT n FROM run WHERE collection = $1 ORDER BY n", collection, &a, &keys, &n, e), e);
    for (size_t i = 0; i < n && ok; i++) {
        struct err why = {0};
        if (!(ok = !redact_stopped(x, e)))
            break;
        if (!redact_run(x, &put, keys[i], &why))
            ok = redact_refused(x, run_called(s, keys[i], &x->arena), &why, e);
        if (x->wish->progress)
            x->wish->progress(x->wish->ctx, x->out->runs, of);
    }
    store_put_free(put);
    arena_free(&a);
    return ok;
}

/* ---- uploads ------------------------------------------------------------------------------------------------------------ */

/* The bytes of a failed one wait for another try; nobody knows what is in them. What was under way when we began may have put runs in behind us. */
static bool give_up_uploads(struct redacting *x, struct arena *a, struct slices *ids, struct err *e)
{
    struct store *s = x->store;
    struct stmt *q = db_prepare(s->db, "SELECT state, id FROM job WHERE kind = 'import' AND ($1 IS NULL OR collection = $1)"
                                       " AND (state IN (0, 1, 3) OR (created_at < $2 AND ended_at >= $2))", e);
    bind_text(q, x->wish->collection);
    bind_text(q, slice_str(x->began));
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        if (take_int(q) != JOB_FAILED) {
            x->out->waiting++;
            continue;
        }
        ids->items = arena_grow(a, ids->items, ids->n, &ids->cap, sizeof *ids->items);
        ids->items[ids->n++] = take_text(q, a);
    }
    return step == STEP_DONE;
}

static bool redact_uploads(struct redacting *x, struct err *e)
{
    struct store *s = x->store;
    struct arena a = {0};
    struct slices ids = {0};
    const char *dir = store_spool_dir(s, e);
    bool ok = dir && db_read(s->db, e) && db_end(s->db, give_up_uploads(x, &a, &ids, e), e);
    for (size_t i = 0; i < ids.n && ok; i++) {
        struct slice path = arena_printf(&a, "%s/%.*s", dir, SLICE_ARG(ids.items[i]));
        struct err why = {0};
        if (access(path.ptr, F_OK) != 0)
            continue;
        x->out->uploads++;
        if (x->wish->dry_run)
            continue;
        if (store_job_cancel(s, ids.items[i], &why))
            unlink(path.ptr);
        else
            ok = why.code == ERR_CONFLICT || err_set(e, why.code, "%s", why.text); /* somebody tries it again */
    }
    arena_free(&a);
    return ok;
}

/* ---- all of it ---------------------------------------------------------------------------------------------------------- */

static bool list_collections(struct redacting *x, struct arena *a, int64_t **keys, size_t *n, uint64_t *of, struct err *e)
{
    struct stmt *q = db_prepare(x->store->db, "SELECT n, runs FROM collection WHERE $1 IS NULL OR id = $1 ORDER BY n", e);
    bind_text(q, x->wish->collection);
    size_t cap = 0;
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        *keys = arena_grow(a, *keys, *n, &cap, sizeof **keys);
        (*keys)[(*n)++] = take_int(q);
        *of += (uint64_t)take_int(q);
    }
    return step == STEP_DONE;
}

static bool redact_all(struct redacting *x, struct arena *a, struct err *e)
{
    struct store *s = x->store;
    int64_t *collections = NULL;
    size_t n = 0;
    uint64_t of = 0;
    bool ok = db_read(s->db, e) && db_end(s->db, list_collections(x, a, &collections, &n, &of, e), e);
    for (size_t i = 0; i < n && ok; i++)
        ok = redact_pieces(x, collections[i], e) && redact_runs(x, collections[i], of, e) && redact_values(x, collections[i], e);
    return ok && redact_values(x, 0, e) && redact_uploads(x, e) && (x->wish->dry_run || redact_blocks(x, e));
}

uint64_t redacted_of_kind(const struct secrets *secrets, const struct redacted *done, size_t form)
{
    uint64_t n = 0;
    for (size_t i = 0; i < secrets_count(secrets); i++)
        if (slice_eq(secrets_kind(secrets, i), secrets_kind(secrets, form))) {
            if (i < form)
                return 0;
            n += done->kinds[i];
        }
    return n;
}

void redacted_kinds(struct jsonw *j, const struct secrets *secrets, const struct redacted *done)
{
    jsonw_key(j, "kinds");
    jsonw_object(j);
    for (size_t i = 0; i < secrets_count(secrets); i++)
        if (redacted_of_kind(secrets, done, i)) {
            jsonw_key_slice(j, secrets_kind(secrets, i));
            jsonw_int(j, (int64_t)redacted_of_kind(secrets, done, i));
        }
    jsonw_end(j);
}

/* The log of changes has counts, and nothing of what was found. */
static bool log_outcome(const struct redacting *x, struct arena *a, struct err *e)
{
    struct store *s = x->store;
    struct str text = STR_INIT(64 << 10);
    struct jsonw j = jsonw_to(&text);
    jsonw_object(&j);
    jsonw_kint(&j, "runs", (int64_t)x->out->runs);
    jsonw_kint(&j, "changed", (int64_t)x->out->runs_changed);
    jsonw_kint(&j, "secrets", (int64_t)x->out->secrets);
    jsonw_kint(&j, "refused", (int64_t)x->out->refused);
    redacted_kinds(&j, x->wish->secrets, x->out);
    jsonw_end(&j);
    struct slice detail = arena_dup(a, str_slice(&text));
    str_free(&text);
    return db_write(s->db, e) && db_end(s->db, store_log_outcome(s, detail, e), e);
}

bool store_redact(struct store *s, const struct redact_wish *wish, struct arena *a, struct redacted *out, struct err *e)
{
    struct regex_scratch *scratch = regex_scratch_new();
    *out = (struct redacted){.kinds = arena_array(a, uint64_t, secrets_count(wish->secrets))};
    struct redacting x = {.store = s, .wish = wish, .out = out};
    x.look = x.done = (struct redaction){.secrets = wish->secrets, .scratch = scratch, .arena = &x.arena};
    x.done.kinds = out->kinds;
    clock_text(clock_now_us(), x.began);
    bool ok = redact_all(&x, a, e);
    out->secrets = x.done.replaced;
    struct err why = {0};
    if (!wish->dry_run && !log_outcome(&x, a, ok ? e : &why))
        ok = false;
    arena_free(&x.arena);
    regex_scratch_free(scratch);
    return ok;
}

bool store_rewrite(struct store *s, struct err *e)
{
    blocks_forget(s->blocks);
    return db_rewrite(s->db, e);
}
