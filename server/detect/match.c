#include "detect/match.h"

#include "base/clock.h"

#include <stdlib.h>

enum {
    MATCHES_DISTINCT = 16,      /* of one pattern with groups in one text */
    MATCHES_LOOKED_AT = 512,    /* to find them */
    OCCURRENCES_MAX = 1 << 20,  /* in one run */
    CAPTURE_MAX = 200,          /* bytes */
    UNESCAPED_MAX = 256,        /* strings of one call */
    LINE_SEEN = 1024,           /* bytes before a literal in which its line's start is looked for */
};

void match_incomplete(struct detect_scratch *s, struct slice detector, const char *reason)
{
    for (size_t i = 0; i < s->nincomplete; i++)
        if (slice_eq(s->incomplete[i].detector, detector) && slice_is(s->incomplete[i].reason, reason))
            return;
    s->incomplete = arena_grow(&s->arena, s->incomplete, s->nincomplete, &s->incomplete_cap, sizeof *s->incomplete);
    s->incomplete[s->nincomplete++] = (struct incomplete){detector, arena_dup(&s->arena, slice_str(reason))};
}

/* ---- which patterns may match: their rarest 4-gram is looked for in every text that passes ----------------------- */

/* The very same bytes, not only equal ones. */
static bool slice_same(struct slice a, struct slice b) { return a.ptr == b.ptr && a.len == b.len; }

static bool literal_at(struct slice text, size_t at, struct slice literal)
{
    if (at > text.len || literal.len > text.len - at)
        return false;
    for (size_t i = 0; i < literal.len; i++)
        if (fold_byte((unsigned char)text.ptr[at + i]) != (unsigned char)literal.ptr[i])
            return false;
    return true;
}

/* Where a match can start that holds the literal at `place`: at most ref->before bytes before it, and in the same line where no
 * newline can be between. */
static struct reach reach_of(struct slice text, size_t place, const struct literal_ref *ref)
{
    size_t from = place > ref->before ? place - ref->before : 0, seen = place > from + LINE_SEEN ? place - LINE_SEEN : from;
    const char *newline = ref->lines ? NULL : memrchr(text.ptr + seen, '\n', place - seen);
    return (struct reach){(uint32_t)(newline ? (size_t)(newline + 1 - text.ptr) : from), (uint32_t)place};
}

/* Reaches are kept in order and apart; they come nearly in order. */
static void add_reach(struct pattern_state *state, struct reach reach)
{
    struct reach *last = &state->reaches[state->nreaches];
    *last = reach;
    if (!state->nreaches || (reach.from > last[-1].to + 1 && state->nreaches < REACHES))
        state->nreaches++;
    else
        last--;
    last->from = reach.from < last->from ? reach.from : last->from;
    last->to = reach.to > last->to ? reach.to : last->to;
    for (; state->nreaches > 1 && last->from <= last[-1].to + 1; last--, state->nreaches--)
        last[-1] = (struct reach){last->from < last[-1].from ? last->from : last[-1].from, last->to > last[-1].to ? last->to : last[-1].to};
}

static void look_into_bucket(struct detect_scratch *s, struct slice text, size_t at, uint32_t bucket, unsigned classes)
{
    for (uint32_t i = s->rs->bucket[bucket]; i < s->rs->bucket[bucket + 1]; i++) {
        const struct literal_ref *ref = &s->rs->literals[i];
        bool goes_on = !ref->next || (at + LITERAL_MIN < text.len && fold_byte((unsigned char)text.ptr[at + LITERAL_MIN]) == ref->next);
        if (!goes_on || !(ref->classes & classes) || at < ref->gram || !s->wanted[ref->pattern])
            continue;
        struct pattern_state *state = &s->patterns[ref->pattern];
        size_t place = at - ref->gram;
        bool here = state->seen == s->stamp && slice_same(state->near, text);
        if (!literal_at(text, place, ref->literal))
            continue;
        if (state->seen != s->stamp)
            s->hits[s->nhits++] = ref->pattern;
        if (!here)
            state->seen = s->stamp, state->near = text, state->nreaches = 0;
        add_reach(state, reach_of(text, place, ref));
    }
}

