/* `events:` - what is looked at (`on:`), and what must hold of it. */
#include "detect/rule.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#define MESSAGES (EVENT_BIT(EVENT_SYSTEM) | EVENT_BIT(EVENT_USER) | EVENT_BIT(EVENT_ASSISTANT) | EVENT_BIT(EVENT_RESULT))
#define TEXTS (MESSAGES | EVENT_BIT(EVENT_REASONING) | EVENT_BIT(EVENT_ERROR))
#define CALL EVENT_BIT(EVENT_CALL)
#define RESULT (EVENT_BIT(EVENT_RESULT) | EVENT_BIT(EVENT_ERROR))
#define SCORE EVENT_BIT(EVENT_SCORE)
#define END EVENT_BIT(EVENT_END)
#define FINDING EVENT_BIT(EVENT_FINDING)

const struct field_info fields[FIELD_COUNT] = {
    [FIELD_TEXT] = {"text", false, false, TEXTS},
    [FIELD_ROLE] = {"role", false, false, MESSAGES},
    [FIELD_NAME] = {"name", false, false, CALL | EVENT_BIT(EVENT_RESULT) | SCORE | END},
    [FIELD_ARGS] = {"args", false, false, CALL},
    [FIELD_ARG] = {"args", true, false, CALL},
    [FIELD_ERROR] = {"error", false, false, MESSAGES | CALL | END},
    [FIELD_MODEL] = {"model", false, false, TEXTS | CALL | END},
    [FIELD_TOKENS] = {"tokens", false, true, MESSAGES | END},
    [FIELD_TOKENS_IN] = {"tokens_in", false, true, MESSAGES | END},
    [FIELD_DURATION] = {"duration", false, true, MESSAGES | END},
    [FIELD_INDEX] = {"index", false, true, TEXTS | CALL},
    [FIELD_LENGTH] = {"length", false, true, TEXTS},
    [FIELD_FINISH_REASON] = {"finish_reason", false, false, MESSAGES | CALL},
    [FIELD_METADATA] = {"metadata", true, false, TEXTS | CALL | SCORE | END},
    [FIELD_CALL_NAME] = {"call.name", false, false, RESULT},
    [FIELD_CALL_ARGS] = {"call.args", false, false, RESULT},
    [FIELD_CALL_ARG] = {"call.args", true, false, RESULT},
    [FIELD_RESULT_TEXT] = {"result.text", false, false, CALL},
    [FIELD_RESULT_ERROR] = {"result.error", false, false, CALL},
    [FIELD_VALUE] = {"value", false, false, SCORE},
    [FIELD_ANSWER] = {"answer", false, false, SCORE},
    [FIELD_TARGET] = {"target", false, false, SCORE},
    [FIELD_EXPLANATION] = {"explanation", false, false, SCORE},
    [FIELD_SUCCESS] = {"success", false, false, END},
    [FIELD_EXIT_STATUS] = {"exit_status", false, false, END},
    [FIELD_LIMIT] = {"limit", false, false, END},
    [FIELD_AGENT] = {"agent", false, false, END},
    [FIELD_TASK_ID] = {"task_id", false, false, END},
    [FIELD_ATTEMPT] = {"attempt", false, true, END},
    [FIELD_MESSAGES] = {"messages", false, true, END},
    [FIELD_CALLS] = {"calls", false, true, END | EVENT_BIT(EVENT_ASSISTANT)},
    [FIELD_COST] = {"cost", false, true, END},
    [FIELD_TAGS] = {"tags", false, false, END},
    [FIELD_SCORE] = {"score", true, false, END},
    [FIELD_DETECTOR] = {"detector", false, false, FINDING},
    [FIELD_BEHAVIOR] = {"behavior", false, false, FINDING},
    [FIELD_KIND] = {"kind", false, false, FINDING},
    [FIELD_SEVERITY] = {"severity", false, false, FINDING},
    [FIELD_TITLE] = {"title", false, false, FINDING},
    [FIELD_CONFIDENCE] = {"confidence", false, true, FINDING},
    [FIELD_CAPTURE] = {"capture", true, false, FINDING},
};

