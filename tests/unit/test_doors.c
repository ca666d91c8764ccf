/* What comes in over the network, before it is stored: packed bodies, OpenTelemetry's protobuf, Langfuse's events. */
#include "base/inflate.h"
#include "ingest/langfuse.h"
#include "ingest/otlp_proto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* ---- packed bodies ------------------------------------------------------------------------------------------------------ */

static bool gather(void *ctx, const char *bytes, size_t n, struct err *e)
{
    (void)e;
    str_add(ctx, bytes, n);
    return true;
}

/* "hello, hello, hello" twice, as two members (gzip) or frames (zstd). */
static const unsigned char gzipped[] = {0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0xd7, 0x51, 0xc8,
                                        0x40, 0xa2, 0x00, 0x9f, 0xa1, 0xca, 0x09, 0x13, 0x00, 0x00, 0x00};
static const unsigned char zstded[] = {0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x58, 0x6d, 0x00, 0x00, 0x38, 0x68, 0x65, 0x6c, 0x6c, 0x6f, 0x2c, 0x20, 0x01,
                                       0x00, 0xe2, 0x8a, 0x11, 0x75, 0xf3, 0x98, 0x8e};

static void check_packed(const char *coding, const unsigned char *bytes, size_t n)
{
    struct str text = STR_INIT(1000);
    struct err e = {0};
    struct inflate *i = inflate_new(slice_str(coding));
    for (size_t k = 0; k < 2 * n; k++) { /* a byte at a time */
        char c = (char)bytes[k % n];
        if (!inflate_add(i, &c, &(size_t){1}, gather, &text, &e))
            fail_msg("%s at %zu: %s", coding, k, e.text);
        assert_int_equal(inflate_end(i, &e), (k + 1) % n == 0);
    }
    assert_true(slice_is(str_slice(&text), "hello, hello, hellohello, hello, hello"));
    inflate_free(i);
    str_free(&text);
}

static void test_packed_bodies_come_in_pieces(void **state)
{
    (void)state;
    check_packed("gzip", gzipped, sizeof gzipped);
    check_packed("ZSTD", zstded, sizeof zstded);
    assert_null(inflate_new(slice_str("br")));
}

static bool add_up(void *ctx, const char *bytes, size_t n, struct err *e)
{
    (void)bytes;
    (void)e;
    *(size_t *)ctx += n;
    return true;
}

/* Blocks of zstd that say "128 KB of x" in four bytes. */
static void test_a_call_unpacks_only_so_much(void **state)
{
    (void)state;
    enum { HEAD = 6, BLOCKS = 300, BLOCK = 1 << 17 };
    char packed[HEAD + 4 * BLOCKS] = {0x28, (char)0xb5, 0x2f, (char)0xfd, 0, 0x68};
    struct inflate *i = inflate_new(slice_str("zstd"));
    struct err e = {0};
    size_t n = 0, all = 0, calls = 0, took = 0;
    for (size_t k = 0; k < BLOCKS; k++)
        memcpy(packed + HEAD + 4 * k, ((const char[]){(BLOCK << 3 | 2) & 255, (BLOCK << 3) >> 8 & 255, (BLOCK << 3) >> 16, 'x'}), 4);
    size_t small = inflate_size(i);
    for (bool ok = true; ok; took += n, calls++) {
        size_t before = all;
        n = sizeof packed - took;
        ok = inflate_add(i, packed + took, &n, add_up, &all, &e);
        assert_in_range(n, 1, sizeof packed - took);
        assert_in_range(all - before, ok, 3 * BLOCK);
    }
    assert_int_equal(e.code, ERR_TOO_LARGE);
    assert_in_range(calls, 4, 6);
    assert_in_range(all, 1 << 20, (1 << 20) + BLOCK);
    assert_in_range(inflate_size(i), small + (8 << 20), small + (9 << 20));
    inflate_free(i);
}

/* ---- protobuf ------------------------------------------------------------------------------------------------------------- */

static void check_proto(const char *bytes, size_t n, const char *wanted)
{
    struct str out = STR_INIT(1 << 16);
    struct err e = {0};
    if (!otlp_proto_to_json(OTLP_TRACES, slice_of(bytes, n), &out, &e))
        fail_msg("%s", e.text);
    if (!slice_is(str_slice(&out), wanted))
        fail_msg("%.*s", (int)out.len, out.ptr);
    str_free(&out);
}
#define PROTO(bytes, wanted) check_proto(bytes, sizeof(bytes) - 1, wanted)

