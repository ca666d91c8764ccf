/* Traces over OTLP/HTTP (opentelemetry.io/docs/specs/otlp/#otlphttp): taken in span by span, so that a late or repeated span finds the trace
 * it belongs to; a job then reads each touched trace as if it were a file. Events of the GenAI conventions that come as log records are pieces
 * of their traces too. */
#include "http/api.h"
#include "http/public.h"

#include "base/hash.h"
#include "ingest/otlp_proto.h"
#include "jobs/jobs.h"
#include "storage/care.h"
#include "text/jread.h"

#include <ctype.h>
#include <stdlib.h>

/* What the two kinds of exports call things. */
static const struct names {
    const char *resources, *scopes, *items, *rejected;
} signals[] = {
    [OTLP_TRACES] = {"resourceSpans", "scopeSpans", "spans", "rejectedSpans"},
    [OTLP_LOGS] = {"resourceLogs", "scopeLogs", "logRecords", "rejectedLogRecords"},
};

enum {
    JSON_BYTES = 128 << 20,    /* of a request as JSON */
    PIECES_BYTES = 128 << 20,  /* of its spans, each with its resource and scope */
    COLLECTIONS = 64,          /* that one request may name */
    TRACE_HEX = 32,
    SPAN_HEX = 16,
};

static bool is_protobuf(const struct request *r) { return media_is(r->header[HEADER_CONTENT_TYPE], slice_str("application/x-protobuf")); }

/* ---- answers ------------------------------------------------------------------------------------------------------------ */

static void add_varint(struct str *out, uint64_t n)
{
    for (; n >= 0x80; n >>= 7)
        str_addc(out, (char)(n | 0x80));
    str_addc(out, (char)n);
}

/* Field 1 as a number, field 2 as text: so google.rpc.Status and ExportTracePartialSuccess both begin. */
static void add_number_and_text(struct str *out, uint64_t n, struct slice text)
{
    str_addc(out, 1 << 3);
    add_varint(out, n);
    str_addc(out, 2 << 3 | 2);
    add_varint(out, text.len);
    str_add_slice(out, text);
}

/* https://grpc.io/docs/guides/status-codes/ */
static int rpc_code(int status)
{
    static const struct {
        int status, code;
    } codes[] = {{400, 3}, {401, 16}, {403, 7}, {404, 5}, {409, 10}, {413, 8}, {415, 3}, {421, 7}, {429, 14}, {503, 14}};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (codes[i].status == status)
            return codes[i].code;
    return 13;
}

/* google.rpc.Status, in the encoding of the request. */
void otlp_problem(struct answer *a, const struct request *r, const struct err *e)
{
    if (a->status == 422)
        a->status = 400;
    if (a->status == 507) /* a full disk passes: of the codes that a sender tries again, this one */
        a->status = 503;
    struct slice text = slice_str(e->text);
    if (is_protobuf(r)) {
        a->type = "application/x-protobuf";
        add_number_and_text(&a->body, (uint64_t)rpc_code(a->status), text);
        return;
    }
    a->type = "application/json";
    struct jsonw j = jsonw_to(&a->body);
    jsonw_object(&j);
    jsonw_kint(&j, "code", rpc_code(a->status));
    jsonw_kstr(&j, "message", text);
    jsonw_end(&j);
}

/* ---- spans -------------------------------------------------------------------------------------------------------------- */

struct target { /* a collection, and what goes into it */
    struct slice name;
    struct piece *items;
    size_t n, cap;
};

struct export {
    struct request *r;
    enum otlp_signal signal;
    const struct names *names;
    struct slice into;         /* the collection of all; absent: each resource says */
    struct target *targets;
    size_t ntargets, cap;
    size_t bytes;
    int64_t rejected;
    const char *reason;        /* of the first */
    const char *warning;       /* where nothing was rejected; NULL: none */
};

static void reject(struct export *x, size_t n, const char *reason)
{
    if (n && !x->reason)
        x->reason = reason;
    x->rejected += (int64_t)n;
}

/* Lower-case, as paths and ids have them; absent where it is none, or all zeros. */
static struct slice hex_id(struct arena *a, struct slice text, size_t digits)
{
    struct slice id = arena_dup(a, text);
    char *p = (char *)(uintptr_t)id.ptr;
    bool zeros = true;
    for (size_t i = 0; i < id.len; i++) {
        if (!isxdigit((unsigned char)p[i]))
            return SLICE_NONE;
        zeros = zeros && p[i] == '0';
        p[i] = (char)tolower((unsigned char)p[i]);
    }
    return id.len == digits && !zeros ? id : SLICE_NONE;
}

