/* The native format: what an export holds, a superset of Docent's AgentRun. A record is a run, {"agent_runs": […]} as Docent's
 * clients post them, or a line of an export that is none: {"telltale": 1, "collection": {…}}, {"blob": {"sha256",
 * "media_type", "data"}}, {"finding": {…}}, {"rubric": {…}}, {"label_set": {…}}, {"rule": {…}}, {"exception": {…}}.
 *
 * A run as an export writes it has every field of the data model under its own name, so that it comes back as it was:
 *     {"id", "external_id", "name", "task_id", "model", "agent", "attempt", "started_at", "ended_at", "success", "exit_status",
 *      "error", "limit", "tokens_in", "tokens_out", "cost_usd", "tags", "metadata", "source": {"file", "location", "format"},
 *      "scores": [{"name", "value", "answer", "target", "explanation", "metadata"}],
 *      "labels": [{"set", "value", "who", "when", "split"}],
 *      "transcripts": [{"id", "parent", "name", "metadata", "messages": [{"role", "content": text or parts, "model", "timestamp",
 *          "duration_ms", "usage", "finish_reason", "tool_call_id", "function", "error": {"message"}, "metadata",
 *          "tool_calls": [{"id", "function", "arguments", "parse_error", "metadata"}],
 *          "blobs": [{"sha256", "media_type", "size", "url"}]}]}],
 *      "findings": [{"id", "detector", …, "evidence": […]}],
 *      "judgments": [{"id", "rubric", "version", …, "evidence": […]}]}
 * Arguments that are no object or list stand as a string of the stored text. */
#include "ingest/fmt.h"

#include "base/base64.h"
#include "base/hash.h"
#include "transcript/judgment.h"

static bool is_run(const struct jvalue *v)
{
    const struct jvalue *transcripts = jget(v, "transcripts"), *first = jat(transcripts, 0);
    return transcripts && (jis(transcripts, J_ARRAY) || jis(transcripts, J_OBJECT)) && (!first || jis(jget(first, "messages"), J_ARRAY));
}

static bool is_line(const struct jvalue *v)
{
    int64_t version;
    return (jint(jget(v, "telltale"), &version) && jis(jget(v, "collection"), J_OBJECT)) ||
           (jis(v, J_OBJECT) && v->n == 1 && (jis(jget(v, "blob"), J_OBJECT) || jis(jget(v, "finding"), J_OBJECT) ||
                                              jis(jget(v, "rubric"), J_OBJECT) || jis(jget(v, "label_set"), J_OBJECT) || jis(jget(v, "rule"), J_OBJECT) ||
                                              jis(jget(v, "exception"), J_OBJECT)));
}

static int probe(const struct sample *sample)
{
    for (size_t i = 0; i < sample->n; i++) {
        const struct jvalue *v = sample->records[i].value, *list = jget(v, "agent_runs");
        if (!is_run(v) && !is_line(v) && !is_run(jat(list, 0)))
            return 0;
    }
    return sample->n ? 98 : 0;
}

/* ---- findings ----------------------------------------------------------------------------------------------------------- */

/* A transcript is named by its id; where it has none, by its position as text. */
static int32_t find_transcript(const struct run *run, const struct jvalue *v)
{
    int64_t position;
    if (jint(jget(v, "position"), &position))
        return position >= 0 && position < INT32_MAX ? (int32_t)position : -1;
    struct slice id = jtext(jget(v, "transcript"));
    for (size_t i = 0; id.ptr && run && i < run->ntranscripts; i++)
        if (slice_eq(run->transcripts[i].id, id))
            return (int32_t)i;
    int32_t n = 0;
    for (size_t i = 0; i < id.len && i < 9; i++) {
        if (id.ptr[i] < '0' || id.ptr[i] > '9')
            return -1;
        n = 10 * n + (id.ptr[i] - '0');
    }
    return id.len ? n : -1;
}

static uint32_t offset(const struct jvalue *v)
{
    int64_t n;
    return jint(v, &n) && n > 0 && n <= UINT32_MAX ? (uint32_t)n : 0;
}

