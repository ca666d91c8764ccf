/* Any order of imports, scans, reviews and deletions leaves tables that agree with one another. */
#include "store_fixture.h"

enum { NAMES = 24, CONTENTS = 3, STEPS = 600 };

static unsigned seed;
static int pick(int n) { return (int)(((unsigned)rand_r(&seed) >> 4) % (unsigned)n); }

static const char *const detectors[] = {"a", "b", "c"};

/* Some findings with evidence in the second message. */
static struct findings some_findings(struct fixture *f)
{
    struct findings list = {0};
    for (int n = pick(4); n; n--)
        add_finding(f, &list, detectors[pick(3)], (enum kind)pick(KIND_COUNT), (enum severity)pick(3), 1, (uint32_t)pick(3), "What");
    return list;
}

static void put_one(struct fixture *f)
{
    struct run *run = simple_run(f, arena_printf(&f->a, "r%d", pick(NAMES)), arena_printf(&f->a, "content %d of a length that makes it worth the while to know it again", pick(CONTENTS)));
    struct findings found = some_findings(f);
    int task = pick(5);
    run->task_id = task ? arena_printf(&f->a, "t%d", task) : SLICE_NONE;
    run->model = pick(4) ? arena_printf(&f->a, "m%d", pick(2)) : SLICE_NONE;
    run->success = (enum verdict)pick(3);
    put_run(f, run, pick(2) ? "/x/a" : "upload:a", (uint32_t)pick(2), pick(2), &found);
}

static struct slice any_run(struct fixture *f)
{
    struct run_rows rows = all_runs(f);
    return rows.n ? rows.items[pick((int)rows.n)].run.id : SLICE_NONE;
}

static void delete_one(struct fixture *f)
{
    struct slice id = any_run(f);
    if (id.ptr)
        OK(store_run_delete(f->store, id, &e));
}

static void scan_one(struct fixture *f)
{
    struct slice id = any_run(f), only = slice_str(detectors[pick(3)]);
    struct findings found = some_findings(f);
    const struct incomplete unfinished = {only, S("deadline")};
    bool changed;
    if (id.ptr)
        OK(store_run_findings(f->store, id, SLICE_NONE, &found, &unfinished, (size_t)pick(2), &only, (size_t)pick(2), &changed, &e));
}

static void scan_task(struct fixture *f)
{
    struct slices ids;
    struct task_summary task;
    bool changed;
    OK(store_task_ids(f->store, f->collection, &f->a, &ids, &e));
    if (!ids.n)
        return;
    struct slice id = ids.items[pick((int)ids.n)];
    OK(store_task_summary(f->store, f->collection, id, &f->a, &task, &e));
    struct findings found = some_findings(f);
    for (size_t i = 0; i < found.n; i++) {
        found.items[i].scope = SCOPE_TASK;
        found.items[i].task_id = id;
        found.items[i].evidence->run = task.runs[pick((int)task.nruns)].run;
    }
    OK(store_task_findings(f->store, f->collection, id, &found, NULL, 0, &changed, &e));
}

static void review_some(struct fixture *f)
{
    struct filter filter = {.collection = f->collection, .has_findings = -1, .detector = slice_str(detectors[pick(3)])};
    const struct review review = {.has_status = pick(3) > 0, .status = (enum finding_status)pick(3), .note = pick(2) ? S("n") : SLICE_NONE};
    uint64_t changed;
    filter.severity = slice_str(severity_name((enum severity)pick(3)));
    OK(store_review(f->store, &filter, &review, &changed, &e));
}