/* A span that was sent before it ended gives way to the one that has. */
static int64_t rank_of(const struct jvalue *span)
{
    char digits[24];
    struct slice text = jtext(jget(span, "endTimeUnixNano"));
    if (!text.len || text.len >= sizeof digits)
        return 0;
    memcpy(digits, text.ptr, text.len);
    digits[text.len] = '\0';
    return strtoll(digits, NULL, 10);
}

static struct slice attribute(const struct jvalue *holder, const char *key)
{
    const struct jvalue *list = jget(holder, "attributes");
    for (size_t i = 0; jis(list, J_ARRAY) && i < list->n; i++)
        if (slice_is(jstr(jget(&list->items[i], "key")), key))
            return jstr(jpath(&list->items[i], "value", "stringValue", NULL));
    return SLICE_NONE;
}

/* A span is known by its id, a log record by what it says. Absent: it is none that we keep. */
static struct slice id_of(const struct export *x, const struct jvalue *item, struct slice text)
{
    struct arena *a = &x->r->arena;
    unsigned char hash[HASH_SIZE];
    char hex[2 * HASH_SIZE + 1];
    if (x->signal == OTLP_TRACES)
        return hex_id(a, jstr(jget(item, "spanId")), SPAN_HEX);
    if (!jstr(jget(item, "eventName")).len && !attribute(item, "event.name").len)
        return SLICE_NONE;
    hash_of(text, hash);
    hash_hex(hash, HASH_SIZE, hex);
    return arena_printf(a, "log:%s", hex);
}

static void add_item(struct export *x, struct target *to, const struct jvalue *item, struct slice before)
{
    static const char after[] = "]}]}]}";
    struct arena *a = &x->r->arena;
    struct slice trace = hex_id(a, jstr(jget(item, "traceId")), TRACE_HEX), text = jraw(a, item), id = id_of(x, item, text);
    if (!trace.ptr || !id.ptr) {
        reject(x, 1, x->signal == OTLP_TRACES ? "a span's traceId must be 32 and its spanId 16 hexadecimal digits, not all of them 0"
                                              : "of log records only events (with a name) of a trace are kept");
        return;
    }
    size_t bytes = before.len + text.len + sizeof after;
    if (x->bytes + bytes > PIECES_BYTES) {
        reject(x, 1, "one request, each item with the attributes of its resource, is over 128 MB: send fewer at a time");
        return;
    }
    x->bytes += bytes;
    char *body = arena_alloc(a, bytes);
    memcpy(body, before.ptr, before.len);
    memcpy(body + before.len, text.ptr, text.len);
    memcpy(body + before.len + text.len, after, sizeof after);
    to->items = arena_grow(a, to->items, to->n, &to->cap, sizeof *to->items);
    to->items[to->n++] = (struct piece){
        .path = arena_printf(a, "otlp:%.*s", SLICE_ARG(trace)), .id = id, .rank = rank_of(item), .body = slice_of(body, bytes - 1)};
}

/* An object's text without its closing brace, and a comma where a member is to follow others. */
static void add_open(struct str *out, struct slice object)
{
    if (object.ptr)
        str_add(out, object.ptr, object.len - 1);
    str_addz(out, object.ptr ? "," : "{");
}

static size_t count_items(const struct export *x, const struct jvalue *scopes)
{
    size_t n = 0;
    for (size_t i = 0; scopes && i < scopes->n; i++) {
        const struct jvalue *items = jget(&scopes->items[i], x->names->items);
        n += jis(items, J_ARRAY) ? items->n : 0;
    }
    return n;
}

static struct target *target_of(struct export *x, const struct jvalue *resource)
{
    struct slice name = x->into;
    if (!name.len)
        name = attribute(resource, "telltale.collection");
    if (!name.len)
        name = attribute(resource, "service.name");
    if (!name.len)
        name = slice_str("traces");
    for (size_t i = 0; i < x->ntargets; i++)
        if (slice_eq(x->targets[i].name, name))
            return &x->targets[i];
    if (x->ntargets == COLLECTIONS)
        return NULL;
    x->targets = arena_grow(&x->r->arena, x->targets, x->ntargets, &x->cap, sizeof *x->targets);
    x->targets[x->ntargets] = (struct target){.name = name};
    return &x->targets[x->ntargets++];
}

static void add_resource(struct export *x, const struct jvalue *v)
{
    const char *const outer[] = {x->names->scopes, NULL}, *const inner[] = {x->names->items, NULL};
    struct arena *a = &x->r->arena;
    const struct jvalue *scopes = jget(v, x->names->scopes);
    if (!jis(scopes, J_ARRAY) || !count_items(x, scopes))
        return;
    struct target *to = target_of(x, jget(v, "resource"));
    if (!to) {
        reject(x, count_items(x, scopes), "one request is for over 64 collections");
        return;
    }
    struct str before = STR_INIT(JSON_BYTES);
    str_printf(&before, "{\"%s\":[", x->names->resources);
    add_open(&before, jrest(a, v, outer));
    str_printf(&before, "\"%s\":[", x->names->scopes);
    size_t resource = before.len;
    for (size_t i = 0; i < scopes->n; i++) {
        const struct jvalue *items = jget(&scopes->items[i], x->names->items);
        before.len = resource;
        add_open(&before, jrest(a, &scopes->items[i], inner));
        str_printf(&before, "\"%s\":[", x->names->items);
        for (size_t k = 0; jis(items, J_ARRAY) && k < items->n; k++)
            add_item(x, to, &items->items[k], str_slice(&before));
    }
    str_free(&before);
}

