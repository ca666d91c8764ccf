#include "cli/rules_write.h"

#include "base/str.h"
#include "docs/docs.h"

#include <jansson.h>
#include <stdio.h>

enum { CATALOGUE_BYTES = 16 << 20, REAL_DIGITS = 15 }; /* so many a double keeps: 0.05 is written as it was read */

int rules_write_out(struct cli *cli, struct slice text, const char *mode)
{
    const char *path = cli_option(cli, "to");
    struct err e = {0};
    FILE *f = path ? fopen(path, mode) : stdout;
    bool good = f && fwrite(text.ptr, 1, text.len, f) == text.len;
    if (!good)
        err_errno(&e, "cannot write %s", path ? path : "stdout");
    if (path && f && fclose(f) != 0 && good)
        good = err_errno(&e, "cannot write %s", path);
    return good ? 0 : cli_fail(&e);
}

/* ---- new --------------------------------------------------------------------------------------------------------- */

static bool find_rule(const struct ruleset *rules, const char *id, struct detector_info *out, struct err *e)
{
    for (size_t i = 0; i < ruleset_count(rules); i++) {
        ruleset_info(rules, i, out);
        if (slice_is(out->id, id))
            return true;
    }
    return err_set(e, ERR_NOT_FOUND, "there is no rule '%s'; `telltale rules list` names them", id);
}

static bool make_rule(struct cli *cli, const struct ruleset *rules, struct slice *out, struct err *e)
{
    const char *like = cli_option(cli, "like"), *behavior = cli_option(cli, "behavior");
    struct detector_info info;
    if (cli->nargs != 2)
        return err_set(e, ERR_USAGE, "rules new takes the id of the new rule");
    if (like && !find_rule(rules, like, &info, e))
        return false;
    if (!rule_rename(&cli->arena, like ? info.text : rule_template(), slice_str(cli->args[1]), slice_str(behavior), out))
        return err_set(e, ERR_USAGE, "'%s' is written in a way that cannot be copied", like);
    struct problems problems = {0};
    struct ruleset *made;
    ruleset_parse(*out, slice_str("the new rule"), &cli->arena, &problems, &made);
    ruleset_unref(made);
    if (problems.n)
        return err_set(e, ERR_USAGE, "%.*s", SLICE_ARG(problems.items[0].message));
    if (out->len && out->ptr[out->len - 1] != '\n')
        *out = arena_printf(&cli->arena, "%.*s\n", SLICE_ARG(*out));
    return true;
}

int rules_new(struct cli *cli, const struct ruleset *rules)
{
    struct err e = {0};
    struct slice text;
    return make_rule(cli, rules, &text, &e) ? rules_write_out(cli, text, "wx") : cli_fail(&e);
}

/* ---- docs -------------------------------------------------------------------------------------------------------- */

static void add_line(struct str *out, const char *what, struct slice text)
{
    if (!text.len)
        return;
    str_printf(out, "- %s: ", what);
    docs_plain(out, text);
    str_addc(out, '\n');
}

static void add_parameters(struct str *out, struct slice json)
{
    json_t *object = json.len ? json_loadb(json.ptr, json.len, 0, NULL) : NULL;
    const char *key, *separator = "- parameters: ";
    json_t *value;
    json_object_foreach(object, key, value) {
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(REAL_DIGITS));
        str_addz(out, separator);
        docs_plain(out, slice_str(key));
        str_addc(out, ' ');
        docs_plain(out, slice_str(text));
        free(text);
        separator = ", ";
    }
    if (json_object_size(object))
        str_addc(out, '\n');
    json_decref(object);
}

static void add_rule(struct str *out, const struct detector_info *r)
{
    str_printf(out, "\n#### %.*s\n\n", SLICE_ARG(r->id));
    docs_plain(out, r->title);
    str_printf(out, "\n\n- %s, scope %s, %s, %zu tests%s\n", severity_name(r->severity), scope_name(r->scope),
               r->code ? "found by C" : "found by events", r->tests_hit + r->tests_clean,
               r->enabled ? "" : "; off until `telltale.yaml` enables it");
    add_line(out, "why", r->why);
    add_line(out, "unsure", r->unsure);
    add_line(out, "source", r->source);
    add_parameters(out, r->parameters);
}

/* Writes the rules that see a behaviour, or nothing with `out` NULL; says whether there are any. */
static bool add_behavior(struct str *out, const struct ruleset *rules, const struct behavior *b)
{
    bool any = false;
    for (size_t i = 0; i < ruleset_count(rules); i++) {
        struct detector_info info;
        ruleset_info(rules, i, &info);
        if (!slice_is(info.behavior, b->name))
            continue;
        if (out && !any)
            str_printf(out, "\n### %s\n\nSeen when: %s.\n", b->name, b->seen_when);
        if (out)
            add_rule(out, &info);
        any = true;
    }
    return any;
}

static void add_kind(struct str *out, const struct ruleset *rules, enum kind kind, size_t *seen)
{
    const char *head = "\n### Seen by no rule\n\nLeft to judges and people:\n\n";
    str_printf(out, "\n## %s\n", kind_name(kind));
    for (size_t i = 0; i < behavior_count; i++)
        if (behaviors[i].kind == kind)
            *seen += add_behavior(out, rules, &behaviors[i]);
    for (size_t i = 0; i < behavior_count; i++)
        if (behaviors[i].kind == kind && !add_behavior(NULL, rules, &behaviors[i])) {
            str_printf(out, "%s- %s: %s\n", head, behaviors[i].name, behaviors[i].seen_when);
            head = "";
        }
}

void rules_catalogue(struct str *out, const struct ruleset *rules)
{
    struct str body = STR_INIT(CATALOGUE_BYTES);
    size_t seen = 0;
    for (int kind = 0; kind < KIND_COUNT; kind++)
        add_kind(&body, rules, (enum kind)kind, &seen);
    str_printf(out, "%zu rules see %zu of the %zu behaviours of the vocabulary.\n", ruleset_count(rules), seen, behavior_count);
    str_add_slice(out, str_slice(&body));
    str_free(&body);
}

int rules_docs(struct cli *cli, const struct ruleset *rules)
{
    struct str out = STR_INIT(CATALOGUE_BYTES + 1000);
    str_addz(&out, "# The catalogue of detectors\n\nMade from the rules by `telltale rules docs`. ");
    rules_catalogue(&out, rules);
    int status = rules_write_out(cli, str_slice(&out), "w");
    str_free(&out);
    return status;
}
