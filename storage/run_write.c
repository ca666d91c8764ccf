#include "storage/run_write.h"

#include "storage/digest.h"
#include "storage/exception_match.h"
#include "storage/judgment_write.h"
#include "storage/labels.h"
#include "storage/look.h"
#include "storage/uses.h"

/* What a run's rows are written with. */
struct writer {
    struct store *store;
    struct pack *pack;
    int64_t run, task;
    struct uses uses;
};

/* The number of a text that waited, which the run uses from now on. */
static int64_t text_of(struct writer *w, int64_t waiting)
{
    int64_t text = pack_text(w->pack, waiting);
    uses_add(&w->uses, &(struct text_use){.text = text, .message = -1});
    return text;
}

/* The same for what a message says: `use` tells which and how. */
static int64_t said(struct writer *w, int64_t waiting, struct text_use use)
{
    use.text = pack_text(w->pack, waiting);
    uses_add(&w->uses, &use);
    return use.text;
}

/* ---- rows ------------------------------------------------------------------------------------------------------------ */

static bool write_scores(struct writer *w, const struct prepared *p, struct err *e)
{
    for (size_t i = 0; i < p->nscores; i++) {
        const struct slim_score *score = &p->scores[i];
        struct stmt *q = db_prepare(w->store->db,
            "INSERT INTO score (id, name, value, answer, target, explanation, metadata) VALUES ($1, $2, $3, $4, $5, $6, $7)", e);
        bind_int(q, child_id(w->run, (int64_t)i));
        bind_text(q, score->name);
        bind_text(q, score->value);
        bind_count(q, text_of(w, score->answer));
        bind_count(q, text_of(w, score->target));
        bind_count(q, text_of(w, score->explanation));
        bind_count(q, text_of(w, score->metadata));
        if (!stmt_run(q, e))
            return false;
    }
    return true;
}

static bool write_transcripts(struct writer *w, const struct prepared *p, struct err *e)
{
    for (size_t i = 0; i < p->ntranscripts; i++) {
        const struct slim_transcript *t = &p->transcripts[i];
        struct stmt *q = db_prepare(w->store->db,
            "INSERT INTO transcript (id, first, messages, source_id, parent, name, metadata) VALUES ($1, $2, $3, $4, $5, $6, $7)", e);
        bind_int(q, child_id(w->run, (int64_t)i));
        bind_int(q, t->first);
        bind_int(q, t->messages);
        bind_text(q, t->id);
        bind_text(q, t->parent);
        bind_text(q, t->name);
        bind_count(q, text_of(w, t->metadata));
        if (!stmt_run(q, e))
            return false;
    }
    return true;
}

static bool write_messages(struct writer *w, const struct prepared *p, struct err *e)
{
    for (size_t i = 0; i < p->nmessages; i++) {
        const struct slim_message *m = &p->messages[i];
        int64_t place = (int64_t)i;
        struct stmt *q = db_prepare(w->store->db,
            "INSERT INTO message (id, transcript, role, calls, first_call, bytes, text, reasoning, error, metadata, duration_ms, tokens_in,"
            " tokens_out, model, timestamp, finish_reason, tool_call_id, tool_name)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)", e);
        bind_int(q, child_id(w->run, place));
        bind_int(q, m->transcript);
        bind_int(q, m->role);
        bind_int(q, m->calls);
        bind_int(q, m->first_call);
        bind_int(q, m->bytes);
        bind_count(q, said(w, m->text, (struct text_use){.message = place, .part = TEXT_TEXT, .role = m->role}));
        bind_count(q, said(w, m->reasoning, (struct text_use){.message = place, .part = TEXT_REASONING, .role = m->role}));
        bind_count(q, said(w, m->error, (struct text_use){.message = place, .part = TEXT_ERROR, .role = m->role}));
        bind_count(q, text_of(w, m->metadata));
        bind_count(q, m->duration_ms);
        bind_count(q, m->tokens_in);
        bind_count(q, m->tokens_out);
        bind_text(q, m->model);
        bind_text(q, m->timestamp);
        bind_text(q, m->finish_reason);
        bind_text(q, m->tool_call_id);
        bind_text(q, m->tool_name);
        if (!stmt_run(q, e))
            return false;
    }
    return true;
}

