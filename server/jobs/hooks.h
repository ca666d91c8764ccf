/* Tells webhooks what is to be told (storage/webhooks.h): signed as Standard Webhooks 1.0 has it, tried again for a day, on a thread of its own. */
#ifndef JOBS_HOOKS_H
#define JOBS_HOOKS_H

#include "base/arena.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* May a webhook have that URL? ERR_USAGE says what is wrong with it. Where its name leads to is seen when it is told; what is no name is looked at
 * here: an address that nothing is ever told is refused, and `inside` says what one is that takes an operator's word ("a loopback address";
 * NULL: it does not). */
bool hooks_url(struct slice url, struct arena *a, const char **inside, struct err *e);

struct hooks;
/* The same on this server, where what takes the operator's word is refused unless they gave it. */
bool hooks_may_tell(const struct hooks *hooks, struct slice url, struct arena *a, struct err *e);
/* `private_ok`: the operator lets webhooks go to loopback and private addresses. */
bool hooks_start(const char *db, bool private_ok, struct hooks **out, struct err *e);
/* Something is to be told. */
void hooks_wake(struct hooks *hooks);
/* What is under way is told again later. False: it did not end before the deadline (clock_monotonic_us). */
bool hooks_stop(struct hooks *hooks, int64_t deadline_us);
void hooks_free(struct hooks *hooks);

#endif
