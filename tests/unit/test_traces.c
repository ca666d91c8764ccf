/* Spans of many traces: joined however they come, in bounded memory; and as fast as they are many. */
#include "ingest/fmt_otlp.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct heard {
    size_t runs, messages, largest;
    struct str ids;
    size_t fail_at;
    const char *refusal; /* what is to be refused, in these words */
    size_t refused;
    size_t memory;       /* the most in use when a run came */
};

static size_t memory_in_use(void)
{
    struct mallinfo2 m = mallinfo2(); /* all zeros where a sanitizer has its own allocator */
    return m.uordblks + m.hblkhd;
}

static bool hear(void *ctx, struct arena *arena, struct run *run, struct err *e)
{
    struct heard *h = ctx;
    size_t memory = memory_in_use();
    h->memory = memory > h->memory ? memory : h->memory;
    h->runs++;
    h->messages += run_count_messages(run);
    str_addz(&h->ids, h->ids.len ? " " : "");
    str_add_slice(&h->ids, run->external_id);
    fmt_discard(arena);
    return h->runs != h->fail_at || err_set(e, ERR_CANCELLED, "enough");
}

static void refuse(void *ctx, struct slice location, enum err_code code, const char *message)
{
    struct heard *h = ctx;
    (void)location;
    if (!h->refusal || !strstr(message, h->refusal))
        fail_msg("%s", message);
    assert_int_equal(code, ERR_TOO_LARGE);
    h->refused++;
}

/* One export. */
static void add_text(struct traces *all, struct heard *h, const char *json)
{
    const struct sink sink = {.run = hear, .refuse = refuse, .ctx = h};
    struct arena *a = fmt_arena();
    struct jvalue *v;
    struct err e = {0};
    size_t count;
    assert_true(jread(a, arena_dup(a, slice_str(json)), NULL, NULL, &v, &e));
    assert_true(otlp_add(all, &a, slice_str("here"), v, &sink, &count, &e));
    assert_true(count > 0);
    fmt_discard(a);
}

static void add_span(struct traces *all, struct heard *h, int trace, int id, int parent, const char *said)
{
    char json[4096];
    snprintf(json, sizeof json,
             "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":\"t%d\",\"spanId\":\"s%d\",\"parentSpanId\":\"%s%.0d\",\"name\":\"x\","
             "\"startTimeUnixNano\":\"17673228%02d000000000\",\"attributes\":[{\"key\":\"gen_ai.operation.name\",\"value\":{\"stringValue\":\"%s\"}},"
             "{\"key\":\"gen_ai.prompt\",\"value\":{\"stringValue\":\"%s\"}},{\"key\":\"filler\",\"value\":{\"stringValue\":\"%01500d\"}}]}]}]}]}",
             trace, id, parent ? "s" : "", parent, id, parent ? "chat" : "invoke_agent", said, 0);
    add_text(all, h, json);
}

static void end(struct traces *all, struct heard *h)
{
    const struct sink sink = {.run = hear, .refuse = refuse, .ctx = h};
    struct err e = {0};
    assert_true(traces_end(all, &sink, &e));
}

/* The second span of each trace comes after the first of all of them, and its root last. */
static void come_apart(void **state)
{
    (void)state;
    enum { TRACES = 40 };
    struct heard h = {.ids = STR_INIT(1 << 20)}, small = {.ids = STR_INIT(1 << 20)};
    struct traces *all = otlp_new(), *bounded = otlp_new_within(20000);
    for (int id = 3; id >= 1; id--)
        for (int t = 0; t < TRACES; t++) {
            const char *said = id == 1 ? "one" : id == 2 ? "two" : "three";
            add_span(all, &h, t, id, id > 1, said);
            add_span(bounded, &small, t, id, id > 1, said);
        }
    end(all, &h);
    end(bounded, &small);
    assert_int_equal(h.runs, TRACES);
    assert_int_equal(h.messages, 2 * TRACES);
    assert_int_equal(small.runs, TRACES);
    assert_int_equal(small.messages, h.messages);
    assert_string_equal(h.ids.ptr, small.ids.ptr);
    str_free(&h.ids);
    str_free(&small.ids);
}

/* Traces that are whole go out while the file is read; a span that comes long after is a run of its own. */
static void whole_ones_go(void **state)
{
    (void)state;
    struct heard h = {.ids = STR_INIT(1 << 20)};
    struct traces *all = otlp_new_within(60000);
    for (int t = 0; t < 100; t++)
        add_span(all, &h, t, 1, 0, "hello");
    assert_true(h.runs > 50);
    add_span(all, &h, 0, 2, 1, "late");
    end(all, &h);
    assert_int_equal(h.runs, 101);
    assert_int_equal(h.messages, 101);
    str_free(&h.ids);
}

