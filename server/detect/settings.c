#include "detect/settings.h"

#include "detect/ruleset.h"

#include <fnmatch.h>

enum { IDS_TOLD = 20 };         /* of a list's unknown ids, so many are told one by one */
static const double NUMBER_MOST = 1e9;

static bool is_glob(struct slice s)
{
    return memchr(s.ptr, '*', s.len) || memchr(s.ptr, '?', s.len) || memchr(s.ptr, '[', s.len) || memchr(s.ptr, '\\', s.len);
}

static bool is_name_of(struct slice glob, struct slice name)
{
    if (!glob.len || !is_glob(glob))
        return slice_eq(glob, name);
    char pattern[256], text[256];
    if (glob.len >= sizeof pattern || name.len >= sizeof text)
        return false;
    memcpy(pattern, glob.ptr, glob.len), pattern[glob.len] = 0;
    memcpy(text, name.ptr, name.len), text[name.len] = 0;
    return fnmatch(pattern, text, 0) == 0;
}

/* ---- reading --------------------------------------------------------------------------------------------------------- */

static const struct node *of_type(const struct node *node, enum node_type type)
{
    return node && node->type == type ? node : NULL;
}

static bool is_severity(const struct node *node)
{
    enum severity unused;
    return of_type(node, NODE_STRING) && severity_parse(node->text, &unused);
}

/* What of it cannot be read is told; the rest holds. */
static void read_detectors(struct reader *r, const struct node *block)
{
    static const char *const known[] = {"enabled", "severity", "parameters", NULL};
    const struct node *map = node_get(block, "detectors");
    if (map && map->type != NODE_MAP)
        node_problem(r, map, "detectors: a map of ids was expected, but this is %s", node_what(map));
    for (size_t i = 0; of_type(map, NODE_MAP) && i < map->n; i++) {
        const struct node *one = &map->items[i];
        const struct node *enabled = node_get(one, "enabled"), *severity = node_get(one, "severity"), *parameters = node_get(one, "parameters");
        struct slice id = map->keys[i].text;
        if (one->type != NODE_MAP) {
            node_problem(r, one, "%.*s: a map with enabled, severity or parameters was expected, but this is %s", SLICE_ARG(id), node_what(one));
            continue;
        }
        node_known_keys(r, one, "a detector", known);
        if (enabled && enabled->type != NODE_BOOL)
            node_problem(r, enabled, "%.*s: enabled is true or false, but this is %s", SLICE_ARG(id), node_what(enabled));
        if (severity && !is_severity(severity))
            node_problem(r, severity, "%.*s: severity is low, medium or high, but this is %s%s%.*s%s", SLICE_ARG(id),
                         severity->text.len ? "" : node_what(severity), severity->text.len ? "'" : "", SLICE_ARG(severity->text),
                         severity->text.len ? "'" : "");
        if (parameters && parameters->type != NODE_MAP)
            node_problem(r, parameters, "%.*s: parameters: a map of names was expected, but this is %s", SLICE_ARG(id), node_what(parameters));
    }
}

static void read_block(struct reader *r, const struct node *node, struct slice collections, struct settings *out)
{
    read_detectors(r, node);
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
        rules = beside ? arena_printf(r->a, "%.*s/%.*s", (int)(slash - path), path, SLICE_ARG(rules)) : rules;
        out->packs = arena_grow(r->a, out->packs, out->npacks, &out->packs_cap, sizeof *out->packs);
        out->packs[out->npacks++] = (struct settings_pack){arena_strdup(r->a, rules), &each[i]};
    }
}

static bool bad_redact(const struct settings *s, const struct node *at, const char *why, struct err *e)
{
    return err_set(e, ERR_FORMAT, "%.*s:%d:%d: redact is true, false, or a map of kinds of secrets, each with a pattern, but this is %s",
                   SLICE_ARG(s->file), at->line, at->column, why);
}

static bool read_redact(struct arena *a, const struct node *node, struct settings *out, struct err *e)
{
    if (!node)
        return true;
    if (node->type == NODE_BOOL) {
        out->redact = node->boolean;
        return true;
    }
    if (node->type != NODE_MAP)
        return bad_redact(out, node, node_what(node), e);
    out->redact = true;
    out->own = arena_array(a, struct secret_own, node->n);
    for (size_t i = 0; i < node->n; i++) {
        if (node->items[i].type != NODE_STRING)
            return bad_redact(out, &node->items[i], node_what(&node->items[i]), e);
        out->own[out->nown++] = (struct secret_own){node->keys[i].text, node->items[i].text};
    }
    return true;
}

