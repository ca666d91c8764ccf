#include "detect/settings.h"

#include "detect/ruleset.h"

#include <fnmatch.h>

static bool is_name_of(struct slice glob, struct slice name)
{
    char pattern[256], text[256];
    if (glob.len >= sizeof pattern || name.len >= sizeof text)
        return false;
    memcpy(pattern, glob.ptr, glob.len), pattern[glob.len] = 0;
    memcpy(text, name.ptr, name.len), text[name.len] = 0;
    return fnmatch(pattern, text, 0) == 0;
}

/* ---- reading --------------------------------------------------------------------------------------------------------- */

static bool read_ids(struct reader *r, const struct node *block, const char *key)
{
    const struct node *each, *node = node_get(block, key);
    size_t n = node_each(node, &each);
    struct slice unused;
    for (size_t i = 0; i < n; i++)
        if (!node_string(r, &each[i], key, &unused))
            return false;
    return true;
}

static bool read_detectors(struct reader *r, const struct node *block)
{
    static const char *const known[] = {"severity", "parameters", NULL};
    const struct node *map = node_get(block, "detectors");
    if (map && map->type != NODE_MAP)
        return node_problem(r, map, "detectors: a map of ids was expected, but this is %s", node_what(map));
    for (size_t i = 0; map && i < map->n; i++) {
        const struct node *one = &map->items[i], *severity = node_get(one, "severity"), *parameters = node_get(one, "parameters");
        enum severity unused;
        if (one->type != NODE_MAP)
            return node_problem(r, one, "a map with severity or parameters was expected, but this is %s", node_what(one));
        if (!node_known_keys(r, one, "a detector", known))
            return false;
        if (severity && !severity_parse(severity->text, &unused))
            return node_problem(r, severity, "severity is low, medium or high");
        if (parameters && parameters->type != NODE_MAP)
            return node_problem(r, parameters, "parameters: a map of names was expected, but this is %s", node_what(parameters));
    }
    return true;
}

static void read_block(struct reader *r, const struct node *node, struct slice collections, struct settings *out)
{
    if (!read_ids(r, node, "disable") || !read_ids(r, node, "enable") || !read_detectors(r, node))
        return;
    if (out->n == SETTINGS_BLOCKS) {
        node_problem(r, node, "more than %d blocks of settings", SETTINGS_BLOCKS - 1);
        return;
    }
    out->blocks[out->n++] = (struct settings_block){collections, node};
}

/* Paths stand in the file as seen from its folder. */
static void read_paths(struct reader *r, const char *path, const struct node *node, struct settings *out)
{
    const struct node *each;
    size_t n = node_each(node, &each);
    const char *slash = strrchr(path, '/');
    for (size_t i = 0; i < n; i++) {
        struct slice rules;
        if (!node_string(r, &each[i], "rules", &rules))
            continue;
        bool beside = slash && rules.len && rules.ptr[0] != '/';
        out->rules.items = arena_grow(r->a, out->rules.items, out->rules.n, &out->rules.cap, sizeof *out->rules.items);
        out->rules.items[out->rules.n++] = beside ? arena_printf(r->a, "%.*s/%.*s", (int)(slash - path), path, SLICE_ARG(rules)) : arena_dup(r->a, rules);
    }
}

bool settings_read(const char *path, struct arena *a, struct arena *report, struct rule_problems *problems, struct settings *out, struct err *e)
{
    static const char *const known[] = {"rules", "disable", "enable", "detectors", "collections", NULL};
    static const char *const known_in_collection[] = {"disable", "enable", "detectors", NULL};
    struct reader r = {.a = a, .report = report, .problems = problems, .file = arena_dup(a, slice_str(path))};
    struct rule_texts texts = {0};
    struct slice text;
    *out = (struct settings){.file = r.file};
    if (!pack_file_read(a, path, &text, e))
        return false;
    node_read(&r, text, &texts);
    if (texts.n > 1)
        node_problem(&r, &texts.items[1].node, "one document was expected here");
    if (!texts.n)
        return true;
    const struct node *root = &texts.items[0].node, *collections = node_get(root, "collections");
    if (!node_known_keys(&r, root, "telltale.yaml", known))
        return true;
    read_paths(&r, path, node_get(root, "rules"), out);
    read_block(&r, root, SLICE_NONE, out);
    if (collections && collections->type != NODE_MAP) {
        node_problem(&r, collections, "collections: a map of names, each with disable, enable or detectors, was expected, but this is %s", node_what(collections));
        return true;
    }
    for (size_t i = 0; collections && i < collections->n; i++) {
        const struct node *one = &collections->items[i];
        if (one->type != NODE_MAP)
            node_problem(&r, one, "a map with disable, enable or detectors was expected, but this is %s", node_what(one));
        else if (node_known_keys(&r, one, "a collection", known_in_collection))
            read_block(&r, one, collections->keys[i].text, out);
    }
    return true;
}

uint64_t settings_blocks(const struct settings *s, struct slice collection)
{
    uint64_t blocks = 0;
    for (size_t i = 0; i < s->n; i++)
        if (!s->blocks[i].collections.ptr || (collection.ptr && is_name_of(s->blocks[i].collections, collection)))
            blocks |= UINT64_C(1) << i;
    return blocks;
}

