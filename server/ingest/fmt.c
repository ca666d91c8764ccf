#include "ingest/fmt.h"

#include "base/clock.h"
#include "base/jsonw.h"

#include <stdlib.h>

/* ---- metadata --------------------------------------------------------------------------------------------------------- */

struct str *meta_key(struct meta *m, struct slice key)
{
    str_add(&m->out, m->out.len ? ",\"" : "{\"", 2);
    jsonw_escape(&m->out, key);
    if (jget_slice(m->own, key))
        str_addz(&m->out, " (record)");
    str_add(&m->out, "\":", 2);
    return &m->out;
}

void meta_value(struct meta *m, const char *key, const struct jvalue *v)
{
    if (v && v->type != J_NULL)
        jwrite(meta_key(m, slice_str(key)), v);
}

void meta_text(struct meta *m, const char *key, struct slice text)
{
    if (!text.ptr)
        return;
    struct str *out = meta_key(m, slice_str(key));
    str_addc(out, '"');
    jsonw_escape(out, text);
    str_addc(out, '"');
}

void meta_json(struct meta *m, const char *key, struct slice json)
{
    if (json.ptr)
        str_add_slice(meta_key(m, slice_str(key)), json);
}

bool fmt_is_one_of(struct slice key, const char *const keys[])
{
    for (; keys && *keys; keys++)
        if (slice_is(key, *keys))
            return true;
    return false;
}

void meta_rest(struct meta *m, const struct jvalue *object, const char *const known[])
{
    if (!jis(object, J_OBJECT))
        return;
    for (size_t i = 0; i < object->n; i++)
        if (object->items[i].type != J_NULL && !fmt_is_one_of(object->keys[i], known))
            jwrite(meta_key(m, object->keys[i]), &object->items[i]);
}

void meta_own(struct meta *m, const struct jvalue *v)
{
    if (jis(v, J_OBJECT)) {
        meta_rest(m, v, NULL);
        m->own = v;
    } else {
        meta_value(m, "metadata", v);
    }
}

/* Did mending take something away? A control character or an unknown escape is kept as it stood. */
static bool lost_something(const struct jvalue *v)
{
    return v->type == J_NULL || (v->type == J_STRING && slice_find(v->text, slice_str("\xef\xbf\xbd")) >= 0);
}

/* Bytes that may be no UTF-8, as text in which the bytes over 0x7f are written \xNN. */
static void write_bytes(struct str *out, struct slice bytes)
{
    str_addc(out, '"');
    for (size_t i = 0; i < bytes.len; i++) {
        if ((unsigned char)bytes.ptr[i] < 0x80)
            jsonw_escape(out, slice_of(bytes.ptr + i, 1));
        else
            str_printf(out, "\\\\x%02x", (unsigned char)bytes.ptr[i]);
    }
    str_addc(out, '"');
}

/* `path` is where v stands: "content", "tool_calls[0].function.arguments". */
static void list_repaired(struct meta *m, const struct jvalue *v, const char *except, struct str *path, bool *any)
{
    size_t length = path->len;
    if (!v->repaired)
        return;
    if (v->type != J_ARRAY && v->type != J_OBJECT) {
        if (!lost_something(v))
            return;
        struct str *out = *any ? &m->out : meta_key(m, slice_str("repaired"));
        str_addz(out, *any ? ",\"" : "{\"");
        jsonw_escape(out, str_slice(path));
        str_addz(out, "\":");
        write_bytes(out, v->raw);
        *any = true;
        return;
    }
    for (size_t i = 0; i < v->n; i++) {
        if (v->type == J_OBJECT && except && slice_is(v->keys[i], except))
            continue;
        if (v->type == J_ARRAY) {
            str_printf(path, "[%zu]", i);
        } else {
            str_addz(path, length ? "." : "");
            str_add_slice(path, v->keys[i]);
        }
        list_repaired(m, &v->items[i], NULL, path, any);
        path->len = length;
    }
}

void meta_repaired(struct meta *m, const struct jvalue *v, const char *except)
{
    enum { PATH_LENGTH = 4096 };
    struct str path = STR_INIT(PATH_LENGTH);
    bool any = false;
    if (v && v->repaired)
        list_repaired(m, v, except, &path, &any);
    if (any)
        str_addc(&m->out, '}');
    str_free(&path);
}

