/* Runs into the store and out again: what comes back, which run is which, what is stored once, what is left of what was deleted. */
#include "store_fixture.h"

#include "storage/access.h"
#include "storage/care.h"
#include "storage/redact.h"

#include <sqlite3.h>

/* ---- the same again -------------------------------------------------------------------------------------------------- */

#define same(x, y)                                               \
    do {                                                         \
        struct slice a_ = (x), b_ = (y);                         \
        if (!slice_eq(a_, b_) || !a_.ptr != !b_.ptr)             \
            fail_msg("%s: \"%.*s\" is not \"%.*s\"", #x, SLICE_ARG(a_), SLICE_ARG(b_)); \
    } while (0)

static void same_message(const struct message *x, const struct message *y)
{
    assert_int_equal(x->role, y->role);
    same(x->text, y->text);
    same(x->reasoning, y->reasoning);
    same(x->model, y->model);
    same(x->timestamp, y->timestamp);
    assert_int_equal(x->duration_ms, y->duration_ms);
    assert_int_equal(x->tokens_in, y->tokens_in);
    assert_int_equal(x->tokens_out, y->tokens_out);
    same(x->finish_reason, y->finish_reason);
    same(x->tool_call_id, y->tool_call_id);
    same(x->tool_name, y->tool_name);
    same(x->error, y->error);
    same(x->metadata, y->metadata);
    assert_int_equal(x->ncalls, y->ncalls);
    for (size_t i = 0; i < x->ncalls; i++) {
        same(x->calls[i].call_id, y->calls[i].call_id);
        same(x->calls[i].name, y->calls[i].name);
        same(x->calls[i].arguments, y->calls[i].arguments);
        same(x->calls[i].parse_error, y->calls[i].parse_error);
        same(x->calls[i].metadata, y->calls[i].metadata);
    }
    assert_int_equal(x->nblobs, y->nblobs);
    for (size_t i = 0; i < x->nblobs; i++) {
        same(x->blobs[i].media_type, y->blobs[i].media_type);
        same(x->blobs[i].url, y->blobs[i].url);
        assert_int_equal(x->blobs[i].size, y->blobs[i].size);
        assert_memory_equal(x->blobs[i].sha256, y->blobs[i].sha256, SHA256_SIZE);
    }
}

static void same_run(const struct run *x, const struct run *y)
{
    same(x->external_id, y->external_id);
    same(x->name, y->name);
    same(x->task_id, y->task_id);
    same(x->model, y->model);
    same(x->agent, y->agent);
    assert_int_equal(x->attempt, y->attempt);
    same(x->started_at, y->started_at);
    same(x->ended_at, y->ended_at);
    assert_int_equal(x->success, y->success);
    same(x->exit_status, y->exit_status);
    same(x->error, y->error);
    same(x->limit, y->limit);
    assert_int_equal(x->tokens_in, y->tokens_in);
    assert_int_equal(x->tokens_out, y->tokens_out);
    assert_true(isnan(x->cost_usd) ? isnan(y->cost_usd) : x->cost_usd == y->cost_usd);
    same(x->metadata, y->metadata);
    same(x->source.file, y->source.file);
    same(x->source.location, y->source.location);
    same(x->source.format, y->source.format);
    assert_int_equal(x->ntags, y->ntags);
    for (size_t i = 0; i < x->ntags; i++)
        same(x->tags[i], y->tags[i]);
    assert_int_equal(x->nscores, y->nscores);
    for (size_t i = 0; i < x->nscores; i++) {
        same(x->scores[i].name, y->scores[i].name);
        same(x->scores[i].value, y->scores[i].value);
        same(x->scores[i].answer, y->scores[i].answer);
        same(x->scores[i].target, y->scores[i].target);
        same(x->scores[i].explanation, y->scores[i].explanation);
        same(x->scores[i].metadata, y->scores[i].metadata);
    }
    assert_int_equal(x->ntranscripts, y->ntranscripts);
    for (size_t i = 0; i < x->ntranscripts; i++) {
        const struct transcript *t = &x->transcripts[i], *u = &y->transcripts[i];
        same(t->id, u->id);
        same(t->parent, u->parent);
        same(t->name, u->name);
        same(t->metadata, u->metadata);
        assert_int_equal(t->nmessages, u->nmessages);
        for (size_t k = 0; k < t->nmessages; k++)
            same_message(&t->messages[k], &u->messages[k]);
    }
}

/* Every field set, texts with NULs, other alphabets, empty beside absent, one larger than a block. */
static struct run *full_run(struct fixture *f)
{
    struct run *run = simple_run(f, S("ext#e1"), S("nothing"));
    char *large = arena_alloc(&f->a, 100000);
    for (size_t i = 0; i < 100000; i++)
        large[i] = (char)('a' + i * i % 26);
    run->name = S("");
    run->agent = S("агент");
    run->attempt = 0;
    run->started_at = S("2026-01-02T03:04:05.123Z");
    run->ended_at = S("2026-01-02T03:05:05Z");
    run->success = VERDICT_PASSED;
    run->exit_status = S("submitted");
    run->error = S("Traceback\0with a NUL");
    run->limit = S("tokens");
    run->tokens_in = 0;
    run->tokens_out = INT64_MAX;
    run->cost_usd = 0.1;
    static struct slice tags[] = {SLICE_LIT("zeta"), SLICE_LIT("alpha")};
    run->tags = tags;
    run->ntags = 2;
    run->metadata = S("{\"a\": {\"b\": [1, \"x\"]}, \"seed\": 7}");
    run->source.location = S("line 12");
    run->scores = arena_array(&f->a, struct score, 2);
    run->nscores = 2;
    run->scores[0] = (struct score){S("correct"), S("true"), S("42"), S("[\"42\", \"forty-two\"]"), S(""), S("{}")};
    run->scores[1].name = S("other");
    run->transcripts = arena_array(&f->a, struct transcript, 3);
    run->ntranscripts = 3;
    struct transcript *t = run->transcripts;
    t[0] = (struct transcript){.id = S("main"), .name = S("Main"), .metadata = S("{\"x\": 1}"), .nmessages = 3};
    t[1] = (struct transcript){.parent = S("main")}; /* without a message */
    t[2] = (struct transcript){.id = S("sub"), .parent = S("main"), .nmessages = 1};
    t[0].messages = arena_array(&f->a, struct message, 3);
    t[2].messages = arena_array(&f->a, struct message, 1);
    message(&t[0].messages[0], ROLE_USER, slice_of(large, 100000));
    struct message *m = message(&t[0].messages[1], ROLE_ASSISTANT, S(""));
    m->reasoning = S("hm\0m, \xf0\x9f\x90\xb3");
    m->model = S("m");
    m->timestamp = S("2026-01-02T03:04:06Z");
    m->duration_ms = 12;
    m->tokens_in = 3;
    m->tokens_out = 4;
    m->finish_reason = S("tool_calls");
    m->metadata = S("{\"raw\": \"\\u0000\"}");
    m->calls = arena_array(&f->a, struct tool_call, 2);
    m->ncalls = 2;
    m->calls[0] = (struct tool_call){.call_id = S("c1"), .name = S("bash"), .arguments = S("{\"cmd\": \"ls\"}"), .metadata = S("{\"n\": 1}")};
    m->calls[1] = (struct tool_call){.name = S("bash"), .arguments = S("{not json"), .parse_error = S("expected a key")};
    m = message(&t[0].messages[2], ROLE_TOOL, SLICE_NONE);
    m->tool_call_id = S("c1");
    m->tool_name = S("bash");
    m->error = S("exit 1");
    m->blobs = arena_array(&f->a, struct blob, 2);
    m->nblobs = 2;
    m->blobs[0] = (struct blob){.media_type = S("image/png"), .bytes = S("\x89PNG\0..."), .size = 8};
    sha256_of(m->blobs[0].bytes, m->blobs[0].sha256);
    m->blobs[1] = (struct blob){.media_type = S("image/gif"), .url = S("https://example.org/a.gif")};
    m = message(&t[2].messages[0], ROLE_ASSISTANT, S("done"));
    m->calls = arena_array(&f->a, struct tool_call, 1);
    m->ncalls = 1;
    m->calls[0] = (struct tool_call){.name = S("submit"), .arguments = S("{}")};
    return run;
}

static void what_was_put_in_comes_out(void **state)
{
    struct fixture *f = *state;
    struct run *run = full_run(f), out;
    assert_int_equal(put_run(f, run, "/x/runs.jsonl", 0, true, NULL), PUT_NEW);
    struct run_rows rows = all_runs(f);
    assert_int_equal(rows.n, 1);
    assert_int_equal(rows.items[0].messages, 4);
    assert_int_equal(rows.items[0].calls, 3);
    assert_int_equal(rows.items[0].run.transcripts[0].nmessages, 3);
    OK(store_run_load(f->store, rows.items[0].run.id, &f->a, &out, &e));
    assert_true(uuid_valid(out.id));
    same_run(run, &out);

    unsigned char before[HASH_SIZE], after[HASH_SIZE];
    run_content_hash(run, before);
    run_content_hash(&out, after);
    assert_memory_equal(before, after, HASH_SIZE);

    /* A run without anything. */
    struct run empty;
    run_init(&empty);
    assert_int_equal(put_run(f, &empty, "/x/empty.jsonl", 0, true, NULL), PUT_NEW);
    OK(store_run_load(f->store, all_runs(f).items[0].run.id, &f->a, &out, &e));
    same_run(&empty, &out);
}

static void messages_come_in_ranges(void **state)
{
    struct fixture *f = *state;
    struct run *run = full_run(f);
    put_run(f, run, "/x/runs.jsonl", 0, true, NULL);
    struct slice id = all_runs(f).items[0].run.id;
    struct message *messages;
    struct message_mark *marks;
    size_t n;
    uint32_t total;
    OK(store_messages(f->store, id, 0, 1, 1, &f->a, &messages, &n, &total, &e));
    assert_int_equal(n, 1);
    assert_int_equal(total, 3);
    same_message(&run->transcripts[0].messages[1], &messages[0]);
    OK(store_messages(f->store, id, 0, 2, 50, &f->a, &messages, &n, &total, &e));
    assert_int_equal(n, 1);
    same_message(&run->transcripts[0].messages[2], &messages[0]);
    OK(store_messages(f->store, id, 2, 0, 50, &f->a, &messages, &n, &total, &e));
    assert_int_equal(n, 1);
    same_message(&run->transcripts[2].messages[0], &messages[0]);
    OK(store_messages(f->store, id, 0, 3, 50, &f->a, &messages, &n, &total, &e));
    assert_int_equal(n, 0);
    OK(store_messages(f->store, id, 1, 0, 50, &f->a, &messages, &n, &total, &e));
    assert_int_equal(total, 0);
    FAILS(ERR_NOT_FOUND, store_messages(f->store, id, 3, 0, 50, &f->a, &messages, &n, &total, &e));
    FAILS(ERR_NOT_FOUND, store_messages(f->store, id, -1, 0, 50, &f->a, &messages, &n, &total, &e));
    FAILS(ERR_NOT_FOUND, store_messages(f->store, S("none"), 0, 0, 50, &f->a, &messages, &n, &total, &e));

    OK(store_marks(f->store, id, 0, &f->a, &marks, &n, &e));
    assert_int_equal(n, 3);
    assert_int_equal(marks[0].bytes, 100000);
    assert_int_equal(marks[1].calls, 2);
    assert_int_equal(marks[1].role, ROLE_ASSISTANT);
    assert_true(marks[2].error);
    assert_false(marks[1].error);
    assert_true(marks[0].at == MARK_NO_TIME);
    assert_true(marks[1].at == INT64_C(1767323046000000)); /* 2026-01-02T03:04:06Z */
}

static void images_are_kept_by_their_hash(void **state)
{
    struct fixture *f = *state;
    struct run *run = full_run(f);
    char hex[2 * SHA256_SIZE + 1];
    struct blob blob;
    put_run(f, run, "/x/runs.jsonl", 0, true, NULL);
    hash_hex(run->transcripts[0].messages[2].blobs[0].sha256, SHA256_SIZE, hex);
    OK(store_blob(f->store, slice_str(hex), &f->a, &blob, &e));
    same(blob.bytes, S("\x89PNG\0..."));
    same(blob.media_type, S("image/png"));
    FAILS(ERR_NOT_FOUND, store_blob(f->store, S("no hash"), &f->a, &blob, &e));
    hex[0] = hex[0] == 'a' ? 'b' : 'a';
    FAILS(ERR_NOT_FOUND, store_blob(f->store, slice_str(hex), &f->a, &blob, &e));
    OK(store_blob_put(f->store, f->collection, S("text/plain"), S("twice"), &e));
    OK(store_blob_put(f->store, f->collection, S("text/plain"), S("twice"), &e));
    assert_int_equal(number(f, "SELECT count(*) FROM blob"), 2);
}

/* ---- which run is which ---------------------------------------------------------------------------------------------- */

static void the_same_content_again_changes_nothing(void **state)
{
    struct fixture *f = *state;
    struct run *run = full_run(f);
    assert_int_equal(put_run(f, run, "/x/a", 0, true, NULL), PUT_NEW);
    struct slice id = all_runs(f).items[0].run.id;
    int64_t changes = number(f, "SELECT count(*) FROM block") + number(f, "SELECT seq FROM sqlite_sequence WHERE name = 'block'");
    assert_int_equal(put_run(f, run, "/x/a", 0, true, NULL), PUT_DUPLICATE);
    assert_int_equal(put_run(f, run, "/x/a", 0, false, NULL), PUT_DUPLICATE);
    same(all_runs(f).items[0].run.id, id);
    assert_int_equal(number(f, "SELECT count(*) FROM block") + number(f, "SELECT seq FROM sqlite_sequence WHERE name = 'block'"), changes);
    /* In another file, or the second of its name in this one, it is another run. */
    assert_int_equal(put_run(f, run, "/x/b", 0, true, NULL), PUT_NEW);
    assert_int_equal(put_run(f, run, "/x/a", 1, true, NULL), PUT_NEW);
    assert_int_equal(put_run(f, run, "/x/a", 1, true, NULL), PUT_DUPLICATE);
    assert_int_equal(all_runs(f).n, 3);
}

static void a_file_that_grew_replaces_its_run(void **state)
{
    struct fixture *f = *state;
    struct run *run = simple_run(f, S("r"), S("first"));
    put_run(f, run, "/x/a", 0, true, NULL);
    struct slice id = all_runs(f).items[0].run.id;
    struct filter filter = FILTER_ANY;
    uint64_t changed;
    filter.ids = &id;
    filter.nids = 1;
    OK(store_tag(f->store, &filter, S("mine"), true, &changed, &e));
    assert_int_equal(changed, 1);

    struct run *grown = simple_run(f, S("r"), S("second"));
    grown->task_id = S("task-2");
    grown->model = S("model-b");
    grown->success = VERDICT_PASSED;
    grown->tags = (struct slice[]){S("theirs")};
    grown->ntags = 1;
    assert_int_equal(put_run(f, grown, "/x/a", 0, true, NULL), PUT_UPDATED);
    struct run_rows rows = all_runs(f);
    assert_int_equal(rows.n, 1);
    same(rows.items[0].run.id, id);
    struct run out;
    OK(store_run_load(f->store, id, &f->a, &out, &e));
    assert_int_equal(out.ntags, 2);
    same(out.tags[0], S("theirs"));
    same(out.tags[1], S("mine"));
    out.ntags = 1;
    same_run(grown, &out);

    struct collection_row c;
    OK(store_collection(f->store, f->collection, &f->a, &c, &e));
    assert_int_equal(c.runs, 1);
    assert_int_equal(c.passed, 1);
    assert_int_equal(c.failed, 0);
    assert_int_equal(c.tasks, 1);
    assert_int_equal(number(f, "SELECT count(*) FROM task_model WHERE model = 'model-b' AND runs = 1 AND passed = 1"), 1);
    assert_int_equal(number(f, "SELECT count(*) FROM task_model"), 1);
}

static void an_upload_replaces_only_when_asked(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(put_run(f, simple_run(f, S("r"), S("one")), "upload:a.json", 0, false, NULL), PUT_NEW);
    assert_int_equal(put_run(f, simple_run(f, S("r"), S("two")), "upload:a.json", 0, false, NULL), PUT_NEW);
    assert_int_equal(put_run(f, simple_run(f, S("r"), S("two")), "upload:a.json", 0, false, NULL), PUT_DUPLICATE);
    assert_int_equal(put_run(f, simple_run(f, S("r"), S("one")), "upload:a.json", 0, false, NULL), PUT_DUPLICATE);
    assert_int_equal(all_runs(f).n, 2);
    assert_int_equal(put_run(f, simple_run(f, S("r"), S("three")), "upload:a.json", 0, true, NULL), PUT_UPDATED);
    assert_int_equal(all_runs(f).n, 2);
}

static void same_labels(const struct label *x, const struct label *y, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        same(x[i].set, y[i].set);
        same(x[i].value, y[i].value);
        same(x[i].who, y[i].who);
        same(x[i].when, y[i].when);
    }
}

