/* A rule as a whole: who it is, what it says, its tests; rule_event.c and rule_cond.c read the rest. */
#include "detect/det.h"

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

bool template_next(struct slice text, size_t *at, struct slice *piece, bool *name)
{
    if (*at >= text.len)
        return false;
    for (size_t i = *at; i < text.len; i++) {
        size_t end = i + 1;
        if (text.ptr[i] != '{')
            continue;
        while (end < text.len && is_name_byte(text.ptr[end]))
            end++;
        if (end == i + 1 || end == text.len || text.ptr[end] != '}')
            continue;
        *name = i == *at;
        *piece = *name ? slice_sub(text, i + 1, end - i - 1) : slice_sub(text, *at, i - *at);
        *at = *name ? end + 1 : i;
        return true;
    }
    *name = false;
    *piece = slice_sub(text, *at, text.len);
    *at = text.len;
    return true;
}

/* Titles may name captures, {count} and, for a task, {runs}. */
static bool check_template(struct compiler *c, const struct node *at, struct slice text)
{
    struct slice piece;
    bool name;
    for (size_t i = 0; template_next(text, &i, &piece, &name);) {
        bool known = !name || slice_is(piece, "count") || (c->rule->scope == SCOPE_TASK && slice_is(piece, "runs"));
        for (int k = 0; k < c->rule->ncaptures; k++)
            known |= !c->rule->captures[k].hidden && slice_eq(c->rule->captures[k].name, piece);
        if (!known)
            return node_problem(c->r, at, "{%.*s} is no capture of this rule: a pattern with a group (?P<%.*s>…) gives one",
                                SLICE_ARG(piece), SLICE_ARG(piece));
    }
    return true;
}

static bool read_id(struct compiler *c, const struct node *rule, struct slice *id)
{
    const struct node *node = node_get(rule, "id");
    if (!node)
        return node_problem(c->r, rule, "a rule needs an id");
    if (!node_string(c->r, node, "id", id))
        return false;
    bool good = id->len > 0 && id->len <= 100;
    for (size_t i = 0; i < id->len; i++)
        good &= is_name_byte(id->ptr[i]) || id->ptr[i] == '-' || (i > 0 && id->ptr[i] == '.');
    if (!good)
        return node_problem(c->r, node, "id: letters, digits, '-', '_' and '.', at most 100 of them, as in 'missing-program'");
    c->r->rule = *id;
    return true;
}

static bool read_text(struct compiler *c, const struct node *rule, const char *key, bool needed, struct slice *out)
{
    const struct node *node = node_get(rule, key);
    if (!node)
        return !needed || node_problem(c->r, rule, "a rule needs %s", key);
    if (!node_string(c->r, node, key, out))
        return false;
    *out = slice_trim(*out);
    return out->len > 0 || node_problem(c->r, node, "%s is empty", key);
}

static bool read_behavior(struct compiler *c, const struct node *rule)
{
    if (!read_text(c, rule, "behavior", true, &c->rule->behavior))
        return false;
    const struct behavior *b = behavior_find(c->rule->behavior);
    if (b) {
        c->rule->kind = b->kind;
        return true;
    }
    const char **known = arena_array(c->r->report, const char *, behavior_count + 1);
    for (size_t i = 0; i < behavior_count; i++)
        known[i] = behaviors[i].name;
    return node_problem(c->r, node_get(rule, "behavior"), "'%.*s' is no behaviour of the vocabulary; %.*s",
                        SLICE_ARG(c->rule->behavior), SLICE_ARG(node_suggest(c->r, c->rule->behavior, known)));
}

/* Severity, confidence, scope, and whether it is asked at all. */
static bool read_weight(struct compiler *c, const struct node *rule)
{
    static const double confidences[] = {0.4, 0.7, 0.9};
    const struct node *node = node_get(rule, "severity");
    c->rule->severity = SEVERITY_MEDIUM;
    if (node && !severity_parse(node->text, &c->rule->severity))
        return node_problem(c->r, node, "severity is low, medium or high");
    c->rule->confidence = confidences[c->rule->severity];
    node = node_get(rule, "confidence");
    if (node &&
        (!node_number(c->r, node, "confidence", &c->rule->confidence) || c->rule->confidence < 0 || c->rule->confidence > 1))
        return node->type == NODE_NUMBER ? node_problem(c->r, node, "confidence is a number from 0 to 1") : false;
    node = node_get(rule, "scope");
    if (node && (!scope_parse(node->text, &c->rule->scope) || c->rule->scope == SCOPE_COLLECTION))
        return node_problem(c->r, node, "scope is run or task");
    node = node_get(rule, "enabled");
    c->rule->enabled = true;
    return !node || node_bool(c->r, node, "enabled", &c->rule->enabled);
}