struct meta meta_resume(struct slice object)
{
    struct meta m = META_INIT;
    if (object.len > 2)
        str_add(&m.out, object.ptr, object.len - 1);
    return m;
}

struct slice meta_end(struct meta *m, struct arena *a)
{
    if (!m->out.len)
        return SLICE_NONE;
    str_addc(&m->out, '}');
    struct slice text = arena_dup(a, str_slice(&m->out));
    str_free(&m->out);
    return text;
}

/* ---- runs ------------------------------------------------------------------------------------------------------------- */

bool fmt_most(const struct sample *sample, bool (*is_kind)(const struct jvalue *v))
{
    size_t n = 0;
    for (size_t i = 0; i < sample->n; i++)
        n += is_kind(sample->records[i].value);
    return 2 * n > sample->n;
}

bool fmt_close(void **state, const struct sink *sink, struct err *e)
{
    (void)state, (void)sink, (void)e;
    return true;
}

struct arena *fmt_arena(void)
{
    struct arena *a = calloc(1, sizeof *a);
    if (!a)
        abort();
    return a;
}

void fmt_discard(struct arena *a)
{
    if (!a)
        return;
    arena_free(a);
    free(a);
}

struct arena *fmt_take(const struct record *record)
{
    struct arena *a = *record->arena;
    *record->arena = NULL;
    return a;
}

struct arena *fmt_part(const struct jvalue *v, struct jvalue **copy)
{
    struct arena *a = fmt_arena();
    fmt_copy(a, v, copy);
    return a;
}

/* Bytes that stand in the source's are found in its copy. */
static struct slice moved(struct arena *a, struct slice s, struct slice from, struct slice to)
{
    bool inside = s.ptr >= from.ptr && s.ptr + s.len <= from.ptr + from.len;
    return !s.ptr ? SLICE_NONE : inside && from.ptr ? slice_of(to.ptr + (s.ptr - from.ptr), s.len) : arena_dup(a, s);
}

/* As deep as the limit under which the tree was read. */
static void copy_value(struct arena *a, const struct jvalue *v, struct slice from, struct slice to, struct jvalue *copy)
{
    *copy = *v;
    copy->raw = moved(a, v->raw, from, to);
    copy->text = moved(a, v->text, from, to);
    copy->items = v->n ? arena_alloc(a, v->n * sizeof *v->items) : NULL;
    copy->keys = v->n && v->type == J_OBJECT ? arena_alloc(a, v->n * sizeof *v->keys) : NULL;
    for (size_t i = 0; i < v->n; i++) {
        if (copy->keys)
            copy->keys[i] = moved(a, v->keys[i], from, to);
        copy_value(a, &v->items[i], from, to, &copy->items[i]);
    }
}

void fmt_copy(struct arena *a, const struct jvalue *v, struct jvalue **copy)
{
    *copy = arena_new(a, struct jvalue);
    copy_value(a, v, v->raw, arena_dup(a, v->raw), *copy);
}

struct jvalue fmt_without(struct arena *a, const struct jvalue *object, const char *const keys[])
{
    struct jvalue v = *object;
    v.items = arena_array(a, struct jvalue, object->n);
    v.keys = arena_array(a, struct slice, object->n);
    v.n = 0;
    for (size_t i = 0; i < object->n; i++)
        if (!fmt_is_one_of(object->keys[i], keys)) {
            v.keys[v.n] = object->keys[i];
            v.items[v.n++] = object->items[i];
        }
    v.repaired = true; /* so that nobody takes its raw bytes */
    return v;
}

bool fmt_time(struct arena *a, const struct jvalue *v, struct slice *out)
{
    double number;
    int64_t whole;
    if (jis(v, J_STRING))
        return clock_normalize(a, v->text, out);
    if (jint(v, &whole))
        return whole > 0 && clock_from_integer(a, whole, out);
    return jnum(v, &number) && number > 0 && clock_from_number(a, number, out);
}

const struct jvalue *fmt_first(const struct jvalue *object, const char *const keys[])
{
    for (; *keys; keys++) {
        const struct jvalue *v = jget(object, *keys);
        if (v && v->type != J_NULL)
            return v;
    }
    return NULL;
}

int64_t fmt_count(const struct jvalue *v)
{
    int64_t n;
    return jint(v, &n) && n >= 0 ? n : COUNT_UNKNOWN;
}

int64_t fmt_count_or(struct meta *m, const char *key, const struct jvalue *v)
{
    int64_t n = fmt_count(v);
    if (n == COUNT_UNKNOWN)
        meta_value(m, key, v);
    return n;
}

