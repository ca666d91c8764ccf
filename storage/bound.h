/* Private: the views for whoever sees some collections only (store_is_bound).
 *
 * Their SQL runs on a database of its own that is in memory and empty. The views are virtual tables of it: rows that a statement of ours
 * has read from the real views, of collections that are theirs. So there is no table, schema, index or statistic of others that a query
 * could name, and nothing that a query computes is ever computed of a row of others: no error, no plan and no count depends on them. What
 * a query asks of such a table is "all of it" or "where these columns have these values", and nothing else of it comes near the statements
 * that we run. */
#ifndef STORAGE_BOUND_H
#define STORAGE_BOUND_H

#include "storage/inside.h"

struct bound;
struct sqlite3;

/* In a read transaction of the store. */
bool bound_open(struct store *s, struct bound **out, struct err *e);
/* On which the query runs, within a transaction of the store. */
struct sqlite3 *bound_raw(const struct bound *b);
/* After each query, when its statement is gone: what was kept for it goes too. */
void bound_end(struct bound *b);
/* NULL: nothing. */
void bound_close(struct bound *b);

#endif
