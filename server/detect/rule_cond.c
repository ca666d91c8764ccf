/* `find:` and `except:` - what must have happened. One row of a table for each word of the language. */
#include "detect/rule.h"

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
    struct slice name;
    if (!node_string(c->r, node, "the name of an event", &name))
        return NULL;
    struct event_def *def = name.len ? compile_event_find(c, name) : NULL;
    if (def)
        return def;
    const char *known[EVENTS_MAX + 1] = {0};
    size_t n = 0;
    for (size_t i = 0; i < c->rule->nevents && n < EVENTS_MAX; i++)
        if (c->rule->events[i]->name.len)
            known[n++] = arena_strdup(c->r->report, c->rule->events[i]->name);
    node_problem(c->r, node, "there is no event '%.*s' in this rule; %.*s", SLICE_ARG(name),
                 SLICE_ARG(node_suggest(c->r, name, known)));
    return NULL;
}

static bool read_of(struct compiler *c, const struct node *at, const struct node *node, const char *what, struct of *of)
{
    if (!node)
        return node_problem(c->r, at, "%s is missing: the name of an event, or a list of names", what);
    const struct node *each;
    size_t n = node_each(node, &each);
    if (n == 0)
        return node_problem(c->r, node, "%s names no event", what);
    of->defs = arena_array(c->r->a, struct event_def *, n);
    of->keys = arena_array(c->r->a, size_t, n);
    for (of->n = 0; of->n < n; of->n++)
        if (!(of->defs[of->n] = read_event(c, &each[of->n])))
            return false;
    return true;
}

static bool read_bound(struct compiler *c, const struct node *map, const char *key, int64_t *out)
{
    const struct node *node = node_get(map, key);
    return !node || node_count(c->r, node, key, out);
}

static bool read_fraction(struct compiler *c, const struct node *map, const char *key, double *out)
{
    const struct node *node = node_get(map, key);
    if (!node)
        return true;
    if (!node_number(c->r, node, key, out))
        return false;
    return (*out >= 0 && *out <= 1) || node_problem(c->r, node, "%s is a share from 0 to 1", key);
}

/* 3, "3 steps", "90s", "5m", "1h", "200ms". */
static bool read_within(struct compiler *c, const struct node *map, struct window *out)
{
    const struct node *node = node_get(map, "within");
    if (!node)
        return true;
    if (node->type == NODE_NUMBER)
        return node_count(c->r, node, "within", &out->steps);
    static const struct { const char *unit; int64_t us; } units[] = {
        {"ms", 1000}, {"s", 1000000}, {"m", 60 * INT64_C(1000000)}, {"h", 3600 * INT64_C(1000000)}, {"step", 0}, {"steps", 0},
    };
    char text[32] = "", *end;
    if (node->type == NODE_STRING && node->text.len < sizeof text)
        memcpy(text, node->text.ptr, node->text.len);
    double x = strtod(text, &end);
    struct slice unit = slice_trim(slice_str(end));
    for (size_t i = 0; end > text && x >= 0 && x < 1e6 && i < sizeof units / sizeof *units; i++) {
        if (!slice_is(unit, units[i].unit))
            continue;
        if (units[i].us) {
            out->us = (int64_t)(x * (double)units[i].us);
            c->rule->timed = true;
        } else {
            out->steps = (int64_t)x;
        }
        return true;
    }
    return node_problem(c->r, node, "within: a number of steps (3) or a time ('90s', '5m', '1h') was expected");
}

