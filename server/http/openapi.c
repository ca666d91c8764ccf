#include "http/route.h"

#include "base/jsonw.h"
#include "http/params.h"
#include "http/schema.h"

#include <ctype.h>
#include <stdio.h>

static const struct {
    const char *name, *about;
} path_params[] = {
    {"c", "id or name of a collection"},
    {"id", "id"},
    {"name", "name"},
    {"sha256", "SHA-256 of the bytes, 64 hexadecimal digits"},
};

/* "GET", "/api/v1/runs/{id}" → "get_runs_id" */
static void operation_id(const struct route *route, char out[100])
{
    size_t n = 0;
    for (const char *p = route->method; *p; p++)
        out[n++] = (char)tolower((unsigned char)*p);
    for (const char *p = route->path + (strncmp(route->path, "/api/v1", 7) == 0 ? 7 : 0); *p && n < 98; p++)
        if (isalnum((unsigned char)*p))
            out[n++] = *p;
        else if (out[n - 1] != '_' && p[1] != '\0')
            out[n++] = '_';
    out[n] = '\0';
}

void openapi_param(struct jsonw *j, const struct param *p, bool about)
{
    static const char *const types[] = {[ARG_TEXT] = "string", [ARG_INT] = "integer", [ARG_NUMBER] = "number", [ARG_BOOL] = "boolean", [ARG_WORD] = "string",
                                        [ARG_LIST] = "array", [ARG_OBJECT] = "object", [ARG_ARRAY] = "array"};
    jsonw_object(j);
    if (p->type == ARG_FILTER) {
        jsonw_kstrz(j, "$ref", "#/components/schemas/Filter");
        jsonw_end(j);
        return;
    }
    if (p->type != ARG_ANY)
        jsonw_kstrz(j, "type", types[p->type]);
    if (about)
        jsonw_kstrz(j, "description", p->about);
    if (p->type == ARG_TEXT) {
        jsonw_kint(j, "minLength", p->min);
        jsonw_kint(j, "maxLength", p->max);
    }
    if (p->type == ARG_INT || p->type == ARG_NUMBER) {
        jsonw_kint(j, "minimum", p->min);
        jsonw_kint(j, "maximum", p->max);
    }
    if (p->type == ARG_LIST) {
        jsonw_kint(j, "maxItems", p->max);
        jsonw_key(j, "items");
        schema_write(j, "string");
    }
    if (p->type == ARG_WORD) {
        jsonw_key(j, "enum");
        jsonw_array(j);
        for (const char *word = p->words; *word; word += word[strcspn(word, "|")] ? strcspn(word, "|") + 1 : strlen(word))
            jsonw_str(j, slice_of(word, strcspn(word, "|")));
        jsonw_end(j);
    }
    jsonw_end(j);
}

/* A list of params as the properties of an object. */
static void members(struct jsonw *j, const struct param *fields)
{
    jsonw_object(j);
    jsonw_kstrz(j, "type", "object");
    jsonw_key(j, "properties");
    jsonw_object(j);
    for (const struct param *p = fields; p->name; p++)
        if (!strchr(p->name, '*')) {
            jsonw_key(j, p->name);
            openapi_param(j, p, false);
        }
    jsonw_end(j);
    jsonw_key(j, "required");
    jsonw_array(j);
    for (const struct param *p = fields; p->name; p++)
        if (p->required)
            jsonw_strz(j, p->name);
    jsonw_end(j);
    jsonw_end(j);
}

static void parameter(struct jsonw *j, const char *name, const char *place, bool required, const char *about)
{
    jsonw_object(j);
    jsonw_kstrz(j, "name", name);
    jsonw_kstrz(j, "in", place);
    jsonw_kbool(j, "required", required);
    jsonw_kstrz(j, "description", about);
}

static void parameters(struct jsonw *j, const struct route *route)
{
    jsonw_key(j, "parameters");
    jsonw_array(j);
    for (size_t i = 0; i < sizeof path_params / sizeof *path_params; i++) {
        char braced[20];
        snprintf(braced, sizeof braced, "{%s}", path_params[i].name);
        if (!strstr(route->path, braced))
            continue;
        parameter(j, path_params[i].name, "path", true, path_params[i].about);
        jsonw_key(j, "schema");
        schema_write(j, "string");
        jsonw_end(j);
    }
    for (const struct param *const *list = route->query; *list; list++)
        for (const struct param *p = *list; p->name; p++) {
            parameter(j, strchr(p->name, '*') ? "meta.KEY" : p->name, "query", p->required, p->about);
            if (p->may)
                jsonw_kstrz(j, "x-telltale-scope", scope_names[__builtin_ctz(p->may)]);
            jsonw_key(j, "schema");
            openapi_param(j, p, false);
            jsonw_end(j);
        }
    jsonw_end(j);
}

static void content(struct jsonw *j, const char *type)
{
    jsonw_key(j, "content");
    jsonw_object(j);
    jsonw_key(j, type);
    jsonw_object(j);
    jsonw_key(j, "schema");
}

static void content_end(struct jsonw *j)
{
    jsonw_end(j);
    jsonw_end(j);
}

static void request_body(struct jsonw *j, const struct route *route)
{
    if (route->body == BODY_NONE)
        return;
    bool required = route->body != BODY_JSON;
    for (const struct param *p = route->fields; p && p->name; p++)
        required = required || p->required;
    jsonw_key(j, "requestBody");
    jsonw_object(j);
    jsonw_kbool(j, "required", required);
    jsonw_key(j, "content");
    jsonw_object(j);
    struct slice types = slice_str(route->takes ? route->takes : route->body == BODY_SPOOL ? "application/octet-stream" : "application/json");
    while (types.len) {
        jsonw_key_slice(j, slice_take(&types, '|'));
        jsonw_object(j);
        jsonw_key(j, "schema");
        if (route->body == BODY_JSON)
            members(j, route->fields);
        else
            schema_write(j, "any");
        jsonw_end(j);
    }
    jsonw_end(j);
    jsonw_end(j);
}

