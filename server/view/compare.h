/* Two groups of a collection's runs beside each other: what REST and the command line both say of them. */
#ifndef VIEW_COMPARE_H
#define VIEW_COMPARE_H

#include "base/jsonw.h"
#include "storage/store.h"

#include <stdatomic.h>

struct compare_wish {
    struct filter filter;     /* of both sides, with the collection */
    struct slice by, a, b;    /* the field (filter_set), and its values; b absent: all other runs that have a value or none */
};

/* Who passes more over the tasks that both ran, and what changed (detect/compare.h), as "Comparison" of the API has it. */
bool view_compare(struct jsonw *j, struct store *s, const struct compare_wish *wish, struct arena *a, struct err *e);
/* Which actions in a row one side has and the other lacks (detect/contrast.h), with calls where they stand, as "Contrast" has it. `cancel` may be
 * NULL. */
bool view_contrast(struct jsonw *j, struct store *s, const struct compare_wish *wish, const atomic_bool *cancel, struct arena *a, struct err *e);

#endif
