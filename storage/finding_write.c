#include "storage/exception_match.h"
#include "storage/finding_write.h"

#include "base/clock.h"
#include "base/hash.h"
#include "transcript/judgment.h"

#include <stdlib.h>

/* ---- names ----------------------------------------------------------------------------------------------------------- */

static void add_number(struct hash *h, int64_t n) { hash_add(h, slice_of((const char *)&n, sizeof n)); }

/* Where a finding's evidence stands. */
static void add_places(struct hash *h, const struct finding *f)
{
    add_number(h, (int64_t)f->nevidence);
    for (size_t i = 0; i < f->nevidence; i++) {
        const struct evidence *ev = &f->evidence[i];
        hash_add_framed(h, ev->run);
        add_number(h, ev->transcript);
        add_number(h, ev->message);
        hash_add_framed(h, not_null(ev->part));
        add_number(h, ev->start);
        add_number(h, ev->end);
    }
}

/* All that a detector says. */
static void digest(const struct finding *f, unsigned char out[HASH_SIZE])
{
    struct hash h;
    const struct slice texts[] = {not_null(f->detector), f->version, not_null(f->behavior), f->title, f->message, f->captures};
    hash_start(&h);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        hash_add_framed(&h, texts[i]);
    add_number(&h, f->kind);
    add_number(&h, f->severity);
    hash_add(&h, slice_of((const char *)&f->confidence, sizeof f->confidence));
    add_places(&h, f);
    for (size_t i = 0; i < f->nevidence; i++) {
        hash_add_framed(&h, f->evidence[i].quote);
        hash_add(&h, slice_of((const char *)&f->evidence[i].weight, sizeof f->evidence[i].weight));
    }
    hash_end(&h, out);
}

/* What a person looked at: the words, whoever stands where. */
static void words(const struct finding *f, unsigned char out[HASH_SIZE])
{
    struct hash h;
    hash_start(&h);
    hash_add_framed(&h, not_null(f->detector));
    for (size_t i = 0; i < f->nevidence; i++)
        hash_add_framed(&h, f->evidence[i].quote);
    hash_end(&h, out);
}

/* A finding on its way in or out, with what it is compared by. */
struct item {
    struct finding finding;
    int64_t key;                     /* of a stored one */
    unsigned char base[HASH_SIZE];   /* of a new one: subject, detector and places, or the id that an export carries */
    unsigned char digest[HASH_SIZE], words[HASH_SIZE];
    bool matched, reviewed;          /* of a stored one: found again; its review went on */
};

/* As people left it: what an exception set aside is open to them. */
static enum finding_status status_of(const struct finding *f) { return f->exception.ptr ? STATUS_OPEN : f->status; }

static bool is_reviewed(const struct finding *f) { return status_of(f) != STATUS_OPEN || f->note.ptr || f->reviewer.ptr; }

static int by_base(const void *a, const void *b)
{
    const struct item *x = *(struct item *const *)a, *y = *(struct item *const *)b;
    int order = memcmp(x->base, y->base, HASH_SIZE);
    return order ? order : (x > y) - (x < y);
}

static int by_id(const void *a, const void *b) { return slice_cmp((*(struct item *const *)a)->finding.id, (*(struct item *const *)b)->finding.id); }

/* The text that names a subject, for ids. */
static bool subject_name(struct store *s, const struct subject *subject, struct arena *a, struct slice *out, struct err *e)
{
    struct stmt *q = subject->run ? db_prepare(s->db, "SELECT id FROM run WHERE n = $1", e)
                   : subject->task ? db_prepare(s->db, "SELECT c.id || ' ' || t.task_id FROM task t JOIN collection c ON c.n = t.collection WHERE t.n = $1", e)
                   : db_prepare(s->db, "SELECT id FROM collection WHERE n = $1", e);
    bind_int(q, subject_key(subject));
    if (stmt_step(q, e) != STEP_ROW)
        return false;
    *out = take_text(q, a);
    stmt_reset(q);
    return true;
}

/* An id that an export carries is kept unless another subject's finding has it. */
static bool id_is_free(struct store *s, struct slice id, const struct subject *subject, bool *is_free, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "SELECT coalesce(run, 0), CASE WHEN run IS NULL THEN coalesce(task, 0) ELSE 0 END, collection FROM finding WHERE id = $1", e);
    bind_text(q, id);
    enum step step = stmt_step(q, e);
    *is_free = true;
    if (step == STEP_ROW) {
        int64_t run = take_int(q), task = take_int(q), collection = take_int(q);
        *is_free = run == subject->run && (run || task == subject->task) && collection == subject->collection;
        stmt_reset(q);
    }
    return step != STEP_ERROR;
}