static bool write_calls(struct writer *w, const struct prepared *p, struct err *e)
{
    for (size_t i = 0; i < p->ncalls; i++) {
        const struct slim_call *c = &p->calls[i];
        struct stmt *q = db_prepare(w->store->db,
            "INSERT INTO tool_call (id, message, position, arguments, metadata, name, call_id, parse_error)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)", e);
        bind_int(q, child_id(w->run, (int64_t)i));
        bind_int(q, c->message);
        bind_int(q, c->position);
        bind_count(q, said(w, c->arguments, (struct text_use){.message = c->message, .part = TEXT_ARGUMENTS, .call = (int)c->position,
                                                              .role = p->messages[c->message].role}));
        bind_count(q, text_of(w, c->metadata));
        bind_text(q, c->name);
        bind_text(q, c->call_id);
        bind_text(q, c->parse_error);
        if (!stmt_run(q, e))
            return false;
    }
    return true;
}

static bool write_blobs(struct writer *w, const struct prepared *p, int64_t collection, struct err *e)
{
    static const unsigned char none[SHA256_SIZE];
    for (size_t i = 0; i < p->nblobs; i++) {
        const struct blob *blob = &p->blobs[i].blob;
        bool stored = memcmp(blob->sha256, none, SHA256_SIZE) != 0;
        struct slice sha256 = stored ? slice_of((const char *)blob->sha256, SHA256_SIZE) : SLICE_NONE;
        struct stmt *q = db_prepare(w->store->db,
            "INSERT INTO message_blob (id, message, sha256, media_type, url, size) VALUES ($1, $2, $3, $4, $5, $6)", e);
        bind_int(q, child_id(w->run, (int64_t)i));
        bind_int(q, p->blobs[i].message);
        bind_blob(q, sha256);
        bind_text(q, blob->media_type);
        bind_text(q, blob->url);
        bind_int(q, (int64_t)blob->size);
        if (!stmt_run(q, e))
            return false;
        if (stored && blob->bytes.ptr && !blob_write(w->store, collection, blob->sha256, blob->media_type, blob->bytes, e))
            return false;
    }
    return true;
}

static bool write_tags(struct writer *w, const struct run *run, struct err *e)
{
    for (size_t i = 0; i < run->ntags; i++) {
        if (!run->tags[i].len)
            continue;
        struct stmt *q = db_prepare(w->store->db,
            "INSERT INTO run_tag (run, tag, position, by_hand) VALUES ($1, $2, $3, 0) ON CONFLICT DO NOTHING", e);
        bind_int(q, w->run);
        bind_text(q, run->tags[i]);
        bind_int(q, (int64_t)i);
        if (!stmt_run(q, e))
            return false;
    }
    return true;
}

static bool write_detail(struct writer *w, const struct prepared *p, struct err *e)
{
    struct stmt *q = db_prepare(w->store->db,
        "INSERT INTO run_detail (run, path, file, location, gist, error, metadata) VALUES ($1, $2, $3, $4, $5, $6, $7)", e);
    bind_int(q, w->run);
    bind_text(q, not_null(p->name.path));
    bind_text(q, p->run.source.file);
    bind_text(q, p->run.source.location);
    bind_text(q, p->gist);
    bind_text(q, p->run.error);
    bind_text(q, p->run.metadata);
    return stmt_run(q, e);
}

/* The columns of table run that come from the source, in the order of both statements below. */
static void bind_run(struct stmt *q, const struct writer *w, const struct prepared *p, const struct place *place)
{
    const struct run *run = &p->run;
    bind_count(q, w->task ? w->task : -1);
    bind_count(q, run->success == VERDICT_UNKNOWN ? -1 : (int64_t)run->success);
    bind_int(q, place->imported);
    bind_int(q, p->name.place);
    bind_int(q, (int64_t)p->nmessages);
    bind_int(q, (int64_t)p->ncalls);
    bind_count(q, run->attempt);
    bind_count(q, run->tokens_in);
    bind_count(q, run->tokens_out);
    bind_real(q, run->cost_usd);
    bind_text(q, run->model);
    bind_text(q, run->agent);
    bind_text(q, run->exit_status);
    bind_text(q, run->limit);
    bind_text(q, run->source.format);
    bind_text(q, run->external_id);
    bind_text(q, run->name);
    bind_text(q, run->started_at);
    bind_text(q, run->ended_at);
    bind_blob(q, slice_of((const char *)p->name.content_hash, HASH_SIZE));
    bind_int(q, p->bytes);
}