/* `class`: whose set of grams it is, one of `classes`, which the text is of. */
static void look_for_literals(struct detect_scratch *s, struct slice text, unsigned class, unsigned classes)
{
    if (!(classes & s->classes))
        return;
    uint16_t places[GRAMSCAN_BYTES];
    for (size_t from = 0; from + LITERAL_MIN <= text.len; from += GRAMSCAN_BYTES) {
        size_t n = s->gramscan->find(&s->rs->grams[class], text.ptr + from, text.len - from, places);
        for (size_t i = 0; i < n; i++) {
            size_t at = from + places[i], behind = at + LITERAL_MIN;
            uint32_t bucket = gram_at(text.ptr + at);
            bool goes_on = behind == text.len || s->rs->follows[bucket] >> (fold_byte((unsigned char)text.ptr[behind]) & 7) & 1;
            if (goes_on)
                look_into_bucket(s, text, at, bucket, classes);
        }
    }
}

/* ---- matching a pattern: once for each text, whatever the number of rules ---------------------------------------- */

static void pattern_off(struct detect_scratch *s, const struct pattern *p, const char *reason)
{
    s->patterns[p->index].off = true;
    for (size_t i = 0; i < s->rs->n + s->rs->nhelpers; i++)
        for (size_t k = 0; k < s->rs->rules[i]->nevents; k++)
            for (size_t m = 0; m < s->rs->rules[i]->events[k]->nmatchers; m++)
                if (s->rs->rules[i]->events[k]->matchers[m].pattern == p)
                    match_incomplete(s, s->rs->rules[i]->id, reason);
}

/* How long a pattern may look into a text of so many bytes (match.h); 0 or less: not at all. */
static int64_t patience(const struct detect_scratch *s, const struct pattern_state *state, size_t len)
{
    uint64_t bytes = state->bytes + len;
    int64_t look = LOOK_US + (int64_t)(len / LOOK_BYTES), mine = PATTERN_US + (int64_t)(bytes / LOOK_BYTES) - state->spent_us;
    if (s->regex_us > RUN_US + (int64_t)(s->regex_bytes / RUN_BYTES))
        mine = LITTLE_US + (int64_t)(bytes / LITTLE_BYTES) - state->spent_us;
    return look < mine ? look : mine;
}

static bool same_groups(struct slice text, const struct found *a, const struct regex_match *m, size_t groups)
{
    for (size_t g = 1; g <= groups; g++) {
        bool set = m->group_start[g] != SIZE_MAX, was = a->groups[2 * g] != UINT32_MAX;
        if (set != was)
            return false;
        if (set && !slice_eq(slice_sub(text, a->groups[2 * g], a->groups[2 * g + 1] - a->groups[2 * g]),
                             slice_sub(text, m->group_start[g], m->group_end[g] - m->group_start[g])))
            return false;
    }
    return true;
}

/* Adds a match unless one with the same groups is there. */
static void keep_match(struct detect_scratch *s, struct slice text, const struct regex_match *m, size_t groups, struct pattern_state *state)
{
    for (uint32_t i = 0; i < state->nfound; i++)
        if (same_groups(text, &state->found[i], m, groups))
            return;
    if (!state->found)
        state->found = arena_array(&s->event_arena, struct found, groups ? MATCHES_DISTINCT : 1);
    struct found *f = &state->found[state->nfound++];
    *f = (struct found){.start = (uint32_t)m->start, .end = (uint32_t)m->end};
    f->groups = arena_alloc(&s->event_arena, (2 * groups + 2) * sizeof *f->groups);
    for (size_t g = 1; g <= groups; g++) {
        f->groups[2 * g] = m->group_start[g] == SIZE_MAX ? UINT32_MAX : (uint32_t)m->group_start[g];
        f->groups[2 * g + 1] = m->group_start[g] == SIZE_MAX ? UINT32_MAX : (uint32_t)m->group_end[g];
    }
}

