/* The words: each block unpacks, the hashes by which texts are known are theirs, and each message of each run has its texts and is found through
 * them. */
#include "storage/check_in.h"
#include "storage/uses.h"

#include "base/hash.h"

#include <endian.h>
#include <stdlib.h>

/* How many texts each block has, by ascending id. */
struct sizes {
    int64_t *ids;
    uint32_t *texts;
    size_t n, cap;
};

static void *grow(void *items, size_t n, size_t size)
{
    items = realloc(items, n * size);
    if (!items)
        abort();
    return items;
}

static void sizes_add(struct sizes *t, int64_t id, size_t texts)
{
    if (t->n == t->cap) {
        t->cap = t->cap ? 2 * t->cap : 1024;
        t->ids = grow(t->ids, t->cap, sizeof *t->ids);
        t->texts = grow(t->texts, t->cap, sizeof *t->texts);
    }
    t->ids[t->n] = id;
    t->texts[t->n++] = (uint32_t)texts;
}

static bool has_text(const struct sizes *t, int64_t text)
{
    int64_t block = text_block(text);
    size_t low = 0, high = t->n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (t->ids[middle] == block)
            return text_place(text) < t->texts[middle];
        if (t->ids[middle] < block)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

/* ---- blocks ---------------------------------------------------------------------------------------------------------- */

/* A hash that is another text's would give a run words that it never said. Its lowest bit tells whether the text is searchable (pack.c). */
static void check_hashes(struct check *c, const struct block *block, bool searchable, struct slice hashes)
{
    uint16_t place;
    unsigned char hash[HASH_SIZE];
    enum { ENTRY = sizeof place + HASH_SIZE };
    size_t wrong = hashes.len % ENTRY != 0;
    for (; hashes.len >= ENTRY; hashes = slice_sub(hashes, ENTRY, hashes.len)) {
        memcpy(&place, hashes.ptr, sizeof place);
        place = le16toh(place);
        if (place < block->n) {
            hash_of(block->texts[place], hash);
            hash[0] = (unsigned char)((hash[0] & 0xfe) | searchable);
        }
        wrong += place >= block->n || memcmp(hash, hashes.ptr + sizeof place, HASH_SIZE) != 0;
    }
    if (wrong)
        check_wrong(c, "%zu texts of block %lld are not those whose hashes were stored with them", wrong, (long long)block->id);
}

static void check_block(struct check *c, int64_t id, bool searchable, struct slice hashes, bool used, struct sizes *sizes)
{
    const struct block *block;
    struct err why = {0};
    if (!used)
        check_wrong(c, "block %lld of the texts is used by no run", (long long)id);
    if (!block_read(c->store, id, &block, &why)) {
        check_wrong(c, "%s", why.text);
        return;
    }
    sizes_add(sizes, id, block->n);
    check_hashes(c, block, searchable, hashes);
}

static bool check_blocks(struct check *c, struct sizes *sizes, struct err *e)
{
    struct stmt *q = db_prepare(c->store->db,
        "SELECT b.id, b.searchable, h.hashes, EXISTS (SELECT 1 FROM block_run WHERE block = b.id) FROM block b LEFT JOIN block_hash h ON h.block = b.id"
        " ORDER BY b.id", e);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        int64_t id = take_int(q);
        bool searchable = take_int(q);
        struct slice hashes = take_bytes(q);
        check_block(c, id, searchable, hashes, take_int(q), sizes);
        if (!check_looked(c, 1, e))
            return false;
    }
    return step == STEP_DONE;
}

/* ---- runs ------------------------------------------------------------------------------------------------------------ */

struct reader {
    struct check *check;      /* NULL: only the uses are wanted */
    struct store *store;
    const struct sizes *sizes;
    int64_t run, messages, calls;
    struct slice id;
    struct uses uses;
    size_t lost;              /* texts that are not there */
};

static void take_use(struct reader *r, struct stmt *q, struct text_use use)
{
    use.text = take_count(q);
    if (use.text > TEXT_EMPTY && r->sizes && !has_text(r->sizes, use.text))
        r->lost++;
    uses_add(&r->uses, &use);
}

