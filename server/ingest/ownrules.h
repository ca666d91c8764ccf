/* The rules of one's own, which are kept in the database, beside those of files. */
#ifndef INGEST_OWNRULES_H
#define INGEST_OWNRULES_H

#include "detect/rulebook.h"
#include "storage/own_rules.h"

/* The rule set for a collection of that name (absent: for none in particular), with the rules of one's own as they stand in the store now.
 * Any thread, with a store of its own. */
bool rules_for(struct store *s, struct rulebook *b, struct slice collection, struct ruleset **out, struct err *e);
/* What a text has to be in order to be saved: one rule without problems, whose tests hold. `id` absent: any; *id_out: its id, in `a`. ERR_USAGE
 * says what is wrong. */
bool own_rule_check(struct slice text, struct slice id, struct arena *a, struct slice *id_out, struct err *e);

#endif
