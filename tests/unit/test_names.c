/* Names in rules: parameters, lists and macros, and what telltale.yaml makes of them. */
#include "detect/rulebook.h"

#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
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

#define HEAD "id: x\ntitle: t\nbehavior: repeated-action\n"

/* `rule` with its inner tests; problems must be none, or the one that is named. */
static void check(const char *rule, const char *problem)
{
    struct problems problems = {0};
    struct ruleset *rs;
    size_t tests, failures;
    struct str said = STR_INIT(1 << 16);
    ruleset_parse(slice_str(rule), slice_str("r"), &arena, &problems, &rs);
    const char *first = problems.n ? arena_printf(&arena, "%d:%d %.*s", problems.items[0].line, problems.items[0].column,
                                                  SLICE_ARG(problems.items[0].message)).ptr : "";
    if (problem ? strncmp(first, problem, strlen(problem)) != 0 : problems.n > 0)
        fail_msg("%s\nsays: %s\nnot: %s", rule, first, problem ? problem : "nothing");
    ruleset_test(rs, &said, &tests, &failures);
    if (failures || (!problem && !tests))
        fail_msg("%s\n%zu tests: %.*s", rule, tests, SLICE_ARG(str_slice(&said)));
    str_free(&said);
    ruleset_unref(rs);
}

#define TESTS(hit, clean) "tests: {hit: [[{user: '" hit "'}]], clean: [[{user: '" clean "'}]]}\n"

static void names_stand_for_values(void **state)
{
    (void)state;
    /* A list in a text is an alternation with its items escaped; as a value it is the list; in a list it is spliced. */
    check("lists: {l: [a.b, c]}\n---\n" HEAD "events: {e: {on: user, text: '^${l}$'}}\nfind: e\n" TESTS("a.b", "axb"), NULL);
    check("lists: {l: [a.b, c]}\n---\n" HEAD "events: {e: {on: user, text: {is: $l}}}\nfind: e\n" TESTS("c", "axb"), NULL);
    check("lists: {l: [a.b, c]}\n---\n" HEAD "events: {e: {on: user, text: {is: [d, $l]}}}\nfind: e\n" TESTS("d", "axb"), NULL);
    check("lists: {l: [a.b, c]}\n---\n" HEAD "events: {e: {on: user, text: {is: [d, $l]}}}\nfind: e\n" TESTS("a.b", "l"), NULL);
    /* Macros are texts, or the keys of maps; a map's own keys come first, definitions may stand behind their use, and speak of others. */
    check(HEAD "events: {e: {use: said, text: '^${w}$'}}\nfind: e\n" TESTS("bb", "b") "---\nmacros: {said: {on: user, text: no}, w: '${b}${b}', b: b}\n", NULL);
    check("macros: {a: {on: user}, b: {text: '^b', index: 0}}\n---\n" HEAD "events: {e: {use: [a, b]}}\nfind: e\n" TESTS("b", "c"), NULL);
    /* Parameters come before macros of the same name, and fill titles. */
    check("macros: {w: no}\n---\n" HEAD "parameters: {w: yes, n: 1}\nevents: {e: {on: user, text: '${w}'}}\nfind: {count: {of: e, at_least: $n}}\n" TESTS("yes", "no"), NULL);
    /* Two dollar signs are one; others are themselves. */
    check(HEAD "events: {e: {on: user, text: {literal: $$n}}}\nfind: e\n" TESTS("$n", "n"), NULL);
    check(HEAD "events: {e: {on: user, text: {literal: 'a$${n}'}}}\nfind: e\n" TESTS("a${n}", "an"), NULL);
    check(HEAD "events: {e: {on: user, text: 'a$|^b'}}\nfind: e\n" TESTS("xa", "xb"), NULL);
    /* Tests are what happens in a run: nothing is filled in there. */
    check(HEAD "events: {e: {on: user, text: {literal: $$HOME}}}\nfind: e\n" TESTS("$HOME", "HOME"), NULL);
}

