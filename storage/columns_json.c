/* Reads the columns that lie in JSON: scores and metadata. */
#include "storage/columns_in.h"

#include "storage/words.h"

#include "base/map.h"
#include "text/jread.h"

#include <math.h>

/* Columns being read, by name. Together they take this much at most: what comes after is left out until it is asked for by name. */
enum { FRESH_MAX = 400, FRESH_BYTES = 1 << 28, NAME_MAX_BYTES = 200 };

struct fresh {
    const struct columns *c;
    struct part *p;
    struct arena names;
    struct map by_name;
    struct slice *items;
    struct words *words;
    uint32_t **codes;
    size_t *last;        /* the run that was there last, + 1 */
    size_t n, max;
    bool more;           /* some were left out */
    struct slice only;   /* the one name that is wanted; absent: all */
};

static void fresh_start(struct fresh *f, const struct columns *c)
{
    size_t fit = FRESH_BYTES / (sizeof(uint32_t) * (c->n + 1));
    f->c = c;
    f->p = c->parts[PART_RUNS];
    f->max = fit < FRESH_MAX ? fit + 1 : FRESH_MAX;
    f->items = arena_array(&f->names, struct slice, f->max);
    f->words = arena_array(&f->names, struct words, f->max);
    f->codes = arena_array(&f->names, uint32_t *, f->max);
    f->last = arena_array(&f->names, size_t, f->max);
}

/* The place + 1 of a column; 0: there is no room for it, or nobody wants it. */
static size_t fresh_place(struct fresh *f, struct slice name)
{
    if (f->only.ptr && !slice_eq(name, f->only))
        return 0;
    size_t at = map_get(&f->by_name, name);
    if (at || columns_find(f->p, name))
        return at;
    if (f->n == f->max || (name.len > NAME_MAX_BYTES && !f->only.ptr)) {
        f->more = true;
        return 0;
    }
    f->items[f->n] = arena_dup(&f->names, name);
    f->words[f->n] = (struct words){.a = &f->p->a};
    f->codes[f->n] = arena_array(&f->p->a, uint32_t, f->c->n + 1);
    f->n++;
    return map_put(&f->names, &f->by_name, f->items[f->n - 1], f->n);
}

static void put_value(struct fresh *f, struct slice name, size_t run, const struct jvalue *v)
{
    double x;
    size_t at = fresh_place(f, name);
    if (!at || f->last[at - 1] == run + 1) /* of several the first counts */
        return;
    f->last[at - 1] = run + 1;
    struct words *words = &f->words[at - 1];
    uint32_t code = 0;
    switch (v->type) {
    case J_NULL:
    case J_OBJECT:
        break;
    case J_FALSE:
    case J_TRUE:
        code = words_text(words, slice_str(v->type == J_TRUE ? "true" : "false"));
        break;
    case J_NUMBER:
        code = jnum(v, &x) && isfinite(x) ? words_number(words, x) : words_text(words, v->text);
        break;
    case J_STRING:
        code = words_text(words, v->text);
        break;
    case J_ARRAY:
        code = words_text(words, v->raw);
        break;
    }
    f->codes[at - 1][run] = code;
}

/* They become columns if all was read. */
static bool fresh_end(struct fresh *f, bool whole)
{
    for (size_t i = 0; i < f->n && !whole; i++)
        arena_free(&f->words[i].table);
    f->n = whole ? f->n : 0;
    for (size_t i = 0; i < f->n; i++) {
        struct column *column = columns_add(f->p, f->items[i]);
        words_end(&f->words[i], f->codes[i], f->c->n, column);
        bool flags = column->nwords > 0 && column->nwords <= 2;
        for (size_t k = 1; k <= column->nwords; k++)
            flags &= slice_is(column->words[k], "true") || slice_is(column->words[k], "false");
        if (flags)
            column->type = TYPE_BOOL;
        for (size_t k = 0; k < f->c->n; k++)
            column->runs += column->codes[k] != 0;
    }
    arena_free(&f->names);
    return whole;
}

/* ---- metadata --------------------------------------------------------------------------------------------------------- */

static void put_object(struct fresh *f, struct str *name, size_t run, const struct jvalue *object, int depth)
{
    size_t len = name->len;
    for (uint32_t i = 0; i < object->n; i++) {
        name->len = len;
        str_addc(name, '.');
        str_add_slice(name, object->keys[i]);
        if (!name->full && jis(&object->items[i], J_OBJECT) && depth < METADATA_DEPTH)
            put_object(f, name, run, &object->items[i], depth + 1);
        else if (!name->full)
            put_value(f, str_slice(name), run, &object->items[i]);
        name->full = false;
    }
    name->len = len;
}

bool columns_load_metadata(struct columns *c, struct store *s, struct slice key, struct err *e)
{
    struct fresh f = {0};
    struct arena doc = {0};
    struct str name = STR_INIT(FIELD_NAME_MAX);
    size_t hint = 0;
    fresh_start(&f, c);
    if (key.ptr)
        f.only = arena_printf(&f.names, "meta.%.*s", SLICE_ARG(key));
    struct stmt *q = db_prepare(s->db, "SELECT r.n, d.metadata FROM run r CROSS JOIN run_detail d ON d.run = r.n WHERE r.collection = $1", e);
    bind_int(q, c->collection);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        struct jvalue *v;
        struct err why;
        size_t run = columns_place(c, take_int(q), &hint);
        struct slice text = take_bytes(q);
        arena_reset(&doc);
        str_reset(&name);
        str_addz(&name, "meta");
        if (run != SIZE_MAX && text.len && jread(&doc, text, &jlimits_default, NULL, &v, &why) && jis(v, J_OBJECT))
            put_object(&f, &name, run, v, 1);
    }
    str_free(&name);
    arena_free(&doc);
    if (step == STEP_DONE && !key.ptr) {
        f.p->has_metadata = true;
        f.p->more_metadata = f.more;
    }
    return fresh_end(&f, step == STEP_DONE);
}

/* ---- scores ----------------------------------------------------------------------------------------------------------- */

bool columns_load_scores(struct columns *c, struct store *s, struct slice key, struct err *e)
{
    struct fresh f = {0};
    struct arena doc = {0};
    struct str name = STR_INIT(FIELD_NAME_MAX);
    size_t hint = 0;
    fresh_start(&f, c);
    if (key.ptr)
        f.only = arena_printf(&f.names, "score.%.*s", SLICE_ARG(key));
    struct stmt *q = db_prepare(s->db,
        "SELECT r.n, s.name, s.value FROM run r CROSS JOIN score s ON s.id BETWEEN r.n << 26 AND r.n << 26 | 67108863 WHERE r.collection = $1", e);
    bind_int(q, c->collection);
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        struct jvalue *v;
        struct err why;
        size_t run = columns_place(c, take_int(q), &hint);
        str_reset(&name);
        str_addz(&name, "score.");
        str_add_slice(&name, take_bytes(q));
        struct slice text = take_bytes(q);
        arena_reset(&doc);
        if (run != SIZE_MAX && text.len && !name.full && jread(&doc, text, &jlimits_default, NULL, &v, &why))
            put_value(&f, str_slice(&name), run, v);
    }
    str_free(&name);
    arena_free(&doc);
    if (step == STEP_DONE && !key.ptr) {
        f.p->has_scores = true;
        f.p->more_scores = f.more;
    }
    return fresh_end(&f, step == STEP_DONE);
}