const struct event_word event_words[] = {
    {"message", MESSAGES},
    {"assistant", EVENT_BIT(EVENT_ASSISTANT)},
    {"user", EVENT_BIT(EVENT_USER)},
    {"system", EVENT_BIT(EVENT_SYSTEM)},
    {"reasoning", EVENT_BIT(EVENT_REASONING)},
    {"tool_call", CALL},
    {"tool_result", EVENT_BIT(EVENT_RESULT)},
    {"error", EVENT_BIT(EVENT_ERROR)},
    {"score", SCORE},
    {"end", END},
    {"finding", FINDING},
    {NULL, 0},
};

static unsigned read_on(const struct node *node)
{
    unsigned kinds = 0;
    const struct node *each;
    size_t n = node_each(node, &each);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; event_words[k].name; k++)
            if (slice_is(each[i].text, event_words[k].name))
                kinds |= event_words[k].kinds;
    return kinds;
}

/* ---- captures ---------------------------------------------------------------------------------------------------- */

int compile_capture(struct compiler *c, const struct node *at, struct slice name, bool hidden)
{
    struct rule *rule = c->rule;
    for (int i = 0; i < rule->ncaptures; i++)
        if (slice_eq(rule->captures[i].name, name))
            return i;
    if (!hidden && slice_is(name, "count"))
        return node_problem(c->r, at, "a group cannot be named 'count': {count} in a title is the number of matches"), -1;
    if (rule->ncaptures == CAPTURES_MAX)
        return node_problem(c->r, at, "more than %d different captures in one rule", CAPTURES_MAX), -1;
    rule->captures[rule->ncaptures] = (struct capture){arena_dup(c->r->a, name), hidden};
    return rule->ncaptures++;
}

/* ---- fields ------------------------------------------------------------------------------------------------------ */

/* "args.cmd" is the field `args` with the key `cmd`; "call.args.cmd" is `call.args` with it. */
bool compile_field(struct compiler *c, const struct node *at, struct slice name, unsigned kinds, enum field *field,
                   struct slice *key)
{
    const char *known[FIELD_COUNT + 1] = {0};
    size_t nknown = 0;
    for (int i = 0; i < FIELD_COUNT; i++) {
        const struct field_info *f = &fields[i];
        size_t len = strlen(f->name);
        bool same = f->keyed ? name.len > len + 1 && slice_starts(name, f->name) && name.ptr[len] == '.' : slice_is(name, f->name);
        if (same && (f->kinds & kinds)) {
            *field = (enum field)i;
            *key = f->keyed ? slice_sub(name, len + 1, name.len) : SLICE_NONE;
            return true;
        }
        if (f->kinds & kinds)
            known[nknown++] = f->keyed ? arena_strdup(c->r->report, arena_printf(c->r->report, "%s.KEY", f->name)) : f->name;
    }
    return node_problem(c->r, at, "this kind of event has no field '%.*s'; %.*s", SLICE_ARG(name),
                        SLICE_ARG(node_suggest(c->r, name, known)));
}

/* The kinds of event whose field passes by as text, so that a pattern's literals are looked for in it. */
static unsigned scanned_kinds(enum field field)
{
    return field == FIELD_TEXT ? TEXTS : field == FIELD_NAME || field == FIELD_ARGS || field == FIELD_ARG ? CALL : 0;
}

static unsigned scanned_classes(unsigned kinds, enum field field)
{
    if (field == FIELD_TEXT || !(kinds & scanned_kinds(field)))
        return kinds & scanned_kinds(field);
    return field == FIELD_NAME ? 1u << CLASS_NAME : field == FIELD_ARGS ? 1u << CLASS_ARGS : 1u << CLASS_VALUES;
}

/* ---- patterns ---------------------------------------------------------------------------------------------------- */

static uint64_t pattern_hash(struct slice text, int flags)
{
    unsigned char h[HASH_SIZE];
    hash_of(text, h);
    uint64_t out;
    memcpy(&out, h, sizeof out);
    return out ^ (uint64_t)flags;
}

