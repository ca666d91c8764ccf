/* The columns in memory: they name the same runs as SQL does, follow every change, and count and sum what there is. */
#include "store_fixture.h"

#include "storage/columns.h"
#include "base/jsonw.h"

#include <pthread.h>
#include <stdatomic.h>

static uint32_t dice(uint32_t *state, uint32_t sides)
{
    *state = *state * 1664525 + 1013904223;
    return (*state >> 8) % sides;
}

enum { RUNS = 240 };

/* Runs of every shape: unknown fields, scores of several types, nested metadata, tags, findings that are dismissed. */
static void put_many(struct fixture *f)
{
    static const char *const models[] = {"north", "south", "a, b", NULL, ""};
    static const char *const scores[] = {"1", "0.5", "0.25", "\"C\"", "true", "false", "null", "{\"a\": 1}"};
    static const char *const metas[] = {"{\"seed\": 1, \"env\": {\"os\": \"linux\"}}", "{\"seed\": 2.0, \"env\": {\"os\": \"mac\"}, \"flag\": true}",
                                        "{\"seed\": \"1\", \"env\": 3, \"flag\": false}", "{\"env.os\": \"bsd\", \"list\": [1, 2]}", "{}", NULL};
    uint32_t d = 7;
    struct put *put = store_put_new(f->store, &(struct put_target){.collection = f->collection, .imported = 1000000});
    for (int i = 0; i < RUNS; i++) {
        struct run *run = simple_run(f, arena_printf(&f->a, "r%d", i), arena_printf(&f->a, "answer %d", i));
        struct findings found = {0};
        run->task_id = dice(&d, 9) ? arena_printf(&f->a, "t%u", dice(&d, 12)) : SLICE_NONE;
        run->model = slice_str(models[dice(&d, 5)]);
        run->success = (enum verdict)dice(&d, 3);
        run->attempt = dice(&d, 3) ? (int64_t)dice(&d, 4) : COUNT_UNKNOWN;
        run->cost_usd = dice(&d, 4) ? dice(&d, 100) / 64.0 : NAN;
        run->tokens_in = dice(&d, 3) ? (int64_t)dice(&d, 1000) : COUNT_UNKNOWN;
        run->tokens_out = dice(&d, 3) ? (int64_t)dice(&d, 1000) : COUNT_UNKNOWN;
        run->limit = dice(&d, 4) ? SLICE_NONE : S("turns");
        run->exit_status = dice(&d, 2) ? S("submitted") : SLICE_NONE;
        run->started_at = dice(&d, 5) ? arena_printf(&f->a, "2026-01-%02uT00:00:00Z", 1 + dice(&d, 28)) : SLICE_NONE;
        run->ended_at = dice(&d, 5) && run->started_at.ptr ? arena_printf(&f->a, "%.10sT00:%02u:00.5Z", run->started_at.ptr, dice(&d, 60)) : SLICE_NONE;
        run->metadata = slice_str(metas[dice(&d, 6)]);
        if (dice(&d, 3)) {
            run->scores = arena_array(&f->a, struct score, 2);
            run->nscores = 2;
            run->scores[0] = (struct score){.name = S("reward"), .value = slice_str(scores[dice(&d, 8)])};
            run->scores[1] = (struct score){.name = dice(&d, 2) ? S("reward") : S("other one"), .value = slice_str(scores[dice(&d, 8)])};
        }
        if (dice(&d, 2)) {
            run->tags = arena_array(&f->a, struct slice, 2);
            run->tags[0] = S("nightly");
            run->tags[1] = S("ci");
            run->ntags = 1 + dice(&d, 2);
        }
        if (!dice(&d, 3))
            add_finding(f, &found, "missing-program", KIND_BROKEN_TASK, (enum severity)dice(&d, 3), 1, 0, "What");
        for (uint32_t k = dice(&d, 3); k; k--)
            add_finding(f, &found, "repeated-action", KIND_ODD_BEHAVIOR, (enum severity)dice(&d, 3), 2, 0, "answer");
        struct put_name name = name_of(run, "/x/many", 0);
        OK(store_put_add(put, &name, run, &found, NULL, 0, &e));
    }
    uint64_t counts[PUT_OUTCOMES] = {0};
    OK(store_put_commit(put, counts, &f->a, NULL, &e));
    assert_int_equal(counts[PUT_NEW], RUNS);
    store_put_free(put);
}