static void labels_stay_with_their_run(void **state)
{
    struct fixture *f = *state;
    const struct label first[] = {{S("notes"), S("{\"note\":\"look\"}"), S("ann"), S("2026-01-02T03:04:05Z"), SLICE_NONE},
                                  {S("notes"), S("{\"note\":\"look\"}"), S("ann"), S("2026-01-02T03:04:05Z"), SLICE_NONE},
                                  {S("grade"), S("3"), SLICE_NONE, S("2026-01-02T03:04:06Z"), SLICE_NONE}};
    const struct label other = {S("grade"), S("4"), SLICE_NONE, S("2026-01-02T03:04:07Z"), SLICE_NONE};
    struct run *run = simple_run(f, S("r"), S("first")), out;
    run->labels = (struct label *)first;
    run->nlabels = 3;
    assert_int_equal(put_run(f, run, "/x/a", 0, true, NULL), PUT_NEW);
    struct slice id = all_runs(f).items[0].run.id;
    OK(store_run_load(f->store, id, &f->a, &out, &e));
    assert_int_equal(out.nlabels, 3);
    same_labels(out.labels, first, 3);
    assert_int_equal(number(f, "SELECT count(*) FROM labels WHERE run = (SELECT id FROM runs) AND label_set = 'notes' AND who = 'ann'"
                               " AND value ->> 'note' = 'look' AND \"when\" = '2026-01-02T03:04:05Z'"), 2);
    int64_t changes = number(f, "SELECT max(n) FROM label");
    assert_int_equal(put_run(f, run, "/x/a", 0, true, NULL), PUT_DUPLICATE);
    assert_int_equal(put_run(f, run, "/x/a", 0, false, NULL), PUT_DUPLICATE);
    assert_int_equal(number(f, "SELECT max(n) FROM label"), changes);

    /* An upload without `replace` adds what is new, its own file says what there is; a label given here is nobody's to take. */
    OK(db_script(f->store->db, "INSERT INTO label (run, label_set, value, created_at) SELECT n, 'mine', 'true', '2026-02-01T00:00:00Z' FROM run", &e));
    run->labels = (struct label *)&other;
    run->nlabels = 1;
    assert_int_equal(put_run(f, run, "/x/a", 0, false, NULL), PUT_UPDATED);
    assert_int_equal(put_run(f, run, "/x/a", 0, false, NULL), PUT_DUPLICATE);
    assert_int_equal(number(f, "SELECT count(*) FROM label"), 5);
    assert_int_equal(put_run(f, run, "/x/a", 0, true, NULL), PUT_UPDATED);
    OK(store_run_load(f->store, id, &f->a, &out, &e));
    assert_int_equal(out.nlabels, 2);
    same_labels(out.labels, &other, 1);
    same(out.labels[1].set, S("mine"));

    struct run *grown = simple_run(f, S("r"), S("second"));
    grown->labels = (struct label[]){{.set = S("grade"), .value = S("5")}};
    grown->nlabels = 1;
    assert_int_equal(put_run(f, grown, "/x/a", 0, true, NULL), PUT_UPDATED);
    OK(store_run_load(f->store, id, &f->a, &out, &e));
    assert_int_equal(out.nlabels, 2);
    same(out.labels[0].value, S("5"));
    assert_true(out.labels[0].when.len > 0);
    same(out.labels[1].set, S("mine"));
    OK(store_run_delete(f->store, id, &e));
    assert_int_equal(number(f, "SELECT count(*) FROM label"), 0);
}

