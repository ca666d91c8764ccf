#include "detect/ruleset.h"

#include "base/embed.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { FILE_MAX = 4 << 20, FOLDER_DEPTH = 8 };

struct slice detector_id(const struct detector *d) { return d->rule ? d->rule->id : slice_str(d->code->id); }

static enum scope detector_scope(const struct detector *d) { return d->rule ? d->rule->scope : SCOPE_RUN; }

/* ---- loading ----------------------------------------------------------------------------------------------------- */

static struct ruleset *ruleset_new(void)
{
    struct ruleset *rs = calloc(1, sizeof *rs);
    if (!rs)
        abort();
    atomic_init(&rs->refs, 1);
    return rs;
}

static void add_detector(struct ruleset *rs, struct detector d)
{
    for (size_t i = 0; i < rs->n; i++)
        if (slice_eq(detector_id(&rs->items[i]), detector_id(&d))) {
            rs->items[i] = d;
            return;
        }
    rs->items = arena_grow(&rs->arena, rs->items, rs->n, &rs->cap, sizeof *rs->items);
    rs->items[rs->n++] = d;
}

static void add_text(struct ruleset *rs, struct slice text, struct slice file, struct arena *a, struct rule_problems *problems)
{
    struct reader r = {.a = &rs->arena, .report = a, .problems = problems, .file = file};
    struct rule_texts texts = {0};
    node_read(&r, text, &texts);
    size_t from = rs->n;
    for (size_t i = 0; i < texts.n; i++) {
        const struct rule *rule = rule_compile(&r, &rs->patterns, &texts.items[i]);
        if (!rule)
            continue;
        const struct rule *twin = NULL;
        for (size_t k = from; k < rs->n && !twin; k++)
            twin = slice_eq(detector_id(&rs->items[k]), rule->id) ? rs->items[k].rule : NULL;
        if (twin)
            node_problem(&r, &texts.items[i].node, "there is a rule '%.*s' in this file already, in line %d", SLICE_ARG(rule->id),
                         twin->line);
        else
            add_detector(rs, (struct detector){.rule = rule, .version = rule->version});
    }
}

static void add_code(struct ruleset *rs)
{
    for (size_t i = 0; i < det_count; i++) {
        unsigned char h[HASH_SIZE];
        char *version = arena_alloc(&rs->arena, 2 * HASH_SIZE + 1);
        hash_of(arena_printf(&rs->arena, "%s %d", dets[i].id, dets[i].revision), h);
        hash_hex(h, HASH_SIZE, version);
        add_detector(rs, (struct detector){.code = &dets[i], .version = version});
    }
}

static bool read_file(struct arena *a, const char *path, struct slice *out, struct err *e)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return err_errno(e, "%s", path);
    struct str text = STR_INIT(FILE_MAX);
    char piece[1 << 14];
    size_t n;
    while ((n = fread(piece, 1, sizeof piece, f)) > 0 && !text.full)
        str_add(&text, piece, n);
    bool good = !ferror(f) || err_errno(e, "%s", path);
    fclose(f);
    if (good && text.full)
        good = err_set(e, ERR_TOO_LARGE, "%s: a file of rules is at most %d MB", path, FILE_MAX >> 20);
    *out = arena_dup(a, str_slice(&text));
    str_free(&text);
    return good;
}

static int is_visible(const struct dirent *d) { return d->d_name[0] != '.'; }

static bool add_path(struct ruleset *rs, const char *path, int depth, struct arena *a, struct rule_problems *problems,
                     struct err *e);

