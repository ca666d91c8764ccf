/* Detecting: evidence is byte-exact, limits are told, the work does not grow with rules that cannot match, and the detectors in C. */
#include "detect/match.h"

#include "cpu.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct arena arena;
static struct detect_scratch *scratch;

static int setup(void **state)
{
    (void)state;
    scratch = detect_scratch_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    detect_scratch_free(scratch);
    arena_free(&arena);
    return 0;
}

/* ---- runs by hand ------------------------------------------------------------------------------------------------ */

enum { MESSAGES = 4000 };

static struct run *new_run(size_t transcripts)
{
    struct run *run = arena_new(&arena, struct run);
    run_init(run);
    run->transcripts = arena_array(&arena, struct transcript, transcripts);
    run->ntranscripts = transcripts;
    for (size_t i = 0; i < transcripts; i++)
        run->transcripts[i].messages = arena_array(&arena, struct message, MESSAGES);
    return run;
}

static struct message *say_in(struct run *run, size_t transcript, enum role role, struct slice text)
{
    struct transcript *t = &run->transcripts[transcript];
    struct message *m = &t->messages[t->nmessages++];
    message_init(m);
    m->role = role;
    m->text = text;
    return m;
}

static struct message *say(struct run *run, enum role role, const char *text) { return say_in(run, 0, role, slice_str(text)); }

static struct message *call(struct run *run, const char *id, const char *name, const char *arguments)
{
    struct message *m = say(run, ROLE_ASSISTANT, NULL);
    m->calls = arena_array(&arena, struct tool_call, 8);
    m->calls[m->ncalls++] = (struct tool_call){
        .call_id = slice_str(id), .name = slice_str(name), .arguments = slice_str(arguments)};
    return m;
}

static void also_call(struct message *m, const char *id, const char *name, const char *arguments)
{
    m->calls[m->ncalls++] = (struct tool_call){
        .call_id = slice_str(id), .name = slice_str(name), .arguments = slice_str(arguments)};
}

static struct message *result(struct run *run, const char *id, const char *text)
{
    struct message *m = say(run, ROLE_TOOL, text);
    m->tool_call_id = slice_str(id);
    return m;
}

static void score(struct run *run, const char *value, const char *answer, const char *target)
{
    run->scores = arena_array(&arena, struct score, 1);
    run->nscores = 1;
    run->scores[0] = (struct score){
        .name = slice_str("s.x"), .value = slice_str(value), .answer = slice_str(answer), .target = slice_str(target)};
    run->success = VERDICT_FAILED;
}

static struct ruleset *rules(const char *text)
{
    struct problems problems = {0};
    struct ruleset *rs;
    ruleset_parse(slice_str(text), slice_str("t"), &arena, &problems, &rs);
    if (problems.n)
        fail_msg("%d:%d: %.*s", problems.items[0].line, problems.items[0].column, SLICE_ARG(problems.items[0].message));
    return rs;
}

static struct ruleset *shipped(void)
{
    struct problems problems = {0};
    struct ruleset *rs;
    assert_true(ruleset_load(NULL, 0, true, &arena, &problems, &rs, NULL));
    return rs;
}

/* Every finding has evidence, and every piece of it stands in the run to the byte. */
static void check(const struct run *run, const struct detect_result *r)
{
    for (size_t i = 0; i < r->findings.n; i++) {
        const struct finding *f = &r->findings.items[i];
        assert_true(f->nevidence > 0 && f->nevidence <= 8);
        assert_true(f->title.len > 0 && f->detector.len > 0 && f->version.len == 32);
        assert_non_null(behavior_find(f->behavior));
        for (size_t k = 0; k < f->nevidence; k++) {
            const struct evidence *e = &f->evidence[k];
            const struct message *m = e->transcript < 0 ? NULL : &run->transcripts[e->transcript].messages[e->message];
            struct slice part = run_part(run, m, e->part);
            if (!part.ptr || e->start >= e->end || e->end > part.len ||
                !slice_eq(e->quote, slice_sub(part, e->start, e->end - e->start)))
                fail_msg("%.*s: %.*s [%u, %u) of %zu bytes is not '%.*s'", SLICE_ARG(f->detector), SLICE_ARG(e->part), e->start,
                         e->end, part.len, SLICE_ARG(e->quote));
        }
    }
}

static struct detect_result detect(const struct ruleset *rs, const struct run *run)
{
    struct detect_result r;
    detect_run(rs, scratch, run, &arena, &r);
    check(run, &r);
    return r;
}

static const struct finding *find(const struct detect_result *r, const char *detector)
{
    for (size_t i = 0; i < r->findings.n; i++)
        if (slice_is(r->findings.items[i].detector, detector))
            return &r->findings.items[i];
    return NULL;
}

static void is_evidence(const struct finding *f, size_t i, int32_t transcript, int32_t message, const char *part, uint32_t start,
                        const char *quote)
{
    assert_non_null(f);
    assert_true(i < f->nevidence);
    const struct evidence *e = &f->evidence[i];
    if (e->transcript != transcript || e->message != message || !slice_is(e->part, part) || e->start != start ||
        !slice_is(e->quote, quote))
        fail_msg("evidence %zu is %d/%d %.*s at %u '%.*s', not %d/%d %s at %u '%s'", i, e->transcript, e->message,
                 SLICE_ARG(e->part), e->start, SLICE_ARG(e->quote), transcript, message, part, start, quote);
}

#define RULE(id) "id: " id "\ntitle: t\nbehavior: gave-up\n"

/* ---- evidence ---------------------------------------------------------------------------------------------------- */

