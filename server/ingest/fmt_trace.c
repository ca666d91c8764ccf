#include "ingest/fmt_trace.h"

#include "base/clock.h"
#include "ingest/fmt_trace_steps.h"

#include <stdlib.h>

struct trace *trace_new(struct arena *a, struct slice id)
{
    struct trace *t = arena_new(a, struct trace);
    *t = (struct trace){.a = a, .run = arena_new(a, struct run), .meta = META_INIT};
    run_init(t->run);
    t->run->external_id = id.len ? arena_dup(a, id) : SLICE_NONE;
    return t;
}

void trace_expect(struct trace *t, size_t n)
{
    t->spans = arena_array(t->a, struct span, n);
    t->cap = n;
}

struct span *trace_add(struct trace *t)
{
    t->spans = arena_grow(t->a, t->spans, t->n, &t->cap, sizeof *t->spans);
    t->spans[t->n] = (struct span){.order = t->n};
    return &t->spans[t->n++];
}

void trace_times(struct span *span, struct slice started_at, struct slice ended_at)
{
    int64_t us;
    span->started_at = started_at;
    span->ended_at = ended_at;
    span->start = started_at.ptr && clock_parse(started_at, &us) ? us : 0;
    span->end = ended_at.ptr && clock_parse(ended_at, &us) ? us : 0;
}

void trace_discard(struct trace *t)
{
    if (!t)
        return;
    str_free(&t->meta.out);
    fmt_discard(t->a);
}

/* ---- events that came by themselves ---------------------------------------------------------------------------------------- */

static struct slice owner_of(const struct span *s) { return s->event_of.ptr ? s->event_of : s->id; }

static int by_owner(const void *a, const void *b)
{
    const struct span *const *x = a, *const *y = b;
    int c = slice_cmp(owner_of(*x), owner_of(*y));
    if (!c) /* the span, then its events */
        c = ((*x)->event_of.ptr != NULL) - ((*y)->event_of.ptr != NULL);
    if (!c)
        c = ((*x)->start > (*y)->start) - ((*x)->start < (*y)->start);
    return c ? c : ((*x)->order > (*y)->order) - ((*x)->order < (*y)->order);
}

/* The events of one span, which comes first; where it did not come, the first event takes its place. */
static void give_events(struct arena *a, struct span *const *group, size_t n)
{
    struct span *span = group[0];
    struct span_event *events = arena_array(a, struct span_event, span->nevents + n);
    size_t count = span->nevents;
    if (count)
        memcpy(events, span->events, count * sizeof *events);
    for (size_t i = 1; i < n; i++)
        if (group[i]->event_of.ptr)
            events[count++] = group[i]->events[0];
    if (span->event_of.ptr)
        span->id = span->event_of;
    span->event_of = SLICE_NONE;
    span->events = events;
    span->nevents = count;
}

static void join_events(struct trace *t)
{
    struct span **sorted = arena_array(t->a, struct span *, t->n);
    bool any = false;
    for (size_t i = 0; i < t->n; i++) {
        sorted[i] = &t->spans[i];
        any |= t->spans[i].event_of.ptr != NULL;
    }
    if (!any)
        return;
    qsort(sorted, t->n, sizeof(struct span *), by_owner);
    for (size_t i = 0, end; i < t->n; i = end) {
        struct slice owner = owner_of(sorted[i]);
        for (end = i + 1; end < t->n && owner.len && slice_eq(owner, owner_of(sorted[end]));)
            end++;
        if (end > i + 1 || sorted[i]->event_of.ptr)
            give_events(t->a, sorted + i, end - i);
    }
    size_t n = 0;
    for (size_t i = 0; i < t->n; i++)
        if (!t->spans[i].event_of.ptr)
            t->spans[n++] = t->spans[i];
    t->n = n;
}

/* ---- the tree of steps --------------------------------------------------------------------------------------------------- */