/* The runs that the columns let through are those that SQL does. */
static int64_t same_runs(struct fixture *f, struct filter *filter)
{
    struct slices ids;
    struct facet_rows rows;
    struct str said = STR_INIT(4000);
    struct slice name, value;
    filter->collection = f->collection;
    for (size_t i = 0; filter_get(filter, i, &f->a, &name, &value); i++)
        str_printf(&said, "%.*s=%.*s ", SLICE_ARG(name), SLICE_ARG(value));
    OK(store_run_ids(f->store, filter, &f->a, &ids, &e));
    OK(store_facets(f->store, filter, SLICE_NONE, 0, &f->a, &rows, &e));
    if ((int64_t)ids.n != rows.total)
        fail_msg("%s: %zu runs by SQL, %lld by columns", said.ptr, ids.n, (long long)rows.total);
    struct page page = {.limit = 7, .sort = S("-cost,meta.seed,name")};
    size_t seen = 0;
    do {
        struct run_rows runs;
        OK(store_runs(f->store, filter, &page, &f->a, &runs, &e));
        for (size_t i = 0; i < runs.n; i++, seen++) {
            size_t at = 0;
            while (at < ids.n && !slice_eq(ids.items[at], runs.items[i].run.id))
                at++;
            if (at == ids.n)
                fail_msg("%s: a run that SQL does not name, or a run twice", said.ptr);
            ids.items[at] = SLICE_NONE;
        }
        page.after = runs.end.next;
    } while (page.after.ptr);
    assert_int_equal(seen, ids.n);
    str_free(&said);
    return rows.total;
}

static void columns_and_sql_name_the_same_runs(void **state)
{
    struct fixture *f = *state;
    static const char *const asked[][2] = {
        {"model", "north"}, {"model", "south,"}, {"model", "a, b"}, {"model", "a\\, b,north"}, {"model", ""}, {"task", "t1,t2"}, {"task", ""}, {"success", "true"},
        {"success", "false,unknown"}, {"attempt", "1,2"}, {"attempt", ""}, {"stopped_by", "turns"}, {"exit_status", ""}, {"tag", "ci"},
        {"kind", "broken_task"}, {"behavior", "repeated-action"}, {"detector", "missing-program,repeated-action"}, {"severity", "high"},
        {"status", "open"}, {"status", "dismissed,confirmed"}, {"scope", "run"}, {"scope", "task"}, {"has_findings", "true"},
        {"has_findings", "false"}, {"q", "r1"}, {"meta.seed", "1"}, {"meta.seed", "2.0"}, {"meta.seed", "2"}, {"meta.flag", "1"}, {"meta.env.os", "linux,bsd"}, {"meta.flag", "true"},
        {"meta.flag", ""}, {"meta.list", "[1,2]"}, {"meta.nothing", ""}, {"meta.env", ""}, {"meta.nothing", "x"}, {"score.reward", "C"}, {"score.reward", "true,0.5"},
        {"score.reward", ""}, {"score.other one", "1"}, {"range.cost", "0.5.."}, {"range.cost", "..0.25"}, {"range.tokens", "500..900"},
        {"range.duration", "60.5..1800.5"}, {"range.started_at", "2026-01-05..2026-01-11"}, {"range.started_at", "2026-01-09T00:00:00Z.."},
        {"range.ended_at", "..2026-01-09T00:30:00.500Z"}, {"range.attempt", "2..3"}, {"range.score.reward", "0.5..1"}, {"range.meta.seed", "1..1.5"},
        {"range.findings", "2.."}, {"range.messages", "3..3"}, {"range.calls", "1.."},
    };
    enum { ASKED = sizeof asked / sizeof *asked };
    uint32_t d = 3;
    uint64_t changed;
    put_many(f);
    OK(store_review(f->store, &(struct filter){.collection = f->collection, .severity = S("low"), .has_findings = -1},
                    &(struct review){.has_status = true, .status = STATUS_DISMISSED}, &changed, &e));
    assert_true(changed > 10);
    size_t some = 0;
    for (size_t i = 0; i < ASKED; i++) {
        struct filter filter = FILTER_ANY;
        OK(filter_set(&filter, slice_str(asked[i][0]), slice_str(asked[i][1]), &e));
        int64_t n = same_runs(f, &filter);
        some += n > 0 && n < RUNS;
    }
    assert_true(some > ASKED - 8); /* nearly all of these tell runs apart */
    for (int turn = 0; turn < 150; turn++) {
        struct filter filter = FILTER_ANY;
        for (uint32_t k = 2 + dice(&d, 2); k; k--) {
            size_t i = dice(&d, ASKED);
            OK(filter_set(&filter, slice_str(asked[i][0]), slice_str(asked[i][1]), &e));
        }
        same_runs(f, &filter);
    }
}