static void a_sink_that_stops(void **state)
{
    (void)state;
    struct heard h = {.ids = STR_INIT(1 << 20), .fail_at = 2};
    const struct sink sink = {.run = hear, .refuse = refuse, .ctx = &h};
    struct traces *all = otlp_new();
    struct err e = {0};
    for (int t = 0; t < 5; t++)
        add_span(all, &h, t, 1, 0, "hello");
    assert_false(traces_end(all, &sink, &e));
    assert_int_equal(e.code, ERR_CANCELLED);
    assert_int_equal(h.runs, 2);
    str_free(&h.ids);
}

static struct jvalue text(const char *z)
{
    return (struct jvalue){.type = J_STRING, .repaired = true, .text = slice_str(z), .raw = slice_str(z)};
}

/* A tree that was not read from text, as the door for protobuf makes it. */
static void from_memory(void **state)
{
    (void)state;
    struct arena a = {0};
    struct making span = making_object(&a, &(struct jvalue){.type = J_OBJECT}), value = span, attribute = span, list = making_list(&a, &span.v), spans = list;
    struct making scope = span, scopes = list, resource = span, resources = list, export = span;
    making_put(&value, slice_str("stringValue"), text("from memory"));
    making_put(&attribute, slice_str("key"), text("gen_ai.prompt"));
    making_put(&attribute, slice_str("value"), value.v);
    making_put(&list, SLICE_NONE, attribute.v);
    making_put(&span, slice_str("traceId"), text("t"));
    making_put(&span, slice_str("spanId"), text("s"));
    making_put(&span, slice_str("name"), text("chat"));
    making_put(&span, slice_str("attributes"), list.v);
    making_put(&spans, SLICE_NONE, span.v);
    making_put(&scope, slice_str("spans"), spans.v);
    making_put(&scopes, SLICE_NONE, scope.v);
    making_put(&resource, slice_str("scopeSpans"), scopes.v);
    making_put(&resources, SLICE_NONE, resource.v);
    making_put(&export, slice_str("resourceSpans"), resources.v);
    struct heard h = {.ids = STR_INIT(1 << 20)};
    const struct sink sink = {.run = hear, .refuse = refuse, .ctx = &h};
    struct traces *all = otlp_new();
    struct err e = {0};
    size_t count;
    assert_true(otlp_add(all, NULL, slice_str("here"), &export.v, &sink, &count, &e));
    arena_free(&a);
    end(all, &h);
    assert_string_equal(h.ids.ptr, "t");
    assert_int_equal(h.messages, 1);
    str_free(&h.ids);
}

/* A trace of many spans in one another, agents with tools, the same span over and over: never the square of their number. */
static void many(void **state)
{
    (void)state;
    enum { SPANS = 60000 };
    struct heard h = {.ids = STR_INIT(1 << 20)};
    const struct sink sink = {.run = hear, .refuse = refuse, .ctx = &h};
    struct str json = STR_INIT((size_t)1 << 28);
    str_addz(&json, "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[");
    for (int i = 0; i < SPANS; i++) {
        const char *kind = i % 3 == 0 ? "AGENT" : i % 3 == 1 ? "TOOL" : "LLM";
        str_printf(&json, "%s{\"traceId\":\"t\",\"spanId\":\"s%d\",\"parentSpanId\":\"s%d\",\"name\":\"n\",\"attributes\":[{\"key\":\"openinference.span.kind\","
                          "\"value\":{\"stringValue\":\"%s\"}},{\"key\":\"k%d\",\"value\":{\"intValue\":\"1\"}},{\"key\":\"input.value\",\"value\":{\"stringValue\":\"%d\"}}]}",
                   i ? "," : "", i % 5 == 4 ? 3 : i, i / 2 * 2 - 1, kind, i, i);
    }
    str_addz(&json, "]}]}]}");
    struct arena *a = fmt_arena();
    struct jvalue *v;
    struct err e = {0};
    size_t count;
    assert_true(jread(a, str_slice(&json), NULL, NULL, &v, &e));
    struct traces *all = otlp_new();
    assert_true(otlp_add(all, &a, slice_str("here"), v, &sink, &count, &e));
    assert_int_equal(count, SPANS);
    end(all, &h);
    assert_int_equal(h.runs, 1);
    assert_true(h.messages > SPANS / 3);
    str_free(&json);
    str_free(&h.ids);
}

/* One export with the roots of many traces and then what is below them: each is one run, and not all are in memory before the first
 * is made. */
