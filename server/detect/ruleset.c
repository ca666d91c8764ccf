#include "detect/ruleset.h"

#include "detect/settings.h"

#include <stdlib.h>

/* ---- making ------------------------------------------------------------------------------------------------------ */

static struct ruleset *ruleset_new(void)
{
    struct ruleset *rs = calloc(1, sizeof *rs);
    if (!rs)
        abort();
    atomic_init(&rs->refs, 1);
    return rs;
}

static size_t find_rule(const struct ruleset *rs, struct slice id)
{
    size_t i = 0;
    while (i < rs->n && !slice_eq(rs->rules[i]->id, id))
        i++;
    return i;
}

static void append_rule(struct ruleset *rs, const struct rule *rule)
{
    size_t n = rs->n + rs->nhelpers;
    rs->rules = arena_grow(&rs->arena, rs->rules, n, &rs->cap, sizeof(const struct rule *));
    rs->rules[n] = rule;
}

/* In place of an earlier one of the same id. */
static void add_rule(struct ruleset *rs, const struct rule *rule)
{
    size_t at = find_rule(rs, rule->id);
    if (at < rs->n) {
        rs->rules[at] = rule;
        return;
    }
    append_rule(rs, rule);
    rs->n++;
}

/* One file, read: its rules wait until the definitions of its whole pack are known. */
struct opened {
    struct rule_texts texts;
    struct slice name;
    size_t pack;
    bool only_names;
};

static struct opened open_file(struct ruleset *rs, const struct pack_file *file, struct definitions *packs, struct arena *report,
                               struct problems *problems)
{
    struct reader r = {.a = &rs->arena, .report = report, .problems = problems, .file = file->name};
    struct opened out = {.name = file->name, .pack = file->pack, .only_names = file->only_names};
    struct rule_texts all = {0};
    node_read(&r, file->passing ? arena_dup(&rs->arena, file->text) : file->text, &all);
    out.texts.items = all.items;
    for (size_t i = 0; i < all.n; i++)
        if (definitions_are(&all.items[i].node))
            definitions_read(&r, &all.items[i].node, &packs[file->pack]);
        else
            out.texts.items[out.texts.n++] = all.items[i];
    return out;
}

static void add_rules(struct ruleset *rs, const struct opened *file, const struct definitions *names, const struct settings *settings,
                      uint64_t blocks, struct arena *report, struct problems *problems)
{
    struct reader r = {.a = &rs->arena, .report = report, .problems = problems, .file = file->name};
    size_t from = rs->n;
    for (size_t i = 0; i < file->texts.n; i++) {
        struct rule_text text = file->texts.items[i];
        const struct node *id = node_get(&text.node, "id");
        if (settings && id)
            text.node = settings_apply(settings, blocks, &rs->arena, id->text, &text.node);
        const struct rule *rule = rule_compile(&r, &rs->patterns, names, &text);
        if (!rule)
            continue;
        size_t twin = find_rule(rs, rule->id);
        if (twin >= from && twin < rs->n)
            node_problem(&r, &text.node, "there is a rule '%.*s' in this file already, in line %d", SLICE_ARG(rule->id), rs->rules[twin]->line);
        else
            add_rule(rs, rule);
    }
}

static void add_helper(struct ruleset *rs, const struct rule *rule)
{
    if (!rule->enabled || rule->scope != SCOPE_RUN || rule->over_findings || find_rule(rs, rule->id) < rs->n)
        return;
    append_rule(rs, rule);
    rs->nhelpers++;
}

/* Rules over findings need those that find: all of scope run, as nobody can say which. */
static bool needs_helpers(const struct ruleset *rs)
{
    for (size_t i = 0; i < rs->n; i++)
        if (rs->rules[i]->over_findings)
            return true;
    return false;
}

/* The rules of files that lend only their names. */
static void compile_helpers(struct ruleset *rs, const struct opened *file, const struct definitions *names, struct arena *report,
                            struct problems *problems)
{
    struct reader r = {.a = &rs->arena, .report = report, .problems = problems, .file = file->name};
    for (size_t i = 0; i < file->texts.n; i++) {
        const struct rule *rule = rule_compile(&r, &rs->patterns, names, &file->texts.items[i]);
        if (rule)
            add_helper(rs, rule);
    }
}