static void test_protobuf_becomes_the_json_of_the_same(void **state)
{
    (void)state;
    PROTO("", "{}");
    PROTO("\x0a\x00\x0a\x00", "{\"resourceSpans\":[{},{}]}");
    /* A span with every kind of number; a field that nobody knows; the last of a field that stands twice. */
    PROTO("\x0a\x2c\x12\x2a\x12\x28\x0a\x02\xab\x01\x2a\x01\x78\x2a\x01\x79\x30\x03\x39\x15\xcd\x5b\x07\x00\x00\x00\x00\x50\x80\x01\x7a\x05\x12\x01\x21\x18"
          "\x02\xf8\x3f\x07\x85\x01\x01\x01\x00\x00",
          "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":\"ab01\",\"name\":\"y\",\"kind\":3,\"startTimeUnixNano\":\"123456789\","
          "\"droppedAttributesCount\":128,\"status\":{\"message\":\"!\",\"code\":2},\"flags\":257}]}]}]}");
    /* Attributes: -1, true, 0.5, NaN, bytes, a list. */
    PROTO("\x0a\x5b\x0a\x59\x0a\x10\x0a\x01\x69\x12\x0b\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x0a\x07\x0a\x01\x62\x12\x02\x10\x01\x0a\x0e\x0a\x01\x64"
          "\x12\x09\x21\x00\x00\x00\x00\x00\x00\xe0\x3f\x0a\x0e\x0a\x01\x6e\x12\x09\x21\x00\x00\x00\x00\x00\x00\xf8\x7f\x0a\x0a\x0a\x01\x79\x12\x05\x3a\x03"
          "\x00\xff\x10\x0a\x10\x0a\x01\x6c\x12\x0b\x2a\x09\x0a\x03\x0a\x01\x61\x0a\x02\x10\x00",
          "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"i\",\"value\":{\"intValue\":\"-1\"}},{\"key\":\"b\",\"value\":{\"boolValue\":true}},"
          "{\"key\":\"d\",\"value\":{\"doubleValue\":0.5}},{\"key\":\"n\",\"value\":{\"doubleValue\":\"NaN\"}},"
          "{\"key\":\"y\",\"value\":{\"bytesValue\":\"AP8Q\"}},"
          "{\"key\":\"l\",\"value\":{\"arrayValue\":{\"values\":[{\"stringValue\":\"a\"},{\"boolValue\":false}]}}}]}}]}");
    /* Text that is no UTF-8, and characters that JSON escapes. */
    PROTO("\x0a\x07\x1a\x05\x22\x5c\x0a\xff\x61", "{\"resourceSpans\":[{\"schemaUrl\":\"\\\"\\\\\\n\xef\xbf\xbd" "a\"}]}");
}