static void find_all(struct detect_scratch *s, const struct pattern *p, struct slice text, struct pattern_state *state)
{
    const struct reach whole = {0, (uint32_t)text.len};
    bool near = p->needs.n && state->seen == s->stamp && slice_same(state->near, text);
    const struct reach *reaches = near ? state->reaches : &whole;
    size_t n = near ? state->nreaches : 1, most = p->groups ? MATCHES_DISTINCT : 1, from = 0;
    /* Most looks take less than a tick of this clock; those in which it ticks make up for the others. */
    int64_t began = clock_coarse_us(), deadline = began + patience(s, state, text.len);
    if (deadline <= began) {
        pattern_off(s, p, "a pattern took too much time in this run; the rest of the run was not looked at with it");
        return;
    }
    for (int looked = 0; n && looked < MATCHES_LOOKED_AT && state->nfound < most; looked++) {
        struct regex_match m;
        s->regex_calls++;
        from = from > reaches->from ? from : reaches->from;
        enum regex_result result = regex_find_within(p->re, s->regex, text, from, reaches->to, deadline, &m);
        if (result == REGEX_INCOMPLETE) {
            pattern_off(s, p, "a pattern hit its limit of time or matches; the rest of the run was not looked at with it");
            break;
        }
        if (result == REGEX_YES) {
            keep_match(s, text, &m, p->groups, state);
            from = m.end > m.start ? m.end : m.end + 1;
        } else {
            reaches++, n--;
        }
    }
    int64_t spent = clock_coarse_us() - began;
    state->spent_us += spent, s->regex_us += spent;
    state->bytes += text.len, s->regex_bytes += text.len;
}

static const struct pattern_state *matches_in(struct detect_scratch *s, const struct pattern *p, struct slice text)
{
    struct pattern_state *state = &s->patterns[p->index];
    if (state->known == s->stamp && state->text == text.ptr && state->len == text.len)
        return state;
    if (state->run != s->run)
        state->run = s->run, state->off = false, state->spent_us = 0, state->bytes = 0;
    state->known = s->stamp, state->text = text.ptr, state->len = text.len;
    state->found = NULL, state->nfound = 0;
    if (!state->off && text.len < UINT32_MAX)
        find_all(s, p, text, state);
    return state;
}

/* ---- matching an event ------------------------------------------------------------------------------------------- */

struct matching {
    struct detect_scratch *s;
    const struct event_def *def;
    const struct event *event;
    struct slice captures[CAPTURES_MAX];
    struct span spans[MATCHERS_MAX]; /* by the matcher's place in the rule */
    size_t first;                  /* occurrence of this event */
};

static void hash_value(struct slice text, unsigned char out[HASH_SIZE]) { hash_of(text.ptr ? text : slice_str(""), out); }

static bool same_captures(const struct rule *rule, const struct slice *a, const struct slice *b)
{
    for (int i = 0; i < rule->ncaptures; i++)
        if ((a[i].ptr != NULL) != (b[i].ptr != NULL) || !slice_eq(a[i], b[i]))
            return false;
    return true;
}

/* A call's arguments say more than the tool's name, where it has any. */
static bool shows(const struct event *e, const struct span *span)
{
    bool name = span->part == PART_CALL_NAME && e->kind == EVENT_CALL && !call_is_bare(&e->m->calls[e->nth]);
    return span->part != PART_NONE && span->end > span->start && !name;
}