static bool read_by(struct compiler *c, const struct node *map, struct cond *cond)
{
    const struct node *each;
    size_t n = node_each(node_get(map, "by"), &each);
    cond->by = arena_array(c->r->a, int, n + 1);
    for (size_t i = 0; i < n; i++) {
        struct slice name;
        if (!node_string(c->r, &each[i], "by", &name))
            return false;
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

const char *const normalize_words[] = {"numbers", "paths", "hex", "space", "case", "strings", NULL};

static bool read_normalize(struct compiler *c, const struct node *map, unsigned *out)
{
    const struct node *each;
    size_t n = node_each(node_get(map, "normalize"), &each);
    for (size_t i = 0; i < n; i++) {
        size_t k = 0;
        while (normalize_words[k] && !slice_is(each[i].text, normalize_words[k]))
            k++;
        if (!normalize_words[k])
            return node_problem(c->r, &each[i], "normalize does not know '%.*s'; %.*s", SLICE_ARG(each[i].text),
                                SLICE_ARG(node_suggest(c->r, each[i].text, normalize_words)));
        *out |= 1u << k; /* in the order of enum normalize */
    }
    return true;
}

/* What makes two occurrences the same, as a key of each event that they may be of. */
static bool read_key(struct compiler *c, const struct node *map, const char *word, bool needs_value, struct of *of)
{
    const struct node *each;
    size_t n = node_each(node_get(map, word), &each);
    for (size_t i = 0; i < of->n; i++) {
        struct event_def *def = of->defs[i];
        struct key key = {.needs_value = needs_value};
        if (!read_normalize(c, map, &key.normalize))
            return false;
        bool call = def->kinds & EVENT_BIT(EVENT_CALL);
        key.fields = arena_array(c->r->a, struct key_field, n ? n : 2);
        for (size_t k = 0; k < n; k++) {
            struct slice name;
            struct key_field *f = &key.fields[key.n++];
            if (!node_string(c->r, &each[k], word, &name) || !compile_field(c, &each[k], name, def->kinds, &f->field, &f->key))
                return false;
        }
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

static bool is_map(struct compiler *c, const struct node *node, const char *what)
{
    return node->type == NODE_MAP ||
           node_problem(c->r, node, "%s: a map of keys was expected, but this is %s", what, node_what(node));
}

/* ---- a reader for each word -------------------------------------------------------------------------------------- */

static struct cond *read_any(struct compiler *c, const struct node *node)
{
    struct cond *cond = new_cond(c, COND_ANY);
    return read_of(c, node, node, "any", &cond->of) ? cond : NULL;
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
    if (n == 0)
        return node_problem(c->r, node, "an empty list says nothing"), NULL;
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
    static const char *const known[] = {"of", "at_least", "at_most", "by", "same", "normalize", "within", NULL};
    struct cond *cond = new_cond(c, COND_COUNT);
    if (!is_map(c, node, "count") || !node_known_keys(c->r, node, "count", known) ||
        !read_of(c, node, node_get(node, "of"), "of", &cond->of) || !read_bound(c, node, "at_least", &cond->at_least) ||
        !read_bound(c, node, "at_most", &cond->at_most) || !read_by(c, node, cond) || !read_within(c, node, &cond->within))
        return NULL;
    cond->keyed = node_get(node, "same");
    if (cond->keyed && !read_key(c, node, "same", false, &cond->of))
        return NULL;
    if (cond->at_least < 0 && cond->at_most < 0)
        return node_problem(c->r, node, "count needs at_least or at_most"), NULL;
    if ((cond->keyed || cond->nby) && cond->at_least < 1)
        return node_problem(c->r, node, "count with same or by needs at_least: 1 or more, since what never occurs has no group"),
               NULL;
    return cond;
}

static struct cond *read_distinct(struct compiler *c, const struct node *node)
{
    static const char *const known[] = {"of", "field", "at_least", "at_most", "normalize", NULL};
    struct cond *cond = new_cond(c, COND_DISTINCT);
    if (!is_map(c, node, "distinct") || !node_known_keys(c->r, node, "distinct", known) ||
        !read_of(c, node, node_get(node, "of"), "of", &cond->of) || !read_bound(c, node, "at_least", &cond->at_least) ||
        !read_bound(c, node, "at_most", &cond->at_most) || !read_key(c, node, "field", true, &cond->of))
        return NULL;
    if (cond->at_least < 0 && cond->at_most < 0)
        return node_problem(c->r, node, "distinct needs at_least or at_most"), NULL;
    return cond;
}

static struct cond *read_repeat(struct compiler *c, const struct node *node)
{
    static const char *const known[] = {"of", "times", "same", "normalize", "ping_pong", "period", NULL};
    struct cond *cond = new_cond(c, COND_REPEAT);
    const struct node *v;
    int64_t period = 1;
    bool ping_pong = false;
    cond->at_least = 3;
    if (!is_map(c, node, "repeat") || !node_known_keys(c->r, node, "repeat", known) ||
        !read_of(c, node, node_get(node, "of"), "of", &cond->of) || !read_bound(c, node, "times", &cond->at_least) ||
        !read_bound(c, node, "period", &period) || !read_key(c, node, "same", false, &cond->of) ||
        ((v = node_get(node, "ping_pong")) && !node_bool(c->r, v, "ping_pong", &ping_pong)))
        return NULL;
    if (cond->at_least < 2)
        return node_problem(c->r, node_get(node, "times"), "times must be 2 or more: once is no repetition"), NULL;
    if (period < 1 || period > 8 || (ping_pong && node_get(node, "period")))
        return node_problem(c->r, node_get(node, "period"),
                            "period is how many things take turns, 1 to 8; ping_pong: true is period: 2"),
               NULL;
    cond->period = ping_pong ? 2 : (int)period;
    return cond;
}

static struct cond *read_sequence(struct compiler *c, const struct node *node)
{
    static const char *const known[] = {"steps", "within", "by", "until", NULL};
    struct cond *cond = new_cond(c, COND_SEQUENCE);
    const struct node *v;
    if (!is_map(c, node, "sequence") || !node_known_keys(c->r, node, "sequence", known) || !read_within(c, node, &cond->within) ||
        !read_by(c, node, cond) || ((v = node_get(node, "until")) && !read_of(c, node, v, "until", &cond->other)))
        return NULL;
    v = node_get(node, "steps");
    if (!v || v->type != NODE_LIST)
        return node_problem(c->r, v ? v : node, "sequence needs steps: a list of events, of which some may be {not: EVENT}"), NULL;
    cond->steps = arena_array(c->r->a, struct step, v->n);
    size_t positive = 0;
    for (; cond->nsteps < v->n; cond->nsteps++) {
        static const char *const step_keys[] = {"not", NULL};
        const struct node *item = &v->items[cond->nsteps];
        struct step *step = &cond->steps[cond->nsteps];
        step->negate = item->type == NODE_MAP;
        if (step->negate && !node_known_keys(c->r, item, "a step", step_keys))
            return NULL;
        if (!read_of(c, item, step->negate ? node_get(item, "not") : item, "a step", &step->of))
            return NULL;
        positive += !step->negate;
    }
    if (positive == 0 || (positive == 1 && cond->nsteps == 1))
        return node_problem(c->r, v, "a sequence needs two steps, of which one at least is no {not: …}"), NULL;
    return cond;
}

static struct cond *read_absent(struct compiler *c, const struct node *node)
{
    static const char *const known[] = {"of", "after", "within", NULL};
    struct cond *cond = new_cond(c, COND_ABSENT);
    if (!is_map(c, node, "absent") || !node_known_keys(c->r, node, "absent", known) ||
        !read_of(c, node, node_get(node, "of"), "of", &cond->of) ||
        !read_of(c, node, node_get(node, "after"), "after", &cond->other) || !read_within(c, node, &cond->within))
        return NULL;
    return cond;
}

static struct cond *read_edge(struct compiler *c, const struct node *node, bool first)
{
    static const char *const known[] = {"of", "in", NULL};
    struct cond *cond = new_cond(c, COND_EDGE);
    cond->first = first;
    cond->at_most = 1;
    if (node->type != NODE_MAP)
        return read_of(c, node, node, first ? "first" : "last", &cond->of) ? cond : NULL;
    if (!node_known_keys(c->r, node, first ? "first" : "last", known) ||
        !read_of(c, node, node_get(node, "of"), "of", &cond->of) || !read_bound(c, node, "in", &cond->at_most))
        return NULL;
    if (cond->at_most < 1)
        return node_problem(c->r, node_get(node, "in"), "in: at least one step"), NULL;
    return cond;
}

static struct cond *read_last(struct compiler *c, const struct node *node) { return read_edge(c, node, false); }
static struct cond *read_first(struct compiler *c, const struct node *node) { return read_edge(c, node, true); }

static struct cond *read_ratio(struct compiler *c, const struct node *node)
{
    static const char *const known[] = {"of", "to", "over", "under", "at_least", NULL};
    struct cond *cond = new_cond(c, COND_RATIO);
    cond->at_least = 1;
    if (!is_map(c, node, "ratio") || !node_known_keys(c->r, node, "ratio", known) ||
        !read_of(c, node, node_get(node, "of"), "of", &cond->of) || !read_of(c, node, node_get(node, "to"), "to", &cond->other) ||
        !read_fraction(c, node, "over", &cond->over) || !read_fraction(c, node, "under", &cond->under) ||
        !read_bound(c, node, "at_least", &cond->at_least))
        return NULL;
    if (isnan(cond->over) && isnan(cond->under))
        return node_problem(c->r, node, "ratio needs over or under"), NULL;
    return cond;
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
enum { WORDS = sizeof cond_words / sizeof *cond_words - 1 };

static struct cond *read_word(struct compiler *c, const struct node *key, const struct node *value)
{
    const char *known[WORDS + 1] = {0};
    for (size_t i = 0; i < WORDS; i++) {
        if (slice_is(key->text, cond_words[i].word))
            return cond_words[i].read(c, value);
        known[i] = cond_words[i].word;
    }
    node_problem(c->r, key, "there is no condition '%.*s'; %.*s", SLICE_ARG(key->text),
                 SLICE_ARG(node_suggest(c->r, key->text, known)));
    return NULL;
}

/* A name alone is `any: name`; several words in one map must all hold. */
struct cond *compile_cond(struct compiler *c, const struct node *node)
{
    if (node->type == NODE_STRING)
        return read_any(c, node);
    if (node->type != NODE_MAP || node->n == 0)
        return node_problem(c->r, node,
                            "a condition was expected: the name of an event, or a map such as {any: EVENT}; this is %s",
                            node_what(node)),
               NULL;
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

static bool read_of_runs(struct compiler *c, const struct node *map, enum of_runs *out)
{
    const struct node *node = node_get(map, "of");
    for (int i = 0; node && of_runs_words[i]; i++)
        if (slice_is(node->text, of_runs_words[i])) {
            *out = (enum of_runs)i;
            return true;
        }
    return !node || node_problem(c->r, node, "of: which runs count, all, failed or passed");
}

static bool read_having(struct compiler *c, const struct node *node, struct task_cond *t)
{
    static const char *const known[] = {"having", "by", "share_at_least", "share_at_most", "at_least", "of", NULL};
    const struct node *each, *by = node_get(node, "by");
    if (!is_map(c, node, "runs") || !node_known_keys(c->r, node, "runs", known) ||
        !read_fraction(c, node, "share_at_least", &t->share_at_least) ||
        !read_fraction(c, node, "share_at_most", &t->share_at_most) || !read_bound(c, node, "at_least", &t->at_least) ||
        !read_of_runs(c, node, &t->of) || (by && !node_string(c->r, by, "by", &t->by)))
        return false;
    size_t n = node_each(node_get(node, "having"), &each);
    if (n == 0)
        return node_problem(c->r, node, "runs needs having: the id of a rule, or a list of them");
    t->having = arena_array(c->r->a, struct slice, n);
    for (; t->nhaving < n; t->nhaving++)
        if (!node_string(c->r, &each[t->nhaving], "having", &t->having[t->nhaving]))
            return false;
    if (t->by.ptr && compile_capture(c, by, t->by, false) < 0)
        return false;
    return true;
}

static bool read_agree(struct compiler *c, const struct node *node, struct task_cond *t)
{
    static const char *const known[] = {"field", "at_least", "share_at_least", "of", NULL};
    t->agree = true;
    t->agree_at_least = 2;
    t->agree_of = RUNS_FAILED;
    struct slice field = slice_str("answer");
    const struct node *v;
    if (node->type == NODE_MAP) {
        if (!node_known_keys(c->r, node, "agree_on", known) || !read_bound(c, node, "at_least", &t->agree_at_least) ||
            !read_fraction(c, node, "share_at_least", &t->agree_share) || !read_of_runs(c, node, &t->agree_of) ||
            ((v = node_get(node, "field")) && !node_string(c->r, v, "field", &field)))
            return false;
    } else if (!node_string(c->r, node, "agree_on", &field)) {
        return false;
    }
    if (!slice_is(field, "answer"))
        return node_problem(c->r, node, "agree_on: runs can agree on their answer only");
    return compile_capture(c, node, slice_str("answer"), false) >= 0;
}

static bool read_differs(struct compiler *c, const struct node *node, struct task_cond *t)
{
    static const char *const known[] = {"field", "pass_rate_gap", "at_least", NULL};
    t->differs = true;
    t->differs_gap = 1;
    t->differs_at_least = 1;
    struct slice field = slice_str("model");
    const struct node *v;
    if (node->type == NODE_MAP) {
        if (!node_known_keys(c->r, node, "differs_by", known) || !read_fraction(c, node, "pass_rate_gap", &t->differs_gap) ||
            !read_bound(c, node, "at_least", &t->differs_at_least) ||
            ((v = node_get(node, "field")) && !node_string(c->r, v, "field", &field)))
            return false;
    } else if (!node_string(c->r, node, "differs_by", &field)) {
        return false;
    }
    if (!slice_is(field, "model"))
        return node_problem(c->r, node, "differs_by: runs can be set apart by their model only");
    return compile_capture(c, node, slice_str("better"), false) >= 0 && compile_capture(c, node, slice_str("worse"), false) >= 0;
}

struct task_cond *compile_task(struct compiler *c, const struct node *node)
{
    static const char *const known[] = {"runs",         "pass_rate_at_least", "pass_rate_at_most", "runs_at_least",
                                        "runs_at_most", "agree_on",           "differs_by",        NULL};
    struct task_cond *t = arena_new(c->r->a, struct task_cond);
    *t = (struct task_cond){.at = node, .share_at_least = NAN, .share_at_most = NAN, .at_least = 1, .pass_rate_at_least = NAN,
                            .pass_rate_at_most = NAN, .runs_at_least = -1, .runs_at_most = -1};
    const struct node *v;
    if (!is_map(c, node, "find") || !node_known_keys(c->r, node, "find of a task", known) ||
        ((v = node_get(node, "runs")) && !read_having(c, v, t)) || ((v = node_get(node, "agree_on")) && !read_agree(c, v, t)) ||
        ((v = node_get(node, "differs_by")) && !read_differs(c, v, t)) ||
        !read_fraction(c, node, "pass_rate_at_least", &t->pass_rate_at_least) ||
        !read_fraction(c, node, "pass_rate_at_most", &t->pass_rate_at_most) ||
        !read_bound(c, node, "runs_at_least", &t->runs_at_least) || !read_bound(c, node, "runs_at_most", &t->runs_at_most))
        return NULL;
    if (!t->nhaving && !t->agree && !t->differs)
        return node_problem(c->r, node, "a rule of scope task needs runs: {having: …}, agree_on or differs_by: a finding must "
                                        "have something to show"), NULL;
    return t;
}