/* Gives each new finding its id: of two alike, the second one counts. */
static bool name_items(struct store *s, const struct subject *subject, struct item *items, size_t n, struct arena *a, struct err *e)
{
    struct slice name;
    if (!subject_name(s, subject, a, &name, e))
        return false;
    struct item **sorted = arena_array(a, struct item *, n);
    for (size_t i = 0; i < n; i++) {
        const struct finding *f = &items[i].finding;
        struct hash h;
        bool carried = uuid_valid(f->id);
        if (carried && !id_is_free(s, f->id, subject, &carried, e))
            return false;
        hash_start(&h);
        hash_add_framed(&h, name);
        hash_add_framed(&h, carried ? f->id : not_null(f->detector));
        if (!carried && is_judge(f->detector))
            hash_add_framed(&h, f->version);
        if (!carried)
            add_places(&h, f);
        hash_end(&h, items[i].base);
        if (!carried)
            items[i].finding.id = SLICE_NONE;
        sorted[i] = &items[i];
    }
    qsort(sorted, n, sizeof *sorted, by_base);
    int64_t ordinal = 0;
    for (size_t i = 0; i < n; i++) {
        ordinal = i && memcmp(sorted[i]->base, sorted[i - 1]->base, HASH_SIZE) == 0 ? ordinal + 1 : 0;
        if (ordinal == 0 && sorted[i]->finding.id.ptr)
            continue;
        struct hash h;
        unsigned char bytes[HASH_SIZE];
        char id[UUID_TEXT + 1];
        hash_start(&h);
        hash_add(&h, slice_of((const char *)sorted[i]->base, HASH_SIZE));
        add_number(&h, ordinal);
        hash_end(&h, bytes);
        uuid_from(bytes, id);
        sorted[i]->finding.id = arena_dup(a, slice_of(id, UUID_TEXT));
    }
    return true;
}

/* ---- writing --------------------------------------------------------------------------------------------------------- */

static bool drop_evidence(struct store *s, int64_t key, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "DELETE FROM span WHERE id BETWEEN $1 AND $2", e);
    bind_int(q, child_first(key));
    bind_int(q, child_last(key));
    return stmt_run(q, e);
}

static bool drop_one(struct store *s, int64_t key, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "DELETE FROM finding WHERE n = $1", e);
    bind_int(q, key);
    return stmt_run(q, e) && drop_evidence(s, key, e);
}

/* The run that evidence speaks of, where that is another than the finding's own; 0: its own. *gone: there is no such run. */
static bool other_run(struct store *s, const struct subject *subject, struct slice id, int64_t *run, bool *gone, struct err *e)
{
    *run = 0;
    *gone = !id.ptr && !subject->run;
    if (!id.ptr)
        return true;
    /* One of another collection is none: whoever put the finding in may have no business there. */
    struct stmt *q = db_prepare(s->db, "SELECT n FROM run WHERE id = $1 AND collection = $2", e);
    bind_text(q, id);
    bind_int(q, subject->collection);
    enum step step = stmt_step(q, e);
    if (step != STEP_ROW) {
        *gone = !subject->run;
        return step == STEP_DONE;
    }
    *run = take_int(q);
    stmt_reset(q);
    if (*run == subject->run)
        *run = 0;
    return true;
}

static bool write_evidence(struct store *s, const struct subject *subject, int64_t key, const struct finding *f, struct err *e)
{
    int64_t position = 0;
    for (size_t i = 0; i < f->nevidence; i++) {
        const struct evidence *ev = &f->evidence[i];
        int64_t run;
        bool gone;
        if (!other_run(s, subject, ev->run, &run, &gone, e))
            return false;
        if (gone)
            continue;
        struct stmt *q = db_prepare(s->db,
            "INSERT INTO span (id, run, transcript, message, part, start, stop, quote, weight) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)", e);
        bind_int(q, child_id(key, position++));
        bind_count(q, run ? run : -1);
        bind_count(q, ev->transcript);
        bind_count(q, ev->message);
        bind_text(q, not_null(ev->part));
        bind_int(q, ev->start);
        bind_int(q, ev->end);
        bind_text(q, ev->quote);
        bind_real(q, ev->weight > 0 ? ev->weight : NAN);
        if (!stmt_run(q, e))
            return false;
    }
    return true;
}