/* A comma of a value is written with a backslash, in every list of names and on both ways. */
static void a_value_may_hold_a_comma(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"What is A, B?", "What is A", " B?", "C:\\d", "C:\\", "d", "x\\, y"};
    struct put *put = store_put_new(f->store, &(struct put_target){.collection = f->collection, .imported = 1000000});
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct run *run = simple_run(f, arena_printf(&f->a, "r%zu", i), S("answer"));
        struct str json = STR_INIT(200);
        struct jsonw j = jsonw_to(&json);
        jsonw_object(&j);
        jsonw_kstrz(&j, "key", names[i]);
        jsonw_end(&j);
        run->task_id = run->model = run->agent = run->exit_status = slice_str(names[i]);
        run->metadata = arena_dup(&f->a, str_slice(&json));
        str_free(&json);
        run->tags = &run->model;
        run->ntags = 1;
        struct put_name name = name_of(run, "/x/commas", 0);
        OK(store_put_add(put, &name, run, &(struct findings){0}, NULL, 0, &e));
    }
    OK(store_put_commit(put, (uint64_t[PUT_OUTCOMES]){0}, &f->a, NULL, &e));
    store_put_free(put);
    static const char *const fields[] = {"task", "model", "agent", "exit_status", "tag", "meta.key"};
    static const struct { const char *list; int64_t runs; } rows[] = {
        {"What is A\\, B?", 1}, {"What is A\\, B?,What is A", 2}, {"What is A, B?", 3}, {"What is A", 1}, {"C:\\d", 1}, {"C:\\\\d", 1},
        {"C:\\\\", 1}, {"C:\\\\,d", 2}, {"x\\\\\\, y", 1}, {"x\\\\, y", 0}, {"nothing\\, here", 0},
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
            struct filter filter = FILTER_ANY;
            OK(filter_set(&filter, slice_str(fields[i]), slice_str(rows[k].list), &e));
            int64_t n = same_runs(f, &filter);
            if (n != rows[k].runs)
                fail_msg("%s=%s: %lld runs, not %lld", fields[i], rows[k].list, (long long)n, (long long)rows[k].runs);
        }
}

