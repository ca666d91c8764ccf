/* `find:` of a rule of scope collection, as the schema has let it through. */
#include "detect/rule.h"

static int word_of(const struct node *map, const char *key, const char *const *words, int otherwise)
{
    const struct node *node = node_get(map, key);
    for (int i = 0; node && words[i]; i++)
        if (slice_is(node->text, words[i]))
            return i;
    return otherwise;
}

static bool read_field(struct compiler *c, const struct node *map, enum over_field *out)
{
    static const char *const names[] = {"all", "model", "agent", NULL};
    *out = (enum over_field)word_of(map, "field", names, OVER_ALL);
    return *out == OVER_ALL || compile_capture(c, map, slice_str(names[*out]), false) >= 0;
}

static bool read_having(struct compiler *c, const struct node *map, struct over_having *out)
{
    const struct node *each, *by = node_get(map, "by");
    size_t n = node_each(node_get(map, "having"), &each);
    out->at_least = node_count_of(map, "at_least", 1);
    out->share_at_least = node_number_of(map, "share_at_least", NAN);
    out->share_at_most = node_number_of(map, "share_at_most", NAN);
    out->by = node_text_of(map, "by");
    out->rules = arena_array(c->r->a, struct slice, n + 1);
    for (; out->n < n; out->n++)
        out->rules[out->n] = each[out->n].text;
    return !by || compile_capture(c, by, out->by, false) >= 0;
}

static bool read_runs(struct compiler *c, const struct node *map, struct over_cond *o)
{
    o->of = (enum of_runs)word_of(map, "of", of_runs_words, RUNS_ALL);
    return read_having(c, map, &o->runs) && read_field(c, map, &o->field);
}

static bool read_tasks(struct compiler *c, const struct node *map, struct over_cond *o)
{
    static const char *const verdicts[] = {"sound", "suspect", "broken", NULL};
    int at = word_of(map, "verdict", verdicts, -1);
    o->has_verdict = at >= 0;
    o->verdict = at < 0 ? TASK_SOUND : (enum task_verdict)at;
    return read_having(c, map, &o->tasks);
}

static bool read_differs(struct compiler *c, const struct node *map, struct over_cond *o)
{
    static const char *const captures[] = {"more", "less", "others", NULL};
    if (o->field != OVER_ALL)
        return node_problem(c->r, map, "differs_by speaks of all runs: those of runs then have no field of their own");
    o->differs = true;
    o->gap = node_number_of(map, "share_gap", 1);
    o->p = node_number_of(map, "p", DIFFERS_P);
    o->differs_at_least = node_count_of(map, "at_least", 1);
    for (int i = 0; captures[i]; i++)
        if (compile_capture(c, map, slice_str(captures[i]), false) < 0)
            return false;
    return read_field(c, map, &o->field);
}

struct over_cond *compile_over(struct compiler *c, const struct node *node)
{
    struct over_cond *o = arena_new(c->r->a, struct over_cond);
    *o = (struct over_cond){.pass_rate_at_least = node_number_of(node, "pass_rate_at_least", NAN),
                            .pass_rate_at_most = node_number_of(node, "pass_rate_at_most", NAN),
                            .runs_at_least = node_count_of(node, "runs_at_least", 0),
                            .tasks_at_least = node_count_of(node, "tasks_at_least", 0)};
    const struct node *runs = node_get(node, "runs"), *tasks = node_get(node, "tasks"), *differs = node_get(node, "differs_by");
    bool good = (!runs || read_runs(c, runs, o)) && (!tasks || read_tasks(c, tasks, o)) && (!differs || read_differs(c, differs, o));
    return good ? o : NULL;
}