static void bind_said(struct stmt *q, const struct finding *f)
{
    bind_int(q, f->severity);
    bind_int(q, f->kind);
    bind_int(q, f->status);
    bind_real(q, isnan(f->confidence) ? 0 : f->confidence);
    bind_text(q, not_null(f->detector));
    bind_text(q, not_null(f->behavior));
    bind_text(q, f->version);
    bind_text(q, f->title);
    bind_text(q, f->message);
    bind_text(q, f->captures);
    bind_text(q, f->reviewer);
    bind_text(q, f->note);
    bind_text(q, f->exception);
}

static bool insert_one(struct store *s, const struct subject *subject, const struct finding *f, struct err *e)
{
    char now[CLOCK_TEXT];
    clock_text(clock_now_us(), now);
    struct stmt *q = db_prepare(s->db,
        "INSERT INTO finding (severity, kind, status, confidence, detector, behavior, version, title, message, captures, reviewer, note,"
        " exception, collection, run, task, scope, id, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12,"
        " (SELECT n FROM exception WHERE id = $13), $14, $15, $16, $17, $18, $19)", e);
    bind_said(q, f);
    bind_int(q, subject->collection);
    bind_count(q, subject->run ? subject->run : -1);
    bind_count(q, subject->task ? subject->task : -1);
    bind_int(q, subject->run ? SCOPE_RUN : subject->task ? SCOPE_TASK : SCOPE_COLLECTION);
    bind_text(q, f->id);
    bind_text(q, f->created_at.ptr ? f->created_at : slice_str(now));
    return stmt_run(q, e) && write_evidence(s, subject, db_last_id(s->db), f, e);
}

static bool update_one(struct store *s, const struct subject *subject, int64_t key, const struct finding *f, struct err *e)
{
    struct stmt *q = db_prepare(s->db,
        "UPDATE finding SET severity = $1, kind = $2, status = $3, confidence = $4, detector = $5, behavior = $6, version = $7, title = $8,"
        " message = $9, captures = $10, reviewer = $11, note = $12, exception = (SELECT n FROM exception WHERE id = $13) WHERE n = $14", e);
    bind_said(q, f);
    bind_int(q, key);
    return stmt_run(q, e) && drop_evidence(s, key, e) && write_evidence(s, subject, key, f, e);
}

/* ---- change ---------------------------------------------------------------------------------------------------------- */

bool is_among(struct slice detector, const struct slice *only, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (slice_eq(detector, only[i]))
            return true;
    return n == 0;
}

static bool concerns(const struct findings_change *c, const struct finding *f)
{
    if (c->judge.ptr)
        return slice_eq(f->detector, c->judge) && slice_eq(f->version, c->version);
    return c->judges ? is_judge(f->detector) : !is_judge(f->detector) && is_among(not_null(f->detector), c->only, c->nonly);
}

/* c NULL: all of them. */
static struct item *make_items(struct arena *a, const struct finding *findings, const int64_t *keys, size_t n, const struct findings_change *c,
                               size_t *kept)
{
    struct item *items = arena_array(a, struct item, n);
    *kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (c && !concerns(c, &findings[i]))
            continue;
        struct item *item = &items[(*kept)++];
        item->finding = findings[i];
        item->key = keys ? keys[i] : 0;
        digest(&item->finding, item->digest);
        words(&item->finding, item->words);
    }
    return items;
}

static struct item *find_id(struct item **sorted, size_t n, const struct item *wanted)
{
    struct item **found = n ? bsearch(&wanted, sorted, n, sizeof *sorted, by_id) : NULL;
    return found ? *found : NULL;
}

static void take_review(struct item *now, struct item *from)
{
    from->reviewed = true;
    now->finding.status = status_of(&from->finding);
    now->finding.note = from->finding.note;
    now->finding.reviewer = from->finding.reviewer;
}

static bool may_take(const struct item *now, const struct item *from)
{
    return !is_reviewed(&now->finding) && is_reviewed(&from->finding) && !from->reviewed && memcmp(from->words, now->words, HASH_SIZE) == 0;
}

