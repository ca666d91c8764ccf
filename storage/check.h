/* Looks whether everything that is stored still fits together, and puts right what can be derived again. Public, as store.h is. */
#ifndef STORAGE_CHECK_H
#define STORAGE_CHECK_H

#include "storage/store.h"

struct check_sink {
    void (*progress)(void *ctx, const char *check, int64_t done); /* often */
    void (*problem)(void *ctx, const char *check, const char *sentence);
    void *ctx;
};

/* One thing that is looked at, in the order of the table. */
struct check_row {
    const char *name, *about;
    int64_t looked, problems;  /* how many of what `about` speaks of, and what was wrong with them */
    int64_t repaired;          /* problems that are gone now; `problems` are those that stay */
    double seconds;
};
struct check_rows { struct check_row *items; size_t n; int64_t problems; };

/* Every check, each in a read transaction of its own, so that it works beside writers; memory is bounded but for 12 bytes a block of text. What cannot be
 * read is a problem too. With `repair` (of a store that writes) what can be derived from the rest is made anew where it was wrong. False: it was
 * broken off (store_break_off). */
bool store_check(struct store *s, bool repair, const struct check_sink *sink, struct arena *a, struct check_rows *out, struct err *e);

#endif
