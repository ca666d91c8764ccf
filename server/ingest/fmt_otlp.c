/* OTLP JSON, as collectors write it to files and take it over HTTP: {"resourceSpans": [{"resource", "scopeSpans": [{"scope",
 * "spans": […]}]}]}, one object, a list of them or one a line; also one element of the list a line, "batches" (Tempo), the names with
 * underscores that protobuf's printers can write, instrumentationLibrarySpans (before 2022), and ids in base64.
 *
 * One trace is one run, its id the run's: a trace is one execution of the agent. Sessions and conversations of the GenAI conventions
 * may span many executions over days; their id goes to the metadata as session_id. Log records with events of the GenAI conventions
 * ({"resourceLogs": …}) are read as events of the span that they name. Metrics say nothing of a run and are passed over. */
#include "ingest/fmt_otlp.h"

#include "base/base64.h"
#include "base/hash.h"

#include <stdlib.h>

#define KEYS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* ---- attributes ----------------------------------------------------------------------------------------------------------- */

static struct jvalue plain_members(struct arena *a, const struct jvalue *list, const struct jvalue *like);

/* {"stringValue": "x"} → "x"; the 64-bit numbers are strings. */
static struct jvalue plain(struct arena *a, const struct jvalue *v)
{
    const struct jvalue *inner = jis(v, J_OBJECT) && v->n == 1 ? &v->items[0] : NULL;
    struct slice kind = inner ? v->keys[0] : SLICE_NONE;
    if (!inner)
        return jis(v, J_OBJECT) && !v->n ? (struct jvalue){.type = J_NULL, .raw = slice_str("null")} : *v;
    if ((slice_is(kind, "intValue") || slice_is(kind, "int_value")) && jis(inner, J_STRING) && span_is_digits(inner->text))
        return (struct jvalue){.type = J_NUMBER, .text = inner->text, .raw = inner->text};
    if (slice_is(kind, "kvlistValue") || slice_is(kind, "kvlist_value"))
        return plain_members(a, jget(inner, "values"), v);
    if (slice_is(kind, "arrayValue") || slice_is(kind, "array_value")) {
        const struct jvalue *values = jget(inner, "values");
        struct making m = making_list(a, v);
        for (size_t i = 0; jis(values, J_ARRAY) && i < values->n; i++)
            making_put(&m, SLICE_NONE, plain(a, &values->items[i]));
        return m.v;
    }
    bool wrapped = slice_ends(kind, "Value") || slice_ends(kind, "_value");
    return wrapped ? *inner : *v;
}

/* [{"key", "value"}] → an object */
static struct jvalue plain_members(struct arena *a, const struct jvalue *list, const struct jvalue *like)
{
    struct making m = making_object(a, like);
    for (size_t i = 0; jis(list, J_ARRAY) && i < list->n; i++) {
        const struct jvalue *key = jget(&list->items[i], "key"), *value = jget(&list->items[i], "value");
        if (jis(key, J_STRING) && value)
            making_put(&m, key->text, plain(a, value));
    }
    return m.v;
}

static const struct jvalue *attributes_of(struct arena *a, const struct jvalue *holder)
{
    const struct jvalue *attributes = jget(holder, "attributes");
    if (!jis(attributes, J_ARRAY))
        return span_flatten(a, attributes);
    struct jvalue *v = arena_new(a, struct jvalue);
    *v = plain_members(a, attributes, attributes);
    return v;
}

/* {"attributes": […], "schemaUrl"} of a resource, {"name", "version", "attributes"} of a scope: the attributes as an object. */
static const struct jvalue *plain_source(struct arena *a, const struct jvalue *source, bool scope)
{
    if (!jis(source, J_OBJECT) || !source->n)
        return NULL;
    const struct jvalue *attributes = attributes_of(a, source);
    if (!scope && source->n == 1)
        return attributes && attributes->n ? attributes : NULL;
    struct making m = making_object(a, source);
    for (size_t i = 0; i < source->n; i++)
        if (!slice_is(source->keys[i], "attributes") && source->items[i].type != J_NULL &&
            source->items[i].text.len + source->items[i].n)
            making_put(&m, source->keys[i], source->items[i]);
    for (size_t i = 0; attributes && i < attributes->n; i++)
        making_put(&m, attributes->keys[i], attributes->items[i]);
    struct jvalue *v = arena_new(a, struct jvalue);
    *v = m.v;
    return m.v.n ? v : NULL;
}

static void read_sources(struct trace *t, struct span *span, const struct raw_span *raw)
{
    if (raw->resource != t->resource.raw)
        t->resource = (struct source_seen){raw->resource, plain_source(t->a, raw->resource, false)};
    if (raw->scope != t->scope.raw)
        t->scope = (struct source_seen){raw->scope, plain_source(t->a, raw->scope, true)};
    span->resource = t->resource.plain;
    span->scope = t->scope.plain;
}

/* ---- ids and times ---------------------------------------------------------------------------------------------------------- */

