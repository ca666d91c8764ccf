/* Lists, filters and cursors; findings, their reviews and what a new scan leaves of them; tasks and the story. */
#include "store_fixture.h"

/* Six runs of three tasks by two models, with findings. Number 3 has no task, model or date. */
static void put_six(struct fixture *f)
{
    static const char *const tasks[] = {"t1", "t1", "t2", NULL, "t2", "t3"};
    static const char *const models[] = {"north", "south", "north", NULL, "south", "north"};
    static const enum verdict success[] = {VERDICT_FAILED, VERDICT_FAILED, VERDICT_PASSED, VERDICT_UNKNOWN, VERDICT_PASSED, VERDICT_FAILED};
    struct put *put = store_put_new(f->store, &(struct put_target){.collection = f->collection, .imported = 1000000});
    for (int i = 0; i < 6; i++) {
        struct run *run = simple_run(f, arena_printf(&f->a, "r%d", i), arena_printf(&f->a, "answer %d", i));
        struct findings found = {0};
        run->task_id = slice_str(tasks[i]);
        run->model = slice_str(models[i]);
        run->success = success[i];
        run->started_at = i == 3 ? SLICE_NONE : arena_printf(&f->a, "2026-01-0%dT00:00:00Z", 1 + i % 2);
        run->ended_at = i == 3 ? SLICE_NONE : arena_printf(&f->a, "2026-01-0%dT00:00:%02dZ", 1 + i % 2, i);
        run->tokens_in = i < 2 ? 10 * (i + 1) : COUNT_UNKNOWN;
        run->cost_usd = i == 5 ? 0.25 : NAN;
        run->exit_status = i == 5 ? S("limit, of turns") : SLICE_NONE;
        run->error = i == 4 ? S("The sandbox died") : SLICE_NONE;
        run->metadata = arena_printf(&f->a, "{\"seed\": %d, \"flag\": %s, \"deep\": {\"er\": \"v%d\"}, \"a.b\": \"dotted\"}", i, i ? "false" : "true", i);
        if (i < 3)
            add_finding(f, &found, "missing-program", KIND_BROKEN_TASK, SEVERITY_MEDIUM, 1, 0, "What");
        if (i == 1 || i == 5)
            add_finding(f, &found, "repeated-action", KIND_ODD_BEHAVIOR, i == 5 ? SEVERITY_HIGH : SEVERITY_LOW, 2, 0, "answer");
        struct put_name name = name_of(run, "/x/six", 0);
        OK(store_put_add(put, &name, run, &found, NULL, 0, &e));
    }
    uint64_t counts[PUT_OUTCOMES] = {0};
    OK(store_put_commit(put, counts, &f->a, NULL, &e));
    assert_int_equal(counts[PUT_NEW], 6);
    store_put_free(put);
}

/* The numbers of the runs that a filter lets through, in the list's order: "0 2 5". All pages of `limit` rows. */
static const char *runs_of(struct fixture *f, struct filter filter, const char *sort, uint32_t limit)
{
    struct page page = {.limit = limit, .sort = slice_str(sort)};
    struct str out = STR_INIT(1000);
    filter.collection = f->collection;
    do {
        struct run_rows rows;
        OK(store_runs(f->store, &filter, &page, &f->a, &rows, &e));
        assert_true(rows.n <= limit);
        for (size_t i = 0; i < rows.n; i++)
            str_printf(&out, "%s%.*s", out.len ? " " : "", (int)rows.items[i].run.external_id.len - 1, rows.items[i].run.external_id.ptr + 1);
        page.after = rows.end.next;
    } while (page.after.ptr);
    const char *text = arena_strdup(&f->a, str_slice(&out));
    str_free(&out);
    return text;
}
#define RUNS(...) runs_of(f, (struct filter){.has_findings = -1, __VA_ARGS__}, NULL, 100)

