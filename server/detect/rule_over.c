/* `find:` of a rule of scope collection. */
#include "detect/rule.h"

static bool read_number(struct compiler *c, const struct node *map, const char *key, int64_t *out)
{
    const struct node *node = node_get(map, key);
    return !node || node_count(c->r, node, key, out);
}

static bool read_share(struct compiler *c, const struct node *map, const char *key, double *out)
{
    const struct node *node = node_get(map, key);
    if (!node)
        return true;
    if (!node_number(c->r, node, key, out))
        return false;
    return (*out >= 0 && *out <= 1) || node_problem(c->r, node, "%s is a share from 0 to 1", key);
}

static bool read_word(struct compiler *c, const struct node *map, const char *key, const char *const *words, int *out)
{
    const struct node *node = node_get(map, key);
    for (int i = 0; node && words[i]; i++)
        if (slice_is(node->text, words[i])) {
            *out = i;
            return true;
        }
    return !node || node_problem(c->r, node, "%s: %s%s%s%s%s was expected", key, words[0], words[1] ? ", " : "", words[1] ? words[1] : "",
                                 words[1] && words[2] ? ", " : "", words[1] && words[2] ? words[2] : "");
}

static bool read_field(struct compiler *c, const struct node *map, enum over_field *out)
{
    static const char *const fields_of_runs[] = {"model", "agent", NULL};
    int at = -1;
    if (!read_word(c, map, "field", fields_of_runs, &at))
        return false;
    *out = at < 0 ? OVER_ALL : at == 0 ? OVER_MODEL : OVER_AGENT;
    return at < 0 || compile_capture(c, map, slice_str(fields_of_runs[at]), false) >= 0;
}

static bool read_having(struct compiler *c, const struct node *map, const char *what, struct over_having *out)
{
    const struct node *each, *by = node_get(map, "by");
    size_t n = node_each(node_get(map, "having"), &each);
    if (n == 0)
        return node_problem(c->r, map, "%s needs having: the id of a rule, or a list of them", what);
    out->rules = arena_array(c->r->a, struct slice, n);
    for (; out->n < n; out->n++)
        if (!node_string(c->r, &each[out->n], "having", &out->rules[out->n]))
            return false;
    if (by && (!node_string(c->r, by, "by", &out->by) || compile_capture(c, by, out->by, false) < 0))
        return false;
    return read_number(c, map, "at_least", &out->at_least) && read_share(c, map, "share_at_least", &out->share_at_least) &&
           read_share(c, map, "share_at_most", &out->share_at_most);
}

static bool read_runs(struct compiler *c, const struct node *map, struct over_cond *o)
{
    static const char *const known[] = {"having", "by", "at_least", "share_at_least", "share_at_most", "of", "field", NULL};
    static const char *const of[] = {"all", "failed", "passed", NULL};
    int at = RUNS_ALL;
    if (!node_known_keys(c->r, map, "runs", known) || !read_having(c, map, "runs", &o->runs) || !read_word(c, map, "of", of, &at) ||
        !read_field(c, map, &o->field))
        return false;
    o->of = (enum of_runs)at;
    return true;
}

static bool read_tasks(struct compiler *c, const struct node *map, struct over_cond *o)
{
    static const char *const known[] = {"having", "by", "at_least", "share_at_least", "share_at_most", "verdict", NULL};
    static const char *const verdicts[] = {"sound", "suspect", "broken", NULL};
    int at = -1;
    if (!node_known_keys(c->r, map, "tasks", known) || !read_having(c, map, "tasks", &o->tasks) || !read_word(c, map, "verdict", verdicts, &at))
        return false;
    o->has_verdict = at >= 0;
    o->verdict = at < 0 ? TASK_SOUND : (enum task_verdict)at;
    return true;
}

static bool read_differs(struct compiler *c, const struct node *map, struct over_cond *o)
{
    static const char *const known[] = {"field", "share_gap", "at_least", NULL};
    if (!o->runs.n || o->field != OVER_ALL)
        return node_problem(c->r, map, "differs_by speaks of runs: {having: …}, which then have no field of their own");
    o->differs = true;
    o->gap = 1;
    o->differs_at_least = 1;
    if (!node_known_keys(c->r, map, "differs_by", known) || !read_field(c, map, &o->field) || !read_share(c, map, "share_gap", &o->gap) ||
        !read_number(c, map, "at_least", &o->differs_at_least))
        return false;
    if (o->field == OVER_ALL)
        return node_problem(c->r, map, "differs_by needs field: model or agent");
    return compile_capture(c, map, slice_str("more"), false) >= 0 && compile_capture(c, map, slice_str("less"), false) >= 0 &&
           compile_capture(c, map, slice_str("others"), false) >= 0;
}

struct over_cond *compile_over(struct compiler *c, const struct node *node)
{
    static const char *const known[] = {"runs", "tasks", "pass_rate_at_least", "pass_rate_at_most", "runs_at_least", "tasks_at_least", "differs_by", NULL};
    static const char *const maps[] = {"runs", "tasks", "differs_by", NULL};
    struct over_cond *o = arena_new(c->r->a, struct over_cond);
    const struct over_having none = {.at_least = 1, .share_at_least = NAN, .share_at_most = NAN};
    *o = (struct over_cond){.runs = none, .tasks = none, .pass_rate_at_least = NAN, .pass_rate_at_most = NAN};
    if (node->type != NODE_MAP)
        return node_problem(c->r, node, "find: a map of keys was expected, but this is %s", node_what(node)), NULL;
    if (!node_known_keys(c->r, node, "find of a collection", known))
        return NULL;
    for (int i = 0; maps[i]; i++)
        if (node_get(node, maps[i]) && node_get(node, maps[i])->type != NODE_MAP)
            return node_problem(c->r, node_get(node, maps[i]), "%s: a map of keys was expected, but this is %s", maps[i],
                                node_what(node_get(node, maps[i]))), NULL;
    if (!node_get(node, "runs") == !node_get(node, "tasks"))
        return node_problem(c->r, node, "a rule of scope collection needs one of runs: {having: …} and tasks: {having: …}"), NULL;
    const struct node *v;
    if (((v = node_get(node, "runs")) && !read_runs(c, v, o)) || ((v = node_get(node, "tasks")) && !read_tasks(c, v, o)) ||
        ((v = node_get(node, "differs_by")) && !read_differs(c, v, o)) || !read_share(c, node, "pass_rate_at_least", &o->pass_rate_at_least) ||
        !read_share(c, node, "pass_rate_at_most", &o->pass_rate_at_most) || !read_number(c, node, "runs_at_least", &o->runs_at_least) ||
        !read_number(c, node, "tasks_at_least", &o->tasks_at_least))
        return NULL;
    return o;
}
