/* What the members of a filter are called, for everybody who takes one from outside. */
#include "storage/fields.h"

static const struct {
    const char *name;
    size_t at;
} texts[] = {
    {"kind", offsetof(struct filter, kind)},
    {"behavior", offsetof(struct filter, behavior)},
    {"detector", offsetof(struct filter, detector)},
    {"severity", offsetof(struct filter, severity)},
    {"status", offsetof(struct filter, status)},
    {"scope", offsetof(struct filter, scope)},
    {"task", offsetof(struct filter, task)},
    {"model", offsetof(struct filter, model)},
    {"agent", offsetof(struct filter, agent)},
    {"success", offsetof(struct filter, success)},
    {"tag", offsetof(struct filter, tag)},
    {"exit_status", offsetof(struct filter, exit_status)},
    {"format", offsetof(struct filter, format)},
    {"attempt", offsetof(struct filter, attempt)},
    {"stopped_by", offsetof(struct filter, stopped_by)},
    {"run", offsetof(struct filter, run)},
    {"exception", offsetof(struct filter, exception)},
    {"q", offsetof(struct filter, q)},
};
enum { TEXTS = sizeof texts / sizeof *texts };

static const struct {
    const char *prefix;
    size_t at, count;
} pairs[] = {
    {"meta.", offsetof(struct filter, meta), offsetof(struct filter, nmeta)},
    {"score.", offsetof(struct filter, scores), offsetof(struct filter, nscores)},
    {"range.", offsetof(struct filter, ranges), offsetof(struct filter, nranges)},
};
enum { PAIRS = sizeof pairs / sizeof *pairs };

static void *member(const struct filter *f, size_t at) { return (char *)(uintptr_t)f + at; }

struct slice *filter_text(struct filter *f, struct slice name)
{
    for (size_t i = 0; i < TEXTS; i++)
        if (slice_is(name, texts[i].name))
            return member(f, texts[i].at);
    return NULL;
}

static bool set_pair(struct filter *f, size_t kind, struct slice key, struct slice value, struct err *e)
{
    struct filter_pair *list = member(f, pairs[kind].at);
    size_t *n = member(f, pairs[kind].count);
    double low, high;
    if (*n == FILTER_PAIRS)
        return err_set(e, ERR_USAGE, "a filter takes at most %d of %s…", FILTER_PAIRS, pairs[kind].prefix);
    if (!field_key(key, e))
        return false;
    if (list == f->ranges && !field_range(key, value, &low, &high, e))
        return false;
    list[(*n)++] = (struct filter_pair){key, value};
    return true;
}

bool filter_set(struct filter *f, struct slice name, struct slice value, struct err *e)
{
    struct slice *text = filter_text(f, name);
    if (text) {
        *text = value;
        return true;
    }
    for (size_t i = 0; i < PAIRS; i++)
        if (slice_starts(name, pairs[i].prefix))
            return set_pair(f, i, slice_sub(name, strlen(pairs[i].prefix), name.len), value, e);
    if (!slice_is(name, "has_findings"))
        return err_set(e, ERR_USAGE, "a filter has no \"%.*s\"", SLICE_ARG(slice_cut(name, 100)));
    f->has_findings = slice_is(value, "true") || slice_is(value, "1") ? 1 : slice_is(value, "false") || slice_is(value, "0") ? 0 : -1;
    return f->has_findings >= 0 || err_set(e, ERR_USAGE, "has_findings is true or false, not \"%.*s\"", SLICE_ARG(slice_cut(value, 100)));
}

bool filter_get(const struct filter *f, size_t i, struct arena *a, struct slice *name, struct slice *value)
{
    for (size_t k = 0; k < TEXTS; k++) {
        *value = *(struct slice *)member(f, texts[k].at);
        *name = slice_str(texts[k].name);
        if (value->ptr && !i--)
            return true;
    }
    for (size_t k = 0; k < PAIRS; k++) {
        const struct filter_pair *list = member(f, pairs[k].at);
        size_t n = *(size_t *)member(f, pairs[k].count);
        if (i < n) {
            *name = arena_printf(a, "%s%.*s", pairs[k].prefix, SLICE_ARG(list[i].key));
            *value = list[i].value;
            return true;
        }
        i -= n;
    }
    *name = slice_str("has_findings");
    *value = slice_str(f->has_findings ? "true" : "false");
    return f->has_findings >= 0 && !i;
}