static void wrong_names_are_told(void **state)
{
    (void)state;
    check(HEAD "events: {e: {on: user, text: '${nope}'}}\nfind: e\n", "4:30 there is no parameter, list or macro 'nope'");
    check(HEAD "events: {e: {on: user, text: x}}\nfind: {count: {of: e, at_least: $n}}\n", "5:33 there is no parameter, list or macro 'n'");
    check("macros: {a: '${b}', b: '${a}'}\n---\n" HEAD "events: {e: {on: user, text: '${a}'}}\nfind: e\n", "6:30 'a' speaks of itself");
    check("macros: {a: text}\n---\n" HEAD "events: {e: {use: a, on: user}}\nfind: e\n", "6:19 use: 'a' is no macro with keys");
    check("macros: {a: {on: user}}\n---\n" HEAD "events: {e: {on: user, text: '${a}'}}\nfind: e\n", "6:30 the macro 'a' has no text");
    check("lists: {a: b}\n", "1:12 lists.a: a list of texts or numbers was expected, but t");
    check("lists: {a: [b], a b: [c]}\n", "1:17 lists: 'a b' is no name that can stand here; names matc");
    check("lists: {a: [b]}\n---\nmacros: {a: b}\n", "3:10 there is a list 'a' already");
    check(HEAD "parameters: {n: {x: 1}}\nevents: {e: {on: user}}\nfind: e\n", "4:17 parameters.n: a number, a text, true or false, or a lis");
    check(HEAD "code: nothing-such\n", "4:7 there is no code 'nothing-such'");
    check(HEAD "code: word-salad\nfind: e\n", "4:1 a rule with find has no key 'code'");
    /* Eight names deep, each ten times the one below: refused, and at once. */
    struct str bomb = STR_INIT(1 << 16);
    str_addz(&bomb, "macros:\n  m0: aaaaaaaaaa\n");
    for (int i = 1; i < 8; i++) {
        str_printf(&bomb, "  m%d: '", i);
        for (int k = 0; k < 10; k++)
            str_printf(&bomb, "${m%d}", i - 1);
        str_addz(&bomb, "'\n");
    }
    str_addz(&bomb, "---\n" HEAD "events: {e: {on: user, text: '${m7}'}}\nfind: e\n");
    check(arena_strdup(&arena, str_slice(&bomb)), "14:30 with all its names filled in, the rule is larger than 1024 KB");
    str_free(&bomb);
}

static void findings_are_events(void **state)
{
    (void)state;
    /* A pack's rules may speak of what the shipped ones find. */
    check(HEAD "events: {f: {on: finding, detector: {is: refused}}}\nfind: f\n"
          "tests: {hit: [[{user: do it}, {assistant: \"I'm sorry, but I can't assist with that.\"}]], clean: [[{user: do it}, {assistant: Done.}]]}\n", NULL);
    static const char first[] = "- {id: a, title: 'about {w}', behavior: gave-up, events: {e: {on: user, text: 'w(?P<w>\\w)'}}, find: e}\n";
    const char *rules = arena_printf(&arena, "%s- id: b\n  title: t\n  behavior: gave-up\n"
        "  events: {f: {on: finding, detector: {is: a}, behavior: gave-up, severity: medium, kind: odd_behavior, title: about, capture.w: '(?P<w>.)'}, u: {on: user, text: 'x(?P<w>\\w)'}}\n"
        "  find: {all: [f, u]}\n  tests: {hit: [[{user: wq xq}]], clean: [[{user: wq xp}], [{user: xq}]]}\n", first).ptr;
    check(rules, NULL);
    /* Alone, it still has what it asks for; its evidence is that of what it speaks of. */
    struct problems problems = {0};
    struct ruleset *rs, *part;
    ruleset_parse(slice_str(rules), slice_str("r"), &arena, &problems, &rs);
    const struct slice id = slice_str("b");
    assert_true(ruleset_only(rs, &id, 1, &part, NULL));
    struct message m = {.role = ROLE_USER, .text = slice_str("wq xq")};
    struct transcript t = {.messages = &m, .nmessages = 1};
    struct run run;
    run_init(&run);
    run.transcripts = &t, run.ntranscripts = 1;
    struct detect_scratch *s = detect_scratch_new();
    struct detect_result found;
    detect_run(part, s, &run, &arena, &found);
    assert_int_equal(found.findings.n, 1);
    assert_true(slice_is(found.findings.items[0].detector, "b"));
    assert_int_equal(found.findings.items[0].nevidence, 2);
    assert_true(slice_is(found.findings.items[0].evidence[0].quote, "wq"));
    detect_scratch_free(s);
    ruleset_unref(part);
    ruleset_unref(rs);
}

