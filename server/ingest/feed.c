#include "ingest/feed.h"

#include "base/clock.h"
#include "ingest/archive.h"
#include "ingest/companions.h"
#include "ingest/fmt.h"
#include "ingest/fmt_csv.h"

enum {
    SAMPLE_RECORDS = 16, SAMPLE_BYTES = 1 << 20, SAMPLE_REFUSED = 1000,
    MADE_OF_TREE = 8, /* bytes that a run takes on its way for each of a tree: measured on short lines of Codex */
};

/* Where a record stands in the file: for an archive of files the entry and the place in it. */
static struct slice place(struct arena *a, const struct reading *r, struct slice inside)
{
    const struct slice names[] = {r->outer, r->member, inside};
    struct slice all = SLICE_NONE;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].len)
            all = all.len ? arena_printf(a, "%.*s %.*s", SLICE_ARG(all), SLICE_ARG(names[i])) : names[i];
    return all.len ? all : inside;
}

/* The file's path, or of an archive of files the entry's: a folder says the same packed as unpacked. */
static struct slice path_of(const struct reading *r) { return r->member.ptr ? r->member : r->file->name; }

/* A thought without words is none, so that a run is the same run when it comes back from an export. */
static void drop_empty_reasoning(struct run *run)
{
    for (size_t t = 0; t < run->ntranscripts; t++)
        for (size_t m = 0; m < run->transcripts[t].nmessages; m++)
            if (!run->transcripts[t].messages[m].reasoning.len)
                run->transcripts[t].messages[m].reasoning = SLICE_NONE;
}

/* What the messages add up to, where the source says nothing of the run as a whole: its tokens, and when it began and ended. */
static void sum_up(struct arena *a, struct run *run)
{
    bool tokens = run->tokens_in == COUNT_UNKNOWN && run->tokens_out == COUNT_UNKNOWN;
    struct slice first = SLICE_NONE, last = SLICE_NONE;
    for (size_t t = 0; t < run->ntranscripts; t++)
        for (size_t i = 0; i < run->transcripts[t].nmessages; i++) {
            const struct message *m = &run->transcripts[t].messages[i];
            struct slice time;
            if (tokens) {
                run->tokens_in = fmt_sum(run->tokens_in, m->tokens_in);
                run->tokens_out = fmt_sum(run->tokens_out, m->tokens_out);
            }
            if (!m->timestamp.ptr || !clock_normalize(a, m->timestamp, &time))
                continue;
            if (!first.ptr || slice_cmp(time, first) < 0)
                first = time;
            if (!last.ptr || slice_cmp(time, last) > 0)
                last = time;
        }
    if (!run->started_at.ptr)
        run->started_at = first;
    if (!run->ended_at.ptr)
        run->ended_at = last;
}

static bool deliver(void *ctx, struct arena *arena, struct run *run, struct err *e)
{
    struct reading *r = ctx;
    drop_empty_reasoning(run);
    if (!run->source.file.ptr) /* not what comes from an export: that run is to stay as it was */
        sum_up(arena, run);
    struct slice inside = run->source.location.ptr ? run->source.location : r->record ? r->record->location : SLICE_NONE;
    struct slice location = place(arena, r, inside);
    bool single = r->record ? r->record->only : r->runs == 0;
    if (!run->external_id.ptr)
        run->external_id = arena_dup(arena, single || !inside.len ? r->base : location);
    if (!run->source.file.ptr) /* what comes from an export says where it came from before */
        run->source = (struct source){
            .file = arena_dup(arena, r->file->name),
            .location = location.len ? arena_dup(arena, location) : SLICE_NONE,
            .format = slice_str(r->format->name),
        };
    run->source.member = place(arena, r, SLICE_NONE);
    r->runs++;
    r->gathered = 0;
    return r->sink->run(r->sink->ctx, arena, run, e);
}

static void refuse(void *ctx, struct slice location, enum err_code code, const char *message)
{
    struct reading *r = ctx;
    struct arena a = {0};
    r->sink->refuse(r->sink->ctx, place(&a, r, location), code, message);
    arena_free(&a);
}

static bool carry(void *ctx, const struct carried *carried, struct err *e)
{
    struct reading *r = ctx;
    return !r->sink->carry || r->sink->carry(r->sink->ctx, carried, e);
}

