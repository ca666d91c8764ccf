/* Everything about a request that needs no socket: targets, routes, arguments, bodies, the gate, the description of it all. */
#include "http/gate.h"
#include "http/route.h"
#include "http/schema.h"
#include "text/jread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static struct err e;

/* A request for METHOD TARGET, as far as the table takes it. */
static enum route_match ask(struct request *r, const char *method, const char *target, struct slice *allow)
{
    struct slice query;
    *r = (struct request){.method = slice_str(method), .target = slice_str(target)};
    if (!request_target(r, &query, &e))
        return ROUTE_NO_PATH;
    return route_find(r, allow);
}

static void assert_route(const char *method, const char *target, const char *path)
{
    struct request r;
    struct slice allow;
    assert_int_equal(ask(&r, method, target, &allow), ROUTE_FOUND);
    assert_string_equal(r.route->path, path);
    arena_free(&r.arena);
}

static void assert_no_route(const char *method, const char *target, enum route_match why, const char *allowed)
{
    struct request r;
    struct slice allow = SLICE_NONE;
    assert_int_equal(ask(&r, method, target, &allow), why);
    if (allowed)
        assert_true(slice_is(allow, allowed));
    arena_free(&r.arena);
}

static void paths_find_their_rows(void **state)
{
    (void)state;
    assert_route("GET", "/", "/");
    assert_route("GET", "/?theme=dark", "/");
    assert_route("HEAD", "/api/v1/collections", "/api/v1/collections");
    assert_route("GET", "/api/v1/collections/my%20runs/runs?limit=3", "/api/v1/collections/{c}/runs");
    assert_route("POST", "/api/v1/runs/tags", "/api/v1/runs/tags");
    assert_route("GET", "/api/v1/runs/tags", "/api/v1/runs/{id}");
    assert_route("PATCH", "/api/v1/findings/x", "/api/v1/findings/{id}");
    assert_route("GET", "/c/a%2Fb/findings", "/c/{c}/findings");

    assert_no_route("GET", "/api/v1/collections/", ROUTE_NO_PATH, NULL);
    assert_no_route("GET", "/api/v1//collections", ROUTE_NO_PATH, NULL);
    assert_no_route("GET", "//", ROUTE_NO_PATH, NULL);
    assert_no_route("GET", "/api/v1", ROUTE_NO_PATH, NULL);
    assert_no_route("GET", "/assets/../index.html", ROUTE_NO_PATH, NULL);
    assert_no_route("GET", "/assets/%2e%2e/x", ROUTE_NO_PATH, NULL);
    assert_no_route("GET", "/a/b/c/d/e/f/g/h/i/j/k", ROUTE_NO_PATH, NULL);
    assert_no_route("PUT", "/api/v1/collections/x", ROUTE_NO_METHOD, "GET, HEAD, PATCH, DELETE");
    assert_no_route("OPTIONS", "/api/v1/sql", ROUTE_NO_METHOD, "POST");
    assert_no_route("get", "/", ROUTE_NO_METHOD, "GET, HEAD");
}

static void segments_are_decoded_once(void **state)
{
    (void)state;
    struct request r;
    struct slice allow;
    assert_int_equal(ask(&r, "GET", "/api/v1/collections/a%2Fb%252e+c", &allow), ROUTE_FOUND);
    assert_true(slice_is(r.path[0], "a/b%2e+c")); /* in a path + is a plus */
    arena_free(&r.arena);
}

static void bad_targets_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "*", "http://127.0.0.1/", "/a%00b", "/a%", "/a%4", "/a%zz", "/a%0"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct request r = {.target = slice_str(bad[i])};
        struct slice query;
        e = (struct err){0};
        assert_false(request_target(&r, &query, &e));
        assert_int_equal(e.code, ERR_USAGE);
        arena_free(&r.arena);
    }
}

/* ---- arguments ------------------------------------------------------------------------------------------------------- */