static bool add_folder(struct ruleset *rs, const char *path, int depth, struct arena *a, struct rule_problems *problems,
                       struct err *e)
{
    if (depth == FOLDER_DEPTH)
        return err_set(e, ERR_TOO_LARGE, "%s: folders of rules are at most %d deep", path, FOLDER_DEPTH);
    struct dirent **names;
    int n = scandir(path, &names, is_visible, alphasort);
    if (n < 0)
        return err_errno(e, "%s", path);
    bool good = true;
    for (int i = 0; i < n; i++) {
        struct slice sub = arena_printf(&rs->arena, "%s/%s", path, names[i]->d_name);
        struct stat st;
        bool there = stat(sub.ptr, &st) == 0;
        if (good && there &&
            (S_ISDIR(st.st_mode) ||
             (S_ISREG(st.st_mode) && (slice_ends(sub, ".yaml") || slice_ends(sub, ".yml") || slice_ends(sub, ".json")))))
            good = add_path(rs, sub.ptr, depth + 1, a, problems, e);
        free(names[i]);
    }
    free(names);
    return good;
}

static bool add_path(struct ruleset *rs, const char *path, int depth, struct arena *a, struct rule_problems *problems,
                     struct err *e)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return err_errno(e, "%s", path);
    if (S_ISDIR(st.st_mode))
        return add_folder(rs, path, depth, a, problems, e);
    struct slice text;
    if (!read_file(&rs->arena, path, &text, e))
        return false;
    add_text(rs, text, slice_str(path), a, problems);
    return true;
}

/* A task rule that asks for findings of a rule that there is not could never find anything. */
static void drop_unanswerable(struct ruleset *rs, struct arena *a, struct rule_problems *problems)
{
    size_t kept = 0;
    for (size_t i = 0; i < rs->n; i++) {
        const struct rule *rule = rs->items[i].rule;
        struct reader r = {
            .report = a, .problems = problems, .file = rule ? rule->file : SLICE_NONE, .rule = rule ? rule->id : SLICE_NONE};
        bool good = true;
        for (size_t k = 0; rule && rule->task && k < rule->task->nhaving && good; k++) {
            size_t at = 0;
            while (at < rs->n && !slice_eq(detector_id(&rs->items[at]), rule->task->having[k]))
                at++;
            if (at == rs->n)
                good = node_problem(&r, rule->task->at, "having: there is no rule '%.*s'", SLICE_ARG(rule->task->having[k]));
            else if (detector_scope(&rs->items[at]) != SCOPE_RUN)
                good = node_problem(&r, rule->task->at, "having: '%.*s' is no rule of scope run",
                                    SLICE_ARG(rule->task->having[k]));
        }
        if (good)
            rs->items[kept++] = rs->items[i];
    }
    rs->n = kept;
}

/* ---- linking ----------------------------------------------------------------------------------------------------- */

static int by_id(const void *a, const void *b) { return slice_cmp(detector_id(a), detector_id(b)); }

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
    for (size_t i = 0; i < rs->n; i++)
        n += rs->items[i].rule ? rs->items[i].rule->nevents : 0;
    rs->triggers = arena_array(&rs->arena, struct event_def *, n + 1);
    rs->triggered = arena_array(&rs->arena, uint32_t, patterns->n + 1);
    for (int kind = 0; kind < EVENT_KINDS; kind++)
        rs->always[kind] = arena_array(&rs->arena, struct event_def *, n + 1);
    for (size_t i = 0; i < rs->n; i++)
        for (size_t k = 0; rs->items[i].rule && k < rs->items[i].rule->nevents; k++) {
            struct event_def *def = rs->items[i].rule->events[k];
            for (size_t m = 0; m < def->nmatchers; m++)
                if (def->matchers[m].pattern)
                    used[def->matchers[m].pattern->index] = true;
            if (def->late) /* its literals are looked for, but it waits for its lead */
                continue;
            if (def->trigger >= 0) {
                rs->triggers[ntriggers++] = def;
                rs->triggered[def->matchers[def->trigger].pattern->index + 1]++;
                continue;
            }
            for (int kind = 0; kind < EVENT_KINDS; kind++)
                if (def->kinds & EVENT_BIT(kind))
                    rs->always[kind][rs->nalways[kind]++] = def;
        }
    qsort(rs->triggers, ntriggers, sizeof(struct event_def *), by_trigger);
    for (size_t i = 0; i < patterns->n; i++)
        rs->triggered[i + 1] += rs->triggered[i];
}

