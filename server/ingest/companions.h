/* Files that belong together: which of many are read with a main file, and how its format gets at them (format.h). */
#ifndef INGEST_COMPANIONS_H
#define INGEST_COMPANIONS_H

#include "ingest/source.h"

/* Sorts them, and finds by their names alone the files that belong to others: sets has_companions and companion. Once. A file is a companion as soon as some
 * format's rules allow it; what no format asked for in the end (*taken is false) is to be read by itself. */
void companions_mark(struct arena *a, struct source_files *files);

/* Is there a file that may belong to this one and is not marked as unchanged? */
bool companions_changed(const struct source_files *files, const struct source_file *main);

/* What stands beside `main` for its format, or NULL. `files` are those that companions_mark() saw. For one thread, but many threads may ask
 * for the same files. */
const struct companions *companions_of(struct arena *a, const struct source_files *files, const struct source_file *main,
                                       const struct format *format, const struct source_limits *limits);
/* Was one of them loaded? */
bool companions_used(const struct companions *companions);

#endif
