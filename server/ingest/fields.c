#include "ingest/fields.h"

#include "base/base64.h"
#include "ingest/fmt.h"

#include <stdlib.h>

enum {
    VALUES = 1000000,      /* of one file */
    PLACES = 20000,        /* of one file: past them what is nested counts as one value */
    KEYS = 64,             /* an object of more keys is keyed by data: its members are one place */
    EXAMPLES = 8,          /* values of a place that are looked for inside texts too */
    EXAMPLE_BYTES = 200,
    TEXT_BYTES = 64 << 20, /* of the runs' texts that are kept for that */
    DEPTH = 64,            /* what is nested deeper counts as one value */
};

/* ---- where a value can go ---------------------------------------------------------------------------------------------- */

#define TARGETS(_) \
    _(NOWHERE, "") _(INSIDE, "inside a text") \
    _(M_ROLE, "message.role") _(M_TEXT, "message.text") _(M_REASONING, "message.reasoning") _(M_MODEL, "message.model") \
    _(M_TIMESTAMP, "message.timestamp") _(M_DURATION, "message.duration_ms") _(M_IN, "message.tokens_in") _(M_OUT, "message.tokens_out") \
    _(M_FINISH, "message.finish_reason") _(M_CALL_ID, "message.tool_call_id") _(M_TOOL, "message.tool_name") _(M_ERROR, "message.error") \
    _(M_METADATA, "message.metadata") _(C_ID, "call.id") _(C_NAME, "call.name") _(C_ARGUMENTS, "call.arguments") \
    _(C_ERROR, "call.parse_error") _(C_METADATA, "call.metadata") _(B_BYTES, "blob.bytes") _(B_TYPE, "blob.media_type") _(B_URL, "blob.url") \
    _(T_ID, "transcript.id") _(T_PARENT, "transcript.parent") _(T_NAME, "transcript.name") _(T_METADATA, "transcript.metadata") \
    _(R_ID, "run.id") _(R_EXTERNAL, "run.external_id") _(R_NAME, "run.name") _(R_TASK, "run.task_id") _(R_MODEL, "run.model") \
    _(R_AGENT, "run.agent") _(R_ATTEMPT, "run.attempt") _(R_STARTED, "run.started_at") _(R_ENDED, "run.ended_at") \
    _(R_SUCCESS, "run.success") _(R_EXIT, "run.exit_status") _(R_ERROR, "run.error") _(R_LIMIT, "run.limit") _(R_IN, "run.tokens_in") \
    _(R_OUT, "run.tokens_out") _(R_COST, "run.cost_usd") _(R_TAG, "run.tags") _(R_METADATA, "run.metadata") _(S_NAME, "score.name") \
    _(S_VALUE, "score.value") _(S_ANSWER, "score.answer") _(S_TARGET, "score.target") _(S_EXPLANATION, "score.explanation") \
    _(S_METADATA, "score.metadata") _(L_SET, "label.set") _(L_VALUE, "label.value") _(L_WHO, "label.who") _(L_WHEN, "label.when")

enum target {
#define TARGET(name, label) name,
    TARGETS(TARGET) TARGET_COUNT
#undef TARGET
};

static const char *const labels[TARGET_COUNT] = {
#define TARGET(name, label) label,
    TARGETS(TARGET)
#undef TARGET
};

static bool is_metadata(enum target t)
{
    return t == M_METADATA || t == C_METADATA || t == T_METADATA || t == R_METADATA || t == S_METADATA;
}

/* ---- places in the source ---------------------------------------------------------------------------------------------- */

struct field_place {
    struct slice key;      /* "" for the elements of an array */
    uint64_t key_hash;
    struct field_place *parent, *child, *next; /* children in the order in which they were met */
    struct field_place *rest;                  /* of an object with too many keys: all further members */
    size_t children;
    uint64_t values, to[TARGET_COUNT];
    struct example {
        struct slice text;
        uint64_t hash;
        enum { NOT_SOUGHT, INSIDE_A_TEXT, NOT_FOUND } state;
    } examples[EXAMPLES];
    size_t nexamples;
    struct slice lost;     /* an example of what was not found */
};

struct value {
    struct field_place *place;
    uint64_t hash, other;  /* of the value, and of what a format may make of it (a time in UTC); 0: nothing */
    uint32_t record;
};

struct kept { /* a value of a run */
    uint64_t hash, name;   /* name: of the field, or of the member of metadata */
    uint32_t record;       /* that was being read when the run came */
    enum target target;
};

