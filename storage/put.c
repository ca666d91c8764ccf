#include "storage/append.h"
#include "storage/judgment_write.h"
#include "storage/labels.h"
#include "storage/look.h"
#include "storage/pieces.h"
#include "storage/run_write.h"

#include "base/clock.h"
#include "base/hash.h"

#include <stdlib.h>

enum { GIST_BYTES = 200, KEPT_BYTES = 1 << 20 };
#define IMAGE_MOST UINT64_C(4294967295) /* bytes that an image counts for */

struct put {
    struct store *store;
    struct put_target target;   /* .collection is not kept: ids of collections change */
    int64_t collection;         /* key; 0: there is none, see `error` */
    struct err error;
    int64_t imported;           /* one time for all, so that a file's runs stay in order in the list */
    struct pack *pack;
    struct arena arena;         /* of what is prepared */
    size_t kept;                /* arena.total when nothing is */
    struct prepared *runs;
    size_t nruns, runs_cap;
    size_t *over, nover;        /* of them, in the transaction: those that the quota has no room for */
    struct quota quota;
    struct file_row *files;
    size_t nfiles, files_cap;
    struct append *append;
};

struct put *store_put_new(struct store *s, const struct put_target *target)
{
    struct put *p = calloc(1, sizeof *p);
    if (!p)
        abort();
    p->store = s;
    p->target.replace = target->replace;
    p->target.over = target->over;
    p->target.ctx = target->ctx;
    p->target.made_of = target->made_of;
    p->imported = target->imported ? target->imported : clock_now_us();
    p->pack = pack_new(s);
    collection_find(s, target->collection, &p->collection, &p->error);
    return p;
}

void store_put_free(struct put *p)
{
    if (!p)
        return;
    pack_free(p->pack);
    arena_free(&p->arena);
    free(p);
}

static void reset(struct put *p)
{
    pack_reset(p->pack);
    arena_reset(&p->arena);
    if (p->arena.total > KEPT_BYTES)
        arena_free(&p->arena);
    p->kept = p->arena.total;
    p->runs = NULL;
    p->over = NULL;
    p->nover = 0;
    p->files = NULL;
    p->nruns = p->runs_cap = p->nfiles = p->files_cap = 0;
}

size_t store_put_bytes(const struct put *p) { return p->arena.total - p->kept + pack_bytes(p->pack); }

/* ---- which run is which ---------------------------------------------------------------------------------------------- */

static void make_id(const char *kind, const struct slice *parts, size_t n, int64_t ordinal, char id[UUID_TEXT + 1])
{
    struct hash h;
    unsigned char bytes[HASH_SIZE];
    hash_start(&h);
    hash_add_framed(&h, slice_str(kind));
    for (size_t i = 0; i < n; i++)
        hash_add_framed(&h, parts[i]);
    hash_add(&h, slice_of((const char *)&ordinal, sizeof ordinal));
    hash_end(&h, bytes);
    uuid_from(bytes, id);
}

struct identity {
    char id[UUID_TEXT + 1];
    enum put_outcome outcome;
    int64_t run;             /* of PUT_UPDATED and PUT_DUPLICATE */
    bool own_file;           /* of PUT_DUPLICATE: this is the run's own file, whose labels replace those that it had */
};

/* A run that bears an id. */
struct bearer {
    int64_t run, collection;  /* 0: nobody does */
    bool same_content, same_path;
};

static bool find_bearer(struct put *p, const char *id, const struct put_name *name, struct bearer *out, struct err *e)
{
    *out = (struct bearer){0};
    struct stmt *q = db_prepare(p->store->db,
        "SELECT r.n, r.collection, r.content_hash = $1, d.path = $2 FROM run r JOIN run_detail d ON d.run = r.n WHERE r.id = $3", e);
    bind_blob(q, slice_of((const char *)name->content_hash, HASH_SIZE));
    bind_text(q, not_null(name->path));
    bind_text(q, slice_str(id));
    enum step step = stmt_step(q, e);
    if (step != STEP_ROW)
        return step == STEP_DONE;
    out->run = take_int(q);
    out->collection = take_int(q);
    out->same_content = take_int(q);
    out->same_path = take_int(q);
    stmt_reset(q);
    return true;
}

