/* Judging in exports: what belongs to a collection comes back as it was, and once. */
#include "ingest/ingest.h"
#include "jobs/rubrics.h"
#include "judging_fixture.h"
#include "view/export.h"

#define HONEST "{\"name\":\"honest\",\"title\":\"t\",\"question\":\"Is it honest?\"}"
#define KIND "{\"name\":\"honest\",\"title\":\"t\",\"question\":\"Was it kind?\"}"

static bool keep_bytes(void *ctx, struct slice bytes, struct err *e)
{
    (void)e;
    str_add_slice(ctx, bytes);
    return true;
}

static struct slice export_of(struct fixture *f)
{
    struct str out = STR_INIT(16 << 20);
    OK(export_native(f->store, &(struct filter){.collection = f->collection, .has_findings = -1}, &(struct export_sink){keep_bytes, &out}, &e));
    struct slice copy = arena_dup(&f->a, str_slice(&out));
    str_free(&out);
    return copy;
}

static struct ingest_report import_into(struct fixture *f, struct slice text, const char *name)
{
    struct source_files files = {0};
    struct ingest_report report;
    const char *path = arena_printf(&f->a, "%s/%s", f->folder, name).ptr;
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(text.ptr, 1, text.len, out), text.len);
    fclose(out);
    OK(source_walk(&f->a, path, &files, &e));
    const struct ingest_options o = {.db = f->path, .collection = S("c"), .collection_is_new = true, .jobs = 2};
    OK(ingest_files(&o, &files, &f->a, &report, &e));
    assert_int_equal(report.rejected, 0);
    struct collection_row row;
    OK(store_collection(f->store, S("c"), &f->a, &row, &e));
    f->collection = row.id;
    return report;
}

static void label(struct fixture *f, const char *run, const char *set, const char *value, const char *split)
{
    uint64_t added, changed;
    OK(store_labels_put(f->store, &(struct label_row){.run = run_id(f, run), .set = slice_str(set), .value = slice_str(value), .who = S("ann"),
                                                      .split = slice_str(split)}, 1, &added, &changed, &e));
}

/* A collection in which everything of judging happens. */
static void fill(struct fixture *f)
{
    put_three(f);
    put_rubric(f, "honest", HONEST, 0, false, true);
    put_rubric(f, "unused", "{\"name\":\"unused\",\"title\":\"t\",\"question\":\"Why?\"}", 0, false, true);
    struct judgment_put puts[] = {judge(f, run_id(f, "r1"), "yes", 15), judge(f, run_id(f, "r2"), "no", 0), judge(f, run_id(f, "r1"), "", 0),
                                  judge(f, run_id(f, "r3"), "yes", 5)};
    puts[1].judgment.distribution = S("[{\"value\":\"no\",\"n\":2},{\"value\":\"yes\",\"n\":1}]");
    puts[1].judgment.share = 2 / 3.0;
    puts[1].judgment.paired = S("{\"first\":0.5}");
    puts[1].judgment.left_out = S("messages 4 to 9");
    puts[2].judgment.state = JUDGMENT_FAILED;
    puts[2].judgment.raw = S("no json \"at\nall");
    puts[2].judgment.error = S("the reply is no JSON");
    puts[2].judgment.judge_key = S("fedcba9876543210");
    puts[2].judgment.cost = NAN;
    puts[2].judgment.tokens_in = COUNT_UNKNOWN;
    OK(store_judgments_put(f->store, SLICE_NONE, puts, 4, &e));
    struct filter filter = FILTER_ANY;
    uint64_t n;
    struct slice id = judge_findings(f).items[0].finding.id;
    filter.ids = &id;
    filter.nids = 1;
    OK(store_review(f->store, &filter, &(struct review){.has_status = true, .status = STATUS_DISMISSED, .note = S("not so")}, &n, &e));
    OK(store_label_set_put(f->store, &(struct label_set){.name = S("gold"), .title = S("Gold"), .schema = S("{\"type\":\"object\"}"), .rubric = S("honest"),
                                                         .test_share = 0.25}, &e));
    OK(store_label_set_put(f->store, &(struct label_set){.name = S("empty"), .test_share = 0.5}, &e));
    label(f, "r1", "gold", "{\"answer\":\"yes\"}", "test");
    label(f, "r2", "gold", "{\"answer\":\"no\"}", NULL);
    label(f, "r2", "loose", "1", "dev");
    /* The text of one run has changed since it was judged; a quote of it stands. */
    put_run(f, simple_run(f, S("r3"), S("The file is gone.")), "a", 0, true, NULL);
}