static int gram_rarity(const unsigned char *gram)
{
    /* How much a byte says, from what text and code are mostly made of. */
    static const char *const classes[] = {" etaoinsr", "lhdcumpfgy\n", "wbvk0123456789./-_", "jxqz:,;()'\"=[]{}"};
    int rarity = 0;
    for (int i = 0; i < 4; i++) {
        int one = 4;
        for (int k = 0; k < 4; k++)
            if (gram[i] && strchr(classes[k], gram[i]))
                one = k;
        rarity += one;
    }
    return rarity;
}

static size_t best_gram(struct slice literal, int *rarity)
{
    size_t best = 0;
    *rarity = -1;
    for (size_t i = 0; i + 4 <= literal.len; i++) {
        int r = gram_rarity((const unsigned char *)literal.ptr + i);
        if (r > *rarity)
            *rarity = r, best = i;
    }
    return best;
}

size_t pattern_gram(struct slice literal)
{
    int rarity;
    return best_gram(literal, &rarity);
}

/* Words of which English text is full, and so is every text by and for agents. */
static bool is_common(struct slice literal)
{
    static const char *const common[] = {"a",   "all",   "an",  "and", "any", "are",  "as",   "be",    "been", "by",
                                         "can", "every", "for", "had", "has", "have", "i",    "if",    "in",   "is",
                                         "it",  "line",  "my",  "no",  "not", "of",   "on",   "or",    "so",   "that",
                                         "the", "this",  "to",  "was", "we",  "were", "with", "would", "you",  "your"};
    for (size_t i = 0; i < literal.len;) {
        size_t start = i;
        while (i < literal.len && literal.ptr[i] >= 'a' && literal.ptr[i] <= 'z')
            i++;
        struct slice word = slice_sub(literal, start, i - start);
        bool found = word.len == 0;
        for (size_t k = 0; k < sizeof common / sizeof *common && !found; k++)
            found = slice_is(word, common[k]);
        if (!found || (word.len == 0 && literal.ptr[i++] != ' '))
            return false;
    }
    return true;
}

/* Of the clauses that must all hold, the one whose commonest literal is the rarest. */
static struct clause best_clause(const struct needs *needs)
{
    struct clause best = {0};
    int most = INT_MIN;
    for (size_t i = 0; i < needs->n; i++) {
        int least = 1 << 20;
        for (size_t k = 0; k < needs->all[i].n; k++) {
            int rarity;
            best_gram(needs->all[i].any[k], &rarity);
            rarity = is_common(needs->all[i].any[k])
                         ? 0
                         : 16 * rarity + (int)(needs->all[i].any[k].len < 15 ? needs->all[i].any[k].len : 15);
            least = rarity < least ? rarity : least;
        }
        least -= (int)(needs->all[i].n < 64 ? needs->all[i].n : 64); /* each alternative is one more chance to be there */
        if (least > most)
            most = least, best = needs->all[i];
    }
    return best;
}

static struct pattern *pattern_get(struct compiler *c, const struct node *at, struct slice text, int flags)
{
    struct pattern_table *t = c->patterns;
    uint64_t hash = pattern_hash(text, flags);
    for (size_t i = 0; i < t->n; i++)
        if (t->hashes[i] == hash && t->items[i]->flags == flags && slice_eq(t->items[i]->text, text))
            return t->items[i];
    struct err e = {0};
    struct regex *re;
    if (!regex_compile(text, flags, &re, &e)) {
        node_problem(c->r, at, "%s", e.text);
        return NULL;
    }
    struct pattern *p = arena_new(c->r->a, struct pattern);
    struct needs needs;
    needs_of_pattern(c->r->a, text, flags, &needs);
    *p = (struct pattern){.re = re, .text = text, .flags = flags, .index = (uint32_t)t->n, .needs = best_clause(&needs)};
    for (size_t i = 0; i < regex_group_count(re); i++) {
        int number;
        regex_group_name(re, i, &number);
        p->groups = (uint32_t)number > p->groups && number < REGEX_GROUPS ? (uint32_t)number : p->groups;
    }
    t->items = arena_grow(c->r->a, t->items, t->n, &t->cap, sizeof *t->items);
    t->hashes = arena_grow(c->r->a, t->hashes, t->n, &t->hashes_cap, sizeof *t->hashes);
    t->items[t->n] = p;
    t->hashes[t->n++] = hash;
    return p;
}

