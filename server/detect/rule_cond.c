/* `find:` and `except:` - what must have happened. One row of a table for each word of the language. */
#include "detect/rule.h"

#include <stdio.h>
#include <stdlib.h>

static struct cond *new_cond(struct compiler *c, enum cond_type type)
{
    struct cond *cond = arena_new(c->r->a, struct cond);
    *cond = (struct cond){.type = type, .at_least = -1, .at_most = -1, .over = NAN, .under = NAN, .within = {-1, -1}, .period = 1};
    return cond;
}

/* ---- the parts that conditions share ----------------------------------------------------------------------------- */

static struct event_def *read_event(struct compiler *c, const struct node *node)
{
    struct event_def *def = compile_event_find(c, node->text);
    if (def)
        return def;
    const char *known[EVENTS_MAX + 1] = {0};
    size_t n = 0;
    for (size_t i = 0; i < c->rule->nevents && n < EVENTS_MAX; i++)
        if (c->rule->events[i]->name.len)
            known[n++] = arena_strdup(c->r->report, c->rule->events[i]->name);
    node_problem(c->r, node, "there is no event '%.*s' in this rule; %.*s", SLICE_ARG(node->text),
                 SLICE_ARG(node_suggest(c->r, node->text, known)));
    return NULL;
}

static bool read_of(struct compiler *c, const struct node *node, struct of *of)
{
    const struct node *each;
    size_t n = node_each(node, &each);
    of->defs = arena_array(c->r->a, struct event_def *, n + 1);
    of->keys = arena_array(c->r->a, size_t, n + 1);
    for (of->n = 0; of->n < n; of->n++)
        if (!(of->defs[of->n] = read_event(c, &each[of->n])))
            return false;
    return true;
}

/* 3, "3 steps", "90s", "5m", "1h", "200ms". */
static struct window read_within(struct compiler *c, const struct node *map)
{
    static const struct { const char *unit; int64_t us; } units[] = {
        {"ms", 1000}, {"s", 1000000}, {"m", 60 * INT64_C(1000000)}, {"h", 3600 * INT64_C(1000000)},
    };
    const struct node *node = node_get(map, "within");
    struct window out = {-1, -1};
    if (!node)
        return out;
    char text[32] = "", *end;
    snprintf(text, sizeof text, "%.*s", SLICE_ARG(slice_cut(node->text, sizeof text - 1)));
    double x = strtod(text, &end);
    struct slice unit = slice_trim(slice_str(end));
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (slice_is(unit, units[i].unit))
            out.us = (int64_t)(x * (double)units[i].us);
    if (out.us < 0)
        out.steps = (int64_t)x;
    c->rule->timed |= out.us >= 0;
    return out;
}

static bool read_by(struct compiler *c, const struct node *map, struct cond *cond)
{
    const struct node *each;
    size_t n = node_each(node_get(map, "by"), &each);
    cond->by = arena_array(c->r->a, int, n + 1);
    for (size_t i = 0; i < n; i++) {
        struct slice name = each[i].text;
        int found = -1;
        for (int k = 0; k < c->rule->ncaptures; k++)
            if (!c->rule->captures[k].hidden && slice_eq(c->rule->captures[k].name, name))
                found = k;
        if (found < 0)
            return node_problem(c->r, &each[i], "by: no pattern of this rule has a group (?P<%.*s>…)", SLICE_ARG(name));
        cond->by[cond->nby++] = found;
    }
    return true;
}

const char *const normalize_words[] = {"numbers", "paths", "hex", "space", "case", "strings", "marks", NULL};

static unsigned read_normalize(const struct node *map)
{
    const struct node *each;
    size_t n = node_each(node_get(map, "normalize"), &each);
    unsigned out = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; normalize_words[k]; k++)
            out |= slice_is(each[i].text, normalize_words[k]) ? 1u << k : 0; /* in the order of enum normalize */
    return out;
}

