#include "ingest/ownrules.h"

bool rules_for(struct store *s, struct rulebook *b, struct slice collection, struct ruleset **out, struct err *e)
{
    int64_t stamp;
    if (!store_own_rules_stamp(s, &stamp, e))
        return false;
    if (stamp != rulebook_own_stamp(b)) {
        struct arena a = {0};
        struct own_rule_rows rows;
        bool ok = store_own_rules(s, &a, &rows, &stamp, e);
        struct slice *texts = arena_array(&a, struct slice, ok ? rows.n : 0);
        for (size_t i = 0; ok && i < rows.n; i++)
            texts[i] = rows.items[i].text;
        if (ok)
            rulebook_own(b, stamp, texts, rows.n);
        arena_free(&a);
        if (!ok)
            return false;
    }
    *out = rulebook_for(b, collection);
    return true;
}

static bool check_tests(const struct ruleset *rules, struct err *e)
{
    struct str said = STR_INIT(1 << 16);
    size_t tests = 0, failures = 0;
    ruleset_test(rules, &said, &tests, &failures);
    struct slice first = slice_cut(slice_trim(str_slice(&said)), 300);
    bool ok = !failures || err_set(e, ERR_USAGE, "%zu of its %zu tests do not hold: %.*s", failures, tests, SLICE_ARG(first));
    str_free(&said);
    return ok;
}

bool own_rule_check(struct slice text, struct slice id, struct arena *a, struct slice *id_out, struct err *e)
{
    struct problems problems = {0};
    struct ruleset *rules;
    struct detector_info info = {0};
    ruleset_parse(text, slice_str("rule"), a, &problems, &rules);
    bool ok = true;
    if (problems.n)
        ok = err_set(e, ERR_USAGE, "line %d, column %d: %.*s", problems.items[0].line, problems.items[0].column,
                     SLICE_ARG(slice_cut(problems.items[0].message, 400)));
    else if (ruleset_count(rules) != 1)
        ok = err_set(e, ERR_USAGE, "there are %zu rules in it; one is saved at a time", ruleset_count(rules));
    if (ok) {
        ruleset_info(rules, 0, &info);
        *id_out = arena_dup(a, info.id);
        ok = (!id.ptr || slice_eq(id, info.id)) ||
             err_set(e, ERR_USAGE, "its id is %.*s, not %.*s", SLICE_ARG(slice_cut(info.id, 100)), SLICE_ARG(slice_cut(id, 100)));
    }
    ok = ok && check_tests(rules, e);
    ruleset_unref(rules);
    return ok;
}
