/* The queue of calls: who is sent when, and what becomes of it. Time is patience's, the wire is wire's, meaning is verdict's. */
#include "llm/llm.h"

#include "base/clock.h"
#include "base/hash.h"
#include "llm/connect.h"
#include "llm/verdict.h"

#include <stdlib.h>

enum { TRIES = 5, BACKOFF_MS = 500, OUTAGE_MS = 60000, GARBLED_MOST = 2 };

struct call {
    uint64_t tag;
    struct slice body;         /* malloc'd */
    struct slice edited;       /* malloc'd: the body without what the server does not take; absent: as it is */
    char key[2 * HASH_SIZE + 1];
    unsigned without;          /* of what the last try went without */
    struct attempt attempt;
    int sent, unsettled, garbled, status;
    bool billed;               /* the last try may have been billed though no whole answer came */
    enum llm_outcome outcome;  /* of the last try … */
    char why[600];             /* … and what it ended with, if the call ends before another one */
    struct call *next;
};

struct llm {
    struct llm_model model;
    struct llm_options options;
    struct slice secret;       /* malloc'd; cleared at the end */
    struct arena strings;      /* the model's */
    struct wire *wire;
    struct patience patience;
    struct call *first, **last;            /* never sent yet, in their order */
    struct call **later;                   /* a heap by when they may be sent again */
    size_t nlater, later_cap, nfirst;
    struct call *stopped;                  /* ended, not yet given */
    struct call **flying;
    int in_flight;
    unsigned without;
    bool dead;
    char why[600];                         /* of down or dead */
    uint64_t sent, answered, retried;
    struct arena scratch;
};

const char *llm_outcome_name(enum llm_outcome outcome)
{
    static const char *const names[] = {[LLM_ANSWERED] = "answered", [LLM_CUT] = "cut", [LLM_DECLINED] = "declined", [LLM_GARBLED] = "garbled",
                                        [LLM_REJECTED] = "rejected", [LLM_FAILED] = "failed", [LLM_STOPPED] = "stopped"};
    return names[outcome];
}

static struct slice copy_bytes(struct slice s)
{
    char *copy = malloc(s.len + 1);
    if (!copy)
        abort();
    memcpy(copy, s.ptr ? s.ptr : "", s.len);
    copy[s.len] = 0;
    return slice_of(copy, s.len);
}

static void note(char *out, size_t room, struct slice words)
{
    words = slice_cut(words, room - 1);
    memcpy(out, words.ptr ? words.ptr : "", words.len);
    out[words.len] = 0;
}

/* ---- opening --------------------------------------------------------------------------------------------------------- */

bool llm_open(const struct llm_model *model, struct slice secret, const struct llm_options *options, struct llm **out, struct err *e)
{
    struct llm *l = calloc(1, sizeof *l);
    if (!l)
        abort();
    struct llm_options o = options ? *options : (struct llm_options){0};
    o.tries = o.tries > 0 ? o.tries : TRIES;
    o.backoff_ms = o.backoff_ms > 0 ? o.backoff_ms : BACKOFF_MS;
    o.outage_ms = o.outage_ms > 0 ? o.outage_ms : OUTAGE_MS;
    o.reply_max = o.reply_max ? o.reply_max : CONNECT_REPLY_MAX;
    l->model = connect_bounded(model);
    l->wire = connect_to(&l->model, secret, api_of(model->api)->path, o.reply_max, &l->strings, e);
    if (!l->wire) {
        arena_free(&l->strings);
        free(l);
        return false;
    }
    l->options = o;
    l->model.name = arena_dup(&l->strings, model->name);
    l->model.url = arena_dup(&l->strings, model->url);
    l->model.model = arena_dup(&l->strings, model->model);
    l->model.key = arena_dup(&l->strings, model->key);
    l->secret = secret.ptr ? copy_bytes(secret) : SLICE_NONE;
    l->last = &l->first;
    l->flying = calloc((size_t)l->model.concurrency, sizeof(struct call *));
    if (!l->flying)
        abort();
    patience_start(&l->patience, o.tries, l->model.concurrency, o.backoff_ms * 1000, o.outage_ms * 1000, (uint64_t)clock_now_us());
    *out = l;
    return true;
}