static void show(void *ctx, const struct jvalue *value)
{
    const struct reading *r = ctx;
    r->sink->record(r->sink->ctx, value);
}

enum { KEYS_COMPARED = 4096 }; /* in an object of more, which no logger writes, the last value stands alone */

static struct slice overwritten(struct arena *a, struct slice key)
{
    static const char mark[] = " (overwritten)";
    char *name = arena_alloc(a, key.len + sizeof mark);
    memcpy(name, key.ptr, key.len);
    memcpy(name + key.len, mark, sizeof mark);
    return slice_of(name, key.len + sizeof mark - 1);
}

/* A key that stands twice in an object keeps its last value, as JSON readers have it; the others get a name of their own, so
 * that formats see them as what they do not know. The values of members named in `verbatim` stay as they are. */
static void part_duplicates(struct arena *a, struct jvalue *v, const char *const verbatim[])
{
    for (size_t i = 0; i < v->n; i++)
        if (v->items[i].repaired && !(v->type == J_OBJECT && fmt_is_one_of(v->keys[i], verbatim)))
            part_duplicates(a, &v->items[i], verbatim);
    for (size_t i = 0; v->type == J_OBJECT && v->n <= KEYS_COMPARED && i < v->n; i++)
        if (jget_slice(v, v->keys[i]) != &v->items[i])
            v->keys[i] = overwritten(a, v->keys[i]);
}

static struct slice location_of(const struct split *s, struct arena *a)
{
    switch (s->shape) {
    case SPLIT_EMPTY:
    case SPLIT_NOT_JSON:
    case SPLIT_DOCUMENT: return slice_str("");
    case SPLIT_ARRAY: return arena_printf(a, "[%zu]", s->index);
    case SPLIT_LINES:
    case SPLIT_TEXT:
    case SPLIT_VALUES: break;
    }
    return s->nth > 1 ? arena_printf(a, "line %llu, value %u", (unsigned long long)s->line, s->nth)
                      : arena_printf(a, "line %llu", (unsigned long long)s->line);
}

static void next_step(const struct reading *r, struct split *s, struct step *step)
{
    *step = (struct step){.arena = fmt_arena()};
    uint64_t duplicates = s->repairs->count[JREPAIR_DUPLICATE_KEY];
    struct jvalue *value = NULL;
    step->result = split_next(s, step->arena, &value, &step->err);
    step->record = (struct record){
        .file = path_of(r),
        .name = r->base,
        .location = location_of(s, step->arena),
        .value = value,
        .line = s->line,
        .map = r->options->map,
        .index = s->index,
    };
    step->duplicates = value && s->repairs->count[JREPAIR_DUPLICATE_KEY] > duplicates;
}

static struct sink sink_of(struct reading *r)
{
    return (struct sink){.run = deliver, .refuse = refuse, .carry = carry, .record = r->sink->record ? show : NULL, .ctx = r};
}

bool feed_step(struct reading *r, struct step *step, struct err *e)
{
    const struct sink sink = sink_of(r);
    bool ok = true;
    if (step->result == SPLIT_VALUE) {
        step->record.arena = &step->arena;
        step->record.beside = r->beside;
        if (step->duplicates)
            part_duplicates(step->arena, step->record.value, r->format->verbatim);
        size_t used = step->arena->total - step->arena->size + step->arena->used, raw = step->record.value->raw.len;
        r->gathered += (step->arena->total < 2 * raw ? 2 * raw : step->arena->total) + (raw < used ? MADE_OF_TREE * (used - raw) : 0);
        r->record = &step->record;
        if (r->sink->record && !r->format->rows)
            r->sink->record(r->sink->ctx, step->record.value);
        ok = r->format->feed(&r->state, &step->record, &sink, e);
        r->record = NULL;
        if (companions_used(r->beside))
            r->beside = NULL;
    } else if (step->result == SPLIT_REFUSED) {
        feed_refuse(r, step->record.location, &step->err);
    }
    fmt_discard(step->arena);
    step->arena = NULL;
    return ok;
}

bool feed_end(struct reading *r, struct err *e)
{
    const struct sink sink = sink_of(r);
    return !r->format || r->format->close(&r->state, &sink, e);
}

void feed_refuse(struct reading *r, struct slice location, const struct err *why) { refuse(r, location, why->code, why->text); }