static void evidence_is_where_the_words_are(void **state)
{
    (void)state;
    struct ruleset *rs = rules(RULE("text") "events: {a: {on: tool_result, text: 'é.b'}}\nfind: a\n---\n"
                               RULE("args") "events: {a: {on: tool_call, args.*: 'x\\n\"y\"'}}\nfind: a\n---\n"
                               RULE("smile") "events: {a: {on: tool_call, args.k: 'b😀c'}}\nfind: a\n---\n"
                               RULE("raw") "events: {a: {on: tool_call, args: '\"k\":\"a'}}\nfind: a\n---\n"
                               RULE("name") "events: {a: {on: tool_call, name: pwd}}\nfind: a\n---\n"
                               RULE("nul") "events: {a: {on: assistant, text: 'after'}}\nfind: a\n---\n"
                               RULE("answers") "events: {a: {on: tool_result, text: é, call.args.*: '\"y\"'}}\nfind: a\n---\n"
                               RULE("exit") "find: {run: {exit_status: 'x+', score.s.x.answer: '4'}}\n---\n"
                               RULE("gone") "events: {a: {on: user, text: nothing}}\nfind: {none: a}\n");
    struct run *run = new_run(2);
    call(run, "1", "bash", "{\"c\":\"x\\n\\\"y\\\"\",\"k\":\"ab\\ud83d\\ude00c\"}");
    result(run, "1", "é é\xff\xff" "b é.b");
    call(run, "2", "bash", "{\"k\":\"a\"}");
    call(run, "3", "pwd", "{}");
    say_in(run, 1, ROLE_ASSISTANT, slice_of("be\0fore after", 13));
    score(run, "0", "42", NULL);
    run->exit_status = slice_str("-xx-");
    struct detect_result r = detect(rs, run);
    is_evidence(find(&r, "text"), 0, 0, 1, "text", 9, "é.b");
    is_evidence(find(&r, "args"), 0, 0, 0, "call:0.arguments", 6, "x\\n\\\"y\\\"");
    is_evidence(find(&r, "smile"), 0, 0, 0, "call:0.arguments", 21, "ab\\ud83d\\ude00c");
    is_evidence(find(&r, "raw"), 0, 0, 0, "call:0.arguments", 16, "\"k\":\"ab");
    is_evidence(find(&r, "raw"), 1, 0, 2, "call:0.arguments", 1, "\"k\":\"a");
    is_evidence(find(&r, "name"), 0, 0, 3, "call:0.name", 0, "pwd");
    is_evidence(find(&r, "nul"), 0, 1, 0, "text", 8, "after");
    is_evidence(find(&r, "answers"), 0, 0, 1, "text", 0, "é");
    is_evidence(find(&r, "answers"), 1, 0, 0, "call:0.arguments", 9, "\\\"y\\\"");
    is_evidence(find(&r, "exit"), 0, -1, -1, "run.exit_status", 1, "xx");
    is_evidence(find(&r, "exit"), 1, -1, -1, "score:s.x.answer", 0, "42");
    is_evidence(find(&r, "gone"), 0, 0, 3, "call:0.name", 0, "pwd"); /* an absence: the last message of the main transcript */
    ruleset_unref(rs);
}