/* ---- parameters and code --------------------------------------------------------------------------------------------- */

static bool is_parameter(const struct node *value)
{
    const struct node *each;
    size_t n = node_each(value, &each);
    for (size_t i = 0; i < n; i++)
        if (each[i].type != NODE_STRING && each[i].type != NODE_NUMBER && each[i].type != NODE_BOOL)
            return false;
    return true;
}

static bool read_parameters(struct reader *r, const struct node *rule, struct definitions *names)
{
    const struct node *map = node_get(rule, "parameters");
    if (!map)
        return true;
    if (map->type != NODE_MAP)
        return node_problem(r, map, "parameters: a map of names and their defaults was expected, but this is %s", node_what(map));
    for (size_t i = 0; i < map->n; i++) {
        if (!is_parameter(&map->items[i]))
            return node_problem(r, &map->items[i], "a parameter is a number, a text, true or false, or a list of these, but this is %s", node_what(&map->items[i]));
        if (!definitions_add(r, names, &map->keys[i], &map->items[i], "parameter"))
            return false;
    }
    return true;
}

static bool read_code(struct compiler *c, const struct node *rule)
{
    static const char *const without[] = {"events", "find", "except", NULL};
    const struct node *node = node_get(rule, "code");
    struct slice name;
    if (!node)
        return true;
    for (size_t i = 0; without[i]; i++)
        if (node_get(rule, without[i]))
            return node_problem(c->r, node_get(rule, without[i]), "a rule has code, or %s: not both", without[i]);
    if (!node_string(c->r, node, "code", &name))
        return false;
    const char **known = arena_array(c->r->report, const char *, det_count + 1);
    for (size_t i = 0; i < det_count; i++) {
        known[i] = dets[i].name;
        if (slice_is(name, dets[i].name))
            c->rule->code = &dets[i];
    }
    if (!c->rule->code)
        return node_problem(c->r, node, "there is no code '%.*s'; %.*s", SLICE_ARG(name), SLICE_ARG(node_suggest(c->r, name, known)));
    return (c->rule->scope == SCOPE_RUN ? c->rule->code->run != NULL : c->rule->code->task != NULL) ||
           node_problem(c->r, node, "the code '%.*s' is not for rules of scope %s", SLICE_ARG(name), scope_name(c->rule->scope));
}

static bool read_events(struct compiler *c, const struct node *rule)
{
    const struct node *node = node_get(rule, "events");
    if (!node)
        return true;
    if (node->type != NODE_MAP)
        return node_problem(c->r, node, "events: a map of names, each with an event, was expected, but this is %s",
                            node_what(node));
    if (c->rule->scope == SCOPE_TASK)
        return node_problem(c->r, node, "a rule of scope task has no events: it speaks of what rules of scope run have found");
    if (node->n > EVENTS_MAX)
        return node_problem(c->r, node, "more than %d events in one rule", EVENTS_MAX);
    for (size_t i = 0; i < node->n; i++)
        if (!compile_event(c, node->keys[i].text, &node->items[i]))
            return false;
    return true;
}

/* May it hold in a run where none of the rule's events occurs? */
static bool holds_of_nothing(const struct cond *cond)
{
    bool all = true, any = false;
    for (size_t i = 0; i < cond->nkids; i++) {
        all &= holds_of_nothing(cond->kids[i]);
        any |= holds_of_nothing(cond->kids[i]);
    }
    switch (cond->type) {
    case COND_AND: return all;
    case COND_OR: return any;
    case COND_NOT: return true;
    case COND_COUNT:
    case COND_DISTINCT: return cond->at_least < 1;
    case COND_ANY:
    case COND_REPEAT:
    case COND_SEQUENCE:
    case COND_ABSENT:
    case COND_EDGE:
    case COND_RATIO: return false;
    }
    return false;
}

/* ---- leads: of events that must occur, the cheapest to look for; the rest waits until one of them does ----------- */

