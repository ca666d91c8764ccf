/* Language models over HTTP: OpenAI-compatible chat completions and Anthropic messages, many prompts in flight from one thread, through
 * libcurl's multi interface. Knows nothing of rubrics or transcripts.
 *
 * The key goes to the origin of the model's URL and nowhere else: redirects and proxies are not followed, only http and https are spoken, and
 * the address that is really connected to must be a public one unless the operator set the URL (private_ok). No key, no part of one, stands in
 * an error, a log or a reply. */
#ifndef LLM_LLM_H
#define LLM_LLM_H

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"
#include "base/str.h"

#include <math.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum llm_api { LLM_OPENAI, LLM_ANTHROPIC };
/* How the answer is held to its schema: by the server (OpenAI's response_format, Anthropic's forced tool), or only by the words of the
 * prompt. */
enum llm_structure { LLM_SCHEMA, LLM_PROMPT };

/* A connection to a model: where to ask, and what it costs. */
struct llm_model {
    struct slice name;         /* what people call it: "mini" */
    enum llm_api api;
    struct slice url;          /* base: "https://api.openai.com/v1", "http://127.0.0.1:8080/v1"; /chat/completions or /messages is added */
    struct slice model;        /* as the API calls it */
    struct slice key;          /* the name of a key (keys.h); absent: none is sent */
    bool private_ok;           /* the operator wrote the URL: loopback and private addresses are allowed */
    int concurrency;           /* calls in flight, 1..256 */
    int64_t timeout_ms;        /* of one try */
    int64_t window;            /* tokens that fit in, prompt and answer together */
    double price_in, price_out; /* USD for a million tokens; NAN: unknown */
    enum llm_structure structure;
    bool logprobs;             /* the server gives log-probabilities where asked */
};
#define LLM_MODEL_INIT ((struct llm_model){.concurrency = 8, .timeout_ms = 120000, .window = 32768, .price_in = NAN, .price_out = NAN})

enum llm_role { LLM_SYSTEM, LLM_USER, LLM_ASSISTANT };
struct llm_message {
    enum llm_role role;
    struct slice text;
    bool shared;               /* what stands up to here is the beginning of other prompts too: the provider may keep it */
};
struct llm_request {
    const struct llm_message *messages;
    size_t n;
    int max_tokens;            /* of the answer */
    double temperature;        /* NAN: the provider's own */
    struct slice schema;       /* JSON Schema of the answer; absent: any text */
    int top_logprobs;          /* 0: none; else that many beside each token */
    int64_t seed;              /* tells samples of one prompt apart, also in `key`; sent where the API has it */
};

/* The bytes that are sent, always the same for the same request, and the key that names the question: a hash of them, of the origin and of
 * the seed. No token of any vocabulary is shorter than a byte, so the body's bytes, 16 for each message, what Anthropic adds for a tool and a
 * quarter where its cache is written are a bound of what is billed for the prompt: `most_in`, for caps. */
struct llm_prompt {
    struct slice body;
    unsigned char key[16];
    int64_t most_in, most_out; /* tokens */
    int64_t likely_in;         /* tokens, by the ratio of bytes to tokens that `ratio` says (0: 3.6 for English text) */
};
void llm_prompt_make(const struct llm_model *model, const struct llm_request *request, double ratio, struct arena *a, struct llm_prompt *out);
/* USD at the model's prices; NAN where they are unknown. */
double llm_cost(const struct llm_model *model, int64_t tokens_in, int64_t tokens_out);

enum llm_outcome {
    LLM_ANSWERED,              /* there is text */
    LLM_CUT,                   /* there is text, and max_tokens ended it */
    LLM_DECLINED,              /* the model or a filter of the provider refused */
    LLM_GARBLED,               /* the last reply was none of this API: half a body, garbage, too large, a stream */
    LLM_REJECTED,              /* a 4xx about this prompt: too long, malformed */
    LLM_FAILED,                /* 429, 5xx, time-outs, broken connections, until the tries were used up (patience.h says which count) */
    LLM_STOPPED,               /* llm_stop or a dead connection (llm_state) came first */
};
enum { LLM_OUTCOMES = LLM_STOPPED + 1 };
const char *llm_outcome_name(enum llm_outcome outcome);
/* How many calls of this program ended so since it began; any thread. */
uint64_t llm_ended(enum llm_outcome outcome);