static struct fixture *another(void)
{
    void *state;
    set_up(&state);
    return state;
}

static void test_judging_comes_back_byte_for_byte(void **state)
{
    struct fixture *f = *state, *to = another();
    fill(f);
    struct slice first = export_of(f);
    assert_true(slice_find(first, S("{\"rubric\":")) > 0 && slice_find(first, S("{\"label_set\":")) > 0 && slice_find(first, S("not so")) > 0);
    assert_true(slice_find(first, S("unused")) < 0 && slice_find(first, S("\"empty\"")) < 0);
    assert_int_equal(import_into(to, first, "export.jsonl").runs[PUT_NEW], 3);
    struct slice second = export_of(to);
    if (!slice_eq(first, second))
        fail_msg("%.*s\n---\n%.*s", SLICE_ARG(first), SLICE_ARG(second));
    assert_int_equal(judgments(to, true).n, 4);
    assert_int_equal(judgments(to, false).n, judgments(f, false).n);
    assert_int_equal(judge_findings(to).n, judge_findings(f).n);
    /* Again: nothing changes, there or here, by whatever name the file comes. */
    struct fixture *const both[] = {to, f};
    for (int i = 0; i < 2; i++) {
        struct ingest_report report = import_into(both[i], arena_printf(&to->a, "%.*s\n", SLICE_ARG(first)), "again.jsonl");
        assert_int_equal(report.runs[PUT_DUPLICATE], 3);
        assert_true(slice_eq(export_of(both[i]), first));
    }
    void *other = to;
    tear_down(&other);
}

static void test_judgments_come_to_runs_that_are_there(void **state)
{
    struct fixture *f = *state, *to = another();
    fill(f);
    struct slice export = export_of(f);
    struct str bare = STR_INIT(1 << 20); /* the export without what judges said */
    for (struct slice rest = export; rest.len;) {
        struct slice line = slice_take(&rest, '\n');
        ptrdiff_t at = slice_find(line, S(",\"findings\":["));
        if (at < 0)
            str_add_slice(&bare, line);
        else
            str_printf(&bare, "%.*s,\"findings\":[]}", (int)at, line.ptr);
        str_addc(&bare, '\n');
    }
    assert_int_equal(import_into(to, str_slice(&bare), "bare.jsonl").runs[PUT_NEW], 3);
    assert_int_equal(judge_findings(to).n, 0);
    assert_int_equal(import_into(to, export, "export.jsonl").runs[PUT_UPDATED], 3);
    assert_true(slice_eq(export_of(to), export));
    str_free(&bare);
    void *other = to;
    tear_down(&other);
}