static void out_of_place(struct reader *r, const char *what, int64_t place)
{
    if (r->check)
        check_wrong(r->check, "run %.*s: %s %lld is not where it should be", SLICE_ARG(r->id), what, (long long)place);
}

static struct stmt *of_run(struct reader *r, const char *sql, struct err *e)
{
    struct stmt *q = db_prepare(r->store->db, sql, e);
    bind_int(q, child_first(r->run));
    bind_int(q, child_last(r->run));
    return q;
}

static bool read_transcripts(struct reader *r, int64_t *total, struct err *e)
{
    struct stmt *q = of_run(r, "SELECT id, first, messages, metadata FROM transcript WHERE id BETWEEN $1 AND $2 ORDER BY id", e);
    int64_t place = 0;
    enum step step;
    for (*total = 0; (step = stmt_step(q, e)) == STEP_ROW; place++) {
        if (child_place(take_int(q)) != place || take_int(q) != *total)
            out_of_place(r, "transcript", place);
        *total += take_int(q);
        take_use(r, q, (struct text_use){.message = -1});
    }
    return step == STEP_DONE;
}

static bool read_messages(struct reader *r, struct err *e)
{
    struct stmt *q = of_run(r, "SELECT id, role, first_call, calls, text, reasoning, error, metadata FROM message WHERE id BETWEEN $1 AND $2 ORDER BY id", e);
    enum step step;
    for (; (step = stmt_step(q, e)) == STEP_ROW; r->messages++) {
        int64_t place = child_place(take_int(q));
        enum role role = (enum role)take_int(q);
        if (place != r->messages || take_int(q) != r->calls)
            out_of_place(r, "message", r->messages);
        r->calls += take_int(q);
        take_use(r, q, (struct text_use){.message = place, .part = TEXT_TEXT, .role = role});
        take_use(r, q, (struct text_use){.message = place, .part = TEXT_REASONING, .role = role});
        take_use(r, q, (struct text_use){.message = place, .part = TEXT_ERROR, .role = role});
        take_use(r, q, (struct text_use){.message = -1});
    }
    return step == STEP_DONE;
}

static bool read_calls(struct reader *r, int64_t *n, struct err *e)
{
    struct stmt *q = of_run(r,
        "SELECT c.id, c.message, c.position, coalesce(m.role, -1), coalesce(m.first_call, -1), c.metadata, c.arguments FROM tool_call c"
        " LEFT JOIN message m ON m.id = (c.id >> 26 << 26) | c.message WHERE c.id BETWEEN $1 AND $2 ORDER BY c.id", e);
    enum step step;
    for (*n = 0; (step = stmt_step(q, e)) == STEP_ROW; ++*n) {
        int64_t place = child_place(take_int(q)), message = take_int(q), position = take_int(q), role = take_int(q);
        if (role < 0 || place != *n || take_int(q) + position != place)
            out_of_place(r, "call", *n);
        take_use(r, q, (struct text_use){.message = -1});
        take_use(r, q, (struct text_use){.message = message, .part = TEXT_ARGUMENTS, .call = (int)position, .role = (enum role)role});
    }
    return step == STEP_DONE;
}

static bool read_scores(struct reader *r, struct err *e)
{
    struct stmt *q = of_run(r, "SELECT answer, target, explanation, metadata FROM score WHERE id BETWEEN $1 AND $2 ORDER BY id", e);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW)
        for (int i = 0; i < 4; i++)
            take_use(r, q, (struct text_use){.message = -1});
    return step == STEP_DONE;
}

/* The rows that say which run uses a block, against those that the run's messages make. */
struct comparison {
    struct stmt *stored;
    enum step step;
    bool same;
};

static bool compare_row(void *ctx, int64_t block, struct slice uses, struct err *e)
{
    struct comparison *c = ctx;
    if (c->step == STEP_ROW) {
        c->same &= take_int(c->stored) == block && slice_eq(take_bytes(c->stored), uses);
        c->step = stmt_step(c->stored, e);
    } else {
        c->same = false;
    }
    return c->step != STEP_ERROR;
}

