/* A copy of a database as it is at one moment, made while others write. Public, as store.h is. */
#ifndef STORAGE_BACKUP_H
#define STORAGE_BACKUP_H

#include "storage/store.h"

struct backup_report {
    uint64_t bytes;       /* of the database's copy */
    uint64_t uploads;     /* that were accepted and wait to be read: copied with it */
    bool replaced;        /* an earlier backup, which is gone */
};
/* Copies the database to `to`, the uploads that wait to `to`.spool, and the key of its tokens, where there is one, to `to`.key: `to` is then a database
 * like the one it was made of. A file appears under its name only when all is whole and on the disk, and then takes the place of an earlier
 * backup; anything else that stands there is left alone (ERR_USAGE), and so is a database that is in use (ERR_CONFLICT). Pages are read a few at a time under one read transaction, so nobody waits and memory is bounded. `progress` (may be NULL)
 * hears of pages. ERR_CANCELLED: the store was broken off. */
bool store_backup(struct store *s, const char *to, void (*progress)(void *ctx, int64_t done, int64_t of), void *ctx, struct backup_report *out,
                  struct err *e);

#endif