static void free_call(struct call *c)
{
    free((char *)c->body.ptr);
    free((char *)c->edited.ptr);
    free(c);
}

void llm_close(struct llm *l)
{
    if (!l)
        return;
    llm_stop(l);
    while (l->stopped) {
        struct call *c = l->stopped;
        l->stopped = c->next;
        free_call(c);
    }
    wire_close(l->wire);
    if (l->secret.ptr)
        explicit_bzero((char *)l->secret.ptr, l->secret.len);
    free((char *)l->secret.ptr);
    free(l->later);
    free(l->flying);
    arena_free(&l->scratch);
    arena_free(&l->strings);
    free(l);
}

/* ---- who waits ----------------------------------------------------------------------------------------------------------- */

static void stop_call(struct llm *l, struct call *c, const char *why)
{
    c->outcome = LLM_STOPPED;
    note(c->why, sizeof c->why, slice_str(why));
    c->next = l->stopped;
    l->stopped = c;
}

void llm_send(struct llm *l, uint64_t tag, const struct llm_prompt *prompt)
{
    struct call *c = calloc(1, sizeof *c);
    if (!c)
        abort();
    c->tag = tag;
    c->body = copy_bytes(prompt->body);
    hash_hex(prompt->key, HASH_SIZE, c->key);
    if (l->dead) {
        stop_call(l, c, l->why);
        return;
    }
    *l->last = c;
    l->last = &c->next;
    l->nfirst++;
}

static void swap(struct llm *l, size_t i, size_t k)
{
    struct call *c = l->later[i];
    l->later[i] = l->later[k];
    l->later[k] = c;
}

static void add_later(struct llm *l, struct call *c)
{
    if (l->nlater == l->later_cap) {
        l->later_cap = l->later_cap ? 2 * l->later_cap : 16;
        l->later = realloc(l->later, l->later_cap * sizeof(struct call *));
        if (!l->later)
            abort();
    }
    size_t i = l->nlater++;
    l->later[i] = c;
    for (; i && l->later[(i - 1) / 2]->attempt.ready > l->later[i]->attempt.ready; i = (i - 1) / 2)
        swap(l, i, (i - 1) / 2);
}

static struct call *take_later(struct llm *l)
{
    struct call *top = l->later[0];
    l->later[0] = l->later[--l->nlater];
    for (size_t i = 0;;) {
        size_t least = i;
        for (size_t k = 2 * i + 1; k <= 2 * i + 2 && k < l->nlater; k++)
            least = l->later[k]->attempt.ready < l->later[least]->attempt.ready ? k : least;
        if (least == i)
            return top;
        swap(l, i, least);
        i = least;
    }
}

static struct call *take_first(struct llm *l)
{
    struct call *c = l->first;
    if (!c)
        return NULL;
    l->first = c->next;
    l->last = l->first ? l->last : &l->first;
    l->nfirst--;
    c->next = NULL;
    return c;
}

/* Who has waited out a pause comes before who was never sent. In an outage pauses are the outage's own. */
static struct call *take_next(struct llm *l, int64_t now)
{
    return l->nlater && (l->later[0]->attempt.ready <= now || l->patience.down) ? take_later(l) : take_first(l);
}

void llm_stop(struct llm *l)
{
    const char *why = l->dead ? l->why : "stopped before it was answered";
    for (int i = 0; i < l->model.concurrency; i++) {
        struct call *c = l->flying[i];
        if (!c)
            continue;
        c->unsettled += wire_drop(l->wire, c);
        l->flying[i] = NULL;
        l->in_flight--;
        stop_call(l, c, why);
    }
    for (struct call *c; l->nlater && (c = take_later(l));)
        stop_call(l, c, why);
    for (struct call *c; (c = take_first(l));)
        stop_call(l, c, why);
}

/* ---- what ends ------------------------------------------------------------------------------------------------------------- */

struct results {
    struct arena *a;
    struct llm_done *items;
    size_t n, cap;
};