static struct evidence *read_evidence(struct arena *a, const struct run *run, const struct jvalue *list, size_t *n)
{
    *n = jis(list, J_ARRAY) ? list->n : 0;
    struct evidence *evidence = arena_array(a, struct evidence, *n);
    for (size_t i = 0; i < *n; i++) {
        const struct jvalue *v = &list->items[i];
        struct evidence *ev = &evidence[i];
        int64_t message;
        struct slice of = jstr(jget(v, "run"));
        *ev = (struct evidence){
            .run = run && slice_eq(of, run->id) ? SLICE_NONE : of,
            .transcript = find_transcript(run, v),
            .message = jint(jget(v, "message"), &message) && message >= 0 && message < INT32_MAX ? (int32_t)message : -1,
            .part = jstr(jget(v, "part")),
            .start = offset(jget(v, "start")),
            .end = offset(jget(v, "end")),
            .quote = jstr(jget(v, "quote")),
        };
        if (!jnum(jget(v, "weight"), &ev->weight) || !(ev->weight >= 0 && ev->weight <= 1))
            ev->weight = 0;
    }
    return evidence;
}

/* False: a word of it means nothing to this version. */
static bool read_finding(struct arena *a, const struct run *run, const struct jvalue *v, struct finding *f)
{
    *f = (struct finding){
        .detector = jstr(jget(v, "detector")),
        .version = jstr(jget(v, "detector_version")),
        .behavior = jstr(jget(v, "behavior")),
        .title = jstr(jget(v, "title")),
        .message = jstr(jget(v, "message")),
        .task_id = jstr(jget(v, "task_id")),
        .captures = jis(jget(v, "captures"), J_OBJECT) ? jraw(a, jget(v, "captures")) : SLICE_NONE,
        .id = jstr(jget(v, "id")),
        .reviewer = jstr(jget(v, "reviewer")),
        .note = jstr(jget(v, "note")),
        .created_at = jstr(jget(v, "created_at")),
        .confidence = 1,
    };
    jnum(jget(v, "confidence"), &f->confidence);
    f->evidence = read_evidence(a, run, jget(v, "evidence"), &f->nevidence);
    f->exception = jstr(jget(v, "exception")); /* which stands in a line of its own, and holds of it here too */
    return kind_parse(jstr(jget(v, "kind")), &f->kind) && severity_parse(jstr(jget(v, "severity")), &f->severity) &&
           scope_parse(jstr(jget(v, "scope")), &f->scope) && status_parse(jstr(jget(v, "status")), &f->status);
}

static const char unknown_words[] = "this finding has a kind, severity, scope or status that is not known";

/* `location` is the run's: a finding that means nothing to this version is refused there, the run is read. */
static void read_findings(struct arena *a, struct run *run, const struct jvalue *list, struct slice location, const struct sink *sink,
                          struct meta *meta)
{
    if (!jis(list, J_ARRAY)) {
        meta_value(meta, "findings", list);
        return;
    }
    run->carried = arena_new(a, struct findings);
    for (size_t i = 0; i < list->n; i++) {
        if (read_finding(a, run, &list->items[i], findings_add(a, run->carried)))
            continue;
        run->carried->n--;
        struct slice place = arena_printf(a, "%.*s%sfindings[%zu]", SLICE_ARG(location), location.len ? " " : "", i);
        sink->refuse(sink->ctx, place, ERR_FORMAT, unknown_words);
    }
}

/* ---- judgments ---------------------------------------------------------------------------------------------------------- */

static int64_t count_in(const struct jvalue *v, const char *key, int64_t absent)
{
    int64_t n;
    return jint(jget(v, key), &n) && n >= 0 ? n : absent;
}

static double number_in(const struct jvalue *v, const char *key)
{
    double x;
    return jnum(jget(v, key), &x) ? x : NAN;
}

/* JSON of whatever shape; null is none. */
static struct slice json_in(struct arena *a, const struct jvalue *v, const char *key)
{
    const struct jvalue *member = jget(v, key);
    return jis(member, J_NULL) ? SLICE_NONE : jraw(a, member);
}