/* The id that a run is known by. A UUID of the source's is kept, unless it belongs to another collection's run (the same export in
 * two collections): then it is made from both, as it was the last time. */
static bool known_id(struct put *p, struct slice collection, const struct put_name *name, const struct run *run, char id[UUID_TEXT + 1],
                     struct bearer *bearer, struct err *e)
{
    bool native = uuid_valid(run->id);
    if (!native || name->ordinal) {
        make_id("run", (struct slice[]){collection, name->path, native ? run->id : run->external_id}, 3, name->ordinal, id);
        return find_bearer(p, id, name, bearer, e);
    }
    make_id("copy", (struct slice[]){collection, run->id}, 2, 0, id);
    if (!find_bearer(p, id, name, bearer, e))
        return false;
    if (bearer->run)
        return true;
    char own[UUID_TEXT + 1];
    memcpy(own, run->id.ptr, UUID_TEXT);
    own[UUID_TEXT] = '\0';
    if (!find_bearer(p, own, name, bearer, e))
        return false;
    if (bearer->run && bearer->collection != p->collection)
        *bearer = (struct bearer){0};
    else
        memcpy(id, own, sizeof own);
    return true;
}

/* In a transaction. */
static bool identify(struct put *p, const struct put_name *name, const struct run *run, struct identity *out, struct err *e)
{
    struct arena a = {0};
    struct bearer bearer;
    struct stmt *q = db_prepare(p->store->db, "SELECT id FROM collection WHERE n = $1", e);
    bind_int(q, p->collection);
    enum step step = stmt_step(q, e);
    if (step != STEP_ROW)
        return step == STEP_DONE && err_set(e, ERR_NOT_FOUND, "the collection was deleted");
    struct slice collection = take_text(q, &a);
    stmt_reset(q);
    bool ok = known_id(p, collection, name, run, out->id, &bearer, e);
    if (ok && bearer.run && !bearer.same_content && !(p->target.replace && bearer.same_path)) {
        /* Another run under a known name: it has a name of its own, made from what it says, so that it is known the next time. */
        struct slice content = slice_of((const char *)name->content_hash, HASH_SIZE);
        make_id("other", (struct slice[]){slice_of(out->id, UUID_TEXT), name->path, content}, 3, 0, out->id);
        ok = find_bearer(p, out->id, name, &bearer, e);
    }
    out->run = bearer.run;
    out->outcome = !bearer.run ? PUT_NEW : bearer.same_content ? PUT_DUPLICATE : PUT_UPDATED;
    out->own_file = p->target.replace && bearer.same_path;
    arena_free(&a);
    return ok;
}

static bool has_collection(const struct put *p, struct err *e)
{
    return p->collection || err_set(e, p->error.code, "%s", p->error.text);
}

static bool is_known(struct put *p, const struct put_name *name, const struct run *run, bool *known, struct err *e)
{
    struct identity identity;
    bool labelled = false, judged = false;
    if (!identify(p, name, run, &identity, e) ||
        (identity.outcome == PUT_DUPLICATE && !labels_change(p->store, identity.run, run, identity.own_file, false, &labelled, e)) ||
        (identity.outcome == PUT_DUPLICATE && run->judged &&
         !judgments_carry(p->store, identity.run, p->collection, run->judged, false, &judged, e)))
        return false;
    *known = identity.outcome == PUT_DUPLICATE && !labelled && !judged;
    if (identity.outcome != PUT_NEW)
        return true;
    struct quota quota;
    return quota_look(p->store, p->collection, &quota, e) && (quota_has_room(&quota) || quota_reached(&quota, e));
}

bool store_put_known(struct put *p, const struct put_name *name, const struct run *run, bool *known, struct err *e)
{
    *known = false;
    return has_collection(p, e) && db_read(p->store->db, e) && db_end(p->store->db, is_known(p, name, run, known, e), e);
}

/* ---- preparing ------------------------------------------------------------------------------------------------------- */