/* How good: nothing is known; a verdict, which every other run has; known by its literals; what few runs' records say. */
enum lead { LEAD_NONE, LEAD_VERDICT, LEAD_LITERAL, LEAD_RECORD };

static enum lead lead_of_event(const struct event_def *def)
{
    if (def->kinds & EVENT_BIT(EVENT_FINDING))
        return LEAD_NONE; /* nothing is found before the rule's other events are */
    if (def->kinds != EVENT_BIT(EVENT_END))
        return def->trigger >= 0 ? LEAD_LITERAL : LEAD_NONE;
    for (size_t i = 0; i < def->nmatchers; i++)
        if (def->matchers[i].field != FIELD_SUCCESS && !def->matchers[i].negate)
            return LEAD_RECORD;
    return LEAD_VERDICT;
}

static enum lead lead_of_events(const struct of *of)
{
    enum lead worst = LEAD_RECORD;
    for (size_t i = 0; i < of->n; i++) {
        enum lead one = lead_of_event(of->defs[i]);
        worst = one < worst ? one : worst;
    }
    return of->n ? worst : LEAD_NONE;
}

static void add_leads(struct arena *a, struct of *to, const struct of *from)
{
    struct event_def **defs = arena_array(a, struct event_def *, to->n + from->n + 1);
    if (to->n)
        memcpy(defs, to->defs, to->n * sizeof *defs);
    if (from->n)
        memcpy(defs + to->n, from->defs, from->n * sizeof *defs);
    *to = (struct of){.defs = defs, .n = to->n + from->n};
}

/* A set of events of which one at least must occur for the condition to hold. */
static enum lead find_leads(struct arena *a, const struct cond *cond, struct of *leads)
{
    enum lead best = LEAD_NONE;
    *leads = (struct of){0};
    switch (cond->type) {
    case COND_ANY:
    case COND_EDGE:
    case COND_REPEAT:
        *leads = cond->of;
        return lead_of_events(leads);
    case COND_COUNT:
    case COND_DISTINCT:
        if (cond->at_least > 0)
            *leads = cond->of;
        return lead_of_events(leads);
    case COND_ABSENT:
    case COND_RATIO:
        *leads = cond->other;
        return lead_of_events(leads);
    case COND_SEQUENCE:
        for (size_t i = 0; i < cond->nsteps; i++) {
            enum lead one = cond->steps[i].negate ? LEAD_NONE : lead_of_events(&cond->steps[i].of);
            if (one > best)
                best = one, *leads = cond->steps[i].of;
        }
        return best;
    case COND_AND:
        for (size_t i = 0; i < cond->nkids; i++) {
            struct of kid;
            enum lead one = find_leads(a, cond->kids[i], &kid);
            if (one > best)
                best = one, *leads = kid;
        }
        return best;
    case COND_OR:
        best = LEAD_RECORD;
        for (size_t i = 0; i < cond->nkids; i++) {
            struct of kid;
            enum lead one = find_leads(a, cond->kids[i], &kid);
            best = one < best ? one : best;
            add_leads(a, leads, &kid);
        }
        return cond->nkids ? best : LEAD_NONE;
    case COND_NOT: return LEAD_NONE;
    }
    return LEAD_NONE;
}

/* Behind a rare lead all others wait; behind a verdict, those that no literal announces. */
static void set_leads(struct arena *a, struct rule *rule)
{
    enum lead lead = find_leads(a, rule->find, &rule->leads);
    if (lead == LEAD_NONE)
        rule->leads = (struct of){0};
    for (size_t i = 0; i < rule->nevents && lead != LEAD_NONE; i++) {
        struct event_def *def = rule->events[i];
        def->late = lead > LEAD_VERDICT || (def->trigger < 0 && def->kinds != EVENT_BIT(EVENT_END));
        for (size_t k = 0; k < rule->leads.n; k++)
            def->late &= rule->leads.defs[k] != def;
    }
}

static bool read_conditions(struct compiler *c, const struct node *rule)
{
    const struct node *find = node_get(rule, "find"), *except = node_get(rule, "except");
    if (c->rule->code)
        return true;
    if (!find)
        return node_problem(c->r, rule, "a rule needs find, the condition that makes a finding, or code");
    if (c->rule->scope == SCOPE_TASK) {
        if (except)
            return node_problem(c->r, except, "a rule of scope task has no except");
        return (c->rule->task = compile_task(c, find));
    }
    if (!(c->rule->find = compile_cond(c, find)))
        return false;
    const struct node *each;
    size_t n = node_each(except, &each);
    c->rule->excepts = arena_array(c->r->a, struct cond *, n + 1);
    for (; c->rule->nexcepts < n; c->rule->nexcepts++)
        if (!(c->rule->excepts[c->rule->nexcepts] = compile_cond(c, &each[c->rule->nexcepts])))
            return false;
    c->rule->always = holds_of_nothing(c->rule->find);
    set_leads(c->r->a, c->rule);
    return true;
}