/* ---- matchers ---------------------------------------------------------------------------------------------------- */

/* compile_event refuses an event of more than MATCHERS_MAX. */
static void add_matcher(struct compiler *c, struct event_def *def, size_t *cap, struct matcher m)
{
    def->matchers = arena_grow(c->r->a, def->matchers, def->nmatchers, cap, sizeof *def->matchers);
    m.written = (int)def->nmatchers;
    def->matchers[def->nmatchers++] = m;
}

static bool add_regex(struct compiler *c, struct event_def *def, size_t *cap, const struct node *at, struct matcher m,
                      struct slice text, int flags)
{
    if (fields[m.field].number)
        return node_problem(c->r, at, "%s is a number: compare it with is, over, under, at_least or at_most",
                            fields[m.field].name);
    m.op = OP_REGEX;
    m.pattern = pattern_get(c, at, text, flags);
    if (!m.pattern)
        return false;
    m.pattern->classes |= scanned_classes(def->kinds, m.field);
    size_t groups = regex_group_count(m.pattern->re);
    m.binds = arena_array(c->r->a, struct bind, groups);
    for (size_t i = 0; i < groups && !m.negate; i++) {
        int group;
        const char *name = regex_group_name(m.pattern->re, i, &group);
        int capture = group < REGEX_GROUPS ? compile_capture(c, at, slice_str(name), false) : -1;
        if (capture < 0)
            return group < REGEX_GROUPS ? false : node_problem(c->r, at, "more than %d groups in one pattern", REGEX_GROUPS - 1);
        m.binds[m.nbinds++] = (struct bind){group, capture};
    }
    add_matcher(c, def, cap, m);
    return true;
}

/* Any of some literal texts, as one pattern. */
static bool add_literals(struct compiler *c, struct event_def *def, size_t *cap, const struct node *node, struct matcher m,
                         int flags)
{
    const struct node *each;
    size_t n = node_each(node, &each);
    if (n == 1)
        return add_regex(c, def, cap, each, m, each->text, flags | REGEX_LITERAL);
    struct str pattern = STR_INIT(60 << 10);
    node_alternation(&pattern, node);
    bool good = !pattern.full || node_problem(c->r, node, "the literals are larger than 60 KB together");
    struct slice text = arena_dup(c->r->a, str_slice(&pattern));
    str_free(&pattern);
    return good && add_regex(c, def, cap, node, m, text, flags);
}

static void add_is(struct compiler *c, struct event_def *def, size_t *cap, const struct node *node, struct matcher m)
{
    const struct node *each;
    size_t n = node_each(node, &each);
    m.op = fields[m.field].number ? OP_NUMBER : OP_IS;
    m.min = m.max = node->number;
    m.words = arena_array(c->r->a, struct slice, n + 1);
    for (; m.nwords < n; m.nwords++)
        m.words[m.nwords] = each[m.nwords].type == NODE_NULL ? slice_str("null") : each[m.nwords].text;
    add_matcher(c, def, cap, m);
}

/* "> 3", ">= 3", "< 3", "<= 3", as a number field's short form. */
static bool add_comparison(struct compiler *c, struct event_def *def, size_t *cap, const struct node *node, struct matcher m)
{
    char text[64];
    snprintf(text, sizeof text, "%.*s", SLICE_ARG(slice_cut(node->text, sizeof text - 1)));
    bool less = text[0] == '<', open = text[1] != '=';
    double x = strtod(text + (open ? 1 : 2), NULL);
    if (text[0] != '<' && text[0] != '>')
        return node_problem(c->r, node, "%s is a number: write a number, '> 3', '<= 3', or {over, under, at_least, at_most}",
                            fields[m.field].name);
    m.op = OP_NUMBER;
    m.min = less ? -INFINITY : x, m.min_open = !less && open;
    m.max = less ? x : INFINITY, m.max_open = less && open;
    add_matcher(c, def, cap, m);
    return true;
}