bool settings_read(const char *path, struct arena *a, struct arena *report, struct problems *problems, struct settings *out, struct err *e)
{
    static const char *const known[] = {SETTINGS_KEYS, NULL};
    static const char *const known_in_collection[] = {"disable", "enable", "detectors", NULL};
    struct reader r = {.a = a, .report = report, .problems = problems, .file = arena_dup(a, slice_str(path))};
    struct rule_texts texts = {0};
    struct slice text;
    r.one_map = SETTINGS_ONE_MAP;
    *out = (struct settings){.file = r.file};
    if (!pack_file_read(a, path, &text, e))
        return false;
    size_t before = problems->n;
    node_read(&r, text, &texts);
    if (texts.n > 1)
        node_problem(&r, &texts.items[1].node, "one document was expected here");
    if (problems->n > before && slice_find(text, slice_str("redact")) >= 0)
        return err_set(e, ERR_FORMAT, "%s cannot be read, and speaks of redact: without knowing what it says, nothing is taken in", path);
    if (!texts.n)
        return true;
    const struct node *root = &texts.items[0].node, *collections = node_get(root, "collections");
    size_t known_before = problems->n;
    if (root->type == NODE_MAP && !node_known_keys(&r, root, "telltale.yaml", known)) {
        const struct problem *p = &problems->items[known_before];
        return err_set(e, ERR_FORMAT, "%.*s:%d:%d: %.*s", SLICE_ARG(p->file), p->line, p->column, SLICE_ARG(p->message));
    }
    if (!read_redact(a, node_get(root, "redact"), out, e))
        return false;
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

static bool is_share(struct slice name, const struct node *was)
{
    return (slice_starts(name, "share") || slice_starts(name, "likeness")) && was->number >= 0 && was->number <= 1;
}

/* Whether a parameter that was this by default can be that; what of it cannot is told where there is a reader. */
static bool fits(struct reader *r, struct slice name, const struct node *was, const struct node *now)
{
    if (was->type != now->type)
        return r && node_problem(r, now, "%s was expected, as its default is, but this is %s", node_what(was), node_what(now));
    if (now->type != NODE_NUMBER)
        return true;
    bool share = is_share(name, was);
    double least = was->number < 0 ? -NUMBER_MOST : 0, most = share ? 1 : NUMBER_MOST;
    if (now->number >= least && now->number <= most)
        return true;
    return r && node_problem(r, now, "%.*s is %s from %.0f to %.0f, but this is %.*s", SLICE_ARG(name), share ? "a share" : "a number", least, most,
                             SLICE_ARG(now->text));
}

static struct node with_parameters(struct arena *a, const struct node *rule, const struct node *overrides)
{
    const struct node *defaults = node_get(rule, "parameters");
    if (!defaults || defaults->type != NODE_MAP || !overrides || overrides->type != NODE_MAP)
        return *rule;
    struct node parameters = *defaults;
    for (size_t i = 0; i < overrides->n; i++) {
        const char *name = arena_strdup(a, overrides->keys[i].text);
        const struct node *was = node_get(defaults, name);
        if (was && fits(NULL, overrides->keys[i].text, was, &overrides->items[i]))
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
        const struct node *enabled = of_type(node_get(one, "enabled"), NODE_BOOL);
        bool off = lists(block, "disable", id), on = lists(block, "enable", id);
        if (on || off)
            out = with(a, &out, "enabled", (struct node){.type = NODE_BOOL, .boolean = on, .text = slice_str(on ? "true" : "false")});
        if (enabled)
            out = with(a, &out, "enabled", *enabled);
        if (is_severity(severity))
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
    struct slice id;
    size_t n = node_each(node_get(block, key), &each), unknown = 0;
    for (size_t i = 0; i < n; i++) {
        if (rule_named(rs, each[i].text))
            continue;
        if (++unknown <= IDS_TOLD && node_string(r, &each[i], key, &id))
            node_problem(r, &each[i], "%s: there is no detector '%.*s'; telltale rules list names them", key, SLICE_ARG(id));
    }
    if (unknown > IDS_TOLD)
        node_problem(r, each, "%s: and %zu more that are no detectors", key, unknown - IDS_TOLD);
}

static void check_parameters(struct reader *r, const struct rule *rule, const struct node *overrides)
{
    for (size_t i = 0; overrides && i < overrides->n; i++) {
        struct slice name = overrides->keys[i].text;
        const struct node *was = node_get(rule->parameters, arena_strdup(r->report, name));
        if (!was)
            node_problem(r, &overrides->keys[i], "the detector '%.*s' has no parameter '%.*s'; telltale rules show %.*s shows them", SLICE_ARG(rule->id),
                         SLICE_ARG(name), SLICE_ARG(rule->id));
        else
            fits(r, name, was, &overrides->items[i]);
    }
}

void settings_check(const struct settings *s, const struct ruleset *rs, struct arena *report, struct problems *problems)
{
    struct reader r = {.a = report, .report = report, .problems = problems, .file = s->file};
    for (size_t i = 0; i < s->n; i++) {
        const struct node *block = s->blocks[i].node, *detectors = of_type(node_get(block, "detectors"), NODE_MAP);
        check_ids(&r, rs, block, "disable");
        check_ids(&r, rs, block, "enable");
        for (size_t k = 0; detectors && k < detectors->n; k++) {
            const struct rule *rule = NULL;
            for (size_t n = 0; n < rs->n && !rule; n++)
                rule = slice_eq(rs->rules[n]->id, detectors->keys[k].text) ? rs->rules[n] : NULL;
            if (rule)
                check_parameters(&r, rule, of_type(node_get(&detectors->items[k], "parameters"), NODE_MAP));
            else
                node_problem(&r, &detectors->keys[k], "there is no detector '%.*s'; telltale rules list names them", SLICE_ARG(detectors->keys[k].text));
        }
    }
}