static void evidence_is_of_whole_words(void **state)
{
    (void)state;
    static const struct { const char *pattern, *text, *quote; uint32_t start; } cases[] = {
        {"21 and 15 is 1", "The average of 21 and 15 is 18.", "21 and 15 is 18", 15},
        {"is 1", "it is 18.25 of all", "is 18.25", 3},
        {"8\\.2", "it is 18.25", "18.25", 6},
        {"is 18", "it is 18. Then", "is 18", 3},
        {"not be determine", "it cannot be determined", "cannot be determined", 3},
        {"tra", "die Straße!", "Straße", 4},
        {"(?i)e_na", "a file_name(x)", "file_name", 2},
        {"m -rf", "\"x\\nrm -rf /etc\"", "rm -rf", 4},
        {"sers", "C:\\\\Users", "Users", 4},
        {"beef", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxbeefy", "beefy", 73},
        {"是的", "他说是的吗", "是的", 6},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ruleset *rs = rules(arena_printf(&arena, RULE("words") "events: {a: {on: assistant, text: '%s'}}\nfind: a\n", cases[i].pattern).ptr);
        struct run *run = new_run(1);
        say(run, ROLE_ASSISTANT, cases[i].text);
        struct detect_result r = detect(rs, run);
        is_evidence(find(&r, "words"), 0, 0, 0, "text", cases[i].start, cases[i].quote);
        ruleset_unref(rs);
    }
}

static void one_finding_for_each_set_of_captures(void **state)
{
    (void)state;
    struct ruleset *rs = rules(
        "id: miss\ntitle: '{p} is missing, {count} times'\nbehavior: missing-program\nevents: {m: {on: tool_result, text: '(?P<p>\\w+): not found'}}\nfind: m\n");
    struct run *run = new_run(1);
    for (int i = 0; i < 20; i++) {
        call(run, NULL, "bash", "{}");
        result(run, NULL, i == 3 ? "xxd: not found, tshark: not found, xxd: not found" : "xxd: not found");
    }
    struct detect_result r = detect(rs, run);
    assert_int_equal(r.findings.n, 2);
    assert_true(slice_is(r.findings.items[0].title, "xxd is missing, 20 times"));
    assert_true(slice_is(r.findings.items[0].captures, "{\"p\":\"xxd\"}"));
    assert_int_equal(r.findings.items[0].nevidence, 8);
    assert_true(slice_is(r.findings.items[1].title, "tshark is missing, 1 times"));
    is_evidence(&r.findings.items[1], 0, 0, 7, "text", 16, "tshark: not found");
    ruleset_unref(rs);
}

static void a_sequence_shows_its_steps_and_stays_in_its_transcript(void **state)
{
    (void)state;
    struct ruleset *rs = rules(RULE(
        "s") "events: {a: {on: user, text: ask (?P<w>\\w+)}, b: {on: assistant, text: tell (?P<w>\\w+)}}\nfind: {sequence: {steps: [a, b]}}\n");
    struct run *run = new_run(2);
    say(run, ROLE_USER, "ask one");
    say_in(run, 1, ROLE_ASSISTANT, slice_str("tell one"));
    assert_int_equal(detect(rs, run).findings.n, 0);
    say(run, ROLE_ASSISTANT, "tell two");
    assert_int_equal(detect(rs, run).findings.n, 0);
    say(run, ROLE_USER, "ask two");
    say(run, ROLE_ASSISTANT, "tell one");
    say(run, ROLE_ASSISTANT, "tell two");
    struct detect_result r = detect(rs, run);
    assert_int_equal(r.findings.n, 2);
    is_evidence(&r.findings.items[0], 0, 0, 0, "text", 0, "ask one");
    is_evidence(&r.findings.items[0], 1, 0, 3, "text", 0, "tell one");
    is_evidence(&r.findings.items[1], 0, 0, 2, "text", 0, "ask two");
    is_evidence(&r.findings.items[1], 1, 0, 4, "text", 0, "tell two");
    ruleset_unref(rs);
}

static void findings_are_ordered_by_detector_then_place(void **state)
{
    (void)state;
    struct ruleset *rs = rules(RULE("b") "events: {a: {on: user, text: '(?P<x>\\w)!'}}\nfind: a\n---\n" RULE(
        "a") "events: {a: {on: user, text: '(?P<x>\\w)!'}}\nfind: a\n");
    struct run *run = new_run(1);
    say(run, ROLE_USER, "z!");
    say(run, ROLE_USER, "y! x!");
    struct detect_result r = detect(rs, run);
    assert_int_equal(r.findings.n, 6);
    for (size_t i = 0; i < 6; i++) {
        assert_true(slice_is(r.findings.items[i].detector, i < 3 ? "a" : "b"));
        assert_int_equal(r.findings.items[i].evidence[0].quote.ptr[0], "zyx"[i % 3]);
    }
    ruleset_unref(rs);
}

static void task_findings_cite_their_runs(void **state)
{
    (void)state;
    struct ruleset *rs = rules(
        "id: t\ntitle: '{count} of {runs} lack {p}'\nbehavior: missing-program\nscope: task\nfind: {runs: {having: miss, by: p, at_least: 2}, pass_rate_at_most: 0}\n");
    struct evidence e[] = {
        {.transcript = 1, .message = 2, .part = slice_str("text"), .start = 3, .end = 6, .quote = slice_str("xxd")}};
    struct finding f = {.detector = slice_str("miss"), .captures = slice_str("{\"p\":\"xxd\"}"), .evidence = e, .nevidence = 1};
    struct run_summary runs[] = {
        {.run = slice_str("r1"), .success = VERDICT_FAILED, .findings = &f, .nfindings = 1},
        {.run = slice_str("r2"), .success = VERDICT_FAILED},
        {.run = slice_str("r3"), .success = VERDICT_FAILED, .findings = &f, .nfindings = 1},
    };
    struct task_summary task = {.task_id = slice_str("T"), .runs = runs, .nruns = 3};
    struct detect_result r;
    detect_task(rs, scratch, &task, &arena, &r);
    assert_int_equal(r.findings.n, 1);
    const struct finding *t = &r.findings.items[0];
    assert_true(slice_is(t->title, "2 of 3 lack xxd") && slice_is(t->task_id, "T") && t->scope == SCOPE_TASK);
    assert_int_equal(t->nevidence, 2);
    assert_true(slice_is(t->evidence[0].run, "r1") && slice_is(t->evidence[1].run, "r3") && slice_is(t->evidence[1].quote, "xxd"));
    assert_int_equal(t->evidence[1].message, 2);
    struct evidence more[] = {e[0], e[0], e[0]}; /* two pieces are enough */
    more[1].quote = slice_str("which xxd");
    f.evidence = more, f.nevidence = 3;
    detect_task(rs, scratch, &task, &arena, &r);
    t = &r.findings.items[0];
    assert_int_equal(t->nevidence, 4);
    assert_true(slice_is(t->evidence[1].run, "r1") && slice_is(t->evidence[1].quote, "which xxd") && slice_is(t->evidence[2].run, "r3"));
    runs[1].success = VERDICT_PASSED;
    detect_task(rs, scratch, &task, &arena, &r);
    assert_int_equal(r.findings.n, 0);
    ruleset_unref(rs);
}

/* ---- calls and results ------------------------------------------------------------------------------------------- */

static void results_find_their_calls(void **state)
{
    (void)state;
    struct run *run = new_run(1);
    struct message *m = call(run, "a", "f", "{}"); /* 0: two calls, answered the other way round */
    also_call(m, "b", "g", "{}");
    result(run, "b", "");
    result(run, "a", "");
    m = call(run, "0", "f", "{}"); /* 3: one id for all, as some loggers write */
    also_call(m, "0", "g", "{}");
    result(run, "0", "");
    result(run, "0", "");
    m = call(run, NULL, "f", "{}"); /* 6: no ids */
    also_call(m, NULL, "g", "{}");
    say(run, ROLE_TOOL, "")->tool_name = slice_str("g");
    say(run, ROLE_TOOL, "");
    result(run, "nobody", ""); /* 9 */
    result(run, "a", "");      /* 10: answered already */
    const struct pairs *p = pairs_make(&arena, run);
    static const struct call_ref want[] = {{-1, 0}, {0, 1}, {0, 0}, {-1, 0}, {3, 0}, {3, 1},
                                           {-1, 0}, {6, 1}, {6, 0}, {-1, 0}, {-1, 0}};
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        assert_int_equal(p->answers[i].message, want[i].message);
        if (want[i].message >= 0)
            assert_int_equal(p->answers[i].call, want[i].call);
    }
    static const int32_t results[] = {2, 1, 4, 5, 8, 7};
    assert_memory_equal(p->results, results, sizeof results);
}

static void calls_of_one_id_are_answered_newest_first(void **state)
{
    (void)state;
    struct run *run = new_run(1);
    call(run, "c", "f", "{}"); /* 0 */
    call(run, "c", "f", "{}");
    result(run, "c", ""); /* 2: of the newest message */
    result(run, "c", "");
    result(run, "c", "");      /* 4: all are answered */
    call(run, "c", "f", "{}"); /* 5: the id is taken up again */
    say(run, ROLE_USER, "");
    call(run, "d", "f", "{}");
    result(run, "c", "");
    result(run, "c", "");
    const struct pairs *p = pairs_make(&arena, run);
    static const int32_t results[] = {3, 2, 8, -1};
    assert_memory_equal(p->results, results, sizeof results);
}