struct llm_token {
    struct slice text;
    double logprob;
    struct { struct slice text; double logprob; } *top;
    size_t ntop;
};
struct llm_reply {
    enum llm_outcome outcome;
    struct slice text;         /* of the answer; of LLM_DECLINED the refusal's */
    struct llm_token *tokens;  /* with log-probabilities, where asked for and given */
    size_t ntokens;
    struct slice finish_reason;
    /* Of the last try, COUNT_UNKNOWN (-1) where the reply does not say. What Anthropic bills for writing its cache is in tokens_in with its
     * surcharge; cached tokens are in it in full, though they cost less. */
    int64_t tokens_in, tokens_out, tokens_cached;
    int tries;
    int unsettled;             /* tries that may have been billed, beside those counts: time-outs, resets, cut and senseless bodies */
    int status;                /* of the last try; 0: no answer came */
    bool too_long;             /* of LLM_REJECTED: the prompt does not fit the model's window */
    struct slice error;        /* one sentence, in plain words; absent when answered */
    struct slice raw;          /* what came instead of an answer, at most 64 KB */
    int64_t took_us;           /* from the first try to the end */
};

/* What one origin of calls is up to, for progress and pauses. */
struct llm_state {
    size_t in_flight, waiting; /* waiting: for a free place, or for another try */
    bool down;                 /* an outage: nothing succeeds, and only a probe goes out now and then; tries that fail for the server's sake (not
                                * reached, 429, 502, 503, 504, 529) do not count then, those that may fail for the prompt's (500, time-outs,
                                * broken connections) do */
    int64_t down_since, next_try; /* clock_monotonic_us() */
    bool dead;                 /* every call would fail alike: 401, 403, no such model, address refused. Nothing more is sent */
    struct slice why;          /* of down or dead, in plain words with what to do */
    uint64_t sent, answered, retried; /* tries, full answers, tries beyond a call's first */
};

struct llm_options {
    int tries;                 /* of one call, beside those in an outage; 0: 5 */
    int64_t backoff_ms;        /* first pause between them, doubled each time, with jitter; 0: 500 */
    int64_t outage_ms;         /* longest pause between probes; 0: 60,000 */
    size_t reply_max;          /* bytes of a reply; 0: 4 MB */
    /* Asked, within llm_poll, before every try of a call but its first: may it be sent? `billed`: the try before may have been billed though no
     * whole answer came, so that whoever keeps a cap reserves once more. False: the call ends as it stands. NULL: always. */
    bool (*again)(void *ctx, uint64_t tag, bool billed);
    void *ctx;
};

struct llm;
/* `secret`: the key itself, copied; absent: none is sent. Nothing is sent yet. For one thread. ERR_USAGE: the URL has another scheme, user or
 * fragment, or no host. */
bool llm_open(const struct llm_model *model, struct slice secret, const struct llm_options *options, struct llm **out, struct err *e);
void llm_close(struct llm *l); /* what is in flight is dropped; NULL is fine */

/* Takes a call (the body is copied); `tag` comes back with its reply. `idempotency` is sent as Idempotency-Key: a gateway that knows it bills
 * a repeated question once. Any number may wait; model->concurrency are in flight. */
void llm_send(struct llm *l, uint64_t tag, const struct llm_prompt *prompt);
struct llm_done {
    uint64_t tag;
    struct llm_reply reply;
};
/* Works for at most `wait_ms`, less when something ends; gives what ended, in `a`. */
size_t llm_poll(struct llm *l, int wait_ms, struct arena *a, struct llm_done **out);
void llm_state(const struct llm *l, struct llm_state *out);
/* Ends all that has not ended: the next llm_poll gives them as LLM_STOPPED, with the tries that were sent and what of them may have been
 * billed. */
void llm_stop(struct llm *l);

/* The test button: one small question, no retries. Says in plain words what is wrong and what to do (name not found, refused, certificate,
 * redirect, private address, 401, 404 with the models there are, no JSON, another API's error, model not loaded), or what works: the answer, the
 * time it took, whether schema and log-probabilities are taken, whether usage is reported. */
struct llm_probe {
    bool works;
    struct slice said;         /* the sentence */
    struct slice models;       /* JSON array of the ids that GET /models lists; absent: it lists none */
    bool schema, logprobs, usage;
    int64_t took_us;
};
/* `stop`: it ends soon, as not working; NULL: never. */
void llm_probe(const struct llm_model *model, struct slice secret, const atomic_bool *stop, struct arena *a, struct llm_probe *out);

#endif