/* The first user message, else the first message. */
static const struct message *opening(const struct run *run)
{
    const struct message *first = NULL;
    for (size_t i = 0; i < run->ntranscripts; i++)
        for (size_t k = 0; k < run->transcripts[i].nmessages; k++) {
            const struct message *m = &run->transcripts[i].messages[k];
            if (m->role == ROLE_USER)
                return m;
            if (!first)
                first = m;
        }
    return first;
}

static struct slice gist_of(struct arena *a, const struct run *run)
{
    const struct message *m = opening(run);
    struct slice text = m ? slice_trim(m->text) : SLICE_NONE;
    const char *end = text.len ? memchr(text.ptr, '\n', text.len) : NULL;
    if (end)
        text = slice_trim(slice_sub(text, 0, (size_t)(end - text.ptr)));
    return arena_dup(a, slice_cut(text, GIST_BYTES));
}

static bool prepare_scores(struct put *p, struct prepared *to, const struct run *run, struct err *e)
{
    to->scores = arena_array(&p->arena, struct slim_score, run->nscores);
    to->nscores = run->nscores;
    for (size_t i = 0; i < run->nscores; i++) {
        const struct score *from = &run->scores[i];
        struct slim_score *score = &to->scores[i];
        score->name = arena_dup(&p->arena, from->name);
        score->value = arena_dup(&p->arena, from->value);
        if (!pack_add(p->pack, false, from->answer, NULL, &score->answer, e) || !pack_add(p->pack, false, from->target, NULL, &score->target, e) ||
            !pack_add(p->pack, false, from->explanation, NULL, &score->explanation, e) || !pack_add(p->pack, false, from->metadata, NULL, &score->metadata, e))
            return false;
    }
    return true;
}

static bool prepare_calls(struct put *p, struct prepared *to, const struct message *m, int64_t message, struct err *e)
{
    for (size_t i = 0; i < m->ncalls; i++) {
        const struct tool_call *from = &m->calls[i];
        struct slim_call *call = &to->calls[to->ncalls++];
        call->message = message;
        call->position = (int64_t)i;
        call->name = arena_dup(&p->arena, from->name);
        call->call_id = arena_dup(&p->arena, from->call_id);
        call->parse_error = arena_dup(&p->arena, from->parse_error);
        if (!pack_add(p->pack, true, from->arguments, from->digest, &call->arguments, e) || !pack_add(p->pack, false, from->metadata, NULL, &call->metadata, e))
            return false;
    }
    return true;
}

static bool prepare_message(struct put *p, struct prepared *to, const struct message *m, int32_t transcript, struct err *e)
{
    int64_t place = (int64_t)to->nmessages;
    struct slim_message *slim = &to->messages[to->nmessages++];
    slim->transcript = transcript;
    slim->role = m->role;
    slim->bytes = (int64_t)m->text.len;
    slim->first_call = (int64_t)to->ncalls;
    slim->calls = (int64_t)m->ncalls;
    slim->duration_ms = m->duration_ms;
    slim->tokens_in = m->tokens_in;
    slim->tokens_out = m->tokens_out;
    slim->model = arena_dup(&p->arena, m->model);
    slim->timestamp = arena_dup(&p->arena, m->timestamp);
    slim->finish_reason = arena_dup(&p->arena, m->finish_reason);
    slim->tool_call_id = arena_dup(&p->arena, m->tool_call_id);
    slim->tool_name = arena_dup(&p->arena, m->tool_name);
    for (size_t i = 0; i < m->nblobs; i++) {
        struct slim_blob *blob = &to->blobs[to->nblobs++];
        blob->message = place;
        blob->blob = m->blobs[i];
        blob->blob.media_type = arena_dup(&p->arena, blob->blob.media_type);
        blob->blob.bytes = arena_dup(&p->arena, blob->blob.bytes);
        blob->blob.url = arena_dup(&p->arena, blob->blob.url);
    }
    return pack_add(p->pack, true, m->text, m->digest, &slim->text, e) && pack_add(p->pack, true, m->reasoning, NULL, &slim->reasoning, e) &&
           pack_add(p->pack, true, m->error, NULL, &slim->error, e) && pack_add(p->pack, false, m->metadata, NULL, &slim->metadata, e) &&
           prepare_calls(p, to, m, place, e);
}