static const struct param some[] = {
    {"name", ARG_TEXT, 1, 5, .required = true, .about = "a name"},
    {"n", ARG_INT, .min = -2, .max = 1000},
    {"on", .type = ARG_BOOL},
    {"as", ARG_WORD, .words = "native|csv"},
    {"meta.*", ARG_TEXT, .max = 10},
    {0},
};
static const struct param *const lists[] = {some, NULL};

static bool query(struct arena *a, struct args *args, const char *text)
{
    *args = (struct args){0};
    e = (struct err){0};
    return args_from_query(a, args, lists, slice_str(text), &e);
}

static void queries_become_typed_arguments(void **state)
{
    (void)state;
    struct arena a = {0};
    struct args args;
    assert_true(query(&a, &args, "name=a%26+b&n=-2&on=true&as=csv&meta.x%20y=1&meta.z=&"));
    assert_true(slice_is(arg_text(&args, "name"), "a& b"));
    assert_int_equal(arg_int(&args, "n", 7), -2);
    assert_true(arg_bool(&args, "on", false));
    assert_true(slice_is(arg_text(&args, "meta.x y"), "1"));
    assert_true(arg_find(&args, "meta.z")->text.len == 0);
    assert_true(args_complete(&args, lists, &e));

    assert_true(query(&a, &args, "n=0"));
    assert_int_equal(arg_int(&args, "n", 7), 0);
    assert_int_equal(arg_int(&args, "on", -1), -1);
    assert_null(arg_text(&args, "name").ptr);
    assert_false(args_complete(&args, lists, &e));
    assert_non_null(strstr(e.text, "\"name\""));
    arena_free(&a);
}

static void wrong_arguments_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *query, *named;
    } cases[] = {
        {"nmae=x", "nmae"}, {"n=1&n=1", "\"n\""}, {"n=", "\"n\""},       {"n=1001", "\"n\""},      {"n=1.5", "\"n\""},     {"n=+1", "\"n\""},
        {"n=0x1", "\"n\""}, {"n= 1", "\"n\""},    {"on=yes", "\"on\""},  {"on=", "\"on\""},        {"as=html", "native"}, {"as=native|csv", "native"},
        {"as=", "native"},  {"name=", "\"name\""}, {"name=123456", "\"name\""}, {"n=99999999999999999999", "\"n\""}, {"meta.=1", "meta."},
        {"n=9999999999999999999999999", "\"n\""}, {"name=%0", "hexadecimal"}, {"name=a%00", "NUL"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena a = {0};
        struct args args;
        if (query(&a, &args, cases[i].query) || !strstr(e.text, cases[i].named))
            fail_msg("%s: %s", cases[i].query, e.text);
        assert_int_equal(e.code, ERR_USAGE);
        arena_free(&a);
    }
}

static const struct param fields[] = {
    {"name", ARG_TEXT, .min = 1, .max = 100, .required = true},
    {"n", ARG_INT, .max = 10},
    {"on", .type = ARG_BOOL},
    {"ids", ARG_LIST, .max = 3},
    {"metadata", .type = ARG_OBJECT},
    {"params", .type = ARG_ARRAY},
    {"filter", .type = ARG_FILTER},
    {"status", ARG_WORD, .words = "open|confirmed"},
    {0},
};

static bool body(struct arena *a, struct args *args, struct args *filter, const char *text)
{
    *args = *filter = (struct args){0};
    e = (struct err){0};
    return args_from_body(a, args, filter, fields, slice_str(text), &e);
}

