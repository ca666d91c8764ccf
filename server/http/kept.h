/* Answers that are dear to make, kept until what they tell of changes. A few for the whole program; any thread may ask. */
#ifndef HTTP_KEPT_H
#define HTTP_KEPT_H

#include "http/request.h"

/* Puts the answer that was kept for a server, a collection (its id) and its version (store_version) into `out`; false: there is none. */
bool kept_take(const struct server *server, struct slice collection, int64_t version, struct str *out);
/* Keeps a copy, unless it is a large one. */
void kept_put(const struct server *server, struct slice collection, int64_t version, struct slice body);

#endif
