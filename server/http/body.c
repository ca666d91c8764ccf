/* JSON bodies of requests, read by jansson: strict, which for an API is a kindness. */
#include "http/params.h"

#include <jansson.h>
#include <stdlib.h>

static struct slice as_json(struct arena *a, const json_t *v)
{
    char *text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY); /* reals in 17 digits: the same number when read back */
    struct slice out = text ? arena_dup(a, slice_str(text)) : SLICE_NONE;
    free(text);
    return out;
}

static const char *param_kind(const struct param *p)
{
    switch (p->type) {
    case ARG_TEXT:
    case ARG_WORD:
        return "a string";
    case ARG_INT:
        return "a whole number";
    case ARG_NUMBER:
        return "a number";
    case ARG_BOOL:
        return "true or false";
    case ARG_LIST:
        return "an array of strings";
    case ARG_OBJECT:
    case ARG_FILTER:
        return "an object";
    case ARG_ARRAY:
        return "an array";
    case ARG_ANY:
        return "a value";
    }
    return "something else";
}

static struct arg *add(struct arena *a, struct args *args, const struct param *p)
{
    args->items = arena_grow(a, args->items, args->n, &args->cap, sizeof *args->items);
    struct arg *arg = &args->items[args->n++];
    *arg = (struct arg){.param = p, .name = slice_str(p->name)};
    return arg;
}

static bool wrong(const struct param *p, struct err *e) { return err_set(e, ERR_USAGE, "\"%s\" must be %s", p->name, param_kind(p)); }

static bool add_list(struct arena *a, struct args *args, const struct param *p, const json_t *v, struct err *e)
{
    size_t n = json_array_size(v);
    if (!json_is_array(v))
        return wrong(p, e);
    if ((int64_t)n < p->min || (int64_t)n > p->max)
        return err_set(e, ERR_USAGE, "\"%s\" must have %lld to %lld items", p->name, (long long)p->min, (long long)p->max);
    struct arg *arg = add(a, args, p);
    arg->items = arena_array(a, struct slice, n ? n : 1);
    for (arg->n = 0; arg->n < n; arg->n++) {
        const json_t *item = json_array_get(v, arg->n);
        if (!json_is_string(item))
            return wrong(p, e);
        arg->items[arg->n] = arena_dup(a, slice_of(json_string_value(item), json_string_length(item)));
    }
    return true;
}

static bool add_number(struct arena *a, struct args *args, const struct param *p, const json_t *v, struct err *e)
{
    if (!json_is_number(v))
        return wrong(p, e);
    if (json_number_value(v) < (double)p->min || json_number_value(v) > (double)p->max)
        return err_set(e, ERR_USAGE, "\"%s\" must be a number from %lld to %lld", p->name, (long long)p->min, (long long)p->max);
    add(a, args, p)->text = as_json(a, v);
    return true;
}

/* The members of a filter mean what the query parameters of the same names mean. */
static bool add_filter(struct arena *a, struct args *filter, const struct param *p, json_t *v, struct err *e)
{
    static const struct param *const lists[] = {run_filter_params, NULL};
    const char *key;
    json_t *member;
    if (!json_is_object(v))
        return wrong(p, e);
    json_object_foreach (v, key, member) {
        struct slice text;
        if (json_is_string(member))
            text = arena_dup(a, slice_of(json_string_value(member), json_string_length(member)));
        else if (json_is_boolean(member))
            text = slice_str(json_is_true(member) ? "true" : "false");
        else
            return err_set(e, ERR_USAGE, "\"%s.%s\" must be a string or a bool", p->name, key);
        if (!args_add_text(a, filter, lists, arena_dup(a, slice_str(key)), text, e))
            return err_prefix(e, "in \"%s\"", p->name);
    }
    return true;
}

static bool add_member(struct arena *a, struct args *args, struct args *filter, const struct param *p, json_t *v, struct err *e)
{
    const struct param *const lists[] = {p, NULL};
    struct slice name = slice_str(p->name);
    switch (p->type) {
    case ARG_TEXT:
    case ARG_WORD:
        if (!json_is_string(v))
            return wrong(p, e);
        return args_add_text(a, args, lists, name, arena_dup(a, slice_of(json_string_value(v), json_string_length(v))), e);
    case ARG_INT:
        if (!json_is_integer(v))
            return wrong(p, e);
        return args_add_text(a, args, lists, name, as_json(a, v), e);
    case ARG_NUMBER:
        return add_number(a, args, p, v, e);
    case ARG_BOOL:
        if (!json_is_boolean(v))
            return wrong(p, e);
        return args_add_text(a, args, lists, name, as_json(a, v), e);
    case ARG_LIST:
        return add_list(a, args, p, v, e);
    case ARG_ANY:
        add(a, args, p)->text = as_json(a, v);
        return true;
    case ARG_OBJECT:
    case ARG_ARRAY:
        if (p->type == ARG_OBJECT ? !json_is_object(v) : !json_is_array(v))
            return wrong(p, e);
        add(a, args, p)->text = as_json(a, v);
        return true;
    case ARG_FILTER:
        add(a, args, p)->text = slice_str("{}");
        return add_filter(a, filter, p, v, e);
    }
    return false;
}

static const struct param *field(const struct param *fields, const char *name)
{
    for (const struct param *p = fields; p->name; p++)
        if (strcmp(p->name, name) == 0)
            return p;
    return NULL;
}

static bool add_members(struct arena *a, struct args *args, struct args *filter, const struct param *fields, json_t *root, struct err *e)
{
    const char *key;
    json_t *v;
    if (!json_is_object(root))
        return err_set(e, ERR_USAGE, "the body must be a JSON object");
    json_object_foreach (root, key, v) {
        const struct param *p = field(fields, key);
        if (!p)
            return err_set(e, ERR_USAGE, "there is no member \"%.100s\" here", key);
        if (json_is_null(v)) /* as if it were not there */
            continue;
        if (!add_member(a, args, filter, p, v, e))
            return false;
    }
    return true;
}

bool args_from_body(struct arena *a, struct args *args, struct args *filter, const struct param *fields, struct slice body, struct err *e)
{
    json_error_t why;
    if (!slice_trim(body).len) /* a call whose members are all optional needs no body */
        return true;
    json_t *root = json_loadb(body.ptr, body.len, JSON_REJECT_DUPLICATES, &why);
    if (!root)
        return err_set(e, ERR_USAGE, "the body is no JSON: %s (line %d, column %d)", why.text, why.line, why.column);
    bool ok = add_members(a, args, filter, fields, root, e);
    json_decref(root);
    return ok;
}