static void test_what_is_no_protobuf_is_refused(void **state)
{
    (void)state;
    static const struct slice bad[] = {SLICE_LIT("\x0a"), SLICE_LIT("\x0a\x05" "ab"), SLICE_LIT("\x00\x01"), SLICE_LIT("\x0b"), SLICE_LIT("\x09\x01"),
                                       SLICE_LIT("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), SLICE_LIT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct str out = STR_INIT(1 << 16);
        struct err e = {0};
        assert_false(otlp_proto_to_json(OTLP_TRACES, bad[i], &out, &e));
        assert_int_equal(e.code, ERR_FORMAT);
        str_free(&out);
    }
    struct str full = STR_INIT(8);
    struct err e = {0};
    assert_false(otlp_proto_to_json(OTLP_TRACES, slice_of("\x0a\x02\x1a\x00", 4), &full, &e));
    assert_int_equal(e.code, ERR_TOO_LARGE);
    str_free(&full);
}

/* ---- Langfuse's events ---------------------------------------------------------------------------------------------------- */

static void check_events(const char *const *events, const char *wanted)
{
    struct slice list[20];
    struct str out = STR_INIT(1 << 16);
    size_t n = 0;
    for (; events[n]; n++)
        list[n] = slice_str(events[n]);
    langfuse_merge(slice_str("t"), list, n, &out);
    if (!slice_is(str_slice(&out), wanted))
        fail_msg("%.*s", (int)out.len, out.ptr);
    str_free(&out);
}
#define EVENTS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define EVENT(type, time, body) "{\"id\":\"e\",\"type\":\"" type "\",\"timestamp\":\"2026-01-01T00:00:0" time "Z\",\"body\":" body "}"

static void test_what_was_said_later_counts(void **state)
{
    (void)state;
    check_events(EVENTS(EVENT("generation-update", "3", "{\"id\":\"g\",\"output\":\"last\",\"model\":null,\"metadata\":{\"b\":3}}"),
                        EVENT("generation-create", "1", "{\"id\":\"g\",\"startTime\":\"s\",\"model\":\"m\",\"output\":\"first\",\"metadata\":{\"a\":1,\"b\":2}}"),
                        EVENT("trace-create", "1", "{\"id\":\"t\",\"name\":\"n\",\"tags\":[\"x\",\"y\"]}"),
                        EVENT("trace-create", "2", "{\"id\":\"t\",\"tags\":[\"y\",\"z\"],\"output\":{\"k\":[1]}}")),
                 "{\"trace\":{\"timestamp\":\"2026-01-01T00:00:01Z\",\"id\":\"t\",\"name\":\"n\",\"output\":{\"k\":[1]},\"tags\":[\"x\",\"y\",\"z\"],\"scores\":[]},"
                 "\"observations\":[{\"type\":\"GENERATION\",\"id\":\"g\",\"metadata\":{\"a\":1,\"b\":3},\"model\":\"m\",\"output\":\"last\",\"startTime\":\"s\"}]}\n");
}

static void test_ids_are_text_and_things_have_times(void **state)
{
    (void)state;
    check_events(EVENTS(EVENT("trace-create", "1", "{\"id\":5}"), EVENT("agent-update", "2", "{\"id\":7,\"traceId\":5,\"metadata\":{\"id\":1}}"),
                        "{\"id\":\"e\",\"type\":\"tool-create\",\"body\":{\"id\":\"u\",\"parentObservationId\":7}}",
                        EVENT("score-create", "4", "{\"id\":1,\"observationId\":7,\"value\":2}")),
                 "{\"trace\":{\"timestamp\":\"2026-01-01T00:00:01Z\",\"id\":\"5\",\"scores\":[{\"id\":\"1\",\"observationId\":\"7\",\"value\":2}]},"
                 "\"observations\":[{\"type\":\"AGENT\",\"startTime\":\"2026-01-01T00:00:02Z\",\"id\":\"7\",\"metadata\":{\"id\":1},\"traceId\":\"5\"},"
                 "{\"type\":\"TOOL\",\"startTime\":null,\"id\":\"u\",\"parentObservationId\":\"7\"}]}\n");
}

static void test_every_event_has_one_meaning(void **state)
{
    (void)state;
    static const char *const observations[] = {"span", "generation", "event", "observation", "agent", "tool", "chain", "retriever", "evaluator", "embedding", "guardrail"};
    enum langfuse_thing thing;
    const char *kind;
    char type[40];
    for (size_t i = 0; i < sizeof observations / sizeof *observations; i++)
        for (int update = 0; update < 2; update++) {
            snprintf(type, sizeof type, "%s-%s", observations[i], update ? "update" : "create");
            assert_true(langfuse_event(slice_str(type), &thing, &kind));
            assert_int_equal(thing, LANGFUSE_OBSERVATION);
            assert_int_equal(kind == NULL, i == 3);
        }
    assert_true(langfuse_event(slice_str("sdk-log"), &thing, &kind) && thing == LANGFUSE_LOG);
    assert_false(langfuse_event(slice_str("span"), &thing, &kind) || langfuse_event(slice_str("span-delete"), &thing, &kind) ||
                 langfuse_event(slice_str("sdk-create"), &thing, &kind) || langfuse_event(slice_str(""), &thing, &kind));
}

static void test_things_keep_their_order_and_kind(void **state)
{
    (void)state;
    check_events(EVENTS(EVENT("tool-create", "2", "{\"id\":\"z\"}"), EVENT("span-create", "1", "{\"id\":\"a\"}"), EVENT("span-update", "5", "{\"id\":\"z\",\"output\":1}"),
                        EVENT("observation-create", "3", "{\"id\":\"o\",\"type\":\"AGENT\",\"startTime\":\"s\"}"),
                        EVENT("score-create", "4", "{\"name\":\"s\",\"value\":1}"),
                        EVENT("score-create", "4", "{\"id\":\"s2\",\"name\":\"s\",\"value\":0.5,\"metadata\":\"text\"}"),
                        EVENT("sdk-log", "1", "{\"log\":1}"), "{broken", "7"),
                 "{\"trace\":{\"id\":\"t\",\"scores\":[{\"name\":\"s\",\"value\":1},{\"id\":\"s2\",\"metadata\":\"text\",\"name\":\"s\",\"value\":0.5}]},"
                 "\"observations\":[{\"type\":\"TOOL\",\"startTime\":\"2026-01-01T00:00:02Z\",\"id\":\"z\",\"output\":1},"
                 "{\"type\":\"SPAN\",\"startTime\":\"2026-01-01T00:00:01Z\",\"id\":\"a\"},{\"id\":\"o\",\"startTime\":\"s\",\"type\":\"AGENT\"}]}\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_packed_bodies_come_in_pieces), cmocka_unit_test(test_a_call_unpacks_only_so_much),
        cmocka_unit_test(test_protobuf_becomes_the_json_of_the_same),
        cmocka_unit_test(test_what_is_no_protobuf_is_refused),
        cmocka_unit_test(test_what_was_said_later_counts),
        cmocka_unit_test(test_things_keep_their_order_and_kind),
        cmocka_unit_test(test_ids_are_text_and_things_have_times),
        cmocka_unit_test(test_every_event_has_one_meaning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