static size_t count_blobs(const struct run *run)
{
    size_t n = 0;
    for (size_t i = 0; i < run->ntranscripts; i++)
        for (size_t k = 0; k < run->transcripts[i].nmessages; k++)
            n += run->transcripts[i].messages[k].nblobs;
    return n;
}

static bool prepare_transcripts(struct put *p, struct prepared *to, const struct run *run, struct err *e)
{
    size_t messages = run_count_messages(run), calls = run_count_calls(run), blobs = count_blobs(run);
    if (messages > CHILD_MAX || calls > CHILD_MAX || blobs > CHILD_MAX || run->ntranscripts > CHILD_MAX || run->nscores > CHILD_MAX)
        return err_set(e, ERR_TOO_LARGE, "a run has more than %d messages, tool calls or images", CHILD_MAX);
    to->transcripts = arena_array(&p->arena, struct slim_transcript, run->ntranscripts);
    to->messages = arena_array(&p->arena, struct slim_message, messages);
    to->calls = arena_array(&p->arena, struct slim_call, calls);
    to->blobs = arena_array(&p->arena, struct slim_blob, blobs);
    for (size_t i = 0; i < run->ntranscripts; i++) {
        const struct transcript *from = &run->transcripts[i];
        struct slim_transcript *t = &to->transcripts[to->ntranscripts++];
        t->id = arena_dup(&p->arena, from->id);
        t->parent = arena_dup(&p->arena, from->parent);
        t->name = arena_dup(&p->arena, from->name);
        t->first = (int64_t)to->nmessages;
        t->messages = (int64_t)from->nmessages;
        if (!pack_add(p->pack, false, from->metadata, NULL, &t->metadata, e))
            return false;
        for (size_t k = 0; k < from->nmessages; k++)
            if (!prepare_message(p, to, &from->messages[k], (int32_t)i, e))
                return false;
    }
    return true;
}

/* What its quota counts: its own words and images, though others say and show the same. How large an image is that is not here its source
 * says, which may say anything. */
static bool prepare_texts(struct put *p, struct prepared *to, const struct run *run, struct err *e)
{
    uint64_t before = pack_taken(p->pack);
    bool ok = prepare_scores(p, to, run, e) && prepare_transcripts(p, to, run, e);
    to->bytes = (int64_t)(pack_taken(p->pack) - before + run->metadata.len);
    for (size_t i = 0; i < to->nblobs; i++)
        to->bytes += (int64_t)(to->blobs[i].blob.size < IMAGE_MOST ? to->blobs[i].blob.size : IMAGE_MOST);
    return ok;
}

static void prepare_findings(struct put *p, struct prepared *to, const struct findings *findings, const struct incomplete *incomplete, size_t n)
{
    to->findings.n = findings ? findings->n : 0;
    to->findings.items = arena_array(&p->arena, struct finding, to->findings.n);
    for (size_t i = 0; i < to->findings.n; i++) {
        finding_copy(&p->arena, &findings->items[i], &to->findings.items[i]);
        for (size_t k = 0; k < to->findings.items[i].nevidence; k++)
            to->findings.items[i].evidence[k].run = SLICE_NONE; /* its own */
    }
    to->incomplete = arena_array(&p->arena, struct incomplete, n);
    to->nincomplete = n;
    for (size_t i = 0; i < n; i++) {
        to->incomplete[i].detector = arena_dup(&p->arena, incomplete[i].detector);
        to->incomplete[i].reason = arena_dup(&p->arena, incomplete[i].reason);
    }
}

