#include "base/jsonw.h"
#include "cli/cli.h"
#include "detect/pack.h"
#include "view/view.h"

#include <stdio.h>

enum { RULE_FILE_BYTES = 4 << 20 };

static int list(struct cli *cli, const struct ruleset *rules)
{
    static const struct column columns[] = {
        {"id", "id", 0, false}, {"behavior", "behavior", 0, false}, {"kind", "kind", 0, false}, {"severity", "severity", 0, false},
        {"scope", "scope", 0, false}, {"enabled", "on", 0, false}, {"title", "title", 72, false}, {0},
    };
    struct rows rows = rows_start(cli, columns);
    struct str text = STR_INIT(RULE_FILE_BYTES);
    for (size_t i = 0; i < ruleset_count(rules); i++) {
        struct detector_info info;
        ruleset_info(rules, i, &info);
        str_reset(&text);
        struct jsonw j = jsonw_to(&text);
        view_detector(&j, &info);
        rows_add(&rows, str_slice(&text));
    }
    rows_end(&rows);
    str_free(&text);
    return 0;
}

static int show(struct cli *cli, const struct ruleset *rules)
{
    struct err e;
    if (cli->nargs != 2) {
        err_set(&e, ERR_USAGE, "rules show takes one detector's id");
        return cli_fail(&e);
    }
    for (size_t i = 0; i < ruleset_count(rules); i++) {
        struct detector_info info;
        ruleset_info(rules, i, &info);
        if (!slice_is(info.id, cli->args[1]))
            continue;
        if (cli->output == OUTPUT_JSON) {
            struct str text = STR_INIT(RULE_FILE_BYTES);
            struct jsonw j = jsonw_to(&text);
            view_detector(&j, &info);
            printf("%.*s\n", SLICE_ARG(str_slice(&text)));
            str_free(&text);
            return 0;
        }
        printf("%.*s  (%.*s: %s, %s, scope %s, version %.*s)\n%.*s\n\nwhy:    %.*s\nunsure: %.*s\n\n%.*s\n", SLICE_ARG(info.id), SLICE_ARG(info.behavior),
               kind_name(info.kind), severity_name(info.severity), scope_name(info.scope), SLICE_ARG(info.version), SLICE_ARG(info.title),
               SLICE_ARG(info.why), SLICE_ARG(info.unsure), SLICE_ARG(info.text));
        return 0;
    }
    err_set(&e, ERR_NOT_FOUND, "there is no detector '%s'; telltale rules list names them", cli->args[1]);
    return cli_fail(&e);
}

static void print_problems(const struct rule_problems *problems)
{
    for (size_t i = 0; i < problems->n; i++) {
        const struct rule_problem *p = &problems->items[i];
        printf("%.*s:%d:%d: %.*s%s%.*s\n", SLICE_ARG(p->file), p->line, p->column, SLICE_ARG(p->rule), p->rule.len ? ": " : "", SLICE_ARG(p->message));
    }
}

/* The last line of a test run, as the other test programs of the project write it. */
static void print_tests(size_t rules, size_t tests, size_t failures)
{
    printf("%zu passed, %zu failed (%zu rules)\n", tests - failures, failures, rules);
}

/* Lint: does every rule of the files compile? Test: do the tests inside them hold? */
static int check_files(struct cli *cli, bool with_tests)
{
    size_t problems_n = 0, tests = 0, failures = 0, rules_n = 0;
    for (size_t i = 1; i < cli->nargs; i++) {
        struct err e = {0};
        struct slice text;
        struct ruleset *rules = NULL;
        struct rule_problems problems = {0};
        if (!pack_file_read(&cli->arena, cli->args[i], &text, &e))
            return cli_fail(&e);
        ruleset_parse(text, slice_str(cli->args[i]), &cli->arena, &problems, &rules);
        print_problems(&problems);
        problems_n += problems.n;
        rules_n += ruleset_count(rules);
        if (with_tests) {
            struct str out = STR_INIT(16 << 20);
            size_t some, failed;
            ruleset_test(rules, &out, &some, &failed);
            tests += some;
            failures += failed;
            printf("%.*s", SLICE_ARG(str_slice(&out)));
            str_free(&out);
        }
        ruleset_unref(rules);
    }
    if (with_tests)
        print_tests(rules_n, tests, failures);
    else
        printf("%zu rules, %zu problems\n", rules_n, problems_n);
    return problems_n || failures ? 1 : 0;
}

static int test_shipped(const struct ruleset *rules)
{
    struct str out = STR_INIT(16 << 20);
    size_t tests, failures;
    ruleset_test(rules, &out, &tests, &failures);
    printf("%.*s", SLICE_ARG(str_slice(&out)));
    print_tests(ruleset_count(rules), tests, failures);
    str_free(&out);
    return failures ? 1 : 0;
}

int cmd_rules(struct cli *cli)
{
    struct err e = {0};
    const char *what = cli->args[0];
    bool lint = strcmp(what, "lint") == 0, test = strcmp(what, "test") == 0;
    if (lint && cli->nargs < 2) {
        err_set(&e, ERR_USAGE, "rules lint takes one file or more");
        return cli_fail(&e);
    }
    if (lint || (test && cli->nargs > 1))
        return check_files(cli, test);
    if (!test && strcmp(what, "list") != 0 && strcmp(what, "show") != 0) {
        err_set(&e, ERR_USAGE, "rules list, show, lint or test, not '%s'", what);
        return cli_fail(&e);
    }
    struct ruleset *rules = NULL;
    if (!cli_rules(cli, SLICE_NONE, &rules, &e))
        return cli_fail(&e);
    int status = test ? test_shipped(rules) : strcmp(what, "list") == 0 ? list(cli, rules) : show(cli, rules);
    ruleset_unref(rules);
    return status;
}