static void bodies_become_typed_arguments(void **state)
{
    (void)state;
    struct arena a = {0};
    struct args args, filter;
    assert_true(body(&a, &args, &filter,
                     "{\"name\":\"\\u00e9\",\"n\":3,\"on\":false,\"ids\":[\"a\",\"b\"],\"metadata\":{\"x\":[1,0.5,9007199254740993]},"
                     "\"params\":[1,null,\"z\"],\"status\":null,\"filter\":{\"kind\":\"harness\",\"has_findings\":true,\"meta.k\":\"v\",\"status\":\"open\"}}"));
    assert_true(slice_is(arg_text(&args, "name"), "\xc3\xa9"));
    assert_int_equal(arg_int(&args, "n", 0), 3);
    assert_false(arg_bool(&args, "on", true));
    assert_int_equal(arg_find(&args, "ids")->n, 2);
    assert_true(slice_is(arg_find(&args, "ids")->items[1], "b"));
    assert_true(slice_is(arg_text(&args, "metadata"), "{\"x\":[1,0.5,9007199254740993]}"));
    assert_true(slice_is(arg_text(&args, "params"), "[1,null,\"z\"]"));
    assert_null(arg_find(&args, "status")); /* null is as if it were not there */
    assert_true(slice_is(arg_text(&filter, "status"), "open"));
    assert_true(slice_is(arg_text(&filter, "meta.k"), "v"));
    assert_int_equal(arg_int(&filter, "has_findings", -1), 1);
    assert_true(body(&a, &args, &filter, " \n"));
    assert_int_equal(args.n, 0);
    arena_free(&a);
}

static void wrong_bodies_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *text, *named;
    } cases[] = {
        {"[]", "object"}, {"{", "JSON"}, {"{} x", "JSON"}, {"{\"nmae\":1}", "nmae"}, {"{\"name\":1}", "a string"}, {"{\"n\":\"3\"}", "whole"},
        {"{\"n\":3.0}", "whole"}, {"{\"n\":11}", "0 to 10"}, {"{\"on\":1}", "true or false"}, {"{\"ids\":\"a\"}", "array of strings"},
        {"{\"ids\":[1]}", "array of strings"}, {"{\"ids\":[\"a\",\"a\",\"a\",\"a\"]}", "0 to 3"}, {"{\"metadata\":[]}", "an object"},
        {"{\"params\":{}}", "an array"}, {"{\"filter\":{\"nope\":\"x\"}}", "nope"}, {"{\"filter\":{\"kind\":[\"x\"]}}", "filter.kind"},
        {"{\"filter\":[]}", "an object"}, {"{\"status\":\"shut\"}", "open|confirmed"}, {"{\"n\":1,\"n\":1}", "JSON"},
        {"{\"name\":\"\\u0000\"}", "JSON"}, {"{\"name\":\"\xff\"}", "JSON"}, {"{\"name\":\"\\ud800\"}", "JSON"}, {"{\"n\":1e400}", "JSON"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena a = {0};
        struct args args, filter;
        if (body(&a, &args, &filter, cases[i].text) || !strstr(e.text, cases[i].named))
            fail_msg("%s: %s", cases[i].text, e.text);
        arena_free(&a);
    }
}

/* ---- the gate -------------------------------------------------------------------------------------------------------- */

enum { MOST = 4 };
static int knock(const struct gate *gate, const char *method, const char *const headers[][2])
{
    struct header list[MOST];
    struct framing framing;
    size_t n = 0;
    for (; n < MOST && headers[n][0]; n++)
        list[n] = (struct header){slice_str(headers[n][0]), slice_str(headers[n][1])};
    return gate_check(gate, false, slice_str(method), slice_str("HTTP/1.1"), list, n, &framing, &e);
}