static void runs_are_filtered(void **state)
{
    struct fixture *f = *state;
    put_six(f);
    assert_string_equal(runs_of(f, FILTER_ANY, NULL, 100), "0 1 2 3 4 5");
    assert_string_equal(RUNS(.model = S("north")), "0 2 5");
    assert_string_equal(RUNS(.model = S("north,south")), "0 1 2 4 5");
    assert_string_equal(RUNS(.model = S("")), "3");
    assert_string_equal(RUNS(.model = S("nobody")), "");
    assert_string_equal(RUNS(.task = S("t2")), "2 4");
    assert_string_equal(RUNS(.task = S("t3,t1")), "0 1 5");
    assert_string_equal(RUNS(.task = S("")), "3");
    assert_string_equal(RUNS(.success = S("true")), "2 4");
    assert_string_equal(RUNS(.success = S("unknown,false")), "0 1 3 5");
    assert_string_equal(RUNS(.format = S("native")), "0 1 2 3 4 5");
    assert_string_equal(RUNS(.exit_status = S("")), "0 1 2 3 4");
    assert_string_equal(RUNS(.exit_status = S("limit, of turns")), "5");
    assert_string_equal(RUNS(.exit_status = S("limit, of")), "");
    assert_string_equal(RUNS(.kind = S("odd_behavior")), "1 5");
    assert_string_equal(RUNS(.kind = S("odd_behavior,broken_task"), .severity = S("low,medium")), "0 1 2");
    assert_string_equal(RUNS(.detector = S("missing-program"), .model = S("north")), "0 2");
    assert_string_equal(RUNS(.behavior = S("repeated-action"), .severity = S("high")), "5");
    assert_string_equal(runs_of(f, (struct filter){.has_findings = 1}, NULL, 100), "0 1 2 5");
    assert_string_equal(runs_of(f, (struct filter){.has_findings = 0}, NULL, 100), "3 4");
    assert_string_equal(RUNS(.q = S("LIMIT turns")), "5");
    assert_string_equal(RUNS(.q = S("sandbox")), "4");
    assert_string_equal(RUNS(.q = S("t2 r4")), "4");
    assert_string_equal(RUNS(.q = S("100%_")), "");
    assert_string_equal(RUNS(.meta = {{S("seed"), S("2")}}, .nmeta = 1), "2");
    assert_string_equal(RUNS(.meta = {{S("flag"), S("true")}}, .nmeta = 1), "0");
    assert_string_equal(RUNS(.meta = {{S("deep.er"), S("v4")}}, .nmeta = 1), "4");
    assert_string_equal(RUNS(.meta = {{S("a.b"), S("dotted")}, {S("seed"), S("1")}}, .nmeta = 2), "1");
    struct slice id = all_runs(f).items[2].run.id;
    assert_string_equal(RUNS(.ids = &id, .nids = 1), "2");
    assert_string_equal(RUNS(.run = id), "2");

    struct run_rows rows;
    struct filter filter = {.collection = f->collection, .has_findings = -1, .severity = S("worst")};
    FAILS(ERR_USAGE, store_runs(f->store, &filter, &(struct page){0}, &f->a, &rows, &e));
    filter.severity = SLICE_NONE;
    filter.meta[0].key = S("a\"b");
    filter.nmeta = 1;
    FAILS(ERR_USAGE, store_runs(f->store, &filter, &(struct page){0}, &f->a, &rows, &e));
    filter.nmeta = 0;
    FAILS(ERR_USAGE, store_runs(f->store, &filter, &(struct page){.limit = 1001}, &f->a, &rows, &e));
    filter.collection = S("nowhere");
    FAILS(ERR_NOT_FOUND, store_runs(f->store, &filter, &(struct page){0}, &f->a, &rows, &e));
    filter.collection = SLICE_NONE;
    FAILS(ERR_USAGE, store_runs(f->store, &filter, &(struct page){0}, &f->a, &rows, &e));
}

static void runs_are_sorted_and_paged(void **state)
{
    struct fixture *f = *state;
    put_six(f);
    /* Ties are in the order of the import; unknown values come first when rising, last when falling. */
    static const struct { const char *sort, *wanted; } orders[] = {
        {"imported", "0 1 2 3 4 5"}, {"-imported", "0 1 2 3 4 5"}, {"started_at", "3 0 2 4 1 5"}, {"-started_at", "1 5 0 2 4 3"},
        {"model,-success", "3 2 0 5 4 1"}, {"task", "3 0 1 2 4 5"}, {"-task,model", "5 2 4 0 1 3"}, {"success", "3 0 1 5 2 4"},
        {"tokens", "2 3 4 5 0 1"}, {"-tokens", "1 0 2 3 4 5"}, {"-cost", "5 0 1 2 3 4"}, {"-duration", "5 4 2 1 0 3"},
        {"-findings", "1 0 2 5 3 4"}, {"name", "0 1 2 3 4 5"}, {"-messages,calls", "0 1 2 3 4 5"}, {"attempt", "0 1 2 3 4 5"},
    };
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++)
        for (uint32_t limit = 1; limit <= 7; limit++)
            assert_string_equal(runs_of(f, FILTER_ANY, orders[i].sort, limit), orders[i].wanted);
    for (uint32_t limit = 1; limit <= 7; limit++)
        assert_string_equal(runs_of(f, FILTER_ANY, NULL, limit), "0 1 2 3 4 5");

    struct filter filter = FILTER_ANY;
    struct run_rows rows, again;
    filter.collection = f->collection;
    OK(store_runs(f->store, &filter, &(struct page){.limit = 2, .sort = S("-task")}, &f->a, &rows, &e));
    assert_int_equal(rows.end.total, 6);
    struct slice cursor = rows.end.next;
    OK(store_runs(f->store, &filter, &(struct page){.limit = 2, .sort = S("-task"), .after = cursor}, &f->a, &again, &e));
    /* A cursor is of one order of one list. */
    FAILS(ERR_USAGE, store_runs(f->store, &filter, &(struct page){.sort = S("task"), .after = cursor}, &f->a, &again, &e));
    FAILS(ERR_USAGE, store_runs(f->store, &filter, &(struct page){.after = S("zz")}, &f->a, &again, &e));
    FAILS(ERR_USAGE, store_runs(f->store, &filter, &(struct page){.sort = S("nothing")}, &f->a, &again, &e));
    FAILS(ERR_USAGE, store_runs(f->store, &filter, &(struct page){.sort = S("task,,name")}, &f->a, &again, &e));
    for (size_t cut = 0; cut < cursor.len; cut++) { /* nor is any part of one */
        struct err e = {0};
        assert_true(cut == 0 || !store_runs(f->store, &filter, &(struct page){.sort = S("-task"), .after = slice_sub(cursor, 0, cut)}, &f->a, &again, &e));
    }
    filter.model = S("north");
    OK(store_runs(f->store, &filter, &(struct page){0}, &f->a, &rows, &e));
    assert_int_equal(rows.end.total, 3);
}