/* A person's review goes on to the finding with the same words: at the same place first, else of the same detector. */
static void carry_reviews(struct item *now, struct item *const *same, size_t nnow, struct item *before, size_t nbefore)
{
    for (size_t i = 0; i < nnow; i++)
        if (same[i] && may_take(&now[i], same[i]))
            take_review(&now[i], same[i]);
    for (size_t k = 0; k < nbefore; k++)
        for (size_t i = 0; i < nnow && is_reviewed(&before[k].finding) && !before[k].reviewed; i++)
            if (may_take(&now[i], &before[k]))
                take_review(&now[i], &before[k]);
}

static bool same_review(const struct finding *a, const struct finding *b)
{
    return a->status == b->status && slice_eq(a->exception, b->exception) && slice_eq(a->note, b->note) && slice_eq(a->reviewer, b->reviewer);
}

/* A review outlives the absence of its finding: a rule that is switched off, or left out of one scan. */
static bool keep_review(struct store *s, const struct subject *subject, const struct item *from, struct err *e)
{
    struct stmt *q = db_prepare(s->db,
        "INSERT OR REPLACE INTO kept_review (id, collection, run, task, words, status, reviewer, note) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)", e);
    bind_text(q, from->finding.id);
    bind_int(q, subject->collection);
    bind_count(q, subject->run ? subject->run : -1);
    bind_count(q, !subject->run && subject->task ? subject->task : -1);
    bind_blob(q, slice_of((const char *)from->words, HASH_SIZE));
    bind_int(q, status_of(&from->finding));
    bind_text(q, from->finding.reviewer);
    bind_text(q, from->finding.note);
    return stmt_run(q, e);
}

/* What was kept of a finding that is made again; a review that it has already is the newer one. */
static bool restore_review(struct store *s, struct item *now, struct arena *a, struct err *e)
{
    struct stmt *q = db_prepare(s->db, "DELETE FROM kept_review WHERE id = $1 AND words = $2 RETURNING status, reviewer, note", e);
    bind_text(q, now->finding.id);
    bind_blob(q, slice_of((const char *)now->words, HASH_SIZE));
    enum step step = stmt_step(q, e);
    if (step == STEP_ROW && !is_reviewed(&now->finding)) {
        now->finding.status = (enum finding_status)take_int(q);
        now->finding.reviewer = take_text(q, a);
        now->finding.note = take_text(q, a);
    }
    if (step == STEP_ROW)
        step = stmt_step(q, e); /* to its end, else nothing is deleted */
    return step == STEP_DONE;
}

static bool change_items(struct store *s, const struct subject *subject, struct item *before, size_t nbefore, struct item *now, size_t nnow,
                         bool look, struct arena *a, bool *changed, struct err *e)
{
    struct subject_about about = {0};
    struct item **sorted = arena_array(a, struct item *, nbefore), **same = arena_array(a, struct item *, nnow);
    for (size_t i = 0; i < nbefore; i++)
        sorted[i] = &before[i];
    qsort(sorted, nbefore, sizeof *sorted, by_id);
    for (size_t i = 0; i < nnow; i++)
        if ((same[i] = find_id(sorted, nbefore, &now[i])))
            same[i]->matched = true;
    carry_reviews(now, same, nnow, before, nbefore);
    for (size_t i = 0; i < nnow; i++) {
        if (!same[i] && !look && !restore_review(s, &now[i], a, e))
            return false;
        if (!exceptions_apply_to(s, subject, &about, a, &now[i].finding, e))
            return false;
        if (same[i] && memcmp(same[i]->digest, now[i].digest, HASH_SIZE) == 0 && same_review(&same[i]->finding, &now[i].finding))
            continue;
        *changed = true;
        if (look)
            return true;
        if (!(same[i] ? update_one(s, subject, same[i]->key, &now[i].finding, e) : insert_one(s, subject, &now[i].finding, e)))
            return false;
    }
    for (size_t i = 0; i < nbefore; i++) {
        if (before[i].matched)
            continue;
        *changed = true;
        if (look)
            return true;
        if (is_reviewed(&before[i].finding) && !before[i].reviewed && !keep_review(s, subject, &before[i], e))
            return false;
        if (!drop_one(s, before[i].key, e))
            return false;
    }
    return true;
}