static void a_native_run_is_known_by_its_uuid(void **state)
{
    struct fixture *f = *state;
    struct slice uuid = S("0a1b2c3d-0000-4000-8000-00000000000a");
    struct run *run = simple_run(f, S("r"), S("one")), *changed = simple_run(f, S("r"), S("two"));
    run->id = changed->id = uuid;
    assert_int_equal(put_run(f, run, "/x/a", 0, true, NULL), PUT_NEW);
    same(all_runs(f).items[0].run.id, uuid);
    assert_int_equal(put_run(f, run, "/y/b", 0, true, NULL), PUT_DUPLICATE);
    /* A stranger from another file that bears its name overwrites nothing. */
    assert_int_equal(put_run(f, changed, "/y/b", 0, true, NULL), PUT_NEW);
    assert_int_equal(put_run(f, changed, "/y/b", 0, true, NULL), PUT_DUPLICATE);
    assert_int_equal(all_runs(f).n, 2);
    assert_int_equal(put_run(f, changed, "/x/a", 0, true, NULL), PUT_UPDATED);
    assert_int_equal(all_runs(f).n, 2);

    /* In another collection it is another run, the same one each time. */
    struct collection_row row;
    OK(store_collection_add(f->store, &(struct collection_row){.name = S("d")}, &f->a, &row, &e));
    f->collection = row.id;
    assert_int_equal(put_run(f, run, "/x/a", 0, true, NULL), PUT_NEW);
    assert_int_equal(put_run(f, run, "/x/a", 0, true, NULL), PUT_DUPLICATE);
    assert_int_equal(all_runs(f).n, 1);
    assert_false(slice_eq(all_runs(f).items[0].run.id, uuid));
    /* An id that is no UUID is no id. */
    run->id = S("not-a-uuid");
    assert_int_equal(put_run(f, run, "/x/c", 0, true, NULL), PUT_NEW);
}

