/* Private: texts on their way into blocks. Everything here is done before the lock is taken, but for pack_write. */
#ifndef STORAGE_PACK_H
#define STORAGE_PACK_H

#include "storage/blocks.h"

struct pack;

struct pack *pack_new(struct store *s);
void pack_free(struct pack *p);

/* Learns of the texts that were stored since the last time, by whomever. In a read transaction, before a run's texts are added. */
bool pack_catch_up(struct pack *p, struct err *e);
/* Takes a text in, in a block or as one that is stored already, and gives its number among those that wait: what pack_text turns into
 * the text's number in the database. TEXT_NONE for an absent text, TEXT_EMPTY for an empty one. `searchable`: what a message says. `digest`:
 * its hash_of() where somebody knows it, else NULL or zeros. */
bool pack_add(struct pack *p, bool searchable, struct slice text, const unsigned char *digest, int64_t *waiting, struct err *e);
/* Bytes of all texts that were ever added. */
uint64_t pack_taken(const struct pack *p);
/* Bytes that wait. */
size_t pack_bytes(const struct pack *p);

/* In the write transaction: closes the blocks that are still open and settles their numbers. A text that was stored, but whose block
 * was deleted meanwhile, is packed anew. */
bool pack_settle(struct pack *p, struct err *e);
/* The number in the database, once settled. A block whose texts are asked for is a block that will be written. */
int64_t pack_text(struct pack *p, int64_t waiting);
/* Writes the blocks that are used. */
bool pack_write(struct pack *p, struct err *e);
/* Empties it for the next transaction: after the commit, or when it is given up. */
void pack_reset(struct pack *p);

#endif