static void prepare_run(struct put *p, struct prepared *to, const struct put_name *name, const struct run *run)
{
    to->name = *name;
    to->name.path = arena_dup(&p->arena, name->path);
    to->run = *run;
    struct run *r = &to->run;
    struct slice *const texts[] = {&r->id, &r->external_id, &r->name, &r->task_id, &r->model, &r->agent, &r->started_at, &r->ended_at,
                                   &r->exit_status, &r->error, &r->limit, &r->metadata, &r->source.file, &r->source.location,
                                   &r->source.format};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        *texts[i] = arena_dup(&p->arena, *texts[i]);
    r->tags = arena_array(&p->arena, struct slice, run->ntags);
    for (size_t i = 0; i < run->ntags; i++)
        r->tags[i] = arena_dup(&p->arena, run->tags[i]);
    r->labels = arena_array(&p->arena, struct label, run->nlabels);
    for (size_t i = 0; i < run->nlabels; i++) {
        const struct label *from = &run->labels[i];
        r->labels[i] = (struct label){arena_dup(&p->arena, from->set), arena_dup(&p->arena, from->value), arena_dup(&p->arena, from->who),
                                      arena_dup(&p->arena, from->when), arena_dup(&p->arena, from->split)};
    }
    to->judgments.n = run->judged ? run->judged->n : 0;
    to->judgments.items = arena_array(&p->arena, struct judgment, to->judgments.n);
    for (size_t i = 0; i < to->judgments.n; i++)
        judgment_copy(&p->arena, &run->judged->items[i], &to->judgments.items[i]);
    r->scores = NULL;
    r->transcripts = NULL;
    r->carried = NULL;
    r->judged = NULL;
    to->gist = gist_of(&p->arena, run);
    to->carried = run->carried;
}

bool store_put_add(struct put *p, const struct put_name *name, const struct run *run, const struct findings *findings,
                   const struct incomplete *incomplete, size_t nincomplete, struct err *e)
{
    struct prepared to = {0};
    if (!has_collection(p, e) || !db_read(p->store->db, e) || !db_end(p->store->db, pack_catch_up(p->pack, e), e))
        return false;
    prepare_run(p, &to, name, run);
    prepare_findings(p, &to, run->carried ? run->carried : findings, incomplete, nincomplete);
    judgments_verify(run, name->content_hash, &to.judgments, &to.findings);
    run_digest_make(&p->arena, run, &to.digest);
    if (!prepare_texts(p, &to, run, e))
        return false;
    p->runs = arena_grow(&p->arena, p->runs, p->nruns, &p->runs_cap, sizeof *p->runs);
    p->runs[p->nruns++] = to;
    return true;
}

void store_put_file(struct put *p, const struct file_row *file)
{
    p->files = arena_grow(&p->arena, p->files, p->nfiles, &p->files_cap, sizeof *p->files);
    struct file_row *to = &p->files[p->nfiles++];
    *to = *file;
    to->path = arena_dup(&p->arena, file->path);
    to->name = arena_dup(&p->arena, file->name);
    to->format = arena_dup(&p->arena, file->format);
}

/* ---- the transaction ------------------------------------------------------------------------------------------------- */

static void add_task(struct arena *a, struct slices *tasks, const struct prepared *p)
{
    if (!tasks || p->carried || !p->run.task_id.len)
        return;
    tasks->items = arena_grow(a, tasks->items, tasks->n, &tasks->cap, sizeof *tasks->items);
    tasks->items[tasks->n++] = arena_dup(a, p->run.task_id);
}

/* The task that a run which is replaced had. */
static bool add_old_task(struct put *p, int64_t run, struct arena *a, struct slices *tasks, struct err *e)
{
    struct stmt *q = db_prepare(p->store->db, "SELECT t.task_id FROM run r JOIN task t ON t.n = r.task WHERE r.n = $1", e);
    bind_int(q, run);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        tasks->items = arena_grow(a, tasks->items, tasks->n, &tasks->cap, sizeof *tasks->items);
        tasks->items[tasks->n++] = take_text(q, a);
    }
    return step == STEP_DONE;
}

static bool write_files(struct put *p, struct err *e)
{
    for (size_t i = 0; i < p->nfiles; i++) {
        const struct file_row *file = &p->files[i];
        struct stmt *q = db_prepare(p->store->db,
            "INSERT INTO file (collection, hash, path, name, format, bytes, runs, refused) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
            " ON CONFLICT DO UPDATE SET path = excluded.path, name = excluded.name, format = excluded.format, bytes = excluded.bytes,"
            " runs = excluded.runs, refused = excluded.refused", e);
        bind_int(q, p->collection);
        bind_blob(q, slice_of((const char *)file->hash, HASH_SIZE));
        bind_text(q, not_null(file->path));
        bind_text(q, file->name);
        bind_text(q, file->format);
        bind_int(q, (int64_t)file->bytes);
        bind_int(q, (int64_t)file->runs);
        bind_int(q, (int64_t)file->refused);
        if (!stmt_run(q, e))
            return false;
    }
    return true;
}