/* What makes two occurrences the same, as a key of each event that they may be of. */
static bool read_key(struct compiler *c, const struct node *map, const char *word, bool needs_value, struct of *of)
{
    const struct node *each;
    size_t n = node_each(node_get(map, word), &each);
    for (size_t i = 0; i < of->n; i++) {
        struct event_def *def = of->defs[i];
        struct key key = {.needs_value = needs_value, .normalize = read_normalize(map)};
        bool call = def->kinds & EVENT_BIT(EVENT_CALL);
        key.fields = arena_array(c->r->a, struct key_field, n ? n : 2);
        for (; key.n < n; key.n++)
            if (!compile_field(c, &each[key.n], each[key.n].text, def->kinds, &key.fields[key.n].field, &key.fields[key.n].key))
                return false;
        if (n == 0) {
            key.fields[key.n++].field = call ? FIELD_NAME : def->kinds & EVENT_BIT(EVENT_SCORE) ? FIELD_VALUE : FIELD_TEXT;
            if (call)
                key.fields[key.n++].field = FIELD_ARGS;
        }
        def->keys = arena_grow(c->r->a, def->keys, def->nkeys, &def->keys_cap, sizeof *def->keys);
        def->keys[def->nkeys] = key;
        of->keys[i] = def->nkeys++;
    }
    return true;
}

/* ---- a reader for each word -------------------------------------------------------------------------------------- */

static struct cond *read_any(struct compiler *c, const struct node *node)
{
    struct cond *cond = new_cond(c, COND_ANY);
    return read_of(c, node, &cond->of) ? cond : NULL;
}

static struct cond *negated(struct compiler *c, struct cond *kid)
{
    if (!kid)
        return NULL;
    struct cond *cond = new_cond(c, COND_NOT);
    cond->kids = arena_array(c->r->a, struct cond *, 1);
    cond->kids[cond->nkids++] = kid;
    return cond;
}

static struct cond *read_none(struct compiler *c, const struct node *node) { return negated(c, read_any(c, node)); }
static struct cond *read_not(struct compiler *c, const struct node *node) { return negated(c, compile_cond(c, node)); }

static struct cond *read_many(struct compiler *c, const struct node *node, enum cond_type type,
                              struct cond *(*one)(struct compiler *, const struct node *))
{
    const struct node *each;
    size_t n = node_each(node, &each);
    struct cond *cond = new_cond(c, type);
    cond->kids = arena_array(c->r->a, struct cond *, n);
    for (; cond->nkids < n; cond->nkids++)
        if (!(cond->kids[cond->nkids] = one(c, &each[cond->nkids])))
            return NULL;
    return cond;
}

static struct cond *read_all(struct compiler *c, const struct node *node) { return read_many(c, node, COND_AND, read_any); }
static struct cond *read_and(struct compiler *c, const struct node *node) { return read_many(c, node, COND_AND, compile_cond); }
static struct cond *read_or(struct compiler *c, const struct node *node) { return read_many(c, node, COND_OR, compile_cond); }

static struct cond *read_count(struct compiler *c, const struct node *node)
{
    struct cond *cond = new_cond(c, COND_COUNT);
    cond->at_least = node_count_of(node, "at_least", -1);
    cond->at_most = node_count_of(node, "at_most", -1);
    cond->within = read_within(c, node);
    cond->keyed = node_get(node, "same");
    if (!read_of(c, node_get(node, "of"), &cond->of) || !read_by(c, node, cond) ||
        (cond->keyed && !read_key(c, node, "same", false, &cond->of)))
        return NULL;
    if ((cond->keyed || cond->nby) && cond->at_least < 1)
        return node_problem(c->r, node, "count with same or by needs at_least: 1 or more, since what never occurs has no group"),
               NULL;
    return cond;
}

static struct cond *read_distinct(struct compiler *c, const struct node *node)
{
    struct cond *cond = new_cond(c, COND_DISTINCT);
    cond->at_least = node_count_of(node, "at_least", -1);
    cond->at_most = node_count_of(node, "at_most", -1);
    return read_of(c, node_get(node, "of"), &cond->of) && read_key(c, node, "field", true, &cond->of) ? cond : NULL;
}