/* ---- telltale.yaml ------------------------------------------------------------------------------------------------ */

static char folder[] = "/tmp/telltale-names-XXXXXX";

static const char *write_file(const char *name, const char *text)
{
    const char *path = arena_printf(&arena, "%s/%s", folder, name).ptr;
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    return path;
}

static struct detector_info info_of(struct rulebook *b, const char *collection, const char *id)
{
    struct ruleset *rs = rulebook_for(b, slice_str(collection));
    struct detector_info info = {0};
    for (size_t i = 0; i < ruleset_count(rs) && !slice_is(info.id, id); i++)
        ruleset_info(rs, i, &info);
    assert_true(slice_is(info.id, id));
    ruleset_unref(rs); /* the book keeps it */
    return info;
}

static struct rulebook *load(const char *settings, const char *problem)
{
    struct problems problems = {0};
    struct rulebook *b;
    struct err e;
    const struct rulebook_options o = {.config = write_file("telltale.yaml", settings)};
    assert_true(rulebook_load(&o, &arena, &problems, &b, &e));
    const char *first = problems.n ? arena_printf(&arena, "%d:%d %.*s", problems.items[0].line, problems.items[0].column,
                                                  SLICE_ARG(problems.items[0].message)).ptr : "";
    if (problem ? strncmp(first, problem, strlen(problem)) != 0 : problems.n > 0)
        fail_msg("%s\nsays: %s\nnot: %s", settings, first, problem ? problem : "nothing");
    return b;
}

static void settings_hold_for_their_collections(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    write_file("mine.yaml", "id: mine\ntitle: '${n} times'\nbehavior: gave-up\nseverity: low\nenabled: false\nparameters: {n: 2}\n"
                            "events: {e: {on: user}}\nfind: {count: {of: e, at_least: $n}}\n");
    struct rulebook *b = load("rules: mine.yaml\ndisable: [prompt-leak, 'task-*']\n"
                              "collections:\n  ctf*: {enable: mine, detectors: {mine: {severity: high, parameters: {n: 5}}}}\n  ctf-2: {disable: mine}\n", NULL);
    assert_false(info_of(b, "other", "prompt-leak").enabled);
    assert_false(info_of(b, "other", "task-lacks-program").enabled);
    assert_true(info_of(b, "other", "refused").enabled);
    struct detector_info off = info_of(b, "other", "mine"), on = info_of(b, "ctf-1", "mine");
    assert_false(off.enabled);
    assert_int_equal(off.severity, SEVERITY_LOW);
    assert_true(slice_is(off.title, "2 times"));
    assert_true(on.enabled);
    assert_int_equal(on.severity, SEVERITY_HIGH);
    assert_true(slice_is(on.title, "5 times"));
    assert_true(slice_is(on.parameters, "{\"n\":5}"));
    assert_false(slice_eq(off.version, on.version)); /* what it finds is another matter */
    assert_true(slice_eq(on.version, info_of(b, "ctf-9", "mine").version));
    assert_false(info_of(b, "ctf-2", "mine").enabled);
    rulebook_free(b);
}