static int by_id(const void *a, const void *b)
{
    const struct step *const *x = a, *const *y = b;
    int c = slice_cmp((*x)->span->id, (*y)->span->id);
    return c ? c : ((*x)->span->order > (*y)->span->order) - ((*x)->span->order < (*y)->span->order);
}

struct told { /* an attribute of a span that came several times */
    struct slice key;
    const struct jvalue *v;
    size_t order;
};

static int by_key(const void *a, const void *b)
{
    const struct told *x = a, *y = b;
    int c = slice_cmp(x->key, y->key);
    return c ? c : (x->order > y->order) - (x->order < y->order);
}

/* Attributes of all of them; of one that several have the last. */
static const struct jvalue *merge_attributes(struct arena *a, struct step *const *group, size_t n)
{
    const struct jvalue *longest = NULL;
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        const struct jvalue *at = group[i]->span->attributes;
        count += at ? at->n : 0;
        longest = at && (!longest || at->raw.len > longest->raw.len) ? at : longest;
    }
    if (!count)
        return NULL;
    struct told *all = arena_array(a, struct told, count);
    struct making m = making_object(a, longest);
    count = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; group[i]->span->attributes && k < group[i]->span->attributes->n; k++, count++)
            all[count] = (struct told){group[i]->span->attributes->keys[k], &group[i]->span->attributes->items[k], count};
    qsort(all, count, sizeof *all, by_key);
    for (size_t i = 0; i < count; i++)
        if (i + 1 == count || !slice_eq(all[i].key, all[i + 1].key))
            making_put(&m, all[i].key, *all[i].v);
    struct jvalue *v = arena_new(a, struct jvalue);
    *v = m.v;
    return v;
}

/* A span that came several times, whole or told bit by bit: into the first. Events come again with the span. */
static void merge_spans(struct arena *a, struct step *const *group, size_t n)
{
    struct span *into = group[0]->span;
    if (n > 1)
        into->attributes = merge_attributes(a, group, n);
    for (size_t i = 1; i < n; i++) {
        const struct span *s = group[i]->span;
        into->name = s->name.len ? s->name : into->name;
        into->parent = s->parent.len ? s->parent : into->parent;
        into->error = s->error.ptr ? s->error : into->error;
        into->kind = s->kind != SPAN_OTHER ? s->kind : into->kind;
        into->rest = into->rest.ptr ? into->rest : s->rest;
        if (s->nevents > into->nevents) {
            into->events = s->events;
            into->nevents = s->nevents;
        }
        trace_times(into, into->started_at.ptr ? into->started_at : s->started_at, s->ended_at.ptr ? s->ended_at : into->ended_at);
    }
}

static int by_time(const void *a, const void *b)
{
    const struct step *const *x = a, *const *y = b;
    int64_t s = (*x)->span->start, t = (*y)->span->start;
    return s != t ? (s > t) - (s < t) : ((*x)->span->order > (*y)->span->order) - ((*x)->span->order < (*y)->span->order);
}