/* A rule that asks for findings of a rule that there is not could never find anything. */
static bool is_answerable(const struct ruleset *rs, const struct rule *rule, struct reader *r)
{
    const struct node *where = rule->task ? rule->task->at : &(const struct node){.line = rule->line};
    for (size_t i = 0; i < rule->nasks; i++) {
        size_t at = find_rule(rs, rule->asks[i]);
        if (at == rs->n)
            return node_problem(r, where, "having: there is no rule '%.*s'", SLICE_ARG(rule->asks[i]));
        if (rs->rules[at]->scope >= rule->scope || (rule->scope == SCOPE_TASK && rs->rules[at]->scope != SCOPE_RUN))
            return node_problem(r, where, "having: '%.*s' is no rule of %s", SLICE_ARG(rule->asks[i]),
                                rule->scope == SCOPE_TASK ? "scope run" : "smaller scope");
    }
    return true;
}

/* One that asks only for disabled rules may yet be run by name (ruleset_only): it is told, and stays. */
static void tell_if_unfed(const struct ruleset *rs, const struct rule *rule, struct reader *r)
{
    const struct node *where = rule->task ? rule->task->at : &(const struct node){.line = rule->line};
    bool fed = !rule->nasks || !rule->enabled;
    for (size_t i = 0; i < rule->nasks; i++)
        fed |= rs->rules[find_rule(rs, rule->asks[i])]->enabled;
    if (!fed)
        node_problem(r, where, "having: '%.*s' is disabled%s: this rule finds nothing", SLICE_ARG(rule->asks[0]),
                     rule->nasks > 1 ? ", and so are the others" : "");
}

static struct reader reader_of(const struct rule *rule, struct arena *report, struct problems *problems)
{
    return (struct reader){.report = report, .problems = problems, .file = rule->file, .rule = rule->id};
}

static void check_asks(struct ruleset *rs, struct arena *report, struct problems *problems)
{
    size_t before, kept;
    do { /* without the rules that go, others may have none to ask */
        before = rs->n;
        kept = 0;
        for (size_t i = 0; i < before; i++) {
            struct reader r = reader_of(rs->rules[i], report, problems);
            if (is_answerable(rs, rs->rules[i], &r))
                rs->rules[kept++] = rs->rules[i];
        }
        rs->n = kept;
    } while (kept < before);
    for (size_t i = 0; i < rs->n; i++) {
        struct reader r = reader_of(rs->rules[i], report, problems);
        tell_if_unfed(rs, rs->rules[i], &r);
    }
}

static void link(struct ruleset *rs);

/* The one macro that no file defines: what it says is in text/secrets.c, for whoever redacts too. */
static void add_secret(struct ruleset *rs, struct definitions *shipped, struct arena *report, struct problems *problems)
{
    struct reader r = {.a = &rs->arena, .report = report, .problems = problems};
    const struct node key = {.type = NODE_STRING, .text = slice_str("secret")}, value = {.type = NODE_STRING, .text = secrets_pattern(&rs->arena)};
    definitions_add(&r, shipped, &key, &value, "macro");
}

struct ruleset *ruleset_make(const struct pack_files *files, const struct settings *settings, uint64_t blocks, struct arena *report,
                             struct problems *problems)
{
    struct ruleset *rs = ruleset_new();
    struct definitions *packs = arena_array(&rs->arena, struct definitions, files->packs + 1);
    struct opened *opened = arena_array(&rs->arena, struct opened, files->n + 1);
    add_secret(rs, &packs[PACK_SHIPPED], report, problems);
    for (size_t i = PACK_SHIPPED + 1; i < files->packs; i++)
        packs[i].outer = &packs[PACK_SHIPPED];
    for (size_t i = 0; i < files->n; i++)
        opened[i] = open_file(rs, &files->items[i], packs, report, problems);
    bool whole = true; /* else rules may ask for others that are left out on purpose */
    for (size_t i = 0; i < files->n; i++) {
        if (!opened[i].only_names)
            add_rules(rs, &opened[i], &packs[opened[i].pack], settings, blocks, report, problems);
        whole &= !opened[i].only_names;
    }
    if (whole)
        check_asks(rs, report, problems);
    bool lent = needs_helpers(rs);
    for (size_t i = 0; lent && i < files->n; i++)
        if (opened[i].only_names)
            compile_helpers(rs, &opened[i], &packs[opened[i].pack], report, problems);
    link(rs);
    return rs;
}

/* ---- linking ----------------------------------------------------------------------------------------------------- */

static int by_id(const void *a, const void *b)
{
    return slice_cmp((*(const struct rule *const *)a)->id, (*(const struct rule *const *)b)->id);
}

