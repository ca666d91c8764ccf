#include "transcript/run.h"

#include "transcript/finding.h"

void run_init(struct run *run)
{
    *run = (struct run){
        .attempt = COUNT_UNKNOWN,
        .success = VERDICT_UNKNOWN,
        .tokens_in = COUNT_UNKNOWN,
        .tokens_out = COUNT_UNKNOWN,
        .cost_usd = NAN,
    };
}

void message_init(struct message *message)
{
    *message = (struct message){
        .role = ROLE_USER,
        .duration_ms = COUNT_UNKNOWN,
        .tokens_in = COUNT_UNKNOWN,
        .tokens_out = COUNT_UNKNOWN,
    };
}

const char *role_name(enum role role)
{
    static const char *const names[] = {"system", "user", "assistant", "tool"};
    return names[role];
}

bool role_parse(struct slice word, enum role *role)
{
    static const struct { const char *word; enum role role; } words[] = {
        {"system", ROLE_SYSTEM}, {"developer", ROLE_SYSTEM},
        {"user", ROLE_USER}, {"human", ROLE_USER},
        {"assistant", ROLE_ASSISTANT}, {"ai", ROLE_ASSISTANT}, {"gpt", ROLE_ASSISTANT}, {"model", ROLE_ASSISTANT},
        {"agent", ROLE_ASSISTANT}, {"bot", ROLE_ASSISTANT}, {"chatbot", ROLE_ASSISTANT},
        {"tool", ROLE_TOOL}, {"function", ROLE_TOOL}, {"toolResult", ROLE_TOOL}, {"tool_result", ROLE_TOOL},
        {"observation", ROLE_TOOL}, {"ipython", ROLE_TOOL}, {"environment", ROLE_TOOL},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (slice_eq_nocase(word, slice_str(words[i].word))) {
            *role = words[i].role;
            return true;
        }
    return false;
}

static void add_number(struct hash *h, int64_t n) { hash_add(h, slice_of((const char *)&n, sizeof n)); }
static void add_count(struct hash *h, size_t n) { add_number(h, (int64_t)n); }

/* A long text by its own hash, which is kept. */
static void add_digested(struct hash *h, struct slice text, unsigned char digest[HASH_SIZE])
{
    if (text.len < DIGEST_MIN) {
        hash_add_framed(h, text);
        return;
    }
    hash_of(text, digest);
    add_number(h, -1); /* no text's length */
    hash_add(h, slice_of((const char *)digest, HASH_SIZE));
}

static void add_message(struct hash *h, struct message *m)
{
    add_number(h, (int64_t)m->role);
    add_digested(h, m->text, m->digest);
    const struct slice texts[] = {m->reasoning, m->model, m->timestamp, m->finish_reason, m->tool_call_id, m->tool_name, m->error, m->metadata};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        hash_add_framed(h, texts[i]);
    add_number(h, m->duration_ms);
    add_number(h, m->tokens_in);
    add_number(h, m->tokens_out);
    add_count(h, m->ncalls);
    for (size_t i = 0; i < m->ncalls; i++) {
        struct tool_call *c = &m->calls[i];
        const struct slice parts[] = {c->call_id, c->name, c->parse_error, c->metadata};
        add_digested(h, c->arguments, c->digest);
        for (size_t k = 0; k < sizeof parts / sizeof *parts; k++)
            hash_add_framed(h, parts[k]);
    }
    add_count(h, m->nblobs);
    for (size_t i = 0; i < m->nblobs; i++) {
        hash_add_framed(h, m->blobs[i].media_type);
        hash_add_framed(h, m->blobs[i].url);
        hash_add(h, slice_of((const char *)m->blobs[i].sha256, SHA256_SIZE));
    }
}

void run_content_hash(struct run *run, unsigned char out[HASH_SIZE])
{
    struct hash h;
    hash_start(&h);
    const struct slice texts[] = {run->name, run->task_id, run->model, run->agent, run->started_at, run->ended_at,
                                  run->exit_status, run->error, run->limit, run->metadata};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        hash_add_framed(&h, texts[i]);
    add_number(&h, run->attempt);
    add_number(&h, (int64_t)run->success);
    add_number(&h, run->tokens_in);
    add_number(&h, run->tokens_out);
    int64_t cost = -1; /* NAN has many bit patterns */
    if (!isnan(run->cost_usd))
        memcpy(&cost, &run->cost_usd, sizeof cost);
    add_number(&h, cost);
    add_count(&h, run->ntags);
    for (size_t i = 0; i < run->ntags; i++)
        hash_add_framed(&h, run->tags[i]);
    add_count(&h, run->nscores);
    for (size_t i = 0; i < run->nscores; i++) {
        const struct score *s = &run->scores[i];
        const struct slice parts[] = {s->name, s->value, s->answer, s->target, s->explanation, s->metadata};
        for (size_t k = 0; k < sizeof parts / sizeof *parts; k++)
            hash_add_framed(&h, parts[k]);
    }
    add_count(&h, run->ntranscripts);
    for (size_t i = 0; i < run->ntranscripts; i++) {
        const struct transcript *t = &run->transcripts[i];
        const struct slice parts[] = {t->id, t->parent, t->name, t->metadata};
        for (size_t k = 0; k < sizeof parts / sizeof *parts; k++)
            hash_add_framed(&h, parts[k]);
        add_count(&h, t->nmessages);
        for (size_t k = 0; k < t->nmessages; k++)
            add_message(&h, &t->messages[k]);
    }
    hash_end(&h, out);
}

size_t run_count_messages(const struct run *run)
{
    size_t n = 0;
    for (size_t i = 0; i < run->ntranscripts; i++)
        n += run->transcripts[i].nmessages;
    return n;
}

size_t run_count_calls(const struct run *run)
{
    size_t n = 0;
    for (size_t i = 0; i < run->ntranscripts; i++)
        for (size_t k = 0; k < run->transcripts[i].nmessages; k++)
            n += run->transcripts[i].messages[k].ncalls;
    return n;
}

bool run_fits(const struct run *run, struct err *e)
{
    size_t messages = run_count_messages(run), calls = 0, blobs = 0;
    for (size_t i = 0; i < run->ntranscripts; i++)
        for (size_t k = 0; k < run->transcripts[i].nmessages; k++) {
            const struct message *m = &run->transcripts[i].messages[k];
            calls = m->ncalls > calls ? m->ncalls : calls;
            blobs = m->nblobs > blobs ? m->nblobs : blobs;
        }
    const char *what = messages > RUN_ITEMS ? "messages"
                     : calls > RUN_ITEMS    ? "tool calls in one message"
                     : blobs > RUN_ITEMS    ? "attachments in one message"
                     : run->nscores > RUN_ITEMS ? "scores" : NULL;
    struct slice name = slice_cut(run->external_id.len ? run->external_id : run->name, 100);
    return !what || err_set(e, ERR_TOO_LARGE, "the run%s%.*s%s has more than %d %s, and one run may have no more", name.len ? " \"" : "", SLICE_ARG(name),
                            name.len ? "\"" : "", RUN_ITEMS, what);
}