static void the_gate_refuses_smuggling_and_strangers(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *method, *headers[MOST][2];
    } cases[] = {
        {0, "GET", {{"Host", "127.0.0.1:8787"}}},
        {0, "GET", {{"host", "LOCALHOST:8787"}}},
        {0, "GET", {{"Host", "[::1]:8787"}}},
        {0, "GET", {{"Host", "127.0.0.1:8787"}, {"Origin", "http://evil.example"}}},
        {0, "POST", {{"Host", "127.0.0.1:8787"}, {"Origin", "http://127.0.0.1:8787"}, {"Content-Length", "3"}}},
        {0, "POST", {{"Host", "localhost:8787"}, {"Transfer-Encoding", "Chunked"}}},
        {400, "GET", {{NULL}}},
        {400, "GET", {{"Host", "127.0.0.1:8787"}, {"Host", "127.0.0.1:8787"}}},
        {400, "POST", {{"Host", "127.0.0.1:8787"}, {"Content-Length", "3"}, {"Content-Length", "3"}}},
        {400, "POST", {{"Host", "127.0.0.1:8787"}, {"Content-Length", "3"}, {"Transfer-Encoding", "chunked"}}},
        {400, "POST", {{"Host", "127.0.0.1:8787"}, {"Content-Length", "+3"}}},
        {400, "POST", {{"Host", "127.0.0.1:8787"}, {"Content-Length", "3, 3"}}},
        {400, "POST", {{"Host", "127.0.0.1:8787"}, {"Content-Length", ""}}},
        {400, "POST", {{"Host", "127.0.0.1:8787"}, {"Content-Length", "99999999999999999999"}}},
        {400, "POST", {{"Host", "127.0.0.1:8787"}, {"Transfer-Encoding", "xchunked"}}},
        {400, "POST", {{"Host", "127.0.0.1:8787"}, {"Transfer-Encoding", "gzip, chunked"}}},
        {400, "POST", {{"Host", "127.0.0.1:8787"}, {"Transfer-Encoding", "chunked"}, {"Transfer-Encoding", "chunked"}}},
        {421, "GET", {{"Host", "evil.example:8787"}}},
        {421, "GET", {{"Host", "127.0.0.1"}}},
        {421, "GET", {{"Host", "127.0.0.1:87870"}}},
        {421, "GET", {{"Host", ""}}},
        {403, "POST", {{"Host", "127.0.0.1:8787"}, {"Origin", "http://evil.example"}}},
        {403, "DELETE", {{"Host", "127.0.0.1:8787"}, {"Origin", "null"}}},
        {403, "POST", {{"Host", "127.0.0.1:8787"}, {"Origin", "http://127.0.0.1:8787.evil.example"}}},
        {403, "PATCH", {{"Host", "127.0.0.1:8787"}, {"Origin", "http://localhost:8787"}}},
    };
    struct arena a = {0};
    struct gate gate;
    gate_init(&gate, &a, slice_str("127.0.0.1"), false, 8787, false);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (knock(&gate, cases[i].method, cases[i].headers) != cases[i].status)
            fail_msg("case %zu: not %d", i, cases[i].status);
    arena_free(&a);
}

static void listening_everywhere_answers_addresses_but_no_names(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *host;
    } cases[] = {{0, "192.168.1.7:8787"}, {0, "10.0.0.1"}, {0, "[fe80::1]:9000"}, {0, "localhost:9000"}, {421, "evil.example:8787"},
                 {421, "[::1"},           {421, "1.2.3.4.evil.example"},       {421, "[::1].evil.example"}};
    struct arena a = {0};
    struct gate gate;
    gate_init(&gate, &a, slice_str("0.0.0.0"), true, 8787, false);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *const headers[MOST][2] = {{"Host", cases[i].host}};
        if (knock(&gate, "GET", headers) != cases[i].status)
            fail_msg("%s: not %d", cases[i].host, cases[i].status);
    }
    arena_free(&a);
}

/* ---- the description ------------------------------------------------------------------------------------------------- */

