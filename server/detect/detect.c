/* A run in, findings out: the scan, then each rule's conditions, then the detectors that are code. */
#include "detect/match.h"

#include "base/jsonw.h"
#include "detect/det.h"
#include "detect/report.h"
#include "detect/solve.h"

#include <stdlib.h>

enum { FINDINGS_MAX = 50 }; /* of one rule in one run */

struct detect_scratch *detect_scratch_new(void)
{
    struct detect_scratch *s = calloc(1, sizeof *s);
    if (!s || !(s->regex = regex_scratch_new()))
        abort(); /* out of memory */
    s->gramscan = gramscan_best();
    return s;
}

void detect_scratch_free(struct detect_scratch *s)
{
    if (!s)
        return;
    regex_scratch_free(s->regex);
    arena_free(&s->arena);
    arena_free(&s->event_arena);
    free(s->patterns);
    free(s->occurrences);
    free(s->evaluated);
    free(s->hits);
    free(s->on);
    free(s->wanted);
    free(s);
}

struct finding finding_of(struct arena *a, const struct rule *rule)
{
    return (struct finding){
        .detector = arena_dup(a, rule->id),
        .version = arena_dup(a, slice_str(rule->version)),
        .behavior = arena_dup(a, rule->behavior),
        .kind = rule->kind,
        .severity = rule->severity,
        .confidence = rule->confidence,
        .scope = rule->scope,
    };
}

/* ---- what a finding says ----------------------------------------------------------------------------------------- */

struct slice report_fill(struct arena *a, struct slice template, const struct report_value *values, size_t n)
{
    enum { SHOWN_BYTES = 120 };
    struct str out = STR_INIT(1 << 14);
    struct slice piece;
    bool name;
    for (size_t at = 0; template_next(template, &at, &piece, &name);) {
        if (!name) {
            str_add_slice(&out, piece);
            continue;
        }
        struct slice value = slice_str("…");
        for (size_t i = 0; i < n; i++)
            if (slice_eq(values[i].name, piece) && values[i].value.ptr)
                value = values[i].value;
        struct slice cut = slice_cut(value, SHOWN_BYTES);
        for (size_t i = 0; i < cut.len; i++) /* a title is one line */
            str_addc(&out, (unsigned char)cut.ptr[i] < ' ' ? ' ' : cut.ptr[i]);
        if (cut.len < value.len)
            str_addz(&out, "…");
    }
    struct slice filled = arena_dup(a, str_slice(&out));
    str_free(&out);
    return filled;
}

struct slice report_captures(struct arena *a, const struct report_value *values, size_t n)
{
    struct str out = STR_INIT(1 << 16);
    struct jsonw j = jsonw_to(&out);
    jsonw_object(&j);
    for (size_t i = 0; i < n; i++)
        if (values[i].value.ptr) {
            jsonw_key_slice(&j, values[i].name);
            jsonw_str(&j, values[i].value);
        }
    jsonw_end(&j);
    struct slice text = arena_dup(a, str_slice(&out));
    str_free(&out);
    return text;
}

static bool same_place(const struct evidence *a, const struct evidence *b)
{
    return a->transcript == b->transcript && a->message == b->message && a->start == b->start && a->end == b->end &&
           slice_eq(a->part, b->part);
}

static void copy_evidence(struct arena *a, struct finding *f, const struct evidence *from)
{
    for (size_t i = 0; i < f->nevidence; i++)
        if (same_place(&f->evidence[i], from))
            return;
    if (f->nevidence == SHOWN)
        return;
    if (!f->evidence)
        f->evidence = arena_array(a, struct evidence, SHOWN);
    f->evidence[f->nevidence++] = *from;
}

static void add_evidence(struct arena *a, const struct run *run, struct finding *f, struct span span)
{
    struct evidence e;
    if (f->nevidence < SHOWN && span_evidence(a, run, span, &e))
        copy_evidence(a, f, &e);
}

