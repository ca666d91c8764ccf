/* Exports, on disk until their readers have all of it: a few hundred MB may each wait for a slow one. How many there may be, and how large they
 * may be together, in the whole program; any thread may call. */
#ifndef HTTP_HELD_H
#define HTTP_HELD_H

#include "jobs/spool.h"

/* An empty file without a name; -1: e says why, ERR_BUSY where there are enough of them. */
int held_open(const struct spool *spool, struct err *e);
/* It has grown. */
void held_grow(uint64_t bytes);
/* Closes one that has grown by so many bytes. */
void held_close(int fd, uint64_t bytes);

#endif