static void one_export_of_many_traces(void **state)
{
    (void)state;
    enum { TRACES = 5000, LEVELS = 3, KB = 1024 };
    struct heard h = {.ids = STR_INIT(1 << 20)};
    struct str json = STR_INIT((size_t)1 << 28);
    str_addz(&json, "{\"resourceSpans\":[{\"resource\":{\"attributes\":[]},\"scopeSpans\":[{\"spans\":[");
    for (int i = 0; i < TRACES * LEVELS; i++)
        str_printf(&json, "%s{\"traceId\":\"t%d\",\"spanId\":\"s%d\",\"parentSpanId\":\"%s%.0d\",\"attributes\":[{\"key\":\"gen_ai.prompt\",\"value\":"
                          "{\"stringValue\":\"%d\"}}]}",
                   i ? "," : "", i % TRACES, i + 1, i < TRACES ? "" : "s", i < TRACES ? 0 : i % TRACES + 1, i);
    str_addz(&json, "]}]}]}");
    struct traces *all = otlp_new_within(256 * KB);
    struct arena *a = fmt_arena();
    struct jvalue *v;
    struct err e = {0};
    size_t count;
    const struct sink sink = {.run = hear, .refuse = refuse, .ctx = &h};
    assert_true(jread(a, str_slice(&json), NULL, NULL, &v, &e));
    size_t before = memory_in_use();
    assert_true(otlp_add(all, &a, slice_str("here"), v, &sink, &count, &e));
    assert_true(h.runs > TRACES / 2);
    end(all, &h);
    fmt_discard(a);
    assert_int_equal(h.runs, TRACES);
    assert_true(h.memory < before + (size_t)8 * KB * KB);
    str_free(&json);
    str_free(&h.ids);
}

/* A long resource that many spans share is kept, written out and read once, not with each of them. */
static void many_spans_of_one_resource(void **state)
{
    (void)state;
    enum { SPANS = 2000, ATTRIBUTES = 2000, MB = 1 << 20 };
    struct heard h = {.ids = STR_INIT(1 << 20)};
    struct str json = STR_INIT((size_t)1 << 28);
    str_addz(&json, "{\"resourceSpans\":[{\"resource\":{\"attributes\":[");
    for (int i = 0; i < ATTRIBUTES; i++)
        str_printf(&json, "%s{\"key\":\"key%d\",\"value\":{\"stringValue\":\"%d\"}}", i ? "," : "", i, i);
    str_addz(&json, "]},\"scopeSpans\":[{\"spans\":[");
    for (int i = 0; i < SPANS; i++)
        str_printf(&json, "%s{\"traceId\":\"t\",\"spanId\":\"s%d\"}", i ? "," : "", i);
    str_addz(&json, "]}]}]}");
    struct traces *all = otlp_new_within(MB);
    size_t before = memory_in_use();
    add_text(all, &h, json.ptr);
    end(all, &h);
    assert_int_equal(h.runs, 1);
    assert_true(h.memory < before + (size_t)16 * MB);
    str_free(&json);
    str_free(&h.ids);
}

/* It is refused by its name, whether it is long or only takes much; others are not. */
static void a_trace_without_end(void **state)
{
    (void)state;
    enum { WITHIN = 20000, SPANS = 1500 };
    struct heard h = {.ids = STR_INIT(1 << 20), .refusal = "the trace \"t1\" takes more than 640000 bytes of memory"};
    struct traces *all = otlp_new_within(WITHIN);
    for (int i = 0; i < SPANS; i++)
        add_span(all, &h, 1, i + 1, i, "on and on");
    add_span(all, &h, 2, 1, 0, "short");
    end(all, &h);
    assert_int_equal(h.refused, 1);
    assert_string_equal(h.ids.ptr, "t2");
    h.refusal = "the trace \"t\" has more than 500000 spans";
    h.ids.len = 0;
    struct str json = STR_INIT((size_t)1 << 28);
    str_addz(&json, "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[");
    for (int i = 0; i <= RUN_ITEMS; i++)
        str_addz(&json, i ? ",{\"traceId\":\"t\"}" : "{\"traceId\":\"t\"}");
    str_addz(&json, "]}]}]}");
    all = otlp_new();
    add_text(all, &h, json.ptr);
    end(all, &h);
    assert_int_equal(h.refused, 2);
    assert_int_equal(h.runs, 1);
    str_free(&json);
    str_free(&h.ids);
}

/* What is known of a trace that waits stays in memory: so many may wait, and the first goes. */
static void very_many_without_a_root(void **state)
{
    (void)state;
    enum { WITHIN = 25600, WAIT = WITHIN / 256, TRACES = 3 * WAIT };
    struct heard h = {.ids = STR_INIT(1 << 20)};
    struct traces *all = otlp_new_within(WITHIN);
    for (int i = 1; i <= TRACES; i++) {
        add_span(all, &h, i, 2, 1, "its parent is to come");
        assert_int_equal(h.runs, i > WAIT ? i - WAIT : 0);
    }
    add_span(all, &h, TRACES, 1, 0, "the last one's root");
    assert_int_equal(h.runs, TRACES - WAIT);
    add_span(all, &h, 1, 1, 0, "the root of one that went");
    end(all, &h);
    assert_int_equal(h.runs, TRACES + 1);
    assert_int_equal(h.refused, 0);
    str_free(&h.ids);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(come_apart), cmocka_unit_test(whole_ones_go), cmocka_unit_test(a_sink_that_stops), cmocka_unit_test(from_memory), cmocka_unit_test(many),
        cmocka_unit_test(one_export_of_many_traces), cmocka_unit_test(many_spans_of_one_resource), cmocka_unit_test(a_trace_without_end),
        cmocka_unit_test(very_many_without_a_root),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
