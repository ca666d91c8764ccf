#include "ingest/fmt_traces.h"

#include "base/hash.h"
#include "base/temp.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    MOST = 32,        /* times what is gathered in memory a trace may take while it is made a run of */
    OPEN_BYTES = 256, /* of the limit for each trace that waits for more: what is known of it stays in memory, about three times that */
};

struct piece { /* of the temporary file */
    uint64_t at, length;
    size_t n; /* spans */
};

struct gathered {
    unsigned char hash[HASH_SIZE]; /* of its id */
    struct slice id, location;     /* malloc'd */
    struct arena *a;               /* NULL: nothing is in memory */
    struct raw_span *spans;
    size_t n, cap, bytes;
    struct piece *pieces;
    size_t npieces, written;         /* spans in the pieces */
    struct gathered *before, *after; /* by when they were last added to */
    size_t place;                    /* in the order of appearance */
    bool done;
};

struct traces {
    void (*read)(struct trace *t, const struct raw_span *raw);
    size_t limit, held;            /* bytes */
    struct gathered **items;       /* in order of appearance; some of them done, as all before `first` are */
    size_t n, cap, begun, first, open;
    struct gathered **slots;       /* by hash; size is a power of two */
    size_t size;
    struct gathered *oldest, *newest; /* of those in memory */
    int file;                      /* -1: none */
    uint64_t written;
};

struct traces *traces_new(void (*read)(struct trace *t, const struct raw_span *raw), size_t limit)
{
    struct traces *all = calloc(1, sizeof *all);
    if (!all)
        abort();
    *all = (struct traces){.read = read, .limit = limit ? limit : (size_t)32 << 20, .file = -1};
    return all;
}

static void *grow(void *items, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return items;
    *cap = *cap ? 2 * *cap : 64;
    items = realloc(items, *cap * size);
    if (!items)
        abort();
    return items;
}

static struct gathered **slot_of(struct gathered **slots, size_t size, const unsigned char hash[HASH_SIZE])
{
    size_t i;
    memcpy(&i, hash, sizeof i);
    while (slots[i & (size - 1)] && memcmp(slots[i & (size - 1)]->hash, hash, HASH_SIZE) != 0)
        i++;
    return &slots[i & (size - 1)];
}

static struct slice keep(struct slice s)
{
    char *copy = malloc(s.len + 1);
    if (!copy)
        abort();
    if (s.len)
        memcpy(copy, s.ptr, s.len);
    copy[s.len] = '\0';
    return slice_of(copy, s.len);
}

static void free_gathered(struct gathered *g)
{
    free((char *)g->id.ptr);
    free((char *)g->location.ptr);
    free(g->pieces);
    free(g);
}

/* Those that are done are forgotten on the way: a stream of traces has no end. */
static void reserve_slots(struct traces *all)
{
    if (all->size / 2 > all->n)
        return;
    size_t n = 0;
    for (size_t i = 0; i < all->n; i++)
        if (all->items[i]->done)
            free_gathered(all->items[i]);
        else
            all->items[n++] = all->items[i];
    all->n = n;
    all->first = 0;
    while (all->size < 256 || all->size / 4 <= n)
        all->size = all->size ? 2 * all->size : 256;
    free(all->slots);
    all->slots = calloc(all->size, sizeof *all->slots);
    if (!all->slots)
        abort();
    for (size_t i = 0; i < n; i++)
        *slot_of(all->slots, all->size, all->items[i]->hash) = all->items[i];
}

/* The trace of that id, new where there is none or it has gone out as a run. */
static struct gathered *find_trace(struct traces *all, struct slice id, struct slice location)
{
    unsigned char hash[HASH_SIZE];
    hash_of(id, hash);
    reserve_slots(all);
    struct gathered **slot = slot_of(all->slots, all->size, hash);
    if (*slot && !(*slot)->done)
        return *slot;
    struct gathered *g = calloc(1, sizeof *g);
    if (!g)
        abort();
    *g = (struct gathered){.id = keep(id), .location = keep(location), .place = all->begun++};
    memcpy(g->hash, hash, HASH_SIZE);
    all->items = grow(all->items, all->n, &all->cap, sizeof *all->items);
    all->items[all->n++] = g;
    all->open++;
    *slot = g;
    return g;
}