/* More keys of metadata and scores than are kept, one that lies deep, and lists longer than an expression of SQL may be deep. */
static void what_columns_cannot_hold_is_found_all_the_same(void **state)
{
    enum { MANY = 450, DEEP = 6, WORDS = 1500, OF = 4 };
    static const char *const asked[][2] = {{"meta.k0", "1"}, {"meta.k449", "1"}, {"score.s449", "1"}, {"meta.a.a.a.a.a.a", "1"},
                                           {"range.meta.k448", "1..1"}, {"range.meta.a.a.a.a.a.a", "1..1"}, {"range.score.s448", "1..1"}};
    struct fixture *f = *state;
    struct field_rows fields;
    struct str text = STR_INIT(1 << 16);
    struct put *put = store_put_new(f->store, &(struct put_target){.collection = f->collection, .imported = 1000000});
    for (int i = 0; i < OF; i++) {
        struct run *run = simple_run(f, arena_printf(&f->a, "r%d", i), S("answer"));
        struct findings none = {0};
        str_reset(&text);
        run->scores = arena_array(&f->a, struct score, MANY);
        for (int k = 0; k < MANY; k++) {
            str_printf(&text, "%s\"k%d\": %d", k ? ", " : "{", k, i % 2);
            run->scores[run->nscores++] = (struct score){.name = arena_printf(&f->a, "s%d", k), .value = arena_printf(&f->a, "%d", i % 2)};
        }
        str_addz(&text, ", \"a\": ");
        for (int k = 1; k < DEEP; k++)
            str_addz(&text, "{\"a\": ");
        str_printf(&text, "%d}}}}}}", i % 2);
        run->metadata = arena_dup(&f->a, str_slice(&text));
        struct put_name name = name_of(run, "/x/wide", 0);
        OK(store_put_add(put, &name, run, &none, NULL, 0, &e));
    }
    uint64_t counts[PUT_OUTCOMES] = {0};
    OK(store_put_commit(put, counts, &f->a, NULL, &e));
    store_put_free(put);
    for (int read = 0; read < 2; read++) { /* one by one, then with all that is kept in memory */
        for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
            struct filter filter = FILTER_ANY;
            OK(filter_set(&filter, slice_str(asked[i][0]), slice_str(asked[i][1]), &e));
            assert_int_equal(same_runs(f, &filter), OF / 2);
        }
        OK(store_fields(f->store, f->collection, &f->a, &fields, &e));
    }
    str_reset(&text);
    for (int i = 0; i < WORDS; i++)
        str_printf(&text, "%s%s", i ? "," : "", i == WORDS / 2 ? arena_strdup(&f->a, all_runs(f).items[1].run.id) : "nobody");
    struct filter filter = {.run = arena_dup(&f->a, str_slice(&text)), .has_findings = -1};
    assert_int_equal(same_runs(f, &filter), 1);
    str_free(&text);
}

static void what_no_filter_can_be_is_refused(void **state)
{
    struct fixture *f = *state;
    struct filter filter = FILTER_ANY;
    struct facet_rows rows;
    struct stat_rows stats;
    (void)f;
    FAILS(ERR_USAGE, filter_set(&filter, S("nothing"), S("x"), &e));
    FAILS(ERR_USAGE, filter_set(&filter, S("meta."), S("x"), &e));
    FAILS(ERR_USAGE, filter_set(&filter, S("meta.a\"b"), S("x"), &e));
    FAILS(ERR_USAGE, filter_set(&filter, S("has_findings"), S("perhaps"), &e));
    FAILS(ERR_USAGE, filter_set(&filter, S("range.model"), S("1..2"), &e));
    FAILS(ERR_USAGE, filter_set(&filter, S("range.cost"), S("1"), &e));
    FAILS(ERR_USAGE, filter_set(&filter, S("range.cost"), S("a..b"), &e));
    FAILS(ERR_USAGE, filter_set(&filter, S("range.cost"), S("1..nan"), &e));
    FAILS(ERR_USAGE, filter_set(&filter, S("range.started_at"), S("5..6"), &e));
    for (int i = 0; i < FILTER_PAIRS; i++)
        OK(filter_set(&filter, S("meta.x"), S("y"), &e));
    FAILS(ERR_USAGE, filter_set(&filter, S("meta.x"), S("y"), &e));
    filter = FILTER_ANY;
    FAILS(ERR_USAGE, store_facets(f->store, &filter, S("model"), 0, &f->a, &rows, &e));
    filter.collection = f->collection;
    FAILS(ERR_USAGE, store_facets(f->store, &filter, S("cost"), 0, &f->a, &rows, &e));
    FAILS(ERR_USAGE, store_facets(f->store, &filter, S("nothing"), 0, &f->a, &rows, &e));
    FAILS(ERR_USAGE, store_stats(f->store, &filter, S("duration"), 0, &f->a, &stats, &e));
    filter.kind = S("worst");
    FAILS(ERR_USAGE, store_facets(f->store, &filter, SLICE_NONE, 0, &f->a, &rows, &e));
}

/* ---- facets and statistics of four runs that one can count ------------------------------------------------------------------ */