static void emit(struct matching *x)
{
    struct detect_scratch *s = x->s;
    const struct event_def *def = x->def;
    const struct rule *rule = def->rule;
    struct occurrences *list = &s->occurrences[def->index];
    struct slice kept[CAPTURES_MAX];
    for (int i = 0; i < rule->ncaptures; i++)
        kept[i] = rule->captures[i].hidden ? x->captures[i] : slice_cut(x->captures[i], CAPTURE_MAX);
    for (size_t i = x->first; i < list->n; i++)
        if (!rule->ncaptures || same_captures(rule, list->items[i].captures, kept))
            return;
    if (list->n - x->first >= MATCHES_DISTINCT)
        return;
    if (s->total == OCCURRENCES_MAX) {
        match_incomplete(s, rule->id, "the run has more than 1048576 matching events; the rest was not looked at");
        return;
    }
    s->total++;
    list->items = arena_grow(&s->arena, list->items, list->n, &list->cap, sizeof *list->items);
    struct occurrence *o = &list->items[list->n++];
    const struct event *e = x->event;
    *o = (struct occurrence){.order = e->order, .transcript = e->transcript, .message = e->message, .nth = e->nth, .kind = e->kind, .finding = e->finding};
    struct span spans[2];
    for (size_t i = 0; i < def->nmatchers && o->nspans < 2; i++)
        if (shows(e, &x->spans[i]))
            spans[o->nspans++] = x->spans[i];
    if (o->nspans) {
        o->spans = arena_alloc(&s->arena, o->nspans * sizeof *o->spans);
        memcpy(o->spans, spans, o->nspans * sizeof *o->spans);
    }
    if (rule->ncaptures) {
        o->captures = arena_array(&s->arena, struct slice, (size_t)rule->ncaptures);
        for (int i = 0; i < rule->ncaptures; i++)
            o->captures[i] = arena_dup(&s->arena, kept[i]);
    }
}

static void match_from(struct matching *x, size_t at);

/* A text that passed without the pattern's literal in it needs no look. */
static bool ruled_out(const struct matching *x, const struct matcher *m)
{
    bool scanned = m->field == FIELD_TEXT ||
                   (x->event->kind == EVENT_CALL && (m->field == FIELD_NAME || m->field == FIELD_ARGS || m->field == FIELD_ARG));
    return scanned && m->pattern->needs.n && x->s->patterns[m->pattern->index].seen != x->s->stamp;
}

static void match_regex(struct matching *x, const struct matcher *m, size_t at)
{
    struct value v;
    bool possible = !ruled_out(x, m);
    for (size_t nth = 0; possible && view_value(&x->s->view, x->event, m->field, m->key, nth, &v); nth++) {
        if (!v.text.ptr)
            continue;
        const struct pattern_state *state = matches_in(x->s, m->pattern, v.text);
        const struct found *found = state->found; /* what follows may match the pattern elsewhere */
        uint32_t n = state->nfound;
        if (n && m->negate)
            return;
        for (uint32_t i = 0; i < n; i++) {
            struct slice before[CAPTURES_MAX];
            size_t captures = (size_t)x->def->rule->ncaptures * sizeof *before;
            memcpy(before, x->captures, captures);
            bool joins = true;
            for (size_t b = 0; b < m->nbinds && joins; b++) {
                const uint32_t *group = &found[i].groups[2 * (size_t)m->binds[b].group];
                struct slice *capture = &x->captures[m->binds[b].capture];
                if (group[0] == UINT32_MAX)
                    continue;
                struct slice value = slice_sub(v.text, group[0], group[1] - group[0]);
                joins = !capture->ptr || slice_eq(*capture, value);
                *capture = value;
            }
            if (joins) {
                x->spans[m->written] = value_span(&v, found[i].start, found[i].end);
                match_from(x, at + 1);
                x->spans[m->written] = (struct span){0};
            }
            memcpy(x->captures, before, captures);
            if (!m->nbinds)
                return; /* another match would say the same */
        }
    }
    if (m->negate)
        match_from(x, at + 1);
}

static bool is_one_of(const struct matcher *m, struct slice text)
{
    for (size_t i = 0; i < m->nwords; i++)
        if (m->nocase ? slice_eq_nocase(m->words[i], text) : slice_eq(m->words[i], text))
            return true;
    return false;
}