static struct step *find_step(struct step *const *sorted, size_t n, struct slice id)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (slice_cmp(sorted[middle]->span->id, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < n && id.len && slice_eq(sorted[low]->span->id, id) ? sorted[low] : NULL;
}

/* Parents, and with them the nearest agent; a circle is cut where it closes. */
static void link_steps(struct telling *t, struct step *const *sorted)
{
    struct step **path = arena_array(t->a, struct step *, t->n);
    for (size_t i = 0; i < t->n; i++)
        t->steps[i]->up = find_step(sorted, t->n, t->steps[i]->span->parent);
    for (size_t i = 0; i < t->n; i++) {
        size_t depth = 0;
        struct step *s = t->steps[i];
        for (; s && !s->on_path; s = s->up) {
            s->on_path = true;
            path[depth++] = s;
        }
        if (s && !s->linked)
            path[depth - 1]->up = NULL;
        while (depth-- > 0) {
            s = path[depth];
            s->linked = true;
            s->agent = s->facts.kind == SPAN_AGENT ? s : s->up ? s->up->agent : NULL;
        }
    }
    for (size_t i = t->n; i-- > 0;) { /* so that the first is at the head */
        struct step *s = t->steps[i];
        if (s->facts.kind == SPAN_TOOL && s->agent) {
            s->next_tool = s->agent->first_tool;
            s->agent->first_tool = s;
        }
    }
    for (size_t i = 0; i < t->n; i++) {
        if (t->steps[i]->facts.kind != SPAN_LLM)
            continue;
        for (struct step *s = t->steps[i]->up; s && !s->model_below; s = s->up)
            s->model_below = true;
        for (struct step *s = t->steps[i]->up; t->steps[i]->facts.speaks && s && !s->speaks_below; s = s->up)
            s->speaks_below = true;
    }
}

static void make_steps(struct telling *t, const struct trace *trace)
{
    struct step **sorted = arena_array(t->a, struct step *, trace->n), *all = arena_array(t->a, struct step, trace->n);
    t->steps = arena_array(t->a, struct step *, trace->n);
    for (size_t i = 0; i < trace->n; i++) {
        all[i] = (struct step){.span = &trace->spans[i]};
        sorted[i] = &all[i];
    }
    if (trace->n)
        qsort(sorted, trace->n, sizeof(struct step *), by_id);
    for (size_t i = 0, end; i < trace->n; i = end) {
        for (end = i + 1; end < trace->n && sorted[i]->span->id.len && slice_eq(sorted[i]->span->id, sorted[end]->span->id);)
            end++;
        merge_spans(t->a, sorted + i, end - i);
        sorted[t->n++] = sorted[i];
    }
    for (size_t i = 0; i < t->n; i++)
        span_facts(t->a, sorted[i]->span, &sorted[i]->facts);
    memcpy(t->steps, sorted, t->n * sizeof(struct step *));
    if (t->n)
        qsort(t->steps, t->n, sizeof(struct step *), by_time);
    link_steps(t, sorted);
}

/* ---- calls --------------------------------------------------------------------------------------------------------------- */

static struct slice agent_name(const struct step *s)
{
    if (s->facts.agent.len)
        return s->facts.agent;
    return !s->agent ? SLICE_NONE : s->agent->facts.agent.len ? s->agent->facts.agent : s->agent->span->name;
}

/* The conversation that started the agent: the latest of an agent above it. */
static struct slice parent_of(const struct step *s)
{
    enum { FAR = 64 };
    size_t seen = 0;
    for (const struct step *agent = s->agent; agent && agent->up && seen < FAR; agent = agent->up->agent, seen++) {
        const struct step *above = agent->up->agent;
        if (!above)
            break;
        if (above->conversation.ptr && !slice_eq(above->conversation, agent->conversation))
            return above->conversation;
    }
    return SLICE_NONE;
}

int64_t step_duration(const struct span *span)
{
    return span->start && span->end >= span->start ? (span->end - span->start) / 1000 : COUNT_UNKNOWN;
}

/* What the span knows of the answer. A call that failed has an answer that says so. */
static void finish_answer(struct telling *t, const struct step *s, struct messages *answer)
{
    struct slice error = span_error(s->span);
    if (!answer->n && error.ptr)
        messages_add(t->a, answer)->role = ROLE_ASSISTANT;
    for (size_t i = 0; i < answer->n; i++) {
        struct message *m = &answer->items[i];
        if (!m->timestamp.ptr)
            m->timestamp = s->span->ended_at.ptr ? s->span->ended_at : s->span->started_at;
        if (!m->model.ptr)
            m->model = s->facts.model;
    }
    if (!answer->n)
        return;
    struct message *first = &answer->items[0], *last = &answer->items[answer->n - 1];
    first->duration_ms = step_duration(s->span);
    if (first->tokens_in == COUNT_UNKNOWN)
        first->tokens_in = s->facts.tokens_in;
    if (first->tokens_out == COUNT_UNKNOWN)
        first->tokens_out = s->facts.tokens_out;
    if (error.ptr && !last->error.ptr)
        last->error = error;
}

static void add_call(struct telling *t, struct step *s, struct messages *sent, struct messages *answer, bool extends)
{
    struct model_call call = {.sent = *sent, .answer = *answer, .name = agent_name(s), .lane = agent_name(s), .parent = parent_of(s)};
    call.follows = !sent->n && answer->n && !extends;
    call.extends = extends;
    size_t first;
    struct conversation *c = calls_add(&t->talk, &call, &first);
    if (!c)
        return;
    s->told = true;
    s->conversation_at = (size_t)(c - t->talk.items);
    s->answer_at = first;
    if (s->agent)
        s->agent->conversation = c->id;
    s->conversation = c->id;
}

static bool is_talking(const struct telling *t, struct slice lane)
{
    enum { FAR = 64 };
    for (size_t i = 0; i < t->talk.n && i < FAR; i++)
        if (slice_eq(t->talk.items[t->talk.n - 1 - i].lane, lane))
            return true;
    return false;
}

/* A model's span, or that of an agent or of the whole whose models said nothing. */
static void tell(struct telling *t, struct step *s)
{
    struct messages sent = {0}, answer = {0};
    bool any = span_messages(t->a, s->span, TEXT_BARE, &sent, &answer, &s->left);
    if (!sent.n && !is_talking(t, agent_name(s))) { /* later in a conversation an object without messages is nothing that was said */
        sent = answer = (struct messages){0};
        s->left = (struct leftovers){0};
        any = span_messages(t->a, s->span, TEXT_ANY, &sent, &answer, &s->left);
    }
    if (!any && (s->facts.kind != SPAN_LLM || !span_error(s->span).ptr))
        return;
    if (s->facts.kind != SPAN_LLM)
        tools_between(t, s, &sent);
    finish_answer(t, s, &answer);
    add_call(t, s, &sent, &answer, false);
}

static void tell_all(struct telling *t)
{
    bool models = false, agents = false;
    for (size_t i = 0; i < t->n; i++)
        models |= t->steps[i]->facts.kind == SPAN_LLM && t->steps[i]->facts.speaks;
    for (size_t i = 0; i < t->n; i++) {
        struct step *s = t->steps[i];
        bool model = s->facts.kind == SPAN_LLM && (s->facts.speaks || (models && span_error(s->span).ptr));
        bool agent = s->facts.kind == SPAN_AGENT;
        if (!s->speaks_below && (model || agent))
            tell(t, s);
        agents |= s->told;
    }
    for (size_t i = 0; i < t->n && !agents; i++) /* the first that says anything */
        if (t->steps[i]->facts.kind != SPAN_TOOL) {
            tell(t, t->steps[i]);
            agents = t->steps[i]->told;
        }
    if (!agents)
        tools_alone(t);
    for (size_t i = 0; i < t->n; i++) { /* an agent's own list may have an end that no call shows */
        struct step *s = t->steps[i];
        struct messages sent = {0}, answer = {0};
        struct leftovers left = {0};
        if (!s->speaks_below || !s->facts.speaks || s->facts.kind == SPAN_TOOL)
            continue;
        if (span_messages(t->a, s->span, TEXT_NONE, &sent, &answer, &left))
            add_call(t, s, &sent, &answer, true);
        if (s->told)
            s->left = left;
    }
}

/* ---- the run ------------------------------------------------------------------------------------------------------------- */

static void keep_first(struct slice *to, struct slice text)
{
    if (!to->ptr && text.len)
        *to = text;
}

static void add_cost(double *to, double cost)
{
    if (!isnan(cost))
        *to = isnan(*to) ? cost : *to + cost;
}

/* Models' spans; where they are silent, what the agents' spans add up, the outermost first. */
static void count_usage(struct telling *t, struct run *run)
{
    int64_t in = COUNT_UNKNOWN, out = COUNT_UNKNOWN;
    double cost = NAN;
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < t->n; i++) {
            const struct step *s = t->steps[i];
            bool counts = pass ? in == COUNT_UNKNOWN && out == COUNT_UNKNOWN : s->facts.kind == SPAN_LLM && !s->model_below;
            if (counts) {
                in = fmt_sum(in, s->facts.tokens_in);
                out = fmt_sum(out, s->facts.tokens_out);
            }
            if (pass ? isnan(cost) : s->facts.kind == SPAN_LLM && !s->model_below)
                add_cost(&cost, s->facts.cost);
        }
    if (run->tokens_in == COUNT_UNKNOWN)
        run->tokens_in = in;
    if (run->tokens_out == COUNT_UNKNOWN)
        run->tokens_out = out;
    if (isnan(run->cost_usd))
        run->cost_usd = cost;
}