static void put_four(struct fixture *f)
{
    static const char *const models[] = {"north", "south", "north", NULL};
    struct put *put = store_put_new(f->store, &(struct put_target){.collection = f->collection, .imported = 1000000});
    for (int i = 0; i < 4; i++) {
        struct run *run = simple_run(f, arena_printf(&f->a, "r%d", i), S("answer"));
        struct findings found = {0};
        run->model = slice_str(models[i]);
        run->success = i == 3 ? VERDICT_UNKNOWN : i ? VERDICT_PASSED : VERDICT_FAILED;
        run->cost_usd = i == 3 ? NAN : 0.25 * (i + 1);
        run->metadata = arena_printf(&f->a, "{\"seed\": %d, \"ok\": %s, \"when\": \"2026-01-0%dT00:00:00Z\"}", i % 2, i ? "true" : "false", i + 1);
        for (int k = 0; k < i; k++) /* several of one kind are one run */
            add_finding(f, &found, "repeated-action", KIND_ODD_BEHAVIOR, SEVERITY_LOW, 2, 0, "answer");
        struct put_name name = name_of(run, "/x/four", 0);
        OK(store_put_add(put, &name, run, &found, NULL, 0, &e));
    }
    uint64_t counts[PUT_OUTCOMES] = {0};
    OK(store_put_commit(put, counts, &f->a, NULL, &e));
    store_put_free(put);
}

/* "model: north 2/1/1 south 1/1/0 -/… +0": runs/passed/failed. */
static const char *facets_of(struct fixture *f, struct filter filter, const char *fields, size_t limit)
{
    struct facet_rows rows;
    struct str out = STR_INIT(2000);
    filter.collection = f->collection;
    OK(store_facets(f->store, &filter, slice_str(fields), limit, &f->a, &rows, &e));
    str_printf(&out, "%lld", (long long)rows.total);
    for (size_t i = 0; i < rows.n; i++) {
        str_printf(&out, " %.*s:", SLICE_ARG(rows.items[i].field));
        for (size_t k = 0; k < rows.items[i].n; k++) {
            const struct facet_value *v = &rows.items[i].values[k];
            str_printf(&out, " %.*s %lld/%lld/%lld", SLICE_ARG(v->value.ptr ? v->value : S("-")), (long long)v->runs, (long long)v->passed,
                       (long long)v->failed);
        }
        if (rows.items[i].more)
            str_printf(&out, " +%lld", (long long)rows.items[i].more);
    }
    const char *text = arena_strdup(&f->a, str_slice(&out));
    str_free(&out);
    return text;
}
#define FACETS(fields, limit, ...) facets_of(f, (struct filter){.has_findings = -1, __VA_ARGS__}, fields, limit)

static void facets_ignore_their_own_filter(void **state)
{
    struct fixture *f = *state;
    put_four(f);
    assert_string_equal(FACETS("model,success", 0, .model = SLICE_NONE), "4 model: north 2/1/1 south 1/1/0 - 1/0/0 success: true 2/2/0 false 1/0/1 unknown 1/0/0");
    assert_string_equal(FACETS("model,success", 1, .model = S("south")), "1 model: north 2/1/1 +2 success: true 1/1/0");
    assert_string_equal(FACETS("kind,behavior", 0, .kind = S("harness")), "0 kind: odd_behavior 3/2/0 behavior:");
    assert_string_equal(FACETS("meta.seed,meta.ok", 0, .meta = {{S("seed"), S("1")}}, .nmeta = 1), "2 meta.seed: 0 2/1/1 1 2/1/0 meta.ok: true 2/1/0");
    assert_string_equal(FACETS("meta.nope", 0, .model = S("north")), "2 meta.nope: - 2/1/1");
    /* The same after a change: a tag on some, a finding dismissed, a run gone. */
    uint64_t changed;
    struct filter north = {.collection = f->collection, .model = S("north"), .has_findings = -1};
    assert_string_equal(FACETS("tag", 0, .tag = S("new")), "0 tag: - 4/2/1");
    OK(store_tag(f->store, &north, S("new"), true, &changed, &e));
    assert_string_equal(FACETS("tag", 0, .tag = S("new")), "2 tag: new 2/1/1 - 2/1/0");
    OK(store_review(f->store, &(struct filter){.collection = f->collection, .has_findings = -1},
                    &(struct review){.has_status = true, .status = STATUS_CONFIRMED}, &changed, &e));
    assert_string_equal(FACETS("kind", 0, .status = S("open")), "0 kind:");
    assert_string_equal(FACETS("kind", 0, .status = S("confirmed")), "3 kind: odd_behavior 3/2/0");
    OK(store_run_delete(f->store, all_runs(f).items[1].run.id, &e));
    assert_string_equal(FACETS("model", 0, .q = S("r")), "3 model: north 2/1/1 - 1/0/0");
}