static double as_number(const struct value *v)
{
    char text[64], *end;
    struct slice trimmed = slice_trim(v->text);
    if (!v->text.ptr)
        return v->number;
    if (trimmed.len == 0 || trimmed.len >= sizeof text)
        return NAN;
    memcpy(text, trimmed.ptr, trimmed.len);
    text[trimmed.len] = 0;
    double x = strtod(text, &end);
    return *end ? NAN : x;
}

static bool in_range(const struct matcher *m, const struct value *v)
{
    double x = as_number(v);
    return (m->min_open ? x > m->min : x >= m->min) && (m->max_open ? x < m->max : x <= m->max); /* NAN is in no range */
}

static void match_plain(struct matching *x, const struct matcher *m, size_t at)
{
    struct value v;
    bool holds = false;
    size_t nth = 0;
    struct span span = {0};
    while (!holds && view_value(&x->s->view, x->event, m->field, m->key, nth++, &v)) {
        holds = m->op == OP_PRESENT ? v.text.len > 0 || !isnan(v.number)
                : m->op == OP_IS    ? v.text.ptr && is_one_of(m, slice_trim(v.text))
                                    : in_range(m, &v);
        if (holds && v.text.len)
            span = value_span(&v, 0, v.text.len);
    }
    if (m->op == OP_PRESENT)
        holds = holds == m->present;
    if (holds == m->negate)
        return;
    if (!m->negate)
        x->spans[m->written] = span;
    match_from(x, at + 1);
    x->spans[m->written] = (struct span){0};
}

static void match_same(struct matching *x, const struct matcher *m, size_t at)
{
    struct value v;
    unsigned char h[HASH_SIZE] = {0}; /* of no text */
    bool there = view_value(&x->s->view, x->event, m->field, m->key, 0, &v) && v.text.ptr;
    if (!there && !m->lends)
        return;
    if (there)
        hash_value(v.text, h);
    struct slice before = x->captures[m->capture];
    if (!before.ptr || slice_eq(before, slice_of((const char *)h, sizeof h))) {
        x->captures[m->capture] = slice_of((const char *)h, sizeof h);
        match_from(x, at + 1);
    }
    x->captures[m->capture] = before;
}

static void match_from(struct matching *x, size_t at)
{
    if (at == x->def->nmatchers) {
        emit(x);
        return;
    }
    const struct matcher *m = &x->def->matchers[at];
    switch (m->op) {
    case OP_REGEX: match_regex(x, m, at); break;
    case OP_SAME: match_same(x, m, at); break;
    case OP_IS:
    case OP_NUMBER:
    case OP_PRESENT: match_plain(x, m, at); break;
    }
}

/* In the middle of a transcript, where nobody asks for it. */
static bool is_outside(const struct detect_scratch *s, const struct event_def *def, const struct event *e)
{
    return e->transcript >= 0 && e->message >= def->head && e->message < (int64_t)s->view.run->transcripts[e->transcript].nmessages - def->tail;
}

static void look_at(struct detect_scratch *s, const struct event_def *def, const struct event *e)
{
    if (!s->on[def->index] || !(def->kinds & EVENT_BIT(e->kind)) || s->evaluated[def->index] == s->stamp || is_outside(s, def, e))
        return;
    s->evaluated[def->index] = s->stamp;
    struct occurrences *list = &s->occurrences[def->index];
    struct matching x; /* large, and asked for a million times: only what is used of it is cleared */
    x.s = s, x.def = def, x.event = e, x.first = list->n;
    memset(x.captures, 0, (size_t)def->rule->ncaptures * sizeof *x.captures);
    memset(x.spans, 0, def->nmatchers * sizeof *x.spans);
    match_from(&x, 0);
    if (list->n == x.first || !def->nkeys)
        return;
    unsigned char(*keys)[HASH_SIZE] = arena_alloc(&s->arena, def->nkeys * HASH_SIZE);
    for (size_t k = 0; k < def->nkeys; k++)
        key_make(&s->view, e, &def->keys[k], keys[k]);
    for (size_t i = x.first; i < list->n; i++)
        list->items[i].keys = keys;
}