bool feed_recognize(struct reading *r, const struct sample *sample, struct err *e)
{
    struct arena a = {0};
    struct slice why = SLICE_NONE;
    r->format = r->options->format ? r->options->format : format_recognize(sample, &a, &why);
    if (!r->format)
        err_set(e, ERR_NOT_TRANSCRIPT, "%.*s", SLICE_ARG(why));
    else if (r->files)
        r->beside = companions_of(&r->arena, r->files, r->self, r->format, r->options->limits);
    arena_free(&a);
    return r->format != NULL;
}

bool feed_load(struct reading *r, struct split_input in, struct slice member, size_t index, struct step *step)
{
    struct split s;
    *step = (struct step){.result = SPLIT_FAILED};
    if (split_open(&s, in, r->options->limits->value_bytes, true, &r->report->repairs, &step->err)) {
        next_step(r, &s, step);
        step->record.member = arena_dup(step->arena, member);
        step->record.location = step->record.member;
        step->record.index = index;
    }
    if (step->result == SPLIT_END)
        err_set(&step->err, ERR_FORMAT, "an empty entry");
    r->report->bytes += s.bytes;
    split_close(&s);
    return step->result == SPLIT_VALUE;
}

/* The first steps of a stream: what the format is recognised from. */
struct beginning {
    struct step *steps;
    size_t n, cap, records;
    bool ended;              /* the last step is the end or a failure */
};

static void read_beginning(const struct reading *r, struct split *s, struct arena *a, struct beginning *b)
{
    size_t bytes = 0, refused = 0;
    while (!b->ended && b->records < SAMPLE_RECORDS && (bytes < SAMPLE_BYTES || b->records < 2) && refused < SAMPLE_REFUSED) {
        b->steps = arena_grow(a, b->steps, b->n, &b->cap, sizeof *b->steps);
        struct step *step = &b->steps[b->n++];
        next_step(r, s, step);
        b->records += step->result == SPLIT_VALUE;
        refused += step->result == SPLIT_REFUSED;
        b->ended = step->result == SPLIT_END || step->result == SPLIT_FAILED;
        bytes += step->arena->total;
    }
}

static struct sample sample_of(const struct reading *r, const struct split *s, const struct beginning *b, struct arena *a)
{
    struct record *records = arena_array(a, struct record, b->records + 1);
    size_t n = 0;
    for (size_t i = 0; i < b->n; i++)
        if (b->steps[i].result == SPLIT_VALUE)
            records[n++] = b->steps[i].record;
    return (struct sample){
        .file = path_of(r),
        .records = records,
        .n = n,
        .whole = b->ended,
        .document = s->shape == SPLIT_DOCUMENT,
        .array = s->shape == SPLIT_ARRAY,
        .text = s->shape == SPLIT_TEXT,
    };
}

/* Nothing in the beginning can be read as JSON: text that only looks like it, or JSON that ends too early? */
static enum outcome nothing_read(const struct beginning *b, struct err *e)
{
    const struct step *last = b->n ? &b->steps[b->n - 1] : NULL;
    for (size_t i = 0; i < b->n; i++)
        if (b->steps[i].result == SPLIT_FAILED || (b->steps[i].result == SPLIT_REFUSED && b->steps[i].err.code == ERR_TOO_LARGE)) {
            *e = b->steps[i].err;
            return OUTCOME_FAILED;
        }
    if (last && b->n == 2 && b->steps[0].result == SPLIT_REFUSED) {
        *e = b->steps[0].err;
        return OUTCOME_FAILED;
    }
    err_set(e, ERR_NOT_TRANSCRIPT, "text, not JSON");
    return OUTCOME_SKIPPED;
}

/* Records of which no run came, more than memory takes: twice what one value may have, as that is in memory with its copy. */
static bool too_much(const struct reading *r, struct err *e)
{
    uint64_t most = 2 * r->options->limits->value_bytes;
    return r->gathered > most && !r->format->spills &&
           !err_set(e, ERR_TOO_LARGE, "one run that takes more than %llu bytes of memory; what follows is not read",
                    (unsigned long long)most);
}