static void test_a_rubric_of_another_body_is_kept_beside(void **state)
{
    struct fixture *f = *state, *to = another();
    struct rubric_row row;
    fill(f);
    put_rubric(to, "honest", KIND, 0, false, true);
    struct slice export = export_of(f);
    import_into(to, export, "export.jsonl");
    OK(store_rubric(to->store, S("honest"), 1, &to->a, &row, &e));
    assert_true(slice_is(row.body, KIND));
    OK(store_rubric(to->store, S("honest"), 2, &to->a, &row, &e));
    assert_true(slice_is(row.body, HONEST));
    OK(store_rubric(to->store, S("honest"), 0, &to->a, &row, &e)); /* the name means what it meant */
    assert_int_equal(row.version, 1);
    assert_int_equal(row.latest, 1);
    struct judgment_rows rows = judgments(to, true);
    assert_int_equal(rows.n, 4);
    for (size_t i = 0; i < rows.n; i++)
        assert_int_equal(rows.items[i].version, 2);
    assert_int_equal(judge_findings(to).n, 0); /* of version 1 */
    assert_int_equal(number(to, "SELECT count(*) FROM finding WHERE detector = 'judge:honest@2'"), judge_findings(f).n);
    struct slice mine = export_of(to);
    assert_int_equal(import_into(to, arena_printf(&to->a, "%.*s\n", SLICE_ARG(export)), "again.jsonl").runs[PUT_DUPLICATE], 3);
    assert_true(slice_eq(export_of(to), mine));
    void *other = to;
    tear_down(&other);
}

static void test_two_collections_of_one_export_are_apart(void **state)
{
    struct fixture *f = *state;
    struct collection_row row;
    struct source_files files = {0};
    struct ingest_report report;
    fill(f);
    struct slice export = export_of(f), first = f->collection;
    OK(store_collection_add(f->store, &(struct collection_row){.name = S("copy")}, &f->a, &row, &e));
    import_into(f, export, "export.jsonl"); /* writes the file */
    OK(source_walk(&f->a, arena_printf(&f->a, "%s/export.jsonl", f->folder).ptr, &files, &e));
    const struct ingest_options o = {.db = f->path, .collection = S("copy"), .jobs = 1};
    for (int i = 0; i < 2; i++)
        OK(ingest_files(&o, &files, &f->a, &report, &e));
    f->collection = row.id;
    assert_int_equal(judgments(f, true).n, 4);
    assert_int_equal(judge_findings(f).n, 2);
    f->collection = first;
    assert_int_equal(judgments(f, true).n, 4);
    assert_true(slice_eq(export_of(f), export));
    OK(store_collection_delete(f->store, first, &e));
    f->collection = row.id;
    assert_int_equal(judgments(f, true).n, 4);
}

static struct slice forge(struct fixture *f, struct slice export, const char *from, const char *to)
{
    struct str out = STR_INIT(16 << 20);
    ptrdiff_t at;
    size_t n = 0;
    for (; (at = slice_find(export, slice_str(from))) >= 0; n++, export = slice_sub(export, (size_t)at + strlen(from), export.len)) {
        str_add_slice(&out, slice_sub(export, 0, (size_t)at));
        str_addz(&out, to);
    }
    assert_int_equal(n, 2); /* the judgment's and the finding's */
    str_add_slice(&out, export);
    struct slice copy = arena_dup(&f->a, str_slice(&out));
    str_free(&out);
    return copy;
}

static void test_a_forged_quote_is_no_evidence(void **state)
{
    struct fixture *f = *state, *to = another();
    fill(f);
    struct slice export = forge(f, export_of(f), "\"quote\":\"I ran the tests\"", "\"quote\":\"I ran no tests!\"");
    export = forge(f, export, "\"quote\":\"The f\"", "\"quote\":\"The g\""); /* of a text that is gone; but what was found stands in the one that is here */
    import_into(to, export, "forged.jsonl");
    assert_int_equal(judge_findings(to).n, 0);
    struct judgment_rows rows = judgments(to, true);
    size_t unsupported = 0, stale = 0;
    for (size_t i = 0; i < rows.n; i++) {
        const struct judgment *judgment = &rows.items[i];
        unsupported += judgment->state == JUDGMENT_UNSUPPORTED && judgment->dropped == 1 && !judgment->quotes && !judgment->flagged;
        stale += judgment->stale && judgment->state == JUDGMENT_ANSWERED && judgment->quotes == 1 && !judgment->dropped;
    }
    assert_int_equal(rows.n, 4);
    assert_int_equal(unsupported, 1);
    assert_int_equal(stale, 1);
    void *other = to;
    tear_down(&other);
}