/* A new run, with its findings and all counters. */
static bool add_run(struct writer *w, const struct prepared *p, const struct place *place, struct err *e)
{
    struct run_counts counts = {place->collection, w->task, p->run.model, p->run.success, {0}, p->bytes};
    const struct except_about about = {p->run.task_id, p->run.model, p->run.agent};
    for (size_t i = 0; i < p->findings.n; i++)
        if (!exceptions_apply(w->store, place->collection, &about, &p->findings.items[i], e))
            return false;
    for (size_t i = 0; i < p->findings.n; i++)
        counts.kinds[p->findings.items[i].kind] += p->findings.items[i].status != STATUS_DISMISSED;
    struct stmt *q = db_prepare(w->store->db,
        "INSERT INTO run (task, success, imported, place, messages, calls, attempt, tokens_in, tokens_out, cost_usd, model, agent, exit_status,"
        " stopped_by, format, external_id, name, started_at, ended_at, content_hash, bytes, collection, id, broken, odd, near, harness, data)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26,"
        " $27, $28)", e);
    bind_run(q, w, p, place);
    bind_int(q, place->collection);
    bind_text(q, place->id);
    for (int i = 0; i < KIND_COUNT; i++)
        bind_int(q, counts.kinds[i]);
    if (!stmt_run(q, e))
        return false;
    w->run = db_last_id(w->store->db);
    const struct subject subject = {place->collection, w->run, w->task};
    return counts_run(w->store, &counts, +1, e) && findings_insert(w->store, &subject, p->findings.items, p->findings.n, e);
}

static bool update_run(struct writer *w, const struct prepared *p, const struct place *place, struct err *e)
{
    struct stmt *q = db_prepare(w->store->db,
        "UPDATE run SET task = $1, success = $2, imported = $3, place = $4, messages = $5, calls = $6, attempt = $7, tokens_in = $8,"
        " tokens_out = $9, cost_usd = $10, model = $11, agent = $12, exit_status = $13, stopped_by = $14, format = $15, external_id = $16,"
        " name = $17, started_at = $18, ended_at = $19, content_hash = $20, bytes = $21 WHERE n = $22", e);
    bind_run(q, w, p, place);
    bind_int(q, place->run);
    return stmt_run(q, e);
}

static bool run_statement(struct store *s, const char *sql, int64_t parameter, struct err *e)
{
    struct stmt *q = db_prepare(s->db, sql, e);
    bind_int(q, parameter);
    return stmt_run(q, e);
}

/* The bytes of images that no other run has; one of a collection into which they were never put only names them. */
static bool drop_blobs(struct store *s, int64_t run, struct err *e)
{
    return run_statement(s, "DELETE FROM blob WHERE sha256 IN (SELECT sha256 FROM message_blob WHERE id BETWEEN $1 << 26 AND $1 << 26 | 67108863)"
                            " AND NOT EXISTS (SELECT 1 FROM message_blob m JOIN run r ON r.n = m.id >> 26 JOIN blob_collection c ON c.blob = blob.n"
                            " AND c.collection = r.collection WHERE m.sha256 = blob.sha256 AND m.id >> 26 <> $1)", run, e);
}

static bool run_all(struct store *s, const char *const *statements, int64_t run, struct err *e)
{
    for (; *statements; statements++)
        if (!run_statement(s, *statements, run, e))
            return false;
    return true;
}

/* All that a run's source said, but for table run itself. Where the run only grows, what is not written anew stays. */
static bool erase(struct store *s, int64_t run, bool grows, struct err *e)
{
    static const char *const said[] = {
        "DELETE FROM message WHERE id BETWEEN $1 << 26 AND $1 << 26 | 67108863",
        "DELETE FROM tool_call WHERE id BETWEEN $1 << 26 AND $1 << 26 | 67108863",
        "DELETE FROM score WHERE id BETWEEN $1 << 26 AND $1 << 26 | 67108863",
        "DELETE FROM transcript WHERE id BETWEEN $1 << 26 AND $1 << 26 | 67108863",
        "DELETE FROM run_tag WHERE run = $1 AND by_hand = 0",
        NULL,
    };
    static const char *const source[] = {
        "DELETE FROM file WHERE (collection, path) = (SELECT r.collection, d.path FROM run r JOIN run_detail d ON d.run = r.n WHERE r.n = $1)",
        "DELETE FROM append WHERE run = $1",
        NULL,
    };
    return run_all(s, said, run, e) && (grows || (run_all(s, source, run, e) && drop_blobs(s, run, e))) &&
           run_statement(s, "DELETE FROM message_blob WHERE id BETWEEN $1 << 26 AND $1 << 26 | 67108863", run, e) &&
           run_statement(s, "DELETE FROM run_detail WHERE run = $1", run, e) && blocks_release(s, run, e);
}