struct fields {
    struct arena arena;
    struct field_place top;
    struct value *values;
    size_t nvalues, values_cap;
    struct kept *kept;
    size_t nkept, kept_cap;
    struct kept *all;      /* the same of any record, each once: set when all is there */
    size_t nall;
    uint32_t record;
    size_t nplaces;
    struct str text;       /* of the runs, one after the other */
    bool shown;
};

static uint64_t hash_text(struct slice s)
{
    unsigned char bytes[HASH_SIZE];
    uint64_t h;
    hash_of(s, bytes);
    memcpy(&h, bytes, sizeof h);
    return h ? h : 1;
}

static struct field_place *add_child(struct arena *a, struct field_place *parent, struct slice key, uint64_t hash)
{
    struct field_place *p = arena_new(a, struct field_place), **last = &parent->child;
    *p = (struct field_place){.key = arena_dup(a, key), .key_hash = hash, .parent = parent};
    while (*last)
        last = &(*last)->next;
    *last = p;
    parent->children++;
    return p;
}

static struct field_place *child_of(struct arena *a, struct field_place *parent, struct slice key, bool element)
{
    uint64_t hash = element ? 0 : hash_text(key);
    for (struct field_place *p = parent->child; p; p = p->next)
        if (p->key_hash == hash && (element || slice_eq(p->key, key)))
            return p;
    if (parent->children < KEYS)
        return add_child(a, parent, element ? slice_str("") : key, hash);
    if (!parent->rest)
        parent->rest = add_child(a, parent, slice_str("*"), hash_text(slice_str("*")));
    return parent->rest;
}

/* ---- what the source has ----------------------------------------------------------------------------------------------- */

struct fields *fields_new(bool shown)
{
    struct fields *f = calloc(1, sizeof *f);
    if (!f)
        abort();
    f->text = STR_INIT(TEXT_BYTES);
    f->shown = shown;
    return f;
}

void fields_free(struct fields *f)
{
    if (!f)
        return;
    free(f->values);
    free(f->kept);
    free(f->all);
    str_free(&f->text);
    arena_free(&f->arena);
    free(f);
}

static void *grow(void *items, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return items;
    *cap = *cap ? 2 * *cap : 1024;
    void *larger = realloc(items, *cap * size);
    if (!larger)
        abort();
    return larger;
}

/* The canonical text of a value: what is compared. */
static struct slice canonical(struct arena *a, const struct jvalue *v)
{
    double number;
    int64_t whole;
    if (jint(v, &whole))
        return arena_printf(a, "%lld", (long long)whole);
    if (jnum(v, &number))
        return arena_printf(a, "%.12g", number);
    return v->type == J_STRING ? v->text : jraw(a, v);
}

/* What else it may have become: a time in UTC, the name of a role, the bytes of an image. */
static uint64_t other_hash(struct arena *a, const struct field_place *place, const struct jvalue *v)
{
    struct slice time, bytes;
    enum role role;
    if (fmt_time(a, v, &time))
        return hash_text(time);
    if (v->type != J_STRING)
        return 0;
    if (role_parse(v->text, &role) && !(role == ROLE_TOOL && slice_is(place->key, "type"))) /* "function" is the type of a call */
        return hash_text(slice_str(role_name(role)));
    ptrdiff_t data = slice_starts(v->text, "data:") ? slice_find(v->text, slice_str(";base64,")) : -1;
    struct slice encoded = data < 0 ? v->text : slice_sub(v->text, (size_t)data + 8, v->text.len);
    if (encoded.len >= 64 && (bytes = base64_read(a, encoded)).ptr)
        return hash_text(bytes);
    return 0;
}

static void add_value(struct fields *f, struct field_place *place, const struct jvalue *v)
{
    struct arena a = {0};
    struct slice text = canonical(&a, v);
    place->values++;
    f->values = grow(f->values, f->nvalues, &f->values_cap, sizeof *f->values);
    struct value *value = &f->values[f->nvalues++];
    *value = (struct value){place, hash_text(text), other_hash(&a, place, v), f->record};
    bool known = false; /* the same value a thousand times is one example */
    for (size_t i = 0; i < place->nexamples; i++)
        known |= place->examples[i].hash == value->hash;
    if (!known && place->nexamples < EXAMPLES && text.len)
        place->examples[place->nexamples++] =
            (struct example){.text = arena_dup(&f->arena, slice_cut(text, EXAMPLE_BYTES)), .hash = value->hash};
    arena_free(&a);
}

