#include "transcript/except.h"

#include "text/jread.h"

#include <stdlib.h>

enum { TESTS_MAX = 32, WORDS_MAX = 200 };

enum field { TITLE, MESSAGE, BEHAVIOR, SEVERITY, CAPTURE, QUOTE, PART, TASK_ID, MODEL, AGENT, FIELDS };
static const char *const field_names[FIELDS] = {
    [TITLE] = "title", [MESSAGE] = "message", [BEHAVIOR] = "behavior", [SEVERITY] = "severity", [CAPTURE] = "capture.", [QUOTE] = "quote",
    [PART] = "part", [TASK_ID] = "task_id", [MODEL] = "model", [AGENT] = "agent",
};

/* One matcher on one field: the value is one of the words, or one of the patterns is found in it. */
struct test {
    enum field field;
    struct slice key;          /* of a capture */
    bool negate, nocase;
    struct slice *words;
    struct regex **patterns;   /* NULL: words */
    size_t n;
};

struct except {
    struct arena arena;
    struct test tests[TESTS_MAX];
    size_t n;
};

/* ---- reading --------------------------------------------------------------------------------------------------------- */

static bool field_parse(struct slice name, struct test *t, struct err *e)
{
    for (int i = 0; i < FIELDS; i++) {
        bool is = i == CAPTURE ? slice_starts(name, field_names[i]) && name.len > strlen(field_names[i]) : slice_is(name, field_names[i]);
        if (!is)
            continue;
        t->field = (enum field)i;
        t->key = i == CAPTURE ? slice_sub(name, strlen(field_names[i]), SIZE_MAX) : SLICE_NONE;
        return true;
    }
    return err_set(e, ERR_USAGE, "an exception cannot ask for \"%.*s\"; known are title, message, behavior, severity, capture.NAME, quote, part, task_id,"
                                 " model, agent", SLICE_ARG(slice_cut(name, 100)));
}

static struct test *add_test(struct except *x, const struct test *about, struct err *e)
{
    if (x->n == TESTS_MAX) {
        err_set(e, ERR_USAGE, "an exception has at most %d matchers", TESTS_MAX);
        return NULL;
    }
    x->tests[x->n] = *about;
    return &x->tests[x->n++];
}

/* A text or a list of them. */
static bool add_words(struct except *x, const struct test *about, const struct jvalue *v, bool pattern, int flags, struct err *e)
{
    size_t n = jis(v, J_ARRAY) ? v->n : 1;
    struct test *t = add_test(x, about, e);
    if (!t)
        return false;
    if (n > WORDS_MAX)
        return err_set(e, ERR_USAGE, "a matcher of an exception has at most %d texts", WORDS_MAX);
    t->words = arena_array(&x->arena, struct slice, n + 1);
    t->patterns = pattern ? arena_array(&x->arena, struct regex *, n + 1) : NULL;
    for (size_t i = 0; i < n; i++) {
        const struct jvalue *one = jis(v, J_ARRAY) ? jat(v, i) : v;
        struct slice text = jtext(one);
        if (!text.ptr)
            return err_set(e, ERR_USAGE, "a matcher of an exception takes texts");
        struct err why = {0};
        if (pattern && !regex_compile(text, flags, &t->patterns[i], &why))
            return err_set(e, ERR_USAGE, "the pattern of an exception: %s", why.text);
        t->words[i] = arena_dup(&x->arena, text);
        t->n++;
    }
    return true;
}

static bool add_map(struct except *x, struct test about, const struct jvalue *v, struct err *e)
{
    bool word = false;
    if ((jget(v, "nocase") && !jbool(jget(v, "nocase"), &about.nocase)) || (jget(v, "word") && !jbool(jget(v, "word"), &word)))
        return err_set(e, ERR_USAGE, "nocase and word of a matcher are true or false");
    int flags = (about.nocase ? REGEX_NOCASE : 0) | (word ? REGEX_WORD : 0);
    size_t before = x->n;
    for (uint32_t i = 0; i < v->n; i++) {
        const struct jvalue *of = &v->items[i];
        bool is = slice_is(v->keys[i], "is"), literal = slice_is(v->keys[i], "literal"), regex = slice_is(v->keys[i], "regex");
        if (slice_is(v->keys[i], "nocase") || slice_is(v->keys[i], "word"))
            continue;
        if (!is && !literal && !regex)
            return err_set(e, ERR_USAGE, "\"%.*s\" is no matcher of an exception; known are regex, literal, is, not, nocase, word",
                           SLICE_ARG(slice_cut(v->keys[i], 100)));
        if (!add_words(x, &about, of, !is, flags | (literal ? REGEX_LITERAL : 0), e))
            return false;
    }
    if (about.negate && x->n - before > 1)
        return err_set(e, ERR_USAGE, "\"not\" takes one matcher");
    return x->n > before || err_set(e, ERR_USAGE, "a matcher says regex, literal, is or not");
}