static bool add_matchers(struct compiler *c, struct event_def *def, size_t *cap, const struct node *node, struct matcher m);

/* `same_as: OTHER.field`: both events bind a hash of their value to one hidden capture, and captures join. */
static bool add_same(struct compiler *c, struct event_def *def, size_t *cap, const struct node *node, struct matcher m)
{
    struct slice text = node->text;
    ptrdiff_t dot = slice_find(text, slice_str("."));
    if (m.negate)
        return node_problem(c->r, node, "same_as cannot be under not: use a `not` condition");
    struct event_def *other = compile_event_find(c, slice_sub(text, 0, (size_t)dot));
    if (!other)
        return node_problem(c->r, node, "same_as: there is no event '%.*s' above this one", (int)dot, text.ptr);
    struct matcher there = {.op = OP_SAME, .lends = true};
    if (!compile_field(c, node, slice_sub(text, (size_t)dot + 1, text.len), other->kinds, &there.field, &there.key))
        return false;
    m.op = OP_SAME;
    m.capture = there.capture = compile_capture(c, node, arena_printf(c->r->a, "same_as %.*s", SLICE_ARG(text)), true);
    if (m.capture < 0)
        return false;
    bool bound = false;
    for (size_t i = 0; i < other->nmatchers; i++)
        bound |= other->matchers[i].op == OP_SAME && other->matchers[i].capture == m.capture;
    if (!bound && other->nmatchers == MATCHERS_MAX)
        return node_problem(c->r, node, "more than %d matchers in one event", MATCHERS_MAX);
    if (!bound) {
        size_t full = other->nmatchers; /* grown by one: rules have few of these */
        add_matcher(c, other, &full, there);
    }
    add_matcher(c, def, cap, m);
    return true;
}

static bool add_not(struct compiler *c, struct event_def *def, size_t *cap, const struct node *node, struct matcher m)
{
    const struct node *each;
    size_t n = node_each(node, &each);
    if (m.negate)
        return node_problem(c->r, node, "not inside not: write the matcher itself");
    m.negate = true;
    for (size_t i = 0; i < n; i++)
        if (!add_matchers(c, def, cap, &each[i], m))
            return false;
    return true;
}

static bool add_matcher_map(struct compiler *c, struct event_def *def, size_t *cap, const struct node *node, struct matcher m)
{
    int flags = (node_flag_of(node, "nocase", false) ? REGEX_NOCASE : 0) | (node_flag_of(node, "word", false) ? REGEX_WORD : 0);
    const struct node *v;
    m.nocase = flags & REGEX_NOCASE;
    if ((v = node_get(node, "regex")) && !add_regex(c, def, cap, v, m, v->text, flags))
        return false;
    if ((v = node_get(node, "literal")) && !add_literals(c, def, cap, v, m, flags))
        return false;
    if ((v = node_get(node, "is")))
        add_is(c, def, cap, v, m);
    if ((v = node_get(node, "same_as")) && !add_same(c, def, cap, v, m))
        return false;
    if ((v = node_get(node, "present"))) {
        struct matcher p = m;
        p.op = OP_PRESENT, p.present = v->boolean;
        add_matcher(c, def, cap, p);
    }
    static const struct {
        const char *key;
        bool low, open;
    } bounds[] = {{"over", true, true}, {"at_least", true, false}, {"under", false, true}, {"at_most", false, false}};
    struct matcher range = m;
    range.op = OP_NUMBER, range.min = -INFINITY, range.max = INFINITY;
    bool ranged = false;
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) {
        if (!(v = node_get(node, bounds[i].key)))
            continue;
        ranged = true;
        *(bounds[i].low ? &range.min : &range.max) = v->number;
        *(bounds[i].low ? &range.min_open : &range.max_open) = bounds[i].open;
    }
    if (ranged)
        add_matcher(c, def, cap, range);
    return !(v = node_get(node, "not")) || add_not(c, def, cap, v, m);
}