static int by_bucket(const void *a, const void *b)
{
    const struct literal_ref *x = a, *y = b;
    uint32_t p = gram_hash((const unsigned char *)x->literal.ptr + x->gram),
             q = gram_hash((const unsigned char *)y->literal.ptr + y->gram);
    return p != q ? (p < q ? -1 : 1) : x->pattern != y->pattern ? (x->pattern < y->pattern ? -1 : 1) : 0;
}

static int by_trigger(const void *a, const void *b)
{
    const struct event_def *x = *(struct event_def *const *)a, *y = *(struct event_def *const *)b;
    uint32_t p = x->matchers[x->trigger].pattern->index, q = y->matchers[y->trigger].pattern->index;
    return p != q ? (p < q ? -1 : 1) : x->index < y->index ? -1 : x->index > y->index;
}

static struct literal_ref literal_ref(const struct pattern *p, struct slice literal)
{
    size_t gram = pattern_gram(literal), after = gram + LITERAL_MIN;
    return (struct literal_ref){
        .literal = literal,
        .pattern = p->index,
        .gram = (uint32_t)gram,
        .before = p->needs.before < UINT32_MAX ? (uint32_t)p->needs.before : UINT32_MAX,
        .lines = p->needs.lines,
        .classes = p->classes,
        .next = after < literal.len ? (unsigned char)literal.ptr[after] : 0,
    };
}

static void add_gram(struct ruleset *rs, const struct literal_ref *ref, uint32_t hash)
{
    for (unsigned class = 0; class < CLASS_COUNT; class++)
        if (ref->classes & (1u << class | (class == CLASS_ARGS ? 1u << CLASS_VALUES : 0)))
            gramset_add(&rs->grams[class], hash);
    rs->follows[hash] |= ref->next ? (uint8_t)(1u << (ref->next & 7)) : 0xff;
}

static void link_literals(struct ruleset *rs, const struct pattern_table *patterns, const bool *used)
{
    size_t n = 0;
    for (size_t i = 0; i < patterns->n; i++)
        n += used[i] ? patterns->items[i]->needs.n : 0;
    rs->literals = arena_array(&rs->arena, struct literal_ref, n + 1);
    n = 0;
    for (size_t i = 0; i < patterns->n; i++) {
        struct pattern *p = patterns->items[i];
        for (size_t k = 0; used[i] && k < p->needs.n; k++)
            rs->literals[n++] = literal_ref(p, p->needs.any[k]);
        if (used[i] && p->needs.n)
            rs->classes |= p->classes;
    }
    qsort(rs->literals, n, sizeof *rs->literals, by_bucket);
    rs->bucket = arena_array(&rs->arena, uint32_t, GRAM_BUCKETS + 1);
    for (size_t i = 0; i < n; i++) {
        uint32_t h = gram_hash((const unsigned char *)rs->literals[i].literal.ptr + rs->literals[i].gram);
        add_gram(rs, &rs->literals[i], h);
        rs->bucket[h + 1]++;
    }
    for (size_t i = 0; i < GRAM_BUCKETS; i++)
        rs->bucket[i + 1] += rs->bucket[i];
}

static void link_events(struct ruleset *rs, const struct pattern_table *patterns, bool *used)
{
    size_t ntriggers = 0, n = 0;
    for (size_t i = 0; i < rs->n + rs->nhelpers; i++)
        n += rs->rules[i]->nevents;
    rs->triggers = arena_array(&rs->arena, struct event_def *, n + 1);
    rs->record = arena_array(&rs->arena, struct event_def *, n + 1);
    rs->triggered = arena_array(&rs->arena, uint32_t, patterns->n + 1);
    for (size_t i = 0; i < rs->n + rs->nhelpers; i++)
        for (size_t k = 0; ruleset_asks(rs, rs->rules[i]) && k < rs->rules[i]->nevents; k++) {
            struct event_def *def = rs->rules[i]->events[k];
            for (size_t m = 0; m < def->nmatchers; m++)
                if (def->matchers[m].pattern)
                    used[def->matchers[m].pattern->index] = true;
            if (def->trigger >= 0) {
                rs->triggers[ntriggers++] = def;
                rs->triggered[def->matchers[def->trigger].pattern->index + 1]++;
                continue;
            }
            if (def->kinds == EVENT_BIT(EVENT_END))
                rs->record[rs->nrecord++] = def;
            for (int kind = 0; kind < EVENT_KINDS; kind++)
                rs->nalways[kind] += def->kinds & EVENT_BIT(kind) ? 1 : 0;
        }
    qsort(rs->triggers, ntriggers, sizeof(struct event_def *), by_trigger);
    for (size_t i = 0; i < patterns->n; i++)
        rs->triggered[i + 1] += rs->triggered[i];
}