static void wrong_settings_are_told(void **state)
{
    (void)state;
    static const struct { const char *settings, *problem; } rows[] = {
        {"disable: [nobody]\n", "1:11 disable: there is no detector 'nobody'"},
        {"detectors: {nobody: {severity: low}}\n", "1:13 there is no detector 'nobody'"},
        {"detectors: {refused: {severity: grave}}\n", "1:33 refused: severity is low, medium or high, but this is 'grave'"},
        {"detectors: {refused: {enabled: 3}}\n", "1:32 refused: enabled is true or false, but this is a number"},
        {"detectors: {similar-action: {parameters: {times: 1e30}}}\n", "1:50 times is a number from 0 to 1000000000, but this is 1e30"},
        {"detectors: {similar-action: {parameters: {times: -5}}}\n", "1:50 times is a number from 0 to"},
        {"detectors: {similar-action: {parameters: {likeness: 1.5}}}\n", "1:53 likeness is a share from 0 to 1, but this is 1.5"},
        {"detectors: [refused]\n", "1:12 detectors: a map of ids was expected"},
        {"disable: [[a]]\n", "1:11 disable must be a text"},
        {"disable: [\n  a\xff]\n", "2:4 this is no UTF-8 text"},
        {"disable: [\n  a\x01]\n", "2:4 a control character cannot stand in YAML"},
        {"detectors: {similar-action: {parameters: {often: 3}}}\n", "1:43 the detector 'similar-action' has no parameter 'often'"},
        {"detectors: {similar-action: {parameters: {times: x}}}\n", "1:50 a number was expected"},
        {"collections: {a: {rules: x}}\n", "1:19 a collection has no key 'rules'"},
        {"collections: {a: {disable: nobody}}\n", "1:28 disable: there is no detector 'nobody'"},
        {"- a\n", "1:1 telltale.yaml is a map of keys (rules, disable, enable, detectors, collections, redact, models, keys, serve), but this is a list"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        rulebook_free(load(rows[i].settings, rows[i].problem));
    /* One that cannot be read hides no other, and the rest holds. */
    struct problems told = {0};
    struct rulebook *rest;
    struct err e;
    const struct rulebook_options grave = {.config = write_file("telltale.yaml", "disable: nobody\ndetectors: {refused: {severity: grave, enabled: false}}\n")};
    assert_true(rulebook_load(&grave, &arena, &told, &rest, &e));
    assert_int_equal(told.n, 2);
    assert_false(info_of(rest, "any", "refused").enabled);
    rulebook_free(rest);
    struct str many = STR_INIT(1 << 20);
    str_printf(&many, "disable: [");
    for (int i = 0; i < 3000; i++)
        str_printf(&many, "nobody-%d, ", i);
    str_printf(&many, "nobody]\n%c", 0);
    told = (struct problems){0};
    const struct rulebook_options flood = {.config = write_file("telltale.yaml", str_slice(&many).ptr)};
    assert_true(rulebook_load(&flood, &arena, &told, &rest, &e));
    assert_int_equal(told.n, 21);
    assert_non_null(strstr(told.items[20].message.ptr, "and 2981 more"));
    rulebook_free(rest);
    str_free(&many);
    const struct rulebook_options mistyped = {.config = write_file("telltale.yaml", "disable: refused\nredcat: true\n")};
    assert_false(rulebook_load(&mistyped, &arena, &told, &rest, &e));
    assert_non_null(strstr(e.text, ":2:1: telltale.yaml has no key 'redcat'; did you mean 'redact'?"));
    const struct rulebook_options missing = {.config = write_file("telltale.yaml", "disable: refused\nrules: [nowhere/]\n")};
    assert_false(rulebook_load(&missing, &arena, &told, &rest, &e));
    assert_non_null(strstr(e.text, "telltale.yaml:2:9: rules: "));
    assert_int_equal(e.code, ERR_USAGE);
    /* Of two problems neither hides the other, whichever block of settings it stands in. */
    write_file("mine.yaml", "id: mine\ntitle: t\nbehavior: gave-up\nparameters: {w: x}\nevents: {e: {on: user, text: '${w}'}}\nfind: e\n");
    struct problems problems = {0};
    struct rulebook *b;
    const struct rulebook_options both = {.config = write_file("telltale.yaml", "rules: mine.yaml\ndisable: nobody\ncollections: {a: {detectors: {mine: {parameters: {w: '('}}}}}\n")};
    assert_true(rulebook_load(&both, &arena, &problems, &b, &e));
    assert_int_equal(problems.n, 2);
    assert_non_null(strstr(problems.items[0].message.ptr, "nobody"));
    assert_non_null(strstr(problems.items[1].message.ptr, "parenthesis"));
    rulebook_free(b);
    problems = (struct problems){0};
    const struct rulebook_options o = {.config = "/nonexistent/telltale.yaml"};
    assert_false(rulebook_load(&o, &arena, &problems, &b, &e));
    unlink(arena_printf(&arena, "%s/mine.yaml", folder).ptr);
    unlink(arena_printf(&arena, "%s/telltale.yaml", folder).ptr);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_stand_for_values),
        cmocka_unit_test(wrong_names_are_told),
        cmocka_unit_test(findings_are_events),
        cmocka_unit_test(settings_hold_for_their_collections),
        cmocka_unit_test(wrong_settings_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