static void add_occurrence(struct arena *a, const struct run *run, struct finding *f, const struct occurrence *o)
{
    for (size_t i = 0; o->finding && i < o->finding->nevidence; i++)
        copy_evidence(a, f, &o->finding->evidence[i]);
    if (o->finding)
        return;
    for (size_t i = 0; i < o->nspans; i++)
        add_evidence(a, run, f, span_whole_words(run, o->spans[i])); /* a pattern may match a part of one */
    if (o->nspans)
        return;
    struct event e = {.kind = o->kind, .transcript = o->transcript, .message = o->message, .nth = o->nth};
    if (o->transcript >= 0)
        e.m = &run->transcripts[o->transcript].messages[o->message];
    struct span span;
    if (event_span(run, &e, &span))
        add_evidence(a, run, f, span);
}

/* ---- a rule's solutions → findings: one for each different set of captures --------------------------------------- */

static bool same_visible(const struct rule *rule, const struct slice *a, const struct slice *b)
{
    for (int i = 0; i < rule->ncaptures; i++)
        if (!rule->captures[i].hidden && ((a[i].ptr != NULL) != (b[i].ptr != NULL) || !slice_eq(a[i], b[i])))
            return false;
    return true;
}

static void report_solution(const struct rule *rule, const struct run *run, const struct solutions *ways, size_t first,
                            struct arena *a, struct findings *out)
{
    struct finding made = finding_of(a, rule);
    const struct slice *captures = ways->items[first].captures;
    uint64_t count = 0;
    for (size_t i = first; i < ways->n; i++) {
        if (!same_visible(rule, captures, ways->items[i].captures))
            continue;
        count += ways->items[i].count;
        for (size_t k = 0; k < ways->items[i].nshows; k++)
            add_occurrence(a, run, &made, ways->items[i].shows[k]);
    }
    struct span last;
    if (!made.nevidence && span_last(run, &last)) /* of what is not there, or is no part of the transcript */
        add_evidence(a, run, &made, last);
    if (!made.nevidence)
        return;
    struct report_value values[CAPTURES_MAX + 1];
    size_t n = 0;
    for (int i = 0; i < rule->ncaptures; i++)
        if (!rule->captures[i].hidden)
            values[n++] = (struct report_value){rule->captures[i].name, slice_trim(captures[i])};
    made.captures = report_captures(a, values, n);
    values[n++] = (struct report_value){slice_str("count"), arena_printf(a, "%llu", (unsigned long long)count)};
    made.title = report_fill(a, rule->title, values, n);
    made.message = report_fill(a, rule->message.ptr ? rule->message : rule->why, values, n);
    *findings_add(a, out) = made;
}

static int by_place(const void *a, const void *b)
{
    const struct evidence *p = ((const struct finding *)a)->evidence, *q = ((const struct finding *)b)->evidence;
    /* Fields of the run (-1) come after its messages. */
    uint32_t x[] = {(uint32_t)p->transcript, (uint32_t)p->message, p->start, p->end},
             y[] = {(uint32_t)q->transcript, (uint32_t)q->message, q->start, q->end};
    for (int i = 0; i < 4; i++)
        if (x[i] != y[i])
            return x[i] < y[i] ? -1 : 1;
    return slice_cmp(((const struct finding *)a)->captures, ((const struct finding *)b)->captures);
}

static void sort_from(struct findings *list, size_t from)
{
    if (list->n > from)
        qsort(list->items + from, list->n - from, sizeof *list->items, by_place);
}

static void detect_rule(struct detect_scratch *s, const struct rule *rule, const struct run *run, struct arena *a,
                        struct findings *out)
{
    struct solutions ways = {0};
    solve_rule(s, rule, &ways);
    size_t from = out->n;
    for (size_t i = 0; i < ways.n; i++) {
        bool told = false;
        for (size_t k = 0; k < i && !told; k++)
            told = same_visible(rule, ways.items[k].captures, ways.items[i].captures);
        if (told)
            continue;
        if (out->n - from == FINDINGS_MAX) {
            match_incomplete(s, rule->id, "more than 50 different findings in one run; the rest is left out");
            break;
        }
        report_solution(rule, run, &ways, i, a, out);
    }
    sort_from(out, from);
}

