/* Private: exceptions as findings meet them on their way in. */
#ifndef STORAGE_EXCEPTION_MATCH_H
#define STORAGE_EXCEPTION_MATCH_H

#include "storage/counts.h"
#include "transcript/except.h"

/* In any transaction. Sets `exception` and status of a finding that nobody has reviewed: by the oldest exception that holds of it, or, where none
 * does, as open. The id lives until exceptions change. */
bool exceptions_apply(struct store *s, int64_t collection, const struct except_about *about, struct finding *f, struct err *e);
/* The same of a subject's findings that are stored, or about to be: the subject is. */
struct subject_about {
    struct except_about about;
    bool known;
};
bool exceptions_apply_to(struct store *s, const struct subject *subject, struct subject_about *about, struct arena *a, struct finding *f, struct err *e);
/* In a write transaction. Sets a stored finding aside where it is open and an exception holds of it, and counts it in *changed then. */
bool exceptions_set_aside(struct store *s, int64_t key, uint64_t *changed, struct err *e);
void exceptions_free(struct exceptions *all);

#endif