static bool compare_uses(struct reader *r, bool *same, struct err *e)
{
    struct comparison c = {.stored = db_prepare(r->store->db, "SELECT block, uses FROM block_run WHERE run = $1 ORDER BY block", e), .same = true};
    bind_int(c.stored, r->run);
    c.step = stmt_step(c.stored, e);
    bool ok = c.step != STEP_ERROR && uses_rows(&r->uses, compare_row, &c, e);
    *same = c.same && c.step != STEP_ROW;
    if (c.step == STEP_ROW)
        stmt_reset(c.stored);
    return ok;
}

/* The uses of run.n, and what is wrong with its rows. */
static bool read_run(struct reader *r, int64_t messages, int64_t calls, struct err *e)
{
    int64_t in_transcripts, ncalls;
    r->uses.n = 0;
    r->messages = r->calls = 0;
    r->lost = 0;
    if (!read_transcripts(r, &in_transcripts, e) || !read_messages(r, e) || !read_calls(r, &ncalls, e) || !read_scores(r, e))
        return false;
    if (r->check && (r->messages != messages || in_transcripts != messages))
        check_wrong(r->check, "run %.*s has %lld messages, %lld in its transcripts, and should have %lld", SLICE_ARG(r->id), (long long)r->messages,
                    (long long)in_transcripts, (long long)messages);
    if (r->check && (r->calls != calls || ncalls != calls))
        check_wrong(r->check, "run %.*s has %lld calls, %lld by its messages, and should have %lld", SLICE_ARG(r->id), (long long)ncalls, (long long)r->calls,
                    (long long)calls);
    if (r->check && r->lost)
        check_wrong(r->check, "run %.*s names %zu texts that are not there", SLICE_ARG(r->id), r->lost);
    return true;
}

#define EACH_RUN "SELECT n, id, messages, calls FROM run ORDER BY n"

static bool check_runs(struct check *c, const struct sizes *sizes, struct err *e)
{
    struct reader r = {.check = c, .store = c->store, .sizes = sizes};
    struct stmt *q = db_prepare(c->store->db, EACH_RUN, e);
    enum step step = STEP_ROW;
    bool ok = true, same;
    while (ok && (step = stmt_step(q, e)) == STEP_ROW) {
        r.run = take_int(q);
        r.id = take_bytes(q);
        int64_t messages = take_int(q);
        ok = read_run(&r, messages, take_int(q), e) && compare_uses(&r, &same, e) && check_looked(c, r.messages, e);
        if (ok && !same)
            check_wrong(c, "run %.*s: what search knows of its words is not what its messages say", SLICE_ARG(r.id));
    }
    uses_free(&r.uses);
    return ok && step == STEP_DONE;
}

bool check_texts(struct check *c, struct err *e)
{
    struct sizes sizes = {0};
    bool ok = check_blocks(c, &sizes, e) && check_runs(c, &sizes, e);
    free(sizes.ids);
    free(sizes.texts);
    return ok;
}

/* ---- repair ---------------------------------------------------------------------------------------------------------- */

/* What search knows of a run's words is made of its messages again. */
static bool mend_uses(struct store *s, struct err *e)
{
    struct reader r = {.store = s};
    struct stmt *q = db_prepare(s->db, EACH_RUN, e);
    enum step step = STEP_ROW;
    bool ok = true, same;
    while (ok && (step = stmt_step(q, e)) == STEP_ROW) {
        r.run = take_int(q);
        ok = read_run(&r, 0, 0, e) && compare_uses(&r, &same, e);
        if (!ok || same)
            continue;
        struct stmt *gone = db_prepare(s->db, "DELETE FROM block_run WHERE run = $1", e);
        bind_int(gone, r.run);
        ok = stmt_run(gone, e) && uses_write(s, &r.uses, r.run, e);
    }
    uses_free(&r.uses);
    return ok && step == STEP_DONE;
}

bool mend_texts(struct store *s, struct err *e)
{
    return mend_uses(s, e) && db_script(s->db, "DELETE FROM block WHERE NOT EXISTS (SELECT 1 FROM block_run WHERE block = block.id)", e);
}