/* False: it names no rubric's version and no judge, or a state that means nothing to this version. */
static bool read_judgment(struct arena *a, const struct run *run, const struct jvalue *v, struct judgment *out)
{
    *out = (struct judgment){
        .rubric = jstr(jget(v, "rubric")),
        .version = count_in(v, "version", 0),
        .judge = jstr(jget(v, "judge")),
        .judge_key = jstr(jget(v, "judge_key")),
        .settings = json_in(a, v, "settings"),
        .answer = json_in(a, v, "answer"),
        .decision = jstr(jget(v, "decision")),
        .explanation = jstr(jget(v, "explanation")),
        .distribution = json_in(a, v, "distribution"),
        .share = number_in(v, "share"),
        .epistemic_confidence = number_in(v, "epistemic_confidence"),
        .paired = json_in(a, v, "paired"),
        .dropped = count_in(v, "dropped", 0) & 0xffffffff,
        .segments = count_in(v, "segments", 0),
        .left_out = jstr(jget(v, "left_out")),
        .raw = jstr(jget(v, "raw")),
        .error = jstr(jget(v, "error")),
        .calls = count_in(v, "calls", 0),
        .cached = count_in(v, "cached", 0),
        .tokens_in = count_in(v, "tokens_in", COUNT_UNKNOWN),
        .tokens_out = count_in(v, "tokens_out", COUNT_UNKNOWN),
        .cost = number_in(v, "cost_usd"),
        .content_hash = jstr(jget(v, "content_hash")),
        .rubric_hash = jstr(jget(v, "rubric_hash")),
        .job = jstr(jget(v, "job")),
        .stage = (int)(count_in(v, "stage", 0) & 0xff),
    };
    out->evidence = read_evidence(a, run, jget(v, "evidence"), &out->nevidence);
    fmt_time(a, jget(v, "created_at"), &out->created_at);
    jbool(jget(v, "flagged"), &out->flagged);
    if (uuid_valid(jstr(jget(v, "id"))))
        out->id = jstr(jget(v, "id"));
    return out->rubric.len && out->version > 0 && out->judge_key.len && judgment_state_parse(jstr(jget(v, "state")), &out->state);
}

static void read_judgments(struct arena *a, struct run *run, const struct jvalue *list, struct slice location, const struct sink *sink,
                           struct meta *meta)
{
    if (!jis(list, J_ARRAY)) {
        meta_value(meta, "judgments", list);
        return;
    }
    run->judged = arena_new(a, struct judgments);
    run->judged->items = arena_array(a, struct judgment, list->n);
    for (size_t i = 0; i < list->n; i++) {
        if (read_judgment(a, run, &list->items[i], &run->judged->items[run->judged->n])) {
            run->judged->n++;
            continue;
        }
        struct slice place = arena_printf(a, "%.*s%sjudgments[%zu]", SLICE_ARG(location), location.len ? " " : "", i);
        sink->refuse(sink->ctx, place, ERR_FORMAT, "this judgment names no rubric's version and judge, or has a state that is not known");
    }
}

/* ---- a run -------------------------------------------------------------------------------------------------------------- */

/* Docent keeps scores in the metadata, {"scores": {"correct": true}}; ours is a list. A bare true or false, or a number under a
 * name that says that it is a verdict, is the run's success where the run does not say itself. */
static void read_scores(struct arena *a, struct run *run, const struct jvalue *scores)
{
    for (size_t i = 0; (jis(scores, J_ARRAY) || jis(scores, J_OBJECT)) && i < scores->n; i++) {
        const struct jvalue *v = &scores->items[i];
        struct slice name = jis(scores, J_OBJECT) ? scores->keys[i] : jstr(jget(v, "name"));
        fmt_score_of(a, run, name, v);
        const struct jvalue *value = jis(v, J_OBJECT) && jget(v, "value") ? jget(v, "value") : v;
        if (run->success == VERDICT_UNKNOWN && (value->type != J_NUMBER || fmt_is_verdict(name)))
            run->success = fmt_verdict(value);
    }
}

static void read_transcript(struct arena *a, struct run *run, struct slice name, const struct jvalue *v)
{
    static const char *const known[] = {"id", "parent", "name", "metadata", "messages", "position", NULL};
    struct messages messages = {0};
    struct meta meta = META_INIT;
    meta_own(&meta, jget(v, "metadata"));
    chat_messages(a, &messages, jget(v, "messages"), &meta);
    meta_rest(&meta, v, known); /* description, created_at, transcript_group_id */
    struct transcript *t = fmt_transcript(a, run, &messages);
    t->id = fmt_string(a, jget(v, "id"));
    t->parent = fmt_string(a, jget(v, "parent"));
    t->name = fmt_string(a, jget(v, "name"));
    if (!t->name.ptr)
        t->name = name;
    t->metadata = meta_end(&meta, a);
}

static void read_times(struct arena *a, struct run *run, const struct jvalue *v, struct meta *meta)
{
    if (jget(v, "started_at") && !fmt_time(a, jget(v, "started_at"), &run->started_at))
        meta_value(meta, "started_at", jget(v, "started_at"));
    if (jget(v, "ended_at") && !fmt_time(a, jget(v, "ended_at"), &run->ended_at))
        meta_value(meta, "ended_at", jget(v, "ended_at"));
}