/* Each counts what should not be. */
static const char *const wrongs[] = {
    "SELECT count(*) FROM pragma_foreign_key_check",
    "SELECT count(*) FROM run r WHERE (SELECT group_concat(n, ' ') FROM (SELECT count(*) FILTER (WHERE status <> 2 AND kind = k) AS n FROM"
    " (SELECT 0 AS k UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4) LEFT JOIN finding ON run = r.n GROUP BY k ORDER BY k))"
    " <> broken || ' ' || odd || ' ' || near || ' ' || harness || ' ' || data",
    "SELECT count(*) FROM task t WHERE broken + odd + near + harness + data <> (SELECT count(*) FROM finding WHERE task = t.n AND status <> 2)",
    "SELECT count(*) FROM task t WHERE runs <> (SELECT count(*) FROM run WHERE task = t.n) OR runs = 0",
    "SELECT count(*) FROM task t WHERE passed <> (SELECT count(*) FROM run WHERE task = t.n AND success = 1)",
    "SELECT count(*) FROM task t WHERE runs <> (SELECT sum(runs) FROM task_model WHERE task = t.n)",
    "SELECT count(*) FROM task_model m WHERE runs <> (SELECT count(*) FROM run WHERE task = m.task AND coalesce(model, '') = m.model)",
    "SELECT count(*) FROM task t WHERE verdict <> coalesce((SELECT max(1 + (severity = 2 OR status = 1)) FROM finding WHERE task = t.n AND"
    " scope = 1 AND kind = 0 AND status <> 2), 0)",
    "SELECT count(*) FROM collection c WHERE runs <> (SELECT count(*) FROM run) OR findings <> (SELECT count(*) FROM finding WHERE status <> 2)",
    "SELECT count(*) FROM collection c WHERE flagged <> (SELECT count(DISTINCT run) FROM finding WHERE status <> 2)",
    "SELECT count(*) FROM collection c WHERE passed <> (SELECT count(*) FROM run WHERE success = 1) OR failed <> (SELECT count(*) FROM run WHERE success = 0)",
    "SELECT count(*) FROM finding f JOIN run r ON r.n = f.run WHERE f.task IS NOT r.task",
    "SELECT count(*) FROM finding f WHERE NOT EXISTS (SELECT 1 FROM span WHERE id >> 26 = f.n)",
    "SELECT count(*) FROM span WHERE id >> 26 NOT IN (SELECT n FROM finding)",
    "SELECT count(*) FROM message WHERE id >> 26 NOT IN (SELECT n FROM run)",
    "SELECT count(*) FROM run r WHERE messages <> (SELECT count(*) FROM message WHERE id >> 26 = r.n)",
    "SELECT count(*) FROM block WHERE id NOT IN (SELECT block FROM block_run)",
    "SELECT count(*) FROM block_run b WHERE block NOT IN (SELECT id FROM block) OR run NOT IN (SELECT n FROM run)",
    "SELECT count(*) FROM block_hash WHERE block NOT IN (SELECT id FROM block)",
    "SELECT count(*) FROM message m WHERE text > 0 AND NOT EXISTS (SELECT 1 FROM block_run WHERE block = m.text >> 16 AND run = m.id >> 26 AND"
    " uses <> x'')",
    "SELECT count(*) FROM message WHERE text(text) IS NULL",
};

static void everything_agrees(void **state)
{
    struct fixture *f = *state;
    static void (*const steps[])(struct fixture *) = {put_one, put_one, put_one, delete_one, scan_one, scan_one, scan_task, review_some};
    for (int i = 0; i < STEPS; i++) {
        steps[pick(sizeof steps / sizeof *steps)](f);
        for (size_t k = 0; k < sizeof wrongs / sizeof *wrongs && i % 20 == 19; k++)
            if (number(f, wrongs[k]))
                fail_msg("seed %u, step %d: %s", seed, i, wrongs[k]);
    }
    assert_true(all_runs(f).n > 5);
    struct collection_row c;
    struct summary s;
    OK(store_collection(f->store, f->collection, &f->a, &c, &e));
    OK(store_summary(f->store, f->collection, &f->a, &s, &e));
    assert_int_equal(s.runs, c.runs);
    assert_int_equal(s.kind_findings[0] + s.kind_findings[1] + s.kind_findings[2] + s.kind_findings[3] + s.kind_findings[4], c.findings);
}

static void with_one_seed(void **state)
{
    seed = 1;
    everything_agrees(state);
}

static void with_another(void **state)
{
    seed = 20260102;
    everything_agrees(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(with_one_seed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(with_another, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
