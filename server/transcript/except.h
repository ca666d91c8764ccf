/* The condition of an exception: which findings of a detector are set aside. A JSON object {FIELD: MATCHER, …} in the words of the rule
 * language (web/docs/rules.md, "Matchers"); all must hold, and {} holds of every finding.
 *
 * FIELD: title, message, behavior, severity, capture.NAME, quote and part (of any piece of its evidence), task_id, model, agent.
 * MATCHER: 'a pattern', [one, of, these texts, stands in it], {regex | literal | is: text or list, nocase, word}, {not: MATCHER}. */
#ifndef TRANSCRIPT_EXCEPT_H
#define TRANSCRIPT_EXCEPT_H

#include "text/regex.h"
#include "transcript/finding.h"

struct except;
/* What a finding does not say itself; absent where it is about no run, or the source does not say. */
struct except_about {
    struct slice task_id, model, agent;
};

/* ERR_USAGE says which field or matcher means nothing. What it says is copied; except_free when done. */
bool except_compile(struct slice json, struct except **out, struct err *e);
void except_free(struct except *x);
/* Any thread, with a scratch of its own. A pattern that meets a limit does not hold: the finding stays in sight. */
bool except_holds(const struct except *x, struct regex_scratch *scratch, const struct finding *f, const struct except_about *about);

#endif
