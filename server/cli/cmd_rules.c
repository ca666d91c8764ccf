#include "base/jsonw.h"
#include "cli/cli.h"
#include "cli/rules_write.h"
#include "detect/pack.h"
#include "ingest/ownrules.h"
#include "view/view.h"

#include <stdio.h>
#include <stdlib.h>

enum { RULE_FILE_BYTES = 4 << 20 };

static int list(struct cli *cli, const struct ruleset *rules)
{
    static const struct column columns[] = {
        {"id", "id", 0, false}, {"behavior", "behavior", 0, false}, {"kind", "kind", 0, false}, {"severity", "severity", 0, false},
        {"scope", "scope", 0, false}, {"on", "enabled", 0, false}, {"title", "title", 72, false}, {0},
    };
    struct rows rows = rows_start(cli, columns);
    for (size_t i = 0; i < ruleset_count(rules); i++) {
        struct detector_info info;
        ruleset_info(rules, i, &info);
        view_detector(rows_next(&rows), &info);
        rows_add(&rows);
    }
    rows_end(&rows, SLICE_NONE);
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

/* What lint and test have to say, gathered so that --json is one document. */
struct checked {
    size_t rules, tests, failures;
    struct problems problems;
    struct str failed; /* a line for each test that failed */
};

static void print_checked(const struct checked *c, bool with_tests)
{
    for (size_t i = 0; i < c->problems.n; i++) {
        const struct problem *p = &c->problems.items[i];
        printf("%.*s:%d:%d: %.*s%s%.*s\n", SLICE_ARG(p->file), p->line, p->column, SLICE_ARG(p->rule), p->rule.len ? ": " : "", SLICE_ARG(p->message));
    }
    printf("%.*s", SLICE_ARG(str_slice(&c->failed)));
    if (with_tests) /* the last line of a test run, as the other test programs of the project write it */
        printf("%zu passed, %zu failed (%zu rules)\n", c->tests - c->failures, c->failures, c->rules);
    else
        printf("%zu rules, %zu problems\n", c->rules, c->problems.n);
}

static void print_checked_json(const struct checked *c, bool with_tests)
{
    struct str text = STR_INIT(64 << 20);
    struct jsonw j = jsonw_to(&text);
    jsonw_object(&j);
    jsonw_kint(&j, "rules", (int64_t)c->rules);
    jsonw_key(&j, "problems");
    jsonw_array(&j);
    for (size_t i = 0; i < c->problems.n; i++) {
        const struct problem *p = &c->problems.items[i];
        jsonw_object(&j);
        jsonw_kstr(&j, "file", p->file);
        jsonw_kint(&j, "line", p->line);
        jsonw_kint(&j, "column", p->column);
        jsonw_kstr(&j, "rule", p->rule.len ? p->rule : SLICE_NONE);
        jsonw_kstr(&j, "message", p->message);
        jsonw_end(&j);
    }
    jsonw_end(&j);
    if (with_tests) {
        jsonw_kint(&j, "passed", (int64_t)(c->tests - c->failures));
        jsonw_kint(&j, "failed", (int64_t)c->failures);
        jsonw_key(&j, "failures");
        jsonw_array(&j);
        for (struct slice rest = str_slice(&c->failed); rest.len;)
            jsonw_str(&j, slice_take(&rest, '\n'));
        jsonw_end(&j);
    }
    jsonw_end(&j);
    printf("%.*s\n", SLICE_ARG(str_slice(&text)));
    str_free(&text);
}

static void run_tests(const struct ruleset *rules, struct checked *c)
{
    size_t tests, failures;
    ruleset_test(rules, &c->failed, &tests, &failures);
    c->tests += tests;
    c->failures += failures;
}

static bool check_files(struct cli *cli, bool with_tests, struct checked *c, struct err *e)
{
    for (size_t i = 1; i < cli->nargs; i++) {
        struct slice text;
        struct ruleset *rules = NULL;
        if (!pack_file_read(&cli->arena, cli->args[i], &text, e))
            return false;
        ruleset_parse(text, slice_str(cli->args[i]), &cli->arena, &c->problems, &rules);
        c->rules += ruleset_count(rules);
        if (with_tests)
            run_tests(rules, c);
        ruleset_unref(rules);
    }
    return true;
}

/* Lint: does every rule of the files compile? Test: do the tests inside them (`shipped`: of the program's own) hold? */
static int check(struct cli *cli, const struct ruleset *shipped, bool with_tests)
{
    struct err e = {0};
    struct checked c = {.failed = STR_INIT(16 << 20)};
    bool ok = true;
    if (shipped) {
        c.rules = ruleset_count(shipped);
        run_tests(shipped, &c);
    } else {
        ok = check_files(cli, with_tests, &c, &e);
    }
    if (ok && cli->output == OUTPUT_JSON)
        print_checked_json(&c, with_tests);
    else if (ok)
        print_checked(&c, with_tests);
    str_free(&c.failed);
    return !ok ? cli_fail(&e) : c.problems.n || c.failures ? 1 : 0;
}

static int test_shipped(struct cli *cli, const struct ruleset *rules) { return check(cli, rules, true); }

static int print_schema(void)
{
    struct slice text = rule_schema();
    return fwrite(text.ptr, 1, text.len, stdout) == text.len ? 0 : 3;
}

/* ---- rules of one's own ------------------------------------------------------------------------------------------------ */

static bool save_file(struct cli *cli, struct store *store, const char *path, struct err *e)
{
    const char *author = cli_option(cli, "author"), *user = getenv("USER");
    struct own_rule_row row = {.author = slice_str(author ? author : user && *user ? user : NULL), .note = slice_str(cli_option(cli, "note"))}, out;
    if (!pack_file_read(&cli->arena, path, &row.text, e))
        return false;
    if (!own_rule_check(row.text, SLICE_NONE, &cli->arena, &row.id, e))
        return err_prefix(e, "%s", path);
    if (!store_own_rule_put(store, &row, &cli->arena, &out, e))
        return false;
    printf("%.*s: version %lld\n", SLICE_ARG(out.id), (long long)out.version);
    return true;
}

static bool save(struct cli *cli, struct store *store, struct err *e)
{
    for (size_t i = 1; i < cli->nargs; i++)
        if (!save_file(cli, store, cli->args[i], e))
            return false;
    return cli->nargs > 1 || err_set(e, ERR_USAGE, "rules save takes a file or more, each with one rule");
}

static bool remove_rules(struct cli *cli, struct store *store, struct err *e)
{
    for (size_t i = 1; i < cli->nargs; i++)
        if (!store_own_rule_remove(store, slice_str(cli->args[i]), SLICE_NONE, e))
            return false;
    return cli->nargs > 1 || err_set(e, ERR_USAGE, "rules remove takes the ids of rules of one's own");
}

/* As one pack, which --rules reads. */
static bool print_own(struct cli *cli, struct store *store, struct err *e)
{
    struct own_rule_rows rows;
    struct str text = STR_INIT((size_t)OWN_RULES_MAX * (OWN_RULE_BYTES + 8));
    bool ok = store_own_rules(store, &cli->arena, &rows, NULL, e);
    for (size_t i = 0; ok && i < rows.n; i++) {
        str_addz(&text, "---\n");
        str_add_slice(&text, slice_trim(rows.items[i].text));
        str_addc(&text, '\n');
    }
    if (ok && rules_write_out(cli, str_slice(&text), "w") != 0)
        ok = err_set(e, ERR_IO, "the rules were not written");
    str_free(&text);
    return ok;
}

static int with_store(struct cli *cli, bool (*run)(struct cli *, struct store *, struct err *), enum store_mode mode)
{
    struct err e = {0};
    struct store *store = NULL;
    bool ok = cli_open(cli, mode, &store, &e) && run(cli, store, &e);
    store_close(store);
    return ok ? 0 : cli_fail(&e);
}

int cmd_rules(struct cli *cli)
{
    static const struct {
        const char *word;
        int (*run)(struct cli *cli, const struct ruleset *rules);
    } words[] = {{"list", list}, {"show", show}, {"test", test_shipped}, {"new", rules_new}, {"docs", rules_docs}};
    struct err e = {0};
    const char *what = cli->args[0];
    bool lint = strcmp(what, "lint") == 0, test = strcmp(what, "test") == 0;
    if (strcmp(what, "schema") == 0)
        return print_schema();
    if (strcmp(what, "save") == 0)
        return with_store(cli, save, STORE_WRITE);
    if (strcmp(what, "remove") == 0)
        return with_store(cli, remove_rules, STORE_WRITE);
    if (strcmp(what, "own") == 0)
        return with_store(cli, print_own, STORE_READ);
    if (lint && cli->nargs < 2) {
        err_set(&e, ERR_USAGE, "rules lint takes one file or more");
        return cli_fail(&e);
    }
    if (lint || (test && cli->nargs > 1))
        return check(cli, NULL, test);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        struct ruleset *rules = NULL;
        if (strcmp(what, words[i].word) != 0)
            continue;
        struct store *store = NULL; /* without a database there are no rules of one's own */
        struct err none = {0};
        bool ok = cli_rules(cli, cli_open(cli, STORE_READ, &store, &none) ? store : NULL, SLICE_NONE, &rules, &e);
        store_close(store);
        if (!ok)
            return cli_fail(&e);
        int status = words[i].run(cli, rules);
        ruleset_unref(rules);
        return status;
    }
    err_set(&e, ERR_USAGE, "rules list, show, lint, test, new, save, remove, own, docs or schema, not '%s'", what);
    return cli_fail(&e);
}