static bool add_matcher(struct except *x, struct test about, const struct jvalue *v, struct err *e)
{
    const struct jvalue *not = jget(v, "not");
    if (not && (v->n > 1 || about.negate))
        return err_set(e, ERR_USAGE, "\"not\" stands alone in its matcher");
    if (not) {
        about.negate = true;
        v = not;
    }
    if (jis(v, J_STRING))
        return add_words(x, &about, v, true, 0, e);
    if (jis(v, J_ARRAY))
        return add_words(x, &about, v, true, REGEX_LITERAL, e);
    return jis(v, J_OBJECT) ? add_map(x, about, v, e) : err_set(e, ERR_USAGE, "a matcher of an exception is a pattern, a list of texts, or an object");
}

static bool read_all(struct except *x, struct slice json, struct arena *scratch, struct err *e)
{
    struct jvalue *v;
    struct err none = {0};
    if (!jread(scratch, json, &jlimits_default, NULL, &v, &none) || !jis(v, J_OBJECT))
        return err_set(e, ERR_USAGE, "the condition of an exception is an object {FIELD: MATCHER, …}");
    for (uint32_t i = 0; i < v->n; i++) {
        struct test about = {0};
        if (!field_parse(v->keys[i], &about, e) ||
            !add_matcher(x, (about.key = arena_dup(&x->arena, about.key), about), &v->items[i], e))
            return false;
    }
    return true;
}

bool except_compile(struct slice json, struct except **out, struct err *e)
{
    struct arena scratch = {0};
    struct except *x = calloc(1, sizeof *x);
    if (!x)
        abort(); /* out of memory */
    bool ok = read_all(x, json, &scratch, e);
    arena_free(&scratch);
    if (!ok) {
        except_free(x);
        x = NULL;
    }
    *out = x;
    return ok;
}

void except_free(struct except *x)
{
    if (!x)
        return;
    for (size_t i = 0; i < x->n; i++)
        for (size_t k = 0; x->tests[i].patterns && k < x->tests[i].n; k++)
            regex_free(x->tests[i].patterns[k]);
    arena_free(&x->arena);
    free(x);
}

/* ---- asking ---------------------------------------------------------------------------------------------------------- */

struct asking {
    struct regex_scratch *scratch;
    const struct finding *f;
    const struct except_about *about;
    const struct jvalue *captures;
};

static bool fits(const struct test *t, struct regex_scratch *scratch, struct slice value)
{
    struct regex_match m;
    struct slice whole = slice_trim(value);
    for (size_t i = 0; i < t->n && value.ptr; i++)
        if (t->patterns ? regex_find(t->patterns[i], scratch, value, 0, 0, &m) == REGEX_YES
                        : t->nocase ? slice_eq_nocase(whole, t->words[i]) : slice_eq(whole, t->words[i]))
            return true;
    return false;
}

static bool fits_evidence(const struct test *t, const struct asking *q)
{
    for (size_t i = 0; i < q->f->nevidence; i++)
        if (fits(t, q->scratch, t->field == QUOTE ? q->f->evidence[i].quote : q->f->evidence[i].part))
            return true;
    return false;
}

static bool fits_field(const struct test *t, const struct asking *q)
{
    switch (t->field) {
    case TITLE: return fits(t, q->scratch, q->f->title);
    case MESSAGE: return fits(t, q->scratch, q->f->message);
    case BEHAVIOR: return fits(t, q->scratch, q->f->behavior);
    case SEVERITY: return fits(t, q->scratch, slice_str(severity_name(q->f->severity)));
    case CAPTURE: return fits(t, q->scratch, jstr(jget_slice(q->captures, t->key)));
    case QUOTE:
    case PART: return fits_evidence(t, q);
    case TASK_ID: return fits(t, q->scratch, q->f->task_id.ptr ? q->f->task_id : q->about->task_id);
    case MODEL: return fits(t, q->scratch, q->about->model);
    case AGENT: return fits(t, q->scratch, q->about->agent);
    case FIELDS: break;
    }
    return false;
}

bool except_holds(const struct except *x, struct regex_scratch *scratch, const struct finding *f, const struct except_about *about)
{
    struct arena a = {0};
    struct jvalue *captures = NULL;
    struct err none = {0};
    if (f->captures.ptr && !jread(&a, f->captures, &jlimits_default, NULL, &captures, &none))
        captures = NULL;
    const struct asking q = {scratch, f, about, captures};
    bool holds = true;
    for (size_t i = 0; i < x->n && holds; i++)
        holds = fits_field(&x->tests[i], &q) != x->tests[i].negate;
    arena_free(&a);
    return holds;
}