/* Hexadecimal in small letters; printers of protobuf that do not know of OTLP write base64. All zeros: none. */
static struct slice read_id(struct arena *a, const struct jvalue *v)
{
    struct slice id = jstr(v), bytes;
    bool zero = true;
    if ((id.len == 24 || id.len == 12) && (bytes = base64_read(a, id)).ptr && (bytes.len == 16 || bytes.len == 8)) {
        char *hex = arena_alloc(a, 2 * bytes.len + 1);
        hash_hex((const unsigned char *)bytes.ptr, bytes.len, hex);
        id = slice_of(hex, 2 * bytes.len);
    }
    for (size_t i = 0; i < id.len && zero; i++)
        zero = id.ptr[i] == '0';
    return zero ? SLICE_NONE : id;
}

/* ---- spans ------------------------------------------------------------------------------------------------------------------ */

static void read_status(struct span *span, const struct jvalue *status)
{
    int64_t code;
    const struct jvalue *v = jget(status, "code");
    bool wrong = (jint(v, &code) && code == 2) || slice_is(jstr(v), "STATUS_CODE_ERROR") || slice_is(jstr(v), "ERROR");
    struct slice message = jstr(jget(status, "message"));
    if (wrong)
        span->error = message.len ? message : slice_str("error");
}

static void read_events(struct trace *t, struct span *span, const struct jvalue *events)
{
    span->events = jis(events, J_ARRAY) ? arena_array(t->a, struct span_event, events->n) : NULL;
    for (size_t i = 0; span->events && i < events->n; i++) {
        const struct jvalue *v = &events->items[i];
        if (!jis(v, J_OBJECT))
            continue;
        span->events[span->nevents++] = (struct span_event){
            .name = jstr(jget(v, "name")),
            .time = span_time(t->a, fmt_first(v, KEYS("timeUnixNano", "time_unix_nano"))),
            .attributes = attributes_of(t->a, v),
        };
    }
}

/* A record of the log: an event of its span. The body stands among the attributes, whose names differ from its own. */
static void read_log(struct trace *t, const struct raw_span *raw)
{
    const struct jvalue *v = raw->span, *body = jget(v, "body"), *attributes = attributes_of(t->a, v);
    struct slice name = jstr(fmt_first(v, KEYS("eventName", "event_name")));
    if (!name.len)
        name = jstr(jget(attributes, "event.name"));
    struct making m = making_object(t->a, v);
    for (size_t i = 0; attributes && i < attributes->n; i++)
        making_put(&m, attributes->keys[i], attributes->items[i]);
    if (body)
        making_put(&m, slice_str("body"), plain(t->a, body));
    struct jvalue *all = arena_new(t->a, struct jvalue);
    *all = m.v;
    struct span *span = trace_add(t);
    span->event_of = raw->id;
    span->nevents = 1;
    span->events = arena_new(t->a, struct span_event);
    *span->events = (struct span_event){.name = name, .attributes = all};
    span->events->time = span_time(t->a, fmt_first(v, KEYS("timeUnixNano", "time_unix_nano", "observedTimeUnixNano")));
    trace_times(span, span->events->time, span->events->time);
    read_sources(t, span, raw);
}

static bool is_log(const struct jvalue *v)
{
    return jget(v, "body") || jget(v, "severityNumber") || jget(v, "eventName") || jget(v, "observedTimeUnixNano");
}

static void read_span(struct trace *t, const struct raw_span *raw)
{
    static const char *const known[] = {
        "traceId", "trace_id", "spanId", "span_id", "parentSpanId", "parent_span_id", "name", "startTimeUnixNano",
        "start_time_unix_nano",
        "endTimeUnixNano", "end_time_unix_nano", "attributes", "events", "status", NULL};
    const struct jvalue *v = raw->span, *status = jget(v, "status");
    if (is_log(v)) {
        read_log(t, raw);
        return;
    }
    struct span *span = trace_add(t);
    span->trace = raw->trace;
    span->id = raw->id;
    span->parent = raw->parent;
    span->name = jstr(jget(v, "name"));
    trace_times(span, span_time(t->a, fmt_first(v, KEYS("startTimeUnixNano", "start_time_unix_nano"))),
                span_time(t->a, fmt_first(v, KEYS("endTimeUnixNano", "end_time_unix_nano"))));
    span->attributes = attributes_of(t->a, v);
    read_sources(t, span, raw);
    read_events(t, span, jget(v, "events"));
    read_status(span, status);
    struct meta rest = META_INIT;
    for (size_t i = 0; i < v->n; i++) { /* empty lists and zeros are what a printer writes for nothing */
        const struct jvalue *item = &v->items[i];
        bool nothing = item->type == J_NULL || (item->type == J_STRING && !item->text.len) ||
                       ((item->type == J_ARRAY || item->type == J_OBJECT) && !item->n) ||
                           (item->type == J_NUMBER && slice_is(item->text, "0"));
        if (!nothing && !fmt_is_one_of(v->keys[i], known))
            jwrite(meta_key(&rest, v->keys[i]), item);
    }
    if (!span->error.ptr && jis(status, J_OBJECT) && jget(status, "message"))
        meta_value(&rest, "status", status);
    span->rest = meta_end(&rest, t->a);
}

