#include "ingest/fmt_calls.h"

#include <stdlib.h>

/* Every prefix of every conversation has a hash that is made from that of the prefix before it; the index knows the conversation
 * that was the first to have it. A prefix is the whole of at most one conversation: one that ended where another already had been
 * would have been its repetition. So a call costs a hash of what it holds and a look for each of its messages. */

struct digest {
    unsigned char bytes[HASH_SIZE];
};

struct prefix {
    struct digest digest;
    uint32_t conversation;          /* from 1; 0: a free slot */
    size_t length;                  /* in messages of that conversation */
};

/* What is being read: the hash so far, and the calls that results may answer. */
struct reading {
    struct digest so_far;
    const struct message *asked;    /* the last message with calls */
    size_t answered;                /* how many results came since */
};

struct calls_index {
    struct prefix *slots;
    size_t n, size;                 /* size is a power of two */
    struct reading *ends;           /* of each conversation */
    size_t ends_cap;
};

/* ---- what makes messages equal ------------------------------------------------------------------------------------------ */

static int compare_digests(const void *a, const void *b) { return memcmp(a, b, HASH_SIZE); }

static void add_digest(struct hash *h, const struct digest *d) { hash_add(h, slice_of((const char *)d->bytes, HASH_SIZE)); }

/* Of a value, whatever the order of its members and however its text is escaped. Deep as jread() lets it be. */
static void hash_value(struct arena *scratch, const struct jvalue *v, struct digest *out)
{
    struct hash h;
    int64_t number;
    hash_start(&h);
    hash_add(&h, slice_of((const char[]){(char)v->type}, 1));
    if (jint(v, &number)) {
        hash_add(&h, slice_of((const char *)&number, sizeof number));
    } else if (v->type == J_ARRAY || v->type == J_OBJECT) {
        struct digest *children = arena_array(scratch, struct digest, v->n);
        for (size_t i = 0; i < v->n; i++) {
            hash_value(scratch, &v->items[i], &children[i]);
            if (v->type == J_OBJECT) {
                struct hash member;
                hash_start(&member);
                hash_add_framed(&member, v->keys[i]);
                add_digest(&member, &children[i]);
                hash_end(&member, children[i].bytes);
            }
        }
        if (v->type == J_OBJECT && v->n)
            qsort(children, v->n, sizeof *children, compare_digests);
        hash_add(&h, slice_of((const char *)children, v->n * sizeof *children));
    } else if (v->text.ptr) {
        hash_add(&h, v->text);
    }
    hash_end(&h, out->bytes);
}

static void hash_arguments(const struct tool_call *call, struct digest *out)
{
    struct arena scratch = {0};
    struct jvalue *v;
    struct err e = {0};
    struct slice text = call->arguments.ptr ? call->arguments : slice_str("{}");
    if (!call->parse_error.ptr && jread(&scratch, text, NULL, NULL, &v, &e))
        hash_value(&scratch, v, out);
    else
        hash_of(text, out->bytes);
    arena_free(&scratch);
}

/* Which call a result answers: ids are made anew when a message is sent again, so its place counts. It is looked for from the place
 * of the last answer on, and not far. */
static uint64_t place_of(struct reading *r, struct slice id)
{
    enum { FAR = 256 };
    size_t n = r->asked ? r->asked->ncalls : 0, from = r->answered++;
    for (size_t i = 0; id.ptr && i < n && i < FAR; i++) {
        size_t place = (from + i) % n;
        if (slice_eq(r->asked->calls[place].call_id, id))
            return place;
    }
    return from;
}

static void add_piece(struct reading *r, const char *kind, struct slice text, const void *more, size_t size)
{
    struct hash h;
    hash_start(&h);
    add_digest(&h, &r->so_far);
    hash_add(&h, slice_of(kind, 1));
    hash_add_framed(&h, text);
    hash_add(&h, slice_of(more, size));
    hash_end(&h, r->so_far.bytes);
}

/* Its text and its calls are pieces of their own, so that an answer of several messages is the same as the one message that is sent
 * back for it. White space around a text is often lost on the way. */
static void add_message(struct reading *r, const struct message *m)
{
    static const char *const kinds[] = {[ROLE_SYSTEM] = "s", [ROLE_USER] = "u", [ROLE_ASSISTANT] = "a", [ROLE_TOOL] = "t"};
    struct slice text = slice_trim(m->text);
    if (m->role == ROLE_TOOL) {
        uint64_t place = place_of(r, m->tool_call_id);
        add_piece(r, kinds[m->role], text, &place, sizeof place);
    } else if (text.len || (!m->ncalls && !m->nblobs)) {
        add_piece(r, kinds[m->role], text, NULL, 0);
    }
    for (size_t i = 0; i < m->nblobs; i++)
        add_piece(r, "b", m->blobs[i].url, m->blobs[i].sha256, SHA256_SIZE);
    for (size_t i = 0; i < m->ncalls; i++) {
        struct digest arguments;
        hash_arguments(&m->calls[i], &arguments);
        add_piece(r, "c", m->calls[i].name, arguments.bytes, HASH_SIZE);
    }
    if (m->ncalls) {
        r->asked = m;
        r->answered = 0;
    }
}