static void statistics_are_of_what_is_known(void **state)
{
    struct fixture *f = *state;
    struct stat_rows rows;
    struct filter filter = {.collection = f->collection, .has_findings = -1};
    put_four(f);
    OK(store_stats(f->store, &filter, S("model"), 0, &f->a, &rows, &e));
    assert_int_equal(rows.n, 3);
    assert_string_equal(arena_strdup(&f->a, rows.items[0].value), "north");
    const struct amount *cost = &rows.items[0].stats[STAT_COST];
    assert_int_equal(cost->n, 2);
    assert_true(cost->sum == 1 && cost->mean == 0.5 && cost->median == 0.5 && cost->p90 == 0.75);
    assert_null(rows.items[2].value.ptr);
    assert_int_equal(rows.items[2].stats[STAT_COST].n, 0);
    assert_int_equal(rows.items[2].stats[STAT_TOKENS].n, 0);
    assert_int_equal(rows.items[2].stats[STAT_MESSAGES].n, 1);
    assert_true(rows.items[2].stats[STAT_MESSAGES].median == 3);
    OK(store_stats(f->store, &filter, S("kind"), 0, &f->a, &rows, &e)); /* a run with three findings of a kind counts once */
    assert_int_equal(rows.n, 1);
    assert_int_equal(rows.items[0].runs, 3);
    assert_int_equal(rows.items[0].stats[STAT_MESSAGES].n, 3);
    OK(store_stats(f->store, &filter, SLICE_NONE, 0, &f->a, &rows, &e));
    assert_int_equal(rows.n, 1);
    assert_true(rows.items[0].runs == 4 && rows.items[0].passed == 2 && rows.items[0].failed == 1 && rows.items[0].stats[STAT_COST].sum == 1.5);
    OK(store_stats(f->store, &filter, S("model"), 1, &f->a, &rows, &e));
    assert_true(rows.n == 1 && rows.more == 2);
}

static void fields_say_their_types(void **state)
{
    struct fixture *f = *state;
    struct field_rows rows;
    static const struct { const char *name; enum field_type type; int values, runs; } wanted[] = {
        {"behavior", TYPE_TEXT, 1, 3}, {"cost", TYPE_NUMBER, 3, 3},  {"meta.ok", TYPE_BOOL, 2, 4}, {"meta.seed", TYPE_NUMBER, 2, 4},
        {"meta.when", TYPE_TIME, 4, 4}, {"model", TYPE_TEXT, 2, 3}, {"success", TYPE_BOOL, 2, 3}, {"task", TYPE_TEXT, 1, 4},
    };
    size_t found = 0;
    put_four(f);
    OK(store_fields(f->store, f->collection, &f->a, &rows, &e));
    for (size_t i = 0; i < rows.n; i++)
        for (size_t k = 0; k < sizeof wanted / sizeof *wanted; k++)
            if (slice_is(rows.items[i].field, wanted[k].name)) {
                found++;
                assert_int_equal(rows.items[i].type, wanted[k].type);
                assert_int_equal(rows.items[i].values, wanted[k].values);
                assert_int_equal(rows.items[i].runs, wanted[k].runs);
            }
    assert_int_equal(found, sizeof wanted / sizeof *wanted);
    for (size_t i = 0; i < rows.n; i++) /* what no run has is not there */
        assert_false(slice_is(rows.items[i].field, "tokens") || slice_is(rows.items[i].field, "tag"));
}