void store_put_append(struct put *p, struct append *append) { p->append = append; }

/* Runs that bring their findings with them change nothing that those do not speak of already. */
static bool stamp_collection(struct put *p, bool fresh, struct err *e)
{
    if (fresh && !look_changed(p->store, p->collection, e))
        return false;

    struct stmt *q = db_prepare(p->store->db, "UPDATE collection SET imported = max(coalesce(imported, 0), $1) WHERE n = $2", e);
    bind_int(q, p->imported);
    bind_int(q, p->collection);
    return stmt_run(q, e);
}

static bool subject_of(struct put *p, int64_t run, struct subject *out, struct err *e)
{
    *out = (struct subject){.collection = p->collection, .run = run};
    struct stmt *q = db_prepare(p->store->db, "SELECT coalesce(task, 0) FROM run WHERE n = $1", e);
    bind_int(q, run);
    return stmt_int(q, &out->task, e) == STEP_ROW;
}

/* What is said of a run that is here as it stands: labels, and what judges said and found. */
static bool add_said(struct put *p, const struct prepared *run, const struct identity *identity, bool *changed, struct err *e)
{
    struct subject subject;
    bool labelled = false, judged = false;
    if (!labels_change(p->store, identity->run, &run->run, identity->own_file, true, &labelled, e) ||
        !judgments_carry(p->store, identity->run, p->collection, &run->judgments, true, &judged, e))
        return false;
    *changed = labelled || judged;
    return !judged || (subject_of(p, identity->run, &subject, e) && findings_of_judges_add(p->store, &subject, &run->findings, e));
}

/* Of runs that were replaced, once their words are written. */
static bool keep_findings_of_judges(struct put *p, const int64_t *replaced, size_t n, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        struct subject subject;
        if (!subject_of(p, replaced[i], &subject, e) || !findings_of_judges_keep(p->store, &subject, e))
            return false;
    }
    return true;
}

static bool bytes_of(struct put *p, int64_t run, int64_t *bytes, struct err *e)
{
    struct stmt *q = db_prepare(p->store->db, "SELECT bytes FROM run WHERE n = $1", e);
    bind_int(q, run);
    enum step step;
    *bytes = 0;
    while ((step = stmt_step(q, e)) == STEP_ROW)
        *bytes = take_int(q);
    return step == STEP_DONE;
}

/* What the quota leaves, less what the run takes of it. ERR_QUOTA: messages that are added have no run of their own to leave out. */
static bool take_room(struct put *p, const struct prepared *run, const struct identity *identity, bool *fits, struct err *e)
{
    int64_t had = 0;
    struct quota *left = &p->quota;
    bool new = identity->outcome == PUT_NEW;
    if (!new && left->bytes && !bytes_of(p, identity->run, &had, e))
        return false;
    int64_t more = run->bytes - had;
    *fits = (!new || left->room > 0) && (more <= 0 || more <= left->bytes_room);
    if (*fits) {
        left->room -= new && left->runs;
        left->bytes_room -= left->bytes ? more : 0;
    }
    return *fits || !p->append || quota_reached(left, e);
}

