/* Private to storage/: the key under which tokens and sessions are kept, and who is to hear that they have changed. */
#ifndef STORAGE_TOKENS_H
#define STORAGE_TOKENS_H

#include "storage/access.h"

/* The key's file, or one beside it; malloc'd. */
char *token_key_path(struct store *s, const char *end);
/* *there false: there is none. */
bool token_key_read(struct store *s, unsigned char out[SECRET_SIZE], bool *there, struct err *e);
/* Always false: says in `e` what to do. */
bool token_key_lost(struct err *e);
/* After a commit that changed who is let in: every process that has the database open knows at once. */
void passes_changed(struct store *s);

#endif