static void a_page_begins_anywhere(void **state)
{
    struct fixture *f = *state;
    static const char *const sorts[] = {NULL, "-cost", "meta.seed,-duration", "-score.reward,name"};
    struct filter filter = {.collection = f->collection, .has_findings = -1};
    put_many(f);
    for (size_t k = 0; k < sizeof sorts / sizeof *sorts; k++) {
        struct run_rows all, page;
        OK(store_runs(f->store, &filter, &(struct page){.limit = RUNS, .sort = slice_str(sorts[k])}, &f->a, &all, &e));
        assert_int_equal(all.n, RUNS);
        for (size_t from = 1; from < RUNS + 20; from += 13) {
            OK(store_runs(f->store, &filter, &(struct page){.limit = 10, .sort = slice_str(sorts[k]), .offset = from}, &f->a, &page, &e));
            assert_int_equal(page.n, from >= RUNS ? 0 : RUNS - from < 10 ? RUNS - from : 10);
            assert_int_equal(page.end.total, RUNS);
            assert_int_equal(page.end.next.ptr != NULL, from + 10 < RUNS);
            for (size_t i = 0; i < page.n; i++)
                assert_true(slice_eq(page.items[i].run.id, all.items[from + i].run.id));
        }
    }
    FAILS(ERR_USAGE, store_runs(f->store, &filter, &(struct page){.sort = S("tag")}, &f->a, &(struct run_rows){0}, &e));
}

/* ---- what a change leaves as it is ------------------------------------------------------------------------------------------- */

/* A column as it is now; the columns are given to `out`. */
static const struct column *column_now(struct fixture *f, const char *name, struct columns **out)
{
    const struct column *column;
    int64_t n;
    OK(db_read(f->store->db, &e));
    OK(collection_find(f->store, f->collection, &n, &e));
    OK(columns_of(f->store, n, out, &e));
    OK(columns_get(*out, f->store, slice_str(name), &column, &e));
    OK(db_end(f->store->db, true, &e));
    return column;
}

static void a_tag_or_a_review_leaves_other_columns_as_they_are(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"model", "meta.seed", "tag", "kind", "findings"};
    enum { COLUMNS = sizeof names / sizeof *names };
    const struct column *before[COLUMNS];
    struct columns *held[COLUMNS], *c;
    const struct filter all = {.collection = f->collection, .has_findings = -1};
    uint64_t changed;
    put_four(f);
    for (int turn = 0; turn < 3; turn++) {
        for (int i = 0; i < COLUMNS; i++)
            before[i] = column_now(f, names[i], &held[i]); /* held: what is made anew stands elsewhere */
        if (turn == 0)
            OK(store_tag(f->store, &all, S("new"), true, &changed, &e));
        else if (turn == 1)
            OK(store_review(f->store, &all, &(struct review){.has_status = true, .status = STATUS_DISMISSED}, &changed, &e));
        else
            OK(store_run_delete(f->store, all_runs(f).items[0].run.id, &e));
        for (int i = 0; i < COLUMNS; i++) {
            bool anew = turn == 2 || (turn == 0 ? i == 2 : i > 2);
            assert_int_equal(column_now(f, names[i], &c) != before[i], anew);
            columns_done(c);
            columns_done(held[i]);
        }
    }
}

/* ---- readers beside writers: worth most under make BUILD=tsan ------------------------------------------------------------------- */

enum { READERS = 3, TURNS = 25 };
struct reader {
    const struct fixture *f;
    const atomic_bool *ended;
    size_t answers;
};

static void *read_on(void *arg)
{
    static const char *const facets[] = {"model,tag", "kind,meta.seed", "score.reward,success"};
    static const char *const sorts[] = {"-cost", "findings,name", "-meta.seed"};
    static const char *const groups[] = {"model", "tag", "behavior"};
    struct reader *r = arg;
    const struct filter filter = {.collection = r->f->collection, .has_findings = -1};
    struct store *store;
    struct arena a = {0};
    OK(store_open(r->f->path, STORE_READ, &store, &e));
    for (size_t i = 0; !atomic_load(r->ended) || i < 3; i++) {
        struct facet_rows rows;
        struct run_rows runs;
        struct stat_rows stats;
        int64_t sum = 0;
        arena_reset(&a);
        OK(store_facets(store, &filter, slice_str(facets[i % 3]), 0, &a, &rows, &e));
        OK(store_runs(store, &filter, &(struct page){.limit = 20, .sort = slice_str(sorts[i % 3])}, &a, &runs, &e));
        OK(store_stats(store, &filter, slice_str(groups[i % 3]), 0, &a, &stats, &e));
        for (size_t k = 0; i % 3 == 0 && k < rows.items[0].n; k++)
            sum += rows.items[0].values[k].runs;
        assert_true(i % 3 || sum == rows.total); /* each run has one model, or none */
        r->answers++;
    }
    arena_free(&a);
    store_close(store);
    return NULL;
}