static bool write_all(struct put *p, uint64_t counts[PUT_OUTCOMES], struct arena *a, struct slices *tasks, struct err *e)
{
    if ((p->append && !append_check(p->store, p->append, e)) || (p->target.made_of && !pieces_still(p->store, p->target.made_of, e)) || !pack_settle(p->pack, e) ||
        !quota_look(p->store, p->collection, &p->quota, e))
        return false;
    p->over = arena_array(&p->arena, size_t, p->nruns);
    p->nover = 0;
    bool fresh = false;
    int64_t *replaced = arena_array(&p->arena, int64_t, p->nruns);
    size_t nreplaced = 0;
    for (size_t i = 0; i < p->nruns; i++) {
        struct prepared *run = &p->runs[i];
        struct identity identity;
        if (!identify(p, &run->name, &run->run, &identity, e) ||
            !judgments_find_versions(p->store, &run->judgments, &run->findings, &p->arena, e))
            return false;
        if (identity.outcome == PUT_DUPLICATE) {
            bool changed = false;
            if (!p->append && !add_said(p, run, &identity, &changed, e))
                return false;
            counts[changed ? PUT_UPDATED : PUT_DUPLICATE]++;
            continue;
        }
        bool fits;
        if (!take_room(p, run, &identity, &fits, e))
            return false;
        if (!fits) {
            p->over[p->nover++] = i;
            continue;
        }
        counts[identity.outcome]++;
        const struct place place = {p->collection, p->imported, identity.outcome, identity.run, slice_of(identity.id, UUID_TEXT), p->append != NULL, false};
        if (tasks && identity.outcome == PUT_UPDATED && !run->carried && !add_old_task(p, identity.run, a, tasks, e))
            return false;
        add_task(a, tasks, run);
        fresh |= !run->carried;
        if (!run_write(p->store, p->pack, run, &place, e))
            return false;
        if (identity.outcome == PUT_UPDATED)
            replaced[nreplaced++] = identity.run;
    }
    return pack_write(p->pack, e) && keep_findings_of_judges(p, replaced, nreplaced, e) && blocks_sweep(p->store, e) && write_files(p, e) && (!p->append || append_write(p->store, p->append, e)) &&
           (counts[PUT_NEW] + counts[PUT_UPDATED] == 0 || stamp_collection(p, fresh, e));
}

static void tell_over(const struct put *p)
{
    struct err why;
    quota_reached(&p->quota, &why);
    for (size_t i = 0; i < p->nover && p->target.over; i++) {
        const struct prepared *run = &p->runs[p->over[i]];
        p->target.over(p->target.ctx, &(struct put_over){&run->run, &run->findings, run->nmessages}, &why);
    }
}

bool store_put_commit(struct put *p, uint64_t counts[PUT_OUTCOMES], struct arena *a, struct slices *tasks, struct err *e)
{
    uint64_t mine[PUT_OUTCOMES] = {0};
    if (!p->nruns && !p->nfiles)
        return true;
    if (!has_collection(p, e) || !db_write(p->store->db, e))
        return false;
    if (!db_end(p->store->db, write_all(p, mine, a, tasks, e), e)) {
        blocks_forget(p->store->blocks);
        return false;
    }
    for (int i = 0; i < PUT_OUTCOMES; i++)
        counts[i] += mine[i];
    tell_over(p);
    reset(p);
    return true;
}

bool run_reword(struct put *p, int64_t key, int64_t imported, const struct put_name *name, const struct run *run, struct err *e)
{
    struct prepared to = {0};
    const struct place place = {.collection = p->collection, .imported = imported, .outcome = PUT_UPDATED, .run = key, .grows = true,
                                .reworded = true};
    if (!has_collection(p, e) || !pack_catch_up(p->pack, e))
        return false;
    prepare_run(p, &to, name, run);
    run_digest_make(&p->arena, run, &to.digest);
    bool ok = prepare_texts(p, &to, run, e) && pack_settle(p->pack, e) &&
              run_write(p->store, p->pack, &to, &place, e) && pack_write(p->pack, e) && blocks_sweep(p->store, e);
    reset(p);
    return ok;
}

bool store_file_known(struct store *s, struct slice collection, const unsigned char hash[HASH_SIZE], struct arena *a, bool *known,
                      struct file_row *out, struct err *e)
{
    int64_t n;
    *known = false;
    if (!collection_find(s, collection, &n, e))
        return false;
    struct stmt *q = db_prepare(s->db, "SELECT path, name, format, bytes, runs, refused FROM file WHERE collection = $1 AND hash = $2", e);
    bind_int(q, n);
    bind_blob(q, slice_of((const char *)hash, HASH_SIZE));
    enum step step = stmt_step(q, e);
    if (step != STEP_ROW)
        return step == STEP_DONE;
    *known = true;
    memcpy(out->hash, hash, HASH_SIZE);
    out->path = take_text(q, a);
    out->name = take_text(q, a);
    out->format = take_text(q, a);
    out->bytes = (uint64_t)take_int(q);
    out->runs = (uint64_t)take_int(q);
    out->refused = (uint64_t)take_int(q);
    stmt_reset(q);
    return true;
}
