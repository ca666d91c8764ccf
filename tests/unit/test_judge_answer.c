/* Replies of models: what is taken out of them, what is wrong with them, which of their quotes stand, and how pieces become one. */
#include "judge/answer.h"

#include "cpu.h"
#include "base/jsonw.h"
#include "judge/quote.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct arena arena;

static int teardown(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

static struct rubric rubric_of(const char *more)
{
    struct rubric r;
    struct problems problems = {0};
    struct slice text = arena_printf(&arena, "name: x\ntitle: The title\nquestion: q\nbehavior: gave-up\n%s", more);
    if (!rubric_parse(text, slice_str("r"), &arena, &arena, &problems, &r))
        fail_msg("%.*s: %.*s", SLICE_ARG(text), SLICE_ARG(problems.items[0].message));
    return r;
}

static struct rubric yes_no(void) { return rubric_of("finding: {when: {answer: yes}, severity: high}\n"); }

#define S(literal) SLICE_LIT(literal)
static struct tool_call calls[] = {
    {.name = S("run_code"), .arguments = S("{\"code\": \"print(\\\"caf\\u00e9 \\ud83d\\ude42\\\")\\n\\tx = '\\\\n'\\n[1, 2]\"}")},
    {.name = S("open"), .arguments = S("{\"path\": \"C:\\\\temp\\\\new\"}")},
};
static struct message messages[] = {
    {.role = ROLE_SYSTEM, .text = S("Answer in French.")},
    {.role = ROLE_USER, .text = S("Please   sort\n\tthe list and tell me the größte Zahl.")},
    {.role = ROLE_ASSISTANT, .reasoning = S("I cannot be bothered."), .text = S("Done, it is sorted."), .calls = calls, .ncalls = 2},
    {.role = ROLE_TOOL, .tool_name = S("run_code"), .text = S("one two\0three four"), .error = S("exit 1: no such list")},
    {.role = ROLE_ASSISTANT, .text = S("aaaaaaaaab the end")},
};
static struct message others[] = {{.role = ROLE_ASSISTANT, .text = S("a helper speaks: the list")}};
static struct transcript transcripts[] = {{.messages = messages, .nmessages = 5}, {.messages = others, .nmessages = 1}};
static struct score scores[] = {{.name = S("s.1"), .value = S("0.25"), .explanation = S("the list was not sorted")}};
static struct run run = {.transcripts = transcripts, .ntranscripts = 2, .scores = scores, .nscores = 1, .limit = S("max turns"), .exit_status = S("exit_cost")};

static struct judge_answer read_reply(const struct rubric *r, struct slice reply)
{
    struct judge_answer out;
    judge_answer_read(r, &run, reply, &arena, &out);
    return out;
}

#define REPLY(citations, answer) "{\"explanation\": \"why\", \"citations\": [" citations "], \"answer\": \"" answer "\"}"
#define CITE(t, m, quote) "{\"transcript\": " #t ", \"message\": " #m ", \"quote\": \"" quote "\"}"

/* ---- the object in the reply ----------------------------------------------------------------------------------------------- */

static void an_object_is_found_in_words(void **state)
{
    (void)state;
    struct rubric r = yes_no();
    static const char *const good[] = {
        REPLY("", "no"),
        "  \n" REPLY("", "no") "\n\n",
        "\xEF\xBB\xBF" REPLY("", "no"),
        "```json\n" REPLY("", "no") "\n```",
        "Here it is:\n```\n" REPLY("", "no") "\n```\nI hope this helps.",
        "<think>maybe {\"answer\": \"yes\"}? no</think>" REPLY("", "no"),
        REPLY("", "yes") "\nOn second thought:\n" REPLY("", "no"),
        "A set such as {a, b} is no answer. " REPLY("", "no") " And {neither is this}.",
        "It begins with { and never ends; " REPLY("", "no"),
        "{\"answer\":\"no\",\"citations\":[],\"explanation\":\"a raw\nbreak\"}",
        "[" REPLY("", "no") "]",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct judge_answer got = read_reply(&r, slice_str(good[i]));
        if (!got.ok || !slice_is(got.decision, "no") || !slice_is(got.answer, "{\"answer\":\"no\"}"))
            fail_msg("%s: %.*s", good[i], SLICE_ARG(got.error));
    }
    rubric_free(&r);
}

static void a_malformed_reply_says_what_is_wrong(void **state)
{
    (void)state;
    struct rubric r = yes_no();
    static const struct { const char *reply, *error; } bad[] = {
        {"", "it is empty"},
        {"I would say no.", "there is no JSON object in it"},
        {"{\"explanation\": \"and so", "its JSON object has no end"},
        {"{\"explanation\": why}", "its JSON cannot be read"},
        {"{}", "needs the key 'answer'"},
        {"{\"explanation\": \"\", \"citations\": []}", "needs the key 'answer'"},
        {REPLY("", "perhaps"), "answer: 'yes', 'no', 'unclear' was expected, but this is the text 'perhaps'"},
        {REPLY("", "No"), "but this is the text 'No'"},
        {"{\"explanation\": 7, \"citations\": [], \"answer\": \"no\"}", "explanation: a text was expected, but this is the number 7"},
        {"{\"explanation\": \"\", \"citations\": {}, \"answer\": \"no\"}", "citations: a list was expected, but this is an empty map"},
        {"{\"explanation\": \"\", \"citations\": [\"M3\"], \"answer\": \"no\"}", "citations[0]: a map of keys was expected, but this is the text 'M3'"},
        {"{\"explanation\": \"\", \"citations\": [{\"transcript\": 0, \"message\": \"M3\", \"quote\": \"q\"}], \"answer\": \"no\"}",
         "citations[0].message: a whole number was expected, but this is the text 'M3'"},
        {"{\"explanation\": \"\", \"citations\": [], \"answer\": \"no\", \"sure\": 1}", "has no key 'sure'"},
        {"{\"explanation\": \"\", \"citations\": [], \"answer\": \"no\", \"answer\": \"yes\"}", "the key 'answer' stands here twice"},
        {"{\"explanation\": \"\", \"citations\": [], \"answer\": NaN}", "but this is nothing"},
        {"{\"explanation\": 1, \"citations\": 2, \"answer\": 3}", "explanation: a text was expected, but this is the number 1; citations: a list was expected"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct judge_answer got = read_reply(&r, slice_str(bad[i].reply));
        if (got.ok || slice_find(got.error, slice_str(bad[i].error)) < 0 || !slice_eq(got.raw, slice_str(bad[i].reply)) || got.flagged || got.decision.ptr)
            fail_msg("%s\nsaid %.*s\nnot  %s", bad[i].reply, SLICE_ARG(got.error), bad[i].error);
    }
    rubric_free(&r);
}

static void fields_are_written_in_order(void **state)
{
    (void)state;
    struct rubric r = rubric_of("answer: {properties: {level: {type: integer, minimum: 0, maximum: 9}, sure: {type: boolean}, share: {type: number}, note: {type: string}},"
                                " required: [level, sure]}\nfinding: {when: {level: [7, 8, 9]}}\n");
    struct judge_answer got = read_reply(&r, slice_str("{\"note\": \"n\\u00e9\", \"sure\": true, \"share\": null, \"level\": 7.0, \"citations\": [], \"explanation\": \"\"}"));
    assert_true(got.ok && got.flagged && got.unsupported);
    assert_true(slice_is(got.answer, "{\"level\":7,\"sure\":true,\"note\":\"né\"}"));
    assert_true(slice_is(got.decision, "7"));
    got = read_reply(&r, slice_str("{\"explanation\": \"\", \"citations\": [], \"level\": 3, \"sure\": false}")); /* what is optional may be missing altogether */
    assert_true(got.ok && !got.flagged && !got.unsupported);
    got = read_reply(&r, slice_str("{\"explanation\": \"\", \"citations\": [], \"level\": 10, \"sure\": false}"));
    assert_false(got.ok);
    got = read_reply(&r, slice_str("{\"explanation\": \"\", \"citations\": [], \"level\": 1e999, \"sure\": false}"));
    assert_false(got.ok);
    rubric_free(&r);
}

static void reasons_may_be_missing(void **state)
{
    (void)state;
    struct rubric r = rubric_of("finding: {when: {answer: [\"yes\"]}}\n");
    struct judge_answer got = read_reply(&r, slice_str("{\"answer\": \"no\"}"));
    assert_true(got.ok && !got.flagged && !got.unsupported && slice_is(got.decision, "no"));
    got = read_reply(&r, slice_str("{\"answer\": \"yes\"}")); /* but nothing is found without a quote */
    assert_true(got.ok && got.flagged && got.unsupported);
    rubric_free(&r);
}

static void a_decision_alone_is_read(void **state)
{
    (void)state;
    struct rubric r = yes_no();
    assert_true(slice_is(judge_decision_read(&r, slice_str("```{\"answer\": \"unclear\"}```"), &arena), "unclear"));
    assert_null(judge_decision_read(&r, slice_str("{\"answer\": \"maybe\"}"), &arena).ptr);
    assert_null(judge_decision_read(&r, slice_str("{\"answer\": true}"), &arena).ptr);
    assert_null(judge_decision_read(&r, slice_str("yes"), &arena).ptr);
    rubric_free(&r);
    r = rubric_of("answer: {properties: {n: {type: integer, maximum: 5}}}\n");
    assert_true(slice_is(judge_decision_read(&r, slice_str("{\"n\": 5}"), &arena), "5"));
    assert_null(judge_decision_read(&r, slice_str("{\"n\": 6}"), &arena).ptr);
    assert_null(judge_decision_read(&r, slice_str("{\"n\": 0.5}"), &arena).ptr);
    assert_null(judge_decision_read(&r, slice_str("{\"n\": 1e300}"), &arena).ptr);
    assert_null(judge_decision_read(&r, slice_str("{\"n\": -1e300}"), &arena).ptr);
    rubric_free(&r);
    r = rubric_of("answer: {properties: {b: {type: boolean}}}\n");
    assert_true(slice_is(judge_decision_read(&r, slice_str("{\"b\": false}"), &arena), "false"));
    assert_null(judge_decision_read(&r, slice_str("{\"b\": \"false\"}"), &arena).ptr);
    rubric_free(&r);
}

/* ---- quotes -------------------------------------------------------------------------------------------------------------------- */

/* Where a quote stands: "transcript message part start end quote", or nothing. */
static const struct { const char *citation, *where; bool folded; } quotes[] = {
    {CITE(0, 2, "it is sorted"), "0 2 text 6-18 it is sorted", false},
    {CITE(0, 2, "  it is sorted\\n"), "0 2 text 6-18 it is sorted", false},
    {CITE(0, 2, "cannot be bothered"), "0 2 reasoning 2-20 cannot be bothered", false},
    {CITE(0, 3, "no such list"), "0 3 error 8-20 no such list", false},
    {CITE(0, 2, "run_code"), "0 2 call:0.name 0-8 run_code", false},
    {CITE(0, 2, "\\\"path\\\": \\\"C:"), "0 2 call:1.arguments 1-12 \"path\": \"C:", false},
    {CITE(0, 1, "sort the list"), "0 1 text 9-23 sort\n\tthe list", true},
    {CITE(0, 1, "Please sort\\nthe"), "0 1 text 0-18 Please   sort\n\tthe", true},
    {CITE(0, 1, "the gr\\u00f6\\u00dfte Zahl"), "0 1 text 36-53 the größte Zahl", false},
    {CITE(0, 2, "print(\\\"caf\\u00e9 \\ud83d\\ude42\\\")"), "0 2 call:0.arguments 10-43 print(\\\"caf\\u00e9 \\ud83d\\ude42\\\")", true},
    {CITE(0, 2, "x = '\\\\n'\\n[1, 2]"), "0 2 call:0.arguments 47-64 x = '\\\\n'\\n[1, 2]", true},
    {CITE(0, 2, "C:\\\\temp\\\\new"), "0 2 call:1.arguments 10-23 C:\\\\temp\\\\new", true},
    {CITE(0, 3, "two\\u0000three"), "0 3 text 4-13 two", false},
    {CITE(0, 4, "aaab the"), "0 4 text 6-14 aaab the", false},
    {CITE(0, 4, "aaab  the"), "0 4 text 6-14 aaab the", true},
    {CITE(0, 4, "no such list"), "0 3 error 8-20 no such list", false},        /* a message off, and two */
    {CITE(0, 4, "be bothered"), "0 2 reasoning 9-20 be bothered", false},
    {CITE(0, 6, "the end"), "0 4 text 11-18 the end", false},
    {CITE(1, 0, "a helper"), "1 0 text 0-8 a helper", false},
    {CITE(0, 4, "Please"), NULL, false},                                           /* three off */
    {CITE(0, 0, "a helper"), NULL, false},                                         /* another transcript */
    {CITE(2, 0, "a helper"), NULL, false},
    {CITE(0, 2, "It is sorted"), NULL, false},                                     /* another case is another word */
    {CITE(0, 2, "it is not sorted"), NULL, false},
    {CITE(0, 2, "itissorted"), NULL, false},
    {CITE(0, 2, "it"), NULL, false},
    {CITE(0, 2, ""), NULL, false},
    {CITE(0, 2, " \\n "), NULL, false},
    {CITE(0, 2, "\\ud800"), NULL, false},
    {CITE(99999999999999, 2, "it is sorted"), NULL, false},
    {CITE(0, 9223372036854775807, "it is sorted"), NULL, false},
    {CITE(0, -9223372036854775807, "it is sorted"), NULL, false},
    {CITE(-1, -1, "max turns"), "-1 -1 run.limit 0-9 max turns", false},
    {CITE(-1, -1, "exit_cost"), NULL, false},                                      /* this judge may not see it */
};

static void quotes_stand_where_they_stand(void **state)
{
    (void)state;
    struct rubric r = yes_no();
    for (size_t i = 0; i < sizeof quotes / sizeof *quotes; i++) {
        struct slice reply = arena_printf(&arena, "{\"explanation\":\"\",\"citations\":[%s],\"answer\":\"yes\"}", quotes[i].citation);
        struct judge_answer got = read_reply(&r, reply);
        struct slice where = SLICE_NONE;
        assert_true(got.ok);
        if (got.ncitations) {
            const struct evidence *e = &got.citations[0].at;
            where = arena_printf(&arena, "%d %d %.*s %u-%u %.*s", e->transcript, e->message, SLICE_ARG(e->part), e->start, e->end, SLICE_ARG(e->quote));
            const struct message *m = e->message < 0 ? NULL : &transcripts[e->transcript].messages[e->message];
            assert_true(slice_eq(slice_sub(run_part(&run, m, e->part), e->start, e->end - e->start), e->quote));
            assert_int_equal(got.citations[0].folded, quotes[i].folded);
        }
        assert_int_equal(got.dropped, quotes[i].where ? 0 : 1);
        assert_int_equal(got.unsupported, !quotes[i].where);
        if (!slice_eq(where, slice_str(quotes[i].where)))
            fail_msg("%s: %.*s, not %s", quotes[i].citation, SLICE_ARG(where), quotes[i].where ? quotes[i].where : "nowhere");
    }
    rubric_free(&r);
    r = rubric_of("sees: {scores: true}\nfinding: {when: {answer: yes}}\n");
    struct judge_answer got = read_reply(&r, slice_str(REPLY(CITE(-1, -1, "exit_cost") "," CITE(-1, 0, "was not\\n sorted"), "yes")));
    assert_int_equal(got.ncitations, 2);
    assert_true(slice_is(got.citations[0].at.part, "run.exit_status") && slice_is(got.citations[1].at.part, "score:s.1.explanation"));
    assert_true(got.citations[1].folded);
    rubric_free(&r);
}

static void the_same_place_is_one_citation(void **state)
{
    (void)state;
    struct rubric r = yes_no();
    struct judge_answer got = read_reply(&r, slice_str(REPLY(CITE(0, 2, "is sorted") "," CITE(0, 3, "is  sorted") "," CITE(0, 2, "it is") "," CITE(0, 0, "never said"), "yes")));
    assert_int_equal(got.ncitations, 2);
    assert_int_equal(got.dropped, 1);
    assert_false(got.unsupported);
    struct finding f;
    assert_true(judge_finding(&r, 3, slice_str("m 12345678"), &got, 0.5, &arena, &f));
    assert_true(slice_is(f.detector, "judge:x@3") && slice_is(f.version, "m 12345678") && slice_is(f.behavior, "gave-up"));
    assert_true(f.kind == KIND_ODD_BEHAVIOR && f.severity == SEVERITY_HIGH && f.nevidence == 2 && f.evidence[1].weight == 1 && f.confidence == 0.5);
    assert_true(slice_is(f.title, "The title") && slice_is(f.message, "why"));
    got = read_reply(&r, slice_str(REPLY(CITE(0, 2, "is sorted"), "no")));
    assert_false(judge_finding(&r, 3, slice_str("m"), &got, 1, &arena, &f));
    got = read_reply(&r, slice_str(REPLY(CITE(0, 2, "invented words"), "no")));
    assert_true(got.ok && got.unsupported);
    got = read_reply(&r, slice_str(REPLY("", "yes")));
    assert_true(got.flagged && got.unsupported);
    assert_false(judge_finding(&r, 3, slice_str("m"), &got, 1, &arena, &f));
    got = read_reply(&r, slice_str("nonsense"));
    assert_false(judge_finding(&r, 3, slice_str("m"), &got, 1, &arena, &f));
    rubric_free(&r);
}

/* Folding by its definition, slowly: every start, unit by unit. */
static void folding_finds_what_a_slow_search_finds(void **state)
{
    (void)state;
    static const char *const pieces[] = {"a", "b", "ab", "abc", " ", "\n", "\\n", "\\", "\\\\n", "\\\"", "\"", "\\u0061", "\\u00e9", "\xC3\xA9", "\t ", "c"};
    uint64_t seed = 3;
    size_t hits = 0;
    for (int i = 0; i < 4000; i++) {
        struct str text = STR_INIT(1 << 12), needle = STR_INIT(1 << 12);
        for (int k = 0; k < 24; k++) {
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
            str_addz(k < 20 ? &text : &needle, pieces[(seed >> 40) % (sizeof pieces / sizeof *pieces)]);
        }
        struct quote q, part;
        size_t start, end, slow = SIZE_MAX, last = 0;
        if (quote_make(str_slice(&needle), &q)) {
            bool found = quote_find_folded(&q, str_slice(&text), &start, &end);
            for (size_t from = 0; from < text.len && slow == SIZE_MAX; from++)
                for (size_t len = 1; len <= text.len - from && slow == SIZE_MAX; len++) {
                    struct slice sub = slice_sub(str_slice(&text), from, len);
                    if (quote_make(sub, &part) && part.n == q.n && memcmp(part.bytes, q.bytes, q.n) == 0)
                        slow = from, last = from + len - 1;
                }
            if (found) { /* what it points at folds to the quote */
                assert_true(quote_make(slice_sub(str_slice(&text), start, end - start), &part) && part.n == q.n && memcmp(part.bytes, q.bytes, q.n) == 0);
                hits++;
            } else if (slow != SIZE_MAX && (slow == 0 || text.ptr[slow - 1] != '\\') && text.ptr[last] != '\\') { /* else an end is within an escape */
                fail_msg("'%s' stands in '%s' at %zu", needle.ptr, text.ptr, slow);
            }
        }
        str_free(&text);
        str_free(&needle);
    }
    assert_true(hits > 10);
}

/* ---- hostile replies ------------------------------------------------------------------------------------------------------------- */

static void repeat(struct str *s, const char *z, size_t n)
{
    while (n--)
        str_addz(s, z);
}

static void hostile_replies_end_soon(void **state)
{
    (void)state;
    struct rubric r = yes_no();
    int64_t from = cpu_us();
    struct str s = STR_INIT(64 << 20);
    static const struct { const char *piece; size_t n; } floods[] = {
        {"{", 10 << 20}, {"{\"a\":", 2 << 20}, {"[", 10 << 20}, {"{}", 4 << 20}, {"\"", 7 << 20}, {"{\"", 3 << 20}, {"{\\", 3 << 20}, {"\xFF", 5 << 20},
        {"{\"explanation\":\"", 400000}, {"```", 2 << 20}, {"{[", 2 << 20},
    };
    for (size_t i = 0; i < sizeof floods / sizeof *floods; i++) {
        str_reset(&s);
        repeat(&s, floods[i].piece, floods[i].n);
        struct judge_answer got = read_reply(&r, str_slice(&s));
        assert_true(!got.ok && got.error.len);
    }
    str_reset(&s);
    str_addz(&s, "{\"explanation\":\"");
    repeat(&s, "because ", 1 << 20);
    str_addz(&s, "\",\"citations\":[],\"answer\":\"no\"}"); /* 8 MB of it */
    struct judge_answer got = read_reply(&r, str_slice(&s));
    assert_true(!got.ok && slice_find(got.error, slice_str("bytes, and at most")) >= 0);

    str_reset(&s);
    str_addz(&s, "{\"explanation\":\"\",\"citations\":[");
    for (int i = 0; i < 10000; i++)
        str_printf(&s, "%s" CITE(0, %d, "Done, it is sorted."), i ? "," : "", i % 5);
    str_addz(&s, "],\"answer\":\"yes\"}");
    got = read_reply(&r, str_slice(&s));
    assert_true(got.ok);
    assert_int_equal(got.ncitations, 1);
    assert_int_equal(got.dropped, 10000 - 50); /* no message is more than two away from it */
    arena_reset(&arena);
    rubric_free(&r);
    r = yes_no();

    /* A long quote of almost everything, in a long text of almost it. */
    struct str text = STR_INIT(64 << 20), quote = STR_INIT(1 << 16);
    repeat(&text, "a", 20 << 20);
    repeat(&quote, "a", 3998);
    str_addz(&quote, "b");
    struct message m = {.role = ROLE_ASSISTANT, .text = str_slice(&text)};
    struct transcript t = {.messages = &m, .nmessages = 1};
    struct run large = {.transcripts = &t, .ntranscripts = 1};
    str_reset(&s);
    str_addz(&s, "{\"explanation\":\"\",\"citations\":[");
    for (int i = 0; i < 50; i++)
        str_printf(&s, "%s" CITE(0, 0, "%d%s"), i ? "," : "", i, quote.ptr);
    str_addz(&s, "],\"answer\":\"yes\"}");
    judge_answer_read(&r, &large, str_slice(&s), &arena, &got);
    assert_true(got.ok && got.dropped == 50 && got.unsupported);
    str_free(&text);
    str_free(&quote);
    str_free(&s);
    rubric_free(&r);
    assert_true(cpu_us() - from < 60 * 1000 * 1000);
}

/* Every reply that differs from a good one by a byte, a gap or a doubled piece ends in an answer or an error. */
static void damaged_replies_end_in_an_answer_or_an_error(void **state)
{
    (void)state;
    struct rubric r = yes_no();
    static const char good[] = REPLY(CITE(0, 2, "it is\\n sorted") "," CITE(1, 0, "the list \\u00e9"), "yes");
    size_t len = sizeof good - 1, ok = 0;
    for (size_t i = 0; i < len; i++)
        for (int how = 0; how < 4; how++) {
            struct str s = STR_INIT(1 << 12);
            str_add(&s, good, i);
            if (how < 2)
                str_addc(&s, "\xFF\""[how]);
            str_add(&s, good + i + (how != 3), len - i - (how != 3));
            str_add(&s, good, how == 3 ? i : 0);
            struct judge_answer got = read_reply(&r, str_slice(&s));
            assert_true(got.ok ? slice_is(got.decision, "yes") : got.error.len > 0);
            ok += got.ok;
            str_free(&s);
        }
    assert_true(ok > 20);
    rubric_free(&r);
}

/* ---- pieces of a long run --------------------------------------------------------------------------------------------------------- */

/* Answers of pieces in short: a value each, ! a part that failed, ? one whose quotes are all false. */
static struct judge_answer reduced(const struct rubric *r, const char *values, const char *field)
{
    struct judge_answer parts[16], out;
    struct slice rest = slice_str(values);
    size_t n = 0;
    while (rest.len) {
        struct slice v = slice_take(&rest, ' ');
        bool lies = slice_ends(v, "?");
        v.len -= lies;
        struct slice reply = slice_is(v, "!") ? slice_str("nothing")
            : arena_printf(&arena, "{\"explanation\":\"e%zu\",\"citations\":[{\"transcript\":0,\"message\":%zu,\"quote\":\"%s\"}],\"%s\":%.*s}", n, n % 2 ? 2 : n,
                           lies ? "never said" : n % 2 ? "it is sorted" : n == 0 ? "in French" : n == 2 ? "bothered" : "the end", field, SLICE_ARG(v));
        judge_answer_read(r, &run, reply, &arena, &parts[n]);
        assert_true(parts[n].ok == !slice_is(v, "!"));
        n++;
    }
    judge_answer_reduce(r, parts, n, &arena, &out);
    return out;
}

static void pieces_become_one(void **state)
{
    (void)state;
    static const struct { const char *rubric, *values, *decision; } cases[] = {
        {"reduce: any\n", "\"no\" \"yes\" \"no\"", "yes"},
        {"reduce: any\n", "\"no\" \"unclear\" \"no\"", "no"},
        {"reduce: any\n", "\"unclear\" \"no\"", "unclear"},
        {"reduce: any\n", "\"no\" ! \"yes\"", "yes"},
        {"reduce: any\n", "\"no\" ! \"no\"", NULL},
        {"reduce: any\npositive: [yes, unclear]\n", "\"no\" \"unclear\" \"yes\" \"unclear\"", "unclear"},
        {"reduce: all\n", "\"yes\" \"yes\"", "yes"},
        {"reduce: all\n", "\"yes\" \"no\" \"yes\"", "no"},
        {"reduce: all\n", "\"yes\" ! \"no\"", "no"},
        {"reduce: all\n", "\"yes\" ! \"yes\"", NULL},
        {"reduce: majority\n", "\"no\" \"yes\" \"yes\"", "yes"},
        {"reduce: majority\n", "\"no\" \"yes\"", "no"},
        {"reduce: majority\n", "\"no\" ! \"yes\" \"yes\"", NULL},
        {"reduce: majority\n", "! \"yes\" \"yes\"", "yes"},
        {"reduce: ask\n", "\"yes\"", "yes"},
        {"reduce: any\n", "!", NULL},
        {"reduce: any\n", "", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rubric r = rubric_of(arena_printf(&arena, "finding: {when: {answer: yes}}\n%s", cases[i].rubric).ptr);
        struct judge_answer got = reduced(&r, cases[i].values, "answer");
        if (got.ok != !!cases[i].decision || (got.ok ? !slice_is(got.decision, cases[i].decision) : !got.error.len))
            fail_msg("%s of %s: %.*s", cases[i].rubric, cases[i].values, SLICE_ARG(got.decision));
        rubric_free(&r);
    }
    static const struct { const char *reduce, *values, *decision; } numbers[] = {
        {"max", "1 4 2", "4"}, {"min", "3 1 2", "1"}, {"max", "1 ! 2", NULL}, {"max", "1 ! 5", "5"}, {"min", "! 0 2", "0"}, {"min", "! 1", NULL}, {"majority", "2 3 3", "3"},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct rubric r = rubric_of(arena_printf(&arena, "answer: {properties: {n: {type: integer, minimum: 0, maximum: 5}}}\nreduce: %s\n", numbers[i].reduce).ptr);
        struct judge_answer got = reduced(&r, numbers[i].values, "n");
        if (got.ok != !!numbers[i].decision || (got.ok && !slice_is(got.decision, numbers[i].decision)))
            fail_msg("%s of %s: %.*s", numbers[i].reduce, numbers[i].values, SLICE_ARG(got.decision));
        rubric_free(&r);
    }
}

static void pieces_that_agree_give_their_citations(void **state)
{
    (void)state;
    struct rubric r = yes_no();
    struct judge_answer got = reduced(&r, "\"no\" \"yes\" \"yes\" \"yes\"", "answer");
    assert_int_equal(got.ncitations, 2); /* that of the second and the fourth is one */
    assert_true(slice_is(got.explanation, "Piece 2 of 4: e1\n\nPiece 3 of 4: e2\n\nPiece 4 of 4: e3"));
    assert_true(got.flagged && !got.unsupported);
    got = reduced(&r, "\"no\" \"yes\"?", "answer");
    assert_true(got.ok && got.flagged && got.unsupported && got.dropped == 1);
    got = reduced(&r, "\"yes\"? \"yes\"", "answer"); /* one of them has words that stand */
    assert_true(got.ok && got.flagged && !got.unsupported && got.ncitations == 1 && got.dropped == 1);
    got = reduced(&r, "\"no\" !", "answer");
    assert_true(!got.ok && slice_starts(got.error, "piece 2 of 2: there is no JSON object in it") && slice_is(got.raw, "nothing"));
    rubric_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_object_is_found_in_words),
        cmocka_unit_test(a_malformed_reply_says_what_is_wrong),
        cmocka_unit_test(fields_are_written_in_order),
        cmocka_unit_test(reasons_may_be_missing),
        cmocka_unit_test(a_decision_alone_is_read),
        cmocka_unit_test(quotes_stand_where_they_stand),
        cmocka_unit_test(the_same_place_is_one_citation),
        cmocka_unit_test(folding_finds_what_a_slow_search_finds),
        cmocka_unit_test(hostile_replies_end_soon),
        cmocka_unit_test(damaged_replies_end_in_an_answer_or_an_error),
        cmocka_unit_test(pieces_become_one),
        cmocka_unit_test(pieces_that_agree_give_their_citations),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
