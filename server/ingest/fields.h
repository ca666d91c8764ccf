/* Which field of the source went where: what a dry run shows, and how a format proves that it loses nothing.
 *
 * It knows nothing of the formats: it remembers the values of a file's records by their place ("messages[].content") and looks for each
 * among the values of the runs that came of them. */
#ifndef INGEST_FIELDS_H
#define INGEST_FIELDS_H

#include "base/arena.h"
#include "base/jsonw.h"
#include "text/jread.h"
#include "transcript/run.h"

#include <stdio.h>

/* Of one file; at most a million values are looked at, the first. `shown`: examples of what is lost may be told. */
struct fields;
struct fields *fields_new(bool shown);
void fields_free(struct fields *f); /* NULL is fine */
/* Before a format reads the record, as it may change it. */
void fields_record(struct fields *f, const struct jvalue *value);
void fields_run(struct fields *f, const struct run *run);

/* Of all files of one format; zero-initialise. It lives in the arena that fields_add() is given. */
struct field_places {
    struct field_place *top;
};
/* At the end of the file: finds each value and adds the counts. */
void fields_add(struct field_places *total, struct fields *f, struct arena *a);

/* [{"field": "messages[].content", "values": n, "to": {"message.text": n}, "lost": n, "example": "…"}]: "lost" are values that are found
 * nowhere as they stand. */
void fields_json(struct jsonw *j, const struct field_places *total);
void fields_print(FILE *out, const struct field_places *total);

#endif