/* ---- the pass ---------------------------------------------------------------------------------------------------- */

/* The patterns whose literals stand in the event's texts: s->hits. */
static void look_into_texts(struct detect_scratch *s, const struct event *e)
{
    struct value text;
    s->nhits = 0;
    if (e->kind != EVENT_CALL) {
        if (view_value(&s->view, e, FIELD_TEXT, SLICE_NONE, 0, &text))
            look_for_literals(s, text.text, e->kind, EVENT_BIT(e->kind));
        return;
    }
    const struct tool_call *call = &e->m->calls[e->nth];
    look_for_literals(s, call->name, CLASS_NAME, 1u << CLASS_NAME);
    look_for_literals(s, call->arguments, CLASS_ARGS, 1u << CLASS_ARGS | 1u << CLASS_VALUES);
    if (s->classes & 1u << CLASS_VALUES) {
        struct slice values[UNESCAPED_MAX];
        size_t n = view_unescaped(&s->view, call, values, UNESCAPED_MAX);
        for (size_t i = 0; i < n; i++)
            look_for_literals(s, values[i], CLASS_VALUES, 1u << CLASS_VALUES);
    }
}

static void pass(struct detect_scratch *s, struct event *e)
{
    const struct ruleset *rs = s->rs;
    e->order++;
    if (!(s->busy & EVENT_BIT(e->kind)))
        return;
    view_reset(&s->view);
    s->stamp++;
    look_into_texts(s, e);
    for (size_t i = 0; i < s->nhits; i++)
        for (uint32_t k = rs->triggered[s->hits[i]]; k < rs->triggered[s->hits[i] + 1]; k++)
            look_at(s, rs->triggers[k], e);
    for (size_t i = 0; i < s->nalways[e->kind]; i++)
        look_at(s, s->always[e->kind][i], e);
}

static void pass_message(struct detect_scratch *s, struct event *e)
{
    static const enum event_kind kinds[] = {EVENT_SYSTEM, EVENT_USER, EVENT_ASSISTANT, EVENT_RESULT};
    const struct message *m = e->m;
    e->nth = 0;
    if (m->reasoning.len)
        e->kind = EVENT_REASONING, pass(s, e);
    e->kind = kinds[m->role], pass(s, e);
    for (e->nth = 0; e->nth < m->ncalls; e->nth++)
        e->kind = EVENT_CALL, pass(s, e);
    e->nth = 0;
    if (m->error.len)
        e->kind = EVENT_ERROR, pass(s, e);
}

/* Grows a zeroed array; out of memory ends the program, as in arenas. */
static void *grown(void *array, size_t have, size_t want, size_t size)
{
    char *p = realloc(array, want * size);
    if (!p)
        abort();
    memset(p + have * size, 0, (want - have) * size);
    return p;
}

static void prepare(struct detect_scratch *s, const struct ruleset *rs)
{
    const struct pattern_table *table = rs->parent ? &rs->parent->patterns : &rs->patterns;
    if (s->npatterns < table->n) {
        s->patterns = grown(s->patterns, s->npatterns, table->n, sizeof *s->patterns);
        s->hits = grown(s->hits, s->npatterns, table->n, sizeof *s->hits);
        s->wanted = grown(s->wanted, s->npatterns, table->n, sizeof *s->wanted);
        s->npatterns = table->n;
    }
    if (s->ndefs < table->ndefs) {
        s->occurrences = grown(s->occurrences, s->ndefs, table->ndefs, sizeof *s->occurrences);
        s->evaluated = grown(s->evaluated, s->ndefs, table->ndefs, sizeof *s->evaluated);
        s->on = grown(s->on, s->ndefs, table->ndefs, sizeof *s->on);
        s->ndefs = table->ndefs;
    }
    if (s->ndefs)
        memset(s->occurrences, 0, s->ndefs * sizeof *s->occurrences);
    s->rs = rs; /* states of another set's patterns are of older runs and events, and so mean nothing */
}