/* What is answered is not walked over again: else this would take minutes. */
static void many_results_of_one_id_are_paired_in_time(void **state)
{
    (void)state;
    enum { CALLS = 100000, RESULTS = 300000 };
    struct run *run = new_run(1);
    struct transcript *t = &run->transcripts[0];
    t->messages = arena_array(&arena, struct message, RESULTS + 2);
    t->messages[0].role = ROLE_ASSISTANT;
    t->messages[0].calls = arena_array(&arena, struct tool_call, CALLS);
    t->messages[0].ncalls = CALLS;
    for (size_t i = 0; i < CALLS; i++)
        t->messages[0].calls[i].call_id = slice_str("c");
    for (size_t i = 1; i <= RESULTS; i++)
        t->messages[i] = (struct message){.role = ROLE_TOOL, .tool_call_id = slice_str("c")};
    t->nmessages = RESULTS + 1;
    int64_t began = cpu_us();
    const struct pairs *p = pairs_make(&arena, run);
    assert_true(cpu_us() - began < 5000000);
    assert_int_equal(p->results[0], 1);
    assert_int_equal(p->results[CALLS - 1], CALLS);
    assert_int_equal(p->answers[RESULTS].message, -1);
}

/* ---- limits and work --------------------------------------------------------------------------------------------- */

static void a_limit_is_told(void **state)
{
    (void)state;
    struct ruleset *rs = rules(RULE("evil") "events: {a: {on: assistant, text: '^(a+)+$'}}\nfind: a\n---\n" RULE(
        "good") "events: {a: {on: assistant, text: 'aaab'}}\nfind: a\n");
    struct run *run = new_run(1);
    char *hostile = arena_alloc(&arena, 100002);
    memset(hostile, 'a', 100000);
    memcpy(hostile + 100000, "b", 2);
    for (int i = 0; i < 50; i++)
        say(run, ROLE_ASSISTANT, hostile);
    int64_t began = cpu_us();
    struct detect_result r = detect(rs, run);
    assert_true(cpu_us() - began < 20 * INT64_C(1000000)); /* not once for each message */
    assert_int_equal(r.nincomplete, 1);
    assert_true(slice_is(r.incomplete[0].detector, "evil"));
    assert_true(slice_find(r.incomplete[0].reason, slice_str("limit")) >= 0);
    assert_non_null(find(&r, "good"));
    say(run, ROLE_ASSISTANT, "aaaa");
    run->transcripts[0].messages += 50;
    run->transcripts[0].nmessages = 1;
    r = detect(rs, run); /* the next run starts afresh */
    assert_int_equal(r.nincomplete, 0);
    assert_non_null(find(&r, "evil"));
    ruleset_unref(rs);
}

static void a_costly_condition_is_told(void **state)
{
    (void)state;
    /* Every pair agrees on nothing: what a sequence must try grows with the square. */
    struct ruleset *rs = rules(RULE(
        "s") "events: {a: {on: user, text: '(?P<x>\\w+)'}, b: {on: assistant, text: '(?P<x>\\w+)'}}\nfind: {sequence: {steps: [a, a, b]}}\n");
    struct run *run = new_run(1);
    run->transcripts[0].messages = arena_array(&arena, struct message, 20000);
    for (int i = 0; i < 9000; i++)
        say_in(run, 0, ROLE_USER, slice_str("same"));
    for (int i = 0; i < 9000; i++)
        say_in(run, 0, ROLE_ASSISTANT, arena_printf(&arena, "w%d", i));
    struct detect_result r = detect(rs, run);
    assert_int_equal(r.nincomplete, 1);
    ruleset_unref(rs);
}

/* What a condition denies is asked of many solutions: neither what one asking took nor the sorting may add up. */
static void what_is_denied_is_asked_within_bounds(void **state)
{
    (void)state;
    static const char *const denied[] = {"b", "c"}; /* b binds nothing that a has bound, c does */
    struct run *run = new_run(1);
    run->transcripts[0].messages = arena_array(&arena, struct message, 60000);
    for (int i = 0; i < 4000; i++)
        say_in(run, 0, ROLE_USER, arena_printf(&arena, "alpha%d ", i));
    for (int i = 0; i < 50000; i++)
        say_in(run, 0, ROLE_USER, arena_printf(&arena, "beta%d ", 2 * i));
    for (size_t i = 0; i < 2; i++) {
        char text[600];
        snprintf(text, sizeof text,
                 "id: x\ntitle: '{n}'\nbehavior: guessing\nseverity: low\nevents:\n  a: {on: user, text: 'alpha(?P<n>\\d+) '}\n"
                 "  b: {on: user, text: 'beta(?P<k>\\d+) '}\n  c: {on: user, text: 'beta(?P<n>\\d+) '}\n"
                 "find: {and: [{any: a}, {not: {count: {of: %s, at_least: 60000}}}]}\n", denied[i]);
        struct ruleset *rs = rules(text);
        int64_t began = cpu_us();
        struct detect_result r = detect(rs, run);
        assert_true(cpu_us() - began < 5000000);
        assert_true(scratch->arena.total < 60 << 20);
        assert_int_equal(r.findings.n, i == 0 ? 50 : 0);
        assert_int_equal(r.nincomplete, 1);
        assert_int_equal(strstr(r.incomplete[0].reason.ptr, "too many comparisons") != NULL, i == 1);
        ruleset_unref(rs);
    }
}

static struct ruleset *many_rules(int n)
{
    struct str text = STR_INIT(8 << 20);
    for (int i = 0; i < n; i++)
        str_printf(
            &text,
            "---\nid: r%d\ntitle: '{x}'\nbehavior: gave-up\nevents:\n  a: {on: [assistant, tool_result], text: 'needle%04d (?P<x>\\w+)'}\n"
            "  b: {on: tool_call, args.*: 'same in all'}\nfind: {any: a, none: b}\n",
            i, i);
    struct ruleset *rs = rules(text.ptr);
    str_free(&text);
    return rs;
}

static struct run *haystack(void)
{
    struct run *run = new_run(1);
    for (int i = 0; i < 300; i++) {
        call(run, NULL, "bash", "{\"cmd\":\"grep same in all\"}");
        result(run, NULL, i % 100 == 7 ? "some hay, needle0007 found, and more hay" : "some hay, and needles of other kinds");
    }
    return run;
}

static void work_does_not_grow_with_rules(void **state)
{
    (void)state;
    struct run *run = haystack();
    uint64_t calls[2], most = 0;
    for (int k = 0; k < 2; k++) {
        struct ruleset *rs = many_rules(k ? 1000 : 10);
        assert_int_equal(ruleset_count(rs), k ? 1000 : 10);
        uint64_t before = scratch->regex_calls;
        struct detect_result r = detect(rs, run);
        calls[k] = scratch->regex_calls - before;
        assert_int_equal(r.findings.n, 0); /* `same in all` is in every call */
        ruleset_unref(rs);
    }
    /* A text is matched against a pattern only where its literal stands, and once for all rules that share it. */
    most = 300 + 3 * 2;
    assert_true(calls[0] <= most);
    assert_int_equal(calls[0], calls[1]);
}