static bool read_tests(struct compiler *c, const struct node *rule)
{
    static const char *const known[] = {"hit", "clean", NULL};
    const struct node *tests = node_get(rule, "tests");
    if (!tests)
        return true;
    if (tests->type != NODE_MAP)
        return node_problem(c->r, tests, "tests: a map with hit and clean was expected, but this is %s", node_what(tests));
    if (!node_known_keys(c->r, tests, "tests", known))
        return false;
    const struct node *lists[] = {node_get(tests, "hit"), node_get(tests, "clean")};
    for (int i = 0; i < 2; i++)
        if (lists[i] && lists[i]->type != NODE_LIST)
            return node_problem(c->r, lists[i], "%s is a list of runs, each a list of events", known[i]);
    struct node *kept = arena_array(c->r->a, struct node, 2);
    for (int i = 0; i < 2; i++)
        if (lists[i])
            kept[i] = *lists[i];
    c->rule->hit = lists[0] ? &kept[0] : NULL;
    c->rule->clean = lists[1] ? &kept[1] : NULL;
    return true;
}

static struct slice json_of(struct arena *a, const struct node *node)
{
    struct str text = STR_INIT(1 << 20);
    node_canonical(&text, node, NULL);
    struct slice out = arena_dup(a, str_slice(&text));
    str_free(&text);
    return out;
}

/* What a rule means, not how it is written: tests and the order of keys do not count. */
static void set_version(struct rule *rule, const struct node *node)
{
    struct str text = STR_INIT(64 << 20);
    node_canonical(&text, node, "tests");
    if (rule->code)
        str_printf(&text, "%d", rule->code->revision);
    unsigned char h[HASH_SIZE];
    hash_of(str_slice(&text), h);
    hash_hex(h, HASH_SIZE, rule->version);
    str_free(&text);
}

struct rule *rule_compile(struct reader *r, struct pattern_table *patterns, const struct definitions *names, const struct rule_text *text)
{
    static const char *const known[] = {"id", "title", "message", "behavior", "severity", "confidence", "scope", "enabled", "why", "unsure",
                                        "source", "parameters", "events", "find", "except", "code", "tests", NULL};
    static const char *const verbatim[] = {"id", "parameters", "tests", NULL};
    struct rule *rule = arena_new(r->a, struct rule);
    struct node *node = arena_new(r->a, struct node);
    struct compiler c = {.r = r, .patterns = patterns, .rule = rule};
    struct definitions own = {.outer = names};
    r->rule = SLICE_NONE;
    rule->file = arena_dup(r->a, r->file);
    rule->line = text->node.line;
    rule->text = arena_dup(r->a, text->source);
    bool good = read_id(&c, &text->node, &rule->id) && read_parameters(r, &text->node, &own) &&
                node_expand(r, &text->node, &own, verbatim, node) && node_known_keys(r, node, "a rule", known) &&
                read_text(&c, node, "title", true, &rule->title) && read_text(&c, node, "message", false, &rule->message) &&
                read_text(&c, node, "why", false, &rule->why) && read_text(&c, node, "unsure", false, &rule->unsure) &&
                read_text(&c, node, "source", false, &rule->source) && read_behavior(&c, node) && read_weight(&c, node) &&
                read_code(&c, node) && read_events(&c, node) && read_conditions(&c, node) && read_tests(&c, node) &&
                (rule->code || (check_template(&c, node_get(node, "title"), rule->title) &&
                                check_template(&c, node_get(node, "message"), rule->message)));
    if (!good)
        return NULL;
    rule->parameters = node_get(node, "parameters");
    if (rule->parameters)
        rule->parameters_json = json_of(r->a, rule->parameters);
    for (size_t i = 0; i < rule->nevents; i++)
        rule->over_findings |= (rule->events[i]->kinds & EVENT_BIT(EVENT_FINDING)) != 0;
    set_version(rule, node);
    return rule;
}
