/* Private: what store.c asks of the search index. */
#ifndef STORAGE_CHECK_INDEX_H
#define STORAGE_CHECK_INDEX_H

#include "storage/inside.h"

/* Makes the index of a database that has texts and none. */
bool index_build_missing(struct store *s, struct err *e);

#endif
