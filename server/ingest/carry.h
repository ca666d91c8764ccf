/* Private to ingest: the lines of an export that are no run, into the store. What is there already stays as it is. */
#ifndef INGEST_CARRY_H
#define INGEST_CARRY_H

#include "storage/store.h"
#include "text/jread.h"
#include "text/secrets.h"

/* One that has no name, or no version or body, is passed over: judgments name it, and stand without it. ERR_FORMAT: its body is no rubric of
 * that name. `imported`: when the import began, in microseconds since 1970. */
bool carry_rubric(struct store *s, const struct jvalue *v, int64_t imported, struct err *e);
/* Without the secrets (NULL: as it is). ERR_FORMAT: it could not be looked through for them. */
bool carry_label_set(struct store *s, const struct jvalue *v, const struct secrets *secrets, struct err *e);
/* A rule of one's own. ERR_FORMAT: it is no rule that could be saved here. */
bool carry_rule(struct store *s, const struct jvalue *v, struct err *e);
/* Into the collection of that id. ERR_FORMAT: it has no id or detector, or its condition means nothing. */
bool carry_exception(struct store *s, struct slice collection, const struct jvalue *v, struct err *e);

#endif