/* ---- applying -------------------------------------------------------------------------------------------------------- */

static bool lists(const struct node *block, const char *key, struct slice id)
{
    const struct node *each;
    size_t n = node_each(node_get(block, key), &each);
    for (size_t i = 0; i < n; i++)
        if (is_name_of(each[i].text, id))
            return true;
    return false;
}

/* The map with this key's value replaced, or the key added; the old map stays as it is. */
static struct node with(struct arena *a, const struct node *map, const char *key, struct node value)
{
    struct node out = *map;
    out.keys = arena_array(a, struct node, map->n + 1);
    out.items = arena_array(a, struct node, map->n + 1);
    for (size_t i = 0; i < map->n; i++)
        out.keys[i] = map->keys[i], out.items[i] = map->items[i];
    size_t at = 0;
    while (at < map->n && !slice_is(map->keys[at].text, key))
        at++;
    if (at == map->n) {
        out.keys[out.n++] = (struct node){.type = NODE_STRING, .line = map->line, .column = map->column, .text = slice_str(key)};
        out.items[at] = value;
    } else {
        value.line = out.items[at].line, value.column = out.items[at].column;
        out.items[at] = value;
    }
    return out;
}

static bool same_type(const struct node *a, const struct node *b) { return a->type == b->type; }

static struct node with_parameters(struct arena *a, const struct node *rule, const struct node *overrides)
{
    const struct node *defaults = node_get(rule, "parameters");
    if (!defaults || defaults->type != NODE_MAP || !overrides || overrides->type != NODE_MAP)
        return *rule;
    struct node parameters = *defaults;
    for (size_t i = 0; i < overrides->n; i++) {
        const char *name = arena_strdup(a, overrides->keys[i].text);
        const struct node *was = node_get(defaults, name);
        if (was && same_type(was, &overrides->items[i]))
            parameters = with(a, &parameters, name, overrides->items[i]);
    }
    return with(a, rule, "parameters", parameters);
}

struct node settings_apply(const struct settings *s, uint64_t blocks, struct arena *a, struct slice id, const struct node *rule)
{
    struct node out = *rule;
    const char *name = arena_strdup(a, id);
    for (size_t i = 0; i < s->n; i++) {
        if (!(blocks >> i & 1))
            continue;
        const struct node *block = s->blocks[i].node, *one = node_get(node_get(block, "detectors"), name), *severity = node_get(one, "severity");
        bool off = lists(block, "disable", id), on = lists(block, "enable", id);
        if (on || off)
            out = with(a, &out, "enabled", (struct node){.type = NODE_BOOL, .boolean = on, .text = slice_str(on ? "true" : "false")});
        if (severity)
            out = with(a, &out, "severity", *severity);
        out = with_parameters(a, &out, node_get(one, "parameters"));
    }
    return out;
}

/* ---- checking -------------------------------------------------------------------------------------------------------- */

static const struct rule *rule_named(const struct ruleset *rs, struct slice glob)
{
    for (size_t i = 0; i < rs->n; i++)
        if (is_name_of(glob, rs->rules[i]->id))
            return rs->rules[i];
    return NULL;
}

static void check_ids(struct reader *r, const struct ruleset *rs, const struct node *block, const char *key)
{
    const struct node *each;
    size_t n = node_each(node_get(block, key), &each);
    for (size_t i = 0; i < n; i++)
        if (!rule_named(rs, each[i].text))
            node_problem(r, &each[i], "%s: there is no detector '%.*s'; telltale rules list names them", key, SLICE_ARG(each[i].text));
}

static void check_parameters(struct reader *r, const struct rule *rule, const struct node *overrides)
{
    for (size_t i = 0; overrides && i < overrides->n; i++) {
        const struct node *was = node_get(rule->parameters, arena_strdup(r->report, overrides->keys[i].text));
        if (!was)
            node_problem(r, &overrides->keys[i], "the detector '%.*s' has no parameter '%.*s'; telltale rules show %.*s shows them", SLICE_ARG(rule->id),
                         SLICE_ARG(overrides->keys[i].text), SLICE_ARG(rule->id));
        else if (!same_type(was, &overrides->items[i]))
            node_problem(r, &overrides->items[i], "%s was expected, as its default is, but this is %s", node_what(was), node_what(&overrides->items[i]));
    }
}

void settings_check(const struct settings *s, const struct ruleset *rs, struct arena *report, struct rule_problems *problems)
{
    struct reader r = {.a = report, .report = report, .problems = problems, .file = s->file};
    for (size_t i = 0; i < s->n; i++) {
        const struct node *block = s->blocks[i].node, *detectors = node_get(block, "detectors");
        check_ids(&r, rs, block, "disable");
        check_ids(&r, rs, block, "enable");
        for (size_t k = 0; detectors && k < detectors->n; k++) {
            const struct rule *rule = NULL;
            for (size_t n = 0; n < rs->n && !rule; n++)
                rule = slice_eq(rs->rules[n]->id, detectors->keys[k].text) ? rs->rules[n] : NULL;
            if (rule)
                check_parameters(&r, rule, node_get(&detectors->items[k], "parameters"));
            else
                node_problem(&r, &detectors->keys[k], "there is no detector '%.*s'; telltale rules list names them", SLICE_ARG(detectors->keys[k].text));
        }
    }
}