static void look(struct fields *f, struct field_place *place, const struct jvalue *v, int depth)
{
    if (f->nvalues == VALUES || v->type == J_NULL || (v->type == J_STRING && !v->text.len))
        return;
    if ((v->type != J_ARRAY && v->type != J_OBJECT) || depth == DEPTH || f->nplaces >= PLACES) {
        add_value(f, place, v);
        return;
    }
    for (size_t i = 0; i < v->n; i++) {
        size_t before = place->children;
        struct field_place *child = child_of(&f->arena, place, v->type == J_OBJECT ? v->keys[i] : SLICE_NONE, v->type == J_ARRAY);
        f->nplaces += place->children - before;
        look(f, child, &v->items[i], depth + 1);
    }
}

void fields_record(struct fields *f, const struct jvalue *value)
{
    f->record++;
    look(f, &f->top, value, 0);
}

/* ---- what the runs have ------------------------------------------------------------------------------------------------ */

static void keep_named(struct fields *f, enum target target, uint64_t name, struct slice text)
{
    if (!text.len || f->nkept == 4 * (size_t)VALUES)
        return;
    f->kept = grow(f->kept, f->nkept, &f->kept_cap, sizeof *f->kept);
    f->kept[f->nkept++] = (struct kept){hash_text(text), name, f->record, target};
}

static void keep(struct fields *f, enum target target, struct slice text)
{
    const char *dot = strchr(labels[target], '.');
    keep_named(f, target, hash_text(slice_str(dot ? dot + 1 : labels[target])), text);
    if (f->text.len + text.len + 1 < TEXT_BYTES) {
        str_add_slice(&f->text, text);
        str_addc(&f->text, '\n');
    }
}

static void keep_number(struct fields *f, enum target target, double n)
{
    char text[40];
    int length = snprintf(text, sizeof text, "%.12g", n);
    if (!isnan(n))
        keep(f, target, slice_of(text, (size_t)length));
}

static void keep_count(struct fields *f, enum target target, int64_t n)
{
    char text[24];
    int length = snprintf(text, sizeof text, "%lld", (long long)n);
    if (n != COUNT_UNKNOWN)
        keep(f, target, slice_of(text, (size_t)length));
}

static void keep_tree(struct fields *f, enum target target, struct slice name, const struct jvalue *v, int depth)
{
    if ((v->type != J_ARRAY && v->type != J_OBJECT) || depth == DEPTH) {
        struct arena a = {0};
        keep_named(f, target, hash_text(name), canonical(&a, v));
        arena_free(&a);
        return;
    }
    for (size_t i = 0; i < v->n; i++)
        keep_tree(f, target, v->type == J_OBJECT ? v->keys[i] : name, &v->items[i], depth + 1);
}

/* The whole as it stands, and each value in it. */
static void keep_json(struct fields *f, enum target target, struct slice json)
{
    struct arena a = {0};
    struct jvalue *v;
    struct err e;
    if (json.len)
        keep(f, target, json);
    if (json.len && jread(&a, json, NULL, NULL, &v, &e))
        keep_tree(f, target, SLICE_NONE, v, 0);
    arena_free(&a);
}

static void keep_message(struct fields *f, const struct message *m)
{
    keep(f, M_ROLE, slice_str(role_name(m->role)));
    keep(f, M_TEXT, m->text);
    keep(f, M_REASONING, m->reasoning);
    keep(f, M_MODEL, m->model);
    keep(f, M_TIMESTAMP, m->timestamp);
    keep_count(f, M_DURATION, m->duration_ms);
    keep_count(f, M_IN, m->tokens_in);
    keep_count(f, M_OUT, m->tokens_out);
    keep(f, M_FINISH, m->finish_reason);
    keep(f, M_CALL_ID, m->tool_call_id);
    keep(f, M_TOOL, m->tool_name);
    keep(f, M_ERROR, m->error);
    keep_json(f, M_METADATA, m->metadata);
    for (size_t i = 0; i < m->ncalls; i++) {
        const struct tool_call *c = &m->calls[i];
        keep(f, C_ID, c->call_id);
        keep(f, C_NAME, c->name);
        keep_json(f, C_ARGUMENTS, c->arguments);
        keep(f, C_ERROR, c->parse_error);
        keep_json(f, C_METADATA, c->metadata);
    }
    for (size_t i = 0; i < m->nblobs; i++) {
        const struct blob *b = &m->blobs[i];
        keep(f, B_TYPE, b->media_type);
        keep(f, B_URL, b->url);
        if (b->bytes.len)
            keep_named(f, B_BYTES, 0, b->bytes);
    }
}