bool findings_change(struct store *s, const struct subject *subject, const struct findings_change *change, bool *changed, struct err *e)
{
    struct arena a = {0};
    struct stored_findings stored;
    int64_t kinds[KIND_COUNT];
    size_t nbefore, nnow;
    bool ok = findings_load(s, subject, &a, &stored, e);
    if (ok && (stored.n || change->n)) {
        struct item *before = make_items(&a, stored.items, stored.keys, stored.n, change, &nbefore);
        struct item *now = make_items(&a, change->now, NULL, change->n, change, &nnow);
        ok = name_items(s, subject, now, nnow, &a, e) && counts_findings(s, subject, kinds, e) &&
             change_items(s, subject, before, nbefore, now, nnow, change->look, &a, changed, e) &&
             (change->look || !*changed || counts_findings_changed(s, subject, kinds, e));
    }
    arena_free(&a);
    return ok;
}

bool findings_insert(struct store *s, const struct subject *subject, const struct finding *findings, size_t n, struct err *e)
{
    struct arena a = {0};
    struct item *items = arena_array(&a, struct item, n);
    for (size_t i = 0; i < n; i++)
        items[i].finding = findings[i];
    bool ok = name_items(s, subject, items, n, &a, e);
    for (size_t i = 0; i < n && ok; i++)
        ok = insert_one(s, subject, &items[i].finding, e);
    arena_free(&a);
    return ok;
}

bool finding_add(struct store *s, const struct subject *subject, const struct finding *finding, struct err *e)
{
    /* A change in which only what has this name may go. */
    struct arena a = {0};
    struct stored_findings stored;
    int64_t kinds[KIND_COUNT];
    bool changed = false, ok = findings_load(s, subject, &a, &stored, e) && counts_findings(s, subject, kinds, e);
    if (ok) {
        size_t nbefore, nnow, n = 0;
        struct item *before = make_items(&a, stored.items, stored.keys, stored.n, NULL, &nbefore);
        struct item *now = make_items(&a, finding, NULL, 1, NULL, &nnow);
        ok = name_items(s, subject, now, nnow, &a, e);
        for (size_t i = 0; i < nbefore && ok; i++)
            if (slice_eq(before[i].finding.id, now->finding.id))
                before[n++] = before[i];
        ok = ok && change_items(s, subject, before, n, now, nnow, false, &a, &changed, e) &&
             (!changed || counts_findings_changed(s, subject, kinds, e));
    }
    arena_free(&a);
    return ok;
}

bool findings_drop(struct store *s, const struct subject *subject, struct err *e)
{
    struct arena a = {0};
    struct stored_findings stored;
    bool ok = findings_load(s, subject, &a, &stored, e);
    for (size_t i = 0; i < stored.n && ok; i++)
        ok = drop_one(s, stored.keys[i], e);
    arena_free(&a);
    return ok;
}

/* ---- evidence of runs that go ---------------------------------------------------------------------------------------- */

/* Of one finding; it goes when it has no other evidence. */
static bool forget_in(struct store *s, int64_t key, int64_t run, struct err *e)
{
    struct subject subject = {0};
    int64_t kinds[KIND_COUNT];
    struct stmt *q = db_prepare(s->db, "DELETE FROM span WHERE run = $1 AND id BETWEEN $2 AND $3", e);
    bind_int(q, run);
    bind_int(q, child_first(key));
    bind_int(q, child_last(key));
    if (!stmt_run(q, e))
        return false;
    q = db_prepare(s->db, "SELECT collection, run, task FROM finding f WHERE n = $1 AND NOT EXISTS"
                          " (SELECT 1 FROM span WHERE id BETWEEN f.n << 26 AND f.n << 26 | 67108863)", e);
    bind_int(q, key);
    enum step step = stmt_step(q, e);
    if (step != STEP_ROW)
        return step == STEP_DONE;
    subject.collection = take_int(q);
    subject.run = take_int(q);
    subject.task = take_int(q);
    stmt_reset(q);
    return counts_findings(s, &subject, kinds, e) && drop_one(s, key, e) && counts_findings_changed(s, &subject, kinds, e);
}

bool findings_forget_run(struct store *s, int64_t run, struct err *e)
{
    for (;;) { /* one at a time: each takes away the rows that named it */
        struct stmt *q = db_prepare(s->db, "SELECT id >> 26 FROM span WHERE run = $1 LIMIT 1", e);
        bind_int(q, run);
        int64_t key;
        enum step step = stmt_int(q, &key, e);
        if (step != STEP_ROW)
            return step == STEP_DONE;
        if (!forget_in(s, key, run, e))
            return false;
    }
}
