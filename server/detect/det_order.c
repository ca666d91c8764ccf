/* Messages in an order that chat APIs do not give. Some scaffolds write so on purpose: where most messages of a transcript stand so, that is
 * how its log is written, and says nothing. */
#include "detect/det.h"

/* Does message i of the transcript stand where it should not? */
typedef bool odd_message(const struct transcript *t, const struct pairs *pairs, size_t i);
/* Is it of the kind that could? */
typedef bool is_candidate(const struct message *m);

static void look(struct det_run *d, odd_message *odd, is_candidate *candidate, const char *many)
{
    double most = det_number(d->rule, "share");
    struct places all = {0};
    for (size_t t = 0; t < d->run->ntranscripts; t++) {
        const struct transcript *transcript = &d->run->transcripts[t];
        struct places p = {0};
        size_t candidates = 0;
        for (size_t i = 1; i < transcript->nmessages; i++) {
            struct span span;
            candidates += candidate(&transcript->messages[i]);
            if (odd(transcript, &d->pairs[t], i) && span_of_message(d->run, (int32_t)t, (int32_t)i, &span))
                places_add(&p, span);
        }
        if (!((double)p.total <= most * (double)candidates))
            continue;
        for (size_t i = 0; i < p.n; i++)
            places_add(&all, p.items[i]);
        all.total += p.total - p.n;
    }
    places_report(d, &all, many);
}

static bool is_assistant(const struct message *m) { return m->role == ROLE_ASSISTANT; }
static bool is_user(const struct message *m) { return m->role == ROLE_USER; }
static bool is_any(const struct message *m) { return m->role != ROLE_TOOL; }

/* A share of system messages is no measure: there is mostly one. */
static bool system_after_start(const struct transcript *t, const struct pairs *pairs, size_t i)
{
    (void)pairs;
    bool started = false;
    for (size_t k = i; k-- > 0 && !started && t->messages[i].role == ROLE_SYSTEM;) {
        started = t->messages[k].role != ROLE_SYSTEM;
        if (t->messages[k].role == ROLE_SYSTEM)
            return false; /* the first of several says it */
    }
    return started;
}

void det_late_system(struct det_run *d) { look(d, system_after_start, is_any, "%zu system messages stand inside the conversation"); }

static bool assistant_again(const struct transcript *t, const struct pairs *pairs, size_t i)
{
    (void)pairs;
    return is_assistant(&t->messages[i]) && is_assistant(&t->messages[i - 1]) && !t->messages[i - 1].ncalls;
}

void det_assistant_twice(struct det_run *d) { look(d, assistant_again, is_assistant, "%zu times the assistant speaks twice in a row"); }

static bool user_again(const struct transcript *t, const struct pairs *pairs, size_t i)
{
    (void)pairs;
    return is_user(&t->messages[i]) && is_user(&t->messages[i - 1]);
}

void det_user_twice(struct det_run *d) { look(d, user_again, is_user, "%zu times the user speaks twice in a row"); }

/* Somebody speaks while a call of the last assistant's message waits for a result that is still to come. */
static bool interrupts(const struct transcript *t, const struct pairs *pairs, size_t i)
{
    if (t->messages[i].role == ROLE_TOOL || t->messages[i].role == ROLE_SYSTEM)
        return false;
    size_t k = i - 1;
    while (k > 0 && t->messages[k].role == ROLE_TOOL)
        k--;
    for (size_t c = 0; c < t->messages[k].ncalls; c++)
        if (pairs->results[pairs->first[k] + c] > (int32_t)i)
            return true;
    return false;
}

void det_interrupted_call(struct det_run *d) { look(d, interrupts, is_any, "%zu messages stand between a call and its result"); }