static void ids_are_the_same_in_another_database(void **state)
{
    struct fixture *f = *state, *other;
    struct run *run = simple_run(f, S("r"), S("one"));
    put_run(f, run, "/x/a", 0, true, NULL);
    set_up((void **)&other);
    OK(store_collection_change(other->store, other->collection, &(struct collection_row){.id = f->collection, .name = S("renamed")}, &e));
    other->collection = f->collection;
    put_run(other, run, "/x/a", 0, true, NULL);
    same(all_runs(other).items[0].run.id, all_runs(f).items[0].run.id);
    FAILS(ERR_CONFLICT, store_collection_change(other->store, S("renamed"), &(struct collection_row){.id = S("x")}, &e));
    tear_down((void **)&other);
}

static void the_bytes_of_a_file_are_known(void **state)
{
    struct fixture *f = *state;
    struct put *put = store_put_new(f->store, &(struct put_target){.collection = f->collection, .replace = true});
    struct run *run = simple_run(f, S("r"), S("one"));
    struct put_name name = name_of(run, "/x/a", 0);
    const struct file_row file = {.hash = {1, 2, 3}, .path = S("/x/a"), .name = S("a"), .bytes = 10, .runs = 1, .refused = 2};
    uint64_t counts[PUT_OUTCOMES] = {0};
    struct file_row found;
    struct slices tasks = {0};
    bool known;
    OK(store_put_add(put, &name, run, NULL, NULL, 0, &e));
    store_put_file(put, &file);
    OK(store_file_known(f->store, f->collection, file.hash, &f->a, &known, &found, &e));
    assert_false(known);
    OK(store_put_commit(put, counts, &f->a, &tasks, &e));
    assert_int_equal(tasks.n, 1);
    same(tasks.items[0], S("task-1"));
    OK(store_file_known(f->store, f->collection, file.hash, &f->a, &known, &found, &e));
    assert_true(known);
    same(found.path, file.path);
    same(found.format, SLICE_NONE);
    assert_int_equal(found.refused, 2);
    store_put_free(put);
    OK(store_run_delete(f->store, all_runs(f).items[0].run.id, &e));
    OK(store_file_known(f->store, f->collection, file.hash, &f->a, &known, &found, &e));
    assert_false(known);
}

