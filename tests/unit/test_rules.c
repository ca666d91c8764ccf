/* The rule language: what each word means (by the tests that rules carry), and what is said of a rule that is wrong. */
#include "detect/match.h"
#include "detect/pack.h"

#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static struct arena arena;

static int teardown(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

static struct ruleset *parse(const char *text, struct problems *problems)
{
    struct ruleset *rs;
    *problems = (struct problems){0};
    ruleset_parse(slice_str(text), slice_str("r.yaml"), &arena, problems, &rs);
    return rs;
}

/* ---- each condition: what is a hit, what is clean ---------------------------------------------------------------- */

#define HEAD "id: x\ntitle: t\nbehavior: repeated-action\nseverity: low\n"
#define EVENTS                                                                                                                                   \
    "events:\n  a: {on: assistant, text: '^a(?P<n>\\d?)'}\n  b: {on: assistant, text: '^b(?P<n>\\d?)'}\n  c: {on: assistant, text: '^c'}\n" \
    "  any: {on: assistant}\n  call: {on: tool_call}\n"
/* A word of letters as a run, one assistant message each. */
static const struct { const char *find, *hit, *clean; } conditions[] = {
    {"a", "a", "b"},
    {"{any: [a, c]}", "xc", "b"},
    {"{all: [a, b]}", "ba", "aa"},
    {"{and: [a, {none: c}]}", "ab", "ac"},
    {"{none: c}", "ab", "abc"},
    {"{not: {count: {of: a, at_least: 2}}}", "a", "aa"},
    {"{or: [{all: [a, b]}, c]}", "c", "b"},
    {"{count: {of: a, at_least: 3}}", "aabxa", "aab"},
    {"{count: {of: a, at_most: 1}}", "b", "aa"},
    {"{count: {of: any, same: text, at_least: 3}}", "axayaz", "abcxyz"},
    {"{count: {of: a, at_least: 3, within: 3}}", "axxxaxaa", "axxxaxxxa"},
    {"{distinct: {of: any, field: text, at_least: 3}}", "abbc", "abab"},
    {"{distinct: {of: any, field: text, at_most: 1}}", "aaa", "ab"},
    {"{repeat: {of: any, times: 3}}", "xaaay", "aabaa"},
    {"{repeat: {of: any, times: 2, ping_pong: true}}", "xababy", "abba"},
    {"{repeat: {of: any, times: 2, ping_pong: true}}", "caca", "aaaa"},
    {"{repeat: {of: any, times: 2, period: 3}}", "xabcabc", "abcacb"},
    {"{repeat: {of: a, times: 3}}", "axaya", "aa"},
    {"{sequence: {steps: [a, b]}}", "axb", "ba"},
    {"{sequence: {steps: [a, b, c]}}", "abac", "acb"},
    {"{sequence: {steps: [a, {not: c}, b]}}", "acab", "acb"},
    {"{sequence: {steps: [a, {not: c}]}}", "aca", "ac"},
    {"{sequence: {steps: [{not: c}, a]}}", "ac", "ca"},
    {"{sequence: {steps: [a, b], within: 2}}", "axb", "axxb"},
    {"{sequence: {steps: [a, b], within: '2 steps'}}", "axb", "axxb"},
    {"{sequence: {steps: [a, b], until: c}}", "cab", "acb"},
    {"{sequence: {steps: [a, {not: b}], within: 2}}", "axxb", "axb"},
    {"{sequence: {steps: [a, {not: b}], until: c}}", "acb", "abc"},
    {"{absent: {of: b, after: a}}", "ba", "ab"},
    {"{absent: {of: b, after: a, within: 1}}", "axb", "ab"},
    {"{last: a}", "xa", "ax"},
    {"{last: {of: a, in: 2}}", "ax", "axx"},
    {"{first: {of: a, in: 2}}", "xa", "xxa"},
    {"{ratio: {of: a, to: any, over: 0.5}}", "aab", "ab"},
    {"{ratio: {of: a, to: any, under: 0.5}}", "abb", "aab"},
    {"{ratio: {of: a, to: any, over: 0.5, at_least: 3}}", "aab", "aa"},
    {"{any: a, none: c}", "ab", "ac"},
    {"{run: {messages: {at_least: 3}}}", "abc", "ab"},
};

static void write_case(struct str *out, const char *word)
{
    str_addz(out, "    - [");
    for (; *word; word++)
        str_printf(out, "{assistant: %c}%s", *word, word[1] ? ", " : "");
    str_addz(out, "]\n");
}

static void every_condition(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof conditions / sizeof *conditions; i++) {
        struct str text = STR_INIT(1 << 16), said = STR_INIT(1 << 16);
        str_printf(&text, HEAD EVENTS "find: %s\ntests:\n  hit:\n", conditions[i].find);
        write_case(&text, conditions[i].hit);
        str_addz(&text, "  clean:\n");
        write_case(&text, conditions[i].clean);
        struct problems problems;
        struct ruleset *rs = parse(text.ptr, &problems);
        if (problems.n)
            fail_msg("%s: %.*s", conditions[i].find, SLICE_ARG(problems.items[0].message));
        size_t tests, failures;
        ruleset_test(rs, &said, &tests, &failures);
        assert_int_equal(tests, 2);
        if (failures)
            fail_msg("%s: %s", conditions[i].find, said.ptr);
        ruleset_unref(rs);
        str_free(&text);
        str_free(&said);
    }
}

