/* Private: what can be asked of a run by a field's name, as SQL. columns.h has the same in memory. */
#ifndef STORAGE_FIELDS_H
#define STORAGE_FIELDS_H

#include "storage/sql.h"

/* The filter's list of words for a field of that name; NULL: there is none. */
struct slice *filter_text(struct filter *f, struct slice name);

/* The numbers of the words of enumerations; success as coalesce(success, 2), so that unknown is a number too. False: it is none. */
bool filter_kind(struct slice word, int *out);
bool filter_severity(struct slice word, int *out);
bool filter_scope(struct slice word, int *out);
bool filter_status(struct slice word, int *out);
bool filter_success(struct slice word, int *out);

/* The ends of "LOW..HIGH" for a field, as its column has them: times in milliseconds since 1970 (a date alone is the whole day), durations in
 * seconds. A missing end is infinite. ERR_USAGE. */
bool field_range(struct slice field, struct slice range, double *low, double *high, struct err *e);
/* May that be the name of a score or a key of metadata? Else ERR_USAGE. */
bool field_key(struct slice key, struct err *e);
/* Has a run of the collection (0: of any) that score or key of metadata, "score.NAME" or "meta.KEY"? Else ERR_USAGE, with the names that
 * there are; any other field is known by field_range. */
bool field_known(struct store *s, int64_t collection, struct slice field, struct err *e);
/* Appends an SQL expression: the number that the field is of run r, NULL where it has none. */
void field_number(struct sql *q, struct slice field);
/* Appends " AND …": that the first score of that name, or the metadata under that key, is one of the words. */
void field_score_is(struct sql *q, struct slice name, struct slice words);
void field_meta_is(struct sql *q, struct slice key, struct slice words);

#endif