static void a_put_into_no_collection_says_so(void **state)
{
    struct fixture *f = *state;
    struct put *put = store_put_new(f->store, &(struct put_target){.collection = S("nowhere")});
    struct run *run = simple_run(f, S("r"), S("one"));
    struct put_name name = name_of(run, "/x/a", 0);
    bool known;
    FAILS(ERR_NOT_FOUND, store_put_known(put, &name, run, &known, &e));
    FAILS(ERR_NOT_FOUND, store_put_add(put, &name, run, NULL, NULL, 0, &e));
    store_put_free(put);
}

/* ---- once ------------------------------------------------------------------------------------------------------------ */

static void a_text_that_repeats_is_stored_once(void **state)
{
    struct fixture *f = *state;
    /* In many transactions, and by puts that know nothing of each other. */
    for (int i = 0; i < 100; i++) {
        struct run *run = simple_run(f, arena_printf(&f->a, "r%d", i), arena_printf(&f->a, "answer number %d", i));
        assert_int_equal(put_run(f, run, "/x/a", 0, true, NULL), PUT_NEW);
    }
    assert_int_equal(number(f, "SELECT count(DISTINCT text) FROM message WHERE role = 0"), 1);
    assert_int_equal(number(f, "SELECT count(*) FROM message WHERE role = 0"), 100);
    assert_int_equal(number(f, "SELECT count(*) FROM block_hash"), 1);
    assert_int_equal(number(f, "SELECT count(*) FROM block_run WHERE block = (SELECT text >> 16 FROM message WHERE role = 0 LIMIT 1)"), 100);
    /* In one transaction: one block holds them all. */
    struct put *put = store_put_new(f->store, &(struct put_target){.collection = f->collection});
    uint64_t counts[PUT_OUTCOMES] = {0};
    int64_t blocks = number(f, "SELECT count(*) FROM block");
    for (int i = 0; i < 100; i++) {
        struct run *run = simple_run(f, arena_printf(&f->a, "s%d", i), S("another answer"));
        struct put_name name = name_of(run, "/x/b", 0);
        OK(store_put_add(put, &name, run, NULL, NULL, 0, &e));
    }
    assert_true(store_put_bytes(put) > 0);
    OK(store_put_commit(put, counts, &f->a, NULL, &e));
    store_put_free(put);
    assert_int_equal(counts[PUT_NEW], 100);
    assert_int_equal(number(f, "SELECT count(*) FROM block"), blocks + 1);
    assert_int_equal(number(f, "SELECT count(DISTINCT text) FROM message WHERE role = 0"), 1);
}