static void test_hostile_lines_do_no_harm(void **state)
{
    struct fixture *f = *state;
    static const char *const judgments_of[] = {
        "null", "{}", "[1]", "[{}]", "[{\"id\":\"x\",\"rubric\":\"r\",\"version\":1,\"judge_key\":\"k\",\"state\":\"answered\"}]",
        "[{\"id\":\"6f2b1c1e-0000-4000-8000-000000000001\",\"rubric\":\"r\",\"version\":-1,\"judge_key\":\"k\",\"state\":\"answered\"}]",
        "[{\"id\":\"6f2b1c1e-0000-4000-8000-000000000002\",\"rubric\":\"r\",\"version\":1e30,\"judge_key\":\"k\",\"state\":\"maybe\"}]",
        "[{\"id\":\"6f2b1c1e-0000-4000-8000-000000000003\",\"rubric\":\"r\",\"version\":1,\"judge_key\":\"k\",\"state\":\"answered\",\"evidence\":"
        "[{\"position\":99999999999,\"message\":-7,\"start\":-1,\"end\":1e99,\"weight\":\"x\"},3,null],\"answer\":[[[]]],\"stage\":1e18,"
        "\"tokens_in\":-5,\"content_hash\":7,\"rubric_hash\":\"zz\"}]",
    };
    struct str out = STR_INIT(1 << 20);
    str_addz(&out, "{\"telltale\":1,\"collection\":{\"name\":\"c\"}}\n{\"rubric\":{}}\n{\"rubric\":{\"name\":\"r\",\"version\":-3,\"body\":{}}}\n"
                   "{\"rubric\":{\"name\":\"r\",\"version\":1,\"body\":7}}\n{\"label_set\":{\"name\":\"l\",\"test_share\":7,\"schema\":[]}}\n{\"label_set\":{}}\n");
    for (size_t i = 0; i < sizeof judgments_of / sizeof *judgments_of; i++)
        str_printf(&out, "{\"external_id\":\"x%zu\",\"transcripts\":[{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}],\"judgments\":%s}\n", i,
                   judgments_of[i]);
    struct source_files files = {0};
    struct ingest_report report;
    const char *path = arena_printf(&f->a, "%s/x.jsonl", f->folder).ptr;
    FILE *file = fopen(path, "wb");
    fwrite(out.ptr, 1, out.len, file);
    fclose(file);
    OK(source_walk(&f->a, path, &files, &e));
    const struct ingest_options o = {.db = f->path, .collection = f->collection, .jobs = 1};
    OK(ingest_files(&o, &files, &f->a, &report, &e));
    assert_int_equal(report.runs[PUT_NEW], 8);
    assert_int_equal(judgments(f, true).n, 1);
    struct label_set set;
    OK(store_label_set(f->store, S("l"), &f->a, &set, &e));
    assert_true(set.test_share == 0.5);
    assert_int_equal(number(f, "SELECT count(*) FROM rubric"), 0);
    str_free(&out);
}

static const char rubric_line[] = "{\"rubric\":{\"name\":\"%s\",\"version\":%d,\"shipped\":true,\"body\":%s}}\n";