static void add_tags(struct trace *trace, const struct jvalue *v)
{
    v = payload_parsed(trace->a, v);
    if (!jis(v, J_ARRAY) || trace->run->ntags)
        return;
    trace->run->tags = arena_array(trace->a, struct slice, v->n);
    for (size_t i = 0; i < v->n; i++)
        if (jis(&v->items[i], J_STRING))
            trace->run->tags[trace->run->ntags++] = v->items[i].text;
}

static void read_run(struct telling *t, struct trace *trace)
{
    struct run *run = trace->run;
    struct slice session = trace->session, user = trace->user;
    int64_t last = 0;
    for (size_t i = 0; i < t->n; i++) {
        const struct step *s = t->steps[i];
        const struct span_facts *facts = &s->facts;
        keep_first(&run->started_at, s->span->started_at);
        if (s->span->end > last) {
            last = s->span->end;
            run->ended_at = s->span->ended_at;
        }
        if (facts->kind == SPAN_LLM)
            keep_first(&run->model, facts->model);
        if (facts->kind == SPAN_AGENT)
            keep_first(&run->agent, facts->agent);
        keep_first(&run->name, facts->run_name);
        keep_first(&run->task_id, facts->task);
        keep_first(&session, facts->session);
        keep_first(&user, facts->user);
        add_tags(trace, facts->tags);
        span_scores(t->a, s->span, run);
    }
    for (size_t i = 0; i < t->n; i++)
        keep_first(&run->model, t->steps[i]->facts.model);
    if (t->root) {
        keep_first(&run->name, t->root->span->name);
        keep_first(&run->error, span_error(t->root->span));
    }
    count_usage(t, run);
    if (session.len && !slice_eq(session, run->external_id))
        meta_text(&trace->meta, "session_id", session);
    meta_text(&trace->meta, "user_id", user);
}

struct run *trace_end(struct trace *trace)
{
    struct telling t = {.a = trace->a, .talk = {.a = trace->a}};
    join_events(trace);
    make_steps(&t, trace);
    for (size_t i = 0; i < t.n && !(t.root && t.root->span->first); i++)
        if (!t.steps[i]->up && (!t.root || t.steps[i]->span->first))
            t.root = t.steps[i];
    if (t.root && t.root->facts.metadata) /* first, as other keys make way for its own */
        meta_own(&trace->meta, payload_parsed(t.a, t.root->facts.metadata));
    read_run(&t, trace);
    tell_all(&t);
    steps_find_sources(&t, &trace->meta);
    struct slice *of_transcripts = arena_array(t.a, struct slice, t.talk.n);
    steps_say_of_calls(&t, of_transcripts);
    tools_answer(&t);
    steps_say_of_run(&t, &trace->meta);
    calls_end(&t.talk, trace->run);
    for (size_t i = 0; i < t.talk.n; i++)
        trace->run->transcripts[i].metadata = of_transcripts[i];
    trace->run->metadata = meta_end(&trace->meta, trace->a);
    return trace->run;
}