static void unlink_trace(struct traces *all, struct gathered *g)
{
    *(g->before ? &g->before->after : &all->oldest) = g->after;
    *(g->after ? &g->after->before : &all->newest) = g->before;
    g->before = g->after = NULL;
}

static void link_newest(struct traces *all, struct gathered *g)
{
    g->before = all->newest;
    *(all->newest ? &all->newest->after : &all->oldest) = g;
    all->newest = g;
}

static void forget_spans(struct traces *all, struct gathered *g)
{
    unlink_trace(all, g);
    all->held -= g->bytes;
    g->a = NULL;
    g->spans = NULL;
    g->n = g->cap = g->bytes = 0;
}

/* ---- the temporary file -------------------------------------------------------------------------------------------------- */

static bool write_all(struct traces *all, const char *bytes, size_t length, struct err *e)
{
    if ((all->file < 0 && (all->file = temp_file(e)) < 0) || !temp_write(all->file, bytes, length, e))
        return false;
    all->written += length;
    return true;
}

static void write_shared(struct str *out, const struct jvalue *v, const struct jvalue *before)
{
    str_addz(out, !v ? ",null" : v == before ? ",false" : ",");
    if (v && v != before)
        jwrite(out, v);
}

/* A list of [trace, id, parent, span, scope, resource]; of the last two false where they are those of the span before. */
static bool spill(struct traces *all, struct gathered *g, struct err *e)
{
    struct str out = STR_INIT(META_INIT.out.max);
    for (size_t i = 0; i < g->n; i++) {
        const struct raw_span *s = &g->spans[i], *before = i ? s - 1 : &(struct raw_span){0};
        const struct slice names[] = {s->trace, s->id, s->parent};
        str_addz(&out, i ? ",[" : "[[");
        for (size_t k = 0; k < 3; k++) {
            const struct jvalue name = payload_text(names[k].ptr ? names[k] : slice_str(""));
            jwrite(&out, &name);
            str_addc(&out, ',');
        }
        jwrite(&out, s->span);
        write_shared(&out, s->scope, before->scope);
        write_shared(&out, s->resource, before->resource);
        str_addc(&out, ']');
    }
    str_addc(&out, ']');
    struct piece piece = {.at = all->written, .length = out.len, .n = g->n};
    bool ok = write_all(all, out.ptr, out.len, e);
    str_free(&out);
    if (!ok)
        return false;
    g->pieces = realloc(g->pieces, (g->npieces + 1) * sizeof *g->pieces);
    if (!g->pieces)
        abort();
    g->pieces[g->npieces++] = piece;
    g->written += piece.n;
    struct arena *a = g->a;
    forget_spans(all, g);
    fmt_discard(a);
    return true;
}

static bool read_piece(const struct traces *all, struct arena *a, const struct piece *piece, struct jvalue **v, struct err *e)
{
    char *bytes = arena_alloc(a, piece->length + 1);
    for (size_t at = 0; at < piece->length;) {
        ssize_t n = pread(all->file, bytes + at, piece->length - at, (off_t)(piece->at + at));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? err_errno(e, "the temporary file of spans cannot be read")
                         : err_set(e, ERR_IO, "the temporary file of spans is shorter than it was");
        at += (size_t)n;
    }
    return jread(a, slice_of(bytes, piece->length),
                 &(struct jlimits){.depth = jlimits_default.depth + 8, .nodes = jlimits_default.nodes}, NULL, v, e);
}

/* ---- runs ---------------------------------------------------------------------------------------------------------------- */

static const struct jvalue *or_null(const struct jvalue *v) { return v && v->type != J_NULL ? v : NULL; }

/* What is written of a scope or resource that is that of the span before it. */
static const struct jvalue *or_before(const struct jvalue *v, const struct jvalue *before) { return jis(v, J_FALSE) ? before : or_null(v); }