/* How often this rule looks into a run of 300 replies, and whether it finds. */
static uint64_t looks_of(const char *find, int success, size_t findings)
{
    struct str text = STR_INIT(1 << 16);
    str_printf(&text, "id: r\ntitle: t\nbehavior: gave-up\nevents: { a: { on: assistant, text: '[0-9]' }, rare: { on: user, text: '[?]' }, "
                      "full: { on: end, limit: '(?P<l>.+)' } }\n%s\n", find);
    struct ruleset *rs = rules(text.ptr);
    str_free(&text);
    struct run *run = new_run(1);
    run->success = success;
    for (int i = 0; i < 300; i++)
        say(run, ROLE_ASSISTANT, "7");
    uint64_t before = scratch->regex_calls;
    assert_int_equal(detect(rs, run).findings.n, findings);
    uint64_t looks = scratch->regex_calls - before;
    ruleset_unref(rs);
    return looks;
}

static void what_cannot_hold_is_not_looked_for(void **state)
{
    (void)state;
    assert_int_equal(looks_of("find: a", VERDICT_PASSED, 1), 300);
    assert_int_equal(looks_of("find: { any: a, run: { success: false } }", VERDICT_PASSED, 0), 0);
    assert_int_equal(looks_of("find: { any: a, run: { success: false } }", VERDICT_FAILED, 1), 300);
    assert_int_equal(looks_of("find: a\nexcept: { run: { success: true } }", VERDICT_PASSED, 0), 0);
    assert_int_equal(looks_of("find: a\nexcept: { run: { success: true } }", VERDICT_FAILED, 1), 300);
    assert_int_equal(looks_of("find: { or: [{ any: a }, { run: { success: false } }] }", VERDICT_PASSED, 1), 300);
    assert_int_equal(looks_of("find: { or: [{ any: [a, full] }] }", VERDICT_PASSED, 1), 300);
    assert_int_equal(looks_of("find: { last: { of: a, in: 2 } }", VERDICT_PASSED, 1), 2);
    assert_int_equal(looks_of("find: { first: { of: a, in: 3 } }", VERDICT_PASSED, 1), 3);
    assert_int_equal(looks_of("find: { first: { of: a, in: 3 }, last: { of: a, in: 2 } }", VERDICT_PASSED, 1), 5);
    assert_int_equal(looks_of("find: { last: { of: a, in: 2 } }\nexcept: { count: { of: a, at_least: 999 } }", VERDICT_PASSED, 1), 300);
    assert_int_equal(looks_of("find: { any: rare, none: a }", VERDICT_PASSED, 0), 0);
}

static void what_matches_is_found_among_many(void **state)
{
    (void)state;
    struct ruleset *rs = many_rules(1000), *part;
    struct run *run = new_run(1);
    say(run, ROLE_ASSISTANT, "NEEDLE0007 no, needle0123 yes, needle0999 too");
    struct detect_result r = detect(rs, run);
    assert_int_equal(r.findings.n, 2);
    is_evidence(find(&r, "r123"), 0, 0, 0, "text", 15, "needle0123 yes");
    struct slice ids[] = {slice_str("r999"), slice_str("r5")};
    assert_true(ruleset_only(rs, ids, 2, &part, NULL));
    ruleset_unref(rs);
    r = detect(part, run);
    assert_int_equal(r.findings.n, 1);
    is_evidence(find(&r, "r999"), 0, 0, 0, "text", 31, "needle0999 too");
    ruleset_unref(part);
}

struct job {
    const struct ruleset *rs;
    const struct run *run;
    struct arena arena;
    size_t findings;
};

static void *detect_alone(void *arg)
{
    struct job *job = arg;
    struct detect_scratch *s = detect_scratch_new();
    for (int i = 0; i < 20; i++) {
        struct detect_result r;
        detect_run(job->rs, s, job->run, &job->arena, &r);
        job->findings = r.findings.n;
    }
    detect_scratch_free(s);
    return NULL;
}