static void read_tags(struct arena *a, struct run *run, const struct jvalue *tags, struct meta *meta)
{
    if (!jis(tags, J_ARRAY)) {
        meta_value(meta, "tags", tags);
        return;
    }
    run->tags = arena_array(a, struct slice, tags->n);
    for (size_t i = 0; i < tags->n; i++)
        if (tags->items[i].type != J_NULL)
            run->tags[run->ntags++] = fmt_string(a, &tags->items[i]);
}

/* A list of {set, value}, as an export has it; labels of another shape are kept as they are. */
static void read_labels(struct arena *a, struct run *run, const struct jvalue *labels, struct meta *meta)
{
    bool ours = jis(labels, J_ARRAY);
    for (size_t i = 0; ours && i < labels->n; i++)
        ours = jis(jget(&labels->items[i], "set"), J_STRING) && jget(&labels->items[i], "value");
    if (!ours) {
        meta_value(meta, "labels", labels);
        return;
    }
    run->labels = arena_array(a, struct label, labels->n);
    for (; run->nlabels < labels->n; run->nlabels++) {
        const struct jvalue *v = &labels->items[run->nlabels];
        struct label *label = &run->labels[run->nlabels];
        *label = (struct label){.set = jstr(jget(v, "set")), .value = jraw(a, jget(v, "value")), .who = fmt_string(a, jget(v, "who")),
                                .split = jstr(jget(v, "split"))};
        fmt_time(a, jget(v, "when"), &label->when);
    }
}

static void read_run(struct arena *a, const struct jvalue *v, struct slice location, const struct sink *sink, struct run *run)
{
    static const char *const known[] = {
        "id", "external_id", "name", "task_id", "model", "agent", "attempt", "started_at", "ended_at", "success", "exit_status", "error",
        "limit", "tokens_in", "tokens_out", "cost_usd", "tags", "metadata", "source", "scores", "labels", "transcripts", "findings", "judgments", "content_hash",
        NULL,
    };
    struct meta meta = META_INIT;
    run_init(run);
    struct slice id = jtext(jget(v, "id"));
    const struct jvalue *own = jget(v, "metadata"), *transcripts = jget(v, "transcripts"), *source = jget(v, "source"), *said = jget(v, "scores");
    meta_own(&meta, own);
    run->id = uuid_valid(id) ? id : SLICE_NONE;
    run->external_id = jtext(jget(v, "external_id")).ptr ? jtext(jget(v, "external_id")) : id;
    run->name = fmt_string(a, jget(v, "name"));
    run->task_id = jtext(jget(v, "task_id") ? jget(v, "task_id") : jget(own, "task_id"));
    run->model = fmt_string(a, jget(v, "model") ? jget(v, "model") : jget(own, "model"));
    run->agent = fmt_string(a, jget(v, "agent"));
    run->attempt = fmt_count_or(&meta, "attempt", jget(v, "attempt"));
    run->success = fmt_verdict(jget(v, "success"));
    run->exit_status = fmt_string(a, jget(v, "exit_status"));
    run->error = fmt_string(a, jget(v, "error"));
    run->limit = fmt_string(a, jget(v, "limit"));
    run->tokens_in = fmt_count_or(&meta, "tokens_in", jget(v, "tokens_in"));
    run->tokens_out = fmt_count_or(&meta, "tokens_out", jget(v, "tokens_out"));
    if (!jnum(jget(v, "cost_usd"), &run->cost_usd)) {
        run->cost_usd = NAN;
        meta_value(&meta, "cost_usd", jget(v, "cost_usd"));
    }
    if (fmt_verdict(jget(v, "success")) == VERDICT_UNKNOWN)
        meta_value(&meta, "success", jget(v, "success"));
    read_times(a, run, v, &meta);
    read_tags(a, run, jget(v, "tags"), &meta);
    /* What stands in an export, null too, is what the run says; elsewhere Docent's convention is looked at. */
    if (said)
        read_scores(a, run, said);
    else
        read_scores(a, run, jget(own, "scores"));
    if (jis(jget(v, "success"), J_NULL))
        run->success = VERDICT_UNKNOWN;
    if (jis(jget(source, "file"), J_STRING))
        run->source = (struct source){
            .file = jstr(jget(source, "file")), .location = jstr(jget(source, "location")), .format = jstr(jget(source, "format"))};
    else
        meta_value(&meta, "source", source);
    for (size_t i = 0; i < transcripts->n; i++)
        read_transcript(a, run, jis(transcripts, J_OBJECT) ? transcripts->keys[i] : SLICE_NONE, &transcripts->items[i]);
    read_labels(a, run, jget(v, "labels"), &meta);
    if (jget(v, "findings"))
        read_findings(a, run, jget(v, "findings"), location, sink, &meta);
    if (jget(v, "judgments"))
        read_judgments(a, run, jget(v, "judgments"), location, sink, &meta);
    meta_rest(&meta, v, known); /* description, transcript_groups */
    meta_repaired(&meta, v, "transcripts");
    run->metadata = meta_end(&meta, a);
}

