#include "http/request.h"

#include "http/route.h"

#include "http/held.h"
#include "base/jsonw.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- the target ----------------------------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent-decodes; `plus` also reads + as a blank, as query strings have it. */
static bool decode(struct arena *a, struct slice text, bool plus, struct slice *out, struct err *e)
{
    char *p = arena_alloc(a, text.len + 1);
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '+' && plus)
            c = ' ';
        if (c == '%') {
            int high = i + 2 < text.len ? hex_digit(text.ptr[i + 1]) : -1;
            int low = i + 2 < text.len ? hex_digit(text.ptr[i + 2]) : -1;
            if (high < 0 || low < 0)
                return err_set(e, ERR_USAGE, "a %% in the URL is not followed by two hexadecimal digits");
            c = (char)(high << 4 | low);
            i += 2;
        }
        if (!c)
            return err_set(e, ERR_USAGE, "a NUL in the URL");
        p[n++] = c;
    }
    p[n] = '\0';
    *out = slice_of(p, n);
    return true;
}

bool request_target(struct request *r, struct slice *query, struct err *e)
{
    if (!slice_starts(r->target, "/"))
        return err_set(e, ERR_USAGE, "the request's target must begin with /");
    *query = r->target;
    struct slice path = slice_take(query, '?');
    path = slice_sub(path, 1, path.len);
    while (path.len && r->nsegments < PATH_SEGMENTS) {
        bool last = !memchr(path.ptr, '/', path.len), empty_end;
        if (!decode(&r->arena, slice_take(&path, '/'), false, &r->segment[r->nsegments++], e))
            return false;
        empty_end = !last && !path.len;
        if (empty_end && r->nsegments < PATH_SEGMENTS) /* "/runs/" is another path than "/runs" */
            r->segment[r->nsegments++] = slice_str("");
    }
    if (path.len)
        r->nsegments = PATH_SEGMENTS; /* deeper than any route */
    return true;
}

/* ---- arguments ------------------------------------------------------------------------------------------------------ */

const struct arg *arg_find(const struct args *args, const char *name)
{
    for (size_t i = 0; i < args->n; i++)
        if (slice_is(args->items[i].name, name))
            return &args->items[i];
    return NULL;
}

struct slice arg_text(const struct args *args, const char *name)
{
    const struct arg *arg = arg_find(args, name);
    return arg ? arg->text : SLICE_NONE;
}

int64_t arg_int(const struct args *args, const char *name, int64_t fallback)
{
    const struct arg *arg = arg_find(args, name);
    return arg ? arg->number : fallback;
}

bool arg_bool(const struct args *args, const char *name, bool fallback) { return arg_int(args, name, fallback) != 0; }

static bool param_is(const struct param *param, struct slice name)
{
    size_t n = strlen(param->name);
    if (n > 2 && param->name[n - 1] == '*')
        return name.len > n - 1 && memcmp(name.ptr, param->name, n - 1) == 0;
    return slice_is(name, param->name);
}

static const struct param *param_find(const struct param *const *lists, struct slice name)
{
    for (; lists && *lists; lists++)
        for (const struct param *p = *lists; p->name; p++)
            if (param_is(p, name))
                return p;
    return NULL;
}

static bool is_word(const char *words, struct slice text)
{
    struct slice rest = slice_str(words);
    while (rest.len)
        if (slice_eq(slice_take(&rest, '|'), text))
            return true;
    return false;
}

static bool read_int(struct slice text, int64_t *out)
{
    char digits[24], *end;
    if (!text.len || text.len >= sizeof digits || !(text.ptr[0] == '-' || (text.ptr[0] >= '0' && text.ptr[0] <= '9')))
        return false;
    memcpy(digits, text.ptr, text.len);
    digits[text.len] = '\0';
    *out = strtoll(digits, &end, 10); /* 23 digits saturate, and are then out of any range */
    return end == digits + text.len && end != digits;
}

bool args_add_text(struct arena *a, struct args *args, const struct param *const *lists, struct slice name, struct slice text, struct err *e)
{
    const struct param *param = param_find(lists, name);
    if (!param)
        return err_set(e, ERR_USAGE, "there is no parameter \"%.*s\" here", SLICE_ARG(slice_cut(name, 100)));
    for (size_t i = 0; i < args->n; i++)
        if (slice_eq(args->items[i].name, name))
            return err_set(e, ERR_USAGE, "the parameter \"%.*s\" is given twice", SLICE_ARG(name));
    struct arg arg = {.param = param, .name = name, .text = text};
    long long min = param->min, max = param->max;
    switch (param->type) {
    case ARG_TEXT:
        if ((int64_t)text.len < min || (int64_t)text.len > max)
            return err_set(e, ERR_USAGE, "\"%.*s\" must have %lld to %lld bytes", SLICE_ARG(name), min, max);
        break;
    case ARG_INT:
        if (!read_int(text, &arg.number) || arg.number < min || arg.number > max)
            return err_set(e, ERR_USAGE, "\"%.*s\" must be a whole number from %lld to %lld", SLICE_ARG(name), min, max);
        break;
    case ARG_BOOL:
        arg.number = slice_is(text, "1") || slice_is(text, "true");
        if (!arg.number && !slice_is(text, "0") && !slice_is(text, "false"))
            return err_set(e, ERR_USAGE, "\"%.*s\" must be 1, 0, true or false", SLICE_ARG(name));
        break;
    case ARG_WORD:
        if (!is_word(param->words, text))
            return err_set(e, ERR_USAGE, "\"%.*s\" must be one of %s", SLICE_ARG(name), param->words);
        break;
    case ARG_NUMBER:
    case ARG_LIST:
    case ARG_OBJECT:
    case ARG_ARRAY:
    case ARG_ANY:
    case ARG_FILTER:
        return err_set(e, ERR_USAGE, "\"%.*s\" cannot be given as text", SLICE_ARG(name));
    }
    args->items = arena_grow(a, args->items, args->n, &args->cap, sizeof *args->items);
    args->items[args->n++] = arg;
    return true;
}