/* ---- the index ---------------------------------------------------------------------------------------------------------- */

static struct prefix *slot_of(const struct calls_index *index, const struct digest *digest)
{
    size_t i;
    memcpy(&i, digest->bytes, sizeof i);
    for (;; i++) {
        struct prefix *slot = &index->slots[i & (index->size - 1)];
        if (!slot->conversation || compare_digests(slot->digest.bytes, digest->bytes) == 0)
            return slot;
    }
}

static void index_reserve(struct conversations *list, size_t more)
{
    struct calls_index *index = list->index ? list->index : (list->index = arena_new(list->a, struct calls_index));
    struct calls_index bigger = *index;
    bigger.size = bigger.size ? bigger.size : 64;
    while (bigger.size / 2 < index->n + more)
        bigger.size *= 2;
    if (bigger.size == index->size)
        return;
    bigger.slots = arena_array(list->a, struct prefix, bigger.size);
    for (size_t i = 0; i < index->size; i++)
        if (index->slots[i].conversation)
            *slot_of(&bigger, &index->slots[i].digest) = index->slots[i];
    *index = bigger;
}

/* What has the digest now has it for good. */
static void index_add(struct calls_index *index, const struct digest *digest, size_t conversation, size_t length)
{
    struct prefix *p = slot_of(index, digest);
    if (p->conversation)
        return;
    *p = (struct prefix){.digest = *digest, .conversation = (uint32_t)conversation + 1, .length = length};
    index->n++;
}

/* ---- windows ------------------------------------------------------------------------------------------------------------ */

bool calls_same_arguments(const struct tool_call *a, const struct tool_call *b)
{
    struct digest x, y;
    if (slice_eq(a->arguments, b->arguments))
        return true;
    hash_arguments(a, &x);
    hash_arguments(b, &y);
    return compare_digests(&x, &y) == 0;
}

static bool same_words(const struct message *a, const struct message *b)
{
    return a->role == b->role && a->nblobs == b->nblobs && slice_eq(slice_trim(a->text), slice_trim(b->text));
}

/* Some loggers leave the calls out of what is sent again. */
static bool same_calls(const struct message *sent, const struct message *said)
{
    bool same = !sent->ncalls || sent->ncalls == said->ncalls;
    for (size_t i = 0; i < sent->ncalls && same; i++)
        same = slice_eq(sent->calls[i].name, said->calls[i].name) && calls_same_arguments(&sent->calls[i], &said->calls[i]);
    return same;
}

/* Are the first `n` sent the last that were said? Not where they show no answer of the model, which two conversations hardly
 * share. */
static bool is_end(const struct message *sent, size_t n, const struct messages *said)
{
    bool answer = false;
    for (size_t i = 0; i < n; i++) {
        if (!same_calls(&sent[i], &said->items[said->n - n + i]))
            return false;
        answer |= sent[i].role == ROLE_ASSISTANT;
    }
    return answer;
}

/* How many of the first `n` messages are the last ones that were said: found by their words as Knuth, Morris and Pratt look for a
 * text, so that nothing is compared often. */
static size_t find_overlap(struct arena *scratch, const struct message *sent, size_t n, const struct messages *said)
{
    enum { TRIED = 8 };
    size_t *border = arena_array(scratch, size_t, n + 1), k = 0, from = said->n > n ? said->n - n : 0;
    for (size_t i = 1; i < n; i++) {
        while (k && !same_words(&sent[i], &sent[k]))
            k = border[k];
        k += same_words(&sent[i], &sent[k]);
        border[i + 1] = k;
    }
    k = 0;
    for (size_t i = from; i < said->n; i++) {
        while (k && (k == n || !same_words(&said->items[i], &sent[k])))
            k = border[k];
        k += k < n && same_words(&said->items[i], &sent[k]);
    }
    for (int i = 0; i < TRIED && k; i++, k = border[k])
        if (is_end(sent, k, said))
            return k;
    return 0;
}

/* A window that moves on: the same system prompt, if any, and then the end of the latest conversation. `known`: how much of it
 * was said. */
static bool is_window(struct arena *scratch, const struct messages *sent, const struct conversation *latest, size_t *known)
{
    const struct messages *said = &latest->messages;
    size_t head = 0;
    while (head < sent->n && sent->items[head].role == ROLE_SYSTEM) {
        if (head == said->n || !same_words(&sent->items[head], &said->items[head]))
            return false;
        head++;
    }
    size_t overlap = head < sent->n ? find_overlap(scratch, sent->items + head, sent->n - head, said) : 0;
    *known = overlap ? head + overlap : 0;
    return overlap > 0;
}

/* ---- calls -------------------------------------------------------------------------------------------------------------- */