static void a_later_import_comes_first(void **state)
{
    struct fixture *f = *state;
    put_six(f);
    struct put *put = store_put_new(f->store, &(struct put_target){.collection = f->collection, .imported = 2000000});
    uint64_t counts[PUT_OUTCOMES] = {0};
    for (int i = 6; i < 8; i++) {
        struct run *run = simple_run(f, arena_printf(&f->a, "r%d", i), S("x"));
        struct put_name name = name_of(run, "/x/more", 0);
        name.place = 7 - i; /* put in another order than they stand in the file, as threads do */
        OK(store_put_add(put, &name, run, NULL, NULL, 0, &e));
    }
    OK(store_put_commit(put, counts, &f->a, NULL, &e));
    store_put_free(put);
    for (uint32_t limit = 1; limit <= 9; limit++)
        assert_string_equal(runs_of(f, FILTER_ANY, NULL, limit), "7 6 0 1 2 3 4 5");
    struct collection_row c;
    OK(store_collection(f->store, S("c"), &f->a, &c, &e));
    assert_true(slice_is(c.imported_at, "1970-01-01T00:00:02.000000Z"));
}

static void collections_are_listed(void **state)
{
    struct fixture *f = *state;
    struct collection_row row;
    struct collection_rows rows;
    put_six(f);
    OK(store_collection_add(f->store, &(struct collection_row){.name = S("b"), .description = S("second"), .metadata = S("{}")}, &f->a, &row, &e));
    FAILS(ERR_CONFLICT, store_collection_add(f->store, &(struct collection_row){.name = S("b")}, &f->a, &row, &e));
    FAILS(ERR_USAGE, store_collection_add(f->store, &(struct collection_row){.description = S("x")}, &f->a, &row, &e));
    OK(store_collections(f->store, &(struct page){.sort = S("name"), .limit = 1}, &f->a, &rows, &e));
    assert_int_equal(rows.n, 1);
    assert_int_equal(rows.end.total, 2);
    assert_true(slice_is(rows.items[0].description, "second"));
    OK(store_collections(f->store, &(struct page){.sort = S("name"), .after = rows.end.next}, &f->a, &rows, &e));
    assert_int_equal(rows.n, 1);
    assert_null(rows.end.next.ptr);
    const struct collection_row *c = &rows.items[0];
    assert_true(slice_is(c->name, "c"));
    assert_int_equal(c->runs, 6);
    assert_int_equal(c->passed, 2);
    assert_int_equal(c->failed, 3);
    assert_int_equal(c->flagged, 4);
    assert_int_equal(c->tasks, 3);
    assert_int_equal(c->findings, 5);
    OK(store_collection_change(f->store, S("b"), &(struct collection_row){.name = S("beta")}, &e));
    FAILS(ERR_CONFLICT, store_collection_change(f->store, S("beta"), &(struct collection_row){.name = S("c")}, &e));
    FAILS(ERR_CONFLICT, store_collection_change(f->store, S("c"), &(struct collection_row){.id = S("x")}, &e));
    OK(store_collection(f->store, S("beta"), &f->a, &row, &e));
    assert_true(slice_is(row.description, "second"));
}

static void tags_are_put_on_and_taken_off(void **state)
{
    struct fixture *f = *state;
    struct filter filter = {.collection = f->collection, .has_findings = -1, .model = S("north")};
    uint64_t changed;
    put_six(f);
    OK(store_tag(f->store, &filter, S("look"), true, &changed, &e));
    assert_int_equal(changed, 3);
    OK(store_tag(f->store, &filter, S("look"), true, &changed, &e));
    assert_int_equal(changed, 0);
    assert_string_equal(RUNS(.tag = S("look")), "0 2 5");
    filter.model = S("south");
    OK(store_tag(f->store, &filter, S("look"), false, &changed, &e));
    assert_int_equal(changed, 0);
    filter.model = SLICE_NONE;
    OK(store_tag(f->store, &filter, S("look"), false, &changed, &e));
    assert_int_equal(changed, 3);
    FAILS(ERR_USAGE, store_tag(f->store, &filter, S(""), true, &changed, &e));
}

/* ---- findings -------------------------------------------------------------------------------------------------------- */

static struct finding_rows findings_of(struct fixture *f, struct filter filter, const char *sort)
{
    struct finding_rows rows;
    if (!filter.ids)
        filter.collection = f->collection;
    OK(store_findings(f->store, &filter, &(struct page){.limit = 1000, .sort = slice_str(sort)}, &f->a, &rows, &e));
    return rows;
}
#define FINDINGS(...) findings_of(f, (struct filter){.has_findings = -1, __VA_ARGS__}, NULL).n

static void findings_are_listed(void **state)
{
    struct fixture *f = *state;
    put_six(f);
    struct finding_rows rows = findings_of(f, FILTER_ANY, NULL);
    assert_int_equal(rows.n, 5);
    assert_int_equal(rows.end.total, 5);
    assert_true(slice_is(rows.items[0].finding.detector, "repeated-action")); /* the one of high severity */
    assert_true(slice_is(rows.items[0].run.external_id, "r5"));
    assert_true(slice_eq(rows.items[0].finding.evidence->run, rows.items[0].run.id));
    assert_true(slice_is(rows.items[0].finding.evidence->quote, "answer"));
    assert_int_equal(rows.items[0].finding.evidence->message, 2);
    assert_true(slice_is(rows.items[1].run.external_id, "r0"));
    assert_int_equal(rows.items[4].finding.severity, SEVERITY_LOW);
    for (uint32_t limit = 1; limit <= 5; limit++) { /* the same in pages */
        struct page page = {.limit = limit};
        struct filter filter = {.collection = f->collection, .has_findings = -1};
        size_t n = 0;
        do {
            struct finding_rows some;
            OK(store_findings(f->store, &filter, &page, &f->a, &some, &e));
            for (size_t i = 0; i < some.n; i++)
                assert_true(slice_eq(some.items[i].finding.id, rows.items[n++].finding.id));
            page.after = some.end.next;
        } while (page.after.ptr);
        assert_int_equal(n, 5);
    }
    assert_int_equal(FINDINGS(.kind = S("broken_task")), 3);
    assert_int_equal(FINDINGS(.kind = S("broken_task"), .model = S("north")), 2);
    assert_int_equal(FINDINGS(.task = S("t1")), 3);
    assert_int_equal(FINDINGS(.run = rows.items[0].run.id), 1);
    assert_int_equal(FINDINGS(.success = S("true")), 1);
    assert_int_equal(FINDINGS(.q = S("happened t3")), 1);
    assert_int_equal(FINDINGS(.status = S("confirmed")), 0);
    assert_int_equal(FINDINGS(.scope = S("task")), 0);
    rows = findings_of(f, FILTER_ANY, "-task,detector");
    assert_true(slice_is(rows.items[0].run.task_id, "t3"));
    struct finding_row one;
    OK(store_finding(f->store, rows.items[3].finding.id, &f->a, &one, &e));
    assert_true(slice_eq(one.run.id, rows.items[3].run.id));
    FAILS(ERR_NOT_FOUND, store_finding(f->store, S("none"), &f->a, &one, &e));

    struct run_row run;
    OK(store_run(f->store, rows.items[0].run.id, &f->a, &run, &e));
    assert_true(run.has_first);
    assert_int_equal(run.findings[KIND_ODD_BEHAVIOR], 1);
    assert_int_equal(run.findings[KIND_BROKEN_TASK], 0);
    assert_true(slice_is(run.first.detector, "repeated-action"));
    assert_true(slice_is(run.gist, "What does the file say?"));
}