static void pass_run(struct detect_scratch *s, const struct run *run)
{
    struct event e = {0};
    for (size_t t = 0; t < run->ntranscripts; t++)
        for (size_t m = 0; m < run->transcripts[t].nmessages; m++) {
            e.transcript = (int32_t)t, e.message = (int32_t)m, e.m = &run->transcripts[t].messages[m];
            pass_message(s, &e);
        }
    e.transcript = e.message = -1, e.m = NULL;
    if (run->error.len)
        e.kind = EVENT_ERROR, e.nth = 0, pass(s, &e);
    for (e.nth = 0; e.nth < run->nscores; e.nth++)
        e.kind = EVENT_SCORE, pass(s, &e);
    e.nth = 0;
    e.kind = EVENT_END, pass(s, &e);
    s->order = e.order;
}

/* The record of the run, before anything else: what it says decides which rules can hold at all. */
static void pass_record(struct detect_scratch *s, const struct run *run)
{
    uint32_t before = (run->error.len > 0) + (uint32_t)run->nscores;
    for (size_t t = 0; t < run->ntranscripts; t++)
        for (size_t i = 0; i < run->transcripts[t].nmessages; i++) {
            const struct message *m = &run->transcripts[t].messages[i];
            before += 1 + (m->reasoning.len > 0) + (uint32_t)m->ncalls + (m->error.len > 0);
        }
    struct event e = {.kind = EVENT_END, .order = before, .transcript = -1, .message = -1};
    pass(s, &e);
}

/* ---- which events are looked for: rules that cannot hold any more ask for none ------------------------------------- */

enum turn {
    TURN_RECORD,    /* events of the run's record only (ruleset: record) */
    TURN_RUN,       /* all others, but … */
    TURN_LATE,      /* … those that wait for a lead */
    TURN_FINDINGS,
};

static bool is_of_record(const struct event_def *def) { return def->kinds == EVENT_BIT(EVENT_END); }

static bool is_its_turn(const struct event_def *def, enum turn turn)
{
    switch (turn) {
    case TURN_RECORD: return is_of_record(def);
    case TURN_RUN: return !is_of_record(def) && !def->late;
    case TURN_LATE: return def->late;
    case TURN_FINDINGS: return def->kinds & EVENT_BIT(EVENT_FINDING);
    }
    return false;
}

static bool occurs(const struct detect_scratch *s, const struct of *of)
{
    for (size_t i = 0; i < of->n; i++)
        if (s->occurrences[of->defs[i]->index].n)
            return true;
    return false;
}

/* All of them are of the record, and none is there. */
static bool is_missing(const struct detect_scratch *s, const struct of *of)
{
    for (size_t i = 0; i < of->n; i++)
        if (!is_of_record(of->defs[i]))
            return false;
    return of->n && !occurs(s, of);
}

/* As far as the record tells. */
static bool may_hold(const struct detect_scratch *s, const struct cond *cond)
{
    bool any = false;
    switch (cond->type) {
    case COND_ANY:
    case COND_EDGE:
    case COND_REPEAT: return !is_missing(s, &cond->of);
    case COND_COUNT:
    case COND_DISTINCT: return cond->at_least <= 0 || !is_missing(s, &cond->of);
    case COND_ABSENT:
    case COND_RATIO: return !is_missing(s, &cond->other);
    case COND_SEQUENCE:
        for (size_t i = 0; i < cond->nsteps; i++)
            if (!cond->steps[i].negate && is_missing(s, &cond->steps[i].of))
                return false;
        return true;
    case COND_AND:
        for (size_t i = 0; i < cond->nkids; i++)
            if (!may_hold(s, cond->kids[i]))
                return false;
        return true;
    case COND_OR:
        for (size_t i = 0; i < cond->nkids && !any; i++)
            any = may_hold(s, cond->kids[i]);
        return any;
    case COND_NOT: return true;
    }
    return true;
}