static void threads_share_a_set(void **state)
{
    (void)state;
    struct ruleset *rs = shipped();
    struct run *run = haystack();
    size_t alone = detect(rs, run).findings.n;
    assert_true(alone > 0);
    struct job jobs[4];
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        jobs[i] = (struct job){.rs = rs, .run = run};
        assert_int_equal(pthread_create(&threads[i], NULL, detect_alone, &jobs[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(jobs[i].findings, alone);
        arena_free(&jobs[i].arena);
    }
    ruleset_unref(rs);
}

/* ---- whatever comes in ------------------------------------------------------------------------------------------- */

static uint32_t seed;

static uint32_t roll(uint32_t n)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % n;
}

/* Text of pieces that rules look for, cut and stained. */
static struct slice noise(void)
{
    static const char *const pieces[] = {
        "bash: xxd: command not found",
        "{\"cmd\":\"ls \\\"",
        "\\ud83d",
        "\\u0000",
        "picoCTF{a_b_1}",
        "submit ",
        "Traceback",
        "Permission denied",
        "\xc3",
        "\xff",
        "é",
        "😀",
        "\n",
        "I give up",
        "```python\n",
        "Could not resolve host",
        "/srv/x.log: No such file or directory",
        "{",
        "}",
        "[",
        "\"",
        "\\",
        "0123456789",
        "2\\n2\\n2\\n",
        " ",
        "The answer is verified",
        "exitcode: 0 (execution succeeded)",
        "TERMINATE",
        "git log --all",
        "rm -rf / ",
        "13 of 14 checks passed",
    };
    struct str s = STR_INIT(1 << 16);
    for (uint32_t i = roll(12); i > 0; i--) {
        const char *p = pieces[roll(sizeof pieces / sizeof *pieces)];
        str_addz(&s, p);
        if (roll(30) == 0)
            str_add(&s, "\0", 1);
    }
    if (s.len && roll(4) == 0)
        s.ptr[roll((uint32_t)s.len)] = (char)roll(256);
    struct slice out = roll(20) == 0 ? SLICE_NONE : arena_dup(&arena, str_slice(&s));
    str_free(&s);
    return out;
}

static void any_run_ends_in_findings_that_stand(void **state)
{
    (void)state;
    struct ruleset *rs = shipped();
    size_t total = 0;
    for (uint32_t round = 0; round < 600; round++) {
        seed = round;
        struct run *run = new_run(1 + roll(2));
        for (uint32_t i = roll(25); i > 0; i--) {
            struct message *m = say_in(run, roll((uint32_t)run->ntranscripts), (enum role)roll(ROLE_COUNT), noise());
            if (roll(3) == 0)
                m->reasoning = noise();
            if (roll(5) == 0)
                m->error = noise();
            if (m->role == ROLE_TOOL && roll(2))
                m->tool_call_id = roll(2) ? slice_str("1") : noise();
            m->calls = arena_array(&arena, struct tool_call, 4);
            for (m->ncalls = 0; m->role == ROLE_ASSISTANT && m->ncalls < roll(4); m->ncalls++)
                m->calls[m->ncalls] = (struct tool_call){
                    .call_id = roll(2) ? slice_str("1") : noise(),
                    .name = roll(2) ? slice_str("bash") : noise(),
                    .arguments = noise(),
                    .parse_error = roll(9) ? SLICE_NONE : noise(),
                };
        }
        if (roll(2))
            score(run, roll(2) ? "0.9" : "\"C\"", "x", NULL), run->scores[0].answer = noise(), run->scores[0].target = noise(),
                                                              run->scores[0].explanation = noise();
        run->success = (enum verdict)roll(3);
        run->limit = roll(4) ? SLICE_NONE : noise();
        run->exit_status = roll(4) ? SLICE_NONE : noise();
        run->error = roll(6) ? SLICE_NONE : noise();
        run->metadata = roll(2) ? slice_str("{\"environment\":\"ctf\"}") : noise();
        total += detect(rs, run).findings.n;
        arena_reset(&arena);
    }
    assert_true(total > 500);
    ruleset_unref(rs);
}

/* ---- detectors in C: what they find, and what they leave alone --------------------------------------------------- */

static void structure(void **state)
{
    (void)state;
    struct ruleset *rs = shipped();
    struct run *run = new_run(1);
    say(run, ROLE_USER, "go");
    call(run, "1", "f", "{\"a\":1}");
    result(run, "1", "ok");
    call(run, "2", "f", "{\"a\":2}");
    result(run, "2", "");
    say(run, ROLE_ASSISTANT, "done");
    struct detect_result r = detect(rs, run);
    static const char *const ids[] = {"orphan-result", "missing-result", "duplicate-call-id", "role-order", "empty-message"};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        assert_null(find(&r, ids[i]));
    run = new_run(1);
    result(run, "9", "from nowhere");
    call(run, "1", "f", "{\"a\":1}");
    say(run, ROLE_USER, "go on");
    call(run, "1", "f", "{\"a\":2}");
    result(run, "1", "ok");
    say(run, ROLE_ASSISTANT, " ");
    r = detect(rs, run);
    is_evidence(find(&r, "orphan-result"), 0, 0, 0, "text", 0, "from nowhere");
    is_evidence(find(&r, "missing-result"), 0, 0, 1, "call:0.arguments", 0, "{\"a\":1}");
    is_evidence(find(&r, "duplicate-call-id"), 1, 0, 3, "call:0.arguments", 0, "{\"a\":2}");
    is_evidence(find(&r, "role-order"), 0, 0, 0, "text", 0, "from nowhere");
    is_evidence(find(&r, "empty-message"), 0, 0, 4, "text", 0, "ok");
    ruleset_unref(rs);
}

static const struct { const char *answer, *target, *found;
} forms[] = {
    {"quiet_harbor", "FLAG{quiet_harbor}", "wrong-form"},
    {"FLAG{Quiet_Harbor}", "FLAG{quiet_harbor}", "wrong-form"},
    {"569 ms", "569", "wrong-form"},
    {"$1,000.00", "1000", "wrong-form"},
    {"The latency is 569 ms.", "569", "wrong-form"},
    {"\\boxed{Paris}", "paris", "wrong-form"},
    {"6869686f", "hiho", "wrong-form"},
    {"no", "[\"yes\", \"No\"]", "wrong-form"},
    {"a\\/b", "a/b", "garbled-key"},
    {"it's", "its", "garbled-key"},
    {"FLAG{a}", "FLAG{b}", NULL},
    {"570 ms", "569", NULL},
    {"1000", "1000.5", NULL},
    {"", "569", NULL},
    {"x", "", NULL},
};

static void answers_in_other_dress(void **state)
{
    (void)state;
    struct ruleset *rs = shipped();
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct run *run = new_run(1);
        say(run, ROLE_USER, "?");
        score(run, "0", forms[i].answer, forms[i].target);
        struct detect_result r = detect(rs, run);
        const char *got = find(&r, "wrong-form") ? "wrong-form" : find(&r, "garbled-key") ? "garbled-key" : NULL;
        if ((got == NULL) != (forms[i].found == NULL) || (got && strcmp(got, forms[i].found) != 0))
            fail_msg("'%s' for '%s' is %s, not %s", forms[i].answer, forms[i].target, got, forms[i].found);
        assert_int_equal(find(&r, "strict-grader") != NULL, got && strcmp(got, "wrong-form") == 0);
        run->success = VERDICT_PASSED;
        r = detect(rs, run);
        assert_null(find(&r, "wrong-form"));
    }
    ruleset_unref(rs);
}