/* Takes the old rows away, sets table run anew and makes the findings again. */
static bool replace_run(struct writer *w, const struct prepared *p, const struct place *place, struct err *e)
{
    struct store *s = w->store;
    struct arena a = {0};
    struct run_counts old, now;
    w->run = place->run;
    bool ok = counts_load(s, w->run, &a, &old, e) && erase(s, w->run, place->grows, e) && update_run(w, p, place, e);
    now = (struct run_counts){place->collection, w->task, p->run.model, p->run.success, {0}, p->bytes};
    memcpy(now.kinds, old.kinds, sizeof now.kinds);
    ok = ok && counts_run(s, &old, -1, e) && counts_run(s, &now, +1, e);
    arena_free(&a);
    if (!ok)
        return false;
    struct stmt *q = db_prepare(s->db, "UPDATE finding SET task = $1 WHERE run = $2 AND task IS NOT $1", e);
    bind_count(q, w->task ? w->task : -1);
    bind_int(q, w->run);
    if (place->reworded)
        return stmt_run(q, e) && counts_drop_task(s, place->collection, old.task, e);
    const struct subject subject = {place->collection, w->run, w->task};
    const struct findings_change change = {.now = p->findings.items, .n = p->findings.n};
    bool changed = false;
    return stmt_run(q, e) && counts_drop_task(s, place->collection, old.task, e) && findings_change(s, &subject, &change, &changed, e) &&
           findings_of_judges_add(s, &subject, &p->findings, e);
}

static bool write_incomplete(struct writer *w, const struct prepared *p, const struct place *place, struct err *e)
{
    bool changed = false;
    return place->reworded || (place->outcome == PUT_NEW && !p->nincomplete) ||
           incomplete_change(w->store, w->run, p->incomplete, p->nincomplete, NULL, 0, false, &changed, e);
}

bool run_write(struct store *s, struct pack *pack, const struct prepared *p, const struct place *place, struct err *e)
{
    struct writer w = {.store = s, .pack = pack};
    bool labelled, judged;
    bool ok = task_find_or_add(s, place->collection, p->run.task_id, &w.task, e) &&
              (place->outcome == PUT_UPDATED ? replace_run(&w, p, place, e) : add_run(&w, p, place, e)) &&
              write_detail(&w, p, e) && write_tags(&w, &p->run, e) && write_scores(&w, p, e) && write_transcripts(&w, p, e) &&
              write_messages(&w, p, e) && write_calls(&w, p, e) && write_blobs(&w, p, place->collection, e) &&
              digest_write(s, place->collection, w.run, &p->digest, e) && uses_write(s, &w.uses, w.run, e) &&
              write_incomplete(&w, p, place, e) &&
              judgments_carry(s, w.run, place->collection, &p->judgments, true, &judged, e) && (place->grows || labels_change(s, w.run, &p->run, true, true, &labelled, e));
    uses_free(&w.uses);
    return ok;
}

/* Else a late span would bring back what was deleted. The scores that came for it another way go too. */
static const char drop_pieces[] =
    "DELETE FROM piece_group WHERE n IN (SELECT g.n FROM run r JOIN run_detail d ON d.run = r.n JOIN piece_group g ON g.collection = r.collection"
    " AND g.path IN (d.path, replace(d.path, 'otlp:', 'langfuse:')) WHERE r.n = $1)";

bool run_remove(struct store *s, int64_t run, struct err *e)
{
    struct arena a = {0};
    struct run_counts counts;
    bool ok = counts_load(s, run, &a, &counts, e) && counts_run(s, &counts, -1, e) && run_statement(s, drop_pieces, run, e) && findings_drop(s, &(struct subject){.run = run}, e) &&
              findings_forget_run(s, run, e) && erase(s, run, false, e) && run_statement(s, "DELETE FROM run WHERE n = $1", run, e) &&
              counts_drop_task(s, counts.collection, counts.task, e) && look_changed(s, counts.collection, e);
    arena_free(&a);
    return ok;
}