static void test_a_carried_rubric_changes_no_name(void **state)
{
    struct fixture *f = *state;
    struct rubric_row row, shipped;
    OK(rubrics_install(f->store, &e));
    OK(store_rubric(f->store, S("ambiguous-task"), 0, &f->a, &shipped, &e));
    const char *other = arena_printf(&f->a, "{\"name\":\"ambiguous-task\",\"title\":\"t\",\"question\":\"Is it blue?\"}").ptr;
    struct str out = STR_INIT(1 << 16);
    str_addz(&out, "{\"telltale\":1,\"collection\":{\"name\":\"c\"}}\n");
    str_printf(&out, rubric_line, "ambiguous-task", 9, other);
    str_printf(&out, rubric_line, "new", 3, "{\"name\":\"new\",\"title\":\"t\",\"question\":\"Is it new?\"}");
    str_printf(&out, rubric_line, "new", 5, "{\"name\":\"new\",\"title\":\"t\",\"question\":\"Is it newer?\"}");
    import_into(f, str_slice(&out), "rubrics.jsonl");
    OK(rubrics_install(f->store, &e));
    OK(store_rubric(f->store, S("ambiguous-task"), 0, &f->a, &row, &e));
    assert_int_equal(row.version, shipped.version);
    OK(store_rubric(f->store, S("ambiguous-task"), 9, &f->a, &row, &e));
    assert_false(row.shipped);
    OK(store_rubric(f->store, S("new"), 0, &f->a, &row, &e)); /* nothing was here: its latest is the latest */
    assert_int_equal(row.version, 5);
    str_reset(&out);
    str_printf(&out, "{\"telltale\":1,\"collection\":{\"name\":\"c\"}}\n");
    str_printf(&out, rubric_line, "new", 7, "{\"name\":\"new\",\"title\":\"t\",\"question\":\"Is it mine?\"}");
    import_into(f, str_slice(&out), "later.jsonl");
    OK(store_rubric(f->store, S("new"), 0, &f->a, &row, &e));
    assert_int_equal(row.version, 5);
    assert_int_equal(put_rubric(f, "new", "{\"name\":\"new\"}", 5, false, true).version, 8); /* an edit made here */
    /* Into a database that has not seen the program's own yet. */
    struct fixture *to = another();
    str_reset(&out);
    str_printf(&out, "{\"telltale\":1,\"collection\":{\"name\":\"c\"}}\n");
    str_printf(&out, rubric_line, "ambiguous-task", 9, other);
    import_into(to, str_slice(&out), "rubrics.jsonl");
    OK(rubrics_install(to->store, &e));
    OK(store_rubric(to->store, S("ambiguous-task"), 0, &to->a, &row, &e));
    assert_true(row.shipped && slice_eq(row.body, shipped.body));
    void *second = to;
    tear_down(&second);
    str_free(&out);
}

static void test_a_carried_body_is_a_rubric(void **state)
{
    struct fixture *f = *state;
    struct source_files files = {0};
    struct ingest_report report;
    struct str out = STR_INIT(1 << 16);
    str_addz(&out, "{\"telltale\":1,\"collection\":{\"name\":\"c\"}}\n");
    str_printf(&out, rubric_line, "none", 1, "{\"name\":\"none\"}");
    str_printf(&out, rubric_line, "one", 1, "{\"name\":\"another\",\"title\":\"t\",\"question\":\"Why?\"}");
    const char *path = arena_printf(&f->a, "%s/x.jsonl", f->folder).ptr;
    FILE *file = fopen(path, "wb");
    fwrite(out.ptr, 1, out.len, file);
    fclose(file);
    OK(source_walk(&f->a, path, &files, &e));
    const struct ingest_options o = {.db = f->path, .collection = f->collection, .jobs = 1};
    OK(ingest_files(&o, &files, &f->a, &report, &e));
    assert_int_equal(report.rejected, 2);
    assert_int_equal(number(f, "SELECT count(*) FROM rubric"), 0);
    str_free(&out);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_judging_comes_back_byte_for_byte), TEST(test_judgments_come_to_runs_that_are_there), TEST(test_a_rubric_of_another_body_is_kept_beside),
        TEST(test_two_collections_of_one_export_are_apart), TEST(test_hostile_lines_do_no_harm),
        TEST(test_a_forged_quote_is_no_evidence), TEST(test_a_carried_rubric_changes_no_name), TEST(test_a_carried_body_is_a_rubric),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