static void blocks_are_small_and_neighbours_share_them(void **state)
{
    struct fixture *f = *state;
    struct run *run = simple_run(f, S("r"), S("x"));
    size_t n = 2000;
    run->transcripts->messages = arena_array(&f->a, struct message, n);
    run->transcripts->nmessages = n;
    for (size_t i = 0; i < n; i++) {
        char *text = arena_alloc(&f->a, 500);
        for (size_t k = 0; k < 500; k++)
            text[k] = (char)('a' + (i * 31 + k * k) % 26);
        message(&run->transcripts->messages[i], ROLE_USER, slice_of(text, 100 + i % 400));
    }
    put_run(f, run, "/x/a", 0, true, NULL);
    int64_t blocks = number(f, "SELECT count(*) FROM block");
    assert_in_range(blocks, 5, 40);
    struct run out;
    OK(store_run_load(f->store, all_runs(f).items[0].run.id, &f->a, &out, &e));
    same_run(run, &out);
    assert_int_equal(number(f, "SELECT count(*) FROM block_run"), blocks);
}

/* ---- gone ------------------------------------------------------------------------------------------------------------ */

static const char *const tables[] = {"task", "task_model", "run", "run_detail", "run_tag", "score", "transcript", "message", "tool_call", "blob",
                                     "message_blob", "block", "block_hash", "block_run", "finding", "span", "incomplete", "file",
                                     "kept_review"};

static void nothing_is_left_of_a_deleted_run(void **state)
{
    struct fixture *f = *state;
    struct run *run = full_run(f), *neighbour = simple_run(f, S("n"), S("neighbour"));
    struct findings found = {0};
    const struct incomplete unfinished = {S("slow"), S("deadline")};
    add_finding(f, &found, "missing-program", KIND_BROKEN_TASK, SEVERITY_LOW, 1, 0, "What");
    struct put *put = store_put_new(f->store, &(struct put_target){.collection = f->collection});
    struct put_name name = name_of(run, "/x/a", 0);
    uint64_t counts[PUT_OUTCOMES] = {0}, changed;
    OK(store_put_add(put, &name, run, &found, &unfinished, 1, &e));
    name = name_of(neighbour, "/x/b", 0);
    OK(store_put_add(put, &name, neighbour, NULL, NULL, 0, &e));
    store_put_file(put, &(struct file_row){.hash = {1}, .path = S("/x/a")});
    OK(store_put_commit(put, counts, &f->a, NULL, &e));
    store_put_free(put);

    struct slice id = all_runs(f).items[0].run.id, other = all_runs(f).items[1].run.id;
    struct filter filter = FILTER_ANY;
    filter.collection = f->collection;
    OK(store_tag(f->store, &filter, S("mine"), true, &changed, &e));
    assert_int_equal(changed, 2);
    struct findings of_task = {0};
    struct finding *about = add_finding(f, &of_task, "task-lacks-program", KIND_BROKEN_TASK, SEVERITY_HIGH, 1, 0, "What");
    about->scope = SCOPE_TASK;
    about->task_id = S("task-1");
    about->evidence->run = id;
    bool different;
    OK(store_task_findings(f->store, f->collection, S("task-1"), &of_task, NULL, 0, &different, &e));
    assert_true(different);

    OK(store_run_delete(f->store, id, &e));
    FAILS(ERR_NOT_FOUND, store_run_delete(f->store, id, &e));
    struct run out;
    OK(store_run_load(f->store, other, &f->a, &out, &e));
    out.ntags = 0;
    same_run(neighbour, &out);
    struct collection_row c;
    OK(store_collection(f->store, f->collection, &f->a, &c, &e));
    assert_int_equal(c.runs, 1);
    assert_int_equal(c.findings, 0);
    assert_int_equal(c.flagged, 0);
    assert_int_equal(c.broken_tasks, 0);
    assert_int_equal(number(f, "SELECT count(*) FROM finding"), 0);
    assert_int_equal(number(f, "SELECT count(*) FROM span"), 0);

    OK(store_run_delete(f->store, other, &e));
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        char sql[64];
        snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", tables[i]);
        if (number(f, sql))
            fail_msg("rows are left in %s", tables[i]);
    }
    /* What is written next does not fall on what was deleted. */
    assert_int_equal(put_run(f, run, "/x/a", 0, true, &found), PUT_NEW);
    OK(store_run_load(f->store, all_runs(f).items[0].run.id, &f->a, &out, &e));
    same_run(run, &out);
}

