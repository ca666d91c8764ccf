/* Private to storage/: is the database's file still where it was opened? What is written to one that was moved away is lost with the program's end,
 * and one that took its place would be spoilt by the log of the other. Any thread may call. */
#ifndef STORAGE_PLACE_H
#define STORAGE_PLACE_H

#include "base/err.h"

#include <stdbool.h>

struct place;

/* Before a path is opened: its place, where connections of this process have it open already, else NULL. ERR_BUSY as below. place_leave() even then. */
bool place_take(const char *path, struct place **out, struct err *e);
/* Once it is open, where it had no place; NULL: it is gone already. */
struct place *place_new(const char *path);
/* ERR_BUSY: another file is there, or none. NULL holds. */
bool place_holds(const struct place *place, struct err *e);
void place_leave(struct place *place); /* NULL is allowed */

#endif
