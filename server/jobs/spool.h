/* Where uploads wait: one file each in the spool folder, named by the job that will read it. */
#ifndef JOBS_SPOOL_H
#define JOBS_SPOOL_H

#include "base/err.h"
#include "base/hash.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

struct spool {
    const char *dir;
    uint64_t max;      /* bytes of one upload */
};

struct upload {
    char id[UUID_TEXT + 1]; /* "" before it is opened */
    int fd;
    uint64_t bytes, max;    /* so far, and at most */
    struct hash *hash;      /* of the bytes so far */
    bool kept;         /* its job is added: the file is the job's now */
};

/* `max`: of bytes, where that is less than the spool's. Where something cannot be written, e is ERR_FULL, ERR_IO where the disk is broken, else
 * ERR_BUSY: a client may try again. */
bool upload_open(const struct spool *spool, uint64_t max, struct upload *u, struct err *e);
/* ERR_TOO_LARGE past the maximum, ERR_FULL. */
bool upload_write(const struct spool *spool, struct upload *u, const char *bytes, size_t n, struct err *e);
/* On disk for good, the folder's entry too. */
bool upload_sync(const struct spool *spool, struct upload *u, struct err *e);
/* The hash of what was written, in hexadecimal: once, after the last byte. */
void upload_hash(struct upload *u, char out[2 * HASH_SIZE + 1]);
/* Closes; removes the file unless it is kept. */
void upload_close(const struct spool *spool, struct upload *u);

/* An open file without a name, gone when it is closed: for answers too large for memory. -1: e says why. */
int spool_scratch(const struct spool *spool, struct err *e);
/* What errno says of the folder, said in the log, with its path, once a minute, and into `e` without. Returns false. */
bool spool_refused(const struct spool *spool, struct err *e);
/* Each upload in the folder. */
bool spool_each(const struct spool *spool, void (*each)(void *ctx, const char *id, uint64_t bytes), void *ctx, struct err *e);
void spool_remove(const struct spool *spool, const char *id);

#endif
