/* Private: which texts are stored already, by the hash of their bytes. In memory, learnt from block_hash and so shared by all who
 * write; holds the texts of the last gigabytes (KNOWN_TEXTS to twice as many), those met again before others. A text that fell
 * out of it is stored once more, which costs room and nothing else; an index over all hashes would cost a page written for
 * nearly every text. */
#ifndef STORAGE_KNOWN_H
#define STORAGE_KNOWN_H

#include "base/hash.h"
#include "storage/inside.h"

enum { KNOWN_TEXTS = 3 << 18 };

struct known;

struct known *known_new(void);
void known_free(struct known *k);
/* 0: not known. */
int64_t known_find(struct known *k, const unsigned char hash[HASH_SIZE]);
void known_add(struct known *k, const unsigned char hash[HASH_SIZE], int64_t text);
void known_clear(struct known *k);
/* Reads the hashes of the blocks that were written since the last call, and before the first one's as far back as the last `back` blocks:
 * a small upload does not wait for the hashes of gigabytes. */
enum { KNOWN_BACK_FEW = 1 << 8, KNOWN_BACK_MANY = 1 << 16 };
bool known_catch_up(struct known *k, struct store *s, int64_t back, struct err *e);

#endif