/* What a field's value may be: see web/docs/rules.md, "Matchers". */
static bool add_matchers(struct compiler *c, struct event_def *def, size_t *cap, const struct node *node, struct matcher m)
{
    switch (node->type) {
    case NODE_STRING:
        return fields[m.field].number ? add_comparison(c, def, cap, node, m) : add_regex(c, def, cap, node, m, node->text, 0);
    case NODE_LIST: return add_literals(c, def, cap, node, m, 0);
    case NODE_MAP: return add_matcher_map(c, def, cap, node, m);
    case NODE_NUMBER:
    case NODE_BOOL:
    case NODE_NULL: break;
    }
    add_is(c, def, cap, node, m);
    return true;
}

/* Numbers and words first, then patterns whose literals were looked for already, then the rest; not is last of its sort. */
static int cost(const struct event_def *def, const struct matcher *m)
{
    if (m->op != OP_REGEX)
        return m->op == OP_SAME ? 6 : 0;
    bool scanned = scanned_classes(def->kinds, m->field);
    return (scanned && m->pattern->needs.n ? 1 : scanned ? 3 : 4) + (m->negate ? 1 : 0);
}

static void order_matchers(struct event_def *def)
{
    for (size_t i = 1; i < def->nmatchers; i++) { /* insertion sort: stable, and there are few */
        struct matcher m = def->matchers[i];
        size_t k = i;
        for (; k > 0 && cost(def, &def->matchers[k - 1]) > cost(def, &m); k--)
            def->matchers[k] = def->matchers[k - 1];
        def->matchers[k] = m;
    }
    def->trigger = -1;
    for (size_t i = 0; i < def->nmatchers && def->trigger < 0; i++) {
        const struct matcher *m = &def->matchers[i];
        bool scanned = !(fields[m->field].kinds & def->kinds & ~scanned_kinds(m->field)); /* for every kind that has the field */
        if (m->op == OP_REGEX && !m->negate && m->pattern->needs.n && scanned)
            def->trigger = (int)i;
    }
}

static struct event_def *new_def(struct compiler *c, struct slice name)
{
    struct event_def *def = arena_new(c->r->a, struct event_def);
    *def = (struct event_def){.name = name, .rule = c->rule, .index = c->patterns->ndefs++, .trigger = -1};
    return def;
}

static struct event_def *add_def(struct compiler *c, const struct node *at, struct event_def *def)
{
    struct rule *rule = c->rule;
    /* One is left for a same_as of a later event, which adds to this one. */
    if (def->nmatchers >= MATCHERS_MAX)
        return node_problem(c->r, at, "more than %d matchers in one event", MATCHERS_MAX - 1), NULL;
    order_matchers(def);
    rule->events = arena_grow(c->r->a, rule->events, rule->nevents, &rule->events_cap, sizeof *rule->events);
    rule->events[rule->nevents++] = def;
    return def;
}

struct event_def *compile_event_find(struct compiler *c, struct slice name)
{
    for (size_t i = 0; i < c->rule->nevents; i++)
        if (slice_eq(c->rule->events[i]->name, name))
            return c->rule->events[i];
    return NULL;
}

static struct event_def *compile_fields(struct compiler *c, struct event_def *def, const struct node *node)
{
    size_t cap = 0;
    for (size_t i = 0; i < node->n; i++) {
        if (slice_is(node->keys[i].text, "on"))
            continue;
        struct matcher m = {0};
        if (!compile_field(c, &node->keys[i], node->keys[i].text, def->kinds, &m.field, &m.key) ||
            !add_matchers(c, def, &cap, &node->items[i], m))
            return NULL;
    }
    return add_def(c, node, def);
}

struct event_def *compile_event(struct compiler *c, struct slice name, const struct node *node)
{
    struct event_def *def = new_def(c, name);
    def->kinds = read_on(node_get(node, "on"));
    return compile_fields(c, def, node);
}

struct event_def *compile_run_event(struct compiler *c, const struct node *node)
{
    struct event_def *def = new_def(c, slice_str(""));
    def->kinds = END;
    return compile_fields(c, def, node);
}