/* ---- detectors that are code ------------------------------------------------------------------------------------- */

void det_report(struct det_run *d, const char *title, const char *capture, struct slice value, const struct span *spans, size_t n)
{
    struct arena *a = d->arena;
    struct report_value about = {slice_str(capture), value};
    struct finding made = finding_of(a, d->rule);
    made.title = report_fill(a, title ? slice_str(title) : d->rule->title, &about, capture ? 1 : 0);
    made.message = report_fill(a, d->rule->message.ptr ? d->rule->message : d->rule->why, &about, capture ? 1 : 0);
    made.captures = report_captures(a, &about, capture ? 1 : 0);
    for (size_t i = 0; i < n; i++)
        add_evidence(a, d->run, &made, spans[i]);
    if (made.nevidence)
        *findings_add(a, d->findings) = made;
}

void det_incomplete(struct det_run *d, const char *reason)
{
    match_incomplete(d->of, d->rule->id, reason);
}

static void detect_code(struct detect_scratch *s, const struct rule *rule, const struct run *run, struct arena *a, struct findings *out)
{
    arena_reset(&s->event_arena);
    struct det_run d = {.run = run,
                        .pairs = s->view.pairs,
                        .shared = &s->shared,
                        .scratch = &s->event_arena,
                        .arena = a,
                        .findings = out,
                        .rule = rule,
                        .of = s};
    size_t from = out->n;
    rule->code->run(&d);
    if (out->n - from > FINDINGS_MAX) {
        match_incomplete(s, rule->id, "more than 50 different findings in one run; the rest is left out");
        out->n = from + FINDINGS_MAX;
    }
    sort_from(out, from);
}

/* The rules from `from` to `to` that look at a run: those over findings, or those that make them. */
static void detect_rules(struct detect_scratch *s, const struct ruleset *rs, size_t from, size_t to, bool over_findings, const struct run *run,
                         struct arena *a, struct findings *out)
{
    for (size_t i = from; i < to; i++) {
        const struct rule *rule = rs->rules[i];
        if (!ruleset_asks(rs, rule) || rule->scope != SCOPE_RUN || rule->over_findings != over_findings)
            continue;
        if (rule->code)
            detect_code(s, rule, run, a, out);
        else
            detect_rule(s, rule, run, a, out);
    }
}

static bool any_over_findings(const struct ruleset *rs)
{
    for (size_t i = 0; i < rs->n; i++)
        if (ruleset_asks(rs, rs->rules[i]) && rs->rules[i]->over_findings)
            return true;
    return false;
}

static int by_detector(const void *a, const void *b)
{
    const struct finding *p = a, *q = b;
    int c = slice_cmp(p->detector, q->detector);
    return c ? c : by_place(a, b);
}

void detect_run(const struct ruleset *rs, struct detect_scratch *s, const struct run *run, struct arena *a,
                struct detect_result *out)
{
    *out = (struct detect_result){0};
    match_run(s, rs, run);
    s->shared = (struct det_shared){.arena = &s->arena};
    detect_rules(s, rs, 0, rs->n, false, run, a, &out->findings);
    if (any_over_findings(rs)) {
        struct findings all = {0};
        for (size_t i = 0; i < out->findings.n; i++)
            *findings_add(a, &all) = out->findings.items[i];
        detect_rules(s, rs, rs->n, rs->n + rs->nhelpers, false, run, a, &all);
        match_findings(s, &all);
        detect_rules(s, rs, 0, rs->n, true, run, a, &out->findings);
        if (out->findings.n)
            qsort(out->findings.items, out->findings.n, sizeof *out->findings.items, by_detector);
    }
    out->nincomplete = s->nincomplete;
    out->incomplete = arena_array(a, struct incomplete, s->nincomplete + 1);
    for (size_t i = 0; i < s->nincomplete; i++)
        out->incomplete[i] = (struct incomplete){arena_dup(a, s->incomplete[i].detector), arena_dup(a, s->incomplete[i].reason)};
}