/* ---- lines that are no run ---------------------------------------------------------------------------------------------- */

static bool feed_line(const struct record *record, const struct sink *sink, struct err *e)
{
    const struct jvalue *v = record->value, *blob = jget(v, "blob"), *finding = jget(v, "finding");
    struct arena *a = *record->arena;
    if (blob) {
        struct blob carried = {.media_type = jstr(jget(blob, "media_type")), .bytes = base64_read(a, jstr(jget(blob, "data")))};
        if (!carried.bytes.ptr) {
            sink->refuse(sink->ctx, record->location, ERR_FORMAT, "the data of this blob is no base64");
            return true;
        }
        carried.size = carried.bytes.len;
        sha256_of(carried.bytes, carried.sha256);
        return sink->carry(sink->ctx, &(struct carried){.blob = &carried}, e);
    }
    if (finding) {
        struct finding carried;
        if (!read_finding(a, NULL, finding, &carried)) {
            sink->refuse(sink->ctx, record->location, ERR_FORMAT, unknown_words);
            return true;
        }
        if (is_judge(carried.detector)) {
            sink->refuse(sink->ctx, record->location, ERR_FORMAT, "a judge finds something in a run; this finding of one belongs to none");
            return true;
        }
        if (carried.scope == SCOPE_RUN || (carried.scope == SCOPE_TASK && !carried.task_id.len)) {
            sink->refuse(sink->ctx, record->location, ERR_FORMAT, carried.scope == SCOPE_RUN ? "a finding about a run comes with its run" : "this finding about a task names no task");
            return true;
        }
        return sink->carry(sink->ctx, &(struct carried){.location = record->location, .finding = &carried}, e);
    }
    return sink->carry(sink->ctx, &(struct carried){.location = record->location, .collection = jget(v, "collection"), .rubric = jget(v, "rubric"),
                                                   .label_set = jget(v, "label_set"), .rule = jget(v, "rule"), .exception = jget(v, "exception")}, e);
}

static bool feed_list(const struct record *record, const struct jvalue *list, const struct sink *sink, struct err *e)
{
    for (size_t i = 0; i < list->n; i++) {
        struct jvalue *v;
        struct arena *a = fmt_part(&list->items[i], &v);
        struct run *run = arena_new(a, struct run);
        struct slice location = arena_printf(a, "%.*s%sagent_runs[%zu]", SLICE_ARG(record->location), record->location.len ? " " : "", i);
        if (!is_run(v)) {
            sink->refuse(sink->ctx, location, ERR_NOT_TRANSCRIPT, "no run: transcripts with messages are missing");
            fmt_discard(a);
            continue;
        }
        read_run(a, v, location, sink, run);
        if (!run->source.file.ptr)
            run->source.location = location;
        if (!sink->run(sink->ctx, a, run, e))
            return false;
    }
    return true;
}

static bool feed(void **state, const struct record *record, const struct sink *sink, struct err *e)
{
    (void)state;
    const struct jvalue *v = record->value, *list = jget(v, "agent_runs");
    if (is_line(v))
        return feed_line(record, sink, e);
    if (jis(list, J_ARRAY))
        return feed_list(record, list, sink, e);
    if (!is_run(v)) {
        sink->refuse(sink->ctx, record->location, ERR_NOT_TRANSCRIPT, "no run: transcripts with messages are missing");
        return true;
    }
    struct arena *a = fmt_take(record);
    struct run *run = arena_new(a, struct run);
    read_run(a, v, record->location, sink, run);
    return sink->run(sink->ctx, a, run, e);
}

static const char *const verbatim[] = {"arguments", "metadata", "value", "captures", "settings", "answer", "distribution", "paired", "schema", "body", NULL};

const struct format fmt_native = {
    .name = "native",
    .about = "Telltale's export, a superset of Docent's AgentRun: transcripts with messages, or lines of an export",
    .probe = probe,
    .feed = feed,
    .close = fmt_close,
    .verbatim = verbatim,
};