static atomic_ullong ended[LLM_OUTCOMES]; /* of the whole program */

uint64_t llm_ended(enum llm_outcome outcome) { return atomic_load_explicit(&ended[outcome], memory_order_relaxed); }

static void give(struct results *results, struct call *c, const struct llm_reply *reply)
{
    results->items = arena_grow(results->a, results->items, results->n, &results->cap, sizeof *results->items);
    struct llm_done *done = &results->items[results->n++];
    *done = (struct llm_done){.tag = c->tag, .reply = *reply};
    done->reply.tries = c->sent;
    done->reply.unsettled = c->unsettled;
    done->reply.took_us = c->attempt.first ? clock_monotonic_us() - c->attempt.first : 0;
    atomic_fetch_add_explicit(&ended[reply->outcome], 1, memory_order_relaxed);
    free_call(c);
}

/* Ends a call with what its last try left. */
static void give_up(struct results *results, struct call *c)
{
    struct llm_reply reply = {.outcome = c->outcome, .status = c->status, .tokens_in = -1, .tokens_out = -1, .tokens_cached = -1};
    reply.error = arena_dup(results->a, slice_str(c->why));
    give(results, c, &reply);
}

static void give_stopped(struct llm *l, struct results *results)
{
    while (l->stopped) {
        struct call *c = l->stopped;
        l->stopped = c->next;
        give_up(results, c);
    }
}

static struct llm_reply kept(const struct llm_reply *reply, struct arena *a)
{
    struct llm_reply r = *reply;
    r.text = arena_dup(a, r.text);
    r.finish_reason = arena_dup(a, r.finish_reason);
    r.error = arena_dup(a, r.error);
    r.raw = arena_dup(a, r.raw);
    r.tokens = r.ntokens ? arena_array(a, struct llm_token, r.ntokens) : NULL;
    for (size_t i = 0; i < r.ntokens; i++) {
        struct llm_token *t = &r.tokens[i];
        *t = reply->tokens[i];
        t->text = arena_dup(a, t->text);
        t->top = arena_zalloc(a, t->ntop ? t->ntop : 1, sizeof *t->top);
        for (size_t k = 0; k < t->ntop; k++) {
            t->top[k].text = arena_dup(a, reply->tokens[i].top[k].text);
            t->top[k].logprob = reply->tokens[i].top[k].logprob;
        }
    }
    return r;
}

static void die(struct llm *l, struct slice why)
{
    l->dead = true;
    note(l->why, sizeof l->why, why);
    for (struct call *c; l->nlater && (c = take_later(l));)
        stop_call(l, c, l->why);
    for (struct call *c; (c = take_first(l));)
        stop_call(l, c, l->why);
}

/* The try may be repeated without what the server does not take; nothing was wrong with the call. */
static void go_without(struct llm *l, struct call *c, unsigned bit)
{
    l->without |= bit;
    c->attempt.ready = 0;
    patience_answered(&l->patience, clock_monotonic_us());
    add_later(l, c);
}

static void finish(struct call *c, const struct verdict *v, struct results *results)
{
    struct llm_reply reply = kept(&v->reply, results->a);
    c->unsettled += v->unsettled;
    give(results, c, &reply);
}

static void judge(struct llm *l, struct call *c, const struct verdict *v, struct results *results)
{
    int64_t now = clock_monotonic_us();
    c->outcome = v->reply.outcome;
    c->status = v->reply.status;
    note(c->why, sizeof c->why, v->reply.error);
    switch (v->kind) {
    case VERDICT_ENDS:
        patience_answered(&l->patience, now);
        l->answered += v->reply.outcome != LLM_REJECTED;
        finish(c, v, results);
        return;
    case VERDICT_WITHOUT:
        c->billed = false;
        if (c->without & v->without) { /* it went without that already */
            c->outcome = LLM_REJECTED;
            give_up(results, c);
        } else {
            go_without(l, c, v->without);
        }
        return;
    case VERDICT_DEAD:
        if (!l->dead)
            die(l, v->reply.error);
        finish(c, v, results);
        return;
    case VERDICT_GARBLED:
    case VERDICT_AGAIN: break;
    }
    bool more = patience_failed(&l->patience, &c->attempt, &v->failure, now) && !(v->kind == VERDICT_GARBLED && ++c->garbled >= GARBLED_MOST);
    if (l->patience.down && !l->dead)
        note(l->why, sizeof l->why, v->reply.error);
    if (!more) {
        finish(c, v, results);
        return;
    }
    c->billed = v->unsettled || v->kind == VERDICT_GARBLED;
    c->unsettled += c->billed;
    if (l->dead)
        stop_call(l, c, l->why);
    else
        add_later(l, c);
}

