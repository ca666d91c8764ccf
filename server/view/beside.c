#include "view/beside.h"

#include "base/hash.h"
#include "base/lcs.h"
#include "detect/event.h"
#include "transcript/actions.h"
#include "view/view.h"

#include <stdlib.h>

enum { PASSES = 3, GIST = 160, BEFORE = 48 /* bytes of a gist in front of where two differ */ };

/* What steps are paired by: in one pass those with equal keys. */
struct keyed {
    struct beside_step *steps;
    uint64_t *keys[PASSES];
    size_t n;
};

static uint64_t key_of(char kind, struct slice first, struct slice second)
{
    struct hash h;
    unsigned char out[HASH_SIZE];
    uint64_t key;
    hash_start(&h);
    hash_add(&h, slice_of(&kind, 1));
    hash_add_framed(&h, first);
    hash_add_framed(&h, second);
    hash_end(&h, out);
    memcpy(&key, out, sizeof key);
    return key;
}

/* ---- steps ---------------------------------------------------------------------------------------------------------------- */

static size_t most_steps(const struct run *run)
{
    return run_count_messages(run) + run_count_calls(run);
}

static void add_words(struct keyed *k, int32_t transcript, int32_t index, const struct message *m)
{
    struct slice role = slice_str(role_name(m->role)), text = m->text.len ? m->text : m->error.len ? m->error : m->reasoning;
    uint64_t by_role = key_of('w', role, SLICE_NONE);
    k->keys[0][k->n] = key_of('w', role, text);
    k->keys[1][k->n] = k->keys[2][k->n] = by_role;
    k->steps[k->n++] = (struct beside_step){.transcript = transcript, .message = index, .call = -1, .result = -1, .role = m->role, .text = text};
}

/* JSON without the white space between its values: loggers differ in it, calls do not. Other text as it is. */
static struct slice packed(struct arena *a, struct slice json)
{
    struct slice text = slice_trim(json);
    if (!slice_starts(text, "{") && !slice_starts(text, "["))
        return json;
    char *out = arena_alloc(a, text.len);
    size_t n = 0;
    bool quoted = false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (!quoted && (c == ' ' || c == '\n' || c == '\t' || c == '\r'))
            continue;
        if (c == '"')
            quoted = !quoted;
        out[n++] = c;
        if (quoted && c == '\\' && i + 1 < text.len)
            out[n++] = text.ptr[++i];
    }
    return slice_of(out, n);
}

static void add_call(struct keyed *k, struct arena *a, struct arena *scratch, const struct transcript *t, int32_t transcript, int32_t index, size_t nth, int32_t result)
{
    const struct tool_call *call = &t->messages[index].calls[nth];
    struct arena inner = {0};
    struct actions actions = {0};
    struct str names = STR_INIT(ACTIONS_OF_CALL * (ACTION_MAX + 1));
    actions_of_call(scratch, &inner, call, 0, &actions);
    for (size_t i = 0; i < actions.n; i++) {
        str_add_slice(&names, actions.items[i].name);
        str_addc(&names, '\n');
    }
    const struct message *answer = result >= 0 ? &t->messages[result] : NULL;
    struct slice arguments = packed(a, call->arguments);
    k->keys[0][k->n] = key_of('c', call->name, arguments);
    k->keys[1][k->n] = key_of('a', str_slice(&names), SLICE_NONE);
    k->keys[2][k->n] = key_of('t', call->name, SLICE_NONE);
    k->steps[k->n++] = (struct beside_step){
        .transcript = transcript,
        .message = index,
        .call = (int32_t)nth,
        .result = result,
        .role = ROLE_ASSISTANT,
        .name = call->name,
        .text = arguments,
        .answer = !answer ? SLICE_NONE : answer->text.len ? answer->text : answer->error,
    };
    str_free(&names);
    arena_free(&inner);
    arena_reset(scratch);
}

static struct keyed steps_of(struct arena *a, const struct run *run)
{
    size_t most = most_steps(run);
    struct keyed k = {.steps = arena_array(a, struct beside_step, most + 1)};
    for (int pass = 0; pass < PASSES; pass++)
        k.keys[pass] = arena_array(a, uint64_t, most + 1);
    struct arena scratch = {0}, of_pairs = {0};
    const struct pairs *pairs = pairs_make(&of_pairs, run);
    for (size_t t = 0; t < run->ntranscripts; t++)
        for (size_t i = 0; i < run->transcripts[t].nmessages; i++) {
            const struct message *m = &run->transcripts[t].messages[i];
            if (pairs[t].answers[i].message >= 0)
                continue; /* stands with its call */
            if (m->text.len || m->error.len || !m->ncalls)
                add_words(&k, (int32_t)t, (int32_t)i, m);
            for (size_t c = 0; c < m->ncalls; c++)
                add_call(&k, a, &scratch, &run->transcripts[t], (int32_t)t, (int32_t)i, c, pairs[t].results[pairs[t].first[i] + c]);
        }
    arena_free(&scratch);
    arena_free(&of_pairs);
    return k;
}