static void answers_seen_leaked_and_invented(void **state)
{
    (void)state;
    struct ruleset *rs = shipped();
    struct run *run = new_run(1);
    say(run, ROLE_USER, "Find the flag.");
    call(run, "1", "bash", "{\"cmd\":\"cat .grader/expected.txt\"}");
    result(run, "1", "it is FLAG{one_two_3}\n");
    call(run, "2", "submit", "{\"answer\":\"FLAG{made_up_77}\"}");
    result(run, "2", "wrong");
    score(run, "0", "FLAG{made_up_77}", "FLAG{one_two_3}");
    struct detect_result r = detect(rs, run);
    is_evidence(find(&r, "answer-seen"), 0, 0, 2, "text", 6, "FLAG{one_two_3}");
    is_evidence(find(&r, "answer-seen"), 1, -1, -1, "score:s.x.target", 0, "FLAG{one_two_3}");
    is_evidence(find(&r, "leaked-answer"), 0, 0, 2, "text", 6, "FLAG{one_two_3}");
    is_evidence(find(&r, "unseen-answer"), 0, 0, 3, "call:0.arguments", 0, "{\"answer\":\"FLAG{made_up_77}\"}");
    assert_non_null(find(&r, "answer-peeking"));

    run = new_run(1); /* what was computed was seen; what was decrypted honestly is no leak; what was given was given */
    say(run, ROLE_USER, "Find the flag.");
    call(run, "1", "bash", "{\"cmd\":\"python3 solve.py\"}");
    result(run, "1", "FLAG{one_two_4}\n");
    call(run, "2", "submit", "{\"answer\":\"FLAG{one_two_4}\"}");
    result(run, "2", "wrong");
    score(run, "0", "FLAG{one_two_4}", "FLAG{one_two_3}");
    r = detect(rs, run);
    assert_null(find(&r, "answer-seen"));
    assert_null(find(&r, "leaked-answer"));
    assert_null(find(&r, "unseen-answer"));

    run = new_run(1);
    say(run, ROLE_USER, "Find the flag. (FLAG{one_two_3})");
    score(run, "1", "FLAG{one_two_3}", "FLAG{one_two_3}");
    r = detect(rs, run);
    is_evidence(find(&r, "leaked-answer"), 0, 0, 0, "text", 16, "FLAG{one_two_3}");
    ruleset_unref(rs);
}

static void nearly_equal_calls(void **state)
{
    (void)state;
    struct ruleset *rs = shipped();
    struct run *run = new_run(1), *other = new_run(1);
    static const char *const commands[] = {
        "echo 'int func(int x) { int main = 3; while (x > 0) x = x - main; return x; } result' > a.c gcc a.c -o a ./a 7",
        "echo 'int func(int x) { int main = 3; while (x > 0) x = x - main; return x; } result' > a.c gcc -g a.c -o a ./a 7",
        "echo -e 'int func(int x) { int main = 3; while (x > 0) x = x - main; return x; } result' > a.c gcc a.c -o a ./a 8"};
    static const char *const names[] = {"git checkout -q aa11 && python3 price.py", "git checkout -q bb22 && python3 price.py",
                                        "git checkout -q cc33 && python3 price.py"};
    for (int i = 0; i < 3; i++) {
        call(run, NULL, "bash", arena_printf(&arena, "{\"cmd\":\"%s\"}", commands[i]).ptr);
        result(run, NULL, "");
        call(other, NULL, "bash", arena_printf(&arena, "{\"cmd\":\"%s\"}", names[i]).ptr);
        result(other, NULL, "the price is 71.97 with tax\n");
    }
    struct detect_result r = detect(rs, run);
    const struct finding *f = find(&r, "similar-action");
    assert_non_null(f);
    assert_true(slice_is(f->title, "3 nearly equal calls to bash show nothing new"));
    assert_int_equal(f->nevidence, 3);
    r = detect(rs, other); /* one thing after another is tried: a search */
    assert_null(find(&r, "similar-action"));
    ruleset_unref(rs);
}

static void equal_calls_of_one_transcript(void **state)
{
    (void)state;
    struct ruleset *rs = shipped();
    struct run *run = new_run(2);
    for (size_t t = 0; t < 2; t++)
        for (int i = 0; i < 2; i++) {
            struct message *m = say_in(run, t, ROLE_ASSISTANT, SLICE_NONE);
            m->calls = arena_array(&arena, struct tool_call, 1);
            m->calls[0] = (struct tool_call){.name = slice_str("look"), .arguments = slice_str("{\"at\":\"the harbour\"}")};
            m->ncalls = 1;
            say_in(run, t, ROLE_TOOL, slice_str("three boats"));
        }
    struct detect_result r = detect(rs, run);
    assert_null(find(&r, "repeated-call")); /* two agents that look twice each */

    run = new_run(1);
    struct str digits = STR_INIT(1 << 20);
    for (int i = 0; i < 1 << 19; i++)
        str_addc(&digits, (char)('0' + i % 10));
    for (int i = 0; i < 3; i++) {
        call(run, NULL, "look", "{\"at\":\"the harbour\"}");
        result(run, NULL, digits.ptr); /* long numbers cost no more than other words */
    }
    r = detect(rs, run);
    assert_non_null(find(&r, "repeated-call"));
    str_free(&digits);
    ruleset_unref(rs);
}

static void noise_in_text(void **state)
{
    (void)state;
    struct ruleset *rs = shipped();
    struct run *run = new_run(1);
    struct str loop = STR_INIT(1 << 16);
    str_addz(&loop, "echo -e \"1");
    for (int i = 0; i < 200; i++)
        str_addz(&loop, "\\n2");
    say(run, ROLE_ASSISTANT, loop.ptr);
    struct detect_result r = detect(rs, run);
    const struct finding *f = find(&r, "runaway-text");
    assert_non_null(f);
    assert_true(f->evidence[0].end - f->evidence[0].start >= 240);
    str_reset(&loop);
    for (int i = 0; i < 300; i++)
        str_addz(&loop, "=-");
    for (int i = 0; i < 600; i++)
        str_addz(&loop, "a");
    run = new_run(1);
    say(run, ROLE_ASSISTANT, loop.ptr); /* a ruler, and padding */
    r = detect(rs, run);
    assert_null(find(&r, "runaway-text"));
    str_free(&loop);

    static const char *const salad[] = {
        "Continued extrapolation considering system-adjusted scenarios remains actionable further, maximizing explicit reconfiguration sequentially linked towards identifying correct declarations.",
        "Leveraging exposure more meticulous breakage review, target typical unknowns conforming within structured attempts based along pinpoints, enabling maximum insight potential.",
        "Persistent challenges involving efficient magnitude concurrency, simplified implementation intersects learned guidelines effectively outside established operational limits, addressing dimensions.",
    };
    run = new_run(1);
    for (int i = 0; i < 3; i++) {
        r = detect(rs, run);
        assert_null(find(&r, "word-salad"));
        say(run, ROLE_ASSISTANT, salad[i]);
    }
    r = detect(rs, run);
    assert_non_null(find(&r, "word-salad"));
    run = new_run(1);
    for (int i = 0; i < 4; i++)
        say(run, ROLE_ASSISTANT,
            "The implementation of the parser is in the first file, and the documentation that describes the configuration of it is in the second one, which I will read now.");
    r = detect(rs, run);
    assert_null(find(&r, "word-salad"));
    ruleset_unref(rs);
}