static void collect(struct llm *l, struct results *results)
{
    struct wire_done done;
    while (wire_next(l->wire, &done)) {
        struct call *c = done.call;
        struct verdict v;
        for (int i = 0; i < l->model.concurrency; i++)
            l->flying[i] = l->flying[i] == c ? NULL : l->flying[i];
        l->in_flight--;
        verdict_make(&l->model, &done, l->secret, l->answered > 0, &l->scratch, &v);
        judge(l, c, &v, results);
        arena_reset(&l->scratch);
    }
}

/* ---- sending --------------------------------------------------------------------------------------------------------------- */

static void start(struct llm *l, struct call *c, int64_t now)
{
    int place = 0;
    while (l->flying[place])
        place++;
    if (l->without != c->without) {
        free((char *)c->edited.ptr);
        struct slice edited = api_body_without(api_of(l->model.api), c->body, l->without, &l->scratch);
        c->edited = edited.ptr == c->body.ptr ? SLICE_NONE : copy_bytes(edited);
        arena_reset(&l->scratch);
    }
    c->without = l->without;
    l->retried += c->sent > 0;
    l->flying[place] = c;
    l->in_flight++;
    l->sent++;
    c->sent++;
    patience_sent(&l->patience, &c->attempt, now);
    wire_start(l->wire, c, c->edited.ptr ? c->edited : c->body, c->key);
}

static void start_all(struct llm *l, struct results *results)
{
    int64_t now = clock_monotonic_us();
    while (!l->dead && l->in_flight < l->model.concurrency && patience_may_send(&l->patience, l->in_flight, now)) {
        struct call *c = take_next(l, now);
        if (!c)
            return;
        if (c->sent && l->options.again && !l->options.again(l->options.ctx, c->tag, c->billed))
            give_up(results, c);
        else
            start(l, c, now);
    }
}

static int pause_ms(const struct llm *l, int64_t until)
{
    int64_t now = clock_monotonic_us(), wake = patience_wake(&l->patience, now);
    if (l->nlater && l->later[0]->attempt.ready > now && l->later[0]->attempt.ready < wake)
        wake = l->later[0]->attempt.ready;
    wake = wake < until ? wake : until;
    return wake > now ? (int)((wake - now + 999) / 1000) : 0;
}

size_t llm_poll(struct llm *l, int wait_ms, struct arena *a, struct llm_done **out)
{
    struct results results = {.a = a};
    int64_t until = clock_monotonic_us() + (int64_t)wait_ms * 1000;
    do {
        give_stopped(l, &results);
        start_all(l, &results);
        wire_work(l->wire, results.n ? 0 : pause_ms(l, until));
        collect(l, &results);
    } while (!results.n && !l->stopped && clock_monotonic_us() < until);
    give_stopped(l, &results);
    start_all(l, &results);
    wire_work(l->wire, 0);
    *out = results.items;
    return results.n;
}

void llm_state(const struct llm *l, struct llm_state *out)
{
    const struct patience *p = &l->patience;
    *out = (struct llm_state){.in_flight = (size_t)l->in_flight, .waiting = l->nfirst + l->nlater, .down = p->down && !l->dead, .dead = l->dead,
                              .sent = l->sent, .answered = l->answered, .retried = l->retried};
    if (out->down) {
        out->down_since = p->down_since;
        out->next_try = p->next_probe == INT64_MAX ? clock_monotonic_us() : p->next_probe > p->hold ? p->next_probe : p->hold;
    }
    if (out->down || out->dead)
        out->why = slice_str(l->why);
}