/* ---- pairing -------------------------------------------------------------------------------------------------------------- */

static int by_value(const void *x, const void *y)
{
    uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;
    return a < b ? -1 : a > b;
}

static uint32_t number_of(const uint64_t *sorted, size_t n, uint64_t key)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (sorted[middle] < key)
            low = middle + 1;
        else
            high = middle;
    }
    return (uint32_t)low;
}

/* Pairs a's steps [i, i + n) with b's [j, j + m) by the keys of one pass. */
static void pair_part(struct arena *scratch, const uint64_t *a, size_t i, size_t n, const uint64_t *b, size_t j, size_t m, int32_t *partner)
{
    if (!n || !m)
        return;
    uint64_t *sorted = arena_array(scratch, uint64_t, n + m);
    uint32_t *sa = arena_array(scratch, uint32_t, n), *sb = arena_array(scratch, uint32_t, m);
    memcpy(sorted, a + i, n * sizeof *a);
    memcpy(sorted + n, b + j, m * sizeof *b);
    qsort(sorted, n + m, sizeof *sorted, by_value);
    size_t different = 0;
    for (size_t k = 0; k < n + m; k++)
        if (!k || sorted[k] != sorted[different - 1])
            sorted[different++] = sorted[k];
    for (size_t k = 0; k < n; k++)
        sa[k] = number_of(sorted, different, a[i + k]);
    for (size_t k = 0; k < m; k++)
        sb[k] = number_of(sorted, different, b[j + k]);
    lcs_pairs(scratch, sa, n, sb, m, (uint32_t)different, partner + i);
    for (size_t k = 0; k < n; k++)
        if (partner[i + k] != LCS_NONE)
            partner[i + k] += (int32_t)j;
    arena_reset(scratch);
}

/* For each of a's steps its partner among b's, or LCS_NONE. */
static int32_t *pair_all(struct arena *a, const struct keyed *ka, const struct keyed *kb)
{
    struct arena scratch = {0};
    int32_t *partner = arena_array(a, int32_t, ka->n + 1);
    for (size_t i = 0; i < ka->n; i++)
        partner[i] = LCS_NONE;
    for (int pass = 0; pass < PASSES; pass++) {
        size_t i = 0, j = 0; /* where the present gap begins */
        while (i < ka->n || j < kb->n) {
            size_t end = i;
            while (end < ka->n && partner[end] == LCS_NONE)
                end++;
            size_t next = end < ka->n ? (size_t)partner[end] : kb->n;
            pair_part(&scratch, ka->keys[pass], i, end - i, kb->keys[pass], j, next - j, partner);
            i = end + 1;
            j = next + 1;
        }
    }
    arena_free(&scratch);
    return partner;
}

/* ---- rows ----------------------------------------------------------------------------------------------------------------- */

static void add_row(struct beside *out, const struct beside_step *a, const struct beside_step *b)
{
    struct beside_row *row = &out->rows[out->n];
    *row = (struct beside_row){.a = a, .b = b};
    if (a && b) {
        if (!slice_eq(a->text, b->text))
            row->differs |= a->call < 0 ? BESIDE_WORDS : BESIDE_ARGUMENTS;
        if (!slice_eq(a->answer, b->answer))
            row->differs |= BESIDE_RESULT;
        row->what = row->differs ? BESIDE_CHANGED : BESIDE_SAME;
    } else {
        row->what = a ? BESIDE_ONLY_A : BESIDE_ONLY_B;
    }
    out->counts[row->what]++;
    out->n++;
}

/* Another call, or the same tool with other arguments. */
static bool acts_otherwise(const struct beside_row *row)
{
    const struct beside_step *step = row->a ? row->a : row->b;
    return step->call >= 0 && (row->what == BESIDE_ONLY_A || row->what == BESIDE_ONLY_B || (row->differs & BESIDE_ARGUMENTS));
}

static size_t first_divergence(const struct beside *all)
{
    size_t first = SIZE_MAX;
    for (size_t i = 0; i < all->n; i++) {
        if (acts_otherwise(&all->rows[i]))
            return i;
        if (first == SIZE_MAX && all->rows[i].what != BESIDE_SAME)
            first = i;
    }
    return first;
}

