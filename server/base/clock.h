/* Time as text and numbers. Times in the data model are ISO 8601 in UTC with the source's own precision. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/arena.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

enum { CLOCK_TEXT = 40 };

int64_t clock_now_us(void);        /* wall clock, microseconds since 1970 */
int64_t clock_monotonic_us(void);  /* never goes back */
int64_t clock_coarse_us(void);     /* the same to a few milliseconds, for a fifth of the price */
/* "2026-01-02T03:04:05.123456Z" */
void clock_text(int64_t us, char out[CLOCK_TEXT]);
/* Any ISO 8601 date-time (T or blank between, offset, Z or none; no zone is read as UTC) → UTC with Z and as many
 * digits of a second as the source has, at most nine. False: not such a text, and `out` is untouched. */
bool clock_normalize(struct arena *a, struct slice text, struct slice *out);
/* Seconds since 1970 (with a fraction), milliseconds, microseconds or nanoseconds, told apart by magnitude. */
bool clock_from_number(struct arena *a, double number, struct slice *out);
/* The same of a whole number, with as many digits of a second as its unit has: none, 3, 6 or 9. */
bool clock_from_integer(struct arena *a, int64_t number, struct slice *out);
/* The microseconds of a normalized text; false where it is none. */
bool clock_parse(struct slice text, int64_t *us);

#endif