static void success(struct jsonw *j, const struct route *route, int status)
{
    char number[8], page[100];
    snprintf(number, sizeof number, "%d", status);
    jsonw_key(j, number);
    jsonw_object(j);
    jsonw_kstrz(j, "description", status_title(status));
    if (route->schema) {
        const char *shape = route->schema;
        if (*shape == '[') { /* a list is a page of one */
            snprintf(page, sizeof page, "{items: %s, next: string?, total: integer?}", shape);
            shape = page;
        }
        struct slice types = slice_str(route->takes ? route->takes : "application/json"); /* answered in kind */
        jsonw_key(j, "content");
        jsonw_object(j);
        while (types.len) {
            struct slice type = slice_take(&types, '|');
            jsonw_key_slice(j, type);
            jsonw_object(j);
            jsonw_key(j, "schema");
            schema_write(j, slice_is(type, "application/json") ? shape : "any");
            jsonw_end(j);
        }
        jsonw_end(j);
    } else if (route->type) {
        content(j, route->type);
        schema_write(j, "any");
        content_end(j);
    }
    jsonw_end(j);
}

static void operation(struct jsonw *j, const struct route *route)
{
    char id[100];
    operation_id(route, id);
    jsonw_object(j);
    jsonw_kstrz(j, "operationId", id);
    jsonw_kstrz(j, "summary", route->summary);
    jsonw_kraw(j, "security", slice_str(route->need == NEED_NONE ? "[]" : "[{\"token\": []}, {\"session\": []}]"));
    jsonw_kstrz(j, "x-telltale-scope", need_names[route->need]);
    jsonw_kstrz(j, "x-telltale-of", of_names[route->of]);
    parameters(j, route);
    request_body(j, route);
    jsonw_key(j, "responses");
    jsonw_object(j);
    success(j, route, route->status);
    if (route->body == BODY_SPOOL) /* it ended while the client waited */
        success(j, route, 200);
    static const char *const errors[] = {"4XX", "5XX"};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        jsonw_key(j, errors[i]);
        jsonw_object(j);
        jsonw_kstrz(j, "$ref", route->problem ? "#/components/responses/Status" : "#/components/responses/Problem");
        jsonw_end(j);
    }
    jsonw_end(j);
    jsonw_end(j);
}

static bool first_of_its_path(size_t row)
{
    for (size_t i = 0; i < row; i++)
        if (strcmp(routes[i].path, routes[row].path) == 0)
            return false;
    return true;
}

static void paths(struct jsonw *j)
{
    jsonw_key(j, "paths");
    jsonw_object(j);
    for (size_t i = 0; i < route_count; i++) {
        if (!routes[i].summary || !first_of_its_path(i))
            continue;
        jsonw_key(j, routes[i].path);
        jsonw_object(j);
        for (size_t k = i; k < route_count; k++) {
            char method[8] = "";
            if (strcmp(routes[k].path, routes[i].path) != 0)
                continue;
            for (size_t c = 0; routes[k].method[c] && c < sizeof method - 1; c++)
                method[c] = (char)tolower((unsigned char)routes[k].method[c]);
            jsonw_key(j, method);
            operation(j, &routes[k]);
        }
        jsonw_end(j);
    }
    jsonw_end(j);
}

static void error(struct jsonw *j, const char *name, const char *type)
{
    jsonw_key(j, name);
    jsonw_object(j);
    jsonw_kstrz(j, "description", "What went wrong");
    content(j, type);
    schema_write(j, name);
    content_end(j);
    jsonw_end(j);
}

void openapi_write(struct str *out)
{
    struct jsonw writer = jsonw_to(out), *j = &writer;
    jsonw_object(j);
    jsonw_kstrz(j, "openapi", "3.1.0");
    jsonw_kraw(j, "info", slice_str("{\"title\":\"Telltale\",\"version\":\"1\",\"description\":\"What AI agents did, task by task, with the "
                                    "words that prove it. Where the server asks for tokens, x-telltale-scope is the scope that a call needs, x-telltale-of whose the thing "
                                    "is. Unknown parameters are refused; errors are application/problem+json.\"}"));
    jsonw_kraw(j, "servers", slice_str("[{\"url\":\"/\"}]"));
    paths(j);
    jsonw_key(j, "components");
    jsonw_object(j);
    jsonw_key(j, "schemas");
    jsonw_object(j);
    for (size_t i = 0; i < schema_count; i++) {
        jsonw_key(j, schemas[i].name);
        schema_write(j, schemas[i].shape);
    }
    jsonw_key(j, "Filter");
    members(j, run_filter_params);
    jsonw_end(j);
    jsonw_kraw(j, "securitySchemes", slice_str("{\"token\": {\"type\": \"http\", \"scheme\": \"bearer\"}, \"session\": {\"type\": \"apiKey\", "
                                               "\"in\": \"cookie\", \"name\": \"telltale_session\", \"description\": \"With _PORT behind it where the "
                                               "server's address has a port, and __Host- in front by https\"}}"));
    jsonw_key(j, "responses");
    jsonw_object(j);
    error(j, "Problem", "application/problem+json");
    error(j, "Status", "application/json");
    jsonw_end(j);
    jsonw_end(j);
    jsonw_end(j);
}