static void reviews_count(void **state)
{
    struct fixture *f = *state;
    struct filter filter = {.collection = f->collection, .has_findings = -1, .detector = S("missing-program")};
    struct review review = {.has_status = true, .status = STATUS_DISMISSED, .note = S("no"), .reviewer = S("ann")};
    uint64_t changed;
    struct collection_row c;
    put_six(f);
    OK(store_review(f->store, &filter, &review, &changed, &e));
    assert_int_equal(changed, 3);
    OK(store_review(f->store, &filter, &review, &changed, &e));
    assert_int_equal(changed, 0);
    OK(store_collection(f->store, f->collection, &f->a, &c, &e));
    assert_int_equal(c.findings, 2);
    assert_int_equal(c.flagged, 2);
    assert_string_equal(runs_of(f, (struct filter){.has_findings = 1}, NULL, 100), "1 5");
    assert_int_equal(all_runs(f).items[0].has_first, false);
    /* What is absent stays: only the note changes. */
    review = (struct review){.note = S("yes")};
    OK(store_review(f->store, &filter, &review, &changed, &e));
    assert_int_equal(changed, 3);
    struct finding_row row = findings_of(f, filter, NULL).items[0];
    assert_int_equal(row.finding.status, STATUS_DISMISSED);
    assert_true(slice_is(row.finding.note, "yes"));
    assert_true(slice_is(row.finding.reviewer, "ann"));
    review = (struct review){.has_status = true, .status = STATUS_CONFIRMED};
    filter = (struct filter){.ids = &row.finding.id, .nids = 1, .has_findings = -1};
    OK(store_review(f->store, &filter, &review, &changed, &e));
    assert_int_equal(changed, 1);
    OK(store_collection(f->store, f->collection, &f->a, &c, &e));
    assert_int_equal(c.findings, 3);
    assert_int_equal(c.flagged, 3);
}

static void confirm(struct fixture *f, struct slice id)
{
    const struct review review = {.has_status = true, .status = STATUS_CONFIRMED, .note = S("seen"), .reviewer = S("ann")};
    struct filter filter = {.ids = &id, .nids = 1, .has_findings = -1};
    uint64_t changed;
    OK(store_review(f->store, &filter, &review, &changed, &e));
    assert_int_equal(changed, 1);
}

static void a_scan_keeps_what_people_said(void **state)
{
    struct fixture *f = *state;
    struct findings first = {0}, again = {0}, other = {0};
    bool changed;
    add_finding(f, &first, "a", KIND_ODD_BEHAVIOR, SEVERITY_LOW, 1, 3, "What");
    add_finding(f, &first, "b", KIND_DATA, SEVERITY_LOW, 1, 3, "What");
    put_run(f, simple_run(f, S("r"), S("x")), "/x/a", 0, true, &first);
    struct slice run = all_runs(f).items[0].run.id;
    struct finding_rows before = findings_of(f, FILTER_ANY, "detector");
    confirm(f, before.items[0].finding.id);

    /* The same again is no change; another severity is one, under the same id, and the review stays. */
    OK(store_run_findings(f->store, run, SLICE_NONE, &first, NULL, 0, NULL, 0, &changed, &e));
    assert_false(changed);
    add_finding(f, &again, "a", KIND_ODD_BEHAVIOR, SEVERITY_HIGH, 1, 3, "What");
    OK(store_run_findings(f->store, run, SLICE_NONE, &again, NULL, 0, NULL, 0, &changed, &e));
    assert_true(changed);
    struct finding_rows after = findings_of(f, FILTER_ANY, NULL);
    assert_int_equal(after.n, 1); /* b is gone */
    assert_true(slice_eq(after.items[0].finding.id, before.items[0].finding.id));
    assert_true(slice_eq(after.items[0].finding.created_at, before.items[0].finding.created_at));
    assert_int_equal(after.items[0].finding.status, STATUS_CONFIRMED);
    assert_int_equal(after.items[0].finding.severity, SEVERITY_HIGH);
    assert_true(slice_is(after.items[0].finding.note, "seen"));

    /* Only the detectors that were asked for change. */
    add_finding(f, &other, "b", KIND_DATA, SEVERITY_LOW, 1, 3, "What");
    const struct slice only = S("b");
    const struct incomplete unfinished = {S("b"), S("deadline")};
    OK(store_run_findings(f->store, run, SLICE_NONE, &other, &unfinished, 1, &only, 1, &changed, &e));
    assert_true(changed);
    assert_int_equal(findings_of(f, FILTER_ANY, NULL).n, 2);
    struct incomplete_rows rows;
    const struct filter all = {.collection = f->collection};
    OK(store_incomplete(f->store, &all, &(struct page){0}, &f->a, &rows, &e));
    assert_int_equal(rows.n, 1);
    assert_true(slice_is(rows.items[0].external_id, "r"));
    OK(store_run_findings(f->store, run, SLICE_NONE, &other, &unfinished, 1, &only, 1, &changed, &e));
    assert_false(changed);
    OK(store_run_findings(f->store, run, SLICE_NONE, &other, NULL, 0, &only, 1, &changed, &e));
    assert_true(changed);
    FAILS(ERR_NOT_FOUND, store_run_findings(f->store, S("none"), SLICE_NONE, &other, NULL, 0, &only, 1, &changed, &e));
}