static bool read_spilled(const struct traces *all, const struct piece *piece, struct trace *t, struct err *e)
{
    struct jvalue *list;
    struct raw_span raw = {0};
    if (!read_piece(all, t->a, piece, &list, e))
        return false;
    for (size_t i = 0; i < list->n; i++) {
        const struct jvalue *v = &list->items[i];
        raw = (struct raw_span){.trace = jstr(jat(v, 0)), .id = jstr(jat(v, 1)), .parent = jstr(jat(v, 2)), .span = jat(v, 3),
                                .scope = or_before(jat(v, 4), raw.scope), .resource = or_before(jat(v, 5), raw.resource)};
        all->read(t, &raw);
    }
    return true;
}

static bool is_too_much(const struct traces *all, const struct gathered *g, const struct arena *a, const struct sink *sink)
{
    enum { NAMED = 100 };
    bool spans = g->written + g->n > RUN_ITEMS;
    if (!spans && a->total <= MOST * all->limit)
        return false;
    struct arena scratch = {0};
    struct slice id = slice_cut(g->id, NAMED);
    struct slice why = spans ? arena_printf(&scratch, "the trace \"%.*s\" has more than %d spans, and one run may have no more", SLICE_ARG(id), RUN_ITEMS)
                             : arena_printf(&scratch, "the trace \"%.*s\" takes more than %zu bytes of memory", SLICE_ARG(id), MOST * all->limit);
    sink->refuse(sink->ctx, g->location, ERR_TOO_LARGE, why.ptr);
    arena_free(&scratch);
    return true;
}

/* The spans of one trace, in the order in which they came, into its run. */
static bool finish(struct traces *all, struct gathered *g, const struct sink *sink, struct err *e)
{
    struct arena *a = g->a ? g->a : fmt_arena();
    const struct gathered had = *g;
    if (g->a)
        forget_spans(all, g);
    g->done = true;
    all->open--;
    if (is_too_much(all, &had, a, sink)) {
        fmt_discard(a);
        return true;
    }
    struct trace *t = trace_new(a, g->id);
    trace_expect(t, had.written + had.n);
    for (size_t i = 0; i < had.npieces; i++) {
        bool ok = read_spilled(all, &had.pieces[i], t, e), much = ok && is_too_much(all, &had, a, sink);
        if (!ok || much) {
            trace_discard(t);
            return ok;
        }
    }
    for (size_t i = 0; i < had.n; i++)
        all->read(t, &had.spans[i]);
    struct run *run = trace_end(t);
    run->source.location = arena_dup(a, g->location);
    return sink->run(sink->ctx, a, run, e);
}

static int by_slice(const void *a, const void *b) { return slice_cmp(*(const struct slice *)a, *(const struct slice *)b); }

static bool looks_whole(const struct gathered *g)
{
    struct slice *ids = calloc(g->n ? g->n : 1, sizeof *ids);
    bool root = false, parents = true;
    if (!ids)
        abort();
    for (size_t i = 0; i < g->n; i++) {
        ids[i] = g->spans[i].id;
        root |= !g->spans[i].parent.len;
    }
    qsort(ids, g->n, sizeof *ids, by_slice);
    for (size_t i = 0; i < g->n && root && parents; i++)
        parents = !g->spans[i].parent.len || bsearch(&g->spans[i].parent, ids, g->n, sizeof *ids, by_slice);
    free(ids);
    return root && parents && !g->npieces;
}

/* The first that has spans; NULL: none. */
static struct gathered *first_open(struct traces *all)
{
    while (all->first < all->n && all->items[all->first]->done)
        all->first++;
    struct gathered *g = all->first < all->n ? all->items[all->first] : NULL;
    return g && (g->a || g->npieces) ? g : NULL;
}

static bool make_room(struct traces *all, const struct sink *sink, struct err *e)
{
    for (struct gathered *g; all->open > all->limit / OPEN_BYTES && (g = first_open(all));)
        if (!finish(all, g, sink, e))
            return false;
    if (all->held <= all->limit)
        return true;
    while (all->oldest && all->oldest != all->newest && all->held > all->limit / 2)
        if (!(looks_whole(all->oldest) ? finish(all, all->oldest, sink, e) : spill(all, all->oldest, e)))
            return false;
    return all->held <= all->limit || !all->oldest || spill(all, all->oldest, e);
}