static struct cond *read_repeat(struct compiler *c, const struct node *node)
{
    struct cond *cond = new_cond(c, COND_REPEAT);
    bool turns = node_flag_of(node, "ping_pong", false);
    cond->at_least = node_count_of(node, "times", 3);
    cond->period = (int)node_count_of(node, "period", turns ? 2 : 1);
    if (turns && node_get(node, "period"))
        return node_problem(c->r, node_get(node, "period"), "ping_pong: true is period: 2; one of them was expected"), NULL;
    return read_of(c, node_get(node, "of"), &cond->of) && read_key(c, node, "same", false, &cond->of) ? cond : NULL;
}

static struct cond *read_sequence(struct compiler *c, const struct node *node)
{
    struct cond *cond = new_cond(c, COND_SEQUENCE);
    const struct node *until = node_get(node, "until"), *steps = node_get(node, "steps");
    cond->within = read_within(c, node);
    if (!read_by(c, node, cond) || (until && !read_of(c, until, &cond->other)))
        return NULL;
    cond->steps = arena_array(c->r->a, struct step, steps->n);
    bool positive = false;
    for (; cond->nsteps < steps->n; cond->nsteps++) {
        const struct node *item = &steps->items[cond->nsteps], *negated = node_get(item, "not");
        cond->steps[cond->nsteps].negate = negated;
        positive |= !negated;
        if (!read_of(c, negated ? negated : item, &cond->steps[cond->nsteps].of))
            return NULL;
    }
    return positive ? cond : (node_problem(c->r, steps, "of a sequence's steps one at least must be no {not: …}"), NULL);
}

static struct cond *read_absent(struct compiler *c, const struct node *node)
{
    struct cond *cond = new_cond(c, COND_ABSENT);
    cond->within = read_within(c, node);
    return read_of(c, node_get(node, "of"), &cond->of) && read_of(c, node_get(node, "after"), &cond->other) ? cond : NULL;
}

static struct cond *read_edge(struct compiler *c, const struct node *node, bool first)
{
    struct cond *cond = new_cond(c, COND_EDGE);
    cond->first = first;
    cond->at_most = node_count_of(node, "in", 1);
    return read_of(c, node->type == NODE_MAP ? node_get(node, "of") : node, &cond->of) ? cond : NULL;
}

static struct cond *read_last(struct compiler *c, const struct node *node) { return read_edge(c, node, false); }
static struct cond *read_first(struct compiler *c, const struct node *node) { return read_edge(c, node, true); }

static struct cond *read_ratio(struct compiler *c, const struct node *node)
{
    struct cond *cond = new_cond(c, COND_RATIO);
    cond->at_least = node_count_of(node, "at_least", 1);
    cond->over = node_number_of(node, "over", NAN);
    cond->under = node_number_of(node, "under", NAN);
    return read_of(c, node_get(node, "of"), &cond->of) && read_of(c, node_get(node, "to"), &cond->other) ? cond : NULL;
}

static struct cond *read_run(struct compiler *c, const struct node *node)
{
    struct event_def *def = compile_run_event(c, node);
    if (!def)
        return NULL;
    struct cond *cond = new_cond(c, COND_ANY);
    cond->of.defs = arena_array(c->r->a, struct event_def *, 1);
    cond->of.defs[0] = def;
    cond->of.n = 1;
    return cond;
}

const struct cond_word cond_words[] = {
    {"any", read_any},           {"all", read_all},       {"none", read_none},         {"count", read_count},
    {"distinct", read_distinct}, {"repeat", read_repeat}, {"sequence", read_sequence}, {"absent", read_absent},
    {"last", read_last},         {"first", read_first},   {"ratio", read_ratio},       {"run", read_run},
    {"and", read_and},           {"or", read_or},         {"not", read_not},
    {NULL, NULL},
};