static void a_review_outlives_its_rules_absence(void **state)
{
    struct fixture *f = *state;
    struct findings first = {0}, none = {0}, other = {0};
    bool changed;
    add_finding(f, &first, "a", KIND_ODD_BEHAVIOR, SEVERITY_LOW, 1, 3, "What");
    add_finding(f, &other, "a", KIND_ODD_BEHAVIOR, SEVERITY_LOW, 1, 3, "Else");
    put_run(f, simple_run(f, S("r"), S("x")), "/x/a", 0, true, &first);
    struct slice run = all_runs(f).items[0].run.id;
    confirm(f, findings_of(f, FILTER_ANY, NULL).items[0].finding.id);
    for (int turn = 0; turn < 2; turn++) {
        OK(store_run_findings(f->store, run, SLICE_NONE, &none, NULL, 0, NULL, 0, &changed, &e));
        assert_int_equal(findings_of(f, FILTER_ANY, NULL).n, 0);
        OK(store_run_findings(f->store, run, SLICE_NONE, &first, NULL, 0, NULL, 0, &changed, &e));
        struct finding_rows back = findings_of(f, FILTER_ANY, NULL);
        assert_int_equal(back.items[0].finding.status, STATUS_CONFIRMED);
        assert_true(slice_is(back.items[0].finding.note, "seen"));
        assert_true(slice_is(back.items[0].finding.reviewer, "ann"));
        OK(store_run_findings(f->store, run, SLICE_NONE, &first, NULL, 0, NULL, 0, &changed, &e));
        assert_false(changed);
    }
    /* Other words at the same place were never reviewed. */
    OK(store_run_findings(f->store, run, SLICE_NONE, &none, NULL, 0, NULL, 0, &changed, &e));
    OK(store_run_findings(f->store, run, SLICE_NONE, &other, NULL, 0, NULL, 0, &changed, &e));
    assert_int_equal(findings_of(f, FILTER_ANY, NULL).items[0].finding.status, STATUS_OPEN);
    OK(store_run_delete(f->store, run, &e));
}

/* A scan that read a run, and writes after an import brought other text under its name. */
static void findings_of_an_older_text_are_refused(void **state)
{
    struct fixture *f = *state;
    struct findings old = {0}, fresh = {0};
    const struct incomplete unfinished = {S("a"), S("deadline")};
    bool changed;
    put_run(f, simple_run(f, S("r"), S("What was said")), "/x/a", 0, true, &old);
    struct run_row before = all_runs(f).items[0];
    add_finding(f, &old, "a", KIND_ODD_BEHAVIOR, SEVERITY_LOW, 2, 0, "What was");
    put_run(f, simple_run(f, S("r"), S("Something else")), "/x/a", 0, true, &fresh);
    struct run_row after = all_runs(f).items[0];
    assert_true(slice_eq(before.run.id, after.run.id));
    FAILS(ERR_CONFLICT, store_run_findings(f->store, before.run.id, before.content_hash, &old, &unfinished, 1, NULL, 0, &changed, &e));
    assert_int_equal(number(f, "SELECT (SELECT count(*) FROM finding) + (SELECT count(*) FROM incomplete)"), 0);
    add_finding(f, &fresh, "a", KIND_ODD_BEHAVIOR, SEVERITY_LOW, 2, 0, "Something");
    OK(store_run_findings(f->store, after.run.id, after.content_hash, &fresh, &unfinished, 1, NULL, 0, &changed, &e));
    assert_true(changed);
    assert_int_equal(number(f, "SELECT (SELECT count(*) FROM finding) + (SELECT count(*) FROM incomplete)"), 2);
}