/* Whole rules with their tests: fields, matchers, captures, except, scope task. */
static const char *const rules[] = {
    /* captures join the events of a condition */
    HEAD "events:\n  call: {on: tool_call, args.cmd: '^open (?P<f>\\w+)'}\n  close: {on: tool_call, args.cmd: '^close (?P<f>\\w+)'}\n"
         "find: {absent: {of: close, after: call}}\n"
         "tests:\n  hit: [[{tool_call: sh, args: {cmd: open a}}, {tool_result: ''}, {tool_call: sh, args: {cmd: close b}}]]\n"
         "  clean: [[{tool_call: sh, args: {cmd: open a}}, {tool_result: ''}, {tool_call: sh, args: {cmd: close a}}]]\n",
    /* and the fields of one event */
    HEAD "events:\n  miss: {on: tool_result, text: '(?P<p>\\w+): not found', call.args.*: '\\b(?P<p>\\w+) -x'}\n"
         "find: miss\n"
         "tests:\n  hit: [[{tool_call: sh, args: {cmd: 'xxd -x'}}, {tool_result: \"a: not found\\nxxd: not found\"}]]\n"
         "  clean: [[{tool_call: sh, args: {cmd: 'xxd -x'}}, {tool_result: 'sh: not found'}]]\n",
    /* an exception sets aside the occurrence that it explains, and no other */
    HEAD "events:\n  miss: {on: tool_result, text: '(?P<p>\\w+): not found'}\n  probe: {on: tool_call, args.cmd: '^which '}\n"
         "find: miss\nexcept: {sequence: {steps: [probe, miss], within: 1}}\n"
         "tests:\n  hit: [[{tool_call: sh, args: {cmd: which a}}, {tool_result: 'a: not found'}, {tool_call: sh, args: {cmd: a}}, {tool_result: 'a: not found'}]]\n"
         "  clean: [[{tool_call: sh, args: {cmd: which a}}, {tool_result: 'a: not found'}]]\n",
    /* an exception of other events takes away the whole finding */
    HEAD "events:\n  miss: {on: tool_result, text: 'not found'}\nfind: miss\nexcept: [{run: {success: true}}, {run: {tags: demo}}]\n"
         "tests:\n  hit: [[{tool_result: not found}, {end: {success: false}}]]\n"
         "  clean: [[{tool_result: not found}, {end: {success: true}}], [{tool_result: not found}, {end: {tags: [demo]}}]]\n",
    /* same_as */
    HEAD "events:\n  say: {on: assistant}\n  echo: {on: user, text: {same_as: say.text}}\nfind: {sequence: {steps: [say, echo]}}\n"
         "tests:\n  hit: [[{assistant: x}, {assistant: y}, {user: x}]]\n  clean: [[{assistant: x}, {user: z}]]\n",
    /* what is normalized is the same */
    HEAD "events:\n  call: {on: tool_call}\nfind: {repeat: {of: call, times: 3, same: args.cmd, normalize: [numbers, space]}}\n"
         "tests:\n  hit: [[{tool_call: sh, args: {cmd: 'sleep 1'}}, {tool_call: sh, args: {cmd: 'sleep  22'}}, {tool_call: sh, args: {cmd: ' sleep 3'}}]]\n"
         "  clean: [[{tool_call: sh, args: {cmd: 'sleep 1'}}, {tool_call: sh, args: {cmd: 'sleeps 2'}}, {tool_call: sh, args: {cmd: 'sleep 3'}}]]\n",
    HEAD "events:\n  call: {on: tool_call}\nfind: {count: {of: call, at_least: 2, same: [args.cmd, result.text], normalize: [paths, hex, case, strings]}}\n"
         "tests:\n  hit: [[{tool_call: sh, args: {cmd: \"CAT /a/b 'x' deadbeef1\"}}, {tool_result: r}, {tool_call: sh, args: {cmd: \"cat /c 'y' 0123456\"}}, {tool_result: r}]]\n"
         "  clean: [[{tool_call: sh, args: {cmd: cat /a}}, {tool_result: r}, {tool_call: sh, args: {cmd: cat /b}}, {tool_result: other}]]\n",
    /* count by a capture */
    HEAD "events:\n  miss: {on: tool_result, text: '(?P<p>\\w+): not found'}\nfind: {count: {of: miss, by: p, at_least: 2}}\n"
         "tests:\n  hit: [[{tool_result: 'a: not found'}, {tool_result: 'b: not found'}, {tool_result: 'a: not found'}]]\n"
         "  clean: [[{tool_result: 'a: not found'}, {tool_result: 'b: not found'}]]\n",
    /* matchers */
    HEAD "events:\n  m: {on: assistant, text: {literal: ['a.b', 'c|d'], nocase: true}}\nfind: m\n"
         "tests:\n  hit: [[{assistant: 'xA.Bx'}], [{assistant: 'c|D'}]]\n  clean: [[{assistant: 'axb'}], [{assistant: c}]]\n",
    HEAD "events:\n  m: {on: assistant, text: ['1+1', two]}\nfind: m\ntests:\n  hit: [[{assistant: 'is 1+1'}], [{assistant: two}]]\n  clean: [[{assistant: '11'}]]\n",
    HEAD "events:\n  m: {on: assistant, text: {regex: run, word: true, not: ['dry run', fun]}}\nfind: m\n"
         "tests:\n  hit: [[{assistant: a run}]]\n  clean: [[{assistant: running}], [{assistant: a dry run}], [{assistant: fun run}]]\n",
    HEAD "events:\n  m: {on: tool_call, name: {is: [bash, Sh], nocase: true}}\nfind: m\ntests:\n  hit: [[{tool_call: BASH}], [{tool_call: sh}]]\n  clean: [[{tool_call: bash2}]]\n",
    HEAD "events:\n  m: {on: assistant, tokens: '> 3', length: {at_most: 5}}\nfind: m\n"
         "tests:\n  hit: [[{assistant: abc, tokens: 4}]]\n  clean: [[{assistant: abc, tokens: 3}], [{assistant: abcdef, tokens: 9}], [{assistant: abc}]]\n",
    HEAD "events:\n  m: {on: tool_call, args.n: {over: 3, under: 5}}\nfind: m\ntests:\n  hit: [[{tool_call: f, args: {n: 4}}], [{tool_call: f, args: {n: '4.5'}}]]\n"
         "  clean: [[{tool_call: f, args: {n: 5}}], [{tool_call: f, args: {n: x}}], [{tool_call: f}]]\n",
    HEAD "events:\n  m: {on: tool_call, args.a.b: x, error: {present: false}}\nfind: m\ntests:\n  hit: [[{tool_call: f, args: {a: {b: x}}}], [{tool_call: f, args: {a.b: x}}]]\n"
         "  clean: [[{tool_call: f, args: {a: x}}], [{tool_call: f, args: {a: {b: x}}, parse_error: bad}]]\n",
    HEAD "events:\n  m: {on: tool_call, args: '\"b\":\"x', result.text: ok, finish_reason: stop}\nfind: m\n"
         "tests:\n  hit: [[{tool_call: f, args: {b: x}, finish_reason: stop}, {tool_result: ok}]]\n  clean: [[{tool_call: f, args: {b: x}}, {tool_result: ok}], [{tool_call: f, args: {b: x}, finish_reason: stop}]]\n",
    HEAD "events:\n  m: {on: message, role: '^(user|system)$', metadata.a.b: '3'}\nfind: m\n"
         "tests:\n  hit: [[{user: x, metadata: {a: {b: 3}}}], [{system: x, metadata: {a.b: 13}}]]\n  clean: [[{assistant: x, metadata: {a: {b: 3}}}], [{user: x}]]\n",
    HEAD "events:\n  m: {on: reasoning, text: think}\n  e: {on: error, text: boom}\nfind: {all: [m, e]}\n"
         "tests:\n  hit: [[{assistant: x, reasoning: I think}, {tool_result: '', error: boom}], [{reasoning: think}, {end: {error: boom}}]]\n"
         "  clean: [[{assistant: think}, {tool_result: boom}]]\n",
    HEAD "events:\n  s: {on: score, name: acc, value: {under: 1}, answer: '^b', target: c, explanation: no}\nfind: s\n"
         "tests:\n  hit: [[{score: {name: acc, value: 0.5, answer: b, target: c, explanation: no}}]]\n  clean: [[{score: {name: acc, value: 1, answer: b, target: c, explanation: no}}]]\n",
    HEAD "find: {run: {success: false, exit_status: 'exit(?P<why>ed)?', limit: {present: false}, score.acc: {at_least: 0.5}, score.acc.answer: b}}\n"
         "tests:\n  hit: [[{end: {success: false, exit_status: exited}}, {score: {name: acc, value: 0.5, answer: b}}]]\n"
         "  clean: [[{end: {success: true, exit_status: exit}}, {score: {name: acc, value: 1, answer: b}}], [{end: {success: false, exit_status: exit, limit: x}}, {score: {name: acc, value: 1, answer: b}}]]\n",
    HEAD "events: {a: {on: assistant, text: a}}\nfind: {sequence: {steps: [a, a], within: 90s}}\n"
         "tests:\n  hit: [[{assistant: a, timestamp: '2026-01-01T00:00:00Z'}, {assistant: a, timestamp: '2026-01-01T00:01:00Z'}]]\n"
         "  clean: [[{assistant: a, timestamp: '2026-01-01T00:00:00Z'}, {assistant: a, timestamp: '2026-01-01T00:02:00Z'}], [{assistant: a}, {assistant: a}]]\n",
    /* an event of two names, and one of two captures, is one event */
    HEAD "events: {a: {on: assistant, text: x}, b: {on: assistant, text: xy}}\nfind: {count: {of: [a, b], at_least: 2}}\n"
         "tests: {hit: [[{assistant: xy}, {assistant: x}]], clean: [[{assistant: xy}]]}\n",
    HEAD "events: {a: {on: assistant, text: '(?P<n>\\d)'}}\nfind: {repeat: {of: a, times: 2}}\n"
         "tests: {hit: [[{assistant: 1 2}, {assistant: 1 2}]], clean: [[{assistant: 1 2}]]}\n",
    HEAD "events: {a: {on: assistant, text: '(?P<n>\\d)'}}\nfind: {count: {of: a, same: text, at_least: 2}}\n"
         "tests: {hit: [[{assistant: 1 2}, {user: x}, {assistant: 1 2}]], clean: [[{assistant: 1 2}]]}\n",
    /* that another event speaks of it asks nothing of an event, and nothing is like nothing */
    HEAD "events:\n  call: {on: tool_call}\n  say: {on: assistant, text: {same_as: call.result.text}}\nfind: {or: [{count: {of: call, at_least: 2}}, {sequence: {steps: [call, say]}}]}\n"
         "tests: {hit: [[{tool_call: f}, {tool_call: g}], [{tool_call: f}, {tool_result: r}, {assistant: r}]], clean: [[{tool_call: f}, {assistant: r}], [{tool_call: f}, {tool_result: r}, {assistant: x}]]}\n",
    /* what binds nothing yet forbids nothing of another capture */
    HEAD "events:\n  a: {on: user}\n  no: {on: tool_call, args.f: '(?P<f>.)', name: no}\n  b: {on: tool_call, args.f: '(?P<f>.)', name: b}\nfind: {sequence: {steps: [a, {not: no}, b]}}\n"
         "tests: {hit: [[{user: x}, {tool_call: no, args: {f: 1}}, {tool_call: b, args: {f: 2}}]], clean: [[{user: x}, {tool_call: no, args: {f: 1}}, {tool_call: b, args: {f: 1}}]]}\n",
    /* where nobody knows when, nothing is late */
    HEAD "events: {a: {on: user}, b: {on: assistant}}\nfind: {absent: {of: b, after: a, within: 5s}}\n"
         "tests: {hit: [[{user: x}], [{user: x, timestamp: '2026-01-01T00:00:00Z'}, {assistant: y, timestamp: '2026-01-01T00:00:06Z'}]],\n"
         "        clean: [[{user: x}, {assistant: y}], [{user: x, timestamp: '2026-01-01T00:00:00Z'}, {assistant: y}]]}\n",
    /* at most so many close together, also where there are none */
    HEAD "events: {a: {on: user}}\nfind: {count: {of: a, at_most: 1, within: 1}}\n"
         "tests: {hit: [[{assistant: x}], [{user: x}, {assistant: y}, {user: x}]], clean: [[{user: x}, {user: x}]]}\n",
    /* by leaves out what does not capture; several captures group together */
    HEAD "events: {a: {on: user, text: '^(?P<p>a)?(?P<q>.)'}}\nfind: {count: {of: a, by: [p, q], at_least: 2}}\n"
         "tests: {hit: [[{user: a1}, {user: a1}]], clean: [[{user: a1}, {user: a2}], [{user: '1'}, {user: '1'}]]}\n",
    /* scope task, over what another rule found */
    "- {id: miss, title: '{p}', behavior: missing-program, events: {m: {on: tool_result, text: '(?P<p>\\w+): not found'}}, find: m}\n"
    "- {id: task, title: '{count} of {runs} lack {p}', behavior: missing-program, scope: task, find: {runs: {having: miss, by: p, share_at_least: 0.6, at_least: 2}, pass_rate_at_most: 0},\n"
    "   tests: {hit: [[[{tool_result: 'a: not found'}, {end: {success: false}}], [{tool_result: 'a: not found'}, {end: {success: false}}], [{assistant: x}, {end: {success: false}}]]],\n"
    "           clean: [[[{tool_result: 'a: not found'}, {end: {success: false}}], [{tool_result: 'b: not found'}, {end: {success: false}}]],\n"
    "                   [[{tool_result: 'a: not found'}, {end: {success: true}}], [{tool_result: 'a: not found'}, {end: {success: false}}]],\n"
    "                   [[{tool_result: 'a: not found'}], [{tool_result: 'a: not found'}]]]}}\n",
    "- {id: task, title: 'all say {answer}', behavior: wrong-key, scope: task, find: {agree_on: {field: answer, at_least: 2, share_at_least: 0.6}, pass_rate_at_most: 0},\n"
    "   tests: {hit: [[[{score: {answer: ' x', target: y}}, {end: {success: false}}], [{score: {answer: x, target: y}}, {end: {success: false}}]]],\n"
    "           clean: [[[{score: {answer: x}}, {end: {success: false}}], [{score: {answer: z}}, {end: {success: false}}]]]}}\n",
    "- {id: task, title: '{better} beats {worse}', behavior: ambiguous-task, scope: task, find: {differs_by: {field: model, pass_rate_gap: 0.9, p: 1}, runs_at_least: 2},\n"
    "   tests: {hit: [[[{score: {value: 1}}, {end: {success: true, model: a}}], [{score: {value: 0}}, {end: {success: false, model: b}}]]],\n"
    "           clean: [[[{score: {value: 1}}, {end: {success: true, model: a}}], [{score: {value: 1}}, {end: {success: true, model: b}}]]]}}\n",
};