/* Whether `except: {run: …}` holds, for all that the rule could find: it captures nothing, and `find` does not speak of it. */
static bool is_excepted(const struct detect_scratch *s, const struct rule *rule)
{
    for (size_t i = 0; i < rule->nexcepts; i++) {
        const struct cond *cond = rule->excepts[i];
        for (size_t k = 0; cond->type == COND_ANY && k < cond->of.n; k++) {
            const struct event_def *def = cond->of.defs[k];
            const struct occurrences *list = &s->occurrences[def->index];
            bool bound = false;
            for (int n = 0; list->n && n < rule->ncaptures; n++)
                bound |= list->items[0].captures[n].ptr != NULL;
            if (is_of_record(def) && def->name.len == 0 && list->n && !bound)
                return true;
        }
    }
    return false;
}

static void turn_on(struct detect_scratch *s, struct event_def *def)
{
    s->on[def->index] = true;
    for (size_t m = 0; m < def->nmatchers; m++) {
        const struct pattern *p = def->matchers[m].pattern;
        if (p) {
            s->wanted[p->index] = true;
            s->classes |= p->needs.n ? p->classes : 0;
        }
    }
    s->busy |= def->kinds;
    for (unsigned rest = def->trigger < 0 ? def->kinds : 0; rest; rest &= rest - 1) {
        int kind = __builtin_ctz(rest);
        s->always[kind][s->nalways[kind]++] = def;
    }
}

static bool is_open(const struct detect_scratch *s, const struct rule *rule)
{
    return rule->find && ruleset_asks(s->rs, rule) && !is_excepted(s, rule) && may_hold(s, rule->find);
}

static void begin_turn(struct detect_scratch *s, enum turn turn)
{
    if (s->ndefs)
        memset(s->on, 0, s->ndefs * sizeof *s->on);
    if (s->npatterns)
        memset(s->wanted, 0, s->npatterns * sizeof *s->wanted);
    memset(s->nalways, 0, sizeof s->nalways);
    s->busy = s->classes = 0;
    for (size_t i = 0; turn == TURN_RECORD && i < s->rs->nrecord; i++)
        turn_on(s, s->rs->record[i]);
    for (size_t i = 0; turn != TURN_RECORD && i < s->rs->n + s->rs->nhelpers; i++) {
        const struct rule *rule = s->rs->rules[i];
        if ((turn == TURN_LATE && !occurs(s, &rule->leads)) || (turn == TURN_FINDINGS && !rule->over_findings) || !is_open(s, rule))
            continue;
        for (size_t k = 0; k < rule->nevents; k++)
            if (is_its_turn(rule->events[k], turn))
                turn_on(s, rule->events[k]);
    }
}

void match_run(struct detect_scratch *s, const struct ruleset *rs, const struct run *run)
{
    arena_reset(&s->arena);
    prepare(s, rs);
    s->run++;
    s->total = 0;
    s->regex_us = 0, s->regex_bytes = 0, s->work = 0;
    s->incomplete = NULL, s->nincomplete = s->incomplete_cap = 0;
    s->view = (struct view){.run = run, .pairs = pairs_make(&s->arena, run), .arena = &s->event_arena};
    for (int kind = 0; kind < EVENT_KINDS; kind++)
        s->always[kind] = arena_alloc(&s->arena, (rs->nalways[kind] + 1) * sizeof *s->always[kind]);
    begin_turn(s, TURN_RECORD);
    pass_record(s, run);
    begin_turn(s, TURN_RUN);
    pass_run(s, run);
    begin_turn(s, TURN_LATE);
    if (s->busy)
        pass_run(s, run);
    view_reset(&s->view);
}

void match_findings(struct detect_scratch *s, const struct findings *found)
{
    struct event e = {.kind = EVENT_FINDING, .order = s->order, .transcript = -1, .message = -1};
    begin_turn(s, TURN_FINDINGS);
    for (size_t i = 0; i < found->n; i++) {
        e.finding = &found->items[i];
        pass(s, &e);
    }
    view_reset(&s->view);
}