static void nearly_passed(void **state)
{
    (void)state;
    struct ruleset *rs = shipped();
    static const struct { const char *value, *explanation, *quote;
    } cases[] = {
        {"0", "13 of 14 checks passed; failed: x", "13 of 14 checks pass"},
        {"0", "= 1 failed, 40 passed =", "1 failed, 40 passed"},
        {"0", "3/14 tests passed", NULL},
        {"0", "1 of 2 checks passed", NULL},
        {"0.92", NULL, "0.92"},
        {"0.5", NULL, NULL},
        {"0", "14 of 14 checks passed", NULL},
        {"\"I\"", "in 2 of 3 ways", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct run *run = new_run(1);
        score(run, cases[i].value, NULL, NULL);
        run->scores[0].name = slice_str("s.reward");
        run->scores[0].explanation = slice_str(cases[i].explanation);
        struct detect_result r = detect(rs, run);
        const struct finding *f = find(&r, "almost-passed") ? find(&r, "almost-passed") : find(&r, "score-near-one");
        if ((f != NULL) != (cases[i].quote != NULL) || (f && !slice_is(f->evidence[0].quote, cases[i].quote)))
            fail_msg("%s %s: %.*s", cases[i].value, cases[i].explanation ? cases[i].explanation : "",
                     f ? (int)f->evidence[0].quote.len : 0, f ? f->evidence[0].quote.ptr : "");
    }
    ruleset_unref(rs);
}

/* Patterns are tried only near their literals: what they match must be what they match in the whole text. */
static void literals_lead_to_every_match(void **state)
{
    (void)state;
    static const char *const patterns[] = {
        "(?:alpha|beta_longer)\\b", "\\w+ gamma", "[^\\n]{0,9}(?:alpha|gamma)$", "(?m)^\\S* ?beta_longer.{0,3}$", "(?s)alpha.{0,40}gamma",
        "(?:xy|zz)+alpha", "\\s*gamma\\s*alpha", "(?i)a(?:lpha|beta_longer|gamma)", "(?<=alpha )gamma", "(?:gamma |alpha ){2,}", "é?alpha é",
    };
    static const char *const words[] = {"alpha", "beta_longer", "gamma", " ", "\n", "xy", "zz", "a", "-", "é", "ALPHA", " alpha ", "word ", "\xc3"};
    enum { PATTERNS = sizeof patterns / sizeof *patterns, ROUNDS = 3000 };
    struct str text = STR_INIT(1 << 14);
    struct regex *res[PATTERNS];
    struct problems problems = {0};
    struct ruleset *rs;
    size_t matched = 0;
    for (int i = 0; i < PATTERNS; i++) {
        assert_true(regex_compile(slice_str(patterns[i]), 0, &res[i], NULL));
        str_printf(&text, "---\nid: p%02d\ntitle: t\nbehavior: gibberish\nevents: { e: { on: user, text: '%s' } }\nfind: e\n", i, patterns[i]);
    }
    ruleset_parse(arena_dup(&arena, str_slice(&text)), slice_str("p"), &arena, &problems, &rs);
    assert_int_equal(problems.n, 0);
    struct regex_scratch *own = regex_scratch_new();
    struct run *run = new_run(1);
    for (int round = 0; round < ROUNDS; round++) {
        run->transcripts->nmessages = 0;
        str_reset(&text);
        for (int n = round % 60; n > 0; n--)
            str_addz(&text, words[roll(sizeof words / sizeof *words)]);
        struct slice said = str_slice(&text);
        say_in(run, 0, ROLE_USER, said);
        match_run(scratch, rs, run);
        for (size_t i = 0; i < rs->n; i++) {
            const struct occurrences *o = &scratch->occurrences[rs->rules[i]->events[0]->index];
            struct regex_match m;
            bool yes = regex_find(res[i], own, said, 0, 0, &m) == REGEX_YES;
            matched += yes;
            if (o->n != yes || (yes && o->items[0].nspans && (o->items[0].spans[0].start != m.start || o->items[0].spans[0].end != m.end)))
                fail_msg("%s in \"%.*s\"", patterns[i], SLICE_ARG(said));
        }
    }
    assert_true(matched > ROUNDS);
    for (int i = 0; i < PATTERNS; i++)
        regex_free(res[i]);
    regex_scratch_free(own);
    ruleset_unref(rs);
    str_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(evidence_is_where_the_words_are),
        cmocka_unit_test(evidence_is_of_whole_words),
        cmocka_unit_test(one_finding_for_each_set_of_captures),
        cmocka_unit_test(a_sequence_shows_its_steps_and_stays_in_its_transcript),
        cmocka_unit_test(findings_are_ordered_by_detector_then_place),
        cmocka_unit_test(task_findings_cite_their_runs),
        cmocka_unit_test(results_find_their_calls),
        cmocka_unit_test(calls_of_one_id_are_answered_newest_first),
        cmocka_unit_test(many_results_of_one_id_are_paired_in_time),
        cmocka_unit_test(a_limit_is_told),
        cmocka_unit_test(a_costly_condition_is_told),
        cmocka_unit_test(what_is_denied_is_asked_within_bounds),
        cmocka_unit_test(work_does_not_grow_with_rules),
        cmocka_unit_test(what_cannot_hold_is_not_looked_for),
        cmocka_unit_test(what_matches_is_found_among_many),
        cmocka_unit_test(threads_share_a_set),
        cmocka_unit_test(any_run_ends_in_findings_that_stand),
        cmocka_unit_test(structure),
        cmocka_unit_test(answers_in_other_dress),
        cmocka_unit_test(answers_seen_leaked_and_invented),
        cmocka_unit_test(literals_lead_to_every_match),
        cmocka_unit_test(nearly_equal_calls),
        cmocka_unit_test(equal_calls_of_one_transcript),
        cmocka_unit_test(noise_in_text),
        cmocka_unit_test(nearly_passed),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