static void what_is_incomplete_is_listed_in_pages(void **state)
{
    struct fixture *f = *state;
    struct findings none = {0};
    const struct incomplete two[] = {{S("b"), S("deadline")}, {S("a/c"), S("work")}};
    struct page page = {.limit = 1};
    struct filter filter = {.collection = f->collection};
    struct incomplete_rows rows;
    struct collection_row other;
    char seen[200] = "";
    bool changed;
    put_run(f, simple_run(f, S("r1"), S("one")), "/x/a", 0, true, &none);
    put_run(f, simple_run(f, S("r2"), S("two")), "/x/b", 0, true, &none);
    struct run_rows runs = all_runs(f);
    for (size_t i = 0; i < runs.n; i++)
        OK(store_run_findings(f->store, runs.items[i].run.id, SLICE_NONE, &none, two, 2, NULL, 0, &changed, &e));
    do {
        OK(store_incomplete(f->store, &filter, &page, &f->a, &rows, &e));
        assert_int_equal(rows.n, 1);
        assert_int_equal(rows.end.total, 4);
        sprintf(seen + strlen(seen), "%.*s %.*s %.*s; ", SLICE_ARG(rows.items[0].external_id), SLICE_ARG(rows.items[0].detector),
                SLICE_ARG(rows.items[0].reason));
        page.after = rows.end.next;
    } while (page.after.ptr && strlen(seen) < 150);
    assert_string_equal(seen, "r2 a/c work; r2 b deadline; r1 a/c work; r1 b deadline; ");

    filter.run = runs.items[0].run.id;
    page = (struct page){.limit = 1};
    OK(store_incomplete(f->store, &filter, &page, &f->a, &rows, &e));
    assert_int_equal(rows.end.total, 2);
    page.after = rows.end.next;
    OK(store_incomplete(f->store, &filter, &page, &f->a, &rows, &e));
    assert_true(slice_is(rows.items[0].detector, "b"));
    assert_null(rows.end.next.ptr);
    static const char *const wrong[] = {"x", "/", "1", "99999999999999999999/a", "0/a"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        page.after = slice_str(wrong[i]);
        FAILS(ERR_USAGE, store_incomplete(f->store, &filter, &page, &f->a, &rows, &e));
    }
    OK(store_collection_add(f->store, &(struct collection_row){.name = S("other")}, &f->a, &other, &e));
    OK(store_incomplete(f->store, &(struct filter){.collection = other.id}, &(struct page){0}, &f->a, &rows, &e));
    assert_int_equal(rows.n, 0);
}

static void a_review_follows_its_words(void **state)
{
    struct fixture *f = *state;
    struct findings first = {0}, moved = {0}, reworded = {0};
    add_finding(f, &first, "a", KIND_ODD_BEHAVIOR, SEVERITY_LOW, 1, 3, "What");
    add_finding(f, &first, "a", KIND_ODD_BEHAVIOR, SEVERITY_LOW, 2, 0, "first");
    put_run(f, simple_run(f, S("r"), S("first")), "/x/a", 0, true, &first);
    struct finding_rows rows = findings_of(f, FILTER_ANY, NULL);
    confirm(f, rows.items[0].finding.id);
    confirm(f, rows.items[1].finding.id);

    /* The file grew: one finding stands elsewhere with the same words, the other where it was with other words. */
    add_finding(f, &moved, "a", KIND_ODD_BEHAVIOR, SEVERITY_LOW, 1, 9, "What");
    add_finding(f, &moved, "a", KIND_ODD_BEHAVIOR, SEVERITY_LOW, 2, 0, "other");
    assert_int_equal(put_run(f, simple_run(f, S("r"), S("other")), "/x/a", 0, true, &moved), PUT_UPDATED);
    rows = findings_of(f, FILTER_ANY, NULL);
    assert_int_equal(rows.n, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct finding *finding = &rows.items[i].finding;
        bool kept = slice_is(finding->evidence->quote, "What");
        assert_int_equal(finding->status, kept ? STATUS_CONFIRMED : STATUS_OPEN);
        assert_int_equal(finding->note.ptr != NULL, kept);
    }
    add_finding(f, &reworded, "another detector", KIND_ODD_BEHAVIOR, SEVERITY_LOW, 1, 9, "What");
    put_run(f, simple_run(f, S("r"), S("third")), "/x/a", 0, true, &reworded);
    rows = findings_of(f, FILTER_ANY, NULL);
    assert_int_equal(rows.n, 1);
    assert_int_equal(rows.items[0].finding.status, STATUS_OPEN);
}

static void two_findings_alike_are_two(void **state)
{
    struct fixture *f = *state;
    struct findings twins = {0};
    bool changed;
    add_finding(f, &twins, "a", KIND_ODD_BEHAVIOR, SEVERITY_LOW, 1, 3, "What");
    add_finding(f, &twins, "a", KIND_ODD_BEHAVIOR, SEVERITY_LOW, 1, 3, "What");
    put_run(f, simple_run(f, S("r"), S("x")), "/x/a", 0, true, &twins);
    assert_int_equal(findings_of(f, FILTER_ANY, NULL).n, 2);
    OK(store_run_findings(f->store, all_runs(f).items[0].run.id, SLICE_NONE, &twins, NULL, 0, NULL, 0, &changed, &e));
    assert_false(changed);
}

static void carried_findings_come_as_they_are(void **state)
{
    struct fixture *f = *state;
    struct findings carried = {0}, made = {0};
    struct finding *finding = add_finding(f, &carried, "a", KIND_ODD_BEHAVIOR, SEVERITY_LOW, 1, 3, "What");
    finding->id = S("0a1b2c3d-0000-4000-8000-00000000000f");
    finding->status = STATUS_DISMISSED;
    finding->note = S("theirs");
    finding->created_at = S("2025-01-01T00:00:00Z");
    add_finding(f, &made, "b", KIND_DATA, SEVERITY_LOW, 1, 3, "What");
    struct run *run = simple_run(f, S("r"), S("x"));
    run->carried = &carried;
    put_run(f, run, "/x/a", 0, true, &made);
    struct finding_rows rows = findings_of(f, FILTER_ANY, NULL);
    assert_int_equal(rows.n, 1);
    assert_true(slice_eq(rows.items[0].finding.id, finding->id));
    assert_int_equal(rows.items[0].finding.status, STATUS_DISMISSED);
    assert_true(slice_eq(rows.items[0].finding.created_at, finding->created_at));
    /* The id is taken now: a copy in another run gets one of its own. */
    put_run(f, run, "/x/b", 0, true, NULL);
    rows = findings_of(f, FILTER_ANY, NULL);
    assert_int_equal(rows.n, 2);
    assert_false(slice_eq(rows.items[0].finding.id, rows.items[1].finding.id));
}