static void a_collection_goes_with_all_that_is_in_it(void **state)
{
    struct fixture *f = *state;
    struct findings found = {0};
    add_finding(f, &found, "missing-program", KIND_BROKEN_TASK, SEVERITY_LOW, 1, 0, "What");
    for (int i = 0; i < 250; i++)
        put_run(f, simple_run(f, arena_printf(&f->a, "r%d", i), S("x")), "/x/a", 0, true, &found);
    const struct finding about = {.detector = S("d"), .behavior = S("b"), .scope = SCOPE_COLLECTION, .title = S("t")};
    struct finding of_task = about;
    of_task.scope = SCOPE_TASK;
    of_task.task_id = S("a task without runs");
    OK(store_finding_put(f->store, f->collection, &about, &e));
    OK(store_finding_put(f->store, f->collection, &of_task, &e));
    OK(store_collection_delete(f->store, f->collection, &e));
    FAILS(ERR_NOT_FOUND, store_collection_delete(f->store, f->collection, &e));
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        char sql[64];
        snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", tables[i]);
        if (number(f, sql))
            fail_msg("rows are left in %s", tables[i]);
    }
}

/* A text known to a put whose block goes before the put is committed. */
static void a_text_that_goes_meanwhile_is_stored_again(void **state)
{
    struct fixture *f = *state;
    struct run *first = simple_run(f, S("first"), S("x")), *second = simple_run(f, S("second"), S("y")), out;
    put_run(f, first, "/x/a", 0, true, NULL);
    struct put *put = store_put_new(f->store, &(struct put_target){.collection = f->collection});
    struct put_name name = name_of(second, "/x/b", 0);
    uint64_t counts[PUT_OUTCOMES] = {0};
    OK(store_put_add(put, &name, second, NULL, NULL, 0, &e));
    OK(store_run_delete(f->store, all_runs(f).items[0].run.id, &e));
    assert_int_equal(number(f, "SELECT count(*) FROM block"), 0);
    OK(store_put_commit(put, counts, &f->a, NULL, &e));
    store_put_free(put);
    OK(store_run_load(f->store, all_runs(f).items[0].run.id, &f->a, &out, &e));
    same_run(second, &out);
}

/* ---- the contract's views -------------------------------------------------------------------------------------------- */

static void the_views_read_as_the_data_model(void **state)
{
    struct fixture *f = *state;
    struct findings found = {0};
    add_finding(f, &found, "missing-program", KIND_BROKEN_TASK, SEVERITY_LOW, 1, 0, "What");
    put_run(f, full_run(f), "/x/a", 0, true, &found);
    static const char *const views[] = {"collections", "runs", "scores", "transcripts", "messages", "tool_calls", "findings", "evidence", "labels",
                                        "tasks", "judgments"};
    static const int rows[] = {1, 1, 2, 3, 4, 3, 1, 1, 0, 1, 0};
    for (size_t i = 0; i < sizeof views / sizeof *views; i++) {
        char sql[64];
        snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", views[i]);
        assert_int_equal(number(f, sql), rows[i]);
    }
    assert_int_equal(number(f, "SELECT count(*) FROM messages WHERE text = '' AND reasoning LIKE 'hm%' AND \"index\" = 1 AND transcript = 'main'"), 1);
    assert_int_equal(number(f, "SELECT length(text) FROM messages WHERE transcript = 'main' AND \"index\" = 0"), 100000);
    assert_int_equal(number(f, "SELECT count(*) FROM messages WHERE text IS NULL"), 1);
    assert_int_equal(number(f, "SELECT count(*) FROM tool_calls WHERE transcript = 'sub' AND message = 0 AND name = 'submit'"), 1);
    assert_int_equal(number(f, "SELECT value FROM scores WHERE name = 'correct'"), 1);
    assert_int_equal(number(f, "SELECT count(*) FROM runs WHERE \"limit\" = 'tokens' AND success = 1 AND task_id = 'task-1' AND json_extract(tags, '$[0]') = 'zeta'"), 1);
    assert_int_equal(number(f, "SELECT count(*) FROM runs WHERE source ->> 'location' = 'line 12' AND metadata ->> 'seed' = 7"), 1);
    assert_int_equal(number(f, "SELECT count(*) FROM evidence WHERE transcript = 'main' AND quote = 'What' AND message = 1"), 1);
    assert_int_equal(number(f, "SELECT count(*) FROM tasks WHERE attempts = 1 AND successes = 1 AND pass_rate = 1.0 AND models = '[\"model-a\"]' AND verdict = 'sound' AND findings = 1"), 1);
}