static void link(struct ruleset *rs)
{
    const struct pattern_table *patterns = rs->parent ? &rs->parent->patterns : &rs->patterns;
    if (rs->n)
        qsort(rs->items, rs->n, sizeof *rs->items, by_id);
    bool *used = arena_array(&rs->arena, bool, patterns->n + 1);
    link_events(rs, patterns, used);
    link_literals(rs, patterns, used);
}

/* ---- the contract ------------------------------------------------------------------------------------------------ */

bool ruleset_load(const char *const *paths, size_t npaths, bool shipped, struct arena *a, struct rule_problems *problems,
                  struct ruleset **out, struct err *e)
{
    struct ruleset *rs = ruleset_new();
    if (shipped) {
        add_code(rs);
        for (size_t i = 0; i < embedded_file_count; i++)
            if (slice_starts(slice_str(embedded_files[i].name), "rules/"))
                add_text(rs, embedded_files[i].bytes, slice_str(embedded_files[i].name), a, problems);
    }
    for (size_t i = 0; i < npaths; i++)
        if (!add_path(rs, paths[i], 0, a, problems, e)) {
            ruleset_unref(rs);
            return false;
        }
    drop_unanswerable(rs, a, problems);
    link(rs);
    *out = rs;
    return true;
}

bool ruleset_parse(struct slice text, struct slice file, struct arena *a, struct rule_problems *problems, struct ruleset **out,
                   struct err *e)
{
    (void)e;
    struct ruleset *rs = ruleset_new();
    add_text(rs, text, file, a, problems);
    link(rs);
    *out = rs;
    return true;
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
    free(rs);
}

bool ruleset_only(const struct ruleset *rs, const struct slice *ids, size_t n, struct ruleset **out, struct err *e)
{
    struct ruleset *part = ruleset_new();
    part->parent = ruleset_ref(rs->parent ? rs->parent : (struct ruleset *)rs);
    for (size_t i = 0; i < n; i++) {
        size_t at = 0;
        while (at < rs->n && !slice_eq(detector_id(&rs->items[at]), ids[i]))
            at++;
        if (at == rs->n) {
            ruleset_unref(part);
            return err_set(e, ERR_NOT_FOUND, "there is no detector '%.*s'; `telltale rules list` names them", SLICE_ARG(ids[i]));
        }
        add_detector(part, rs->items[at]);
    }
    link(part);
    *out = part;
    return true;
}

size_t ruleset_count(const struct ruleset *rs) { return rs->n; }

void ruleset_info(const struct ruleset *rs, size_t i, struct detector_info *out)
{
    const struct detector *d = &rs->items[i];
    *out = (struct detector_info){.id = detector_id(d), .version = slice_str(d->version), .scope = detector_scope(d)};
    out->code = d->code != NULL;
    if (d->code) {
        out->title = slice_str(d->code->title);
        out->behavior = slice_str(d->code->behavior);
        out->why = slice_str(d->code->why);
        out->unsure = slice_str(d->code->unsure);
        out->source = slice_str(d->code->file);
        out->severity = d->code->severity;
        out->kind = behavior_find(out->behavior)->kind;
        return;
    }
    const struct rule *rule = d->rule;
    out->title = rule->title;
    out->behavior = rule->behavior;
    out->why = rule->why;
    out->unsure = rule->unsure;
    out->source = rule->source;
    out->kind = rule->kind;
    out->severity = rule->severity;
    out->tests_hit = rule->hit ? rule->hit->n : 0;
    out->tests_clean = rule->clean ? rule->clean->n : 0;
}

void ruleset_version(const struct ruleset *rs, unsigned char out[HASH_SIZE])
{
    struct hash h;
    hash_start(&h);
    for (size_t i = 0; i < rs->n; i++) {
        hash_add_framed(&h, detector_id(&rs->items[i]));
        hash_add_framed(&h, slice_str(rs->items[i].version));
    }
    hash_end(&h, out);
}