void beside_align(struct arena *a, const struct run *run_a, const struct run *run_b, struct beside *out)
{
    struct keyed ka = steps_of(a, run_a), kb = steps_of(a, run_b);
    const int32_t *partner = pair_all(a, &ka, &kb);
    *out = (struct beside){.rows = arena_array(a, struct beside_row, ka.n + kb.n + 1)};
    size_t j = 0;
    for (size_t i = 0; i < ka.n; i++) {
        if (partner[i] == LCS_NONE) {
            add_row(out, &ka.steps[i], NULL);
            continue;
        }
        while (j < (size_t)partner[i])
            add_row(out, NULL, &kb.steps[j++]);
        add_row(out, &ka.steps[i], &kb.steps[j++]);
    }
    while (j < kb.n)
        add_row(out, NULL, &kb.steps[j++]);
    out->divergence = first_divergence(out);
}

/* ---- JSON ----------------------------------------------------------------------------------------------------------------- */

static size_t common_start(struct slice a, struct slice b)
{
    size_t n = 0;
    while (n < a.len && n < b.len && a.ptr[n] == b.ptr[n])
        n++;
    return n;
}

/* GIST bytes of a text, from a little before `at` where that stands deep in it. */
static struct slice gist_of(struct slice text, size_t at)
{
    size_t from = at > BEFORE ? at - BEFORE : 0;
    if (text.len - from < GIST)
        from = text.len > GIST ? text.len - GIST : 0;
    while (from > 0 && ((unsigned char)text.ptr[from] & 0xc0) == 0x80)
        from--;
    return slice_cut(slice_sub(text, from, text.len), GIST);
}

/* `answer`: the gist is of the result; `at`: where it differs from the other side's. */
static void view_step(struct jsonw *j, const char *key, const struct beside_step *step, bool answer, size_t at)
{
    jsonw_key(j, key);
    if (!step) {
        jsonw_null(j);
        return;
    }
    jsonw_object(j);
    jsonw_kint(j, "transcript", step->transcript);
    jsonw_kint(j, "message", step->message);
    jsonw_key(j, "call");
    step->call < 0 ? jsonw_null(j) : jsonw_int(j, step->call);
    jsonw_key(j, "result");
    step->result < 0 ? jsonw_null(j) : jsonw_int(j, step->result);
    jsonw_kstrz(j, "role", role_name(step->role));
    jsonw_kstr(j, "name", slice_cut(step->name, GIST));
    struct slice text = answer ? step->answer : step->text, gist = gist_of(text.ptr ? text : slice_str(""), at);
    jsonw_kstr(j, "gist", gist);
    jsonw_kbool(j, "cut", gist.len < text.len);
    jsonw_end(j);
}

static void view_row(struct jsonw *j, const struct beside_row *row)
{
    static const char *const whats[] = {"same", "changed", "only_a", "only_b"};
    static const struct { enum beside_part part; const char *name; } parts[] = {
        {BESIDE_WORDS, "words"}, {BESIDE_ARGUMENTS, "arguments"}, {BESIDE_RESULT, "result"}};
    bool answer = row->differs == BESIDE_RESULT;
    size_t at = 0;
    if (row->what == BESIDE_CHANGED)
        at = answer ? common_start(row->a->answer, row->b->answer) : common_start(row->a->text, row->b->text);
    jsonw_object(j);
    jsonw_kstrz(j, "what", whats[row->what]);
    jsonw_key(j, "differs");
    jsonw_array(j);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (row->differs & parts[i].part)
            jsonw_strz(j, parts[i].name);
    jsonw_end(j);
    view_step(j, "a", row->a, answer, at);
    view_step(j, "b", row->b, answer, at);
    jsonw_end(j);
}

static void view_all(struct jsonw *j, const struct run *a, const struct run *b, const struct beside *all)
{
    static const char *const counts[] = {"same", "changed", "only_a", "only_b"};
    jsonw_object(j);
    view_run_ref(j, "a", a);
    view_run_ref(j, "b", b);
    jsonw_key(j, "counts");
    jsonw_object(j);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        jsonw_kint(j, counts[i], (int64_t)all->counts[i]);
    jsonw_end(j);
    jsonw_key(j, "divergence");
    all->divergence == SIZE_MAX ? jsonw_null(j) : jsonw_int(j, (int64_t)all->divergence);
    jsonw_key(j, "rows");
    jsonw_array(j);
    for (size_t i = 0; i < all->n; i++)
        view_row(j, &all->rows[i]);
    jsonw_end(j);
    jsonw_end(j);
}

bool view_beside(struct jsonw *j, struct store *s, struct slice id_a, struct slice id_b, struct err *e)
{
    struct arena arena = {0};
    struct run a, b;
    bool ok = store_run_load(s, id_a, &arena, &a, e) && store_run_load(s, id_b, &arena, &b, e);
    if (ok) {
        struct beside all;
        beside_align(&arena, &a, &b, &all);
        view_all(j, &a, &b, &all);
    }
    arena_free(&arena);
    return ok;
}