static void whole_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        struct str said = STR_INIT(1 << 16);
        struct problems problems;
        struct ruleset *rs = parse(rules[i], &problems);
        if (problems.n)
            fail_msg("%s\n%d:%d: %.*s", rules[i], problems.items[0].line, problems.items[0].column, SLICE_ARG(problems.items[0].message));
        size_t tests, failures;
        ruleset_test(rs, &said, &tests, &failures);
        assert_true(tests >= 2);
        if (failures)
            fail_msg("%s\n%s", rules[i], said.ptr);
        ruleset_unref(rs);
        str_free(&said);
    }
}

/* Every yaml block of the language's documentation is rules that compile, and whose tests hold. */
static void the_documentation_is_true(void **state)
{
    (void)state;
    static char text[1 << 18];
    FILE *f = fopen("web/docs/rules.md", "r");
    assert_non_null(f);
    size_t len = fread(text, 1, sizeof text - 1, f), blocks = 0;
    fclose(f);
    assert_true(len < sizeof text - 1);
    for (char *block = strstr(text, "\n```yaml\n"), *end; block; block = strstr(end, "\n```yaml\n")) {
        block += strlen("\n```yaml\n");
        end = strstr(block, "\n```\n");
        assert_non_null(end);
        *end++ = 0;
        struct problems problems;
        struct ruleset *rs = parse(block, &problems);
        if (problems.n)
            fail_msg("%s\n%d:%d: %.*s", block, problems.items[0].line, problems.items[0].column, SLICE_ARG(problems.items[0].message));
        for (size_t i = 0; i < ruleset_count(rs); i++) {
            struct detector_info info;
            ruleset_info(rs, i, &info);
            assert_true(info.tests_hit && info.tests_clean);
        }
        struct str said = STR_INIT(1 << 16);
        size_t tests, failures;
        ruleset_test(rs, &said, &tests, &failures);
        if (failures || !tests)
            fail_msg("%s\n%s", block, said.ptr);
        str_free(&said);
        ruleset_unref(rs);
        blocks++;
    }
    assert_true(blocks >= 15);
}