/* ---- tasks and the story --------------------------------------------------------------------------------------------- */

static void make_task_finding(struct fixture *f, struct findings *list, enum severity severity)
{
    struct finding *finding = add_finding(f, list, "task-lacks-program", KIND_BROKEN_TASK, severity, 1, 3, "What");
    finding->scope = SCOPE_TASK;
    finding->task_id = S("t1");
    finding->evidence->run = all_runs(f).items[0].run.id;
}

static void tasks_are_listed_with_their_verdict(void **state)
{
    struct fixture *f = *state;
    struct filter filter = {.collection = f->collection, .has_findings = -1};
    struct findings suspect = {0}, broken = {0};
    struct task_rows rows;
    bool changed;
    put_six(f);
    make_task_finding(f, &suspect, SEVERITY_LOW);
    make_task_finding(f, &broken, SEVERITY_HIGH);
    OK(store_tasks(f->store, &filter, &(struct page){0}, &f->a, &rows, &e));
    assert_int_equal(rows.n, 3);
    assert_int_equal(rows.end.total, 3);
    const struct task_row *t = &rows.items[0]; /* most runs lost */
    assert_true(slice_is(t->task_id, "t1"));
    assert_int_equal(t->verdict, TASK_SOUND);
    assert_int_equal(t->runs, 2);
    assert_int_equal(t->failed, 2);
    assert_int_equal(t->findings[KIND_BROKEN_TASK], 2);
    assert_int_equal(t->findings[KIND_ODD_BEHAVIOR], 1);
    assert_int_equal(t->nmodels, 2);
    assert_true(slice_is(t->models[0].model, "north")); /* has more runs in the collection */
    assert_int_equal(t->models[0].failed, 1);
    assert_true(slice_is(t->gist, "What does the file say?"));
    assert_true(t->has_best);
    assert_true(slice_is(t->best.finding.detector, "missing-program"));

    OK(store_task_findings(f->store, f->collection, S("t1"), &suspect, NULL, 0, &changed, &e));
    assert_true(changed);
    OK(store_task_findings(f->store, f->collection, S("t1"), &suspect, NULL, 0, &changed, &e));
    assert_false(changed);
    OK(store_tasks(f->store, &filter, &(struct page){.limit = 1}, &f->a, &rows, &e));
    assert_int_equal(rows.items[0].verdict, TASK_SUSPECT);
    assert_int_equal(rows.items[0].findings[KIND_BROKEN_TASK], 3);
    assert_int_equal(rows.items[0].nreasons, 1);
    assert_true(slice_is(rows.items[0].reasons[0].detector, suspect.items[0].detector.ptr));
    assert_int_equal(number(f, "SELECT json_array_length(reasons) FROM tasks WHERE task_id = 't1'"), 1);
    assert_int_equal(rows.items[0].best.finding.scope, SCOPE_TASK);
    assert_false(rows.items[0].best.has_run);
    assert_true(slice_is(rows.items[0].best.finding.task_id, "t1"));
    confirm(f, rows.items[0].best.finding.id);
    OK(store_tasks(f->store, &filter, &(struct page){.limit = 1}, &f->a, &rows, &e));
    assert_int_equal(rows.items[0].verdict, TASK_BROKEN);
    struct review open = {.has_status = true, .status = STATUS_DISMISSED};
    uint64_t n;
    OK(store_review(f->store, &(struct filter){.ids = &rows.items[0].best.finding.id, .nids = 1, .has_findings = -1}, &open, &n, &e));
    OK(store_tasks(f->store, &filter, &(struct page){.limit = 1}, &f->a, &rows, &e));
    assert_int_equal(rows.items[0].verdict, TASK_SOUND);
    assert_int_equal(rows.items[0].nreasons, 0);
    OK(store_task_findings(f->store, f->collection, S("t1"), &broken, NULL, 0, &changed, &e));
    OK(store_tasks(f->store, &filter, &(struct page){.limit = 1}, &f->a, &rows, &e));
    assert_int_equal(rows.items[0].verdict, TASK_SOUND); /* dismissed by a person: the same evidence stays so */

    OK(store_tasks(f->store, &(struct filter){.collection = f->collection, .has_findings = -1, .model = S("south")}, &(struct page){.sort = S("-pass_rate")}, &f->a, &rows, &e));
    assert_int_equal(rows.n, 2);
    assert_true(slice_is(rows.items[0].task_id, "t2"));
    OK(store_tasks(f->store, &(struct filter){.collection = f->collection, .has_findings = -1, .severity = S("high")}, &(struct page){0}, &f->a, &rows, &e));
    assert_int_equal(rows.n, 2);
    OK(store_tasks(f->store, &(struct filter){.collection = f->collection, .has_findings = -1, .q = S("T3")}, &(struct page){0}, &f->a, &rows, &e));
    assert_int_equal(rows.n, 1);
    FAILS(ERR_NOT_FOUND, store_task_findings(f->store, f->collection, S("t9"), &broken, NULL, 0, &changed, &e));
}

static void detectors_are_told_of_a_task(void **state)
{
    struct fixture *f = *state;
    struct task_summary task;
    struct slices ids = {0};
    put_six(f);
    OK(store_task_ids(f->store, f->collection, &f->a, &ids, &e));
    assert_int_equal(ids.n, 3);
    OK(store_task_summary(f->store, f->collection, S("t1"), &f->a, &task, &e));
    assert_int_equal(task.nruns, 2);
    assert_true(slice_is(task.runs[1].external_id, "r1"));
    assert_int_equal(task.runs[1].nfindings, 2);
    assert_true(slice_eq(task.runs[1].findings[0].evidence->run, task.runs[1].run));
    confirm(f, task.runs[1].findings[0].id);
    const struct review dismissed = {.has_status = true, .status = STATUS_DISMISSED};
    uint64_t n;
    OK(store_review(f->store, &(struct filter){.ids = &task.runs[1].findings[0].id, .nids = 1, .has_findings = -1}, &dismissed, &n, &e));
    OK(store_task_summary(f->store, f->collection, S("t1"), &f->a, &task, &e));
    assert_int_equal(task.runs[1].nfindings, 1);
    FAILS(ERR_NOT_FOUND, store_task_summary(f->store, f->collection, S("t9"), &f->a, &task, &e));
}