/* ---- exports ---------------------------------------------------------------------------------------------------------------- */

struct listing {
    struct arena *a; /* of the list only */
    struct raw_span *items;
    size_t n, cap;
};

static void list_spans(struct listing *list, const struct jvalue *spans, const struct jvalue *scope, const struct jvalue *resource)
{
    for (size_t i = 0; jis(spans, J_ARRAY) && i < spans->n; i++) {
        const struct jvalue *v = &spans->items[i];
        if (!jis(v, J_OBJECT))
            continue;
        list->items = arena_grow(list->a, list->items, list->n, &list->cap, sizeof *list->items);
        list->items[list->n++] = (struct raw_span){
            .trace = read_id(list->a, fmt_first(v, KEYS("traceId", "trace_id"))),
            .id = read_id(list->a, fmt_first(v, KEYS("spanId", "span_id"))),
            .parent = read_id(list->a, fmt_first(v, KEYS("parentSpanId", "parent_span_id"))),
            .span = v, .scope = scope, .resource = resource,
        };
    }
}

static const char *const scope_lists[] = {"scopeSpans", "scope_spans", "instrumentationLibrarySpans", "instrumentation_library_spans",
                                          "scopeLogs", "scope_logs", NULL};
static const char *const resource_lists[] = {"resourceSpans", "resource_spans", "batches", "resourceLogs", "resource_logs", NULL};

static bool is_export(const struct jvalue *v)
{
    return jis(v, J_OBJECT) && (jis(fmt_first(v, resource_lists), J_ARRAY) || jis(fmt_first(v, scope_lists), J_ARRAY) ||
                                jis(fmt_first(jget(v, "trace"), resource_lists), J_ARRAY));
}

static void list_export(struct listing *list, const struct jvalue *v, int depth)
{
    const struct jvalue *resources = jis(v, J_ARRAY) ? v : fmt_first(jis(jget(v, "trace"), J_OBJECT) ? jget(v, "trace") : v,
                                                                     resource_lists);
    const struct jvalue *scopes = fmt_first(v, scope_lists);
    if (depth > 3)
        return;
    for (size_t i = 0; jis(resources, J_ARRAY) && i < resources->n; i++)
        list_export(list, &resources->items[i], depth + 1);
    for (size_t i = 0; jis(scopes, J_ARRAY) && i < scopes->n; i++) {
        const struct jvalue *item = &scopes->items[i];
        list_spans(list, fmt_first(item, KEYS("spans", "logRecords", "log_records")),
                   fmt_first(item, KEYS("scope", "instrumentationLibrary", "instrumentation_library")), jget(v, "resource"));
    }
}

struct traces *otlp_new_within(size_t limit) { return traces_new(read_span, limit); }

struct traces *otlp_new(void) { return otlp_new_within(0); }

bool otlp_add(struct traces *all, struct arena **arena, struct slice location, const struct jvalue *v, const struct sink *sink,
              size_t *count, struct err *e)
{
    struct arena scratch = {0};
    struct listing list = {.a = arena && *arena ? *arena : &scratch};
    list_export(&list, v, 0);
    *count = list.n;
    bool ok = traces_add(all, arena, location, list.items, list.n, sink, e);
    arena_free(&scratch);
    return ok;
}

/* ---- files ------------------------------------------------------------------------------------------------------------------ */

static bool is_metrics(const struct jvalue *v) { return jget(v, "resourceMetrics") || jget(v, "resource_metrics"); }

static int probe(const struct sample *sample)
{
    size_t exports = 0;
    for (size_t i = 0; i < sample->n; i++) {
        const struct jvalue *v = sample->records[i].value;
        exports += is_export(v);
        if (!is_export(v) && !is_metrics(v))
            return 0;
    }
    return exports ? 97 : 0;
}

static bool feed(void **state, const struct record *record, const struct sink *sink, struct err *e)
{
    size_t count;
    if (!is_export(record->value)) {
        if (!is_metrics(record->value))
            sink->refuse(sink->ctx, record->location, ERR_NOT_TRANSCRIPT, "no OTLP export: neither resourceSpans nor scopeSpans");
        return true;
    }
    if (!*state)
        *state = otlp_new();
    return otlp_add(*state, record->arena, record->location, record->value, sink, &count, e);
}

static bool close_file(void **state, const struct sink *sink, struct err *e)
{
    struct traces *all = *state;
    *state = NULL;
    return traces_end(all, sink, e);
}

const struct format fmt_otlp = {
    .name = "otlp",
    .about = "OpenTelemetry traces as OTLP JSON (resourceSpans) with GenAI, OpenInference, OpenLLMetry or Vercel AI SDK attributes: a trace is a run",
    .probe = probe,
    .feed = feed,
    .close = close_file,
    .spills = true,
};