static void readers_see_whole_columns_while_others_write(void **state)
{
    struct fixture *f = *state;
    atomic_bool ended = false;
    pthread_t threads[READERS];
    struct reader readers[READERS];
    const struct filter some = {.collection = f->collection, .model = S("north"), .has_findings = -1};
    uint64_t changed;
    put_many(f);
    for (int i = 0; i < READERS; i++) {
        readers[i] = (struct reader){.f = f, .ended = &ended};
        assert_int_equal(pthread_create(&threads[i], NULL, read_on, &readers[i]), 0);
    }
    for (int turn = 0; turn < TURNS; turn++) {
        struct review review = {.has_status = true, .status = turn % 2 ? STATUS_OPEN : STATUS_DISMISSED};
        OK(store_tag(f->store, &some, S("new"), turn % 2 == 0, &changed, &e));
        OK(store_review(f->store, &some, &review, &changed, &e));
        if (turn % 5)
            continue;
        struct put *put = store_put_new(f->store, &(struct put_target){.collection = f->collection, .imported = 2000000 + turn});
        struct run *run = simple_run(f, arena_printf(&f->a, "more%d", turn), arena_printf(&f->a, "more %d", turn));
        struct put_name name = name_of(run, "/x/more", 0);
        uint64_t counts[PUT_OUTCOMES] = {0};
        OK(store_put_add(put, &name, run, &(struct findings){0}, NULL, 0, &e));
        OK(store_put_commit(put, counts, &f->a, NULL, &e));
        store_put_free(put);
    }
    atomic_store(&ended, true);
    for (int i = 0; i < READERS; i++) {
        pthread_join(threads[i], NULL);
        assert_true(readers[i].answers >= 3);
    }
    struct filter filter = some;
    same_runs(f, &filter);
}

/* What was kept under a version is not given out after any change of what the summary says. */
static void every_change_of_a_summary_moves_the_version(void **state)
{
    struct fixture *f = *state;
    static const char *const changes[] = {
        "UPDATE run SET success = 0", "UPDATE run SET broken = broken + 1", "UPDATE run SET name = 'x'", "UPDATE task SET verdict = 2",
        "UPDATE finding SET status = 1", "DELETE FROM finding", "INSERT INTO incomplete (run, detector) SELECT n, 'd' FROM run",
        "DELETE FROM incomplete", "UPDATE collection SET description = 'd'", "INSERT INTO run_tag (run, tag, position, by_hand) SELECT n, 't', 9, 1 FROM run",
        "DELETE FROM run_tag WHERE tag = 't'", "INSERT INTO file (collection, hash, path, bytes, runs, refused) SELECT n, x'00', 'p', 1, 1, 1 FROM collection",
        "DELETE FROM file", "DELETE FROM run",
    };
    int64_t before, after;
    put_four(f);
    OK(store_version(f->store, f->collection, &before, &e));
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        OK(db_write(f->store->db, &e) && db_end(f->store->db, db_script(f->store->db, changes[i], &e), &e));
        OK(store_version(f->store, f->collection, &after, &e));
        if (after <= before)
            fail_msg("\"%s\" leaves the version as it is", changes[i]);
        before = after;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(columns_and_sql_name_the_same_runs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_value_may_hold_a_comma, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_columns_cannot_hold_is_found_all_the_same, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_no_filter_can_be_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(facets_ignore_their_own_filter, set_up, tear_down),
        cmocka_unit_test_setup_teardown(statistics_are_of_what_is_known, set_up, tear_down),
        cmocka_unit_test_setup_teardown(fields_say_their_types, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_page_begins_anywhere, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_tag_or_a_review_leaves_other_columns_as_they_are, set_up, tear_down),
        cmocka_unit_test_setup_teardown(readers_see_whole_columns_while_others_write, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_change_of_a_summary_moves_the_version, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