bool args_from_query(struct arena *a, struct args *args, const struct param *const *lists, struct slice query, struct err *e)
{
    while (query.len) {
        struct slice text = slice_take(&query, '&'), name = slice_take(&text, '=');
        if (!name.len)
            continue;
        if (!decode(a, name, true, &name, e) || !decode(a, text, true, &text, e) || !args_add_text(a, args, lists, name, text, e))
            return false;
    }
    return true;
}

bool args_complete(const struct args *args, const struct param *const *lists, struct err *e)
{
    for (; lists && *lists; lists++)
        for (const struct param *p = *lists; p->name; p++)
            if (p->required && !arg_find(args, p->name))
                return err_set(e, ERR_USAGE, "\"%s\" is missing: %s", p->name, p->about);
    return true;
}

bool request_read_body(struct request *r, struct err *e)
{
    const struct param *const lists[] = {r->route->fields, NULL};
    if (r->route->body != BODY_JSON)
        return true;
    return args_from_body(&r->arena, &r->args, &r->filter, r->route->fields, str_slice(&r->body), e) && args_complete(&r->args, lists, e);
}

bool request_unwanted(const struct request *r)
{
    return atomic_load(&r->server->stopping) || (r->gone && atomic_load(r->gone));
}

bool media_is(struct slice header, struct slice type) { return slice_eq_nocase(slice_trim(slice_take(&header, ';')), type); }

/* ---- the answer ----------------------------------------------------------------------------------------------------- */

void answer_init(struct answer *a) { *a = (struct answer){.body = STR_INIT(ANSWER_MAX), .fd = -1}; }

void answer_header(struct answer *a, const char *name, struct slice value)
{
    if (a->nheaders < ANSWER_HEADERS) {
        a->headers[a->nheaders].name = name;
        a->headers[a->nheaders++].value = value;
    }
}

static const struct {
    int status;
    const char *title, *code; /* code: of statuses that no err_code stands for */
} statuses[] = {
    {200, "OK", NULL},
    {201, "Created", NULL},
    {202, "Accepted", NULL},
    {204, "No Content", NULL},
    {207, "Multi-Status", NULL},
    {304, "Not Modified", NULL},
    {400, "Bad Request", NULL},
    {401, "Unauthorized", NULL},
    {403, "Forbidden", NULL},
    {404, "Not Found", NULL},
    {405, "Method Not Allowed", "method_not_allowed"},
    {409, "Conflict", NULL},
    {413, "Content Too Large", NULL},
    {415, "Unsupported Media Type", "unsupported_media_type"},
    {421, "Misdirected Request", "misdirected_request"},
    {422, "Unprocessable Content", NULL},
    {429, "Too Many Requests", NULL},
    {500, "Internal Server Error", NULL},
    {503, "Service Unavailable", NULL},
    {507, "Insufficient Storage", NULL},
};

const char *status_title(int status)
{
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        if (statuses[i].status == status)
            return statuses[i].title;
    return "Error";
}

static const char *problem_code(int status, enum err_code code)
{
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        if (statuses[i].status == status && statuses[i].code)
            return statuses[i].code;
    return err_name(code);
}

void answer_problem(struct answer *a, const struct request *r, int status, const struct err *e)
{
    struct err told = *e;
    err_hide_folder(&told, r->server->spool.dir);
    e = &told;
    str_free(&a->body);
    if (a->fd >= 0)
        held_close(a->fd, a->fd_size);
    struct answer problem = {.status = status ? status : err_http_status(e->code), .type = "application/problem+json",
                             .body = STR_INIT(ANSWER_MAX), .fd = -1};
    memcpy(problem.headers, a->headers, sizeof problem.headers);
    problem.nheaders = a->nheaders;
    *a = problem;
    if (r->route && r->route->problem) {
        r->route->problem(a, r, e);
        return;
    }
    struct jsonw j = jsonw_to(&a->body);
    jsonw_object(&j);
    jsonw_kstrz(&j, "type", "about:blank");
    jsonw_kstrz(&j, "title", status_title(a->status));
    jsonw_kint(&j, "status", a->status);
    jsonw_kstrz(&j, "detail", e->text);
    jsonw_kstrz(&j, "code", problem_code(a->status, e->code));
    jsonw_kstr(&j, "instance", slice_cut(r->target, 2000));
    jsonw_end(&j);
}