static struct cond *read_word(struct compiler *c, const struct node *key, const struct node *value)
{
    const struct cond_word *word = cond_words;
    while (!slice_is(key->text, word->word))
        word++; /* the schema knows the same words */
    return word->read(c, value);
}

/* A name alone is `any: name`; several words in one map must all hold. */
struct cond *compile_cond(struct compiler *c, const struct node *node)
{
    if (node->type == NODE_STRING)
        return read_any(c, node);
    if (node->n == 1)
        return read_word(c, &node->keys[0], &node->items[0]);
    struct cond *cond = new_cond(c, COND_AND);
    cond->kids = arena_array(c->r->a, struct cond *, node->n);
    for (; cond->nkids < node->n; cond->nkids++)
        if (!(cond->kids[cond->nkids] = read_word(c, &node->keys[cond->nkids], &node->items[cond->nkids])))
            return NULL;
    return cond;
}

/* ---- scope task -------------------------------------------------------------------------------------------------- */

const char *const of_runs_words[] = {"all", "failed", "passed", NULL};

static enum of_runs read_of_runs(const struct node *map, enum of_runs otherwise)
{
    const struct node *node = node_get(map, "of");
    for (int i = 0; node && of_runs_words[i]; i++)
        if (slice_is(node->text, of_runs_words[i]))
            return (enum of_runs)i;
    return otherwise;
}

static bool read_having(struct compiler *c, const struct node *node, struct task_cond *t)
{
    const struct node *each, *by = node_get(node, "by");
    size_t n = node_each(node_get(node, "having"), &each);
    t->share_at_least = node_number_of(node, "share_at_least", NAN);
    t->share_at_most = node_number_of(node, "share_at_most", NAN);
    t->at_least = node_count_of(node, "at_least", 1);
    t->of = read_of_runs(node, RUNS_ALL);
    t->by = node_text_of(node, "by");
    t->having = arena_array(c->r->a, struct slice, n + 1);
    for (; t->nhaving < n; t->nhaving++)
        t->having[t->nhaving] = each[t->nhaving].text;
    return !by || compile_capture(c, by, t->by, false) >= 0;
}

static bool read_agree(struct compiler *c, const struct node *node, struct task_cond *t)
{
    t->agree = true;
    t->agree_at_least = node_count_of(node, "at_least", 2);
    t->agree_models = node_count_of(node, "models", 0);
    t->agree_share = node_number_of(node, "share_at_least", 0);
    t->agree_of = read_of_runs(node, RUNS_FAILED);
    return compile_capture(c, node, slice_str("answer"), false) >= 0;
}

static bool read_differs(struct compiler *c, const struct node *node, struct task_cond *t)
{
    t->differs = true;
    t->differs_gap = node_number_of(node, "pass_rate_gap", 1);
    t->differs_p = node_number_of(node, "p", DIFFERS_P);
    t->differs_at_least = node_count_of(node, "at_least", 1);
    return compile_capture(c, node, slice_str("better"), false) >= 0 && compile_capture(c, node, slice_str("worse"), false) >= 0;
}

struct task_cond *compile_task(struct compiler *c, const struct node *node)
{
    struct task_cond *t = arena_new(c->r->a, struct task_cond);
    *t = (struct task_cond){.at = node,
                            .pass_rate_at_least = node_number_of(node, "pass_rate_at_least", NAN),
                            .pass_rate_at_most = node_number_of(node, "pass_rate_at_most", NAN),
                            .runs_at_least = node_count_of(node, "runs_at_least", -1),
                            .runs_at_most = node_count_of(node, "runs_at_most", -1)};
    const struct node *runs = node_get(node, "runs"), *agree = node_get(node, "agree_on"), *differs = node_get(node, "differs_by");
    bool good = (!runs || read_having(c, runs, t)) && (!agree || read_agree(c, agree, t)) && (!differs || read_differs(c, differs, t));
    return good ? t : NULL;
}
