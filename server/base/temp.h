/* Temporary files that nobody else sees and that vanish with their last descriptor, also when the program is killed. */
#ifndef BASE_TEMP_H
#define BASE_TEMP_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

/* Open for reading and writing, empty, in $TMPDIR or /tmp; -1 with e. Closed by the caller. */
int temp_file(struct err *e);
/* Adds to the end of one. False with e: where there is no room it is ERR_IO and not ERR_FULL, as who waited for it might wait for room that
 * they would fill themselves. */
bool temp_write(int fd, const char *bytes, size_t n, struct err *e);

#endif