static const struct jvalue *copied(struct arena *a, const struct jvalue *v)
{
    struct jvalue *copy = NULL;
    if (v)
        fmt_copy(a, v, &copy);
    return copy;
}

static void add_span(struct gathered *g, const struct raw_span *raw, bool copy, const struct raw_span *last)
{
    struct raw_span s = *raw;
    if (copy) {
        s.trace = arena_dup(g->a, raw->trace);
        s.id = arena_dup(g->a, raw->id);
        s.parent = arena_dup(g->a, raw->parent);
        s.span = copied(g->a, raw->span);
        /* Spans of one scope stand together: it is copied once. */
        const struct raw_span *before = last && g->n ? &g->spans[g->n - 1] : NULL;
        s.scope = before && last->scope == raw->scope ? before->scope : copied(g->a, raw->scope);
        s.resource = before && last->resource == raw->resource ? before->resource : copied(g->a, raw->resource);
    }
    g->spans = arena_grow(g->a, g->spans, g->n, &g->cap, sizeof *g->spans);
    g->spans[g->n++] = s;
}

/* In memory, and the newest of all. */
static void touch(struct traces *all, struct gathered *g, struct arena *a)
{
    if (g->a)
        unlink_trace(all, g);
    else
        g->a = a ? a : fmt_arena();
    link_newest(all, g);
}

static bool add_trace(struct traces *all, struct arena **adopt, struct slice location, const struct raw_span *spans, const size_t *order, size_t n,
                      const struct sink *sink, struct err *e)
{
    struct gathered *g = find_trace(all, spans[order[0]].trace, location);
    bool adopted = adopt && !g->a;
    touch(all, g, adopted ? *adopt : NULL);
    if (adopted)
        *adopt = NULL;
    for (size_t i = 0; i < n; i++)
        add_span(g, &spans[order[i]], !adopted, i ? &spans[order[i - 1]] : NULL);
    all->held += g->a->total - g->bytes;
    g->bytes = g->a->total;
    return make_room(all, sink, e);
}

struct place {
    size_t trace, i;
};

static int by_place(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    return x->trace != y->trace ? (x->trace > y->trace) - (x->trace < y->trace) : (x->i > y->i) - (x->i < y->i);
}

/* What comes together is added trace by trace, so that each can make room when all of it is there. */
bool traces_add(struct traces *all, struct arena **arena, struct slice location, const struct raw_span *spans, size_t n,
                const struct sink *sink, struct err *e)
{
    struct arena scratch = {0};
    struct place *places = arena_array(&scratch, struct place, n + 1);
    size_t *order = arena_array(&scratch, size_t, n + 1);
    bool sorted = true, ok = true;
    for (size_t i = 0; i < n; i++) {
        bool same = i && slice_eq(spans[i].trace, spans[i - 1].trace);
        places[i] = (struct place){same ? places[i - 1].trace : find_trace(all, spans[i].trace, location)->place, i};
        sorted = sorted && (!i || places[i].trace >= places[i - 1].trace);
    }
    if (!sorted)
        qsort(places, n, sizeof *places, by_place);
    for (size_t i = 0; i < n; i++)
        order[i] = places[i].i;
    bool one = arena && *arena && n && places[0].trace == places[n - 1].trace;
    for (size_t i = 0, end; i < n && ok; i = end) {
        for (end = i + 1; end < n && places[end].trace == places[i].trace;)
            end++;
        ok = add_trace(all, one ? arena : NULL, location, spans, order + i, end - i, sink, e);
    }
    arena_free(&scratch);
    return ok;
}

bool traces_end(struct traces *all, const struct sink *sink, struct err *e)
{
    bool ok = true;
    if (!all)
        return true;
    for (size_t i = 0; i < all->n; i++) {
        struct gathered *g = all->items[i];
        if (!g->done && ok && (g->a || g->npieces))
            ok = finish(all, g, sink, e);
        else if (g->a)
            fmt_discard(g->a);
        free_gathered(g);
    }
    if (all->file >= 0)
        close(all->file);
    free(all->items);
    free(all->slots);
    free(all);
    return ok;
}