static void shapes_become_json_schema(void **state)
{
    (void)state;
    static const struct {
        const char *shape, *schema;
    } cases[] = {
        {"string", "{\"type\":\"string\"}"},
        {"any", "{}"},
        {"uuid", "{\"type\":\"string\",\"format\":\"uuid\"}"},
        {"Run", "{\"$ref\":\"#/components/schemas/Run\"}"},
        {"[integer]", "{\"type\":\"array\",\"items\":{\"type\":\"integer\"}}"},
        {"<Rate>", "{\"type\":\"object\",\"additionalProperties\":{\"$ref\":\"#/components/schemas/Rate\"}}"},
        {"[[string]]?", "{\"anyOf\":[{\"type\":\"array\",\"items\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}}},{\"type\":\"null\"}]}"},
        {"{a: integer?, b: {c: [string]}}",
         "{\"type\":\"object\",\"properties\":{\"a\":{\"anyOf\":[{\"type\":\"integer\"},{\"type\":\"null\"}]},\"b\":{\"type\":\"object\","
         "\"properties\":{\"c\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}}},\"required\":[\"c\"]}},\"required\":[\"a\",\"b\"]}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct str out = STR_INIT(10000);
        struct jsonw j = jsonw_to(&out);
        schema_write(&j, cases[i].shape);
        assert_string_equal(out.ptr, cases[i].schema);
        str_free(&out);
    }
}

/* Every $ref below v names something that is there. */
static void check_references(const struct jvalue *v, const struct jvalue *components)
{
    for (uint32_t i = 0; (v->type == J_OBJECT || v->type == J_ARRAY) && i < v->n; i++) {
        if (v->type == J_OBJECT && slice_is(v->keys[i], "$ref")) {
            struct slice to = v->items[i].text;
            const char *group = slice_starts(to, "#/components/schemas/") ? "schemas" : "responses";
            struct slice name = slice_sub(to, strlen("#/components//") + strlen(group), to.len);
            if (!jget_slice(jget(components, group), name))
                fail_msg("%.*s is nowhere", SLICE_ARG(to));
        }
        check_references(&v->items[i], components);
    }
}

static void the_description_tells_of_every_route(void **state)
{
    (void)state;
    struct str out = STR_INIT(1 << 20);
    struct arena a = {0};
    struct jvalue *root;
    openapi_write(&out);
    assert_false(out.full);
    assert_true(jread(&a, str_slice(&out), NULL, NULL, &root, &e));
    size_t told = 0, pages = 0;
    for (size_t i = 0; i < route_count; i++) {
        char method[8] = "";
        for (size_t c = 0; routes[i].method[c]; c++)
            method[c] = (char)(routes[i].method[c] | 0x20);
        const struct jvalue *op = jget(jget(jget(root, "paths"), routes[i].path), method);
        if (routes[i].summary) {
            assert_true(jis(jget(op, "responses"), J_OBJECT));
            told++;
        } else {
            assert_null(op);
            pages++;
        }
    }
    size_t described = 0;
    const struct jvalue *paths = jget(root, "paths");
    for (uint32_t i = 0; i < paths->n; i++)
        described += paths->items[i].n;
    assert_int_equal(described, told);
    assert_int_equal(told + pages, route_count);
    check_references(root, jget(root, "components"));
    arena_free(&a);
    str_free(&out);
}

static void routes_are_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < route_count; i++) {
        const struct route *route = &routes[i];
        assert_non_null(route->handle);
        assert_int_not_equal(route->need, NEED_UNSAID); /* who may: no row goes without an answer */
        assert_int_not_equal(route->of, OF_UNSAID);
        assert_true(!strchr(route->path, '{') || !route->summary || route->of != OF_NOTHING);
        assert_int_not_equal(route->status, 0);
        assert_true((route->body == BODY_JSON) == (route->fields != NULL));
        for (size_t k = 0; k < i; k++)
            assert_false(strcmp(route->path, routes[k].path) == 0 && strcmp(route->method, routes[k].method) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_find_their_rows),
        cmocka_unit_test(segments_are_decoded_once),
        cmocka_unit_test(bad_targets_are_refused),
        cmocka_unit_test(queries_become_typed_arguments),
        cmocka_unit_test(wrong_arguments_are_named),
        cmocka_unit_test(bodies_become_typed_arguments),
        cmocka_unit_test(wrong_bodies_are_named),
        cmocka_unit_test(the_gate_refuses_smuggling_and_strangers),
        cmocka_unit_test(listening_everywhere_answers_addresses_but_no_names),
        cmocka_unit_test(shapes_become_json_schema),
        cmocka_unit_test(the_description_tells_of_every_route),
        cmocka_unit_test(routes_are_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