static const struct facet *facet(const struct summary *s, const char *field)
{
    for (size_t i = 0; i < s->nfacets; i++)
        if (slice_is(s->facets[i].field, field))
            return &s->facets[i];
    fail_msg("no facet %s", field);
    return NULL;
}

static void the_story_adds_up(void **state)
{
    struct fixture *f = *state;
    struct summary s;
    struct findings broken = {0};
    uint64_t n;
    bool changed;
    put_six(f);
    make_task_finding(f, &broken, SEVERITY_HIGH);
    OK(store_task_findings(f->store, f->collection, S("t1"), &broken, NULL, 0, &changed, &e));
    OK(store_tag(f->store, &(struct filter){.collection = f->collection, .has_findings = -1, .model = S("north")}, S("look"), true, &n, &e));
    OK(store_summary(f->store, f->collection, &f->a, &s, &e));
    assert_int_equal(s.runs, 6);
    assert_int_equal(s.passed, 2);
    assert_int_equal(s.failed, 3);
    assert_int_equal(s.unknown, 1);
    assert_int_equal(s.tasks, 3);
    assert_int_equal(s.models, 2);
    assert_int_equal(s.messages, 18);
    assert_int_equal(s.tokens_in, 30);
    assert_int_equal(s.tokens_out, COUNT_UNKNOWN);
    assert_true(s.cost_usd == 0.25);
    assert_int_equal(s.broken_tasks, 1);
    assert_int_equal(s.sound_runs, 4);
    assert_int_equal(s.sound_passed, 2);
    assert_int_equal(s.sound_failed, 1);
    assert_int_equal(s.kind_findings[KIND_BROKEN_TASK], 4);
    assert_int_equal(s.kind_runs[KIND_BROKEN_TASK], 3);
    assert_int_equal(s.kind_tasks[KIND_BROKEN_TASK], 2);
    assert_int_equal(s.kind_findings[KIND_ODD_BEHAVIOR], 2);
    assert_int_equal(s.ndetectors, 3);
    assert_true(slice_is(s.detectors[0].name, "missing-program"));
    assert_int_equal(s.detectors[0].runs, 3);
    assert_int_equal(s.detectors[0].tasks, 2);
    assert_int_equal(s.detectors[0].open, 3);
    assert_true(slice_is(s.detectors[1].name, "repeated-action"));
    assert_int_equal(s.detectors[1].severity, SEVERITY_HIGH);
    assert_int_equal(s.detectors[2].runs, 0);
    assert_int_equal(s.detectors[2].tasks, 1);
    assert_int_equal(s.nbehaviors, 3);
    assert_int_equal(s.behaviors[0].kind, KIND_BROKEN_TASK);
    assert_int_equal(s.behaviors[2].kind, KIND_ODD_BEHAVIOR);
    assert_true(s.behaviors[2].has_best);
    assert_true(slice_is(s.behaviors[2].best.run.external_id, "r5"));
    assert_int_equal(s.nby_model, 3);
    assert_true(slice_is(s.by_model[0].model, "north"));
    assert_int_equal(s.by_model[0].runs, 3);
    assert_int_equal(s.by_model[0].failed, 2);
    assert_int_equal(s.by_model[0].sound_failed, 1);
    assert_int_equal(s.by_model[0].flagged, 3);
    assert_null(s.by_model[2].model.ptr);
    assert_int_equal(facet(&s, "model")->values[1].runs, 2);
    assert_int_equal(facet(&s, "task")->n, 3);
    assert_int_equal(facet(&s, "success")->n, 3);
    assert_int_equal(facet(&s, "tag")->values[0].runs, 3);
    assert_int_equal(facet(&s, "exit_status")->n, 2);
    assert_int_equal(facet(&s, "kind")->n, 2);
    assert_int_equal(s.collection.flagged, 4);
    FAILS(ERR_NOT_FOUND, store_summary(f->store, S("nowhere"), &f->a, &s, &e));

    struct collection_row row;
    OK(store_collection_add(f->store, &(struct collection_row){.name = S("empty")}, &f->a, &row, &e));
    OK(store_summary(f->store, row.id, &f->a, &s, &e));
    assert_int_equal(s.runs, 0);
    assert_true(isnan(s.cost_usd));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(runs_are_filtered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(runs_are_sorted_and_paged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_later_import_comes_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(collections_are_listed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tags_are_put_on_and_taken_off, set_up, tear_down),
        cmocka_unit_test_setup_teardown(findings_are_listed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reviews_count, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_scan_keeps_what_people_said, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_review_outlives_its_rules_absence, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_incomplete_is_listed_in_pages, set_up, tear_down),
        cmocka_unit_test_setup_teardown(findings_of_an_older_text_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_review_follows_its_words, set_up, tear_down),
        cmocka_unit_test_setup_teardown(two_findings_alike_are_two, set_up, tear_down),
        cmocka_unit_test_setup_teardown(carried_findings_come_as_they_are, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tasks_are_listed_with_their_verdict, set_up, tear_down),
        cmocka_unit_test_setup_teardown(detectors_are_told_of_a_task, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_story_adds_up, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