struct slice fmt_string(struct arena *a, const struct jvalue *v)
{
    if (!v || v->type == J_NULL)
        return SLICE_NONE;
    return v->type == J_STRING ? v->text : jraw(a, v);
}

int64_t fmt_sum(int64_t a, int64_t b)
{
    if (a == COUNT_UNKNOWN || b == COUNT_UNKNOWN)
        return a == COUNT_UNKNOWN ? b : a;
    int64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? COUNT_UNKNOWN : sum;
}

enum verdict fmt_verdict(const struct jvalue *v)
{
    static const struct { const char *word; enum verdict verdict; } words[] = {
        {"C", VERDICT_PASSED}, {"correct", VERDICT_PASSED}, {"pass", VERDICT_PASSED}, {"passed", VERDICT_PASSED},
        {"success", VERDICT_PASSED}, {"true", VERDICT_PASSED}, {"yes", VERDICT_PASSED}, {"resolved", VERDICT_PASSED},
        {"I", VERDICT_FAILED}, {"N", VERDICT_FAILED}, {"incorrect", VERDICT_FAILED}, {"fail", VERDICT_FAILED},
        {"failed", VERDICT_FAILED}, {"failure", VERDICT_FAILED}, {"false", VERDICT_FAILED}, {"no", VERDICT_FAILED},
        {"unresolved", VERDICT_FAILED},
    };
    bool yes;
    double number;
    if (jbool(v, &yes))
        return yes ? VERDICT_PASSED : VERDICT_FAILED;
    if (jnum(v, &number))
        return number == 1 ? VERDICT_PASSED : number == 0 ? VERDICT_FAILED : VERDICT_UNKNOWN;
    for (size_t i = 0; jis(v, J_STRING) && i < sizeof words / sizeof *words; i++)
        if (slice_is(v->text, words[i].word) || (strlen(words[i].word) > 1 && slice_eq_nocase(v->text, slice_str(words[i].word))))
            return words[i].verdict;
    return VERDICT_UNKNOWN;
}

bool fmt_is_verdict(struct slice name)
{
    static const char *const names[] = {
        "success", "reward", "resolved", "is_correct", "correct", "passed", "is_passed", "is_resolved", "is_solved", "solved",
        "is_success", "successful", "score", "accuracy", "exact_match", NULL,
    };
    return fmt_is_one_of(name, names);
}

/* One more item in an array of a run, which has no capacity beside it: it is always the next power of two. */
static void *one_more(struct arena *a, void *items, size_t n, size_t size)
{
    if (n & (n - 1))
        return items;
    size_t cap = n;
    return n ? arena_grow(a, items, n, &cap, size) : arena_zalloc(a, 1, size);
}

struct score *fmt_score(struct arena *a, struct run *run, struct slice name)
{
    if (run->nscores <= RUN_ITEMS) {
        run->scores = one_more(a, run->scores, run->nscores, sizeof *run->scores);
        run->nscores++;
    }
    struct score *score = &run->scores[run->nscores - 1];
    score->name = name;
    return score;
}

struct score *fmt_score_of(struct arena *a, struct run *run, struct slice name, const struct jvalue *v)
{
    static const char *const known[] = {"name", "value", "answer", "target", "explanation", "metadata", NULL};
    struct score *score = fmt_score(a, run, name);
    const struct jvalue *value = jis(v, J_OBJECT) && jget(v, "value") ? jget(v, "value") : v;
    score->value = jis(value, J_NULL) ? SLICE_NONE : jraw(a, value);
    if (value == v)
        return score;
    score->answer = fmt_string(a, jget(v, "answer"));
    score->target = fmt_string(a, jget(v, "target"));
    score->explanation = fmt_string(a, jget(v, "explanation"));
    struct meta meta = META_INIT;
    meta_own(&meta, jget(v, "metadata"));
    meta_rest(&meta, v, known);
    score->metadata = meta_end(&meta, a);
    return score;
}

struct transcript *fmt_transcript(struct arena *a, struct run *run, const struct messages *messages)
{
    run->transcripts = one_more(a, run->transcripts, run->ntranscripts, sizeof *run->transcripts);
    struct transcript *t = &run->transcripts[run->ntranscripts++];
    if (messages) {
        t->messages = messages->items;
        t->nmessages = messages->n;
    }
    return t;
}