static void a_failing_test_is_told(void **state)
{
    (void)state;
    struct problems problems;
    struct ruleset *rs = parse(HEAD "events: {a: {on: assistant, text: a}}\nfind: a\ntests:\n  hit: [[{assistant: b}]]\n  clean: [[{assistant: a}]]\n", &problems);
    struct str said = STR_INIT(1 << 16);
    size_t tests, failures;
    ruleset_test(rs, &said, &tests, &failures);
    assert_int_equal(tests, 2);
    assert_int_equal(failures, 2);
    assert_non_null(strstr(said.ptr, "r.yaml:8:9: x: hit 1: should be found here and was not"));
    assert_non_null(strstr(said.ptr, "r.yaml:9:11: x: clean 1: was found here and should not be"));
    ruleset_unref(rs);
    str_free(&said);
}

/* ---- what is wrong with a rule, and where ------------------------------------------------------------------------ */

/* A file a case: its first lines, which are comments, are all that is said of it ("# LINE:COLUMN: message"). */
static void problems_name_their_place(void **state)
{
    (void)state;
    glob_t files;
    assert_int_equal(glob("tests/rules/bad/*.yaml", 0, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        FILE *f = fopen(files.gl_pathv[i], "r");
        char *text = calloc(1, 1 << 16);
        assert_non_null(f);
        assert_true(fread(text, 1, (1 << 16) - 1, f) > 0);
        fclose(f);
        struct problems problems;
        struct ruleset *rs = parse(text, &problems);
        struct str said = STR_INIT(1 << 16);
        for (size_t k = 0; k < problems.n; k++) {
            const struct problem *p = &problems.items[k];
            str_printf(&said, "# %d:%d: %.*s\n", p->line, p->column, SLICE_ARG(p->message));
            assert_true(slice_is(p->file, "r.yaml"));
        }
        if (!problems.n || ruleset_count(rs) || strncmp(text, said.ptr, said.len) != 0 || text[said.len] == '#')
            fail_msg("%s: said\n%s", files.gl_pathv[i], said.ptr ? said.ptr : "nothing");
        str_free(&said);
        free(text);
        ruleset_unref(rs);
    }
    assert_true(files.gl_pathc > 100);
    globfree(&files);
}

#define GOOD(id) "id: " id "\ntitle: t\nbehavior: gave-up\nevents: {a: {on: user}}\nfind: a\n"

static void a_bad_rule_stops_no_other(void **state)
{
    (void)state;
    struct problems problems;
    struct ruleset *rs = parse(GOOD("one") "---\nid: [\n---\n" GOOD("two") "---\nid: bad\n--- # and one more\n- " "{id: three, title: t, behavior: gave-up, events: {a: {on: user}}, find: a}\n- 7\n", &problems);
    assert_int_equal(ruleset_count(rs), 3);
    assert_int_equal(problems.n, 3);
    assert_int_equal(problems.items[0].line, 8); /* the flow list ends where the document does */
    assert_int_equal(problems.items[1].line, 18); /* what cannot be read comes before what means nothing */
    assert_int_equal(problems.items[2].line, 15);
    assert_true(slice_is(problems.items[2].rule, "bad"));
    ruleset_unref(rs);
    rs = parse(GOOD("one") "---\n" GOOD("one"), &problems);
    assert_int_equal(problems.n, 1);
    assert_non_null(strstr(problems.items[0].message.ptr, "already, in line 1"));
    ruleset_unref(rs);
}

static void hostile_text_ends_in_problems(void **state)
{
    (void)state;
    struct problems problems;
    char *deep = malloc(200001);
    memset(deep, '[', 200000);
    deep[200000] = 0;
    struct ruleset *rs = parse(deep, &problems);
    assert_int_equal(problems.n, 1);
    ruleset_unref(rs);
    memset(deep, '{', 200000);
    ruleset_unref(parse(deep, &problems));
    assert_int_equal(problems.n, 1);
    free(deep);
    static const char *const texts[] = {"", "\n\n", "# nothing\n", "---\n---\n", "null\n", "\xff\xfe", "a: \xc3\x28", "? [a]\n: b\n", "%YAML 9.9\n---\na: b\n", "\"\\ud800\"", "- - - - x"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        rs = parse(texts[i], &problems);
        assert_int_equal(ruleset_count(rs), 0);
        ruleset_unref(rs);
    }
}

static void json_is_the_same_model(void **state)
{
    (void)state;
    struct problems problems;
    struct ruleset *a = parse("{\"id\": \"x\", \"title\": \"\\ud83d\\ude00 t\", \"find\": \"a\",\n\t\"behavior\": \"gave-up\", \"events\": {\"a\": {\"on\": \"user\", \"text\": \"a\\\\/b\"}}}", &problems);
    assert_int_equal(problems.n, 0);
    struct ruleset *b = parse("id: x\ntitle: '\U0001F600 t'\nbehavior: gave-up\nevents:\n  a:\n    text: 'a\\/b'\n    on: user\nfind: a\ntests: {hit: [[{user: a/b}]]}\n", &problems);
    assert_int_equal(problems.n, 0);
    struct detector_info x, y;
    ruleset_info(a, 0, &x);
    ruleset_info(b, 0, &y);
    assert_true(slice_eq(x.version, y.version)); /* neither form, nor the order of keys, nor tests make another rule */
    assert_true(slice_eq(x.title, y.title));
    ruleset_unref(a);
    a = parse("id: x\ntitle: '\U0001F600 t'\nbehavior: gave-up\nevents: {a: {on: user, text: 'a\\/c'}}\nfind: a\n", &problems);
    ruleset_info(a, 0, &x);
    assert_false(slice_eq(x.version, y.version));
    ruleset_unref(a);
    ruleset_unref(b);
}

static void source_is_the_rule_as_it_stands(void **state)
{
    (void)state;
    struct problems problems;
    struct ruleset *rs = parse("# pack\n- id: a\n  title: ä {x\n  behavior: gave-up\n  events: {a: {on: user}}\n  find: a # end\n\n# next\n- id: b\n  title: t\n  behavior: gave-up\n"
                               "  events: {a: {on: user}}\n  find: a\n", &problems);
    assert_int_equal(problems.n, 0);
    struct detector_info info;
    ruleset_info(rs, 0, &info);
    assert_true(slice_is(info.text, "id: a\ntitle: ä {x\nbehavior: gave-up\nevents: {a: {on: user}}\nfind: a # end"));
    struct ruleset *again;
    ruleset_parse(info.text, slice_str("again"), &arena, &problems, &again);
    assert_int_equal(problems.n, 0);
    assert_int_equal(ruleset_count(again), 1);
    ruleset_unref(again);
    ruleset_info(rs, 1, &info);
    assert_true(slice_is(info.text, "id: b\ntitle: t\nbehavior: gave-up\nevents: {a: {on: user}}\nfind: a"));
    ruleset_unref(rs);
}

/* ---- sets -------------------------------------------------------------------------------------------------------- */

/* Without the names of the shipped pack: only then is every rule known that may be asked for. */
static struct ruleset *parse_alone(const char *text, struct problems *problems)
{
    struct pack_files files = {0};
    *problems = (struct problems){0};
    pack_add_text(&arena, &files, slice_str("r.yaml"), slice_str(text));
    return ruleset_make(&files, NULL, 0, &arena, problems);
}

static void rules_that_ask_for_nothing_are_told(void **state)
{
    (void)state;
    /* Judged in the order of the file, the first still has one to ask. */
    static const char chain[] =
        "id: outer\ntitle: t\nbehavior: gave-up\nscope: collection\nfind: {tasks: {having: inner, at_least: 2}}\n---\n"
        "id: inner\ntitle: t\nbehavior: gave-up\nscope: task\nfind: {runs: {having: nobody}}\n---\n"
        "id: mine\ntitle: t\nbehavior: gave-up\nevents: {a: {on: user}}\nfind: a\n";
    struct problems problems;
    struct ruleset *rs = parse_alone(chain, &problems);
    assert_int_equal(ruleset_count(rs), 1);
    assert_int_equal(problems.n, 2);
    assert_non_null(strstr(problems.items[0].message.ptr, "no rule 'nobody'"));
    assert_non_null(strstr(problems.items[1].message.ptr, "no rule 'inner'"));
    ruleset_unref(rs);

    static const struct { const char *having, *enabled; size_t problems; } asking[] = {
        {"off", "true", 1}, {"[off, off2]", "true", 1}, {"[off, on]", "true", 0}, {"off", "false", 0},
    };
    for (size_t i = 0; i < sizeof asking / sizeof *asking; i++) {
        char text[800];
        snprintf(text, sizeof text,
                 "id: off\ntitle: t\nbehavior: gave-up\nenabled: false\nevents: {a: {on: user}}\nfind: a\n---\n"
                 "id: off2\ntitle: t\nbehavior: gave-up\nenabled: false\nevents: {a: {on: user}}\nfind: a\n---\n"
                 "id: on\ntitle: t\nbehavior: gave-up\nevents: {a: {on: user}}\nfind: a\n---\n"
                 "id: asks\ntitle: t\nbehavior: gave-up\nscope: task\nenabled: %s\nfind: {runs: {having: %s}}\n",
                 asking[i].enabled, asking[i].having);
        rs = parse_alone(text, &problems);
        assert_int_equal(ruleset_count(rs), 4); /* it can be run by name */
        assert_int_equal(problems.n, asking[i].problems);
        if (problems.n)
            assert_non_null(strstr(problems.items[0].message.ptr, "having: 'off' is disabled"));
        ruleset_unref(rs);
    }
}

static void sets_are_loaded_replaced_and_cut(void **state)
{
    (void)state;
    char folder[] = "/tmp/telltale-rules-XXXXXX", path[64], path2[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/a.yaml", folder);
    snprintf(path2, sizeof path2, "%s/b.yml", folder);
    FILE *f = fopen(path, "w");
    fputs("id: mine\ntitle: first\nbehavior: gave-up\nevents: {a: {on: user}}\nfind: a\n---\n"
          "id: lonely\ntitle: t\nbehavior: gave-up\nscope: task\nfind: {runs: {having: nobody}}\n", f);
    fclose(f);
    f = fopen(path2, "w");
    fputs("id: mine\ntitle: second\nbehavior: gave-up\nevents: {a: {on: user}}\nfind: a\n", f);
    fclose(f);
    struct problems problems = {0};
    struct ruleset *rs, *shipped, *part;
    struct err e = {0};
    const char *paths[] = {folder}, *nowhere[] = {"/nowhere/at/all"};
    assert_true(ruleset_load(paths, 1, false, &arena, &problems, &rs, &e));
    assert_int_equal(ruleset_count(rs), 1);
    struct detector_info info;
    ruleset_info(rs, 0, &info);
    assert_true(slice_is(info.title, "second"));
    assert_int_equal(problems.n, 1);
    assert_non_null(strstr(problems.items[0].message.ptr, "no rule 'nobody'"));
    assert_int_equal(problems.items[0].line, 11);
    assert_false(ruleset_load(nowhere, 1, false, &arena, &problems, &part, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);

    problems.n = 0;
    assert_true(ruleset_load(paths, 1, true, &arena, &problems, &shipped, &e));
    assert_true(ruleset_count(shipped) > 15);
    struct slice ids[] = {slice_str("mine")};
    assert_true(ruleset_only(shipped, ids, 1, &part, &e));
    assert_int_equal(ruleset_count(part), 1);
    unsigned char a[HASH_SIZE], b[HASH_SIZE];
    ruleset_version(rs, a);
    ruleset_version(part, b);
    assert_memory_equal(a, b, HASH_SIZE); /* the same detectors, however they were come by */
    ruleset_version(shipped, b);
    assert_memory_not_equal(a, b, HASH_SIZE);
    ruleset_unref(shipped); /* the part keeps what it needs */
    ruleset_info(part, 0, &info);
    assert_true(slice_is(info.title, "second"));
    ruleset_unref(part);
    ids[0] = slice_str("nobody");
    assert_false(ruleset_only(rs, ids, 1, &part, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    ruleset_unref(ruleset_ref(rs));
    ruleset_unref(rs);
    ruleset_unref(NULL);
    remove(path);
    remove(path2);
    rmdir(folder);
}

static void the_shipped_pack_is_sound(void **state)
{
    (void)state;
    struct problems problems = {0};
    struct ruleset *rs;
    assert_true(ruleset_load(NULL, 0, true, &arena, &problems, &rs, NULL));
    for (size_t i = 0; i < problems.n; i++)
        print_error("%.*s:%d:%d: %.*s\n", SLICE_ARG(problems.items[i].file), problems.items[i].line, problems.items[i].column, SLICE_ARG(problems.items[i].message));
    assert_int_equal(problems.n, 0);
    size_t kinds[KIND_COUNT] = {0};
    for (size_t i = 0; i < ruleset_count(rs); i++) {
        struct detector_info info;
        ruleset_info(rs, i, &info);
        kinds[info.kind]++;
        if (!info.why.len || !info.unsure.len || !info.title.len || !info.source.len || !info.tests_hit || !info.tests_clean)
            fail_msg("%.*s lacks a title, why, unsure, source, or tests that hit and that are clean", SLICE_ARG(info.id));
    }
    for (int k = 0; k < KIND_COUNT; k++)
        assert_true(kinds[k] > 0);
    struct str said = STR_INIT(1 << 20);
    size_t tests, failures;
    ruleset_test(rs, &said, &tests, &failures);
    if (failures)
        fail_msg("%s", said.ptr);
    assert_true(tests > 2 * 15);
    str_free(&said);
    ruleset_unref(rs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_condition),
        cmocka_unit_test(whole_rules),
        cmocka_unit_test(the_documentation_is_true),
        cmocka_unit_test(a_failing_test_is_told),
        cmocka_unit_test(problems_name_their_place),
        cmocka_unit_test(a_bad_rule_stops_no_other),
        cmocka_unit_test(hostile_text_ends_in_problems),
        cmocka_unit_test(json_is_the_same_model),
        cmocka_unit_test(source_is_the_rule_as_it_stands),
        cmocka_unit_test(rules_that_ask_for_nothing_are_told),
        cmocka_unit_test(sets_are_loaded_replaced_and_cut),
        cmocka_unit_test(the_shipped_pack_is_sound),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