void fields_run(struct fields *f, const struct run *run)
{
    const struct { enum target target; struct slice text; } texts[] = {
        {R_ID, run->id}, {R_EXTERNAL, run->external_id}, {R_NAME, run->name}, {R_TASK, run->task_id}, {R_MODEL, run->model},
        {R_AGENT, run->agent}, {R_STARTED, run->started_at}, {R_ENDED, run->ended_at}, {R_EXIT, run->exit_status}, {R_ERROR, run->error},
        {R_LIMIT, run->limit},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        keep(f, texts[i].target, texts[i].text);
    if (run->success != VERDICT_UNKNOWN)
        keep(f, R_SUCCESS, slice_str(run->success == VERDICT_PASSED ? "true" : "false"));
    keep_count(f, R_ATTEMPT, run->attempt);
    keep_count(f, R_IN, run->tokens_in);
    keep_count(f, R_OUT, run->tokens_out);
    keep_number(f, R_COST, run->cost_usd);
    for (size_t i = 0; i < run->ntags; i++)
        keep(f, R_TAG, run->tags[i]);
    keep_json(f, R_METADATA, run->metadata);
    for (size_t i = 0; i < run->nscores; i++) {
        const struct score *s = &run->scores[i];
        keep(f, S_NAME, s->name);
        keep_json(f, S_VALUE, s->value);
        keep_json(f, S_ANSWER, s->answer);
        keep_json(f, S_TARGET, s->target);
        keep(f, S_EXPLANATION, s->explanation);
        keep_json(f, S_METADATA, s->metadata);
    }
    for (size_t i = 0; i < run->nlabels; i++) {
        keep(f, L_SET, run->labels[i].set);
        keep_json(f, L_VALUE, run->labels[i].value);
        keep(f, L_WHO, run->labels[i].who);
        keep(f, L_WHEN, run->labels[i].when);
    }
    for (size_t i = 0; i < run->ntranscripts; i++) {
        const struct transcript *t = &run->transcripts[i];
        keep(f, T_ID, t->id);
        keep(f, T_PARENT, t->parent);
        keep(f, T_NAME, t->name);
        keep_json(f, T_METADATA, t->metadata);
        for (size_t k = 0; k < t->nmessages; k++)
            keep_message(f, &t->messages[k]);
    }
}

/* ---- which went where -------------------------------------------------------------------------------------------------- */

static int by_hash(const void *a, const void *b)
{
    const struct kept *x = a, *y = b;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    if (x->record != y->record)
        return x->record < y->record ? -1 : 1;
    if (x->name != y->name)
        return x->name < y->name ? -1 : 1;
    return (int)x->target - (int)y->target;
}

/* The first that is not before these three. */
static size_t first_kept(const struct kept *kept, size_t n, uint64_t hash, uint32_t record, uint64_t name)
{
    const struct kept key = {hash, name, record, NOWHERE};
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (by_hash(&kept[middle], &key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Of all that say the same, the one that bears the same name, else the first few; of these a field of its own before metadata. */
static enum target find_in(const struct kept *kept, size_t n, uint64_t hash, uint64_t name, uint32_t record)
{
    enum { TRIED = 64 };
    enum target best = NOWHERE;
    for (int named = 1; named >= 0 && best == NOWHERE; named--) {
        size_t first = first_kept(kept, n, hash, record, named ? name : 0);
        for (size_t i = first; i < n && i < first + TRIED && kept[i].hash == hash && kept[i].record == record; i++) {
            if (named && kept[i].name != name)
                break;
            if (best == NOWHERE || (is_metadata(best) && !is_metadata(kept[i].target)))
                best = kept[i].target;
        }
    }
    return best;
}

/* Runs that came of the very record are asked first. */
static enum target find(const struct fields *f, const struct value *v, uint64_t hash)
{
    enum target own = find_in(f->kept, f->nkept, hash, v->place->key_hash, v->record);
    return own != NOWHERE ? own : find_in(f->all, f->nall, hash, v->place->key_hash, 0);
}

/* Is this one of the place's examples, and does it stand inside a text? What does not is kept, to be shown. */
static bool is_inside(const struct fields *f, struct field_place *p, uint64_t hash)
{
    for (size_t i = 0; i < p->nexamples; i++) {
        struct example *x = &p->examples[i];
        if (x->hash != hash)
            continue;
        if (x->state == NOT_SOUGHT)
            x->state = slice_find(str_slice(&f->text), x->text) >= 0 ? INSIDE_A_TEXT : NOT_FOUND;
        if (x->state == NOT_FOUND && !p->lost.len && f->shown)
            p->lost = x->text;
        return x->state == INSIDE_A_TEXT;
    }
    return false;
}

/* Sorts, and keeps each once. Returns how many are left. */
static size_t sort_kept(struct kept *kept, size_t n)
{
    size_t left = 0;
    if (n)
        qsort(kept, n, sizeof *kept, by_hash);
    for (size_t i = 0; i < n; i++)
        if (!left || by_hash(&kept[left - 1], &kept[i]) != 0)
            kept[left++] = kept[i];
    return left;
}

static void resolve(struct fields *f)
{
    f->nkept = sort_kept(f->kept, f->nkept);
    f->all = malloc((f->nkept + 1) * sizeof *f->all);
    if (!f->all)
        abort();
    for (size_t i = 0; i < f->nkept; i++) {
        f->all[i] = f->kept[i];
        f->all[i].record = 0;
    }
    f->nall = sort_kept(f->all, f->nkept);
    for (size_t i = 0; i < f->nvalues; i++) {
        struct field_place *p = f->values[i].place;
        enum target to = find(f, &f->values[i], f->values[i].hash);
        if (to == NOWHERE && f->values[i].other)
            to = find(f, &f->values[i], f->values[i].other);
        if (to == NOWHERE && is_inside(f, p, f->values[i].hash))
            to = INSIDE;
        p->to[to]++;
    }
}

static void merge(struct arena *a, struct field_place *into, const struct field_place *from)
{
    into->values += from->values;
    for (int t = 0; t < TARGET_COUNT; t++)
        into->to[t] += from->to[t];
    if (!into->lost.len && from->lost.len)
        into->lost = arena_dup(a, from->lost);
    for (const struct field_place *c = from->child; c; c = c->next) {
        struct slice key = from->rest ? slice_str("*") : c->key;
        merge(a, child_of(a, into, key, c->key_hash == 0), c);
    }
}

void fields_add(struct field_places *total, struct fields *f, struct arena *a)
{
    resolve(f);
    if (!total->top)
        total->top = arena_new(a, struct field_place);
    merge(a, total->top, &f->top);
}

/* ---- shown ------------------------------------------------------------------------------------------------------------- */

static void path_of(const struct field_place *p, struct str *out)
{
    if (!p->parent)
        return;
    path_of(p->parent, out);
    if (p->key_hash == 0) {
        str_addz(out, "[]");
    } else {
        str_addz(out, out->len ? "." : "");
        str_add_slice(out, p->key);
    }
}

struct shower {
    void (*show)(void *ctx, struct slice path, const struct field_place *p);
    void *ctx;
};

static void walk(const struct field_place *p, const struct shower *s)
{
    if (p->values) {
        struct str path = STR_INIT(1 << 16);
        path_of(p, &path);
        s->show(s->ctx, path.len ? str_slice(&path) : slice_str("(the record)"), p);
        str_free(&path);
    }
    for (const struct field_place *c = p->child; c; c = c->next)
        walk(c, s);
}

static void show_json(void *ctx, struct slice path, const struct field_place *p)
{
    struct jsonw *j = ctx;
    jsonw_object(j);
    jsonw_kstr(j, "field", path);
    jsonw_kint(j, "values", (int64_t)p->values);
    jsonw_key(j, "to");
    jsonw_object(j);
    for (int t = INSIDE; t < TARGET_COUNT; t++)
        if (p->to[t])
            jsonw_kint(j, labels[t], (int64_t)p->to[t]);
    jsonw_end(j);
    jsonw_kint(j, "lost", (int64_t)p->to[NOWHERE]);
    jsonw_kstr(j, "example", p->lost);
    jsonw_end(j);
}

void fields_json(struct jsonw *j, const struct field_places *total)
{
    jsonw_array(j);
    if (total->top)
        walk(total->top, &(struct shower){show_json, j});
    jsonw_end(j);
}

static void show_line(void *ctx, struct slice path, const struct field_place *p)
{
    FILE *out = ctx;
    enum target most = NOWHERE;
    size_t others = 0;
    for (int t = INSIDE; t < TARGET_COUNT; t++) {
        if (p->to[t] > p->to[most] || (most == NOWHERE && p->to[t]))
            most = (enum target)t;
        others += p->to[t] > 0;
    }
    fprintf(out, "    %-60.*s %8llu  ", SLICE_ARG(path), (unsigned long long)p->values);
    if (most == NOWHERE)
        fputs("counted or repeated elsewhere, not kept as it stands", out);
    else
        fprintf(out, "%s%s", labels[most], others > 1 ? " and others" : "");
    if (most != NOWHERE && p->to[NOWHERE])
        fprintf(out, "; %llu not as they stand", (unsigned long long)p->to[NOWHERE]);
    fputc('\n', out);
}

void fields_print(FILE *out, const struct field_places *total)
{
    if (total->top)
        walk(total->top, &(struct shower){show_line, out});
}