/* ---- the request -------------------------------------------------------------------------------------------------------- */

/* *list: of its resources; NULL: there are none. */
static bool read_export(struct export *x, const struct jvalue **list, struct err *e)
{
    struct request *r = x->r;
    struct jvalue *root;
    struct slice text = str_slice(&r->body);
    if (is_protobuf(r)) {
        struct str json = STR_INIT(JSON_BYTES);
        bool ok = otlp_proto_to_json(x->signal, text, &json, e);
        text = ok ? arena_dup(&r->arena, str_slice(&json)) : SLICE_NONE;
        str_free(&json);
        if (!ok)
            return false;
    }
    if (!api_json(r, text, &root, e))
        return false;
    *list = jget(root, x->names->resources);
    if (!jis(root, J_OBJECT) || (*list && !jis(*list, J_ARRAY)) || (!*list && root->n))
        return err_set(e, ERR_FORMAT, "the body is no export: a list \"%s\" is missing", x->names->resources);
    return true;
}

static bool store(struct export *x, struct err *e)
{
    struct request *r = x->r;
    for (size_t i = 0; i < x->ntargets; i++) {
        struct target *t = &x->targets[i];
        struct collection_row collection;
        if (!t->n)
            continue;
        if (!store_collection_want(r->store, t->name, &r->arena, &collection, e) || !store_pieces_add(r->store, collection.id, t->items, t->n, e))
            return false;
        for (size_t k = 0; k < t->n; k++)
            reject(x, t->items[k].refused, "the trace has as much as a trace may have, 256 MB");
        struct err full = {0};
        if (!x->warning && !store_collection_has_room(r->store, collection.id, &full) && full.code == ERR_QUOTA)
            x->warning = arena_printf(&r->arena, "taken, but new traces become no runs: %s", full.text).ptr;
    }
    jobs_wake(r->server->jobs);
    return true;
}

/* ExportTraceServiceResponse, ExportLogsServiceResponse. A partial success that rejects nothing is a warning. */
static void write_response(const struct export *x, struct answer *a)
{
    struct slice reason = slice_str(x->rejected ? x->reason : x->warning);
    if (is_protobuf(x->r)) {
        a->type = "application/x-protobuf";
        if (!reason.ptr)
            return;
        struct str partial = STR_INIT(1 << 10);
        add_number_and_text(&partial, (uint64_t)x->rejected, reason);
        str_addc(&a->body, 1 << 3 | 2);
        add_varint(&a->body, partial.len);
        str_add_slice(&a->body, str_slice(&partial));
        str_free(&partial);
        return;
    }
    struct jsonw j = jsonw_to(&a->body);
    jsonw_object(&j);
    if (reason.ptr) {
        jsonw_key(&j, "partialSuccess");
        jsonw_object(&j);
        jsonw_key(&j, x->names->rejected);
        jsonw_str(&j, arena_printf(&x->r->arena, "%lld", (long long)x->rejected)); /* 64 bits are a string in protobuf's JSON */
        jsonw_kstr(&j, "errorMessage", reason);
        jsonw_end(&j);
    }
    jsonw_end(&j);
}

static bool take_export(struct request *r, enum otlp_signal signal, struct slice into, struct answer *a, struct err *e)
{
    struct export x = {.r = r, .signal = signal, .names = &signals[signal], .into = into};
    const struct jvalue *list = NULL;
    if (!read_export(&x, &list, e))
        return false;
    for (size_t i = 0; list && i < list->n; i++)
        add_resource(&x, &list->items[i]);
    if (!store(&x, e))
        return false;
    write_response(&x, a);
    return true;
}

static struct slice named(const struct request *r) { return r->path[0].ptr ? r->path[0] : r->header[HEADER_COLLECTION]; }

bool api_otlp(struct request *r, struct answer *a, struct err *e) { return take_export(r, OTLP_TRACES, named(r), a, e); }
bool api_otlp_logs(struct request *r, struct answer *a, struct err *e) { return take_export(r, OTLP_LOGS, named(r), a, e); }

bool api_langfuse_otlp(struct request *r, struct answer *a, struct err *e)
{
    return take_export(r, OTLP_TRACES, named(r).len ? named(r) : langfuse_project(r), a, e);
}