static enum outcome feed_values(struct reading *r, struct split *s, struct arena *a, struct err *e)
{
    struct beginning b = {0};
    enum outcome outcome = OUTCOME_READ;
    read_beginning(r, s, a, &b);
    struct sample sample = sample_of(r, s, &b, a);
    bool empty_list = b.n == 1 && b.steps[0].result == SPLIT_END;
    if (!sample.n && !empty_list)
        outcome = nothing_read(&b, e);
    else if (!feed_recognize(r, &sample, e))
        outcome = sample.n && 2 * sample.n < b.n ? nothing_read(&b, e) : OUTCOME_SKIPPED; /* text with a little JSON in it is text */

    struct step step = {0};
    for (size_t i = 0; i < b.n || (outcome == OUTCOME_READ && !b.ended); i++) {
        if (i < b.n)
            step = b.steps[i];
        else
            next_step(r, s, &step);
        step.record.only = sample.n == 1 && sample.whole;
        b.ended |= step.result == SPLIT_END || step.result == SPLIT_FAILED;
        if (outcome != OUTCOME_READ) {
            fmt_discard(step.arena);
        } else if (step.result == SPLIT_FAILED) {
            *e = step.err;
            outcome = OUTCOME_FAILED;
            fmt_discard(step.arena);
        } else if (!feed_step(r, &step, e)) {
            outcome = OUTCOME_STOPPED;
        } else if (too_much(r, e)) {
            outcome = OUTCOME_FAILED;
        }
    }
    struct err ending = {0};
    if (!feed_end(r, &ending) && outcome != OUTCOME_STOPPED) {
        *e = ending;
        outcome = OUTCOME_STOPPED;
    }
    return outcome;
}

static bool is_binary(struct slice head)
{
    size_t odd = 0;
    for (size_t i = 0; i < head.len; i++) {
        unsigned char c = (unsigned char)head.ptr[i];
        if (c == 0)
            return true;
        odd += c < 9 || (c > 13 && c < 32 && c != 27);
    }
    return odd * 10 > head.len;
}

/* Text that some format reads, though it is no JSON? Then it is read by lines. */
static bool find_text(const struct reading *r, struct split *s, struct err *e)
{
    struct slice head;
    struct arena a = {0};
    struct jrepairs ignored = {0};
    if (!split_peek(s, &head, e))
        return false;
    if (!head.len || is_binary(slice_sub(head, 0, 4096)))
        return true;
    struct record record = {.file = path_of(r), .name = r->base, .line = s->next_line, .map = r->options->map, .value = jstring(&a, head, &ignored)};
    const struct sample sample = {.file = path_of(r), .records = &record, .n = 1, .whole = s->eof, .text = true};
    struct slice why;
    const struct format *wanted = r->options->format;
    if (wanted ? wanted->probe(&sample) > 0 : format_recognize(&sample, &a, &why) != NULL)
        split_text(s);
    arena_free(&a);
    return true;
}

enum outcome feed_stream(struct reading *r, struct split_input in, struct err *e)
{
    struct split s;
    struct arena a = {0};
    enum outcome outcome = OUTCOME_SKIPPED;
    r->state = NULL;
    r->format = NULL;
    r->runs = 0;
    r->gathered = 0;
    if (!split_open(&s, in, r->options->limits->value_bytes, false, &r->report->repairs, e) ||
        (!s.json && s.shape != SPLIT_EMPTY && !find_text(r, &s, e))) {
        outcome = OUTCOME_FAILED;
    } else if (s.shape == SPLIT_EMPTY) {
        err_set(e, ERR_NOT_TRANSCRIPT, s.bytes ? "empty but for white space" : "an empty file");
    } else if (s.shape == SPLIT_NOT_JSON) {
        struct slice head = slice_of(s.buffer + s.start, s.end - s.start);
        const struct magic *magic = magic_find(head);
        struct slice table;
        if (magic || is_binary(slice_sub(head, 0, 4096)))
            err_set(e, ERR_NOT_TRANSCRIPT, "%s", magic ? magic->name : "binary data");
        else if (csv_describe(head, &a, &table))
            err_set(e, ERR_NOT_TRANSCRIPT, "%.*s", SLICE_ARG(table));
        else
            err_set(e, ERR_NOT_TRANSCRIPT, "text, not JSON");
    } else {
        outcome = feed_values(r, &s, &a, e);
    }
    r->report->bytes += s.bytes;
    r->beside = NULL;
    arena_free(&r->arena);
    split_close(&s);
    arena_free(&a);
    return outcome;
}
