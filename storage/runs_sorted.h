/* Private: pages of runs by the columns. */
#ifndef STORAGE_RUNS_SORTED_H
#define STORAGE_RUNS_SORTED_H

#include "storage/sql.h"

/* As list_page, with any field of columns.h as a sort key (absent: the list's own order, imported and place), page->offset, and end->total always. */
bool runs_sorted(struct store *s, const struct list *list, const struct filter *f, const struct page *page, struct arena *a, struct ids *out,
                 struct page_end *end, struct err *e);

#endif