static void link(struct ruleset *rs)
{
    const struct pattern_table *patterns = rs->parent ? &rs->parent->patterns : &rs->patterns;
    if (rs->n)
        qsort(rs->rules, rs->n, sizeof(const struct rule *), by_id);
    bool *used = arena_array(&rs->arena, bool, patterns->n + 1);
    link_events(rs, patterns, used);
    link_literals(rs, patterns, used);
}

/* ---- the contract ------------------------------------------------------------------------------------------------ */

bool ruleset_load(const char *const *paths, size_t npaths, bool shipped, struct arena *a, struct problems *problems,
                  struct ruleset **out, struct err *e)
{
    struct arena files_arena = {0};
    struct pack_files files = {0};
    bool good = true;
    if (shipped)
        pack_add_shipped(&files_arena, &files, false);
    for (size_t i = 0; i < npaths && good; i++)
        good = pack_add_path(&files_arena, &files, paths[i], e);
    if (good)
        *out = ruleset_make(&files, NULL, 0, a, problems);
    arena_free(&files_arena);
    return good;
}

void ruleset_parse(struct slice text, struct slice file, struct arena *a, struct problems *problems, struct ruleset **out)
{
    struct arena files_arena = {0};
    struct pack_files files = {0};
    pack_add_shipped(&files_arena, &files, true);
    pack_add_text(&files_arena, &files, file, text);
    *out = ruleset_make(&files, NULL, 0, a, problems);
    arena_free(&files_arena);
}

struct ruleset *ruleset_ref(struct ruleset *rs)
{
    atomic_fetch_add(&rs->refs, 1);
    return rs;
}

void ruleset_unref(struct ruleset *rs)
{
    if (!rs || atomic_fetch_sub(&rs->refs, 1) != 1)
        return;
    for (size_t i = 0; i < rs->patterns.n; i++)
        regex_free(rs->patterns.items[i]->re);
    ruleset_unref(rs->parent);
    arena_free(&rs->arena);
    if (rs->let_go)
        rs->let_go(rs->lender);
    free(rs);
}

static void add_helpers(struct ruleset *part, const struct ruleset *whole)
{
    bool needed = needs_helpers(part);
    for (size_t i = 0; needed && i < whole->n + whole->nhelpers; i++)
        add_helper(part, whole->rules[i]);
}

bool ruleset_only(const struct ruleset *rs, const struct slice *ids, size_t n, struct ruleset **out, struct err *e)
{
    struct ruleset *part = ruleset_new();
    part->parent = ruleset_ref(rs->parent ? rs->parent : (struct ruleset *)rs);
    for (size_t i = 0; i < n; i++) {
        size_t at = find_rule(rs, ids[i]);
        if (at == rs->n) {
            ruleset_unref(part);
            return err_set(e, ERR_NOT_FOUND, "there is no detector '%.*s'; `telltale rules list` names them", SLICE_ARG(ids[i]));
        }
        add_rule(part, rs->rules[at]);
    }
    add_helpers(part, part->parent);
    link(part);
    *out = part;
    return true;
}

size_t ruleset_count(const struct ruleset *rs) { return rs->n; }

void ruleset_info(const struct ruleset *rs, size_t i, struct detector_info *out)
{
    const struct rule *rule = rs->rules[i];
    *out = (struct detector_info){
        .id = rule->id,
        .version = slice_str(rule->version),
        .title = rule->title,
        .behavior = rule->behavior,
        .why = rule->why,
        .unsure = rule->unsure,
        .source = rule->source,
        .text = rule->text,
        .parameters = rule->parameters_json,
        .kind = rule->kind,
        .severity = rule->severity,
        .scope = rule->scope,
        .code = rule->code != NULL,
        .enabled = rule->enabled,
        .tests_hit = rule->hit ? rule->hit->n : 0,
        .tests_clean = rule->clean ? rule->clean->n : 0,
    };
}

void ruleset_version(const struct ruleset *rs, unsigned char out[HASH_SIZE])
{
    struct hash h;
    hash_start(&h);
    for (size_t i = 0; i < rs->n; i++) {
        if (!ruleset_asks(rs, rs->rules[i]))
            continue;
        hash_add_framed(&h, rs->rules[i]->id);
        hash_add_framed(&h, slice_str(rs->rules[i]->version));
    }
    hash_end(&h, out);
}