/* How many steps the statements that say `word` have taken. */
static int steps(struct fixture *f, const char *word)
{
    int sum = 0;
    for (sqlite3_stmt *q = NULL; (q = sqlite3_next_stmt(db_raw(f->store->db), q));)
        if (strstr(sqlite3_sql(q), word))
            sum += sqlite3_stmt_status(q, SQLITE_STMTSTATUS_VM_STEP, 0);
    return sum;
}

/* What stays is walked over once, and the log has one row for a pass. */
static void pruning_goes_on_from_where_it_was(void **state)
{
    enum { RUNS = 1700, SPARED = 1200 };
    struct fixture *f = *state;
    struct pruned pruned;
    struct put *put = store_put_new(f->store, &(struct put_target){.collection = f->collection, .imported = 1000000});
    uint64_t counts[PUT_OUTCOMES] = {0};
    for (int i = 0; i < RUNS; i++) {
        struct run run = {.external_id = arena_printf(&f->a, "%d", i)};
        struct put_name name = name_of(&run, "/a", 0);
        name.place = RUNS - i;
        OK(store_put_add(put, &name, &run, NULL, NULL, 0, &e));
    }
    OK(store_put_commit(put, counts, NULL, NULL, &e));
    store_put_free(put);
    /* Some of a later import, two of them at one place; the first of the older one stay. */
    OK(db_script(f->store->db, "UPDATE run SET imported = 2000000, place = max(place, 2) WHERE n > 1650;"
                               "INSERT INTO run_tag (run, tag, position, by_hand) SELECT n, 'mine', 0, 1 FROM run WHERE n <= 1200", &e));
    store_act_as(f->store, &(const struct actor){.name = S("job:prune"), .action = S("job:prune")});
    OK(store_prune(f->store, &(struct prune_wish){.keep = {.bytes = 1}}, &pruned, &e));
    store_act_as(f->store, NULL);
    assert_int_equal(pruned.deleted, RUNS - SPARED);
    assert_int_equal(number(f, "SELECT count(*) FROM run"), SPARED);
    assert_int_equal(number(f, "SELECT count(*) FROM audit"), 1);
    assert_int_equal(number(f, "SELECT count(*) FROM audit WHERE detail = '{\"deleted_runs\":500}'"), 1);
    /* Six slices over 1,200 runs that stay: each of these once takes some 30 steps. */
    assert_in_range(steps(f, "c.keep IS NULL AND r.imported"), SPARED, 60 * RUNS);
}

/* A value that cannot be set is counted, and those after it are looked through all the same. */
static void redaction_goes_on_behind_what_it_cannot_set(void **state)
{
    struct fixture *f = *state;
    struct secrets *secrets;
    struct redacted out;
    struct run first = {.external_id = S("a")}, second = {.external_id = S("b")};
    put_run(f, &first, "/a", 0, false, NULL);
    put_run(f, &second, "/b", 0, false, NULL);
    /* More than go at once, of which most may not change. */
    OK(db_script(f->store->db, "INSERT INTO run_tag (run, tag, position, by_hand) WITH RECURSIVE i(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM i LIMIT 250)"
                               " SELECT 1, printf('SECRET-%03d%s', n, iif(n % 2 OR n < 210, ' kept', '')), 0, 1 FROM i;"
                               "INSERT INTO run_tag (run, tag, position, by_hand) VALUES (2, 'SECRET-000', 0, 1);"
                               "CREATE TEMP TRIGGER kept BEFORE UPDATE ON run_tag WHEN old.tag LIKE '%kept' BEGIN SELECT RAISE(IGNORE); END", &e));
    OK(secrets_compile(&(struct secret_own){S("word"), S("SECRET-[0-9]{3}")}, 1, &secrets, &e));
    OK(store_redact(f->store, &(struct redact_wish){.secrets = secrets}, &f->a, &out, &e));
    secrets_unref(secrets);
    assert_int_equal(out.refused, 230);
    assert_int_equal(number(f, "SELECT count(*) FROM run_tag WHERE run = 1 AND tag LIKE '[redacted:word]%'"), 20);
    assert_int_equal(number(f, "SELECT count(*) FROM run_tag WHERE run = 2 AND tag = '[redacted:word]'"), 1);
    assert_int_equal(out.secrets, 21);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_put_in_comes_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(messages_come_in_ranges, set_up, tear_down),
        cmocka_unit_test_setup_teardown(images_are_kept_by_their_hash, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_same_content_again_changes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_that_grew_replaces_its_run, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_upload_replaces_only_when_asked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(labels_stay_with_their_run, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_native_run_is_known_by_its_uuid, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ids_are_the_same_in_another_database, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_bytes_of_a_file_are_known, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_put_into_no_collection_says_so, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_text_that_repeats_is_stored_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(blocks_are_small_and_neighbours_share_them, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_is_left_of_a_deleted_run, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_collection_goes_with_all_that_is_in_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_text_that_goes_meanwhile_is_stored_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pruning_goes_on_from_where_it_was, set_up, tear_down),
        cmocka_unit_test_setup_teardown(redaction_goes_on_behind_what_it_cannot_set, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_views_read_as_the_data_model, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