static struct conversation *begin(struct conversations *list, const struct model_call *call, const struct digest *lane)
{
    struct calls_index *index = list->index;
    list->items = arena_grow(list->a, list->items, list->n, &list->cap, sizeof *list->items);
    index->ends = arena_grow(list->a, index->ends, list->n, &index->ends_cap, sizeof *index->ends);
    index->ends[list->n] = (struct reading){.so_far = *lane};
    list->items[list->n] = (struct conversation){
        .id = arena_printf(list->a, "%zu", list->n + 1), .name = call->name, .parent = call->parent, .lane = call->lane,
    };
    return &list->items[list->n++];
}

static void append(struct conversations *list, struct conversation *c, const struct messages *from, size_t first)
{
    size_t number = (size_t)(c - list->items), before = c->messages.n;
    struct reading *end = &list->index->ends[number];
    if (!before && !first)
        c->messages = *from;
    else
        for (size_t i = first; i < from->n; i++)
            *messages_add(list->a, &c->messages) = from->items[i];
    for (size_t i = before; i < c->messages.n; i++) {
        add_message(end, &c->messages.items[i]);
        index_add(list->index, &end->so_far, number, i + 1);
    }
}

/* digests[k]: of the first k messages of what was sent and then of the answer. */
static struct digest *hash_call(struct arena *scratch, const struct model_call *call)
{
    struct digest *digests = arena_array(scratch, struct digest, call->sent.n + call->answer.n + 1);
    struct reading r = {0};
    size_t n = 0;
    hash_of(call->lane, r.so_far.bytes);
    digests[n++] = r.so_far;
    for (size_t i = 0; i < call->sent.n; i++, digests[n++] = r.so_far)
        add_message(&r, &call->sent.items[i]);
    for (size_t i = 0; i < call->answer.n; i++, digests[n++] = r.so_far)
        add_message(&r, &call->answer.items[i]);
    return digests;
}

/* The conversation that is whole after the first k messages of the call, for the largest k; NULL: none. */
static struct conversation *find_whole(struct conversations *list, const struct digest *digests, size_t sent, size_t *k)
{
    for (*k = sent + 1; (*k)-- > 0;) {
        const struct prefix *p = slot_of(list->index, &digests[*k]);
        struct conversation *c = p->conversation ? &list->items[p->conversation - 1] : NULL;
        if (c && p->length == c->messages.n)
            return c;
    }
    *k = 0;
    return NULL;
}

/* The conversation that the call goes on with; NULL: none. `known`: how many of the messages sent are in it. */
static struct conversation *find_conversation(struct conversations *list, struct arena *scratch, const struct model_call *call,
                                              const struct digest *digests, size_t *known)
{
    const struct prefix *lane = slot_of(list->index, &digests[0]); /* it leads to the latest */
    struct conversation *latest = lane->conversation ? &list->items[lane->conversation - 1] : NULL, *c = NULL;
    *known = 0;
    if (call->follows && latest)
        return latest;
    if ((c = find_whole(list, digests, call->sent.n, known)))
        return c;
    return latest && is_window(scratch, &call->sent, latest, known) ? latest : NULL;
}

struct conversation *calls_add(struct conversations *list, const struct model_call *call, size_t *first_answer)
{
    struct arena scratch = {0};
    size_t all = call->sent.n + call->answer.n, known, answer = 0;
    const struct digest *digests = hash_call(&scratch, call);
    index_reserve(list, 2 * all + 1);
    const struct prefix *there = slot_of(list->index, &digests[all]);
    struct conversation *c = NULL;
    if (there->conversation && !call->follows) {
        c = &list->items[there->conversation - 1];
        answer = there->length > call->answer.n ? there->length - call->answer.n : 0;
    } else if ((c = find_conversation(list, &scratch, call, digests, &known)) || !call->extends) {
        if (!c)
            c = begin(list, call, &digests[0]);
        size_t before = c->messages.n, number = (size_t)(c - list->items);
        append(list, c, &call->sent, known);
        answer = c->messages.n;
        append(list, c, &call->answer, 0);
        index_add(list->index, &digests[0], number, 0);
        for (size_t k = known; k <= all && !call->follows; k++)
            index_add(list->index, &digests[k], number, before + (k - known));
        slot_of(list->index, &digests[0])->conversation = (uint32_t)number + 1;
    }
    if (first_answer)
        *first_answer = answer;
    arena_free(&scratch);
    return c;
}

struct message *calls_find_result(const struct message *asked, size_t k, struct message *results, size_t n)
{
    struct slice id = asked->calls[k].call_id;
    size_t before = 0;
    for (size_t i = 0; i < k && i < 256; i++)
        before += slice_eq(asked->calls[i].call_id, id);
    for (size_t i = 0; i < n && i < 256 && id.len; i++)
        if (slice_eq(results[i].tool_call_id, id) && before-- == 0)
            return &results[i];
    bool nameless = k < n && (!id.len || !results[k].tool_call_id.len);
    return nameless ? &results[k] : NULL;
}

void calls_end(struct conversations *list, struct run *run)
{
    for (size_t i = 0; i < list->n; i++) {
        const struct conversation *c = &list->items[i];
        struct transcript *t = fmt_transcript(list->a, run, &c->messages);
        t->id = c->id;
        t->name = c->name;
        t->parent = c->parent;
    }
}
